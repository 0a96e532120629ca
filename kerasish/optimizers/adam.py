"""Adam and its relatives: steps scaled by running moments of the gradient."""

from __future__ import annotations

import math
from typing import Any

from kerasish import backends, ops
from kerasish.optimizers.base import Optimizer, grown


class Adam(Optimizer):
    """Adam: momentum divided by the root of the running mean square of the gradient.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        beta_1: how slowly the first moment follows the gradient.
        beta_2: how slowly the second moment follows the squared gradient.
        epsilon: added to the root, before the correction of its bias ("epsilon hat" in the paper).
        amsgrad: divide by the largest second moment so far.
        common: the arguments that all optimizers share; see `Optimizer`.

    References: Kingma and Ba, https://arxiv.org/abs/1412.6980; AMSGrad: Reddi et al.,
    https://openreview.net/forum?id=ryQu7f-RZ

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> keras.optimizers.Adam(0.1).apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    0.9
    """

    options = ("beta_1", "beta_2", "epsilon", "amsgrad")
    slots = (("momentum", "velocity"),)
    slot_attributes = {
        "momentum": "_momentums", "velocity": "_velocities", "velocity_hat": "_velocity_hats"
    }  # fmt: skip
    kernel = "adam"

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, amsgrad: bool = False, *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        if amsgrad:
            self.slots = (*self.slots, "velocity_hat")

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        """The learning rate with the moments' bias at the first steps corrected."""
        return learning_rate * grown(self.beta_2, step) ** 0.5 / grown(self.beta_1, step)

    def rule(self, param: Any, grad: Any, slots: Any, rate: Any) -> Any:
        m, v, *peak = slots
        m = m + (grad - m) * (1 - self.beta_1)
        v = v + (grad * grad - v) * (1 - self.beta_2)
        peak = [ops.maximum(x, v) for x in peak]
        divisor = ops.sqrt(peak[0] if peak else v) + self.epsilon
        return param - m * rate / divisor, (m, v, *peak)


class AdamW(Adam):
    """Adam with weight decay that is not scaled by the moments.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        weight_decay: the fraction of each weight, times the learning rate, that a step takes away.
        beta_1, beta_2, epsilon, amsgrad: as in `Adam`.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Loshchilov and Hutter, https://arxiv.org/abs/1711.05101

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> keras.optimizers.AdamW(0.1, weight_decay=0.5).apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    0.85
    """

    def __init__(
        self, learning_rate: Any = 0.001, weight_decay: float | None = 0.004, beta_1: float = 0.9,
        beta_2: float = 0.999, epsilon: float = 1e-7, amsgrad: bool = False,
        *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, *common, **kwargs
        )


class Adamax(Optimizer):
    """Adam with the largest gradient of late in place of the second moment.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        beta_1: how slowly the first moment follows the gradient.
        beta_2: how slowly the largest gradient is forgotten.
        epsilon: added to the divisor.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Kingma and Ba, section 7, https://arxiv.org/abs/1412.6980

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> keras.optimizers.Adamax(0.1).apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    0.9
    """

    options = ("beta_1", "beta_2", "epsilon")
    slots = (("momentum", "norm"),)
    slot_attributes = {"momentum": "_m", "norm": "_u"}

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        return learning_rate / grown(self.beta_1, step)

    def rule(self, param: Any, grad: Any, slots: Any, rate: Any) -> Any:
        m, u = slots
        m = m + (grad - m) * (1 - self.beta_1)
        u = ops.maximum(self.beta_2 * u, ops.absolute(grad))
        return param - m * rate / (u + self.epsilon), (m, u)


class Nadam(Optimizer):
    """Adam with Nesterov's momentum.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        beta_1: how slowly the first moment follows the gradient, once it has warmed up.
        beta_2: how slowly the second moment follows the squared gradient.
        epsilon: added to the divisor.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Dozat, Incorporating Nesterov momentum into Adam,
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    >>> import kerasish as keras
    >>> weight = keras.Variable([1.0])
    >>> keras.optimizers.Nadam(0.1).apply([keras.ops.array([5.0])], [weight])
    >>> round(float(weight.numpy()[0]), 4)
    0.8937
    """

    options = ("beta_1", "beta_2", "epsilon")
    slots = (("momentum", "velocity"),)
    slot_attributes = {"momentum": "_momentums", "velocity": "_velocities"}

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: Any) -> None:
        if not self.built:
            super().build(variables)
            self._u_product = self.add_variable((), "ones", "float32", name="u_product")

    def _momentum_at(self, step: Any) -> Any:
        """The momentum of a step: it grows from beta_1 / 2 to beta_1."""
        power = step * math.log(0.96)
        decay = math.exp(power) if type(step) is float else ops.exp(power)
        return self.beta_1 * (1 - 0.5 * decay)

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        """The factors of the moment and of the gradient, and the root's correction."""
        now, following = self._momentum_at(step), self._momentum_at(step + 1)
        product = backends.active.number(self._u_product) * now
        return (
            learning_rate * following / (1 - product * following),
            learning_rate * (1 - now) / (1 - product),
            grown(self.beta_2, step) ** -0.5,
        )

    def advance(self, step: Any) -> None:
        active = backends.active
        product = active.number(self._u_product) * self._momentum_at(step)
        active.set_number(self._u_product, product)

    def rule(self, param: Any, grad: Any, slots: Any, hyper: Any) -> Any:
        m, v = slots
        of_moment, of_gradient, correction = hyper
        m = m + (grad - m) * (1 - self.beta_1)
        v = v + (grad * grad - v) * (1 - self.beta_2)
        divisor = ops.sqrt(v) * correction + self.epsilon
        return param - (m * of_moment + grad * of_gradient) / divisor, (m, v)


class Lamb(Optimizer):
    """Adam with each layer's step as long as its weights: for very large batches.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        beta_1: how slowly the first moment follows the gradient.
        beta_2: how slowly the second moment follows the squared gradient.
        epsilon: added to the divisor.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: You et al., Large batch optimization for deep learning,
    https://arxiv.org/abs/1904.00962

    >>> import kerasish as keras
    >>> weight = keras.Variable([3.0, 4.0])
    >>> keras.optimizers.Lamb(0.1).apply([keras.ops.array([1.0, 0.0])], [weight])
    >>> weight.numpy().round(4).tolist()
    [2.5, 4.0]
    """

    options = ("beta_1", "beta_2", "epsilon")
    slots = (("momentum", "velocity"),)
    slot_attributes = {"momentum": "_momentums", "velocity": "_velocities"}
    elementwise = False

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        return learning_rate, 1 / grown(self.beta_1, step), grown(self.beta_2, step) ** -0.5

    def rule(self, param: Any, grad: Any, slots: Any, hyper: Any) -> Any:
        m, v = slots
        rate, of_moment, of_root = hyper
        m = m + (grad - m) * (1 - self.beta_1)
        v = v + (grad * grad - v) * (1 - self.beta_2)
        step = m * of_moment / (ops.sqrt(v) * of_root + self.epsilon)
        size, length = ops.norm(param), ops.norm(step)
        known = ops.logical_and(size > 0, length > 0)
        trust = ops.where(known, size / ops.where(known, length, 1.0), 1.0)
        return param - step * (rate * trust), (m, v)
