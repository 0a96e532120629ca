"""Layers that turn audio signals into spectrograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import backends, config, dtypes, initializers, ops
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers.base import Layer
from kerasish.layers.convolutional import output_length
from kerasish.layers.input_spec import InputSpec

_COSINES = {
    "boxcar": (1.0,), "hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08),
}  # fmt: skip
"""Windows that are sums of cosines, by their coefficients of alternating sign."""


def _window(window: Any, length: int, periodic: bool) -> np.ndarray:
    if window is None:
        return np.ones(length)
    if not isinstance(window, str):
        window = np.asarray(backends.to_host(window), "float64")
        if window.shape != (length,):
            raise ShapeError(
                f"STFTSpectrogram: the window must have shape ({length},), its frame_length; got "
                f"{window.shape}."
            )
        return window
    phase = np.arange(length) / max(length if periodic else length - 1, 1)
    if window in ("bartlett", "triangle"):
        return 1 - np.abs(2 * phase - 1) if length > 1 else np.ones(1)
    if window not in _COSINES:
        raise InvalidArgument(
            f"STFTSpectrogram has no window {window!r}. Known: {sorted([*_COSINES, 'bartlett'])}; "
            "pass any other as an array of frame_length values."
        )
    if length == 1:
        return np.ones(1)
    return sum(
        (-1) ** k * a * np.cos(2 * np.pi * k * phase) for k, a in enumerate(_COSINES[window])
    ) * np.ones(length)


class STFTSpectrogram(Layer):
    """The short-time Fourier transform of each channel, by convolutions that can be trained.

    Args:
        mode: what is returned: `"magnitude"`, its logarithm `"log"`, `"psd"` (the one-sided power
            spectral density), `"real"`, `"imag"`, `"angle"`, or `"stft"` (real, then imaginary
            parts).
        frame_length: samples in a frame.
        frame_step: samples from one frame to the next, by default half of `frame_length`.
        fft_length: the length of each transform, at least `frame_length`; by default the least
            power of 2 that holds a frame.
        window: `"hann"`, `"hamming"`, `"blackman"`, `"bartlett"`, `"boxcar"`, an array of
            `frame_length` values, or `None`.
        periodic: whether the window is that of a periodic signal, not symmetric.
        scaling: `"density"` or `"spectrum"` scale the window by the root of its power or by its
            sum; `None` leaves it (as it is where there is none).
        padding: `"valid"`, or `"same"` to pad the signal with zeros.
        expand_dims: whether channels keep an axis of their own, as in images.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape `(batch, time, channels)`, or `(batch, channels, time)`. Output shape
    `(batch, frames, channels * frequencies)`, or `(batch, frames, frequencies, channels)` with
    `expand_dims`, with `fft_length // 2 + 1` frequencies (twice that for `"stft"`);
    `(batch, channels * frequencies, frames)` or `(batch, channels, frames, frequencies)` with
    channels first.

    >>> import kerasish as keras
    >>> layer = keras.layers.STFTSpectrogram(frame_length=256, frame_step=128, expand_dims=True)
    >>> layer(keras.ops.ones((2, 1024, 1))).shape
    (2, 7, 129, 1)
    """

    MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")

    def __init__(
        self, mode: str = "log", frame_length: int = 256, frame_step: int | None = None,
        fft_length: int | None = None, window: Any = "hann", periodic: bool = False,
        scaling: str | None = "density", padding: str = "valid", expand_dims: bool = False,
        data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        for name, value, allowed in (
            ("mode", mode, self.MODES), ("padding", padding, ("valid", "same")),
            ("scaling", scaling, ("density", "spectrum", None)),
        ):
            if value not in allowed:
                raise InvalidArgument(
                    f"STFTSpectrogram: {name} must be one of {list(allowed)}, got {value!r}."
                )
        if not isinstance(frame_length, int | np.integer) or frame_length < 1:
            raise InvalidArgument(
                f"STFTSpectrogram: frame_length is a positive int, got {frame_length!r}."
            )
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise InvalidArgument(
                f"STFTSpectrogram: frame_step is from 1 to frame_length ({frame_length}), got "
                f"{frame_step!r}."
            )
        if fft_length is not None and fft_length < frame_length:
            raise InvalidArgument(
                f"STFTSpectrogram: fft_length must be at least frame_length ({frame_length}), got "
                f"{fft_length!r}."
            )
        _window(window, frame_length, periodic)
        self.mode = mode
        self.frame_length = int(frame_length)
        self.frame_step = frame_step
        self.fft_length = fft_length
        self.window = window
        self.periodic = periodic
        self.scaling = scaling
        self.padding = padding
        self.expand_dims = expand_dims
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=3)
        self._step = frame_step or max(frame_length // 2, 1)
        self._fft = fft_length or 1 << (self.frame_length - 1).bit_length()
        self._frequencies = self._fft // 2 + 1

    def build(self, input_shape: Any) -> None:
        window = _window(self.window, self.frame_length, self.periodic)
        if self.window is None:
            pass
        elif self.scaling == "density":
            window = window / np.sqrt(np.sum(window**2))
        elif self.scaling == "spectrum":
            window = window / np.sum(window)
        turns = np.outer(np.arange(self.frame_length), np.arange(self._frequencies)) / self._fft
        waves = window[:, None, None] * np.exp(-2j * np.pi * turns)[:, None]
        self.real_kernel = self.imag_kernel = None
        if self.mode != "imag":
            self.real_kernel = self._add_kernel("real_kernel", waves.real)
        if self.mode != "real":
            self.imag_kernel = self._add_kernel("imag_kernel", waves.imag)

    def _add_kernel(self, name: str, value: np.ndarray) -> Any:
        return self.add_weight(
            name=name, shape=value.shape, initializer=initializers.Constant(value)
        )

    def call(self, inputs: Any) -> Any:
        first = self.data_format == "channels_first"
        x = inputs if first else ops.swapaxes(inputs, 1, 2)
        shape = ops.shape(x)
        # The channels as signals of one channel each.
        x = ops.reshape(x, (-1, shape[-1], 1))
        y = self._spectrum(x)
        y = ops.reshape(y, (-1, inputs.shape[1 if first else 2], *ops.shape(y)[1:]))
        if self.expand_dims:
            return y if first else ops.transpose(y, (0, 2, 3, 1))
        # (batch, channels, frames, frequencies): channels and frequencies as one axis.
        y = ops.transpose(y, (0, 1, 3, 2) if first else (0, 2, 1, 3))
        shape = ops.shape(y)
        if first:
            return ops.reshape(y, (-1, y.shape[1] * y.shape[2], shape[3]))
        return ops.reshape(y, (-1, shape[1], y.shape[2] * y.shape[3]))

    def _spectrum(self, x: Any) -> Any:
        real, imag = [
            None if kernel is None else ops.conv(
                x, kernel.value, self._step, self.padding, "channels_last"
            )
            for kernel in (self.real_kernel, self.imag_kernel)
        ]
        if self.mode in ("real", "imag"):
            return real if imag is None else imag
        if self.mode == "stft":
            return ops.concatenate([real, imag], axis=-1)
        if self.mode == "angle":
            return ops.arctan2(imag, real)
        power = ops.add(ops.square(real), ops.square(imag))
        if self.mode == "psd":  # all but the first and the last stand for two frequencies
            sides = np.full(self._frequencies, 2.0)
            sides[[0, -1]] = 1.0
            return ops.multiply(power, ops.cast(sides, ops.dtype(power)))
        power = ops.maximum(power, config.epsilon())
        return ops.sqrt(power) if self.mode == "magnitude" else ops.multiply(ops.log(power), 0.5)

    def compute_output_shape(self, input_shape: Any) -> Any:
        first = self.data_format == "channels_first"
        batch, channels, time = (
            input_shape if first else (input_shape[0], input_shape[2], input_shape[1])
        )
        frames = output_length(time, self.frame_length, self._step, self.padding)
        if frames is not None and frames < 1:
            raise ShapeError(
                f"Layer {self.name!r} (STFTSpectrogram): {time} samples hold no frame of "
                f"{self.frame_length}. Use padding='same' or a smaller frame_length."
            )
        size = self._frequencies * (2 if self.mode == "stft" else 1)
        if self.expand_dims:
            return (batch, channels, frames, size) if first else (batch, frames, size, channels)
        size = None if channels is None else channels * size
        return (batch, size, frames) if first else (batch, frames, size)


class MelSpectrogram(Layer):
    """The energy of a signal in bands of equal width for the ear, over time.

    The mel scale is `1127 log(1 + f / 700)`; each band weighs frequencies by a triangle that
    reaches to the middles of its neighbours.

    Args:
        fft_length: the length of each Fourier transform.
        sequence_stride: samples from one window to the next.
        sequence_length: samples in a window; `fft_length` by default.
        window: `"hann"`, `"hamming"`, an array of `sequence_length` values, or `None`.
        sampling_rate: samples in a second.
        num_mel_bins: how many bands.
        min_freq, max_freq: where the first begins and the last ends; by default at half the
            sampling rate.
        power_to_db: whether to return decibels.
        top_db: no value lies further below the greatest one (of the whole batch); `None` for no
            limit.
        mag_exp: the exponent of the magnitudes: 2 for power.
        min_power: smaller powers count as this.
        ref_power: the power of 0 decibels.

    Input shape `(..., samples)`, output shape `(..., num_mel_bins, windows)`.

    >>> import kerasish as keras
    >>> layer = keras.layers.MelSpectrogram(num_mel_bins=64, sampling_rate=8000)
    >>> layer(keras.ops.zeros((2, 16000))).shape
    (2, 64, 32)
    """

    def __init__(
        self, fft_length: int = 2048, sequence_stride: int = 512,
        sequence_length: int | None = None, window: Any = "hann", sampling_rate: int = 16000,
        num_mel_bins: int = 128, min_freq: float = 20.0, max_freq: float | None = None,
        power_to_db: bool = True, top_db: float | None = 80.0, mag_exp: float = 2.0,
        min_power: float = 1e-10, ref_power: float = 1.0, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.fft_length = fft_length
        self.sequence_stride = sequence_stride
        self.sequence_length = sequence_length or fft_length
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.min_freq = min_freq
        self.max_freq = max_freq or sampling_rate // 2
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power
        self.built = True
        if self.sequence_length > fft_length:
            raise InvalidArgument(
                f"MelSpectrogram: fft_length ({fft_length}) must be at least sequence_length "
                f"({sequence_length})."
            )
        if not 0 <= min_freq < self.max_freq <= sampling_rate / 2:
            raise InvalidArgument(
                "MelSpectrogram: frequencies must obey 0 <= min_freq < max_freq <= sampling_rate / "
                f"2, got min_freq={min_freq}, max_freq={max_freq}, sampling_rate={sampling_rate}."
            )

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        work = dtypes.result_type(self.compute_dtype, "float32")
        real, imag = ops.stft(
            ops.cast(x, work), self.sequence_length, self.sequence_stride, self.fft_length,
            self.window,
        )
        power = ops.add(ops.square(real), ops.square(imag))
        if self.mag_exp != 2:
            # The slope of a root is infinite at 0.
            power = ops.power(ops.maximum(power, np.finfo("float32").tiny), self.mag_exp / 2)
        mel = ops.matmul(power, ops.cast(self._bands(), work))
        mel = ops.swapaxes(mel, -1, -2)
        return ops.cast(self._decibels(mel) if self.power_to_db else mel, self.compute_dtype)

    def _decibels(self, power: Any) -> Any:
        level = ops.multiply(ops.log10(ops.maximum(power, self.min_power)), 10.0)
        level = ops.subtract(level, 10 * np.log10(max(self.ref_power, self.min_power)).item())
        if self.top_db is None:
            return level
        return ops.maximum(level, ops.subtract(ops.max(level), self.top_db))

    def _bands(self) -> np.ndarray:
        """The weight of each frequency in each band; the constant part of a signal has none."""
        mel = lambda f: 1127 * np.log1p(f / 700)
        f = mel(np.linspace(0, self.sampling_rate / 2, self.fft_length // 2 + 1))[:, None]
        edges = np.linspace(mel(self.min_freq), mel(self.max_freq), self.num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        rise, fall = (f - low) / (middle - low), (high - f) / (high - middle)
        weights = np.maximum(0, np.minimum(rise, fall))
        weights[0] = 0
        return weights

    def compute_output_shape(self, input_shape: Any) -> Any:
        samples = input_shape[-1]
        windows = None
        if samples is not None:
            padded = samples + 2 * (self.fft_length // 2)
            windows = 1 + (padded - self.fft_length) // self.sequence_stride
        return (*input_shape[:-1], self.num_mel_bins, windows)
