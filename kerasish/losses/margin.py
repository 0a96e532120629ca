"""Losses that ask for a margin between right and wrong."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.losses.base import LossFunctionWrapper, pair

_REDUCTION = "sum_over_batch_size"


def signs(y_true: Any) -> Any:
    """Labels as -1 and 1: 0 becomes -1 where all labels are 0 or 1; others stay as they are."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(binary, ops.subtract(ops.multiply(y_true, 2.0), 1.0), y_true)


def _shortfall(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = pair(y_true, y_pred)
    return ops.relu(ops.subtract(1.0, ops.multiply(signs(y_true), y_pred)))


def hinge(y_true: Any, y_pred: Any) -> Any:
    """The mean over the last axis of `max(1 - y_true * y_pred, 0)`.

    Args:
        y_true: labels -1 and 1 (or 0 and 1), `(batch, ..., n)`.
        y_pred: scores, of the same shape.

    >>> import kerasish as keras
    >>> keras.losses.hinge([[1.0, -1.0]], [[0.5, 1.0]]).tolist()
    [1.25]
    """
    return ops.mean(_shortfall(y_true, y_pred), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """The mean over the last axis of `max(1 - y_true * y_pred, 0) ** 2`.

    Args:
        y_true: labels -1 and 1 (or 0 and 1), `(batch, ..., n)`.
        y_pred: scores, of the same shape.

    >>> import kerasish as keras
    >>> keras.losses.squared_hinge([[1.0, -1.0]], [[0.5, 1.0]]).tolist()
    [2.125]
    """
    return ops.mean(ops.square(_shortfall(y_true, y_pred)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """`max(1 + the best wrong score - the right score, 0)`.

    Args:
        y_true: one-hot labels, `(batch, ..., classes)`.
        y_pred: scores, of the same shape.

    >>> import kerasish as keras
    >>> keras.losses.categorical_hinge([[0.0, 1.0, 0.0]], [[0.5, 1.25, 0.75]]).tolist()
    [0.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    right = ops.sum(ops.multiply(y_true, y_pred), axis=-1)
    wrong = ops.max(ops.multiply(ops.subtract(1.0, y_true), y_pred), axis=-1)
    return ops.relu(ops.add(ops.subtract(wrong, right), 1.0))


class Hinge(LossFunctionWrapper):
    """The mean of `max(1 - y_true * y_pred, 0)`, for labels -1 and 1.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> float(keras.losses.Hinge()([[1.0, -1.0]], [[0.5, 1.0]]))
    1.25
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "hinge", dtype: Any = None
    ):
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """The mean of `max(1 - y_true * y_pred, 0) ** 2`, for labels -1 and 1.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> float(keras.losses.SquaredHinge()([[1.0, -1.0]], [[0.5, 1.0]]))
    2.125
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "squared_hinge", dtype: Any = None
    ):
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """The margin between the right class' score and the best wrong one's.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> float(keras.losses.CategoricalHinge()([[0.0, 1.0, 0.0]], [[0.5, 1.25, 0.75]]))
    0.5
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "categorical_hinge",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(categorical_hinge, reduction, name, dtype)
