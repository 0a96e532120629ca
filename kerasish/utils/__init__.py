"""Utilities; each loads when it is first used."""

from kerasish._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    modules="bounding_boxes legacy",
    names={
        "kerasish.saving.object_registration": (
            "CustomObjectScope custom_object_scope get_custom_objects get_registered_name "
            "get_registered_object register_keras_serializable"
        ),
        "kerasish.saving.serialization": "deserialize_keras_object serialize_keras_object",
        "kerasish.callbacks.progress": (
            "Progbar disable_interactive_logging enable_interactive_logging "
            "is_interactive_logging_enabled"
        ),
        "kerasish.random": "set_random_seed",
        "kerasish.core.symbolic": "is_keras_tensor",
        "kerasish.dtypes": "standardize_dtype=standardize",
        "kerasish.utils.session": "clear_session",
        "kerasish.utils.numerical": "normalize to_categorical",
        "kerasish.utils.sequence": "pad_sequences",
        "kerasish.utils.images": "array_to_img img_to_array load_img save_img",
        "kerasish.utils.batches": "pack_x_y_sample_weight unpack_x_y_sample_weight",
        "kerasish.utils.torch_module": "to_torch_module",
        "kerasish.utils.py_dataset": "PyDataset Sequence=PyDataset",
        "kerasish.utils.feature_space": "FeatureSpace",
        "kerasish.utils.settings": "Config",
        "kerasish.utils.files": "get_file",
        "kerasish.utils.plotting": "get_source_inputs model_to_dot plot_model",
        "kerasish.utils.data_sets": (
            "audio_dataset_from_directory image_dataset_from_directory split_dataset "
            "text_dataset_from_directory timeseries_dataset_from_array"
        ),
    },
)
