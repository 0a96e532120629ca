"""Models to files and back: `.keras` archives and `.weights.h5`, interchangeable with Keras 3.

A `.keras` archive is a zip of `metadata.json`, `config.json` and `model.weights.h5`. A loader takes
only those members, never extracts a path, reads no link and no external storage, and checks the
size of every array against the built model before it takes memory. Files are written beside their
target and moved into place, so a crash leaves the old file whole.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import io
import json
import math
import os
import pathlib
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasish import dtypes
from kerasish._version import KERAS, RELEASE
from kerasish.core import scope
from kerasish.core.operation import snake_case
from kerasish.errors import FileMissing, InvalidArgument, KerasishError, UnsafeFile
from kerasish.layers.base import Layer
from kerasish.saving import hdf5, serialization
from kerasish.saving.object_registration import CustomObjectScope

if TYPE_CHECKING:
    from kerasish.models.model import Model

_WEIGHTS = "model.weights.h5"
_HDF5 = (".h5", ".hdf5")
_SHARDS = ".weights.json"
_SPARE = 64 << 20
"""Bytes that any file may ask for, besides what its own size explains."""
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
        filepath: a path that ends in `.keras`, or in `.h5` for the format of older versions.
        overwrite: whether an existing file is replaced.
        zipped: kept for compatibility; the file is always one zip archive.

    >>> import os, tempfile
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     keras.saving.save_model(model, os.path.join(folder, "model.keras"))
    ...     os.listdir(folder)
    ['model.keras']
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    kwargs.pop("save_format", None)
    if kwargs:
        raise InvalidArgument(f"save_model has no arguments {sorted(kwargs)}.")
    if str(filepath).endswith(_HDF5) and not str(filepath).endswith(".weights.h5"):
        if not model.built:
            raise InvalidArgument(f"Model {model.name!r} has no weights yet: build it first.")
        with _replacing(_target(filepath, overwrite)) as temporary, _h5(temporary, "w") as file:
            hdf5.write(model, file, include_optimizer)
        return
    if not str(filepath).endswith(".keras"):
        raise InvalidArgument(
            f"A model file ends in .keras, got {str(filepath)!r}. For weights alone use "
            "model.save_weights('....weights.h5')."
        )
    path = _target(filepath, overwrite)
    config = serialization.serialize_keras_object(model)
    metadata = {
        "keras_version": KERAS,
        "kerasish_version": RELEASE,
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
) -> Model:  # fmt: skip
    """The model in a `.keras` file, or in an `.h5` file of an older version.

    Args:
        filepath: the file.
        custom_objects: names of your classes and functions, where they are not registered.
        compile: whether it is compiled as it was when saved.
        safe_mode: refuse Python code in the file (lambdas).

    A file that is damaged or asks for what it must not raises an `InvalidArgument` or `UnsafeFile`.

    >>> import os, tempfile
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(path := os.path.join(folder, "model.keras"))
    ...     again = keras.saving.load_model(path)
    >>> x = keras.ops.ones((1, 3))
    >>> model(x).tolist() == again(x).tolist()
    True
    """
    path = pathlib.Path(os.fspath(filepath))
    if not path.is_file():
        raise FileMissing(f"There is no file {str(path)!r}.")
    if path.name.endswith(_HDF5) and not path.name.endswith(".weights.h5"):
        with _reading(path), _h5(path, "r") as file:
            return hdf5.read(file, custom_objects, compile, safe_mode, path.stat().st_size)
    if not zipfile.is_zipfile(path):
        raise InvalidArgument(
            f"{str(path)!r} is not a .keras archive. Weights alone (.weights.h5) are read by "
            "model.load_weights(path)."
        )
    with _reading(path), _archive(path) as archive:
        config = json.loads(_member(archive, "config.json", 256 << 20))
        if not isinstance(config, dict) or "class_name" not in config:
            raise InvalidArgument(f"config.json of {str(path)!r} does not describe a model.")
        compiled = config.pop("compile_config", None) if compile else None
        config.pop("compile_config", None)
        weights = _member(archive, _WEIGHTS, _SPARE + 64 * path.stat().st_size)
        with scope.memory_scope(_SPARE + 8 * len(weights)):
            model = serialization.deserialize_keras_object(
                config, custom_objects=custom_objects, safe_mode=safe_mode
            )
        if not issubclass(type(model), Layer):
            raise InvalidArgument(f"{str(path)!r} holds {model!r}, which is not a model.")
        if compiled:
            try:
                with (
                    serialization.safe_mode_scope(safe_mode),
                    CustomObjectScope(custom_objects or {}),
                    scope.memory_scope(_SPARE + 8 * len(weights)),
                ):
                    model.compile_from_config(compiled)
            except UnsafeFile as error:
                raise UnsafeFile(
                    f"{error} With compile=False the model is loaded without it."
                ) from None
            except Exception as error:
                warnings.warn(
                    f"The model was loaded but not compiled: {error}. Call model.compile().",
                    stacklevel=2,
                )
        room = _SPARE + 64 * path.stat().st_size
        assets = {}
        for name in archive.namelist():
            if name.startswith("assets/") and not name.endswith("/"):
                assets[name] = _member(archive, name, room)
                room -= len(assets[name])
        _restore_assets(model, assets)
        _read_h5(model, io.BytesIO(weights), False)
    return model


@contextlib.contextmanager
def _reading(path: pathlib.Path) -> Iterator[None]:
    """What goes wrong with a damaged or hostile file is told in one kind of error."""
    try:
        yield
    except KerasishError:
        raise
    except RecursionError:
        raise UnsafeFile(f"{str(path)!r} is nested too deeply to be a model's file.") from None
    except Exception as error:
        raise InvalidArgument(
            f"{str(path)!r} cannot be loaded ({type(error).__name__}: {error}). It is damaged, or "
            "was not written by kerasish or Keras 3."
        ) from error


def _archive(path: pathlib.Path) -> zipfile.ZipFile:
    """The archive, if each member is a plain file that stays inside it."""
    archive = zipfile.ZipFile(path)
    infos = archive.infolist()
    names = [info.filename for info in infos]
    for info in infos:
        parts = info.filename.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or ":" in parts[0]:
            raise UnsafeFile(f"The archive has a member {info.filename!r}, a path out of it.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise UnsafeFile(f"The archive's member {info.filename!r} is a link.")
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise UnsafeFile(f"The archive has more than one member {twice[0]!r}.")
    return archive


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
    """Writes the weights to a `.weights.h5` file, or to `.safetensors`.

    Args:
        model: a built model.
        filepath: a path with one of these endings.
        overwrite: whether an existing file is replaced.
        max_shard_size: gigabytes for each file: several are written, `name_00000.weights.h5` and
            so on, and `name.weights.json`, the path to load them by.

    >>> import os, tempfile
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     keras.saving.save_weights(model, os.path.join(folder, "model.weights.h5"))
    ...     os.listdir(folder)
    ['model.weights.h5']
    """
    path = _target(filepath, overwrite)
    if max_shard_size is not None and path.name.endswith(".weights.h5"):
        path = _target(path.with_name(path.name[: -len(".weights.h5")] + _SHARDS), overwrite)
    if path.name.endswith(".safetensors"):
        with _replacing(path) as temporary:
            _write_safetensors(model, str(temporary))
        return
    if not path.name.endswith((".weights.h5", _SHARDS)):
        raise InvalidArgument(
            f"A weights file ends in .weights.h5 or .safetensors, got {str(path)!r}."
        )
    if not model.built:
        raise InvalidArgument(f"Model {model.name!r} has no weights yet: build it first.")
    if path.name.endswith(_SHARDS):
        _write_shards(model, path, math.inf if max_shard_size is None else max_shard_size * 2**30)
        return
    with _replacing(path) as temporary:
        _write_h5(model, str(temporary))


def load_weights(
    model: Any, filepath: Any, skip_mismatch: bool = False, objects_to_skip: Any = None,
    **kwargs: Any,
) -> None:
    """Reads weights from `.weights.h5`, `.safetensors` or a `.keras` file into a built model.

    Args:
        model: the model; where reading fails it keeps its own weights.
        filepath: the file; also an `.h5` of an older version, whose layers are taken in their
            order, or with `by_name=True` by their names; also the `.weights.json` of shards.
        skip_mismatch: load what fits and warn about the rest, in place of an error.
        objects_to_skip: layers that keep their own weights.

    >>> import os, tempfile
    >>> import kerasish as keras
    >>> one = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> other = keras.models.clone_model(one)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one.save_weights(path := os.path.join(folder, "model.weights.h5"))
    ...     keras.saving.load_weights(other, path)
    >>> one.get_weights()[0].tolist() == other.get_weights()[0].tolist()
    True
    """
    skipped = {id(x) for x in objects_to_skip or ()}
    path = pathlib.Path(os.fspath(filepath))
    older = path.name.endswith(_HDF5) and not path.name.endswith(".weights.h5")
    by_name = kwargs.pop("by_name", False) if older else False
    if kwargs:
        raise InvalidArgument(
            f"load_weights has no arguments {sorted(kwargs)}: weights are found by where their "
            "layer stands in the model. skip_mismatch=True loads what fits."
        )
    if not path.is_file():
        raise FileMissing(f"There is no file {str(path)!r}.")
    before = [(v, np.array(v.numpy())) for v in _all_variables(model)]
    try:
        with _reading(path):
            if path.name.endswith(".safetensors"):
                _read_safetensors(model, str(path), skip_mismatch, skipped)
            elif path.name.endswith(_SHARDS):
                _read_shards(model, path, skip_mismatch, skipped)
            elif path.name.endswith(".keras"):
                limit = _SPARE + 4 * sum(value.nbytes for _, value in before)
                with _archive(path) as archive:
                    weights = _member(archive, _WEIGHTS, limit)
                _read_h5(model, io.BytesIO(weights), skip_mismatch, skipped)
            elif older:
                with _h5(path, "r") as file:
                    hdf5.read_weights(model, file, by_name, skip_mismatch)
            else:
                _read_h5(model, str(path), skip_mismatch, skipped)
    except BaseException:
        for v, value in before:
            v.assign(value)
        raise


# The tree of objects that hold variables, in the layout of Keras' weight files -----------------


def _saveable(x: Any) -> bool:
    return hasattr(x, "save_own_variables") and not isinstance(x, type)


def _children(obj: Any) -> Iterator[tuple[str, Any]]:
    """(path below the object, object) for every object in its attributes."""
    attributes = vars(obj)
    if hasattr(obj, "_graph"):  # a model
        if obj._graph is not None or hasattr(obj, "_stack"):
            yield from _in_container("layers", obj.layers)
        else:
            attributes = {**attributes, "layers": obj.layers}
    attributes = {**_properties(obj), **attributes}
    # Of several names for one object the public one counts, as in Keras.
    for name in sorted(attributes, key=lambda name: (name.startswith("_"), name)):
        value = attributes[name]
        if name in _SKIPPED or name.startswith("__"):
            continue
        if _saveable(value):
            yield name, value
        elif isinstance(value, list | tuple | set | dict):
            yield from _in_container(name, value)


def _properties(obj: Any) -> dict[str, Any]:
    """What the properties hold that a layer's class adds to those of the bases of all."""
    found = {}
    for cls in type(obj).__mro__ if isinstance(obj, Layer) else ():
        for name, how in vars(cls).items() if cls not in _bases() else ():
            if isinstance(how, property | functools.cached_property):
                with contextlib.suppress(Exception):  # of a user's property, or not built yet
                    found[name] = getattr(obj, name)
    return found


