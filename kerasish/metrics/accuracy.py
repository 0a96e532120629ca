"""How often predictions are right."""

from __future__ import annotations

from typing import Any

from kerasish import dtypes, ops
from kerasish.core.op import describe
from kerasish.errors import ShapeError
from kerasish.losses.base import as_tensor, same_rank
from kerasish.metrics.reduction import MeanMetricWrapper


def _as_float(x: Any) -> Any:
    return ops.cast(x, dtypes.standardize(None))


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where labels and predictions are equal, else 0."""
    y_pred = as_tensor(y_pred)
    y_true, y_pred = same_rank(as_tensor(y_true, dtypes.standardize(y_pred.dtype)), y_pred)
    return _as_float(ops.equal(y_true, y_pred))


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where the prediction is on the same side of the threshold as the label, else 0.

    Args:
        y_true: labels 0 and 1, `(batch, ..., n)`.
        y_pred: probabilities, of the same shape.
        threshold: a prediction above it means 1.

    >>> import kerasish as keras
    >>> keras.metrics.binary_accuracy([[1, 0], [1, 1]], [[0.98, 0.2], [0.4, 0.6]]).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    y_true, y_pred = same_rank(as_tensor(y_true), as_tensor(y_pred))
    above = ops.cast(ops.greater(y_pred, threshold), dtypes.standardize(y_true.dtype))
    return _as_float(ops.equal(y_true, above))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the class predicted as most likely is the label's, else 0.

    Args:
        y_true: one-hot labels, `(batch, ..., classes)`.
        y_pred: probabilities or logits, of the same shape.

    >>> import kerasish as keras
    >>> y_pred = [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]
    >>> keras.metrics.categorical_accuracy([[0, 0, 1], [0, 1, 0]], y_pred).tolist()
    [0.0, 1.0]
    """
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    _check_one_hot("categorical_accuracy", y_true, y_pred)
    return _as_float(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the class predicted as most likely is the label, else 0.

    Args:
        y_true: class numbers, `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: probabilities or logits, `(batch, ..., classes)`.

    >>> import kerasish as keras
    >>> y_pred = [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]
    >>> keras.metrics.sparse_categorical_accuracy([2, 1], y_pred).tolist()
    [0.0, 1.0]
    """
    y_pred = as_tensor(y_pred)
    y_true = _class_numbers("sparse_categorical_accuracy", y_true, y_pred)
    best = ops.argmax(y_pred, axis=-1)
    return _as_float(ops.equal(ops.cast(y_true, dtypes.standardize(best.dtype)), best))


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the label is among the `k` classes predicted as most likely, else 0.

    Args:
        y_true: one-hot labels, `(batch, ..., classes)`.
        y_pred: probabilities or logits, of the same shape.
        k: how many guesses count.

    >>> import kerasish as keras
    >>> y_pred = [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]
    >>> keras.metrics.top_k_categorical_accuracy([[0, 0, 1], [0, 0, 1]], y_pred, k=2).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    _check_one_hot("top_k_categorical_accuracy", y_true, y_pred)
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """1 where the label is among the `k` classes predicted as most likely, else 0.

    Args:
        y_true: class numbers, `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: probabilities or logits, `(batch, ..., classes)`.
        k: how many guesses count.
        from_sorted_ids: `y_pred` holds class numbers instead, the most likely first.

    >>> import kerasish as keras
    >>> y_pred = [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]
    >>> keras.metrics.sparse_top_k_categorical_accuracy([2, 2], y_pred, k=2).tolist()
    [1.0, 0.0]
    """
    y_pred = as_tensor(y_pred)
    y_true = ops.cast(_class_numbers("sparse_top_k_categorical_accuracy", y_true, y_pred), "int32")
    if from_sorted_ids:
        guesses = ops.cast(y_pred[..., :k], "int32")
        return _as_float(ops.any(ops.equal(ops.expand_dims(y_true, -1), guesses), axis=-1))
    shape = ops.shape(y_true)
    if len(shape) != 1:
        y_true = ops.reshape(y_true, (-1,))
        y_pred = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
    found = _as_float(ops.in_top_k(y_true, y_pred, k=k))
    return found if len(shape) == 1 else ops.reshape(found, shape)


def _check_one_hot(name: str, y_true: Any, y_pred: Any) -> None:
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if len(true) != len(pred) or (true and None not in (true[-1], pred[-1])
                                  and true[-1] != pred[-1]):
        raise ShapeError(
            f"{name} needs one-hot labels of the shape of the predictions, got y_true="
            f"{describe(y_true)}, y_pred={describe(y_pred)}. For labels that are class numbers "
            f"use sparse_{name}."
        )


def _class_numbers(name: str, y_true: Any, y_pred: Any) -> Any:
    y_true = as_tensor(y_true)
    rank = len(y_pred.shape)
    if len(y_true.shape) == rank and rank > 0 and y_true.shape[-1] in (1, None):
        return ops.squeeze(y_true, -1)
    if len(y_true.shape) != rank - 1:
        raise ShapeError(
            f"{name} needs class numbers, of the shape of the predictions without their last axis, "
            f"got y_true={describe(y_true)}, y_pred={describe(y_pred)}. For one-hot labels use "
            f"{name.removeprefix('sparse_')}."
        )
    return y_true


class Accuracy(MeanMetricWrapper):
    """How often predictions equal labels.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.Accuracy()
    >>> m.update_state([[1], [2], [3], [4]], [[0], [2], [3], [4]])
    >>> float(m.result())
    0.75
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often predictions are on the same side of a threshold as the labels 0 and 1.

    Args:
        name, dtype: see `Metric`.
        threshold: a prediction above it means 1.

    >>> import kerasish as keras
    >>> m = keras.metrics.BinaryAccuracy()
    >>> m.update_state([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])
    >>> float(m.result())
    0.75
    """

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the class predicted as most likely is the one-hot label's.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.CategoricalAccuracy()
    >>> m.update_state([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
    >>> float(m.result())
    0.5
    """

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the class predicted as most likely is the label.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.SparseCategoricalAccuracy()
    >>> m.update_state([[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]])
    >>> float(m.result())
    0.5
    """

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the one-hot label is among the `k` classes predicted as most likely.

    Args:
        k: how many guesses count.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.TopKCategoricalAccuracy(k=1)
    >>> m.update_state([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
    >>> float(m.result())
    0.5
    """

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the label is among the `k` classes predicted as most likely.

    Args:
        k: how many guesses count.
        name, dtype: see `Metric`.
        from_sorted_ids: predictions are class numbers, the most likely first.

    >>> import kerasish as keras
    >>> m = keras.metrics.SparseTopKCategoricalAccuracy(k=1)
    >>> m.update_state([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
    >>> float(m.result())
    0.5
    """

    def __init__(
        self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: Any = None,
        from_sorted_ids: bool = False,
    ):  # fmt: skip
        # Only where asked for: Keras before 3.8 knows no such argument in a config.
        extra = {"from_sorted_ids": True} if from_sorted_ids else {}
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, **extra)
        self.k = k
        self.from_sorted_ids = from_sorted_ids
