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
    _pool = staticmethod(lambda *a: ops.max_pool(*a))


class MaxPooling1D(_MaxPool):
    """The maximum over windows of steps."""

    dims = 1

    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: str = "valid",
        data_format: str | None = None, name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling2D(_MaxPool):
    """The maximum over windows of images.

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
    """The maximum over windows of volumes."""

    dims = 3

    def __init__(
        self, pool_size: Any = (2, 2, 2), strides: Any = None, padding: str = "valid",
        data_format: str | None = None, name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class _AveragePool(_Pool):
    _pool = staticmethod(lambda *a: ops.average_pool(*a))


class AveragePooling1D(_AveragePool):
    """The mean over windows of steps."""

    dims = 1


class AveragePooling2D(_AveragePool):
    """The mean over windows of images."""


class AveragePooling3D(_AveragePool):
    """The mean over windows of volumes."""

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
    """The mean over all steps (over the unmasked ones where there is a mask)."""

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
    """The mean over rows and columns."""


class GlobalAveragePooling3D(_GlobalAverage):
    """The mean over a volume."""

    dims = 3


class _GlobalMax(_GlobalPool):
    def _reduce(self, inputs: Any, axes: Any) -> Any:
        return ops.max(inputs, axis=axes, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalMax):
    """The maximum over all steps."""

    dims = 1


class GlobalMaxPooling2D(_GlobalMax):
    """The maximum over rows and columns."""


class GlobalMaxPooling3D(_GlobalMax):
    """The maximum over a volume."""

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
    def call(self, inputs: Any) -> Any:
        return ops.adaptive_max_pool(inputs, self.output_size, self.data_format)


class AdaptiveAveragePooling1D(_AdaptiveAverage):
    """Means over steps, to a given number of them."""

    dims = 1


class AdaptiveAveragePooling2D(_AdaptiveAverage):
    """Means over images, to a given size."""


class AdaptiveAveragePooling3D(_AdaptiveAverage):
    """Means over volumes, to a given size."""

    dims = 3


class AdaptiveMaxPooling1D(_AdaptiveMax):
    """Maxima over steps, to a given number of them."""

    dims = 1


class AdaptiveMaxPooling2D(_AdaptiveMax):
    """Maxima over images, to a given size."""


class AdaptiveMaxPooling3D(_AdaptiveMax):
    """Maxima over volumes, to a given size."""

    dims = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = (
    GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
)  # fmt: skip
