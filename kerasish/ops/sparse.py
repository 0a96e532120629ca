"""What ops do with sparse tensors: by their entries (indices, values), the same on every engine.

A function that keeps zero at zero acts on the values. A result that is dense by nature (a sum, a
product of matrices) is made from the entries. Any other op raises an error rather than make a
dense copy that nobody asked for.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from kerasish import backends, dtypes, ops
from kerasish.backends.shapes import axes_of, axis_of, resolve, target
from kerasish.core.op import describe
from kerasish.errors import InvalidArgument, ShapeError

_ZERO_STAYS_ZERO = """
abs absolute arcsin arcsinh arctan arctanh cbrt ceil celu conj conjugate copy deg2rad elu expm1
fix floor gelu hard_shrink hard_silu hard_swish hard_tanh imag isinf isnan leaky_relu log1p
negative rad2deg real relu relu6 round selu sign silu sin sinh soft_shrink softsign sqrt square
stop_gradient tan tanh tanh_shrink trunc
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
    """(indices of shape (n, axes), values of shape (n,))"""
    return backends.active.sparse_parts(x)


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
        indices, values = _parts(x)
        return backends.active.sparse(indices, getattr(ops, name)(values, *rest), ops.shape(x))

    return form


for _name in _ZERO_STAYS_ZERO.split():
    backends.sparse_forms[_name] = _on_values(_name)


@_form("_to_dense")
def _to_dense(x: Any) -> Any:
    indices, values = _parts(x)
    return ops.scatter(indices, values, ops.shape(x))


@_form("_to_sparse")
def _itself(x: Any) -> Any:
    return x


# Arithmetic


def _scaled(name: str, x1: Any, x2: Any) -> Any:
    """A sparse tensor times, or over, a number or a dense tensor."""
    if _is_sparse(x2):
        if name == "divide" or _is_sparse(x1):
            raise InvalidArgument(
                f"ops.{name} of {describe(x1)} and {describe(x2)}: only a factor or a dividend may "
                "be sparse, and one alone. Make the other dense: "
                "ops.convert_to_tensor(x, sparse=False)."
            )
        return _scaled(name, x2, x1)
    indices, values = _parts(x1)
    sizes = ops.shape(x1)
    if hasattr(x2, "shape") or isinstance(x2, list | tuple):
        x2 = _at(indices, sizes, ops.convert_to_tensor(x2), name, x1)
    return backends.active.sparse(indices, getattr(ops, name)(values, x2), sizes)


_form("multiply")(functools.partial(_scaled, "multiply"))
_form("divide")(functools.partial(_scaled, "divide"))


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
        x1, x2 = (_to_dense(x) if _is_sparse(x) else x for x in (x1, x2))
        return getattr(ops, name)(x1, x2)
    if tuple(x1.shape) != tuple(x2.shape):
        raise ShapeError(
            f"ops.{name} of sparse tensors: the shapes must be equal, got {describe(x1)} and "
            f"{describe(x2)}."
        )
    active = backends.active
    kind = dtypes.result_type(active.dtype_of(x1), active.dtype_of(x2))
    x2 = ops.negative(x2) if name == "subtract" else x2
    return active.sparse_add(active.cast(x1, kind), active.cast(x2, kind))


_form("add")(functools.partial(_sum_of, "add"))
_form("subtract")(functools.partial(_sum_of, "subtract"))


# Products of matrices


@_form("matmul dot")
def _matmul(x1: Any, x2: Any) -> Any:
    """A dense tensor; only one of the two may be sparse."""
    if _is_sparse(x1) and _is_sparse(x2):
        raise InvalidArgument(
            f"ops.matmul of {describe(x1)} and {describe(x2)}: one of them must be dense. Make it "
            "so: ops.convert_to_tensor(x, sparse=False)."
        )
    if _is_sparse(x2):
        if len(x1.shape) != 2 or len(x2.shape) != 2:
            _two_axes(x1, x2)
        return ops.transpose(_matmul(ops.transpose(x2), ops.transpose(x1)))
    x2 = ops.convert_to_tensor(x2)
    if len(x2.shape) != 2 or len(x1.shape) < 2:
        _two_axes(x1, x2)
    sizes = ops.shape(x1)
    if len(sizes) > 2:
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
    if product is NotImplemented:
        indices, values = _parts(x1)
        rows = ops.take(x2, _column(indices, 1), axis=0)
        weighted = ops.multiply(ops.expand_dims(values, 1), rows)
        product = ops.segment_sum(weighted, _column(indices, 0), sizes[0])
    return product if kind == "int8" else active.cast(product, kind)


_NARROW = ("bool", "int8", "uint8", "int16", "uint16")


def _two_axes(x1: Any, x2: Any) -> Any:
    raise ShapeError(
        f"ops.matmul: a sparse tensor of shape (..., m, k) takes a dense one of shape (k, n), and "
        f"a sparse one of shape (k, n) a dense one of shape (m, k); got {describe(x1)} and "
        f"{describe(x2)}."
    )


@_form("_dense")
def _dense(x: Any, kernel: Any, bias: Any) -> Any:
    y = _matmul(x, kernel)
    return y if bias is None else ops.add(y, bias)


# Sums


@_form("sum")
def _sum(x: Any, axis: Any, keepdims: bool) -> Any:
    """A dense tensor."""
    indices, values = _parts(x)
    sizes = ops.shape(x)
    axes = axes_of(axis, len(sizes))
    kept = [i for i in range(len(sizes)) if i not in axes]
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
    """A dense tensor."""
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
    """Sparse where all are."""
    if not all(map(_is_sparse, xs)):
        raise InvalidArgument(
            f"ops.concatenate takes sparse tensors or dense ones, got both: {describe(list(xs))}. "
            "Convert with ops.convert_to_tensor(x, sparse=...)."
        )
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


def _is_list(x: Any) -> bool:
    return isinstance(x, list | tuple)


# Tables


@_form("take")
def _take(x: Any, indices: Any, axis: int | None) -> Any:
    """Sparse indices are dense in the result, which has a slice for each: 0 where none stands."""
    if _is_sparse(x):
        raise InvalidArgument(f"ops.take takes a dense x, got {describe(x)}.")
    return ops.take(x, _to_dense(indices), axis)
