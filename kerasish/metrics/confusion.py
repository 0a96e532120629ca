"""Right and wrong yes-or-no predictions, counted at one threshold or at many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import config, ops
from kerasish.core.variable import Variable
from kerasish.errors import InvalidArgument
from kerasish.layers import masking
from kerasish.losses.base import as_tensor, masked_weights, same_rank
from kerasish.metrics.base import Metric, add, check_shapes

_LOWEST = -1e10
"""A threshold that every prediction is above, save those that `top_k` rules out."""


def _thresholds(given: Any, default: float) -> np.ndarray:
    values = np.atleast_1d(np.asarray(default if given is None else given, dtype=object))
    if given is not None and not all(
        isinstance(t, int | float | np.number) and 0 <= t <= 1 for t in values
    ):
        raise InvalidArgument(f"Thresholds are between 0 and 1, got {list(values)}.")
    return values.astype("float64")


def _spread(count: int) -> np.ndarray:
    """Thresholds evenly spread over 0 to 1, both included; one half if there is one."""
    return np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5])


def _among_top_k(y_pred: Any, k: int) -> Any:
    """The predictions, those not among the best `k` of their sample set to the lowest value."""
    _, best = ops.top_k(y_pred, k, sorted=False)
    chosen = ops.max(ops.one_hot(best, y_pred.shape[-1], dtype=y_pred.dtype), axis=-2)
    return ops.where(ops.greater(chosen, 0.0), y_pred, _LOWEST)


def count_above(
    y_pred: Any, thresholds: np.ndarray, weights: Sequence[Any], by_label: bool = False
) -> list[Any]:
    """For each of the weights, its sum over the predictions above each threshold.

    Args:
        y_pred: predictions; `(n, labels)` if counted by label.
        thresholds: `(thresholds,)`, ascending.
        weights: tensors of the shape of `y_pred`.
        by_label: count each label apart, `(thresholds, labels)`, else `(thresholds,)`.
    """
    axis = 0 if by_label else None
    if len(thresholds) == 1:
        above = ops.cast(ops.greater(y_pred, float(thresholds[0])), weights[0].dtype)
        return [
            ops.expand_dims(ops.sum(ops.multiply(above, w), axis=axis), 0) for w in weights
        ]
    # Each prediction goes into the bin between two thresholds; what is above a threshold is the
    # sum of the bins to its right. Work and memory do not grow with the number of thresholds.
    bins, labels = len(thresholds) + 1, y_pred.shape[-1] if by_label else 1
    index = ops.searchsorted(
        ops.convert_to_tensor(thresholds, y_pred.dtype), ops.reshape(y_pred, (-1,)), side="left"
    )
    if by_label:
        index = ops.add(
            ops.multiply(ops.reshape(index, (-1, labels)), labels),
            ops.arange(labels, dtype=index.dtype),
        )
        index = ops.reshape(index, (-1,))
    index = ops.cast(index, "int32")
    counts = []
    for w in weights:
        found = ops.segment_sum(ops.reshape(w, (-1,)), index, num_segments=bins * labels)
        found = ops.flip(ops.reshape(found, (bins, labels) if by_label else (bins,)), axis=0)
        counts.append(ops.flip(ops.cumsum(found, axis=0), axis=0)[1:])
    return counts


class _ConfusionMetric(Metric):
    """What metrics of true and false positives and negatives share.

    `_update` adds to the variables `true_positives`, `false_positives`, `true_negatives` and
    `false_negatives`, those that the metric has.
    """

    _multi_label = False
    _label_weights: Any = None
    top_k: int | None = None
    class_id: int | None = None

    def _set_thresholds(self, thresholds: np.ndarray) -> None:
        self._order = np.argsort(thresholds, kind="stable")
        self._back = np.argsort(self._order, kind="stable")
        self._sorted = thresholds[self._order]

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, in the order of the results."""
        return self._sorted[self._back].tolist()

    def _make_counts(self, names: Sequence[str], shape: tuple[int, ...]) -> None:
        for name in names:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))

    def _count(self, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any, Any, Any]:
        """Sums of weights above each threshold, of positives and of negatives; and in all."""
        mask = masking.get_mask(y_pred) if masking.in_use else None
        y_pred = as_tensor(y_pred, self._dtype)
        y_true, y_pred = same_rank(as_tensor(y_true), y_pred)
        check_shapes(self, y_true, y_pred)
        weights = None
        if sample_weight is not None or mask is not None:
            weights = masked_weights(sample_weight, mask, y_pred, self._dtype)
            weights = ops.multiply(weights, ops.ones_like(y_pred))
        if self.top_k is not None:
            y_pred = _among_top_k(y_pred, self.top_k)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
            weights = None if weights is None else weights[..., self.class_id]
        if self._label_weights is not None and not self._multi_label:
            given = as_tensor(self._label_weights, self._dtype)
            weights = ops.multiply(ops.ones_like(y_pred) if weights is None else weights, given)
        positive = ops.cast(ops.not_equal(y_true, 0), self._dtype)
        negative = ops.subtract(1.0, positive)
        if weights is not None:
            positive, negative = ops.multiply(positive, weights), ops.multiply(negative, weights)
        above = count_above(y_pred, self._sorted, (positive, negative), self._multi_label)
        if len(self._sorted) > 1 and (self._back[1:] < self._back[:-1]).any():
            back = self._back.astype("int32")
            above = [ops.take(x, back, axis=0) for x in above]
        axis = 0 if self._multi_label else None
        return *above, ops.sum(positive, axis=axis), ops.sum(negative, axis=axis)

    def _update(self, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
        tp, fp, positives, negatives = self._count(y_true, y_pred, sample_weight)
        for name, value in (
            ("true_positives", tp), ("false_positives", fp),
            ("true_negatives", negatives - fp), ("false_negatives", positives - tp),
        ):  # fmt: skip
            variable = getattr(self, name, None)
            if variable is not None:
                add(variable, value)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account.

        Args:
            y_true: labels, nonzero for positive, of any shape.
            y_pred: predictions between 0 and 1, of the same shape.
            sample_weight: a weight for each sample or each prediction.
        """
        self._update(y_true, y_pred, sample_weight)


def _scalar_if_one(x: Any) -> Any:
    """The result of a single threshold as a scalar."""
    return x[0] if x.shape[0] == 1 else x


class _Counter(_ConfusionMetric):
    """One of the four counts, at one or several thresholds."""

    _counts = ""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(dtype, name)
        self.init_thresholds = thresholds
        self._set_thresholds(_thresholds(thresholds, 0.5))
        self.accumulator = self.add_variable((len(self._sorted),), "zeros", name="accumulator")
        setattr(self, self._counts, self.accumulator)

    def result(self) -> Any:
        return ops.copy(_scalar_if_one(self.accumulator.value))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Counter):
    """How many positives are predicted as such.

    Args:
        thresholds: predictions above it mean 1; a list for a count at each. Default 0.5.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    true_positives: Variable
    _counts = "true_positives"


class TrueNegatives(_Counter):
    """How many negatives are predicted as such.

    Args:
        thresholds: predictions above it mean 1; a list for a count at each. Default 0.5.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0]))
    2.0
    """

    true_negatives: Variable
    _counts = "true_negatives"


class FalsePositives(_Counter):
    """How many negatives are predicted as positive.

    Args:
        thresholds: predictions above it mean 1; a list for a count at each. Default 0.5.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1]))
    2.0
    """

    false_positives: Variable
    _counts = "false_positives"


class FalseNegatives(_Counter):
    """How many positives are predicted as negative.

    Args:
        thresholds: predictions above it mean 1; a list for a count at each. Default 0.5.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0]))
    2.0
    """

    false_negatives: Variable
    _counts = "false_negatives"


class _Share(_ConfusionMetric):
    """The share of true positives in a group: precision and recall."""

    true_positives: Variable
    _others = ""

    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(dtype, name)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self._set_thresholds(_thresholds(thresholds, 0.5 if top_k is None else _LOWEST))
        self._make_counts(("true_positives", self._others), (len(self._sorted),))

    def result(self) -> Any:
        tp = self.true_positives.value
        whole = ops.add(tp, getattr(self, self._others).value)
        return _scalar_if_one(ops.divide_no_nan(tp, whole))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "thresholds": self.init_thresholds, "top_k": self.top_k,
            "class_id": self.class_id,
        }  # fmt: skip


