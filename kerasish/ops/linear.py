"""Products of matrices."""

from __future__ import annotations

from typing import Any

from kerasish.core.op import op
from kerasish.ops.elementwise import add

__all__ = ["_dense", "matmul"]


@op(common="x1 x2")
def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product over the last two axes; leading axes broadcast.

    A tensor of one axis counts as a row on the left and as a column on the right, and that axis is
    missing in the result. The product of int8 tensors is int32.

    Args:
        x1: a tensor of shape (..., m, k) or (k,).
        x2: a tensor of shape (..., k, n) or (k,).

    >>> import kerasish as keras
    >>> keras.ops.matmul([[1, 2], [3, 4]], [1, 1]).tolist()
    [3, 7]
    """


@op(float="x kernel bias")
def _dense(x: Any, kernel: Any, bias: Any) -> Any:
    """`x @ kernel + bias`, with x (..., k), kernel (k, n) and bias (n,) or `None`."""
    y = matmul(x, kernel)
    return y if bias is None else add(y, bias)
