"""Python's operators for variables and symbolic tensors, from one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
    "floordiv": "floor_divide", "mod": "mod", "pow": "power", "matmul": "matmul",
    "and": "logical_and", "or": "logical_or", "xor": "logical_xor",
    "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
_COMPARE = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    "eq": "equal", "ne": "not_equal",
}  # fmt: skip
_ON_INTEGERS = {"and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}


def _op(name: str) -> Any:
    from kerasish import ops

    return getattr(ops, name)


def _bitwise(name: str, *operands: Any) -> Any:
    """`&`, `|`, `^`, `~` as engines have them: bits of integers, truth values of bools."""
    bools = all(str(getattr(x, "dtype", type(x).__name__)) == "bool" for x in operands)
    if name == "invert":
        return _op("logical_not" if bools else "bitwise_not")(*operands)
    return _op(_BINARY[name] if bools else _ON_INTEGERS[name])(*operands)


def of_ufunc(ufunc: Any) -> Any:
    """The op of a NumPy function's meaning, or the function itself where there is none."""
    from kerasish import ops

    own: str = ufunc.__name__
    name = {"remainder": "mod", "invert": "bitwise_not"}.get(own, own)
    return _divmod if name == "divmod" else getattr(ops, name, ufunc)


def _divmod(x1: Any, x2: Any) -> Any:
    return _op("floor_divide")(x1, x2), _op("mod")(x1, x2)


_UFUNCS = frozenset((
    "add subtract multiply divide floor_divide remainder divmod power matmul left_shift "
    "right_shift bitwise_and bitwise_or bitwise_xor less less_equal greater greater_equal equal "
    "not_equal"
).split())


def reflected(ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """What `array + symbolic` is: NumPy calls the ufunc of the operator; else `NotImplemented`."""
    if method != "__call__" or kwargs or not is_binary(ufunc):
        return NotImplemented
    return of_ufunc(ufunc)(*inputs)


def is_binary(ufunc: Any) -> bool:
    """Whether a NumPy function is what an operator with two operands calls."""
    return ufunc.__name__ in _UFUNCS


def _compare(op: str, x: Any, other: Any) -> Any:
    if op in ("equal", "not_equal") and (other is None or isinstance(other, str)):
        return op == "not_equal"  # as where a list is searched for a name
    return _op(op)(x, other)


if TYPE_CHECKING:

    class Operators:
        """A class that `install` gives the operators to, as type checkers see it."""

        def _unary(self) -> Any: ...
        def _binary(self, other: Any) -> Any: ...
        def __eq__(self, other: Any) -> Any: ...
        def __ne__(self, other: Any) -> Any: ...
        def __hash__(self) -> int: ...
        def __getitem__(self, key: Any) -> Any: ...
        def __round__(self, ndigits: int = 0) -> Any: ...

        __neg__ = __pos__ = __abs__ = __invert__ = _unary
        __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = _binary
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = _binary
        __rpow__ = __matmul__ = __rmatmul__ = __divmod__ = __rdivmod__ = _binary
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _binary
        __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _binary
        __lt__ = __le__ = __gt__ = __ge__ = _binary
else:
    Operators = object


def install(cls: type, bits: Sequence[str] = ()) -> None:
    """Gives a class the operators; each calls the op of its meaning.

    Those named in `bits` work on the bits of integers, as an engine's arrays have it. The others
    of `&`, `|`, `^`, `~` work on truth values: what Keras has for variables (but `~`) and for
    symbolic tensors.
    """

    def method(name: str, function: Any) -> None:
        function.__name__ = f"__{name}__"
        setattr(cls, f"__{name}__", function)

    for name, op in _BINARY.items():
        if name in bits:
            method(name, lambda self, other, n=name: _bitwise(n, self, other))
            method(f"r{name}", lambda self, other, n=name: _bitwise(n, other, self))
        else:
            method(name, lambda self, other, op=op: _op(op)(self, other))
            method(f"r{name}", lambda self, other, op=op: _op(op)(other, self))
    for name, op in _COMPARE.items():
        method(name, lambda self, other, op=op: _compare(op, self, other))
    method("neg", lambda self: _op("negative")(self))
    method("abs", lambda self: _op("absolute")(self))
    method("pos", lambda self: _op("copy")(self))
    if "invert" in bits:
        method("invert", lambda self: _bitwise("invert", self))
    else:
        method("invert", lambda self: _op("logical_not")(self))
    method("getitem", lambda self, key: _op("get_item")(self, key))
    method("divmod", lambda self, other: (self // other, self % other))
    method("rdivmod", lambda self, other: (other // self, other % self))
    method("round", lambda self, ndigits=0: _op("round")(self, ndigits or 0))
    cls.__hash__ = object.__hash__
