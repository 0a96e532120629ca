"""Losses of how far two sets overlap, for segmentation."""

from __future__ import annotations

from typing import Any

from kerasish import config, ops
from kerasish.losses.base import LossFunctionWrapper, pair

_REDUCTION = "sum_over_batch_size"


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """One less the Dice coefficient, twice the overlap over the sum of both sizes.

    Milletari et al. (2016), https://arxiv.org/abs/1606.04797

    Args:
        y_true: memberships between 0 and 1, of any shape.
        y_pred: predicted memberships, of the same shape.
        axis: the axes that are one set; `None` for all, the whole batch as one.

    >>> import kerasish as keras
    >>> round(float(keras.losses.dice([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]])), 4)
    0.3333
    """
    y_true, y_pred = pair(y_true, y_pred)
    overlap = ops.sum(ops.multiply(y_true, y_pred), axis=axis)
    sizes = ops.add(ops.sum(y_true, axis=axis), ops.sum(y_pred, axis=axis))
    share = ops.divide(ops.multiply(overlap, 2.0), ops.add(sizes, config.epsilon()))
    return ops.subtract(1.0, share)


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> Any:
    """One less the Tversky index: overlap / (overlap + alpha * misses + beta * false alarms).

    `alpha = beta = 0.5` is the Dice loss, 1 and 1 the Jaccard loss
    (https://arxiv.org/abs/1706.05721, whose alpha and beta are the other way round; the numbers
    here are those of Keras).

    Args:
        y_true: memberships between 0 and 1, of any shape.
        y_pred: predicted memberships, of the same shape.
        alpha: the weight of misses (false negatives).
        beta: the weight of false alarms (false positives).
        axis: the axes that are one set; `None` for all, the whole batch as one.

    >>> import kerasish as keras
    >>> round(float(keras.losses.tversky([1.0, 1.0, 0.0], [1.0, 0.0, 0.0], alpha=1.0)), 4)
    0.5
    """
    y_true, y_pred = pair(y_true, y_pred)
    overlap = ops.sum(ops.multiply(y_true, y_pred), axis=axis)
    alarms = ops.subtract(ops.sum(y_pred, axis=axis), overlap)
    misses = ops.subtract(ops.sum(y_true, axis=axis), overlap)
    wrong = ops.add(ops.multiply(misses, alpha), ops.multiply(alarms, beta))
    total = ops.add(ops.add(overlap, wrong), config.epsilon())
    return ops.subtract(1.0, ops.divide(overlap, total))


class Dice(LossFunctionWrapper):
    """One less the Dice coefficient of labels and predictions.

    Milletari et al. (2016), https://arxiv.org/abs/1606.04797

    Args:
        reduction, name, dtype: see `Loss`.
        axis: the axes that are one set; `None` for all, the whole batch as one.

    >>> import kerasish as keras
    >>> loss = keras.losses.Dice()
    >>> round(float(loss([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]])), 4)
    0.3333
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "dice", axis: Any = None,
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """One less the Tversky index, which weighs false positives and negatives apart.

    Salehi et al. (2017), https://arxiv.org/abs/1706.05721

    Args:
        alpha: the weight of misses (false negatives).
        beta: the weight of false alarms (false positives).
        reduction, name, dtype: see `Loss`.
        axis: the axes that are one set; `None` for all, the whole batch as one.

    >>> import kerasish as keras
    >>> loss = keras.losses.Tversky(alpha=1.0)
    >>> round(float(loss([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
    0.5
    """

    def __init__(
        self, alpha: float = 0.5, beta: float = 0.5, reduction: str | None = _REDUCTION,
        name: str = "tversky", axis: Any = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
