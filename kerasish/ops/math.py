"""Special functions, segments, top-k and Fourier transforms.

Complex numbers travel as pairs of real tensors, `(real, imaginary)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import backends
from kerasish.backends.shapes import axes_over
from kerasish.core.op import op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import InvalidArgument, KindError, ShapeError
from kerasish.ops.core import cast, dtype, shape, stop_gradient
from kerasish.ops.elementwise import safe_sqrt
from kerasish.ops.linalg import cholesky
from kerasish.ops.manipulation import _pad
from kerasish.ops.numpy import (
    add,
    broadcast_to,
    concatenate,
    diagonal,
    divide,
    exp,
    expand_dims,
    flip,
    isfinite,
    less,
    log,
    logical_and,
    max,
    maximum,
    multiply,
    pad,
    reshape,
    squeeze,
    subtract,
    sum,
    take,
    take_along_axis,
    where,
)  # fmt: skip

__all__ = [
    "cdist", "erf", "erfc", "erfinv", "extract_sequences", "fft", "fft2", "ifft2", "in_top_k",
    "irfft", "istft", "logdet", "logsumexp", "rfft", "segment_max", "segment_min", "segment_prod",
    "segment_sum", "stft", "top_k",
]  # fmt: skip


@op(float="x", real=True)
def erf(x: Any) -> Any:
    """The error function, 2/√π times the integral of exp(-t²) from 0 to x, elementwise.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> keras.ops.erf([-1.0, 0.0, 1.0]).round(4).tolist()
    [-0.8427000045776367, 0.0, 0.8427000045776367]
    """


@op(float="x", real=True)
def erfc(x: Any) -> Any:
    """The complementary error function 1 - erf(x), elementwise, exact in the tail too.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> float(keras.ops.erfc(5.0)) > 0
    True
    """


@op(float="x", real=True)
def erfinv(x: Any) -> Any:
    """The inverse of `erf`, elementwise, for x in [-1, 1].

    Args:
        x: a tensor; NaN comes out beyond the interval.

    >>> import kerasish as keras
    >>> keras.ops.erfinv([-1.0, 0.0, 1.0]).tolist()
    [-inf, 0.0, inf]
    """


@op(float="x", real=True)
def logsumexp(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over some axes, without overflow.

    Args:
        x: the tensor.
        axis: the axis or axes to reduce; all by default.
        keepdims: whether to keep the reduced axes with size 1.

    >>> import kerasish as keras
    >>> float(keras.ops.logsumexp([1000.0, 1000.0]).round(3))
    1000.6929931640625
    """
    axis = axes_over(axis, len(x.shape))
    least = float("-inf") if 0 in x.shape else None
    top = stop_gradient(max(x, axis=axis, keepdims=True, initial=least))
    top = where(isfinite(top), top, 0.0)
    out = add(log(sum(exp(subtract(x, top)), axis=axis, keepdims=True)), top)
    return out if keepdims else squeeze(out, axis)


@op(convert="x", real=True)
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Any]:
    """The `k` largest values along the last axis and their indices.

    Args:
        x: shape `(..., n)`.
        k: how many, at most `n`.
        sorted: whether the values must come in descending order.

    Returns:
        `(values, indices)`, both of shape `(..., k)`; the indices are int32. Of equal values the
        first come first.

    >>> import kerasish as keras
    >>> values, indices = keras.ops.top_k([5, 2, 7, 1], k=2)
    >>> values.tolist(), indices.tolist()
    ([7, 5], [2, 0])
    """
    ...


