"""Preprocessing functions under their older names; each module loads when it is first used."""

from kerasish._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    modules="image sequence",
    names={
        "kerasish.utils.data_sets": (
            "image_dataset_from_directory text_dataset_from_directory "
            "timeseries_dataset_from_array"
        ),
    },
)
