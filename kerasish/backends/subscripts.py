"""Reading Einstein's notation, for adapters that carry it out themselves."""

from __future__ import annotations

import functools
import string
from collections.abc import Sequence

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


def sizes(terms: Sequence[str], shapes: Sequence[Sequence[int]]) -> dict[str, int]:
    """The size of each letter; an axis of size one broadcasts."""
    size: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for c, n in zip(term, shape, strict=True):
            known = size.setdefault(c, n)
            if known == 1 or (n != 1 and type(known) is not int):
                size[c] = n  # in shape inference an unknown size gives way to a known one
            elif n not in (1, known) and type(n) is int:
                raise ShapeError(
                    f"einsum: {c!r} has the sizes {known} and {n} in operands of the shapes "
                    f"{[tuple(map(int, s)) for s in shapes]}, read as {','.join(terms)!r}."
                )
    return size


@functools.lru_cache(maxsize=1024)
def order(
    terms: tuple[str, ...], out: str, shapes: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    """Which operands to contract with each other, one after the other."""
    stand_ins = [np.broadcast_to(np.empty(()), s) for s in shapes]
    how = "optimal" if len(terms) <= 5 else "greedy"
    path = np.einsum_path(f"{','.join(terms)}->{out}", *stand_ins, optimize=how)[0]
    return tuple(path[1:])
