"""The host's generator: NumPy's Philox, keyed by a seed and the name of what is drawn.

Initial weights, shuffles and default seeds are drawn here, so they are bit-equal on every
backend. A stream is named by what it is for: adding a layer with a name of its own does not
change what the others get.
"""

from __future__ import annotations

import functools
import os
import re
import zlib

import numpy as np

_seed: int | None = None
_draws: dict[int, int] = {}


def global_seed() -> int:
    """The seed of the process: what `set_random_seed` was given, else one from the system."""
    global _seed
    if _seed is None:
        _seed = int.from_bytes(os.urandom(4), "little")
    return _seed


def set_global_seed(seed: int) -> None:
    """Sets the seed and lets every stream begin anew."""
    global _seed
    _seed = seed
    _draws.clear()


def seeded(seed: int, stream: int = 0, count: int = 0) -> np.random.Generator:
    """The generator of one draw; all who ask with the same numbers get the same values."""
    key = np.array([seed & (2**64 - 1), stream << 32 | count & (2**32 - 1)], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


@functools.lru_cache(maxsize=65536)
def _stream(name: str) -> int:
    # Automatic numbers (dense_1, dense_2) depend on all that the process made before. Without
    # them, and counted since the seed was set, a second model gets what the first one got.
    return zlib.crc32(re.sub(r"_\d+(?=/|$)", "", name).encode())


def generator(name: str) -> np.random.Generator:
    """A generator for the next draw of a stream of the global seed."""
    stream = _stream(name)
    count = _draws.get(stream, 0)
    _draws[stream] = count + 1
    return seeded(global_seed(), stream, count)


def shuffle_indices(
    n: int, epoch: int = 0, seed: int | None = None, stream: str = "shuffle"
) -> np.ndarray:
    """The numbers below `n` in an order that depends on the seed, the stream and the epoch only.

    >>> from kerasish.random.host import shuffle_indices
    >>> a, b = shuffle_indices(100, epoch=3, seed=1), shuffle_indices(100, epoch=3, seed=1)
    >>> bool((a == b).all()), sorted(a.tolist()) == list(range(100))
    (True, True)
    """
    seed = global_seed() if seed is None else seed
    return seeded(seed, zlib.crc32(stream.encode()), epoch).permutation(n)
