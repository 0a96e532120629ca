"""JAX: elementwise mathematics, products, reductions and creation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kerasish.backends import bodies
from kerasish.backends.jax.engine import native_dtype
from kerasish.errors import InvalidArgument

add = jnp.add
arccos = jnp.arccos
arccosh = jnp.arccosh
arcsin = jnp.arcsin
arcsinh = jnp.arcsinh
arctan = jnp.arctan
arctan2 = jnp.arctan2
arctanh = jnp.arctanh
bitwise_and = jnp.bitwise_and
bitwise_not = jnp.bitwise_not
bitwise_or = jnp.bitwise_or
bitwise_xor = jnp.bitwise_xor
cbrt = jnp.cbrt
ceil = jnp.ceil
conjugate = jnp.conjugate
cos = jnp.cos
cosh = jnp.cosh
divide = jnp.divide
equal = jnp.equal
exp = jnp.exp
exp2 = jnp.exp2
expm1 = jnp.expm1
floor = jnp.floor
floor_divide = jnp.floor_divide
fmod = jnp.fmod
gcd = jnp.gcd
greater = jnp.greater
greater_equal = jnp.greater_equal
heaviside = jnp.heaviside
i0 = jnp.i0
imag = jnp.imag
isfinite = jnp.isfinite
isinf = jnp.isinf
isnan = jnp.isnan
lcm = jnp.lcm
left_shift = jnp.left_shift
less = jnp.less
less_equal = jnp.less_equal
log = jnp.log
log10 = jnp.log10
log1p = jnp.log1p
log2 = jnp.log2
logical_and = jnp.logical_and
logical_not = jnp.logical_not
logical_or = jnp.logical_or
logical_xor = jnp.logical_xor
maximum = jnp.maximum
minimum = jnp.minimum
mod = jnp.mod
multiply = jnp.multiply
negative = jnp.negative
nextafter = jnp.nextafter
not_equal = jnp.not_equal
real = jnp.real
reciprocal = jnp.reciprocal
right_shift = jnp.right_shift
rsqrt = jax.lax.rsqrt
sign = jnp.sign
signbit = jnp.signbit
sin = jnp.sin
sinh = jnp.sinh
sqrt = jnp.sqrt
square = jnp.square
subtract = jnp.subtract
tan = jnp.tan
tanh = jnp.tanh
trunc = jnp.trunc
_rint = jnp.rint


@jax.jit
def absolute(x: Any) -> Any:
    # The slope at 0 is 0, as on the other engines, where JAX's own is 1.
    return x * jnp.sign(x) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.absolute(x)


def ldexp(x1: Any, x2: Any) -> Any:
    return jnp.ldexp(x1, x2) if x2.dtype.kind in "iu" else bodies["ldexp"](x1, x2)


@jax.jit
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    x = x if x_min is None else jnp.where(x < x_min, x_min, x)
    return x if x_max is None else jnp.where(x > x_max, x_max, x)


def power(x1: Any, x2: Any) -> Any:
    # On the host: what JAX computes beside a traced x1 would be traced.
    if x1.dtype.kind == "i" and not isinstance(x2, jax.core.Tracer) and (np.asarray(x2) < 0).any():
        raise InvalidArgument("Integers have no negative powers: make x1 or x2 float.")
    return _power(x1, x2)


@jax.jit
def _power(x1: Any, x2: Any) -> Any:
    if jnp.issubdtype(x1.dtype, jnp.floating):  # x**0 is flat, also at 0
        x1 = jnp.where(x2 == 0, jax.lax.stop_gradient(x1), x1)
    return jnp.power(x1, x2)


def _complex(real: Any, imaginary: Any) -> Any:
    if real.dtype.itemsize < 4:
        real, imaginary = real.astype("float32"), imaginary.astype("float32")
    return jax.lax.complex(real, imaginary)


def where(condition: Any, x1: Any, x2: Any) -> Any:
    return jnp.where(condition) if x1 is None else jnp.where(condition, x1, x2)


def matmul(x1: Any, x2: Any) -> Any:
    if x1.dtype == jnp.int8:
        return jnp.matmul(x1, x2, preferred_element_type=jnp.int32)
    return jnp.matmul(x1, x2)


def _axes(axis: Any) -> Any:
    return tuple(axis) if type(axis) is list else axis


def _reducer(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis, keepdims: function(x, axis=_axes(axis), keepdims=keepdims)


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis, keepdims, initial: function(
        x, axis=_axes(axis), keepdims=keepdims, initial=initial
    )


def _where_extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims).astype("int32")


sum = _reducer(jnp.sum)
_prod = _reducer(jnp.prod)
mean = _reducer(jnp.mean)
var = _reducer(jnp.var)
all = _reducer(jnp.all)
any = _reducer(jnp.any)
max = _extreme(jnp.max)
min = _extreme(jnp.min)
argmax = _where_extreme(jnp.argmax)
argmin = _where_extreme(jnp.argmin)


def _cumsum(x: Any, axis: int) -> Any:
    return jnp.cumsum(x, axis, x.dtype)


def _cumprod(x: Any, axis: int) -> Any:
    return jnp.cumprod(x, axis, x.dtype)


def _fill(shape: Any, value: Any, dtype: str) -> Any:
    return jnp.full(shape, value, native_dtype(dtype))


def _arange(start: Any, stop: Any, step: Any, dtype: str) -> Any:
    return jnp.arange(start, stop, step, native_dtype(dtype))
