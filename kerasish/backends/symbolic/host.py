"""Computations that stay on the host: only their shape and dtype are known here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kerasish.backends.symbolic.engine import Spec, Unknown


def host_call(
    fn: Callable[..., Any], inputs: Sequence[Any], shape: Sequence[int | None], dtype: str
) -> Any:
    probe = next((n for x in inputs for n in x.shape if type(n) is Unknown), Unknown(1))
    return Spec([probe if n is None else n for n in shape], dtype)
