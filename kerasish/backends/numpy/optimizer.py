"""NumPy: rules run in place over pieces that stay in the cache."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerasish.backends import leafwise
from kerasish.backends.leafwise import Group, scaled
from kerasish.backends.state import local

__all__ = ["apply_rule", "norms", "number", "scaled", "set_number"]

BLOCK = 1 << 16
"""How many elements are updated at a time."""
SMALL = 1 << 12
"""Leaves up to this size are laid side by side and updated together."""


def apply_rule(group: Group, grads: Sequence[Any], hyper: Any, decay: Any = None) -> None:
    lent = local.here.frame is not None  # such values are not written to
    if lent or not group.elementwise:
        return leafwise.apply_rule(group, grads, hyper, decay)
    layout = group.cache.get("numpy")
    if layout is None or not layout.holds():
        layout = group.cache["numpy"] = _Layout(group)
    if layout.small:
        np.concatenate([grads[i].reshape(-1) for i in layout.small], out=layout.grad)
        layout.update(layout.flat, layout.grad, hyper, decay)
    for i, arrays in layout.large:
        layout.update(arrays, grads[i].reshape(-1), hyper, decay)


class _Layout:
    """Flat views of the leaves; the small ones lie side by side in common arrays."""

    def __init__(self, group: Group):
        self.kernel = _KERNELS.get(group.kernel, _rule)
        self.settings = group.settings if group.kernel in _KERNELS else group.rule
        leaves = [(p, *held) for p, held in zip(group.params, group.slots, strict=True)]
        self.variables = [v for leaf in leaves for v in leaf]
        for v in self.variables:
            v.value  # noqa: B018 (moves it here)
        sizes = [leaf[0]._value.size for leaf in leaves]
        self.small = [i for i, n in enumerate(sizes) if n <= SMALL]
        if len(self.small) < 2:
            self.small = []
        if self.small:
            total = sum(sizes[i] for i in self.small)
            columns = list(zip(*(leaves[i] for i in self.small), strict=True))
            self.flat = [np.empty(total, v[0]._value.dtype) for v in columns]
            self.grad = np.empty(total, self.flat[0].dtype)
            for flat, column in zip(self.flat, columns, strict=True):
                start = 0
                for v in column:
                    view = flat[start : start + v._value.size].reshape(v._value.shape)
                    start += v._value.size
                    view[...] = v._value
                    v._value = view
        self.large = [
            (i, [v._value.reshape(-1) for v in leaf])
            for i, leaf in enumerate(leaves) if i not in set(self.small)
        ]  # fmt: skip
        self.values = [v._value for v in self.variables]
        self.scratch = np.empty(min(max(sum(sizes), 1), BLOCK), self.values[0].dtype)

    def holds(self) -> bool:
        """Whether the variables still have the arrays that were laid out."""
        return all(map(operator.is_, self.values, [v._value for v in self.variables]))

    def update(self, arrays: list[np.ndarray], grad: np.ndarray, hyper: Any, decay: Any) -> None:
        """Updates a parameter and its slots, all flat, in place."""
        size = grad.size
        for start in range(0, size, BLOCK):
            if size > BLOCK:
                piece = slice(start, start + BLOCK)
                param, *slots = [a[piece] for a in arrays]
                g = grad[piece]
            else:
                (param, *slots), g = arrays, grad
            if decay is not None:
                param *= 1 - decay
            self.kernel(self.settings, param, g, slots, hyper, self.scratch[: g.size])


def _rule(rule: Any, param: Any, grad: Any, slots: Any, hyper: Any, scratch: Any) -> None:
    new, new_slots = rule(param, grad, slots, hyper)
    param[...] = new
    for slot, value in zip(slots, new_slots, strict=True):
        slot[...] = value


def _sgd(o: Any, param: Any, grad: Any, slots: Any, rate: float, scratch: Any) -> None:
    np.multiply(grad, rate, out=scratch)
    if slots:
        (m,) = slots
        m *= o.momentum
        m -= scratch
        if not o.nesterov:
            param += m
            return
        param -= scratch
        np.multiply(m, -o.momentum, out=scratch)
    param -= scratch


def _adam(o: Any, param: Any, grad: Any, slots: Any, rate: float, scratch: Any) -> None:
    m, v, *peaks = slots
    m *= o.beta_1
    np.multiply(grad, 1 - o.beta_1, out=scratch)
    m += scratch
    v *= o.beta_2
    np.multiply(grad, grad, out=scratch)
    scratch *= 1 - o.beta_2
    v += scratch
    for peak in peaks:
        v = np.maximum(peak, v, out=peak)
    np.sqrt(v, out=scratch)
    scratch += o.epsilon
    np.divide(m, scratch, out=scratch)
    scratch *= rate
    param -= scratch


_KERNELS: dict[str | None, Callable[..., Any]] = {"sgd": _sgd, "adam": _adam}


def number(variable: Any) -> Any:
    """A scalar as a Python number."""
    return variable.value.item() if local.here.frame is None else variable.value


def set_number(variable: Any, value: Any) -> None:
    if local.here.frame is None:
        variable.value[...] = value
    else:
        variable._write(value)


def norms(tensors: Sequence[Any]) -> list[Any]:
    return [np.sqrt(np.sum(x * x)) for x in tensors]
