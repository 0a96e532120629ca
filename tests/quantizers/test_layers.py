"""Quantized layers: their variables, outputs, gradients and files."""

import numpy as np
import pytest

import kerasish as keras
from tests.peer import keras_peer

INT8 = keras.quantizers.Int8QuantizationConfig
INT4 = keras.quantizers.Int4QuantizationConfig
rng = np.random.default_rng(5)


def x(*shape):
    return rng.uniform(-1, 1, shape).astype("float32")


def ids(*shape):
    return rng.integers(0, 10, shape).astype("int32")


LAYERS = {
    "dense": (lambda L: L.Dense(7, activation="tanh"), x(2, 3, 6)),
    "einsum": (lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"), x(2, 5, 4)),
    "einsum-out": (lambda L: L.EinsumDense("abde,dec->abc", (None, 3)), x(2, 5, 2, 3)),
    "einsum-turned": (lambda L: L.EinsumDense("abc,edc->abed", (None, 2, 3)), x(2, 5, 4)),
    "einsum-batch": (lambda L: L.EinsumDense("abc,bcd->abd", (5, 3)), x(2, 5, 4)),
    "embedding": (lambda L: L.Embedding(10, 7), ids(2, 3)),
    "reversible": (lambda L: L.ReversibleEmbedding(10, 7), ids(2, 3)),
    "untied": (lambda L: L.ReversibleEmbedding(10, 7, tie_weights=False), ids(2, 3)),
}
ELLIPSES = {
    "left": (lambda L: L.EinsumDense("...x,xy->...y", 4, bias_axes="y"), x(2, 3, 5)),
    "right": (lambda L: L.EinsumDense("ab...,bc->ac...", 4), x(2, 5, 3, 2)),
}
MODES = {
    "int8": lambda q: q.Int8QuantizationConfig(),
    "int8-weights": lambda q: q.Int8QuantizationConfig(activation_quantizer=None),
    "int4": lambda q: q.Int4QuantizationConfig(),
    "int4-blocks": lambda q: q.Int4QuantizationConfig(block_size=2),
    "int4-outputs": lambda q: q.Int4QuantizationConfig(block_size=-1),
    "float8": lambda q: q.Float8QuantizationConfig(),
}
EVERY = [(n, m) for n in LAYERS for m in MODES
         if not (m == "float8" and n in ("embedding", "reversible", "untied"))]  # fmt: skip


def host(t):
    return keras.ops.convert_to_numpy(t)


def made(library, name, weights=None):
    make, inputs = {**LAYERS, **ELLIPSES}[name]
    layer = make(library.layers)
    layer(inputs)
    if weights is None:
        draw = np.random.default_rng(1)
        weights = [draw.uniform(-1, 1, w.shape).astype("float32") for w in layer.get_weights()]
    layer.set_weights(weights)
    return layer, inputs, weights


def stored(layer):
    store = {}
    layer.save_own_variables(store)
    return {k: np.asarray(v.numpy() if hasattr(v, "numpy") else v) for k, v in store.items()}


@pytest.mark.parametrize("name, mode", [*EVERY, *((n, m) for n in ELLIPSES for m in MODES)])
def test_outputs_stay_near(name, mode, backend):
    layer, inputs, _ = made(keras, name)
    before = host(layer(inputs))
    layer.quantize(config=MODES[mode](keras.quantizers))
    after = host(layer(inputs))
    assert after.shape == before.shape and not np.array_equal(before, after)
    unordered = mode.startswith("int4") and name in ("einsum-turned", "einsum-batch")
    limit = {"int8": 0.02, "int8-weights": 0.02, "float8": 0.12}.get(mode, 0.35)
    assert np.abs(after - before).max() < limit * (2 if unordered else 1)
    symbolic = layer(keras.Input(batch_shape=(None, *inputs.shape[1:]), dtype=str(inputs.dtype)))
    assert symbolic.shape == (None, *after.shape[1:])


@pytest.mark.parametrize("name, mode", EVERY)
def test_variables_and_outputs_are_those_of_keras(name, mode):
    peer = keras_peer()
    config = MODES[mode]
    layer, inputs, weights = made(keras, name)
    other, _, _ = made(peer, name, weights)
    layer.quantize(config=config(keras.quantizers))
    other.quantize(config=config(peer.quantizers))
    described = [(v.name, tuple(v.shape), v.dtype, v.trainable) for v in layer.weights]
    expected = [(v.name, tuple(v.shape), v.dtype, v.trainable) for v in other.weights]
    assert [d for d in described if "reverse_embeddings_zero" not in d[0]] == [
        d for d in expected if "reverse_embeddings_zero" not in d[0]
    ]
    assert layer.dtype_policy.name == other.dtype_policy.name
    ours, theirs = stored(layer), stored(other)
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    if mode != "int4-blocks":  # Keras cuts off the zero points of blocks of one sign
        for key, value in ours.items():
            np.testing.assert_allclose(
                value.astype("float32"), theirs[key].astype("float32"), rtol=1e-6
            )
    layer.load_own_variables(theirs)
    tolerance = 2e-2 if mode == "float8" else 2e-6  # there Keras rounds biases to bfloat16
    np.testing.assert_allclose(host(layer(inputs)), np.asarray(other(inputs)), atol=tolerance)
    other.load_own_variables(ours)
    layer.load_own_variables(ours)
    np.testing.assert_allclose(host(layer(inputs)), np.asarray(other(inputs)), atol=tolerance)
    if name in ("reversible", "untied"):
        back = x(2, 7)
        np.testing.assert_allclose(
            host(layer(back, reverse=True)), np.asarray(other(back, reverse=True)), atol=2e-6
        )


def test_int8_dense_counts_in_integers(backend):
    """By hand: 127 steps for the largest weight of a column and the largest input of a row."""
    layer = keras.layers.Dense(2, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.array([[1.0, 0.5], [-0.25, 2.0]])])
    layer.quantize("int8")
    np.testing.assert_array_equal(layer._kernel.numpy(), [[127, 32], [-32, 127]])
    np.testing.assert_allclose(layer.kernel_scale.numpy(), [127, 63.5], rtol=1e-6)
    y = host(layer(np.array([[4.0, 1.0]], "float32")))  # integers 127 and 32, scale 31.75
    want = [(127 * 127 - 32 * 32) / (31.75 * 127), (127 * 32 + 32 * 127) / (31.75 * 63.5)]
    np.testing.assert_allclose(y, [want], rtol=1e-5)


