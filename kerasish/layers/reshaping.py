"""Layers that change the shape of their input and nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kerasish import config, ops
from kerasish.errors import DTypeError, InvalidArgument, ShapeError
from kerasish.layers.base import Layer
from kerasish.layers.input_spec import InputSpec


def spatial_axes(rank: int, data_format: str) -> tuple[int, ...]:
    """The axes between batch and channels of a tensor of that rank."""
    return tuple(range(1, rank - 1)) if data_format == "channels_last" else tuple(range(2, rank))


def pairs(value: Any, n: int, name: str) -> tuple[tuple[int, int], ...]:
    """`1` -> ((1, 1), ...); `(1, 2)` -> one symmetric pair an axis; pairs stay."""
    if isinstance(value, int):
        return ((value, value),) * n
    value = tuple(value)
    if n == 1 and len(value) == 2 and all(isinstance(v, int) for v in value):
        return (value,)
    if len(value) != n:
        raise InvalidArgument(f"{name} takes an int, {n} ints or {n} pairs, got {value}.")
    found = tuple((v, v) if isinstance(v, int) else tuple(v) for v in value)
    if any(len(pair) != 2 for pair in found):
        raise InvalidArgument(f"{name} takes pairs of (before, after), got {value}.")
    return found


class Flatten(Layer):
    """All axes but the batch as one: `(batch, ...)` -> `(batch, n)`.

    Args:
        data_format: "channels_last" or "channels_first" (its channels are moved last, so that both
            give the same features); the configured one by default.

    >>> import kerasish as keras
    >>> keras.layers.Flatten()(keras.ops.ones((2, 3, 4))).shape
    (2, 12)
    """

    _keeps_dtype = True

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)
        self.built = True

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        if self.data_format == "channels_first" and rank > 2:
            inputs = ops.transpose(inputs, (0, *range(2, rank), 1))
        sizes = tuple(inputs.shape[1:])
        if None in sizes:
            return ops.reshape(inputs, (ops.shape(inputs)[0], -1))
        return ops.reshape(inputs, (-1, math.prod(sizes)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else int(np.prod(rest, dtype=int)))


class Reshape(Layer):
    """Another shape for all axes but the batch: `(batch, ...)` -> `(batch, *target_shape)`.

    Args:
        target_shape: the sizes without the batch; one of them may be -1, the rest of the elements.

    >>> import kerasish as keras
    >>> keras.layers.Reshape((2, -1))(keras.ops.ones((3, 8))).shape
    (3, 2, 4)
    """

    _keeps_dtype = True

    def __init__(self, target_shape: Any, **kwargs: Any):
        super().__init__(**kwargs)
        target_shape = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        if target_shape.count(-1) > 1:
            raise InvalidArgument(f"Reshape takes at most one -1, got {target_shape}.")
        self.target_shape = target_shape
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        rest = input_shape[1:]
        total = None if None in rest else int(np.prod(rest, dtype=int))
        fixed = int(np.prod([d for d in self.target_shape if d != -1], dtype=int))
        if -1 not in self.target_shape:
            if total is not None and total != fixed:
                raise ShapeError(
                    f"Layer {self.name!r} cannot reshape {rest} ({total} elements) to "
                    f"{self.target_shape} ({fixed} elements)."
                )
            return (input_shape[0], *self.target_shape)
        if total is not None and (fixed == 0 or total % fixed):
            raise ShapeError(
                f"Layer {self.name!r} cannot reshape {rest} ({total} elements) to "
                f"{self.target_shape}."
            )
        found = None if total is None else total // fixed
        return (input_shape[0], *(found if d == -1 else d for d in self.target_shape))

    def call(self, inputs: Any) -> Any:
        shape = tuple(inputs.shape[1:])
        if -1 in self.target_shape and None not in shape:
            resolved = self.compute_output_shape((None, *map(int, shape)))[1:]
            return ops.reshape(inputs, (-1, *resolved))
        batch = ops.shape(inputs)[0] if -1 in self.target_shape else -1
        return ops.reshape(inputs, (batch, *self.target_shape))


class Permute(Layer):
    """The axes after the batch in another order.

    Args:
        dims: the input's axes in the order of the output; they count from 1, the batch is 0.

    >>> import kerasish as keras
    >>> keras.layers.Permute((2, 1))(keras.ops.ones((8, 3, 5))).shape
    (8, 5, 3)
    """

    _keeps_dtype = True

    def __init__(self, dims: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise InvalidArgument(
                f"Permute takes the axes 1 to n in some order, got dims={self.dims}."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *(input_shape[d] for d in self.dims))


class RepeatVector(Layer):
    """A vector repeated `n` times: `(batch, d)` -> `(batch, n, d)`.

    Args:
        n: how often, an int.

    >>> import kerasish as keras
    >>> keras.layers.RepeatVector(2)(keras.ops.array([[1, 2]])).tolist()
    [[[1, 2], [1, 2]]]
    """

    _keeps_dtype = True

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise DTypeError(f"RepeatVector takes an int, got n={n!r}.")
        if n < 0:
            raise InvalidArgument(f"RepeatVector cannot repeat n={n} times.")
        self.n = n
        self.input_spec = InputSpec(ndim=2)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.n, input_shape[1])


class _Spatial(Layer):
    """A layer over `dims` spatial axes in either data format."""

    dims = 2

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.dims + 2)
        self.built = True

    def _axes(self) -> tuple[int, ...]:
        return spatial_axes(self.dims + 2, self.data_format)


def _without_data_format(self: Any) -> dict[str, Any]:
    """The config of a layer whose features always come last."""
    config = Layer.get_config(self)
    config.pop("data_format", None)
    return config


class _ZeroPadding(_Spatial):
    _keeps_dtype = True

    def __init__(self, padding: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.padding = pairs(padding, self.dims, "padding")

    def call(self, inputs: Any) -> Any:
        widths = [(0, 0)] * (self.dims + 2)
        for axis, pair in zip(self._axes(), self.padding, strict=True):
            widths[axis] = pair
        return ops.pad(inputs, widths)

    def compute_output_shape(self, input_shape: Any) -> Any:
        out = list(input_shape)
        for axis, pair in zip(self._axes(), self.padding, strict=True):
            out[axis] = None if out[axis] is None else out[axis] + sum(pair)
        return tuple(out)


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after the steps: `(batch, steps, d)` -> `(batch, more_steps, d)`.

    Args:
        padding: how many steps at both ends, or a pair (before, after).
        data_format: "channels_last", or "channels_first" for `(batch, d, steps)`; the configured
            one by default.

    >>> import kerasish as keras
    >>> keras.layers.ZeroPadding1D((2, 0))(keras.ops.ones((1, 3, 1)))[0, :, 0].tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0]
    """

    dims = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any):
        super().__init__(padding, data_format, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding[0]}


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images: `(batch, rows, columns, channels)` with more rows and columns.

    Args:
        padding: an int for all sides, (rows, columns), or ((top, bottom), (left, right)).
        data_format: "channels_last", or "channels_first" for `(batch, channels, rows, columns)`;
            the configured one by default.

    >>> import kerasish as keras
    >>> keras.layers.ZeroPadding2D(((1, 1), (0, 2)))(keras.ops.ones((1, 4, 4, 3))).shape
    (1, 6, 6, 3)
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any):
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes `(batch, depth, rows, columns, channels)`.

    Args:
        padding: an int for all sides, one for each axis, or a pair (before, after) for each.
        data_format: as in `ZeroPadding2D`.

    >>> import kerasish as keras
    >>> keras.layers.ZeroPadding3D(1)(keras.ops.ones((1, 2, 3, 4, 5))).shape
    (1, 4, 5, 6, 5)
    """

    dims = 3

    def __init__(
        self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(padding, data_format, **kwargs)


class _Cropping(_Spatial):
    _keeps_dtype = True

    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.cropping = pairs(cropping, self.dims, "cropping")
        if any(c < 0 for pair in self.cropping for c in pair):
            raise InvalidArgument(f"cropping must not be negative, got {cropping}.")

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)  # says so if nothing is left
        key: list[Any] = [slice(None)] * (self.dims + 2)
        for axis, (low, high) in zip(self._axes(), self.cropping, strict=True):
            key[axis] = slice(low, -high if high else None)
        return ops.get_item(inputs, tuple(key))

    def compute_output_shape(self, input_shape: Any) -> Any:
        out = list(input_shape)
        for axis, pair in zip(self._axes(), self.cropping, strict=True):
            if out[axis] is not None:
                out[axis] -= sum(pair)
                if out[axis] <= 0:
                    raise ShapeError(
                        f"Layer {self.name!r}: cropping {self.cropping} leaves nothing of input "
                        f"shape {tuple(input_shape)}."
                    )
        return tuple(out)


class Cropping1D(_Cropping):
    """Cuts steps off both ends: `(batch, steps, d)` -> `(batch, steps - before - after, d)`.

    Args:
        cropping: how many steps at both ends, or a pair (before, after). A `ShapeError` is raised
            when nothing is left.

    >>> import kerasish as keras
    >>> keras.layers.Cropping1D((1, 0))(keras.ops.array([[[1], [2], [3]]])).tolist()
    [[[2], [3]]]
    """

    dims = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any):
        super().__init__(cropping, "channels_last", **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**_without_data_format(self), "cropping": self.cropping[0]}


class Cropping2D(_Cropping):
    """Cuts rows and columns off images `(batch, rows, columns, channels)`.

    Args:
        cropping: an int for all sides, (rows, columns), or ((top, bottom), (left, right)). A
            `ShapeError` is raised when nothing is left.
        data_format: as in `ZeroPadding2D`.

    >>> import kerasish as keras
    >>> keras.layers.Cropping2D(((1, 1), (0, 2)))(keras.ops.ones((1, 6, 6, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Cuts the borders off volumes `(batch, depth, rows, columns, channels)`.

    Args:
        cropping: an int for all sides, one for each axis, or a pair (before, after) for each.
        data_format: as in `ZeroPadding2D`.

    >>> import kerasish as keras
    >>> keras.layers.Cropping3D((1, 0, 2))(keras.ops.ones((1, 6, 6, 6, 3))).shape
    (1, 4, 6, 2, 3)
    """

    dims = 3

    def __init__(
        self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(cropping, data_format, **kwargs)


class _UpSampling(_Spatial):
    interpolation = "nearest"

    def __init__(self, size: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.size = (size,) * self.dims if isinstance(size, int) else tuple(size)
        if len(self.size) != self.dims or any(not isinstance(n, int) or n < 1 for n in self.size):
            raise InvalidArgument(f"size takes {self.dims} ints > 0, got {size!r}.")

    def call(self, inputs: Any) -> Any:
        for axis, n in zip(self._axes(), self.size, strict=True):
            if n != 1:
                inputs = ops.repeat(inputs, n, axis=axis)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        out = list(input_shape)
        for axis, n in zip(self._axes(), self.size, strict=True):
            out[axis] = None if out[axis] is None else out[axis] * n
        return tuple(out)


class UpSampling1D(_UpSampling):
    """Repeats each step: `(batch, steps, d)` -> `(batch, steps * size, d)`.

    Args:
        size: how often, an int.

    >>> import kerasish as keras
    >>> keras.layers.UpSampling1D(2)(keras.ops.array([[[1], [2]]]))[0, :, 0].tolist()
    [1, 1, 2, 2]
    """

    dims = 1
    _keeps_dtype = True

    def __init__(self, size: int = 2, **kwargs: Any):
        if not isinstance(size, int):
            raise DTypeError(f"UpSampling1D takes an int, got size={size!r}.")
        super().__init__(size, "channels_last", **kwargs)
        self.size = size

    get_config = _without_data_format

    def call(self, inputs: Any) -> Any:
        return ops.repeat(inputs, self.size, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        steps = input_shape[1]
        return (input_shape[0], None if steps is None else steps * self.size, input_shape[2])


class UpSampling2D(_UpSampling):
    """Enlarges images by whole factors: `(batch, rows * size[0], columns * size[1], channels)`.

    Args:
        size: the factors for rows and columns, or one for both.
        data_format: as in `ZeroPadding2D`.
        interpolation: "nearest" repeats pixels; "bilinear", "bicubic", "lanczos3", "lanczos5".

    >>> import kerasish as keras
    >>> layer = keras.layers.UpSampling2D((2, 3), interpolation="bilinear")
    >>> layer(keras.ops.ones((1, 4, 4, 3))).shape
    (1, 8, 12, 3)
    """

    _keeps_dtype = True

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest",
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(size, data_format, **kwargs)
        known = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        if interpolation not in known:
            raise InvalidArgument(f"interpolation must be one of {known}, got {interpolation!r}.")
        self.interpolation = interpolation

    def call(self, inputs: Any) -> Any:
        if self.interpolation == "nearest":
            return super().call(inputs)
        rows, columns = self._axes()
        target = (inputs.shape[rows] * self.size[0], inputs.shape[columns] * self.size[1])
        return ops.image.resize(
            inputs, target, interpolation=self.interpolation, data_format=self.data_format
        )


class UpSampling3D(_UpSampling):
    """Repeats the voxels of volumes `(batch, depth, rows, columns, channels)`.

    Args:
        size: how often along each of the three axes, or one int for all.
        data_format: as in `ZeroPadding2D`.

    >>> import kerasish as keras
    >>> keras.layers.UpSampling3D((1, 2, 3))(keras.ops.ones((1, 2, 2, 2, 1))).shape
    (1, 2, 4, 6, 1)
    """

    dims = 3
    _keeps_dtype = True

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any):
        super().__init__(size, data_format, **kwargs)
