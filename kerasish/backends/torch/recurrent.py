"""PyTorch: recurrent networks on the engine's fused kernels, masks included.

The kernels know no masks. A masked step is made to keep the state by one more input feature, 1
where a step is masked, whose weights push the gates to their ends: exactly 0 and 1.
"""

from __future__ import annotations

from typing import Any

import torch

from kerasish.backends import bodies
from kerasish.backends.torch.array import turned

_SHUT = 1e4
"""A gate's sum that closes it fully in every float type."""


def _with_mask(x: Any, kernel: Any, mask: Any, pushes: list[float]) -> tuple[Any, Any]:
    """The inputs with the feature `not mask`, and the kernel with its push for each gate."""
    x = torch.cat([x, (~mask)[..., None].to(x.dtype)], -1)
    row = torch.tensor(pushes, dtype=x.dtype, device=x.device)
    row = row.repeat_interleave(kernel.shape[1] // len(pushes))
    return x, torch.cat([kernel, row[None]])


def _no_cudnn(kind: str, x: Any) -> str | None:
    if not x.is_cuda:
        return "its input is not on a device of type 'cuda'"
    if not torch.backends.cudnn.is_acceptable(x):
        return f"PyTorch has it switched off, or not for {x.dtype}"
    return None


def _weights(x: Any, weights: list[Any]) -> list[Any]:
    """The weights for the kernel of `x`'s device; cuDNN's wants them in one piece of memory."""
    if not x.is_cuda:
        return weights
    flat = torch.cat([w.reshape(-1) for w in weights])
    parts = flat.split([w.numel() for w in weights])
    return [part.view(w.shape) for part, w in zip(parts, weights, strict=True)]


def _turned(*kernels: Any) -> list[Any]:
    """Kernels as torch has them. A CPU's gradient, step by step, wants each in one piece."""
    if not torch.is_grad_enabled() or kernels[0].is_cuda:
        return [k.T for k in kernels]
    return [turned(k) for k in kernels]


def _lstm_states(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any,
    unroll: bool, cudnn: bool,
) -> Any:  # fmt: skip
    if (x.is_cuda and not cudnn) or (mask is not None and not _padded(mask, h0, c0)):
        args = (x, h0, c0, kernel, recurrent_kernel, bias, mask, unroll, cudnn)
        return bodies["_lstm_states"](*args)
    if mask is not None:
        # c is kept; h is not, as it passes the output gate, but it is seen no more.
        x, kernel = _with_mask(x, kernel, mask, [-_SHUT, _SHUT, 0, 0])
    weights = _turned(kernel, recurrent_kernel)
    if bias is not None:
        weights += [bias, torch.zeros_like(bias)]
    begin = (h0[None].contiguous(), c0[None].contiguous())
    states, h, c = torch.lstm(
        x, begin, _weights(x, weights), bias is not None, 1, 0.0, torch.is_grad_enabled(), False,
        True,
    )  # fmt: skip
    if mask is None:
        return states, h[0], c[0]
    steps = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask, steps, 0).amax(1)
    end = states[torch.arange(len(states), device=mask.device), last]
    end = torch.where(mask.any(1, keepdim=True), end, h0)
    seen = torch.where(mask.cumsum(1)[..., None] > 0, end[:, None], h0[:, None])
    return torch.where(mask[..., None], states, seen), end, c[0]


def _padded(mask: Any, h0: Any, c0: Any) -> bool:
    """Whether masked steps come only after the others, or before them to a state of zeros."""
    starts = mask[:, 1:] & ~mask[:, :-1]
    if not starts.any():
        return True
    if torch.is_grad_enabled() and (h0.requires_grad or c0.requires_grad):
        return False
    return bool((starts.sum(1) + mask[:, 0] <= 1).all()) and not (h0.any() or c0.any())


def _gru_states(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any, unroll: bool,
    cudnn: bool,
) -> Any:  # fmt: skip
    if x.is_cuda and not cudnn:
        args = (x, h0, kernel, recurrent_kernel, bias, mask, unroll, cudnn)
        return bodies["_gru_states"](*args)
    if mask is not None:
        x, kernel = _with_mask(x, kernel, mask, [_SHUT, 0, 0])

    def ordered(w: Any) -> Any:  # torch has the reset gate first
        update, reset, candidate = w.chunk(3, -1)
        return torch.cat([reset, update, candidate], -1)

    weights = _turned(ordered(kernel), ordered(recurrent_kernel))
    if bias is not None:
        weights += [*ordered(bias)]
    states, h = torch.gru(
        x, h0[None].contiguous(), _weights(x, weights), bias is not None, 1, 0.0,
        torch.is_grad_enabled(), False, True,
    )
    return states, h[0]
