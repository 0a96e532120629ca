"""JAX: state, conversion, gradients, compilation and control flow."""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.experimental.sparse
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxprs_in_params

from kerasish import backends, dtypes, tree
from kerasish.backends import eager, state
from kerasish.backends.sparse import host_entries
from kerasish.backends.state import local
from kerasish.errors import BackendError, StateError


def is_tensor(x: Any) -> bool:
    return isinstance(x, jax.Array)


def native_dtype(name: str) -> Any:
    return jax.dtypes.canonicalize_dtype(dtypes.numpy_dtype(name))


_names: dict[Any, str] = {}


def dtype_of(x: Any) -> str:
    # np.dtype.name puts the name together anew each time.
    dtype = x.dtype
    try:
        return _names[dtype]
    except KeyError:
        return _names.setdefault(dtype, dtype.name)


FLOAT_DTYPES = frozenset(dtypes.numpy_dtype(n) for n in dtypes.FLOATS)


def scalar(value: Any, dtype: str) -> Any:
    if isinstance(value, complex):
        return np.asarray(value).astype(dtype)[()]
    return _scalar(value, dtype, type(value), math.copysign(1.0, value) if value == 0 else 0.0)


@functools.lru_cache(maxsize=4096)
def _scalar(value: Any, dtype: str, kind: type, sign: float) -> Any:
    return np.asarray(value).astype(native_dtype(dtype))[()]


def explainable(error: Exception) -> bool:
    return isinstance(error, ValueError | TypeError | IndexError) and not isinstance(
        error, jax.errors.JAXTypeError | jax.errors.JAXIndexError
    )


_UNKNOWN = (
    jax.errors.ConcretizationTypeError, jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError, jax.errors.TracerIntegerConversionError,
)  # fmt: skip


def obstacle(error: Exception) -> str | None:
    """What keeps an op from being compiled, and the way out; `None` for other errors."""
    if not isinstance(error, _UNKNOWN):
        return None
    return (
        "a compiled JAX function does not know the values of its tensors, on which a shape or a "
        "choice of Python's depends here. Give the size as a number (size=, num_segments=, "
        "minlength=), use where/cond, or do it outside of what is compiled, as "
        "compile(run_eagerly=True) does."
    )


def convert(x: Any, dtype: str | None = None) -> Any:
    if isinstance(x, jax.Array):
        return x if dtype is None else cast(x, dtype)
    if type(x) in (list, tuple) and any(isinstance(leaf, jax.Array) for leaf in tree.flatten(x)):
        return jnp.asarray(x, None if dtype is None else native_dtype(dtype))
    if getattr(x, "dtype", 0) == "string":
        return x
    if hasattr(x, "__jax_array__"):  # a size that jax.export leaves open; arrays of JAX's friends
        return jnp.asarray(x, None if dtype is None else native_dtype(dtype))
    if isinstance(x, jax.experimental.sparse.JAXSparse):
        return x if dtype is None else cast(x, dtype)
    if (entries := host_entries(x)) is not None:
        x = bcoo(*entries)
        return x if dtype is None else cast(x, dtype)
    return from_host(dtypes.host_array(backends.to_host(x), dtype))


def bcoo(indices: np.ndarray, values: np.ndarray, shape: Any) -> Any:
    """Filled up with zeros to the next power of two, lest each batch be compiled anew."""
    more = (1 << max(len(values) - 1, 0).bit_length()) - len(values)
    indices, values = np.pad(indices, ((0, more), (0, 0))), np.pad(values, (0, more))
    return jax.experimental.sparse.BCOO(
        (from_host(values), from_host(indices.astype(np.int32))), shape=tuple(shape)
    )


def cast(x: Any, dtype: str) -> Any:
    target = native_dtype(dtype)
    if x.dtype == target:
        return x
    if isinstance(x, jax.experimental.sparse.JAXSparse):
        return jax.tree.map(lambda part: part if part is x.indices else cast(part, dtype), x)
    if jnp.iscomplexobj(x) and target.kind != "c":
        x = x.real
    return x.astype(target)


