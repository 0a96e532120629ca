"""Linear algebra on stacks of matrices: the last two axes are rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import backends
from kerasish.core.op import op
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.ops.control_flow import jvp
from kerasish.ops.core import cast, shape
from kerasish.ops.elementwise import finfo, safe_sqrt
from kerasish.ops.numpy import (
    absolute,
    conj,
    expand_dims,
    eye,
    greater,
    matmul,
    max,
    maximum,
    min,
    moveaxis,
    multiply,
    not_equal,
    power,
    real,
    squeeze,
    sum,
    swapaxes,
    where,
)  # fmt: skip

__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "jvp", "lstsq", "lu_factor",
    "matrix_rank", "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd",
]  # fmt: skip


def _hermitian(x: Any) -> Any:
    x = swapaxes(x, -1, -2)
    return conj(x) if "complex" in backends.active.dtype_of(x) else x


def _rounding(x: Any) -> Any:
    """max(m, n) times the resolution of the dtype: how far rounding moves a zero singular value,
    in units of the largest."""
    dtype = backends.active.dtype_of(x)
    epsilon = float(finfo(dtype).eps)
    m, n = shape(x)[-2:]
    if isinstance(m, int) and isinstance(n, int):
        return epsilon * (m if m > n else n)
    return multiply(cast(maximum(m, n), dtype), epsilon)  # in a TensorFlow graph


@op(float="x", wide=True)
def cholesky(x: Any, upper: bool = False) -> Any:
    """The Cholesky factor L of a positive definite matrix: x = L Lᴴ.

    Of another matrix it is an error; in functions compiled by JAX or TensorFlow, which cannot
    raise one for values, the factor is NaN.

    Args:
        x: shape `(..., n, n)`, symmetric (Hermitian).
        upper: whether to return Lᴴ, so that x = Uᴴ U.

    Returns:
        A triangular matrix of the shape of `x`.

    >>> import kerasish as keras
    >>> keras.ops.cholesky([[4.0, 2.0], [2.0, 5.0]]).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """


@op(float="x", wide=True, real=True)
def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of a positive definite matrix whose Cholesky factor is given.

    Args:
        x: a triangular factor as from `cholesky`, shape `(..., n, n)`.
        upper: whether the factor is upper triangular.

    >>> import kerasish as keras
    >>> keras.ops.cholesky_inverse([[2.0, 0.0], [0.0, 4.0]]).tolist()
    [[0.25, 0.0], [0.0, 0.0625]]
    """
    if len(x.shape) < 2:
        raise ShapeError(f"x must hold square matrices, got the shape {tuple(x.shape)}.")
    inverse = _solve_triangular(x, eye(shape(x)[-1], dtype=backends.active.dtype_of(x)), not upper)
    adjoint = _hermitian(inverse)
    return matmul(inverse, adjoint) if upper else matmul(adjoint, inverse)


@op(float="x", wide=True)
def det(x: Any) -> Any:
    """The determinant.

    Args:
        x: shape `(..., n, n)`.

    Returns:
        Shape `(...)`.

    >>> import kerasish as keras
    >>> float(keras.ops.det([[2.0, 0.0], [5.0, 3.0]]).round(4))
    6.0
    """


@op(float="x", wide=True)
def slogdet(x: Any) -> tuple[Any, Any]:
    """The sign and the logarithm of the absolute value of the determinant.

    Args:
        x: shape `(..., n, n)`.

    Returns:
        `(sign, logabsdet)`, both of shape `(...)`.

    >>> import kerasish as keras
    >>> sign, log = keras.ops.slogdet([[0.0, 1.0], [1.0, 0.0]])
    >>> float(sign), float(log)
    (-1.0, 0.0)
    """
    ...


