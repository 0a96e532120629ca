"""Families of ops on random shapes (empty ones and scalars too), axes, dtypes and indices, against
NumPy; and their symbolic shapes and dtypes, with sizes forgotten at random."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasish import KerasTensor, backends, dtypes, ops, tree

NUMBERS = "bool uint8 int8 int16 int32 int64 bfloat16 float16 float32 float64".split()
FLOATS = "bfloat16 float16 float32 float64".split()
TOLERANCE = {"bfloat16": 3e-2, "float16": 4e-3, "float32": 2e-5, "float64": 2e-5}
EXAMPLES = {"jax": 10, "tensorflow": 40}
"""Each shape is compiled anew on JAX."""


def prop(check):
    """A test that draws examples: `check(draw)`."""

    def test(backend):
        @settings(max_examples=EXAMPLES.get(backend, 80), deadline=None, derandomize=True,
                  database=None)  # fmt: skip
        @given(st.data())
        def run(data):
            with np.errstate(all="ignore"):
                check(data.draw)

        run()

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return pytest.mark.filterwarnings("ignore::RuntimeWarning")(test)


shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
full_shapes = hnp.array_shapes(min_dims=1, max_dims=4, max_side=4)


def numbers(draw, shape, dtype="float32", low=0.25, high=3.0):
    """Numbers that every dtype can tell apart from zero."""
    values = np.random.default_rng(draw(st.integers(0, 999))).uniform(low, high, shape)
    if dtype == "bool":
        return np.asarray(values > (low + high) / 2)
    if "int" in dtype:
        values = np.clip(np.rint(values), 0 if dtype[0] == "u" else -100, 100)
    return np.asarray(values).astype(dtypes.numpy_dtype(dtype))


def wide(x):
    return np.asarray(x).astype("float64")


def narrowed(name):
    """JAX runs without 64-bit types."""
    if backends.active.name != "jax":
        return name
    return {"float64": "float32", "int64": "int32"}.get(name, name)


def agree(draw, function, args, want, dtype=None, tol=None, symbolic=True):
    """The result has the values of `want` and this dtype, also said of symbolic tensors."""
    convert = backends.active.convert
    tensors = tree.map_structure(lambda a: convert(a) if isinstance(a, np.ndarray) else a, args)
    out = tree.flatten(function(*tensors))
    want = [np.asarray(w) for w in (want if isinstance(want, list) else [want])]
    assert len(out) == len(want)
    for got, exact in zip(out, want, strict=True):
        name = backends.active.dtype_of(got)
        assert dtype is None or name == narrowed(dtype), f"{name} instead of {dtype}"
        host = np.asarray(backends.to_host(got))
        assert host.shape == exact.shape
        close = tol or TOLERANCE.get(name, 0)
        np.testing.assert_allclose(wide(host), wide(exact), rtol=close, atol=close)
    if not symbolic:
        return

    def forget(a):
        if not isinstance(a, np.ndarray):
            return a
        known = [n if n == 1 or draw(st.booleans()) else None for n in a.shape]
        return KerasTensor(known, backends.active.dtype_of(convert(a)))

    for got, told in zip(out, tree.flatten(function(*tree.map_structure(forget, args))), strict=True):
        assert told.dtype == backends.active.dtype_of(got)
        assert len(told.shape) == len(got.shape)
        assert all(n in (None, m) for n, m in zip(told.shape, got.shape, strict=True))


def float_of(dtype):
    return dtype if dtype in FLOATS else "float32"


UNARY = {
    **{name: getattr(np, name) for name in (
        "exp log sqrt sin cos tan arctan sinh tanh arcsinh log1p expm1 log2 floor ceil cbrt exp2"
    ).split()},
    "rsqrt": lambda v: 1 / np.sqrt(v), "sigmoid": scipy.special.expit, "erf": scipy.special.erf,
    "softplus": lambda v: np.logaddexp(v, 0), "silu": lambda v: v * scipy.special.expit(v),
    "relu6": lambda v: np.clip(v, 0, 6), "softsign": lambda v: v / (1 + np.abs(v)),
    "sinc": np.sinc,
}  # fmt: skip
KEEPS_DTYPE = {"abs": np.abs, "negative": np.negative, "square": np.square, "sign": np.sign,
               "hard_tanh": lambda v: np.clip(v, -1, 1)}  # fmt: skip


@prop
def test_elementwise(draw):
    name, dtype = draw(st.sampled_from(sorted(UNARY))), draw(st.sampled_from(NUMBERS))
    x = numbers(draw, draw(shapes), dtype)
    if name in ("floor", "ceil", "relu6") and dtype not in FLOATS:
        dtype = "float32"
        x = x.astype(dtype)
    agree(draw, getattr(ops, name), (x,), UNARY[name](wide(x)), float_of(dtype))


@prop
def test_elementwise_that_keeps_the_dtype(draw):
    name = draw(st.sampled_from(sorted(KEEPS_DTYPE)))
    dtype = draw(st.sampled_from([d for d in NUMBERS if d not in ("bool", "uint8")]))
    x = numbers(draw, draw(shapes), dtype, low=-3)
    agree(draw, getattr(ops, name), (x,), KEEPS_DTYPE[name](wide(x)), dtype)


BINARY = "add subtract multiply divide maximum minimum power arctan2 less equal not_equal".split()
BINARY += "greater_equal floor_divide mod logaddexp hypot".split()
TO_FLOAT = ("divide", "arctan2", "logaddexp", "hypot")


@prop
def test_pairs(draw):
    """The dtype is that of JAX's lattice, of which ours is a copy written anew."""
    name = draw(st.sampled_from(BINARY))
    pair = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3))
    kinds = draw(st.tuples(*[st.sampled_from(NUMBERS)] * 2))
    a, b = (numbers(draw, s, d) for s, d in zip(pair.input_shapes, kinds, strict=True))
    if name in ("floor_divide", "mod", "power", "subtract"):
        if set(kinds) & {"bool", "uint8"} or (name in ("floor_divide", "mod") and 0 in b):
            return  # wraps around, or divides by zero
        if not set(kinds) <= {"float32", "float64"} and name in ("floor_divide", "mod"):
            a = np.asarray(np.rint(wide(a)).astype(a.dtype))  # no rounding to the edge
            b = np.full_like(b, 2)
    with jax.enable_x64(True):
        dtype = jnp.result_type(*map(dtypes.numpy_dtype, kinds)).name
    if name in ("less", "equal", "not_equal", "greater_equal"):
        dtype = "bool"
    elif name in TO_FLOAT:
        dtype = float_of(dtype)
    exact = getattr(np, name)(wide(a), wide(b))
    exact = exact != 0 if dtype == "bool" else exact
    tol = 2e-4 if dtype in ("float32", "float64") else None
    agree(draw, getattr(ops, name), (a, b), exact, dtype, tol)


