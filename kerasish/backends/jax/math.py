"""JAX: special functions, segments, top-k and Fourier transforms."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special

from kerasish.backends.shapes import axes_over, check_k

erf = jax.scipy.special.erf
erfc = jax.scipy.special.erfc
erfinv = jax.scipy.special.erfinv


def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return jax.scipy.special.logsumexp(x, axes_over(axis, x.ndim), keepdims=keepdims)


def top_k(x: Any, k: int, sorted: bool) -> tuple[Any, Any]:
    check_k(k, x.shape[-1])
    values, indices = jax.lax.top_k(x, k)
    return values, indices


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _product(data: Any, ids: Any, num: int, sorted: bool) -> Any:
    """`segment_prod` with the gradient that JAX lacks: the product of the others."""
    return jax.ops.segment_prod(data, ids, num, indices_are_sorted=sorted)


def _product_forward(data: Any, ids: Any, num: int, sorted: bool) -> Any:
    return _product(data, ids, num, sorted), (data, ids)


def _product_backward(num: int, sorted: bool, saved: Any, g: Any) -> Any:
    data, ids = saved

    def gather(values: Any) -> Any:
        return jnp.take(values, jnp.where(ids < 0, num, ids), axis=0, mode="fill", fill_value=0)

    zero = data == 0
    nonzero = jnp.where(zero, 1, data)
    zeros = gather(jax.ops.segment_sum(zero.astype(data.dtype), ids, num))
    others = gather(_product(nonzero, ids, num, sorted)) / nonzero
    return gather(g) * others * (zeros == zero), None


_product.defvjp(_product_forward, _product_backward)
_FOLDS = {
    "sum": jax.ops.segment_sum, "max": jax.ops.segment_max, "min": jax.ops.segment_min,
}  # fmt: skip


def _segment(data: Any, ids: Any, num_segments: int | None, sorted: bool, kind: str) -> Any:
    if num_segments is None:
        num_segments = int(ids.max(initial=-1)) + 1
    if kind == "prod":
        return _product(data, ids, num_segments, sorted)
    return _FOLDS[kind](data, ids, num_segments, indices_are_sorted=sorted)


def _pair(z: Any) -> tuple[Any, Any]:
    return z.real, z.imag


def fft(x: Any) -> tuple[Any, Any]:
    return _pair(jnp.fft.fft(jax.lax.complex(*x)))


def fft2(x: Any) -> tuple[Any, Any]:
    return _pair(jnp.fft.fft2(jax.lax.complex(*x)))


def ifft2(x: Any) -> tuple[Any, Any]:
    return _pair(jnp.fft.ifft2(jax.lax.complex(*x)))


def _rfft(x: Any, fft_length: int | None) -> tuple[Any, Any]:
    return _pair(jnp.fft.rfft(x, fft_length))


def _irfft(x: Any, fft_length: int | None) -> Any:
    return jnp.fft.irfft(jax.lax.complex(*x), fft_length)
