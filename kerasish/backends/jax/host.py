"""Computations that stay on the host, and strings, which XLA does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from kerasish.backends.jax import engine
from kerasish.backends.jax.engine import convert, native_dtype
from kerasish.errors import BackendError


@jax.tree_util.register_pytree_node_class
class Strings:
    """An array of strings as code points, so that a compiled function takes it.

    `codes` has one axis more than the strings, padded with zeros to a power of two: texts of
    about the same length share a trace.
    """

    dtype = "string"

    def __init__(self, codes: Any):
        self.codes = codes

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.codes.shape[:-1])

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, where: Any) -> Strings:
        return Strings(self.codes[(*where, slice(None)) if isinstance(where, tuple) else where])

    def reshape(self, shape: Sequence[int]) -> Strings:
        return Strings(self.codes.reshape((*shape, self.codes.shape[-1])))

    def numpy(self) -> np.ndarray:
        codes = np.ascontiguousarray(self.codes, "uint32")
        return codes.view(f"<U{codes.shape[-1]}")[..., 0]

    def tree_flatten(self) -> tuple[Any, None]:
        return (self.codes,), None

    @classmethod
    def tree_unflatten(cls, _: None, children: Any) -> Strings:
        return cls(*children)


def strings(x: np.ndarray) -> Strings:
    """An array of strings in the form that this engine's compiled functions take."""
    plain = np.asarray(x, "U") if x.dtype.kind != "S" else np.char.decode(x, "utf-8")
    width = 1 << max(plain.dtype.itemsize // 4 - 1, 0).bit_length()
    padded = np.ascontiguousarray(plain, f"<U{width}")
    return Strings(padded[..., None].view("uint32"))


def host_call(
    fn: Callable[..., Any], inputs: Sequence[Any], shape: Sequence[int | None], dtype: str
) -> Any:
    """`fn` of NumPy arrays, as one of this engine's tensors; also within a compiled function."""
    if not any(isinstance(x, jax.core.Tracer) for x in jax.tree_util.tree_leaves(list(inputs))):
        return convert(fn(*inputs), dtype)
    if dtype == "string":
        raise BackendError(
            "A computation on the host gives strings, which a step compiled by JAX cannot return. "
            "Apply it to what predict() gives."
        )
    if any(not isinstance(n, int) for n in shape):
        raise BackendError(
            f"A computation on the host gives an array of shape {tuple(shape)}, but JAX needs all "
            "sizes to compile a step. Give the layer a fixed size (TextVectorization: "
            "output_sequence_length), or compile with run_eagerly=True."
        )
    engine.host_calls += 1
    kind = native_dtype(dtype)
    return jax.pure_callback(
        lambda *xs: np.asarray(fn(*xs)).astype(kind), jax.ShapeDtypeStruct(tuple(shape), kind),
        *inputs, vmap_method="sequential",
    )  # fmt: skip
