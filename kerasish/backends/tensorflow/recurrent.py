"""TensorFlow: recurrent networks on cuDNN's kernels where a GPU has them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from kerasish.backends import bodies


def _no_cudnn(kind: str, x: Any) -> str | None:
    if not tf.test.is_built_with_cuda():
        return "this TensorFlow is built without CUDA"
    if not tf.config.list_logical_devices("GPU"):
        return "TensorFlow sees no GPU"
    if GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        return "XLA compiles what it is part of, for jit_compile=True"
    device = tf.identity(x).device  # in a graph "" where nobody has said: the GPU
    return f"its input is on {device}" if "CPU" in device.upper() else None


def _lstm_states(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any,
    unroll: bool, cudnn: bool,
) -> Any:  # fmt: skip
    def loop() -> Any:
        args = (x, h0, c0, kernel, recurrent_kernel, bias, mask, unroll, cudnn)
        return bodies["_lstm_states"](*args)

    def fused() -> Any:
        weights = _flat(kernel, recurrent_kernel, bias, None)
        states, h, c = _cudnn("lstm", x, h0, c0, weights, mask)
        return states, h, c[0]

    return _chosen(cudnn, mask, fused, loop)


def _gru_states(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any, unroll: bool,
    cudnn: bool,
) -> Any:  # fmt: skip
    def loop() -> Any:
        return bodies["_gru_states"](x, h0, kernel, recurrent_kernel, bias, mask, unroll, cudnn)

    def fused() -> Any:
        kernels = map(_reset_first, (kernel, recurrent_kernel))
        biases = (None, None) if bias is None else map(_reset_first, tf.unstack(bias))
        weights = _flat(*kernels, *biases)
        return _cudnn("gru", x, h0, tf.zeros_like(h0), weights, mask)[:2]

    return _chosen(cudnn, mask, fused, loop)


def _reset_first(w: Any) -> Any:
    """A GRU's weights with its gates in cuDNN's order: reset, update, candidate."""
    update, reset, candidate = tf.split(w, 3, -1)
    return tf.concat([reset, update, candidate], -1)


def _flat(kernel: Any, recurrent_kernel: Any, outer: Any, inner: Any) -> Any:
    """The weights as cuDNN holds them: a matrix for each gate of the input's product, one for each
    of the state's, each (units, size); then the biases of both in the same order."""
    none = tf.zeros(kernel.shape[1], kernel.dtype)
    parts = [tf.transpose(kernel), tf.transpose(recurrent_kernel)]
    parts += [none if bias is None else bias for bias in (outer, inner)]
    return tf.concat([tf.reshape(part, [-1]) for part in parts], 0)


def _chosen(cudnn: bool, mask: Any, fused: Any, loop: Any) -> Any:
    """What cuDNN computes where it is wanted and every sequence begins, and ends once."""
    if not cudnn:
        return loop()
    if mask is None:
        return fused()
    goes_on = tf.logical_or(mask[:, :-1], tf.logical_not(mask[:, 1:]))
    return tf.cond(tf.reduce_all(mask[:, 0]) & tf.reduce_all(goes_on), fused, loop)


def _cudnn(mode: str, x: Any, h0: Any, c0: Any, weights: Any, mask: Any) -> Any:
    batch, steps = tf.unstack(tf.shape(x)[:2])
    ones = tf.ones([batch, steps], "int32") if mask is None else tf.cast(mask, "int32")
    states, h, c, _, _ = tf.raw_ops.CudnnRNNV3(
        input=tf.transpose(x, [1, 0, 2]), input_h=h0[None], input_c=c0[None], params=weights,
        sequence_lengths=tf.reduce_sum(ones, 1), rnn_mode=mode,
    )
    states = tf.transpose(states, [1, 0, 2])
    if mask is not None:
        states = tf.where(mask[..., None], states, h[0][:, None])
    return states, h[0], c
