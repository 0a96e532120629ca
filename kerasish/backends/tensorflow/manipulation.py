"""TensorFlow: shapes, indices, joining, sorting and sums of products."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_dynamic_update_slice
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from kerasish.backends import bodies
from kerasish.backends.shapes import (
    axes_of,
    axis_of,
    check_block,
    check_indices,
    expand_key,
    is_array_index,
    section_bounds,
    sizes_of,
    target,
    together,
)  # fmt: skip
from kerasish.backends.subscripts import without_ones
from kerasish.backends.tensorflow.engine import cast, convert
from kerasish.errors import InvalidArgument

copy = tf.identity


def shape(x: Any) -> tuple[Any, ...]:
    static = x.shape.as_list()
    if None in static:
        dynamic = tf.shape(x)
        return tuple(dynamic[i] if n is None else n for i, n in enumerate(static))
    return tuple(static)


def reshape(x: Any, newshape: Any) -> Any:
    return tf.reshape(x, target(newshape, shape(x)))


def transpose(x: Any, axes: Any) -> Any:
    return tf.transpose(x, axes if axes is None else axes_of(axes, len(x.shape)))


def expand_dims(x: Any, axis: Any) -> Any:
    axes = [axis] if isinstance(axis, int) else list(axis)
    for a in sorted(axes_of(axes, len(x.shape) + len(axes))):
        x = tf.expand_dims(x, a)
    return x


def squeeze(x: Any, axis: Any) -> Any:
    if isinstance(axis, tuple | list) and not axis:  # TensorFlow takes it for all axes
        return x
    return tf.squeeze(x, axis if axis is None else axes_of(axis, len(x.shape)))


def broadcast_to(x: Any, shape: Any) -> Any:
    return tf.broadcast_to(x, sizes_of(shape))


def _view(x: Any, dtype: str) -> Any:
    if x.dtype == tf.bool:
        x = tf.cast(x, "uint8")
    if dtype == "bool":
        return tf.cast(_view(x, "uint8"), "bool")
    old, new = x.dtype.size, tf.as_dtype(dtype).size
    if old < new:
        *rest, n = shape(x)
        x = tf.reshape(x, (*rest, n // (new // old), new // old))
    out = tf.bitcast(x, dtype)
    if old > new:
        *rest, n, parts = shape(out)
        out = tf.reshape(out, (*rest, n * parts))
    return out


def concatenate(xs: Any, axis: int) -> Any:
    return tf.concat(xs, axis)


def stack(x: Any, axis: int) -> Any:
    if not x:
        raise InvalidArgument("stack takes at least one tensor.")
    return tf.stack(x, axis)


def split(x: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    axis = axis_of(axis, len(x.shape))
    size = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if size is not None:
            section_bounds(size, indices_or_sections)  # says what is wrong in our words
        return tf.split(x, indices_or_sections, axis)
    bounds = section_bounds(size, indices_or_sections)
    before = (slice(None),) * axis
    return [x[(*before, slice(start, stop))] for start, stop in bounds]


def diagonal(x: Any, offset: int, axis1: int, axis2: int) -> Any:
    if None not in (x.shape[axis1], x.shape[axis2]):
        return bodies["diagonal"](x, offset, axis1, axis2)
    x = bodies["moveaxis"](x, (axis1, axis2), (-2, -1))
    *batch, rows, columns = shape(x)
    below, above = max(-offset, 0), max(offset, 0)
    at = tf.range(tf.minimum(rows - below, columns - above))
    flat = tf.reshape(x, (*batch, rows * columns))
    return tf.gather(flat, (at + below) * columns + at + above, axis=-1)


def _unstack(x: Any, num: int, axis: int) -> list[Any]:
    return tf.unstack(x, num, axis)


def repeat(x: Any, repeats: Any, axis: int | None) -> Any:
    axis = None if axis is None else axis_of(axis, len(x.shape))
    if isinstance(repeats, tuple) and min(repeats, default=0) < 0:
        raise InvalidArgument(f"repeats must not be negative, got {repeats}.")
    if x.dtype == tf.uint16:  # has no kernel
        return tf.cast(tf.repeat(tf.cast(x, tf.int32), repeats, axis), tf.uint16)
    return tf.repeat(x, repeats, axis)


def flip(x: Any, axis: Any) -> Any:
    return tf.reverse(x, axes_of(axis, len(x.shape)))


def roll(x: Any, shift: Any, axis: Any) -> Any:
    if axis is None:
        return tf.reshape(tf.roll(tf.reshape(x, (-1,)), int(np.sum(shift)), 0), shape(x))
    pairs = np.broadcast(shift, axis)
    if not pairs.size:
        return x
    shifts, axes = zip(*((int(s), int(a)) for s, a in pairs), strict=True)
    return tf.roll(x, shifts, axes)


def _pad(x: Any, widths: Any, value: Any) -> Any:
    return tf.pad(x, widths, constant_values=tf.cast(value, x.dtype))


def tril(x: Any, k: int) -> Any:
    return _band(x, None, k)


def triu(x: Any, k: int) -> Any:
    return _band(x, k, None)


def _band(x: Any, low: int | None, high: int | None) -> Any:
    """Keeps the diagonals from `low` to `high`."""
    rows, columns = shape(x)[-2:]
    gap = tf.range(columns) - tf.range(rows)[:, None]
    keep = gap <= high if low is None else gap >= low
    return tf.where(keep, x, tf.zeros((), x.dtype))


def get_item(x: Any, key: Any) -> Any:
    """NumPy's indexing, for which TensorFlow's own lacks arrays, masks and their mixtures."""
    items = expand_key(key, len(x.shape))
    if not any(is_array_index(k) for k in items):
        return x[tuple(items)]
    check_indices(items, x.shape.as_list())
    # First what is not an array: slices and new axes. The rest waits: (array, its axis then).
    basic: list[Any] = []
    arrays: list[tuple[Any, int]] = []
    is_array: list[bool] = []
    axis = 0
    for k in items:
        if _is_mask(k) and not k.shape:  # True is one new place, False none
            basic.append(tf.newaxis)
            is_array.append(True)
            arrays.append((tf.range(tf.cast(k, "int32")), axis))
            axis += 1
            continue
        if k is None or isinstance(k, slice):
            basic.append(tf.newaxis if k is None else k)
            is_array.append(False)
            axis += 1
            continue
        for part in tf.unstack(tf.where(k), axis=1) if _is_mask(k) else [k]:
            basic.append(slice(None))
            is_array.append(True)
            arrays.append((tf.cast(tf.convert_to_tensor(part), "int32"), axis))
            axis += 1
    x = x[tuple(basic)]
    sizes = shape(x)
    arrays = [(tf.where(i < 0, i + sizes[a], i), a) for i, a in arrays]
    places = [a for _, a in arrays]
    if len(arrays) == 1:
        return tf.gather(x, arrays[0][0], axis=places[0])
    first = places[0] if together(is_array) else 0
    rest = [a for a in range(axis) if a not in places]
    x = tf.transpose(x, places + rest)
    common = arrays[0][0]
    for i, _ in arrays[1:]:
        common = common + tf.zeros_like(i)
    index = tf.stack([i + tf.zeros_like(common) for i, _ in arrays], -1)
    out = tf.gather_nd(x, index)
    # The axes of the index come first; they belong where the arrays stood.
    width = len(common.shape)
    order = [*range(width, width + first), *range(width), *range(width + first, len(out.shape))]
    return tf.transpose(out, order) if first else out


def _is_mask(k: Any) -> bool:
    return is_array_index(k) and k.dtype in (tf.bool, np.bool_)


def _inside(indices: Any, size: Any) -> Any:
    indices = tf.cast(indices, "int64" if indices.dtype in ("int64", "uint32") else "int32")
    return tf.where(indices < 0, indices + tf.cast(size, indices.dtype), indices)


def take(x: Any, indices: Any, axis: int | None) -> Any:
    if axis is None:
        x, axis = tf.reshape(x, (-1,)), 0
    axis = axis_of(axis, len(x.shape))
    return tf.gather(x, _inside(indices, shape(x)[axis]), axis=axis)


def take_along_axis(x: Any, indices: Any, axis: int | None) -> Any:
    if axis is None:
        x, indices, axis = tf.reshape(x, (-1,)), tf.reshape(indices, (-1,)), 0
    ndim = len(x.shape)
    axis = axis_of(axis, ndim)
    indices = _inside(indices, shape(x)[axis])
    # The other axes in front, of the same sizes for both.
    order = [a for a in range(ndim) if a != axis] + [axis]
    x, indices = tf.transpose(x, order), tf.transpose(indices, order)
    common = tf.broadcast_static_shape(x.shape[:-1], indices.shape[:-1])
    if not common.is_fully_defined():
        dynamic = tf.broadcast_dynamic_shape(tf.shape(x)[:-1], tf.shape(indices)[:-1])
        common = [dynamic[i] if n is None else n for i, n in enumerate(common)]
    x = tf.broadcast_to(x, (*common, shape(x)[-1]))
    indices = tf.broadcast_to(indices, (*common, shape(indices)[-1]))
    out = tf.gather(x, indices, axis=-1, batch_dims=ndim - 1)
    return tf.transpose(out, np.argsort(order))


def nonzero(x: Any) -> tuple[Any, ...]:
    x = x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros((), x.dtype))
    return tuple(tf.unstack(tf.cast(tf.where(x), "int32"), num=len(x.shape), axis=1))


def _start(inputs: Any, start_indices: Any, block: Any) -> Any:
    """Where a block begins: see `block_key`."""
    start, sizes = tf.cast(start_indices, "int32"), tf.shape(inputs)
    return tf.clip_by_value(tf.where(start < 0, start + sizes, start), 0, sizes - block)


def _slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    check_block(inputs.shape, start_indices, [n if isinstance(n, int) else None for n in shape])
    block = tf.cast(shape, "int32")
    return tf.slice(inputs, _start(inputs, start_indices, block), block)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    check_block(inputs.shape, start_indices, updates.shape)
    block = tf.shape(updates)
    start = _start(inputs, start_indices, block)
    if GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):  # it knows no other such
        return xla_dynamic_update_slice(inputs, updates, start)
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=inputs, begin=start, end=start + block, strides=tf.ones_like(start), value=updates
    )


_SCATTER = {
    None: tf.tensor_scatter_nd_update, "add": tf.tensor_scatter_nd_add,
    "max": tf.tensor_scatter_nd_max, "min": tf.tensor_scatter_nd_min,
}  # fmt: skip


def _scatter(inputs: Any, indices: Any, updates: Any, reduction: str | None) -> Any:
    depth = shape(indices)[-1]
    sizes = tf.stack(shape(inputs))
    front, rest = sizes[:depth], sizes[depth:]
    indices = _inside(indices, front)
    updates = tf.broadcast_to(updates, tf.concat([tf.shape(indices)[:-1], rest], 0))
    if reduction != "mul":
        return _SCATTER[reduction](inputs, indices, updates)
    strides = tf.math.cumprod(front, exclusive=True, reverse=True)
    flat = tf.reduce_sum(indices * tf.cast(strides, indices.dtype), -1)
    factors = tf.math.unsorted_segment_prod(
        tf.reshape(updates, tf.concat([[-1], rest], 0)), tf.reshape(flat, (-1,)),
        tf.reduce_prod(front),
    )  # fmt: skip
    return inputs * tf.reshape(factors, sizes)


def argsort(x: Any, axis: int | None) -> Any:
    if axis is None:
        x, axis = tf.reshape(x, (-1,)), 0
    axis = axis_of(axis, x.shape.rank)
    return tf.argsort(cast(x, "int32") if x.dtype == tf.bool else x, axis, stable=True)


def _searchsorted(sorted_sequence: Any, values: Any, side: str) -> Any:
    if sorted_sequence.dtype not in (tf.float32, tf.float64, tf.int32, tf.int64):
        wide = "float32" if sorted_sequence.dtype.is_floating else "int64"
        sorted_sequence, values = tf.cast(sorted_sequence, wide), tf.cast(values, wide)
    found = tf.searchsorted(sorted_sequence, tf.reshape(values, (-1,)), side)
    return tf.reshape(found, shape(values))


def _bincount_length(x: Any, minlength: int) -> Any:
    found = tf.cast(tf.reduce_max(x), "int32") + 1
    length = tf.where(tf.size(x) > 0, tf.maximum(found, minlength), minlength)
    return int(length) if tf.executing_eagerly() else length


def _einsum(subscripts: str, operands: Any) -> Any:
    subscripts, ones = without_ones(subscripts, tuple([tuple(x.shape) for x in operands]))
    operands = [tf.squeeze(x, a) if a else x for x, a in zip(operands, ones, strict=True)]
    return tf.einsum(subscripts, *operands)


def _jvp(fun: Any, primals: Any, tangents: Any, has_aux: bool) -> Any:
    with tf.autodiff.ForwardAccumulator(tuple(primals), tuple(tangents)) as forward:
        out = fun(*primals)
    value, aux = out if has_aux else (out, None)
    slopes = forward.jvp(value, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return (value, slopes, aux) if has_aux else (value, slopes)


def convert_ragged(x: Any, ragged: bool | None) -> Any:
    """Dense to ragged and back, as `convert_to_tensor` was asked to."""
    if isinstance(x, tf.RaggedTensor):
        return x.to_tensor() if ragged is False else x
    return tf.RaggedTensor.from_tensor(convert(x)) if ragged else x


def tile(x: Any, repeats: Any) -> Any:
    if isinstance(repeats, int | np.integer):
        repeats = [repeats]
    repeats = tf.cast(repeats, "int32")  # may be a tensor, or a list with tensors in it
    missing = len(x.shape) - repeats.shape[0]
    if missing > 0:
        repeats = tf.concat([tf.ones(missing, "int32"), repeats], 0)
    elif missing < 0:
        x = tf.reshape(x, tf.concat([tf.ones(-missing, "int32"), tf.shape(x)], 0))
    if x.dtype == tf.uint16:  # has no kernel on the CPU
        return tf.cast(tf.tile(tf.cast(x, tf.int32), repeats), x.dtype)
    return tf.tile(x, repeats)
