"""Properties of array ops on every backend: broadcasting, promotion of dtypes, axes, halves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasish import backends, config, dtypes, ops

common = settings(
    max_examples=12, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NUMBERS = "bool uint8 uint16 uint32 int8 int16 int32 int64 bfloat16 float16 float32 float64".split()
FLOATS = "bfloat16 float16 float32 float64".split()
ROUNDING = {"bfloat16": 2e-2, "float16": 3e-3, "float32": 1e-5, "float64": 1e-12}


def host(x):
    return np.asarray(backends.to_host(x))


def narrowed(dtype, backend):
    """JAX runs without 64-bit types."""
    return {"float64": "float32", "int64": "int32"}.get(dtype, dtype) if backend == "jax" else dtype


def promoted(*names):
    """JAX's own lattice, of which ours is a copy written anew."""
    with jax.enable_x64(True):
        return jnp.result_type(*[dtypes.numpy_dtype(n) for n in names]).name


def filled(shape, seed, dtype="float32", low=0.5, high=3.0):
    values = np.random.default_rng(seed).uniform(low, high, shape)
    return values.astype(dtypes.numpy_dtype(dtype))


@common
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3, min_side=0),
    name=st.sampled_from("add subtract multiply divide power maximum arctan2 hypot less".split()),
    seed=st.integers(0, 99),
)
def test_broadcasting(backend, shapes, name, seed):
    a, b = (filled(s, seed + i) for i, s in enumerate(shapes.input_shapes))
    out = host(getattr(ops, name)(a, b))
    assert out.shape == shapes.result_shape
    np.testing.assert_allclose(out, getattr(np, name)(a, b), rtol=1e-4)


@common
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3),
    seed=st.integers(0, 99),
)
def test_where_broadcasts_three_ways(backend, shapes, seed):
    c, a, b = (filled(s, seed + i) for i, s in enumerate(shapes.input_shapes))
    out = host(ops.where(c > 1.5, a, b))
    np.testing.assert_array_equal(out, np.where(c > 1.5, a, b))


@common
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    name=st.sampled_from("add subtract multiply divide power maximum logaddexp".split()),
    seed=st.integers(0, 99),
)
def test_gradients_undo_broadcasting(backend, shapes, name, seed):
    """Central differences along a random direction."""
    a, b = (filled(s, seed + i) for i, s in enumerate(shapes.input_shapes))

    def loss(a, b):
        return ops.sum(ops.square(getattr(ops, name)(a, b))), None

    _, grads = backends.active.value_and_grad(
        loss, [], [backends.active.convert(a), backends.active.convert(b)]
    )
    exact = {"logaddexp": np.logaddexp}.get(name, getattr(np, name))
    for i, (g, x) in enumerate(zip(grads, (a, b), strict=True)):
        assert tuple(g.shape) == x.shape
        direction = np.random.default_rng(seed + 7).standard_normal(x.shape)
        ends = []
        for sign in (1, -1):
            args = [a.astype("float64"), b.astype("float64")]
            args[i] = args[i] + sign * 1e-6 * direction
            ends.append(np.sum(exact(*args) ** 2))
        slope = (ends[0] - ends[1]) / 2e-6
        size = np.abs(host(g) * direction).sum() + 1
        np.testing.assert_allclose(np.sum(host(g) * direction), slope, rtol=1e-3, atol=1e-4 * size)


PAIRS = [(a, b) for i, a in enumerate(NUMBERS) for b in NUMBERS[i:]]


@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "less_equal", "divide", "subtract"])
def test_promotion(backend, name):
    """Every pair of dtypes meets where JAX's lattice says, with the right value."""
    for a, b in PAIRS:
        x = np.array([3, 1, 0]).astype(dtypes.numpy_dtype(a))
        y = np.array([1, 1, 1]).astype(dtypes.numpy_dtype(b))
        out = getattr(ops, name)(backends.active.convert(x), backends.active.convert(y))
        want = promoted(a, b)
        if name == "less_equal":
            want = "bool"
        elif name == "divide" and want not in FLOATS:
            want = "float32"
        elif name == "subtract" and want == "bool":
            want = "int32"
        got = backends.active.dtype_of(out)
        assert got == narrowed(want, backend), f"{name} of {a} and {b}: {got}, expected {want}"
        if "uint" in want and name == "subtract":
            continue  # wraps around below zero
        exact = getattr(np, name)(x.astype("float64"), y.astype("float64"))
        if want == "bool":
            exact = exact.astype(bool)
        np.testing.assert_allclose(host(out).astype("float64"), exact, err_msg=f"{name}: {a}, {b}")


