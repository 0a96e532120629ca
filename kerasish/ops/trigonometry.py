"""Angles: trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

import math
from typing import Any

from kerasish.core.op import op
from kerasish.ops.elementwise import (
    absolute,
    add,
    divide,
    divide_no_nan,
    maximum,
    minimum,
    multiply,
    sqrt,
    square,
)  # fmt: skip
from kerasish.ops.logic import isinf, less, where

__all__ = [
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cos", "cosh",
    "deg2rad", "hypot", "rad2deg", "sin", "sinc", "sinh", "tan", "tanh",
]  # fmt: skip


@op(float="x")
def sin(x: Any) -> Any:
    """The sine of an angle in radians.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.sin([0.0, 1.0]).round(4))
    [0.     0.8415]
    """


@op(float="x")
def cos(x: Any) -> Any:
    """The cosine of an angle in radians.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.cos([0.0, 1.0]).round(4))
    [1.     0.5403]
    """


@op(float="x")
def tan(x: Any) -> Any:
    """The tangent of an angle in radians.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.tan([0.0, 1.0]).round(4))
    [0.     1.5574]
    """


@op(float="x")
def arcsin(x: Any) -> Any:
    """The inverse sine, in radians from -pi/2 to pi/2.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.arcsin([0.0, 1.0]).round(4))
    [0.     1.5708]
    """


@op(float="x")
def arccos(x: Any) -> Any:
    """The inverse cosine, in radians from 0 to pi.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.arccos([1.0, 0.0]).round(4))
    [0.     1.5708]
    """


@op(float="x")
def arctan(x: Any) -> Any:
    """The inverse tangent, in radians from -pi/2 to pi/2.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.arctan([0.0, 1.0]).round(4))
    [0.     0.7854]
    """


@op(float="x")
def sinh(x: Any) -> Any:
    """The hyperbolic sine.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.sinh([0.0, 1.0]).round(4))
    [0.     1.1752]
    """


@op(float="x")
def cosh(x: Any) -> Any:
    """The hyperbolic cosine.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.cosh([0.0, 1.0]).round(4))
    [1.     1.5431]
    """


@op(float="x")
def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.tanh([0.0, 1.0]).round(4))
    [0.     0.7616]
    """


@op(float="x")
def arcsinh(x: Any) -> Any:
    """The inverse hyperbolic sine.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.arcsinh([0.0, 1.0]).round(4))
    [0.     0.8814]
    """


@op(float="x")
def arccosh(x: Any) -> Any:
    """The inverse hyperbolic cosine; NaN below 1.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.arccosh([1.0, 2.0]).round(4))
    [0.    1.317]
    """


@op(float="x")
def arctanh(x: Any) -> Any:
    """The inverse hyperbolic tangent; NaN outside [-1, 1].

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.arctanh([0.0, 0.5]).round(4))
    [0.     0.5493]
    """


@op(float="x", wide=True)
def sinc(x: Any) -> Any:
    """`sin(pi x) / (pi x)`, and 1 at 0.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.sinc([0.0, 0.5]).round(4))
    [1.     0.6366]
    """
    # Near 0 by the first terms of the series, of which the derivatives are right there too.
    y = multiply(x, math.pi)
    near = less(absolute(y), 0.1)
    low, high = square(where(near, y, 0.0)), where(near, 1.0, y)
    series = 1.0 - low / 6 * (1.0 - low / 20 * (1.0 - low / 42 * (1.0 - low / 72)))
    return where(near, series, divide(sin(high), high))


@op(double="x")
def deg2rad(x: Any) -> Any:
    """Degrees as radians.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.deg2rad([180.0]).round(4))
    [3.1416]
    """
    return multiply(x, math.pi / 180)


@op(double="x")
def rad2deg(x: Any) -> Any:
    """Radians as degrees.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.rad2deg([1.0]).round(4))
    [57.2958]
    """
    return multiply(x, 180 / math.pi)


@op(float="x1 x2", real=True)
def arctan2(x1: Any, x2: Any) -> Any:
    """The angle of the point (x2, x1), in radians from -pi to pi.

    Args:
        x1, x2: tensors whose shapes broadcast; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.arctan2([1.0, -1.0], [0.0, 0.0]).round(4))
    [ 1.5708 -1.5708]
    """


@op(float="x1 x2", real=True)
def hypot(x1: Any, x2: Any) -> Any:
    """`sqrt(x1**2 + x2**2)` without overflow in the squares.

    Args:
        x1, x2: tensors whose shapes broadcast; integers become floatx.

    >>> import kerasish as keras
    >>> keras.ops.hypot([3.0], [4.0]).tolist()
    [5.0]
    """
    x1, x2 = absolute(x1), absolute(x2)
    high = maximum(x1, x2)
    ratio = divide_no_nan(minimum(x1, x2), high)
    return where(isinf(high), high, multiply(high, sqrt(add(1.0, square(ratio)))))
