"""Settings of the process: backend, default dtypes, data format, where files are kept.

Read once, at import, from `$KERASISH_HOME/kerasish.json` (default `~/.kerasish`); environment
variables win over the file. Nothing is ever written there.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from kerasish.errors import InvalidArgument


def home() -> pathlib.Path:
    """The folder for settings, data sets and saved state: `$KERASISH_HOME`, or `~/.kerasish`.

    >>> import kerasish as keras
    >>> keras.config.home().is_absolute()
    True
    """
    return pathlib.Path(os.environ.get("KERASISH_HOME") or "~/.kerasish").expanduser()


def _read_file() -> dict[str, Any]:
    path = home() / "kerasish.json"
    try:
        text = path.read_text()
    except OSError:
        return {}
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(
            f"{path} is not valid JSON ({error}). Correct or delete it."
        ) from None
    if not isinstance(settings, dict):
        raise InvalidArgument(f"{path} must hold one JSON object, such as {{'backend': 'jax'}}.")
    return settings


_FILE = _read_file()


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InvalidArgument(f"Unknown {what} {value!r}. Expected one of {list(allowed)}.")
    return value


_FLOATX = ("bfloat16", "float16", "float32", "float64")
_FORMATS = ("channels_last", "channels_first")
_floatx = _one_of("floatx", _FILE.get("floatx", "float32"), _FLOATX)
_epsilon = float(_FILE.get("epsilon", 1e-7))
_image_data_format = _one_of(
    "image data format", _FILE.get("image_data_format", "channels_last"), _FORMATS
)
_flags: dict[str, Any] = {"flash_attention": None, "traceback_filtering": True}
_limits: dict[str, int | None] = {
    name: int(os.environ[f"KERASISH_{name.upper()}"])
    if os.environ.get(f"KERASISH_{name.upper()}")
    else _FILE.get(name)
    for name in ("max_epochs", "max_steps_per_epoch")
}


def floatx() -> str:
    """The default floating-point dtype of new tensors and weights, `"float32"` at first.

    >>> import kerasish as keras
    >>> keras.config.floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: str) -> None:
    """Sets the default floating-point dtype of new tensors and weights.

    Args:
        value: `"bfloat16"`, `"float16"`, `"float32"` or `"float64"`.

    >>> import kerasish as keras
    >>> keras.config.set_floatx("float64")
    >>> keras.ops.zeros((2,)).dtype.name
    'float64'
    >>> keras.config.set_floatx("float32")
    """
    global _floatx
    _floatx = _one_of("floatx", value, _FLOATX)


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite, `1e-7` at first.

    >>> import kerasish as keras
    >>> keras.config.epsilon()
    1e-07
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Sets the value that `epsilon` returns.

    Args:
        value: a small positive number.

    >>> import kerasish as keras
    >>> keras.config.set_epsilon(1e-5)
    >>> keras.config.epsilon()
    1e-05
    >>> keras.config.set_epsilon(1e-7)
    """
    global _epsilon
    _epsilon = float(value)


def image_data_format() -> str:
    """Where images keep their channels: `"channels_last"` (default) or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.config.image_data_format()
    'channels_last'
    """
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Sets the layout of images in layers and ops that are given none.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.config.set_image_data_format("channels_first")
    >>> keras.layers.Conv2D(8, 3).compute_output_shape((1, 3, 10, 10))
    (1, 8, 8, 8)
    >>> keras.config.set_image_data_format("channels_last")
    """
    global _image_data_format
    _image_data_format = _one_of("image data format", str(data_format).lower(), _FORMATS)


def standardize_data_format(data_format: str | None) -> str:
    """`data_format`, or the default where it is `None`; an error for anything unknown.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `None`.

    >>> import kerasish as keras
    >>> keras.config.standardize_data_format(None)
    'channels_last'
    """
    if data_format is None:
        return _image_data_format
    return _one_of("data_format", str(data_format).lower(), _FORMATS)


def max_epochs() -> int | None:
    """A limit on the epochs of any `fit`, or `None`.

    >>> import kerasish as keras
    >>> keras.config.max_epochs() is None
    True
    """
    return _limits["max_epochs"]


def set_max_epochs(max_epochs: int | None) -> None:
    """Limits the number of epochs of any `fit` (for quick checks of long scripts).

    Args:
        max_epochs: the limit; `None` takes it away.

    >>> import kerasish as keras
    >>> keras.config.set_max_epochs(1)
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> x = keras.ops.ones((4, 2))
    >>> model.fit(x, x[:, :1], epochs=100, verbose=0).epoch
    [0]
    >>> keras.config.set_max_epochs(None)
    """
    _limits["max_epochs"] = max_epochs