REDUCTIONS = "sum mean max min prod var std any all argmax argmin count_nonzero logsumexp".split()


@prop
def test_reductions(draw):
    name, dtype = draw(st.sampled_from(REDUCTIONS)), draw(st.sampled_from(["int32", *FLOATS]))
    shape = draw(full_shapes)
    one = st.integers(-len(shape), len(shape) - 1)
    several = st.one_of(st.none(), one, hnp.valid_tuple_axes(len(shape), min_size=1))
    axis = draw(st.one_of(st.none(), one) if name in ("argmax", "argmin") else several)
    x = numbers(draw, shape, dtype, high=1.5)
    reference = {"count_nonzero": lambda v, axis, keepdims: np.count_nonzero(v, axis),
                 "logsumexp": scipy.special.logsumexp}.get(name) or getattr(np, name)
    options = {} if name == "count_nonzero" else {"keepdims": draw(st.booleans())}
    exact = reference(wide(x), axis=axis, keepdims=options.get("keepdims", False))
    kind = {"any": "bool", "all": "bool", "argmax": "int32", "argmin": "int32",
            "count_nonzero": "int32"}.get(name)
    floats = name in ("mean", "var", "std", "logsumexp")
    kind = kind or (float_of(dtype) if floats else dtype)
    agree(draw, lambda v: getattr(ops, name)(v, axis=axis, **options), (x,), exact, kind,
          {"float16": 2e-2, "bfloat16": 0.1}.get(dtype, 1e-4))


