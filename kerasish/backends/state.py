"""How the values of variables are lent and given back: the one mechanism of functional state.

A `Frame` binds variables to other values (tracers, tape leaves, a caller's own arrays) for the
length of a block. Inside it, assignments stay in the frame; on leaving, every variable is as it
was, and `changes` tells what the block wanted to write. Gradients, compilation, stateless scopes
and shape inference are all made of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kerasish import backends

current: Frame | None = None
tracing = 0
"""How many compiled functions are being traced now; the backend cannot be switched meanwhile."""


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
        global current
        self._outer, current = current, self
        home = backends.active
        before = self._before
        for variable, value in self.bindings:
            if id(variable) not in before:
                before[id(variable)] = (variable, variable._value, variable._home)
            variable._value, variable._home = value, home
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
        variable._value, variable._home = value, backends.active

    def values(self) -> list[Any]:
        """The present values of the bound variables, in the order of the bindings."""
        return [variable._value for variable, _ in self.bindings]

    def __exit__(self, *exc: Any) -> None:
        global current
        current = self._outer
        self.changes = {v: v._value for v in self.written.values()}
        for variable, value, home in self._before.values():
            variable._value, variable._home = value, home


def commit(changes: dict[Any, Any]) -> None:
    """Writes what a frame held back, into the frame outside it or into the variables."""
    for variable, value in changes.items():
        variable._write(value)
