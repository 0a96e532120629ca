import numpy as np

from tests.ops.case import bools, case, x


def attention(q, k, v, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None,
              attn_logits_soft_cap=None):
    """One query at a time."""
    q, k, v = (a.astype("float64") for a in (q, k, v))
    batch, target, heads, size = q.shape
    source = k.shape[1]
    shape = (batch, heads, target, source)
    bias = np.zeros(shape) if bias is None else np.broadcast_to(bias, shape)
    mask = np.ones(shape, bool) if mask is None else np.broadcast_to(mask, shape)
    out = np.empty((batch, target, heads, v.shape[-1]))
    for b, h, t in np.ndindex(batch, heads, target):
        group = h // (heads // k.shape[2])
        score = k[b, :, group] @ q[b, t, h] * (size**-0.5 if scale is None else scale)
        if attn_logits_soft_cap is not None:
            score = attn_logits_soft_cap * np.tanh(score / attn_logits_soft_cap)
        score = score + bias[b, h, t]
        seen = mask[b, h, t] & (np.arange(source) <= t if is_causal else True)
        weight = np.exp(score - score.max()) * seen if seen.any() else np.ones(source)
        out[b, t, h] = weight @ v[b, :, group] / weight.sum()
    return out


def row(*shapes, **options):
    arrays = [x(i + 1, *shape)[i] for i, shape in enumerate(shapes)]  # all different
    case("dot_product_attention", *arrays, ref=attention, **options)


Q, K = (2, 3, 4, 5), (2, 6, 4, 5)
row(Q, K, K)
row(Q, K, (2, 6, 4, 2))
row(Q, K, K, scale=0.3, flash_attention=False)
row(Q, Q, Q, is_causal=True)
row(Q, K, K, is_causal=True)
row(K, Q, Q, is_causal=True)
row(Q, K, K, mask=bools(2, 1, 3, 6))
row(Q, K, K, mask=bools(2, 1, 1, 6) | (np.arange(6) == 0))
row(Q, Q, Q, mask=bools(1, 4, 3, 3), is_causal=True)
row(Q, K, K, mask=np.zeros((2, 1, 3, 6), bool))
row(Q, K, K, (2, 4, 3, 6))
row(Q, K, K, (1, 4, 1, 6), mask=bools(2, 1, 3, 6))
row(Q, Q, Q, (3, 3), is_causal=True)
row(Q, K, K, attn_logits_soft_cap=0.7)
row(Q, Q, Q, (2, 4, 3, 3), attn_logits_soft_cap=0.7, is_causal=True)
# Grouped queries: 2 heads, then 1, for 4.
row(Q, (2, 6, 2, 5), (2, 6, 2, 5))
row(Q, (2, 6, 2, 5), (2, 6, 2, 5), (1, 4, 3, 6), mask=bools(2, 4, 3, 6))
row(Q, (2, 3, 1, 5), (2, 3, 1, 5), is_causal=True)
# More than one block of scores on NumPy.
row((3, 200, 2, 4), (3, 600, 1, 4), (3, 600, 1, 4), is_causal=True, grad=False)
row((1, 300, 2, 4), (1, 700, 2, 4), (1, 700, 2, 4), mask=bools(1, 2, 300, 700), grad=False)
