"""The short configs of older Keras versions: `{"class_name": ..., "config": ...}`."""

from __future__ import annotations

from typing import Any

from kerasish.errors import InvalidArgument
from kerasish.saving import object_registration as registration
from kerasish.saving import serialization


def serialize_keras_object(instance: Any) -> Any:
    """The class name and config of an object, or the name of a function.

    Args:
        instance: the object.

    >>> import kerasish as keras
    >>> keras.utils.legacy.serialize_keras_object(keras.layers.ReLU(name="r"))["class_name"]
    'ReLU'
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        config = serialization.serialize_keras_object(instance)["config"]
        return {"class_name": registration.get_registered_name(type(instance)), "config": config}
    if hasattr(instance, "__name__"):
        return registration.get_registered_name(instance)
    raise InvalidArgument(f"Cannot serialize {instance!r}: it has no get_config() and no name.")


def deserialize_keras_object(
    identifier: Any, module_objects: dict[str, Any] | None = None,
    custom_objects: dict[str, Any] | None = None, printable_module_name: str = "object",
) -> Any:  # fmt: skip
    """What `serialize_keras_object` of this module describes.

    Args:
        identifier: the config, or a name.
        module_objects: names that are known besides the registered ones.
        custom_objects: names of your own, which come first.
        printable_module_name: what kind of thing it is, for errors.

    >>> import kerasish as keras
    >>> config = {"class_name": "ReLU", "config": {"max_value": 6.0}}
    >>> keras.utils.legacy.deserialize_keras_object(config).max_value
    6.0
    """
    if identifier is None:
        return None
    named = isinstance(identifier, str)
    if not named and not (
        isinstance(identifier, dict) and {"class_name", "config"} <= identifier.keys()
    ):
        if callable(identifier):
            return identifier
        raise InvalidArgument(
            f"The config of a {printable_module_name} has 'class_name' and 'config', got "
            f"{identifier!r}."
        )
    name = identifier if named else identifier["class_name"]
    found = registration.get_registered_object(name, custom_objects, module_objects)
    if found is None:
        try:
            found = serialization.retrieve("keras", name, None)
        except InvalidArgument:
            raise InvalidArgument(
                f"Unknown {printable_module_name}: {name!r}. Pass it in custom_objects, or "
                "register it with keras.saving.register_keras_serializable."
            ) from None
    if named:
        return found() if isinstance(found, type) else found
    if not hasattr(found, "from_config"):
        return found
    with registration.CustomObjectScope(custom_objects or {}):
        return found.from_config(identifier["config"])
