"""What all optimizers share: clipping, decay, averages, accumulation, files, custom classes."""

import copy
import pickle
import warnings

import numpy as np
import pytest

from kerasish import backends, config, errors, ops, optimizers
from kerasish.core.variable import Variable
from kerasish.optimizers import SGD, Adam, AdamW, Optimizer, schedules
from tests.peer import keras_peer


def two():
    return [
        Variable(np.arange(6, dtype="float32").reshape(3, 2), name="kernel"),
        Variable(np.ones(2, "float32"), name="bias"),
    ]


def ones():
    return [np.ones((3, 2), "float32"), np.ones(2, "float32")]


def applied(optimizer, grads, values=None):
    """How far one step moves variables that begin at zero (or at `values`)."""
    values = [np.zeros_like(g) for g in grads] if values is None else values
    variables = [Variable(v, name=f"v{i}") for i, v in enumerate(values)]
    optimizer.apply([backends.active.convert(g) for g in grads], variables)
    return [v.numpy() - x for v, x in zip(variables, values, strict=True)]


# Gradients --------------------------------------------------------------------------------------


def test_clipnorm_shortens_long_gradients_only(backend):
    long, short = np.array([3.0, 4.0], "float32"), np.array([0.3, 0.4], "float32")
    a, b = applied(SGD(1.0, clipnorm=1.0), [long, short])
    np.testing.assert_allclose(a, -long / 5, rtol=1e-6)
    np.testing.assert_allclose(b, -short, rtol=1e-6)


def test_global_clipnorm_keeps_the_direction(backend):
    grads = [np.array([2.0, 1.0], "float32"), np.array([[2.0]], "float32")]
    a, b = applied(SGD(1.0, global_clipnorm=1.5), grads)
    np.testing.assert_allclose(a, -grads[0] / 2, rtol=1e-6)
    np.testing.assert_allclose(b, -grads[1] / 2, rtol=1e-6)
    a, b = applied(SGD(1.0, global_clipnorm=5.0), grads)
    np.testing.assert_allclose(b, -grads[1], rtol=1e-6)


def test_clipping_of_zero_gradients_is_zero(backend):
    for options in ({"clipnorm": 1.0}, {"global_clipnorm": 1.0}):
        (step,) = applied(SGD(1.0, **options), [np.zeros(3, "float32")])
        assert step.tolist() == [0, 0, 0]


def test_clipvalue(backend):
    (step,) = applied(SGD(1.0, clipvalue=0.5), [np.array([2.0, -0.25, -3.0], "float32")])
    assert step.tolist() == [-0.5, 0.25, 0.5]


def test_missing_gradients_are_left_out_and_warned_about_once(backend):
    kernel, bias = two()
    optimizer = Adam(0.1)
    optimizer.build([kernel, bias])
    before = bias.numpy()
    with pytest.warns(UserWarning, match="no gradient for .*bias"):
        optimizer.apply([ones()[0], None], [kernel, bias])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.apply([ones()[0], None], [kernel, bias])
    assert (bias.numpy() == before).all() and (kernel.numpy() < two()[0].numpy()).all()
    with pytest.raises(errors.InvalidArgument, match="no gradient for any"):
        optimizer.apply([None, None], [kernel, bias])


@pytest.mark.parametrize("compiled", [False, True])
def test_sparse_gradients_of_a_tensorflow_tape(compiled):
    tf = pytest.importorskip("tensorflow")
    with config.backend_scope("tensorflow"):
        table = Variable(np.zeros((4, 2), "float32"), name="table")
        optimizer = Adam(0.5, global_clipnorm=1.0)
        optimizer.build([table])

        def step():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.gather(table.value, [1, 1, 3]))
            grads = tape.gradient(loss, [table.value])
            assert isinstance(grads[0], tf.IndexedSlices)
            optimizer.apply(grads, [table])

        (tf.function(step) if compiled else step)()
        wanted = [[0.0, 0.0], [-0.5, -0.5], [0.0, 0.0], [-0.5, -0.5]]
        np.testing.assert_allclose(table.numpy(), wanted, rtol=1e-5)


