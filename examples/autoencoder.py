"""A convolutional autoencoder cleans noisy digits.

It is given images with noise and asked for the clean ones, through a bottleneck of 32 numbers that
has no room for the noise. One sees the mean squared error on test images fall from 0.09 (the noise)
to 0.02, and digits with noise, cleaned, and as they were. About 6 s on NumPy.
"""

import numpy as np
from terminal import run, show

import kerasish as keras
from kerasish import layers


def denoiser():
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    code = layers.Dense(32, name="code")(layers.Flatten()(x))
    x = layers.Reshape((2, 2, 32))(layers.Dense(128, activation="relu")(code))
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    clean = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(image, clean)


def main(fast=False):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    (x, _), (x_test, _) = keras.datasets.digits.load_data()
    x, x_test = ((images[..., None] / 16).astype("float32") for images in (x, x_test))

    def noisy(images):
        return images + rng.normal(0, 0.3, images.shape).astype("float32")

    x_noisy, x_test_noisy = noisy(x), noisy(x_test)
    model = denoiser()
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    model.fit(
        x_noisy, x, batch_size=32, epochs=6 if fast else 30, verbose=2,
        validation_data=(x_test_noisy, x_test),
    )
    cleaned = model.predict(x_test_noisy[:3], verbose=0)
    pictures = np.stack([x_test_noisy[:3], cleaned, x_test[:3]], 1).reshape(9, 8, 8)
    show(pictures, ["with noise", "cleaned", "as it was"] * 3)
    noise = float(np.mean((x_test_noisy - x_test) ** 2))
    error = model.evaluate(x_test_noisy, x_test, verbose=0)
    print(f"Mean squared error: {noise:.4f} with noise, {error:.4f} cleaned")
    return error / noise


if __name__ == "__main__":
    run(main)
