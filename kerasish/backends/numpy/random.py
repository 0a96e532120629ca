"""NumPy: random bits and what is made of them, block by block in the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish.backends import bodies
from kerasish.backends.hashing import host_keys
from kerasish.backends.numpy.tape import fused
from kerasish.dtypes import numpy_dtype

_BLOCK = 1 << 15
_INDEX = np.arange(_BLOCK, dtype=np.uint32)
_A, _B, _C = (np.uint32(m) for m in (0xED5AD4BB, 0xAC4C1B51, 0x31848BAB))
_STEP = np.array([0, 1], np.uint32)


def _advance(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    now = state.copy()
    return now, now + _STEP


class _Words:
    """The words of one draw, as uint32 in a buffer that the next call uses again."""

    def __init__(self, seed: Any, lane: int, most: int):
        self.keys = [np.uint32(k) for k in host_keys(seed.tolist(), lane)]
        most = min(most, _BLOCK)
        self.buffers = np.empty(most, np.uint32), np.empty(most, np.uint32)

    def __call__(self, start: int, n: int, out: Any = None) -> np.ndarray:
        words, shifted = (b[:n] for b in self.buffers)
        words = words if out is None else out
        first, second = self.keys
        np.add(_INDEX[:n], np.uint32(start & 0xFFFFFFFF), out=words)
        words ^= first
        for shift, factor in ((17, _A), (11, _B), (15, _C)):
            words ^= np.right_shift(words, shift, out=shifted)
            words *= factor
            if factor is _A:
                words ^= second
        words ^= np.right_shift(words, 14, out=shifted)
        return words


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))


def _random_bits(seed: Any, shape: Any, lane: int) -> np.ndarray:
    n = math.prod(shape)
    out, words = np.empty(n, np.uint32), _Words(seed, lane, n)
    for block in _blocks(n):
        words(block.start, block.stop - block.start, out[block])
    return out.view(np.int32).reshape(shape)


def _random_uniform(seed: Any, shape: Any, dtype: str, lane: int) -> np.ndarray:
    if dtype != "float32":
        return bodies["_random_uniform"](seed, shape, dtype, lane)
    n = math.prod(shape)
    out, words = np.empty(n, np.float32), _Words(seed, lane, n)
    for block in _blocks(n):
        bits = words(block.start, block.stop - block.start)
        bits >>= 8
        np.multiply(bits.view(np.int32), np.float32(2.0**-24), out=out[block], dtype=np.float32,
                    casting="unsafe")  # fmt: skip
    return out.reshape(shape)


def _random_normal(seed: Any, shape: Any, dtype: str, lane: int) -> np.ndarray:
    if dtype == "float64":
        return bodies["_random_normal"](seed, shape, dtype, lane)
    n = math.prod(shape)
    half = (n + 1) // 2
    both, words = np.empty((2, half), np.float32), _Words(seed, lane, half)
    for block in _blocks(half):
        length = block.stop - block.start
        bits = words(block.start, length)
        bits >>= 1
        radius = bits.view(np.int32).astype(np.float32)
        radius += 1
        radius *= np.float32(2.0**-31)
        np.log(radius, out=radius)
        radius *= -2
        np.sqrt(radius, out=radius)
        angle = words(half + block.start, length).view(np.int32).astype(np.float32)
        angle *= np.float32(math.pi * 2.0**-31)
        np.multiply(np.cos(angle), radius, out=both[0, block])
        np.multiply(np.sin(angle, out=angle), radius, out=both[1, block])
    return both.reshape(-1)[:n].reshape(shape).astype(numpy_dtype(dtype), copy=False)


def _keep(seed: Any, shape: Any, threshold: int) -> np.ndarray:
    """Where a draw's words, signed, are not below the threshold."""
    n = math.prod(shape)
    keep, words = np.empty(n, np.bool_), _Words(seed, 0, n)
    for block in _blocks(n):
        bits = words(block.start, block.stop - block.start).view(np.int32)
        np.greater_equal(bits, threshold, out=keep[block])
    return keep.reshape(shape)


@fused(lambda *args: bodies["_dropout"](*args))
def _dropout(inputs: Any, seed: Any, shape: Any, threshold: int, scale: float) -> Any:
    keep = _keep(seed, shape, threshold)
    out = inputs * inputs.dtype.type(scale)
    out *= keep
    return out, keep


def _dropout_pullback(
    g: Any, keep: Any, wanted: Any, inputs: Any, seed: Any, shape: Any, threshold: Any, scale: Any
) -> Any:
    g = g * inputs.dtype.type(scale)
    g *= keep
    return (g,)


_dropout.pullback = _dropout_pullback
