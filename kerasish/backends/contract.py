"""What an adapter is made of, as types. CONTRIBUTING.md tells how to write one.

An adapter is a package with modules named by area (`backends.AREAS`). Its `engine` module has the
functions of `Engine` below. Every other module-level function whose name is an op's is this
adapter's form of that op: same parameters in the same order, always all passed, tensors of this
engine already converted and promoted. It must define the primitives (ops with an empty body,
listed by `primitives()`); anything else it may leave to the op's body.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np

Tensor = Any
"""An array of the engine."""
State = Sequence[Any] | Callable[[], Sequence[Any]] | None
"""Variables, or a function that gives those there are by now."""


@runtime_checkable
class Engine(Protocol):
    """The functions of an adapter's `engine` module."""

    # Arrays -------------------------------------------------------------------------------------
    FLOAT_DTYPES: frozenset[Any]

    def is_tensor(self, x: Any) -> bool: ...
    def dtype_of(self, x: Tensor) -> str: ...
    def native_dtype(self, name: str) -> Any: ...
    def convert(self, x: Any, dtype: str | None = None) -> Tensor: ...
    def cast(self, x: Tensor, dtype: str) -> Tensor: ...
    def scalar(self, value: Any, dtype: str) -> Any: ...
    def to_host(self, x: Tensor) -> np.ndarray: ...
    def from_host(self, x: np.ndarray) -> Tensor: ...
    def block_until_ready(self, x: Any) -> Any: ...
    def explainable(self, error: Exception) -> bool: ...

    # The host -----------------------------------------------------------------------------------
    def strings(self, x: np.ndarray) -> Any: ...
    def host_call(
        self, fn: Callable[..., Any], inputs: Sequence[Any], shape: Sequence[int | None],
        dtype: str,
    ) -> Tensor: ...

    # Devices ------------------------------------------------------------------------------------
    def device_scope(self, name: str) -> AbstractContextManager[None]: ...
    def devices(self, kind: str | None = None) -> list[str]: ...

    # State --------------------------------------------------------------------------------------
    def variable(
        self, value: np.ndarray, dtype: str, trainable: bool, owner: Any = None
    ) -> Tensor: ...
    def assign(self, held: Tensor, value: Tensor) -> Tensor: ...
    def increase(self, held: Tensor, value: Tensor | float) -> Tensor: ...

    # The trainer --------------------------------------------------------------------------------
    def value_and_grad(
        self, fn: Callable[..., Any], variables: Sequence[Any], args: Sequence[Any] = ()
    ) -> tuple[tuple[Any, Any], list[Any]]: ...
    def compile(
        self, fn: Callable[..., Any], variables: State = None, **options: Any
    ) -> Callable[..., Any]: ...
    def inference(self) -> AbstractContextManager[Any]: ...
    def eval_shape(self, fn: Callable[..., Any], specs: Sequence[Any]) -> Any: ...

    # Control flow -------------------------------------------------------------------------------
    def stop_gradient(self, variable: Tensor) -> Tensor: ...
    def custom_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]: ...
    def cond(self, pred: Any, true_fn: Any, false_fn: Any) -> Any: ...
    def switch(self, index: Any, branches: Any, *operands: Any) -> Any: ...
    def while_loop(
        self, cond: Any, body: Any, loop_vars: Any, maximum_iterations: int | None
    ) -> Any: ...
    def fori_loop(self, lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any: ...
    def scan(
        self, f: Any, init: Any, xs: Any, length: int | None, reverse: bool, unroll: Any
    ) -> Any: ...
    def map(self, f: Any, xs: Any) -> Any: ...
    def vectorized_map(self, function: Any, elements: Any) -> Any: ...


class Sparse(Protocol):
    """The functions of an adapter's `sparse` module, where it has one. A sparse tensor is seen as
    its entries: indices of shape (n, axes) and values of shape (n,)."""

    def is_sparse(self, x: Any) -> bool: ...
    def sparse(self, indices: Tensor, values: Tensor, shape: Sequence[Any]) -> Any: ...
    def sparse_parts(self, x: Any) -> tuple[Tensor, Tensor]: ...
    def compact(self, indices: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Without the entries that are zero, where how many these are may depend on values."""
        ...

    def sparse_sum(self, indices: Tensor, values: Tensor, shape: Sequence[Any]) -> Any:
        """Of entries among which a place may be named more than once: these add up."""
        ...

    def sparse_unique(self, x: Any) -> Any:
        """`x` with each place named once."""
        ...

    def how_many(self, count: Tensor, bound: tuple[Any, ...]) -> Any:
        """A size that is told by values; where these are not known, the bound: two numbers of
        entries of which all may meet, each one of the first no more than the third."""
        ...

    def sparse_add(self, x1: Any, x2: Any) -> Any: ...
    def sparse_matmul(self, x1: Any, x2: Any) -> Any:
        """Of two matrices, of which the second may be dense; `NotImplemented` has the product
        made from the entries."""
        ...


REQUIRED = tuple(
    name for name in (*vars(Engine), *Engine.__annotations__) if not name.startswith("_")
)


def primitives() -> list[str]:
    """The ops that every adapter must define: those without a body."""
    import importlib

    from kerasish import backends
    from kerasish.core.op import OPS

    for module in ("ops", "ops.recurrent", "ops.normalization", "random"):
        importlib.import_module(f"kerasish.{module}")
    return sorted(name for name in OPS if name not in backends.bodies)
