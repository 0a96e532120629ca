"""Reading and writing entries by index, searching and sorting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import backends, dtypes, ops
from kerasish.backends.shapes import axis_of
from kerasish.core.op import op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import InvalidArgument, KindError, ShapeError
from kerasish.ops.core import NARROW, cast, dtype, shape
from kerasish.ops.manipulation import (
    concatenate,
    expand_dims,
    moveaxis,
    reshape,
)  # fmt: skip

__all__ = [
    "argpartition", "argsort", "bincount", "digitize", "get_item", "histogram", "isin", "nonzero",
    "scatter", "scatter_update", "searchsorted", "slice", "slice_update", "sort", "take",
    "take_along_axis", "unique", "unravel_index",
]  # fmt: skip
_whole = slice(None)
_span = slice
"""Python's `slice`, whose name the op takes."""


# Reading


@op(convert="x")
def get_item(x: Any, key: Any) -> Any:
    """`x[key]` with NumPy's meaning on every backend.

    Args:
        x: a tensor.
        key: ints, slices (negative steps too), `None`, `...`, integer arrays, boolean masks, or
            a tuple of these.

    >>> import kerasish as keras
    >>> keras.ops.get_item([[1, 2], [3, 4]], ([1, 0], 0)).tolist()
    [3, 1]
    """


@op(convert="x indices")
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The entries at `indices` along an axis.

    Args:
        x: a tensor; flattened where `axis` is `None`.
        indices: integers of any shape; negative ones count from the end. Beyond the ends they are
            an error; on JAX, and on GPUs, where no error can be raised for values, the entry there
            is not to be relied on.
        axis: the axis, whose place in the result the shape of `indices` takes.

    >>> import kerasish as keras
    >>> keras.ops.take([[1, 2], [3, 4]], [1, -2], axis=0).tolist()
    [[3, 4], [1, 2]]
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return get_item(x, (_whole,) * axis_of(axis, len(x.shape)) + (indices,))


@op(convert="x indices")
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """For each place, the entry of `x` at the index that stands there, along one axis.

    Args:
        x: a tensor; flattened where `axis` is `None`.
        indices: integers with as many axes as `x`, of sizes that broadcast but for the axis.
        axis: the axis.

    >>> import kerasish as keras
    >>> keras.ops.take_along_axis([[10, 20], [30, 40]], [[1], [0]], axis=1).tolist()
    [[20], [30]]
    """
    if axis is None:
        x, indices, axis = reshape(x, (-1,)), reshape(indices, (-1,)), 0
    ndim = len(x.shape)
    if len(indices.shape) != ndim:
        raise ShapeError(
            f"take_along_axis: indices need the {ndim} axes of x, got {len(indices.shape)}."
        )
    axis = axis_of(axis, ndim)
    sizes = shape(x)
    places = [
        reshape(ops.arange(sizes[a], dtype="int32"), [-1 if b == a else 1 for b in range(ndim)])
        for a in range(ndim)
    ]
    places[axis] = indices
    return get_item(x, tuple(places))


@op(convert="x")
def nonzero(x: Any) -> tuple[Any, ...]:
    """The indices of the entries that are not zero: one int32 vector for each axis.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> [i.tolist() for i in keras.ops.nonzero([[0, 3], [4, 0]])]
    [[0, 1], [1, 0]]
    """
    ...


@op(convert="inputs")
def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> Any:
    """A block of `inputs`, at a place that may be computed.

    Args:
        inputs: a tensor.
        start_indices: one integer for each axis; those below 0 count from the end. A block that
            would reach over an end lies at it, as in XLA.
        shape: the size of the block along each axis; -1 takes all up to the end.

    >>> import kerasish as keras
    >>> keras.ops.slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2)).tolist()
    [[2, 3], [5, 6]]
    """
    if not isinstance(shape, int) and any(isinstance(n, int) and n == -1 for n in shape):
        if hasattr(start_indices, "dtype"):
            start_indices = ops.cast(start_indices, "int32")  # torch's unsigned ones do not add
        ends = [0 if isinstance(a, int) and a < 0 else n
                for a, n in zip(start_indices, ops.shape(inputs), strict=True)]  # fmt: skip
        shape = [
            end - a if isinstance(n, int) and n == -1 else n
            for a, n, end in zip(start_indices, shape, ends, strict=True)
        ]
    return _slice(inputs, start_indices, shape)