@pytest.mark.parametrize("mode", ["int8", "int4", "int4-outputs"])
@pytest.mark.parametrize("name", ["dense", "einsum", "einsum-out", "left", "right"])
def test_gradients_pass_through(name, mode, backend):
    """Inputs get the gradient of the product with the kernel that is in force."""
    layer, inputs, _ = made(keras, name)
    layer.quantize(config=MODES[mode](keras.quantizers))
    plain, _, _ = made(keras, name)
    plain.set_weights([host(layer.kernel), *plain.get_weights()[1:]])
    layer.activation = plain.activation = keras.activations.linear
    grad = lambda la: host(keras.grad(
        lambda t: keras.ops.sum(la(t) * la(t)) if mode != "int8" else keras.ops.sum(la(t)),
        keras.ops.convert_to_tensor(inputs),
    ))
    np.testing.assert_allclose(grad(layer), grad(plain), atol=1e-4)


@pytest.mark.parametrize("name, mode", [
    *((n, m) for n in ("dense", "einsum", "embedding") for m in (None, "int8", "int4")),
    ("dense", "float8"), ("einsum", "float8"),
])  # fmt: skip
def test_lora_trains_beside_a_quantized_kernel(name, mode, backend):
    layer, inputs, _ = made(keras, name)
    if mode:
        layer.quantize(mode)
    weight = getattr(layer, layer._kernels()[0].attribute)
    before, frozen = host(layer(inputs)), weight.numpy()
    layer.enable_lora(2, lora_alpha=4)
    np.testing.assert_allclose(host(layer(inputs)), before, atol=1e-6)  # B begins at zero
    trained = [v for v in layer.trainable_variables if "lora" in v.name]
    assert len(trained) == 2 and not weight.trainable
    grads = keras.grad(lambda: keras.ops.sum(keras.ops.square(layer(inputs) - 1.0)), trained)
    assert np.abs(host(grads[1])).max() > 0
    for v in trained:
        v.assign(np.random.default_rng(2).uniform(-0.5, 0.5, size=v.shape))
    a, b = (v.numpy() for v in trained)
    kernel = host(keras.ops.convert_to_tensor(layer._mode.kernel(layer, layer._kernels()[0])
                                              if mode else weight))  # fmt: skip
    np.testing.assert_allclose(host(layer.kernel), kernel + 2 * (a @ b), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(weight.numpy(), frozen)
    # Files have the update in the kernel.
    again, _, _ = made(keras, name)
    if mode:
        again.quantize(mode)
    again.load_own_variables(stored(layer))
    near = {"int8": 0.05, "int4": 0.6, "float8": 0.3}.get(mode, 1e-5)
    np.testing.assert_allclose(host(again(inputs)), host(layer(inputs)), atol=near)


def test_lora_files_are_those_of_keras():
    peer = keras_peer()
    for name, mode in (("dense", None), ("einsum", "int8"), ("dense", "int4"), ("embedding", None)):
        layer, inputs, weights = made(keras, name)
        other, _, _ = made(peer, name, weights)
        for one in (layer, other):
            if mode:
                one.quantize(mode)
            one.enable_lora(2)
            for v in one.trainable_variables:
                if "lora" in v.name:
                    v.assign(np.random.default_rng(3).uniform(-1, 1, v.shape))
        np.testing.assert_allclose(host(layer(inputs)), np.asarray(other(inputs)), atol=1e-5)
        ours, theirs = stored(layer), stored(other)
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            np.testing.assert_allclose(
                value.astype("float32"), theirs[key].astype("float32"), rtol=1e-5
            )


def test_float8_scales_follow_what_was_seen(backend):
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.array([[0.3], [0.7]])])
    layer.quantize("float8")
    layer.inputs_amax_history.assign(np.r_[3.0, np.zeros(1023)])
    layer.kernel_amax_history.assign(np.r_[2.0, np.zeros(1023)])
    inputs = keras.ops.convert_to_tensor(np.array([[1.05, 0.333]], "float32"))
    own = layer.trainable_variables
    grads = keras.grad(lambda: keras.ops.sum(layer(inputs)) * 1.2345, own)
    grads = {v.name: host(g) for v, g in zip(own, grads, strict=True)}
    # The gradient 1.2345 is 1.25 in e5m2, the inputs are 1.0 and 0.34375 in e4m3.
    np.testing.assert_allclose(grads["kernel"], [[1.25], [0.4296875]], rtol=1e-6)
    np.testing.assert_allclose(grads["inputs_scale"], 3 / 448, rtol=1e-6)
    np.testing.assert_allclose(grads["kernel_scale"], 2 / 448, rtol=1e-6)
    np.testing.assert_allclose(grads["outputs_grad_scale"], 1)
    for what, latest in (("inputs", 1.05), ("kernel", 0.7), ("outputs_grad", 1.2345)):
        history = grads[f"{what}_amax_history"]
        np.testing.assert_allclose(history[0], latest, rtol=1e-6)
        assert history[-1] == {"inputs": 3.0, "kernel": 2.0}.get(what, 0.0)
        assert getattr(layer, f"{what}_scale").overwrite_with_gradient


