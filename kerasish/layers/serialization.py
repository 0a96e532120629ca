"""Layers to configs and back."""

from __future__ import annotations

from typing import Any

from kerasish.errors import InvalidArgument
from kerasish.layers.base import Layer
from kerasish.saving import serialization


def serialize(layer: Layer) -> dict[str, Any]:
    """The config of a layer, a dict that `deserialize` makes a layer of the same kind from.

    Args:
        layer: the layer.

    >>> import kerasish as keras
    >>> keras.layers.serialize(keras.layers.Dense(3))["config"]["units"]
    3
    """
    return serialization.serialize_keras_object(layer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Layer:
    """The layer of a config.

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions by the names that stand in the config.

    >>> import kerasish as keras
    >>> keras.layers.deserialize(keras.layers.serialize(keras.layers.Dense(3))).units
    3
    """
    obj = serialization.deserialize_keras_object(config, custom_objects=custom_objects)
    if not isinstance(obj, Layer):
        raise InvalidArgument(f"The config is not a layer's: it made {obj!r}.")
    return obj
