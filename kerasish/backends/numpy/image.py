"""NumPy: image kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.backends import bodies
from kerasish.backends.numpy.tape import defvjp, primitive


def _places(before: int, after: int, dtype: Any) -> tuple[Any, Any, Any]:
    """For each new place the two old ones around it, and how far it is from the first."""
    place = np.clip((np.arange(after) + 0.5) * (before / after) - 0.5, 0, before - 1)
    low = place.astype(int)
    return low, np.minimum(low + 1, before - 1), (place - low).astype(dtype)


@primitive
def _shrink(x: Any, axis: int, after: int) -> Any:
    """Bilinear resizing of an axis to fewer places reads two old ones for each."""
    low, high, share = _places(x.shape[axis], after, x.dtype)
    share = share.reshape(-1, *[1] * (-1 - axis))
    first = np.take(x, low, axis)
    out = np.take(x, high, axis)
    out -= first
    out *= share
    out += first
    return out


def _spread(g: Any, ans: Any, x: Any, axis: int, after: int) -> Any:
    low, high, share = _places(x.shape[axis], after, x.dtype)
    weights = np.zeros((after, x.shape[axis]), x.dtype)
    np.add.at(weights, (np.arange(after), low), 1 - share)
    np.add.at(weights, (np.arange(after), high), share)
    return np.moveaxis(np.tensordot(g, weights, ([g.ndim + axis], [0])), -1, axis)


defvjp(_shrink, _spread)


def _resize(x: Any, size: Any, axes: Any, method: str, antialias: bool) -> Any:
    if method == "bilinear" and not antialias:
        for axis, after in zip(axes, size, strict=True):
            if after < x.shape[axis]:
                x = _shrink(x, axis, after)
    return bodies["_resize"](x, size, axes, method, antialias)
