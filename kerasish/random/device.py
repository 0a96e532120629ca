"""Random numbers on the device, from bits that are a function of a counter.

Word `i` of a draw is a hash of `i` and two key words; the keys come from the seed, its counter
and the number of the draw (the lane) by a small Feistel cipher, so different seeds and counters
never share a key. All of it is 32-bit integer arithmetic: the bits are equal on every engine,
inside and outside compiled functions. The hash of one key is a permutation of the 32-bit numbers.
(The mixing constants are those of C. Wellons' hash prospector: `lowbias32` and `triple32`.)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import backends, dtypes, ops
from kerasish.backends.hashing import LANE, ROUNDS, WORD, signed
from kerasish.core.op import op
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.random.seed import draw_seed


def _shift(x: Any, n: int) -> Any:
    """`x >> n` of an int32 tensor, with zeros coming in."""
    return ops.bitwise_and(ops.right_shift(x, n), (1 << 32 - n) - 1)


def _fold(x: Any, n: int) -> Any:
    return ops.bitwise_xor(x, _shift(x, n))


def _times(x: Any, factor: int) -> Any:
    return ops.multiply(x, signed(factor))


def size_of(shape: Any) -> Any:
    """The number of elements: an int where the sizes are known, else a tensor."""
    size: Any = 1
    for d in shape:
        size = size * d
    return size


@op
def _random_bits(seed: Any, shape: tuple[int, ...], lane: int = 0) -> Any:
    """Random 32-bit words, as int32."""
    # Arrays of one element, not scalars, which would warn of overflow on NumPy.
    words = ops.reshape(ops.cast(ops.convert_to_tensor(seed), "int32"), (2, 1))
    a, b = words[0], words[1]
    for r in ROUNDS:
        x = _fold(ops.bitwise_xor(b, signed(r ^ lane * LANE)), 16)
        x = _fold(_times(x, 0x7FEB352D), 15)
        a, b = b, ops.bitwise_xor(a, _fold(_times(x, 0x846CA68B), 16))
    x = _fold(ops.bitwise_xor(ops.arange(size_of(shape), dtype="int32"), a), 17)
    x = _fold(ops.bitwise_xor(_times(x, 0xED5AD4BB), b), 11)
    x = _fold(_times(x, 0xAC4C1B51), 15)
    return ops.reshape(_fold(_times(x, 0x31848BAB), 14), shape)


@op
def _random_uniform(seed: Any, shape: tuple[int, ...], dtype: str, lane: int = 0) -> Any:
    """Floats in [0, 1), with as many bits as the dtype tells apart near 1."""
    n = {"float16": 11, "bfloat16": 8, "float64": 31}.get(dtype, 24)
    bits = _shift(_random_bits(seed, shape, lane), 32 - n)
    return ops.multiply(ops.cast(bits, dtype), 2.0**-n)


@op
def _random_normal(seed: Any, shape: tuple[int, ...], dtype: str, lane: int = 0) -> Any:
    """Standard normal floats by the method of Box and Muller."""
    work = dtype if dtype == "float64" else "float32"
    size = size_of(shape)
    bits = _random_bits(seed, (2, (size + 1) // 2), lane)
    u = ops.multiply(ops.add(ops.cast(_shift(bits[0], 1), work), 1.0), 2.0**-31)
    radius = ops.sqrt(ops.multiply(ops.log(u), -2.0))
    both = ops.concatenate([ops.multiply(radius, x) for x in _circle(bits[1], work)])
    return ops.cast(ops.reshape(both[:size], shape), dtype)


def _circle(words: Any, dtype: str) -> tuple[Any, Any]:
    """The cosine and sine of the angle `words * pi / 2**31`."""
    if dtype == "float64":
        angle = ops.multiply(ops.cast(words, dtype), math.pi * 2.0**-31)
        return ops.cos(angle), ops.sin(angle)
    # An eighth of a turn off, the top two bits are the quarter and the others an angle within
    # pi / 4 of it, where a few terms do (S. Moshier's); XLA's own functions take 20 times as long.
    words = ops.add(words, 1 << 29)
    low = ops.subtract(ops.bitwise_and(words, (1 << 30) - 1), 1 << 29)
    angle = ops.multiply(ops.cast(low, dtype), math.pi * 2.0**-31)
    square = ops.multiply(angle, angle)
    sine = ops.multiply(angle, _polynomial(square, _SINE))
    cosine = _polynomial(square, _COSINE)
    odd = ops.not_equal(ops.bitwise_and(words, 1 << 30), 0)
    x, y = ops.where(odd, ops.negative(sine), cosine), ops.where(odd, cosine, sine)
    back = ops.less(words, 0)
    return tuple(ops.where(back, ops.negative(z), z) for z in (x, y))


def _polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """The value by Horner's rule, from the highest coefficient to the lowest."""
    y = ops.add(ops.multiply(x, coefficients[0]), coefficients[1])
    for c in coefficients[2:]:
        y = ops.add(ops.multiply(y, x), c)
    return y


_SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1, 1.0)
_COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5, 1.0)
_ERFINV = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
"""The middle part of the inverse error function (M. Giles, 2010), which two sigmas stay in."""


@op
def _random_truncated(seed: Any, shape: tuple[int, ...], dtype: str, lane: int = 0) -> Any:
    """Standard normal floats between -2 and 2, by the inverse of the distribution function."""
    work = dtype if dtype == "float64" else "float32"
    bits = ops.right_shift(_random_bits(seed, shape, lane), 8)  # signed, 24 bits
    p = ops.multiply(ops.add(ops.cast(bits, work), 0.5), 2.0**-23 * math.erf(2 / math.sqrt(2)))
    w = ops.subtract(ops.negative(ops.log(ops.subtract(1.0, ops.multiply(p, p)))), 2.5)
    z = ops.multiply(ops.multiply(_polynomial(w, _ERFINV), p), math.sqrt(2))
    return ops.cast(ops.clip(z, -2.0, 2.0), dtype)


def _shape(shape: Any) -> tuple[Any, ...]:
    return tuple([_size(d) for d in ((shape,) if isinstance(shape, int | np.integer) else shape)])


def _size(d: Any) -> Any:
    """A size as an int, where it is known: a tensor of one may be told in a graph alone."""
    try:
        return operator.index(d)
    except TypeError:
        return d


def _float(dtype: Any, who: str) -> str:
    dtype = dtypes.standardize(dtype)
    if dtype not in dtypes.FLOATS:
        raise InvalidArgument(f"random.{who} gives floats, got dtype={dtype!r}.")
    return dtype


@op
def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Floats drawn uniformly from `[minval, maxval)`.

    Args:
        shape: the shape.
        minval, maxval: the bounds: numbers or tensors that broadcast to the shape.
        dtype: a float dtype; `None` means floatx.
        seed: an int (the same values at each call), a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> x = keras.random.uniform((2, 3), seed=1)
    >>> x.shape, bool((x >= 0).all() and (x < 1).all())
    ((2, 3), True)
    """
    dtype = _float(dtype, "uniform")
    u = _random_uniform(draw_seed(seed), _shape(shape), dtype)
    if not isinstance(minval, int | float) or not isinstance(maxval, int | float):
        minval, maxval = ops.cast(minval, dtype), ops.cast(maxval, dtype)
        return ops.add(ops.multiply(u, ops.subtract(maxval, minval)), minval)
    if minval == 0 and maxval == 1:
        return u
    # The sum may round up to maxval, which is not among the values.
    number = dtypes.numpy_dtype(dtype).type
    below = float(np.nextafter(number(maxval), number(minval)))
    return ops.minimum(ops.add(ops.multiply(u, maxval - minval), minval), below)


@op
def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Floats drawn from a normal distribution.

    Args:
        shape: the shape.
        mean, stddev: numbers or tensors that broadcast to the shape.
        dtype: a float dtype; `None` means floatx.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> x = keras.random.normal((1000, 10), mean=5.0, seed=1)
    >>> round(float(x.mean()), 1), round(float(x.std()), 1)
    (5.0, 1.0)
    """
    dtype = _float(dtype, "normal")
    return _scaled(_random_normal(draw_seed(seed), _shape(shape), dtype), mean, stddev, dtype)


