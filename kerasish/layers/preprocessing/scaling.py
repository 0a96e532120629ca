"""Layers that scale values."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.layers.preprocessing.host import PipelineLayer


class Rescaling(PipelineLayer):
    """`inputs * scale + offset`.

    Args:
        scale: the factor (a number, or one for each channel).
        offset: added afterwards.

    >>> import kerasish as keras
    >>> keras.layers.Rescaling(1 / 255)(keras.ops.array([255.0])).tolist()
    [1.0]
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        scale = ops.convert_to_tensor(self.scale, dtype=self.compute_dtype)
        offset = ops.convert_to_tensor(self.offset, dtype=self.compute_dtype)
        return ops.add(ops.multiply(x, scale), offset)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