@op(convert="inputs start_indices")
def _slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> Any:
    """`slice` with all sizes told."""


# Writing: each gives a new tensor


@op(convert="inputs start_indices", like="updates")
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """`inputs` with a block replaced, at a place that may be computed.

    Args:
        inputs: a tensor.
        start_indices: one integer for each axis, as in `slice`.
        updates: the block.

    >>> import kerasish as keras
    >>> keras.ops.slice_update([1, 2, 3, 4], [1], [20, 30]).tolist()
    [1, 20, 30, 4]
    """


@op(convert="inputs indices", like="updates")
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """`inputs` with entries, or slices, replaced by or combined with others.

    Args:
        inputs: a tensor.
        indices: integers of shape `(n, k)`: n times an index into the first k axes.
        updates: what goes there, of shape `(n, *inputs.shape[k:])`.
        reduction: `None` replaces (by one of them where an index occurs several times);
            `"add"`, `"mul"`, `"max"`, `"min"` combine with what is there.

    >>> import kerasish as keras
    >>> keras.ops.scatter_update([0, 0, 0], [[1], [2]], [10, 20]).tolist()
    [0, 10, 20]
    >>> keras.ops.scatter_update([1, 1], [[0], [0]], [10, 20], reduction="add").tolist()
    [31, 1]
    """
    if reduction not in (None, "add", "mul", "max", "min"):
        raise InvalidArgument(
            f"scatter_update: unknown reduction {reduction!r}. Expected None, 'add', 'mul', 'max' "
            "or 'min'."
        )
    depth = unknown_shape(indices.shape)[-1]
    if depth is not None and depth > len(inputs.shape):
        raise ShapeError(
            f"scatter_update: indices of depth {depth} (the size of their last axis) into a tensor "
            f"of {len(inputs.shape)} axes."
        )
    if depth is not None:
        want = (*unknown_shape(indices.shape)[:-1], *unknown_shape(inputs.shape)[depth:])
        got = unknown_shape(updates.shape)
        if len(want) != len(got) or any(
            None not in (a, b) and a != b for a, b in zip(want, got, strict=True)
        ):
            raise ShapeError(
                f"scatter_update: the updates must have the shape {want}, the leading axes of the "
                f"indices and the axes of the tensor behind the first {depth}; got {got}."
            )
    if dtype(inputs) == "bool" and reduction:  # a sum is "or", a product "and"
        inputs, updates = cast(inputs, "int32"), cast(updates, "int32")
        reduction = {"add": "max", "mul": "min"}.get(reduction, reduction)
        return cast(_scatter(inputs, indices, updates, reduction), "bool")
    return _scatter(inputs, indices, updates, reduction)


@op
def _scatter(inputs: Any, indices: Any, updates: Any, reduction: str | None) -> Any:
    """`scatter_update` with its arguments checked."""


@op(convert="indices values")
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Any:
    """A tensor of zeros with values added at indices.

    Args:
        indices: integers of shape `(n, k)`: n times an index into the first k axes.
        values: a tensor of shape `(n, *shape[k:])`.
        shape: the shape of the result.

    >>> import kerasish as keras
    >>> keras.ops.scatter([[0], [2], [2]], [1, 2, 3], (4,)).tolist()
    [1, 0, 5, 0]
    """
    return scatter_update(ops.zeros(shape, dtype(values)), indices, values, "add")


# Sorting and searching


