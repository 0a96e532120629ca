"""Shapes of convolutions."""

from __future__ import annotations

from typing import Any

from kerasish.backends import windows
from kerasish.backends.symbolic.engine import Spec


def _conv(x: Any, kernel: Any, strides: Any, padding: str, dilation: Any) -> Spec:
    window = kernel.shape[:-2]
    pads = windows.pads(padding, x.shape[1:-1], window, strides, dilation)
    places = windows.places(x.shape[1:-1], window, strides, pads, dilation)
    return Spec((x.shape[0], *places, kernel.shape[-1]), x.dtype)


def _conv_transpose(x: Any, kernel: Any, strides: Any, crops: Any, dilation: Any) -> Spec:
    sizes = windows.transposed(x.shape[1:-1], kernel.shape[:-2], strides, crops, dilation)
    return Spec((x.shape[0], *sizes, kernel.shape[-2]), x.dtype)
