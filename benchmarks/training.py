"""What kerasish costs on top of a loop written by hand for each engine, as ratios.

    python benchmarks/training.py [--backend torch ...] [--model mlp ...] [--keras] [--rounds 5]

Everything is timed in one process, interleaved round by round; a row shows the median of kerasish,
the median of the native loop, and the median of the ratios of the rounds. The native loops are what
a good engineer writes: torch's fused Adam, jax.jit with donated state, tf.function, plain NumPy.
`predict` is compared with a compiled forward pass, `model(x)` with an eager one.
With `--keras` each backend's Keras runs too, in a process of its own (it cannot switch).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if importlib.util.find_spec("torch"):
    import torch  # noqa: F401  (before TensorFlow and JAX)
import numpy as np

rng = np.random.default_rng(0)


def _classes(n, shape, classes):
    return rng.standard_normal((n, *shape)).astype("float32"), rng.integers(0, classes, n)


def _digits():
    import kerasish

    (x, y), _ = kerasish.datasets.digits.load_data()
    return (x[..., None] / np.float32(16)).astype("float32"), y.astype("int64")


# name: (data, batch size, epochs in a timed call, layers as a function of the API, dims)
MODELS = {
    "tiny": (lambda: _classes(3200, (4,), 3), 32),
    "mlp": (lambda: _classes(6400, (784,), 10), 128),
    "cnn": (_digits, 64),
    "lstm": (lambda: _classes(320, (50, 16), 5), 32),
}


def build(keras, name):
    L = keras.layers
    if name == "tiny":
        layers = [keras.Input((4,)), L.Dense(16, "relu"), L.Dense(16, "relu"), L.Dense(3)]
    elif name == "mlp":
        layers = [keras.Input((784,)), L.Dense(512, "relu"), L.Dense(512, "relu"), L.Dense(10)]
    elif name == "cnn":
        layers = [
            keras.Input((8, 8, 1)), L.Conv2D(32, 3, padding="same", activation="relu"),
            L.MaxPooling2D(), L.Conv2D(64, 3, padding="same", activation="relu"), L.Flatten(),
            L.Dense(10),
        ]  # fmt: skip
    else:
        layers = [keras.Input((50, 16)), L.LSTM(64), L.Dense(5)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    return model


def fit_once(model, x, y, batch):
    model.fit(x, y, batch_size=batch, epochs=1, verbose=0)


# Native loops: each returns (train an epoch, arrays -> arrays, the engine's tensors -> its tensors,
# the last as a user of that engine would call a function of his own: not compiled) ---------------


def _weights(name):
    """Initial weights as NumPy arrays, for all engines."""
    glorot = lambda *s: (rng.standard_normal(s) * np.sqrt(2 / (s[-1] + s[-2]))).astype("float32")
    zeros = lambda *s: np.zeros(s, "float32")
    if name in ("tiny", "mlp"):
        sizes = (4, 16, 16, 3) if name == "tiny" else (784, 512, 512, 10)
        return [w for a, b in zip(sizes, sizes[1:], strict=False) for w in (glorot(a, b), zeros(b))]
    if name == "cnn":
        return [glorot(3, 3, 1, 32), zeros(32), glorot(3, 3, 32, 64), zeros(64),
                glorot(1024, 10), zeros(10)]
    return [glorot(16, 256), glorot(64, 256), zeros(256), glorot(64, 5), zeros(5)]


def _numpy_dense(p):
    """(forward, backward) of a multi-layer perceptron: logits and activations, then gradients."""

    def forward(a):
        acts = [a]
        for i in range(0, len(p), 2):
            a = a @ p[i] + p[i + 1]
            if i < len(p) - 2:
                a = np.maximum(a, 0)
            acts.append(a)
        return a, acts

    def backward(g, acts):
        grads = [None] * len(p)
        for i in reversed(range(0, len(p), 2)):
            a = acts[i // 2]
            grads[i], grads[i + 1] = a.T @ g, g.sum(0)
            if i:
                g = (g @ p[i].T) * (a > 0)
        return grads

    return forward, backward


def _numpy_cnn(p):
    def patches(a):
        n, h, w, c = a.shape
        padded = np.zeros((n, h + 2, w + 2, c), a.dtype)
        padded[:, 1:-1, 1:-1] = a
        out = np.empty((n, h, w, 9, c), a.dtype)
        for k in range(9):
            out[:, :, :, k] = padded[:, k // 3 : k // 3 + h, k % 3 : k % 3 + w]
        return out.reshape(n * h * w, 9 * c)

    def conv(a, kernel, bias):
        cols = patches(a)
        y = cols @ kernel.reshape(-1, kernel.shape[-1])
        y += bias
        return np.maximum(y, 0, out=y).reshape(*a.shape[:3], -1), cols

    def unpatch(cols, n, h, w, c):
        cols = cols.reshape(n, h, w, 9, c)
        out = np.zeros((n, h + 2, w + 2, c), cols.dtype)
        for k in range(9):
            out[:, k // 3 : k // 3 + h, k % 3 : k % 3 + w] += cols[:, :, :, k]
        return out[:, 1:-1, 1:-1]

    def forward(a):
        y1, cols1 = conv(a, p[0], p[1])
        blocks = y1.reshape(len(a), 4, 2, 4, 2, 32)
        pooled = blocks.max((2, 4))
        y2, cols2 = conv(pooled, p[2], p[3])
        flat = y2.reshape(len(a), -1)
        return flat @ p[4] + p[5], (y1, cols1, blocks, pooled, cols2, flat)

    def backward(g, saved):
        y1, cols1, blocks, pooled, cols2, flat = saved
        n = len(flat)
        g4, g5 = flat.T @ g, g.sum(0)
        g = ((g @ p[4].T) * (flat > 0)).reshape(-1, 64)
        g2, g3 = (cols2.T @ g).reshape(p[2].shape), g.sum(0)
        g = unpatch(g @ p[2].reshape(-1, 64).T, n, 4, 4, 32)[:, :, None, :, None]
        chosen = blocks == pooled[:, :, None, :, None]
        g = (chosen * g).reshape(y1.shape) * (y1 > 0)
        g = g.reshape(-1, 32)
        return [(cols1.T @ g).reshape(p[0].shape), g.sum(0), g2, g3, g4, g5]

    return forward, backward


def _numpy_lstm(p):
    sigmoid = lambda z: 1 / (1 + np.exp(-z))

    def forward(a):
        n, steps, _ = a.shape
        z = (a.reshape(-1, 16) @ p[0] + p[2]).reshape(n, steps, -1)
        h = c = np.zeros((n, 64), "float32")
        saved = []
        for k in range(steps):
            i, f, g, o = np.split(z[:, k] + h @ p[1], 4, -1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            before, c = c, f * c + i * g
            t = np.tanh(c)
            saved.append((h, before, i, f, g, o, t))
            h = o * t
        return h @ p[3] + p[4], (a, saved, h)

    def backward(g_out, kept):
        a, saved, last = kept
        g3, g4 = last.T @ g_out, g_out.sum(0)
        gh, gc = g_out @ p[3].T, 0
        gz = np.empty((len(a), a.shape[1], 256), "float32")
        gu = np.zeros_like(p[1])
        for k in reversed(range(a.shape[1])):
            h, before, i, f, g, o, t = saved[k]
            gc = gc + gh * o * (1 - t * t)
            z = gz[:, k]
            z[:, :64] = gc * g * i * (1 - i)
            z[:, 64:128] = gc * before * f * (1 - f)
            z[:, 128:192] = gc * i * (1 - g * g)
            z[:, 192:] = gh * t * o * (1 - o)
            gu += h.T @ z
            gh, gc = z @ p[1].T, gc * f
        flat = gz.reshape(-1, 256)
        return [a.reshape(-1, 16).T @ flat, gu, flat.sum(0), g3, g4]

    return forward, backward


def native_numpy(name, x, y, batch):
    p = _weights(name)
    m, v = [np.zeros_like(w) for w in p], [np.zeros_like(w) for w in p]
    forward, backward = {"cnn": _numpy_cnn, "lstm": _numpy_lstm}.get(name, _numpy_dense)(p)
    step = 0

    def epoch():
        nonlocal step
        order = rng.permutation(len(x))
        for low in range(0, len(x), batch):
            idx = order[low : low + batch]
            xb, yb = x[idx], y[idx]
            logits, saved = forward(xb)
            e = np.exp(logits - logits.max(1, keepdims=True))
            g = e / e.sum(1, keepdims=True)
            g[np.arange(len(yb)), yb] -= 1
            g /= len(yb)
            grads = backward(g, saved)
            step += 1
            rate = 1e-3 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            for w, gw, mw, vw in zip(p, grads, m, v, strict=True):
                mw += np.float32(0.1) * (gw - mw)
                vw += np.float32(0.001) * (gw * gw - vw)
                w -= np.float32(rate) * mw / (np.sqrt(vw) + np.float32(1e-7))

    predict = lambda a: forward(a)[0]
    return epoch, predict, predict


def native_torch(name, x, y, batch):
    import torch
    from torch import nn

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.LSTM(16, 64, batch_first=True), nn.Linear(64, 5)

        def forward(self, a):
            return self.out(self.rnn(a)[0][:, -1])

    model = {
        "tiny": lambda: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(),
                                      nn.Linear(16, 3)),
        "mlp": lambda: nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512),
                                     nn.ReLU(), nn.Linear(512, 10)),
        "cnn": lambda: nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                                     nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Flatten(),
                                     nn.Linear(1024, 10)),
        "lstm": Last,
    }[name]()  # fmt: skip
    if name == "cnn":
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    xt, yt = torch.from_numpy(x), torch.from_numpy(y)
    cross_entropy = nn.functional.cross_entropy

    def epoch():
        order = torch.randperm(len(xt))
        for low in range(0, len(xt), batch):
            idx = order[low : low + batch]
            loss = cross_entropy(model(xt[idx].to(device)), yt[idx].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    def eager(a):
        with torch.no_grad():
            return model(a.permute(0, 3, 1, 2) if name == "cnn" else a)

    return epoch, lambda a: eager(torch.from_numpy(a).to(device)).cpu().numpy(), eager


def _adam_tree(jnp, tree_map):
    def update(p, g, m, v, t):
        m = tree_map(lambda a, b: a + 0.1 * (b - a), m, g)
        v = tree_map(lambda a, b: a + 0.001 * (b * b - a), v, g)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = tree_map(lambda w, a, b: w - rate * a / (jnp.sqrt(b) + 1e-7), p, m, v)
        return p, m, v

    return update


def native_jax(name, x, y, batch):
    import functools

    import jax
    import jax.numpy as jnp

    p = [jnp.asarray(w) for w in _weights(name)]

    def forward(p, a):
        if name in ("tiny", "mlp"):
            for i in range(0, len(p) - 2, 2):
                a = jax.nn.relu(a @ p[i] + p[i + 1])
            return a @ p[-2] + p[-1]
        if name == "cnn":
            dims = ("NHWC", "HWIO", "NHWC")
            conv = functools.partial(jax.lax.conv_general_dilated, window_strides=(1, 1),
                                     padding="SAME", dimension_numbers=dims)
            a = jax.nn.relu(conv(a, p[0]) + p[1])
            a = jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            a = jax.nn.relu(conv(a, p[2]) + p[3])
            return a.reshape(len(a), -1) @ p[4] + p[5]
        z = jnp.swapaxes(a @ p[0] + p[2], 0, 1)
        zero = jnp.zeros((a.shape[0], 64))

        def cell(hc, zt):
            h, c = hc
            i, f, g, o = jnp.split(zt + h @ p[1], 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), None

        (h, _), _ = jax.lax.scan(cell, (zero, zero), z)
        return h @ p[3] + p[4]

    def loss_of(p, xb, yb):
        logits = forward(p, xb)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), yb[:, None], 1))

    update = _adam_tree(jnp, jax.tree.map)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, xb, yb):
        p, m, v, t = state
        loss, g = jax.value_and_grad(loss_of)(p, xb, yb)
        p, m, v = update(p, g, m, v, t + 1)
        return (p, m, v, t + 1), loss

    zeros = lambda: jax.tree.map(jnp.zeros_like, p)
    state = [(p, zeros(), zeros(), jnp.zeros(()))]
    infer = jax.jit(forward)
    yi = y.astype("int32")

    def epoch():
        order = rng.permutation(len(x))
        loss = None
        for low in range(0, len(x), batch):
            idx = order[low : low + batch]
            state[0], loss = step(state[0], x[idx], yi[idx])
        loss.block_until_ready()

    return (
        epoch, lambda a: np.asarray(infer(state[0][0], a)),
        lambda a: forward(state[0][0], a).block_until_ready(),
    )  # fmt: skip


def native_tensorflow(name, x, y, batch):
    import tensorflow as tf

    p = [tf.Variable(w) for w in _weights(name)]
    m = [tf.Variable(tf.zeros_like(w)) for w in p]
    v = [tf.Variable(tf.zeros_like(w)) for w in p]
    t = tf.Variable(0.0)

    def forward(a):
        if name in ("tiny", "mlp"):
            for i in range(0, len(p) - 2, 2):
                a = tf.nn.relu(a @ p[i] + p[i + 1])
            return a @ p[-2] + p[-1]
        if name == "cnn":
            a = tf.nn.relu(tf.nn.conv2d(a, p[0], 1, "SAME") + p[1])
            a = tf.nn.max_pool2d(a, 2, 2, "VALID")
            a = tf.nn.relu(tf.nn.conv2d(a, p[2], 1, "SAME") + p[3])
            return tf.reshape(a, (-1, 1024)) @ p[4] + p[5]
        z = tf.transpose(tf.tensordot(a, p[0], 1) + p[2], (1, 0, 2))
        h = c = tf.zeros((tf.shape(a)[0], 64))
        for k in range(50):
            i, f, g, o = tf.split(z[k] + h @ p[1], 4, -1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
        return h @ p[3] + p[4]

    @tf.function(reduce_retracing=True)
    def step(xb, yb):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(logits=forward(xb), labels=yb)
            )
        t.assign_add(1.0)
        rate = 1e-3 * tf.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for w, g, a, b in zip(p, tape.gradient(loss, p), m, v, strict=True):
            a.assign_add(0.1 * (g - a))
            b.assign_add(0.001 * (g * g - b))
            w.assign_sub(rate * a / (tf.sqrt(b) + 1e-7))
        return loss

    infer = tf.function(forward, reduce_retracing=True)

    def epoch():
        order = rng.permutation(len(x))
        for low in range(0, len(x), batch):
            idx = order[low : low + batch]
            loss = step(tf.constant(x[idx]), tf.constant(y[idx]))
        loss.numpy()

    return epoch, lambda a: infer(tf.constant(a)).numpy(), forward


NATIVE = {"numpy": native_numpy, "torch": native_torch, "jax": native_jax,
          "tensorflow": native_tensorflow}


def clock(fn, repeat=1):
    start = time.perf_counter()
    for _ in range(repeat):
        fn()
    return (time.perf_counter() - start) / repeat


def compare(ours, native, rounds, repeat=1):
    ours(), native(), ours(), native()
    a, b = [], []
    for _ in range(rounds):
        a.append(clock(ours, repeat))
        b.append(clock(native, repeat))
    ratios = [s / t for s, t in zip(a, b, strict=True)]
    return statistics.median(a), statistics.median(b), statistics.median(ratios)


def row(what, a, b, ratio, unit="ms", steps=1):
    scale = {"ms": 1e3, "us": 1e6}[unit] / steps
    native = f"{b * scale:9.3f}" if b else "        -"
    ratio = f"{ratio:6.2f}" if ratio else "     -"
    print(f"{what:34}{a * scale:10.3f}{native:>10} {unit}{ratio:>9}", flush=True)


def overheads(keras):
    """What the `op` decorator and `Layer.__call__` add to a bare call."""
    from kerasish import backends

    x = keras.ops.ones((4,))
    raw = backends.active.table["exp"]
    n = 20000
    for _ in range(3):
        a, b = clock(lambda: keras.ops.exp(x), n), clock(lambda: raw(x), n)
    row("op decorator over the bare call", a - b, None, None, "us")

    class Same(keras.layers.Layer):
        def call(self, x):
            return x

    layer = Same()
    layer(x), layer(x)
    row("Layer.__call__ over call", clock(lambda: layer(x), n) - clock(lambda: layer.call(x), n),
        None, None, "us")


def measure(keras, backend, name, rounds):
    make, batch = MODELS[name]
    x, y = make()
    model = build(keras, name)
    epoch, predict, eager = NATIVE[backend](name, x, y, batch)
    times = compare(lambda: fit_once(model, x, y, batch), epoch, rounds)
    row(f"fit {name}, a step", *times, "ms", -(-len(x) // batch))

    from kerasish import backends

    one, active = x[:1], backends.active
    tensor = active.convert(one)
    n = 200 if name == "tiny" else 50
    call = lambda: active.block_until_ready(model(tensor))
    row(f"model(x) {name}, one sample", *compare(call, lambda: eager(tensor), rounds, n), "us")
    ours = lambda: model.predict(one, verbose=0)
    row(f"predict {name}, one sample", *compare(ours, lambda: predict(one), rounds, n), "us")


def run(backend, names, rounds):
    import kerasish as keras

    keras.config.set_backend(backend)
    print(f"\n{backend:34}{'kerasish':>10}{'native':>10}   {'ratio':>9}")
    for name in names:
        measure(keras, backend, name, rounds)
    overheads(keras)


def run_keras(backend, names, rounds):
    code = (
        "import json, sys; sys.path.insert(0, 'benchmarks'); import training as t, statistics\n"
        "import keras; out = {}\n"
        f"for name in {names!r}:\n"
        "    make, batch = t.MODELS[name]; x, y = make(); m = t.build(keras, name)\n"
        "    t.fit_once(m, x, y, batch); t.fit_once(m, x, y, batch)\n"
        "    once = lambda: t.fit_once(m, x, y, batch)\n"
        f"    times = [t.clock(once) for _ in range({rounds})]\n"
        "    out[name] = statistics.median(times) / -(-len(x) // batch) * 1e3\n"
        "print(json.dumps(out))"
    )
    env = {**os.environ, "KERAS_BACKEND": backend}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    if out.returncode:
        return print(f"keras on {backend}: {out.stderr.strip().splitlines()[-1]}")
    for name, ms in json.loads(out.stdout.strip().splitlines()[-1]).items():
        print(f"{'keras: fit ' + name + ', a step':34}{ms:10.3f}           ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backend", action="append", choices=list(NATIVE))
    parser.add_argument("--model", action="append", choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keras", action="store_true")
    args = parser.parse_args()
    names = args.model or list(MODELS)
    for backend in args.backend or list(NATIVE):
        if importlib.util.find_spec(backend) is None:
            continue
        run(backend, names, args.rounds)
        if args.keras and backend != "numpy":
            run_keras(backend, names, args.rounds)


if __name__ == "__main__":
    main()
