"""Sums and means, weights and masks."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish
from kerasish import backends, errors, losses, metrics, ops
from kerasish.layers import masking
from tests.peer import keras_peer

V = np.arange(6, dtype="float32").reshape(2, 3)


def host(x):
    return np.asarray(backends.to_host(x))


def masked(x, mask):
    x = ops.convert_to_tensor(np.array(x, "float32"))
    masking.set_mask(x, ops.convert_to_tensor(np.array(mask, bool)))
    return x


def test_mean(backend):
    m = metrics.Mean()
    assert float(host(m.result())) == 0.0
    m.update_state([1, 3, 5, 7])
    assert float(host(m.result())) == 4.0
    m.update_state(4.0, sample_weight=4)
    assert float(host(m.result())) == 4.0
    m.reset_state()
    m.update_state([1.0, 3.0, 5.0, 7.0], sample_weight=[1, 1, 0, 0])
    assert float(host(m.result())) == 2.0
    m.reset_state()
    m.update_state(V)
    assert [v.numpy().tolist() for v in m.variables] == [5.0, 2.0]


def test_sum(backend):
    m = metrics.Sum()
    m.update_state(V)
    m.update_state(V, sample_weight=[1.0, 2.0])
    m.update_state(2.0)
    assert float(host(m.result())) == 15 + 3 + 24 + 2


def test_a_result_does_not_change_later(backend):
    for m in (metrics.Sum(), metrics.TruePositives()):
        args = ([1.0],) if isinstance(m, metrics.Sum) else ([1], [0.9])
        m.update_state(*args)
        first = m.result()
        m.update_state(*args)
        assert float(host(first)) == 1.0 and float(host(m.result())) == 2.0


@pytest.mark.parametrize("weights", [
    None, 2.0, [1.0, 2.0], [[1.0], [2.0]], [[1.0, 0, 2], [0, 1, 1]], 3, [True, False],
])  # fmt: skip
@pytest.mark.parametrize("cls", ["Mean", "Sum"])
def test_keras_agrees(cls, weights, backend):
    keras = keras_peer()
    mine, theirs = getattr(metrics, cls)(), getattr(keras.metrics, cls)()
    for values in (V, V[:, :, None] * np.ones(2, "float32"), V + 1):
        mine.update_state(values, sample_weight=weights)
        theirs.update_state(values, sample_weight=weights)
    for v, w in zip(mine.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(v.numpy(), np.asarray(w), rtol=1e-6)


def test_one_weight_for_a_scalar_loss(backend):
    """What a trainer does: the mean loss of a batch, weighted by its size."""
    m = metrics.Mean(name="loss")
    for loss, n in ((2.0, 32), (5.0, 16)):
        m.update_state(ops.convert_to_tensor(loss), sample_weight=n)
    np.testing.assert_allclose(host(m.result()), 3.0)


def test_empty_batches(backend):
    m = metrics.Mean()
    m.update_state(np.zeros((0, 3), "float32"))
    m.update_state([3.0])
    assert float(host(m.result())) == 3.0


def test_masks(backend):
    mask = [[1, 1, 0], [1, 0, 0]]
    m = metrics.Mean()
    m.update_state(masked(V, mask))
    np.testing.assert_allclose(host(m.result()), (0 + 1 + 3) / 3)
    y_pred = masked(V[..., None] * np.ones(2), mask)
    for metric in (metrics.MeanSquaredError(), metrics.RootMeanSquaredError()):
        metric.update_state(np.zeros((2, 3, 2), "float32"), y_pred)
        squared = isinstance(metric, metrics.RootMeanSquaredError)
        np.testing.assert_allclose(
            host(metric.result()), (10 / 3) ** (0.5 if squared else 1), rtol=1e-6
        )
    metric = metrics.MeanSquaredError()
    metric.update_state(np.zeros((2, 3, 2), "float32"), y_pred, sample_weight=[1.0, 2.0])
    np.testing.assert_allclose(host(metric.result()), (1 + 2 * 9) / 4, rtol=1e-6)


def test_masked_confusion(backend):
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    y_true = np.array([[1, 0, 1], [1, 1, 0]])
    y_pred = [[0.9, 0.8, 0.7], [0.1, 0.9, 0.8]]
    for cls in (metrics.Precision, metrics.Recall, metrics.AUC, metrics.BinaryIoU):
        with_mask, without = cls(), cls()
        with_mask.update_state(y_true, masked(y_pred, mask))
        without.update_state(y_true[mask], np.array(y_pred)[mask])
        np.testing.assert_allclose(host(with_mask.result()), host(without.result()), rtol=1e-6)


def test_weights_that_do_not_fit_are_told(backend):
    with pytest.raises(errors.ShapeError, match=r"sample_weight has shape \(4,\)"):
        metrics.Mean().update_state(V, sample_weight=np.ones(4))


def test_wrapper(backend):
    def distance(y_true, y_pred, scale=1.0):
        return ops.abs(ops.convert_to_tensor(y_true) - ops.convert_to_tensor(y_pred)) * scale

    m = metrics.MeanMetricWrapper(distance, name="distance", scale=2.0)
    assert float(host(m([1.0, 2.0], [0.0, 5.0]))) == 4.0
    kerasish.saving.register_keras_serializable("tests")(distance)
    again = metrics.deserialize(metrics.serialize(m))
    assert float(host(again([1.0, 2.0], [0.0, 5.0]))) == 4.0
    whole = metrics.MeanMetricWrapper(losses.MeanSquaredError(), name="mse")
    whole.update_state([[1.0]], [[3.0]])
    assert float(host(whole.result())) == 4.0


def test_ignored_class(backend):
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], "float32")
    m = metrics.SparseCategoricalCrossentropy(ignore_class=-1)
    m.update_state([0, -1, 1], p)
    np.testing.assert_allclose(host(m.result()), -(np.log(0.7) + np.log(0.2)) / 2, rtol=1e-6)


def test_unknown_batch_size_in_tensorflow():
    tf = pytest.importorskip("tensorflow")
    with kerasish.config.backend_scope("tensorflow"):
        m, reference = metrics.Mean(), metrics.Mean()
        traced = tf.function(
            lambda v: m.update_state(v), autograph=False,
            input_signature=[tf.TensorSpec([None, None], "float32")],
        )  # fmt: skip
        [v.value for v in m.variables]
        for values in (V, V[:1]):
            traced(values)
            reference.update_state(values)
        np.testing.assert_allclose(host(m.result()), host(reference.result()))
