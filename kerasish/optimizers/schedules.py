"""Learning-rate schedules: functions of the step count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kerasish import backends, ops
from kerasish.errors import InvalidArgument
from kerasish.saving import serialization


class LearningRateSchedule:
    """A learning rate that depends on the number of steps; the base class of schedules.

    A subclass defines `__call__(step)`, written in `keras.ops`, and `get_config()`.

    >>> import kerasish as keras
    >>> class Halving(keras.optimizers.schedules.LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * 0.5 ** keras.ops.cast(step, "float32")
    >>> optimizer = keras.optimizers.SGD(Halving())
    >>> round(float(optimizer.learning_rate), 4)
    0.1
    """

    options: tuple[str, ...] = ()
    """The constructor's arguments: attributes of the same names, for `get_config`."""

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step: a scalar integer tensor, 0 at first."""
        raise InvalidArgument(f"{type(self).__name__} must define __call__(self, step).")

    def at(self, step: int) -> float:
        """The learning rate as a number, computed on the host wherever that is possible."""
        if type(self).__call__.__module__ != __name__:
            # A schedule of the program's own may call the active engine's functions.
            return float(backends.to_host(self(backends.active.convert(step))))
        with backends.using(backends.host()):
            return float(self(step))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make a schedule like this one."""
        return {key: getattr(self, key) for key in self.options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A schedule from what `get_config` returned."""
        return cls(**config)


def _positive(schedule: Any, name: str, steps: Any) -> None:
    if not steps > 0:
        raise InvalidArgument(
            f"{type(schedule).__name__}: {name} must be positive, got {steps!r}."
        )


def _float(step: Any) -> Any:
    return ops.cast(step, "float32")


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps one factor of `decay_rate` takes.
        decay_rate: the factor.
        staircase: decay in whole factors only, at multiples of `decay_steps`.
        name: its name.

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.ExponentialDecay(0.8, 10, 0.5)
    >>> [round(float(schedule(step)), 4) for step in (0, 10, 20)]
    [0.8, 0.4, 0.2]
    """

    options = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float,
        staircase: bool = False, name: str = "ExponentialDecay",
    ):  # fmt: skip
        _positive(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        times = _float(step) / self.decay_steps
        if self.staircase:
            times = ops.floor(times)
        return self.initial_learning_rate * ops.power(self.decay_rate, times)


class InverseTimeDecay(LearningRateSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps make one unit of time.
        decay_rate: how fast the divisor grows in a unit of time.
        staircase: decay at multiples of `decay_steps` only.
        name: its name.

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.InverseTimeDecay(0.8, 10, 1.0)
    >>> [round(float(schedule(step)), 4) for step in (0, 10, 30)]
    [0.8, 0.4, 0.2]
    """

    options = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float,
        staircase: bool = False, name: str = "InverseTimeDecay",
    ):  # fmt: skip
        _positive(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        time = _float(step) / self.decay_steps
        if self.staircase:
            time = ops.floor(time)
        return self.initial_learning_rate / (1 + self.decay_rate * time)


class PiecewiseConstantDecay(LearningRateSchedule):
    """One value up to each boundary, the boundary included, and one for the rest.

    Args:
        boundaries: step numbers, ascending.
        values: the rates, one more than boundaries.
        name: its name.

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2, 5], [1.0, 0.5, 0.1])
    >>> [round(float(schedule(step)), 4) for step in (2, 3, 6)]
    [1.0, 0.5, 0.1]
    """

    options = ("boundaries", "values", "name")

    def __init__(
        self, boundaries: Sequence[int], values: Sequence[float], name: str = "PiecewiseConstant"
    ):
        if len(boundaries) != len(values) - 1:
            raise InvalidArgument(
                "PiecewiseConstantDecay needs one value more than boundaries, got "
                f"{len(boundaries)} boundaries and {len(values)} values."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> Any:
        step = _float(step)
        rate = ops.convert_to_tensor(self.values[-1], "float32")
        for boundary, value in zip(
            reversed(self.boundaries), reversed(self.values[:-1]), strict=True
        ):
            rate = ops.where(step <= float(boundary), value, rate)
        return rate


class PolynomialDecay(LearningRateSchedule):
    """From one rate to another in `decay_steps`, along `(1 - step / decay_steps) ** power`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: when the final rate is reached.
        end_learning_rate: the final rate.
        power: the exponent; 1 is a straight line.
        cycle: begin again from the next multiple of `decay_steps` when it is passed.
        name: its name.

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    >>> [round(float(schedule(step)), 4) for step in (0, 5, 20)]
    [1.0, 0.5, 0.0]
    """

    options = (
        "initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name"
    )  # fmt: skip

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, end_learning_rate: float = 0.0001,
        power: float = 1.0, cycle: bool = False, name: str = "PolynomialDecay",
    ):  # fmt: skip
        _positive(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Any:
        done = _float(step) / self.decay_steps
        if self.cycle:
            done = done / ops.maximum(ops.ceil(done), 1.0)
        left = 1 - ops.minimum(done, 1.0)
        span = self.initial_learning_rate - self.end_learning_rate
        return span * ops.power(left, self.power) + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from one rate to another, after an optional linear warm-up.

    Loshchilov and Hutter (2016), https://arxiv.org/abs/1608.03983

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps the cosine takes.
        alpha: the final rate, as a fraction of the rate that the cosine begins with.
        name: its name.
        warmup_target: the rate that the warm-up ends and the cosine begins with; with `None`
            there is no warm-up.
        warmup_steps: how many steps the warm-up takes.

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.CosineDecay(1.0, 10)
    >>> [round(float(schedule(step)), 4) for step in (0, 5, 10)]
    [1.0, 0.5, 0.0]
    """

    options = (
        "initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps"
    )  # fmt: skip

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, alpha: float = 0.0,
        name: str = "CosineDecay", warmup_target: float | None = None, warmup_steps: int = 0,
    ):  # fmt: skip
        _positive(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        step = _float(step)
        if self.warmup_target is None or not self.warmup_steps:
            top = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
            return top * _cosine(ops.minimum(step / self.decay_steps, 1.0), self.alpha)
        after = ops.clip((step - self.warmup_steps) / self.decay_steps, 0.0, 1.0)
        rise = self.warmup_target - self.initial_learning_rate
        return ops.where(
            step < self.warmup_steps,
            self.initial_learning_rate + rise * step / self.warmup_steps,
            self.warmup_target * _cosine(after, self.alpha),
        )


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after another, each `t_mul` times as long and `m_mul` times as high.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: the length of the first cosine.
        t_mul: the ratio of the lengths of successive cosines.
        m_mul: the ratio of the rates that successive cosines begin with.
        alpha: the lowest rate of a cosine, as a fraction of its highest.
        name: its name.

    Reference: Loshchilov and Hutter, SGDR, https://arxiv.org/abs/1608.03983

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.CosineDecayRestarts(1.0, 4)
    >>> [round(float(schedule(step)), 4) for step in (0, 2, 4, 8)]
    [1.0, 0.5, 1.0, 0.5]
    """

    options = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

    def __init__(
        self, initial_learning_rate: float, first_decay_steps: int, t_mul: float = 2.0,
        m_mul: float = 1.0, alpha: float = 0.0, name: str = "SGDRDecay",
    ):  # fmt: skip
        _positive(self, "first_decay_steps", first_decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: Any) -> Any:
        done = _float(step) / self.first_decay_steps
        if self.t_mul == 1.0:
            restarts = ops.floor(done)
            done = done - restarts
        else:
            # The cosines before the present one took the sum of a geometric series.
            restarts = ops.floor(
                ops.log2(1.0 - done * (1.0 - self.t_mul)) / math.log2(self.t_mul)
            )
            length = ops.power(self.t_mul, restarts)
            done = (done - (1.0 - length) / (1.0 - self.t_mul)) / length
        height = self.initial_learning_rate * ops.power(self.m_mul, restarts)
        return height * _cosine(done, self.alpha)


def _cosine(done: Any, alpha: float) -> Any:
    """From 1 to `alpha` as `done` goes from 0 to 1, along half a cosine."""
    return (1 - alpha) * 0.5 * (1.0 + ops.cos(math.pi * done)) + alpha


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """The config of a schedule, from which `deserialize` makes it anew.

    Args:
        learning_rate_schedule: the schedule.

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    >>> keras.optimizers.schedules.serialize(schedule)["class_name"]
    'CosineDecay'
    """
    return serialization.serialize_keras_object(learning_rate_schedule)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule that a config of `serialize` describes.

    Args:
        config: what `serialize` returned.
        custom_objects: classes by the names that stand in the config.

    >>> import kerasish as keras
    >>> schedules = keras.optimizers.schedules
    >>> schedules.deserialize(schedules.serialize(schedules.CosineDecay(0.1, 10))).decay_steps
    10
    """
    return serialization.deserialize_keras_object(config, custom_objects=custom_objects)
