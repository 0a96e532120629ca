"""Pictures to arrays and back, by Pillow, which is imported when one of these is called."""

from __future__ import annotations

import io
import os
import pathlib
import warnings
from typing import Any

import numpy as np

from kerasish import backends, config, dtypes, ops
from kerasish.errors import BackendMissing, DTypeError, InvalidArgument, ShapeError

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_COLORS = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_DEEP = ("I", "I;16", "I;16B")
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise BackendMissing("Picture files need Pillow: pip install pillow.") from None
    return Image


def _channels_last(x: np.ndarray, data_format: str | None) -> np.ndarray:
    first = config.standardize_data_format(data_format) == "channels_first"
    return np.moveaxis(x, 0, -1) if first else x


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """A Pillow image from an array.

    Args:
        x: an array of shape (height, width, channels), or (channels, height, width), with 1, 3 or
            4 channels.
        data_format: `"channels_last"` or `"channels_first"`; `None` is the global setting.
        scale: whether values are stretched to 0 to 255; otherwise they are cut off there, and one
            channel of larger values becomes a picture of integers.
        dtype: the dtype to compute in; `None` is `floatx`.

    >>> import numpy as np
    >>> import kerasish as keras
    >>> keras.utils.array_to_img(np.array([[[0.0], [1.0]]])).getpixel((1, 0))
    255
    """
    image = _pillow()
    x = np.asarray(backends.to_host(x), dtypes.numpy_dtype(dtypes.standardize(dtype)))
    if x.ndim != 3:
        raise ShapeError(f"A picture has shape (height, width, channels), got {x.shape}.")
    x = _channels_last(x, data_format)
    if x.shape[-1] not in _MODES:
        raise ShapeError(f"A picture has 1, 3 or 4 channels, got an array of shape {x.shape}.")
    if scale and x.size:
        x = x - x.min()
        x = x * (255 / (x.max() or 1))
    one = x.shape[-1] == 1
    if one and x.max(initial=0) > 255:
        return image.fromarray(x[..., 0].astype("int32"))
    x = np.clip(x, 0, 255).astype("uint8")
    return image.fromarray(x[..., 0] if one else np.ascontiguousarray(x))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """The array of a Pillow image, with an axis of channels.

    Args:
        img: a Pillow image, or an array of shape (height, width) or (height, width, channels).
        data_format: the order of the result's axes; `None` is the global setting.
        dtype: the result's dtype; `None` is `floatx`.

    >>> import numpy as np
    >>> import kerasish as keras
    >>> keras.utils.img_to_array(np.zeros((4, 5), "uint8")).shape
    (4, 5, 1)
    """
    first = config.standardize_data_format(data_format) == "channels_first"
    x = np.asarray(img).astype(dtypes.numpy_dtype(dtypes.standardize(dtype)))
    if x.ndim not in (2, 3):
        raise ShapeError(f"A picture has 2 or 3 axes, got an array of shape {x.shape}.")
    if x.ndim == 2:
        return x[None] if first else x[..., None]
    return np.moveaxis(x, -1, 0) if first else x


