"""Plain NumPy functions inside a gradient, as they stand in a user's own layer."""

import numpy as np
import pytest

from kerasish import backends, config
from kerasish.errors import GradientError

rng = np.random.default_rng(0)
A = rng.uniform(0.4, 2.0, (3, 4))
B = rng.uniform(0.4, 2.0, (4,))
MASK = rng.integers(0, 2, (3, 4)).astype(bool)
BIG_MASK = rng.integers(0, 2, (60, 50)).astype(bool)


def holes(a):
    return np.where(MASK, np.nan, a)


FUNCTIONS = {
    "exp": lambda a, b: np.exp(a) * b,
    "log family": lambda a, b: np.log(a) + np.log2(b) + np.log10(a) + np.log1p(b),
    "exp family": lambda a, b: np.exp2(a) + np.expm1(b),
    "roots": lambda a, b: np.sqrt(a) + np.cbrt(b) + np.reciprocal(a),
    "trigonometry": lambda a, b: np.sin(a) * np.cos(b) + np.tan(a / 2) + np.arctan(a),
    "inverse": lambda a, b: np.arcsin(a / 3) + np.arccos(b / 3) + np.arctanh(a / 3),
    "hyperbolic": lambda a, b: np.sinh(a) + np.cosh(b) + np.tanh(a) + np.arcsinh(b),
    "arccosh": lambda a, b: np.arccosh(a + 1) * b,
    "angles": lambda a, b: np.deg2rad(a) + np.degrees(b) + np.arctan2(a, b) + np.hypot(a, b),
    "abs": lambda a, b: np.abs(a - 1.1) + np.fabs(b - 1.1) + np.positive(a),
    "power": lambda a, b: a**b + a**2 + a**0.5 + 2**b + np.power(a, -1.5),
    "division": lambda a, b: a / b + 1 / a + np.mod(a, b) + np.fmod(b, 0.7),
    "extremes": lambda a, b: np.maximum(a, b) + np.minimum(a, 1.0) + np.fmax(a, b) * np.fmin(a, b),
    "clip": lambda a, b: np.clip(a, 0.7, b) + np.clip(b, 0.8, None) + a.clip(0.5, 1.5),
    "where": lambda a, b: np.where(MASK, a * a, b) + np.where(a > 1, 0.0, a),
    "large where": lambda a, b: np.where(BIG_MASK, a[0, 0] ** 3, b[0]),
    "logaddexp": lambda a, b: np.logaddexp(a, b) + np.logaddexp2(a, b),
    "sinc": lambda a, b: np.sinc(a) + np.i0(b),
    "copysign": lambda a, b: np.copysign(a, -b) + np.ldexp(a, 2),
    "heaviside": lambda a, b: np.heaviside(a - a, a) * b,
    "nan": lambda a, b: np.nansum(holes(a), 1) + np.nanmean(holes(a)) + np.nan_to_num(a)[:, 0],
    "nan extremes": lambda a, b: np.nanmax(holes(a)) + np.nanmin(holes(a), axis=1),
    "rounding": lambda a, b: a * np.floor(a * 3) + np.ceil(b) * b + np.round(a) * a + np.sign(a) * a,
    "sum": lambda a, b: np.sum(a * b, axis=0) + np.sum(b) + a.sum(axis=(0, 1), keepdims=True),
    "sum where": lambda a, b: np.sum(a * a, axis=1, where=MASK) * np.mean(b),
    "mean": lambda a, b: np.mean(a * a, axis=-1, keepdims=True) + b.mean() + np.mean(a, (0, 1)),
    "var": lambda a, b: np.var(a, axis=0) + np.std(b) + np.var(a, axis=1, keepdims=True, ddof=1),
    "max": lambda a, b: np.max(a, axis=0) + np.min(b) + a.max() + np.amin(a, axis=1, keepdims=True),
    "ptp": lambda a, b: np.ptp(a, axis=0) * b,
    "reduce": lambda a, b: np.add.reduce(a, axis=1) + np.maximum.reduce(b),
    "prod": lambda a, b: np.prod(a, axis=0) + np.prod(b) + np.prod(a - a[0, 0], axis=1, keepdims=True),
    "cumulative": lambda a, b: np.cumsum(a, axis=1) + np.cumprod(a, axis=0) + np.cumsum(b),
    "cumprod of zeros": lambda a, b: np.cumprod(a - a[:, 1:2], axis=1) * b,
    "matmul": lambda a, b: a @ b + np.matmul(np.ones(3), a) @ b,
    "complex": lambda a, b: np.abs(np.exp(1j * a) + b) + np.angle(a + 1j * b) + np.real(1j * a * (b + 1j)),
    "imag": lambda a, b: np.imag((a + 1j * b) ** 2) + np.conj(a + 2j * b).imag,
    "cast": lambda a, b: a.astype("float32").astype("float64") * b,
    "through integers": lambda a, b: a.astype("int32") * b,
}  # fmt: skip