def to_host(x: Any) -> np.ndarray:
    if isinstance(x, jax.experimental.sparse.JAXSparse):
        entries: Any = host_entries(x)  # x.todense() knows no bools
        indices, values, shape = entries
        dense = np.zeros(shape, values.dtype)
        dense[tuple(indices.T)] = values
        return dense
    return np.asarray(x)


def from_host(x: np.ndarray) -> Any:
    # A copy: on the CPU jnp.asarray may share the caller's memory, which a donation would reuse.
    return jnp.array(x, native_dtype(x.dtype.name))


KERNELS = {
    "_attention": "scale is_causal soft_cap flash", "_average_pool": "size strides padding",
    "_batch_norm": "axis epsilon", "_batch_norm_train": "axes epsilon",
    "_conv": "strides padding dilation", "_conv_transpose": "strides crops dilation",
    "_dense": "", "_group_norm": "groups axis epsilon",
    "_gru": "go_backwards activation recurrent_activation return_all reset_after "
    "zero_output_for_mask unroll use_cudnn",
    "_layer_norm": "axes epsilon",
    "_lstm": "go_backwards activation recurrent_activation return_all zero_output_for_mask unroll "
    "use_cudnn",
    "_max_pool": "size strides padding", "_rms_norm": "axes epsilon",
    "_simple_rnn": "go_backwards activation return_all zero_output_for_mask unroll",
}  # fmt: skip
"""What layers run on, and its arguments that are not arrays."""


