"""TensorFlow: rules traced leaf by leaf, inside the compiled step or, outside of one, here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kerasish import backends, tree
from kerasish.backends import leafwise, state
from kerasish.backends.leafwise import Group, scaled, set_number

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
    # Tensors: a Python number would be baked in, and each new one trace again.
    hyper, decay = tree.map_structure(
        lambda h: tf.constant(h) if type(h) is float else h, (hyper, decay)
    )
    update(grads, hyper, decay)


def number(variable: Any) -> Any:
    """The value of a scalar variable: a Python number outside of a graph."""
    eager = state.current is None and tf.executing_eagerly()
    return variable.value.numpy().item() if eager else variable.value


def norms(tensors: Sequence[Any]) -> list[Any]:
    return [tf.norm(x) for x in tensors]
