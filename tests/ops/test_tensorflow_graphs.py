"""Ops in a user's own `tf.function`, where sizes may be unknown and AutoGraph rewrites code."""

import logging

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, ops
from tests.ops.test_cases import ROWS, assert_close, expected, host, subject

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
    "unfold": lambda x: ops.unfold(x[None, None], 2, padding=1),
    "fold": lambda x: ops.fold(ops.unfold(x[None, None], 2, stride=2), (2, 4), 2, stride=2),
    "adaptive pooling": lambda x: [
        pool(x[None], n) for n in (1, 2, 3, 5) for pool in (ops.adaptive_max_pool, ops.adaptive_average_pool)
    ],
    "array_split": lambda x: [ops.array_split(x, n, axis=a) for n in (2, 3, 5) for a in (0, -1)],
    "quantile": lambda x: [
        ops.quantile(x, x[0] / 10, axis=1, keepdims=k, method=m) for k in (False, True)
        for m in ("linear", "lower", "higher", "midpoint", "nearest")
    ],
    "cholesky": lambda x: ops.linalg.cholesky(_definite(x)),
    "cholesky_inverse": lambda x: ops.linalg.cholesky_inverse(ops.tril(_definite(x))),
    "logdet": lambda x: ops.logdet(_definite(x)),
    "correlate": lambda x: [
        ops.correlate(*pair, mode=m) for m in ("valid", "same", "full")
        for pair in ((x[0], x[:, 0]), (x[:, 0], x[0]), (x[0], x[1]))
    ],
    "masks": lambda x: [x * 2, ops.get_item(x, x > 3), ops.get_item(x, (0, x[0] > 2))],
    "take_along_axis": lambda x: ops.take_along_axis(x, ops.cast(x[:1] > 2, "int32"), axis=0),
    "scatter_update": lambda x: [
        ops.scatter_update(x, ops.cast(x[:, :1] / 5, "int32"), x, reduction=r)
        for r in ("add", "mul", "max", "min")
    ],
    "isin": lambda x: [ops.isin(x, x[0]), ops.isin(x, x[:0])],
    "unique": lambda x: [ops.unique(x % 3, return_counts=True), *ops.unique(x % 2, axis=1, return_inverse=True)],
    "unique of a size": lambda x: [ops.unique(x % 3, size=n) for n in (2, 5)],
    "vectorize": lambda x: ops.vectorize(lambda a, b: a * b + 1)(x, x[0]),
    "conv": lambda x: [
        ops.conv(x[None], np.ones((2, 4, 3), "float32"), padding=p) for p in ("same", "valid")
    ],
    "depthwise_conv": lambda x: ops.depthwise_conv(x[None], np.ones((2, 4, 2), "float32")),
    "conv_transpose": lambda x: ops.conv_transpose(x[None], np.ones((2, 3, 4), "float32"), 2),
    "depth_to_space": lambda x: ops.depth_to_space(x[None, :, None], 2),
    "attention": lambda x: [
        ops.dot_product_attention(y, y[:, :2], y[:, :2], is_causal=c) for c in (False, True)
        for y in [ops.stack([x[None], -x[None]], 2)]
    ],
    "layer_normalization": lambda x: ops.layer_normalization(x, x, x, axis=(0, 1)),
    "sparse_categorical_crossentropy": lambda x: ops.sparse_categorical_crossentropy(
        ops.cast(x[:, :1] > 3, "int32"), x),
    "view_as_complex": lambda x: ops.abs(ops.view_as_complex(x[:, :2])),
    "cross": lambda x: ops.cross(x[:, 1:], x[0, 1:]),
    "qr": lambda x: ops.linalg.qr(ops.matmul(ops.transpose(x), x) + ops.eye(ops.shape(x)[1]))[1],
}


def _definite(x):
    return ops.matmul(x, ops.transpose(x)) + ops.eye(ops.shape(x)[0])


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


CANNOT = {
    "argpartition": "its check is a NumPy function", "dtype": "its result is no tensor",
    "unstack": "the number of results must be known",
}


@pytest.mark.parametrize(
    "row", [r for r in ROWS if not r.number and not r.name.startswith(".quantizers")],
    ids=lambda row: row.name,
)
def test_every_op_with_unknown_sizes(row):
    import tensorflow as tf

    leaves = keras.tree.flatten(row.args)
    where = [i for i, a in enumerate(leaves) if isinstance(a, np.ndarray) and a.ndim]
    where = where[:1] if "conv" in row.name else where  # kernels are known
    if row.name in CANNOT or not where:
        return

    def function(*arrays):
        full = list(leaves)
        for i, a in zip(where, arrays, strict=True):
            full[i] = a
        return subject(row)(*keras.tree.pack_sequence_as(row.args, full), **row.kwargs)

    with keras.config.backend_scope("tensorflow"):
        arrays = [backends.active.convert(leaves[i]) for i in where]
        signature = [tf.TensorSpec([None] * len(a.shape), a.dtype) for a in arrays]
        compiled = tf.function(function, input_signature=signature, autograph=False)
        assert_close(host(compiled(*arrays)), expected(row), max(row.tol, 1e-4), row.id)


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


def test_tile_by_a_tensor():
    import tensorflow as tf

    with keras.config.backend_scope("tensorflow"):

        @tf.function(input_signature=[tf.TensorSpec((None, 4))])
        def tiled(x):
            return ops.tile(x, ops.stack([ops.shape(x)[0], 1]))

        np.testing.assert_array_equal(tiled(X), np.tile(X, (3, 1)))
        np.testing.assert_array_equal(ops.tile(X, tf.constant([2, 1, 2])), np.tile(X, (2, 1, 2)))


def test_sizes_that_do_not_fit_are_told_beside_unknown_ones():
    import tensorflow as tf

    with keras.config.backend_scope("tensorflow"):
        given = [tf.TensorSpec((None, 3)), tf.TensorSpec((4, None))]

        @tf.function(input_signature=given, autograph=False)
        def product(a, b):
            return ops.einsum("ij,jk->ik", a, b)

        with pytest.raises(keras.errors.ShapeError, match="sizes 3 and 4 in .*None, 3.*4, None"):
            product.get_concrete_function()
    with pytest.raises(keras.errors.ShapeError, match="sizes 3 and 4 in .*None, 3.*4, None"):
        ops.einsum("ij,jk->ik", keras.KerasTensor((None, 3)), keras.KerasTensor((4, None)))
