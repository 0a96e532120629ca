"""Quantized models: which layers, training, files."""

import numpy as np
import pytest

import kerasish as keras
from tests.peer import keras_peer

rng = np.random.default_rng(3)
INPUTS = rng.integers(0, 20, (32, 6)).astype("int32")
TARGETS = INPUTS[:, 0] % 3


def host(t):
    return keras.ops.convert_to_numpy(t)


def weights_of(model):
    draw = np.random.default_rng(4)
    return [draw.uniform(-0.6, 0.6, w.shape).astype("float32") for w in model.get_weights()]


def functional(library, attention=False):
    L = library.layers
    i = library.Input((6,), dtype="int32")
    h = L.Embedding(20, 8, name="table")(i)
    if attention:
        h = L.MultiHeadAttention(2, 4, name="attention")(h, h)
    block = library.Sequential([
        library.Input((6, 8)), L.Dense(10, activation="relu", name="first"),
        L.EinsumDense("abc,cd->abd", output_shape=(None, 8), bias_axes="d", name="second"),
    ], name="block")  # fmt: skip
    h = L.GlobalAveragePooling1D(name="pool")(block(h))
    model = library.Model(i, L.Dense(3, name="head")(h))
    model.set_weights(weights_of(model))
    return model


class Own(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = keras.layers.Embedding(20, 8)
        self.blocks = [keras.layers.Dense(8), keras.layers.BatchNormalization()]
        self.head = keras.layers.Dense(3)

    def call(self, inputs):
        x = self.table(inputs)
        for layer in self.blocks:
            x = layer(x)
        return self.head(keras.ops.mean(x, axis=1))


def own():
    model = Own()
    model(INPUTS)
    return model


MAKES = {
    "functional": lambda: functional(keras), "attention": lambda: functional(keras, True), "own": own
}  # fmt: skip


def modes(model):
    return {x.name: x.quantization_mode for x in model._flatten_layers() if hasattr(x, "_kernels")}


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("make", MAKES)
def test_files_bring_back_the_same_model(make, mode, tmp_path, backend):
    model = MAKES[make]()
    before = host(model(INPUTS))
    model.quantize(mode)
    after = host(model(INPUTS))
    assert 0 < np.abs(after - before).max() < 0.2
    objects = {"Own": Own}
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras", custom_objects=objects)
    np.testing.assert_array_equal(host(again(INPUTS)), after)
    assert list(modes(again).values()) == list(modes(model).values())
    model.save_weights(tmp_path / "m.weights.h5")
    plain = MAKES[make]()
    plain.load_weights(tmp_path / "m.weights.h5")  # becomes what was saved
    np.testing.assert_array_equal(host(plain(INPUTS)), after)


def test_weights_only_files_keep_their_activations_floats(tmp_path):
    """The config of a layer inside another is in the file too."""
    model = functional(keras, attention=True)
    model.quantize(config=keras.quantizers.Int8QuantizationConfig(activation_quantizer=None))
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(host(again(INPUTS)), host(model(INPUTS)))


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_files_go_to_keras_and_back(mode, tmp_path):
    peer = keras_peer()
    model, other = functional(keras), functional(peer)
    model.quantize(mode)
    other.quantize(mode)
    tolerance = 6e-2 if mode == "float8" else 1e-5  # there Keras rounds biases to bfloat16
    model.save(tmp_path / "ours.keras")
    theirs = peer.saving.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(np.asarray(theirs(INPUTS)), host(model(INPUTS)), atol=tolerance)
    other.save(tmp_path / "theirs.keras")
    ours = keras.models.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(host(ours(INPUTS)), np.asarray(other(INPUTS)), atol=tolerance)
    for folder, saved, loaded in ((tmp_path / "a", model, other), (tmp_path / "b", other, model)):
        folder.mkdir()
        saved.save_weights(folder / "m.weights.h5")
        loaded.load_weights(folder / "m.weights.h5")
    np.testing.assert_allclose(host(model(INPUTS)), np.asarray(other(INPUTS)), atol=tolerance)


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_training_goes_on(mode, backend):
    model = functional(keras)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(INPUTS, TARGETS, verbose=0)
    model.predict(INPUTS, verbose=0)
    model.quantize(mode)
    if mode == "int8":
        for layer in model._flatten_layers():
            if hasattr(layer, "_kernels"):
                layer.enable_lora(2)
    losses = model.fit(INPUTS, TARGETS, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_allclose(model.predict(INPUTS, verbose=0), host(model(INPUTS)), atol=1e-5)
    if mode == "float8":
        head = model.get_layer("head")
        history = head.inputs_amax_history.numpy()
        assert 0 < head.inputs_scale.numpy() < 1 and np.count_nonzero(history) == 12
        assert head.outputs_grad_scale.numpy() < 1


def test_filters_choose_layers():
    everything = {"table", "first", "second", "head"}
    for filters, expected in (
        (None, everything), ("first", {"first"}), (["^h", "sec"], {"head", "second"}),
        (lambda layer: "e" in layer.name, everything - {"first"}), ([], set()),
    ):  # fmt: skip
        model = functional(keras)
        model.quantize("int8", filters=filters)
        assert {k for k, v in modes(model).items() if v} == expected
        assert model.dtype_policy.name == "float32"
    with pytest.raises(ValueError, match="filters"):
        functional(keras).quantize("int8", filters=3)


def test_refusals_change_nothing():
    model = functional(keras)
    with pytest.raises(ValueError, match="Unknown"):
        model.quantize("int9")
    with pytest.raises(ValueError, match="data"):
        model.quantize("gptq")
    model.get_layer("head").quantize("int8")
    with pytest.raises(ValueError, match="head"):
        model.quantize("int8")
    assert modes(model)["table"] is None
    with pytest.raises(ValueError, match="built"):
        keras.Sequential([keras.layers.Dense(3)]).quantize("int8")


def test_layers_that_a_mode_does_not_serve_are_named():
    model = functional(keras)
    with pytest.warns(UserWarning, match="table"):
        model.quantize("float8")
    assert modes(model) == {"table": None, "first": "float8", "second": "float8", "head": "float8"}


def test_models_move_between_backends(backend):
    with keras.config.backend_scope("numpy"):
        model = functional(keras)
        model.quantize("int4")
        expected = host(model(INPUTS))
    np.testing.assert_allclose(host(model(INPUTS)), expected, atol=1e-5)


def test_policy_maps_name_quantized_layers():
    policies = keras.dtype_policies.DTypePolicyMap("float32")
    policies["outer/few"] = keras.dtype_policies.get("int8_from_float32")
    with keras.name_scope("outer"):
        few, many = (keras.layers.Dense(3, name=n, dtype=policies) for n in ("few", "many"))
        for layer in (few, many):
            layer.build((None, 4))
    assert few._kernel.dtype == "int8" and many._kernel.dtype == "float32"
    many.quantize("int4")
    assert policies["outer/many"].name == "int4/128_from_float32"
    assert policies["outer/few"].name == "int8_from_float32"


@pytest.mark.parametrize("note", [
    "no json", "[]", '{"policy": "int8_from_float32"}', '{"policy": "rm -r", "config": null}',
    '{"policy": "int8_from_float32", "config": {"class_name": "nonesuch", "config": {}}}',
])  # fmt: skip
def test_damaged_notes_are_refused(note, tmp_path):
    h5py = pytest.importorskip("h5py")
    model = functional(keras)
    model.quantize("int8")
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        groups = []
        file.visititems(lambda _, x: groups.append(x) if "quantization" in x.attrs else None)
        assert len(groups) == 4
        groups[0].attrs["quantization"] = note
    with pytest.raises(ValueError):
        functional(keras).load_weights(tmp_path / "m.weights.h5")
