import colorsys

import numpy as np
import scipy.ndimage

from tests.ops.case import case, ints, unit, x


# Resizing, written as what it means: each new pixel is a weighted mean of old ones.
def _lanczos(radius):
    return lambda d: np.sinc(d) * np.sinc(d / radius) * (abs(d) < radius)


def _cubic(d):
    d = abs(d)
    if d < 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0


KERNELS = {
    "bilinear": lambda d: max(0, 1 - abs(d)), "bicubic": _cubic,
    "lanczos3": _lanczos(3), "lanczos5": _lanczos(5),
}


def _matrix(n, m, method, antialias, scale=None, shift=0.0):
    scale = m / n if scale is None else scale
    out = np.zeros((m, n))
    for i in range(m):
        if method == "nearest":
            out[i, int((i + 0.5) / scale)] = 1
            continue
        if method == "area":
            for j in range(n):
                out[i, j] = max(0, min((i + 1) / scale, j + 1) - max(i / scale, j)) * scale
            continue
        place = (i + 0.5 - shift) / scale - 0.5
        if not -0.5 <= place <= n - 0.5:
            continue
        width = max(1 / scale, 1) if antialias else 1
        row = np.array([KERNELS[method]((place - j) / width) for j in range(n)])
        out[i] = row / row.sum()
    return out


def _resize(a, size, interpolation="bilinear", antialias=False, data_format="channels_last"):
    h, w = (-3, -2) if data_format == "channels_last" else (-2, -1)
    out = a.astype("float64")
    for axis, m in ((h, size[0]), (w, size[1])):
        weights = _matrix(out.shape[axis], m, interpolation, antialias)
        out = np.moveaxis(np.tensordot(out, weights, ([axis], [1])), -1, axis)
    if a.dtype.kind in "iu":
        limits = np.iinfo(a.dtype)
        return np.clip(np.round(out), limits.min, limits.max).astype(a.dtype)
    return out


for _method in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"):
    for _size in ((3, 3), (7, 9), (5, 2)):
        case("image.resize", x(2, 5, 4, 3), _size, interpolation=_method, ref=_resize, tol=2e-5)
    case("image.resize", x(9, 11, 2), (4, 3), interpolation=_method, antialias=True, ref=_resize,
         tol=2e-5)
    case("image.resize", x(2, 3, 5, 4), (4, 2), interpolation=_method, ref=_resize, tol=2e-5,
         data_format="channels_first")
    case("image.resize", ints(1, 5, 6, 1, high=256, dtype="uint8"), (3, 6), interpolation=_method,
         ref=_resize)  # thirds: no mean ends in .5, which rounding errors could turn
case("image.resize", ints(1, 5, 6, 1, low=-99, high=99), (3, 6), ref=_resize)
case("image.resize", x(1, 4, 4, 20), (8, 6), ref=_resize)
case("image.resize", x(2, 8, 4, 3), (3, 3), crop_to_aspect_ratio=True,
     ref=lambda a, size, crop_to_aspect_ratio: _resize(a[:, 2:6], size))
case("image.resize", x(5, 9, 3), (4, 4), crop_to_aspect_ratio=True,
     ref=lambda a, size, crop_to_aspect_ratio: _resize(a[:, 2:7], size))
case("image.resize", x(2, 4, 8, 3), (4, 4), pad_to_aspect_ratio=True, fill_value=2.0,
     ref=lambda a, size, pad_to_aspect_ratio, fill_value: _resize(
         np.pad(a, ((0, 0), (2, 2), (0, 0), (0, 0)), constant_values=2.0), size))
case("image.resize", x(4, 7, 1), (4, 4), pad_to_aspect_ratio=True,
     ref=lambda a, size, pad_to_aspect_ratio: _resize(
         np.pad(a, ((1, 1), (0, 0), (0, 0))), size))  # 3 are missing: 1 on each side


