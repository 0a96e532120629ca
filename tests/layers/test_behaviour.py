"""What layers and models do around their computation: copies, structures, masks, training, state."""

import collections
import copy
import json
import pickle
import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, config, ops
from kerasish.layers.masking import get_mask
from tests.conftest import INSTALLED

L = keras.layers
rng = np.random.default_rng(0)
X = rng.standard_normal((8, 5, 4)).astype("float32")
Y = rng.standard_normal((8, 1)).astype("float32")


def host(x):
    return np.asarray(backends.to_host(x))


def test_spectral_normalization_is_differentiated(backend):
    layer = L.SpectralNormalization(L.Dense(3, use_bias=False))
    layer.build((None, 4))
    kernel = layer.layer.kernel
    at = rng.standard_normal((4, 3)).astype("float32")
    u0 = layer.vector_u.numpy()

    def by_hand(w):  # with the vectors of the first kernel, which count as constants
        return float(np.sum((X[0] @ (w / (v @ w @ u)))[:, 0] ** 2))

    v = at.astype("float64") @ u0[0]
    v /= np.linalg.norm(v)
    u = v @ at
    u /= np.linalg.norm(u)
    kernel.assign(at)
    layer.vector_u.assign(u0)
    value, (gradient,) = keras.value_and_grad(
        lambda: ops.sum(layer(X[0], training=True)[:, 0] ** 2), [kernel]
    )
    steps = np.eye(12).reshape(12, 4, 3) * 1e-5
    expected = [(by_hand(at + s) - by_hand(at - s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(float(host(value)), by_hand(at), rtol=1e-5)
    np.testing.assert_allclose(host(gradient).ravel(), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(kernel.numpy(), at / (v @ at @ u), rtol=1e-4, atol=1e-6)


class Scale(L.Layer):
    """Unregistered, with a lambda in it."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.twice = lambda z: z * 2

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units))

    def call(self, x):
        return self.twice(ops.matmul(x, self.kernel))


class Twice(L.Layer):
    def call(self, x):
        return x * 2


class Seen(L.Layer):
    """Notes the `training` that it is called with."""

    def __init__(self, into, **kwargs):
        super().__init__(**kwargs)
        self.into = _Box(into)

    def call(self, x, training=None):
        self.into.value.append(training)
        return x


class _Box:
    def __init__(self, value):
        self.value = value


class Around(L.Layer):
    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def call(self, x):
        return self.layer(x)


# Copies -------------------------------------------------------------------------------------------


def functional():
    inputs = keras.Input((5, 4))
    x = L.BatchNormalization()(L.LSTM(4)(inputs))
    shared = L.Dense(4)
    x = shared(shared(L.Dropout(0.3)(x)))
    return keras.Model(inputs, L.Dense(1)(x + 1.0))


def sequential():
    return keras.Sequential([L.Flatten(), L.Dense(4, "relu"), L.Dropout(0.2), L.Dense(1)])


def unregistered():
    inputs = keras.Input((5, 4))
    x = L.Lambda(lambda z: z * 3)(Scale(3)(L.Flatten()(inputs)))
    return keras.Model(inputs, L.Dense(1)(x))


def nested():
    inputs = keras.Input((5, 4))
    return keras.Model(inputs, L.Dense(1)(functional()(inputs)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = L.Dense(3)
        self.parts = [L.Dense(2), {"drop": L.Dropout(0.5)}]
        self.last = L.Dense(1)

    def call(self, x, training=None):
        x = self.parts[0](self.first(x[:, 0]))
        return self.last(self.parts[1]["drop"](x, training=training))


def by_cloudpickle(x):
    cloudpickle = pytest.importorskip("cloudpickle")
    return cloudpickle.loads(cloudpickle.dumps(x))


copies = pytest.mark.parametrize("twin_of", [copy.deepcopy, by_cloudpickle])
MODELS = [functional, sequential, unregistered, nested, Subclassed]


@copies
@pytest.mark.parametrize("make", MODELS)
def test_a_copy_in_the_middle_of_training_goes_on_alike(make, twin_of, backend):
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(keras.optimizers.Adam(1e-2), "mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, batch_size=4, verbose=0, shuffle=False)
    twin = twin_of(model)
    assert int(twin.optimizer.iterations) == 4
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    first = model.fit(X, Y, epochs=2, batch_size=4, verbose=0, shuffle=False).history
    before = twin.get_weights()
    second = twin.fit(X, Y, epochs=2, batch_size=4, verbose=0, shuffle=False).history
    for key in first:
        np.testing.assert_allclose(second[key], first[key], rtol=1e-4)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, twin.get_weights(), strict=True))


@copies
@pytest.mark.parametrize("make", MODELS)
def test_copies_share_nothing(make, twin_of, backend):
    fresh = twin_of(make())  # not built, or not called
    assert fresh(X).shape == (8, 1)
    model = make()
    out = host(model(X))
    twin = twin_of(model)
    np.testing.assert_allclose(host(twin(X)), out, atol=1e-6)
    for w in twin.trainable_weights:
        w.assign(ops.zeros_like(w))
    np.testing.assert_array_equal(host(model(X)), out)
    twin.compile("sgd", "mse")
    twin.fit(X, Y, verbose=0)
    assert [w.path for w in twin.weights] == [w.path for w in model.weights]


def test_a_copy_of_a_deep_graph_is_not_recursive():
    inputs = x = keras.Input((4,))
    for _ in range(300):
        x = L.Add()([x, L.Dense(4)(x)])
    model = keras.Model(inputs, x)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert len(twin.weights) == 600 and twin.output_shape == (None, 4)
        assert twin.layers[1].output.shape == (None, 4)
        assert keras.models.clone_model(twin).count_params() == model.count_params()


def test_copies_of_graphs_with_several_inputs_names_and_inner_tensors():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    h = L.Dense(3, name="h")(a)
    model = keras.Model({"a": a, "b": b}, {"sum": L.Add()([h, L.Dense(3)(b)]), "h": h})
    data = {"a": X[:, 0], "b": X[:, 1]}
    twin = copy.deepcopy(model)
    out, again = model(data), twin(data)
    assert set(again) == {"sum", "h"} and twin.input_names == model.input_names
    np.testing.assert_allclose(host(again["sum"]), host(out["sum"]))
    tail = copy.deepcopy(keras.Model([h, b], model.output["sum"]))
    np.testing.assert_allclose(host(tail([out["h"], data["b"]])), host(out["sum"]), atol=1e-6)


@copies
def test_tied_weights_stay_tied(twin_of, backend):
    class Tied(L.Layer):
        def __init__(self, table):
            super().__init__()
            self.table = table

        def call(self, x):
            return ops.matmul(x, ops.transpose(self.table.embeddings))

    table = L.Embedding(7, 4)
    inputs = keras.Input((3,), dtype="int32")
    model = keras.Model(inputs, Tied(table)(table(inputs)))
    assert len(model.trainable_weights) == 1
    twin = twin_of(model)
    assert len(twin.trainable_weights) == 1
    twin.trainable_weights[0].assign(np.zeros((7, 4)))
    tokens = np.array([[1, 2, 3]])
    assert not host(twin(tokens)).any() and host(model(tokens)).any()


def test_copies_travel_between_backends():
    for origin in INSTALLED:
        with config.backend_scope(origin):
            model = functional()
            out = host(model(X))
            frozen = pickle.dumps(model)
        for target in INSTALLED:
            with config.backend_scope(target):
                np.testing.assert_allclose(host(pickle.loads(frozen)(X)), out, rtol=1e-4, atol=1e-5)


# Structures ---------------------------------------------------------------------------------------

Pair = collections.namedtuple("Pair", "a b")


class OnPair(L.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = L.Dense(3)

    def call(self, pair):
        assert isinstance(pair, Pair)
        return Pair(self.dense(pair.a), pair.b * 2)


def test_named_tuples_in_and_out(backend):
    data = Pair(X[:, 0], X[:, 1, :2])
    inputs = Pair(keras.Input((4,)), keras.Input((2,)))
    symbolic = OnPair()(inputs)
    assert isinstance(symbolic, Pair) and symbolic.a.shape == (None, 3)
    model = keras.Model(inputs, symbolic)
    for out in (OnPair()(data), model(data), model.predict(data, verbose=0)):
        assert isinstance(out, Pair) and tuple(out.a.shape) == (8, 3)
        np.testing.assert_allclose(host(out.b), 2 * data.b, rtol=1e-6)
    model.compile("sgd", loss=Pair("mse", "mse"))
    model.fit(data, Pair(X[:, 0, :3], X[:, 1, :2]), verbose=0)


def test_dicts_lists_and_none_in_and_out(backend):
    class Mixed(L.Layer):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(3)

        def call(self, x):
            return {"out": self.dense(x["a"]), "more": [x["b"]["c"] * 2, (x["b"]["c"],)], "no": None}

    data = {"b": {"c": X[:, 1, :2]}, "a": X[:, 0]}
    inputs = {"a": keras.Input((4,), name="a"), "b": {"c": keras.Input((2,), name="c")}}
    out = Mixed()(inputs)
    assert out["no"] is None and out["more"][1][0].shape == (None, 2)
    del out["no"]
    model = keras.Model(inputs, out)
    for y in (model(data), model.predict(data, verbose=0), copy.deepcopy(model)(data)):
        assert isinstance(y["more"], list) and isinstance(y["more"][1], tuple)
        np.testing.assert_allclose(host(y["more"][0]), 2 * data["b"]["c"], rtol=1e-6)


def test_extra_positional_and_keyword_only_arguments(backend):
    class Sum(L.Layer):
        def call(self, *xs, scale=1.0, training=None):
            return sum(xs) * scale

    class First(L.Layer):
        def call(self, x, /, *rest, training=False):
            return x + len(rest) if not training else x

    assert host(Sum()(X, X, scale=3.0, training=True))[0, 0, 0] == pytest.approx(6 * X[0, 0, 0])
    np.testing.assert_allclose(host(First()(X, X, X)), X + 2)
    np.testing.assert_allclose(host(First()(X, X, training=True)), X)
    inputs = keras.Input((5, 4))
    assert Sum()(inputs, inputs).shape == (None, 5, 4)
    with pytest.raises(TypeError, match="at most 1"):
        Twice()(X, X)


# Masks --------------------------------------------------------------------------------------------

TOKENS = np.array([[1, 2, 0], [3, 0, 0]])
KEEPS = np.array([[True, True, False], [True, False, False]])


def masked():
    return L.Embedding(10, 4, mask_zero=True)(TOKENS)


PASS = [
    L.Dense(3), L.Dropout(0.5), L.Activation("relu"), L.ReLU(), L.LeakyReLU(), L.PReLU(), L.ELU(),
    L.Softmax(), L.LayerNormalization(), L.BatchNormalization(), L.UnitNormalization(),
    L.TimeDistributed(L.Dense(2)), L.LSTM(3, return_sequences=True), L.Identity(),
    L.Bidirectional(L.GRU(2, return_sequences=True)), L.GaussianNoise(0.1), L.SpatialDropout1D(0.2),
    L.ActivityRegularization(), L.RNN([L.LSTMCell(2), L.GRUCell(2)], return_sequences=True),
]  # fmt: skip
CONSUME = [L.LSTM(3), L.GRU(3), L.SimpleRNN(2), L.GlobalAveragePooling1D(), L.Bidirectional(L.LSTM(2))]
DROP = [
    L.Flatten(), L.GlobalMaxPooling1D(), L.Reshape((12,)), L.Permute((2, 1)), L.Conv1D(2, 2),
    L.MaxPooling1D(), L.ZeroPadding1D(1), L.UpSampling1D(2), L.Cropping1D(1), Twice(),
]  # fmt: skip
by_name = {"ids": lambda layer: type(layer).__name__}


@pytest.mark.parametrize("layer", PASS, **by_name)
def test_masks_pass(layer, backend):
    twin = layer.__class__.from_config(layer.get_config())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mask = get_mask(twin(masked()))
    np.testing.assert_array_equal(host(mask), KEEPS)


@pytest.mark.parametrize("layer", CONSUME, **by_name)
def test_masks_are_consumed(layer, backend):
    twin = layer.__class__.from_config(layer.get_config())
    embedding = L.Embedding(10, 4, mask_zero=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = twin(embedding(TOKENS))
    assert get_mask(y) is None
    # As if what is masked were not there.
    for i, n in enumerate((2, 1)):
        alone = twin(host(embedding(TOKENS))[i : i + 1, :n])
        np.testing.assert_allclose(host(y)[i], host(alone)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", DROP, **by_name)
def test_dropping_a_mask_warns_once_with_the_name(layer, backend):
    config = {**layer.get_config(), "name": "the_dropper"}
    twin = layer.__class__.from_config(config)
    with pytest.warns(UserWarning, match="the_dropper.*drops the mask") as caught:
        y = twin(masked())
        twin(masked())
    assert get_mask(y) is None and len([w for w in caught if "mask" in str(w.message)]) == 1


def test_dropping_warns_in_graphs_nested_layers_and_models(backend):
    def count(make):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = make(Twice(name="inner_dropper"))
            model(TOKENS)
            model.predict(TOKENS, verbose=0)
        return sum("inner_dropper" in str(w.message) for w in caught)

    def graph(layer):
        inputs = keras.Input((3,), dtype="int32")
        return keras.Model(inputs, L.LSTM(2)(layer(L.Embedding(10, 4, mask_zero=True)(inputs))))

    class Inner(keras.Model):
        def __init__(self, layer):
            super().__init__()
            self.embedding, self.layer = L.Embedding(10, 4, mask_zero=True), layer
            self.lstm = L.LSTM(2)

        def call(self, x):
            return self.lstm(self.layer(self.embedding(x)))

    assert count(graph) == 1 and count(Inner) == 1


def test_masks_through_models_equal_slices(backend):
    padded = np.zeros((1, 6, 4), "float32")
    padded[:, :3] = X[:1, :3]
    body = keras.Sequential([keras.Input((None, 4)), L.Dense(4), L.Activation("tanh")])
    head = keras.Sequential([keras.Input((None, 4)), L.Masking(0.0), L.Dense(4)])
    inputs = keras.Input((None, 4))
    for out in (
        L.LSTM(3)(body(L.Masking(0.0)(inputs))), L.LSTM(3)(head(inputs)),
        L.LSTM(3)(L.Add()([L.Masking(0.0)(inputs), body(L.Masking(0.0)(inputs))])),
        L.GlobalAveragePooling1D()(L.Concatenate()([L.Masking(0.0)(inputs), head(inputs)])),
    ):
        model = keras.Model(inputs, out)
        np.testing.assert_allclose(
            model.predict(padded, verbose=0), model.predict(padded[:, :3], verbose=0),
            rtol=1e-4, atol=1e-5,
        )
    assert get_mask(head(padded)) is not None
    ends = keras.Sequential([keras.Input((None, 4)), L.LSTM(2)])
    assert get_mask(ends(L.Masking(0.0)(padded))) is None


@pytest.mark.filterwarnings("error:.*drops the mask")
def test_masked_attention_and_loss(backend):
    padded = np.zeros((2, 4, 1), "float32")
    padded[0, :2] = padded[1, :3] = 1
    model = keras.Sequential([L.Masking(0.0), L.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    assert model.evaluate(padded, np.zeros((2, 4, 1)), verbose=0) == pytest.approx(1.0)
    x = np.zeros((1, 6, 4), "float32")
    x[:, :3] = X[:1, :3]
    attention = L.MultiHeadAttention(2, 3)
    q = L.Masking(0.0)(x)
    np.testing.assert_allclose(
        host(attention(q, q))[:, :3], host(attention(x[:, :3], x[:, :3])), rtol=1e-4, atol=1e-5
    )


def test_attention_tells_the_shape_of_its_scores_before_it_is_built():
    query, value = keras.KerasTensor((None, 3, 4)), keras.KerasTensor((None, 5, 4))
    for axes, shape in ((None, (None, 2, 3, 5)), ((1,), (None, 2, 3, 5))):
        layer = L.MultiHeadAttention(2, 3, attention_axes=axes)
        out, scores = layer.compute_output_spec(query, value, return_attention_scores=True)
        assert (out.shape, scores.shape) == ((None, 3, 4), shape)


def test_masks_as_arguments_and_computed(backend):
    got = []

    class Two(L.Layer):
        def call(self, a, b, a_mask=None, b_mask=None):
            got.append((a_mask is not None, b_mask is not None))
            return a

    class EveryOther(L.Layer):
        def call(self, x):
            return x[:, ::2]

        def compute_mask(self, x, mask=None):
            return None if mask is None else mask[:, ::2]

    Two()(masked(), masked())
    Two()(masked(), X)
    assert got == [(True, True), (True, False)]
    np.testing.assert_array_equal(host(get_mask(EveryOther()(masked()))), KEEPS[:, ::2])


def test_sequences_of_several_lengths_by_padding_and_masks(backend):
    sequences = [rng.standard_normal((n, 4)).astype("float32") for n in (2, 5, 3)]
    padded = keras.utils.pad_sequences(sequences, padding="post", dtype="float32")
    model = keras.Sequential([L.Masking(0.0), L.LSTM(3), L.Dense(1)])
    together = model.predict(padded, verbose=0)
    for row, alone in zip(together, sequences, strict=True):
        np.testing.assert_allclose(model.predict(alone[None], verbose=0)[0], row, rtol=1e-4, atol=1e-5)


# training -----------------------------------------------------------------------------------------


def test_training_reaches_layers_through_what_does_not_take_it(backend):
    seen = []
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, Seen(seen)(inputs))
    model = keras.Sequential([keras.Input((4,)), Around(Seen(seen)), inner, Seen(seen), L.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x = X[:, 0]
    for run, expected in (
        (lambda: model(x, training=True), True), (lambda: model(x, training=False), False),
        (lambda: model(x), None), (lambda: model.predict(x, verbose=0), False),
        (lambda: model.evaluate(x, Y, verbose=0), False),
    ):
        model.predict(x, verbose=0)
        seen.clear()
        run()
        assert seen and set(seen) == {expected}
    seen.clear()
    model.fit(x, Y, verbose=0)
    assert True in seen and seen[-3:] == [True] * 3


def test_training_given_to_an_inner_call_wins(backend):
    seen = []
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, Seen(seen)(inputs))
    outer = keras.Model(inputs, Seen(seen)(inner(Seen(seen)(inputs, training=True), training=False)))
    seen.clear()
    outer(X[:, 0], training=True)
    assert seen == [True, False, True]
    seen.clear()
    outer(X[:, 0], training=False)
    assert seen == [True, False, False]


def test_training_defaults_come_from_the_signature(backend):
    seen = []

    class ByDefault(L.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Around(Seen(seen))

        def call(self, x, training=True):
            return self.inner(x)

    layer = ByDefault()
    layer(X)
    seen.clear()
    layer(X)
    layer(X, training=False)
    Around(layer)(X)
    assert seen[:2] == [True, False] and seen[-1] is True


def test_frozen_normalization_runs_at_inference(backend):
    model = keras.Sequential([keras.Input((4,)), L.Dense(4), L.BatchNormalization(), L.Dense(1)])
    layer = model.layers[1]
    x = X[:, 0] * 5 + 3
    layer.trainable = False
    model.compile("sgd", "mse")
    before = layer.get_weights()
    model.fit(x, Y, epochs=2, verbose=0)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(host(layer(x, training=True)), host(layer(x, training=False)))
    layer.trainable = True
    model.compile("sgd", "mse")
    model.fit(x, Y, verbose=0)
    assert any((a != b).any() for a, b in zip(before, layer.get_weights(), strict=True))
    model.trainable = False
    assert not model.trainable_weights and len(model.non_trainable_weights) == 8
    assert all(not layer.trainable for layer in model.layers)


# Building and state -------------------------------------------------------------------------------


class FromTwo(L.Layer):
    def build(self, a_shape, b_shape):
        self.kernel = self.add_weight(shape=(a_shape[-1], b_shape[-1]))

    def call(self, a, b):
        return ops.matmul(ops.matmul(a, self.kernel), ops.transpose(b))


class FromDict(L.Layer):
    def build(self, shapes):
        self.gain = self.add_weight(shape=(shapes["a"][-1],))

    def call(self, x):
        return x["a"] * self.gain


@pytest.mark.parametrize(("make", "inputs"), [
    (lambda: L.Dense(3), (X[:, 0],)), (lambda: FromTwo(), (X[:, 0], X[:, 1, :3])),
    (lambda: FromDict(), ({"a": X[:, 0], "b": X},)), (lambda: L.LSTM(3), (X,)),
    (lambda: L.Bidirectional(L.GRU(2)), (X,)), (lambda: L.MultiHeadAttention(2, 2), (X, X)),
], ids=["Dense", "FromTwo", "FromDict", "LSTM", "Bidirectional", "MultiHeadAttention"])
def test_build_config_builds_a_twin(make, inputs):
    layer = make()
    out = layer(*inputs)
    build = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)["build_config"]))
    twin = layer.__class__.from_config(layer.get_config())
    assert not twin.built
    twin.build_from_config(build)
    assert twin.built and [w.shape for w in twin.weights] == [w.shape for w in layer.weights]
    twin.set_weights(layer.get_weights())
    np.testing.assert_allclose(host(twin(*inputs)), host(out), rtol=1e-5)


@pytest.mark.parametrize("kind", [L.LSTM, L.GRU, L.SimpleRNN])
def test_stateful_layers_go_on_train_and_reset(kind, backend):
    model = keras.Sequential([keras.Input(batch_shape=(8, 5, 4)), kind(3, stateful=True), L.Dense(1)])
    first = model.predict(X, batch_size=8, verbose=0)
    assert np.abs(model.predict(X, batch_size=8, verbose=0) - first).max() > 1e-4
    model.reset_states()
    np.testing.assert_allclose(model.predict(X, batch_size=8, verbose=0), first, rtol=1e-4, atol=1e-5)
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False)
    layer = kind(3, stateful=True, return_sequences=True)
    whole = host(layer(X))
    layer.reset_state()
    halves = [host(layer(X[:, :2])), host(layer(X[:, 2:]))]
    np.testing.assert_allclose(np.concatenate(halves, 1), whole, rtol=1e-4, atol=1e-5)


class Accumulate(L.Layer):
    """A cell as users write them."""

    state_size = 4

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4))

    def call(self, x, states, training=None):
        state = ops.tanh(ops.matmul(x, self.kernel)) + states[0]
        return state, [state]


def test_cells_of_users_in_all_that_runs_cells(backend):
    layer = L.RNN(Accumulate(), return_sequences=True, return_state=True)
    y, state = layer(X)
    expected = np.tanh(X @ layer.cell.kernel.numpy()).cumsum(1)
    np.testing.assert_allclose(host(y), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(host(state), expected[:, -1], rtol=1e-4, atol=1e-5)
    both = L.Bidirectional(L.RNN(Accumulate()))
    assert both(X).shape == (8, 8) and len(both.weights) == 2
    model = keras.Sequential([keras.Input((5, 4)), L.RNN([L.GRUCell(3), Accumulate()]), L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    copy.deepcopy(model).fit(X, Y, verbose=0)


def test_states_of_stacked_cells_come_and_go_in_their_structure(backend):
    layer = L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_state=True)
    y, *states = layer(X)
    assert [len(s) for s in states] == [2, 1]
    inputs = keras.Input((5, 4))
    spec = layer(inputs)
    assert [tuple(s.shape) for s in keras.tree.flatten(spec)] == [
        (None, 2), (None, 3), (None, 3), (None, 2)
    ]
    keras.tree.assert_same_structure(list(spec), [y, *states])
    out = keras.Model(inputs, spec)(X)
    np.testing.assert_allclose(host(out[1][1]), host(states[0][1]), rtol=1e-5)
    first, *middle = layer(X[:, :2])
    last, *_ = layer(X[:, 2:], initial_state=middle)
    np.testing.assert_allclose(host(last), host(y), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [L.LSTM, L.GRU, L.SimpleRNN])
def test_layers_of_several_sizes_in_turn(kind, backend):
    """What an engine compiled for one is not used for another."""
    for units, features, steps in ((3, 4, 5), (2, 4, 3), (4, 2, 5), (3, 3, 2)):
        x = X[:, :steps, :features]
        layer = kind(units)
        sequence = keras.layers.RNN(layer.cell)
        np.testing.assert_allclose(host(layer(x)), host(sequence(x)), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="3"):
        layer(X)


def test_a_state_that_is_read_and_assigned_in_one_step(backend):
    class Running(L.Layer):
        def build(self, shape):
            self.gain = self.add_weight(shape=(shape[-1],), initializer="ones")
            self.seen = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=False)

        def call(self, x):
            y = x * self.gain * self.seen
            self.seen.assign(self.seen * 0.5)
            return y

    model = keras.Sequential([keras.Input((4,)), Running(), L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X[:, 0], Y, batch_size=8, epochs=2, verbose=0)
    np.testing.assert_allclose(model.layers[0].seen.numpy(), 0.25)


def test_sequential_without_an_input_takes_other_sizes(backend):
    model = keras.Sequential([L.LSTM(3), L.Dense(1)])
    for steps in (5, 2, 4):
        assert model.predict(X[:, :steps], verbose=0).shape == (8, 1)
    with pytest.raises(ValueError, match="4"):
        model(X[..., :2])
    told = keras.Sequential([keras.Input((5, 4)), L.LSTM(3)])
    with pytest.raises(ValueError, match=r"\(None, 5, 4\)"):
        told.predict(X[:, :2], verbose=0)


def test_losses_of_nested_layers_are_those_of_the_last_call(backend):
    inner = keras.Sequential([
        keras.Input((4,)), L.Dense(3, kernel_regularizer="l2"), L.ActivityRegularization(0.1),
    ])
    model = keras.Sequential([inner, L.Dense(1, activity_regularizer="l1")])
    for _ in range(2):
        model(X[:, 0])
        assert len(model.losses) == 3
    twin = copy.deepcopy(model)
    twin(X[:, 0])
    assert len(twin.losses) == 3


def test_names_and_paths():
    keras.utils.clear_session()
    assert [L.Dense(1).name for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    model = keras.Sequential([keras.Input((2,)), L.Dense(1, name="x")], name="m")
    assert [w.path for w in model.weights] == ["m/x/kernel", "m/x/bias"]
    block = Around(L.Dense(2, name="inner"), name="block")
    block(X)
    assert [w.path for w in block.weights] == ["block/inner/kernel", "block/inner/bias"]


@pytest.mark.parametrize(("make", "inputs"), [
    (lambda: L.Dense(3), X[:, 0]), (lambda: L.EinsumDense("ab,bc->ac", 3), X[:, 0]),
    (lambda: L.Embedding(5, 4), np.array([[1, 2]])),
], ids=["Dense", "EinsumDense", "Embedding"])
def test_lora_begins_as_the_layer_and_is_copied(make, inputs, backend):
    layer = make()
    out = host(layer(inputs))
    others = len(layer.trainable_weights) - 1
    layer.enable_lora(2)
    assert len(layer.trainable_weights) == 2 + others
    np.testing.assert_allclose(host(layer(inputs)), out, atol=1e-6)
    np.testing.assert_allclose(host(copy.deepcopy(layer)(inputs)), out, atol=1e-6)


# Python on values ---------------------------------------------------------------------------------


class Decides(keras.Model):
    """An `if` and a `for` on the data."""

    def __init__(self):
        super().__init__()
        self.dense = L.Dense(1)

    def call(self, x):
        y = self.dense(x)
        if ops.sum(x) > 0:
            y = y * 2
        total = 0.0
        for row in x:
            total = total + float(row[0])
        return y + total


def test_python_decisions_on_values(backend):
    x = np.abs(X[:, 0])
    eager = backend in ("numpy", "torch")  # these always run what is written
    for options in ({"run_eagerly": True}, {})[: 2 if eager else 1]:
        model = Decides()
        model.compile("sgd", "mse", **options)
        model.fit(x, Y, verbose=0)
        model.evaluate(x, Y, verbose=0)
        out = model.predict(x, verbose=0)
        expected = 2 * host(model.dense(x)) + x[:, 0].sum()
        np.testing.assert_allclose(out, expected, rtol=1e-4)
        np.testing.assert_allclose(host(model(x)), expected, rtol=1e-4)
    inputs = keras.Input((4,))
    graph = keras.Model(inputs, Around(Decides())(inputs))
    assert graph.output_shape == (None, 1)


# Dtypes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_cells_and_layers_inside_keep_their_own_policy(policy, backend):
    for layer in (
        L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_sequences=True, return_state=True, dtype=policy),
        L.RNN(L.SimpleRNNCell(3, dtype="float32"), dtype=policy),
        L.Bidirectional(L.LSTM(3), dtype=policy), L.TimeDistributed(L.Dense(2), dtype=policy),
        L.Bidirectional(L.GRU(3, dtype=policy)), L.SpectralNormalization(L.Dense(2, dtype=policy)),
    ):
        spec = layer.__class__.from_config(layer.get_config())(keras.Input((5, 4)))
        out = layer(X)
        for s, y in zip(keras.tree.flatten(spec), keras.tree.flatten(out), strict=True):
            if not (backend == "jax" and s.dtype == "float64"):
                assert s.dtype == backends.active.dtype_of(y)
            assert s.shape[1:] == tuple(y.shape[1:])


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_lora_in_convolutions(backend, dtype, tmp_path):
    """Only the update and the bias learn; files have the kernel with the update in it."""
    layer = keras.layers.Conv2D(4, 3, groups=2, padding="same", dtype=dtype)
    model = keras.Sequential([keras.Input((5, 5, 6)), layer, keras.layers.GlobalMaxPooling2D()])
    kernel = layer.get_weights()[0]
    layer.enable_lora(2, lora_alpha=6, b_initializer="ones")
    assert [tuple(v.shape) for v in layer.trainable_variables] == [(4,), (3, 3, 3, 2), (2, 4)]
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    x = np.random.default_rng(0).normal(size=(4, 5, 5, 6)).astype("float32")
    model.fit(x, np.zeros((4, 4)), verbose=0)
    assert np.array_equal(layer._kernel.numpy(), kernel)
    a, b = layer.lora_kernel_a.numpy(), layer.lora_kernel_b.numpy()
    merged = kernel + 3 * a @ b
    plain = keras.layers.Conv2D(4, 3, groups=2, padding="same", dtype=dtype)
    plain.build((None, 5, 5, 6))
    plain.set_weights([merged, layer.bias.numpy()])
    error = 1e-5 if dtype == "float32" else 0.3  # of values up to 50
    near = {"rtol": error, "atol": error}
    outputs = [keras.ops.convert_to_numpy(keras.ops.cast(f(x), "float32")) for f in (layer, plain)]
    np.testing.assert_allclose(*outputs, **near)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.layers[0].lora_enabled and again.layers[0].lora_rank == 2
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), **near)
    np.testing.assert_allclose(again.layers[0]._kernel.numpy(), merged, rtol=1e-5, atol=1e-6)
    assert "lora_rank" not in plain.get_config()


def test_configs_of_layers_that_write_none(backend):
    class Scaled(L.Layer):
        def __init__(self, units, activation="relu", *rest, name=None, **kwargs):
            super().__init__(name=name, **kwargs)

    config = Scaled(3, trainable=False).get_config()
    assert (config["units"], config["activation"], config["trainable"]) == (3, "relu", False)
    assert config["name"].startswith("scaled")
    assert Scaled.from_config(config).name == config["name"]
    with pytest.raises(NotImplementedError, match=r"\*rest.*get_config"):
        Scaled(3, "relu", 4).get_config()


def test_axes_are_normalized_in_their_order_however_they_are_given(backend):
    a = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    for kind in (keras.layers.LayerNormalization, keras.layers.RMSNormalization):
        layers = [kind(axis=axis) for axis in ([1, 2], (2, 1), [-1, -2])]
        outputs = [layer(a) for layer in layers]
        assert [tuple(w.shape) for layer in layers for w in layer.weights] == (
            [(3, 4)] * sum(len(layer.weights) for layer in layers)
        )
        for y in outputs:
            np.testing.assert_allclose(host(y), host(outputs[0]), rtol=1e-5)


def test_rms_scaling_of_layer_normalization_learns_a_scale_and_is_kept(backend):
    layer = keras.layers.LayerNormalization(rms_scaling=True, scale=False)
    layer.build((None, 4))
    assert [w.name for w in layer.weights] == ["gamma"]
    assert keras.layers.LayerNormalization.from_config(layer.get_config()).rms_scaling


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM", "ConvLSTM1D"])
def test_a_recurrent_layer_made_frozen_has_frozen_weights(kind, backend):
    size = (2,) if kind == "ConvLSTM1D" else ()
    layer = getattr(keras.layers, kind)(3, *size, trainable=False)
    layer.build((None, 4, 5, 2) if size else (None, 4, 2))
    assert not any(w.trainable for w in layer.weights)
    layer.trainable = True
    assert len(layer.trainable_weights) == len(layer.weights) == 3


def test_states_of_a_wrong_number_are_told(backend):
    a, state = np.ones((2, 4, 3), "float32"), np.ones((2, 5), "float32")
    for layer, states in ((keras.layers.LSTM(5), [state]), (keras.layers.LSTM(5), [state] * 3),
                          (keras.layers.GRU(5), [state] * 2)):
        with pytest.raises(ValueError, match=f"{layer.name}.*initial_state of {len(states)}"):
            layer(a, initial_state=states)


GIVEN = np.array([[True, True, False, False], [True, False, True, True]])


@pytest.mark.parametrize("make", [
    lambda: keras.layers.GRU(3, return_sequences=True),
    lambda: keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True)),
    lambda: keras.layers.BatchNormalization(),
    lambda: keras.layers.TimeDistributed(keras.layers.Dense(2)),
    lambda: keras.Sequential([keras.layers.GRU(3, return_sequences=True)]),
])  # fmt: skip
def test_a_mask_that_is_given_goes_on_with_the_output(make, backend):
    a = ops.convert_to_tensor(np.ones((2, 4, 3), "float32"))
    assert host(get_mask(make()(a, mask=ops.convert_to_tensor(GIVEN)))).tolist() == GIVEN.tolist()
    assert get_mask(a) is None
    x, mask = keras.Input((4, 3)), keras.Input((4,), dtype="bool")
    hidden = keras.layers.SimpleRNN(5, return_sequences=True)(x, mask=mask)
    model = keras.Model([x, mask], keras.layers.GlobalAveragePooling1D()(hidden))
    steps = keras.Model([x, mask], hidden)([a, GIVEN])
    expected = (host(steps) * GIVEN[..., None]).sum(1) / GIVEN.sum(1)[:, None]
    np.testing.assert_allclose(host(model([a, GIVEN])), expected, rtol=1e-5)


def test_a_model_heeds_the_mask_that_it_is_given(backend):
    a = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    x = keras.Input((4, 3))
    layer = keras.layers.GRU(3)
    for model in (keras.Model(x, layer(x)), keras.Sequential([layer])):
        np.testing.assert_allclose(
            host(model(a, mask=GIVEN)), host(layer(a, mask=GIVEN)), rtol=1e-5
        )
    steps = keras.layers.TimeDistributed(model)(a[None], mask=ops.convert_to_tensor(GIVEN[None]))
    np.testing.assert_allclose(host(steps)[0], host(layer(a, mask=GIVEN)), rtol=1e-5)


def test_a_subclass_of_multi_head_attention_computes_by_its_parts(backend):
    class Additive(L.MultiHeadAttention):
        def call(self, stream, bias, stream_mask=None):
            q, k, v = (dense(stream) for dense in (
                self._query_dense, self._key_dense, self._value_dense
            ))  # fmt: skip
            scores = keras.ops.einsum(self._dot_product_equation, k, q) / self._key_dim**0.5
            weights = self._masked_softmax(scores + bias, stream_mask)
            return self._output_dense(keras.ops.einsum(self._combine_equation, weights, v))

    layer = Additive(2, 4, kernel_initializer="he_normal")
    x = np.random.default_rng(0).standard_normal((2, 5, 6)).astype("float32")
    layer.build(x.shape, x.shape)
    plain = L.MultiHeadAttention(2, 4)
    plain(x, x)
    plain.set_weights(layer.get_weights())
    mask = np.tril(np.ones((1, 5, 5), bool))
    np.testing.assert_allclose(
        host(layer(x, 0.0, mask)), host(plain(x, x, attention_mask=mask)), atol=1e-5
    )
    assert layer._kernel_initializer.get_config() == layer.kernel_initializer.get_config()


def test_layers_that_read_their_own_variables_by_keras_names(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Turned(L.Layer):
        part = L.Dense  # a class of layers is no layer

        def build(self, shape):
            self.part = L.Dense
            self.count = self.add_weight(shape=(), trainable=False, initializer="ones")
            self.gain = self.add_weight(shape=(2,), initializer="ones")

        def call(self, x):
            return x * self.gain + self.count

        def load_own_variables(self, store):
            for i, v in enumerate(self._trainable_variables + self._non_trainable_variables):
                v.assign(store[str(i)])

    model = keras.Sequential([keras.Input((2,)), Turned()])
    model.set_weights([np.array([3.0, 4.0]), np.array(5.0)])
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(host(again(np.ones((1, 2)))), [[8.0, 9.0]])