@op(convert="targets", float="predictions", real=True)
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether each target class is among the `k` largest predictions.

    Classes that tie with the k-th prediction all count; a target that is no class, or whose
    prediction is not finite, does not.

    Args:
        targets: integer classes, shape `(...)`.
        predictions: scores, shape `(..., classes)`.
        k: how many predictions count.

    >>> import kerasish as keras
    >>> keras.ops.in_top_k([1, 0], [[0.1, 0.7, 0.2], [0.1, 0.7, 0.2]], k=2).tolist()
    [True, False]
    """
    classes = shape(predictions)[-1]
    targets = cast(targets, "int32") if dtype(targets) == "bool" else targets
    valid = logical_and(targets >= 0, less(targets, classes))
    index = expand_dims(where(valid, targets, 0), -1)
    own = take_along_axis(predictions, index, axis=-1)
    above = sum(predictions > own, axis=-1)
    return logical_and(logical_and(less(above, k), isfinite(squeeze(own, -1))), valid)


@op(convert="data segment_ids", wide=True)
def _segment(
    data: Any, segment_ids: Any, num_segments: int | None, sorted: bool, kind: str
) -> Any:
    """Folds the slices of `data` of equal id into one; ids outside the segments are left out."""


def _fold(data: Any, ids: Any, num_segments: int | None, sorted: bool, kind: str) -> Any:
    sizes, places = unknown_shape(data.shape), unknown_shape(ids.shape)
    if not 0 < len(places) <= len(sizes) or any(
        None not in (a, b) and a != b for a, b in zip(sizes, places, strict=False)
    ):
        raise ShapeError(
            f"segment_{kind}: segment_ids of the shape {places} must have the shape of the first "
            f"axes of data, which is of the shape {sizes}."
        )
    if isinstance(num_segments, int) and num_segments < 0:
        raise InvalidArgument(f"segment_{kind}: num_segments must be positive, got {num_segments}.")
    if len(ids.shape) > 1:
        rest = shape(data)[len(ids.shape):]
        ids = reshape(ids, (-1,))
        data = reshape(data, (shape(ids)[0], *rest))
    if (name := dtype(ids)) not in ("int32", "int64"):
        ids = cast(ids, "int64" if name in ("uint32", "uint64") else "int32")
    if dtype(data) == "bool":
        return cast(_segment(cast(data, "int32"), ids, num_segments, sorted, kind), "bool")
    return _segment(data, ids, num_segments, sorted, kind)


@op(convert="data segment_ids")
def segment_sum(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Any:
    """The sum of each segment: of all `data[i]` whose `segment_ids[i]` is equal.

    Args:
        data: shape `(n, ...)`.
        segment_ids: integers of shape `(n,)`, or of more leading axes of `data`. Ids outside
            `[0, num_segments)` are left out.
        num_segments: the size of the result's first axis; one more than the largest id by
            default, which a compiled function on JAX cannot know.
        sorted: whether `segment_ids` is in ascending order, which may be faster.

    >>> import kerasish as keras
    >>> keras.ops.segment_sum([1, 2, 10, 20], [0, 0, 1, 1], num_segments=3).tolist()
    [3, 30, 0]
    """
    return _fold(data, segment_ids, num_segments, sorted, "sum")


@op(convert="data segment_ids")
def segment_prod(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Any:
    """The product of each segment; 1 for an empty one. Arguments as in `segment_sum`.

    >>> import kerasish as keras
    >>> keras.ops.segment_prod([1, 2, 10, 20], [0, 0, 1, 1], num_segments=3).tolist()
    [2, 200, 1]
    """
    return _fold(data, segment_ids, num_segments, sorted, "prod")


@op(convert="data segment_ids", real=True)
def segment_max(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Any:
    """The largest value of each segment; an empty one has the least value of the dtype.

    Arguments as in `segment_sum`.

    >>> import kerasish as keras
    >>> keras.ops.segment_max([1.0, 2.0, 10.0], [0, 0, 2], num_segments=3).tolist()
    [2.0, -inf, 10.0]
    """
    return _fold(data, segment_ids, num_segments, sorted, "max")


@op(convert="data segment_ids", real=True)
def segment_min(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Any:
    """The smallest value of each segment; an empty one has the largest value of the dtype.

    Arguments as in `segment_sum`.

    >>> import kerasish as keras
    >>> keras.ops.segment_min([1.0, 2.0, 10.0], [0, 0, 2], num_segments=3).tolist()
    [1.0, inf, 10.0]
    """
    return _fold(data, segment_ids, num_segments, sorted, "min")


@op(float="*x", wide=True, real=True)
def fft(x: Any) -> tuple[Any, Any]:
    """The discrete Fourier transform along the last axis.

    Args:
        x: a pair of tensors of one shape, the real and the imaginary parts.

    Returns:
        The pair of the result's real and imaginary parts.

    >>> import kerasish as keras
    >>> real, imag = keras.ops.fft(([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]))
    >>> real.tolist(), imag.tolist()
    ([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0])
    """
    ...


@op(float="*x", wide=True, real=True)
def fft2(x: Any) -> tuple[Any, Any]:
    """The two-dimensional discrete Fourier transform along the last two axes.

    Args:
        x: a pair of tensors of one shape, the real and the imaginary parts.

    Returns:
        The pair of the result's real and imaginary parts.

    >>> import kerasish as keras
    >>> real, imag = keras.ops.fft2((keras.ops.ones((2, 2)), keras.ops.zeros((2, 2))))
    >>> real.tolist()
    [[4.0, 0.0], [0.0, 0.0]]
    """
    ...


@op(float="*x", wide=True, real=True)
def ifft2(x: Any) -> tuple[Any, Any]:
    """The inverse of `fft2`.

    Args:
        x: a pair of tensors of one shape, the real and the imaginary parts.

    Returns:
        The pair of the result's real and imaginary parts.

    >>> import kerasish as keras
    >>> real, imag = keras.ops.ifft2((keras.ops.ones((2, 2)), keras.ops.zeros((2, 2))))
    >>> real.tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    ...


