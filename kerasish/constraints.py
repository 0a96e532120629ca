"""Constraints: functions applied to a weight after each update."""

from __future__ import annotations

from typing import Any

from kerasish import config, ops


class Constraint:
    """The base of constraints: callables that map a weight to an allowed one.

    >>> import kerasish as keras
    >>> class Halve(keras.constraints.Constraint):
    ...     def __call__(self, w):
    ...         return w * 0.5
    >>> Halve()(keras.ops.ones((2,))).tolist()
    [0.5, 0.5]
    """

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """A constraint with this config."""
        return cls(**config)


def _norm(w: Any, axis: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


class MaxNorm(Constraint):
    """Scales weights down whose norm along `axis` is above `max_value`.

    Srivastava et al. (2014), section 5.1, https://jmlr.org/papers/v15/srivastava14a.html

    Args:
        max_value: the largest allowed norm.
        axis: the axis or axes of one weight vector: 0 for a dense kernel, `[0, 1, 2]` for the
            kernel of a 2-D convolution.

    >>> import kerasish as keras
    >>> keras.constraints.MaxNorm(1.0)(keras.ops.array([[3.0], [4.0]])).round(3).tolist()
    [[0.6000000238418579], [0.800000011920929]]
    """

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        norm = _norm(w, self.axis)
        return w * (ops.minimum(norm, self.max_value) / (config.epsilon() + norm))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Sets negative weights to zero.

    >>> import kerasish as keras
    >>> keras.constraints.NonNeg()(keras.ops.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0.0)


class UnitNorm(Constraint):
    """Scales weights to norm 1 along `axis`.

    Args:
        axis: the axis or axes of one weight vector.

    >>> import kerasish as keras
    >>> keras.constraints.UnitNorm()(keras.ops.array([[0.0], [4.0]])).round(3).tolist()
    [[0.0], [1.0]]
    """

    def __init__(self, axis: Any = 0):
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        return w / (config.epsilon() + _norm(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Moves the norm of weights along `axis` between two bounds.

    Args:
        min_value, max_value: the bounds.
        rate: how far to go at each update: 1 all the way, smaller values part of it.
        axis: the axis or axes of one weight vector.

    >>> import kerasish as keras
    >>> keras.constraints.MinMaxNorm(2.0, 3.0)(keras.ops.array([[0.0], [1.0]])).round(3).tolist()
    [[0.0], [2.0]]
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0
    ):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        norm = _norm(w, self.axis)
        wanted = self.rate * ops.clip(norm, self.min_value, self.max_value)
        return w * ((wanted + (1 - self.rate) * norm) / (config.epsilon() + norm))

    def get_config(self) -> dict[str, Any]:
        return {
            "min_value": self.min_value, "max_value": self.max_value,
            "rate": self.rate, "axis": self.axis,
        }  # fmt: skip


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_NAMES = {
    "Constraint": Constraint,
    "MaxNorm": MaxNorm, "max_norm": MaxNorm, "NonNeg": NonNeg, "non_neg": NonNeg,
    "UnitNorm": UnitNorm, "unit_norm": UnitNorm,
    "MinMaxNorm": MinMaxNorm, "min_max_norm": MinMaxNorm,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """A constraint from a name, a config, a class, a callable, or `None`.

    Args:
        identifier: any of these.

    >>> import kerasish as keras
    >>> keras.constraints.get("max_norm").max_value
    2
    """
    from kerasish.saving import serialization

    return serialization.lookup(identifier, _NAMES, "constraint")


def serialize(constraint: Any) -> Any:
    """The config of a constraint, which `deserialize` makes an equal one from.

    Args:
        constraint: the constraint.

    >>> import kerasish as keras
    >>> keras.constraints.serialize(keras.constraints.MaxNorm(3))["config"]
    {'max_value': 3, 'axis': 0}
    """
    from kerasish.saving import serialization

    return serialization.serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that a config describes.

    Args:
        config: what `serialize` returned, or a name.
        custom_objects: classes and functions by the names that stand in the config.

    >>> import kerasish as keras
    >>> config = keras.constraints.serialize(keras.constraints.MaxNorm(3))
    >>> keras.constraints.deserialize(config).max_value
    3
    """
    from kerasish.saving import serialization

    return get(serialization.deserialize_keras_object(config, custom_objects=custom_objects))
