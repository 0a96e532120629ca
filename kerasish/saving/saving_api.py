"""Models to files and back: `.keras` archives and `.weights.h5`, interchangeable with Keras 3.

A `.keras` archive is a zip of `metadata.json`, `config.json` and `model.weights.h5`. A loader takes
only those members, never extracts a path, reads no link and no external storage, and checks the
size of every array against the built model before it takes memory. Files are written beside their
target and moved into place, so a crash leaves the old file whole.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import pathlib
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish import dtypes
from kerasish._version import __version__
from kerasish.core.operation import snake_case
from kerasish.errors import InvalidArgument, UnsafeFile
from kerasish.layers.base import Layer
from kerasish.saving import serialization

_WEIGHTS = "model.weights.h5"
_SKIPPED = frozenset({
    "_inbound_nodes", "_init_args", "_losses", "_layers", "_variables", "_metrics_added",
    "_graph", "_compiled_steps", "_seen_shapes", "_objective", "_measures", "_loss_tracker",
    "_stack", "_graph_layers", "_own_input", "_trainable_cache", "_predict_kept", "history",
    "_compile_config", "loss",
})  # fmt: skip


@contextlib.contextmanager
def _replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A temporary file beside `path` that takes its place when the block succeeds."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield pathlib.Path(name)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _target(filepath: Any, overwrite: bool) -> pathlib.Path:
    path = pathlib.Path(os.fspath(filepath))
    if not path.parent.is_dir():
        raise InvalidArgument(f"The folder {str(path.parent)!r} does not exist.")
    if path.exists() and not overwrite:
        raise InvalidArgument(f"{str(path)!r} exists and overwrite=False.")
    return path


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
) -> None:
    """Writes a model with weights and optimizer state to a `.keras` file.

    Args:
        model: the model.
        filepath: a path that ends in `.keras`.
        overwrite: whether an existing file is replaced.
        zipped: kept for compatibility; the file is always one zip archive.
    """
    kwargs.pop("include_optimizer", None)
    kwargs.pop("save_format", None)
    if kwargs:
        raise InvalidArgument(f"save_model has no arguments {sorted(kwargs)}.")
    if not str(filepath).endswith(".keras"):
        raise InvalidArgument(
            f"A model file ends in .keras, got {str(filepath)!r}. For weights alone use "
            "model.save_weights('....weights.h5')."
        )
    path = _target(filepath, overwrite)
    config = serialization.serialize_keras_object(model)
    metadata = {
        "keras_version": "3.15.0",
        "kerasish_version": __version__,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    weights = io.BytesIO()
    _write_h5(model, weights)
    with _replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr(_WEIGHTS, weights.getvalue())
        for name, content in _collect_assets(model):
            archive.writestr(name, content)


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True,
    safe_mode: bool = True,
) -> Any:  # fmt: skip
    """The model in a `.keras` file.

    Args:
        filepath: the file.
        custom_objects: names of your classes and functions, where they are not registered.
        compile: whether it is compiled as it was when saved.
        safe_mode: refuse Python code in the file (lambdas).
    """
    path = pathlib.Path(os.fspath(filepath))
    if not path.is_file():
        raise InvalidArgument(f"There is no file {str(path)!r}.")
    if not zipfile.is_zipfile(path):
        raise InvalidArgument(
            f"{str(path)!r} is not a .keras archive. Weights alone (.weights.h5) are read by "
            "model.load_weights(path)."
        )
    with zipfile.ZipFile(path) as archive:
        config = json.loads(_member(archive, "config.json", 256 << 20))
        if not compile:
            config.pop("compile_config", None)
        compiled = config.pop("compile_config", None)
        model = serialization.deserialize_keras_object(
            config, custom_objects=custom_objects, safe_mode=safe_mode
        )
        if compiled:
            try:
                with serialization.safe_mode_scope(safe_mode):
                    from kerasish.saving.object_registration import CustomObjectScope

                    with CustomObjectScope(custom_objects or {}):
                        model.compile_from_config(compiled)
            except Exception as error:
                warnings.warn(
                    f"The model was loaded but not compiled: {error}. Call model.compile().",
                    stacklevel=2,
                )
        assets = {
            n: _member(archive, n, 1 << 30) for n in archive.namelist()
            if n.startswith("assets/") and not n.endswith("/")
        }
        _restore_assets(model, assets)
        limit = 4 * sum(
            int(np.prod(v.shape)) * 8 for v in _all_variables(model)
        ) + (64 << 20)
        if _WEIGHTS in archive.namelist():
            _read_h5(model, io.BytesIO(_member(archive, _WEIGHTS, limit)), False)
    return model


def _all_variables(model: Any) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    return [*model.variables, *(optimizer.variables if optimizer is not None else ())]


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member's bytes; its size is checked before it is unpacked."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise InvalidArgument(f"The archive has no {name!r}: it is not a model file.") from None
    if info.file_size > limit:
        raise UnsafeFile(
            f"{name!r} claims {info.file_size} bytes, more than the {limit} that this model can "
            "need. The file is damaged or malicious."
        )
    with archive.open(info) as file:
        return file.read(limit + 1)


def save_weights(
    model: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
) -> None:
    """Writes the weights to a `.weights.h5` file, or to `.safetensors`."""
    path = _target(filepath, overwrite)
    if path.name.endswith(".safetensors"):
        from safetensors.numpy import save_file

        with _replacing(path) as temporary:
            save_file({v.path: v.numpy() for v in model.variables}, str(temporary))
        return
    if not path.name.endswith(".weights.h5"):
        raise InvalidArgument(
            f"A weights file ends in .weights.h5 or .safetensors, got {str(path)!r}."
        )
    if not model.built:
        raise InvalidArgument(f"Model {model.name!r} has no weights yet: build it first.")
    with _replacing(path) as temporary:
        _write_h5(model, str(temporary))


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Reads weights from `.weights.h5`, `.safetensors` or a `.keras` file into a built model."""
    kwargs.pop("objects_to_skip", None)
    path = pathlib.Path(os.fspath(filepath))
    if not path.is_file():
        raise InvalidArgument(f"There is no file {str(path)!r}.")
    if path.name.endswith(".safetensors"):
        from safetensors.numpy import load_file

        found = load_file(str(path))
        for v in model.variables:
            if v.path in found:
                v.assign(found[v.path])
            elif not skip_mismatch:
                raise InvalidArgument(f"{str(path)!r} has no weight {v.path!r}.")
    elif path.name.endswith(".keras"):
        with zipfile.ZipFile(path) as archive:
            _read_h5(model, io.BytesIO(_member(archive, _WEIGHTS, 1 << 40)), skip_mismatch)
    else:
        _read_h5(model, str(path), skip_mismatch)


