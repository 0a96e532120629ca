"""Convolutions as matrix products, a cache-sized block at a time.

Three functions, each linear in both its arrays and each the derivative of the others: the
convolution, its transpose (the gradient for the input) and the correlation of input and output
(the gradient for the kernel). So their rules close on themselves and derivatives of any order
work. The depthwise ones are the same three without sums over channels.

Arrays are [n, *sizes, c], kernels [*window, c, o] (depthwise [*window, 1, c]); `pads` holds
(before, after) for each spatial axis, a negative width crops.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish.backends import windows
from kerasish.backends.numpy.tape import defvjp, fused, primitive

BLOCK = 1 << 20
"""Bytes worked on at once, so that they stay in the second-level cache."""


def _conv(x: Any, kernel: Any, strides: Any, padding: str, dilation: Any) -> Any:
    width, o = kernel.shape[-2:]
    c = x.shape[-1]
    how = _how(x, kernel, strides, padding, dilation)
    if width == c:
        return _wide(_convolution, x, kernel, *how)
    if width == 1:
        return _wide(depthwise_convolution, x if o == c else np.repeat(x, o // c, -1), kernel, *how)
    groups = zip(*(
        [a[..., i * n : (i + 1) * n] for i in range(c // width)]
        for a, n in ((x, width), (kernel, o * width // c))
    ), strict=True)  # fmt: skip
    return np.concatenate([_wide(_convolution, a, k, *how) for a, k in groups], -1)


def _conv_bias(
    x: Any, kernel: Any, bias: Any, strides: Any, padding: str, dilation: Any
) -> Any:
    if kernel.shape[-2] == x.shape[-1] and x.dtype.itemsize >= 4:
        return _biased_convolution(x, kernel, bias, *_how(x, kernel, strides, padding, dilation))
    return _conv(x, kernel, strides, padding, dilation) + bias


def _how(x: Any, kernel: Any, strides: Any, padding: str, dilation: Any) -> tuple[Any, ...]:
    pads = windows.known_pads(padding, x.shape[1:-1], kernel.shape[:-2], strides, dilation)
    return strides, pads, dilation


def _conv_transpose(x: Any, kernel: Any, strides: Any, crops: Any, dilation: Any) -> Any:
    sizes = windows.transposed(x.shape[1:-1], kernel.shape[:-2], strides, crops, dilation)
    return _wide(convolution_input, x, kernel, sizes, strides, crops, dilation)


def _wide(function: Any, x: Any, kernel: Any, *how: Any) -> Any:
    """Half types have no BLAS: they are computed in float32."""
    if x.dtype.itemsize >= 4:
        return function(x, kernel, *how)
    return function(x.astype(np.float32), kernel.astype(np.float32), *how).astype(x.dtype)


def surround(x: Any, pads: windows.Pairs, value: float = 0) -> Any:
    """A constant around the spatial axes; a negative width crops."""
    crop, shape, inside = _frame(x.shape, pads)
    if crop is not None:
        x = x[crop]
    if shape is None:
        return x
    out = np.full(shape, value, x.dtype) if value else np.zeros(shape, x.dtype)
    out[inside] = x
    return out


@functools.lru_cache(maxsize=1024)
def _frame(shape: tuple[int, ...], pads: windows.Pairs) -> tuple[Any, Any, Any]:
    """What to cut out of an array, the shape of the result where it grows, and its place there."""
    n, *sizes, c = shape
    crop = None
    if min(map(min, pads)) < 0:
        crop = (slice(None), *(
            slice(max(-lo, 0), m - max(-hi, 0)) for m, (lo, hi) in zip(sizes, pads, strict=True)
        ))
        sizes = [len(range(m)[cut]) for m, cut in zip(sizes, crop[1:], strict=True)]
        pads = [(max(lo, 0), max(hi, 0)) for lo, hi in pads]
    if not max(map(max, pads)):
        return crop, None, None
    grown = (n, *(m + lo + hi for m, (lo, hi) in zip(sizes, pads, strict=True)), c)
    inside = (slice(None), *(
        slice(lo, lo + m) for m, (lo, _) in zip(sizes, pads, strict=True)
    ))
    return crop, grown, inside


def blocks(n: int, rows: int, row_bytes: int) -> Iterator[tuple[slice, list[slice]]]:
    """Cuts `n` images of `rows` rows into blocks: several images, or some rows of one."""
    images = max(1, min(n, BLOCK // (rows * row_bytes + 1)))
    each = rows if images > 1 else max(1, min(rows, BLOCK // (row_bytes + 1)))
    for i in range(0, n, images):
        yield slice(i, min(i + images, n)), [
            slice(j, min(j + each, rows)) for j in range(0, rows, each)
        ]


def patches_of(
    x: Any, window: Any, strides: Any, pads: Any, dilation: Any, keep: bool = False
) -> Iterator[tuple[Any, Any]]:
    """Blocks of the matrix [n * places, window * c] of patches, each with its images and rows.

    A block is overwritten by the next one, unless it is to `keep`.
    """
    c = x.shape[-1]
    if math.prod(window) == 1:
        x = surround(x, pads)[(slice(None), *(slice(None, None, s) for s in strides))]
        yield (slice(None), slice(None)), x.reshape(-1, c)
        return
    width = math.prod(window) * c
    buffer = np.empty(0, x.dtype)
    for images, chunks in _walks(x.shape, x.itemsize, window, strides, pads, dilation):
        padded = np.ascontiguousarray(surround(x[images], pads))
        for where, size, shape, start, walk in chunks:
            if keep or buffer.size < size:
                buffer = np.empty(size, x.dtype)
            block = buffer[:size]
            np.copyto(block.reshape(shape), np.ndarray(shape, x.dtype, padded, start, walk))
            yield where, block.reshape(width, -1).T if c == 1 else block.reshape(-1, width)


@functools.lru_cache(maxsize=256)
def _walks(
    shape: Any, itemsize: int, window: Any, strides: Any, pads: Any, dilation: Any
) -> list[tuple[slice, list[tuple[Any, ...]]]]:
    """The blocks of `patches_of`: (images, [((images, rows), size, shape, first byte, steps)])."""
    n, *sizes, c = shape
    places = windows.places(sizes, window, strides, pads, dilation)
    lengths = [m + lo + hi for m, (lo, hi) in zip(sizes, pads, strict=True)]
    first, *steps, last = [
        itemsize * math.prod((*lengths, c)[i:]) for i in range(len(lengths) + 2)
    ]
    moves = [a * s for a, s in zip(steps, strides, strict=True)]
    offsets = [a * d for a, d in zip(steps, dilation, strict=True)]
    found = []
    for images, chunks in blocks(n, places[0], math.prod((*places[1:], *window, c)) * itemsize):
        walks = []
        for rows in chunks:
            over = (images.stop - images.start, rows.stop - rows.start, *places[1:])
            if c == 1:  # long runs along the places, in place of short ones along the window
                block, walk = (*window, *over), (*offsets, first, *moves)
            else:
                block, walk = (*over, *window, c), (first, *moves, *offsets, last)
            walks.append((
                (images, rows), math.prod(block), block, rows.start * moves[0], walk,
            ))
        found.append((images, walks))
    return found


def meeting(tap: Any, strides: Any, dilation: Any, rows: slice, places: Any) -> tuple[Any, ...]:
    """Where, in padded images, one tap of the window meets `rows` of the places."""
    spans = [rows, *(slice(0, n) for n in places[1:])]
    return (slice(None), *(
        slice(span.start * s + i * d, (span.stop - 1) * s + i * d + 1, s)
        for i, span, s, d in zip(tap, spans, strides, dilation, strict=True)
    ))  # fmt: skip


@primitive
def convolution(x: Any, kernel: Any, strides: Any, pads: Any, dilation: Any) -> Any:
    """x [n, *sizes, c], kernel [*window, c, o] -> [n, *places, o]."""
    window, o = kernel.shape[:-2], kernel.shape[-1]
    places = windows.places(x.shape[1:-1], window, strides, pads, dilation)
    out = np.empty((x.shape[0], *places, o), x.dtype)
    matrix = kernel.reshape(-1, o)
    for where, patches in patches_of(x, window, strides, pads, dilation):
        np.dot(patches, matrix, out=out[where].reshape(-1, o))
    return out


KEPT = 1 << 23
"""Bytes of patches up to which the gradient finds them kept; above, they are gathered anew."""


@fused(convolution)
def _convolution(x: Any, kernel: Any, strides: Any, pads: Any, dilation: Any) -> tuple[Any, Any]:
    """`convolution`, whose patches serve the kernel's gradient too."""
    window, (c, o) = kernel.shape[:-2], kernel.shape[-2:]
    places = windows.places(x.shape[1:-1], window, strides, pads, dilation)
    if len(x) * math.prod(places) * math.prod(window) * c * x.itemsize > KEPT:
        return convolution(x, kernel, strides, pads, dilation), None
    kept = list(patches_of(x, window, strides, pads, dilation, keep=True))
    out = np.empty((x.shape[0], *places, o), x.dtype)
    matrix = kernel.reshape(-1, o)
    for where, patches in kept:
        np.dot(patches, matrix, out=out[where].reshape(-1, o))
    return out, kept


