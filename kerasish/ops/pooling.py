"""Pooling: the largest or the mean value of each window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kerasish import backends, config, ops
from kerasish.backends import windows
from kerasish.core.op import op
from kerasish.ops.convolution import (
    channels_first,
    known_padding,
    once,
    per_axis,
    room,
    spatial_rank,
    to_first,
    to_last,
)

__all__ = ["adaptive_average_pool", "adaptive_max_pool", "average_pool", "max_pool"]


def _taps(
    x: Any, axis: int, size: int, stride: int, pads: tuple[int, int], value: float
) -> Iterator[Any]:
    """What each tap of a window along one axis meets, at all its places."""
    (places,) = windows.places([x.shape[axis]], [size], [stride], [pads])
    if any(pads):
        widths = [(0, 0)] * len(x.shape)
        widths[axis] = pads
        x = ops.pad(x, widths, constant_values=value)
    for i in range(size):
        span = slice(i, i + (places - 1) * stride + 1, stride)
        yield x[(*[slice(None)] * axis, span)]


@op(float="x")
def _max_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    """x [n, *sizes, c] -> [n, *places, c], one axis after the other.

    The gradient goes to the first of equal values, row by row.
    """
    pads = windows.pads(padding, x.shape[1:-1], size, strides)
    for axis in range(len(size), 0, -1):
        k, s, p = size[axis - 1], strides[axis - 1], pads[axis - 1]
        best, *others = _taps(x, axis, k, s, p, -np.inf)
        for other in others:
            best = ops.where(other > best, other, best)
        x = best
    return x


@op(float="x")
def _average_pool(x: Any, size: Any, strides: Any, padding: str) -> Any:
    """x [n, *sizes, c] -> [n, *places, c], one axis after the other. Padding does not count."""
    pads = windows.pads(padding, x.shape[1:-1], size, strides)
    for axis in range(len(size), 0, -1):
        k, s, p = size[axis - 1], strides[axis - 1], pads[axis - 1]
        counts = windows.counts(x.shape[axis], k, s, p)
        total, *others = _taps(x, axis, k, s, p, 0.0)
        for other in others:
            total = total + other
        wide = np.reshape(counts, (-1, *[1] * (len(x.shape) - axis - 1)))
        x = ops.divide(total, ops.cast(wide, ops.dtype(x)))
    return x


def _pool(
    name: str, inputs: Any, pool_size: Any, strides: Any, padding: str, data_format: str | None
) -> Any:

    def settle() -> Any:
        rank = spatial_rank(name, inputs)
        size = per_axis(name, "pool_size", pool_size, rank)
        by = size if strides is None else per_axis(name, "strides", strides, rank)
        kind = known_padding(name, padding)
        first = channels_first(name, data_format)
        sizes = inputs.shape[2:] if first else inputs.shape[1:-1]
        room(name, sizes, size, kind, [1] * rank)
        return first, size, by, kind

    first, size, strides, padding = once(
        settle, name, inputs.shape, pool_size, strides, padding,
        data_format or config.image_data_format(),
    )
    x = to_last(inputs) if first else inputs
    y = backends.active.table["_" + name](x, size, strides, padding)
    return to_first(y) if first else y


def _of_any_number(pool: Callable[[Any], Any], x: Any) -> Any:
    """A pooling that makes no new numbers, in the dtype of `x`."""
    if x.dtype in backends.active.FLOAT_DTYPES:
        return pool(x)
    kind = ops.dtype(x)
    return ops.cast(pool(ops.cast(x, "float64" if kind[-2:] in ("32", "64") else "float32")), kind)


@op(convert="inputs", real=True)
def max_pool(
    inputs: Any, pool_size: int | Sequence[int], strides: int | Sequence[int] | None = None,
    padding: str = "valid", data_format: str | None = None,
) -> Any:  # fmt: skip
    """The largest value of each window.

    Args:
        inputs: `(batch, *sizes, channels)`, or `(batch, channels, *sizes)` with
            `data_format="channels_first"`; one to three spatial sizes.
        pool_size: the window; one int, or one for each spatial axis.
        strides: how far the window moves at a time; by default its size.
        padding: `"valid"` for none, `"same"` so that the spatial sizes are `ceil(size / stride)`.
        data_format: `"channels_last"` or `"channels_first"`; by default the one in
            `keras.config.image_data_format()`.

    Of equal values the first gets the gradient, on every backend.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 3.0, 2.0, 0.0, 5.0], (1, 5, 1))
    >>> keras.ops.max_pool(x, 2)[0, :, 0].tolist()
    [3.0, 2.0]
    >>> keras.ops.max_pool(x, 2, padding="same")[0, :, 0].tolist()
    [3.0, 2.0, 5.0]
    """
    def pool(x: Any) -> Any:
        return _pool("max_pool", x, pool_size, strides, padding, data_format)

    return _of_any_number(pool, inputs)


@op(float="inputs", real=True)
def average_pool(
    inputs: Any, pool_size: int | Sequence[int], strides: int | Sequence[int] | None = None,
    padding: str = "valid", data_format: str | None = None,
) -> Any:  # fmt: skip
    """The mean of each window. What padding adds does not count.

    Args:
        inputs: `(batch, *sizes, channels)`, or with the channels first.
        pool_size, strides, padding, data_format: as for `max_pool`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 3.0, 2.0, 0.0, 5.0], (1, 5, 1))
    >>> keras.ops.average_pool(x, 2, padding="same")[0, :, 0].tolist()
    [2.0, 1.0, 5.0]
    """
    return _pool("average_pool", inputs, pool_size, strides, padding, data_format)


# Adaptive pooling: place i of m covers floor(i n / m) to ceil((i + 1) n / m) of an axis of n.


def _adaptive(
    name: str, inputs: Any, output_size: Any, data_format: str | None,
    reduce: Callable[[Any, int], Any], ragged: Callable[[Any, int, Any, Any], Any],
) -> Any:  # fmt: skip
    rank = spatial_rank(name, inputs)
    wanted = per_axis(name, "output_size", output_size, rank)
    first = channels_first(name, data_format)
    x = inputs
    for axis, m in enumerate(wanted, 2 if first else 1):
        n = ops.shape(x)[axis]
        if isinstance(n, int) and n % m == 0:
            before, after = ops.shape(x)[:axis], ops.shape(x)[axis + 1 :]
            x = reduce(ops.reshape(x, (*before, m, n // m, *after)), axis + 1)
        else:
            place = ops.arange(m, dtype="int32")
            x = ragged(x, axis, place * n // m, -(-(place + 1) * n // m))
    return x


@op(float="inputs", real=True)
def adaptive_average_pool(
    inputs: Any, output_size: int | Sequence[int], data_format: str | None = None
) -> Any:
    """The means of windows that divide the inputs into a given number of places.

    Args:
        inputs: `(batch, *sizes, channels)`, or with the channels first.
        output_size: the spatial sizes of the result; one int, or one for each axis. Place `i` of
            `m` covers the inputs from `floor(i * size / m)` to `ceil((i + 1) * size / m)`.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([0.0, 1.0, 2.0, 3.0, 4.0], (1, 5, 1))
    >>> keras.ops.adaptive_average_pool(x, 3)[0, :, 0].tolist()
    [0.5, 2.0, 3.5]
    """

    def ragged(x: Any, axis: int, start: Any, stop: Any) -> Any:
        at = ops.expand_dims(ops.arange(ops.shape(x)[axis], dtype="int32"), 1)
        inside = ops.logical_and(ops.greater_equal(at, start), ops.less(at, stop))
        share = ops.divide(*(ops.cast(part, ops.dtype(x)) for part in (inside, stop - start)))
        y = ops.matmul(ops.moveaxis(x, axis, -1), share)
        return ops.moveaxis(y, -1, axis)

    return _adaptive(
        "adaptive_average_pool", inputs, output_size, data_format,
        lambda x, axis: ops.mean(x, axis), ragged,
    )  # fmt: skip


@op(convert="inputs", real=True)
def adaptive_max_pool(
    inputs: Any, output_size: int | Sequence[int], data_format: str | None = None
) -> Any:
    """The largest values of windows that divide the inputs into a given number of places.

    Args:
        inputs: `(batch, *sizes, channels)`, or with the channels first.
        output_size, data_format: as for `adaptive_average_pool`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([0.0, 1.0, 2.0, 3.0, 4.0], (1, 5, 1))
    >>> keras.ops.adaptive_max_pool(x, 3)[0, :, 0].tolist()
    [1.0, 3.0, 4.0]
    """

    def ragged(x: Any, axis: int, start: Any, stop: Any) -> Any:
        # Short windows take their last value again, which changes no maximum.
        longest = ops.shape(x)[axis] // start.shape[0] + 2
        start, stop = ops.expand_dims(start, 1), ops.expand_dims(stop, 1)
        at = ops.minimum(start + ops.arange(longest, dtype="int32"), stop - 1)
        return ops.max(ops.take(x, at, axis), axis + 1)

    def pool(x: Any) -> Any:
        return _adaptive(
            "adaptive_max_pool", x, output_size, data_format, lambda x, axis: ops.max(x, axis),
            ragged,
        )  # fmt: skip

    return _of_any_number(pool, inputs)
