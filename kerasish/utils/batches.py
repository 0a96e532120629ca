"""What a batch holds: inputs, targets and sample weights as one tuple."""

from __future__ import annotations

from typing import Any

from kerasish.errors import InvalidArgument


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """A batch as data sets give it: `x`, `(x, y)` or `(x, y, sample_weight)`.

    Inputs alone are given bare, save lists and tuples, which go into a tuple of one.

    Args:
        x: the inputs.
        y: the targets.
        sample_weight: the weights; not used without targets.

    >>> import kerasish as keras
    >>> keras.utils.pack_x_y_sample_weight("x", "y"), keras.utils.pack_x_y_sample_weight(["a"])
    (('x', 'y'), (['a'],))
    """
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """The parts of a batch, `None` for those that are missing.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    >>> import kerasish as keras
    >>> keras.utils.unpack_x_y_sample_weight(("x", "y"))
    ('x', 'y', None)
    """
    if not isinstance(data, list | tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise InvalidArgument(
            "A batch is x, (x,), (x, y) or (x, y, sample_weight); got "
            f"{len(data)} parts: {', '.join(type(part).__name__ for part in data)}."
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight
