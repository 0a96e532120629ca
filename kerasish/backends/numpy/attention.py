"""NumPy: attention by blocks, so that the scores of all heads and positions never exist at once.

The backward pass computes each block's weights again from the kept maxima and sums (Dao et al.,
2022, "FlashAttention").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish.backends import bodies
from kerasish.backends.numpy.tape import fused

_BLOCK = 2**18
"""Scores in one block: about a megabyte, to stay in the cache."""


class _Scores:
    """The scores of one call; `block(b, t)` gives those of some batch entries and queries."""

    def __init__(
        self, query: Any, key: Any, value: Any, bias: Any, mask: Any, scale: float, causal: bool,
        cap: float | None,
    ):  # fmt: skip
        kind = np.float64 if query.dtype == np.float64 else np.float32
        self.lowest = kind(-1e308 if kind is np.float64 else -2e38)
        q, k, v = (np.ascontiguousarray(x.transpose(0, 2, 1, 3), kind) for x in (query, key, value))
        self.q, self.k, self.v = q * kind(scale), k, v
        self.shape = (*q.shape[:3], k.shape[2])
        self.bias = self.hidden = None
        if bias is not None:
            self.bias = np.broadcast_to(bias.astype(kind, copy=False), self.shape)
        if mask is not None:
            self.hidden = np.broadcast_to(np.where(mask, kind(0), self.lowest), self.shape)
        self.causal = causal
        self.cap = cap

    def blocks(self) -> Iterator[tuple[slice, slice, slice]]:
        """Slices of the batch, of the queries, and of the keys that they see."""
        batch, heads, target, source = self.shape
        rows = max(1, min(target, _BLOCK // max(1, heads * source)))
        entries = max(1, _BLOCK // max(1, heads * target * source))
        for b in range(0, batch, entries):
            for t in range(0, target, rows):
                end = min(t + rows, target)
                seen = min(end, source) if self.causal and self.hidden is None else source
                yield slice(b, b + entries), slice(t, end), slice(0, seen)

    def grouped(self, x: Any) -> Any:
        """Rows of the query heads that share a key head, side by side."""
        return x.reshape(len(x), self.k.shape[1], -1, x.shape[-1])

    def block(self, b: slice, t: slice, s: slice) -> tuple[Any, Any]:
        """The scores, and the derivative of the cap."""
        q = self.q[b, :, t]
        z = np.matmul(self.grouped(q), self.k[b, :, s].swapaxes(-1, -2))
        z = z.reshape(*q.shape[:3], -1)
        slope = None
        if self.cap is not None:
            z /= self.cap
            np.tanh(z, out=z)
            slope = 1 - np.square(z)
            z *= self.cap
        if self.bias is not None:
            z += self.bias[b, :, t, s]
        hidden = None if self.hidden is None else self.hidden[b, :, t, s]
        if self.causal:
            future = np.arange(t.start, t.stop)[:, None] < np.arange(s.stop)
            future = future * self.lowest
            hidden = future if hidden is None else np.minimum(hidden, future)
        if hidden is not None:
            z += hidden
        return z, slope


@fused(lambda *args: bodies["_attention"](*args))
def _attention(
    query: Any, key: Any, value: Any, bias: Any, mask: Any, scale: float, is_causal: bool,
    soft_cap: float | None, flash: bool | None,
) -> Any:  # fmt: skip
    scores = _Scores(query, key, value, bias, mask, scale, is_causal, soft_cap)
    out = np.empty((*scores.q.shape[:3], scores.v.shape[3]), scores.q.dtype)
    top, total = np.empty((2, *out.shape[:3], 1), out.dtype)
    for b, t, s in scores.blocks():
        z, _ = scores.block(b, t, s)
        top[b, :, t] = high = np.max(z, axis=-1, keepdims=True)
        z -= high
        np.exp(z, out=z)
        total[b, :, t] = mass = np.sum(z, axis=-1, keepdims=True)
        part = np.matmul(scores.grouped(z), scores.v[b, :, s]).reshape(*z.shape[:3], -1)
        np.divide(part, mass, out=out[b, :, t])
    return out.transpose(0, 2, 1, 3).astype(query.dtype, copy=False), (scores, out, top, total)


def _attention_pullback(
    g: Any, saved: Any, wanted: Any, query: Any, key: Any, value: Any, bias: Any, *options: Any
) -> Any:
    scores, out, top, total = saved
    scale = options[1]
    g = np.ascontiguousarray(g.transpose(0, 2, 1, 3), out.dtype)
    dq, dk, dv = map(np.zeros_like, (scores.q, scores.k, scores.v))
    dbias = np.zeros((1,) * (4 - bias.ndim) + bias.shape, out.dtype) if wanted[3] else None
    # The derivative of a softmax takes from each row its mean under the weights.
    mean = np.sum(g * out, axis=-1, keepdims=True)
    for b, t, s in scores.blocks():
        z, slope = scores.block(b, t, s)
        z -= top[b, :, t]
        np.exp(z, out=z)
        z /= total[b, :, t]
        upstream = scores.grouped(g[b, :, t])
        dv[b, :, s] += np.matmul(scores.grouped(z).swapaxes(-1, -2), upstream)
        dz = np.matmul(upstream, scores.v[b, :, s].swapaxes(-1, -2)).reshape(z.shape)
        dz -= mean[b, :, t]
        dz *= z
        if scores.causal or scores.hidden is not None:
            dz *= top[b, :, t] > 0.5 * scores.lowest  # all keys masked: nothing depends on scores
        if dbias is not None:
            summed = tuple(i for i, n in enumerate(dbias.shape) if n == 1)
            where = [slice(None) if dbias.shape[i] == 1 else part
                     for i, part in enumerate((b, slice(None), t, s))]
            dbias[tuple(where)] += np.sum(dz, axis=summed, keepdims=True)
        if slope is not None:
            dz *= slope
        rows = scores.grouped(dz)
        dq[b, :, t] = np.matmul(rows, scores.k[b, :, s]).reshape(*z.shape[:3], -1)
        dk[b, :, s] += np.matmul(rows.swapaxes(-1, -2), scores.grouped(scores.q[b, :, t]))
    dq *= scale
    grads = [x.transpose(0, 2, 1, 3).astype(query.dtype, copy=False) for x in (dq, dk, dv)]
    if dbias is not None:
        dbias = dbias.reshape(bias.shape).astype(bias.dtype, copy=False)
    return *grads, dbias, *(None for _ in options)


_attention.pullback = _attention_pullback
