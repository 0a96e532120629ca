"""FeatureSpace against encodings written by hand, against Keras, and through files."""

import numpy as np
import pytest

import kerasish as keras
from kerasish.errors import InvalidArgument, StateError
from tests.peer import keras_peer

FeatureSpace = keras.utils.FeatureSpace
DATA = {
    "plain": np.array([0.0, 1.0, 2.0, 3.0], "float32"),
    "normal": np.array([1.0, 2.0, 3.0, 4.0], "float32"),
    "scaled": np.array([1.0, 2.0, 3.0, 4.0], "float32"),
    "binned": np.array([0.0, 0.5, 0.7, 1.0], "float32"),
    "word": np.array(["a", "b", "a", "c"]),
    "hashed": np.array(["x", "y", "z", "x"]),
    "number": np.array([1, 2, 2, 5]),
    "number_hashed": np.array([100, 7, 300, 100]),
}  # fmt: skip


def host(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def space(cls=FeatureSpace, **kwargs):
    return cls(
        {
            "plain": "float",
            "normal": "float_normalized",
            "scaled": cls.float_rescaled(scale=2.0, offset=1.0),
            "binned": cls.float_discretized(num_bins=3),
            "word": "string_categorical",
            "hashed": cls.string_hashed(num_bins=4),
            "number": "integer_categorical",
            "number_hashed": cls.integer_hashed(num_bins=5),
        },
        crosses=[("word", "number"), cls.cross(("hashed", "number_hashed"), 6)],
        crossing_dim=8,
        **kwargs,
    )


def rows():
    for i in range(4):
        yield {k: v[i] for k, v in DATA.items()}


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return {k: v[2 * i : 2 * i + 2] for k, v in DATA.items()}


def test_each_kind(backend):
    fs = space(output_mode="dict")
    with pytest.raises(StateError, match="word"):
        fs(DATA)
    fs.adapt(DATA)
    out = {k: host(v) for k, v in fs(DATA).items()}
    assert out["plain"].tolist() == [[0], [1], [2], [3]]
    assert out["scaled"].tolist() == [[3], [5], [7], [9]]
    np.testing.assert_allclose(out["normal"][:, 0], (np.arange(4) - 1.5) / np.std(np.arange(4)), rtol=1e-5)
    assert out["word"].argmax(1).tolist() == [1, 3, 1, 2]  # [UNK], then a, then c, b
    assert out["number"].argmax(1).tolist() == [3, 1, 1, 2]  # unknown, then 2, then 5, 1
    assert out["binned"].argmax(1).tolist() == sorted(out["binned"].argmax(1).tolist())
    for name, depth in (("word", 4), ("number", 4), ("hashed", 4), ("number_hashed", 5), ("binned", 3), ("word_X_number", 8)):
        assert out[name].shape == (4, depth) and (out[name].sum(1) == 1).all()
    assert (out["hashed"][0] == out["hashed"][3]).all()
    assert fs.feature_names == [*sorted(DATA), "hashed_X_number_hashed", "word_X_number"]


def test_concatenated_in_the_order_of_names(backend):
    fs, parts = space(), space(output_mode="dict")
    fs.adapt(DATA)
    parts.adapt(DATA)
    whole, pieces = host(fs(DATA)), parts(DATA)
    assert (whole == np.concatenate([host(pieces[n]) for n in fs.feature_names], 1)).all()
    one = fs({k: v[2].item() for k, v in DATA.items()})
    assert (host(one) == whole[2]).all()


@pytest.mark.parametrize("form", ["rows", "list", "PyDataset", "pairs", "tf.data", "DataLoader", "pandas"])
def test_adapts_to_data_of_any_form(form):
    whole = space()
    whole.adapt(DATA)
    if form == "rows":
        data = rows()
    elif form == "list":
        data = [{k: v[:3] for k, v in DATA.items()}, {k: v[3:].tolist() for k, v in DATA.items()}]
    elif form == "PyDataset":
        data = Batches()
    elif form == "pairs":
        data = [(Batches()[i], np.zeros(2)) for i in range(2)]
    elif form == "tf.data":
        data = pytest.importorskip("tensorflow").data.Dataset.from_tensor_slices(DATA).batch(3)
    elif form == "DataLoader":
        data = pytest.importorskip("torch").utils.data.DataLoader(list(rows()), batch_size=3)
    else:
        data = pytest.importorskip("pandas").DataFrame(DATA)
    fs = space()
    fs.adapt(data)
    # The quantiles of a stream are approximate; all else is exact.
    keep = {k: v for k, v in DATA.items()}
    keep["binned"] = np.array([0.0, 0.0, 1.0, 1.0], "float32")
    assert (host(fs(keep)) == host(whole(keep))).all()


def test_in_a_model_with_and_without_encoding(backend, tmp_path):
    fs = space()
    fs.adapt(DATA)
    encoded = fs.get_encoded_features()
    x = keras.layers.Dense(3, activation="relu")(encoded)
    outputs = keras.layers.Dense(1)(x)
    trained = keras.Model(encoded, outputs)
    whole = keras.Model(fs.get_inputs(), outputs)
    assert encoded.shape == (None, host(fs(DATA)).shape[1])
    trained.compile("sgd", "mse")
    trained.fit(host(fs(DATA)), np.ones((4, 1)), verbose=0)
    expected = trained.predict(host(fs(DATA)), verbose=0)
    np.testing.assert_allclose(whole.predict(DATA, verbose=0), expected, rtol=1e-5)
    whole.compile("sgd", "mse")
    before = whole.evaluate(DATA, np.ones((4, 1)), verbose=0)
    assert whole.fit(DATA, np.ones((4, 1)), verbose=0, epochs=3).history["loss"][-1] < before
    whole.save(tmp_path / "whole.keras")
    again = keras.saving.load_model(tmp_path / "whole.keras")
    np.testing.assert_allclose(
        again.predict(DATA, verbose=0), whole.predict(DATA, verbose=0), rtol=1e-6
    )


def test_saved_and_made_again(backend, tmp_path):
    fs = space()
    fs.adapt(DATA)
    fs.save(tmp_path / "fs.keras")
    again = keras.saving.load_model(tmp_path / "fs.keras")
    assert (host(again(DATA)) == host(fs(DATA))).all()
    assert again.preprocessors["word"].get_vocabulary() == ["[UNK]", "a", "c", "b"]
    fresh = FeatureSpace.from_config(fs.get_config())
    assert fresh.get_config()["crosses"] == fs.get_config()["crosses"]
    fresh.adapt(DATA)
    assert (host(fresh(DATA)) == host(fs(DATA))).all()


def test_columns_with_layers_of_ones_own(backend):
    layers = keras.layers
    fs = FeatureSpace(
        {
            "text": FeatureSpace.feature(
                "string", layers.TextVectorization(output_mode="multi_hot"), "float"
            ),
            "level": FeatureSpace.feature("int32", layers.Rescaling(0.5), "float"),
            "kind": FeatureSpace.string_categorical(num_oov_indices=0, output_mode="int"),
        },
        output_mode="dict",
    )
    data = {"text": ["the cat", "the dog"], "level": [2, 4], "kind": ["u", "v"]}
    fs.adapt(data)
    out = fs(data)
    assert host(out["text"]).tolist() == [[0, 1, 0, 1], [0, 1, 1, 0]]
    assert host(out["level"]).tolist() == [[1], [2]]
    assert host(out["kind"]).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: FeatureSpace({}), "at least one"),
        (lambda: FeatureSpace({"a": "floaty"}), "floaty"),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), "concat"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]), "'b'"),
        (lambda: FeatureSpace({"a": "float", "b": "float"}, crosses=[("a", "b")]), "float"),
        (lambda: FeatureSpace({"a": "float"})({"b": 1.0}), "lacks"),
        (lambda: FeatureSpace({"a": "float"})([1.0]), "dict"),
        (lambda: FeatureSpace({"a": "float_normalized"}).adapt({"b": [1.0]}), "'a'"),
        (lambda: FeatureSpace({"a": "float_normalized"}).adapt([[1.0]]), "dicts"),
        (lambda: FeatureSpace({"a": "float_normalized"}).adapt([]), "empty"),
    ],
)
def test_mistakes_are_told(make, match):
    with pytest.raises(InvalidArgument, match=match):
        make()


def test_same_as_keras_and_files_go_both_ways(tmp_path):
    peer = keras_peer()
    tf = pytest.importorskip("tensorflow")
    theirs = space(peer.utils.FeatureSpace)
    theirs.adapt(tf.data.Dataset.from_tensor_slices(DATA).batch(4))
    ours = space()
    ours.adapt(DATA)
    expected = np.asarray(theirs(DATA))
    np.testing.assert_allclose(host(ours(DATA)), expected, rtol=1e-5)
    theirs.save(tmp_path / "theirs.keras")
    read = keras.saving.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(host(read(DATA)), expected, rtol=1e-5)
    ours.save(tmp_path / "ours.keras")
    read = peer.saving.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(np.asarray(read(DATA)), expected, rtol=1e-5)


def test_columns_of_another_engine(backend):
    tf = pytest.importorskip("tensorflow")
    features = space()
    features.adapt(DATA)
    known = host(features(DATA))
    np.testing.assert_array_equal(host(features({n: tf.constant(x) for n, x in DATA.items()})), known)
