"""The words themselves: their definition, that all engines agree, and their quality."""

import itertools

import numpy as np
import pytest
from scipy import stats

from kerasish import backends
from kerasish.random import device

M = 0xFFFFFFFF


def words(seed, counter, lane, indices):
    """The definition, in Python's own integers."""
    a, b = seed, counter
    for r in (0x9E3779B9, 0x7F4A7C15, 0xF39CC060, 0x5CEDC834):
        x = b ^ r ^ ((lane * 0x85EBCA6B) & M)
        x = ((x ^ (x >> 16)) * 0x7FEB352D) & M
        x = ((x ^ (x >> 15)) * 0x846CA68B) & M
        a, b = b, a ^ x ^ (x >> 16)
    out = []
    for i in indices:
        x = i ^ a
        x = (((x ^ (x >> 17)) * 0xED5AD4BB) & M) ^ b
        x = ((x ^ (x >> 11)) * 0xAC4C1B51) & M
        x = ((x ^ (x >> 15)) * 0x31848BAB) & M
        out.append(x ^ (x >> 14))
    return np.array(out, np.uint32).view(np.int32)


def draw(seed, counter, shape, lane=0):
    state = np.array([seed, counter], np.uint32)
    return np.asarray(backends.to_host(device._random_bits(state, shape, lane)))


@pytest.mark.parametrize("seed,counter,lane", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (M, M, 11), (7, 9, 3)])
def test_definition(backend, seed, counter, lane):
    got = draw(seed, counter, (5, 7), lane)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got.ravel(), words(seed, counter, lane, range(35)))


def test_definition_beyond_a_block(backend):
    got = draw(5, 6, (70_001,))
    places = [0, 32_767, 32_768, 65_535, 65_536, 70_000]
    np.testing.assert_array_equal(got[places], words(5, 6, 0, places))


def test_body_and_tensor_seeds_agree(backend):
    """What an adapter overrides, and a seed that is a tensor, give the same words."""
    state = backends.active.convert(np.array([3, 4], np.uint32))
    want = words(3, 4, 2, range(30)).reshape(5, 6)
    for bits in (device._random_bits, backends.bodies["_random_bits"]):
        np.testing.assert_array_equal(backends.to_host(bits(state, (5, 6), 2)), want)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (2, 1, 2)])
def test_shapes(backend, shape):
    assert draw(1, 1, shape).shape == shape


# Quality. Fixed seeds: a test either passes for ever or shows a weakness of the function. ------


def uniform_p(counts):
    return stats.chisquare(counts).pvalue


def test_every_byte_is_uniform():
    data = draw(11, 0, (1 << 18,)).view(np.uint8).reshape(-1, 4)
    p = [uniform_p(np.bincount(data[:, k], minlength=256)) for k in range(4)]
    assert min(p) > 1e-4, p


def test_every_bit_is_fair_and_independent_of_the_others():
    bits = np.unpackbits(draw(12, 3, (1 << 17,)).view(np.uint8).reshape(-1, 4), axis=1)
    n = len(bits)
    assert np.abs(bits.mean(0) - 0.5).max() < 5 * 0.5 / np.sqrt(n)
    correlation = np.corrcoef(bits.T) - np.eye(32)
    assert np.abs(correlation).max() < 5.5 / np.sqrt(n)


def test_no_correlation_at_any_lag():
    x = draw(13, 1, (1 << 16,)).astype(float)
    x -= x.mean()
    power = np.abs(np.fft.rfft(x, 1 << 17)) ** 2
    autocorrelation = np.fft.irfft(power)[1 : 1 << 15]
    terms = len(x) - np.arange(1, 1 << 15)
    z = autocorrelation / (x.var() * np.sqrt(terms))
    assert np.abs(z).max() < 6
    assert stats.kstest(z[:5000], "norm").pvalue > 1e-4


def test_pairs_fill_the_square():
    x = draw(14, 0, (1 << 18,)).view(np.uint32)
    cells = (x[0::2] >> 26) * 64 + (x[1::2] >> 26)
    assert uniform_p(np.bincount(cells, minlength=4096)) > 1e-4


@pytest.mark.parametrize("what", ["seed", "counter", "lane", "both"])
def test_neighbouring_streams_are_unrelated(what):
    """Streams of seeds, counters and lanes that differ by one, or by swapping them."""
    def stream(i):
        seed, counter, lane = {
            "seed": (i, 5, 0), "counter": (5, i, 0), "lane": (5, 5, i), "both": (i, 63 - i, 0),
        }[what]
        return draw(seed, counter, (1 << 12,), lane)

    rows = np.stack([stream(i) for i in range(64)]).astype(float)
    correlation = np.corrcoef(rows)[np.triu_indices(64, 1)]
    z = correlation * np.sqrt(rows.shape[1])
    assert np.abs(z).max() < 5
    assert stats.kstest(z, "norm").pvalue > 1e-4
    # One place over all streams, as a dropout layer sees its unit over the steps.
    columns = rows.T[:64]
    assert np.abs(np.corrcoef(columns)[np.triu_indices(64, 1)]).max() < 5.5 / np.sqrt(64)


def test_one_place_over_many_counters_is_uniform():
    first = np.concatenate([draw(9, c, (4,)) for c in range(20_000)]).view(np.uint32)
    assert uniform_p(np.bincount(first >> 24, minlength=256)) > 1e-4
    assert uniform_p(np.bincount(first & 255, minlength=256)) > 1e-4


def test_a_flipped_input_bit_flips_half_of_the_output():
    base = draw(21, 8, (1 << 14,)).view(np.uint32)
    for place in range(12):  # of the index
        other = base[np.arange(1 << 14) ^ (1 << place)]
        flips = np.unpackbits((base ^ other).view(np.uint8)).mean()
        assert abs(flips - 0.5) < 0.01
    for place in range(32):  # of the seed and of the counter
        for seed, counter in ((21 ^ (1 << place), 8), (21, 8 ^ (1 << place))):
            other = draw(seed, counter, (1 << 10,)).view(np.uint32)
            flips = np.unpackbits((base[: 1 << 10] ^ other).view(np.uint8)).mean()
            assert abs(flips - 0.5) < 0.02


def test_no_word_comes_twice_in_a_draw():
    x = draw(15, 2, (1 << 20,))
    assert len(np.unique(x)) == len(x)


def test_keys_do_not_collide():
    from kerasish.backends.hashing import host_keys

    pairs = itertools.product(range(200), range(200))
    keys = {host_keys(pair, 0) for pair in pairs}
    assert len(keys) == 200 * 200
    # seed s at step n + 1 is not seed s + 1 at step n, as it is where they are added
    assert len({k[0] for k in keys}) > 39_990 and len({k[1] for k in keys}) > 39_990


@pytest.mark.parametrize("as_tensor", [False, True])
def test_torch_words_made_on_a_device(monkeypatch, as_tensor):
    """What torch does where the words are not to be made on the host."""
    torch = pytest.importorskip("torch")
    from kerasish import config
    from kerasish.backends.torch import random as adapter

    monkeypatch.setattr(adapter, "_seed_words", lambda seed: None)
    seed = np.array([3, M], np.uint32)
    with config.backend_scope("torch"):
        bits = device._random_bits(torch.from_numpy(seed) if as_tensor else seed, (40, 3), 5)
        np.testing.assert_array_equal(bits.numpy().ravel(), words(3, M, 5, range(120)))
        dropped = adapter._dropout(torch.ones(1000), seed, (1000,), 0, 2.0)
        assert set(dropped.tolist()) == {0.0, 2.0}
