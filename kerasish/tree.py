"""Nested structures of lists, tuples, dicts and named tuples, on top of optree.

Dicts are walked in the order of their sorted keys, as in Keras; `None` is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optree

_NAMESPACE = "kerasish"
_CONTAINERS = (list, tuple, dict)


def is_nested(structure: Any) -> bool:
    """Whether this is a container of the kinds that are walked into.

    >>> import kerasish as keras
    >>> keras.tree.is_nested([1, 2]), keras.tree.is_nested(3)
    (True, False)
    """
    return not optree.tree_is_leaf(structure, none_is_leaf=True, namespace=_NAMESPACE)


def flatten(structure: Any) -> list[Any]:
    """The leaves in order.

    >>> import kerasish as keras
    >>> keras.tree.flatten({"b": 2, "a": [1, (3,)]})
    [1, 3, 2]
    """
    return optree.tree_leaves(structure, none_is_leaf=True, namespace=_NAMESPACE)


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """The same structure with `func` applied to its leaves (to corresponding ones of several).

    >>> import kerasish as keras
    >>> keras.tree.map_structure(lambda a, b: a + b, [1, 2], [10, 20])
    [11, 22]
    """
    if not structures:
        raise ValueError("map_structure needs at least one structure.")
    if none_is_leaf:
        return optree.tree_map(func, *structures, none_is_leaf=True, namespace=_NAMESPACE)

    def skip_none(*leaves: Any) -> Any:
        return None if all(leaf is None for leaf in leaves) else func(*leaves)

    return optree.tree_map(skip_none, *structures, none_is_leaf=True, namespace=_NAMESPACE)


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """The structure with its leaves replaced by those of a flat sequence.

    >>> import kerasish as keras
    >>> keras.tree.pack_sequence_as({"a": 0, "b": [0, 0]}, [1, 2, 3])
    {'a': 1, 'b': [2, 3]}
    """
    leaves, spec = optree.tree_flatten(structure, none_is_leaf=True, namespace=_NAMESPACE)
    flat_sequence = list(flat_sequence)
    if len(flat_sequence) != len(leaves):
        raise ValueError(
            f"The structure has {len(leaves)} leaves, the sequence {len(flat_sequence)}: "
            f"{structure!r} against {flat_sequence!r}."
        )
    return optree.tree_unflatten(spec, flat_sequence)
