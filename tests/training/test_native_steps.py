"""Training steps written for one engine, as in Keras' guides, run unchanged."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, config

rng = np.random.default_rng(0)
X = rng.random((96, 8)).astype("float32")
Y = X.sum(1, keepdims=True)


def model_of(cls):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    return cls(inputs, keras.layers.Dense(1)(hidden))


class Tracked(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
        self.loss_fn = keras.losses.MeanSquaredError()

    @property
    def metrics(self):
        return [self.loss_tracker, self.mae_metric]

    def logs(self, loss, y, y_pred):
        self.loss_tracker.update_state(loss)
        self.mae_metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


class TorchStep(Tracked):
    def train_step(self, data):
        import torch

        x, y = data
        self.zero_grad()
        y_pred = self(x, training=True)
        loss = self.loss_fn(y, y_pred)
        loss.backward()
        variables = list(self.trainable_weights)
        gradients = [v.value.grad for v in variables]
        with torch.no_grad():
            self.optimizer.apply(gradients, variables)
        return self.logs(loss, y, y_pred)


class TensorFlowStep(Tracked):
    def train_step(self, data):
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.loss_fn(y, y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self.logs(loss, y, y_pred)


class JaxStep(keras.Model):
    def compute_loss_and_updates(self, trainable, other, x, y, training=False):
        y_pred, other = self.stateless_call(trainable, other, x, training=training)
        return self.compute_loss(x, y, y_pred), (y_pred, other)

    def train_step(self, state, data):
        import jax

        trainable, other, optimizer, measured = state
        x, y = data
        grad_fn = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (y_pred, other)), grads = grad_fn(trainable, other, x, y, training=True)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, grads, trainable)
        new, logs = [], {}
        for metric in self.metrics:
            held = measured[len(new) : len(new) + len(metric.variables)]
            if metric.name == "loss":
                held = metric.stateless_update_state(held, loss)
            else:
                held = metric.stateless_update_state(held, y, y_pred)
            logs[metric.name] = metric.stateless_result(held)
            new += held
        return logs, (trainable, other, optimizer, new)


    def test_step(self, state, data):
        trainable, other, measured = state
        y_pred, other = self.stateless_call(trainable, other, data[0], training=False)
        return {"mean": keras.ops.mean(y_pred)}, (trainable, other, measured)


class JaxPrediction(keras.Model):
    def predict_step(self, state, data):
        trainable, other = state
        outputs, other = self.stateless_call(trainable, other, data, training=False)
        return 2 * outputs, other


class JaxPredictionOfPairs(JaxPrediction):
    def predict_step(self, state, data):
        outputs, other = super().predict_step(state, data)
        return outputs, (state[0], other)


@pytest.mark.parametrize("cls", [JaxPrediction, JaxPredictionOfPairs])
def test_predictions_and_measures_in_steps_of_jax(cls):
    if not backends.installed("jax"):
        pytest.skip("jax is not installed")
    with config.backend_scope("jax"):
        inputs = keras.Input((X.shape[1],))
        outputs = keras.layers.Dense(1)(keras.layers.BatchNormalization()(inputs))
        plain, doubled = keras.Model(inputs, outputs), cls(inputs, outputs)
        expected = plain.predict(X, verbose=0)
        np.testing.assert_allclose(doubled.predict(X, verbose=0), 2 * expected, rtol=1e-5)
        measured = JaxStep(inputs, outputs)
        measured.compile("sgd", "mse")
        logs = measured.evaluate(X, Y, verbose=0, return_dict=True, batch_size=len(X))
        assert logs == {"mean": pytest.approx(expected.mean(), rel=1e-4)}


class HandingOn(JaxStep):
    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)


@pytest.mark.parametrize("name, cls", [
    ("torch", TorchStep), ("tensorflow", TensorFlowStep), ("jax", JaxStep), ("jax", HandingOn),
])
def test_a_step_of_one_engine_equals_ours(name, cls):
    if not backends.installed(name):
        pytest.skip(f"{name} is not installed")
    with config.backend_scope(name):
        losses = []
        for kind in (keras.Model, cls):
            model = model_of(kind)
            extra = {} if issubclass(kind, Tracked) else {"loss": "mse", "metrics": ["mae"]}
            model.compile(keras.optimizers.Adam(0.01), **extra)
            history = model.fit(X, Y, epochs=5, verbose=0).history
            losses.append(history["loss"] + history["mae"])
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
        assert losses[0][4] < losses[0][0]


def test_torch_optimizers_train_layers():
    torch = pytest.importorskip("torch")
    with config.backend_scope("torch"):
        model = model_of(keras.Model)
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        x, y = torch.from_numpy(X), torch.from_numpy(Y)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0] / 2
        assert set(model.state_dict()) == {n for n, _ in model.named_parameters()}
    with config.backend_scope("numpy"):
        assert np.mean((model.predict(X, verbose=0) - Y) ** 2) == pytest.approx(losses[-1], rel=0.2)


def test_gradients_can_be_cleared_after_the_forward_pass():
    torch = pytest.importorskip("torch")
    with config.backend_scope("torch"):
        model = model_of(keras.Model)
        for _ in range(2):
            loss = torch.nn.functional.mse_loss(model(torch.from_numpy(X)), torch.from_numpy(Y))
            model.zero_grad()
            loss.backward()
            first, *_ = (v.value.grad.clone() for v in model.trainable_weights)
        assert first.abs().sum() > 0
        loss = torch.nn.functional.mse_loss(model(torch.from_numpy(X)), torch.from_numpy(Y))
        loss.backward()
        torch.testing.assert_close(model.trainable_weights[0].value.grad, 2 * first)


def test_jax_functions_take_variables():
    jax = pytest.importorskip("jax")
    with config.backend_scope("jax"):
        model = model_of(keras.Model)

        def loss_of(trainable, fixed, x, y):
            y_pred, fixed = model.stateless_call(trainable, fixed, x)
            return ((y_pred - y) ** 2).mean(), fixed

        step = jax.jit(jax.value_and_grad(loss_of, has_aux=True))
        (_, fixed), grads = step(model.trainable_variables, model.non_trainable_variables, X, Y)
        assert [g.shape for g in grads] == [v.shape for v in model.trainable_variables]
        values = [v - 0.1 * g for v, g in zip(model.trainable_variables, grads, strict=True)]
        assert step(values, fixed, X, Y)[0][0] < step(model.trainable_variables, fixed, X, Y)[0][0]


def test_optimizers_update_variables_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    with config.backend_scope("tensorflow"):
        image = tf.Variable(np.ones((2, 2), "float32"))
        optimizer = keras.optimizers.SGD(0.25, momentum=0.5)
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(image)
            optimizer.apply_gradients([(tape.gradient(loss, image), image)])
        np.testing.assert_allclose(image.numpy(), np.full((2, 2), 1 - 0.25 - 0.375))
    with pytest.raises(ValueError, match="updates keras.Variable objects, got ndarray"):
        optimizer.apply([np.ones(2, "float32")], [np.ones(2, "float32")])