def _scale_and_translate(a, shape, scale, shift, axes, method, antialias=True):
    for s, t, axis in zip(scale, shift, axes, strict=True):
        weights = _matrix(a.shape[axis], shape[axis], method, antialias, s, t)
        a = np.moveaxis(np.tensordot(a, weights, ([axis], [1])), -1, axis)
    return a


_scale, _shift = np.array([0.83, 1.3], "float32"), np.array([0.31, -1.1], "float32")
for _method in KERNELS:
    for _antialias in (False, True):
        case("image.scale_and_translate", x(5, 6), (4, 8), _scale, _shift, (0, 1), _method,
             antialias=_antialias, ref=_scale_and_translate, tol=5e-5, grad_tol=5e-3)
case("image.scale_and_translate", x(2, 5, 6, 3), (2, 5, 3, 3), np.array([0.5], "float32"),
     np.array([0.0], "float32"), (2,), "triangle",
     ref=lambda a, *_: _resize(a, (5, 3), antialias=True))


# Sampling.
_SCIPY = {"constant": "grid-constant", "wrap": "grid-wrap"}


def _map(a, coordinates, order, fill_mode="constant", fill_value=0):
    return scipy.ndimage.map_coordinates(
        a, coordinates, order=order, mode=_SCIPY.get(fill_mode, fill_mode), cval=fill_value
    )


for _mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
    for _order in (0, 1):
        case("image.map_coordinates", x(5, 4), x(2, 30, low=-9, high=12), order=_order,
             fill_mode=_mode, fill_value=0.5, ref=_map, tol=3e-5, grad_tol=5e-3)
    case("image.map_coordinates", x(3, 2, 1), x(3, 2, 6, low=-3, high=4), order=1,
         fill_mode=_mode, ref=_map, tol=3e-5, grad_tol=5e-3)
case("image.map_coordinates", ints(7, high=200, dtype="uint8"), x(1, 9, low=-1, high=8), order=0,
     fill_mode="nearest", ref=_map, grad=False)
case("image.map_coordinates", np.array([0, 100, 201], "uint8"),
     np.array([[0.25, 1.5, 5.0]], "float32"), order=1, fill_value=7, grad=False,
     ref=np.array([25, 150, 7], "uint8"))


def _affine(a, transform, interpolation="bilinear", fill_mode="constant", fill_value=0,
            data_format="channels_last"):
    if data_format == "channels_first":
        return np.moveaxis(_affine(np.moveaxis(a, -3, -1), transform, interpolation, fill_mode,
                                   fill_value), -1, -3)
    if a.ndim == 4:
        transform = np.broadcast_to(transform, (len(a), 8))
        return np.stack([_affine(image, t, interpolation, fill_mode, fill_value)
                         for image, t in zip(a, transform, strict=True)])
    t = transform.reshape(8)
    row, column = np.mgrid[:a.shape[0], :a.shape[1]]
    k = t[6] * column + t[7] * row + 1
    place = [(t[3] * column + t[4] * row + t[5]) / k, (t[0] * column + t[1] * row + t[2]) / k]
    return np.stack([
        _map(a[..., c], place, interpolation == "bilinear", fill_mode, fill_value)
        for c in range(a.shape[-1])
    ], -1)


_transforms = np.array([[1.2, 0.1, -0.53, -0.1, 0.9, 0.31, 0, 0],
                        [0.8, -0.3, 0.7, 0.21, 1.1, -0.4, 0.05, -0.02]], "float32")
for _mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
    for _method in ("nearest", "bilinear"):
        case("image.affine_transform", x(2, 5, 4, 3), _transforms, interpolation=_method,
             fill_mode=_mode, fill_value=0.5, ref=_affine, tol=5e-5, grad_tol=5e-3)
case("image.affine_transform", x(5, 4, 3), _transforms[1], ref=_affine, tol=5e-5, grad_tol=5e-3)
case("image.affine_transform", x(2, 3, 4, 5), _transforms[0], ref=_affine, tol=5e-5,
     grad_tol=5e-3, data_format="channels_first")
