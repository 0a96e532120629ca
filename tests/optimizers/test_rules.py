"""Every algorithm against the formulas of its paper, and against Keras, on every backend."""

import numpy as np
import pytest

from kerasish import backends, optimizers
from kerasish.core.variable import Variable
from kerasish.optimizers import schedules
from tests.optimizers import papers
from tests.peer import keras_peer

SHAPES = {"kernel": (3, 4), "bias": (4,), "embeddings": (5, 2), "conv": (2, 3, 4)}
STEPS = 12
RATE = 0.05

CASES = [
    ("SGD", {}, papers.sgd, {}),
    ("SGD", {"momentum": 0.9}, papers.sgd, {}),
    ("SGD", {"momentum": 0.9, "nesterov": True}, papers.sgd, {}),
    ("RMSprop", {}, papers.rmsprop, {}),
    ("RMSprop", {"momentum": 0.5, "centered": True}, papers.rmsprop, {}),
    ("RMSprop", {"rho": 0.5, "centered": True, "epsilon": 1e-3}, papers.rmsprop, {}),
    ("RMSprop", {"momentum": 0.5}, papers.rmsprop, {}),
    ("Adam", {}, papers.adam, {}),
    ("Adam", {"amsgrad": True, "beta_2": 0.5}, papers.adam, {}),
    ("Adam", {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.1}, papers.adam, {}),
    ("Adam", {"weight_decay": 0.1}, papers.adam, {"decay": 0.1}),
    ("AdamW", {}, papers.adam, {"decay": 0.004}),
    ("AdamW", {"weight_decay": 0.2, "amsgrad": True}, papers.adam, {"decay": 0.2}),
    ("Adamax", {"beta_2": 0.9}, papers.adamax, {}),
    ("Nadam", {}, papers.nadam, {}),
    ("Lamb", {}, papers.lamb, {}),
    ("Adadelta", {"learning_rate": 1.0}, papers.adadelta, {}),
    ("Adagrad", {"initial_accumulator_value": 0.0}, papers.adagrad, {}),
    ("Adagrad", {"epsilon": 0.1}, papers.adagrad, {}),
    ("Ftrl", {}, papers.ftrl, {}),
    (
        "Ftrl",
        {
            "l1_regularization_strength": 0.5, "l2_regularization_strength": 0.01, "beta": 0.1,
            "l2_shrinkage_regularization_strength": 0.02, "learning_rate_power": -0.6,
        },
        papers.ftrl, {},
    ),
    ("Lion", {}, papers.lion, {}),
    ("Adafactor", {}, papers.adafactor, {}),
    ("Adafactor", {"relative_step": False, "clip_threshold": 0.5}, papers.adafactor, {}),
    ("Adafactor", {"learning_rate": 0.6}, papers.adafactor, {}),
    ("ScheduleFreeAdamW", {}, papers.schedule_free, {}),
    ("ScheduleFreeAdamW", {"warmup_steps": 5, "beta_1": 0.8}, papers.schedule_free, {}),
]  # fmt: skip
IDS = [f"{name}-{'-'.join(map(str, options))}" for name, options, _, _ in CASES]


def data(dtype="float32"):
    rng = np.random.default_rng(7)
    weights = {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}
    grads = [
        [rng.normal(size=shape).astype(dtype) for shape in SHAPES.values()] for _ in range(STEPS)
    ]
    return weights, grads


def train(optimizer, weights, grads, make=Variable, tensor=None):
    variables = [make(w, name=name) for name, w in weights.items()]
    for step in grads:
        optimizer.apply([tensor(g) if tensor else g for g in step], variables)
    return [np.asarray(v.numpy()) for v in variables]


def close(got, wanted, tolerance=3e-6):
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance * 10, atol=tolerance * max(1, STEPS / 10))


@pytest.mark.parametrize(("name", "options", "paper", "more"), CASES, ids=IDS)
def test_rule_is_its_papers(backend, name, options, paper, more):
    options = {"learning_rate": RATE, **options}
    weights, grads = data()
    got = train(getattr(optimizers, name)(**options), weights, grads,
                tensor=backends.active.convert)  # fmt: skip
    settings = {k: v for k, v in options.items() if k not in ("learning_rate", "weight_decay")}
    wanted = [
        paper(w.astype("float64"), [g[i].astype("float64") for g in grads],
              options["learning_rate"], **settings, **more)
        for i, w in enumerate(weights.values())
    ]  # fmt: skip
    close(got, wanted, 2e-5 if name == "Adafactor" else 3e-6)


@pytest.mark.parametrize("options", [{}, {"nesterov": False, "rms_rate": None}])
def test_muon_is_its_papers(backend, options):
    weights, grads = data()
    optimizer = optimizers.Muon(RATE, exclude_layers=["conv"], **options)
    got = train(optimizer, weights, grads)
    as_64 = [[g[i].astype("float64") for g in grads] for i in range(4)]
    start = [w.astype("float64") for w in weights.values()]
    wanted = [papers.adam(w, g, RATE, decay=0.004) for w, g in zip(start, as_64, strict=True)]
    wanted[0] = papers.muon(start[0], as_64[0], RATE, **options)
    close(got, wanted, 2e-5)


