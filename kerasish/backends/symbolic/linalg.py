"""Shapes of linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.backends.symbolic.engine import Spec, Unknown
from kerasish.errors import InvalidArgument, ShapeError


def _differ(a: int, b: int) -> bool:
    return a != b and type(a) is not Unknown and type(b) is not Unknown


def _square(x: Spec) -> Spec:
    if x.ndim < 2 or _differ(*x.shape[-2:]):
        raise ShapeError(f"Square matrices are needed here, got the shape {x.shape}.")
    return Spec(x.shape, x.dtype)


inv = _square


def det(x: Spec) -> Spec:
    return Spec(_square(x).shape[:-2], x.dtype)


def cholesky(x: Spec, upper: bool) -> Spec:
    return _square(x)


def _real(dtype: str) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def slogdet(x: Spec) -> tuple[Spec, Spec]:
    return det(x), Spec(x.shape[:-2], _real(x.dtype))


def eig(x: Spec) -> tuple[Spec, Spec]:
    dtype = "complex128" if x.dtype in ("float64", "complex128") else "complex64"
    return Spec(_square(x).shape[:-1], dtype), Spec(x.shape, dtype)


def eigh(x: Spec) -> tuple[Spec, Spec]:
    return Spec(_square(x).shape[:-1], _real(x.dtype)), Spec(x.shape, x.dtype)


def _sizes(x: Spec) -> tuple[tuple[int, ...], int, int, int]:
    if x.ndim < 2:
        raise ShapeError(f"Matrices are needed here, got the shape {x.shape}.")
    *batch, m, n = x.shape
    k = min(m, n)
    return tuple(batch), m, n, Unknown(k) if Unknown in (type(m), type(n)) else k


def lu_factor(x: Spec) -> tuple[Spec, Spec]:
    batch, _, _, k = _sizes(x)
    return Spec(x.shape, x.dtype), Spec((*batch, k), "int32")


def qr(x: Spec, mode: str) -> tuple[Spec, Spec]:
    if mode not in ("reduced", "complete"):
        raise InvalidArgument(f"qr: unknown mode {mode!r}. Expected 'reduced' or 'complete'.")
    batch, m, n, k = _sizes(x)
    k = m if mode == "complete" else k
    return Spec((*batch, m, k), x.dtype), Spec((*batch, k, n), x.dtype)


def svd(x: Spec, full_matrices: bool, compute_uv: bool) -> Any:
    batch, m, n, k = _sizes(x)
    s = Spec((*batch, k), _real(x.dtype))
    if not compute_uv:
        return s
    rows, columns = (m, n) if full_matrices else (k, k)
    return Spec((*batch, m, rows), x.dtype), s, Spec((*batch, columns, n), x.dtype)


def _solve(a: Spec, b: Spec) -> Spec:
    batch = np.broadcast_shapes(_square(a).shape[:-2], b.shape[:-2])
    if b.ndim < 2 or _differ(a.shape[-1], b.shape[-2]):
        raise ShapeError(f"A right-hand side of shape {b.shape} does not fit {a.shape}.")
    return Spec((*batch, *b.shape[-2:]), b.dtype)


def _solve_triangular(a: Spec, b: Spec, lower: bool) -> Spec:
    return _solve(a, b)
