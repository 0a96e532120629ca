"""Models to files and back: on each backend, between backends, and to and from Keras itself."""

import json
import zipfile

import numpy as np
import pytest

import kerasish as keras
from kerasish import config, errors
from tests.conftest import INSTALLED
from tests.peer import keras_peer

h5py = pytest.importorskip("h5py")
L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 6)).astype("float32")
Y = RNG.normal(size=(16, 2)).astype("float32")


# Models ----------------------------------------------------------------------------------------


def sequential():
    return keras.Sequential([
        keras.Input((6,)), L.Dense(5, activation="tanh"), L.BatchNormalization(), L.Dense(2),
    ])  # fmt: skip


def deferred():
    model = keras.Sequential([L.Dense(5, kernel_regularizer="l2"), L.Dense(2)])
    model.build((None, 6))
    return model


def functional():
    """Two inputs, two outputs, a shared layer and ops with constants."""
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    shared = L.Dense(4, name="shared")
    x = L.Concatenate()([shared(a), shared(b) * 2.0])
    y = L.Dense(2, name="y")(keras.ops.tanh(x) + 1.0)
    z = L.Dense(1, name="z")(L.Add()([x, keras.ops.sum(x, axis=-1, keepdims=True)]))
    return keras.Model([a, b], [y, z], name="two")


def by_name():
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    x = L.Dense(3)(a) - L.Dense(3)(b)
    return keras.Model({"a": a, "b": b}, {"up": L.Dense(2)(x), "down": L.Dense(1)(x)})


def nested():
    x = keras.Input((6,))
    inner = keras.Sequential([keras.Input((6,)), L.Dense(4), L.LayerNormalization()], name="in")
    t = keras.Input((4,))
    deeper = keras.Model(t, L.Dense(4)(inner.layers[1](L.Dense(4)(t))), name="deeper")
    h = inner(x)
    return keras.Model(x, L.Dense(2)(deeper(h) + deeper(deeper(h))))


