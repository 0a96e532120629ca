"""NumPy: recurrent networks with hand-derived backpropagation through time.

Arrays are time-major and allocated once. A sigmoid is taken as `(tanh(v / 2) + 1) / 2`, with the
halving folded into the weights, so that one call of `tanh` serves all gates of a step. Whatever in
the backward pass does not depend on later steps is computed for all steps at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.backends import bodies
from kerasish.backends.numpy.tape import fused


def _time_major(x: Any) -> Any:
    return np.ascontiguousarray(x.swapaxes(0, 1))


def _keep(mask: Any, dtype: Any) -> Any:
    """The mask as (time, batch, 1) factors."""
    return None if mask is None else mask.T[:, :, None].astype(dtype)


def _upstream(shares: Any, *shapes: Any) -> list[Any]:
    """Gradients of a call's results: the first time-major or `None`, the others never `None`."""
    states = None if shares[0] is None else _time_major(shares[0])
    return [states, *(
        np.zeros(like.shape, like.dtype) if g is None else g.copy()
        for g, like in zip(shares[1:], shapes, strict=True)
    )]


def _product_grads(
    x: Any, before: Any, dinput: Any, dstate: Any, kernel: Any, wanted: Any
) -> tuple[Any, Any, Any]:
    """Gradients of x, kernel and recurrent kernel from those of the two products of all steps."""
    dx = (dinput @ kernel.T).reshape(x.shape).swapaxes(0, 1) if wanted[0] else None
    dkernel = x.reshape(-1, x.shape[-1]).T @ dinput
    return dx, dkernel, before.reshape(-1, before.shape[-1]).T @ dstate


@fused(lambda *args: bodies["_lstm_states"](*args))
def _lstm_states(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any,
    unroll: bool, cudnn: bool,
) -> Any:  # fmt: skip
    x = _time_major(x)
    steps, batch, features = x.shape
    units = recurrent_kernel.shape[0]
    scale = np.full(4 * units, 0.5, x.dtype)
    scale[2 * units:3 * units] = 1
    shift = np.full(4 * units, 0.5, x.dtype)
    shift[2 * units:3 * units] = 0
    gates = (x.reshape(-1, features) @ (kernel * scale)).reshape(steps, batch, -1)
    if bias is not None:
        gates += bias * scale
    weights = recurrent_kernel * scale
    h, c = np.empty((2, steps + 1, batch, units), x.dtype)
    h[0], c[0] = h0, c0
    squashed = np.empty((steps, batch, units), x.dtype)
    product, new = np.empty_like(gates[0]), np.empty_like(h[0])
    keep = _keep(mask, x.dtype)
    for t in range(steps):
        z = gates[t]
        z += np.matmul(h[t], weights, out=product)
        np.tanh(z, out=z)
        z *= scale
        z += shift
        i, f, g, o = (z[:, k * units:(k + 1) * units] for k in range(4))
        np.multiply(f, c[t], out=c[t + 1])
        c[t + 1] += np.multiply(i, g, out=new)
        if keep is not None:
            c[t + 1] = c[t] + keep[t] * (c[t + 1] - c[t])
        np.tanh(c[t + 1], out=squashed[t])
        np.multiply(o, squashed[t], out=h[t + 1])
        if keep is not None:
            h[t + 1] = h[t] + keep[t] * (h[t + 1] - h[t])
    value = h[1:].swapaxes(0, 1), h[-1], c[-1]
    return value, (x, gates, h, c, squashed, keep)


