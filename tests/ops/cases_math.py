import numpy as np
import scipy.fft
import scipy.signal
import scipy.spatial.distance
import scipy.special

from tests.ops.case import case, ints, pos, unit, x

# Special functions.
case("math.erf", x(3, 5), ref=scipy.special.erf)
case("erf", np.linspace(-6, 6, 4001, dtype="float32"), ref=scipy.special.erf, tol=2e-6)
case("erf", np.linspace(-6, 6, 4001), ref=scipy.special.erf, tol=1e-6)
case("erf", ints(4, low=-3), ref=scipy.special.erf, grad=False)
case("erf", x(3, dtype="float16"), ref=scipy.special.erf, grad=False, tol=2e-3)
case("erfc", x(3, 5), ref=scipy.special.erfc)
case("erfc", np.linspace(-4, 9, 501, dtype="float32"), grad=False, tol=2e-5,
     ref=lambda a: np.log(scipy.special.erfc(a.astype("float64"))),
     through=lambda f, a: _log(f(a)))
case("erfinv", unit(3, 5), ref=scipy.special.erfinv)
case("erfinv", np.array([-1.0, -0.99999, -1e-6, 0.0, 0.3, 0.999, 1.0], "float32"),
     ref=lambda a: scipy.special.erfinv(a.astype("float64")), grad=False, tol=2e-5)


def _log(a):
    from kerasish import ops

    return ops.log(a)


# Reductions.
for _axis in (None, 0, -1, (0, 2)):
    for _keep in (False, True):
        case("logsumexp", x(2, 3, 4), axis=_axis, keepdims=_keep, ref=scipy.special.logsumexp)
case("math.logsumexp", ints(2, 3), axis=1, ref=scipy.special.logsumexp)
case("logsumexp", np.array([[1e4, 1e4], [-1e4, -1e4]], "float32"), axis=1, grad=False,
     ref=scipy.special.logsumexp)
case("logsumexp", np.array([[-np.inf, -np.inf], [0, -np.inf]], "float32"), axis=1, grad=False,
     ref=np.array([-np.inf, 0]))


