"""What a kernel costs, forward and with its gradient, against the engine's own function.

    python benchmarks/kernels.py [--backend torch ...] [--only conv ...] [--rounds 7]

Milliseconds (medians) of kerasish and of the bare engine, timed in turn in one process, and the
median of the ratios of the rounds. NumPy has no kernels of its own: it is held against PyTorch.
Rows are in `ROWS`; a row is arrays, a function of `keras.ops`, and one for each engine.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if importlib.util.find_spec("torch"):
    import torch  # before TensorFlow and JAX
    import torch.nn.functional as F
import numpy as np

from kerasish import backends, config, ops
from kerasish.ops import normalization

_rng = np.random.default_rng(0)
_LETTERS = {3: "W", 4: "HW", 5: "DHW"}


def x(*shape):
    return _rng.standard_normal(shape).astype("float32")


def first(t):
    return t.movedim(-1, 1)


def last(t):
    return t.movedim(1, -1)


def jax_conv(a, k, strides, padding, groups):
    from jax import lax

    w = _LETTERS[a.ndim]
    return lax.conv_general_dilated(
        a, k, (strides,) * len(w), padding.upper(), feature_group_count=groups,
        dimension_numbers=(f"N{w}C", f"{w}IO", f"N{w}C"),
    )  # fmt: skip


def conv(a, k, strides=1, padding="valid"):
    """A row for `conv`; odd windows, so that "same" is symmetric for torch at stride one."""
    rank, groups = a.ndim - 2, a.shape[-1] // k.shape[-2]

    def with_torch(a, k):
        pad = k.shape[0] // 2 if padding == "same" else 0
        weight = k.permute(rank + 1, rank, *range(rank))
        function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
        return last(function(first(a), weight, None, strides, pad, 1, groups))

    return [a, k], lambda a, k: ops.conv(a, k, strides, padding), {
        "torch": with_torch,
        "jax": lambda a, k: jax_conv(a, k, strides, padding, groups),
        "tensorflow": lambda a, k: tf().nn.convolution(a, k, strides, padding.upper()),
    }


def tf():
    import tensorflow

    return tensorflow


def pool(name, a, size, strides):
    def with_jax(a):
        from jax import lax

        start, function = (0.0, lax.add) if name == "average" else (-np.inf, lax.max)
        y = lax.reduce_window(a, start, function, (1, size, size, 1), (1, strides, strides, 1),
                              "VALID")  # fmt: skip
        return y / size**2 if name == "average" else y

    def with_torch(a):
        function = F.avg_pool2d if name == "average" else F.max_pool2d
        return last(function(first(a), size, strides))

    function = ops.average_pool if name == "average" else ops.max_pool
    return [a], lambda a: function(a, size, strides), {
        "torch": with_torch,
        "jax": with_jax,
        "tensorflow": lambda a: getattr(tf().nn, "avg_pool2d" if name == "average" else
                                        "max_pool2d")(a, size, strides, "VALID"),
    }  # fmt: skip


def layer_norm(a):
    def with_jax(a, g, b):
        import jax

        c = a - a.mean(-1, keepdims=True)
        return c * jax.lax.rsqrt((c * c).mean(-1, keepdims=True) + 1e-3) * g + b

    def with_tf(a, g, b):
        mean, variance = tf().nn.moments(a, -1, keepdims=True)
        return tf().nn.batch_normalization(a, mean, variance, b, g, 1e-3)

    n = a.shape[-1]
    return [a, x(n), x(n)], lambda a, g, b: ops.layer_normalization(a, g, b, epsilon=1e-3), {
        "torch": lambda a, g, b: F.layer_norm(a, (n,), g, b, 1e-3),
        "jax": with_jax,
        "tensorflow": with_tf,
    }


def batch_norm(a):
    n, axes = a.shape[-1], tuple(range(a.ndim - 1))

    def with_jax(a, g, b):
        import jax

        mean, variance = a.mean(axes), a.var(axes)
        return (a - mean) * (jax.lax.rsqrt(variance + 1e-3) * g) + b

    def with_tf(a, g, b):
        return tf().compat.v1.nn.fused_batch_norm(a, g, b, epsilon=1e-3)[0]

    def kernel(a, g, b):
        return normalization._batch_norm_train(a, g, b, axes, 1e-3)[0]

    return [a, x(n), x(n)], kernel, {
        "torch": lambda a, g, b: last(F.batch_norm(first(a), None, None, g, b, True, 0.0, 1e-3)),
        "jax": with_jax,
        "tensorflow": with_tf,
    }  # fmt: skip


ROWS = {
    "conv 128x28x28x1 3x3x32": conv(x(128, 28, 28, 1), x(3, 3, 1, 32)),
    "conv 128x13x13x32 3x3x64": conv(x(128, 13, 13, 32), x(3, 3, 32, 64)),
    "conv 32x32x32x32 3x3x32": conv(x(32, 32, 32, 32), x(3, 3, 32, 32), 1, "same"),
    "conv 8x56x56x64 1x1x256": conv(x(8, 56, 56, 64), x(1, 1, 64, 256)),
    "conv 8x57x57x64 3x3x64 /2": conv(x(8, 57, 57, 64), x(3, 3, 64, 64), 2),
    "conv 16x14x14x256 3x3x256": conv(x(16, 14, 14, 256), x(3, 3, 256, 256), 1, "same"),
    "conv 4x230x230x3 7x7x64 /2": conv(x(4, 230, 230, 3), x(7, 7, 3, 64), 2),
    "conv 8x56x56x64 3x3 depthwise": conv(x(8, 56, 56, 64), x(3, 3, 1, 64), 1, "same"),
    "conv 16x28x28x64 3x3x64 4 groups": conv(x(16, 28, 28, 64), x(3, 3, 16, 64), 1, "same"),
    "conv 32x200x64 5x64": conv(x(32, 200, 64), x(5, 64, 64), 1, "same"),
    "conv 2x16x32x32x16 3x3x3x32": conv(x(2, 16, 32, 32, 16), x(3, 3, 3, 16, 32), 1, "same"),
    "max_pool 128x26x26x32 2": pool("max", x(128, 26, 26, 32), 2, 2),
    "max_pool 8x113x113x64 3/2": pool("max", x(8, 113, 113, 64), 3, 2),
    "average_pool 128x26x26x32 2": pool("average", x(128, 26, 26, 32), 2, 2),
    "layer_norm 4096x256": layer_norm(x(4096, 256)),
    "layer_norm 64x32x768": layer_norm(x(64, 32, 768)),
    "batch_norm 128x26x26x32": batch_norm(x(128, 26, 26, 32)),
    "batch_norm 16x28x28x128": batch_norm(x(16, 28, 28, 128)),
}


def tensors(engine, arrays):
    if engine == "torch":
        return [torch.from_numpy(a).requires_grad_() for a in arrays]
    return [backends.load(engine).convert(a) for a in arrays]


def ours(engine, arrays, function):
    """(forward, forward and gradient) of the kernel through `keras.ops`, as a layer uses it."""
    adapter = backends.load(engine)
    arrays = [adapter.convert(a) for a in arrays]
    with config.backend_scope(engine):
        weights = adapter.convert(_rng.standard_normal(function(*arrays).shape).astype("float32"))
        forward = adapter.compile(function, [])

        def loss(*inputs):
            return ops.sum(ops.multiply(function(*inputs), weights)), None

        both = adapter.compile(lambda *a: adapter.value_and_grad(loss, [], list(a))[1], [])

    def run(compiled):
        def call():
            with config.backend_scope(engine), adapter.inference() if compiled is forward else (
                config.backend_scope(engine)
            ):  # fmt: skip
                return adapter.block_until_ready(compiled(*arrays))

        return call

    return run(forward), run(both)


def native(engine, arrays, function):
    """The same by the engine alone."""
    inputs = tensors(engine, arrays)
    shape = tuple(function(*inputs).shape)
    weights = tensors(engine, [_rng.standard_normal(shape).astype("float32")])[0]
    if engine == "torch":
        weights = weights.detach()
        return torch.no_grad()(lambda: function(*inputs)), lambda: torch.autograd.grad(
            (function(*inputs) * weights).sum(), inputs
        )
    if engine == "jax":
        import jax

        forward = jax.jit(function)
        both = jax.jit(jax.grad(lambda *a: (function(*a) * weights).sum(),
                                tuple(range(len(inputs)))))  # fmt: skip
        return (lambda: jax.block_until_ready(forward(*inputs)),
                lambda: jax.block_until_ready(both(*inputs)))  # fmt: skip

    @tf().function(autograph=False)
    def both(*a):
        with tf().GradientTape() as tape:
            tape.watch(a)
            y = tf().reduce_sum(function(*a) * weights)
        return tape.gradient(y, a)

    forward = tf().function(function, autograph=False)
    return lambda: forward(*inputs)[0].numpy(), lambda: [g.numpy() for g in both(*inputs)]


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", nargs="+", default=backends.available())
    parser.add_argument("--only", nargs="+", default=[""], help="rows whose name has one of these")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    for engine in options.backend:
        rival = "torch" if engine == "numpy" else engine
        print(f"\n{engine} against {rival}: ms forward, ms with gradient (ratios)")
        for name, (arrays, function, others) in ROWS.items():
            if not any(part in name for part in options.only):
                continue
            pairs = list(zip(ours(engine, arrays, function), native(rival, arrays, others[rival]),
                             strict=True))  # fmt: skip
            cells = []
            for a, b in pairs:
                for _ in range(2):
                    a(), b()
                times = [(seconds(a), seconds(b)) for _ in range(options.rounds)]
                mine, theirs = (statistics.median(t) * 1e3 for t in zip(*times, strict=True))
                ratio = statistics.median(t / u for t, u in times)
                cells.append(f"{mine:8.2f} /{theirs:8.2f} ({ratio:4.2f})")
            print(f"{name:34}", *cells, sep="  ", flush=True)


if __name__ == "__main__":
    main()
