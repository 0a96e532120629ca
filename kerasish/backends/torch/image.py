"""PyTorch: image kernels."""

from __future__ import annotations

from typing import Any

import torch

from kerasish.backends import bodies


def _resize(x: Any, size: Any, axes: Any, method: str, antialias: bool) -> Any:
    # torch's cubic kernel is another one, it has no Lanczos, and refuses what is empty.
    if method != "bilinear" or not x.numel():
        return bodies["_resize"](x, size, axes, method, antialias)
    channels_last = axes == (-3, -2)
    x = x.movedim(-1, -3) if channels_last else x
    batch = x if x.ndim == 4 else x[None]
    out = torch.nn.functional.interpolate(
        batch, size, mode="bilinear", align_corners=False, antialias=antialias
    )
    out = out if x.ndim == 4 else out[0]
    return out.movedim(-3, -1) if channels_last else out