@keras.saving.register_keras_serializable("tests")
class Branches(keras.Model):
    """A subclassed model with layers in attributes, lists and dictionaries."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.stack = [L.Dense(units), L.Dense(units, activation="relu")]
        self.heads = {"one": L.Dense(2), "two": keras.Sequential([L.Dense(3), L.Dense(2)])}
        self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")
        self.drop = L.Dropout(0.5, seed=3)

    def call(self, x, training=False):
        for layer in self.stack:
            x = layer(x)
        x = self.drop(x, training=training)
        return (self.heads["one"](x) + self.heads["two"](x)) * self.scale

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def subclassed():
    model = Branches(units=5, name="branches")
    model.build((None, 6))
    return model


MODELS = {
    f.__name__: f for f in (sequential, deferred, functional, by_name, nested, subclassed)
}


def inputs_of(name):
    if name == "functional":
        return [X, X[::-1]]
    return {"a": X, "b": X[::-1]} if name == "by_name" else X


def shaken(model, seed=1):
    """Gives every weight a value that no initializer makes."""
    rng = np.random.default_rng(seed)
    for v in model.weights:
        v.assign(rng.uniform(0.1, 0.9, v.shape).astype(v.dtype))
    return model


def values(outputs):
    """Outputs of any structure as a flat list of arrays."""
    return [np.asarray(keras.ops.convert_to_numpy(x)) for x in keras.tree.flatten(outputs)]


def agree(first, second, tolerance=1e-5):
    first, second = keras.tree.flatten(first), keras.tree.flatten(second)
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# There and back --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_computes_the_same(backend, name, tmp_path):
    model = shaken(MODELS[name]())
    wanted = values(model(inputs_of(name)))
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert type(again) is type(model) and again.name == model.name
    assert [v.shape for v in again.variables] == [v.shape for v in model.variables]
    assert json.loads(again.to_json()) == json.loads(model.to_json())
    agree(values(again(inputs_of(name))), wanted, 1e-6)
    outputs = again(inputs_of(name))
    assert not isinstance(outputs, dict) or set(outputs) == {"up", "down"}


@pytest.mark.parametrize("ending", ["weights.h5", "safetensors", "keras"])
@pytest.mark.parametrize("name", MODELS)
def test_saved_weights_come_back_bit_for_bit(name, ending, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    model, other = shaken(MODELS[name]()), shaken(MODELS[name](), seed=2)
    path = tmp_path / f"m.{ending}"
    model.save(path) if ending == "keras" else model.save_weights(path)
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert a.dtype == b.dtype and (a == b).all()


@pytest.mark.parametrize("ending", ["keras", "safetensors"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "mixed_float16"])
def test_dtypes_come_back(dtype, ending, tmp_path):
    model = shaken(keras.Sequential([keras.Input((6,)), L.Dense(4, dtype=dtype)]))
    if ending == "keras":
        model.save(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras")
    else:
        pytest.importorskip("safetensors")
        model.save_weights(tmp_path / "m.safetensors")
        again = keras.models.clone_model(model)
        again.load_weights(tmp_path / "m.safetensors")
    assert again.layers[0].dtype_policy.name == dtype
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert a.dtype == b.dtype and (np.asarray(a) == np.asarray(b)).all()


@pytest.mark.parametrize("target", INSTALLED)
@pytest.mark.parametrize("source", INSTALLED)
def test_a_file_moves_between_backends(source, target, tmp_path):
    with config.backend_scope(source):
        model = nested()
        model.compile("adam", "mse")
        model.fit(X, Y, epochs=1, verbose=0)
        wanted = model.predict(X, verbose=0)
        model.save(tmp_path / "m.keras")
        later = model.fit(X, Y, epochs=1, verbose=0, shuffle=False).history["loss"]
    with config.backend_scope(target):
        again = keras.models.load_model(tmp_path / "m.keras")
        agree(again.predict(X, verbose=0), wanted)
        assert int(again.optimizer.iterations.numpy()) == 1
        agree(again.fit(X, Y, epochs=1, verbose=0, shuffle=False).history["loss"], later, 1e-4)


@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".keras"])
def test_weights_bring_the_state_of_an_optimizer_that_is_not_built(backend, ending, tmp_path):
    if ending == ".safetensors":
        pytest.importorskip("safetensors")

    def make():
        keras.utils.set_random_seed(3)
        model = sequential()
        model.compile(keras.optimizers.Adam(0.05), "mse")
        return model

    model, again = make(), make()
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    (model.save if ending == ".keras" else model.save_weights)(tmp_path / f"m{ending}")
    again.load_weights(tmp_path / f"m{ending}")
    assert int(again.optimizer.iterations.numpy()) == 4
    for m in (model, again):
        m.fit(X, Y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    for a, b in zip(model.variables, again.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6, atol=1e-7, err_msg=a.path)


def test_weights_alone_leave_an_optimizer_unbuilt(tmp_path):
    model, again = sequential(), sequential()
    model.save_weights(tmp_path / "m.weights.h5")
    again.compile("adam", "mse")
    again.load_weights(tmp_path / "m.weights.h5")
    assert not again.optimizer.built


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd_momentum", "schedule", "lion"])
def test_saving_amid_training_changes_nothing(backend, optimizer, tmp_path):
    made = {
        "adam": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
        "rmsprop": lambda: keras.optimizers.RMSprop(0.01, centered=True, momentum=0.5),
        "sgd_momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        "schedule": lambda: keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(0.05, 20), weight_decay=0.1, use_ema=True
        ),
        "lion": lambda: keras.optimizers.Lion(0.005),
    }[optimizer]
    keras.utils.set_random_seed(3)
    model = shaken(sequential())
    model.compile(made(), "mse", metrics=["mae"])
    for _ in range(3):
        model.train_on_batch(X, Y)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    model.reset_metrics()
    for _ in range(4):
        straight = model.train_on_batch(X, Y, return_dict=True)
        resumed = again.train_on_batch(X, Y, return_dict=True)
    agree(resumed["loss"], straight["loss"], 1e-6)
    agree(again.get_weights(), model.get_weights(), 1e-6)
    for a, b in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-5, 1e-6)


def test_random_layers_go_on_where_they_were(backend, tmp_path):
    model = keras.Sequential([keras.Input((6,)), L.Dropout(0.5, seed=1), L.Dense(2)])
    model(X, training=True)
    model.save(tmp_path / "m.keras")
    wanted = values(model(X, training=True))
    again = keras.models.load_model(tmp_path / "m.keras")
    agree(values(again(X, training=True)), wanted)


def test_what_was_compiled_comes_back(tmp_path):
    model = functional()
    model.compile(
        keras.optimizers.SGD(0.1, clipnorm=1.0), {"y": "mse", "z": keras.losses.Huber(0.5)},
        metrics={"y": ["mae", keras.metrics.RootMeanSquaredError(name="r")]},
        loss_weights={"y": 1.0, "z": 0.25},
    )  # fmt: skip
    model.fit([X, X], [Y, Y[:, :1]], verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    one = model.evaluate([X, X], [Y, Y[:, :1]], verbose=0, return_dict=True)
    two = again.evaluate([X, X], [Y, Y[:, :1]], verbose=0, return_dict=True)
    assert one.keys() == two.keys()
    agree(list(one.values()), [two[k] for k in one])
    assert again.optimizer.clipnorm == 1.0
    plain = keras.models.load_model(tmp_path / "m.keras", compile=False)
    assert plain.optimizer is None and not plain.compiled
    agree(values(plain([X, X])), values(model([X, X])))


def test_vocabularies_and_statistics_come_back(tmp_path):
    words = L.StringLookup()
    words.adapt(["a", "b", "a", "c"])
    text = L.TextVectorization(output_sequence_length=4)
    text.adapt(["the cat sat", "the dog"])
    scale = L.Normalization()
    scale.adapt(X)
    for layer, data, shape, dtype in (
        (words, np.array([["c"], ["z"]]), (1,), "string"),
        (text, np.array([["dog the"], ["cow"]]), (1,), "string"),
        (scale, X, (6,), "float32"),
    ):
        model = keras.Sequential([keras.Input(shape, dtype=dtype), layer])
        model.save(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras")
        agree(values(again(data)), values(model(data)))


def test_frozen_layers_stay_frozen(tmp_path):
    model = nested()
    model.get_layer("in").trainable = False
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert not again.get_layer("in").trainable
    assert [v.shape for v in again.trainable_variables] == [
        v.shape for v in model.trainable_variables
    ]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    model = shaken(sequential())
    model.save(path)
    content = path.read_bytes()
    layer = model.layers[0]
    monkeypatch.setattr(type(layer), "save_own_variables", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.save(path)
    with pytest.raises(ZeroDivisionError):
        model.save_weights(tmp_path / "m.weights.h5")
    assert path.read_bytes() == content and [p.name for p in tmp_path.iterdir()] == ["m.keras"]


def test_paths_that_are_not_taken(tmp_path):
    model = sequential()
    with pytest.raises(errors.InvalidArgument, match=r"\.keras"):
        model.save(tmp_path / "m.h6")
    with pytest.raises(errors.InvalidArgument, match=r"weights\.h5"):
        model.save_weights(tmp_path / "m.bin")
    with pytest.raises(errors.InvalidArgument, match="does not exist"):
        model.save(tmp_path / "no" / "m.keras")
    model.save(tmp_path / "m.keras")
    with pytest.raises(errors.InvalidArgument, match="overwrite"):
        model.save(tmp_path / "m.keras", overwrite=False)
    with pytest.raises(errors.InvalidArgument, match="no weights yet"):
        keras.Sequential([L.Dense(2)]).save_weights(tmp_path / "u.weights.h5")


# Weights that do not fit -----------------------------------------------------------------------


def named(units=5, extra=False):
    layers = [keras.Input((6,)), L.Dense(4, name="first"), L.Dense(units, name="second")]
    return keras.Sequential([*layers, L.Dense(1, name="third")][: 4 if extra else 3])


@pytest.mark.parametrize("ending", ["weights.h5", "safetensors"])
def test_mismatches_are_told_and_change_nothing(ending, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"m.{ending}"
    shaken(named()).save_weights(path)
    model = shaken(named(units=7), seed=2)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"second.*\(4, 7\).*\(4, 5\)"):
        model.load_weights(path)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    longer = shaken(named(extra=True), seed=2)
    before = longer.get_weights()
    with pytest.raises(ValueError, match="third"):
        longer.load_weights(path)
    assert all((a == b).all() for a, b in zip(before, longer.get_weights(), strict=True))


def test_skip_mismatch_loads_what_fits(tmp_path):
    source = shaken(named())
    source.save_weights(tmp_path / "m.weights.h5")
    model = shaken(named(units=7, extra=True), seed=2)
    before = model.get_weights()
    with pytest.warns(UserWarning, match="second"):
        model.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    after = model.get_weights()
    assert (after[0] == source.get_weights()[0]).all()
    assert all((a == b).all() for a, b in zip(before[2:], after[2:], strict=True))


def test_the_number_of_variables_must_be_the_same(tmp_path):
    one = keras.Sequential([keras.Input((6,)), L.Dense(4, name="one", use_bias=False)])
    one.save_weights(tmp_path / "m.weights.h5")
    two = keras.Sequential([keras.Input((6,)), L.Dense(4, name="two")])
    with pytest.raises(ValueError, match="'two' has 2 variables, the file has 1"):
        two.load_weights(tmp_path / "m.weights.h5")


def test_unknown_arguments_of_load_weights(tmp_path):
    # Keras takes by_name for the older .h5 files only.
    model = sequential()
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match="by_name"):
        model.load_weights(tmp_path / "m.weights.h5", by_name=True)


# Your own classes and functions ------------------------------------------------------------------


def own_layer():
    class Twice(L.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

    Twice.__module__ = "a_module_that_is_not_loaded"
    return Twice


def own_function(x):
    return x + 0.5


def own_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


def test_custom_objects_in_every_way(tmp_path):
    Twice = own_layer()
    path = tmp_path / "m.keras"
    model = keras.Sequential([keras.Input((6,)), Twice(3.0), L.Dense(2, activation=own_function)])
    model.compile("sgd", own_loss)
    model.save(path)
    known = {"Twice": Twice, "own_function": own_function, "own_loss": own_loss}
    with pytest.raises(errors.InvalidArgument, match=r"Twice.*custom_objects"):
        keras.models.load_model(path)
    wanted = values(model(X))
    again = keras.models.load_model(path, custom_objects=known)
    agree(values(again(X)), wanted)
    assert again.layers[0].factor == 3.0 and again.compiled
    agree(again.evaluate(X, Y, verbose=0), model.evaluate(X, Y, verbose=0))
    with keras.saving.custom_object_scope(known):
        agree(values(keras.models.load_model(path)(X)), wanted)
        agree(keras.models.clone_model(model)(X).shape, (16, 2))
    with pytest.raises(errors.InvalidArgument, match="Twice"):
        keras.models.load_model(path)
    json_text = model.to_json()
    assert keras.models.model_from_json(json_text, known).layers[0].factor == 3.0


def test_registered_objects_need_nothing_more(tmp_path):
    Twice = own_layer()
    registered = keras.saving.register_keras_serializable("saving_tests", "Doubled")(Twice)
    keras.saving.register_keras_serializable("saving_tests")(own_function)
    try:
        assert registered is Twice
        assert keras.saving.get_registered_name(Twice) == "saving_tests>Doubled"
        assert keras.saving.get_registered_object("saving_tests>Doubled") is Twice
        model = keras.Sequential([keras.Input((6,)), Twice(), L.Lambda(own_function)])
        model.save(tmp_path / "m.keras")
        agree(values(keras.models.load_model(tmp_path / "m.keras")(X)), [X * 2 + 0.5])
    finally:
        for name in ("saving_tests>Doubled", "saving_tests>own_function"):
            keras.saving.get_custom_objects().pop(name, None)


def test_an_unknown_loss_is_told_and_the_model_loads(tmp_path):
    model = sequential()
    model.compile("adam", own_loss)
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="own_loss"):
        again = keras.models.load_model(tmp_path / "m.keras")
    assert not again.compiled


# Keras itself ------------------------------------------------------------------------------------


def cnn(k):
    return k.Sequential([
        k.Input((8, 8, 3)), k.layers.Conv2D(4, 3, padding="same", use_bias=False),
        k.layers.BatchNormalization(), k.layers.ReLU(), k.layers.MaxPooling2D(),
        k.layers.SeparableConv2D(5, 3), k.layers.GlobalAveragePooling2D(),
        k.layers.Dropout(0.3), k.layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


def recurrent(k):
    x = k.Input((7,), dtype="int32")
    h = k.layers.Embedding(11, 5, mask_zero=True)(x)
    h = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(h)
    h = k.layers.GRU(3, return_sequences=True)(h)
    return k.Model(x, k.layers.LSTM(2)(h))


def attention(k):
    x = k.Input((5, 8))
    h = k.layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    h = k.layers.LayerNormalization()(k.layers.Add()([x, h]))
    return k.Model(x, k.layers.TimeDistributed(k.layers.Dense(2, activation="gelu"))(h))


def in_one_another(k):
    a, b = k.Input((6,), name="a"), k.Input((6,), name="b")
    t = k.Input((6,))
    inner = k.Model(t, k.layers.Dense(6)(t) * 0.5 + t, name="inner")
    outer = k.Sequential([inner, k.layers.Dense(4, activation="relu")], name="outer")
    outer.build((None, 6))
    x = k.ops.concatenate([outer(a), outer(b)], axis=-1)
    return k.Model([a, b], [k.layers.Dense(2)(x), k.ops.mean(x, axis=1)])


def input_for(build):
    rng = np.random.default_rng(5)
    if build is cnn:
        return rng.normal(size=(4, 8, 8, 3)).astype("float32")
    if build is recurrent:
        return np.array([[1, 2, 3, 0, 0, 0, 0], [4, 5, 6, 7, 8, 9, 10]], "int32")
    if build is attention:
        return rng.normal(size=(3, 5, 8)).astype("float32")
    return [X, X[::-1].copy()]


EXCHANGED = [cnn, recurrent, attention, in_one_another]


def shaken_as(model):
    rng = np.random.default_rng(1)
    model.set_weights([
        rng.uniform(0.1, 0.5, w.shape).astype(w.dtype) if w.dtype.kind == "f" else w
        for w in model.get_weights()
    ])  # fmt: skip
    return model


@pytest.mark.parametrize("build", EXCHANGED, ids=lambda f: f.__name__)
@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
@pytest.mark.parametrize("writer", ["Keras", "kerasish"])
def test_files_are_exchanged_with_keras(build, ending, writer, tmp_path):
    theirs = keras_peer()
    source, target = (theirs, keras) if writer == "Keras" else (keras, theirs)
    model, path = shaken_as(build(source)), tmp_path / f"m.{ending}"
    data = input_for(build)
    wanted = values(model(data))
    if ending == "keras":
        model.save(path)
        other = target.models.load_model(path)
    else:
        model.save_weights(path)
        other = build(target)
        other.load_weights(path)
    agree(values(other(data)), wanted)


def test_compiled_models_are_exchanged(tmp_path):
    theirs = keras_peer()
    model = cnn(keras)
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.002), loss, metrics=["accuracy"])
    model.fit(input_for(cnn), np.array([0, 1, 2, 0]), epochs=3, verbose=0)
    model.save(tmp_path / "ours.keras")
    other = theirs.models.load_model(tmp_path / "ours.keras")
    assert int(other.optimizer.iterations) == 3
    ours = {v.path: v.numpy() for v in model.optimizer.variables}
    for v in other.optimizer.variables:
        near = [x for x in ours.values() if x.shape == tuple(v.shape)]
        assert any(np.allclose(x, np.array(v), atol=1e-6) for x in near), v.path
    other.save(tmp_path / "theirs.keras")
    again = keras.models.load_model(tmp_path / "theirs.keras")
    for a, b in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)
    agree(again.evaluate(input_for(cnn), np.array([0, 1, 2, 0]), verbose=0),
          model.evaluate(input_for(cnn), np.array([0, 1, 2, 0]), verbose=0))  # fmt: skip


def test_an_archive_has_the_members_that_keras_writes(tmp_path):
    sequential().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}
        assert json.loads(archive.read("metadata.json"))["keras_version"].startswith("3.")


@keras.saving.register_keras_serializable(package="tests")
class CompilesItsOwnWay(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def compile(self, optimizer, distance):
        super().compile(optimizer)
        self.distance = distance

    def get_compile_config(self):
        return {"optimizer": self.optimizer, "distance": self.distance}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))


def test_compile_configs_may_hold_objects(tmp_path):
    model = CompilesItsOwnWay()
    model(np.ones((1, 2), "float32"))
    model.compile(keras.optimizers.SGD(0.25), keras.losses.Huber(0.5))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.learning_rate) == 0.25
    assert loaded.distance.get_config() == model.distance.get_config()


class Named(keras.layers.Layer):
    """Layers under private names, some with public ones as well."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._first = keras.layers.Dense(2)
        self._second = self.second = keras.layers.Dense(2)
        self.third = keras.layers.Dense(2)

    first = property(lambda self: self._first)
    broken = property(lambda self: self._absent)

    def call(self, x):
        return self.third(self._second(self._first(x)))


