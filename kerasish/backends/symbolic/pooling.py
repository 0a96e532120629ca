"""Shapes of pooled images."""

from __future__ import annotations

from typing import Any

from kerasish.backends import windows
from kerasish.backends.symbolic.engine import Spec


def _max_pool(x: Any, size: Any, strides: Any, padding: str) -> Spec:
    pads = windows.pads(padding, x.shape[1:-1], size, strides)
    places = windows.places(x.shape[1:-1], size, strides, pads)
    return Spec((x.shape[0], *places, x.shape[-1]), x.dtype)


_average_pool = _max_pool
