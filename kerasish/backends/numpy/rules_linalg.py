"""Gradient rules of linear algebra.

Where a function is not holomorphic the rules are those of the literature (Giles 2008; Townsend
2016; Wan and Zhang 2019; Roberts and Roberts 2020), in terms of the conjugate cotangent, for which
dL = Re(sum(conj(G) * dz)); `_conjugate` passes from the tape's g to G and back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish.backends.numpy import linalg as own
from kerasish.backends.numpy.tape import Shares, defvjp, nograd, strip, unbroadcast
from kerasish.errors import GradientError


def _t(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _h(x: Any) -> Any:
    return _t(np.conj(x)) if x.dtype.kind == "c" else _t(x)


def _conj(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


def _conjugate(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Makes of a rule for the conjugate cotangents of all results one for the tape's."""

    def wrapper(g: Any, ans: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(g, Shares):
            shares = [
                np.zeros(part.shape, part.dtype) if share is None else _conj(share)
                for share, part in zip(g, ans, strict=True)
            ]
        else:
            shares = _conj(g)
        out = _conj(rule(shares, ans, x, *args, **kwargs))
        return np.real(out) if out.dtype.kind == "c" and x.dtype.kind != "c" else out

    return wrapper


def _diagonal(x: Any) -> Any:
    return np.diagonal(x, axis1=-2, axis2=-1)


def _eye(x: Any) -> Any:
    return np.eye(x.shape[-1], dtype=x.dtype)


def _inverse_differences(w: Any) -> Any:
    """1 / (w_j - w_i), and 0 for equal ones: right for all that depends on their span only."""
    difference = w[..., None, :] - w[..., :, None]
    equal = strip(difference) == 0
    one = np.ones((), difference.dtype)
    return np.where(equal, 0 * one, one) / np.where(equal, one, difference)


# Holomorphic functions: the tape's convention needs plain transposes only.
defvjp(np.linalg.inv, lambda g, ans, x: -_t(ans) @ g @ _t(ans))


def _solve_a(g: Any, ans: Any, a: Any, b: Any) -> Any:
    gb = np.linalg.solve(_t(a), g)
    if b.ndim == 1:
        return unbroadcast(-gb[..., :, None] * ans[..., None, :], a)
    return unbroadcast(-gb @ _t(ans), a)


defvjp(
    np.linalg.solve,
    _solve_a,
    lambda g, ans, a, b: unbroadcast(np.linalg.solve(_t(a), g), b),
)


def _cofactors(x: Any, det: Any) -> Any:
    """The derivative of the determinant, for singular matrices from their SVD."""
    if np.all(strip(det) != 0):
        return _t(np.linalg.inv(x)) * det[..., None, None]
    u, s, vh = np.linalg.svd(x)
    others = np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]).astype(s.dtype)
    phase = np.linalg.det(u) * np.linalg.det(vh)
    return _conj(u * np.prod(others, axis=-1)[..., None, :] @ vh * _conj(phase)[..., None, None])


defvjp(np.linalg.det, lambda g, ans, x: g[..., None, None] * _cofactors(x, ans))


@_conjugate
def _slogdet(g: Any, ans: Any, x: Any) -> Any:
    sign, log = g
    inverse = _h(np.linalg.inv(x))
    if x.dtype.kind != "c":
        return log[..., None, None] * inverse
    turn = np.imag(np.conj(sign) * ans[0])
    return (log - 1j * turn)[..., None, None] * inverse


defvjp(np.linalg.slogdet, _slogdet)


@_conjugate
def _cholesky(g: Any, ans: Any, x: Any, *, upper: bool = False) -> Any:
    factor, g = (_h(ans), _h(g)) if upper else (ans, g)
    half = np.tril(np.ones(x.shape[-2:], x.dtype)) - 0.5 * _eye(x)
    adjoint = _h(factor)
    s = np.linalg.solve(adjoint, (adjoint @ g) * half)
    s = _h(np.linalg.solve(adjoint, _h(s)))
    return (s + _h(s)) * 0.5


defvjp(np.linalg.cholesky, _cholesky)


@_conjugate
def _eigh(g: Any, ans: Any, x: Any, UPLO: str = "L") -> Any:
    gw, gv = g
    w, v = ans
    inner = _inverse_differences(w) * (_h(v) @ gv)
    out = (v * gw[..., None, :] + v @ inner) @ _h(v)
    return (out + _h(out)) * 0.5


defvjp(np.linalg.eigh, _eigh)

def _eigvalsh(g: Any, ans: Any, x: Any, UPLO: Any = "L") -> Any:
    return _eigh(Shares([g, None]), np.linalg.eigh(x, UPLO), x)


defvjp(np.linalg.eigvalsh, _eigvalsh)


@_conjugate
def _eig(g: Any, ans: Any, x: Any) -> Any:
    gw, gv = g
    w, v = ans
    # The columns of v keep their length, so the part of their motion along themselves is taken out.
    inner = _h(v) @ gv
    inner = inner - _h(v) @ v * np.real(_diagonal(inner))[..., None, :]
    inner = _inverse_differences(_conj(w)) * inner + gw[..., None, :] * _eye(v)
    return np.linalg.solve(_h(v), inner @ _h(v))