@functools.cache
def _bases() -> frozenset[type]:
    from kerasish.layers.adaptation import Adaptable, LowRank
    from kerasish.models import Sequential

    return frozenset((*Sequential.__mro__, Adaptable, LowRank))


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


def _contents(model: Any) -> Iterator[tuple[str, Any, dict[str, np.ndarray], dict[str, str]]]:
    """(place in a file, object, its arrays, its notes) for all that holds variables."""
    for path, obj in _walk(model):
        store: dict[str, Any] = {}
        obj.save_own_variables(store)
        arrays = {key: np.asarray(value) for key, value in store.items()}
        notes = obj.save_notes() if hasattr(obj, "save_notes") else {}
        yield f"{path}/vars" if path else "vars", obj, arrays, notes


def _write_safetensors(model: Any, target: str) -> None:
    from safetensors.numpy import save_file

    found, told = {}, {}
    for path, _, arrays, notes in _contents(model):
        found.update({f"{path}/{key}": np.array(value) for key, value in arrays.items()})
        told.update({f"{path}/{key}": value for key, value in notes.items()})
    save_file(found, target, told)


def _read_safetensors(
    model: Any, source: str, skip_mismatch: bool, skipped: Collection[int]
) -> None:
    from safetensors import safe_open

    with safe_open(source, "numpy") as file:
        told = file.metadata() or {}
        names = set(file.keys())

        def part(path: str) -> tuple[Any, dict[str, str]]:
            start = f"{path}/"
            inside = [n for n in names if n.rpartition("/")[0] == path]
            notes = {n[len(start):]: x for n, x in told.items() if n.rpartition("/")[0] == path}
            return {n[len(start):]: file.get_tensor(n) for n in inside}, notes

        _load(model, part, skip_mismatch, skipped)