def test_public_names_count_in_files(tmp_path):
    x = keras.Input((2,))
    model = keras.Model(x, Named()(x))
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    with h5py.File(path) as file:
        assert {"first", "second", "third"} <= set(file["layers/named"])
    other = keras.Model(x, Named()(x))
    other.load_weights(path)
    agree(other.get_weights(), model.get_weights())


def test_a_masked_model_of_keras_is_read():
    """Keras' graphs hold the operations that make a mask."""
    peer = keras_peer()

    def make(package):
        layers = package.layers
        inputs = package.Input((5,), dtype="int32")
        x = layers.Embedding(8, 4, mask_zero=True)(inputs)
        x = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)
        return package.Model(inputs, layers.GlobalAveragePooling1D()(layers.Attention()([x, x])))

    theirs = make(peer)
    model = keras.models.model_from_json(theirs.to_json())
    model.set_weights(theirs.get_weights())
    tokens = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 0]], "int32")
    np.testing.assert_allclose(
        model.predict(tokens, verbose=0), theirs.predict(tokens, verbose=0), rtol=1e-4, atol=1e-5
    )
    back = peer.models.model_from_json(make(keras).to_json())
    back.set_weights(theirs.get_weights())
    np.testing.assert_allclose(
        back.predict(tokens, verbose=0), theirs.predict(tokens, verbose=0), rtol=1e-4, atol=1e-5
    )


