"""Initializers: the first values of weights.

All are drawn on the host, so they are bit-equal on every backend. Without a seed of its own an
initializer draws from the global seed and the path of the variable that it is asked for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kerasish import backends, dtypes
from kerasish.backends.state import local
from kerasish.errors import InvalidArgument, NotDefined, ShapeError
from kerasish.random import host
from kerasish.random.seed import SeedGenerator, check_seed


class Initializer:
    """The base of initializers: callables `(shape, dtype=None)` that return a tensor.

    >>> import kerasish as keras
    >>> class Sevens(keras.initializers.Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return keras.ops.full(shape, 7, dtype)
    >>> keras.layers.Dense(2, kernel_initializer=Sevens())(keras.ops.ones((1, 3))).tolist()
    [[21.0, 21.0]]
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        dtype = dtypes.standardize(dtype)
        values = self._values(shape, dtype).astype(dtypes.numpy_dtype(dtype), copy=False)
        # A variable takes the host's array as it is; others ask for a tensor of their engine.
        for_variable = local.here.drawing_for is not None
        return values if for_variable else backends.active.convert(values)

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        raise NotDefined(f"{type(self).__name__} defines no __call__(shape, dtype=None).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An initializer with this config."""
        return cls(**config)

    def clone(self) -> Any:
        """An initializer with the same config."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Zeros(Initializer):
    """All zeros.

    >>> import kerasish as keras
    >>> keras.initializers.Zeros()((2,)).tolist()
    [0.0, 0.0]
    """

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return np.zeros(shape, dtypes.numpy_dtype(dtype))


class Ones(Initializer):
    """All ones.

    >>> import kerasish as keras
    >>> keras.initializers.Ones()((2,)).tolist()
    [1.0, 1.0]
    """

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return np.ones(shape, dtypes.numpy_dtype(dtype))


class Constant(Initializer):
    """One value everywhere, or an array that is broadcast to the shape.

    Args:
        value: a number or an array.

    >>> import kerasish as keras
    >>> keras.initializers.Constant(3.0)((2,)).tolist()
    [3.0, 3.0]
    """

    def __init__(self, value: Any = 0.0):
        self.value = value

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        value = np.asarray(backends.to_host(self.value))
        try:
            return np.array(np.broadcast_to(value, shape))
        except ValueError:
            raise ShapeError(
                f"Constant({_describe(value)}) cannot fill a weight of shape {shape}."
            ) from None

    def get_config(self) -> dict[str, Any]:
        from kerasish.saving import serialization

        return {"value": serialization.serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        from kerasish.saving import serialization

        return cls(serialization.deserialize_keras_object(config["value"]))


def _describe(value: np.ndarray) -> str:
    return repr(value.item()) if value.ndim == 0 else f"array of shape {value.shape}"


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, zeros elsewhere.

    Args:
        gain: the number on the diagonal.

    >>> import kerasish as keras
    >>> keras.initializers.Identity(2.0)((2, 2)).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if len(shape) != 2:
            raise ShapeError(f"Identity makes matrices, got shape {shape}.")
        return self.gain * np.eye(*shape)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class STFT(Initializer):
    """Kernels of a convolution that computes one side of a short-time Fourier transform.

    The kernel has shape `(frame_length, 1, fft_length // 2 + 1)`.

    Args:
        side: `"real"` (cosines) or `"imag"` (negative sines).
        window: a window's name (`"hann"`, `"hamming"`, `"blackman"`, `"bartlett"`, or any of
            `scipy.signal`), an array of `frame_length` values, or `None`.
        scaling: what the window is scaled for: `"density"` (power spectrum), `"spectrum"`
            (amplitudes) or `None`.
        periodic: whether the window is periodic in place of symmetric.

    >>> import kerasish as keras
    >>> kernel = keras.initializers.STFT("real", window=None, scaling=None)((4, 1, 3))
    >>> kernel[:, 0, 2].tolist()
    [1.0, -1.0, 1.0, -1.0]
    """

    _WINDOWS = {
        "hann": np.hanning, "hamming": np.hamming, "blackman": np.blackman,
        "bartlett": np.bartlett, "boxcar": np.ones,
    }  # fmt: skip

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ):
        if side not in ("real", "imag"):
            raise InvalidArgument(f"side is 'real' or 'imag', got {side!r}.")
        if scaling not in ("density", "spectrum", None):
            raise InvalidArgument(f"scaling is 'density', 'spectrum' or None, got {scaling!r}.")
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def _window(self, length: int) -> np.ndarray:
        if not isinstance(self.window, str):
            window = np.asarray(backends.to_host(self.window), np.float64)
            if window.shape != (length,):
                raise ShapeError(f"STFT: the window has shape {window.shape}, frames ({length},).")
        elif self.window in self._WINDOWS:
            make = self._WINDOWS[self.window]
            window = make(length + 1)[:-1] if self.periodic and length > 1 else make(length)
        else:
            from scipy.signal import get_window

            window = get_window(self.window, length, fftbins=self.periodic)
            window = np.asarray(window, np.float64)
        if self.scaling == "density":
            return window / math.sqrt(np.sum(window**2))
        return window / abs(np.sum(window)) if self.scaling == "spectrum" else window

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if len(shape) != 3 or shape[1] != 1:
            raise ShapeError(f"STFT makes kernels of shape (frame, 1, frequencies), got {shape}.")
        window = np.ones(shape[0]) if self.window is None else self._window(shape[0])
        turns = np.outer(np.arange(shape[0]), np.arange(shape[2])) / max(2 * (shape[2] - 1), 1)
        angle = 2 * np.pi * (turns % 1)
        wave = np.cos(angle) if self.side == "real" else -np.sin(angle)
        return (window[:, None] * wave)[:, None, :]

    def get_config(self) -> dict[str, Any]:
        return {
            "side": self.side, "window": self.window, "periodic": self.periodic,
            "scaling": self.scaling,
        }  # fmt: skip


class RandomInitializer(Initializer):
    """The base of initializers that draw.

    With an integer seed every call gives the same values; with `None` they come from the global
    seed and the variable's path (asked without a variable, one object gives the same again), and a
    `SeedGenerator` gives others at each call.

    Args:
        seed: an integer, a `SeedGenerator` or `None`.

    >>> import kerasish as keras
    >>> draw = keras.initializers.RandomNormal(seed=1)
    >>> draw((2,)).tolist() == draw((2,)).tolist()
    True
    """

    def __init__(self, seed: Any = None):
        if isinstance(seed, dict):
            from kerasish.saving import serialization

            seed = serialization.deserialize_keras_object(seed)
        if seed is not None and not isinstance(seed, SeedGenerator):
            check_seed(seed)
        self.seed = seed

    def _generator(self) -> np.random.Generator:
        if self.seed is None:
            if path := local.here.drawing_for:
                return host.generator(f"initializer/{path}")
            if "_drawn" not in self.__dict__:
                self._drawn = int(host.generator("initializer/").integers(2**63))
            return host.seeded(self._drawn)
        if isinstance(self.seed, SeedGenerator):
            seed, counter = backends.to_host(self.seed.next()).tolist()
            return host.seeded(seed, count=counter + 1)
        return host.seeded(self.seed)

    def get_config(self) -> dict[str, Any]:
        from kerasish.saving import serialization

        return {"seed": serialization.serialize_keras_object(self.seed)}


def _work_dtype(dtype: str) -> Any:
    """float32 for what is stored in it or less; the draw itself is then already cast."""
    return np.float64 if dtype in ("float64", "complex128") else np.float32


def _uniform(rng: np.random.Generator, shape: Any, low: float, high: float, dtype: str) -> Any:
    if dtypes.is_int(dtype):
        return rng.integers(int(low), int(high), shape)
    values = rng.random(shape, _work_dtype(dtype))
    values *= high - low
    values += low
    return values


def _normal(rng: np.random.Generator, shape: Any, dtype: str) -> np.ndarray:
    return np.asarray(rng.standard_normal(shape, _work_dtype(dtype)))


def _truncated(rng: np.random.Generator, shape: Any, dtype: str) -> np.ndarray:
    """Standard normal values; those beyond two are drawn again."""
    values = _normal(rng, math.prod(shape), dtype)
    where = np.flatnonzero(np.abs(values) > 2)
    while where.size:
        values[where] = again = _normal(rng, where.size, dtype)
        where = where[np.abs(again) > 2]
    return values.reshape(shape)


def _scaled(values: np.ndarray, mean: float, stddev: float) -> np.ndarray:
    values *= stddev
    if mean:
        values += mean
    return values


class RandomUniform(RandomInitializer):
    """Uniform between `minval` and `maxval` (exclusive).

    Args:
        minval, maxval: the bounds.
        seed: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.RandomUniform(-1.0, 1.0, seed=1)((3, 4))
    >>> w.shape, bool((abs(w) <= 1).all())
    ((3, 4), True)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return _uniform(self._generator(), shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class RandomNormal(RandomInitializer):
    """Normal with the given mean and standard deviation.

    Args:
        mean, stddev: of the values.
        seed: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.RandomNormal(stddev=2.0, seed=1)((100, 100))
    >>> round(float(w.std()), 1)
    2.0
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return _scaled(_normal(self._generator(), shape, dtype), self.mean, self.stddev)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal, without the values that are more than two standard deviations from the mean.

    Args:
        mean, stddev: of the normal distribution before it is cut.
        seed: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.TruncatedNormal(stddev=1.0, seed=1)((100, 100))
    >>> bool((abs(w) <= 2).all())
    True
    """

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return _scaled(_truncated(self._generator(), shape, dtype), self.mean, self.stddev)


_TRUNCATED_STD = 0.87962566103423978
"""The standard deviation of a standard normal cut off at two."""


class VarianceScaling(RandomInitializer):
    """Values of variance `scale / n`, where `n` counts a unit's inputs, outputs or their mean.

    Glorot and Bengio (2010), https://proceedings.mlr.press/v9/glorot10a.html, and He et al. (2015),
    https://arxiv.org/abs/1502.01852

    Args:
        scale: a positive number.
        mode: what `n` is: `"fan_in"`, `"fan_out"` or `"fan_avg"`.
        distribution: `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`.
        seed: an integer, a `SeedGenerator` or `None`.
        input_axes, output_axes: the axes whose sizes multiply to the number of inputs and of
            outputs, given together; by default the last two axes, times the others' sizes.

    >>> import kerasish as keras
    >>> w = keras.initializers.VarianceScaling(2.0, "fan_in", seed=1)((200, 50))
    >>> round(float(w.std()), 2)
    0.1
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ):
        super().__init__(seed)
        if not scale > 0:
            raise InvalidArgument(f"scale is a positive number, got {scale!r}.")
        mode, distribution = mode.lower(), distribution.lower()
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise InvalidArgument(f"mode is 'fan_in', 'fan_out' or 'fan_avg', got {mode!r}.")
        distribution = {"normal": "truncated_normal"}.get(distribution, distribution)
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise InvalidArgument(
                "distribution is 'truncated_normal', 'untruncated_normal' or 'uniform', "
                f"got {distribution!r}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if self.input_axes is None or self.output_axes is None:
            fan_in, fan_out = compute_fans(shape)
        else:
            fan_in, fan_out = _sizes(shape, self.input_axes), _sizes(shape, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(n, 1)
        rng = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _uniform(rng, shape, -limit, limit, dtype)
        if self.distribution == "truncated_normal":
            return _scaled(
                _truncated(rng, shape, dtype), 0.0, math.sqrt(variance) / _TRUNCATED_STD
            )
        return _scaled(_normal(rng, shape, dtype), 0.0, math.sqrt(variance))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "scale": self.scale, "mode": self.mode,
            "distribution": self.distribution, "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }  # fmt: skip


def compute_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(inputs, outputs) of one unit of a kernel `(*window, inputs, outputs)`.

    Args:
        shape: the kernel's shape.

    >>> from kerasish.initializers import compute_fans
    >>> compute_fans((3, 3, 8, 16))
    (72, 144)
    """
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _sizes(shape: tuple[int, ...], axes: Any) -> int:
    return math.prod(shape[a] for a in ((axes,) if isinstance(axes, int) else axes))


class _Scheme(VarianceScaling):
    """A named `VarianceScaling`."""

    _scheme: tuple[float, str, str]

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(*self._scheme, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {key: config[key] for key in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_Scheme):
    """Uniform in `±sqrt(6 / (inputs + outputs))` (Glorot and Bengio, 2010).

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.GlorotUniform(seed=1)((30, 20))
    >>> w.shape, bool((abs(w) <= (6 / 50) ** 0.5).all())
    ((30, 20), True)
    """

    _scheme = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scheme):
    """Truncated normal of variance `2 / (inputs + outputs)` (Glorot and Bengio, 2010).

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.GlorotNormal(seed=1)((100, 100))
    >>> round(float(w.std()), 2)
    0.1
    """

    _scheme = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scheme):
    """Uniform in `±sqrt(6 / inputs)`, for ReLU networks (He et al., 2015).

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.HeUniform(seed=1)((6, 20))
    >>> w.shape, bool((abs(w) <= 1).all())
    ((6, 20), True)
    """

    _scheme = (2.0, "fan_in", "uniform")


class HeNormal(_Scheme):
    """Truncated normal of variance `2 / inputs`, for ReLU networks (He et al., 2015).

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.HeNormal(seed=1)((200, 50))
    >>> round(float(w.std()), 2)
    0.1
    """

    _scheme = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scheme):
    """Uniform in `±sqrt(3 / inputs)` (LeCun et al., 1998).

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.LecunUniform(seed=1)((3, 20))
    >>> w.shape, bool((abs(w) <= 1).all())
    ((3, 20), True)
    """

    _scheme = (1.0, "fan_in", "uniform")


