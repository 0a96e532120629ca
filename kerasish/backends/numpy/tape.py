"""Reverse-mode differentiation of NumPy code.

Inside `value_and_grad` the arrays to differentiate are `Traced`: duck arrays that answer NumPy's
`__array_ufunc__` and `__array_function__` protocols, operators and usual methods. Every call on
one computes the plain result and, where it depends on a traced argument, records a `Node` with
the rule for each such argument. The backward walk takes the nodes from the newest to the oldest
off the record and frees each as it goes. Tapes nest: a rule is itself NumPy code and is recorded
by an outer tape, so gradients of gradients work. The design follows HIPS autograd (Maclaurin,
2016).

Three ways to give a rule:

`defvjp(np.exp, lambda g, ans, x: g * ans)`
    For NumPy's functions: one callable per positional argument, `None` where there is no gradient.
`@primitive` + `defvjp`
    The same for a function of our own, such as a convolution.
`@fused(body)`
    For a kernel with a hand-derived backward pass. The function returns `(value, saved)`;
    `function.pullback(g, saved, wanted, *args)` returns one gradient (or `None`) for each argument;
    `wanted[i]` tells whether argument i is traced. It runs on plain arrays; under nested tapes the
    differentiable `body` (named ops) takes its place.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish.backends.state import local
from kerasish.errors import GradientError

RULES: dict[Any, tuple[Callable[..., Any] | None, ...]] = {}
LIST_RULES: dict[Any, Callable[..., Any]] = {}
NOGRAD: set[Any] = set()


class Node:
    """One recorded call: who its traced parents are and how a gradient flows back to each."""

    __slots__ = ("grad", "parents", "pull", "tape")

    def __init__(self, parents: list[Node], pull: Callable[[Any], Any]):
        self.parents = parents
        self.pull: Any = pull
        self.grad: Any = None
        tape = parents[0].tape
        if tape.record is None:  # what was kept from a tape that has ended is a constant
            tape = next((p.tape for p in parents if p.tape.record is not None), tape)
        self.tape: Tape = tape
        if tape.record is not None:
            tape.record.append(self)


class Leaf(Node):
    """What a tape starts from."""

    __slots__ = ()

    def __init__(self, tape: Tape):
        self.tape = tape
        self.grad = None


class Traced:
    """An array on a tape. `level` tells tapes apart when gradients are nested."""

    __slots__ = ("__weakref__", "_keras_mask", "level", "node", "value")
    __array_priority__ = 1000.0

    def __init__(self, value: Any, node: Node, level: int):
        self.value = value
        self.node = node
        self.level = level

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    itemsize = property(lambda self: self.value.itemsize)
    nbytes = property(lambda self: self.value.nbytes)
    T = property(lambda self: np.transpose(self))
    mT = property(lambda self: np.swapaxes(self, -1, -2))
    real = property(lambda self: np.real(self))
    imag = property(lambda self: np.imag(self))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        if out is not None:
            raise GradientError(
                f"np.{ufunc.__name__}(..., out=) cannot be differentiated: write x = x + y "
                "in place of in-place forms while gradients are recorded."
            )
        if method == "__call__":
            return apply(ufunc, inputs, kwargs)
        if method == "reduce" and ufunc in _REDUCTIONS:
            kwargs.setdefault("axis", 0)
            kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue and v is not None
                      or k == "axis"}
            return apply(_REDUCTIONS[ufunc], inputs, kwargs)
        raise GradientError(
            f"np.{ufunc.__name__}.{method} has no gradient rule on the NumPy backend. Use an "
            "equivalent keras.ops function, or keras.ops.stop_gradient around its input."
        )

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return apply(func, args, kwargs)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise GradientError(
            "A value that gradients are recorded for was converted to a plain NumPy array (by "
            "np.asarray, np.array([...]), float(), scipy, ...), which would lose its gradient. "
            "Use np functions on it directly, np.stack in place of np.array([...]), or "
            "keras.ops.stop_gradient(x) where no gradient is wanted."
        )

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(strip(self))

    def __int__(self) -> int:
        return int(strip(self))

    def __float__(self) -> float:
        return float(strip(self))

    def __index__(self) -> int:
        return strip(self).__index__()

    def __repr__(self) -> str:
        return f"Traced({strip(self)!r})"

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return apply(getitem, (self, key), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        raise GradientError(
            "x[...] = value cannot be differentiated. Use keras.ops.scatter_update, "
            "keras.ops.slice_update or keras.ops.where, which return a new array."
        )

    __hash__ = object.__hash__

    def item(self) -> Any:
        return strip(self).item()

    def tolist(self) -> Any:
        return strip(self).tolist()

    def astype(self, dtype: Any, copy: bool = True, **_: Any) -> Any:
        return self if self.dtype == dtype else apply(astype, (self, dtype), {})

    def copy(self) -> Any:
        return self

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self, *axes: Any) -> Any:
        axes = axes[0] if len(axes) == 1 else axes
        return np.transpose(self, axes or None)

    def view(self, *_: Any) -> Any:
        raise GradientError("x.view(dtype) has no gradient. Use keras.ops.cast.")


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name)
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


for _name in (
    "sum mean max min prod std var any all argmax argmin argsort cumsum cumprod squeeze swapaxes "
    "repeat take ravel round clip diagonal trace nonzero dot conj sort ptp"
).split():
    setattr(Traced, _name, _method(_name))
Traced.flatten = Traced.ravel


def _operator(ufunc: Any, swapped: bool = False) -> Callable[..., Any]:
    if swapped:
        return lambda self, other: apply(ufunc, (other, self), {})
    return lambda self, other: apply(ufunc, (self, other), {})


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power, "matmul": np.matmul,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift,
}.items():  # fmt: skip
    setattr(Traced, f"__{_name}__", _operator(_ufunc))
    setattr(Traced, f"__r{_name}__", _operator(_ufunc, swapped=True))
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    setattr(Traced, f"__{_name}__", _operator(_ufunc))
for _name, _ufunc in {"neg": np.negative, "abs": np.absolute, "invert": np.invert}.items():
    setattr(Traced, f"__{_name}__", lambda self, _f=_ufunc: apply(_f, (self,), {}))
Traced.__pos__ = lambda self: self
Traced.__divmod__ = lambda self, other: (self // other, self % other)
Traced.__rdivmod__ = lambda self, other: (other // self, other % self)
Traced.__round__ = lambda self, ndigits=None: apply(np.round, (self, ndigits or 0), {})

_REDUCTIONS = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min,
    np.logical_and: np.all, np.logical_or: np.any,
}  # fmt: skip


def strip(x: Any) -> Any:
    """The plain array under any number of tapes."""
    while type(x) is Traced:
        x = x.value
    return x


def getitem(x: Any, key: Any) -> Any:
    """`x[key]` as a function, so that it can have a rule."""
    return x[key]


def astype(x: Any, dtype: Any) -> Any:
    """`x.astype(dtype)` as a function, so that it can have a rule."""
    return x.astype(dtype)


def _top(level: int, x: Any) -> int:
    return x.level if type(x) is Traced and x.level > level else level


def apply(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Calls `function`, recording it on the innermost tape that any argument is on."""
    level = 0
    for x in args:
        kind = type(x)
        if kind is Traced:
            if x.level > level:
                level = x.level
        elif kind is list or kind is tuple:
            for y in x:
                if type(y) is Traced and y.level > level:
                    level = y.level
        elif kind is not np.ndarray and hasattr(kind, "_is_variable"):
            args = tuple([a.value if hasattr(type(a), "_is_variable") else a for a in args])
            return apply(function, args, kwargs)
    for x in kwargs.values():
        level = _top(level, x)
    if not level:
        return function(*args, **kwargs)
    plain = tuple([_lower(x, level) for x in args])
    if function in NOGRAD:
        return function(*plain, **{k: _lower(v, level) for k, v in kwargs.items()})
    parents: list[Node] = []
    pulls: list[Any] = []
    rules = RULES.get(function)
    if rules is not None:
        for x, rule in zip(args, rules):  # noqa: B905 (trailing arguments have no rule)
            if type(x) is Traced and x.level == level and rule is not None:
                parents.append(x.node)
                pulls.append(rule)
        for key, x in kwargs.items():
            if type(x) is Traced and x.level == level:
                raise GradientError(
                    f"{_name_of(function)} got a differentiated array as keyword {key!r}. "
                    "Pass it by position."
                )
        ans = function(*plain, **kwargs)
        if not parents:
            return ans

        if len(pulls) == 1 and not kwargs:
            (rule,) = pulls

            def pull(g: Any) -> Any:
                return (rule(g, ans, *plain),)
        else:

            def pull(g: Any) -> Any:
                return [rule(g, ans, *plain, **kwargs) for rule in pulls]
    elif function in LIST_RULES:
        list_rule = LIST_RULES[function]
        arrays, which = args[0], []
        for i, x in enumerate(arrays):
            if type(x) is Traced and x.level == level:
                parents.append(x.node)
                which.append(i)
        ans = function(*plain, **kwargs)

        def pull(g: Any) -> Any:
            return [list_rule(i, g, ans, *plain, **kwargs) for i in which]
    elif hasattr(function, "_implementation"):
        # A NumPy function without a rule of its own: differentiate its Python body, whose
        # calls come back here one by one.
        return function._implementation(*args, **kwargs)
    else:
        raise GradientError(
            f"{_name_of(function)} has no gradient rule on the NumPy backend. Use an equivalent "
            "keras.ops function, keras.ops.custom_gradient to give a rule, or "
            "keras.ops.stop_gradient(x) where no gradient is wanted."
        )
    return _wrap(ans, Node(parents, pull), level)


