"""Models on sparse data learn what they learn on the same data in dense form."""

import numpy as np
import pytest
import scipy.sparse

import kerasish as keras
from kerasish import backends, ops

X = scipy.sparse.random(70, 30, 0.1, format="csr", random_state=0)
DENSE = X.toarray().astype("float32")
Y = DENSE.sum(1, keepdims=True)


def functional(sparse):
    inputs = keras.Input((30,), sparse=sparse)
    hidden = keras.layers.Dense(8, activation="relu", name="a")(inputs * 2.0)
    return keras.Model(inputs, keras.layers.Dense(1, name="b")(hidden), name="m")


def sequential(sparse):
    hidden = keras.layers.Dense(8, activation="relu", name="a")
    return keras.Sequential([hidden, keras.layers.Dense(1, name="b")], name="m")


@pytest.mark.parametrize("make", [functional, sequential])
def test_fit_evaluate_predict(make, backend):
    found = []
    for x in (X, DENSE):
        keras.utils.set_random_seed(0)
        model = make(x is X)
        model.compile("adam", "mse")
        history = model.fit(x, Y, epochs=2, batch_size=16, validation_split=0.2, verbose=0).history
        found.append([
            *history["loss"], *history["val_loss"], model.evaluate(x, Y, verbose=0),
            *model.predict(x, verbose=0)[:, 0],
        ])
        if x is X:
            native = ops.convert_to_tensor(DENSE, sparse=True)
            direct = np.asarray(backends.to_host(model(ops.cast(native, "float32"))))
            for predicted in (model.predict(native, verbose=0), direct):
                np.testing.assert_allclose(predicted[:, 0], found[0][-70:], rtol=1e-3, atol=1e-4)
            batches = ((X[i : i + 10], Y[i : i + 10]) for i in range(0, 30, 10))
            model.fit(batches, steps_per_epoch=3, verbose=0)
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-4)


def test_nothing_is_made_dense_on_the_way(backend):
    """A batch alone would take 20 GB in dense form."""
    rng = np.random.default_rng(0)
    entries = rng.random(1000), (rng.integers(0, 10_000, 1000), rng.integers(0, 1_000_000, 1000))
    x = scipy.sparse.csr_array(entries, (10_000, 1_000_000))
    inputs = keras.Input((1_000_000,), sparse=True)
    model = keras.Model(inputs, ops.sum(inputs * 2.0, axis=1, keepdims=True))
    model.compile(loss="mse")
    got = model.predict(x, batch_size=5000, verbose=0)
    np.testing.assert_allclose(got[:, 0], 2 * x.sum(1), rtol=1e-5)
    assert model.evaluate(x, got, batch_size=5000, verbose=0) < 1e-6


def test_mixed_precision(backend):
    with keras.config.backend_scope(backend):
        x = keras.Input((30,), sparse=True, dtype="float32")
        model = keras.Model(x, keras.layers.Dense(2, dtype="mixed_bfloat16")(x))
        model.compile("sgd", "mse")
        model.fit(X, np.zeros((70, 2)), verbose=0)
        assert model.predict(X, verbose=0).dtype.name == "bfloat16"


def test_layers_pass_it_on(backend):
    model = keras.Sequential([
        keras.Input((6,), sparse=True), keras.layers.Reshape((2, 3)), keras.layers.Flatten(),
        keras.layers.Activation("relu"), keras.layers.Dense(2),
    ])  # fmt: skip
    assert [layer.output.sparse for layer in model.layers] == [True, True, True, False]
    assert model.predict(scipy.sparse.csr_array(np.eye(6)), verbose=0).shape == (6, 2)
    vectors = keras.layers.Embedding(5, 2)(scipy.sparse.csr_array(np.array([[0, 1], [3, 0]])))
    assert tuple(vectors.shape) == (2, 2, 2)


