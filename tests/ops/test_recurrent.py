"""Recurrent ops against recurrences written out one step, one sample at a time."""

import numpy as np
import pytest
from scipy.special import expit

from kerasish import backends, config, ops
from kerasish.ops import recurrent

BATCH, STEPS, FEATURES, UNITS = 3, 5, 4, 2


def lstm_step(p, x, h, c):
    z = x @ p["kernel"] + h @ p["recurrent_kernel"] + p.get("bias", 0)
    i, f, g, o = np.split(z, 4)
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def gru_step(p, x, h, reset_after=True):
    bias = p.get("bias", np.zeros((2, 3 * UNITS) if reset_after else 3 * UNITS))
    outer, inner = bias if reset_after else (bias, np.zeros(3 * UNITS))
    xz, xr, xc = np.split(x @ p["kernel"] + outer, 3)
    uz, ur, uc = np.split(p["recurrent_kernel"], 3, -1)
    bz, br, bc = np.split(inner, 3)
    z, r = expit(xz + h @ uz + bz), expit(xr + h @ ur + br)
    c = np.tanh(xc + (r * (h @ uc + bc) if reset_after else (r * h) @ uc))
    return (z * h + (1 - z) * c,)


def simple_step(p, x, h):
    return (np.tanh(x @ p["kernel"] + h @ p["recurrent_kernel"] + p.get("bias", 0)),)


CELLS = {  # op, step, gates, states, options
    "lstm": (recurrent._lstm, lstm_step, 4, 2, {}),
    "gru": (recurrent._gru, gru_step, 3, 1, {}),
    "gru_reset_before": (
        recurrent._gru, lambda *a: gru_step(*a, reset_after=False), 3, 1, {"reset_after": False}),
    "simple": (recurrent._simple_rnn, simple_step, 1, 1, {}),
}  # fmt: skip


def inputs(cell, bias=True, dtype="float32"):
    gates, states = CELLS[cell][2:4]
    rng = np.random.default_rng(5)
    shapes = {
        "x": (BATCH, STEPS, FEATURES), "h0": (BATCH, UNITS), "c0": (BATCH, UNITS),
        "kernel": (FEATURES, gates * UNITS), "recurrent_kernel": (UNITS, gates * UNITS),
        "bias": (2, gates * UNITS) if cell == "gru" else (gates * UNITS,),
    }  # fmt: skip
    if states == 1:
        del shapes["c0"]
    if not bias:
        del shapes["bias"]
    return {k: rng.normal(size=shape).astype(dtype) for k, shape in shapes.items()}


def reference(cell, p, mask=None, go_backwards=False, zero_output_for_mask=False):
    p = {k: v.astype("float64") for k, v in p.items()}
    x = p["x"][:, ::-1] if go_backwards else p["x"]
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    mask = mask[:, ::-1] if go_backwards else mask
    outputs, ends = np.zeros((BATCH, STEPS, UNITS)), []
    for b in range(BATCH):
        states = tuple(p[k][b] for k in ("h0", "c0") if k in p)
        seen = np.zeros(UNITS)
        for t in range(STEPS):
            if mask[b, t]:
                states = CELLS[cell][1](p, x[b, t], *states)
                seen = states[0]
            outputs[b, t] = 0 if zero_output_for_mask and not mask[b, t] else seen
        ends.append(states)
    return [outputs, outputs[:, -1], *map(np.array, zip(*ends, strict=True))]


MASKS = {
    "none": None,
    "ends": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], bool),
    "both": np.array([[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool),
    "begins": np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]], bool),
}
masks = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
cells = pytest.mark.parametrize("cell", CELLS)


def host(results):
    return [None if r is None else backends.to_host(r) for r in results]


@cells
@masks
@pytest.mark.parametrize("options", [
    {}, {"go_backwards": True}, {"zero_output_for_mask": True}, {"unroll": True},
], ids=str)  # fmt: skip
def test_values(cell, mask, options, backend):
    for bias, zero in ((True, False), (False, False), (True, True)):
        p = inputs(cell, bias)
        if zero:  # the states that padding in front leaves alone
            p.update({k: np.zeros_like(v) for k, v in p.items() if k in ("h0", "c0")})
        got = host(CELLS[cell][0](**p, mask=mask, **options, **CELLS[cell][4]))
        want = reference(cell, p, mask, **{k: v for k, v in options.items() if k != "unroll"})
        for g, w in zip(got, want, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5)


