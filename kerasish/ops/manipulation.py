"""Shapes, axes, joining and splitting, padding, and arrays made of others' entries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerasish import dtypes, ops
from kerasish.backends.shapes import axes_of, axis_of, section_bounds
from kerasish.core.op import op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import DTypeError, InvalidArgument, ShapeError
from kerasish.ops.core import cast, shape

__all__ = [
    "append", "array_split", "broadcast_to", "concatenate", "copy", "diag", "diagflat", "diagonal",
    "diff", "dsplit", "dstack", "expand_dims", "flip", "fliplr", "flipud", "hsplit", "hstack",
    "moveaxis", "ndim", "pad", "ravel", "repeat", "reshape", "roll", "rot90", "size", "split",
    "squeeze", "stack", "swapaxes", "tile", "transpose", "trapezoid", "tril", "triu", "unstack",
    "vander", "view", "vsplit", "vstack",
]  # fmt: skip


# Shapes and axes


@op(convert="x")
def reshape(x: Any, newshape: int | Sequence[int | None]) -> Any:
    """The same values in another shape.

    Args:
        x: a tensor.
        newshape: an int or a sequence of ints. One of them may be -1, and is computed from the
            number of values. `None` is taken as -1, or, next to a -1, as the size that `x` has
            there.

    >>> import kerasish as keras
    >>> keras.ops.reshape([[1, 2, 3], [4, 5, 6]], (3, -1)).tolist()
    [[1, 2], [3, 4], [5, 6]]
    """


@op(convert="x")
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """`x` with its axes in another order, reversed by default.

    Args:
        x: a tensor.
        axes: for each axis of the result, which axis of `x` it is.

    >>> import kerasish as keras
    >>> keras.ops.transpose([[1, 2, 3], [4, 5, 6]]).tolist()
    [[1, 4], [2, 5], [3, 6]]
    """


@op(convert="x")
def expand_dims(x: Any, axis: int | Sequence[int]) -> Any:
    """`x` with new axes of size one.

    Args:
        x: a tensor.
        axis: where the new axes are in the result; one or several.

    >>> import kerasish as keras
    >>> keras.ops.expand_dims([1, 2], axis=-1).tolist()
    [[1], [2]]
    """
    axes = [axis] if isinstance(axis, int) else axis
    ndim = len(x.shape) + len(axes)
    new = axes_of(list(axes), ndim)
    old = iter(shape(x))
    return reshape(x, [1 if a in new else next(old) for a in range(ndim)])


@op(convert="x")
def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """`x` without axes of size one.

    Args:
        x: a tensor.
        axis: the axes to drop; by default all of size one.

    >>> import kerasish as keras
    >>> keras.ops.squeeze([[[1], [2]]]).tolist()
    [1, 2]
    """
    sizes = shape(x)
    if axis is None:
        return reshape(x, [n for n in sizes if not (isinstance(n, int) and n == 1)])
    drop = axes_of(axis, len(sizes))
    if any(isinstance(sizes[a], int) and sizes[a] != 1 for a in drop):
        raise ShapeError(f"squeeze: only axes of size 1 can be dropped, got axis={axis} for the "
                         f"shape {tuple(sizes)}.")
    return reshape(x, [n for a, n in enumerate(sizes) if a not in drop])


@op(convert="x")
def broadcast_to(x: Any, shape: int | Sequence[int]) -> Any:
    """`x` repeated along axes of size one (and new axes in front) to a larger shape.

    Args:
        x: a tensor.
        shape: the result's shape; its last sizes are those of `x`, where these are not 1.

    >>> import kerasish as keras
    >>> keras.ops.broadcast_to([1, 2], (2, 2)).tolist()
    [[1, 2], [1, 2]]
    """


@op(convert="x")
def ravel(x: Any) -> Any:
    """All values in one axis.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.ravel([[1, 2], [3, 4]]).tolist()
    [1, 2, 3, 4]
    """
    return reshape(x, (-1,))


@op(convert="x")
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """`x` with two axes exchanged.

    Args:
        x: a tensor.
        axis1, axis2: the two axes.

    >>> import kerasish as keras
    >>> keras.ops.swapaxes([[1, 2, 3], [4, 5, 6]], 0, 1).tolist()
    [[1, 4], [2, 5], [3, 6]]
    """
    ndim = len(x.shape)
    order = list(range(ndim))
    a, b = axis_of(axis1, ndim), axis_of(axis2, ndim)
    order[a], order[b] = b, a
    return transpose(x, order)


@op(convert="x")
def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """`x` with axes moved to other places; the rest keep their order.

    Args:
        x: a tensor.
        source: the axes to move.
        destination: where they go.

    >>> import kerasish as keras
    >>> keras.ops.moveaxis(keras.ops.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    ndim = len(x.shape)
    source, destination = axes_of(source, ndim), axes_of(destination, ndim)
    if len(source) != len(destination):
        raise InvalidArgument(f"moveaxis: {len(source)} axes to move, {len(destination)} places.")
    order = [a for a in range(ndim) if a not in source]
    for to, a in sorted(zip(destination, source, strict=True)):
        order.insert(to, a)
    return transpose(x, order)


def ndim(x: Any) -> int:
    """The number of axes.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.ndim([[1, 2]])
    2
    """
    return len(shape(x))


@op(convert="x")
def size(x: Any) -> Any:
    """The number of values, as an int32 scalar.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> int(keras.ops.size([[1, 2], [3, 4]]))
    4
    """
    return cast(math.prod(shape(x)), "int32")


@op(convert="x")
def copy(x: Any) -> Any:
    """A tensor with the same values and memory of its own.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.copy([1, 2]).tolist()
    [1, 2]
    """


@op(convert="x")
def _view(x: Any, dtype: str) -> Any:
    """The bytes of the last axis read as another dtype."""


@op(convert="x")
def view(x: Any, dtype: Any = None) -> Any:
    """The bytes of `x` read as another dtype; the last axis grows or shrinks accordingly.

    Args:
        x: a tensor.
        dtype: the other dtype; `None` keeps its own.

    >>> import kerasish as keras
    >>> keras.ops.view(keras.ops.array([1, 256], "int16"), "int8").tolist()
    [1, 0, 0, 1]
    """
    kind = ops.dtype(x)
    target = kind if dtype is None else dtypes.standardize(dtype)
    if target == kind:
        return x
    if not ops.ndim(x) and len({dtypes.numpy_dtype(d).itemsize for d in (kind, target)}) > 1:
        raise ShapeError(f"ops.view: a scalar x of {kind} is no scalar of {target}.")
    return _view(x, target)


# Joining and splitting


@op(common="*xs")
def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Tensors joined along an axis that they have.

    Args:
        xs: tensors of equal shapes but for that axis.
        axis: the axis.

    >>> import kerasish as keras
    >>> keras.ops.concatenate([[1, 2], [3]]).tolist()
    [1, 2, 3]
    """


@op(common="*x")
def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Tensors of one shape joined along a new axis.

    Args:
        x: the tensors.
        axis: where the new axis is in the result.

    >>> import kerasish as keras
    >>> keras.ops.stack([[1, 2], [3, 4]], axis=1).tolist()
    [[1, 3], [2, 4]]
    """
    return concatenate([expand_dims(y, axis) for y in x], axis)


@op(common="x1 x2")
def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """`x2` behind `x1` along an axis; both flattened where there is none.

    Args:
        x1, x2: tensors; with an axis, of equal sizes along the others.
        axis: the axis; `None` flattens both.

    >>> import kerasish as keras
    >>> keras.ops.append([1, 2], [[3, 4]]).tolist()
    [1, 2, 3, 4]
    """
    if axis is None:
        return concatenate([reshape(x1, (-1,)), reshape(x2, (-1,))], 0)
    return concatenate([x1, x2], axis)


def _at_least(x: Any, ndim: int) -> Any:
    """Axes of size one where `hstack`, `vstack` and `dstack` want them."""
    missing = ndim - len(x.shape)
    if missing <= 0:
        return x
    front = min(missing, 1 if ndim == 3 else missing)
    if ndim == 3 and len(x.shape) == 2:
        front = 0
    return reshape(x, (*(1,) * front, *shape(x), *(1,) * (missing - front)))


@op(common="*xs")
def hstack(xs: Sequence[Any]) -> Any:
    """Tensors joined along the second axis, or the first where they have only one.

    Args:
        xs: tensors of equal sizes along the other axes.

    >>> import kerasish as keras
    >>> keras.ops.hstack([[1, 2], [3]]).tolist()
    [1, 2, 3]
    """
    xs = [_at_least(x, 1) for x in xs]
    return concatenate(xs, 0 if len(xs[0].shape) == 1 else 1)


@op(common="*xs")
def vstack(xs: Sequence[Any]) -> Any:
    """Tensors joined along the first axis, vectors as rows.

    Args:
        xs: tensors of equal sizes along the other axes.

    >>> import kerasish as keras
    >>> keras.ops.vstack([[1, 2], [3, 4]]).tolist()
    [[1, 2], [3, 4]]
    """
    return concatenate([_at_least(x, 2) for x in xs], 0)


@op(common="*xs")
def dstack(xs: Sequence[Any]) -> Any:
    """Tensors joined along the third axis.

    Args:
        xs: tensors; vectors and matrices are given three axes.

    >>> import kerasish as keras
    >>> keras.ops.dstack([[1, 2], [3, 4]]).tolist()
    [[[1, 3], [2, 4]]]
    """
    return concatenate([_at_least(x, 3) for x in xs], 2)


@op(convert="x")
def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """`x` cut into pieces along an axis.

    Args:
        x: a tensor.
        indices_or_sections: the number of equal pieces, or the indices at which to cut.
        axis: the axis.

    >>> import kerasish as keras
    >>> [y.tolist() for y in keras.ops.split([1, 2, 3, 4], 2)]
    [[1, 2], [3, 4]]
    >>> [y.tolist() for y in keras.ops.split([1, 2, 3, 4], [1])]
    [[1], [2, 3, 4]]
    """
    axis = axis_of(axis, len(x.shape))
    before = (slice(None),) * axis
    bounds = section_bounds(x.shape[axis], indices_or_sections)
    return [ops.get_item(x, (*before, slice(start, stop))) for start, stop in bounds]


@op(convert="x")
def array_split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """Like `split`, but pieces may differ by one in size: the first ones are the larger.

    Args:
        x: a tensor.
        indices_or_sections: the number of pieces, or the positions at which the later ones begin.
        axis: the axis that is cut.

    >>> import kerasish as keras
    >>> [y.tolist() for y in keras.ops.array_split([1, 2, 3], 2)]
    [[1, 2], [3]]
    """
    places: Any = indices_or_sections
    if np.ndim(places) == 0:
        n = shape(x)[axis_of(axis, len(x.shape))]
        # The first pieces are one longer: piece i ends where i, or n % sections, of them do.
        least, more = n // places, n % places
        smaller = min if isinstance(n, int) else ops.minimum
        places = [i * least + smaller(i, more) for i in range(1, places)]
    return split(x, places, axis)


@op(convert="x")
def hsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """`split` along the second axis, or the first of a vector.

    Args:
        x: a tensor.
        indices_or_sections: as in `split`.

    >>> import kerasish as keras
    >>> [y.tolist() for y in keras.ops.hsplit([[1, 2], [3, 4]], 2)]
    [[[1], [3]], [[2], [4]]]
    """
    return split(x, indices_or_sections, 0 if len(x.shape) == 1 else 1)


@op(convert="x")
def vsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """`split` along the first axis.

    Args:
        x: a tensor of at least two axes.
        indices_or_sections: as in `split`.

    >>> import kerasish as keras
    >>> [y.tolist() for y in keras.ops.vsplit([[1, 2], [3, 4]], 2)]
    [[[1, 2]], [[3, 4]]]
    """
    return split(x, indices_or_sections, 0)


@op(convert="x")
def dsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """`split` along the third axis.

    Args:
        x: a tensor of at least three axes.
        indices_or_sections: as in `split`.

    >>> import kerasish as keras
    >>> [y.tolist() for y in keras.ops.dsplit([[[1, 2], [3, 4]]], 2)]
    [[[[1], [3]]], [[[2], [4]]]]
    """
    return split(x, indices_or_sections, 2)


@op(convert="x")
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The slices of `x` along an axis, as a list of tensors with one axis less.

    Args:
        x: a tensor.
        num: the size of the axis, needed only where it is unknown.
        axis: the axis to take apart.

    >>> import kerasish as keras
    >>> [y.tolist() for y in keras.ops.unstack([[1, 2], [3, 4]], axis=1)]
    [[1, 3], [2, 4]]
    """
    axis = axis_of(axis, len(x.shape))
    size = x.shape[axis]
    if num is None and size is None:
        raise ShapeError(f"unstack: the size of axis {axis} is unknown; give it as num.")
    if None not in (num, size) and num != size:
        raise ShapeError(f"unstack: num is {num}, but axis {axis} has {size} slices.")
    return _unstack(x, size if num is None else num, axis)


@op(convert="x")
def _unstack(x: Any, num: int, axis: int) -> list[Any]:
    """`unstack` with the size and the axis checked."""
    return [ops.get_item(x, (slice(None),) * axis + (i,)) for i in range(num)]


# Repeating, turning, padding


@op(convert="x")
def tile(x: Any, repeats: int | Sequence[int]) -> Any:
    """Copies of `x` side by side.

    Args:
        x: a tensor.
        repeats: how many along each axis; one number stands for the last axis.

    >>> import kerasish as keras
    >>> keras.ops.tile([1, 2], (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    times: Any = repeats if np.ndim(repeats) else [repeats]
    sizes = shape(x)
    ndim = max(len(times), len(sizes))
    times = (*[1] * (ndim - len(times)), *times)
    sizes = (*[1] * (ndim - len(sizes)), *sizes)
    # An axis of size n beside a new one in front of it: (1, n) -> (r, n) -> (r * n).
    x = reshape(x, [d for n in sizes for d in (1, n)])
    x = broadcast_to(x, [d for r, n in zip(times, sizes, strict=True) for d in (r, n)])
    return reshape(x, [r * n for r, n in zip(times, sizes, strict=True)])


@op(convert="x")
def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Any:
    """Each entry of `x` several times in a row.

    Args:
        x: a tensor; flattened where `axis` is `None`.
        repeats: how often: one number, or one for each entry along the axis.
        axis: the axis.

    >>> import kerasish as keras
    >>> keras.ops.repeat([1, 2], 2).tolist(), keras.ops.repeat([1, 2], [1, 3]).tolist()
    ([1, 1, 2, 2], [1, 2, 2, 2])
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = axis_of(axis, len(x.shape))
    times: Any = repeats
    if np.ndim(times) and len(times) == 1:
        times = int(times[0])
    if np.ndim(times):
        counts = np.asarray(times)
        (size,) = unknown_shape(x.shape[axis : axis + 1])
        if size not in (None, len(counts)):
            raise ShapeError(
                f"repeat: repeats has {len(counts)} entries, axis {axis} of x has {size}."
            )
        return ops.take(x, np.repeat(np.arange(len(counts), dtype="int32"), counts), axis)
    sizes = list(shape(x))
    x = expand_dims(x, axis + 1)
    x = broadcast_to(x, [*sizes[: axis + 1], times, *sizes[axis + 1 :]])
    sizes[axis] = sizes[axis] * times
    return reshape(x, sizes)


@op(convert="x")
def flip(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """`x` with the order along some axes (all by default) reversed.

    Args:
        x: a tensor.
        axis: the axis or axes.

    >>> import kerasish as keras
    >>> keras.ops.flip([[1, 2], [3, 4]], axis=1).tolist()
    [[2, 1], [4, 3]]
    """
    ndim = len(x.shape)
    turned = axes_of(axis, ndim)
    key = tuple(slice(None, None, -1) if a in turned else slice(None) for a in range(ndim))
    return ops.get_item(x, key)


@op(convert="x")
def fliplr(x: Any) -> Any:
    """`flip` along the second axis.

    Args:
        x: a tensor of at least two axes.

    >>> import kerasish as keras
    >>> keras.ops.fliplr([[1, 2], [3, 4]]).tolist()
    [[2, 1], [4, 3]]
    """
    return flip(x, 1)


@op(convert="x")
def flipud(x: Any) -> Any:
    """`flip` along the first axis.

    Args:
        x: a tensor of at least one axis.

    >>> import kerasish as keras
    >>> keras.ops.flipud([[1, 2], [3, 4]]).tolist()
    [[3, 4], [1, 2]]
    """
    return flip(x, 0)


@op(convert="array")
def rot90(array: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """`array` turned by k quarters in the plane of two axes, from the first to the second.

    Args:
        array: a tensor of at least two axes.
        k: how many quarters; negative ones turn back.
        axes: the two axes.

    >>> import kerasish as keras
    >>> keras.ops.rot90([[1, 2], [3, 4]]).tolist()
    [[2, 4], [1, 3]]
    """
    ndim = len(array.shape)
    if len(axes) != 2 or axis_of(axes[0], ndim) == axis_of(axes[1], ndim):
        raise InvalidArgument(f"rot90: axes must be two different axes, got {axes}.")
    a, b = axes
    if k % 4 == 0:
        return array
    if k % 4 == 2:
        return flip(array, [a, b])
    if k % 4 == 1:
        return swapaxes(flip(array, b), a, b)
    return flip(swapaxes(array, a, b), b)


@op(convert="x")
def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Any:
    """`x` moved along axes, what leaves at one end coming in at the other.

    Args:
        x: a tensor.
        shift: by how many places, for each axis.
        axis: the axes; by default `x` is rolled as if it were flat.

    >>> import kerasish as keras
    >>> keras.ops.roll([1, 2, 3], 1).tolist()
    [3, 1, 2]
    """
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), int(np.sum(shift)), 0), shape(x))
    for by, a in np.broadcast(shift, axis):
        a = axis_of(a, len(x.shape))
        n = shape(x)[a]
        cut = (-int(by)) % n if not isinstance(n, int) or n else 0
        before = (slice(None),) * a
        x = concatenate([
            ops.get_item(x, (*before, slice(cut, None))),
            ops.get_item(x, (*before, slice(None, cut))),
        ], a)  # fmt: skip
    return x


@op(convert="x")
def pad(
    x: Any, pad_width: Any, mode: str = "constant", constant_values: complex | None = None
) -> Any:
    """`x` with values added before and behind along its axes.

    Args:
        x: a tensor.
        pad_width: how many: `((before, after), ...)` for each axis, one such pair or one number
            for all.
        mode: `"constant"`; or what continues the array: `"edge"` repeats the last value,
            `"reflect"` mirrors at it, `"symmetric"` mirrors behind it, `"wrap"` (or `"circular"`)
            starts again, `"linear_ramp"` goes down to 0; or, the same value all along, the
            `"maximum"`, `"mean"`, `"median"` or `"minimum"` of the axis; `"empty"` is anything.
        constant_values: the value for `"constant"`, 0 by default.

    >>> import kerasish as keras
    >>> keras.ops.pad([1, 2], 1).tolist()
    [0, 1, 2, 0]
    >>> keras.ops.pad([1, 2, 3], (2, 0), mode="reflect").tolist()
    [3, 2, 1, 2, 3]
    """
    ndim = len(x.shape)
    if type(constant_values) is complex and ops.dtype(x) not in dtypes.COMPLEX:
        raise DTypeError(f"pad: constant_values must be real beside {ops.dtype(x)}.")
    if constant_values != constant_values and ops.dtype(x) in dtypes.WHOLE:
        raise DTypeError(f"pad: constant_values must be an integer beside {ops.dtype(x)}, got nan.")
    widths = np.broadcast_to(np.asarray(pad_width, int), (ndim, 2)).tolist()
    if any(n < 0 for pair in widths for n in pair):
        raise InvalidArgument(f"pad: widths cannot be negative, got {pad_width}. To cut, slice.")
    if not ndim:
        return x
    if mode == "constant":
        return _pad(x, widths, 0 if constant_values is None else constant_values)
    if constant_values is not None:
        raise InvalidArgument(f"pad: constant_values goes with mode='constant', got {mode!r}.")
    if mode == "empty":
        return _pad(x, widths, 0)
    if mode not in (*_REPEATING, *_COMPUTED):
        raise InvalidArgument(
            f"pad: unknown mode {mode!r}. Expected one of 'constant', 'empty', "
            f"{', '.join(map(repr, (*_REPEATING, *_COMPUTED)))}."
        )
    for axis, (before, after) in enumerate(widths):
        if mode in _COMPUTED and (before or after):
            sides = _beside(x, axis, before, True, mode), _beside(x, axis, after, False, mode)
            x = concatenate([sides[0], x, sides[1]], axis)
        elif before or after:
            x = ops.take(x, _sources(shape(x)[axis], before, after, mode), axis)
    return x


_REPEATING = ("edge", "reflect", "symmetric", "wrap", "circular")
_COMPUTED = {"linear_ramp": "", "maximum": "max", "mean": "mean", "median": "median",
             "minimum": "min"}  # fmt: skip


def _beside(x: Any, axis: int, count: int, first: bool, mode: str) -> Any:
    """What is put before (`first`) or behind an axis, computed from its values."""
    kind = ops.dtype(x)
    if mode == "linear_ramp":
        steps = np.arange(count, dtype="float32") / max(count, 1)
        steps = (steps if first else steps[::-1]).reshape(-1, *[1] * (len(x.shape) - 1 - axis))
        value = ops.multiply(ops.take(x, [0 if first else -1], axis), steps)
        value = value if dtypes.is_float(kind) else ops.floor(value)
    else:
        value = getattr(ops, _COMPUTED[mode])(x, axis, keepdims=True)
        value = value if dtypes.is_float(kind) else ops.round(value)
        value = repeat(value, count, axis)
    return cast(value, kind)


def _sources(n: Any, before: int, after: int, mode: str) -> Any:
    """Which of n entries each place of the padded axis repeats."""
    if isinstance(n, int) and n < 1:
        raise ShapeError(f"pad: an empty axis has nothing to repeat for mode={mode!r}.")
    by = np if isinstance(n, int) else ops
    place = by.arange(-before, n + after, dtype="int32")
    if mode == "edge":
        return by.clip(place, 0, n - 1)
    if mode in ("wrap", "circular"):
        return by.mod(place, n)
    last = 2 * n - 1 if mode == "symmetric" else 2 * n - 2
    place = by.mod(place, last + 1 if mode == "symmetric" else by.maximum(last, 1))
    return by.minimum(place, by.maximum(last - place, 0))


@op(convert="x")
def _pad(x: Any, widths: Any, value: Any) -> Any:
    """`x` in the middle of a constant; `widths` has a pair for each axis."""


# Diagonals and triangles


@op(convert="x")
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonals of matrices, along a new last axis.

    Args:
        x: a tensor with two or more axes.
        offset: how far above the main diagonal (below, if negative).
        axis1, axis2: the axes of rows and columns.

    >>> import kerasish as keras
    >>> keras.ops.diagonal([[1, 2], [3, 4]]).tolist()
    [1, 4]
    """
    if len(x.shape) < 2:
        raise ShapeError(f"diagonal needs two or more axes, got the shape {tuple(x.shape)}.")
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    *batch, rows, columns = shape(x)
    start = offset if offset >= 0 else -offset * columns
    count = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    flat = reshape(x, (*batch, rows * columns))
    # One step along a diagonal is one row and one column further.
    end = start + count * (columns + 1)
    return ops.get_item(flat, (..., slice(min(start, end), end, columns + 1)))


@op(convert="x")
def diag(x: Any, k: int = 0) -> Any:
    """The k-th diagonal of a matrix, or the matrix with a vector on its k-th diagonal.

    Args:
        x: a vector or a matrix.
        k: the diagonal: 0 is the main one, positive ones are above, negative ones below.

    >>> import kerasish as keras
    >>> keras.ops.diag([1, 2]).tolist(), keras.ops.diag([[1, 2], [3, 4]]).tolist()
    ([[1, 0], [0, 2]], [1, 4])
    """
    if len(x.shape) == 2:
        return diagonal(x, k)
    if len(x.shape) != 1:
        raise ShapeError(f"diag takes a vector or a matrix, got the shape {tuple(x.shape)}.")
    # Each entry followed by n zeros: read in rows of n, entry i stands in row i, column i.
    n = shape(x)[0]
    rows = concatenate([expand_dims(x, 1), ops.zeros((n, n), ops.dtype(x))], 1)
    square = reshape(ops.get_item(reshape(rows, (-1,)), slice(0, n * n)), (n, n))
    return pad(square, ((max(-k, 0), max(k, 0)), (max(k, 0), max(-k, 0)))) if k else square


@op(convert="x")
def diagflat(x: Any, k: int = 0) -> Any:
    """The matrix with the values of `x`, flattened, on its k-th diagonal.

    Args:
        x: a tensor.
        k: the diagonal, as in `diag`.

    >>> import kerasish as keras
    >>> keras.ops.diagflat([[1, 2]]).tolist()
    [[1, 0], [0, 2]]
    """
    return diag(reshape(x, (-1,)), k)


def _triangle(x: Any, k: int, lower: bool) -> Any:
    rows, columns = shape(x)[-2:]
    gap = ops.subtract(ops.arange(columns), expand_dims(ops.arange(rows), 1))
    keep = ops.less_equal(gap, k) if lower else ops.greater_equal(gap, k)
    return ops.where(keep, x, ops.zeros_like(x))


@op(convert="x", rank=2)
def tril(x: Any, k: int = 0) -> Any:
    """Matrices with zeros above the k-th diagonal.

    Args:
        x: a tensor; its last two axes are the matrices.
        k: how far above the main diagonal the last kept one is.

    >>> import kerasish as keras
    >>> keras.ops.tril([[1, 2], [3, 4]]).tolist()
    [[1, 0], [3, 4]]
    """
    return _triangle(x, k, lower=True)


@op(convert="x", rank=2)
def triu(x: Any, k: int = 0) -> Any:
    """Matrices with zeros below the k-th diagonal.

    Args:
        x: a tensor of at least two axes, the last two being the matrices'.
        k: the diagonal, as in `diag`.

    >>> import kerasish as keras
    >>> keras.ops.triu([[1, 2], [3, 4]]).tolist()
    [[1, 2], [0, 4]]
    """
    return _triangle(x, k, lower=False)


@op(convert="x")
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The Vandermonde matrix: row i has the powers of `x[i]`.

    Args:
        x: a vector.
        N: the number of columns, by default the length of `x`.
        increasing: from the power 0 up rather than down to it.

    >>> import kerasish as keras
    >>> keras.ops.vander([1, 2, 3], 3).tolist()
    [[1, 1, 1], [4, 2, 1], [9, 3, 1]]
    """
    if len(x.shape) != 1:
        raise ShapeError(f"vander takes a vector, got the shape {tuple(x.shape)}.")
    n = shape(x)[0] if N is None else N
    x = expand_dims(x, 1)
    powers = ops.power(x, ops.arange(1, n, dtype="int32"))
    columns = concatenate([ops.ones_like(x), cast(powers, ops.dtype(x))], 1)
    columns = ops.get_item(columns, (slice(None), slice(0, n)))
    return columns if increasing else flip(columns, 1)


# Along an axis


@op(convert="a")
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """The differences of neighbours along an axis, taken n times.

    Args:
        a: a tensor.
        n: how often the differences are taken; the axis gets shorter by as much.
        axis: the axis.

    >>> import kerasish as keras
    >>> keras.ops.diff([1, 2, 4, 7]).tolist(), keras.ops.diff([1, 2, 4, 7], n=2).tolist()
    ([1, 2, 3], [1, 1])
    """
    if n < 1:
        if n < 0:
            raise InvalidArgument(f"diff: n must not be negative, got {n}.")
        return a
    before = (slice(None),) * axis_of(axis, len(a.shape))
    gap: Callable[..., Any] = ops.not_equal if ops.dtype(a) == "bool" else ops.subtract
    for _ in range(n):
        later, earlier = (*before, slice(1, None)), (*before, slice(None, -1))
        a = gap(ops.get_item(a, later), ops.get_item(a, earlier))
    return a


@op(float="y x")
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """The integral along an axis by the trapezoidal rule.

    Args:
        y: the values.
        x: where they were taken: like `y`, or a vector along the axis.
        dx: their distance where there is no `x`.
        axis: the axis.

    >>> import kerasish as keras
    >>> float(keras.ops.trapezoid([1.0, 2.0, 4.0]))
    4.5
    """
    axis = axis_of(axis, len(y.shape))
    before = (slice(None),) * axis
    later, earlier = (*before, slice(1, None)), (*before, slice(None, -1))
    sums = ops.add(ops.get_item(y, later), ops.get_item(y, earlier))
    if x is None:
        return ops.multiply(ops.sum(sums, axis=axis), dx / 2)
    if len(x.shape) == 1:
        x = reshape(x, [-1 if a == axis else 1 for a in range(len(y.shape))])
    return ops.multiply(ops.sum(ops.multiply(diff(x, axis=axis), sums), axis=axis), 0.5)
