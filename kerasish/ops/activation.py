"""Activation functions: elementwise ones, gates, and softmax with its relatives.

Bodies are the definitions. At a kink the derivative is that of the side named in the body's
comparison, the same on every backend: 0 for `relu` at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kerasish import backends
from kerasish.backends.shapes import axes_of, axes_over, axis_of
from kerasish.core.op import op
from kerasish.errors import ShapeError
from kerasish.ops.core import shape
from kerasish.ops.math import erf, logsumexp
from kerasish.ops.numpy import (
    abs,
    arange,
    clip,
    cumsum,
    exp,
    expm1,
    flip,
    greater,
    logaddexp,
    max,
    reshape,
    sort,
    split,
    sqrt,
    square,
    sum,
    tanh,
    where,
)

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "relu", "relu6", "selu", "sigmoid",
    "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
    "sparsemax", "squareplus", "swish", "tanh_shrink", "threshold",
]  # fmt: skip


@op(number="x", real=True)
def relu(x: Any) -> Any:
    """Rectified linear unit, `max(x, 0)`: elementwise, shape and dtype kept; bools become int32.

    Args:
        x: a tensor of any numeric dtype.

    >>> import kerasish as keras
    >>> keras.ops.relu([-1.0, 0.0, 2.0]).tolist()
    [0.0, 0.0, 2.0]
    """
    return where(x <= 0, 0, x)


@op(number="x", real=True)
def relu6(x: Any) -> Any:
    """`min(max(x, 0), 6)`, elementwise.

    Args:
        x: a tensor of any numeric dtype.

    >>> import kerasish as keras
    >>> keras.ops.relu6([-1.0, 2.0, 8.0]).tolist()
    [0.0, 2.0, 6.0]
    """
    return where(x <= 0, 0, where(x >= 6, 6, x))


@op(float="x", real=True)
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """`x` where it is positive, `negative_slope * x` elsewhere.

    Maas et al. (2013), https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf

    Args:
        x: a tensor.
        negative_slope: the slope on the negative side.

    >>> import kerasish as keras
    >>> keras.ops.leaky_relu([-2.0, 3.0], negative_slope=0.5).tolist()
    [-1.0, 3.0]
    """
    return where(x > 0, x, negative_slope * x)


@op(float="x", real=True)
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Exponential linear unit: `x` where it is positive, `alpha * (exp(x) - 1)` elsewhere.

    Clevert et al. (2015), https://arxiv.org/abs/1511.07289

    Args:
        x: a tensor.
        alpha: minus the value that large negative inputs approach.

    >>> import kerasish as keras
    >>> keras.ops.elu([-100.0, 3.0], alpha=2.0).tolist()
    [-2.0, 3.0]
    """
    return where(x > 0, x, alpha * expm1(where(x > 0, 0, x)))


@op(float="x", real=True)
def selu(x: Any) -> Any:
    """Scaled ELU, whose constants keep mean 0 and variance 1 from layer to layer.

    See Klambauer et al., 2017, "Self-Normalizing Neural Networks".

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> [round(v, 4) for v in keras.ops.selu([-1.0, 1.0]).tolist()]
    [-1.1113, 1.0507]
    """
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


@op(float="x", real=True)
def celu(x: Any, alpha: float = 1.0) -> Any:
    """ELU made smooth for every `alpha`: `alpha * (exp(x / alpha) - 1)` on the negative side.

    Barron (2017), https://arxiv.org/abs/1704.07483

    Args:
        x: a tensor.
        alpha: minus the value that large negative inputs approach.

    >>> import kerasish as keras
    >>> keras.ops.celu([-100.0, 3.0], alpha=2.0).tolist()
    [-2.0, 3.0]
    """
    return where(x > 0, x, alpha * expm1(where(x > 0, 0, x) / alpha))


@op(float="x", real=True)
def gelu(x: Any, approximate: bool = True) -> Any:
    """Gaussian error linear unit: `x` times the normal distribution function of `x`.

    Hendrycks and Gimpel (2016), https://arxiv.org/abs/1606.08415

    See Hendrycks and Gimpel, 2016.

    Args:
        x: a tensor.
        approximate: use the approximation by `tanh`, which is off by less than 5e-4.

    >>> import kerasish as keras
    >>> [round(v, 4) for v in keras.ops.gelu([-1.0, 1.0], approximate=False).tolist()]
    [-0.1587, 0.8413]
    """
    if approximate:
        return 0.5 * x * (1.0 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1.0 + erf(x * math.sqrt(0.5)))


