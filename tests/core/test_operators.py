"""Python's operators and indexing on variables, symbolic tensors and arrays on NumPy's tape."""

import operator

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, ops

A = np.array([[1.5, -2.0, 3.0], [4.0, 5.5, -6.0]], "float32")
B = np.array([[2.0, 0.5, -1.0], [1.0, 3.0, 2.0]], "float32")
M, N = np.array([[6, 3, 5], [1, 0, 7]], "int32"), np.array([[1, 2, 3], [2, 1, 1]], "int32")
P, Q = A > 0, B > 1
BINARY = {
    "+": (operator.add, A, B), "-": (operator.sub, A, B), "*": (operator.mul, A, B),
    "/": (operator.truediv, A, B), "//": (operator.floordiv, A, B), "%": (operator.mod, A, B),
    "**": (operator.pow, np.abs(A), B), "@": (operator.matmul, A, B.T),
    "<": (operator.lt, A, B), "<=": (operator.le, A, B), ">": (operator.gt, A, B),
    ">=": (operator.ge, A, B), "==": (operator.eq, M, N), "!=": (operator.ne, M, N),
    "& bools": (operator.and_, P, Q), "| bools": (operator.or_, P, Q),
    "^ bools": (operator.xor, P, Q), "<<": (operator.lshift, M, N), ">>": (operator.rshift, M, N),
    "// integers": (operator.floordiv, M, N), "% integers": (operator.mod, M, N),
}  # fmt: skip
UNARY = {
    "-": (operator.neg, A), "+": (operator.pos, A), "abs": (abs, A),
    "~ bools": (operator.invert, P), "round": (round, A),
}  # fmt: skip
SCALARS = (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.lt)
KEYS = [
    0, -1, (1, 2), slice(1, None), (slice(None), slice(None, None, -1)), (slice(None), slice(0, 3, 2)),
    ..., (..., 0), (None, 0), (slice(None), None), (0, ..., None), (slice(-1, None), -2),
    (slice(None), [2, 0]), [1, 0, 1], range(1), (..., range(2)), (np.array([0, 1]), np.array([2, 0])), (slice(5, 9),),
]  # fmt: skip


def host(x):
    return np.asarray(backends.to_host(x))


def close(got, want):
    got = host(got)
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got.astype("float64"), np.asarray(want, "float64"), rtol=1e-5)


def variable(x):
    return keras.Variable(x, dtype=x.dtype.name, trainable=x.dtype.kind == "f")


@pytest.mark.parametrize("name", BINARY)
def test_binary(name, backend):
    function, a, b = BINARY[name]
    want = function(a, b)
    v, w = variable(a), variable(b)
    t = ops.convert_to_tensor(b)
    close(function(v, w), want)
    close(function(v, t), want)
    close(function(v, b), want)
    close(function(a, w), want)
    symbolic = keras.KerasTensor((None, *a.shape[1:]), a.dtype.name)
    there = function(symbolic, t)
    assert len(there.shape) == want.ndim and there.shape[-1] == want.shape[-1]
    assert there.dtype == ops.dtype(function(v, w))
    model = keras.Function(symbolic, there)
    close(model(ops.convert_to_tensor(a)), want)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name, backend):
    function, a = UNARY[name]
    want = function(a) if name != "round" else np.round(a)
    close(function(variable(a)), want)
    symbolic = function(keras.KerasTensor(a.shape, a.dtype.name))
    assert (symbolic.shape, symbolic.dtype) == (a.shape, a.dtype.name)


def test_truth_values_and_bits(backend):
    """On variables and symbolic tensors `&`, `|`, `^` are of truth values, as in Keras; on what a
    layer is called with they are the engine's, of bits."""
    for function, truth in (
        (operator.and_, np.logical_and), (operator.or_, np.logical_or), (operator.xor, np.logical_xor),
    ):  # fmt: skip
        for a, b in ((M, N), (A, B), (P, N), (M, 2), (A, True)):
            v = variable(a)
            w = b if np.ndim(b) == 0 else variable(b)
            t = b if np.ndim(b) == 0 else ops.convert_to_tensor(b)
            x = keras.Input(a.shape[1:], dtype=a.dtype.name)
            for got in (function(v, w), function(v, t), keras.Model(x, function(x, t))(v.value)):
                assert ops.dtype(got) == "bool"
                close(got, truth(a, b))
        seen = keras.layers.Lambda(lambda x, f=function: f(x, x + 1))
        assert seen(keras.KerasTensor((None, 3), "int32")).dtype == "int32"
        close(seen(M), function(M, M + 1))
        close(function(M, variable(N)), function(M, N))
    close(~variable(M), ~M)
    close(~variable(P), ~P)
    x = keras.Input((3,), dtype="int32")
    close(keras.Model(x, ~x)(M), M == 0)


