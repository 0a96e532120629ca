"""Spectrograms: against Keras, against Fourier transforms written out, shapes, learning."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends
from tests.peer import keras_peer

L = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore:.fft_length. is recommended")
rng = np.random.default_rng(4)
SIGNAL = rng.standard_normal((2, 300, 2)).astype("float32")
SMALL = {"frame_length": 20, "frame_step": 7}


def host(y):
    return np.asarray(backends.to_host(y))


def frames(x, length, step):
    return np.stack([x[:, i : i + length] for i in range(0, x.shape[1] - length + 1, step)], 1)


@pytest.mark.parametrize("mode", L.STFTSpectrogram.MODES)
def test_stft_is_the_fourier_transform_of_frames(mode, backend):
    layer = L.STFTSpectrogram(mode, **SMALL, scaling=None, expand_dims=True)
    y = host(layer(SIGNAL))
    windows = frames(SIGNAL, 20, 7) * np.hanning(20)[:, None]
    f = np.fft.rfft(windows, 32, axis=2)
    power = np.abs(f) ** 2
    two_sided = np.where(np.isin(np.arange(17), (0, 16)), 1.0, 2.0)[:, None]
    expected = {
        "real": f.real, "imag": f.imag, "magnitude": np.abs(f), "angle": np.angle(f),
        "psd": power * two_sided, "log": np.log(np.abs(f)),
        "stft": np.concatenate([f.real, f.imag], 2),
    }[mode]
    if mode == "angle":  # the cut is at half a turn
        np.testing.assert_allclose(np.cos(y - expected), 1, atol=1e-4)
    else:
        np.testing.assert_allclose(y, expected, rtol=1e-3, atol=2e-3)
    assert layer.compute_output_shape((None, 300, 2)) == (None, *y.shape[1:])


@pytest.mark.parametrize("options", [
    {}, {"mode": "psd", "scaling": "spectrum", "window": "hamming", "periodic": True},
    {"mode": "magnitude", "padding": "same", "window": "blackman"},
    {"mode": "stft", "data_format": "channels_first"},
    {"expand_dims": True, "data_format": "channels_first", "window": "bartlett"},
    {"expand_dims": True, "mode": "stft", "fft_length": 34, "window": None},
    {"window": np.linspace(0.1, 1, 20)},
], ids=str)
def test_stft_equals_keras(options):
    x = np.swapaxes(SIGNAL, 1, 2) if "data_format" in options else SIGNAL
    ours = L.STFTSpectrogram(**SMALL, **options)
    theirs = keras_peer().layers.STFTSpectrogram(**SMALL, **options)
    y, z = host(ours(x)), np.asarray(theirs(x))
    np.testing.assert_allclose(y, z, rtol=1e-3, atol=1e-3)
    assert [(w.path.rpartition("/")[2], w.shape) for w in ours.weights] == [
        (w.path.rpartition("/")[2], tuple(w.shape)) for w in theirs.weights
    ]
    assert ours.compute_output_shape((None, *x.shape[1:])) == (None, *z.shape[1:])
    assert ours.get_config().keys() == theirs.get_config().keys()


def test_stft_kernels_learn(backend):
    model = keras.Sequential([
        keras.Input((64, 1)), L.STFTSpectrogram(frame_length=16), L.Flatten(), L.Dense(1),
    ])
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    before = model.layers[0].get_weights()
    x, y = rng.standard_normal((16, 64, 1)).astype("float32"), rng.standard_normal((16, 1))
    losses = model.fit(x, y, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and np.isfinite(losses).all()
    for a, b in zip(before, model.layers[0].get_weights(), strict=True):
        assert np.abs(a - b).max() > 1e-5
    frozen = L.STFTSpectrogram(frame_length=16, trainable=False)
    frozen(x)
    assert not frozen.trainable_variables and len(frozen.weights) == 2


@pytest.mark.parametrize("bad", [
    {"mode": "power"}, {"frame_length": 0}, {"frame_step": 300}, {"fft_length": 100},
    {"window": "round"}, {"window": np.ones(3)}, {"scaling": "x"}, {"padding": "causal"},
], ids=str)
def test_stft_tells_wrong_arguments(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        L.STFTSpectrogram(**bad)


def test_stft_tells_a_signal_too_short():
    with pytest.raises(ValueError, match="100 samples hold no frame of 256"):
        L.STFTSpectrogram()(keras.Input((100, 1)))


MEL = {
    "fft_length": 256, "sequence_stride": 100, "sequence_length": 200, "num_mel_bins": 10,
    "sampling_rate": 8000, "min_freq": 50.0, "max_freq": 3000.0,
}  # fmt: skip


@pytest.mark.parametrize("options", [
    MEL, {**MEL, "power_to_db": False, "window": "hamming"}, {**MEL, "window": None, "mag_exp": 1.0},
    {**MEL, "top_db": 20.0, "ref_power": 5.0, "min_power": 1e-3}, {"window": np.linspace(0, 1, 2048)},
], ids=lambda o: str(o)[-60:])
def test_mel_equals_keras(options):
    x = rng.standard_normal((2, 3000)).astype("float32") * np.array([[1.0], [1e-3]], "float32")
    ours, theirs = L.MelSpectrogram(**options), keras_peer().layers.MelSpectrogram(**options)
    for signal in (x, x[0]):
        y, z = host(ours(signal)), np.asarray(theirs(signal))
        np.testing.assert_allclose(y, z, rtol=1e-3, atol=1e-3)
        assert tuple(ours.compute_output_shape(signal.shape)) == z.shape
    assert ours.get_config().keys() == theirs.get_config().keys()


def test_mel_of_a_tone_is_in_its_band(backend):
    """1000 Hz is 1000 mel, so of bands from 0 to 2000 mel it fills the middle one."""
    t = np.arange(4000) / 8000
    top = 700 * (np.exp(2000 / 1127) - 1)
    layer = L.MelSpectrogram(512, 128, sampling_rate=8000, num_mel_bins=19, min_freq=0.0, max_freq=top)
    y = host(layer(np.sin(2 * np.pi * 1000 * t).astype("float32")))
    assert (y.argmax(0) == 9).all()
    assert y.max() - y.min() <= 80.001


def test_mel_in_models_and_halves(backend):
    x = rng.standard_normal((2, 1000)).astype("float32")
    for dtype in ("float16", "bfloat16"):
        layer = L.MelSpectrogram(**MEL, dtype=dtype)
        y = layer(x)
        assert keras.backend.standardize_dtype(y.dtype) == dtype
        reference = host(L.MelSpectrogram(**MEL)(x))
        np.testing.assert_allclose(host(y).astype("float32"), reference, atol=1.0)
    model = keras.Sequential([keras.Input((None,)), L.MelSpectrogram(**MEL), L.GlobalAveragePooling1D()])
    assert model.predict(x, verbose=0).shape == (2, 11)


def test_mel_tells_wrong_arguments():
    with pytest.raises(ValueError, match="fft_length"):
        L.MelSpectrogram(fft_length=100, sequence_length=200)
    with pytest.raises(ValueError, match="max_freq"):
        L.MelSpectrogram(sampling_rate=8000, max_freq=5000)
