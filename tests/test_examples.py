"""Every example learns what it says, in its short form, on every backend."""

import importlib
import pathlib

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parent.parent / "examples"
HELPERS = {"reviews", "terminal"}
EXAMPLES = sorted({path.stem for path in FOLDER.glob("*.py")} - HELPERS)

# What `main(fast=True)` returns lies between these, and how the last line that it prints begins.
EXPECTED = {
    "addition": (0.5, 1.0, "Exactly right"),
    "autoencoder": (0.0, 0.4, "Mean squared error"),
    "digits": (0.9, 1.0, "Test accuracy"),
    "digits_transformer": (0.85, 1.0, "Test accuracy"),
    "forecasting": (0.0, 0.6, "Mean absolute error"),
    "gan": (0.2, 1.0, "Clearly some digit"),
    "structured": (0.0, 0.85, "Mean absolute error"),
    "text_lstm": (0.98, 1.0, "Test accuracy"),
    "text_transformer": (0.9, 1.0, "Test accuracy"),
    "transfer": (0.88, 1.0, "Pairs told right"),
    "variational_autoencoder": (0.0, 26.0, "Test loss"),
    "xor": (1.0, 1.0, "Loss"),
}


def load(name, monkeypatch):
    if name == "structured":
        pytest.importorskip("sklearn")
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module(name)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, backend, monkeypatch, capsys):
    result = load(name, monkeypatch).main(fast=True)
    low, high, last_line = EXPECTED[name]
    assert low <= result <= high
    assert capsys.readouterr().out.splitlines()[-1].startswith(last_line)


def test_command_line(monkeypatch, capsys):
    """`--fast` and `--backend` reach the example, and the backend is told with the time."""
    terminal = load("terminal", monkeypatch)
    seen = []
    monkeypatch.setattr("sys.argv", ["xor.py", "--fast", "--backend", "numpy"])
    terminal.run(seen_main := lambda fast: seen.append(fast))
    assert seen == [True] and seen_main is not None
    assert "s on the numpy backend" in capsys.readouterr().out


def test_shades(monkeypatch, capsys):
    """Black, grey and white stand side by side, captions below."""
    load("terminal", monkeypatch).show(np.array([[[0.0, 0.5]], [[1.0, 2.0]]]), ["a", "b"])
    assert capsys.readouterr().out.splitlines() == ["  ▒▒   ████", " a      b  "]


def test_readme_lists_every_example():
    text = (FOLDER / "README.md").read_text()
    assert not [name for name in EXAMPLES if f"[{name}.py]({name}.py)" not in text]
