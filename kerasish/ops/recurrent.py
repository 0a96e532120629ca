"""Whole recurrences in one op: what LSTM, GRU and SimpleRNN layers run on.

The input's product with its weights is taken for all steps at once, outside the loop. Adapters
replace the inner ops, whose activations are the standard ones, by their engine's kernels.

All take `x` of shape `(batch, time, features)`, initial states `(batch, units)` and an optional
boolean `mask` of shape `(batch, time)`, and give `(outputs, last output, last state...)`; outputs
are `(batch, time, units)`, or `None` unless `return_all`. A masked step keeps the state; its output
is that of the step before (zeros before the first step that counts), or zero with
`zero_output_for_mask`. With `go_backwards` time runs, and outputs come, from the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from kerasish import backends
from kerasish.core.op import op
from kerasish.errors import InvalidArgument
from kerasish.ops.activation import sigmoid
from kerasish.ops.control_flow import scan
from kerasish.ops.core import cast
from kerasish.ops.numpy import any, cumsum, expand_dims, flip, matmul, split, swapaxes, tanh, where

Activation = Callable[[Any], Any]


@op(float="x h0 c0 kernel recurrent_kernel bias", convert="mask")
def _lstm(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None,
    mask: Any = None, go_backwards: bool = False, activation: Activation = tanh,
    recurrent_activation: Activation = sigmoid, return_all: bool = True,
    zero_output_for_mask: bool = False, unroll: bool = False, use_cudnn: bool | str = "auto",
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """A long short-term memory (Hochreiter and Schmidhuber, 1997).

    `kernel` is `(features, 4 units)` with the gates in the order input, forget, cell, output;
    `recurrent_kernel` is `(units, 4 units)`. Gives `(outputs, last output, h, c)`.
    """
    x, mask = _directed(x, mask, go_backwards)
    standard = activation is tanh and recurrent_activation is sigmoid
    cudnn = _on_cudnn(use_cudnn, "LSTM", x, standard, unroll)
    if standard:
        states, h, c = _lstm_states(
            x, h0, c0, kernel, recurrent_kernel, bias, mask, unroll, cudnn
        )
    else:
        states, h, c = _lstm_scan(
            x, h0, c0, kernel, recurrent_kernel, bias, mask, unroll, activation,
            recurrent_activation,
        )  # fmt: skip
    return *_seen(states, h, mask, return_all, zero_output_for_mask), h, c


@op(convert="x h0 c0 kernel recurrent_kernel bias mask")
def _lstm_states(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any,
    unroll: bool, cudnn: bool,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """The state after every step, and the last `h` and `c`."""
    return _lstm_scan(
        x, h0, c0, kernel, recurrent_kernel, bias, mask, unroll, tanh, sigmoid
    )


def _lstm_scan(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any,
    unroll: bool, activation: Activation, recurrent_activation: Activation,
) -> tuple[Any, Any, Any]:  # fmt: skip
    def step(z: Any, h: Any, c: Any) -> tuple[Any, ...]:
        i, f, g, o = split(z + matmul(h, recurrent_kernel), 4, -1)
        c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
        return recurrent_activation(o) * activation(c), c

    return _run(step, _project(x, kernel, bias), (h0, c0), mask, unroll)


@op(float="x h0 kernel recurrent_kernel bias", convert="mask")
def _gru(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None, mask: Any = None,
    go_backwards: bool = False, activation: Activation = tanh,
    recurrent_activation: Activation = sigmoid, return_all: bool = True, reset_after: bool = True,
    zero_output_for_mask: bool = False, unroll: bool = False, use_cudnn: bool | str = "auto",
) -> tuple[Any, Any, Any]:  # fmt: skip
    """A gated recurrent unit (Cho et al., 2014).

    `kernel` is `(features, 3 units)` with the gates in the order update, reset, candidate;
    `recurrent_kernel` is `(units, 3 units)`; `bias` is `(2, 3 units)`, for input and state, with
    `reset_after` (the form that GPU kernels compute), else `(3 units,)`.
    Gives `(outputs, last output, h)`.
    """
    x, mask = _directed(x, mask, go_backwards)
    standard = activation is tanh and recurrent_activation is sigmoid
    cudnn = _on_cudnn(use_cudnn, "GRU", x, standard, unroll, reset_after)
    if standard and reset_after:
        states, h = _gru_states(x, h0, kernel, recurrent_kernel, bias, mask, unroll, cudnn)
    else:
        states, h = _gru_scan(
            x, h0, kernel, recurrent_kernel, bias, mask, unroll, activation, recurrent_activation,
            reset_after,
        )  # fmt: skip
    return *_seen(states, h, mask, return_all, zero_output_for_mask), h


@op(convert="x h0 kernel recurrent_kernel bias mask")
def _gru_states(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any, unroll: bool,
    cudnn: bool,
) -> tuple[Any, Any]:  # fmt: skip
    """The state after every step, and the last one."""
    return _gru_scan(
        x, h0, kernel, recurrent_kernel, bias, mask, unroll, tanh, sigmoid, True
    )


def _gru_scan(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any, unroll: bool,
    activation: Activation, recurrent_activation: Activation, reset_after: bool,
) -> tuple[Any, Any]:  # fmt: skip
    outer, inner = (bias, None) if bias is None or not reset_after else (bias[0], bias[1])
    if not reset_after:
        units = recurrent_kernel.shape[0]
        gates_kernel, candidate_kernel = split(recurrent_kernel, [2 * units], -1)

    def step(x: Any, h: Any) -> tuple[Any, ...]:
        xz, xr, xc = split(x, 3, -1)
        if reset_after:
            hz, hr, hc = split(_project(h, recurrent_kernel, inner), 3, -1)
            candidate = activation(xc + recurrent_activation(xr + hr) * hc)
        else:
            hz, hr = split(matmul(h, gates_kernel), 2, -1)
            candidate = activation(
                xc + matmul(recurrent_activation(xr + hr) * h, candidate_kernel)
            )
        z = recurrent_activation(xz + hz)
        return (z * h + (1.0 - z) * candidate,)

    return _run(step, _project(x, kernel, outer), (h0,), mask, unroll)


@op(float="x h0 kernel recurrent_kernel bias", convert="mask")
def _simple_rnn(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None, mask: Any = None,
    go_backwards: bool = False, activation: Activation = tanh, return_all: bool = True,
    zero_output_for_mask: bool = False, unroll: bool = False,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """`h = activation(x kernel + h recurrent_kernel + bias)`. Gives `(outputs, last output, h)`."""
    x, mask = _directed(x, mask, go_backwards)

    def step(z: Any, h: Any) -> tuple[Any, ...]:
        return (activation(z + matmul(h, recurrent_kernel)),)

    states, h = _run(step, _project(x, kernel, bias), (h0,), mask, unroll)
    return *_seen(states, h, mask, return_all, zero_output_for_mask), h


def _on_cudnn(
    use_cudnn: bool | str, kind: str, x: Any, standard: bool, unroll: bool,
    reset_after: bool = True,
) -> bool:  # fmt: skip
    """Whether cuDNN's kernel is used, as a layer's `use_cudnn` wants and an engine allows."""
    if use_cudnn is False:
        return False
    if not standard:
        obstacle = "it knows activation='tanh' and recurrent_activation='sigmoid' alone"
    elif unroll:
        obstacle = "unroll=True asks for a plain loop"
    elif not reset_after:
        obstacle = "it knows GRU with reset_after=True alone"
    else:
        obstacle = _no_cudnn(kind, x)
    if obstacle and use_cudnn is True:
        no_cudnn(obstacle)
    return not obstacle


@op(convert="x")
def _no_cudnn(kind: str, x: Any) -> str | None:
    """Why the engine cannot run an "LSTM" or "GRU" over `x` on cuDNN; `None` where it can."""
    return f"the {backends.active.name} backend has no {kind} of it"


def no_cudnn(obstacle: str) -> NoReturn:
    """Says why `use_cudnn=True` cannot be followed."""
    raise InvalidArgument(
        f"use_cudnn=True, but cuDNN cannot run this layer here: {obstacle}. use_cudnn='auto' runs "
        "on cuDNN where that is possible, and without it elsewhere."
    )


def _project(x: Any, kernel: Any, bias: Any) -> Any:
    z = matmul(x, kernel)
    return z if bias is None else z + bias


def _directed(x: Any, mask: Any, go_backwards: bool) -> tuple[Any, Any]:
    if mask is not None:
        mask = cast(mask, "bool")
    if go_backwards:
        x, mask = flip(x, 1), None if mask is None else flip(mask, 1)
    return x, mask


def _run(
    step: Callable[..., tuple[Any, ...]], x: Any, states: tuple[Any, ...], mask: Any, unroll: bool
) -> tuple[Any, ...]:
    """Scans `step(x_t, *states) -> states` over time: (first state at each step, *last states)."""

    def advance(states: tuple[Any, ...], inputs: Any) -> Any:
        new = step(inputs[0], *states)
        if mask is not None:
            new = tuple([
                where(wide(inputs[1], after), after, before)
                for after, before in zip(new, states, strict=True)
            ])
        return new, new[0]

    xs = (swapaxes(x, 0, 1),)
    if mask is not None:
        xs += (swapaxes(mask, 0, 1),)
    states, outputs = scan(advance, states, xs, unroll=unroll or 1)
    return swapaxes(outputs, 0, 1), *states


def _seen(
    states: Any, last: Any, mask: Any, return_all: bool, zero_output_for_mask: bool
) -> tuple[Any, Any]:
    """The outputs that the states are seen as; they differ before the first unmasked step."""
    if mask is None:
        return states if return_all else None, last
    if zero_output_for_mask:
        seen, at_end = mask, mask[:, -1]
    else:
        seen, at_end = cumsum(cast(mask, "int32"), 1) > 0, any(mask, 1)
    outputs = where(wide(seen, states), states, 0) if return_all else None
    return outputs, where(wide(at_end, last), last, 0)


def wide(mask: Any, like: Any) -> Any:
    """The mask with axes of size 1 appended, up to the rank of a tensor that it masks."""
    while len(mask.shape) < len(like.shape):
        mask = expand_dims(mask, -1)
    return mask
