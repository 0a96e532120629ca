"""Convolutions, their transposes, and the patches and blocks that they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from kerasish import backends, config
from kerasish.backends.windows import reach
from kerasish.core.op import describe, op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.ops.core import cast, dtype, shape
from kerasish.ops.elementwise import add
from kerasish.ops.manipulation import pad, reshape, stack, transpose

__all__ = [
    "conv", "conv_transpose", "depth_to_space", "depthwise_conv", "fold", "separable_conv",
    "space_to_depth", "unfold",
]  # fmt: skip


# What the ops on windows (pooling too) do with their arguments


_INTS = frozenset((int,))


def per_axis(name: str, argument: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """One int for each of `rank` spatial axes, from an int or a sequence."""
    if type(value) is int and value >= least:
        return (value,) * rank
    if type(value) is tuple and len(value) == rank and _INTS.issuperset(map(type, value)) and (
        min(value) >= least
    ):
        return value
    given = list(value) if isinstance(value, Sequence) else [value] * rank
    given = given * rank if len(given) == 1 else given
    try:
        found = tuple(n.__index__() for n in given)
    except AttributeError:
        found = ()
    if len(found) != rank or any(n < least for n in found):
        raise InvalidArgument(
            f"{name}: {argument}={value!r} does not fit an input with {rank} spatial axes. "
            f"Expected an int of at least {least}, or {rank} of them."
        )
    return found


def spatial_rank(name: str, x: Any, argument: str = "inputs") -> int:
    """How many of the axes of a batch of images (sequences, volumes) are spatial."""
    rank = len(x.shape) - 2
    if rank not in (1, 2, 3):
        raise ShapeError(
            f"{name}: {argument} is {describe(x)}, of {rank + 2} dimensions. Expected 3 (batch, "
            "length, channels), 4 (batch, height, width, channels) or 5 dimensions."
        )
    return rank


def channels_first(name: str, data_format: str | None) -> bool:
    """Whether the channels come before the spatial axes."""
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise InvalidArgument(
            f"{name}: data_format={data_format!r}. Expected 'channels_last' or 'channels_first'."
        )
    return data_format == "channels_first"


def known_padding(name: str, padding: str) -> str:
    """The name of a kind of padding, checked."""
    lower = padding.lower() if isinstance(padding, str) else padding
    if lower not in ("valid", "same"):
        raise InvalidArgument(f"{name}: padding={padding!r}. Expected 'valid' or 'same'.")
    return lower


def room(
    name: str, sizes: Sequence[int | None], window: Sequence[int], padding: str,
    dilation: Sequence[int],
) -> None:  # fmt: skip
    """An error where a window without padding is larger than the spatial sizes."""
    if padding != "valid":
        return
    spans = [reach(k, d) for k, d in zip(window, dilation, strict=True)]
    if any(n is not None and n < k for n, k in zip(sizes, spans, strict=True)):
        raise ShapeError(
            f"{name}: a window that spans {tuple(spans)} does not fit into an input of spatial "
            f"size {tuple(sizes)}. Use padding='same', a smaller window or larger inputs."
        )


_settled: dict[Any, Any] = {}


def once(check: Callable[[], Any], *kind: Any) -> Any:
    """What `check` returns for calls of this kind: it runs for the first of them only."""
    try:
        return _settled[kind]
    except (KeyError, TypeError, ValueError):  # lists, and shapes with unknown sizes: no hash
        found = check()
    try:
        if len(_settled) < 4096:
            _settled[kind] = found
    except (TypeError, ValueError):
        pass
    return found


def to_last(x: Any) -> Any:
    """[n, c, *sizes] -> [n, *sizes, c]."""
    return transpose(x, (0, *range(2, len(x.shape)), 1))


def to_first(x: Any) -> Any:
    """[n, *sizes, c] -> [n, c, *sizes]."""
    rank = len(x.shape)
    return transpose(x, (0, rank - 1, *range(1, rank - 1)))


# Convolutions


@op(float="x kernel")
def _conv(x: Any, kernel: Any, strides: Any, padding: str, dilation: Any) -> Any:
    """x [n, *sizes, c], kernel [*window, c / groups, o] -> [n, *places, o]."""


@op(float="x kernel bias")
def _conv_bias(
    x: Any, kernel: Any, bias: Any, strides: Any, padding: str, dilation: Any
) -> Any:
    """`_conv` plus a bias [o]."""
    return add(_conv(x, kernel, strides, padding, dilation), bias)


@op(float="x kernel")
def _conv_transpose(x: Any, kernel: Any, strides: Any, crops: Any, dilation: Any) -> Any:
    """The transpose of a convolution: x [n, *sizes, c], kernel [*window, o, c] -> [n, *sizes, o].

    `crops` are (before, after) for each axis of the result with every tap; an `after` below zero
    adds zeros.
    """


def _check_kernel(name: str, argument: str, kernel: Any, rank: int, form: str) -> None:
    if len(kernel.shape) != rank + 2:
        raise ShapeError(
            f"{name}: {argument} is {describe(kernel)}. Inputs with {rank} spatial axes need "
            f"{rank + 2} dimensions: {form}."
        )


def _convolve(
    name: str, inputs: Any, kernel: Any, strides: Any, padding: str, data_format: str | None,
    dilation_rate: Any, bias: Any = None, check: Callable[..., None] | None = None,
) -> Any:  # fmt: skip
    """Convolves with a kernel [*window, c / groups, o] that fits the inputs, by `check`."""

    def settle() -> Any:
        first = channels_first(name, data_format)
        rank = spatial_rank(name, inputs)
        if check is not None:
            check(name, inputs, kernel, first)
        by = per_axis(name, "strides", strides, rank)
        dilation = per_axis(name, "dilation_rate", dilation_rate, rank)
        kind = known_padding(name, padding)
        sizes = inputs.shape[2:] if first else inputs.shape[1:-1]
        room(name, sizes, kernel.shape[:-2], kind, dilation)
        return first, by, kind, dilation

    first, strides, padding, dilation = once(
        settle, name, inputs.shape, kernel.shape, strides, padding,
        data_format or config.image_data_format(), dilation_rate,
    )
    x = to_last(inputs) if first else inputs
    table = backends.active.table
    if bias is None:
        y = table["_conv"](x, kernel, strides, padding, dilation)
    else:
        y = table["_conv_bias"](x, kernel, bias, strides, padding, dilation)
    return to_first(y) if first else y


def _channels(name: str, inputs: Any, data_format: str | None) -> int | None:
    return inputs.shape[1 if channels_first(name, data_format) else -1]


@op(float="inputs kernel", back=True)
def conv(
    inputs: Any, kernel: Any, strides: int | Sequence[int] = 1, padding: str = "valid",
    data_format: str | None = None, dilation_rate: int | Sequence[int] = 1,
) -> Any:  # fmt: skip
    """Slides a kernel over sequences, images or volumes (convolution as in neural networks).

    Args:
        inputs: `(batch, *sizes, channels)`, or `(batch, channels, *sizes)` with
            `data_format="channels_first"`; one to three spatial sizes. Where both are integers
            the result is of their dtype.
        kernel: `(*window, channels, filters)`. With `channels / groups` in place of channels it
            is a grouped convolution.
        strides: how far the window moves at a time; one int, or one for each spatial axis.
        padding: `"valid"` for none, `"same"` for zeros around, evenly, so that the spatial sizes
            are `ceil(size / stride)`.
        data_format: `"channels_last"` or `"channels_first"`; by default the one in
            `keras.config.image_data_format()`.
        dilation_rate: how far apart the values are that the kernel meets.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 2.0, 4.0, 8.0], (1, 4, 1))
    >>> keras.ops.conv(x, keras.ops.ones((2, 1, 1)))[0, :, 0].tolist()
    [3.0, 6.0, 12.0]
    """
    return _convolve(
        "conv", inputs, kernel, strides, padding, data_format, dilation_rate, None, _fits
    )


@op(float="inputs kernel bias")
def _biased_conv(
    inputs: Any, kernel: Any, bias: Any, strides: Any, padding: str, data_format: str | None,
    dilation_rate: Any,
) -> Any:  # fmt: skip
    """`conv` plus a bias for each filter, or `None`: what the layers compute."""
    return _convolve(
        "conv", inputs, kernel, strides, padding, data_format, dilation_rate, bias, _fits
    )


def _fits(name: str, inputs: Any, kernel: Any, first: bool) -> None:
    _check_kernel(
        name, "kernel", kernel, len(inputs.shape) - 2, "(*window, channels / groups, filters)"
    )
    c, (width, filters) = inputs.shape[1 if first else -1], kernel.shape[-2:]
    if None not in (c, width, filters) and (c % width or filters % (c // width)):
        raise ShapeError(
            f"{name}: inputs {describe(inputs)} have {c} channels, kernel {describe(kernel)} takes "
            f"{width} and gives {filters}. Expected a kernel for {c} channels, or for an equal "
            "share of them in each group, with filters that the number of groups divides. (Is "
            f"data_format={'channels_first' if first else 'channels_last'!r} right?)"
        )


@op(float="inputs kernel", back=True)
def depthwise_conv(
    inputs: Any, kernel: Any, strides: int | Sequence[int] = 1, padding: str = "valid",
    data_format: str | None = None, dilation_rate: int | Sequence[int] = 1,
) -> Any:  # fmt: skip
    """Convolves every channel by itself, with `multiplier` kernels each.

    Args:
        inputs: `(batch, *sizes, channels)`, or with the channels first; one or two spatial sizes
            as in Keras, or three.
        kernel: `(*window, channels, multiplier)`. The result has `channels * multiplier`
            channels, those of one input channel side by side.
        strides, padding, data_format, dilation_rate: as for `conv`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 10.0, 2.0, 20.0], (1, 2, 2))
    >>> keras.ops.depthwise_conv(x, keras.ops.ones((2, 2, 1))).tolist()
    [[[3.0, 30.0]]]
    """
    rank = spatial_rank("depthwise_conv", inputs)
    _check_kernel("depthwise_conv", "kernel", kernel, rank, "(*window, channels, multiplier)")
    c = _channels("depthwise_conv", inputs, data_format)
    *window, channels, multiplier = kernel.shape
    if c is not None and channels != c:
        raise ShapeError(
            f"depthwise_conv: inputs {describe(inputs)} have {c} channels, kernel "
            f"{describe(kernel)} is for {channels}. Expected (*window, {c}, multiplier)."
        )
    kernel = reshape(kernel, (*window, 1, channels * multiplier))
    return _convolve(
        "depthwise_conv", inputs, kernel, strides, padding, data_format, dilation_rate
    )


@op(float="inputs depthwise_kernel pointwise_kernel", back=True)
def separable_conv(
    inputs: Any, depthwise_kernel: Any, pointwise_kernel: Any,
    strides: int | Sequence[int] = 1, padding: str = "valid", data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:  # fmt: skip
    """A depthwise convolution, then one with windows of size one that mixes the channels.

    Args:
        inputs: `(batch, *sizes, channels)`, or with the channels first.
        depthwise_kernel: `(*window, channels, multiplier)`.
        pointwise_kernel: `(1, ..., channels * multiplier, filters)`.
        strides, padding, data_format, dilation_rate: of the first convolution, as for `conv`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 10.0, 2.0, 20.0], (1, 2, 2))
    >>> keras.ops.separable_conv(x, keras.ops.ones((2, 2, 1)), keras.ops.ones((1, 2, 1))).tolist()
    [[[33.0]]]
    """
    y = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    _check_kernel(
        "separable_conv", "pointwise_kernel", pointwise_kernel, len(inputs.shape) - 2,
        "(1, ..., channels * multiplier, filters)",
    )  # fmt: skip
    c, *window = _channels("separable_conv", y, data_format), *pointwise_kernel.shape[:-2]
    taken, given, *window = unknown_shape((pointwise_kernel.shape[-2], c, *window))
    if (None not in (taken, given) and taken != given) or {*window} - {1, None}:
        raise ShapeError(
            f"separable_conv: pointwise_kernel is {describe(pointwise_kernel)}. Expected "
            f"{(*[1] * len(window), c, 'filters')}, as the depthwise kernel gives {c} channels."
        )
    return _convolve("separable_conv", y, pointwise_kernel, 1, "valid", data_format, 1)


@op(float="inputs kernel", back=True)
def conv_transpose(
    inputs: Any, kernel: Any, strides: int | Sequence[int] = 1, padding: str = "valid",
    output_padding: int | Sequence[int] | None = None, data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:  # fmt: skip
    """The transpose of `conv` (also "deconvolution"): spreads each value over a window.

    Args:
        inputs: `(batch, *sizes, channels)`, or with the channels first.
        kernel: `(*window, filters, channels)`: the kernel of the convolution that goes the other
            way.
        strides: how far apart the windows are in the result.
        padding: `"valid"` keeps the whole result, of size `size * stride + max(window - stride,
            0)`; `"same"` cuts it to `size * stride`.
        output_padding: sets the size instead: it is `(size - 1) * stride + window +
            output_padding`, and with padding `"same"` less `2 * (window // 2)`.
        data_format, dilation_rate: as for `conv`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 2.0], (1, 2, 1))
    >>> keras.ops.conv_transpose(x, keras.ops.ones((3, 1, 1)), strides=2)[0, :, 0].tolist()
    [1.0, 1.0, 3.0, 2.0, 2.0]
    """
    name = "conv_transpose"
    rank = spatial_rank(name, inputs)
    _check_kernel(name, "kernel", kernel, rank, "(*window, filters, channels)")
    if (c := _channels(name, inputs, data_format)) not in (None, kernel.shape[-1]):
        raise ShapeError(
            f"{name}: inputs {describe(inputs)} have {c} channels, kernel {describe(kernel)} is "
            f"for {kernel.shape[-1]}. Expected (*window, filters, {c})."
        )
    strides = per_axis(name, "strides", strides, rank)
    dilation = per_axis(name, "dilation_rate", dilation_rate, rank)
    more: Sequence[int | None] = [None] * rank
    if output_padding is not None:
        more = per_axis(name, "output_padding", output_padding, rank, least=0)
        if any(m >= s for m, s in zip(more, strides, strict=True)):
            raise InvalidArgument(
                f"{name}: output_padding={output_padding!r} must be smaller than the strides, "
                f"{strides}."
            )
    same = known_padding(name, padding) == "same"
    crops = tuple(
        _crops(reach(k, d), s, same, extra)
        for k, s, d, extra in zip(kernel.shape[:-2], strides, dilation, more, strict=True)
    )
    first = channels_first(name, data_format)
    x = to_last(inputs) if first else inputs
    y = backends.active.table["_conv_transpose"](x, kernel, strides, crops, dilation)
    return to_first(y) if first else y


def _crops(span: int, stride: int, same: bool, extra: int | None) -> tuple[int, int]:
    """What a transposed convolution loses before and (below zero: gets) after along one axis.

    It is what the padding of the convolution that goes the other way adds, whose odd one is after.
    """
    if extra is None:
        total = span - stride if same else min(span - stride, 0)
    else:
        total = 2 * (span // 2) * same - extra
    before = max(total, 0) // 2
    return before, total - before


# Patches and blocks


@op(convert="x")
def unfold(
    x: Any, kernel_size: int | Sequence[int], dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0, stride: int | Sequence[int] = 1,
) -> Any:  # fmt: skip
    """All patches that a window meets as it slides over images, as columns ("im2col").

    Args:
        x: `(batch, channels, height, width)`.
        kernel_size: height and width of the window; one int for both.
        dilation: how far apart the values are that the window meets.
        padding: how many zeros are put around, before and after.
        stride: how far the window moves at a time.

    Returns:
        `(batch, channels * window, places)`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.arange(6), (1, 1, 2, 3))
    >>> keras.ops.unfold(x, 2)[0].tolist()
    [[0, 1], [1, 2], [3, 4], [4, 5]]
    """
    if len(x.shape) != 4:
        raise ShapeError(f"unfold: x is {describe(x)}. Expected (batch, channels, height, width).")
    window, spread, around, step = _fold_arguments("unfold", kernel_size, dilation, padding, stride)
    x = pad(x, ((0, 0), (0, 0), *((p, p) for p in around)))
    b, c, *sizes = shape(x)
    places = [(n - reach(k, d)) // s + 1
              for n, k, d, s in zip(sizes, window, spread, step, strict=True)]  # fmt: skip
    if any(isinstance(n, int) and n < 1 for n in places):
        raise ShapeError(
            f"unfold: a window of {window}, dilation {spread}, does not fit into images of "
            f"{tuple(sizes)} with their padding."
        )
    taps = [
        x[(slice(None), slice(None), *(
            slice(i * d, i * d + (m - 1) * s + 1, s)
            for i, d, m, s in zip((i, j), spread, places, step, strict=True)
        ))]
        for i in range(window[0]) for j in range(window[1])
    ]  # fmt: skip
    return reshape(stack(taps, 2), (b, c * math.prod(window), math.prod(places)))


@op(convert="x")
def fold(
    x: Any, output_size: int | Sequence[int], kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1, padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Any:  # fmt: skip
    """Puts patches back to where `unfold` took them from, and adds where they overlap.

    Args:
        x: `(batch, channels * window, places)`.
        output_size: height and width of the images.
        kernel_size, dilation, padding, stride: as they were for `unfold`.

    Returns:
        `(batch, channels, height, width)`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.arange(6), (1, 1, 2, 3))
    >>> keras.ops.fold(keras.ops.unfold(x, 2), (2, 3), 2)[0, 0].tolist()
    [[0, 2, 2], [3, 8, 5]]
    """
    window, spread, around, step = _fold_arguments("fold", kernel_size, dilation, padding, stride)
    sizes = per_axis("fold", "output_size", output_size, 2)
    places = [(n + 2 * p - reach(k, d)) // s + 1
              for n, p, k, d, s in zip(sizes, around, window, spread, step, strict=True)]
    sizes_of_x = unknown_shape(x.shape)
    if (
        len(sizes_of_x) != 3 or (sizes_of_x[1] or 0) % math.prod(window)
        or sizes_of_x[2] not in (None, math.prod(places))
    ):
        raise ShapeError(
            f"fold: x is {describe(x)}. For images of {sizes} expected (batch, channels * "
            f"{math.prod(window)}, {math.prod(places)}): a row for each value of the window, a "
            "column for each place."
        )
    if (kind := dtype(x)) == "bool":
        x = cast(x, "int32")
    b, c = shape(x)[0], shape(x)[1] // math.prod(window)
    x = reshape(x, (b, c, *window, *places))
    total: Any = 0
    for i in range(window[0]):
        for j in range(window[1]):
            part = x[:, :, i, j]
            for axis, at in enumerate((i, j)):
                part = _spread(part, 2 + axis, step[axis], at * spread[axis],
                               sizes[axis] + 2 * around[axis])  # fmt: skip
            total = add(total, part)
    (top, left), (h, w) = around, sizes
    total = total[:, :, top : top + h, left : left + w]
    return cast(total, kind) if kind == "bool" else total


def _fold_arguments(name: str, window: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    return (
        per_axis(name, "kernel_size", window, 2), per_axis(name, "dilation", dilation, 2),
        per_axis(name, "padding", padding, 2, least=0), per_axis(name, "stride", stride, 2),
    )  # fmt: skip


def _spread(x: Any, axis: int, stride: int, start: int, size: int) -> Any:
    """Along one axis, `x` at `start`, `start + stride`, ... of zeros."""
    sizes = list(shape(x))
    n = sizes[axis]
    if stride > 1:
        widths = [(0, 0)] * (len(sizes) + 1)
        widths[axis + 1] = (0, stride - 1)
        x = pad(reshape(x, (*sizes[: axis + 1], 1, *sizes[axis + 1 :])), widths)
        x = reshape(x, (*sizes[:axis], n * stride, *sizes[axis + 1 :]))
        x = x[(*[slice(None)] * axis, slice(0, (n - 1) * stride + 1))]
    widths = [(0, 0)] * len(sizes)
    widths[axis] = (start, size - start - (n - 1) * stride - 1)
    return pad(x, widths)


@op(convert="x")
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Moves square blocks of an image into its channels.

    Args:
        x: `(batch, height, width, channels)`, or with the channels first.
        block_size: the side of a block; divides height and width.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        `(batch, height / block, width / block, block * block * channels)`: row by row the
        channels of each value of a block; with the channels first, channel by channel its values.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.arange(8), (1, 2, 4, 1))
    >>> keras.ops.space_to_depth(x, 2)[0, 0].tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    r, first = _block_arguments("space_to_depth", x, block_size, data_format)
    b, *sizes = shape(x)
    h, w, c = (*sizes[1:], sizes[0]) if first else sizes
    if any(isinstance(n, int) and n % r for n in (h, w)):
        raise ShapeError(
            f"space_to_depth: block_size={r} does not divide the height and width of x, "
            f"{(h, w)}. Pad or crop it first."
        )
    if first:
        x = transpose(reshape(x, (b, c, h // r, r, w // r, r)), (0, 1, 3, 5, 2, 4))
        return reshape(x, (b, c * r * r, h // r, w // r))
    x = transpose(reshape(x, (b, h // r, r, w // r, r, c)), (0, 1, 3, 2, 4, 5))
    return reshape(x, (b, h // r, w // r, r * r * c))


@op(convert="x")
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Moves channels into square blocks of the image; the inverse of `space_to_depth`.

    Args:
        x: `(batch, height, width, channels)`, or with the channels first.
        block_size: the side of a block; its square divides the number of channels.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        `(batch, height * block, width * block, channels / (block * block))`.

    >>> import kerasish as keras
    >>> keras.ops.depth_to_space([[[[0, 1, 2, 3]]]], 2)[0, :, :, 0].tolist()
    [[0, 1], [2, 3]]
    """
    r, first = _block_arguments("depth_to_space", x, block_size, data_format)
    b, *sizes = shape(x)
    h, w, c = (*sizes[1:], sizes[0]) if first else sizes
    if isinstance(c, int) and c % (r * r):
        raise ShapeError(
            f"depth_to_space: block_size={r} needs a number of channels that {r * r} divides, "
            f"got {c}."
        )
    c //= r * r
    if first:
        x = transpose(reshape(x, (b, c, r, r, h, w)), (0, 1, 4, 2, 5, 3))
        return reshape(x, (b, c, h * r, w * r))
    x = transpose(reshape(x, (b, h, w, r, r, c)), (0, 1, 3, 2, 4, 5))
    return reshape(x, (b, h * r, w * r, c))


def _block_arguments(name: str, x: Any, block_size: int, data_format: str) -> tuple[int, bool]:
    if len(x.shape) != 4:
        raise ShapeError(f"{name}: x is {describe(x)}. Expected 4 dimensions: a batch of images.")
    (r,) = per_axis(name, "block_size", block_size, 1, least=2)
    return r, channels_first(name, data_format)