def _wrap(ans: Any, node: Node, level: int) -> Any:
    if type(ans) is not np.ndarray and isinstance(ans, list | tuple):
        # Several results (np.split, np.linalg.qr, ...): each part sends its share of the gradient
        # to a common node, whose pull runs once, when all of them have arrived.
        parts = []
        for i, part in enumerate(ans):
            leaf = Node([node], functools.partial(_share, i, len(ans)))
            parts.append(Traced(part, leaf, level))
        if hasattr(ans, "_fields"):
            return type(ans)(*parts)
        return type(ans)(parts)
    return Traced(ans, node, level)


class Shares(list):
    """The gradients of a call with several results; `None` where a result was not used."""


def _share(i: int, n: int, g: Any) -> Any:
    shares = Shares([None] * n)
    shares[i] = g
    return [shares]


def _lower(x: Any, level: int) -> Any:
    if type(x) is Traced:
        return x.value if x.level == level else x
    if type(x) is list or type(x) is tuple:
        for y in x:
            if type(y) is Traced:
                return type(x)([_lower(y, level) for y in x])
    return x


def _record_fused(function: Any, level: int, args: Any) -> Any:
    """A fused call of which some arguments are traced, `level` being the innermost of them."""
    plain, wanted, parents = list(args), [], []
    for i, x in enumerate(args):
        traced = type(x) is Traced
        wanted.append(traced)
        if traced:
            if x.level != level or type(x.value) is Traced:
                return function.body(*args)
            plain[i] = x.value
            parents.append(x.node)
    ans, saved = function.forward(*plain)

    def pull(g: Any) -> Any:
        if type(g) is Traced:
            raise GradientError(f"{function.__name__}: the outer tape must be on its inputs.")
        grads = function.pullback(g, saved, wanted, *plain)
        return grads if len(parents) == len(grads) else itertools.compress(grads, wanted)

    return _wrap(ans, Node(parents, pull), level)


