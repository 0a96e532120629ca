"""Losses: what training makes small."""

from __future__ import annotations

from typing import Any

from kerasish.losses.base import Loss, LossFunctionWrapper  # noqa: F401
from kerasish.losses.classification import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from kerasish.losses.margin import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from kerasish.losses.overlap import Dice, Tversky, dice, tversky
from kerasish.losses.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)
from kerasish.losses.structured import CTC, Circle, circle, ctc

_CLASSES = (
    BinaryCrossentropy, BinaryFocalCrossentropy, CTC, CategoricalCrossentropy,
    CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy, CategoricalHinge, Circle,
    CosineSimilarity, Dice, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson,
    SparseCategoricalCrossentropy, SquaredHinge, Tversky,
)  # fmt: skip
_FUNCTIONS = (
    binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy,
    categorical_focal_crossentropy, categorical_generalized_cross_entropy, categorical_hinge,
    circle, cosine_similarity, ctc, dice, hinge, huber, kl_divergence, log_cosh,
    mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
    mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge,
    tversky,
)  # fmt: skip
_SHORT = {
    "bce": binary_crossentropy, "kld": kl_divergence, "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error, "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}  # fmt: skip
_NAMES: dict[str, Any] = {
    **{x.__name__: x for x in (*_CLASSES, *_FUNCTIONS)},
    **_SHORT,
    **{name.upper(): function for name, function in _SHORT.items()},
}

__all__ = [
    "Loss", "deserialize", "get", "serialize", *(x.__name__ for x in (*_CLASSES, *_FUNCTIONS))
]  # fmt: skip


def get(identifier: Any) -> Any:
    """The loss of a name (`"mse"`, `"MeanSquaredError"`), a config, a class, or the loss itself.

    Names in lower case give functions, names of classes give objects; `None` gives `None`.

    Args:
        identifier: a name, a config, a class, a loss or any callable `(y_true, y_pred)`.

    >>> import kerasish as keras
    >>> keras.losses.get("mse").__name__, keras.losses.get("Huber").name
    ('mean_squared_error', 'huber_loss')
    """
    from kerasish.saving.serialization import lookup

    return lookup(identifier, _NAMES, "loss")


def serialize(loss: Any) -> Any:
    """The config of a loss or loss function.

    Args:
        loss: the loss.

    >>> import kerasish as keras
    >>> keras.losses.serialize(keras.losses.Huber(delta=2.0))["config"]["delta"]
    2.0
    """
    from kerasish.saving.serialization import serialize_keras_object

    return serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss that a config (or name) describes.

    Args:
        name: a config that `serialize` made, or a name.
        custom_objects: names of your own losses, where they are not registered.

    >>> import kerasish as keras
    >>> config = keras.losses.serialize(keras.losses.Huber(delta=2.0))
    >>> keras.losses.deserialize(config).get_config()["delta"]
    2.0
    """
    from kerasish.saving.object_registration import CustomObjectScope

    with CustomObjectScope(custom_objects or {}):
        return get(name)
