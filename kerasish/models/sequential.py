"""`Sequential`: layers in a row."""

from __future__ import annotations

from typing import Any

from kerasish import tree
from kerasish.core.operation import Operation
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument
from kerasish.layers.base import Layer
from kerasish.layers.input_layer import InputLayer
from kerasish.models.model import Functional, Model, _masked, _Untracked
from kerasish.saving import serialization


class Sequential(Model):
    """A model that hands its input through a list of layers.

    Args:
        layers: the layers; the first may be a `keras.Input`.
        trainable: whether training changes the weights.
        name: the model's name.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)])
    >>> model(keras.ops.ones((3, 4))).shape, len(model.weights)
    ((3, 2), 4)
    """

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None):
        Model.__init__(self, trainable=trainable, name=name)
        self._stack: list[Any] = []
        self.supports_masking = True
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._maybe_rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Appends a layer."""
        if isinstance(layer, KerasTensor) and layer.node is not None:
            layer = layer.node.operation
        if not isinstance(layer, Layer):
            if isinstance(layer, Operation):
                layer = _as_layer(layer)
            if not isinstance(layer, Layer):
                raise InvalidArgument(
                    f"Sequential takes layers, got {layer!r} of type {type(layer).__name__}. Wrap "
                    "a function in keras.layers.Lambda; call a class: Dense(8), not Dense."
                )
        if any(layer.name == other.name for other in self._stack):
            raise InvalidArgument(
                f"Sequential {self.name!r} has a layer named {layer.name!r} already. Give the new "
                "one another name=."
            )
        if isinstance(layer, InputLayer) and self._stack:
            raise InvalidArgument(
                f"Sequential {self.name!r} has layers already; an Input can only come first."
            )
        shape = getattr(layer, "_input_shape_arg", None)
        if shape is not None and not self._stack:
            self._stack.append(InputLayer(shape=shape))
        self._stack.append(layer)
        if rebuild:
            self._maybe_rebuild()

    def pop(self, rebuild: bool = True) -> Layer:
        """Removes the last layer and returns it."""
        if not self._stack:
            raise InvalidArgument(f"Sequential {self.name!r} has no layer to remove.")
        layer = self._stack.pop()
        if rebuild:
            self._maybe_rebuild()
        return layer

    def _maybe_rebuild(self) -> None:
        self.built, shape = False, None
        if self._graph is not None:
            shape = self._function.inputs[0].shape
            # Each layer's output is that in the graph of now.
            for node in self._function._nodes:
                nodes = node.operation._inbound_nodes
                nodes[:] = [n for n in nodes if n is not node]
        self._graph = None
        self._build_shapes = None
        self._forget_seen()
        self._forget_compiled()
        if self._stack and isinstance(self._stack[0], InputLayer) and len(self._stack) > 1:
            self.build(self._stack[0].batch_shape)
        elif self._stack and getattr(self._stack[0], "_graph", None) is not None:
            inputs = self._stack[0].input
            if isinstance(inputs, KerasTensor):
                self.build(inputs.shape)
        elif self._stack and shape is not None:  # what it was built for, it is built for again
            self.build(shape)

    @property
    def layers(self) -> list[Layer]:
        stack = self._stack
        return stack[1:] if stack and isinstance(stack[0], InputLayer) else stack[:]

    def _tracked(self) -> tuple[list[Any], list[Layer], list[Any]]:
        variables, _, holders = super()._tracked()
        return variables, list(self._stack), holders

    @property
    def input_dtype(self) -> str:
        """The dtype of what the first layer takes."""
        return self._stack[0].input_dtype if self._stack else self.compute_dtype

    def build(self, input_shape: Any = None) -> None:
        """Connects the layers symbolically, which builds them."""
        if not self._stack:
            raise InvalidArgument(f"Sequential {self.name!r} has no layers. Add some with add().")
        if input_shape is None:
            if not isinstance(self._stack[0], InputLayer):
                raise InvalidArgument(f"Sequential {self.name!r}.build needs an input shape.")
            input_shape = self._stack[0].batch_shape
        shape = tuple(input_shape)
        if any(isinstance(d, list | tuple | dict) for d in shape):
            raise InvalidArgument(
                f"Sequential {self.name!r} has one input, got the shapes {input_shape}. Use the "
                "functional API for several."
            )
        first = self._stack[0]
        if not isinstance(first, InputLayer):
            first = InputLayer(batch_shape=shape, dtype=self.input_dtype)
            self._own_input = _Untracked(first)
        from kerasish.core import scope

        x = first.output
        with scope.name_scope(self.name, caller=self):
            for layer in self.layers:
                try:
                    x = layer(x)
                except NotImplementedError:
                    return
        self._set_graph_of(first.output, x)
        self._build_shapes = {"input_shape": shape}
        self._path = self.name
        self.built = True

    @property
    def _any_sizes(self) -> bool:
        """Without an `Input`, the first data came in some size; others may come in another."""
        return not isinstance(self._stack[0], InputLayer)

    def _set_graph_of(self, inputs: Any, outputs: Any) -> None:
        from kerasish.models.function import Function

        self._graph = _Untracked(Function(inputs, outputs, name=self.name))
        self._input_names = [inputs.node.operation.name]
        self._output_names = [
            x.node.operation.name for x in tree.flatten(outputs) if x.node is not None
        ]
        self._graph_layers = []

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if mask is not None:
            inputs = _masked(inputs, mask)
        if self._graph is not None:
            return self._run_graph(inputs)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    call._runs_graph = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        x = KerasTensor(input_shape, self.compute_dtype)
        if self._graph is not None:
            return self.compute_output_spec(x).shape
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    compute_output_shape._is_default = True

    def compute_output_spec(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return Layer.compute_output_spec(self, inputs)

    @property
    def _functional(self) -> Any:
        return self if self._graph is not None else None

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self._policy_config(),
            "layers": [serialization.serialize_keras_object(layer) for layer in self._stack],
        }
        if self._graph is not None:
            config["build_input_shape"] = self._function.inputs[0].shape
        return config

    def _policy_config(self) -> Any:
        from kerasish import dtype_policies

        return dtype_policies.serialize(self._dtype_policy)

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        if isinstance(config, list):
            config = {"layers": config}
        if "layers" not in config:
            raise InvalidArgument(
                f"The config of a Sequential has a list of layers, got the keys {sorted(config)}."
            )
        model = cls(name=config.get("name"))
        for entry in config["layers"]:
            if "module" not in entry:
                entry = {"module": "keras.layers", "registered_name": None, **entry}
            layer = serialization.deserialize_keras_object(entry, custom_objects)
            model.add(layer, rebuild=False)
        model._maybe_rebuild()
        shape = config.get("build_input_shape")
        if shape and not model.built:
            model.build(tuple(shape))
        if config.get("trainable") is False:
            model.trainable = False
        return model


def _as_layer(operation: Operation) -> Layer:
    from kerasish import layers

    return layers.Lambda(operation, name=operation.name)


__all__ = ["Functional", "Sequential"]
