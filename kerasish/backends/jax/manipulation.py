"""JAX: shapes, indices, joining, sorting and sums of products."""

from __future__ import annotations

import builtins
import functools
import operator
import types
from typing import Any

import jax
import jax.experimental.sparse
import jax.numpy as jnp
import numpy as np

from kerasish.backends.jax.engine import native_dtype
from kerasish.backends.shapes import (
    axes_of,
    axis_of,
    check_block,
    check_indices,
    expand_key,
    section_bounds,
    sizes_of,
    target,
)  # fmt: skip
from kerasish.errors import InvalidArgument

swapaxes = jnp.swapaxes
ravel = jnp.ravel
copy = jnp.copy
concatenate = jnp.concatenate
stack = jnp.stack
flip = jnp.flip
roll = jnp.roll
diagonal = jnp.diagonal
diag = jnp.diag
tril = jnp.tril
triu = jnp.triu
dot = jnp.dot
inner = jnp.inner
outer = jnp.outer


def transpose(x: Any, axes: Any) -> Any:
    return jnp.transpose(x, axes if axes is None else axes_of(axes, x.ndim))


def tensordot(x1: Any, x2: Any, axes: Any) -> Any:
    return jnp.tensordot(x1, x2, int(operator.index(axes)) if np.ndim(axes) == 0 else axes)


