"""Layers that are active in training only: noise of several kinds; and activity penalties."""

from __future__ import annotations

import math
import numbers
from typing import Any

from kerasish import config, ops, random, regularizers
from kerasish.errors import InvalidArgument
from kerasish.layers.base import Layer
from kerasish.layers.input_spec import InputSpec


class _Noise(Layer):
    """Holds a rate and the random stream; the identity unless training."""

    _keeps_dtype = True

    def __init__(self, rate: float, seed: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(rate, numbers.Real) or not 0 <= rate <= 1:
            raise InvalidArgument(
                f"{type(self).__name__} needs a rate between 0 and 1, got {rate!r}."
            )
        self.rate = rate
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if rate > 0 else None
        self.supports_masking = True
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class Dropout(_Noise):
    """Sets a random part of the inputs to zero in training and scales up the rest.

    Srivastava et al. (2014), https://jmlr.org/papers/v15/srivastava14a.html

    Args:
        rate: the part that is dropped, from 0 to 1.
        noise_shape: the shape of the mask; size 1 shares it along an axis.
        seed: the seed of the masks.

    >>> import kerasish as keras
    >>> keras.layers.Dropout(0.5)(keras.ops.ones((2, 2)), training=False).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **kwargs: Any):
        super().__init__(rate, seed, **kwargs)
        if not isinstance(noise_shape, list | tuple | None):
            raise InvalidArgument(f"noise_shape is a tuple of sizes, got {noise_shape!r}.")
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def _noise_shape(self, inputs: Any) -> Any:
        return self.noise_shape

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        return random.dropout(
            inputs, self.rate, noise_shape=self._noise_shape(inputs), seed=self.seed_generator
        )


class _SpatialDropout(Dropout):
    dims = 2

    def __init__(
        self, rate: float, data_format: str | None = None, seed: Any = None,
        name: str | None = None, dtype: Any = None,
    ):  # fmt: skip
        Dropout.__init__(self, rate, seed=seed, name=name, dtype=dtype)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.dims + 2)

    def _noise_shape(self, inputs: Any) -> Any:
        shape = ops.shape(inputs)
        ones = (1,) * self.dims
        if self.data_format == "channels_first":
            return (shape[0], shape[1], *ones)
        return (shape[0], *ones, shape[-1])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("noise_shape", None)
        config.pop("trainable", None)
        return config


class SpatialDropout1D(_SpatialDropout):
    """Drops whole features of `(batch, steps, features)` in training, at all steps of a sample.

    Tompson et al. (2015), https://arxiv.org/abs/1411.4280

    Args:
        rate: the part that is dropped, from 0 to 1; the rest is scaled up.
        seed: the seed of the masks.
        name, dtype: of the layer.

    >>> import kerasish as keras
    >>> y = keras.layers.SpatialDropout1D(0.5, seed=1)(keras.ops.ones((1, 4, 9)), training=True)
    >>> all(feature in ([0.0] * 4, [2.0] * 4) for feature in y[0].T.tolist())
    True
    """

    dims = 1

    def __init__(
        self, rate: float, seed: Any = None, name: str | None = None, dtype: Any = None
    ):
        super().__init__(rate, "channels_last", seed, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("data_format", None)
        return config


class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of images `(batch, rows, columns, channels)` in training.

    Tompson et al. (2015), https://arxiv.org/abs/1411.4280

    Args:
        data_format: "channels_last", or "channels_first" for `(batch, channels, rows, columns)`;
            the configured one by default.
        rate, seed, name, dtype: as in `SpatialDropout1D`.

    >>> import kerasish as keras
    >>> y = keras.layers.SpatialDropout2D(0.5, seed=1)(keras.ops.ones((1, 2, 2, 9)), training=True)
    >>> all(channel in ([0.0] * 4, [2.0] * 4) for channel in y.reshape(4, 9).T.tolist())
    True
    """


class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of volumes `(batch, depth, rows, columns, channels)` in training.

    Args: as in `SpatialDropout2D`.

    >>> import kerasish as keras
    >>> keras.layers.SpatialDropout3D(0.5)(keras.ops.ones((1, 2, 2, 2, 3)), training=True).shape
    (1, 2, 2, 2, 3)
    """

    dims = 3


class GaussianDropout(_Noise):
    """Multiplies by noise of mean 1 and standard deviation `sqrt(rate / (1 - rate))` in training.

    Srivastava et al. (2014), section 10, https://jmlr.org/papers/v15/srivastava14a.html

    Args:
        rate: the rate of the `Dropout` whose noise has the same variance.
        seed: the seed of the noise.

    >>> import kerasish as keras
    >>> layer = keras.layers.GaussianDropout(0.2, seed=1)
    >>> y = layer(keras.ops.ones((100, 100)), training=True)
    >>> round(float(keras.ops.mean(y)), 1), round(float(keras.ops.std(y)), 1)
    (1.0, 0.5)
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        deviation = math.sqrt(self.rate / (1.0 - self.rate))
        return ops.multiply(inputs, random.normal(
            ops.shape(inputs), 1.0, deviation, dtype=self.compute_dtype, seed=self.seed_generator
        ))


class GaussianNoise(Layer):
    """Adds normal noise of mean 0 in training.

    Args:
        stddev: the noise's standard deviation, at least 0.
        seed: the seed of the noise.

    >>> import kerasish as keras
    >>> y = keras.layers.GaussianNoise(0.5, seed=1)(keras.ops.zeros((100, 100)), training=True)
    >>> round(float(keras.ops.std(y)), 1)
    0.5
    """

    _keeps_dtype = True

    def __init__(self, stddev: float, seed: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        if stddev < 0:
            raise InvalidArgument(f"GaussianNoise needs stddev >= 0, got {stddev}.")
        self.stddev = stddev
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if stddev > 0 else None
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.stddev == 0:
            return inputs
        return ops.add(inputs, random.normal(
            ops.shape(inputs), 0.0, self.stddev, dtype=self.compute_dtype, seed=self.seed_generator
        ))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class AlphaDropout(_Noise):
    """Dropout that keeps mean and variance of SELU activations.

    Klambauer et al. (2017), https://arxiv.org/abs/1706.02515

    Args:
        rate: the part that gets SELU's lowest value, from 0 to 1.
        noise_shape, seed: as in `Dropout`.

    >>> import kerasish as keras
    >>> x = keras.random.normal((200, 200), seed=1)
    >>> y = keras.layers.AlphaDropout(0.3, seed=2)(x, training=True)
    >>> round(abs(float(keras.ops.mean(y))), 1), round(float(keras.ops.std(y)), 1)
    (0.0, 1.0)
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **kwargs: Any):
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = noise_shape

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        shape = self.noise_shape
        if shape is None:
            shape = ops.shape(inputs)
        low = -1.7580993408473766  # -scale * alpha of SELU
        keep = 1.0 - self.rate
        kept = ops.greater_equal(
            random.uniform(shape, seed=self.seed_generator), self.rate
        )
        a = (keep + low**2 * keep * self.rate) ** -0.5 if keep else 0.0
        b = -a * low * self.rate
        kept = ops.cast(kept, self.compute_dtype)
        x = ops.add(ops.multiply(inputs, kept), ops.multiply(ops.subtract(1.0, kept), low))
        return ops.add(ops.multiply(x, a), b)


class ActivityRegularization(Layer):
    """Passes its input on and adds an L1 and L2 penalty of it, per sample, to the loss.

    Args:
        l1: the factor of the sum of the absolute values.
        l2: the factor of the sum of the squares.

    >>> import kerasish as keras
    >>> layer = keras.layers.ActivityRegularization(l1=0.1)
    >>> y = layer(keras.ops.array([[1.0, -3.0]]))
    >>> [round(float(loss), 2) for loss in layer.losses]
    [0.4]
    """

    _keeps_dtype = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config
