"""`Metric`: a running measure of predictions, with its state in variables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasish import dtypes
from kerasish.core.op import describe
from kerasish.core.operation import snake_case
from kerasish.core.scope import StatelessScope, auto_name, name_scope
from kerasish.core.variable import Variable
from kerasish.errors import InvalidArgument, NotDefined, StateError
from kerasish.losses.base import standardize_dtype

if TYPE_CHECKING:
    from typing_extensions import Self


class Metric:
    """A measure that adds up over batches: `update_state` as they come, `result` when asked.

    A subclass makes its state with `add_variable` in `__init__`, changes it in `update_state`
    and reads it in `result`, in ops only; it then works eagerly and compiled on every backend.
    Variables and metrics held in attributes, lists or dicts are its state.

    Args:
        dtype: the dtype of the state and of computations; `None` for `floatx`.
        name: its name.

    >>> import kerasish as keras
    >>> class Largest(keras.metrics.Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.largest = self.add_variable(shape=(), initializer="zeros", name="largest")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(keras.ops.maximum(self.largest, keras.ops.max(y_pred)))
    ...     def result(self):
    ...         return self.largest.value
    >>> metric = Largest()
    >>> metric.update_state([0.0], [3.0])
    >>> float(metric([0.0], [2.0]))
    3.0
    """

    _tracks_variables = True

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or auto_name(snake_case(type(self).__name__))
        self._dtype_policy = dtype if hasattr(dtype, "compute_dtype") else None
        self._dtype = standardize_dtype(dtype)
        self._added: list[Variable] = []

    # State ----------------------------------------------------------------------------------

    def add_variable(
        self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str | None = "sum",
        name: str | None = None,
    ) -> Variable:  # fmt: skip
        """Makes a variable of the metric's state.

        Args:
            shape: its shape.
            initializer: its first value: a name, an initializer, or a callable.
            dtype: its dtype; `None` for the metric's.
            aggregation: how replicas combine it.
            name: its name, below the metric's.
        """
        from kerasish import initializers

        self._check_initialized()
        with name_scope(self.name.replace("/", "_")):
            variable = Variable(
                initializers.get(initializer), shape, dtype or self._dtype, trainable=False,
                autocast=False, aggregation=aggregation, name=name,
            )  # fmt: skip
        self._added.append(variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = "zeros", dtype: Any = None,
        name: str | None = None,
    ) -> Variable:  # fmt: skip
        """The same as `add_variable`, with a scalar zero as default."""
        return self.add_variable(
            shape, "zeros" if initializer is None else initializer, dtype, name=name
        )

    def _check_initialized(self) -> None:
        if "_added" not in self.__dict__:
            raise StateError(
                f"{type(self).__name__} was not initialised: call super().__init__(name=name) "
                "first in its __init__."
            )

    @property
    def variables(self) -> list[Variable]:
        """The state: own variables and those of metrics held in attributes."""
        self._check_initialized()
        found: dict[int, Variable] = {}
        for value in self.__dict__.values():
            _collect(value, found)
        return list(found.values())

    @property
    def dtype(self) -> str:
        """The dtype of the state and of computations."""
        return self._dtype

    @property
    def dtype_policy(self) -> Any:
        """The dtype policy that the metric was given, or its dtype as a policy."""
        from kerasish import dtype_policies

        return self._dtype_policy or dtype_policies.get(self._dtype)

    # Measuring ------------------------------------------------------------------------------

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Takes a batch into account."""
        raise NotDefined(f"{type(self).__name__} defines no update_state().")

    def result(self) -> Any:
        """The measure so far: a scalar tensor, or a dict of them."""
        raise NotDefined(f"{type(self).__name__} defines no result().")

    def reset_state(self) -> None:
        """Begins anew."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, dtypes.numpy_dtype(variable.dtype)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Takes a batch into account and returns the measure so far."""
        self._check_initialized()
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(self, metric_variables: Any, *args: Any, **kwargs: Any) -> Any:
        """The state after a batch, as a function of the state before; changes nothing.

        Args:
            metric_variables: a value for each of `variables`.
            args, kwargs: what `update_state` takes.

        >>> import kerasish as keras
        >>> mean = keras.metrics.Mean()
        >>> state = mean.stateless_update_state([0.0, 0.0], [1.0, 2.0])
        >>> float(mean.stateless_result(state))
        1.5
        """
        with StatelessScope(self._bound(self.variables, metric_variables)) as scope:
            self.update_state(*args, **kwargs)
        # A metric that waited for its first batch has variables by now.
        return [scope.get_current_value(v) for v in self.variables]

    def stateless_result(self, metric_variables: Any) -> Any:
        """The measure of a given state; changes nothing."""
        with StatelessScope(self._bound(self.variables, metric_variables)):
            return self.result()

    def stateless_reset_state(self) -> Any:
        """The state of a fresh start; changes nothing."""
        variables = self.variables
        with StatelessScope(self._bound(variables, [v.value for v in variables])) as scope:
            self.reset_state()
        return [scope.get_current_value(v) for v in variables]

    def _bound(self, variables: list[Variable], values: Iterable[Any]) -> Any:
        values = list(values)
        if len(values) != len(variables):
            raise InvalidArgument(
                f"Metric {self.name!r} has {len(variables)} variables, got {len(values)} values. "
                "Give one for each of metric.variables, in their order."
            )
        return zip(variables, values, strict=True)

    # Configuration --------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal metric."""
        return {"name": self.name, "dtype": self._dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A metric with this config."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _collect(value: Any, found: dict[int, Variable]) -> None:
    kind = type(value)
    if kind in (str, int, float, bool, type(None)):
        return
    if isinstance(value, Variable):
        found[id(value)] = value
    elif isinstance(value, Metric):
        for variable in value.variables:
            found[id(variable)] = variable
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)


def add(variable: Variable, value: Any) -> None:
    """Adds to a variable of state; `value` is a tensor of its dtype or a Python number."""
    variable._increase(value)


def check_shapes(metric: Metric, y_true: Any, y_pred: Any) -> None:
    """Raises where labels and predictions differ in shape."""
    a, b = tuple(y_true.shape), tuple(y_pred.shape)
    if len(a) != len(b) or any(m != n and None not in (m, n) for m, n in zip(a, b, strict=True)):
        raise InvalidArgument(
            f"Metric {metric.name!r} ({type(metric).__name__}) needs labels and predictions of one "
            f"shape, got y_true={describe(y_true)}, y_pred={describe(y_pred)}."
        )
