from __future__ import annotations

import numpy as np
import pytest

from kerasish import backends, config, ops, utils
from tests.peer import keras_peer


@pytest.mark.parametrize("labels, classes", [
    ([0, 2, 1], None), (np.array([[0], [2]]), 4), (np.array([[0, 1], [2, 1]]), None), ([], 3),
    (2, None), ([0.0, 1.0], None),
])  # fmt: skip
def test_to_categorical(labels, classes):
    got = utils.to_categorical(labels, classes)
    want = keras_peer().utils.to_categorical(labels, classes)
    assert isinstance(got, np.ndarray) and got.dtype == config.floatx()
    np.testing.assert_array_equal(got, want)


def test_to_categorical_of_tensors(backend):
    for classes in (None, 3):
        got = utils.to_categorical(ops.convert_to_tensor([[0], [2]]), classes)
        assert backends.active.owns(got)
        assert backends.to_host(got).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_to_categorical_of_bools():
    assert utils.to_categorical(np.array([True, False])).tolist() == [[0, 1], [1, 0]]


def test_to_categorical_errors():
    with pytest.raises(ValueError, match="got -1"):
        utils.to_categorical([0, -1])
    with pytest.raises(ValueError, match="from 0 to 2, got 5"):
        utils.to_categorical([0, 5], 3)
    with pytest.raises(ValueError, match="StringLookup"):
        utils.to_categorical(["a", "b"])
    with pytest.raises(ValueError, match="needs num_classes"):
        utils.to_categorical([])


@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_normalize(order, axis, backend):
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    want = x / np.linalg.norm(x, order, axis, keepdims=True)
    got = utils.normalize(x, axis, order)
    assert isinstance(got, np.ndarray) and got.dtype == x.dtype
    np.testing.assert_allclose(got, want)
    got = utils.normalize(ops.convert_to_tensor(x.astype("float32")), axis, order)
    np.testing.assert_allclose(backends.to_host(got), want, rtol=1e-5)


def test_normalize_zeros_and_integers():
    assert utils.normalize(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]
    got = utils.normalize(np.array([3, 4]))
    assert got.dtype == "float32" and got.tolist() == np.float32([0.6, 0.8]).tolist()
