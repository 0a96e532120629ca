"""Shapes of random draws; no state counts."""

from __future__ import annotations

from typing import Any

from kerasish.backends.symbolic.engine import Spec


def _advance(state: Spec) -> tuple[Spec, Spec]:
    return state, state


def _random_bits(seed: Any, shape: Any, lane: int) -> Spec:
    return Spec(shape, "int32")


def _random_uniform(seed: Any, shape: Any, dtype: str, lane: int) -> Spec:
    return Spec(shape, dtype)


_random_normal = _random_truncated = _random_uniform


def _dropout(inputs: Spec, *_: Any) -> Spec:
    return inputs
