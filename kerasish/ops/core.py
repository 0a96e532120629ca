"""Tensors themselves: conversion, shape and dtype."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kerasish import backends, dtypes
from kerasish.core import symbolic
from kerasish.core.op import _any_symbolic, _values, is_symbolic, op, raise_explained
from kerasish.errors import BackendError, DTypeError, InvalidArgument, KindError

__all__ = [
    "cast", "convert_to_numpy", "convert_to_tensor", "dtype", "is_tensor", "saturate_cast",
    "shape", "stop_gradient",
]  # fmt: skip
NARROW = ("bool", "int8", "uint8", "int16", "uint16")
"""The types that int32 holds, for which not every engine has every kernel."""


def convert_to_tensor(
    x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None
) -> Any:
    """The active backend's tensor for a tensor, Variable, array, list or Python number.

    Args:
        x: what to convert. Python floats become `floatx`, Python integers int32.
        dtype: the dtype of the result; by default that of `x`.
        sparse: `False` makes sparse tensors dense, `True` asks for a sparse tensor, `None` keeps
            what comes. Sparse tensors are SciPy's on NumPy, and the engines' own elsewhere.
        ragged: the same for TensorFlow's ragged tensors.

    >>> import kerasish as keras
    >>> keras.ops.convert_to_tensor([1, 2]).tolist()
    [1, 2]
    """
    dtype = None if dtype is None else _of_numbers(dtype, x)
    active = backends.active
    if is_symbolic(x):
        x = x if dtype in (None, x.dtype) else cast(x, dtype)
    elif _any_symbolic(x):
        x = _assemble(x, dtype)
    elif sparse is None and ragged is None and type(x) in active.native:
        return x if dtype is None else active.cast(x, dtype)
    else:
        if sparse and ragged:
            raise InvalidArgument("A tensor cannot be sparse and ragged at once.")
        to_ragged = active.lookup("convert_ragged")
        if to_ragged is not None:
            x = to_ragged(x, ragged)
        elif ragged:
            raise BackendError(
                f"The {active.name} backend has no ragged tensors. Pad the rows to one length "
                "(keras.utils.pad_sequences), or use the tensorflow backend."
            )
        x = active.convert(_values(x), dtype)
    return x if sparse is None else _to_sparse(x) if sparse else _to_dense(x)


def _of_numbers(name: Any, x: Any) -> str:
    """The dtype's name; strings are no target, but for what holds them already."""
    name = dtypes.standardize(name)
    if name == "string" and dtypes.standardize(getattr(x, "dtype", "bool")) != name:
        raise DTypeError(f"Cannot make a tensor of the dtype {name!r}: tensors hold numbers.")
    return name


@op(convert="x")
def _to_dense(x: Any) -> Any:
    """`x` itself; a sparse tensor as a dense one."""
    return backends.sparse_forms["_to_dense"](x) if backends.active.is_sparse(x) else x


@op(convert="x")
def _to_sparse(x: Any) -> Any:
    """The entries of `x` that are not zero; a sparse tensor itself."""
    if backends.active.is_sparse(x):
        return x
    from kerasish.ops import get_item, not_equal, stack, where

    places = where(not_equal(x, 0))
    return backends.active.sparse(stack(places, -1), get_item(x, places), shape(x))


