"""Computations that stay on the host, and strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasish import tree
from kerasish.backends.tensorflow.engine import convert, native_dtype


def strings(x: np.ndarray) -> tf.Tensor:
    """An array of strings in the form that this engine's compiled functions take."""
    return tf.constant(x.astype(object), tf.string)


def host_call(
    fn: Callable[..., Any], inputs: Sequence[Any], shape: Sequence[int | None], dtype: str
) -> Any:
    """`fn` of NumPy arrays, as one of this engine's tensors; also within a compiled function."""
    if tf.executing_eagerly() or not any(tf.is_symbolic_tensor(x) for x in inputs):
        return convert(fn(*inputs), dtype)
    kind = native_dtype(dtype)
    out = tf.numpy_function(
        lambda *xs: np.asarray(fn(*xs)).astype(kind.as_numpy_dtype), list(inputs), kind
    )
    out.set_shape([n if isinstance(n, int) else None for n in shape])
    return out


def data_set(source: Any) -> tf.data.Dataset:
    """A data set of batches by number as one of this engine's own."""
    batched = getattr(source, "batch_size", None) is not None

    def spec(x: Any) -> tf.TensorSpec:
        x = np.asarray(x)
        kind = tf.string if x.dtype.kind in "OUS" else tf.as_dtype(x.dtype)
        shape: list[Any] = list(x.shape)
        if batched:
            shape[0] = None
        if source.lengths_vary and x.ndim > 1:
            shape[int(batched)] = None
        return tf.TensorSpec(shape, kind)

    made = tf.data.Dataset.from_generator(
        lambda: iter(source), output_signature=tree.map_structure(spec, source[0])
    )
    return made.apply(tf.data.experimental.assert_cardinality(len(source))).prefetch(2)
