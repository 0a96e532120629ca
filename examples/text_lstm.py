"""A bidirectional LSTM tells good reviews from bad ones.

The reviews are generated (`reviews.py`) so that the order of words decides: "not good", "hardly
dull", and what follows a "but" counts. One sees accuracy stay at chance at first, then jump to
99.9 % on reviews that the LSTM has not seen. About 3 s on NumPy.
"""

import reviews
from terminal import run

import kerasish as keras
from kerasish import layers


def main(fast=False):
    keras.utils.set_random_seed(0)
    x, y = reviews.load_data(2000 if fast else 6000, seed=0)
    x_test, y_test = reviews.load_data(1000, seed=1)

    vectorize = layers.TextVectorization(output_sequence_length=14)
    vectorize.adapt(x)
    model = keras.Sequential([
        keras.Input((14,), dtype="int32"),
        layers.Embedding(vectorize.vocabulary_size(), 16, mask_zero=True),
        layers.Bidirectional(layers.LSTM(16)),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
    model.fit(vectorize(x), y, epochs=4 if fast else 3, validation_split=0.1, verbose=2)

    for text in ["the film was not dull", "the cast was good but the story was hardly gripping"]:
        print(f"{text}: {model.predict(vectorize([text]), verbose=0)[0, 0]:.2f}")
    _, accuracy = model.evaluate(vectorize(x_test), y_test, verbose=0)
    print(f"Test accuracy: {accuracy:.1%}")
    return accuracy


if __name__ == "__main__":
    run(main)
