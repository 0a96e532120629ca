"""Callbacks that save: how often, what, and what one's own on top of them sees."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops

X = np.linspace(0, 1, 40, dtype="float32").reshape(20, 2)
Y = X.sum(1, keepdims=True)


def compiled(**options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(**{"optimizer": "adam", "loss": "mse", **options})
    return model


@pytest.mark.parametrize("together", [1, 2])
def test_batches_are_counted_however_many_a_dispatch_has(backend, tmp_path, together):
    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=4
    )
    compiled(steps_per_execution=together).fit(
        X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[keep]
    )
    found = {p.name.removesuffix(".weights.h5") for p in tmp_path.iterdir()}
    assert found == {"1-4", "1-8", "2-2", "2-6", "2-10"}


class Cut(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == 7:
            raise OSError("the power went")


def test_a_backup_counts_batches_over_epochs(backend, tmp_path):
    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path, save_freq=3, delete_checkpoint=False)

    with pytest.raises(OSError, match="power"):
        compiled().fit(X, Y, batch_size=4, epochs=3, verbose=0, callbacks=[backup(), Cut()])
    model = compiled()
    history = model.fit(X, Y, batch_size=4, epochs=3, verbose=0, callbacks=[backup()])
    assert history.epoch == [1, 2]  # the backup was made at the sixth batch, the first of epoch 1
    assert int(model.optimizer.iterations.numpy()) == 6 + 10


def test_whole_models_in_hdf5(tmp_path):
    model = compiled()
    path = tmp_path / "m.h5"
    model.fit(X, Y, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(path)])
    np.testing.assert_array_equal(keras.models.load_model(path).predict(X, verbose=0),
                                  model.predict(X, verbose=0))


def test_subclasses_see_batches_and_hand_them_on(tmp_path):
    seen = []

    class Own(keras.callbacks.ModelCheckpoint):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)
            super().on_train_batch_end(batch, logs)

    path = tmp_path / "m.keras"
    compiled().fit(X, Y, batch_size=4, verbose=0, callbacks=[Own(path, save_freq=5)])
    assert seen == [0, 1, 2, 3, 4] and path.exists()


def test_a_mode_that_is_none_is_told():
    with pytest.warns(UserWarning, match="EarlyStopping.*'lowest'"):
        assert keras.callbacks.EarlyStopping(mode="lowest").mode == "auto"


@pytest.mark.parametrize("rate", [
    keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5),
    lambda epoch: ops.convert_to_tensor(0.5**(epoch + 1)),
])
def test_schedules_may_give_tensors(backend, rate):
    log = compiled().fit(
        X, Y, epochs=2, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(rate)]
    )
    assert log.history["learning_rate"] == [0.5, 0.25]
