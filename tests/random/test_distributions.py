"""Distributions against SciPy's, on every backend, with the same values on all of them."""

import numpy as np
import pytest
from scipy import special, stats

from kerasish import backends, config, ops, random
from kerasish.core.symbolic import KerasTensor
from kerasish.core.transforms import function, value_and_grad
from kerasish.errors import InvalidArgument, KerasishError, ShapeError
from kerasish.random import device

N = (40, 500)


def host(x):
    return np.asarray(backends.to_host(x))


def fits(sample, distribution):
    assert stats.kstest(np.ravel(sample).astype(float), distribution.cdf).pvalue > 1e-4


CONTINUOUS = {
    "uniform": (lambda: random.uniform(N, seed=1), stats.uniform()),
    "uniform_between": (lambda: random.uniform(N, -2.0, 3.0, seed=2), stats.uniform(-2, 5)),
    "uniform_tensor": (
        lambda: random.uniform(N, ops.zeros((1,)), ops.full((500,), 2.0), seed=2), stats.uniform(0, 2)
    ),
    "normal": (lambda: random.normal(N, seed=3), stats.norm()),
    "normal_scaled": (lambda: random.normal(N, 2.0, 0.5, seed=4), stats.norm(2, 0.5)),
    "truncated_normal": (lambda: random.truncated_normal(N, seed=5), stats.truncnorm(-2, 2)),
    "truncated_scaled": (
        lambda: random.truncated_normal(N, 1.0, 3.0, seed=6), stats.truncnorm(-2, 2, 1, 3)
    ),
    "gamma_half": (lambda: random.gamma(N, 0.5, seed=7), stats.gamma(0.5)),
    "gamma_one": (lambda: random.gamma(N, 1.0, seed=8), stats.gamma(1)),
    "gamma_large": (lambda: random.gamma(N, 30.0, seed=9), stats.gamma(30)),
    "beta": (lambda: random.beta(N, 2.0, 3.5, seed=10), stats.beta(2, 3.5)),
    "beta_small": (lambda: random.beta(N, 0.5, 0.7, seed=11), stats.beta(0.5, 0.7)),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(backend, name):
    draw, distribution = CONTINUOUS[name]
    x = host(draw())
    assert x.shape == N and x.dtype == np.float32
    fits(x, distribution)
    with config.backend_scope("numpy"):
        np.testing.assert_allclose(x, draw(), rtol=2e-5, atol=1e-6)


DISCRETE = {
    "binomial_small": (lambda: random.binomial(N, 10, 0.3, seed=1), stats.binom(10, 0.3)),
    "binomial_mirrored": (lambda: random.binomial(N, 12, 0.8, seed=2), stats.binom(12, 0.8)),
    "binomial_middle": (lambda: random.binomial(N, 100, 0.15, seed=3), stats.binom(100, 0.15)),
    "binomial_large": (lambda: random.binomial(N, 1000, 0.6, seed=4), stats.binom(1000, 0.6)),
    "binomial_rare": (lambda: random.binomial(N, 5000, 0.001, seed=5), stats.binom(5000, 0.001)),
    "randint": (lambda: random.randint(N, -3, 9, seed=6), stats.randint(-3, 9)),
    "randint_wide": (lambda: random.randint(N, 0, 100_000, seed=7) // 5000, stats.randint(0, 20)),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(backend, name):
    draw, distribution = DISCRETE[name]
    x = host(draw())
    assert x.shape == N
    values, counts = np.unique(x, return_counts=True)
    assert np.all(distribution.pmf(values) > 0)
    expected = distribution.pmf(values) * x.size
    usual = expected > 10
    observed = np.append(counts[usual], x.size - counts[usual].sum())
    wanted = np.append(expected[usual], x.size - expected[usual].sum())
    keep = wanted > 1e-6
    assert stats.chisquare(observed[keep], wanted[keep] * (observed[keep].sum() / wanted[keep].sum())).pvalue > 1e-4
    with config.backend_scope("numpy"):
        # A proposal may be taken on one engine and not on another where it is a tie to one ulp.
        assert np.mean(x != draw()) < 1e-3


def test_binomial_edges(backend):
    counts, chances = [5.0, 0.0, 7.0, 40.0, 3.0], [0.0, 0.5, 1.0, 1.0, 0.0]
    got = host(random.binomial((100, 5), counts, chances, seed=1))
    np.testing.assert_array_equal(got, np.tile([5 * 0, 0, 7, 40, 0], (100, 1)))


def test_parameters_that_are_tensors(backend):
    alpha = np.array([0.5, 2.0, 20.0], "float32")
    means = host(random.gamma((4000, 3), alpha, seed=1)).mean(0)
    np.testing.assert_allclose(means, alpha, rtol=0.1)
    low, high = np.array([0, 100], "int32"), np.array([2, 200], "int32")
    x = host(random.randint((1000, 2), low, high, seed=1))
    assert x.min(0).tolist() == [0, 100] and x.max(0)[0] == 1 and 190 < x.max(0)[1] < 200
    z = host(random.normal((4000, 3), alpha, 0.1, seed=1))
    np.testing.assert_allclose(z.mean(0), alpha, atol=0.02)


def test_words_to_floats(backend):
    """Uniform floats are the top bits; normals the transform of Box and Muller, to an ulp."""
    seed = np.array([1, 2], np.uint32)
    bits = host(device._random_bits(seed, (501,))).view(np.uint32)
    u = host(device._random_uniform(seed, (501,), "float32"))
    np.testing.assert_array_equal(u, ((bits >> 8) * 2.0**-24).astype("float32"))
    pairs = host(device._random_bits(seed, (2, 251)))
    radius = np.sqrt(-2 * np.log(((pairs[0].view(np.uint32) >> 1) + 1.0) * 2.0**-31))
    angle = pairs[1] * (np.pi * 2.0**-31)
    want = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:501]
    for normal in (device._random_normal, backends.bodies["_random_normal"]):
        z = host(normal(seed, (501,), "float32", 0))
        np.testing.assert_allclose(z, want, rtol=1e-6, atol=1e-6)
    p = (host(device._random_bits(seed, (501,))) >> 8) + 0.5
    want = np.sqrt(2) * special.erfinv(p * 2.0**-23 * special.erf(np.sqrt(2)))
    z = host(device._random_truncated(seed, (501,), "float32"))
    np.testing.assert_allclose(z, want, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes(backend, dtype):
    for draw in (random.uniform, random.normal, random.truncated_normal):
        x = draw((3000,), dtype=dtype, seed=1)
        real = backends.active.dtype_of(x)
        assert real == dtype or (real, dtype) == ("float32", "float64")  # JAX without x64
        x = host(x).astype(float)
        if draw is random.uniform:
            assert 0 <= x.min() < 0.02 and 0.98 < x.max() < 1
        assert abs(x.mean() - (0.5 if draw is random.uniform else 0)) < 0.06
    assert backends.active.dtype_of(random.gamma((3,), 2.0, dtype=dtype, seed=1)) == real


def test_uniform_never_reaches_its_upper_bound(backend):
    x = host(random.uniform((1 << 16,), 1.0, 1.0 + 2**-20, seed=1))
    assert x.min() >= 1 and x.max() < 1 + 2**-20
    x = host(random.uniform((4096,), -1.0, 1.0, dtype="bfloat16", seed=1)).astype(float)
    assert x.max() < 1


@pytest.mark.parametrize("dtype,low,high", [
    ("uint8", 0, 256), ("int8", -128, 128), ("int32", -(2**31), 2**31), ("uint32", 0, 2**32),
    ("int64", -(2**31), 2**31), ("int32", -(2**31), 2**31 - 1),
])  # fmt: skip
def test_randint_over_the_whole_dtype(backend, dtype, low, high):
    x = host(random.randint((20_000,), low, high, dtype=dtype, seed=3)).astype(float)
    fits(x + np.random.default_rng(1).random(x.shape), stats.uniform(low, high - low))
    with config.backend_scope("numpy"):
        np.testing.assert_array_equal(x, random.randint((20_000,), low, high, dtype=dtype, seed=3))


def test_randint_beyond_32_bits():
    x = random.randint((1000,), 2**40, 2**40 + 2**32, dtype="int64", seed=1)
    assert x.dtype == np.int64 and x.min() >= 2**40 and x.max() < 2**40 + 2**32


def test_categorical(backend):
    chances = np.array([[0.1, 0.2, 0.0, 0.7], [0.25, 0.25, 0.25, 0.25]])
    with np.errstate(divide="ignore"):
        logits = np.log(chances).astype("float32") + [[3.0], [-50.0]]
    x = random.categorical(logits.astype("float32"), 20_000, seed=1)
    assert backends.active.dtype_of(x) == "int32"
    x = host(x)
    for row, p in zip(x, chances, strict=True):
        counts = np.bincount(row, minlength=4)
        assert counts[p == 0].sum() == 0
        assert stats.chisquare(counts[p > 0], 20_000 * p[p > 0]).pvalue > 1e-4
    with config.backend_scope("numpy"):
        assert np.mean(x != random.categorical(logits.astype("float32"), 20_000, seed=1)) < 1e-3


def test_shuffle(backend):
    x = np.arange(24).reshape(4, 6)
    rows = host(random.shuffle(x, seed=1))
    assert sorted(map(tuple, rows)) == sorted(map(tuple, x))
    columns = host(random.shuffle(x, axis=-1, seed=2))
    assert sorted(map(tuple, columns.T)) == sorted(map(tuple, x.T))
    with config.backend_scope("numpy"):
        np.testing.assert_array_equal(columns, random.shuffle(x, axis=-1, seed=2))


def test_shuffles_are_fair():
    seen = [tuple(random.shuffle(np.arange(4), seed=s).tolist()) for s in range(4800)]
    orders, counts = np.unique(seen, axis=0, return_counts=True)
    assert len(orders) == 24 and stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_dropout(backend, rate, dtype):
    x = np.random.default_rng(0).uniform(0.5, 2, (200, 300)).astype("float32")
    y = random.dropout(ops.cast(x, dtype), rate, seed=5)
    assert backends.active.dtype_of(y) == dtype
    y = host(y).astype("float32")
    kept = y != 0
    assert stats.binomtest(int((~kept).sum()), x.size, rate).pvalue > 1e-4
    tolerance = {"float32": 1e-6, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
    np.testing.assert_allclose(y[kept], x[kept] / (1 - rate), rtol=tolerance)
    bits = host(device._random_bits(np.array([5, 0], np.uint32), x.shape)).view(np.uint32)
    # A word below rate * 2**32 drops, with words counted from the least signed one.
    np.testing.assert_array_equal(kept, (bits ^ np.uint32(1 << 31)) >= round(rate * 2**32))


def test_dropout_noise_shape(backend):
    x = ops.ones((6, 5, 4))
    y = host(random.dropout(x, 0.5, noise_shape=(None, 1, 4), seed=1))
    assert np.all(y == y[:, :1]) and set(np.unique(y)) == {0, 2}
    with pytest.raises(ShapeError, match="noise_shape"):
        random.dropout(x, 0.5, noise_shape=(6, 1), seed=1)


def test_dropout_edges(backend):
    x = ops.ones((2, 3))
    assert host(random.dropout(x, 0.0)).tolist() == [[1] * 3] * 2
    assert host(random.dropout(x, 1.0)).tolist() == [[0] * 3] * 2
    with pytest.raises(InvalidArgument, match="from 0 to 1"):
        random.dropout(x, 1.5)
    assert host(random.dropout(np.ones((2, 3), "int32"), 0.5, seed=1)).dtype == np.float32
    assert random.dropout(ops.ones((0, 3)), 0.5, seed=1).shape == (0, 3)


def test_dropout_gradient(backend):
    """The gradient of a dropped input is 0, of a kept one the scale; also a second time."""
    x = ops.convert_to_tensor(np.random.default_rng(0).uniform(1, 2, (20, 30)).astype("float32"))
    y = host(random.dropout(x, 0.4, seed=3))
    _, g = value_and_grad(lambda x: ops.sum(random.dropout(x, 0.4, seed=3)), x)
    np.testing.assert_allclose(host(g), y / host(x), rtol=1e-5)

    def penalty(x):
        _, g = value_and_grad(lambda x: ops.sum(random.dropout(x * x, 0.4, seed=3)), x)
        return ops.sum(g * g)

    _, gg = value_and_grad(penalty, x)  # g = 2 m x, so the gradient of its square is 8 m^2 x
    np.testing.assert_allclose(host(gg), 8 * (y / host(x)) ** 2 * host(x), rtol=1e-5)


@pytest.mark.parametrize("draw", [
    lambda s: random.normal((50,), seed=s), lambda s: random.dropout(ops.ones((50,)), 0.5, seed=s),
    lambda s: random.shuffle(ops.arange(50), seed=s), lambda s: random.gamma((50,), 2.0, seed=s),
    lambda s: random.binomial((50,), 9, 0.4, seed=s), lambda s: random.randint((50,), 0, 99, seed=s),
])  # fmt: skip
def test_compiled_is_eager(backend, draw):
    """Inside jax.jit and tf.function the same numbers come, and the counter counts."""
    seeds, again = random.SeedGenerator(3), random.SeedGenerator(3)
    compiled = function(lambda: draw(seeds))
    for _ in range(3):
        np.testing.assert_allclose(host(compiled()), host(draw(again)), rtol=1e-5, atol=1e-6)
    assert seeds.state.numpy().tolist() == [3, 3]


def test_symbolic():
    x = KerasTensor((None, 4))
    assert random.dropout(x, 0.5).shape == (None, 4)
    assert random.shuffle(x).shape == (None, 4)
    y = random.categorical(x, 3)
    assert y.shape == (None, 3) and y.dtype == "int32"
    assert random.gamma((2, 4), KerasTensor((4,))).shape == (2, 4)


def test_a_symbolic_call_draws_nothing():
    seeds = random.SeedGenerator(1)
    random.dropout(KerasTensor((None, 4)), 0.5, seed=seeds)
    assert seeds.state.numpy().tolist() == [1, 0]


def test_nothing_else_answers_to_the_names_of_draws():
    """An adapter's function of the same name would silently take the place of a body here."""
    for name in random.__all__:
        for adapter in ("numpy", "torch", "jax", "tensorflow", "symbolic"):
            if backends.installed(adapter):
                assert backends.load(adapter).lookup(name) is None, (adapter, name)


@pytest.mark.parametrize("call,match", [
    (lambda: random.uniform((2,), dtype="int32"), "gives floats"),
    (lambda: random.randint((2,), 0, 5, dtype="float32"), "gives integers"),
    (lambda: random.randint((2,), 5, 5), "minval < maxval"),
    (lambda: random.categorical(np.ones(3, "float32"), 2), r"\(batch, classes\)"),
    (lambda: random.normal((2,), seed="x"), "non-negative integer"),
    (lambda: random.normal((2,), seed=-1), "non-negative integer"),
])  # fmt: skip
def test_errors(call, match):
    with pytest.raises(KerasishError, match=match):
        call()
