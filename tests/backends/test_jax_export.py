"""Functions that `jax.export` takes apart with sizes left open."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import config

jax = pytest.importorskip("jax")
jax_export = pytest.importorskip("jax.export")
L = keras.layers


def exported(function, shape):
    """The function of float32 arrays in which the sizes named in `shape` are open."""
    sizes = iter(jax_export.symbolic_shape(", ".join(s for s in shape if isinstance(s, str))))
    shape = [next(sizes) if isinstance(s, str) else s for s in shape]
    argument = jax.ShapeDtypeStruct(tuple(shape), "float32")
    return jax_export.export(jax.jit(function))(argument).call


@pytest.mark.parametrize("shape, layer", [
    ((6, 6, 6, 2), lambda: L.Conv3D(2, 2)),
    ((8, 8, 3), lambda: L.Conv2DTranspose(4, 3, strides=2)),
    ((6, 4), lambda: L.Bidirectional(L.LSTM(3))),
    ((6, 4), lambda: L.RNN([L.LSTMCell(3), L.GRUCell(2)])),
    ((8, 8, 4), lambda: L.GroupNormalization(2)),
    ((64, 1), lambda: L.STFTSpectrogram(frame_length=16, frame_step=8, fft_length=16)),
])  # fmt: skip
def test_layers_of_any_batch_size(shape, layer):
    with config.backend_scope("jax"):
        inputs = keras.Input(shape)
        model = keras.Model(inputs, layer()(inputs))
        state = [[v.value for v in part]
                 for part in (model.trainable_variables, model.non_trainable_variables)]  # fmt: skip
        call = exported(lambda x: model.stateless_call(*state, x)[0], ("b", *shape))
        for size in (1, 3):
            x = np.random.default_rng(size).random((size, *shape)).astype("float32")
            np.testing.assert_allclose(call(x), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("function, expected", [
    (lambda x: keras.ops.arange(keras.ops.shape(x)[1]) + x, lambda x: np.arange(x.shape[1]) + x),
    (lambda x: keras.ops.zeros(keras.ops.shape(x)), np.zeros_like),
    (lambda x: keras.ops.eye(keras.ops.shape(x)[1]) @ x[0], lambda x: x[0]),
    (lambda x: keras.ops.cast(keras.ops.size(x), "float32") * x, lambda x: x.size * x),
    (lambda x: keras.losses.MeanSquaredError()(x, 2 * x), lambda x: np.mean(x**2)),
    (lambda x: keras.ops.median(x, axis=0), lambda x: np.median(x, axis=0)),
])  # fmt: skip
def test_ops_on_open_sizes(function, expected):
    with config.backend_scope("jax"):
        call = exported(function, ("b", "t"))
        for shape in ((2, 3), (4, 1)):
            x = np.random.default_rng(0).random(shape).astype("float32")
            np.testing.assert_allclose(call(x), expected(x), rtol=1e-5)
