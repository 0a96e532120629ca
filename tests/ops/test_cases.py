"""Runs every row of the case tables: values, dtypes, symbolic shapes, gradients, bodies."""

from __future__ import annotations

import importlib
import pathlib
import sys

import numpy as np
import pytest

from kerasish import backends, config, ops, tree
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import KerasishError
from tests.ops.case import ROWS

for _file in sorted(pathlib.Path(__file__).parent.glob("cases_*.py")):
    importlib.import_module(f"tests.ops.{_file.stem}")


def resolve(name):
    target = ops
    if name.startswith("."):
        import kerasish

        target, name = kerasish, name[1:]
    for part in name.split("."):
        target = getattr(target, part)
    return target


def subject(row):
    """What a row tests: its op, or something made of it."""
    function = resolve(row.name)
    if row.through is None:
        return function
    return lambda *args, **kwargs: row.through(function, *args, **kwargs)


def host(out):
    return tree.map_structure(
        lambda leaf: np.asarray(backends.to_host(leaf)) if hasattr(leaf, "dtype") else leaf, out
    )


def expected(row):
    if not callable(row.ref):
        return row.ref
    return row.ref(*row.args, **row.kwargs)


def assert_close(got, want, tol, what):
    got_leaves, want_leaves = tree.flatten(got), tree.flatten(want)
    assert len(got_leaves) == len(want_leaves), f"{what}: {len(got_leaves)} outputs"
    for g, w in zip(got_leaves, want_leaves, strict=True):
        if w is None or isinstance(w, str):
            assert g == w
            continue
        g, w = np.asarray(g), np.asarray(w)
        assert g.shape == w.shape, f"{what}: shape {g.shape}, expected {w.shape}"
        if g.dtype.kind in "fcV" or g.dtype.name == "bfloat16":
            kind = complex if g.dtype.kind == "c" else float
            np.testing.assert_allclose(
                g.astype(kind), w.astype(kind), rtol=tol, atol=tol, err_msg=what
            )
        else:
            np.testing.assert_array_equal(g, w, err_msg=what)


rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)


def _skip(row, backend):
    if backend in row.skip:
        pytest.skip(f"{backend} cannot: {row.skip[backend]}")


@rows
def test_value(row, backend):
    _skip(row, backend)
    out = host(subject(row)(*row.args, **row.kwargs))
    assert_close(out, expected(row), row.tol, row.id)


@rows
def test_body(row, backend):
    """Where an adapter overrides a composite, the body must give the same."""
    name = getattr(resolve(row.name), "op_name", None)
    table = backends.active.table
    if name is None or name not in backends.bodies or backends.active.lookup(name) is None:
        return
    _skip(row, backend)
    native, table[name] = table[name], backends.bodies[name]
    try:
        out = host(subject(row)(*row.args, **row.kwargs))
    finally:
        table[name] = native
    assert_close(out, expected(row), max(row.tol, 2e-5), row.id)


def _symbolic(row, unknown):
    def lower(leaf):
        if not isinstance(leaf, np.ndarray) or leaf.ndim == 0:
            return leaf
        shape = [None if unknown and axis == 0 else n for axis, n in enumerate(leaf.shape)]
        return KerasTensor(shape, leaf.dtype.name)

    return tree.map_structure(lower, row.args)


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@rows
def test_symbolic(row, unknown):
    if not row.symbolic or not any(
        isinstance(leaf, np.ndarray) and leaf.ndim for leaf in tree.flatten(row.args)
    ):
        return
    function = subject(row)
    real = tree.flatten(host(function(*row.args, **row.kwargs)))
    spec = tree.flatten(function(*_symbolic(row, unknown), **row.kwargs))
    assert len(real) == len(spec)
    for r, s in zip(real, spec, strict=True):
        if not isinstance(s, KerasTensor):
            continue
        assert len(s.shape) == r.ndim, f"{s} for {r.shape}"
        assert s.dtype == r.dtype.name, f"{s} for {r.dtype}"
        for a, b in zip(s.shape, r.shape, strict=True):
            assert a == b or (unknown and a is None), f"{s} for {r.shape}"


UNTOLD = {
    "split": "cuts are taken to lie within an axis of unknown size, as in Keras",
    "array_split": "as split", "vsplit": "as split",
    "squeeze": "an axis of unknown size is taken to stay", "cross": "vectors are taken to have 3",
    "solve": "b of unknown sizes may be vectors or matrices",
    "unstack": "the number of results is the size",
}  # fmt: skip
"""Ops whose rank or number of results depends on a size, and what they do where it is unknown."""


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of means of nothing
@rows
def test_symbolic_with_unknown_sizes(row):
    """One size unknown after the other, and all at once. What is claimed of the result holds in
    real calls with other sizes."""
    leaves = tree.flatten(row.args)
    where = [i for i, a in enumerate(leaves) if isinstance(a, np.ndarray) and a.ndim]
    places = [(i, axis) for i in where for axis in range(leaves[i].ndim)]
    if row.name.rpartition(".")[2] in UNTOLD or not row.symbolic or row.through or not places:
        return
    function = subject(row)

    def call(change):
        """The shapes of the outputs, with each array replaced by what `change` makes of it."""
        full = [change(i, a) if i in where else a for i, a in enumerate(leaves)]
        out = tree.flatten(function(*tree.pack_sequence_as(row.args, full), **row.kwargs))
        return [tuple(o.shape) if hasattr(o, "shape") else o for o in out]

    for unknown in [*({place} for place in places), set(places)]:
        claimed = call(lambda i, a, unknown=unknown: KerasTensor(
            [None if (i, axis) in unknown else n for axis, n in enumerate(a.shape)], a.dtype.name
        ))  # fmt: skip
        for other in (None, 0, 1, 2, 3, 7):
            def resized(i, a, unknown=unknown, other=other):
                for axis, n in enumerate(a.shape):
                    if (i, axis) in unknown and other is not None:
                        sizes = (*a.shape[:axis], other, *a.shape[axis + 1 :])
                        a = np.take(a, np.arange(other) % n, axis) if n else np.zeros(sizes, a.dtype)
                return a

            try:
                real = call(resized)
            except KerasishError:
                assert other is not None, "the row's own sizes fit"
                continue
            for s, r in zip(claimed, real, strict=True):
                if isinstance(s, tuple) and isinstance(r, tuple):
                    assert len(s) == len(r) and all(
                        a in (None, b) for a, b in zip(s, r, strict=True)
                    ), f"{s} for {r}, unknown: {unknown}"


