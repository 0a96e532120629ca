"""Sizes of sliding windows: what padding "same" adds and how many places a window has."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

Pairs = Sequence[tuple[int, int]]


def reach(size: int, dilation: int) -> int:
    """How far a window of `size` taps, `dilation` apart, spans."""
    return (size - 1) * dilation + 1


def pads(
    padding: str, sizes: Sequence[int], window: Sequence[int], strides: Sequence[int],
    dilation: Sequence[int] | None = None,
) -> Pairs:  # fmt: skip
    """(before, after) for each axis. "same" keeps `ceil(size / stride)` places; what is odd goes
    after."""
    if padding == "valid":
        return ((0, 0),) * len(window)
    found = []
    for n, k, s, d in zip(sizes, window, strides, dilation or (1,) * len(window), strict=True):
        total = max((-(-n // s) - 1) * s + reach(k, d) - n, 0)
        found.append((total // 2, total - total // 2))
    return tuple(found)


known_pads = functools.lru_cache(maxsize=1024)(pads)
"""`pads` of tuples, remembered: engines without compilation ask for the same at every call."""


def places(
    sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], padded: Pairs,
    dilation: Sequence[int] | None = None,
) -> tuple[int, ...]:  # fmt: skip
    """How many places the window has along each axis."""
    return tuple(
        (n + lo + hi - reach(k, d)) // s + 1
        for n, k, s, (lo, hi), d in zip(
            sizes, window, strides, padded, dilation or (1,) * len(window), strict=True
        )
    )


def transposed(
    sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], crops: Pairs,
    dilation: Sequence[int],
) -> tuple[int, ...]:  # fmt: skip
    """The sizes that a transposed convolution gives, `crops` cut off before and after."""
    return tuple(
        (n - 1) * s + reach(k, d) - lo - hi
        for n, k, s, d, (lo, hi) in zip(sizes, window, strides, dilation, crops, strict=True)
    )


def counts(size: int, window: int, stride: int, pads: tuple[int, int]) -> np.ndarray:
    """How many values, not padding, a window has at each of its places along one axis."""
    (n,) = places([size], [window], [stride], [pads])
    start = np.arange(n) * stride - pads[0]
    return np.minimum(start + window, size) - np.maximum(start, 0)
