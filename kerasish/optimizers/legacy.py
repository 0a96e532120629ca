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
    """Keras 2's; use `keras.optimizers.Adagrad`.

    >>> import kerasish as keras
    >>> keras.optimizers.legacy.Adagrad()
    Traceback (most recent call last):
        ...
    kerasish.optimizers.legacy.LegacyOptimizer: keras.optimizers.legacy.Adagrad was Keras 2's. ...
    """


class Adam(_Legacy):
    """Keras 2's; use `keras.optimizers.Adam`.

    >>> import kerasish as keras
    >>> keras.optimizers.legacy.Adam()
    Traceback (most recent call last):
        ...
    kerasish.optimizers.legacy.LegacyOptimizer: keras.optimizers.legacy.Adam was Keras 2's. ...
    """


class Ftrl(_Legacy):
    """Keras 2's; use `keras.optimizers.Ftrl`.

    >>> import kerasish as keras
    >>> keras.optimizers.legacy.Ftrl()
    Traceback (most recent call last):
        ...
    kerasish.optimizers.legacy.LegacyOptimizer: keras.optimizers.legacy.Ftrl was Keras 2's. ...
    """


class Optimizer(_Legacy):
    """Keras 2's; use `keras.optimizers.Optimizer`.

    >>> import kerasish as keras
    >>> keras.optimizers.legacy.Optimizer()
    Traceback (most recent call last):
        ...
    kerasish.optimizers.legacy.LegacyOptimizer: keras.optimizers.legacy.Optimizer was Keras 2's. ...
    """


class RMSprop(_Legacy):
    """Keras 2's; use `keras.optimizers.RMSprop`.

    >>> import kerasish as keras
    >>> keras.optimizers.legacy.RMSprop()
    Traceback (most recent call last):
        ...
    kerasish.optimizers.legacy.LegacyOptimizer: keras.optimizers.legacy.RMSprop was Keras 2's. ...
    """


class SGD(_Legacy):
    """Keras 2's; use `keras.optimizers.SGD`.

    >>> import kerasish as keras
    >>> keras.optimizers.legacy.SGD()
    Traceback (most recent call last):
        ...
    kerasish.optimizers.legacy.LegacyOptimizer: keras.optimizers.legacy.SGD was Keras 2's. ...
    """
