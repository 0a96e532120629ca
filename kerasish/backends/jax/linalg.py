"""JAX: linear algebra."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp

from kerasish.errors import InvalidArgument

det = jnp.linalg.det


def _square(x: Any) -> Any:
    """Checks what JAX would find out while it symmetrizes, with a message about something else."""
    if x.ndim < 2 or x.shape[-2] != x.shape[-1]:
        raise ValueError("Square matrices are needed.")
    return x


def _told(out: Any, what: str, *inputs: Any) -> Any:
    """The result, unless it is computed now and shows what other engines raise an error for."""
    if not isinstance(out, jax.core.Tracer) and not jnp.isfinite(out).all() and all(
        bool(jnp.isfinite(x).all()) for x in inputs
    ):
        raise InvalidArgument(what)
    return out


_SINGULAR = "The matrix is singular."


def cholesky(x: Any, upper: bool) -> Any:
    out = jnp.linalg.cholesky(_square(x), upper=upper)
    return _told(out, "The matrix is not positive definite.", x)


def inv(x: Any) -> Any:
    return _told(jnp.linalg.inv(x), _SINGULAR, x)


def _solve(a: Any, b: Any) -> Any:
    return _told(jnp.linalg.solve(a, b), _SINGULAR, a, b)


def slogdet(x: Any) -> tuple[Any, Any]:
    return tuple(jnp.linalg.slogdet(x))


# Newer versions differentiate eigenvectors, which is asked for by name.
_EIG = {"enable_eigvec_derivs"} & inspect.signature(jax.lax.linalg.eig).parameters.keys()


def eig(x: Any) -> tuple[Any, Any]:
    options = dict.fromkeys(_EIG, True)
    return tuple(jax.lax.linalg.eig(x, compute_left_eigenvectors=False, **options))


def eigh(x: Any) -> tuple[Any, Any]:
    return tuple(jnp.linalg.eigh(_square(x)))


def qr(x: Any, mode: str) -> tuple[Any, Any]:
    return tuple(jnp.linalg.qr(x, mode))


def svd(x: Any, full_matrices: bool, compute_uv: bool) -> Any:
    out = jnp.linalg.svd(x, full_matrices, compute_uv)
    return tuple(out) if compute_uv else out


def lu_factor(x: Any) -> tuple[Any, Any]:
    lu, pivots, _ = jax.lax.linalg.lu(x)
    return lu, pivots


def _solve_triangular(a: Any, b: Any, lower: bool) -> Any:
    batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = jnp.broadcast_to(a, (*batch, *a.shape[-2:]))
    b = jnp.broadcast_to(b, (*batch, *b.shape[-2:]))
    out = jax.lax.linalg.triangular_solve(a, b, left_side=True, lower=lower)
    return _told(out, _SINGULAR, a, b)


def _pinv(x: Any, rcond: float) -> Any:
    return jnp.linalg.pinv(x, rcond)
