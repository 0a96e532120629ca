"""Graphs of models as text, and what their tensors were computed from."""

import re
import shutil

import pytest

import kerasish as keras
from kerasish.errors import BackendMissing, NotBuilt

L = keras.layers


def model():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    inner = keras.Sequential([keras.Input((4,), name="in"), L.Dense(3, name="one"), L.Dense(2, name="two")], name="part")
    x = L.Add(name="sum")([inner(a), inner(b)])
    y = L.Dense(1, activation="relu", name="last")(x * 2)
    return keras.Model([a, b], [y, x], name="whole")


def edges(dot):
    return re.findall(r'"(.+?)" -> "(.+?)";', dot.to_string())


def test_source_inputs():
    m = model()
    assert {t.name for t in keras.utils.get_source_inputs(m.outputs[0])} == {"a", "b"}
    assert keras.utils.get_source_inputs(m.inputs[0]) == [m.inputs[0]]


def test_each_call_is_a_box_and_each_tensor_an_edge():
    dot = keras.utils.model_to_dot(model(), show_shapes=True, show_dtype=True, show_layer_activations=True, show_trainable=True, rankdir="LR")
    text = dot.to_string()
    found = {(s.split(".")[0], t.split(".")[0]) for s, t in edges(dot)}
    assert {("a", "part"), ("b", "part"), ("part", "sum")} <= found and len(edges(dot)) == 6
    assert "rankdir=LR" in text and text.count("[label=") == 7
    for told in ("last (Dense)", "Activation: relu", "(None, 1)", "float32", "Trainable"):
        assert told in text
    assert text.count("{") == text.count("}")


def test_nested_models_are_opened():
    dot = keras.utils.model_to_dot(model(), expand_nested=True)
    text = dot.to_string()
    assert text.count('label="part"') == 2 and text.count("one (Dense)") == 2
    assert text.count("{") == text.count("}") == 3
    assert len(edges(dot)) == 2 + 4 + 2 + 2  # into, inside and out of both, to the end


def test_without_a_graph_or_layer_names():
    class Plain(keras.Model):
        def __init__(self):
            super().__init__(name="plain")
            self.dense = L.Dense(1)

        def call(self, x):
            return self.dense(x)

    m = Plain()
    with pytest.raises(NotBuilt):
        keras.utils.model_to_dot(m)
    m(keras.ops.ones((1, 2)))
    assert "plain (Plain)" in keras.utils.model_to_dot(m).to_string()
    text = keras.utils.model_to_dot(model(), show_layer_names=False, subgraph=True).to_string()
    assert text.startswith("subgraph") and "last (" not in text


def test_written_as_text_or_picture(tmp_path, monkeypatch):
    keras.utils.plot_model(model(), tmp_path / "m.dot", show_shapes=True)
    assert (tmp_path / "m.dot").read_text().startswith('digraph "whole" {')
    if shutil.which("dot"):
        keras.utils.plot_model(model(), tmp_path / "m.svg")
        assert b"<svg" in (tmp_path / "m.svg").read_bytes()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BackendMissing, match="graphviz"):
        keras.utils.plot_model(model(), tmp_path / "m.png")
    assert not (tmp_path / "m.png").exists()
