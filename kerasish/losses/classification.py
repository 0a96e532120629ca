"""Cross-entropies: losses of predicted probabilities, or of logits, against classes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from kerasish import backends, config, dtypes, ops
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.losses.base import LossFunctionWrapper, as_tensor, pair

_REDUCTION = "sum_over_batch_size"


def _smoothed(y_true: Any, amount: Any, classes: Any) -> Any:
    """Labels moved towards the uniform distribution over the classes."""
    if isinstance(amount, int | float):
        if not 0 <= amount <= 1:
            raise InvalidArgument(f"label_smoothing is between 0 and 1, got {amount}.")
        if not amount:
            return y_true
    return ops.add(
        ops.multiply(y_true, ops.subtract(1.0, amount)), ops.divide(amount, classes)
    )


def _check_one_hot(name: str, y_true: Any, y_pred: Any, axis: int) -> None:
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if len(true) == len(pred) and (true[axis] == pred[axis] or None in (true[axis], pred[axis])):
        if pred[axis] == 1:
            warnings.warn(
                f"{name} of a single class is 0 whatever is predicted, as for the predictions of "
                f"shape {pred}. For two classes use binary_crossentropy.",
                stacklevel=2,
            )
        return
    raise ShapeError(
        f"{name} needs one-hot labels of the shape of the predictions, {pred}; got y_true of shape "
        f"{true}. For labels that are class numbers use sparse_categorical_crossentropy, or "
        "convert them with keras.utils.to_categorical."
    )


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:  # fmt: skip
    """`-sum(y_true * log(y_pred))` over the class axis.

    Args:
        y_true: one-hot labels or probabilities, `(batch, ..., classes)`.
        y_pred: predicted probabilities (rescaled to sum to one), of the same shape.
        from_logits: `y_pred` holds unscaled log-probabilities instead; better in precision.
        label_smoothing: how much of each label is spread evenly over all classes, 0 to 1.
        axis: the class axis.

    >>> import kerasish as keras
    >>> loss = keras.losses.categorical_crossentropy([[0.0, 1.0, 0.0]], [[0.05, 0.95, 0.0]])
    >>> [round(x, 4) for x in loss.tolist()]
    [0.0513]
    """
    y_true, y_pred = pair(y_true, y_pred)
    _check_one_hot("categorical_crossentropy", y_true, y_pred, axis)
    y_true = _smoothed(y_true, label_smoothing, y_pred.shape[axis])
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


def check_labels(y_true: Any, y_pred: Any, axis: int = -1, ignore_class: int | None = None) -> None:
    """Raises where class numbers that are on the host do not name a class of the predictions.

    Once on a device they are beyond checking: JAX would give NaN without a word.
    """
    if isinstance(y_true, list | tuple):
        y_true = np.asarray(y_true)
    if type(y_true) is not np.ndarray or y_true.dtype.kind not in "iu" or not y_true.size:
        return
    classes = y_pred.shape[axis]
    # Negative numbers are huge when read as unsigned: one pass finds both kinds of error.
    if classes is None or y_true.view(f"u{y_true.itemsize}").max() < classes:
        return
    wrong = y_true[(y_true < 0) | (y_true >= classes)]
    wrong = np.unique(wrong if ignore_class is None else wrong[wrong != ignore_class])
    if wrong.size:
        raise InvalidArgument(
            f"Labels must be class numbers from 0 to {classes - 1}, as y_pred has {classes} "
            f"classes; got {wrong[:5].tolist()}{' and others' if wrong.size > 5 else ''}. Number "
            "the classes from 0, give the last layer more units, or use ignore_class for a label "
            "that does not count."
        )


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None,
    axis: int = -1,
) -> Any:  # fmt: skip
    """`-log(y_pred[y_true])`: the cross-entropy of class numbers.

    Args:
        y_true: class numbers, `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: predicted probabilities, `(batch, ..., classes)`.
        from_logits: `y_pred` holds unscaled log-probabilities instead; better in precision.
        ignore_class: a label (such as -1 or 255) whose loss is zero.
        axis: the class axis.

    >>> import kerasish as keras
    >>> loss = keras.losses.sparse_categorical_crossentropy([1, 0], [[0.1, 0.9], [0.4, 0.6]])
    >>> [round(x, 4) for x in loss.tolist()]
    [0.1054, 0.9163]
    """
    y_pred = as_tensor(y_pred)
    if not from_logits or type(y_true) not in backends.active.native:  # else the kernel checks
        check_labels(y_true, y_pred, axis, ignore_class)
    y_true = as_tensor(y_true)
    rank = len(y_pred.shape)
    if len(y_true.shape) == rank and y_true.shape[axis] not in (1, None) and rank > 1:
        raise ShapeError(
            "sparse_categorical_crossentropy needs class numbers, of the shape of y_pred without "
            f"its class axis, {tuple(y_pred.shape)}; got y_true of shape {tuple(y_true.shape)}. "
            "For one-hot labels use categorical_crossentropy."
        )
    if y_true.dtype not in backends.active.WHOLE_DTYPES and not dtypes.is_int(y_true.dtype):
        y_true = ops.cast(y_true, "int32")
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits, axis)
    if len(y_true.shape) == rank:
        y_true = ops.squeeze(y_true, axis)
    valid = ops.not_equal(y_true, ignore_class)
    loss = ops.sparse_categorical_crossentropy(
        ops.where(valid, y_true, ops.zeros_like(y_true)), y_pred, from_logits=from_logits, axis=axis
    )
    return ops.where(valid, loss, ops.zeros_like(loss))


sparse_categorical_crossentropy.takes_class_numbers = True


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
    axis: Any = -1,
) -> Any:  # fmt: skip
    """The mean of `-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred)` over an axis.

    Args:
        y_true: labels 0 and 1, or probabilities, `(batch, ..., n)`.
        y_pred: predicted probabilities, of the same shape.
        from_logits: `y_pred` holds logits instead; better in precision.
        label_smoothing: how far each label is moved towards 0.5, 0 to 1.
        axis: the axis that the mean is taken over.

    >>> import kerasish as keras
    >>> loss = keras.losses.binary_crossentropy([[0.0, 1.0]], [[0.25, 0.5]])
    >>> [round(x, 4) for x in loss.tolist()]
    [0.4904]
    """
    y_true, y_pred = pair(y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, 2)
    loss = ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits)
    return ops.mean(loss, axis=axis)


def binary_focal_crossentropy(
    y_true: Any, y_pred: Any, apply_class_balancing: bool = False, alpha: float = 0.25,
    gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: Any = -1,
) -> Any:  # fmt: skip
    """Binary cross-entropy times `(1 - p) ** gamma`, `p` being the probability of the truth.

    What is classified well already counts less (https://arxiv.org/abs/1708.02002).

    Args:
        y_true: labels 0 and 1, `(batch, ..., n)`.
        y_pred: predicted probabilities, of the same shape.
        apply_class_balancing: weigh label 1 with `alpha` and label 0 with `1 - alpha`.
        alpha: the weight of label 1.
        gamma: how strongly the easy cases are played down; 0 for plain cross-entropy.
        from_logits: `y_pred` holds logits instead.
        label_smoothing: how far each label is moved towards 0.5, 0 to 1.
        axis: the axis that the mean is taken over.

    >>> import kerasish as keras
    >>> loss = keras.losses.binary_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
    >>> [round(x, 4) for x in loss.tolist()]
    [0.1733]
    """
    y_true, y_pred = pair(y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, 2)
    loss = ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    # 1 - (y * p + (1 - y) * (1 - p)), with y * (1 - p) + (1 - y) * p keeping its precision
    miss = ops.add(
        ops.multiply(y_true, ops.subtract(1.0, p)), ops.multiply(ops.subtract(1.0, y_true), p)
    )
    loss = ops.multiply(ops.power(miss, gamma), loss)
    if apply_class_balancing:
        weight = ops.add(ops.multiply(y_true, 2.0 * alpha - 1.0), 1.0 - alpha)
        loss = ops.multiply(weight, loss)
    return ops.mean(loss, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any, y_pred: Any, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False,
    label_smoothing: float = 0.0, axis: int = -1,
) -> Any:  # fmt: skip
    """The sum over classes of `-alpha * (1 - y_pred) ** gamma * y_true * log(y_pred)`.

    What is classified well already counts less (https://arxiv.org/abs/1708.02002).

    Args:
        y_true: one-hot labels, `(batch, ..., classes)`.
        y_pred: predicted probabilities (rescaled to sum to one), of the same shape.
        alpha: the weight of all classes, or a list with one for each.
        gamma: how strongly the easy cases are played down.
        from_logits: `y_pred` holds unscaled log-probabilities instead.
        label_smoothing: how much of each label is spread evenly over all classes, 0 to 1.
        axis: the class axis.

    >>> import kerasish as keras
    >>> loss = keras.losses.categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
    >>> [round(x, 4) for x in loss.tolist()]
    [0.0433]
    """
    y_true, y_pred = pair(y_true, y_pred)
    _check_one_hot("categorical_focal_crossentropy", y_true, y_pred, axis)
    y_true = _smoothed(y_true, label_smoothing, y_pred.shape[axis])
    if from_logits:
        log = ops.log_softmax(y_pred, axis=axis)
        p = ops.exp(log)
    else:
        p = ops.divide(y_pred, ops.sum(y_pred, axis=axis, keepdims=True))
        p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
        log = ops.log(p)
    focus = ops.multiply(ops.power(ops.subtract(1.0, p), gamma), alpha)
    return ops.negative(ops.sum(ops.multiply(ops.multiply(focus, y_true), log), axis=axis))


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """`(1 - y_pred[y_true] ** q) / q`: between cross-entropy and absolute error.

    It bears wrong labels (https://arxiv.org/abs/1805.07836).

    Args:
        y_true: class numbers, `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: predicted probabilities, `(batch, ..., classes)`.
        q: near 0 for cross-entropy, near 1 for absolute error.

    >>> import kerasish as keras
    >>> loss = keras.losses.categorical_generalized_cross_entropy([1], [[0.75, 0.25]], 0.5)
    >>> loss.tolist()
    [1.0]
    """
    if not 0 < q < 1:
        raise InvalidArgument(f"q is between 0 and 1 (exclusive), got {q}.")
    y_pred = as_tensor(y_pred)
    check_labels(y_true, y_pred)
    y_true = ops.cast(y_true, "int32")
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    hot = ops.one_hot(y_true, y_pred.shape[-1], dtype=dtypes.standardize(y_pred.dtype))
    p = ops.sum(ops.multiply(hot, y_pred), axis=-1)
    return ops.divide(ops.subtract(1.0, ops.power(p, q)), q)


categorical_generalized_cross_entropy.takes_class_numbers = True


class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy of yes-or-no predictions.

    Args:
        from_logits: predictions are logits, not probabilities; better in precision.
        label_smoothing: how far each label is moved towards 0.5, 0 to 1.
        axis: the axis that the mean is taken over.
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> loss = keras.losses.BinaryCrossentropy(from_logits=True)
    >>> round(float(loss([[0.0, 1.0]], [[0.0, 0.0]])), 4)
    0.6931
    """

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, axis: Any = -1,
        reduction: str | None = _REDUCTION, name: str = "binary_crossentropy", dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            binary_crossentropy, reduction, name, dtype, from_logits=from_logits,
            label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy that plays down what is classified well already.

    Lin et al. (2017), https://arxiv.org/abs/1708.02002

    Args:
        apply_class_balancing: weigh label 1 with `alpha` and label 0 with `1 - alpha`.
        alpha: the weight of label 1.
        gamma: how strongly the easy cases are played down.
        from_logits: predictions are logits, not probabilities.
        label_smoothing: how far each label is moved towards 0.5, 0 to 1.
        axis: the axis that the mean is taken over.
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> round(float(keras.losses.BinaryFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.1733
    """

    def __init__(
        self, apply_class_balancing: bool = False, alpha: float = 0.25, gamma: float = 2.0,
        from_logits: bool = False, label_smoothing: float = 0.0, axis: Any = -1,
        reduction: str | None = _REDUCTION, name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            binary_focal_crossentropy, reduction, name, dtype, from_logits=from_logits,
            label_smoothing=label_smoothing, axis=axis,
            apply_class_balancing=apply_class_balancing, alpha=alpha, gamma=gamma,
        )  # fmt: skip


class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of one-hot labels.

    Args:
        from_logits: predictions are logits, not probabilities; better in precision.
        label_smoothing: how much of each label is spread evenly over all classes, 0 to 1.
        axis: the class axis.
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> loss = keras.losses.CategoricalCrossentropy()
    >>> round(float(loss([[0.0, 1.0, 0.0]], [[0.05, 0.95, 0.0]])), 4)
    0.0513
    """

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
        reduction: str | None = _REDUCTION, name: str = "categorical_crossentropy",
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            categorical_crossentropy, reduction, name, dtype, from_logits=from_logits,
            label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of one-hot labels that plays down what is classified well already.

    Lin et al. (2017), https://arxiv.org/abs/1708.02002

    Args:
        alpha: the weight of all classes, or a list with one for each.
        gamma: how strongly the easy cases are played down.
        from_logits: predictions are logits, not probabilities.
        label_smoothing: how much of each label is spread evenly over all classes, 0 to 1.
        axis: the class axis.
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> round(float(keras.losses.CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.0433
    """

    def __init__(
        self, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False,
        label_smoothing: float = 0.0, axis: int = -1, reduction: str | None = _REDUCTION,
        name: str = "categorical_focal_crossentropy", dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            categorical_focal_crossentropy, reduction, name, dtype, from_logits=from_logits,
            label_smoothing=label_smoothing, axis=axis, alpha=alpha, gamma=gamma,
        )  # fmt: skip


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of class numbers.

    Args:
        from_logits: predictions are logits, not probabilities; better in precision.
        ignore_class: a label (such as -1 or 255) that does not count.
        reduction: see `Loss`.
        axis: the class axis.
        name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> loss = keras.losses.SparseCategoricalCrossentropy()
    >>> round(float(loss([1, 0], [[0.1, 0.9], [0.4, 0.6]])), 4)
    0.5108
    """

    def __init__(
        self, from_logits: bool = False, ignore_class: int | None = None,
        reduction: str | None = _REDUCTION, axis: int = -1,
        name: str = "sparse_categorical_crossentropy", dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            sparse_categorical_crossentropy, reduction, name, dtype, from_logits=from_logits,
            ignore_class=ignore_class, axis=axis,
        )  # fmt: skip
        self.ignore_class = ignore_class

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if type(y_true) not in backends.active.native and hasattr(y_pred, "shape"):
            # Here, while the labels are still on the host.
            check_labels(y_true, y_pred, self._fn_kwargs["axis"], self.ignore_class)
        return super().__call__(y_true, y_pred, sample_weight)

    def valid(self, y_true: Any) -> Any:
        return None if self.ignore_class is None else ops.not_equal(y_true, self.ignore_class)


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """A loss of class numbers that bears wrong labels.

    Zhang and Sabuncu (2018), https://arxiv.org/abs/1805.07836

    Args:
        q: near 0 for cross-entropy, near 1 for absolute error.
        reduction, name, dtype: see `Loss`.

    >>> import kerasish as keras
    >>> float(keras.losses.CategoricalGeneralizedCrossEntropy(q=0.5)([1], [[0.75, 0.25]]))
    1.0
    """

    def __init__(
        self, q: float = 0.5, reduction: str | None = _REDUCTION,
        name: str = "categorical_generalized_cross_entropy", dtype: Any = None,
    ):  # fmt: skip
        if not 0 < q < 1:
            raise InvalidArgument(f"q is between 0 and 1 (exclusive), got {q}.")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
