"""The `op` decorator: the only machinery between a public function and an engine.

An op is a documented signature. Called with tensors, it converts the arguments it was told to
convert and calls the active adapter's function of its name, or its own body where the adapter
has none. Called with a `KerasTensor`, it infers the result's shape and dtype and records a node.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

import numpy as np

from kerasish import backends, dtypes
from kerasish.backends.state import local
from kerasish.errors import (
    BackendError,
    DTypeError,
    InvalidArgument,
    KerasishError,
    KindError,
    ShapeError,
)

F = TypeVar("F", bound=Callable[..., Any])
_SCALARS = (bool, int, float, complex)
_PLAIN: frozenset[type] = frozenset((bool, int, float, str, type(None), types.FunctionType))
_HOST = frozenset((np.ndarray, *np.sctypeDict.values()))
OPS: set[str] = set()
"""The names of all ops that were defined."""
_INDICES = frozenset(("indices", "start_indices", "segment_ids"))
"""Arrays that hold integers."""
_KINDS = {
    "int": (int,), "bool": (bool,), "float": (float, int, bool), "str": (str,),
    "complex": (complex, float, int, bool),
}  # fmt: skip
"""The plain types that a parameter takes, by the first word of its type hint."""


class SymbolicArgument(Exception):
    """Raised inside a call that turns out to have a symbolic argument."""


class SparseArgument(Exception):
    """Raised inside a call that turns out to have a sparse argument."""


def is_symbolic(x: Any) -> bool:
    """Whether `x` is a `KerasTensor` (they set this attribute on their class)."""
    return getattr(type(x), "_is_symbolic", False)


def _any_symbolic(x: Any) -> bool:
    kind = type(x)
    if kind is list or kind is tuple:
        return any(_any_symbolic(y) for y in x)
    if kind is dict:
        return any(_any_symbolic(y) for y in x.values())
    return is_symbolic(x) or (isinstance(x, tuple) and any(map(_any_symbolic, x)))


def _values(x: Any) -> Any:
    """`x` with Variables replaced by their values, and tensors of other engines by this one's,
    also inside lists, tuples and dicts."""
    kind = type(x)
    if kind in _PLAIN:
        return x
    if kind is list or kind is tuple:
        return kind([_values(y) for y in x])
    if kind is dict:
        return {k: _values(v) for k, v in x.items()}
    if hasattr(kind, "_is_variable"):
        return x.value
    active = backends.active
    if kind in active.native or kind in _HOST or is_symbolic(x):
        return x
    if not hasattr(x, "shape"):
        return kind._make(map(_values, x)) if hasattr(kind, "_make") else x  # a named tuple
    return x if backends.owner(x) in (None, active) else active.convert(x)


def tensor(x: Any) -> Any:
    """The active engine's tensor for a tensor, Variable, array, list or Python scalar."""
    active = backends.active
    if type(x) in active.native:
        return x
    if is_symbolic(x):
        raise SymbolicArgument
    if hasattr(type(x), "_is_variable"):
        return x.value
    if (type(x) is list or type(x) is tuple) and x:
        if _any_symbolic(x):
            raise SymbolicArgument
        x = _values(x)
    x = active.convert(x)
    if type(x) not in active.native and active.owns(x) and active.is_sparse(x):
        raise SparseArgument
    return x


def _promote(values: list[Any], kind: str) -> list[Any]:
    """All values as tensors of their common dtype; Python scalars are weak."""
    active = backends.active
    values = [x if type(x) in _SCALARS or x is None else tensor(x) for x in values]
    kinds = [
        type(x) if type(x) in _SCALARS else active.dtype_of(x) for x in values if x is not None
    ]
    target = dtypes.result_type(*kinds, *([float] if kind in ("float", "double") else []))
    if kind == "double" and kinds == ["int64"]:
        target = "float64"
    if kind == "number" and target == "bool":
        target = "int32"
    return [
        None if x is None
        else active.scalar(x, target) if type(x) in _SCALARS
        else active.cast(x, target)
        for x in values
    ]  # fmt: skip


