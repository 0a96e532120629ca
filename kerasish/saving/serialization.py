"""Objects to JSON-able configs and back, in the layout that Keras 3 writes.

A config names its class by a public module (`keras.layers`) and class name, or by the name that a
user registered. Reading one looks names up in the library's public namespaces, in what was
registered, and among classes that the running program has defined already; it never imports a
module and never evaluates code.
"""

from __future__ import annotations

import base64
import contextlib
import difflib
import importlib
import inspect
import sys
import threading
import types
from typing import Any

import numpy as np

from kerasish import backends, dtypes
from kerasish.backends.state import holding
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument, KerasishError, UnknownObject, UnsafeFile
from kerasish.saving import object_registration as registration

_NAMESPACES = (
    "layers", "models", "optimizers", "optimizers.schedules", "losses", "metrics", "initializers",
    "regularizers", "constraints", "activations", "dtype_policies", "random", "quantizers",
    "ops", "ops.numpy", "ops.nn", "ops.math", "ops.linalg", "ops.image", "ops.core", "utils",
)  # fmt: skip
_FUNCTIONS = (
    "activations", "losses", "metrics", "initializers", "regularizers", "constraints",
)
"""Where functions are pure, so that a file may name them; elsewhere only ops may be named."""
_PLAIN = (str, int, float, bool, type(None))


class _Here(threading.local):
    """What each thread is in the middle of."""

    safe_mode: bool | None = None
    """The innermost `safe_mode` in force, `None` where none was set."""
    functions_stay = False
    """Whether configs hold functions themselves: those that never leave the process."""
    shared_out: Any = None
    """What is being serialized: id -> [number, how often it was met, the object itself]."""
    shared_in: Any = None
    """What is being made from a config: its number there -> the object."""


_here = _Here()


def safe_mode_scope(safe: bool) -> contextlib.AbstractContextManager[None]:
    """Whether Python code stored in configs (lambdas) is refused, for the length of a block."""
    return holding(_here, "safe_mode", bool(safe))


def functions_as_they_are() -> contextlib.AbstractContextManager[None]:
    """Configs that are made and read in a block need no names for functions."""
    return holding(_here, "functions_stay", True)


def in_safe_mode() -> bool:
    """The innermost `safe_mode` in force; `True` where none was set."""
    return _here.safe_mode is not False


def enable_unsafe_deserialization() -> None:
    """Raises: kerasish has no global switch that turns checks off. Pass `safe_mode=False`.

    >>> import kerasish as keras
    >>> keras.config.enable_unsafe_deserialization()
    Traceback (most recent call last):
        ...
    kerasish.errors.UnsafeFile: kerasish has no process-wide switch for unsafe loading. ...
    """
    raise UnsafeFile(
        "kerasish has no process-wide switch for unsafe loading. Pass safe_mode=False to the one "
        "load_model or deserialize_keras_object call whose file you trust."
    )


def public_module(cls: Any) -> str | None:
    """The public module of one of the library's own objects, as Keras files spell it."""
    module = getattr(cls, "__module__", "") or ""
    if module.partition(".")[0] != "kerasish":
        return None
    name = cls.__name__
    if name in ("Functional", "Sequential", "Model"):  # where Keras' own files place them
        return "keras.src.models.functional" if name == "Functional" else "keras"
    for space in _NAMESPACES:
        loaded = sys.modules.get(f"kerasish.{space}")
        if loaded is not None and getattr(loaded, name, None) is cls:
            return f"keras.{space}"
    return "keras"


def public_name(cls: type) -> str:
    """The name of a class in Keras' files."""
    return vars(cls).get("_keras_name", cls.__name__)


def serialize_keras_object(obj: Any) -> Any:
    """A config made of plain JSON values from which `deserialize_keras_object` makes it anew.

    A layer that stands in several places has the same `shared_object_id` in each.

    >>> import kerasish as keras
    >>> keras.saving.serialize_keras_object(keras.initializers.Zeros())["class_name"]
    'Zeros'
    """
    if _here.shared_out is not None or isinstance(obj, _PLAIN):
        return _serialize(obj)
    _here.shared_out = {}
    try:
        config = _serialize(obj)
        once = {number for number, times, _ in _here.shared_out.values() if times == 1}
        if once and isinstance(config, dict | list | tuple):
            _drop_numbers(config, once)
        return config
    finally:
        _here.shared_out = None


def _number_of(obj: Any) -> int:
    held = _here.shared_out.setdefault(id(obj), [len(_here.shared_out) + 1, 0, obj])
    held[1] += 1
    return held[0]


