"""What ops do with sparse tensors: by their entries (indices, values), the same on every engine.

A function that keeps zero at zero acts on the values. A result that is dense by nature (the
exponential, a sum over rows, a product with a dense matrix) is dense. Any other op raises an
error rather than make a dense copy that nobody asked for.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish import backends, dtypes, ops
from kerasish.backends import subscripts as notation
from kerasish.backends.shapes import axes_of, axis_of, expand_key, resolve, target
from kerasish.core.op import describe
from kerasish.errors import BackendError, InvalidArgument, ShapeError

_ZERO_STAYS_ZERO = """
abs absolute arcsin arcsinh arctan arctanh cbrt ceil celu conj conjugate copy deg2rad elu erf
expm1 fabs fix floor gelu hard_shrink hard_silu hard_swish hard_tanh imag isinf isnan leaky_relu
log1p negative rad2deg real relu relu6 round selu sign signbit silu sin sinh soft_shrink softsign
sqrt square stop_gradient tan tanh tanh_shrink trunc
"""
_ZERO_BECOMES_MORE = """
arccos arccosh cos cosh exp exp2 isfinite isreal log log10 log2 reciprocal
"""


def _form(names: str) -> Callable[..., Any]:
    """Registers what the ops of these names do when an argument is sparse."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names.split():
            backends.sparse_forms[name] = function
        return function

    return register


def _is_sparse(x: Any) -> bool:
    return backends.active.is_sparse(x)


def _parts(x: Any) -> tuple[Any, Any]:
    """(indices of shape (n, axes), values of shape (n,)); what one place is given adds up."""
    return backends.active.sparse_parts(x)


def _single(x: Any) -> tuple[Any, Any]:
    """The same with each place named once, as what is not linear needs it."""
    return _parts(backends.active.sparse_unique(x))


def _column(indices: Any, axis: int) -> Any:
    return indices[:, axis]


def _place(indices: Any, sizes: Any, axes: Any) -> Any:
    """Where entries stand when these axes are laid out one after the other."""
    place = ops.zeros_like(_column(indices, 0))
    for axis in axes:
        place = ops.add(ops.multiply(place, ops.cast(sizes[axis], backends.active.dtype_of(place))),
                        _column(indices, axis))
    return place


def _on_values(name: str) -> Callable[..., Any]:
    def form(x: Any, *rest: Any) -> Any:
        indices, values = _single(x)
        return backends.active.sparse(indices, getattr(ops, name)(values, *rest), ops.shape(x))

    return form


for _name in _ZERO_STAYS_ZERO.split():
    backends.sparse_forms[_name] = _on_values(_name)


def _on_dense(name: str) -> Callable[..., Any]:
    return lambda *args: getattr(ops, name)(*map(_dense_of, args))


for _name in _ZERO_BECOMES_MORE.split():
    backends.sparse_forms[_name] = _on_dense(_name)


@_form("_to_dense")
def _to_dense(x: Any) -> Any:
    indices, values = _parts(x)
    return ops.scatter(indices, values, ops.shape(x))


def _dense_of(x: Any) -> Any:
    return _to_dense(x) if _is_sparse(x) else x


@_form("_to_sparse array")
def _itself(x: Any, dtype: Any = None) -> Any:
    return x if dtype is None else backends.active.cast(x, dtypes.standardize(dtype))


@_form("size")
def _size(x: Any) -> Any:
    return ops.cast(math.prod(ops.shape(x)), "int32")


for _name in ("zeros_like", "ones_like", "empty_like", "full_like"):

    def _like(x: Any, *rest: Any, name: str = _name) -> Any:
        """A dense tensor of the same shape and, unless told otherwise, dtype."""
        *value, dtype = rest
        make = getattr(ops, name.removesuffix("_like"))
        return make(ops.shape(x), *value, dtype=dtype or backends.active.dtype_of(x))

    backends.sparse_forms[_name] = _like


