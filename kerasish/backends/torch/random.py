"""PyTorch: on the CPU the host's random words, elsewhere the same in int32, whose products wrap."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kerasish.backends import bodies
from kerasish.backends.hashing import LANE, ROUNDS, host_keys, signed
from kerasish.backends.numpy import random as host
from kerasish.backends.torch.engine import device, from_host

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


def _seed_words(seed: Any) -> np.ndarray | None:
    """The seed on the host, where words are to be made there.

    On the CPU that is faster than torch's own passes; on a device, reading the seed would wait for
    all that is under way, and the words would have to be copied.
    """
    if device().type != "cpu" or torch.compiler.is_compiling():
        return None
    if isinstance(seed, torch.Tensor):
        return seed.numpy() if seed.device.type == "cpu" else None
    return seed


def _keys(seed: Any, lane: int) -> Any:
    if not isinstance(seed, torch.Tensor):
        return [signed(k) for k in host_keys(seed.tolist(), lane)]
    a, b = seed.view(torch.int32).clone().split(1)
    shifted = torch.empty_like(a)
    for r in ROUNDS:
        x = b ^ signed(r ^ lane * LANE)
        x = _fold(x, 16, shifted).mul_(0x7FEB352D)
        x = _fold(x, 15, shifted).mul_(signed(0x846CA68B))
        a, b = b, _fold(x, 16, shifted) ^ a
    return a, b


def _random_bits(seed: Any, shape: Any, lane: int) -> torch.Tensor:
    if (words := _seed_words(seed)) is not None:
        return from_host(host._random_bits(words, shape, lane))
    first, second = _keys(seed, lane)
    x = torch.arange(math.prod(shape), dtype=torch.int32, device=device())
    shifted = torch.empty_like(x)
    x ^= first
    _fold(x, 17, shifted).mul_(signed(0xED5AD4BB))
    x ^= second
    _fold(x, 11, shifted).mul_(signed(0xAC4C1B51))
    _fold(x, 15, shifted).mul_(0x31848BAB)
    return _fold(x, 14, shifted).reshape(shape)


def _on_host(name: str) -> Callable[..., Any]:
    make = getattr(host, name)

    def function(seed: Any, shape: Any, dtype: str, lane: int) -> torch.Tensor:
        words = _seed_words(seed)
        if words is None or dtype != "float32":
            return bodies[name](seed, shape, dtype, lane)
        return from_host(make(words, shape, dtype, lane))

    return function


_random_uniform, _random_normal = _on_host("_random_uniform"), _on_host("_random_normal")


def _dropout(
    inputs: torch.Tensor, seed: Any, shape: Any, threshold: int, scale: float
) -> torch.Tensor:
    if (words := _seed_words(seed)) is not None:
        keep = from_host(host._keep(words, shape, threshold))
    else:
        keep = _random_bits(seed, shape, 0) >= threshold
    return inputs * keep.to(inputs.dtype).mul_(scale)
