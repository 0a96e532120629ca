"""The update rules as their papers state them, in float64 NumPy, one function an algorithm.

Each takes the weights, the list of gradients and the settings, and returns the weights at the
end. They share no code with kerasish and are written for reading, not for speed.
"""

import numpy as np


def sgd(w, grads, lr, momentum=0.0, nesterov=False):
    m = np.zeros_like(w)
    for g in grads:
        m = momentum * m - lr * g
        w = w + (momentum * m - lr * g if nesterov else m)
    return w


def rmsprop(w, grads, lr, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    square, mean, m = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for g in grads:
        square = rho * square + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        variance = square - mean**2 if centered else square
        m = momentum * m + lr * g / np.sqrt(variance + epsilon)
        w = w - m
    return w


def adam(w, grads, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, decay=0.0):
    m, v, top = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, 1):
        w = w - lr * decay * w
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        top = np.maximum(top, v)
        rate = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        w = w - rate * m / (np.sqrt(top if amsgrad else v) + epsilon)
    return w


def adamax(w, grads, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m, u = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, 1):
        m = beta_1 * m + (1 - beta_1) * g
        u = np.maximum(beta_2 * u, np.abs(g))
        w = w - lr / (1 - beta_1**t) * m / (u + epsilon)
    return w


def nadam(w, grads, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m, v, product = np.zeros_like(w), np.zeros_like(w), 1.0
    for t, g in enumerate(grads, 1):
        now = beta_1 * (1 - 0.5 * 0.96**t)
        later = beta_1 * (1 - 0.5 * 0.96 ** (t + 1))
        product *= now
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
        w = w - lr * m_hat / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return w


def lamb(w, grads, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, 1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        r = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        size, length = np.sqrt((w**2).sum()), np.sqrt((r**2).sum())
        w = w - lr * (size / length if size > 0 and length > 0 else 1.0) * r
    return w


def adadelta(w, grads, lr, rho=0.95, epsilon=1e-7):
    g2, d2 = np.zeros_like(w), np.zeros_like(w)
    for g in grads:
        g2 = rho * g2 + (1 - rho) * g**2
        delta = -np.sqrt(d2 + epsilon) / np.sqrt(g2 + epsilon) * g
        d2 = rho * d2 + (1 - rho) * delta**2
        w = w + lr * delta
    return w


def adagrad(w, grads, lr, initial_accumulator_value=0.1, epsilon=1e-7):
    total = np.full_like(w, initial_accumulator_value)
    for g in grads:
        total = total + g**2
        w = w - lr * g / np.sqrt(total + epsilon)
    return w


def ftrl(
    w, grads, lr, learning_rate_power=-0.5, initial_accumulator_value=0.1,
    l1_regularization_strength=0.0, l2_regularization_strength=0.0,
    l2_shrinkage_regularization_strength=0.0, beta=0.0,
):  # fmt: skip
    n, z = np.full_like(w, initial_accumulator_value), np.zeros_like(w)
    l1 = l1_regularization_strength
    l2 = l2_regularization_strength + beta / (2 * lr)
    for g in grads:
        new = n + g**2
        sigma = (new**-learning_rate_power - n**-learning_rate_power) / lr
        z = z + g + 2 * l2_shrinkage_regularization_strength * w - sigma * w
        n = new
        small = np.abs(z) <= l1
        w = np.where(
            small, 0.0, (np.sign(z) * l1 - z) / (n**-learning_rate_power / lr + 2 * l2)
        )
    return w


def lion(w, grads, lr, beta_1=0.9, beta_2=0.99):
    m = np.zeros_like(w)
    for g in grads:
        w = w - lr * np.sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g
    return w


def adafactor(
    w, grads, lr, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0,
    relative_step=True,
):  # fmt: skip
    def rms(x):
        return np.sqrt((x**2).mean())

    row, column, v = np.zeros(w.shape[:-1]), np.zeros(w.shape[:-2] + w.shape[-1:]), 0.0
    for t, g in enumerate(grads, 1):
        rho = min(lr, 1 / np.sqrt(t)) if relative_step else lr
        beta = 1 - t**beta_2_decay
        square = g**2 + epsilon_1
        if w.ndim >= 2:
            row = beta * row + (1 - beta) * square.mean(-1)
            column = beta * column + (1 - beta) * square.mean(-2)
            v = row[..., :, None] * column[..., None, :] / row.mean(-1)[..., None, None]
        else:
            v = beta * v + (1 - beta) * square
        u = g / np.sqrt(v)
        u = u / max(1.0, rms(u) / clip_threshold)
        w = w - max(epsilon_2, rms(w)) * rho * u
    return w


def muon(w, grads, lr, momentum=0.95, nesterov=True, decay=0.004, rms_rate=0.2, ns_steps=5):
    buffer = np.zeros_like(w)
    for g in grads:
        w = w - lr * decay * w
        buffer = momentum * buffer + g
        x = g + momentum * buffer if nesterov else buffer
        x = x / (np.sqrt((x**2).sum()) + 1e-7)
        # The odd polynomial acts on the singular values alone.
        u, s, vt = np.linalg.svd(x, full_matrices=False)
        for _ in range(ns_steps):
            s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
        size = 1.0 if rms_rate is None else rms_rate * np.sqrt(max(w.shape))
        w = w - lr * size * (u * s) @ vt
    return w


def schedule_free(w, grads, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-8, warmup_steps=0):
    z, x, v = w, w, np.zeros_like(w)
    y = w
    for t, g in enumerate(grads, 1):
        rate = lr * min(1.0, t / warmup_steps) if warmup_steps else lr
        v = beta_2 * v + (1 - beta_2) * g**2
        z = z - rate * g / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        x = (1 - 1 / t) * x + z / t
        y = (1 - beta_1) * z + beta_1 * x
    return y