@_form("digitize")
def _digitize(x: Any, bins: Any) -> Any:
    """Sparse where zero lies below the first edge, if the edges are known."""
    try:
        bins = backends.to_host(bins)
    except (TypeError, BackendError):  # they are computed in a compiled function
        pass
    if isinstance(bins, np.ndarray | list | tuple) and len(bins) and np.min(bins) > 0:
        indices, values = _single(x)
        return backends.active.sparse(indices, ops.digitize(values, bins), ops.shape(x))
    return ops.digitize(_to_dense(x), bins)


# Arithmetic


def _scaled(name: str, x1: Any, x2: Any) -> Any:
    """A sparse tensor times something, or over a dense one; else a quotient is dense."""
    if _is_sparse(x2):
        if name == "divide":
            return ops.divide(_dense_of(x1), _to_dense(x2))
        return _times(x1, x2) if _is_sparse(x1) else _scaled(name, x2, x1)
    indices, values = _parts(x1)
    sizes = ops.shape(x1)
    if hasattr(x2, "shape") or isinstance(x2, list | tuple):
        x2 = _at(indices, sizes, ops.convert_to_tensor(x2), name, x1)
    return backends.active.sparse(indices, getattr(ops, name)(values, x2), sizes)


_form("multiply")(functools.partial(_scaled, "multiply"))
_form("divide true_divide")(functools.partial(_scaled, "divide"))


def _times(x1: Any, x2: Any) -> Any:
    """The product where both have entries."""
    x1, x2 = _alike("multiply", x1, x2)
    (indices, values), there = _single(x1), _single(x2)
    found, _ = _found(indices, *there, ops.shape(x1))
    active = backends.active
    indices, values = active.compact(indices, ops.multiply(values, found))
    return active.sparse(indices, values, ops.shape(x1))


def _extreme(name: str, x1: Any, x2: Any) -> Any:
    """Sparse where both are, else dense."""
    extreme = getattr(ops, name)
    if not (_is_sparse(x1) and _is_sparse(x2)):
        return extreme(_dense_of(x1), _dense_of(x2))
    x1, x2 = _alike(name, x1, x2)
    (first, a), (second, b) = _single(x1), _single(x2)
    at_first, _ = _found(first, second, b, ops.shape(x1))
    at_second, both = _found(second, first, a, ops.shape(x1))
    values = [extreme(a, at_first), ops.where(both, ops.zeros_like(b), extreme(b, at_second))]
    return backends.active.sparse_sum(
        ops.concatenate([first, second], 0), ops.concatenate(values, 0), ops.shape(x1)
    )


_form("maximum fmax")(functools.partial(_extreme, "maximum"))
_form("minimum fmin")(functools.partial(_extreme, "minimum"))


def _alike(name: str, x1: Any, x2: Any) -> tuple[Any, Any]:
    """Two sparse tensors of one shape, in their common dtype."""
    if tuple(x1.shape) != tuple(x2.shape):
        raise ShapeError(
            f"ops.{name} of sparse tensors: the shapes must be equal, got {describe(x1)} and "
            f"{describe(x2)}."
        )
    active = backends.active
    kind = dtypes.result_type(active.dtype_of(x1), active.dtype_of(x2))
    return active.cast(x1, kind), active.cast(x2, kind)


def _found(places: Any, indices: Any, values: Any, sizes: Any) -> tuple[Any, Any]:
    """The values that a sparse tensor has at these places (zero where none), and where it has."""
    wanted, keys = _keys(places, indices, sizes)
    # A key that nothing asks for stands for all that is missing. Entries outside of the shape, as
    # JAX has them to fill up, are such.
    wanted = ops.where(ops.less(places[:, -1], ops.cast(sizes[-1], ops.dtype(places))), wanted, -2)
    keys = ops.pad(keys, (1, 0), constant_values=-1)
    values = ops.pad(values, (1, 0))
    order = ops.argsort(keys)
    keys = ops.take(keys, order)
    at = ops.subtract(ops.searchsorted(keys, wanted, "right"), 1)
    at = ops.maximum(at, 0)
    has = ops.equal(ops.take(keys, at), wanted)
    values = ops.take(values, ops.take(order, at))
    return ops.where(has, values, ops.zeros_like(values)), has