def test_wrong_calls_say_what_is_wrong(backend):
    kernel, bias = two()
    optimizer = SGD(0.1)
    with pytest.raises(ValueError, match="1 gradients for 2 variables"):
        optimizer.apply(ones()[:1], [kernel, bias])
    with pytest.raises(ValueError, match=r"kernel.*\(2,\).*\(3, 2\)"):
        optimizer.apply(ones()[::-1], [kernel, bias])
    with pytest.raises(ValueError, match="not built for the variable 'stranger'"):
        optimizer.apply(ones()[1:], [Variable(np.ones(2, "float32"), name="stranger")])
    with pytest.raises(ValueError, match="build"):
        SGD().stateless_apply([], [], [])
    with pytest.raises(NotImplementedError, match="defines no update"):
        Optimizer(0.1).apply(ones(), two())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clipnorm": -1.0}, "clipnorm must be positive"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "only one of"),
        ({"use_ema": True, "ema_momentum": 2.0}, "ema_momentum"),
        ({"use_ema": True, "ema_overwrite_frequency": 0}, "ema_overwrite_frequency"),
        ({"gradient_accumulation_steps": 1}, "gradient_accumulation_steps"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"lr": 0.1}, "no arguments \\['lr'\\]"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Adam(**options)


def test_subsets_of_variables_may_be_updated(backend):
    kernel, bias = two()
    optimizer = SGD(1.0, momentum=0.5)
    optimizer.build([kernel, bias])
    optimizer.apply(ones()[1:], [bias])
    optimizer.apply(ones(), [kernel, bias])
    optimizer.apply(ones()[1:], [bias])
    np.testing.assert_allclose(bias.numpy(), 1 - (1 + 1.5 + 1.75) * np.ones(2))
    np.testing.assert_allclose(kernel.numpy(), two()[0].numpy() - 1)


# Decay, averages, accumulation, constraints -----------------------------------------------------


def test_weight_decay_and_its_exclusions(backend):
    names = ("kernel", "bias", "gamma")
    variables = [Variable([1.0, 2.0], name=name) for name in names]
    optimizer = SGD(0.5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_list=variables[2:], var_names=["^bia"])
    zeros = [np.zeros(2, "float32")] * 3
    optimizer.apply(zeros, variables)
    np.testing.assert_allclose(variables[0].numpy(), [0.95, 1.9], rtol=1e-6)
    assert variables[1].numpy().tolist() == variables[2].numpy().tolist() == [1.0, 2.0]
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    optimizer.apply(zeros, variables)
    np.testing.assert_allclose(variables[0].numpy(), [0.95, 1.9], rtol=1e-6)
    np.testing.assert_allclose(variables[2].numpy(), [0.95, 1.9], rtol=1e-6)


def test_moving_averages(backend):
    (weight,) = variables = [Variable([0.0])]
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.5)
    wanted = None
    for t in range(1, 5):
        optimizer.apply([np.ones(1, "float32")], variables)
        wanted = -t if wanted is None else 0.5 * wanted - 0.5 * t
    assert weight.numpy().tolist() == [-4.0]
    optimizer.finalize_variable_values(variables)
    np.testing.assert_allclose(weight.numpy(), [wanted], rtol=1e-6)


def test_averages_before_training_are_the_weights(backend):
    variables = two()
    optimizer = SGD(use_ema=True)
    optimizer.build(variables)
    optimizer.finalize_variable_values(variables)
    assert (variables[0].numpy() == two()[0].numpy()).all()


def test_accumulation_is_one_step_by_the_mean(backend):
    rng = np.random.default_rng(0)
    grads = [rng.normal(size=(3,)).astype("float32") for _ in range(6)]
    weight, twin = Variable(np.ones(3, "float32")), Variable(np.ones(3, "float32"))
    accumulating, plain = Adam(0.1, gradient_accumulation_steps=3), Adam(0.1)
    for i, g in enumerate(grads):
        accumulating.apply([g], [weight])
        if i % 3 == 2:
            plain.apply([np.mean(grads[i - 2 : i + 1], axis=0)], [twin])
        assert int(accumulating.iterations) == (i + 1) // 3
    np.testing.assert_allclose(weight.numpy(), twin.numpy(), rtol=1e-5)


def test_constraints_hold_after_each_step(backend):
    weight = Variable([1.0, 1.0])
    weight.constraint = lambda w: ops.maximum(w, 0.75)
    optimizer = SGD(1.0)
    optimizer.apply([np.array([0.5, 0.125], "float32")], [weight])
    assert weight.numpy().tolist() == [0.75, 0.875]


def test_some_variables_take_their_gradient_as_value(backend):
    moved, scale = Variable([1.0], name="moved"), Variable([1.0], name="scale")
    scale.overwrite_with_gradient = True
    optimizer = SGD(1.0, loss_scale_factor=2.0, gradient_accumulation_steps=2)
    for g in (4.0, 2.0):
        optimizer.apply([np.array([g], "float32")] * 2, [moved, scale])
    assert moved.numpy().tolist() == [-0.5]
    assert scale.numpy().tolist() == [2.0], "the largest, as the gradients came: divided by 2"


