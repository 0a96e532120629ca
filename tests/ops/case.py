"""One row describes how an op is tested; `test_cases.py` turns rows into tests.

    case("softmax", x(3, 4), axis=-1, ref=scipy.special.softmax)

`ref` is an independent truth: a function of NumPy arrays (called with the same arguments) or a
value. Random inputs come from `x`, `pos`, `unit`, `ints`, `bools`; each is seeded by the text of
the line that asks for it, so that a new row changes the numbers of no other.
"""

from __future__ import annotations

import collections
import dataclasses
import linecache
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS: list[Case] = []


@dataclasses.dataclass
class Case:
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    ref: Any
    grad: bool = True
    """Check the gradient of float inputs (turn off where the op is not differentiable)."""
    tol: float = 1e-5
    grad_tol: float = 1e-4
    symbolic: bool = True
    """Check the symbolic shape and dtype (turn off for data-dependent shapes)."""
    skip: dict[str, str] = dataclasses.field(default_factory=dict)
    """Backend -> why it truly cannot."""
    through: Callable[..., Any] | None = None
    """`through(op, *args, **kwargs)` is tested in place of `op(*args, **kwargs)`: what is unique
    about results that are not (vectors up to their sign), or on inputs of a kind (symmetric)."""
    path: str = ""
    number: int = 0

    @property
    def id(self) -> str:
        return f"{self.name}-{self.number}"


def case(
    name: str, *args: Any, ref: Any, grad: bool | None = None, tol: float = 1e-5,
    grad_tol: float = 1e-3, symbolic: bool = True, skip: dict[str, str] | None = None,
    through: Callable[..., Any] | None = None, **kwargs: Any,
) -> None:  # fmt: skip
    """Adds a row. `name` is the op's path below `keras.ops` (`"image.resize"`) or below `keras`
    when it begins with a dot (`".random.shuffle"`)."""
    number = sum(row.name == name for row in ROWS)
    if grad is None:
        grad = any(_is_float(a) for a in _leaves(args))
    ROWS.append(Case(name, args, kwargs, ref, grad, tol, grad_tol, symbolic, skip or {},
                     through, number=number))


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, list | tuple):
        return [leaf for y in x for leaf in _leaves(y)]
    return [x]


def _is_float(a: Any) -> bool:
    return isinstance(a, np.ndarray) and a.dtype.kind == "f"


_DRAWS: collections.Counter[str] = collections.Counter()


def _rng() -> np.random.Generator:
    """By the line of the row and how often it has drawn: two arrays of a row are never alike."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__:
        frame = frame.f_back
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    _DRAWS[line] += 1
    return np.random.default_rng(zlib.crc32(f"{line} {_DRAWS[line]}".encode()))


def x(*shape: int, dtype: str = "float32", low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Floats between low and high, no two equal (ties have no gradient to test)."""
    return _rng().uniform(low, high, shape).astype(dtype)


def pos(*shape: int, dtype: str = "float32") -> np.ndarray:
    return x(*shape, dtype=dtype, low=0.3, high=2.5)


def unit(*shape: int, dtype: str = "float32") -> np.ndarray:
    return x(*shape, dtype=dtype, low=-0.9, high=0.9)


def ints(*shape: int, low: int = 0, high: int = 5, dtype: str = "int32") -> np.ndarray:
    return _rng().integers(low, high, shape).astype(dtype)


def bools(*shape: int) -> np.ndarray:
    return _rng().integers(0, 2, shape).astype(bool)


def each(names: str, *args: Any, ref: Callable[[str], Any], **options: Any) -> None:
    """The same row for several ops; `ref` maps a name to its reference."""
    for name in names.split():
        case(name, *args, ref=ref(name), **options)
