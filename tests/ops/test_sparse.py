"""Sparse tensors: every op that takes them against the same op on the dense array."""

import math

import numpy as np
import pytest
import scipy.sparse

import kerasish as keras
from kerasish import backends, ops
from kerasish.ops.linear import _dense

pytestmark = pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
RNG = np.random.default_rng(0)
DENSE = np.where(RNG.random((5, 7)) < 0.3, RNG.standard_normal((5, 7)), 0).astype("float32")
KERNEL = RNG.standard_normal((7, 3)).astype("float32")
ROW, COLUMN = np.arange(7, dtype="float32"), np.arange(5, dtype="float32")[:, None]
FULL = np.arange(1, 36, dtype="float32").reshape(5, 7)
OTHER = np.where(RNG.random((5, 7)) < 0.4, RNG.standard_normal((5, 7)), 0).astype("float32")
CUBE = DENSE[:, :6].reshape(5, 3, 2)


def host(x):
    return np.asarray(backends.to_host(x))


def entries(dense):
    """Another sparse tensor."""
    return ops.convert_to_tensor(dense, sparse=True)


def cube(x):
    return ops.reshape(ops.get_item(x, (..., slice(6))), (5, 3, 2))


def is_sparse(x):
    return backends.active.is_sparse(x)


@pytest.fixture(params=["ours", "scipy"])
def x(request, backend):
    """A sparse tensor made here, and one of SciPy's, as users have them."""
    if request.param == "ours":
        return ops.convert_to_tensor(DENSE, sparse=True)
    return scipy.sparse.csr_matrix(DENSE)


