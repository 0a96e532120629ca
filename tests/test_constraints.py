"""Constraints against what they promise, on every backend; Keras reads their configs."""

import numpy as np
import pytest

from kerasish import backends, constraints
from kerasish.errors import InvalidArgument
from tests.peer import keras_peer

W = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32") * np.array([0.1, 1, 5, 0.5, 2], "float32")


def apply(constraint, w=W):
    return np.asarray(backends.to_host(constraint(backends.active.convert(w))))


def norms(w, axis):
    return np.sqrt(np.sum(np.square(w.astype(float)), axis=axis, keepdims=True))


@pytest.mark.parametrize("axis", [0, -1, [0, 1], (0, 1, 2)])
def test_norms(backend, axis):
    axes = tuple(axis) if isinstance(axis, list) else axis
    before = norms(W, axes)
    got = apply(constraints.MaxNorm(1.5, axis=axis))
    np.testing.assert_allclose(norms(got, axes), np.minimum(before, 1.5), rtol=1e-5)
    np.testing.assert_allclose(got / W, np.broadcast_to(np.minimum(1, 1.5 / before), W.shape), rtol=1e-5)
    np.testing.assert_allclose(norms(apply(constraints.UnitNorm(axis)), axes), 1, rtol=1e-5)
    got = apply(constraints.MinMaxNorm(1.0, 2.0, rate=0.25, axis=axis))
    want = 0.75 * before + 0.25 * np.clip(before, 1, 2)
    np.testing.assert_allclose(norms(got, axes), want, rtol=1e-5)


def test_non_negative(backend):
    np.testing.assert_array_equal(apply(constraints.NonNeg()), np.maximum(W, 0))
    np.testing.assert_array_equal(apply(constraints.Constraint()), W)


def test_zeros_stay_zeros(backend):
    zeros = np.zeros((3, 2), "float32")
    for c in (constraints.MaxNorm(), constraints.UnitNorm(), constraints.MinMaxNorm(0.5)):
        assert not apply(c, zeros).any()


CASES = [
    constraints.MaxNorm(3, axis=[0, 1]), constraints.NonNeg(), constraints.UnitNorm(1),
    constraints.MinMaxNorm(0.1, 0.9, 0.5, 1),
]  # fmt: skip


@pytest.mark.parametrize("made", CASES)
def test_configs(made):
    config = constraints.serialize(made)
    again = constraints.deserialize(config)
    assert type(again) is type(made) and again.get_config() == made.get_config()
    theirs = keras_peer().constraints.deserialize(config)
    np.testing.assert_allclose(apply(made), np.asarray(theirs(W)), rtol=1e-5)


def test_get():
    assert constraints.get("max_norm").max_value == 2 and constraints.get(None) is None
    assert isinstance(constraints.get("NonNeg"), constraints.NonNeg)
    with pytest.raises(InvalidArgument, match="max_norm"):
        constraints.get("maxnorm_")
