"""TensorFlow: `tf.SparseTensor`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def is_sparse(x: Any) -> bool:
    return isinstance(x, tf.SparseTensor)


def sparse(indices: Any, values: Any, shape: Any) -> tf.SparseTensor:
    sizes = tf.stack([tf.cast(n, tf.int64) for n in shape])
    return tf.sparse.reorder(tf.SparseTensor(tf.cast(indices, tf.int64), values, sizes))


def sparse_parts(x: Any) -> tuple[Any, Any]:
    return x.indices, x.values


def compact(indices: Any, values: Any) -> tuple[Any, Any]:
    kept = values != 0
    return tf.boolean_mask(indices, kept), tf.boolean_mask(values, kept)


def sparse_sum(indices: Any, values: Any, shape: Any) -> tf.SparseTensor:
    sizes = tf.stack([tf.cast(n, tf.int64) for n in shape])
    steps = tf.math.cumprod(sizes, exclusive=True, reverse=True)
    indices = tf.cast(indices, tf.int64)
    places, where = tf.unique(tf.reduce_sum(indices * steps, 1))
    sums = tf.math.unsorted_segment_sum(values, where, tf.size(places))
    return sparse(places[:, None] // steps % sizes, sums, shape)


def sparse_unique(x: Any) -> Any:
    return x  # as all are here


def how_many(count: Any, bound: tuple[Any, ...]) -> Any:
    return count


def sparse_add(x1: Any, x2: Any) -> Any:
    return tf.sparse.add(x1, x2)


def sparse_matmul(x: Any, dense: Any) -> Any:
    if is_sparse(dense):
        return NotImplemented
    # Reshaped to what it is, which keeps the gradient's shape known where that of x is not.
    return tf.sparse.sparse_dense_matmul(x, tf.reshape(dense, tf.shape(dense)))
