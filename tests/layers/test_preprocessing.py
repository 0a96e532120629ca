"""Preprocessing layers against vocabularies made by hand, NumPy formulas and known hashes."""

import numpy as np
import pytest

import kerasish as keras
from kerasish.errors import InvalidArgument, StateError
from kerasish.layers.preprocessing.hashing import farmhash64, siphash64

layers = keras.layers


def host(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def test_hashes_are_the_published_ones():
    # SipHash-2-4 of bytes 0 ... 14 with key 0 ... 15, from the paper's appendix.
    key = [int.from_bytes(bytes(range(8)), "little"), int.from_bytes(bytes(range(8, 16)), "little")]
    assert siphash64(bytes(range(15)), key) == 0xA129CA6149BE45E5
    # TensorFlow's to_hash_bucket_fast(s, 2**62), one string for each branch by length.
    for s, known in [
        ("", 1936946117179621455), ("a", 3694432073954588131), ("abcd", 1897425971756105985),
        ("hello wo", 3616420679985843595), ("0123456789abcdefg", 2800675501336285770),
        ("y" * 33, 3999049019338133246), ("z" * 64, 294799756062990872),
        ("w" * 65, 3272011567211491968), ("u" * 200, 2936433037223361089),
    ]:  # fmt: skip
        assert farmhash64(s.encode()) % 2**62 == known


def test_hashing_has_the_buckets_of_keras(backend):
    words = np.array([["A"], ["B"], ["C"]])
    assert host(layers.Hashing(10)(words)).tolist() == [[4], [8], [7]]
    assert host(layers.Hashing(10, salt=7)(words)).tolist() == [[2], [2], [6]]
    assert host(layers.Hashing(10, mask_value=2)([[1], [2], [3]])).tolist() == [[1], [0], [4]]
    crossed = layers.HashedCrossing(5)((["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]))
    assert host(crossed).tolist() == [1, 4, 1, 1, 3]


def test_categories(backend):
    x = np.array([[0, 1], [0, 0], [3, 1]])
    counts = np.stack([np.bincount(row, minlength=4) for row in x])
    for given in (x, keras.ops.array(x)):
        assert (host(layers.CategoryEncoding(4, output_mode="count")(given)) == counts).all()
        assert (host(layers.CategoryEncoding(4)(given)) == (counts > 0)).all()
    hot = layers.CategoryEncoding(4, output_mode="one_hot")([[2], [0]])
    assert host(hot).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    with pytest.raises(InvalidArgument, match="0 to 3"):
        layers.CategoryEncoding(4)([[4]])


def test_string_lookup(backend, tmp_path):
    data = np.array([["a", "c", "d"], ["d", "z", "b"]])
    layer = layers.StringLookup(mask_token="")
    with pytest.raises(StateError, match="adapt"):
        layer(data)
    layer.adapt(data)
    assert layer.get_vocabulary() == ["", "[UNK]", "d", "z", "c", "b", "a"]
    assert host(layer([["a", "new", ""]])).tolist() == [[6, 1, 0]]
    layer.save_assets(tmp_path)
    assert (tmp_path / "vocabulary.txt").read_text() == "\n[UNK]\nd\nz\nc\nb\na"
    copy = layers.StringLookup.from_config(layer.get_config())
    copy.load_assets(tmp_path)
    assert copy.get_vocabulary() == layer.get_vocabulary()
    back = layers.StringLookup(vocabulary=["a", "b"], invert=True)
    assert back(np.array([[1, 2, 0, 9]])).tolist() == [["a", "b", "[UNK]", "[UNK]"]]
    with pytest.raises(InvalidArgument, match="outside"):
        layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"])


def test_tf_idf(backend):
    layer = layers.StringLookup(output_mode="tf_idf")
    layer.adapt(np.array([["a", "a"], ["a", "b"], ["c", "a"]]))
    rare, common = np.log(1 + 3 / 2), np.log(1 + 3 / 4)
    assert layer.get_vocabulary() == ["[UNK]", "a", "c", "b"]
    mean = (common + 2 * rare) / 3
    np.testing.assert_allclose(
        host(layer([["a", "a", "b", "x"]])), [[mean, 2 * common, 0, rare]], rtol=1e-6
    )


def test_integer_lookup_also_in_a_model(backend):
    layer = layers.IntegerLookup(vocabulary=[12, 36], num_oov_indices=2)
    x = np.array([[12, 36, 41, 1000]])
    assert host(layer(x)).tolist() == [[2, 3, 1, 0]]
    inputs = keras.Input((4,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    assert host(model(x.astype("int32"))).tolist() == [[2, 3, 1, 0]]


def test_text_vectorization(backend):
    texts = ["The cat, the DOG!", "a cat's mat", "dog & cat  dog"]
    layer = layers.TextVectorization(output_sequence_length=5)
    layer.adapt(texts)
    assert layer.get_vocabulary() == ["", "[UNK]", "dog", "the", "cat", "mat", "cats", "a"]
    assert host(layer(["the new dog"])).tolist() == [[3, 1, 2, 0, 0]]
    pairs = layers.TextVectorization(ngrams=(2,), output_mode="count")
    pairs.adapt(iter([texts[:1], texts[1:]]))
    row = host(pairs(["cat dog, cat dog"]))[0]
    assert row[pairs.get_vocabulary().index("cat dog")] == 2 and row.sum() == 3


def test_normalization(backend):
    x = np.random.default_rng(0).normal(3, 2, (50, 4, 3)).astype("float32")
    for axis, over in ((-1, (0, 1)), ((1, 2), (0,)), (None, (0, 1, 2))):
        layer = layers.Normalization(axis=axis)
        layer.adapt(iter([x[:20], x[20:]]))
        mean, deviation = x.mean(over, keepdims=True), x.std(over, keepdims=True)
        np.testing.assert_allclose(host(layer(x)), (x - mean) / deviation, atol=2e-5)
    back = layers.Normalization(mean=[3.0, 1.0], variance=[4.0, 9.0], invert=True)
    assert host(back(np.ones((1, 2)))).tolist() == [[5.0, 4.0]]
    assert back.get_config()["mean"] == [3.0, 1.0]


def test_discretization(backend):
    layer = layers.Discretization([0.0, 1.0, 2.0])
    assert host(layer(np.array([[-1.5, 1.0, 3.4, 0.5]]))).tolist() == [[0, 2, 3, 1]]
    x = np.random.default_rng(1).normal(size=2000)
    found = layers.Discretization(num_bins=4)
    found.adapt(iter(np.split(x, 4)))
    shares = np.bincount(host(found(x))) / 2000
    np.testing.assert_allclose(shares, 0.25, atol=0.02)
    assert layers.Discretization.from_config(found.get_config()).bin_boundaries == (
        found.bin_boundaries
    )


def test_pipeline(backend):
    pipeline = layers.Pipeline([layers.Rescaling(2.0), layers.Rescaling(1.0, offset=1.0)])
    again = layers.Pipeline.from_config(pipeline.get_config())
    assert host(again(np.array([1.0, 2.0]))).tolist() == [3.0, 5.0]


def test_bins_of_few_points_end_at_the_points(backend):
    x = np.array([5.0, 1.0, 3.0, 2.0, 4.0, 8.0, 6.0, 7.0])
    for batches in (1, 4):
        layer = layers.Discretization(num_bins=8)
        layer.adapt(iter(np.split(x, batches)))
        assert layer.bin_boundaries == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.Discretization([2.0, 1.0]), "ascend"),
        (lambda: layers.StringLookup(vocabulary=[]), "empty"),
        (lambda: layers.StringLookup(vocabulary=["a"])(np.array([1, 2])), "looks up strings"),
        (lambda: layers.HashedCrossing(3)((np.array([1.5]), np.array([1]))), "float"),
        (lambda: layers.TextVectorization(output_sequence_length=0), "positive"),
        (lambda: layers.TextVectorization(vocabulary=["", "a"], output_mode="count"), "mask token"),
    ],
)
def test_what_would_give_nonsense_is_refused(make, words):
    with pytest.raises(InvalidArgument, match=words):
        make()


def test_unknown_terms_weigh_what_the_vocabulary_says(backend, tmp_path):
    given = {"vocabulary": ["[UNK]", "a", "b"], "idf_weights": [0.5, 2.0, 3.0]}
    text = np.array([["a", "x"], ["y", "z"]])
    for layer in (
        layers.StringLookup(output_mode="tf_idf", **given),
        layers.TextVectorization(output_mode="tf_idf", split=None, **given),
    ):
        assert host(layer(text)).tolist() == [[0.5, 2.0, 0.0], [1.0, 0.0, 0.0]]
    layer = layers.StringLookup(output_mode="tf_idf")
    layer.set_vocabulary(given["vocabulary"], given["idf_weights"])
    layer.save_assets(tmp_path)
    copy = layers.StringLookup(output_mode="tf_idf")
    copy.load_assets(tmp_path)
    assert host(copy(text)).tolist() == [[0.5, 2.0, 0.0], [1.0, 0.0, 0.0]]


def test_empty_words_leave_no_trace_in_vectors(backend):
    layer = layers.TextVectorization(vocabulary=["a"], split=None, output_mode="count")
    assert host(layer([["a", "", "b"]])).tolist() == [[1, 1]]
    assert layer.get_vocabulary() == ["[UNK]", "a"]


def test_normalization_counts_axes_and_takes_batches_by_hand(backend):
    layer = layers.Normalization(axis=None)
    assert layer.axis == () and layers.Normalization(axis=1).get_config()["axis"] == (1,)
    layer.update_state(np.array([[1.0], [3.0]]))
    layer.finalize_state()
    assert host(layer(np.array([[5.0]]))).tolist() == [[3.0]]
    built = layers.Normalization()
    built.build((None, 2))
    built.finalize_state()  # nothing was seen: nothing changes
    assert host(built(np.ones((1, 2)))).tolist() == [[1.0, 1.0]]
    rows = layers.Normalization(axis=0)
    rows.adapt(np.array([[1.0, 3.0], [2.0, 6.0]]))
    assert host(rows(np.array([[1.0, 3.0], [2.0, 6.0]]))).tolist() == [[-1.0, 1.0], [-1.0, 1.0]]
