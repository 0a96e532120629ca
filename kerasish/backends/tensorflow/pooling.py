"""Pooling of TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.backends import bodies

_MAX = {1: tf.nn.max_pool1d, 2: tf.nn.max_pool2d, 3: tf.nn.max_pool3d}
_AVERAGE = {1: tf.nn.avg_pool1d, 2: tf.nn.avg_pool2d, 3: tf.nn.avg_pool3d}


def _has_kernel(x: Any, size: Any) -> bool:
    """Pooling of volumes has kernels of these dtypes only."""
    return len(size) < 3 or x.dtype in (tf.float32, tf.bfloat16)


def _max_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    if not _has_kernel(x, size):
        return bodies["_max_pool"](x, size, strides, padding)
    return _MAX[len(size)](x, size, strides, padding.upper())


def _average_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    if not _has_kernel(x, size):
        return bodies["_average_pool"](x, size, strides, padding)
    return _AVERAGE[len(size)](x, size, strides, padding.upper())
