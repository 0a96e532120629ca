"""Models of other libraries as layers, and layers as torch modules."""

import copy
import dataclasses

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, config
from kerasish.errors import BackendError, UnsafeFile
from tests.conftest import INSTALLED

L = keras.layers
rng = np.random.default_rng(0)
X = rng.standard_normal((64, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]], "float32")) + 0.3


def needs(name):
    return pytest.mark.skipif(name not in INSTALLED, reason=f"{name} is not installed")


@pytest.fixture
def engine(request):
    with config.backend_scope(request.param):
        yield request.param


def on(name):
    return pytest.mark.parametrize("engine", [pytest.param(name, marks=needs(name))], indirect=True)


def host(x):
    return np.asarray(backends.to_host(x))


# Any of these has a model of `keras.Input((3,))` around it that learns Y. -------------------------


def jax_init(rng, inputs):
    import jax

    return {"w": jax.random.normal(rng, (inputs.shape[-1], 1)), "b": np.zeros(1, "float32")}


def jax_call(params, inputs):
    return inputs @ params["w"] + params["b"]


class Affine:
    """The protocol of a flax.linen module, without flax."""

    def init(self, rng, inputs, training):
        import jax

        return {
            "params": {"w": jax.random.normal(rng, (inputs.shape[-1], 1)), "b": np.zeros(1, "float32")},
            "counts": {"calls": np.zeros((), "float32")},
        }

    def apply(self, variables, inputs, rngs=None, mutable=(), training=False, method=None):
        out = self(inputs, training, variables["params"])
        calls = variables["counts"]["calls"] + (1.0 if training else 0.0)
        return out, {"counts": {"calls": calls}}

    def __call__(self, inputs, training, params):
        return inputs @ params["w"] + params["b"]


def make_torch():
    import torch

    torch.manual_seed(0)
    return L.TorchModuleWrapper(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)))


def make_flax():
    nn = pytest.importorskip("flax.linen")
    return L.FlaxLayer(nn.Sequential([nn.Dense(4), nn.Dense(1)]), seed=0)


def make_saved(tmp_path):
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self):
            self.w = tf.Variable(tf.ones((3, 1)) * 0.1, name="w")
            self.offset = tf.Variable(tf.zeros((1,)), name="offset")
            self.steps = tf.Variable(2.0, trainable=False, name="steps")

        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
        def serve(self, x):
            return x @ self.w + self.offset

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"double": module.serve})
    return L.TFSMLayer(tmp_path / "saved")


KINDS = {
    "torch": ("torch", lambda _: make_torch()),
    "jax": ("jax", lambda _: L.JaxLayer(jax_call, jax_init, seed=0)),
    "duck": ("jax", lambda _: L.FlaxLayer(Affine(), seed=0)),
    "flax": ("jax", lambda _: make_flax()),
    "tensorflow": ("tensorflow", make_saved),
}
kinds = pytest.mark.parametrize(
    ("engine", "kind"),
    [pytest.param(engine, kind, marks=needs(engine), id=kind) for kind, (engine, _) in KINDS.items()],
    indirect=["engine"],
)


def make(kind, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), KINDS[kind][1](tmp_path)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model


