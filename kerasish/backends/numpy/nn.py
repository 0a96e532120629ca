"""NumPy: neural-network kernels, each followed by its gradient rule.

Rules are differentiable NumPy code. Functions marked `@primitive` run on plain arrays only, also
under a tape, so they may work in place, on an array of their own (`np.empty_like`: operators on
scalars give no arrays). `np.where` mispredicts a branch at every other element of random data and
costs ten times a product with the mask, hence the arithmetic forms here.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kerasish.backends import bodies
from kerasish.backends.numpy.attention import _attention as _attention
from kerasish.backends.numpy.recurrent import _gru_states as _gru_states
from kerasish.backends.numpy.recurrent import _lstm_states as _lstm_states
from kerasish.backends.numpy.tape import defvjp, fused, primitive, strip
from kerasish.dtypes import numpy_dtype
from kerasish.errors import InvalidArgument


def _step(mask: Any, below: float, like: Any) -> Any:
    """1 where the mask holds and `below` elsewhere, without a branch."""
    kind = like.dtype.type
    return mask * kind(1 - below) + kind(below)


@functools.cache
def _zero(dtype: Any) -> Any:
    return np.zeros((), dtype)


@primitive
def relu(x: Any) -> Any:
    return np.maximum(x, _zero(x.dtype))  # a number would have to find its dtype each time


defvjp(relu, lambda g, ans, x: g * (ans > 0))


@primitive
def relu6(x: Any) -> Any:
    return np.minimum(np.maximum(x, 0), 6)


defvjp(relu6, lambda g, ans, x: g * ((x > 0) & (x < 6)))


@primitive
def leaky_relu(x: Any, negative_slope: float) -> Any:
    y = np.minimum(x, 0, out=np.empty_like(x))
    y *= negative_slope
    y += np.maximum(x, 0)
    return y


defvjp(leaky_relu, lambda g, ans, x, slope: g * _step(x > 0, slope, x))


@primitive
def elu(x: Any, alpha: float) -> Any:
    y = np.minimum(x, 0, out=np.empty_like(x))
    np.expm1(y, out=y)
    y *= alpha
    y += np.maximum(x, 0)
    return y


defvjp(
    elu,
    lambda g, ans, x, alpha: g * ((x > 0) + (x <= 0) * (alpha * np.exp(np.minimum(x, 0)))),
)


@primitive
def sigmoid(x: Any) -> Any:
    y = np.negative(x, out=np.empty_like(x))
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    y += 1
    return np.reciprocal(y, out=y)


defvjp(sigmoid, lambda g, ans, x: g * ans * (1 - ans))


@primitive
def softplus(x: Any) -> Any:
    y = np.abs(x, out=np.empty_like(x))
    np.negative(y, out=y)
    np.exp(y, out=y)
    np.log1p(y, out=y)
    y += np.maximum(x, 0)
    return y


defvjp(softplus, lambda g, ans, x: g * sigmoid(x))


def log_sigmoid(x: Any) -> Any:
    return -softplus(-x)


@primitive
def silu(x: Any) -> Any:
    y = sigmoid(x)
    y *= x
    return y


def _silu_rule(g: Any, ans: Any, x: Any) -> Any:
    s = sigmoid(x)
    return g * (s + ans * (1 - s))


defvjp(silu, _silu_rule)


_GELU = np.sqrt(2 / np.pi), 0.044715


def gelu(x: Any, approximate: bool) -> Any:
    return _gelu_tanh(x) if approximate else bodies["gelu"](x, False)


@primitive
def _gelu_tanh(x: Any) -> Any:
    y = _gelu_gate(x)
    y += 1
    y *= x
    y *= 0.5
    return y


def _gelu_gate(x: Any) -> Any:
    """`tanh(c x (1 + 0.0447 x^2))`."""
    c, cube = map(x.dtype.type, _GELU)
    return np.tanh(x * (c + c * cube * np.square(x)))


def _gelu_rule(g: Any, ans: Any, x: Any) -> Any:
    c, cube = map(x.dtype.type, _GELU)
    t = _gelu_gate(x)
    slope = c + 3 * c * cube * np.square(x)
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - np.square(t)) * slope)


defvjp(_gelu_tanh, _gelu_rule)


@primitive
def softmax(x: Any, axis: Any) -> Any:
    if not x.size:
        np.sum(x, axis)  # tells of an axis that is not there
        return x.copy()
    y = x - np.max(x, axis=axis, keepdims=True)
    y = np.exp(y, out=y if x.ndim else None)
    y /= np.sum(y, axis=axis, keepdims=True)
    return y


defvjp(
    softmax, lambda g, ans, x, axis: ans * (g - np.sum(g * ans, axis=axis, keepdims=True))
)


@primitive
def log_softmax(x: Any, axis: Any) -> Any:
    if not x.size:
        np.sum(x, axis)  # tells of an axis that is not there
        return x.copy()
    y = x - np.max(x, axis=axis, keepdims=True)
    y -= np.log(np.sum(np.exp(y), axis=axis, keepdims=True))
    return y


defvjp(
    log_softmax,
    lambda g, ans, x, axis: g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True),
)


@fused(lambda target, logits: bodies["_binary_crossentropy_of_logits"](target, logits))
def _binary_crossentropy_of_logits(target: Any, logits: Any) -> Any:
    y = softplus(logits)
    y -= target * logits
    return y, None


def _binary_pullback(g: Any, saved: Any, wanted: Any, target: Any, logits: Any) -> Any:
    return -logits * g if wanted[0] else None, (sigmoid(logits) - target) * g


_binary_crossentropy_of_logits.pullback = _binary_pullback


@fused(lambda target, logits, axis: bodies["_softmax_crossentropy"](target, logits, axis))
def _softmax_crossentropy(target: Any, logits: Any, axis: int) -> Any:
    log_chances = log_softmax(logits, axis)
    return -np.sum(target * log_chances, axis=axis), log_chances


def _softmax_crossentropy_pullback(
    g: Any, log_chances: Any, wanted: Any, target: Any, logits: Any, axis: int
) -> Any:
    g = np.expand_dims(g, axis)
    slope = np.exp(log_chances)
    slope *= np.sum(target, axis=axis, keepdims=True)
    slope -= target
    slope *= g
    return -log_chances * g if wanted[0] else None, slope


_softmax_crossentropy.pullback = _softmax_crossentropy_pullback


@fused(lambda target, logits: bodies["_sparse_softmax_crossentropy"](target, logits))
def _sparse_softmax_crossentropy(target: Any, logits: Any) -> Any:
    classes = logits.shape[-1]
    rows = logits.reshape(-1, classes)
    labels = target.reshape(-1)
    if labels.size and not (
        0 <= np.minimum.reduce(labels) and np.maximum.reduce(labels) < classes
    ):
        raise InvalidArgument(
            f"sparse_categorical_crossentropy got labels from {labels.min()} to {labels.max()} for "
            f"{classes} classes, which are numbered 0 to {classes - 1}."
        )
    chances = rows - np.maximum.reduce(rows, axis=-1, keepdims=True)
    picked = chances[np.arange(len(rows)), labels]
    np.exp(chances, out=chances)
    total = np.add.reduce(chances, axis=-1, keepdims=True)
    chances /= total
    return (np.log(total[:, 0]) - picked).reshape(target.shape), chances


def _sparse_softmax_crossentropy_pullback(
    g: Any, chances: Any, wanted: Any, target: Any, logits: Any
) -> Any:
    slope = chances.copy()
    slope[np.arange(len(slope)), target.reshape(-1)] -= 1
    slope *= g.reshape(-1, 1)
    return None, slope.reshape(logits.shape)


_sparse_softmax_crossentropy.pullback = _sparse_softmax_crossentropy_pullback


def _one_hot(x: Any, num_classes: int, axis: int, dtype: str) -> Any:
    x = strip(x)
    hot = np.zeros((x.size, num_classes), numpy_dtype(dtype))
    labels = x.reshape(-1).astype(np.int64, copy=False)
    rows = np.arange(x.size)
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        inside = (labels >= 0) & (labels < num_classes)
        rows, labels = rows[inside], labels[inside]
    hot[rows, labels] = 1
    return np.moveaxis(hot.reshape(*x.shape, num_classes), -1, axis)
