"""Recurrent layers and their cells."""

from __future__ import annotations

from typing import Any

from kerasish import activations, constraints, initializers, ops, random, regularizers, tree
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import DTypeError, InvalidArgument, ShapeError, StateError
from kerasish.layers.base import Layer, _is_shape, _map_shapes
from kerasish.layers.core import Wrapper
from kerasish.layers.input_spec import InputSpec
from kerasish.ops.recurrent import _gru, _lstm, _simple_rnn, no_cudnn, wide
from kerasish.saving import serialization
from kerasish.saving.object_registration import CustomObjectScope


class DropoutRNNCell:
    """Dropout masks of a cell, drawn once for a sequence.

    A cell that inherits from it sets `dropout`, `recurrent_dropout` and `seed_generator`.
    """

    _masks: Any = None

    def get_dropout_mask(self, step_input: Any) -> Any:
        return self._mask_of("input", step_input, self.dropout)

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        return self._mask_of("state", step_input, self.recurrent_dropout)

    def _mask_of(self, kind: str, like: Any, rate: float) -> Any:
        if not rate:
            return None
        masks = self._masks.value if self._masks is not None else {}
        if kind not in masks:
            masks[kind] = random.dropout(ops.ones_like(like), rate, seed=self.seed_generator)
            self._masks = _Held(masks)
        return masks[kind]

    def reset_dropout_mask(self) -> None:
        self._masks = None

    def reset_recurrent_dropout_mask(self) -> None:
        self._masks = None


