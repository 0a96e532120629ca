"""`Model`: a layer that can be trained, made from a graph of layers or by subclassing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasish import backends, dtypes, ops, tree
from kerasish.backends.state import local
from kerasish.core.operation import overridable
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import DTypeError, InvalidArgument, NotBuilt, NotDefined, ShapeError
from kerasish.layers.base import Layer
from kerasish.layers.input_layer import InputLayer
from kerasish.layers.masking import get_mask, set_mask
from kerasish.layers.preprocessing.host import in_graph_of
from kerasish.models import graph_config
from kerasish.models.function import Function, entered
from kerasish.training.steps import Kept
from kerasish.training.trainer import Trainer

if TYPE_CHECKING:
    from typing_extensions import Self


class Model(Trainer, Layer):
    """A layer with `fit`, `evaluate` and `predict`.

    Made from symbolic inputs and outputs, or by subclassing with `call`.

    Args:
        inputs: symbolic tensors (`keras.Input`), or a list or dict of them.
        outputs: symbolic tensors computed from them.
        name: the model's name.

    >>> import kerasish as keras
    >>> x = keras.Input((4,))
    >>> model = keras.Model(x, keras.layers.Dense(2)(x))
    >>> model(keras.ops.zeros((3, 4))).shape
    (3, 2)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        kind: Any = Functional if cls is Model and _is_functional(args, kwargs) else cls
        return super().__new__(kind, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any):
        Trainer.__init__(self)
        self._graph: Any = None
        if _is_functional(args, kwargs):
            names = ("inputs", "outputs", "name")
            if len(args) > len(names):
                raise TypeError("Model takes inputs, outputs and name.")
            kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
            inputs, outputs = kwargs.pop("inputs"), kwargs.pop("outputs")
            Layer.__init__(self, **kwargs)
            self._set_graph(inputs, outputs)
        else:
            Layer.__init__(self, *args, **kwargs)

    @property
    def _in_pipelines(self) -> bool:
        return all(layer._in_pipelines for layer in self.layers)

    def _call_general(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        engine = backends.graph_owner(tree.flatten((args, kwargs)))
        if engine is None or engine is backends.active or not self._in_pipelines:
            return super()._call_general(args, kwargs)
        with in_graph_of((args, kwargs)):
            return super()._call_general(args, kwargs)

    # A model made from a graph -----------------------------------------------------------------

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        for x in tree.flatten(inputs):
            if isinstance(x, KerasTensor) and x.node is None:
                InputLayer(input_tensor=x, name=x.name)
        if any(isinstance(x, KerasTensor) and x.node is not None and not x.node.is_input
               for x in tree.flatten(inputs)):  # fmt: skip
            inputs, outputs = entered(inputs, outputs)
        graph = Function(inputs, outputs, name=self.name)
        names = [o.name for o in graph.operations]
        if len(set(names)) != len(names):
            twice = sorted({n for n in names if names.count(n) > 1})
            raise InvalidArgument(
                f"Model {self.name!r}: operations must have unique names, {twice} occur more than "
                "once. Give layers different name= arguments."
            )
        self._graph = _Untracked(graph)
        self._graph_layers = [o for o in graph.operations if isinstance(o, Layer)]
        self._input_names = [x.node.operation.name for x in graph.inputs]
        self._output_names = _output_names(graph)
        self._path = self.name
        self.built = True
        self._called = True
        self.supports_masking = True

    @property
    def _function(self) -> Function:
        return self._graph.value

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order of the graph or of the attributes that hold them."""
        if self._graph is not None:
            return list(self._graph_layers) + [
                x for x in self._layers
                if not any(x is y for y in self._graph_layers)
            ]
        return self._layers

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("`Model.layers` is made by the model; choose another attribute name.")

    @property
    def inputs(self) -> Any:
        """The symbolic inputs as a list; `None` where the model was not made from them."""
        return self._function.inputs if self._graph is not None else None

    @property
    def outputs(self) -> Any:
        """The symbolic outputs as a list; `None` where the model was not made from them."""
        return self._function.outputs if self._graph is not None else None

    @property
    def input(self) -> Any:
        """The symbolic inputs in the structure in which the model takes them."""
        if self._graph is None:
            raise AttributeError(f"Model {self.name!r} has no symbolic input.")
        return self._function._inputs_struct

    @property
    def output(self) -> Any:
        """The symbolic outputs in the structure in which the model gives them."""
        if self._graph is None:
            raise AttributeError(f"Model {self.name!r} has no symbolic output.")
        return self._function._outputs_struct

    @property
    def input_shape(self) -> Any:
        """The shape of the input, with the batch axis; a list of shapes for several."""
        return _shapes_of(tree.flatten(self.input))

    @property
    def output_shape(self) -> Any:
        """The shape of the output, with the batch axis; a list of shapes for several."""
        return _shapes_of(tree.flatten(self.output))

    @property
    def input_dtype(self) -> str:
        """The dtype that floating inputs are cast to."""
        return self.compute_dtype

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, which a dict of inputs has as keys."""
        return list(self._input_names)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, which dicts of losses and metrics have as keys."""
        return list(self._output_names)

    @overridable
    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Runs the graph; a subclass defines its own."""
        if self._graph is None:
            raise NotDefined(
                f"{type(self).__name__} defines no call() method. Define call(self, inputs) in it, "
                "or make the model from symbolic inputs and outputs."
            )
        outputs = self._run_graph(inputs if mask is None else _masked(inputs, mask))
        # As in Keras, values of one output in a list are handed over bare.
        alone = isinstance(outputs, list | tuple) and len(outputs) == 1
        return outputs[0] if alone and not isinstance(outputs[0], KerasTensor) else outputs

    call._runs_graph = True

    def _run_graph(self, inputs: Any) -> Any:
        function = self._graph.value
        if type(inputs) in local.here.active.native:
            outputs = function.again([inputs])
            if outputs is not None:
                return outputs
        return function.run(self._flat_inputs(inputs))

    _any_sizes = False
    """Whether the sizes in the shapes of the inputs were not chosen by anyone."""

    def _flat_inputs(self, inputs: Any) -> list[Any]:
        """The input tensors in the graph's order: by name from dicts, else by position."""
        specs = self._function.inputs
        struct = self._function._inputs_struct
        if isinstance(inputs, dict):
            if isinstance(struct, dict) and set(struct) <= set(inputs):
                flat = [inputs[k] for k in sorted(struct)]
                flat = tree.flatten(flat)
            elif missing := [n for n in self._input_names if n not in inputs]:
                raise InvalidArgument(
                    f"Model {self.name!r} has inputs {self._input_names}; the dict has "
                    f"{sorted(inputs)}: {missing} missing."
                )
            else:
                flat = [inputs[n] for n in self._input_names]
        else:
            flat = tree.flatten(inputs)
        if len(flat) != len(specs):
            raise InvalidArgument(
                f"Model {self.name!r} takes {len(specs)} inputs {self._input_names}, got "
                f"{len(flat)} tensors."
            )
        active = backends.active
        for i, (spec, x) in enumerate(zip(specs, flat, strict=True)):
            if x is None:
                continue
            want = spec.shape
            try:
                rank = len(x.shape)
            except AttributeError:
                raise InvalidArgument(
                    f"Model {self.name!r}: input {self._input_names[i]!r} is a tensor of shape "
                    f"{want}, got {x!r} of type {type(x).__name__}. Give an array."
                ) from None
            if rank == len(want) + 1 and x.shape[-1] == 1:
                flat[i] = x = x[..., 0] if spec.dtype == "string" else _op("squeeze")(x, -1)
            elif rank == len(want) - 1 and want[-1] == 1:
                flat[i] = x = x[..., None] if spec.dtype == "string" else (
                    _op("expand_dims")(x, -1)
                )
            elif rank != len(want) or not self._any_sizes and any(
                w is not None and g is not None and w != g
                for w, g in zip(want[1:], x.shape[1:], strict=True)
            ):
                alone = rank == len(want) - 1
                hint = " The first axis is the batch: give x[None] for one sample." if alone else ""
                raise ShapeError(
                    f"Model {self.name!r}: input {self._input_names[i]!r} has shape {want}, got "
                    f"{tuple(x.shape)}.{hint}"
                )
            if not isinstance(x, KerasTensor) and spec.dtype != "string" and (
                active.dtype_of(x) != spec.dtype
            ):
                if dtypes.is_float(spec.dtype) or not dtypes.is_float(active.dtype_of(x)):
                    target = self.compute_dtype if dtypes.is_float(spec.dtype) else spec.dtype
                    flat[i] = active.cast(x, target)
        return flat

    def _set_output_masks(self, tensors: Any, outputs: Any, previous: Any) -> None:
        # The last layers of a graph have given the outputs their masks, or none.
        if self._graph is None or not getattr(type(self).call, "_runs_graph", False):
            super()._set_output_masks(tensors, outputs, previous)

    def _check_kinds(self, inputs: Any) -> None:
        """Strings where numbers are expected, told before anything is computed."""
        if self._graph is None:
            return
        leaves = tree.flatten(inputs)
        for name, spec, x in zip(self._input_names, self._function.inputs, leaves, strict=False):
            if spec.dtype != "string" and hasattr(x, "dtype") and (
                dtypes.standardize(x.dtype) == "string"
            ):
                raise DTypeError(
                    f"Model {self.name!r}: input {name!r} takes {spec.dtype}, got strings. Encode "
                    "them first, with StringLookup or TextVectorization."
                )

    def compute_output_spec(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """The symbolic outputs for symbolic inputs."""
        if self._graph is not None and type(self).call is Model.call:
            flat = tree.flatten(inputs)
            if len(flat) == len(self._function.inputs) and all(
                isinstance(x, KerasTensor) and x.shape == s.shape
                for x, s in zip(flat, self._function.inputs, strict=True)
            ):
                return tree.map_structure(
                    lambda x: KerasTensor(x.shape, x.dtype, sparse=x.sparse),
                    self._function._outputs_struct,
                )
        return Layer.compute_output_spec(self, inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for those of the inputs, with the batch axis."""
        if self._graph is not None and type(self).call is Model.call:
            from kerasish.layers.base import _map_shapes

            inputs = _map_shapes(lambda s: KerasTensor(s, self.compute_dtype), input_shape)
            return tree.map_structure(lambda x: x.shape, self.compute_output_spec(inputs))
        return Layer.compute_output_shape(self, input_shape)

    compute_output_shape._is_default = True

    @overridable
    def build(self, input_shape: Any = None) -> None:
        """Builds all layers for an input shape (with the batch axis)."""
        if self._graph is not None:
            return
        if input_shape is None:
            raise InvalidArgument(f"Model {self.name!r}.build needs an input shape.")
        from kerasish.core import scope
        from kerasish.layers.base import _tuples

        shape = _tuples(input_shape)
        self._build_shapes = {"input_shape": shape}
        self._path = self._path or self.name
        with scope.name_scope(self.name, caller=self), backends.concrete():
            self._trace_call([shape])
        self.built = True

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name or at that position; an `InvalidArgument` where there is none.

        Args:
            name: its name.
            index: its position in `layers`, in place of the name.

        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.layers.Dense(4, name="first"), keras.layers.Dense(2)])
        >>> model.get_layer("first").units, model.get_layer(index=1).units
        (4, 2)
        """
        if (name is None) == (index is None):
            raise InvalidArgument(
                f"get_layer takes a name or an index, got name={name!r} and index={index!r}."
            )
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise InvalidArgument(
                    f"Model {self.name!r} has {len(self.layers)} layers, asked for index {index}."
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InvalidArgument(
            f"Model {self.name!r} has no layer {name!r}. Layers: {[x.name for x in self.layers]}."
        )

    # Description -------------------------------------------------------------------------------

    def summary(
        self, line_length: int | None = None, positions: Any = None,
        print_fn: Callable[[str], Any] | None = None, expand_nested: bool = False,
        show_trainable: bool = False, layer_range: Any = None,
    ) -> None:  # fmt: skip
        """Prints the layers with their output shapes and numbers of parameters.

        Args:
            line_length: characters in a line.
            positions: kept for compatibility; the columns are as wide as what is in them.
            print_fn: takes the whole text, in place of `print`.
            expand_nested: tell the layers of models inside of the model.
            show_trainable: add a column that tells whether layers are trainable.
            layer_range: names (patterns) of the first and the last layer to tell of.

        >>> import kerasish as keras
        >>> lines = []
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> model.summary(print_fn=lines.append)
        >>> "Total params: 8" in "".join(lines)
        True
        """
        from kerasish.models.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable,
                      layer_range)

    def _repr_html_(self) -> str | None:
        from kerasish.models.summary import html_summary

        return html_summary(self)

    # Files and configs -------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        if self._graph is not None and type(self).__init__ is Functional.__init__:
            return graph_config.graph_to_config(self)
        return Layer.get_config(self)

    get_config._is_default = True

    @classmethod
    @overridable
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model with this config, without its weights."""
        if {"layers", "input_layers", "output_layers"} <= config.keys():
            return graph_config.model_from_graph(cls, config, custom_objects)
        return super().from_config(config)

    def get_build_config(self) -> dict[str, Any] | None:
        return None if self._graph is not None else Layer.get_build_config(self)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the model for the input shape that `get_build_config` told."""
        if not config:
            return
        shape = config.get("input_shape")
        if shape is not None and type(self).build is Model.build:
            self.build(shape)
        else:
            Layer.build_from_config(self, config)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON, without weights; `model_from_json` reads it."""
        from kerasish.saving.serialization import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Writes architecture, weights and optimizer state to a `.keras` (or `.h5`) file.

        Args:
            filepath, overwrite, zipped: as in `keras.saving.save_model`.

        >>> import os, tempfile
        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(os.path.join(folder, "model.keras"))
        ...     keras.models.load_model(os.path.join(folder, "model.keras")).output_shape
        (None, 2)
        """
        from kerasish.saving.saving_api import save_model

        save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None
    ) -> None:
        """Writes the weights to a `.weights.h5` (or `.safetensors`) file.

        Args:
            filepath, overwrite, max_shard_size: as in `keras.saving.save_weights`.
        """
        from kerasish.saving.saving_api import save_weights

        save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Reads weights from a file of `save_weights` or `save`.

        Args:
            filepath, skip_mismatch: as in `keras.saving.load_weights`.
        """
        from kerasish.saving.saving_api import load_weights

        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def _state_by_kind(self) -> dict[str, list[Any]]:
        return {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": [] if self.optimizer is None else self.optimizer.variables,
            "metrics_variables": self.metrics_variables,
        }

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """The values of all variables, those of the optimizer and the metrics included.

        Args:
            value_format: `"backend_tensor"` or `"numpy_array"`.

        Returns:
            A dict with the keys `"trainable_variables"`, `"non_trainable_variables"`,
            `"optimizer_variables"` and `"metrics_variables"`. Below them are dicts in dicts, for
            the parts of the variables' paths, with copies of the values.

        >>> import kerasish as keras
        >>> dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="dense")
        >>> model = keras.Sequential([keras.Input((2,)), dense], name="model")
        >>> model.get_state_tree("numpy_array")["trainable_variables"]["model"]["dense"]["kernel"]
        array([[1.],
               [1.]], dtype=float32)
        """
        if value_format not in ("backend_tensor", "numpy_array"):
            raise InvalidArgument(
                f"value_format is 'backend_tensor' or 'numpy_array', got {value_format!r}."
            )
        result: dict[str, Any] = {}
        for kind, variables in self._state_by_kind().items():
            result[kind] = {}
            for v in variables:
                *folders, name = v.path.split("/")
                place = result[kind]
                for folder in folders:
                    place = place.setdefault(folder, {})
                tensor = value_format == "backend_tensor"
                place[name] = ops.copy(v.value) if tensor else np.array(v.numpy())
        return result

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Gives variables the values of a tree of `get_state_tree`, or of a part of one.

        Args:
            state_tree: the tree.
        """
        state = self._state_by_kind()
        found = []
        for kind, values in state_tree.items():
            if kind not in state:
                raise InvalidArgument(f"A state tree has the keys {list(state)}, got {kind!r}.")
            variables = {v.path: v for v in state[kind]}
            if kind == "optimizer_variables":
                values = self._of_own_optimizer(values)
            for path, value in _leaves(values):
                if path not in variables:
                    raise InvalidArgument(
                        f"The state tree names {path!r}, which is not among the {kind} of model "
                        f"{self.name!r}: {sorted(variables)}."
                    )
                shape = tuple(value.shape if hasattr(value, "shape") else np.shape(value))
                if shape != variables[path].shape:
                    raise ShapeError(
                        f"The state tree has shape {shape} for {path!r}, which is of shape "
                        f"{variables[path].shape}."
                    )
                found.append((variables[path], value))
        for variable, value in found:  # all fit: nothing is half-changed
            variable.assign(value)

    def _of_own_optimizer(self, values: dict[str, Any]) -> dict[str, Any]:
        """The state of an optimizer, which may have another name: automatic ones are numbered."""
        name = getattr(self.optimizer, "name", None)
        if name is None or name in values or len(values) != 1:
            return values
        return {name: next(iter(values.values()))}

    def reset_states(self) -> None:
        """Resets the states of stateful layers."""
        for layer in self._flatten_layers(include_self=False):
            reset = getattr(layer, "reset_states", None) or getattr(layer, "reset_state", None)
            if reset is not None and getattr(layer, "stateful", False):
                reset()

    def quantize(
        self, mode: Any = None, config: Any = None, filters: Any = None, **kwargs: Any
    ) -> None:
        """Replaces the kernels of Dense, EinsumDense and Embedding layers by ones in fewer bits.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"`, `"gptq"` or `"awq"`.
            config: a `keras.quantizers.*Config` in place of a mode's default; GPTQ and AWQ need
                one, with data.
            filters: which layers: a pattern of names, a list of patterns, or a function of a layer.
            **kwargs: `type_check`, as in `Layer.quantize`.

        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> model.quantize("int8")
        >>> model.layers[0].dtype_policy.name
        'int8_from_float32'
        """
        from kerasish.models import quantization

        quantization.quantize(self, mode, config, filters, **kwargs)

    def get_quantization_layer_structure(self, mode: str) -> dict[str, Any] | None:
        """The layers before the blocks and the blocks that GPTQ and AWQ go through in turn.

        A model that has them returns `{"pre_block_layers": [...], "sequential_blocks": [...]}`.
        """
        return None

    def _picklable(self) -> dict[str, Any]:
        """All of the model, the optimizer's state included, but what was compiled for it."""
        kept = {k: v for k, v in super()._picklable().items() if not isinstance(v, Kept)}
        kept["_compiled_steps"] = {}
        return kept

    def _check_built(self, what: str) -> None:
        if not self.built:
            raise NotBuilt(
                f"Model {self.name!r} must be built before {what}: call it on data, fit it, or "
                "call model.build(input_shape)."
            )


def _leaves(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The paths and values of dicts in dicts."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}/")
        else:
            yield path + name, value


class Functional(Model):
    """A `Model` made from symbolic inputs and outputs.

    Args:
        inputs, outputs: `KerasTensor`s, or structures of them.
        name: the model's name.

    >>> import kerasish as keras
    >>> x = keras.Input((3,))
    >>> model = keras.Model(x, keras.layers.Dense(2)(x))
    >>> isinstance(model, keras.models.Functional)
    True
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        Model.__init__(self, inputs=inputs, outputs=outputs, name=name, **kwargs)

    @property
    def operations(self) -> list[Any]:
        """The layers and ops of the graph, inputs among them."""
        return list(self._function.operations)


class _Untracked:
    """Holds a value that is not part of a layer's state."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value


def _shapes_of(tensors: list[Any]) -> Any:
    return tensors[0].shape if len(tensors) == 1 else [x.shape for x in tensors]


def _op(name: str) -> Any:
    from kerasish import ops

    return getattr(ops, name)


def _masked(inputs: Any, mask: Any) -> Any:
    """The inputs with the masks that a caller gives for them."""
    def one(x: Any, mask: Any) -> Any:
        if mask is None or get_mask(x) is mask:
            return x
        x = ops.copy(x)  # the caller's own tensor stays as it is
        set_mask(x, mask)
        return x

    pairs = zip(tree.flatten(inputs), tree.flatten(mask), strict=False)
    return tree.pack_sequence_as(inputs, [one(x, m) for x, m in pairs])


def _is_functional(args: Any, kwargs: Any) -> bool:
    if "inputs" in kwargs and "outputs" in kwargs:
        return True
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs)


def _output_names(graph: Function) -> list[str]:
    struct = graph._outputs_struct
    if isinstance(struct, dict) and all(isinstance(v, KerasTensor) for v in struct.values()):
        return sorted(struct)
    names: list[str] = []
    for x in graph.outputs:
        name = x.node.operation.name if x.node is not None else x.name
        while name in names:
            name += "_1"
        names.append(name)
    return names


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Model:
    """The model, without weights, that `model.to_json()` described.

    Args:
        json_string: the text.
        custom_objects: classes and functions by the names that stand in it.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> keras.models.model_from_json(model.to_json()).output_shape
    (None, 2)
    """
    from kerasish.saving.serialization import deserialize_keras_object

    try:
        config = json.loads(json_string)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidArgument(f"The text is not the JSON of a model: {error}.") from None
    model = deserialize_keras_object(config, custom_objects=custom_objects)
    if not issubclass(type(model), Layer):
        raise InvalidArgument(f"The JSON describes {model!r}, which is no model.")
    return model
