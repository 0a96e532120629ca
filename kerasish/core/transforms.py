"""Gradients and compilation for users, alike on every backend."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from kerasish import backends, tree
from kerasish.errors import InvalidArgument


def value_and_grad(
    fn: Callable[..., Any], variables: Any, has_aux: bool = False
) -> tuple[Any, Any]:
    """The value of a scalar function and its gradients.

    Args:
        fn: a function without arguments that computes a scalar from Variables; or, where
            `variables` are tensors, a function of them.
        variables: Variables, or tensors, in any structure.
        has_aux: whether `fn` returns `(value, aux)`; then `(value, aux)` comes back.

    Returns:
        `(value, gradients)`, the gradients structured like `variables`. Variables that the
        function assigns (running statistics, seeds) are updated. Calls can be nested.

    >>> import kerasish as keras
    >>> w = keras.Variable(3.0)
    >>> value, grad = keras.value_and_grad(lambda: w * w, w)
    >>> float(value), float(grad)
    (9.0, 6.0)
    >>> value, grad = keras.value_and_grad(lambda x: keras.ops.sum(x ** 3), keras.ops.ones((2,)))
    >>> grad.tolist()
    [3.0, 3.0]
    """
    leaves = tree.flatten(variables)
    held = [v for v in leaves if hasattr(type(v), "_is_variable")]
    if held and len(held) != len(leaves):
        raise InvalidArgument(
            "value_and_grad differentiates either Variables or tensors, got both in one structure."
        )
    if not leaves:
        raise InvalidArgument("value_and_grad was given nothing to differentiate: no variables.")

    def scalar(*tensors: Any) -> Any:
        out = fn() if held else (
            fn(tree.pack_sequence_as(variables, tensors))
            if tree.is_nested(variables) and not isinstance(variables, list | tuple)
            else fn(*tensors)
        )
        value, aux = out if has_aux else (out, None)
        shape = getattr(value, "shape", None)
        if shape is None or len(shape):
            raise InvalidArgument(
                "The function to differentiate must return a scalar tensor, got "
                f"{'shape ' + str(tuple(shape)) if shape is not None else repr(value)}. Reduce it "
                "with ops.sum or ops.mean."
            )
        return value, aux

    (value, aux), grads = backends.active.value_and_grad(
        scalar, held, () if held else leaves
    )
    grads = tree.pack_sequence_as(variables, grads)
    return ((value, aux) if has_aux else value), grads


def grad(fn: Callable[..., Any], variables: Any, has_aux: bool = False) -> Any:
    """The gradients of `value_and_grad` alone (with `has_aux`, `(gradients, aux)`).

    >>> import kerasish as keras
    >>> w = keras.Variable([1.0, 2.0])
    >>> keras.grad(lambda: keras.ops.sum(w * w), w).tolist()
    [2.0, 4.0]
    """
    value, grads = value_and_grad(fn, variables, has_aux)
    return (grads, value[1]) if has_aux else grads


def function(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` compiled by the active engine: jax.jit, tf.function, the function itself elsewhere.

    The function may read and assign Variables. It is compiled once for each backend, when it is
    first called there, so it may be used across switches.

    >>> import kerasish as keras
    >>> total = keras.Variable(0.0)
    >>> @keras.function
    ... def add(x):
    ...     total.assign(total + keras.ops.sum(x))
    ...     return total * 2
    >>> float(add(keras.ops.ones((3,)))), float(total)
    (6.0, 3.0)
    """
    compiled: dict[str, Callable[..., Any]] = {}

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        active = backends.active
        inner = compiled.get(active.name)
        if inner is None:
            inner = compiled[active.name] = active.compile(fn, None)
        return inner(*args, **kwargs)

    return wrapper