def test_nothing_equals_no_tensor(backend):
    for x in (variable(A), keras.KerasTensor((None, 3))):
        assert (x == None) is False and (x != None) is True and (x == "x") is False  # noqa: E711
        assert [None, "x", x].index(x) == 2
        with pytest.raises(TypeError):
            x < None  # noqa: B015


def test_plus_is_a_copy(backend):
    v = variable(A)
    same = +v
    v.assign(B)
    close(same, A)
    assert not isinstance(same, keras.Variable)


def test_dtypes_beside_numpy(backend):
    """What NumPy would promote by its own rules is promoted by ours, on either side."""
    v = keras.Variable(A)
    symbolic = keras.KerasTensor(A.shape)
    for x in (np.int64(2), np.array([1, 2, 3], "int32"), np.float32(2), np.ones((2, 3), "int8")):
        for function in (operator.add, operator.mul, operator.truediv, operator.floordiv, operator.mod):
            for got in (function(x, v), function(v, x), function(x, symbolic)):
                assert ops.dtype(got) == "float32"
            close(function(x, v), function(x, A))
        for got in divmod(x, v):
            assert ops.dtype(got) == "float32"
        assert [y.dtype for y in divmod(x, symbolic)] == ["float32"] * 2


@pytest.mark.parametrize("function", SCALARS, ids=lambda f: f.__name__)
def test_python_scalars_are_weak(function, backend):
    """The dtype of the tensor stays, on either side."""
    for dtype in ("float32", "float16", "bfloat16"):
        v = keras.Variable(np.abs(A), dtype=dtype)
        symbolic = keras.KerasTensor((None, 3), dtype)
        for x in (v, symbolic):
            for got in (function(x, 2), function(2.0, x)):
                assert ops.dtype(got) == ("bool" if function is operator.lt else dtype)
    close(function(keras.Variable(np.abs(A)), 2), function(np.abs(A), 2))
    close(function(2.0, keras.Variable(np.abs(A))), function(2.0, np.abs(A)))


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing(key, backend):
    want = A[key]
    close(variable(A)[key], want)
    close(ops.get_item(A, key), want)
    known = keras.KerasTensor(A.shape)[key]
    assert (known.shape, known.dtype) == (want.shape, "float32")
    assert len(keras.KerasTensor((None, 3))[key].shape) == want.ndim


@pytest.mark.parametrize("name", ["+", "-", "*", "/", "%", "**", "@"])
def test_on_the_tape(name):
    """Plain operators on NumPy's tracked arrays: value, and gradient by central differences."""
    function, a, b = BINARY[name]
    a, b = a.astype("float64") + 0.13, b.astype("float64")  # off the jumps of %
    with keras.config.backend_scope("numpy"):
        for plain in (lambda x, y: function(x, y), lambda x, y: function(x[::-1], y[..., :]) * 2.0):
            (value, _), grads = backends.active.value_and_grad(
                lambda x, y, f=plain: (ops.sum(f(x, y)), None), [], [a, b]
            )
            np.testing.assert_allclose(value, plain(a, b).sum())
            for k, g in enumerate(grads):
                move = np.random.default_rng(k).standard_normal(g.shape)
                ends = [
                    plain(*[x + (s * 1e-6 * move if i == k else 0) for i, x in enumerate((a, b))]).sum()
                    for s in (1, -1)
                ]
                np.testing.assert_allclose((g * move).sum(), (ends[0] - ends[1]) / 2e-6, rtol=1e-5)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_on_the_tape(key):
    want = np.zeros_like(A)
    np.add.at(want, key, 1.0)
    with keras.config.backend_scope("numpy"):
        _, (g,) = backends.active.value_and_grad(lambda x: (ops.sum(x[key]), None), [], [A])
        np.testing.assert_array_equal(g, want)


def test_a_variable_is_a_number_and_a_sequence(backend):
    v = keras.Variable([3.0, 4.0])
    assert len(v) == 2 and [float(x) for x in v] == [3.0, 4.0]
    one = keras.Variable(3, dtype="int32")
    assert (int(one), float(one), bool(one), list(range(5))[one]) == (3, 3.0, True, 3)
    np.testing.assert_array_equal(np.asarray(v), [3.0, 4.0])


