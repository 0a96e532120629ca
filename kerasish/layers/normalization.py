"""Normalization: over the batch, the features, groups of channels, or of weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import constraints, initializers, ops, regularizers
from kerasish.backends import state
from kerasish.errors import DTypeError, InvalidArgument, ShapeError
from kerasish.layers.base import Layer
from kerasish.layers.core import Wrapper
from kerasish.layers.input_spec import InputSpec
from kerasish.ops.normalization import _batch_norm_train, _wide


class _Affine(Layer):
    """Arguments and weights of a learned scale (gamma) and offset (beta)."""

    def _set_affine(
        self, center: bool, scale: bool, beta_initializer: Any, gamma_initializer: Any,
        beta_regularizer: Any, gamma_regularizer: Any, beta_constraint: Any,
        gamma_constraint: Any,
    ) -> None:  # fmt: skip
        self.center, self.scale = center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True

    def _add_affine(self, shape: Any, only_scale: bool = False) -> None:
        self.gamma: Any = None
        self.beta: Any = None
        if self.scale or only_scale:
            self.gamma = self.add_weight(
                name="gamma", shape=shape, initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
                autocast=False,
            )  # fmt: skip
        if self.center and not only_scale:
            self.beta = self.add_weight(
                name="beta", shape=shape, initializer=self.beta_initializer,
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
                autocast=False,
            )  # fmt: skip

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _size_of_axis(layer: Any, shape: Any) -> int:
    if not -len(shape) <= layer.axis < len(shape) or shape[layer.axis] is None:
        raise ShapeError(
            f"Layer {layer.name!r} ({type(layer).__name__}) needs inputs with a known size on axis "
            f"{layer.axis}, got {tuple(shape)}."
        )
    return shape[layer.axis]


def _value(variable: Any, dtype: str | None = None) -> Any:
    if variable is None:
        return None
    return variable.value if dtype is None else ops.cast(variable.value, dtype)


class BatchNormalization(_Affine):
    """Normalizes each channel over the batch.

    In training the batch's own mean and variance are used and running averages kept; otherwise
    the running averages are used. A frozen layer (`trainable = False`) always uses them.
    Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167

    Args:
        axis: the channel axis.
        momentum: of the running averages.
        epsilon: added to the variance.
        center, scale: whether to learn an offset (beta) and a scale (gamma).
        beta_initializer, gamma_initializer, beta_regularizer, ...: of these two.
        moving_mean_initializer, moving_variance_initializer: of the running averages.
        renorm, renorm_clipping, renorm_momentum: batch renormalization
            (https://arxiv.org/abs/1702.03275): corrects the batch's statistics towards the
            running ones, clipped to `rmax`, `rmin`, `dmax`.
        synchronized: combine the statistics of all replicas of a distributed model.

    The output has the shape of the input.

    >>> import kerasish as keras
    >>> layer = keras.layers.BatchNormalization()
    >>> y = layer(keras.ops.array([[1.0], [3.0]]), training=True)
    >>> [round(v, 2) for v in y[:, 0].tolist()]
    [-1.0, 1.0]
    """

    def __init__(
        self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True,
        scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros", moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, renorm: bool = False, renorm_clipping: Any = None,
        renorm_momentum: float = 0.99, synchronized: bool = False, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self._set_affine(center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                         gamma_regularizer, beta_constraint, gamma_constraint)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = renorm
        self.renorm_clipping = dict(renorm_clipping or {})
        if unknown := set(self.renorm_clipping) - {"rmax", "rmin", "dmax"}:
            raise InvalidArgument(
                f"renorm_clipping takes rmax, rmin and dmax, got {sorted(unknown)}."
            )
        self.renorm_momentum = float(renorm_momentum)
        self.synchronized = synchronized

    def build(self, input_shape: Any) -> None:
        size = _size_of_axis(self, input_shape)
        self._add_affine((size,))
        for name, initializer in (
            ("moving_mean", self.moving_mean_initializer),
            ("moving_variance", self.moving_variance_initializer),
        ):
            setattr(self, name, self.add_weight(
                name=name, shape=(size,), initializer=initializer, trainable=False, autocast=False,
            ))  # fmt: skip
        if self.renorm:
            deviation = lambda shape, dtype=None: ops.sqrt(
                self.moving_variance_initializer(shape, dtype=dtype)
            )
            for name, initializer in (
                ("moving_stddev", deviation), ("renorm_mean", self.moving_mean_initializer),
                ("renorm_stddev", deviation),
            ):  # fmt: skip
                setattr(self, name, self.add_weight(
                    name=name, shape=(size,), initializer=initializer, trainable=False,
                    autocast=False,
                ))  # fmt: skip
        rank = len(input_shape)
        axes = list(range(rank))
        del axes[self.axis]
        self._reduced = tuple(axes)
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: size})

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            mask = ops.broadcast_to(
                ops.expand_dims(mask, list(range(len(mask.shape), len(inputs.shape) - 1))),
                ops.shape(inputs)[:-1],
            )
        dtype = ops.dtype(inputs)
        x = ops.cast(inputs, "float32") if dtype in ("float16", "bfloat16") else inputs
        gamma, beta = _value(self.gamma), _value(self.beta)
        if not training or not self.trainable:
            y = ops.batch_normalization(
                x, self.moving_mean.value, self.moving_variance.value, self.axis, beta, gamma,
                self.epsilon,
            )
            return ops.cast(y, self.compute_dtype)
        if mask is None and not self.renorm:
            y, mean, variance = _batch_norm_train(
                x, gamma, beta, self._reduced, self.epsilon
            )
        else:
            mean, variance = self._moments(x, mask)
            y = self._normalize(x, mean, variance, gamma, beta)
        self._keep(self.moving_mean, mean)
        if self.renorm:  # the deviation is what is averaged
            self._keep(self.moving_stddev, ops.sqrt(ops.add(variance, self.epsilon)))
            kept = ops.square(self.moving_stddev.value)
            self.moving_variance.assign(ops.maximum(ops.subtract(kept, self.epsilon), 0.0))
        else:
            self._keep(self.moving_variance, variance)
        return ops.cast(y, self.compute_dtype)

    def _keep(self, running: Any, value: Any) -> None:
        value = ops.stop_gradient(value)
        old = running.value
        running.assign(ops.add(ops.multiply(old, self.momentum),
                               ops.multiply(value, 1.0 - self.momentum)))

    def _moments(self, x: Any, mask: Any) -> tuple[Any, Any]:
        if mask is None:
            return ops.moments(x, axes=self._reduced)
        weight = ops.cast(ops.expand_dims(mask, -1), ops.dtype(x))
        full = ops.broadcast_to(weight, ops.shape(x))
        count = ops.add(ops.sum(full, axis=self._reduced, keepdims=True), 1e-12)
        mean = ops.divide(ops.sum(x * full, axis=self._reduced, keepdims=True), count)
        spread = ops.square(x - mean) * full
        variance = ops.divide(ops.sum(spread, axis=self._reduced, keepdims=True), count)
        return ops.squeeze(mean, self._reduced), ops.squeeze(variance, self._reduced)

    def _normalize(self, x: Any, mean: Any, variance: Any, gamma: Any, beta: Any) -> Any:
        if not self.renorm:
            return ops.batch_normalization(
                x, mean, variance, self.axis, beta, gamma, self.epsilon
            )
        deviation = ops.sqrt(ops.add(variance, self.epsilon))
        old_mean, old_deviation = self.renorm_mean.value, self.renorm_stddev.value
        r = ops.stop_gradient(ops.divide(deviation, old_deviation))
        d = ops.stop_gradient(ops.divide(ops.subtract(mean, old_mean), old_deviation))
        clip = self.renorm_clipping
        if "rmin" in clip or "rmax" in clip:
            r = ops.clip(r, clip.get("rmin", 0.0), clip.get("rmax", np.inf))
        if "dmax" in clip:
            d = ops.clip(d, -clip["dmax"], clip["dmax"])
        for running, value in ((self.renorm_mean, mean), (self.renorm_stddev, deviation)):
            value = ops.stop_gradient(value)
            m = self.renorm_momentum
            running.assign(running.value * m + value * (1.0 - m))
        scale = r if gamma is None else r * gamma
        offset = d if gamma is None else d * gamma
        offset = offset if beta is None else offset + beta
        return ops.batch_normalization(x, mean, variance, self.axis, offset, scale, self.epsilon)


class LayerNormalization(_Affine):
    """Normalizes each sample over its features.

    Ba et al. (2016), https://arxiv.org/abs/1607.06450

    Args:
        axis: the axis or axes that are normalized over, in any order.
        epsilon: added to the variance.
        center, scale: whether to learn an offset (beta) and a scale (gamma).
        beta_initializer, gamma_initializer, beta_regularizer, ...: of these two.

    The output has the shape of the input.

    >>> import kerasish as keras
    >>> y = keras.layers.LayerNormalization()(keras.ops.array([[1.0, 3.0]]))
    >>> [round(v, 2) for v in y[0].tolist()]
    [-1.0, 1.0]
    """

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, **kwargs: Any,
    ):  # fmt: skip
        rms_scaling = kwargs.pop("rms_scaling", False)
        super().__init__(**kwargs)
        if not isinstance(axis, int | list | tuple):
            raise DTypeError(f"LayerNormalization takes an int or several, got axis={axis!r}.")
        self.axis = sorted(axis) if isinstance(axis, list | tuple) else axis
        self.epsilon = epsilon
        self.rms_scaling = rms_scaling
        self._set_affine(center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                         gamma_regularizer, beta_constraint, gamma_constraint)

    def build(self, input_shape: Any) -> None:
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        self._add_affine(tuple(input_shape[a] for a in axes), only_scale=self.rms_scaling)
        self._axes = axes[0] if len(axes) == 1 else tuple(axes)

    def call(self, inputs: Any) -> Any:
        gamma, beta = _value(self.gamma), _value(self.beta)
        x = _wide(inputs)
        if self.rms_scaling:
            variance = ops.var(x, axis=self._axes, keepdims=True)
            y = ops.multiply(x, ops.rsqrt(ops.add(variance, self.epsilon)))
            y = y if gamma is None else ops.multiply(y, gamma)
        else:
            y = ops.layer_normalization(x, gamma, beta, self._axes, self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rms_scaling": self.rms_scaling}


class RMSNormalization(Layer):
    """Divides each sample by the root mean square of its features and scales the result.

    Zhang and Sennrich (2019), https://arxiv.org/abs/1910.07467

    Args:
        axis: the axis or axes of the features; the learned scale has their sizes.
        epsilon: added to the mean of the squares.

    The output has the shape of the input.

    >>> import kerasish as keras
    >>> y = keras.layers.RMSNormalization()(keras.ops.array([[1.0, 7.0]]))
    >>> [round(v, 2) for v in y[0].tolist()]
    [0.2, 1.4]
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = sorted(axis) if isinstance(axis, list | tuple) else axis
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        self.scale = self.add_weight(
            name="scale", shape=tuple(input_shape[a] for a in axes), initializer="ones",
            autocast=False,
        )

    def call(self, inputs: Any) -> Any:
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        y = ops.rms_normalization(
            _wide(inputs), self.scale.value, axis=axis, epsilon=self.epsilon
        )
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class GroupNormalization(_Affine):
    """Normalizes each sample over groups of channels.

    Wu and He (2018), https://arxiv.org/abs/1803.08494

    Args:
        groups: the number of groups; -1 is one for each channel (instance normalization). The
            channels must be a multiple of it, else a `ShapeError` is raised.
        axis: the channel axis.
        epsilon: added to the variance.
        center, scale, ...: as in `BatchNormalization`.

    The output has the shape of the input.

    >>> import kerasish as keras
    >>> y = keras.layers.GroupNormalization(groups=2)(keras.ops.array([[1.0, 3.0, 10.0, 30.0]]))
    >>> [round(v, 2) for v in y[0].tolist()]
    [-1.0, 1.0, -1.0, 1.0]
    """

    def __init__(
        self, groups: int = 32, axis: int = -1, epsilon: float = 1e-3, center: bool = True,
        scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        if groups < 1 and groups != -1:
            raise InvalidArgument(f"GroupNormalization needs groups > 0 or -1, got {groups}.")
        self.groups = groups
        self.axis = axis
        self.epsilon = epsilon
        self._set_affine(center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                         gamma_regularizer, beta_constraint, gamma_constraint)

    def build(self, input_shape: Any) -> None:
        size = _size_of_axis(self, input_shape)
        if self.groups == -1:
            self.groups = size
        if size < self.groups or size % self.groups:
            raise ShapeError(
                f"Layer {self.name!r}: {size} channels are not a multiple of groups="
                f"{self.groups}."
            )
        self._add_affine((size,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        axis = self.axis % rank
        dtype = ops.dtype(inputs)
        x = ops.cast(inputs, "float32") if dtype in ("float16", "bfloat16") else inputs
        shape = ops.shape(x)
        per_group = inputs.shape[axis] // self.groups
        x = ops.reshape(x, (*shape[:axis], self.groups, per_group, *shape[axis + 1:]))
        axes = tuple(i for i in range(1, rank + 1) if i != axis)
        mean, variance = ops.moments(x, axes=axes, keepdims=True)
        x = ops.multiply(ops.subtract(x, mean), ops.rsqrt(ops.add(variance, self.epsilon)))
        x = ops.reshape(x, shape)
        wide = [1] * rank
        wide[axis] = inputs.shape[axis]
        if self.gamma is not None:
            x = ops.multiply(x, ops.reshape(self.gamma.value, wide))
        if self.beta is not None:
            x = ops.add(x, ops.reshape(self.beta.value, wide))
        return ops.cast(x, self.compute_dtype)


class UnitNormalization(Layer):
    """Scales each sample to length 1 along an axis.

    Args:
        axis: the axis or axes whose squares sum to 1.

    The output has the shape of the input.

    >>> import kerasish as keras
    >>> y = keras.layers.UnitNormalization()(keras.ops.array([[3.0, 4.0]]))
    >>> [round(v, 2) for v in y[0].tolist()]
    [0.6, 0.8]
    """

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(axis, int | list | tuple):
            raise DTypeError(f"UnitNormalization takes an axis or a list of axes, got {axis!r}.")
        self.axis = list(axis) if isinstance(axis, list | tuple) else axis
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        squares = ops.sum(ops.square(inputs), axis=axis, keepdims=True)
        return ops.multiply(inputs, ops.rsqrt(ops.maximum(squares, 1e-12)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class SpectralNormalization(Wrapper):
    """Divides the kernel of the wrapped layer by its largest singular value.

    Miyato et al. (2018), https://arxiv.org/abs/1802.05957; the value is followed by power
    iterations, one (or `power_iterations`) for each training step.

    Args:
        layer: a layer with a `kernel` or `embeddings`.
        power_iterations: an int > 0; more follow the singular value more closely.

    >>> import kerasish as keras
    >>> layer = keras.layers.SpectralNormalization(keras.layers.Dense(2), power_iterations=20)
    >>> y = layer(keras.ops.ones((1, 3)), training=True)
    >>> round(float(keras.ops.norm(layer.layer.kernel, ord=2)), 2)
    1.0
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any):
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise InvalidArgument(
                f"SpectralNormalization needs power_iterations > 0, got {power_iterations}."
            )
        self.power_iterations = power_iterations

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        inner = self.layer
        self._kernel: Any = next(
            (k for n in ("_kernel", "kernel", "embeddings")
             if (k := inner.__dict__.get(n)) is not None), None,
        )
        if self._kernel is None:
            raise InvalidArgument(
                f"SpectralNormalization needs a layer with a kernel or embeddings, got {inner!r}."
            )
        self._shape = tuple(self._kernel.shape)
        self.vector_u = self.add_weight(
            name="vector_u", shape=(1, self._shape[-1]), trainable=False,
            initializer=initializers.TruncatedNormal(stddev=0.02),
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return self.layer(inputs)
        # A copy: gradients still need the kernel as it was when the variable is overwritten.
        kernel, u = self._normalized(ops.copy(self._kernel.value))
        # The layer reads the new kernel as a function of the old: gradients pass the division.
        with state.Frame([(self._kernel, kernel)]) as frame:
            outputs = self.layer(inputs)
        state.commit(frame.changes)
        self._kernel.assign(kernel)
        self.vector_u.assign(u)
        return outputs

    def _normalized(self, kernel: Any) -> tuple[Any, Any]:
        """The kernel divided by its largest singular value, and the vector that told it."""
        w = ops.reshape(kernel, (-1, self._shape[-1]))
        u = self.vector_u.value
        for _ in range(self.power_iterations):
            v = _unit(ops.matmul(u, ops.transpose(w)))
            u = _unit(ops.matmul(v, w))
        u, v = ops.stop_gradient(u), ops.stop_gradient(v)
        sigma = ops.matmul(ops.matmul(v, w), ops.transpose(u))
        return ops.reshape(ops.divide(kernel, sigma), self._shape), u

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)


def _unit(x: Any) -> Any:
    return ops.divide(x, ops.sqrt(ops.maximum(ops.sum(ops.square(x)), 1e-12)))
