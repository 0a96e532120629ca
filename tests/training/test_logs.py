"""What is reported under which name, and what is printed, as in Keras."""

import re

import numpy as np
import pytest

import kerasish as keras

X = np.linspace(0, 1, 18, dtype="float32").reshape(6, 3)
Y = X[:, :1]


def branches():
    inputs = keras.Input((3,))
    return inputs, *(keras.layers.Dense(1, name=name)(inputs) for name in "abc")


def fitted(model, targets, **options):
    model.compile("sgd", **options)
    return list(model.fit(X, targets, verbose=0).history)


def test_weighted_metrics_of_the_same_name():
    inputs, a, b, _ = branches()
    model = keras.Model(inputs, [a, b])
    names = fitted(
        model, [Y, Y], loss="mse", metrics=[["mae"], ["mae"]], weighted_metrics=[["mae"], ["mse"]]
    )
    assert names == ["a_loss", "a_mae", "a_weighted_mae", "b_loss", "b_mae", "b_mse", "loss"]


@pytest.mark.parametrize(
    "loss",
    ["mse", {"p": {"k": "mse", "l": "mae"}, "q": ["mse"]}, {"a": "mse", "b": "mae", "c": "mse"}],
)
def test_nested_outputs(loss):
    inputs, a, b, c = branches()
    model = keras.Model(inputs, {"p": {"k": a, "l": b}, "q": [c]})
    names = fitted(
        model, {"p": {"k": Y, "l": Y}, "q": [Y]}, loss=loss, metrics={"p": {"l": "mae"}}
    )
    assert names == ["b_mae", "loss", "p/k_loss", "p/l_loss", "q/c_loss"]


def test_nested_losses_fit_the_outputs():
    inputs, a, b, c = branches()
    model = keras.Model(inputs, [a, [b, c]])
    model.compile("sgd", ["mse", ["mae"]])
    with pytest.raises(ValueError, match="structured like the outputs"):
        model.fit(X, [Y, [Y, Y]], verbose=0)


def test_outputs_without_names():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.heads = [keras.layers.Dense(1), keras.layers.Dense(1)]

        def call(self, x):
            return tuple(head(x) for head in self.heads)

    names = fitted(Two(), [Y, Y], loss=["mse", "mae"], metrics=[["mae"], ["mae"]])
    assert names == ["loss", "mae", "mae_1", "mae_loss", "mse_loss"]


