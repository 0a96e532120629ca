"""JAX: rules traced leaf by leaf, inside the compiled step or, outside of one, compiled here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from kerasish import backends
from kerasish.backends import leafwise
from kerasish.backends.leafwise import Group, scaled, set_number
from kerasish.backends.state import local

__all__ = ["apply_rule", "norms", "number", "scaled", "set_number"]


def apply_rule(group: Group, grads: Sequence[Any], hyper: Any, decay: Any = None) -> None:
    if local.here.frame is not None or any(isinstance(g, jax.core.Tracer) for g in grads):
        return leafwise.apply_rule(group, grads, hyper, decay)
    # One compiled call in place of a dozen for each leaf.
    update = group.cache.get("jax")
    if update is None:
        variables = [*group.params, *(s for held in group.slots for s in held)]
        update = group.cache["jax"] = backends.active.compile(
            lambda *args: leafwise.apply_rule(group, *args), variables
        )
    update(grads, hyper, decay)


def number(variable: Any) -> Any:
    """The value of a scalar variable: a Python number outside of a compiled step."""
    value = variable.value
    if local.here.frame is not None or isinstance(value, jax.core.Tracer):
        return value
    return value.item()


def norms(tensors: Sequence[Any]) -> list[Any]:
    return [jnp.sqrt(jnp.sum(jnp.square(x))) for x in tensors]
