"""Products that sum over axes, and functions that rearrange arrays or work on slices of them."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish import ops
from kerasish.backends.shapes import axes_of
from kerasish.core.op import op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import InvalidArgument, KindError, ShapeError
from kerasish.ops.core import NARROW, cast, convert_to_tensor, dtype, shape
from kerasish.ops.manipulation import (
    broadcast_to,
    diagonal,
    expand_dims,
    flip,
    moveaxis,
    pad,
    reshape,
    stack,
    transpose,
)  # fmt: skip

__all__ = [
    "corrcoef", "correlate", "cross", "dot", "einsum", "inner", "kron", "outer", "rearrange",
    "tensordot", "trace", "vdot", "vectorize",
]  # fmt: skip


@op
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Sums of products of entries, in Einstein's notation.

    With more than two operands the cheapest order of products is found first.

    Args:
        subscripts: for each operand a letter for each axis, and the letters of the result:
            `"ij,jk->ik"` is the matrix product. `...` stands for further axes, which broadcast.
        *operands: the tensors.
        **kwargs: kept for compatibility.

    >>> import kerasish as keras
    >>> keras.ops.einsum("ij,j->i", [[1, 2], [3, 4]], [1, 10]).tolist()
    [21, 43]
    """
    if not isinstance(subscripts, str):
        raise InvalidArgument(f"einsum: subscripts must be a string, got {subscripts!r}.")
    if subscripts.count(",") + 1 != len(operands):
        raise InvalidArgument(
            f"einsum: {subscripts!r} describes {subscripts.count(',') + 1} operands, got "
            f"{len(operands)}."
        )
    return _promoted_einsum(subscripts.replace(" ", ""), operands)


@op(common="*operands")
def _promoted_einsum(subscripts: str, operands: Any) -> Any:
    """`einsum` of tensors of one dtype. Bytes become int32, as sums of many of them overflow."""
    if dtype(operands[0]) == "int8":
        operands = [cast(x, "int32") for x in operands]
    return _contract(subscripts, operands)


def _contract(subscripts: str, operands: Any) -> Any:
    """`_einsum` of any dtype: the small integer types and bool are computed as int32."""
    kind = dtype(operands[0])
    if kind in NARROW:
        return cast(_einsum(subscripts, [cast(x, "int32") for x in operands]), kind)
    if kind.startswith("uint"):
        return cast(_einsum(subscripts, [cast(x, "int64") for x in operands]), kind)
    return _einsum(subscripts, operands)


@op
def _einsum(subscripts: str, operands: Any) -> Any:
    """The primitive of `einsum`, of tensors of one floating, complex or large integer dtype."""


@op(common="x1 x2")
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """The sum of products over axes of two tensors.

    Args:
        x1, x2: the tensors.
        axes: how many axes, the last of `x1` and the first of `x2`; or which: two lists.

    >>> import kerasish as keras
    >>> keras.ops.tensordot([[1, 2], [3, 4]], [1, 10], axes=1).tolist()
    [21, 43]
    """
    n1, n2 = len(x1.shape), len(x2.shape)
    if isinstance(axes, int | np.integer):
        axes = int(axes)
        axes = range(n1 - axes, n1), range(axes)
    sum1, sum2 = (
        axes_of(list(a) if np.ndim(a) else int(a), n) for a, n in zip(axes, (n1, n2), strict=True)
    )
    if len(sum1) != len(sum2):
        raise InvalidArgument(f"tensordot: the lists in axes must be equally long, got {axes}.")
    for a, b in zip(sum1, sum2, strict=True):
        n, m = unknown_shape((x1.shape[a], x2.shape[b]))
        if n != m and None not in (n, m):
            raise ShapeError(
                f"tensordot: axis {a} of x1 has {n} elements, axis {b} of x2, which it meets, {m}."
            )
    letters = string.ascii_letters
    first = letters[:n1]
    second = list(letters[n1 : n1 + n2])
    for a, b in zip(sum1, sum2, strict=True):
        second[b] = first[a]
    out = [c for c in (*first, *second) if (c in first) != (c in second)]
    return _contract(f"{first},{''.join(second)}->{''.join(out)}", [x1, x2])


