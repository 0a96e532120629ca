"""PyTorch: linear algebra."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from kerasish.errors import InvalidArgument

det = torch.linalg.det
inv = torch.linalg.inv
_solve = torch.linalg.solve


def cholesky(x: Any, upper: bool) -> Any:
    return torch.linalg.cholesky(x, upper=upper)


def cholesky_inverse(x: Any, upper: bool) -> Any:
    return torch.cholesky_inverse(x, upper=upper)


def slogdet(x: Any) -> tuple[Any, Any]:
    return tuple(torch.linalg.slogdet(x))


def eig(x: Any) -> tuple[Any, Any]:
    return tuple(torch.linalg.eig(x))


def eigh(x: Any) -> tuple[Any, Any]:
    return tuple(torch.linalg.eigh(x))


def qr(x: Any, mode: str) -> tuple[Any, Any]:
    return tuple(torch.linalg.qr(x, mode))


def svd(x: Any, full_matrices: bool, compute_uv: bool) -> Any:
    return tuple(torch.linalg.svd(x, full_matrices)) if compute_uv else torch.linalg.svdvals(x)


def lu_factor(x: Any) -> tuple[Any, Any]:
    lu, pivots, _ = torch.linalg.lu_factor_ex(x)  # takes singular ones
    return lu, pivots - 1


def _solve_triangular(a: Any, b: Any, lower: bool) -> Any:
    with contextlib.suppress(RuntimeError):  # values are not known inside a vmap
        if bool((a.detach().diagonal(dim1=-2, dim2=-1) == 0).any()):
            raise InvalidArgument("The matrix is singular.")
    return torch.linalg.solve_triangular(a, b, upper=not lower)


def _pinv(x: Any, rcond: float) -> Any:
    return torch.linalg.pinv(x, rtol=rcond)
