"""PyTorch: random bits in int32, whose products wrap around."""

from __future__ import annotations

import math
from typing import Any

import torch

from kerasish.backends import bodies
from kerasish.backends.hashing import LANE, ROUNDS, host_keys, signed
from kerasish.backends.torch.engine import device, native_dtype

seed_engine = torch.manual_seed


def _advance(state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    now = state.clone()
    then = now.clone()
    then.view(torch.int32)[1] += 1
    return now, then


def _fold(x: torch.Tensor, n: int, shifted: torch.Tensor) -> torch.Tensor:
    # The shift of a negative number brings ones in; the mask takes them out.
    torch.bitwise_right_shift(x, n, out=shifted)
    shifted &= (1 << 32 - n) - 1
    x ^= shifted
    return x


def _keys(seed: Any, lane: int) -> tuple[Any, Any]:
    if not isinstance(seed, torch.Tensor) or (
        seed.device.type == "cpu" and not torch.compiler.is_compiling()
    ):
        return tuple(signed(k) for k in host_keys([w & 0xFFFFFFFF for w in seed.tolist()], lane))
    # On a device, reading the seed would wait for everything before it.
    a, b = seed.view(torch.int32).clone().split(1)
    shifted = torch.empty_like(a)
    for r in ROUNDS:
        x = b ^ signed(r ^ lane * LANE)
        x = _fold(x, 16, shifted).mul_(0x7FEB352D)
        x = _fold(x, 15, shifted).mul_(signed(0x846CA68B))
        a, b = b, _fold(x, 16, shifted) ^ a
    return a, b


def _random_bits(seed: Any, shape: Any, lane: int) -> torch.Tensor:
    first, second = _keys(seed, lane)
    x = torch.arange(math.prod(shape), dtype=torch.int32, device=device())
    shifted = torch.empty_like(x)
    x ^= first
    _fold(x, 17, shifted).mul_(signed(0xED5AD4BB))
    x ^= second
    _fold(x, 11, shifted).mul_(signed(0xAC4C1B51))
    _fold(x, 15, shifted).mul_(0x31848BAB)
    return _fold(x, 14, shifted).reshape(shape)


def _random_uniform(seed: Any, shape: Any, dtype: str, lane: int) -> torch.Tensor:
    if dtype != "float32":
        return bodies["_random_uniform"](seed, shape, dtype, lane)
    bits = _random_bits(seed, shape, lane)
    bits >>= 8
    bits &= 0xFFFFFF
    return bits.float().mul_(2.0**-24)


def _random_normal(seed: Any, shape: Any, dtype: str, lane: int) -> torch.Tensor:
    if dtype == "float64":
        return bodies["_random_normal"](seed, shape, dtype, lane)
    n = math.prod(shape)
    bits = _random_bits(seed, (2, (n + 1) // 2), lane)
    bits[0] >>= 1
    bits[0] &= 0x7FFFFFFF
    radius, angle = bits.float()
    radius.add_(1.0).mul_(2.0**-31).log_().mul_(-2.0).sqrt_()
    angle.mul_(math.pi * 2.0**-31)
    both = torch.stack([angle.cos().mul_(radius), angle.sin_().mul_(radius)])
    return both.view(-1)[:n].reshape(shape).to(native_dtype(dtype))


def _dropout(
    inputs: torch.Tensor, seed: Any, shape: Any, threshold: int, scale: float
) -> torch.Tensor:
    keep = _random_bits(seed, shape, 0) >= threshold
    return inputs * keep.to(inputs.dtype).mul_(scale)
