"""Initializers: distributions and closed forms, seeds, configs; Keras as a peer for names and fans."""

import numpy as np
import pytest
from scipy import stats

from kerasish import backends, config, initializers, ops, random
from kerasish.core.variable import Variable
from kerasish.errors import InvalidArgument, KerasishError, ShapeError
from tests.peer import keras_peer

SHAPE = (60, 80)
LIMIT = {"avg": 3 / 70, "in": 3 / 60, "out": 3 / 80}


def host(x):
    return np.asarray(backends.to_host(x))


def truncated(std):
    return stats.truncnorm(-2, 2, 0, std / stats.truncnorm(-2, 2).std())


def uniform(limit):
    return stats.uniform(-limit, 2 * limit)


DISTRIBUTIONS = {
    "random_uniform": uniform(0.05),
    "random_normal": stats.norm(0, 0.05),
    "truncated_normal": stats.truncnorm(-2, 2, 0, 0.05),
    "glorot_uniform": uniform((6 / 140) ** 0.5),
    "glorot_normal": truncated((2 / 140) ** 0.5),
    "he_uniform": uniform((6 / 60) ** 0.5),
    "he_normal": truncated((2 / 60) ** 0.5),
    "lecun_uniform": uniform((3 / 60) ** 0.5),
    "lecun_normal": truncated((1 / 60) ** 0.5),
    "variance_scaling": truncated((1 / 60) ** 0.5),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution(name):
    make = getattr(initializers, name)
    x = host(make(seed=3)(SHAPE))
    assert x.shape == SHAPE and x.dtype == np.float32
    assert stats.kstest(x.ravel(), DISTRIBUTIONS[name].cdf).pvalue > 1e-3
    assert abs(np.corrcoef(x.ravel()[:-1], x.ravel()[1:])[0, 1]) < 5 / x.size**0.5


@pytest.mark.parametrize("mode,n", [("fan_in", 60), ("fan_out", 80), ("fan_avg", 70)])
@pytest.mark.parametrize("kind", ["truncated_normal", "untruncated_normal", "uniform"])
def test_variance_scaling(mode, n, kind):
    x = host(initializers.VarianceScaling(1.7, mode, kind, seed=1)(SHAPE))
    std = (1.7 / n) ** 0.5
    want = {"truncated_normal": truncated(std), "untruncated_normal": stats.norm(0, std),
            "uniform": uniform(std * 3**0.5)}[kind]
    assert stats.kstest(x.ravel(), want.cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape,axes,fans", [
    ((), {}, (1, 1)), ((7,), {}, (7, 7)), ((3, 4), {}, (3, 4)), ((2, 5, 3, 4), {}, (30, 40)),
    ((6, 5, 4), {"input_axes": (0,), "output_axes": (1, 2)}, (6, 20)),
    ((6, 5, 4), {"input_axes": [0, 1], "output_axes": [2]}, (30, 4)),
])  # fmt: skip
def test_fans(shape, axes, fans):
    """A uniform distribution's bound shows the fan."""
    for mode, fan in zip(("fan_in", "fan_out"), fans, strict=True):
        draws = [
            np.abs(host(initializers.VarianceScaling(3.0, mode, "uniform", seed=s, **axes)(shape))).max()
            for s in range(200)
        ]
        limit = 3 / fan**0.5
        assert 0.95 * limit < max(draws) <= limit * 1.000001


def test_fans_are_those_of_keras():
    keras = keras_peer()
    for shape in ((500,), (20, 30), (3, 3, 20, 30), (5, 40, 50)):
        for mode in ("fan_in", "fan_out", "fan_avg"):
            ours, theirs = (
                np.abs(np.asarray(module.VarianceScaling(1.0, mode, "uniform", seed=2)(shape))).max()
                for module in (initializers, keras.initializers)
            )
            assert ours == pytest.approx(theirs, rel=0.02)


