"""Normalization forward and backward in as few walks over memory as there can be.

Both kernels see a matrix: a layer normalization normalizes its rows, a batch normalization its
columns. Sums run as products with ones, and blocks stay in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish.backends import bodies
from kerasish.backends.numpy.convolution import BLOCK
from kerasish.backends.numpy.tape import fused


def _spans(rows: int, row_bytes: int) -> Iterator[slice]:
    step = max(1, BLOCK // (4 * row_bytes + 1))
    return (slice(i, min(i + step, rows)) for i in range(0, rows, step))


def _layer_norm(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float) -> Any:
    return _over_rows(x, gamma, beta, axes, epsilon, True)


def _rms_norm(x: Any, gamma: Any, axes: Any, epsilon: float) -> Any:
    return _over_rows(x, gamma, None, axes, epsilon, False)


def _over_rows(
    x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float, centered: bool
) -> Any:
    """With the axes to normalize over as the last ones."""
    rank = x.ndim
    if tuple(axes) == tuple(range(rank - len(axes), rank)):
        return _normalize_rows(x, gamma, beta, len(axes), epsilon, centered)
    others = [a for a in range(rank) if a not in axes]
    order = (*others, *axes)
    y = _normalize_rows(np.transpose(x, order), gamma, beta, len(axes), epsilon, centered)
    return np.transpose(y, tuple(np.argsort(order).tolist()))


def _plain_rows(
    x: Any, gamma: Any, beta: Any, count: int, epsilon: float, centered: bool
) -> Any:
    axes = tuple(range(x.ndim - count, x.ndim))
    if centered:
        return bodies["_layer_norm"](x, gamma, beta, axes, epsilon)
    return bodies["_rms_norm"](x, gamma, axes, epsilon)


@fused(_plain_rows)
def _normalize_rows(
    x: Any, gamma: Any, beta: Any, count: int, epsilon: float, centered: bool
) -> Any:
    """Normalizes over the last `count` axes, where gamma and beta have their sizes."""
    width = math.prod(x.shape[x.ndim - count :])
    rows = x.reshape(-1, width)
    out = np.empty_like(rows)
    mean = np.zeros((len(rows), 1), x.dtype)
    inverse = np.empty((len(rows), 1), x.dtype)
    for span in _spans(len(rows), rows.itemsize * width):
        part, y = rows[span], out[span]
        if centered:
            np.mean(part, 1, keepdims=True, out=mean[span])
            part = np.subtract(part, mean[span], out=y)
        spread = np.einsum("ij,ij->i", part, part)[:, None]
        spread /= width
        spread += epsilon
        np.divide(1, np.sqrt(spread, out=spread), out=inverse[span])
        np.multiply(part, inverse[span], out=y)
        if gamma is not None:
            y *= gamma.reshape(-1)
        if beta is not None:
            y += beta.reshape(-1)
    return out.reshape(x.shape), (mean, inverse)


def _normalize_rows_pullback(
    g: Any, saved: Any, wanted: Any, x: Any, gamma: Any, beta: Any, count: int, epsilon: float,
    centered: bool,
) -> Any:  # fmt: skip
    width = math.prod(x.shape[x.ndim - count :])
    mean, inverse = saved
    rows, gs = x.reshape(-1, width), g.reshape(-1, width)
    dx = np.empty_like(rows)
    dgamma, dbeta = np.zeros((2, width), x.dtype)
    for span in _spans(len(rows), rows.itemsize * width):
        part, out = gs[span], dx[span]
        normal = rows[span] - mean[span] if centered else rows[span]
        normal = normal * inverse[span]
        if wanted[1]:
            dgamma += np.einsum("ij,ij->j", part, normal)
        if wanted[2]:
            dbeta += np.sum(part, 0)
        if gamma is not None:
            part = part * gamma.reshape(-1)
        np.multiply(normal, np.einsum("ij,ij->i", part, normal)[:, None] / width, out=out)
        np.subtract(part, out, out=out)
        if centered:
            out -= np.mean(part, 1, keepdims=True)
        out *= inverse[span]
    shape = x.shape[x.ndim - count :]
    return dx.reshape(x.shape), dgamma.reshape(shape), dbeta.reshape(shape), None, None, None


_normalize_rows.pullback = _normalize_rows_pullback


def _batch_norm_train(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float) -> Any:
    (axis,) = set(range(x.ndim)) - {a % x.ndim for a in axes}
    if axis == x.ndim - 1:
        return _normalize_columns(x, gamma, beta, epsilon)
    y, mean, variance = _normalize_columns(np.moveaxis(x, axis, -1), gamma, beta, epsilon)
    return np.moveaxis(y, -1, axis), mean, variance


def _plain_columns(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    return bodies["_batch_norm_train"](x, gamma, beta, tuple(range(x.ndim - 1)), epsilon)


def _folded(n: int, channels: int) -> int:
    """How many of `n` rows to see as one, so that NumPy's inner loops are long."""
    fold = max(1, 1024 // channels)
    while n % fold:
        fold -= 1
    return fold


@fused(_plain_columns)
def _normalize_columns(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """(x normalized over all axes but the last, the mean, the variance)."""
    c = x.shape[-1]
    n = x.size // c
    fold = _folded(n, c)
    rows = x.reshape(-1, fold * c)
    out = np.empty_like(rows)
    ones = np.ones(len(rows), x.dtype)
    wide = lambda v: np.tile(v, fold)  # noqa: E731
    per_channel = lambda total: total.reshape(fold, c).sum(0) / x.dtype.type(n)  # noqa: E731
    total = np.zeros(fold * c, x.dtype)
    for span in _spans(len(rows), rows.itemsize * fold * c):
        total += ones[span] @ rows[span]
    mean = per_channel(total)
    center = wide(mean)
    total[...] = 0
    for span in _spans(len(rows), rows.itemsize * fold * c):
        part = np.subtract(rows[span], center, out=out[span])
        total += np.einsum("ij,ij->j", part, part)
    variance = per_channel(total)
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    factor = wide(inverse if gamma is None else inverse * gamma)
    offset = None if beta is None else wide(beta)
    for span in _spans(len(rows), rows.itemsize * fold * c):
        y = out[span]
        y *= factor
        if offset is not None:
            y += offset
    return (out.reshape(x.shape), mean, variance), (mean, inverse)


def _normalize_columns_pullback(
    g: Any, saved: Any, wanted: Any, x: Any, gamma: Any, beta: Any, epsilon: float
) -> Any:
    mean, inverse = saved
    g = np.zeros_like(x) if g[0] is None else g[0]
    c = x.shape[-1]
    n = x.size // c
    fold = _folded(n, c)
    rows, gs = x.reshape(-1, fold * c), g.reshape(-1, fold * c)
    dx = np.empty_like(rows)
    ones = np.ones(len(rows), x.dtype)
    wide = lambda v: np.tile(v, fold)  # noqa: E731
    center = wide(mean)
    first, second = np.zeros((2, fold * c), x.dtype)
    for span in _spans(len(rows), rows.itemsize * fold * c):
        first += ones[span] @ gs[span]
        part = np.subtract(rows[span], center, out=dx[span])
        second += np.einsum("ij,ij->j", part, gs[span])
    dbeta = first.reshape(fold, c).sum(0)
    dgamma = second.reshape(fold, c).sum(0) * inverse
    factor = inverse if gamma is None else inverse * gamma
    along = wide(-factor * inverse * dgamma / n)
    level = wide(-factor * dbeta / n)
    factor = wide(factor)
    for span in _spans(len(rows), rows.itemsize * fold * c):
        out = dx[span]
        out *= along
        out += level
        out += gs[span] * factor
    return dx.reshape(x.shape), dgamma, dbeta, None


_normalize_columns.pullback = _normalize_columns_pullback
