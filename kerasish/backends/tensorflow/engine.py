"""TensorFlow: state, conversion, gradients, compilation and control flow."""

from __future__ import annotations

import collections
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasish import backends, dtypes, tree
from kerasish.backends.eager import call_grad
from kerasish.backends.sparse import host_entries
from kerasish.backends.state import local
from kerasish.errors import BackendError

for _gpu in tf.config.list_physical_devices("GPU"):
    # Without this TensorFlow takes the whole of a GPU, and leaves nothing to a switch of engines.
    with contextlib.suppress(RuntimeError):
        tf.config.experimental.set_memory_growth(_gpu, True)


with contextlib.suppress(ImportError, AttributeError):
    # In a user's own tf.function our code needs no rewriting: it branches on nothing but shapes.
    from tensorflow.python.autograph.core import config as _autograph

    _autograph.CONVERSION_RULES = (
        _autograph.DoNotConvert("kerasish"), *_autograph.CONVERSION_RULES
    )


def is_tensor(x: Any) -> bool:
    if type(x) is np.ndarray:  # TensorFlow's own question takes several microseconds
        return False
    # The sparse gradient of a gather is made dense where it is converted.
    return tf.is_tensor(x) and not (
        isinstance(x, tf.IndexedSlices | tf.SparseTensor) or hasattr(type(x), "_is_variable")
    )


def native_dtype(name: str) -> tf.DType:
    return tf.as_dtype(name)


def dtype_of(x: Any) -> str:
    return x.dtype.name

WIDE = frozenset(("erfinv",))
FLOAT_DTYPES = frozenset(tf.as_dtype(n) for n in dtypes.FLOATS)


def scalar(value: Any, dtype: str) -> Any:
    try:
        return tf.constant(value, dtype)
    except TypeError:  # a float for an integer dtype, a number for bool, a complex number
        return tf.cast(value, dtype)


_INVALID = tf.errors.InvalidArgumentError | tf.errors.UnimplementedError


def explainable(error: Exception) -> bool:
    return isinstance(
        error, ValueError | TypeError | IndexError | _INVALID
    ) and not isinstance(error, NotImplementedError)


def convert(x: Any, dtype: str | None = None) -> Any:
    if type(x) is np.ndarray and dtype in (None, x.dtype.name) and x.dtype.kind in "fiu":
        return from_host(x)
    if isinstance(x, tf.IndexedSlices):
        x = tf.convert_to_tensor(x)
    if is_tensor(x):
        return x if dtype is None else cast(x, dtype)
    if type(x) in (list, tuple) and any(is_tensor(leaf) for leaf in tree.flatten(x)):
        x = tf.convert_to_tensor(x)
        return x if dtype is None else cast(x, dtype)
    if isinstance(x, tf.SparseTensor) or (entries := host_entries(x)) is not None:
        x = x if isinstance(x, tf.SparseTensor) else tf.SparseTensor(*entries)
        return x if dtype is None else cast(x, dtype)
    return from_host(dtypes.host_array(backends.to_host(x), dtype))


def cast(x: Any, dtype: str) -> Any:
    if x.dtype.name == dtype:
        return x
    if isinstance(x, tf.SparseTensor):
        return tf.cast(x, dtype)
    if x.dtype.is_complex and not tf.as_dtype(dtype).is_complex:
        x = tf.math.real(x)
    if "float8" in dtype and not x.dtype.is_floating:  # there is no kernel straight from integers
        x = tf.cast(x, tf.float32)
    return tf.cast(x, dtype)


def to_host(x: Any) -> np.ndarray:
    if isinstance(x, tf.SparseTensor):
        x = tf.sparse.to_dense(x)
    elif isinstance(x, tf.IndexedSlices):
        x = tf.convert_to_tensor(x)
    if not hasattr(x, "numpy"):
        raise BackendError(
            "A symbolic TensorFlow tensor has no values yet: it is inside a tf.function. Move the "
            "conversion out of the compiled step, or compile the model with run_eagerly=True."
        )
    return np.asarray(x.numpy())


def from_host(x: np.ndarray) -> Any:
    return tf.constant(x)


def finish(name: str, implementation: Callable[..., Any]) -> Callable[..., Any]:
    """A recurrence outside a graph as a graph: a loop step by step is fifty times as slow."""
    arrays = {"_lstm": 7, "_gru": 6, "_simple_rnn": 6}.get(name)
    if arrays is None:
        return implementation

    @functools.cache
    def graph(sizes: Any, device: str, *static: Any) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            with tf.device(device):
                return implementation(*args, *static)

        return tf.function(run, autograph=False, reduce_retracing=True)

    def recurrence(*args: Any) -> Any:
        if not tf.executing_eagerly():
            return implementation(*args)
        # One for each size of features and units: only batch and time may change in a graph.
        # Values, not variables: a graph holds on to those, and fails when they are gone.
        values: list[Any] = [
            None if x is None else tf.convert_to_tensor(x) for x in args[:arrays]
        ]
        sizes = tuple(None if x is None else x.shape[-1] for x in values[:-1])
        return graph(sizes, values[0].device, *args[arrays:])(*values)

    return recurrence


