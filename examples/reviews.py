"""A generated corpus for the text examples: short reviews of films, good or bad.

The order of words decides: "not good", "hardly dull", "the plot was funny but the cast was slow".
"""

import random

import numpy as np

THINGS = ["plot", "music", "cast", "ending", "dialogue", "camera work", "story", "film"]
WORDS = {
    True: ["good", "moving", "funny", "brilliant", "fresh", "gripping"],
    False: ["bad", "dull", "silly", "slow", "shallow", "predictable"],
}
NEGATIONS = ["not", "hardly", "never", "far from"]


def opinion(good, rng):
    """A sentence about one thing, in which a negation turns the adjective around."""
    negated = rng.random() < 0.5
    adjective = rng.choice(WORDS[good != negated])
    negation = f"{rng.choice(NEGATIONS)} " if negated else ""
    return f"the {rng.choice(THINGS)} was {negation}{adjective}"


def review(good, rng):
    """Two opinions; what follows a "but" is what counts."""
    agree = rng.random() < 0.5
    first = opinion(good if agree else not good, rng)
    return f"{first} {'and' if agree else 'but'} {opinion(good, rng)}"


def load_data(n, seed):
    """`n` reviews and whether they are good: strings `(n,)` and labels `(n,)` of 0 and 1."""
    rng = random.Random(seed)
    labels = [rng.random() < 0.5 for _ in range(n)]
    return np.array([review(good, rng) for good in labels]), np.array(labels, "float32")
