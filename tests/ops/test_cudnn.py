"""cuDNN's recurrences, where they are chosen and what they are given.

No test runs the kernels. Stand-ins take their place that read the same arguments: JAX's own
reference of its kernel, and cuDNN's documented equations on weights unpacked as it lays them out.
"""

import functools
import types

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, config
from kerasish.ops import recurrent
from tests.ops import test_recurrent as plain
from tests.ops.test_recurrent import CELLS, MASKS, cells, host, inputs, masks

KINDS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
kinds = pytest.mark.parametrize("cell", KINDS)


@pytest.mark.parametrize(("options", "reason"), [
    ({"activation": "relu"}, "activation='tanh'"),
    ({"recurrent_activation": "tanh"}, "recurrent_activation='sigmoid'"),
    ({"unroll": True}, "unroll=True"),
    ({"recurrent_dropout": 0.5}, "no recurrent_dropout"),
], ids=str)  # fmt: skip
@kinds
def test_arguments_that_it_does_not_know(cell, options, reason, backend):
    x = np.ones((2, 3, 4), "float32")
    KINDS[cell](2, **options)(x)
    with pytest.raises(ValueError, match=reason) as caught:
        KINDS[cell](2, use_cudnn=True, name="mine", **options)(x)
    assert "use_cudnn='auto'" in str(caught.value) and "'mine'" in str(caught.value)


@kinds
def test_engine_that_cannot(cell, backend):
    """The reason is the engine's; building a model of it is not refused."""
    layer = KINDS[cell](2, use_cudnn=True)
    assert layer(keras.Input((3, 4))).shape == (None, 2)
    reason = {
        "numpy": "the numpy backend", "torch": "type 'cuda'", "tensorflow": "without CUDA",
        "jax": "no GRU" if cell == "gru" else "cpu:0",
    }[backend]  # fmt: skip
    with pytest.raises(ValueError, match=reason):
        layer(np.ones((2, 3, 4), "float32"))


def test_reset_before(backend):
    with pytest.raises(ValueError, match="reset_after=True alone"):
        keras.layers.GRU(2, use_cudnn=True, reset_after=False)(np.ones((2, 3, 4), "float32"))


@pytest.mark.parametrize("choice", ["auto", True, False])
def test_choice_goes_along_to_both_directions(choice):
    both = keras.layers.Bidirectional(keras.layers.LSTM(2, use_cudnn=choice))
    assert both.forward_layer.use_cudnn is both.backward_layer.use_cudnn is choice
    assert "use_cudnn" not in both.forward_layer.get_config()


# Stand-ins ---------------------------------------------------------------------------------------


@pytest.fixture
def as_if(monkeypatch):
    """`as_if(engine)`: the engine as it is on a machine with a GPU, for as long as a test runs."""

    def enter(name):
        pytest.importorskip(name)
        adapter = backends.load(name)
        monkeypatch.setitem(adapter.table, "_no_cudnn", lambda kind, x: None)
        for op in ("_lstm", "_gru"):  # anew: what was traced before, or is now, is not for all
            body = backends.bodies[op]
            again = functools.wraps(body)(lambda *args, body=body: body(*args))
            monkeypatch.setitem(adapter.table, op, adapter.finish(op, again))

    return enter


@pytest.fixture
def on_jax(as_if, monkeypatch):
    as_if("jax")
    import jax
    from jax.experimental import rnn

    def lstm(x, h0, c0, weights, lengths, features, units, layers, dropout, both):
        assert (layers, dropout, both) == (1, 0.0, False) and lengths.dtype == "int32"
        assert weights.shape == (rnn.get_num_params_in_lstm(features, units, layers, both),)
        parts = rnn.unpack_lstm_weights(weights, features, units, layers, both)
        with jax.named_scope("stand_in"):
            return rnn.lstm_ref(x, h0, c0, *parts, lengths, features, units, layers, dropout, both)

    monkeypatch.setattr(rnn, "lstm", lstm)
    with config.backend_scope("jax"):
        yield


@pytest.fixture
def on_tensorflow(as_if, monkeypatch):
    as_if("tensorflow")
    import tensorflow as tf

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", _cudnn_equations)
    with config.backend_scope("tensorflow"):
        yield


