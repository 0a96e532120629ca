"""Labels as vectors, and how far an image is from another."""

from __future__ import annotations

import math
from typing import Any

from kerasish import backends, config, dtypes
from kerasish.backends.shapes import axis_of
from kerasish.core.op import describe, op
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.ops.core import cast, convert_to_tensor, shape
from kerasish.ops.numpy import (
    arange,
    broadcast_to,
    equal,
    expand_dims,
    greater_equal,
    less,
    log10,
    logical_and,
    logical_not,
    max,
    mean,
    pad,
    reshape,
    sort,
    square,
    stack,
    where,
)

__all__ = ["multi_hot", "one_hot", "psnr"]


@op(convert="x")
def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """Class indices as vectors that are 1 at the index and 0 elsewhere.

    Args:
        x: integers; one outside `0 ... num_classes - 1` gives zeros only.
        num_classes: the length of the vectors.
        axis: where the new axis goes.
        dtype: of the result, `config.floatx()` by default.
        sparse: give a sparse tensor.

    >>> import kerasish as keras
    >>> keras.ops.one_hot([2, 0], num_classes=3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if backends.active.dtype_of(x) not in ("int32", "int64"):
        x = cast(x, "int32")
    if isinstance(num_classes, int) and num_classes < 0:
        raise InvalidArgument(f"one_hot: num_classes must not be negative, got {num_classes}.")
    axis = axis_of(axis, len(x.shape) + 1)
    dtype = config.floatx() if dtype is None else dtypes.standardize(dtype)
    if sparse:
        inside = logical_and(greater_equal(x, 0), less(x, num_classes))
        return _sparse_hot(x, inside, num_classes, axis, dtype)
    return _one_hot(x, num_classes, axis, dtype)


@op
def _one_hot(x: Any, num_classes: int, axis: int, dtype: str) -> Any:
    """The dense `one_hot`."""
    place = [1] * (len(x.shape) + 1)
    place[axis] = -1
    classes = reshape(arange(num_classes, dtype=backends.active.dtype_of(x)), place)
    return cast(equal(expand_dims(x, axis), classes), dtype)


def _sparse_hot(
    x: Any, kept: Any, num_classes: int, axis: int, dtype: str, without: int | None = None
) -> Any:
    """Ones at the classes `x` where `kept` holds; `without` names an axis that all share."""
    sizes = list(shape(x))
    grid = []
    for i, n in enumerate(sizes):
        place = [1] * len(sizes)
        place[i] = -1
        if i != without:
            grid.append(broadcast_to(reshape(arange(n, dtype="int32"), place), sizes))
    grid.insert(axis, cast(where(kept, x, 0), "int32"))
    indices = reshape(stack(grid, -1), (-1, len(grid)))
    values = cast(reshape(kept, (-1,)), dtype)
    sizes = [n for i, n in enumerate(sizes) if i != without]
    sizes.insert(axis, num_classes)
    active = backends.active
    return active.sparse(*active.compact(indices, values), sizes)


@op
def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None,
    sparse: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """Sets of class indices as vectors that are 1 at every index of the set.

    Args:
        inputs: integers of shape `(size of a set,)` or `(batch, size of a set, ...)`.
        num_classes: the length of the vectors.
        axis: where the new axis goes, counted as in `one_hot(inputs)`.
        dtype: of the result, `config.floatx()` by default.
        sparse: give a sparse tensor.

    >>> import kerasish as keras
    >>> keras.ops.multi_hot([[0, 2], [1, 1]], num_classes=3).tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    num_classes = kwargs.pop("num_tokens", num_classes)
    if kwargs or num_classes is None:
        raise InvalidArgument(
            f"ops.multi_hot needs num_classes and takes no {sorted(kwargs)}." if kwargs
            else "ops.multi_hot needs num_classes, the length of the vectors."
        )
    inputs = convert_to_tensor(inputs)
    along = 1 if len(inputs.shape) > 1 else 0
    if sparse:
        return _sparse_sets(inputs, num_classes, axis, dtype, along)
    return max(one_hot(inputs, num_classes, axis, dtype), axis=along, initial=0)


@op(convert="inputs")
def _sparse_sets(inputs: Any, num_classes: int, axis: int, dtype: Any, along: int) -> Any:
    """The sparse `multi_hot` of sets that lie along an axis."""
    x = sort(cast(inputs, "int32"), along)
    size = x.shape[along]
    first = (slice(None),) * along
    again = equal(x[(*first, slice(1, size))], x[(*first, slice(0, size - 1))])
    again = pad(again, [(int(i == along), 0) for i in range(len(x.shape))])
    inside = logical_and(greater_equal(x, 0), less(x, num_classes))
    dtype = config.floatx() if dtype is None else dtypes.standardize(dtype)
    axis = axis_of(axis, len(x.shape) + 1)
    return _sparse_hot(
        x, logical_and(inside, logical_not(again)), num_classes,
        axis - (axis > along), dtype, along,
    )  # fmt: skip


@op(float="x1 x2", wide=True, real=True)
def psnr(x1: Any, x2: Any, max_val: float) -> Any:
    """Peak signal-to-noise ratio of two images, in decibels: a scalar over all elements.

    Args:
        x1: a tensor.
        x2: a tensor of the same shape.
        max_val: the largest value that an element can have.

    >>> import kerasish as keras
    >>> round(float(keras.ops.psnr([0.0, 1.0], [0.1, 0.9], max_val=1.0)), 2)
    20.0
    """
    if tuple(x1.shape) != tuple(x2.shape):
        raise ShapeError(
            f"ops.psnr compares images of one shape, got {describe(x1)} and {describe(x2)}."
        )
    return 20.0 * math.log10(max_val) - 10.0 * log10(mean(square(x1 - x2)))
