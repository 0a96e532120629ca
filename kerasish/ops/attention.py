"""Scaled dot-product attention."""

from __future__ import annotations

from typing import Any

from kerasish import backends
from kerasish.core.op import describe, op
from kerasish.core.symbolic import unknown_shape
from kerasish.errors import ShapeError
from kerasish.ops.activation import softmax
from kerasish.ops.contraction import einsum
from kerasish.ops.core import cast
from kerasish.ops.core import dtype as dtype_of
from kerasish.ops.core import shape as shape_of
from kerasish.ops.numpy import arange, expand_dims, logical_and, power, repeat, tanh, where

__all__ = ["dot_product_attention"]


@op(float="query key value bias", convert="mask", real=True)
def dot_product_attention(
    query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None,
    scale: float | None = None, is_causal: bool = False, flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:  # fmt: skip
    """Scaled dot-product attention: mixes `value` by the softmax of `query` times `key`.

    The scores are never held for all heads and positions at once on NumPy and, where its kernels
    allow, on torch. A query whose keys are all masked gets the mean of all values.

    Args:
        query: shape `(batch, target, heads, size)`.
        key: shape `(batch, source, key heads, size)`, where `key heads` divides `heads`: with fewer
            of them a group of query heads shares one (grouped-query attention).
        value: shaped like `key`.
        bias: added to the scores; broadcasts to `(batch, heads, target, source)`.
        mask: true where a query may see a key; broadcasts like `bias`.
        scale: factor of the scores, `1 / sqrt(size)` by default.
        is_causal: let position `i` see only the positions up to `i`.
        flash_attention: ask for the engine's flash kernel, where it lets one choose (JAX on a GPU).
        attn_logits_soft_cap: bound of the scores, approached by `tanh`.

    Returns: shape `(batch, target, heads, size)`.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 5, 4, 8))
    >>> keras.ops.dot_product_attention(x, x, x, is_causal=True).shape
    (2, 5, 4, 8)
    """
    shapes = [tuple(t.shape) for t in (query, key, value)]
    (q, k, v) = shapes

    def same(a: Any, b: Any) -> bool:
        return all(m == n or None in (m, n) for m, n in zip(a, b, strict=True))

    fits = (
        len(q) == len(k) == len(v) == 4 and same(k[:3], v[:3]) and same(q[::3], k[::3])
        and (None in (q[2], k[2]) or (0 < k[2] <= q[2] and q[2] % k[2] == 0))
    )  # fmt: skip
    if not fits:
        raise ShapeError(
            "ops.dot_product_attention takes query (batch, target, heads, size) and key and value "
            "(batch, source, key heads, size), where key heads divides heads; got "
            f"query={describe(query)}, key={describe(key)}, value={describe(value)}."
        )
    for name, x in (("bias", bias), ("mask", mask)):
        if x is None:
            continue
        sizes = unknown_shape(x.shape)
        scores = unknown_shape((q[0], q[2], q[1], k[1]))
        if len(sizes) > 4 or not all(
            m == 1 or m == n or None in (m, n) for m, n in zip(sizes[::-1], scores[::-1])
        ):
            raise ShapeError(
                f"ops.dot_product_attention: {name} must broadcast to the scores (batch, heads, "
                f"target, source), here {scores}, got the shape {sizes}."
            )
    if mask is not None:
        mask = cast(mask, "bool")
    if scale is None:
        size = shape_of(query)[3]
        scale = power(cast(size, dtype_of(query)), -0.5) if q[3] is None else size**-0.5
    return _attention(
        query, key, value, bias, mask, scale, is_causal, attn_logits_soft_cap, flash_attention
    )


@op
def _attention(
    query: Any, key: Any, value: Any, bias: Any, mask: Any, scale: Any, is_causal: bool,
    soft_cap: float | None, flash: bool | None,
) -> Any:  # fmt: skip
    dtype = backends.active.dtype_of(query)
    groups = shape_of(query)[2] // shape_of(key)[2]
    if None in (query.shape[2], key.shape[2]) or groups > 1:
        key, value = repeat(key, groups, axis=2), repeat(value, groups, axis=2)
    # Scaled first, lest half precision overflow in the product.
    scores = einsum("btnh,bsnh->bnts", scale * query, key)
    if dtype.endswith("16"):
        scores = cast(scores, "float32")
    if soft_cap is not None:
        scores = soft_cap * tanh(scores / soft_cap)
    if bias is not None:
        scores = scores + cast(bias, backends.active.dtype_of(scores))
    if is_causal:
        target, source = shape_of(query)[1], shape_of(key)[1]
        past = expand_dims(arange(target), 1) >= expand_dims(arange(source), 0)
        mask = past if mask is None else logical_and(mask, past)
    if mask is not None:
        scores = where(mask, scores, -1e308 if dtype == "float64" else -2e38)
    return einsum("bnts,bsnh->btnh", cast(softmax(scores, -1), dtype), value)
