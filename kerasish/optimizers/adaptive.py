"""Step sizes of each weight's own, from sums or means of its squared gradients."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.optimizers.base import Optimizer, check, larger


class RMSprop(Optimizer):
    """The gradient divided by the root of its running mean square.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        rho: how slowly the mean square follows.
        momentum: how much of the last step is added to the next.
        epsilon: added to the mean square.
        centered: divide by the standard deviation: the mean gradient is taken out.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Tieleman and Hinton, lecture 6.5 of Neural Networks for Machine Learning (2012)

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> keras.optimizers.RMSprop(0.1, rho=0.75).apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    0.8
    """

    options = ("rho", "momentum", "epsilon", "centered")
    slot_attributes = {
        "velocity": "_velocities", "momentum": "_momentums",
        "average_gradient": "_average_gradients",
    }  # fmt: skip

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0,
        epsilon: float = 1e-7, centered: bool = False, *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.slots = ("velocity",) + ("momentum",) * (momentum > 0)
        self.slots += ("average_gradient",) * centered

    def rule(self, param: Any, grad: Any, slots: Any, rate: Any) -> Any:
        v, *others = slots
        variance = v = v + (grad * grad - v) * (1 - self.rho)
        new = []
        if self.centered:
            mean = others.pop()
            mean = mean + (grad - mean) * (1 - self.rho)
            variance = v - mean * mean
            new = [mean]
        step = rate * grad / ops.sqrt(variance + self.epsilon)
        if others:
            step = self.momentum * others[0] + step
            new = [step, *new]
        return param - step, (v, *new)


class Adadelta(Optimizer):
    """The gradient scaled by the ratio of the root mean squares of past steps and gradients.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments; 1 in the paper.
        rho: how slowly the mean squares follow.
        epsilon: added to the mean squares.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Zeiler, https://arxiv.org/abs/1212.5701

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> optimizer = keras.optimizers.Adadelta(1.0, epsilon=0.01)
    >>> optimizer.apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 3)
    0.555
    """

    options = ("rho", "epsilon")
    slots = (("accumulated_grad", "accumulated_delta_var"),)
    slot_attributes = {
        "accumulated_grad": "_accumulated_grads", "accumulated_delta_var": "_accumulated_delta_vars"
    }  # fmt: skip

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7,
        *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def rule(self, param: Any, grad: Any, slots: Any, rate: Any) -> Any:
        g2, d2 = slots
        g2 = g2 + (grad * grad - g2) * (1 - self.rho)
        delta = ops.sqrt((d2 + self.epsilon) / (g2 + self.epsilon)) * grad
        d2 = d2 + (delta * delta - d2) * (1 - self.rho)
        return param - rate * delta, (g2, d2)


class Adagrad(Optimizer):
    """The gradient divided by the root of the sum of all its squares.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        initial_accumulator_value: what the sums begin with, not negative.
        epsilon: added to the sums.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Duchi et al., https://www.jmlr.org/papers/v12/duchi11a.html

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> optimizer = keras.optimizers.Adagrad(0.1, initial_accumulator_value=11.0)
    >>> optimizer.apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    0.9167
    """

    options = ("initial_accumulator_value", "epsilon")
    slots = ("accumulator",)
    slot_attributes = {"accumulator": "_accumulators"}
    kernel = "adagrad"

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7, *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        check(initial_accumulator_value >= 0, self, "initial_accumulator_value",
              initial_accumulator_value, "zero or positive")  # fmt: skip
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def first_slot(self, name: str, variable: Any) -> float:
        return self.initial_accumulator_value

    def rule(self, param: Any, grad: Any, slots: Any, rate: Any) -> Any:
        (total,) = slots
        total = total + grad * grad
        return param - rate * grad / ops.sqrt(total + self.epsilon), (total,)


class Ftrl(Optimizer):
    """Follow the regularized leader: for large, sparse linear models.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        learning_rate_power: how the rate falls with the sum of squares; zero or negative.
        initial_accumulator_value: what the sums begin with, not negative.
        l1_regularization_strength: weights whose pull is weaker than this become zero.
        l2_regularization_strength: a penalty on the squares of weights.
        l2_shrinkage_regularization_strength: the same as part of the gradient, which the sums of
            squares do not see.
        beta: the beta of the paper.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: McMahan et al., Ad click prediction,
    https://research.google.com/pubs/archive/41159.pdf

    >>> import kerasish as keras
    >>> weight = keras.Variable([0.0])
    >>> optimizer = keras.optimizers.Ftrl(0.1, initial_accumulator_value=11.0)
    >>> optimizer.apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    -0.0833
    """

    options = (
        "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength",
        "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta",
    )  # fmt: skip
    slots = (("accumulator", "linear"),)
    slot_attributes = {"accumulator": "_accumulators", "linear": "_linears"}

    def __init__(
        self, learning_rate: Any = 0.001, learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1, l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0, l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0, *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        check(learning_rate_power <= 0, self, "learning_rate_power", learning_rate_power,
              "zero or negative")  # fmt: skip
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        for name in self.options[1:]:
            value = getattr(self, name)
            check(value >= 0, self, name, value, "zero or positive")

    def first_slot(self, name: str, variable: Any) -> float:
        return self.initial_accumulator_value if name == "accumulator" else 0.0

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        # A schedule may end at zero, which must not be divided by.
        rate = larger(learning_rate, 1e-7)
        return rate, self.l2_regularization_strength + self.beta / (2 * rate)

    def rule(self, param: Any, grad: Any, slots: Any, hyper: Any) -> Any:
        total, linear = slots
        rate, l2 = hyper
        new_total = total + grad * grad
        before, after = (ops.power(n, -self.learning_rate_power) for n in (total, new_total))
        shrunk = grad + 2 * self.l2_shrinkage_regularization_strength * param
        linear = linear + shrunk - (after - before) / rate * param
        l1 = self.l1_regularization_strength
        pull = ops.clip(linear, -l1, l1) - linear
        return pull / (after / rate + 2 * l2), (new_total, linear)
