"""Axes, target shapes and index keys in one normal form, for the adapters."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish.errors import InvalidArgument, KindError, ShapeError


def axis_of(axis: Any, ndim: int) -> int:
    """The axis counted from the front."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ShapeError(
            f"Axis {axis} is out of range for an array of {ndim} dimensions: expected "
            f"{-ndim} to {ndim - 1}."
        )
    return axis + ndim if axis < 0 else axis


def axes_of(axis: Any, ndim: int) -> list[int]:
    """One axis, several or (`None`) all of them, counted from the front, without repeats."""
    if axis is None:
        return list(range(ndim))
    axes = axis if isinstance(axis, list | tuple) else [axis]
    axes = [axis_of(a, ndim) for a in axes]
    if len(set(axes)) != len(axes):
        raise InvalidArgument(f"An axis is named twice in {axis}.")
    return axes


def axes_over(axis: Any, ndim: int) -> Any:
    """The axes of a softmax: a scalar counts as a vector."""
    if ndim or not isinstance(axis, int):
        return axis
    axis_of(axis, 1)
    return None


def sizes_of(shape: Any) -> Any:
    """A shape; one number is the size of one axis."""
    return (shape,) if isinstance(shape, int) else shape


def target(newshape: Any, shape: Sequence[Any]) -> Any:
    """The shape to reshape `shape` to. `None` means -1, or, next to a -1, the size found there."""
    if not isinstance(newshape, list | tuple):
        return (newshape,) if np.ndim(newshape) == 0 else tuple(newshape)
    for d in newshape:
        if d is None:
            break
    else:
        return newshape
    keep = len(newshape) - sum(d is not None and not _is_minus_one(d) for d in newshape) > 1
    return [
        d if d is not None else shape[i] if keep else -1 for i, d in enumerate(newshape)
    ]


def _is_minus_one(d: Any) -> bool:
    return isinstance(d, int | np.integer) and d == -1


