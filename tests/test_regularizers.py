"""Regularizers against their formulas, on every backend; Keras reads their configs."""

import numpy as np
import pytest

from kerasish import backends, ops, regularizers
from kerasish.core.symbolic import KerasTensor
from kerasish.core.transforms import value_and_grad
from kerasish.errors import InvalidArgument, NotDefined, ShapeError
from tests.peer import keras_peer

W = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.5]], "float32")


def cosines(rows):
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return [abs(a @ b) for i, a in enumerate(rows) for b in rows[:i]]


CASES = [
    (regularizers.L1(0.1), 0.1 * 8),
    (regularizers.L2(0.2), 0.2 * (1 + 4 + 0.25 + 9 + 2.25)),
    (regularizers.L1L2(0.1, 0.2), 0.8 + 3.3),
    (regularizers.L1L2(l2=0.2), 3.3),
    (regularizers.L1L2(), 0.0),
    (regularizers.OrthogonalRegularizer(0.3), 0.3 * np.mean(cosines(W))),
    (regularizers.OrthogonalRegularizer(0.3, "columns"), 0.3 * np.mean(cosines(W.T))),
]


@pytest.mark.parametrize("regularizer,want", CASES)
def test_value(backend, regularizer, want):
    assert float(regularizer(ops.convert_to_tensor(W))) == pytest.approx(want, rel=1e-5)


def test_gradient(backend):
    w = ops.convert_to_tensor(W)
    _, g = value_and_grad(lambda w: regularizers.L1L2(0.1, 0.2)(w), w)
    smooth = W != 0
    want = 0.1 * np.sign(W) + 0.4 * W
    np.testing.assert_allclose(np.asarray(backends.to_host(g))[smooth], want[smooth], rtol=1e-5)
    _, g = value_and_grad(lambda w: regularizers.OrthogonalRegularizer(1.0)(w), w)
    step = np.zeros_like(W, dtype=float)
    step[0, 1] = 1e-5
    numeric = (cosines(W + step)[0] - cosines(W - step)[0]) / 2e-5
    assert float(backends.to_host(g)[0, 1]) == pytest.approx(numeric, rel=1e-3)


def test_orthogonal_of_zeros_and_of_one_row(backend):
    for w in (np.zeros((3, 4), "float32"), W[:1]):
        value, g = value_and_grad(regularizers.OrthogonalRegularizer(), ops.convert_to_tensor(w))
        assert float(value) == 0 and np.all(np.isfinite(backends.to_host(g)))


def test_symbolic():
    assert regularizers.L1L2(0.1, 0.1)(KerasTensor((None, 3))).shape == ()


@pytest.mark.parametrize("name,cls", [
    ("l1", "L1"), ("L2", "L2"), ("l1_l2", "L1L2"), ("orthogonal_regularizer", "OrthogonalRegularizer"),
])  # fmt: skip
def test_get(name, cls):
    assert type(regularizers.get(name)).__name__ == cls
    assert regularizers.get(None) is None
    with pytest.raises(InvalidArgument):
        regularizers.get("l3")


@pytest.mark.parametrize("made", [r for r, _ in CASES])
def test_configs(made):
    config = regularizers.serialize(made)
    again = regularizers.deserialize(config)
    assert type(again) is type(made) and again.get_config() == made.get_config()
    theirs = keras_peer().regularizers.deserialize(config)
    assert type(theirs).__name__ == type(made).__name__
    x = np.asarray(W)
    if not (config["class_name"] == "OrthogonalRegularizer" and config["config"]["mode"] == "columns"):
        # (Keras' "columns" fails on matrices that are not square.)
        assert float(theirs(x)) == pytest.approx(float(made(x)), rel=1e-4)


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), "a", [1]])
def test_bad_factors(bad):
    for make in (regularizers.L1, regularizers.L2, lambda f: regularizers.L1L2(0.1, f),
                 regularizers.OrthogonalRegularizer):  # fmt: skip
        with pytest.raises(InvalidArgument, match="not negative"):
            make(bad)


def test_errors():
    with pytest.raises(InvalidArgument, match="rows"):
        regularizers.OrthogonalRegularizer(mode="diagonals")
    with pytest.raises(ShapeError, match="matrix"):
        regularizers.OrthogonalRegularizer()(np.ones((2, 3, 4), "float32"))
    with pytest.raises(NotDefined, match="get_config"):
        regularizers.Regularizer().get_config()
