"""Sequence to sequence: learns to add from examples written as text, "47+5" -> "52".

An LSTM reads the question one character at a time, a second writes the answer. Nobody tells it what
a digit is worth. One sees it learn the leading digits first and the carrying last; after 20 epochs
sums that it has never seen come out exactly right in 99 of 100 cases, after the 4 of `--fast` in
more than half. About 20 s on NumPy.
"""

import numpy as np
from terminal import run

import kerasish as keras
from kerasish import layers

CHARACTERS = "0123456789+ "


def encode(texts):
    """Texts of one length as whole numbers `(n, length)`."""
    return np.array([[CHARACTERS.index(c) for c in text] for text in texts])


def decode(row):
    return "".join(CHARACTERS[i] for i in row).strip()


def questions(digits, rng):
    """All sums of numbers up to `digits` digits, in random order."""
    n = 10**digits
    pairs = np.stack(np.meshgrid(range(n), range(n)), -1).reshape(-1, 2)
    pairs = rng.permutation(pairs)
    asked = [f"{a}+{b}".ljust(2 * digits + 1) for a, b in pairs]
    answers = [str(a + b).ljust(digits + 1) for a, b in pairs]
    return asked, answers


def adder(question_length, answer_length, width):
    return keras.Sequential([
        keras.Input((question_length,), dtype="int32"),
        layers.Embedding(len(CHARACTERS), 16),
        layers.LSTM(width),
        layers.RepeatVector(answer_length),
        layers.LSTM(width, return_sequences=True),
        layers.Dense(len(CHARACTERS), activation="softmax"),
    ])


def main(fast=False):
    keras.utils.set_random_seed(0)
    asked, answers = questions(2, np.random.default_rng(0))
    x, y = encode(asked), encode(answers)
    kept = len(x) // 10
    model = adder(x.shape[1], y.shape[1], width=64)
    model.compile(
        keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(
        x[kept:], y[kept:], batch_size=32, epochs=4 if fast else 20, verbose=2,
        validation_data=(x[:kept], y[:kept]),
    )
    guesses = model.predict(x[:kept], verbose=0).argmax(-1)
    for question, guess, answer in list(zip(asked, guesses, answers, strict=False))[:8]:
        mark = "right" if decode(guess) == answer.strip() else f"wrong, it is {answer}"
        print(f"{question} = {decode(guess):4} {mark}")
    exact = float(np.mean((guesses == y[:kept]).all(-1)))
    print(f"Exactly right: {exact:.1%} of {kept} new sums")
    return exact


if __name__ == "__main__":
    run(main)
