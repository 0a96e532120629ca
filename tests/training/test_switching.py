"""One model object goes from engine to engine, optimizer state included."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, config
from kerasish.errors import InvalidArgument, StateError
from tests.conftest import INSTALLED

L = keras.layers
rng = np.random.default_rng(0)
X = rng.standard_normal((96, 6)).astype("float32")
Y = (X.sum(1) > 0).astype("int64")


DENSE = [lambda: L.Dense(16, activation="relu"), L.BatchNormalization, lambda: L.Dropout(0.2)]
RECURRENT = [
    lambda: L.Reshape((3, 2)), lambda: L.LSTM(8, return_sequences=True), lambda: L.GRU(4),
]  # fmt: skip


def make_model(layers=DENSE):
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((6,)), *[make() for make in layers], L.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    return model


def fit_epoch(model, epoch):
    return model.fit(
        X, Y, batch_size=32, initial_epoch=epoch, epochs=epoch + 1, verbose=0
    ).history["loss"][0]


@pytest.mark.parametrize("layers", [DENSE, RECURRENT], ids=["dense", "recurrent"])
def test_an_epoch_on_each_equals_as_many_on_one(layers):
    with config.backend_scope("numpy"):
        model = make_model(layers)
        expected = [fit_epoch(model, e) for e in range(len(INSTALLED))]
        weights = model.get_weights()
    model = make_model(layers)
    losses = []
    for epoch, name in enumerate(INSTALLED):
        with config.backend_scope(name):
            losses.append(fit_epoch(model, epoch))
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)
    assert int(model.optimizer.iterations) == 3 * len(INSTALLED)


def test_switching_back_does_not_compile_again(monkeypatch):
    if len(INSTALLED) < 2:
        pytest.skip("one backend is installed")
    model = make_model()
    calls = []
    for name in INSTALLED:
        with config.backend_scope(name):
            engine = backends.active
            compile_ = engine.compile
            monkeypatch.setattr(
                engine, "compile",
                lambda *a, f=compile_, n=name, **k: (calls.append(n), f(*a, **k))[1],
            )
    for _ in range(2):
        for name in INSTALLED:
            with config.backend_scope(name):
                fit_epoch(model, 0)
    assert sorted(calls) == sorted(INSTALLED)


def test_switching_back_trains_the_weights_that_came_home():
    """A compiled function must not hold on to the weights of before."""
    for name in INSTALLED:
        model = make_model()
        with config.backend_scope(name):
            fit_epoch(model, 0)
        with config.backend_scope("numpy"):
            model.set_weights([np.zeros_like(w) for w in model.get_weights()])
        with config.backend_scope(name):
            np.testing.assert_allclose(model.predict(X[:4], verbose=0), np.zeros((4, 2)), atol=1e-6)
            fit_epoch(model, 0)
            assert np.abs(model.get_weights()[-1]).max() > 0


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "uint32", "bool", "uint8"])
def test_moves_are_bit_exact(dtype):
    values = np.arange(24).reshape(2, 12) % 7
    v = keras.Variable(values, dtype=dtype, trainable=False)
    before = v.numpy()
    for name in [*INSTALLED, *reversed(INSTALLED)]:
        with config.backend_scope(name):
            keras.ops.convert_to_tensor(v)
            assert v.numpy().dtype == before.dtype
            assert v.numpy().tobytes() == before.tobytes()


def test_scope_restores_after_an_error():
    before = config.backend()
    with pytest.raises(RuntimeError, match="inside"), config.backend_scope("jax"):
        raise RuntimeError("inside")
    assert config.backend() == before


def test_no_switch_inside_a_compiled_function():
    with config.backend_scope("jax"):

        @keras.function
        def wrong(x):
            config.set_backend("numpy")
            return x

        with pytest.raises(StateError, match="inside a compiled function"):
            wrong(keras.ops.ones((2,)))
        assert config.backend() == "jax"


def test_unknown_backend():
    with pytest.raises(InvalidArgument, match="Unknown backend 'theano'.*'jax'"):
        config.set_backend("theano")


def test_third_party_backend():
    """A package with the NumPy adapter's modules, under another name."""
    keras.register_backend("numpy_again", "kerasish.backends.numpy", requires="numpy")
    try:
        assert "numpy_again" in config.available_backends()
        with config.backend_scope("numpy_again"):
            model = make_model()
            assert fit_epoch(model, 0) > 0
            assert config.backend() == "numpy_again"
    finally:
        backends._registry.pop("numpy_again")
        backends._loaded.pop("numpy_again", None)


def test_missing_library_tells_the_mend(monkeypatch):
    monkeypatch.setattr(backends, "installed", lambda name: name == "numpy")
    monkeypatch.setattr(backends, "_loaded", {k: v for k, v in backends._loaded.items() if k == "numpy"})
    with pytest.raises(ImportError, match=r"pip install 'kerasish\[jax\]'"):
        config.set_backend("jax")
    assert config.backend() == "numpy"


def test_environment_and_file(tmp_path):
    import os
    import subprocess
    import sys

    def backend_of(**env):
        out = subprocess.run(
            [sys.executable, "-c", "import kerasish; print(kerasish.config.backend())"],
            capture_output=True, text=True,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("KERAS")}, **env},
        )
        return out.stdout.strip() or out.stderr

    (tmp_path / "kerasish.json").write_text('{"backend": "torch", "floatx": "float32"}')
    home = str(tmp_path)
    assert backend_of(KERASISH_HOME=str(tmp_path / "none")) == "numpy"
    assert backend_of(KERASISH_HOME=home) == "torch"
    assert backend_of(KERASISH_HOME=home, KERAS_BACKEND="jax") == "jax"
    assert backend_of(KERASISH_HOME=home, KERAS_BACKEND="jax", KERASISH_BACKEND="numpy") == "numpy"
    assert "Unknown backend 'nope'" in backend_of(KERASISH_BACKEND="nope")