class Precision(_Share):
    """The share of true positives in what is predicted as positive.

    Args:
        thresholds: predictions above it mean 1; a list for a result at each. Default 0.5.
        top_k: only the best `k` predictions of each sample can be positive (then no threshold).
        class_id: count this class alone.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.Precision()
    >>> m.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(m.result()), 4)
    0.6667
    """

    false_positives: Variable
    _others = "false_positives"


class Recall(_Share):
    """The share of true positives in all positives.

    Args:
        thresholds: predictions above it mean 1; a list for a result at each. Default 0.5.
        top_k: only the best `k` predictions of each sample can be positive (then no threshold).
        class_id: count this class alone.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.Recall()
    >>> m.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(m.result()), 4)
    0.6667
    """

    false_negatives: Variable
    _others = "false_negatives"


_FOUR = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class _Constrained(_ConfusionMetric):
    """The best of one rate over the thresholds at which another is at least a given value."""

    true_positives: Variable
    true_negatives: Variable
    false_positives: Variable
    false_negatives: Variable
    _given = ""

    def __init__(
        self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any
    ):
        super().__init__(dtype, name)
        if not 0 <= value <= 1:
            raise InvalidArgument(
                f"{type(self).__name__}: {self._given} is between 0 and 1, got {value}."
            )
        if num_thresholds <= 0:
            raise InvalidArgument(
                f"{type(self).__name__}: num_thresholds is positive, got {num_thresholds}."
            )
        self.value = value
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        setattr(self, self._given, value)
        self._set_thresholds(_spread(num_thresholds))
        self._make_counts(_FOUR, (num_thresholds,))

    def _rates(self) -> dict[str, Any]:
        tp, fp, tn, fn = (getattr(self, name).value for name in _FOUR)
        return {
            "sensitivity": ops.divide_no_nan(tp, ops.add(tp, fn)),
            "specificity": ops.divide_no_nan(tn, ops.add(tn, fp)),
            "precision": ops.divide_no_nan(tp, ops.add(tp, fp)),
        }

    def _best(self, rate: Any, constrained: Any) -> Any:
        enough = ops.greater_equal(constrained, self.value)
        return ops.max(ops.where(enough, rate, ops.zeros_like(rate)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "class_id": self.class_id,
            "num_thresholds": self.num_thresholds, self._given: self.value,
        }  # fmt: skip


class SensitivityAtSpecificity(_Constrained):
    """The best sensitivity (recall) over the thresholds at which specificity is high enough.

    Args:
        specificity: what is high enough: the share of negatives predicted as such, 0 to 1.
        num_thresholds: how many thresholds between 0 and 1 are tried.
        class_id: count this class alone.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.SensitivityAtSpecificity(0.5)
    >>> float(m([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    specificity: float
    _given = "specificity"

    def __init__(
        self, specificity: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        rates = self._rates()
        return self._best(rates["sensitivity"], rates["specificity"])


class SpecificityAtSensitivity(_Constrained):
    """The best specificity over the thresholds at which sensitivity (recall) is high enough.

    Args:
        sensitivity: what is high enough: the share of positives predicted as such, 0 to 1.
        num_thresholds: how many thresholds between 0 and 1 are tried.
        class_id: count this class alone.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.SpecificityAtSensitivity(0.5)
    >>> round(float(m([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.6667
    """

    sensitivity: float
    _given = "sensitivity"

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        rates = self._rates()
        return self._best(rates["specificity"], rates["sensitivity"])


class PrecisionAtRecall(_Constrained):
    """The best precision over the thresholds at which recall is high enough.

    Args:
        recall: what is high enough, 0 to 1.
        num_thresholds: how many thresholds between 0 and 1 are tried.
        class_id: count this class alone.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.PrecisionAtRecall(0.5)
    >>> float(m([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    recall: float
    _given = "recall"

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        rates = self._rates()
        return self._best(rates["precision"], rates["sensitivity"])


class RecallAtPrecision(_Constrained):
    """The best recall over the thresholds at which precision is high enough.

    Args:
        precision: what is high enough, 0 to 1.
        num_thresholds: how many thresholds between 0 and 1 are tried.
        class_id: count this class alone.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.RecallAtPrecision(0.8)
    >>> float(m([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.5
    """

    precision: float
    _given = "precision"

    def __init__(
        self, precision: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        rates = self._rates()
        return self._best(rates["sensitivity"], rates["precision"])


_CURVES = ("ROC", "PR", "PRGAIN")
_SUMMATIONS = ("interpolation", "minoring", "majoring")


class AUC(_ConfusionMetric):
    """The area under a curve that a changing threshold draws, by a Riemann sum over thresholds.

    Args:
        num_thresholds: how many thresholds, evenly spread over 0 to 1.
        curve: `"ROC"` (true over false positive rate), `"PR"` (precision over recall) or
            `"PRGAIN"` (precision gain over recall gain).
        summation_method: `"interpolation"` (trapezoids; on the PR curve the interpolation of
            Davis and Goadrich, 2006), `"minoring"` or `"majoring"` (the lower or higher side).
        name, dtype: see `Metric`.
        thresholds: own thresholds between 0 and 1, in place of `num_thresholds`.
        multi_label: an area for each column of the labels, then their mean; else all labels are
            pooled.
        num_labels: the number of columns, with `multi_label`; by default the first batch tells.
        label_weights: a weight for each column.
        from_logits: predictions are logits.

    >>> import kerasish as keras
    >>> m = keras.metrics.AUC(num_thresholds=3)
    >>> m.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    >>> float(m.result())
    0.75
    """

    true_positives: Variable
    true_negatives: Variable
    false_positives: Variable
    false_negatives: Variable

    def __init__(
        self, num_thresholds: int = 200, curve: str = "ROC",
        summation_method: str = "interpolation", name: str | None = None, dtype: Any = None,
        thresholds: Any = None, multi_label: bool = False, num_labels: int | None = None,
        label_weights: Any = None, from_logits: bool = False,
    ):  # fmt: skip
        super().__init__(dtype, name)
        self.curve = _choice("curve", str(curve).upper(), _CURVES)
        self.summation_method = _choice(
            "summation_method", str(summation_method).lower(), _SUMMATIONS
        )
        if thresholds is not None:
            inner = np.sort(_thresholds(thresholds, 0.5))
            self.num_thresholds = len(inner) + 2
        else:
            if not isinstance(num_thresholds, int) or num_thresholds < 2:
                raise InvalidArgument(f"AUC: num_thresholds is an int above 1, got "
                                      f"{num_thresholds!r}.")
            self.num_thresholds = num_thresholds
            inner = np.linspace(0.0, 1.0, num_thresholds)[1:-1]
        self._inner = None if thresholds is None else inner
        # All predictions are above the first and none is above the last.
        epsilon = config.epsilon()
        self._set_thresholds(np.concatenate([[-epsilon], inner, [1.0 + epsilon]]))
        self.multi_label = self._multi_label = bool(multi_label)
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else [float(w) for w in label_weights]
        self._label_weights = self.label_weights
        self._from_logits = bool(from_logits)
        if num_labels is not None and not multi_label:
            raise InvalidArgument("AUC: num_labels is for multi_label=True only.")
        if not multi_label:
            self._make_counts(_FOUR, (self.num_thresholds,))
        elif num_labels is not None:
            self._make_counts(_FOUR, (self.num_thresholds, num_labels))

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Makes the state of a multi-label metric for predictions of this shape."""
        if hasattr(self, "true_positives"):
            return
        if len(y_pred_shape) != 2 or y_pred_shape[1] is None:
            raise InvalidArgument(
                f"AUC with multi_label needs predictions of shape (batch, labels), got "
                f"{tuple(y_pred_shape)}."
            )
        self._make_counts(_FOUR, (self.num_thresholds, int(y_pred_shape[1])))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account.

        Args:
            y_true: labels, nonzero for positive, of any shape; `(batch, labels)` if multi-label.
            y_pred: predictions, of the same shape.
            sample_weight: a weight for each sample or each prediction.
        """
        mask = masking.get_mask(y_pred) if masking.in_use else None
        y_pred = as_tensor(y_pred, self._dtype)
        if self._from_logits:
            y_pred = ops.sigmoid(y_pred)
        if self._multi_label:
            self.build(None, y_pred.shape)
            labels = self.true_positives.shape[1]
            if len(y_pred.shape) != 2 or y_pred.shape[1] not in (labels, None):
                raise InvalidArgument(
                    f"AUC {self.name!r} counts {labels} labels and needs predictions of shape "
                    f"(batch, {labels}), got {tuple(y_pred.shape)}."
                )
        if mask is not None:
            sample_weight = masked_weights(sample_weight, mask, y_pred, self._dtype)
        self._update(y_true, y_pred, sample_weight)

    def result(self) -> Any:
        if not hasattr(self, "true_positives"):
            return ops.zeros((), dtype=self._dtype)
        tp, fp, tn, fn = (getattr(self, name).value for name in _FOUR)
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_pr(tp, fp, fn)
        else:
            areas = self._riemann(tp, fp, tn, fn)
        if not self._multi_label:
            return ops.sum(areas)
        areas = ops.sum(areas, axis=0)
        if self._label_weights is None:
            return ops.mean(areas)
        weights = as_tensor(self._label_weights, self._dtype)
        return ops.divide_no_nan(ops.sum(ops.multiply(areas, weights)), ops.sum(weights))

    def _riemann(self, tp: Any, fp: Any, tn: Any, fn: Any) -> Any:
        recall = ops.divide_no_nan(tp, ops.add(tp, fn))
        if self.curve == "ROC":
            x, y = ops.divide_no_nan(fp, ops.add(fp, tn)), recall
        elif self.curve == "PR":
            x, y = recall, ops.divide_no_nan(tp, ops.add(tp, fp))
        else:
            # Flach and Kull, 2015: gains over the classifier that says yes always.
            odds = ops.divide_no_nan(ops.add(tp, fn), ops.add(fp, tn))
            x = ops.relu(ops.subtract(1.0, ops.multiply(odds, ops.divide_no_nan(fn, tp))))
            x = ops.where(ops.greater(tp, 0.0), x, ops.zeros_like(x))
            y = ops.subtract(1.0, ops.multiply(odds, ops.divide_no_nan(fp, tp)))
        if self.summation_method == "interpolation":
            heights = ops.multiply(ops.add(y[:-1], y[1:]), 0.5)
        elif self.summation_method == "minoring":
            heights = ops.minimum(y[:-1], y[1:])
        else:
            heights = ops.maximum(y[:-1], y[1:])
        return ops.multiply(ops.subtract(x[:-1], x[1:]), heights)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(), "num_thresholds": self.num_thresholds, "curve": self.curve,
            "summation_method": self.summation_method, "multi_label": self.multi_label,
            "num_labels": self.num_labels, "label_weights": self.label_weights,
            "from_logits": self._from_logits,
        }  # fmt: skip
        if self._inner is not None:
            config["thresholds"] = self._inner.tolist()
        return config


def _choice(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InvalidArgument(f"AUC: {what} is one of {list(allowed)}, got {value!r}.")
    return value


def _interpolated_pr(tp: Any, fp: Any, fn: Any) -> Any:
    """Areas under the precision-recall curve between neighbouring thresholds.

    Between two of them true positives are taken as linear in all predicted positives, tp =
    slope * p + intercept; the integral of tp / p over recall then has a closed form.
    """
    p = ops.add(tp, fp)
    change = ops.subtract(tp[:-1], tp[1:])
    slope = ops.divide_no_nan(change, ops.maximum(ops.subtract(p[:-1], p[1:]), 0.0))
    intercept = ops.subtract(tp[1:], ops.multiply(slope, p[1:]))
    proper = ops.logical_and(ops.greater(p[:-1], 0.0), ops.greater(p[1:], 0.0))
    ratio = ops.where(proper, ops.divide_no_nan(p[:-1], p[1:]), ops.ones_like(slope))
    area = ops.multiply(slope, ops.add(change, ops.multiply(intercept, ops.log(ratio))))
    return ops.divide_no_nan(area, ops.maximum(ops.add(tp[1:], fn[1:]), 0.0))
