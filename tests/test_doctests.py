"""The examples in docstrings, on the NumPy backend."""

import doctest
import importlib
import pathlib

import pytest

import kerasish as keras
from kerasish import backends, config, dtype_policies

ROOT = pathlib.Path(keras.__file__).parent
MODULES = sorted(
    ".".join(("kerasish", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if not {"torch", "jax", "tensorflow"} & set(path.relative_to(ROOT).parts)
    and ">>>" in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name, monkeypatch):
    # What examples register or set for good ends with them.
    monkeypatch.setattr(backends, "_registry", {**backends._registry})
    monkeypatch.setattr(dtype_policies, "_global", dtype_policies._global)
    with config.backend_scope("numpy"):
        keras.utils.set_random_seed(0)
        result = doctest.testmod(
            importlib.import_module(name),
            optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS,
        )
    assert result.attempted and not result.failed
