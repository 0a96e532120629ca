"""Every public op is called with each argument spoilt in turn, and must say what is wrong.

A mistake is made from the first row that the op has in the case tables: a dict, `None` or strings
for an array, an axis that is not there or is no integer, a choice that does not exist. The answer
is one error of the family in `kerasish.errors` that programs for Keras catch, and it names the op.
"""

import inspect

import numpy as np

from kerasish import errors
from kerasish.core.symbolic import KerasTensor
from tests.ops.case import ROWS
from tests.ops.test_cases import CONTROL_FLOW, public_ops, resolve

EXEMPT = {
    "convert_to_numpy": "takes anything that NumPy takes",
    "is_tensor": "answers for anything",
}
"""Ops that cannot be called wrongly in one of these ways, and why."""


def is_array(x):
    return isinstance(x, np.ndarray) and x.dtype.kind in "fiubc"


def mistakes(name, default, value):
    """(what is spoilt, the wrong value) for one argument."""
    if is_array(value):
        yield "kind", {}
        if default is inspect.Parameter.empty:
            yield "none", None
    elif isinstance(value, list | tuple) and value and is_array(value[0]):
        yield "kind", [{}, *value[1:]]
    if name.startswith(("axis", "axes")):
        yield "range", 99
        yield "integer", 0.5
    elif isinstance(default, str) and "dtype" not in name:
        yield "choice", "nope"
    elif name == "dtype":
        yield "dtype", "nope"
    elif type(default) in (int, float) or type(value) in (int, float):
        yield "number", {}
    elif name in ("shape", "newshape", "repeats", "pattern", "subscripts"):
        yield "kind", {}


def spoilt(path):
    """(label, args, kwargs) of wrong calls of the op."""
    function = resolve(path)
    names = {path, path.rpartition(".")[2], getattr(function, "op_name", None)}
    row = next((row for row in ROWS if row.name in names), None)
    if row is None:
        return
    signature = inspect.signature(function)
    bound = signature.bind(*row.args, **row.kwargs)
    bound.apply_defaults()
    for name, parameter in signature.parameters.items():
        values = bound.arguments[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            for i, value in enumerate(values):
                for label, wrong in mistakes(name, parameter.default, value):
                    yield from _with(bound, name, (*values[:i], wrong, *values[i + 1 :]), label)
        elif parameter.kind is not parameter.VAR_KEYWORD:
            for label, wrong in mistakes(name, parameter.default, values):
                yield from _with(bound, name, wrong, label)


def _with(bound, name, value, label):
    before = bound.arguments[name]
    bound.arguments[name] = value
    yield f"{name}-{label}", bound.args, bound.kwargs
    bound.arguments[name] = before


def problem(path, args, kwargs):
    """What is wrong with the answer to a wrong call; `None` where it is as it should be."""
    try:
        out = resolve(path)(*args, **kwargs)
    except errors.KerasishError as error:
        known = {path.rpartition(".")[2], getattr(resolve(path), "op_name", None)} - {None}
        if not isinstance(error, ValueError | TypeError):
            return f"raises {type(error).__name__}"
        known |= {"Cannot make a tensor", "Unknown dtype"}  # of functions that are no ops
        return None if any(n in str(error) for n in known) else f"does not name itself: {error}"
    except Exception as error:
        return f"lets through {type(error).__name__}: {error}"
    return f"accepts it and gives {out!r:.80}"


PATHS = sorted({getattr(f, "op_name", path): path for path, f in public_ops()}.values())


def test_mistakes_are_explained(backend):
    wrong = []
    for path in PATHS:
        for label, args, kwargs in spoilt(path):
            if (found := problem(path, args, kwargs)) is not None:
                wrong.append(f"{path}({label}): {found}")
    assert not wrong, "\n".join(wrong)


def test_mistakes_are_explained_symbolically():
    def lower(x):
        if is_array(x) and x.ndim:
            return KerasTensor((None, *x.shape[1:]), x.dtype.name)
        return [lower(y) for y in x] if isinstance(x, list) else x

    wrong = []
    for path in PATHS:
        for label, args, kwargs in spoilt(path):
            args = tuple(map(lower, args))
            kwargs = {k: lower(v) for k, v in kwargs.items()}
            symbolic = any(isinstance(x, KerasTensor) for x in (*args, *kwargs.values()))
            if symbolic and (found := problem(path, args, kwargs)) is not None:
                wrong.append(f"{path}({label}): {found}")
    assert not wrong, "\n".join(wrong)


def test_every_public_op_has_a_mistake():
    free = {*EXEMPT, *CONTROL_FLOW}
    missing = [p for p in PATHS if p.rpartition(".")[2] not in free and not any(spoilt(p))]
    assert not missing, f"ops with no wrong call in this test: {missing}"
