"""JAX: rules traced leaf by leaf, inside the compiled step or, outside of one, compiled here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from kerasish import backends
from kerasish.backends import leafwise, state
from kerasish.backends.leafwise import Group, number, scaled, set_number

__all__ = ["apply_rule", "norms", "number", "scaled", "set_number"]


def apply_rule(group: Group, grads: Sequence[Any], hyper: Any, decay: Any = None) -> None:
    variables = [*group.params, *(s for held in group.slots for s in held)]
    leaves = jax.tree.leaves((grads, hyper, decay))
    if state.current is not None or any(isinstance(x, jax.core.Tracer) for x in leaves):
        return leafwise.apply_rule(group, grads, hyper, decay)
    # One compiled call in place of a dozen for each leaf.
    update = group.cache.get("jax")
    if update is None:
        update = group.cache["jax"] = backends.active.compile(
            lambda *args: leafwise.apply_rule(group, *args), variables
        )
    update(grads, hyper, decay)


def norms(tensors: Sequence[Any]) -> list[Any]:
    return [jnp.sqrt(jnp.sum(jnp.square(x))) for x in tensors]
