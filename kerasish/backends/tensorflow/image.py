"""TensorFlow: image kernels."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.backends import bodies


def _resize(x: Any, size: Any, axes: Any, method: str, antialias: bool) -> Any:
    if method != "bilinear" or antialias or axes != (-3, -2) or x.dtype == tf.float64:
        return bodies["_resize"](x, size, axes, method, antialias)
    return tf.cast(tf.image.resize(x, size, "bilinear"), x.dtype)
