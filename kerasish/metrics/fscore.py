"""F-scores: precision and recall of many classes as one number."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.core.variable import Variable
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers import masking
from kerasish.losses.base import as_tensor, masked_weights
from kerasish.metrics.base import Metric, add, check_shapes

_AVERAGES = (None, "micro", "macro", "weighted")
_SUMS = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")


class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall.

    `(1 + beta^2) * precision * recall / (beta^2 * precision + recall)`, for each class or
    averaged over them.

    Args:
        average: `None` for a score of each class, `"micro"` for all classes pooled, `"macro"` for
            the mean over classes, `"weighted"` for the mean weighted by their number of labels.
        beta: how many times more recall counts than precision.
        threshold: predictions above it are positive; `None` makes the largest one positive.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.FBetaScore(beta=2.0, threshold=0.5)
    >>> m.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]],
    ...                [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> [round(x, 4) for x in m.result().tolist()]
    [0.3846, 0.9091, 0.8333]
    """

    true_positives: Variable
    false_positives: Variable
    false_negatives: Variable
    intermediate_weights: Variable

    def __init__(
        self, average: str | None = None, beta: float = 1.0, threshold: float | None = None,
        name: str | None = "fbeta_score", dtype: Any = None,
    ):  # fmt: skip
        super().__init__(dtype, name)
        who = type(self).__name__
        if average not in _AVERAGES:
            raise InvalidArgument(f"{who}: average is one of {list(_AVERAGES)}, got {average!r}.")
        if not isinstance(beta, int | float) or beta <= 0:
            raise InvalidArgument(f"{who}: beta is a positive number, got {beta!r}.")
        if threshold is not None and (
            not isinstance(threshold, int | float) or not 0 < threshold <= 1
        ):
            raise InvalidArgument(f"{who}: threshold is above 0 and up to 1, got {threshold!r}.")
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self.built = False

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Makes the state for predictions of this shape."""
        if self.built:
            return
        if len(y_pred_shape) != 2 or y_pred_shape[1] is None:
            raise ShapeError(
                f"{type(self).__name__} needs labels and predictions of shape (batch, classes), "
                f"got predictions of shape {tuple(y_pred_shape)}. Reshape them, or make one-hot "
                "labels with keras.utils.to_categorical."
            )
        shape = () if self.average == "micro" else (int(y_pred_shape[1]),)
        for name in _SUMS:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account.

        Args:
            y_true: labels 0 and 1, `(batch, classes)`.
            y_pred: predictions, of the same shape.
            sample_weight: a weight for each sample.
        """
        mask = masking.get_mask(y_pred) if masking.in_use else None
        y_true, y_pred = as_tensor(y_true, self._dtype), as_tensor(y_pred, self._dtype)
        self.build(y_true.shape, y_pred.shape)
        check_shapes(self, y_true, y_pred)
        if self.threshold is None:
            largest = ops.equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
            # A row without any prediction predicts nothing.
            chosen = ops.logical_and(largest, ops.greater(ops.absolute(y_pred), 1e-9))
        else:
            chosen = ops.greater(y_pred, self.threshold)
        chosen = ops.cast(chosen, self._dtype)
        weights = None
        if sample_weight is not None or mask is not None:
            weights = masked_weights(sample_weight, mask, y_true, self._dtype)
        axis = None if self.average == "micro" else 0

        def total(x: Any) -> Any:
            return ops.sum(x if weights is None else ops.multiply(x, weights), axis=axis)

        right = ops.multiply(chosen, y_true)
        add(self.true_positives, total(right))
        add(self.false_positives, total(ops.multiply(chosen, ops.subtract(1.0, y_true))))
        add(self.false_negatives, total(ops.multiply(ops.subtract(1.0, chosen), y_true)))
        add(self.intermediate_weights, total(y_true))

    def result(self) -> Any:
        if not self.built:
            return ops.zeros((), dtype=self._dtype)
        tp, fp, fn, weights = (getattr(self, name).value for name in _SUMS)
        square = float(self.beta) ** 2
        hits = ops.multiply(tp, 1.0 + square)
        misses = ops.add(ops.multiply(fn, square), fp)
        score = ops.divide_no_nan(hits, ops.add(hits, misses))
        if self.average == "macro":
            return ops.mean(score)
        if self.average == "weighted":
            return ops.divide_no_nan(ops.sum(ops.multiply(score, weights)), ops.sum(weights))
        return score

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "average": self.average, "beta": self.beta,
            "threshold": self.threshold,
        }  # fmt: skip


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall.

    Args:
        average: `None` for a score of each class, `"micro"` for all classes pooled, `"macro"` for
            the mean over classes, `"weighted"` for the mean weighted by their number of labels.
        threshold: predictions above it are positive; `None` makes the largest one positive.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.F1Score(threshold=0.5)
    >>> m.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]],
    ...                [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> [round(x, 4) for x in m.result().tolist()]
    [0.5, 0.8, 0.6667]
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None,
        name: str | None = "f1_score", dtype: Any = None,
    ):  # fmt: skip
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k != "beta"}
