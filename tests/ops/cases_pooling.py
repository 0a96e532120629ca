"""Rows of pooling; references visit each window."""

import itertools
import math

import numpy as np

from tests.ops.case import case, ints, x


def windows(a, size, strides, padding):
    """For each place: (index, the part of `a` [n, *sizes, c] in the window there)."""
    spans = []
    for n, k, s in zip(a.shape[1:-1], size, strides, strict=True):
        m = math.ceil(n / s) if padding == "same" else (n - k) // s + 1
        before = max(0, (m - 1) * s + k - n) // 2 if padding == "same" else 0
        spans.append([slice(max(0, i * s - before), min(n, i * s - before + k)) for i in range(m)])
    return spans


def reduced(a, spans, function):
    places = [len(s) for s in spans]
    out = np.zeros((len(a), *places, a.shape[-1]), a.dtype)
    axes = tuple(range(1, a.ndim - 1))
    for where in itertools.product(*map(range, places)):
        part = a[(slice(None), *(s[i] for s, i in zip(spans, where, strict=True)))]
        out[(slice(None), *where)] = function(part, axis=axes)
    return out


def layout(function):
    def either(a, *args, data_format="channels_last", **kwargs):
        if data_format == "channels_last":
            return function(a, *args, **kwargs)
        return np.moveaxis(function(np.moveaxis(a, 1, -1), *args, **kwargs), -1, 1)

    return either


def pool(function):
    @layout
    def reference(a, size, strides=None, padding="valid"):
        rank = a.ndim - 2
        size = (size,) * rank if isinstance(size, int) else size
        strides = size if strides is None else strides
        strides = (strides,) * rank if isinstance(strides, int) else strides
        return reduced(a, windows(a, size, strides, padding), function)

    return reference


def adaptive(function):
    @layout
    def reference(a, size):
        rank = a.ndim - 2
        size = (size,) * rank if isinstance(size, int) else size
        spans = [
            [slice(math.floor(i * n / m), math.ceil((i + 1) * n / m)) for i in range(m)]
            for n, m in zip(a.shape[1:-1], size, strict=True)
        ]
        return reduced(a, spans, function)

    return reference


for name, function in (("max_pool", np.max), ("average_pool", np.mean)):
    ref = pool(function)
    for sizes in ((7,), (6, 7), (5, 4, 6)):
        case(name, x(2, *sizes, 3), 2, ref=ref)
        case(name, x(2, *sizes, 3), 3, 2, "same", ref=ref)
        case(name, x(2, *sizes, 3), 2, 1, "same", ref=ref)
        case(name, x(2, 3, *sizes), 2, data_format="channels_first", ref=ref)
    case(name, x(2, 9, 8, 3), (3, 2), (1, 3), ref=ref)
    case(name, x(2, 9, 8, 3), (2, 4), (3, 2), "same", ref=ref)
    case(name, x(2, 9, 8, 3), 5, 5, "same", ref=ref)
    case(name, ints(2, 6, 3), 2, ref=lambda a, k, f=ref: f(a.astype("float32"), k))
    # The bodies that some adapters replace.
    for k, s, padding in (((2, 2), (2, 2), "valid"), ((3, 2), (1, 2), "same")):
        case(f".ops.pooling._{name}", x(2, 5, 6, 3), k, s, padding, ref=ref)

for name, function in (("adaptive_max_pool", np.max), ("adaptive_average_pool", np.mean)):
    ref = adaptive(function)
    case(name, x(2, 7, 3), 3, ref=ref)
    case(name, x(2, 6, 3), 2, ref=ref)
    case(name, x(2, 7, 6, 3), (3, 2), ref=ref)
    case(name, x(2, 3, 5, 8), 4, data_format="channels_first", ref=ref)
    case(name, x(2, 4, 5, 6, 3), (2, 3, 4), ref=ref)
    case(name, x(2, 3, 2), 5, ref=ref)
