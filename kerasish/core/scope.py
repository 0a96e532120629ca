"""Scopes that surround computations: names, autocast, devices, functional state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from kerasish import backends
from kerasish.backends import state
from kerasish.backends.state import holding, local
from kerasish.errors import InvalidArgument, UnsafeFile

_uids: dict[str, int] = {}


def autocast_scope(dtype: str | None) -> contextlib.AbstractContextManager[None]:
    """Float variables read as `dtype` for the length of a block."""
    return holding(local.here, "autocast", dtype)


def memory_scope(limit: int) -> contextlib.AbstractContextManager[None]:
    """Variables made in the block take no more than `limit` bytes."""
    return holding(local.here, "memory", limit)


def take_memory(path: str, size: int) -> None:
    """Counts a variable that is about to be made."""
    here = local.here
    if here.memory is None:
        return
    here.memory -= size
    if here.memory < 0:
        raise UnsafeFile(
            f"The config makes {path!r} and with it more weights than the file can hold. The file "
            "is damaged or malicious."
        )


class name_scope:
    """Prefixes the paths of variables that are made inside a `with` block.

    Args:
        name: the prefix.
        caller: whose scope it is; an object that opens its scope within it stays in it.

    >>> import kerasish as keras
    >>> with keras.name_scope("encoder"):
    ...     keras.Variable([1.0], name="gain").path
    'encoder/gain'
    """

    def __init__(self, name: str, caller: Any = None, **kwargs: Any):
        if not isinstance(name, str) or "/" in name:
            raise InvalidArgument(f"A scope name is a string without '/', got {name!r}.")
        self.name = name
        self.caller = caller

    def __enter__(self) -> name_scope:
        # Whoever opens its own scope again is already in it.
        names = local.here.names
        self._opened = self.caller is None or not names or names[-1][1] is not self.caller
        if self._opened:
            names.append((self.name, self.caller))
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._opened:
            local.here.names.pop()


def current_path() -> str:
    """The joined names of the scopes around the caller."""
    return "/".join(name for name, _ in local.here.names)


def callers() -> list[Any]:
    """The objects whose scopes are open, outer ones first."""
    return [caller for _, caller in local.here.names if caller is not None]


def get_uid(prefix: str = "") -> int:
    """The next number for a prefix, from 1, for names that do not repeat.

    Args:
        prefix: what is counted.

    >>> import kerasish as keras
    >>> keras.backend.get_uid("a_new_prefix"), keras.backend.get_uid("a_new_prefix")
    (1, 2)
    """
    _uids[prefix] = _uids.get(prefix, 0) + 1
    return _uids[prefix]


def auto_name(prefix: str) -> str:
    """`dense`, `dense_1`, `dense_2`, ... on successive calls."""
    uid = get_uid(prefix)
    return prefix if uid == 1 else f"{prefix}_{uid - 1}"


def reset_uids() -> None:
    """Begins the numbering of names anew."""
    _uids.clear()


@contextlib.contextmanager
def device(device_name: str) -> Iterator[None]:
    """Computes on a device such as `"cpu"` or `"gpu:0"` for the length of a `with` block.

    Without it every backend uses its engine's default: the GPU where the engine sees one.

    Args:
        device_name: the device; a `BackendError` is raised where the engine has none of that name.

    >>> import kerasish as keras
    >>> with keras.device("cpu"):
    ...     keras.ops.ones((2,)).tolist()
    [1.0, 1.0]
    """
    if not isinstance(device_name, str) or not device_name:
        raise InvalidArgument(f"A device is a string such as 'cpu' or 'gpu:0', got {device_name!r}")
    with backends.active.device_scope(device_name.lower()):
        yield


class StatelessScope:
    """Reads and writes of variables go to a mapping instead, for the length of a `with` block.

    Args:
        state_mapping: pairs `(variable, value)`: what the variables hold inside.
        collect_losses: keep the losses that layers add, in `losses`.
        initialize_variables: kept for compatibility; variables may always be made.

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0])
    >>> with keras.StatelessScope([(v, keras.ops.ones((1,)) * 5)]) as scope:
    ...     _ = v.assign(v + 1)
    >>> scope.get_current_value(v).tolist(), v.numpy().tolist()
    ([6.0], [1.0])
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Any, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ):
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        bindings = []
        for variable, value in state_mapping or ():
            if not hasattr(variable, "_home"):
                raise InvalidArgument(
                    f"The keys of a state mapping are Variables, got {type(variable).__name__}."
                )
            value = backends.active.convert(value, variable.dtype)
            if tuple(value.shape) != tuple(variable.shape):
                raise InvalidArgument(
                    f"{variable.path} has shape {tuple(variable.shape)}, the state mapping gives "
                    f"it a value of shape {tuple(value.shape)}."
                )
            bindings.append((variable, value))
        self._bindings = bindings
        self._frame = state.Frame(bindings)
        self._final: dict[int, Any] = {}

    def __enter__(self) -> StatelessScope:
        self._frame.__enter__()
        local.here.stateless.append(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        local.here.stateless.pop()
        self._final = {id(v): v._value for v, _ in self._bindings}
        self._final.update((i, v._value) for i, v in self._frame.written.items())
        self._frame.__exit__(*exc)

    def add_loss(self, loss: Any) -> None:
        """Adds a loss to those of the scope."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Any, Any]) -> None:
        """Writes `(variable, value)` into the scope."""
        variable, value = update
        self._frame.write(variable, value)

    def get_current_value(self, variable: Any) -> Any:
        """The value that the scope holds for a variable, or `None` where it holds none."""
        if self in local.here.stateless:
            inside = {id(v) for v, _ in self._bindings} | self._frame.written.keys()
            return variable._value if id(variable) in inside else None
        return self._final.get(id(variable))


def in_stateless_scope() -> bool:
    """Whether a `StatelessScope` is open."""
    return bool(local.here.stateless)


def get_stateless_scope() -> StatelessScope | None:
    """The innermost open `StatelessScope`, or `None`."""
    scopes = local.here.stateless
    return scopes[-1] if scopes else None


class SymbolicScope:
    """Marks a block as symbolic: values computed in it are shapes and dtypes only.

    >>> import kerasish as keras
    >>> from kerasish.core.scope import in_symbolic_scope
    >>> with keras.SymbolicScope():
    ...     in_symbolic_scope()
    True
    """

    def __enter__(self) -> SymbolicScope:
        local.here.symbolic += 1
        return self

    def __exit__(self, *exc: Any) -> None:
        local.here.symbolic -= 1


def in_symbolic_scope() -> bool:
    """Whether a `SymbolicScope` is open."""
    return local.here.symbolic > 0