class _Held:
    """Tensors of one call, which are no state."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value


class _Cell(DropoutRNNCell, Layer):
    """What the built-in cells share."""

    gates = 1

    def _set(
        self, units: int, activation: Any, use_bias: bool, kernel_initializer: Any,
        recurrent_initializer: Any, bias_initializer: Any, kernel_regularizer: Any,
        recurrent_regularizer: Any, bias_regularizer: Any, kernel_constraint: Any,
        recurrent_constraint: Any, bias_constraint: Any, dropout: float,
        recurrent_dropout: float, seed: Any,
    ) -> None:  # fmt: skip
        if not isinstance(units, int) or units <= 0:
            raise InvalidArgument(f"{type(self).__name__} needs units > 0, got {units!r}.")
        self.units = units
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = min(1.0, max(0.0, dropout or 0.0))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout or 0.0))
        self.seed = seed
        self.seed_generator = (
            random.SeedGenerator(seed) if self.dropout or self.recurrent_dropout else None
        )
        self.state_size: Any = units
        self.output_size = units

    def build(self, input_shape: Any) -> None:
        width = self.units * self.gates
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], width), initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(self.units, width),
            initializer=self.recurrent_initializer, regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )  # fmt: skip
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=self._bias_shape(), initializer=self._bias_start(),
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.units * self.gates,)

    def _bias_start(self) -> Any:
        return self.bias_initializer

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        count = len(self.state_size) if isinstance(self.state_size, list) else 1
        return [ops.zeros((batch_size, self.units), self.compute_dtype)] * count

    def _dropped(self, x: Any, h: Any, training: bool) -> tuple[Any, Any]:
        if training and self.dropout:
            x = ops.multiply(x, self.get_dropout_mask(x))
        if training and self.recurrent_dropout:
            h = ops.multiply(h, self.get_recurrent_dropout_mask(h))
        return x, h

    def compute_output_shape(self, sequence_shape: Any, states_shape: Any = None) -> Any:
        out = (sequence_shape[0], self.units)
        # The states come back as they were given: alone or in a list.
        alone = bool(states_shape) and not isinstance(states_shape[-1], list | tuple)
        count = len(self.state_size) if isinstance(self.state_size, list) else 1
        return out, (out if alone else [out] * count)

    def get_build_config(self) -> dict[str, Any] | None:
        shapes = self._build_shapes
        return shapes and {"input_shape": next(iter(shapes.values()))}


class SimpleRNNCell(_Cell):
    """One step of `h = activation(x kernel + h recurrent_kernel + bias)`.

    Args:
        units: the size of the state and of the output.
        activation: a function or its name.
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: of the input's weights.
        recurrent_initializer, recurrent_regularizer, recurrent_constraint: of the state's weights.
        bias_initializer, bias_regularizer, bias_constraint: of the bias.
        dropout, recurrent_dropout: of the input and of the state, with one mask for all steps.
        seed: of the dropout.

    Call with `(x, states)` of shapes `(batch, d)` and `[(batch, units)]`; returns the output
    `(batch, units)` and the new states.

    >>> import kerasish as keras
    >>> cell = keras.layers.SimpleRNNCell(4)
    >>> y, states = cell(keras.ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
    >>> y.shape, len(states)
    ((2, 4), 1)
    """

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self._set(units, activation, use_bias, kernel_initializer, recurrent_initializer,
                  bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
                  kernel_constraint, recurrent_constraint, bias_constraint, dropout,
                  recurrent_dropout, seed)

    def call(self, sequence: Any, states: Any, training: bool = False) -> Any:
        nested = isinstance(states, list | tuple)
        h = states[0] if nested else states
        x, h = self._dropped(sequence, h, training)
        z = ops.add(ops.matmul(x, self.kernel), ops.matmul(h, self.recurrent_kernel))
        z = z if self.bias is None else ops.add(z, self.bias)
        h = self.activation(z)
        return h, ([h] if nested else h)


class LSTMCell(_Cell):
    """One step of a long short-term memory.

    Hochreiter and Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735

    Args:
        recurrent_activation: of the three gates.
        unit_forget_bias: whether the forget gate's bias begins at one (Jozefowicz et al., 2015).
        (the rest as in `SimpleRNNCell`)

    Call with `(x, [h, c])`; returns the output `h` and the new `[h, c]`, each `(batch, units)`.

    >>> import kerasish as keras
    >>> cell = keras.layers.LSTMCell(4)
    >>> y, states = cell(keras.ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
    >>> y.shape, len(states)
    ((2, 4), 2)
    """

    gates = 4

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True, kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self._set(units, activation, use_bias, kernel_initializer, recurrent_initializer,
                  bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
                  kernel_constraint, recurrent_constraint, bias_constraint, dropout,
                  recurrent_dropout, seed)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [units, units]

    def _bias_start(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        # The forget gate begins open (Jozefowicz et al., 2015).
        units, first = self.units, self.bias_initializer

        def forget_ones(shape: Any, dtype: Any = None) -> Any:
            part = lambda n: ops.convert_to_tensor(first((n * units,), dtype=dtype))
            ones = ops.ones((units,), dtype=dtype)
            return ops.concatenate([part(1), ones, part(2)])

        return forget_ones

    def call(self, sequence: Any, states: Any, training: bool = False) -> Any:
        h, c = states
        x, h = self._dropped(sequence, h, training)
        z = ops.add(ops.matmul(x, self.kernel), ops.matmul(h, self.recurrent_kernel))
        z = z if self.bias is None else ops.add(z, self.bias)
        i, f, g, o = ops.split(z, 4, axis=-1)
        gate = self.recurrent_activation
        c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), self.activation(g)))
        h = ops.multiply(gate(o), self.activation(c))
        return h, [h, c]


class GRUCell(_Cell):
    """One step of a gated recurrent unit.

    Cho et al. (2014), https://arxiv.org/abs/1406.1078

    Args:
        recurrent_activation: of the two gates.
        reset_after: whether the reset gate acts after the state's matrix product (one kernel for
            all, with a bias of its own) or before it, as in the paper.
        (the rest as in `SimpleRNNCell`, so are the shapes)

    >>> import kerasish as keras
    >>> cell = keras.layers.GRUCell(4)
    >>> y, states = cell(keras.ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
    >>> y.shape, len(states)
    ((2, 4), 1)
    """

    gates = 3

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, kernel_constraint: Any = None,
        recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, reset_after: bool = True, seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self._set(units, activation, use_bias, kernel_initializer, recurrent_initializer,
                  bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
                  kernel_constraint, recurrent_constraint, bias_constraint, dropout,
                  recurrent_dropout, seed)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        width = self.units * 3
        return (2, width) if self.reset_after else (width,)

    def call(self, sequence: Any, states: Any, training: bool = False) -> Any:
        nested = isinstance(states, list | tuple)
        h = states[0] if nested else states
        before = h
        x, h = self._dropped(sequence, h, training)
        outer = inner = None
        if self.bias is not None:
            outer = self.bias[0] if self.reset_after else self.bias.value
            inner = self.bias[1] if self.reset_after else None
        z = ops.matmul(x, self.kernel)
        z = z if outer is None else ops.add(z, outer)
        xz, xr, xc = ops.split(z, 3, axis=-1)
        gate = self.recurrent_activation
        if self.reset_after:
            y = ops.matmul(h, self.recurrent_kernel)
            y = y if inner is None else ops.add(y, inner)
            hz, hr, hc = ops.split(y, 3, axis=-1)
            candidate = self.activation(ops.add(xc, ops.multiply(gate(ops.add(xr, hr)), hc)))
        else:
            kernel = self.recurrent_kernel.value
            hz, hr = ops.split(ops.matmul(h, kernel[:, : 2 * self.units]), 2, axis=-1)
            reset = ops.multiply(gate(ops.add(xr, hr)), h)
            candidate = self.activation(
                ops.add(xc, ops.matmul(reset, kernel[:, 2 * self.units :]))
            )
        update = gate(ops.add(xz, hz))
        h = ops.add(ops.multiply(update, before), ops.multiply(1.0 - update, candidate))
        return h, ([h] if nested else h)


class StackedRNNCells(Layer):
    """Several cells that work as one, each on the output of the one before.

    Args:
        cells: a list of cells, objects with `call(x, states)` and `state_size`.

    >>> import kerasish as keras
    >>> cells = keras.layers.StackedRNNCells([keras.layers.LSTMCell(4), keras.layers.GRUCell(5)])
    >>> keras.layers.RNN(cells)(keras.ops.ones((2, 7, 3))).shape
    (2, 5)
    """

    def __init__(self, cells: Any, **kwargs: Any):
        super().__init__(**kwargs)
        for cell in cells:
            if not hasattr(cell, "call") or not hasattr(cell, "state_size"):
                raise InvalidArgument(
                    f"A recurrent cell has call() and state_size, got {cell!r}."
                )
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        return [c.state_size for c in self.cells]

    @property
    def output_size(self) -> Any:
        last = self.cells[-1]
        if getattr(last, "output_size", None) is not None:
            return last.output_size
        size = last.state_size
        return size[0] if isinstance(size, list | tuple) else size

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        return [_initial_state(c, batch_size, self.compute_dtype) for c in self.cells]

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell._build_for({"inputs_shape": input_shape}, single=True)
            input_shape = (input_shape[0], _size(cell))

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            nested = isinstance(state, list | tuple)
            state = list(state) if nested else [state]
            inputs, state = _step(cell, inputs, state, training)
            alone = isinstance(state, list | tuple) and not nested
            new.append(state[0] if alone else state)
        return inputs, new

    def reset_dropout_mask(self) -> None:
        for cell in self.cells:
            if hasattr(cell, "reset_dropout_mask"):
                cell.reset_dropout_mask()

    reset_recurrent_dropout_mask = reset_dropout_mask

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        config["cells"] = [
            serialization.deserialize_keras_object(c, custom_objects=custom_objects)
            if isinstance(c, dict) else c for c in config["cells"]
        ]
        return super().from_config(config)


def _size(cell: Any) -> int:
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size
        size = size[0] if isinstance(size, list | tuple) else size
    return size


def _initial_state(cell: Any, batch_size: Any, dtype: str) -> Any:
    if hasattr(cell, "get_initial_state"):
        state = cell.get_initial_state(batch_size=batch_size)
        return list(state) if isinstance(state, tuple) else state
    sizes = cell.state_size
    if isinstance(sizes, int):
        return [ops.zeros((batch_size, sizes), dtype=dtype)]
    return [
        ops.zeros((batch_size, *(n if isinstance(n, list | tuple) else (n,))), dtype=dtype)
        for n in sizes
    ]


def _state_shapes(sizes: Any, batch: Any) -> list[tuple[Any, ...]]:
    """The shapes of a cell's states for its `state_size`."""
    sizes = sizes if isinstance(sizes, list | tuple) else [sizes]
    return [(batch, *(n if isinstance(n, list | tuple) else (n,))) for n in sizes]


def _step(cell: Any, x: Any, states: Any, training: Any) -> Any:
    if getattr(cell, "_takes_training", False):
        return cell(x, states, training=training)
    return cell(x, states)


class _States:
    """Variables that are no weights: compiled steps carry them, files do not hold them."""

    _tracks_variables = True

    def __init__(self, held: Any):
        self.held = held

    @property
    def variables(self) -> list[Any]:
        return tree.flatten(self.held)


class RNN(Layer):
    """Runs a cell over the time axis.

    Args:
        cell: a cell with `call(x, states) -> (output, states)` and `state_size`, or a list.
        return_sequences: the outputs of all steps, not only the last.
        return_state: the last states as well.
        go_backwards: from the end of the sequence.
        stateful: begin a batch with the states in which the last one ended.
        unroll: a plain loop in place of the engine's, for short sequences.
        zero_output_for_mask: outputs of masked steps are zero, not the output before.

    Input shape `(batch, time, features)`; masked steps keep the state.

    >>> import kerasish as keras
    >>> layer = keras.layers.RNN(keras.layers.LSTMCell(4), return_sequences=True)
    >>> layer(keras.ops.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    def __init__(
        self, cell: Any, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
        zero_output_for_mask: bool = False, **kwargs: Any,
    ):  # fmt: skip
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        if not hasattr(cell, "call") or not hasattr(cell, "state_size"):
            raise InvalidArgument(f"A recurrent cell has call() and state_size, got {cell!r}.")
        if not isinstance(cell.state_size, int | list | tuple):
            raise InvalidArgument(
                f"The state_size of a recurrent cell is an int, or a list with one size for each "
                f"state, got {cell.state_size!r} of {cell!r}."
            )
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.input_spec = None
        self._states: _States | None = None
        self._expected_batch_size: Any = None

    @property
    def state_size(self) -> Any:
        """The `state_size` of the cell."""
        return self.cell.state_size

    @property
    def states(self) -> Any:
        """The states that a stateful layer begins the next batch with, or `None`."""
        return None if self._states is None else self._states.held

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if not _is_shape(sequences_shape):
            raise ShapeError(
                f"Layer {self.name!r} ({type(self).__name__}) runs over one tensor of shape "
                f"(batch, time, ...), got {sequences_shape}. Concatenate several along their "
                "features."
            )
        step_shape = (sequences_shape[0], *sequences_shape[2:])
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell._build_for({"inputs_shape": step_shape}, single=True)
        if self.stateful:
            if self.states is not None:
                self.reset_state()
            elif sequences_shape[0] is None:
                raise ShapeError(
                    f"Layer {self.name!r} is stateful, so it must know the batch size. Begin with "
                    "keras.Input(batch_shape=...) or Input(shape, batch_size=...)."
                )
            else:
                self._create_state_variables(sequences_shape[0])

    def _create_state_variables(self, batch_size: int) -> None:
        from kerasish import backends
        from kerasish.core.variable import Variable

        with backends.concrete():
            start = _initial_state(self.cell, batch_size, self.compute_dtype)
            self._states = _States(tree.map_structure(
                lambda s: Variable(s, trainable=False, dtype=self.variable_dtype,
                                   name="rnn_state"), start,
            ))
        self._expected_batch_size = batch_size

    def get_initial_state(self, batch_size: Any) -> Any:
        """The states at the first step: a list of zeros of shapes `(batch_size, size)`."""
        state = _initial_state(self.cell, batch_size, self.compute_dtype)
        return state if isinstance(state, list) else [state]

    def _zero_state(self, sequences: Any) -> Any:
        leaf = sequences if hasattr(sequences, "shape") else tree.flatten(sequences)[0]
        size = leaf.shape[0]
        return self.get_initial_state(size if type(size) is int else ops.shape(leaf)[0])

    def reset_states(self) -> None:
        """`reset_state` under its former name."""
        self.reset_state()

    def reset_state(self) -> None:
        """Sets the states of a stateful layer back to zero."""
        if self.states is not None:
            for v in tree.flatten(self.states):
                v.assign(ops.zeros_like(v))

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        if isinstance(mask, list | tuple):
            mask = mask[0]
        if isinstance(sequences, list | tuple):
            initial_state, sequences = list(sequences[1:]), sequences[0]
        if self.unroll and sequences.shape[1] is None:
            raise ShapeError(f"Layer {self.name!r}: unroll=True needs a known number of steps.")
        if initial_state is None and not self.stateful:
            states = list(self._zero_state(sequences))
        else:
            given = initial_state
            if given is None:  # copies: the variables are written before a gradient is taken
                given = tree.map_structure(lambda v: ops.copy(v.value), self.states)
            states = tree.map_structure(
                lambda s: ops.cast(s, self.compute_dtype),
                list(given) if isinstance(given, list | tuple) else [given],
            )
        self._reset_masks()
        outputs, last, states = self._run(sequences, states, mask, training)
        self._reset_masks()
        if self.stateful:
            for v, value in zip(tree.flatten(self.states), tree.flatten(states), strict=True):
                v.assign(ops.cast(value, v.dtype))
        result = outputs if self.return_sequences else last
        result = ops.cast(result, self.compute_dtype)
        if not self.return_state:
            return result
        return (result, *tree.map_structure(lambda s: ops.cast(s, self.compute_dtype), states))

    def _reset_masks(self) -> None:
        if hasattr(self.cell, "reset_dropout_mask"):
            self.cell.reset_dropout_mask()

    def _run(self, x: Any, states: Any, mask: Any, training: Any) -> Any:
        """(all outputs, the last output, the last states) by scanning the cell."""
        if self.go_backwards:
            x = tree.map_structure(lambda a: ops.flip(a, axis=1), x)
            mask = None if mask is None else ops.flip(mask, axis=1)
        leaf = tree.flatten(x)[0]
        if training and (getattr(self.cell, "dropout", 0) or getattr(
            self.cell, "recurrent_dropout", 0
        ) or isinstance(self.cell, StackedRNNCells)):
            self._draw_masks(x, states, training)

        def advance(carry: Any, inputs: Any) -> Any:
            before, old = carry
            step_x, step_mask = inputs
            out, new = _step(self.cell, step_x, list(before), training)
            # A cell with a dtype of its own does not change that of the loop.
            new = tree.map_structure(
                lambda n, b: ops.cast(n, ops.dtype(b)),
                list(new) if isinstance(new, list | tuple) else [new], list(before),
            )
            if step_mask is not None:
                new = tree.map_structure(
                    lambda n, b: ops.where(wide(step_mask, n), n, b), new, list(before)
                )
                old = old if not self.zero_output_for_mask else ops.zeros_like(out)
                out = ops.where(wide(step_mask, out), out, old)
            return (new, out), out

        time_first = tree.map_structure(lambda a: ops.swapaxes(a, 0, 1), x)
        masks = None if mask is None else ops.swapaxes(mask, 0, 1)
        first_out = ops.zeros_like(
            _step(self.cell, tree.map_structure(lambda a: a[0], time_first), list(states),
                  training)[0]
        )
        steps = leaf.shape[1]
        (states, last), outputs = ops.scan(
            advance, (list(states), first_out), (time_first, masks),
            unroll=True if self.unroll and steps is not None else 1,
        )
        return ops.swapaxes(outputs, 0, 1), last, states

    def _draw_masks(self, x: Any, states: Any, training: Any) -> None:
        """Draws the dropout masks before the loop, so that all steps share them."""
        _step(self.cell, tree.map_structure(lambda a: a[:, 0], x), list(states), training)

    def compute_mask(self, sequences: Any, mask: Any = None) -> Any:
        mask = tree.flatten(mask)[0] if mask is not None else None
        out = mask if self.return_sequences else None
        if self.return_state:
            count = len(tree.flatten(self.cell.state_size))
            return [out] + [None] * count
        return out

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, steps = sequences_shape[0], sequences_shape[1]
        size = _size(self.cell)
        size = tuple(size) if isinstance(size, list | tuple) else (size,)
        out = (batch, steps, *size) if self.return_sequences else (batch, *size)
        if not self.return_state:
            return out
        if isinstance(self.cell, StackedRNNCells):
            return (out, *(_state_shapes(c.state_size, batch) for c in self.cell.cells))
        return (out, *_state_shapes(self.cell.state_size, batch))

    def compute_output_spec(self, sequences: Any, initial_state: Any = None, **_: Any) -> Any:
        if isinstance(sequences, list):
            sequences = sequences[0]
        shape = self.compute_output_shape(tree.flatten(sequences)[0].shape)
        return _map_shapes(lambda s: KerasTensor(s, self.compute_dtype), shape)

    def __call__(self, sequences: Any, initial_state: Any = None, **kwargs: Any) -> Any:
        if initial_state is None and isinstance(sequences, list | tuple) and len(sequences) > 1 \
                and all(hasattr(s, "shape") for s in sequences):
            # Keras' older form: [sequence, state, ...]
            sequences, *initial_state = sequences
        if initial_state is not None:
            kwargs["initial_state"] = initial_state
        return super().__call__(sequences, **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        if isinstance(config.get("cell"), dict):
            config["cell"] = serialization.deserialize_keras_object(
                config["cell"], custom_objects=custom_objects
            )
        return super().from_config(config)


_CELL_ARGUMENTS = (
    "units activation recurrent_activation use_bias kernel_initializer recurrent_initializer "
    "bias_initializer unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer "
    "kernel_constraint recurrent_constraint bias_constraint dropout recurrent_dropout seed "
    "reset_after filters kernel_size strides padding data_format dilation_rate"
).split()


def _of_cell(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that a layer's cell has in common with it."""
    return {k: kwargs[k] for k in ("dtype", "trainable") if k in kwargs}


class _WithCell(RNN):
    """A recurrent layer made of one of the cells above, run by a whole-sequence op."""

    use_cudnn: bool | str = False

    def __getattr__(self, name: str) -> Any:
        if name in _CELL_ARGUMENTS and "cell" in self.__dict__:
            return getattr(self.cell, name)
        return super().__getattr__(name)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape, initial_state_shape)
        axis = 2 if getattr(self.cell, "data_format", None) == "channels_first" else -1
        self.input_spec = InputSpec(
            ndim=len(sequences_shape), axes={axis: sequences_shape[axis]}
        )

    def _fast(self, training: Any) -> bool:
        return not (training and self.cell.recurrent_dropout)

    def _run(self, x: Any, states: Any, mask: Any, training: Any) -> Any:
        cell = self.cell
        wanted = len(_state_shapes(cell.state_size, None))
        if len(states) != wanted:
            raise InvalidArgument(
                f"Layer {self.name!r} ({type(self).__name__}) has {wanted} state"
                f"{'s' * (wanted > 1)}, got an initial_state of {len(states)}."
            )
        if cell.recurrent_dropout and self.use_cudnn is True:
            no_cudnn("it knows no recurrent_dropout")
        if not self._fast(training):
            return super()._run(x, states, mask, training)
        if training and cell.dropout:
            # One mask for all steps, as for a cell.
            x = ops.multiply(x, ops.expand_dims(cell.get_dropout_mask(x[:, 0]), 1))
        bias = None if cell.bias is None else cell.bias.value
        outputs, last, *states = self._sequence(
            x, states, cell.kernel.value, cell.recurrent_kernel.value, bias, mask
        )
        return outputs, last, states

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return Layer.from_config.__func__(cls, config)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("cell", None)
        config.pop("use_cudnn", None)
        return config


def _standard(function: Any, name: str) -> Any:
    """The op of that name where the activation is it, so that kernels recognise it."""
    return getattr(ops, name) if function is getattr(activations, name) else function


def _cudnn(choice: Any) -> Any:
    if choice not in ("auto", True, False):
        raise InvalidArgument(f"use_cudnn is 'auto', True or False, got {choice!r}.")
    return choice


class SimpleRNN(_WithCell):
    """A fully connected recurrent layer: each output is fed back with the next step.

    Elman (1990), https://doi.org/10.1207/s15516709cog1402_1

    `(batch, steps, d)` -> `(batch, units)`, or `(batch, steps, units)` with `return_sequences`.

    Args:
        units, activation, use_bias, ...: as in `SimpleRNNCell`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.

    >>> import kerasish as keras
    >>> keras.layers.SimpleRNN(4, return_sequences=True)(keras.ops.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, return_sequences: bool = False,
        return_state: bool = False, go_backwards: bool = False, stateful: bool = False,
        unroll: bool = False, seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        cell = SimpleRNNCell(
            units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout,
            seed, name="simple_rnn_cell", **_of_cell(kwargs),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer=activity_regularizer, **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)

    def _sequence(
        self, x: Any, states: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any
    ) -> Any:
        return _simple_rnn(
            x, states[0], kernel, recurrent_kernel, bias, mask, self.go_backwards,
            _standard(self.cell.activation, "tanh"), self.return_sequences,
            self.zero_output_for_mask, self.unroll,
        )


class LSTM(_WithCell):
    """A long short-term memory.

    Hochreiter and Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735

    Runs on the engine's own fused kernel where it has one and the arguments allow.
    `(batch, steps, d)` -> `(batch, units)`, or `(batch, steps, units)` with `return_sequences`.

    Args:
        units, activation, recurrent_activation, ...: as in `LSTMCell`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        use_cudnn: whether to run on cuDNN's kernel: "auto" does on a GPU for the arguments that
            it knows (tanh and sigmoid, no `recurrent_dropout`, not unrolled), `True` raises
            where it cannot, and `False` never does. The results are the same.

    >>> import kerasish as keras
    >>> keras.layers.LSTM(4)(keras.ops.ones((2, 5, 3))).shape
    (2, 4)
    """

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True, kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, seed: Any = None, return_sequences: bool = False,
        return_state: bool = False, go_backwards: bool = False, stateful: bool = False,
        unroll: bool = False, use_cudnn: Any = "auto", **kwargs: Any,
    ):  # fmt: skip
        cell = LSTMCell(
            units, activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, unit_forget_bias, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed, name="lstm_cell",
            **_of_cell(kwargs),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer=activity_regularizer, **kwargs,
        )
        self.use_cudnn = _cudnn(use_cudnn)
        self.input_spec = InputSpec(ndim=3)

    def _sequence(
        self, x: Any, states: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any
    ) -> Any:
        return _lstm(
            x, states[0], states[1], kernel, recurrent_kernel, bias, mask, self.go_backwards,
            _standard(self.cell.activation, "tanh"),
            _standard(self.cell.recurrent_activation, "sigmoid"),
            self.return_sequences, self.zero_output_for_mask, self.unroll, self.use_cudnn,
        )


class GRU(_WithCell):
    """A gated recurrent unit.

    Cho et al. (2014), https://arxiv.org/abs/1406.1078

    Runs on the engine's own fused kernel where it has one and the arguments allow.
    `(batch, steps, d)` -> `(batch, units)`, or `(batch, steps, units)` with `return_sequences`.

    Args:
        units, activation, recurrent_activation, reset_after, ...: as in `GRUCell`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        use_cudnn: whether to run on cuDNN's kernel: "auto" does on a GPU for the arguments that
            it knows (tanh and sigmoid, `reset_after`, no `recurrent_dropout`, not unrolled), `True`
            raises where it cannot, and `False` never does. The results are the same.

    >>> import kerasish as keras
    >>> y, state = keras.layers.GRU(4, return_state=True)(keras.ops.ones((2, 5, 3)))
    >>> y.shape, state.shape
    ((2, 4), (2, 4))
    """

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        seed: Any = None, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
        reset_after: bool = True, use_cudnn: Any = "auto", **kwargs: Any,
    ):  # fmt: skip
        cell = GRUCell(
            units, activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout,
            recurrent_dropout, reset_after, seed, name="gru_cell", **_of_cell(kwargs),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer=activity_regularizer, **kwargs,
        )
        self.use_cudnn = _cudnn(use_cudnn)
        self.input_spec = InputSpec(ndim=3)

    def _sequence(
        self, x: Any, states: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any
    ) -> Any:
        return _gru(
            x, states[0], kernel, recurrent_kernel, bias, mask, self.go_backwards,
            _standard(self.cell.activation, "tanh"),
            _standard(self.cell.recurrent_activation, "sigmoid"),
            self.return_sequences, self.cell.reset_after, self.zero_output_for_mask, self.unroll,
            self.use_cudnn,
        )


class Bidirectional(Wrapper):
    """Runs a recurrent layer forwards and a copy of it backwards.

    Schuster and Paliwal (1997), https://doi.org/10.1109/78.650093

    Args:
        layer: the recurrent layer.
        merge_mode: "concat", "sum", "ave", "mul", or `None` for both outputs.
        weights: initial values of all weights, a list of arrays.
        backward_layer: another layer for the way back, with `go_backwards=True`.

    >>> import kerasish as keras
    >>> keras.layers.Bidirectional(keras.layers.GRU(3))(keras.ops.ones((2, 5, 4))).shape
    (2, 6)
    """

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", weights: Any = None,
        backward_layer: Any = None, **kwargs: Any,
    ):  # fmt: skip
        if isinstance(layer, Layer) and not hasattr(layer, "go_backwards"):
            raise DTypeError(
                f"Bidirectional wraps a recurrent layer such as keras.layers.LSTM, got {layer!r}."
            )
        if merge_mode not in ("sum", "mul", "ave", "concat", None):
            raise InvalidArgument(
                "merge_mode must be 'sum', 'mul', 'ave', 'concat' or None, got "
                f"{merge_mode!r}."
            )
        super().__init__(layer, **kwargs)
        del self.__dict__["layer"]
        self.merge_mode = merge_mode
        self.forward_layer = _copy_of(layer, f"forward_{layer.name}", layer.go_backwards)
        if backward_layer is None:
            backward_layer = _copy_of(layer, f"backward_{layer.name}", not layer.go_backwards)
        self.backward_layer = backward_layer
        if self.forward_layer.go_backwards == self.backward_layer.go_backwards:
            raise InvalidArgument(
                "The forward and the backward layer must run in opposite directions: give "
                "backward_layer with go_backwards=True."
            )
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(self.forward_layer, name) != getattr(self.backward_layer, name):
                raise InvalidArgument(f"Forward and backward layer must have the same {name}.")
        self.supports_masking = True
        if layer.return_sequences:  # masked steps of both directions are merged as zeros
            self.forward_layer.zero_output_for_mask = True
            self.backward_layer.zero_output_for_mask = True
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        if weights:
            self._initial_weights = list(weights)

    @property
    def layer(self) -> Any:
        return self.forward_layer

    @layer.setter
    def layer(self, value: Any) -> None:
        self.__dict__["layer"] = value

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer._build_for({"sequences_shape": sequences_shape}, single=True)
        if getattr(self, "_initial_weights", None):
            self.built = True
            self.set_weights(self.__dict__.pop("_initial_weights"))

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        kwargs = {} if mask is None else {"mask": mask}
        if training is not None:
            kwargs["training"] = training
        first = second = None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = list(initial_state[:half]), list(initial_state[half:])
        y = self.forward_layer(sequences, initial_state=first, **kwargs)
        z = self.backward_layer(sequences, initial_state=second, **kwargs)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*y[1:], *z[1:])
            y, z = y[0], z[0]
        if self.return_sequences:
            z = ops.flip(z, axis=1)
        match self.merge_mode:
            case "concat":
                out = ops.concatenate([y, z], axis=-1)
            case "sum":
                out = ops.add(y, z)
            case "ave":
                out = ops.divide(ops.add(y, z), 2)
            case "mul":
                out = ops.multiply(y, z)
            case _:
                out = (y, z)
        if not self.return_state:
            return out
        return (*out, *states) if self.merge_mode is None else (out, *states)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        shape = self.forward_layer.compute_output_shape(sequences_shape)
        states: tuple[Any, ...] = ()
        if self.return_state:
            shape, *rest = shape
            states = (*rest, *rest)
        if self.merge_mode is None:
            return (shape, shape, *states) if states else (shape, shape)
        if self.merge_mode == "concat":
            shape = (*shape[:-1], 2 * shape[-1])
        return (shape, *states) if states else shape

    def compute_mask(self, sequences: Any, mask: Any = None) -> Any:
        mask = tree.flatten(mask)[0] if mask is not None else None
        out = mask if self.return_sequences else None
        if self.merge_mode is None:
            out = [out, out]
        if self.return_state:
            count = 2 * len(tree.flatten(self.forward_layer.cell.state_size))
            return [*(out if isinstance(out, list) else [out]), *([None] * count)]
        return out

    def __call__(self, sequences: Any, initial_state: Any = None, **kwargs: Any) -> Any:
        if initial_state is not None:
            kwargs["initial_state"] = initial_state
        return super().__call__(sequences, **kwargs)

    def compute_output_spec(self, sequences: Any, initial_state: Any = None, **_: Any) -> Any:
        shape = self.compute_output_shape(tree.flatten(sequences)[0].shape)
        return _map_shapes(lambda s: KerasTensor(s, self._output_dtype), shape)

    def reset_states(self) -> None:
        self.reset_state()

    def reset_state(self) -> None:
        if not self.stateful:
            raise StateError(f"Layer {self.name!r} is not stateful.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    @property
    def states(self) -> Any:
        if self.forward_layer.states is None:
            return None
        return (*self.forward_layer.states, *self.backward_layer.states)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config["layer"] = serialization.serialize_keras_object(self.forward_layer)
        config["backward_layer"] = serialization.serialize_keras_object(self.backward_layer)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        back = config.get("backward_layer")
        if isinstance(back, dict):
            config["backward_layer"] = serialization.deserialize_keras_object(
                back, custom_objects=custom_objects
            )
        return super().from_config(config, custom_objects)


def _copy_of(layer: Any, name: str, go_backwards: bool) -> Any:
    config = serialization.serialize_keras_object(layer)
    config = {**config, "build_config": None}
    config["config"] = {
        **config["config"],
        "name": name if not layer.name.startswith(("forward_", "backward_")) else (
            name.split("_", 1)[0] + "_" + layer.name.split("_", 1)[1]
        ),
        "go_backwards": go_backwards,
    }
    # The classes are at hand, registered or not.
    classes = {type(part).__name__: type(part) for part in layer._flatten_layers()}
    with CustomObjectScope(classes):
        copy = layer.__class__.from_config(config["config"])
    if hasattr(layer, "use_cudnn"):  # which configs do not tell, as it is a matter of the machine
        copy.use_cudnn = layer.use_cudnn
    return copy


class TimeDistributed(Wrapper):
    """Applies a layer to every step: `(batch, steps, ...)` -> `(batch, steps, ...)`.

    Args:
        layer: a layer for inputs `(batch, ...)`.

    >>> import kerasish as keras
    >>> keras.layers.TimeDistributed(keras.layers.Dense(3))(keras.ops.ones((2, 5, 4))).shape
    (2, 5, 3)
    """

    def __init__(self, layer: Any, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            raise ShapeError(
                f"Layer {self.name!r} (TimeDistributed) needs (batch, time, ...), got "
                f"{tuple(input_shape)}."
            )
        super().build((input_shape[0], *input_shape[2:]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        inner = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (inner[0], input_shape[1], *inner[1:])

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        shape = ops.shape(inputs)
        kwargs = {}
        if self.layer._takes_training and training is not None:
            kwargs["training"] = training
        flat = ops.reshape(inputs, (-1, *shape[2:]))
        if mask is not None and self.layer._consumes_mask:
            kwargs["mask"] = ops.reshape(mask, (-1, *ops.shape(mask)[2:]))
        y = self.layer(flat, **kwargs)
        batch = shape[0] if not isinstance(shape[0], int) or shape[0] else -1
        return ops.reshape(y, (batch, shape[1], *ops.shape(y)[1:]))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask
