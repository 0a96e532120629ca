"""The switch: one process-wide active adapter, loaded when first used.

`backends.active` is that adapter, or the one that the asking thread has put in its place for the
length of a block (`using`): shape inference runs on the symbolic adapter so.

An adapter is a few modules of plain functions. `Adapter.table` maps the name of an op to the
engine's own implementation, or, where the engine has none, to the op's body in `kerasish.ops`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from kerasish import config, dtypes
from kerasish.backends import state
from kerasish.errors import BackendError, BackendMissing, InvalidArgument, StateError

AREAS = (
    "engine", "array", "manipulation", "nn", "convolution", "pooling", "normalization",
    "math", "linalg", "image", "random", "optimizer", "host",
    "sparse", "interop",
)  # fmt: skip
bodies: dict[str, Callable[..., Any]] = {}
"""The composite ops' reference implementations, by name; filled by `core.op`."""
sparse_forms: dict[str, Callable[..., Any]] = {}
"""What ops do with sparse tensors, by name; filled by `ops.sparse`."""


wide: set[str] = set()
"""Ops whose kernels know no halves: float16 and bfloat16 are computed as float32; by `core.op`."""


def _widened(adapter: Adapter, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with halves made float32 on the way in, and back on the way out."""

    def cast(x: Any, source: tuple[str, ...], target: str) -> Any:
        if isinstance(x, list | tuple):
            parts = [cast(y, source, target) for y in x]
            return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        if hasattr(x, "dtype") and adapter.owns(x) and adapter.dtype_of(x) in source:
            return adapter.cast(x, target)
        return x

    def halves(x: Any) -> Any:
        if isinstance(x, list | tuple):
            return next(filter(None, map(halves, x)), None)
        kind = adapter.dtype_of(x) if hasattr(x, "dtype") and adapter.owns(x) else None
        return kind if kind in _HALVES else None

    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        half = halves(args)
        if half is None:
            return function(*args)
        return cast(function(*cast(args, _HALVES, "float32")), ("float32",), half)

    return wrapper


_HALVES = ("float16", "bfloat16")


class _Table(dict):
    """Op name -> implementation, resolved once each."""

    def __init__(self, adapter: Adapter):
        self.adapter = adapter

    def __missing__(self, name: str) -> Callable[..., Any]:
        implementation = self.adapter.lookup(name) or bodies.get(name)
        if implementation is None:
            raise BackendError(
                f"The {self.adapter.name} backend has no operation {name!r}. Use another backend "
                f"for it: keras.config.set_backend(...), available: {available()}."
            )
        if finish := self.adapter.lookup("finish"):
            implementation = finish(name, implementation)
        if name in wide or name in (self.adapter.lookup("WIDE") or ()):
            implementation = _widened(self.adapter, implementation)
        self[name] = implementation
        return implementation


class Adapter:
    """An engine seen through its modules; attributes are looked up in them in order.

    `native` holds the exact Python types known to be this engine's arrays, so that a conversion
    check is one set lookup; it grows as types are met.
    """

    def __init__(self, name: str, modules: Iterable[ModuleType]):
        self.name = name
        self.modules = tuple(modules)
        self.table = _Table(self)
        self.native: set[type] = set(self.lookup("NATIVE") or ())
        self.adopt: Callable[[Any], Any] = self.lookup("adopt") or _adopt
        if native_dtype := self.lookup("native_dtype"):
            self.REAL_DTYPES = frozenset(_known_dtypes(native_dtype, dtypes.REAL))
            numbers = dtypes.ALLOWED - {"string"}
            self.NUMBER_DTYPES = frozenset(_known_dtypes(native_dtype, numbers))
            self.WHOLE_DTYPES = frozenset(_known_dtypes(native_dtype, dtypes.WHOLE))
        self.is_sparse: Callable[[Any], bool] = self.lookup("is_sparse") or (lambda x: False)

    def lookup(self, name: str) -> Any:
        for module in self.modules:
            found = vars(module).get(name)
            # An op may be called as a module that an adapter imports: `copy`, `math`.
            if found is not None and not isinstance(found, ModuleType):
                return found
        return None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self.lookup(name)
        if found is None:
            raise AttributeError(f"The {self.name} backend defines no {name!r}.")
        setattr(self, name, found)
        return found

    def __repr__(self) -> str:
        return f"<Adapter {self.name}>"

    def owns(self, x: Any) -> bool:
        """Whether `x` is one of this engine's tensors (tracers, arrays of a tape, sparse ones)."""
        kind = type(x)
        if kind in self.native:
            return True
        if self.is_tensor(x):
            self.native.add(kind)
            return True
        return self.is_sparse(x)


def _known_dtypes(native_dtype: Callable[[str], Any], names: Iterable[str]) -> Iterator[Any]:
    """The engine's own forms of those dtypes that it has."""
    for name in names:
        with contextlib.suppress(BackendError, TypeError):
            yield native_dtype(name)


def _adopt(variable: Any) -> Any:
    """Moves a variable's value to the active backend through the host, bit for bit."""
    here = state.local.here
    active = here.active
    if here.frame is not None:
        here.frame.moved(variable)
    value = variable._home.to_host(variable._value)
    variable._value = active.variable(value, variable.dtype, variable.trainable, variable)
    variable._home = active
    return variable._value


class _Unloaded:
    """Stands for the chosen backend until something is computed; then it is imported."""

    def __init__(self, name: str):
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if state.engine is self:
            state.activate(load(self.name))
        here = state.local.here
        if here.active is self:  # a block that began before it was loaded has ended
            here.active = state.engine
        return getattr(state.engine, attribute)


_registry: dict[str, tuple[str, str, str]] = {
    # name: (package of the adapter, library that it needs, pip extra)
    "numpy": ("kerasish.backends.numpy", "numpy", ""),
    "torch": ("kerasish.backends.torch", "torch", "torch"),
    "jax": ("kerasish.backends.jax", "jax", "jax"),
    "tensorflow": ("kerasish.backends.tensorflow", "tensorflow", "tensorflow"),
    "symbolic": ("kerasish.backends.symbolic", "numpy", ""),
}
_loaded: dict[str, Adapter] = {}
_entry_points_read = False


def register_backend(name: str, package: str | ModuleType, requires: str | None = None) -> None:
    """Adds a backend: a package (or its import path) with the modules of an adapter.

    A package on the entry point group `kerasish.backends` is found without this call.
    CONTRIBUTING.md tells what the modules define.

    Args:
        name: the backend's name.
        package: the package, or its import path.
        requires: the library without which the backend counts as not installed; by default the
            first part of the package's path.

    >>> import kerasish as keras
    >>> keras.register_backend("plain", "kerasish.backends.numpy", requires="numpy")
    >>> "plain" in keras.config.available_backends()
    True
    """
    if isinstance(package, ModuleType):
        sys.modules.setdefault(package.__name__, package)
        package = package.__name__
    _registry[name] = (package, requires or package.partition(".")[0], "")
    _loaded.pop(name, None)


def _known() -> dict[str, tuple[str, str, str]]:
    global _entry_points_read
    if not _entry_points_read:
        from importlib.metadata import entry_points

        _entry_points_read = True
        for point in entry_points(group="kerasish.backends"):
            _registry.setdefault(point.name, (point.value, point.value.partition(".")[0], ""))
    return _registry


def check_name(name: Any) -> str:
    """The name itself where a backend is registered under it, else an error that lists them."""
    if name not in _registry and name not in _known():
        raise InvalidArgument(
            f"Unknown backend {name!r}. Known: {sorted({*_registry} - {'symbolic'})}. Set "
            "KERASISH_BACKEND or call keras.config.set_backend with one of these, or "
            "register_backend(name, package)."
        )
    return name


def installed(name: str) -> bool:
    """Whether the library behind a registered backend can be imported here."""
    return importlib.util.find_spec(_registry[check_name(name)][1]) is not None


def available() -> list[str]:
    """The registered backends whose library is installed."""
    return [name for name in _known() if name != "symbolic" and installed(name)]


def load(name: str) -> Adapter:
    """The adapter of that name, importing its engine the first time."""
    if name in _loaded:
        return _loaded[name]
    package, library, extra = _registry[check_name(name)]
    if not installed(name):
        mend = f"pip install 'kerasish[{extra}]'" if extra else f"pip install {library}"
        raise BackendMissing(
            f"The {name} backend needs {library}, which is not installed. Mend: {mend}. "
            f"Installed backends: {available()}."
        )
    root = importlib.import_module(package)
    modules = [
        importlib.import_module(f"{package}.{area}")
        for area in AREAS
        if importlib.util.find_spec(f"{package}.{area}") is not None
    ] if hasattr(root, "__path__") else []
    return _loaded.setdefault(name, Adapter(name, modules or [root]))


def switch(name: str) -> None:
    """Makes the named backend the active one."""
    here = state.local.here
    if here.active.name == name:
        return
    if check_name(name) == "symbolic":
        raise InvalidArgument("The symbolic adapter infers shapes; it computes nothing.")
    if here.tracing:
        raise StateError(
            f"Cannot switch from {here.active.name} to {name} inside a compiled function. "
            "Switch before calling it, or set run_eagerly=True."
        )
    state.activate(load(name))


def owner(x: Any) -> Adapter | None:
    """The adapter whose tensor `x` is, the active one first."""
    for adapter in (state.local.here.active, *_loaded.values()):
        if not isinstance(adapter, _Unloaded) and adapter.owns(x):
            return adapter
    name = _LIBRARIES.get(type(x).__module__.partition(".")[0])
    if name is None or name in _loaded or not hasattr(x, "shape"):
        return None
    return adapter if (adapter := load(name)).owns(x) else None


_LIBRARIES = {"torch": "torch", "jax": "jax", "jaxlib": "jax", "tensorflow": "tensorflow"}
"""Which backend a class of tensors belongs to, by the library that its module is of."""


def is_module(kind: type) -> bool:
    """Whether a class is one of another library's modules, which hold weights of their own."""
    return any((c.__module__, c.__name__) in _MODULES for c in kind.__mro__)


_MODULES = {("torch.nn.modules.module", "Module")}


def to_host(x: Any) -> Any:
    """`x` as a NumPy array, whichever engine it lives on."""
    adapter = owner(x)
    return x if adapter is None else adapter.to_host(x)


class _Backends(ModuleType):
    """This module, whose `active` is another one for each thread."""

    active = property(lambda self: state.local.here.active)
    real = property(lambda self: state.local.here.real)


sys.modules[__name__].__class__ = _Backends
state.activate(_Unloaded(check_name(config._initial_backend())))


@contextlib.contextmanager
def using(adapter: Any) -> Iterator[None]:
    """An adapter object as the active one for a block; for the library's own mechanisms."""
    here = state.local.here
    before, real = here.active, here.real
    if adapter.name == "symbolic":
        here.real = real or before
    elif before.name == "symbolic":
        here.real = None
    here.active = adapter
    try:
        yield
    finally:
        here.active, here.real = before, real


def graph_owner(leaves: Iterable[Any]) -> Adapter | None:
    """The engine in whose graph tensors are symbolic: that of a `tf.data` pipeline, whichever
    engine trains."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return None
    for x in leaves:
        if type(x).__module__.startswith("tensorflow.") and tensorflow.is_symbolic_tensor(x):
            return load("tensorflow")
    return None


def concrete() -> contextlib.AbstractContextManager[None]:
    """The real engine for a block, also inside a symbolic run."""
    here = state.local.here
    return using(here.real or here.active)


def host() -> Adapter:
    """The NumPy adapter, where new variables begin."""
    return load("numpy")
