"""Indices and shapes beyond single calls: higher derivatives, compilation, unknown sizes, errors."""

import doctest

import ml_dtypes
import numpy as np
import pytest

import kerasish as keras
from kerasish import KerasTensor, backends, config, ops
from kerasish.errors import KerasishError
from kerasish.ops import contraction, indexing, manipulation

rng = np.random.default_rng(0)
SQUARE = rng.uniform(0.5, 1.5, (4, 4))
ROWS = np.array([[1, 0], [3, 1], [1, 2]])

FUNCTIONS = {
    "basic": lambda x: ops.get_item(x, (slice(1, None), slice(None, None, -2))),
    "array": lambda x: ops.get_item(x, (slice(None), [2, 0, 2])),
    "both": lambda x: ops.get_item(x, ([1, 1], slice(None, None, -1))),
    "mask": lambda x: ops.get_item(x, SQUARE > 1),
    "take": lambda x: ops.take(x, ROWS, axis=0),
    "along": lambda x: ops.take_along_axis(x, np.array([[1, 0, 3, 1], [1, 2, 0, 0]]), axis=0),
    "along one": lambda x: ops.take_along_axis(x, np.array([[1], [2], [0], [2]]), axis=1),
    "scatter": lambda x: ops.scatter_update(x, ROWS, x[:3, 0], "add"),
    "set": lambda x: ops.scatter_update(x, ROWS, x[:3, 0]),
    "product": lambda x: ops.scatter_update(x, ROWS, x[:3, 0], "mul"),
    "block": lambda x: ops.slice_update(x, (1, 1), x[:2, 2:]),
    "slice": lambda x: ops.slice(x, (1, 0), (2, 3)),
    "sort": lambda x: ops.sort(x, axis=1),
    "split": lambda x: ops.split(x, 2)[1],
    "unstack": lambda x: ops.unstack(x, axis=1)[2],
    "concatenate": lambda x: ops.concatenate([x, x * x], 1),
    "stack": lambda x: ops.stack([x, x * x], 1),
    "pad": lambda x: ops.pad(x, ((1, 0), (0, 2)), mode="reflect"),
    "zeros": lambda x: ops.pad(x, 1),
    "by size": lambda x: ops.reshape(x, (1, ops.size(x))),
    "tile": lambda x: ops.tile(x, (2, 1)),
    "repeat": lambda x: ops.repeat(x, [1, 0, 2, 1], axis=0),
    "roll": lambda x: ops.roll(x, 1, axis=0),
    "diagonal": lambda x: ops.diagonal(x, 1),
    "diag": lambda x: ops.diag(x[0], -1),
    "trace": lambda x: ops.trace(x),
    "tril": lambda x: ops.tril(x, 1),
    "einsum": lambda x: ops.einsum("ij,kj,kl->il", x, x, x),
    "rows": lambda x: ops.einsum("ij,ij->i", x, x),
    "tensordot": lambda x: ops.tensordot(x, x, axes=((0, 1), (1, 0))),
    "correlate": lambda x: ops.correlate(x[0], x[1, :2], mode="full"),
    "moved": lambda x: ops.moveaxis(ops.reshape(x, (2, 2, 4)), 0, -1),
    "squeezed": lambda x: ops.squeeze(ops.expand_dims(x, 1), 1) * x,
    "wide": lambda x: ops.broadcast_to(x, (3, 4, 4)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives(name):
    """The tape's gradient of a directional derivative, against differences of its gradient."""
    f = FUNCTIONS[name]
    with config.backend_scope("numpy"):
        config.set_floatx("float64")
        grad = backends.active.value_and_grad

        def loss(x):
            y = f(x)
            return ops.sum(y * y * y), None

        def slope(x):
            return ops.sum(grad(loss, [], [x])[1][0] * SQUARE[::-1]), None

        (second,) = grad(slope, [], [SQUARE])[1]
        step = 1e-5
        ends = [grad(loss, [], [SQUARE + s * step * SQUARE[::-1]])[1][0] for s in (1, -1)]
        np.testing.assert_allclose(second, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-6)


DTYPES = ("bool", "int8", "uint16", "int64", "float16", "bfloat16")
NUMBERS = np.array([[3, 1, 2, 0], [1, 0, 3, 2], [0, 1, 1, 3], [2, 2, 0, 1]])
OF_ANY_DTYPE = {
    **{name: FUNCTIONS[name] for name in (
        "basic", "array", "mask", "take", "along", "block", "slice", "sort", "split", "unstack",
        "stack", "pad", "zeros", "tile", "roll", "diagonal", "diag", "trace", "tril", "einsum",
        "rows", "tensordot", "correlate", "wide",
    )},
    **{str(how): lambda x, how=how: ops.scatter_update(x, [[0], [0]], x[2:], how)
       for how in ("add", "mul", "max", "min")},
    "scatter": lambda x: ops.scatter([[0], [2]], x[2:], (3, 4)),
    "append": lambda x: ops.append(x, x[0]),
    "repeats": lambda x: ops.repeat(x, 2, axis=1),
    "vander": lambda x: ops.vander(x[0], 3),
    "diff": ops.diff,
    "trapezoid": ops.trapezoid,
    "nonzero": ops.nonzero,
    "argsort": ops.argsort,
    "searchsorted": lambda x: ops.searchsorted(ops.sort(x[0]), x, side="right"),
    "isin": lambda x: ops.isin(x, x[0, :2]),
    "histogram": lambda x: ops.histogram(x, 3),
    "unique": lambda x: ops.unique(x, return_inverse=True, return_counts=True),
    "unique rows": lambda x: ops.unique(x, axis=0),
    "sum": lambda x: ops.einsum("ij->j", x),
    "outer": lambda x: ops.outer(x[0], x[1]),
    **{name: lambda x, name=name: getattr(ops, name)(x, x[::2])
       for name in ("inner", "kron")},
    "dot": lambda x: ops.dot(x, x),
    "vdot": lambda x: ops.vdot(x, x),
    "cross": lambda x: ops.cross(x[:, :3], x[:, 1:]),
    "corrcoef": ops.corrcoef,
    "bytes": lambda x: ops.view(x, "uint8"),
}  # fmt: skip


def results(f, x):
    active = backends.active
    leaves = keras.tree.flatten(f(ops.convert_to_tensor(x)))
    return [(active.dtype_of(y), np.asarray(active.to_host(y)).astype(float)) for y in leaves]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_agree(dtype, backend):
    """One dtype and one value for every engine, NumPy's among them, and for shape inference."""
    if (backend, dtype) == ("torch", "uint16"):
        pytest.skip("torch has hardly any kernels for it")
    x = NUMBERS.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    for name, f in OF_ANY_DTYPE.items():
        if (backend, dtype, name) == ("tensorflow", "uint16", "repeats"):
            continue  # tf.repeat has no kernel
        if (backend, dtype, name) == ("jax", "int64", "bytes"):
            continue  # int32 there
        with config.backend_scope("numpy"):
            want = results(f, x)
            symbolic = keras.tree.flatten(f(keras.KerasTensor(x.shape, dtype)))
        got = results(f, x)
        for (kind, value), (wanted, there), spec in zip(got, want, symbolic, strict=True):
            assert spec.dtype == wanted, name
            wanted = wanted.replace("64", "32") if backend == "jax" else wanted
            assert kind == wanted, name
            np.testing.assert_allclose(value, there, rtol=2e-2, err_msg=name)


UNCOMPILED = {"mask"}
"""Shapes that depend on values."""


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in UNCOMPILED])
def test_compiled(name, backend):
    f = FUNCTIONS[name]
    x = SQUARE.astype("float32")
    with config.backend_scope("numpy"):
        want = np.asarray(f(x))
    got = backends.to_host(backends.active.compile(f, [])(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_unknown_sizes_in_tensorflow(name):
    tf = pytest.importorskip("tensorflow")
    f = FUNCTIONS[name]
    x = SQUARE.astype("float32")
    with config.backend_scope("numpy"):
        want = np.asarray(f(x))
    with config.backend_scope("tensorflow"):
        traced = tf.function(f, input_signature=[tf.TensorSpec((None, 4), "float32")])
        np.testing.assert_allclose(traced(x).numpy(), want, rtol=1e-5)


def test_shapes_in_tensorflow_functions():
    tf = pytest.importorskip("tensorflow")
    seen = []

    def f(x):
        rows, columns = ops.shape(x)
        seen.append(columns)
        y = ops.reshape(x, (rows, 2, -1))
        return ops.broadcast_to(ops.expand_dims(y, 0), (3, *ops.shape(y))), ops.size(x)

    with config.backend_scope("tensorflow"):
        traced = tf.function(f, input_signature=[tf.TensorSpec((None, 4), "float32")])
        y, size = traced(np.ones((5, 4), "float32"))
    assert seen == [4] and y.shape == (3, 5, 2, 2) and int(size) == 20


def test_indices_outside(backend):
    x = np.arange(6, dtype="float32").reshape(3, 2)
    for indices in ([3, 0], [0, -4]):
        if backend == "jax":  # there is no way to raise from a compiled function
            got = backends.to_host(ops.take(x, indices, axis=0))
            assert np.isnan(got[np.abs(indices).argmax()]).all() and np.isfinite(got).any()
        else:
            with pytest.raises(Exception):  # noqa: B017 (each engine has its own)
                backends.to_host(ops.take(x, indices, axis=0))


def test_computed_starts(backend):
    x = ops.reshape(ops.arange(12, dtype="float32"), (3, 4))
    start = ops.argmax(x, axis=0)[:2] - 1  # (1, 1)
    assert backends.to_host(ops.slice(x, start, (2, 2))).tolist() == [[5.0, 6.0], [9.0, 10.0]]
    moved = ops.slice_update(x, [start[0], 0], ops.zeros((2, 4)))
    assert backends.to_host(ops.sum(moved)) == 6.0


def test_symbolic_masks_and_counts_are_unknown():
    x = keras.KerasTensor((None, 4))
    assert ops.get_item(x, x > 0).shape == (None,)
    assert ops.get_item(x, (slice(None, None, 2), 1)).shape == (None,)
    assert ops.get_item(x, (slice(0, 3), None)).shape == (None, 1, 4)
    assert [i.shape for i in ops.nonzero(x)] == [(None,), (None,)]
    assert ops.unique(x).shape == (None,) and ops.unique(x, size=7).shape == (7,)
    assert ops.bincount(keras.KerasTensor((9,), "int32")).shape == (None,)
    assert len(ops.unstack(x, axis=1)) == 4 and len(ops.unstack(x, num=3)) == 3
    with pytest.raises(ValueError, match="num"):
        ops.unstack(x)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.reshape(np.ones(6), (4, -1)),
        lambda: ops.squeeze(np.ones((2, 3)), 0),
        lambda: ops.split(np.ones(5), 2),
        lambda: ops.concatenate([np.ones((2, 3)), np.ones((2, 2))]),
        lambda: ops.transpose(np.ones((2, 3)), (0, 0)),
        lambda: ops.moveaxis(np.ones((2, 3)), (0, 1), (0,)),
        lambda: ops.expand_dims(np.ones(2), 5),
        lambda: ops.swapaxes(np.ones((2, 2)), 0, 2),
        lambda: ops.broadcast_to(np.ones(3), (2, 2)),
        lambda: ops.pad(np.ones(3), -1),
        lambda: ops.pad(np.ones(3), 1, mode="mirror"),
        lambda: ops.pad(np.ones(3), 1, mode="edge", constant_values=1),
        lambda: ops.rot90(np.ones((2, 2)), axes=(0, 0)),
        lambda: ops.diff(np.ones(3), n=-1),
        lambda: ops.diag(np.ones((2, 2, 2))),
        lambda: ops.unstack(np.ones((2, 2)), num=3),
        lambda: ops.get_item(np.ones((2, 2)), (0, 0, 0)),
        lambda: ops.scatter_update(np.ones(3), [[0]], [1.0], reduction="mean"),
        lambda: ops.scatter_update(np.ones(3), [[0, 0]], [1.0]),
        lambda: ops.take_along_axis(np.ones((2, 2)), [0], axis=0),
        lambda: ops.searchsorted(np.ones((2, 2)), [1.0]),
        lambda: ops.searchsorted(np.ones(2), [1.0], side="middle"),
        lambda: ops.histogram(np.ones(2), 0),
        lambda: ops.einsum("ij,jk->ik", np.ones((2, 3))),
        lambda: ops.einsum("ij,jk->ik", np.ones((2, 3)), np.ones((2, 3))),
        lambda: ops.einsum("ij->ik", np.ones((2, 3))),
        lambda: ops.tensordot(np.ones((2, 3)), np.ones((2, 3)), axes=1),
        lambda: ops.tensordot(np.ones((2, 3)), np.ones((3, 2)), axes=((0,), (0, 1))),
        lambda: ops.cross(np.ones(4), np.ones(4)),
        lambda: ops.correlate(np.ones(3), np.ones(2), mode="half"),
        lambda: ops.rearrange(np.ones((2, 6)), "a (b c) -> a b c"),
        lambda: ops.rearrange(np.ones((2, 6)), "a (b c) -> a b c", b=4),
        lambda: ops.rearrange(np.ones((2, 6)), "a b -> a"),
        lambda: ops.rearrange(np.ones((2, 6)), "a b -> a b", c=3),
        lambda: ops.rearrange(np.ones((2, 6)), "a b c -> c a b"),
        lambda: ops.rearrange(np.ones((2, 6)), "a (b -> a b"),
        lambda: ops.rearrange(np.ones((2, 6)), "a b"),
    ],
)
def test_errors_are_explained(call, backend):
    with pytest.raises(KerasishError, match="[a-z]{3}.* "):
        call()