def _cudnn_equations(input, input_h, input_c, params, sequence_lengths, rnn_mode):
    """`cudnnRNNForward` of one layer: the gates of an LSTM are input, forget, new and output, and
    those of a GRU are reset, update and new; a matrix W and a matrix R for each, then a bias b_W
    and a bias b_R for each. Steps beyond a sequence's length are zeros."""
    import tensorflow as tf

    gates, units, features = {"lstm": 4, "gru": 3}[rnn_mode], input_h.shape[-1], input.shape[-1]
    sizes = [units * features] * gates + [units * units] * gates + [units] * 2 * gates
    parts = tf.split(params, sizes)
    w = [tf.reshape(p, (units, features)) for p in parts[:gates]]
    r = [tf.reshape(p, (units, units)) for p in parts[gates:2 * gates]]
    bw, br = parts[2 * gates:3 * gates], parts[3 * gates:]
    h, c, states = input_h[0], input_c[0], []
    for t in range(input.shape[0]):
        of_x = [input[t] @ tf.transpose(w[k]) + bw[k] for k in range(gates)]
        of_h = [h @ tf.transpose(r[k]) + br[k] for k in range(gates)]
        if rnn_mode == "lstm":
            i, f, o = (tf.sigmoid(of_x[k] + of_h[k]) for k in (0, 1, 3))
            new_c = f * c + i * tf.tanh(of_x[2] + of_h[2])
            new_h = o * tf.tanh(new_c)
        else:
            reset, i = (tf.sigmoid(of_x[k] + of_h[k]) for k in (0, 1))
            new_c = c
            new_h = (1 - i) * tf.tanh(of_x[2] + reset * of_h[2]) + i * h
        on = (t < sequence_lengths)[:, None]
        h, c = tf.where(on, new_h, h), tf.where(on, new_c, c)
        states.append(tf.where(on, h, 0))
    return tf.stack(states), h[None], c[None] if rnn_mode == "lstm" else tf.zeros(()), None, None


def _check(cell, mask, **options):
    for bias in (True, False):
        p = inputs(cell, bias)
        got = host(CELLS[cell][0](**p, mask=mask, use_cudnn=True, **options))
        for g, w in zip(got, plain.reference(cell, p, mask, **options), strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5)
    p, grads = inputs(cell), []
    for choice in (True, False):
        loss = plain.loss_of(cell, list(p), mask, (0, 2, 3), use_cudnn=choice, **options)
        grads.append(host(backends.active.value_and_grad(loss, [], list(p.values()))[1]))
    for g, w in zip(*grads, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5)


@masks
@kinds
@pytest.mark.parametrize("go_backwards", [False, True])
def test_values_and_gradients_on_tensorflow(cell, mask, go_backwards, on_tensorflow):
    """Masks that the kernel does not know are left to the loop, as values tell inside a graph."""
    _check(cell, mask, go_backwards=go_backwards)


@kinds
def test_the_kernel_is_what_runs_on_tensorflow(cell, on_tensorflow, monkeypatch):
    import tensorflow as tf

    def nothing(*args, **kwargs):
        states, *rest = _cudnn_equations(*args, **kwargs)
        return states * np.nan, *rest

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", nothing)
    for name, by_kernel in (("none", True), ("ends", True), ("both", False), ("begins", False)):
        got = host(CELLS[cell][0](**inputs(cell), mask=MASKS[name], use_cudnn="auto"))
        assert np.isnan(got[0]).any() == by_kernel


@kinds
def test_the_kernel_takes_the_arguments_on_tensorflow(cell, as_if):
    """The kernel's own signature, shapes and gradient, in a graph that is not run."""
    as_if("tensorflow")
    import tensorflow as tf

    with config.backend_scope("tensorflow"), tf.Graph().as_default() as graph:
        p = {k: tf.convert_to_tensor(v) for k, v in inputs(cell).items()}
        states, last, *_ = CELLS[cell][0](**p, use_cudnn=True)
        assert states.shape == (3, 5, 2) and last.shape == (3, 2)
        grads = tf.gradients(tf.reduce_sum(states), list(p.values()))
    assert [g.shape for g in grads] == [x.shape for x in p.values()]
    kernels = {op.type for op in graph.get_operations() if "Cudnn" in op.type}
    assert kernels == {"CudnnRNNV3", "CudnnRNNBackpropV3"}


