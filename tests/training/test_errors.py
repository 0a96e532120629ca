"""Wrong input gives one clear error that names the culprit, and changes nothing."""

import signal
import time

import numpy as np
import pytest

import kerasish as keras
from kerasish import errors

L = keras.layers
X = np.random.default_rng(0).standard_normal((20, 4)).astype("float32")
Y = np.arange(20) % 3


def classifier(units=3):
    model = keras.Sequential(
        [keras.Input((4,)), L.Dense(5, name="hidden"), L.Dense(units, name="out")], name="net"
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def unchanged(model, call, error, match):
    before = model.get_weights()
    with pytest.raises(error, match=match):
        call()
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.fit(X, Y, epochs=1, verbose=0).history["loss"][0] > 0


def test_shape_mismatch_between_layers():
    layer = L.Dense(3, name="second")
    layer.build((None, 7))
    with pytest.raises(errors.ShapeError, match=r"'second' \(Dense\).*\(None, 4\).*size 7"):
        layer(keras.Input((4,)))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m: m.fit(X[:, :3], Y, verbose=0), r"'net'.*\(None, 4\).*\(20?, 3\)|'net'.*, 3\)"),
        (lambda m: m.fit(X[:, None, :], Y, verbose=0), r"'net'.*\(None, 4\)"),
        (lambda m: m.fit(X, Y + 1, verbose=0), r"Labels go from 1 to 3.*3 classes.*0 to 2"),
        (lambda m: m.fit(X, Y - 1, verbose=0), r"Labels go from -1 to 1"),
        (lambda m: m.fit(X.astype(str), Y, verbose=0), r"strings|<U"),
        (lambda m: m.fit(X[:0], Y[:0], verbose=0), r"empty"),
        (lambda m: m.fit(X, Y[:10], verbose=0), r"same number of samples.*x: \[20\].*y: \[10\]"),
        (lambda m: m.fit(X, verbose=0), r"no targets"),
        (lambda m: m.fit(X, Y, batch_size=0, verbose=0), r"batch_size"),
        (lambda m: m.fit(X, Y, validation_split=1.0, verbose=0), r"validation_split"),
        (lambda m: m.predict(X[:, :2], verbose=0), r"'net'"),
    ],
)  # fmt: skip
def test_bad_data(backend, call, match):
    model = classifier()
    unchanged(model, lambda: call(model), (ValueError, TypeError), match)


def test_wrong_rank():
    with pytest.raises(errors.ShapeError, match=r"'conv' \(Conv2D\).*\(2, 8, 8\).*at least 4"):
        L.Conv2D(2, 3, name="conv")(np.ones((2, 8, 8), "float32"))


def test_float64_is_taken_as_floatx(backend):
    model = classifier()
    model.fit(X.astype("float64"), Y, epochs=1, verbose=0)
    assert all(w.dtype == np.float32 for w in model.get_weights())
    assert model.predict(X.astype("float64"), verbose=0).dtype == np.float32


def test_before_compile():
    model = keras.Sequential([L.Dense(1)])
    with pytest.raises(ValueError, match="must be compiled before fit"):
        model.fit(X, Y)


def test_unknown_names():
    with pytest.raises(ValueError, match="adamm.*Did you mean"):
        keras.Sequential([L.Dense(1)]).compile("adamm", "mse")
    with pytest.raises(ValueError, match="sofmax.*Did you mean"):
        L.Dense(1, activation="sofmax")


def test_layer_in_place_of_class():
    with pytest.raises(errors.InvalidArgument, match=r"Dense\(8\), not Dense"):
        keras.Sequential([L.Dense])


def test_numpy_function_on_a_symbolic_tensor():
    with pytest.raises(TypeError, match=r"np.exp was called on it.*keras.ops"):
        np.exp(keras.Input((3,)))


def test_set_weights_checks_before_it_writes():
    model = classifier()
    weights = model.get_weights()
    bad = [w + 1 for w in weights[:-1]] + [np.zeros(7)]
    with pytest.raises(errors.ShapeError, match="Nothing was changed"):
        model.set_weights(bad)
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_error_inside_a_model_names_the_layer(backend):
    class Broken(L.Layer):
        def call(self, x):
            return keras.ops.matmul(x, keras.ops.ones((9, 2)))

    with pytest.raises(ValueError, match=r"matmul[\s\S]*In layer 'broken'"):
        Broken(name="broken")(np.ones((2, 4), "float32"))