@op(convert="x", real=True)
def sort(x: Any, axis: int | None = -1) -> Any:
    """`x` sorted along an axis, flattened first where it is `None`.

    Args:
        x: a tensor.
        axis: the axis.

    >>> import kerasish as keras
    >>> keras.ops.sort([3, 1, 2]).tolist()
    [1, 2, 3]
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return take_along_axis(x, argsort(x, axis), axis)


@op(convert="x", real=True)
def argsort(x: Any, axis: int | None = -1) -> Any:
    """The int32 indices that sort `x` along an axis; equal values keep their order.

    Args:
        x: a tensor.
        axis: the axis; `None` flattens `x`.

    >>> import kerasish as keras
    >>> keras.ops.argsort([3, 1, 2]).tolist()
    [1, 2, 0]
    """


@op(convert="x", real=True)
def argpartition(x: Any, kth: int, axis: int | None = -1) -> Any:
    """Indices that put the k-th smallest value in its place, smaller ones before, larger after.

    Args:
        x: a tensor.
        kth: the k, from 0.
        axis: the axis that is ordered; `None` flattens `x`.

    >>> import kerasish as keras
    >>> int(keras.ops.argpartition([30, 10, 20], 1)[1])
    2
    """
    # A sort is a partition, and the same one on every backend.
    return argsort(x, axis)


@op(common="sorted_sequence values", real=True)
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where values belong in a sorted vector.

    Args:
        sorted_sequence: a vector in ascending order.
        values: what to insert, of any shape.
        side: before (`"left"`) or behind (`"right"`) equal entries.

    Returns:
        int32 indices like `values`.

    >>> import kerasish as keras
    >>> keras.ops.searchsorted([10, 20, 30], [20, 25]).tolist()
    [1, 2]
    """
    if len(sorted_sequence.shape) != 1:
        raise ShapeError(
            f"searchsorted: sorted_sequence must be a vector, got the shape "
            f"{tuple(sorted_sequence.shape)}."
        )
    if side not in ("left", "right"):
        raise InvalidArgument(f"searchsorted: side is 'left' or 'right', got {side!r}.")
    if dtype(values) in NARROW:
        sorted_sequence, values = cast(sorted_sequence, "int32"), cast(values, "int32")
    return _searchsorted(sorted_sequence, values, side)


@op
def _searchsorted(sorted_sequence: Any, values: Any, side: str) -> Any:
    """`searchsorted` with its arguments checked."""


@op(common="x bins", real=True)
def digitize(x: Any, bins: Any) -> Any:
    """For each value the int32 index of its bin: how many edges are not above it.

    Args:
        x: a tensor.
        bins: the edges in ascending order.

    >>> import kerasish as keras
    >>> keras.ops.digitize([0.5, 1.0, 9.0], [1.0, 2.0]).tolist()
    [0, 1, 2]
    """
    return searchsorted(bins, x, "right")


@op(common="x1 x2", real=True)
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each entry of `x1` occurs in `x2`.

    Args:
        x1, x2: tensors of any shape.
        assume_unique: kept for compatibility: it changes nothing.
        invert: whether it does not occur.

    >>> import kerasish as keras
    >>> keras.ops.isin([1, 2, 3], [3, 1]).tolist()
    [True, False, True]
    """
    known = sort(x2, None)
    places = searchsorted(known, x1)
    found = ops.equal(take(ops.pad(known, (0, 1)), places), x1)
    found = ops.logical_and(found, ops.less(places, ops.size(known)))  # not the one from padding
    return ops.logical_not(found) if invert else found


@op(convert="x weights")
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often each integer from 0 on occurs.

    Args:
        x: non-negative integers, a vector or a matrix of independent rows.
        weights: a tensor like `x`: what each occurrence counts.
        minlength: the least length of the result. Inside `jax.jit` it is the length.
        sparse: gives a sparse tensor.

    Returns:
        A vector, or a matrix with a row for each row: int32, or the dtype of the weights.

    >>> import kerasish as keras
    >>> keras.ops.bincount([1, 2, 2], minlength=4).tolist()
    [0, 1, 2, 0]
    """
    if not 1 <= len(x.shape) <= 2:
        raise ShapeError(f"bincount takes a vector or a matrix, got the shape {tuple(x.shape)}.")
    counted = cast(x, "int32")
    length = backends.active.table["_bincount_length"](counted, minlength)
    if len(x.shape) == 2:  # rows side by side in one long count
        rows = shape(x)[0]
        starts = ops.multiply(ops.arange(rows, dtype="int32"), length)
        counted = ops.add(counted, expand_dims(starts, 1))
    counted = reshape(counted, (-1,))
    ones = ops.ones_like(counted) if weights is None else reshape(weights, (-1,))
    total = length if len(x.shape) == 1 else length * rows
    counts = scatter(expand_dims(counted, 1), ones, (total,))
    if len(x.shape) == 2:
        counts = reshape(counts, (rows, length))
    return ops.convert_to_tensor(counts, sparse=True) if sparse else counts


