"""What engines that run Python as it comes (NumPy and PyTorch) share: control flow, host calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from kerasish import backends, tree


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any]) -> Any:
    return true_fn() if bool(pred) else false_fn()


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def _tensors(structure: Any) -> Any:
    """Numbers as tensors, which the engines that trace loops give too."""
    convert = backends.active.convert
    return tree.map_structure(lambda x: None if x is None else convert(x), structure)


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any,
    maximum_iterations: int | None,
) -> Any:  # fmt: skip
    nested = isinstance(loop_vars, list | tuple)
    values = _tensors(tuple(loop_vars) if nested else (loop_vars,))
    step = 0
    while (maximum_iterations is None or step < maximum_iterations) and bool(cond(*values)):
        out = body(*values)
        values = tuple(out) if isinstance(out, list | tuple) else (out,)
        step += 1
    return type(loop_vars)(values) if nested else values[0]


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    value = _tensors(init_val)
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def scan(
    f: Callable[..., Any], init: Any, xs: Any, length: int | None, reverse: bool, unroll: Any
) -> tuple[Any, Any]:
    init, xs = _tensors(init), _tensors(xs)
    leaves = tree.flatten(xs)
    n = int(length) if length is not None else leaves[0].shape[0]
    unstack = backends.active.table["_unstack"]
    slices = [repeat(None) if leaf is None else unstack(leaf, n, 0) for leaf in leaves]
    steps = list(zip(range(n), *slices, strict=False))
    carry, outputs = init, [None] * n
    for i, *x in reversed(steps) if reverse else steps:
        carry, outputs[i] = f(carry, tree.pack_sequence_as(xs, x))
    if not outputs or all(leaf is None for leaf in tree.flatten(outputs[0])):
        return carry, None
    stack, convert = backends.active.table["stack"], backends.active.convert
    return carry, tree.map_structure(
        lambda *parts: None if parts[0] is None else stack([convert(p) for p in parts], 0),
        *outputs,
    )


def map(f: Callable[..., Any], xs: Any) -> Any:
    return scan(lambda carry, x: (carry, f(x)), None, xs, None, False, 1)[1]


def call_grad(grad_fn: Callable[..., Any], upstream: Sequence[Any]) -> Any:
    """Calls a custom gradient; `def grad(*args, upstream=None)` gets its gradient by keyword."""
    named = inspect.signature(grad_fn).parameters.get("upstream")
    if named is not None and named.kind is named.KEYWORD_ONLY:
        return grad_fn(upstream=upstream[0] if len(upstream) == 1 else tuple(upstream))
    return grad_fn(*upstream)


def strings(x: np.ndarray) -> np.ndarray:
    """An array of strings in the form that compiled functions take: here, as it is."""
    return x


def host_call(
    fn: Callable[..., Any], inputs: Sequence[Any], shape: Sequence[int | None], dtype: str
) -> Any:
    """`fn` of NumPy arrays, as one of the engine's tensors."""
    return backends.active.convert(fn(*inputs), dtype)
