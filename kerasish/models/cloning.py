"""`clone_model`: the same architecture with new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerasish import tree
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument
from kerasish.layers.input_layer import Input, InputLayer
from kerasish.models.model import Functional, Model
from kerasish.models.sequential import Sequential
from kerasish.saving import serialization


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Model:
    """A model of the same architecture with freshly initialised weights.

    Args:
        model: a functional or Sequential model.
        input_tensors: symbolic tensors to begin with in place of new inputs.
        clone_function: makes the new layer, or operation, from each old one (inputs excepted).
        call_function: `(layer, *args, **kwargs)`, in place of calling the new layer or operation.
        recursive: whether the layers of models inside are cloned with `clone_function` too.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> keras.models.clone_model(model).count_params()
    3
    """
    if not isinstance(model, Model):
        raise InvalidArgument(f"clone_model takes a model, got {model!r}.")
    twin = _clone(model, input_tensors, clone_function, call_function, recursive)
    if model.compiled and not twin.compiled and type(model).compile is Model.compile:
        with serialization.functions_as_they_are():
            twin.compile_from_config(model.get_compile_config())
    return twin


def _clone(
    model: Any, input_tensors: Any, clone_function: Any, call_function: Any, recursive: bool
) -> Any:
    def clone(layer: Any) -> Any:
        if recursive and isinstance(layer, Functional | Sequential):
            return clone_model(layer, clone_function=clone_function, recursive=True)
        if clone_function is not None:
            return clone_function(layer)
        return _twin(layer)

    if isinstance(model, Sequential):
        if call_function is not None:
            raise InvalidArgument("call_function is for functional models; this is a Sequential.")
        layers = []
        if input_tensors is not None:
            tensors = tree.flatten(input_tensors)
            if len(tensors) != 1:
                raise InvalidArgument("A Sequential model has one input.")
            layers.append(tensors[0] if isinstance(tensors[0], KerasTensor)
                          else Input(batch_shape=tensors[0].shape))
        elif model._stack and isinstance(model._stack[0], InputLayer):
            first = model._stack[0]
            layers.append(Input(batch_shape=first.batch_shape, dtype=first.dtype, name=first.name))
        twin = Sequential([*layers, *[clone(x) for x in model.layers]], name=model.name)
        if model.built and not twin.built and input_tensors is None:
            twin.build(model.input_shape)
        return twin
    if model._graph is None or type(model).call is not Model.call:
        if not (clone_function is call_function is input_tensors is None):
            raise InvalidArgument(
                f"{type(model).__name__} {model.name!r} is cloned by its config: clone_function, "
                "call_function and input_tensors work for functional and Sequential models."
            )
        return _twin(model)
    graph = model._function
    if input_tensors is None:
        starts = [
            Input(batch_shape=x.shape, dtype=x.dtype, name=x.node.operation.name)
            for x in graph.inputs
        ]
    else:
        starts = tree.flatten(input_tensors)
    tensors = {id(old): new for old, new in zip(graph.inputs, starts, strict=True)}
    made: dict[int, Any] = {}
    for node in graph._nodes:
        operation = node.operation
        if id(operation) not in made:
            made[id(operation)] = clone(operation)
        args, kwargs = tree.map_structure(
            lambda x: tensors.get(id(x), x), (node.args, node.kwargs)
        )
        layer = made[id(operation)]
        if call_function is None:
            out = layer(*args, **kwargs)
        else:
            out = call_function(layer, *args, **kwargs)
        for old, new in zip(node.output_tensors, tree.flatten(out), strict=False):
            tensors[id(old)] = new
    inputs = tree.pack_sequence_as(graph._inputs_struct, starts)
    outputs = tree.map_structure(lambda x: tensors[id(x)], graph._outputs_struct)
    plain = type(model).__init__ is Functional.__init__
    return (type(model) if plain else Functional)(inputs, outputs, name=model.name)


def _twin(layer: Any) -> Any:
    with serialization.functions_as_they_are():
        return layer.__class__.from_config(layer.get_config())