@op(common="x1 x2")
def dot(x1: Any, x2: Any) -> Any:
    """The product over the last axis of `x1` and the last but one of `x2` (the only one of a
    vector); a plain product where one of them is a scalar.

    Args:
        x1, x2: tensors with equal sizes along those axes.

    >>> import kerasish as keras
    >>> int(keras.ops.dot([1, 2], [3, 4]))
    11
    """
    if not len(x1.shape) or not len(x2.shape):
        return ops.multiply(x1, x2)
    return tensordot(x1, x2, ((-1,), (-2 if len(x2.shape) > 1 else -1,)))


@op(common="x1 x2")
def inner(x1: Any, x2: Any) -> Any:
    """The product over the last axes; a plain product where one of them is a scalar.

    Args:
        x1, x2: tensors whose last axes have one size.

    >>> import kerasish as keras
    >>> keras.ops.inner([[1, 2], [3, 4]], [1, 10]).tolist()
    [21, 43]
    """
    if not len(x1.shape) or not len(x2.shape):
        return ops.multiply(x1, x2)
    return tensordot(x1, x2, ((-1,), (-1,)))


@op(common="x1 x2")
def outer(x1: Any, x2: Any) -> Any:
    """All products of an entry of `x1` and one of `x2`, both flattened, as a matrix.

    Args:
        x1, x2: tensors.

    >>> import kerasish as keras
    >>> keras.ops.outer([1, 2], [3, 4]).tolist()
    [[3, 4], [6, 8]]
    """
    return ops.multiply(reshape(x1, (-1, 1)), reshape(x2, (1, -1)))


@op(common="x1 x2")
def vdot(x1: Any, x2: Any) -> Any:
    """The dot product of both flattened, the first one conjugated.

    Args:
        x1, x2: tensors with equally many values.

    >>> import kerasish as keras
    >>> int(keras.ops.vdot([[1, 2]], [[3, 4]]))
    11
    """
    x1 = reshape(x1, (-1,))
    return dot(ops.conj(x1) if dtype(x1).startswith("complex") else x1, reshape(x2, (-1,)))


@op(common="x1 x2")
def kron(x1: Any, x2: Any) -> Any:
    """The Kronecker product: a copy of `x2` times each entry of `x1`, side by side.

    Args:
        x1, x2: tensors; the result's sizes are the products of theirs.

    >>> import kerasish as keras
    >>> keras.ops.kron([1, 10], [1, 2]).tolist()
    [1, 2, 10, 20]
    """
    ndim = max(len(x1.shape), len(x2.shape))
    s1, s2 = ((1,) * (ndim - len(x.shape)) + tuple(shape(x)) for x in (x1, x2))
    product = ops.multiply(
        reshape(x1, [d for n in s1 for d in (n, 1)]), reshape(x2, [d for n in s2 for d in (1, n)])
    )
    return reshape(product, [a * b for a, b in zip(s1, s2, strict=True)])


