"""Sums and means of values that come in batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kerasish import backends, ops
from kerasish.layers import masking
from kerasish.losses.base import argument_of, as_tensor, both, masked_weights
from kerasish.metrics.base import Metric, add


class Sum(Metric):
    """The sum of all values, each times its weight.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.Sum()
    >>> m.update_state([1.0, 3.0])
    >>> float(m([5.0], sample_weight=[2.0]))
    14.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            values: numbers of any shape.
            sample_weight: a weight for each sample or each value.
        """
        mask = masking.get_mask(values) if masking.in_use else None
        values = as_tensor(values, self._dtype)
        if sample_weight is not None or mask is not None:
            values = ops.multiply(values, masked_weights(sample_weight, mask, values, self._dtype))
        add(self.total, ops.sum(values) if len(values.shape) else values)

    def result(self) -> Any:
        return _read(self.total)


class Mean(Metric):
    """The mean of all values, each times its weight.

    The values of a sample (all axes but the first) count as one, their mean.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> m = keras.metrics.Mean()
    >>> m.update_state([1.0, 3.0])
    >>> float(m([5.0], sample_weight=[2.0]))
    3.5
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account.

        Args:
            values: numbers of any shape.
            sample_weight: a weight for each sample or each value.
        """
        mask = masking.get_mask(values) if masking.in_use else None
        self._update(values, sample_weight, mask)

    def _update(self, values: Any, weights: Any, mask: Any) -> None:
        values = as_tensor(values, self._dtype)
        rank = len(values.shape)
        if weights is None and mask is None:
            batch, inner = _split(values)
            total = ops.sum(values) if rank else values
        elif type(weights) in (int, float) and mask is None:
            # One weight for the whole batch, such as its size for a loss that is a mean already.
            total, batch, inner = (ops.mean(values) if rank else values) * weights, weights, 1
        else:
            weights = masked_weights(weights, mask, values, self._dtype)
            if rank and not len(weights.shape):
                values = ops.mean(values)
            total, inner = ops.sum(ops.multiply(values, weights)), _split(values)[1]
            batch, each = ops.sum(weights), _split(weights)[1]
            batch = batch if _is_one(each) else batch / each
        add(self.total, total if _is_one(inner) else total / inner)
        add(self.count, batch)

    def result(self) -> Any:
        return ops.divide_no_nan(self.total.value, self.count.value)


def _is_one(n: Any) -> bool:
    return type(n) is int and n == 1


def _split(x: Any) -> tuple[Any, Any]:
    """The size of the first axis and the product of the others; floats where not known."""
    shape = x.shape
    if None in tuple(shape):
        sizes = [
            d if isinstance(d, int) else ops.cast(d, backends.active.dtype_of(x))
            for d in ops.shape(x)
        ]
        return sizes[0], math.prod(sizes[1:])
    return (int(shape[0]), math.prod(shape[1:])) if len(shape) else (1, 1)


def _read(variable: Any) -> Any:
    """A copy of the state: later updates must not change a result that was given out."""
    return ops.copy(variable.value)


class MeanMetricWrapper(Mean):
    """The mean of a function `fn(y_true, y_pred, **kwargs)` that gives a value a sample.

    Args:
        fn: the function.
        name, dtype: see `Metric`.
        kwargs: passed on to `fn`.

    >>> import kerasish as keras
    >>> m = keras.metrics.MeanMetricWrapper(keras.losses.mean_absolute_error)
    >>> float(m([[0.0, 1.0]], [[1.0, 4.0]]))
    2.0
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ):
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs

    def __getattr__(self, name: str) -> Any:
        return argument_of(self, name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch into account.

        Args:
            y_true: the labels.
            y_pred: the predictions.
            sample_weight: a weight for each sample or each value of `fn`.
        """
        mask = masking.get_mask(y_pred) if masking.in_use else None
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        if masking.in_use:
            mask = both(mask, masking.get_mask(values))
        self._update(values, sample_weight, both(mask, self.valid(y_true)))

    def valid(self, y_true: Any) -> Any:
        """A mask of the labels that count, or `None` where all do."""
        return None

    def get_config(self) -> dict[str, Any]:
        from kerasish.saving.serialization import serialize_keras_object

        config = super().get_config()
        if type(self) is MeanMetricWrapper:
            config["fn"] = serialize_keras_object(self._fn)
        return {**config, **serialize_keras_object(self._fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        from kerasish.saving.serialization import deserialize_keras_object

        return cls(**deserialize_keras_object(config))
