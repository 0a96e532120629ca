"""Small programs as people write them; what is expected is worked out by hand."""

import itertools

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops

L = keras.layers
rng = np.random.default_rng(0)
X = rng.standard_normal((40, 5)).astype("float32")
Y = X.sum(1, keepdims=True)


def linear():
    model = keras.Sequential([keras.Input((5,)), L.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def two_outputs():
    """A number by zeros and a class of three, all equally likely."""
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    x = L.Concatenate()([a, b])
    price = L.Dense(1, kernel_initializer="zeros", name="price")(x)
    kind = L.Dense(3, kernel_initializer="zeros", activation="softmax", name="kind")(x)
    return keras.Model({"a": a, "b": b}, {"price": price, "kind": kind})


def test_dicts_of_inputs_outputs_losses_weights_and_metrics(backend):
    model = two_outputs()
    model.compile(
        "sgd",
        loss={"price": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"price": 0.5, "kind": 2.0},
        metrics={"price": ["mae"], "kind": ["accuracy"]},
        weighted_metrics={"kind": [keras.metrics.SparseCategoricalCrossentropy(name="nats")]},
    )
    x = {"a": X, "b": -X}
    y = {"price": Y, "kind": np.zeros(40, "int64")}
    square, nats = float(np.mean(Y**2)), float(np.log(3))
    expected = {
        "loss": square / 2 + 2 * nats, "price_loss": square, "kind_loss": nats,
        "kind_accuracy": 1.0, "kind_nats": nats, "price_mae": float(np.mean(np.abs(Y))),
    }
    named = model.evaluate(x, y, verbose=0, return_dict=True)
    assert named == pytest.approx(expected, rel=1e-4)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(list(expected.values()), rel=1e-4)
    history = model.fit(x, y, verbose=0, validation_data=(x, y)).history
    assert set(history) == {*expected, *(f"val_{name}" for name in expected)}
    assert set(model.predict(x, verbose=0)) == {"price", "kind"}


def test_layers_are_listed_from_the_farthest_to_the_outputs(backend):
    """As Keras lists them: the order of weights in its files."""
    number, words = keras.Input((4,), name="number"), keras.Input((6,), name="words")
    x = L.Dense(4, name="embed")(words)
    x = L.Concatenate(name="join")([number, L.Dense(4, name="mean")(x)])
    model = keras.Model(
        [number, words], {"second": L.Dense(1, name="b")(x), "first": L.Dense(1, name="a")(x)}
    )
    assert [layer.name for layer in model.layers] == [
        "words", "embed", "number", "mean", "join", "a", "b"
    ]


def test_penalty_of_activities_is_a_mean_over_samples(backend):
    model = keras.Sequential([
        keras.Input((5,)), L.Dense(2, kernel_initializer="ones", activity_regularizer="l2"),
        L.Dense(1, kernel_initializer="zeros"),
    ])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    expected = float(np.mean(Y**2) + 0.01 * np.mean(2 * Y**2))
    for size in (8, 40):
        assert model.evaluate(X, Y, batch_size=size, verbose=0) == pytest.approx(expected, rel=1e-4)
        loss = model.fit(X, Y, batch_size=size, verbose=0).history["loss"][0]
        assert loss == pytest.approx(expected, rel=1e-4)


def test_metrics_leave_masked_steps_out_in_fit_and_evaluate(backend):
    x = np.ones((4, 6, 1), "float32")
    x[:, 4:] = 0
    y = np.concatenate([np.full((4, 4, 1), 3.0), np.full((4, 2, 1), 50.0)], 1).astype("float32")
    model = keras.Sequential([
        keras.Input((6, 1)), L.Masking(), L.TimeDistributed(L.Dense(1, kernel_initializer="ones")),
    ])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"], weighted_metrics=["mse"])
    history = model.fit(x, y, verbose=0).history
    assert {k: v[0] for k, v in history.items()} == pytest.approx({"loss": 4, "mae": 2, "mse": 4})
    assert model.evaluate(x, y, verbose=0) == pytest.approx([4, 2, 4])


def test_masked_steps_repeat_the_last_output(backend):
    x = rng.standard_normal((2, 6, 3)).astype("float32")
    x[:, 4:] = 0
    model = keras.Sequential([
        keras.Input((6, 3)), L.Masking(), L.LSTM(2, return_sequences=True),
        L.TimeDistributed(L.Dense(2)),
    ])
    y = model.predict(x, verbose=0)
    np.testing.assert_allclose(y[:, 4:], y[:, 3:4].repeat(2, 1), rtol=1e-5)
    assert np.abs(y[:, 3] - y[:, 2]).max() > 1e-4


@keras.saving.register_keras_serializable("programs")
class Nested(keras.Model):
    """Layers in lists in dicts in lists."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [L.Dense(3, name="first"), [L.Dense(3), {"inner": L.Dense(3)}]]
        self.heads = {"a": L.Dense(1), "b": [L.Dense(1), L.Dense(1)], "none": []}
        self.zoom = L.Dense(1)

    def call(self, x):
        for block in (self.blocks[0], self.blocks[1][0], self.blocks[1][1]["inner"]):
            x = ops.tanh(block(x))
        a, (b, c) = self.heads["a"], self.heads["b"]
        return a(x) + b(x) * c(x) + self.zoom(x)


@pytest.mark.parametrize("file", ["whole.keras", "only.weights.h5"])
def test_layers_in_nested_containers_are_trained_and_saved(backend, tmp_path, file):
    model = Nested()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    assert len(model.trainable_variables) == 14
    for i, v in enumerate(model.weights):
        v.assign(np.full(v.shape, 0.1 * i - 0.5, "float32"))
    if file.endswith(".keras"):
        model.save(tmp_path / file)
        again = keras.saving.load_model(tmp_path / file)
    else:
        model.save_weights(tmp_path / file)
        again = Nested()
        again(X[:1])
        again.load_weights(tmp_path / file)
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5)


def test_files_name_nested_layers_as_keras_does(tmp_path):
    h5py = pytest.importorskip("h5py")
    with keras.config.backend_scope("numpy"):
        model = Nested()
        model(X[:1])
        model.save_weights(tmp_path / "w.weights.h5")
    kernels = []
    with h5py.File(tmp_path / "w.weights.h5") as file:
        file.visit(lambda name: kernels.append(name) if name.endswith("vars/0") else None)
    assert sorted(kernels) == [
        "blocks/container/container/dense/vars/0", "blocks/container/dense/vars/0",
        "blocks/dense/vars/0", "heads/container/dense/vars/0", "heads/container/dense_1/vars/0",
        "heads/dense/vars/0", "layers/dense_6/vars/0",
    ]


def test_callbacks_that_watch_and_write(backend, tmp_path):
    """The best epoch is kept; the rate falls; each epoch is a row."""
    rates = []

    class Rates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(float(ops.convert_to_numpy(self.model.optimizer.learning_rate)))

    model = linear()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    history = model.fit(
        X, 2 * Y, epochs=4, verbose=0, validation_data=(X, 2 * Y),
        callbacks=[
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
            keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            Rates(),
        ],
    ).history
    assert rates == pytest.approx([0.05, 0.025, 0.0125, 0.00625])
    rows = (tmp_path / "log.csv").read_text().split()
    assert rows[0].startswith("epoch,") and len(rows) == 5
    best = keras.saving.load_model(tmp_path / "best.keras")
    found = best.evaluate(X, 2 * Y, verbose=0)
    assert found == pytest.approx(min(history["val_loss"]), rel=1e-4)


class Halves(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return X[20 * i : 20 * i + 20], Y[20 * i : 20 * i + 20], np.full(20, 2.0, "float32")


def endless():
    while True:
        yield from ((X[i : i + 20], Y[i : i + 20]) for i in (0, 20))


def test_every_kind_of_data_trains_alike(backend):
    """SGD on the same two batches ends at the same weights, whatever brings them."""
    sources = {"generator": (endless(), {"steps_per_epoch": 2}), "PyDataset": (Halves(), {})}
    try:
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        pairs = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
        sources["DataLoader"] = DataLoader(pairs, batch_size=20), {}
    except ImportError:
        pass
    try:
        import tensorflow as tf

        sources["tf.data"] = tf.data.Dataset.from_tensor_slices((X, Y)).batch(20), {}
    except ImportError:
        pass
    kernel = np.ones((5, 1)) * 0.5
    for i in (0, 20):  # two steps of gradient descent by hand
        x, y = X[i : i + 20], Y[i : i + 20]
        kernel = kernel - 0.05 * 2 * x.T @ (x @ kernel - y) / 20
    for name, (source, options) in sources.items():
        model = keras.Sequential([keras.Input((5,)), L.Dense(1, use_bias=False)])
        model.set_weights([np.full((5, 1), 0.5, "float32")])
        rate = 0.05 / 2 if name == "PyDataset" else 0.05  # its weights double the loss
        model.compile(keras.optimizers.SGD(rate), "mse")
        model.fit(source, verbose=0, shuffle=False, **options)
        np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, err_msg=name)


def test_siamese_networks_share_and_features_come_out(backend):
    base = keras.Sequential([keras.Input((5,)), L.Dense(4, activation="relu"), L.Dense(2)])
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    gap = L.Lambda(lambda t: ops.sum(ops.square(t[0] - t[1]), -1, keepdims=True))(
        [base(a), base(b)]
    )
    model = keras.Model([a, b], gap)
    assert len(model.weights) == 4
    assert model.predict([X, X], verbose=0) == pytest.approx(0.0)
    swapped = model.predict({"b": X, "a": -X}, verbose=0)
    np.testing.assert_allclose(model.predict([X, -X], verbose=0), swapped, rtol=1e-4)
    features = keras.Model(base.inputs, base.layers[0].output).predict(X, verbose=0)
    kernel, bias = base.layers[0].get_weights()
    np.testing.assert_allclose(features, np.maximum(X @ kernel + bias, 0), rtol=1e-4, atol=1e-5)


def test_two_networks_two_optimizers_in_a_step_of_ones_own(backend):
    class Pair(keras.Model):
        def __init__(self):
            super().__init__()
            self.one = L.Dense(1, kernel_initializer="zeros", use_bias=False)
            self.two = L.Dense(1, kernel_initializer="zeros", use_bias=False)
            self.fast, self.slow = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.01)

        def call(self, x):
            return self.one(x) + self.two(x)

        def train_step(self, data):
            x, y = data
            for layer, optimizer in ((self.one, self.fast), (self.two, self.slow)):
                weights = layer.trainable_variables
                loss, grads = keras.value_and_grad(
                    lambda: ops.mean(ops.square(y - self(x))), weights
                )
                optimizer.apply(grads, weights)
            return {"loss": loss}

    model = Pair()
    model.compile()
    model.fit(X, Y, batch_size=40, verbose=0)
    one = 0.1 * 2 * X.T @ Y / 40
    two = 0.01 * 2 * X.T @ (Y - X @ one) / 40
    np.testing.assert_allclose(model.one.get_weights()[0], one, rtol=1e-3)
    np.testing.assert_allclose(model.two.get_weights()[0], two, rtol=1e-3)


def test_metrics_in_the_place_of_loss_weights(backend):
    model = linear()
    model.compile("sgd", "mse", ["mae"])
    with pytest.raises(ValueError, match="metrics=") as error:
        model.fit(X, Y, verbose=0)
    assert "loss_weights" in str(error.value)


def test_losses_of_layers_that_are_no_scalars_are_summed(backend):
    class Penalty(L.Layer):
        def call(self, x):
            self.add_loss(ops.square(x))
            return x

    model = keras.Sequential([
        keras.Input((5,)), Penalty(), L.Dense(1, kernel_initializer="zeros"),
    ])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    expected = float(np.mean(Y**2) + np.sum(X**2))
    assert model.evaluate(X, Y, batch_size=40, verbose=0) == pytest.approx(expected, rel=1e-4)
    loss = model.fit(X, Y, batch_size=40, verbose=0).history["loss"]
    assert loss == pytest.approx([expected], rel=1e-4)


def test_a_generator_that_ends_ends_the_training(backend):
    model = linear()
    batches = ((X[i : i + 20], Y[i : i + 20]) for i in (0, 20))
    with pytest.warns(UserWarning, match="ended after 1 epochs"):
        history = model.fit(batches, epochs=3, verbose=0)
    assert history.epoch == [0]


class Endless:
    """Batches 0, 1, 2, ... of ones times the number, from anew for each iterator."""

    def __iter__(self):
        for i in itertools.count():
            yield np.full((2, 5), i, "float32"), np.zeros((2, 1), "float32")


def test_shorter_epochs_go_on_in_the_same_data(backend):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    history = model.fit(Endless(), epochs=3, steps_per_epoch=2, verbose=0).history
    np.testing.assert_allclose(history["loss"], [2.5, 12.5, 22.5], rtol=1e-5)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_targets_that_were_forgotten(method):
    with pytest.raises(ValueError, match="got no targets"):
        getattr(linear(), method)(X)


@pytest.mark.parametrize("fraction", [1.0, 1.5, -0.5])
def test_parts_for_validation_lie_between_0_and_1(fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        linear().fit(X, Y, validation_split=fraction, verbose=0)


@pytest.mark.parametrize("loss", ["x", lambda: 1.0, None])
def test_losses_that_are_no_tensors(loss):
    with pytest.raises(ValueError, match="add_loss takes a tensor"):
        keras.layers.Dense(1).add_loss(loss)


def test_schedules_set_on_a_model_that_has_trained(backend):
    model = linear()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(X, 2 * Y, batch_size=40, verbose=0)
    for rate in (0.1, 0.2):
        before = model.get_weights()[0]
        step = rate * 2 * X.T @ (2 * Y - X @ before - model.get_weights()[1]) / 40
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([100], [rate, 0.0])
        model.optimizer.learning_rate = schedule
        model.fit(X, 2 * Y, batch_size=40, verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], before + step, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("how", ["int4", "lora"])
def test_predict_follows_layers_that_become_others(backend, how):
    inner = linear()
    x = keras.Input((5,))
    model = keras.Model(x, inner(x))
    dense = inner.layers[0]
    dense.kernel.assign(np.linspace(-1.7, 2.3, 5, dtype="float32")[:, None])
    before = model.predict(X, verbose=0)
    if how == "lora":
        dense.enable_lora(1, a_initializer="ones", b_initializer="ones")
        expected = before + X.sum(1, keepdims=True)
    else:
        dense.quantize(how)
        expected = ops.convert_to_numpy(model(X))
        assert np.abs(expected - before).max() > 1e-3
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
