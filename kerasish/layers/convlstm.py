"""Recurrent layers whose states are images: a convolution in place of each matrix product."""

from __future__ import annotations

from typing import Any

from kerasish import config, ops
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers.convolutional import output_length, sizes
from kerasish.layers.input_spec import InputSpec
from kerasish.layers.recurrent import LSTMCell, _of_cell, _WithCell
from kerasish.ops.recurrent import _directed, _run, _seen


class ConvLSTMCell(LSTMCell):
    """One step of a convolutional LSTM (Shi et al., 2015) on `(batch, *space, channels)`."""

    def __init__(
        self, rank: int, filters: int, kernel_size: Any, strides: Any = 1,
        padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1,
        **kwargs: Any,
    ):  # fmt: skip
        if not isinstance(filters, int) or filters <= 0:
            raise InvalidArgument(f"{type(self).__name__} needs filters > 0, got {filters!r}.")
        super().__init__(filters, **kwargs)
        self.rank = rank
        self.filters = filters
        self.kernel_size = sizes(kernel_size, rank, "kernel_size")
        self.strides = sizes(strides, rank, "strides")
        self.dilation_rate = sizes(dilation_rate, rank, "dilation_rate")
        self.padding = str(padding).lower()
        if self.padding not in ("valid", "same"):
            raise InvalidArgument(
                f"ConvLSTM{rank}D: padding must be 'valid' or 'same', got {padding!r}."
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise InvalidArgument(
                f"ConvLSTM{rank}D: strides > 1 and dilation_rate > 1 do not go together, got "
                f"{self.strides} and {self.dilation_rate}."
            )
        self.data_format = config.standardize_data_format(data_format)
        self._axis = -1 if self.data_format == "channels_last" else 1
        self._state_shape: Any = None

    def build(self, input_shape: Any) -> None:
        channels = input_shape[self._axis]
        if channels is None:
            raise ShapeError(
                f"Layer {self.name!r} must know the number of input channels; axis {self._axis} of "
                f"{tuple(input_shape)} is unknown."
            )
        width = 4 * self.filters
        self.kernel = self.add_weight(
            name="kernel", shape=(*self.kernel_size, channels, width),
            initializer=self.kernel_initializer, regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(*self.kernel_size, self.filters, width),
            initializer=self.recurrent_initializer, regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )  # fmt: skip
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(width,), initializer=self._bias_start(),
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self._state_shape = self.state_shape(input_shape)

    def state_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of a state for the shape of one step's input."""
        last = self._axis == -1
        space = input_shape[1:-1] if last else input_shape[2:]
        space = tuple(
            output_length(n, k, s, self.padding, d)
            for n, k, s, d in zip(
                space, self.kernel_size, self.strides, self.dilation_rate, strict=True
            )
        )
        if any(isinstance(n, int) and n <= 0 for n in space):
            raise ShapeError(
                f"Layer {self.name!r}: a kernel of size {self.kernel_size} does not fit the steps "
                f"of shape {tuple(input_shape)}. Use padding='same' or a smaller kernel."
            )
        return (input_shape[0], *space, self.filters) if last else (
            input_shape[0], self.filters, *space
        )

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        shape = self._state_shape
        if shape is None or None in shape[1:]:
            raise ShapeError(
                f"Layer {self.name!r} cannot make states of unknown size {shape}: build it for "
                "known rows and columns, or pass initial_state."
            )
        zeros = ops.zeros((batch_size, *shape[1:]), dtype=self.compute_dtype)
        return [zeros, zeros]

    def project(self, x: Any) -> Any:
        """The input's part of the gates."""
        z = ops.conv(
            x, self.kernel.value, self.strides, self.padding, self.data_format, self.dilation_rate
        )
        if self.bias is None:
            return z
        bias = self.bias.value
        if self._axis == 1:
            bias = ops.reshape(bias, (-1, *(1,) * self.rank))
        return ops.add(z, bias)

    def advance(self, z: Any, h: Any, c: Any) -> tuple[Any, Any]:
        """The states after the ones before and the input's part of the gates."""
        y = ops.conv(h, self.recurrent_kernel.value, 1, "same", self.data_format)
        i, f, g, o = ops.split(ops.add(z, y), 4, axis=self._axis)
        gate = self.recurrent_activation
        c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), self.activation(g)))
        return ops.multiply(gate(o), self.activation(c)), c

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        x, h = self._dropped(inputs, states[0], training)
        h, c = self.advance(self.project(x), h, states[1])
        return h, [h, c]

    def compute_output_shape(self, input_shape: Any, *states: Any) -> Any:
        out = self.state_shape(input_shape)
        return out, [out, out]