@op
def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Floats from a normal distribution without what is beyond two standard deviations.

    Args:
        shape: the shape.
        mean, stddev: numbers or tensors that broadcast to the shape, before the cut.
        dtype: a float dtype; `None` means floatx.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> x = keras.random.truncated_normal((1000,), seed=1)
    >>> bool((abs(x) <= 2).all())
    True
    """
    dtype = _float(dtype, "truncated_normal")
    return _scaled(_random_truncated(draw_seed(seed), _shape(shape), dtype), mean, stddev, dtype)


def _scaled(z: Any, mean: Any, stddev: Any, dtype: str) -> Any:
    if not (isinstance(stddev, int | float) and stddev == 1):
        z = ops.multiply(z, ops.cast(stddev, dtype))
    if not (isinstance(mean, int | float) and mean == 0):
        z = ops.add(z, ops.cast(mean, dtype))
    return z


@op
def randint(
    shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None
) -> Any:
    """Integers drawn uniformly from `[minval, maxval)`.

    Args:
        shape: the shape.
        minval, maxval: the bounds, at most 2**32 apart: integers, or int32 tensors that broadcast
            to the shape.
        dtype: an integer dtype.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> x = keras.random.randint((100,), 1, 7, seed=1)
    >>> int(x.min()), int(x.max())
    (1, 6)
    """
    dtype = dtypes.standardize(dtype)
    if not dtypes.is_int(dtype):
        raise InvalidArgument(f"random.randint gives integers, got dtype={dtype!r}.")
    bits = _random_bits(draw_seed(seed), _shape(shape))
    if not all(isinstance(x, int | float | np.number) for x in (minval, maxval)):
        minval, maxval = ops.cast(minval, "int32"), ops.cast(maxval, "int32")
        return ops.cast(ops.add(_below(bits, ops.subtract(maxval, minval)), minval), dtype)
    minval, maxval = int(minval), int(maxval)
    span = maxval - minval
    if not 0 < span <= 2**32:
        raise InvalidArgument(
            f"random.randint needs minval < maxval <= minval + 2**32, got {minval} and {maxval}."
        )
    if span < 2**32:
        bits = _below(bits, signed(span))
    if dtype.endswith("64") and not (-(2**31) <= minval and maxval <= 2**31):
        # Beyond 32 bits: the words are unsigned there.
        wide = ops.bitwise_and(ops.cast(bits, "int64"), WORD)
        return ops.cast(ops.add(wide, minval), dtype)
    return ops.cast(ops.add(bits, signed(minval)), dtype)


def _below(bits: Any, span: Any) -> Any:
    """`floor(bits * span / 2**32)`, all unsigned, from products of 16-bit halves."""
    halves = [ops.bitwise_and(bits, 0xFFFF), _shift(bits, 16)]
    if isinstance(span, int):
        s = [span & 0xFFFF, span >> 16 & 0xFFFF]
    else:
        s = [ops.bitwise_and(span, 0xFFFF), _shift(span, 16)]
    low = _shift(ops.multiply(halves[0], s[0]), 16)
    middle = ops.add(ops.multiply(halves[1], s[0]), low)
    other = ops.add(ops.multiply(halves[0], s[1]), ops.bitwise_and(middle, 0xFFFF))
    high = ops.multiply(halves[1], s[1])
    return ops.add(high, ops.add(_shift(middle, 16), _shift(other, 16)))


@op(convert="logits")
def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Class numbers drawn with the probabilities `softmax(logits)`.

    Args:
        logits: unnormalised log-probabilities, `(batch, classes)`.
        num_samples: how many to draw for each row.
        dtype: an integer dtype.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    Returns:
        `(batch, num_samples)` integers.

    >>> import kerasish as keras
    >>> keras.random.categorical([[0.0, 99.0], [99.0, 0.0]], 3, seed=1).tolist()
    [[1, 1, 1], [0, 0, 0]]
    """
    if len(logits.shape) != 2:
        raise ShapeError(
            f"random.categorical takes logits of shape (batch, classes), got {logits.shape}."
        )
    logits = ops.cast(logits, "float32")
    weights = ops.exp(ops.subtract(logits, ops.max(logits, axis=1, keepdims=True)))
    steps = ops.cumsum(weights, axis=1)
    u = _random_uniform(draw_seed(seed), (ops.shape(logits)[0], num_samples), "float32")
    points = ops.multiply(u, steps[:, -1:])
    passed = ops.less_equal(ops.expand_dims(steps, 1), ops.expand_dims(points, 2))
    return ops.sum(ops.cast(passed, dtypes.standardize(dtype)), axis=2)