def _name_of(function: Any) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{getattr(function, '__name__', function)}"


def defvjp(function: Any, *rules: Callable[..., Any] | None) -> None:
    """Gives the gradient rule for each positional argument: `rule(g, ans, *args, **kwargs)`."""
    RULES[function] = rules


def defvjp_list(function: Any, rule: Callable[..., Any]) -> None:
    """The rule of a function of a list of arrays: `rule(i, g, ans, arrays, *args, **kwargs)`."""
    LIST_RULES[function] = rule


def nograd(*functions: Any) -> None:
    """Functions whose result does not depend smoothly on their input: no gradient flows."""
    NOGRAD.update(functions)


def primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function of ours differentiable by rules given with `defvjp`."""
    if len(inspect.signature(function).parameters) == 1:

        @functools.wraps(function)
        def single(x: Any) -> Any:
            return apply(single, (x,), {}) if type(x) is Traced else function(x)

        return single

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if type(x) is Traced or ((type(x) is list or type(x) is tuple) and any(
                type(y) is Traced for y in x
            )):
                return apply(wrapper, args, kwargs)
        return function(*args, **kwargs)

    return wrapper


def fused(body: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel with a hand-derived pullback; see the module's docstring."""

    def decorate(forward: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(forward)
        def wrapper(*args: Any) -> Any:
            level = 0
            for x in args:
                if type(x) is Traced and x.level > level:
                    level = x.level
            return _record_fused(wrapper, level, args) if level else forward(*args)[0]

        wrapper.forward = forward
        wrapper.body = body
        return wrapper

    return decorate


def unbroadcast(g: Any, like: Any) -> Any:
    """Sums a gradient over the axes along which `like` was broadcast, and keeps its dtype."""
    shape = np.shape(like)
    if g.shape != shape:
        extra = g.ndim - len(shape)
        if extra > 0:
            g = np.sum(g, axis=tuple(range(extra)))
        axes = tuple(
            [i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1]
        )
        if axes:
            g = np.sum(g, axis=axes, keepdims=True)
    dtype = getattr(like, "dtype", None)
    if dtype is not None and g.dtype != dtype:
        # A real operand of a complex result gets the real part of its cotangent.
        g = np.real(g) if g.dtype.kind == "c" and dtype.kind != "c" else g
        g = g.astype(dtype) if g.dtype != dtype else g
    return g


def _accumulate(node: Node, g: Any) -> None:
    """Borrows the first gradient, adds the second into a new array, later ones in place."""
    if g is None:
        return
    held = node.grad
    if held is None:
        node.grad = g
    elif type(g) is Shares:
        node.grad = Shares([
            b if a is None else a if b is None else a + b
            for a, b in zip(held, g, strict=True)
        ])
    elif type(held) is _Owned and type(g) is np.ndarray and held.array.dtype == g.dtype:
        held.array += g
    elif type(held) is np.ndarray and type(g) is np.ndarray:
        node.grad = _Owned(held + g)
    else:
        node.grad = (held.array if type(held) is _Owned else held) + g


class _Owned:
    """A gradient array that this walk allocated itself and may therefore add into."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray):
        self.array = array


def backward(record: list[Node], root: Node, seed: Any) -> None:
    """Sends `seed` from `root` back to the leaves, whose gradients stay in `node.grad`."""
    root.grad = seed
    while record:
        node = record.pop()
        g = node.grad
        if g is None:
            continue
        if type(g) is _Owned:
            g = g.array
        pull, parents = node.pull, node.parents
        node.grad = node.pull = node.parents = None
        for parent, share in zip(parents, pull(g), strict=True):
            if parent.grad is None:
                parent.grad = share
            else:
                _accumulate(parent, share)


class Tape:
    """One nesting level of recording; leaves made with `watch` get gradients from `gradients`."""

    def __enter__(self) -> Tape:
        self.record: Any = []  # of `Node`s; `None` once it has ended
        here = local.here
        here.tapes += 1
        self.level = here.tapes
        return self

    def __exit__(self, *exc: Any) -> None:
        local.here.tapes -= 1
        self.record = None

    def watch(self, value: Any) -> Traced:
        return Traced(value, Leaf(self), self.level)

    def plain(self, x: Any) -> Any:
        """`x` without this tape (but still on the outer ones)."""
        while type(x) is Traced and x.level >= self.level:
            x = x.value
        return x

    def gradients(self, y: Any, leaves: list[Traced], seed: Any = None) -> list[Any]:
        """The gradients of a scalar `y` (or of `sum(seed * y)`); zeros where it depends not."""
        if type(y) is Traced and y.level == self.level:
            value = y.value
            seed = np.ones(value.shape, value.dtype) if seed is None else seed
            backward(self.record, y.node, seed)
        grads = []
        for leaf in leaves:
            g = leaf.node.grad
            if g is None:
                g = np.zeros(leaf.shape, leaf.dtype)
            elif type(g) is _Owned:
                g = g.array
            if g.dtype != leaf.dtype:  # a rule with constants makes float32 of bfloat16
                g = g.astype(leaf.dtype)
            grads.append(g)
        return grads
