"""PyTorch: neural-network kernels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from kerasish.backends import bodies
from kerasish.backends.torch.array import _or_in_int64
from kerasish.backends.torch.recurrent import _gru_states as _gru_states
from kerasish.backends.torch.recurrent import _lstm_states as _lstm_states
from kerasish.backends.torch.recurrent import _no_cudnn as _no_cudnn

relu, relu6 = _or_in_int64(torch.relu), _or_in_int64(F.relu6)
selu, sigmoid = torch.selu, torch.sigmoid
leaky_relu, elu, silu, glu = F.leaky_relu, F.elu, F.silu, F.glu
hard_silu, hard_tanh = F.hardswish, F.hardtanh
tanh_shrink = F.tanhshrink
softsign, log_sigmoid = F.softsign, F.logsigmoid


def hard_sigmoid(x: Any) -> Any:
    return F.relu6(x + 3.0) / 6.0  # F.hardsigmoid has no second derivative


def gelu(x: Any, approximate: bool) -> Any:
    return F.gelu(x, approximate="tanh" if approximate else "none")


def celu(x: Any, alpha: Any) -> Any:
    return F.celu(x, alpha) if alpha else bodies["celu"](x, alpha)


def hard_shrink(x: Any, threshold: Any) -> Any:
    return F.hardshrink(x, min(threshold, torch.finfo(x.dtype).max))


def soft_shrink(x: Any, threshold: Any) -> Any:
    within = 0 <= threshold <= torch.finfo(x.dtype).max  # else torch refuses it
    return F.softshrink(x, threshold) if within else bodies["soft_shrink"](x, threshold)


def softplus(x: Any) -> Any:
    return F.softplus(x, threshold=40)


def softmax(x: Any, axis: Any) -> Any:
    return torch.softmax(x, axis) if type(axis) is int else bodies["softmax"](x, axis)


def log_softmax(x: Any, axis: Any) -> Any:
    return torch.log_softmax(x, axis) if type(axis) is int else bodies["log_softmax"](x, axis)


def _binary_crossentropy_of_logits(target: Any, logits: Any) -> Any:
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none")


def _sparse_softmax_crossentropy(target: Any, logits: Any) -> Any:
    if target.ndim != 1:
        flat = logits.reshape(-1, logits.shape[-1])
        return _sparse_softmax_crossentropy(target.reshape(-1), flat).reshape(target.shape)
    # The default ignore_index would pass over the label -100 in silence.
    return F.cross_entropy(logits, target.long(), reduction="none", ignore_index=-(2**31))


def _attention(
    query: Any, key: Any, value: Any, bias: Any, mask: Any, scale: float, is_causal: bool,
    soft_cap: float | None, flash: bool | None,
) -> Any:  # fmt: skip
    if soft_cap is not None:
        args = (query, key, value, bias, mask, scale, is_causal, soft_cap, flash)
        return bodies["_attention"](*args)
    if scale < 0:  # torch takes its root
        query, scale = -query, -scale
    if is_causal and not (mask is None and bias is None):
        past = torch.ones(query.shape[1], key.shape[1], device=query.device).tril().bool()
        mask, is_causal = past if mask is None else mask & past, False
    bias = bias if bias is None or bias.ndim else bias.reshape(1, 1, 1, 1)
    if mask is not None:
        # Rows without any key are NaN in torch; here they are the mean of the values, as with a
        # query of zero that sees all keys.
        mask = mask[(None,) * (4 - mask.ndim)]
        alive = mask.any(-1, keepdim=True)
        query = query * alive.transpose(1, 2)
        seen = mask | ~alive
        bias = seen if bias is None else torch.where(seen, bias * alive, -torch.inf)
    return F.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), bias,
        is_causal=is_causal, scale=scale, enable_gqa=query.shape[2] != key.shape[2],
    ).transpose(1, 2)
