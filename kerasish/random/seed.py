"""Seeds: `SeedGenerator`, the global one, and `set_random_seed`."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from kerasish import backends, ops
from kerasish.core import scope
from kerasish.core.op import op
from kerasish.core.variable import Variable
from kerasish.errors import InvalidArgument
from kerasish.random import host


class SeedGenerator:
    """Gives every random call a seed of its own, and remembers how many it gave.

    Its state, `[seed, counter]`, is a variable: it moves with a model between backends, is saved
    with it, and counts inside compiled functions as well.

    Args:
        seed: a non-negative integer; `None` takes one from the global seed.
        name: its name.

    >>> import kerasish as keras
    >>> seeds = keras.random.SeedGenerator(7)
    >>> seeds.next().tolist(), seeds.next().tolist()
    ([7, 0], [7, 1])
    """

    _tracks_variables = True

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any):
        kwargs.pop("backend", None)  # Keras' preprocessing layers pass one
        if kwargs:
            raise InvalidArgument(f"SeedGenerator has no arguments {sorted(kwargs)}.")
        if seed is None:
            seed = default_seed()
        self._initial_seed = seed
        self.name = name or scope.auto_name("seed_generator")
        with scope.name_scope(self.name):
            self.state = Variable(
                seed_words(seed), dtype="uint32", trainable=False, name="seed_generator_state"
            )

    @property
    def variables(self) -> list[Variable]:
        """The state, as a list of one variable."""
        return [self.state]

    def next(self, ordered: bool = True) -> Any:
        """The present `[seed, counter]` as a tensor; then counts one up.

        `ordered` is kept for compatibility: the order of calls is always kept.
        """
        now, then = backends.active.table["_advance"](self.state.value)
        self.state._write(then)
        return now

    def save_own_variables(self, store: Any) -> None:
        """Writes the state, so that a saved model goes on with the numbers that come next."""
        store["0"] = self.state.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Reads the state."""
        self.state.assign(np.asarray(store["0"]))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make a generator which begins anew."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A generator with this config."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<SeedGenerator name={self.name}, seed={self._initial_seed}>"


@op
def _advance(state: Any) -> tuple[Any, Any]:
    """A copy of a seed state and the state after it."""
    return ops.copy(state), ops.add(state, np.array([0, 1], np.uint32))


def check_seed(seed: Any) -> int:
    """The seed as an integer, or an error."""
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidArgument(
            f"A seed is a non-negative integer, a SeedGenerator or None, got {seed!r}."
        )
    return int(seed)


def seed_words(seed: Any) -> np.ndarray:
    """The state `[seed, 0]` for an integer; what is above 32 bits is folded in."""
    seed = check_seed(seed)
    low, high = seed & 0xFFFFFFFF, seed >> 32
    return np.array([low ^ (high * 0x9E3779B1 & 0xFFFFFFFF), 0], np.uint32)


def default_seed() -> int:
    """A seed from the global one; another at each call, in the same order after `set_random_seed`.
    """
    return int(host.generator("seed_generator").integers(2**31))


_global: SeedGenerator | None = None


def global_seed_generator() -> SeedGenerator:
    """The generator that calls with `seed=None` share.

    Compiled functions that draw from it must be told of its `state`.
    """
    global _global
    if _global is None:
        _global = SeedGenerator(host.global_seed(), name="global_seed_generator")
    return _global


def draw_seed(seed: Any) -> Any:
    """The two words of a `seed` argument: an int, a `SeedGenerator`, `None`, or the words."""
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if hasattr(seed, "shape") and tuple(seed.shape) == (2,):
        return ops.cast(seed, "uint32")
    return seed_words(seed)


def set_random_seed(seed: int) -> None:
    """Sets the seed of all random numbers: weights, shuffles, dropout, Python's and NumPy's.

    The engine's own generator is seeded too, for code that calls it directly.

    Args:
        seed: an integer from 0 to 2**32 - 1.

    >>> import kerasish as keras
    >>> keras.utils.set_random_seed(42)
    >>> a = keras.random.uniform((2,)).tolist()
    >>> keras.utils.set_random_seed(42)
    >>> a == keras.random.uniform((2,)).tolist()
    True
    """
    seed = check_seed(seed)
    if seed >= 2**32:
        raise InvalidArgument(f"A global seed is below 2**32, got {seed}.")
    random.seed(seed)
    np.random.seed(seed)
    host.set_global_seed(seed)
    if _global is not None:  # compiled functions hold on to this variable
        _global._initial_seed = seed
        _global.state.assign(seed_words(seed))
    if (seed_engine := backends.active.lookup("seed_engine")) is not None:
        seed_engine(seed)
