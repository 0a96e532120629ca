"""Hand-written digits of 8x8 pixels, bundled with the library."""

from __future__ import annotations

import pathlib

import numpy as np

_Split = tuple[np.ndarray, np.ndarray]


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[_Split, _Split]:
    """The UCI hand-written digits: 1,797 grey images of 8x8 pixels, labels 0 to 9.

    Needs no network. Source and licence (CC BY 4.0) stand in `digits.txt` beside the data.

    Args:
        test_split: the part of the samples that is kept for testing.
        seed: the seed of the order in which samples are split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape `(n, 8, 8)`, uint8 from 0 to 16,
        and labels of shape `(n,)`, uint8.

    >>> import kerasish as keras
    >>> (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    >>> x.shape, x_test.shape, int(x.max())
    ((1438, 8, 8), (359, 8, 8), 16)
    """
    if not 0.0 < test_split < 1.0:
        raise ValueError(f"test_split must lie between 0 and 1, got {test_split}.")
    with np.load(pathlib.Path(__file__).with_name("digits.npz")) as file:
        images, labels = file["images"], file["labels"]
    order = np.random.Generator(np.random.Philox(seed)).permutation(len(images))
    at = int(round(len(images) * (1 - test_split)))
    train, test = order[:at], order[at:]
    return (images[train], labels[train]), (images[test], labels[test])
