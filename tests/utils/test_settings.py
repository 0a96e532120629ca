"""Config, and the configs of older Keras versions."""

import copy
import json
import pickle

import pytest

import kerasish as keras
from kerasish.errors import InvalidArgument, StateError

Config = keras.utils.Config


def test_attributes_and_keys():
    config = Config(a=1, b={"c": 2})
    config.d = 3
    config["e"] = 4
    assert (config.a, config["d"], config.e, len(config), list(config)) == (1, 3, 4, 4, ["a", "b", "d", "e"])
    assert "a" in config and config.get("x", 0) == 0 and config.pop("e") == 4
    del config.d
    config.update({"f": 5})
    assert config.as_dict() == {"a": 1, "b": {"c": 2}, "f": 5}
    assert json.loads(config.to_json()) == config.as_dict()
    with pytest.raises(AttributeError, match="'x'"):
        config.x


def test_frozen():
    config = Config(a=1)
    config.freeze()
    for change in (lambda: setattr(config, "a", 2), lambda: config.pop("a"), lambda: config.update(b=1)):
        with pytest.raises(StateError, match="frozen"):
            change()
    for other in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert other.frozen and other.as_dict() == {"a": 1}
    config.unfreeze()
    config.a = 2
    assert config.a == 2


def test_short_configs():
    legacy = keras.utils.legacy
    assert keras.legacy.saving.serialize_keras_object is legacy.serialize_keras_object
    layer = keras.layers.Dense(3, activation="relu", name="d")
    config = legacy.serialize_keras_object(layer)
    assert sorted(config) == ["class_name", "config"] and config["class_name"] == "Dense"
    again = legacy.deserialize_keras_object(config)
    assert again.units == 3 and again.activation is keras.activations.relu
    assert legacy.serialize_keras_object(None) is None
    assert legacy.deserialize_keras_object("f", module_objects={"f": max}) is max
    made = keras.saving.deserialize_keras_object("one", module_objects={"one": Config, "f": max})
    assert type(made) is Config

    class Mine(keras.layers.Dense):
        pass

    made = legacy.deserialize_keras_object(
        {"class_name": "Mine", "config": {"units": 2}}, custom_objects={"Mine": Mine}
    )
    assert type(made) is Mine
    with pytest.raises(InvalidArgument, match="Unknown layer: 'Nothing'"):
        legacy.deserialize_keras_object({"class_name": "Nothing", "config": {}}, printable_module_name="layer")
    with pytest.raises(InvalidArgument, match="class_name"):
        legacy.deserialize_keras_object({"config": {}})
