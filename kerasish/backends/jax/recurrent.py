"""Recurrences of JAX, where another order of the work than that of the bodies is faster."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.nn import sigmoid

from kerasish.backends import bodies


def _lstm_states(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any,
    unroll: bool,
) -> Any:  # fmt: skip
    if mask is not None or kernel.shape[0] >= recurrent_kernel.shape[0]:
        args = (x, h0, c0, kernel, recurrent_kernel, bias, mask, unroll)
        return bodies["_lstm_states"](*args)

    # Inputs narrower than the state are projected step by step: XLA's loop on a CPU takes twice as
    # long to read the projections of all steps as to compute those of one.
    def step(states: Any, x: Any) -> Any:
        h, c = states
        z = x @ kernel + h @ recurrent_kernel
        i, f, g, o = jnp.split(z if bias is None else z + bias, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    steps = jnp.swapaxes(x, 0, 1)
    (h, c), states = lax.scan(step, (h0, c0), steps, unroll=unroll or 1)
    return jnp.swapaxes(states, 0, 1), h, c