@op(float="x", wide=True, real=True)
def rfft(x: Any, fft_length: int | None = None) -> tuple[Any, Any]:
    """The discrete Fourier transform of a real signal along the last axis.

    Args:
        x: shape `(..., n)`.
        fft_length: the signal is cut or padded with zeros to this length; `n` by default.

    Returns:
        The pair of real and imaginary parts, of shape `(..., fft_length // 2 + 1)`.

    >>> import kerasish as keras
    >>> real, imag = keras.ops.rfft([1.0, 1.0, 1.0, 1.0])
    >>> real.tolist()
    [4.0, 0.0, 0.0]
    """
    _some("rfft", x.shape[-1] if fft_length is None else fft_length)
    return _rfft(x, fft_length)


@op(float="x")
def _rfft(x: Any, fft_length: int | None) -> tuple[Any, Any]:
    """`rfft` of a length that is possible."""
    ...


def _some(name: str, length: Any) -> None:
    if length is not None and length < 1:
        raise ShapeError(f"ops.{name}: a signal has at least one sample, got the length {length}.")


@op(float="*x", wide=True, real=True)
def irfft(x: Any, fft_length: int | None = None) -> Any:
    """The inverse of `rfft`: a real signal from the first half of its spectrum.

    Args:
        x: the pair of real and imaginary parts, of shape `(..., m)`.
        fft_length: the length of the signal, `2 * (m - 1)` by default.

    Returns:
        A real tensor of shape `(..., fft_length)`.

    >>> import kerasish as keras
    >>> keras.ops.irfft(([4.0, 0.0, 0.0], [0.0, 0.0, 0.0])).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    if fft_length is None and x[0].shape[-1] is not None:
        fft_length = 2 * (x[0].shape[-1] - 1)
    _some("irfft", fft_length)
    return _irfft(x, fft_length)


@op(float="*x")
def _irfft(x: Any, fft_length: int | None) -> Any:
    """`irfft` of a length that is possible."""


@op(convert="x")
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """All windows of a length along the last axis, at a stride.

    Args:
        x: shape `(..., n)`.
        sequence_length: the length of each window.
        sequence_stride: the distance between the beginnings of two windows.

    Returns:
        Shape `(..., 1 + (n - sequence_length) // sequence_stride, sequence_length)`.

    >>> import kerasish as keras
    >>> keras.ops.extract_sequences([1, 2, 3, 4, 5, 6], 3, 2).tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    for what, n in (("sequence_length", sequence_length), ("sequence_stride", sequence_stride)):
        if n < 1:
            raise InvalidArgument(f"ops.extract_sequences: {what} must be positive, got {n}.")
    if x.shape[-1] is not None and x.shape[-1] < sequence_length:
        raise ShapeError(
            f"ops.extract_sequences: the last axis has {x.shape[-1]} elements, fewer than the "
            f"sequence_length {sequence_length}. Pad the input or take shorter sequences."
        )
    return _frames(x, sequence_length, sequence_stride)


