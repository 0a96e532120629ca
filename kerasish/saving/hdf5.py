"""Whole models in one HDF5 file (`.h5`): what Keras wrote before `.keras`, and still reads.

Attributes hold the configs as JSON; the group `model_weights` holds a group for each layer, whose
attribute `weight_names` tells the order of its arrays. Nothing but plain arrays is read.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish import backends
from kerasish._version import KERAS
from kerasish.core import scope
from kerasish.errors import InvalidArgument
from kerasish.saving import serialization
from kerasish.saving.object_registration import CustomObjectScope


def write(model: Any, file: Any, include_optimizer: bool = True) -> None:
    """Writes a built model to an open HDF5 file."""
    file.attrs["keras_version"] = KERAS
    file.attrs["backend"] = backends.active.name
    file.attrs["model_config"] = json.dumps(_short(serialization.serialize_keras_object(model)))
    weights = file.create_group("model_weights")
    weights.attrs["keras_version"] = KERAS
    weights.attrs["backend"] = backends.active.name
    weights.attrs["layer_names"] = _texts([layer.name for layer in model.layers])
    for layer in model.layers:
        _write_group(weights.create_group(layer.name), _in_order(layer))
    inside = {id(v) for layer in model.layers for v in layer.weights}
    own = [v for v in _in_order(model) if id(v) not in inside]
    _write_group(weights.create_group("top_level_model_weights"), own)
    compiled = model.get_compile_config()
    if include_optimizer and compiled:
        compiled["optimizer_config"] = _short(compiled.pop("optimizer", None))
        file.attrs["training_config"] = json.dumps(compiled)
        if model.optimizer is not None:
            _write_group(file.create_group("optimizer_weights"), model.optimizer.variables)


def read(
    file: Any, custom_objects: dict[str, Any] | None, compile: bool, safe_mode: bool, size: int
) -> Any:
    """The model in an open HDF5 file of `size` bytes."""
    text = file.attrs.get("model_config")
    if text is None:
        raise InvalidArgument(
            "The file holds weights and no model. Make the model, then model.load_weights(path)."
        )
    room = scope.memory_scope((64 << 20) + 8 * size)
    with room, CustomObjectScope(custom_objects or {}):
        model = serialization.deserialize_keras_object(json.loads(text), safe_mode=safe_mode)
        read_weights(model, file, False, False)
        told = json.loads(file.attrs.get("training_config") or "null") if compile else None
        if told:
            told["optimizer"] = told.pop("optimizer_config", None)
            known = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics",
                     "run_eagerly", "steps_per_execution", "jit_compile")
            try:
                with serialization.safe_mode_scope(safe_mode):
                    model.compile_from_config({k: v for k, v in told.items() if k in known})
            except Exception as error:
                warnings.warn(
                    f"The model was loaded but not compiled: {error}. Call model.compile().",
                    stacklevel=4,
                )
            else:
                if "optimizer_weights" in file:
                    _assign(_fitting(
                        model.optimizer.variables, file, "optimizer_weights", "the optimizer"
                    ))  # fmt: skip
    return model


def read_weights(model: Any, file: Any, by_name: bool, skip_mismatch: bool) -> None:
    """Fills a built model, layer by layer in their order or by their names."""
    from kerasish.saving.saving_api import _check_sizes

    _check_sizes(file, model)
    root = "model_weights" if "layer_names" not in file.attrs else ""
    group = _group(file, root)
    names = [name for name in _names(group, "layer_names")
             if _names(_group(group, name), "weight_names")]
    layers = [layer for layer in model.layers if layer.weights]
    if by_name:
        known = {layer.name: layer for layer in layers}
        pairs = [(known[name], name) for name in names if name in known]
    else:
        if len(names) != len(layers):
            raise InvalidArgument(
                f"The file has {len(names)} layers with weights, model {model.name!r} has "
                f"{len(layers)}. by_name=True loads those of the same name."
            )
        pairs = list(zip(layers, names, strict=True))
    found = []  # nothing is assigned before everything is known to fit
    for layer, name in pairs:
        try:
            found += _fitting(_in_order(layer), group, name, f"layer {layer.name!r}")
        except InvalidArgument as error:
            if not skip_mismatch:
                raise
            warnings.warn(f"{error} Its weights stay as they are.", stacklevel=4)
    inside = {id(v) for layer in model.layers for v in layer.weights}
    own = [v for v in _in_order(model) if id(v) not in inside]
    if own and "top_level_model_weights" in group:
        found += _fitting(own, group, "top_level_model_weights", f"model {model.name!r}")
    _assign(found)


def _short(config: Any) -> Any:
    return config and {"class_name": config["class_name"], "config": config["config"]}


def _in_order(layer: Any) -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _texts(names: list[str]) -> np.ndarray:
    import h5py

    return np.array(names, h5py.string_dtype())


def _write_group(group: Any, variables: list[Any]) -> None:
    names: dict[str, Any] = {}
    for variable in variables:
        name, number = variable.path, 0
        while name in names:
            number += 1
            name = f"{variable.path}_{number}"
        names[name] = variable
    group.attrs["weight_names"] = _texts(list(names))
    for name, variable in names.items():
        group.create_dataset(name, data=variable.numpy())


def _group(file: Any, path: str) -> Any:
    """A group that is in the file itself: no link is followed."""
    import h5py

    for name in filter(None, path.split("/")):
        link = file.get(name, getlink=True)
        file = file.get(name) if isinstance(link, h5py.HardLink) else None
        if not isinstance(file, h5py.Group):
            raise InvalidArgument(f"The file has no group {path!r}.")
    return file


def _names(group: Any, attribute: str) -> list[str]:
    """The strings of an attribute, which long lists divide into numbered ones."""

    def parts() -> Iterator[Any]:
        if attribute in group.attrs:
            yield from group.attrs[attribute]
        number = 0
        while f"{attribute}{number}" in group.attrs:
            yield from group.attrs[f"{attribute}{number}"]
            number += 1

    return [x.decode() if isinstance(x, bytes) else str(x) for x in parts()]


def _fitting(
    variables: list[Any], file: Any, path: str, what: str
) -> list[tuple[Any, np.ndarray]]:
    """The variables with the arrays of a group, which fit them."""
    from kerasish.saving.saving_api import _Store

    group = _group(file, path)
    names = _names(group, "weight_names")
    if len(names) != len(variables):
        raise InvalidArgument(
            f"The file has {len(names)} arrays for {what}, which has {len(variables)}."
        )
    values = []
    for name, variable in zip(names, variables, strict=True):
        folder, leaf = os.path.split(name)
        value = _Store(_group(group, folder))[leaf]
        if value.shape != tuple(variable.shape):
            raise InvalidArgument(
                f"The array {name!r} for {what} has shape {value.shape}, the variable "
                f"{variable.path!r} {tuple(variable.shape)}."
            )
        values.append(value)
    return list(zip(variables, values, strict=True))


def _assign(found: list[tuple[Any, np.ndarray]]) -> None:
    for variable, value in found:
        variable.assign(value)