@pytest.mark.parametrize(("scope", "reason"), [("XLA", "jit_compile=True"), ("CPU", "CPU:0")])
def test_where_tensorflow_does_not_choose_it(scope, reason, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["GPU:0"])
    reasons = {}

    @tf.function(autograph=False, jit_compile=scope == "XLA")
    def program(x):
        with tf.device("CPU:0" if scope == "CPU" else None):
            reasons["LSTM"] = recurrent._no_cudnn("LSTM", x)
        return x

    with config.backend_scope("tensorflow"):
        program(tf.ones((2, 3, 4)))
        assert reason in reasons["LSTM"]
        assert "CPU:0" in recurrent._no_cudnn("LSTM", tf.ones((2, 3, 4)))
        with tf.Graph().as_default():
            assert recurrent._no_cudnn("LSTM", tf.ones((2, 3, 4))) is None


@masks
def test_values_and_gradients_on_jax(mask, on_jax, monkeypatch):
    from jax import lax

    monkeypatch.setattr(lax, "platform_dependent", lambda *args, cuda, default: cuda(*args))
    _check("lstm", mask)


def test_jax_chooses_by_the_platform_that_a_program_is_made_for(on_jax):
    import jax

    p = {k: jax.numpy.asarray(v) for k, v in inputs("lstm").items()}
    program = jax.jit(lambda p: recurrent._lstm(**p, use_cudnn="auto")).trace(p)
    for platform, chosen in (("cuda", True), ("cpu", False)):
        text = program.lower(lowering_platforms=(platform,)).as_text(debug_info=True)
        assert ("stand_in" in text) == chosen
    _check("lstm", None)  # on the CPU, where the kernel would be unknown


def test_where_jax_does_not_choose_it(monkeypatch):
    jax = pytest.importorskip("jax")
    with config.backend_scope("jax"):
        x = jax.numpy.ones((2, 3, 4))
        assert "no GRU" in recurrent._no_cudnn("GRU", x)
        assert "cpu:0" in recurrent._no_cudnn("LSTM", x)
        device = types.SimpleNamespace(client=types.SimpleNamespace(platform_version="cuda 12"))
        monkeypatch.setattr(type(x), "devices", lambda self: [device])
        assert recurrent._no_cudnn("LSTM", x) is None
        assert "float16" in recurrent._no_cudnn("LSTM", x.astype("float16"))
        assert "sizes" in recurrent._no_cudnn("LSTM", x[:0])


@pytest.mark.parametrize("bias", [True, False])
def test_torch_gives_the_weights_in_one_piece(bias):
    """As cuDNN's lie: the matrices of input and state, then their biases."""
    torch = pytest.importorskip("torch")
    from kerasish.backends.torch.recurrent import _weights

    p = {k: torch.tensor(v) for k, v in inputs("lstm").items()}
    weights = [p["kernel"].T, p["recurrent_kernel"].T]
    weights += [p["bias"], torch.zeros_like(p["bias"])] if bias else []
    for w in weights:
        w.requires_grad_()
    packed = _weights(types.SimpleNamespace(is_cuda=True), weights)
    place = 0
    for part, w in zip(packed, weights, strict=True):
        assert part.storage_offset() == place and part.is_contiguous()
        assert part.untyped_storage().data_ptr() == packed[0].untyped_storage().data_ptr()
        place += part.numel()
        assert torch.equal(part, w)
        assert torch.autograd.grad(part.sum(), w, retain_graph=True)[0].eq(1).all()
    assert packed[0].untyped_storage().nbytes() == 4 * place


@cells
def test_torch_on_the_cpu_is_fused(cell):
    """`use_cudnn` is of no account there: the engine's own kernel serves all of its values."""
    torch = pytest.importorskip("torch")
    p = {k: torch.tensor(v) for k, v in inputs(cell).items()}
    options = {} if cell == "simple" else {"use_cudnn": False}
    with config.backend_scope("torch"), torch.profiler.profile() as profile:
        CELLS[cell][0](**p, **options, **CELLS[cell][4])
    found = {e.key for e in profile.key_averages()} & {"aten::lstm", "aten::gru"}
    assert found == ({f"aten::{cell}"} if cell in KINDS else set())
