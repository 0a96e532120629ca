"""PyTorch: special functions, segments, top-k and Fourier transforms."""

from __future__ import annotations

from typing import Any

import torch

from kerasish.backends.shapes import check_k
from kerasish.backends.torch.array import _or_in_int64

erf = torch.erf
erfc = torch.erfc
erfinv = torch.erfinv


def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    if isinstance(axis, tuple | list) and not axis:  # torch takes it for all axes
        return x
    return torch.logsumexp(x, tuple(range(x.ndim)) if axis is None else axis, keepdims)


def _tied(values: Any) -> bool:
    """Whether neighbours are equal, or may be: values are not known inside a vmap."""
    try:
        return not bool((values[..., :-1] > values[..., 1:]).all())
    except RuntimeError:
        return True


@_or_in_int64
def top_k(x: Any, k: int, sorted: bool) -> tuple[Any, Any]:
    check_k(k, x.shape[-1])
    if x.is_floating_point():
        values, indices = torch.topk(x, min(k + 1, x.shape[-1]))
        if not _tied(values):
            return values[..., :k], indices[..., :k].to(torch.int32)
    # torch.topk takes any of equal values.
    if x.dtype.itemsize > 4 or x.dtype is torch.uint32:
        indices = x.sort(dim=-1, descending=True, stable=True).indices[..., :k]
    else:  # with keys of which no two are equal
        keys = x.detach().long()
        if x.is_floating_point():
            bits = (x.detach().float() + 0.0).view(torch.int32).long()  # +0.0: of -0.0 makes 0.0
            keys = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
        places = torch.arange(x.shape[-1], device=x.device)
        indices = torch.topk((keys << 32) - places, k).indices
    return x.gather(-1, indices), indices.to(torch.int32)


def _lowest(dtype: Any) -> Any:
    return -torch.inf if dtype.is_floating_point else torch.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    return torch.inf if dtype.is_floating_point else torch.iinfo(dtype).max


_FOLDS = {
    "sum": ("sum", lambda dtype: 0), "prod": ("prod", lambda dtype: 1),
    "max": ("amax", _lowest), "min": ("amin", _highest),
}  # fmt: skip


@_or_in_int64
def _segment(data: Any, ids: Any, num_segments: int | None, sorted: bool, kind: str) -> Any:
    if num_segments is None:
        num_segments = int(ids.max()) + 1 if ids.numel() else 0
    # One more segment takes the elements of no segment.
    ids = torch.where((ids >= 0) & (ids < num_segments), ids, num_segments).long()
    fold, identity = _FOLDS[kind]
    out = torch.full(
        (num_segments + 1, *data.shape[1:]), identity(data.dtype),
        dtype=data.dtype, device=data.device,
    )  # fmt: skip
    if kind == "sum":
        return out.index_add(0, ids, data)[:-1]
    ids = ids.reshape(-1, *[1] * (data.ndim - 1)).expand_as(data)
    return out.scatter_reduce(0, ids, data, fold)[:-1]


def _pair(z: Any) -> tuple[Any, Any]:
    return z.real, z.imag


def _transformed(transform: Any, x: Any, *args: Any) -> Any:
    """The transform, also of an empty batch, which torch refuses: what is left of a sample's."""
    if x.numel():
        return transform(x, *args)
    sample = torch.zeros([n or 1 for n in x.shape[:-1]] + [x.shape[-1]], dtype=x.dtype)
    kept = [slice(0, n) for n in x.shape[:-1]]
    return transform(sample.to(x.device) + x.sum(), *args)[kept]


def fft(x: Any) -> tuple[Any, Any]:
    return _pair(_transformed(torch.fft.fft, torch.complex(*x)))


def fft2(x: Any) -> tuple[Any, Any]:
    return _pair(_transformed(torch.fft.fft2, torch.complex(*x)))


def ifft2(x: Any) -> tuple[Any, Any]:
    return _pair(_transformed(torch.fft.ifft2, torch.complex(*x)))


def _rfft(x: Any, fft_length: int | None) -> tuple[Any, Any]:
    return _pair(_transformed(torch.fft.rfft, x, fft_length))


def _irfft(x: Any, fft_length: int | None) -> Any:
    return _transformed(torch.fft.irfft, torch.complex(*x), fft_length)


def _frames(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    return x.unfold(-1, sequence_length, sequence_stride)


def cdist(x: Any, y: Any) -> Any:
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