@pytest.mark.parametrize("module", [manipulation, indexing, contraction])
def test_examples(module):
    with config.backend_scope("numpy"):
        assert doctest.testmod(module).failed == 0


def test_how_many_are_found_is_unknown():
    for found in (ops.where(KerasTensor((2, None), "bool")), ops.nonzero(KerasTensor((2, 3)))):
        assert [(y.shape, y.dtype) for y in found] == [((None,), "int32")] * 2
    rows = ops.take(KerasTensor((None, 4)), ops.where(KerasTensor((None,), "bool"))[0], axis=0)
    assert rows.shape == (None, 4)
    unknown = [KerasTensor((None, 2)), KerasTensor((None, None), "int32"), KerasTensor((None, 2))]
    assert ops.scatter_update(*unknown).shape == (None, 2)


def test_a_block_at_a_traced_place_in_xla():
    tf = pytest.importorskip("tensorflow")

    @tf.function(jit_compile=True)
    def fill(x, start):
        return ops.fori_loop(
            0, 2, lambda i, x: ops.slice_update(x, (start + i, 0), ops.ones((1, 3))), x
        )

    with config.backend_scope("tensorflow"):
        filled = fill(tf.zeros((4, 3)), tf.constant(1)).numpy()
    np.testing.assert_array_equal(filled, [[0] * 3, [1] * 3, [1] * 3, [0] * 3])
