"""Different optimizers for different variables of one model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any

from kerasish import backends
from kerasish.errors import DTypeError, InvalidArgument
from kerasish.optimizers.base import Optimizer
from kerasish.saving import serialization


class NoRate(InvalidArgument, AttributeError):
    """A learning rate was asked of several optimizers at once."""


class OptimizerMap(MutableMapping):
    """Optimizers by regular expressions, each of which must match the whole path of a variable.

    Args:
        default_optimizer: the optimizer of variables that no expression matches.
        optimizer_map: expressions and their optimizers; the first that matches counts.

    >>> import kerasish as keras
    >>> adam, sgd = keras.optimizers.Adam(), keras.optimizers.SGD()
    >>> optimizers = keras.optimizers.OptimizerMap(adam, {"encoder/.*": sgd})
    >>> optimizers["encoder/dense/kernel"] is sgd, optimizers["decoder/bias"] is adam
    (True, True)
    """

    def __init__(
        self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None
    ):
        if not isinstance(default_optimizer, Optimizer):
            raise DTypeError(
                f"OptimizerMap: default_optimizer must be an Optimizer, got {default_optimizer!r}."
            )
        self._default = default_optimizer
        self._map: dict[str, Optimizer] = {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    @property
    def default_optimizer(self) -> Optimizer:
        """The optimizer of variables that no expression matches."""
        return self._default

    def __getitem__(self, path: str) -> Optimizer:
        if path in self._map:
            return self._map[path]
        return next((o for key, o in self._map.items() if re.fullmatch(key, path)), self._default)

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str) or not isinstance(optimizer, Optimizer):
            raise InvalidArgument(
                f"OptimizerMap maps a regular expression to an Optimizer, got {key!r}: "
                f"{optimizer!r}."
            )
        if key in self._map:
            raise InvalidArgument(f"OptimizerMap has an optimizer for {key!r} already. Delete it "
                                  "first to set another.")  # fmt: skip
        self._map[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._map[key]

    def __len__(self) -> int:
        return len(self._map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make a map like this one."""
        return {
            "default_optimizer": serialization.serialize_keras_object(self._default),
            "optimizer_map": {
                key: serialization.serialize_keras_object(o) for key, o in self._map.items()
            },
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OptimizerMap:
        """A map from what `get_config` returned."""
        return cls(
            serialization.deserialize_keras_object(config["default_optimizer"]),
            serialization.deserialize_keras_object(config["optimizer_map"]),
        )


class MultiOptimizer(Optimizer):
    """Gives each variable to an optimizer of its own.

    Args:
        optimizer_map: an `OptimizerMap`, or a function from a variable to its optimizer.
        loss_scale_factor: a factor for the loss, divided out of the gradients again.
        name: its name.

    >>> import kerasish as keras
    >>> kernel = keras.Variable([1.0], name="kernel")
    >>> bias = keras.Variable([1.0], name="bias")
    >>> slow, fast = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.5)
    >>> optimizer = keras.optimizers.MultiOptimizer(
    ...     keras.optimizers.OptimizerMap(slow, {".*bias": fast}))
    >>> optimizer.apply([keras.ops.ones(1), keras.ops.ones(1)], [kernel, bias])
    >>> round(float(kernel.numpy()[0]), 4), round(float(bias.numpy()[0]), 4)
    (0.9, 0.5)
    """

    def __init__(
        self, optimizer_map: OptimizerMap | Callable[[Any], Optimizer],
        loss_scale_factor: float | None = None, name: str | None = None,
    ):  # fmt: skip
        if not isinstance(optimizer_map, OptimizerMap) and not callable(optimizer_map):
            raise InvalidArgument(
                "MultiOptimizer: optimizer_map must be an OptimizerMap or a function from a "
                f"variable to its Optimizer, got {optimizer_map!r}."
            )
        self.optimizer_map = optimizer_map
        self.optimizers: list[Optimizer] = []
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        owned: dict[int, list[int]] = {}
        for i, variable in enumerate(self._trainable_variables):
            chosen = self.optimizer_map
            own = chosen[variable.path] if isinstance(chosen, OptimizerMap) else chosen(variable)
            if own not in self.optimizers:
                self.optimizers.append(own)
            owned.setdefault(self.optimizers.index(own), []).append(i)
        self._owned = owned
        for k, which in owned.items():
            self.optimizers[k].build([self._trainable_variables[i] for i in which])

    @property
    def variables(self) -> list[Any]:
        """Its own variables, then those of each optimizer."""
        return [*self._variables, *(v for o in self.optimizers for v in o.variables)]

    @property
    def learning_rate(self) -> Any:
        """There is none: each of `optimizers` has its own."""
        raise NoRate(
            f"{self.name} has no learning rate of its own. Ask its optimizers: "
            "[o.learning_rate for o in optimizer.optimizers]."
        )

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise NoRate(f"{self.name} has no learning rate to set. Set those of its optimizers.")

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> None:
        """Updates each variable by its optimizer."""
        grads = list(grads)
        if not grads:
            return
        variables = self._trainable_variables if trainable_variables is None else (
            list(trainable_variables)
        )
        if trainable_variables is not None:
            self.build(variables)
        variables, grads = self._usable(variables, grads)
        active = backends.active
        if self.loss_scale_factor is not None:
            grads = active.scaled(grads, 1.0 / self.loss_scale_factor)
        given = {self._get_variable_index(v): g for v, g in zip(variables, grads, strict=True)}
        for k, which in self._owned.items():
            if present := [i for i in which if i in given]:
                self.optimizers[k].apply(
                    [given[i] for i in present], [self._trainable_variables[i] for i in present]
                )
        active.set_number(self._iterations, active.number(self._iterations) + 1)

    def finalize_variable_values(self, var_list: Iterable[Any]) -> None:
        """Sets variables to the averages that their optimizers keep."""
        wanted = {id(v) for v in var_list}
        for k, which in self._owned.items():
            own = [self._trainable_variables[i] for i in which]
            self.optimizers[k].finalize_variable_values([v for v in own if id(v) in wanted])

    def get_config(self) -> dict[str, Any]:
        return {
            "optimizer_map": serialization.serialize_keras_object(self.optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        chosen = serialization.deserialize_keras_object(
            config["optimizer_map"], custom_objects=custom_objects
        )
        return cls(**{**config, "optimizer_map": chosen})