def test_policies_quantize(backend):
    layer = keras.layers.Dense(3, dtype="int8_from_mixed_bfloat16")
    y = layer(x(2, 4))
    assert keras.ops.dtype(y) == "bfloat16" and layer._kernel.dtype == "int8"
    assert np.abs(host(layer.kernel)).max() > 0.1  # the initial weights, not zeros
    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    layer.dtype_policy = "int4/2_from_float32"
    assert layer.kernel_zero.shape == (2, 3) and layer.quantization_mode == "int4"
    layer = keras.layers.EinsumDense("ab,bc->ac", 3, dtype="gptq/4/2_from_float32", lora_rank=2)
    layer(x(2, 4))
    assert layer._kernel.shape == (2, 4) and layer.lora_kernel_a.shape == (4, 2)
    layer = keras.layers.Dense(3, dtype="float8_from_float32")
    layer(x(2, 4))
    assert len(layer.trainable_variables) == 8


def test_refusals():
    layer = keras.layers.Dense(3)
    with pytest.raises(ValueError, match="built"):
        layer.quantize("int8")
    layer.build((None, 4))
    for arguments in ({}, {"mode": "int7"}, {"mode": "int8", "config": {"x": 1}},
                      {"mode": "int4", "config": INT8()}, {"mode": "gptq"}):  # fmt: skip
        with pytest.raises(ValueError):
            layer.quantize(**arguments)
    assert layer.quantization_mode is None and layer._kernel.dtype == "float32"
    layer.quantize(config=INT8())
    with pytest.raises(ValueError, match="already"):
        layer.quantize("int8")
    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    with pytest.raises(ValueError, match=r"\(1, 3\)"):
        layer.quantize(config=INT8(weight_quantizer=keras.quantizers.AbsMaxQuantizer(axis=1)))
    assert layer.quantization_mode is None and layer._kernel.dtype == "float32"
    layer.quantize(config=INT8(weight_quantizer=keras.quantizers.AbsMaxQuantizer(axis=0)))
    embedding = keras.layers.Embedding(4, 2)
    embedding.build()
    with pytest.raises(NotImplementedError, match="float8"):
        embedding.quantize("float8")
    conv = keras.layers.Conv1D(2, 2)
    conv.build((None, 4, 2))
    with pytest.raises(NotImplementedError, match="Conv1D"):
        conv.quantize("int8")


def test_subclasses_are_quantized_on_request():
    class Own(keras.layers.Dense):
        pass

    layer = Own(3)
    layer.build((None, 4))
    with pytest.raises(NotImplementedError, match="type_check"):
        layer.quantize("int8")
    layer.quantize("int8", type_check=False)
    assert layer.quantization_mode == "int8"


def test_quantizers_of_other_people_are_used(backend):
    class Halves(keras.Quantizer):
        def __call__(self, t):
            return keras.ops.cast(keras.ops.round(t * 2.0), "int8"), keras.ops.ones(()) * 2.0

    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.array([[1.0], [2.0]])])
    layer.quantize(config=INT8(activation_quantizer=Halves()))
    y = host(layer(np.array([[0.8, 1.6]], "float32")))  # rounded to 1.0 and 1.5
    np.testing.assert_allclose(y, [[1.0 * 64 / 63.5 + 1.5 * 2]], rtol=1e-3)


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_config_makes_the_same_layer(mode, backend):
    layer, inputs, _ = made(keras, "dense")
    layer.quantize(mode)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    again.load_own_variables(stored(layer))
    np.testing.assert_array_equal(host(again(inputs)), host(layer(inputs)))
    assert again.get_config() == layer.get_config()
