"""Convolutional LSTMs: against Keras, masks, states, directions, layouts, gradients."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, tree
from tests.peer import keras_peer

L = keras.layers
rng = np.random.default_rng(5)
LAYERS = {1: L.ConvLSTM1D, 2: L.ConvLSTM2D, 3: L.ConvLSTM3D}


def x(*shape):
    return rng.uniform(-1, 1, shape).astype("float32")


def host(y):
    return tree.map_structure(lambda a: np.asarray(backends.to_host(a)), y)


PEER = [
    (1, {}),
    (1, {"padding": "same", "dilation_rate": 2, "return_sequences": True}),
    (1, {"activation": "relu", "recurrent_activation": "hard_sigmoid", "use_bias": False}),
    (2, {"return_state": True}),
    (2, {"padding": "same", "strides": 2, "return_sequences": True, "go_backwards": True}),
    (2, {"data_format": "channels_first", "return_sequences": True, "return_state": True}),
    (2, {"unit_forget_bias": False, "bias_initializer": "ones"}),
    (3, {"padding": "same", "return_sequences": True}),
]


@pytest.mark.parametrize(("rank", "options"), PEER, ids=str)
def test_equals_keras(rank, options):
    peer = keras_peer()
    space = (6, 5, 4)[:rank]
    channels_first = options.get("data_format") == "channels_first"
    inputs = x(2, 3, 2, *space) if channels_first else x(2, 3, *space, 2)
    layer = LAYERS[rank](3, 2, **options)
    theirs = getattr(peer.layers, f"ConvLSTM{rank}D")(3, 2, **options)
    ours = layer(inputs)
    theirs.build(inputs.shape)
    theirs.set_weights(layer.get_weights())
    expected = theirs(inputs)
    for a, b in zip(tree.flatten(host(ours)), tree.flatten(expected), strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=1e-5)
    assert [w.path.rpartition("/")[2] for w in layer.weights] == [
        w.path.rpartition("/")[2] for w in theirs.weights
    ]
    config, known = layer.get_config(), theirs.get_config()
    assert known.keys() - config.keys() <= {"activity_regularizer"}


def test_masked_steps_keep_the_state(backend):
    inputs = x(2, 4, 5, 5, 1)
    mask = np.array([[True, True, False, False], [True, True, True, False]])
    layer = L.ConvLSTM2D(2, 3, return_sequences=True)
    y = host(layer(inputs, mask=mask))
    for i, n in enumerate((2, 3)):
        alone = host(layer(inputs[i : i + 1, :n]))
        np.testing.assert_allclose(y[i, :n], alone[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(y[i, n:], np.broadcast_to(alone[0, -1], y[i, n:].shape), rtol=1e-4, atol=1e-5)
    zeros = L.ConvLSTM2D(2, 3, return_sequences=True, zero_output_for_mask=True)
    assert not host(zeros(inputs, mask=mask))[~mask].any()


def test_channels_first_is_channels_last_transposed(backend):
    inputs = x(2, 3, 5, 4, 2)
    last = L.ConvLSTM2D(3, 2, strides=(2, 1), padding="same", return_sequences=True)
    first = L.ConvLSTM2D(3, 2, strides=(2, 1), padding="same", return_sequences=True,
                         data_format="channels_first")
    expected = host(last(inputs))
    moved = np.moveaxis(inputs, -1, 2)
    first.build(moved.shape)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(host(first(moved)), 2, -1), expected, rtol=1e-4, atol=1e-5)


def test_stateful_goes_on_where_it_was(backend):
    inputs = x(2, 4, 6, 1)
    layer = L.ConvLSTM1D(2, 3, stateful=True, return_sequences=True)
    whole = host(layer(inputs))
    layer.reset_state()
    halves = np.concatenate([host(layer(inputs[:, :2])), host(layer(inputs[:, 2:]))], 1)
    np.testing.assert_allclose(halves, whole, rtol=1e-4, atol=1e-5)


def test_initial_state_and_return_state_continue(backend):
    inputs = x(2, 4, 6, 1)
    layer = L.ConvLSTM1D(2, 3, return_state=True)
    whole = host(layer(inputs))
    _, h, c = layer(inputs[:, :2])
    again = host(layer(inputs[:, 2:], initial_state=[h, c]))
    for a, b in zip(whole, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_dropout_is_one_mask_for_all_steps(backend):
    ones = np.ones((2, 5, 6, 3), "float32")
    layer = L.ConvLSTM1D(4, 1, dropout=0.5, recurrent_dropout=0.5, seed=2, return_sequences=True)
    keeps = host(layer(ones))
    drops = host(layer(ones, training=True))
    assert np.abs(keeps - drops).max() > 1e-3
    # A step of the cell with the same masks gives the same, so both were shared by all steps.
    cell = layer.cell
    again = L.ConvLSTM1D(4, 1, dropout=0.5, recurrent_dropout=0.5, seed=2)
    again.build(ones.shape)
    again.set_weights(layer.get_weights())
    states = again.cell.get_initial_state(2)
    for t in range(5):
        y, states = again.cell(ones[:, t], states, training=True)
        np.testing.assert_allclose(host(y), drops[:, t], rtol=1e-4, atol=1e-5)
    assert cell.seed_generator is not None


def test_cell_in_rnn_equals_layer(backend):
    from kerasish.layers.convlstm import ConvLSTMCell

    inputs = x(2, 3, 5, 5, 2)
    layer = L.ConvLSTM2D(2, 3)
    expected = host(layer(inputs))
    cell = ConvLSTMCell(2, 2, 3)
    cell.build((2, 5, 5, 2))
    cell.set_weights(layer.get_weights())
    states = cell.get_initial_state(2)
    for t in range(3):
        y, states = cell(inputs[:, t], states)
    np.testing.assert_allclose(host(y), expected, rtol=1e-4, atol=1e-5)


def test_sizes_may_be_unknown(backend):
    model = keras.Sequential([
        keras.Input((None, None, None, 1)), L.ConvLSTM2D(2, 3, return_sequences=True),
        L.ConvLSTM2D(1, 3, padding="same"), L.GlobalAveragePooling2D(),
    ])
    assert model.layers[0].output.shape == (None, None, None, None, 2)
    model.compile("sgd", "mse")
    for side in (5, 6):
        model.fit(x(2, 3, side, side, 1), x(2, 1), verbose=0)
    assert model.predict(x(2, 3, 7, 5, 1), verbose=0).shape == (2, 1)


@pytest.mark.parametrize("bad", [
    {"filters": 0, "kernel_size": 2}, {"filters": 2, "kernel_size": 0},
    {"filters": 2, "kernel_size": 2, "padding": "causal"},
    {"filters": 2, "kernel_size": 2, "strides": 2, "dilation_rate": 2},
], ids=str)
def test_wrong_arguments_are_told(bad):
    with pytest.raises(ValueError, match="filters|kernel_size|padding|strides"):
        L.ConvLSTM2D(**bad)


def test_a_kernel_too_large_is_told():
    with pytest.raises(ValueError, match="does not fit"):
        L.ConvLSTM2D(2, 5)(x(1, 2, 3, 3, 1))


def test_gradients_are_those_of_differences():
    """NumPy's tape through the loop, against central differences in float64."""
    inputs = rng.uniform(-1, 1, (1, 3, 4, 4, 1))
    layer = L.ConvLSTM2D(2, 2, padding="same", dtype="float64")
    layer(inputs)
    mask = np.array([[True, False, True]])

    def loss():
        return keras.ops.sum(keras.ops.square(layer(inputs, mask=mask)))

    _, grads = keras.value_and_grad(loss, layer.trainable_variables)
    for v, g in zip(layer.trainable_variables, grads, strict=True):
        start = v.numpy()
        for i in rng.choice(start.size, 4, replace=False):
            step = np.zeros(start.size)
            step[i] = 1e-5
            step = step.reshape(start.shape)
            v.assign(start + step)
            up = float(loss())
            v.assign(start - step)
            down = float(loss())
            v.assign(start)
            assert abs((up - down) / 2e-5 - np.asarray(g).ravel()[i]) < 1e-6
