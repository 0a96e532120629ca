"""Images at other sizes and places: resizing, and sampling at given coordinates.

Resizing one axis is a product with a small matrix of weights, so gradients are exact and all
engines give the same numbers. Sampling gathers the pixels around each coordinate.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import backends, config, dtypes
from kerasish.backends.shapes import axes_of as normalized_axes
from kerasish.core.op import op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.ops.contraction import tensordot
from kerasish.ops.core import cast, saturate_cast, shape
from kerasish.ops.linalg import solve
from kerasish.ops.manipulation import _pad
from kerasish.ops.numpy import (
    absolute,
    add,
    arange,
    broadcast_to,
    clip,
    concatenate,
    divide,
    expand_dims,
    floor,
    greater,
    less,
    logical_and,
    matmul,
    maximum,
    minimum,
    mod,
    moveaxis,
    multiply,
    ones_like,
    repeat,
    reshape,
    round,
    sinc,
    squeeze,
    stack,
    subtract,
    sum,
    take,
    transpose,
    where,
    zeros_like,
)

__all__ = [
    "affine_transform", "map_coordinates", "perspective_transform", "resize", "scale_and_translate",
]  # fmt: skip

_METHODS = {
    "linear": "bilinear", "trilinear": "bilinear", "triangle": "bilinear", "cubic": "bicubic",
    "tricubic": "bicubic",
}  # fmt: skip
_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def check_choice(op_name: str, argument: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise InvalidArgument(f"ops.image.{op_name}: {argument} must be one of {tuple(known)}, "
                              f"got {value!r}.")


def axes_of(op_name: str, images: Any, data_format: str | None) -> tuple[int, int, int]:
    """The axes of height, width and channels of an image or a batch of images."""
    if len(images.shape) not in (3, 4):
        raise ShapeError(
            f"ops.image.{op_name} takes an image (3 axes) or a batch of images (4 axes), got the "
            f"shape {tuple(images.shape)}."
        )
    channels_last = config.standardize_data_format(data_format) == "channels_last"
    return (-3, -2, -1) if channels_last else (-2, -1, -3)


def differs(size: Any, expected: int) -> bool:
    """Whether a size is known (it may be symbolic, or `None` in a TensorFlow graph) and another."""
    return type(size) is int and size != expected


def lesser(a: Any, b: Any) -> Any:
    """The lesser of two sizes, which may be tensors in a TensorFlow graph."""
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else minimum(a, b)


def larger(a: Any, b: Any) -> Any:
    return max(a, b) if isinstance(a, int) and isinstance(b, int) else maximum(a, b)


def as_float(x: Any) -> Any:
    return x if dtypes.is_float(backends.active.dtype_of(x)) else cast(x, config.floatx())


def back_to(x: Any, dtype: str) -> Any:
    """A float result in the dtype of what it came from: integers are rounded, not wrapped."""
    return x if dtypes.is_float(dtype) else saturate_cast(round(x), dtype)


def cut(x: Any, axis: int, start: Any, stop: Any, step: int = 1) -> Any:
    """`x[..., start:stop:step, ...]` along an axis counted from the end."""
    return x[(..., slice(start, stop, step), *[slice(None)] * (-1 - axis))]


def _kernel(method: str, distance: Any) -> Any:
    d = distance
    if method == "bilinear":
        return maximum(subtract(1.0, d), 0.0)
    if method == "bicubic":  # Keys (1981), a = -1/2
        near = ((1.5 * d - 2.5) * d) * d + 1.0
        far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
        return where(less(d, 1.0), near, where(less(d, 2.0), far, 0.0))
    radius = {"lanczos3": 3.0, "lanczos5": 5.0}[method]
    return where(less(d, radius), multiply(sinc(d), sinc(d / radius)), 0.0)


def _weights(
    before: Any, after: int, scale: Any, translation: Any, method: str, antialias: bool, dtype: str
) -> Any:
    """The matrix (after, before) that resamples an axis: pixel i is centred at i + 1/2.

    With `antialias` the kernel is as wide as the pixels of the result where that is smaller.
    Weights of a pixel add up to 1; they are 0 for pixels that lie outside the input.
    """
    place = add(arange(after, dtype=dtype), 0.5)
    if method == "area":
        low = divide(subtract(place, 0.5), scale)
        high = divide(add(place, 0.5), scale)
        left = arange(before, dtype=dtype)
        overlap = subtract(
            minimum(high[:, None], add(left, 1.0)), maximum(low[:, None], left)
        )
        weights = maximum(overlap, 0.0)
        return divide(weights, sum(weights, axis=1, keepdims=True))
    inverse = divide(1.0, scale)
    place = subtract(multiply(subtract(place, translation), inverse), 0.5)
    width = maximum(inverse, 1.0) if antialias else 1.0
    distance = absolute(subtract(place[:, None], arange(before, dtype=dtype)))
    weights = _kernel(method, divide(distance, width))
    total = sum(weights, axis=1, keepdims=True)
    some = greater(absolute(total), 1000 * float(np.finfo(np.float32).eps))
    inside = logical_and(place >= -0.5, place <= subtract(cast(before, dtype), 0.5))
    weights = where(some, divide(weights, where(some, total, 1.0)), 0.0)
    return where(inside[:, None], weights, 0.0)


@functools.lru_cache(maxsize=256)
def _constant_weights(
    before: int, after: int, method: str, antialias: bool, dtype: str
) -> np.ndarray:
    with backends.using(backends.host()):
        weights = _weights(before, after, after / before, 0.0, method, antialias, "float64")
    return weights.astype(dtypes.numpy_dtype(dtype))


def _along(weights: Any, x: Any, axis: int) -> Any:
    """The product of a matrix with `x` along an axis counted from the end."""
    if axis == -1:
        return matmul(x, transpose(weights))
    if axis == -2 and x.shape[-1] is not None and x.shape[-1] < 16:
        return moveaxis(tensordot(x, weights, axes=[[len(x.shape) - 2], [1]]), -1, -2)
    *lead, n = shape(x)[: len(x.shape) + axis + 1]
    tail = shape(x)[axis + 1 :]
    size: Any = 1
    for d in tail:
        size = size * d
    return reshape(
        matmul(weights, reshape(x, (*lead, n, size))), (*lead, weights.shape[0], *tail)
    )


def _resize_axis(x: Any, axis: int, after: int, method: str, antialias: bool) -> Any:
    before = shape(x)[axis]
    if type(before) is int and before == after:
        return x
    if method == "nearest":
        if type(before) is int and after % before == 0:
            return repeat(x, after // before, axis=len(x.shape) + axis)
        if type(before) is int and before % after == 0:
            return cut(x, axis, before // after // 2, None, before // after)
        # Exact in integers: floor((i + 1/2) * before / after).
        place = arange(after) if not isinstance(before, int) else np.arange(after)
        return take(x, (2 * place + 1) * before // (2 * after), axis=len(x.shape) + axis)
    dtype = backends.active.dtype_of(x)
    if type(before) is int:
        weights = backends.active.convert(
            _constant_weights(before, after, method, antialias, dtype)
        )
    else:
        scale = divide(float(after), cast(before, dtype))
        weights = _weights(before, after, scale, 0.0, method, antialias, dtype)
    return _along(weights, x, axis)


@op(convert="x")
def _resize(
    x: Any, size: Sequence[int], axes: Sequence[int], method: str, antialias: bool
) -> Any:
    for axis, after in zip(axes, size, strict=True):
        x = _resize_axis(x, axis, after, method, antialias)
    return x


@op(convert="images")
def resize(
    images: Any, size: Sequence[int], interpolation: str = "bilinear", antialias: bool = False,
    crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant", fill_value: float = 0.0, data_format: str | None = None,
) -> Any:  # fmt: skip
    """Resizes images.

    Args:
        images: an image or a batch of images, of any dtype, which the result keeps (integers are
            rounded).
        size: the new `(height, width)`.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"`, `"lanczos5"` or
            `"area"` (the mean of what a new pixel covers).
        antialias: whether to widen the kernel when an axis becomes smaller.
        crop_to_aspect_ratio: whether to cut the images in the middle, so that they keep their
            proportions.
        pad_to_aspect_ratio: whether to pad them for the same end, by as much on either side.
        fill_mode: `"constant"`.
        fill_value: what to pad with.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([0.0, 2.0, 4.0, 6.0], (2, 2, 1))
    >>> keras.ops.image.resize(x, (1, 2)).tolist()
    [[[2.0], [4.0]]]
    """
    check_choice("resize", "interpolation", interpolation,
                 ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"))
    check_choice("resize", "fill_mode", fill_mode, ("constant",))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise InvalidArgument(
            "ops.image.resize: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other."
        )
    if len(size) != 2:
        raise InvalidArgument(f"ops.image.resize: size must be (height, width), got {size}.")
    h, w, _ = axes_of("resize", images, data_format)
    height, width = shape(images)[h], shape(images)[w]
    new_height, new_width = size = tuple(int(n) for n in size)
    if new_height < 1 or new_width < 1:
        raise InvalidArgument(f"ops.image.resize: size must be positive, got {size}.")
    # The size of each axis that would keep the proportions with the other axis as it is.
    wanted = ((h, height, width * new_height // new_width),
              (w, width, height * new_width // new_height))
    dtype = backends.active.dtype_of(images)
    x = images
    if crop_to_aspect_ratio:
        for axis, n, other in wanted:
            keep = larger(1, lesser(n, other))
            x = cut(x, axis, (n - keep) // 2, (n - keep) // 2 + keep)
    elif pad_to_aspect_ratio:
        widths: list[Any] = [(0, 0)] * len(x.shape)
        for axis, n, other in wanted:
            more = larger(0, other - n)
            widths[axis] = (more // 2, more // 2)  # evenly: an odd pixel is left out
        x = _pad(x, widths, fill_value)
    if interpolation == "nearest":
        return _resize(x, size, (h, w), interpolation, antialias)
    return back_to(_resize(as_float(x), size, (h, w), interpolation, antialias), dtype)


@op(convert="images", float="scale translation", wide=True, real=True)
def scale_and_translate(
    images: Any, output_shape: Sequence[int], scale: Any, translation: Any,
    spatial_dims: Sequence[int], method: str, antialias: bool = True,
) -> Any:  # fmt: skip
    """Resamples an array so that what was at x comes to lie at `x * scale + translation`.

    Pixel i is centred at i + 1/2. What lies outside the input is zero.

    Args:
        images: an array of any rank.
        output_shape: the result's shape, of the same rank.
        scale: one factor for each of `spatial_dims`.
        translation: one offset for each of `spatial_dims`.
        spatial_dims: the axes to resample.
        method: `"linear"` (`"bilinear"`, `"trilinear"`, `"triangle"`), `"cubic"` (`"bicubic"`,
            `"tricubic"`), `"lanczos3"` or `"lanczos5"`.
        antialias: whether to widen the kernel when an axis becomes smaller.

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor([[1.0, 2.0, 3.0]])
    >>> keras.ops.image.scale_and_translate(x, (1, 3), [1.0], [1.0], (1,), "linear").tolist()
    [[0.0, 1.0, 2.0]]
    """
    name = _METHODS.get(method, method)
    check_choice("scale_and_translate", "method", method,
                 ("bilinear", "bicubic", "lanczos3", "lanczos5", *_METHODS))
    rank = len(images.shape)
    if len(output_shape) != rank:
        raise ShapeError(
            f"ops.image.scale_and_translate: output_shape {tuple(output_shape)} needs the rank of "
            f"images, whose shape is {tuple(images.shape)}."
        )
    axes = normalized_axes(spatial_dims, rank)
    if any(unknown_shape(p.shape) not in ((len(axes),), (None,)) for p in (scale, translation)):
        raise ShapeError(
            f"ops.image.scale_and_translate: scale and translation need a number for each of "
            f"spatial_dims {tuple(spatial_dims)}, got the shapes {tuple(scale.shape)} and "
            f"{tuple(translation.shape)}."
        )
    dtype = backends.active.dtype_of(images)
    x = as_float(images)
    for i, axis in enumerate(axes):
        weights = _weights(
            shape(images)[axis], output_shape[axis], cast(scale[i], backends.active.dtype_of(x)),
            cast(translation[i], backends.active.dtype_of(x)), name, antialias,
            backends.active.dtype_of(x),
        )  # fmt: skip
        x = _along(weights, x, axis - rank)
    return back_to(x, dtype)


def _wrap(index: Any, size: Any, mode: str) -> Any:
    """Indices inside an axis for indices anywhere."""
    if mode == "wrap":
        return mod(index, size)
    if mode == "mirror":
        last = maximum(subtract(size, 1), 1)
        index = absolute(subtract(mod(add(index, last), 2 * last), last))
        return minimum(index, subtract(size, 1))
    if mode == "reflect":
        index = mod(index, 2 * size)
        return minimum(index, 2 * size - 1 - index)
    return clip(index, 0, subtract(size, 1))


def _sample(
    flat: Any, base: Any, sizes: Sequence[Any], coordinates: Sequence[Any], order: int, mode: str,
    fill_value: Any,
) -> Any:  # fmt: skip
    """Interpolates in a grid of pixels that lies in the rows of `flat`, beginning at row `base`.

    `coordinates` has one tensor for each axis of the grid; all have the shape of the result, but
    for its last axis, which is that of `flat`.
    """
    corners = []
    for c in coordinates:
        if order == 0:
            corners.append([(cast(floor(c + 0.5), "int32"), None)])
            continue
        low = floor(c)
        t = subtract(c, low)
        low = cast(low, "int32")
        corners.append([(low, subtract(1.0, t)), (add(low, 1), t)])
    total: Any = None
    for choice in itertools.product(*corners):
        row, weight, valid = None, None, None
        for (index, part), n in zip(choice, sizes, strict=True):
            if mode == "constant":
                within = logical_and(index >= 0, less(index, n))
                valid = within if valid is None else logical_and(valid, within)
            inner = _wrap(index, n, mode)
            row = inner if row is None else add(multiply(row, n), inner)
            weight = part if weight is None else multiply(weight, part)
        value = take(flat, row if base is None else add(row, base), axis=0)
        if valid is not None:
            outside = backends.active.convert(fill_value, backends.active.dtype_of(value))
            value = where(expand_dims(valid, -1), value, outside)
        if weight is not None:
            value = multiply(value, expand_dims(weight, -1))
        total = value if total is None else add(total, value)
    return total


@op(convert="inputs", float="coordinates", real=True)
def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> Any:
    """The values of an array at any coordinates, by interpolation.

    Args:
        inputs: an array of any rank n and dtype, which the result keeps.
        coordinates: shape `(n, ...)`, indices that need not be whole.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: what lies outside. `"constant"`: `fill_value`. `"nearest"`: the last element.
            `"wrap"`: the array again. `"mirror"`: its mirror image about the last element.
            `"reflect"`: its mirror image about the edge of the last element.
        fill_value: see `fill_mode`.

    Returns:
        The shape of `coordinates` without its first axis.

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor([10.0, 20.0, 30.0])
    >>> keras.ops.image.map_coordinates(x, [[0.5, 2.0, 9.0]], order=1).tolist()
    [15.0, 30.0, 0.0]
    """
    check_choice("map_coordinates", "fill_mode", fill_mode, _FILL_MODES)
    if order not in (0, 1):
        raise InvalidArgument(f"ops.image.map_coordinates: order must be 0 or 1, got {order}.")
    rank = len(inputs.shape)
    if differs(coordinates.shape[0], rank):
        raise ShapeError(
            f"ops.image.map_coordinates: inputs of shape {tuple(inputs.shape)} need {rank} "
            f"coordinates, got coordinates of shape {tuple(coordinates.shape)}."
        )
    dtype = backends.active.dtype_of(inputs)
    x = as_float(inputs) if order else inputs
    places = [coordinates[i] for i in range(rank)]
    if order:
        places = [cast(c, backends.active.dtype_of(x)) for c in places]
    out = _sample(
        reshape(x, (-1, 1)), None, shape(inputs), places, order, fill_mode, fill_value
    )
    return back_to(squeeze(out, -1), dtype)


@op(convert="images", float="transform", real=True)
def affine_transform(
    images: Any, transform: Any, interpolation: str = "bilinear", fill_mode: str = "constant",
    fill_value: float = 0, data_format: str | None = None,
) -> Any:  # fmt: skip
    """Applies projective transforms to images.

    Args:
        images: an image or a batch of images, of any dtype, which the result keeps.
        transform: `[a0, a1, a2, b0, b1, b2, c0, c1]`, of shape `(8,)`, or one for each image, of
            shape `(batch, 8)`. The pixel (x, y) of the result, x counting columns, comes from
            `((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)` with `k = c0 x + c1 y + 1`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode, fill_value: what lies outside, as in `map_coordinates`.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 2.0, 3.0], (1, 3, 1))
    >>> shift = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    >>> keras.ops.image.affine_transform(x, shift).tolist()
    [[[2.0], [3.0], [0.0]]]
    """
    check_choice("affine_transform", "interpolation", interpolation, ("nearest", "bilinear"))
    check_choice("affine_transform", "fill_mode", fill_mode, _FILL_MODES)
    if len(transform.shape) not in (1, 2) or differs(transform.shape[-1], 8):
        raise ShapeError(
            "ops.image.affine_transform: transform must have the shape (8,) or (batch, 8), got "
            f"{tuple(transform.shape)}."
        )
    h, w, _ = axes_of("affine_transform", images, data_format)
    height, width = shape(images)[h], shape(images)[w]
    name = backends.active.dtype_of(transform)
    x = arange(width, dtype=name)[None, None, :]
    y = arange(height, dtype=name)[None, :, None]
    a = reshape(transform, (-1, 8, 1, 1))
    k = a[:, 6] * x + a[:, 7] * y + 1.0
    columns = (a[:, 0] * x + a[:, 1] * y + a[:, 2]) / k
    rows = (a[:, 3] * x + a[:, 4] * y + a[:, 5]) / k
    order = 0 if interpolation == "nearest" else 1
    return sample_images(images, rows, columns, order, fill_mode, fill_value, h)


def sample_images(
    images: Any, rows: Any, columns: Any, order: int, fill_mode: str, fill_value: Any, h: int
) -> Any:
    """Images at places given by `rows` and `columns`, of shape (batch or 1, height, width)."""
    dtype = backends.active.dtype_of(images)
    x = as_float(images) if order else images
    if len(images.shape) == 3:
        x = expand_dims(x, 0)
    if h == -2:
        x = moveaxis(x, 1, -1)
    batch, height, width, channels = shape(x)
    new_height, new_width = shape(rows)[1:]
    places = [
        broadcast_to(cast(c, backends.active.dtype_of(as_float(x))), (batch, new_height, new_width))
        for c in (rows, columns)
    ]
    base = reshape(arange(batch, dtype="int32"), (-1, 1, 1)) * (height * width)
    flat = reshape(x, (batch * height * width, channels))
    out = _sample(flat, base, (height, width), places, order, fill_mode, fill_value)
    if h == -2:
        out = moveaxis(out, -1, 1)
    return back_to(out[0] if len(images.shape) == 3 else out, dtype)


def projection(start_points: Any, end_points: Any) -> Any:
    """The transforms, as `affine_transform` takes them, that move four points to four others."""
    # u k = a0 x + a1 y + a2 and v k = b0 x + b1 y + b2, with k = c0 x + c1 y + 1, at four points:
    # eight linear equations for the transform from the end points (x, y) to the start (u, v).
    x, y = end_points[..., 0], end_points[..., 1]
    u, v = start_points[..., 0], start_points[..., 1]
    one, zero = ones_like(x), zeros_like(x)
    upper = stack([x, y, one, zero, zero, zero, -x * u, -y * u], axis=-1)
    lower = stack([zero, zero, zero, x, y, one, -x * v, -y * v], axis=-1)
    return solve(concatenate([upper, lower], axis=-2), concatenate([u, v], axis=-1))


@op(convert="images", float="start_points end_points", real=True)
def perspective_transform(
    images: Any, start_points: Any, end_points: Any, interpolation: str = "bilinear",
    fill_value: float = 0, data_format: str | None = None,
) -> Any:  # fmt: skip
    """Applies the perspective transforms that move four points of each image to four others.

    Args:
        images: an image or a batch of images.
        start_points: where the points (x, y) are, of shape `(4, 2)` or `(batch, 4, 2)`.
        end_points: where they go, of the same shape.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: what lies outside.
        data_format: `"channels_last"` or `"channels_first"`; `config.image_data_format()` by
            default.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 2.0, 3.0, 4.0], (2, 2, 1))
    >>> corners = keras.ops.convert_to_tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> turned = keras.ops.take(corners, [1, 3, 0, 2], axis=0)
    >>> keras.ops.image.perspective_transform(x, corners, turned).round(3)[..., 0].tolist()
    [[3.0, 1.0], [4.0, 2.0]]
    """
    for name, points in (("start_points", start_points), ("end_points", end_points)):
        if len(points.shape) not in (2, 3) or any(map(differs, points.shape[-2:], (4, 2))):
            raise ShapeError(
                f"ops.image.perspective_transform: {name} must have the shape (4, 2) or "
                f"(batch, 4, 2), got {tuple(points.shape)}."
            )
    transform = projection(start_points, end_points)
    return affine_transform(
        images, transform, interpolation, "constant", fill_value, data_format
    )
