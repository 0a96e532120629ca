"""Each loss function against a closed form, and its class and config against the function."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from scipy.spatial.distance import cosine

from kerasish import backends, errors, losses, ops
from kerasish.core.symbolic import KerasTensor
from tests.peer import keras_peer

rng = np.random.default_rng(0)
T = rng.uniform(-2, 2, (5, 4)).astype("float32")
P = rng.uniform(-2, 2, (5, 4)).astype("float32")
POS_T, POS_P = np.abs(T) + 0.1, np.abs(P) + 0.1
PROB_T, PROB_P = POS_T / POS_T.sum(-1, keepdims=True), POS_P / POS_P.sum(-1, keepdims=True)
UNIT = rng.uniform(0.05, 0.95, (5, 4)).astype("float32")
BIN = (rng.random((5, 4)) > 0.5).astype("float32")
SIGN = BIN * 2 - 1
CLASS = np.array([0, 3, 1, 2, 3], "int32")
HOT = np.eye(4, dtype="float32")[CLASS]
EMB = (P / np.linalg.norm(P, axis=-1, keepdims=True)).astype("float32")
LABEL = np.array([0, 1, 0, 1, 1], "int32")
SPEECH = rng.normal(size=(2, 7, 4)).astype("float32")
WORDS = np.array([[1, 2, 2], [3, 1, 2]], "int32")


def softmax(x, axis=-1):
    return scipy.special.softmax(x.astype("float64"), axis=axis)


def sigmoid(x):
    return scipy.special.expit(x.astype("float64"))


def bce(t, p):
    return -(scipy.special.xlogy(t, p) + scipy.special.xlog1py(1 - t, -p))


def focal(t, p, gamma=2.0):
    return (1 - np.where(t > 0, p, 1 - p)) ** gamma * bce(t, p)


def circle(labels, embeddings, gamma, margin):
    """The sum over pairs of the paper, equation 6, with its relaxed optima."""
    similarity = embeddings.astype("float64") @ embeddings.T
    result = []
    for i, row in enumerate(similarity):
        pull = push = 0.0
        for j, s in enumerate(row):
            if labels[i] != labels[j]:
                push += np.exp(gamma * max(s + margin, 0) * (s - margin))
            elif i != j:
                pull += np.exp(-gamma * max(1 + margin - s, 0) * (s - (1 - margin)))
        result.append(np.log1p(push * pull))
    return np.array(result)


def ctc(words, speech):
    """The sum over all paths through time that spell the words, by brute force."""
    import itertools

    result = []
    for word, logits in zip(words, speech, strict=True):
        p = softmax(logits)
        total = 0.0
        for path in itertools.product(range(p.shape[1]), repeat=len(p)):
            spelled = [c for c, before in zip(path, (None, *path), strict=False) if c != before]
            if [c for c in spelled if c] == list(word):
                total += np.prod(p[np.arange(len(p)), path])
        result.append(-np.log(total))
    return np.array(result)


CASES = [
    ("mean_squared_error", (T, P), {}, ((T - P) ** 2).mean(-1)),
    ("mean_absolute_error", (T, P), {}, abs(T - P).mean(-1)),
    ("mean_absolute_percentage_error", (T, P), {}, 100 * (abs(T - P) / abs(T)).mean(-1)),
    ("mean_squared_logarithmic_error", (POS_T, POS_P), {},
     (np.log((1 + POS_T) / (1 + POS_P)) ** 2).mean(-1)),
    ("cosine_similarity", (T, P), {}, [cosine(a, b) - 1 for a, b in zip(T, P, strict=True)]),
    ("cosine_similarity", (T, P), {"axis": 0},
     [cosine(a, b) - 1 for a, b in zip(T.T, P.T, strict=True)]),
    ("huber", (T, P), {}, scipy.special.huber(1.0, T - P).mean(-1)),
    ("huber", (T, P), {"delta": 0.3}, scipy.special.huber(0.3, T - P).mean(-1)),
    ("log_cosh", (T, P), {}, np.log(np.cosh(T - P)).mean(-1)),
    ("poisson", (POS_T, POS_P), {}, (POS_P - POS_T * np.log(POS_P)).mean(-1)),
    ("kl_divergence", (PROB_T, PROB_P), {}, scipy.special.rel_entr(PROB_T, PROB_P).sum(-1)),
    ("hinge", (SIGN, P), {}, np.maximum(1 - SIGN * P, 0).mean(-1)),
    ("hinge", (BIN, P), {}, np.maximum(1 - SIGN * P, 0).mean(-1)),
    ("squared_hinge", (SIGN, P), {}, (np.maximum(1 - SIGN * P, 0) ** 2).mean(-1)),
    ("categorical_hinge", (HOT, PROB_P), {},
     [max(0, 1 + max(np.delete(p, c)) - p[c]) for p, c in zip(PROB_P, CLASS, strict=True)]),
    ("binary_crossentropy", (BIN, UNIT), {}, bce(BIN, UNIT).mean(-1)),
    ("binary_crossentropy", (BIN, P), {"from_logits": True}, bce(BIN, sigmoid(P)).mean(-1)),
    ("binary_crossentropy", (BIN, UNIT), {"label_smoothing": 0.2},
     bce(BIN * 0.8 + 0.1, UNIT).mean(-1)),
    ("binary_crossentropy", (BIN, UNIT), {"axis": 0}, bce(BIN, UNIT).mean(0)),
    ("binary_focal_crossentropy", (BIN, UNIT), {}, focal(BIN, UNIT).mean(-1)),
    ("binary_focal_crossentropy", (BIN, P), {"from_logits": True, "gamma": 1.5},
     focal(BIN, sigmoid(P), 1.5).mean(-1)),
    ("binary_focal_crossentropy", (BIN, UNIT), {"apply_class_balancing": True, "alpha": 0.3},
     (np.where(BIN > 0, 0.3, 0.7) * focal(BIN, UNIT)).mean(-1)),
    ("categorical_crossentropy", (HOT, PROB_P), {}, -np.log(PROB_P[range(5), CLASS])),
    ("categorical_crossentropy", (HOT, 3 * PROB_P), {}, -np.log(PROB_P[range(5), CLASS])),
    ("categorical_crossentropy", (HOT, P), {"from_logits": True},
     -np.log(softmax(P)[range(5), CLASS])),
    ("categorical_crossentropy", (HOT, PROB_P), {"label_smoothing": 0.1},
     -((HOT * 0.9 + 0.025) * np.log(PROB_P)).sum(-1)),
    ("categorical_crossentropy", (HOT.T.copy(), P.T.copy()), {"from_logits": True, "axis": 0},
     -np.log(softmax(P)[range(5), CLASS])),
    ("categorical_focal_crossentropy", (HOT, PROB_P), {},
     -0.25 * ((1 - PROB_P) ** 2 * HOT * np.log(PROB_P)).sum(-1)),
    ("categorical_focal_crossentropy", (HOT, P),
     {"from_logits": True, "alpha": [0.1, 0.2, 0.3, 0.4], "gamma": 1.0},
     -([0.1, 0.2, 0.3, 0.4] * (1 - softmax(P)) * HOT * np.log(softmax(P))).sum(-1)),
    ("sparse_categorical_crossentropy", (CLASS, PROB_P), {}, -np.log(PROB_P[range(5), CLASS])),
    ("sparse_categorical_crossentropy", (CLASS[:, None], P), {"from_logits": True},
     -np.log(softmax(P)[range(5), CLASS])),
    ("sparse_categorical_crossentropy", (CLASS, P.T.copy()), {"from_logits": True, "axis": 0},
     -np.log(softmax(P)[range(5), CLASS])),
    ("categorical_generalized_cross_entropy", (CLASS, PROB_P), {"q": 0.3},
     (1 - PROB_P[range(5), CLASS] ** 0.3) / 0.3),
    ("dice", (BIN, UNIT), {}, 1 - 2 * (BIN * UNIT).sum() / (BIN.sum() + UNIT.sum())),
    ("dice", (BIN, UNIT), {"axis": 1},
     1 - 2 * (BIN * UNIT).sum(1) / (BIN.sum(1) + UNIT.sum(1))),
    ("tversky", (BIN, UNIT), {"alpha": 0.3, "beta": 0.9},
     1 - (BIN * UNIT).sum() / ((BIN * UNIT).sum() + 0.9 * ((1 - BIN) * UNIT).sum()
                               + 0.3 * (BIN * (1 - UNIT)).sum())),
    ("circle", (LABEL, EMB), {"gamma": 5.0, "margin": 0.3}, circle(LABEL, EMB, 5.0, 0.3)),
    ("ctc", (WORDS, SPEECH), {}, ctc(WORDS, SPEECH)),
]  # fmt: skip
CLASSES = {
    "huber": "Huber", "kl_divergence": "KLDivergence", "ctc": "CTC",
    "categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy",
}  # fmt: skip
each = pytest.mark.parametrize(
    "name, args, kwargs, expected", CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)


def class_of(name, module=losses):
    return getattr(module, CLASSES.get(name, "".join(w.title() for w in name.split("_"))))


def close(got, expected, tol=2e-5):
    np.testing.assert_allclose(backends.to_host(got), expected, rtol=tol, atol=tol)


@each
def test_function(name, args, kwargs, expected, backend):
    got = getattr(losses, name)(*args, **kwargs)
    assert backends.active.dtype_of(got) == "float32"
    assert tuple(got.shape) == np.shape(expected)
    close(got, expected)


@each
def test_class_is_the_mean_of_the_function(name, args, kwargs, expected, backend):
    cls = class_of(name)
    loss = cls(**kwargs)
    close(loss(*args), np.mean(expected))
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is cls and again.get_config() == loss.get_config()
    close(again(*args), np.mean(expected))
    close(cls(reduction="sum", **kwargs)(*args), np.sum(expected), 1e-4)


@each
def test_keras_agrees(name, args, kwargs, expected):
    keras = keras_peer()
    if kwargs.get("axis") == 0 and name in ("cosine_similarity", "sparse_categorical_crossentropy"):
        pytest.skip("Keras cannot on its NumPy backend")
    theirs = class_of(name, keras.losses)(reduction="none", **kwargs)(*args)
    close(theirs, expected, 1e-4)


@each
def test_gradients_agree(name, args, kwargs, expected, backend):
    """The gradient of each engine against central differences."""
    weights = np.linspace(0.5, 1.5, max(np.size(expected), 1)).reshape(np.shape(expected))

    def total(y_pred):
        values = getattr(losses, name)(args[0], y_pred, **kwargs)
        return ops.sum(values * ops.convert_to_tensor(weights.astype("float32"))), None

    _, (grad,) = backends.active.value_and_grad(total, [], [args[1]])
    grad = backends.to_host(grad).astype("float64")
    direction = np.random.default_rng(1).standard_normal(args[1].shape).astype("float32")
    step = 1e-2
    ends = [
        float(backends.to_host(total(ops.convert_to_tensor(args[1] + s * step * direction))[0]))
        for s in (-2, -1, 1, 2)
    ]
    slope = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)
    if name not in ("hinge", "squared_hinge", "huber", "mean_absolute_error", "circle",
                    "mean_absolute_percentage_error", "categorical_hinge"):  # fmt: skip
        np.testing.assert_allclose((grad * direction).sum(), slope, rtol=2e-2, atol=2e-2)
    assert np.isfinite(grad).all() and grad.any()


def test_every_public_loss_is_tested():
    functions = {n for n in losses.__all__ if n[0].islower()} - {"get", "serialize", "deserialize"}
    assert functions == {c[0] for c in CASES}
    assert {class_of(n).__name__ for n in functions} == {
        n for n in losses.__all__ if n[0].isupper() and n != "Loss"
    }


def test_extreme_predictions_stay_finite(backend):
    zero_one = np.array([[0.0, 1.0]], "float32")
    far = np.array([[-200.0, 200.0]], "float32")
    wrong = zero_one[:, ::-1].copy()
    for value, expected in (
        (losses.binary_crossentropy(wrong, zero_one), -np.log(1e-7)),
        (losses.binary_crossentropy(wrong, far, from_logits=True), 200.0),
        (losses.categorical_crossentropy(wrong, far, from_logits=True), 400.0),
        (losses.categorical_crossentropy(wrong, zero_one), -np.log(1e-7)),
        (losses.log_cosh(zero_one * 0, far), 200 - np.log(2)),
        (losses.binary_focal_crossentropy(wrong, far, from_logits=True), 200.0),
        (losses.mean_absolute_percentage_error([[0.0]], [[0.0]]), 0.0),
        (losses.cosine_similarity([[0.0, 0.0]], [[1.0, 0.0]]), 0.0),
        (losses.dice([[0.0]], [[0.0]]), 1.0),
        (losses.circle([0, 1], [[1.0, 0.0], [0.0, 1.0]]), 0.0),
    ):
        np.testing.assert_allclose(backends.to_host(value), expected, rtol=5e-2, atol=1e-6)


def test_integers_and_other_floats_as_labels(backend):
    for labels in (np.array([[0, 1]]), [[0, 1]], np.array([[0, 1]], "uint8"), [[False, True]]):
        got = losses.mean_squared_error(labels, np.array([[1.0, 1.0]], "float32"))
        assert backends.active.dtype_of(got) == "float32"
        close(got, [0.5])
    close(losses.mean_squared_error([[0, 3]], [[1, 1]]), [2.5])


def test_trailing_axis_of_one_is_made_up_for(backend):
    column, flat = np.array([[1.0], [3.0]], "float32"), np.array([1.0, 2.0], "float32")
    for loss in (losses.MeanSquaredError(), losses.LossFunctionWrapper(lambda t, p: (t - p) ** 2)):
        close(loss(flat, column), 0.5)
        close(loss(column, flat), 0.5)
    deep = np.zeros((2, 3, 4, 1), "float32")
    assert tuple(losses.mean_squared_error(deep, deep[..., 0]).shape) == (2, 3)


def test_wrong_labels_are_told(backend):
    for logits in (False, True):
        loss = losses.SparseCategoricalCrossentropy(from_logits=logits)
        for labels, wrong in (([0, 4, 7, 1, 2], r"\[4, 7\]"), ([0, -1, 3, 1, 2], r"\[-1\]")):
            with pytest.raises(errors.InvalidArgument, match="0 to 3"):
                loss(np.array(labels), PROB_P)
            with pytest.raises(errors.InvalidArgument, match=f"from 0 to 3.*{wrong}"):
                losses.sparse_categorical_crossentropy(labels, PROB_P, from_logits=logits)
    with pytest.raises(ValueError, match="use sparse_categorical_crossentropy"):
        losses.CategoricalCrossentropy()(CLASS, PROB_P)
    with pytest.raises(ValueError, match="use categorical_crossentropy"):
        losses.SparseCategoricalCrossentropy()(HOT, PROB_P)
    with pytest.raises(ValueError, match="mean_squared_error.*y_true=float32"):
        losses.MeanSquaredError()(np.ones((3, 5)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="label_smoothing"):
        losses.BinaryCrossentropy(label_smoothing=2.0)(BIN, UNIT)
    with pytest.raises(ValueError, match="q is between"):
        losses.CategoricalGeneralizedCrossEntropy(q=1.0)


@pytest.mark.parametrize("index", range(0, len(CASES), 2))
def test_on_symbolic_tensors(index):
    """A loss can be a part of a functional model."""
    name, args, kwargs, expected = CASES[index]
    specs = [KerasTensor((None, *a.shape[1:]), a.dtype.name) for a in args]
    out = getattr(losses, name)(*specs, **kwargs)
    assert len(out.shape) == np.ndim(expected) and out.dtype == "float32"


def test_circle_with_references(backend):
    own = losses.circle(LABEL, EMB, remove_diagonal=False, gamma=5.0)
    given = losses.circle(LABEL, EMB, LABEL, EMB, remove_diagonal=False, gamma=5.0)
    close(own, backends.to_host(given))
    keras = keras_peer()
    theirs = keras.losses.circle(
        LABEL, EMB, ref_labels=LABEL[:3], ref_embeddings=EMB[:3], remove_diagonal=False, gamma=5.0
    )
    close(losses.circle(LABEL, EMB, LABEL[:3], EMB[:3], remove_diagonal=False, gamma=5.0),
          theirs, 1e-4)  # fmt: skip


def test_ctc_of_labels_filled_up_with_blanks(backend):
    logits = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    ctc_losses = losses.CTC(reduction="none")
    short = ctc_losses(np.array([[2, 1]]), logits[:1])
    both = ctc_losses(np.array([[2, 1, 0], [3, 1, 2]]), logits)
    assert backends.to_host(both)[0] == pytest.approx(float(backends.to_host(short)[0]), rel=1e-5)