case("image.affine_transform", ints(1, 5, 4, 1, high=256, dtype="uint8"), _transforms[:1],
     interpolation="nearest", ref=_affine, grad=False)


def _perspective(a, start, end, **kwargs):
    """By the homographies that the two quadrilaterals have from the unit square."""
    if start.ndim == 2:
        start, end = start[None], end[None]
    transforms = []
    for s, e in zip(start, end, strict=True):
        m = _homography(s) @ np.linalg.inv(_homography(e))
        transforms.append((m / m[2, 2]).reshape(9)[:8])
    transforms = np.array(transforms)
    return _affine(a, transforms if a.ndim == 4 else transforms[0], **kwargs)


def _homography(points):
    """The projective map of (0, 0), (1, 0), (0, 1), (1, 1) to four points (Heckbert, 1989)."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points.astype("float64")
    dx1, dx2, sx = x1 - x3, x2 - x3, x0 - x1 + x3 - x2
    dy1, dy2, sy = y1 - y3, y2 - y3, y0 - y1 + y3 - y2
    det = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / det, (dx1 * sy - sx * dy1) / det
    return np.array([[x1 - x0 + g * x1, x2 - x0 + h * x2, x0],
                     [y1 - y0 + g * y1, y2 - y0 + h * y2, y0], [g, h, 1]])


_start = np.array([[0, 0], [3, 0], [0, 4], [3, 4]], "float32")
_end = np.array([[0.4, 0.1], [2.9, 0.6], [0.2, 3.8], [2.4, 3.3]], "float32")
case("image.perspective_transform", x(5, 4, 2), _start, _end, ref=_perspective, tol=1e-4,
     grad_tol=1e-2)
case("image.perspective_transform", x(2, 5, 4, 2), np.stack([_start, _end]),
     np.stack([_end, _start]), interpolation="nearest", fill_value=0.7, ref=_perspective,
     tol=1e-4, grad=False)
case("image.elastic_transform", x(2, 5, 4, 3), alpha=0.0, seed=1, ref=lambda a, **_: a)
case("image.elastic_transform", np.full((2, 3, 6, 5), 0.5, "float32"), seed=1, grad=False,
     data_format="channels_first", ref=lambda a, **_: a)

# Crops and padding.
case("image.crop_images", x(2, 6, 7, 3), 1, 2, target_height=3, target_width=4,
     ref=lambda a, *_, **__: a[:, 1:4, 2:6])
case("image.crop_images", x(2, 6, 7), bottom_cropping=1, right_cropping=2, target_height=3,
     target_width=4, data_format="channels_first", ref=lambda a, **_: a[:, 2:5, 1:5])
case("image.crop_images", ints(6, 7, 1, dtype="uint8"), 1, 2, 3, 4,
     ref=lambda a, *_: a[1:3, 2:3])
case("image.pad_images", x(2, 3, 4, 1), 1, 2, target_height=6, target_width=8,
     ref=lambda a, *_, **__: np.pad(a, ((0, 0), (1, 2), (2, 2), (0, 0))))
case("image.pad_images", ints(3, 4, 1), 0, 1, 2, 3,
     ref=lambda a, *_: np.pad(a, ((0, 2), (1, 3), (0, 0))))
case("image.pad_images", x(1, 3, 4), bottom_padding=1, right_padding=2, target_height=5,
     target_width=6, data_format="channels_first",
     ref=lambda a, **_: np.pad(a, ((0, 0), (1, 1), (0, 2))))


# Patches.
def _patches(a, size, strides=None, dilation_rate=1, padding="valid",
             data_format="channels_last"):
    rank = 2 if isinstance(size, int) else len(size)
    size = (size,) * rank if isinstance(size, int) else size
    strides = size if strides is None else np.broadcast_to(strides, rank)
    dilation = np.broadcast_to(dilation_rate, rank)
    if data_format == "channels_first":
        return np.moveaxis(_patches(np.moveaxis(a, -rank - 1, -1), size, strides, dilation,
                                    padding), -1, -rank - 1)
    lead = a.shape[: a.ndim - rank - 1]
    if padding == "same":
        widths = [(0, 0)] * a.ndim
        for i in range(rank):
            n = a.shape[len(lead) + i]
            more = max(0, (-(-n // strides[i]) - 1) * strides[i] + (size[i] - 1) * dilation[i] + 1 - n)
            widths[len(lead) + i] = (more // 2, more - more // 2)
        a = np.pad(a, widths)
    counts = [(a.shape[len(lead) + i] - (size[i] - 1) * dilation[i] - 1) // strides[i] + 1
              for i in range(rank)]
    out = np.zeros((*lead, *counts, int(np.prod(size)) * a.shape[-1]), a.dtype)
    for place in np.ndindex(*counts):
        key = tuple(slice(p * s, p * s + (k - 1) * d + 1, d)
                    for p, s, k, d in zip(place, strides, size, dilation, strict=True))
        out[(..., *place, slice(None))] = a[(..., *key, slice(None))].reshape(*lead, -1)
    return out


case("image.extract_patches", x(2, 6, 7, 3), (2, 3), ref=_patches)
case("image.extract_patches", x(6, 7, 3), 3, strides=2, padding="same", ref=_patches)
case("image.extract_patches", x(2, 3, 6, 7), (3, 2), strides=1, dilation_rate=2, ref=_patches,
     data_format="channels_first")
case("image.extract_patches", x(2, 5, 4, 1), (3, 2), strides=1, dilation_rate=2, padding="same",
     ref=_patches)
case("image.extract_patches", ints(5, 4, 2, dtype="uint8"), 2, ref=_patches)
case("image.extract_patches", x(1, 4, 4, 4, 2), (2, 2, 3), strides=(2, 1, 1), ref=_patches)
case("image.extract_patches_3d", x(2, 4, 4, 6, 2), (2, 2, 3), ref=_patches)
case("image.extract_patches_3d", x(2, 5, 4, 6), 3, strides=2, padding="same",
     data_format="channels_first", ref=lambda a, size, **k: _patches(a, (size,) * 3, **k))


# Filters.
def _blur(a, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format="channels_last"):
    h, w = (-3, -2) if data_format == "channels_last" else (-2, -1)
    for axis, k, s in zip((h, w), kernel_size, sigma, strict=True):
        bell = np.exp(-0.5 * ((np.arange(k) - (k - 1) / 2) / s) ** 2)
        a = scipy.ndimage.correlate1d(a, bell / bell.sum(), axis, mode="constant")
    return a


case("image.gaussian_blur", x(2, 6, 7, 3), ref=_blur)
case("image.gaussian_blur", x(6, 7, 3), kernel_size=(5, 3), sigma=(0.7, 1.9), ref=_blur)
case("image.gaussian_blur", x(2, 3, 6, 7), kernel_size=(7, 9), sigma=(2.0, 1.0), ref=_blur,
     data_format="channels_first")
case("image.gaussian_blur", np.full((5, 5, 1), 200, "uint8"), ref=lambda a: np.round(
    _blur(a.astype("float64"))).astype("uint8"))


def _sobel(a, h=-3, w=-2):
    return np.stack([_sobel_along(a, h, w), _sobel_along(a, w, h)], -1)


def _sobel_along(a, axis, other):
    slope = scipy.ndimage.correlate1d(a, [-1, 0, 1], axis, mode="nearest")
    return scipy.ndimage.correlate1d(slope, [1, 2, 1], other, mode="nearest")


case("image.sobel_edges", x(2, 5, 4, 3), ref=_sobel)
case("image.sobel_edges", x(3, 5, 4), data_format="channels_first",
     ref=lambda a, data_format: _sobel(a, -2, -1))
case("image.sobel_edges", x(5, 4, 1), ref=lambda a: np.stack(
    [scipy.ndimage.sobel(a[..., 0], axis=i, mode="nearest") for i in (0, 1)], -1)[:, :, None])


def _ssim(a, b, max_val=1.0, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03):
    a, b = a.astype("float64"), b.astype("float64")
    if a.ndim == 4:
        return np.array([_ssim(p, q, max_val, filter_size, filter_sigma, k1, k2)
                         for p, q in zip(a, b, strict=True)])
    i = np.arange(filter_size) - (filter_size - 1) / 2
    bell = np.exp(-(i**2) / (2 * filter_sigma**2))
    window = np.outer(bell, bell) / bell.sum() ** 2
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    values = []
    for row in range(a.shape[0] - filter_size + 1):
        for column in range(a.shape[1] - filter_size + 1):
            for channel in range(a.shape[2]):
                p, q = (m[row:row + filter_size, column:column + filter_size, channel]
                        for m in (a, b))
                mp, mq = np.sum(window * p), np.sum(window * q)
                vp, vq = np.sum(window * (p - mp) ** 2), np.sum(window * (q - mq) ** 2)
                cov = np.sum(window * (p - mp) * (q - mq))
                values.append((2 * mp * mq + c1) * (2 * cov + c2)
                              / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return np.mean(values)


case("image.ssim", x(2, 13, 12, 2, low=0, high=1), x(2, 13, 12, 2, low=0, high=1), ref=_ssim,
     tol=1e-4, grad_tol=5e-3)
case("image.ssim", x(6, 7, 1, low=0, high=255), x(6, 7, 1, low=0, high=255), max_val=255.0,
     filter_size=3, filter_sigma=1.0, ref=_ssim, tol=1e-4, grad=False)
case("image.ssim", *[x(1, 8, 8, 3, low=0, high=1)] * 2, filter_size=5, ref=np.ones(1),
     grad=False)


# Colours.
def _by_pixel(function):
    return lambda a: np.array([function(*pixel) for pixel in a.reshape(-1, 3)]).reshape(a.shape)


_colors = np.array([[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1],
                    [1, 0, 1], [0.2, 0.4, 0.6]], "float32").reshape(2, 4, 3)
case("image.rgb_to_hsv", _colors, ref=_by_pixel(colorsys.rgb_to_hsv), grad=False)
case("image.rgb_to_hsv", np.abs(unit(2, 3, 4, 3)), ref=_by_pixel(colorsys.rgb_to_hsv),
     grad_tol=5e-3)
case("image.rgb_to_hsv", np.abs(unit(3, 4, 5)), data_format="channels_first", grad_tol=5e-3,
     ref=lambda a, data_format: np.moveaxis(
         _by_pixel(colorsys.rgb_to_hsv)(np.moveaxis(a, 0, -1)), -1, 0))
case("image.hsv_to_rgb", np.abs(unit(2, 3, 4, 3)), ref=_by_pixel(colorsys.hsv_to_rgb),
     grad_tol=5e-3)
case("image.hsv_to_rgb", np.abs(unit(2, 3, 4, 5)), data_format="channels_first", grad_tol=5e-3,
     ref=lambda a, data_format: np.moveaxis(
         _by_pixel(colorsys.hsv_to_rgb)(np.moveaxis(a, 1, -1)), -1, 1))
case("image.hsv_to_rgb", _colors, ref=_by_pixel(colorsys.hsv_to_rgb), grad=False)
case("image.rgb_to_grayscale", x(2, 3, 4, 3),
     ref=lambda a: a @ np.array([[0.2989], [0.587], [0.114]]))
case("image.rgb_to_grayscale", x(3, 4, 5), data_format="channels_first",
     ref=lambda a, data_format: np.tensordot([[0.2989, 0.587, 0.114]], a, 1))
case("image.rgb_to_grayscale", np.array([[[100, 200, 30]]], "uint8"),
     ref=np.array([[[150]]], "uint8"))
