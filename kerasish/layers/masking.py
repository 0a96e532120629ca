"""Masks travel with tensors: as an attribute where a tensor takes one, else in a weak table."""

from __future__ import annotations

import weakref
from typing import Any

in_use = False
"""Whether any tensor of this process was ever given a mask; lets layers skip looking."""
_table: dict[int, tuple[Any, Any]] = {}


def get_mask(x: Any) -> Any:
    """The mask of a tensor, or `None`."""
    mask = getattr(x, "_keras_mask", None)
    if mask is None and _table:
        entry = _table.get(id(x))
        if entry is not None and entry[0]() is x:
            return entry[1]
    return mask


def any_masked(tensors: list[Any]) -> bool:
    """Whether one of them carries a mask."""
    return any(get_mask(x) is not None for x in tensors)


def set_mask(x: Any, mask: Any) -> None:
    """Gives a tensor a mask (takes it away with `None`)."""
    global in_use
    if mask is None:
        if in_use and get_mask(x) is not None:
            _table.pop(id(x), None)
            if hasattr(x, "_keras_mask"):
                x._keras_mask = None
        return
    in_use = True
    try:
        x._keras_mask = mask
    except AttributeError:  # plain ndarrays take no attributes
        key = id(x)
        _table[key] = (weakref.ref(x, lambda _: _table.pop(key, None)), mask)
