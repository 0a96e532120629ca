"""Arrays that are a shape and a dtype: the adapter behind shape inference.

Sizes are always concrete integers; `core.symbolic` probes unknown ones with two different sizes
and calls unknown whatever differs. `Unknown` marks a probed size as it flows through arithmetic,
so that a layer that is built inside sees `None` where the outside does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kerasish import dtypes, tree
from kerasish.backends import state
from kerasish.errors import DTypeError


class Unknown(int):
    """A probe size; arithmetic with it gives another one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "None"


def _closed(name: str) -> Callable[..., Any]:
    plain = getattr(int, name)

    def method(self: int, other: Any) -> Any:
        result = plain(self, other)
        return Unknown(result) if type(result) is int else result

    return method


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    for _side in ("__", "__r"):
        setattr(Unknown, f"{_side}{_name}__", _closed(f"{_side}{_name}__"))
Unknown.__neg__ = lambda self: Unknown(-int(self))


class Spec:
    """The shape and dtype of an array."""

    __slots__ = ("__weakref__", "_keras_mask", "dtype", "shape")
    sparse = False
    __getitem__: Callable[[Any], Any]  # core.operators gives it with the others

    def __init__(self, shape: Sequence[int], dtype: str):
        self.shape = tuple(shape)
        self.dtype = dtype

    ndim = property(lambda self: len(self.shape))
    T = property(lambda self: Spec(self.shape[::-1], self.dtype))

    @property
    def size(self) -> int:
        n = 1
        for d in self.shape:
            n = n * d
        return n

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if type(self.shape[0]) is Unknown:
            self._no_value()
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        return f"Spec({self.shape}, {self.dtype!r})"

    def _no_value(self, *_: Any, **__: Any) -> Any:
        error = DTypeError(
            "The value of a symbolic tensor was asked for (by if, float(), int(), np.asarray, ...)."
            " Use keras.ops.cond / keras.ops.where for decisions on values."
        )
        error._needs_engine = True
        raise error

    __bool__ = __float__ = __int__ = __index__ = __array__ = _no_value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from kerasish import ops

        if method != "__call__" or kwargs or not hasattr(ops, ufunc.__name__):
            return NotImplemented
        return getattr(ops, ufunc.__name__)(*inputs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from kerasish import ops

        if not hasattr(ops, func.__name__):
            return NotImplemented
        return getattr(ops, func.__name__)(*args, **kwargs)

    def reshape(self, *shape: Any) -> Any:
        from kerasish import ops

        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    def astype(self, dtype: Any) -> Spec:
        return Spec(self.shape, dtypes.standardize(dtype))


class SparseSpec(Spec):
    """The shape and dtype of a sparse array."""

    __slots__ = ()
    sparse = True


NATIVE = (Spec,)
FLOAT_DTYPES = frozenset(dtypes.FLOATS)


def native_dtype(name: str) -> str:
    return name


def is_tensor(x: Any) -> bool:
    return type(x) is Spec


def dtype_of(x: Any) -> str:
    return x.dtype


def explainable(error: Exception) -> bool:
    return isinstance(error, ValueError | TypeError | IndexError)


def convert(x: Any, dtype: str | None = None) -> Spec:
    if isinstance(x, Spec):
        return x if dtype is None else cast(x, dtype)
    if type(x) in (list, tuple) and any(type(leaf) is Spec for leaf in tree.flatten(x)):
        parts = [convert(leaf, dtype) for leaf in x]
        return Spec((len(parts), *parts[0].shape), parts[0].dtype)
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        if type(x) is np.ndarray:
            x = dtypes.host_array(x)
        return Spec(tuple(x.shape), dtype or dtypes.standardize(x.dtype))
    array = dtypes.host_array(x, dtype)
    return Spec(array.shape, array.dtype.name)


def scalar(value: Any, dtype: str) -> Spec:
    return Spec((), dtype)


def cast(x: Spec, dtype: str) -> Spec:
    return x if x.dtype == dtype else type(x)(x.shape, dtype)


def to_host(x: Any) -> np.ndarray:
    if type(x) is Spec:
        x._no_value()
    return np.asarray(x)


def from_host(x: np.ndarray) -> Spec:
    return Spec(x.shape, x.dtype.name)


def stop_gradient(variable: Any) -> Any:
    return variable


def adopt(variable: Any) -> Spec:
    """A variable is read as its shape and dtype, and stays where it lives."""
    if type(variable._value) is Spec:
        return variable._value
    return Spec(variable.shape, variable.dtype)


def assign(held: Any, value: Any) -> Any:
    return held


increase = assign


@contextlib.contextmanager
def device_scope(name: str) -> Iterator[None]:
    yield


inference = contextlib.nullcontext


def block_until_ready(x: Any) -> Any:
    return x


def value_and_grad(
    fn: Callable[..., Any], variables: Sequence[Any], args: Sequence[Any] = ()
) -> tuple[tuple[Any, Any], list[Any]]:
    with state.Frame() as frame:
        value, aux = fn(*args)
    state.commit(frame.changes)
    return (value, aux), [Spec(v.shape, dtypes.standardize(v.dtype)) for v in (*variables, *args)]


def compile(fn: Callable[..., Any], variables: Any = None, **_: Any) -> Callable[..., Any]:
    return fn


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: f(*args, **kwargs)[0]


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any]) -> Any:
    return true_fn()


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    return branches[0](*operands)


def while_loop(cond: Any, body: Any, loop_vars: Any, maximum_iterations: int | None) -> Any:
    return loop_vars


def fori_loop(lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any:
    return tree.map_structure(convert, body_fun(Spec((), "int32"), init_val))


def _element(x: Any) -> Any:
    return None if x is None else Spec(x.shape[1:], x.dtype)


def scan(
    f: Callable[..., Any], init: Any, xs: Any, length: int | None, reverse: bool, unroll: Any
) -> tuple[Any, Any]:
    n = length if length is not None else tree.flatten(xs)[0].shape[0]
    carry, y = f(init, tree.map_structure(_element, xs))
    return carry, tree.map_structure(
        lambda s: None if s is None else Spec((n, *convert(s).shape), convert(s).dtype), y
    )


def map(f: Callable[..., Any], xs: Any) -> Any:
    return scan(lambda carry, x: (carry, f(x)), None, xs, None, False, 1)[1]


vectorized_map = map
