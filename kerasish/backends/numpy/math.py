"""NumPy: special functions, segments, top-k and Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.backends.numpy.tape import primitive
from kerasish.backends.shapes import check_k

# erf(x) = x P(x²) on [0, 1]; erfc(x) = exp(-x²) R((x - 2) / (x + 2)) / (1 + 2 x) above, the form
# of Shepherd and Laframboise (1981). Chebyshev fits made in 40 digits; relative errors below 1e-14.
_ERF = (
    1.1283791670955126, -0.3761263890318375, 0.11283791670954879, -0.026866170645076792,
    0.0052239776248180145, -0.000854832698083379, 0.0001205533111164271, -1.4925595266831182e-05,
    1.6461000484121368e-06, -1.6350312701054695e-07, 1.4659775274047436e-08,
    -1.1372848856791674e-09, 5.957176147748911e-11,
)  # fmt: skip
_ERFC = (
    1.2769783815525289, -0.0927638265857463, -0.1660303976153116, 0.16405128003354463,
    -0.05422000098961805, -0.008034015093382746, 0.008722653783510122, 0.0012713394677527584,
    -0.001456812629104026, -0.0004543518680399652, 0.00020636787702731703, 0.00015115482298799876,
    -1.709950616055108e-06, -3.684939991389259e-05, -1.1735351958209036e-05, 2.517544347362548e-06,
    1.6345874508906462e-06, 1.0266176380600088e-05, -8.723491745116702e-06, 1.994230507688289e-06,
)  # fmt: skip
# In float32 one rational x P(x²) / Q(x²) does for all x, clipped to where erf rounds to 1.
_LIMIT = 3.92
_P = (
    1.1283791461721409, 0.1904065341354182, 0.05274867765726668, 0.0037656017258197814,
    0.00028487923522510267, 2.0500470686007784e-06,
)  # fmt: skip
_Q = (
    1.0, 0.5020761390251706, 0.11410908878762475, 0.014969193104662909, 0.001162525697759025,
    3.8091113013854645e-05,
)  # fmt: skip
_BLOCK = 1 << 14


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    y = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        y += c
        y *= x
    y += coefficients[0]
    return y


def _erf32(x: np.ndarray) -> np.ndarray:
    """Block by block, so that the dozen passes stay in the cache."""
    flat = np.ascontiguousarray(x, np.float32).reshape(-1)
    out = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        z = np.clip(flat[start : start + _BLOCK], -_LIMIT, _LIMIT)
        u = z * z
        z *= _horner(_P, u)
        z /= _horner(_Q, u)
        np.clip(z, -1.0, 1.0, out=out[start : start + _BLOCK])
    return out.reshape(x.shape)


def _erfc_above_one(x: np.ndarray) -> np.ndarray:
    # exp(-x²) without the rounding of x²: the square of z is exact.
    z = np.round(x * 16.0) / 16.0
    return np.exp(-z * z) * np.exp((z - x) * (z + x)) * _horner(_ERFC, (x - 2.0) / (x + 2.0)) / (
        1.0 + 2.0 * x
    )


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(|x|, whether |x| <= 1, erf for those, erfc of |x| for the others)."""
    a = np.abs(x)
    near = np.minimum(a, 1.0)
    far = np.clip(a, 1.0, 28.0)
    return a, a <= 1.0, near * _horner(_ERF, near * near), _erfc_above_one(far)


def _erf64(x: np.ndarray) -> np.ndarray:
    a, small, near, far = _halves(x)
    return np.where(np.isnan(a), a, np.copysign(np.where(small, near, 1.0 - far), x))


def _erfc64(x: np.ndarray) -> np.ndarray:
    a, small, near, far = _halves(x)
    upper = np.where(small, 1.0 - near, far)
    lower = np.where(small, 1.0 + near, 2.0 - far)
    return np.where(np.isnan(a), a, np.where(x < 0, lower, upper))


def _erfinv64(x: np.ndarray) -> np.ndarray:
    """Winitzki's (2008) closed form, good to 2e-3, and two Halley steps, each of third order."""
    a = np.abs(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log1p(-a * a)
        b = 2 / (np.pi * 0.147) + log / 2
        y = np.sqrt(-log / 0.147 / (np.sqrt(b * b - log / 0.147) + b))
        for _ in range(2):
            # 1 - a is exact where erf would lose the digits.
            residual = np.where(a < 0.5, _erf64(y) - a, (1.0 - a) - _erfc64(y))
            step = residual * (np.sqrt(np.pi) / 2) * np.exp(y * y)
            y = y - step / (1.0 + y * step)
    return np.copysign(np.where(a == 1.0, np.inf, y), x)


def _in_float64(function: Any) -> Any:
    return primitive(lambda x: function(np.asarray(x, np.float64)).astype(x.dtype)[()])


@primitive
def erf(x: Any) -> Any:
    if x.dtype == np.float64:
        return _erf64(x)
    return _erf32(x).astype(x.dtype, copy=False)


erfc = _in_float64(_erfc64)
erfinv = _in_float64(_erfinv64)


@primitive
def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    top = np.maximum.reduce(x, axis, keepdims=True, initial=None if x.size else -np.inf)
    top = np.where(np.isfinite(top), top, np.zeros((), x.dtype))
    with np.errstate(divide="ignore"):
        out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis)[()]


def top_k(x: Any, k: int, sorted: bool) -> tuple[Any, Any]:
    # Of equal values the first comes first: a stable sort of the reversed axis, read backwards.
    n = x.shape[-1]
    check_k(k, n)
    order = np.argsort(x[..., ::-1], axis=-1, kind="stable")
    indices = n - 1 - order[..., ::-1][..., :k]
    return np.take_along_axis(x, indices, -1), indices.astype(np.int32)


_FOLDS = {
    "sum": (np.add, lambda t: 0), "prod": (np.multiply, lambda t: 1),
    "max": (np.maximum, lambda t: -np.inf if t.kind == "f" else np.iinfo(t).min),
    "min": (np.minimum, lambda t: np.inf if t.kind == "f" else np.iinfo(t).max),
}  # fmt: skip


@primitive
def _segment(data: Any, ids: Any, num_segments: int | None, sorted: bool, kind: str) -> Any:
    if num_segments is None:
        num_segments = int(ids.max(initial=-1)) + 1
    fold, identity = _FOLDS[kind]
    if not sorted:
        order = np.argsort(ids, kind="stable")
        ids, data = ids[order], data[order]
    start, stop = np.searchsorted(ids, [0, num_segments])
    present, first = np.unique(ids[start:stop], return_index=True)
    out = np.full((num_segments, *data.shape[1:]), identity(data.dtype), data.dtype)
    if present.size:
        out[present] = fold.reduceat(data[start:stop], first, axis=0)
    return out


def _complex(pair: Any) -> Any:
    real, imag = pair
    return real + 1j * imag


def _pair(z: Any) -> tuple[Any, Any]:
    return np.real(z), np.imag(z)


def fft(x: Any) -> tuple[Any, Any]:
    return _pair(np.fft.fft(_complex(x)))


def fft2(x: Any) -> tuple[Any, Any]:
    return _pair(np.fft.fft2(_complex(x)))


def ifft2(x: Any) -> tuple[Any, Any]:
    return _pair(np.fft.ifft2(_complex(x)))


def _rfft(x: Any, fft_length: int | None) -> tuple[Any, Any]:
    return _pair(np.fft.rfft(x, fft_length))


def _irfft(x: Any, fft_length: int | None) -> Any:
    return np.fft.irfft(_complex(x), fft_length)


from kerasish.backends.numpy import rules_math as rules_math  # noqa: E402 (needs the above)
