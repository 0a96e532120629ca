"""Reading and writing entries, searching, sorting, counting."""

import numpy as np

from tests.ops.case import bools, case, ints, pos, x


def item(a, key):
    return a[key]


_ = slice(None)
for key in (
    0, -1, (1, 2), slice(1, None), slice(None, None, -1), slice(None, 0, -2), slice(5, 2),
    (_, 1), (..., 0), (0, ..., 1), None, (None, _, None, 1), (_, slice(1, 3), -1),
    (slice(None, None, -1), _, slice(3, None, -3)),
    [0, 2, 1], ([0, 2], [1, 1]), (0, [1, 2]), (_, [1, 2], 0), (0, _, [1, 2]), ([0, 1], _, [1, 2]),
    (_, [[0, 1], [2, 0]]), (slice(None, None, -1), [0, 1]), ([-1, 0], slice(None, None, -2)),
    (None, [0, 1], _, 1), (..., [0, 0, 1]), (np.int32(1), np.array(2)),
):  # fmt: skip
    case("get_item", x(3, 3, 4), key, ref=item)
case("get_item", x(3, 4), (ints(5, high=3), ints(5, high=4)), ref=item)
case("get_item", x(3, 4), (_, ints(5, high=4, dtype="uint8")), ref=item)
case("get_item", x(3, 4), np.array([True, False, True]), ref=item, symbolic=False)
case("get_item", x(3, 4), (_, np.array([True, False, True, True])), ref=item, symbolic=False)
case("get_item", x(3, 4), bools(3, 4), ref=item, symbolic=False)
case("get_item", x(2, 3, 4), (1, bools(3, 4)), ref=item, symbolic=False)
case("get_item", x(2, 3, 4), (bools(2, 3), slice(None, None, -1)), ref=item, symbolic=False)

case("take", x(3, 4), ints(2, 2, high=12), ref=np.take)
case("take", x(3, 4), ints(2, 5, low=-3, high=3), axis=0, ref=np.take)
case("take", x(2, 3, 4), ints(5, high=3), axis=1, ref=np.take)
case("take", x(2, 3, 4), ints(2, 2, high=4), axis=-1, ref=np.take)
case("take", x(3, 4), 1, axis=0, ref=np.take)
case("take", x(200, 80), ints(7, 9, high=5), axis=0, ref=np.take)  # wide rows, often repeated
case("take", ints(5), [-1, 2], ref=np.take)
case("take_along_axis", x(3, 4), ints(3, 2, low=-4, high=4), axis=1, ref=np.take_along_axis)
case("take_along_axis", x(3, 4), ints(3, 1, high=4), axis=1, ref=np.take_along_axis)
case("take_along_axis", x(3, 4), ints(2, 1, high=3), axis=0, ref=np.take_along_axis)
case("take_along_axis", x(3, 4), ints(6, high=12), ref=lambda a, i: np.take(a, i))
case("take_along_axis", x(2, 1, 4), ints(2, 3, 5, high=4), axis=-1, ref=np.take_along_axis)
case("nonzero", ints(3, 4, high=2), ref=np.nonzero, symbolic=False)
case("nonzero", bools(7), ref=np.nonzero, symbolic=False)

case("slice", x(4, 5), (1, 2), (2, 3), ref=lambda a, s, n: a[1:3, 2:5])
case("slice", x(4, 5), (-2, 4), (2, 3), ref=lambda a, s, n: a[2:4, 2:5])
case("slice", x(4, 5), [1, -2], [-1, -1], ref=lambda a, s, n: a[1:, -2:])
case("slice", x(5), [-9], (2,), ref=lambda a, s, n: a[:2])
case("slice", x(4), ints(1, high=3), (2,), ref=lambda a, s, n: a[s[0] : s[0] + 2])


def updated(a, start, block):
    out = a.copy()
    out[tuple(slice(s, s + n) for s, n in zip(start, block.shape, strict=True))] = block
    return out


case("slice_update", x(4, 5), (1, 2), x(2, 3), ref=updated)
case("slice_update", x(4), ints(1, high=3), x(2), ref=updated)
case("slice_update", x(4), [3], x(2), ref=lambda a, s, u: np.append(a[:2], u))
case("slice_update", x(4), [-3], x(2), ref=lambda a, s, u: np.array([a[0], *u, a[3]]))
case("slice_update", ints(4), [0], ints(2), ref=updated)


def scattered(a, indices, updates, reduction=None):
    out = a.copy()
    for index, update in zip(indices, updates, strict=True):
        at = tuple(index)
        out[at] = {
            None: lambda old, new: new, "add": np.add, "mul": np.multiply, "max": np.maximum,
            "min": np.minimum,
        }[reduction](out[at], update)  # fmt: skip
    return out


