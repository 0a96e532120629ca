"""Normalization by TensorFlow's fused kernel, where it has one."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.backends import bodies


def _batch_norm_train(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float) -> Any:
    rank = x.shape.rank
    (axis,) = set(range(rank)) - {a % rank for a in axes}
    if axis != rank - 1 or x.dtype != tf.float32 or epsilon < 1.01e-5:
        # What the kernel does not take; the epsilon only on a GPU.
        return bodies["_batch_norm_train"](x, gamma, beta, axes, epsilon)
    c = x.shape[-1] or tf.shape(x)[-1]
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x if rank == 4 else tf.reshape(x, (-1, 1, 1, c)),
        scale=tf.ones([c]) if gamma is None else gamma,
        offset=tf.zeros([c]) if beta is None else beta,
        mean=tf.zeros(0), variance=tf.zeros(0), epsilon=epsilon, is_training=True,
    )  # fmt: skip
    n = tf.cast(tf.size(x) // c, x.dtype)
    y = tf.ensure_shape(tf.reshape(y, tf.shape(x)), x.shape)
    # Its variance is the unbiased one.
    return y, tf.stop_gradient(mean), tf.stop_gradient(variance) * ((n - 1) / n)
