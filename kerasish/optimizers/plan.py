"""What an optimizer prepares once for a list of variables, and control flow around its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kerasish import backends, ops
from kerasish.backends import state
from kerasish.backends.leafwise import Group

Which = list[int] | None
"""Positions in a list of variables; `None` for all of them."""


class Plan:
    """The groups of variables that one rule updates, for one list of variables.

    Attributes:
        given: the variables, and `variables` those of them that gradients move: others are set
            to their gradient (`overwritten` has their positions, `kept` those of the rest).
        groups: (group, which of `variables`, weight decay).
        shrunk: the same for an optimizer in Keras' form, which decays before its own step.
        averages, accumulators: (group, which of `variables`, of `given`).
    """

    def __init__(self, optimizer: Any, given: list[Any], stepwise: bool):
        self.given = given
        self.overwritten = [i for i, v in enumerate(given) if v.overwrite_with_gradient]
        self.kept: Which = None
        if self.overwritten:
            self.kept = [i for i, v in enumerate(given) if not v.overwrite_with_gradient]
        self.variables = variables = pick(given, self.kept)
        self.stepwise = stepwise
        self.groups: list[tuple[Group, Which, float | None]] = []
        self.shrunk: list[tuple[Group, Which, float | None]] = []
        keys = [(v.dtype, optimizer._decay_of(v), optimizer.rule_of(v)) for v in variables]
        for (_, decay, rule), which in _alike(keys):
            chosen = pick(variables, which)
            if not stepwise:
                self.groups.append((optimizer._group(chosen, rule), which, decay))
            elif decay is not None:
                self.shrunk.append((Group(_keep, chosen), which, decay))
        averages = optimizer._averages_of(variables)
        self.averages = [
            (Group(_average, pick(averages, which), None, same), which)
            for (_, same), which in _alike(
                [(a.dtype, a.dtype == v.dtype) for a, v in zip(averages, variables)]  # noqa: B905
            )
        ]
        totals = optimizer._accumulators_of(given)
        self.accumulators = [
            (Group(_largest if largest else _total, pick(totals, which), None, same), which)
            for (_, same, largest), which in _alike([
                (t.dtype, t.dtype == v.dtype, v.overwrite_with_gradient)
                for t, v in zip(totals, given)  # noqa: B905
            ])
        ]


def _alike(keys: Sequence[Any]) -> list[tuple[Any, Which]]:
    """Equal keys and their positions, `None` where all are equal."""
    found: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        found.setdefault(key, []).append(i)
    return [(key, None if len(found) == 1 else which) for key, which in found.items()]


def pick(items: list[Any], which: Which) -> list[Any]:
    """The items at these positions."""
    return items if which is None else [items[i] for i in which]


def _keep(param: Any, grad: Any, slots: Any, hyper: Any) -> Any:
    return param, ()


def _average(average: Any, value: Any, slots: Any, momentum: Any) -> Any:
    return average * momentum + value * (1 - momentum), ()


def _total(total: Any, grad: Any, slots: Any, hyper: Any) -> Any:
    return total + grad, ()


def _largest(largest: Any, grad: Any, slots: Any, hyper: Any) -> Any:
    return ops.maximum(largest, grad), ()


def when(
    condition: Any, then: Callable[[], None], otherwise: Callable[[], None],
    variables: Iterable[Any],
) -> None:  # fmt: skip
    """Runs one of two functions that write to variables, by a condition that may be a tensor."""
    if type(condition) is bool:
        return then() if condition else otherwise()
    active = backends.active
    bindings = [(v, v.value) for v in variables]

    def values_after(fn: Callable[[], None]) -> Callable[[], list[Any]]:
        def branch() -> list[Any]:
            with state.Frame(bindings) as frame:
                fn()
                return [active.convert(x) for x in frame.values()]

        return branch

    values = active.cond(condition, values_after(then), values_after(otherwise))
    for (variable, _), value in zip(bindings, values, strict=True):
        variable._write(value)


def nothing() -> None:
    """The branch in which nothing happens."""
