"""Files and configs; each name loads when it is first used."""

from kerasish._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    names={
        "kerasish.saving.object_registration": (
            "CustomObjectScope custom_object_scope get_custom_objects get_registered_name "
            "get_registered_object register_keras_serializable"
        ),
        "kerasish.saving.serialization": "deserialize_keras_object serialize_keras_object",
        "kerasish.saving.saving_api": "load_model load_weights save_model save_weights",
    },
)