@op(convert="x", real=True)
def histogram(x: Any, bins: Any = 10, range: tuple[float, float] | None = None) -> Any:
    """How many values fall into each of some bins of equal width.

    Args:
        x: a tensor.
        bins: the number of bins, or their edges in ascending order.
        range: the ends of the first and the last bin; by default the smallest and largest value.
            Values outside are not counted.

    Returns:
        The counts and the edges (one more), of the float type that `x` has or becomes.

    >>> import kerasish as keras
    >>> counts, edges = keras.ops.histogram([1.0, 2.0, 2.5, 5.0], bins=2)
    >>> counts.tolist(), edges.tolist()
    ([3.0, 1.0], [1.0, 3.0, 5.0])
    """
    return _histogram(x, bins, range)


@op(float="x")
def _histogram(x: Any, bins: Any, range: Any) -> Any:
    """`histogram` of floats."""
    kind = dtype(x)
    x = reshape(x, (-1,))
    if np.ndim(bins) == 0:
        if bins < 1:
            raise InvalidArgument(f"histogram: bins must be positive, got {bins}.")
        if range is None:
            range = (0, 1) if 0 in x.shape else (ops.min(x), ops.max(x))
        low, high = range
        # All values equal: half a unit to both sides, as NumPy does.
        flat = ops.equal(low, high)
        low, high = ops.where(flat, ops.subtract(low, 0.5), low), ops.where(
            flat, ops.add(high, 0.5), high
        )
        edges = cast(ops.linspace(low, high, bins + 1), kind)
    else:
        edges = ops.convert_to_tensor(bins, kind)
        if len(edges.shape) != 1 or unknown_shape(edges.shape)[0] in (0, 1):
            raise ShapeError(
                f"histogram: edges of bins are a vector of at least two, got the shape "
                f"{tuple(edges.shape)}."
            )
    last = edges.shape[0] - 2
    first_edge, last_edge = edges[0], edges[-1]
    inside = ops.logical_and(ops.greater_equal(x, first_edge), ops.less_equal(x, last_edge))
    # The last bin includes its right end.
    places = ops.clip(ops.subtract(searchsorted(edges, x, "right"), 1), 0, last)
    return scatter(expand_dims(places, 1), cast(inside, kind), (last + 1,)), edges


@op(convert="indices")
def unravel_index(indices: Any, shape: Sequence[int]) -> tuple[Any, ...]:
    """Flat indices as one tensor of indices for each axis of a shape.

    Args:
        indices: integers.
        shape: the shape that they count in, row by row.

    >>> import kerasish as keras
    >>> [i.tolist() for i in keras.ops.unravel_index([0, 5], (2, 3))]
    [[0, 1], [0, 2]]
    """
    if any(isinstance(n, int) and n < 1 for n in shape):
        raise ShapeError(f"unravel_index: the sizes of shape must be positive, got {shape}.")
    places = []
    for n in reversed(shape):
        places.append(ops.mod(indices, n))
        indices = ops.floor_divide(indices, n)
    return tuple(reversed(places))


