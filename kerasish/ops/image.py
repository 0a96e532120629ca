"""Images: sizes and places (see `resampling`), crops, patches, filters, colours, similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import backends, config, dtypes
from kerasish.core.op import op
from kerasish.errors import DTypeError, InvalidArgument, ShapeError
from kerasish.ops.core import cast, shape
from kerasish.ops.manipulation import _pad
from kerasish.ops.numpy import (
    add,
    arange,
    clip,
    concatenate,
    divide,
    equal,
    exp,
    maximum,
    mean,
    minimum,
    mod,
    multiply,
    pad,
    reshape,
    square,
    stack,
    subtract,
    sum,
    take,
    transpose,
    where,
)
from kerasish.ops.resampling import *
from kerasish.ops.resampling import (
    as_float,
    axes_of,
    back_to,
    check_choice,
    cut,
    differs,
    larger,
    sample_images,
)

__all__ = [
    "affine_transform", "crop_images", "elastic_transform", "extract_patches",
    "extract_patches_3d", "gaussian_blur", "hsv_to_rgb", "map_coordinates", "pad_images",
    "perspective_transform", "resize", "rgb_to_grayscale", "rgb_to_hsv", "scale_and_translate",
    "sobel_edges", "ssim",
]  # fmt: skip


def _edges(name: str, n: Any, before: Any, after: Any, target: Any, sign: int) -> tuple[Any, Any]:
    """How much to add to (sign 1) or cut from (sign -1) both ends of an axis of size n."""
    if [before, after, target].count(None) != 1:
        raise InvalidArgument(
            f"ops.image.{name}: give exactly two of (top, bottom, target_height) and two of "
            f"(left, right, target_width); got {before}, {after} and {target} for one axis."
        )
    change = None if target is None else sign * (target - n)
    before = change - after if before is None else before
    after = change - before if after is None else after
    if type(n) is int and (before < 0 or after < 0 or (sign < 0 and before + after > n)):
        raise InvalidArgument(
            f"ops.image.{name}: an axis of {n} pixels cannot have {before} before and {after} "
            f"after {'cut off' if sign < 0 else 'added'}. Check the target size."
        )
    return before, after


@op(convert="images")
def crop_images(
    images: Any, top_cropping: int | None = None, left_cropping: int | None = None,
    bottom_cropping: int | None = None, right_cropping: int | None = None,
    target_height: int | None = None, target_width: int | None = None,
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """Cuts off the edges of images.

    Args:
        images: an image or a batch of images.
        top_cropping, bottom_cropping, target_height: two of these: rows to cut, rows to keep.
        left_cropping, right_cropping, target_width: two of these: columns to cut, to keep.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((1, 8, 8, 3))
    >>> keras.ops.image.crop_images(x, 1, 2, target_height=4, target_width=5).shape
    (1, 4, 5, 3)
    """
    h, w, _ = axes_of("crop_images", images, data_format)
    for axis, before, after, target in (
        (h, top_cropping, bottom_cropping, target_height),
        (w, left_cropping, right_cropping, target_width),
    ):
        n = shape(images)[axis]
        before, after = _edges("crop_images", n, before, after, target, -1)
        images = _sized(cut(images, axis, before, n - after), axis, target)
    return images


def _sized(images: Any, axis: int, size: int | None) -> Any:
    """The images with a size told where only it is known, not how it came about."""
    sizes = list(shape(images))
    if size is None or type(sizes[axis]) is int:
        return images
    sizes[axis] = size
    return reshape(images, sizes)


@op(convert="images")
def pad_images(
    images: Any, top_padding: int | None = None, left_padding: int | None = None,
    bottom_padding: int | None = None, right_padding: int | None = None,
    target_height: int | None = None, target_width: int | None = None,
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """Adds zeros at the edges of images.

    Args:
        images: an image or a batch of images.
        top_padding, bottom_padding, target_height: two of these: rows to add, rows in the end.
        left_padding, right_padding, target_width: two of these: columns to add, in the end.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((1, 4, 4, 3))
    >>> keras.ops.image.pad_images(x, 1, 2, target_height=8, target_width=8).shape
    (1, 8, 8, 3)
    """
    h, w, _ = axes_of("pad_images", images, data_format)
    widths: list[Any] = [(0, 0)] * len(images.shape)
    for axis, before, after, target in (
        (h, top_padding, bottom_padding, target_height),
        (w, left_padding, right_padding, target_width),
    ):
        widths[axis] = _edges("pad_images", shape(images)[axis], before, after, target, 1)
    return _sized(_sized(_pad(images, widths, 0), h, target_height), w, target_width)


def _tuple(value: int | Sequence[int], rank: int, name: str) -> tuple[int, ...]:
    values = (value,) * rank if isinstance(value, int) else tuple(int(v) for v in value)
    if len(values) != rank or min(values) < 1:
        raise InvalidArgument(
            f"ops.image.extract_patches: {name} must be a positive int or {rank} of them, got "
            f"{value}."
        )
    return values


def _patches(
    x: Any, size: tuple[int, ...], strides: Any, dilation_rate: Any, padding: str,
    data_format: str | None,
) -> Any:  # fmt: skip
    check_choice("extract_patches", "padding", padding, ("valid", "same"))
    rank = len(size)
    strides = size if strides is None else _tuple(strides, rank, "strides")
    dilation = _tuple(dilation_rate, rank, "dilation_rate")
    channels_last = config.standardize_data_format(data_format) == "channels_last"
    if len(x.shape) not in (rank + 1, rank + 2):
        raise ShapeError(
            f"ops.image.extract_patches: patches of {rank} axes are taken from tensors of "
            f"{rank + 1} or {rank + 2} axes, got the shape {tuple(x.shape)}."
        )
    lead = len(x.shape) - rank - 1
    if not channels_last:
        x = transpose(x, (*range(lead), *range(lead + 1, lead + rank + 1), lead))
    counts = []
    for i in range(rank):
        axis = lead + 2 * i
        n, k, s, d = shape(x)[axis], size[i], strides[i], dilation[i]
        reach = (k - 1) * d + 1
        if padding == "same":
            more = larger(0, ((n + s - 1) // s - 1) * s + reach - n)
            widths: list[Any] = [(0, 0)] * len(x.shape)
            widths[axis] = (more // 2, more - more // 2)
            x, n = _pad(x, widths, 0), n + more
        count = (n - reach) // s + 1
        if type(count) is int and count < 1:
            raise ShapeError(
                f"ops.image.extract_patches: an axis of {n} elements is shorter than a patch, "
                f"which reaches over {reach}."
            )
        counts.append(count)
        # The axis becomes two: which patch, and where in it.
        if s == k and d == 1:
            x = cut(x, axis - len(x.shape), 0, count * k)
            x = reshape(x, (*shape(x)[:axis], count, k, *shape(x)[axis + 1 :]))
        else:
            first = np.arange(count) if isinstance(count, int) else arange(count)
            x = take(x, s * first[:, None] + d * np.arange(k, dtype="int32"), axis=axis)
    places = range(lead, lead + 2 * rank, 2)
    x = transpose(x, (*range(lead), *places, *(p + 1 for p in places), lead + 2 * rank))
    x = reshape(x, (*shape(x)[:lead], *counts, int(np.prod(size)) * shape(x)[-1]))
    if not channels_last:
        x = transpose(x, (*range(lead), lead + rank, *range(lead, lead + rank)))
    return x


@op(convert="images")
def extract_patches(
    images: Any, size: int | Sequence[int], strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1, padding: str = "valid", data_format: str | None = None,
) -> Any:  # fmt: skip
    """Cuts images, or volumes where `size` has three numbers, into patches.

    Args:
        images: an image or volume, or a batch of them.
        size: the patches' size, `(height, width)`, `(depth, height, width)`, or an int for both
            sizes of an image's patches.
        strides: the distance of two patches along each axis; `size` by default.
        dilation_rate: the distance of two pixels of a patch.
        padding: `"valid"`, or `"same"` to pad with zeros.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    Returns:
        `(..., rows, columns, patch)`, or with the channels first; a patch lists its pixels row by
        row, and the channels of each.

    >>> import kerasish as keras
    >>> keras.ops.image.extract_patches(keras.ops.ones((2, 20, 20, 3)), (5, 5)).shape
    (2, 4, 4, 75)
    """
    rank = 2 if isinstance(size, int) else len(size)
    if rank not in (2, 3):
        raise InvalidArgument(f"ops.image.extract_patches: size must have 2 or 3 numbers: {size}.")
    size = _tuple(size, rank, "size")
    return _patches(images, size, strides, dilation_rate, padding, data_format)


@op(convert="volumes")
def extract_patches_3d(
    volumes: Any, size: int | Sequence[int], strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1, padding: str = "valid", data_format: str | None = None,
) -> Any:  # fmt: skip
    """Cuts volumes into patches; see `extract_patches`.

    Args:
        volumes: a volume or a batch of volumes.
        size: the patches' size, an int or `(depth, height, width)`.
        strides, dilation_rate, padding, data_format: as in `extract_patches`.

    >>> import kerasish as keras
    >>> keras.ops.image.extract_patches_3d(keras.ops.ones((1, 10, 10, 10, 3)), 5).shape
    (1, 2, 2, 2, 375)
    """
    size = _tuple(size, 3, "size")
    return _patches(volumes, size, strides, dilation_rate, padding, data_format)


def _correlate(x: Any, weights: Any, count: int, axis: int) -> Any:
    """Slides `count` weights along an axis, where they fit."""
    total: Any = None
    for i in range(count):
        end = i + 1 - count
        part = multiply(cut(x, axis, i, end if end else None), weights[i])
        total = part if total is None else add(total, part)
    return total


def _gaussian(count: int, sigma: Any, dtype: str) -> Any:
    place = subtract(arange(count, dtype=dtype), (count - 1) / 2)
    bell = exp(multiply(square(divide(place, sigma)), -0.5))
    return divide(bell, sum(bell))


def _blur(x: Any, kernel_size: Sequence[int], sigma: Any, axes: Sequence[int]) -> Any:
    widths = [(0, 0)] * len(x.shape)
    for axis, k in zip(axes, kernel_size, strict=True):
        widths[axis] = ((k - 1) // 2, k // 2)
    x = pad(x, widths)
    dtype = backends.active.dtype_of(x)
    for i, (axis, k) in enumerate(zip(axes, kernel_size, strict=True)):
        x = _correlate(x, _gaussian(k, cast(sigma[i], dtype), dtype), k, axis)
    return x


@op(convert="images", float="sigma")
def gaussian_blur(
    images: Any, kernel_size: Sequence[int] = (3, 3), sigma: float | Sequence[float] = (1.0, 1.0),
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """Blurs images with a Gaussian kernel; they are taken to be zero outside.

    Args:
        images: an image or a batch of images.
        kernel_size: the kernel's `(height, width)`.
        sigma: its standard deviations along height and width.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> keras.ops.image.gaussian_blur(keras.ops.ones((1, 8, 8, 3))).shape
    (1, 8, 8, 3)
    """
    h, w, _ = axes_of("gaussian_blur", images, data_format)
    if len(kernel_size) != 2 or tuple(sigma.shape) != (2,):
        raise ShapeError(
            f"gaussian_blur: kernel_size and sigma are two numbers each, got {kernel_size} and "
            f"sigma of the shape {tuple(sigma.shape)}."
        )
    dtype = backends.active.dtype_of(images)
    return back_to(_blur(as_float(images), kernel_size, sigma, (h, w)), dtype)


@op(convert="images")
def elastic_transform(
    images: Any, alpha: float = 20.0, sigma: float = 5.0, interpolation: str = "bilinear",
    fill_mode: str = "reflect", fill_value: float = 0.0, seed: Any = None,
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """Moves the pixels of images by a smooth random field (Simard et al., 2003).

    Args:
        images: an image or a batch of images; each gets its own field.
        alpha: how strong the field is.
        sigma: how smooth it is: the standard deviation of the Gaussian that blurs the noise.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode, fill_value: what lies outside, as in `map_coordinates`.
        seed: an int, a `SeedGenerator` or `None`.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> keras.ops.image.elastic_transform(keras.ops.ones((8, 8, 3)), seed=1).shape
    (8, 8, 3)
    """
    from kerasish import random

    check_choice("elastic_transform", "interpolation", interpolation, ("nearest", "bilinear"))
    check_choice("elastic_transform", "fill_mode", fill_mode,
                 ("constant", "nearest", "wrap", "mirror", "reflect"))
    h, w, _ = axes_of("elastic_transform", images, data_format)
    batch = shape(images)[0] if len(images.shape) == 4 else 1
    height, width = shape(images)[h], shape(images)[w]
    dtype = backends.active.dtype_of(as_float(images))
    noise = random.uniform((2, batch, height, width), -1.0, 1.0, dtype=dtype, seed=seed)
    kernel = int(6 * sigma) | 1
    field = multiply(_blur(noise, (kernel, kernel), (sigma, sigma), (-2, -1)), alpha)
    rows = add(field[0], arange(height, dtype=dtype)[:, None])
    columns = add(field[1], arange(width, dtype=dtype))
    order = 0 if interpolation == "nearest" else 1
    return sample_images(images, rows, columns, order, fill_mode, fill_value, h)


def _channels(name: str, images: Any, axis: int, floating: bool = False) -> list[Any]:
    if differs(images.shape[axis], 3):
        raise ShapeError(
            f"ops.image.{name} takes images of 3 channels, got the shape {tuple(images.shape)}; "
            f"is data_format right?"
        )
    dtype = backends.active.dtype_of(images)
    if floating and not dtypes.is_float(dtype):
        raise DTypeError(
            f"ops.image.{name} takes floats between 0 and 1, got {dtype}. Divide by 255 first."
        )
    tail = [slice(None)] * (-1 - axis)
    return [images[(..., i, *tail)] for i in range(3)]


@op(convert="images")
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """The luma of RGB images, 0.2989 R + 0.587 G + 0.114 B, as images of one channel.

    Args:
        images: an image or a batch of images, of any dtype, which the result keeps.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> keras.ops.image.rgb_to_grayscale([[[1.0, 0.0, 0.0]]]).round(4).tolist()
    [[[0.2989000082015991]]]
    """
    c = axes_of("rgb_to_grayscale", images, data_format)[2]
    dtype = backends.active.dtype_of(images)
    r, g, b = _channels("rgb_to_grayscale", as_float(images), c)
    gray = add(add(multiply(r, 0.2989), multiply(g, 0.587)), multiply(b, 0.114))
    return cast(stack([gray], axis=c), dtype)


@op(convert="images", wide=True)
def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """RGB images, of floats in [0, 1], as hue, saturation and value in [0, 1].

    A hue of 0 is red, 1/3 green and 2/3 blue.

    Args:
        images: an image or a batch of images.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> keras.ops.image.rgb_to_hsv([[[0.0, 0.0, 0.5]]]).round(4).tolist()
    [[[0.666700005531311, 1.0, 0.5]]]
    """
    c = axes_of("rgb_to_hsv", images, data_format)[2]
    r, g, b = _channels("rgb_to_hsv", images, c, floating=True)
    value = maximum(maximum(r, g), b)
    spread = subtract(value, minimum(minimum(r, g), b))
    gray, black = equal(spread, 0), equal(value, 0)
    safe = where(gray, 1.0, spread)
    sector = where(
        equal(value, r), subtract(g, b) / safe,
        where(equal(value, g), subtract(b, r) / safe + 2.0, subtract(r, g) / safe + 4.0),
    )  # fmt: skip
    hue = where(gray, 0.0, mod(sector / 6.0, 1.0))
    saturation = where(black, 0.0, spread / where(black, 1.0, value))
    return stack([hue, saturation, value], axis=c)


@op(convert="images", wide=True)
def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """The inverse of `rgb_to_hsv`.

    Args:
        images: an image or a batch of images, of floats.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> keras.ops.image.hsv_to_rgb([[[0.5, 1.0, 0.5]]]).tolist()
    [[[0.0, 0.5, 0.5]]]
    """
    c = axes_of("hsv_to_rgb", images, data_format)[2]
    hue, saturation, value = _channels("hsv_to_rgb", images, c, floating=True)
    chroma = multiply(value, saturation)

    def channel(offset: float) -> Any:
        # A trapezoid over the six sectors of the hue.
        k = mod(hue * 6.0 + offset, 6.0)
        return subtract(value, multiply(chroma, clip(minimum(k, 4.0 - k), 0.0, 1.0)))

    return stack([channel(5.0), channel(3.0), channel(1.0)], axis=c)


@op(convert="images")
def sobel_edges(images: Any, data_format: str | None = None) -> Any:
    """The derivatives of images by Sobel's filters; edge pixels are repeated outside.

    Args:
        images: an image or a batch of images.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    Returns:
        The shape of `images` and one more axis of two: `[dy, dx]`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([0.0, 1.0, 2.0], (1, 1, 3, 1))
    >>> keras.ops.image.sobel_edges(x)[0, 0, :, 0, 1].tolist()
    [4.0, 8.0, 4.0]
    """
    h, w, _ = axes_of("sobel_edges", images, data_format)
    x = as_float(images)
    for axis in (h, w):
        x = concatenate([cut(x, axis, 0, 1), x, cut(x, axis, -1, None)], axis=axis)
    smooth, slope = (1.0, 2.0, 1.0), (-1.0, 0.0, 1.0)
    return stack([
        _correlate(_correlate(x, slope, 3, along), smooth, 3, across)
        for along, across in ((h, w), (w, h))
    ], axis=-1)  # fmt: skip


@op(convert="image1 image2", real=True)
def ssim(
    image1: Any, image2: Any, max_val: float = 1.0, filter_size: int = 11,
    filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03, data_format: str | None = None,
) -> Any:  # fmt: skip
    """The structural similarity of images (Wang et al., 2004), 1 for equal ones.

    Args:
        image1, image2: images, or batches of images, of one shape.
        max_val: the largest value that a pixel may have.
        filter_size: the size of the Gaussian window.
        filter_sigma: its standard deviation.
        k1, k2: the constants that keep the quotients finite.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    Returns:
        A scalar, or one number for each pair of images, of shape `(batch,)`, in the dtype of
        `image1`: compare integers as floats, or the numbers are cut off.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 16, 16, 3))
    >>> keras.ops.image.ssim(x, x).tolist()
    [1.0, 1.0]
    """
    h, w, _ = axes_of("ssim", image1, data_format)
    if tuple(image1.shape) != tuple(image2.shape):
        raise ShapeError(
            f"ops.image.ssim compares images of one shape, got {tuple(image1.shape)} and "
            f"{tuple(image2.shape)}."
        )
    if filter_size < 1 or any(n is not None and n < filter_size
                              for n in (image1.shape[h], image1.shape[w])):
        raise InvalidArgument(
            f"ops.image.ssim: the window of {filter_size} pixels does not fit into images of "
            f"shape {tuple(image1.shape)}. Take a smaller filter_size."
        )
    kind = backends.active.dtype_of(image1)
    y = _ssim(image1, image2, max_val, filter_size, filter_sigma, k1, k2, h, w)
    return cast(y, kind)


@op(float="image1 image2", wide=True)
def _ssim(
    image1: Any, image2: Any, max_val: float, filter_size: int, filter_sigma: float, k1: float,
    k2: float, h: int, w: int,
) -> Any:  # fmt: skip
    """`ssim` in floats, of images whose height and width are the axes `h` and `w`."""
    weights = _gaussian(filter_size, filter_sigma, backends.active.dtype_of(image1))

    def local(x: Any) -> Any:
        return _correlate(_correlate(x, weights, filter_size, h), weights, filter_size, w)

    mean1, mean2 = local(image1), local(image2)
    product = mean1 * mean2
    squares = square(mean1) + square(mean2)
    covariance = local(image1 * image2) - product
    variance = local(square(image1) + square(image2)) - squares
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    quotient = ((2.0 * product + c1) * (2.0 * covariance + c2)) / (
        (squares + c1) * (variance + c2)
    )
    return mean(quotient, axis=(-3, -2, -1))
