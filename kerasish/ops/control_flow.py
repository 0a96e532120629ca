"""Control flow and custom derivatives."""

from __future__ import annotations

import builtins
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from kerasish import backends, tree
from kerasish.backends.eager import call_grad
from kerasish.core import symbolic
from kerasish.core.op import _any_symbolic, _values, op
from kerasish.errors import DTypeError, InvalidArgument, ShapeError
from kerasish.ops.core import convert_to_tensor
from kerasish.ops.creation import ones_like
from kerasish.ops.elementwise import add, multiply
from kerasish.ops.indexing import get_item
from kerasish.ops.manipulation import concatenate, flip, moveaxis, reshape, stack
from kerasish.ops.reductions import sum

__all__ = [
    "associative_scan", "cond", "custom_gradient", "fori_loop", "jvp", "map", "scan", "switch",
    "vectorized_map", "while_loop",
]  # fmt: skip


def _control(*functions: str) -> Callable[..., Any]:
    """An op that takes functions: they are checked to be callable before anything runs."""

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        inner = op(fn)
        signature = inspect.signature(fn)

        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            for name in functions:
                if not callable(bound.arguments[name]):
                    raise DTypeError(
                        f"ops.{fn.__name__}: {name} must be a function, got "
                        f"{bound.arguments[name]!r}. A constant x is lambda *_: x."
                    )
            return inner(*args, **kwargs)

        return wrapper

    return decorate


@_control("true_fn", "false_fn")
def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """`true_fn()` where `pred` holds, else `false_fn()`; only one of them runs.

    Args:
        pred: a bool scalar.
        true_fn, false_fn: functions without arguments, with results of one structure.

    >>> import kerasish as keras
    >>> keras.ops.cond(keras.ops.array(3) > 2, lambda: "larger", lambda: "smaller")
    'larger'
    """


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """`branches[index](*operands)`, with an index beyond the ends taken as the nearest one.

    Args:
        index: an integer scalar.
        branches: functions of the operands, with results of one structure.
        *operands: what the chosen function is called with.

    >>> import kerasish as keras
    >>> keras.ops.switch(1, [lambda x: x, lambda x: 10 * x], 4)
    40
    """
    branches = list(branches)
    if not branches or not all(callable(b) for b in branches):
        raise InvalidArgument(f"ops.switch needs a list of functions, got {branches!r}.")
    return _switch(index, branches, *operands)


def _named(name: str) -> Callable[..., Any]:
    def rename(fn: Callable[..., Any]) -> Callable[..., Any]:
        fn.__name__ = name
        return fn

    return rename


