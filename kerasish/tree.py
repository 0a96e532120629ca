"""Nested structures of lists, tuples, dicts and named tuples, on top of optree.

Dicts are walked in the order of their sorted keys, as in Keras; `None` is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optree

_NAMESPACE = "kerasish"


class MAP_TO_NONE:
    """What the function given to `traverse` returns to put `None` in the place of something.

    >>> import kerasish as keras
    >>> keras.tree.traverse(lambda x: keras.tree.MAP_TO_NONE if x == 2 else None, [1, 2, [2]])
    [1, None, [None]]
    """


def is_nested(structure: Any) -> bool:
    """Whether this is a container of the kinds that are walked into.

    Args:
        structure: anything.

    >>> import kerasish as keras
    >>> keras.tree.is_nested([1, 2]), keras.tree.is_nested(3)
    (True, False)
    """
    return not optree.tree_is_leaf(structure, none_is_leaf=True, namespace=_NAMESPACE)


def flatten(structure: Any) -> list[Any]:
    """The leaves in order.

    Args:
        structure: a structure; dicts are walked in the order of their keys.

    >>> import kerasish as keras
    >>> keras.tree.flatten({"b": 2, "a": [1, (3,)]})
    [1, 3, 2]
    """
    return optree.tree_leaves(structure, none_is_leaf=True, namespace=_NAMESPACE)


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """The same structure with `func` applied to its leaves (to corresponding ones of several).

    Args:
        func: a function of as many leaves as there are structures.
        *structures: structures that differ in nothing but their leaves.
        none_is_leaf: whether `None` is given to `func`; otherwise it stays as it is.

    >>> import kerasish as keras
    >>> keras.tree.map_structure(lambda a, b: a + b, [1, 2], [10, 20])
    [11, 22]
    """
    if not structures:
        raise ValueError("map_structure needs at least one structure.")
    return optree.tree_map(func, *structures, none_is_leaf=none_is_leaf, namespace=_NAMESPACE)


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """The structure with its leaves replaced by those of a flat sequence.

    Args:
        structure: a structure.
        flat_sequence: as many values as it has leaves, in the order of `flatten`.

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


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves in order, each with its path: the keys and indices that lead to it.

    Args:
        structure: a structure, as in `flatten`.

    >>> import kerasish as keras
    >>> keras.tree.flatten_with_path({"b": [1, 2], "a": 3})
    [(('a',), 3), (('b', 0), 1), (('b', 1), 2)]
    """
    paths, leaves, _ = optree.tree_flatten_with_path(
        structure, none_is_leaf=True, namespace=_NAMESPACE
    )
    return list(zip(paths, leaves, strict=True))


def map_structure_up_to(
    shallow_structure: Any, func: Callable[..., Any], *structures: Any
) -> Any:
    """The shallow structure with `func` applied to what the others have where it has leaves.

    Args:
        shallow_structure: the structure whose form the result has.
        func: a function of as many arguments as there are `structures`.
        *structures: each is at least as deep as the shallow one.

    >>> import kerasish as keras
    >>> keras.tree.map_structure_up_to([0, 0], len, [(1, 2), {"a": 3}])
    [2, 1]
    """
    if not structures:
        raise ValueError("map_structure_up_to needs a structure besides the shallow one.")
    spec = _spec(shallow_structure)
    parts = zip(*(spec.flatten_up_to(s) for s in structures), strict=True)
    return optree.tree_unflatten(spec, [func(*p) for p in parts])


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Raises a `ValueError` unless both differ in nothing but their leaves.

    Args:
        a, b: structures.
        check_types: kept for compatibility: the types of containers always count.

    >>> import kerasish as keras
    >>> keras.tree.assert_same_structure([1, (2, 3)], ["a", ("b", "c")])
    """
    # `a` reaches as deep as `b` does, and no leaf of it lies over a container of `b`.
    for leaf in _spec(a).flatten_up_to(b):
        if is_nested(leaf):
            raise ValueError(f"The structures differ: {leaf!r} stands where the other has a leaf.")


def assert_same_paths(a: Any, b: Any) -> None:
    """Raises a `ValueError` unless the same paths lead to the leaves of both.

    Args:
        a, b: structures.

    >>> import kerasish as keras
    >>> keras.tree.assert_same_paths([1, 2], (3, 4))
    """
    paths_a, paths_b = ({path for path, _ in flatten_with_path(s)} for s in (a, b))
    if paths_a != paths_b:
        raise ValueError(
            f"The structures have different paths. Only in the first: {paths_a - paths_b}, only "
            f"in the second: {paths_b - paths_a}."
        )


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """The structure with containers and leaves replaced by what `func` gives for them.

    Args:
        func: is called with the structure itself, its containers and leaves. `None` leaves a
            thing as it is; `MAP_TO_NONE` replaces it by `None`.
        structure: a structure.
        top_down: a container comes before what is in it, and what replaces it is not walked
            into. Otherwise it comes after, with its parts already replaced.

    >>> import kerasish as keras
    >>> keras.tree.traverse(lambda x: tuple(x) if isinstance(x, list) else None, [1, [2]])
    (1, [2])
    """

    def replaced(x: Any, result: Any) -> Any:
        return x if result is None else None if result is MAP_TO_NONE else result

    def walk(x: Any) -> Any:
        if top_down and (result := func(x)) is not None:
            return replaced(x, result)
        if is_nested(x):
            parts, spec = optree.tree_flatten(
                x, is_leaf=lambda part: part is not x, none_is_leaf=True, namespace=_NAMESPACE
            )
            x = optree.tree_unflatten(spec, [walk(part) for part in parts])
        return x if top_down else replaced(x, func(x))

    return walk(structure)


def lists_to_tuples(structure: Any) -> Any:
    """The structure with its lists made tuples.

    Args:
        structure: a structure.

    >>> import kerasish as keras
    >>> keras.tree.lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with `func` applied to its shapes: lists and tuples of ints and `None`.

    Args:
        func: a function of a shape.
        structure: a structure whose leaves are shapes.

    >>> import kerasish as keras
    >>> keras.tree.map_shape_structure(len, {"a": (None, 3), "b": [(2,)]})
    {'a': 2, 'b': [1]}
    """

    def is_shape(x: Any) -> bool:
        return isinstance(x, list | tuple) and all(d is None or isinstance(d, int) for d in x)

    return optree.tree_map(
        func, structure, is_leaf=is_shape, none_is_leaf=True, namespace=_NAMESPACE
    )


def _spec(structure: Any) -> optree.PyTreeSpec:
    return optree.tree_structure(structure, none_is_leaf=True, namespace=_NAMESPACE)
