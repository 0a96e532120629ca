"""Losses of numbers against numbers, and of distributions against distributions."""

from __future__ import annotations

import math
from typing import Any

from kerasish import config, ops
from kerasish.losses.base import LossFunctionWrapper, pair

_REDUCTION = "sum_over_batch_size"


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """The mean over the last axis of `(y_true - y_pred) ** 2`.

    Args:
        y_true: the truth, `(batch, ..., n)`.
        y_pred: the predictions, of the same shape.

    >>> import kerasish as keras
    >>> keras.losses.mean_squared_error([[0.0, 2.0]], [[1.0, 5.0]]).tolist()
    [5.0]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.mean(ops.square(ops.subtract(y_pred, y_true)), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """The mean over the last axis of `|y_true - y_pred|`.

    Args:
        y_true: the truth, `(batch, ..., n)`.
        y_pred: the predictions, of the same shape.

    >>> import kerasish as keras
    >>> keras.losses.mean_absolute_error([[0.0, 2.0]], [[1.0, 5.0]]).tolist()
    [2.0]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.mean(ops.absolute(ops.subtract(y_pred, y_true)), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 times the mean over the last axis of `|y_true - y_pred| / |y_true|`.

    Args:
        y_true: the truth, `(batch, ..., n)`; zeros are taken as `config.epsilon()`.
        y_pred: the predictions, of the same shape.

    >>> import kerasish as keras
    >>> keras.losses.mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 5.0]]).tolist()
    [37.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    scale = ops.maximum(ops.absolute(y_true), config.epsilon())
    error = ops.absolute(ops.divide(ops.subtract(y_true, y_pred), scale))
    return ops.multiply(ops.mean(error, axis=-1), 100.0)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """The mean over the last axis of `(log(y_true + 1) - log(y_pred + 1)) ** 2`.

    Args:
        y_true: the truth, `(batch, ..., n)`; what is below `config.epsilon()` is taken as that.
        y_pred: the predictions, of the same shape, bounded likewise.

    >>> import kerasish as keras
    >>> loss = keras.losses.mean_squared_logarithmic_error([[0.0, 3.0]], [[0.0, 1.0]])
    >>> [round(x, 4) for x in loss.tolist()]
    [0.2402]
    """
    y_true, y_pred = (
        ops.log1p(ops.maximum(x, config.epsilon())) for x in pair(y_true, y_pred)
    )
    return ops.mean(ops.square(ops.subtract(y_true, y_pred)), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """Minus the cosine of the angle between labels and predictions: -1 where they point alike.

    Args:
        y_true: the labels, `(batch, ..., n)`.
        y_pred: the predictions, of the same shape.
        axis: the axis of the vectors.

    >>> import kerasish as keras
    >>> loss = keras.losses.cosine_similarity([[3.0, 4.0], [0.0, 2.0]], [[5.0, 0.0], [0.0, 5.0]])
    >>> [round(x, 4) for x in loss.tolist()]
    [-0.6, -1.0]
    """
    return ops.negative(cosine(*pair(y_true, y_pred), axis))


def cosine(a: Any, b: Any, axis: Any) -> Any:
    """The cosine of the angle between the vectors along an axis."""
    return ops.sum(
        ops.multiply(ops.normalize(a, axis=axis), ops.normalize(b, axis=axis)), axis=axis
    )


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Half the squared error where it is small, a straight line where it is larger than `delta`.

    Huber (1964), https://doi.org/10.1214/aoms/1177703732

    Args:
        y_true: the truth, `(batch, ..., n)`.
        y_pred: the predictions, of the same shape.
        delta: where the parabola becomes a line, for errors that would otherwise rule the mean.

    >>> import kerasish as keras
    >>> keras.losses.huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
    [1.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    error = ops.absolute(ops.subtract(y_pred, y_true))
    # With q = min(error, delta): q**2 / 2 + delta * (error - q), both pieces in one.
    near = ops.minimum(error, delta)
    far = ops.subtract(error, near)
    loss = ops.add(ops.multiply(ops.square(near), 0.5), ops.multiply(far, delta))
    return ops.mean(loss, axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """The mean over the last axis of `log(cosh(y_pred - y_true))`.

    It is half the square of small errors and the absolute value of large ones (less log 2).

    Args:
        y_true: the truth, `(batch, ..., n)`.
        y_pred: the predictions, of the same shape.

    >>> import kerasish as keras
    >>> [round(x, 4) for x in keras.losses.log_cosh([[0.0, 0.0]], [[0.1, 100.0]]).tolist()]
    [49.6559]
    """
    y_true, y_pred = pair(y_true, y_pred)
    x = ops.subtract(y_pred, y_true)
    # cosh itself overflows: log cosh x = x + log(1 + exp(-2x)) - log 2.
    loss = ops.add(ops.subtract(x, math.log(2.0)), ops.softplus(ops.multiply(x, -2.0)))
    return ops.mean(loss, axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """The mean over the last axis of `y_pred - y_true * log(y_pred)`.

    It is the negative log-likelihood of counts, less what does not depend on the prediction.

    Args:
        y_true: the counts, `(batch, ..., n)`.
        y_pred: the predicted rates, of the same shape.

    >>> import kerasish as keras
    >>> [round(x, 4) for x in keras.losses.poisson([[1.0, 4.0]], [[1.0, 2.0]]).tolist()]
    [0.1137]
    """
    y_true, y_pred = pair(y_true, y_pred)
    log = ops.log(ops.add(y_pred, config.epsilon()))
    return ops.mean(ops.subtract(y_pred, ops.multiply(y_true, log)), axis=-1)


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """The Kullback-Leibler divergence: the sum over the last axis of `y_true * log(y_true/y_pred)`.

    Args:
        y_true: probabilities, `(batch, ..., n)`.
        y_pred: predicted probabilities, of the same shape.

    >>> import kerasish as keras
    >>> [round(x, 4) for x in keras.losses.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).tolist()]
    [0.1438]
    """
    y_true, y_pred = (
        ops.clip(x, config.epsilon(), 1.0) for x in pair(y_true, y_pred)
    )
    return ops.sum(ops.multiply(y_true, ops.log(ops.divide(y_true, y_pred))), axis=-1)


class MeanSquaredError(LossFunctionWrapper):
    """The mean of squared differences.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> float(keras.losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]))
    2.5
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "mean_squared_error",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """The mean of absolute differences.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> float(keras.losses.MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]]))
    1.5
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "mean_absolute_error",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """The mean of absolute differences, in percent of the truth.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> float(keras.losses.MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 5.0]]))
    37.5
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """The mean of squared differences of `log(1 + x)`: relative errors of positive numbers.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> round(float(keras.losses.MeanSquaredLogarithmicError()([[0.0, 3.0]], [[0.0, 1.0]])), 4)
    0.2402
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine between labels and predictions, from -1 (alike) to 1 (opposite).

    Args:
        axis: the axis of the vectors.
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> loss = keras.losses.CosineSimilarity()
    >>> float(loss([[0.0, 1.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 5.0]]))
    -0.5
    """

    def __init__(
        self, axis: Any = -1, reduction: str | None = _REDUCTION, name: str = "cosine_similarity",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


class Huber(LossFunctionWrapper):
    """Half the squared error up to `delta`, linear beyond: outliers do not rule.

    Huber (1964), https://doi.org/10.1214/aoms/1177703732

    Args:
        delta: where the parabola becomes a line.
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> float(keras.losses.Huber()([[0.0, 0.0]], [[1.0, 3.0]]))
    1.5
    """

    def __init__(
        self, delta: float = 1.0, reduction: str | None = _REDUCTION, name: str = "huber_loss",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(LossFunctionWrapper):
    """The mean of `log(cosh(error))`: smooth everywhere, linear for large errors.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> round(float(keras.losses.LogCosh()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "log_cosh", dtype: Any = None
    ):
        super().__init__(log_cosh, reduction, name, dtype)


class Poisson(LossFunctionWrapper):
    """The negative log-likelihood of counts under a Poisson distribution, less a constant.

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> round(float(keras.losses.Poisson()([[1.0, 4.0]], [[1.0, 2.0]])), 4)
    0.1137
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "poisson", dtype: Any = None
    ):
        super().__init__(poisson, reduction, name, dtype)


class KLDivergence(LossFunctionWrapper):
    """The Kullback-Leibler divergence of the prediction from the truth.

    Kullback and Leibler (1951), https://doi.org/10.1214/aoms/1177729694

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> round(float(keras.losses.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def __init__(
        self, reduction: str | None = _REDUCTION, name: str = "kl_divergence", dtype: Any = None
    ):
        super().__init__(kl_divergence, reduction, name, dtype)
