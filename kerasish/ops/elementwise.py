"""Elementwise mathematics: one number in, one number out, or two that broadcast.

Integers given to a function of the reals become floatx; two operands meet in their common dtype
(`kerasish.dtypes`), where Python scalars are weak.

Gradients at corners are the same on all engines: equal arguments of a maximum or minimum share it
equally, `clip` passes it on at its bounds, and the slope of `absolute` at 0 is 0.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from kerasish import backends, dtypes
from kerasish.core.op import op
from kerasish.errors import DTypeError
from kerasish.ops.logic import equal, greater, greater_equal, isnan, less, where

__all__ = [
    "abs", "absolute", "add", "cbrt", "ceil", "clip", "divide", "divide_no_nan", "exp", "exp2",
    "expm1", "fabs", "floor", "floor_divide", "fmax", "fmin", "fmod", "gcd", "heaviside", "i0",
    "lcm", "ldexp", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "maximum",
    "minimum", "mod", "multiply", "nan_to_num", "negative", "nextafter", "power", "reciprocal",
    "round", "rsqrt", "sign", "signbit", "sqrt", "square", "subtract", "true_divide", "trunc",
]  # fmt: skip


@op(convert="x")
def absolute(x: Any) -> Any:
    """The absolute value; of a complex number, its modulus.

    Args:
        x: a tensor of any shape and numeric dtype, which is kept.

    >>> import kerasish as keras
    >>> keras.ops.absolute([-2, 0, 3]).tolist()
    [2, 0, 3]
    """


abs = absolute


@op(float="x", real=True)
def fabs(x: Any) -> Any:
    """The absolute value as a float.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.fabs([-2, 3]).tolist()
    [2.0, 3.0]
    """
    return absolute(x)


@op(number="x")
def negative(x: Any) -> Any:
    """`-x`.

    Args:
        x: a tensor of any shape; bools become int32.

    >>> import kerasish as keras
    >>> keras.ops.negative([1, -2]).tolist()
    [-1, 2]
    """


@op(number="x")
def sign(x: Any) -> Any:
    """-1, 0 or 1 by the sign; `x / |x|` of a complex number; NaN of NaN.

    Args:
        x: a tensor of any shape; bools become int32.

    >>> import kerasish as keras
    >>> keras.ops.sign([-3.0, 0.0, 2.0]).tolist()
    [-1.0, 0.0, 1.0]
    """


@op(convert="x", real=True)
def signbit(x: Any) -> Any:
    """Whether the sign bit is set, which tells -0.0 from 0.0.

    Args:
        x: a real tensor of any shape.

    >>> import kerasish as keras
    >>> keras.ops.signbit([-1.0, -0.0, 0.0]).tolist()
    [True, True, False]
    """


@op(number="x")
def square(x: Any) -> Any:
    """`x * x`.

    Args:
        x: a tensor of any shape; bools become int32.

    >>> import kerasish as keras
    >>> keras.ops.square([-3, 2]).tolist()
    [9, 4]
    """
    return multiply(x, x)


@op(float="x")
def sqrt(x: Any) -> Any:
    """The square root; NaN below zero.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.sqrt([4.0, 9.0]).tolist()
    [2.0, 3.0]
    """


def safe_sqrt(x: Any) -> Any:
    """The square root of something not negative, with the gradient 0, not infinity, at 0."""
    zero = equal(x, 0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, x)))


@op(float="x")
def rsqrt(x: Any) -> Any:
    """`1 / sqrt(x)`.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.rsqrt([4.0, 1.0]).tolist()
    [0.5, 1.0]
    """
    return reciprocal(sqrt(x))


@op(double="x", real=True)
def cbrt(x: Any) -> Any:
    """The real cube root, also of negative numbers.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.cbrt([-8.0, 27.0]).round(4))
    [-2.  3.]
    """
    return multiply(sign(x), power(absolute(x), 1 / 3))


@op(float="x")
def reciprocal(x: Any) -> Any:
    """`1 / x`.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.reciprocal([2.0, 4.0]).tolist()
    [0.5, 0.25]
    """
    return divide(1.0, x)


@op(float="x")
def exp(x: Any) -> Any:
    """The exponential `e ** x`.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.exp([0.0, 1.0]).round(4))
    [1.     2.7183]
    """


@op(float="x")
def exp2(x: Any) -> Any:
    """`2 ** x`.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.exp2([3.0, -1.0]).tolist()
    [8.0, 0.5]
    """
    return power(2.0, x)


@op(float="x")
def expm1(x: Any) -> Any:
    """`exp(x) - 1`, exact also for tiny `x`.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.expm1([0.0]).tolist()
    [0.0]
    """


@op(float="x")
def log(x: Any) -> Any:
    """The natural logarithm; NaN below zero.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.log([1.0, 10.0]).round(4))
    [0.     2.3026]
    """


@op(float="x")
def log10(x: Any) -> Any:
    """The logarithm to base 10.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.log10([1.0, 100.0]).round(4))
    [0. 2.]
    """
    return multiply(log(x), 1 / math.log(10))


@op(float="x")
def log2(x: Any) -> Any:
    """The logarithm to base 2.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.log2([1.0, 8.0]).round(4))
    [0. 3.]
    """
    return multiply(log(x), 1 / math.log(2))


@op(float="x")
def log1p(x: Any) -> Any:
    """`log(1 + x)`, exact also for tiny `x`.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.log1p([0.0]).tolist()
    [0.0]
    """


@op(double="x", real=True)
def i0(x: Any) -> Any:
    """The modified Bessel function of the first kind, of order 0.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.i0([0.0, 1.0]).round(4))
    [1.     1.2661]
    """


@op(float="x", real=True)
def ceil(x: Any) -> Any:
    """The least integer not below `x`, as a float.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.ceil([1.2, -1.2]).tolist()
    [2.0, -1.0]
    """


@op(float="x", real=True)
def floor(x: Any) -> Any:
    """The greatest integer not above `x`, as a float.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.floor([1.2, -1.2]).tolist()
    [1.0, -2.0]
    """


@op(convert="x", real=True)
def trunc(x: Any) -> Any:
    """The integer part, toward zero; integers stay as they are.

    Args:
        x: a tensor of any shape and numeric dtype, which is kept.

    >>> import kerasish as keras
    >>> keras.ops.trunc([1.7, -1.7]).tolist()
    [1.0, -1.0]
    """


@op(common="x1 x2")
def add(x1: Any, x2: Any) -> Any:
    """`x1 + x2`; of two bools, whether one of them is true.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.add([1, 2], 0.5).tolist()
    [1.5, 2.5]
    """


@op(number="x1 x2")
def subtract(x1: Any, x2: Any) -> Any:
    """`x1 - x2`.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype, bools to int32.

    >>> import kerasish as keras
    >>> keras.ops.subtract([1, 2], 1).tolist()
    [0, 1]
    """


@op(common="x1 x2")
def multiply(x1: Any, x2: Any) -> Any:
    """`x1 * x2`; of two bools, whether both are true.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.multiply([1, 2], 3).tolist()
    [3, 6]
    """


@op(float="x1 x2")
def divide(x1: Any, x2: Any) -> Any:
    """`x1 / x2`, always a float.

    Args:
        x1, x2: tensors whose shapes broadcast; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.divide([1, 2], 2).tolist()
    [0.5, 1.0]
    """


true_divide = divide


@op(float="x1 x2")
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """`x1 / x2`, and 0 where `x2` is 0, in the gradient as well.

    Args:
        x1, x2: tensors whose shapes broadcast; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.divide_no_nan([1.0, 2.0], [0.0, 4.0]).tolist()
    [0.0, 0.5]
    """
    zero = equal(x2, 0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


@op(number="x1 x2", real=True)
def floor_divide(x1: Any, x2: Any) -> Any:
    """`x1 / x2` rounded down to an integer; the dtype is kept.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype, bools to int32.

    >>> import kerasish as keras
    >>> keras.ops.floor_divide([7, -7], 2).tolist()
    [3, -4]
    """


@op(number="x1 x2", real=True)
def mod(x1: Any, x2: Any) -> Any:
    """The remainder of division, with the sign of `x2`.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype, bools to int32.

    >>> import kerasish as keras
    >>> keras.ops.mod([7, -7], 3).tolist()
    [1, 2]
    """


@op(number="x1 x2", real=True)
def fmod(x1: Any, x2: Any) -> Any:
    """The remainder of division, with the sign of `x1`.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype, bools to int32.

    >>> import kerasish as keras
    >>> keras.ops.fmod([7, -7], 3).tolist()
    [1, -1]
    """
    # Not by sign and absolute value of x1, whose slopes at 0 are 0.
    below = less(x1, 0)
    rest = mod(where(below, negative(x1), x1), absolute(x2))
    return where(below, negative(rest), rest)


@op(number="x1 x2")
def power(x1: Any, x2: Any) -> Any:
    """`x1 ** x2`.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype, bools to int32.

    >>> import kerasish as keras
    >>> keras.ops.power([2, 3], 2).tolist()
    [4, 9]
    """


@op(common="x1 x2", real=True)
def maximum(x1: Any, x2: Any) -> Any:
    """The greater of two numbers; NaN where one is NaN.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.maximum([1, 5], 3).tolist()
    [3, 5]
    """


@op(common="x1 x2", real=True)
def minimum(x1: Any, x2: Any) -> Any:
    """The smaller of two numbers; NaN where one is NaN.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.minimum([1, 5], 3).tolist()
    [1, 3]
    """


@op(common="x1 x2", real=True)
def fmax(x1: Any, x2: Any) -> Any:
    """The greater of two numbers; a NaN gives way to the other number.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.fmax([1.0, float('nan')], 0.5).tolist()
    [1.0, 0.5]
    """
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


@op(common="x1 x2", real=True)
def fmin(x1: Any, x2: Any) -> Any:
    """The smaller of two numbers; a NaN gives way to the other number.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.fmin([1.0, float('nan')], 0.5).tolist()
    [0.5, 0.5]
    """
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


@op(float="x1 x2", real=True)
def heaviside(x1: Any, x2: Any) -> Any:
    """The step function: 0 below zero, `x2` at zero, 1 above.

    Args:
        x1, x2: tensors whose shapes broadcast; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.heaviside([-1.0, 0.0, 2.0], 0.5).tolist()
    [0.0, 0.5, 1.0]
    """
    return where(greater(x1, 0), 1.0, where(less(x1, 0), 0.0, where(equal(x1, 0), x2, x1)))


@op(float="x1 x2", real=True)
def logaddexp(x1: Any, x2: Any) -> Any:
    """`log(exp(x1) + exp(x2))` without overflow.

    Args:
        x1, x2: tensors whose shapes broadcast; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.logaddexp([0.0], [0.0]).round(4))
    [0.6931]
    """
    # The mean where both are equal: so the gradient is halved between them, as it should be.
    same = equal(x1, x2)
    mean = add(multiply(x1, 0.5), multiply(x2, 0.5))
    high = where(same, mean, where(greater(x1, x2), x1, x2))
    gap = where(same, 0.0, subtract(x1, x2))
    return add(high, log1p(exp(negative(absolute(gap)))))


@op(float="x1 x2", real=True)
def logaddexp2(x1: Any, x2: Any) -> Any:
    """`log2(2**x1 + 2**x2)` without overflow.

    Args:
        x1, x2: tensors whose shapes broadcast; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.logaddexp2([1.0], [1.0]).round(4))
    [2.]
    """
    ln2 = math.log(2)
    return multiply(logaddexp(multiply(x1, ln2), multiply(x2, ln2)), 1 / ln2)


@op(float="x1 x2", real=True)
def nextafter(x1: Any, x2: Any) -> Any:
    """The next representable number after `x1` toward `x2`.

    Args:
        x1, x2: tensors whose shapes broadcast; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.nextafter([1.0], [1.0]).tolist()
    [1.0]
    """


@op(number="x1 x2")
def gcd(x1: Any, x2: Any) -> Any:
    """The greatest common divisor of integers, never negative.

    Args:
        x1, x2: integer tensors whose shapes broadcast.

    >>> import kerasish as keras
    >>> keras.ops.gcd([12, 18], 8).tolist()
    [4, 2]
    """


@op(number="x1 x2")
def lcm(x1: Any, x2: Any) -> Any:
    """The least common multiple of integers, never negative; 0 where one is 0.

    Args:
        x1, x2: integer tensors whose shapes broadcast.

    >>> import kerasish as keras
    >>> keras.ops.lcm([4, 6], 6).tolist()
    [12, 6]
    """
    return absolute(multiply(floor_divide(x1, maximum(gcd(x1, x2), 1)), x2))


@op(convert="x", real=True)
def round(x: Any, decimals: int = 0) -> Any:
    """Rounds to a number of decimals, halves to the even neighbour; the dtype is kept.

    Args:
        x: a tensor of any shape and numeric dtype.
        decimals: decimals to keep; below zero, tens, hundreds and so on.

    >>> import kerasish as keras
    >>> keras.ops.round([0.5, 1.5, -1.2]).tolist()
    [0.0, 2.0, -1.0]
    """
    if not dtypes.is_int(name := backends.active.dtype_of(x)):
        if name == "bool":
            return x
        if not decimals:
            return _rint(x)
        factor = 10.0 ** builtins.abs(decimals)
        if decimals > 0:
            return divide(_rint(multiply(x, factor)), factor)
        return multiply(_rint(divide(x, factor)), factor)
    if decimals >= 0:
        return x
    step = 10**-decimals
    whole = floor_divide(x, step)
    twice = multiply(subtract(x, multiply(whole, step)), 2)
    odd = equal(mod(whole, 2), 1)
    up = where(odd, greater_equal(twice, step), greater(twice, step))
    return multiply(add(whole, up), step)


@op(float="x")
def _rint(x: Any) -> Any:
    """The nearest integer, halves to the even neighbour."""


@op(number="x", like="x_min x_max", real=True)
def clip(x: Any, x_min: Any | None, x_max: Any | None) -> Any:
    """Limits values to an interval; the dtype of `x` is kept.

    Args:
        x: a tensor of any shape; bools become int32.
        x_min, x_max: bounds that broadcast with `x`; `None` for no bound.

    >>> import kerasish as keras
    >>> keras.ops.clip([-1.0, 0.5, 3.0], 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    if x_min is not None:
        x = where(less(x, x_min), x_min, x)
    return x if x_max is None else where(greater(x, x_max), x_max, x)


@op(convert="x", like="nan posinf neginf")
def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """Replaces NaN and infinities by numbers.

    Args:
        x: a tensor of any shape and dtype.
        nan: what replaces NaN.
        posinf, neginf: what replaces infinities; by default the greatest and least numbers of
            the dtype.

    >>> import kerasish as keras
    >>> keras.ops.nan_to_num([1.0, float("nan"), float("inf")], posinf=9.0).tolist()
    [1.0, 0.0, 9.0]
    """
    if not dtypes.is_float(name := backends.active.dtype_of(x)):
        return x
    greatest = float(finfo(name).max)
    x = where(isnan(x), nan, x)
    x = where(equal(x, math.inf), greatest if posinf is None else posinf, x)
    return where(equal(x, -math.inf), -greatest if neginf is None else neginf, x)


def finfo(name: str) -> Any:
    """The limits of a float dtype, bfloat16 and float8 included."""
    if name in ("float16", "float32", "float64"):
        return np.finfo(name)
    import ml_dtypes

    return ml_dtypes.finfo(name)


@op(float="x1", convert="x2", real=True)
def ldexp(x1: Any, x2: Any) -> Any:
    """`x1 * 2**x2`.

    Args:
        x1: a tensor; integers become floatx.
        x2: an integer tensor whose shape broadcasts with that of `x1`.

    >>> import kerasish as keras
    >>> keras.ops.ldexp([0.75, 1.0], [2, -1]).tolist()
    [3.0, 0.5]
    """
    name = backends.active.dtype_of(x2)
    if not dtypes.is_int(name):
        raise DTypeError(f"ops.ldexp: the exponents x2 must be integers, got {name}. Cast them.")
    # In two steps, since 2**x2 alone may overflow where the product does not.
    half = floor_divide(x2, 2)
    powers = [power(2.0, _float_like(x1, e)) for e in (half, subtract(x2, half))]
    return multiply(multiply(x1, powers[0]), powers[1])


def _float_like(x: Any, y: Any) -> Any:
    active = backends.active
    return active.cast(y, active.dtype_of(x))
