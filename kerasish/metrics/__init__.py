"""Metrics: what training is watched by."""

from __future__ import annotations

from typing import Any

from kerasish.core.operation import snake_case
from kerasish.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from kerasish.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from kerasish.metrics.base import Metric
from kerasish.metrics.confusion import (
    AUC,
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from kerasish.metrics.correlation import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    concordance_correlation,
    pearson_correlation,
)
from kerasish.metrics.fscore import F1Score, FBetaScore
from kerasish.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from kerasish.metrics.margin import CategoricalHinge, Hinge, SquaredHinge
from kerasish.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from kerasish.metrics.reduction import Mean, MeanMetricWrapper, Sum
from kerasish.metrics.regression import (
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    R2Score,
    RootMeanSquaredError,
)

_CLASSES = (
    AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, BinaryIoU, CategoricalAccuracy,
    CategoricalCrossentropy, CategoricalHinge, ConcordanceCorrelation, CosineSimilarity, F1Score,
    FBetaScore, FalseNegatives, FalsePositives, Hinge, IoU, KLDivergence, LogCoshError, Mean,
    MeanAbsoluteError, MeanAbsolutePercentageError, MeanIoU, MeanMetricWrapper, MeanSquaredError,
    MeanSquaredLogarithmicError, OneHotIoU, OneHotMeanIoU, PearsonCorrelation, Poisson, Precision,
    PrecisionAtRecall, R2Score, Recall, RecallAtPrecision, RootMeanSquaredError,
    SensitivityAtSpecificity, SparseCategoricalAccuracy, SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy, SpecificityAtSensitivity, SquaredHinge, Sum,
    TopKCategoricalAccuracy, TrueNegatives, TruePositives,
)  # fmt: skip
_FUNCTIONS = (
    binary_accuracy, binary_crossentropy, binary_focal_crossentropy, categorical_accuracy,
    categorical_crossentropy, categorical_focal_crossentropy, categorical_hinge,
    concordance_correlation, hinge, huber, kl_divergence, log_cosh, mean_absolute_error,
    mean_absolute_percentage_error, mean_squared_error, mean_squared_logarithmic_error,
    pearson_correlation, poisson, sparse_categorical_accuracy, sparse_categorical_crossentropy,
    sparse_top_k_categorical_accuracy, squared_hinge, top_k_categorical_accuracy,
)  # fmt: skip
_SHORT = {
    "bce": BinaryCrossentropy, "kld": KLDivergence, "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError, "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError, "rmse": RootMeanSquaredError,
}  # fmt: skip
_NAMES: dict[str, Any] = {
    **{f.__name__: f for f in _FUNCTIONS},
    **{snake_case(c.__name__): c for c in _CLASSES},
    **{c.__name__: c for c in _CLASSES},
    "fbeta_score": FBetaScore, "kl_divergence": KLDivergence, "logcosh": LogCoshError,
    **_SHORT,
    **{name.upper(): cls for name, cls in _SHORT.items()},
}  # fmt: skip

__all__ = [
    "Metric", "deserialize", "get", "serialize", *(x.__name__ for x in (*_CLASSES, *_FUNCTIONS))
]  # fmt: skip


def get(identifier: Any) -> Any:
    """The metric of a name (`"mse"`, `"AUC"`), a config, a class, or the metric itself.

    Any callable `(y_true, y_pred)` is returned as it is; `None` gives `None`.

    Args:
        identifier: a name, a config, a class or a metric.

    >>> import kerasish as keras
    >>> keras.metrics.get("mse").name, keras.metrics.get("AUC").num_thresholds
    ('mean_squared_error', 200)
    """
    from kerasish.saving.serialization import lookup

    return lookup(identifier, _NAMES, "metric")


def serialize(metric: Any) -> Any:
    """The config of a metric.

    Args:
        metric: the metric.

    >>> import kerasish as keras
    >>> keras.metrics.serialize(keras.metrics.Precision(top_k=2))["config"]["top_k"]
    2
    """
    from kerasish.saving.serialization import serialize_keras_object

    return serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The metric that a config (or name) describes.

    Args:
        config: a config that `serialize` made, or a name.
        custom_objects: names of your own metrics, where they are not registered.

    >>> import kerasish as keras
    >>> config = keras.metrics.serialize(keras.metrics.Precision(top_k=2))
    >>> keras.metrics.deserialize(config).top_k
    2
    """
    from kerasish.saving.object_registration import CustomObjectScope

    with CustomObjectScope(custom_objects or {}):
        return get(config)
