"""AdamW without a schedule: averaging in place of a falling learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import ops
from kerasish.optimizers.base import Optimizer, check, grown


class ScheduleFreeAdamW(Optimizer):
    """AdamW that averages its iterates, so that no stopping time needs to be known.

    The weights lie between the iterate `z`, which the slot `momentum` holds, and the average of
    all iterates: `weight = beta_1 * average + (1 - beta_1) * z`.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        beta_1: where the weights lie between iterate and average, in (0, 1].
        beta_2: how slowly the second moment follows the squared gradient.
        epsilon: added to the divisor.
        warmup_steps: over how many steps the learning rate rises from zero.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Defazio et al., The road less scheduled, https://arxiv.org/abs/2405.15682

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> optimizer = keras.optimizers.ScheduleFreeAdamW(0.1)
    >>> for _ in range(2):
    ...     optimizer.apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    0.845
    """

    options = ("beta_1", "beta_2", "epsilon", "warmup_steps")
    slots = (("momentum", "velocity"),)
    slot_attributes = {"momentum": "_momentums", "velocity": "_velocities"}

    def __init__(
        self, learning_rate: Any = 0.0025, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-8, warmup_steps: int = 0, *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        check(0 < beta_1 <= 1, self, "beta_1", beta_1, "in (0, 1]")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def first_slot(self, name: str, variable: Any) -> np.ndarray | float:
        return variable.numpy() if name == "momentum" else 0.0

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        if self.warmup_steps:
            done = step / self.warmup_steps
            least = min(done, 1.0) if type(step) is float else ops.minimum(done, 1.0)
            learning_rate = learning_rate * least
        return learning_rate, grown(self.beta_2, step) ** -0.5, 1 / step

    def rule(self, param: Any, grad: Any, slots: Any, hyper: Any) -> Any:
        z, v = slots
        rate, correction, share = hyper
        v = v + (grad * grad - v) * (1 - self.beta_2)
        average = (param - (1 - self.beta_1) * z) / self.beta_1
        z = z - rate * grad / (ops.sqrt(v) * correction + self.epsilon)
        average = average + (z - average) * share
        return average + (z - average) * (1 - self.beta_1), (z, v)
