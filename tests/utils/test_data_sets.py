"""Data sets of arrays and folders: their samples, orders and parts."""

import wave

import numpy as np
import pytest

import kerasish as keras
from kerasish.errors import InvalidArgument
from tests.peer import keras_peer

U = keras.utils


def plain(batches):
    return [keras.tree.map_structure(lambda x: np.asarray(x).tolist(), b) for b in batches]


def test_windows(backend):
    x = np.arange(10)
    pairs = plain(U.timeseries_dataset_from_array(x, x * 10, 3, batch_size=4))
    assert pairs[0] == ([[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]], [0, 10, 20, 30])
    assert pairs[1] == ([[4, 5, 6], [5, 6, 7], [6, 7, 8], [7, 8, 9]], [40, 50, 60, 70])
    sparse = U.timeseries_dataset_from_array(
        x, None, 3, sequence_stride=2, sampling_rate=2, start_index=1, end_index=9
    )
    assert plain(sparse) == [[[1, 3, 5], [3, 5, 7]]]
    one = U.timeseries_dataset_from_array(x, x, 9, batch_size=None)
    assert plain(one) == [(list(range(9)), 0), (list(range(1, 10)), 1)]


def test_windows_as_keras_makes_them():
    peer = keras_peer()
    pytest.importorskip("tensorflow")
    x = np.random.default_rng(0).normal(size=(23, 2))
    for kwargs in ({"sequence_stride": 3}, {"sampling_rate": 2, "start_index": 4}, {"end_index": 15}):
        theirs = peer.utils.timeseries_dataset_from_array(x, x[:, 0], 4, batch_size=5, **kwargs)
        ours = U.timeseries_dataset_from_array(x, x[:, 0], 4, batch_size=5, **kwargs)
        assert plain(ours) == plain(theirs)


