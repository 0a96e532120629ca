"""NumPy: linear algebra."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kerasish.backends.numpy.tape import primitive

det = np.linalg.det
inv = np.linalg.inv
_solve = np.linalg.solve


def cholesky(x: Any, upper: bool) -> Any:
    return np.linalg.cholesky(x, upper=upper)


def slogdet(x: Any) -> tuple[Any, Any]:
    return tuple(np.linalg.slogdet(x))


@primitive
def eig(x: Any) -> tuple[Any, Any]:
    # NumPy's results are real where all eigenvalues happen to be; ours are always complex.
    dtype = np.result_type(x.dtype, np.complex64)
    w, v = np.linalg.eig(x)
    return w.astype(dtype), v.astype(dtype)


def eigh(x: Any) -> tuple[Any, ...]:
    return tuple(np.linalg.eigh(x))


def qr(x: Any, mode: Any) -> tuple[Any, ...]:
    return tuple(np.linalg.qr(x, mode))


def svd(x: Any, full_matrices: bool, compute_uv: bool) -> Any:
    out = np.linalg.svd(x, full_matrices, compute_uv)
    return tuple(out) if compute_uv else out


@primitive
def lu_factor(x: Any) -> tuple[Any, Any]:
    """Gauss' elimination with partial pivoting, a column at a time for the whole batch."""
    m, n = x.shape[-2:]
    a = np.array(x).reshape(math.prod(x.shape[:-2]), m, n)
    batch = np.arange(len(a))
    pivots = np.empty((len(a), min(m, n)), np.int32)
    for k in range(min(m, n)):
        p = k + np.argmax(np.abs(a[:, k:, k]), axis=1)
        pivots[:, k] = p
        a[batch, k], a[batch, p] = a[batch, p], a[batch, k]
        pivot = a[:, k, k, None]
        a[:, k + 1 :, k] /= np.where(pivot == 0, 1, pivot)
        a[:, k + 1 :, k + 1 :] -= a[:, k + 1 :, k, None] * a[:, k, None, k + 1 :]
    return a.reshape(x.shape), pivots.reshape(*x.shape[:-2], min(m, n))


def _solve_triangular(a: Any, b: Any, lower: bool) -> Any:
    return np.linalg.solve(np.tril(a) if lower else np.triu(a), b)


def _pinv(x: Any, rcond: float) -> Any:
    return np.linalg.pinv(x, rcond)


from kerasish.backends.numpy import rules_linalg as rules_linalg  # noqa: E402 (needs the above)
