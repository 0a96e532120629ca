"""Graphs whose inputs were seen before call their layers directly: nothing else may change."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops

L = keras.layers
X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


def seen(model, x=X):
    """The output after the graph knows the kind of its input."""
    for _ in range(3):
        y = model(x)
    assert model._function._seen
    return ops.convert_to_numpy(y)


def dense(**kwargs):
    return L.Dense(2, kernel_initializer="ones", **kwargs)


def test_a_layer_that_changes_is_called_anew(backend):
    layer = dense()
    model = keras.Sequential([keras.Input((3,)), layer])
    before = seen(model)
    layer.dtype_policy = "mixed_float16"
    after = model(X)
    assert ops.dtype(after) == "float16"
    np.testing.assert_allclose(ops.convert_to_numpy(after), before, rtol=1e-2, atol=1e-2)


def test_training_is_passed_on(backend):
    model = keras.Sequential([keras.Input((3,)), L.Dropout(0.5), dense()])
    before = seen(model)
    model(X, training=True)
    trained = [ops.convert_to_numpy(model(X, training=True)) for _ in range(3)]
    assert any(abs(y - before).max() > 0.1 for y in trained)
    np.testing.assert_allclose(ops.convert_to_numpy(model(X)), before, rtol=1e-5)


def test_masks_elsewhere_change_nothing(backend):
    """A mask in one model leaves another model its direct calls, and its own layers their mask."""
    tokens = keras.Sequential([keras.Input((3,)), L.Embedding(4, 2, mask_zero=True), L.LSTM(2)])
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    for _ in range(4):
        masked = tokens(ids)
    assert not tokens._function._seen
    lstm = tokens.layers[-1]
    short = lstm(tokens.layers[0](ids[:1, :2]))
    np.testing.assert_allclose(
        ops.convert_to_numpy(masked)[:1], ops.convert_to_numpy(short), rtol=1e-5, atol=1e-6
    )
    seen(keras.Sequential([keras.Input((3,)), dense()]))


def test_a_mask_on_an_input_of_a_seen_kind(backend):
    model = keras.Sequential([keras.Input((3, 1)), L.GlobalAveragePooling1D()])
    x = ops.convert_to_tensor(np.array([[[1.0], [2.0], [30.0]]], dtype="float32"))
    np.testing.assert_allclose(seen(model, x), [[11.0]])
    masked = L.Masking(30.0)(x)
    np.testing.assert_allclose(ops.convert_to_numpy(model(masked)), [[1.5]])
    pooling = model.layers[-1]
    np.testing.assert_allclose(ops.convert_to_numpy(pooling(masked)), [[1.5]])
    np.testing.assert_allclose(ops.convert_to_numpy(pooling(x)), [[11.0]])


def test_another_shape_is_checked(backend):
    model = keras.Sequential([keras.Input((3,)), dense()])
    seen(model)
    with pytest.raises(ValueError, match="shape"):
        model(X[:, :2])


@pytest.mark.parametrize("batch", [31, 40])
def test_few_outputs_of_many_inputs(backend, batch):
    """torch lays such products out in another way."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s).astype("float32") for s in ((batch, 300), (300, 5), (5,)))
    layer = L.Dense(5)
    layer.build((None, 300))
    layer.set_weights([w, b])
    weights = layer.trainable_variables
    loss, grads = keras.value_and_grad(lambda: ops.sum(layer(x) ** 2), weights)
    y = x.astype("float64") @ w + b
    np.testing.assert_allclose(float(loss), (y**2).sum(), rtol=1e-4)
    for grad, wanted in zip(grads, (2 * x.T @ y, 2 * y.sum(0)), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(grad), wanted, rtol=1e-3, atol=1e-2)