def _convolution_pullback(
    g: Any, kept: Any, wanted: Any, x: Any, kernel: Any, strides: Any, pads: Any, dilation: Any
) -> Any:
    window, o = kernel.shape[:-2], kernel.shape[-1]
    dx = dk = None
    if wanted[0]:
        dx = convolution_input(g, kernel, x.shape[1:-1], strides, pads, dilation)
    if wanted[1] and kept is None:
        dk = convolution_kernel(x, g, window, strides, pads, dilation)
    elif wanted[1]:
        dk = sum(patches.T @ g[where].reshape(-1, o) for where, patches in kept)
        dk = dk.reshape(kernel.shape)
    return dx, dk, None, None, None


_convolution.pullback = _convolution_pullback


@fused(lambda x, kernel, bias, *how: convolution(x, kernel, *how) + bias)
def _biased_convolution(x: Any, kernel: Any, bias: Any, *how: Any) -> tuple[Any, Any]:
    out, kept = _convolution.forward(x, kernel, *how)
    out += bias
    return out, kept


def _biased_convolution_pullback(
    g: Any, kept: Any, wanted: Any, x: Any, kernel: Any, bias: Any, *how: Any
) -> Any:
    dx, dk, *rest = _convolution_pullback(g, kept, wanted, x, kernel, *how)
    flat = g.reshape(-1, g.shape[-1])
    db = np.ones(len(flat), g.dtype) @ flat if wanted[2] else None  # BLAS sums columns faster
    return dx, dk, db, *rest


