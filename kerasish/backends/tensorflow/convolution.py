"""Convolutions of TensorFlow, with the channels last as its CPU kernels want them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.backends import windows


def sizes_of(x: Any) -> list[Any]:
    """The shape: ints where known, scalars tensors elsewhere."""
    dynamic = None
    sizes = x.shape.as_list()
    for i, n in enumerate(sizes):
        if n is None:
            dynamic = tf.shape(x) if dynamic is None else dynamic
            sizes[i] = dynamic[i]
    return sizes


def _conv(x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    if len(strides) == 1:
        return _conv(x[:, None], kernel[None], (1, *strides), padding, (1, *dilation))[:, 0]
    if len(strides) == 2:
        if x.shape[0] == 0:  # oneDNN gives an empty batch back as it is
            one = tf.pad(x, [[0, 1], [0, 0], [0, 0], [0, 0]])
            return _conv(one, kernel, strides, padding, dilation)[:0]
        return tf.nn.conv2d(x, kernel, strides, padding.upper(), dilations=dilation)
    count = (x.shape[-1] or kernel.shape[-2]) // kernel.shape[-2]
    parts = [
        tf.nn.conv3d(a, k, (1, *strides, 1), padding.upper(), dilations=(1, *dilation, 1))
        for a, k in zip(tf.split(x, count, -1), tf.split(kernel, count, -1), strict=True)
    ]
    return parts[0] if count == 1 else tf.concat(parts, -1)


def _conv_bias(
    x: Any, kernel: Any, bias: Any, strides: Any, padding: str, dilation: Any
) -> Any:
    y = _conv(x, kernel, strides, padding, dilation)
    return y if bias is None else tf.nn.bias_add(y, bias)  # which joins the convolution's kernel


def _conv_transpose(x: Any, kernel: Any, strides: Any, crops: Any, dilation: Any) -> Any:
    if len(strides) == 1:
        return _conv_transpose(
            x[:, None], kernel[None], (1, *strides), [(0, 0), *crops], (1, *dilation)
        )[:, 0]
    for axis, d in enumerate(dilation):  # not supported on the CPU: zeros between the taps
        kernel = _spaced(kernel, axis, d)
    window = kernel.shape[:-2].as_list()
    n, *sizes, _ = sizes_of(x)
    if len(strides) == 3:  # only whole results: crop them
        whole = [(0, min(hi, 0)) for _, hi in crops]
        out = windows.transposed(sizes, window, strides, whole, (1, 1, 1))
        shape: Any = [n, *out, kernel.shape[-2]]
        y = tf.nn.conv3d_transpose(x, kernel, shape, strides, "VALID")
        return y[(slice(None), *(
            slice(lo, m - max(hi, 0)) for m, (lo, hi) in zip(out, crops, strict=True)
        ))]  # fmt: skip
    out = windows.transposed(sizes, window, strides, crops, (1, 1))
    pads = [max(p, 0) for pair in crops for p in pair]
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[n, *out, kernel.shape[-2]], filter=kernel, out_backprop=x,
        strides=[1, *strides, 1], padding="EXPLICIT", explicit_paddings=[0, 0, *pads, 0, 0],
    )  # fmt: skip


def _spaced(kernel: Any, axis: int, dilation: int) -> Any:
    """The kernel with its taps `dilation` apart along one axis."""
    if dilation == 1 or kernel.shape[axis] == 1:
        return kernel
    shape = kernel.shape.as_list()
    kernel = tf.expand_dims(kernel, axis + 1)
    kernel = tf.pad(kernel, [[0, 0]] * (axis + 1) + [[0, dilation - 1]] + [[0, 0]] * (
        len(shape) - axis - 1))  # fmt: skip
    long = tf.reshape(kernel, [*shape[:axis], shape[axis] * dilation, *shape[axis + 1 :]])
    return long[(*[slice(None)] * axis, slice(0, windows.reach(shape[axis], dilation)))]
