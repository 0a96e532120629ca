"""What holds for each thread, and how the values of variables are lent and given back.

`local.here` is what the thread that asks is in the middle of: another thread's gradients, traces,
training flags and symbolic runs are none of its business. Only the choice of the engine is of the
whole process.

A `Frame` binds variables to other values (tracers, tape leaves, a caller's own arrays) for the
length of a block. Inside it, assignments stay in the frame; on leaving, every variable is as it
was, and `changes` tells what the block wanted to write. Gradients, compilation, stateless scopes
and shape inference are all made of it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

engine: Any = None
"""The process-wide active adapter, or what stands for it until it is loaded."""

_threads: weakref.WeakSet[Here] = weakref.WeakSet()
_meeting = threading.Lock()


class Here:
    """What one thread is in the middle of."""

    def __init__(self) -> None:
        self.real: Any = None
        """The engine behind a symbolic run (see `core.symbolic`); `None` outside one."""
        self.frame: Frame | None = None
        """The innermost open frame."""
        self.tracing = 0
        """How many compiled functions are being traced; the backend stays the same meanwhile."""
        self.depth = 0
        """How many calls of layers are open, one within another."""
        self.training: Any = None
        """The `training` flag of the innermost of them."""
        self.autocast: str | None = None
        """The dtype that float variables are read in, or `None` for their own."""
        self.names: list[tuple[str, Any]] = []
        """The open name scopes, each with whose it is."""
        self.drawing_for: str | None = None
        """The path of the variable that is being initialised: initializers draw by it."""
        self.memory: int | None = None
        """How many bytes the variables that are made may still take, or `None` for any number."""
        self.stateless: list[Any] = []
        """The open `StatelessScope`s."""
        self.symbolic = 0
        """How many `SymbolicScope`s are open."""
        self.remat: list[Any] = []
        """The open `RematScope`s."""
        self.tapes = 0
        """How many tapes of the NumPy backend are open, one within another."""
        with _meeting:
            self.active: Any = engine
            """The adapter that ops go to: the engine, or another one for the length of a block."""
            _threads.add(self)


class _Local(threading.local):
    def __init__(self) -> None:
        self.here = Here()


local = _Local()


@contextlib.contextmanager
def holding(here: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute of what a thread is in the middle of is another for the length of a block."""
    before = getattr(here, name)
    setattr(here, name, value)
    try:
        yield
    finally:
        setattr(here, name, before)


def activate(adapter: Any) -> None:
    """Makes an adapter the engine of all threads."""
    global engine
    with _meeting:
        before, engine = engine, adapter
        for here in _threads:
            if here.active is before:
                here.active = adapter


lending = threading.RLock()
"""Held while a frame is open: the values of variables are lent to one thread at a time."""


if hasattr(os, "register_at_fork"):  # a forked process begins with no variable lent, no lock held
    for _lock in (lending, _meeting):
        os.register_at_fork(
            before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
        )


class Frame:
    """Variables bound to given values for the length of a `with` block."""

    __slots__ = ("_before", "_outer", "bindings", "changes", "written")

    def __init__(self, bindings: Iterable[tuple[Any, Any]] = ()):
        self.bindings = list(bindings)
        self.changes: dict[Any, Any] = {}
        self.written: dict[int, Any] = {}
        self._before: dict[int, tuple[Any, Any, Any]] = {}
        self._outer: Frame | None = None

    def __enter__(self) -> Frame:
        lending.acquire()
        here = local.here
        self._outer, here.frame = here.frame, self
        home = here.active
        before = self._before
        try:
            for variable, value in self.bindings:
                if id(variable) not in before:
                    before[id(variable)] = (variable, variable._value, variable._home)
                variable._value, variable._home = value, home
        except BaseException:
            self._leave()
            lending.release()
            raise
        return self

    def _keep(self, variable: Any) -> None:
        if id(variable) not in self._before:
            self._before[id(variable)] = (variable, variable._value, variable._home)

    def moved(self, variable: Any) -> None:
        """Notes that a read inside the block is about to move the variable to this backend."""
        self._keep(variable)

    def write(self, variable: Any, value: Any) -> None:
        self._keep(variable)
        self.written[id(variable)] = variable
        variable._value, variable._home = value, local.here.active

    def values(self) -> list[Any]:
        """The present values of the bound variables, in the order of the bindings."""
        return [variable._value for variable, _ in self.bindings]

    def __exit__(self, *exc: Any) -> None:
        try:
            self.changes = {v: v._value for v in self.written.values()}
            self._leave()
        except BaseException:  # an interruption must not leave anything bound
            self._leave()
            raise
        finally:
            lending.release()

    def _leave(self) -> None:
        local.here.frame = self._outer
        for variable, value, home in self._before.values():
            variable._value, variable._home = value, home


def commit(changes: dict[Any, Any]) -> None:
    """Writes what a frame held back, into the frame outside it or into the variables."""
    for variable, value in changes.items():
        variable._write(value)
