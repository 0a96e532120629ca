"""Copies of models: `clone_model` and configs."""

import json

import numpy as np
import pytest

import kerasish as keras
from kerasish import errors

L = keras.layers
X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def host(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def functional():
    x = keras.Input((4,), name="x")
    shared = L.Dense(4, name="shared")
    return keras.Model(x, L.Dense(2, name="out")(shared(shared(x)) + 1.0), name="m")


def sequential():
    return keras.Sequential(
        [keras.Input((4,), name="i"), L.Dense(3, name="d"), L.Dense(2, name="e")], name="s"
    )


@pytest.mark.parametrize("make", [functional, sequential])
def test_a_clone_has_new_weights_and_the_same_architecture(backend, make):
    model = make()
    copy = keras.models.clone_model(model)
    assert type(copy) is type(model) and copy.name == model.name
    assert [x.name for x in copy.layers] == [x.name for x in model.layers]
    assert not {id(v) for v in copy.weights} & {id(v) for v in model.weights}
    assert not np.array_equal(copy.get_weights()[0], model.get_weights()[0])
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(host(copy(X)), host(model(X)), rtol=1e-6)


@pytest.mark.parametrize("make", [functional, sequential])
def test_clone_function_makes_the_layers(make):
    model = make()
    seen = []

    def wider(layer):
        seen.append(layer.name)
        config = layer.get_config()
        if isinstance(layer, L.Dense):
            config["use_bias"] = False
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=wider)
    operations = model.operations if make is functional else model.layers
    assert seen == [x.name for x in operations if x.name != "x"]  # ops too, as in Keras
    if make is functional:
        assert [x.name for x in copy.operations] == [x.name for x in model.operations]
    assert len(copy.weights) == len(model.weights) // 2
    kept = keras.models.clone_model(model, clone_function=lambda layer: layer)
    assert kept is not model and kept.weights[0] is model.weights[0]


def test_call_function_calls_them():
    calls = []

    def call(layer, *args, **kwargs):
        calls.append(layer.name)
        return layer(*args, **kwargs) * 2.0

    model = functional()
    copy = keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )
    assert calls == ["shared", "shared", model.operations[2].name, "out"]
    w, b = model.get_layer("shared").get_weights()
    v, c = model.get_layer("out").get_weights()
    h = 2 * (2 * (2 * (X @ w + b) @ w + b) + 1)
    np.testing.assert_allclose(host(copy(X)), 2 * (h @ v + c), rtol=1e-4, atol=1e-4)
    with pytest.raises(errors.InvalidArgument, match="call_function"):
        keras.models.clone_model(sequential(), call_function=call)


@pytest.mark.parametrize("make", [functional, sequential])
def test_input_tensors_take_the_place_of_inputs(make):
    model = make()
    start = keras.Input((4,), name="start")
    copy = keras.models.clone_model(model, input_tensors=start)
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(host(copy(X)), host(model(X)), rtol=1e-6)
    assert copy.inputs[0].node.operation.name == "start"
    with pytest.raises(ValueError):
        keras.models.clone_model(model, input_tensors=[start, start])


def test_inner_models_are_cloned_when_asked():
    x = keras.Input((4,))
    model = keras.Model(x, sequential()(x))
    names = []
    note = lambda layer: names.append(layer.name) or type(layer).from_config(layer.get_config())
    keras.models.clone_model(model, clone_function=note)
    assert names == ["s"]
    names.clear()
    keras.models.clone_model(model, clone_function=note, recursive=True)
    assert names == ["d", "e"]


def test_subclassed_models_are_cloned_by_config():
    @keras.saving.register_keras_serializable("clone_tests")
    class Own(keras.Model):
        def __init__(self, units=2, **kwargs):
            super().__init__(**kwargs)
            self.units, self.d = units, L.Dense(units)

        def call(self, x):
            return self.d(x)

    model = Own(3)
    copy = keras.models.clone_model(model)
    assert type(copy) is Own and copy.units == 3 and copy.d is not model.d
    with pytest.raises(errors.InvalidArgument, match="by its config"):
        keras.models.clone_model(model, clone_function=lambda layer: layer)
    with pytest.raises(errors.InvalidArgument, match="takes a model"):
        keras.models.clone_model(L.Dense(2))


def with_ops():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    ops = keras.ops
    table = np.arange(8, dtype="float32").reshape(4, 2)
    h = ops.concatenate([a * 2.0, 1.0 - b, ops.relu(a @ table)], axis=-1)
    h = ops.where(h > 0.5, h, ops.zeros_like(h))[:, 1:7:2]
    h = ops.expand_dims(ops.sum(h, axis=1, keepdims=True), 1) / ops.maximum(h, 1.0)[:, None]
    first, second = ops.split(ops.transpose(h, (0, 2, 1)), [1], axis=1)
    return keras.Model([a, b], {"first": first, "rest": [second, ops.max(h, axis=-1)]})


@pytest.mark.parametrize("way", ["json", "config", "clone"])
def test_ops_and_their_constants_come_back(backend, way):
    model = with_ops()
    if way == "json":
        again = keras.models.model_from_json(model.to_json())
    elif way == "config":
        again = keras.Model.from_config(json.loads(json.dumps(model.get_config())))
    else:
        again = keras.models.clone_model(model)
    wanted, found = model([X, X[::-1].copy()]), again([X, X[::-1].copy()])
    assert found.keys() == wanted.keys() and len(found["rest"]) == 2
    for a, b in zip(keras.tree.flatten(wanted), keras.tree.flatten(found), strict=True):
        np.testing.assert_allclose(host(b), host(a), rtol=1e-6)


@pytest.mark.parametrize("make", [functional, sequential, with_ops])
def test_json_there_and_back_is_the_same_json(make):
    text = make().to_json(indent=1)
    again = keras.models.model_from_json(text)
    assert json.loads(again.to_json()) == json.loads(text)
    assert json.loads(text)["class_name"] in ("Functional", "Sequential")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"text"', '{"class_name": "Nothing"}'])
def test_text_that_is_no_model(text):
    with pytest.raises(errors.KerasishError):
        keras.models.model_from_json(text)


def test_configs_of_models_not_connected():
    config = functional().get_config()
    config["layers"][-1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "nobody"
    with pytest.raises(errors.InvalidArgument, match="cannot be connected"):
        keras.Model.from_config(config)


def test_functions_need_no_registration():
    def twice(x):
        return x * 2

    model = keras.Sequential([
        keras.Input((2,)), keras.layers.Dense(2, activation=twice), keras.layers.Lambda(twice),
        keras.layers.Lambda(lambda x: x + 1),
    ])  # fmt: skip
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    x = np.ones((1, 2), "float32")
    np.testing.assert_allclose(twin(x), model(x))


def test_a_sequential_without_input_is_cloned_as_built_as_it_is():
    deferred = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])
    assert not keras.models.clone_model(deferred).built
    deferred.build((None, 4))
    twin = keras.models.clone_model(deferred)
    assert [w.shape for w in twin.weights] == [w.shape for w in deferred.weights]


def test_clones_are_compiled_as_their_models_are():
    model = functional()
    assert not keras.models.clone_model(model).compiled
    loss = lambda y, p: keras.ops.mean(y - p)  # noqa: E731
    model.compile(keras.optimizers.Adam(0.25), loss, metrics=["mae"])
    twin = keras.models.clone_model(model)
    assert twin.compiled and twin.loss is loss and twin.optimizer is not model.optimizer
    assert float(keras.ops.convert_to_numpy(twin.optimizer.learning_rate)) == 0.25
