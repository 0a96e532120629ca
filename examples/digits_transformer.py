"""A small vision transformer reads hand-written digits.

Each 8x8 image is cut into sixteen 2x2 patches; a patch, with its place added, is a token of a
transformer. One sees about 97 % accuracy on test images (90 % with `--fast`): on so few images the
convolutions of `digits.py`, which know that pixels have neighbours, learn faster. 15 s on NumPy.
"""

from terminal import run

import kerasish as keras
from kerasish import layers, ops


@keras.saving.register_keras_serializable("examples")
class Patches(layers.Layer):
    """Images `(batch, height, width)` to tokens `(batch, patches, size * size)`."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, images):
        _, height, width = images.shape
        rows, columns = height // self.size, width // self.size
        x = ops.reshape(images, (-1, rows, self.size, columns, self.size))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, rows * columns, self.size**2))


@keras.saving.register_keras_serializable("examples")
class AddPlaces(layers.Layer):
    """Adds a learned vector to each token that tells where it stands."""

    def build(self, input_shape):
        self.places = self.add_weight(
            shape=input_shape[1:], initializer="random_normal", name="places"
        )

    def call(self, tokens):
        return tokens + self.places


def transformer_block(x, heads, dropout=0.1):
    """Tokens look at each other, then each thinks for itself; both only add to what is there."""
    width = x.shape[-1]
    y = layers.LayerNormalization()(x)
    y = layers.MultiHeadAttention(heads, width // heads, dropout=dropout)(y, y)
    x = layers.Add()([x, y])
    y = layers.LayerNormalization()(x)
    y = layers.Dense(2 * width, activation="gelu")(y)
    y = layers.Dense(width)(layers.Dropout(dropout)(y))
    return layers.Add()([x, y])


def vision_transformer(width=32, depth=2, heads=4):
    images = keras.Input((8, 8))
    x = Patches(2)(layers.Rescaling(1 / 16)(images))
    x = AddPlaces()(layers.Dense(width)(x))
    for _ in range(depth):
        x = transformer_block(x, heads)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(images, layers.Dense(10)(x))


def main(fast=False):
    keras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    model = vision_transformer()
    model.summary()
    epochs, batch_size = 8 if fast else 20, 32
    steps = epochs * -(-len(x) // batch_size)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=2)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test accuracy: {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    run(main)