@op(float="x", wide=True)
def eig(x: Any) -> tuple[Any, Any]:
    """Eigenvalues and right eigenvectors of a general square matrix.

    Args:
        x: shape `(..., n, n)`.

    Returns:
        `(w, v)`, complex: the eigenvalues, shape `(..., n)`, and unit eigenvectors as the columns
        of `v`, so that `x @ v = v * w`. Their order and the vectors' phases depend on the engine.

    >>> import kerasish as keras
    >>> w, v = keras.ops.eig([[2.0, 0.0], [0.0, 3.0]])
    >>> w.real.tolist()
    [2.0, 3.0]
    """
    ...


@op(float="x", wide=True)
def eigh(x: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors of a symmetric (Hermitian) matrix.

    Args:
        x: shape `(..., n, n)`; only symmetric matrices have a meaning.

    Returns:
        `(w, v)`: the eigenvalues in ascending order, shape `(..., n)`, and orthonormal
        eigenvectors as the columns of `v`, so that `x = (v * w) @ vᴴ`.

    >>> import kerasish as keras
    >>> w, v = keras.ops.eigh([[2.0, 1.0], [1.0, 2.0]])
    >>> w.round(4).tolist()
    [1.0, 3.0]
    """
    ...


@op(float="x", wide=True)
def inv(x: Any) -> Any:
    """The inverse of a square matrix.

    Of a singular matrix it is an error; in functions compiled by JAX, which cannot raise one for
    values, it is not finite. So for `solve` and `solve_triangular`.

    To apply an inverse to something, `solve` is faster and more accurate.

    Args:
        x: shape `(..., n, n)`.

    >>> import kerasish as keras
    >>> keras.ops.inv([[2.0, 0.0], [0.0, 4.0]]).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """


@op(float="x", wide=True)
def lu_factor(x: Any) -> tuple[Any, Any]:
    """The LU decomposition with row exchanges, packed as LAPACK and SciPy do.

    Args:
        x: shape `(..., m, n)`.

    Returns:
        `(lu, pivots)`: U in the upper triangle of `lu` and L, whose diagonal of ones is not
        stored, below it; int32 pivots of shape `(..., min(m, n))`: row i was exchanged with row
        `pivots[i]`, one after the other.

    >>> import kerasish as keras
    >>> lu, pivots = keras.ops.lu_factor([[1.0, 2.0], [2.0, 2.0]])
    >>> lu.tolist(), pivots.tolist()
    ([[2.0, 2.0], [0.5, 1.0]], [1, 1])
    """
    ...


@op(float="x", wide=True)
def qr(x: Any, mode: str = "reduced") -> tuple[Any, Any]:
    """The QR decomposition: orthonormal columns times an upper triangle.

    Args:
        x: shape `(..., m, n)`.
        mode: `"reduced"` for q of shape `(..., m, k)` and r of `(..., k, n)`, with k the lesser of
            m and n; `"complete"` for a square q.

    Returns:
        `(q, r)` with `x = q @ r`; the signs of r's rows depend on the engine.

    >>> import kerasish as keras
    >>> q, r = keras.ops.qr([[3.0, 1.0], [4.0, 2.0]])
    >>> (q @ r).round(4).tolist()
    [[3.0, 1.0], [4.0, 2.0]]
    """
    ...


@op(float="a b", wide=True)
def _solve(a: Any, b: Any) -> Any: ...


@op(float="a b", wide=True)
def _solve_triangular(a: Any, b: Any, lower: bool) -> Any: ...


def _with_columns(solver: Any, a: Any, b: Any, *options: Any) -> Any:
    """Calls a solver of matrix equations, with a vector `b` made one column."""
    if len(a.shape) < 2:
        raise ShapeError(f"a must hold square matrices, got the shape {tuple(a.shape)}.")
    if len(b.shape) < 2 < len(a.shape):
        raise ShapeError(
            f"b must hold vectors or columns for the matrices of shape {tuple(a.shape)}, got the "
            f"shape {tuple(b.shape)}."
        )
    n = a.shape[-1]
    columns = len(b.shape) > 1 and b.shape[-1] != n and b.shape[-2] == n  # the same for all of a
    if len(b.shape) == len(a.shape) - 1 and not columns:
        return squeeze(solver(a, expand_dims(b, -1), *options), -1)
    return solver(a, b, *options)


@op(float="a b")
def solve(a: Any, b: Any) -> Any:
    """The x of a x = b.

    Args:
        a: square matrices, shape `(..., n, n)`.
        b: right-hand sides: vectors, shape `(..., n)`, if `b` has one axis fewer than `a` (and
            fits so), else the columns of `(..., n, k)`.

    Returns:
        The shape of `b`.

    >>> import kerasish as keras
    >>> keras.ops.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 8.0]).tolist()
    [1.0, 2.0]
    """
    return _with_columns(_solve, a, b)


@op(float="a b")
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The x of a x = b for a triangular a; its other triangle is not read.

    Args:
        a: square matrices, shape `(..., n, n)`.
        b: right-hand sides as in `solve`.
        lower: whether `a` is lower triangular.

    >>> import kerasish as keras
    >>> keras.ops.solve_triangular([[2.0, 0.0], [1.0, 1.0]], [2.0, 3.0], lower=True).tolist()
    [1.0, 2.0]
    """
    return _with_columns(_solve_triangular, a, b, lower)


