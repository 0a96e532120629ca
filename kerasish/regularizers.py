"""Regularizers: penalties of weights or outputs, added to the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kerasish import config, ops
from kerasish.errors import InvalidArgument, NotDefined, ShapeError


class Regularizer:
    """The base of regularizers: callables that map a tensor to a scalar penalty.

    >>> import kerasish as keras
    >>> class Sum(keras.regularizers.Regularizer):
    ...     def __call__(self, x):
    ...         return 0.1 * keras.ops.sum(x)
    ...     def get_config(self):
    ...         return {}
    >>> round(float(Sum()(keras.ops.ones((2, 5)))), 4)
    1.0
    """

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        raise NotDefined(
            f"{type(self).__name__} has no get_config(), so it cannot be saved. Define one that "
            "returns the arguments of __init__."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """A regularizer with this config."""
        return cls(**config)


def _factor(name: str, value: Any) -> float:
    if not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
        raise InvalidArgument(
            f"The factor {name} of a regularizer is a float that is not negative, got {value!r}."
        )
    return float(value)


class L1L2(Regularizer):
    """The penalty `l1 * sum(abs(x)) + l2 * sum(x ** 2)`.

    Args:
        l1, l2: the two factors, at least 0.

    >>> import kerasish as keras
    >>> round(float(keras.regularizers.L1L2(l1=1.0, l2=0.5)(keras.ops.array([-2.0, 1.0]))), 4)
    5.5
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1 = _factor("l1", 0.0 if l1 is None else l1)
        self.l2 = _factor("l2", 0.0 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        penalty: Any = 0.0
        if self.l1:
            penalty = ops.multiply(ops.sum(ops.absolute(x)), self.l1)
        if self.l2:
            penalty = ops.add(ops.multiply(ops.sum(ops.square(x)), self.l2), penalty)
        return penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """The penalty `l1 * sum(abs(x))`.

    Args:
        l1: the factor, at least 0.

    >>> import kerasish as keras
    >>> float(keras.regularizers.L1(0.5)(keras.ops.array([-2.0, 1.0])))
    1.5
    """

    def __init__(self, l1: float = 0.01):
        self.l1 = _factor("l1", 0.01 if l1 is None else l1)

    def __call__(self, x: Any) -> Any:
        return ops.multiply(ops.sum(ops.absolute(x)), self.l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """The penalty `l2 * sum(x ** 2)`.

    Args:
        l2: the factor, at least 0.

    >>> import kerasish as keras
    >>> float(keras.regularizers.L2(0.5)(keras.ops.array([-2.0, 1.0])))
    2.5
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = _factor("l2", 0.01 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        return ops.multiply(ops.sum(ops.square(x)), self.l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """Pushes the rows (or columns) of a matrix to be orthogonal to each other.

    The penalty is `factor` times the mean absolute cosine between two of them.

    Args:
        factor: how strong it is.
        mode: `"rows"` or `"columns"`.

    >>> import kerasish as keras
    >>> round(float(keras.regularizers.OrthogonalRegularizer(1.0)(keras.ops.eye(3))), 4)
    0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _factor("factor", factor)
        if mode not in ("rows", "columns"):
            raise InvalidArgument(f"mode is 'rows' or 'columns', got {mode!r}.")
        self.mode = mode

    def __call__(self, inputs: Any) -> Any:
        inputs = ops.convert_to_tensor(inputs)
        if len(inputs.shape) != 2:
            raise ShapeError(
                f"OrthogonalRegularizer takes a matrix, got shape {tuple(inputs.shape)}."
            )
        rows = inputs if self.mode == "rows" else ops.transpose(inputs)
        square = ops.sum(ops.square(rows), axis=1, keepdims=True)
        rows = rows * ops.rsqrt(ops.maximum(square, config.epsilon() ** 2))
        n = rows.shape[0]
        cosines = ops.absolute(ops.matmul(rows, ops.transpose(rows)))
        others = ops.sum(ops.triu(cosines, 1))
        return self.factor * others / max(n * (n - 1) / 2, 1)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
_NAMES = {
    "L1": L1, "l1": L1, "L2": L2, "l2": L2, "L1L2": L1L2, "l1_l2": L1L2, "l1l2": L1L2,
    "OrthogonalRegularizer": OrthogonalRegularizer,
    "orthogonal_regularizer": OrthogonalRegularizer,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """A regularizer from a name, a config, a class, a callable, or `None`.

    Args:
        identifier: any of these.

    >>> import kerasish as keras
    >>> keras.regularizers.get("l2").l2
    0.01
    """
    from kerasish.saving import serialization

    return serialization.lookup(identifier, _NAMES, "regularizer")


def serialize(regularizer: Any) -> Any:
    """The config of a regularizer, which `deserialize` makes an equal one from.

    Args:
        regularizer: the regularizer.

    >>> import kerasish as keras
    >>> keras.regularizers.serialize(keras.regularizers.L1(0.5))["config"]
    {'l1': 0.5}
    """
    from kerasish.saving import serialization

    return serialization.serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that a config describes.

    Args:
        config: what `serialize` returned, or a name.
        custom_objects: classes and functions by the names that stand in the config.

    >>> import kerasish as keras
    >>> config = keras.regularizers.serialize(keras.regularizers.L1(0.5))
    >>> keras.regularizers.deserialize(config).l1
    0.5
    """
    from kerasish.saving import serialization

    return get(serialization.deserialize_keras_object(config, custom_objects=custom_objects))
