"""Programs as users write them, for pyright alone: what editors show and checkers accept."""
# pyright: standard, reportAttributeAccessIssue=true, reportUnnecessaryTypeIgnoreComment=true

from typing import Any

import numpy as np
from typing_extensions import assert_type

import kerasish as keras
from kerasish import layers, ops


class Scale(layers.Layer):
    def __init__(self, units: int = 3, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        assert_type(self.w, keras.Variable)

    def call(self, inputs, training=None):
        if training:
            self.add_loss(ops.sum(self.w**2))
        return inputs @ (2 * self.w[:, None] + 1)

    def compute_mask(self, inputs, mask=None):
        return mask

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.seen = keras.metrics.Mean(name="seen")

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, x, training=False):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.seen.update_state(loss)
        return {m.name: m.result() for m in self.metrics}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Stateless(keras.Model):
    def train_step(self, state, data):
        outputs, others = self.stateless_call(state[0], state[1], data[0], training=True)
        return {"loss": ops.mean(outputs)}, (state[0], others)


class Distance(keras.losses.Loss):
    def call(self, truth, guess):
        return ops.abs(truth - guess)


class Watch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(self.params["epochs"], self.model.optimizer.learning_rate, (logs or {})["loss"])
        self.model.stop_training = True


class Plain(keras.optimizers.Optimizer):
    def update_step(self, grad, weight, rate):
        weight.assign_sub(rate * grad)


def objects_have_types(x: np.ndarray, y: np.ndarray) -> None:
    inputs = keras.Input((4,))
    assert_type(inputs, keras.KerasTensor)
    assert_type(inputs.shape, tuple[int | None, ...])
    model = keras.Model(inputs, layers.Dense(3)(inputs) + inputs[:, :3])
    assert_type(model, keras.Model)
    assert_type(keras.Sequential([layers.Dense(3)]), keras.Sequential)
    assert_type(layers.Dense(3), layers.Dense)
    assert_type(layers.Dense.from_config({}), layers.Dense)
    assert_type(Scale(2), Scale)
    assert_type(keras.optimizers.Adam(), keras.optimizers.Adam)
    assert_type(keras.metrics.Mean(), keras.metrics.Mean)
    model.compile(Plain(0.1), loss=Distance(), metrics=["mae", keras.metrics.MeanSquaredError()])
    weights = {0: 1, 1: 5}
    history = model.fit(x, y, epochs=2, class_weight=weights, callbacks=[Watch()])
    assert_type(history, keras.callbacks.History)
    assert_type(keras.saving.load_model("model.keras"), keras.Model)
    assert_type(model.layers, list[layers.Layer])
    assert_type(model.get_weights(), list[np.ndarray])
    print(model.inputs[0].name, model.predict(x).argmax(-1), history.history["loss"])
    print(layers.Dense(3).bias.numpy(), layers.BatchNormalization().moving_mean.numpy())
    print(keras.metrics.AUC().true_positives.shape, keras.optimizers.SGD().momentums[0])
    print(keras.utils.Sequence, keras.utils.standardize_dtype("int"), Net().dense.units)


def functions_keep_their_parameters() -> None:
    a = ops.matmul(x1=ops.ones((2, 3)), x2=ops.ones((3, 2)))
    ops.softmax(a, axis=-1)
    ops.softmax(a, axes=-1)  # pyright: ignore[reportCallIssue] (there is no such parameter)
    ops.sum(a, axis=(0, 1), keepdims=True)
    ops.sum(a, axis=[0, 1])
    ops.sum(a, axis="0")  # pyright: ignore[reportArgumentType] (an axis is an integer)
    values, indices = ops.top_k(a, k=1)
    keras.random.normal(shape=(2, 3), seed=keras.random.SeedGenerator(1))
    (x, y), _ = keras.datasets.digits.load_data()
    assert_type(x, np.ndarray)
    print(values, indices, y)


def operators_of_variables() -> None:
    v = keras.Variable([1.0, 2.0])
    print(v + 1, 1 + v, -v, v @ v, v[0], v == 1, v < 1, abs(v), round(v), divmod(v, 2), {v: 1})
    assert_type(v.numpy(), np.ndarray)
    assert_type(float(v), float)
