"""Cross-entropies: from logits in one stable step, from probabilities by clipped logarithms."""

from __future__ import annotations

from typing import Any

from kerasish import backends, config
from kerasish.backends.shapes import axis_of
from kerasish.core.op import describe, op
from kerasish.errors import ShapeError
from kerasish.ops.activation import log_softmax, softplus
from kerasish.ops.core import cast
from kerasish.ops.numpy import (
    clip,
    expand_dims,
    log,
    moveaxis,
    squeeze,
    subtract,
    sum,
    take_along_axis,
)

__all__ = ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]


def _clipped(probability: Any) -> Any:
    """Probabilities kept `epsilon` away from 0 and 1, for the logarithm's sake."""
    # Half precision cannot tell 1 - 1e-7 from 1.
    finest = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
    epsilon = max(config.epsilon(), finest.get(backends.active.dtype_of(probability), 0.0))
    return clip(probability, epsilon, 1.0 - epsilon)


def _check_same(name: str, target: Any, output: Any) -> None:
    a, b = tuple(target.shape), tuple(output.shape)
    if len(a) != len(b) or any(m != n and None not in (m, n) for m, n in zip(a, b, strict=True)):
        raise ShapeError(
            f"ops.{name} needs target and output of one shape, got target={describe(target)} and "
            f"output={describe(output)}. Reshape one of them; class indices in place of one-hot "
            "targets go to sparse_categorical_crossentropy."
        )


@op(convert="target", float="output", real=True)
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Cross-entropy between target and predicted probabilities of one event, elementwise.

    Args:
        target: what should have come, between 0 and 1.
        output: the prediction, same shape: probabilities, or logits with `from_logits`.
        from_logits: whether `output` holds logits (values before the sigmoid).

    >>> import kerasish as keras
    >>> loss = keras.ops.binary_crossentropy([0.0, 1.0], [0.5, 0.25])
    >>> [round(v, 4) for v in loss.tolist()]
    [0.6931, 1.3863]
    """
    _check_same("binary_crossentropy", target, output)
    target = cast(target, backends.active.dtype_of(output))
    if from_logits:
        return _binary_crossentropy_of_logits(target, output)
    output = _clipped(output)
    return -(target * log(output) + subtract(1.0, target) * log(subtract(1.0, output)))


@op(convert="target", float="logits")
def _binary_crossentropy_of_logits(target: Any, logits: Any) -> Any:
    return softplus(logits) - target * logits


@op(convert="target", float="output", real=True)
def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Cross-entropy between target and predicted distributions over classes.

    Args:
        target: distributions along `axis`, such as one-hot labels.
        output: the prediction, same shape: probabilities (rescaled to sum to 1), or logits with
            `from_logits`.
        from_logits: whether `output` holds logits (values before the softmax).
        axis: the axis of the classes, which the result lacks.

    >>> import kerasish as keras
    >>> loss = keras.ops.categorical_crossentropy([[0.0, 1.0]], [[0.75, 0.25]])
    >>> [round(v, 4) for v in loss.tolist()]
    [1.3863]
    """
    _check_same("categorical_crossentropy", target, output)
    if not len(output.shape):
        raise ShapeError("ops.categorical_crossentropy needs an axis of classes, got scalars.")
    target = cast(target, backends.active.dtype_of(output))
    if from_logits:
        return _softmax_crossentropy(target, output, axis)
    return -sum(target * log(_clipped(output / sum(output, axis, keepdims=True))), axis)


@op(convert="target", float="logits")
def _softmax_crossentropy(target: Any, logits: Any, axis: int) -> Any:
    return -sum(target * log_softmax(logits, axis), axis)


@op(convert="target", float="output", real=True)
def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Cross-entropy of predicted distributions over classes for given class indices.

    Labels outside `0 ... classes - 1` are an error on NumPy, torch and TensorFlow on a CPU, and
    give NaN where a compiled program cannot raise.

    Args:
        target: class indices of any numeric dtype; the shape of `output` without `axis`, or with
            size 1 there.
        output: probabilities (rescaled to sum to 1), or logits with `from_logits`.
        from_logits: whether `output` holds logits (values before the softmax).
        axis: the axis of the classes, which the result lacks.

    >>> import kerasish as keras
    >>> loss = keras.ops.sparse_categorical_crossentropy([1, 0], [[0.75, 0.25], [1.0, 1.0]])
    >>> [round(v, 4) for v in loss.tolist()]
    [1.3863, 0.6931]
    """
    rank = len(output.shape)
    axis = axis_of(axis, rank) if rank else axis
    if rank and len(target.shape) == rank and target.shape[axis] in (1, None):
        target = squeeze(target, axis)
    wanted = (*output.shape[:axis], *output.shape[axis + 1 :]) if rank else None
    given = tuple(target.shape)
    if wanted is None or given != wanted and (len(given) != len(wanted) or any(
        m != n and None not in (m, n) for m, n in zip(given, wanted, strict=True)
    )):
        raise ShapeError(
            "ops.sparse_categorical_crossentropy needs a target of class indices with the shape "
            f"of output without axis {axis}, got target={describe(target)} and "
            f"output={describe(output)}. One-hot targets go to categorical_crossentropy."
        )
    if axis != rank - 1:
        output = moveaxis(output, axis, -1)
    if "int" not in backends.active.dtype_of(target):
        target = cast(target, "int32")
    if from_logits:
        return _sparse_softmax_crossentropy(target, output)
    chances = output / sum(output, -1, keepdims=True)
    return -log(_clipped(squeeze(take_along_axis(chances, expand_dims(target, -1), -1), -1)))


@op(convert="target", float="logits")
def _sparse_softmax_crossentropy(target: Any, logits: Any) -> Any:
    picked = take_along_axis(log_softmax(logits, -1), expand_dims(target, -1), -1)
    return -squeeze(picked, -1)
