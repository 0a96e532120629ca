"""Averaged weights: what is evaluated, and what training ends with."""

import numpy as np
import pytest

import kerasish as keras

X = np.linspace(0, 1, 16, dtype="float32").reshape(8, 2)
Y = X.sum(1, keepdims=True)


@pytest.mark.parametrize("on_epoch", [False, True])
def test_averages_are_evaluated_and_stay(backend, on_epoch):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    weights = first = np.ones((2, 1), "float32") * 2
    model.set_weights([first])
    callback = keras.callbacks.SwapEMAWeights(swap_on_epoch=on_epoch)
    history = model.fit(
        X, Y, epochs=3, verbose=0, validation_data=(X, Y), callbacks=[callback]
    ).history
    average, losses = None, []
    for _ in range(3):
        weights = weights - 0.1 * 2 * X.T @ (X @ weights - Y) / 8
        average = weights if average is None else average * 0.5 + weights * 0.5
        losses.append(np.mean((X @ average - Y) ** 2))
    np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-5)
    np.testing.assert_allclose(history["val_loss"], losses, rtol=1e-4)
    model.fit(X, Y, verbose=0)


def test_variables_assigned_to_one_another_keep_their_own_memory(backend):
    model, target = (keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in "ab")
    for mine, other in zip(target.variables, model.variables, strict=True):
        mine.assign(other)
    before = target.get_weights()
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    for a, b in zip(before, target.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(model.get_weights()[0] - before[0]).max() > 1e-4