def _keys(first: Any, second: Any, sizes: Any) -> tuple[Any, Any]:
    """A number for each place, equal where the places are."""
    axes = range(len(sizes))
    if ops.dtype(first) == "int64" or math.prod(sizes) < 2**31:
        return _place(first, sizes, axes), _place(second, sizes, axes)
    both = ops.concatenate([first, second], 0)  # counted in ascending order
    order = ops.arange(both.shape[0])
    for axis in reversed(axes):
        order = ops.take(order, ops.argsort(ops.take(_column(both, axis), order)))
    ordered = ops.take(both, order, axis=0)
    steps = ops.any(ops.not_equal(ordered[1:], ordered[:-1]), axis=1)
    number = ops.pad(ops.cumsum(ops.cast(steps, "int32")), (1, 0))
    number = ops.take(number, ops.argsort(order))
    return number[: first.shape[0]], number[first.shape[0] :]


def _at(indices: Any, sizes: Any, dense: Any, name: str, x: Any) -> Any:
    """What a dense tensor, broadcast to a sparse one, has where that one has entries."""
    first = len(sizes) - len(dense.shape)
    known = [
        (a, b) for a, b in zip(dense.shape, sizes[max(first, 0):], strict=False)
        if isinstance(a, int) and isinstance(b, int)
    ]
    if first < 0 or any(a not in (1, b) for a, b in known):
        raise ShapeError(
            f"ops.{name}: the sparse {describe(x)} keeps its shape, to which {describe(dense)} "
            "does not broadcast."
        )
    if not len(dense.shape):
        return dense
    axes = [i for i, n in enumerate(dense.shape) if n != 1]
    if not axes:
        return ops.reshape(dense, ())
    place = _place(indices, {i + first: n for i, n in enumerate(ops.shape(dense))},
                   [i + first for i in axes])
    return ops.take(ops.reshape(dense, (-1,)), place)


def _sum_of(name: str, x1: Any, x2: Any) -> Any:
    """Sparse where both are, else dense."""
    if not (_is_sparse(x1) and _is_sparse(x2)):
        return getattr(ops, name)(_dense_of(x1), _dense_of(x2))
    x1, x2 = _alike(name, x1, x2)
    return backends.active.sparse_add(x1, ops.negative(x2) if name == "subtract" else x2)


_form("add")(functools.partial(_sum_of, "add"))
_form("subtract")(functools.partial(_sum_of, "subtract"))


# Products of matrices


@_form("dot inner")
def _dot(x1: Any, x2: Any) -> Any:
    return _scaled("multiply", x1, x2) if () in (np.shape(x1), np.shape(x2)) else _matmul(x1, x2)


@_form("matmul")
def _matmul(x1: Any, x2: Any) -> Any:
    """Sparse where both are, else dense."""
    if not _is_sparse(x1):
        x1 = ops.convert_to_tensor(x1)
        if len(x1.shape) != 2 or len(x2.shape) != 2:
            _two_axes(x1, x2)
        return ops.transpose(_matmul(ops.transpose(x2), ops.transpose(x1)))
    x2 = x2 if _is_sparse(x2) else ops.convert_to_tensor(x2)
    if len(x2.shape) != 2 or len(x1.shape) < 2:
        _two_axes(x1, x2)
    sizes = ops.shape(x1)
    if len(x1.shape) > 2:
        flat = _matmul(ops.reshape(x1, (-1, sizes[-1])), x2)
        return ops.reshape(flat, (*sizes[:-1], x2.shape[1]))
    if x1.shape[1] != x2.shape[0] and None not in (x1.shape[1], x2.shape[0]):
        _two_axes(x1, x2)
    active = backends.active
    kind = dtypes.result_type(active.dtype_of(x1), active.dtype_of(x2))
    # Engines multiply sparse matrices of few types.
    wide = "float32" if kind in ("float16", "bfloat16") else "int32" if kind in _NARROW else kind
    x1, x2 = active.cast(x1, wide), active.cast(x2, wide)
    product = active.sparse_matmul(x1, x2)
    if product is NotImplemented and _is_sparse(x2):
        product = _product(x1, x2)
    elif product is NotImplemented:
        indices, values = _parts(x1)
        rows = ops.take(x2, _column(indices, 1), axis=0)
        weighted = ops.multiply(ops.expand_dims(values, 1), rows)
        product = ops.segment_sum(weighted, _column(indices, 0), sizes[0])
    return product if kind == "int8" else active.cast(product, kind)