@prop
def test_running_sums_and_orders(draw):
    name = draw(st.sampled_from("cumsum cumprod sort argsort flip roll diff".split()))
    shape = draw(full_shapes)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    x = numbers(draw, shape, draw(st.sampled_from(["int32", "float32"])))
    rest = (draw(st.integers(-5, 5)),) if name == "roll" else ()
    options = {"kind": "stable"} if name == "argsort" else {}
    exact = getattr(np, name)(x, *rest, axis=axis, **options)
    agree(draw, lambda v: getattr(ops, name)(v, *rest, axis=axis), (x,), exact)


@prop
def test_softmax_family(draw):
    name = draw(st.sampled_from(["softmax", "log_softmax"]))
    shape, dtype = draw(full_shapes), draw(st.sampled_from(FLOATS))
    axis = draw(st.one_of(
        st.integers(-len(shape), len(shape) - 1), st.none(),
        hnp.valid_tuple_axes(len(shape), min_size=1),
    ))  # fmt: skip
    x = numbers(draw, shape, dtype, low=-30, high=30)
    exact = getattr(scipy.special, name)(wide(x), axis=axis)
    agree(draw, lambda v: getattr(ops, name)(v, axis=axis), (x,), exact, dtype,
          {"float16": 3e-2, "bfloat16": 0.3}.get(dtype, 2e-5))


def shape_change(draw, shape):
    """(the change as a function of ops or np, the same of the other)"""
    rank = len(shape)
    axis = st.integers(-rank, rank - 1)
    kind = draw(st.sampled_from(
        "reshape transpose expand_dims moveaxis swapaxes repeat tile broadcast_to pad tril stack "
        "concatenate split squeeze rot90 meshgrid".split()
    ))  # fmt: skip
    if kind == "reshape":
        new = draw(st.permutations(shape))
        if 0 not in shape:
            new = [-1, *new[1:]]
        return lambda m, x: m.reshape(x, new)
    if kind == "transpose":
        order = draw(st.one_of(st.none(), st.permutations(range(rank))))
        return lambda m, x: m.transpose(x, order)
    if kind == "expand_dims":
        place = draw(st.integers(-rank - 1, rank))
        return lambda m, x: m.expand_dims(x, place)
    if kind in ("moveaxis", "swapaxes"):
        a, b = draw(axis), draw(axis)
        return lambda m, x: getattr(m, kind)(x, a, b)
    if kind == "repeat":
        times, a = draw(st.integers(0, 3)), draw(st.one_of(st.none(), axis))
        return lambda m, x: m.repeat(x, times, axis=a)
    if kind == "tile":
        times = draw(st.lists(st.integers(0, 2), min_size=1, max_size=4))
        return lambda m, x: m.tile(x, times)
    if kind == "broadcast_to":
        new = [*draw(st.lists(st.integers(0, 2), max_size=2)),
               *(draw(st.integers(0, 3)) if n == 1 else n for n in shape)]
        return lambda m, x: m.broadcast_to(x, new)
    if kind == "pad":
        mode = draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
        most = 2 if mode == "constant" else min(*shape, 3) - 1
        widths = [draw(st.tuples(*[st.integers(0, max(most, 0))] * 2)) for _ in shape]
        return lambda m, x: m.pad(x, widths, mode=mode)
    if kind in ("tril", "rot90") and rank > 1:
        k = draw(st.integers(-3, 3))
        return lambda m, x: getattr(m, kind)(x, k)
    if kind == "stack":
        place = draw(st.integers(-rank - 1, rank))
        return lambda m, x: m.stack([x, x, x], axis=place)
    if kind == "concatenate":
        a = draw(axis)
        return lambda m, x: m.concatenate([x, x], axis=a)
    if kind == "split":
        a = draw(axis)
        cuts = sorted(draw(st.lists(st.integers(0, shape[a]), max_size=3)))
        return lambda m, x: m.split(x, cuts, axis=a)
    if kind == "squeeze":
        a = draw(axis)
        return lambda m, x: m.squeeze(m.expand_dims(x, a), a)
    return lambda m, x: m.ravel(x)


