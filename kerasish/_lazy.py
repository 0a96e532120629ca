"""Names that load their module when first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any


def attach(
    package: str, modules: str = "", names: dict[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` for a package.

    Args:
        package: the package's `__name__`.
        modules: submodules, separated by spaces.
        names: module path -> the names that it provides, separated by spaces; a name written
            `public=own` is exported under another name.
    """
    where: dict[str, tuple[str, str]] = {}
    for path, listed in (names or {}).items():
        for word in listed.split():
            public, _, own = word.partition("=")
            where[public] = (path, own or public)
    submodules = modules.split()

    def getattr_(name: str) -> Any:
        if name in where:
            path, own = where[name]
            value = getattr(importlib.import_module(path), own)
        elif name in submodules:
            value = importlib.import_module(f"{package}.{name}")
        else:
            message = f"module {package!r} has no attribute {name!r}"
            if not name.startswith("_"):  # what Python itself looks for is no slip
                import difflib

                near = difflib.get_close_matches(name, public, 1)
                message += f". Did you mean {near[0]!r}?" if near else ""
            raise AttributeError(message)
        setattr(sys.modules[package], name, value)
        return value

    public = sorted({*where, *submodules})
    return getattr_, lambda: public, public
