"""Models: `Model` (functional or subclassed) and `Sequential`."""

from kerasish._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    names={
        "kerasish.models.cloning": "clone_model",
        "kerasish.models.model": "Functional Model model_from_json",
        "kerasish.models.sequential": "Sequential",
        "kerasish.saving.saving_api": "load_model save_model",
    },
)