unique_rows = np.array([[3], [0], [-2]], "int32")
entries = np.array([[0, 1], [2, 0], [1, 1]], "int32")
twice = np.array([[2], [0], [2]], "int32")
for reduction in (None, "add", "mul", "max", "min"):
    for indices, updates in ((unique_rows, x(3, 2)), (entries, x(3))):
        case("scatter_update", x(4, 2), indices, updates, reduction=reduction, ref=scattered)
    if reduction:
        case("scatter_update", x(4, 2), twice, x(3, 2), reduction=reduction, ref=scattered)
    case("scatter_update", ints(4, 2), entries, ints(3), reduction=reduction, ref=scattered)
case("scatter", twice, x(3, 2), (4, 2), ref=lambda i, v, shape: scattered(
    np.zeros(shape), i, v, "add"))  # fmt: skip
case("scatter", entries, ints(3), (3, 2), ref=lambda i, v, shape: scattered(
    np.zeros(shape), i, v, "add"))  # fmt: skip

ties = np.array([[3, 1, 3, 1], [2, 2, 0, 2]], "int32")
for axis in (-1, 0, None):
    case("sort", x(3, 4), axis=axis, ref=np.sort)
    case("argsort", ties, axis=axis, ref=lambda a, axis: np.argsort(a, axis, kind="stable"))
case("argsort", x(3, 4), ref=np.argsort, grad=False)
case("sort", bools(6), ref=np.sort)
case("sort", ints(6, dtype="uint8"), ref=np.sort)
case("argpartition", x(9), 4, grad=False, symbolic=False, ref=lambda a, k: (True, True),
     through=lambda f, a, k: ((np.asarray(a)[np.asarray(f(a, k))[:k]] <= np.sort(a)[k]).all(),
                              a[int(f(a, k)[k])] == np.sort(a)[k]))  # fmt: skip
case("argpartition", ints(3, 5), 2, axis=0, ref=lambda a, k, axis: np.argsort(a, 0, kind="stable"))
edges = np.array([0.5, 1.0, 1.0, 2.5], "float32")
some = np.array([[0.0, 1.0], [3.0, 2.5]], "float32")
for side in ("left", "right"):
    case("searchsorted", edges, some, side=side, ref=np.searchsorted, grad=False)
    case("searchsorted", np.arange(5, dtype="int32"), ints(3), side=side, ref=np.searchsorted)
case("searchsorted", [1, 2, 3], 2.5, ref=np.searchsorted)
case("digitize", some, edges, ref=np.digitize, grad=False)
case("isin", ints(3, 4), ints(3), ref=np.isin)
case("isin", ints(3, 4), [1.0, 2.5], invert=True, ref=np.isin)
case("isin", ints(4), np.zeros(0, "int32"), ref=np.isin, symbolic=False)
case("isin", bools(5), [True], ref=np.isin)

case("bincount", ints(9), ref=np.bincount, symbolic=False)
case("bincount", ints(9), minlength=8, ref=np.bincount, symbolic=False)
case("bincount", ints(9), pos(9), ref=np.bincount, symbolic=False)
rows = np.array([[1, 2, 2], [0, 0, 4]], "int32")
case("bincount", rows, minlength=3, symbolic=False,
     ref=lambda a, minlength: np.stack([np.bincount(r, minlength=5) for r in a]))
for args in ((4,), (3, (-1.0, 1.5)), ([-2.0, 0.0, 0.5, 2.0],)):
    case("histogram", x(30), *args, ref=np.histogram, grad=False)
case("histogram", ints(9), 5, ref=np.histogram)
case("histogram", np.full(4, 2.0, "float32"), 2, ref=np.histogram, grad=False)
case("unravel_index", ints(2, 3, high=24), (2, 3, 4), ref=np.unravel_index)


def unique(a, axis=None, **wanted):
    return np.unique(a, axis=axis, **wanted)


full = {"return_index": True, "return_inverse": True, "return_counts": True}
case("unique", ints(3, 4), ref=unique, symbolic=False)
case("unique", ints(3, 4), **full, ref=unique, symbolic=False)
case("unique", ints(7, 2, high=2), axis=0, **full, ref=unique, symbolic=False)
case("unique", ints(2, 2, 6, high=2), axis=-1, return_counts=True, ref=unique, symbolic=False)
case("unique", np.array([2.5, 1.0, 2.5], "float32"), return_inverse=True, ref=unique, grad=False,
     symbolic=False)
case("unique", [3, 1, 3, 2], size=5, fill_value=9, **full,
     ref=tuple(map(np.array, ([1, 2, 3, 9, 9], [1, 3, 0, 1, 1], [2, 0, 2, 1], [1, 1, 2, 0, 0]))))
case("unique", np.zeros(0, "int32"), size=2, fill_value=7, **full, symbolic=False,
     ref=[np.array([7, 7]), np.array([0, 0]), np.zeros(0), np.array([0, 0])])
case("unique", np.array([3, 1, 3, 2]), size=2, **full, 
     ref=tuple(map(np.array, ([1, 2], [1, 3], [2, 0, 2, 1], [1, 1]))))
