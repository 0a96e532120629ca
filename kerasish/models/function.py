"""`Function`: a graph of symbolic calls as a flat plan that runs on tensors."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

from kerasish import backends, tree
from kerasish.backends.state import local
from kerasish.core.operation import OpCall, Operation
from kerasish.core.symbolic import KerasTensor, Node
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers import masking
from kerasish.layers.base import Layer, _Call, _map_shapes
from kerasish.layers.input_layer import InputLayer


def _fits(shape: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    return len(shape) == len(expected) and all(
        n is None or m is None or n == m for n, m in zip(shape, expected, strict=True)
    )


def sort_nodes(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> list[Node]:
    """The nodes between inputs and outputs, each after those that it needs."""
    given = {id(x) for x in inputs}
    found: dict[int, Node] = {}
    stack = list(outputs)
    while stack:
        x = stack.pop()
        if id(x) in given:
            continue
        if x.node is None or x.node.is_input:
            names = [i.name for i in inputs]
            raise InvalidArgument(
                f"The outputs depend on {x!r}, which is not among the inputs {names}. Add it to "
                "the model's inputs."
            )
        if id(x.node) not in found:
            found[id(x.node)] = x.node
            stack.extend(x.node.input_tensors)
    return sorted(found.values(), key=lambda node: node.order)


def entered(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """The same graph, with inputs of its own for those that are results of a larger graph.

    So a model of the last part of another has the weights of that part only.
    """
    own: dict[int, KerasTensor] = {}
    for x in tree.flatten(inputs):
        if not x.node.is_input:
            own[id(x)] = InputLayer(
                batch_shape=x.shape, dtype=x.dtype, sparse=x.sparse, ragged=x.ragged, name=x.name
            ).output

    def replaced(structure: Any) -> Any:
        return tree.map_structure(lambda x: own.get(id(x), x), structure)

    for node in sort_nodes(tree.flatten(inputs), tree.flatten(outputs)):
        for x in node.output_tensors:
            own[id(x)] = copy.copy(x)
        Node(node.operation, replaced(node.args), replaced(node.kwargs), replaced(node.outputs))
    return replaced(inputs), replaced(outputs)


def listed(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> list[Operation]:
    """Operations by their distance from the outputs, the farthest first.

    Equals follow one another as a walk back from the outputs meets them. This is how Keras lists
    layers, and it tells which weights of a file belong to which layer.
    """
    given = {id(x.node) for x in inputs}
    met: dict[int, int] = {}
    seen: set[int] = set()
    after: list[Node] = []
    stack: list[tuple[Any, bool]] = [(x.node, False) for x in reversed(outputs)]
    while stack:
        node, left = stack.pop()
        if left:
            after.append(node)
        elif node is not None and id(node) not in seen:
            seen.add(id(node))
            met.setdefault(id(node.operation), len(met))
            stack.append((node, True))
            if id(node) not in given:
                stack.extend((x.node, False) for x in reversed(node.input_tensors))
    far: dict[int, int] = {}
    found: dict[int, Operation] = {}
    for node in reversed(after):
        operation = node.operation
        distance = max(far.get(id(node), 0), far.get(id(operation), 0))
        far[id(operation)] = distance
        found[id(operation)] = operation
        if id(node) not in given:
            for x in node.input_tensors:
                far[id(x.node)] = max(far.get(id(x.node), 0), distance + 1)
    for x in inputs:  # an input that nothing uses
        if x.node is not None:
            found.setdefault(id(x.node.operation), x.node.operation)
    return sorted(found.values(), key=lambda o: (-far.get(id(o), 0), met.get(id(o), -1)))


class Function(Operation):
    """The computation from symbolic inputs to symbolic outputs, as a callable.

    >>> import kerasish as keras
    >>> x = keras.KerasTensor((None, 2))
    >>> double = keras.Function(inputs=x, outputs=x * 2)
    >>> double(keras.ops.ones((1, 2))).tolist()
    [[2.0, 2.0]]
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        super().__init__(name=name)
        self._inputs_struct = tree.map_structure(lambda x: x, inputs)
        self._outputs_struct = tree.map_structure(lambda x: x, outputs)
        self._inputs = tree.flatten(inputs)
        self._outputs = tree.flatten(outputs)
        for what, tensors in (("inputs", self._inputs), ("outputs", self._outputs)):
            for x in tensors:
                if not isinstance(x, KerasTensor):
                    raise InvalidArgument(
                        f"The {what} of a functional model are symbolic tensors, made by "
                        f"keras.Input or by calling layers on it; got {x!r} of type "
                        f"{type(x).__name__}."
                    )
        self._nodes = sort_nodes(self._inputs, self._outputs)
        self._plan = self._make_plan()
        self._seen: dict[Any, int] = {}
        """Kinds of inputs for which every layer has seen what it gets, and when that was so."""

    inputs = property(lambda self: self._inputs, doc="The symbolic inputs, as a list.")
    outputs = property(lambda self: self._outputs, doc="The symbolic outputs, as a list.")

    @functools.cached_property
    def operations(self) -> list[Operation]:
        """The operations of the graph, each once, in the order of `listed`."""
        return listed(self._inputs, self._outputs)

    def _make_plan(self) -> list[tuple[Any, Any, Any, Any]]:
        """(what to call, the slot or filler of its arguments, the slots of its results, the layer
        whose `call` alone will do where `__call__` has nothing new to see)."""
        slots = {id(x): i for i, x in enumerate(self._inputs)}
        for node in self._nodes:
            for x in node.output_tensors:
                slots.setdefault(id(x), len(slots))
        self._slots = slots
        self._n_slots = len(slots)
        plan = []
        for node in self._nodes:
            call = node.operation.function if isinstance(node.operation, OpCall) else node.operation
            outs = [slots[id(x)] for x in node.output_tensors]
            out = outs[0] if isinstance(node.outputs, KerasTensor) else outs
            args, kwargs = node.args, node.kwargs
            if len(args) == 1 and not kwargs and isinstance(args[0], KerasTensor):
                usual = (
                    isinstance(call, Layer)
                    and type(call).__call__ is Layer.__call__
                    and not call._training_default  # a true one holds for inner layers too
                )
                plan.append((call, slots[id(args[0])], out, call if usual else None))
            else:
                plan.append((call, _template(slots, args, kwargs), out, None))
        self._output_slots = [slots[id(x)] for x in self._outputs]
        self._single = isinstance(self._outputs_struct, KerasTensor)
        return plan

    def run(self, inputs: list[Any]) -> Any:
        """The outputs' structure for a flat list of input tensors."""
        outputs = self.again(inputs)
        if outputs is not None:
            return outputs
        values = inputs + [None] * (self._n_slots - len(inputs))
        for call, source, out, _ in self._plan:
            if type(source) is int:
                y = call(values[source])
            else:
                args, kwargs = source(values)
                y = call(*args, **kwargs)
            self._put(values, out, y)
        if local.here.depth:
            self._remember(inputs, values)
        return self._result(values)

    def again(self, inputs: list[Any]) -> Any:
        """`run` for tensors of kinds that every layer has seen, else `None`."""
        here = local.here
        if not self._seen or not here.depth or masking.in_use and masking.any_masked(inputs):
            return None
        try:
            if self._seen.get(_kind(here.active, inputs)) != _Call.generation:
                return None
        except (AttributeError, TypeError, ValueError):
            return None  # inputs left out; shapes with unknown sizes, which have no hash
        values = inputs + [None] * (self._n_slots - len(inputs))
        return self._run_straight(values, here.training)

    def _run_straight(self, values: list[Any], training: Any) -> Any:
        """`run` without what `Layer.__call__` does for inputs of a new kind."""
        for call, source, out, layer in self._plan:
            if layer is not None:
                x = values[source]
                y = layer.call(x, training=training) if layer._takes_training else layer.call(x)
            elif type(source) is int:
                y = call(values[source])
            else:
                args, kwargs = source(values)
                y = call(*args, **kwargs)
            if type(out) is int:
                values[out] = y
            else:
                self._put(values, out, y)
        return self._result(values)

    def _remember(self, inputs: list[Any], values: list[Any]) -> None:
        """Notes the kind of the inputs, if every layer has seen what it was called on."""
        if len(self._seen) >= 256 or masking.in_use and masking.any_masked(values):
            return
        active = backends.active
        try:
            if all(
                (active.name, values[source].shape, values[source].dtype) in layer._seen_shapes
                for _, source, _, layer in self._plan if layer is not None
            ):
                self._seen[_kind(active, inputs)] = _Call.generation
        except (AttributeError, TypeError, ValueError):
            pass

    def _put(self, values: list[Any], out: Any, y: Any) -> None:
        if type(out) is int:
            values[out] = y
        else:
            leaves = [x for x in tree.flatten(y) if x is not None]
            for slot, leaf in zip(out, leaves, strict=False):
                values[slot] = leaf

    def _result(self, values: list[Any]) -> Any:
        if self._single:
            return values[self._output_slots[0]]
        return tree.pack_sequence_as(
            self._outputs_struct, [values[i] for i in self._output_slots]
        )

    def __getstate__(self) -> dict[str, Any]:
        """The graph as a flat list of calls: followed from tensor to tensor it is too deep."""
        where = {id(x): _Place(0, i) for i, x in enumerate(self._inputs)}
        for n, node in enumerate(self._nodes, 1):
            for i, x in enumerate(node.output_tensors):
                where.setdefault(id(x), _Place(n, i))

        def placed(structure: Any) -> Any:
            return tree.map_structure(
                lambda x: where[id(x)] if isinstance(x, KerasTensor) else x, structure
            )

        heads = [x.node.operation if x.node is not None else None for x in self._inputs]
        return {
            "name": self.name,
            "inputs": [
                head if isinstance(head, InputLayer) else x
                for head, x in zip(heads, self._inputs, strict=True)
            ],
            "calls": [
                (node.operation, placed(node.args), placed(node.kwargs), node.outputs)
                for node in self._nodes
            ],
            "structures": (placed(self._inputs_struct), placed(self._outputs_struct)),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        starts = []
        for x in state["inputs"]:
            if isinstance(x, KerasTensor):  # a tensor from within another model
                x = InputLayer(input_tensor=x, name=x.name)
            starts.append(x.output)
        made = [starts]

        def filled(structure: Any) -> Any:
            return tree.map_structure(
                lambda x: made[x.call][x.index] if isinstance(x, _Place) else x, structure
            )

        for operation, args, kwargs, outputs in state["calls"]:
            node = Node(operation, filled(args), filled(kwargs), outputs)
            made.append(node.output_tensors)
        Function.__init__(self, *[filled(s) for s in state["structures"]], name=state["name"])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for those of the inputs, in the same structure."""
        given = tree.flatten(_map_shapes(KerasTensor, input_shape))
        inputs = [
            KerasTensor(x.shape, own.dtype) for x, own in zip(given, self._inputs, strict=True)
        ]
        outputs = self.compute_output_spec(tree.pack_sequence_as(self._inputs_struct, inputs))
        return tree.map_structure(lambda x: x.shape, outputs)

    def call(self, inputs: Any) -> Any:
        """The outputs for inputs in the structure of `inputs`."""
        convert = backends.active.convert
        flat = [x if isinstance(x, KerasTensor) else convert(x) for x in tree.flatten(inputs)]
        given, expected = ([tuple(x.shape) for x in xs] for xs in (flat, self._inputs))
        if len(given) != len(expected) or not all(map(_fits, given, expected)):
            raise ShapeError(
                f"{self.name} takes inputs of the shapes {expected}, got {given}."
            )
        return self.run(flat)


def _kind(active: Any, inputs: list[Any]) -> Any:
    """What a graph tells inputs apart by."""
    return (active.name, *[(x.shape, x.dtype) for x in inputs])


class _Place:
    """Where a tensor comes from: the number of the call (0: the inputs) and of its output."""

    __slots__ = ("call", "index")

    def __init__(self, call: int, index: int):
        self.call, self.index = call, index


def _template(slots: dict[int, int], args: Any, kwargs: Any) -> Callable[..., Any]:
    """A function that fills a call's tensor arguments from the slots."""
    leaves = tree.flatten((args, kwargs))
    where = [(i, slots[id(x)]) for i, x in enumerate(leaves) if isinstance(x, KerasTensor)]
    constants = [None if isinstance(x, KerasTensor) else x for x in leaves]
    simple = not kwargs and len(leaves) == len(args) and all(
        x is y for x, y in zip(leaves, args, strict=True)
    )

    def fill(values: list[Any]) -> Any:
        full = constants.copy()
        for i, slot in where:
            full[i] = values[slot]
        return (full, {}) if simple else tree.pack_sequence_as((args, kwargs), full)

    return fill
