"""TensorFlow SavedModels as layers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.errors import InvalidArgument


class SavedModel:
    """A SavedModel on disk: its endpoints as functions, and its variables."""

    def __init__(self, path: str):
        self.path = path
        self.loaded = tf.saved_model.load(path)

    def endpoint(self, name: str) -> Any:
        """The function of that name: an attribute of the model, or one of its signatures."""
        found = getattr(self.loaded, name, None)
        if callable(found):
            return found
        signatures = getattr(self.loaded, "signatures", {})
        if name in signatures:
            return _positional(signatures[name])
        functions = sorted(
            k for k in dir(self.loaded) if not k.startswith("_") and k not in (
                "graph_debug_info", "signatures", "tensorflow_git_version", "tensorflow_version",
            ) and callable(getattr(self.loaded, k))
        )
        raise InvalidArgument(
            f"The SavedModel at {self.path!r} has no endpoint {name!r}. It has {functions} and the "
            f"signatures {sorted(signatures)}: give one as call_endpoint."
        )

    def variables(self) -> list[Any]:
        """The variables, those to be trained first."""
        found = {
            id(x): x for x in tf.train.TrackableView(self.loaded).descendants()
            if isinstance(x, tf.Variable)
        }
        return sorted(found.values(), key=lambda v: not v.trainable)


def _positional(signature: Any) -> Any:
    """A signature, whose arguments have names only, as a function of positional ones."""
    names = list(signature.structured_input_signature[1])

    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], dict):
            return signature(**args[0], **kwargs)
        return signature(**dict(zip(names, args, strict=False)), **kwargs)

    return call


foreign_saved_model = SavedModel


def foreign_bind(held: tf.Variable, variable: Any) -> None:
    """Makes a variable hold a SavedModel's own, which its functions read."""
    variable._tf_variable = held
    variable.value  # noqa: B018 - moves here, into the variable just named