_biased_convolution.pullback = _biased_convolution_pullback


@primitive
def convolution_kernel(x: Any, g: Any, window: Any, strides: Any, pads: Any, dilation: Any) -> Any:
    """x [n, *sizes, c], g [n, *places, o] -> [*window, c, o]."""
    o = g.shape[-1]
    total = np.zeros((math.prod(window) * x.shape[-1], o), x.dtype)
    for where, patches in patches_of(x, window, strides, pads, dilation):
        total += patches.T @ g[where].reshape(-1, o)
    return total.reshape(*window, x.shape[-1], o)


@primitive
def convolution_input(
    g: Any, kernel: Any, sizes: Any, strides: Any, pads: Any, dilation: Any
) -> Any:
    """g [n, *places, o], kernel [*window, c, o] -> [n, *sizes, c]."""
    *window, c, o = kernel.shape
    n, *places, _ = g.shape
    padded = [m + lo + hi for m, (lo, hi) in zip(sizes, pads, strict=True)]
    if math.prod(window) == 1 and padded == places:
        out = (g.reshape(-1, o) @ kernel.reshape(c, o).T).reshape(n, *places, c)
    else:
        # Few channels lie outermost in memory: long runs along the places, not short ones.
        planar = c <= 4
        out = np.zeros((c, n, *padded) if planar else (n, *padded, c), g.dtype)
        out = np.moveaxis(out, 0, -1) if planar else out
        for images, chunks in blocks(n, places[0], math.prod(places[1:]) * (c + o) * g.itemsize):
            for rows in chunks:
                block = g[images, rows].reshape(-1, o)
                for tap in np.ndindex(*window):
                    target = out[images][meeting(tap, strides, dilation, rows, places)]
                    share = (kernel[tap] @ block.T).T if planar else block @ kernel[tap].T
                    target += share.reshape(target.shape)
    return surround(out, tuple([(-lo, -hi) for lo, hi in pads]))


