import numpy as np
import pytest
import scipy.special

from kerasish import activations, backends, ops
from kerasish.saving.object_registration import custom_object_scope


def host(x):
    return np.asarray(backends.to_host(x))


def test_relu_options(backend):
    x = np.array([-2, -0.5, 0.5, 1.5, 9], "float32")

    def check(want, **options):
        np.testing.assert_allclose(host(activations.relu(x, **options)), want, rtol=1e-6)

    check([0, 0, 0.5, 1.5, 9])
    check([-0.2, -0.05, 0.5, 1.5, 9], negative_slope=0.1)
    check([0, 0, 0.5, 1.5, 6], max_value=6)
    check([0, 0, 0.5, 1, 1], max_value=1)
    check([0, 0, 0, 1.5, 9], threshold=1)
    check([-0.3, -0.15, -0.05, 1.5, 6], threshold=1, negative_slope=0.1, max_value=6)


def test_those_that_ops_lack(backend):
    x = np.linspace(-3, 3, 7, dtype="float32")
    np.testing.assert_allclose(host(activations.exponential(x)), np.exp(x), rtol=1e-5)
    np.testing.assert_allclose(
        host(activations.mish(x)), x * np.tanh(np.logaddexp(x, 0)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        host(activations.gelu(x)), x * scipy.special.ndtr(x), rtol=1e-5, atol=1e-6)
    assert activations.linear(x) is x


KINKS = {  # name: {place: the derivative there}
    "relu": {0: 0}, "relu6": {0: 0, 6: 0}, "leaky_relu": {0: 0.2}, "elu": {0: 1},
    "selu": {0: 1.0507010 * 1.6732632}, "celu": {0: 1}, "hard_sigmoid": {-3: 0, 3: 0},
    "hard_tanh": {-1: 0, 1: 0}, "hard_shrink": {-0.5: 0, 0.5: 0}, "soft_shrink": {-0.5: 0, 0.5: 0},
    "softsign": {0: 1}, "sparse_sigmoid": {-1: 0, 1: 0}, "softplus": {0: 0.5},
}  # fmt: skip


@pytest.mark.parametrize("name", KINKS)
def test_derivative_at_kinks_is_the_same_everywhere(name, backend):
    places = np.array([*KINKS[name]], "float32")

    def loss(x):
        return ops.sum(getattr(ops, name)(x)), None

    _, (grad,) = backends.active.value_and_grad(loss, [], [places])
    np.testing.assert_allclose(host(grad), [*KINKS[name].values()], rtol=1e-5)


@pytest.mark.parametrize("name", [
    n for n in activations.__all__ if n not in ("get", "serialize", "deserialize")
])  # fmt: skip
def test_names_go_round(name):
    function = activations.get(name)
    assert function is getattr(activations, name)
    config = activations.serialize(function)
    assert config == {"swish": "silu", "hard_swish": "hard_silu"}.get(name, name)
    assert activations.deserialize(config) is function


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get(np.tanh) is np.tanh
    with pytest.raises(ValueError, match="relu"):
        activations.get("rellu")
    with pytest.raises(ValueError):
        activations.get(3)

    def twice(x):
        return 2 * x

    with custom_object_scope({"twice": twice}):
        assert activations.get("twice") is twice
    assert activations.deserialize("twice", {"twice": twice}) is twice
