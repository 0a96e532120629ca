"""Losses of a batch or a sequence as a whole: circle loss of embeddings, CTC of transcripts."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.losses.base import LossFunctionWrapper

_REDUCTION = "sum_over_batch_size"
_NEVER = -1e9
"""The logarithm of nothing; finite, so that gradients are."""


def circle(
    y_true: Any, y_pred: Any, ref_labels: Any = None, ref_embeddings: Any = None,
    remove_diagonal: bool = True, gamma: float = 80, margin: float = 0.4,
) -> Any:  # fmt: skip
    """Circle loss: pulls embeddings of one class together and pushes those of others away.

    See https://arxiv.org/abs/2002.10857.

    Args:
        y_true: class numbers, `(batch,)` or `(batch, 1)`.
        y_pred: embeddings of length one, `(batch, dimension)`.
        ref_labels: the classes of `ref_embeddings`; by default `y_true`.
        ref_embeddings: what the embeddings are compared with; by default `y_pred`.
        remove_diagonal: do not compare an embedding with itself.
        gamma: the scale of the similarities.
        margin: how far apart the classes should be.

    >>> import kerasish as keras
    >>> embeddings = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> [round(x, 2) for x in keras.losses.circle([0, 1, 0], embeddings, gamma=10).tolist()]
    [0.18, 0.0, 4.81]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
    if ref_embeddings is None:
        references, ref_labels = y_pred, y_true if ref_labels is None else ref_labels
    else:
        references = ops.convert_to_tensor(ref_embeddings, y_pred.dtype)
    ref_labels = ops.reshape(ops.cast(ref_labels, "int32"), (1, -1))
    same = ops.equal(labels, ref_labels)
    positive, negative = same, ops.logical_not(same)
    if remove_diagonal:
        row = ops.cumsum(ops.ones_like(labels), axis=0)
        column = ops.cumsum(ops.ones_like(ref_labels), axis=1)
        positive = ops.logical_and(positive, ops.not_equal(row, column))

    distance = ops.subtract(1.0, ops.matmul(y_pred, ops.transpose(references)))
    pull = ops.multiply(ops.relu(ops.add(distance, margin)), ops.subtract(distance, margin))
    push = ops.multiply(
        ops.relu(ops.subtract(1.0 + margin, distance)), ops.subtract(1.0 - margin, distance)
    )

    def over(where: Any, score: Any) -> Any:
        return ops.logsumexp(ops.where(where, ops.multiply(score, gamma), _NEVER), axis=1)

    return ops.softplus(ops.add(over(positive, pull), over(negative, push)))


def ctc(y_true: Any, y_pred: Any) -> Any:
    """Connectionist temporal classification: minus the log-probability of a label sequence.

    Graves et al. (2006), https://doi.org/10.1145/1143844.1143891

    Class 0 is the blank, and fills up the rows of labels that are shorter than others; all
    time steps count.

    Args:
        y_true: class numbers, `(batch, labels)`.
        y_pred: logits, `(batch, time, classes)`.

    >>> import kerasish as keras
    >>> loss = keras.losses.ctc([[1]], [[[0.0, 0.0], [0.0, 0.0]]])
    >>> [round(x, 4) for x in loss.tolist()]
    [0.2877]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, "int32")
    lengths = ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), 1)
    steps = ops.multiply(ops.ones_like(lengths), ops.shape(y_pred)[1])
    return ops.ctc_loss(y_true, y_pred, lengths, steps, mask_index=0)


class Circle(LossFunctionWrapper):
    """Circle loss of embeddings of length one against their class numbers.

    Sun et al. (2020), https://arxiv.org/abs/2002.10857

    Args:
        gamma: the scale of the similarities.
        margin: how far apart the classes should be.
        remove_diagonal: do not compare an embedding with itself.
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> loss = keras.losses.Circle(gamma=10.0)
    >>> round(float(loss([0, 1, 0], [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])), 2)
    1.66
    """

    def __init__(
        self, gamma: float = 80.0, margin: float = 0.4, remove_diagonal: bool = True,
        reduction: str | None = _REDUCTION, name: str = "circle", dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            circle, reduction, name, dtype, gamma=gamma, margin=margin,
            remove_diagonal=remove_diagonal,
        )  # fmt: skip


class CTC(LossFunctionWrapper):
    """Connectionist temporal classification of logits against label sequences (0 is the blank).

    Graves et al. (2006), https://doi.org/10.1145/1143844.1143891

    Args:
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> round(float(keras.losses.CTC()([[1]], [[[0.0, 0.0], [0.0, 0.0]]])), 4)
    0.2877
    """

    def __init__(self, reduction: str | None = _REDUCTION, name: str = "ctc", dtype: Any = None):
        super().__init__(ctc, reduction, name, dtype)


circle.takes_class_numbers = True
ctc.takes_class_numbers = True