@primitive
def depthwise_convolution(x: Any, kernel: Any, strides: Any, pads: Any, dilation: Any) -> Any:
    """x [n, *sizes, c], kernel [*window, 1, c] -> [n, *places, c]."""
    window, c = kernel.shape[:-2], x.shape[-1]
    places = windows.places(x.shape[1:-1], window, strides, pads, dilation)
    out = np.zeros((x.shape[0], *places, c), x.dtype)
    weights = np.repeat(kernel, places[-1], -2)  # so that products run over whole rows
    for images, chunks in blocks(len(x), places[0], math.prod(places[1:]) * c * x.itemsize):
        padded = surround(x[images], pads)
        for rows in chunks:
            part = out[images, rows]
            for tap in np.ndindex(*window):
                source = padded[meeting(tap, strides, dilation, rows, places)]
                part += source * weights[tap][: part.shape[-2]]
    return out


@primitive
def depthwise_kernel(x: Any, g: Any, window: Any, strides: Any, pads: Any, dilation: Any) -> Any:
    """x [n, *sizes, c], g [n, *places, c] -> [*window, 1, c]."""
    places, c = g.shape[1:-1], x.shape[-1]
    total = np.zeros((*window, 1, c), x.dtype)
    for images, chunks in blocks(len(x), places[0], math.prod(places[1:]) * c * g.itemsize):
        padded = surround(x[images], pads)
        for rows in chunks:
            part = g[images, rows]
            ones = np.ones(part.size // c, x.dtype)
            for tap in np.ndindex(*window):
                product = padded[meeting(tap, strides, dilation, rows, places)] * part
                total[tap] += ones @ product.reshape(-1, c)
    return total


@primitive
def depthwise_input(
    g: Any, kernel: Any, sizes: Any, strides: Any, pads: Any, dilation: Any
) -> Any:
    """g [n, *places, c], kernel [*window, 1, c] -> [n, *sizes, c]."""
    n, *places, c = g.shape
    out = np.zeros((n, *(m + lo + hi for m, (lo, hi) in zip(sizes, pads, strict=True)), c), g.dtype)
    weights = np.repeat(kernel, places[-1], -2)  # so that products run over whole rows
    for images, chunks in blocks(n, places[0], math.prod(places[1:]) * c * g.itemsize):
        for rows in chunks:
            part = g[images, rows]
            for tap in np.ndindex(*kernel.shape[:-2]):
                target = out[images][meeting(tap, strides, dilation, rows, places)]
                target += part * weights[tap][: part.shape[-2]]
    return surround(out, tuple([(-lo, -hi) for lo, hi in pads]))


for _forward, _for_kernel, _for_input in (
    (convolution, convolution_kernel, convolution_input),
    (depthwise_convolution, depthwise_kernel, depthwise_input),
):
    defvjp(
        _forward,
        lambda g, ans, x, k, *how, _f=_for_input: _f(g, k, x.shape[1:-1], *how),
        lambda g, ans, x, k, *how, _f=_for_kernel: _f(x, g, k.shape[:-2], *how),
    )
    defvjp(
        _for_kernel,
        lambda h, ans, x, g, window, *how, _f=_for_input: _f(g, h, x.shape[1:-1], *how),
        lambda h, ans, x, g, window, *how, _f=_forward: _f(x, h, *how),
    )
    defvjp(
        _for_input,
        lambda h, ans, g, k, sizes, *how, _f=_forward: _f(h, k, *how),
        lambda h, ans, g, k, sizes, *how, _f=_for_kernel: _f(h, g, k.shape[:-2], *how),
    )
