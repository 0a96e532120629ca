"""Normalization by PyTorch's fused kernels, where their meaning is ours."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from kerasish.backends import bodies


def _trailing(x: Any, axes: Any) -> bool:
    return axes and tuple(axes) == tuple(range(x.ndim - len(axes), x.ndim))


def _layer_norm(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float) -> Any:
    if not _trailing(x, axes):
        return bodies["_layer_norm"](x, gamma, beta, axes, epsilon)
    return F.layer_norm(x, x.shape[x.ndim - len(axes) :], gamma, beta, epsilon)


def _rms_norm(x: Any, gamma: Any, axes: Any, epsilon: float) -> Any:
    if not _trailing(x, axes):
        return bodies["_rms_norm"](x, gamma, axes, epsilon)
    return F.rms_norm(x, x.shape[x.ndim - len(axes) :], gamma, epsilon)


def _group_norm(x: Any, gamma: Any, beta: Any, groups: int, axis: int, epsilon: float) -> Any:
    y = F.group_norm(x.movedim(axis, 1), groups, gamma, beta, epsilon)
    return y.movedim(1, axis)


def _batch_norm(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any, scale: Any, epsilon: float
) -> Any:
    if mean.requires_grad or variance.requires_grad or x.ndim < 2 or epsilon < 0 or not len(mean):
        # torch takes these for running statistics, which have no gradient; it wants a batch, and
        # channels.
        return bodies["_batch_norm"](x, mean, variance, axis, offset, scale, epsilon)
    y = F.batch_norm(x.movedim(axis, 1), mean, variance, scale, offset, False, 0.0, epsilon)
    return y.movedim(1, axis)


def _batch_norm_train(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float) -> Any:
    (axis,) = set(range(x.ndim)) - {a % x.ndim for a in axes}
    n, c = x.numel() // x.shape[axis], x.shape[axis]
    if n < 2:
        return bodies["_batch_norm_train"](x, gamma, beta, axes, epsilon)
    mean, variance = torch.zeros(2, c, dtype=x.dtype, device=x.device)
    y = F.batch_norm(x.movedim(axis, 1), mean, variance, gamma, beta, True, 1.0, epsilon)
    # With a momentum of one the running values are the batch's; torch's variance is unbiased.
    return y.movedim(1, axis), mean, variance * ((n - 1) / n)
