"""Symbolic tensors: what functional models are made of, and how their shapes are found."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish import backends, dtypes, tree
from kerasish.backends import state
from kerasish.backends.symbolic.engine import SparseSpec, Spec, Unknown
from kerasish.core import operators
from kerasish.core.scope import SymbolicScope, auto_name
from kerasish.errors import (
    InvalidArgument,
    KerasishError,
    NoValue,
    ShapeError,
)

_PROBES = (5040, 7560)
"""Two sizes for an unknown dimension: divisible by what programs divide sizes by."""
_SMALL = ((2, 12), (3, 24))
"""The same (first axis, other axes) where an engine really runs: small, as NumPy computes."""


class KerasTensor(operators.Operators):
    """A tensor of a functional model: a shape, where `None` is unknown, and a dtype.

    Args:
        shape: the sizes, `None` for unknown ones.
        dtype: the dtype.
        sparse, ragged: whether the real tensor will be sparse or ragged.
        record_history: kept for compatibility.
        name: its name.

    >>> import kerasish as keras
    >>> x = keras.KerasTensor((None, 4))
    >>> (keras.ops.sum(x, axis=1) + 1).shape
    (None,)
    """

    _is_symbolic = True

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        if sparse and ragged:
            raise InvalidArgument("A tensor cannot be sparse and ragged at once.")
        self._shape = standardize_shape(shape)
        self._dtype = dtypes.standardize(dtype)
        self.sparse = bool(sparse)
        self.ragged = bool(ragged)
        self.ragged_rank = kwargs.pop("ragged_rank", None)
        self.row_splits_dtype = kwargs.pop("row_splits_dtype", None)
        self.name = name or auto_name("keras_tensor")
        self.record_history = record_history
        self.node: Node | None = None
        self.index = 0

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape, with `None` for unknown sizes."""
        return self._shape

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    rank = ndim

    @property
    def size(self) -> int | None:
        """The number of values, `None` where a size is unknown."""
        known = [d for d in self._shape if d is not None]
        return math.prod(known) if len(known) == len(self._shape) else None

    @property
    def T(self) -> Any:
        """The transposed tensor."""
        from kerasish import ops

        return ops.transpose(self)

    @property
    def _keras_history(self) -> Any:
        """(operation, node index, tensor index), as tools that walk graphs expect."""
        if self.node is None:
            raise AttributeError("This KerasTensor was not made by a layer or an op.")
        return KerasHistory(self.node.operation, self.node.position, self.index)

    def reshape(self, *newshape: Any) -> Any:
        """`ops.reshape`; the shape is one argument or several."""
        from kerasish import ops

        return ops.reshape(self, newshape[0] if len(newshape) == 1 else newshape)

    def squeeze(self, axis: Any = None) -> Any:
        """`ops.squeeze`."""
        from kerasish import ops

        return ops.squeeze(self, axis)

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self._shape}, dtype={self._dtype}, sparse={self.sparse}, "
            f"ragged={self.ragged}, name={self.name}>"
        )

    def __reduce__(self) -> Any:
        # Copied alone it comes from nowhere; a `Function` copies its tensors with their history.
        return KerasTensor, (
            self._shape, self._dtype, self.sparse, self.ragged, self.record_history, self.name
        )

    def __len__(self) -> int:
        if not self._shape or self._shape[0] is None:
            raise TypeError(f"len() of a symbolic tensor of shape {self._shape} is unknown.")
        return self._shape[0]

    def __iter__(self) -> Any:
        if not self._shape or self._shape[0] is None:
            raise NoValue(
                f"{self!r} has no known number of items to go through. ops.unstack takes it apart "
                "along an axis of known size."
            )
        return (self[i] for i in range(len(self)))

    def _no_value(self, what: str) -> Any:
        raise NoValue(
            f"{self!r} is symbolic: it has no values, but {what}. To use a function of another "
            "library in a functional model, call the function of the same name in keras.ops, or "
            "put the call into the call() of a Layer (or a Lambda layer)."
        )

    def __array__(self, *_: Any, **__: Any) -> Any:
        self._no_value("NumPy asked for an array")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        result = operators.reflected(ufunc, method, inputs, kwargs)
        if result is NotImplemented:
            self._no_value(f"np.{ufunc.__name__} was called on it")
        return result

    def __array_function__(self, func: Any, *_: Any, **__: Any) -> Any:
        self._no_value(f"np.{func.__name__} was called on it")

    @property
    def __jax_array__(self) -> Any:
        # JAX asks in the methods of its arrays, before it leaves `array + self` to the
        # reflected operator.
        if sys._getframe(1).f_globals.get("__name__", "").endswith("array_methods"):
            raise AttributeError("__jax_array__")
        return lambda: self._no_value("a JAX function was called on it")

    def __tf_tensor__(self, *_: Any, **__: Any) -> Any:
        self._no_value("a TensorFlow function was called on it")

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = next(x for x in tree.flatten(args) if isinstance(x, KerasTensor))
        found._no_value(f"torch's {getattr(func, '__name__', func)} was called on it")

    def __bool__(self) -> bool:
        # How lists find a tensor: `in`, `index` and `remove` ask whether `a == b` is true.
        node = self.node
        if node is not None and len(node.input_tensors) == 2:
            function = getattr(node.operation, "function", None)
            if getattr(function, "__name__", "") == "equal":
                return node.input_tensors[0] is node.input_tensors[1]
        return self._no_value("Python asked whether it is true")

    def __float__(self) -> float:
        return self._no_value("Python asked for a float")

    def __int__(self) -> int:
        return self._no_value("Python asked for an int")

    __index__ = __int__


