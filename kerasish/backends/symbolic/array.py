"""Shape rules of elementwise mathematics, products, reductions and creation."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

from kerasish.backends.shapes import axes_of, axis_of
from kerasish.backends.symbolic.engine import Spec, Unknown
from kerasish.dtypes import COMPLEX
from kerasish.errors import DTypeError, InvalidArgument, ShapeError


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape; an unknown size gives way to a known one other than 1."""
    rank = builtins.max(map(len, shapes))
    out = []
    for sizes in zip(*[(1,) * (rank - len(s)) + tuple(s) for s in shapes], strict=True):
        size = 1
        for n in sizes:
            if n == 1 or n == size:
                continue
            if size == 1 or type(size) is Unknown and type(n) is not Unknown:
                size = n
            elif type(n) is not Unknown:
                raise ShapeError(f"Shapes {' and '.join(map(str, shapes))} do not broadcast.")
        out.append(size)
    return tuple(out)


def _real(dtype: str) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def _elementwise(dtype: Callable[[str], str]) -> Callable[..., Spec]:
    def rule(*args: Spec) -> Spec:
        if len(args) == 1:
            return Spec(args[0].shape, dtype(args[0].dtype))
        return Spec(broadcast(*[a.shape for a in args]), dtype(args[0].dtype))

    return rule


_KEEP = """
add arccos arccosh arcsin arcsinh arctan arctan2 arctanh ceil conjugate cos cosh divide exp expm1
floor floor_divide i0 log log1p maximum minimum mod multiply negative nextafter power sign sin sinh
sqrt subtract tan tanh trunc _rint
"""
_INTEGERS = "bitwise_and bitwise_not bitwise_or bitwise_xor gcd left_shift right_shift"
_TRUTHS = """
equal greater greater_equal isfinite isinf isnan less less_equal logical_and logical_not
logical_or logical_xor not_equal signbit
"""


def _integer(dtype: str) -> str:
    if "float" in dtype or dtype in COMPLEX:
        raise DTypeError(f"This operation works on integers, got {dtype}.")
    return dtype


for _names, _dtype in (
    (_KEEP, lambda d: d), (_INTEGERS, _integer), (_TRUTHS, lambda d: "bool"),
    ("absolute real imag", _real),
    ("_complex", lambda d: "complex128" if d == "float64" else "complex64"),
):  # fmt: skip
    for _name in _names.split():
        globals()[_name] = _elementwise(_dtype)


def where(condition: Spec, x1: Spec | None, x2: Spec | None) -> Any:
    if x1 is None and x2 is None:
        return tuple(Spec((Unknown(condition.size),), "int32") for _ in condition.shape)
    if x1 is None or x2 is None:
        raise InvalidArgument("where takes both x1 and x2, or neither.")
    return Spec(broadcast(condition.shape, x1.shape, x2.shape), x1.dtype)


def matmul(x1: Spec, x2: Spec) -> Spec:
    if not x1.shape or not x2.shape:
        raise ShapeError(f"A product of matrices needs axes, got {x1.shape} and {x2.shape}.")
    a = x1.shape if len(x1.shape) > 1 else (1, *x1.shape)
    b = x2.shape if len(x2.shape) > 1 else (*x2.shape, 1)
    if a[-1] != b[-2] and type(a[-1]) is not Unknown and type(b[-2]) is not Unknown:
        raise ShapeError(
            f"Shapes {x1.shape} and {x2.shape} do not fit: the last axis of the first has "
            f"{a[-1]} elements, the axis of the second that it meets has {b[-2]}."
        )
    rows = a[-2:-1] if len(x1.shape) > 1 else ()
    columns = b[-1:] if len(x2.shape) > 1 else ()
    dtype = "int32" if x1.dtype == "int8" else x1.dtype
    return Spec((*broadcast(a[:-2], b[:-2]), *rows, *columns), dtype)


def _reduced(x: Spec, axis: Any, keepdims: bool) -> tuple[int, ...]:
    axes = axes_of(axis, len(x.shape))
    if keepdims:
        return tuple([1 if i in axes else n for i, n in enumerate(x.shape)])
    return tuple([n for i, n in enumerate(x.shape) if i not in axes])


_SUM = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}


def _reducer(dtype: Callable[[str], str]) -> Callable[..., Spec]:
    return lambda x, axis, keepdims: Spec(_reduced(x, axis, keepdims), dtype(x.dtype))


sum = _prod = _reducer(lambda d: _SUM.get(d, d))
mean = _reducer(lambda d: d)
var = std = _reducer(_real)
all = any = _reducer(lambda d: "bool")


def argmax(x: Spec, axis: Any, keepdims: bool) -> Spec:
    if 0 in (x.shape if axis is None else [x.shape[axis_of(axis, x.ndim)]]):
        raise ShapeError(f"No value is the greatest or least of none (shape {x.shape}).")
    return Spec(_reduced(x, axis, keepdims), "int32")


argmin = argmax


def max(x: Spec, axis: Any, keepdims: bool, initial: Any) -> Spec:
    if initial is None and 0 in x.shape and 0 in [x.shape[a] for a in axes_of(axis, x.ndim)]:
        raise ShapeError(f"A maximum or minimum of no values (shape {x.shape}, axis {axis}) needs "
                         "an `initial` value.")
    return Spec(_reduced(x, axis, keepdims), x.dtype)


min = max


def _cumsum(x: Spec, axis: int) -> Spec:
    return x


_cumprod = _cumsum


def _fill(shape: Any, value: Any, dtype: str) -> Spec:
    return Spec(shape, dtype)


def _arange(start: Any, stop: Any, step: Any, dtype: str) -> Spec:
    for bound in (start, stop, step):
        if type(bound) is Spec:
            bound._no_value()
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        size = -((start - stop) // step)
    else:
        size = math.ceil((stop - start) / step)
    return Spec((size if size > 0 else 0,), dtype)


