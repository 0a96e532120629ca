"""Train a classifier of hand-written digits on the NumPy backend: nothing else is needed."""

import kerasish as keras

BLOCKS = " ░▒▓█"


def show(images, labels, guesses):
    """Prints images side by side, with what the model says they are."""
    for row in range(images.shape[1]):
        print("   ".join(
            "".join(BLOCKS[min(int(v) // 4, 4)] * 2 for v in image[row]) for image in images
        ))
    print("   ".join(
        f"guess {g}, is {y}".center(2 * images.shape[2])
        for y, g in zip(labels, guesses, strict=True)
    ))


def main(epochs=24):
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
    model.fit(x, y, epochs=epochs, batch_size=32, validation_split=0.1)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    guesses = model.predict(x_test[:5], verbose=0).argmax(-1)
    show(x_test[:5], y_test[:5], guesses)
    print(f"Test accuracy: {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    main()
