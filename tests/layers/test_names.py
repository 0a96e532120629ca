"""Paths of weights and their order: those that Keras gives, however a model comes to be built."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras

L = keras.layers
x = np.ones((2, 4), "float32")


class Net(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.out = L.Dense(3), L.Dense(2, name="out")

    def call(self, x):
        return self.out(self.dense(x))


class Block(L.Layer):
    def __init__(self):
        super().__init__()
        self.inner = L.Dense(4)

    def build(self, shape):
        self.gain = self.add_weight(shape=(4,), name="gain")
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x) * self.gain


class Held(keras.Model):
    """Layers in a list, in a dict, a model in a model, and a weight made in `__init__`."""

    def __init__(self):
        super().__init__()
        self.blocks = [Block(), Block()]
        self.heads = {"a": L.Dense(2)}
        self.net = Net()
        self.early = self.add_weight(shape=(), name="early")

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.heads["a"](x), self.net(x) * self.early


NET = ["net/dense/kernel", "net/dense/bias", "net/out/kernel", "net/out/bias"]
HELD = [
    "held/early", "held/block/gain", "held/block/dense/kernel", "held/block/dense/bias",
    "held/block_1/gain", "held/block_1/dense_1/kernel", "held/block_1/dense_1/bias",
    "held/dense_2/kernel", "held/dense_2/bias",
    "held/net/dense_3/kernel", "held/net/dense_3/bias", "held/net/out/kernel", "held/net/out/bias",
]  # fmt: skip
STACK = ["stack/dense/kernel", "stack/dense/bias", "stack/norm/gamma", "stack/norm/beta",
         "stack/norm/moving_mean", "stack/norm/moving_variance"]


def stack():
    return keras.Sequential([L.Dense(3), L.BatchNormalization(name="norm")], name="stack")


@pytest.mark.parametrize("how", ["eager", "symbolic", "build"])
@pytest.mark.parametrize(("make", "paths"), [(Net, NET), (Held, HELD), (stack, STACK)])
def test_paths_are_the_same_however_a_model_is_built(make, paths, how, backend):
    keras.utils.clear_session()
    model = make()
    match how:
        case "eager":
            model(x)
        case "symbolic":
            model(keras.Input((4,)))
        case "build":
            model.build((None, 4))
    assert [w.path for w in model.weights] == paths


def test_a_layer_built_by_hand_holds_its_layers_paths():
    keras.utils.clear_session()
    block = Block()
    block.build((None, 4))
    assert [w.path for w in block.weights] == ["block/gain", "block/dense/kernel", "block/dense/bias"]
    lstm = L.LSTM(3)
    lstm.build((None, 2, 4))
    assert lstm.weights[0].path == "lstm/lstm_cell/kernel"


def test_models_in_a_functional_model():
    keras.utils.clear_session()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, L.Dense(2, name="head")(stack()(inputs)))
    assert [w.path for w in model.weights] == [
        "stack/dense/kernel", "stack/dense/bias", "stack/norm/gamma", "stack/norm/beta",
        "stack/norm/moving_mean", "stack/norm/moving_variance", "head/kernel", "head/bias",
    ]  # fmt: skip


def test_freezing_does_not_reorder_the_weights():
    class Odd(L.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), trainable=False, name="count")
            self.gain = self.add_weight(shape=(4,), name="gain")

        def call(self, x):
            return x * self.gain

    layer = Odd()
    layer(x)
    before = [w.name for w in layer.weights]
    assert before == ["gain", "count"]
    layer.trainable = False
    assert [w.name for w in layer.weights] == before
    stored = {}
    layer.save_own_variables(stored)
    assert stored["0"].shape == (4,)
    dense = L.Dense(3)
    dense(x)
    dense.enable_lora(2)
    assert [w.name for w in dense.weights] == ["kernel", "bias", "lora_kernel_a", "lora_kernel_b"]


def test_a_layer_made_frozen_has_frozen_weights():
    layer = L.BatchNormalization(trainable=False)
    layer(x)
    assert not any(w.trainable for w in layer.weights)
    layer.trainable = True
    assert [w.trainable for w in layer.weights] == [True, True, False, False]


def test_a_scope_opened_again_by_its_caller_is_one_scope():
    caller = object()
    with keras.name_scope("a", caller=caller), keras.name_scope("a", caller=caller):
        assert keras.Variable(1.0, name="v").path == "a/v"
        with keras.name_scope("a"):
            assert keras.Variable(1.0, name="v").path == "a/a/v"
