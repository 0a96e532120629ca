"""Computations that stay on the host, and strings, which stay NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerasish.backends.torch.engine import convert


def strings(x: np.ndarray) -> np.ndarray:
    """An array of strings in the form that this engine's compiled functions take."""
    return x


def host_call(
    fn: Callable[..., Any], inputs: Sequence[Any], shape: Sequence[int | None], dtype: str
) -> Any:
    """`fn` of NumPy arrays, as one of this engine's tensors; also within a compiled function."""
    return convert(fn(*inputs), dtype)
