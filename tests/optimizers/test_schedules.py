"""Learning-rate schedules against their closed forms, on tensors and on the host."""

import math

import numpy as np
import pytest

from kerasish import backends, ops
from kerasish.core.variable import Variable
from kerasish.optimizers import SGD
from kerasish.optimizers import schedules as s


def cosine(x, alpha=0.0):
    return (1 - alpha) * (1 + math.cos(math.pi * x)) / 2 + alpha


def restarts(step, first, t_mul, m_mul, alpha):
    length, height = first, 1.0
    while step >= length:
        step, length, height = step - length, length * t_mul, height * m_mul
    return height * cosine(step / length, alpha)


CASES = [
    (s.ExponentialDecay(0.5, 4, 0.3), lambda t: 0.5 * 0.3 ** (t / 4)),
    (s.ExponentialDecay(0.5, 4, 0.3, staircase=True), lambda t: 0.5 * 0.3 ** (t // 4)),
    (s.InverseTimeDecay(0.5, 4, 0.3), lambda t: 0.5 / (1 + 0.3 * t / 4)),
    (s.InverseTimeDecay(0.5, 4, 0.3, staircase=True), lambda t: 0.5 / (1 + 0.3 * (t // 4))),
    (s.PiecewiseConstantDecay([3, 7], [1, 0.5, 0.1]),
     lambda t: 1 if t <= 3 else 0.5 if t <= 7 else 0.1),
    (s.PolynomialDecay(0.5, 8, 0.1, 2.0),
     lambda t: 0.4 * (1 - min(t, 8) / 8) ** 2 + 0.1),
    (s.PolynomialDecay(0.5, 4, 0.1, cycle=True),
     lambda t: 0.4 * (1 - t / (4 * max(1, math.ceil(t / 4)))) + 0.1),
    (s.CosineDecay(0.5, 8, 0.1), lambda t: 0.5 * cosine(min(t, 8) / 8, 0.1)),
    (s.CosineDecay(0.1, 8, 0.2, warmup_target=0.5, warmup_steps=4),
     lambda t: 0.1 + 0.4 * t / 4 if t < 4 else 0.5 * cosine(min(t - 4, 8) / 8, 0.2)),
    (s.CosineDecayRestarts(0.5, 3, 2.0, 0.5, 0.1), lambda t: 0.5 * restarts(t, 3, 2, 0.5, 0.1)),
    (s.CosineDecayRestarts(0.5, 5, 1.0, 0.9), lambda t: 0.5 * restarts(t, 5, 1, 0.9, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=lambda c: getattr(c, "name", ""))
def test_values(backend, schedule, formula):
    for step in range(20):
        wanted = pytest.approx(formula(step), rel=1e-4, abs=1e-6)
        rate = schedule(backends.active.convert(step, "int32"))
        assert backends.active.dtype_of(rate) == "float32"
        assert float(rate) == wanted
        assert schedule.at(step) == wanted


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=lambda c: getattr(c, "name", ""))
def test_values_in_a_compiled_step(backend, schedule, formula):
    weight, optimizer = Variable([0.0]), SGD(schedule)
    optimizer.build([weight])

    def step(g):
        optimizer.apply([g], [weight])
        return g

    step = backends.active.compile(step, [weight, *optimizer.variables])
    for _ in range(5):
        step(backends.active.convert(np.ones(1, "float32")))
    assert float(weight.numpy()[0]) == pytest.approx(-sum(map(formula, range(5))), rel=1e-4)


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=lambda c: getattr(c, "name", ""))
def test_configs(schedule, formula):
    clone = s.deserialize(s.serialize(schedule))
    assert type(clone) is type(schedule) and clone.get_config() == schedule.get_config()


def test_a_schedule_of_the_users_own(backend):
    class Warm(s.LearningRateSchedule):
        def __call__(self, step):
            return ops.minimum(1.0, (ops.cast(step, "float32") + 1) / 4)

    weight, optimizer = Variable([0.0]), SGD(Warm())
    for _ in range(6):
        optimizer.apply([np.ones(1, "float32")], [weight])
    assert float(weight.numpy()[0]) == pytest.approx(-(0.25 + 0.5 + 0.75 + 1 + 1 + 1))


def test_wrong_arguments():
    for make in (
        lambda: s.CosineDecay(0.1, 0), lambda: s.ExponentialDecay(0.1, -1, 0.5),
        lambda: s.InverseTimeDecay(0.1, 0, 0.5), lambda: s.PolynomialDecay(0.1, 0),
        lambda: s.CosineDecayRestarts(0.1, 0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="decay_steps must be positive"):
            make()
    with pytest.raises(ValueError, match="2 boundaries and 2 values"):
        s.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="must define __call__"):
        s.LearningRateSchedule()(0)
