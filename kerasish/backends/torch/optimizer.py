"""PyTorch: the fused kernels where a rule has one, in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from kerasish import backends
from kerasish.backends import leafwise
from kerasish.backends.leafwise import Group
from kerasish.backends.state import local
from kerasish.backends.torch.engine import set_grad_enabled, values

_DEVICES = ("cpu", "cuda")


def apply_rule(group: Group, grads: Sequence[Any], hyper: Any, decay: Any = None) -> None:
    if local.here.frame is not None:  # values are lent: they must not be written to
        return leafwise.apply_rule(group, grads, hyper, decay)
    before = torch.is_grad_enabled()
    set_grad_enabled(False)
    try:
        kernel = _KERNELS.get(group.kernel)
        params = values(group.params)
        if kernel is None or params[0].device.type not in _DEVICES:
            return leafwise.apply_rule(group, grads, hyper, decay)
        slots = [values(held) for held in zip(*group.slots, strict=True)]
        # The kernels walk memory in order: slots and gradients must lie as their parameters do.
        # Kernels of recurrences and a user's own torch modules lie in an order of their own.
        layout = [p.stride() for p in params]
        for i, held in enumerate(slots):
            if [s.stride() for s in held] != layout:
                for own, p, s in zip(group.slots, params, held, strict=True):
                    own[i]._value = _beside(p, s, s.dtype)
                slots[i] = values([own[i] for own in group.slots])
        layout = [(p.dtype, p.stride()) for p in params]
        if [(g.dtype, g.stride()) for g in grads] != layout:
            grads = [
                g if (g.dtype, g.stride()) == at else _beside(p, g, p.dtype)
                for p, g, at in zip(params, grads, layout, strict=True)
            ]
        kernel(group.settings, params, grads, slots, hyper, decay)
    finally:
        set_grad_enabled(before)


def _beside(p: torch.Tensor, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`x` of a dtype, lying in memory as `p` does; what an axis of size 1 steps by is no matter."""
    if x.dtype is dtype and all(
        a == b for a, b, n in zip(p.stride(), x.stride(), p.shape, strict=True) if n > 1
    ):
        return x
    return torch.empty_like(p, dtype=dtype).copy_(x)


def _adam(o: Any, params: Any, grads: Any, slots: Any, rate: float, decay: Any) -> None:
    # The rate has the bias corrections in it already. The kernel is told that infinitely many
    # steps were made, where its own corrections are 1: so its epsilon means what ours does.
    momentum, velocity, *peaks = slots
    step = _endless(params[0].device)
    fused = torch._fused_adam_ if decay is None else torch._fused_adamw_
    fused(
        params, grads, momentum, velocity, peaks[0] if peaks else [], [step] * len(params),
        lr=rate, beta1=o.beta_1, beta2=o.beta_2, weight_decay=decay / rate if decay else 0.0,
        eps=o.epsilon, amsgrad=o.amsgrad, maximize=False,
    )  # fmt: skip


_steps: dict[torch.device, torch.Tensor] = {}


def _endless(device: torch.device) -> torch.Tensor:
    step = _steps.get(device)
    if step is None:
        step = _steps[device] = torch.full((), torch.inf, device=device)
    return step


def _sgd(o: Any, params: Any, grads: Any, slots: Any, rate: float, decay: Any) -> None:
    if decay is not None:
        torch._foreach_mul_(params, 1 - decay)
    if not slots:
        torch._foreach_add_(params, grads, alpha=-rate)
        return
    (momentum,) = slots
    if o.nesterov or not o.momentum:
        torch._foreach_mul_(momentum, o.momentum)
        torch._foreach_add_(momentum, grads, alpha=-rate)
        torch._foreach_add_(params, momentum, alpha=o.momentum)
        torch._foreach_add_(params, grads, alpha=-rate)
        return
    # Our momentum is in units of the weights: "dampening" that leaves -rate of the gradient, and
    # a step of the whole momentum.
    torch._fused_sgd_(
        params, grads, momentum, weight_decay=0.0, momentum=o.momentum, lr=-1.0,
        dampening=1 + rate, nesterov=False, maximize=False, is_first_step=False,
    )  # fmt: skip


def _adagrad(o: Any, params: Any, grads: Any, slots: Any, rate: float, decay: Any) -> None:
    # torch's own fused kernel adds epsilon outside the root.
    if decay is not None:
        torch._foreach_mul_(params, 1 - decay)
    (total,) = slots
    torch._foreach_addcmul_(total, grads, grads)
    divisor = torch._foreach_add(total, o.epsilon)
    torch._foreach_sqrt_(divisor)
    torch._foreach_addcdiv_(params, grads, divisor, value=-rate)


_KERNELS: dict[str | None, Callable[..., Any]] = {"adam": _adam, "sgd": _sgd, "adagrad": _adagrad}


def number(variable: Any) -> Any:
    """A scalar as a Python number; the device is asked only where another than us wrote it."""
    if local.here.frame is not None:
        return variable.value
    active = backends.active
    held = variable._value if variable._home is active else active.adopt(variable)
    known = getattr(held, "_kerasish_number", None)
    if known is None or known[0] != held._version:
        known = held._kerasish_number = (held._version, held.item())
    return known[1]


def set_number(variable: Any, value: Any) -> None:
    if local.here.frame is not None:
        variable._write(value)
        return
    active = backends.active
    held = variable._value if variable._home is active else active.adopt(variable)
    held.fill_(value)
    if type(value) is float:
        value = float(np.float32(value))
    held._kerasish_number = (held._version, value)


def norms(tensors: Sequence[Any]) -> list[Any]:
    return list(torch._foreach_norm(tensors))


def scaled(tensors: Sequence[Any], factors: Any) -> list[Any]:
    return list(torch._foreach_mul(tensors, factors))
