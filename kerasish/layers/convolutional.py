"""Convolutions in one, two and three dimensions."""

from __future__ import annotations

from typing import Any

from kerasish import activations, config, constraints, initializers, ops, regularizers
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers.adaptation import LowRank
from kerasish.layers.base import Layer
from kerasish.layers.input_spec import InputSpec
from kerasish.layers.quantization import Kernel
from kerasish.ops.convolution import _biased_conv


def sizes(value: Any, n: int, name: str, zero: bool = False) -> tuple[int, ...]:
    """An int or `n` ints as a tuple of `n`."""
    result = (value,) * n if isinstance(value, int) else tuple(value)
    if len(result) != n or any(not isinstance(v, int) or v < (0 if zero else 1) for v in result):
        raise InvalidArgument(
            f"{name} takes a positive int or {n} of them, got {value!r}."
        )
    return result


def output_length(
    length: int | None, kernel: int, stride: int, padding: str, dilation: int = 1
) -> int | None:
    """How many windows of a dilated kernel fit."""
    if length is None:
        return None
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        return (length - reach) // stride + 1
    return -(-length // stride)


def _positive(layer: Any, name: str, value: Any) -> int:
    if not isinstance(value, int) or value <= 0:
        raise InvalidArgument(f"{type(layer).__name__} needs {name} > 0, got {value!r}.")
    return value


class _Conv(Layer):
    """What all convolutions share: arguments, bias, activation, shapes."""

    dims = 2

    def __init__(
        self, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, activation: Any = None,
        use_bias: bool = True, bias_initializer: Any = "zeros", bias_regularizer: Any = None,
        activity_regularizer: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        n = self.dims
        self.kernel_size = sizes(kernel_size, n, "kernel_size")
        self.strides = sizes(strides, n, "strides")
        self.dilation_rate = sizes(dilation_rate, n, "dilation_rate")
        self.padding = str(padding).lower()
        allowed = ("valid", "same", "causal") if n == 1 else ("valid", "same")
        if self.padding not in allowed:
            raise InvalidArgument(
                f"{type(self).__name__}: padding must be one of {list(allowed)}, got {padding!r}."
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1 and not (
            isinstance(self, _ConvTranspose)
        ):
            raise InvalidArgument(
                f"{type(self).__name__}: strides > 1 and dilation_rate > 1 do not go together, got "
                f"{self.strides} and {self.dilation_rate}."
            )
        self.data_format = config.standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=n + 2)

    def _channels(self, input_shape: Any) -> int:
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if channels is None:
            raise ShapeError(
                f"Layer {self.name!r} ({type(self).__name__}) must know the number of input "
                f"channels; axis {axis} of {tuple(input_shape)} is unknown."
            )
        self.input_spec = InputSpec(min_ndim=self.dims + 2, axes={axis: channels})
        return channels

    def _add_bias(self, filters: int) -> None:
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(filters,), initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def _finish(self, x: Any) -> Any:
        if self.bias is not None:
            bias = self.bias.value
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (1, -1) + (1,) * self.dims)
            x = ops.add(x, bias)
        return x if self.activation is activations.linear else self.activation(x)

    def _spatial_out(self, lengths: Any) -> tuple[int | None, ...]:
        padding = "same" if self.padding == "causal" else self.padding
        return tuple(
            output_length(length, k, s, padding, d)
            for length, k, s, d in zip(
                lengths, self.kernel_size, self.strides, self.dilation_rate, strict=True
            )
        )

    def _output_shape(self, input_shape: Any, filters: int) -> Any:
        rank, n = len(input_shape), self.dims
        lead = tuple(input_shape[: rank - n - 1])
        last = self.data_format == "channels_last"
        lengths = input_shape[-n - 1 : -1] if last else input_shape[-n:]
        out = self._spatial_out(lengths)
        if any(d is not None and d <= 0 for d in out):
            raise ShapeError(
                f"Layer {self.name!r} ({type(self).__name__}): a kernel of size {self.kernel_size} "
                f"does not fit input shape {tuple(input_shape)} (output would be {out}). Use "
                'padding="same", a smaller kernel or fewer poolings before.'
            )
        return (*lead, *out, filters) if last else (*lead, filters, *out)

    def _causal(self, inputs: Any) -> Any:
        if self.padding != "causal":
            return inputs, self.padding
        left = self.dilation_rate[0] * (self.kernel_size[0] - 1)
        widths = [(0, 0), (left, 0), (0, 0)] if self.data_format == "channels_last" else (
            [(0, 0), (0, 0), (left, 0)]
        )
        return ops.pad(inputs, widths), "valid"


class _PlainConv(LowRank, _Conv):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, groups: int = 1,
        activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, lora_rank: int | None = None, lora_alpha: Any = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            bias_initializer, bias_regularizer, activity_regularizer, bias_constraint, **kwargs,
        )
        if not isinstance(filters, int) or filters <= 0:
            raise InvalidArgument(f"{type(self).__name__} needs filters > 0, got {filters!r}.")
        if groups <= 0 or filters % groups:
            raise InvalidArgument(
                f"{type(self).__name__}: filters ({filters}) must be a multiple of groups "
                f"({groups})."
            )
        self.filters = filters
        self.groups = groups
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_rank if lora_alpha is None else lora_alpha

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ShapeError(
                f"Layer {self.name!r}: {channels} input channels are not a multiple of groups "
                f"({self.groups})."
            )
        self._kernel_shape = (*self.kernel_size, channels // self.groups, self.filters)
        self._kernel = self.add_weight(
            name="kernel", shape=self._kernel_shape, initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self._add_bias(self.filters)
        self.compute_output_shape(input_shape)

    def _kernels(self) -> tuple[Kernel, ...]:
        return (Kernel("kernel", "_kernel"),)

    def call(self, inputs: Any) -> Any:
        x, padding = self._causal(inputs)
        lead = tuple(x.shape)[: len(x.shape) - self.dims - 1]
        if len(lead) > 1:  # several batch axes: as one
            x = ops.reshape(x, (-1, *x.shape[len(lead):]))
        bias = self.bias
        kernel = self.kernel if self.lora_enabled else self._kernel.value
        x = _biased_conv(
            x, kernel, None if bias is None else bias.value, self.strides, padding,
            self.data_format, self.dilation_rate,
        )
        x = x if self.activation is activations.linear else self.activation(x)
        return ops.reshape(x, (*lead, *x.shape[1:])) if len(lead) > 1 else x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._output_shape(input_shape, self.filters)


class Conv1D(_PlainConv):
    """Convolution along the steps: `(batch, steps, channels)` -> `(batch, new_steps, filters)`.

    Args:
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: sizes in steps; strides and dilation_rate above 1 do
            not go together.
        padding: "valid", "same", or "causal" (sees no future step).
        data_format: "channels_last", or "channels_first" for `(batch, channels, steps)`; the
            configured one by default.
        groups: channels are split in that many independent groups.
        (the rest as in `Dense`)

    >>> import kerasish as keras
    >>> keras.layers.Conv1D(4, 3, padding="causal")(keras.ops.ones((2, 10, 8))).shape
    (2, 10, 4)
    """

    dims = 1


class Conv2D(_PlainConv):
    """Convolution of images: `(batch, rows, columns, channels)` -> `(batch, ..., filters)`.

    LeCun et al. (1989), https://doi.org/10.1162/neco.1989.1.4.541

    Args:
        filters: the number of output channels.
        kernel_size, strides, dilation_rate: for rows and columns, or one int for both; strides and
            dilation_rate above 1 do not go together.
        padding: "valid" (no padding) or "same" (`ceil(size / strides)` rows and columns).
        data_format: "channels_last", or "channels_first" for `(batch, channels, rows, columns)`;
            the configured one by default.
        groups: channels are split in that many independent groups.
        (the rest as in `Dense`)

    >>> import kerasish as keras
    >>> keras.layers.Conv2D(4, 3, strides=2, padding="same")(keras.ops.ones((2, 8, 8, 3))).shape
    (2, 4, 4, 4)
    """


class Conv3D(_PlainConv):
    """Convolution of volumes: `(batch, depth, rows, columns, channels)` -> `(batch, ..., filters)`.

    Args: as in `Conv2D`, sizes of one or three ints.

    >>> import kerasish as keras
    >>> keras.layers.Conv3D(4, (1, 3, 3))(keras.ops.ones((2, 8, 8, 8, 3))).shape
    (2, 8, 6, 6, 4)
    """

    dims = 3


class _ConvTranspose(_Conv):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        output_padding: Any = None, data_format: str | None = None, dilation_rate: Any = 1,
        activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            bias_initializer, bias_regularizer, activity_regularizer, bias_constraint, **kwargs,
        )
        if not isinstance(filters, int) or filters <= 0:
            raise InvalidArgument(f"{type(self).__name__} needs filters > 0, got {filters!r}.")
        if self.padding == "causal":
            raise InvalidArgument(
                f"{type(self).__name__}: padding must be 'valid' or 'same', got 'causal'."
            )
        self.filters = filters
        self.output_padding = None if output_padding is None else (
            sizes(output_padding, self.dims, "output_padding", zero=True)
        )
        if any(p >= n for p, n in zip(self.output_padding or (), self.strides, strict=False)):
            raise InvalidArgument(
                f"{type(self).__name__}: output_padding must be smaller than strides, got "
                f"{self.output_padding} and {self.strides}."
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(
            name="kernel", shape=(*self.kernel_size, self.filters, channels),
            initializer=self.kernel_initializer, regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )  # fmt: skip
        self._add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        return self._finish(ops.conv_transpose(
            inputs, self.kernel.value, self.strides, self.padding, self.output_padding,
            self.data_format, self.dilation_rate,
        ))

    def _spatial_out(self, lengths: Any) -> tuple[int | None, ...]:
        extra = self.output_padding or (None,) * self.dims
        out = []
        for length, k, s, d, p in zip(
            lengths, self.kernel_size, self.strides, self.dilation_rate, extra, strict=True
        ):
            reach = (k - 1) * d + 1
            if length is None:
                out.append(None)
            elif p is None:
                extra = max(reach - s, 0) if self.padding == "valid" else 0
                out.append(length * s + extra)
            elif self.padding == "valid":
                out.append((length - 1) * s + reach + p)
            else:
                out.append((length - 1) * s + reach + p - 2 * (reach // 2))
        return tuple(out)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._output_shape(input_shape, self.filters)


class Conv1DTranspose(_ConvTranspose):
    """Transposed convolution: enlarges the steps by the strides.

    `(batch, steps, channels)` -> `(batch, new_steps, filters)`: `steps * strides` new steps; with
    "valid" padding as many more as the kernel is longer than the strides.

    Args:
        output_padding: chooses another length: with "valid" padding `(steps - 1) * strides +
            kernel_size + output_padding`, with "same" `2 * (kernel_size // 2)` less. Smaller than
            the strides.
        (the rest as in `Conv1D`, without "causal" and groups)

    >>> import kerasish as keras
    >>> layer = keras.layers.Conv1DTranspose(4, 3, strides=2, padding="same")
    >>> layer(keras.ops.ones((2, 5, 8))).shape
    (2, 10, 4)
    """

    dims = 1


class Conv2DTranspose(_ConvTranspose):
    """Transposed convolution of images, a `Conv2D` run backwards: enlarges by the strides.

    Zeiler et al. (2010), https://doi.org/10.1109/CVPR.2010.5539957

    Args: as in `Conv1DTranspose`, sizes of one or two ints.

    >>> import kerasish as keras
    >>> keras.layers.Conv2DTranspose(2, 3, strides=2, padding="same")(
    ...     keras.ops.ones((1, 4, 4, 3))).shape
    (1, 8, 8, 2)
    """


class Conv3DTranspose(_ConvTranspose):
    """Transposed convolution of volumes `(batch, depth, rows, columns, channels)`.

    Args: as in `Conv1DTranspose`, sizes of one or three ints.

    >>> import kerasish as keras
    >>> keras.layers.Conv3DTranspose(2, 2, strides=2)(keras.ops.ones((1, 3, 4, 5, 3))).shape
    (1, 6, 8, 10, 2)
    """

    dims = 3

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
        data_format: str | None = None, output_padding: Any = None,
        dilation_rate: Any = (1, 1, 1), activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate,
            activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, **kwargs,
        )


class _DepthwiseConv(_Conv):
    def __init__(
        self, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        depth_multiplier: int = 1, data_format: str | None = None, dilation_rate: Any = 1,
        activation: Any = None, use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, depthwise_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            bias_initializer, bias_regularizer, activity_regularizer, bias_constraint, **kwargs,
        )
        self.depth_multiplier = _positive(self, "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(
            name="kernel", shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer, regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )  # fmt: skip
        self._add_bias(channels * self.depth_multiplier)

    def call(self, inputs: Any) -> Any:
        x, padding = self._causal(inputs)
        return self._finish(ops.depthwise_conv(
            x, self.kernel.value, self.strides, padding, self.data_format, self.dilation_rate
        ))

    def compute_output_shape(self, input_shape: Any) -> Any:
        axis = -1 if self.data_format == "channels_last" else 1
        return self._output_shape(input_shape, input_shape[axis] * self.depth_multiplier)


class DepthwiseConv1D(_DepthwiseConv):
    """One kernel for each channel: `(batch, steps, c)` -> `(batch, new_steps, c * multiplier)`.

    Args:
        depth_multiplier: how many kernels, and output channels, for each input channel.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: of the kernels.
        (the rest as in `Conv1D`)

    >>> import kerasish as keras
    >>> keras.layers.DepthwiseConv1D(3, depth_multiplier=2)(keras.ops.ones((2, 10, 4))).shape
    (2, 8, 8)
    """

    dims = 1


class DepthwiseConv2D(_DepthwiseConv):
    """One kernel for each channel of images `(batch, rows, columns, channels)`.

    Args: as in `DepthwiseConv1D`, sizes of one or two ints.

    >>> import kerasish as keras
    >>> layer = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)
    >>> layer(keras.ops.ones((2, 8, 8, 4))).shape, layer.kernel.shape
    ((2, 8, 8, 4), (3, 3, 4, 1))
    """


class _SeparableConv(_Conv):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, depth_multiplier: int = 1,
        activation: Any = None, use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, pointwise_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        depthwise_constraint: Any = None, pointwise_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            bias_initializer, bias_regularizer, activity_regularizer, bias_constraint, **kwargs,
        )
        self.filters = _positive(self, "filters", filters)
        self.depth_multiplier = _positive(self, "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel", shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer, regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )  # fmt: skip
        self.pointwise_kernel = self.add_weight(
            name="pointwise_kernel",
            shape=(*(1,) * self.dims, channels * self.depth_multiplier, self.filters),
            initializer=self.pointwise_initializer, regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )  # fmt: skip
        self._add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        x, padding = self._causal(inputs)
        return self._finish(ops.separable_conv(
            x, self.depthwise_kernel.value, self.pointwise_kernel.value, self.strides, padding,
            self.data_format, self.dilation_rate,
        ))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._output_shape(input_shape, self.filters)


class SeparableConv1D(_SeparableConv):
    """A depthwise convolution along steps, then one of kernel size 1 that mixes the channels.

    `(batch, steps, channels)` -> `(batch, new_steps, filters)`.

    Args:
        depth_multiplier: channels between the two for each input channel.
        depthwise_initializer, pointwise_initializer, ...: of the two kernels.
        (the rest as in `Conv1D`)

    >>> import kerasish as keras
    >>> keras.layers.SeparableConv1D(6, 3)(keras.ops.ones((2, 10, 4))).shape
    (2, 8, 6)
    """

    dims = 1


class SeparableConv2D(_SeparableConv):
    """A depthwise convolution of images, then one of kernel size 1 that mixes the channels.

    Chollet (2016), https://arxiv.org/abs/1610.02357

    Args: as in `SeparableConv1D`, sizes of one or two ints.

    >>> import kerasish as keras
    >>> layer = keras.layers.SeparableConv2D(6, 3, strides=2, padding="same")
    >>> layer(keras.ops.ones((2, 8, 8, 4))).shape, layer.count_params()
    ((2, 4, 4, 6), 66)
    """


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