@op
def _frames(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """`extract_sequences` with its arguments checked."""
    count = 1 + (x.shape[-1] - sequence_length) // sequence_stride
    starts = sequence_stride * np.arange(count)
    return take(x, starts[:, None] + np.arange(sequence_length), axis=-1)


def _overlap_add(frames: Any, stride: int) -> Any:
    """The sum of windows `(..., count, length)` laid at their places, `stride` apart."""
    *batch, count, length = shape(frames)
    parts = -(-length // stride)
    no_pad = [(0, 0)] * len(batch)
    frames = pad(frames, [*no_pad, (0, 0), (0, parts * stride - length)])
    total: Any = 0
    for i in range(parts):
        part = frames[..., i * stride : (i + 1) * stride]
        total = pad(part, [*no_pad, (i, parts - 1 - i), (0, 0)]) + total
    whole = reshape(total, (*batch, (count + parts - 1) * stride))
    return whole[..., : (count - 1) * stride + length]


def _window(window: Any, length: int, fft_length: int, dtype: str) -> Any:
    """A window of that length in the middle of `fft_length` samples."""
    before = (fft_length - length) // 2
    widths = ((before, fft_length - length - before),)
    if before < 0:
        raise InvalidArgument(
            f"fft_length must be at least sequence_length, got fft_length={fft_length} and "
            f"sequence_length={length}."
        )
    if not (window is None or isinstance(window, str) or hasattr(window, "shape")):
        raise KindError(f"window must be 'hann', 'hamming', a tensor or None, got {window!r:.60}.")
    if window is None:
        return backends.active.convert(np.ones(fft_length), dtype)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise InvalidArgument(
                f"window must be 'hann', 'hamming', a tensor or None, got {window!r}."
            )
        a = 0.5 if window == "hann" else 0.54
        wave = a - (1 - a) * np.cos(2 * np.pi * np.arange(length) / length)
        window = wave if length > 1 else np.ones(1)
    elif tuple(window.shape) != (length,):
        raise ShapeError(
            f"The window must have shape ({length},), its sequence_length; got "
            f"{tuple(window.shape)}."
        )
    else:
        return pad(backends.active.convert(window, dtype), widths)
    return backends.active.convert(np.pad(window, widths), dtype)


@op(float="x", wide=True, real=True)
def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int | None = None,
    window: Any = "hann", center: bool = True,
) -> tuple[Any, Any]:  # fmt: skip
    """The short-time Fourier transform along the last axis: `rfft` of overlapping windows.

    Args:
        x: shape `(..., n)`.
        sequence_length: the length of a window.
        sequence_stride: the distance between two windows.
        fft_length: the length of each transform; the window lies in its middle. By default the
            least power of 2 that holds `sequence_length`.
        window: `"hann"`, `"hamming"`, a tensor of shape `(sequence_length,)`, or `None` to take
            all `fft_length` samples as they are.
        center: whether to reflect the signal at its ends, so that the t-th window has its middle
            at `t * sequence_stride` rather than its beginning.

    Returns:
        The pair of real and imaginary parts, shape `(..., windows, fft_length // 2 + 1)`.

    >>> import kerasish as keras
    >>> real, imag = keras.ops.stft([0.0, 1.0, 2.0, 3.0, 4.0], 3, 2, 3)
    >>> real.round(3).tolist()
    [[0.75, -0.375], [3.75, -1.875], [5.25, -2.625]]
    """
    fft_length = fft_length or 1 << (sequence_length - 1).bit_length()
    window = _window(window, sequence_length, fft_length, backends.active.dtype_of(x))
    half = fft_length // 2
    if center and half:
        if x.shape[-1] is not None and x.shape[-1] <= half:
            raise ShapeError(
                f"ops.stft: {x.shape[-1]} samples are too few to reflect {half} of them at the "
                "ends. Pad the signal, or use a shorter fft_length or center=False."
            )
        ends = flip(x[..., 1 : half + 1], -1), flip(x[..., -half - 1 : -1], -1)
        x = concatenate([ends[0], x, ends[1]], axis=-1)
    return rfft(multiply(extract_sequences(x, fft_length, sequence_stride), window), fft_length)


@op(float="*x", wide=True, real=True)
def istft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int | None = None,
    length: int | None = None, window: Any = "hann", center: bool = True,
) -> Any:  # fmt: skip
    """The inverse of `stft`: the windows' signals, added and divided by the windows' squares.

    Args:
        x: the pair of real and imaginary parts, shape `(..., windows, fft_length // 2 + 1)`.
        sequence_length, sequence_stride, fft_length, window, center: as they were in `stft`.
        length: the result is cut, or padded with zeros, to this length.

    Returns:
        A real tensor of shape `(..., n)`.

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    >>> keras.ops.istft(keras.ops.stft(x, 3, 1, 4), 3, 1, 4).round(4).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    fft_length = fft_length or 1 << (sequence_length - 1).bit_length()
    window = _window(window, sequence_length, fft_length, backends.active.dtype_of(x[0]))
    frames = irfft(x, fft_length)
    signal = _overlap_add(multiply(frames, window), sequence_stride)
    count = shape(frames)[-2]
    squares = broadcast_to(multiply(window, window), (count, fft_length))
    weight = _overlap_add(squares, sequence_stride)
    signal = divide(signal, where(weight > 1e-10, weight, 1.0))
    cut = fft_length // 2 if center else 0
    end = (count - 1) * sequence_stride + fft_length
    if length is None:
        return signal[..., cut : end - cut]
    signal = signal[..., cut : cut + length]
    missing = length - (end - cut)
    if isinstance(missing, int) and missing <= 0:
        missing = 0
    else:
        more = missing if isinstance(missing, int) else maximum(missing, 0)  # in a graph
        signal = _pad(signal, [*[(0, 0)] * (len(signal.shape) - 1), (0, more)], 0)
    return signal if type(missing) is int else reshape(signal, (*shape(signal)[:-1], length))


@op(float="x y", real=True, rank=2)
def cdist(x: Any, y: Any) -> Any:
    """The Euclidean distances of all pairs of points.

    Args:
        x: shape `(..., m, d)`.
        y: shape `(..., n, d)`.

    Returns:
        Shape `(..., m, n)`.

    >>> import kerasish as keras
    >>> keras.ops.cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]]).tolist()
    [[5.0, 1.0]]
    """
    if None not in (x.shape[-1], y.shape[-1]) and x.shape[-1] != y.shape[-1]:
        raise ShapeError(f"cdist: points of {x.shape[-1]} and of {y.shape[-1]} coordinates.")
    difference = subtract(expand_dims(x, -2), expand_dims(y, -3))
    return safe_sqrt(sum(multiply(difference, difference), axis=-1))


@op(float="x", wide=True)
def logdet(x: Any) -> Any:
    """The logarithm of the determinant of a positive definite (Hermitian) matrix.

    Args:
        x: shape `(..., n, n)`.

    Returns:
        Shape `(...)`.

    >>> import kerasish as keras
    >>> keras.ops.logdet([[[1.0, 0.0], [0.0, 1.0]]]).tolist()
    [0.0]
    """
    return multiply(sum(log(diagonal(cholesky(x), axis1=-2, axis2=-1)), axis=-1), 2.0)
