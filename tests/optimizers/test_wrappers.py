"""Optimizers made of other optimizers: loss scaling and one for each variable."""

import numpy as np
import pytest

from kerasish import backends, optimizers
from kerasish.core.variable import Variable
from kerasish.optimizers import (
    SGD,
    Adam,
    LossScaleOptimizer,
    MultiOptimizer,
    Nadam,
    OptimizerMap,
)


def step_of(optimizer, variables, compiled):
    optimizer.build(variables)

    def step(*grads):
        optimizer.apply(list(grads), variables)
        return grads[0]

    if compiled:
        step = backends.active.compile(step, [*variables, *optimizer.variables])
    return lambda *grads: step(*[backends.active.convert(np.float32(g)) for g in grads])


@pytest.mark.parametrize("compiled", [False, True])
def test_loss_scale_adapts(backend, compiled):
    weight, twin = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    optimizer = LossScaleOptimizer(SGD(0.5, momentum=0.5), 8.0, dynamic_growth_steps=3)
    plain = SGD(0.5, momentum=0.5)
    step = step_of(optimizer, [weight], compiled)
    scales, g = [], np.array([0.1, 0.2])
    for i in range(9):
        scale = float(optimizer.dynamic_scale)
        step(g * scale if i != 4 else np.array([np.inf, 0.0]))
        if i != 4:
            plain.apply([np.float32(g)], [twin])
        scales.append(float(optimizer.dynamic_scale))
        np.testing.assert_allclose(weight.numpy(), twin.numpy(), rtol=1e-5)
    assert scales == [8, 8, 16, 16, 8, 8, 8, 16, 16]
    assert int(optimizer.iterations) == int(optimizer.inner_optimizer.iterations) == 8
    assert float(optimizer.scale_loss(2.0)) == 32.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_steps_that_are_not_finite_are_left_out(backend, bad):
    weight = Variable([1.0])
    optimizer = LossScaleOptimizer(Adam(0.5), 4.0)
    optimizer.apply([np.array([bad], "float32")], [weight])
    assert weight.numpy().tolist() == [1.0]
    assert float(optimizer.dynamic_scale) == 2.0 and int(optimizer.iterations) == 0


def test_loss_scale_gives_the_inner_optimizers_settings(backend):
    inner = SGD(0.5, use_ema=True, ema_momentum=0.5)
    optimizer = LossScaleOptimizer(inner)
    assert optimizer.learning_rate is inner.learning_rate
    optimizer.learning_rate = 0.25
    assert float(inner.learning_rate) == 0.25
    weight = Variable([0.0])
    for _ in range(2):
        optimizer.apply([np.array([2.0**15], "float32")], [weight])
    optimizer.finalize_variable_values([weight])
    assert weight.numpy().tolist() == [-0.375]
    assert [v.name for v in optimizer.variables] == [
        "iteration", "learning_rate", "step_counter", "dynamic_scale",
        "iteration", "learning_rate", f"{weight.path}_average",
    ]  # fmt: skip
    clone = optimizers.deserialize(optimizers.serialize(optimizer))
    assert clone.get_config() == optimizer.get_config()
    with pytest.raises(ValueError, match="inner_optimizer must be an Optimizer"):
        LossScaleOptimizer("adam")


@pytest.mark.parametrize("compiled", [False, True])
def test_each_variable_has_its_optimizer(backend, compiled):
    kernel, bias = Variable([1.0], name="kernel"), Variable([1.0], name="bias")
    optimizer = MultiOptimizer(OptimizerMap(Nadam(0.1), {"ker.*": SGD(0.5, momentum=0.5)}))
    step = step_of(optimizer, [kernel, bias], compiled)
    twins, sgd, nadam = [Variable([1.0]), Variable([1.0])], SGD(0.5, momentum=0.5), Nadam(0.1)
    for g in (0.5, -0.25, 1.0):
        step([g], [g])
        sgd.apply([np.array([g], "float32")], twins[:1])
        nadam.apply([np.array([g], "float32")], twins[1:])
    np.testing.assert_allclose(kernel.numpy(), twins[0].numpy(), rtol=1e-5)
    np.testing.assert_allclose(bias.numpy(), twins[1].numpy(), rtol=1e-5)
    assert [type(o) for o in optimizer.optimizers] == [SGD, Nadam]
    assert int(optimizer.iterations) == 3
    with pytest.raises(AttributeError, match="Ask its optimizers"):
        optimizer.learning_rate  # noqa: B018


def test_a_function_chooses_the_optimizer(backend):
    kernel, bias = Variable([1.0], name="kernel"), Variable([1.0], name="bias")
    slow, fast = SGD(0.25), SGD(0.5)
    optimizer = MultiOptimizer(
        lambda v: slow if "kernel" in v.path else fast, loss_scale_factor=2.0
    )
    optimizer.apply([np.ones(1, "float32") * 2, np.ones(1, "float32") * 2], [kernel, bias])
    assert (kernel.numpy().tolist(), bias.numpy().tolist()) == ([0.75], [0.5])
    assert float(optimizer.scale_loss(3.0)) == 6.0


def test_optimizer_map():
    adam, sgd = Adam(), SGD()
    chosen = OptimizerMap(adam, {"encoder/.*": sgd})
    assert chosen["encoder/kernel"] is sgd and chosen["my_encoder/kernel"] is adam
    assert len(chosen) == 1 and list(chosen) == ["encoder/.*"]
    with pytest.raises(ValueError, match="already"):
        chosen["encoder/.*"] = adam
    with pytest.raises(ValueError, match="regular expression"):
        chosen["x"] = 3
    with pytest.raises(TypeError, match="default_optimizer"):
        OptimizerMap(None)
    with pytest.raises(ValueError, match="optimizer_map must be"):
        MultiOptimizer(3)
    multi = MultiOptimizer(chosen)
    clone = optimizers.deserialize(optimizers.serialize(multi))
    assert clone.get_config() == multi.get_config()
