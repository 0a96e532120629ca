"""Gradients where functions have corners: one convention on the four engines.

Equal arguments of a maximum or minimum share the gradient equally; clipping passes it on at the
bounds; the slope of |x| and of the rectifiers is 0 at 0; what is 0/0 only by formula is 0.
"""

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, losses, ops, regularizers

INF, NAN = np.inf, np.nan
HALF = np.sqrt(0.5)
ROWS = [
    ("abs", ops.abs, [[-1.0, 0, 2]], [[-1, 0, 1]]),
    ("maximum", ops.maximum, [[1.0, 2, 0], [1, 1, 3]], [[0.5, 1, 0], [0.5, 0, 1]]),
    ("minimum", ops.minimum, [[1.0, 2, 0], [1, 1, 3]], [[0.5, 0, 1], [0.5, 1, 0]]),
    ("maximum with 0", lambda x: ops.maximum(x, 0.0), [[0.0, 1, -1]], [[0.5, 1, 0]]),
    ("fmax", ops.fmax, [[1.0, 2, NAN], [1, 1, 3]], [[0.5, 1, 0], [0.5, 0, 1]]),
    ("fmin", ops.fmin, [[1.0, 2, NAN], [1, 1, 3]], [[0.5, 0, 0], [0.5, 1, 1]]),
    ("max", ops.max, [[1.0, 2, 2, 0]], [[0, 0.5, 0.5, 0]]),
    ("min", ops.min, [[1.0, 2, 1, 1]], [[1 / 3, 0, 1 / 3, 1 / 3]]),
    ("max, axis", lambda x: ops.amax(x, axis=0), [[[1.0, 2], [1, 0]]], [[[0.5, 1], [0.5, 0]]]),
    ("max, initial", lambda x: ops.max(x, initial=2.0), [[1.0, 2, 0]], [[0, 0.5, 0]]),
    ("min, initial", lambda x: ops.min(x, initial=-2.0), [[1.0, 2, 0]], [[0, 0, 0]]),
    ("clip", lambda x: ops.clip(x, -1.0, 1.0), [[-2.0, -1, 0, 1, 2]], [[0, 1, 1, 1, 0]]),
    ("clip, bound", lambda x, low: ops.clip(x, low, 1.0), [[-2.0, -1, 0, 2], -1.0],
     [[0, 1, 1, 0], 1]),
    ("relu", ops.relu, [[-1.0, 0, 1]], [[0, 0, 1]]),
    ("relu6", ops.relu6, [[0.0, 1, 6]], [[0, 1, 0]]),
    ("leaky_relu", ops.leaky_relu, [[-1.0, 0, 1]], [[0.2, 0.2, 1]]),
    ("scatter max", lambda x, u: ops.scatter_update(x, [[0], [1], [1]], u, reduction="max"),
     [[1.0, 1], [1, 2, 2]], [[0.5, 0], [0.5, 0.5, 0.5]]),
    ("power", lambda x: ops.power(x, 0.0), [[0.0, -1]], [[0, 0]]),
    ("powers", ops.power, [[0.0, 2], [0, 2]], [[0, 4], [0, 4 * np.log(2)]]),
    ("hypot", ops.hypot, [[0.0, 3, 3], [0, 4, 3]], [[0, 0.6, HALF], [0, 0.8, HALF]]),
    ("std", ops.std, [[2.0, 2, 2]], [[0, 0, 0]]),
    ("norm", ops.norm, [[0.0, 0]], [[0, 0]]),
    ("norm 1", lambda x: ops.norm(x, ord=1), [[0.0, 1]], [[0, 1]]),
    ("logaddexp", ops.logaddexp, [[1.0, -INF, 0], [1, -INF, -INF]], [[0.5, 0.5, 1], [0.5, 0.5, 0]]),
    ("cumprod", ops.cumprod, [[1.0, 0, 3, 4]], [[1, 16, 0, 0]]),
    ("prod", ops.prod, [[0.0, 2, 3]], [[6, 0, 0]]),
    ("fmod", ops.fmod, [[0.0, 5, -5], [3, 3, 3]], [[1, 1, 1], [0, -1, 1]]),
    ("var of nothing", ops.var, [[]], [[]]),
    ("std of nothing", lambda x: ops.std(x, axis=0), [np.zeros((0, 2))], [np.zeros((0, 2))]),
    ("floor_divide", ops.floor_divide, [[5.0, -5], [3, 3]], [[0, 0], [0, 0]]),
    ("sign", ops.sign, [[0.0, 1]], [[0, 0]]),
    ("L1", regularizers.L1(1.0), [[0.0, -1, 2]], [[0, -1, 1]]),
    ("absolute error", lambda y: losses.mean_absolute_error([[1.0, 2]], y), [[[1.0, 2]]], [[[0, 0]]]),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_corner(row, backend):
    _, function, args, want = row
    args = [np.asarray(a, "float32") for a in args]
    _, grads = backends.active.value_and_grad(lambda *xs: (ops.sum(function(*xs)), None), [], args)
    for g, w in zip(grads, want, strict=True):
        np.testing.assert_allclose(backends.to_host(g), w, rtol=1e-5, atol=1e-6)


# (function of x, values of x, its second derivatives there, the engines that lose them)
ROUGH = ("torch", "jax", "tensorflow")
SECOND = [
    ("sinc", ops.sinc, [0.0, 1e-4, 0.5], [-np.pi**2 / 3, -np.pi**2 / 3, 16 / np.pi - 2 * np.pi], ()),
    ("hard_sigmoid", ops.hard_sigmoid, [-4.0, 0, 4], [0, 0, 0], ()),
    ("logaddexp", lambda x: ops.logaddexp(x, [0.0, -1e30, 1e30, -INF]), [0.0, 0, 0, 1],
     [0.25, 0, 0, 0], ROUGH),
    ("power", lambda x: ops.power(x + 3.0, x), [0.0], [np.log(3) ** 2 + 2 / 3], ROUGH),
    ("prod", lambda x: ops.prod(ops.stack([x, x + 2.0, x + 3.0]), 0), [0.0], [10], ("tensorflow",)),
    ("segment_prod", lambda x: ops.segment_prod(ops.concatenate([x, x + 2.0, x + 3.0]), [0, 0, 0]),
     [0.0], [10], ("jax", "tensorflow")),
    ("segment_prod of two zeros", lambda x: ops.segment_prod(
        ops.concatenate([x, 2.0 * x, x + 3.0]), [0, 0, 0]), [0.0], [12], ROUGH),
]  # fmt: skip


@pytest.mark.parametrize("row", SECOND, ids=lambda row: row[0])
def test_second_derivative(row, backend, request):
    name, function, x, want, rough = row
    if backend in rough:  # tried all the same: when the engine learns it, this says so
        request.applymarker(pytest.mark.xfail(strict=True, reason=f"{backend}: {name} is lost"))

    def slope(x):
        _, (g,) = backends.active.value_and_grad(lambda y: (ops.sum(function(y)), None), [], [x])
        return ops.sum(g), None

    _, (got,) = backends.active.value_and_grad(slope, [], [np.asarray(x, "float32")])
    np.testing.assert_allclose(backends.to_host(got), want, rtol=2e-4, atol=1e-6)


def test_products_that_overflow():
    x = np.array([1e30, 1e30, 1e-30], "float32")
    for function, want in ((ops.prod, [1, 1, INF]), (lambda x: ops.cumprod(x)[2:], [1, 1, INF])):
        _, (got,) = backends.active.value_and_grad(
            lambda x, f=function: (ops.sum(f(x)), None), [], [x]
        )
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_l1_leaves_zero_weights_at_zero(backend):
    layer = keras.layers.Dense(1, kernel_initializer="zeros", kernel_regularizer="l1")
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(np.zeros((4, 2)), np.ones((4, 1)), verbose=0)
    np.testing.assert_array_equal(layer.get_weights()[0], 0.0)


@pytest.mark.parametrize("op", ["argmax", "argmin"])
def test_the_first_nan_is_the_extreme(op, backend):
    x = np.array([[1.0, NAN, INF, NAN], [3.0, 1.0, 4.0, 1.0]], "float32")
    for kwargs in ({"axis": 1}, {"axis": 0}, {}, {"axis": -1, "keepdims": True}):
        got = backends.to_host(getattr(ops, op)(x, **kwargs))
        np.testing.assert_array_equal(got, getattr(np, op)(x, **kwargs))