def _write_h5(model: Any, target: Any) -> None:
    _write_contents(_contents(model), target)


def _write_contents(contents: Any, target: Any) -> None:
    with _h5(target, "w") as file:
        for path, obj, arrays, notes in contents:
            group = file.create_group(path)
            if isinstance(obj, Layer):
                group.attrs["name"] = obj.name
            group.attrs.update(notes)
            for key, value in arrays.items():
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

        if key not in self:
            raise InvalidArgument(f"The file has no array {self.group.name}/{key}.")
        link = self.group.get(key, getlink=True)
        data: Any = self.group.get(key) if isinstance(link, h5py.HardLink) else None
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
            raise UnsafeFile(
                f"Weight {self.group.name}/{key} is not a plain array inside the file (a link or "
                "external storage). Such files are not read."
            )
        if data.dtype.kind not in "biufcV" or data.dtype.hasobject or data.dtype.names:
            raise UnsafeFile(
                f"Weight {self.group.name}/{key} is of dtype {data.dtype}, which is no number."
            )
        value = data[()]
        if data.attrs.get("dtype") == "bfloat16":
            value = np.asarray(value).view(dtypes.numpy_dtype("bfloat16"))
        return np.asarray(value)


def _read_h5(
    model: Any, source: Any, skip_mismatch: bool, skipped: Collection[int] = ()
) -> None:
    with _h5(source, "r") as file:
        _check_sizes(file, model)

        def part(path: str) -> tuple[Any, Any]:
            group = _group(file, path)
            return _Store(group), {} if group is None else group.attrs

        _load(model, part, skip_mismatch, skipped)


