"""TensorFlow: its kernels where a rule has one, else rules traced leaf by leaf."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from kerasish import backends, tree
from kerasish.backends import leafwise
from kerasish.backends.leafwise import Group, scaled, set_number
from kerasish.backends.state import local

__all__ = ["apply_rule", "norms", "number", "scaled", "set_number"]


def apply_rule(group: Group, grads: Sequence[Any], hyper: Any, decay: Any = None) -> None:
    if local.here.frame is not None:  # values are lent: they must not be written to
        return leafwise.apply_rule(group, grads, hyper, decay)
    if not tf.executing_eagerly():
        return _update(group, grads, hyper, decay)
    update = group.cache.get("tensorflow")
    if update is None:
        variables = [*group.params, *(s for held in group.slots for s in held)]
        update = group.cache["tensorflow"] = backends.active.compile(
            lambda *args: _update(group, *args), variables
        )
    # Tensors: a Python number would be baked in, and each new one trace again.
    hyper, decay = tree.map_structure(
        lambda h: tf.constant(h) if type(h) is float else h, (hyper, decay)
    )
    update(grads, hyper, decay)


def _update(group: Group, grads: Sequence[Any], hyper: Any, decay: Any) -> None:
    kernel = _KERNELS.get(group.kernel)
    if kernel is None or getattr(group.settings, "amsgrad", False):  # which XLA has no kernel for
        return leafwise.apply_rule(group, grads, hyper, decay)
    hyper, decay = leafwise.in_dtype((hyper, decay), group.dtype)
    for variable, grad, held in zip(group.params, grads, group.slots, strict=True):
        param = variable.value
        grad = grad if grad.dtype == param.dtype else tf.cast(grad, param.dtype)
        if decay is not None:
            param.assign_sub(param * decay)
        kernel(group.settings, param.handle, grad, [s.value.handle for s in held], hyper)


def _sgd(o: Any, param: Any, grad: Any, slots: Any, rate: Any) -> None:
    if slots:
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=param, accum=slots[0], lr=rate, grad=grad,
            momentum=tf.constant(o.momentum, grad.dtype), use_nesterov=o.nesterov,
        )  # fmt: skip
    else:
        tf.raw_ops.ResourceApplyGradientDescent(var=param, alpha=rate, delta=grad)


def _adam(o: Any, param: Any, grad: Any, slots: Any, rate: Any) -> None:
    # The rate has the bias corrections in it: powers of 0 make the kernel's own ones 1.
    m, v = slots
    constant = functools.partial(tf.constant, dtype=grad.dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=param, m=m, v=v, beta1_power=constant(0), beta2_power=constant(0), lr=rate,
        beta1=constant(o.beta_1), beta2=constant(o.beta_2), epsilon=constant(o.epsilon), grad=grad,
    )  # fmt: skip


_KERNELS: dict[str | None, Callable[..., Any]] = {"sgd": _sgd, "adam": _adam}


def number(variable: Any) -> Any:
    """The value of a scalar variable: a Python number outside of a graph."""
    eager = local.here.frame is None and tf.executing_eagerly()
    return variable.value.numpy().item() if eager else variable.value


def norms(tensors: Sequence[Any]) -> list[Any]:
    return [tf.norm(x) for x in tensors]