@op(float="x")
def sigmoid(x: Any) -> Any:
    """Logistic function, `1 / (1 + exp(-x))`, exact and without overflow at both ends.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.sigmoid([-1000.0, 0.0, 1000.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return exp(log_sigmoid(x))


@op(float="x", real=True)
def log_sigmoid(x: Any) -> Any:
    """Logarithm of the sigmoid, without underflow.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> round(float(keras.ops.log_sigmoid(-1000.0)), 2)
    -1000.0
    """
    return -softplus(-x)


@op(float="x", real=True)
def softplus(x: Any) -> Any:
    """`log(exp(x) + 1)`, a smooth `relu`, without overflow.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> [round(v, 4) for v in keras.ops.softplus([0.0, 1000.0]).tolist()]
    [0.6931, 1000.0]
    """
    return logaddexp(x, 0.0)


@op(float="x")
def silu(x: Any) -> Any:
    """`x * sigmoid(x)`, also called swish.

    Elfwing et al. (2017), https://arxiv.org/abs/1702.03118

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> [round(v, 4) for v in keras.ops.silu([-1.0, 1.0]).tolist()]
    [-0.2689, 0.7311]
    """
    return x * sigmoid(x)


swish = silu


@op(float="x", real=True)
def hard_sigmoid(x: Any) -> Any:
    """A sigmoid of straight lines: `relu6(x + 3) / 6`.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.hard_sigmoid([-3.0, 0.0, 4.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return relu6(x + 3.0) / 6.0


@op(float="x", real=True)
def hard_silu(x: Any) -> Any:
    """`x * hard_sigmoid(x)`, also called hard swish; see Howard et al., 2019, "MobileNetV3".

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.hard_silu([0.0, 3.0]).tolist()
    [0.0, 3.0]
    """
    return x * hard_sigmoid(x)


hard_swish = hard_silu


@op(float="x", back=True, real=True)
def hard_tanh(x: Any) -> Any:
    """`x` cut off at -1 and 1.

    Args:
        x: a tensor of any numeric dtype.

    >>> import kerasish as keras
    >>> keras.ops.hard_tanh([-3.0, 0.5, 3.0]).tolist()
    [-1.0, 0.5, 1.0]
    """
    return where(x <= -1, -1, where(x >= 1, 1, x))


@op(float="x", real=True)
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` where its absolute value exceeds `threshold`, 0 elsewhere.

    Args:
        x: a tensor.
        threshold: the half width of the zeroed band.

    >>> import kerasish as keras
    >>> keras.ops.hard_shrink([-1.0, 0.25]).tolist()
    [-1.0, 0.0]
    """
    return where(abs(x) <= threshold, 0, x)


@op(float="x", real=True)
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` moved towards 0 by `threshold`, and 0 where that would pass it.

    Args:
        x: a tensor.
        threshold: the half width of the zeroed band.

    >>> import kerasish as keras
    >>> keras.ops.soft_shrink([-1.0, 0.25]).tolist()
    [-0.5, 0.0]
    """
    return x - clip(x, -threshold, threshold)


@op(float="x")
def tanh_shrink(x: Any) -> Any:
    """`x - tanh(x)`.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> round(float(keras.ops.tanh_shrink(1.0)), 4)
    0.2384
    """
    return x - tanh(x)


@op(convert="x", real=True)
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` where it exceeds `threshold`, `default_value` elsewhere.

    Args:
        x: a tensor of any numeric dtype.
        threshold: the bound.
        default_value: what replaces values up to the bound.

    >>> import kerasish as keras
    >>> keras.ops.threshold([-1.0, 2.0], 1.0, 9.0).tolist()
    [9.0, 2.0]
    """
    return where(greater(x, threshold), x, default_value)


@op(float="x", real=True)
def softsign(x: Any) -> Any:
    """`x / (1 + abs(x))`.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.softsign([-1.0, 3.0]).tolist()
    [-0.5, 0.75]
    """
    return x / (1.0 + abs(x))


@op(float="x", real=True)
def squareplus(x: Any, b: float = 4) -> Any:
    """`(x + sqrt(x**2 + b)) / 2`, an algebraic softplus; see Barron, 2021.

    Args:
        x: a tensor.
        b: how round the bend is; 0 gives `relu`.

    >>> import kerasish as keras
    >>> keras.ops.squareplus([0.0, 1.5]).tolist()
    [1.0, 2.0]
    """
    return 0.5 * (x + sqrt(square(x) + b))


@op(float="x", real=True)
def sparse_plus(x: Any) -> Any:
    """A softplus with exact ends: 0 up to -1, `x` from 1 on, a parabola between.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.sparse_plus([-2.0, 0.0, 2.0]).tolist()
    [0.0, 0.25, 2.0]
    """
    return where(x <= -1, 0, where(x < 1, 0.25 * square(x + 1.0), x))


@op(float="x", real=True)
def sparse_sigmoid(x: Any) -> Any:
    """The derivative of `sparse_plus`: 0 up to -1, 1 from 1 on, a straight line between.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.sparse_sigmoid([-2.0, 0.0, 2.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return where(x <= -1, 0, where(x >= 1, 1, 0.5 * (x + 1.0)))


@op(float="x", real=True)
def glu(x: Any, axis: int = -1) -> Any:
    """Gated linear unit: the first half along `axis` times the sigmoid of the second.

    Dauphin et al. (2016), https://arxiv.org/abs/1612.08083

    Args:
        x: a tensor whose size along `axis` is even.
        axis: the axis to halve.

    >>> import kerasish as keras
    >>> keras.ops.glu([4.0, 0.0]).tolist()
    [2.0]
    """
    if x.shape[axis] is not None and x.shape[axis] % 2:
        raise ShapeError(
            f"ops.glu halves axis {axis}, whose size must be even; got shape {tuple(x.shape)}."
        )
    value, gate = split(x, 2, axis)
    return value * sigmoid(gate)


@op(float="x", real=True)
def softmax(x: Any, axis: int | Sequence[int] | None = -1) -> Any:
    """Exponentials, scaled so that they sum to 1 along `axis`.

    Args:
        x: a tensor of logits.
        axis: an axis, a tuple of axes, or `None` for all of them together.

    >>> import kerasish as keras
    >>> keras.ops.softmax([[0.0, 0.0], [0.0, 1000.0]]).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    if 0 in x.shape:
        axes_of(axis, len(x.shape))
        return x
    axis = axes_over(axis, len(x.shape))
    e = exp(x - backends.active.stop_gradient(max(x, axis, keepdims=True)))
    return e / sum(e, axis, keepdims=True)


@op(float="x", real=True)
def log_softmax(x: Any, axis: int | Sequence[int] | None = -1) -> Any:
    """Logarithm of the softmax, without underflow.

    Args:
        x: a tensor of logits.
        axis: an axis, a tuple of axes, or `None` for all of them together.

    >>> import kerasish as keras
    >>> keras.ops.log_softmax([0.0, 1000.0]).tolist()
    [-1000.0, 0.0]
    """
    return x - logsumexp(x, axes_over(axis, len(x.shape)), keepdims=True)


@op(float="x", real=True)
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The point of the probability simplex nearest to `x`: a softmax with exact zeros.

    See Martins and Astudillo, 2016.

    Args:
        x: a tensor of logits.
        axis: the axis that sums to 1.

    >>> import kerasish as keras
    >>> keras.ops.sparsemax([0.5, 1.0, -1.0]).tolist()
    [0.25, 0.75, 0.0]
    """
    axis = axis_of(axis, len(x.shape))
    falling = flip(sort(x, axis), axis)
    place = [1] * len(x.shape)
    place[axis] = -1
    rank = reshape(arange(1, shape(x)[axis] + 1, dtype=backends.active.dtype_of(x)), place)
    inside = 1.0 + rank * falling > cumsum(falling, axis)
    count = sum(where(inside, 1.0, 0.0 * x), axis, keepdims=True)
    excess = (sum(where(inside, falling, 0), axis, keepdims=True) - 1.0) / count
    return relu(x - excess)
