import numpy as np
import scipy.linalg

from kerasish import ops
from tests.ops.case import case, x


def t(a):
    return ops.swapaxes(a, -1, -2)


def symmetric(a):
    return ops.add(a, t(a))


def definite(a):
    return ops.matmul(a, t(a)) + ops.eye(ops.shape(a)[-1], dtype=a.dtype)


def np_definite(a):
    return a @ a.mT + np.eye(a.shape[-1], dtype=a.dtype)


def regular(*batch_and_n):
    """Well-conditioned square matrices."""
    n = batch_and_n[-1]
    return x(*batch_and_n, n) + 3 * np.eye(n, dtype="float32")


def weighted(a):
    """A sum of columns that tells them apart and is not changed by their signs."""
    return ops.sum(ops.square(a) * ops.cumsum(ops.ones_like(a), axis=-1), axis=-1)


# Factorizations with one result.
for _shape in ((3, 3), (2, 3, 3), (2, 1, 4, 4)):
    case("cholesky", x(*_shape), ref=lambda a: np.linalg.cholesky(np_definite(a)),
         through=lambda f, a: f(definite(a)))
case("linalg.cholesky", x(2, 3, 3), ref=lambda a: np.linalg.cholesky(np_definite(a), upper=True),
     through=lambda f, a: f(definite(a), upper=True))
case("cholesky_inverse", regular(2, 3), ref=lambda a: np.linalg.inv(np.tril(a) @ np.tril(a).mT),
     through=lambda f, a: f(ops.tril(a)))
case("linalg.cholesky_inverse", regular(3), upper=True,
     ref=lambda a, upper: np.linalg.inv(np.triu(a).T @ np.triu(a)),
     through=lambda f, a, upper: f(ops.triu(a), upper=upper))
for _shape in ((3,), (2, 3), (2, 2, 4)):
    case("inv", regular(*_shape), ref=np.linalg.inv)
    case("det", regular(*_shape), ref=np.linalg.det, grad_tol=2e-3)
    case("slogdet", regular(*_shape), ref=np.linalg.slogdet)
case("linalg.inv", 2 * np.eye(2, dtype="int32"), ref=np.eye(2) / 2)
case("linalg.det", np.eye(2, dtype="int32"), ref=1.0)
case("linalg.slogdet", -regular(3), ref=np.linalg.slogdet)
# A singular matrix: the derivative of the determinant is the cofactors.
case("det", np.array([[1, 2, 3], [2, 4, 6], [1, 0, 1]], "float32"), ref=0.0, tol=1e-4,
     skip={"tensorflow": "its own gradient inverts the matrix", "torch": "its own is zero there"})

# Equations.
case("solve", regular(3), x(3, 2), ref=np.linalg.solve)
case("linalg.solve", regular(3), x(3), ref=np.linalg.solve)
case("solve", regular(2, 3), x(2, 3), ref=lambda a, b: np.linalg.solve(a, b[..., None])[..., 0])
case("solve", regular(2, 3), x(3, 2), ref=np.linalg.solve, symbolic=False)
case("solve", regular(2, 3), x(2, 3, 4), ref=np.linalg.solve)
case("solve", regular(2, 3), x(3, 3), ref=lambda a, b: np.linalg.solve(a, b[None]),
     through=lambda f, a, b: f(a, b[None]))
for _lower in (False, True):
    _cut = np.tril if _lower else np.triu
    case("solve_triangular", regular(3), x(3, 2), lower=_lower,
         ref=lambda a, b, lower, cut=_cut: np.linalg.solve(cut(a), b))
    case("solve_triangular", regular(2, 3), x(2, 3), lower=_lower,
         ref=lambda a, b, lower, cut=_cut: np.linalg.solve(cut(a), b[..., None])[..., 0])
case("linalg.solve_triangular", regular(2, 3), x(1, 3, 2), lower=True,
     ref=lambda a, b, lower: np.linalg.solve(np.tril(a), b))
