"""How well predictions rise and fall with the truth."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.losses.base import pair
from kerasish.metrics.reduction import MeanMetricWrapper


def _moments(y_true: Any, y_pred: Any, axis: Any) -> tuple[Any, ...]:
    y_true, y_pred = pair(y_true, y_pred)
    means = [ops.mean(x, axis=axis, keepdims=True) for x in (y_true, y_pred)]
    a, b = ops.subtract(y_true, means[0]), ops.subtract(y_pred, means[1])
    covariance = ops.mean(ops.multiply(a, b), axis=axis)
    shift = ops.squeeze(ops.subtract(*means), axis)
    return covariance, *(ops.mean(ops.square(x), axis=axis) for x in (a, b)), shift


def pearson_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """The Pearson correlation along an axis: the covariance over both standard deviations.

    It is 0 where one of them does not vary.

    Args:
        y_true: the truth, `(batch, ..., n)`.
        y_pred: the predictions, of the same shape.
        axis: the axis of the observations.

    >>> import kerasish as keras
    >>> r = keras.metrics.pearson_correlation([[1.0, 2.0, 4.0]], [[2.0, 4.0, 8.0]])
    >>> [round(x, 4) for x in r.tolist()]
    [1.0]
    """
    covariance, a, b, _ = _moments(y_true, y_pred, axis)
    return ops.divide_no_nan(covariance, ops.multiply(ops.sqrt(a), ops.sqrt(b)))


def concordance_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """Lin's concordance along an axis: correlation that also asks for equal mean and spread.

    Lin (1989), https://doi.org/10.2307/2532051

    Args:
        y_true: the truth, `(batch, ..., n)`.
        y_pred: the predictions, of the same shape.
        axis: the axis of the observations.

    >>> import kerasish as keras
    >>> r = keras.metrics.concordance_correlation([[0.0, 2.0]], [[1.0, 3.0]])
    >>> [round(x, 4) for x in r.tolist()]
    [0.6667]
    """
    covariance, a, b, shift = _moments(y_true, y_pred, axis)
    spread = ops.add(ops.add(a, b), ops.square(shift))
    return ops.divide_no_nan(ops.multiply(covariance, 2.0), spread)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean Pearson correlation between labels and predictions.

    Args:
        name, dtype: see `Metric`.
        axis: the axis of the observations.

    >>> import kerasish as keras
    >>> m = keras.metrics.PearsonCorrelation()
    >>> round(float(m([[1.0, 2.0, 4.0]], [[2.0, 4.0, 8.0]])), 4)
    1.0
    """

    def __init__(
        self, name: str = "pearson_correlation", dtype: Any = None, axis: Any = -1
    ):
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean concordance between labels and predictions.

    Lin (1989), https://doi.org/10.2307/2532051

    Args:
        name, dtype: see `Metric`.
        axis: the axis of the observations.

    >>> import kerasish as keras
    >>> m = keras.metrics.ConcordanceCorrelation()
    >>> round(float(m([[0.0, 2.0]], [[1.0, 3.0]])), 4)
    0.6667
    """

    def __init__(
        self, name: str = "concordance_correlation", dtype: Any = None, axis: Any = -1
    ):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
