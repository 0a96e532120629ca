"""What the preprocessing layers share: host data, batches of data sets, categories as vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish import backends, dtypes, ops, tree
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import BackendError, InvalidArgument
from kerasish.layers.base import Layer

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class HostLayer(Layer):
    """A layer that computes on the host, in NumPy and Python, and returns engine tensors.

    Strings never reach an engine: subclasses define `call` on what `values` returns, and
    `compute_output_shape`. In a compiled step such a layer has no values to work on.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, KerasTensor) for x in tree.flatten((args, kwargs))):
            return super().__call__(*args, **kwargs)
        if backends.active.name == "symbolic":  # another layer asks for shapes only
            shape = self.compute_output_shape(tree.map_structure(lambda x: x.shape, args[0]))
            return ops.zeros(shape, self._output_dtype)
        return self.call(*args, **kwargs)

    @property
    def _output_dtype(self) -> str:
        return self.compute_dtype

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        shape = self.compute_output_shape(tree.map_structure(lambda x: x.shape, inputs))
        return KerasTensor(shape, self._output_dtype)


def values(x: Any, encoding: str = "utf-8") -> np.ndarray:
    """Lists, arrays and tensors of any engine as NumPy arrays; strings as Python strings."""
    if not isinstance(x, np.ndarray):
        try:
            x = backends.to_host(x)
            x = np.asarray(x.numpy() if hasattr(x, "numpy") else x)
        except Exception as error:
            raise BackendError(
                f"A preprocessing layer that works on the host got {type(x).__name__}, whose "
                "values cannot be read here (inside a compiled step there are none). Apply the "
                "layer to the data before the model, or compile with run_eagerly=True."
            ) from error
    if x.dtype.kind in "SOUT":
        decoded = [e.decode(encoding) if isinstance(e, bytes) else str(e) for e in x.ravel()]
        strings = np.empty(len(decoded), object)
        strings[:] = decoded
        return strings.reshape(x.shape)
    return x


def batches(data: Any, steps: int | None = None) -> Iterator[Any]:
    """The batches of a data set; arrays, tensors and lists are one batch."""
    if isinstance(data, str | list | tuple) or hasattr(data, "shape"):
        yield data
        return
    if not hasattr(data, "__iter__"):
        raise InvalidArgument(
            f"adapt takes an array, a list or an iterable of batches, got {type(data).__name__}."
        )
    for i, batch in enumerate(data):
        if i == steps:
            return
        yield batch


def encode(
    x: Any, mode: str, depth: int | None, dtype: str, weights: Any = None, sparse: bool = False
) -> Any:
    """Category numbers as they are, or as vectors that say which of them the last axis holds.

    Numbers outside `0 ... depth - 1` leave no trace. `weights` (an array like `x`) is what each
    occurrence counts.
    """
    on_host = isinstance(x, np.ndarray)
    if mode == "int":
        return ops.convert_to_tensor(x, dtype) if on_host else ops.cast(x, dtype)
    if mode == "one_hot":
        if len(x.shape) > 1 and x.shape[-1] == 1:
            x = x[..., 0]
        return ops.one_hot(x, depth, dtype=dtype, sparse=sparse)
    if len(x.shape) == 0:
        x = x[None]
    if sparse and mode == "multi_hot":
        return ops.multi_hot(x, depth, dtype=dtype, sparse=True)
    if on_host and (weights is None or isinstance(weights, np.ndarray)):
        # Counting needs no vector for each entry, which long texts could not afford.
        inside = (x >= 0) & (x < depth)
        rows = np.arange(x.size // max(x.shape[-1], 1)).reshape(*x.shape[:-1], 1)
        places = (rows * depth + x)[inside]
        each = None if weights is None else np.broadcast_to(weights, x.shape)[inside]
        counts = np.bincount(places, each, rows.size * depth).reshape(*x.shape[:-1], depth)
        return ops.convert_to_tensor(counts > 0 if mode == "multi_hot" else counts, dtype)
    hot = ops.one_hot(x, depth, dtype=dtype)
    if mode == "multi_hot":
        return ops.max(hot, axis=-2)
    if weights is not None:
        hot = ops.multiply(hot, ops.expand_dims(ops.cast(weights, dtype), -1))
    return ops.sum(hot, axis=-2)


def encoded_shape(shape: Any, mode: str, depth: int | None) -> tuple[int | None, ...]:
    """The shape of what `encode` returns."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    keep = mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1)
    return (*(shape if keep else shape[:-1]), depth)


def check_mode(name: str, mode: str, allowed: tuple[str, ...], sparse: bool = False) -> None:
    if mode not in allowed:
        raise InvalidArgument(f"{name}: output_mode is one of {allowed}, got {mode!r}.")
    if sparse and mode == "int":
        raise InvalidArgument(f"{name}: sparse=True needs another output_mode than 'int'.")


def integer_or(policy_dtype: str, default: str) -> str:
    """The dtype where it is one of integers, else the default."""
    return policy_dtype if dtypes.is_int(policy_dtype) else default