def _group(file: Any, path: str) -> Any:
    """The group at a path that holds no links; `None` where there is none."""
    import h5py

    group = file
    for name in path.split("/"):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return None
        group = group.get(name)
    return group


# Shards: weight files of a limited size, and a `.weights.json` that tells what lies in which ------


def _write_shards(model: Any, path: pathlib.Path, limit: float) -> None:
    stem = path.name[: -len(_SHARDS)]
    shards: list[list[tuple[str, Any, dict[str, Any], Any]]] = [[]]
    places: dict[str, list[str]] = {}
    filled = total = 0
    for place, obj, arrays, notes in _contents(model):
        for key, value in arrays.items() or (("", None),):
            size = 0 if value is None else value.nbytes
            if filled and filled + size > limit:
                shards.append([])
                filled = 0
            filled, total = filled + size, total + size
            shard, name = shards[-1], f"{stem}_{len(shards) - 1:05}.weights.h5"
            if not shard or shard[-1][0] != place:
                shard.append((place, obj, {}, notes))
            if value is not None:
                shard[-1][2][key] = value
                if name not in places.setdefault(f"/{place}", []):
                    places[f"/{place}"].append(name)
    for n, contents in enumerate(shards):
        with _replacing(path.with_name(f"{stem}_{n:05}.weights.h5")) as temporary:
            _write_contents(contents, str(temporary))
    index = {"metadata": {"total_size": total}, "weight_map": places}
    with _replacing(path) as temporary:
        temporary.write_text(json.dumps(index, indent=4))


