"""GPTQ and AWQ: better than plain rounding on the inputs that they were shown."""

import numpy as np
import pytest

import kerasish as keras
from kerasish.models.calibration import sequences
from kerasish.quantizers import calibrated

Q = keras.quantizers
rng = np.random.default_rng(0)


def gptq(**kwargs):
    return Q.GPTQConfig(None, None, **kwargs)


def awq(**kwargs):
    return Q.AWQConfig(None, None, **kwargs)


def problem(outliers=False):
    """Weights, inputs whose features depend on each other, and their mean square."""
    weights = rng.normal(size=(48, 20))
    inputs = rng.normal(size=(400, 48)) @ (np.eye(48) + 0.3 * rng.normal(size=(48, 48)))
    if outliers:
        inputs[:, :3] *= 30
    return weights, inputs, inputs.T @ inputs / len(inputs)


def loss(weights, inputs, result):
    integers, scales, zeros, groups = result[:4]
    back = (integers.astype(float) - zeros[groups]) * scales[groups]
    if len(result) == 5:
        back = back / result[4][:, None]
    return np.mean(np.square(inputs @ (back - weights)))


def rounded(weights, bits, size):
    integers, scale, zero = map(keras.ops.convert_to_numpy, (
        Q.abs_max_quantize_grouped_with_zero_point(
            weights, size, (0, 2**bits - 1), dtype="uint8", to_numpy=True)
    ))  # fmt: skip
    return integers, scale, zero, np.arange(len(weights)) // size


