"""Functional models as configs, in the layout that Keras 3 writes."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from kerasish import tree
from kerasish.core.operation import OpCall, Operation
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument
from kerasish.saving import serialization


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _op_area(function: Any) -> str:
    module = function.__module__.rpartition(".")[2]
    return module if module in ("core", "math", "linalg", "image") else (
        "nn" if module in ("nn", "activation", "convolution", "pooling", "normalization",
                           "losses", "attention", "encoding") else "numpy"
    )  # fmt: skip


def graph_to_config(model: Any) -> dict[str, Any]:
    """The layers of a functional model and how they are connected."""
    graph = model._function
    inside = {id(node) for node in graph._nodes}
    inside.update(id(x.node) for x in graph.inputs)
    places: dict[int, tuple[str, int]] = {}
    nodes_of: dict[int, list[Any]] = {}
    for operation in graph.operations:
        kept = [n for n in operation._inbound_nodes if id(n) in inside]
        nodes_of[id(operation)] = kept
        for i, node in enumerate(kept):
            places[id(node)] = (operation.name, i)

    def reference(x: KerasTensor) -> list[Any]:
        name, i = places[id(x.node)]
        return [name, i, x.index]

    def argument(x: Any) -> Any:
        if isinstance(x, KerasTensor):
            return {
                "class_name": "__keras_tensor__",
                "config": {"shape": list(x.shape), "dtype": x.dtype, "keras_history": reference(x)},
            }
        if isinstance(x, list):
            return [argument(y) for y in x]
        if isinstance(x, tuple):
            return tuple(argument(y) for y in x)
        if isinstance(x, dict):
            return {k: argument(v) for k, v in x.items()}
        return serialization.serialize_keras_object(x)

    layers = []
    for operation in graph.operations:
        nodes = nodes_of[id(operation)]
        calls = [(node.args, node.kwargs) for node in nodes if not node.is_input]
        if isinstance(operation, OpCall):
            config, calls = _op_config(operation, calls)
        else:
            config = serialization.serialize_keras_object(operation)
        config["name"] = operation.name
        config["inbound_nodes"] = [
            {"args": [argument(a) for a in args], "kwargs": {k: argument(v) for k, v in kw.items()}}
            for args, kw in calls
        ]
        layers.append(config)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": _references(graph._inputs_struct, reference),
        "output_layers": _references(graph._outputs_struct, reference),
    }


def _references(struct: Any, reference: Any) -> Any:
    if isinstance(struct, KerasTensor):
        return reference(struct)
    if isinstance(struct, dict):
        return {k: _references(v, reference) for k, v in struct.items()}
    return [_references(v, reference) for v in struct]


def _op_config(operation: OpCall, calls: Any) -> Any:
    """An op as the operation class of its name: constants in the config, tensors in the call."""
    function = operation.function
    args, kwargs = calls[0]
    config: dict[str, Any] = {"name": operation.name}
    if function.op_name == "get_item":  # a list in a file is a tuple of indices
        x, key = inspect.signature(function).bind(*args, **kwargs).args
        args, kwargs = (x, np.array(key) if isinstance(key, list) else key), {}
        calls = [(args, kwargs)]
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        bound = None
    if function.op_name != "get_item" and bound is not None and not any(
        p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        for p in inspect.signature(function).parameters.values()
    ):
        tensors: list[Any] = []
        named: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            symbolic = any(isinstance(x, KerasTensor) for x in tree.flatten(value))
            first_two = name in ("x1", "x2", "x", "y")
            if symbolic or (first_two and function.op_name in _BINARY):
                tensors.append(value)
            else:
                named[name] = value
        config.update({k: serialization.serialize_keras_object(v) for k, v in named.items()})
        calls = [(tuple(tensors), {})]
    return {
        "module": f"keras.src.ops.{_op_area(function)}",
        "class_name": _camel(function.op_name),
        "config": config,
        "registered_name": _camel(function.op_name),
    }, calls


_BINARY = frozenset(
    "add subtract multiply divide true_divide floor_divide power mod maximum minimum equal "
    "not_equal less less_equal greater greater_equal logical_and logical_or logical_xor matmul "
    "dot get_item where arctan2 bitwise_and bitwise_or bitwise_xor left_shift right_shift".split()
)


class _Bound:
    """An op with some arguments fixed by name, made from an operation's config."""

    def __init__(self, function: Any, fixed: dict[str, Any], name: str):
        self.function, self.fixed, self.name = function, fixed, name
        self.name_of_op = getattr(function, "op_name", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names = [p for p in inspect.signature(self.function).parameters if p not in self.fixed]
        arguments = {**self.fixed, **dict(zip(names, args, strict=False)), **kwargs}
        if self.name_of_op == "get_item" and isinstance(arguments["key"], list):
            arguments["key"] = tuple(arguments["key"])
        ordered = inspect.signature(self.function).parameters
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in ordered.values()):
            out = self.function(*args, **{**self.fixed, **kwargs})
        else:
            out = self.function(*[arguments[n] for n in ordered if n in arguments]) if (
                list(ordered)[: len(arguments)] == [n for n in ordered if n in arguments]
            ) else self.function(**arguments)
        given = {id(x) for x in tree.flatten((args, kwargs))}
        for leaf in tree.flatten(out):
            if isinstance(leaf, KerasTensor) and leaf.node is not None and id(leaf) not in given:
                leaf.node.operation.name = self.name
        return out