@overload
def op(fn: F) -> F: ...
@overload
def op(
    *, convert: str = "", float: str = "", double: str = "", common: str = "", number: str = "",
    like: str = "", wide: bool = False, back: bool = False, real: bool = False, rank: int = 0,
) -> Callable[[F], F]: ...


def op(
    fn: Any = None, *, convert: str = "", float: str = "", double: str = "", common: str = "",
    number: str = "", like: str = "", wide: bool = False, back: bool = False, real: bool = False,
    rank: int = 0,
) -> Any:  # fmt: skip
    """Makes a function an op. Each option names arguments, separated by spaces.

    Args:
        convert: made tensors, their dtype kept.
        float: made tensors and promoted together with the float type: integers become floatx.
        double: the same, but that int64 becomes float64, as Keras has it in a few ops.
        common: made tensors and promoted to their common dtype.
        number: the same, with bools counted as int32.
        like: made tensors of the first argument's dtype.
        wide: float16 and bfloat16 are computed as float32, and the result cast back.
        back: where `float` names integers alone, the result is cast back to their common dtype.
        real: complex arguments are refused, as the op needs an order or rounds.
        rank: how many axes the first argument has at least.

    A name with a star, as in `common="*xs"`, is a list of arrays. A function whose body is
    empty is a primitive, which every adapter must define.
    """
    if fn is None:
        return functools.partial(
            op, convert=convert, float=float, double=double, common=common, number=number,
            like=like, wide=wide, back=back, real=real, rank=rank,
        )
    name = fn.__name__
    parameters = list(inspect.signature(fn).parameters.values())
    OPS.add(name)
    if wide:
        backends.wide.add(name)
    if not _is_empty(fn):
        backends.bodies[name] = fn
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        wrapper = _variadic(fn, name)
    else:
        kinds = {"convert": convert, "common": common, "float": float, "double": double,
                 "number": number, "like": like}  # fmt: skip
        wrapper = _positional(fn, name, parameters, kinds, back, real, rank)
    wrapper.op_name = name
    return wrapper


def _is_empty(fn: Callable[..., Any]) -> bool:
    empty = (_empty, _ellipsis, _bare)
    return fn.__code__.co_code in [f.__code__.co_code for f in empty]


def _empty() -> None:
    """An empty body, to compare with."""


def _ellipsis() -> None:
    """A body of three dots."""
    ...


def _bare() -> None: ...


def _record(wrapper: Any, args: Any, kwargs: Any) -> Any:
    from kerasish.core import symbolic

    return symbolic.record(wrapper, args, kwargs)


def _variadic(fn: Any, name: str) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if _any_symbolic(args) or (kwargs and _any_symbolic(kwargs)):
            return _record(wrapper, args, kwargs)
        args, kwargs = _values(args), _values(kwargs)
        implementation = backends.active.table[name]
        try:
            return implementation(*args, **kwargs)
        except Exception as error:
            raise_explained(error, name, bound(args, kwargs))

    def bound(args: Any, kwargs: Any) -> list[tuple[str, Any]]:
        try:
            return [*inspect.signature(fn).bind(*args, **kwargs).arguments.items()]
        except TypeError:  # too few or too many, which the error tells
            return [*kwargs.items()]

    return wrapper