@op(convert="x", real=True)
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different values of `x`, or the different slices along an axis.

    Args:
        x: a tensor.
        sorted: kept for compatibility: the values always come in ascending order.
        return_index: also the index at which each occurs first.
        return_inverse: also, for each entry of `x`, the index of its value in the result.
        return_counts: also how often each occurs.
        axis: compares whole slices along this axis, rather than single values.
        size: the number of values to give, which compiled functions need: what is more is left
            out, what is missing filled up (with `fill_value`, 0 by default).
        fill_value: see `size`.

    Returns:
        The values, or a tuple of them and the int32 tensors asked for.

    >>> import kerasish as keras
    >>> values, counts = keras.ops.unique([3, 1, 3], return_counts=True)
    >>> values.tolist(), counts.tolist()
    ([1, 3], [1, 2])
    """
    if size is not None and size < 0:
        raise InvalidArgument(f"unique: size must not be negative, got {size}.")
    if np.ndim(fill_value) or fill_value != fill_value and ops.dtype(x) in dtypes.WHOLE:
        raise KindError(f"unique: fill_value must be one of {ops.dtype(x)}, got {fill_value!r}.")
    values, index, inverse, counts = _unique(x, axis, size, 0 if fill_value is None else fill_value)
    wanted = (return_index, return_inverse, return_counts)
    extra = [y for y, want in zip((index, inverse, counts), wanted, strict=True) if want]
    return (values, *extra) if extra else values


@op(convert="x")
def _unique(x: Any, axis: int | None, size: int | None, fill_value: Any) -> tuple[Any, ...]:
    """All four results of `unique`.

    Equal entries are brought side by side by stable sorts; each run begins where an entry
    differs from the one before it.
    """
    whole = shape(x)
    if axis is not None:
        axis = axis_of(axis, len(whole))
    rows = reshape(x, (-1, 1)) if axis is None else moveaxis(x, axis, 0)
    rest = shape(rows)[1:]
    n, columns = shape(rows)[0], math.prod(rest)
    rows = reshape(rows, (n, columns))
    order = ops.arange(n, dtype="int32")

    def sorted_by(column: Any, order: Any) -> Any:
        return take(order, argsort(take(take(rows, column, 1), order)))

    if isinstance(columns, int):
        for column in reversed(range(columns)):
            order = sorted_by(column, order)
    else:
        order = ops.fori_loop(0, columns, lambda i, x: sorted_by(columns - 1 - i, x), order)
    ordered = take(rows, order, 0)
    differs = ops.any(ops.not_equal(ordered[1:], ordered[:-1]), axis=1)
    begins = concatenate([ops.ones_like(order[:1], "bool"), differs], 0)
    run = ops.subtract(ops.cumsum(cast(begins, "int32")), 1)
    inverse = scatter(expand_dims(order, 1), run, (n,))
    (starts,) = nonzero(begins)
    counts = ops.subtract(concatenate([starts[1:], ops.reshape(n, (1,))], 0), starts)
    index = take(order, starts)
    values = take(ordered, starts, 0)
    if size is not None:
        found = shape(values)[0]
        missing = max(size - found, 0) if isinstance(found, int) else ops.maximum(size - found, 0)
        first = concatenate([index, ops.zeros((1,), "int32")], 0)[:1]  # nothing: of 0
        first = ops.broadcast_to(first, (missing,))
        filler = cast(ops.full((missing, *shape(values)[1:]), fill_value), dtype(values))
        values = concatenate([values[:size], filler], 0)
        index = concatenate([index[:size], first], 0)
        counts = concatenate([counts[:size], ops.zeros((missing,), "int32")], 0)
    values = reshape(values, (shape(values)[0], *rest))
    if axis is None:
        return reshape(values, (-1,)), index, reshape(inverse, whole), counts
    return moveaxis(values, 0, axis), index, inverse, counts
