"""Train a classifier of hand-written digits on the NumPy backend: nothing else is needed.

One sees a small convolutional network reach about 98 % accuracy on test images, and what it says of
five of them. About four seconds on NumPy; `--fast` stops at 92 % after one.
"""

from terminal import run, show

import kerasish as keras


def main(fast=False):
    keras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    model = keras.Sequential([
        keras.Input((8, 8)),
        keras.layers.Rescaling(1 / 16),
        keras.layers.Reshape((8, 8, 1)),
        keras.layers.Conv2D(16, 3, activation="relu", padding="same"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, activation="relu", padding="same"),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.25),
        keras.layers.Dense(10),
    ])
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    print(f"Training on the {keras.config.backend()} backend")
    model.fit(x, y, epochs=4 if fast else 24, batch_size=32, validation_split=0.1)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    guesses = model.predict(x_test[:5], verbose=0).argmax(-1)
    pairs = zip(guesses, y_test, strict=False)
    show(x_test[:5] / 16, [f"guess {guess}, is {truth}" for guess, truth in pairs])
    print(f"Test accuracy: {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    run(main)