def resolve(newshape: Sequence[Any], size: Any) -> tuple[Any, ...]:
    """The shape with its -1 computed from the number of elements (any, where that is unknown)."""
    known = math.prod([1, *(d for d in newshape if d != -1)])
    holes = sum(d == -1 for d in newshape)
    fits = (known and size % known == 0) if holes else known == size
    if holes > 1 or any(d < -1 for d in newshape) or not (fits or type(size) is not int):
        raise ShapeError(
            f"An array of {size} elements does not fit the shape "
            f"({', '.join(map(str, newshape))}). The sizes must multiply to the number of "
            "elements; one of them may be -1."
        )
    return tuple(size // known if d == -1 else d for d in newshape)


def check_block(shape: Sequence[Any], start_indices: Any, block: Sequence[Any]) -> None:
    """Refuses a block (of `slice`, `slice_update`) that does not lie in an array of the shape.
    Sizes that are `None` are unknown."""
    starts = getattr(start_indices, "shape", None)
    if starts is None:
        starts = (len(start_indices),)
    if len(block) != len(shape) or tuple(starts) not in ((len(shape),), (None,)) or any(
        None not in (b, n) and not 0 <= b <= n for b, n in zip(block, shape, strict=True)
    ):
        raise ShapeError(
            f"A block of the shape {tuple(block)} does not lie in an array of the shape "
            f"{tuple(shape)}: start_indices (here of the shape {tuple(starts)}) and the block's "
            "shape need an entry for each axis, and no axis may be longer than the array's."
        )


def block_key(
    shape: Sequence[int], start_indices: Sequence[int], block: Sequence[int]
) -> tuple[slice, ...]:
    """The key of a block in an array of the shape. As in XLA, starts below 0 count from the end,
    and a block that would reach over an end lies at it."""
    starts = [min(max(a + n if a < 0 else a, 0), n - b)
              for a, n, b in zip(start_indices, shape, block, strict=True)]  # fmt: skip
    return tuple(slice(a, a + b) for a, b in zip(starts, block, strict=True))


def check_k(k: Any, size: Any) -> None:
    """Refuses a `top_k` of more entries than there are (`None`: an unknown number)."""
    if not 0 <= k or (size is not None and k > size):
        raise InvalidArgument(f"k must be between 0 and the {size} entries, got {k}.")


def is_array_index(k: Any) -> bool:
    """Whether one item of a key is an array (NumPy's "advanced" indexing)."""
    return getattr(k, "shape", None) is not None and (len(k.shape) > 0 or _is_bool(k))


def _is_bool(k: Any) -> bool:
    return "bool" in str(k.dtype)  # "torch.bool", "<dtype: 'bool'>'


def expand_key(key: Any, ndim: int) -> list[Any]:
    """The items of an index key with lists as arrays, `...` written out and one item per axis.

    A boolean mask stands for as many axes as it has; `None` for none.
    """
    items = [
        np.asarray(k, int if k == [] else None) if isinstance(k, list | tuple | range | bool) else k
        for k in (key if isinstance(key, tuple) else (key,))
    ]
    used = 0
    ellipsis = None
    for i, k in enumerate(items):
        if k is Ellipsis:
            if ellipsis is not None:
                raise InvalidArgument(f"An index may have one `...`, got {key!r}.")
            ellipsis = i
        elif k is not None:
            if type(k) is not int and type(k) is not slice:
                _check_kind(k)
            used += axes_taken(k)
    if used > ndim:
        raise ShapeError(f"Too many indices: {used} for an array of {ndim} dimensions.")
    rest = [slice(None)] * (ndim - used)
    if ellipsis is None:
        return items + rest
    return items[:ellipsis] + rest + items[ellipsis + 1 :]


def _check_kind(k: Any) -> None:
    """Refuses an item of a key that is no index."""
    if not (hasattr(k, "__index__") or hasattr(k, "dtype")):
        raise KindError(
            "An index is an integer, a slice, None, ... or an array of integers or bools, got "
            f"{k!r}."
        )
    if hasattr(k, "dtype") and "int" not in str(k.dtype) and not _is_bool(k):
        raise KindError(f"An array of indices holds integers or bools, got {k.dtype}.")


def check_indices(items: Sequence[Any], shape: Sequence[Any]) -> None:
    """Refuses integers of an expanded key that are out of range, and masks of other sizes than
    the axes they stand for, as far as sizes are known."""
    axis = 0
    for k in items:
        taken = axes_taken(k)
        known = [n for n in shape[axis : axis + taken] if type(n) is int]
        if isinstance(k, int | np.integer) and known and not -known[0] <= k < known[0]:
            raise ShapeError(
                f"Index {k} is out of range for axis {axis} of the shape {tuple(shape)}."
            )
        if is_array_index(k) and _is_bool(k) and any(
            type(n) is type(m) is int and n != m
            for n, m in zip(shape[axis : axis + taken], k.shape, strict=True)
        ):
            raise ShapeError(
                f"A mask of shape {tuple(k.shape)} does not fit axis {axis} and those after it of "
                f"the shape {tuple(shape)}."
            )
        axis += taken


def axes_taken(k: Any) -> int:
    """How many of the array's axes one item of a key stands for."""
    if k is None:
        return 0
    return len(k.shape) if is_array_index(k) and _is_bool(k) else 1


def together(arrays: Sequence[bool]) -> bool:
    """Whether the array items of a key stand side by side (else their axes come first)."""
    where = [i for i, a in enumerate(arrays) if a]
    return not where or where[-1] - where[0] == len(where) - 1


def _is_sequence(x: Any) -> bool:
    return isinstance(x, list | tuple) or np.ndim(x) > 0


def section_bounds(size: Any, indices_or_sections: Any) -> list[tuple[Any, Any]]:
    """Where each of the pieces that `split` makes of an axis begins and ends."""
    if not _is_sequence(indices_or_sections):
        n = int(indices_or_sections)
        if n < 1 or size is None or size % n:
            raise ShapeError(
                f"An axis of size {size} cannot be split into {n} equal sections. For unequal "
                "ones give the indices to cut at, or use array_split."
            )
        return [(i * (size // n), (i + 1) * (size // n)) for i in range(n)]
    cuts = [i if hasattr(i, "dtype") else int(i) for i in indices_or_sections]
    return list(itertools.pairwise([0, *cuts, size]))
