"""Activation functions as layers."""

from __future__ import annotations

from typing import Any

from kerasish import activations, constraints, initializers, ops, regularizers
from kerasish.errors import InvalidArgument
from kerasish.layers.base import Layer
from kerasish.layers.input_spec import InputSpec
from kerasish.ops.recurrent import wide


class _Elementwise(Layer):
    """Keeps the shape and the mask."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class ReLU(_Elementwise):
    """`max(x, 0)`, optionally capped, leaky and with a threshold.

    Args:
        max_value: the largest output, `None` for no cap.
        negative_slope: the slope below the threshold.
        threshold: `x` is passed from here on, `negative_slope * (x - threshold)` is given below.

    >>> import kerasish as keras
    >>> keras.layers.ReLU(max_value=1.0)(keras.ops.array([-1.0, 0.5, 3.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    _keeps_dtype = True

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        for name, value in (("max_value", max_value), ("negative_slope", negative_slope),
                            ("threshold", threshold)):
            if value is not None and value < 0 or value is None and name != "max_value":
                raise InvalidArgument(f"ReLU needs {name} >= 0, got {value}.")
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, inputs: Any) -> Any:
        y = activations.relu(
            inputs, negative_slope=self.negative_slope, max_value=self.max_value,
            threshold=self.threshold,
        )
        return ops.cast(y, ops.dtype(inputs))


class LeakyReLU(_Elementwise):
    """`x` where positive, `negative_slope * x` elsewhere.

    Maas et al. (2013), https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf

    Args:
        negative_slope: at least 0.

    >>> import kerasish as keras
    >>> keras.layers.LeakyReLU(negative_slope=0.5)(keras.ops.array([-2.0, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 3.0]
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise InvalidArgument(f"LeakyReLU needs negative_slope >= 0, got {negative_slope}.")
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        return ops.leaky_relu(inputs, self.negative_slope)


class ELU(_Elementwise):
    """`x` where positive, `alpha * (exp(x) - 1)` elsewhere.

    Clevert et al. (2015), https://arxiv.org/abs/1511.07289

    Args:
        alpha: the function tends to `-alpha`.

    >>> import kerasish as keras
    >>> y = keras.layers.ELU()(keras.ops.array([-1.0, 0.0, 3.0]))
    >>> [round(v, 2) for v in y.tolist()]
    [-0.63, 0.0, 3.0]
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        return ops.elu(inputs, self.alpha)


class PReLU(Layer):
    """`x` where positive, `alpha * x` elsewhere, with a learned `alpha` for each feature.

    He et al. (2015), https://arxiv.org/abs/1502.01852

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of `alpha`.
        shared_axes: axes along which `alpha` is shared, such as `[1, 2]` for images.

    >>> import kerasish as keras
    >>> layer = keras.layers.PReLU(alpha_initializer="ones", shared_axes=[1, 2])
    >>> layer(-keras.ops.ones((1, 8, 8, 3))).shape, layer.alpha.shape
    ((1, 8, 8, 3), (1, 1, 3))
    """

    def __init__(
        self, alpha_initializer: Any = "Zeros", alpha_regularizer: Any = None,
        alpha_constraint: Any = None, shared_axes: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.supports_masking = True
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = None if shared_axes is None else (
            list(shared_axes) if isinstance(shared_axes, list | tuple) else [shared_axes]
        )

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            name="alpha", shape=shape, initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer, constraint=self.alpha_constraint,
        )  # fmt: skip
        free = {i: n for i, n in enumerate(input_shape) if i and shape[i - 1] != 1}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=free)

    def call(self, inputs: Any) -> Any:
        below = ops.relu(ops.negative(inputs))
        return ops.subtract(ops.relu(inputs), ops.multiply(self.alpha, below))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class Softmax(_Elementwise):
    """Softmax along an axis (or several); masked places get zero.

    Args:
        axis: the axis or axes that sum to 1.

    Called with `mask` (booleans, of the input's shape or of its first axes), false is masked.

    >>> import kerasish as keras
    >>> keras.layers.Softmax()(keras.ops.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            mask = wide(mask, inputs)  # one that came with the input tells of steps
            low = -3e4 if ops.dtype(inputs) == "float16" else -1e9
            inputs = ops.where(mask, inputs, ops.cast(low, ops.dtype(inputs)))
        axis = tuple(self.axis) if isinstance(self.axis, list | tuple) else self.axis
        if isinstance(axis, tuple) and len(axis) == 1:
            axis = axis[0]
        y = ops.softmax(inputs, axis=axis)
        return y if mask is None else ops.where(mask, y, ops.cast(0.0, ops.dtype(y)))
