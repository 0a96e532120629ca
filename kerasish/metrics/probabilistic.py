"""Mean cross-entropies and divergences as metrics."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.losses.classification import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from kerasish.losses.regression import kl_divergence, poisson
from kerasish.metrics.reduction import MeanMetricWrapper


class KLDivergence(MeanMetricWrapper):
    """The mean Kullback-Leibler divergence of predictions from labels.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> round(float(keras.metrics.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def __init__(self, name: str = "kl_divergence", dtype: Any = None):
        super().__init__(kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """The mean of `y_pred - y_true * log(y_pred)`.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> round(float(keras.metrics.Poisson()([[1.0, 4.0]], [[1.0, 2.0]])), 4)
    0.1137
    """

    def __init__(self, name: str = "poisson", dtype: Any = None):
        super().__init__(poisson, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of yes-or-no predictions.

    Args:
        name, dtype: see `Metric`.
        from_logits: predictions are logits, not probabilities.
        label_smoothing: how far each label is moved towards 0.5, 0 to 1.

    >>> import kerasish as keras
    >>> m = keras.metrics.BinaryCrossentropy(from_logits=True)
    >>> round(float(m([[0.0, 1.0]], [[0.0, 0.0]])), 4)
    0.6931
    """

    def __init__(
        self, name: str = "binary_crossentropy", dtype: Any = None, from_logits: bool = False,
        label_smoothing: float = 0,
    ):  # fmt: skip
        super().__init__(
            binary_crossentropy, name, dtype, from_logits=from_logits,
            label_smoothing=label_smoothing,
        )  # fmt: skip


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of one-hot labels.

    Args:
        name, dtype: see `Metric`.
        from_logits: predictions are logits, not probabilities.
        label_smoothing: how much of each label is spread evenly over all classes, 0 to 1.
        axis: the class axis.

    >>> import kerasish as keras
    >>> m = keras.metrics.CategoricalCrossentropy()
    >>> round(float(m([[0.0, 1.0, 0.0]], [[0.05, 0.95, 0.0]])), 4)
    0.0513
    """

    def __init__(
        self, name: str = "categorical_crossentropy", dtype: Any = None, from_logits: bool = False,
        label_smoothing: float = 0, axis: int = -1,
    ):  # fmt: skip
        super().__init__(
            categorical_crossentropy, name, dtype, from_logits=from_logits,
            label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of class numbers.

    Args:
        name, dtype: see `Metric`.
        from_logits: predictions are logits, not probabilities.
        ignore_class: a label (such as -1 or 255) that does not count.
        axis: the class axis.

    >>> import kerasish as keras
    >>> m = keras.metrics.SparseCategoricalCrossentropy()
    >>> round(float(m([1, 0], [[0.1, 0.9], [0.4, 0.6]])), 4)
    0.5108
    """

    def __init__(
        self, name: str = "sparse_categorical_crossentropy", dtype: Any = None,
        from_logits: bool = False, ignore_class: int | None = None, axis: int = -1,
    ):  # fmt: skip
        super().__init__(
            sparse_categorical_crossentropy, name, dtype, from_logits=from_logits,
            ignore_class=ignore_class, axis=axis,
        )  # fmt: skip
        self.ignore_class = ignore_class

    def valid(self, y_true: Any) -> Any:
        if self.ignore_class is None:
            return None
        return ops.not_equal(ops.convert_to_tensor(y_true), self.ignore_class)
