"""Gradient descent with momentum, and by signs."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.optimizers.base import Optimizer, check


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for.

    Sutskever et al. (2013), https://proceedings.mlr.press/v28/sutskever13.html

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        momentum: how much of the last step is added to the next, in [0, 1].
        nesterov: take the gradient's step as if the momentum had been applied already.
        common: the arguments that all optimizers share; see `Optimizer`.

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.apply([keras.ops.ones(1)], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    0.71
    """

    options = ("momentum", "nesterov")
    slot_attributes = {"momentum": "momentums"}
    momentums: list[Any]
    kernel = "sgd"

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False,
        *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        check(0 <= momentum <= 1, self, "momentum", momentum, "in [0, 1]")
        self.momentum = momentum
        self.nesterov = nesterov
        self.slots = ("momentum",) if momentum else ()

    def rule(self, param: Any, grad: Any, slots: Any, rate: Any) -> Any:
        if not slots:
            return param - rate * grad, ()
        (m,) = slots
        m = self.momentum * m - rate * grad
        step = self.momentum * m - rate * grad if self.nesterov else m
        return param + step, (m,)


class Lion(Optimizer):
    """Lion: steps of equal size in the direction of the sign of an interpolated gradient.

    Its learning rate should be 3 to 10 times smaller than Adam's, its weight decay as much larger.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        beta_1: how the momentum and the gradient are mixed for the step, in (0, 1].
        beta_2: how the momentum follows the gradients.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Chen et al., Symbolic discovery of optimization algorithms,
    https://arxiv.org/abs/2302.06675

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0, 1.0])
    >>> keras.optimizers.Lion(0.1).apply([keras.ops.array([3.0, -0.5])], [weight])
    >>> weight.numpy().round(4).tolist()
    [0.8999999761581421, 1.100000023841858]
    """

    options = ("beta_1", "beta_2")
    slots = ("momentum",)
    slot_attributes = {"momentum": "_momentums"}

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99,
        *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        check(0 < beta_1 <= 1, self, "beta_1", beta_1, "in (0, 1]")
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def rule(self, param: Any, grad: Any, slots: Any, rate: Any) -> Any:
        (m,) = slots
        direction = ops.sign(grad + (m - grad) * self.beta_1)
        return param - rate * direction, (grad + (m - grad) * self.beta_2,)