def _product(x1: Any, x2: Any) -> Any:
    """The product of two sparse matrices: each entry (i, k) of the one with each (k, j) of the
    other."""
    (left, a), (right, b) = _single(x1), _single(x2)
    active = backends.active
    (rows, inner), columns = ops.shape(x1), ops.shape(x2)[1]
    order = ops.argsort(_column(right, 0))
    there = ops.take(_column(right, 0), order)
    start, end = (ops.searchsorted(there, _column(left, 1), side) for side in ("left", "right"))
    inside = ops.less(_column(left, 1), ops.cast(inner, ops.dtype(left)))
    count = ops.where(inside, ops.subtract(end, start), 0)
    bound = active.table["shape"](a)[0], active.table["shape"](b)[0], columns
    total = active.how_many(ops.sum(count), bound)
    ends = ops.cumsum(count)
    number = ops.arange(total, dtype=ops.dtype(ends))
    real = ops.less(number, ops.sum(count))
    first = ops.where(real, ops.searchsorted(ends, number, "right"), 0)
    before = ops.subtract(start, ops.subtract(ends, count))
    place = ops.add(number, ops.take(before, first))
    second = ops.take(order, ops.where(real, place, 0))
    values = ops.multiply(ops.take(a, first), ops.take(b, second))
    values = ops.where(real, values, ops.zeros_like(values))
    indices = [ops.take(_column(left, 0), first), ops.take(_column(right, 1), second)]
    return active.sparse_sum(ops.stack(indices, -1), values, (rows, columns))


_NARROW = ("bool", "int8", "uint8", "int16", "uint16")


def _two_axes(x1: Any, x2: Any) -> Any:
    raise ShapeError(
        f"ops.matmul: a sparse tensor of shape (..., m, k) takes one of shape (k, n), and a dense "
        f"one of shape (m, k) takes a sparse one of shape (k, n); got {describe(x1)} and "
        f"{describe(x2)}. Others can be made dense: ops.convert_to_tensor(x, sparse=False)."
    )


@_form("_promoted_einsum")
def _einsum(subscripts: str, operands: Any) -> Any:
    """Of a sparse tensor and a dense one, dense: each entry times the dense slice at its place."""
    terms, out = notation.parse(subscripts, tuple(len(x.shape) for x in operands))
    sparse = [i for i, x in enumerate(operands) if _is_sparse(x)]
    if len(operands) != 2 or len(sparse) != 1 or any(len({*t}) < len(t) for t in terms):
        raise InvalidArgument(
            f"ops.einsum({subscripts!r}) takes a sparse tensor beside one dense tensor, each "
            f"letter once in a term, got {describe(list(operands))}. Make others dense before: "
            "ops.convert_to_tensor(x, sparse=False)."
        )
    i = sparse[0]
    x, y, left, right = operands[i], operands[1 - i], terms[i], terms[1 - i]
    sizes, others = ops.shape(x), dict(zip(right, ops.shape(y), strict=True))
    shared = [c for c in left if c in right]
    if any(type(n) is type(others.get(c)) is int and n != others[c]
           for c, n in zip(left, sizes, strict=True)):
        raise ShapeError(f"ops.einsum({subscripts!r}): the sizes of {describe(list(operands))} do "
                         "not agree.")
    kept, rest = ([c for c in t if c in out and c not in w] for t, w in ((left, ""), (right, left)))
    y = ops.einsum(f"{right}->{''.join(shared + rest)}", y)
    y = ops.reshape(y, (-1, *[others[c] for c in rest]))
    indices, values = _parts(x)
    rows = ops.take(y, _place(indices, sizes, [left.index(c) for c in shared]), axis=0)
    weighted = ops.multiply(ops.reshape(values, (-1, *[1] * len(rest))), rows)
    ends = [sizes[left.index(c)] for c in kept]
    place = _place(indices, sizes, [left.index(c) for c in kept])
    z = ops.segment_sum(weighted, place, math.prod(ends))
    z = ops.reshape(z, (*ends, *[others[c] for c in rest]))
    return ops.einsum(f"{''.join(kept + rest)}->{out}", z)


