"""Names of Keras 2's optimizers, kept so that programs which mention them can be imported."""

from __future__ import annotations

from typing import Any

from kerasish.errors import BackendError


class _Legacy:
    def __init__(self, *args: Any, **kwargs: Any):
        name = type(self).__name__
        raise LegacyOptimizer(
            f"keras.optimizers.legacy.{name} was Keras 2's. Use keras.optimizers.{name}."
        )


class LegacyOptimizer(BackendError, ImportError):
    """An optimizer of Keras 2 was asked for."""


class Adagrad(_Legacy):
    """Keras 2's; use `keras.optimizers.Adagrad`."""


class Adam(_Legacy):
    """Keras 2's; use `keras.optimizers.Adam`."""


class Ftrl(_Legacy):
    """Keras 2's; use `keras.optimizers.Ftrl`."""


class Optimizer(_Legacy):
    """Keras 2's; use `keras.optimizers.Optimizer`."""


class RMSprop(_Legacy):
    """Keras 2's; use `keras.optimizers.RMSprop`."""


class SGD(_Legacy):
    """Keras 2's; use `keras.optimizers.SGD`."""