operators.install(KerasTensor)
operators.install(Spec, ("and", "or", "xor", "invert"))


class KerasHistory(tuple):
    """(operation, node_index, tensor_index) of the call that made a symbolic tensor."""

    def __new__(cls, operation: Any, node_index: int, tensor_index: int) -> KerasHistory:
        return super().__new__(cls, (operation, node_index, tensor_index))

    operation = property(lambda self: self[0])
    node_index = property(lambda self: self[1])
    tensor_index = property(lambda self: self[2])


class Node:
    """One call of an op or a layer on symbolic tensors."""

    count = 0

    def __init__(self, operation: Any, args: Any, kwargs: Any, outputs: Any):
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.input_tensors = [
            x for x in tree.flatten((args, kwargs)) if isinstance(x, KerasTensor)
        ]
        self.output_tensors = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
        for i, x in enumerate(self.output_tensors):
            x.node, x.index = self, i
        Node.count += 1
        self.order = Node.count
        nodes = getattr(operation, "_inbound_nodes", None)
        self.position = 0
        if isinstance(nodes, list):
            self.position = len(nodes)
            nodes.append(self)

    @property
    def is_input(self) -> bool:
        return not self.input_tensors


def standardize_shape(shape: Any) -> tuple[int | None, ...]:
    """A shape as a tuple of ints and `None`; an error for anything else."""
    if shape is None or isinstance(shape, str):
        raise ShapeError(f"A shape is a sequence of sizes, got {shape!r}.")
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    for d in shape:
        if d is not None and (not hasattr(d, "__index__") or isinstance(d, bool) or int(d) < 0):
            raise ShapeError(f"The sizes in a shape are non-negative ints or None, got {shape!r}.")
    return tuple(None if d is None else int(d) for d in shape)


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a `KerasTensor`.

    Args:
        x: anything.

    >>> import kerasish as keras
    >>> keras.utils.is_keras_tensor(keras.Input((3,)))
    True
    """
    return isinstance(x, KerasTensor)


def unknown_shape(shape: Any) -> tuple[int | None, ...]:
    """A shape met inside a symbolic run, with the probed sizes called `None` again."""
    return tuple(None if type(d) is Unknown else d for d in shape)


def infer(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The outputs of `fn`, called with symbolic tensors among its arguments, as `KerasTensor`s.

    No state changes. `fn` runs on shapes; where it calls an engine directly, which cannot work on
    shapes, it runs abstractly on the active engine; where it decides by values, on a few zeros.
    """
    real = backends.real or backends.active
    inputs = [
        x for x in tree.flatten((args, kwargs)) if isinstance(x, KerasTensor)
    ]
    unknown = any(d is None for x in inputs for d in x.shape)
    try:
        results = [
            _run_on_shapes(fn, args, kwargs, size) for size in _PROBES[: 2 if unknown else 1]
        ]
    except KerasishError as error:
        if getattr(error, "_needs_engine", False):
            results = _run_on_engine(real, fn, args, kwargs, unknown)
        else:
            results = unknown and _run_on_fitting_shapes(fn, args, kwargs, inputs)
            if not results:
                raise
    except Exception:
        results = _run_on_engine(real, fn, args, kwargs, unknown)
    return _merge(results)


def _run_on_shapes(
    fn: Any, args: Any, kwargs: Any, size: int, fixed: dict[tuple[int, int], int] | None = None
) -> Any:
    """The results where the unknown sizes are `size`, and by (id of a tensor, axis) the `fixed`."""
    size, fixed = Unknown(size), fixed or {}

    def lower(x: Any) -> Any:
        if not isinstance(x, KerasTensor):
            return x
        kind = SparseSpec if x.sparse else Spec
        spec = kind([fixed.get((id(x), axis), size) if d is None else d
                     for axis, d in enumerate(x.shape)], x.dtype)  # fmt: skip
        mask = getattr(x, "_keras_mask", None)
        if mask is not None:
            spec._keras_mask = lower(mask)
        return spec

    args, kwargs = tree.map_structure(lower, (args, kwargs))
    with backends.using(backends.load("symbolic")), state.Frame(), SymbolicScope():
        return fn(*args, **kwargs)