# The learning rate ------------------------------------------------------------------------------


def test_learning_rate_can_be_set(backend):
    weight = Variable([0.0])
    optimizer = SGD(0.5)
    for rate in (0.5, 0.25):
        optimizer.learning_rate = rate
        optimizer.apply([np.ones(1, "float32")], [weight])
    optimizer.learning_rate.assign(0.125)
    optimizer.apply([np.ones(1, "float32")], [weight])
    assert weight.numpy().tolist() == [-0.875]
    assert float(optimizer.learning_rate) == 0.125 and int(optimizer.iterations) == 3


def test_a_changed_setting_counts_at_the_next_step(backend):
    weight = Variable([0.0])
    optimizer = SGD(1.0, momentum=0.5)
    optimizer.apply([np.ones(1, "float32")], [weight])
    optimizer.momentum = 0.0
    optimizer.apply([np.ones(1, "float32")], [weight])
    assert weight.numpy().tolist() == [-2.0]


def test_schedules_cannot_be_overwritten_by_numbers():
    optimizer = SGD(schedules.ExponentialDecay(0.1, 10, 0.9))
    with pytest.raises(TypeError, match="follows"):
        optimizer.learning_rate = 0.1
    assert [v.name for v in optimizer.variables] == ["iteration"]
    plain = SGD(0.1)
    plain.learning_rate = schedules.ExponentialDecay(0.5, 10, 0.9)
    assert float(plain.learning_rate) == 0.5
    assert [v.name for v in plain.variables] == ["iteration"]


# Custom optimizers ------------------------------------------------------------------------------


class KerasMomentum(Optimizer):
    """An optimizer as Keras' documentation writes them."""

    def __init__(self, learning_rate=0.1, momentum=0.5, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.momentums = [
            self.add_variable_from_reference(v, name="momentum") for v in variables
        ]
        self.calls = Variable(0, dtype="int32", trainable=False, name="calls")

    def update_step(self, gradient, variable, learning_rate):
        rate = ops.cast(learning_rate, variable.dtype)
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, ops.subtract(ops.multiply(m, self.momentum), ops.multiply(gradient, rate)))
        self.assign_add(variable, m)
        self.assign_add(self.calls, 1)


