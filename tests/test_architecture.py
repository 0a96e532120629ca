"""The house's load-bearing rules, read off the source."""

import ast
import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from kerasish import backends
from kerasish.backends import contract

ROOT = pathlib.Path(__file__).parent.parent / "kerasish"
ENGINES = ("torch", "jax", "tensorflow")
FLOORS = [
    ("config", "dtypes", "errors", "tree", "_lazy", "_version"),
    ("backends",),
    ("core",),
    ("ops", "random"),
    ("initializers", "regularizers", "constraints", "activations", "dtype_policies", "quantizers"),
    ("layers", "losses", "metrics", "optimizers"),
    ("models", "training", "callbacks", "saving", "distribution", "utils"),
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}


def sources():
    return sorted(ROOT.rglob("*.py"))


def imports(path, top_level_only=False):
    """Full names of the modules that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            if node.module == "kerasish":
                yield from (f"kerasish.{alias.name}" for alias in node.names)


def test_only_adapters_import_engines():
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources()
        if path.parent.parent.name != "backends"
        for name in imports(path)
        if name.partition(".")[0] in ENGINES
    ]
    assert not wrong, wrong


def test_each_floor_imports_only_from_below():
    wrong = []
    for path in sources():
        part = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if part not in FLOOR:
            continue
        for name in imports(path, top_level_only=True):
            target = name.split(".")[1] if name.startswith("kerasish.") else None
            if target == "saving" and "serialization" in path.read_text():
                continue  # configs are read and written on every floor
            if target in FLOOR and FLOOR[target] > FLOOR[part]:
                wrong.append(f"{path.relative_to(ROOT)} ({part}) imports {name}")
    assert not wrong, wrong


def test_nothing_above_the_adapters_asks_for_the_backend():
    wrong = []
    for path in sources():
        if "backends" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Compare):
                continue
            strings = [
                c.value for c in ast.walk(node)
                if isinstance(c, ast.Constant) and isinstance(c.value, str)
            ]
            if {"numpy", *ENGINES} & set(strings) and "backend" in ast.unparse(node):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert not wrong, wrong


def test_import_pulls_in_no_engine():
    code = (
        "import json, sys; import kerasish as keras; "
        "keras.Sequential, keras.layers.Dense; "
        "print(json.dumps([m for m in ('torch', 'jax', 'tensorflow', 'scipy', 'pandas', "
        "'matplotlib', 'h5py', 'IPython') if m in sys.modules]))"
    )
    env = {**os.environ, "KERASISH_BACKEND": "numpy"}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert json.loads(out.stdout) == []


@pytest.mark.parametrize("name", ["numpy", "torch", "jax", "tensorflow"])
def test_contract_is_complete(name):
    if not backends.installed(name):
        pytest.skip(f"{name} is not installed")
    adapter = backends.load(name)
    missing = [n for n in contract.REQUIRED if adapter.lookup(n) is None]
    assert not missing, f"{name} lacks {missing}"
    missing = [n for n in contract.primitives() if adapter.lookup(n) is None]
    assert not missing, f"{name} lacks the primitives {missing}"


def test_symbolic_adapter_knows_every_primitive():
    adapter = backends.load("symbolic")
    missing = [n for n in contract.primitives() if adapter.lookup(n) is None]
    assert not missing, missing


def test_every_public_name_resolves():
    """What the lazy packages promise is really there."""
    import kerasish

    missing = []
    for package in ("layers", "callbacks", "utils", "datasets"):
        module = importlib.import_module(f"kerasish.{package}")
        for name in module.__all__:
            if getattr(module, name, None) is None:
                missing.append(f"{package}.{name}")
    assert not missing and kerasish.__version__, missing


def test_a_slip_in_a_lazy_name_is_told():
    import kerasish

    with pytest.raises(AttributeError, match=r"'kerasish.layers' has no .* Did you mean 'Dense'\?"):
        kerasish.layers.Dens  # noqa: B018
    with pytest.raises(AttributeError, match="'kerasish' has no attribute 'xyzzy'$"):
        kerasish.xyzzy  # noqa: B018


def test_type_stubs_follow_the_lazy_tables():
    script = ROOT.parent / "scripts" / "stubs.py"
    subprocess.run([sys.executable, script, "--check"], check=True)
