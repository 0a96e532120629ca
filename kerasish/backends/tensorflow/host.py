"""Computations that stay on the host, and strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

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
