"""Adafactor: second moments of matrices kept as a row and a column."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import ops
from kerasish.optimizers.base import Optimizer
from kerasish.optimizers.schedules import LearningRateSchedule


class Adafactor(Optimizer):
    """Adam-like steps, relative to the size of the weights, with factored second moments.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        beta_2_decay: the second moment of step `t` follows with `1 - t ** beta_2_decay`.
        epsilon_1: added to the squared gradient.
        epsilon_2: the least size of weights that steps are relative to.
        clip_threshold: steps whose root mean square is larger are scaled down to it.
        relative_step: let the learning rate, where it is a number, be at most `1 / sqrt(step)`.
        common: the arguments that all optimizers share; see `Optimizer`.

    Reference: Shazeer and Stern, https://arxiv.org/abs/1804.04235

    >>> import kerasish as keras
    >>> weight = keras.Variable([[1.0, 1.0], [1.0, 1.0]])
    >>> keras.optimizers.Adafactor(0.1).apply([keras.ops.ones((2, 2))], [weight])
    >>> weight.numpy().round(4).tolist()
    [[0.8999999761581421, 0.8999999761581421], [0.8999999761581421, 0.8999999761581421]]
    """

    options = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")
    slots = (("row", "column", "velocity"),)
    slot_attributes = {"row": "_r", "column": "_c", "velocity": "_v"}
    elementwise = False

    def __init__(
        self, learning_rate: Any = 0.001, beta_2_decay: float = -0.8, epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3, clip_threshold: float = 1.0, relative_step: bool = True,
        *common: Any, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(learning_rate, *common, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def first_slot(self, name: str, variable: Any) -> np.ndarray:
        shape = tuple(variable.shape)
        if name == "velocity":
            return np.zeros(shape)
        if len(shape) < 2:  # files hold a zero in place of the factors
            return np.zeros(())
        return np.zeros(shape[:-1] if name == "row" else (*shape[:-2], shape[-1]))

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        if self.relative_step and not isinstance(self._learning_rate, LearningRateSchedule):
            limit = step**-0.5
            learning_rate = (
                min(learning_rate, limit) if type(step) is float
                else ops.minimum(learning_rate, limit)
            )  # fmt: skip
        return learning_rate, step**self.beta_2_decay

    def rule(self, param: Any, grad: Any, slots: Any, hyper: Any) -> Any:
        row, column, v = slots
        rate, share = hyper
        squares = grad * grad + self.epsilon_1
        if len(param.shape) < 2:
            v = v + (squares - v) * share
        else:
            row = row + (ops.mean(squares, axis=-1) - row) * share
            column = column + (ops.mean(squares, axis=-2) - column) * share
            scale = row / ops.mean(row, axis=-1, keepdims=True)
            v = ops.expand_dims(scale, -1) * ops.expand_dims(column, -2)
        step = grad / ops.sqrt(v)
        step = step / ops.maximum(_rms(step) / self.clip_threshold, 1.0)
        size = ops.maximum(_rms(param), self.epsilon_2)
        return param - step * (rate * size), (row, column, v)


def _rms(x: Any) -> Any:
    return ops.sqrt(ops.mean(x * x))
