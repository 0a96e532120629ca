"""What one thread is in the middle of is none of another's business."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, config, errors
from kerasish.saving import serialization

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.random((64, 8)).astype("float32")
Y = RNG.random((64, 2)).astype("float32")


@pytest.fixture(autouse=True)
def many_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def together(*tasks):
    """The results of functions, each in a thread of its own, begun at once."""
    start = threading.Barrier(len(tasks))
    results, errors = [None] * len(tasks), []

    def run(i):
        start.wait()
        try:
            results[i] = tasks[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def compiled():
    def init(seed):
        return keras.initializers.GlorotUniform(seed=seed)

    inputs = keras.Input((8,))
    h = L.Dense(16, activation="relu", kernel_initializer=init(1))(inputs)
    h = L.BatchNormalization()(L.Dropout(0.5, seed=3)(h))
    model = keras.Model(inputs, L.Dense(2, kernel_initializer=init(2))(h))
    model.compile("adam", "mse")
    return model


def trained():
    """Built and trained from begin to end."""
    return compiled().fit(X, Y, epochs=3, verbose=0, shuffle=False).history["loss"]


def test_models_train_as_if_alone(backend):
    alone = trained()
    for losses in together(trained, trained, trained):
        np.testing.assert_allclose(losses, alone, rtol=1e-4)


def test_predictions_while_another_model_is_trained(backend):
    model = compiled()
    expected = model.predict(X, verbose=0)

    def predict():
        for _ in range(5):
            np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=1e-5)
            np.testing.assert_allclose(keras.ops.convert_to_numpy(model(X)), expected, atol=1e-5)

    together(predict, trained, trained)


def test_first_predictions_at_once(backend):
    model = compiled()
    weights = model.get_weights()
    outputs = together(*[lambda: model.predict(X, verbose=0)] * 3)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    for output in outputs:
        np.testing.assert_allclose(output, model.predict(X, verbose=0), atol=1e-5)


def test_a_switch_reaches_all_threads_and_a_scope_its_own(backend):
    ready, go = threading.Event(), threading.Event()
    seen = []

    def other():
        seen.append(backends.active.name)
        ready.set()
        go.wait()
        seen.append((backends.active.name, keras.Variable([1.0], name="v").path))
        seen.append(keras.saving.get_registered_object("mine"))

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait()
    with (
        keras.name_scope("outer"), keras.config.backend_scope("numpy"),
        keras.saving.CustomObjectScope({"mine": 1}),
    ):  # fmt: skip
        go.set()
        thread.join()
    assert seen == [backend, ("numpy", "v"), None]


def test_a_file_that_one_thread_trusts_is_not_trusted_by_another():
    config = keras.saving.serialize_keras_object(L.Lambda(lambda x: x))
    inside, done = threading.Event(), threading.Event()

    def trusting():
        with serialization.safe_mode_scope(False):
            inside.set()
            done.wait()

    def cautious():
        inside.wait()
        try:
            with pytest.raises(errors.UnsafeFile):
                keras.saving.deserialize_keras_object(config)
        finally:
            done.set()

    together(trusting, cautious)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_process_that_is_forked_during_a_gradient_of_another_thread():
    """It has whole variables, and may compute."""
    with config.backend_scope("numpy"):
        variable = keras.Variable([1.0, 2.0])
        inside, stop = threading.Event(), threading.Event()

        def gradients():
            while not stop.is_set():
                with keras.StatelessScope([(variable, np.zeros(2, "float32"))]):
                    inside.set()
                    time.sleep(0.01)

        thread = threading.Thread(target=gradients)
        thread.start()
        inside.wait()
        codes = []
        for _ in range(3):
            if not (child := os.fork()):
                signal.alarm(20)
                whole = variable.numpy().tolist() == [1.0, 2.0]
                _, (grad,) = keras.value_and_grad(
                    lambda: keras.ops.sum(keras.ops.square(variable)), [variable]
                )
                os._exit(0 if whole and grad.tolist() == [2.0, 4.0] else 1)
            codes.append(os.waitpid(child, 0)[1])
        stop.set()
        thread.join()
    assert codes == [0, 0, 0]