def _float_leaves(args):
    return [i for i, a in enumerate(tree.flatten(args))
            if isinstance(a, np.ndarray) and a.dtype.kind == "f"]


def _weights(shape):
    return np.random.default_rng(3).uniform(0.5, 1.5, shape)


def _scalar_loss(function, row, where, arrays):
    """A fixed weighted sum of all float outputs, as a function of the float inputs."""
    leaves = list(tree.flatten(row.args))
    for i, a in zip(where, arrays, strict=True):
        leaves[i] = a
    out = function(*tree.pack_sequence_as(row.args, leaves), **row.kwargs)
    total = 0.0
    for leaf in tree.flatten(out):
        name = backends.active.dtype_of(leaf) if backends.active.owns(leaf) else "int32"
        if "float" in name:
            total = total + ops.sum(ops.multiply(leaf, _weights(tuple(leaf.shape)).astype(name)))
    return total


def _gradients(function, row, where, arrays):
    def loss(*tensors):
        return _scalar_loss(function, row, where, tensors), None

    (_, _), grads = backends.active.value_and_grad(loss, [], arrays)
    return [host(g) for g in grads]


@rows
def test_gradient(row):
    """The tape against central differences in float64."""
    where = _float_leaves(row.args)
    if not row.grad or not where:
        return
    _skip(row, "numpy")
    function = subject(row)
    leaves = tree.flatten(row.args)
    arrays = [leaves[i].astype("float64") for i in where]
    with config.backend_scope("numpy"):
        config.set_floatx("float64")
        grads = _gradients(function, row, where, arrays)
        for k, a in enumerate(arrays):
            assert grads[k].shape == a.shape
            direction = np.random.default_rng(7 + k).standard_normal(a.shape)
            step = 1e-6
            ends = []
            for sign in (1, -1):
                moved = list(arrays)
                moved[k] = a + sign * step * direction
                ends.append(float(_scalar_loss(function, row, where, moved)))
            numeric = (ends[0] - ends[1]) / (2 * step)
            np.testing.assert_allclose(
                np.sum(grads[k] * direction), numeric,
                rtol=row.grad_tol, atol=row.grad_tol, err_msg=f"{row.id}, input {k}",
            )  # fmt: skip


@rows
def test_gradients_agree(row, backend):
    """Every engine's gradient against the tape's."""
    where = _float_leaves(row.args)
    if not row.grad or not where or backend == "numpy":
        return
    _skip(row, backend)
    _skip(row, "numpy")
    function = subject(row)
    leaves = tree.flatten(row.args)
    arrays = [leaves[i] for i in where]
    got = _gradients(function, row, where, arrays)
    with config.backend_scope("numpy"):
        want = _gradients(function, row, where, arrays)
    assert_close(got, want, max(row.grad_tol, 1e-3), row.id)


CONTROL_FLOW = """
associative_scan cond custom_gradient fori_loop jvp map scan switch vectorized_map while_loop
""".split()
"""Ops that take functions: tested by name in `test_control_flow.py`."""


def public_ops():
    """(path below `keras.ops`, function) of everything public."""
    for path, module in (("", ops), *((f"{m}.", getattr(ops, m)) for m in ("image", "linalg", "nn", "numpy"))):
        for name in dir(module):
            function = getattr(module, name)
            inside = getattr(function, "__module__", "").startswith("kerasish.ops")
            if callable(function) and inside and not name.startswith("_") and (
                name in getattr(sys.modules[function.__module__], "__all__", ())
            ):
                yield path + name, function


def test_every_public_op_has_a_row():
    tested = {row.name.rpartition(".")[2] for row in ROWS} | {"convert_to_numpy"}
    found = dict(public_ops())
    assert len(found) > 600
    missing = [
        path for path, function in found.items()
        if not {path.rpartition(".")[2], getattr(function, "op_name", None)} & {*tested, *CONTROL_FLOW}
    ]  # fmt: skip
    assert not missing, f"ops without a row in tests/ops/cases_*.py: {missing}"
    control_flow = (pathlib.Path(__file__).parent / "test_control_flow.py").read_text()
    assert not [name for name in CONTROL_FLOW if f"ops.{name}(" not in control_flow]
