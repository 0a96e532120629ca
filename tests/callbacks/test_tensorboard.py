"""Event files, read back by the `tensorboard` package."""

import numpy as np
import pytest

import kerasish as keras

pytest.importorskip("tensorboard")
X = np.linspace(0, 1, 16, dtype="float32").reshape(8, 2)
Y = X.sum(1, keepdims=True)


def events(folder):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    found = {}
    for path in folder.iterdir():
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, make_ndarray(value.tensor)))
    return found


def test_losses_and_weights(backend, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="d")], name="m")
    model.compile(keras.optimizers.SGD(0.5), "mse", metrics=["mae"])
    callback = keras.callbacks.TensorBoard(
        tmp_path, histogram_freq=1, update_freq=2, write_steps_per_second=True
    )
    history = model.fit(
        X, Y, batch_size=2, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[callback]
    ).history
    train, seen = events(tmp_path / "train"), events(tmp_path / "validation")
    for found, prefix in ((train, ""), (seen, "val_")):
        steps, values = zip(*found["epoch_loss"], strict=True)
        assert steps == (0, 1)
        np.testing.assert_allclose(values, history[f"{prefix}loss"], rtol=1e-5)
    assert [step for step, _ in train["batch_mae"]] == [2, 4, 6, 8]
    assert float(train["epoch_learning_rate"][0][1]) == 0.5
    assert float(train["epoch_steps_per_second"][0][1]) > 0
    assert train["m/d/kernel/histogram"][1][1].shape[1] == 3
    assert [step for step, _ in seen["evaluation_loss_vs_iterations"]] == [4, 8]


def test_what_is_not_offered_is_told():
    with pytest.warns(UserWarning, match="profile_batch"):
        keras.callbacks.TensorBoard(profile_batch=2)
