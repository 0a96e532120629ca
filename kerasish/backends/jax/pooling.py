"""Pooling of JAX; on the CPU the bodies, as XLA is up to fifteen times slower at the gradient."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from kerasish.backends import bodies, windows
from kerasish.backends.jax.convolution import on_cpu


def _max_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    if on_cpu():
        return bodies["_max_pool"](x, size, strides, padding)
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, *size, 1), (1, *strides, 1), padding.upper()
    )


def _average_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    if on_cpu():
        return bodies["_average_pool"](x, size, strides, padding)
    total = lax.reduce_window(x, 0.0, lax.add, (1, *size, 1), (1, *strides, 1), padding.upper())
    pads = windows.pads(padding, x.shape[1:-1], size, strides)
    counts = [
        windows.counts(n, k, s, p)
        for n, k, s, p in zip(x.shape[1:-1], size, strides, pads, strict=True)
    ]
    return total / np.prod(np.ix_(*counts)).astype(x.dtype)[..., None]
