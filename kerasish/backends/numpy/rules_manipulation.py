"""Gradient rules of what NumPy does to shapes and entries, and the functions they need.

A rule is a linear function of the gradient, and so is its own transpose; both are functions here
that have each other as rules, so that gradients of any order work.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from kerasish.backends.numpy.tape import (
    defvjp,
    defvjp_list,
    getitem,
    nograd,
    primitive,
    strip,
    unbroadcast,
)  # fmt: skip
from kerasish.backends.shapes import axes_of, axis_of, block_key, check_block
from kerasish.errors import GradientError

# Shapes and axes


def _back(g: Any, ans: Any, x: Any, *_: Any, **__: Any) -> Any:
    return np.reshape(g, np.shape(x))


def _backwards(axes: Any, ndim: int) -> Any:
    return None if axes is None else np.argsort([axis_of(a, ndim) for a in axes])


for _function in (np.reshape, np.ravel, np.expand_dims, np.squeeze):
    defvjp(_function, _back)
defvjp(np.transpose, lambda g, ans, x, axes=None: np.transpose(g, _backwards(axes, np.ndim(x))))
defvjp(np.swapaxes, lambda g, ans, x, a, b: np.swapaxes(g, a, b))
defvjp(np.moveaxis, lambda g, ans, x, source, to: np.moveaxis(g, to, source))
defvjp(np.broadcast_to, lambda g, ans, x, *_, **__: unbroadcast(g, x))
defvjp(np.copy, lambda g, ans, x, *_, **__: g)
defvjp(np.flip, lambda g, ans, x, axis=None: np.flip(g, axis))
defvjp(np.fliplr, lambda g, ans, x: np.fliplr(g))
defvjp(np.flipud, lambda g, ans, x: np.flipud(g))
defvjp(np.rot90, lambda g, ans, x, k=1, axes=(0, 1): np.rot90(g, -k, axes))
defvjp(
    np.roll,
    lambda g, ans, x, shift, axis=None: np.roll(g, np.negative(shift), axis),
)
defvjp(np.tril, lambda g, ans, x, k=0: np.tril(g, k))
defvjp(np.triu, lambda g, ans, x, k=0: np.triu(g, k))
nograd(np.argsort, np.argpartition, np.searchsorted, np.digitize, np.unique, np.isin)


# Joining and splitting


def _part(axis: int | None, i: int, g: Any, arrays: Any) -> Any:
    """The share of array i in the gradient of all arrays joined along an axis."""
    if axis is None:
        start = sum(np.size(a) for a in arrays[:i])
        return np.reshape(g[start : start + np.size(arrays[i])], np.shape(arrays[i]))
    axis = axis_of(axis, g.ndim)

    def length(a: Any) -> int:
        shape = np.shape(a)
        return shape[axis] if len(shape) == g.ndim else 1

    start = sum(length(a) for a in arrays[:i])
    part = g[(slice(None),) * axis + (slice(start, start + length(arrays[i])),)]
    return unbroadcast(np.reshape(part, np.shape(arrays[i])), arrays[i])


def _unstacked(i: int, g: Any, ans: Any, arrays: Any, axis: int = 0, **_: Any) -> Any:
    return g[(slice(None),) * axis_of(axis, g.ndim) + (i,)]


def _sewn(g: Any, ans: Any, x: Any, sections: Any, axis: int = 0) -> Any:
    return np.concatenate(
        [np.zeros_like(y) if share is None else share for share, y in zip(g, ans, strict=True)],
        axis,
    )


@primitive
def unstacked(x: Any, axis: int) -> list[Any]:
    """The slices along an axis."""
    return list(np.moveaxis(x, axis, 0))


defvjp(unstacked, lambda g, ans, x, axis: np.stack(
    [np.zeros_like(y) if share is None else share for share, y in zip(g, ans, strict=True)], axis
))  # fmt: skip
defvjp_list(np.concatenate, lambda i, g, ans, arrays, axis=0, **_: _part(axis, i, g, arrays))
defvjp_list(np.stack, _unstacked)
defvjp_list(np.vstack, lambda i, g, ans, arrays, **_: _part(0, i, g, arrays))
defvjp_list(np.hstack, lambda i, g, ans, arrays, **_: _part(min(1, g.ndim - 1), i, g, arrays))
defvjp_list(np.dstack, lambda i, g, ans, arrays, **_: _part(2, i, g, arrays))
defvjp(np.split, _sewn)
defvjp(np.array_split, _sewn)


# Repeating and padding


def _untile(g: Any, ans: Any, x: Any, repeats: Any) -> Any:
    repeats = [repeats] if np.ndim(repeats) == 0 else list(repeats)
    sizes = (1,) * (g.ndim - np.ndim(x)) + np.shape(x)
    repeats = [1] * (g.ndim - len(repeats)) + repeats
    g = np.reshape(g, [d for r, n in zip(repeats, sizes, strict=True) for d in (r, n)])
    return np.reshape(np.sum(g, axis=tuple(range(0, g.ndim, 2))), np.shape(x))


def _unrepeat(g: Any, ans: Any, x: Any, repeats: Any, axis: int | None = None) -> Any:
    shape = np.shape(x) if axis is not None else (np.size(x),)
    axis = axis_of(axis or 0, len(shape))
    if np.size(repeats) > 1:
        places = np.repeat(np.arange(shape[axis]), repeats)
        g = put(g, shape, (slice(None),) * axis + (places,))
    else:
        g = np.reshape(g, (*shape[: axis + 1], int(np.sum(repeats)), *shape[axis + 1 :]))
        g = np.sum(g, axis=axis + 1)
    return np.reshape(g, np.shape(x))


def _middle(shape: Any, widths: Any) -> tuple[slice, ...]:
    return tuple(slice(a, a + n) for n, (a, _) in zip(shape, widths, strict=True))


@primitive
def pad_constant(x: Any, widths: Any, value: Any) -> Any:
    """`x` in the middle of a constant."""
    out = np.full([n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)], value, x.dtype)
    out[_middle(x.shape, widths)] = x
    return out


def _unpad(g: Any, ans: Any, x: Any, widths: Any, mode: str = "constant", **_: Any) -> Any:
    if mode != "constant":
        raise GradientError(f"np.pad(mode={mode!r}) has no gradient rule. Use keras.ops.pad.")
    return g[_middle(np.shape(x), np.broadcast_to(widths, (np.ndim(x), 2)).tolist())]


defvjp(np.tile, _untile)
defvjp(np.repeat, _unrepeat)
defvjp(np.pad, _unpad)
defvjp(pad_constant, lambda g, ans, x, widths, value: g[_middle(np.shape(x), widths)])


# Entries by index


def _add_rows(places: Any, g: Any, count: int) -> Any:
    """A matrix of `count` rows, to which row i of `g` is added at `places[i]`.

    `np.add.at` takes 2 to 10 times as long. A small result is counted, entry by entry, with the
    values as weights. For a large one the rows are sorted by place; the first ones of all places
    are written together, then the second ones added, and so on; the few places with many rows
    get the sum of the rest at once.
    """
    width = g.shape[1]
    small = count * width <= 2**19 and (width == 1 or g.size <= 2**22)
    if small and g.dtype in (np.float32, np.float64):
        entries = (places[:, None] * width + np.arange(width)).ravel() if width != 1 else places
        return np.bincount(entries, g.ravel(), count * width).astype(g.dtype).reshape(count, width)
    out = np.zeros((count, width), g.dtype)
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(order)])
    ends = np.append(begins[1:], len(order))
    out[ordered[begins]] = g[order[begins]]
    for _ in range(3):
        begins += 1
        more = begins < ends
        begins, ends = begins[more], ends[more]
        out[ordered[begins]] += g[order[begins]]
    for start, end in zip((begins + 1).tolist(), ends.tolist(), strict=True):
        if start < end:
            out[ordered[start]] += g[order[start:end]].sum(0, dtype=g.dtype)
    return out


def _is_basic(key: Any) -> bool:
    return not any(
        isinstance(k, list) or np.ndim(k) or isinstance(k, np.bool_ | bool)
        for k in (key if isinstance(key, tuple) else (key,))
        if k is not None and k is not Ellipsis and not isinstance(k, slice)
    )


def _row_axis(key: Any) -> int | None:
    """The axis of the one integer array in a key of otherwise whole slices."""
    items = key if isinstance(key, tuple) else (key,)
    *front, last = items
    if all(isinstance(k, slice) and k == slice(None) for k in front) and (
        isinstance(last, np.ndarray) and last.dtype.kind in "iu"
    ):
        return len(front)
    return None


@primitive
def put(g: Any, shape: Any, key: Any) -> Any:
    """Zeros with `g` added at `key`: the transpose of `x[key]`."""
    key = tuple(map(strip, key)) if isinstance(key, tuple) else strip(key)
    if _is_basic(key):
        out = np.zeros(shape, g.dtype)
        out[key] = g
        return out
    axis = _row_axis(key)
    if axis is not None:
        places = key[-1] if isinstance(key, tuple) else key
        n, rest = shape[axis], (*shape[:axis], *shape[axis + 1 :])
        rows = np.moveaxis(
            g, tuple(range(axis, axis + places.ndim)), tuple(range(places.ndim))
        ).reshape(places.size, math.prod(rest))
        places = places.ravel()
        out = _add_rows(np.where(places < 0, places + n, places), rows, n)
        return np.moveaxis(out.reshape(n, *rest), 0, axis)
    places = np.arange(np.prod(shape, dtype=int)).reshape(shape)[key].ravel()
    return _add_rows(places, g.reshape(-1, 1), int(np.prod(shape))).reshape(shape)


defvjp(put, lambda gg, ans, g, shape, key: getitem(gg, key))
defvjp(getitem, lambda g, ans, x, key: put(g, np.shape(x), key))


def _untake(g: Any, ans: Any, x: Any, indices: Any, axis: int | None = None, **_: Any) -> Any:
    indices = np.asarray(strip(indices))
    if axis is None:
        return np.reshape(put(g, (np.size(x),), (indices,)), np.shape(x))
    return put(g, np.shape(x), (slice(None),) * axis_of(axis, np.ndim(x)) + (indices,))


def _untake_along(g: Any, ans: Any, x: Any, indices: Any, axis: int | None = -1) -> Any:
    indices, shape = strip(indices), np.shape(x)
    if axis is None:
        return np.reshape(put(g, (np.size(x),), (indices,)), shape)
    axis = axis_of(axis, len(shape))
    if indices.shape[axis] == 1 and all(
        n == m for a, (n, m) in enumerate(zip(indices.shape, shape, strict=True)) if a != axis
    ):
        return put_along(g, shape, indices, axis)
    key = np.ogrid[tuple(map(slice, shape))]
    return put(g, shape, (*key[:axis], indices, *key[axis + 1 :]))


@primitive
def put_along(g: Any, shape: Any, indices: Any, axis: int) -> Any:
    """Zeros with `g` at `indices` along an axis, none of which occurs twice in one place."""
    out = np.zeros(shape, g.dtype)
    np.put_along_axis(out, indices, g, axis)
    return out


defvjp(put_along, lambda gg, ans, g, shape, indices, axis: np.take_along_axis(gg, indices, axis))
defvjp(np.take, _untake)
defvjp(np.take_along_axis, _untake_along)


def _unsort(g: Any, ans: Any, x: Any, axis: int | None = -1, **_: Any) -> Any:
    if axis is None:
        return np.reshape(_unsort(g, ans, np.reshape(x, -1), 0), np.shape(x))
    return put_along(g, np.shape(x), np.argsort(strip(x), axis, kind="stable"), axis)


defvjp(np.sort, _unsort)


# Blocks and scattered entries


def block(x: Any, start_indices: Any, shape: Any) -> tuple[slice, ...]:
    """The key of a block of a shape in x."""
    return block_key(x.shape, strip(start_indices).tolist(), shape)


@primitive
def put_block(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """`inputs` with a block replaced."""
    check_block(inputs.shape, start_indices, updates.shape)
    out = np.array(inputs)
    out[block(inputs, start_indices, updates.shape)] = updates
    return out


defvjp(
    put_block,
    lambda g, ans, x, start, updates: put_block(g, start, np.zeros_like(updates)),
    None,
    lambda g, ans, x, start, updates: g[block(g, start, np.shape(updates))],
)
_COMBINE = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _places(indices: Any) -> tuple[Any, ...]:
    return tuple(np.moveaxis(strip(indices), -1, 0))


@primitive
def scatter_entries(inputs: Any, indices: Any, updates: Any, reduction: str | None) -> Any:
    """`inputs` with updates written to, or combined with, the entries at indices."""
    key = _places(indices)
    if reduction == "add" and updates.dtype in (np.float32, np.float64):
        return inputs + put(updates, inputs.shape, key)
    out = np.array(inputs)
    if reduction is None:
        out[key] = updates
    else:
        _COMBINE[reduction].at(out, key, updates)
    return out


def _scatter_inputs(g: Any, ans: Any, x: Any, indices: Any, updates: Any, reduction: Any) -> Any:
    if reduction == "add":
        return g
    if reduction is None:
        return scatter_entries(g, indices, np.zeros_like(updates), None)
    if reduction == "mul":
        return scatter_entries(g, indices, updates, "mul")
    mine, _, count = _winners(ans, x, _places(indices), updates)
    return g * mine / count


def _winners(ans: Any, x: Any, key: Any, updates: Any) -> tuple[Any, Any, Any]:
    """Which inputs and which updates are the extremes, and how many share each."""
    x, ans, updates = strip(x), strip(ans), strip(updates)
    mine, theirs = np.equal(x, ans), np.equal(updates, ans[key])
    count = mine.astype(ans.dtype)
    np.add.at(count, key, theirs.astype(ans.dtype))
    return mine, theirs, np.maximum(count, np.ones((), ans.dtype))


def _scatter_updates(g: Any, ans: Any, x: Any, indices: Any, updates: Any, reduction: Any) -> Any:
    key = _places(indices)
    here = g[key]
    if reduction == "add":
        return here
    if reduction is None:  # of several updates of one entry only the last one counts
        entries = np.arange(len(here)).reshape(-1, *(1,) * (here.ndim - 1))
        winner = np.array(np.broadcast_to(0, np.shape(x)))
        winner[key] = entries
        return here * (winner[key] == entries)
    if reduction == "mul":
        zero = np.equal(strip(updates), 0)  # the quotient, where it exists
        return here * np.where(zero, x[key], ans[key] / np.where(zero, 1, updates))
    _, theirs, count = _winners(ans, x, key, updates)
    return here * theirs / count[key]


defvjp(scatter_entries, _scatter_inputs, None, _scatter_updates)


# Diagonals


@primitive
def put_diagonal(g: Any, shape: Any, offset: int, axis1: int, axis2: int) -> Any:
    """Zeros with `g` on the diagonals."""
    out = np.zeros(shape, g.dtype)
    view = np.moveaxis(out, (axis1, axis2), (-2, -1))
    rows = np.arange(g.shape[-1])
    view[..., rows + max(-offset, 0), rows + max(offset, 0)] = g
    return out


def _undiag(g: Any, ans: Any, x: Any, k: int = 0) -> Any:
    if np.ndim(x) == 1:
        return np.diagonal(g, k)
    return put_diagonal(g, np.shape(x), k, 0, 1)


defvjp(put_diagonal, lambda gg, ans, g, shape, k, a, b: np.diagonal(gg, k, a, b))
defvjp(
    np.diagonal,
    lambda g, ans, x, offset=0, axis1=0, axis2=1: put_diagonal(
        g, np.shape(x), offset, axis1, axis2
    ),
)
defvjp(np.diag, _undiag)
defvjp(np.diagflat, lambda g, ans, x, k=0: np.reshape(np.diagonal(g, k), np.shape(x)))


def _untrace(
    g: Any, ans: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, **_: Any
) -> Any:
    count = np.diagonal(strip(x), offset, axis1, axis2).shape[-1]
    g = np.broadcast_to(np.expand_dims(g, -1), (*np.shape(g), count))
    return put_diagonal(g, np.shape(x), offset, axis1, axis2)


def _undiff(g: Any, ans: Any, x: Any, n: int = 1, axis: int = -1) -> Any:
    axis = axis_of(axis, g.ndim)
    for _ in range(n):
        before, after = [[(0, 0)] * g.ndim for _ in range(2)]
        before[axis], after[axis] = (1, 0), (0, 1)
        g = pad_constant(g, before, 0) - pad_constant(g, after, 0)
    return g


defvjp(np.trace, _untrace)
defvjp(np.diff, _undiff)


# Sums of products


@functools.lru_cache(maxsize=1024)
def _plan(subscripts: str) -> tuple[Any, ...]:
    """How to write a product of two operands as a matrix product: see `contract`."""
    left, out = subscripts.split("->")
    a, b = left.split(",")
    batch = [c for c in a if c in b and c in out]
    summed = [c for c in a if c in b and c not in out]
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]
    order = [*batch, *rows, *columns]
    return (
        tuple(a.index(c) for c in (*batch, *rows, *summed)),
        tuple(b.index(c) for c in (*batch, *summed, *columns)),
        tuple(order.index(c) for c in out),
        len(batch), len(rows), len(summed),
    )  # fmt: skip


@primitive
def contract(subscripts: str, x: Any, y: Any) -> Any:
    """The einsum of two operands; each letter stands in two of the three terms, or in all."""
    first, second, final, batch, rows, summed = _plan(subscripts)
    x, y = x.transpose(first), y.transpose(second)
    if not summed:
        x = x.reshape((*x.shape, *(1,) * (y.ndim - batch)))
        y = y.reshape((*y.shape[:batch], *(1,) * rows, *y.shape[batch:]))
        return (x * y).transpose(final)
    loop, height = x.shape[:batch], x.shape[batch : batch + rows]
    depth, width = x.shape[batch + rows :], y.shape[batch + summed :]
    m, k, n = math.prod(height), math.prod(depth), math.prod(width)
    if batch and not height and not width:  # rows times rows: one pass over the memory is best
        return np.einsum("...i,...i", x.reshape(*loop, k), y.reshape(*loop, k)).transpose(final)
    product = np.matmul(_blas(x.reshape(*loop, m, k)), _blas(y.reshape(*loop, k, n)))
    return product.reshape((*loop, *height, *width)).transpose(final)


def _blas(x: Any) -> Any:
    """`x`, copied unless one of the matrix axes is dense in memory, as BLAS wants."""
    item = x.itemsize
    return x if item in x.strides[-2:] else np.ascontiguousarray(x)


def _contract_rule(which: int) -> Any:
    def rule(g: Any, ans: Any, subscripts: str, x: Any, y: Any) -> Any:
        left, out = subscripts.split("->")
        a, b = left.split(",")
        if which == 0:
            return unbroadcast(contract(f"{out},{b}->{a}", g, np.conj(y)), x)
        return unbroadcast(contract(f"{out},{a}->{b}", g, np.conj(x)), y)

    return rule


defvjp(contract, None, _contract_rule(0), _contract_rule(1))


def _product_rule(which: int, letters: Any) -> Any:
    """The rule of a NumPy function that is a product of two operands in some notation."""

    def rule(g: Any, ans: Any, x: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        if not np.ndim(x) or not np.ndim(y):
            return unbroadcast(g * np.conj((y, x)[which]), (x, y)[which])
        a, b = letters(np.ndim(x), np.ndim(y), *args, **kwargs)
        out = "".join(c for c in a + b if (c in a) != (c in b))
        return _contract_rule(which)(g, ans, f"{a},{b}->{out}", x, y)

    return rule


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _tensordot_letters(n: int, m: int, axes: Any = 2) -> tuple[str, str]:
    if np.ndim(axes) == 0:
        axes = range(n - axes, n), range(axes)
    pairs = zip(*(axes_of(list(np.atleast_1d(a)), k) for a, k in zip(axes, (n, m), strict=True)),
                strict=True)
    a, b = _LETTERS[:n], list(_LETTERS[n : n + m])
    for i, j in pairs:
        b[j] = a[i]
    return a, "".join(b)


for _function, _letters in (
    (np.tensordot, _tensordot_letters),
    (np.dot, lambda n, m: _tensordot_letters(n, m, ((-1,), (-2 if m > 1 else -1,)))),
    (np.inner, lambda n, m: _tensordot_letters(n, m, ((-1,), (-1,)))),
):
    defvjp(_function, _product_rule(0, _letters), _product_rule(1, _letters))
defvjp(
    np.outer,
    lambda g, ans, x, y: np.reshape(g @ np.conj(np.reshape(y, -1)), np.shape(x)),
    lambda g, ans, x, y: np.reshape(np.conj(np.reshape(x, -1)) @ g, np.shape(y)),
)
defvjp(
    np.vdot,
    lambda g, ans, x, y: np.conj(g) * y,
    lambda g, ans, x, y: g * x,
)


# Cross-correlation


@primitive
def slide(x: Any, window: Any) -> Any:
    """The dot product of a shorter vector with each stretch of a longer one."""
    return np.correlate(x, np.conj(window), "valid")


def _unslide(g: Any, ans: Any, x: Any, window: Any) -> Any:
    reach = np.shape(window)[0] - 1
    return slide(pad_constant(g, [(reach, reach)], 0), np.flip(np.conj(window)))


defvjp(slide, _unslide, lambda g, ans, x, window: slide(np.conj(x), g))
