"""Shapes of special functions, segments, top-k and Fourier transforms."""

from __future__ import annotations

from typing import Any

from kerasish.backends.shapes import check_k
from kerasish.backends.symbolic.engine import Spec, Unknown


def _same(x: Spec) -> Spec:
    return Spec(x.shape, x.dtype)


erf = erfc = erfinv = _same


def top_k(x: Spec, k: int, sorted: bool) -> tuple[Spec, Spec]:
    size = x.shape[-1]
    check_k(k, None if type(size) is Unknown else size)
    shape = (*x.shape[:-1], k)
    return Spec(shape, x.dtype), Spec(shape, "int32")


def _segment(data: Spec, ids: Spec, num_segments: int | None, sorted: bool, kind: str) -> Spec:
    count = Unknown(1) if num_segments is None else num_segments  # told by the values of `ids`
    return Spec((count, *data.shape[1:]), data.dtype)


def fft(x: Any) -> tuple[Spec, Spec]:
    return _same(x[0]), _same(x[1])


fft2 = ifft2 = fft


def _rfft(x: Spec, fft_length: int | None) -> tuple[Spec, Spec]:
    n = x.shape[-1] if fft_length is None else fft_length
    half = Spec((*x.shape[:-1], n // 2 + 1), x.dtype)
    return half, _same(half)


def _irfft(x: Any, fft_length: int | None) -> Spec:
    n = 2 * (x[0].shape[-1] - 1) if fft_length is None else fft_length
    return Spec((*x[0].shape[:-1], n), x[0].dtype)
