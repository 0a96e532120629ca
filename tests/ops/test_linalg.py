"""What the case table cannot say: complex matrices, second derivatives, degenerate inputs."""

import numpy as np
import pytest

from kerasish import backends, config, ops
from kerasish.errors import GradientError, KerasishError, ShapeError


@pytest.fixture(autouse=True)
def _double():
    config.set_floatx("float64")


def _definite(a):
    return a @ np.conj(np.swapaxes(a, -1, -2)) + 2 * np.eye(a.shape[-1])


def _abs2(z, weights):
    return np.sum((np.real(z) ** 2 + np.imag(z) ** 2) * weights)


def _grams(*parts):
    """Sums that no choice of the vectors' phases changes."""
    return sum(_abs2(p, np.arange(1, p.shape[-1] + 1) + np.arange(p.shape[-2])[:, None] / 3)
               for p in parts)


def _weigh(w):
    return np.sum(np.real(w) * np.arange(1, w.shape[-1] + 1))


def _mix(z):
    return np.sum(np.real(z) * 0.7 + np.imag(z) * 1.3)


def _product(a, b):
    return _mix((a @ b) * (a @ b))


def _of(parts, *shape):
    """A loss of the complex results `parts(z)`, as a function of the real and imaginary parts."""
    return lambda re, im: parts(re + 1j * im), shape


COMPLEX = {
    "inv": _of(lambda z: _mix(np.linalg.inv(z)), 2, 3, 3),
    "solve": _of(lambda z: _mix(np.linalg.solve(z, z[..., :1] * 1j + 1)), 3, 3),
    "det": _of(lambda z: _mix(np.linalg.det(z)), 2, 3, 3),
    "slogdet": _of(lambda z: _mix(ops.slogdet(z)[0]) + 2 * np.sum(ops.slogdet(z)[1]), 3, 3),
    "cholesky": _of(lambda z: _mix(ops.cholesky(_definite(z))), 2, 3, 3),
    "eigh": _of(lambda z: _weigh(ops.eigh(_definite(z))[0]) + _grams(ops.eigh(_definite(z))[1]),
                3, 3),
    "eig": _of(lambda z: _mix(np.exp(ops.eig(z)[0])) + _grams(ops.eig(z)[1]) / 5, 3, 3),
    "svd": _of(lambda z: _weigh(ops.svd(z, False)[1]) + _grams(ops.svd(z, False)[0]), 4, 3),
    "svd wide": _of(lambda z: _grams(ops.swapaxes(ops.svd(z, False)[2], -1, -2)), 2, 4),
    "svd product": _of(lambda z: _product(ops.svd(z, False)[0], ops.svd(z, False)[2]), 3, 3),
    "qr": _of(lambda z: _grams(*ops.qr(z)), 4, 3),
    "qr product": _of(lambda z: _mix(ops.qr(z)[0][..., :2] @ ops.qr(z)[1][..., :2, :]), 3, 3),
    "pinv": _of(lambda z: _mix(ops.pinv(z)), 4, 2),
    "pinv wide": _of(lambda z: _mix(ops.pinv(z)), 2, 4),
    "lu_factor": _of(lambda z: _mix(ops.lu_factor(z)[0]), 2, 3, 3),
    "norm": _of(lambda z: np.sum(ops.norm(z, axis=-1)), 2, 3),
    "fft": _of(lambda z: _mix(np.fft.fft(z) * np.fft.ifft(z) + np.fft.fft(z, 6)[..., :5]), 2, 5),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLEX)
def test_gradients_of_complex_matrices(name):
    """The NumPy tape against central differences."""
    loss, shape = COMPLEX[name]
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal(shape) for _ in range(2)]
    directions = [rng.standard_normal(shape) for _ in range(2)]
    with config.backend_scope("numpy"):
        _, grads = backends.active.value_and_grad(lambda *p: (loss(*p), None), [], parts)
        ends = [
            float(loss(*(p + s * 1e-6 * d for p, d in zip(parts, directions, strict=True))))
            for s in (1, -1)
        ]
    slope = sum(np.sum(g * d) for g, d in zip(grads, directions, strict=True))
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=2e-5, atol=2e-5)


def _eig_vectors(a):
    w, v = ops.eig(a)
    size = ops.real(v) ** 2 + ops.imag(v) ** 2
    return ops.sum(ops.real(w) * ops.sum(size * np.array([[1.0], [2.0], [5.0]]), axis=0))


def test_eigenvectors_of_real_matrices_have_gradients():
    rng = np.random.default_rng(3)
    a = rng.standard_normal((3, 3)) + np.diag([1.0, 4.0, 8.0])  # three real eigenvalues
    d = rng.standard_normal((3, 3))
    with config.backend_scope("numpy"):
        _, (g,) = backends.active.value_and_grad(lambda a: (_eig_vectors(a), None), [], [a])
        numeric = (float(_eig_vectors(a + 1e-6 * d)) - float(_eig_vectors(a - 1e-6 * d))) / 2e-6
    np.testing.assert_allclose(np.sum(g * d), numeric, rtol=1e-5)