@_form("_dense")
def _dense(x: Any, kernel: Any, bias: Any) -> Any:
    y = _matmul(x, kernel)
    return y if bias is None else ops.add(y, bias)


# Sums


@_form("sum")
def _sum(x: Any, axis: Any, keepdims: bool) -> Any:
    """Sparse where two axes or more are left, else dense."""
    indices, values = _parts(x)
    sizes = ops.shape(x)
    axes = axes_of(axis, len(sizes))
    kept = [i for i in range(len(sizes)) if i not in axes]
    if len(kept) > 1:
        values = ops.cast(values, ops.dtype(ops.sum(values[:0])))
        columns, left = [], []
        for i, n in enumerate(sizes):
            column = _column(indices, i)
            if i in kept or keepdims:
                columns.append(column if i in kept else ops.zeros_like(column))
                left.append(n if i in kept else 1)
        return backends.active.sparse_sum(ops.stack(columns, -1), values, left)
    if kept:
        count = functools.reduce(lambda a, b: a * b, [sizes[i] for i in kept])
        total = ops.segment_sum(values, _place(indices, sizes, kept), count)
    else:
        total = ops.sum(values)
    total = ops.cast(total, ops.dtype(ops.sum(values[:0])))  # small integers are added up as int32
    return ops.reshape(total, [
        1 if i in axes else n for i, n in enumerate(sizes) if keepdims or i not in axes
    ])


@_form("mean")
def _mean(x: Any, axis: Any, keepdims: bool) -> Any:
    """Sparse where the sum is."""
    sizes = ops.shape(x)
    count = math.prod([sizes[i] for i in axes_of(axis, len(sizes))])
    kind = dtypes.result_type(backends.active.dtype_of(x), float)
    return ops.divide(_sum(backends.active.cast(x, kind), axis, keepdims), ops.cast(count, kind))


# Shapes


@_form("reshape")
def _reshape(x: Any, newshape: Any) -> Any:
    indices, values = _parts(x)
    sizes = ops.shape(x)
    count = functools.reduce(lambda a, b: a * b, sizes, 1)
    new = resolve(target(newshape, sizes), count)
    place = _place(indices, sizes, range(len(sizes)))
    columns = []
    for n in reversed(new):
        n = ops.cast(n, backends.active.dtype_of(place))
        columns.append(ops.mod(place, n))
        place = ops.floor_divide(place, n)
    return backends.active.sparse(ops.stack(columns[::-1], -1), values, new)


@_form("ravel")
def _ravel(x: Any) -> Any:
    return _reshape(x, (-1,))


@_form("transpose")
def _transpose(x: Any, axes: Any) -> Any:
    sizes = ops.shape(x)
    axes = list(range(len(sizes)))[::-1] if axes is None else axes_of(list(axes), len(sizes))
    indices, values = _parts(x)
    turned = ops.stack([_column(indices, a) for a in axes], -1)
    return backends.active.sparse(turned, values, [sizes[a] for a in axes])


@_form("expand_dims")
def _expand_dims(x: Any, axis: Any) -> Any:
    sizes = list(ops.shape(x))
    indices, values = _parts(x)
    columns = [_column(indices, a) for a in range(len(sizes))]
    for place in sorted(axes_of(axis, len(sizes) + (len(axis) if _is_list(axis) else 1))):
        columns.insert(place, ops.zeros_like(columns[0]))
        sizes.insert(place, 1)
    return backends.active.sparse(ops.stack(columns, -1), values, sizes)


@_form("squeeze")
def _squeeze(x: Any, axis: Any) -> Any:
    sizes = ops.shape(x)
    axes = [i for i, n in enumerate(x.shape) if n == 1]
    if axis is not None:
        axes = axes_of(axis, len(sizes))
        if wrong := [i for i in axes if x.shape[i] not in (1, None)]:
            raise ShapeError(f"ops.squeeze: axis {wrong[0]} of {describe(x)} is not of size 1.")
    indices, values = _parts(x)
    kept = [i for i in range(len(sizes)) if i not in axes]
    columns = ops.stack([_column(indices, a) for a in kept], -1)
    return backends.active.sparse(columns, values, [sizes[a] for a in kept])


