"""What the preprocessing layers share: host data, batches of data sets, categories as vectors."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish import backends, dtypes, ops, tree
from kerasish.backends.state import local
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument
from kerasish.layers import masking
from kerasish.layers.base import Layer

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


@contextlib.contextmanager
def in_graph_of(structure: Any) -> Iterator[None]:
    """The engine of a `tf.data` pipeline as the active one, where symbolic tensors of it come, in
    a function that is being compiled."""
    engine = backends.graph_owner(tree.flatten(structure))
    if engine is None:
        yield
        return
    here = local.here
    here.tracing += 1
    try:
        with backends.using(engine):
            yield
    finally:
        here.tracing -= 1


class PipelineLayer(Layer):
    """A layer that may also be a step of a `tf.data` pipeline, whichever engine is active."""

    _in_pipelines = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with in_graph_of((args, kwargs)):
            return super().__call__(*args, **kwargs)


class HostLayer(PipelineLayer):
    """A layer that computes on the host, in NumPy and Python, and returns engine tensors.

    Strings never reach an engine: subclasses define `compute` on NumPy arrays, and
    `compute_output_shape`. In a compiled step the engine calls back to the host.
    """

    input_dtype: str = "string"
    """Models take what comes, strings or numbers, without a cast."""

    encoding = "utf-8"
    sparse = False

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, KerasTensor) for x in tree.flatten((args, kwargs))):
            return super().__call__(*args, **kwargs)
        if masking.in_use and any(
            masking.get_mask(x) is not None for x in tree.flatten((args, kwargs))
        ):
            self._warn_dropped()
        if args and hasattr(args[0], "with_flat_values"):
            return self._call_ragged(args[0])
        with in_graph_of((args, kwargs)):
            return self.call(*args, **kwargs)

    def _call_ragged(self, inputs: Any) -> Any:
        """TensorFlow's ragged tensors stay so: their entries are what is computed."""
        if getattr(self, "output_mode", "int") != "int":
            raise InvalidArgument(
                f"{type(self).__name__} takes ragged tensors with output_mode='int' only. Fill "
                "them up with to_tensor()."
            )
        found = self(inputs.flat_values)
        symbolic = backends.graph_owner([inputs.flat_values]) is not None
        return inputs.with_flat_values(found if symbolic else backends.to_host(found))

    def compute(self, *inputs: np.ndarray) -> np.ndarray:
        """The result for the arrays that `_parts` gives; strings are Python strings."""
        raise TypeError(f"{type(self).__name__} must define compute(*inputs).")

    def _parts(self, inputs: Any) -> list[Any]:
        return [inputs]

    def call(self, inputs: Any) -> Any:
        parts = [x if hasattr(x, "shape") else np.asarray(x) for x in self._parts(inputs)]

        def on_host(*arrays: Any) -> np.ndarray:
            return self.compute(*[values(x, self.encoding) for x in arrays])

        if self.sparse and not local.here.tracing:
            return ops.convert_to_tensor(on_host(*parts), self._output_dtype, sparse=True)
        shapes = [tuple(x.shape) for x in parts]
        shape = self.compute_output_shape(shapes[0] if len(parts) == 1 else shapes)
        dense = lambda *arrays: backends.host().to_host(on_host(*arrays))
        return backends.active.host_call(dense, parts, shape, self._output_dtype)

    @property
    def _output_dtype(self) -> str:
        return self.compute_dtype

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        shape = self.compute_output_shape(tree.map_structure(lambda x: x.shape, inputs))
        return KerasTensor(shape, self._output_dtype)


def values(x: Any, encoding: str = "utf-8") -> np.ndarray:
    """Lists, arrays and tensors of any engine as NumPy arrays; strings as Python strings."""
    if not isinstance(x, np.ndarray):
        x = backends.to_host(x)
        x = np.asarray(x.numpy() if hasattr(x, "numpy") else x)
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
    yield from itertools.islice(iterate(data), steps)


def iterate(data: Any) -> Iterator[Any]:
    """What a data set holds, `PyDataset`s included."""
    if hasattr(data, "num_batches") and hasattr(data, "__getitem__"):
        return (data[i] for i in range(data.num_batches))
    if not hasattr(data, "__iter__"):
        raise InvalidArgument(
            f"adapt takes arrays, lists or an iterable of batches, got {type(data).__name__}."
        )
    return iter(data)


def encode(
    x: Any, mode: str, depth: Any, dtype: str, weights: Any = None, sparse: bool = False
) -> Any:
    """Category numbers as they are, or as vectors that say which of them the last axis holds.

    Numbers outside `0 ... depth - 1` leave no trace; the mode `"int"` needs no depth. `weights` (an
    array like `x`) is what each occurrence counts.
    """
    if sparse and mode == "count" and not local.here.tracing and backends.real is None:
        x = np.asarray(backends.to_host(x))  # how many entries there are, only values tell
        weights = None if weights is None else np.asarray(backends.to_host(weights))
    if isinstance(x, np.ndarray) and (weights is None or isinstance(weights, np.ndarray)):
        return ops.convert_to_tensor(encode_on_host(x, mode, depth, weights, None, sparse), dtype)
    if mode == "int":
        return ops.cast(x, dtype)
    if mode == "one_hot":
        if len(x.shape) > 1 and x.shape[-1] == 1:
            x = x[..., 0]
        return ops.one_hot(x, depth, dtype=dtype, sparse=sparse)
    if len(x.shape) == 0:
        x = x[None]
    if sparse and mode == "multi_hot":
        sizes = ops.shape(x)
        hot = ops.multi_hot(ops.reshape(x, (-1, sizes[-1])), depth, dtype=dtype, sparse=True)
        return hot if len(sizes) == 2 else ops.reshape(hot, (*sizes[:-1], depth))
    hot = ops.one_hot(x, depth, dtype=dtype)
    if weights is not None:
        hot = ops.multiply(hot, ops.expand_dims(ops.cast(weights, dtype), -1))
    return ops.max(hot, axis=-2) if mode == "multi_hot" else ops.sum(hot, axis=-2)


def encode_on_host(
    x: np.ndarray, mode: str, depth: Any, weights: np.ndarray | None = None,
    scale: np.ndarray | None = None, sparse: bool = False,
) -> Any:  # fmt: skip
    """What `encode` gives, for and as an array of NumPy; `scale` is a factor of each category."""
    if mode == "int":
        return x
    if mode == "one_hot":
        x = x if x.ndim > 1 and x.shape[-1] == 1 else x[..., None]
    x = np.atleast_1d(x)
    shape = (*x.shape[:-1], depth)
    # Counting needs no vector for each entry, which long texts could not afford.
    inside = (x >= 0) & (x < depth)
    rows = np.arange(x.size // max(x.shape[-1], 1)).reshape(*x.shape[:-1], 1)
    places = (rows * depth + x)[inside].astype("int64")
    each = None if weights is None else np.broadcast_to(weights, x.shape)[inside]
    if sparse:
        where, places = np.unique(places, return_inverse=True)
    counts = np.bincount(places, each, len(where) if sparse else rows.size * depth)
    counts = (counts if mode == "count" else counts > 0).astype("float32")
    if not sparse:
        return counts.reshape(shape) if scale is None else counts.reshape(shape) * scale
    if scale is not None:
        counts *= scale[where % depth]
    return backends.host().sparse(np.stack(np.unravel_index(where, shape), -1), counts, shape)


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