class CentralizedAdam(Adam):
    """A subclass that changes the gradient and leaves the rest to Adam."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient - ops.mean(gradient), variable, learning_rate)


class ReadsSlots(Adam):
    """A subclass that writes Adam's step anew from the lists that Keras' Adam has."""

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        m, v = self._momentums[i], self._velocities[i]
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
        step = ops.cast(self.iterations + 1, variable.dtype)
        rate = learning_rate * ops.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        self.assign_sub(variable, m * rate / (ops.sqrt(v) + self.epsilon))


def run(optimizer, steps=4, compiled=False):
    rng = np.random.default_rng(3)
    variables = two()
    optimizer.build(variables)

    def step(a, b):
        optimizer.apply([a, b], variables)
        return a

    if compiled:
        step = backends.active.compile(step, [*variables, *optimizer.variables])
    for _ in range(steps):
        step(*[
            backends.active.convert(rng.normal(size=v.shape).astype("float32")) for v in variables
        ])  # fmt: skip
    return np.concatenate([v.numpy().ravel() for v in variables])


@pytest.mark.parametrize("compiled", [False, True])
def test_an_optimizer_in_keras_form(backend, compiled):
    optimizer = KerasMomentum(0.1, momentum=0.5)
    got = run(optimizer, compiled=compiled)
    np.testing.assert_allclose(got, run(SGD(0.1, momentum=0.5)), rtol=1e-5)
    names = [v.name for v in optimizer.variables]
    assert names == ["iteration", "learning_rate", "kernel_momentum", "bias_momentum", "calls"]
    assert int(optimizer.calls) == 8


@pytest.mark.parametrize("compiled", [False, True])
def test_subclasses_of_adam_with_their_own_step(backend, compiled):
    np.testing.assert_allclose(
        run(ReadsSlots(0.1), compiled=compiled), run(Adam(0.1)), rtol=2e-4, atol=1e-5
    )
    decayed = run(ReadsSlots(0.1, weight_decay=0.5), compiled=compiled)
    np.testing.assert_allclose(decayed, run(Adam(0.1, weight_decay=0.5)), rtol=2e-4, atol=1e-5)
    got = run(CentralizedAdam(0.1), compiled=compiled)
    assert np.abs(got - run(Adam(0.1))).max() > 0.01
    twin = Adam(0.1)
    rng, variables = np.random.default_rng(3), two()
    for _ in range(4):
        grads = [rng.normal(size=v.shape).astype("float32") for v in variables]
        twin.apply([g - g.mean() for g in grads], variables)
    wanted = np.concatenate([v.numpy().ravel() for v in variables])
    np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=1e-5)


def test_a_rule_of_a_subclass_is_not_bypassed_by_a_kernel(backend):
    class Backwards(Adam):
        def rule(self, param, grad, slots, rate):
            return super().rule(param, -grad, slots, rate)

    up, down = run(Backwards(0.1), steps=1), run(Adam(0.1), steps=1)
    start = np.concatenate([v.numpy().ravel() for v in two()])
    np.testing.assert_allclose(up - start, start - down, atol=1e-6)


# State ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda: Adam(0.1, use_ema=True, ema_overwrite_frequency=2, global_clipnorm=1.0),
    lambda: Adam(0.1, gradient_accumulation_steps=2, clipnorm=0.5, weight_decay=0.1),
    lambda: optimizers.Nadam(schedules.CosineDecay(0.1, 9), clipvalue=0.5),
    lambda: optimizers.Ftrl(0.1), lambda: optimizers.Lamb(0.1), lambda: optimizers.Muon(0.1),
    lambda: optimizers.Adafactor(0.1), lambda: SGD(0.1, momentum=0.9, nesterov=True),
    lambda: optimizers.ScheduleFreeAdamW(0.1, warmup_steps=2),
    lambda: Adam(0.1, amsgrad=True),
])  # fmt: skip
def test_compiled_and_stateless_steps_are_the_eager_ones(backend, make):
    with config.backend_scope("numpy"):
        wanted = run(make())
    np.testing.assert_allclose(run(make()), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run(make(), compiled=True), wanted, rtol=1e-4, atol=1e-5)
    rng, variables, optimizer = np.random.default_rng(3), two(), make()
    optimizer.build(variables)
    weights = [v.value for v in variables]
    state = [v.value for v in optimizer.variables]
    for _ in range(4):
        grads = [
            backends.active.convert(rng.normal(size=v.shape).astype("float32")) for v in variables
        ]
        weights, state = optimizer.stateless_apply(state, grads, weights)
    got = np.concatenate([backends.to_host(w).ravel() for w in weights])
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    assert (variables[0].numpy() == two()[0].numpy()).all(), "nothing was written"
    assert int(optimizer._iterations) == 0


def test_steps_can_be_differentiated(backend):
    """d/dg of the weight after a stateless step: the chain through the optimizer itself."""
    weight = Variable([1.0, 2.0])
    optimizer = SGD(0.5)
    optimizer.build([weight])

    def loss(g):
        (new,), _ = optimizer.stateless_apply(
            [v.value for v in optimizer.variables], [g], [weight.value]
        )
        return ops.sum(ops.square(new)), None

    (_, _), (grad,) = backends.active.value_and_grad(loss, [], [np.ones(2, "float32")])
    np.testing.assert_allclose(backends.to_host(grad), -2 * 0.5 * np.array([0.5, 1.5]), rtol=1e-5)


def test_training_goes_on_over_a_change_of_backend():
    if len(config.available_backends()) < 2:
        pytest.skip("needs a second backend")
    rng = np.random.default_rng(5)
    grads = [[rng.normal(size=v.shape).astype("float32") for v in two()] for _ in range(8)]
    results = []
    for route in (["numpy"] * 8, [*config.available_backends()] * 2):
        variables, optimizer = two(), AdamW(0.1, use_ema=True)
        for backend, g in zip(route, grads[: len(route)], strict=False):
            with config.backend_scope(backend):
                optimizer.apply(g, variables)
        assert int(optimizer.iterations) == len(route)
        results.append((len(route), [v.numpy() for v in (*variables, *optimizer.variables)]))
    (n, wanted), (m, got) = results
    if n == m:
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_assignments_between_steps_are_seen(backend):
    """Whatever an engine keeps beside the variables must notice that they were set."""
    variables, optimizer = two(), SGD(1.0, momentum=0.5)
    optimizer.apply(ones(), variables)
    variables[0].assign(np.full((3, 2), 7.0))
    optimizer.variables[2].assign(np.zeros((3, 2)))
    optimizer.iterations.assign(40)
    optimizer.apply(ones(), variables)
    assert (variables[0].numpy() == 6.0).all()
    assert variables[1].numpy().tolist() == [-1.5, -1.5]
    assert int(optimizer.iterations) == 41


def test_copies_and_pickles_are_independent(backend):
    variables, optimizer = two(), Adam(0.1)
    optimizer.apply(ones(), variables)
    for clone in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert [v.name for v in clone.variables] == [v.name for v in optimizer.variables]
        clone.learning_rate = 0.5
        assert float(optimizer.learning_rate) == pytest.approx(0.1)


def test_saved_state_goes_on_where_it_was(backend):
    variables, optimizer = two(), Adam(0.1)
    optimizer.apply(ones(), variables)
    store = {}
    optimizer.save_own_variables(store)
    twin, copies = Adam(0.9), [Variable(v.numpy(), name=v.name) for v in variables]
    twin.build(copies)
    twin.load_own_variables(store)
    for o, vs in ((optimizer, variables), (twin, copies)):
        o.apply(ones(), vs)
    assert (variables[0].numpy() == copies[0].numpy()).all()
    with pytest.warns(UserWarning, match="not loaded: the file holds 6 variables"):
        SGD().load_own_variables(store)
    weights = [v.numpy() * 0 for v in twin.variables]
    twin.set_weights(weights)
    assert all((v.numpy() == 0).all() for v in twin.variables)
    with pytest.raises(ValueError, match="6 variables, got 5"):
        twin.set_weights(weights[1:])


def test_state_is_exchanged_with_keras(backend):
    keras = keras_peer()
    ours, theirs = Adam(0.1), keras.optimizers.Adam(0.1)
    variables = two()
    peers = [keras.Variable(v.numpy(), name=v.name) for v in variables]
    ours.apply(ones(), variables)
    theirs.build(peers)
    store = {}
    ours.save_own_variables(store)
    theirs.load_own_variables(store)
    for peer, v in zip(peers, variables, strict=True):
        peer.assign(v.numpy())
    ours.apply(ones(), variables)
    theirs.apply(ones(), peers)
    np.testing.assert_allclose(variables[0].numpy(), peers[0].numpy(), rtol=2e-5)


# Configs ----------------------------------------------------------------------------------------

BUILTIN = [
    getattr(optimizers, name) for name in optimizers.__all__
    if isinstance(getattr(optimizers, name), type) and name not in (
        "Optimizer", "OptimizerMap", "MultiOptimizer", "LossScaleOptimizer"
    )
]  # fmt: skip


@pytest.mark.parametrize("cls", BUILTIN, ids=lambda c: c.__name__)
def test_configs_are_kerass(cls):
    optimizer = cls(learning_rate=0.125, clipnorm=2.0, name="mine")
    config_ = optimizer.get_config()
    clone = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(clone) is cls and clone.get_config() == config_
    peer = getattr(keras_peer().optimizers, cls.__name__)
    assert peer(learning_rate=0.125, clipnorm=2.0, name="mine").get_config() == config_


def test_schedules_survive_configs():
    optimizer = SGD(schedules.CosineDecay(0.5, 10), momentum=0.5)
    clone = optimizers.deserialize(optimizers.serialize(optimizer))
    assert isinstance(clone._learning_rate, schedules.CosineDecay)
    assert clone.get_config()["learning_rate"]["config"]["decay_steps"] == 10


def test_get():
    assert type(optimizers.get("adam")) is Adam
    assert type(optimizers.get("AdamW")) is AdamW
    assert type(optimizers.get("RMSPROP")) is optimizers.RMSprop
    assert type(optimizers.get({"class_name": "sgd", "config": {"momentum": 0.5}})) is SGD
    assert optimizers.get(None) is None
    optimizer = SGD()
    assert optimizers.get(optimizer) is optimizer
    with pytest.raises(ValueError, match=r"Did you mean.*adam"):
        optimizers.get("adm")
    with pytest.raises(ImportError, match=r"keras.optimizers.Adam"):
        optimizers.legacy.Adam()


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_gradients_of_another_dtype_than_their_variable(backend, name):
    variable = Variable(np.ones(3), dtype="float64")
    optimizer = getattr(optimizers, name)(0.25)
    optimizer.apply([backends.active.convert(np.ones(3, "float32"))], [variable])
    assert variable.dtype == "float64"
    assert variable.numpy()[0] < 0.76