def _run_on_fitting_shapes(fn: Any, args: Any, kwargs: Any, inputs: list[Any]) -> Any:
    """The results where some unknown size must be that of another argument, or one: with such
    sizes, and with all others that fit as well. `None` where none do, or the outputs differ."""
    shapes = [tuple(x.shape) for x in tree.flatten((args, kwargs)) if hasattr(x, "shape")]
    holes = [(x, axis) for x in inputs for axis, d in enumerate(x.shape) if d is None]
    known = sorted({d for s in shapes for d in s if d is not None} | {1}, reverse=True)

    def beside(axis: int) -> int | None:
        sizes = [s[axis] for s in shapes if -len(s) <= axis < len(s)]
        return next((d for d in sizes if d not in (None, 1)), None)

    def run(fixed: Any, size: int = _PROBES[0]) -> list[Any]:
        try:
            return [_run_on_shapes(fn, args, kwargs, size, fixed)]
        except Exception:  # sizes that do not fit: the error of the first run is the one to tell
            return []

    for choose in (
        lambda x, axis: beside(axis), lambda x, axis: beside(axis - len(x.shape)),
        *[lambda x, axis, n=n: n for n in known],
    ):  # fmt: skip
        fixed = {(id(x), axis): n for x, axis in holes if (n := choose(x, axis)) is not None}
        if fixed and run(fixed):
            break
    else:
        return None
    for hole in list(fixed):
        without = {h: n for h, n in fixed.items() if h != hole}
        fixed = without if run(without) else fixed
    results = run(fixed) + run(fixed, _PROBES[1])
    others = {n + k for n in {*known, *fixed.values()} for k in (0, 1)}
    for count in range(1, min(len(fixed), 3) + 1):
        for some in itertools.combinations(fixed, count):
            for n in (None, *others):
                rest = {h: fixed[h] if h not in some else n for h in fixed}
                results += run({h: n for h, n in rest.items() if n is not None})
    forms = {tuple([len(getattr(x, "shape", ())) for x in tree.flatten(r)]) for r in results}
    return results if len(forms) == 1 else None


def _run_on_engine(real: Any, fn: Any, args: Any, kwargs: Any, unknown: bool) -> list[Any]:
    leaves = tree.flatten((args, kwargs))
    where = [i for i, x in enumerate(leaves) if isinstance(x, KerasTensor)]

    def on_arrays(*arrays: Any) -> Any:
        full = list(leaves)
        for i, x in zip(where, arrays, strict=True):
            full[i] = x
        a, k = tree.pack_sequence_as((args, kwargs), full)
        return fn(*a, **k)

    def on_zeros(function: Any, specs: list[Spec]) -> Any:
        return function(*[
            real.convert(np.zeros(s.shape, dtypes.numpy_dtype(s.dtype)), s.dtype) for s in specs
        ])

    def run(evaluate: Any) -> list[Any]:
        results = []
        for first, other in _SMALL[: 2 if unknown else 1]:
            specs = [
                Spec([(first if axis == 0 else other) if d is None else d
                      for axis, d in enumerate(leaves[i].shape)], leaves[i].dtype)
                for i in where
            ]  # fmt: skip
            with backends.using(real), state.Frame(), SymbolicScope():
                out = evaluate(on_arrays, specs)
                results.append(tree.map_structure(
                    lambda x: Spec(tuple(x.shape), dtypes.standardize(x.dtype))
                    if hasattr(x, "shape") and hasattr(x, "dtype") else x, out,
                ))
        return results

    try:
        return run(real.eval_shape)
    except Exception as error:
        try:
            return run(on_zeros)
        except Exception:
            raise error from None


def _merge(results: list[Any]) -> Any:
    def one(*outs: Any) -> Any:
        first = outs[0]
        if not isinstance(first, Spec):
            return first
        shape = [
            sizes[0] if all(s == sizes[0] for s in sizes) and type(sizes[0]) is not Unknown
            else None
            for sizes in zip(*(o.shape for o in outs), strict=True)
        ]
        return KerasTensor([None if d is None else int(d) for d in shape], first.dtype,
                           sparse=first.sparse)

    return tree.map_structure(one, *results)


def record(operation: Any, args: Any, kwargs: Any) -> Any:
    """Calls an op on symbolic tensors: infers its outputs and notes the call in the graph."""
    from kerasish.core.operation import OpCall

    outputs = infer(operation, args, kwargs)
    if any(isinstance(x, KerasTensor) for x in tree.flatten(outputs)):
        Node(OpCall(operation), args, kwargs, outputs)
    return outputs
