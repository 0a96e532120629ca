"""Pooling of TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_MAX = {1: tf.nn.max_pool1d, 2: tf.nn.max_pool2d, 3: tf.nn.max_pool3d}
_AVERAGE = {1: tf.nn.avg_pool1d, 2: tf.nn.avg_pool2d, 3: tf.nn.avg_pool3d}


def _max_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    return _MAX[len(size)](x, size, strides, padding.upper())


def _average_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    return _AVERAGE[len(size)](x, size, strides, padding.upper())