def max_steps_per_epoch() -> int | None:
    """A limit on the steps in any epoch, or `None`.

    >>> import kerasish as keras
    >>> keras.config.max_steps_per_epoch() is None
    True
    """
    return _limits["max_steps_per_epoch"]


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limits the number of steps in any epoch (for quick checks of long scripts).

    Args:
        max_steps_per_epoch: the limit; `None` takes it away.

    >>> import kerasish as keras
    >>> keras.config.set_max_steps_per_epoch(10)
    >>> keras.config.max_steps_per_epoch()
    10
    >>> keras.config.set_max_steps_per_epoch(None)
    """
    _limits["max_steps_per_epoch"] = max_steps_per_epoch


def enable_flash_attention() -> None:
    """Lets attention use a memory-frugal kernel where the backend has one (the default).

    Dao et al. (2022), https://arxiv.org/abs/2205.14135

    >>> import kerasish as keras
    >>> keras.config.enable_flash_attention()
    >>> keras.config.is_flash_attention_enabled() is None
    True
    """
    _flags["flash_attention"] = None


def disable_flash_attention() -> None:
    """Keeps attention to its plain form.

    >>> import kerasish as keras
    >>> keras.config.disable_flash_attention()
    >>> keras.config.is_flash_attention_enabled()
    False
    >>> keras.config.enable_flash_attention()
    """
    _flags["flash_attention"] = False


def is_flash_attention_enabled() -> bool | None:
    """`None` where it is used when possible, `False` where it was disabled.

    >>> import kerasish as keras
    >>> keras.config.is_flash_attention_enabled() is None
    True
    """
    return _flags["flash_attention"]


def enable_traceback_filtering() -> None:
    """Folds kerasish's own frames out of tracebacks (the default).

    >>> import kerasish as keras
    >>> keras.config.enable_traceback_filtering()
    >>> keras.config.is_traceback_filtering_enabled()
    True
    """
    _flags["traceback_filtering"] = True


def disable_traceback_filtering() -> None:
    """Shows every frame in tracebacks.

    >>> import kerasish as keras
    >>> keras.config.disable_traceback_filtering()
    >>> keras.config.is_traceback_filtering_enabled()
    False
    >>> keras.config.enable_traceback_filtering()
    """
    _flags["traceback_filtering"] = False


def is_traceback_filtering_enabled() -> bool:
    """Whether kerasish's own frames are folded out of tracebacks.

    >>> import kerasish as keras
    >>> keras.config.is_traceback_filtering_enabled()
    True
    """
    return _flags["traceback_filtering"]


def is_nnx_enabled() -> bool:
    """Always `False`: kerasish needs no Flax NNX mode, its variables work under JAX as they are.

    >>> import kerasish as keras
    >>> keras.config.is_nnx_enabled()
    False
    """
    return False


def backend() -> str:
    """The name of the active backend.

    >>> import kerasish as keras
    >>> keras.config.backend()
    'numpy'
    """
    from kerasish import backends

    return backends.active.name


def set_backend(backend: str) -> None:
    """Makes another engine the active one, in the running process.

    Models, optimizers and metrics move with their state when they are next used.

    Args:
        backend: `"numpy"`, `"torch"`, `"jax"`, `"tensorflow"`, or the name of a registered one. A
            `BackendMissing` error is raised when its library is not installed.

    >>> import kerasish as keras
    >>> keras.config.set_backend("numpy")
    >>> keras.config.backend()
    'numpy'
    """
    from kerasish import backends

    backends.switch(backend)


@contextlib.contextmanager
def backend_scope(backend: str) -> Iterator[None]:
    """Another backend for the length of a `with` block.

    Args:
        backend: its name, as in `set_backend`.

    >>> import kerasish as keras
    >>> with keras.config.backend_scope("numpy"):
    ...     keras.config.backend()
    'numpy'
    """
    from kerasish import backends

    before = backends.active.name
    backends.switch(backend)
    try:
        yield
    finally:
        backends.switch(before)


def available_backends() -> list[str]:
    """The registered backends whose library is installed here, the default one first.

    >>> import kerasish as keras
    >>> "numpy" in keras.config.available_backends()
    True
    """
    from kerasish import backends

    return backends.available()


def _initial_backend() -> str:
    for name in ("KERASISH_BACKEND", "KERAS_BACKEND"):
        if os.environ.get(name):
            return os.environ[name]
    return _FILE.get("backend", "numpy")


# Public settings whose homes are higher floors; they load when asked for.
_ELSEWHERE = {
    "dtype_policy": "kerasish.dtype_policies",
    "set_dtype_policy": "kerasish.dtype_policies",
    "enable_interactive_logging": "kerasish.callbacks.progress",
    "disable_interactive_logging": "kerasish.callbacks.progress",
    "is_interactive_logging_enabled": "kerasish.callbacks.progress",
    "enable_unsafe_deserialization": "kerasish.saving.serialization",
}


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        import importlib

        return getattr(importlib.import_module(_ELSEWHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
