"""Numbers in few bits: integers by the largest magnitude, float8 by a running scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import backends, dtypes, ops
from kerasish.core.op import op
from kerasish.errors import DTypeError, InvalidArgument, ShapeError


@op(convert="inputs")
def abs_max_quantize(
    inputs: Any, axis: Any, value_range: Any = (-127, 127), dtype: Any = "int8",
    epsilon: float = 1e-07, to_numpy: bool = False,
) -> Any:  # fmt: skip
    """Integers that are proportional to the inputs, the largest magnitude becoming the range's end.

    Args:
        inputs: a floating tensor of any shape.
        axis: the axis or axes that share a scale.
        value_range: the smallest and largest integer.
        dtype: the result's dtype.
        epsilon: added to the largest magnitude, which may be zero.
        to_numpy: compute on the host, to spare the accelerator's memory.

    Returns:
        `(outputs, scale)` with `outputs = round(inputs * scale)`; `scale` has the inputs' dtype,
        and size 1 along `axis`.

    >>> import kerasish as keras
    >>> q, scale = keras.quantizers.abs_max_quantize([[1.0, -2.0, 0.5]], axis=-1)
    >>> q.tolist(), scale.tolist()
    ([[64, -127, 32]], [[63.5]])
    """
    if to_numpy:
        return _on_host(abs_max_quantize, inputs, axis, value_range, dtype, epsilon)
    axis = tuple(axis) if isinstance(axis, list | tuple) else axis
    low, high = value_range
    largest = ops.max(ops.absolute(inputs), axis=axis, keepdims=True)
    scale = ops.divide(high, ops.add(largest, epsilon))
    outputs = ops.clip(ops.round(ops.multiply(inputs, scale)), low, high)
    return ops.cast(outputs, dtypes.standardize(dtype)), scale


@op(convert="inputs")
def abs_max_quantize_grouped_with_zero_point(
    inputs: Any, block_size: int, value_range: Any = (-8, 7), dtype: Any = "int8",
    epsilon: float = 1e-07, to_numpy: bool = False,
) -> Any:  # fmt: skip
    """Integers with a scale and a zero point for each block of rows in each column.

    A block's steps reach from its least to its largest value, and always to zero, so that no
    block of one sign runs out of the zero point's range.

    Args:
        inputs: a floating matrix of shape (rows, columns).
        block_size: the number of rows that share a scale; the last block is filled with zeros.
        value_range: the smallest and largest integer.
        dtype: the dtype of the integers and the zero points.
        epsilon: added to each block's range.
        to_numpy: compute on the host, to spare the accelerator's memory.

    Returns:
        `(outputs, scale, zero)`, the last two of shape (blocks, columns);
        `inputs` is about `(outputs - zero) * scale`, each block with its own.

    >>> import kerasish as keras
    >>> x = keras.ops.array([[1.0], [1.5], [-3.0], [12.0]])
    >>> q, scale, zero = keras.quantizers.abs_max_quantize_grouped_with_zero_point(x, 2)
    >>> q.tolist(), zero.tolist()
    ([[2], [7], [-8], [7]], [[-8], [-5]])
    """
    if len(inputs.shape) != 2:
        raise ShapeError(f"Blocks of rows need a matrix, got shape {tuple(inputs.shape)}.")
    if not isinstance(block_size, int | np.integer) or block_size <= 0:
        raise InvalidArgument(f"block_size is a positive integer, got {block_size!r}.")
    if to_numpy:
        return _on_host(abs_max_quantize_grouped_with_zero_point, inputs, block_size, value_range,
                        dtype, epsilon)
    low, high = value_range
    rows, columns = inputs.shape
    blocks = -(-rows // block_size)
    x = ops.pad(inputs, ((0, blocks * block_size - rows), (0, 0)))
    x = ops.reshape(x, (blocks, block_size, columns))
    least = ops.minimum(ops.min(x, axis=1, keepdims=True), 0)
    most = ops.maximum(ops.max(x, axis=1, keepdims=True), 0)
    constant = ops.cast(ops.equal(least, most), ops.dtype(x))
    least, most = ops.subtract(least, constant), ops.add(most, constant)
    scale = ops.divide(ops.add(ops.subtract(most, least), epsilon), high - low)
    zero = ops.clip(ops.add(ops.round(ops.divide(ops.negative(least), scale)), low), low, high)
    outputs = ops.clip(ops.add(ops.round(ops.divide(x, scale)), zero), low, high)
    outputs = ops.reshape(outputs, (blocks * block_size, columns))[:rows]
    dtype = dtypes.standardize(dtype)
    return (
        ops.cast(outputs, dtype), ops.squeeze(scale, axis=1),
        ops.cast(ops.squeeze(zero, axis=1), dtype),
    )  # fmt: skip


def _on_host(function: Any, inputs: Any, *args: Any) -> Any:
    values = backends.to_host(inputs)
    with backends.using(backends.host()):
        results = function(values, *args)
    return tuple(backends.active.convert(x) for x in results)


@op(convert="inputs scale")
def quantize_and_dequantize(
    inputs: Any, scale: Any, quantized_dtype: Any, compute_dtype: Any
) -> Any:
    """The inputs as they come back from a float8 type: divided by a scale, rounded, multiplied.

    Args:
        inputs: a floating tensor.
        scale: a scalar.
        quantized_dtype: `"float8_e4m3fn"` or `"float8_e5m2"`; beyond its range values are cut off.
        compute_dtype: the dtype of the result.

    >>> import kerasish as keras
    >>> x = keras.ops.array([1.05, 1000.0])
    >>> keras.quantizers.quantize_and_dequantize(x, 1.0, "float8_e4m3fn", "float32").tolist()
    [1.0, 448.0]
    """
    quantized_dtype = dtypes.standardize(quantized_dtype)
    compute_dtype = dtypes.standardize(compute_dtype)
    most = largest(quantized_dtype)
    scale = ops.cast(scale, compute_dtype)
    x = ops.clip(ops.divide(ops.cast(inputs, compute_dtype), scale), -most, most)
    return ops.multiply(ops.cast(ops.cast(x, quantized_dtype), compute_dtype), scale)


def largest(dtype: str) -> float:
    """The largest finite number of a floating dtype."""
    import ml_dtypes

    return float(ml_dtypes.finfo(dtypes.numpy_dtype(dtype)).max)


@op(convert="amax scale")
def compute_float8_scale(amax: Any, scale: Any, dtype_max: float, margin: int = 0) -> Any:
    """The scale by which numbers up to `amax` fill a float8 type.

    Args:
        amax: the largest magnitude seen.
        scale: the scale so far, kept where `amax` is zero or not finite.
        dtype_max: the type's largest number.
        margin: powers of two to leave free.

    >>> import kerasish as keras
    >>> float(keras.quantizers.compute_float8_scale(896.0, 1.0, 448.0))
    2.0
    """
    usable = ops.logical_and(ops.isfinite(amax), ops.greater(amax, 0.0))
    return ops.where(usable, ops.divide(ops.multiply(amax, 2.0**margin), dtype_max), scale)


@op(convert="x amax_history")
def compute_float8_amax_history(x: Any, amax_history: Any) -> Any:
    """The history of largest magnitudes with that of `x` in front, the oldest one dropped.

    Args:
        x: a floating tensor.
        amax_history: a vector: the latest first, then from the oldest on.

    >>> import kerasish as keras
    >>> keras.quantizers.compute_float8_amax_history([-5.0, 2.0], [1.0, 2.0, 3.0]).tolist()
    [5.0, 3.0, 1.0]
    """
    latest = ops.cast(ops.max(ops.absolute(x)), ops.dtype(amax_history))
    # A ring that turns backwards: its first place is the next to be overwritten.
    return ops.concatenate([ops.reshape(latest, (1,)), ops.roll(amax_history, -1)[1:]])


@op(float="inputs min_vals max_vals")
def fake_quant_with_min_max_vars(
    inputs: Any, min_vals: Any, max_vals: Any, num_bits: int = 8, narrow_range: bool = False,
    axis: int | None = None,
) -> Any:  # fmt: skip
    """Rounds to the steps that `num_bits` bits have between two bounds; gradients pass through.

    The bounds are moved a little, so that zero is one of the steps. An input within them gets the
    upstream gradient; that of an input beyond one goes to the bound.

    Args:
        inputs: a floating tensor.
        min_vals, max_vals: the bounds: scalars, or vectors along `axis`.
        num_bits: the number of bits.
        narrow_range: leave out the lowest step.
        axis: the axis that has bounds of its own.

    >>> import kerasish as keras
    >>> keras.quantizers.fake_quant_with_min_max_vars([-9.0, 0.4, 0.8], 0.0, 3.0, 2).tolist()
    [0.0, 0.0, 1.0]
    """
    if axis is not None:
        rank = len(inputs.shape)
        shape = [1] * rank
        shape[axis] = -1
        min_vals, max_vals = ops.reshape(min_vals, shape), ops.reshape(max_vals, shape)
    low, high = int(narrow_range), 2**num_bits - 1
    width = ops.stop_gradient(ops.subtract(max_vals, min_vals))
    empty = ops.equal(width, 0)
    width = ops.where(empty, 1.0, width)
    step = ops.divide(width, high - low)
    # Of bounds with zero in their middle no engine's rounding may decide: the lower step is it.
    part = ops.divide(ops.stop_gradient(min_vals), width)
    zero = ops.ceil(ops.subtract(low - 0.5, ops.multiply(part, high - low)))
    zero = ops.clip(zero, low, high)
    least, most = ops.multiply(low - zero, step), ops.multiply(high - zero, step)
    x = ops.stop_gradient(inputs)
    steps = ops.round(ops.divide(ops.subtract(ops.clip(x, least, most), least), step))
    value = ops.where(empty, 0.0, ops.add(ops.multiply(steps, step), least))
    # What the gradient sees: the input, or the bound that it is beyond.
    seen = ops.where(ops.less(x, least), min_vals,
                     ops.where(ops.greater(x, most), max_vals, inputs))  # fmt: skip
    return ops.add(value, ops.subtract(seen, ops.stop_gradient(seen)))


@op(convert="arr")
def pack_int4(arr: Any, axis: int = 0, dtype: Any = "int8") -> Any:
    """Two 4-bit integers in each byte, the first of a pair in the lower half.

    Args:
        arr: integers of `dtype`, each of which fits into 4 bits.
        axis: the axis whose neighbours share a byte; an odd one is filled with a zero.
        dtype: `"int8"` (-8 to 7) or `"uint8"` (0 to 15).

    Returns:
        `(packed, packed shape, length of the axis before)`.

    >>> import kerasish as keras
    >>> packed, shape, size = keras.quantizers.pack_int4(keras.ops.array([1, -2, 3], "int8"))
    >>> packed.tolist(), shape, size
    ([-31, 3], (2,), 3)
    """
    dtype = _byte(dtype)
    if ops.dtype(arr) != dtype:
        raise DTypeError(f"pack_int4 was told dtype={dtype!r}, got a tensor of {ops.dtype(arr)}.")
    rank = len(arr.shape)
    axis = axis % rank
    size = arr.shape[axis]
    if size % 2:
        arr = ops.pad(arr, [(0, int(i == axis)) for i in range(rank)])
    first, second = _every_other(arr, axis, 0), _every_other(arr, axis, 1)
    packed = ops.bitwise_or(
        ops.left_shift(second, _like(4, dtype)), ops.bitwise_and(first, _like(15, dtype))
    )
    return packed, tuple(packed.shape), size


@op(convert="packed")
def unpack_int4(packed: Any, orig_len: int, axis: int = 0, dtype: Any = "int8") -> Any:
    """The integers that `pack_int4` packed.

    Args:
        packed: bytes of `dtype`.
        orig_len: the length of the axis before packing.
        axis: the packed axis.
        dtype: `"int8"` or `"uint8"`.

    >>> import kerasish as keras
    >>> packed, shape, size = keras.quantizers.pack_int4(keras.ops.array([1, -2, 3], "int8"))
    >>> keras.quantizers.unpack_int4(packed, size).tolist()
    [1, -2, 3]
    """
    dtype = _byte(dtype)
    if ops.dtype(packed) != dtype:
        raise DTypeError(
            f"unpack_int4 was told dtype={dtype!r}, got a tensor of {ops.dtype(packed)}."
        )
    axis = axis % len(packed.shape)
    four = _like(4, dtype)
    # Shifting up and down again takes the lower half with its sign.
    first = ops.right_shift(ops.left_shift(packed, four), four)
    second = ops.right_shift(packed, four)
    shape = list(packed.shape)
    shape[axis] *= 2
    both = ops.reshape(ops.stack([first, second], axis=axis + 1), shape)
    return ops.take(both, np.arange(orig_len), axis=axis) if orig_len != shape[axis] else both


def _byte(dtype: Any) -> str:
    if dtype not in ("int8", "uint8"):
        raise InvalidArgument(f"4-bit integers are packed into 'int8' or 'uint8', got {dtype!r}.")
    return dtype


def _like(value: int, dtype: str) -> Any:
    return ops.cast(value, dtype)


def _every_other(x: Any, axis: int, start: int) -> Any:
    return x[(slice(None),) * axis + (slice(start, None, 2),)]
