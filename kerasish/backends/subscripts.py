"""Reading Einstein's notation, for adapters that carry it out themselves."""

from __future__ import annotations

import functools
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish.errors import InvalidArgument, ShapeError


@functools.lru_cache(maxsize=1024)
def parse(subscripts: str, ndims: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The letters of each operand and of the result, with `...` spelled out in free letters."""
    left, arrow, out = subscripts.partition("->")
    terms = left.split(",")
    free = [c for c in string.ascii_letters if c not in subscripts]
    dots = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True)]
    for term, n, extra in zip(terms, ndims, dots, strict=True):
        if extra < 0 or (extra and "..." not in term):
            raise ShapeError(
                f"einsum: {term!r} in {subscripts!r} does not fit an operand of {n} axes."
            )
    most = "".join(free[: max([d for t, d in zip(terms, dots, strict=True) if "..." in t] or [0])])
    terms = [t.replace("...", most[len(most) - d :]) for t, d in zip(terms, dots, strict=True)]
    letters = "".join(terms)
    if arrow:
        out = out.replace("...", most)
    else:  # by default: the letters that occur once, in alphabetic order
        out = most + "".join(c for c in sorted(set(letters) - {*most}) if letters.count(c) == 1)
    if len(set(out)) != len(out) or not set(out) <= set(letters) or not (out + letters).isalpha() \
            and out + letters:
        raise InvalidArgument(
            f"einsum: cannot read {subscripts!r}. Expected letters for each operand, ... at most "
            "once in each, and after -> letters that occur before it, each once."
        )
    return tuple(terms), out


def sizes(terms: Sequence[str], shapes: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The size of each letter; an axis of size one broadcasts to that of another operand."""
    size: dict[str, Any] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for c, n in zip(term, shape, strict=True):
            known = size.setdefault(c, n)
            alike = {m for d, m in zip(term, shape, strict=True) if d == c and type(m) is int}
            if len(alike) < 2 and (known == 1 or (n != 1 and type(known) is not int)):
                size[c] = n  # in shape inference an unknown size gives way to a known one
            elif len(alike) > 1 or (n not in (1, known) and type(n) is int):
                raise ShapeError(
                    f"einsum: {c!r} has the sizes {' and '.join(map(str, alike | {known, n}))} in "
                    f"operands of the shapes {[tuple(s) for s in shapes]}, read as "
                    f"{','.join(terms)!r}."
                )
    return size


@functools.lru_cache(maxsize=1024)
def without_ones(
    subscripts: str, shapes: tuple[tuple[int | None, ...], ...]
) -> tuple[str, list[tuple[int, ...]]]:
    """The einsum without the axes of size one that broadcast to another operand's, and which
    axes of each operand those are."""
    terms, out = parse(subscripts, tuple(map(len, shapes)))
    size = sizes(terms, shapes)
    ones = [
        tuple(i for i, (c, n) in enumerate(zip(t, shape, strict=True)) if n == 1 != size[c])
        for t, shape in zip(terms, shapes, strict=True)
    ]
    if not any(ones):
        return subscripts, ones
    left = [
        "".join(c for i, c in enumerate(t) if i not in gone)
        for t, gone in zip(terms, ones, strict=True)
    ]
    return f"{','.join(left)}->{out}", ones


@functools.lru_cache(maxsize=1024)
def plan(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[Any, Any, Any]:
    """How to compute an einsum from sums and products of two.

    Returns:
        For each operand what to do first, as `(function name, argument)`; the products, as
        (position of one operand, of the other, subscripts), each of which takes both from the
        list and puts its result at the end; and the order of the axes at last, or `None`.
    """
    subscripts, ones = without_ones(subscripts, shapes)
    shapes = tuple(
        tuple(n for i, n in enumerate(shape) if i not in gone)
        for shape, gone in zip(shapes, ones, strict=True)
    )
    terms, out = parse(subscripts, tuple(map(len, shapes)))
    size = sizes(terms, shapes)
    first, left = [], []
    for i, (term, gone) in enumerate(zip(terms, ones, strict=True)):
        elsewhere = {*out}.union(*(t for j, t in enumerate(terms) if j != i))
        steps, term = _simplify(term, elsewhere)
        steps = [("squeeze", gone), *steps] if gone else steps
        first.append(steps)
        left.append(term)
    products = []
    for group in _order(left, out, size):
        chosen = [left[k] for k in group]
        left = [t for k, t in enumerate(left) if k not in group]
        positions = list(group)
        while len(chosen) > 1:
            a, b, *chosen = chosen
            needed = {*out}.union(*left, *chosen)
            result = "".join(c for c in dict.fromkeys(a + b) if c in needed)
            if not left and not chosen:
                result = out
            i, j, *positions = positions
            products.append((i, j, f"{a},{b}->{result}"))
            # What is taken out of the list moves the others; the result stands at its end.
            end = len(left) + len(chosen)
            positions = [end, *(k - (k > i) - (k > j) for k in positions)]
            chosen = [result, *chosen]
        left += chosen
    (term,) = left
    return first, products, None if term == out else tuple(map(term.index, out))


def _simplify(term: str, elsewhere: set[str]) -> tuple[list[tuple[str, Any]], str]:
    """Takes diagonals, and sums the axes that stand nowhere else."""
    steps: list[tuple[str, Any]] = []
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            a, b = term.index(c), term.rindex(c)
            steps.append(("diagonal", (a, b)))
            term = "".join(d for i, d in enumerate(term) if i not in (a, b)) + c
    alone = {*term} - elsewhere
    if alone:
        steps.append(("sum", tuple(term.index(c) for c in term if c in alone)))
        term = "".join(c for c in term if c not in alone)
    return steps, term


def _order(terms: Sequence[str], out: str, size: dict[str, int]) -> list[tuple[int, ...]]:
    """Which operands to multiply with each other, one group after the other."""
    if len(terms) < 3:
        return [tuple(range(len(terms)))]
    stand_ins = [np.broadcast_to(np.empty(()), [size[c] for c in t]) for t in terms]
    how = "optimal" if len(terms) <= 5 else "greedy"
    return np.einsum_path(f"{','.join(terms)}->{out}", *stand_ins, optimize=how)[0][1:]
