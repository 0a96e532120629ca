"""Scaling of the loss against underflow, by a factor that adapts itself."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from kerasish import backends, ops
from kerasish.core.op import tensor
from kerasish.optimizers.base import Optimizer, check
from kerasish.optimizers.plan import when
from kerasish.saving import serialization


class LossScaleOptimizer(Optimizer):
    """Wraps an optimizer: scales the loss up, and its gradients down again, for float16.

    Micikevicius et al. (2017), https://arxiv.org/abs/1710.03740

    A step whose gradients are not finite is left out and halves the scale; the scale is doubled
    after every `dynamic_growth_steps` steps in a row that were finite.

    Args:
        inner_optimizer: the optimizer that updates the variables.
        initial_scale: the scale at first; it falls much faster than it grows, so begin high.
        dynamic_growth_steps: how many finite steps double it.
        name: its name.
        kwargs: the arguments that all optimizers share; those of the inner optimizer count.

    >>> import kerasish as keras
    >>> optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), 8.0)
    >>> weight = keras.Variable([1.0])
    >>> optimizer.apply([keras.ops.array([8.0])], [weight])
    >>> optimizer.apply([keras.ops.array([float("inf")])], [weight])
    >>> weight.numpy().tolist(), float(optimizer.scale_loss(1.0))
    ([0.5], 4.0)
    """

    def __init__(
        self, inner_optimizer: Optimizer, initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000, name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        check(isinstance(inner_optimizer, Optimizer), self, "inner_optimizer", inner_optimizer,
              "an Optimizer")  # fmt: skip
        check(dynamic_growth_steps >= 1, self, "dynamic_growth_steps", dynamic_growth_steps,
              "at least 1")  # fmt: skip
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        super().__init__(0.0, name=name, **kwargs)

    def build(self, variables: Any) -> None:
        if not self.built:
            self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
            self.dynamic_scale = self.add_variable(
                (), lambda shape, dtype: self.initial_scale, "float32", name="dynamic_scale"
            )
            self.inner_optimizer.build(variables)
            super().build(variables)

    variables = property(lambda self: [*self._variables, *self.inner_optimizer.variables])
    iterations = property(lambda self: self.inner_optimizer.iterations)

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value
        self._schedules = self.inner_optimizer._schedules

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the present scale."""
        scale = self.dynamic_scale.value if self.built else self.initial_scale
        return self.inner_optimizer.scale_loss(loss * scale)

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> None:
        """Updates the variables by the inner optimizer, where all gradients are finite."""
        grads = list(grads)
        if not grads:
            return
        variables = self._trainable_variables if trainable_variables is None else (
            list(trainable_variables)
        )
        if trainable_variables is not None:
            self.build(variables)
        active = backends.active
        grads = [g if g is None else tensor(g) for g in grads]
        finite = functools.reduce(
            ops.logical_and, [ops.all(ops.isfinite(g)) for g in grads if g is not None], True
        )
        scale, counter = active.number(self.dynamic_scale), active.number(self.step_counter)

        def update() -> None:
            scaled = iter(active.scaled([g for g in grads if g is not None], 1 / scale))
            self.inner_optimizer.apply(
                [g if g is None else next(scaled) for g in grads], trainable_variables
            )
            when(counter + 1 >= self.dynamic_growth_steps, grow, count, own)

        def grow() -> None:
            active.set_number(self.dynamic_scale, scale * 2.0)
            active.set_number(self.step_counter, counter * 0)

        def count() -> None:
            active.set_number(self.step_counter, counter + 1)

        def shrink() -> None:
            active.set_number(self.dynamic_scale, scale * 0.5)
            active.set_number(self.step_counter, counter * 0)

        own = [self.dynamic_scale, self.step_counter]
        finite = bool(finite) if type(counter) is int else finite
        when(finite, update, shrink, [*self.variables, *variables])

    def finalize_variable_values(self, var_list: Iterable[Any]) -> None:
        """Sets variables to the inner optimizer's averages."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": serialization.serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        inner = serialization.deserialize_keras_object(
            config["inner_optimizer"], custom_objects=custom_objects
        )
        return cls(**{**config, "inner_optimizer": inner})
