"""Pooling: windows, whole maps, and to a given size."""

from __future__ import annotations

from typing import Any

from kerasish import config, ops
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers.base import Layer
from kerasish.layers.convolutional import output_length, sizes
from kerasish.layers.input_spec import InputSpec
from kerasish.layers.reshaping import spatial_axes


class _Pool(Layer):
    dims = 2
    _pool: Any = None

    def __init__(
        self, pool_size: Any, strides: Any = None, padding: str = "valid",
        data_format: str | None = None, name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(name=name, **kwargs)
        self.pool_size = sizes(pool_size, self.dims, "pool_size")
        self.strides = self.pool_size if strides is None else sizes(strides, self.dims, "strides")
        self.padding = str(padding).lower()
        if self.padding not in ("valid", "same"):
            raise InvalidArgument(
                f"{type(self).__name__}: padding must be 'valid' or 'same', got {padding!r}."
            )
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.dims + 2)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return type(self)._pool(
            inputs, self.pool_size, self.strides, self.padding, self.data_format
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        out = list(input_shape)
        axes = spatial_axes(self.dims + 2, self.data_format)
        for axis, k, s in zip(axes, self.pool_size, self.strides, strict=True):
            out[axis] = output_length(out[axis], k, s, self.padding)
            if out[axis] is not None and out[axis] <= 0:
                raise ShapeError(
                    f"Layer {self.name!r} ({type(self).__name__}): a window of {self.pool_size} "
                    f"does not fit input shape {tuple(input_shape)}."
                )
        return tuple(out)


class _MaxPool(_Pool):
    _keeps_dtype = True
    _pool = staticmethod(ops.max_pool)


class MaxPooling1D(_MaxPool):
    """The maximum over windows of steps: `(batch, steps, d)` -> `(batch, windows, d)`.

    Args:
        pool_size: the window's size in steps.
        strides: from one window to the next; by default `pool_size`, windows side by side.
        padding: "valid" (whole windows only) or "same" (`ceil(steps / strides)` windows).
        data_format: "channels_last", or "channels_first" for `(batch, d, steps)`; the configured
            one by default.
        name: the layer's name.

    >>> import kerasish as keras
    >>> keras.layers.MaxPooling1D(2)(keras.ops.array([[[1.0], [5.0], [3.0], [4.0]]])).tolist()
    [[[5.0], [4.0]]]
    """

    dims = 1

    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: str = "valid",
        data_format: str | None = None, name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling2D(_MaxPool):
    """The maximum over windows of images `(batch, rows, columns, channels)`.

    Args:
        pool_size: the window's rows and columns, or one int for both.
        strides, padding, data_format, name: as in `MaxPooling1D`, strides of one or two ints.

    >>> import kerasish as keras
    >>> keras.layers.MaxPooling2D()(keras.ops.ones((1, 6, 6, 2))).shape
    (1, 3, 3, 2)
    """

    def __init__(
        self, pool_size: Any = (2, 2), strides: Any = None, padding: str = "valid",
        data_format: str | None = None, name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling3D(_MaxPool):
    """The maximum over windows of volumes `(batch, depth, rows, columns, channels)`.

    Args:
        pool_size: the window's three sizes, or one int for all.
        strides, padding, data_format, name: as in `MaxPooling1D`, strides of one or three ints.

    >>> import kerasish as keras
    >>> keras.layers.MaxPooling3D(2, strides=1)(keras.ops.ones((1, 4, 4, 4, 3))).shape
    (1, 3, 3, 3, 3)
    """

    dims = 3

    def __init__(
        self, pool_size: Any = (2, 2, 2), strides: Any = None, padding: str = "valid",
        data_format: str | None = None, name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class _AveragePool(_Pool):
    _pool = staticmethod(ops.average_pool)


class AveragePooling1D(_AveragePool):
    """The mean over windows of steps; padded places do not count.

    Args:
        pool_size, strides, padding, data_format, name: as in `MaxPooling1D`.

    >>> import kerasish as keras
    >>> keras.layers.AveragePooling1D(2)(keras.ops.array([[[1.0], [5.0], [3.0], [4.0]]])).tolist()
    [[[3.0], [3.5]]]
    """

    dims = 1


class AveragePooling2D(_AveragePool):
    """The mean over windows of images; padded places do not count.

    Args:
        pool_size, strides, padding, data_format, name: as in `MaxPooling2D`.

    >>> import kerasish as keras
    >>> keras.layers.AveragePooling2D(3, padding="same")(keras.ops.ones((1, 7, 7, 2))).shape
    (1, 3, 3, 2)
    """


class AveragePooling3D(_AveragePool):
    """The mean over windows of volumes; padded places do not count.

    Args:
        pool_size, strides, padding, data_format, name: as in `MaxPooling3D`.

    >>> import kerasish as keras
    >>> keras.layers.AveragePooling3D((1, 2, 2))(keras.ops.ones((1, 4, 4, 4, 3))).shape
    (1, 4, 2, 2, 3)
    """

    dims = 3


class _GlobalPool(Layer):
    dims = 2

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.dims + 2)
        self.built = True

    def _reduce(self, inputs: Any, axes: Any) -> Any:
        raise TypeError("A global pooling layer must define _reduce.")

    def call(self, inputs: Any) -> Any:
        return self._reduce(inputs, spatial_axes(self.dims + 2, self.data_format))

    def compute_output_shape(self, input_shape: Any) -> Any:
        axes = spatial_axes(self.dims + 2, self.data_format)
        return tuple(
            1 if i in axes else n for i, n in enumerate(input_shape) if self.keepdims
            or i not in axes
        )


class _GlobalAverage(_GlobalPool):
    def _reduce(self, inputs: Any, axes: Any) -> Any:
        return ops.mean(inputs, axis=axes, keepdims=self.keepdims)


class GlobalAveragePooling1D(_GlobalAverage):
    """The mean over all steps, over the unmasked ones where there is a mask.

    `(batch, steps, d)` -> `(batch, d)`.

    Args:
        data_format: "channels_last", or "channels_first" for `(batch, d, steps)`; the configured
            one by default.
        keepdims: whether the steps stay as an axis of size 1.

    >>> import kerasish as keras
    >>> x = keras.ops.array([[[1.0], [3.0], [8.0]]])
    >>> keras.layers.GlobalAveragePooling1D()(x).tolist()
    [[4.0]]
    >>> mask = keras.ops.array([[True, True, False]])
    >>> keras.layers.GlobalAveragePooling1D()(x, mask=mask).tolist()
    [[2.0]]
    """

    dims = 1

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        axis = spatial_axes(3, self.data_format)[0]
        if mask is None:
            return ops.mean(inputs, axis=axis, keepdims=self.keepdims)
        weight = ops.cast(mask, ops.dtype(inputs))
        weight = ops.expand_dims(weight, 2 if axis == 1 else 1)
        total = ops.sum(ops.multiply(inputs, weight), axis=axis, keepdims=self.keepdims)
        return ops.divide(total, ops.sum(weight, axis=axis, keepdims=self.keepdims))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


class GlobalAveragePooling2D(_GlobalAverage):
    """The mean over rows and columns: `(batch, rows, columns, channels)` -> `(batch, channels)`.

    Lin et al. (2013), https://arxiv.org/abs/1312.4400

    Args:
        data_format, keepdims: as in `GlobalAveragePooling1D`.

    >>> import kerasish as keras
    >>> keras.layers.GlobalAveragePooling2D()(keras.ops.ones((2, 4, 4, 3))).shape
    (2, 3)
    """


class GlobalAveragePooling3D(_GlobalAverage):
    """The mean over a volume: `(batch, depth, rows, columns, channels)` -> `(batch, channels)`.

    Args:
        data_format, keepdims: as in `GlobalAveragePooling1D`.

    >>> import kerasish as keras
    >>> keras.layers.GlobalAveragePooling3D(keepdims=True)(keras.ops.ones((2, 4, 4, 4, 3))).shape
    (2, 1, 1, 1, 3)
    """

    dims = 3


class _GlobalMax(_GlobalPool):
    _keeps_dtype = True

    def _reduce(self, inputs: Any, axes: Any) -> Any:
        return ops.max(inputs, axis=axes, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalMax):
    """The maximum over all steps: `(batch, steps, d)` -> `(batch, d)`.

    Args:
        data_format, keepdims: as in `GlobalAveragePooling1D`.

    >>> import kerasish as keras
    >>> keras.layers.GlobalMaxPooling1D()(keras.ops.array([[[1.0], [3.0], [2.0]]])).tolist()
    [[3.0]]
    """

    dims = 1


class GlobalMaxPooling2D(_GlobalMax):
    """The maximum over rows and columns: `(batch, rows, columns, channels)` -> `(batch, channels)`.

    Args:
        data_format, keepdims: as in `GlobalAveragePooling1D`.

    >>> import kerasish as keras
    >>> keras.layers.GlobalMaxPooling2D()(keras.ops.ones((2, 4, 4, 3))).shape
    (2, 3)
    """


class GlobalMaxPooling3D(_GlobalMax):
    """The maximum over a volume: `(batch, depth, rows, columns, channels)` -> `(batch, channels)`.

    Args:
        data_format, keepdims: as in `GlobalAveragePooling1D`.

    >>> import kerasish as keras
    >>> keras.layers.GlobalMaxPooling3D()(keras.ops.ones((2, 4, 4, 4, 3))).shape
    (2, 3)
    """

    dims = 3


class _AdaptivePool(Layer):
    dims = 2

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.output_size = sizes(output_size, self.dims, "output_size")
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.dims + 2)
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        out = list(input_shape)
        axes = spatial_axes(self.dims + 2, self.data_format)
        for axis, n in zip(axes, self.output_size, strict=True):
            out[axis] = n
        return tuple(out)


class _AdaptiveAverage(_AdaptivePool):
    def call(self, inputs: Any) -> Any:
        return ops.adaptive_average_pool(inputs, self.output_size, self.data_format)


class _AdaptiveMax(_AdaptivePool):
    _keeps_dtype = True

    def call(self, inputs: Any) -> Any:
        return ops.adaptive_max_pool(inputs, self.output_size, self.data_format)


class AdaptiveAveragePooling1D(_AdaptiveAverage):
    """Means over steps, to a given number: `(batch, steps, d)` -> `(batch, output_size, d)`.

    Args:
        output_size: the number of steps that come out; the windows follow from it and may overlap.
        data_format: as in `MaxPooling1D`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.arange(6.0), (1, 6, 1))
    >>> keras.layers.AdaptiveAveragePooling1D(3)(x)[0, :, 0].tolist()
    [0.5, 2.5, 4.5]
    """

    dims = 1


class AdaptiveAveragePooling2D(_AdaptiveAverage):
    """Means over images, to a given size: `(batch, *output_size, channels)`.

    Args:
        output_size: rows and columns that come out, or one int for both.
        data_format: as in `MaxPooling1D`.

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveAveragePooling2D((4, 2))(keras.ops.ones((1, 9, 7, 3))).shape
    (1, 4, 2, 3)
    """


class AdaptiveAveragePooling3D(_AdaptiveAverage):
    """Means over volumes, to a given size: `(batch, *output_size, channels)`.

    Args:
        output_size: the three sizes that come out, or one int for all.
        data_format: as in `MaxPooling1D`.

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveAveragePooling3D(2)(keras.ops.ones((1, 5, 6, 7, 3))).shape
    (1, 2, 2, 2, 3)
    """

    dims = 3


class AdaptiveMaxPooling1D(_AdaptiveMax):
    """Maxima over steps, to a given number: `(batch, steps, d)` -> `(batch, output_size, d)`.

    Args:
        output_size, data_format: as in `AdaptiveAveragePooling1D`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.arange(6.0), (1, 6, 1))
    >>> keras.layers.AdaptiveMaxPooling1D(3)(x)[0, :, 0].tolist()
    [1.0, 3.0, 5.0]
    """

    dims = 1


class AdaptiveMaxPooling2D(_AdaptiveMax):
    """Maxima over images, to a given size: `(batch, *output_size, channels)`.

    Args:
        output_size, data_format: as in `AdaptiveAveragePooling2D`.

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveMaxPooling2D((4, 2))(keras.ops.ones((1, 9, 7, 3))).shape
    (1, 4, 2, 3)
    """


class AdaptiveMaxPooling3D(_AdaptiveMax):
    """Maxima over volumes, to a given size: `(batch, *output_size, channels)`.

    Args:
        output_size, data_format: as in `AdaptiveAveragePooling3D`.

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveMaxPooling3D(2)(keras.ops.ones((1, 5, 6, 7, 3))).shape
    (1, 2, 2, 2, 3)
    """

    dims = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = (
    GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
)  # fmt: skip