def finish(name: str, implementation: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel's many small calls as one, where it runs outside a trace."""
    if name not in KERNELS:
        return implementation
    return jax.jit(implementation, static_argnames=tuple(KERNELS[name].split()), inline=True)


stop_gradient = jax.lax.stop_gradient


def variable(value: np.ndarray, dtype: str, trainable: bool, owner: Any = None) -> Any:
    # A variable may be moved here while a loop's body is traced: no tracer is kept in it.
    with jax.ensure_compile_time_eval():
        return jnp.array(value, native_dtype(dtype))


@functools.cache
def variable_type(kind: type) -> None:
    """Lets variables be given to transformed functions, which see their values."""
    jax.tree_util.register_pytree_node(kind, lambda v: ((v.value,), None), lambda _, x: x[0])


def assign(held: Any, value: Any) -> Any:
    if isinstance(value, jax.core.Tracer):
        raise StateError(
            "A variable was assigned inside a JAX transformation that does not know of it. Use "
            "keras.function, keras.value_and_grad or a StatelessScope, or build the layer before."
        )
    # A copy: compiled steps give up the memory of what they replace, and the array that was given
    # may be another variable's, or the caller's own.
    return jnp.array(value, copy=True)


def increase(held: Any, value: Any) -> Any:
    return assign(held, held + value)


block_until_ready = jax.block_until_ready


@contextlib.contextmanager
def device_scope(name: str) -> Iterator[None]:
    kind, _, index = name.partition(":")
    kind = {"cuda": "gpu"}.get(kind, kind)
    try:
        target = jax.devices(kind)[int(index or 0)]
    except (RuntimeError, IndexError):
        raise BackendError(f"JAX sees no device {name!r} here. Devices: {devices()}.") from None
    with jax.default_device(target):
        yield


def devices(kind: str | None = None) -> list[str]:
    return [
        f"{d.platform}:{d.id}" for d in jax.devices() if kind is None or d.platform == kind
    ]


@contextlib.contextmanager
def inference() -> Iterator[None]:
    yield


def value_and_grad(
    fn: Callable[..., Any], variables: Sequence[Any], args: Sequence[Any] = ()
) -> tuple[tuple[Any, Any], list[Any]]:
    """((value, aux), gradients) of `fn(*args) -> (value, aux)`."""
    written: list[Any] = []

    def pure(values: list[Any], inputs: list[Any]) -> Any:
        with state.Frame(zip(variables, values, strict=True)) as frame:
            value, aux = fn(*inputs)
        written[:] = frame.changes
        return value, (aux, list(frame.changes.values()))

    with state.lending:
        (value, (aux, changes)), (grads, input_grads) = jax.value_and_grad(
            pure, argnums=(0, 1), has_aux=True
        )([v.value for v in variables], [convert(x) for x in args])
    state.commit(dict(zip(written, changes, strict=True)))
    return (value, aux), [*grads, *input_grads]


STEPS_TAKE_STATE = True
"""Steps of users of this engine are functions `(state, data) -> (logs, state)`."""


def compile(
    fn: Callable[..., Any], variables: Any = None, *, donate: bool = False,
    jit_compile: bool | None = None, **_: Any,
) -> Callable[..., Any]:  # fmt: skip
    """Jits `fn`, with the state that it reads and writes lifted in and out.

    `variables` is a list, or a function that gives it: state that the first run makes is then
    taken in and the function traced again. Without it they are found by an abstract run.
    """
    if jit_compile is False:
        return fn
    if variables is None:
        return _compile_discovering(fn)
    adapter = backends.active
    state_of: Any = variables if callable(variables) else lambda: variables
    held: list[Any] = []
    known: set[int] = set()

    def take_in(more: Sequence[Any]) -> None:
        for v in more:
            if id(v) not in known:
                known.add(id(v))
                held.append(v)

    def pure(values: list[Any], args: Any, kwargs: Any) -> Any:
        local.here.tracing += 1
        before = host_calls
        try:
            with state.Frame(zip(held, values, strict=True)) as frame:
                out = fn(*args, **kwargs)
                if donate and host_calls > before:
                    raise _MayFail
                if unknown := [v for k, v in frame.written.items() if k not in known]:
                    raise _UnknownState(unknown)
                which = range(len(held)) if donate else [
                    i for i, v in enumerate(held) if id(v) in frame.written
                ]
                new = {i: held[i]._value for i in which}
        finally:
            local.here.tracing -= 1
        return out, new

    def several(values: list[Any], batches: Any) -> Any:
        def step(values: list[Any], batch: Any) -> Any:
            out, new = pure(values, (batch,), {})
            return [
                jnp.asarray(new.get(i, v), v.dtype) for i, v in enumerate(values)
            ], out

        values, outs = jax.lax.scan(step, values, batches)
        return jax.tree.map(lambda x: x[-1], outs), dict(enumerate(values))

    jitted: dict[str, Any] = {}

    def jit() -> None:
        donated = (0,) if donate else ()
        jitted["step"] = jax.jit(pure, donate_argnums=donated)
        jitted["loop"] = jax.jit(several, donate_argnums=donated)

    jit()

    def lift(call: Callable[[list[Any]], Any]) -> Any:
        """`call(values of the state)`, once the trace has met no unknown state."""
        nonlocal donate
        if not held:  # what a trace only reads would be baked into it
            take_in(state_of())
        while True:
            values = [v._value if v._home is adapter else v.value for v in held]
            try:
                return call(values)
            except _UnknownState as found:
                take_in(state_of())
                take_in(found.variables)
            except _MayFail:  # and then the state must still be there
                donate = False
                jit()

    def run(name: str, *args: Any) -> Any:
        made: list[Any] = []

        def settle() -> None:
            for _, new in made:
                for i, value in new.items():
                    held[i]._value = value

        with state.lending:
            try:
                # An interruption must not come between the call, which takes the memory of the
                # values, and what it gives instead: within one call of C none can.
                lift(lambda values: made.extend(itertools.starmap(jitted[name], [(values, *args)])))
                settle()
            except BaseException:
                settle()
                raise
        return made[0][0]

    def compiled(*args: Any, **kwargs: Any) -> Any:
        if local.here.frame is not None:  # inside another trace: part of it
            return fn(*args, **kwargs)
        return run("step", args, kwargs)

    answers: dict[Any, bool] = {}

    def loops(sample: Any, size: int) -> bool:
        """Whether many steps in one dispatch pay: a dispatch costs as much as some work.

        `sample` is a batch of which only the number of samples may be another than `size`.
        """
        batch = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), native_dtype(a.dtype.name)), sample
        )
        key = tuple((a.shape, a.dtype) for a in jax.tree.leaves(batch))
        if key not in answers:
            with state.lending:
                traced = lift(lambda values: jitted["step"].trace(values, (batch,), {}))
            # With convolutions on a CPU XLA takes minutes to compile the loop, and runs slower.
            slow = jax.default_backend() == "cpu" and _convolves(traced.jaxpr.jaxpr)
            cost = traced.lower().cost_analysis() or {}
            answers[key] = not slow and cost.get("flops", math.inf) < LOOPED_WORK
        return answers[key]

    compiled.many = lambda batches: run("loop", batches)
    compiled.loops = loops
    return compiled


