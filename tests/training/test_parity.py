"""Same seed, same numbers: weights bit for bit, loss curves to rounding, on four backends."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import config
from tests.conftest import INSTALLED

L = keras.layers


def digits_cnn():
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((8, 8)),
        L.Rescaling(1 / 16),
        L.Reshape((8, 8, 1)),
        L.Conv2D(8, 3, padding="same", activation="relu"),
        L.MaxPooling2D(),
        L.Flatten(),
        L.Dropout(0.25),
        L.Dense(10),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def data():
    (x, y), _ = keras.datasets.digits.load_data()
    return x[:640], y[:640]


@pytest.fixture(scope="module")
def curves(data):
    """backend -> (initial weights, losses of 5 epochs, loss of the first step)."""
    found = {}
    for name in INSTALLED:
        with config.backend_scope(name):
            model = digits_cnn()
            weights = model.get_weights()
            losses = model.fit(*data, epochs=5, batch_size=64, verbose=0).history["loss"]
            model = digits_cnn()
            first = model.train_on_batch(data[0][:64], data[1][:64])[0]
            found[name] = weights, losses, first
    return found


@pytest.mark.parametrize("name", INSTALLED)
def test_initial_weights_are_bit_equal(curves, name):
    for a, b in zip(curves["numpy"][0], curves[name][0], strict=True):
        assert a.dtype == b.dtype and (a == b).all()


@pytest.mark.parametrize("name", INSTALLED)
def test_loss_curves_agree(curves, name):
    np.testing.assert_allclose(curves[name][2], curves["numpy"][2], rtol=1e-5)
    np.testing.assert_allclose(curves[name][1], curves["numpy"][1], rtol=1e-3)


def test_the_curve_falls(curves):
    losses = curves["numpy"][1]
    assert losses[-1] < 0.85 * losses[0]


def test_shuffles_and_masks_are_equal():
    seen = {}
    for name in INSTALLED:
        with config.backend_scope(name):
            keras.utils.set_random_seed(5)
            mask = keras.ops.convert_to_numpy(keras.random.dropout(np.ones((64, 33), "float32"), 0.4))
            shuffled = keras.ops.convert_to_numpy(keras.random.shuffle(np.arange(100)))
            seen[name] = mask, shuffled
    for mask, shuffled in seen.values():
        np.testing.assert_array_equal(mask, seen["numpy"][0])
        np.testing.assert_array_equal(shuffled, seen["numpy"][1])
    assert 0.5 < (seen["numpy"][0] != 0).mean() < 0.7
