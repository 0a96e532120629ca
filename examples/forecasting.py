"""Forecasts an hourly temperature one day ahead from the three days before.

The series is generated: a yearly and a daily swing, and weather in waves. The naive forecast says
that tomorrow will be as today at the same hour. One sees a recurrent network err little more than
half as much (2.7 against 4.8 degrees). About 7 s on NumPy.
"""

import numpy as np
from terminal import run

import kerasish as keras
from kerasish import layers

PAST, AHEAD = 72, 24


def temperatures(hours, rng):
    """Seasons, days, and weather: waves of some 60 hours that come and go at random."""
    hour = np.arange(hours)
    weather = np.zeros(hours)
    a, b = 2 * 0.985 * np.cos(2 * np.pi / 60), -(0.985**2)
    for t in range(2, hours):
        weather[t] = a * weather[t - 1] + b * weather[t - 2] + rng.normal(0, 0.1)
    season = 10 * np.sin(2 * np.pi * hour / (24 * 365))
    day = 5 * np.sin(2 * np.pi * (hour - 8) / 24)
    return (12 + season + day + weather).astype("float32")


def windows(series):
    """All stretches of the series: `PAST` hours `(n, PAST, 1)` and what came `AHEAD` hours on."""
    whole = np.lib.stride_tricks.sliding_window_view(series, PAST + AHEAD)
    return whole[:, :PAST, None], whole[:, -1:]


def main(fast=False):
    keras.utils.set_random_seed(0)
    series = temperatures(24 * 365 * (1 if fast else 3), np.random.default_rng(0))
    x, y = windows(series)
    at = int(0.8 * len(x))
    train, test = (x[: at - PAST - AHEAD : 4], y[: at - PAST - AHEAD : 4]), (x[at:], y[at:])

    normalize = layers.Normalization(axis=None)
    normalize.adapt(train[0])
    model = keras.Sequential([
        keras.Input((PAST, 1)),
        normalize,
        layers.Conv1D(16, 6, strides=6, activation="relu"),
        layers.GRU(24),
        layers.Dense(1),
        layers.Rescaling(float(series.std()), float(series.mean())),
    ])
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae"])
    model.fit(*train, epochs=6 if fast else 20, validation_split=0.1, verbose=2)

    _, error = model.evaluate(*test, verbose=0)
    naive = float(np.mean(np.abs(test[0][:, -1, 0] - test[1][:, 0])))
    print(f"Mean absolute error: {error:.2f} degrees, naive forecast {naive:.2f}")
    return error / naive


if __name__ == "__main__":
    run(main)
