"""TensorFlow: linear algebra."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.errors import InvalidArgument

det = tf.linalg.det
inv = tf.linalg.inv
eig = tf.linalg.eig
eigh = tf.linalg.eigh


def cholesky(x: Any, upper: bool) -> Any:
    factor = tf.linalg.cholesky(x)
    return tf.linalg.adjoint(factor) if upper else factor


def slogdet(x: Any) -> tuple[Any, Any]:
    return tuple(tf.linalg.slogdet(x))


def qr(x: Any, mode: str) -> tuple[Any, Any]:
    if mode not in ("reduced", "complete"):
        raise InvalidArgument(f"ops.qr: mode must be 'reduced' or 'complete', got {mode!r}.")
    return tuple(tf.linalg.qr(x, full_matrices=mode == "complete"))


def svd(x: Any, full_matrices: bool, compute_uv: bool) -> Any:
    if not compute_uv:
        return tf.linalg.svd(x, compute_uv=False)
    s, u, v = tf.linalg.svd(x, full_matrices)
    return u, s, tf.linalg.adjoint(v)


def lu_factor(x: Any) -> tuple[Any, Any]:
    lu, order = tf.linalg.lu(x)
    return lu, _exchanges(order)


def _exchanges(order: Any) -> Any:
    """The sequence of row exchanges that makes an order: LAPACK's pivots."""
    n = tf.shape(order)[-1]

    def step(k: Any, rows: Any, pivots: Any) -> Any:
        # Where row order[k] now is; there goes the row that stands at k.
        here = tf.one_hot(k, n, dtype=tf.bool, on_value=True, off_value=False)
        there = rows == tf.gather(order, [k], axis=-1)
        position = tf.argmax(tf.cast(there, tf.int32), axis=-1, output_type=tf.int32)[..., None]
        rows = tf.where(there, tf.gather(rows, [k], axis=-1), rows)
        rows = tf.where(here, tf.gather(order, [k], axis=-1), rows)
        return k + 1, rows, tf.where(here, position, pivots)

    rows = tf.broadcast_to(tf.range(n), tf.shape(order))
    start = (tf.constant(0), rows, tf.zeros_like(order))
    pivots = tf.while_loop(lambda k, *_: k < n, step, start)[2]
    return tf.ensure_shape(pivots, order.shape)


def _solve(a: Any, b: Any) -> Any:
    batch = tf.broadcast_dynamic_shape(tf.shape(a)[:-2], tf.shape(b)[:-2])
    a = tf.broadcast_to(a, tf.concat([batch, tf.shape(a)[-2:]], 0))
    b = tf.broadcast_to(b, tf.concat([batch, tf.shape(b)[-2:]], 0))
    return tf.linalg.solve(a, b)


def _solve_triangular(a: Any, b: Any, lower: bool) -> Any:
    return tf.linalg.triangular_solve(a, b, lower=lower)