class _ConvLSTM(_WithCell):
    """What the convolutional LSTMs share."""

    dims = 2

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", unit_forget_bias: bool = True,
        kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        seed: Any = None, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, **kwargs: Any,
    ):  # fmt: skip
        cell = ConvLSTMCell(
            self.dims, filters, kernel_size, strides, padding, data_format, dilation_rate,
            activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint,
            dropout=dropout, recurrent_dropout=recurrent_dropout, seed=seed,
            name="conv_lstm_cell", **_of_cell(kwargs),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful,
            activity_regularizer=activity_regularizer, **kwargs,
        )
        self.input_spec = InputSpec(ndim=self.dims + 3)

    def _zero_state(self, sequences: Any) -> list[Any]:
        shape = ops.shape(sequences)
        zeros = ops.zeros(
            self.cell.state_shape((shape[0], *shape[2:])), dtype=self.compute_dtype
        )
        return [zeros, zeros]

    def _run(self, x: Any, states: Any, mask: Any, training: Any) -> Any:
        cell = self.cell
        x, mask = _directed(x, mask, self.go_backwards)
        # One dropout mask for all steps.
        drop = None
        if training and cell.dropout:
            x = ops.multiply(x, ops.expand_dims(cell.get_dropout_mask(x[:, 0]), 1))
        if training and cell.recurrent_dropout:
            drop = cell.get_recurrent_dropout_mask(states[0])
        # The inputs of all steps are convolved at once, outside the loop.
        shape = ops.shape(x)
        z = cell.project(ops.reshape(x, (-1, *shape[2:])))
        z = ops.reshape(z, (*shape[:2], *ops.shape(z)[1:]))

        def step(z: Any, h: Any, c: Any) -> tuple[Any, Any]:
            return cell.advance(z, h if drop is None else ops.multiply(h, drop), c)

        outputs, h, c = _run(step, z, tuple(states), mask, self.unroll)
        return *_seen(outputs, h, mask, self.return_sequences, self.zero_output_for_mask), [h, c]

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        state = self.cell.state_shape((sequences_shape[0], *sequences_shape[2:]))
        out = (state[0], sequences_shape[1], *state[1:]) if self.return_sequences else state
        return (out, state, state) if self.return_state else out


class ConvLSTM1D(_ConvLSTM):
    """A long short-term memory over time whose products are convolutions along one axis.

    Shi et al. (2015), https://arxiv.org/abs/1506.04214

    Args:
        filters: the channels of the states.
        kernel_size, strides, dilation_rate: sizes of the input's convolution; the states'
            convolution has stride 1 and keeps their size.
        padding: `"valid"` or `"same"`, of the input's convolution.
        data_format: `"channels_last"`, the default, or `"channels_first"`.
        (the rest as in `LSTM` and `RNN`)

    Input shape `(batch, time, steps, channels)`, or `(batch, time, channels, steps)`.

    >>> import kerasish as keras
    >>> keras.layers.ConvLSTM1D(4, 3, padding="same")(keras.ops.ones((2, 5, 8, 3))).shape
    (2, 8, 4)
    """

    dims = 1


class ConvLSTM2D(_ConvLSTM):
    """A long short-term memory over images, whose products are convolutions.

    Shi et al. (2015), https://arxiv.org/abs/1506.04214

    Args: as in `ConvLSTM1D`, sizes of one or two ints.

    Input shape `(batch, time, rows, columns, channels)`.

    >>> import kerasish as keras
    >>> layer = keras.layers.ConvLSTM2D(4, 3, return_sequences=True)
    >>> layer(keras.ops.ones((2, 5, 8, 8, 1))).shape
    (2, 5, 6, 6, 4)
    """

    dims = 2


class ConvLSTM3D(_ConvLSTM):
    """A long short-term memory over volumes, whose products are convolutions.

    Shi et al. (2015), https://arxiv.org/abs/1506.04214

    Args: as in `ConvLSTM1D`, sizes of one or three ints.

    Input shape `(batch, time, depth, rows, columns, channels)`.

    >>> import kerasish as keras
    >>> keras.layers.ConvLSTM3D(2, 2)(keras.ops.ones((1, 2, 3, 3, 3, 1))).shape
    (1, 2, 2, 2, 2)
    """

    dims = 3
