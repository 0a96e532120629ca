"""Comparisons, truth values, bits, and choices that depend on them."""

from __future__ import annotations

import math
from typing import Any

from kerasish.core.op import op
from kerasish.errors import InvalidArgument

__all__ = [
    "allclose", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "equal", "greater", "greater_equal",
    "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "left_shift",
    "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor",
    "not_equal", "right_shift", "select", "where",
]  # fmt: skip


@op(common="x1 x2")
def equal(x1: Any, x2: Any) -> Any:
    """Whether `x1 == x2`, elementwise.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.equal([1, 2, 3], 2).tolist()
    [False, True, False]
    """


@op(common="x1 x2")
def not_equal(x1: Any, x2: Any) -> Any:
    """Whether `x1 != x2`, elementwise.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.not_equal([1, 2, 3], 2).tolist()
    [True, False, True]
    """


@op(common="x1 x2", real=True)
def less(x1: Any, x2: Any) -> Any:
    """Whether `x1 < x2`, elementwise.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.less([1, 2, 3], 2).tolist()
    [True, False, False]
    """


@op(common="x1 x2", real=True)
def less_equal(x1: Any, x2: Any) -> Any:
    """Whether `x1 <= x2`, elementwise.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.less_equal([1, 2, 3], 2).tolist()
    [True, True, False]
    """


@op(common="x1 x2", real=True)
def greater(x1: Any, x2: Any) -> Any:
    """Whether `x1 > x2`, elementwise.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.greater([1, 2, 3], 2).tolist()
    [False, False, True]
    """


@op(common="x1 x2", real=True)
def greater_equal(x1: Any, x2: Any) -> Any:
    """Whether `x1 >= x2`, elementwise.

    Args:
        x1, x2: tensors whose shapes broadcast; promoted to a common dtype.

    >>> import kerasish as keras
    >>> keras.ops.greater_equal([1, 2, 3], 2).tolist()
    [False, True, True]
    """


@op(common="x1 x2")
def isclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether two numbers are equal within tolerances: `|x1 - x2| <= atol + rtol * |x2|`.

    Args:
        x1, x2: tensors whose shapes broadcast. Infinities are close to themselves only.
        rtol, atol: relative and absolute tolerance.
        equal_nan: whether NaN counts as close to NaN.

    >>> import kerasish as keras
    >>> keras.ops.isclose([1.0, 1.1], [1.0, 1.0]).tolist()
    [True, False]
    """
    from kerasish.ops import absolute, add, multiply, subtract

    limit = add(multiply(absolute(x2), rtol), atol)
    close = less_equal(absolute(subtract(x1, x2)), limit)
    close = logical_or(equal(x1, x2), logical_and(close, isfinite(x2)))
    return logical_or(close, logical_and(isnan(x1), isnan(x2))) if equal_nan else close


@op(common="x1 x2")
def allclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all numbers of two tensors are equal within tolerances; a bool tensor of no axes.

    Args:
        x1, x2: tensors whose shapes broadcast.
        rtol, atol, equal_nan: as for `isclose`.

    >>> import kerasish as keras
    >>> bool(keras.ops.allclose([1.0, 2.0], [1.0, 2.00001]))
    True
    """
    from kerasish.ops import all

    return all(isclose(x1, x2, rtol, atol, equal_nan))


@op(float="x")
def isfinite(x: Any) -> Any:
    """Whether a number is neither infinite nor NaN.

    Args:
        x: a tensor of any shape; integers are finite.

    >>> import kerasish as keras
    >>> keras.ops.isfinite([1.0, float("inf"), float("nan")]).tolist()
    [True, False, False]
    """


@op(float="x")
def isinf(x: Any) -> Any:
    """Whether a number is infinite.

    Args:
        x: a tensor of any shape; integers are finite.

    >>> import kerasish as keras
    >>> keras.ops.isinf([1.0, float("inf"), float("nan")]).tolist()
    [False, True, False]
    """


@op(float="x")
def isnan(x: Any) -> Any:
    """Whether a value is NaN, not a number.

    Args:
        x: a tensor of any shape; integers are finite.

    >>> import kerasish as keras
    >>> keras.ops.isnan([1.0, float("inf"), float("nan")]).tolist()
    [False, False, True]
    """


@op(float="x")
def isneginf(x: Any) -> Any:
    """Whether a number is negative infinity.

    Args:
        x: a tensor of any shape; integers are finite.

    >>> import kerasish as keras
    >>> keras.ops.isneginf([1.0, float("inf"), float("nan")]).tolist()
    [False, False, False]
    """
    return equal(x, -math.inf)