# The tree of objects that hold variables, in the layout of Keras' weight files -----------------


def _saveable(x: Any) -> bool:
    return hasattr(x, "save_own_variables")


def _children(obj: Any) -> Iterator[tuple[str, Any]]:
    """(path below the object, object) for every object in its attributes."""
    attributes = vars(obj)
    if hasattr(obj, "_graph"):  # a model
        if obj._graph is not None or hasattr(obj, "_stack"):
            yield from _in_container("layers", obj.layers)
        else:
            attributes = {**attributes, "layers": obj.layers}
    for name in sorted(attributes):
        value = attributes[name]
        if name in _SKIPPED or name.startswith("__"):
            continue
        if _saveable(value):
            yield name, value
        elif isinstance(value, list | tuple | set | dict):
            yield from _in_container(name, value)


def _in_container(name: str, items: Any) -> Iterator[tuple[str, Any]]:
    used: dict[str, int] = {}
    for x in items.values() if isinstance(items, dict) else items:
        nested = isinstance(x, list | tuple | set | dict)
        if not nested and not _saveable(x):
            continue
        base = "container" if nested else snake_case(type(x).__name__)
        n = used.get(base, 0)
        used[base] = n + 1
        path = f"{name}/{base}" if n == 0 else f"{name}/{base}_{n}"
        if nested:
            yield from _in_container(path, x)
        else:
            yield path, x


