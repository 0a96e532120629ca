"""Gradient rules of special functions, segments and Fourier transforms.

The cotangent of a complex array is `g` with dL = Re(sum(g * dz)), as in the other rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.backends.numpy import math as own
from kerasish.backends.numpy.tape import defvjp, strip

defvjp(own.erf, lambda g, ans, x: g * np.exp(-x * x) * float(2 / np.sqrt(np.pi)))
defvjp(own.erfc, lambda g, ans, x: g * np.exp(-x * x) * float(-2 / np.sqrt(np.pi)))
defvjp(own.erfinv, lambda g, ans, x: g * np.exp(ans * ans) * float(np.sqrt(np.pi) / 2))


def _logsumexp(g: Any, ans: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if not keepdims:
        axes = range(x.ndim) if axis is None else axis
        axes = tuple(axes) if isinstance(axes, range | tuple | list) else (axes,)
        g, ans = np.expand_dims(g, axes), np.expand_dims(ans, axes)
    # Not exp(x - ans): of huge numbers ans has lost the logarithm. Where everything is -inf the
    # result does not move.
    finite = np.isfinite(strip(ans))
    top = np.maximum.reduce(strip(x), axis, keepdims=True, initial=None if x.size else -np.inf)
    parts = np.exp(np.where(finite, x - np.where(finite, top, 0), -np.inf))
    total = np.sum(parts, axis=axis, keepdims=True)
    return g * (parts / np.where(finite, total, 1)).astype(x.dtype)


defvjp(own.logsumexp, _logsumexp)


def _gather(values: Any, ids: Any) -> Any:
    """The value of each element's segment; zero for elements of no segment."""
    inside = (ids >= 0) & (ids < values.shape[0])
    mask = inside.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype)
    return values[np.where(inside, ids, 0)] * mask if values.shape[0] else np.zeros(
        (len(ids), *values.shape[1:]), values.dtype
    )


def _segment(g: Any, ans: Any, data: Any, ids: Any, num: Any, sorted: bool, kind: str) -> Any:
    num = ans.shape[0]
    if kind == "sum":
        return _gather(g, ids)
    if kind == "prod":
        # The product of the others, also where some of them are zero.
        zero = strip(data) == 0
        zeros = _gather(own._segment(zero.astype(data.dtype), ids, num, sorted, "sum"), ids)
        nonzero = np.where(zero, np.ones((), data.dtype), data)
        others = _gather(own._segment(nonzero, ids, num, sorted, "prod"), ids) / nonzero
        # Another zero, if it is the only one, has a slope.
        apart = data * zero.astype(data.dtype)
        other = _gather(own._segment(apart, ids, num, sorted, "sum"), ids) - apart
        left = zeros - zero
        return _gather(g, ids) * others * np.where(left == 0, 1, np.where(left == 1, other, 0))
    # The elements that reach the extreme share its gradient.
    hit = (strip(data) == _gather_plain(strip(ans), ids)).astype(data.dtype)
    count = np.maximum(own._segment(hit, ids, num, sorted, "sum"), np.ones((), data.dtype))
    return _gather(g / count, ids) * hit


def _gather_plain(values: Any, ids: Any) -> Any:
    return values[np.clip(ids, 0, max(values.shape[0] - 1, 0))]


defvjp(own._segment, _segment)


# A discrete Fourier transform is its own transpose; a cut or padded axis is padded or cut back.
def _resize(z: Any, n: int, axis: int) -> Any:
    have = z.shape[axis]
    if have >= n:
        return z if have == n else np.take(z, np.arange(n), axis)
    widths = [(0, 0)] * z.ndim
    widths[axis] = (0, n - have)
    return np.pad(z, widths)


def _like(z: Any, x: Any) -> Any:
    return z if x.dtype.kind == "c" else np.real(z)


def _one_axis(transform: Any) -> Any:
    return lambda g, ans, x, n=None, axis=-1, norm=None: _like(
        _resize(transform(g, None, axis, norm), x.shape[axis], axis), x
    )


defvjp(np.fft.fft, _one_axis(np.fft.fft))
defvjp(np.fft.ifft, _one_axis(np.fft.ifft))
defvjp(np.fft.fft2, lambda g, ans, x: _like(np.fft.fft2(g), x))
defvjp(np.fft.ifft2, lambda g, ans, x: _like(np.fft.ifft2(g), x))


def _rfft(g: Any, ans: Any, x: Any, n: int | None = None, axis: int = -1) -> Any:
    n = x.shape[axis] if n is None else n
    return _resize(np.real(np.fft.fft(g, n, axis)), x.shape[axis], axis)


def _irfft(g: Any, ans: Any, z: Any, n: Any = None, axis: int = -1) -> Any:
    n = ans.shape[axis]
    half = np.conj(np.fft.rfft(g, n, axis))
    # Each frequency but the first (and the middle one of an even n) stands for two.
    weight = np.full(half.shape[axis], 2 / n, g.dtype)
    weight[0] = 1 / n
    if n % 2 == 0:
        weight[-1] = 1 / n
    shape = [1] * half.ndim
    shape[axis] = -1
    return _resize(half * weight.reshape(shape), z.shape[axis], axis)


defvjp(np.fft.rfft, _rfft)
defvjp(np.fft.irfft, _irfft)