def tolerance(name):
    return 1e-2 if name == "cast" else 1e-5


def total(f):
    """A nonlinear sum of the results, so that second derivatives are not zero."""
    return lambda *args: np.sum(np.sin(f(*args)))


def gradients(f, *args):
    return backends.load("numpy").value_and_grad(lambda *v: (f(*v), None), [], args)[1]


def differences(f, args, i, direction, step):
    ends = []
    for sign in (1, -1):
        moved = list(args)
        moved[i] = args[i] + sign * step * direction
        ends.append(f(*moved))
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_derivative(name):
    f = total(FUNCTIONS[name])
    with config.backend_scope("numpy"):
        grads = gradients(f, A, B)
        for i, x in enumerate((A, B)):
            assert grads[i].shape == x.shape and grads[i].dtype == x.dtype
            direction = rng.standard_normal(x.shape)
            step = 1e-2 if name == "cast" else 1e-6
            numeric = differences(f, (A, B), i, direction, step)
            tol = tolerance(name)
            np.testing.assert_allclose(np.sum(grads[i] * direction), numeric, rtol=tol, atol=tol)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivative(name):
    f = total(FUNCTIONS[name])
    direction = rng.standard_normal(A.shape)

    def slope(a, b):
        return np.sum(gradients(f, a, b)[0] * direction)

    with config.backend_scope("numpy"):
        seconds = gradients(slope, A, B)
        for i, x in enumerate((A, B)):
            along = rng.standard_normal(x.shape)
            step = 1e-2 if name == "cast" else 1e-5
            numeric = differences(slope, (A, B), i, along, step)
            tol = max(tolerance(name), 1e-4)
            np.testing.assert_allclose(np.sum(seconds[i] * along), numeric, rtol=tol, atol=tol)


def test_float32_stays_float32():
    a, b = A.astype("float32"), B.astype("float32")
    for name, f in FUNCTIONS.items():
        for g, x in zip(gradients(total(f), a, b), (a, b), strict=True):
            assert g.dtype == x.dtype, name


def test_choice_by_bits_is_exact():
    """Large selections work on bits: NaN, infinities and -0.0 pass or vanish as with np.where."""
    from kerasish.backends.numpy.rules import choose

    special = np.array([np.nan, np.inf, -np.inf, -0.0, 1.0, 0.0])
    for dtype in ("float16", "float32", "float64", "int8", "int64", "complex64"):
        with np.errstate(invalid="ignore"):
            a = rng.choice(special, (60, 50)).astype(dtype)
            b = rng.choice(special, 50).astype(dtype)
        got, want = choose(BIG_MASK, a, b), np.where(BIG_MASK, a, b)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
        if want.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


def test_a_function_without_a_rule_says_so():
    with pytest.raises(GradientError, match="no gradient rule"):
        gradients(lambda a: np.sum(np.frexp(a)[0]), A)


def test_a_value_kept_from_an_ended_gradient_can_be_used():
    import kerasish as keras

    kept = []
    with config.backend_scope("numpy"):
        v = keras.Variable([1.0, 2.0])

        def loss():
            kept.append(keras.ops.exp(v))
            return keras.ops.sum(kept[-1])

        _, first = keras.value_and_grad(loss, [v])
        outside = keras.ops.stop_gradient(keras.ops.sum(kept[0] * 2))
        np.testing.assert_allclose(outside, 2 * np.exp([1.0, 2.0]).sum(), rtol=1e-6)
        # In a later gradient it is a constant.
        _, later = keras.value_and_grad(lambda: keras.ops.sum(kept[0] * v), [v])
    np.testing.assert_allclose(first[0], np.exp([1.0, 2.0]), rtol=1e-6)
    np.testing.assert_allclose(later[0], np.exp([1.0, 2.0]), rtol=1e-6)


def test_logsumexp_of_huge_numbers_shares_its_gradient():
    import kerasish as keras

    with config.backend_scope("numpy"):
        x = keras.Variable([1e8, 1e8, 0.0])
        gradient = keras.grad(lambda: keras.ops.logsumexp(x), x)
        assert gradient.tolist() == [0.5, 0.5, 0.0]
