"""Sequences of unequal lengths as one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.errors import InvalidArgument


def pad_sequences(
    sequences: Any, maxlen: int | None = None, dtype: Any = "int32", padding: str = "pre",
    truncating: str = "pre", value: Any = 0.0,
) -> np.ndarray:  # fmt: skip
    """Sequences padded with a value, or cut, to one length.

    Args:
        sequences: a list of sequences (lists or arrays) of any lengths; their elements may be
            arrays of one shape.
        maxlen: the length; by default that of the longest.
        dtype: the dtype of the result; `object` for strings.
        padding: whether what is missing is put `"pre"` (before) or `"post"` (after).
        truncating: whether what is too much is cut from the front, `"pre"`, or the end, `"post"`.
        value: what to pad with.

    Returns:
        A NumPy array of shape `(sequences, maxlen, ...)`.

    >>> import kerasish as keras
    >>> keras.utils.pad_sequences([[1], [2, 3], [4, 5, 6]]).tolist()
    [[0, 0, 1], [0, 2, 3], [4, 5, 6]]
    >>> keras.utils.pad_sequences([[1], [4, 5, 6]], maxlen=2, padding="post").tolist()
    [[1, 0], [5, 6]]
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise InvalidArgument(f"pad_sequences: {name} is 'pre' or 'post', got {side!r}.")
    try:
        lengths = [len(s) for s in sequences]
    except TypeError:
        raise InvalidArgument(
            "pad_sequences takes a list of sequences, such as [[1, 2], [3]], got "
            f"{type(sequences).__name__} with elements that have no length."
        ) from None
    kind = np.dtype(dtype)
    if isinstance(value, str) and kind.kind not in "OUS":
        raise InvalidArgument(
            f"pad_sequences: the value {value!r} is no {kind.name}. For strings use dtype=object."
        )
    maxlen = max(lengths, default=0) if maxlen is None else maxlen
    element = next((np.shape(s)[1:] for s, n in zip(sequences, lengths, strict=True) if n), ())
    result = np.full((len(lengths), maxlen, *element), value, dtype=kind)
    for i, s in enumerate(sequences):
        s = s[max(lengths[i] - maxlen, 0):] if truncating == "pre" else s[:maxlen]
        if not len(s):
            continue
        s = np.asarray(s, dtype=kind)
        if s.shape[1:] != element:
            raise InvalidArgument(
                f"pad_sequences: the elements of sequence {i} have shape {s.shape[1:]}, those of "
                f"the first have {element}. All need the same shape."
            )
        result[i, slice(-len(s), None) if padding == "pre" else slice(len(s))] = s
    return result
