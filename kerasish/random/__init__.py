"""Random numbers, the same on every backend."""

from kerasish.random.device import (
    beta,
    binomial,
    categorical,
    dropout,
    gamma,
    normal,
    randint,
    shuffle,
    truncated_normal,
    uniform,
)
from kerasish.random.host import shuffle_indices as shuffle_indices
from kerasish.random.seed import SeedGenerator
from kerasish.random.seed import set_random_seed as set_random_seed

__all__ = [
    "SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint",
    "shuffle", "truncated_normal", "uniform",
]  # fmt: skip