def _walk(obj: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    seen = set() if seen is None else seen
    if id(obj) in seen:
        return
    seen.add(id(obj))
    yield path, obj
    for name, child in _children(obj):
        yield from _walk(child, f"{path}/{name}" if path else name, seen)


def _h5(target: Any, mode: str) -> Any:
    try:
        import h5py
    except ImportError:
        raise InvalidArgument("Weight files need h5py: pip install h5py.") from None
    return h5py.File(target, mode)



def _write_h5(model: Any, target: Any) -> None:
    with _h5(target, "w") as file:
        for path, obj in _walk(model):
            store: dict[str, Any] = {}
            obj.save_own_variables(store)
            group = file.create_group(f"{path}/vars" if path else "vars")
            if isinstance(obj, Layer):
                group.attrs["name"] = obj.name
            if hasattr(obj, "save_notes"):
                group.attrs.update(obj.save_notes())
            for key, value in store.items():
                value = np.asarray(value)
                if value.dtype.name == "bfloat16":
                    data = group.create_dataset(key, data=value.view(np.uint16))
                    data.attrs["dtype"] = "bfloat16"
                else:
                    group.create_dataset(key, data=value)


class _Store:
    """One object's arrays in a file: a mapping that checks each before it is read."""

    def __init__(self, group: Any):
        self.group = group

    def keys(self) -> list[str]:
        return [] if self.group is None else list(self.group.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: str) -> bool:
        return key in self.keys()

    def items(self) -> Any:
        return ((k, self[k]) for k in self.keys())

    def __getitem__(self, key: str) -> np.ndarray:
        import h5py

        link = self.group.get(key, getlink=True)
        data = self.group.get(key) if isinstance(link, h5py.HardLink) else None
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
            raise UnsafeFile(
                f"Weight {self.group.name}/{key} is not a plain array inside the file (a link or "
                "external storage). Such files are not read."
            )
        value = data[()]
        if data.attrs.get("dtype") == "bfloat16":
            value = np.asarray(value).view(dtypes.numpy_dtype("bfloat16"))
        return np.asarray(value)


def _read_h5(model: Any, source: Any, skip_mismatch: bool) -> None:
    import h5py

    with _h5(source, "r") as file:
        _check_sizes(file, model)
        for path, obj in _walk(model):
            group = file
            for part in (f"{path}/vars" if path else "vars").split("/"):
                link = None if group is None else group.get(part, getlink=True)
                group = group.get(part) if isinstance(link, h5py.HardLink) else None
            store = _Store(group)
            if group is None or not len(store):
                own = _own_variables(obj)
                if own and not skip_mismatch and isinstance(obj, Layer):
                    raise InvalidArgument(
                        f"The file has no weights for layer {obj.name!r} (at {path!r}), which has "
                        f"{len(own)}. It was saved from another architecture; skip_mismatch=True "
                        "loads what fits."
                    )
                continue
            if hasattr(obj, "load_notes"):
                obj.load_notes(group.attrs)
            try:
                obj.load_own_variables(store)
            except (ValueError, KeyError) as error:
                if isinstance(error, UnsafeFile) or not skip_mismatch:
                    raise
                warnings.warn(f"Skipped {path!r}: {error}", stacklevel=3)


def _own_variables(obj: Any) -> list[Any]:
    return obj._own_variables() if isinstance(obj, Layer) else []


def _check_sizes(file: Any, model: Any) -> None:
    """No array may be larger than the largest that the built model has."""
    import h5py

    sizes = [int(np.prod(v.shape)) for v in _all_variables(model)]
    largest = max(sizes, default=0) + (1 << 20)

    def visit(name: str, data: Any) -> None:
        if isinstance(data, h5py.Dataset) and int(np.prod(data.shape, dtype=object)) > largest:
            raise UnsafeFile(
                f"{name!r} has shape {data.shape}, larger than any weight of the model."
            )

    file.visititems(visit)


# Assets: vocabularies and the like ---------------------------------------------------------------


def _collect_assets(model: Any) -> Iterator[tuple[str, bytes]]:
    for path, obj in _walk(model):
        if hasattr(obj, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                obj.save_assets(folder)
                for file in sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file()):
                    name = file.relative_to(folder).as_posix()
                    yield f"assets/{path}/{name}", file.read_bytes()


def _restore_assets(model: Any, assets: dict[str, bytes]) -> None:
    for path, obj in _walk(model):
        if not hasattr(obj, "load_assets"):
            continue
        prefix = f"assets/{path}/"
        own = {n[len(prefix):]: c for n, c in assets.items() if n.startswith(prefix)}
        own = {
            n: c for n, c in own.items()
            if "/" not in n and "\\" not in n and n not in (".", "..")
        }
        if own:
            with tempfile.TemporaryDirectory() as folder:
                for name, content in own.items():
                    (pathlib.Path(folder) / name).write_bytes(content)
                obj.load_assets(folder)