stop_gradient = tf.stop_gradient


def share_variable(held: Any, make: Callable[[np.ndarray], Any]) -> Any:
    """A variable of ours, made of a first value, that has a `tf.Variable` as its memory."""
    if not isinstance(held, tf.Variable):
        return None
    with tf.init_scope():
        owner = make(held.numpy())
    owner._tf_variable = owner._value = held
    owner._home = backends.active
    return owner


def variable(value: Any, dtype: str, trainable: bool, owner: Any = None) -> tf.Variable:
    # One tf.Variable for the whole life of ours: compiled functions hold on to the object, so a
    # value that comes home from another backend is assigned into it.
    held = getattr(owner, "_tf_variable", None)
    if held is not None and held.shape == value.shape and held.dtype.name == dtype:
        with tf.init_scope():  # also where a trace is what reads it first
            held.assign(value)
        return held
    with tf.init_scope():
        held = tf.Variable(value, dtype=dtype, trainable=trainable)
    if owner is not None:
        owner._tf_variable = held
    return held


def assign(held: Any, value: Any) -> Any:
    held.assign(value)
    return held


def increase(held: Any, value: Any) -> Any:
    held.assign_add(value)
    return held


def block_until_ready(x: Any) -> Any:
    tree.map_structure(lambda leaf: leaf.numpy() if hasattr(leaf, "numpy") else leaf, x)
    return x


@contextlib.contextmanager
def device_scope(name: str) -> Iterator[None]:
    known = devices() + ["cpu", "gpu"] if devices("gpu") else [*devices(), "cpu"]
    if name.replace("cuda", "gpu") not in known:
        raise BackendError(f"TensorFlow sees no device {name!r} here. Devices: {devices()}.")
    with tf.device(name.replace("cuda", "gpu")):
        yield


def devices(kind: str | None = None) -> list[str]:
    return [
        d.name.removeprefix("/physical_device:").lower()
        for d in tf.config.list_physical_devices(kind.upper() if kind else None)
    ]


@contextlib.contextmanager
def inference() -> Iterator[None]:
    yield