def _positional(
    fn: Any, name: str, parameters: list[Any], kinds: dict[str, str], back: bool, real: bool,
    rank: int,
) -> Any:  # fmt: skip
    names = [p.name for p in parameters]
    index = {n: i for i, n in enumerate(names)}
    count = len(names)
    defaults = tuple(p.default for p in parameters)
    required = sum(p.default is p.empty for p in parameters)
    groups: dict[str, list[int]] = {kind: [] for kind in kinds}
    lists: dict[str, list[int]] = {kind: [] for kind in kinds}
    for kind, text in kinds.items():
        for word in text.split():
            (lists if word[0] == "*" else groups)[kind].append(index[word.lstrip("*")])
    arrays = {i for group in (*groups.values(), *lists.values()) for i in group}
    public = name[0] != "_"
    whole = [i for i in groups["convert"] if names[i] in _INDICES]
    needed = {i for i in arrays if public and defaults[i] is inspect.Parameter.empty
              and "None" not in str(parameters[i].annotation)}
    others = [(i, taken, many) for i, p in enumerate(parameters) if i not in arrays
              for taken, many in [_taken(p) if public else (_PLAIN, True)]]  # fmt: skip
    loose = [*groups["convert"], *groups["common"], *lists["convert"], *lists["common"]]
    numbers = [i for i in loose if public and not real and i not in whole]
    typed = [i for i, *_ in others if public and names[i] == "dtype"]
    calls = not arrays and not {"f", "fun", "branches"}.isdisjoint(names)

    def prepare(args: tuple[Any, ...]) -> list[Any]:
        values = list(args)
        for i, taken, many in others:
            x = values[i]
            kind = type(x)
            if kind is list or kind is tuple or kind is dict or hasattr(kind, "_make"):
                if _any_symbolic(x):
                    raise SymbolicArgument
                values[i] = _values(x)
            elif is_symbolic(x):
                raise SymbolicArgument
            elif hasattr(kind, "_is_variable"):
                values[i] = x.value
            if taken is not _PLAIN:
                values[i] = _plain(names[i], values[i], taken, many)
        for i in typed:
            if values[i] is not None and dtypes.standardize(values[i]) == "string":
                raise DTypeError(f"dtype must be one of numbers, got {values[i]!r}.")
        for i in needed:
            if values[i] is None or type(values[i]) is dict:
                raise KindError(
                    f"{names[i]} must be an array (a tensor, a list or a number), got "
                    f"{values[i]!r:.60}."
                )
        for i in groups["convert"]:
            if values[i] is not None:
                values[i] = tensor(values[i])
        for i in lists["convert"]:
            values[i] = [tensor(x) for x in values[i]]
        for kind in ("common", "float", "double", "number"):
            if group := groups[kind]:
                given = {values[i] is not None for i in group}
                if len(given) > 1 and public and needed.isdisjoint(group):
                    raise KindError(f"{', '.join(names[i] for i in group)} go together.")
                promoted = _promote([values[i] for i in group], kind)
                for i, x in zip(group, promoted, strict=True):
                    values[i] = x
            for i in lists[kind]:
                if not isinstance(values[i], list | tuple):
                    values[i] = list(tensor(values[i]))
                if any(x is None for x in values[i]):
                    raise KindError(f"{names[i]} must be a list of arrays, got None in it.")
                values[i] = _promote(list(values[i]), kind)
                if public and kind == "float" and (
                    len(values[i]) != 2 or len({tuple(x.shape) for x in values[i]}) > 1
                ):
                    raise ShapeError(f"{names[i]} must be two tensors of one shape, the real and "
                                     f"the imaginary part, got {describe(values[i])}.")
        for i in numbers:
            for x in values[i] if type(values[i]) is list else (values[i],):
                if type(x) is np.ndarray and x.dtype.kind in "OSUMm":
                    raise DTypeError(f"{names[i]} must hold numbers, got {x.dtype}.")
        if group := groups["like"]:
            active = backends.active
            target = active.dtype_of(values[0])
            for i in group:
                x = values[i]
                if type(x) is complex and target not in dtypes.COMPLEX:
                    raise DTypeError(f"{names[i]} must be a real number beside {target}, got {x}.")
                if x is not None:
                    values[i] = (
                        active.scalar(_within(x, target), target) if type(x) in _SCALARS
                        else active.cast(tensor(x), target)
                    )  # fmt: skip
        for i in whole:
            if (kind := backends.active.dtype_of(values[i])) not in dtypes.WHOLE:
                raise DTypeError(f"{names[i]} must hold integers, got {kind}.")
        if real:
            for i in arrays:
                for x in values[i] if type(values[i]) is list else (values[i],):
                    if x is not None and (kind := backends.active.dtype_of(x)) not in dtypes.REAL:
                        given = [names[j] for j in arrays if "complex" in describe(args[j])]
                        which = " and ".join(given or [names[i]])
                        raise DTypeError(f"{which} must hold real numbers, got {kind}.")
        if rank and len(values[0].shape) < rank:
            raise ShapeError(
                f"{names[0]} must have at least {rank} axes, got the shape "
                f"{tuple(values[0].shape)}."
            )
        return values

    def complete(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if len(args) > count:
            raise TypeError(f"ops.{name} takes {count} arguments ({', '.join(names)}), "
                            f"got {len(args)}.")
        values = [*args, *defaults[len(args):]]
        for key, value in kwargs.items():
            i = index.get(key)
            if i is None:
                raise TypeError(f"ops.{name} has no argument {key!r}. It takes: "
                                f"{', '.join(names)}.")
            if i < len(args):
                raise TypeError(f"ops.{name} got argument {key!r} twice.")
            values[i] = value
        for i in range(len(args), required):
            if values[i] is inspect.Parameter.empty:
                raise TypeError(f"ops.{name} misses its argument {names[i]!r}.")
        return tuple(values)

    def slow(args: tuple[Any, ...], kwargs: dict[str, Any], full: tuple[Any, ...]) -> Any:
        kind = None
        try:
            if back:
                full, kind = _as_floats(full, groups["float"])
            values = prepare(full)
        except SymbolicArgument:
            return _record(wrapper, args, kwargs)
        except SparseArgument:
            return _of_sparse(name, names, full)
        except Exception as error:
            raise_explained(error, name, [*zip(names, full, strict=True)])
        try:
            result = backends.active.table[name](*values)
        except Exception as error:
            return recover(error, values)
        cast = backends.active.cast
        return result if kind is None else cast(cast(result, "int64"), kind)

    def recover(error: Exception, values: Any) -> Any:
        if calls:  # what fails may be the caller's own function: only ours are told more of
            raise _called(error, name) if isinstance(error, KerasishError) else error
        # Where sparse tensors are of the type of dense ones (torch), a failure tells them apart.
        is_sparse = backends.active.is_sparse
        if any(map(is_sparse, values)) or any(is_sparse(y) for i in lists_of for y in values[i]):
            return _of_sparse(name, names, values)
        return raise_explained(error, name, [*zip(names, values, strict=True)])

    lists_of = [i for group in lists.values() for i in group]
    scope = {"local": local, "complete": complete, "defaults": defaults, "slow": slow,
             "recover": recover,
             **{f"taken{i}": taken for i, taken, _ in others},
             **{f"inner{i}": _inner(taken, many) for i, taken, many in others}}  # fmt: skip
    usual = not lists_of and not groups["like"]
    checks, scalars = _checks(groups, others, needed, whole, real) if usual else ([], False)
    if checks:
        single = [i for i in numbers if i not in groups["common"][1:]]
        checks += [f"a{i} != 'string'" for i in typed]
        checks += [f"(a{i} is None or a{i}.dtype in active.NUMBER_DTYPES)" for i in single]
        checks += [f"len(a0.shape) >= {rank}"] * bool(rank)
    exec(compile(_source(name, required, count, checks, scalars), f"<ops.{name}>", "exec"), scope)
    wrapper = functools.wraps(fn)(scope["wrapper"])
    return wrapper


def _as_floats(values: tuple[Any, ...], group: list[int]) -> tuple[tuple[Any, ...], str | None]:
    """The values with those of the group as tensors: of integers as float64, which holds them and
    their sums, with the dtype they had in common."""
    if any(values[i] is None or type(values[i]) is dict for i in group):
        return values, None
    active, full = backends.active, list(values)
    for i in group:
        full[i] = tensor(values[i])
    kind = dtypes.result_type(*[active.dtype_of(full[i]) for i in group])
    if kind not in dtypes.WHOLE and kind != "bool":
        return tuple(full), None
    for i in group:
        full[i] = active.cast(full[i], "float64")
    return tuple(full), kind


def _checks(
    groups: dict[str, list[int]], plain: list[Any], needed: set[int], whole: list[int], real: bool
) -> tuple[list[str], bool]:
    """What tells that all arrays are tensors of the right dtype already and the rest is plain,
    and whether the arrays are two operands, of which one may be a number."""
    floats = groups["float"] or groups["double"]
    together = groups["common"] or floats or groups["number"]
    strict = bool(floats or groups["number"])
    arrays = sorted({*groups["convert"], *together})
    checks = [f"type(a{i}) in native" for i in arrays[:1]]
    checks += [
        f"type(a{i}) in native" if i in needed else f"(a{i} is None or type(a{i}) in native)"
        for i in arrays[1:]
    ]
    checks += [f"a{i} is not None" for i in together if together[0] not in needed]
    if len(together) > 1:
        head, *others = together
        checks += [
            f"(a{i} is None or (d := a{head}.dtype) is a{i}.dtype or d == a{i}.dtype)"
            for i in others
        ]
    if strict:
        checks.append(f"a{together[0]}.dtype in active.FLOAT_DTYPES")
    if real:
        single = [*groups["convert"], *([] if strict else together[:1])]
        checks += [f"(a{i} is None or a{i}.dtype in active.REAL_DTYPES)" for i in single]
    checks += [f"a{i}.dtype in active.WHOLE_DTYPES" for i in whole]
    checks += [
        f"(type(a{i}) in taken{i} or type(a{i}) is tuple and inner{i}.issuperset(map(type, a{i})))"
        if many else f"type(a{i}) in taken{i}"
        for i, _, many in plain
    ]
    return checks, not plain and together == [0, 1]


def _source(name: str, required: int, count: int, checks: list[str], scalars: bool) -> str:
    """The wrapper of an op, written out: loops over the arguments would cost more than many an
    op does. With `checks` the usual call goes straight to the adapter."""
    lines = [
        "def wrapper(*args, **kwargs):",
        f"    if kwargs or not {required} <= len(args) <= {count}:",
        "        full = complete(args, kwargs)",
        "    else:",
        "        full = args + defaults[len(args):]",
    ]
    if checks:
        lines += [
            f"    {''.join(f'a{i}, ' for i in range(count))} = full",
            "    active = local.here.active",
            "    native = active.native",
        ]
    if scalars:
        for a, b in (("a0", "a1"), ("a1", "a0")):
            number = f"((kind := type({b})) is float or kind is int)"
            lines += [
                f"    if {number} and type({a}) in native and {a}.dtype in active.FLOAT_DTYPES:",
                f"        {b} = active.scalar({b}, active.dtype_of({a}))",
                "        full = a0, a1",
            ]
    if checks:
        lines += [
            f"    if {' and '.join(checks)}:",
            "        try:",
            f"            return active.table[{name!r}](*full)",
            "        except Exception as error:",
            "            return recover(error, full)",
        ]
    return "\n".join([*lines, "    return slow(args, kwargs, full)"])


def _taken(parameter: inspect.Parameter) -> tuple[frozenset[type], bool | str]:
    """The plain types that a parameter takes by its type hint, and whether also sequences of
    them (`"None"`: and of `None`)."""
    hint = str(parameter.annotation)
    if hint in ("Axis", "Shape"):
        hint = "int | Sequence[int]" + " | None" * (hint == "Axis")
    kinds = _KINDS.get(hint.removeprefix("Sequence[").split()[0].rstrip("]"))
    if kinds is None:
        return _PLAIN, True
    many = "None" if "None]" in hint else "Sequence" in hint
    return frozenset(kinds + (type(None),) * hint.endswith("None")), many


def _inner(taken: frozenset[type], many: bool | str) -> frozenset[type]:
    """The plain types in the sequences that a parameter takes."""
    if taken is _PLAIN:  # of no hint
        return taken
    return taken | {type(None)} if many == "None" else taken - {type(None)}


def _plain(parameter: str, x: Any, taken: frozenset[type], many: bool | str) -> Any:
    """The value with numbers and arrays of NumPy as Python's own; another kind than the
    parameter takes is refused."""
    if isinstance(x, np.ndarray | np.generic | range) and str not in taken:
        whole = many and isinstance(x, np.ndarray) and x.ndim == 1 and x.dtype.kind in "iu"
        x = list(x) if isinstance(x, range) else x.tolist()
        if whole:  # perhaps many
            return tuple(x)
    if many and isinstance(x, list | tuple):
        return tuple([_plain(parameter, y, _inner(taken, many), False) for y in x])
    if type(x) in taken:
        return x
    if hasattr(x, "dtype"):  # a tensor: perhaps told in a graph alone
        shape = getattr(x, "shape", ())
        if many or getattr(shape, "rank", 0) is None or not len(shape):
            return x
        raise KindError(f"{parameter} must be {_what(taken, many)}, got {describe(x)}.")
    if bool in taken and int not in taken and type(x) is int:
        return bool(x)
    numeric = any(hasattr(x, n) for n in ("__index__", "__int__", "__float__"))  # a symbolic one
    if numeric and not isinstance(x, bool | float | complex):
        return x
    raise KindError(f"{parameter} must be {_what(taken, many)}, got {x!r:.60}.")


def _what(taken: frozenset[type], many: bool | str) -> str:
    return (
        "the name of a choice" if str in taken else "a number" if float in taken
        else "True or False" if int not in taken
        else "an integer or a sequence of integers" if many else "an integer"
    )  # fmt: skip


def number(parameter: str, x: Any) -> float:
    """The value of a parameter that takes numbers, for functions without an op's checks."""
    return _plain(parameter, x, frozenset(_KINDS["float"]), False)


def _within(x: Any, dtype: str) -> Any:
    """A Python number as one of the dtype's: integers end at the ends of their range."""
    if dtype not in (*dtypes.SIGNED, *dtypes.UNSIGNED) or type(x) is complex:
        return x
    if x != x:
        raise DTypeError(f"NaN is none of the numbers of {dtype}.")
    ends = np.iinfo(dtype)
    return int(min(max(x, ends.min), ends.max))


def _of_sparse(name: str, names: list[str], values: Any) -> Any:
    """The op's form for sparse tensors, where it has one."""
    values = _tensors_of(values)
    form = backends.sparse_forms.get(name)
    if form is not None:
        return form(*values)
    got = ", ".join(f"{n}={describe(x)}" for n, x in zip(names, values, strict=True))
    error = InvalidArgument(
        f"ops.{name.lstrip('_')}({got}) takes dense tensors. Make the sparse one dense before: "
        "ops.convert_to_tensor(x, sparse=False)."
    )
    error._op = name
    raise error


def _tensors_of(x: Any) -> Any:
    """`x` with the arrays in it as tensors of the active engine."""
    if type(x) is list or type(x) is tuple:
        return type(x)(map(_tensors_of, x))
    if hasattr(type(x), "_is_variable"):
        return x.value
    return backends.active.convert(x) if hasattr(x, "shape") and not is_symbolic(x) else x


def describe(x: Any) -> str:
    """A tensor as `float32[2, 3]`, anything else by a short repr; for error messages."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        dims = ", ".join("None" if d is None else str(d) for d in x.shape)
        kind = "sparse " if backends.active.is_sparse(x) else ""
        return f"{kind}{_dtype_name(x)}[{dims}]"
    if isinstance(x, list | tuple) and any(hasattr(y, "shape") for y in x):
        return "[" + ", ".join(describe(y) for y in x) + "]"
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."


def _dtype_name(x: Any) -> str:
    if type(x) is np.ndarray and x.dtype.kind in "Mm":  # times, which no tensor holds
        return str(x.dtype)
    return dtypes.standardize(x.dtype)


_OF_DTYPES = ("not implemented for", "in the list of allowed values", "must be integers")
"""What engines say of dtypes that a kernel lacks, in errors that are no TypeErrors."""


_MISTAKES = (ArithmeticError, AssertionError)
"""What engines answer some wrong arguments with, beside errors of their own."""


def raise_explained(error: Exception, name: str, arguments: list[tuple[str, Any]]) -> Any:
    """Raises an engine's error again, saying which op failed on what."""
    if isinstance(error, KerasishError):
        raise _called(error, name, arguments) from error.__cause__
    got = _told(arguments)
    if got is None:
        raise error from None
    if strange := [n for n, x in arguments if _holds_no_numbers(x)]:
        told = DTypeError(
            f"ops.{name.lstrip('_')}({got}): {strange[0]} holds strings or objects, where numbers "
            "are expected."
        )
        told._op = name
        raise told from error
    text = str(error)
    of_none = isinstance(error, AttributeError) and "'NoneType'" in text
    if not (of_none or isinstance(error, _MISTAKES) or backends.active.explainable(error)):
        obstacle = backends.active.lookup("obstacle")
        if obstacle is None or (told := obstacle(error)) is None:
            raise error
        hindered = BackendError(f"ops.{name.lstrip('_')}({got}): {told}")
        hindered._op = name
        raise hindered from error
    reason = text.strip().splitlines()
    # JAX tells of shapes by TypeError as well, and engines of dtypes by other errors.
    about_kind = of_none or any(words in text for words in _OF_DTYPES) or (
        isinstance(error, TypeError) and not any(words in text for words in ("shape", "dimension"))
    )
    kind = DTypeError if about_kind else InvalidArgument
    explained = kind(
        f"ops.{name.lstrip('_')}({got}) failed: {reason[0] if reason else type(error).__name__}"
    )
    explained._op = name
    raise explained from error


def _holds_no_numbers(x: Any) -> bool:
    if isinstance(x, list | tuple):
        return any(map(_holds_no_numbers, x))
    if not (hasattr(x, "dtype") and hasattr(x, "shape")):
        return False
    return _dtype_name(x).startswith(("string", "datetime", "timedelta"))


def _told(arguments: Sequence[tuple[str, Any]]) -> str | None:
    """The arguments in words; `None` where one is of a kind that cannot be told."""
    try:
        return ", ".join(f"{n}={describe(x)}" for n, x in arguments)
    except (KerasishError, TypeError, ValueError, AttributeError):  # shapes, dtypes of its own
        return None


def _called(
    error: KerasishError, name: str, arguments: Sequence[tuple[str, Any]] = ()
) -> KerasishError:
    """The error, naming the op that failed and the one that was called, and what they got. A
    primitive inside a public op is told by the public name."""
    text, public, known = str(error), f"ops.{name.lstrip('_')}", error._op
    got = _told(arguments)
    if got and not name.startswith("_") and (not known or known.startswith("_")) and not any(
        re.search(rf"\b{n}(=| is | must )", text) for n, _ in arguments
    ):
        text = f"{text.rstrip('.')}. Called with {got}."
    if not known:
        error._op = name
        if public.removeprefix("ops.") not in text:
            text = f"{public}: {text}"
    elif known.startswith("_"):
        error._op = name
        text = text.replace(f"ops.{known.lstrip('_')}", public, 1)
    elif known != name and not name.startswith("_"):
        text = text.removesuffix(error._inside)
        error._inside = f" (inside {public}({got}))" if got else f" (inside {public})"
        text += error._inside
    error.args = (text, *error.args[1:])
    return error
