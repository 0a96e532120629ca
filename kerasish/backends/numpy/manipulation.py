"""NumPy: shapes, indices, joining, sorting and sums of products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kerasish.backends import subscripts as notation
from kerasish.backends.numpy import rules_manipulation as rules
from kerasish.backends.numpy.rules_manipulation import (
    contract,
    pad_constant,
    put_block,
    scatter_entries,
    slide,
    unstacked,
)  # fmt: skip
from kerasish.backends.numpy.tape import getitem, strip
from kerasish.backends.shapes import target
from kerasish.dtypes import numpy_dtype

__all__ = ["rules"]

transpose = np.transpose
swapaxes = np.swapaxes
moveaxis = np.moveaxis
broadcast_to = np.broadcast_to
concatenate = np.concatenate
stack = np.stack
flip = np.flip
roll = np.roll
tile = np.tile
diagonal = np.diagonal
diag = np.diag
tril = np.tril
triu = np.triu
take = np.take
take_along_axis = np.take_along_axis
get_item = getitem
sort = np.sort
slice_update = put_block
_scatter = scatter_entries
_slide = slide


def shape(x: Any) -> tuple[int, ...]:
    return x.shape


def reshape(x: Any, newshape: Any) -> Any:
    return np.reshape(x, target(newshape, x.shape))


def ravel(x: Any) -> Any:
    return np.reshape(x, -1)


def expand_dims(x: Any, axis: Any) -> Any:
    return np.expand_dims(x, tuple(axis) if isinstance(axis, list) else axis)


def squeeze(x: Any, axis: Any) -> Any:
    return np.squeeze(x, tuple(axis) if isinstance(axis, list) else axis)


def copy(x: Any) -> Any:
    return np.copy(x)


def _view(x: Any, dtype: str) -> Any:
    return np.ascontiguousarray(x).view(numpy_dtype(dtype))


def split(x: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    return list(np.split(x, indices_or_sections, axis))


def _unstack(x: Any, num: int, axis: int) -> list[Any]:
    return unstacked(x, axis)


def repeat(x: Any, repeats: Any, axis: int | None) -> Any:
    return np.repeat(x, strip(repeats), axis)


def _pad(x: Any, widths: Any, value: Any) -> Any:
    return pad_constant(x, widths, strip(value))


def nonzero(x: Any) -> tuple[Any, ...]:
    return tuple(i.astype(np.int32) for i in np.nonzero(x))


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    return inputs[rules.block(start_indices, shape)]


def argsort(x: Any, axis: int | None) -> Any:
    return np.argsort(strip(x), axis, kind="stable").astype(np.int32)


def _searchsorted(sorted_sequence: Any, values: Any, side: str) -> Any:
    return np.asarray(np.searchsorted(strip(sorted_sequence), strip(values), side), np.int32)


def _bincount_length(x: Any, minlength: int) -> int:
    return max(minlength, int(x.max()) + 1 if x.size else 0)


def _unique(x: Any, axis: int | None, size: int | None, fill_value: Any) -> tuple[Any, ...]:
    x = strip(x)
    values, *found = np.unique(x, True, True, True, axis)
    index, inverse, counts = (i.astype(np.int32) for i in found)
    if size is not None:
        axis = axis or 0
        missing = max(size - values.shape[axis], 0)
        values = np.take(values, np.arange(min(size, values.shape[axis])), axis)
        width = [(0, missing if a == axis % values.ndim else 0) for a in range(values.ndim)]
        values = np.pad(values, width, constant_values=fill_value)
        index = np.append(index[:size], np.repeat(index[:1], missing))
        counts = np.pad(counts[:size], (0, missing))
    return values, index, inverse, counts


def _einsum(subscripts: str, operands: Any) -> Any:
    """Products of two by BLAS, in the cheapest order."""
    terms, out = notation.parse(subscripts, tuple(x.ndim for x in operands))
    size = notation.sizes(terms, [x.shape for x in operands])
    pairs = [_simplify(x, t, i, terms, out, size) for i, (x, t) in
             enumerate(zip(operands, terms, strict=True))]  # fmt: skip
    if len(pairs) > 2:
        path = notation.order(
            tuple(t for _, t in pairs), out, tuple(x.shape for x, _ in pairs)
        )
    else:
        path = (tuple(range(len(pairs))),)
    for group in path:
        chosen = [pairs[i] for i in group]
        pairs = [p for i, p in enumerate(pairs) if i not in group]
        needed = {*out}.union(*(t for _, t in pairs))
        x, t = chosen[0]
        for k, (y, u) in enumerate(chosen[1:], 2):
            later = needed.union(*(v for _, v in chosen[k:]))
            last = not pairs and k == len(chosen)
            kept = out if last else "".join(c for c in dict.fromkeys(t + u) if c in later)
            x, t = contract(f"{t},{u}->{kept}", x, y), kept
        pairs.append((x, t))
    x, t = pairs[0]
    return x if t == out else np.transpose(x, [t.index(c) for c in out])


def _simplify(
    x: Any, term: str, i: int, terms: Any, out: str, size: dict[str, int]
) -> tuple[Any, str]:
    """Diagonals taken, broadcast axes dropped, and axes that stand nowhere else summed."""
    for c in term:
        while term.count(c) > 1:
            a, b = term.index(c), term.rindex(c)
            x = np.diagonal(x, 0, a, b)
            term = "".join(d for j, d in enumerate(term) if j not in (a, b)) + c
    elsewhere = {*out}.union(*(t for j, t in enumerate(terms) if j != i))
    ones = [a for a, c in enumerate(term) if x.shape[a] == 1 and size[c] > 1]
    if ones:
        x = np.squeeze(x, tuple(ones))
        term = "".join(c for a, c in enumerate(term) if a not in ones)
    alone = tuple(a for a, c in enumerate(term) if c not in elsewhere)
    if alone:
        x = np.sum(x, axis=alone)
        term = "".join(c for c in term if c in elsewhere)
    return x, term


def size(x: Any) -> Any:
    return np.int32(math.prod(x.shape))