@prop
def test_shapes(draw):
    shape = draw(full_shapes)
    x = numbers(draw, shape, draw(st.sampled_from(["bool", "int32", "float32", "bfloat16"])))
    change = shape_change(draw, shape)
    agree(draw, lambda v: change(ops, v), (x,), change(np, x), symbolic=False)
    told = change(ops, KerasTensor(shape, "float32"))
    sizes = [t.shape for t in told] if isinstance(told, list) else told.shape
    real = change(np, x)
    assert sizes == ([r.shape for r in real] if isinstance(real, list) else real.shape)


@prop
def test_basic_indices(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
    x = numbers(draw, shape)
    key = draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=6))
    agree(draw, lambda v: ops.get_item(v, key), (x,), x[key], "float32", symbolic=False)
    assert ops.get_item(KerasTensor(shape), key).shape == x[key].shape


@prop
def test_integer_indices(draw):
    shape = draw(full_shapes)
    x = numbers(draw, shape)
    key = draw(hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3)))
    key = tuple(k.astype("int32") for k in key)
    agree(draw, lambda v: ops.get_item(v, key), (x,), x[key], "float32", symbolic=False)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    n = shape[axis]
    places = draw(hnp.arrays("int32", hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3),
                             elements=st.integers(-n, n - 1)))
    agree(draw, lambda v, i: ops.take(v, i, axis=axis), (x, places), np.take(x, places, axis=axis))
    along = draw(hnp.arrays("int32", shape, elements=st.integers(-n, n - 1)))
    agree(draw, lambda v, i: ops.take_along_axis(v, i, axis=axis), (x, along),
          np.take_along_axis(x, along, axis=axis))


@prop
def test_scattered_updates(draw):
    shape = draw(full_shapes)
    depth = draw(st.integers(1, len(shape)))
    count = draw(st.integers(0, 4))
    columns = [draw(hnp.arrays("int32", count, elements=st.integers(0, n - 1))) for n in shape[:depth]]
    indices = np.stack(columns, -1)
    x, updates = numbers(draw, shape), numbers(draw, (count, *shape[depth:]))
    how = draw(st.sampled_from(["add", "max", "min", "mul"]))
    exact = x.copy()
    {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}[how].at(
        exact, tuple(columns), updates
    )
    agree(draw, lambda v, i, u: ops.scatter_update(v, i, u, reduction=how), (x, indices, updates),
          exact, "float32")


@prop
def test_einsum(draw):
    sizes = dict(zip("abcde", draw(st.tuples(*[st.integers(0, 3)] * 5)), strict=True))
    terms = draw(st.lists(
        st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True), min_size=1, max_size=3,
    ))  # fmt: skip
    seen = sorted({label for term in terms for label in term})
    result = draw(st.lists(st.sampled_from(seen), max_size=3, unique=True))
    subscripts = ",".join("".join(t) for t in terms) + "->" + "".join(result)
    operands = [numbers(draw, [sizes[label] for label in term]) for term in terms]
    agree(draw, lambda *xs: ops.einsum(subscripts, *xs), tuple(operands),
          np.einsum(subscripts, *operands), "float32", 1e-4, symbolic=False)


@prop
def test_products(draw):
    batch = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=2))
    m, k, n = draw(st.tuples(*[st.integers(0, 4)] * 3))
    dtype = draw(st.sampled_from(["int32", "float32", "float64", "bfloat16"]))
    a = numbers(draw, (*batch.input_shapes[0], m, k), dtype)
    b = numbers(draw, (*batch.input_shapes[1], k, n), dtype)
    agree(draw, ops.matmul, (a, b), np.matmul(wide(a), wide(b)), dtype, symbolic=False,
          tol={"int32": 1e-9, "bfloat16": 3e-2}.get(dtype, 1e-4))