COMMON = {
    "plain": {},
    "decay": {"weight_decay": 0.01},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.3},
    "global": {"global_clipnorm": 0.7, "loss_scale_factor": 4.0},
    "ema": {"use_ema": True, "ema_momentum": 0.8},
    "overwrite": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    "accumulate": {"gradient_accumulation_steps": 3},
    "all": {
        "gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2,
        "global_clipnorm": 1.0, "weight_decay": 0.1,
    },
    "schedule": {"learning_rate": "schedule"},
}  # fmt: skip
PEERS = [
    ("SGD", {"momentum": 0.9}), ("RMSprop", {"momentum": 0.5, "centered": True}), ("Adam", {}),
    ("Adam", {"amsgrad": True}), ("AdamW", {}), ("Adadelta", {"learning_rate": 1.0}),
    ("Adagrad", {}), ("Adamax", {}), ("Adafactor", {}), ("Nadam", {}),
    ("Ftrl", {"l1_regularization_strength": 0.05, "beta": 0.1}), ("Lion", {}), ("Lamb", {}),
    ("Muon", {}), ("Muon", {"exclude_embeddings": False, "adam_lr_ratio": 0.5}),
    ("ScheduleFreeAdamW", {"warmup_steps": 4}),
]  # fmt: skip


@pytest.mark.parametrize("common", COMMON)
@pytest.mark.parametrize(("name", "options"), PEERS)
def test_numbers_and_state_are_keras(backend, name, options, common):
    if backend in ("jax", "tensorflow") and common not in ("plain", "all", "schedule"):
        pytest.skip("compiled afresh for each case: the options' combination is enough here")
    keras = keras_peer()
    if name == "ScheduleFreeAdamW" and keras.config.backend() not in ("numpy", "jax"):
        pytest.skip("Keras' own backends disagree here: in-place ones average before the step")
    options = {"learning_rate": RATE, **options, **COMMON[common]}
    weights, grads = data()
    results = []
    for library, make in ((keras.optimizers, keras.Variable), (optimizers, Variable)):
        own = dict(options)
        if own["learning_rate"] == "schedule":
            own["learning_rate"] = library.schedules.CosineDecay(0.1, 9, 0.2)
        optimizer = getattr(library, name)(**own)
        results.append((train(optimizer, weights, grads, make), optimizer))
    (wanted, theirs), (got, ours) = results
    close(got, wanted, 1e-5)
    # Keras names Adafactor's factors and Nadam's product by nothing in particular.
    state = [np.asarray(v.numpy()) for v in ours.variables]
    peer = [np.asarray(v.numpy()) for v in theirs.variables]
    assert [x.shape for x in state] == [x.shape for x in peer]
    if name not in ("Adafactor", "Nadam"):
        assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for a, b in zip(state, peer, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions(backend, dtype):
    """Slots of half-precision weights are float32: what they hold would underflow."""
    weights, grads = data()
    variables = [Variable(w, dtype=dtype, name=k) for k, w in weights.items()]
    optimizer = optimizers.AdamW(RATE, use_ema=True, gradient_accumulation_steps=2)
    for step in grads:
        optimizer.apply([backends.active.convert(g, dtype) for g in step], variables)
    kept = "float64" if dtype == "float64" else "float32"
    assert {v.dtype for v in optimizer.variables[2:]} == {kept}
    means = [
        [(a.astype("float64") + b) / 2 for a, b in zip(*pair, strict=True)]
        for pair in zip(grads[::2], grads[1::2], strict=True)
    ]
    for i, v in enumerate(variables):
        wanted = papers.adam(weights[v.name].astype("float64"), [m[i] for m in means], RATE,
                             decay=0.004)  # fmt: skip
        tolerance = {"float16": 0.02, "bfloat16": 0.1, "float64": 1e-5}[dtype]
        np.testing.assert_allclose(v.numpy().astype("float64"), wanted, atol=tolerance)


def test_schedule_is_followed(backend):
    weights, grads = data()
    schedule = schedules.PiecewiseConstantDecay([2], [0.5, 0.125])
    got = train(optimizers.SGD(schedule), weights, grads)
    for i, w in enumerate(weights.values()):
        total = sum(
            (0.5 if t <= 2 else 0.125) * g[i].astype("float64") for t, g in enumerate(grads)
        )
        np.testing.assert_allclose(got[i], w - total, atol=1e-5)


def test_a_callable_rate_is_called_each_step(backend):
    rates = iter([0.5, 0.25])
    weight = Variable([1.0])
    optimizer = optimizers.SGD(lambda: next(rates))
    for _ in range(2):
        optimizer.apply([np.ones(1, "float32")], [weight])
    assert weight.numpy().tolist() == [0.25]
