"""Rows of the convolutions. References sum over the taps of the window as the definitions do."""

import itertools

import numpy as np

from kerasish import ops
from tests.ops.case import case, ints, x


def per_axis(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def conv(a, k, strides=1, padding="valid", data_format="channels_last", dilation_rate=1):
    """Of a kernel given with its filters first, as the rows do."""
    k = np.moveaxis(k, 0, -1)
    if data_format == "channels_first":
        return np.moveaxis(conv(np.moveaxis(a, 1, -1), np.moveaxis(k, -1, 0), strides, padding,
                                "channels_last", dilation_rate), -1, 1)
    rank = a.ndim - 2
    window, width, filters = k.shape[:rank], k.shape[-2], k.shape[-1]
    s, d = per_axis(strides, rank), per_axis(dilation_rate, rank)
    pads, places = [], []
    for n, w, step, gap in zip(a.shape[1:-1], window, s, d, strict=True):
        span = (w - 1) * gap + 1
        if padding.lower() == "same":
            m = int(np.ceil(n / step))
            total = max(0, (m - 1) * step + span - n)
        else:
            m, total = (n - span) // step + 1, 0
        places.append(m)
        pads.append((total // 2, total - total // 2))
    a = np.pad(a, [(0, 0), *pads, (0, 0)]).astype("float64")
    groups = a.shape[-1] // width
    out = np.zeros((len(a), *places, filters))
    for where in itertools.product(*map(range, places)):
        for tap in itertools.product(*map(range, window)):
            at = tuple(p * step + t * gap
                       for p, step, t, gap in zip(where, s, tap, d, strict=True))
            for g in range(groups):
                i = slice(g * width, (g + 1) * width)
                o = slice(g * filters // groups, (g + 1) * filters // groups)
                out[(slice(None), *where, o)] += a[(slice(None), *at, i)] @ k[tap][:, o]
    return out


def depthwise(a, k, *args, **kwargs):
    """A kernel [multiplier, *window, c] is one of groups with a channel each."""
    m, *window, c = k.shape
    k = np.moveaxis(k, 0, -1).reshape(*window, 1, c * m)
    return conv(a, np.moveaxis(k, -1, 0), *args, **kwargs)


def conv_transpose(
    a, k, strides=1, padding="valid", output_padding=None, data_format="channels_last",
    dilation_rate=1,
):  # fmt: skip
    """Every value spreads over the window; the kernel is [filters, *window, c]."""
    k = np.moveaxis(k, 0, -2)
    if data_format == "channels_first":
        a = np.moveaxis(a, 1, -1)
    rank = a.ndim - 2
    window, filters = k.shape[:rank], k.shape[-2]
    s, d = per_axis(strides, rank), per_axis(dilation_rate, rank)
    spans = [(w - 1) * gap + 1 for w, gap in zip(window, d, strict=True)]
    extra = [None] * rank if output_padding is None else per_axis(output_padding, rank)
    full = [(n - 1) * step + span + step for n, step, span in zip(a.shape[1:-1], s, spans,
                                                                strict=True)]
    out = np.zeros((len(a), *full, filters))
    for where in itertools.product(*map(range, a.shape[1:-1])):
        for tap in itertools.product(*map(range, window)):
            at = tuple(p * step + t * gap
                       for p, step, t, gap in zip(where, s, tap, d, strict=True))
            out[(slice(None), *at)] += a[(slice(None), *where)].astype("float64") @ k[tap].T
    cut = [slice(None)]
    for n, step, span, more in zip(a.shape[1:-1], s, spans, extra, strict=True):
        if padding == "valid":
            start = 0
            size = n * step + max(span - step, 0) if more is None else (n - 1) * step + span + more
        elif more is None:
            start, size = max(span - step, 0) // 2, n * step
        else:
            start = max(2 * (span // 2) - more, 0) // 2
            size = (n - 1) * step + span % 2 + more
        cut.append(slice(start, start + size))
    out = out[tuple(cut)]
    return np.moveaxis(out, -1, 1) if data_format == "channels_first" else out


def row(name, a, k, ref, *args, **kwargs):
    """Filters (or the multiplier) come first in the rows' kernels, so that the unknown first axis
    of a symbolic run is theirs, and not the window's."""
    home = -2 if name == "conv_transpose" else -1
    case(
        name, a, k, *args, ref=ref, tol=3e-5, grad_tol=2e-3, **kwargs,
        through=lambda op, a, k, *args, **kwargs: op(a, ops.moveaxis(k, 0, home), *args, **kwargs),
    )


for size, window in (((7,), (3,)), ((6, 7), (3, 2)), ((5, 4, 6), (2, 3, 2))):
    rank = len(size)
    row("conv", x(2, *size, 3), x(4, *window, 3), conv)
    row("conv", x(2, *size, 3), x(4, *window, 3), conv, 2, "same")
    row("conv", x(2, *size, 3), x(4, *window, 3), conv, 1, "same", dilation_rate=2)
    row("conv", x(2, 4, *size), x(4, *window, 2), conv, 1, "valid", "channels_first")
    row("conv", x(2, *size, 4), x(6, *window, 2), conv, 2, "valid")
row("conv", x(2, 6, 7, 5), x(4, 1, 1, 5), conv)
row("conv", x(2, 6, 7, 5), x(4, 1, 1, 5), conv, 2, "same")
row("conv", x(2, 6, 8, 1), x(4, 3, 3, 1), conv, 1, "same")
row("conv", x(2, 6, 8, 1), x(4, 3, 3, 1), conv, (2, 3), "SAME")
row("conv", x(2, 9, 9, 12), x(4, 3, 3, 12), conv, (1, 2), "same")
row("conv", x(2, 9, 9, 3), x(4, 2, 2, 3), conv, 3, "valid", dilation_rate=(2, 1))
row("conv", x(2, 9, 3), x(6, 4, 1), conv, 1, "same")

row("depthwise_conv", x(2, 6, 7, 3), x(1, 3, 3, 3), depthwise)
row("depthwise_conv", x(2, 6, 7, 3), x(2, 3, 3, 3), depthwise, 2, "same")
row("depthwise_conv", x(2, 3, 6, 7), x(2, 3, 2, 3), depthwise, 1, "same", "channels_first")
row("depthwise_conv", x(2, 7, 8, 3), x(1, 3, 2, 3), depthwise, 1, "valid", dilation_rate=2)
row("depthwise_conv", x(2, 7, 8, 3), x(1, 3, 3, 3), depthwise, (1, 2), "same")
row("depthwise_conv", x(2, 8, 3), x(2, 3, 3), depthwise, 2, "same")

for rank in (1, 2):
    case(
        "separable_conv", x(2, *[7] * rank, 3), x(2, *[3] * rank, 3), x(4, *[1] * rank, 6), 1,
        "same", ref=lambda a, d, p, s, pad: conv(depthwise(a, d, s, pad), p), tol=3e-5,
        through=lambda op, a, d, p, *args: op(a, ops.moveaxis(d, 0, -1), ops.moveaxis(p, 0, -1),
                                              *args),
        grad_tol=2e-3, symbolic=False,
    )  # fmt: skip

for size, window in (((5,), (3,)), ((4, 5), (3, 2)), ((2, 3, 4), (2, 3, 2))):
    row("conv_transpose", x(2, *size, 3), x(4, *window, 3), conv_transpose)
    row("conv_transpose", x(2, *size, 3), x(4, *window, 3), conv_transpose, 2, "same")
    row("conv_transpose", x(2, *size, 3), x(4, *window, 3), conv_transpose, 3, "valid")
    row("conv_transpose", x(2, *size, 3), x(4, *window, 3), conv_transpose, 2, "same", 1)
    row("conv_transpose", x(2, 3, *size), x(4, *window, 3), conv_transpose, 2, "valid", 1,
        "channels_first")  # fmt: skip
row("conv_transpose", x(2, 4, 5, 3), x(4, 3, 2, 3), conv_transpose, 1, "same", dilation_rate=2)
row("conv_transpose", x(2, 4, 5, 3), x(4, 4, 4, 3), conv_transpose, (2, 1), "same", (1, 0))
row("conv_transpose", x(2, 4, 5, 3), x(4, 1, 1, 3), conv_transpose, 2, "same")


# Patches and blocks


def unfold(a, window, dilation=1, padding=0, stride=1):
    (kh, kw), (dh, dw) = per_axis(window, 2), per_axis(dilation, 2)
    (ph, pw), (sh, sw) = per_axis(padding, 2), per_axis(stride, 2)
    a = np.pad(a, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    columns = [
        a[:, :, i : i + dh * (kh - 1) + 1 : dh, j : j + dw * (kw - 1) + 1 : dw].reshape(len(a), -1)
        for i in range(0, a.shape[2] - dh * (kh - 1), sh)
        for j in range(0, a.shape[3] - dw * (kw - 1), sw)
    ]
    return np.stack(columns, -1)


def fold(columns, size, window, dilation=1, padding=0, stride=1):
    """The transpose of `unfold`, as a matrix found by unfolding every unit image."""
    h, w = per_axis(size, 2)
    c = columns.shape[1] // int(np.prod(per_axis(window, 2)))
    units = np.eye(c * h * w).reshape(-1, c, h, w)
    matrix = unfold(units, window, dilation, padding, stride).reshape(c * h * w, -1)
    return (columns.reshape(len(columns), -1) @ matrix.T).reshape(-1, c, h, w)


case("unfold", x(2, 3, 5, 6), 2, ref=unfold)
case("unfold", x(2, 3, 7, 6), (3, 2), 2, (1, 0), (1, 2), ref=unfold)
case("unfold", ints(1, 2, 4, 4), 3, ref=unfold)
case("fold", x(2, 12, 20), (5, 6), 2, ref=fold)
case("fold", x(2, 18, 10), (7, 6), (3, 2), 2, (1, 0), (1, 2), ref=fold)


def blocks_last(a, r):
    """[n, h, w, c] with the value (i, j) of block (p, q) at [p, q, i, j]."""
    n, h, w, c = a.shape
    return np.stack([np.stack([
        a[:, p * r : p * r + r, q * r : q * r + r].reshape(n, r * r * c) for q in range(w // r)
    ], 1) for p in range(h // r)], 1)  # fmt: skip


def blocks_first(a, r, data_format):
    n, c, h, w = a.shape
    parts = [blocks_last(a[:, i, :, :, None], r) for i in range(c)]
    return np.moveaxis(np.concatenate(parts, -1), -1, 1)


case("space_to_depth", x(2, 4, 6, 3), 2, ref=blocks_last)
case("space_to_depth", x(2, 3, 4, 6), 2, data_format="channels_first", ref=blocks_first)
_image, _planes = x(2, 4, 6, 3), x(2, 3, 4, 6)
case("depth_to_space", blocks_last(_image, 2), 2, ref=_image)
case("depth_to_space", blocks_first(_planes, 2, ""), 2, "channels_first", ref=_planes)