@op(float="x")
def isposinf(x: Any) -> Any:
    """Whether a number is positive infinity.

    Args:
        x: a tensor of any shape; integers are finite.

    >>> import kerasish as keras
    >>> keras.ops.isposinf([1.0, float("inf"), float("nan")]).tolist()
    [False, True, False]
    """
    return equal(x, math.inf)


@op(convert="x")
def isreal(x: Any) -> Any:
    """Whether the imaginary part is zero.

    Args:
        x: a tensor of any shape.

    >>> import kerasish as keras
    >>> keras.ops.isreal([1j, 2 + 0j]).tolist()
    [False, True]
    """
    from kerasish.ops import imag

    return equal(imag(x), 0)


@op(convert="x1 x2")
def logical_and(x1: Any, x2: Any) -> Any:
    """Whether both are true.

    Args:
        x1, x2: tensors whose shapes broadcast; what is not zero counts as true.

    >>> import kerasish as keras
    >>> keras.ops.logical_and([False, False, True], [False, True, True]).tolist()
    [False, False, True]
    """


@op(convert="x1 x2")
def logical_or(x1: Any, x2: Any) -> Any:
    """Whether at least one is true.

    Args:
        x1, x2: tensors whose shapes broadcast; what is not zero counts as true.

    >>> import kerasish as keras
    >>> keras.ops.logical_or([False, False, True], [False, True, True]).tolist()
    [False, True, True]
    """


@op(convert="x1 x2")
def logical_xor(x1: Any, x2: Any) -> Any:
    """Whether exactly one is true.

    Args:
        x1, x2: tensors whose shapes broadcast; what is not zero counts as true.

    >>> import kerasish as keras
    >>> keras.ops.logical_xor([False, False, True], [False, True, True]).tolist()
    [False, True, False]
    """


@op(convert="x")
def logical_not(x: Any) -> Any:
    """Whether it is false.

    Args:
        x: a tensor of any shape; what is not zero counts as true.

    >>> import kerasish as keras
    >>> keras.ops.logical_not([True, False]).tolist()
    [False, True]
    """


@op(common="x y")
def bitwise_and(x: Any, y: Any) -> Any:
    """The bits that are set in both.

    Args:
        x, y: integer or bool tensors whose shapes broadcast.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_and([6], [3]).tolist()
    [2]
    """


@op(common="x y")
def bitwise_or(x: Any, y: Any) -> Any:
    """The bits that are set in at least one.

    Args:
        x, y: integer or bool tensors whose shapes broadcast.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_or([6], [3]).tolist()
    [7]
    """


@op(common="x y")
def bitwise_xor(x: Any, y: Any) -> Any:
    """The bits that are set in exactly one.

    Args:
        x, y: integer or bool tensors whose shapes broadcast.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_xor([6], [3]).tolist()
    [5]
    """


@op(convert="x")
def bitwise_not(x: Any) -> Any:
    """All bits the other way round.

    Args:
        x: an integer or bool tensor.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_not([0, 5]).tolist()
    [-1, -6]
    """


bitwise_invert = bitwise_not


@op(number="x y")
def left_shift(x: Any, y: Any) -> Any:
    """Bits moved to the left: `x * 2**y`.

    Args:
        x, y: integer tensors whose shapes broadcast; `y` counts the bits to shift by.

    >>> import kerasish as keras
    >>> keras.ops.left_shift([3], [2]).tolist()
    [12]
    """


@op(number="x y")
def right_shift(x: Any, y: Any) -> Any:
    """Bits moved to the right: `x // 2**y`.

    Args:
        x, y: integer tensors whose shapes broadcast; `y` counts the bits to shift by.

    >>> import kerasish as keras
    >>> keras.ops.right_shift([13, -8], [2, 1]).tolist()
    [3, -4]
    """


bitwise_left_shift = left_shift
bitwise_right_shift = right_shift


@op(convert="condition", common="x1 x2")
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """`x1` where the condition holds, else `x2`; without them, the indices where it holds.

    Args:
        condition: a tensor; what is not zero counts as true.
        x1, x2: tensors whose shapes broadcast with that of the condition, or neither.

    >>> import kerasish as keras
    >>> keras.ops.where([True, False], [1, 2], 0).tolist()
    [1, 0]
    """


@op(convert="*condlist", common="*choicelist")
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """For each place the first choice whose condition holds there.

    Args:
        condlist: a list of bool tensors.
        choicelist: as many tensors to choose from; all shapes broadcast.
        default: where no condition holds.

    >>> import kerasish as keras
    >>> keras.ops.select([[True, False, False], [True, True, False]], [[1, 2, 3], 4]).tolist()
    [1, 4, 0]
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise InvalidArgument(
            "ops.select needs as many conditions as choices, and at least one; got "
            f"{len(condlist)} and {len(choicelist)}."
        )
    chosen = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        chosen = where(condition, choice, chosen)
    return chosen
