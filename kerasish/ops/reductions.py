"""Reductions over axes, running sums, and the order statistics."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from kerasish import backends, dtypes, ops
from kerasish.backends.shapes import axes_of, axis_of
from kerasish.core.op import op
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.ops.complex import conjugate, real
from kerasish.ops.core import cast
from kerasish.ops.creation import ones_like
from kerasish.ops.elementwise import (
    add,
    ceil,
    divide,
    floor,
    multiply,
    round,
    safe_sqrt,
    square,
    subtract,
)
from kerasish.ops.logic import equal, isnan, logical_not, not_equal, where

Axis = int | Sequence[int] | None

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "average", "count_nonzero", "cumprod",
    "cumsum", "max", "mean", "median", "min", "nanargmax", "nanargmin", "nancumprod",
    "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "percentile", "prod", "ptp", "quantile", "std",
    "sum", "var",
]  # fmt: skip


@op(convert="x")
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum over axes. Small integers are summed as int32 or uint32, bools as int32.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.sum([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [3.0, 8.0]
    """


@op(convert="x")
def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product over axes. Small integers are multiplied as int32 or uint32, bools as int32.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.
        dtype: the dtype of the result and of the computation.

    >>> import kerasish as keras
    >>> keras.ops.prod([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [2.0, 15.0]
    """
    if dtype is None:
        return _prod(x, axis, keepdims)
    return cast(_prod(cast(x, dtype), axis, keepdims), dtype)


@op(convert="x")
def _prod(x: Any, axis: Axis, keepdims: bool) -> Any:
    """The product with widened small integers."""


@op(float="x")
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean over axes.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.mean([[1.0, 2.0], [3.0, 5.0]], axis=0).tolist()
    [2.0, 3.5]
    """


@op(float="x")
def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The variance over axes, the mean squared distance from the mean.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.var([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [0.25, 1.0]
    """
    center = subtract(x, mean(x, axis, keepdims=True))
    return mean(_squared(center), axis, keepdims)


def _squared(x: Any) -> Any:
    """The squared distance from 0."""
    return real(multiply(x, conjugate(x))) if _is_complex(x) else square(x)


@op(float="x")
def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The standard deviation over axes, the square root of the variance.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.std([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [0.5, 1.0]
    """
    return safe_sqrt(var(x, axis, keepdims))


@op(convert="x", real=True)
def max(
    x: Any, axis: Axis = None, keepdims: bool = False, initial: float | None = None
) -> Any:
    """The greatest number over axes; NaN where there is one.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.
        initial: a number that takes part; the result for no elements.

    >>> import kerasish as keras
    >>> keras.ops.max([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [2.0, 5.0]
    """


@op(convert="x", real=True)
def amax(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The greatest number over axes, the same as `max`.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.amax([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [2.0, 5.0]
    """
    return max(x, axis, keepdims)


@op(convert="x", real=True)
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The int32 index of the greatest number, the first of equal ones.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, or `None` for the flattened tensor.
        keepdims: whether the reduced axis stays, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.argmax([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [1, 1]
    """


@op(convert="x", real=True)
def min(
    x: Any, axis: Axis = None, keepdims: bool = False, initial: float | None = None
) -> Any:
    """The smallest number over axes; NaN where there is one.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.
        initial: a number that takes part; the result for no elements.

    >>> import kerasish as keras
    >>> keras.ops.min([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [1.0, 3.0]
    """


@op(convert="x", real=True)
def amin(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest number over axes, the same as `min`.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.amin([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [1.0, 3.0]
    """
    return min(x, axis, keepdims)


@op(convert="x", real=True)
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The int32 index of the smallest number, the first of equal ones.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, or `None` for the flattened tensor.
        keepdims: whether the reduced axis stays, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.argmin([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [0, 0]
    """


@op(convert="x", real=True)
def ptp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The range of values over axes, maximum - minimum.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.ptp([[1.0, 2.0], [3.0, 5.0]], axis=1).tolist()
    [1.0, 2.0]
    """
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


@op(convert="x")
def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether all elements over axes are true (not zero).

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.all([[True, False], [True, True]], axis=1).tolist()
    [False, True]
    """


@op(convert="x")
def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether any element over axes is true (not zero).

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.any([[True, False], [False, False]], axis=1).tolist()
    [True, False]
    """


@op(convert="x")
def count_nonzero(x: Any, axis: Axis = None) -> Any:
    """The int32 number of elements that are not zero.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.

    >>> import kerasish as keras
    >>> keras.ops.count_nonzero([[0, 2], [3, 4]], axis=1).tolist()
    [1, 2]
    """
    return sum(not_equal(x, 0), axis)


@op(float="x weights")
def average(x: Any, axis: Axis = None, weights: Any = None) -> Any:
    """The weighted mean over axes.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        weights: a tensor of the shape of `x`, or of one axis, that of `axis`.

    >>> import kerasish as keras
    >>> keras.ops.average([[1.0, 2.0], [3.0, 5.0]], axis=1, weights=[3.0, 1.0]).tolist()
    [1.25, 3.5]
    """
    if weights is None:
        return mean(x, axis)
    if len(weights.shape) != len(x.shape):
        if isinstance(axis, list | tuple) and len(axis) == 1:
            (axis,) = axis
        if len(weights.shape) != 1 or not isinstance(axis, int):
            raise ShapeError(
                "ops.average: weights of another shape than x must have one axis, and axis must "
                f"be an int; got weights of shape {tuple(weights.shape)}, x of shape "
                f"{tuple(x.shape)}, axis={axis}."
            )
        after = len(x.shape) - 1 - axis_of(axis, len(x.shape))
        weights = ops.expand_dims(weights, tuple(range(1, 1 + after)))
    total = sum(multiply(weights, ones_like(x)), axis)
    return divide(sum(multiply(x, weights), axis), total)


@op(number="x")
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum along an axis.

    Args:
        x: a tensor of any shape; bools become int32.
        axis: an axis, or `None` for the flattened tensor.
        dtype: the dtype of the result; by default that of `x`. Bools are counted as int32.

    >>> import kerasish as keras
    >>> keras.ops.cumsum([1, 2, 3]).tolist()
    [1, 3, 6]
    """
    return _cumsum(*_flat(_counted(x, dtype), axis))


def _counted(x: Any, dtype: Any) -> Any:
    if dtype is None:
        return x
    x = cast(x, dtype)
    return cast(x, "int32") if backends.active.dtype_of(x) == "bool" else x


@op(convert="x")
def _cumsum(x: Any, axis: int) -> Any:
    """The running sum along one axis, in the dtype of `x`."""


@op(number="x")
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum along an axis, NaN counting as 0.

    Args:
        x: a tensor of any shape; bools become int32.
        axis: an axis, or `None` for the flattened tensor.
        dtype: the dtype of the result; by default that of `x`.

    >>> import kerasish as keras
    >>> keras.ops.nancumsum([1.0, float("nan"), 3.0]).tolist()
    [1.0, 1.0, 4.0]
    """
    return cumsum(_fill_nan(x, 0), axis, dtype)


@op(number="x")
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running product along an axis.

    Args:
        x: a tensor of any shape; bools become int32.
        axis: an axis, or `None` for the flattened tensor.
        dtype: the dtype of the result; by default that of `x`.

    >>> import kerasish as keras
    >>> keras.ops.cumprod([1, 2, 3]).tolist()
    [1, 2, 6]
    """
    return _cumprod(*_flat(_counted(x, dtype), axis))


@op(convert="x")
def _cumprod(x: Any, axis: int) -> Any:
    """The running product along one axis, in the dtype of `x`."""


@op(number="x")
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running product along an axis, NaN counting as 1.

    Args:
        x: a tensor of any shape; bools become int32.
        axis: an axis, or `None` for the flattened tensor.
        dtype: the dtype of the result; by default that of `x`.

    >>> import kerasish as keras
    >>> keras.ops.nancumprod([1.0, float("nan"), 3.0]).tolist()
    [1.0, 1.0, 3.0]
    """
    return cumprod(_fill_nan(x, 1), axis, dtype)


@op(float="x", real=True)
def quantile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """The q-th quantiles over axes; NaN where there is a NaN.

    Args:
        x: a tensor of any shape; integers become floatx.
        q: fractions from 0 to 1, a number or a tensor, whose axes come first in the result.
        axis: an axis, several, or `None` for all of them.
        method: between two elements: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.quantile([1.0, 2.0, 4.0], 0.25).tolist()
    1.5
    """
    return _quantile(x, q, axis, method, keepdims, False)


@op(float="x", real=True)
def percentile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """The q-th percentiles over axes; NaN where there is a NaN.

    Args:
        x: a tensor of any shape; integers become floatx.
        q: percentages from 0 to 100, a number or a tensor, whose axes come first in the result.
        axis: an axis, several, or `None` for all of them.
        method: between two elements: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.percentile([1.0, 2.0, 4.0], 25).tolist()
    1.5
    """
    return _quantile(x, divide(q, 100), axis, method, keepdims, False)


@op(float="x", real=True)
def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The median over axes; NaN where there is a NaN.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.median([[1.0, 2.0, 9.0]], axis=1).tolist()
    [2.0]
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, False)


@op(float="x", real=True)
def nanquantile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """The q-th quantiles over axes of what is not NaN.

    Args:
        x: a tensor of any shape; integers become floatx.
        q: fractions from 0 to 1, a number or a tensor, whose axes come first in the result.
        axis: an axis, several, or `None` for all of them.
        method: between two elements: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanquantile([1.0, float("nan"), 3.0], 0.5).tolist()
    2.0
    """
    return _quantile(x, q, axis, method, keepdims, True)


@op(float="x", real=True)
def nanpercentile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """The q-th percentiles over axes of what is not NaN.

    Args:
        x: a tensor of any shape; integers become floatx.
        q: percentages from 0 to 100, a number or a tensor, whose axes come first in the result.
        axis: an axis, several, or `None` for all of them.
        method: between two elements: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanpercentile([1.0, float("nan"), 3.0], 50).tolist()
    2.0
    """
    return _quantile(x, divide(q, 100), axis, method, keepdims, True)


@op(float="x", real=True)
def nanmedian(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The median over axes of what is not NaN.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanmedian([1.0, float("nan"), 3.0]).tolist()
    2.0
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, True)


@op(convert="x")
def nansum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum over axes, NaN counting as 0.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nansum([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [1.0, 8.0]
    """
    return sum(_fill_nan(x, 0), axis, keepdims)


@op(convert="x")
def nanprod(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The product over axes, NaN counting as 1.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanprod([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [1.0, 15.0]
    """
    return prod(_fill_nan(x, 1), axis, keepdims)


@op(float="x")
def nanmean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean over axes of what is not NaN; NaN where there is nothing else.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanmean([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [1.0, 4.0]
    """
    return divide(sum(_fill_nan(x, 0), axis, keepdims), _count(x, axis, keepdims))


@op(float="x")
def nanvar(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The variance over axes of what is not NaN; NaN where there is nothing else.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanvar([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [0.0, 1.0]
    """
    center = subtract(_fill_nan(x, 0), nanmean(x, axis, keepdims=True))
    center = where(isnan(x), 0.0, center)  # has none of where all is NaN
    return divide(sum(_squared(center), axis, keepdims), real(_count(x, axis, keepdims)))


@op(float="x")
def nanstd(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The standard deviation over axes of what is not NaN.

    Args:
        x: a tensor of any shape; integers become floatx.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanstd([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [0.0, 1.0]
    """
    return safe_sqrt(nanvar(x, axis, keepdims))


@op(convert="x", real=True)
def nanmax(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The greatest number over axes; NaN only where there is nothing else.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanmax([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [1.0, 5.0]
    """
    found = max(_fill_nan(x, -math.inf), axis, keepdims)
    if not _is_float(x):
        return found
    return where(all(isnan(x), axis, keepdims), math.nan, found)


@op(convert="x", real=True)
def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The int32 index of the greatest number that is not NaN; -1 where all are NaN.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, or `None` for the flattened tensor.
        keepdims: whether the reduced axis stays, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanargmax([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [0, 1]
    """
    found = argmax(_fill_nan(x, -math.inf), axis, keepdims)
    return where(all(isnan(x), axis, keepdims), -1, found) if _is_float(x) else found


@op(convert="x", real=True)
def nanmin(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest number over axes; NaN only where there is nothing else.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, several, or `None` for all of them.
        keepdims: whether the reduced axes stay, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanmin([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [1.0, 3.0]
    """
    found = min(_fill_nan(x, math.inf), axis, keepdims)
    if not _is_float(x):
        return found
    return where(all(isnan(x), axis, keepdims), math.nan, found)


@op(convert="x", real=True)
def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The int32 index of the smallest number that is not NaN; -1 where all are NaN.

    Args:
        x: a tensor of any shape and dtype.
        axis: an axis, or `None` for the flattened tensor.
        keepdims: whether the reduced axis stays, with size 1.

    >>> import kerasish as keras
    >>> keras.ops.nanargmin([[1.0, float("nan")], [3.0, 5.0]], axis=1).tolist()
    [0, 0]
    """
    found = argmin(_fill_nan(x, math.inf), axis, keepdims)
    return where(all(isnan(x), axis, keepdims), -1, found) if _is_float(x) else found


def _is_float(x: Any) -> bool:
    return dtypes.is_float(backends.active.dtype_of(x))


def _is_complex(x: Any) -> bool:
    return backends.active.dtype_of(x) in dtypes.COMPLEX


def _fill_nan(x: Any, value: float) -> Any:
    return where(isnan(x), value, x) if _is_float(x) or _is_complex(x) else x


def _count(x: Any, axis: Axis, keepdims: bool) -> Any:
    """How many elements are not NaN."""
    return cast(sum(logical_not(isnan(x)), axis, keepdims), backends.active.dtype_of(x))


def _flat(x: Any, axis: int | None) -> tuple[Any, int]:
    return (ops.reshape(x, (-1,)), 0) if axis is None else (x, axis_of(axis, len(x.shape)))


_BETWEEN = {
    "linear": lambda low, high, part: where(
        equal(low, high), low, add(low, multiply(subtract(high, low), part))
    ),
    "lower": lambda low, high, part: low,
    "higher": lambda low, high, part: high,
    "midpoint": lambda low, high, part: multiply(add(low, high), 0.5),
    "nearest": None,
}


def _quantile(
    x: Any, q: Any, axis: Axis, method: str, keepdims: bool, skip_nan: bool
) -> Any:
    """Quantiles by sorting; a NaN makes its slice's NaN, or with `skip_nan` does not count."""
    if method not in _BETWEEN:
        raise InvalidArgument(f"Unknown method {method!r}. Expected one of {list(_BETWEEN)}.")
    rank = len(x.shape)
    axes = axes_of(axis, rank)
    kept = [i for i in range(rank) if i not in axes]
    sizes = ops.shape(x)
    dtype = backends.active.dtype_of(x)
    exact = "float64" if dtype == "float64" else "float32"
    q = cast(q, exact)
    depth = functools.reduce(lambda m, n: m * n, [sizes[i] for i in axes], 1)
    lanes = ops.reshape(ops.transpose(x, [*kept, *axes]), (*[sizes[i] for i in kept], depth))
    lost = isnan(lanes)
    lanes = ops.sort(where(lost, math.inf, lanes), axis=-1)
    # Positions in the sorted lanes: a quantile a row, in front of the lanes' own axes.
    flat_q = ops.reshape(q, (-1, *[1] * len(kept)))
    number = subtract(ops.shape(lanes)[-1], 1)
    if 0 in lanes.shape:
        lanes = ops.pad(lanes, [(0, 0)] * len(kept) + [(0, 1)], constant_values=math.nan)
    if skip_nan:
        number = subtract(sum(logical_not(lost), -1), 1)
    # What lies outside of 0 to 1 counts as the nearest end, as a compiled program cannot raise.
    place = multiply(ops.clip(flat_q, 0.0, 1.0), cast(number, exact))
    if method == "nearest":
        picked = _pick(lanes, round(place))
    else:
        low = floor(place)
        ends = _pick(lanes, low), _pick(lanes, ceil(place))
        picked = _BETWEEN[method](*ends, cast(subtract(place, low), dtype))
    gone = all(lost, -1) if skip_nan else any(lost, -1)
    picked = where(gone, math.nan, picked)
    picked = ops.reshape(picked, (*ops.shape(q), *[sizes[i] for i in kept]))
    if not keepdims:
        return picked
    whole = [1 if i in axes else n for i, n in enumerate(sizes)]
    return ops.reshape(picked, (*ops.shape(q), *whole))


def _pick(lanes: Any, place: Any) -> Any:
    """`lanes[..., place]` with a row of places for every quantile: (quantiles, lanes' axes)."""
    place = cast(ops.maximum(place, 0), "int32")
    place = ops.moveaxis(place, 0, -1)
    shape = (*ops.shape(lanes)[:-1], ops.shape(place)[-1])
    picked = ops.take_along_axis(lanes, ops.broadcast_to(place, shape), axis=-1)
    return ops.moveaxis(picked, -1, 0)
