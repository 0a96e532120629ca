"""What one optimizer step costs, against the best that each engine offers natively.

usage: python benchmarks/optimizers.py [BACKEND ...]

Prints microseconds a step: kerasish, the native step, and their ratio, for each backend, algorithm
and set of leaves. The two are timed in turn, and the best of several rounds counts.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from kerasish import backends, config, optimizers
from kerasish.core.variable import Variable

LEAVES = {
    "4-16-16-3": [(4, 16), (16,), (16, 16), (16,), (16, 3), (3,)],
    "784-512-512-10": [(784, 512), (512,), (512, 512), (512,), (512, 10), (10,)],
    "100 leaves": [(128, 128), (128,)] * 50,
}
B1, B2, EPS, RATE, MOMENTUM = 0.9, 0.999, 1e-7, 1e-3, 0.9


def arrays(shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=s).astype("float32") for s in shapes]


def ours(name, shapes):
    make = {
        "adam": lambda: optimizers.Adam(RATE),
        "momentum": lambda: optimizers.SGD(RATE, momentum=MOMENTUM),
        "sgd": lambda: optimizers.SGD(RATE),
    }
    variables = [Variable(x, name=f"w{i}") for i, x in enumerate(arrays(shapes, 0))]
    optimizer = make[name]()
    optimizer.build(variables)
    engine = backends.active
    grads = [engine.convert(g) for g in arrays(shapes, 1)]

    def step(*grads):
        optimizer.apply(grads, variables)

    compiled = engine.compile(step, [*variables, *optimizer.variables], donate=True)

    def run():
        compiled(*grads)
        return variables[0]._value

    return run


def numpy_native(name, shapes):
    params, grads = arrays(shapes, 0), arrays(shapes, 1)
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    t = 0

    def adam():
        nonlocal t
        t += 1
        rate = RATE * (1 - B2**t) ** 0.5 / (1 - B1**t)
        for p, g, a, b in zip(params, grads, m, v):  # noqa: B905
            a *= B1
            a += (1 - B1) * g
            b *= B2
            b += (1 - B2) * g * g
            p -= rate * a / (np.sqrt(b) + EPS)

    def momentum():
        for p, g, a in zip(params, grads, m):  # noqa: B905
            a *= MOMENTUM
            a -= RATE * g
            p += a

    def sgd():
        for p, g in zip(params, grads):  # noqa: B905
            p -= RATE * g

    return {"adam": adam, "momentum": momentum, "sgd": sgd}[name]


def torch_native(name, shapes):
    import torch

    params = [torch.from_numpy(x).requires_grad_() for x in arrays(shapes, 0)]
    for p, g in zip(params, arrays(shapes, 1)):  # noqa: B905
        p.grad = torch.from_numpy(g)
    if name == "adam":
        return torch.optim.Adam(params, RATE, (B1, B2), EPS, fused=True).step
    return torch.optim.SGD(params, RATE, MOMENTUM if name == "momentum" else 0, fused=True).step


def jax_native(name, shapes):
    import jax
    import jax.numpy as jnp

    params, grads = ([jnp.array(x) for x in arrays(shapes, s)] for s in (0, 1))
    m, v = ([jnp.zeros_like(p) for p in params] for _ in range(2))
    state = [params, m, v, jnp.zeros((), "int32")]

    def step(state, grads):
        params, m, v, t = state
        t = t + 1
        if name == "adam":
            m = [B1 * a + (1 - B1) * g for a, g in zip(m, grads)]  # noqa: B905
            v = [B2 * a + (1 - B2) * g * g for a, g in zip(v, grads)]  # noqa: B905
            rate = RATE * jnp.sqrt(1 - B2**t) / (1 - B1**t)
            params = [
                p - rate * a / (jnp.sqrt(b) + EPS) for p, a, b in zip(params, m, v)  # noqa: B905
            ]
        elif name == "momentum":
            m = [MOMENTUM * a - RATE * g for a, g in zip(m, grads)]  # noqa: B905
            params = [p + a for p, a in zip(params, m)]  # noqa: B905
        else:
            params = [p - RATE * g for p, g in zip(params, grads)]  # noqa: B905
        return [params, m, v, t]

    if name != "adam":
        state[2] = []
    if name == "sgd":
        state[1] = []
    jitted = jax.jit(step, donate_argnums=0)

    def run():
        nonlocal state
        state = jitted(state, grads)
        return state[0][0]

    return run


def tensorflow_native(name, shapes):
    import tensorflow as tf

    params = [tf.Variable(x) for x in arrays(shapes, 0)]
    grads = [tf.constant(x) for x in arrays(shapes, 1)]
    m, v = ([tf.Variable(tf.zeros_like(p)) for p in params] for _ in range(2))
    t = tf.Variable(0)
    raw = tf.raw_ops

    @tf.function
    def step(*grads):
        t.assign_add(1)
        f = tf.cast(t, "float32")
        for p, g, a, b in zip(params, grads, m, v):  # noqa: B905
            if name == "adam":
                raw.ResourceApplyAdam(
                    var=p.handle, m=a.handle, v=b.handle, beta1_power=B1**f, beta2_power=B2**f,
                    lr=RATE, beta1=B1, beta2=B2, epsilon=EPS, grad=g,
                )
            elif name == "momentum":
                raw.ResourceApplyKerasMomentum(
                    var=p.handle, accum=a.handle, lr=RATE, grad=g, momentum=MOMENTUM
                )
            else:
                raw.ResourceApplyGradientDescent(var=p.handle, alpha=RATE, delta=g)

    return lambda: step(*grads)


NATIVE = {
    "numpy": numpy_native, "torch": torch_native, "jax": jax_native,
    "tensorflow": tensorflow_native,
}  # fmt: skip


def best(runs, rounds=9, seconds=0.06):
    """Microseconds a call of each function, timed in turn."""
    counts = []
    for run in runs:
        for _ in range(3):
            run()
        start = time.perf_counter()
        backends.active.block_until_ready(run())
        counts.append(max(1, int(seconds / (time.perf_counter() - start + 1e-9))))
    times = [float("inf")] * len(runs)
    for _ in range(rounds):
        for i, (run, count) in enumerate(zip(runs, counts, strict=True)):
            start = time.perf_counter()
            for _ in range(count):
                out = run()
            if out is not None:
                backends.active.block_until_ready(out)
            times[i] = min(times[i], (time.perf_counter() - start) / count)
    return [t * 1e6 for t in times]


def main():
    print(f"{'backend':12}{'rule':10}{'leaves':18}{'kerasish':>10}{'native':>10}{'ratio':>8}")
    for backend in sys.argv[1:] or config.available_backends():
        with config.backend_scope(backend):
            for name in ("adam", "momentum", "sgd"):
                for label, shapes in LEAVES.items():
                    a, b = best([ours(name, shapes), NATIVE[backend](name, shapes)])
                    print(f"{backend:12}{name:10}{label:18}{a:10.1f}{b:10.1f}{a / b:8.2f}")


if __name__ == "__main__":
    main()