def test_mixed_windows_train_a_model(backend):
    x = np.sin(np.arange(200) / 5).astype("float32")
    data = U.timeseries_dataset_from_array(x[:-8], x[8:], 8, batch_size=32, shuffle=True, seed=3)
    first, second = plain(data), plain(data)
    assert first != second and sorted(sum((b[1] for b in first), [])) == sorted(sum((b[1] for b in second), []))
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = model.fit(data, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_parts(backend):
    x = np.arange(10.0)
    left, right = U.split_dataset((x, {"y": x * 2}), left_size=0.7)
    assert [float(a) for a, _ in left] == list(range(7))
    assert [float(b["y"]) for _, b in right] == [14, 16, 18]
    assert len(left) == 7 and len(list(left.batch(3))) == 3
    left, right = U.split_dataset(x, left_size=3, right_size=4, shuffle=True, seed=1)
    both = [*map(float, left), *map(float, right)]
    assert len(both) == len(set(both)) == 7 and both != sorted(both)


@pytest.mark.parametrize("form", ["generator", "list", "tf.data", "torch"])
def test_parts_of_anything(form):
    rows = [(np.full(2, float(i)), i) for i in range(6)]
    if form == "generator":
        data = (r for r in rows)
    elif form == "list":
        data = [r[1] for r in rows]
    elif form == "tf.data":
        tf = pytest.importorskip("tensorflow")
        data = tf.data.Dataset.from_tensor_slices((np.stack([r[0] for r in rows]), np.arange(6)))
    else:
        torch = pytest.importorskip("torch")
        data = torch.utils.data.TensorDataset(torch.ones(6, 2), torch.arange(6))
    left, right = U.split_dataset(data, right_size=2)
    last = [x if form == "list" else x[1] for x in (*left, *right)]
    assert [int(x) for x in last] == list(range(6)) and len(right) == 2


@pytest.fixture
def texts(tmp_path):
    for name, count in (("b", 6), ("a", 4)):
        (tmp_path / name).mkdir()
        for i in range(count):
            (tmp_path / name / f"{i}.txt").write_text(f"{name}{i} text ü", encoding="utf-8")
    (tmp_path / "a" / "other.md").write_text("no text")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def words(x):
    return [e.decode() if isinstance(e, bytes) else str(e) for e in np.asarray(x).ravel()]


def test_texts(texts, backend, capsys):
    data = U.text_dataset_from_directory(texts, batch_size=4, shuffle=False)
    assert "10 files of 2 classes" in capsys.readouterr().out
    assert data.class_names == ["a", "b"] and len(data.file_paths) == 10
    batches = list(data)
    assert words(batches[0][0]) == [f"a{i} text ü" for i in range(4)]
    assert np.concatenate([np.asarray(y) for _, y in batches]).tolist() == [0] * 4 + [1] * 6
    short = U.text_dataset_from_directory(
        texts, label_mode="categorical", class_names=["b", "a"], max_length=2, shuffle=False, verbose=False
    )
    x, y = next(iter(short))
    assert words(x)[:2] == ["b0", "b1"] and np.asarray(y)[0].tolist() == [1, 0]
    alone = U.text_dataset_from_directory(texts, labels=None, verbose=False, batch_size=None)
    assert sorted(w for x in alone for w in words(x))[0] == "a0 text ü"


def test_texts_train_a_model(texts, backend):
    data = U.text_dataset_from_directory(texts, label_mode="binary", batch_size=5, seed=1, verbose=False)
    lookup = keras.layers.TextVectorization(output_mode="multi_hot", split="character")
    lookup.adapt(["a b 0 1 2 3 4 5 t e x ü"])
    model = keras.Sequential([lookup, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    assert model.fit(data, epochs=15, verbose=0).history["loss"][-1] < 0.1


def test_parts_of_folders_share_no_file(texts, backend):
    kwargs = {"validation_split": 0.3, "seed": 5, "verbose": False, "batch_size": 3}
    train, test = U.text_dataset_from_directory(texts, subset="both", **kwargs)
    again = U.text_dataset_from_directory(texts, subset="validation", **kwargs)
    assert again.file_paths == test.file_paths and len(test.file_paths) == 3
    assert not set(train.file_paths) & set(test.file_paths)
    assert len(set(train.file_paths)) == 7


def test_parts_are_those_of_keras(texts):
    peer = keras_peer()
    pytest.importorskip("tensorflow")
    kwargs = {"validation_split": 0.3, "seed": 5, "verbose": False, "subset": "validation"}
    theirs = peer.utils.text_dataset_from_directory(str(texts), **kwargs)
    ours = U.text_dataset_from_directory(texts, **kwargs)
    assert sorted(words(next(iter(ours))[0])) == sorted(words(next(iter(theirs))[0]))


def test_sounds(tmp_path, backend):
    for name, width, count in (("x", 2, 8), ("y", 1, 4), ("z", 3, 6)):
        (tmp_path / name).mkdir()
        with wave.open(str(tmp_path / name / "s.wav"), "wb") as file:
            file.setparams((2, width, 8, count, "NONE", ""))
            half = {2: (1 << 14).to_bytes(2, "little"), 1: bytes([192]), 3: (1 << 22).to_bytes(3, "little")}[width]
            file.writeframes(half * 2 * count)
    data = U.audio_dataset_from_directory(tmp_path, batch_size=2, shuffle=False, verbose=False)
    first, second = (np.asarray(x) for x, _ in data)
    assert first.shape == (2, 8, 2) and second.shape == (1, 6, 2)
    assert (first[0] == 0.5).all() and (first[1, :4] == 0.5).all() and (first[1, 4:] == 0).all()
    assert (second == 0.5).all()
    fixed = U.audio_dataset_from_directory(
        tmp_path, output_sequence_length=5, sampling_rate=4, shuffle=False, verbose=False
    )
    x = np.asarray(next(iter(fixed))[0])
    assert x.shape == (3, 5, 2) and (x[0, :4] == 0.5).all() and (x[0, 4] == 0).all()
    lists, _ = next(iter(U.audio_dataset_from_directory(tmp_path, ragged=True, shuffle=False, verbose=False)))
    assert [len(s) for s in lists] == [8, 4, 6]


def test_pictures(tmp_path, backend):
    image = pytest.importorskip("PIL.Image")
    for i, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        x = np.zeros((4, 8, 3), "uint8")
        x[..., i] = 200
        image.fromarray(x).save(tmp_path / name / "p.png")
    data = U.image_dataset_from_directory(tmp_path, image_size=(4, 4), shuffle=False, verbose=False)
    x, y = next(iter(data))
    assert np.asarray(x).shape == (2, 4, 4, 3) and np.asarray(y).tolist() == [0, 1]
    assert (np.asarray(x)[0] == [200, 0, 0]).all() and (np.asarray(x)[1] == [0, 200, 0]).all()
    padded = U.image_dataset_from_directory(
        tmp_path, image_size=(4, 4), shuffle=False, verbose=False, pad_to_aspect_ratio=True,
        data_format="channels_first",
    )
    x = np.asarray(next(iter(padded))[0])
    assert x.shape == (2, 3, 4, 4) and x[0, 0, :, 0].tolist() == [0, 200, 200, 0]


@pytest.mark.parametrize("call, match", [
    (lambda d: U.text_dataset_from_directory(d / "none"), "no folder"),
    (lambda d: U.text_dataset_from_directory(d, labels=[1], verbose=False), "1 labels"),
    (lambda d: U.text_dataset_from_directory(d, class_names=["a"]), "class_names"),
    (lambda d: U.text_dataset_from_directory(d, label_mode="one"), "label_mode"),
    (lambda d: U.text_dataset_from_directory(d, subset="training"), "together"),
    (lambda d: U.text_dataset_from_directory(d, subset="training", validation_split=0.2), "seed"),
    (lambda d: U.image_dataset_from_directory(d), "no files"),
    (lambda d: U.timeseries_dataset_from_array(np.ones(3), None, 4), "no window"),
    (lambda d: U.timeseries_dataset_from_array(np.ones(3), None, 1, format="x"), "format"),
    (lambda d: U.split_dataset(np.ones(3)), "left_size"),
    (lambda d: U.split_dataset(np.ones(3), 4), "left_size"),
    (lambda d: U.split_dataset((np.ones(3), np.ones(2)), 1), "length"),
])  # fmt: skip
def test_mistakes_are_told(call, match, texts):
    with pytest.raises(ValueError, match=match):
        call(texts)


def test_data_sets_are_mapped_and_cut(backend):
    x = np.arange(12, dtype="float32").reshape(6, 2)
    data = keras.utils.timeseries_dataset_from_array(x, x[:, 0], 1, batch_size=2)
    mapped = data.map(lambda a, b: (a[:, 0] * 2, b)).cache().prefetch(buffer_size=1)
    first, labels = next(iter(mapped.take(1)))
    assert np.asarray(first).tolist() == [[0, 2], [4, 6]]
    assert np.asarray(labels).tolist() == [0, 2]
    assert len(list(mapped.skip(1))) == 2
    again = mapped.unbatch().batch(4)
    assert [len(np.asarray(b)) for _, b in again] == [4, 2]
    found = sorted(float(b) for _, bs in mapped.shuffle(8) for b in np.asarray(bs))
    assert found == x[:, 0].tolist()
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(mapped, epochs=2, verbose=0).history["loss"]) == 2


def test_parts_of_batches_are_batches(backend):
    tf = pytest.importorskip("tensorflow")
    own = keras.utils.timeseries_dataset_from_array(np.arange(11), None, 2, batch_size=3)
    pairs = [[i, i + 1] for i in range(10)]
    for data in (own, tf.data.Dataset.from_tensor_slices(pairs).batch(3)):
        left, right = keras.utils.split_dataset(data, left_size=4)
        assert [np.asarray(x).tolist() for x in left] == [pairs[:3], pairs[3:4]]
        assert [np.asarray(x).tolist() for x in right] == [pairs[4:7], pairs[7:]]
    (first, *_), _ = keras.utils.split_dataset(tf.data.Dataset.range(4), left_size=2)
    assert np.asarray(first).shape == ()


@pytest.mark.parametrize(
    ("given", "match"),
    [({"color_mode": "sepia"}, "color_mode"), ({"interpolation": "guess"}, "interpolation"),
     ({"image_size": 4}, "image_size")],
)  # fmt: skip
def test_pictures_are_asked_for_rightly_before_any_is_read(given, match, tmp_path):
    with pytest.raises(InvalidArgument, match=match):
        keras.utils.image_dataset_from_directory(tmp_path, **given)
