"""PyTorch: the fused kernels where a rule has one, in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from kerasish import backends
from kerasish.backends import leafwise, state
from kerasish.backends.leafwise import Group

_DEVICES = ("cpu", "cuda")


def _values(variables: Sequence[Any]) -> list[torch.Tensor]:
    active = backends.active
    return [v._value if v._home is active else active.adopt(v) for v in variables]


def _beside(params: list[torch.Tensor], variables: Sequence[Any]) -> list[torch.Tensor]:
    """The values of slots, lying in memory as their parameters do: kernels of recurrences and a
    user's own torch modules lie in another order than new variables of their shape."""
    values = _values(variables)
    for i, (p, value) in enumerate(zip(params, values, strict=True)):
        if value.stride() != p.stride() and p.ndim > 1:
            values[i] = variables[i]._value = torch.empty_like(p, dtype=value.dtype).copy_(value)
    return values


def apply_rule(group: Group, grads: Sequence[Any], hyper: Any, decay: Any = None) -> None:
    if state.current is not None:  # values are lent: they must not be written to
        return leafwise.apply_rule(group, grads, hyper, decay)
    with torch.no_grad():
        kernel = _KERNELS.get(group.kernel)
        if kernel is None:
            return leafwise.apply_rule(group, grads, hyper, decay)
        params = _values(group.params)
        if params[0].device.type not in _DEVICES:
            return leafwise.apply_rule(group, grads, hyper, decay)
        # The kernels walk memory in order: slots and gradients must lie as their parameters do.
        slots = [_beside(params, held) for held in zip(*group.slots, strict=True)]
        grads = [
            g if g.dtype is p.dtype and (
                g.is_contiguous() and p.is_contiguous() or g.stride() == p.stride()
            )
            else torch.empty_like(p).copy_(g)
            for p, g in zip(params, grads, strict=True)
        ]
        kernel(group.settings, params, grads, slots, hyper, decay)


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


_KERNELS = {"adam": _adam, "sgd": _sgd, "adagrad": _adagrad}


def number(variable: Any) -> Any:
    """A scalar as a Python number; the device is asked only where another than us wrote it."""
    if state.current is not None:
        return variable.value
    (held,) = _values((variable,))
    known = getattr(held, "_kerasish_number", None)
    if known is None or known[0] != held._version:
        known = held._kerasish_number = (held._version, held.item())
    return known[1]


def set_number(variable: Any, value: Any) -> None:
    if state.current is not None:
        variable._write(value)
        return
    (held,) = _values((variable,))
    held.fill_(value)
    if type(value) is float:
        value = float(np.float32(value))
    held._kerasish_number = (held._version, value)


def norms(tensors: Sequence[Any]) -> list[Any]:
    return list(torch._foreach_norm(tensors))


def scaled(tensors: Sequence[Any], factors: Any) -> list[Any]:
    if isinstance(factors, list) and torch.is_tensor(factors[0]):
        return list(torch._foreach_mul(tensors, factors))
    return list(torch._foreach_mul(tensors, factors))
