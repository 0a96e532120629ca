"""Rematerialisation: recompute activations in the backward pass in place of keeping them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerasish import backends
from kerasish.backends.state import local
from kerasish.errors import InvalidArgument

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class RematScope:
    """Layers called in the block keep less for the backward pass and compute it again there.

    Chen et al. (2016), https://arxiv.org/abs/1604.06174

    Args:
        mode: `"full"`, `"activations"`, `"larger_than"`, `"list_of_layers"` or `None`.
        output_size_threshold: for `"larger_than"`, the number of elements of the output.
        layer_names: for `"list_of_layers"`.

    >>> import kerasish as keras
    >>> with keras.RematScope(mode="larger_than", output_size_threshold=100):
    ...     keras.layers.Dense(64)(keras.ops.ones((2, 8))).shape
    (2, 64)
    """

    def __init__(
        self, mode: str | None = "full", output_size_threshold: int = 1024,
        layer_names: list[str] | None = None,
    ):  # fmt: skip
        if mode not in _MODES:
            raise InvalidArgument(f"RematScope mode must be one of {_MODES}, got {mode!r}.")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = layer_names or []

    def __enter__(self) -> RematScope:
        local.here.remat.append(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        local.here.remat.pop()


def current() -> RematScope | None:
    """The innermost open scope."""
    scopes = local.here.remat
    return scopes[-1] if scopes else None


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, whose intermediate values are computed again in the backward pass.

    On engines that keep everything cheaply (NumPy) it is `f` itself.

    >>> import kerasish as keras
    >>> keras.remat(lambda x: keras.ops.exp(x))(keras.ops.zeros((1,))).tolist()
    [1.0]
    """

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        engine_remat = backends.active.lookup("remat")
        return (f if engine_remat is None else engine_remat(f))(*args, **kwargs)

    return wrapper
