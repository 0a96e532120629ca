"""State, functional use, compilation, names, configs: what all metrics share."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import kerasish
from kerasish import backends, config, metrics, ops
from tests.peer import keras_peer

rng = np.random.default_rng(0)
P = rng.uniform(0.02, 0.98, (12, 4)).astype("float32")
PROB = P / P.sum(-1, keepdims=True)
BIN = (rng.random((12, 4)) > 0.5).astype("float32")
CLASS = rng.integers(0, 4, 12).astype("int32")
HOT = np.eye(4, dtype="float32")[CLASS]
WEIGHTS = rng.uniform(0.5, 2, 12).astype("float32")
ROW = rng.uniform(0.02, 0.98, 12).astype("float32")
BITS = (rng.random(12) > 0.4).astype("int32")
GUESS = rng.integers(0, 4, 12).astype("int32")

# metric: (arguments, labels, predictions)
CASES = {
    "AUC": ({"num_thresholds": 20}, BITS, ROW),
    "Accuracy": ({}, CLASS, GUESS),
    "BinaryAccuracy": ({"threshold": 0.4}, BIN, P),
    "BinaryCrossentropy": ({"label_smoothing": 0.1}, BIN, P),
    "BinaryIoU": ({"target_class_ids": [0, 1], "threshold": 0.4}, BITS, ROW),
    "CategoricalAccuracy": ({}, HOT, PROB),
    "CategoricalCrossentropy": ({}, HOT, PROB),
    "CategoricalHinge": ({}, HOT, P),
    "ConcordanceCorrelation": ({}, BIN + P, P),
    "CosineSimilarity": ({}, BIN + P, P),
    "F1Score": ({"average": "weighted"}, HOT, PROB),
    "FBetaScore": ({"beta": 2.0, "threshold": 0.5}, BIN, P),
    "FalseNegatives": ({}, BITS, ROW),
    "FalsePositives": ({"thresholds": [0.7, 0.2]}, BITS, ROW),
    "Hinge": ({}, BIN, P),
    "IoU": ({"num_classes": 4, "target_class_ids": [1, 3]}, CLASS, GUESS),
    "KLDivergence": ({}, PROB, P),
    "LogCoshError": ({}, BIN, P),
    "MeanAbsoluteError": ({}, BIN, P),
    "MeanAbsolutePercentageError": ({}, BIN + 1, P),
    "MeanIoU": ({"num_classes": 4}, CLASS, GUESS),
    "MeanSquaredError": ({}, BIN, P),
    "MeanSquaredLogarithmicError": ({}, BIN, P),
    "OneHotIoU": ({"num_classes": 4, "target_class_ids": [0, 2]}, HOT, PROB),
    "OneHotMeanIoU": ({"num_classes": 4}, HOT, PROB),
    "PearsonCorrelation": ({}, BIN + P, P),
    "Poisson": ({}, BIN, P),
    "Precision": ({"thresholds": 0.3}, BITS, ROW),
    "PrecisionAtRecall": ({"recall": 0.6, "num_thresholds": 30}, BITS, ROW),
    "R2Score": ({}, BIN, P),
    "Recall": ({"top_k": 2, "class_id": 1}, HOT, PROB),
    "RecallAtPrecision": ({"precision": 0.6, "num_thresholds": 30}, BITS, ROW),
    "RootMeanSquaredError": ({}, BIN, P),
    "SensitivityAtSpecificity": ({"specificity": 0.6, "num_thresholds": 30}, BITS, ROW),
    "SparseCategoricalAccuracy": ({}, CLASS, PROB),
    "SparseCategoricalCrossentropy": ({}, CLASS, PROB),
    "SparseTopKCategoricalAccuracy": ({"k": 2}, CLASS, PROB),
    "SpecificityAtSensitivity": ({"sensitivity": 0.6, "num_thresholds": 30}, BITS, ROW),
    "SquaredHinge": ({}, BIN, P),
    "TopKCategoricalAccuracy": ({"k": 2}, HOT, PROB),
    "TrueNegatives": ({}, BITS, ROW),
    "TruePositives": ({}, BITS, ROW),
}
each = pytest.mark.parametrize("name", CASES)


def make(name, module=metrics):
    return getattr(module, name)(**CASES[name][0])


def host(x):
    return np.asarray(backends.to_host(x))


def updated(metric, name, weights=None, parts=(5, 4, 3)):
    """The metric after the batches of its case."""
    _, y_true, y_pred = CASES[name]
    start = 0
    for n in parts:
        piece = slice(start, start + n)
        metric.update_state(
            y_true[piece], y_pred[piece], None if weights is None else weights[piece]
        )
        start += n
    return metric


@each
@pytest.mark.parametrize("weighted", [False, True])
def test_keras_agrees(name, weighted, backend):
    if weighted and "IoU" in name:
        pytest.skip("Keras truncates fractional weights to integers in its IoU metrics")
    keras = keras_peer()
    weights = WEIGHTS if weighted else None
    mine, theirs = make(name), make(name, keras.metrics)
    assert mine.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")
    got = host(updated(mine, name, weights).result())
    want = np.asarray(updated(theirs, name, weights).result())
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-5)
    for v, w in zip(mine.variables, theirs.variables, strict=True):
        assert (v.name, v.shape) == (w.name, tuple(w.shape))
        if v.name == "num_samples":  # Keras counts the outputs of a sample as samples
            continue
        np.testing.assert_allclose(v.numpy(), np.asarray(w), rtol=2e-5, atol=1e-5)


@each
def test_batches_add_up(name, backend):
    """However the data are cut into batches, the result is the same."""
    whole = host(updated(make(name), name, WEIGHTS, (12,)).result())
    np.testing.assert_allclose(
        host(updated(make(name), name, WEIGHTS).result()), whole, rtol=2e-5, atol=1e-6
    )


@each
def test_reset(name, backend):
    metric = updated(make(name), name)
    before = host(metric.result())
    metric.reset_state()
    assert all(not v.numpy().any() for v in metric.variables)
    assert not host(metric.result()).any()
    np.testing.assert_allclose(host(updated(metric, name).result()), before, rtol=1e-6)


@each
def test_stateless(name, backend):
    _, y_true, y_pred = CASES[name]
    metric, reference = updated(make(name), name), updated(make(name), name)
    before = [v.numpy() for v in metric.variables]
    state = metric.stateless_reset_state()
    assert all(not host(v).any() for v in state)
    state = metric.stateless_update_state([v.value for v in metric.variables], y_true, y_pred)
    for old, v in zip(before, metric.variables, strict=True):
        np.testing.assert_array_equal(v.numpy(), old)
    reference.update_state(y_true, y_pred)
    np.testing.assert_allclose(
        host(metric.stateless_result(state)), host(reference.result()), rtol=1e-5
    )
    with pytest.raises(ValueError, match="variables, got"):
        metric.stateless_result(state[:-1])


@each
def test_compiled(name, backend):
    """Inside a compiled function, where labels have no values."""
    _, y_true, y_pred = CASES[name]
    metric, reference = make(name), make(name)
    if hasattr(metric, "build"):
        metric.build(y_true.shape, y_pred.shape)

    def step(y_true, y_pred, weights):
        metric.update_state(y_true, y_pred, sample_weight=weights)
        return ops.sum(metric.result())

    compiled = backends.active.compile(step, metric.variables)
    for piece in (slice(0, 6), slice(6, 12), slice(0, 3)):
        args = [ops.convert_to_tensor(a[piece]) for a in (y_true, y_pred, WEIGHTS)]
        got = compiled(*args)
        reference.update_state(*[a[piece] for a in (y_true, y_pred, WEIGHTS)])
        np.testing.assert_allclose(host(got), host(reference.result()).sum(), rtol=1e-4, atol=1e-6)
    for v, w in zip(metric.variables, reference.variables, strict=True):
        np.testing.assert_allclose(v.numpy(), w.numpy(), rtol=1e-5)


@each
def test_moves_between_backends(name):
    metric = make(name)
    _, y_true, y_pred = CASES[name]
    for i, one in enumerate(kerasish.config.available_backends()):
        with config.backend_scope(one):
            metric.update_state(y_true[3 * i : 3 * i + 3], y_pred[3 * i : 3 * i + 3])
    n = 3 * len(kerasish.config.available_backends())
    reference = make(name)
    reference.update_state(y_true[:n], y_pred[:n])
    np.testing.assert_allclose(
        host(metric.result()), host(reference.result()), rtol=2e-5, atol=1e-6
    )


@each
def test_configs_are_read_by_keras_and_back(name):
    keras = keras_peer()
    mine = make(name)
    config = metrics.serialize(mine)
    theirs = keras.metrics.deserialize(config)
    assert type(theirs).__name__ == name
    again = metrics.deserialize(keras.metrics.serialize(theirs))
    assert type(again) is type(mine)
    want = {k: v for k, v in mine.get_config().items() if v is not None}
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in again.get_config().items()
            if v is not None} == want  # fmt: skip


@each
def test_copies_are_apart(name, backend):
    metric = updated(make(name), name)
    before = host(metric.result())
    for twin in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        np.testing.assert_allclose(host(twin.result()), before, rtol=1e-6)
        twin.reset_state()
        np.testing.assert_allclose(host(metric.result()), before, rtol=1e-6)


@each
def test_half_precision_predictions(name, backend):
    """Predictions of a mixed-precision model are measured in float32."""
    _, y_true, y_pred = CASES[name]
    if y_pred.dtype != "float32":
        return
    metric = make(name)
    metric.update_state(y_true, ops.cast(y_pred, "bfloat16"))
    assert backends.active.dtype_of(metric.result()) == "float32"
    reference = make(name)
    rounded = host(ops.cast(ops.cast(y_pred, "bfloat16"), "float32"))
    reference.update_state(y_true, rounded)
    np.testing.assert_allclose(
        host(metric.result()), host(reference.result()), rtol=3e-2, atol=3e-2
    )


def test_every_public_metric_is_tested():
    classes = {n for n in metrics.__all__ if n[0].isupper()}
    assert classes - {"Metric", "Mean", "Sum", "MeanMetricWrapper"} == set(CASES)


def test_state_in_attributes_lists_and_dicts(backend):
    class Many(metrics.Metric):
        def __init__(self):
            super().__init__(name="many")
            self.first = self.add_weight(name="first")
            self.nested = metrics.Mean(name="inner")
            self.listed = [metrics.Sum(name="listed"), (metrics.Sum(name="deep"),)]
            self.named = {"a": self.add_variable((2,), "ones", dtype="int32", name="ints")}
            self.again = self.first

        def update_state(self, x):
            self.first.assign(self.first + 1)
            self.nested.update_state(x)
            self.listed[0].update_state(x)

        def result(self):
            return {"n": self.first.value, "mean": self.nested.result()}

    metric = Many()
    assert [v.path for v in metric.variables] == [
        "many/first", "many/ints", "inner/total", "inner/count", "listed/total", "deep/total",
    ]  # fmt: skip
    assert not any(v.trainable for v in metric.variables)
    result = metric([1.0, 3.0])
    assert {k: float(host(v)) for k, v in result.items()} == {"n": 1.0, "mean": 2.0}
    state = metric.stateless_update_state([v.value for v in metric.variables], [5.0])
    assert [host(s).tolist() for s in state] == [2.0, [1, 1], 9.0, 3.0, 9.0, 0.0]


def test_a_metric_of_a_user_in_a_functional_step(backend):
    """One step written once: state in, state out."""
    metric = metrics.Mean()
    state = metric.stateless_reset_state()
    for batch in ([1.0, 2.0], [6.0]):
        state = metric.stateless_update_state(state, ops.convert_to_tensor(batch))
    assert float(host(metric.stateless_result(state))) == 3.0


def test_forgotten_super_is_told():
    class Bad(metrics.Metric):
        def __init__(self):
            self.total = self.add_weight(name="total")

    with pytest.raises(RuntimeError, match=r"super\(\).__init__"):
        Bad()
    with pytest.raises(TypeError, match="defines no update_state"):
        metrics.Metric().update_state()


def test_names():
    class TopScore(metrics.Metric):
        pass

    first, second = TopScore(), TopScore()
    assert first.name == "top_score" and second.name == "top_score_1"
    assert metrics.Mean("loss").variables[0].path == "loss/total"
    assert metrics.Mean(name="top/5").variables[0].path == "top_5/total"
    assert repr(metrics.Mean()) == "<Mean name=mean>"


def test_get():
    assert metrics.get(None) is None
    assert isinstance(metrics.get("mse"), metrics.MeanSquaredError)
    assert isinstance(metrics.get("AUC"), metrics.AUC)
    assert isinstance(metrics.get("auc"), metrics.AUC)
    assert isinstance(metrics.get("accuracy"), metrics.Accuracy)
    assert isinstance(metrics.get("f1_score"), metrics.F1Score)
    assert isinstance(metrics.get(metrics.Mean), metrics.Mean)
    own = metrics.Mean()
    assert metrics.get(own) is own and metrics.get(min) is min
    with pytest.raises(ValueError, match="Unknown metric 'acuracy'.*accuracy"):
        metrics.get("acuracy")
    with pytest.raises(ValueError):
        metrics.get(5)


def test_a_metric_that_waits_for_its_first_batch_can_be_stateless(backend):
    metric = metrics.F1Score()
    state = metric.stateless_update_state([], HOT, PROB)
    state = metric.stateless_update_state(state, HOT, PROB)
    once = metrics.F1Score()
    np.testing.assert_allclose(host(metric.stateless_result(state)), host(once(HOT, PROB)))