def _lstm_pullback(
    shares: Any, saved: Any, wanted: Any, _: Any, h0: Any, c0: Any, kernel: Any,
    recurrent_kernel: Any, bias: Any, *options: Any,
) -> Any:  # fmt: skip
    x, gates, h, c, squashed, keep = saved
    steps, batch, units = squashed.shape
    dh_all, dh, dc = _upstream(shares, h0, c0)
    parts = gates.reshape(steps, batch, 4, units)
    i, f, g, o = (parts[:, :, k] for k in range(4))
    # d of each gate's sum over d of c (for the output gate, over d of h)
    slopes = np.empty_like(parts)
    scratch = 1 - i
    scratch *= i
    np.multiply(scratch, g, out=slopes[:, :, 0])
    np.subtract(1, f, out=scratch)
    scratch *= f
    np.multiply(scratch, c[:-1], out=slopes[:, :, 1])
    np.multiply(g, g, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.multiply(scratch, i, out=slopes[:, :, 2])
    np.subtract(1, o, out=scratch)
    scratch *= o
    np.multiply(scratch, squashed, out=slopes[:, :, 3])
    through = squashed * squashed  # d of c over d of h
    np.subtract(1, through, out=through)
    through *= o
    if keep is not None:
        slopes *= keep[:, :, None]
        through *= keep
        f = f * keep + (1 - keep)
    transposed = np.ascontiguousarray(recurrent_kernel.T)
    buffer = np.empty_like(dh)
    dz = slopes.reshape(steps, batch, -1)
    for t in reversed(range(steps)):
        if dh_all is not None:
            dh += dh_all[t]
        dc += np.multiply(dh, through[t], out=buffer)
        slopes[t, :, :3] *= dc[:, None]
        slopes[t, :, 3] *= dh
        dc *= f[t]
        if keep is None:
            np.matmul(dz[t], transposed, out=dh)
        else:
            dh *= 1 - keep[t]
            dh += np.matmul(dz[t], transposed, out=buffer)
    dz = dz.reshape(steps * batch, -1)
    dx, dkernel, drecurrent = _product_grads(x, h[:-1], dz, dz, kernel, wanted)
    dbias = None if bias is None else dz.sum(0)
    return dx, dh, dc, dkernel, drecurrent, dbias, *(None for _ in options)


_lstm_states.pullback = _lstm_pullback


@fused(lambda *args: bodies["_gru_states"](*args))
def _gru_states(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any, unroll: bool,
    cudnn: bool,
) -> Any:  # fmt: skip
    x = _time_major(x)
    steps, batch, features = x.shape
    units = recurrent_kernel.shape[0]
    scale = np.ones(3 * units, x.dtype)
    scale[:2 * units] = 0.5
    gates = (x.reshape(-1, features) @ (kernel * scale)).reshape(steps, batch, -1)
    weights, inner = recurrent_kernel * scale, None
    if bias is not None:
        gates += bias[0] * scale
        inner = bias[1] * scale
    h = np.empty((steps + 1, batch, units), x.dtype)
    h[0] = h0
    recalled = np.empty((steps, batch, units), x.dtype)  # what the reset gate lets through or not
    product = np.empty_like(gates[0])
    keep = _keep(mask, x.dtype)
    for t in range(steps):
        np.matmul(h[t], weights, out=product)
        if inner is not None:
            product += inner
        z = gates[t]
        update_reset, candidate = z[:, :2 * units], z[:, 2 * units:]
        update_reset += product[:, :2 * units]
        np.tanh(update_reset, out=update_reset)
        update_reset *= 0.5
        update_reset += 0.5
        update, reset = z[:, :units], z[:, units:2 * units]
        recalled[t] = product[:, 2 * units:]
        candidate += reset * recalled[t]
        np.tanh(candidate, out=candidate)
        np.subtract(h[t], candidate, out=h[t + 1])
        h[t + 1] *= update
        h[t + 1] += candidate
        if keep is not None:
            h[t + 1] = h[t] + keep[t] * (h[t + 1] - h[t])
    return (h[1:].swapaxes(0, 1), h[-1]), (x, gates, h, recalled, keep)


def _gru_pullback(
    shares: Any, saved: Any, wanted: Any, _: Any, h0: Any, kernel: Any, recurrent_kernel: Any,
    bias: Any, *options: Any,
) -> Any:  # fmt: skip
    x, gates, h, recalled, keep = saved
    steps, batch, units = recalled.shape
    dh_all, dh = _upstream(shares, h0)
    z, r, candidate = (gates.reshape(steps, batch, 3, units)[:, :, k] for k in range(3))
    # d, over d of h, of what the state gives the candidate (which passes the reset gate), of the
    # sums of update gate, reset gate and candidate: the state's part first, the input's part last
    slopes = np.empty((steps, batch, 4, units), gates.dtype)
    of_state, of_update, of_reset, of_candidate = (slopes[:, :, k] for k in range(4))
    scratch = 1 - z
    scratch *= z
    np.subtract(h[:-1], candidate, out=of_update)
    of_update *= scratch
    np.multiply(candidate, candidate, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.subtract(1, z, out=of_candidate)
    of_candidate *= scratch
    np.multiply(of_candidate, r, out=of_state)
    np.subtract(1, r, out=scratch)
    scratch *= recalled
    np.multiply(of_state, scratch, out=of_reset)
    stay = z
    if keep is not None:
        slopes *= keep[:, :, None]
        stay = z * keep + (1 - keep)
    transposed = np.concatenate([recurrent_kernel[:, 2 * units:], recurrent_kernel[:, :2 * units]],
                                1).T.copy()  # fmt: skip
    buffer = np.empty_like(dh)
    dz = slopes.reshape(steps, batch, -1)
    for t in reversed(range(steps)):
        if dh_all is not None:
            dh += dh_all[t]
        slopes[t] *= dh[:, None]
        dh *= stay[t]
        dh += np.matmul(dz[t, :, :3 * units], transposed, out=buffer)
    dz = dz.reshape(steps * batch, -1)
    dinput, dstate = dz[:, units:], dz[:, :3 * units]
    dx, dkernel, drecurrent = _product_grads(x, h[:-1], dinput, dstate, kernel, wanted)
    drecurrent = np.roll(drecurrent, -units, 1)
    dbias = None
    if bias is not None:
        dbias = np.stack([dinput.sum(0), np.roll(dstate.sum(0), -units)])
    return dx, dh, dkernel, drecurrent, dbias, *(None for _ in options)


_gru_states.pullback = _gru_pullback
