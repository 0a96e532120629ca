"""Pictures of models: their graphs in the DOT language, drawn by Graphviz."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from typing import Any

from kerasish.errors import BackendMissing, InvalidArgument, NotBuilt


def get_source_inputs(tensor: Any) -> list[Any]:
    """The symbolic inputs that a symbolic tensor was computed from.

    Args:
        tensor: a `KerasTensor`.

    >>> import kerasish as keras
    >>> x = keras.Input((3,), name="x")
    >>> [t.name for t in keras.utils.get_source_inputs(keras.layers.Dense(2)(x))]
    ['x']
    """
    found: dict[int, Any] = {}
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        x = stack.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if x.node is None or x.node.is_input:
            found[id(x)] = x
        else:
            stack.extend(reversed(x.node.input_tensors))
    return list(found.values())


class Dot:
    """A graph in the DOT language."""

    def __init__(self, lines: list[str], subgraph: bool = False):
        self.lines = lines
        self.subgraph = subgraph

    def to_string(self) -> str:
        """The text that Graphviz reads."""
        return "\n".join(self.lines) + "\n"

    def create(self, format: str = "png") -> bytes:
        """The picture, by Graphviz' program `dot`."""
        program = shutil.which("dot")
        if program is None:
            raise BackendMissing(
                "Drawing a model needs Graphviz, whose program `dot` is not here: install "
                "graphviz, or write the text with plot_model(model, 'model.dot')."
            )
        done = subprocess.run(
            [program, f"-T{format}"], input=self.to_string().encode(), capture_output=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise InvalidArgument(f"dot failed: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def write(self, path: Any, format: str = "png") -> None:
        """Writes the picture, or the text for the formats `"dot"` and `"gv"`."""
        text = format in ("dot", "gv", "raw")
        content = self.to_string().encode() if text else self.create(format)
        pathlib.Path(path).write_bytes(content)

    def _repr_svg_(self) -> str | None:
        return self.create("svg").decode() if shutil.which("dot") else None


def model_to_dot(
    model: Any, show_shapes: bool = False, show_dtype: bool = False,
    show_layer_names: bool = True, rankdir: str = "TB", expand_nested: bool = False,
    dpi: int = 200, subgraph: bool = False, show_layer_activations: bool = False,
    show_trainable: bool = False, splines: str = "ortho", **kwargs: Any,
) -> Dot:  # fmt: skip
    """The graph of a model in the DOT language.

    Args:
        model: a model; one that is not made of a graph of layers is a single box.
        show_shapes: tell the shapes of inputs and outputs.
        show_dtype: tell the dtypes of outputs.
        show_layer_names: tell the names of layers, not only their classes.
        rankdir: `"TB"` from top to bottom, `"LR"` from left to right.
        expand_nested: draw the layers of models inside of the model.
        dpi: dots per inch.
        subgraph: make a part of a graph, to put into another.
        show_layer_activations: tell activation functions.
        show_trainable: tell whether layers are trainable.
        splines: how edges are drawn: `"ortho"`, `"curved"`, `"polyline"`, ...

    Returns:
        An object with `to_string()`, `write(path, format)` and `create(format)`.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    >>> "dense (Dense)" in keras.utils.model_to_dot(model).to_string()
    True
    """
    if kwargs:
        raise InvalidArgument(f"model_to_dot has no arguments {sorted(kwargs)}.")
    if not model.built:
        raise NotBuilt(f"Model {model.name!r} has no graph yet: build it, or call it on data.")
    lines: list[str] = []

    def label(layer: Any, node: Any) -> str:
        called = getattr(layer, "function", None)  # an op, in place of a layer
        kind = getattr(called, "op_name", None) or type(layer).__name__
        rows = [f"{layer.name} ({kind})" if show_layer_names else kind]
        activation = getattr(layer, "activation", None)
        if show_layer_activations and activation is not None:
            name = getattr(activation, "__name__", type(activation).__name__)
            rows.append(f"Activation: {name}")
        outputs = [] if node is None else node.output_tensors
        if show_shapes:
            if node is not None and node.input_tensors:
                rows.append(f"Input shape: {_told(t.shape for t in node.input_tensors)}")
            rows.append(f"Output shape: {_told(t.shape for t in outputs) or '?'}")
        if show_dtype:
            rows.append(f"Output dtype: {_told(t.dtype for t in outputs) or '?'}")
        if show_trainable and hasattr(layer, "trainable"):
            rows.append("Trainable" if layer.trainable else "Not trainable")
        return "\\n".join(rows).replace('"', '\\"')

    def box(key: str, layer: Any, node: Any, indent: str) -> None:
        lines.append(f'{indent}"{key}" [label="{label(layer, node)}"];')

    def draw(part: Any, prefix: str, indent: str) -> tuple[list[str], list[str]]:
        """Draws a graph; the keys of its inputs and outputs."""
        function = part._function
        made: dict[int, str] = {}
        for x in function.inputs:
            key = f"{prefix}{x.node.operation.name}"
            box(key, x.node.operation, x.node, indent)
            made[id(x)] = key
        for number, node in enumerate(function._nodes):
            layer = node.operation
            sources = [made[id(x)] for x in node.input_tensors]
            if expand_nested and getattr(layer, "_graph", None) is not None:
                name = f"{prefix}{layer.name}.{number}"
                lines.append(f'{indent}subgraph "cluster_{name}" {{')
                lines.append(f'{indent}  label="{layer.name}"; style=dashed;')
                firsts, lasts = draw(layer, f"{name}/", indent + "  ")
                lines.append(f"{indent}}}")
                for source, key in zip(sources, firsts, strict=False):
                    lines.append(f'{indent}"{source}" -> "{key}";')
                for x, key in zip(node.output_tensors, lasts, strict=False):
                    made[id(x)] = key
                continue
            key = f"{prefix}{layer.name}.{number}"
            box(key, layer, node, indent)
            lines.extend(f'{indent}"{source}" -> "{key}";' for source in sources)
            for x in node.output_tensors:
                made[id(x)] = key
        return [made[id(x)] for x in function.inputs], [made[id(x)] for x in function.outputs]

    if getattr(model, "_graph", None) is not None:
        draw(model, "", "  ")
    else:
        box(model.name, model, None, "  ")
    head = (
        [f'subgraph "cluster_{model.name}" {{', f'  label="{model.name}"; style=dashed;']
        if subgraph else
        [f'digraph "{model.name}" {{', f"  rankdir={rankdir}; dpi={dpi}; splines={splines};",
         "  concentrate=true;"]
    )  # fmt: skip
    return Dot([*head, "  node [shape=box];", *lines, "}"], subgraph)


def _told(values: Any) -> str:
    return ", ".join(str(v) for v in values)


def plot_model(
    model: Any, to_file: Any = "model.png", show_shapes: bool = False, show_dtype: bool = False,
    show_layer_names: bool = False, rankdir: str = "TB", expand_nested: bool = False,
    dpi: int = 200, show_layer_activations: bool = False, show_trainable: bool = False,
    splines: str = "ortho", **kwargs: Any,
) -> Any:  # fmt: skip
    """Draws the graph of a model into a file.

    Args:
        model: the model.
        to_file: the path; its ending tells the format. `.dot` and `.gv` need no Graphviz.

    The others are those of `model_to_dot`.

    Returns:
        The graph, which notebooks show as a picture where Graphviz is.

    >>> import os, tempfile
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dot = keras.utils.plot_model(model, os.path.join(folder, "model.dot"), show_shapes=True)
    >>> "Output shape: (None, 2)" in dot.to_string()
    True
    """
    dot = model_to_dot(
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi,
        show_layer_activations=show_layer_activations, show_trainable=show_trainable,
        splines=splines, **kwargs,
    )  # fmt: skip
    path = pathlib.Path(to_file)
    dot.write(path, path.suffix.lstrip(".").lower() or "png")
    return dot

