"""NumPy: elementwise mathematics, products, reductions and creation.

Most entries are NumPy's own functions, for which `rules.py` has the gradients. Numbers of two
bytes (float16, bfloat16) keep their dtype but are added up and multiplied as float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.backends import bodies
from kerasish.backends.numpy.rules import bessel_i0, choose, make_complex
from kerasish.backends.numpy.tape import fused
from kerasish.backends.shapes import axes_of
from kerasish.dtypes import numpy_dtype
from kerasish.errors import InvalidArgument

absolute = np.absolute
add = np.add
arccos = np.arccos
arccosh = np.arccosh
arcsin = np.arcsin
arcsinh = np.arcsinh
arctan = np.arctan
arctan2 = np.arctan2
arctanh = np.arctanh
bitwise_and = np.bitwise_and
bitwise_not = np.invert
bitwise_or = np.bitwise_or
bitwise_xor = np.bitwise_xor
cbrt = np.cbrt
ceil = np.ceil
cos = np.cos
cosh = np.cosh
divide = np.divide
equal = np.equal
exp = np.exp
exp2 = np.exp2
expm1 = np.expm1
floor = np.floor
floor_divide = np.floor_divide
fmax = np.fmax
fmin = np.fmin
fmod = np.fmod
gcd = np.gcd
greater = np.greater
greater_equal = np.greater_equal
heaviside = np.heaviside
hypot = np.hypot
i0 = bessel_i0
imag = np.imag
isclose = np.isclose
isfinite = np.isfinite
isinf = np.isinf
isnan = np.isnan
lcm = np.lcm
left_shift = np.left_shift
less = np.less
less_equal = np.less_equal
log = np.log
log10 = np.log10
log1p = np.log1p
log2 = np.log2
logaddexp = np.logaddexp
logaddexp2 = np.logaddexp2
logical_and = np.logical_and
logical_not = np.logical_not
logical_or = np.logical_or
logical_xor = np.logical_xor
maximum = np.maximum
minimum = np.minimum
mod = np.remainder
multiply = np.multiply
negative = np.negative
nextafter = np.nextafter
not_equal = np.not_equal
power = np.power
real = np.real
reciprocal = np.reciprocal
right_shift = np.right_shift
sign = np.sign
signbit = np.signbit
sin = np.sin
sinh = np.sinh
sqrt = np.sqrt
square = np.square
subtract = np.subtract
tan = np.tan
tanh = np.tanh
trunc = np.trunc
_complex = make_complex
_rint = np.rint


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    if x.dtype.char != "E":
        return np.clip(x, x_min, x_max)
    x = x if x_min is None else np.maximum(x, x_min)  # np.clip would give float32 here
    return x if x_max is None else np.minimum(x, x_max)


def conjugate(x: Any) -> Any:
    return np.conjugate(x) if x.dtype.kind == "c" else x


def rsqrt(x: Any) -> Any:
    return np.reciprocal(np.sqrt(x))


def where(condition: Any, x1: Any, x2: Any) -> Any:
    if x1 is None:
        return tuple(i.astype(np.int32) for i in np.nonzero(condition))
    if x2 is None:
        raise InvalidArgument("where takes both x1 and x2, or neither.")
    return choose(condition, x1, x2)


# Products ------------------------------------------------------------------------------------

_NARROW = frozenset("e?bBE")
"""The type characters of float16, bool, (u)int8 and bfloat16."""


def matmul(x1: Any, x2: Any) -> Any:
    if x1.dtype.char in _NARROW:
        return _narrow_matmul(x1, x2)
    return np.matmul(x1, x2)


def _narrow_matmul(x1: Any, x2: Any) -> Any:
    dtype = x1.dtype
    if dtype.char in "?B":
        return np.matmul(x1, x2)
    wide = np.int32 if dtype.char == "b" else np.float32
    y = np.matmul(x1.astype(wide), x2.astype(wide))
    return y if dtype.char == "b" else y.astype(dtype)


def _dense_body(x: Any, kernel: Any, bias: Any) -> Any:
    y = matmul(x, kernel)
    return y if bias is None else y + bias


def _product(a: Any, b: Any) -> Any:
    """Of two matrices. `dot` asks BLAS for what `matmul` does, with a third of the overhead."""
    return _narrow_matmul(a, b) if a.dtype.char in _NARROW else a.dot(b)


@fused(_dense_body)
def _dense(x: Any, kernel: Any, bias: Any) -> tuple[Any, None]:
    # One two-dimensional product, which BLAS does faster than a stack of small ones.
    rows = x if x.ndim == 2 else x.reshape(-1, kernel.shape[0])
    y = _product(rows, kernel)
    if bias is not None:
        y += bias
    return (y if x.ndim == 2 else y.reshape(*x.shape[:-1], kernel.shape[1])), None


def _dense_pullback(
    g: Any, saved: None, wanted: list[bool], x: Any, kernel: Any, bias: Any
) -> tuple[Any, Any, Any]:
    k, n = kernel.shape
    flat = g if g.ndim == 2 else g.reshape(-1, n)
    gx = gk = gb = None
    if wanted[0]:
        gx = _product(flat, kernel.T).reshape(x.shape)
    if wanted[1]:
        gk = _product((x if x.ndim == 2 else x.reshape(-1, k)).T, flat)
    if wanted[2]:
        gb = sum(flat, 0, False)
    return gx, gk, gb


_dense.pullback = _dense_pullback


# Reductions ----------------------------------------------------------------------------------

_SUM = {
    "?": np.dtype("int32"), "b": np.dtype("int32"), "h": np.dtype("int32"),
    "B": np.dtype("uint32"), "H": np.dtype("uint32"),
}  # fmt: skip
"""Small integers are added up in wider ones; NumPy alone would go to 64 bits."""
_HALF = frozenset("eE")


def ldexp(x1: Any, x2: Any) -> Any:
    return np.ldexp(x1, x2) if x2.dtype.kind in "iu" else bodies["ldexp"](x1, x2)


def _axes(axis: Any, x: Any) -> Any:
    if not (x.ndim or axis is None):
        axes_of(axis, 0)  # NumPy counts a scalar as a vector here
    return tuple(axis) if type(axis) is list else axis


def _reducer(function: Any) -> Any:
    """A sum or product that keeps dtypes: float32 stays, small ones go through wider ones."""

    def reduce(x: Any, axis: Any, keepdims: bool) -> Any:
        dtype = x.dtype
        if dtype.char in _HALF:
            wide = function(x.astype(np.float32), axis=_axes(axis, x), keepdims=keepdims)
            return wide.astype(dtype)
        if dtype.kind in "biu":
            return function(
                x, axis=_axes(axis, x), dtype=_SUM.get(dtype.char, dtype), keepdims=keepdims
            )
        return function(x, axis=_axes(axis, x), keepdims=keepdims)

    return reduce


def _plain(function: Any) -> Any:
    return lambda x, axis, keepdims: function(x, axis=_axes(axis, x), keepdims=keepdims)


# ufunc.reduce: the same as np.sum, np.prod and np.max, less a Python wrapper.
sum = _reducer(np.add.reduce)
_prod = _reducer(np.multiply.reduce)
_mean = _reducer(np.mean)
var = _reducer(np.var)
std = _reducer(np.std)
all = _plain(np.all)
any = _plain(np.any)


@fused(lambda x: np.mean(x))
def _mean_of_all(x: Any) -> tuple[Any, None]:
    return np.add.reduce(x, None) / x.dtype.type(x.size), None


_mean_of_all.pullback = lambda g, saved, wanted, x: (np.full_like(x, g / x.size),)


def mean(x: Any, axis: Any, keepdims: bool) -> Any:
    if axis is None and not keepdims and x.dtype.char in "fd" and x.size:  # as of every loss
        return _mean_of_all(x)
    return _mean(x, axis, keepdims)


def max(x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    if initial is None:
        return np.maximum.reduce(x, axis=_axes(axis, x), keepdims=keepdims)
    if 0 in x.shape:
        return np.max(x, axis=_axes(axis, x), keepdims=keepdims, initial=initial)
    return np.maximum(np.max(x, axis=_axes(axis, x), keepdims=keepdims), x.dtype.type(initial))


def min(x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    if initial is None:
        return np.minimum.reduce(x, axis=_axes(axis, x), keepdims=keepdims)
    if 0 in x.shape:
        return np.min(x, axis=_axes(axis, x), keepdims=keepdims, initial=initial)
    return np.minimum(np.min(x, axis=_axes(axis, x), keepdims=keepdims), x.dtype.type(initial))


def argmax(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.argmax(x, axis=_axes(axis, x), keepdims=keepdims).astype(np.int32)


def argmin(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.argmin(x, axis=_axes(axis, x), keepdims=keepdims).astype(np.int32)


def _cumsum(x: Any, axis: int) -> Any:
    return np.cumsum(x, axis, x.dtype)


def _cumprod(x: Any, axis: int) -> Any:
    return np.cumprod(x, axis, x.dtype)


# Creation ------------------------------------------------------------------------------------


def _fill(shape: Any, value: Any, dtype: str) -> Any:
    if value == 0:
        return np.zeros(shape, numpy_dtype(dtype))
    return np.full(shape, value, numpy_dtype(dtype))


def _arange(start: Any, stop: Any, step: Any, dtype: str) -> Any:
    if dtype == "bfloat16":
        return np.arange(start, stop, step, dtype=np.float32).astype(numpy_dtype(dtype))
    return np.arange(start, stop, step, dtype=numpy_dtype(dtype))
