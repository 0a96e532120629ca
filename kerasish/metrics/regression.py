"""How far predicted numbers are from the truth."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.core.variable import Variable
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers import masking
from kerasish.losses.base import as_tensor, masked_weights, pair
from kerasish.losses.regression import (
    cosine,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from kerasish.metrics.base import Metric, add, check_shapes
from kerasish.metrics.reduction import Mean, MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """The mean of squared differences.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]))
    2.5
    """

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None):
        super().__init__(mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of absolute differences.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]]))
    1.5
    """

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None):
        super().__init__(mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of absolute differences, in percent of the truth.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 5.0]]))
    37.5
    """

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of squared differences of `log(1 + x)`.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> round(float(keras.metrics.MeanSquaredLogarithmicError()([[0.0, 3.0]], [[0.0, 1.0]])), 4)
    0.2402
    """

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """The mean of `log(cosh(error))`.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> round(float(keras.metrics.LogCoshError()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    def __init__(self, name: str = "logcosh", dtype: Any = None):
        super().__init__(log_cosh, name, dtype)


class RootMeanSquaredError(Mean):
    """The square root of the mean of squared differences.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.RootMeanSquaredError()([[0.0, 0.0]], [[1.0, 7.0]]))
    5.0
    """

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account.

        Args:
            y_true: the truth.
            y_pred: the predictions, of the same shape.
            sample_weight: a weight for each sample or each value.
        """
        mask = masking.get_mask(y_pred) if masking.in_use else None
        y_true, y_pred = pair(y_true, y_pred)
        self._update(ops.square(ops.subtract(y_pred, y_true)), sample_weight, mask)

    def result(self) -> Any:
        return ops.sqrt(super().result())


def cosine_similarity(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """The cosine of the angle between labels and predictions."""
    return cosine(*pair(y_true, y_pred), axis)


class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between labels and predictions, 1 where they point alike.

    Args:
        name, dtype: see `Metric`.
        axis: the axis of the vectors.

    >>> import kerasish as keras
    >>> m = keras.metrics.CosineSimilarity()
    >>> float(m([[0.0, 1.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 5.0]]))
    0.5
    """

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: Any = -1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)


_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")
_SUMS = ("squared_sum", "sum", "residual", "count")


class R2Score(Metric):
    """The coefficient of determination: the share of variance that predictions explain.

    1 is perfect, 0 is as good as always predicting the mean of the labels.

    Args:
        class_aggregation: how the scores of several outputs become one: `"uniform_average"`,
            `"variance_weighted_average"`, or `None` for a score of each.
        num_regressors: for the adjusted score, the number of inputs of the regression.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.R2Score()
    >>> m.update_state([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
    >>> round(float(m.result()), 4)
    0.5714
    """

    sum: Variable
    squared_sum: Variable
    residual: Variable
    count: Variable

    def __init__(
        self, class_aggregation: str | None = "uniform_average", num_regressors: int = 0,
        name: str | None = "r2_score", dtype: Any = None,
    ):  # fmt: skip
        super().__init__(dtype, name)
        if class_aggregation not in _AGGREGATIONS:
            raise InvalidArgument(
                f"R2Score: class_aggregation is one of {list(_AGGREGATIONS)}, got "
                f"{class_aggregation!r}."
            )
        if num_regressors < 0:
            raise InvalidArgument(f"R2Score: num_regressors is not negative, got {num_regressors}.")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), "zeros", name="num_samples")
        self.built = False

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Makes the state for predictions of this shape."""
        if self.built:
            return
        if len(y_pred_shape) != 2 or y_pred_shape[1] is None:
            raise ShapeError(
                "R2Score needs labels and predictions of shape (batch, outputs), got predictions "
                f"of shape {tuple(y_pred_shape)}."
            )
        for name in _SUMS:
            setattr(self, name, self.add_variable((int(y_pred_shape[1]),), "zeros", name=name))
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account.

        Args:
            y_true: the truth, `(batch, outputs)`.
            y_pred: the predictions, of the same shape.
            sample_weight: a weight for each sample.
        """
        mask = masking.get_mask(y_pred) if masking.in_use else None
        y_true, y_pred = as_tensor(y_true, self._dtype), as_tensor(y_pred, self._dtype)
        self.build(y_true.shape, y_pred.shape)
        check_shapes(self, y_true, y_pred)
        ones = weights = ops.ones_like(y_true)
        if sample_weight is not None or mask is not None:
            weights = ops.multiply(masked_weights(sample_weight, mask, y_true, self._dtype), ones)
        weighted = ops.multiply(y_true, weights)
        error = ops.square(ops.subtract(y_true, y_pred))
        add(self.sum, ops.sum(weighted, axis=0))
        add(self.squared_sum, ops.sum(ops.multiply(y_true, weighted), axis=0))
        add(self.residual, ops.sum(ops.multiply(error, weights), axis=0))
        add(self.count, ops.sum(weights, axis=0))
        add(self.num_samples, ops.sum(ones[:, 0]))

    def result(self) -> Any:
        if not self.built:
            return ops.zeros((), dtype=self._dtype)
        squares, total, error, count = (getattr(self, name).value for name in _SUMS)
        mean = ops.divide_no_nan(total, count)
        variation = ops.subtract(squares, ops.multiply(total, mean))
        score = ops.subtract(1.0, ops.divide_no_nan(error, variation))
        # Labels that do not vary: 1 for exact predictions, else 0 (as in scikit-learn).
        exact = ops.logical_and(ops.equal(error, 0.0), ops.greater(count, 0.0))
        exact = ops.cast(exact, self._dtype)
        score = ops.where(ops.equal(variation, 0.0), exact, score)
        if self.class_aggregation == "uniform_average":
            score = ops.mean(score)
        elif self.class_aggregation is not None:
            score = ops.divide_no_nan(
                ops.sum(ops.multiply(score, variation)), ops.sum(variation)
            )
        if self.num_regressors:
            n, p = self.num_samples.value, float(self.num_regressors)
            # With too few samples for the adjustment the plain score is given.
            freedom = ops.subtract(n, p + 1.0)
            adjusted = ops.subtract(1.0, ops.multiply(
                ops.subtract(1.0, score),
                ops.divide_no_nan(ops.subtract(n, 1.0), freedom),
            ))  # fmt: skip
            score = ops.where(ops.greater(freedom, 0.0), adjusted, score)
        return score

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }  # fmt: skip
