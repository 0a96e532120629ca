"""Ops in a user's own `tf.function`, where sizes may be unknown and AutoGraph rewrites code."""

import logging

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, ops

pytestmark = pytest.mark.skipif(not backends.installed("tensorflow"), reason="tensorflow is not installed")
X = np.arange(1.0, 13, dtype="float32").reshape(3, 4)
FUNCTIONS = {
    "pad": lambda x: [ops.pad(x, ((2, 1), (0, 3)), mode=m) for m in ("reflect", "symmetric", "edge", "wrap")],
    "diagonal": lambda x: [ops.diagonal(x, k) for k in (-1, 0, 1)],
    "trace": lambda x: ops.trace(x),
    "split": lambda x: ops.split(x, 2, axis=1),
    "eye": lambda x: ops.eye(ops.shape(x)[0], ops.shape(x)[1], 1),
    "tril": lambda x: ops.tril(x),
    "median": lambda x: ops.median(x, axis=0),
    "cumprod": lambda x: ops.cumprod(x, axis=0),
    "argmax": lambda x: ops.argmax(x, axis=1),
    "sparsemax": lambda x: ops.sparsemax(x),
    "qr": lambda x: ops.linalg.qr(ops.matmul(ops.transpose(x), x) + ops.eye(ops.shape(x)[1]))[1],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_unknown_sizes(name):
    import tensorflow as tf

    with keras.config.backend_scope("tensorflow"):
        function = FUNCTIONS[name]
        compiled = tf.function(
            function, input_signature=[tf.TensorSpec([None, None])], autograph=False
        )
        for got, want in zip(
            keras.tree.flatten(compiled(X)), keras.tree.flatten(function(X)), strict=True
        ):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_cumprod_with_zeros_and_unknown_sizes():
    import tensorflow as tf

    with keras.config.backend_scope("tensorflow"):

        @tf.function(input_signature=[tf.TensorSpec([None])], autograph=False)
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = ops.sum(ops.cumprod(x))
            return tape.gradient(y, x)

        np.testing.assert_allclose(gradient(np.array([1, 0, 3, 4], "float32")), [1, 16, 0, 0])


def test_autograph_leaves_our_code_alone(caplog):
    import tensorflow as tf

    with keras.config.backend_scope("tensorflow"):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="gelu")])

        @tf.function
        def step(x):
            if tf.reduce_sum(x) > 0:  # AutoGraph still rewrites what is the user's
                x = x + 1
            return ops.sum(model(x, training=True)) + ops.norm(ops.sort(x))

        with caplog.at_level(logging.WARNING):
            assert np.isfinite(step(tf.constant(X)))
    assert "AutoGraph" not in caplog.text
