"""Keras itself, where it is installed: numbers and files are compared with it."""

import os

import pytest


def keras_peer():
    """The `keras` package on its NumPy backend; the test is skipped without it."""
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    return pytest.importorskip("keras")
