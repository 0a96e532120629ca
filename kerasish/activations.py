"""`keras.activations`: functions to end a layer with, and how they are named in configs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerasish import ops
from kerasish.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)
from kerasish.saving.serialization import (
    deserialize_keras_object,
    lookup,
    serialize_keras_object,
)

__all__ = [
    "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu", "hard_shrink",
    "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid",
    "log_softmax", "mish", "relu", "relu6", "selu", "serialize", "sigmoid", "silu", "soft_shrink",
    "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip

hard_swish, swish = hard_silu, silu


def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """Rectified linear unit, `max(x, 0)`, with optional leak, ceiling and threshold.

    Args:
        x: a tensor.
        negative_slope: values below the threshold become `negative_slope * (x - threshold)`.
        max_value: the largest value that comes out.
        threshold: values below it count as negative.

    >>> import kerasish as keras
    >>> keras.activations.relu(keras.ops.array([-2.0, 1.0, 9.0]), 0.5, max_value=6.0).tolist()
    [-1.0, 1.0, 6.0]
    """
    if threshold == 0 and max_value is None:
        return ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    if threshold == 0 and max_value == 6 and not negative_slope:
        return ops.relu6(x)
    below = negative_slope * ops.subtract(x, threshold) if negative_slope else 0
    y = ops.where(ops.greater(x, threshold), x, below)
    return y if max_value is None else ops.minimum(y, max_value)


def gelu(x: Any, approximate: bool = False) -> Any:
    """Gaussian error linear unit: `x` times the normal distribution function of `x`.

    Hendrycks and Gimpel (2016), https://arxiv.org/abs/1606.08415

    Args:
        x: a tensor.
        approximate: use the approximation by `tanh`.

    >>> import kerasish as keras
    >>> [round(v, 4) for v in keras.activations.gelu([-1.0, 1.0]).tolist()]
    [-0.1587, 0.8413]
    """
    return ops.gelu(x, approximate)


def exponential(x: Any) -> Any:
    """`exp(x)`.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> float(keras.activations.exponential(0.0))
    1.0
    """
    return ops.exp(x)


def mish(x: Any) -> Any:
    """`x * tanh(softplus(x))`; see Misra, 2019.

    Args:
        x: a tensor.

    >>> import kerasish as keras
    >>> round(float(keras.activations.mish(1.0)), 4)
    0.8651
    """
    return ops.multiply(x, ops.tanh(ops.softplus(x)))


def linear(x: Any) -> Any:
    """`x` itself.

    Args:
        x: anything.

    >>> import kerasish as keras
    >>> keras.activations.linear(3)
    3
    """
    return x


_NAMED: dict[str, Callable[..., Any]] = {
    name: globals()[name] for name in __all__ if name not in ("get", "serialize", "deserialize")
}
_BUILT_IN = set(_NAMED.values())


def serialize(activation: Any) -> Any:
    """The config of an activation: the name of a built-in one.

    Args:
        activation: a function, or an object such as a layer.

    >>> import kerasish as keras
    >>> keras.activations.serialize(keras.activations.relu)
    'relu'
    """
    if callable(activation) and getattr(activation, "__hash__", None) and activation in _BUILT_IN:
        return activation.__name__
    return serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation that `serialize` described.

    Args:
        config: a name or a config.
        custom_objects: names that the config may use, and what they stand for.

    >>> import kerasish as keras
    >>> keras.activations.deserialize("swish") is keras.activations.silu
    True
    """
    if isinstance(config, str):
        return lookup(config, {**_NAMED, **(custom_objects or {})}, "activation")
    return deserialize_keras_object(config, custom_objects=custom_objects)


def get(identifier: Any) -> Any:
    """An activation by name, by config, or itself; `None` gives `linear`.

    Args:
        identifier: a name, a config, a callable or `None`.

    >>> import kerasish as keras
    >>> keras.activations.get("tanh") is keras.ops.tanh
    True
    """
    if identifier is None:
        return linear
    return lookup(identifier, _NAMED, "activation")
