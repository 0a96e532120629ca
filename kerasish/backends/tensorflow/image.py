"""TensorFlow: image kernels."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.backends import bodies


def _resize(x: Any, size: Any, axes: Any, method: str, antialias: bool) -> Any:
    plain = method == "bilinear" and not antialias and axes == (-3, -2) and x.shape[-1] != 0
    if not plain or x.dtype == tf.float64:
        return bodies["_resize"](x, size, axes, method, antialias)
    return tf.cast(tf.image.resize(x, size, "bilinear"), x.dtype)