@op(convert="x")
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """`x` with its slices along `axis` in random order.

    Args:
        x: a tensor.
        axis: the axis.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> sorted(keras.random.shuffle([1, 2, 3, 4], seed=1).tolist())
    [1, 2, 3, 4]
    """
    # No two words of a draw are equal, so the order does not depend on the engine's sort.
    order = ops.argsort(_random_bits(draw_seed(seed), (ops.shape(x)[axis],)))
    return ops.take(x, order, axis=axis)


@op(float="inputs")
def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Sets a random part of the inputs to zero and scales the others by `1 / (1 - rate)`.

    Args:
        inputs: a float tensor.
        rate: the part to drop, from 0 to 1.
        noise_shape: the shape of the mask, which is broadcast; `None` in it is the input's size.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> sorted(set(keras.random.dropout(keras.ops.ones((9, 9)), 0.5, seed=1).ravel().tolist()))
    [0.0, 2.0]
    """
    rate = float(rate)
    if not 0 <= rate <= 1:
        raise InvalidArgument(f"random.dropout takes a rate from 0 to 1, got {rate}.")
    if rate == 0:
        return inputs
    if rate == 1:
        return ops.zeros_like(inputs)
    shape = ops.shape(inputs)
    if noise_shape is not None:
        noise_shape = _shape(noise_shape)
        if len(noise_shape) != len(shape):
            raise ShapeError(
                f"random.dropout: noise_shape {noise_shape} does not fit inputs of {shape}."
            )
        shape = tuple(b if a is None else a for a, b in zip(noise_shape, shape, strict=True))
    threshold = min(round(rate * 2**32), WORD) - 2**31
    # Straight to the adapter: the arguments are tensors already.
    mask = backends.active.table["_dropout"]
    return mask(inputs, draw_seed(seed), shape, threshold, 1 / (1 - rate))


@op
def _dropout(inputs: Any, seed: Any, shape: tuple[int, ...], threshold: int, scale: float) -> Any:
    """Keeps and scales the inputs whose random word, signed, is not below the threshold."""
    keep = ops.cast(ops.greater_equal(_random_bits(seed, shape), threshold), ops.dtype(inputs))
    return ops.multiply(inputs, ops.multiply(keep, scale))


_TRIES = 6
"""Of six proposals of a gamma variate none is taken once in 10**8 times."""


@op
def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Floats drawn from a gamma distribution of scale 1.

    Args:
        shape: the shape.
        alpha: the distribution's shape parameter: a number or a tensor that broadcasts.
        dtype: a float dtype; `None` means floatx.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> x = keras.random.gamma((2000,), 4.0, seed=1)
    >>> round(float(x.mean())), bool((x > 0).all())
    (4, True)
    """
    dtype = _float(dtype, "gamma")
    value, log_factor = _gamma_parts(draw_seed(seed), _shape(shape), alpha, 0)
    return ops.cast(ops.multiply(value, ops.exp(log_factor)), dtype)


