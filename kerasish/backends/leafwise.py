"""Updates of many variables by one rule, for engines that trace or fuse on their own.

An adapter's `optimizer` module offers `apply_rule`, `number`, `set_number`, `norms` and `scaled`.
These are the plain forms, right for any engine; an adapter replaces what it does faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kerasish import backends, tree


def state_dtype(dtype: str) -> str:
    """The dtype of what is kept about a variable: half precision would lose small changes."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


class Group:
    """Variables of one dtype that one rule updates.

    Attributes:
        dtype: what the rule computes in, and what the slots are.
        rule: `rule(param, grad, slots, hyper) -> (new_param, new_slots)` over one leaf.
        params: the variables that it updates.
        slots: for each of them, the tuple of variables that hold its state.
        elementwise: whether the rule may be run on any piece of a leaf.
        kernel: the name of a native kernel that does the same, with its settings in `settings`.
        cache: where an adapter keeps what it prepared.
    """

    __slots__ = ("cache", "dtype", "elementwise", "kernel", "params", "rule", "settings", "slots")

    def __init__(
        self,
        rule: Callable[..., Any],
        params: Sequence[Any],
        slots: Sequence[Sequence[Any]] | None = None,
        elementwise: bool = True,
        kernel: str | None = None,
        settings: Any = None,
    ):
        self.rule = rule
        self.params = list(params)
        self.slots = [()] * len(self.params) if slots is None else list(slots)
        own = self.params[0].dtype
        self.dtype = state_dtype(own)
        self.elementwise = elementwise and own == self.dtype
        self.kernel = kernel if own == self.dtype else None
        self.settings = settings
        self.cache: dict[str, Any] = {}


def in_dtype(hyper: Any, dtype: str) -> Any:
    """The tensors among the hyper-parameters in a leaf's dtype; Python numbers are weak anyway."""
    active = backends.active
    return tree.map_structure(
        lambda h: active.cast(h, dtype) if hasattr(h, "dtype") else h, hyper
    )


def apply_rule(group: Group, grads: Sequence[Any], hyper: Any, decay: Any = None) -> None:
    """Updates each leaf by the group's rule, after shrinking it by the fraction `decay`."""
    cast, dtype = backends.active.cast, group.dtype
    hyper, decay = in_dtype((hyper, decay), dtype)
    for variable, grad, held in zip(group.params, grads, group.slots, strict=True):
        param = cast(variable.value, dtype)
        if decay is not None:
            param = param - param * decay
        param, slots = group.rule(param, cast(grad, dtype), [s.value for s in held], hyper)
        variable._write(cast(param, variable.dtype))
        for slot, value in zip(held, slots, strict=True):
            slot._write(value)


def number(variable: Any) -> Any:
    """The value of a scalar variable: a Python number where Python runs as it comes."""
    return variable.value


def set_number(variable: Any, value: Any) -> None:
    """Writes what was computed from a `number`."""
    variable._write(backends.active.convert(value, variable.dtype))


def scaled(tensors: Sequence[Any], factors: Sequence[Any] | Any) -> list[Any]:
    """Each tensor times its factor, or times a common one."""
    if not isinstance(factors, list):
        factors = [factors] * len(tensors)
    active = backends.active
    return [
        x * (active.cast(f, active.dtype_of(x)) if hasattr(f, "dtype") else f)
        for x, f in zip(tensors, factors, strict=True)
    ]
