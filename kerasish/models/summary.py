"""The table of a model's layers, for terminals and notebooks."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish import dtypes, tree
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument

_HEADER = ("Layer (type)", "Output Shape", "Param #", "Connected to", "Trainable")


def _count(variables: Any) -> int:
    return sum(int(np.prod(v.shape, dtype=np.int64)) for v in variables)


def _bytes(variables: Any) -> float:
    return float(sum(
        int(np.prod(v.shape, dtype=np.int64)) * _itemsize(v.dtype) for v in variables
    ))


def _itemsize(dtype: str) -> float:
    return 0.5 if dtype in dtypes.SUB_BYTE else dtypes.numpy_dtype(dtype).itemsize


def readable(size: float) -> str:
    """A number of bytes with a unit: `12.00 KB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.2f} {unit}"
        size /= 1024
    return ""


def _shape(layer: Any) -> str:
    nodes = [n for n in layer._inbound_nodes if n.output_tensors]
    if nodes:
        outputs = nodes[0].outputs
        if isinstance(outputs, KerasTensor):
            return str(outputs.shape)
        return ", ".join(str(x.shape) for x in tree.flatten(outputs) if isinstance(x, KerasTensor))
    shapes = getattr(layer, "_build_shapes", None)
    if layer.built and shapes:
        try:
            return str(layer.compute_output_shape(*shapes.values()))
        except Exception:  # a description never fails because a layer cannot tell its shape
            return "?"
    return "?"


def _connections(layer: Any, inside: set[int]) -> str:
    names = []
    for node in layer._inbound_nodes:
        if id(node) in inside:
            names += [f"{x.node.operation.name}[{x.node.position}][{x.index}]"
                      for x in node.input_tensors if x.node is not None]
    return ", ".join(names)


def _rows(model: Any, expand_nested: bool, layer_range: Any) -> tuple[list[Any], bool]:
    layers = list(model.layers)
    if model._graph is not None and type(model).__name__ != "Sequential":
        layers = list(model._function.operations)
    connected = model._graph is not None and type(model).__name__ != "Sequential" and (
        len(model.outputs) > 1 or any(
            len(n.input_tensors) > 1 or len([
                m for m in model._function._nodes
                if any(x.node is n for x in m.input_tensors)
            ]) > 1
            for n in model._function._nodes
        )
    )
    inside = {id(n) for n in model._function._nodes} if model._graph is not None else set()
    if layer_range is not None:
        if len(layer_range) != 2:
            raise InvalidArgument("layer_range is a pair of layer names (or patterns).")
        found = [
            [i for i, layer in enumerate(layers) if re.match(pattern, layer.name)]
            for pattern in layer_range
        ]
        if not found[0] or not found[1]:
            raise InvalidArgument(
                f"layer_range {layer_range} matches no layers among {[x.name for x in layers]}."
            )
        layers = layers[min(found[0]) : max(found[1]) + 1]
    rows = []

    def add(layer: Any, depth: int) -> None:
        weights = getattr(layer, "weights", [])
        count = f"{_count(weights):,}" if getattr(layer, "built", True) else "0 (unbuilt)"
        kind = type(layer).__name__
        if kind == "OpCall":
            kind = "".join(p.capitalize() for p in layer.function.op_name.split("_"))
        trainable = ("Y" if layer.trainable else "N") if weights else "-"
        rows.append((
            "  " * depth + f"{layer.name} ({kind})", _shape(layer), count,
            _connections(layer, inside) or "-", trainable,
        ))
        if expand_nested and hasattr(layer, "summary"):
            for inner in layer.layers:
                add(inner, depth + 1)

    for layer in layers:
        add(layer, 0)
    return rows, connected


def _totals(model: Any) -> list[str]:
    weights = model.weights
    trainable = model.trainable_weights
    frozen = [v for v in weights if not any(v is t for t in trainable)]
    lines = []
    extra = []
    if model.compiled and model.optimizer is not None and model.optimizer.built:
        extra = list(model.optimizer.variables)
    for name, group in (
        ("Total", [*weights, *extra]), ("Trainable", trainable), ("Non-trainable", frozen),
    ):
        lines.append(f" {name} params: {_count(group):,} ({readable(_bytes(group))})")
    if extra:
        lines.append(f" Optimizer params: {_count(extra):,} ({readable(_bytes(extra))})")
    return lines


def _table(model: Any, expand_nested: bool, show_trainable: bool, layer_range: Any) -> Any:
    rows, connected = _rows(model, expand_nested, layer_range)
    columns = [0, 1, 2] + ([3] if connected else []) + ([4] if show_trainable else [])
    return [[row[c] for c in columns] for row in rows], [_HEADER[c] for c in columns]


def print_summary(
    model: Any, line_length: int | None = None, positions: Any = None,
    print_fn: Callable[..., Any] | None = None, expand_nested: bool = False,
    show_trainable: bool = False, layer_range: Any = None,
) -> None:  # fmt: skip
    """Prints the table; `print_fn` gets the whole text."""
    rows, header = _table(model, expand_nested, show_trainable, layer_range)
    limit = line_length or max(shutil.get_terminal_size((100, 24)).columns, 80)
    widths = [max(len(r[i]) for r in [header, *rows]) for i in range(len(header))]
    spare = limit - 3 * len(widths) - 1
    while sum(widths) > spare and max(widths) > 12:
        widths[widths.index(max(widths))] -= 1

    def line(left: str, fill: str, cross: str, right: str) -> str:
        return left + cross.join(fill * (w + 2) for w in widths) + right

    def cells(values: list[str], numbers: int = 2) -> str:
        parts = []
        for i, (value, width) in enumerate(zip(values, widths, strict=True)):
            text = value if len(value) <= width else value[: width - 1] + "…"
            parts.append(f" {text:>{width}} " if i == numbers else f" {text:<{width}} ")
        return "│" + "│".join(parts) + "│"

    lines = [f'Model: "{model.name}"', line("┏", "━", "┳", "┓"),
             cells(header).replace("│", "┃"), line("┡", "━", "╇", "┩")]
    for i, row in enumerate(rows):
        lines.append(cells(row))
        if i < len(rows) - 1:
            lines.append(line("├", "─", "┼", "┤"))
    lines += [line("└", "─", "┴", "┘"), *_totals(model)]
    text = "\n".join(lines)
    if print_fn is None:
        print(text)
        return
    try:
        print_fn(text, line_break=False)
    except TypeError:
        print_fn(text)


def html_summary(model: Any) -> str:
    """The table for a notebook: plain HTML, nothing to install."""
    rows, header = _table(model, False, False, None)
    def line(kind: str, cells: Any) -> str:
        return "".join(f"<{kind} style='text-align:left'>{html.escape(c)}</{kind}>" for c in cells)

    head = line("th", header)
    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    totals = "<br>".join(html.escape(t.strip()) for t in _totals(model))
    return (
        f"<b>{html.escape(type(model).__name__)} {html.escape(model.name)!r}</b>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><small>{totals}</small>"
    )