@op
@_named("switch")
def _switch(index: Any, branches: Any, *operands: Any) -> Any:
    """The primitive of `switch`."""


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """Repeats `loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)` holds.

    Args:
        cond: a function of the loop variables, gives a bool scalar.
        body: a function of the loop variables, gives new ones of the same shapes and dtypes.
        loop_vars: a tensor, or a list or tuple of (structures of) tensors.
        maximum_iterations: when to stop in any case.

    >>> import kerasish as keras
    >>> i, total = keras.ops.while_loop(
    ...     lambda i, t: i < 4, lambda i, t: (i + 1, t + i), (0, 0))
    >>> int(total)
    6
    """
    leaves = tree.flatten(loop_vars)
    if not hasattr(type(loop_vars), "_make") and not any(x is None for x in leaves):
        return _while_loop(cond, body, loop_vars, maximum_iterations)
    several = isinstance(loop_vars, list | tuple)

    def whole(values: Any) -> Any:
        rest = iter(values)
        return tree.pack_sequence_as(
            loop_vars, [None if x is None else next(rest) for x in leaves]
        )

    def of_tensors(fn: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *values: fn(*whole(values)) if several else fn(whole(values))

    def after(*values: Any) -> Any:
        return [x for x in tree.flatten(of_tensors(body)(*values)) if x is not None]

    tensors = [x for x in leaves if x is not None]
    return whole(_while_loop(of_tensors(cond), after, tensors, maximum_iterations))


@_control("cond", "body")
@_named("while_loop")
def _while_loop(cond: Any, body: Any, loop_vars: Any, maximum_iterations: Any) -> Any:
    """The primitive of `while_loop`."""


@_control("body_fun")
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """`value = body_fun(i, value)` for i from `lower` to `upper - 1`.

    Args:
        lower, upper: integers, or scalar tensors of them.
        body_fun: a function that returns a value of the shapes and dtypes that it is given.
        init_val: the first value, a tensor or a structure of them.

    >>> import kerasish as keras
    >>> int(keras.ops.fori_loop(0, 4, lambda i, total: total + i, 0))
    6
    """


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Runs `carry, y = f(carry, x)` over the slices of `xs` along their first axis.

    Args:
        f: the step; the carry keeps its shapes and dtypes.
        init: the first carry.
        xs: a structure of tensors with one size of axis 0, or `None`.
        length: the number of steps, needed where `xs` is `None`.
        reverse: from the last slice to the first.
        unroll: how many steps a compiled loop does at once; `True` for all.

    Returns:
        The last carry, and the ys stacked along a new first axis.

    >>> import kerasish as keras
    >>> total, sums = keras.ops.scan(
    ...     lambda s, x: (s + x, s + x), keras.ops.array(0), keras.ops.array([1, 2, 3]))
    >>> int(total), sums.tolist()
    (6, [1, 3, 6])
    """
    if not callable(f):
        raise DTypeError(f"ops.scan: f must be a function, got {f!r}.")
    if not isinstance(unroll, bool | int) or (unroll is not False and unroll < 1):
        raise InvalidArgument(f"ops.scan: unroll is a positive int or a bool, got {unroll!r}.")
    xs, init = (
        tree.map_structure(lambda x: None if x is None else convert_to_tensor(x), s)
        for s in (xs, init)
    )
    sizes = {x.shape[0] for x in tree.flatten(xs) if x is not None} - {None}
    if length is not None:
        sizes.add(int(length))
    if len(sizes) > 1:
        raise ShapeError(f"ops.scan: the first axes (and length) must agree, got {sorted(sizes)}.")
    if length is None and all(x is None for x in tree.flatten(xs)):
        raise InvalidArgument("ops.scan needs xs or length: neither says how many steps to do.")
    return _scan(f, init, xs, length, reverse, unroll)


@op
@_named("scan")
def _scan(
    f: Any, init: Any, xs: Any, length: Any, reverse: Any, unroll: Any
) -> Any:
    """The primitive of `scan`."""


def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All the running results of an associative function, in a logarithmic number of steps.

    Element i of the result is `f(... f(f(x_0, x_1), x_2) ..., x_i)`.

    Args:
        f: an associative function of two structures like `elems`, working along whole arrays.
        elems: a structure of tensors of one size along `axis`.
        reverse: from the end to the beginning.
        axis: the axis to go along.

    >>> import kerasish as keras
    >>> keras.ops.associative_scan(lambda a, b: a + b, keras.ops.array([1, 2, 3, 4])).tolist()
    [1, 3, 6, 10]
    """
    if not callable(f):
        raise DTypeError(f"ops.associative_scan: f must be a function, got {f!r}.")
    elems = tree.map_structure(convert_to_tensor, elems)
    sizes = {x.shape[axis] for x in tree.flatten(elems)}
    if len(sizes) != 1:
        raise ShapeError(f"ops.associative_scan: the sizes along axis {axis} must agree, got "
                         f"{sorted(sizes)}.")
    return _associative_scan(f, elems, bool(reverse), axis)


@op
@_named("associative_scan")
def _associative_scan(f: Any, elems: Any, reverse: bool, axis: int) -> Any:
    """Pairs are combined, their half as many running results found in the same way, and the
    results in between combined from those (Blelloch, 1990)."""
    def on_leaves(function: Any) -> Any:
        return lambda *structures: tree.map_structure(function, *structures)

    def part(start: Any, stop: Any, step: int = 1) -> Any:
        return on_leaves(lambda x: get_item(x, builtins.slice(start, stop, step)))

    def interleave(even: Any, odd: Any) -> Any:
        n = odd.shape[0]
        pairs = stack([get_item(even, builtins.slice(0, n)), odd], 1)
        both = reshape(pairs, (2 * n, *odd.shape[1:]))
        if even.shape[0] == n:
            return both
        return concatenate([both, get_item(even, builtins.slice(n, None))], 0)

    def run(elems: Any) -> Any:
        n = tree.flatten(elems)[0].shape[0]
        if n < 2:
            return elems
        odd = run(f(part(0, n - 1, 2)(elems), part(1, None, 2)(elems)))
        even = part(0, 1)(elems)
        if n > 2:
            later = f(part(0, (n - 1) // 2)(odd), part(2, None, 2)(elems))
            even = on_leaves(lambda a, b: concatenate([a, b], 0))(even, later)
        return on_leaves(interleave)(even, odd)

    def enter(x: Any) -> Any:
        x = moveaxis(x, axis, 0)
        return flip(x, 0) if reverse else x

    def leave(x: Any) -> Any:
        return moveaxis(flip(x, 0) if reverse else x, 0, axis)

    return on_leaves(leave)(run(on_leaves(enter)(elems)))


@_control("f")
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """`f` of each slice of `xs` along its first axis, one after the other, stacked.

    Args:
        f: a function of one slice (of a structure of slices where `xs` is a structure).
        xs: a structure of tensors with one size of axis 0.

    >>> import kerasish as keras
    >>> keras.ops.map(lambda x: x * x, keras.ops.array([1, 2, 3])).tolist()
    [1, 4, 9]
    """


@_control("function")
def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """Like `map`, with all slices at once where the backend can.

    Args:
        function: takes a slice along the first axis and returns a tensor or a structure of them.
        elements: a tensor, or a structure of them with first axes of one size.

    >>> import kerasish as keras
    >>> keras.ops.vectorized_map(lambda x: x * x, keras.ops.array([1, 2, 3])).tolist()
    [1, 4, 9]
    """


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator for a function that brings its own gradient.

    Args:
        f: a function of tensors that gives `(value, grad)`; `grad(*upstream)` gives the
            gradient for each argument, from the gradient for each result. It may also be
            `def grad(*args, upstream=None)`. Arguments may be structures of tensors, and results
            too: `grad` gets and gives the gradients of their tensors in order. Arguments that are
            no tensors need none; variables that `f` reads get none.

    >>> import kerasish as keras
    >>> @keras.ops.custom_gradient
    ... def clipped_square(x):
    ...     return x * x, lambda upstream: upstream * keras.ops.clip(2 * x, -1.0, 1.0)
    >>> float(clipped_square(keras.ops.array(3.0)))
    9.0
    """
    if not callable(f):
        raise InvalidArgument(f"ops.custom_gradient decorates a function, got {f!r}.")
    by_backend: dict[str, Callable[..., Any]] = {}

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        if _any_symbolic(args) or _any_symbolic(kwargs):
            return symbolic.record(function, args, kwargs)
        active = backends.active
        args, kwargs = _values(args), _values(kwargs)
        if kwargs or not all(type(x) in active.native for x in args):
            return _of_leaves(f, args, kwargs)
        if active.name not in by_backend:
            by_backend[active.name] = _of_tensors(f)
        return by_backend[active.name](*args)

    function.op_name = f.__name__
    return function


def _of_tensors(f: Callable[..., Any]) -> Callable[..., Any]:
    """The engine's function with a custom gradient, for an `f` of tensors. Engines know results
    that are a tensor or a tuple of them; others are taken apart and put together again."""
    form: list[Any] = []

    def flat(*tensors: Any) -> Any:
        value, grad = f(*tensors)
        parts = value if type(value) is tuple else (value,)
        if all(hasattr(x, "shape") for x in parts):
            form.clear()
            return value, grad
        form[:] = [tree.map_structure(lambda _: 0, value)]
        return tuple(tree.flatten(value)), grad

    native = backends.active.custom_gradient(flat)

    def function(*tensors: Any) -> Any:
        out = native(*tensors)
        return tree.pack_sequence_as(form[0], list(out)) if form else out

    return function


def _of_leaves(f: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Calls a function with a custom gradient with arguments in structures, by keyword, or that
    are no tensors. `grad` may leave out what has no gradient: what is no tensor, keywords."""
    order = list(inspect.signature(f).parameters)
    names = sorted(kwargs, key=lambda n: order.index(n) if n in order else len(order))
    given = (args, [kwargs[n] for n in names])
    leaves = tree.flatten(given)
    where = [i for i, x in enumerate(leaves) if hasattr(x, "shape") and hasattr(x, "dtype")]

    def of_tensors(*tensors: Any) -> Any:
        full = list(leaves)
        for i, x in zip(where, tensors, strict=True):
            full[i] = x
        positional, named = tree.pack_sequence_as(given, full)
        value, grad = f(*positional, **dict(zip(names, named, strict=True)))

        def of_leaves(*upstream: Any) -> Any:
            grads = tree.flatten(call_grad(grad, upstream))
            if len(grads) not in (len(where), len(leaves)):
                grads += [None] * (len(leaves) - len(grads))
            return tuple(grads if len(grads) == len(where) else [grads[i] for i in where])

        return value, of_leaves

    convert = backends.active.convert
    return _of_tensors(of_tensors)(*[convert(leaves[i]) for i in where])


def jvp(
    fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False
) -> tuple[Any, ...]:
    """The value of a function and its directional derivative (a Jacobian-vector product).

    Args:
        fun: a function of tensors.
        primals: a list or tuple of the arguments.
        tangents: the direction: one tensor for each argument, of its shape.
        has_aux: `fun` gives `(value, aux)`.

    Returns:
        `(value, derivative)`, or `(value, derivative, aux)`.

    >>> import kerasish as keras
    >>> value, slope = keras.ops.jvp(lambda x: x * x, [3.0], [1.0])
    >>> float(value), float(slope)
    (9.0, 6.0)
    """
    if not callable(fun):
        raise DTypeError(f"ops.jvp: fun must be a function, got {fun!r}.")
    if not isinstance(primals, list | tuple) or not isinstance(tangents, list | tuple) or len(
        primals
    ) != len(tangents):
        raise InvalidArgument(
            "ops.jvp: primals and tangents are lists of the same length, one tensor for each "
            f"argument, got {type(primals).__name__} and {type(tangents).__name__}."
        )
    return _jvp(fun, list(primals), list(tangents), bool(has_aux))


@op(float="*primals *tangents")
def _jvp(fun: Any, primals: Any, tangents: Any, has_aux: bool) -> Any:
    """The gradient of a gradient: `u -> J^T u` is linear, and its own transpose is `v -> J v`."""
    grad = backends.active.value_and_grad
    out = fun(*primals)
    value, aux = out if has_aux else (out, None)
    leaves = tree.flatten(value)

    def pulled_back(*upstream: Any) -> Any:
        def weighted(*args: Any) -> Any:
            ys = fun(*args)[0] if has_aux else fun(*args)
            return _inner(upstream, tree.flatten(ys)), None

        _, grads = grad(weighted, [], primals)
        return _inner(grads, tangents), None

    _, derivatives = grad(pulled_back, [], [ones_like(y) for y in leaves])
    result = (value, tree.pack_sequence_as(value, derivatives))
    return (*result, aux) if has_aux else result


def _inner(xs: Any, ys: Any) -> Any:
    return functools.reduce(add, [sum(multiply(x, y)) for x, y in zip(xs, ys, strict=True)])
