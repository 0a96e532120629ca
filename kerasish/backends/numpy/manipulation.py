"""NumPy: shapes, indices, joining, sorting and sums of products."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from kerasish.backends.numpy import rules_manipulation as rules
from kerasish.backends.numpy.rules_manipulation import (
    contract,
    pad_constant,
    put_block,
    scatter_entries,
    slide,
    unstacked,
)  # fmt: skip
from kerasish.backends.numpy.tape import getitem, strip
from kerasish.backends.shapes import axis_of, check_block, target
from kerasish.backends.subscripts import plan
from kerasish.dtypes import numpy_dtype
from kerasish.errors import ShapeError

__all__ = ["rules"]

transpose = np.transpose
swapaxes = np.swapaxes
moveaxis = np.moveaxis
broadcast_to = np.broadcast_to
concatenate = np.concatenate
stack = np.stack
flip = np.flip
roll = np.roll
tile = np.tile
diagonal = np.diagonal
diag = np.diag
tril = np.tril
triu = np.triu
take = np.take
get_item = getitem
sort = np.sort
slice_update = put_block
_scatter = scatter_entries
_slide = slide


def shape(x: Any) -> tuple[int, ...]:
    return x.shape


def reshape(x: Any, newshape: Any) -> Any:
    newshape = target(newshape, x.shape)
    if min(newshape, default=0) < -1:  # NumPy takes it for -1
        raise ShapeError(f"A size cannot be negative, got the shape {tuple(newshape)}.")
    return np.reshape(x, newshape)


def ravel(x: Any) -> Any:
    return np.reshape(x, -1)


def expand_dims(x: Any, axis: Any) -> Any:
    return np.expand_dims(x, tuple(axis) if isinstance(axis, list) else axis)


def squeeze(x: Any, axis: Any) -> Any:
    return np.squeeze(x, tuple(axis) if isinstance(axis, list) else axis)


def copy(x: Any) -> Any:
    return np.copy(x)


def _view(x: Any, dtype: str) -> Any:
    kind = numpy_dtype(dtype)
    return (x if kind.itemsize == x.itemsize else np.ascontiguousarray(x)).view(kind)


def split(x: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    return list(np.split(x, indices_or_sections, axis))


def _unstack(x: Any, num: int, axis: int) -> list[Any]:
    return unstacked(x, axis)


def take_along_axis(x: Any, indices: Any, axis: int | None) -> Any:
    if axis is None:
        x, indices, axis = np.reshape(x, -1), np.reshape(indices, -1), 0
    return np.take_along_axis(x, indices, axis)


def repeat(x: Any, repeats: Any, axis: int | None) -> Any:
    axis = None if axis is None else axis_of(axis, x.ndim)
    return np.repeat(x, strip(repeats), axis)


def _pad(x: Any, widths: Any, value: Any) -> Any:
    return pad_constant(x, widths, strip(value))


def nonzero(x: Any) -> tuple[Any, ...]:
    return tuple(i.astype(np.int32) for i in np.nonzero(x))


def _slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    check_block(inputs.shape, start_indices, shape)
    return inputs[rules.block(inputs, start_indices, shape)]


def argsort(x: Any, axis: int | None) -> Any:
    if axis is not None:
        axis_of(axis, x.ndim)  # NumPy counts a scalar as a vector here
    return np.argsort(strip(x), axis, kind="stable").astype(np.int32)


def _searchsorted(sorted_sequence: Any, values: Any, side: Literal["left", "right"]) -> Any:
    return np.asarray(np.searchsorted(strip(sorted_sequence), strip(values), side), np.int32)


def _bincount_length(x: Any, minlength: int) -> int:
    return max(minlength, int(x.max()) + 1 if x.size else 0)


def _unique(x: Any, axis: int | None, size: int | None, fill_value: Any) -> tuple[Any, ...]:
    x = strip(x)
    values, *found = np.unique(x, True, True, True, axis)
    index, inverse, counts = (i.astype(np.int32) for i in found)
    if size is not None:
        axis = axis or 0
        missing = max(size - values.shape[axis], 0)
        values = np.take(values, np.arange(min(size, values.shape[axis])), axis)
        width = [(0, missing if a == axis % values.ndim else 0) for a in range(values.ndim)]
        values = np.pad(values, width, constant_values=fill_value)
        index = np.append(index[:size], np.repeat([*index[:1], 0][:1], missing)).astype(np.int32)
        counts = np.pad(counts[:size], (0, missing))
    return values, index, inverse, counts


def _einsum(subscripts: str, operands: Any) -> Any:
    """Products of two by BLAS, in the cheapest order; two-byte floats are summed as float32."""
    dtype = operands[0].dtype
    if dtype.itemsize == 2 and dtype.kind not in "iu":
        return _einsum(subscripts, [x.astype(np.float32) for x in operands]).astype(dtype)
    first, products, final = plan(subscripts, tuple([x.shape for x in operands]))
    operands = [_simplified(x, steps) for x, steps in zip(operands, first, strict=True)]
    for i, j, pair in products:
        result = contract(pair, operands[i], operands[j])
        operands = [x for k, x in enumerate(operands) if k != i and k != j]
        operands.append(result)
    return operands[0] if final is None else np.transpose(operands[0], final)


def _simplified(x: Any, steps: Any) -> Any:
    for name, axes in steps:
        if name == "diagonal":
            x = np.diagonal(x, 0, *axes)
        elif name == "squeeze":
            x = np.squeeze(x, axes)
        else:
            x = np.sum(x, axes, x.dtype)
    return x


def size(x: Any) -> Any:
    return np.int32(math.prod(x.shape))
