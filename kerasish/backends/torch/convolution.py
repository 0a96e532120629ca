"""Convolutions of PyTorch, on channels-last memory (faster on CPU and GPU, and no copy)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from kerasish.backends import windows

_FIRST = {4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}
_LAST = {4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
_FILTERS = {4: (3, 2, 0, 1), 5: (4, 3, 0, 1, 2)}
_FORWARD = {2: F.conv2d, 3: F.conv3d}
_BACKWARD = {2: F.conv_transpose2d, 3: F.conv_transpose3d}


def to_first(x: torch.Tensor) -> torch.Tensor:
    """[n, *sizes, c] as a view [n, c, *sizes]."""
    return x.permute(_FIRST[x.ndim])


def to_last(x: torch.Tensor) -> torch.Tensor:
    """[n, c, *sizes] as a view [n, *sizes, c]."""
    return x.permute(_LAST[x.ndim])


def around(x: torch.Tensor, pads: windows.Pairs, value: float = 0.0) -> torch.Tensor:
    """A constant around the trailing (spatial) axes; negative widths crop."""
    return F.pad(x, [n for pair in reversed(pads) for n in pair], value=value)


def _conv(x: Any, kernel: Any, strides: Any, padding: str, dilation: Any) -> Any:
    return _conv_bias(x, kernel, None, strides, padding, dilation)


def _conv_bias(
    x: Any, kernel: Any, bias: Any, strides: Any, padding: str, dilation: Any
) -> Any:
    if len(strides) == 1:  # as an image of height one, which is up to three times as fast
        return _conv_bias(
            x[:, None], kernel[None], bias, (1, *strides), padding, (1, *dilation)
        )[:, 0]
    rank = len(strides)
    pads = windows.known_pads(padding, x.shape[1:-1], kernel.shape[:-2], strides, dilation)
    groups = x.shape[-1] // kernel.shape[-2]
    x = to_first(x)
    both, after = zip(*pads, strict=True)
    if both != after:
        x, both = around(x, pads), (0,) * rank
    weight = kernel.permute(_FILTERS[rank + 2])
    return to_last(_FORWARD[rank](x, weight, bias, strides, both, dilation, groups))


def _conv_transpose(x: Any, kernel: Any, strides: Any, crops: Any, dilation: Any) -> Any:
    if len(strides) == 1:
        return _conv_transpose(
            x[:, None], kernel[None], (1, *strides), [(0, 0), *crops], (1, *dilation)
        )[:, 0]
    rank = len(strides)
    weight = kernel.permute(_FILTERS[rank + 2])
    # torch crops the same on both sides and adds fewer than a stride after: the rest is ours.
    both = [max(lo, 0) for lo, _ in crops]
    more = [
        min(max(p - hi, 0), max(s, d) - 1)
        for p, s, d, (_, hi) in zip(both, strides, dilation, crops, strict=True)
    ]
    y = _BACKWARD[rank](to_first(x), weight, None, strides, both, more, 1, dilation)
    rest = [(p - lo, p - hi - m) for p, m, (lo, hi) in zip(both, more, crops, strict=True)]
    return to_last(around(y, rest) if any(a or b for a, b in rest) else y)
