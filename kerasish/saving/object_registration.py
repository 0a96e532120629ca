"""The allow-list of a loader: which user classes and functions a config may name."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from kerasish.errors import InvalidArgument

T = TypeVar("T")
_by_name: dict[str, Any] = {}
_names: dict[Any, str] = {}


class _Here(threading.local):
    """What each thread is in the middle of."""

    scopes: tuple[dict[str, Any], ...] = ()
    """The open scopes of custom objects, outer ones first."""


_here = _Here()


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[T], T]:
    """Lets saved models refer to a class or function as `package>name`.

    Args:
        package: a name of your program.
        name: of the object; its own by default.

    >>> import kerasish as keras
    >>> @keras.saving.register_keras_serializable("my_lib")
    ... def double(x):
    ...     return 2 * x
    >>> keras.saving.get_registered_name(double)
    'my_lib>double'
    """

    def decorator(obj: T) -> T:
        own = name if name is not None else obj.__name__
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise InvalidArgument(
                f"{own}: a class that is registered for saving needs a get_config() method."
            )
        registered = f"{package}>{own}"
        _by_name[registered] = obj
        _names[obj] = registered
        return obj

    return decorator


def get_registered_name(obj: Any) -> str:
    """The name that `obj` was registered under, or its own name.

    Args:
        obj: a class or function.

    >>> import kerasish as keras
    >>> keras.saving.get_registered_name(keras.layers.Dense)
    'Dense'
    """
    return _names.get(obj) or obj.__name__ if _hashable(obj) else obj.__name__


def _hashable(obj: Any) -> bool:
    return getattr(obj, "__hash__", None) is not None


def get_registered_object(
    name: str, custom_objects: dict[str, Any] | None = None,
    module_objects: dict[str, Any] | None = None,
) -> Any:  # fmt: skip
    """The object behind a name, `None` where there is none.

    Args:
        name: the name that it was registered under. Open scopes are searched first, then
            `custom_objects`, then what is registered.
        custom_objects, module_objects: further names, searched second and last.

    >>> import kerasish as keras
    >>> keras.saving.get_registered_object("twice", {"twice": lambda x: 2 * x})(4)
    8
    >>> keras.saving.get_registered_object("thrice") is None
    True
    """
    for scope in (*reversed(_here.scopes), custom_objects or {}, _by_name, module_objects or {}):
        if name in scope:
            return scope[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """The global dictionary of registered objects; changes to it are seen by loaders.

    >>> import kerasish as keras
    >>> keras.saving.get_custom_objects()["twice"] = lambda x: 2 * x
    >>> keras.activations.get("twice")(4)
    8
    >>> del keras.saving.get_custom_objects()["twice"]
    """
    return _by_name


class CustomObjectScope:
    """Makes names known to loaders for the length of a `with` block.

    Args:
        custom_objects: classes and functions by name.

    >>> import kerasish as keras
    >>> with keras.saving.CustomObjectScope({"twice": lambda x: 2 * x}):
    ...     keras.activations.get("twice")(4)
    8
    """

    def __init__(self, custom_objects: dict[str, Any]):
        self.custom_objects = custom_objects or {}

    def __enter__(self) -> CustomObjectScope:
        _here.scopes = (*_here.scopes, self.custom_objects)
        return self

    def __exit__(self, *exc: Any) -> None:
        _here.scopes = _here.scopes[:-1]


custom_object_scope = CustomObjectScope
