"""What all losses share: conversion of labels, sample weights, masks, reductions."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

from kerasish import dtypes, ops, tree
from kerasish.backends.state import local
from kerasish.core.op import describe, is_symbolic
from kerasish.core.operation import overridable, snake_case
from kerasish.core.scope import auto_name
from kerasish.errors import DTypeError, InvalidArgument, NotDefined, ShapeError
from kerasish.layers import masking

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss:
    """A number that says how far predictions are from the truth; training makes it small.

    A subclass defines `call(y_true, y_pred)`, which returns one loss for each sample (and for
    each time step, pixel, ...). Weights, masks and the reduction to one number are done here.

    Args:
        name: its name.
        reduction: how the losses of a batch become one number. `"sum_over_batch_size"` and
            `"mean"` divide the sum by the number of losses, `"sum"` does not,
            `"mean_with_sample_weight"` divides by the sum of the weights, `"none"` or `None`
            returns the losses as they are.
        dtype: what it is computed in; `None` for `floatx`, also under mixed precision.

    >>> import kerasish as keras
    >>> class Distance(keras.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return keras.ops.norm(y_true - y_pred, axis=-1)
    >>> float(Distance()([[3.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]))
    3.0
    """

    _labels_stay_integers = False
    """Integer labels keep their dtype (class numbers are looked up, not computed with)."""

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ):  # fmt: skip
        if reduction not in REDUCTIONS:
            raise InvalidArgument(
                f"{type(self).__name__}: unknown reduction {reduction!r}. Expected one of "
                f"{list(REDUCTIONS)}."
            )
        self.name = name or auto_name(snake_case(type(self).__name__))
        self.reduction = reduction
        self._given_dtype = dtype
        self._dtype = standardize_dtype(dtype)

    @property
    def dtype(self) -> str:
        """The dtype that the loss is computed in."""
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss of a batch.

        Args:
            y_true: the labels.
            y_pred: the model's output.
            sample_weight: one weight for each sample, or for each single loss.
        """
        mask = masking.get_mask(y_pred) if masking.in_use else None
        y_pred = as_tensors(y_pred, self._dtype)
        y_true = as_tensors(y_true, self._dtype, self._labels_stay_integers)
        try:
            losses = self.call(y_true, y_pred)
            if masking.in_use:
                mask = both(mask, masking.get_mask(losses))
            mask = both(mask, self.valid(y_true))
            return reduce_losses(losses, sample_weight, mask, self.reduction, self._dtype)
        except (InvalidArgument, ShapeError, DTypeError) as error:
            # JAX calls shapes that do not fit a TypeError.
            kind = ShapeError if isinstance(error.__cause__, TypeError) else type(error)
            raise kind(
                f"Loss {self.name!r} failed on y_true={_describe(y_true)}, "
                f"y_pred={_describe(y_pred)}: {error}"
            ) from error

    @overridable
    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The losses of the samples, before weights and reduction; a subclass defines it.

        Args:
            y_true: the labels, a tensor or a structure of them.
            y_pred: the predictions.
        """
        raise NotDefined(
            f"{type(self).__name__} defines no call(y_true, y_pred). Return one loss a sample."
        )

    def valid(self, y_true: Any) -> Any:
        """A mask of the labels that count, or `None` where all do."""
        return None

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal loss."""
        config = {"name": self.name, "reduction": self.reduction}
        if self._given_dtype is not None:
            config["dtype"] = self._dtype
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A loss with this config."""
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A function `fn(y_true, y_pred, **kwargs)` that returns a loss a sample, as a `Loss`.

    Args:
        fn: the function.
        reduction, name, dtype: see `Loss`.
        **kwargs: further arguments of `fn`.

    >>> from kerasish.losses import LossFunctionWrapper
    >>> loss = LossFunctionWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name="distance")
    >>> float(loss([1.0, 2.0], [1.0, 4.0]))
    1.0
    """

    def __init__(
        self, fn: Callable[..., Any], reduction: str | None = "sum_over_batch_size",
        name: str | None = None, dtype: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(name, reduction, dtype)
        self.fn = fn
        self._fn_kwargs = kwargs
        self._labels_stay_integers = getattr(fn, "takes_class_numbers", False)

    def __getattr__(self, name: str) -> Any:
        return argument_of(self, name)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        native = local.here.active.native
        if type(y_true) in native and type(y_pred) in native:
            y_true, y_pred = same_rank(y_true, y_pred)
        elif tree.is_nested(y_pred):
            if len(tree.flatten(y_true)) == len(tree.flatten(y_pred)):
                pairs = [
                    same_rank(t, p)
                    for t, p in zip(tree.flatten(y_true), tree.flatten(y_pred), strict=True)
                ]
                y_true = tree.pack_sequence_as(y_true, [t for t, _ in pairs])
                y_pred = tree.pack_sequence_as(y_pred, [p for _, p in pairs])
        elif not tree.is_nested(y_true):
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        from kerasish.saving.serialization import serialize_keras_object

        config = super().get_config()
        if type(self) is LossFunctionWrapper:
            config["fn"] = serialize_keras_object(self.fn)
        return {**config, **serialize_keras_object(self._fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        from kerasish.saving.serialization import deserialize_keras_object

        return cls(**deserialize_keras_object(config))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def argument_of(wrapper: Any, name: str) -> Any:
    """An argument that a loss or metric passes on to its function, such as `from_logits`."""
    try:
        return vars(wrapper)["_fn_kwargs"][name]
    except KeyError:
        raise AttributeError(
            f"{type(wrapper).__name__!r} object has no attribute {name!r}"
        ) from None


def standardize_dtype(dtype: Any) -> str:
    """The compute dtype of a dtype, a dtype policy, or `None` (`floatx`)."""
    return dtypes.standardize(getattr(dtype, "compute_dtype", dtype))


def as_tensor(x: Any, dtype: str | None = None, keep_integers: bool = False) -> Any:
    """`x` as a tensor, of `dtype` if that is given."""
    active = local.here.active
    if type(x) not in active.native:
        x = ops.convert_to_tensor(x)
        if is_symbolic(x):
            return x if dtype is None else ops.cast(x, dtype)
    if dtype is None or (keep_integers and x.dtype in active.WHOLE_DTYPES):
        return x
    return active.cast(x, dtype)


def as_tensors(x: Any, dtype: str, keep_integers: bool = False) -> Any:
    """Tensors of `dtype`. Nested lists of plain numbers are one tensor, not a structure."""
    if type(x) in local.here.active.native or not tree.is_nested(x):
        return None if x is None else as_tensor(x, dtype, keep_integers)
    if isinstance(x, dict):
        return {k: as_tensors(v, dtype, keep_integers) for k, v in x.items()}
    if all(isinstance(n, numbers.Number) for n in tree.flatten(x)):
        return as_tensor(x, dtype, keep_integers)
    return tree.map_structure(lambda v: as_tensors(v, dtype, keep_integers), x)


def _describe(x: Any) -> str:
    return str(tree.map_structure(describe, x)) if tree.is_nested(x) else describe(x)


def pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels and predictions as float tensors of one dtype (the predictions') and rank."""
    y_pred = as_tensor(y_pred)
    dtype = dtypes.standardize(y_pred.dtype)
    if not dtypes.is_float(dtype):
        dtype = dtypes.standardize(None)
        y_pred = ops.cast(y_pred, dtype)
    return same_rank(as_tensor(y_true, dtype), y_pred)


def same_rank(a: Any, b: Any) -> tuple[Any, Any]:
    """Makes up for a missing or superfluous last axis of size one: (batch,) and (batch, 1)."""
    difference = len(a.shape) - len(b.shape)
    if difference == 1 and a.shape[-1] == 1:
        return (a, ops.expand_dims(b, -1)) if len(b.shape) == 1 else (ops.squeeze(a, -1), b)
    if difference == -1 and b.shape[-1] == 1:
        return (ops.expand_dims(a, -1), b) if len(a.shape) == 1 else (a, ops.squeeze(b, -1))
    return a, b


def aligned(weights: Any, values: Any, what: str = "sample_weight") -> Any:
    """Weights shaped so that they multiply `values`: one for each sample, or finer.

    A weight of shape (batch,) counts for the whole sample, whatever axes follow.
    """
    given, wanted = tuple(weights.shape), tuple(values.shape)
    if len(given) == len(wanted) + 1 and given[-1] == 1:
        weights, given = ops.squeeze(weights, -1), given[:-1]
    missing = len(wanted) - len(given)
    if missing <= 0 or not given:
        if not given or not wanted or _broadcasts(given, wanted):
            return weights
    elif _broadcasts(given, wanted[: len(given)]):
        for _ in range(missing):
            weights = ops.expand_dims(weights, -1)
        return weights
    elif _broadcasts(given, wanted[missing:]):
        return weights
    raise ShapeError(
        f"{what} has shape {given}, which does not fit values of shape {wanted}. Give one number "
        f"for each sample, shape {wanted[:1]}, or one for each value, shape {wanted}."
    )


def _broadcasts(given: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    return len(given) == len(wanted) and all(
        g == w or g == 1 or w == 1 or g is None or w is None
        for g, w in zip(given, wanted, strict=True)
    )


def both(a: Any, b: Any) -> Any:
    """Two masks as one; `None` masks nothing."""
    if a is None or b is None:
        return b if a is None else a
    return ops.logical_and(a, aligned(b, a, "A mask"))


def masked_weights(weights: Any, mask: Any, values: Any, dtype: str) -> Any:
    """Sample weights that are zero where the mask is false, shaped to multiply `values`."""
    if weights is not None:
        weights = aligned(as_tensor(weights, dtype), values)
    if mask is None:
        return weights
    mask = aligned(ops.cast(mask, dtype), values, "The mask")
    return mask if weights is None else ops.multiply(weights, mask)


def size(x: Any) -> Any:
    """The number of elements: an int where the shape is known, else a tensor."""
    if None not in tuple(x.shape):
        return math.prod(x.shape)
    return ops.prod(ops.stack([ops.cast(d, "int32") for d in ops.shape(x)]))


def reduce_losses(
    losses: Any, sample_weight: Any, mask: Any, reduction: str | None, dtype: str
) -> Any:
    """Losses weighted, masked and reduced to one number (see `Loss`)."""
    losses = as_tensor(losses, dtype)
    weights = None
    if sample_weight is not None or mask is not None:
        weights = masked_weights(sample_weight, mask, losses, dtype)
        losses = ops.multiply(losses, weights)
    if reduction is None or reduction == "none" or len(losses.shape) == 0:
        if len(losses.shape) == 1 and sample_weight is not None:
            return same_rank(losses, as_tensor(sample_weight))[0]  # a column stays one
        return losses
    if reduction == "sum":
        return ops.sum(losses)
    if reduction == "mean_with_sample_weight" and weights is not None:
        return ops.divide_no_nan(ops.sum(losses), ops.sum(weights))
    if mask is not None:  # what is masked is not counted
        mask = aligned(ops.cast(mask, dtype), losses)
        valid = ops.sum(ops.multiply(mask, ops.ones_like(losses)))
        return ops.divide_no_nan(ops.sum(losses), valid)
    count = size(losses)
    if isinstance(count, int) and count:
        return ops.mean(losses)
    return ops.divide_no_nan(ops.sum(losses), ops.cast(count, dtype))
