"""TensorFlow: special functions, segments, top-k and Fourier transforms."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.backends.shapes import axes_over, check_k

erf = tf.math.erf
erfc = tf.math.erfc
erfinv = tf.math.erfinv


def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return tf.reduce_logsumexp(x, axes_over(axis, x.shape.rank), keepdims)


def top_k(x: Any, k: int, sorted: bool) -> tuple[Any, Any]:
    check_k(k, x.shape[-1])
    if x.dtype == tf.bool:  # has no kernel
        values, indices = tf.math.top_k(tf.cast(x, tf.uint8), k, sorted=sorted)
        return tf.cast(values, tf.bool), indices
    return tuple(tf.math.top_k(x, k, sorted=sorted))


_FOLDS = {
    "sum": tf.math.unsorted_segment_sum, "prod": tf.math.unsorted_segment_prod,
    "max": tf.math.unsorted_segment_max, "min": tf.math.unsorted_segment_min,
}  # fmt: skip


def _segment(data: Any, ids: Any, num_segments: Any, sorted: bool, kind: str) -> Any:
    if num_segments is None:
        num_segments = tf.maximum(tf.reduce_max(ids), -1) + 1  # the least integer for none
    ids = tf.where(ids < tf.cast(num_segments, ids.dtype), ids, -1)  # -1 is dropped, more fails
    out = _FOLDS[kind](data, ids, num_segments)
    if kind in ("max", "min") and data.dtype.is_floating:
        # An empty segment has the largest finite value there; the identity is infinite.
        count = tf.math.unsorted_segment_sum(tf.ones_like(ids), ids, num_segments)
        empty = tf.reshape(count == 0, [-1, *[1] * (len(data.shape) - 1)])
        inf = tf.constant(float("-inf" if kind == "max" else "inf"), data.dtype)
        out = tf.where(empty, inf, out)
    return out


def _pair(z: Any) -> tuple[Any, Any]:
    return tf.math.real(z), tf.math.imag(z)


def fft(x: Any) -> tuple[Any, Any]:
    return _pair(tf.signal.fft(tf.complex(*x)))


def fft2(x: Any) -> tuple[Any, Any]:
    return _pair(tf.signal.fft2d(tf.complex(*x)))


def ifft2(x: Any) -> tuple[Any, Any]:
    return _pair(tf.signal.ifft2d(tf.complex(*x)))


def _fit(x: Any, n: int) -> Any:
    """The last axis cut or padded to a length: TensorFlow's transforms do it, but their gradients
    do not undo it."""
    if x.shape[-1] == n:
        return x
    x = tf.pad(x, [*[[0, 0]] * (len(x.shape) - 1), [0, n]])
    return x[..., :n]


def _rfft(x: Any, fft_length: int | None) -> tuple[Any, Any]:
    return _pair(tf.signal.rfft(x if fft_length is None else _fit(x, fft_length)))


def _irfft(x: Any, fft_length: int | None) -> Any:
    z = tf.complex(*x)
    if fft_length is None:
        return tf.signal.irfft(z)
    return tf.signal.irfft(_fit(z, fft_length // 2 + 1), [fft_length])


def _frames(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    return tf.signal.frame(x, sequence_length, sequence_stride)
