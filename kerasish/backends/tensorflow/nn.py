"""TensorFlow: neural-network kernels."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish import config
from kerasish.backends import bodies

relu, relu6, sigmoid = tf.nn.relu, tf.nn.relu6, tf.sigmoid
leaky_relu, silu, softsign = tf.nn.leaky_relu, tf.nn.silu, tf.nn.softsign
softplus, log_sigmoid, gelu = tf.math.softplus, tf.math.log_sigmoid, tf.nn.gelu


def elu(x: Any, alpha: float) -> Any:
    return tf.nn.elu(x) if alpha == 1 else bodies["elu"](x, alpha)


def softmax(x: Any, axis: Any) -> Any:
    return tf.nn.softmax(x, axis) if type(axis) is int else bodies["softmax"](x, axis)


def log_softmax(x: Any, axis: Any) -> Any:
    return tf.nn.log_softmax(x, axis) if type(axis) is int else bodies["log_softmax"](x, axis)


def _binary_crossentropy_of_logits(target: Any, logits: Any) -> Any:
    return tf.nn.sigmoid_cross_entropy_with_logits(target, logits)


def _sparse_softmax_crossentropy(target: Any, logits: Any) -> Any:
    if target.dtype not in (tf.int32, tf.int64):
        target = tf.cast(target, tf.int32)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)


def one_hot(x: Any, num_classes: int, axis: int, dtype: Any, sparse: bool) -> Any:
    x = tf.cast(x, tf.int64)
    dtype = dtype or config.floatx()
    if not sparse:
        return tf.one_hot(x, num_classes, tf.cast(1, dtype), tf.cast(0, dtype), axis)
    axis %= len(x.shape) + 1
    where = tf.where((x >= 0) & (x < num_classes))
    labels = tf.gather_nd(x, where)[:, None]
    where = tf.concat([where[:, :axis], labels, where[:, axis:]], 1)
    shape = tf.shape(x, tf.int64)
    shape = tf.concat([shape[:axis], [num_classes], shape[axis:]], 0)
    return tf.sparse.reorder(tf.SparseTensor(where, tf.ones(tf.shape(labels)[:1], dtype), shape))
