"""Small numerical helpers for labels and features."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import backends, config, dtypes, ops
from kerasish.errors import InvalidArgument


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Class numbers as one-hot rows.

    Args:
        x: class numbers from 0, of any shape; a last axis of size one is dropped.
        num_classes: how many classes there are; by default the largest number plus one.

    Returns:
        Floats of shape `x.shape + (num_classes,)`: a tensor for a tensor, else a NumPy array.

    >>> import kerasish as keras
    >>> keras.utils.to_categorical([0, 2, 1]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    tensor = backends.owner(x) is not None and not isinstance(x, np.ndarray)
    if tensor and num_classes is not None:
        if len(x.shape) > 1 and x.shape[-1] == 1:
            x = ops.squeeze(x, -1)
        return ops.one_hot(ops.cast(x, "int32"), num_classes, dtype=config.floatx())
    labels = np.asarray(backends.to_host(x))
    if labels.dtype.kind not in "iufb":
        raise InvalidArgument(
            f"to_categorical takes class numbers, got values of type {labels.dtype}. Number the "
            "classes first, with keras.layers.StringLookup or numpy.unique(return_inverse=True)."
        )
    labels = labels.astype("int64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if not labels.size:
            raise InvalidArgument("to_categorical of no labels at all needs num_classes.")
        num_classes = int(labels.max()) + 1
    wrong = labels[(labels < 0) | (labels >= num_classes)]
    if wrong.size:
        raise InvalidArgument(
            f"to_categorical: class numbers are from 0 to {num_classes - 1}, got {wrong.flat[0]}. "
            "Number the classes from 0, or give a larger num_classes."
        )
    hot = np.zeros((labels.size, num_classes), dtypes.numpy_dtype(config.floatx()))
    hot[np.arange(labels.size), labels.ravel()] = 1
    hot = hot.reshape(*labels.shape, num_classes)
    return ops.convert_to_tensor(hot) if tensor else hot


def normalize(x: Any, axis: int = -1, order: Any = 2) -> Any:
    """Vectors scaled to length one; zeros stay zeros.

    Args:
        x: numbers of any shape.
        axis: the axis of the vectors.
        order: the norm: 2 for Euclidean length, 1 for the sum of absolute values, `np.inf`.

    Returns:
        The same shape: a NumPy array for a NumPy array, else a tensor.

    >>> import kerasish as keras
    >>> [round(v, 4) for v in keras.utils.normalize([3.0, 4.0]).tolist()]
    [0.6, 0.8]
    """
    if not isinstance(x, np.ndarray):
        length = ops.norm(x, ord=order, axis=axis, keepdims=True)
        return ops.divide_no_nan(x, length)
    if x.dtype.kind != "f":
        x = x.astype(dtypes.numpy_dtype(config.floatx()))
    x = np.atleast_1d(x)
    length = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(length == 0, 1, length)
