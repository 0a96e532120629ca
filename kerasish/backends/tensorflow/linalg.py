"""TensorFlow: linear algebra."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.errors import BackendError, InvalidArgument

det = tf.linalg.det
inv = tf.linalg.inv
eig = tf.linalg.eig
eigh = tf.linalg.eigh


def _told(out: Any, what: str, *inputs: Any) -> Any:
    """The result, unless it is computed now and shows what other kernels raise an error for."""
    def finite(x: Any) -> bool:
        parts = (tf.math.real(x), tf.math.imag(x)) if x.dtype.is_complex else (x,)
        return all(bool(tf.reduce_all(tf.math.is_finite(p))) for p in parts)

    if tf.executing_eagerly() and not finite(out) and all(map(finite, inputs)):
        raise InvalidArgument(what)
    return out


def cholesky(x: Any, upper: bool) -> Any:
    factor = tf.linalg.band_part(tf.linalg.cholesky(x), -1, 0)
    factor = _told(factor, "The matrix is not positive definite.", x)
    return tf.linalg.adjoint(factor) if upper else factor


def slogdet(x: Any) -> tuple[Any, Any]:
    sign, size = tf.linalg.slogdet(x)
    return sign, tf.math.real(size)


def qr(x: Any, mode: str) -> tuple[Any, Any]:
    if mode not in ("reduced", "complete"):
        raise InvalidArgument(f"ops.qr: mode must be 'reduced' or 'complete', got {mode!r}.")
    return tuple(tf.linalg.qr(x, full_matrices=mode == "complete"))


def svd(x: Any, full_matrices: bool, compute_uv: bool) -> Any:
    if not compute_uv:
        return tf.linalg.svd(x, compute_uv=False)
    s, u, v = tf.linalg.svd(x, full_matrices)
    return u, s, tf.linalg.adjoint(v)


@tf.custom_gradient
def lu_factor(x: Any) -> Any:
    """With the gradient that TensorFlow lacks; see `rules_linalg` of the NumPy backend."""
    if x.shape[-1] != x.shape[-2] and None not in x.shape[-2:]:
        raise BackendError(
            "TensorFlow factors square matrices alone. Pad the matrix, or run this on another "
            "backend: with keras.config.backend_scope('numpy')."
        )
    lu, order = tf.linalg.lu(x)

    def gradient(g: Any, _: Any) -> Any:
        lu = lu_factor(x)[0]  # once more, so that the gradient has one itself
        upper = tf.linalg.band_part(lu, 0, -1)
        lower = tf.linalg.set_diag(lu - upper, tf.ones_like(lu[..., 0]))
        g_upper = tf.linalg.band_part(g, 0, -1)
        left = tf.matmul(lower, g - g_upper, adjoint_a=True)
        inner = left - tf.linalg.band_part(left, 0, -1) + tf.linalg.band_part(
            tf.matmul(g_upper, upper, adjoint_b=True), 0, -1
        )
        out = tf.linalg.triangular_solve(lower, inner, adjoint=True)
        out = tf.linalg.triangular_solve(upper, tf.linalg.adjoint(out), lower=False)
        back = tf.argsort(order, axis=-1)
        return tf.gather(tf.linalg.adjoint(out), back, axis=-2, batch_dims=len(x.shape) - 2)

    return (lu, _exchanges(order)), gradient


def _exchanges(order: Any) -> Any:
    """The sequence of row exchanges that makes an order: LAPACK's pivots."""
    n = tf.shape(order)[-1]

    def step(k: Any, rows: Any, pivots: Any) -> Any:
        # Where row order[k] now is; there goes the row that stands at k.
        here = tf.one_hot(k, n, dtype=tf.bool, on_value=True, off_value=False)
        there = rows == tf.gather(order, [k], axis=-1)
        position = tf.argmax(tf.cast(there, tf.int32), axis=-1, output_type=tf.int32)
        rows = tf.where(there, tf.gather(rows, [k], axis=-1), rows)
        rows = tf.where(here, tf.gather(order, [k], axis=-1), rows)
        return k + 1, rows, tf.where(here, tf.expand_dims(position, -1), pivots)

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
    return _told(tf.linalg.triangular_solve(a, b, lower=lower), "The matrix is singular.", a, b)