def load_img(
    path: Any, color_mode: str = "rgb", target_size: Any = None, interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:  # fmt: skip
    """A Pillow image from a file.

    Args:
        path: a path, or an open binary file.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"` (which keeps pictures of 16 or 32 bits).
        target_size: `(height, width)` to resize to; `None` keeps the picture's own.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or `"lanczos"`.
        keep_aspect_ratio: cut the middle out in the target's proportions before resizing.

    >>> import io
    >>> import numpy as np
    >>> import kerasish as keras
    >>> file = io.BytesIO()
    >>> keras.utils.save_img(file, np.zeros((4, 6, 3)), file_format="png")
    >>> keras.utils.load_img(file, target_size=(2, 3)).size  # Pillow tells the width first
    (3, 2)
    """
    image = _pillow()
    if color_mode not in _COLORS:
        raise InvalidArgument(f"color_mode is one of {list(_COLORS)}, got {color_mode!r}.")
    if interpolation not in _INTERPOLATIONS:
        raise InvalidArgument(
            f"interpolation is one of {list(_INTERPOLATIONS)}, got {interpolation!r}."
        )
    if isinstance(path, str | os.PathLike):
        with open(path, "rb") as file:
            path = io.BytesIO(file.read())
    elif not hasattr(path, "read"):
        raise DTypeError(f"A picture is loaded from a path or an open file, got {path!r}.")
    img = image.open(path)
    mode = _COLORS[color_mode]
    if img.mode != mode and not (mode == "L" and img.mode in _DEEP):
        img = img.convert(mode)
    if target_size is None:
        return img
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        left, top, w, h = _middle(img.width, img.height, width, height)
        box = (left, top, left + w, top + h)
    if img.size == (width, height) and box is None:
        return img
    return img.resize((width, height), image.Resampling[interpolation.upper()], box=box)


def _middle(width: int, height: int, to_width: int, to_height: int) -> tuple[int, ...]:
    """(left, top, width, height) of the largest middle part with the target's proportions."""
    w = min(width, height * to_width // to_height)
    h = min(height, width * to_height // to_width)
    return (width - w) // 2, (height - h) // 2, w, h


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None,
    scale: bool = True, **kwargs: Any,
) -> None:  # fmt: skip
    """Writes an array as a picture file.

    Args:
        path: a path, or an open binary file.
        x: the array, as in `array_to_img`.
        data_format: the order of its axes.
        file_format: such as `"png"`; `None` takes the path's ending.
        scale: as in `array_to_img`.
        **kwargs: what Pillow's `save` takes for the format.

    >>> import os, tempfile
    >>> import numpy as np
    >>> import kerasish as keras
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     keras.utils.save_img(os.path.join(folder, "black.png"), np.zeros((4, 6, 3)))
    ...     os.listdir(folder)
    ['black.png']
    """
    img = array_to_img(x, data_format=data_format, scale=scale)
    ending = file_format or pathlib.Path(str(path)).suffix.lstrip(".")
    if img.mode == "RGBA" and ending.lower() in ("jpg", "jpeg"):
        warnings.warn("JPEG has no transparency: the picture is saved as RGB.", stacklevel=2)
        img = img.convert("RGB")
    if img.mode == "I" and ending.lower() == "png":  # of which PNG has 16 bits
        img = _pillow().fromarray(np.clip(np.asarray(img), 0, 2**16 - 1).astype("uint16"))
    img.save(path, format=file_format, **kwargs)


def smart_resize(
    x: Any, size: Any, interpolation: str = "bilinear", data_format: str = "channels_last",
    **kwargs: Any,
) -> Any:  # fmt: skip
    """Resizes pictures without distortion: the middle is cut out in the target's proportions.

    Args:
        x: pictures of shape (height, width, channels), or with a batch axis before.
        size: `(height, width)`.
        interpolation: as in `ops.image.resize`.
        data_format: the order of the axes.

    Returns:
        A tensor, or an array where `x` was one.

    >>> import numpy as np
    >>> import kerasish as keras
    >>> keras.preprocessing.image.smart_resize(np.zeros((6, 9, 3)), (4, 4)).shape
    (4, 4, 3)
    """
    if kwargs:
        raise InvalidArgument(f"smart_resize has no arguments {sorted(kwargs)}.")
    if len(size) != 2:
        raise InvalidArgument(f"size is (height, width), got {size!r}.")
    rank = len(x.shape)
    if rank not in (3, 4):
        raise ShapeError(f"Pictures have 3 axes, or 4 with a batch, got shape {tuple(x.shape)}.")
    place = rank - 3 + int(config.standardize_data_format(data_format) == "channels_first")
    height, width = x.shape[place : place + 2]
    left, top, w, h = _middle(width, height, size[1], size[0])
    region = (slice(None),) * place + (slice(top, top + h), slice(left, left + w))
    was_array = isinstance(x, np.ndarray)
    resized = ops.image.resize(
        ops.convert_to_tensor(x)[region], tuple(size), interpolation=interpolation,
        data_format=data_format,
    )  # fmt: skip
    return backends.to_host(resized) if was_array else resized
