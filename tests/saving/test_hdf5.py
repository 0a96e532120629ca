"""Models in one HDF5 file, the older format."""

import json

import numpy as np
import pytest

import kerasish as keras
from kerasish import errors
from tests.peer import keras_peer

h5py = pytest.importorskip("h5py")
X = np.linspace(-1, 1, 4 * 36, dtype="float32").reshape(4, 6, 6, 1)
Y = np.linspace(0, 1, 8, dtype="float32").reshape(4, 2)


def network(keras):
    layers = keras.layers
    inputs = keras.Input((6, 6, 1))
    x = layers.BatchNormalization()(layers.Conv2D(2, 3, activation="relu")(inputs))
    x = layers.Flatten()(layers.Add()([x, layers.Conv2D(2, 1)(x)]))
    inner = keras.Sequential([keras.Input((32,)), layers.Dense(3), layers.Dropout(0.5)])
    return keras.Model(inputs, layers.Dense(2, kernel_regularizer="l2")(inner(x)))


def trained(keras):
    model = network(keras)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.Huber(0.5), metrics=["mae"])
    model.fit(X, Y, epochs=2, verbose=0)
    return model


def test_a_model_goes_on_where_it_was(backend, tmp_path):
    model = trained(keras)
    model.save(tmp_path / "model.h5")
    loaded = keras.models.load_model(tmp_path / "model.h5")
    wanted = model.predict(X, verbose=0)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), wanted, rtol=1e-4, atol=1e-5)
    assert int(np.asarray(loaded.optimizer.iterations)) == 2
    assert loaded.loss.get_config() == model.loss.get_config()
    assert loaded.fit(X, Y, verbose=0).history.keys() == {"loss", "mae"}


def test_keras_reads_and_writes_the_same(tmp_path):
    peer = keras_peer()
    for theirs, ours in ((peer, keras), (keras, peer)):
        model = network(theirs)
        model.save(tmp_path / "model.h5")
        loaded = ours.models.load_model(tmp_path / "model.h5")
        np.testing.assert_allclose(
            np.asarray(loaded(X)), np.asarray(model(X)), rtol=1e-4, atol=1e-5
        )


def test_weights_by_order_and_by_name(tmp_path):
    model = network(keras)
    model.save(tmp_path / "model.h5")
    other = network(keras)
    other.load_weights(tmp_path / "model.h5")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name=model.layers[-1].name)])
    head.load_weights(tmp_path / "model.h5", by_name=True)
    np.testing.assert_array_equal(head.get_weights()[0], model.layers[-1].get_weights()[0])
    with pytest.raises(ValueError, match="5 layers with weights"):
        head.load_weights(tmp_path / "model.h5")


def test_what_a_file_must_not_hold(tmp_path):
    path = tmp_path / "model.h5"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="d")])
    model.save(path)
    kernel = model.layers[0].kernel.path
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = np.ones((2, 1))
    with h5py.File(path, "a") as file:
        del file[f"model_weights/d/{kernel}"]
        file[f"model_weights/d/{kernel}"] = h5py.ExternalLink("other.h5", "/kernel")
    with pytest.raises(errors.UnsafeFile, match="link"):
        keras.models.load_model(path)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
    model.save(path)
    with pytest.raises(errors.UnsafeFile):
        keras.models.load_model(path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "function", "config": "system"})
    with pytest.raises(ValueError):
        keras.models.load_model(path)


def test_what_does_not_fit_changes_nothing(tmp_path):
    def model(last):
        return keras.Sequential([
            keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(last),
        ])  # fmt: skip

    model(2).save(tmp_path / "model.h5")
    other = model(5)
    before = other.get_weights()
    with pytest.raises(errors.InvalidArgument, match="has shape"):
        other.load_weights(tmp_path / "model.h5")
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
