"""Convolutions of JAX; on the CPU, where XLA is slow at some kinds, as products and sums."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from kerasish.backends import windows

_LAYOUTS = {
    1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")
}  # fmt: skip
SMALL = 32
"""Products over fewer values than this gain from patches, measured on XLA's CPU convolution."""


@functools.cache
def on_cpu() -> bool:
    return jax.default_backend() == "cpu"


def _native(x: Any, kernel: Any, strides: Any, padding: str, dilation: Any) -> Any:
    return lax.conv_general_dilated(
        x, kernel, strides, padding.upper(), rhs_dilation=dilation,
        dimension_numbers=_LAYOUTS[len(strides)],
        feature_group_count=x.shape[-1] // kernel.shape[-2],
    )  # fmt: skip


def taps(x: Any, window: Any, strides: Any, padding: str, dilation: Any) -> Iterator[Any]:
    """What each tap of the window meets, at all its places."""
    pads = windows.pads(padding, x.shape[1:-1], window, strides, dilation)
    places = windows.places(x.shape[1:-1], window, strides, pads, dilation)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    for tap in np.ndindex(*window):
        start = [i * d for i, d in zip(tap, dilation, strict=True)]
        stop = [a + (n - 1) * s + 1 for a, n, s in zip(start, places, strides, strict=True)]
        yield lax.slice(x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *strides, 1))


def _conv(x: Any, kernel: Any, strides: Any, padding: str, dilation: Any) -> Any:
    if not on_cpu():
        return _native(x, kernel, strides, padding, dilation)
    if len(strides) == 3:
        return _by_planes(x, kernel, strides, padding, dilation)
    *window, width, o = kernel.shape
    c = x.shape[-1]
    how = (strides, padding, dilation)
    if width == c:
        if math.prod(window) * c >= SMALL and math.prod(window) > 1:
            return _native(x, kernel, *how)
        patches = list(taps(x, window, *how))
        patches = patches[0] if len(patches) == 1 else jnp.concatenate(patches, -1)
        return patches @ kernel.reshape(-1, o)
    if width == 1:
        x = x if o == c else jnp.repeat(x, o // c, -1)
        weights = kernel.reshape(-1, o)
        return sum(part * w for part, w in zip(taps(x, window, *how), weights, strict=True))
    count = c // width
    parts = zip(jnp.split(x, count, -1), jnp.split(kernel, count, -1), strict=True)
    return jnp.concatenate([_conv(a, k, *how) for a, k in parts], -1)


def _by_planes(x: Any, kernel: Any, strides: Any, padding: str, dilation: Any) -> Any:
    """A convolution of volumes as a sum of convolutions of images, at which XLA is good."""
    flat = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    slabs = taps(flat, kernel.shape[:1], strides[:1], padding, dilation[:1])
    total = 0
    for slab, plane in zip(slabs, kernel, strict=True):
        images = slab.reshape(-1, *x.shape[2:])
        total = total + _conv(images, plane, strides[1:], padding, dilation[1:])
    return total.reshape(*slab.shape[:2], *total.shape[1:])


def _conv_transpose(x: Any, kernel: Any, strides: Any, crops: Any, dilation: Any) -> Any:
    if on_cpu() and (max(strides) > 1 or len(strides) == 3):
        return _spread(x, kernel, strides, crops, dilation)
    rank = len(strides)
    spans = [windows.reach(k, d) for k, d in zip(kernel.shape[:-2], dilation, strict=True)]
    return lax.conv_general_dilated(
        x, jnp.swapaxes(jnp.flip(kernel, range(rank)), -1, -2), (1,) * rank,
        [(n - 1 - lo, n - 1 - hi) for n, (lo, hi) in zip(spans, crops, strict=True)],
        lhs_dilation=strides, rhs_dilation=dilation, dimension_numbers=_LAYOUTS[rank],
    )  # fmt: skip


def _spread(x: Any, kernel: Any, strides: Any, crops: Any, dilation: Any) -> Any:
    """One product, and a sum of what each tap adds: XLA's gradient of a convolution with gaps in
    its input is up to fifty times as slow."""
    *window, o, c = kernel.shape
    whole = windows.transposed(
        x.shape[1:-1], window, strides, [(0, 0)] * len(window), dilation
    )
    shares = (x @ kernel.reshape(-1, c).T).reshape(*x.shape[:-1], -1, o)
    total = 0
    for i, tap in enumerate(np.ndindex(*window)):
        places = (
            (t * d - lo, n - t * d - (m - 1) * s - 1 - hi, s - 1)
            for t, d, s, m, n, (lo, hi) in zip(
                tap, dilation, strides, x.shape[1:-1], whole, crops, strict=True
            )
        )
        share = shares[..., i, :]
        total = total + lax.pad(share, jnp.zeros((), x.dtype), ((0, 0, 0), *places, (0, 0, 0)))
    return total
