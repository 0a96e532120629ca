"""`fit`, `evaluate`, `predict` and their kin, on every backend."""

import io

import numpy as np
import pytest

import kerasish as keras
from kerasish import config, ops

L = keras.layers
rng = np.random.default_rng(0)
X = rng.standard_normal((80, 5)).astype("float32")
Y = (X @ rng.standard_normal((5, 1))).astype("float32")
C = (X.sum(1) > 0).astype("int64")


def regressor(**compile_options):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((5,)), L.Dense(8, activation="tanh"), L.Dense(1)])
    model.compile(**{"optimizer": keras.optimizers.Adam(0.02), "loss": "mse", **compile_options})
    return model


def test_learns(backend):
    model = regressor(metrics=["mae"])
    history = model.fit(X, Y, epochs=8, verbose=0, validation_split=0.2)
    assert history.history["loss"][-1] < 0.7 * history.history["loss"][0]
    assert set(history.history) == {"loss", "mae", "val_loss", "val_mae"}
    assert history.epoch == list(range(8))


def test_evaluate_is_the_mean_over_all_samples(backend):
    model = regressor(metrics=["mae"])
    predicted = model.predict(X, batch_size=7, verbose=0)
    loss, mae = model.evaluate(X, Y, batch_size=32, verbose=0)
    np.testing.assert_allclose(loss, np.mean((predicted - Y) ** 2), rtol=1e-4)
    np.testing.assert_allclose(mae, np.mean(np.abs(predicted - Y)), rtol=1e-4)
    named = model.evaluate(X, Y, batch_size=16, verbose=0, return_dict=True)
    np.testing.assert_allclose([named["loss"], named["mae"]], [loss, mae], rtol=1e-5)


def test_gradient_step_is_the_closed_form(backend):
    """One SGD step of a linear model is w - lr * 2 X'(Xw - y) / n."""
    model = keras.Sequential([keras.Input((5,)), L.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    w = model.get_weights()[0]
    model.train_on_batch(X, Y)
    expected = w - 0.1 * 2 * X.T @ (X @ w - Y) / len(X)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4, atol=1e-6)


def test_sample_and_class_weights(backend):
    weights = rng.uniform(0.1, 2, len(X)).astype("float32")
    model = regressor()
    predicted = model.predict(X, verbose=0)
    loss = model.evaluate(X, Y, sample_weight=weights, batch_size=80, verbose=0)
    np.testing.assert_allclose(loss, np.mean(weights[:, None] * (predicted - Y) ** 2), rtol=1e-4)
    by_class, by_sample = [], []
    for options, found in (
        ({"class_weight": {0: 0.5, 1: 2.0}}, by_class),
        ({"sample_weight": np.where(C == 1, 2.0, 0.5)}, by_sample),
    ):
        keras.utils.set_random_seed(4)
        model = keras.Sequential([keras.Input((5,)), L.Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        found.append(model.fit(X, C, epochs=2, verbose=0, **options).history["loss"])
    np.testing.assert_allclose(by_class, by_sample, rtol=1e-5)


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_every_sample_is_seen_once(backend, shuffle):
    class Count(keras.Model):
        def __init__(self):
            super().__init__()
            self.total = keras.metrics.Sum(name="total")

        def train_step(self, data):
            x, y = data
            self.total.update_state(x)
            return {"total": self.total.result()}

    model = Count()
    model.compile()
    x = np.arange(45, dtype="float32")[:, None]
    history = model.fit(x, x, batch_size=8, epochs=2, shuffle=shuffle, verbose=0)
    assert history.history["total"] == [x.sum()] * 2


def test_generators_and_loaders(backend):
    def batches():
        while True:
            yield X[:16], Y[:16]

    model = regressor()
    history = model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0,
                        validation_data=batches(), validation_steps=2)
    assert len(history.history["val_loss"]) == 2
    listed = [(X[:16], Y[:16]), (X[16:20], Y[16:20])]

    class Source:
        def __iter__(self):
            return iter(listed)

    assert model.evaluate(Source(), verbose=0) == pytest.approx(
        model.evaluate(X[:20], Y[:20], verbose=0), rel=1e-4
    )


def test_torch_loader_and_tf_data(backend):
    torch = pytest.importorskip("torch")
    tf = pytest.importorskip("tensorflow")
    model = regressor()
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), batch_size=20
    )
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(20)
    expected = model.evaluate(X, Y, batch_size=20, verbose=0)
    for source in (loader, data):
        assert model.evaluate(source, verbose=0) == pytest.approx(expected, rel=1e-5)
    for source in (loader, data):
        assert len(model.fit(source, epochs=1, verbose=0).history["loss"]) == 1


