"""Every public op is called with each argument spoilt in turn, and must say what is wrong.

A mistake is made from the first row that the op has in the case tables: a dict, `None` or strings
for an array, an axis that is not there or is no integer, a choice that does not exist. The answer
is one error of the family in `kerasish.errors` that programs for Keras catch, and it names the op
and the argument.
"""

import inspect
import re

import numpy as np
import pytest

from kerasish import errors, ops
from kerasish.core.symbolic import KerasTensor
from tests.ops.case import ROWS
from tests.ops.test_cases import CONTROL_FLOW, public_ops, resolve

EXEMPT = {
    "convert_to_numpy": "takes anything that NumPy takes",
    "is_tensor": "answers for anything",
}
"""Ops that cannot be called wrongly in one of these ways, and why."""
LENIENT = {"unique": "bool", "layer_normalization": "bool", "multi_hot": "bool",
           "tensordot": "bool", "shape": "strings", "ndim": "strings",
           "dtype": "strings"}  # fmt: skip
"""Functions that take another kind for what it means in Python, alike on all backends."""

UNNAMED = {("shape", "x"), ("ndim", "x"), ("dtype", "x")}
"""Functions of one argument, which need not name it."""


def is_array(x):
    return isinstance(x, np.ndarray) and x.dtype.kind in "fiubc"


def mistakes(name, default, value):
    """(what is spoilt, the wrong value) for one argument."""
    if is_array(value):
        yield "kind", {}
        yield "strings", np.array(["a", "b"])
        if default is inspect.Parameter.empty:
            yield "none", None
    elif isinstance(value, list | tuple) and value and is_array(value[0]):
        yield "kind", [{}, *value[1:]]
    if name.startswith(("axis", "axes")):
        yield "range", 99
        yield "integer", 0.5
        yield "bool", True
    elif isinstance(default, str) and "dtype" not in name:
        yield "choice", "nope"
    elif name == "dtype":
        yield "dtype", "nope"
        yield "strings", "string"
    elif type(default) is bool:
        yield "bool", "nope"
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
                    yield from _with(path, bound, name, (*values[:i], wrong, *values[i + 1 :]), label)
        elif parameter.kind is not parameter.VAR_KEYWORD:
            for label, wrong in mistakes(name, parameter.default, values):
                yield from _with(path, bound, name, wrong, label)


def _with(path, bound, name, value, label):
    before = bound.arguments[name]
    if LENIENT.get(path.rpartition(".")[2]) == label:
        return
    bound.arguments[name] = value
    yield f"{name}-{label}", bound.args, bound.kwargs
    bound.arguments[name] = before


def problem(path, label, args, kwargs):
    """What is wrong with the answer to a wrong call; `None` where it is as it should be."""
    argument = label.partition("-")[0]
    try:
        out = resolve(path)(*args, **kwargs)
    except errors.KerasishError as error:
        if (path.rpartition(".")[2], argument) not in UNNAMED and not re.search(
            rf"\b{argument}\b", str(error)
        ):
            return f"does not name {argument}: {error}"
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
            if (found := problem(path, label, args, kwargs)) is not None:
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
            if symbolic and (found := problem(path, label, args, kwargs)) is not None:
                wrong.append(f"{path}({label}): {found}")
    assert not wrong, "\n".join(wrong)


def test_every_public_op_has_a_mistake():
    free = {*EXEMPT, *CONTROL_FLOW}
    missing = [p for p in PATHS if p.rpartition(".")[2] not in free and not any(spoilt(p))]
    assert not missing, f"ops with no wrong call in this test: {missing}"