defvjp(own.eig, _eig)



@_conjugate
def _svd(g: Any, ans: Any, x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        u, _, vh = np.linalg.svd(x, False)
        return u * g[..., None, :] @ vh
    m, n = x.shape[-2:]
    k = min(m, n)
    (gu, gs, gvh), (u, s, vh) = g, ans
    if full_matrices and m != n:
        if np.any(strip(gu)[..., k:]) or np.any(strip(gvh)[..., k:, :]):
            raise GradientError(
                f"The SVD of a {m} x {n} matrix has no gradient with respect to its extra "
                "singular vectors. Use svd(x, full_matrices=False)."
            )
        gu, u, gvh, vh = gu[..., :k], u[..., :k], gvh[..., :k, :], vh[..., :k, :]
    v, gv = _h(vh), _h(gvh)
    inverse = 1 / s
    f = _inverse_differences(s * s)
    du, dv = _h(u) @ gu, _h(v) @ gv
    inner = f * (du - _h(du)) * s[..., None, :] + s[..., :, None] * f * (dv - _h(dv))
    inner = inner + gs[..., None, :] * np.eye(k, dtype=s.dtype)
    if x.dtype.kind == "c":
        inner = inner + 1j * (np.imag(_diagonal(du)) * inverse)[..., None, :] * _eye(u)
    out = u @ inner @ vh
    if m > k:
        out = out + ((gu - u @ du) * inverse[..., None, :]) @ vh
    if n > k:
        out = out + u @ (inverse[..., :, None] * _h(gv - v @ dv))
    return out


defvjp(np.linalg.svd, _svd)
defvjp(np.linalg.svdvals, lambda g, ans, x: _svd(g, ans, x, compute_uv=False))


def _qr_tall(gq: Any, gr: Any, q: Any, r: Any) -> Any:
    inner = r @ _h(gr) - _h(gq) @ q
    lower = np.tril(np.ones(inner.shape[-2:], q.dtype), -1)
    inner = inner * lower + _h(inner * lower) + np.real(_diagonal(inner))[..., None, :] * _eye(r)
    return _h(np.linalg.solve(r, _h(gq + q @ inner)))


@_conjugate
def _qr(g: Any, ans: Any, x: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete"):
        raise GradientError(f"np.linalg.qr has no gradient in mode {mode!r}. Use 'reduced'.")
    (gq, gr), (q, r) = g, ans
    m, n = x.shape[-2:]
    if m >= n:
        if mode == "complete" and m > n:
            raise GradientError(
                f"The complete QR decomposition of a {m} x {n} matrix has no gradient: its extra "
                "columns are arbitrary. Use mode='reduced'."
            )
        return _qr_tall(gq, gr, q, r)
    # Wide: the first m columns decide q, the others are q times theirs in r.
    left = _qr_tall(gq + x[..., m:] @ _h(gr[..., m:]), gr[..., :m], q, r[..., :m])
    return np.concatenate([left, q @ gr[..., m:]], -1)


defvjp(np.linalg.qr, _qr)


def _rows(pivots: Any, m: int) -> np.ndarray:
    """The order of rows that a sequence of exchanges makes."""
    order = np.broadcast_to(np.arange(m), (*pivots.shape[:-1], m)).copy()
    for k in range(pivots.shape[-1]):
        p = pivots[..., k : k + 1]
        here, there = order[..., k : k + 1].copy(), np.take_along_axis(order, p, -1)
        np.put_along_axis(order, p, here, -1)
        order[..., k : k + 1] = there
    return order


@_conjugate
def _lu(g: Any, ans: Any, x: Any) -> Any:
    m, n = x.shape[-2:]
    if m != n:
        raise GradientError(
            f"lu_factor has a gradient on the NumPy backend for square matrices, got {m} x {n}."
        )
    lu, pivots = ans
    g = g[0]
    lower, upper = np.tril(lu, -1) + _eye(x), np.triu(lu)
    inner = np.tril(_h(lower) @ np.tril(g, -1), -1) + np.triu(np.triu(g) @ _h(upper))
    out = np.linalg.solve(_h(lower), inner)
    out = _h(np.linalg.solve(upper, _h(out)))
    back = np.argsort(_rows(strip(pivots), m), axis=-1)
    return np.take_along_axis(out, back[..., None], -2)


defvjp(own.lu_factor, _lu)


@_conjugate
def _pinv(g: Any, ans: Any, x: Any, rcond: Any = None, hermitian: bool = False, **_: Any) -> Any:
    p, ph, gh = ans, _h(ans), _h(g)
    left = gh @ p @ ph
    right = ph @ p @ gh
    return left - x @ (p @ left) + right - (right @ p) @ x - ph @ g @ ph


defvjp(np.linalg.pinv, _pinv)
nograd(np.linalg.matrix_rank)