# Parts of files, and files in parts --------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.weights.h5", "w.safetensors", "w.keras", "w.weights.json"])
def test_layers_that_keep_their_own_weights(tmp_path, name):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    model, other = sequential(), sequential()
    (model.save if name.endswith(".keras") else model.save_weights)(tmp_path / name)
    own = other.layers[0].get_weights()[0]
    other.load_weights(tmp_path / name, objects_to_skip=[other.layers[0]])
    assert np.array_equal(other.layers[0].get_weights()[0], own)
    assert np.array_equal(other.layers[2].get_weights()[0], model.layers[2].get_weights()[0])


def wide(package):
    model = package.Sequential([
        package.layers.Input((64,)), package.layers.Dense(64), package.layers.BatchNormalization(),
        package.layers.Dense(64),
    ])
    model.compile("adam", "mse")
    return model


def test_shards(backend, tmp_path):
    model = wide(keras)
    model.fit(np.ones((4, 64)), np.zeros((4, 64)), verbose=0)
    model.save_weights(tmp_path / "w.weights.json", max_shard_size=2e-5)
    files = sorted(p.name for p in tmp_path.iterdir())
    assert len(files) > 4 and files[0] == "w.weights.json" and files[1] == "w_00000.weights.h5"
    other = wide(keras)
    other.load_weights(tmp_path / "w.weights.json")
    for old, new in zip(
        [*model.weights, *model.optimizer.variables],
        [*other.weights, *other.optimizer.variables], strict=True,
    ):  # fmt: skip
        assert np.array_equal(old.numpy(), new.numpy())
    (tmp_path / files[2]).unlink()
    before = other.get_weights()
    with pytest.raises((errors.InvalidArgument, OSError)):
        other.load_weights(tmp_path / "w.weights.json")
    assert all(map(np.array_equal, before, other.get_weights()))


def test_an_index_names_no_other_places(tmp_path):
    model = sequential()
    for name in ("../w.weights.h5", "/w.weights.h5", "w.txt", 3):
        index = {"metadata": {}, "weight_map": {"/layers/dense/vars": [name]}}
        (tmp_path / "w.weights.json").write_text(json.dumps(index))
        with pytest.raises(errors.UnsafeFile, match="no files beside it"):
            model.load_weights(tmp_path / "w.weights.json")


@pytest.mark.parametrize("ours_first", [True, False])
def test_shards_are_exchanged_with_keras(tmp_path, ours_first):
    peer = keras_peer()
    source, target = (wide(keras), wide(peer)) if ours_first else (wide(peer), wide(keras))
    source.save_weights(str(tmp_path / "w.weights.json"), max_shard_size=2e-5)
    target.load_weights(str(tmp_path / "w.weights.json"))
    assert all(map(np.array_equal, source.get_weights(), target.get_weights()))