def _drop_numbers(config: Any, once: set[int]) -> None:
    """Removes the numbers of objects that stand in one place only."""
    if isinstance(config, dict):
        if config.get("shared_object_id") in once:
            del config["shared_object_id"]
        config = config.values()
    for x in config:
        if isinstance(x, dict | list | tuple):
            _drop_numbers(x, once)


def _serialize(obj: Any) -> Any:
    if isinstance(obj, _PLAIN):
        return obj
    if isinstance(obj, list):
        return [_serialize(x) for x in obj]
    if isinstance(obj, tuple):
        return tuple(_serialize(x) for x in obj)
    if isinstance(obj, dict):
        return {key: _serialize(value) for key, value in obj.items()}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "value": base64.b64encode(obj).decode()}
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {
            "class_name": "__numpy__",
            "config": {"value": obj.tolist(), "dtype": obj.dtype.name},
        }
    if isinstance(obj, slice):
        return {
            "class_name": "__slice__",
            "config": {
                "start": _serialize(obj.start),
                "stop": _serialize(obj.stop),
                "step": _serialize(obj.step),
            },
        }
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, KerasTensor):
        config: dict[str, Any] = {"shape": list(obj.shape), "dtype": obj.dtype}
        if obj.node is not None:
            operation, node, index = obj._keras_history
            config["keras_history"] = [operation.name, node, index]
        return {"class_name": "__keras_tensor__", "config": config}
    if backends.owner(obj) is not None:
        host = backends.to_host(obj)
        return {
            "class_name": "__tensor__",
            "config": {"value": host.tolist(), "dtype": host.dtype.name},
        }
    if _here.functions_stay and isinstance(obj, types.FunctionType):
        return obj
    if isinstance(obj, types.FunctionType) and obj.__name__ == "<lambda>":
        return {"class_name": "__lambda__", "config": {"value": _encode_lambda(obj)}}
    if isinstance(obj, type) and not hasattr(obj, "get_config"):
        return {"class_name": "__typespec__", "spec_name": obj.__name__, "module": obj.__module__}
    if hasattr(obj, "get_config") and not isinstance(obj, type):
        cls = obj.__class__
        config = {k: _serialize(v) for k, v in obj.get_config().items()}
        result = {"module": public_module(cls), "class_name": public_name(cls), "config": config,
                  "registered_name": None}
        if result["module"] is None:
            result["module"] = cls.__module__
            result["registered_name"] = registration.get_registered_name(cls)
        if hasattr(obj, "save_own_variables"):
            result["shared_object_id"] = _number_of(obj)
        if hasattr(obj, "get_build_config"):
            build = obj.get_build_config()
            if build is not None:
                result["build_config"] = serialize_build(build)
        if hasattr(obj, "get_compile_config"):
            compiled = obj.get_compile_config()
            if compiled is not None:
                result["compile_config"] = {k: _serialize(v) for k, v in compiled.items()}
        return result
    if callable(obj):
        if (module := public_module(obj)) is not None:
            return {"module": module, "class_name": "function", "config": obj.__name__,
                    "registered_name": obj.__name__}
        name = registration.get_registered_name(obj)  # Keras looks for it in "config"
        return {"module": getattr(obj, "__module__", None), "class_name": "function",
                "config": name, "registered_name": name}
    raise UnknownObject(
        f"Cannot serialize {obj!r} of type {type(obj).__name__}. Objects in a config are plain "
        "values, arrays, or have a get_config() method."
    )


def serialize_build(build: Any) -> Any:
    """Build configs hold shapes: tuples are written as plain lists, as Keras does."""
    if isinstance(build, dict):
        return {k: serialize_build(v) for k, v in build.items()}
    if isinstance(build, list | tuple):
        return [serialize_build(v) for v in build]
    return serialize_keras_object(build)


def _encode_lambda(function: Any) -> dict[str, Any]:
    import marshal

    return {
        "code": base64.b64encode(marshal.dumps(function.__code__)).decode(),
        "defaults": serialize_keras_object(list(function.__defaults__ or ())) or None,
        "closure": serialize_keras_object([c.cell_contents for c in function.__closure__ or ()])
        or None,
    }