SPARSE = {
    "times a number": (lambda x: ops.multiply(x, 2), 2 * DENSE),
    "a number times": (lambda x: ops.multiply(2.0, x), 2 * DENSE),
    "times a row": (lambda x: ops.multiply(x, ROW), DENSE * ROW),
    "times a column": (lambda x: ops.multiply(x, COLUMN), DENSE * COLUMN),
    "over a matrix": (lambda x: ops.divide(x, FULL), DENSE / FULL),
    "plus sparse": (lambda x: ops.add(x, x), 2 * DENSE),
    "minus sparse": (lambda x: ops.subtract(x, ops.multiply(x, 3)), -2 * DENSE),
    "relu": (ops.relu, np.maximum(DENSE, 0)),
    "negative": (ops.negative, -DENSE),
    "square": (ops.square, DENSE**2),
    "tanh": (ops.tanh, np.tanh(DENSE)),
    "expm1": (ops.expm1, np.expm1(DENSE)),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 0.5), np.where(DENSE > 0, DENSE, DENSE / 2)),
    "abs": (ops.abs, np.abs(DENSE)),
    "isnan": (ops.isnan, np.zeros((5, 7), bool)),
    "cast": (lambda x: ops.cast(x, "float16"), DENSE.astype("float16")),
    "stop_gradient": (ops.stop_gradient, DENSE),
    "reshape": (lambda x: ops.reshape(x, (7, -1)), DENSE.reshape(7, 5)),
    "ravel": (ops.ravel, DENSE.ravel()),
    "transpose": (ops.transpose, DENSE.T),
    "three axes": (
        lambda x: ops.transpose(ops.reshape(x, (5, 1, 7)), (2, 0, 1)),
        DENSE.reshape(5, 1, 7).transpose(2, 0, 1),
    ),
    "expand_dims": (lambda x: ops.expand_dims(x, 1), DENSE[:, None]),
    "squeeze": (lambda x: ops.squeeze(ops.expand_dims(x, -1), -1), DENSE),
    "concatenate": (lambda x: ops.concatenate([x, x], axis=-1), np.hstack([DENSE, DENSE])),
    "times sparse": (lambda x: ops.multiply(x, entries(OTHER)), DENSE * OTHER),
    "maximum": (lambda x: ops.maximum(x, entries(OTHER)), np.maximum(DENSE, OTHER)),
    "minimum": (lambda x: ops.minimum(entries(OTHER), x), np.minimum(DENSE, OTHER)),
    "product": (lambda x: ops.matmul(x, entries(OTHER.T)), DENSE @ OTHER.T),
    "product on the left": (lambda x: ops.matmul(entries(OTHER.T), x), OTHER.T @ DENSE),
    "product of whole numbers": (
        lambda x: ops.matmul(ops.cast(ops.sign(x), "int8"), ops.cast(ops.sign(entries(OTHER.T)), "int8")),
        (np.sign(DENSE) @ np.sign(OTHER.T)).astype("int32"),
    ),
    "product of halves": (
        lambda x: ops.cast(ops.matmul(ops.cast(ops.sign(x), "bfloat16"),
                                      ops.cast(ops.sign(entries(OTHER.T)), "bfloat16")), "float32"),
        np.sign(DENSE) @ np.sign(OTHER.T),
    ),
    "product of stacks": (
        lambda x: ops.matmul(ops.reshape(x, (5, 1, 7)), entries(OTHER.T)), (DENSE @ OTHER.T)[:, None]
    ),
    "product of no entries": (
        lambda x: ops.matmul(x, entries(np.zeros((7, 3), "float32"))), np.zeros((5, 3))
    ),
    "the square of a sum": (  # of entries that name a place twice
        lambda x: ops.square(ops.add(x, ops.multiply(x, 2))), 9 * DENSE**2
    ),
    "erf": (ops.erf, np.vectorize(math.erf)(DENSE)),
    "fabs": (ops.fabs, np.abs(DENSE)),
    "signbit": (ops.signbit, DENSE < 0),
    "array": (ops.array, DENSE),
    "dot with a number": (lambda x: ops.dot(2.0, x), 2 * DENSE),
    "a row of a stack": (lambda x: ops.get_item(cube(x), 3), CUBE[3]),
    "rows": (lambda x: ops.get_item(x, slice(1, 4)), DENSE[1:4]),
    "every other backwards": (lambda x: ops.get_item(x, (slice(None, None, -2), slice(1, None, 3))),
                              DENSE[::-2, 1::3]),
    "a new axis": (lambda x: ops.get_item(x, (..., None, 2)), DENSE[..., None, 2]),
    "a row": (lambda x: ops.get_item(x, -2), DENSE[-2]),
    "sum that leaves two axes": (lambda x: ops.sum(cube(x), axis=1), CUBE.sum(1)),
    "mean that leaves three": (lambda x: ops.mean(cube(x), axis=-1, keepdims=True),
                               CUBE.mean(-1, keepdims=True)),
    "rows below": (lambda x: ops.concatenate([x, x], axis=0), np.vstack([DENSE, DENSE])),
}
np.seterr(divide="ignore", invalid="ignore")  # in what is expected, below
TO_DENSE = {
    "matmul": (lambda x: ops.matmul(x, KERNEL), DENSE @ KERNEL),
    "matmul of integers": (
        lambda x: ops.matmul(ops.cast(ops.sign(x), "int8"), np.ones((7, 2), "int8")),
        np.sign(DENSE).astype("int32") @ np.ones((7, 2), "int32"),
    ),
    "matmul of stacks": (
        lambda x: ops.matmul(ops.reshape(x, (5, 1, 7)), KERNEL), (DENSE @ KERNEL)[:, None]
    ),
    "on the right": (lambda x: ops.matmul(KERNEL.T, ops.transpose(x)), (DENSE @ KERNEL).T),
    "_dense": (lambda x: _dense(x, KERNEL, np.ones(3, "float32")), DENSE @ KERNEL + 1),
    "exp": (ops.exp, np.exp(DENSE)),
    "cos": (ops.cos, np.cos(DENSE)),
    "log": (lambda x: ops.log(ops.abs(x)), np.log(np.abs(DENSE))),
    "reciprocal": (ops.reciprocal, 1 / DENSE),
    "isfinite": (ops.isfinite, np.ones((5, 7), bool)),
    "maximum with a number": (lambda x: ops.maximum(x, 0.5), np.maximum(DENSE, 0.5)),
    "minimum with a matrix": (lambda x: ops.minimum(FULL, x), np.minimum(FULL, DENSE)),
    "over sparse": (lambda x: ops.divide(x, entries(OTHER)), DENSE / OTHER),
    "a number over": (lambda x: ops.divide(2.0, x), 2 / DENSE),
    "below dense rows": (lambda x: ops.concatenate([FULL, x], axis=0), np.vstack([FULL, DENSE])),
    "zeros_like": (ops.zeros_like, np.zeros((5, 7))),
    "full_like": (lambda x: ops.full_like(x, 3), np.full((5, 7), 3)),
    "size": (ops.size, 35),
    "an entry": (lambda x: ops.get_item(x, (1, -2)), DENSE[1, -2]),
    "digitize": (lambda x: ops.digitize(x, np.array([-1.0, 0.5])), np.digitize(DENSE, [-1.0, 0.5])),
    "plus dense": (lambda x: ops.add(x, FULL), DENSE + FULL),
    "dense minus": (lambda x: ops.subtract(1, x), 1 - DENSE),
    "sum": (ops.sum, DENSE.sum()),
    "sum of columns": (lambda x: ops.sum(x, axis=0), DENSE.sum(0)),
    "sum kept": (lambda x: ops.sum(x, axis=-1, keepdims=True), DENSE.sum(-1, keepdims=True)),
    "mean": (lambda x: ops.mean(x, axis=(0, 1)), DENSE.mean()),
    "take": (
        lambda x: ops.take(KERNEL, ops.cast(ops.abs(ops.round(x)), "int32"), axis=0),
        KERNEL[np.abs(np.round(DENSE)).astype(int)],
    ),
    "asked for": (lambda x: ops.convert_to_tensor(x, sparse=False), DENSE),
}