A = np.ones((2, 3), "float32")
ZERO = np.float32(0)
FLAT = np.zeros((2, 2), "float32")
HEADS = np.ones((1, 5, 2, 4), "float32")
DATES = np.array(["2020-01-01"], "datetime64[D]")
WRONG = {
    # Axes of a scalar, and axes where one is taken
    "sum of a scalar": lambda: ops.sum(ZERO, axis=0), "max": lambda: ops.max(ZERO, axis=-1),
    "argmax": lambda: ops.argmax(ZERO, axis=0), "flip": lambda: ops.flip(ZERO, axis=0),
    "moveaxis": lambda: ops.moveaxis(ZERO, 0, -1), "swapaxes": lambda: ops.swapaxes(ZERO, 0, 0),
    "roll": lambda: ops.roll(ZERO, 1, axis=0), "repeat": lambda: ops.repeat(ZERO, 2, axis=-1),
    "stack": lambda: ops.stack([A, A], axis=(0,)), "top_k": lambda: ops.top_k(A, (2,)),
    "softmax": lambda: ops.softmax(ZERO, axis=(0, 1)),
    "log_softmax": lambda: ops.log_softmax(A[:0], axis=2),
    "set": lambda: ops.flip(A, axis={0}), "where": lambda: ops.where(ZERO),
    # Ranks and sizes
    "tril": lambda: ops.tril(A[0]), "triu": lambda: ops.triu(A[0]),
    "cdist": lambda: ops.cdist(A[0], A), "k": lambda: ops.top_k(A, 4),
    "block": lambda: ops.slice(A, (0, 0), (2, 4)), "update": lambda: ops.slice_update(A, (0,), A),
    "rank": lambda: ops.concatenate([A, []]), "pair": lambda: ops.fft((A, A[:1])),
    "edges": lambda: ops.histogram(A, [1.0]), "size": lambda: ops.image.resize(A[None], (0, 2)),
    "sigma": lambda: ops.image.gaussian_blur(A[None], (3, 3), (1.0,)),
    "solve": lambda: ops.solve(np.stack([np.eye(3)] * 2), np.ones(3)),
    "view": lambda: ops.view(ZERO, "int8"), "segments": lambda: ops.segment_sum(A, [0, 0], -1),
    "points": lambda: ops.cdist(np.ones((2, 3, 1), "float32"), A),
    "minus": lambda: ops.broadcast_to(A, (-1, 3)), "signal": lambda: ops.rfft(A[:, :0]),
    "spectrum": lambda: ops.irfft((A[:, :1], A[:, :1])), "none": lambda: ops.split(A, (None,)),
    "shift": lambda: ops.roll(A, ((1,),), axis=0), "shifts": lambda: ops.roll(A, (), axis=(0, 1)),
    "mask": lambda: ops.dot_product_attention(HEADS, HEADS, HEADS, mask=np.ones((2, 7), bool)),
    "heads": lambda: ops.dot_product_attention(HEADS[:, :, :0], HEADS, HEADS),
    "twice": lambda: ops.squeeze(A[None], (0, 0)), "repeats": lambda: ops.repeat(A, (-1, -2), 0),
    "filler": lambda: ops.unique([1, 1], size=2, fill_value=(1, 2)),
    "grid": lambda: ops.unravel_index([1], ((2,), (3,))),
    # Kinds
    "dates": lambda: ops.cast(DATES, "int32"), "from dates": lambda: ops.slice(A, DATES, (1, 1)),
    "key": lambda: ops.get_item(A, np.array([1.0])), "range": lambda: ops.arange(None),
    "whole": lambda: ops.clip(np.ones(2, int), np.nan, 2), "fill": lambda: ops.pad([1], 1, "constant",
                                                                                np.nan),
    "power": lambda: ops.power([2, 3], [1, -1]), "ratios": lambda: ops.geomspace(A + 1j, A),
    "epsilon": lambda: ops.layer_normalization(A, epsilon=np.ones(3)),
    "names": lambda: ops.slice(np.array(["a", "b"]), (0,), (1,)),
    "start": lambda: ops.slice(A, np.zeros(2, "float32"), (1, 1)),
    "several": lambda: ops.elu(A, ops.convert_to_tensor([1.0, 2.0])),
    "exponent": lambda: ops.ldexp(A, A > 0),
    "nothing": lambda: ops.sum(A, axis=(None,)), "index": lambda: ops.get_item(A, "a"),
    "part": lambda: ops.fft([A]), "text": lambda: ops.layer_normalization(np.array(["a", "b"])),
    "flag": lambda: ops.unique([1], return_index=[True]),
    "complex": lambda: ops.clip(A, 1j, 2), "nan": lambda: ops.full_like(np.ones(2, int), np.nan),
    "half given": lambda: ops.where(A > 0, None, A), "cast": lambda: ops.cast(A, "string"),
    "keepdims": lambda: ops.sum(A, keepdims=None), "normed": lambda: ops.normalize(A, order=0.5),
    # Matrices without a factor or an inverse
    "cholesky": lambda: ops.cholesky(-np.eye(2, dtype="float32")), "inv": lambda: ops.inv(FLAT),
    "singular": lambda: ops.solve(FLAT, FLAT),
    "triangular": lambda: ops.solve_triangular(FLAT, FLAT),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_refused_alike(call, backend):
    with pytest.raises(errors.KerasishError) as error:
        call()
    assert isinstance(error.value, ValueError | TypeError)


def test_numbers_of_numpy_are_numbers(backend):
    two = np.int64(2)
    assert ops.sum(A, axis=np.int64(-1), keepdims=np.True_).shape == (2, 1)
    assert ops.reshape(A, np.array([3, 2])).shape == ops.reshape(A, (3, two)).shape == (3, 2)
    assert ops.top_k(A, two)[1].shape == (2, 2) and ops.elu(A, np.float64(0.5)).shape == (2, 3)
    assert ops.sum(A, axis=range(2)).shape == ()


def test_ties_come_in_their_order(backend):
    for dtype in ("float32", "float16", "float64", "int32", "int64", "uint8", "bool"):
        x = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], dtype)
        values, indices = ops.top_k(x, 4)
        assert ops.convert_to_numpy(indices).tolist() == [[0, 2, 3, 1], [0, 1, 2, 3]]
        np.testing.assert_array_equal(ops.convert_to_numpy(values), -np.sort(-x.astype(int))[:, :4])


def test_truth_is_an_index(backend):
    x = ops.convert_to_tensor(A)
    assert ops.get_item(x, True).shape == (1, 2, 3) and ops.get_item(x, False).shape == (0, 2, 3)