def _decode_lambda(config: Any) -> Any:
    if in_safe_mode():
        raise UnsafeFile(
            "This config holds the code of a Python lambda. Loading it would run code from the "
            "file, so it is refused. If you trust where the file comes from, pass "
            "safe_mode=False; better, save named functions registered with "
            "@keras.saving.register_keras_serializable()."
        )
    import marshal

    value = config.get("value", config)  # Keras' Lambda layer writes the code without the key
    code = marshal.loads(base64.b64decode(value["code"]))
    defaults, closure = (_deserialize(value.get(k) or []) for k in ("defaults", "closure"))
    cells = tuple(types.CellType(x) for x in closure)
    return types.FunctionType(code, globals(), "<lambda>", tuple(defaults) or None, cells or None)


def _library_object(module: str, name: str) -> Any:
    """An object of the public API by the module and name that a file gives for it."""
    if not isinstance(name, str) or name.startswith("_") or "." in name:
        return None
    root, _, rest = module.partition(".")
    if root not in ("keras", "kerasish", "tensorflow", "tf_keras", "builtins"):
        return None
    rest = rest.removeprefix("src.")
    spaces = [s for s in _NAMESPACES if rest == s] + list(_NAMESPACES)
    for space in spaces:
        try:
            loaded = importlib.import_module(f"kerasish.{space}")
        except ModuleNotFoundError:
            continue
        found = getattr(loaded, name, None)
        if isinstance(found, type):
            if hasattr(found, "from_config"):
                return found
        elif hasattr(found, "op_name") or (
            isinstance(found, types.FunctionType)
            and space in _FUNCTIONS
            and name not in ("get", "serialize", "deserialize")
        ):
            return found
    return None


def _program_object(module: str, name: str) -> Any:
    """A class of ours that the running program has defined: nothing is imported for it.

    Functions of the program itself only in files that are trusted: a file also tells what they
    are called with.
    """
    loaded = sys.modules.get(module)
    found = vars(loaded).get(name) if loaded is not None else None
    root = getattr(found, "__module__", "").partition(".")[0]
    if inspect.isclass(found) and any(
        base.__module__.startswith("kerasish.") for base in found.__mro__[1:]
    ):
        return found
    if isinstance(found, types.FunctionType) and root == module == "__main__" and (
        not in_safe_mode()
    ):
        return found
    return None


def retrieve(
    module: Any, name: str, registered_name: Any, custom_objects: dict[str, Any] | None = None
) -> Any:
    """The class or function that a config names, or one error that says how to make it known."""
    if not isinstance(name, str):
        raise InvalidArgument(f"A config names a class or function by a string, got {name!r}.")
    for key in (registered_name, name):
        if isinstance(key, str):
            found = registration.get_registered_object(key, custom_objects)
            if found is not None:
                return found
    module = module if isinstance(module, str) else "keras"
    found = _library_object(module, name) or _program_object(module, name)
    if found is not None:
        return found
    known = [*(custom_objects or {}), *registration.get_custom_objects()]
    near = difflib.get_close_matches(str(registered_name or name), known, n=3, cutoff=0.5)
    hint = f" Known names that look alike: {near}." if near else ""
    raise UnknownObject(
        f"The config names {registered_name or name!r} of module {module!r}, which is not part of "
        f"kerasish and was not registered.{hint} Import the code that defines it, decorate it "
        "with @keras.saving.register_keras_serializable(package, name), or pass "
        f"custom_objects={{{name!r}: ...}}."
    )


def deserialize_keras_object(
    config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True, **kwargs: Any
) -> Any:
    """The object that a config of `serialize_keras_object` describes.

    Args:
        config: the config.
        custom_objects: names of your classes and functions, where they are not registered.
        safe_mode: refuse configs that hold code (lambdas).

    >>> import kerasish as keras
    >>> config = keras.saving.serialize_keras_object(keras.layers.ReLU())
    >>> type(keras.saving.deserialize_keras_object(config)).__name__
    'ReLU'
    """
    module_objects = kwargs.pop("module_objects", None)
    if custom_objects and not isinstance(config, _PLAIN):
        with registration.CustomObjectScope(custom_objects):
            return deserialize_keras_object(
                config, safe_mode=safe_mode, module_objects=module_objects
            )
    if not in_safe_mode():
        safe_mode = False
    outermost = _here.shared_in is None
    if outermost:
        _here.shared_in = {}
    with safe_mode_scope(safe_mode):
        try:
            return _deserialize(config, custom_objects, module_objects)
        except RecursionError:
            raise UnsafeFile("The config is nested too deeply to be that of a model.") from None
        finally:
            if outermost:
                _here.shared_in = None