def test_categories(backend):
    layer = keras.layers.CategoryEncoding(5, sparse=True)
    ids = np.array([[0, 1, 2], [3, 3, 4]])
    got = layer(ids)
    assert backends.active.is_sparse(got)
    np.testing.assert_array_equal(backends.to_host(got), [[1, 1, 1, 0, 0], [0, 0, 0, 1, 1]])
    model = keras.Sequential([keras.Input((3,), dtype="int32"), layer, keras.layers.Dense(1)])
    assert layer.output.sparse and model.predict(ids, verbose=0).shape == (2, 1)
    model.compile(keras.optimizers.SGD(0.1), "mse")  # the layer inside the compiled step
    losses = model.fit(ids, np.array([[1.0], [2.0]]), epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


def test_counts_inside_a_compiled_step(backend):
    """Sums of sparse one-hot vectors, and products of sparse matrices, as a part of a model."""
    ids = np.array([[0, 1, 1], [3, 3, 4], [2, 0, 4]])
    inputs = keras.Input((3,), dtype="int32")
    counts = ops.sum(ops.one_hot(inputs, 5, sparse=True), axis=1)
    assert counts.sparse and counts.shape == (None, 5)
    together = ops.matmul(ops.transpose(counts), counts)  # how often two ids meet in a row
    assert together.sparse
    model = keras.Model(inputs, [keras.layers.Dense(1)(counts), ops.sum(together, axis=1)])
    want = np.eye(5)[ids].sum(1)
    _, got = model.predict_on_batch(ids)
    np.testing.assert_allclose(got, (want.T @ want).sum(1))
    model.compile(keras.optimizers.SGD(0.1), ["mse", None])
    losses = model.fit(ids, [np.ones((3, 1)), np.zeros(3)], epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


def test_a_layer_that_needs_dense_inputs_says_so(backend):
    with pytest.raises(ValueError, match="takes dense tensors") as error:
        keras.layers.LayerNormalization(name="norm")(ops.convert_to_tensor(DENSE, sparse=True))
    assert "'norm'" in str(error.value)
    three = ops.reshape(ops.convert_to_tensor(DENSE, sparse=True), (70, 5, 6))
    with pytest.raises(ValueError, match="two axes"):
        keras.Sequential([keras.layers.Flatten()]).predict(three, verbose=0)


def test_vectors_of_terms(backend):
    """Sparse counts are made as such, equal to the dense ones, and train a model."""
    texts = np.array(["a b a", "c", "b unheard of", ""])
    for mode in ("multi_hot", "count", "tf_idf"):
        made = []
        for sparse in (False, True):
            layer = keras.layers.TextVectorization(output_mode=mode, sparse=sparse)
            layer.adapt(["a b c", "a b", "a"])
            made.append(layer(texts))
        assert [backends.active.is_sparse(x) for x in made] == [False, True]
        np.testing.assert_allclose(*map(backends.to_host, made), rtol=1e-6)
        # Columns that no text has are 0; the sum tells the texts apart.
        y = np.array([[3.0], [1.0], [0.0], [0.0]])
        histories = []
        for x in made:
            keras.utils.set_random_seed(0)
            inputs = keras.Input((x.shape[1],), sparse=backends.active.is_sparse(x))
            model = keras.Model(inputs, keras.layers.Dense(1, name="d")(inputs), name="m")
            model.compile(keras.optimizers.SGD(0.1), "mse")
            histories.append(model.fit(x, y, epochs=3, batch_size=3, verbose=0).history["loss"])
        np.testing.assert_allclose(*histories, rtol=1e-5)
        assert histories[0][-1] < histories[0][0]
    lookup = keras.layers.IntegerLookup(vocabulary=[3, 5], output_mode="count", sparse=True)
    got = lookup(ops.convert_to_tensor([[3, 3, 5], [7, 5, 5]]))
    np.testing.assert_array_equal(backends.to_host(got), [[0, 2, 1], [1, 0, 2]])
    hashed = keras.layers.Hashing(4, output_mode="one_hot", sparse=True)(np.array([["x"], ["y"]]))
    assert backends.active.is_sparse(hashed) and backends.to_host(hashed).sum() == 2
    cubes = keras.layers.CategoryEncoding(3, sparse=True)(np.array([[[0, 1]], [[2, 2]]]))
    np.testing.assert_array_equal(backends.to_host(cubes), [[[1, 1, 0]], [[0, 0, 1]]])
