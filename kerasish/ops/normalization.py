"""Moments, and normalization by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import config, dtypes, ops
from kerasish.backends.shapes import axes_of, axis_of
from kerasish.core.op import describe, number, op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import DTypeError, InvalidArgument, ShapeError

__all__ = [
    "batch_normalization", "layer_normalization", "moments", "normalize", "rms_normalization",
]  # fmt: skip

_WIDE = ("float32", "float64", *dtypes.COMPLEX)


def _wide(x: Any) -> Any:
    """Half types as float32, in which sums of many values stay exact enough, and integers too."""
    return x if ops.dtype(x) in _WIDE else ops.cast(x, "float32")


def _along(parameter: Any, axes: Sequence[int], rank: int) -> Any:
    """A parameter with a size for each of `axes`, shaped to broadcast over the others."""
    sizes = iter(ops.shape(parameter))
    return ops.reshape(parameter, [next(sizes) if a in axes else 1 for a in range(rank)])


def _for_axes(name: str, argument: str, p: Any, x: Any, axes: Sequence[int]) -> Any:
    """A parameter given in the order of `axes`, in the order of the dimensions of `x`."""
    if p is None:
        return None
    expected = tuple(x.shape[a] for a in axes)
    if _differs(p.shape, expected):
        raise ShapeError(
            f"{name}: {argument} is {describe(p)}, x {describe(x)}. Normalizing over axes "
            f"{tuple(axes)} expected {argument} of shape {expected}."
        )
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    return p if order == list(range(len(axes))) else ops.transpose(p, order)


def _differs(shape: Sequence[Any], other: Sequence[Any]) -> bool:
    shape, other = unknown_shape(shape), unknown_shape(other)
    return len(shape) != len(other) or any(
        n != m and None not in (n, m) for n, m in zip(shape, other, strict=True)
    )


def _broadcasts(shape: Sequence[Any], other: Sequence[Any]) -> bool:
    shape, other = unknown_shape(shape), unknown_shape(other)
    return len(shape) <= len(other) and all(
        n in (1, m) or None in (n, m) for n, m in zip(shape[::-1], other[::-1], strict=False)
    )


@op(float="x")
def moments(
    x: Any, axes: int | Sequence[int] | None, keepdims: bool = False, synchronized: bool = False
) -> tuple[Any, Any]:
    """The mean and the variance along some axes.

    Args:
        x: a tensor. Half types are summed in float32.
        axes: the axes to take them over.
        keepdims: whether these stay, with size one.
        synchronized: asks for the moments over all replicas. Under `keras.distribution` arrays
            are whole on every device, so they are that anyway.

    >>> import kerasish as keras
    >>> mean, variance = keras.ops.moments([[1.0, 3.0], [2.0, 6.0]], axes=1)
    >>> mean.tolist(), variance.tolist()
    ([2.0, 4.0], [1.0, 4.0])
    """
    axes = tuple(axes_of(axes, len(x.shape)))
    wide = _wide(x)
    mean = ops.mean(wide, axes, keepdims=True)
    variance = ops.mean(ops.square(wide - mean), axes, keepdims=True)
    if not keepdims:
        mean, variance = ops.squeeze(mean, axes), ops.squeeze(variance, axes)
    if wide is x:
        return mean, variance
    return ops.saturate_cast(mean, ops.dtype(x)), ops.saturate_cast(variance, ops.dtype(x))


@op(float="x mean variance offset scale", real=True)
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:  # fmt: skip
    """Normalizes with a given mean and variance: `(x - mean) / sqrt(variance + epsilon)`.

    Args:
        x: a tensor.
        mean, variance: one value for each index of `axis`.
        axis: the axis that keeps its identity, usually that of the channels.
        offset: added to the result (beta).
        scale: multiplies the normalized values (gamma).
        epsilon: keeps the root away from zero.

    >>> import kerasish as keras
    >>> x = [[3.0, 8.0]]
    >>> keras.ops.batch_normalization(x, [1.0, 2.0], [4.0, 9.0], axis=-1, epsilon=0.0).tolist()
    [[1.0, 2.0]]
    """
    axis = axis_of(axis, len(x.shape))
    for name, p in (("mean", mean), ("variance", variance), ("offset", offset), ("scale", scale)):
        _for_axes("batch_normalization", name, p, x, [axis])
    return _batch_norm(x, mean, variance, axis, offset, scale, epsilon)


@op(float="x mean variance offset scale")
def _batch_norm(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any, scale: Any, epsilon: float
) -> Any:
    """`batch_normalization` of an axis counted from the front."""
    wide = lambda p: _along(p, [axis], len(x.shape))  # noqa: E731
    factor = ops.rsqrt(ops.add(variance, epsilon))
    factor = factor if scale is None else factor * scale
    shift = -mean * factor
    shift = shift if offset is None else shift + offset
    return x * wide(factor) + wide(shift)


@op(float="x gamma beta")
def _batch_norm_train(
    x: Any, gamma: Any, beta: Any, axes: Sequence[int], epsilon: float
) -> tuple[Any, Any, Any]:
    """(x normalized over `axes`, all but one, times gamma plus beta; the mean; the variance).

    The gradient flows through the normalized values. The moments are for moving averages and
    carry none.
    """
    rank = len(x.shape)
    axes = tuple(axes_of(list(axes), rank))
    mean, variance = moments(x, axes)
    (axis,) = set(range(rank)) - set(axes)
    y = _batch_norm(x, mean, variance, axis, beta, gamma, epsilon)
    return y, ops.stop_gradient(mean), ops.stop_gradient(variance)


@op(float="x gamma beta")
def _layer_norm(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float) -> Any:
    """`x` normalized over `axes` (ascending), where gamma and beta have their sizes."""
    centered = x - ops.mean(x, axes, keepdims=True)
    spread = ops.mean(ops.square(centered), axes, keepdims=True)
    y = centered * ops.rsqrt(ops.add(spread, epsilon))
    y = y if gamma is None else y * _along(gamma, axes, len(x.shape))
    return y if beta is None else y + _along(beta, axes, len(x.shape))


@op(float="x gamma")
def _rms_norm(x: Any, gamma: Any, axes: Any, epsilon: float) -> Any:
    """`x` divided by its root mean square over `axes` (ascending), times gamma."""
    y = x * ops.rsqrt(ops.add(ops.mean(ops.square(x), axes, keepdims=True), epsilon))
    return y if gamma is None else y * _along(gamma, axes, len(x.shape))


@op(float="x gamma beta")
def _group_norm(
    x: Any, gamma: Any, beta: Any, groups: int, axis: int, epsilon: float
) -> Any:
    """Each sample (along the first axis) normalized over groups of the channels along `axis`."""
    rank = len(x.shape)
    axis = axis_of(axis, rank)
    sizes = ops.shape(x)
    before, c, after = sizes[:axis], sizes[axis], sizes[axis + 1 :]
    apart = ops.reshape(x, (*before, groups, c // groups, *after))
    axes = tuple(a for a in range(1, rank + 1) if a != axis)
    y = ops.reshape(_layer_norm(apart, None, None, axes, epsilon), (*before, c, *after))
    y = y if gamma is None else y * _along(gamma, [axis], rank)
    return y if beta is None else y + _along(beta, [axis], rank)


@op
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: int | Sequence[int] = -1,
    epsilon: float | None = None, **kwargs: Any,
) -> Any:  # fmt: skip
    """Normalizes each sample over its features: `(x - mean) / sqrt(variance + epsilon)`.

    Args:
        x: a tensor. The result has its dtype: integers are cut off, so make them floats before.
        gamma: multiplies the result; has the sizes of `axis`, in the same order.
        beta: added to the result; the same sizes.
        axis: the axis or axes that are normalized over.
        epsilon: keeps the root away from zero; `keras.config.epsilon()` by default.
        rms_scaling: (deprecated in Keras) scales by the deviation without centering, and without
            beta.

    >>> import kerasish as keras
    >>> keras.ops.layer_normalization([[1.0, 3.0]], epsilon=0.0).tolist()
    [[-1.0, 1.0]]
    """
    rms_scaling = kwargs.pop("rms_scaling", False)
    if kwargs:
        raise InvalidArgument(f"layer_normalization has no argument {sorted(kwargs)}.")
    x = ops.convert_to_tensor(x)
    for p in (x, gamma, beta):
        if p is not None and (kind := ops.dtype(p)) not in dtypes.REAL:
            raise DTypeError(f"layer_normalization takes real numbers, got {kind}.")
    axes = axes_of(axis if isinstance(axis, int) else list(axis), len(x.shape))
    gamma, beta = (
        _for_axes("layer_normalization", name, None if p is None else ops.convert_to_tensor(p),
                  x, axes)
        for name, p in (("gamma", gamma), ("beta", beta))
    )  # fmt: skip
    axes = tuple(sorted(axes))
    epsilon = config.epsilon() if epsilon is None else number("epsilon", epsilon)
    wide = _wide(x)
    if rms_scaling:
        spread = ops.var(wide, axes, keepdims=True)
        y = ops.multiply(wide, ops.rsqrt(ops.add(spread, epsilon)))
        y = y if gamma is None else ops.multiply(y, _along(gamma, axes, len(x.shape)))
    else:
        y = _layer_norm(wide, gamma, beta, axes, epsilon)
    return y if wide is x else ops.cast(y, ops.dtype(x))


@op(convert="x scale", real=True)
def rms_normalization(
    x: Any, scale: Any = None, axis: int | Sequence[int] = -1, epsilon: float | None = None
) -> Any:
    """Divides each sample by the root of the mean square of its features.

    Args:
        x: a tensor. The result has its dtype, as in `layer_normalization`.
        scale: multiplies the result; has the sizes of `axis`, in the same order, or else
            broadcasts to `x`.
        axis: the axis or axes that the mean is taken over.
        epsilon: keeps the root away from zero; `keras.config.epsilon()` by default.

    >>> import kerasish as keras
    >>> keras.ops.rms_normalization([[2.0, 2.0]], epsilon=0.0).tolist()
    [[1.0, 1.0]]
    """
    axes = axes_of(axis if isinstance(axis, int) else list(axis), len(x.shape))
    epsilon = config.epsilon() if epsilon is None else epsilon
    wide = _wide(x)
    sizes = tuple(x.shape[a] for a in axes)
    if scale is not None and _differs(scale.shape, sizes) and _broadcasts(scale.shape, x.shape):
        y = ops.multiply(_rms_norm(wide, None, tuple(sorted(axes)), epsilon), scale)
    else:
        scale = _for_axes("rms_normalization", "scale", scale, x, axes)
        y = _rms_norm(wide, scale, tuple(sorted(axes)), epsilon)
    return y if wide is x else ops.cast(y, ops.dtype(x))


@op(float="x")
def normalize(
    x: Any, axis: int | Sequence[int] = -1, order: int = 2, epsilon: float | None = None
) -> Any:
    """Divides by the norm along an axis.

    Args:
        x: a tensor.
        axis: the axis or axes of the vectors.
        order: which norm: 1 sums absolute values, 2 is the Euclidean one, and so on.
        epsilon: the least value to divide by; `keras.config.epsilon()` by default.

    >>> import kerasish as keras
    >>> [round(v, 3) for v in keras.ops.normalize([3.0, 4.0]).tolist()]
    [0.6, 0.8]
    """
    if not isinstance(order, int | np.integer) or order < 1:
        raise InvalidArgument(f"normalize: order={order!r}. Expected an int of at least 1.")
    epsilon = config.epsilon() if epsilon is None else epsilon
    wide = _wide(x)
    # The bound is set before the root, whose slope at zero is infinite.
    least = max(epsilon**order, float(np.finfo("float32").tiny))
    powers = ops.square(wide) if order == 2 else ops.power(ops.absolute(wide), order)
    total = ops.maximum(ops.sum(powers, axis, keepdims=True), least)
    y = wide * (ops.rsqrt(total) if order == 2 else ops.power(total, -1.0 / order))
    return y if wide is x else ops.cast(y, ops.dtype(x))
