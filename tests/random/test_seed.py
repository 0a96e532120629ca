"""Seeds: SeedGenerator, the global seed, and the host's generator."""

import copy
import pickle
import random as python_random

import numpy as np
import pytest

from kerasish import backends, config, initializers, ops, random
from kerasish.core.scope import StatelessScope, name_scope
from kerasish.core.variable import Variable
from kerasish.errors import InvalidArgument
from kerasish.random import host, seed
from kerasish.random.seed import set_random_seed
from kerasish.saving import serialization


@pytest.fixture(autouse=True)
def _keep_global_seed():
    before = host.global_seed()
    yield
    set_random_seed(before)


def test_states(backend):
    seeds = random.SeedGenerator(7)
    first, second = seeds.next(), seeds.next()
    assert ops.convert_to_numpy(first).tolist() == [7, 0]
    assert ops.convert_to_numpy(second).tolist() == [7, 1]
    assert seeds.state.numpy().tolist() == [7, 2]
    assert seeds.state.dtype == "uint32" and not seeds.state.trainable
    a = ops.convert_to_numpy(random.normal((3,), seed=first))
    b = ops.convert_to_numpy(random.normal((3,), seed=random.SeedGenerator(7)))
    np.testing.assert_array_equal(a, b)


def test_calls_differ_and_repeat(backend):
    seeds = random.SeedGenerator(1)
    a, b = (ops.convert_to_numpy(random.uniform((9,), seed=seeds)) for _ in range(2))
    assert not np.any(a == b)
    fixed = [ops.convert_to_numpy(random.uniform((9,), seed=4)) for _ in range(2)]
    np.testing.assert_array_equal(*fixed)


def test_a_generator_moves_between_backends():
    seeds, want = random.SeedGenerator(5), random.SeedGenerator(5)
    for name in ("numpy", "torch", "jax", "tensorflow", "torch", "numpy"):
        if not backends.installed(name):
            continue
        with config.backend_scope(name):
            got = ops.convert_to_numpy(random.uniform((6,), seed=seeds))
        np.testing.assert_array_equal(got, random.uniform((6,), seed=want))


def test_global_seed(backend):
    set_random_seed(3)
    first = [ops.convert_to_numpy(random.normal((4,))) for _ in range(2)]
    python, numpy = python_random.random(), np.random.random()
    set_random_seed(3)
    again = [ops.convert_to_numpy(random.normal((4,))) for _ in range(2)]
    np.testing.assert_array_equal(first, again)
    assert (python, numpy) == (python_random.random(), np.random.random())
    assert not np.array_equal(first[0], first[1])
    set_random_seed(4)
    assert not np.array_equal(first[0], ops.convert_to_numpy(random.normal((4,))))


def test_stateless_scope(backend):
    seeds = random.SeedGenerator(2)
    with StatelessScope([(seeds.state, np.array([2, 9], np.uint32))]) as scope:
        seeds.next()
    assert ops.convert_to_numpy(scope.get_current_value(seeds.state)).tolist() == [2, 10]
    assert seeds.state.numpy().tolist() == [2, 0]


def test_configs_and_copies():
    seeds = random.SeedGenerator(9, name="mine")
    assert seeds.get_config() == {"seed": 9, "name": "mine"}
    twin = serialization.deserialize_keras_object(serialization.serialize_keras_object(seeds))
    assert twin.get_config() == seeds.get_config()
    seeds.next()
    for copied in (copy.deepcopy(seeds), pickle.loads(pickle.dumps(seeds))):
        assert copied.next().tolist() == [9, 1]
    assert seeds.next().tolist() == [9, 1]


def test_large_seeds():
    states = {tuple(random.SeedGenerator(s).state.numpy().tolist())
              for s in (1, 2**32 + 1, 2**33 + 1, 2**32, 0)}
    assert len(states) == 5 and all(counter == 0 for _, counter in states)


@pytest.mark.parametrize("bad", [-1, 1.5, "a", [1]])
def test_bad_seeds(bad):
    with pytest.raises(InvalidArgument):
        random.SeedGenerator(bad)
    with pytest.raises(InvalidArgument):
        set_random_seed(bad)


def test_default_seeds_follow_the_global_one():
    set_random_seed(1)
    a = [random.SeedGenerator()._initial_seed for _ in range(3)]
    set_random_seed(1)
    assert a == [random.SeedGenerator()._initial_seed for _ in range(3)]
    assert len(set(a)) == 3


def kernel(path, initializer="glorot_uniform"):
    *scopes, name = path.split("/")
    with name_scope(scopes[0]):
        return Variable(initializers.get(initializer), shape=(4, 5), name=name).numpy()


def test_weights_are_equal_on_all_backends(backend):
    set_random_seed(12)
    got = kernel("dense/kernel"), kernel("dense_1/kernel"), kernel("conv/bias", "truncated_normal")
    with config.backend_scope("numpy"):
        set_random_seed(12)
        want = kernel("dense/kernel"), kernel("dense_1/kernel"), kernel("conv/bias", "truncated_normal")
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.any(got[0] == got[1])


def test_another_layer_does_not_change_the_weights_of_others():
    set_random_seed(1)
    a = kernel("first/kernel"), kernel("last/kernel")
    set_random_seed(1)
    kernel("new/kernel")
    np.testing.assert_array_equal((kernel("first/kernel"), kernel("last/kernel")), a)


def test_a_second_model_after_the_same_seed_is_the_first_one():
    """Automatic names go on counting; the weights must not depend on that."""
    set_random_seed(1)
    a = kernel("dense/kernel"), kernel("dense_1/kernel")
    set_random_seed(1)
    np.testing.assert_array_equal((kernel("dense_2/kernel"), kernel("dense_3/kernel")), a)


def test_streams_are_independent():
    set_random_seed(1)
    rows = np.stack([host.generator(f"layer{i}").standard_normal(4000) for i in range(20)]
                    + [host.generator("layer0").standard_normal(4000) for _ in range(20)])
    assert np.abs(np.corrcoef(rows) - np.eye(40)).max() < 5 / np.sqrt(4000)


def test_shuffle_indices():
    set_random_seed(1)
    a = host.shuffle_indices(50, epoch=2)
    assert sorted(a.tolist()) == list(range(50))
    np.testing.assert_array_equal(a, host.shuffle_indices(50, epoch=2))
    assert not np.array_equal(a, host.shuffle_indices(50, epoch=3))
    assert not np.array_equal(a, host.shuffle_indices(50, epoch=2, stream="validation"))
    set_random_seed(2)
    assert not np.array_equal(a, host.shuffle_indices(50, epoch=2))
    np.testing.assert_array_equal(a, host.shuffle_indices(50, epoch=2, seed=1))


def test_the_global_state_stays_one_variable():
    """Compiled functions hold on to it."""
    state = seed.global_seed_generator().state
    set_random_seed(77)
    assert seed.global_seed_generator().state is state and state.numpy().tolist() == [77, 0]