LOOPED_WORK = 1e7
"""The floating-point operations of a step above which its dispatch costs nothing beside it."""


def _convolves(jaxpr: Any) -> bool:
    return any(
        eqn.primitive.name == "conv_general_dilated"
        or any(_convolves(inner) for inner in jaxprs_in_params(eqn.params))
        for eqn in jaxpr.eqns
    )


host_calls = 0
"""How many computations on the host were traced."""


class _MayFail(Exception):
    """A trace that is to give up the memory of its state computes on the host, where anything may
    be raised."""


class _UnknownState(Exception):
    """A trace wrote to variables that were not lifted in."""

    def __init__(self, variables: list[Any]):
        self.variables = variables


def _compile_discovering(fn: Callable[..., Any]) -> Callable[..., Any]:
    compiled: list[Callable[..., Any]] = []

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if local.here.frame is not None:
            return fn(*args, **kwargs)
        if not compiled:
            compiled.append(compile(fn, _variables_of(fn, args, kwargs)))
        return compiled[0](*args, **kwargs)

    return wrapper


def _variables_of(fn: Callable[..., Any], args: Any, kwargs: Any) -> list[Any]:
    """The variables that `fn` reads, found by running it abstractly under an adapter whose
    `adopt`, called because no variable is at home there, takes note of each."""
    here = local.here
    before = here.active
    recorder = copy.copy(before)
    recorder.__dict__["table"] = before.table
    found: dict[int, Any] = {}

    def adopt(variable: Any) -> Any:
        if here.frame is not None:
            here.frame.moved(variable)
        found[id(variable)] = variable
        if variable._home is before:
            return variable._value
        return from_host(variable._home.to_host(variable._value))

    recorder.adopt = adopt
    here.tracing += 1
    try:
        with backends.using(recorder), state.Frame() as frame:
            jax.eval_shape(lambda a, k: _arrays_only(fn(*a, **k)), args, kwargs)
        found.update(frame.written)
    finally:
        here.tracing -= 1
    return list(found.values())