# Top-k.
def _top_k(a, k, sorted=True):
    order = np.argsort(-a, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(a, order, -1), order.astype("int32")


case("top_k", x(3, 7), 3, ref=_top_k)
case("math.top_k", x(2, 3, 7), 7, ref=_top_k)
case("top_k", np.array([3, -1, 9, 4]), 2, ref=_top_k)
case("top_k", x(3, 7), 2, sorted=False, ref=lambda a, k, sorted: np.sort(a)[:, -k:],
     through=lambda f, a, k, sorted: _sort(f(a, k, sorted=sorted)[0]))
case("in_top_k", np.array([2, 5, 3]), np.array([
    [0.1, 0.4, 0.6, 0.9, 0.5], [0.1, 0.7, 0.9, 0.8, 0.3], [0.1, 0.6, 0.9, 0.9, 0.5]
], "float32"), 3, ref=np.array([True, False, True]), grad=False)
case("math.in_top_k", np.array([1, 2, 3, 0], "int32"), np.array(
    [[0.1, 0.3, 0.3, 0.3], [0, 0, 1, 2], [0, 1, 2, np.nan], [np.inf, 0, 0, 0]], "float32"),
    1, ref=np.array([True, False, False, False]), grad=False)


def _sort(a):
    from kerasish import ops

    return ops.sort(a, axis=-1)


# Segments.
def _segments(fold, empty):
    def reference(data, ids, num_segments=None, sorted=False):
        data = data.reshape(-1, *data.shape[ids.ndim:])
        ids = ids.reshape(-1)
        n = ids.max() + 1 if num_segments is None else num_segments
        return np.stack([
            fold(data[ids == i], axis=0) if (ids == i).any()
            else np.full(data.shape[1:], empty(data.dtype), data.dtype)
            for i in range(n)
        ]).astype(data.dtype)

    return reference


_FOLDS = {
    "segment_sum": _segments(np.sum, lambda t: 0),
    "segment_prod": _segments(np.prod, lambda t: 1),
    "segment_max": _segments(np.max, lambda t: -np.inf if t.kind == "f" else np.iinfo(t).min),
    "segment_min": _segments(np.min, lambda t: np.inf if t.kind == "f" else np.iinfo(t).max),
}
for _name, _ref in _FOLDS.items():
    _ids = np.array([3, 0, 1, 1, 3, 1])
    case(_name, x(6, 3), np.array([2, 0, 1, 1, 2, 1]), num_segments=3, ref=_ref)
    case("math." + _name, x(6), np.array([0, 0, 1, 1, 2, 2], "int32"), num_segments=3, sorted=True,
         ref=_ref)
    case(_name, x(6, 2, 2), np.array([2, 0, 1, 1, 2, 1]), ref=_ref, symbolic=False)
    case(_name, ints(6, 3, low=-4), _ids, num_segments=5, ref=_ref)
    case(_name, x(6, 2), _ids, num_segments=5, ref=_ref, grad=False)
    case(_name, x(6), np.array([1, -1, 0, 5, 2, 2]), num_segments=3, ref=_ref)
    case(_name, x(2, 3, 2), np.array([[0, 1, 1], [2, 0, 1]]), num_segments=3, ref=_ref)
# One zero in a segment, two in another: the gradient is still the product of the others.
case("segment_prod", np.array([2, 0, 3, 0, 0, 5], "float32"), np.array([0, 0, 0, 1, 1, 1]),
     num_segments=2, ref=_FOLDS["segment_prod"])
case("segment_max", np.array([2, 2, 3], "float32"), np.array([0, 0, 1]), num_segments=2,
     grad=False, ref=_FOLDS["segment_max"])


# Fourier transforms.
def _pair(function):
    def reference(pair, *args, **kwargs):
        z = function(pair[0] + 1j * pair[1], *args, **kwargs)
        return z.real, z.imag

    return reference


for _name in ("fft", "fft2", "ifft2"):
    case(_name, (x(2, 4, 6), x(2, 4, 6)), ref=_pair(getattr(scipy.fft, _name)))
    case("math." + _name, (x(3, 5), x(3, 5)), ref=_pair(getattr(scipy.fft, _name)))


def _rfft(a, fft_length=None):
    z = scipy.fft.rfft(a, fft_length)
    return z.real, z.imag


for _n in (None, 6, 5, 10, 11):
    case("rfft", x(2, 8), fft_length=_n, ref=_rfft)
    case("irfft", (x(2, 5), x(2, 5)), fft_length=_n,
         ref=lambda p, fft_length: scipy.fft.irfft(p[0] + 1j * p[1], fft_length))
case("math.rfft", x(7), ref=_rfft)
case("math.irfft", (x(3), x(3)), ref=lambda p: scipy.fft.irfft(p[0] + 1j * p[1]))

case("extract_sequences", x(2, 11), 4, 3,
     ref=lambda a, n, s: np.stack([a[:, i:i + n] for i in range(0, a.shape[1] - n + 1, s)], 1))
case("math.extract_sequences", np.arange(6), 3, 2, ref=np.array([[0, 1, 2], [2, 3, 4]]))


def _window(window, n, fft_length):
    if window is None:
        window = np.ones(n)
    elif isinstance(window, str):
        window = scipy.signal.get_window(window, n)
    left = (fft_length - n) // 2
    return np.pad(window, (left, fft_length - n - left))


def _stft(a, n, stride, fft_length, window="hann", center=True):
    if center:
        half = fft_length // 2
        a = np.pad(a, [(0, 0)] * (a.ndim - 1) + [(half, half)], mode="reflect")
    w = _window(window, n, fft_length)
    starts = range(0, a.shape[-1] - fft_length + 1, stride)
    z = np.stack([np.fft.rfft(a[..., i:i + fft_length] * w) for i in starts], -2)
    return z.real, z.imag


case("stft", x(2, 20), 4, 2, 6, ref=_stft)
case("math.stft", x(23), 5, 3, 8, window="hamming", center=False, ref=_stft)
case("stft", x(23), 4, 2, 4, window=None, ref=_stft)
case("stft", x(2, 16), 4, 2, 8, window=pos(4), ref=_stft, grad_tol=2e-3)
# SciPy's own transform scales by the sum of the window.
case("stft", x(32), 8, 4, 8, center=False,
     ref=lambda a, n, s, f, center: [
         part.T for z in [scipy.signal.stft(a, nperseg=n, noverlap=n - s, boundary=None,
                                            padded=False)[2] * n / 2]
         for part in (z.real, z.imag)
     ])


def _istft_of_stft(f, a, *args, **kwargs):
    from kerasish import ops

    length = kwargs.pop("length", None)
    return f(ops.stft(a, *args, **kwargs), *args, length=length, **kwargs)


case("istft", x(2, 20), 4, 2, 6, through=_istft_of_stft, ref=lambda a, *_: a)
case("math.istft", x(24), 8, 3, 8, window="hamming", through=_istft_of_stft,
     ref=lambda a, *_, window: a)
case("istft", x(2, 20), 4, 2, 4, length=17, through=_istft_of_stft,
     ref=lambda a, *_, length: a[:, :17])
case("istft", x(20), 4, 2, 4, length=23, through=_istft_of_stft,
     ref=lambda a, *_, length: np.pad(np.pad(a, (0, 2), "reflect"), (0, 1)))
case("istft", x(5), 1, 1, 1, through=_istft_of_stft, ref=lambda a, *_: a)
case("istft", x(20), 4, 2, 4, center=False, through=_istft_of_stft,
     ref=lambda a, *_, center: np.concatenate([[0], a[1:]]))


def _istft(pair, n, stride, fft_length):
    frames = np.fft.irfft(pair[0] + 1j * pair[1], fft_length)
    w = _window("hann", n, fft_length)
    total = np.zeros((len(frames) - 1) * stride + fft_length)
    weight = np.zeros_like(total)
    for i, frame in enumerate(frames):
        total[i * stride:i * stride + fft_length] += frame * w
        weight[i * stride:i * stride + fft_length] += w * w
    half = fft_length // 2
    return (total / np.where(weight > 1e-10, weight, 1))[half:-half]


case("istft", (x(6, 5), x(6, 5)), 6, 3, 8, ref=_istft)  # not a transform of any signal

# Distances and determinants.
_cdist = scipy.spatial.distance.cdist
case("cdist", x(4, 3), x(5, 3), ref=_cdist)
case("math.cdist", x(2, 4, 3), x(2, 5, 3),
     ref=lambda a, b: np.stack([_cdist(p, q) for p, q in zip(a, b, strict=True)]))
case("cdist", np.ones((2, 3), "float32"), np.ones((1, 3), "float32"), ref=np.zeros((2, 1)),
     grad=False)
case("logdet", x(2, 3, 3), ref=lambda a: np.linalg.slogdet(a @ a.mT + np.eye(3))[1],
     through=lambda f, a: f(_definite(a)))


def _definite(a):
    from kerasish import ops

    return ops.matmul(a, ops.swapaxes(a, -1, -2)) + ops.eye(ops.shape(a)[-1], dtype=a.dtype)