@kinds
def test_learns_saves_and_loads(engine, kind, tmp_path):
    model = make(kind, tmp_path)
    assert model.output_shape == (None, 1) and len(model.trainable_weights) >= 2
    losses = model.fit(X, Y, epochs=30, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]
    out = model.predict(X, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    other = make(kind, tmp_path)
    assert np.abs(other.predict(X, verbose=0) - out).max() > 0.05
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(other.predict(X, verbose=0), out, atol=1e-5)


@kinds
def test_weights_travel_and_the_engine_is_told(engine, kind, tmp_path):
    model = make(kind, tmp_path)
    model.fit(X, Y, epochs=1, verbose=0)
    out = model.predict(X, verbose=0)
    with config.backend_scope("numpy"):
        with pytest.raises(BackendError, match=f"works on the {engine} backend.*set_backend"):
            model.predict(X, verbose=0)
        weights = model.trainable_weights
        for w in weights:
            w.assign(w + 0.0)  # it lives here now
        with pytest.raises(BackendError, match="set_backend"):
            KINDS[kind][1](tmp_path)
        first = weights[0].numpy()
        weights[0].assign(np.zeros_like(first))
    assert np.abs(model.predict(X, verbose=0) - out).max() > 1e-3
    weights[0].assign(first)
    np.testing.assert_allclose(model.predict(X, verbose=0), out, atol=1e-5)
    losses = model.fit(X, Y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@kinds
def test_copies_have_weights_of_their_own(engine, kind, tmp_path):
    cloudpickle = pytest.importorskip("cloudpickle")
    layer = make(kind, tmp_path).layers[0]
    out = host(layer(X))
    for twin in (copy.deepcopy(layer), cloudpickle.loads(cloudpickle.dumps(layer))):
        np.testing.assert_allclose(host(twin(X)), out, atol=1e-6)
        for v in twin.trainable_weights:
            v.assign(v * 0)
        assert not host(twin(X)).any()
        np.testing.assert_allclose(host(layer(X)), out, atol=1e-6)


@kinds
def test_frozen_weights_stay(engine, kind, tmp_path):
    model = make(kind, tmp_path)
    layer = model.layers[0]
    layer.trainable = False
    inputs = keras.Input((3,))
    model = keras.Model(inputs, L.Dense(1)(layer(inputs)))
    model.compile("sgd", "mse")
    before = layer.get_weights()
    model.fit(X, Y, epochs=1, verbose=0)
    assert len(model.trainable_weights) == 2
    for v, old in zip(layer.weights, before, strict=True):
        if "calls" not in v.name:
            np.testing.assert_array_equal(v.numpy(), old)
    layer.trainable = True
    assert len(layer.trainable_weights) >= 2


# torch --------------------------------------------------------------------------------------------


@on("torch")
def test_torch_module_shares_its_parameters(engine):
    import torch

    module = torch.nn.Linear(3, 2)
    layer = L.TorchModuleWrapper(module)
    x = torch.ones(2, 3)
    torch.testing.assert_close(layer(x), module(x))
    layer.weights[0].assign(np.zeros((2, 3)))
    assert not module.weight.any()
    with torch.no_grad():
        module.weight += 1
    np.testing.assert_array_equal(layer.weights[0].numpy(), np.ones((2, 3)))
    assert list(layer.parameters())[0] is module.weight
    layer(x).sum().backward()
    assert module.weight.grad is not None
    with config.backend_scope("numpy"):
        layer.weights[0].value  # noqa: B018 - moves
    layer(x)
    assert layer.weights[0].value is module.weight


@on("torch")
def test_torch_buffers_modes_and_names(engine):
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    layer = L.TorchModuleWrapper(module)
    assert [v.name for v in layer.weights] == [
        "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
        "1.num_batches_tracked",
    ]
    assert [v.trainable for v in layer.weights] == [True] * 4 + [False] * 3
    first = host(layer(X, training=False))
    np.testing.assert_array_equal(first, host(layer(X, training=False)))
    assert module.training and not layer.weights[4].numpy().any()
    layer(X, training=True)
    assert layer.weights[4].numpy().any() and layer.weights[6].numpy() == 1
    # A stateless call leaves them as they were.
    kept = layer.get_weights()
    trainable = [v.value * 0 for v in layer.trainable_variables]
    out, other = layer.stateless_call(
        trainable, [v.value for v in layer.non_trainable_variables], X, training=True
    )
    assert not host(out).any() and float(other[2]) == 2
    for v, old in zip(layer.weights, kept, strict=True):
        np.testing.assert_array_equal(v.numpy(), old)


@on("torch")
def test_torch_lazy_modules_and_several_inputs(engine):
    import torch

    layer = L.TorchModuleWrapper(torch.nn.LazyLinear(4))
    assert not layer.built
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 4) and layer.weights[0].shape == (4, 3)
    module = torch.nn.Bilinear(3, 2, 4)
    pair = L.TorchModuleWrapper(module)
    out = pair(X, X[:, :2])
    torch.testing.assert_close(out, module(torch.tensor(X), torch.tensor(X[:, :2])))


@on("torch")
def test_torch_config_is_a_pickle_and_refused(engine, tmp_path):
    model = make("torch", tmp_path)
    model.save(tmp_path / "m.keras")
    with pytest.raises(UnsafeFile, match="safe_mode=False"):
        keras.models.load_model(tmp_path / "m.keras")
    twin = keras.models.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_allclose(twin.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    with pytest.raises(ValueError, match="torch.nn.Module"):
        L.TorchModuleWrapper(3)


@on("torch")
def test_mixed_precision_runs_the_module_in_half(engine):
    import torch

    layer = L.TorchModuleWrapper(torch.nn.Linear(3, 2), dtype="mixed_bfloat16")
    assert layer(X).dtype is torch.bfloat16
    assert layer.weights[0].dtype == "float32" and layer.module.weight.dtype is torch.float32


# Layers as torch modules --------------------------------------------------------------------------


def small_model():
    keras.utils.set_random_seed(0)
    return keras.Sequential([
        keras.Input((3,)), L.Dense(8, activation="tanh"), L.BatchNormalization(), L.Dropout(0.1),
        L.Dense(1),
    ])


@needs("torch")
@pytest.mark.parametrize("active", ["numpy", "torch"])
def test_model_as_torch_module_trains_both_ways(active):
    import torch

    with config.backend_scope(active):
        model = small_model()
        module = keras.utils.to_torch_module(model)
        names = list(module.state_dict())
        assert names[0] == "dense.kernel" or names[0].endswith(".kernel")
        assert len(list(module.parameters())) == 6 and len(list(module.buffers())) == 2
        optimizer = torch.optim.Adam(module.parameters(), 0.02)
        x, y = torch.tensor(X), torch.tensor(Y)
        losses = []
        for _ in range(60):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(module(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.2 * losses[0]
        module.eval()
        out = module(x).detach().numpy()
        np.testing.assert_allclose(model.predict(X, verbose=0), out, atol=1e-5)
        model.compile(keras.optimizers.Adam(0.02), "mse")
        model.fit(X, Y, epochs=2, verbose=0)
        np.testing.assert_allclose(module(x).detach().numpy(), model.predict(X, verbose=0), atol=1e-5)
        # The optimizer of torch still holds what is trained.
        before = model.get_weights()
        optimizer.zero_grad()
        module(x).sum().backward()
        optimizer.step()
        assert any(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights(), strict=True))


@needs("torch")
def test_state_dict_copies_and_conversions():
    import torch

    with config.backend_scope("torch"):
        model = small_model()
        module = keras.utils.to_torch_module(model)
        state = {k: torch.full_like(v, 0.5) for k, v in module.state_dict().items()}
        with config.backend_scope("numpy"):
            model.predict(X, verbose=0)  # the values are NumPy's now
        module.load_state_dict(state)
        for w in model.get_weights():
            assert (w == 0.5).all()
        twin = copy.deepcopy(module)
        with torch.no_grad():
            for p in twin.parameters():
                p.zero_()
        assert all((w == 0.5).all() for w in model.get_weights())
        assert not any(p.any() for p in twin.layer.get_weights()[:2])
        module.double()
        assert model.weights[0].dtype == "float64"
        with pytest.raises(ValueError, match="no weights yet"):
            keras.utils.to_torch_module(L.Dense(2))
        with pytest.raises(ValueError, match="layer or model"):
            keras.utils.to_torch_module(3)


@needs("torch")
def test_a_layer_inside_a_torch_network():
    import torch

    with config.backend_scope("torch"):
        lstm = L.LSTM(5)
        lstm.build((None, None, 3))
        net = torch.nn.Sequential(keras.utils.to_torch_module(lstm), torch.nn.Linear(5, 1))
        assert len(list(net.parameters())) == 5
        net(torch.ones(2, 4, 3)).sum().backward()
        assert all(p.grad is not None for p in net.parameters())


def make_network():
    """A network of torch with layers of ours as its parts."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = L.Dense(4, activation="relu")
            self.rest = torch.nn.Sequential(L.BatchNormalization(), torch.nn.Linear(4, 1))

        def forward(self, x):
            return self.rest(self.first(x))

    return Net()


@on("torch")
def test_layers_are_parts_of_torch_networks(engine):
    import torch

    net, x, y = make_network(), torch.tensor(X), torch.tensor(Y)
    assert isinstance(net.first, torch.nn.Module)
    net(x[:2])
    assert len(list(net.parameters())) == 6 and len(list(net.buffers())) == 2
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()  # between the two passes: nothing may move
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4
    other = make_network()
    other(x[:2])
    values = dict(zip(other.state_dict(), net.state_dict().values(), strict=True))
    other.load_state_dict(values)
    torch.testing.assert_close(other(x), net(x))
    assert net.eval() is net and net.first.training is False
    net.double()
    assert net.first.kernel.value.dtype is torch.float64 and net.first.kernel.dtype == "float64"
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


@on("torch")
def test_models_have_what_torch_modules_have(engine):
    model = keras.Sequential([keras.Input((3,)), L.Dense(4), L.Dense(1)])
    same = (model.to("cpu"), model.train(), model.eval(), model.float())
    assert all(m is model for m in same)
    model.layers[0].trainable = False
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]
    for p in model.parameters():
        assert any(p is v.value for v in model.weights)
    twin = copy.deepcopy(model)
    twin.set_weights([w + 1 for w in twin.get_weights()])
    np.testing.assert_array_equal(twin.get_weights()[1], model.get_weights()[1] + 1)


@on("torch")
def test_hooks_and_parameters_of_layers(engine):
    import torch

    class Scale(L.Layer):
        def __init__(self):
            super().__init__()
            self.gain = torch.nn.Parameter(torch.full((3,), 2.0))
            self.register_buffer("shift", torch.ones(3))

        def call(self, x):
            return x * self.gain + self.shift

    model = keras.Sequential([keras.Input((3,)), Scale(), L.Dense(1)])
    assert len(list(model.parameters())) == 3
    seen = []
    handle = model.layers[0].register_forward_hook(lambda layer, x, y: seen.append(y))
    model(X).sum().backward()
    torch.testing.assert_close(seen[0], 2 * torch.tensor(X) + 1)
    assert all(p.grad is not None for p in model.parameters())
    handle.remove()
    model(X)
    assert len(seen) == 1


@on("torch")
def test_torch_modules_in_attributes_of_layers(engine, tmp_path):
    import torch

    class Block(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.body = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
            self.heads = torch.nn.ModuleList([torch.nn.Linear(4, 1)])

        def call(self, x):
            return self.heads[0](self.body(x))

    model = keras.Sequential([keras.Input((3,)), Block()])
    body, heads = model.layers[0].body, model.layers[0].heads
    assert len(model.trainable_weights) == 6 and len(model.non_trainable_weights) == 3
    assert len(heads) == 1 and body[0].weight is body.module[0].weight
    model.compile(keras.optimizers.Adam(0.05), "mse")
    before = body[0].weight.detach().clone()
    model.fit(X, Y, epochs=1, batch_size=64, verbose=0)
    assert (body[0].weight != before).all()  # also by the very first step
    assert int(body[1].num_batches_tracked) == 1
    model.fit(X, Y, epochs=20, batch_size=64, verbose=0)
    expected = model.predict(X, verbose=0)
    body.eval()
    with torch.no_grad():
        raw = heads[0](body.module(torch.tensor(X)))
    np.testing.assert_allclose(raw.numpy(), expected, rtol=1e-5, atol=1e-6)
    model.save_weights(tmp_path / "m.weights.h5")
    other = keras.Sequential([keras.Input((3,)), Block()])
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(other.predict(X, verbose=0), expected, rtol=1e-6)


# JAX ----------------------------------------------------------------------------------------------


@on("jax")
def test_jax_state_rng_and_training(engine):
    import jax

    def init(rng, inputs, training):
        assert training is True
        return {}, {"seen": np.zeros((), "int32")}

    def call(params, state, rng, inputs, training):
        noise = jax.random.normal(rng, inputs.shape) if training else 0.0
        return inputs + noise, {"seen": state["seen"] + 1}

    layer = L.JaxLayer(call, init, seed=1)
    a, b = host(layer(X, training=True)), host(layer(X, training=True))
    assert np.abs(a - b).max() > 0.1
    np.testing.assert_array_equal(host(layer(X)), X)
    assert [v.numpy().tolist() for v in layer.weights] == [3] and not layer.trainable_weights
    again = L.JaxLayer(call, init, seed=1)
    np.testing.assert_array_equal(host(again(X, training=True)), a)


@on("jax")
def test_jax_trees_given_and_configs(engine):
    params = {"layers": [{"w": np.ones((3, 2), "float32")}, {"w": np.full((2, 1), 2.0, "float32")}]}

    @keras.saving.register_keras_serializable("test_interop")
    def chain(params, inputs):
        for part in params["layers"]:
            inputs = inputs @ part["w"]
        return inputs

    layer = L.JaxLayer(chain, params=params)
    assert [v.name for v in layer.weights] == ["layers.0.w", "layers.1.w"]
    np.testing.assert_allclose(host(layer(X)), 4 * X.sum(1, keepdims=True), rtol=1e-4, atol=1e-5)
    import json

    twin = L.deserialize(json.loads(json.dumps(L.serialize(layer))))
    twin.set_weights(layer.get_weights())
    np.testing.assert_allclose(host(twin(X)), host(layer(X)))


@on("jax")
@pytest.mark.parametrize(("function", "reason"), [
    (lambda p, inputs: inputs, "by these names"),
    (lambda params: params, "must take the argument 'inputs'"),
    (lambda params, inputs: inputs, "init_fn, params or state must be given"),
    (3, "is a function"),
])
def test_jax_wrong_functions_are_told(engine, function, reason):
    with pytest.raises(ValueError, match=reason):
        L.JaxLayer(function)


@on("jax")
def test_flax_modules_with_statistics_dropout_and_config(engine, tmp_path):
    nn = pytest.importorskip("flax.linen")

    class Net(nn.Module):
        width: int = 4

        @nn.compact
        def __call__(self, x, training=False):
            x = nn.BatchNorm(use_running_average=not training, momentum=0.5)(nn.Dense(self.width)(x))
            return nn.Dense(1)(nn.Dropout(0.2, deterministic=not training)(x))

        def doubled(self, x):
            return 2 * self(x)

    inputs = keras.Input((3,))
    layer = L.FlaxLayer(Net(6), seed=3)
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 1)
    assert len(layer.trainable_weights) == 6 and len(layer.non_trainable_weights) == 2
    model.compile("adam", "mse")
    before = [v.numpy() for v in layer.non_trainable_weights]
    model.fit(X, Y, epochs=2, verbose=0)
    assert any(np.abs(v.numpy() - b).max() > 1e-3
               for v, b in zip(layer.non_trainable_weights, before, strict=True))
    np.testing.assert_array_equal(model.predict(X, verbose=0), model.predict(X, verbose=0))
    variables = Net(6).init(__import__("jax").random.key(0), X, training=False)
    given = L.FlaxLayer(Net(6), variables=variables)
    np.testing.assert_allclose(host(given(X)), host(Net(6).apply(variables, X)), atol=1e-6)
    double = L.FlaxLayer(Net(6), method="doubled", variables=variables)
    np.testing.assert_allclose(host(double(X)), 2 * host(given(X)), atol=1e-5)
    model.save(tmp_path / "m.keras")
    twin = keras.models.load_model(tmp_path / "m.keras", custom_objects={"Net": Net})
    np.testing.assert_allclose(twin.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    with pytest.raises(ValueError, match="custom_objects"):
        keras.models.load_model(tmp_path / "m.keras")


def test_a_module_without_config_is_told():
    from kerasish.layers.interop import _module_config

    assert not dataclasses.is_dataclass(Affine)
    with pytest.raises(ValueError, match="get_config"):
        _module_config(Affine())


# TensorFlow ---------------------------------------------------------------------------------------


@on("tensorflow")
def test_saved_model_endpoints(engine, tmp_path):
    layer = make_saved(tmp_path)
    assert [v.name for v in layer.weights] == ["w", "offset", "steps"]
    assert len(layer.trainable_weights) == 2
    np.testing.assert_allclose(host(layer(X)), 0.1 * X.sum(1, keepdims=True), rtol=1e-4, atol=1e-5)
    named = L.TFSMLayer(tmp_path / "saved", call_endpoint="double")
    out = named(X)
    np.testing.assert_allclose(host(next(iter(out.values()))), host(layer(X)), rtol=1e-5)
    with pytest.raises(ValueError, match="no endpoint 'nothing'.*serve"):
        L.TFSMLayer(tmp_path / "saved", call_endpoint="nothing")
    frozen = L.TFSMLayer(tmp_path / "saved", trainable=False)
    assert not frozen.trainable_weights
    with pytest.raises(UnsafeFile):
        L.deserialize(L.serialize(layer))
    model = keras.Sequential([keras.Input((3,)), layer])
    model.save(tmp_path / "m.keras")
    twin = keras.models.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_allclose(twin.predict(X, verbose=0), model.predict(X, verbose=0))


@on("torch")
def test_optimizer_state_of_a_wrapped_convolution_is_that_of_its_gradient(engine):
    """torch's own kernels lie in memory in another order than ours."""
    import torch

    module = torch.nn.Conv2d(2, 3, 3)
    twin = copy.deepcopy(module)
    x = torch.as_tensor(rng.standard_normal((4, 2, 5, 5)), dtype=torch.float32)
    twin(x).square().mean().backward()
    model = keras.Sequential([keras.Input((2, 5, 5)), L.TorchModuleWrapper(module)])
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.9), "mse")
    y = np.zeros(tuple(twin(x).shape), "float32")
    model.fit(x.numpy(), y, batch_size=4, verbose=0)
    momentum = next(v for v in model.optimizer.variables if v.shape == (3, 2, 3, 3))
    np.testing.assert_allclose(host(momentum), 0.1 * host(twin.weight.grad), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("first_use", [
    lambda torch, model: torch.inference_mode()(model)(X),
    lambda torch, model: torch.func.vmap(lambda row: model(row[None])[0])(torch.tensor(X)),
    lambda torch, model: torch.func.grad(lambda x: model(x).sum())(torch.tensor(X)),
], ids=["inference_mode", "vmap", "grad"])  # fmt: skip
def test_a_model_that_is_first_used_in_a_transform_of_torch_is_trained_later(first_use):
    torch = pytest.importorskip("torch")
    with config.backend_scope("torch"):
        model = keras.Sequential([
            keras.Input((X.shape[1],)), keras.layers.Dense(3), keras.layers.BatchNormalization(),
        ])  # fmt: skip
        first_use(torch, model)
        before = model.get_weights()
        model.compile("sgd", "mse")
        model.fit(X, np.ones((len(X), 3)), verbose=0)
    assert all((a != b).any() for a, b in zip(before[-2:], model.get_weights()[-2:], strict=True))
