"""TensorFlow: neural-network kernels."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.backends import bodies
from kerasish.backends.tensorflow.recurrent import _gru_states as _gru_states
from kerasish.backends.tensorflow.recurrent import _lstm_states as _lstm_states
from kerasish.backends.tensorflow.recurrent import _no_cudnn as _no_cudnn

relu, relu6, sigmoid = tf.nn.relu, tf.nn.relu6, tf.sigmoid
leaky_relu, silu, softsign = tf.nn.leaky_relu, tf.nn.silu, tf.nn.softsign
softplus, log_sigmoid, gelu = tf.math.softplus, tf.math.log_sigmoid, tf.nn.gelu


def elu(x: Any, alpha: float) -> Any:
    return tf.nn.elu(x) if alpha == 1 else bodies["elu"](x, alpha)


def softmax(x: Any, axis: Any) -> Any:
    return tf.nn.softmax(x, axis) if _one_axis(x, axis) else bodies["softmax"](x, axis)


def log_softmax(x: Any, axis: Any) -> Any:
    return tf.nn.log_softmax(x, axis) if _one_axis(x, axis) else bodies["log_softmax"](x, axis)


def _one_axis(x: Any, axis: Any) -> bool:
    return type(axis) is int and 0 < x.shape.rank < 6  # TensorFlow's kernel takes no more axes


def _binary_crossentropy_of_logits(target: Any, logits: Any) -> Any:
    return tf.nn.sigmoid_cross_entropy_with_logits(target, logits)


def _sparse_softmax_crossentropy(target: Any, logits: Any) -> Any:
    if target.dtype not in (tf.int32, tf.int64):
        target = tf.cast(target, tf.int32)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)


def _one_hot(x: Any, num_classes: int, axis: int, dtype: str) -> Any:
    # On the way: not of every dtype can numbers be made by name ("bool").
    return tf.one_hot(x, num_classes, tf.cast(1, dtype), tf.cast(0, dtype), axis)
