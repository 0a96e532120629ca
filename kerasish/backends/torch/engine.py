"""PyTorch: state, conversion, gradients, compilation and control flow."""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from kerasish import backends, dtypes, tree
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
from kerasish.backends.sparse import host_entries
from kerasish.backends.state import holding, local
from kerasish.errors import BackendError

__all__ = [
    "cond", "fori_loop", "host_call", "map", "scan", "strings", "switch", "while_loop",
]  # fmt: skip

NATIVE = (torch.Tensor, torch.nn.Parameter)
_DTYPES = {
    name: getattr(torch, name)
    for name in dtypes.ALLOWED - {"string", "int4", "uint4"}
    if hasattr(torch, name)
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
WIDE = frozenset(("cdist", "_resize"))
is_tensor = torch.is_tensor


def _default_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


class _Here(threading.local):
    """What each thread is in the middle of."""

    device = _default_device()
    """Where new tensors go: the GPU when torch sees one."""
    depth = 0
    """How many gradients are being recorded; inner ones must stay differentiable."""
    mapping = 0
    """How many `vectorized_map`s are running."""


_here = _Here()


def device() -> torch.device:
    """Where new tensors go: the GPU when torch sees one."""
    return _here.device


def device_scope(name: str) -> contextlib.AbstractContextManager[None]:
    target = torch.device(name.replace("gpu", "cuda") if name.startswith("gpu") else name)
    if target.type not in ("cpu", "meta") and target.type != _default_device().type:
        raise BackendError(
            f"torch sees no device {name!r} here. Devices: {devices()}."
        )
    return holding(_here, "device", target)


def devices(kind: str | None = None) -> list[str]:
    found = [f"gpu:{i}" for i in range(torch.cuda.device_count())] + ["cpu:0"]
    return [d for d in found if kind is None or d.startswith(kind)]


def native_dtype(name: str) -> torch.dtype:
    try:
        return _DTYPES[name]
    except KeyError:
        raise BackendError(
            f"torch has no dtype {name!r}. Cast to one of {sorted(_DTYPES)} first."
        ) from None


def dtype_of(x: Any) -> str:
    return _NAMES[x.dtype]

FLOAT_DTYPES = frozenset(_DTYPES[n] for n in dtypes.FLOATS)


@functools.lru_cache(maxsize=1024)
def _scalar(value: Any, dtype: str, device: torch.device, kind: type) -> torch.Tensor:
    if dtype == "uint64":  # which torch makes of integers alone
        value = int(value)
    return torch.tensor(value, dtype=_DTYPES[dtype], device=device)


def scalar(value: Any, dtype: str) -> torch.Tensor:
    return _scalar(value, dtype, _here.device, type(value))


def explainable(error: Exception) -> bool:
    return isinstance(error, ValueError | TypeError | IndexError | RuntimeError) and not isinstance(
        error, torch.OutOfMemoryError | RecursionError
    )


def convert(x: Any, dtype: str | None = None) -> torch.Tensor:
    if type(x) is np.ndarray and dtype is None and x.dtype.kind in "fiu":
        return from_host(x)
    if isinstance(x, torch.Tensor):
        if x.device != (device := _here.device) and x.device.type != "meta":
            x = x.to(device)
        return x if dtype is None else cast(x, dtype)
    if type(x) in (list, tuple) and any(isinstance(leaf, torch.Tensor) for leaf in x):
        x = torch.stack([convert(leaf) for leaf in x])
        return x if dtype is None else cast(x, dtype)
    if type(x) in (bool, int, float):
        name = dtype or dtypes.standardize(type(x))
        if type(x) is int and dtype is None and not -(2**31) <= x < 2**31:
            name = "int64"
        if name == "uint64":
            x = int(x)
        return torch.tensor(x, dtype=_DTYPES[name], device=_here.device)
    if (entries := host_entries(x)) is not None:
        indices, values, shape = entries
        x = torch.sparse_coo_tensor(
            from_host(np.ascontiguousarray(indices.T)), from_host(values), shape,
            check_invariants=False, is_coalesced=True,
        )
        return x if dtype is None else cast(x, dtype)
    return from_host(dtypes.host_array(x, dtype))


def cast(x: torch.Tensor, dtype: str) -> torch.Tensor:
    if x.dtype is _DTYPES.get(dtype):
        return x
    target = native_dtype(dtype)
    if x.is_complex() and not target.is_complex:
        x = x.real
    return x.to(target)


def to_host(x: Any) -> np.ndarray:
    x = x.detach()
    if x.is_sparse or x.layout != torch.strided:
        x = x.to_dense()
    if x.dtype is torch.bfloat16:
        return x.cpu().contiguous().view(torch.int16).numpy().view(dtypes.numpy_dtype("bfloat16"))
    if x.dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        raw = x.cpu().contiguous().view(torch.uint8).numpy()
        return raw.view(dtypes.numpy_dtype(_NAMES[x.dtype]))
    return x.cpu().resolve_conj().resolve_neg().numpy()


def from_host(x: np.ndarray) -> torch.Tensor:
    if x.dtype.char not in _READABLE:
        name = x.dtype.name
        integers = x.copy(order="C").view(f"uint{x.dtype.itemsize * 8}")
        return torch.from_numpy(integers.view(f"int{x.dtype.itemsize * 8}")).view(
            _DTYPES[name]
        ).to(_here.device)
    if not x.flags.writeable or min(x.strides, default=0) < 0:
        x = x.copy()
    tensor = torch.from_numpy(x)
    return tensor if (device := _here.device).type == "cpu" else tensor.to(device)


_READABLE = frozenset("?bhilqBHILQefdFD")
"""The type characters of NumPy's dtypes that torch has as well."""


def stop_gradient(variable: Any) -> Any:
    return variable.detach()


def variable(value: np.ndarray, dtype: str, trainable: bool, owner: Any = None) -> torch.Tensor:
    kernel = value.ndim >= 4  # of a convolution: fastest where each filter lies in one piece
    value = np.moveaxis(value, -1, 0) if kernel else value
    # It may be met first inside a transform of torch.func or inference_mode, and outlives them.
    with torch.inference_mode(False), torch._C._DisableFuncTorch():
        held = from_host(np.array(value, dtypes.numpy_dtype(dtype), order="C"))
        held = held.movedim(0, -1) if kernel else held
        # A leaf that asks for gradients, so that a user's own loss.backward() finds it.
        held.requires_grad = trainable and (held.is_floating_point() or held.is_complex())
    return held


def set_trainable(held: torch.Tensor, trainable: bool) -> None:
    if held.is_leaf and (held.is_floating_point() or held.is_complex()):
        held.requires_grad_(trainable)


def assign(held: torch.Tensor, value: Any) -> torch.Tensor:
    if _here.depth and not held.requires_grad:
        # What is recorded may still need the value of before: a state that was read.
        return value.detach().clone()
    with torch.no_grad():
        held.copy_(value)
    return held


def increase(held: torch.Tensor, value: Any) -> torch.Tensor:
    value = value.detach() if isinstance(value, torch.Tensor) else value
    if held.requires_grad or _here.depth:
        return assign(held, held.detach() + value)
    return held.add_(value)


def block_until_ready(x: Any) -> Any:
    if _here.device.type == "cuda":
        torch.cuda.synchronize()
    return x


inference = torch.no_grad
set_grad_enabled = torch._C._set_grad_enabled
"""What `torch.no_grad` and its like call, after a few calls of Python."""


def values(variables: Sequence[Any]) -> list[torch.Tensor]:
    """The tensors of variables as they are kept, whatever dtype layers read them in."""
    active = local.here.active
    return [v._value if v._home is active else active.adopt(v) for v in variables]


def value_and_grad(
    fn: Callable[..., Any], variables: Sequence[Any], args: Sequence[Any] = ()
) -> tuple[tuple[Any, Any], list[Any]]:
    """((value, aux), gradients) of `fn(*args) -> (value, aux)`."""
    depth, before = _here.depth, torch.is_grad_enabled()
    try:
        _here.depth = depth + 1
        set_grad_enabled(True)
        leaves = values(variables)
        frozen = [i for i, leaf in enumerate(leaves) if not leaf.requires_grad]
        for i in frozen:
            leaves[i] = leaves[i].detach().requires_grad_()
        inputs = [convert(x) for x in args]
        inputs = [x if x.requires_grad else x.detach().requires_grad_() for x in inputs]
        if frozen:
            with state.Frame([(variables[i], leaves[i]) for i in frozen]) as frame:
                value, aux = fn(*inputs)
            state.commit({v: x.detach() for v, x in frame.changes.items()})
        else:
            value, aux = fn(*inputs)
    finally:
        _here.depth = depth
        set_grad_enabled(before)
    grads = _gradients(value, leaves + inputs, depth > 0)
    if depth == 0:
        value = value.detach()
        aux = _detached(aux)
    return (value, aux), grads


def _gradients(value: Any, wrt: list[Any], create_graph: bool) -> list[Any]:
    if not wrt or not value.requires_grad:
        return [torch.zeros_like(x) for x in wrt]
    if create_graph or value.ndim or value.dtype not in FLOAT_DTYPES:
        found = torch.autograd.grad(value, wrt, create_graph=create_graph, allow_unused=True)
    else:  # the same without its many checks, which take as long as a small layer
        found = torch.autograd.Variable._execution_engine.run_backward(
            (value,), (torch.ones_like(value),), False, False, tuple(wrt), True,
            accumulate_grad=False,
        )  # fmt: skip
    # What is flat gives torch's stand-in for zeros, which NumPy and some kernels cannot read.
    return [
        torch.zeros_like(x) if g is None or g._is_zerotensor() else g
        for x, g in zip(wrt, found, strict=True)
    ]


def _detached(x: Any) -> Any:
    if x is None:
        return None
    if isinstance(x, torch.Tensor):
        return x.detach()
    if type(x) is tuple:
        return tuple([_detached(y) for y in x])
    return tree.map_structure(_detached, x) if tree.is_nested(x) else x


def compile(
    fn: Callable[..., Any], variables: Sequence[Any] | None = None, **_: Any
) -> Callable[..., Any]:
    """Eager: measured, torch.compile costs most models more than it gives on a CPU."""
    return fn


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f(*args)` returns `(value, grad_fn)`; `grad_fn(*upstream)` gives a gradient per argument."""

    def detached(args: Sequence[Any]) -> Any:
        return f(*[a.detach() if isinstance(a, torch.Tensor) else a for a in args])

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *args: Any) -> Any:
            ctx.save_for_backward(*args)
            value, ctx.grad_fn = detached(args)
            return value

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            if torch.is_grad_enabled():  # to be differentiated again, by the arguments too
                return call_grad(f(*ctx.saved_tensors)[1], upstream)
            return call_grad(ctx.grad_fn, upstream)

    class Mapped(torch.autograd.Function):
        """The form that `torch.vmap` takes: nothing but tensors goes from forward to backward."""

        generate_vmap_rule = True

        @staticmethod
        def forward(*args: Any) -> Any:
            return detached(args)[0]

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            return call_grad(f(*ctx.saved_tensors)[1], upstream)

    return lambda *args: (Mapped if _here.mapping else Custom).apply(*args)


def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    elements = tree.map_structure(convert, elements)
    with holding(_here, "mapping", _here.mapping + 1):
        return torch.vmap(function, randomness="different")(elements)


def eval_shape(fn: Callable[..., Any], specs: Sequence[Any]) -> Any:
    """Runs `fn` on torch's meta device, where tensors have shapes and no memory."""
    meta = copy.copy(backends.active)  # variables are at home elsewhere, so it adopts each
    meta.adopt = lambda v: torch.empty(v.shape, dtype=native_dtype(v.dtype), device="meta")
    with torch.no_grad(), device_scope("meta"), torch.device("meta"), backends.using(meta):
        return fn(*tree.map_structure(
            lambda s: torch.empty(s.shape, dtype=native_dtype(s.dtype), device="meta"),
            list(specs),
        ))
