"""Complex numbers: their parts, and how they are made."""

from __future__ import annotations

from typing import Any

from kerasish.core.op import op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import ShapeError
from kerasish.ops.core import cast
from kerasish.ops.elementwise import multiply
from kerasish.ops.trigonometry import arctan2, cos, sin

__all__ = [
    "angle", "conj", "conjugate", "imag", "polar", "real", "view_as_complex", "view_as_real",
]  # fmt: skip


@op(convert="x")
def real(x: Any) -> Any:
    """The real part.

    Args:
        x: a tensor of any shape and numeric dtype, which is kept.

    >>> import kerasish as keras
    >>> keras.ops.real([1 + 2j]).tolist()
    [1.0]
    """


@op(convert="x")
def imag(x: Any) -> Any:
    """The imaginary part; zeros of a real tensor.

    Args:
        x: a tensor of any shape and numeric dtype, which is kept.

    >>> import kerasish as keras
    >>> keras.ops.imag([1 + 2j]).tolist()
    [2.0]
    """


@op(convert="x")
def conjugate(x: Any) -> Any:
    """The complex conjugate; a real tensor as it is.

    Args:
        x: a tensor of any shape and numeric dtype, which is kept.

    >>> import kerasish as keras
    >>> keras.ops.conjugate([1 + 2j]).tolist()
    [(1-2j)]
    """


conj = conjugate


@op(float="x")
def angle(x: Any) -> Any:
    """The angle in the complex plane, in radians: pi of a negative real number.

    Args:
        x: a tensor of any shape; integers become floatx.

    >>> import kerasish as keras
    >>> print(keras.ops.angle([1j, 1 + 0j]).round(4))
    [1.5708 0.    ]
    """
    return arctan2(imag(x), real(x))


@op(float="real imaginary")
def _complex(real: Any, imaginary: Any) -> Any:
    """`real + 1j * imaginary`."""


@op(float="abs_ angle", real=True)
def polar(abs_: Any, angle: Any) -> Any:
    """Complex numbers from their moduli and angles.

    Args:
        abs_: moduli, a float tensor.
        angle: angles in radians, of the same shape.

    >>> import kerasish as keras
    >>> keras.ops.polar([2.0], [0.0]).tolist()
    [(2+0j)]
    """
    return _complex(multiply(abs_, cos(angle)), multiply(abs_, sin(angle)))


@op(float="x", real=True)
def view_as_complex(x: Any) -> Any:
    """Pairs of numbers as complex numbers.

    Args:
        x: a float tensor of shape (..., 2): real and imaginary parts.

    Returns: complex64, as in Keras.

    >>> import kerasish as keras
    >>> keras.ops.view_as_complex([[1.0, 2.0], [3.0, 4.0]]).tolist()
    [(1+2j), (3+4j)]
    """
    if unknown_shape(x.shape)[-1:] not in ((2,), (None,)):
        raise ShapeError(
            "ops.view_as_complex: the last axis holds the real and the imaginary part, so its "
            f"size must be 2; got shape {tuple(x.shape)}."
        )
    x = cast(x, "float32")
    return _complex(x[..., 0], x[..., 1])


@op(convert="x")
def view_as_real(x: Any) -> Any:
    """Complex numbers as pairs of real and imaginary part, in a new last axis.

    Args:
        x: a complex tensor of any shape; of real numbers the second part is 0.

    >>> import kerasish as keras
    >>> keras.ops.view_as_real([1 + 2j]).tolist()
    [[1.0, 2.0]]
    """
    from kerasish.ops import stack

    return stack([real(x), imag(x)], axis=-1)