def _op_from_config(config: dict[str, Any]) -> Any:
    from kerasish import ops
    from kerasish.core.operation import snake_case

    name = snake_case(config["class_name"])
    fixed = {
        k: serialization.deserialize_keras_object(v)
        for k, v in config.get("config", {}).items() if k not in ("name", "dtype", "trainable")
    }
    if name in ("cast", "full", "zeros", "ones") and "dtype" in config.get("config", {}):
        fixed["dtype"] = config["config"]["dtype"]
    aliases = {"get_item": "get_item", "true_divide": "true_divide"}
    function = getattr(ops, aliases.get(name, name), None)
    if not hasattr(function, "op_name"):
        function = next(
            (f for n, f in vars(ops).items() if n.replace("_", "") == name.replace("_", "")
             and hasattr(f, "op_name")), None,
        )
    if name == "convert_to_tensor":  # no node of our graphs, but one of Keras'
        function = ops.convert_to_tensor
    if function is None:
        raise InvalidArgument(f"The config names an operation {config['class_name']!r} that "
                              "keras.ops does not have.")
    return _Bound(function, fixed, config.get("name") or config["config"].get("name"))


def model_from_graph(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A functional model from its config."""
    made: dict[str, Any] = {}
    outputs: dict[tuple[str, int], list[Any]] = {}
    pending: list[tuple[str, int, Any]] = []
    for entry in config["layers"]:
        name = entry.get("name") or entry["config"]["name"]
        module = entry.get("module") or ""
        if ".ops." in module or module.endswith(".ops"):
            made[name] = _op_from_config(entry)
        elif "module" not in entry and "registered_name" not in entry:
            entry = {"module": "keras.layers", "registered_name": None, **entry}
            made[name] = serialization.deserialize_keras_object(entry, custom_objects)
        else:
            made[name] = serialization.deserialize_keras_object(
                {k: v for k, v in entry.items() if k not in ("name", "inbound_nodes")},
                custom_objects,
            )
        layer = made[name]
        if not isinstance(layer, Operation | _Bound):
            raise InvalidArgument(
                f"The config's graph calls {name!r}, which is {layer!r}: neither layer nor op."
            )
        if not entry["inbound_nodes"] and isinstance(layer, Operation):
            outputs[name, 0] = [layer.output]
        for i, node in enumerate(entry["inbound_nodes"]):
            pending.append((name, i, node))

    def tensor(history: list[Any]) -> Any:
        name, node, index = history[:3]
        return outputs[name, node][index]

    def argument(x: Any) -> Any:
        if isinstance(x, dict) and x.get("class_name") == "__keras_tensor__":
            return tensor(x["config"]["keras_history"])
        if isinstance(x, dict) and x.get("class_name") == "__tuple__":
            return tuple(argument(y) for y in x["items"])
        if isinstance(x, list):
            return [argument(y) for y in x]
        if isinstance(x, dict) and "class_name" not in x:
            return {k: argument(v) for k, v in x.items()}
        return serialization.deserialize_keras_object(x)

    while pending:
        later = []
        for name, i, node in pending:
            if i and (name, i - 1) not in outputs:
                later.append((name, i, node))
                continue
            try:
                if isinstance(node, dict):
                    args = [argument(a) for a in node["args"]]
                    kwargs = {k: argument(v) for k, v in node["kwargs"].items()}
                else:  # the older layout: [[name, node, tensor, kwargs], ...]
                    tensors = [tensor(h) for h in node]
                    args = [tensors[0] if len(tensors) == 1 else tensors]
                    kwargs = node[0][3] if len(node[0]) > 3 else {}
            except KeyError:
                later.append((name, i, node))
                continue
            if not any(isinstance(x, KerasTensor) for x in tree.flatten((args, kwargs))):
                raise InvalidArgument(
                    f"The config's graph calls {name!r} on no tensor of the graph: {args}, "
                    f"{kwargs}."
                )
            out = made[name](*args, **kwargs)
            outputs[name, i] = [x for x in tree.flatten(out) if isinstance(x, KerasTensor)]
        if len(later) == len(pending):
            raise InvalidArgument(
                f"The config's graph cannot be connected: {sorted({p[0] for p in pending})} wait "
                "for tensors that no layer makes."
            )
        pending = later

    def struct(x: Any) -> Any:
        if isinstance(x, dict):
            return {k: struct(v) for k, v in x.items()}
        if isinstance(x, list | tuple) and len(x) in (3, 4) and isinstance(x[0], str):
            return tensor(list(x))
        return [struct(y) for y in x]

    inputs, results = struct(config["input_layers"]), struct(config["output_layers"])
    if isinstance(inputs, list) and len(inputs) == 1 and _flat(config["input_layers"]):
        inputs = inputs[0]
    if isinstance(results, list) and len(results) == 1 and _flat(config["output_layers"]):
        results = results[0]
    model = cls(inputs=inputs, outputs=results, name=config.get("name"))
    if config.get("trainable") is False:
        model.trainable = False
    return model


def _flat(references: Any) -> bool:
    return isinstance(references, list) and len(references) == 3 and isinstance(references[0], str)
