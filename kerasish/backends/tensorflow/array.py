"""TensorFlow: elementwise mathematics, products, reductions and creation."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasish.backends.shapes import axes_of
from kerasish.backends.tensorflow.engine import scalar
from kerasish.errors import DTypeError, ShapeError

arccos = tf.acos
arccosh = tf.acosh
arcsin = tf.asin
arcsinh = tf.asinh
arctan = tf.atan
arctan2 = tf.atan2
arctanh = tf.atanh
ceil = tf.math.ceil
cos = tf.cos
cosh = tf.cosh
divide = tf.realdiv
divide_no_nan = tf.math.divide_no_nan
equal = tf.equal
exp = tf.exp
expm1 = tf.math.expm1
floor = tf.floor
left_shift = tf.bitwise.left_shift
log = tf.math.log
log1p = tf.math.log1p
mod = tf.math.floormod
not_equal = tf.not_equal
reciprocal = tf.math.reciprocal
right_shift = tf.bitwise.right_shift
rsqrt = tf.math.rsqrt
sin = tf.sin
sinh = tf.sinh
sqrt = tf.sqrt
square = tf.square
subtract = tf.subtract
tan = tf.tan
tanh = tf.tanh
_rint = tf.round


def _on_bools(numbers: Callable[..., Any], bools: Callable[..., Any]) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        return bools(*args) if args[0].dtype == tf.bool else numbers(*args)

    return function


def _sharing(extreme: Callable[..., Any]) -> Callable[..., Any]:
    """Where both are equal each gets half of the gradient, as on the other engines."""

    def function(x1: Any, x2: Any) -> Any:
        found = extreme(x1, x2)
        return tf.where(x1 == x2, 0.5 * x1 + 0.5 * x2, found) if x1.dtype.is_floating else found

    return function


def _as_numbers(compare: Callable[..., Any]) -> Callable[..., Any]:
    return _on_bools(compare, lambda a, b: compare(tf.cast(a, tf.uint8), tf.cast(b, tf.uint8)))


add = _on_bools(tf.add, tf.logical_or)
multiply = _on_bools(tf.multiply, tf.logical_and)
maximum = _on_bools(_sharing(tf.maximum), tf.logical_or)
minimum = _on_bools(_sharing(tf.minimum), tf.logical_and)
greater = _as_numbers(tf.greater)
greater_equal = _as_numbers(tf.greater_equal)
less = _as_numbers(tf.less)
less_equal = _as_numbers(tf.less_equal)
bitwise_and = _on_bools(tf.bitwise.bitwise_and, tf.logical_and)
bitwise_not = _on_bools(tf.bitwise.invert, tf.logical_not)
bitwise_or = _on_bools(tf.bitwise.bitwise_or, tf.logical_or)
bitwise_xor = _on_bools(tf.bitwise.bitwise_xor, tf.math.logical_xor)


def _of_parts(test: Callable[..., Any], join: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: (
        join(test(tf.math.real(x)), test(tf.math.imag(x))) if x.dtype.is_complex else test(x)
    )


isfinite = _of_parts(tf.math.is_finite, tf.logical_and)
isinf = _of_parts(tf.math.is_inf, tf.logical_or)
isnan = _of_parts(tf.math.is_nan, tf.logical_or)


def _is_unsigned(x: Any) -> bool:
    return x.dtype.is_unsigned or x.dtype == tf.bool


def absolute(x: Any) -> Any:
    return x if _is_unsigned(x) else tf.abs(x)


def negative(x: Any) -> Any:
    return tf.subtract(tf.zeros_like(x), x) if _is_unsigned(x) else tf.negative(x)


def sign(x: Any) -> Any:
    return tf.cast(x != 0, x.dtype) if _is_unsigned(x) else tf.sign(x)


def power(x1: Any, x2: Any) -> Any:
    if x1.dtype.is_unsigned:
        return tf.cast(tf.pow(tf.cast(x1, tf.int64), tf.cast(x2, tf.int64)), x1.dtype)
    if x1.dtype.is_floating:  # x**0 is flat, also at 0
        x1 = tf.where(x2 == 0, tf.stop_gradient(x1), x1)
    y = tf.pow(x1, x2)
    return tf.where(x2 == 0, tf.ones((), y.dtype), y) if y.dtype.is_complex else y  # else NaN


def trunc(x: Any) -> Any:
    return tf.where(x < 0, tf.math.ceil(x), tf.floor(x)) if x.dtype.is_floating else x


def real(x: Any) -> Any:
    return tf.math.real(x) if x.dtype.is_complex else x


def imag(x: Any) -> Any:
    return tf.math.imag(x) if x.dtype.is_complex else tf.zeros_like(x)


def conjugate(x: Any) -> Any:
    return tf.math.conj(x) if x.dtype.is_complex else x


def _complex(real: Any, imaginary: Any) -> Any:
    if real.dtype not in (tf.float32, tf.float64):
        real, imaginary = tf.cast(real, tf.float32), tf.cast(imaginary, tf.float32)
    return tf.complex(real, imaginary)


def i0(x: Any) -> Any:
    if x.dtype == tf.bfloat16:
        return tf.cast(tf.math.bessel_i0(tf.cast(x, tf.float32)), x.dtype)
    return tf.math.bessel_i0(x)


_BITS = {2: tf.int16, 4: tf.int32, 8: tf.int64}


def signbit(x: Any) -> Any:
    if x.dtype.is_floating:
        x = tf.bitcast(x, _BITS[x.dtype.size])
    return tf.zeros_like(x, tf.bool) if _is_unsigned(x) else x < 0


def nextafter(x1: Any, x2: Any) -> Any:
    if x1.dtype.size > 2:
        return tf.math.nextafter(x1, x2)
    # The bits of floats of one sign count up as the numbers do.
    outward = (x2 > x1) == (x1 > 0)
    bits = tf.bitcast(x1, tf.int16) + tf.where(outward, tf.constant(1, tf.int16), -1)
    least = tf.bitcast(tf.where(x2 < 0, tf.constant(-(2**15) + 1, tf.int16), 1), x1.dtype)
    moved = tf.where(x1 == 0, least, tf.bitcast(bits, x1.dtype))
    unmoved = (x1 == x2) | tf.math.is_nan(x1) | tf.math.is_nan(x2)
    return tf.where(unmoved, x1 + x2 - x1, moved)


def gcd(x1: Any, x2: Any) -> Any:
    if not x1.dtype.is_integer:
        raise DTypeError(f"gcd works on integers, got {x1.dtype.name}.")

    def step(a: Any, b: Any) -> tuple[Any, Any]:
        done = b == 0
        return tf.where(done, a, b), tf.where(done, b, tf.math.floormod(a, tf.where(done, 1, b)))

    shape = tf.broadcast_dynamic_shape(tf.shape(x1), tf.shape(x2))
    pair = tuple(tf.broadcast_to(absolute(x), shape) for x in (x1, x2))
    return tf.while_loop(lambda a, b: tf.reduce_any(b != 0), step, pair)[0]


def _true(x: Any) -> Any:
    return x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros((), x.dtype))


def logical_and(x1: Any, x2: Any) -> Any:
    return tf.logical_and(_true(x1), _true(x2))


def logical_or(x1: Any, x2: Any) -> Any:
    return tf.logical_or(_true(x1), _true(x2))


def logical_xor(x1: Any, x2: Any) -> Any:
    return tf.math.logical_xor(_true(x1), _true(x2))


def logical_not(x: Any) -> Any:
    return tf.logical_not(_true(x))


def floor_divide(x1: Any, x2: Any) -> Any:
    if not x1.dtype.is_floating:
        return tf.math.floordiv(x1, x2)
    # The floor of a rounded quotient may be one too many: 2.0 // (1 / 3) is 5.
    exact = tf.round((x1 - tf.math.floormod(x1, x2)) / x2)
    return tf.where(tf.math.is_finite(exact), exact, tf.floor(x1 / x2))


def where(condition: Any, x1: Any, x2: Any) -> Any:
    if x1 is None:
        return tuple(tf.unstack(tf.cast(tf.where(condition), tf.int32), axis=1))
    return tf.where(_true(condition), x1, x2)


# Products ------------------------------------------------------------------------------------


def matmul(x1: Any, x2: Any) -> Any:
    dtype = x1.dtype
    if dtype.is_integer and dtype.size < 4 or dtype == tf.bool or dtype.is_unsigned:
        wide = tf.int64 if dtype.size == 4 else tf.int32
        y = matmul(tf.cast(x1, wide), tf.cast(x2, wide))
        return y if dtype == tf.int8 else tf.cast(y, dtype)
    rank1, rank2 = x1.shape.rank, x2.shape.rank
    if rank1 == 1:
        return tf.squeeze(matmul(x1[None], x2), -2 if rank2 > 1 else 0)
    if rank2 == 1:
        return tf.squeeze(matmul(x1, x2[:, None]), -1)
    return _by_rows(x1, x2) if rank2 == 2 and rank1 > 2 and x1.shape[-1] != 0 else tf.matmul(x1, x2)


def _by_rows(x: Any, kernel: Any) -> Any:
    """One product of long matrices in place of a stack of short ones."""
    y = tf.matmul(tf.reshape(x, [-1, kernel.shape[0] or tf.shape(kernel)[0]]), kernel)
    sizes = x.shape.as_list()[:-1]
    if sizes.count(None):
        known = tf.shape(x)
        sizes = [known[i] if n is None else n for i, n in enumerate(sizes)]
    return tf.reshape(y, [*sizes, kernel.shape[1] or tf.shape(kernel)[1]])


def _dense(x: Any, kernel: Any, bias: Any) -> Any:
    y = matmul(x, kernel)
    if bias is None:
        return y
    return tf.nn.bias_add(y, bias) if y.shape.rank > 1 else tf.add(y, bias)


# Reductions ----------------------------------------------------------------------------------

_SUM = {
    tf.bool: tf.int32, tf.int8: tf.int32, tf.int16: tf.int32,
    tf.uint8: tf.uint32, tf.uint16: tf.uint32,
}  # fmt: skip
"""Small integers are added up in wider ones, halves (which stop counting early) in float32."""
_HALF = (tf.float16, tf.bfloat16)


def _wide(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(x: Any, axis: Any, keepdims: bool) -> Any:
        if x.dtype in _SUM:
            x = tf.cast(x, _SUM[x.dtype])
        elif x.dtype in _HALF:
            return tf.cast(function(tf.cast(x, tf.float32), axis, keepdims), x.dtype)
        return function(x, axis, keepdims)

    return reduce


def _extreme(
    reduce: Callable[..., Any], choose: Callable[..., Any], of_bools: Callable[..., Any]
) -> Callable[..., Any]:
    def extreme(x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
        if initial is None and 0 in x.shape and builtins.any(
            x.shape[a] == 0 for a in axes_of(axis, x.shape.rank)
        ):
            raise ShapeError(f"A maximum or minimum of no values (shape {tuple(x.shape)}, axis "
                             f"{axis}) needs an `initial` value.")
        found = (of_bools if x.dtype == tf.bool else reduce)(x, axis, keepdims)
        return found if initial is None else choose(found, tf.cast(initial, x.dtype))

    return extreme


def _where_extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def index(x: Any, axis: Any, keepdims: bool) -> Any:
        if axis is not None:
            found = first(x, axis)
            return tf.expand_dims(found, axis) if keepdims else found
        found = first(tf.reshape(x, [-1]), 0)
        return tf.reshape(found, [1] * x.shape.rank) if keepdims else found

    def first(x: Any, axis: int) -> Any:
        found = function(x, axis, tf.int32)
        if not x.dtype.is_floating:
            return found
        nan = tf.math.is_nan(x)  # which TensorFlow passes over
        return tf.where(
            tf.reduce_any(nan, axis), tf.argmax(tf.cast(nan, tf.uint8), axis, tf.int32), found
        )

    return index


sum = _wide(tf.reduce_sum)
_prod = _wide(tf.reduce_prod)
mean = _wide(tf.reduce_mean)
var = _wide(tf.math.reduce_variance)
max = _extreme(tf.reduce_max, maximum, tf.reduce_any)
min = _extreme(tf.reduce_min, minimum, tf.reduce_all)
argmax = _where_extreme(tf.argmax)
argmin = _where_extreme(tf.argmin)
_cumsum = tf.cumsum


def _cumprod(x: Any, axis: int) -> Any:
    # By doubling: TensorFlow's own gradient of cumprod is wrong where an element is zero.
    n = x.shape[axis]
    if n is None:
        n = tf.shape(x)[axis]
    place = tf.reshape(tf.range(n), [-1] + [1] * (x.shape.rank - 1 - axis % x.shape.rank))
    one = tf.ones([], x.dtype)

    def double(shift: Any, x: Any) -> tuple[Any, Any]:
        return 2 * shift, x * tf.where(place >= shift, tf.roll(x, shift, axis), one)

    if not isinstance(n, int):
        return tf.while_loop(lambda shift, _: shift < n, double, (1, x))[1]
    shift = 1
    while shift < n:
        shift, x = double(shift, x)
    return x


def all(x: Any, axis: Any, keepdims: bool) -> Any:
    return tf.reduce_all(_true(x), axis, keepdims)


def any(x: Any, axis: Any, keepdims: bool) -> Any:
    return tf.reduce_any(_true(x), axis, keepdims)


# Creation ------------------------------------------------------------------------------------


def _fill(shape: Any, value: Any, dtype: str) -> Any:
    if "float8" in dtype:  # has no kernel
        return tf.cast(tf.fill(shape, scalar(value, "float32")), dtype)
    return tf.fill(shape, scalar(value, dtype))


def _arange(start: Any, stop: Any, step: Any, dtype: str) -> Any:
    known = builtins.all(isinstance(n, int | float) for n in (start, stop, step))
    if known and (stop - start) * step < 0:
        stop = start  # TensorFlow refuses what is empty elsewhere
    whole = not builtins.any(isinstance(n, float) for n in (start, stop, step))
    if dtype in ("float32", "float64") or (dtype in ("int32", "int64") and whole):
        return tf.range(start, stop, step, dtype)
    if not whole and "float" not in dtype:
        return tf.cast(tf.floor(tf.range(start, stop, step, "float64")), dtype)
    return tf.cast(tf.range(start, stop, step, "float32" if "float" in dtype else "int64"), dtype)