for _m, _n in ((5, 3), (3, 5), (3, 3)):
    case("lstsq", x(_m, _n) * 2, x(_m, 2), tol=5e-4, grad_tol=1e-2,
         ref=lambda a, b: np.linalg.lstsq(a.astype("float64"), b, rcond=None)[0])
    case("pinv", x(_m, _n), tol=5e-4, grad_tol=1e-2,
         ref=lambda a: np.linalg.pinv(a.astype("float64")))
case("linalg.lstsq", x(2, 4, 3), x(2, 4), tol=5e-4, grad_tol=5e-3,
     ref=lambda a, b: np.stack([np.linalg.lstsq(p, q, rcond=None)[0]
                                for p, q in zip(a, b, strict=True)]))
case("lstsq", np.array([[1, 1], [1, 1], [0, 0]], "float32"), np.array([2, 2, 5], "float32"),
     ref=np.array([1.0, 1.0]), grad=False)  # deficient: the shortest solution
case("linalg.pinv", x(2, 4, 3), tol=1e-4, grad_tol=5e-3, ref=np.linalg.pinv)
case("pinv", np.diag([1.0, 1e-3]).astype("float32"), rcond=0.1, grad=False,
     ref=np.diag([1.0, 0.0]))
case("matrix_rank", np.array([[1, 2], [2, 4]], "float32"), ref=np.int32(1), grad=False)
case("matrix_rank", x(3, 4, 2), ref=lambda a: np.linalg.matrix_rank(a).astype("int32"), grad=False)
case("linalg.matrix_rank", np.diag([1.0, 0.1]).astype("float32"), 0.5, ref=np.int32(1),
     grad=False)


# Decompositions: what is put together again, and what no choice of signs changes.
def _lu(a):
    parts = [scipy.linalg.lu_factor(m) for m in a.reshape(-1, *a.shape[-2:])]
    lu, pivots = (np.stack([p[i] for p in parts]) for i in (0, 1))
    return lu.reshape(a.shape), pivots.reshape(*a.shape[:-2], -1).astype("int32")


case("lu_factor", x(4, 4), ref=_lu, grad_tol=2e-3)
case("linalg.lu_factor", x(2, 5, 5), ref=_lu, tol=1e-4, grad_tol=1e-2)
case("lu_factor", x(2, 3, 5), ref=_lu, grad=False, skip={"tensorflow": "tf.linalg.lu wants square"})
case("lu_factor", x(5, 3), ref=_lu, grad=False, skip={"tensorflow": "tf.linalg.lu wants square"})
case("lu_factor", np.zeros((2, 2), "float32") + np.eye(2, dtype="float32")[::-1], ref=_lu,
     grad=False)


def _qr_product(f, a, **kwargs):
    q, r = f(a, **kwargs)
    return ops.matmul(q, r)


def _qr_unique(f, a, **kwargs):
    q, r = f(a, **kwargs)
    return ops.abs(ops.diagonal(r, axis1=-2, axis2=-1)), ops.square(q), ops.square(r)


def _np_qr_unique(a, mode="reduced"):
    q, r = np.linalg.qr(a, mode)
    return np.abs(np.diagonal(r, axis1=-2, axis2=-1)), q**2, r**2


for _shape in ((3, 3), (4, 3), (2, 5, 3), (3, 4), (2, 2, 5)):
    case("qr", x(*_shape), through=_qr_product, ref=lambda a: a)
    case("linalg.qr", x(*_shape), through=_qr_unique, ref=_np_qr_unique, grad_tol=5e-3, tol=1e-4,
         skip={"tensorflow": "no gradient of wide matrices"} if _shape == (9, 9) else None)
case("qr", x(4, 2), mode="complete", through=_qr_product, ref=lambda a, mode: a, grad=False)
case("qr", x(2, 3, 3), mode="complete", through=_qr_product, ref=lambda a, mode: a)


def _eigh_parts(f, a):
    w, v = f(symmetric(a))
    return w, ops.matmul(v * w[..., None, :], t(v)), weighted(v)