@op(float="x", wide=True)
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition x = (u * s) @ vh.

    Args:
        x: shape `(..., m, n)`; k is the lesser of m and n.
        full_matrices: whether u and vh are square, `(..., m, m)` and `(..., n, n)`, or
            `(..., m, k)` and `(..., k, n)`.
        compute_uv: whether to compute u and vh at all.

    Returns:
        `(u, s, vh)`, or s alone. The singular values come in descending order, shape `(..., k)`;
        the signs (phases) of the vectors depend on the engine.

    >>> import kerasish as keras
    >>> keras.ops.svd([[0.0, 2.0], [3.0, 0.0]], compute_uv=False).tolist()
    [3.0, 2.0]
    """


@op(float="x", wide=True)
def _pinv(x: Any, rcond: float) -> Any:
    u, s, vh = svd(x, False, True)
    large = greater(s, multiply(max(s, axis=-1, keepdims=True, initial=0), rcond))
    inverse = where(large, 1.0 / where(large, s, 1.0), 0.0)
    columns = multiply(_hermitian(vh), cast(expand_dims(inverse, -2), backends.active.dtype_of(x)))
    return matmul(columns, _hermitian(u))


@op(float="x")
def pinv(x: Any, rcond: float | None = None) -> Any:
    """The Moore-Penrose pseudo-inverse.

    Args:
        x: shape `(..., m, n)`.
        rcond: singular values up to this fraction of the largest count as zero; by default
            `10 * max(m, n)` times the resolution of the dtype.

    Returns:
        Shape `(..., n, m)`.

    >>> import kerasish as keras
    >>> keras.ops.pinv([[2.0, 0.0], [0.0, 0.0], [0.0, 4.0]]).round(4).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.0, 0.25]]
    """
    return _pinv(x, 10.0 * _rounding(x) if rcond is None else rcond)


@op(float="x", wide=True)
def matrix_rank(x: Any, tol: float | None = None) -> Any:
    """The rank: how many singular values are larger than a tolerance.

    Args:
        x: shape `(..., m, n)`.
        tol: the tolerance; by default the largest singular value times `max(m, n)` times the
            resolution of the dtype.

    Returns:
        int32 of shape `(...)`.

    >>> import kerasish as keras
    >>> int(keras.ops.matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    s = svd(x, False, False)
    if 0 in s.shape:
        return sum(cast(s, "int32"), axis=-1)
    if tol is None:
        tol = multiply(max(s, axis=-1, keepdims=True), _rounding(x))
    return sum(cast(greater(s, tol), "int32"), axis=-1)


@op(float="a b", wide=True)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """The x that makes |a x - b| least, and of all such x the shortest.

    Args:
        a: shape `(..., m, n)`.
        b: vectors, shape `(..., m)`, if `b` has one axis fewer than `a`, else the columns of
            `(..., m, k)`.
        rcond: singular values of `a` up to this fraction of the largest count as zero; by default,
            and if negative, `max(m, n)` times the resolution of the dtype.

    Returns:
        Shape `(..., n)` or `(..., n, k)`.

    >>> import kerasish as keras
    >>> a, b = [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0]
    >>> keras.ops.lstsq(a, b).round(3).tolist()
    [1.0, 2.0]
    """
    least = _rounding(a) if rcond is None or rcond < 0 else rcond
    return _with_columns(lambda a, b: matmul(_pinv(a, least), b), a, b)


@op(float="x")
def norm(
    x: Any, ord: Any = None, axis: int | Sequence[int] | None = None, keepdims: bool = False
) -> Any:
    """A norm of vectors or matrices.

    Args:
        x: the tensor.
        ord: for vectors `None` or 2 (Euclidean), `inf` and `-inf` (largest and smallest absolute
            value), 0 (how many are not zero), or any p, for the sum of the p-th powers to the
            power 1/p. For matrices `None` or `"fro"` (Frobenius), `"nuc"` (sum of the singular
            values), 2 and -2 (largest and smallest singular value), 1 and -1 (largest and
            smallest column sum of absolute values), `inf` and `-inf` (the same of rows).
        axis: one axis, for vectors, or two, for matrices; by default all axes of `x`, which is
            then a vector, a matrix or, where `ord` is `None`, of any rank.
        keepdims: whether to keep the reduced axes with size 1.

    >>> import kerasish as keras
    >>> float(keras.ops.norm([3.0, 4.0]))
    5.0
    """
    rank = len(x.shape)
    if axis is None:
        axes = tuple(range(rank))
        if ord is not None and rank > 2:
            raise ShapeError(
                f"ops.norm: ord={ord!r} is for vectors and matrices, x has the shape "
                f"{tuple(x.shape)}. Say which axes with axis=."
            )
    else:
        axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return safe_sqrt(sum(_square(x), axis=axes, keepdims=keepdims))
    if len(axes) == 1:
        return _vector_norm(absolute(x), ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise InvalidArgument(f"ops.norm: axis must name one or two axes for ord={ord!r}, got {axis}.")


def _square(x: Any) -> Any:
    complex_ = "complex" in backends.active.dtype_of(x)
    return real(multiply(x, conj(x))) if complex_ else multiply(x, x)


def _vector_norm(size: Any, ord: Any, axis: int, keepdims: bool) -> Any:
    if isinstance(ord, str):
        raise InvalidArgument(f"ops.norm: ord={ord!r} is not a norm of vectors.")
    if ord in (np.inf, -np.inf):
        return (max if ord > 0 else min)(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        counted = cast(not_equal(size, 0), backends.active.dtype_of(size))
        return sum(counted, axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum(size, axis=axis, keepdims=keepdims)
    return power(sum(power(size, ord), axis=axis, keepdims=keepdims), 1.0 / ord)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    rows, columns = axes
    if ord not in ("nuc", 1, -1, 2, -2, np.inf, -np.inf):
        raise InvalidArgument(
            f"ops.norm: ord={ord!r} is not a norm of matrices; use None, 'fro', 'nuc', 1, -1, 2, "
            "-2, inf or -inf."
        )
    x = moveaxis(x, (rows, columns), (-2, -1))
    if ord in ("nuc", 2, -2):
        s = svd(x, False, False)
        out = {"nuc": sum, 2: max, -2: min}[ord](s, axis=-1)
    else:
        sums = sum(absolute(x), axis=-2 if ord in (1, -1) else -1)
        out = (max if ord > 0 else min)(sums, axis=-1)
    if keepdims:
        rank = len(x.shape)
        for axis in sorted(a % rank for a in axes):
            out = expand_dims(out, axis)
    return out
