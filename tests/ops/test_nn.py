"""What rows cannot say of the neural-network ops: errors, sparse results, second derivatives."""

import numpy as np
import pytest

from kerasish import backends, config, ops
from kerasish.core.symbolic import KerasTensor
from kerasish.ops import recurrent


def host(x):
    return np.asarray(backends.to_host(x))


@pytest.mark.parametrize("label", [3, -1, -100])
def test_labels_out_of_range_are_no_silent_numbers(label, backend):
    logits = np.zeros((2, 3), "float32")
    try:
        loss = ops.sparse_categorical_crossentropy([0, label], logits, from_logits=True)
    except ValueError as error:
        assert "sparse" in str(error)
    else:
        assert np.isnan(host(loss)[1])


@pytest.mark.parametrize("call", [
    lambda: ops.binary_crossentropy(np.ones((2, 1)), np.ones((2, 3))),
    lambda: ops.categorical_crossentropy(np.ones(2), np.ones((2, 3))),
    lambda: ops.categorical_crossentropy(1.0, 1.0),
    lambda: ops.sparse_categorical_crossentropy(np.ones((2, 3)), np.ones((2, 3))),
    lambda: ops.sparse_categorical_crossentropy(np.ones(3), np.ones((2, 3))),
    lambda: ops.categorical_crossentropy(KerasTensor((None, 2)), KerasTensor((None, 3))),
    lambda: ops.glu(np.ones((2, 3))),
    lambda: ops.psnr(np.ones(2), np.ones(3), 1.0),
    lambda: ops.multi_hot([1]),
    lambda: ops.multi_hot([1], 3, depth=3),
    lambda: ops.dot_product_attention(*3 * [np.ones((2, 3, 4))]),
    lambda: ops.dot_product_attention(
        np.ones((1, 2, 3, 4)), np.ones((1, 2, 2, 4)), np.ones((1, 2, 2, 4))),
    lambda: ops.ctc_loss([1], np.ones((1, 2, 3)), [1], [2]),
    lambda: ops.ctc_decode(np.ones((2, 3)), [1, 2]),
    lambda: ops.ctc_decode(np.ones((1, 2, 3)), [2], strategy="best"),
    lambda: ops.ctc_decode(np.ones((1, 2, 3)), [2], "beam_search", beam_width=2, top_paths=3),
])  # fmt: skip
def test_errors_name_the_op_and_what_came(call):
    with pytest.raises(ValueError, match=r"ops\.\w+"):
        call()


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_sparse_one_hot(axis, backend):
    labels = np.array([[0, 2, -1], [4, 1, 0]])
    out = ops.one_hot(labels, 4, axis=axis, sparse=True)
    dense = {"jax": lambda: out.todense()}.get(backend, lambda: host(out))()
    np.testing.assert_array_equal(np.asarray(dense), host(ops.one_hot(labels, 4, axis=axis)))
    if backend in ("jax", "tensorflow"):
        assert type(out).__name__ in ("BCOO", "SparseTensor")


def test_half_precision_attention(backend):
    """A product of 230,400 that is scaled only afterwards would overflow."""
    x = np.full((1, 4, 1, 64), 60, "float16")
    value = np.arange(4, dtype="float16").reshape(1, 4, 1, 1) * np.ones(64, "float16")
    out = ops.dot_product_attention(x, x, value)
    assert backends.active.dtype_of(out) == "float16"
    np.testing.assert_allclose(host(out), 1.5, rtol=1e-3)


X = np.random.default_rng(0).normal(size=(3, 4))
LABELS = np.array([1, 0, 3])
GRU = {"h0": X[:, :2], "kernel": np.tile(X, 2)[:, :6].repeat(2, 0)[:4], "bias": X[:2, [0] * 6],
       "recurrent_kernel": np.tile(X, 2)[:2, :6]}  # fmt: skip
SMOOTH = {
    "sigmoid": ops.sigmoid, "softplus": ops.softplus, "silu": ops.silu, "gelu": ops.gelu,
    "elu": lambda x: ops.elu(x, 0.5), "relu": lambda x: ops.relu(x) ** 3, "selu": ops.selu,
    "leaky_relu": lambda x: ops.leaky_relu(x) ** 3,
    "softmax": ops.softmax, "log_softmax": lambda x: ops.log_softmax(x, (0, 1)) ** 2,
    "binary": lambda x: ops.binary_crossentropy(ops.sigmoid(x), x, from_logits=True),
    "categorical": lambda x: ops.categorical_crossentropy(ops.square(x), x, from_logits=True),
    "sparse": lambda x: ops.sparse_categorical_crossentropy(LABELS, x, from_logits=True),
    "attention": lambda x: ops.dot_product_attention(
        *3 * [ops.reshape(x, (1, 3, 2, 2))], ops.reshape(x, (3, 4))[:, :3]),
    "gru": lambda x: recurrent._gru(ops.reshape(x, (3, 1, 4)), **GRU)[0],
    "lstm": lambda x: recurrent._lstm(
        ops.reshape(x, (1, 6, 2)), x[:1, :1], x[1:2, :1], X[:2], X[:1])[0],
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivative(name):
    """The tape over the tape, against central differences of the first derivative."""
    rng = np.random.default_rng(1)
    direction, weights = rng.normal(size=(2, *X.shape))

    def first(x):
        def loss(x):
            y = SMOOTH[name](x)
            scale = np.resize(weights, tuple(y.shape))
            return ops.sum(y * scale), None

        return backends.active.value_and_grad(loss, [], [x])[1][0]

    def along(x):
        return ops.sum(first(x) * direction), None

    with config.backend_scope("numpy"):
        _, (second,) = backends.active.value_and_grad(along, [], [X])
        other = rng.normal(size=X.shape)
        ends = [float(along(X + step * other)[0]) for step in (1e-5, -1e-5)]
        np.testing.assert_allclose(
            np.sum(second * other), (ends[0] - ends[1]) / 2e-5, rtol=1e-5, atol=1e-7)