def _np_eigh_parts(a):
    w, v = np.linalg.eigh(a + a.mT)
    return w, a + a.mT, np.sum(v**2 * np.arange(1, v.shape[-1] + 1), -1)


for _shape in ((2, 2), (4, 4), (2, 3, 3)):
    case("eigh", x(*_shape), through=_eigh_parts, ref=_np_eigh_parts, tol=5e-5, grad_tol=1e-2)
case("linalg.eigh", x(3, 3), through=lambda f, a: f(symmetric(a))[0],
     ref=lambda a: np.linalg.eigvalsh(a + a.T))


def _eig_parts(f, a):
    w, v = f(a)
    back = ops.matmul(v * w[..., None, :], ops.inv(v))
    sums = ops.sum(ops.square(w), axis=-1)
    return ops.real(back), ops.imag(back), ops.real(sums)


def _np_eig_parts(a):
    return a, 0 * a, np.trace(a @ a, axis1=-2, axis2=-1)


_eig_gradients = {"jax": "JAX differentiates eigenvalues only"}
case("eig", x(3, 3), through=_eig_parts, ref=_np_eig_parts, tol=1e-4, grad=False)
case("linalg.eig", x(2, 4, 4), through=_eig_parts, ref=_np_eig_parts, tol=1e-4, grad=False)
case("eig", regular(3), tol=1e-4, grad_tol=5e-3,
     through=lambda f, a: ops.real(ops.sum(ops.exp(f(a)[0] * 0.1), -1)),
     ref=lambda a: np.trace(scipy.linalg.expm(a * 0.1)))


def _svd_parts(f, a, full_matrices=False):
    u, s, vh = f(a, full_matrices=full_matrices)
    k = s.shape[-1]
    u, vh = u[..., :k], vh[..., :k, :]
    return ops.matmul(u * s[..., None, :], vh), s, weighted(u), weighted(t(vh))


def _np_svd_parts(a, full_matrices=False):
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    weights = np.arange(1, s.shape[-1] + 1)
    return a, s, np.sum(u**2 * weights, -1), np.sum(vh.mT**2 * weights, -1)


for _shape in ((3, 3), (4, 3), (3, 4), (2, 4, 2)):
    case("svd", x(*_shape), through=_svd_parts, ref=_np_svd_parts, tol=5e-5, grad_tol=1e-2)
    case("svd", x(*_shape), full_matrices=True, through=_svd_parts, ref=_np_svd_parts, tol=5e-5,
         grad=False)
    case("linalg.svd", x(*_shape), compute_uv=False,
         ref=lambda a, compute_uv: np.linalg.svd(a, compute_uv=False))
case("svd", x(4, 2), through=lambda f, a: [ops.matmul(t(m), m) for m in f(a)[::2]],
     ref=lambda a: [np.eye(4), np.eye(2)], grad=False)

# Norms.
_inf = float("inf")
for _ord in (None, 2, 1, 3, 0.5, _inf, -_inf, -1):
    case("norm", x(3, 4), ord=_ord, axis=1, ref=np.linalg.norm)
case("norm", np.array([[0, 1, 2], [0, 0, 1]], "float32"), ord=0, axis=1, ref=np.array([2.0, 1.0]),
     grad=False)
for _ord in (None, "fro", "nuc", 1, -1, 2, -2, _inf, -_inf):
    case("linalg.norm", x(3, 4), ord=_ord, ref=np.linalg.norm, tol=5e-5)
    case("norm", x(3, 2, 4), ord=_ord, axis=(0, 2), keepdims=True, ref=np.linalg.norm, tol=5e-5)
    case("norm", x(2, 3, 4), ord=_ord, axis=(-1, 0), ref=np.linalg.norm, tol=5e-5)
case("norm", x(2, 3, 4), ref=np.linalg.norm)
case("norm", x(5), keepdims=True, ref=np.linalg.norm)
case("norm", np.array([3, 4]), ref=5.0)
case("norm", np.zeros(3, "float32"), ref=0.0, grad=False)