def take(x: Any, indices: Any, axis: int | None) -> Any:
    if 0 not in x.shape:
        return jnp.take(x, indices, axis)
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = axis_of(axis, x.ndim)
    if indices.size and not x.shape[axis]:
        raise InvalidArgument(f"Axis {axis} of x is empty, there is nothing to take from it.")
    return jnp.zeros((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


def take_along_axis(x: Any, indices: Any, axis: int | None) -> Any:
    return jnp.take_along_axis(x, indices.reshape(-1) if axis is None else indices, axis)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    return jnp.moveaxis(x, axes_of(source, x.ndim), axes_of(destination, x.ndim))


def shape(x: Any) -> tuple[int, ...]:
    return x.shape


def reshape(x: Any, newshape: Any) -> Any:
    return jnp.reshape(x, target(newshape, x.shape))


def expand_dims(x: Any, axis: Any) -> Any:
    return jnp.expand_dims(x, tuple(axis) if isinstance(axis, list) else axis)


def squeeze(x: Any, axis: Any) -> Any:
    return jnp.squeeze(x, tuple(axis) if isinstance(axis, list) else axis)


def broadcast_to(x: Any, shape: Any) -> Any:
    return jnp.broadcast_to(x, tuple(sizes_of(shape)))


def _view(x: Any, dtype: str) -> Any:
    return x.view(native_dtype(dtype))


def split(x: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    axis = axis_of(axis, x.ndim)
    bounds = section_bounds(x.shape[axis], indices_or_sections)
    before = (slice(None),) * axis
    return [x[(*before, slice(a, b))] for a, b in bounds]


def _unstack(x: Any, num: int, axis: int) -> list[Any]:
    return list(jnp.unstack(x, axis=axis))


def tile(x: Any, repeats: Any) -> Any:
    if any(isinstance(n, jax.core.Tracer) for n in jax.tree.leaves(repeats)):
        raise InvalidArgument(
            "repeats is computed in a compiled function, where JAX needs to know the shape of the "
            "result. Give Python integers."
        )
    if builtins.any(n < 0 for n in np.atleast_1d(repeats)):
        raise InvalidArgument(f"repeats cannot be negative, got {repeats}.")
    return jnp.tile(x, repeats)


def repeat(x: Any, repeats: Any, axis: int | None) -> Any:
    axis = None if axis is None else axis_of(axis, x.ndim)
    return jnp.repeat(x, np.asarray(repeats), axis)


def _pad(x: Any, widths: Any, value: Any) -> Any:
    return jnp.pad(x, widths, constant_values=value)


def _listless(k: Any) -> Any:
    return np.asarray(k, None if k else int) if isinstance(k, list | range) else k


_UNCHECKED = (slice, jax.Array, np.ndarray, types.EllipsisType, type(None))


def get_item(x: Any, key: Any) -> Any:
    items = tuple(map(_listless, key)) if isinstance(key, tuple) else (_listless(key),)
    if not all(isinstance(k, _UNCHECKED) for k in items):  # JAX takes the nearest that is there
        check_indices(expand_key(items, x.ndim), x.shape)
    return x[items]


def nonzero(x: Any) -> tuple[Any, ...]:
    return tuple(i.astype("int32") for i in jnp.nonzero(x))


def size(x: Any) -> Any:
    # Known while a function is traced, so good for shapes; jax.export may leave sizes open.
    return np.int32(x.size) if isinstance(x.size, int) else x.size


def _slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    check_block(inputs.shape, start_indices, shape)
    return jax.lax.dynamic_slice(inputs, start_indices, shape)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    check_block(inputs.shape, start_indices, updates.shape)
    return jax.lax.dynamic_update_slice(inputs, updates, start_indices)


def _scatter(inputs: Any, indices: Any, updates: Any, reduction: str | None) -> Any:
    at = inputs.at[_places(indices)]
    if reduction in (None, "add"):
        return getattr(at, reduction or "set")(updates)
    return _combine(inputs, indices, updates, reduction)


def _places(indices: Any) -> tuple[Any, ...]:
    return tuple(jnp.moveaxis(indices, -1, 0))


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _combine(inputs: Any, indices: Any, updates: Any, reduction: str) -> Any:
    """A scatter by "mul", "max" or "min", for which JAX itself has no gradient."""
    return getattr(inputs.at[_places(indices)], reduction)(updates)


def _combine_forward(inputs: Any, indices: Any, updates: Any, reduction: str) -> Any:
    ans = _combine(inputs, indices, updates, reduction)
    return ans, (ans, inputs, indices, updates)


def _combine_backward(reduction: str, saved: Any, g: Any) -> Any:
    ans, inputs, indices, updates = saved
    key = _places(indices)
    if reduction == "mul":
        zero = updates == 0  # the quotient, where it exists
        others = jnp.where(zero, inputs[key], ans[key] / jnp.where(zero, 1, updates))
        return _combine(g, indices, updates, "mul"), None, g[key] * others
    mine, theirs = inputs == ans, updates == ans[key]
    share = g / (mine.astype(g.dtype)).at[key].add(theirs.astype(g.dtype))  # among equal ones
    return jnp.where(mine, share, 0), None, jnp.where(theirs, share[key], 0)


_combine.defvjp(_combine_forward, _combine_backward)


def sort(x: Any, axis: int | None) -> Any:
    return jnp.sort(x, axis)


def argsort(x: Any, axis: int | None) -> Any:
    return jnp.argsort(x, axis).astype("int32")


def _searchsorted(sorted_sequence: Any, values: Any, side: str) -> Any:
    return jnp.searchsorted(sorted_sequence, values, side).astype("int32")


def _bincount_length(x: Any, minlength: int) -> int:
    if not isinstance(x, jax.core.Tracer):
        return max(minlength, int(np.asarray(x).max()) + 1 if x.size else 0)
    if not minlength:
        raise InvalidArgument(
            "bincount: inside a compiled JAX function the length of the result must be known "
            "before: give it as minlength."
        )
    return minlength


def _unique(x: Any, axis: int | None, size: int | None, fill_value: Any) -> tuple[Any, ...]:
    values, index, inverse, counts = jnp.unique(
        x, True, True, True, axis, size=size, fill_value=fill_value
    )
    if size is not None and not x.size:  # JAX forgets to fill these
        index = counts = jnp.zeros(size, "int32")
    return values, *(i.astype("int32") for i in (index, inverse, counts))


def _einsum(subscripts: str, operands: Any) -> Any:
    return jnp.einsum(subscripts, *operands)


def _slide(x: Any, window: Any) -> Any:
    return jnp.correlate(x, jnp.conj(window), "valid")


def associative_scan(f: Any, elems: Any, reverse: bool, axis: int) -> Any:
    return jax.lax.associative_scan(f, elems, reverse, axis)


def _jvp(fun: Any, primals: Any, tangents: Any, has_aux: bool) -> Any:
    return jax.jvp(fun, tuple(primals), tuple(tangents), has_aux=has_aux)