def _gamma_parts(seed: Any, shape: Any, alpha: Any, lane: int) -> tuple[Any, Any]:
    """A gamma variate as (value, log of a factor) by the method of Marsaglia and Tsang (2000)."""
    alpha = ops.broadcast_to(ops.cast(alpha, "float32"), shape)
    small = ops.less(alpha, 1.0)
    d = ops.subtract(ops.where(small, ops.add(alpha, 1.0), alpha), 1 / 3)
    z = _random_normal(seed, (_TRIES, *shape), "float32", lane)
    u = _positive(seed, (_TRIES, *shape), lane + 1)
    v = ops.power(ops.add(ops.divide(z, ops.multiply(ops.sqrt(d), 3.0)), 1.0), 3)
    log_v = ops.log(ops.maximum(v, 1e-30))
    bound = ops.multiply(d, ops.add(ops.subtract(1.0, v), log_v))
    taken = ops.logical_and(
        ops.greater(v, 0.0), ops.less(ops.log(u), ops.add(ops.multiply(z, z) * 0.5, bound))
    )
    # A variate of alpha < 1 is one of alpha + 1 times a uniform to the power 1 / alpha.
    u = ops.log(_positive(seed, shape, lane + 2))
    log_factor = ops.where(small, ops.divide(u, alpha), 0.0)
    return ops.multiply(d, _first(taken, v)), log_factor


def _positive(seed: Any, shape: Any, lane: int) -> Any:
    """Uniform floats in (0, 1]."""
    return ops.subtract(1.0, _random_uniform(seed, shape, "float32", lane))


def _first(taken: Any, values: Any) -> Any:
    """Along the first axis, the value at the first place that is taken."""
    where = ops.argmax(ops.cast(taken, "int32"), axis=0)
    return ops.take_along_axis(values, ops.expand_dims(where, 0), axis=0)[0]


