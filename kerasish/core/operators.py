"""Python's operators for variables and symbolic tensors, from one table."""

from __future__ import annotations

from typing import Any

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
    """`&`, `|`, `^`, `~` work on bits of integers and on truth values of bools."""
    bools = all(str(getattr(x, "dtype", type(x).__name__)) == "bool" for x in operands)
    if name == "invert":
        return _op("logical_not" if bools else "bitwise_not")(*operands)
    return _op(_BINARY[name] if bools else _ON_INTEGERS[name])(*operands)


def of_ufunc(ufunc: Any) -> Any:
    """The op of a NumPy function's meaning, or the function itself where there is none."""
    from kerasish import ops

    name = {"remainder": "mod", "invert": "bitwise_not"}.get(ufunc.__name__, ufunc.__name__)
    return getattr(ops, name, ufunc)


_UFUNCS = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide",
    "floor_divide": "floor_divide", "remainder": "mod", "power": "power", "matmul": "matmul",
    "left_shift": "left_shift", "right_shift": "right_shift",
    **{op: op for op in (*_ON_INTEGERS.values(), *_COMPARE.values())},
}  # fmt: skip


def reflected(ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """What `array + symbolic` is: NumPy calls the ufunc of the operator; else `NotImplemented`."""
    if method != "__call__" or kwargs or ufunc.__name__ not in _UFUNCS:
        return NotImplemented
    return _op(_UFUNCS[ufunc.__name__])(*inputs)


def install(cls: type) -> type:
    """Gives a class the operators; each calls the op of its meaning."""

    def method(name: str, function: Any) -> None:
        function.__name__ = f"__{name}__"
        setattr(cls, f"__{name}__", function)

    for name, op in _BINARY.items():
        if name in _ON_INTEGERS:
            method(name, lambda self, other, n=name: _bitwise(n, self, other))
            method(f"r{name}", lambda self, other, n=name: _bitwise(n, other, self))
        else:
            method(name, lambda self, other, op=op: _op(op)(self, other))
            method(f"r{name}", lambda self, other, op=op: _op(op)(other, self))
    for name, op in _COMPARE.items():
        method(name, lambda self, other, op=op: _op(op)(self, other))
    method("neg", lambda self: _op("negative")(self))
    method("abs", lambda self: _op("absolute")(self))
    method("pos", lambda self: self)
    method("invert", lambda self: _bitwise("invert", self))
    method("getitem", lambda self, key: _op("get_item")(self, key))
    method("divmod", lambda self, other: (self // other, self % other))
    method("rdivmod", lambda self, other: (other // self, other % self))
    method("round", lambda self, ndigits=0: _op("round")(self, ndigits or 0))
    cls.__hash__ = object.__hash__  # type: ignore[method-assign, assignment]
    return cls
