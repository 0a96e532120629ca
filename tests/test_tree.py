"""Nested structures: order, kinds of containers, errors."""

import collections
import doctest

import pytest

from kerasish import tree

Point = collections.namedtuple("Point", "a b")


def test_leaves_come_in_the_order_of_sorted_keys():
    assert tree.flatten({"b": None, "a": [1, (), {}]}) == [1, None]
    assert tree.flatten(None) == [None]
    assert tree.flatten(collections.OrderedDict([("b", 1), ("a", 2)])) == [1, 2]
    assert tree.flatten(collections.defaultdict(int, b=1, a=2)) == [2, 1]
    assert tree.flatten(collections.deque([Point(1, 2), 3])) == [1, 2, 3]


def test_what_is_nested():
    nested = [(), [], {}, Point(1, 2), collections.deque(), collections.OrderedDict()]
    assert all(map(tree.is_nested, nested))
    assert not any(map(tree.is_nested, [None, "ab", {1, 2}, 3, object()]))


def test_map_keeps_the_structure():
    structure = collections.OrderedDict([("b", 1), ("a", Point([2], (3,)))])
    mapped = tree.map_structure(lambda x: x + 1, structure)
    assert mapped == collections.OrderedDict([("b", 2), ("a", Point([3], (4,)))])
    assert type(mapped) is collections.OrderedDict and type(mapped["a"]) is Point


def test_map_and_none():
    assert tree.map_structure(lambda x: "none" if x is None else x, [None, 1]) == ["none", 1]
    pairs = tree.map_structure(lambda x, y: (x, y), [None, 1], [None, 2], none_is_leaf=False)
    assert pairs == [None, (1, 2)]


@pytest.mark.parametrize("other", [(1, 2), [1], [1, 2, 3], {"a": 1, "b": 2}, 5])
def test_map_wants_equal_structures(other):
    with pytest.raises(ValueError):
        tree.map_structure(lambda x, y: x, [1, 2], other)


def test_map_without_structures():
    with pytest.raises(ValueError):
        tree.map_structure(lambda: 0)
    with pytest.raises(ValueError):
        tree.map_structure_up_to([0], lambda: 0)


def test_pack_is_the_inverse_of_flatten():
    structure = {"b": [1, Point(2, (3,))], "a": None, "c": ()}
    assert tree.pack_sequence_as(structure, tree.flatten(structure)) == structure
    assert tree.pack_sequence_as(0, ["x"]) == "x"
    for wrong in ([1], [1, 2, 3]):
        with pytest.raises(ValueError):
            tree.pack_sequence_as([0, 0], wrong)


def test_paths():
    structure = {"b": [1, {"x": 3}], "a": Point(4, None)}
    assert tree.flatten_with_path(structure) == [
        (("a", 0), 4), (("a", 1), None), (("b", 0), 1), (("b", 1, "x"), 3),
    ]  # fmt: skip
    assert tree.flatten_with_path(5) == [((), 5)]
    tree.assert_same_paths([1, {"a": 2}], (3, {"a": [4][0]}))
    for other in ([1, [2]], {"a": 1, "b": 2}, [1]):
        with pytest.raises(ValueError):
            tree.assert_same_paths([1, 2], other)


def test_same_structure():
    tree.assert_same_structure([1, {"a": (None,)}], ["x", {"a": (2,)}])
    tree.assert_same_structure({"a": 1}, collections.OrderedDict(a=1))
    for a, b in (
        ([1, 2], (1, 2)), ([1, 2], [1, [2]]), ([1, [2]], [1, 2]), ({"a": 1}, {"b": 1}),
        (Point(1, 2), (1, 2)), ([1], [()]), ([1], [1, 2]),
    ):  # fmt: skip
        for flag in (None, False):
            with pytest.raises(ValueError):
                tree.assert_same_structure(a, b, check_types=flag)


def test_map_up_to():
    pairs = tree.map_structure_up_to([0, 0], lambda a, b: (a, b), [1, [2, 3]], ["x", {"y": 1}])
    assert pairs == [(1, "x"), ([2, 3], {"y": 1})]
    assert tree.map_structure_up_to(0, lambda a: a, {"a": 1}) == {"a": 1}
    for deep in ([1], (1, 2), {"a": 1, "b": 2}):
        with pytest.raises(ValueError):
            tree.map_structure_up_to([0, 0], lambda a: a, deep)


def test_traverse():
    def to_tuple(x):
        return tuple(x) if isinstance(x, list) else None

    assert tree.traverse(to_tuple, [1, [2, [3]]], top_down=True) == (1, [2, [3]])
    assert tree.traverse(to_tuple, [1, [2, [3]]], top_down=False) == (1, (2, (3,)))
    dropped = tree.traverse(lambda x: tree.MAP_TO_NONE if x == 1 else None, [1, Point(1, [2])])
    assert dropped == [None, Point(None, [2])]
    seen = []
    tree.traverse(seen.append, {"a": [1, None]})
    assert seen == [{"a": [1, None]}, [1, None], 1, None]
    seen = []
    tree.traverse(seen.append, {"a": [1, None]}, top_down=False)
    assert seen == [1, None, [1, None], {"a": [1, None]}]


def test_lists_to_tuples():
    converted = tree.lists_to_tuples([1, {"a": [2, [3]]}, (4, [5]), Point([1], 2)])
    assert converted == (1, {"a": (2, (3,))}, (4, (5,)), Point((1,), 2))


def test_shapes_are_leaves():
    def mark(shape):
        return ("shape", shape)

    assert tree.map_shape_structure(mark, [(1, 2), [3, None], {"a": (None,), "b": ()}]) == [
        ("shape", (1, 2)), ("shape", [3, None]), {"a": ("shape", (None,)), "b": ("shape", ())},
    ]  # fmt: skip
    assert tree.map_shape_structure(mark, [None, (3, 4)]) == [("shape", None), ("shape", (3, 4))]
    assert tree.map_shape_structure(mark, [1, 2]) == ("shape", [1, 2])


def test_examples():
    assert doctest.testmod(tree).failed == 0