class LecunNormal(_Scheme):
    """Truncated normal of variance `1 / inputs` (LeCun et al., 1998); for SELU.

    Args:
        seed, input_axes, output_axes: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.LecunNormal(seed=1)((100, 100))
    >>> round(float(w.std()), 2)
    0.1
    """

    _scheme = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """`gain` times a random matrix with orthonormal rows or columns (Saxe et al., 2014).

    A shape of more than two axes is seen as the matrix `(product of the others, last)`.

    Args:
        gain: the length of the rows or columns.
        seed: as in `VarianceScaling`.

    >>> import kerasish as keras
    >>> w = keras.initializers.Orthogonal(seed=1)((3, 3))
    >>> (abs(w @ w.T) > 0.5).tolist()
    [[True, False, False], [False, True, False], [False, False, True]]
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        super().__init__(seed)
        self.gain = gain

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal needs a shape of at least two axes, got {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = self._generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q *= np.where(np.diag(r) < 0, -1, 1)  # makes the distribution uniform
        q = q if rows >= columns else q.T
        return self.gain * q.reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}


IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT
zeros, ones, constant, identity, stft = Zeros, Ones, Constant, Identity, STFT
random_uniform, random_normal, truncated_normal = RandomUniform, RandomNormal, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal
_NAMES: dict[str, Any] = {
    name: value for name, value in list(globals().items())
    if isinstance(value, type) and issubclass(value, Initializer) and value.__module__ == __name__
    and not name.startswith("_")
}  # fmt: skip
_NAMES.update(zero=Zeros, one=Ones, uniform=RandomUniform, normal=RandomNormal)


def get(identifier: Any) -> Any:
    """An initializer from a name, a config, a class, a callable, an array, or `None`.

    Args:
        identifier: any of these.

    >>> import kerasish as keras
    >>> keras.initializers.get("glorot_uniform")
    GlorotUniform(seed=None, input_axes=None, output_axes=None)
    """
    from kerasish.saving import serialization

    if hasattr(identifier, "__array__") and not callable(identifier):
        return Constant(identifier)
    return serialization.lookup(identifier, _NAMES, "initializer")


def serialize(initializer: Any) -> Any:
    """The config of an initializer, which `deserialize` makes an equal one from.

    Args:
        initializer: the initializer.

    >>> import kerasish as keras
    >>> keras.initializers.serialize(keras.initializers.Constant(2.0))["config"]
    {'value': 2.0}
    """
    from kerasish.saving import serialization

    return serialization.serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that a config describes.

    Args:
        config: what `serialize` returned, or a name.
        custom_objects: classes and functions by the names that stand in the config.

    >>> import kerasish as keras
    >>> config = keras.initializers.serialize(keras.initializers.Constant(2.0))
    >>> keras.initializers.deserialize(config)((2,)).tolist()
    [2.0, 2.0]
    """
    from kerasish.saving import serialization

    return get(serialization.deserialize_keras_object(config, custom_objects=custom_objects))
