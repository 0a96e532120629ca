"""Random numbers, the same on every backend."""

from kerasish.random.host import shuffle_indices as shuffle_indices
from kerasish.random.seed import SeedGenerator, set_random_seed as set_random_seed

__all__ = ["SeedGenerator"]
