"""`Model.quantize`: the layers of a model in fewer bits."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

from kerasish.errors import InvalidArgument, StateError, Unsupported
from kerasish.layers import quantization
from kerasish.layers.adaptation import Adaptable


def quantize(model: Any, mode: Any, config: Any, filters: Any, type_check: bool = True) -> None:
    """What `Model.quantize` does."""
    config = quantization.resolve(mode, config)
    model._check_built("quantize()")
    accepts = _accepts(filters)
    layers = [
        x for x in model._flatten_layers() if isinstance(x, Adaptable) and x.built and accepts(x)
    ]  # fmt: skip
    if done := [x.name for x in layers if x.quantization_mode is not None]:
        raise StateError(f"Model {model.name!r}: layers {done} are quantized already.")
    if config.mode in ("gptq", "awq"):
        from kerasish.models import calibration

        calibration.quantize(model, config, layers)
    else:
        for layer in layers:
            try:
                layer.quantize(config=config, type_check=type_check)
            except Unsupported as error:
                warnings.warn(f"Not quantized: {error}", stacklevel=3)
    _renew(model)


def _accepts(filters: Any) -> Callable[[Any], Any]:
    """Whether a layer is to be quantized, from a pattern of names, several, or a function."""
    if filters is None:
        return lambda layer: True
    if callable(filters):
        return filters
    patterns = [filters] if isinstance(filters, str) else filters
    if not isinstance(patterns, list | tuple) or any(not isinstance(p, str) for p in patterns):
        raise InvalidArgument(
            "filters is a pattern of layer names, a list of them, or a function of a layer, got "
            f"{filters!r}."
        )
    return lambda layer: any(re.search(p, layer.name) for p in patterns)


def _renew(model: Any) -> None:
    """Forgets steps that were compiled for, and optimizer state that belongs to, old weights."""
    if getattr(model, "compiled", False):
        model.__dict__.pop("_trainable_cache", None)
        optimizer = model.optimizer
        if optimizer is not None and optimizer.built:
            model.optimizer = type(optimizer).from_config(optimizer.get_config())