SECOND = {
    "inv": lambda a: ops.sum(ops.inv(a) ** 2),
    "det": lambda a: ops.det(a) ** 2,
    "slogdet": lambda a: ops.slogdet(a)[1] ** 2,
    "lu_factor": lambda a: ops.sum(ops.lu_factor(a)[0] ** 2),
    "solve": lambda a: ops.sum(ops.solve(a, a[:, :1] ** 2) ** 2),
    "solve_triangular": lambda a: ops.sum(ops.solve_triangular(a, a[:, :2]) ** 2),
    "cholesky": lambda a: ops.sum(ops.cholesky(a @ ops.transpose(a)) ** 3),
    "logdet": lambda a: ops.logdet(a @ ops.transpose(a)) ** 2,
    "eigh": lambda a: ops.sum(ops.eigh(a + ops.transpose(a))[0] ** 3),
    "svd": lambda a: ops.sum(ops.svd(a, compute_uv=False) ** 3),
    "svd vectors": lambda a: ops.sum(ops.svd(a)[0][:, 0] ** 4),
    "qr": lambda a: ops.sum(ops.qr(a)[0] ** 4 + ops.qr(a)[1] ** 4),
    "pinv": lambda a: ops.sum(ops.pinv(a[:, :2]) ** 2),
    "nuclear norm": lambda a: ops.norm(a, "nuc") ** 2,
    "logsumexp": lambda a: ops.sum(ops.logsumexp(a, axis=1) ** 2),
    "erf": lambda a: ops.sum(ops.erf(a) ** 2 + ops.erfinv(a / 9) ** 3),
    "segment_max": lambda a: ops.sum(ops.segment_max(a, np.array([0, 1, 0]), 2) ** 3),
    "segment_prod": lambda a: ops.sum(ops.segment_prod(a, np.array([0, 1, 0]), 2) ** 2),
    "rfft": lambda a: ops.sum(ops.square(ops.rfft(a, 4)[0] * ops.rfft(a, 4)[1])),
    "stft": lambda a: ops.sum(ops.stft(ops.reshape(a, (-1,)), 4, 2, 4)[0] ** 3),
}


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives(name, backend):
    """A directional derivative of the gradient, itself by gradient and by differences."""
    if backend == "torch" and name == "segment_prod":
        pytest.skip("torch cannot: its gradient of a scattered product has none itself")
    loss = SECOND[name]
    rng = np.random.default_rng(1)
    a = (rng.standard_normal((3, 3)) + np.diag([3.0, 2.0, 4.0])).astype("float32")
    d = rng.standard_normal((3, 3)).astype("float32")

    def slope(a):
        (_, _), (g,) = backends.active.value_and_grad(lambda a: (loss(a), None), [], [a])
        return ops.sum(ops.multiply(g, ops.cast(d, backends.active.dtype_of(g))))

    _, (second,) = backends.active.value_and_grad(lambda a: (slope(a), None), [], [a])
    with config.backend_scope("numpy"):
        a, d = a.astype("float64"), d.astype("float64")
        numeric = (float(slope(a + 1e-5 * d)) - float(slope(a - 1e-5 * d))) / 2e-5
    got = np.sum(np.asarray(backends.to_host(second), "float64") * d)
    np.testing.assert_allclose(got, numeric, rtol=5e-3, atol=5e-3)


def test_degenerate_spectra_have_finite_gradients():
    """Symmetric functions of a spectrum are smooth where eigenvalues meet."""
    with config.backend_scope("numpy"):
        def spectral(a):
            w, v = ops.eigh(a)
            return ops.sum(ops.exp(w)) + ops.sum(v @ ops.transpose(v)), None

        _, (g,) = backends.active.value_and_grad(spectral, [], [np.eye(3)])
        np.testing.assert_allclose(g, np.e * np.eye(3))
        _, (g,) = backends.active.value_and_grad(lambda a: (ops.norm(a, "nuc"), None), [], [np.eye(3)])
        np.testing.assert_allclose(g, np.eye(3), atol=1e-12)


def test_norm_and_distance_have_gradient_zero_at_zero(backend):
    zero = np.zeros((2, 3), "float32")
    for loss in (lambda a: ops.norm(a), lambda a: ops.sum(ops.cdist(a, a))):
        _, (g,) = backends.active.value_and_grad(lambda a, loss=loss: (loss(a), None), [], [zero])
        np.testing.assert_array_equal(backends.to_host(g), zero)


def test_what_has_no_gradient_says_so():
    rng = np.random.default_rng(0)
    tall, wide = rng.standard_normal((4, 2)), rng.standard_normal((2, 4))
    with config.backend_scope("numpy"):
        for loss, a, hint in (
            (lambda a: ops.sum(ops.svd(a)[0]), tall, "full_matrices=False"),
            (lambda a: ops.sum(ops.qr(a, "complete")[0]), tall, "reduced"),
            (lambda a: ops.sum(ops.lu_factor(a)[0]), wide, "square"),
        ):
            with pytest.raises(GradientError, match=hint):
                backends.active.value_and_grad(lambda a, loss=loss: (loss(a), None), [], [a])


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "cholesky", "eig", "eigh", "lu_factor",
                                  "qr", "svd"])
def test_vectors_are_refused(name, backend):
    with pytest.raises((ValueError, KerasishError)):
        getattr(ops, name)(np.ones(3, "float32"))


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "cholesky", "eig", "eigh"])
def test_oblong_matrices_are_refused(name, backend):
    with pytest.raises(ValueError, match=name):
        getattr(ops, name)(np.ones((2, 3), "float32"))
    with pytest.raises(ShapeError):
        from kerasish.core.symbolic import KerasTensor

        getattr(ops, name)(KerasTensor((None, 2, 3)))


def test_factors_solve_equations(backend):
    """The packed LU is LAPACK's: rows exchanged one after the other."""
    config.set_floatx("float32")
    a = np.random.default_rng(0).standard_normal((2, 5, 5)).astype("float32")
    lu, pivots = (backends.to_host(p) for p in ops.lu_factor(a))
    for m, f, p in zip(a, lu, pivots, strict=True):
        for i, j in enumerate(p):
            m[[i, j]] = m[[j, i]]
        np.testing.assert_allclose((np.tril(f, -1) + np.eye(5)) @ np.triu(f), m, atol=1e-5)