@pytest.mark.parametrize("name", BINARY)
def test_arrays_beside_symbolic_tensors(name, backend):
    """`array + symbolic` is the op, though NumPy and JAX are asked first."""
    function, a, b = BINARY[name]
    symbolic = keras.KerasTensor((None, *b.shape[1:]), b.dtype.name)
    left = [a]
    if backend != "tensorflow" or name not in ("<", "<=", ">", ">=", "==", "!="):
        left.append(ops.convert_to_tensor(a))  # TensorFlow's comparisons ask nobody else
    for x in left:
        out = function(x, symbolic)
        assert isinstance(out, keras.KerasTensor) and out.dtype == ops.dtype(function(variable(a), b))


def test_divmod(backend):
    x = np.array([2.0, -2.0, 7.5], "float32")
    third = np.float32(1 / 3)  # 2 // third is 5, though the quotient is rounded to 6
    for got, want in (
        (divmod(variable(x), third), divmod(x, third)), (divmod(2.0, variable(x)), divmod(2.0, x)),
        (divmod(variable(x), x[::-1].copy()), divmod(x, x[::-1])),
    ):  # fmt: skip
        close(got[0], want[0])
        np.testing.assert_allclose(host(got[1]), want[1], rtol=1e-5, atol=1e-6)


WRONG_KEYS = [
    [0.5], np.array([1.0]), (0, np.array([1.0])), 1.5, "a", (0, 0, 0), (..., ...), 2, (0, -4),
    np.ones((3, 2), bool), np.ones(3, bool), slice(1.5),
]  # fmt: skip


@pytest.mark.parametrize("key", WRONG_KEYS, ids=repr)
def test_wrong_keys(key, backend):
    for x in (ops.convert_to_tensor(A), keras.KerasTensor(A.shape)):
        with pytest.raises((ValueError, TypeError)):
            ops.get_item(x, key)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_where_sizes_are_unknown(key):
    """What is said of a symbolic tensor holds for all real ones, short ones too."""
    for unknown in ((None, 3), (2, None), (None, None)):
        said = keras.KerasTensor(unknown)[key].shape
        for sizes in np.ndindex(5, 5):
            if any(u not in (None, n) for u, n in zip(unknown, sizes, strict=True)):
                continue
            try:
                real = np.zeros(sizes)[key].shape
            except IndexError:
                continue
            assert len(said) == len(real)
            assert all(s in (None, n) for s, n in zip(said, real, strict=True)), (said, real)


def test_unknown_sizes_beside_known_ones():
    """An unknown size that must be a known one fits; what is then known is said."""
    of = keras.KerasTensor
    assert ops.concatenate([of((2, None)), of((4, 3))]).shape == (6, 3)
    assert ops.concatenate([of((2, 3)), np.ones((4, 3), "float32")]).shape == (6, 3)
    assert ops.stack([of((None, 3)), of((2, None))]).shape == (2, 2, 3)
    assert ops.squeeze(of((None, None, 3)), 1).shape == (None, 3)
    assert ops.categorical_crossentropy(of((None, 4)), of((3, None))).shape == (3,)
    assert ops.fold(of((None, None, None)), (5, 6), (2, 2)).shape == (None, None, 5, 6)
    assert ops.conv(of((2, 7, None)), of((None, 3, 4))).shape == (2, None, 4)
    assert ops.image.pad_images(
        of((None, None, None, 3)), 1, 2, target_height=6, target_width=8
    ).shape == (None, 6, 8, 3)
    assert ops.rms_normalization(of((None, 5)), of((5,)), axis=0).shape == (None, 5)
    with pytest.raises(ValueError, match=r"concatenate.*\(None, 3\), \(2, 4\)"):
        ops.concatenate([of((None, 3)), of((2, 4))])
    with pytest.raises(ValueError, match="unstack: the size of axis 1 is unknown"):
        ops.unstack(of((2, None)), axis=1)


def test_lists_find_symbolic_tensors():
    a, b = keras.KerasTensor((2,)), keras.KerasTensor((2,))
    assert b in [a, b] and b not in [a, None] and [a, b].index(b) == 1
    with pytest.raises(TypeError):
        bool(a == 1)


def test_symbolic_tensors_have_no_values():
    x = keras.KerasTensor((None, 2))
    for call in (bool, float, int, np.asarray, np.exp, len, list):
        with pytest.raises(TypeError):
            call(x)
