"""PyTorch: shapes, indices, joining, sorting and sums of products."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kerasish import tree
from kerasish.backends.shapes import (
    axes_of,
    axes_taken,
    axis_of,
    block_key,
    check_block,
    expand_key,
    is_array_index,
    section_bounds,
    sizes_of,
    target,
)  # fmt: skip
from kerasish.backends.torch.array import _or_in_int64
from kerasish.backends.torch.engine import convert, native_dtype
from kerasish.errors import ShapeError

ravel = torch.ravel
copy = torch.clone
stack = torch.stack
tril = torch.tril
triu = torch.triu


def shape(x: Any) -> tuple[int, ...]:
    return tuple(x.shape)


def reshape(x: Any, newshape: Any) -> Any:
    return x.reshape(tuple(target(newshape, x.shape)))


def transpose(x: Any, axes: Any) -> Any:
    return x.permute(axes if axes is not None else tuple(range(x.ndim))[::-1])


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    return torch.movedim(x, axes_of(source, x.ndim), axes_of(destination, x.ndim))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    return x.transpose(axis_of(axis1, x.ndim), axis_of(axis2, x.ndim))


def concatenate(xs: Any, axis: int) -> Any:
    if any(x.dim() != xs[0].dim() for x in xs):  # torch leaves out empty vectors
        raise ShapeError(f"The tensors differ in rank: {[tuple(x.shape) for x in xs]}.")
    return torch.cat(xs, axis_of(axis, xs[0].dim()) if xs else axis)


def expand_dims(x: Any, axis: Any) -> Any:
    if isinstance(axis, int):
        return x.unsqueeze(axis)
    for a in sorted(axes_of(list(axis), x.ndim + len(axis))):
        x = x.unsqueeze(a)
    return x


def squeeze(x: Any, axis: Any) -> Any:
    if axis is None:
        return x.squeeze()
    axes = tuple(axes_of(axis, x.ndim))
    if any(x.shape[a] != 1 for a in axes):
        raise ShapeError(f"squeeze: only axes of size 1 can be dropped, got axis={axis} for the "
                         f"shape {tuple(x.shape)}.")
    return x.squeeze(axes)


def broadcast_to(x: Any, shape: Any) -> Any:
    shape = sizes_of(shape)
    if any(n < 0 for n in shape):  # -1 keeps a size in torch
        raise ShapeError(f"broadcast_to: sizes must not be negative, got {tuple(shape)}.")
    return x.broadcast_to(tuple(shape))


def _view(x: Any, dtype: str) -> Any:
    target = native_dtype(dtype)
    if not x.numel():
        size = x.shape[-1] * x.dtype.itemsize // target.itemsize
        return x.new_empty((*x.shape[:-1], size), dtype=target)
    return x.reshape(-1).reshape(x.shape).view(target)


def split(x: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    axis = axis_of(axis, x.ndim)
    if isinstance(indices_or_sections, int) and indices_or_sections > 0 and x.shape[axis]:
        section_bounds(x.shape[axis], indices_or_sections)
        return list(x.split(x.shape[axis] // indices_or_sections, axis))
    before = (slice(None),) * axis
    bounds = section_bounds(x.shape[axis], indices_or_sections)
    return [x[(*before, slice(start, stop))] for start, stop in bounds]


def _unstack(x: Any, num: int, axis: int) -> list[Any]:
    return list(x.unbind(axis))


def tile(x: Any, repeats: Any) -> Any:
    return x.tile(tuple(repeats) if np.ndim(repeats) else (repeats,))


def repeat(x: Any, repeats: Any, axis: int | None) -> Any:
    if not isinstance(repeats, int):
        repeats = convert(repeats).long()
    axis = None if axis is None else axis_of(axis, x.ndim)
    return torch.repeat_interleave(x, repeats, axis)


def flip(x: Any, axis: Any) -> Any:
    return x.flip(axes_of(axis, x.ndim))


def roll(x: Any, shift: Any, axis: Any) -> Any:
    if axis is None:
        return x.roll(int(np.sum(shift)))
    for a in np.atleast_1d(axis):
        axis_of(int(a), x.ndim)
    pairs = np.broadcast(shift, axis)
    if not pairs.size:
        return x
    shifts, axes = zip(*((int(s), int(a)) for s, a in pairs), strict=True)
    return x.roll(shifts, axes)


def _pad(x: Any, widths: Any, value: Any) -> Any:
    flat = [n for pair in reversed(widths) for n in pair]
    return torch.nn.functional.pad(x, flat, value=value)


def diagonal(x: Any, offset: int, axis1: int, axis2: int) -> Any:
    return x.diagonal(offset, axis1, axis2)


def diag(x: Any, k: int) -> Any:
    return torch.diag(x, k)


def get_item(x: Any, key: Any) -> Any:
    """NumPy's indexing: negative steps, and integers beside arrays are arrays too."""
    items = expand_key(key, x.ndim)
    arrays = any(is_array_index(k) for k in items)
    out, axis = [], 0
    for k in items:
        if isinstance(k, slice) and (k.step or 1) < 0:
            n = x.shape[axis]
            places = range(*k.indices(n))
            x = x.flip(axis)  # place i is now n - 1 - i
            k = slice(0, 0)
            if places:
                k = slice(n - 1 - places[0], n - places[-1], -places.step)
        elif is_array_index(k):
            k = convert(k)
            k = k if k.dtype is torch.bool else k.long()
        elif arrays and k is not None and not isinstance(k, slice):
            k = torch.tensor([int(k)], device=x.device)
        out.append(k)
        axis += axes_taken(k)
    return x[tuple(out)]