def test_gradient_rule_missing():
    class Sorted(L.Layer):
        def call(self, x):
            return np.linalg.cond(x) * x

    model = keras.Sequential([keras.Input((4,)), L.Dense(4), Sorted(), L.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(errors.GradientError, match="gradient"):
        model.fit(X[:4], Y[:4], verbose=0)


@pytest.mark.parametrize("wrong, match", [
    ({"epochs": "3"}, "epochs must be an integer of at least 0, got '3'"),
    ({"epochs": 2.0}, "epochs must be an integer"),
    ({"batch_size": "8"}, "batch_size must be an integer of at least 1, got '8'"),
    ({"batch_size": 2.5}, "batch_size"),
    ({"batch_size": 0}, "batch_size"),
    ({"steps_per_epoch": 0}, "steps_per_epoch"),
    ({"validation_split": "a"}, "validation_split is the part"),
    ({"validation_split": -0.1}, "validation_split is the part"),
    ({"class_weight": [1.0, 2.0, 3.0]}, "class_weight is a dict"),
    ({"class_weight": {"cat": 1.0}}, "class_weight is a dict"),
])
def test_counts_and_weights_of_fit(wrong, match):
    model = classifier()
    unchanged(model, lambda: model.fit(X, Y, verbose=0, **wrong), ValueError, match)


def test_a_compile_that_fails_changes_nothing():
    model = classifier()
    optimizer, loss = model.optimizer, model.loss
    for wrong in ({"loss": "nope"}, {"optimizer": "nope"}, {"steps_per_execution": "many"}):
        with pytest.raises(ValueError):
            model.compile(**{"optimizer": "sgd", "loss": "mse", **wrong})
    assert model.optimizer is optimizer and model.loss is loss
    with pytest.warns(UserWarning, match="jit_compile"):
        model.compile("sgd", model.loss, run_eagerly=True, jit_compile=True)
    assert model.jit_compile is False


def test_what_is_no_tensor(backend):
    model = classifier()
    with pytest.raises(ValueError, match=r"'net': input .* of shape \(None, 4\), got 'x'"):
        model("x")
    with pytest.raises(ValueError, match=r"got \(20, 2\)\.$"):  # and nothing of one sample
        model(X[:, :2])
    with pytest.raises(ValueError, match=r"got \(4,\).*x\[None\]"):
        model(X[0])
    with pytest.raises(ValueError, match="no axis|axis 5, got"):
        L.BatchNormalization(axis=5)(X)
    with pytest.raises(ValueError, match="Dropout needs a rate"):
        L.Dropout("half")


def test_cross_entropy_of_one_class_is_told(backend):
    model = classifier(1)
    model.compile("sgd", "categorical_crossentropy")
    with pytest.warns(UserWarning, match="single class.*binary_crossentropy"):
        model.fit(X, np.ones((20, 1)), verbose=0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_training_goes_on_after_interruptions(backend):
    if backend == "tensorflow":
        pytest.skip("an interruption may break the caches within tf.function")
    model = keras.Sequential([
        keras.Input((4,)), L.Dense(16, activation="relu"), L.BatchNormalization(), L.Dropout(0.2),
        L.Dense(3),
    ])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = np.tile(X, (10, 1)), np.tile(Y, 10)

    def fit():
        model.fit(x, y, batch_size=4, epochs=2, verbose=0)

    def interrupt(*_):
        raise KeyboardInterrupt

    fit()
    began = time.perf_counter()
    fit()
    took = time.perf_counter() - began
    before = signal.signal(signal.SIGALRM, interrupt)
    cut = 0
    try:
        for part in np.random.default_rng(0).uniform(0.05, 0.9, 20):
            done = int(model.optimizer.iterations.numpy())
            try:
                signal.setitimer(signal.ITIMER_REAL, part * took)
                fit()
            except KeyboardInterrupt:
                cut += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert int(model.optimizer.iterations.numpy()) >= done
            assert all(np.isfinite(v.numpy()).all() for v in model.optimizer.variables)
            assert np.isfinite(model.evaluate(x, y, verbose=0))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert cut > 0


def test_what_fails_within_a_step_loses_nothing(backend):
    model = keras.Sequential([
        keras.Input((1,), dtype="string"), L.StringLookup(vocabulary=["a", "b"], num_oov_indices=0),
        L.Embedding(3, 2), L.Flatten(), L.Dense(1),
    ])
    model.compile("adam", "mse")
    x, y = np.array([["a"], ["b"]] * 4, object), np.ones((8, 1), "float32")
    model.fit(x, y, batch_size=4, verbose=0)
    before = model.get_weights()
    wrong = np.array([["a"], ["zebra"]] * 4, object)
    with pytest.raises(Exception):  # noqa: B017, an engine may tell it in its own way
        model.fit(wrong, y, batch_size=4, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(model.fit(x, y, batch_size=4, verbose=0).history["loss"][0])