@pytest.mark.parametrize("bits, size", [(2, 48), (3, 16), (4, 16), (4, 48), (8, 20)])
@pytest.mark.parametrize("order", [False, True])
def test_gptq_beats_rounding(bits, size, order):
    weights, inputs, gram = problem()
    plain = loss(weights, inputs, rounded(weights, bits, size))
    group_size = -1 if size == 48 else size
    config = gptq(weight_bits=bits, group_size=group_size, activation_order=order)
    result = calibrated.gptq(weights, gram, config)
    assert result[0].max() < 2**bits and result[1].shape == (-(-48 // size), 20)
    assert loss(weights, inputs, result) < 0.7 * plain


def test_gptq_without_dependence_is_rounding():
    """With independent features no later weight can make up for an error."""
    weights, _, _ = problem()
    config = gptq(weight_bits=4, group_size=16, hessian_damping=0.0)
    result = calibrated.gptq(weights, np.eye(48), config)
    for got, want in zip(result, rounded(weights, 4, 16), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_gptq_drops_inputs_that_never_come():
    weights, inputs, _ = problem()
    inputs[:, 5] = 0
    integers, scales, zeros, groups = calibrated.gptq(
        weights, inputs.T @ inputs / len(inputs), gptq(group_size=-1)
    )
    np.testing.assert_array_equal(integers[5], zeros[0])


def test_gptq_scales():
    weights, _, gram = problem()
    _, scales, zeros, _ = calibrated.gptq(weights, gram, gptq(symmetric=True, group_size=-1))
    np.testing.assert_array_equal(zeros, 8)
    np.testing.assert_allclose(scales[0], 2 * np.abs(weights).max(0) / 15, rtol=1e-6)
    _, scales, zeros, _ = calibrated.gptq(weights, gram, gptq(per_channel=False, group_size=-1))
    np.testing.assert_allclose(scales, (weights.max() - weights.min()) / 15, rtol=1e-6)


def test_awq_protects_what_activations_make_important():
    weights, inputs, gram = problem(outliers=True)
    magnitude = np.abs(inputs).mean(0)
    result = calibrated.awq(weights, gram, magnitude, awq(group_size=16))
    assert loss(weights, inputs, result) < 0.5 * loss(weights, inputs, rounded(weights, 4, 16))
    assert result[4][:3].min() > result[4][3:].max()
    alone = calibrated.awq(weights, gram, magnitude, awq(group_size=16, num_grid_points=1))
    np.testing.assert_array_equal(alone[4], 1)


def test_awq_of_what_is_not_finite_is_refused():
    weights, inputs, gram = problem()
    with pytest.raises(keras.errors.InvalidArgument, match="not finite"):
        calibrated.awq(weights, gram * np.nan, np.abs(inputs).mean(0), awq(group_size=16))


WORDS = ["".join(rng.choice(list("abcdefgh"), 60)) for _ in range(12)]


class Letters:
    def tokenize(self, text):
        return np.array([ord(c) - 97 for c in text])


def model_of_blocks():
    L = keras.layers
    i = keras.Input((10,), dtype="int32")
    table = L.Embedding(8, 16)
    h, blocks = table(i), []
    for _ in range(2):
        j = keras.Input((10, 16))
        a = L.Add()([j, L.MultiHeadAttention(2, 8)(j, j)])
        f = L.Dense(16)(L.EinsumDense("abc,cd->abd", (None, 32), activation="relu")(a))
        blocks.append(keras.Model(j, L.Add()([a, f])))
        h = blocks[-1](h)
    model = keras.Model(i, L.Dense(8)(h))
    draw = np.random.default_rng(1)
    model.set_weights([draw.normal(size=w.shape) * 0.35 for w in model.get_weights()])
    return model, {"pre_block_layers": [table], "sequential_blocks": blocks}


@pytest.mark.parametrize("mode", ["gptq", "gptq-3", "awq"])
def test_models_are_calibrated_block_by_block(mode, tmp_path, backend):
    model, structure = model_of_blocks()
    tokens = np.stack([Letters().tokenize(w[:10]) for w in WORDS])
    before = keras.ops.convert_to_numpy(model(tokens))
    settings = dict(num_samples=16, sequence_length=10, group_size=8,
                    quantization_layer_structure=structure)  # fmt: skip
    if mode == "awq":
        config = Q.AWQConfig(WORDS, Letters(), **settings)
    else:
        config = Q.GPTQConfig(WORDS, Letters(), weight_bits=3 if "3" in mode else 4, **settings)
    model.quantize(config=config)
    after = keras.ops.convert_to_numpy(model(tokens))
    quantized = [x for x in model._flatten_layers() if x.quantization_mode == config.mode]
    assert len(quantized) == 12 and model.layers[-1].quantization_mode is None
    assert 0 < np.abs(after - before).mean() < 0.25 * np.abs(before).mean()
    inner = structure["sequential_blocks"][0].layers[-3]
    assert inner._kernel.dtype == "uint8" and inner.kernel_zero.dtype == "uint8"
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(tokens)), after)


def test_a_model_without_structure_is_one_block():
    model, _ = model_of_blocks()
    model.quantize(config=Q.GPTQConfig(WORDS, Letters().tokenize, num_samples=8,
                                       sequence_length=10, group_size=-1))  # fmt: skip
    assert model.layers[-1].quantization_mode == "gptq"
    assert model.layers[1].quantization_mode is None  # an embedding


def test_sequences_are_spread_over_the_data():
    config = Q.GPTQConfig(["abcdefgh"], Letters(), num_samples=3, sequence_length=4)
    np.testing.assert_array_equal(sequences(config), [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]])
    config = Q.GPTQConfig([np.arange(3)], None, num_samples=2, sequence_length=5)
    assert sequences(config).shape == (2, 5)
    for dataset in (None, [], [[]]):
        with pytest.raises(ValueError):
            sequences(Q.GPTQConfig(dataset, Letters()))
    with pytest.raises(ValueError, match="tokenizer"):
        sequences(Q.GPTQConfig(["abc"], None))
    with pytest.raises(ValueError, match="pre_block_layers"):
        model, _ = model_of_blocks()
        model.quantize(config=Q.GPTQConfig(WORDS, Letters(), quantization_layer_structure={"a": 1}))