def test_several_inputs_and_outputs(backend):
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    shared = L.Dense(4, activation="relu")
    merged = L.Concatenate()([shared(a), shared(b)])
    model = keras.Model([a, b], {"value": L.Dense(1)(merged), "kind": L.Dense(2)(merged)})
    model.compile(
        "adam",
        {"value": "mse", "kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        loss_weights={"value": 0.5}, metrics={"kind": "accuracy"},
    )
    y = {"value": Y, "kind": C}
    history = model.fit([X, X], y, epochs=1, verbose=0).history
    assert {"loss", "value_loss", "kind_loss", "kind_accuracy"} == set(history)
    logs = model.evaluate({"a": X, "b": X}, y, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(0.5 * logs["value_loss"] + logs["kind_loss"], rel=1e-4)
    assert {k: v.shape for k, v in model.predict([X, X], verbose=0).items()} == {
        "value": (80, 1), "kind": (80, 2)
    }


def test_custom_step_written_once(backend):
    """A variational auto-encoder whose step knows no engine."""

    class VAE(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = keras.Sequential([L.Dense(8, activation="relu"), L.Dense(4)])
            self.decoder = keras.Sequential([L.Dense(8, activation="relu"), L.Dense(5)])
            self.seeds = keras.random.SeedGenerator(7)
            self.tracker = keras.metrics.Mean(name="loss")

        def call(self, x):
            return self.decoder(self.encoder(x)[:, :2])

        def train_step(self, x):
            def loss():
                mean, log_variance = ops.split(self.encoder(x), 2, axis=-1)
                noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
                z = mean + ops.exp(0.5 * log_variance) * noise
                reconstruction = ops.mean(ops.square(self.decoder(z) - x))
                divergence = -0.5 * ops.mean(
                    1 + log_variance - ops.square(mean) - ops.exp(log_variance)
                )
                return reconstruction + 0.01 * divergence

            value, grads = keras.value_and_grad(loss, self.trainable_variables)
            self.optimizer.apply(grads, self.trainable_variables)
            self.tracker.update_state(value)
            return {"loss": self.tracker.result()}

    keras.utils.set_random_seed(0)
    model = VAE()
    model.compile(keras.optimizers.Adam(0.01))
    losses = model.fit(X, epochs=10, batch_size=20, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


def test_plain_numpy_in_a_layer_is_differentiated():
    class Swish(L.Layer):
        def build(self, input_shape):
            self.beta = self.add_weight(shape=(input_shape[-1],), initializer="ones")

        def call(self, x):
            return x / (1 + np.exp(-self.beta * x))

    model = keras.Sequential([keras.Input((5,)), Swish(), L.Dense(1)])
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_early_stopping_restores(backend):
    model = regressor(optimizer=keras.optimizers.SGD(0.0))
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=2, restore_best_weights=True)
    history = model.fit(X, Y, epochs=20, verbose=0, callbacks=[stop])
    assert len(history.epoch) == 3 and stop.stopped_epoch == 2


def test_callbacks_are_called_in_order():
    calls = []

    class Spy(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            calls.append("train_begin")

        def on_epoch_begin(self, epoch, logs=None):
            calls.append(f"epoch_begin {epoch}")

        def on_train_batch_end(self, batch, logs=None):
            calls.append(f"batch_end {batch} {sorted(logs)}")

        def on_epoch_end(self, epoch, logs=None):
            calls.append(f"epoch_end {epoch}")

        def on_train_end(self, logs=None):
            calls.append("train_end")

    regressor().fit(X, Y, batch_size=40, epochs=1, verbose=0, callbacks=Spy())
    assert calls == ["train_begin", "epoch_begin 0", "batch_end 0 ['loss']", "batch_end 1 ['loss']",
                     "epoch_end 0", "train_end"]


def test_metric_reset_between_epochs(backend):
    model = regressor(optimizer=keras.optimizers.SGD(0.0))
    losses = model.fit(X, Y, epochs=3, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)


def test_run_eagerly_gives_the_same(backend):
    losses = [
        regressor(run_eagerly=eager).fit(X, Y, epochs=2, verbose=0).history["loss"]
        for eager in (False, True)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_frozen_layers_stay(backend):
    model = regressor()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(X, Y, epochs=1, verbose=0)
    after = model.get_weights()
    assert (before[0] == after[0]).all() and (before[2] != after[2]).any()


def test_progress_in_a_log_file(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    regressor().fit(X, Y, epochs=2, verbose=1)
    lines = out.getvalue().splitlines()
    assert "\r" not in out.getvalue() and "\x08" not in out.getvalue()
    assert [line.split()[0] for line in lines] == ["Epoch", "3/3", "Epoch", "3/3"]
    assert "loss: " in lines[1]


def test_progress_in_a_terminal(monkeypatch):
    out = io.StringIO()
    out.isatty = lambda: True
    monkeypatch.setattr("sys.stdout", out)
    regressor().fit(X, Y, epochs=1, verbose=1)
    last = out.getvalue().split("\r")[-1]
    assert last.startswith("3/3") and "━" * 20 in last and last.endswith("\n")


def test_predict_of_one_sample_and_structures(backend):
    model = regressor()
    assert model.predict(X[:1], verbose=0).shape == (1, 1)
    np.testing.assert_allclose(
        model.predict_on_batch(X[:3]), ops.convert_to_numpy(model(X[:3])), rtol=1e-5
    )


def test_predict_takes_columns_and_vectors_in_turn(backend):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    column = np.arange(4, dtype="float32")[:, None]
    expected = model.predict(column, verbose=0)
    np.testing.assert_allclose(model.predict(column[:, 0], verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(model.predict(column[:3], verbose=0), expected[:3], rtol=1e-6)


def test_many_steps_in_one_dispatch_change_nothing(backend, monkeypatch):
    """Small steps may run in a loop inside the engine; the last, partial batch does not fit in."""
    from kerasish.training import trainer

    n = 3 * 128 + 5
    x = {"a": rng.random((n, 3)), "b": rng.integers(0, 9, (n, 2))}
    y = (x["a"].sum(1) > 1.5).astype("int64")

    def train(room):
        monkeypatch.setattr(trainer, "LOOPED_BYTES", room)
        keras.utils.set_random_seed(7)
        a, b = keras.Input((3,), name="a"), keras.Input((2,), dtype="int64", name="b")
        h = L.Concatenate()([a, L.Flatten()(L.Embedding(9, 4)(b))])
        h = L.BatchNormalization()(L.Dropout(0.2)(L.Dense(8, activation="relu")(h)))
        model = keras.Model({"a": a, "b": b}, L.Dense(1, activation="sigmoid")(h))
        schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 50, 0.9)
        model.compile(keras.optimizers.Adam(schedule), "binary_crossentropy", metrics=["accuracy"])
        history = model.fit(
            x, y[:, None], batch_size=8, epochs=4, class_weight={0: 2.0, 1: 1.0}, verbose=0,
            sample_weight=np.linspace(0.5, 1.5, n),
        )
        return history.history, model.get_weights()

    (one, weights), (many, others) = train(0), train(2**24)
    for name in one:
        np.testing.assert_allclose(many[name], one[name], rtol=2e-3)
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-3)


def test_steps_per_execution_groups_the_callbacks_of_batches(backend):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)

    model = keras.Sequential([L.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=4)
    x = np.ones((80, 2), "float32")
    model.fit(x, x[:, :1], batch_size=8, verbose=0, callbacks=[Watch()])
    assert seen == [3, 7, 9]
    assert int(model.optimizer.iterations.numpy()) == 10


@pytest.mark.parametrize("size, steps, seen", [
    (6, 2, [0.5, 2.5, 4.5, 0.5]),
    (5, 2, [0.5, 2.5, 4.0, 0.5]),  # the third epoch is short
    (3, 4, [1.0, 1.0, 1.0, 1.0]),
])
def test_epochs_shorter_than_the_data_go_on_where_one_ended(backend, size, steps, seen):
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    x, y = np.ones((size, 1), "float32"), np.arange(size, dtype="float32")[:, None]
    short = size % steps != 0

    def fit():
        return model.fit(
            x, y, batch_size=1, steps_per_epoch=steps, epochs=4, shuffle=False, verbose=0,
            validation_data=(x, y), validation_steps=2, validation_batch_size=1,
        ).history

    if short:
        with pytest.warns(UserWarning, match=f"of {steps} steps"):
            logs = fit()
    else:
        logs = fit()
    np.testing.assert_allclose(logs["loss"], seen, rtol=1e-6)
    np.testing.assert_allclose(logs["val_loss"], [0.5] * 4, rtol=1e-6)


class Pairs(keras.utils.PyDataset):
    """0, 1, ... 5, one by one."""

    def __init__(self):
        super().__init__()
        self.told = ""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return np.ones((1, 1), "float32"), np.full((1, 1), index, "float32")

    def on_epoch_begin(self):
        self.told += "b"

    def on_epoch_end(self):
        self.told += "e"


def loader():
    torch = pytest.importorskip("torch")
    y = torch.arange(6.0)[:, None]
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(6, 1), y))


def pipeline(*methods):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((tf.ones((6, 1)), tf.range(6.0)[:, None])).batch(1)
    for method in methods:
        data = data.filter(lambda x, y: True) if method == "filter" else getattr(data, method)()
    return data


@pytest.mark.parametrize("make", [
    Pairs, loader, pipeline, lambda: pipeline("repeat"), lambda: pipeline("filter"),
], ids=["dataset", "loader", "tf.data", "repeat", "filter"])  # fmt: skip
def test_streams_go_on_where_an_epoch_ended_and_validation_begins_anew(backend, make):
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    logs = model.fit(
        make(), steps_per_epoch=2, epochs=4, shuffle=False, verbose=0,
        validation_data=make(), validation_steps=2,
    ).history
    np.testing.assert_allclose(logs["loss"], [0.5, 2.5, 4.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(logs["val_loss"], [0.5] * 4, rtol=1e-6)


@pytest.mark.parametrize("steps", [None, 2, 4])
def test_data_sets_are_told_of_each_epoch(steps):
    data, validation = Pairs(), Pairs()
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    options = {"steps_per_epoch": steps, "epochs": 3, "verbose": 0}
    if steps == 4:
        with pytest.warns(UserWarning, match="of 4 steps"):
            model.fit(data, validation_data=validation, **options)
    else:
        model.fit(data, validation_data=validation, **options)
    assert data.told == validation.told == "be" * 3


def test_shuffled_epochs_shorter_than_the_data_see_every_sample():
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    y = np.arange(6, dtype="float32")[:, None]
    logs = model.fit(np.ones_like(y), y, batch_size=1, steps_per_epoch=2, epochs=3, verbose=0)
    np.testing.assert_allclose(np.mean(logs.history["loss"]), 2.5, rtol=1e-6)


@pytest.mark.parametrize("how", ["model", "layer"])
def test_jit_compile_false_runs_steps_eagerly_on_jax(how):
    pytest.importorskip("jax")
    seen = []

    class Watch(L.Layer):
        def call(self, x):
            seen.append(type(x).__name__)
            return x

    watch = Watch()
    watch.supports_jit = how == "model"
    with config.backend_scope("jax"):
        model = keras.Sequential([keras.Input((2,)), watch, L.Dense(1)])
        model.compile("sgd", "mse", jit_compile="auto" if how == "layer" else False)
        seen.clear()
        model.predict(np.ones((2, 2), "float32"), verbose=0)
    assert seen and not any("Tracer" in name for name in seen)


def test_compiled_steps_by_name(backend):
    model = keras.Sequential([keras.Input((2,)), L.Dense(1)])
    model.compile("sgd", "mse")
    assert model.train_function is None and model.predict_function is None
    x = np.ones((4, 2), "float32")
    model.fit(x, x[:, :1], verbose=0)
    step = model.train_function
    assert step is model.make_train_function() and model.test_function is None
    model.train_function = None
    assert model.train_function is None and model.make_train_function() is not None
    with pytest.raises(ValueError, match="define train_step"):
        model.train_function = step


def test_a_frozen_model_is_measured_and_stays(backend):
    model = keras.Sequential([keras.Input((2,)), L.Dense(1, kernel_initializer="ones")])
    model.trainable = False
    model.compile("sgd", "mse")
    x = np.ones((4, 2), "float32")
    assert model.fit(x, x[:, :1], verbose=0).history["loss"] == [1.0]
    assert model.get_weights()[0].tolist() == [[1.0], [1.0]]


def test_a_step_sees_a_dict_as_the_data_gives_it(backend):
    seen = []

    class Named(keras.Model):
        def train_step(self, data):
            seen.append(data)
            return {"loss": ops.sum(data["x"] if isinstance(data, dict) else data[0]["x"])}

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return {"x": np.full((3, 1), i, "float32"), "n": np.zeros(3, "int32")}

    model = Named()
    model.compile("sgd", run_eagerly=True)
    assert model.fit(Batches(workers=1), shuffle=False, verbose=0).history["loss"] == [3.0]
    assert all(sorted(data) == ["n", "x"] for data in seen)
    model.fit({"x": np.ones((3, 1))}, verbose=0)
    assert isinstance(seen[-1], tuple) and list(seen[-1][0]) == ["x"]
