"""Layers against Keras as a peer: values, weights, masks, and configs in both directions."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, tree
from kerasish.layers import masking
from tests.peer import keras_peer

rng = np.random.default_rng(3)


def x(*shape):
    return rng.uniform(-1, 1, shape).astype("float32")


SEEN = np.array([[True, True, False, True], [False, True, True, False]])
BLIND = np.array([[[True, False, True, True, False]] * 3 + [[False] * 5]] * 2)
IMAGE = rng.uniform(0, 255, (1, 4, 5, 2)).astype("float32")

# (the layer, its inputs, arguments of the call)
ROWS = [
    ("BatchNormalization(renorm=True)", x(6, 3), {"training": True}),
    ("BatchNormalization(renorm=True, renorm_momentum=0.5, momentum=0.7, moving_variance_initializer"
     "='ones', renorm_clipping={'rmax': 2.0, 'rmin': 0.5, 'dmax': 1.0})", x(6, 3), {"training": True}),
    ("Normalization(axis=1, mean=[1.0, 2.0, 3.0], variance=[1.0, 2.0, 3.0])", x(2, 3, 4), {}),
    ("Normalization(axis=(1, 2), mean=np.ones((3, 2)), variance=np.full((3, 2), 3.0))", x(2, 3, 2), {}),
    ("Normalization(axis=-1, mean=1.0, variance=2.0)", x(2, 3), {}),
    ("ZeroPadding1D((1, 2))", x(2, 3, 4), {}),
    ("Cropping1D((1, 0))", x(2, 3, 4), {}),
    ("Bidirectional(L.LSTM(3, return_sequences=True))", x(2, 4, 5), {"mask": SEEN}),
    ("Bidirectional(L.GRU(3, return_sequences=True), merge_mode='sum')", x(2, 4, 5), {"mask": SEEN}),
    ("Bidirectional(L.RNN([L.LSTMCell(3), L.LSTMCell(3)], return_state=True))", x(2, 4, 5), {}),
    ("LSTM(3, stateful=True)", x(2, 4, 5), {}),
    ("GRU(3, stateful=True, return_state=True)", x(2, 4, 5), {}),
    ("MultiHeadAttention(2, 3, use_gate=True)", [x(2, 4, 6), x(2, 5, 6)], {}),
    ("MultiHeadAttention(2, 3, activity_regularizer='l2')", [x(2, 4, 6), x(2, 5, 6)], {}),
    ("MultiHeadAttention(2, 3)", [x(2, 4, 6), x(2, 5, 6)],
     {"attention_mask": BLIND, "return_attention_scores": True}),
    ("MultiHeadAttention(2, 3)", [x(2, 4, 6), x(2, 5, 6)],
     {"query_mask": SEEN, "value_mask": BLIND[:, 0], "return_attention_scores": True}),
    ("GroupQueryAttention(3, 4, 2, use_gate=True, activity_regularizer='l2')", [x(2, 4, 6), x(2, 5, 6)], {}),
    ("GroupQueryAttention(3, 4, 2)", [x(2, 4, 6), x(2, 5, 6)],
     {"attention_mask": BLIND, "return_attention_scores": True}),
]  # fmt: skip
IDS = [f"{i}-{make.partition('(')[0]}" for i, (make, _, _) in enumerate(ROWS)]
LISTED = ("MultiHeadAttention", "GroupQueryAttention")


def run(package, make, inputs, kwargs):
    layer = eval(make, {"np": np, "L": package.layers}, dict(vars_of(package)))
    call = (lambda: layer(*inputs, **kwargs)) if make.startswith(LISTED) else (
        lambda: layer(inputs, **kwargs)
    )
    call()
    for i, w in enumerate(layer.weights):
        w.assign(np.random.default_rng(i).uniform(0.1, 0.9, tuple(w.shape)).astype("float32"))
    if getattr(layer, "stateful", False):
        layer.reset_state()
    out = call()
    return layer, [np.asarray(package.ops.convert_to_numpy(a)) for a in package.tree.flatten(out)]


def vars_of(package):
    return {name: getattr(package.layers, name) for name in dir(package.layers) if name[0].isupper()}


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_layer_is_that_of_keras(row, backend):
    peer = keras_peer()
    theirs, expected = run(peer, *row)
    ours, out = run(keras, *row)
    assert [(w.name, tuple(w.shape), w.trainable) for w in ours.weights] == [
        (w.name, tuple(w.shape), w.trainable) for w in theirs.weights
    ]
    for a, b in zip(out, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=2e-4, atol=2e-5, err_msg=a.path)
    np.testing.assert_allclose(
        [float(keras.ops.convert_to_numpy(loss)) for loss in ours.losses],
        [float(loss) for loss in theirs.losses], rtol=1e-4,
    )  # fmt: skip


AUGMENTATIONS = [
    "RandomShear(0.2, 0.1)", "RandomColorDegeneration(0.5)", "RandomPosterization(4)",
    "RandomSaturation(0.3)", "AugMix()", "RandAugment()", "MaxNumBoundingBoxes(3)",
    "RandomGaussianBlur()", "RandomCrop(3, 4)", "RandomZoom(0.1)", "SimpleRNNCell(3)", "GRUCell(3)",
]  # fmt: skip


@pytest.mark.parametrize("make", [*[row[0] for row in ROWS], *AUGMENTATIONS])
def test_configs_go_to_keras_and_back(make):
    peer = keras_peer()
    layers = [eval(make, {"np": np, "L": p.layers}, dict(vars_of(p))) for p in (keras, peer)]
    ours, theirs = (
        json.loads(json.dumps(p.saving.serialize_keras_object(layer)))
        for p, layer in zip((keras, peer), layers, strict=True)
    )
    assert ours["class_name"] == theirs["class_name"]
    there = peer.saving.deserialize_keras_object(ours)
    here = keras.saving.deserialize_keras_object(theirs)
    assert type(there).__name__ == type(layers[1]).__name__
    assert here.get_config().keys() == layers[0].get_config().keys()


MASKED = [
    "Dense(3)", "EinsumDense('abc,cd->abd', (None, 2))", "RMSNormalization()", "LayerNormalization()",
    "BatchNormalization()", "Activation('relu')", "Dropout(0.5)", "Reshape((2, 6))", "Flatten()",
    "Permute((2, 1))", "Conv1D(2, 2)", "MaxPooling1D()", "GlobalAveragePooling1D()",
    "LSTM(3, return_sequences=True)", "LSTM(3)", "TimeDistributed(L.Dense(2))", "UnitNormalization()",
    "GroupNormalization(2)", "Discretization([0.0])", "Rescaling(2.0)", "Normalization(mean=0.0, variance=1.0)",
    "Identity()", "Cropping1D(1)", "UpSampling1D(2)", "PReLU()", "GaussianNoise(0.1)", "Masking()",
    "Bidirectional(L.GRU(2, return_sequences=True))", "Lambda(abs)", "ReLU()",
]  # fmt: skip


@pytest.mark.parametrize("make", MASKED)
def test_masks_pass_or_are_dropped_with_a_warning(make):
    """As in Keras: passed on, consumed, or dropped and told."""
    peer = keras_peer()
    a, mask = np.ones((2, 3, 4), "float32"), np.array([[True, True, False]] * 2)
    inputs = keras.ops.convert_to_tensor(a.copy())
    masking.set_mask(inputs, keras.ops.convert_to_tensor(mask))
    layer = eval(make, {"L": keras.layers}, dict(vars_of(keras)))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        out = masking.get_mask(layer(inputs))
    told = [w for w in told if layer.name in str(w.message) and "mask" in str(w.message)]
    theirs = eval(make, {"L": peer.layers}, dict(vars_of(peer)))
    with warnings.catch_warnings(record=True) as expected_told:
        warnings.simplefilter("always")
        node = peer.Input((3, 4))
        node._keras_mask = peer.KerasTensor((None, 3), "bool")
        expected = getattr(theirs(node), "_keras_mask", None)
    expected_told = [w for w in expected_told if "mask" in str(w.message)]
    assert (out is None) == (expected is None)
    assert len(told) == len(expected_told)


def test_concatenated_masks():
    peer = keras_peer()
    masks = [np.array([[True, True, False]]), np.array([[True, False, False]])]
    parts = [np.ones((1, 3, 2), "float32")] * 2
    for axis in (1, -1):
        ours = keras.layers.Concatenate(axis).compute_mask(parts, masks)
        theirs = peer.layers.Concatenate(axis).compute_mask(parts, masks)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours), np.asarray(theirs))


@pytest.mark.parametrize("make", ["Flatten()", "Reshape((6,))", "Permute((2, 1))", "Cropping1D(1)",
                                  "ZeroPadding1D(1)", "UpSampling1D(2)", "Masking()"])
def test_integers_stay_integers_in_shapes_too(make, backend):
    layer = eval(make, {}, dict(vars_of(keras)))
    a = np.ones((2, 3, 2), "int32")
    assert layer(keras.KerasTensor((None, 3, 2), "int32")).dtype == "int32"
    assert backends.active.dtype_of(layer(a)) == "int32"
    merged = keras.layers.Add()([keras.KerasTensor((None, 2), "int32")] * 2)
    mixed = keras.layers.Concatenate()(
        [keras.KerasTensor((None, 2), "int32"), keras.KerasTensor((None, 2), "float32")]
    )
    assert (merged.dtype, mixed.dtype) == ("int32", "float32")


def test_states_are_no_weights_but_are_carried(backend):
    model = keras.Sequential([keras.Input(batch_shape=(2, 3, 4)), keras.layers.LSTM(3, stateful=True)])
    assert len(model.weights) == 3 and len(model.variables) >= 5
    model.compile("sgd", "mse")
    a = x(2, 3, 4)
    first, second = model.predict(a, verbose=0), model.predict(a, verbose=0)
    assert np.abs(first - second).max() > 1e-4
    model.layers[-1].reset_state()
    np.testing.assert_allclose(model.predict(a, verbose=0), first, rtol=1e-5)
    assert tree.flatten(model.layers[-1].states)[0].shape == (2, 3)


def test_a_stateful_layer_in_a_torch_module():
    torch = pytest.importorskip("torch")
    with keras.config.backend_scope("torch"):
        layer = keras.layers.GRU(3, stateful=True)
        layer(torch.ones(2, 3, 4))
        module = keras.utils.to_torch_module(layer)
        layer.reset_state()
        inputs = torch.ones(2, 3, 4)
        first = module(inputs)
        second = module(inputs)
        assert (first - second).abs().max() > 1e-4
        second.sum().backward()  # though the state was written after it was read
        assert all(p.grad is not None for p in module.parameters())
        layer.reset_state()
        torch.testing.assert_close(module(inputs), first)


def test_a_table_of_floats_for_an_embedding_of_a_quantized_dtype(backend):
    table = x(6, 4)
    layer = keras.layers.Embedding(6, 4, weights=table, dtype="int8_from_float32")
    assert {w.dtype for w in layer.weights} == {"int8", "float32"}
    assert layer.quantization_mode == "int8"
    out = keras.ops.convert_to_numpy(layer(np.array([1, 5])))
    np.testing.assert_allclose(out, table[[1, 5]], atol=0.01)


def test_what_a_recurrent_layer_does_not_take_is_told():
    class Cell(keras.layers.Layer):
        state_size = {"a": 3}

        def call(self, x, states):
            return x, states

    with pytest.raises(ValueError, match="state_size"):
        keras.layers.RNN(Cell())
    with pytest.raises(ValueError, match="one tensor"):
        keras.layers.RNN(keras.layers.GRUCell(3))({"a": x(2, 3, 4), "b": x(2, 3, 4)})


WRONG = [
    "Conv2DTranspose(3, 3, output_padding=3, strides=2)", "DepthwiseConv2D(3, depth_multiplier=0)",
    "SeparableConv2D(0, 3)", "UnitNormalization(axis='a')", "LayerNormalization(axis='a')",
    "Dropout(0.5, noise_shape=3)", "RepeatVector('a')", "RepeatVector(-1)", "Lambda(3)",
    "ZeroPadding2D(((1, 2), (3,)))", "UpSampling2D(0)", "Bidirectional(L.Dense(2))",
    "Bidirectional(3)", "LSTM(3, use_cudnn='bad')", "TextVectorization(ngrams='a')",
    "MultiHeadAttention(2, 2, attention_axes='a')", "Dense(0)", "Conv2D(4, 3, groups=3)",
    "Embedding(0, 3)", "Concatenate()(np.ones((2, 3)))", "AdditiveAttention()(np.ones((2, 3, 4)))",
    "UpSampling1D('a')", "Dot(axes='a')", "Dot(axes=(1, 2, 3))", "Conv1DTranspose(2, 3, padding='causal')",
    "GroupNormalization(0)(np.ones((2, 4)))", "Cropping2D(5)(np.ones((1, 4, 4, 1)))",
]  # fmt: skip


@pytest.mark.parametrize("make", WRONG)
def test_what_keras_refuses_is_refused_in_kind(make):
    kinds = []
    for package in (keras, keras_peer()):
        with pytest.raises((ValueError, TypeError)) as raised:
            eval(make, {"np": np, "L": package.layers}, dict(vars_of(package)))
        kinds.append(isinstance(raised.value, ValueError))
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("options", [{}, {"bins": 16}, {"bins": 64}, {"value_range": (-1, 1)},
                                     {"value_range": (0, 1), "bins": 32}])
def test_equalization_is_that_of_keras(options, backend):
    low, high = options.get("value_range", (0, 255))
    images = (IMAGE / 255 * (high - low) + low).astype("float32")
    ours = keras.ops.convert_to_numpy(keras.layers.Equalization(**options)(images))
    theirs = np.asarray(keras_peer().layers.Equalization(**options)(images))
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * (high - low))