def value_and_grad(
    fn: Callable[..., Any], variables: Sequence[Any], args: Sequence[Any] = ()
) -> tuple[tuple[Any, Any], list[Any]]:
    """((value, aux), gradients) of `fn(*args) -> (value, aux)`."""
    inputs = [convert(x) for x in args]
    leaves = [v.value for v in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for x in (*leaves, *inputs):
            tape.watch(x)
        value, aux = fn(*inputs)
    grads = tape.gradient(
        value, leaves + inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return (value, aux), [
        tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in grads
    ]


def compile(
    fn: Callable[..., Any], variables: Any = None, *,
    jit_compile: bool | None = None, **_: Any,
) -> Callable[..., Any]:  # fmt: skip
    def traced(*args: Any, **kwargs: Any) -> Any:
        here = local.here
        here.tracing += 1
        try:
            return fn(*args, **kwargs)
        finally:
            here.tracing -= 1

    adapter = backends.active
    state_of: Any = variables if callable(variables) else lambda: variables or ()
    held: list[Any] = []
    # One for each number of axes: an input of another rank must not blur the shapes of all.
    functions = collections.defaultdict(lambda: tf.function(
        traced, autograph=False, jit_compile=jit_compile or None, reduce_retracing=True
    ))

    def compiled(*args: Any, **kwargs: Any) -> Any:
        first = not held
        if first:
            held.extend(state_of())
        for v in held:  # values that were trained elsewhere come home before the call
            if v._home is not adapter:
                v.value  # noqa: B018
        ranks: list[int | None] = []

        def ready(x: Any) -> Any:
            if type(x) is np.ndarray and x.dtype.kind in "fiu":  # tf.function takes much longer
                x = from_host(x)
            ranks.append(_rank(x))
            return x

        args, kwargs = tree.map_structure(ready, (args, kwargs))
        out = functions[tuple(ranks)](*args, **kwargs)
        if first:  # the trace may have made more
            held[:] = state_of()
        return out

    return compiled


def _rank(x: Any) -> int | None:
    shape: Any = getattr(x, "shape", None)
    if shape is None or isinstance(shape, tf.TensorShape):
        return None if shape is None else shape.rank
    return len(shape)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f(*args)` returns `(value, grad_fn)`; `grad_fn(*upstream)` gives a gradient per argument."""

    @tf.custom_gradient
    def function(*args: Any) -> Any:
        value, grad_fn = f(*args)

        def grad(*upstream: Any, variables: Sequence[Any] = ()) -> Any:
            grads = call_grad(grad_fn, upstream)
            return (grads, [None] * len(variables)) if variables else grads

        return value, grad

    def noted(*args: Any) -> Any:
        _here.custom_gradients += _here.mapping
        return function(*args)

    return noted


class _Here(threading.local):
    """What each thread is in the middle of."""

    mapping = False
    """Whether it is inside `vectorized_map`."""
    custom_gradients = 0
    """How many custom gradients were called there."""


_here = _Here()


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any]) -> Any:
    return tf.cond(tf.cast(pred, "bool"), true_fn, false_fn)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    index = tf.clip_by_value(tf.cast(index, "int32"), 0, len(branches) - 1)
    return tf.switch_case(index, [lambda f=f: f(*operands) for f in branches])


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any,
    maximum_iterations: int | None,
) -> Any:  # fmt: skip
    nested = isinstance(loop_vars, list | tuple)
    start = tuple(loop_vars) if nested else (loop_vars,)

    def advance(*values: Any) -> tuple[Any, ...]:
        out = body(*values)
        return tuple(out) if isinstance(out, list | tuple) else (out,)

    values = tf.while_loop(cond, advance, start, maximum_iterations=maximum_iterations)
    return type(loop_vars)(values) if nested else values[0]


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    return tf.while_loop(
        lambda i, _: i < upper, lambda i, v: (i + 1, body_fun(i, v)),
        (tf.convert_to_tensor(lower), init_val),
    )[1]


def scan(
    f: Callable[..., Any], init: Any, xs: Any, length: int | None, reverse: bool, unroll: Any
) -> tuple[Any, Any]:
    leaves = [tf.convert_to_tensor(x) for x in tree.flatten(xs) if x is not None]
    xs = tree.map_structure(lambda x: None if x is None else tf.convert_to_tensor(x), xs)
    init = tree.map_structure(lambda x: None if x is None else convert(x), init)
    n = length if length is not None else (leaves[0].shape[0] or tf.shape(leaves[0])[0])
    if isinstance(n, int) and (unroll is True or unroll >= n > 0) and n <= 64:
        from kerasish.backends.eager import scan as unrolled

        return unrolled(f, init, xs, n, reverse, unroll)

    def first(x: Any) -> Any:
        return x if x is None else x[0] if x.shape[0] != 0 else tf.zeros(x.shape[1:], x.dtype)

    _, sample = _abstract(lambda c: f(c, tree.map_structure(first, xs)), init)
    # Read from TensorArrays: the gradient of an index in a loop adds a full array at every step.
    slices = [tf.TensorArray(x.dtype, n).unstack(x) for x in leaves]
    arrays = [tf.TensorArray(s.dtype, n, element_shape=s.shape) for s in _present(sample)]

    def advance(k: Any, carry: Any, arrays: Any) -> Any:
        i = n - 1 - k if reverse else k
        carry, y = f(_filled(init, carry), _filled(xs, [a.read(i) for a in slices]))
        written = [a.write(i, convert(v)) for a, v in zip(arrays, _present(y), strict=True)]
        return k + 1, _present(carry), written

    _, carry, arrays = tf.while_loop(
        lambda k, *_: k < n, advance, (tf.constant(0), _present(init), arrays),
        maximum_iterations=n,
    )
    ys = _filled(sample, [a.stack() for a in arrays])
    return _filled(init, carry), None if not arrays else ys


def _present(structure: Any) -> list[Any]:
    """The leaves that are not `None`, which TensorFlow's loops do not carry."""
    return [x for x in tree.flatten(structure) if x is not None]


def _filled(structure: Any, leaves: Any) -> Any:
    """The structure with its leaves that are not `None` replaced."""
    rest = iter(leaves)
    return tree.map_structure(lambda x: None if x is None else next(rest), structure)


def _abstract(fn: Callable[..., Any], *args: Any) -> Any:
    """The outputs of `fn` as graph tensors of a scratch graph: shapes and dtypes, no values."""
    specs = tree.map_structure(
        lambda x: None if x is None else tf.TensorSpec(x.shape, x.dtype), list(args)
    )
    return tf.function(fn, autograph=False).get_concrete_function(*specs).structured_outputs


def map(f: Callable[..., Any], xs: Any) -> Any:
    return scan(lambda carry, x: (carry, f(x)), tf.constant(0), xs, None, False, 1)[1]


def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    before = _here.mapping, _here.custom_gradients
    _here.mapping, _here.custom_gradients = True, 0
    try:
        out = tf.vectorized_map(function, elements)
        alone = not _here.custom_gradients
    finally:
        _here.mapping, _here.custom_gradients = before
    return out if alone else map(function, elements)  # vectorizing loses custom gradients


def eval_shape(fn: Callable[..., Any], specs: Sequence[Any]) -> Any:
    native = tree.map_structure(
        lambda s: tf.TensorSpec(s.shape, native_dtype(s.dtype)), list(specs)
    )
    graph = tf.__internal__.FuncGraph("eval_shape")
    with graph.as_default():
        return fn(*tree.map_structure(lambda s: tf.compat.v1.placeholder(s.dtype, s.shape), native))