@_form("concatenate")
def _concatenate(xs: Any, axis: int) -> Any:
    """Sparse where all are, else dense."""
    if not all(map(_is_sparse, xs)):
        return ops.concatenate([_dense_of(x) for x in xs], axis)
    active = backends.active
    kind = dtypes.result_type(*map(active.dtype_of, xs))
    shapes = [list(ops.shape(x)) for x in xs]
    axis = axis_of(axis, len(shapes[0]))
    indices, values = zip(*(_parts(active.cast(x, kind)) for x in xs), strict=True)
    moved, before = [], 0
    for part, sizes in zip(indices, shapes, strict=True):
        columns = [_column(part, a) for a in range(len(sizes))]
        columns[axis] = ops.add(columns[axis], ops.cast(before, active.dtype_of(columns[axis])))
        moved.append(ops.stack(columns, -1))
        before = before + sizes[axis]
    whole = [before if a == axis else n for a, n in enumerate(shapes[0])]
    return active.sparse(ops.concatenate(moved, 0), ops.concatenate(values, 0), whole)


@_form("get_item")
def _get_item(x: Any, key: Any) -> Any:
    """A sparse tensor, by ints and slices."""
    sizes = ops.shape(x)
    keys = key if isinstance(key, tuple) else (key,)
    if not all(k is None or k is Ellipsis or isinstance(k, slice | int | np.integer) for k in keys):
        raise InvalidArgument(
            f"ops.get_item of {describe(x)}: sparse tensors are indexed by ints, slices, None and "
            "`...`. For other indices make it dense: ops.convert_to_tensor(x, sparse=False)."
        )
    indices, values = _parts(x)
    columns, left, kept, axis = [], [], None, 0
    for k in expand_key(keys, len(sizes)):
        if k is None:
            columns.append(ops.zeros_like(_column(indices, 0)))
            left.append(1)
            continue
        n, column = sizes[axis], _column(indices, axis)
        axis += 1
        if k == slice(None):
            columns.append(column)
            left.append(n)
            continue
        if not isinstance(n, int):
            raise ShapeError(
                f"ops.get_item of {describe(x)}: axis {axis - 1}, which is sliced, must be of a "
                "known size."
            )
        if isinstance(k, slice):
            chosen = range(*k.indices(n))
            place = ops.floor_divide(ops.subtract(column, chosen.start), chosen.step)
            here = ops.equal(ops.mod(ops.subtract(column, chosen.start), chosen.step), 0)
            here = ops.logical_and(here, ops.less(ops.cast(place, "int32"), len(chosen)))
            here = ops.logical_and(here, ops.greater_equal(place, 0))
            columns.append(place)
            left.append(len(chosen))
        else:
            if not -n <= k < n:
                raise ShapeError(
                    f"ops.get_item of {describe(x)}: index {k} is out of range on axis {axis - 1}, "
                    f"of size {n}."
                )
            here = ops.equal(column, int(k) % n)
        kept = here if kept is None else ops.logical_and(kept, here)
    active = backends.active
    if not left:
        return ops.sum(ops.where(kept, values, ops.zeros_like(values)))
    indices = ops.stack(columns, -1)
    if kept is not None:
        indices = ops.where(ops.expand_dims(kept, 1), indices, ops.zeros_like(indices))
        indices, values = active.compact(indices, ops.where(kept, values, ops.zeros_like(values)))
    return active.sparse(indices, values, left)


def _is_list(x: Any) -> bool:
    return isinstance(x, list | tuple)


# Tables


@_form("take")
def _take(x: Any, indices: Any, axis: int | None) -> Any:
    """Sparse indices are dense in the result, which has a slice for each: 0 where none stands."""
    if _is_sparse(x):
        raise InvalidArgument(f"ops.take takes a dense x, got {describe(x)}.")
    return ops.take(x, _to_dense(indices), axis)
