"""The blockwise NumPy kernel, with blocks smaller than one row of scores and up."""

import numpy as np
import pytest

from kerasish import backends, config, ops
from kerasish.backends.numpy import attention


@pytest.mark.parametrize("block", [1, 40, 300, 2**18])
@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"soft_cap": 0.5, "mask": True}],
                         ids=str)
def test_blocks_do_not_change_gradients(monkeypatch, block, options):
    monkeypatch.setattr(attention, "_BLOCK", block)
    rng = np.random.default_rng(0)
    shapes = [(2, 7, 4, 3), (2, 7, 2, 3), (2, 7, 2, 5), (1, 4, 7, 7), (2, 7, 4, 5)]
    *inputs, weights = (rng.normal(size=shape) for shape in shapes)
    mask = rng.random((2, 1, 7, 7)) < 0.5 if "mask" in options else None

    def loss(q, k, v, bias):
        out = ops.dot_product_attention(
            q, k, v, bias, mask, is_causal=options.get("is_causal", False),
            attn_logits_soft_cap=options.get("soft_cap"),
        )
        return ops.sum(out * weights), None

    with config.backend_scope("numpy"):
        (value, _), grads = backends.active.value_and_grad(loss, [], inputs)
        for i, a in enumerate(inputs):
            direction = rng.normal(size=a.shape)
            ends = [
                float(loss(*inputs[:i], a + step * direction, *inputs[i + 1:])[0])
                for step in (1e-6, -1e-6)
            ]
            numeric = (ends[0] - ends[1]) / 2e-6
            np.testing.assert_allclose(np.sum(grads[i] * direction), numeric, rtol=1e-5, atol=1e-6)
        assert np.isfinite(value)
