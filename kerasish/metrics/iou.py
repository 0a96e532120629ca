"""Intersection over union of predicted and labelled classes, for segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish import config, dtypes, ops
from kerasish.core.op import describe
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers import masking
from kerasish.losses.base import as_tensor, masked_weights
from kerasish.metrics.base import Metric, add


class _IoU(Metric):
    """A confusion matrix of classes and the intersection over union of each."""

    def __init__(
        self, num_classes: int, name: str | None = None, dtype: Any = None,
        ignore_class: int | None = None, sparse_y_true: bool = True, sparse_y_pred: bool = True,
        axis: int = -1,
    ):  # fmt: skip
        super().__init__(dtype or "int32", name)
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        # Floats also where the metric's dtype is an integer one: weights may be fractions.
        self._count_dtype = self._dtype if dtypes.is_float(self._dtype) else config.floatx()
        self.total_cm = self.add_variable(
            (num_classes, num_classes), "zeros", self._count_dtype, name="total_confusion_matrix"
        )

    def _classes(self, x: Any, sparse: bool) -> Any:
        x = ops.convert_to_tensor(x)
        return ops.cast(x if sparse else ops.argmax(x, axis=self.axis), "int32")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account. Labels that are no class (or `ignore_class`) do not count.

        Args:
            y_true: class numbers of any shape, or one-hot labels.
            y_pred: class numbers of the same shape, or probabilities.
            sample_weight: a weight for each sample or each label.
        """
        mask = masking.get_mask(y_pred) if masking.in_use else None
        y_true = self._classes(y_true, self.sparse_y_true)
        y_pred = self._classes(y_pred, self.sparse_y_pred)
        self._add(y_true, y_pred, sample_weight, mask)

    def _add(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> None:
        n = self.num_classes
        weights = None
        if sample_weight is not None or mask is not None:
            weights = masked_weights(sample_weight, mask, y_true, self._count_dtype)
            ones = ops.ones_like(y_true, dtype=self._count_dtype)
            weights = ops.reshape(ops.multiply(weights, ones), (-1,))
        y_true, y_pred = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1,))
        if None not in (*y_true.shape, *y_pred.shape) and y_true.shape[0] != y_pred.shape[0]:
            raise ShapeError(
                f"Metric {self.name!r} ({type(self).__name__}) got {y_true.shape[0]} labels and "
                f"{y_pred.shape[0]} predictions: {describe(y_true)} and {describe(y_pred)}."
            )
        valid = ops.equal(y_true, ops.clip(y_true, 0, n - 1))
        valid = ops.logical_and(valid, ops.equal(y_pred, ops.clip(y_pred, 0, n - 1)))
        if self.ignore_class is not None:
            valid = ops.logical_and(valid, ops.not_equal(y_true, self.ignore_class))
        counts = ops.cast(valid, self._count_dtype)
        if weights is not None:
            counts = ops.multiply(counts, weights)
        cell = ops.where(
            valid, ops.add(ops.multiply(y_true, n), y_pred), ops.zeros_like(y_true)
        )
        matrix = ops.segment_sum(counts, cell, num_segments=n * n)
        add(self.total_cm, ops.reshape(matrix, (n, n)))

    def _mean_over(self, classes: Sequence[int] | None) -> Any:
        """The mean over the classes that occur in labels or predictions."""
        matrix = self.total_cm.value
        right = ops.diagonal(matrix)
        union = ops.subtract(ops.add(ops.sum(matrix, axis=0), ops.sum(matrix, axis=1)), right)
        if classes is not None:
            which = ops.convert_to_tensor(list(classes), "int32")
            right, union = ops.take(right, which, axis=0), ops.take(union, which, axis=0)
        occurs = ops.cast(ops.greater(union, 0), self._count_dtype)
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(right, union)), ops.sum(occurs))

    def result(self) -> Any:
        return self._mean_over(None)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_classes": self.num_classes,
            "ignore_class": self.ignore_class, "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred, "axis": self.axis,
        }  # fmt: skip


def _without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k not in names}


