"""Pipeline: layers applied one after the other."""

from __future__ import annotations

import inspect
from typing import Any

from kerasish.layers.preprocessing.host import PipelineLayer
from kerasish.saving import serialization


class Pipeline(PipelineLayer):
    """Preprocessing layers in a row, as one layer.

    Args:
        layers: the layers, in the order in which they are applied.

    >>> import kerasish as keras
    >>> double, shift = keras.layers.Rescaling(2.0), keras.layers.Rescaling(1.0, offset=1.0)
    >>> keras.layers.Pipeline([double, shift])(keras.ops.array([1.0, 2.0])).tolist()
    [3.0, 5.0]
    """

    def __init__(self, layers: Any, name: str | None = None, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self._pipeline_layers = list(layers)

    @property
    def layers(self) -> list[Any]:
        return self._pipeline_layers

    def call(self, inputs: Any, training: Any = True, mask: Any = None) -> Any:
        for layer in self._pipeline_layers:
            takes = inspect.signature(layer.call).parameters
            kwargs = {"mask": mask} if mask is not None and "mask" in takes else {}
            if "training" in takes and training is not None:
                kwargs["training"] = training
            inputs = layer(inputs, **kwargs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {
            "layers": [serialization.serialize_keras_object(x) for x in self._pipeline_layers],
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        layers = [serialization.deserialize_keras_object(x) for x in config["layers"]]
        return cls(layers, name=config.get("name"))
