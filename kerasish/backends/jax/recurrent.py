"""Recurrences of JAX, where another order of the work than that of the bodies is faster."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import sigmoid

from kerasish.backends import bodies


def _no_cudnn(kind: str, x: Any) -> str | None:
    if kind != "LSTM":
        return f"JAX has its LSTM, but no {kind}"
    with jax.ensure_compile_time_eval():
        (device,) = jnp.zeros(()).devices()
    if "cuda" not in device.client.platform_version:
        return f"JAX computes on {device.platform}:{device.id}, which is no GPU of Nvidia's"
    if x.dtype != jnp.float32:
        return f"JAX has it for float32, and not for {x.dtype}"
    if not all(isinstance(n, int) and n for n in x.shape):
        return f"the sizes of its input {x.shape} are not all known and positive"
    return None


def _lstm_states(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any,
    unroll: bool, cudnn: bool,
) -> Any:  # fmt: skip
    args = (x, h0, c0, kernel, recurrent_kernel, bias, mask)
    if not cudnn:
        return _loop(*args, unroll=unroll)
    # Arrays may be elsewhere than on the default device: what they are on is known when the
    # program is made for it.
    return lax.platform_dependent(*args, cuda=_cudnn, default=_loop)


def _cudnn(*args: Any) -> Any:
    mask = args[-1]
    if mask is None:
        return _cudnn_lstm(*args)
    padded = mask[:, 0].all() & (mask[:, 1:] <= mask[:, :-1]).all()
    return lax.cond(padded, _cudnn_lstm, _loop, *args)


def _cudnn_lstm(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any
) -> Any:
    """For masks under which every sequence begins, and ends once."""
    from jax.experimental import rnn

    batch, steps, features = x.shape
    units = h0.shape[-1]
    bias = jnp.zeros(4 * units, x.dtype) if bias is None else bias
    # The kernel adds a bias to each of the two products.
    weights = [kernel.T, recurrent_kernel.T, bias, jnp.zeros_like(bias)]
    lengths = jnp.full(batch, steps, "int32") if mask is None else mask.sum(1, dtype="int32")
    states, h, c = rnn.lstm(
        x, h0[None], c0[None], jnp.concatenate([w.ravel() for w in weights]), lengths, features,
        units, 1, 0.0, False,
    )
    if mask is not None:
        states = jnp.where(mask[..., None], states, h[0][:, None])
    return states, h[0], c[0]


def _loop(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any,
    unroll: bool = False,
) -> Any:  # fmt: skip
    if mask is not None or kernel.shape[0] >= recurrent_kernel.shape[0]:
        args = (x, h0, c0, kernel, recurrent_kernel, bias, mask, unroll, False)
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
