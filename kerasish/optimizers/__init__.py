"""Optimizers and learning-rate schedules."""

from __future__ import annotations

from typing import Any

from kerasish.optimizers import legacy, schedules
from kerasish.optimizers.adafactor import Adafactor
from kerasish.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam
from kerasish.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from kerasish.optimizers.base import Optimizer
from kerasish.optimizers.loss_scale import LossScaleOptimizer
from kerasish.optimizers.multi import MultiOptimizer, OptimizerMap
from kerasish.optimizers.muon import Muon
from kerasish.optimizers.schedule_free import ScheduleFreeAdamW
from kerasish.optimizers.sgd import SGD, Lion
from kerasish.saving import serialization

_CLASSES = (
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, LossScaleOptimizer,
    MultiOptimizer, Muon, Nadam, RMSprop, SGD, ScheduleFreeAdamW,
)  # fmt: skip
_BY_NAME = {name: cls for cls in _CLASSES for name in (cls.__name__.lower(), cls.__name__)}

__all__ = [
    "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion",
    "LossScaleOptimizer", "MultiOptimizer", "Muon", "Nadam", "Optimizer", "OptimizerMap",
    "RMSprop", "SGD", "ScheduleFreeAdamW", "deserialize", "get", "legacy", "schedules",
    "serialize",
]  # fmt: skip


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The config of an optimizer, from which `deserialize` makes it anew, without its state.

    Args:
        optimizer: the optimizer.

    >>> import kerasish as keras
    >>> keras.optimizers.serialize(keras.optimizers.SGD(0.5))["config"]["learning_rate"]
    0.5
    """
    return serialization.serialize_keras_object(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer that a config of `serialize` describes.

    Args:
        config: what `serialize` returned.
        custom_objects: classes by the names that stand in the config.

    >>> import kerasish as keras
    >>> config = keras.optimizers.serialize(keras.optimizers.Adam(beta_1=0.8))
    >>> keras.optimizers.deserialize(config).beta_1
    0.8
    """
    name = config.get("class_name")
    if name in _BY_NAME:  # names in lower case are known too
        config = {**config, "class_name": _BY_NAME[name].__name__}
    return serialization.deserialize_keras_object(config, custom_objects=custom_objects)


def get(identifier: Any) -> Any:
    """An optimizer by name (in any case), config, class or instance; `None` stays `None`.

    Args:
        identifier: a name, a config, a class or an optimizer.

    >>> import kerasish as keras
    >>> type(keras.optimizers.get("rmsprop")).__name__
    'RMSprop'
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str) and identifier.lower() in _BY_NAME:
        identifier = identifier.lower()
    return serialization.lookup(identifier, _BY_NAME, "optimizer")