@op(convert="x")
def _assemble(x: Any, dtype: str | None) -> Any:
    """One tensor of a nested list with symbolic tensors in it."""
    return x if dtype is None else backends.active.cast(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """`x` as a NumPy array; a Variable's values are copied.

    Args:
        x: a tensor, a Variable, or anything that `numpy.asarray` takes.

    >>> import kerasish as keras
    >>> keras.ops.convert_to_numpy([1.0, 2.0]).dtype.name
    'float32'
    """
    if is_symbolic(x):
        x.__array__()
    if hasattr(type(x), "_is_variable"):
        return np.array(backends.to_host(x.value))
    return np.asarray(backends.to_host(convert_to_tensor(x)))


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor of the active backend.

    Args:
        x: anything.

    >>> import kerasish as keras
    >>> keras.ops.is_tensor(keras.ops.ones(3)), keras.ops.is_tensor([1.0])
    (True, False)
    """
    return backends.active.owns(x)


def shape(x: Any) -> tuple[Any, ...]:
    """The shape as a tuple of ints.

    Unknown sizes are `None` for symbolic tensors, and scalar tensors inside a `tf.function`.

    Args:
        x: a tensor, a Variable or a `KerasTensor`.

    >>> import kerasish as keras
    >>> keras.ops.shape(keras.ops.ones((2, 3)))
    (2, 3)
    """
    if is_symbolic(x):
        return x.shape
    active = backends.active
    if not active.owns(x):
        x = convert_to_tensor(x)
    return active.table["shape"](x)


def dtype(x: Any) -> str:
    """The name of the dtype.

    Args:
        x: a tensor, a Variable, a `KerasTensor`, an array or a Python number.

    >>> import kerasish as keras
    >>> keras.ops.dtype(keras.ops.ones(2)), keras.ops.dtype(3)
    ('float32', 'int32')
    """
    if is_symbolic(x) or hasattr(type(x), "_is_variable"):
        return x.dtype
    active = backends.active
    return active.dtype_of(x if active.owns(x) else convert_to_tensor(x))


def cast(x: Any, dtype: Any) -> Any:
    """`x` with its values converted to another dtype.

    Args:
        x: a tensor of any shape.
        dtype: the new dtype, in any form.

    >>> import kerasish as keras
    >>> keras.ops.cast([0.5, 2.7], "int32").tolist()
    [0, 2]
    """
    active = backends.active
    try:
        dtype = _of_numbers(dtype, x)
        if type(x) not in active.native and _any_symbolic(x):
            return symbolic.record(cast, (x, dtype), {})
        if type(x) in active.native:
            return active.cast(x, dtype)
        return active.convert(_values(x), dtype)
    except Exception as error:
        return raise_explained(error, "cast", [("x", x), ("dtype", dtype)])


cast.op_name = "cast"


@op(convert="x")
def _clip_and_cast(x: Any, dtype: str) -> Any:
    """Values beyond the range of `dtype` at its ends, then cast."""
    from kerasish.ops.elementwise import clip

    low, high = _common_range(backends.active.dtype_of(x), dtype)
    if low is None and high is None:
        return cast(x, dtype)
    return cast(clip(x, low, high), dtype)


@functools.cache
def _common_range(source: str, dtype: str) -> tuple[Any, Any]:
    """The ends of the range of `dtype` as numbers of `source`."""

    def limits(name: str) -> tuple[Any, Any]:
        if name == "bool":
            return 0, 1
        if dtypes.is_int(name):
            info = _int_info(name)
            return int(info.min), int(info.max)
        import ml_dtypes

        info = ml_dtypes.finfo(dtypes.numpy_dtype(name))
        return float(info.min), float(info.max)

    low, high = (
        pick(a, b) for pick, a, b in zip(
            (max, min), limits(source), limits(dtype), strict=True
        )
    )  # fmt: skip
    if dtypes.is_int(source) or source == "bool":
        return int(low), int(high)
    kind = dtypes.numpy_dtype(source)

    def inside(value: Any) -> Any:
        rounded = np.asarray(value).astype(kind)
        if abs(float(rounded)) > abs(value):  # the nearest number lies beyond: the one before it
            rounded = np.nextafter(rounded, kind.type(0))
        return float(rounded)

    return inside(low), inside(high)


def _int_info(name: str) -> Any:
    if name in dtypes.SUB_BYTE:
        import ml_dtypes

        return ml_dtypes.iinfo(dtypes.numpy_dtype(name))
    return np.iinfo(name)


def saturate_cast(x: Any, dtype: Any) -> Any:
    """Like `cast`, with values beyond the range of `dtype` set to its smallest or largest number.

    Args:
        x: a tensor.
        dtype: the result's dtype.

    >>> import kerasish as keras
    >>> keras.ops.saturate_cast([-7.0, 3.5, 300.0], "uint8").tolist()
    [0, 3, 255]
    """
    if x is None:
        raise KindError("ops.saturate_cast: x must be an array, got None.")
    return _clip_and_cast(x, _of_numbers(dtype, x))


@op(convert="variable")
def stop_gradient(variable: Any) -> Any:
    """`variable`, as a constant in the eyes of every gradient.

    Args:
        variable: a tensor or a Variable.

    >>> import kerasish as keras
    >>> keras.ops.stop_gradient([1.0, 2.0]).tolist()
    [1.0, 2.0]
    """
