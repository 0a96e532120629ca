"""Functional, Sequential and subclassed models: their parts, their errors, their description."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, errors

L = keras.layers
X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


@pytest.fixture(autouse=True)
def _names_begin_anew():
    keras.utils.clear_session()


def host(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def nested():
    """A model with a Sequential in it and 15 + 12 + 8 parameters, 6 of them not trained."""
    x = keras.Input((4,), name="x")
    inner = keras.Sequential(
        [keras.Input((4,)), L.Dense(3, name="d"), L.BatchNormalization(name="bn")], name="inner"
    )
    return keras.Model(x, L.Dense(2, name="out")(inner(x)), name="m")


def two():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    shared = L.Dense(3, name="shared")
    h = shared(a) + b
    return keras.Model([a, b], {"u": L.Dense(1, name="du")(h), "v": h * 2.0}, name="two")


# Parts -----------------------------------------------------------------------------------------


def test_layers_by_name_and_place():
    model = nested()
    assert [x.name for x in model.layers] == ["x", "inner", "out"]
    assert model.get_layer("inner").get_layer("bn") is model.layers[1].layers[1]
    assert model.get_layer(index=-1) is model.layers[2]
    for arguments in ({"name": "none"}, {"index": 3}, {"index": -4}, {}, {"name": "x", "index": 0}):
        with pytest.raises(errors.InvalidArgument):
            model.get_layer(**arguments)
    with pytest.raises(errors.InvalidArgument, match=r"no layer 'none'.*\['x', 'inner', 'out'\]"):
        model.get_layer("none")


def test_layers_cannot_be_set():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.layers = [L.Dense(1)]

    for act in (Own, lambda: setattr(nested(), "layers", []),
                lambda: setattr(keras.Sequential(), "layers", [])):  # fmt: skip
        with pytest.raises(AttributeError):
            act()


def test_symbolic_inputs_and_outputs():
    model = two()
    assert [x.shape for x in model.inputs] == [(None, 4), (None, 3)]
    assert model.input_shape == [(None, 4), (None, 3)]
    assert model.output_shape == [(None, 1), (None, 3)]
    assert model.input_names == ["a", "b"] and model.output_names == ["u", "v"]
    for name in ("input", "output"):
        with pytest.raises(AttributeError, match="no symbolic"):
            getattr(keras.Model(name="plain"), name)


def test_inputs_by_name_by_place_and_their_errors(backend):
    model = two()
    b = np.ones((5, 3), "float32")
    first = {k: host(v) for k, v in model([X, b]).items()}
    for given in ({"a": X, "b": b}, (X, b), {"b": b, "a": X, "unused": X}):
        again = model(given)
        assert all(np.array_equal(host(again[k]), first[k]) for k in first)
    for given, said in (
        ([X], "takes 2 inputs"), ([X, b, b], "takes 2 inputs"), ({"a": X}, r"\['b'\] missing"),
        ([b, X], r"'a' has shape \(None, 4\), got \(5, 3\)"),
        ([X[0], b], r"first axis is the batch"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            model(given)


def test_names_are_unique():
    one, other = keras.Sequential([L.Dense(1)]), keras.Sequential([L.Dense(1)])
    assert one.name != other.name and one.layers[0].name != other.layers[0].name
    x = keras.Input((4,))
    with pytest.raises(errors.InvalidArgument, match=r"unique names.*'same'"):
        keras.Model(x, L.Dense(1, name="same")(L.Dense(1, name="same")(x)))
    shared = L.Dense(4, name="same")
    assert len(keras.Model(x, shared(shared(x))).layers) == 2
    for name in ("a/b", 3):
        with pytest.raises(ValueError, match="string without"):
            keras.Sequential(name=name)


def test_graphs_that_are_none():
    x, other = keras.Input((4,), name="x"), keras.Input((4,), name="other")
    for inputs, outputs, said in (
        (other, L.Dense(1)(x), "not among the inputs"),
        (x, np.ones(2), "symbolic tensors"),
        (X, L.Dense(1)(x), "symbolic tensors"),
    ):
        with pytest.raises(errors.InvalidArgument, match=said):
            keras.Model(inputs, outputs)
    with pytest.raises(TypeError, match="defines no call"):
        keras.Model(name="empty")(X)
    with pytest.raises(ValueError, match="foo"):
        keras.Model(x, L.Dense(1)(x), foo=1)


def test_a_model_from_the_middle_of_another():
    model = nested()
    tail = keras.Model(model.get_layer("out").input, model.output)
    head = keras.Model(model.input, model.get_layer("inner").get_layer("d")(model.input))
    np.testing.assert_allclose(host(tail(model.get_layer("inner")(X))), host(model(X)), rtol=1e-6)
    assert head.count_params() == 15


def test_a_model_from_the_middle_has_an_input_of_its_own(tmp_path, backend):
    """It holds the layers after its input alone, in files and copies too."""
    x = keras.Input((4,))
    h = L.Dense(3, name="before")(x)
    whole = keras.Model(x, L.Dense(2, name="after")(keras.ops.relu(h) * 2.0))
    part = keras.Model(h, whole.output, name="part")
    assert [x.name for x in part.layers] == [h.name, "after"] and len(part.weights) == 2
    assert part.get_layer("after") is whole.get_layer("after")
    assert whole.get_layer("after").output is whole.output  # the first of its calls
    features = host(keras.Model(x, h)(X))
    want = host(whole(X))
    part.save(tmp_path / "part.keras")
    twin = keras.models.clone_model(part)
    twin.set_weights(part.get_weights())
    for model in (part, twin, keras.models.load_model(tmp_path / "part.keras")):
        np.testing.assert_allclose(host(model(features)), want, rtol=1e-5)
    both = keras.Model([x, h], [h, whole.output])
    got = both([X, features])
    np.testing.assert_allclose(host(got[0]), features)
    np.testing.assert_allclose(host(got[1]), want, rtol=1e-5)
    assert len(both.layers) == 3


def test_names_of_inputs():
    x, y = keras.Input((4,)), keras.Input((4,), name="y")
    model = keras.Model([x, y], L.Dense(2)(x + y))
    assert (x.name, y.name) == ("keras_tensor", "y")
    assert [layer.name for layer in model.layers] == ["input_layer", "y", "dense"]
    model({"input_layer": X, "y": X})
    assert L.InputLayer((3,)).output.name.startswith("keras_tensor")


def test_trainable_goes_down_and_stays_per_layer():
    model = nested()
    bn = model.get_layer("inner").get_layer("bn")
    assert len(model.trainable_weights) == 6 and len(model.non_trainable_weights) == 2
    model.get_layer("inner").trainable = False
    assert [v.path for v in model.trainable_weights] == [
        v.path for v in model.get_layer("out").weights
    ]
    bn.trainable = True  # alone thawed inside a frozen model, as adapters of LoRA are
    assert len(model.trainable_weights) == 4
    assert model.get_layer("inner").trainable_weights == []
    model.get_layer("inner").trainable = True
    assert len(model.trainable_weights) == 6
    model.trainable = False
    assert model.trainable_weights == [] and not bn.trainable
    assert len(model.weights) == 8


def test_what_a_frozen_layer_makes_in_build_is_frozen():
    class Late(L.Layer):
        def build(self, shape):
            self.inner = L.Dense(2)
            self.inner.build(shape)
            self.gain = self.add_weight(shape=(2,), name="gain")

        def call(self, x):
            return self.inner(x) * self.gain

    set_later, made_so = Late(), Late(trainable=False)
    set_later.trainable = False
    model = keras.Sequential([keras.Input((2,)), set_later, made_so, L.Dense(1)])
    assert len(model.trainable_weights) == 2 and len(model.weights) == 8
    made_so.inner.trainable = True
    assert len(model.trainable_weights) == 4
    set_later.trainable = True
    assert len(model.trainable_weights) == 7


def test_adapters_of_a_frozen_model_learn(backend):
    inner = keras.Sequential([keras.Input((3,)), L.Dense(4, name="a"), L.Dense(2, name="b")])
    model = keras.Sequential([keras.Input((3,)), inner])
    for layer in model._flatten_layers(include_self=False):
        layer.trainable = False
    dense = inner.get_layer("a")
    dense.trainable = True
    dense.enable_lora(2)
    names = [v.name for v in model.trainable_weights]
    assert names == ["bias", "lora_kernel_a", "lora_kernel_b"]
    before = [w.numpy().copy() for w in model.weights]
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    changed = {w.name for w, old in zip(model.weights, before, strict=True)
               if not np.array_equal(w.numpy(), old)}
    assert changed == {"bias", "lora_kernel_b"}  # the other factor's gradient is 0 at first


def test_a_model_with_more_than_its_graph(backend):
    class Scored(keras.Model):
        """A functional model with layers and a method of its own."""

        def __init__(self, units=3, **kwargs):
            x = keras.Input((4,))
            super().__init__(inputs=x, outputs=L.Dense(units, name="graph")(x), **kwargs)
            self.units = units
            self.head = L.Dense(1, name="head")
            self.notes = {"of": ["what", 1]}

        def score(self, x):
            return self.head(self(x))

    model = Scored(5, name="s")
    assert model.score(X).shape == (5, 1)
    assert [x.name for x in model.layers if not isinstance(x, L.InputLayer)] == ["graph", "head"]
    assert len(model.weights) == 4 and model.notes["of"][1] == 1
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, np.ones((5, 5), "float32"), verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])
    again = Scored.from_config(model.get_config())
    assert type(again) is Scored and again.units == 5


# Sequential ------------------------------------------------------------------------------------


def test_add_and_pop(backend):
    model = keras.Sequential(name="s")
    with pytest.raises(errors.InvalidArgument, match="no layers"):
        model.build((None, 4))
    model.add(keras.Input((4,)))
    model.add(L.Dense(3))
    model.add(L.Dense(2))
    assert model.built and model.output_shape == (None, 2)
    kept = model.layers[0].get_weights()[0]
    top = model.pop()
    assert top.units == 2 and model.output_shape == (None, 3)
    np.testing.assert_allclose(host(model(X)), X @ kept, rtol=1e-4, atol=1e-5)
    model.add(L.Dense(7))
    assert model(X).shape == (5, 7) and len(model.weights) == 4
    for _ in range(2):
        model.pop()
    assert model.layers == []
    with pytest.raises(errors.InvalidArgument, match="no layer to remove"):
        keras.Sequential().pop()


def test_add_after_training_trains_the_new_layer():
    model = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    for _ in range(2):
        model.compile("sgd", "mse")
        model.fit(X, np.ones((5, 2), "float32"), verbose=0)
        model.add(L.Dense(2))
    assert model.predict(X, verbose=0).shape == (5, 2)


def test_what_sequential_does_not_take():
    model = keras.Sequential([keras.Input((4,)), L.Dense(2, name="d")])
    for layer, said in (
        (3, "takes layers"), (L.Dense, "takes layers"), (lambda x: x, "Lambda"),
        (L.Dense(1, name="d"), "named 'd' already"), (keras.Input((2,)), "come first"),
    ):  # fmt: skip
        with pytest.raises(errors.InvalidArgument, match=said):
            model.add(layer)
    assert len(model.layers) == 1
    with pytest.raises(errors.InvalidArgument, match="one input"):
        keras.Sequential([L.Dense(1)]).build([(None, 4), (None, 4)])


# Description -----------------------------------------------------------------------------------


def summary(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return "\n".join(lines)


def test_summary_counts_and_names():
    text = summary(nested())
    assert text.startswith('Model: "m"')
    for row in ("x (InputLayer)", "inner (Sequential)", "out (Dense)", "(None, 3)"):
        assert row in text
    assert "Total params: 35 (140.00 B)" in text
    assert "Trainable params: 29 (116.00 B)" in text
    assert "Non-trainable params: 6 (24.00 B)" in text
    assert "bn" not in text and "Trainable " not in text.split("Total")[0]


def test_summary_of_inner_models_and_of_what_is_trained():
    model = nested()
    model.get_layer("out").trainable = False
    text = summary(model, expand_nested=True, show_trainable=True)
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    assert "  bn (BatchNormalization)" in text and "  d (Dense)" in text
    assert rows["out"].rstrip(" │").endswith("N") and rows["d"].rstrip(" │").endswith("Y")
    assert "Non-trainable params: 14" in text


def test_summary_keeps_to_its_line_length():
    wide = keras.Sequential([keras.Input((4,)), L.Dense(2, name="n" * 90)])
    for length in (60, 120):
        assert max(map(len, summary(wide, line_length=length).splitlines()[1:6])) <= length
    assert "…" in summary(wide, line_length=60) and "n" * 90 in summary(wide, line_length=160)


def test_summary_of_a_part():
    text = summary(nested(), layer_range=["inner", "out"])
    assert "InputLayer" not in text and "out (Dense)" in text
    with pytest.raises(errors.InvalidArgument, match="layer_range"):
        summary(nested(), layer_range=["zz", "out"])
    with pytest.raises(errors.InvalidArgument, match="pair"):
        summary(nested(), layer_range=["x"])


def test_summary_of_graphs_with_branches_tells_connections():
    text = summary(two())
    assert "Connected to" in text and "shared[0][0]" in text and "b[0][0]" in text
    x = keras.Input((2,), name="x")
    heads = [keras.layers.Dense(1, name=name)(x) for name in ("left", "right")]
    assert summary(keras.Model(x, heads)).count("x[0][0]") == 2


def test_summary_of_what_is_not_built_and_of_optimizers(capsys):
    keras.Sequential([L.Dense(2)]).summary()
    assert "unbuilt" in capsys.readouterr().out
    model = nested()
    model.compile(keras.optimizers.SGD(momentum=0.9), "mse")
    model.fit(X, np.ones((5, 2), "float32"), verbose=0)
    assert "Optimizer params: 31" in summary(model)  # a slot for each, the counter and the rate
    held = []
    model.summary(print_fn=lambda text, line_break=False: held.append((text, line_break)))
    assert held[0][1] is False


def test_html_for_notebooks():
    text = keras.Sequential([keras.Input((4,)), L.Dense(2, name="a<b>")])._repr_html_()
    assert "a&lt;b&gt; (Dense)" in text and "a<b>" not in text and "Total params: 10" in text


@pytest.mark.parametrize("pack", [lambda x: [x], lambda x: (x,)])
def test_one_output_in_a_list_is_handed_over_bare(pack, backend):
    """As in Keras; symbols and dicts keep their structure."""
    inputs = keras.Input((4,))
    model = keras.Model([inputs], pack(keras.layers.Dense(2, name="y")(inputs)))
    x, y = np.ones((3, 4), "float32"), np.zeros((3, 2), "float32")
    assert tuple(model(x).shape) == model.predict(x, verbose=0).shape == (3, 2)
    assert type(model(keras.Input((4,)))) is type(pack(None))
    assert set(keras.Model(inputs, {"y": model.outputs[0]})(x)) == {"y"}
    for loss, targets in (("mse", y), (["mse"], [y]), ({"y": "mse"}, y)):
        model.compile("sgd", loss, metrics=["mae"])
        assert set(model.fit(x, targets, verbose=0).history) == {"loss", "mae"}
    deeper = keras.Model(inputs, keras.layers.Dense(1)(model(inputs)[0]))
    assert deeper.predict(x, verbose=0).shape == (3, 1)


def test_layers_added_one_by_one_have_one_output():
    model = keras.Sequential()
    model.add(keras.Input((4,)))
    model.add(keras.layers.Dense(3))
    model.add(keras.layers.Dense(2))
    model.pop()
    model.add(keras.layers.Dense(5))
    features = keras.Model(model.inputs, [layer.output for layer in model.layers])
    x = np.ones((1, 4), "float32")
    first, last = features(x)
    assert tuple(first.shape) == (1, 3)
    np.testing.assert_allclose(backends.to_host(last), backends.to_host(model(x)))


def test_the_operations_of_a_functional_model():
    inputs = keras.Input((4,), name="x")
    y = keras.ops.relu(keras.layers.Dense(3, name="d")(inputs))
    assert [o.name for o in keras.Model(inputs, y).operations][:2] == ["x", "d"]
    assert len(keras.Model(inputs, y).operations) == 3


def test_input_and_output_of_a_layer_are_those_of_its_first_call():
    layer, x = L.Dense(2), keras.Input((4,))
    with pytest.raises(AttributeError, match="not called"):
        _ = layer.output
    y = layer(x)
    layer(keras.Input((4,)))
    assert layer.input is x and layer.output is y


def test_one_input_in_a_list_has_one_shape():
    x = keras.Input((4,))
    model = keras.Model([x], [L.Dense(2)(x)])
    assert model.input_shape == (None, 4) and model.output_shape == (None, 2)


def test_functions_tell_shapes():
    a, b = keras.Input((4,)), keras.Input((3,))
    function = keras.Function({"a": a, "b": b}, [L.Dense(2)(a), b * 2])
    shapes = function.compute_output_shape({"a": (5, 4), "b": (5, 3)})
    assert shapes == [(5, 2), (5, 3)]


@pytest.mark.parametrize("inputs", [np.ones((2, 4)), np.ones((3,)), [np.ones((2, 3))] * 2])
def test_functions_refuse_inputs_of_other_shapes(inputs):
    a = keras.KerasTensor((None, 3))
    with pytest.raises(ValueError, match=r"takes inputs of the shapes \[\(None, 3\)\]"):
        keras.Function(a, a * 2)(inputs)


def test_optional_inputs_may_be_none(backend):
    class Sum(L.Layer):
        def call(self, x, y=None):
            return x if y is None else x + y

        def compute_output_shape(self, x_shape, y_shape=None):
            return x_shape

    x, y = keras.Input((4,)), keras.Input((4,), optional=True)
    model = keras.Model([x, y], Sum()(x, y))
    for _ in range(2):
        np.testing.assert_allclose(host(model([X, None])), X)
        np.testing.assert_allclose(host(model([X, X])), 2 * X)


@pytest.mark.parametrize("what", ["weight", "layer"])
def test_state_made_in_call_is_refused(backend, what):
    class Late(L.Layer):
        def call(self, x):
            if what == "layer":
                self.inner = L.Dense(1)
            else:
                self.w = self.add_weight(shape=(1,))
            return x

    with pytest.raises(ValueError, match=r"'late'.*made new state"):
        Late()(X)


def test_symbolic_tensors_have_no_values():
    x = keras.Input((4,))
    for act in (np.asarray, float, bool):
        for kind in (TypeError, ValueError):
            with pytest.raises(kind, match="symbolic"):
                act(x)
    with pytest.raises(NotImplementedError, match="unstack"):
        iter(x)
    with pytest.raises(NotImplementedError, match="no call"):
        L.Layer()(X)


def test_a_sequential_that_was_built_stays_built_as_it_changes():
    model = keras.Sequential([L.Dense(3), L.Dense(1)])
    model.build((None, 4))
    model.pop()
    assert model.output_shape == (None, 3)
    model.add(L.Dense(7))
    assert model.output_shape == (None, 7) and len(model.weights) == 4


def test_several_outputs_of_a_layer_are_a_list():
    lstm = L.LSTM(4, return_state=True)
    lstm(keras.Input((None, 3)))
    states = keras.Model(lstm.input, lstm.output[1:])
    assert isinstance(lstm.output, list)
    assert isinstance(states.predict(np.ones((2, 5, 3)), verbose=0), list)