class IoU(_IoU):
    """The mean intersection over union of some classes.

    For a class it is true positives / (true positives + false positives + false negatives).

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes that the mean is taken over.
        name, dtype: see `Metric`.
        ignore_class: a label (such as -1 or 255) that does not count.
        sparse_y_true: labels are class numbers, not one-hot.
        sparse_y_pred: predictions are class numbers, not probabilities.
        axis: the class axis of what is not sparse.

    >>> import kerasish as keras
    >>> m = keras.metrics.IoU(num_classes=2, target_class_ids=[0])
    >>> m.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(m.result()), 4)
    0.3333
    """

    def __init__(
        self, num_classes: int, target_class_ids: Sequence[int], name: str | None = None,
        dtype: Any = None, ignore_class: int | None = None, sparse_y_true: bool = True,
        sparse_y_pred: bool = True, axis: int = -1,
    ):  # fmt: skip
        super().__init__(
            num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )
        self.target_class_ids = list(target_class_ids)
        wrong = [i for i in self.target_class_ids if not 0 <= i < num_classes]
        if wrong:
            raise InvalidArgument(
                f"{type(self).__name__}: target_class_ids are from 0 to {num_classes - 1}, got "
                f"{wrong}."
            )

    def result(self) -> Any:
        return self._mean_over(self.target_class_ids)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_class_ids": self.target_class_ids}


class BinaryIoU(IoU):
    """The mean intersection over union of foreground (1) and background (0).

    Args:
        target_class_ids: the classes that the mean is taken over.
        threshold: predictions of at least this are foreground.
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
    >>> m.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
    >>> round(float(m.result()), 4)
    0.3333
    """

    def __init__(
        self, target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5,
        name: str | None = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account.

        Args:
            y_true: labels 0 and 1 of any shape.
            y_pred: probabilities of 1, of the same shape.
            sample_weight: a weight for each sample or each label.
        """
        mask = masking.get_mask(y_pred) if masking.in_use else None
        y_pred = as_tensor(y_pred, self._count_dtype)
        foreground = ops.cast(ops.greater_equal(y_pred, self.threshold), "int32")
        self._add(self._classes(y_true, True), foreground, sample_weight, mask)

    def get_config(self) -> dict[str, Any]:
        config = _without(
            super().get_config(), "num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred",
            "axis",
        )  # fmt: skip
        return {**config, "threshold": self.threshold}


class MeanIoU(_IoU):
    """The mean intersection over union of all classes.

    Args:
        num_classes: how many classes there are.
        name, dtype: see `Metric`.
        ignore_class: a label (such as -1 or 255) that does not count.
        sparse_y_true: labels are class numbers, not one-hot.
        sparse_y_pred: predictions are class numbers, not probabilities.
        axis: the class axis of what is not sparse.

    >>> import kerasish as keras
    >>> m = keras.metrics.MeanIoU(num_classes=2)
    >>> m.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(m.result()), 4)
    0.3333
    """


class OneHotIoU(IoU):
    """The mean intersection over union of some classes, for one-hot labels.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes that the mean is taken over.
        name, dtype: see `Metric`.
        ignore_class: a class whose labels do not count.
        sparse_y_pred: predictions are class numbers, not probabilities.
        axis: the class axis.

    >>> import kerasish as keras
    >>> y_true = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> m = keras.metrics.OneHotIoU(num_classes=3, target_class_ids=[0, 2])
    >>> round(float(m(y_true, y_pred)), 4)
    0.1667
    """

    def __init__(
        self, num_classes: int, target_class_ids: Sequence[int], name: str | None = None,
        dtype: Any = None, ignore_class: int | None = None, sparse_y_pred: bool = False,
        axis: int = -1,
    ):  # fmt: skip
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """The mean intersection over union of all classes, for one-hot labels.

    Args:
        num_classes: how many classes there are.
        name, dtype: see `Metric`.
        ignore_class: a class whose labels do not count.
        sparse_y_pred: predictions are class numbers, not probabilities.
        axis: the class axis.

    >>> import kerasish as keras
    >>> y_true = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> round(float(keras.metrics.OneHotMeanIoU(num_classes=3)(y_true, y_pred)), 4)
    0.1111
    """

    def __init__(
        self, num_classes: int, name: str | None = None, dtype: Any = None,
        ignore_class: int | None = None, sparse_y_pred: bool = False, axis: int = -1,
    ):  # fmt: skip
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "sparse_y_true")
