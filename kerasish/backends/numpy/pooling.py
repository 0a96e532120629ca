"""Pooling as maxima and sums of strided slices, a cache-sized block of images at a time."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish.backends import bodies, windows
from kerasish.backends.numpy.convolution import blocks, meeting, surround
from kerasish.backends.numpy.tape import fused


class _Windows:
    """The places of a window, and what each of its taps meets there."""

    def __init__(self, shape: Any, dtype: Any, size: Any, strides: Any, padding: str):
        n, *self.sizes, c = shape
        self.pads = windows.pads(padding, self.sizes, size, strides)
        self.places = windows.places(self.sizes, size, strides, self.pads)
        self.out_shape = (n, *self.places, c)
        rows, once = slice(0, self.places[0]), [1] * len(size)
        self.taps = [
            meeting(tap, strides, once, rows, self.places) for tap in np.ndindex(*size)
        ]
        self.blocks = [i for i, _ in blocks(n, 1, 2 * math.prod(shape[1:]) * dtype.itemsize)]
        counts = [
            windows.counts(*how) for how in zip(self.sizes, size, strides, self.pads, strict=True)
        ]
        self.counts = functools.reduce(np.multiply.outer, counts)[..., None].astype(dtype)

    def padded(self, x: Any, value: float) -> Iterator[tuple[slice, Any]]:
        for images in self.blocks:
            yield images, surround(x[images], self.pads, value)

    def crop(self, padded: Any) -> Any:
        return surround(padded, tuple([(-lo, -hi) for lo, hi in self.pads]))


_windows = functools.lru_cache(maxsize=256)(_Windows)


@fused(lambda *args: bodies["_max_pool"](*args))
def _max_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    w = _windows(x.shape, x.dtype, size, strides, padding)
    out = np.empty(w.out_shape, x.dtype)
    for images, padded in w.padded(x, -np.inf):
        best = out[images]
        best[...] = padded[w.taps[0]]
        for tap in w.taps[1:]:
            np.maximum(best, padded[tap], out=best)
    return out, out


def _max_pool_pullback(
    g: Any, out: Any, wanted: Any, x: Any, size: Any, strides: Any, padding: str
) -> Any:
    w = _windows(x.shape, x.dtype, size, strides, padding)
    apart = all(k <= s for k, s in zip(size, strides, strict=True))
    dx = np.empty_like(x)
    for images, padded in w.padded(x, -np.inf):
        share = np.zeros_like(padded)
        left, best = g[images].copy(), out[images]
        taken = np.empty_like(left)
        for tap in w.taps:  # the first of equal values takes the gradient
            np.multiply(left, padded[tap] == best, out=taken)
            if apart:
                share[tap] = taken
            else:
                share[tap] += taken
            left -= taken
        dx[images] = w.crop(share)
    return dx, None, None, None


_max_pool.pullback = _max_pool_pullback


@fused(lambda *args: bodies["_average_pool"](*args))
def _average_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    w = _windows(x.shape, x.dtype, size, strides, padding)
    out = np.zeros(w.out_shape, x.dtype)
    for images, padded in w.padded(x, 0):
        total = out[images]
        for tap in w.taps:
            total += padded[tap]
        total /= w.counts
    return out, None


def _average_pool_pullback(
    g: Any, saved: Any, wanted: Any, x: Any, size: Any, strides: Any, padding: str
) -> Any:
    w = _windows(x.shape, x.dtype, size, strides, padding)
    dx = np.empty_like(x)
    for images in w.blocks:
        part = g[images] / w.counts
        lengths = (n + lo + hi for n, (lo, hi) in zip(w.sizes, w.pads, strict=True))
        share = np.zeros((len(part), *lengths, x.shape[-1]), x.dtype)
        for tap in w.taps:
            share[tap] += part
        dx[images] = w.crop(share)
    return dx, None, None, None


_average_pool.pullback = _average_pool_pullback
