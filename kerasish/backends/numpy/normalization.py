"""Normalization forward and backward in as few walks over memory as there can be.

Both kernels see a matrix: a layer normalization normalizes its rows, a batch normalization its
columns. Sums run as products with ones, and blocks stay in the cache.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from kerasish.backends import bodies
from kerasish.backends.numpy.convolution import BLOCK
from kerasish.backends.numpy.tape import fused


def _spans(rows: int, width: int) -> list[slice]:
    """Blocks of rows of `width` values; the first is no shorter than the others."""
    step = max(1, BLOCK // (16 * width))
    return [slice(i, min(i + step, rows)) for i in range(0, rows, step)]


def _repeated(row: Any, spans: list[slice]) -> Any:
    """A row as often as a block has rows: products of whole blocks are twice as fast."""
    return None if row is None else np.tile(row.reshape(-1), (spans[0].stop if spans else 0, 1))


def _layer_norm(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float) -> Any:
    return _over_rows(x, gamma, beta, axes, epsilon, True)


def _rms_norm(x: Any, gamma: Any, axes: Any, epsilon: float) -> Any:
    return _over_rows(x, gamma, None, axes, epsilon, False)


def _over_rows(
    x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float, centered: bool
) -> Any:
    """With the axes to normalize over as the last ones."""
    rank = x.ndim
    if not x.size:
        return x
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
    mean, inverse = np.zeros((2, len(rows), 1), x.dtype)
    average = np.full(width, 1 / width, x.dtype)
    spans = _spans(*rows.shape)
    gamma, beta = _repeated(gamma, spans), _repeated(beta, spans)
    for span in spans:
        part, y = rows[span], out[span]
        if centered:
            np.matmul(part, average, out=mean[span, 0])
            part = np.subtract(part, mean[span], out=y)
        spread = np.vecdot(part, part)
        spread /= width
        spread += epsilon
        np.divide(1, np.sqrt(spread, out=spread), out=inverse[span, 0])
        np.multiply(part, inverse[span], out=y)
        if gamma is not None:
            y *= gamma[: len(y)]
        if beta is not None:
            y += beta[: len(y)]
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
    average = np.full(width, 1 / width, x.dtype)
    spans = _spans(*rows.shape)
    ones = np.ones(spans[0].stop if spans else 0, x.dtype)
    gamma = _repeated(gamma, spans)
    for span in spans:
        part, out = gs[span], dx[span]
        normal = rows[span] - mean[span] if centered else rows[span]
        normal = normal * inverse[span]
        if wanted[1]:
            dgamma += ones[: len(part)] @ np.multiply(part, normal, out=out)
        if wanted[2]:
            dbeta += ones[: len(part)] @ part
        if gamma is not None:
            part = part * gamma[: len(part)]
        slope = np.vecdot(part, normal)[:, None] / width
        np.subtract(part, np.multiply(normal, slope, out=normal), out=out)
        if centered:
            out -= (part @ average)[:, None]
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


class _Columns:
    """A matrix whose rows hold `fold` rows of channels, so that inner loops are long."""

    def __init__(self, size: int, channels: int, dtype: Any):
        self.c = channels
        self.n = size // channels
        self.fold = max(1, 1024 // self.c)
        while self.n % self.fold:
            self.fold -= 1
        self.shape = (self.n // self.fold, self.fold * self.c)
        self.spans = _spans(*self.shape)
        self.ones = np.ones(self.spans[0].stop if self.spans else 0, dtype)

    def wide(self, channels: Any) -> Any:
        return np.tile(channels, self.fold)

    def total(self, blocks: Iterable[Any]) -> Any:
        """The sum over all rows, from blocks of them."""
        wide = sum(self.ones[: len(block)] @ block for block in blocks)
        return np.sum(wide.reshape(self.fold, self.c), 0)


_columns = functools.lru_cache(maxsize=256)(_Columns)


@fused(_plain_columns)
def _normalize_columns(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """(x normalized over all axes but the last, the mean, the variance)."""
    view = _columns(x.size, x.shape[-1], x.dtype)
    rows = x.reshape(view.shape)
    out = np.empty_like(rows)
    mean = view.total(rows[span] for span in view.spans) / view.n
    center = view.wide(mean)
    variance = view.total((rows[span] - center) ** 2 for span in view.spans) / view.n
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    factor = view.wide(inverse if gamma is None else inverse * gamma)
    offset = None if beta is None else view.wide(beta)
    for span in view.spans:
        y = np.subtract(rows[span], center, out=out[span])
        y *= factor
        if offset is not None:
            y += offset
    return (out.reshape(x.shape), mean, variance), (mean, inverse)


def _normalize_columns_pullback(
    g: Any, saved: Any, wanted: Any, x: Any, gamma: Any, beta: Any, epsilon: float
) -> Any:
    mean, inverse = saved
    view = _columns(x.size, x.shape[-1], x.dtype)
    g = np.zeros_like(x) if g[0] is None else g[0]
    rows, gs = x.reshape(view.shape), g.reshape(view.shape)
    dx = np.empty_like(rows)
    center = view.wide(mean)
    dbeta = view.total(gs[span] for span in view.spans)
    dgamma = inverse * view.total((rows[span] - center) * gs[span] for span in view.spans)
    factor = inverse if gamma is None else inverse * gamma
    along = view.wide(-factor * inverse * dgamma / view.n)
    level = view.wide(-factor * dbeta / view.n)
    factor = view.wide(factor)
    for span in view.spans:
        out = np.subtract(rows[span], center, out=dx[span])
        out *= along
        out += level
        out += gs[span] * factor
    return dx.reshape(x.shape), dgamma, dbeta, None


_normalize_columns.pullback = _normalize_columns_pullback