class Own(keras.Model):
    """A step as Keras' guides write it."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.steps = keras.metrics.Sum(name="steps")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        outputs = []

        def loss():
            outputs.append(self(x, training=True))
            return self.compute_loss(y=y, y_pred=outputs[-1])

        value, grads = keras.value_and_grad(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(value)
            elif metric.name == "steps":
                metric.update_state(1.0)
            else:
                metric.update_state(y, keras.ops.stop_gradient(self(x)))
        return {m.name: m.result() for m in self.metrics}


def test_metrics_of_compile_are_one_metric(backend):
    model = Own()
    mse = keras.metrics.MeanSquaredError(name="square")
    model.compile("sgd", "mse", metrics=["mae", mse])
    names = ["loss", "compile_metrics", "steps"]
    assert model.metrics_names == names
    one = model.metrics[1]
    assert one.metrics == one.variables == []
    with pytest.raises(ValueError, match="no results yet"):
        one.result()
    history = model.fit(X, Y, batch_size=2, shuffle=False, verbose=0).history
    assert list(history) == ["mae", "square", "loss", "steps"]  # sorted by what holds them
    assert history["steps"] == [3.0] and model.metrics_names == names
    assert [m.name for m in one.metrics] == ["mae", "square"] and one.metrics[1] is mse
    model.reset_metrics()
    assert {k: float(v) for k, v in one.result().items()} == {"mae": 0.0, "square": 0.0}
    one.update_state(np.zeros((2, 1)), np.full((2, 1), 3.0))
    assert {k: float(v) for k, v in one.result().items()} == {"mae": 3.0, "square": 9.0}
    assert len(one.variables) == 4
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True)) == [
        "loss", "mae", "square", "steps"]


def test_metrics_of_outputs_come_after_those_of_compile():
    inputs, a, b, _ = branches()
    model = keras.Model(inputs, [a, b])
    fitted(model, [Y, Y], loss="mse", metrics=[["mae"], ["mse"]])
    assert model.metrics_names == ["loss", "compile_metrics", "a_loss", "b_loss"]
    watch = keras.callbacks.EarlyStopping(monitor="val_a_mae", patience=0)
    model.fit(X, [Y, Y], validation_data=(X, [Y, Y]), verbose=0, callbacks=[watch])


def test_order_of_evaluate():
    inputs, a, b, _ = branches()
    model = keras.Model(inputs, [a, b])
    model.compile("sgd", "mse", metrics=[["mse", "mae"], ["mae"]])
    values = model.evaluate(X, [Y, Y], verbose=0)
    logs = model.evaluate(X, [Y, Y], verbose=0, return_dict=True)
    order = ["loss", "a_loss", "b_loss", "a_mae", "a_mse", "b_mae"]
    assert values == [logs[name] for name in order]
    one = keras.Model(inputs, a)
    one.compile("sgd", "mse", metrics=["mse", "mae"])
    logs = one.evaluate(X, Y, verbose=0, return_dict=True)
    assert one.evaluate(X, Y, verbose=0) == [logs["loss"], logs["mse"], logs["mae"]]


def test_batches_by_hand_are_measured_one_by_one(backend):
    inputs, a, *_ = branches()
    model = keras.Model(inputs, a)
    model.compile("sgd", "mse", metrics=["mse"])
    model.set_weights([np.zeros((3, 1)), np.zeros(1)])
    assert model.test_on_batch(X, Y * 0 + 3) == pytest.approx([9, 9])
    assert model.test_on_batch(X, Y * 0 + 1) == pytest.approx([1, 1])
    assert model.train_on_batch(X, Y * 0 + 2) == pytest.approx([4, 4])


def test_hooks_get_logs_that_can_be_written_to():
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(logs)

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(logs)

    inputs, a, *_ = branches()
    model = keras.Model(inputs, a)
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0, callbacks=[Watch()])
    assert seen == [{}, {}]


def test_one_line_for_each_epoch(capsys):
    inputs, a, *_ = branches()
    model = keras.Model(inputs, a)
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=2, verbose=2)
    line = capsys.readouterr().out
    assert re.fullmatch(r"3/3 - \d+s - \d+[mu]?s/step - loss: \d\.\d{4}(e-\d\d)?\n", line)


def test_bar_shows_the_last_value_or_an_average(capsys):
    for options, shown in (({}, "v: 3.0000"), ({"stateless_metrics": ["v"]}, "v: 2.0000")):
        bar = keras.utils.Progbar(3, verbose=2, **options)
        for i in range(3):
            bar.update(i + 1, [("v", i + 1)])
        assert shown in capsys.readouterr().out


def test_outputs_without_a_loss_need_no_targets():
    inputs, a, b, _ = branches()
    model = keras.Model(inputs, [a, b])
    assert fitted(model, Y, loss=["mse", None]) == ["loss"]
    assert fitted(model, [Y], loss=[None, "mse"], metrics=[[], ["mae"]]) == ["b_mae", "loss"]


def test_a_compiled_model_inside_another_keeps_its_metrics_to_itself(backend):
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    inner.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")
    inner.fit(x, y, verbose=0)
    inputs = keras.Input((3,))
    outer = keras.Model(inputs, inner(inputs) * 0.0)
    outer.compile("sgd", "mse", metrics=["mae"])
    logs = outer.fit(x, y, epochs=2, verbose=0).history
    assert logs == {"loss": [1.0, 1.0], "mae": [1.0, 1.0]}
    assert outer.metrics_names == ["loss", "compile_metrics"]
    assert outer.evaluate(x, y, verbose=0) == [1.0, 1.0]
    assert inner.metrics_names == ["loss", "compile_metrics"]