def _arrays_only(out: Any) -> Any:
    return [leaf for leaf in tree.flatten(out) if is_tensor(leaf)]


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f(*args)` returns `(value, grad_fn)`; `grad_fn(*upstream)` gives a gradient per argument."""
    plain = _with_rule(f, [])

    def all_of_it(*args: Any) -> Any:
        value, grad_fn = f(*args)
        return value, eager.call_grad(grad_fn, value if isinstance(value, tuple) else (value,))

    def function(*args: Any) -> Any:
        # What is traced around may not be reached for: variables that are bound to it are told.
        read = [] if local.here.frame is None else _variables_of(all_of_it, args, {})
        held = [v for v in read if isinstance(v._value, jax.core.Tracer)]
        return _with_rule(f, held)([v._value for v in held], *args) if held else plain([], *args)

    return function


def _with_rule(f: Callable[..., Any], held: list[Any]) -> Callable[..., Any]:
    """The function with a gradient of its own, after the values of the variables it reads."""
    def bound(values: Any) -> Any:
        return state.Frame(zip(held, values, strict=True)) if held else contextlib.nullcontext()

    @jax.custom_vjp
    def function(values: Any, *args: Any) -> Any:
        with bound(values):
            return f(*args)[0]

    def backward(saved: Any, upstream: Any) -> Any:
        # The rule is asked for again on the saved arguments: closures over tracers of the
        # forward pass must not survive it.
        values, *args = saved
        with bound(values):
            _, grad_fn = f(*args)
            grads = eager.call_grad(
                grad_fn, upstream if isinstance(upstream, tuple | list) else (upstream,)
            )
        return None, *(grads if isinstance(grads, tuple | list) else (grads,))

    # The value keeps its own gradient where gradients are differentiated again.
    function.defvjp(lambda *args: (function(*args), args), backward)
    return function


def _with_state(run: Callable[..., Any]) -> Any:
    """Runs control flow whose functions may assign variables, of which JAX knows nothing.

    `run(lift, values)` gives (values, result): `lift(fn)` is `fn` as a function
    `(values, *args) -> (values, result)` of the variables that are assigned inside. They are
    found as they are met: where there are none, nothing is traced twice.
    """
    active = backends.active
    held: list[Any] = []
    met: dict[int, Any] = {}

    def lift(fn: Callable[..., Any]) -> Callable[..., Any]:
        def pure(values: Any, *args: Any) -> Any:
            with state.Frame(zip(held, values, strict=True)) as frame:
                out = fn(*args)
                met.update(frame.written)
                return [jnp.asarray(v, v.dtype) for v in frame.values()], out

        return pure

    while True:
        values = [v._value if v._home is active else active.adopt(v) for v in held]
        values, out = run(lift, values)
        if len(met) == len(held):
            break
        held[:] = met.values()
    for variable, value in zip(held, values, strict=True):
        variable._write(value)
    return out


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any]) -> Any:
    if not isinstance(pred, jax.core.Tracer):  # known now: nothing is compiled for one choice
        return eager.cond(pred, true_fn, false_fn)
    return _with_state(
        lambda lift, values: jax.lax.cond(pred, lift(true_fn), lift(false_fn), values)
    )


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    if not isinstance(index, jax.core.Tracer):
        return eager.switch(index, branches, *operands)
    return _with_state(
        lambda lift, values: jax.lax.switch(index, [lift(f) for f in branches], values, *operands)
    )


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any,
    maximum_iterations: int | None,
) -> Any:  # fmt: skip
    nested = isinstance(loop_vars, list | tuple)
    start = tree.map_structure(jnp.asarray, tuple(loop_vars) if nested else (loop_vars,))

    def run(lift: Any, values: Any) -> Any:
        def go_on(carry: Any) -> Any:
            step, values, args = carry
            wanted = lift(cond)(values, *args)[1]
            if maximum_iterations is None:
                return wanted
            return jnp.logical_and(wanted, step < maximum_iterations)

        def advance(carry: Any) -> Any:
            step, values, args = carry
            values, out = lift(body)(values, *args)
            return step + 1, values, tuple(out) if isinstance(out, list | tuple) else (out,)

        return jax.lax.while_loop(go_on, advance, (0, values, start))[1:]

    values = _with_state(run)
    return type(loop_vars)(values) if nested else values[0]


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    return _with_state(lambda lift, values: jax.lax.fori_loop(
        lower, upper, lambda i, carry: lift(body_fun)(carry[0], i, carry[1]), (values, init_val)
    ))  # fmt: skip


def scan(
    f: Callable[..., Any], init: Any, xs: Any, length: int | None, reverse: bool, unroll: Any
) -> tuple[Any, Any]:
    def run(lift: Any, values: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            values, (after, y) = lift(f)(carry[0], carry[1], x)
            return (values, after), y

        (values, last), ys = jax.lax.scan(
            step, (values, init), xs, length=length, reverse=reverse, unroll=unroll
        )
        return values, (last, ys)

    return _with_state(run)


def map(f: Callable[..., Any], xs: Any) -> Any:
    return scan(lambda _, x: (None, f(x)), None, xs, None, False, 1)[1]


def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    return jax.vmap(function)(elements)


def eval_shape(fn: Callable[..., Any], specs: Sequence[Any]) -> Any:
    return jax.eval_shape(fn, *tree.map_structure(
        lambda s: jax.ShapeDtypeStruct(s.shape, native_dtype(s.dtype)), list(specs)
    ))
