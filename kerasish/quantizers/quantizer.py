"""Quantizers: objects that turn tensors into integers and a scale."""

from __future__ import annotations

from typing import Any

from kerasish import dtypes
from kerasish.errors import NotDefined
from kerasish.quantizers.numeric import abs_max_quantize


class Quantizer:
    """The base of quantizers: callables that map a tensor to `(integers, scale)`.

    Args:
        output_dtype: the dtype of the integers.

    >>> import kerasish as keras
    >>> class Halves(keras.Quantizer):
    ...     def __call__(self, x):
    ...         return keras.ops.cast(keras.ops.round(x * 2), self.output_dtype), 2.0
    >>> Halves()(keras.ops.array([1.0, 2.5]))[0].tolist()
    [2, 5]
    """

    def __init__(self, output_dtype: Any = "int8"):
        self.output_dtype = dtypes.standardize(output_dtype)

    def __call__(self, x: Any) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        raise NotDefined(
            f"{type(self).__name__} has no get_config(), so it cannot be saved. Define one that "
            "returns the arguments of __init__."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A quantizer with this config."""
        return cls(**config)


class AbsMaxQuantizer(Quantizer):
    """Integers proportional to the input, whose largest magnitude becomes the range's end.

    Args:
        axis: the axis or axes that share a scale; `None` leaves that to the call.
        value_range: the smallest and largest integer.
        epsilon: added to the largest magnitude.
        output_dtype: the dtype of the integers.

    >>> import kerasish as keras
    >>> q, scale = keras.quantizers.AbsMaxQuantizer(axis=0)(keras.ops.array([[1.0], [-4.0]]))
    >>> q.tolist(), scale.tolist()
    ([[32], [-127]], [[31.75]])
    """

    def __init__(
        self, axis: Any = None, value_range: Any = (-127, 127), epsilon: float = 1e-07,
        output_dtype: Any = "int8",
    ):  # fmt: skip
        super().__init__(output_dtype)
        self.axis = None if axis is None else tuple(axis) if isinstance(
            axis, list | tuple
        ) else (axis,)
        self.value_range = tuple(value_range)
        self.epsilon = epsilon

    def __call__(self, x: Any, axis: Any = None, to_numpy: bool = False) -> Any:
        """`(integers, scale)` of `x`; the axes are the quantizer's own, `axis`, or the last one."""
        own = self.axis if self.axis is not None else -1 if axis is None else axis
        return abs_max_quantize(
            x, own, self.value_range, self.output_dtype, self.epsilon, to_numpy
        )

    def get_config(self) -> dict[str, Any]:
        config = {
            "value_range": self.value_range, "epsilon": self.epsilon,
            "output_dtype": self.output_dtype,
        }  # fmt: skip
        return config if self.axis is None else {**config, "axis": self.axis}


_NAMES = {"AbsMaxQuantizer": AbsMaxQuantizer, "abs_max_quantizer": AbsMaxQuantizer}


def get(identifier: Any, **kwargs: Any) -> Any:
    """A quantizer from a name or class (and its arguments), a config, an object, or `None`.

    Args:
        identifier: any of these.
        **kwargs: arguments of the class.

    >>> import kerasish as keras
    >>> keras.quantizers.get("abs_max_quantizer", axis=-1).axis
    (-1,)
    """
    from kerasish.saving import object_registration, serialization

    if isinstance(identifier, str):
        found = object_registration.get_registered_object(identifier, None, _NAMES)
        identifier = identifier if found is None else found
    if isinstance(identifier, type):
        return identifier(**kwargs)
    return serialization.lookup(identifier, _NAMES, "quantizer")


def serialize(initializer: Any) -> Any:
    """The config of a quantizer, which `deserialize` makes an equal one from.

    Args:
        initializer: the quantizer (the argument's name is Keras').

    >>> import kerasish as keras
    >>> keras.quantizers.serialize(keras.quantizers.AbsMaxQuantizer(axis=0))["class_name"]
    'AbsMaxQuantizer'
    """
    from kerasish.saving import serialization

    return serialization.serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The quantizer that a config describes.

    Args:
        config: what `serialize` returned.
        custom_objects: classes by the names that stand in the config.

    >>> import kerasish as keras
    >>> config = keras.quantizers.serialize(keras.quantizers.AbsMaxQuantizer(axis=0))
    >>> keras.quantizers.deserialize(config).axis
    (0,)
    """
    from kerasish.saving import serialization

    return serialization.deserialize_keras_object(config, custom_objects=custom_objects)