@op(common="x1 x2")
def cross(
    x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """The cross product of vectors of two or three components.

    Args:
        x1, x2: tensors of vectors; the other axes broadcast. Of two vectors in the plane the
            third component is given alone.
        axisa, axisb, axisc: the axis of the components in `x1`, `x2` and the result.
        axis: the same for all three.

    >>> import kerasish as keras
    >>> keras.ops.cross([1, 0, 0], [0, 1, 0]).tolist()
    [0, 0, 1]
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x1, x2 = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    sizes = unknown_shape((x1.shape[-1], x2.shape[-1]))
    if not {*sizes} <= {2, 3, None}:  # one that is unknown must be 3
        raise ShapeError(f"cross: vectors have 2 or 3 components, got {sizes[0]} and {sizes[1]}.")

    def minor(i: int, j: int) -> Any:
        return ops.subtract(
            ops.multiply(x1[..., i], x2[..., j]), ops.multiply(x1[..., j], x2[..., i])
        )

    if sizes == (2, 2):
        return minor(0, 1)
    x1, x2 = (
        x if x.shape[-1] != 2 else pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, 1)])
        for x in (x1, x2)
    )
    return moveaxis(stack([minor(1, 2), minor(2, 0), minor(0, 1)], -1), -1, axisc)


@op(convert="x")
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum along a diagonal of matrices.

    Args:
        x: a tensor with two or more axes.
        offset: how far above the main diagonal (below, if negative).
        axis1, axis2: the axes of rows and columns.

    >>> import kerasish as keras
    >>> int(keras.ops.trace([[1, 2], [3, 4]]))
    5
    """
    return ops.sum(diagonal(x, offset, axis1, axis2), axis=-1)


@op(double="x", real=True)
def corrcoef(x: Any) -> Any:
    """The correlation coefficients of the rows of a matrix with each other.

    Args:
        x: a matrix: a row for each quantity, a column for each observation.

    >>> import kerasish as keras
    >>> keras.ops.corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).round(4).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    rows = reshape(x, (1, -1)) if len(x.shape) == 1 else x
    rows = ops.subtract(rows, ops.mean(rows, axis=1, keepdims=True))
    covariance = _einsum("ik,jk->ij", [rows, ops.conj(rows)])
    spread = ops.sqrt(diagonal(covariance))
    result = ops.divide(covariance, ops.multiply(expand_dims(spread, 1), spread))
    return reshape(result, ()) if len(x.shape) == 1 else result


@op(common="x1 x2")
def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """The cross-correlation of two vectors: sums of products of one with the other moved along it.

    Args:
        x1, x2: vectors.
        mode: `"valid"` where they overlap wholly, `"same"` as many as the longer one has,
            `"full"` wherever they overlap.

    >>> import kerasish as keras
    >>> keras.ops.correlate([1.0, 2.0, 3.0], [1.0, 10.0]).tolist()
    [21.0, 32.0]
    """
    if len(x1.shape) != 1 or len(x2.shape) != 1:
        raise ShapeError(f"correlate takes two vectors, got {x1.shape} and {x2.shape}.")
    if mode not in ("valid", "same", "full"):
        raise InvalidArgument(f"correlate: mode is 'valid', 'same' or 'full', got {mode!r}.")
    if 0 in (*x1.shape, *x2.shape):
        raise ShapeError("correlate takes vectors that are not empty.")
    if not dtype(x1).startswith(("float", "bfloat", "complex")):
        x1, x2 = cast(x1, "float32"), cast(x2, "float32")
    (n,), (m,) = shape(x1), shape(x2)
    if not (isinstance(n, int) and isinstance(m, int)):  # cut out of the full one
        around = ops.zeros_like(x2[1:])
        whole = _slide(ops.concatenate([around, x1, around]), ops.conj(x2))
        short, long = ops.minimum(n, m), ops.maximum(n, m)
        start, size = {
            "full": (0, n + m - 1), "valid": (short - 1, long - short + 1),
            "same": (ops.where(ops.less_equal(m, n), (m - 1) // 2, n // 2), long),
        }[mode]
        return whole[start : start + size]
    if m > n:  # the roles exchanged give the conjugate backwards
        return flip(ops.conj(correlate(x2, x1, mode)))
    before = {"valid": 0, "same": m // 2, "full": m - 1}[mode]
    after = {"valid": 0, "same": m - 1 - m // 2, "full": m - 1}[mode]
    return _slide(pad(x1, (before, after)), ops.conj(x2))


@op
def _slide(x: Any, window: Any) -> Any:
    """The dot product of a shorter vector with each stretch of a longer one."""
    (n,), (m,) = shape(x), shape(window)
    first = ops.expand_dims(ops.arange(n - m + 1, dtype="int32"), 1)
    places = ops.add(first, ops.arange(m, dtype="int32"))
    return _einsum("ij,j->i", [ops.take(x, places), window])


def _broadcast_shapes(shapes: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """As NumPy's; a size may be a tensor."""
    if all(isinstance(n, int) for sizes in shapes for n in sizes):
        return np.broadcast_shapes(*shapes)
    rank = max(map(len, shapes))
    aligned = [(1,) * (rank - len(sizes)) + sizes for sizes in shapes]

    def common(n: Any, m: Any) -> Any:
        if isinstance(n, int) and n == 1:
            return m
        return n if isinstance(m, int) and m == 1 else ops.maximum(n, m)

    return tuple(functools.reduce(common, sizes) for sizes in zip(*aligned, strict=True))


# Patterns


@functools.lru_cache(maxsize=256)
def _parse(side: str, pattern: str) -> tuple[tuple[str, ...], ...]:
    """`"b (h w) ..."` as groups of names: `(("b",), ("h", "w"), ("...",))`."""
    if not re.fullmatch(r"(\s*(\w+|\.\.\.|\((\s*(\w+|\.\.\.))*\s*\)))*\s*", side):
        raise InvalidArgument(
            f"rearrange: cannot read {side!r} in {pattern!r}. Expected names, 1, ... and groups in "
            "parentheses, separated by spaces."
        )
    groups = re.findall(r"\(([^)]*)\)|(\w+|\.\.\.)", side)
    return tuple((word,) if word else tuple(inside.split()) for inside, word in groups)


@op(convert="tensor")
def _rearrange(tensor: Any, pattern: str, lengths: dict[str, int]) -> Any:
    """`rearrange` with the lengths in a dict."""
    left, arrow, right = pattern.partition("->")
    if not arrow:
        raise InvalidArgument(f"rearrange: {pattern!r} has no '->'.")
    sizes = shape(tensor)
    source, result = _parse(left.strip(), pattern), _parse(right.strip(), pattern)
    dots = [f"...{i}" for i in range(len(sizes) - len(source) + 1)]

    def spread(groups: Any) -> list[list[str]]:
        """The groups with `...` as so many names."""
        out: list[list[str]] = []
        for group in groups:
            if group == ("...",):
                out += [[name] for name in dots]
            else:
                out.append([n for word in group for n in (dots if word == "..." else [word])])
        return out

    if ("...",) not in source:
        dots = []
    source, result = spread(source), spread(result)
    if len(source) != len(sizes):
        raise ShapeError(
            f"rearrange: the left of {pattern!r} has {len(source)} axes, the tensor {len(sizes)}: "
            f"{tuple(sizes)}."
        )
    before = [n for group in source for n in group if n != "1"]
    after = [n for group in result for n in group if n != "1"]
    unknown = set(lengths) - set(before)
    if sorted(before) != sorted(after) or len(set(before)) != len(before) or unknown:
        raise InvalidArgument(
            f"rearrange: each name must stand once on both sides of {pattern!r}"
            + (f", and lengths be of such names, got {sorted(unknown)}." if unknown else ".")
        )
    length: dict[str, Any] = dict(lengths)
    for group, size in zip(source, sizes, strict=True):
        names = [n for n in group if n != "1"]
        known = 1
        for n in names:
            known = known * length.get(n, 1)
        free = [n for n in names if n not in length]
        bad = len(free) > 1 or (
            isinstance(size, int) and (size % known if free else size != known)
        )
        if bad:
            raise ShapeError(
                f"rearrange: an axis of size {size} cannot be ({' '.join(group)}) with the lengths "
                f"{ {n: length[n] for n in names if n in length} }."
            )
        for n in free:
            length[n] = size // known
    tensor = reshape(tensor, [length[n] for n in before])
    tensor = transpose(tensor, [before.index(n) for n in after])
    final = []
    for group in result:
        size = 1
        for n in group:
            size = size * length.get(n, 1)
        final.append(size)
    return reshape(tensor, final)


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Axes reordered, merged and taken apart, as a pattern shows (in the notation of einops).

    Args:
        tensor: a tensor.
        pattern: names of the axes before and after `->`. A group in parentheses is one axis made
            of several, `1` an axis of size one, `...` any number of axes.
        **axes_lengths: sizes of axes inside groups, where they do not follow.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 6, 4))
    >>> keras.ops.rearrange(x, "b (h w) c -> b c h w", h=2).shape
    (2, 4, 2, 3)
    """
    if not isinstance(pattern, str):
        raise KindError(f"ops.rearrange: a pattern is text such as 'a b -> b a', got {pattern!r}.")
    return _rearrange(tensor, pattern, axes_lengths)


# Functions of slices


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None
) -> Callable[..., Any]:
    """A function of small arrays, made one of arrays of such arrays, which broadcast.

    Args:
        pyfunc: the function.
        excluded: positions and names of arguments that are handed on as they are.
        signature: the axes that `pyfunc` itself works on, such as `"(m,n),(n)->(m)"`; by default
            it works on scalars.

    >>> import kerasish as keras
    >>> larger = keras.ops.vectorize(lambda a, b: keras.ops.maximum(a, b))
    >>> larger([1, 5, 3], 2).tolist()
    [2, 5, 3]
    """
    if not callable(pyfunc):
        raise InvalidArgument(f"vectorize: pyfunc must be a function, got {pyfunc!r}.")
    excluded = set(excluded or ())
    inputs, outputs = (None, None) if signature is None else _signature(signature)

    @functools.wraps(pyfunc)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        where = [i for i in range(len(args)) if i not in excluded]
        names = [k for k in kwargs if k not in excluded]
        arrays = [convert_to_tensor(args[i]) for i in where]
        arrays += [convert_to_tensor(kwargs[k]) for k in names]
        cores = [()] * len(arrays) if inputs is None else inputs
        if len(cores) != len(arrays):
            raise InvalidArgument(
                f"vectorize: the signature {signature!r} takes {len(cores)} arrays, got "
                f"{len(arrays)}."
            )

        def call(slices: Any) -> Any:
            full, named = list(args), dict(kwargs)
            for i, x in zip(where, slices[: len(where)], strict=True):
                full[i] = x
            named.update(zip(names, slices[len(where) :], strict=True))
            return pyfunc(*full, **named)

        size: dict[str, Any] = {}
        loops = []
        for x, core in zip(arrays, cores, strict=True):
            cut = len(x.shape) - len(core)
            if cut < 0:
                raise ShapeError(
                    f"vectorize: an array of shape {tuple(x.shape)} for the core axes {core}."
                )
            loops.append(tuple(shape(x))[:cut])
            for name, n in zip(core, tuple(shape(x))[cut:], strict=True):
                if size.setdefault(name, n) != n:
                    raise ShapeError(f"vectorize: axis {name!r} has sizes {size[name]} and {n}.")
        loop = _broadcast_shapes(loops)
        if not loop:
            return call(arrays)
        flat = [
            reshape(broadcast_to(
                reshape(x, (*(1,) * (len(loop) - len(mine)), *shape(x))),
                (*loop, *(size[name] for name in core)),
            ), (-1, *(size[name] for name in core)))
            for x, core, mine in zip(arrays, cores, loops, strict=True)
        ]  # fmt: skip
        out = ops.vectorized_map(call, flat)
        parts = list(out) if isinstance(out, list | tuple) else [out]
        if outputs is not None and len(outputs) != len(parts):
            raise InvalidArgument(
                f"vectorize: the signature {signature!r} gives {len(outputs)} arrays, the function "
                f"{len(parts)}."
            )
        parts = [reshape(y, (*loop, *shape(y)[1:])) for y in parts]
        return type(out)(parts) if isinstance(out, list | tuple) else parts[0]

    return wrapper


def _signature(text: str) -> tuple[Any, Any]:
    """`"(m,n),(n)->(m)"` as the core axes of inputs and outputs."""
    core = r"\(\s*(\w+(\s*,\s*\w+)*)?\s*\)"
    side = rf"\s*{core}(\s*,\s*{core})*\s*"
    if not re.fullmatch(f"{side}->{side}", text):
        raise InvalidArgument(f"vectorize: {text!r} is not a signature like '(m,n),(n)->(m)'.")
    inputs, outputs = (
        [tuple(re.findall(r"\w+", group)) for group in re.findall(r"\(([^)]*)\)", part)]
        for part in text.split("->")
    )
    return inputs, outputs
