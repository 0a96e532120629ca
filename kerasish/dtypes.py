"""Names of data types and the one table of type promotion that all backends share.

The lattice is JAX's (https://docs.jax.dev/en/latest/type_promotion.html) without 64-bit
surprises: a Python scalar is weak and follows the array it meets, and an integer that meets a
float becomes that float.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kerasish import config
from kerasish.errors import DTypeError, InvalidArgument, UnknownDType

FLOATS = ("bfloat16", "float16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
COMPLEX = ("complex64", "complex128")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
SUB_BYTE = ("int4", "uint4")
ALLOWED = frozenset(
    ("bool", "string", *FLOATS, *SIGNED, *UNSIGNED, *COMPLEX, *FLOAT8, *SUB_BYTE)
)
REAL = ALLOWED - {"string", *COMPLEX}
WHOLE = REAL - {"bool", *FLOATS, *FLOAT8}
_PYTHON = {bool: "bool", int: "int", float: "float", complex: "complex", str: "string"}

# Each type's direct successors in the lattice; the join of two types is their least common one.
# "int", "float" and "complex" are the weak types of Python scalars.
_SUCCESSORS: dict[str, tuple[str, ...]] = {
    "bool": ("int", "uint4", "int4"),
    "uint4": ("uint8",),
    "int4": ("int8",),
    "int": ("uint8", "int8", "uint4", "int4"),
    "uint8": ("uint16", "int16"),
    "uint16": ("uint32", "int32"),
    "uint32": ("uint64", "int64"),
    "uint64": ("float",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "float": ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "complex"),
    "float8_e4m3fn": ("bfloat16", "float16"),
    "float8_e5m2": ("bfloat16", "float16"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}


@functools.cache
def _above(name: str) -> frozenset[str]:
    """The type and everything that it can be promoted to."""
    return frozenset({name}.union(*(_above(n) for n in _SUCCESSORS[name])))


@functools.cache
def _join(a: str, b: str) -> str:
    common = _above(a) & _above(b)
    least = [c for c in common if common <= _above(c)]
    if len(least) != 1:
        raise DTypeError(f"No common dtype for {a!r} and {b!r}. Cast one of them with ops.cast.")
    return least[0]


@functools.lru_cache(maxsize=4096)
def _result(names: tuple[str, ...], floatx: str) -> str:
    if "string" in names and len({*names}) > 1:
        raise DTypeError(f"Strings and numbers have no common dtype: {', '.join(names)}.")
    joined = functools.reduce(_join, names)
    if joined == "int":
        return "int32"
    if joined == "float":
        return floatx
    return "complex64" if joined == "complex" else joined


def result_type(*dtypes: Any) -> str:
    """The dtype name of an operation on operands of these dtypes.

    Python types (`int`, `float`) stand for Python scalars, which are weak.

    Args:
        *dtypes: names or dtype objects.

    >>> from kerasish import dtypes
    >>> dtypes.result_type("int64", "float16"), dtypes.result_type("int32", float)
    ('float16', 'float32')
    """
    if not dtypes:
        return config.floatx()
    names = tuple(_PYTHON[d] if d in _PYTHON else standardize(d) for d in dtypes)
    return _result(names, config.floatx())


@functools.lru_cache(maxsize=1024)
def _standardize(dtype: Any) -> str:
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    name = {"str": "string", "str_": "string", "bool_": "bool", "half": "float16"}.get(name, name)
    if name not in ALLOWED and "." in (text := str(dtype)):  # torch.float32, jnp.float32
        name = text.rsplit(".", 1)[-1].rstrip("'>")
    if name.startswith(("str", "bytes", "object")):
        name = "string"
    if name not in ALLOWED:
        raise UnknownDType(f"Unknown dtype {dtype!r}. Expected one of {sorted(ALLOWED)}.")
    return name


def standardize(dtype: Any) -> str:
    """The name of a dtype given in any form (name, NumPy, torch, TensorFlow, Python type).

    `None` means `config.floatx()`.

    >>> from kerasish import dtypes
    >>> dtypes.standardize(int), dtypes.standardize(None), dtypes.standardize("bool")
    ('int32', 'float32', 'bool')
    """
    if dtype.__class__ is str and dtype in ALLOWED:
        return dtype
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, dict | list | set):
        raise DTypeError(f"A dtype is a name or an engine's dtype, got {dtype!r:.60}.")
    if dtype in _PYTHON:
        return {int: "int32", float: config.floatx(), complex: "complex64"}.get(
            dtype, _PYTHON[dtype]
        )
    if dtype.__class__ is str and dtype in ("int", "float"):
        return "int32" if dtype == "int" else config.floatx()
    return _standardize(dtype)


def is_float(dtype: Any) -> bool:
    """Whether the dtype is a (real) floating-point type.

    Args:
        dtype: a dtype's name, or a dtype of NumPy or of an engine.

    >>> import kerasish as keras
    >>> keras.backend.is_float_dtype("bfloat16"), keras.backend.is_float_dtype("int32")
    (True, False)
    """
    name = standardize(dtype)
    return name in FLOATS or name in FLOAT8


def is_int(dtype: Any) -> bool:
    """Whether the dtype is a signed or unsigned integer type (`bool` is not).

    Args:
        dtype: a dtype's name, or a dtype of NumPy or of an engine.

    >>> import kerasish as keras
    >>> keras.backend.is_int_dtype("uint8"), keras.backend.is_int_dtype("bool")
    (True, False)
    """
    return standardize(dtype) in (*SIGNED, *UNSIGNED, *SUB_BYTE)


@functools.cache
def numpy_dtype(name: str) -> np.dtype:
    """The NumPy dtype of a name; the small float and integer types come from `ml_dtypes`."""
    if name == "bfloat16" or name in FLOAT8 or name in SUB_BYTE:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(object) if name == "string" else np.dtype(name)


def host_array(x: Any, dtype: str | None = None) -> np.ndarray:
    """A NumPy array of `x` with the default dtypes for plain Python values.

    Python floats become `floatx`, Python integers `int32` (`int64` where they do not fit);
    arrays keep their dtype.
    """
    if isinstance(x, np.ndarray | np.generic):
        array = np.asarray(x)
    else:
        try:
            array = np.asarray(x)
        except ValueError as error:
            raise InvalidArgument(
                f"Cannot make a tensor of {type(x).__name__} {x!r:.60}: {error} Give rows of one "
                "length, as utils.pad_sequences makes them."
            ) from error
        if dtype is None and not hasattr(x, "__array__") and not _holds_numpy(x):
            if array.dtype == np.float64:
                array = array.astype(numpy_dtype(config.floatx()))
            elif array.dtype == np.int64 and (
                not array.size or (array.min() >= -(2**31) and array.max() < 2**31)
            ):
                array = array.astype(np.int32)
    if array.dtype.kind in "OUSTM":
        raise DTypeError(
            f"Cannot make a tensor of {array.dtype} values such as {_sample(array)!r}. "
            "Tensors hold numbers: encode strings with StringLookup or TextVectorization, and "
            "give sequences of unequal lengths a common length with utils.pad_sequences."
        )
    return array if dtype is None else array.astype(numpy_dtype(dtype), copy=False)


def _holds_numpy(x: Any) -> bool:
    while isinstance(x, list | tuple) and x:
        x = x[0]
    return hasattr(x, "dtype")


def _sample(array: np.ndarray) -> Any:
    return array.flat[0] if array.size else array
