"""JAX: neural-network kernels. What is not here runs by its body, which XLA fuses."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import nn as _nn

from kerasish.backends import bodies
from kerasish.backends.jax.engine import native_dtype
from kerasish.backends.jax.recurrent import _lstm_states as _lstm_states
from kerasish.backends.jax.recurrent import _no_cudnn as _no_cudnn
from kerasish.backends.shapes import axes_over

relu, selu, sigmoid = _nn.relu, _nn.selu, _nn.sigmoid
elu, celu, silu, glu, gelu = _nn.elu, _nn.celu, _nn.silu, _nn.glu, _nn.gelu
softplus, log_sigmoid = _nn.softplus, _nn.log_sigmoid


def softmax(x: Any, axis: Any) -> Any:
    return _nn.softmax(x, axes_over(axis, x.ndim))


def log_softmax(x: Any, axis: Any) -> Any:
    return _nn.log_softmax(x, axes_over(axis, x.ndim))


def _sparse_softmax_crossentropy(target: Any, logits: Any) -> Any:
    classes = logits.shape[-1]
    # A negative label must not count from the end: it gives NaN, like one that is too large.
    index = jnp.where(target < 0, classes, target)[..., None]
    return -jnp.take_along_axis(_nn.log_softmax(logits, -1), index, -1, mode="fill")[..., 0]


def _one_hot(x: Any, num_classes: int, axis: int, dtype: str) -> Any:
    return _nn.one_hot(x, num_classes, dtype=native_dtype(dtype), axis=axis)


def _attention(
    query: Any, key: Any, value: Any, bias: Any, mask: Any, scale: float, is_causal: bool,
    soft_cap: float | None, flash: bool | None,
) -> Any:  # fmt: skip
    # XLA multiplies no float16 with sums in float32 on the CPU.
    half = query.dtype == jnp.float16 and jax.default_backend() == "cpu"
    if soft_cap is not None or value.shape != key.shape or half:
        args = (query, key, value, bias, mask, scale, is_causal, soft_cap, flash)
        return bodies["_attention"](*args)
    on_gpu = bool(flash) and jax.default_backend() == "gpu"
    return _nn.dot_product_attention(
        query, key, value, bias, mask, scale=scale, is_causal=is_causal,
        implementation="cudnn" if on_gpu else None,
    )
