"""Rows of moments and normalization."""

import numpy as np

from tests.ops.case import case, ints, pos, x

EPSILON = 1e-7


def shaped(p, axes, rank):
    """A parameter over `axes`, ready to broadcast."""
    axes = [a % rank for a in axes]
    order = np.argsort(axes)
    sizes = [1] * rank
    for a, n in zip(axes, p.shape, strict=True):
        sizes[a] = n
    return np.transpose(p, order).reshape(sizes)


def axes_of(axis):
    return tuple(axis) if isinstance(axis, list | tuple) else (axis,)


def standard(a, axes, epsilon):
    axes = axes_of(axes)
    a = a.astype("float64")
    deviation = np.sqrt(a.var(axis=axes, keepdims=True) + epsilon)
    return (a - a.mean(axis=axes, keepdims=True)) / deviation


def moments(a, axes, keepdims=False, synchronized=False):
    axes = axes_of(axes)
    return (a.astype("float64").mean(axis=axes, keepdims=keepdims),
            a.astype("float64").var(axis=axes, keepdims=keepdims))  # fmt: skip


def batch_normalization(a, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    wide = lambda p: shaped(p, [axis], a.ndim)  # noqa: E731
    y = (a - wide(mean)) / np.sqrt(wide(variance) + epsilon)
    y = y if scale is None else y * wide(scale)
    return y if offset is None else y + wide(offset)


def layer_normalization(a, gamma=None, beta=None, axis=-1, epsilon=EPSILON):
    axes = axes_of(axis)
    y = standard(a, axes, epsilon)
    y = y if gamma is None else y * shaped(gamma, axes, a.ndim)
    return y if beta is None else y + shaped(beta, axes, a.ndim)


def rms_normalization(a, scale=None, axis=-1, epsilon=EPSILON):
    axes = axes_of(axis)
    y = a / np.sqrt(np.mean(a.astype("float64") ** 2, axis=axes, keepdims=True) + epsilon)
    if scale is None:
        return y
    return y * (scale if np.ndim(scale) == 0 else shaped(scale, axes, a.ndim))


case("moments", x(3, 4), 0, ref=moments)
case("moments", x(3, 4, 5), (0, 2), ref=moments)
case("moments", x(3, 4, 5), [-1], True, ref=moments)
case("moments", ints(3, 4), 1, ref=moments, tol=1e-4)
case("moments", np.full((2, 1000), 60000, "float16"), 1, grad=False,
     ref=(np.full(2, 60000.0), np.zeros(2)), tol=1e-3)  # fmt: skip

case("batch_normalization", x(3, 4), x(4), pos(4), -1, ref=batch_normalization, symbolic=False)
case("batch_normalization", x(3, 4, 5), x(4), pos(4), 1, x(4), pos(4), ref=batch_normalization,
     symbolic=False)  # fmt: skip
case("batch_normalization", x(2, 3, 3, 4), x(4), pos(4), 3, None, pos(4), 0.1, symbolic=False,
     ref=batch_normalization)  # fmt: skip
case("batch_normalization", x(2, 3, 4), x(4), pos(4), 2, x(4), symbolic=False,
     ref=batch_normalization)  # fmt: skip

case("layer_normalization", x(3, 4), ref=layer_normalization)
case("layer_normalization", x(3, 4, 5), x(5), x(5), ref=layer_normalization, symbolic=False)
case("layer_normalization", x(3, 4, 5), x(4, 5), x(4, 5), (1, 2), 0.1, symbolic=False,
     ref=layer_normalization)  # fmt: skip
case("layer_normalization", x(3, 4, 5), x(5, 4), None, (2, 1), 0.1, symbolic=False,
     ref=layer_normalization)  # fmt: skip
case("layer_normalization", x(3, 4, 5), x(4), x(4), 1, 0.1, symbolic=False,
     ref=layer_normalization)  # fmt: skip
case("layer_normalization", x(3, 5), None, x(5), epsilon=0.1, ref=layer_normalization,
     symbolic=False)  # fmt: skip
case("layer_normalization", x(3, 5), epsilon=0.1, rms_scaling=True,
     ref=lambda a, epsilon, rms_scaling: a / np.sqrt(a.var(-1, keepdims=True) + epsilon))

case("rms_normalization", x(3, 5), ref=rms_normalization)
case("rms_normalization", x(3, 5), x(5), ref=rms_normalization, symbolic=False)
case("rms_normalization", x(3, 4, 5), x(4), 1, 0.1, ref=rms_normalization, symbolic=False)
case("rms_normalization", x(3, 4, 5), x(5, 4), (2, 1), 0.1, symbolic=False,
     ref=rms_normalization)  # fmt: skip
case("rms_normalization", x(3, 5), np.float32(2), ref=rms_normalization)

for order in (1, 2, 3):
    case("normalize", x(3, 5), 1, order, tol=2e-5,
         ref=lambda a, axis, p: a / np.linalg.norm(a, ord=p, axis=axis, keepdims=True))  # fmt: skip
case("normalize", np.array([[0.0, 0.0], [3e-3, 4e-3]], "float32"), epsilon=0.1,
     ref=np.array([[0.0, 0.0], [0.03, 0.04]]))  # fmt: skip
case("normalize", x(3, 4, 5), (0, 2),
     ref=lambda a, axis: a / np.sqrt(np.sum(a**2, axis, keepdims=True)))


# Kernels that layers use, and that adapters have of their own


def batch_norm_train(a, gamma, beta, axes, epsilon):
    (axis,) = set(range(a.ndim)) - set(axes)
    y = standard(a, axes, epsilon)
    y = y if gamma is None else y * shaped(gamma, [axis], a.ndim)
    y = y if beta is None else y + shaped(beta, [axis], a.ndim)
    return y, *moments(a, axes)


def group_norm(a, gamma, beta, groups, axis, epsilon):
    channels_last = np.moveaxis(a, axis, -1)
    parts = np.split(channels_last, groups, -1)
    y = np.concatenate([standard(p, tuple(range(1, a.ndim)), epsilon) for p in parts], -1)
    return np.moveaxis(y * (1 if gamma is None else gamma) + (0 if beta is None else beta), -1, axis)


for sizes, axes in (
    ((6, 4), (0,)), ((3, 7, 4), (0, 1)), ((3, 5, 2, 4), (0, 1, 2)), ((3, 4, 5), (0, 2)),
    ((2, 3, 4, 2, 5), (0, 1, 2, 3)),
):  # fmt: skip
    c = next(n for i, n in enumerate(sizes) if i not in axes)
    name = ".ops.normalization._batch_norm_train"
    case(name, x(*sizes), x(c), x(c), axes, 1e-3, ref=batch_norm_train, grad=False, symbolic=False)
    # The moments are statistics, without gradient.
    case(name, x(*sizes), x(c), x(c), axes, 1e-3, symbolic=False, tol=2e-5,
         ref=lambda *args: batch_norm_train(*args)[0], through=lambda op, *args: op(*args)[0])
    case(name, x(*sizes), None, None, axes, 1e-3, tol=2e-5,
         ref=lambda *args: batch_norm_train(*args)[0], through=lambda op, *args: op(*args)[0])
case(".ops.normalization._batch_norm", x(3, 4, 5), x(4), pos(4), 1, x(4), pos(4), 0.1,
     ref=batch_normalization, symbolic=False)  # fmt: skip
case(".ops.normalization._layer_norm", x(3, 4, 5), x(4, 5), x(4, 5), (1, 2), 0.1,
     ref=lambda a, g, b, axes, e: layer_normalization(a, g, b, axes, e), symbolic=False)
case(".ops.normalization._layer_norm", x(3, 4, 5), x(4), None, (1,), 0.1,
     ref=lambda a, g, b, axes, e: layer_normalization(a, g, b, axes, e), symbolic=False)
case(".ops.normalization._rms_norm", x(3, 4, 5), x(4, 5), (1, 2), 0.1, ref=rms_normalization,
     symbolic=False)  # fmt: skip
case(".ops.normalization._group_norm", x(3, 4, 5, 6), x(6), x(6), 3, -1, 1e-3, ref=group_norm,
     symbolic=False)  # fmt: skip
case(".ops.normalization._group_norm", x(3, 4, 5), x(4), None, 2, 1, 1e-3, ref=group_norm,
     symbolic=False)  # fmt: skip
case(".ops.normalization._group_norm", x(3, 4), None, None, 4, 1, 1e-3, ref=group_norm)