def take(x: Any, indices: Any, axis: int | None) -> Any:
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = axis_of(axis, x.ndim)
    indices = indices.long()
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    if axis == 0 and x.ndim == 2:
        return torch.nn.functional.embedding(indices, x)
    out = x.index_select(axis, indices.reshape(-1))
    return out.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def take_along_axis(x: Any, indices: Any, axis: int | None) -> Any:
    if axis is None:
        x, indices, axis = x.reshape(-1), indices.reshape(-1), 0
    axis = axis_of(axis, x.ndim)
    indices = indices.long()
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    if indices.ndim != x.ndim:
        raise ShapeError(f"The indices need the {x.ndim} axes of x, got {indices.ndim}.")
    # Not torch.take_along_dim, which turns an index that is out of range into another.
    sizes = list(np.broadcast_shapes(*(
        [1 if a == axis else n for a, n in enumerate(y.shape)] for y in (x, indices)
    )))
    x, indices = (
        y.expand([*sizes[:axis], y.shape[axis], *sizes[axis + 1 :]]) for y in (x, indices)
    )
    return x.gather(axis, indices)


def _slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    check_block(inputs.shape, start_indices, shape)
    return inputs[block_key(inputs.shape, start_indices.tolist(), shape)]


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    check_block(inputs.shape, start_indices, updates.shape)
    out = inputs.clone()
    out[block_key(inputs.shape, start_indices.tolist(), updates.shape)] = updates
    return out


def _scatter(inputs: Any, indices: Any, updates: Any, reduction: str | None) -> Any:
    key = tuple(indices.long().unbind(-1))
    if reduction in (None, "add"):
        return inputs.index_put(key, updates, accumulate=reduction == "add")
    # Flat places of every entry that is written to.
    entries = torch.arange(inputs.numel(), device=inputs.device).reshape(inputs.shape)[key]
    how = {"mul": "prod", "max": "amax", "min": "amin"}[reduction]
    flat = inputs.reshape(-1).scatter_reduce(
        0, entries.reshape(-1), updates.expand(entries.shape).reshape(-1), how
    )
    return flat.reshape(inputs.shape)


def sort(x: Any, axis: int | None) -> Any:
    if axis is None:
        return x.reshape(-1).sort(0).values
    return x.sort(axis_of(axis, x.ndim)).values


def argsort(x: Any, axis: int | None) -> Any:
    if axis is None:
        x, axis = x.reshape(-1), 0
    return x.argsort(dim=axis_of(axis, x.ndim), stable=True).int()


def _searchsorted(sorted_sequence: Any, values: Any, side: str) -> Any:
    return torch.searchsorted(sorted_sequence, values.contiguous(), side=side, out_int32=True)


def _bincount_length(x: Any, minlength: int) -> int:
    return max(minlength, int(x.max()) + 1 if x.numel() else 0)


def _einsum(subscripts: str, operands: Any) -> Any:
    return torch.einsum(subscripts, *operands).to(operands[0].dtype)


def _slide(x: Any, window: Any) -> Any:
    return torch.nn.functional.conv1d(x[None, None], window[None, None])[0, 0]


def _jvp(fun: Any, primals: Any, tangents: Any, has_aux: bool) -> Any:
    kept: list[Any] = []

    def tensors_only(*args: Any) -> Any:
        if not has_aux:
            return fun(*args), []
        value, aux = fun(*args)
        kept[:] = [aux]
        return value, [leaf for leaf in tree.flatten(aux) if isinstance(leaf, torch.Tensor)]

    value, slopes, tensors = torch.func.jvp(
        tensors_only, tuple(primals), tuple(tangents), has_aux=True
    )
    if not has_aux:
        return value, slopes
    rest = iter(tensors)
    aux = tree.map_structure(lambda x: next(rest) if isinstance(x, torch.Tensor) else x, kept[0])
    return value, slopes, aux


for _name in (
    "take take_along_axis _scatter sort argsort _searchsorted _bincount_length flip tril triu"
).split():
    globals()[_name] = _or_in_int64(globals()[_name])