@pytest.mark.parametrize("name", SPARSE)
def test_stays_sparse(name, x):
    function, want = SPARSE[name]
    got = function(x)
    assert is_sparse(got) and ops.is_tensor(got)
    np.testing.assert_allclose(host(got), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", TO_DENSE)
def test_becomes_dense(name, x):
    function, want = TO_DENSE[name]
    got = function(x)
    assert not is_sparse(got)
    np.testing.assert_allclose(host(got), want, rtol=1e-5, atol=1e-5)


def test_is_what_it_says(x):
    assert (ops.shape(x), ops.dtype(x)) == ((5, 7), "float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(x), DENSE)
    there = ops.convert_to_tensor(x)
    assert is_sparse(there) and ops.convert_to_tensor(there, sparse=True) is there


@pytest.mark.parametrize("axis", [-1, 0, 1, 2])
def test_hot(axis, backend):
    ids = np.array([[0, 2, 2], [1, 5, -1]])
    for op in (ops.one_hot, ops.multi_hot):
        if op is ops.multi_hot and axis in (0, 1):
            continue  # where the sets lie
        got = op(ids, 4, axis=axis, sparse=True)
        assert is_sparse(got) and ops.dtype(got) == "float32"
        np.testing.assert_array_equal(host(got), host(op(ids, 4, axis=axis)))
    flags = ops.one_hot(ids, 4, dtype="bool")
    assert ops.dtype(flags) == "bool"
    np.testing.assert_array_equal(host(flags), ids[..., None] == np.arange(4))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients(dtype, x):
    """Of the kernel, the bias and a factor of the sparse values."""
    kernel, factor = keras.Variable(KERNEL, dtype=dtype), keras.Variable(1.5, dtype=dtype)
    bias = keras.Variable(np.ones(3), dtype=dtype)
    x = ops.cast(x, dtype)

    def loss():
        y = _dense(ops.multiply(x, factor), kernel, bias)
        return ops.sum(ops.square(y)), None

    _, grads = backends.active.value_and_grad(loss, [kernel, factor, bias])
    y = 1.5 * DENSE @ KERNEL + 1
    want = 1.5 * DENSE.T @ (2 * y), np.sum(2 * y * (DENSE @ KERNEL)), (2 * y).sum(0)
    tol = 1e-4 if dtype == "float32" else 0.1
    for g, w in zip(grads, want, strict=True):
        assert ops.dtype(g) == dtype
        np.testing.assert_allclose(host(g).astype(float), w, rtol=tol, atol=tol)


@pytest.mark.parametrize(("call", "words"), [
    (lambda x: ops.softmax(x), ["ops.softmax", "sparse float32[5, 7]", "sparse=False"]),
    (lambda x: ops.sigmoid(x), ["ops.sigmoid", "sparse"]),
    (lambda x: ops.maximum(x, ops.transpose(x)), ["ops.maximum", "equal"]),
    (lambda x: ops.matmul(x, np.ones((3, 2))), ["ops.matmul", "(k, n)"]),
    (lambda x: ops.matmul(x, x), ["ops.matmul", "(k, n)"]),
    (lambda x: ops.get_item(ops.convert_to_tensor(x), [0, 1]), ["ops.get_item", "slices"]),
    (lambda x: ops.get_item(x, 5), ["ops.get_item", "out of range"]),
    (lambda x: ops.einsum("ij,jk->ik", x, np.ones((6, 2))), ["ops.einsum", "agree"]),
    (lambda x: ops.multiply(x, np.ones(3)), ["ops.multiply", "broadcast"]),
    (lambda x: ops.take(x, [0]), ["ops.take", "dense"]),
])  # fmt: skip
def test_what_needs_dense_tensors_says_so(call, words, x):
    with pytest.raises(ValueError) as error:
        call(x)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(("subscripts", "shape"), [
    ("abc,cd->abd", (2, 4)), ("abc,abc->a", (5, 3, 2)), ("abc,bd->dac", (3, 4)), ("abc,->ac", ()),
    ("abc,adc->abd", (5, 4, 2)), ("abc,cd->", (2, 4)), ("...c,cd->...d", (2, 4)), ("abc,cd", (2, 4)),
])  # fmt: skip
def test_einsum(subscripts, shape, backend):
    x, y = entries(CUBE), np.random.default_rng(3).standard_normal(shape).astype("float32")
    got = ops.einsum(subscripts, x, y)
    assert not is_sparse(got)
    np.testing.assert_allclose(host(got), np.einsum(subscripts, CUBE, y), rtol=1e-4, atol=1e-5)
    (left, right), arrow, out = subscripts.partition("->")[0].split(","), *subscripts.partition("->")[1:]
    turned = f"{right},{left}{arrow}{out}"
    np.testing.assert_allclose(
        host(ops.einsum(turned, y, x)), np.einsum(turned, y, CUBE), rtol=1e-4, atol=1e-5
    )


def test_layers_of_sparse_tensors(backend):
    x = entries(DENSE)
    for pair in ((x, OTHER), (OTHER, x)):
        np.testing.assert_allclose(
            host(keras.layers.Dot(1)(list(pair))), (DENSE * OTHER).sum(1, keepdims=True), rtol=1e-4,
            atol=1e-6,
        )  # fmt: skip
    for invert, want in ((False, (DENSE - ROW) / 2), (True, DENSE * 2 + ROW)):
        layer = keras.layers.Normalization(mean=ROW, variance=4.0, invert=invert)
        np.testing.assert_allclose(host(layer(x)), want, rtol=1e-5)


def test_symbolic():
    t = keras.KerasTensor((None, 7), sparse=True)
    for y, shape, sparse in (
        (ops.multiply(t, 2), (None, 7), True), (t * 2, (None, 7), True),
        (ops.relu(t), (None, 7), True), (ops.transpose(t), (7, None), True),
        (ops.reshape(t, (-1,)), (None,), True), (ops.cast(t, "float16"), (None, 7), True),
        (ops.matmul(t, KERNEL), (None, 3), False), (t @ KERNEL, (None, 3), False),
        (ops.einsum("ab,bc->ac", t, KERNEL), (None, 3), False),
        (ops.sum(t, axis=1), (None,), False), (ops.exp(t), (None, 7), False),
        (ops.matmul(ops.transpose(t), t), (7, 7), True), (ops.maximum(t, t), (None, 7), True),
        (ops.multiply(t, t), (None, 7), True), (t[:, 2:4], (None, 2), True),
        (ops.divide(1, t), (None, 7), False), (ops.sum(ops.expand_dims(t, 1), 1), (None, 7), True),
        (ops.convert_to_tensor(t, sparse=False), (None, 7), False),
        (ops.one_hot(keras.KerasTensor((None,), "int32"), 4, sparse=True), (None, 4), True),
    ):  # fmt: skip
        assert (y.shape, y.sparse) == (shape, sparse)
    with pytest.raises(ValueError, match="softmax"):
        ops.softmax(t)


def test_from_one_engine_to_another(x):
    there = ops.convert_to_tensor(x)
    for name in backends.available():
        with keras.config.backend_scope(name):
            here = ops.convert_to_tensor(there)
            assert is_sparse(here) and ops.is_tensor(here)
            np.testing.assert_array_equal(host(here), DENSE)
            np.testing.assert_allclose(host(ops.matmul(there, KERNEL)), DENSE @ KERNEL, rtol=1e-5)


def test_gradients_through_products_of_sparse_matrices(x):
    left, right = keras.Variable(1.5), keras.Variable(-0.5)

    def loss():
        product = ops.matmul(ops.multiply(x, left), ops.multiply(entries(OTHER.T), right))
        return ops.sum(ops.square(product)), None

    _, grads = backends.active.value_and_grad(loss, [left, right])
    norm = np.sum(np.square(DENSE @ OTHER.T))
    np.testing.assert_allclose([host(g) for g in grads], [2 * 1.5 * 0.25 * norm, -2.25 * norm],
                               rtol=1e-4)


def test_large_products_have_no_dense_copy(backend):
    """Either matrix would take 400 GB."""
    n = 300_000
    rng = np.random.default_rng(0)
    a, b = (
        scipy.sparse.csr_array((rng.random(900, "float32"), rng.integers(0, n, (2, 900))), (n, n))
        for _ in range(2)
    )
    band = scipy.sparse.diags_array(np.arange(n, dtype="float32"), dtype="float32")
    got = ops.sum(ops.matmul(a, band), axis=1)
    np.testing.assert_allclose(host(got), (a @ band).sum(1), rtol=1e-5)
    joined = ops.matmul(ops.add(a, b), ops.maximum(a, ops.multiply(a, a)))
    want = (a + b) @ a.maximum(a.multiply(a))
    np.testing.assert_allclose(host(ops.sum(joined)), want.sum(), rtol=1e-5)


def test_compiled(backend):
    """Where a function is traced, how many entries meet is not known."""
    x, y = entries(DENSE), entries(OTHER.T)

    def function(x, y):
        product = ops.square(ops.matmul(x, y))
        both = ops.maximum(ops.multiply(x, ops.transpose(y)), ops.transpose(y))
        return ops.sum(product, 0), ops.sum(ops.get_item(both, slice(1, None)), 0)

    got = keras.function(function)(x, y)
    want = np.square(DENSE @ OTHER.T).sum(0), np.maximum(DENSE * OTHER, OTHER)[1:].sum(0)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(host(g), w, rtol=1e-4, atol=1e-6)
