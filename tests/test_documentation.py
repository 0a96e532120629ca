"""Every public name tells what it is, shows an example (test_doctests runs it) and has types."""

import inspect
import re
import types

import kerasish as keras


def _public(module):
    """The names that a module offers: those it lists, else those defined in it or below."""
    if hasattr(module, "__all__"):
        return module.__all__
    home = module.__name__
    return [
        name for name, x in vars(module).items()
        if not name.startswith("_") and not isinstance(x, types.ModuleType)
        and f"{getattr(x, '__module__', None)}.".startswith(f"{home}.")
    ]  # fmt: skip


def _found():
    """Path -> object; each object once, under the first path that leads to it."""
    ops = ("image", "linalg", "math", "nn", "numpy", "sparse")
    waiting = [("keras", keras), *((f"keras.ops.{n}", getattr(keras.ops, n)) for n in ops)]
    waiting += [(f"keras.config.{n}", getattr(keras.config, n)) for n in keras.config._ELSEWHERE]
    seen, found = set(), {}
    while waiting:
        path, x = waiting.pop(0)
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, types.ModuleType):
            waiting += [(f"{path}.{name}", getattr(x, name)) for name in _public(x)]
        elif callable(x):
            found[path] = x
    return found


FOUND = _found()


def test_names_are_found():
    assert len(FOUND) > 800
    assert {
        "keras.Model", "keras.layers.Dense", "keras.ops.exp", "keras.ops.image.resize",
        "keras.optimizers.schedules.CosineDecay", "keras.utils.get_file",
        "keras.config.enable_unsafe_deserialization", "keras.tree.MAP_TO_NONE",
    } <= FOUND.keys()  # fmt: skip


def _is_error(x):
    """Errors are raised by the library, not made by its user: their meaning is enough."""
    return isinstance(x, type) and issubclass(x, Exception)


def _doc(x):
    # A class that says nothing would show the docstring of its base.
    return (vars(x).get("__doc__") if isinstance(x, type) else x.__doc__) or ""


def test_every_name_tells_its_meaning():
    assert [path for path, x in FOUND.items() if not re.match(r"\s*[^>\s]", _doc(x))] == []


def test_every_name_shows_an_example():
    assert [
        path for path, x in FOUND.items() if not _is_error(x) and ">>> " not in _doc(x)
    ] == []  # fmt: skip


def test_every_parameter_has_a_type():
    packed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    assert [
        f"{path}({name})"
        for path, x in FOUND.items() if not _is_error(x)
        for name, p in inspect.signature(x).parameters.items()
        if p.annotation is p.empty and p.kind not in packed
    ] == []  # fmt: skip