@cells
@masks
def test_last_output_alone(cell, mask, backend):
    p = inputs(cell)
    for zero in (False, True):
        got = host(CELLS[cell][0](**p, mask=mask, return_all=False, zero_output_for_mask=zero,
                                  **CELLS[cell][4]))
        want = reference(cell, p, mask, zero_output_for_mask=zero)
        assert got[0] is None
        for g, w in zip(got[1:], want[1:], strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5)


def loss_of(cell, names, mask, which, **options):
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=(BATCH, STEPS, UNITS))] + [
        rng.normal(size=(BATCH, UNITS)) for _ in range(3)
    ]

    def loss(*values):
        results = CELLS[cell][0](
            **dict(zip(names, values, strict=True)), mask=mask, **options, **CELLS[cell][4]
        )
        return sum(
            ops.sum(ops.multiply(r, weights[i].astype(backends.active.dtype_of(r))))
            for i, r in enumerate(results) if i in which
        ), None

    return loss


@cells
@masks
@pytest.mark.parametrize("which", [(0,), (1,), (0, 2, 3)], ids=["all", "last", "states"])
def test_gradient(cell, mask, which):
    """Backpropagation through time against central differences."""
    p = inputs(cell, dtype="float64")
    loss = loss_of(cell, list(p), mask, which)
    values = list(p.values())
    with config.backend_scope("numpy"):
        _, grads = backends.active.value_and_grad(loss, [], values)
        for i, (g, a) in enumerate(zip(grads, values, strict=True)):
            direction = np.random.default_rng(i).normal(size=a.shape)
            ends = [
                float(loss(*values[:i], a + step * direction, *values[i + 1:])[0])
                for step in (1e-6, -1e-6)
            ]
            np.testing.assert_allclose(
                np.sum(g * direction), (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-6)


@cells
@masks
@pytest.mark.parametrize("of_states", [True, False])
def test_gradients_agree(cell, mask, of_states, backend):
    p = inputs(cell)
    start = {}
    if not of_states:
        start = {k: np.zeros_like(p.pop(k)) for k in ("h0", "c0") if k in p}
    results = []
    for name in (backend, "numpy"):
        with config.backend_scope(name):
            loss = loss_of(cell, list(p), mask, (0, 2, 3), go_backwards=True, **start)
            _, grads = backends.active.value_and_grad(loss, [], list(p.values()))
            results.append(host(grads))
    for g, w in zip(*results, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5)


def test_other_activations(backend):
    p = inputs("lstm")
    got = host(recurrent._lstm(**p, activation=ops.relu, recurrent_activation=ops.hard_sigmoid))
    h, c = p["h0"][0].astype("float64"), p["c0"][0]
    for t in range(STEPS):
        i, f, g, o = np.split(p["x"][0, t] @ p["kernel"] + h @ p["recurrent_kernel"] + p["bias"], 4)
        i, f, o = (np.clip(v / 6 + 0.5, 0, 1) for v in (i, f, o))
        c = f * c + i * np.maximum(g, 0)
        h = o * np.maximum(c, 0)
        np.testing.assert_allclose(got[0][0, t], h, rtol=1e-4, atol=1e-5)


@cells
def test_shapes_without_values(cell):
    from kerasish.core.symbolic import KerasTensor

    op, _, _, states, options = CELLS[cell]
    p = inputs(cell)
    x = KerasTensor((None, None, FEATURES))
    start = {k: KerasTensor((None, UNITS)) for k in ("h0", "c0")[:states]}
    outputs, last, *ends = op(**{**p, **start, "x": x}, **options)
    assert outputs.shape == (None, None, UNITS)
    assert {s.shape for s in (last, *ends)} == {(None, UNITS)}


def test_unknown_number_of_steps():
    """In a tf.function whose input has no static time or batch size."""
    tf = pytest.importorskip("tensorflow")
    p = inputs("lstm")

    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))], autograph=False)
    def run(x):
        zeros = tf.zeros((tf.shape(x)[0], UNITS))
        return recurrent._lstm(x, zeros, zeros, *(p[k] for k in (
            "kernel", "recurrent_kernel", "bias")))[0]  # fmt: skip

    with config.backend_scope("tensorflow"):
        got = run(p["x"])
    zeros = np.zeros((BATCH, UNITS), "float32")
    np.testing.assert_allclose(got, reference("lstm", {**p, "h0": zeros, "c0": zeros})[0],
                               rtol=1e-5, atol=1e-5)
