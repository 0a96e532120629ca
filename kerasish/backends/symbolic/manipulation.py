"""Shapes of what is reshaped, indexed, joined, sorted and summed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kerasish import dtypes
from kerasish.backends import subscripts as notation
from kerasish.backends.shapes import (
    axes_of,
    axes_taken,
    axis_of,
    check_block,
    check_indices,
    expand_key,
    is_array_index,
    resolve,
    section_bounds,
    sizes_of,
    target,
    together,
)  # fmt: skip
from kerasish.backends.symbolic.engine import Spec, Unknown
from kerasish.errors import ShapeError


def shape(x: Any) -> tuple[int, ...]:
    return x.shape


def like(x: Any, dtype: str | None = None) -> Spec:
    return Spec(x.shape, dtype or x.dtype)


def copy(x: Any) -> Spec:
    return like(x)


def reshape(x: Any, newshape: Any) -> Spec:
    return Spec(resolve(target(newshape, x.shape), x.size), x.dtype)


def transpose(x: Any, axes: Any) -> Spec:
    order = list(range(x.ndim))[::-1] if axes is None else axes_of(axes, x.ndim)
    if len(order) != x.ndim:
        raise ShapeError(f"transpose: axes {axes} for the shape {x.shape}.")
    return Spec([x.shape[a] for a in order], x.dtype)


def broadcast_to(x: Any, shape: Any) -> Spec:
    shape = tuple(sizes_of(shape))
    if len(shape) < x.ndim or any(
        n not in (1, m) and type(n) is not Unknown
        for n, m in zip(x.shape[::-1], shape[::-1], strict=False)
    ):
        raise ShapeError(f"A tensor of shape {x.shape} does not broadcast to {shape}.")
    return Spec(shape, x.dtype)


def concatenate(xs: Any, axis: int) -> Spec:
    axis = axis_of(axis, xs[0].ndim)
    rests = {x.shape[:axis] + x.shape[axis + 1 :] for x in xs}
    if len(rests) > 1:
        raise ShapeError(
            f"concatenate: the shapes {[x.shape for x in xs]} differ in more than axis {axis}."
        )
    size = xs[0].shape[axis]
    for x in xs[1:]:
        size = size + x.shape[axis]
    return Spec((*xs[0].shape[:axis], size, *xs[0].shape[axis + 1 :]), xs[0].dtype)


def diagonal(x: Any, offset: int, axis1: int, axis2: int) -> Spec:
    a, b = axes_of((axis1, axis2), x.ndim)
    rows, columns = x.shape[a], x.shape[b]
    count = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    if Unknown in (type(rows), type(columns)):
        count = Unknown(count)
    return Spec([*(n for i, n in enumerate(x.shape) if i not in (a, b)), count], x.dtype)


def roll(x: Any, shift: Any, axis: Any) -> Spec:
    for a in [] if axis is None else np.atleast_1d(axis):
        axis_of(int(a), x.ndim)
    np.broadcast(shift, 0 if axis is None else axis)  # tells of numbers that differ
    return like(x)


def flip(x: Any, axis: Any) -> Spec:
    axes_of(axis, x.ndim)
    return like(x)


def _pad(x: Any, widths: Any, value: Any) -> Spec:
    return Spec([n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)], x.dtype)


def _view(x: Any, dtype: str) -> Spec:
    old, new = (dtypes.numpy_dtype(d).itemsize for d in (x.dtype, dtype))
    if old != new and x.shape[-1] * old % new:
        raise ShapeError(f"{x.shape[-1]} values of {x.dtype} are no whole number of {dtype}.")
    return Spec((*x.shape[:-1], x.shape[-1] * old // new) if old != new else x.shape, dtype)


def unstack(x: Any, num: int | None, axis: int) -> list[Spec]:
    axis = axis_of(axis, x.ndim)
    size = x.shape[axis]
    if num is None and type(size) is Unknown:
        raise ShapeError(f"unstack: the size of axis {axis} is unknown; give it as num.")
    if num is not None and type(size) is not Unknown and num != size:
        raise ShapeError(f"unstack: num is {num}, but axis {axis} has {size} slices.")
    part = Spec(x.shape[:axis] + x.shape[axis + 1 :], x.dtype)
    return [part] * (size if num is None else num)


def _sliced(k: slice, size: int) -> int:
    n = len(range(*k.indices(int(size))))
    return Unknown(n) if type(size) is Unknown else n  # a short axis may end before the slice


def split(x: Any, indices_or_sections: Any, axis: int) -> list[Spec]:
    axis = axis_of(axis, x.ndim)
    size = x.shape[axis]

    def piece(start: Any, stop: Any) -> Any:
        # Of an axis of unknown size it is taken to reach to the cuts that are told.
        reached = type(size) is Unknown and 0 <= start <= stop
        return stop - start if reached else _sliced(slice(start, stop), size)

    return [
        Spec((*x.shape[:axis], piece(start, stop), *x.shape[axis + 1 :]), x.dtype)
        for start, stop in section_bounds(size, indices_or_sections)
    ]


def get_item(x: Any, key: Any) -> Spec:
    items = expand_key(key, x.ndim)
    check_indices(items, x.shape)
    arrays = any(is_array_index(k) for k in items)
    sizes: list[int] = []
    blocks: list[tuple[int, ...]] = []
    is_array: list[bool] = []
    first, axis = None, 0
    for k in items:
        if k is None or isinstance(k, slice):
            sizes.append(1 if k is None else _sliced(k, x.shape[axis]))
            is_array.append(False)
        else:
            if arrays:
                first = len(sizes) if first is None else first
                blocks.append(_index_shape(k))
                is_array.append(True)
        axis += axes_taken(k)
    if not arrays:
        return Spec(sizes, x.dtype)
    at = first if together(is_array) else 0
    return Spec((*sizes[:at], *_broadcast(blocks), *sizes[at:]), x.dtype)


def _index_shape(k: Any) -> tuple[int, ...]:
    if not is_array_index(k):
        return ()
    if not str(k.dtype).endswith("bool"):
        return tuple(k.shape)
    if isinstance(k, np.ndarray):
        return (int(np.count_nonzero(k)),)
    return (Unknown(math.prod(k.shape)),)


def _broadcast(shapes: Any) -> tuple[int, ...]:
    ndim = max(map(len, shapes))
    out: list[int] = [1] * ndim
    for shape in shapes:
        for i, n in enumerate(shape, ndim - len(shape)):
            if n != 1:
                if out[i] not in (1, n) and Unknown not in (type(n), type(out[i])):
                    raise ShapeError(f"Index arrays of shapes {list(shapes)} do not broadcast.")
                out[i] = n if type(n) is not Unknown or out[i] == 1 else out[i]
    return tuple(out)


def take_along_axis(x: Any, indices: Any, axis: int | None) -> Spec:
    if axis is None:
        return Spec((indices.size,), x.dtype)
    if indices.ndim != x.ndim:
        raise ShapeError(f"take_along_axis: indices need the {x.ndim} axes of x, got "
                         f"{indices.ndim}.")
    axis = axis_of(axis, x.ndim)
    rest = _broadcast([[1 if a == axis else n for a, n in enumerate(s.shape)]
                       for s in (x, indices)])  # fmt: skip
    return Spec([indices.shape[axis] if a == axis else n for a, n in enumerate(rest)], x.dtype)


def nonzero(x: Any) -> tuple[Spec, ...]:
    if not x.shape:
        raise ShapeError("nonzero takes a tensor with axes, got a scalar.")
    return tuple(Spec((Unknown(x.size),), "int32") for _ in x.shape)


def _check_block(inputs: Any, start_indices: Any, block: Any) -> None:
    check_block(_known(inputs.shape), Spec(_known(start_indices.shape), "int32"), _known(block))


def _known(sizes: Any) -> list[Any]:
    return [None if type(n) is Unknown else n for n in sizes]


def _slice(inputs: Any, start_indices: Any, shape: Any) -> Spec:
    _check_block(inputs, start_indices, shape)
    return Spec(shape, inputs.dtype)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Spec:
    _check_block(inputs, start_indices, updates.shape)
    return like(inputs)


def _scatter(inputs: Any, indices: Any, updates: Any, reduction: str | None) -> Spec:
    return like(inputs)


def sort(x: Any, axis: int | None) -> Spec:
    if axis is None:
        return Spec((x.size,), x.dtype)
    axis_of(axis, x.ndim)
    return like(x)


def argsort(x: Any, axis: int | None) -> Spec:
    return like(sort(x, axis), "int32")


def _searchsorted(sorted_sequence: Any, values: Any, side: str) -> Spec:
    return like(values, "int32")


def _bincount_length(x: Any, minlength: int) -> int:
    return Unknown(x.size)


def _unique(x: Any, axis: int | None, size: int | None, fill_value: Any) -> tuple[Spec, ...]:
    whole = x.size if axis is None else x.shape[axis]
    found = Unknown(whole) if size is None else size
    values = (found,)
    if axis is not None:
        axis = axis_of(axis, x.ndim)
        values = (*x.shape[:axis], found, *x.shape[axis + 1 :])
    inverse = x.shape if axis is None else (whole,)
    return Spec(values, x.dtype), *(Spec(s, "int32") for s in ((found,), inverse, (found,)))


def _einsum(subscripts: str, operands: Any) -> Spec:
    terms, out = notation.parse(subscripts, tuple(x.ndim for x in operands))
    size = notation.sizes(terms, [x.shape for x in operands])
    return Spec([size[c] for c in out], operands[0].dtype)


def _slide(x: Any, window: Any) -> Spec:
    return Spec((x.shape[0] - window.shape[0] + 1,), x.dtype)
