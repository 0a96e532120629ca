"""JAX: random bits in uint32; eager calls are compiled, once for each shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kerasish.backends import bodies
from kerasish.backends.hashing import LANE, ROUNDS, WORD
from kerasish.backends.jax.engine import native_dtype


def _advance(state: Any) -> tuple[Any, Any]:
    return state, state + np.array([0, 1], np.uint32)


def _fold(x: Any, n: int) -> Any:
    return x ^ (x >> n)


def _bits(seed: Any, shape: Any, lane: int) -> Any:
    a, b = jnp.asarray(seed).astype(jnp.uint32)
    for r in ROUNDS:
        x = _fold(b ^ np.uint32((r ^ lane * LANE) & WORD), 16) * np.uint32(0x7FEB352D)
        a, b = b, a ^ _fold(_fold(x, 15) * np.uint32(0x846CA68B), 16)
    x = jax.lax.iota(jnp.uint32, math.prod(shape))
    x = _fold(x ^ a, 17) * np.uint32(0xED5AD4BB)
    x = _fold(x ^ b, 11) * np.uint32(0xAC4C1B51)
    x = _fold(_fold(x, 15) * np.uint32(0x31848BAB), 14)
    return jax.lax.bitcast_convert_type(x, jnp.int32).reshape(shape)


_random_bits = jax.jit(_bits, static_argnums=(1, 2), inline=True)


def _compiled(name: str, *static: int) -> Callable[..., Any]:
    return jax.jit(lambda *args: bodies[name](*args), static_argnums=static, inline=True)


def _floats(name: str) -> Callable[..., Any]:
    compiled = _compiled(name, 1, 2, 3)

    def function(seed: Any, shape: Any, dtype: str, lane: int) -> Any:
        return compiled(seed, shape, native_dtype(dtype).name, lane)

    return function


_random_uniform = _floats("_random_uniform")
_random_normal = _floats("_random_normal")
_random_truncated = _floats("_random_truncated")
_dropout = _compiled("_dropout", 2, 3, 4)