def _array(config: Any) -> np.ndarray:
    """An array of numbers, booleans or strings: NumPy's other kinds can hold any object."""
    name = config["dtype"]
    if isinstance(name, str) and name.startswith("str"):
        return np.array(config["value"], dtype=str)
    try:
        if not isinstance(name, str) or name == "object":
            raise InvalidArgument(name)
        return np.array(config["value"], dtypes.numpy_dtype(dtypes.standardize(name)))
    except KerasishError:
        raise UnsafeFile(
            f"The config holds an array of dtype {name!r}. Arrays of numbers, booleans and strings "
            "are read, nothing else."
        ) from None


def _deserialize(config: Any, custom: Any = None, module_objects: Any = None) -> Any:
    if isinstance(config, str):
        found = registration.get_registered_object(config, custom, module_objects)
        if isinstance(found, type) and config in (module_objects or ()):
            return found()  # libraries of parts name theirs so: the one with all its defaults
        return config if found is None else found
    if isinstance(config, _PLAIN):
        return config
    if isinstance(config, list | tuple):
        return type(config)(_deserialize(x) for x in config)
    if _here.functions_stay and isinstance(config, types.FunctionType):
        return config
    if not isinstance(config, dict):
        raise InvalidArgument(f"Cannot deserialize {config!r} of type {type(config).__name__}.")
    name = config.get("class_name")
    if name is None or ("config" not in config and not str(name).startswith("__")):
        return {key: _deserialize(value) for key, value in config.items()}
    inner = config.get("config", {})
    match name:
        case "__tuple__":
            return tuple(_deserialize(x) for x in config["items"])
        case "__bytes__":
            return base64.b64decode(config["value"])
        case "__numpy__":
            return _array(inner)
        case "__tensor__":
            return backends.active.convert(_array(inner))
        case "__slice__":
            return slice(*(_deserialize(inner[k]) for k in ("start", "stop", "step")))
        case "__ellipsis__":
            return Ellipsis
        case "__lambda__":
            return _decode_lambda(inner)
        case "__keras_tensor__":
            return KerasTensor(inner["shape"], inner["dtype"], name=inner.get("name"))
        case "__typespec__":
            raise UnsafeFile("The config holds a TensorFlow TypeSpec, which is not loaded.")
        case "function":
            return retrieve(config.get("module"), inner, config.get("registered_name"))
    number = config.get("shared_object_id")
    if isinstance(number, int) and number in _here.shared_in:
        return _here.shared_in[number]
    found = retrieve(config.get("module"), name, config.get("registered_name"))
    if isinstance(found, types.FunctionType):
        return found
    if not hasattr(found, "from_config"):
        raise InvalidArgument(f"{name!r} has no from_config(), so a config cannot make one.")
    if not isinstance(inner, dict):
        raise InvalidArgument(f"The config of {name!r} is not a dictionary: {inner!r}.")
    try:
        obj = found.from_config(inner)
    except KerasishError:
        raise
    except TypeError as error:
        raise InvalidArgument(
            f"{name}.from_config failed: {error}. Config: {inner!r}. Its get_config() must return "
            "what its __init__ takes."
        ) from error
    if isinstance(number, int):
        _here.shared_in[number] = obj
    build = config.get("build_config")
    if build and hasattr(obj, "build_from_config") and not getattr(obj, "built", False):
        obj.build_from_config(build)
    compiled = config.get("compile_config")
    if compiled and hasattr(obj, "compile_from_config"):
        obj.compile_from_config(compiled)
    return obj


def loading_safely() -> bool:
    """Whether a config that is not trusted is being read right now."""
    return _here.safe_mode is True


def lookup(
    identifier: Any, namespace: Any, what: str
) -> Any:
    """What `losses.get`, `layers.get` and the like do: a name, a config or the thing itself.

    `namespace` maps lower-case and exact names to classes or functions.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return deserialize_keras_object(identifier)
    if isinstance(identifier, str):
        found = registration.get_registered_object(identifier, None, namespace)
        if found is None:
            near = difflib.get_close_matches(identifier, [str(k) for k in namespace], n=3)
            hint = f" Did you mean {near}?" if near else ""
            raise InvalidArgument(f"Unknown {what} {identifier!r}.{hint}")
        return found() if inspect.isclass(found) else found
    if inspect.isclass(identifier):
        return identifier()
    if callable(identifier) or hasattr(identifier, "get_config"):
        return identifier
    article = "an" if what[0] in "aeiou" else "a"
    raise InvalidArgument(
        f"Cannot read {identifier!r} as {article} {what}: give a name, a config, or the object "
        "itself."
    )
