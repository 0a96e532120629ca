"""NumPy: state, conversion, gradients, compilation and control flow."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kerasish import backends, tree
from kerasish.backends import state
from kerasish.backends.eager import (
    call_grad,
    cond,
    fori_loop,
    host_call,
    map,
    scan,
    strings,
    switch,
    while_loop,
)
from kerasish.backends.numpy import rules as rules
from kerasish.backends.numpy.sparse import is_sparse, sparse, sparse_parts
from kerasish.backends.numpy.tape import (
    Node,
    Shares,
    Tape,
    Traced,
    _lower,
    _wrap,
    apply,
    astype,
    strip,
)
from kerasish.backends.sparse import host_entries
from kerasish.dtypes import host_array, numpy_dtype
from kerasish.errors import BackendError

NATIVE = (
    np.ndarray, Traced, np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16,
    np.uint32, np.uint64, np.float16, np.float32, np.float64, np.complex64, np.complex128,
)  # fmt: skip
native_dtype = numpy_dtype
WIDE = frozenset((
    "celu", "gelu", "hard_sigmoid", "hard_silu", "selu", "soft_shrink", "softsign", "sparse_plus",
    "sparse_sigmoid", "sparsemax", "squareplus",
))  # fmt: skip
"""Bodies with Python's numbers in them, which make float32 of ml_dtypes' bfloat16."""
vectorized_map = map
__all__ = [
    "cond", "fori_loop", "host_call", "map", "scan", "strings", "switch", "while_loop",
]  # fmt: skip


def is_tensor(x: Any) -> bool:
    return isinstance(x, np.ndarray | np.generic | Traced)


_names: dict[np.dtype, str] = {}


def dtype_of(x: Any) -> str:
    # np.dtype.name puts the name together anew each time.
    dtype = x.dtype
    try:
        return _names[dtype]
    except KeyError:
        return _names.setdefault(dtype, dtype.name)


FLOAT_DTYPES = frozenset(np.dtype(n) for n in ("float16", "float32", "float64"))


def scalar(value: Any, dtype: str) -> Any:
    if isinstance(value, complex):
        return np.asarray(value).astype(dtype)[()]
    return _scalar(value, dtype, type(value), math.copysign(1.0, value) if value == 0 else 0.0)


@functools.lru_cache(maxsize=4096)
def _scalar(value: Any, dtype: str, kind: type, sign: float) -> Any:
    return np.asarray(value).astype(numpy_dtype(dtype))[()]


def explainable(error: Exception) -> bool:
    return isinstance(error, ValueError | TypeError | IndexError | ZeroDivisionError)


def convert(x: Any, dtype: str | None = None) -> Any:
    if is_tensor(x):
        return x if dtype is None else cast(x, dtype)
    if hasattr(x, "shape"):
        if not is_sparse(x) and (entries := host_entries(x)) is not None:
            x = sparse(*entries)
        if is_sparse(x):
            return x if dtype is None else cast(x, dtype)
        x = backends.to_host(x)
    return host_array(x, dtype)


def cast(x: Any, dtype: str) -> Any:
    target = numpy_dtype(dtype)
    if x.dtype == target:
        return x
    if type(x) is Traced:
        return apply(astype, (x, target), {})
    if is_sparse(x):
        indices, values = sparse_parts(x)
        return sparse(indices, cast(values, dtype), x.shape)
    if x.dtype.kind == "c" and target.kind != "c":
        x = x.real
    if x.dtype.kind in "OSUMm":
        host_array(x)  # tells why not
    return x.astype(target)


def to_host(x: Any) -> np.ndarray:
    return np.asarray(x.toarray() if is_sparse(x) else strip(x))


def from_host(x: np.ndarray) -> np.ndarray:
    return x


def stop_gradient(variable: Any) -> Any:
    return strip(variable)


def variable(value: np.ndarray, dtype: str, trainable: bool, owner: Any = None) -> np.ndarray:
    # C order and own memory: assignments write into it.
    return np.array(value, numpy_dtype(dtype), order="C")


def assign(held: np.ndarray, value: Any) -> np.ndarray:
    np.copyto(held, strip(value), casting="unsafe")
    return held


def increase(held: np.ndarray, value: Any) -> np.ndarray:
    return np.add(held, strip(value), out=held)


def block_until_ready(x: Any) -> Any:
    return x


@contextlib.contextmanager
def device_scope(name: str) -> Iterator[None]:
    if not name.startswith("cpu"):
        raise BackendError(
            f"The numpy backend computes on the CPU only, got device {name!r}. "
            "For a GPU use keras.config.set_backend('torch'), 'jax' or 'tensorflow'."
        )
    yield


def devices(kind: str | None = None) -> list[str]:
    return ["cpu:0"] if kind in (None, "cpu") else []


inference = contextlib.nullcontext


def value_and_grad(
    fn: Callable[..., Any], variables: Sequence[Any], args: Sequence[Any] = ()
) -> tuple[tuple[Any, Any], list[Any]]:
    """((value, aux), gradients) of `fn(*args) -> (value, aux)`."""
    with Tape() as tape:
        leaves = [tape.watch(v.value) for v in variables]
        inputs = [tape.watch(convert(x)) for x in args]
        with state.Frame(zip(variables, leaves, strict=True)) as frame:
            value, aux = fn(*inputs)
        grads = tape.gradients(value, leaves + inputs)
        value, aux = tape.plain(value), _plain(tape, aux)
        state.commit({v: tape.plain(x) for v, x in frame.changes.items()})
    return (value, aux), grads


def _plain(tape: Tape, structure: Any) -> Any:
    if type(structure) is tuple:  # the usual ones, without optree's way of walking
        return tuple([_plain(tape, x) for x in structure])
    if type(structure) in (Traced, np.ndarray):
        return tape.plain(structure)
    return {} if structure == {} else tree.map_structure(tape.plain, structure)


def compile(
    fn: Callable[..., Any], variables: Sequence[Any] | None = None, **_: Any
) -> Callable[..., Any]:
    """There is nothing to compile: the function itself."""
    return fn


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f(*args)` returns `(value, grad_fn)`; `grad_fn(*upstream)` gives a gradient per argument."""

    def wrapper(*args: Any) -> Any:
        level = max((x.level for x in args if type(x) is Traced), default=0)
        if not level:
            ans = f(*args)[0]
            return tuple(map(strip, ans)) if type(ans) is tuple else strip(ans)
        plain = [x.value if type(x) is Traced and x.level == level else x for x in args]
        ans, grad_fn = f(*plain)
        if any(type(x) is Traced for x in plain):
            ans = wrapper(*plain)  # its own gradient at all levels
        ans = _lower(ans, level)  # variables that `f` reads get no gradient
        which = [i for i, x in enumerate(args) if type(x) is Traced and x.level == level]

        def pull(g: Any) -> list[Any]:
            upstream = [g]
            if type(g) is Shares:
                upstream = [
                    np.zeros(part.shape, part.dtype) if share is None else share
                    for share, part in zip(g, ans, strict=True)
                ]
            grads = call_grad(grad_fn, upstream)
            grads = grads if isinstance(grads, list | tuple) else (grads,)
            return [grads[i] for i in which]

        return _wrap(ans, Node([args[i].node for i in which], pull), level)

    return wrapper


def eval_shape(fn: Callable[..., Any], specs: Sequence[Any]) -> Any:
    """Runs `fn` on zero-strided arrays: nothing of their size is allocated for the inputs."""
    return fn(*tree.map_structure(
        lambda s: np.broadcast_to(np.zeros((), numpy_dtype(s.dtype)), s.shape), list(specs)
    ))