@pytest.mark.parametrize("dtype", NUMBERS)
def test_python_scalars_are_weak(backend, dtype):
    x = backends.active.convert(np.array([1, 0, 1]).astype(dtypes.numpy_dtype(dtype)))
    dtype = narrowed(dtype, backend)
    whole = "int32" if dtype == "bool" else dtype
    real = dtype if dtype in FLOATS else "float32"
    for out, want in (
        (ops.add(x, 1), whole), (ops.add(2, x), whole), (ops.multiply(x, 0.5), real),
        (ops.maximum(x, True), dtype), (ops.where(x, x, 0), whole), (ops.clip(x, 0, 1), whole),
    ):  # fmt: skip
        assert backends.active.dtype_of(out) == want


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(
    "name", "exp sqrt sin tanh log1p floor rsqrt cbrt mean var std median i0 sinc logaddexp".split()
)
def test_functions_of_reals_give_floats(backend, name, dtype):
    x = np.array([[1, 0, 1]]).astype(dtypes.numpy_dtype(dtype))
    out = getattr(ops, name)(*[backends.active.convert(x)] * (2 if name == "logaddexp" else 1))
    want = dtype if dtype in FLOATS else "float32"
    if name in ("cbrt", "i0") and dtype == "int64":  # as in Keras
        want = "float64"
    assert backends.active.dtype_of(out) == narrowed(want, backend)
    exact = {
        "rsqrt": lambda v: 1 / np.sqrt(v), "logaddexp": lambda v: np.logaddexp(v, v),
    }.get(name) or getattr(np, name)  # fmt: skip
    with np.errstate(divide="ignore"):
        expected = exact(x.astype("float64"))
    tol = ROUNDING[narrowed(want, backend)]
    np.testing.assert_allclose(host(out).astype("float64"), expected, rtol=tol, atol=tol)


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("name", ["sum", "prod", "max", "argmax", "cumsum", "any", "count_nonzero"])
def test_reductions_choose_dtypes(backend, name, dtype):
    x = np.array([[1, 0, 1], [1, 1, 1]]).astype(dtypes.numpy_dtype(dtype))
    out = getattr(ops, name)(backends.active.convert(x), axis=1)
    wide = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    want = {
        "sum": wide.get(dtype, dtype), "prod": wide.get(dtype, dtype), "max": dtype,
        "cumsum": "int32" if dtype == "bool" else dtype, "any": "bool",
    }.get(name, "int32")  # fmt: skip
    assert backends.active.dtype_of(out) == narrowed(want, backend)
    exact = getattr(np, name)(x.astype("float64"), axis=1)
    np.testing.assert_array_equal(host(out).astype("float64"), exact)


@common
@given(data=st.data(), keepdims=st.booleans(), seed=st.integers(0, 99))
def test_axes(backend, data, keepdims, seed):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=3))
    axes = data.draw(st.one_of(
        st.none(), st.integers(-len(shape), len(shape) - 1), hnp.valid_tuple_axes(len(shape)),
    ))  # fmt: skip
    x = filled(shape, seed)
    for name in ("sum", "mean", "max", "var", "prod", "all"):
        out = host(getattr(ops, name)(x, axis=axes, keepdims=keepdims))
        exact = getattr(np, name)(x, axis=axes, keepdims=keepdims)
        assert out.shape == exact.shape
        np.testing.assert_allclose(out, exact, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_add_up_in_float32(backend, dtype):
    """4096 ones are 4096, though bfloat16 cannot count beyond 256."""
    ones = ops.ones((4096, 2), dtype)
    for axis in (0, None):
        np.testing.assert_array_equal(host(ops.mean(ones, axis)).astype("float32"), 1)
    np.testing.assert_array_equal(host(ops.sum(ones, 0)).astype("float32"), 4096)
    product = ops.matmul(ops.transpose(ones), ones)
    assert backends.active.dtype_of(product) == dtype
    np.testing.assert_array_equal(host(product).astype("float32"), 4096)


@pytest.mark.parametrize("name", ["exp", "multiply", "sum", "maximum", "matmul", "where", "cumsum"])
def test_second_derivatives(backend, name):
    """Of sum(f(x)^3) along a direction, against the first derivatives' central differences."""
    x = filled((3, 3), 5, "float64" if backend != "jax" else "float32")
    direction = np.random.default_rng(1).standard_normal(x.shape).astype(x.dtype)
    config.set_floatx(x.dtype.name)

    def f(v):
        out = {
            "exp": lambda: ops.exp(v), "multiply": lambda: ops.multiply(v, ops.sin(v)),
            "sum": lambda: ops.sum(v, 0), "maximum": lambda: ops.maximum(ops.square(v), 2.0),
            "matmul": lambda: ops.matmul(v, v), "cumsum": lambda: ops.cumsum(v, 1),
            "where": lambda: ops.where(v > 1.5, ops.square(v), v),
        }[name]()  # fmt: skip
        return ops.sum(ops.power(out, 3))

    def slope(v):
        (_, _), (g,) = backends.active.value_and_grad(lambda u: (f(u), None), [], [v])
        return ops.sum(ops.multiply(g, direction))

    convert = backends.active.convert
    (_, _), (second,) = backends.active.value_and_grad(
        lambda v: (slope(v), None), [], [convert(x)]
    )
    step = 1e-5 if x.dtype == np.float64 else 1e-2
    ends = [float(host(slope(convert(x + s * step * direction)))) for s in (1, -1)]
    numeric = (ends[0] - ends[1]) / (2 * step)
    tol = 1e-5 if x.dtype == np.float64 else 2e-2
    np.testing.assert_allclose(np.sum(host(second) * direction), numeric, rtol=tol)
