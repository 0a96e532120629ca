"""Pooling of PyTorch, on channels-last memory."""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F

from kerasish.backends import bodies, windows
from kerasish.backends.torch.convolution import around, to_first, to_last

_MAX = {2: torch.max_pool2d, 3: torch.max_pool3d}
_AVERAGE = {2: F.avg_pool2d, 3: F.avg_pool3d}
_HALVES = (torch.float16, torch.bfloat16)


@functools.lru_cache(maxsize=1024)
def _uneven(sizes: Any, size: Any, strides: Any, padding: str) -> tuple[Any, bool, bool]:
    """(pads, whether torch's ceil_mode is wanted, whether torch cannot pad so at all).

    torch pads the same on both sides. Its ceil_mode adds a last, partial window, which is what
    one more after is worth, unless windows move by one.
    """
    pads = windows.pads(padding, sizes, size, strides)
    uneven = [s for s, (lo, hi) in zip(strides, pads, strict=True) if lo != hi]
    return pads, bool(uneven), 1 in uneven


def _max_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    if len(size) == 1:
        return _max_pool(x[:, None], (1, *size), (1, *strides), padding)[:, 0]
    if not x.numel():  # torch refuses it
        return bodies["_max_pool"](x, size, strides, padding)
    pads, partial, by_hand = _uneven(x.shape[1:-1], size, strides, padding)
    x = to_first(x)
    lows, _ = zip(*pads, strict=True)
    if by_hand:
        x, lows, partial = around(x, pads, -float("inf")), (0,) * len(size), False
    return to_last(_MAX[len(size)](x, size, strides, lows, 1, partial))


def _average_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    if len(size) == 1:
        return _average_pool(x[:, None], (1, *size), (1, *strides), padding)[:, 0]
    pads, partial, by_hand = _uneven(x.shape[1:-1], size, strides, padding)
    no_kernel = len(size) == 3 and x.dtype in _HALVES and x.device.type == "cpu"
    small = not x.numel() or any(n < k for n, k in zip(x.shape[1:-1], size, strict=True))
    if by_hand or no_kernel or small:  # torch refuses what is smaller than a window
        return bodies["_average_pool"](x, size, strides, padding)
    lows, _ = zip(*pads, strict=True)
    return to_last(_AVERAGE[len(size)](to_first(x), size, strides, lows, partial, False))
