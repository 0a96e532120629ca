"""Adapted preprocessing layers through files, ours and those of Keras, and inside of models."""

import zipfile

import numpy as np
import pytest

import kerasish as keras
from kerasish.errors import BackendError, DTypeError, InvalidArgument
from tests.peer import keras_peer

WORDS = np.array([["a b"], ["b c"], ["a a"], ["new b"]], object)
NUMBERS = np.array([[3], [5], [3], [9]], "int64")
FLOATS = np.array([[0.0, 1.0], [2.0, 5.0], [4.0, 6.0], [1.0, 2.0]], "float32")


def host(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def adapted(layers, name, **kwargs):
    """(layer, data that it takes, dtype of its input) with Keras or with us."""
    layer = getattr(layers, name)(**kwargs)
    data, dtype = {
        "StringLookup": (WORDS, "string"), "TextVectorization": (WORDS, "string"),
        "IntegerLookup": (NUMBERS, "int64"),
    }.get(name, (FLOATS, "float32"))  # fmt: skip
    seen = data[:3]
    layer.adapt(seen.astype("U") if dtype == "string" else seen)
    return layer, data, dtype


CASES = [
    ("StringLookup", {}),
    ("StringLookup", {"output_mode": "one_hot"}),
    ("StringLookup", {"mask_token": "b c", "num_oov_indices": 2}),
    ("IntegerLookup", {"output_mode": "multi_hot"}),
    ("IntegerLookup", {"mask_token": 5}),
    ("TextVectorization", {"output_sequence_length": 4}),
    ("TextVectorization", {"output_mode": "count", "ngrams": 2}),
    ("Normalization", {"axis": -1}),
    ("Normalization", {"axis": None}),
    ("Discretization", {"num_bins": 3, "output_mode": "one_hot"}),
]
IDS = [f"{name}-{'-'.join(map(str, kwargs.values()))}" for name, kwargs in CASES]


def model_of(keras, layer, shape, dtype):
    inputs = keras.Input(shape, dtype=dtype)
    x = layer(inputs)
    return keras.Model(inputs, x)


@pytest.mark.parametrize("name, kwargs", CASES, ids=IDS)
def test_a_model_with_an_adapted_layer_comes_back(name, kwargs, backend, tmp_path):
    layer, data, dtype = adapted(keras.layers, name, **kwargs)
    model = model_of(keras, layer, data.shape[1:], dtype)
    expected = model.predict(data, verbose=0)
    np.testing.assert_allclose(expected, host(layer(data)), rtol=1e-6)
    path = tmp_path / "m.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    np.testing.assert_allclose(again.predict(data, verbose=0), expected, rtol=1e-6)
    row = keras.Sequential([type(layer).from_config(layer.get_config())])
    row.build((None, *data.shape[1:]))
    model.save_weights(tmp_path / "m.weights.h5")
    if name == "Normalization":  # the others keep what they learn elsewhere
        row.load_weights(tmp_path / "m.weights.h5")
        np.testing.assert_allclose(row.predict(data, verbose=0), expected, rtol=1e-6)


@pytest.mark.parametrize("name, kwargs", CASES, ids=IDS)
def test_files_of_keras_and_ours_are_exchanged(name, kwargs, tmp_path):
    peer = keras_peer()
    theirs, data, dtype = adapted(peer.layers, name, **kwargs)
    given = pytest.importorskip("tensorflow").constant(data) if dtype == "string" else data
    expected = np.asarray(theirs(given))
    model_of(peer, theirs, data.shape[1:], dtype).save(tmp_path / "theirs.keras")
    read = keras.saving.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(read.predict(data, verbose=0), expected, rtol=1e-5)

    ours, _, _ = adapted(keras.layers, name, **kwargs)
    np.testing.assert_allclose(host(ours(data)), expected, rtol=1e-5)
    model_of(keras, ours, data.shape[1:], dtype).save(tmp_path / "ours.keras")
    read = peer.saving.load_model(tmp_path / "ours.keras")
    layer = read.layers[-1]
    found = np.asarray(layer(given))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_tf_idf_weights_are_kept(backend, tmp_path):
    layer = keras.layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(WORDS)
    model = model_of(keras, layer, (1,), "string")
    expected = model.predict(WORDS, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(WORDS, verbose=0), expected, rtol=1e-6)
    assert len(np.unique(expected)) > 2


def test_odd_terms_survive(tmp_path):
    terms = ["", " ", "\t", "ünï", "日本", "a,b", '"']
    layer = keras.layers.StringLookup()
    layer.adapt(np.array([[t] for t in terms]))
    model_of(keras, layer, (1,), "string").save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.layers[-1].get_vocabulary() == layer.get_vocabulary()
    with zipfile.ZipFile(tmp_path / "m.keras") as file:
        assert any(n.endswith("vocabulary.txt") for n in file.namelist())


# Inside of compiled steps -------------------------------------------------------------------------


def strings(n):
    return np.array([["ab c"], ["c"], ["unknown ab"], ["ab"]])[np.arange(n) % 4]


def test_texts_train_a_model(backend):
    texts, y = strings(64), (strings(64) == "c").astype("float32")
    model = keras.Sequential([
        keras.layers.TextVectorization(vocabulary=["ab", "c"], output_sequence_length=3),
        keras.layers.Embedding(4, 4),
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    history = model.fit(texts, y, epochs=8, verbose=0).history["loss"]
    assert history[-1] < 0.05
    assert model.evaluate(texts, y, verbose=0) < 0.05
    predicted = model.predict(texts[:5].astype(object), verbose=0)
    assert (predicted[:, 0] > 0.5).tolist() == (y[:5, 0] > 0.5).tolist()
    np.testing.assert_allclose(model.predict_on_batch(texts[:5]), predicted, atol=1e-5)


def test_a_subclass_looks_up_in_its_step(backend):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.lookup = keras.layers.StringLookup(vocabulary=["ab", "c"], output_mode="one_hot")
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(self.lookup(x))

    model = Model()
    model.compile("sgd", "mse")
    losses = model.fit(strings(32), np.ones((32, 1)), epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    data = (strings(4), strings(4)) if backend != "numpy" else (strings(4),)
    assert model.predict(data[0], verbose=0).shape == (4, 1)


def test_hashes_and_crosses_in_a_step(backend):
    word, number = keras.Input((1,), dtype="string"), keras.Input((1,), dtype="int32")
    crossed = keras.layers.HashedCrossing(5)((word, number))
    hashed = keras.layers.Hashing(10)(word)
    counted = keras.layers.Hashing(6, output_mode="count")(number)
    model = keras.Model([word, number], [crossed, hashed, counted])
    words, numbers = np.array([["A"], ["B"], ["A"]]), np.array([[101], [101], [102]], "int32")
    found = model.predict([words, numbers], verbose=0)
    # The first two by the documentation of Keras.
    assert found[0].tolist() == [[1], [4], [3]] and found[1].tolist() == [[4], [8], [4]]
    assert found[2].shape == (3, 6) and (found[2].sum(1) == 1).all()
    assert (found[2] == host(keras.layers.Hashing(6, output_mode="count")(numbers))).all()


def test_generators_of_strings(backend):
    def batches():
        for _ in range(4):
            yield strings(8), np.ones((8, 1))

    lookup = keras.layers.StringLookup(vocabulary=["ab", "c"], output_mode="one_hot")
    model = keras.Sequential([keras.Input((1,), dtype="string"), lookup, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(batches(), verbose=0)
    assert model.predict((b[0] for b in batches()), verbose=0).shape == (32, 1)


def test_strings_where_numbers_belong_are_told(backend):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(DTypeError, match="StringLookup"):
        model.predict(strings(4), verbose=0)


def test_jax_wants_a_length():
    keras_jax = pytest.importorskip("jax")
    with keras.config.backend_scope("jax"):
        model = keras.Sequential([
            keras.layers.TextVectorization(vocabulary=["ab"]), keras.layers.Embedding(3, 2),
        ])  # fmt: skip
        with pytest.raises(BackendError, match="output_sequence_length"):
            model.predict(strings(4), verbose=0)
    assert keras_jax


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_sparse_results_hold_the_same(mode, backend):
    x = np.array([[0, 1], [2, 2]]) if mode != "one_hot" else np.array([[0], [2]])
    dense = keras.layers.CategoryEncoding(4, output_mode=mode)
    sparse = keras.layers.CategoryEncoding(4, output_mode=mode, sparse=True)
    for given in (x, keras.ops.array(x)):
        assert (host(sparse(given)) == host(dense(given))).all()
    words = np.array([["a", "b"], ["b", "b"]]) if mode != "one_hot" else np.array([["a"], ["b"]])
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode=mode, sparse=True)
    plain = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode=mode)
    assert (host(lookup(words)) == host(plain(words))).all()


def test_images_are_augmented_in_a_compiled_fit(backend):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    images = np.random.default_rng(0).uniform(0, 255, (32, 8, 8, 3)).astype("float32")
    y = (images.mean((1, 2, 3)) > images.mean()).astype("float32")[:, None]
    scale = layers.Normalization(axis=-1)
    scale.adapt(images)
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Pipeline([
            layers.RandomFlip(seed=1), layers.RandomRotation(0.1, seed=2),
            layers.RandomZoom(0.1, seed=3), layers.RandomTranslation(0.1, 0.1, seed=4),
            layers.RandomContrast(0.1, seed=5), layers.RandomBrightness(0.1, seed=6),
        ]),
        scale, layers.GlobalAveragePooling2D(), layers.Dense(1),
    ])  # fmt: skip
    model.compile(keras.optimizers.Adam(0.1), "mse")
    losses = model.fit(images, y, epochs=3, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    # At inference nothing is random.
    first = model.predict(images, verbose=0)
    np.testing.assert_allclose(model.predict(images, verbose=0), first)
    np.testing.assert_allclose(
        first, host(model.layers[-1](model.layers[-2](scale(images)))), atol=1e-4
    )


# In pipelines of tf.data --------------------------------------------------------------------------


def pipeline_cases():
    layers = keras.layers
    images = np.random.default_rng(1).uniform(0, 255, (4, 6, 6, 3)).astype("float32")
    scale = layers.Normalization()
    scale.adapt(images)
    words = np.array([["ab c"], ["c"], ["x"], ["ab"]])
    table = {"x": np.arange(4.0, dtype="float32"), "w": words[:, 0]}
    space = keras.utils.FeatureSpace({"x": "float_normalized", "w": "string_categorical"})
    space.adapt(table)
    return [
        (scale, images), (space, table),
        (layers.StringLookup(vocabulary=["ab", "c"], output_mode="one_hot"), words),
        (layers.TextVectorization(vocabulary=["ab", "c"], output_sequence_length=2), words),
        (layers.Hashing(7), words), (layers.Discretization([50.0, 100.0]), images),
        (layers.CategoryEncoding(4), np.array([[1, 2], [0, 0], [3, 1], [1, 1]])),
        (layers.IntegerLookup(vocabulary=[5, 7]), np.array([[5], [6], [7], [5]])),
        (layers.Pipeline([layers.Rescaling(0.5), layers.CenterCrop(4, 4)]), images),
        (layers.Resizing(3, 4), images),
    ]  # fmt: skip


def test_in_a_tf_data_pipeline_whatever_the_backend(backend):
    tf = pytest.importorskip("tensorflow")
    for layer, data in pipeline_cases():
        batches = tf.data.Dataset.from_tensor_slices(data).batch(2).map(layer)
        found = np.concatenate([b.numpy() for b in batches])
        np.testing.assert_allclose(found, host(layer(data)), atol=1e-4, err_msg=layer.name)
        assert keras.config.backend() == backend


def test_random_layers_in_a_tf_data_pipeline(backend):
    tf = pytest.importorskip("tensorflow")
    images = np.random.default_rng(1).uniform(0, 255, (4, 6, 6, 3)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices(images).batch(4).repeat(2)
    turn = keras.layers.RandomRotation(0.3, seed=5)
    first, second = (b.numpy() for b in data.map(turn))
    assert np.abs(first - images).max() > 1 and np.abs(first - second).max() > 1
    direct = host(keras.layers.RandomRotation(0.3, seed=5)(images))
    np.testing.assert_allclose(first, direct, atol=1e-2)


@pytest.mark.parametrize("mode", ["multi_hot", "count"])
def test_sparse_categories_hold_no_zeros(mode, backend):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    rows = np.array([[1, 2, 0], [0, 3, 3]])
    counts = np.array([[0, 1, 1, 0], [0, 0, 0, 2]])
    known = counts if mode == "count" else counts > 0
    for sparse in (False, True):
        layer = keras.layers.CategoryEncoding(4, output_mode=mode, sparse=sparse)
        assert (host(layer(scipy_sparse.csr_matrix(rows))) == known).all()


@keras.saving.register_keras_serializable("preprocessing_files")
def without_vowels(texts):
    tf = pytest.importorskip("tensorflow")
    return tf.strings.regex_replace(tf.strings.lower(texts), "[aeiou]", "")


@keras.saving.register_keras_serializable("preprocessing_files")
def at_dashes(texts):
    tf = pytest.importorskip("tensorflow")
    return tf.strings.split(texts, "-")


def test_functions_of_tensorflow_standardize_and_split(backend, tmp_path):
    tf = pytest.importorskip("tensorflow")
    layer = keras.layers.TextVectorization(
        standardize=without_vowels, split=at_dashes, output_sequence_length=3
    )
    layer.adapt(["Red-Blue", "blue-lime"])
    assert layer.get_vocabulary() == ["", "[UNK]", "bl", "rd", "lm"]
    texts = np.array(["rod-bulo", "LIMO"])
    known = [[3, 2, 0], [4, 0, 0]]
    assert host(layer(texts)).tolist() == known
    data = tf.data.Dataset.from_tensor_slices(texts).batch(2).map(layer)
    assert next(iter(data)).numpy().tolist() == known
    model = keras.Sequential([keras.Input((), dtype="string"), layer])
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert copy.predict(texts, verbose=0).tolist() == known


def test_ragged_tensors_and_strings_of_a_tf_data_pipeline(backend):
    tf = pytest.importorskip("tensorflow")
    layer = keras.layers.StringLookup(vocabulary=["a", "b"])
    ragged = tf.ragged.constant([["a", "z"], ["b"], []])
    assert layer(ragged).to_list() == [[1, 0], [2], []]
    rows = tf.data.Dataset.from_tensors(ragged).map(layer)
    assert next(iter(rows)).to_list() == [[1, 0], [2], []]
    with pytest.raises(InvalidArgument, match="ragged"):
        keras.layers.StringLookup(vocabulary=["a"], output_mode="count")(ragged)
    back = keras.layers.StringLookup(vocabulary=["a", "b"], invert=True)
    words = tf.data.Dataset.from_tensors([[1, 2], [0, 1]]).map(back)
    assert next(iter(words)).numpy().tolist() == [[b"a", b"b"], [b"[UNK]", b"a"]]


@pytest.mark.parametrize("form", ["sequential", "functional"])
def test_models_of_image_layers_in_a_tf_data_pipeline(form, backend):
    tf = pytest.importorskip("tensorflow")
    steps = [keras.layers.RandomFlip(seed=1), keras.layers.Rescaling(0.5)]
    if form == "sequential":
        model = keras.Sequential(steps)
    else:
        x = keras.Input((4, 4, 3))
        model = keras.Model(x, steps[1](steps[0](x)))
    images = np.random.default_rng(2).uniform(0, 255, (4, 4, 4, 3)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices(images).batch(4)
    found = next(iter(data.map(lambda x: model(x, training=True)))).numpy()
    assert sorted(found.ravel()) == pytest.approx(sorted(images.ravel() / 2))
    assert np.abs(found - images / 2).max() > 1
    plain = next(iter(data.map(lambda x: model(x, training=False)))).numpy()
    np.testing.assert_allclose(plain, images / 2, rtol=1e-6)
    again = host(model(images, training=False))  # and after that in the open
    np.testing.assert_allclose(again, images / 2, rtol=1e-6)


def test_strings_of_tensorflow_enter_models(backend):
    tf = pytest.importorskip("tensorflow")
    x = keras.Input((1,), dtype="string")
    model = keras.Model(x, keras.layers.StringLookup(vocabulary=["a", "b"])(x))
    assert host(model(tf.constant([["b"], ["z"]]))).tolist() == [[2], [0]]
