"""Metrics against scikit-learn, SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasish import backends, metrics
from tests.peer import keras_peer

sk = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")
rng = np.random.default_rng(3)
N, C = 200, 5
LABEL = rng.integers(0, C, N)
SCORE = rng.random((N, C)).astype("float32")
SCORE[np.arange(N), LABEL] += 0.3
PROB = SCORE / SCORE.sum(-1, keepdims=True)
HOT = np.eye(C, dtype="float32")[LABEL]
W = rng.uniform(0.2, 2, N).astype("float32")
BITS = rng.integers(0, 2, N)
ROW = np.clip(rng.normal(0.35 + 0.3 * BITS, 0.25), 0, 1).astype("float32")
MULTI = (rng.random((N, 3)) > 0.5).astype("float32")
MULTI_P = np.clip(MULTI * 0.3 + rng.random((N, 3)) * 0.7, 0, 1).astype("float32")


def value(metric, *args, **kwargs):
    metric.update_state(*args, **kwargs)
    return np.asarray(backends.to_host(metric.result()))


def close(got, want, tol=1e-5):
    np.testing.assert_allclose(got, want, rtol=tol, atol=tol)


@pytest.mark.parametrize("w", [None, W], ids=["plain", "weighted"])
def test_accuracies(w, backend):
    best = SCORE.argmax(-1)
    want = sk.accuracy_score(LABEL, best, sample_weight=w)
    close(value(metrics.SparseCategoricalAccuracy(), LABEL, SCORE, w), want)
    close(value(metrics.SparseCategoricalAccuracy(), LABEL[:, None], SCORE, w), want)
    close(value(metrics.CategoricalAccuracy(), HOT, SCORE, w), want)
    close(value(metrics.Accuracy(), LABEL, best, w), want)
    close(value(metrics.BinaryAccuracy(), BITS, ROW, w),
          sk.accuracy_score(BITS, ROW > 0.5, sample_weight=w))  # fmt: skip
    for k in (1, 2, 5):
        want = sk.top_k_accuracy_score(LABEL, SCORE, k=k, sample_weight=w, labels=range(C))
        close(value(metrics.SparseTopKCategoricalAccuracy(k=k), LABEL, SCORE, w), want)
        close(value(metrics.TopKCategoricalAccuracy(k=k), HOT, SCORE, w), want)
        order = np.argsort(-SCORE, axis=-1)
        close(value(metrics.SparseTopKCategoricalAccuracy(k=k, from_sorted_ids=True),
                    LABEL, order, w), want)  # fmt: skip


def test_accuracy_of_sequences(backend):
    y, p = LABEL.reshape(20, 10), SCORE.reshape(20, 10, C)
    want = (p.argmax(-1) == y).astype("float32")
    for function in (metrics.sparse_categorical_accuracy, metrics.sparse_top_k_categorical_accuracy):
        k = {"k": 1} if "top" in function.__name__ else {}
        np.testing.assert_array_equal(backends.to_host(function(y, p, **k)), want)
        np.testing.assert_array_equal(backends.to_host(function(y[..., None], p, **k)), want)
    close(value(metrics.SparseCategoricalAccuracy(), y, p), want.mean())


def test_wrong_kinds_of_labels_are_told(backend):
    with pytest.raises(ValueError, match="use sparse_categorical_accuracy"):
        metrics.categorical_accuracy(LABEL, SCORE)
    with pytest.raises(ValueError, match="use categorical_accuracy"):
        metrics.sparse_categorical_accuracy(HOT, SCORE)
    with pytest.raises(ValueError, match="labels and predictions of one shape"):
        metrics.Precision().update_state(BITS, ROW[:-1])


@pytest.mark.parametrize("w", [None, W], ids=["plain", "weighted"])
def test_precision_and_recall(w, backend):
    for t in (0.3, 0.5):
        close(value(metrics.Precision(thresholds=t), BITS, ROW, w),
              sk.precision_score(BITS, ROW > t, sample_weight=w))  # fmt: skip
        close(value(metrics.Recall(thresholds=t), BITS, ROW, w),
              sk.recall_score(BITS, ROW > t, sample_weight=w))  # fmt: skip
        counts = sk.confusion_matrix(BITS, ROW > t, sample_weight=w).ravel()
        for name, want in zip(("TrueNegatives", "FalsePositives", "FalseNegatives",
                               "TruePositives"), counts, strict=True):  # fmt: skip
            close(value(getattr(metrics, name)(thresholds=t), BITS, ROW, w), want, 1e-4)


def test_many_thresholds_in_any_order(backend):
    thresholds = [0.9, 0.1, 0.5, 0.5, 0.0, 1.0]
    got = value(metrics.FalsePositives(thresholds=thresholds), BITS, ROW)
    assert got.tolist() == [((ROW > t) & (BITS == 0)).sum() for t in thresholds]
    assert metrics.FalsePositives(thresholds=thresholds).thresholds == thresholds


def test_predictions_on_a_threshold_are_not_above_it(backend):
    edges = np.array([0.0, 0.25, 0.5, 0.75, 1.0], "float32")
    ones = np.ones(5)
    got = value(metrics.TruePositives(thresholds=[0.0, 0.25, 0.5, 0.75, 1.0]), ones, edges)
    assert got.tolist() == [4, 3, 2, 1, 0]
    assert value(metrics.TruePositives(thresholds=0.5), ones, edges) == 2


def test_top_k_and_class(backend):
    y_true = np.array([[0, 1, 1, 0], [1, 0, 0, 1]])
    y_pred = np.array([[0.1, 0.9, 0.8, 0.2], [0.4, 0.3, 0.2, 0.1]], "float32")
    assert value(metrics.Precision(top_k=2), y_true, y_pred) == 3 / 4
    assert value(metrics.Recall(top_k=2), y_true, y_pred) == 3 / 4
    assert value(metrics.Precision(top_k=2, class_id=1), y_true, y_pred) == 1 / 2
    assert value(metrics.Recall(top_k=2, thresholds=0.5), y_true, y_pred) == 2 / 4
    assert value(metrics.Recall(class_id=0, thresholds=0.3), y_true, y_pred) == 1
    ties = np.full((1, 4), 0.5, "float32")
    assert value(metrics.Recall(top_k=2), np.ones((1, 4)), ties) == 1 / 2


@pytest.mark.parametrize("w", [None, W], ids=["plain", "weighted"])
def test_auc(w, backend):
    close(value(metrics.AUC(num_thresholds=5000), BITS, ROW, w),
          sk.roc_auc_score(BITS, ROW, sample_weight=w), 2e-3)  # fmt: skip
    close(value(metrics.AUC(num_thresholds=5000, curve="PR", summation_method="majoring"),
                BITS, ROW, w),
          sk.average_precision_score(BITS, ROW, sample_weight=w), 2e-2)  # fmt: skip
    by_label = [sk.roc_auc_score(MULTI[:, i], MULTI_P[:, i], sample_weight=w) for i in range(3)]
    multi = metrics.AUC(num_thresholds=5000, multi_label=True)
    close(value(multi, MULTI, MULTI_P, w), np.mean(by_label), 2e-3)
    weighted = metrics.AUC(num_thresholds=5000, multi_label=True, label_weights=[1, 0, 3])
    close(value(weighted, MULTI, MULTI_P, w), np.average(by_label, weights=[1, 0, 3]), 2e-3)


@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
@pytest.mark.parametrize("summation", ["interpolation", "minoring", "majoring"])
def test_keras_agrees_on_areas(curve, summation, backend):
    keras = keras_peer()
    both = []
    for module in (metrics, keras.metrics):
        values = []
        for options in (
            {"num_thresholds": 17}, {"thresholds": [0.3, 0.7, 0.5, 0.11]},
            {"multi_label": True, "num_thresholds": 9},
            {"multi_label": True, "num_labels": 3, "label_weights": [0.1, 2.0, 1.0]},
            {"label_weights": [0.1, 2.0, 1.0], "num_thresholds": 9},
        ):  # fmt: skip
            m = module.AUC(curve=curve, summation_method=summation, **options)
            m.update_state(MULTI, MULTI_P, sample_weight=W)
            values.append(np.asarray(backends.to_host(m.result())))
        m = module.AUC(curve=curve, summation_method=summation, from_logits=True)
        m.update_state(BITS, ROW * 6 - 3)
        both.append([*values, np.asarray(backends.to_host(m.result()))])
    close(both[0], both[1], 1e-4)


@pytest.mark.parametrize("name, given", [
    ("SensitivityAtSpecificity", 0.0), ("SensitivityAtSpecificity", 0.7),
    ("SpecificityAtSensitivity", 0.7), ("SpecificityAtSensitivity", 1.0),
    ("PrecisionAtRecall", 0.7), ("PrecisionAtRecall", 0.2),
    ("RecallAtPrecision", 0.7), ("RecallAtPrecision", 1.0),
])  # fmt: skip
def test_best_under_a_constraint(name, given, backend):
    best, _, constrained = name.lower().partition("at")
    best = 0.0
    for t in np.linspace(0, 1, 50):
        tn, fp, fn, tp = sk.confusion_matrix(BITS, ROW > np.float32(t)).ravel()
        rates = {
            "sensitivity": tp / (tp + fn), "recall": tp / (tp + fn), "specificity": tn / (tn + fp),
            "precision": tp / max(tp + fp, 1),
        }  # fmt: skip
        wanted, limit = name.lower().replace("at", " ", 1).split()
        if rates[limit] >= np.float32(given):
            best = max(best, rates[wanted])
    close(value(getattr(metrics, name)(given, num_thresholds=50), BITS, ROW), best)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(np.linspace(0, 1, 9).tolist())), min_size=1),
    st.lists(st.sampled_from(np.linspace(0, 1, 17).tolist()), min_size=2, max_size=9),
)
def test_counts_at_thresholds(pairs, thresholds):
    """Against the definition, with predictions that fall on thresholds."""
    y = np.array([a for a, _ in pairs])
    p = np.array([b for _, b in pairs], "float32")
    for name, wanted in (
        ("TruePositives", lambda above: above & y), ("FalsePositives", lambda above: above & ~y),
        ("TrueNegatives", lambda above: ~above & ~y), ("FalseNegatives", lambda above: ~above & y),
    ):  # fmt: skip
        got = value(getattr(metrics, name)(thresholds=thresholds), y, p)
        assert got.tolist() == [wanted(p > t).sum() for t in thresholds]


def test_bad_arguments_of_confusions():
    for make, message in (
        (lambda: metrics.Precision(thresholds=2.0), "between 0 and 1"),
        (lambda: metrics.Precision(thresholds=[None]), "between 0 and 1"),
        (lambda: metrics.AUC(curve="x"), "curve is one of"),
        (lambda: metrics.AUC(num_thresholds=1), "above 1"),
        (lambda: metrics.AUC(num_labels=3), "multi_label"),
        (lambda: metrics.PrecisionAtRecall(1.5), "recall is between"),
        (lambda: metrics.F1Score(average="x"), "average is one of"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta is a positive"),
        (lambda: metrics.R2Score(class_aggregation="x"), "class_aggregation"),
        (lambda: metrics.IoU(2, [5]), "from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


@pytest.mark.parametrize("w", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_f_scores(average, w, backend):
    close(value(metrics.F1Score(average=average), HOT, PROB, w),
          sk.f1_score(LABEL, SCORE.argmax(-1), average=average, sample_weight=w))  # fmt: skip
    close(value(metrics.FBetaScore(average=average, beta=2.0, threshold=0.4), MULTI, MULTI_P, w),
          sk.fbeta_score(MULTI, MULTI_P > 0.4, beta=2.0, average=average,
                         sample_weight=w))  # fmt: skip
    with pytest.raises(ValueError, match=r"\(batch, classes\)"):
        metrics.F1Score().update_state(BITS, ROW)


@pytest.mark.parametrize("w", [None, W], ids=["plain", "weighted"])
def test_r2(w, backend):
    for mine, theirs in (
        (None, "raw_values"), ("uniform_average", "uniform_average"),
        ("variance_weighted_average", "variance_weighted"),
    ):  # fmt: skip
        close(value(metrics.R2Score(class_aggregation=mine), MULTI, MULTI_P, w),
              sk.r2_score(MULTI, MULTI_P, multioutput=theirs, sample_weight=w), 1e-4)  # fmt: skip
    ones = np.ones((4, 1))
    assert value(metrics.R2Score(), ones, ones) == 1.0
    assert value(metrics.R2Score(), ones, ones + 1) == 0.0
    plain = sk.r2_score(MULTI, MULTI_P)
    close(value(metrics.R2Score(num_regressors=3), MULTI, MULTI_P),
          1 - (1 - plain) * (N - 1) / (N - 3 - 1), 1e-4)  # fmt: skip


def test_regression(backend):
    a, b = MULTI, MULTI_P
    close(value(metrics.RootMeanSquaredError(), a, b, W),
          np.sqrt(np.average(((a - b) ** 2).mean(-1), weights=W)))  # fmt: skip
    close(value(metrics.MeanAbsoluteError(), a, b, W),
          sk.mean_absolute_error(a, b, sample_weight=W))  # fmt: skip
    cosines = (a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1), 1e-9) / np.linalg.norm(
        b, axis=-1
    )
    close(value(metrics.CosineSimilarity(), a, b), cosines.mean())


def test_correlations(backend):
    a, b = rng.normal(size=(2, 6, 30)).astype("float32")
    b += a
    pearson = [stats.pearsonr(x, y).statistic for x, y in zip(a, b, strict=True)]
    close(backends.to_host(metrics.pearson_correlation(a, b)), pearson)
    close(backends.to_host(metrics.pearson_correlation(a.T, b.T, axis=0)), pearson)
    close(backends.to_host(metrics.pearson_correlation(a * 1e-5, b * 1e-5)), pearson, 1e-3)
    concordance = [
        2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        for x, y in zip(a, b, strict=True)
    ]
    close(backends.to_host(metrics.concordance_correlation(a, b)), concordance)
    flat = np.ones((1, 4), "float32")
    assert backends.to_host(metrics.pearson_correlation(flat, a[:1, :4])).tolist() == [0.0]


@pytest.mark.parametrize("w", [None, W], ids=["plain", "weighted"])
def test_iou(w, backend):
    guess = SCORE.argmax(-1)
    by_class = sk.jaccard_score(LABEL, guess, average=None, sample_weight=w)
    close(value(metrics.MeanIoU(C), LABEL, guess, w), by_class.mean())
    close(value(metrics.IoU(C, [1, 4]), LABEL, guess, w), by_class[[1, 4]].mean())
    close(value(metrics.OneHotIoU(C, [1, 4]), HOT, SCORE, w), by_class[[1, 4]].mean())
    close(value(metrics.OneHotMeanIoU(C, sparse_y_pred=True), HOT, guess, w), by_class.mean())
    close(value(metrics.MeanIoU(C, sparse_y_true=False, sparse_y_pred=False, axis=1),
                HOT.reshape(20, 10, C).transpose(0, 2, 1),
                SCORE.reshape(20, 10, C).transpose(0, 2, 1),
                None if w is None else w.reshape(20, 10)), by_class.mean())  # fmt: skip
    binary = sk.jaccard_score(BITS, ROW >= 0.4, average=None, labels=[0, 1], sample_weight=w)
    close(value(metrics.BinaryIoU(threshold=0.4), BITS, ROW, w), binary.mean())


def test_iou_leaves_out_what_is_no_class(backend):
    labels, guess = np.array([0, 1, 255, 1, 0]), np.array([0, 1, 0, 0, 0])
    want = sk.jaccard_score(labels[labels < 2], guess[labels < 2], average="macro")
    for ignored in (255, None):
        close(value(metrics.MeanIoU(2, ignore_class=ignored), labels, guess), want)
    close(value(metrics.MeanIoU(2, ignore_class=-1), np.where(labels > 2, -1, labels), guess), want)
    close(value(metrics.MeanIoU(3), labels, guess), want)  # a class that never occurs
    with pytest.raises(ValueError, match="got 5 labels and 4 predictions"):
        metrics.MeanIoU(2).update_state(labels, guess[:4])


def test_a_rare_state_of_many_counts(backend):
    """float32 sums of many batches stay exact far beyond the size of a data set's classes."""
    m = metrics.TruePositives()
    ones = np.ones(2**16, "float32")
    for _ in range(8):
        m.update_state(ones, ones)
    assert float(backends.to_host(m.result())) == 8 * 2**16