def _read_shards(
    model: Any, path: pathlib.Path, skip_mismatch: bool, skipped: Collection[int]
) -> None:
    places = json.loads(path.read_text())["weight_map"]
    names = {name for found in places.values() for name in found}
    if strange := [n for n in names if not _plain_name(n)]:
        raise UnsafeFile(f"{str(path)!r} names {strange}, which are no files beside it.")
    with contextlib.ExitStack() as stack:
        files = {}
        for name in sorted(names):
            files[name] = stack.enter_context(_h5(str(path.with_name(name)), "r"))
            _check_sizes(files[name], model)

        def part(place: str) -> tuple[Any, Any]:
            groups = [_group(files[n], place) for n in places.get(f"/{place}", ())]
            groups = [g for g in groups if g is not None]
            notes = {k: v for g in reversed(groups) for k, v in g.attrs.items()}
            return _Stores([_Store(g) for g in groups]), notes

        _load(model, part, skip_mismatch, skipped)


def _plain_name(name: Any) -> bool:
    return isinstance(name, str) and name.endswith(".weights.h5") and not set(name) & {"/", "\\"}


class _Stores(_Store):
    """One object's arrays where they lie in several files."""

    def __init__(self, stores: list[_Store]):
        self.stores = stores

    def keys(self) -> list[str]:
        return [key for store in self.stores for key in store.keys()]

    def __getitem__(self, key: str) -> np.ndarray:
        store = next((s for s in self.stores if key in s), None)
        if store is None:
            raise InvalidArgument(f"The shards have no array {key!r} of this layer.")
        return store[key]


def _load(
    model: Any, part: Callable[[str], tuple[Any, Any]], skip_mismatch: bool,
    skipped: Collection[int],
) -> None:  # fmt: skip
    """Gives each object that holds variables the (arrays, notes) of its part of a file."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built and model.trainable_variables:
        # State of an optimizer that has trained: this one takes it up before its first step.
        if len(part("optimizer/vars")[0]) > len(optimizer.variables):
            optimizer.build(model.trainable_variables)
    for path, obj in _walk(model, seen=set(skipped)):
        store, notes = part(f"{path}/vars" if path else "vars")
        if not len(store):
            own = _own_variables(obj)
            if own and not skip_mismatch:
                raise InvalidArgument(
                    f"The file has no weights for layer {obj.name!r} (at {path!r}), which has "
                    f"{len(own)}. It was saved from another architecture; skip_mismatch=True "
                    "loads what fits."
                )
            continue
        if hasattr(obj, "load_notes"):
            obj.load_notes(notes)
        try:
            obj.load_own_variables(store)
        except (ValueError, KeyError) as error:
            if isinstance(error, UnsafeFile) or not skip_mismatch:
                raise
            warnings.warn(f"Skipped {path!r}: {error}", stacklevel=5)


def _own_variables(obj: Any) -> list[Any]:
    return obj._own_variables() if isinstance(obj, Layer) else []


def _check_sizes(file: Any, model: Any) -> None:
    """No array may take more memory than the largest that the built model has."""
    import h5py

    sizes = [math.prod(v.shape) for v in _all_variables(model)]
    largest = 8 * (max(sizes, default=0) + (1 << 20))

    def visit(name: str, data: Any) -> None:
        if not isinstance(data, h5py.Dataset) or data.shape is None:
            return
        if math.prod(data.shape) * data.dtype.itemsize > largest:
            raise UnsafeFile(
                f"{name!r} has shape {data.shape} and dtype {data.dtype}, larger than any weight "
                "of the model."
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
