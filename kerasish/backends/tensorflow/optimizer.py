"""TensorFlow: rules traced leaf by leaf, inside the compiled step or, outside of one, here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kerasish import backends
from kerasish.backends import leafwise, state
from kerasish.backends.leafwise import Group, number, scaled, set_number

__all__ = ["apply_rule", "norms", "number", "scaled", "set_number"]


def apply_rule(group: Group, grads: Sequence[Any], hyper: Any, decay: Any = None) -> None:
    grads = [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in grads]
    if state.current is not None or not tf.executing_eagerly():
        return leafwise.apply_rule(group, grads, hyper, decay)
    update = group.cache.get("tensorflow")
    if update is None:
        variables = [*group.params, *(s for held in group.slots for s in held)]
        update = group.cache["tensorflow"] = backends.active.compile(
            lambda *args: leafwise.apply_rule(group, *args), variables
        )
    update(grads, hyper, decay)


def norms(tensors: Sequence[Any]) -> list[Any]:
    return [tf.norm(x) for x in tensors]
