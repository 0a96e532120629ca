"""New tensors: constants, ranges, grids and windows.

What depends on Python numbers only is computed by NumPy in float64 and converted once, so every
backend gets the same values.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import backends, dtypes, ops
from kerasish.core.op import op
from kerasish.errors import DTypeError, InvalidArgument, KindError, ShapeError
from kerasish.ops.elementwise import (
    absolute,
    add,
    divide,
    exp,
    floor,
    log,
    multiply,
    power,
    sign,
    subtract,
)
from kerasish.ops.logic import equal, less_equal

__all__ = [
    "arange", "array", "bartlett", "blackman", "empty", "empty_like", "eye", "full", "full_like",
    "geomspace", "hamming", "hanning", "identity", "kaiser", "linspace", "logspace", "meshgrid",
    "ones", "ones_like", "tri", "zeros", "zeros_like",
]  # fmt: skip

Shape = int | Sequence[int]


def _sizes(shape: Any) -> tuple[Any, ...]:
    if len(getattr(shape, "shape", ())) == 1:  # in a TensorFlow graph
        return shape
    return tuple(shape) if isinstance(shape, list | tuple) else (shape,)


def _scalar(x: Any) -> bool:
    return isinstance(x, bool | int | float | np.number | np.bool_)


@op
def _fill(shape: tuple[Any, ...], value: Any, dtype: str) -> Any:
    """A tensor with one Python number everywhere."""


@op(convert="x")
def array(x: Any, dtype: Any = None) -> Any:
    """A tensor of a list, a number or an array.

    Args:
        x: what to convert. Python floats become floatx, Python integers int32.
        dtype: the dtype of the result; by default that of `x`.

    >>> import kerasish as keras
    >>> keras.ops.array([1, 2]).tolist()
    [1, 2]
    """
    return x if dtype is None else ops.cast(x, dtype)


@op
def zeros(shape: Shape, dtype: Any = None) -> Any:
    """A tensor of zeros.

    Args:
        shape: the shape, or the size of one axis.
        dtype: the dtype, floatx by default.

    >>> import kerasish as keras
    >>> keras.ops.zeros((2, 2)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    return _fill(_sizes(shape), 0, dtypes.standardize(dtype))


@op
def ones(shape: Shape, dtype: Any = None) -> Any:
    """A tensor of ones.

    Args:
        shape: the shape, or the size of one axis.
        dtype: the dtype, floatx by default.

    >>> import kerasish as keras
    >>> keras.ops.ones((2,), "int32").tolist()
    [1, 1]
    """
    return _fill(_sizes(shape), 1, dtypes.standardize(dtype))


@op
def empty(shape: Shape, dtype: Any = None) -> Any:
    """A tensor whose values do not matter; they are zeros.

    Args:
        shape: the shape, or the size of one axis.
        dtype: the dtype, floatx by default.

    >>> import kerasish as keras
    >>> keras.ops.empty((2, 3)).shape
    (2, 3)
    """
    return _fill(_sizes(shape), 0, dtypes.standardize(dtype))


@op
def full(shape: Shape, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor with one value everywhere.

    Args:
        shape: the shape, or the size of one axis.
        fill_value: a number, or a tensor that broadcasts to the shape.
        dtype: the dtype, floatx by default.

    >>> import kerasish as keras
    >>> keras.ops.full((2,), 7).tolist()
    [7.0, 7.0]
    """
    dtype = dtypes.standardize(dtype)
    if _scalar(fill_value):
        if fill_value != fill_value and dtype in dtypes.WHOLE:
            raise InvalidArgument(f"full: {dtype} has no NaN.")
        return _fill(_sizes(shape), fill_value, dtype)
    return ops.broadcast_to(ops.cast(fill_value, dtype), _sizes(shape))


def _as(x: Any, dtype: Any) -> str:
    return backends.active.dtype_of(x) if dtype is None else dtypes.standardize(dtype)


@op(convert="x")
def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros in the shape of another tensor.

    Args:
        x: a tensor.
        dtype: the dtype, that of `x` by default.

    >>> import kerasish as keras
    >>> keras.ops.zeros_like([1, 2]).tolist()
    [0, 0]
    """
    return _fill(_sizes(ops.shape(x)), 0, _as(x, dtype))


@op(convert="x")
def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones in the shape of another tensor.

    Args:
        x: a tensor.
        dtype: the dtype, that of `x` by default.

    >>> import kerasish as keras
    >>> keras.ops.ones_like([5.0, 6.0]).tolist()
    [1.0, 1.0]
    """
    return _fill(_sizes(ops.shape(x)), 1, _as(x, dtype))


@op(convert="x")
def empty_like(x: Any, dtype: Any = None) -> Any:
    """A tensor in the shape of another one, whose values do not matter; they are zeros.

    Args:
        x: a tensor.
        dtype: the dtype, that of `x` by default.

    >>> import kerasish as keras
    >>> keras.ops.empty_like([1.0, 2.0]).shape
    (2,)
    """
    return _fill(_sizes(ops.shape(x)), 0, _as(x, dtype))


@op(convert="x")
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One value everywhere in the shape of another tensor.

    Args:
        x: a tensor.
        fill_value: a number, or a tensor that broadcasts to the shape.
        dtype: the dtype, that of `x` by default.

    >>> import kerasish as keras
    >>> keras.ops.full_like([1, 2], 7).tolist()
    [7, 7]
    """
    return full(_sizes(ops.shape(x)), fill_value, _as(x, dtype))


@op
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """Numbers from `start` up to `stop`, which is left out, in steps.

    Args:
        start, stop: numbers; `arange(n)` counts from 0 to n - 1.
        step: the step, 1 by default.
        dtype: the dtype; by default int32 of integers and floatx of floats.

    >>> import kerasish as keras
    >>> keras.ops.arange(1, 7, 2).tolist()
    [1, 3, 5]
    """
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    for x in (start, stop, step):
        if not hasattr(x, "dtype") and not hasattr(x, "__int__"):
            raise KindError(f"arange counts in real numbers, got {x!r:.60}.")
        if len(getattr(x, "shape", ())):
            raise KindError("arange takes numbers, got an array.")
    if dtype is None:
        kinds = [
            x.dtype if hasattr(x, "dtype") else float if isinstance(x, float) else int
            for x in (start, stop, step)
        ]
        dtype = dtypes.result_type(*kinds)
    dtype = dtypes.standardize(dtype)
    uneven = any(isinstance(x, float | np.floating) and x % 1 for x in (start, stop, step))
    if dtype == "bool" or dtype in dtypes.COMPLEX or (uneven and not dtypes.is_float(dtype)):
        return ops.cast(arange(start, stop, step), dtype)
    return _arange(start, stop, step, dtype)


@op
def _arange(start: Any, stop: Any, step: Any, dtype: str) -> Any:
    """`arange` with every argument given."""


@op
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """Numbers at equal distances.

    Args:
        start, stop: the ends, numbers or tensors whose shapes broadcast.
        num: how many numbers, ends included.
        endpoint: whether `stop` is the last number.
        retstep: whether to return the distance as well, as `(numbers, step)`.
        dtype: the dtype, floatx by default; integers are rounded down.
        axis: where the new axis goes, if the ends are tensors.

    >>> import kerasish as keras
    >>> keras.ops.linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if num < 0:
        raise InvalidArgument(f"ops.linspace: num must not be negative, got {num}.")
    parts = num - 1 if endpoint else num
    if _scalar(start) and _scalar(stop):
        dtype = dtypes.standardize(dtype)
        values = _host(np.linspace(start, stop, num, endpoint, axis=axis), dtype)
        step = _host(np.asarray((stop - start) / parts if parts > 0 else math.nan), None)
        return (values, step) if retstep else values
    start, stop, kind = _ends(start, stop)
    rank = max(len(start.shape), len(stop.shape))
    part = np.arange(num) / max(parts, 1)
    part = part.reshape(-1, *[1] * rank).astype(ops.dtype(start))
    values = add(multiply(start, 1 - part), multiply(stop, part))
    if dtype is None:
        values = ops.cast(values, kind)
    else:
        dtype = dtypes.standardize(dtype)
        values = ops.cast(floor(values) if dtypes.is_int(dtype) else values, dtype)
    values = ops.moveaxis(values, 0, axis) if rank else values
    if retstep:
        step = divide(subtract(stop, start), parts if parts > 0 else math.nan)
        return values, ops.cast(step, kind)
    return values


def _host(values: Any, dtype: str | None) -> Any:
    """Values computed on the host, as the engine's tensor."""
    name = dtypes.standardize(dtype)
    if dtypes.is_int(name):
        values = np.floor(values)
    return backends.active.convert(values.astype(dtypes.numpy_dtype(name)))


@op
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """Numbers whose logarithms are at equal distances: `base ** linspace(start, stop)`.

    Args:
        start, stop: the exponents at the ends, numbers or tensors whose shapes broadcast.
        num: how many numbers, ends included.
        endpoint: whether `base ** stop` is the last number.
        base: the base.
        dtype: the dtype, floatx by default.
        axis: where the new axis goes, if the ends are tensors.

    >>> import kerasish as keras
    >>> keras.ops.logspace(0, 2, 3).tolist()
    [1.0, 10.0, 100.0]
    """
    if _scalar(start) and _scalar(stop) and _scalar(base):
        exponents = np.linspace(start, stop, num, endpoint, axis=axis)
        return _host(np.power(float(base), exponents), dtypes.standardize(dtype))
    start, stop, kind = _ends(start, stop)
    values = power(base, linspace(start, stop, num, endpoint, False, None, axis))
    return ops.cast(values, dtype or kind)


def _ends(start: Any, stop: Any) -> tuple[Any, Any, str]:
    """Both as float32 or float64, to compute with, and the float type that they stand for."""
    ends = [x if type(x) in (bool, int, float) else ops.convert_to_tensor(x) for x in (start, stop)]
    kinds = [type(x) if type(x) in (bool, int, float) else ops.dtype(x) for x in ends]
    kind = dtypes.result_type(*kinds, float)
    wide = "float64" if kind == "float64" else "float32"
    return ops.cast(ends[0], wide), ops.cast(ends[1], wide), kind


@op
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """Numbers with equal ratios.

    Args:
        start, stop: the ends, numbers or tensors whose shapes broadcast, not 0 and of one sign.
        num: how many numbers, ends included.
        endpoint: whether `stop` is the last number.
        dtype: the dtype, floatx by default.
        axis: where the new axis goes, if the ends are tensors.

    >>> import kerasish as keras
    >>> keras.ops.geomspace(1, 100, 3).tolist()
    [1.0, 10.0, 100.0]
    """
    if _scalar(start) and _scalar(stop):
        values = np.geomspace(start, stop, num, endpoint, axis=axis)
        return _host(values, dtypes.standardize(dtype))
    if any(ops.dtype(x) in dtypes.COMPLEX for x in (start, stop)):
        raise DTypeError(f"geomspace: the ends must be real, got {start} and {stop}.")
    start, stop, kind = _ends(start, stop)
    values = exp(linspace(log(absolute(start)), log(absolute(stop)), num, endpoint))
    values = ops.moveaxis(multiply(values, sign(start)), 0, axis)
    return ops.cast(values, dtype or kind)


@op
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """A matrix with ones on a diagonal and zeros elsewhere.

    Args:
        N, M: the numbers of rows and columns; as many columns as rows by default.
        k: which diagonal: 0 the main one, above zero to the right of it.
        dtype: the dtype, floatx by default.

    >>> import kerasish as keras
    >>> keras.ops.eye(2, 3, k=1).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return ops.cast(equal(_diagonals(N, M), k), dtypes.standardize(dtype))


def _diagonals(N: Any, M: Any) -> Any:
    """The number of the diagonal that each element of an (N, M) matrix is on."""
    if builtins.min([n for n in (N, M) if isinstance(n, int)], default=0) < 0:
        raise ShapeError(f"A matrix of {N} by {N if M is None else M} entries cannot be made.")
    rows, columns = arange(N), arange(N if M is None else M)
    return subtract(ops.expand_dims(columns, 0), ops.expand_dims(rows, 1))


@op
def identity(n: int, dtype: Any = None) -> Any:
    """The identity matrix.

    Args:
        n: the number of rows and of columns.
        dtype: the dtype, floatx by default.

    >>> import kerasish as keras
    >>> keras.ops.identity(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return eye(n, None, 0, dtype)


@op
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """A matrix with ones on and below a diagonal and zeros above.

    Args:
        N, M: the numbers of rows and columns; as many columns as rows by default.
        k: which diagonal: 0 the main one, above zero to the right of it.
        dtype: the dtype, floatx by default.

    >>> import kerasish as keras
    >>> keras.ops.tri(2, 3).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    return ops.cast(less_equal(_diagonals(N, M), k), dtypes.standardize(dtype))


@op
def meshgrid(*x: Any, indexing: str = "xy") -> list[Any]:
    """Coordinates of all points of a grid: one tensor for each axis of it.

    Args:
        x: the coordinates along each axis, tensors of one axis.
        indexing: "ij": axis i of the results goes with `x[i]`; "xy": the first two swapped.

    >>> import kerasish as keras
    >>> [c.tolist() for c in keras.ops.meshgrid([1, 2], [3, 4])]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise InvalidArgument(f"ops.meshgrid: indexing is 'xy' or 'ij', got {indexing!r}.")
    lines = [ops.ravel(line) for line in x]
    order = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        order[:2] = [1, 0]
    shape = [ops.shape(lines[i])[0] for i in order]
    return [
        ops.broadcast_to(ops.reshape(line, [-1 if i == axis else 1 for i in order]), shape)
        for axis, line in enumerate(lines)
    ]


def _window(function: Any, x: Any, *args: Any) -> Any:
    return _host(function(int(backends.to_host(x)), *args), None)


@op
def bartlett(x: Any) -> Any:
    """The Bartlett window, a triangle that is zero at both ends.

    Args:
        x: the number of points, an integer.

    >>> import kerasish as keras
    >>> keras.ops.bartlett(5).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return _window(np.bartlett, x)


@op
def blackman(x: Any) -> Any:
    """The Blackman window, a sum of three cosines with little leakage.

    Args:
        x: the number of points, an integer.

    >>> import kerasish as keras
    >>> print(keras.ops.blackman(5).round(2) + 0.0)
    [0.   0.34 1.   0.34 0.  ]
    """
    return _window(np.blackman, x)


@op
def hamming(x: Any) -> Any:
    """The Hamming window, a raised cosine that is 0.08 at both ends.

    Args:
        x: the number of points, an integer.

    >>> import kerasish as keras
    >>> print(keras.ops.hamming(5).round(2))
    [0.08 0.54 1.   0.54 0.08]
    """
    return _window(np.hamming, x)


@op
def hanning(x: Any) -> Any:
    """The Hann window, a raised cosine that is zero at both ends.

    Args:
        x: the number of points, an integer.

    >>> import kerasish as keras
    >>> keras.ops.hanning(5).round(4).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return _window(np.hanning, x)


@op
def kaiser(x: Any, beta: float) -> Any:
    """The Kaiser window, made with a Bessel function.

    Args:
        x: the number of points, an integer.
        beta: the shape: 0 is a rectangle, larger is narrower.

    >>> import kerasish as keras
    >>> print(keras.ops.kaiser(5, 5.0).round(3))
    [0.037 0.553 1.    0.553 0.037]
    """
    return _window(np.kaiser, x, float(backends.to_host(beta)))