@op
def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Floats drawn from a beta distribution.

    Args:
        shape: the shape.
        alpha, beta: the parameters: numbers or tensors that broadcast.
        dtype: a float dtype; `None` means floatx.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> x = keras.random.beta((2000,), 2.0, 2.0, seed=1)
    >>> round(float(x.mean()), 1), bool((x > 0).all() and (x < 1).all())
    (0.5, True)
    """
    dtype = _float(dtype, "beta")
    seed, shape = draw_seed(seed), _shape(shape)
    logs = []
    for i, parameter in enumerate((alpha, beta)):
        value, log_factor = _gamma_parts(seed, shape, parameter, 3 * i)
        logs.append(ops.add(ops.log(value), log_factor))
    # X / (X + Y) from the logarithms: small parameters would underflow.
    return ops.cast(ops.sigmoid(ops.subtract(logs[0], logs[1])), dtype)


_BINOMIAL_TRIES = 12
_BINOMIAL_STEPS = 36
"""A binomial variate of mean below ten is larger once in 10**9 times."""


@op
def binomial(
    shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> Any:
    """Numbers of successes in `counts` trials, as floats.

    Args:
        shape: the shape.
        counts: how many trials: a number or a tensor that broadcasts.
        probabilities: the probability of a success: a number or a tensor that broadcasts.
        dtype: a float dtype; `None` means floatx.
        seed: an int, a `SeedGenerator`, or `None`: the global one.

    >>> import kerasish as keras
    >>> x = keras.random.binomial((2000,), 10, 0.3, seed=1)
    >>> round(float(x.mean())), float(x.max()) <= 10
    (3, True)
    """
    dtype = _float(dtype, "binomial")
    seed, shape = draw_seed(seed), _shape(shape)
    n = ops.broadcast_to(ops.cast(counts, "float32"), shape)
    p = ops.broadcast_to(ops.cast(probabilities, "float32"), shape)
    flipped = ops.greater(p, 0.5)
    p = ops.where(flipped, ops.subtract(1.0, p), p)
    large = ops.greater_equal(ops.multiply(n, p), 10.0)
    successes = ops.where(
        large,
        # Both branches are computed; each gets parameters that it can work with.
        _binomial_large(seed, shape, ops.where(large, n, 40.0), ops.where(large, p, 0.5)),
        _binomial_small(seed, shape, ops.where(large, 1.0, n), ops.where(large, 0.5, p)),
    )
    return ops.cast(ops.where(flipped, ops.subtract(n, successes), successes), dtype)


def _binomial_small(seed: Any, shape: Any, n: Any, p: Any) -> Any:
    """Adds up probabilities from zero successes on until they pass a uniform number."""
    u = _random_uniform(seed, shape, "float32", 0)
    odds = ops.divide(p, ops.subtract(1.0, p))

    def step(k: Any, carry: Any) -> Any:
        successes, chance, total = carry
        k = ops.cast(k, "float32")
        total = ops.add(total, chance)
        more = ops.logical_and(ops.greater_equal(u, total), ops.less(k, n))
        successes = ops.add(successes, ops.cast(more, "float32"))
        chance = ops.multiply(
            ops.multiply(chance, odds), ops.divide(ops.subtract(n, k), ops.add(k, 1.0))
        )
        return successes, chance, total

    zero = ops.zeros_like(u)
    none = ops.exp(ops.multiply(n, ops.log1p(ops.negative(p))))
    return ops.fori_loop(0, _BINOMIAL_STEPS, step, (zero, none, zero))[0]


def _binomial_large(seed: Any, shape: Any, n: Any, p: Any) -> Any:
    """Transformed rejection with squeeze, `BTRS` (W. Hörmann, 1993)."""
    q = ops.subtract(1.0, p)
    spread = ops.sqrt(n * p * q)
    b = ops.add(ops.multiply(spread, 2.53), 1.15)
    a = ops.add(ops.multiply(b, 0.0248) + ops.multiply(p, 0.01), -0.0873)
    u = ops.subtract(_random_uniform(seed, (_BINOMIAL_TRIES, *shape), "float32", 1), 0.5)
    v = _positive(seed, (_BINOMIAL_TRIES, *shape), 2)
    us = ops.maximum(ops.subtract(0.5, ops.absolute(u)), 1e-7)
    k = ops.floor(ops.add((ops.multiply(a, 2.0) / us + b) * u + n * p, 0.5))
    inside = ops.logical_and(ops.greater_equal(k, 0.0), ops.less_equal(k, n))
    quick = ops.logical_and(
        ops.greater_equal(us, 0.07), ops.less_equal(v, ops.subtract(0.92, ops.divide(4.2, b)))
    )
    alpha = ops.add(ops.divide(5.1, b), 2.83) * spread
    m = ops.floor(ops.add(n, 1.0) * p)
    k = ops.clip(k, 0.0, n)
    m1, k1, n1 = ops.add(m, 1.0), ops.add(k, 1.0), ops.add(n, 1.0)
    odds = p / q
    bound = (
        ops.add(m, 0.5) * ops.log(m1 / (odds * (n1 - m)))
        + n1 * ops.log((n1 - m) / (n1 - k))
        + ops.add(k, 0.5) * ops.log(odds * (n1 - k) / k1)
        + _stirling(m1) + _stirling(n1 - m) - _stirling(k1) - _stirling(n1 - k)
    )  # fmt: skip
    slow = ops.less_equal(ops.log(v * alpha / (a / (us * us) + b)), bound)
    return _first(ops.logical_and(inside, ops.logical_or(quick, slow)), k)


def _stirling(x: Any) -> Any:
    """`log((x - 1)!)` less Stirling's formula."""
    square = ops.multiply(x, x)
    inner = ops.subtract(1 / 360, ops.divide(1 / 1260, square))
    return ops.divide(ops.subtract(1 / 12, ops.divide(inner, square)), x)