def test_constants(backend):
    assert host(initializers.Zeros()((2, 3))).tolist() == [[0] * 3] * 2
    assert host(initializers.Ones()((2,), "int32")).tolist() == [1, 1]
    assert host(initializers.Constant(2.5)((2,))).tolist() == [2.5, 2.5]
    assert host(initializers.Constant(np.array([1, 2]))((2, 2))).tolist() == [[1, 2], [1, 2]]
    assert host(initializers.Identity(3.0)((2, 3))).tolist() == [[3, 0, 0], [0, 3, 0]]
    assert host(initializers.Ones()(3)).tolist() == [1, 1, 1]
    assert backends.active.owns(initializers.Zeros()((2,)))


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (2, 3, 4), (2, 2, 2, 9)])
def test_orthogonal(shape):
    w = host(initializers.Orthogonal(gain=2.0, seed=1)(shape)).reshape(-1, shape[-1]) / 2
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-6)


def test_orthogonal_is_uniform_over_rotations():
    """A column of a uniform orthogonal 3 x 3 matrix is a point on the sphere, its height uniform."""
    heights = [host(initializers.Orthogonal(seed=s)((3, 3)))[i, i] for s in range(1500) for i in (0, 2)]
    assert stats.kstest(heights, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_stft_computes_fourier_transforms():
    x = np.random.default_rng(0).standard_normal(16)
    for window in (None, np.hamming(16)):
        real, imag = (
            host(initializers.STFT(side, window=window, scaling=None)((16, 1, 9), "float64"))[:, 0]
            for side in ("real", "imag")
        )
        want = np.fft.rfft(x if window is None else x * window)
        np.testing.assert_allclose(x @ real + 1j * (x @ imag), want, atol=1e-12)


@pytest.mark.parametrize("kwargs", [
    {}, {"window": "hamming", "scaling": "spectrum"}, {"window": "hann", "periodic": True},
    {"window": "blackman", "periodic": True, "scaling": None}, {"window": None},
    {"window": "tukey", "scaling": "spectrum"},
])  # fmt: skip
def test_stft_is_that_of_keras(kwargs):
    keras = keras_peer()
    for side in ("real", "imag"):
        ours = host(initializers.STFT(side, **kwargs)((10, 1, 9)))
        theirs = np.asarray(keras.initializers.STFT(side, **kwargs)((10, 1, 9)))
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_seeds():
    fixed = initializers.GlorotUniform(seed=5)
    np.testing.assert_array_equal(fixed((3, 4)), fixed((3, 4)))
    np.testing.assert_array_equal(fixed((3, 4)), initializers.GlorotUniform(seed=5)((3, 4)))
    assert not np.any(fixed((3, 4)) == initializers.GlorotUniform(seed=6)((3, 4)))
    drawn = initializers.RandomNormal(seed=random.SeedGenerator(1))
    again = initializers.RandomNormal(seed=random.SeedGenerator(1))
    first, second = drawn((3,)), drawn((3,))
    assert not np.any(first == second)
    np.testing.assert_array_equal((first, second), (again((3,)), again((3,))))


def test_values_are_bit_equal_on_all_backends(backend):
    for name in (*DISTRIBUTIONS, "orthogonal"):
        make = getattr(initializers, name)
        got = host(make(seed=1)((5, 6)))
        with config.backend_scope("numpy"):
            np.testing.assert_array_equal(got, make(seed=1)((5, 6)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes(backend, dtype):
    wide = initializers.HeNormal(seed=1)((30, 4), "float32")
    v = Variable(initializers.HeNormal(seed=1), shape=(30, 4), dtype=dtype)
    assert v.dtype == dtype
    np.testing.assert_allclose(
        v.numpy().astype(float), host(wide).astype(float), atol=5e-3
    ) if dtype != "float64" else None


def test_integers():
    x = initializers.RandomUniform(0, 5, seed=1)((1000,), "int32")
    assert x.dtype == np.int32 and np.unique(x).tolist() == [0, 1, 2, 3, 4]


ALL = [name for name, cls in initializers._NAMES.items()
       if cls not in (initializers.Initializer, initializers.RandomInitializer)]


@pytest.mark.parametrize("name", ALL)
def test_configs(name):
    made = initializers.get(name)
    config = initializers.serialize(made)
    again = initializers.deserialize(config)
    assert type(again) is type(made) and again.get_config() == made.get_config()
    assert type(made.clone()) is type(made)
    assert config["module"] == "keras.initializers" and config["class_name"] == type(made).__name__


@pytest.mark.parametrize("name", ALL)
def test_keras_reads_and_writes_the_same_configs(name):
    keras = keras_peer()
    made = initializers.get(name)
    config = initializers.serialize(made)
    theirs = keras.initializers.deserialize(config)
    assert type(theirs).__name__ == type(made).__name__
    back = initializers.deserialize(keras.initializers.serialize(theirs))
    assert back.get_config() == made.get_config()
    if name.lower() != "constant":  # (which Keras cannot make from its name)
        assert type(keras.initializers.get(name)).__name__ == type(made).__name__


def test_a_seed_generator_in_a_config():
    made = initializers.HeNormal(seed=random.SeedGenerator(4, name="s"))
    again = initializers.deserialize(initializers.serialize(made))
    np.testing.assert_array_equal(made((3,)), again((3,)))


def test_a_constant_array_in_a_config():
    made = initializers.Constant(np.array([1.5, 2.0], "float32"))
    again = initializers.deserialize(initializers.serialize(made))
    assert again((2,)).tolist() == [1.5, 2.0]


def test_get():
    def mine(shape, dtype=None):
        return ops.ones(shape, dtype)

    assert initializers.get(None) is None
    assert initializers.get(mine) is mine
    assert isinstance(initializers.get(initializers.HeNormal), initializers.HeNormal)
    assert initializers.get({"class_name": "HeNormal", "config": {"seed": 3}}).seed == 3
    assert initializers.get(np.array([1.0, 2.0]))((2,)).tolist() == [1, 2]
    with pytest.raises(InvalidArgument, match="glorot_uniform"):
        initializers.get("glorot_unifrom")


@pytest.mark.parametrize("call,error", [
    (lambda: initializers.VarianceScaling(0.0), InvalidArgument),
    (lambda: initializers.VarianceScaling(mode="fan"), InvalidArgument),
    (lambda: initializers.VarianceScaling(distribution="cauchy"), InvalidArgument),
    (lambda: initializers.RandomNormal(seed=1.5), InvalidArgument),
    (lambda: initializers.Orthogonal()((3,)), ShapeError),
    (lambda: initializers.Identity()((3,)), ShapeError),
    (lambda: initializers.Constant([1, 2])((3,)), ShapeError),
    (lambda: initializers.STFT("left"), InvalidArgument),
    (lambda: initializers.STFT(window=np.ones(3))((4, 1, 3)), ShapeError),
    (lambda: initializers.STFT()((4, 2, 3)), ShapeError),
    (lambda: initializers.Initializer()((3,)), KerasishError),
])  # fmt: skip
def test_errors(call, error):
    with pytest.raises(error):
        call()


def test_deserialize_takes_names():
    from kerasish import constraints, regularizers

    assert isinstance(initializers.deserialize("he_normal"), initializers.HeNormal)
    assert isinstance(regularizers.deserialize("l2"), regularizers.L2)
    assert isinstance(constraints.deserialize("non_neg"), constraints.NonNeg)
    own = initializers.deserialize("mine", {"mine": lambda shape, dtype=None: shape})
    assert own((2, 3)) == (2, 3)


def test_one_object_asked_without_a_variable_repeats_itself():
    first, second = initializers.RandomNormal(), initializers.RandomNormal()
    a, b, c = (backends.to_host(i((3,))) for i in (first, first, second))
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()
