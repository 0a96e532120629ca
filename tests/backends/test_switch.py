"""The switch: what decides the backend, scopes, further backends, missing libraries."""

import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, config
from kerasish.errors import BackendMissing, InvalidArgument

WITHOUT = {k: v for k, v in os.environ.items() if k not in ("KERASISH_BACKEND", "KERAS_BACKEND")}


def run(code, **env):
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**WITHOUT, **env}
    )
    return out.stdout.strip() or out.stderr


NAME = "import kerasish as keras; print(keras.config.backend())"


@pytest.mark.parametrize("env, expected", [
    ({}, "numpy"),
    ({"KERASISH_BACKEND": "torch"}, "torch"),
    ({"KERAS_BACKEND": "jax"}, "jax"),
    ({"KERASISH_BACKEND": "numpy", "KERAS_BACKEND": "jax"}, "numpy"),
])
def test_the_environment_decides(env, expected, tmp_path):
    assert run(NAME, KERASISH_HOME=str(tmp_path), **env) == expected


def test_the_file_decides_where_the_environment_does_not(tmp_path):
    settings = {"backend": "torch", "floatx": "float64", "epsilon": 1e-5}
    (tmp_path / "kerasish.json").write_text(json.dumps(settings))
    code = f"{NAME}; print(keras.config.floatx(), keras.config.epsilon())"
    assert run(code, KERASISH_HOME=str(tmp_path)).split() == ["torch", "float64", "1e-05"]
    assert run(NAME, KERASISH_HOME=str(tmp_path), KERASISH_BACKEND="numpy") == "numpy"


def test_a_wrong_name_is_told_with_the_known_ones(tmp_path):
    said = run(NAME, KERASISH_HOME=str(tmp_path), KERASISH_BACKEND="numpie")
    assert "Unknown backend 'numpie'" in said and "tensorflow" in said
    before = config.backend()
    with pytest.raises(InvalidArgument, match="Unknown backend 'mxnet'.*numpy"):
        config.set_backend("mxnet")
    assert config.backend() == before


def test_a_missing_library_is_told_with_the_mend():
    said = run(
        "import sys; sys.modules['torch'] = None\n"
        "import kerasish as keras\n"
        "assert 'torch' not in keras.config.available_backends()\n"
        "try: keras.config.set_backend('torch')\n"
        "except keras.errors.BackendMissing as e: print(e, '|', keras.config.backend())\n"
    )
    assert "pip install 'kerasish[torch]'" in said and said.endswith("| numpy"), said
    assert issubclass(BackendMissing, ImportError)


def test_scopes_nest_and_restore():
    before = config.backend()
    with config.backend_scope("torch"):
        assert config.backend() == "torch"
        with pytest.raises(RuntimeError, match="on purpose"), config.backend_scope("numpy"):
            assert config.backend() == "numpy"
            raise RuntimeError("on purpose")
        assert config.backend() == "torch"
    assert config.backend() == before
    assert {"numpy"} <= set(config.available_backends())


@pytest.fixture
def registered():
    yield
    config.set_backend("numpy")
    backends._registry.pop("mine", None)
    backends._loaded.pop("mine", None)


def test_a_further_backend_trains(registered):
    """A third party's adapter: here NumPy's functions, and an `exp` of its own."""
    calls = []
    mine = types.ModuleType("my_adapter")
    for module in reversed(backends.load("numpy").modules):
        vars(mine).update({k: v for k, v in vars(module).items() if not k.startswith("__")})

    def tanh(x):
        calls.append(1)
        return np.tanh(x)

    mine.tanh = tanh
    keras.register_backend("mine", mine, requires="numpy")
    config.set_backend("mine")
    assert config.backend() == "mine" and "mine" in config.available_backends()
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    x = np.random.default_rng(0).standard_normal((64, 2)).astype("float32")
    losses = model.fit(x, x[:, :1] * 2, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4 and calls
    config.set_backend("torch")  # and it goes on elsewhere
    model.fit(x, x[:, :1] * 2, epochs=1, verbose=0)


def test_a_device_that_is_not_there_is_told(backend):
    with pytest.raises(keras.errors.BackendError, match="device"), keras.device("gpu:7"):
        keras.ops.zeros(1) + 1
    with keras.device("cpu"):
        assert float(keras.ops.ones(()) + 1) == 2
