"""Quantizers and configs as objects: what they check, what files keep of them."""

import numpy as np
import pytest

import kerasish as keras
from tests.peer import keras_peer

Q = keras.quantizers
INT4 = Q.Int4QuantizationConfig


def test_abs_max_quantizer_asks_for_axes_in_order(backend):
    x = np.array([[1.0, -2.0], [4.0, 0.5]], "float32")
    scale = lambda quantizer, **kwargs: keras.ops.convert_to_numpy(quantizer(x, **kwargs)[1])
    np.testing.assert_allclose(scale(Q.AbsMaxQuantizer(axis=0)), [[31.75, 63.5]], rtol=1e-6)
    np.testing.assert_allclose(scale(Q.AbsMaxQuantizer(axis=0), axis=1), [[31.75, 63.5]], rtol=1e-6)
    np.testing.assert_allclose(scale(Q.AbsMaxQuantizer(), axis=0), [[31.75, 63.5]], rtol=1e-6)
    np.testing.assert_allclose(scale(Q.AbsMaxQuantizer()), [[63.5], [31.75]], rtol=1e-6)


def test_quantizers_come_back_from_names_and_configs():
    quantizer = Q.AbsMaxQuantizer(axis=(0, 1), value_range=(-8, 7), epsilon=1e-5)
    for again in (Q.get(Q.serialize(quantizer)), Q.deserialize(Q.serialize(quantizer))):
        assert again.get_config() == quantizer.get_config()
    assert Q.get("AbsMaxQuantizer", axis=1).axis == (1,)
    assert isinstance(Q.get(Q.AbsMaxQuantizer), keras.Quantizer) and Q.get(None) is None
    with pytest.raises(ValueError, match="nonesuch"):
        Q.get("nonesuch")
    with pytest.raises(ValueError):
        Q.get(3)


def test_quantizer_configs_are_those_of_keras():
    peer = keras_peer()
    for make in (
        lambda q: q.AbsMaxQuantizer(), lambda q: q.AbsMaxQuantizer(axis=1, epsilon=1e-4),
        lambda q: q.Int8QuantizationConfig(), lambda q: q.Int4QuantizationConfig(block_size=-1),
        lambda q: q.Float8QuantizationConfig(),
        lambda q: q.Int8QuantizationConfig(q.AbsMaxQuantizer(axis=0), None),
    ):  # fmt: skip
        assert Q.serialize(make(Q)) == peer.quantizers.serialize(make(peer.quantizers))
        again = keras.saving.deserialize_keras_object(
            peer.saving.serialize_keras_object(make(peer.quantizers))
        )
        assert Q.serialize(again) == Q.serialize(make(Q))


@pytest.mark.parametrize("make", [
    lambda: Q.Int8QuantizationConfig(weight_quantizer=Q.AbsMaxQuantizer(output_dtype="uint8")),
    lambda: INT4(block_size=0), lambda: INT4(block_size=-2), lambda: INT4(block_size=2.5),
    lambda: INT4(weight_quantizer=Q.AbsMaxQuantizer(value_range=(-8, 7))),
    lambda: Q.GPTQConfig([], str, weight_bits=5), lambda: Q.GPTQConfig([], str, num_samples=0),
    lambda: Q.GPTQConfig([], str, group_size=0),
    lambda: Q.GPTQConfig([], str, hessian_damping=1.5), lambda: Q.AWQConfig([], str, weight_bits=8),
    lambda: Q.AWQConfig([], str, num_grid_points=0),
    lambda: Q.QuantizationConfig().mode,
    lambda: Q.abs_max_quantize_grouped_with_zero_point(np.ones((2, 2), "float32"), 0),
    lambda: Q.abs_max_quantize_grouped_with_zero_point(np.ones((2, 2, 2), "float32"), 1),
    lambda: Q.pack_int4(np.ones((2,), "int8"), dtype="int32"),
])  # fmt: skip
def test_refusals(make):
    with pytest.raises(ValueError):
        make()


def test_packing_other_dtypes_is_refused(backend):
    with pytest.raises(TypeError, match="float32"):
        Q.pack_int4(np.ones(3, "float32"))
    with pytest.raises(TypeError, match="int8"):
        Q.unpack_int4(np.ones(3, "int8"), 3, dtype="uint8")


def test_calibrated_configs_keep_numbers_only():
    config = Q.GPTQConfig(["text"], str.split, weight_bits=3, group_size=-1, symmetric=True)
    assert config.dtype_policy_string() == "gptq/3/-1"
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(config))
    assert again.dataset is None and again.get_config() == config.get_config()
    assert Q.AWQConfig(["text"], str.split).dtype_policy_string() == "awq/4/128"


def test_fake_quantization_passes_gradients_within_and_to_the_bounds(backend):
    weights = np.arange(1.0, 6.0, dtype="float32")
    x = np.array([-2.0, -0.5, 0.25, 1.0, 3.0], "float32")

    def loss(x, least, most):
        y = Q.fake_quant_with_min_max_vars(x, least, most)
        return keras.ops.sum(keras.ops.multiply(y, weights))

    values = [keras.ops.convert_to_tensor(v) for v in (x, np.float32(-1), np.float32(2))]
    grads = keras.grad(loss, values)
    to_x, to_least, to_most = map(keras.ops.convert_to_numpy, grads)
    np.testing.assert_allclose(to_x, [0, 2, 3, 4, 0])
    np.testing.assert_allclose(to_least, 1)
    np.testing.assert_allclose(to_most, 5)


def test_blocks_lose_at_most_half_a_step(backend):
    """Also blocks far from zero, whose zero point must not be cut off."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(37, 11)) * 0.1 + rng.choice([-3, 0, 3], size=11)).astype("float32")
    for size in (4, 16, 37):
        q, scale, zero = map(
            keras.ops.convert_to_numpy, Q.abs_max_quantize_grouped_with_zero_point(x, size)
        )
        group = np.arange(37) // size
        back = (q.astype("float32") - zero[group]) * scale[group]
        # The zero point is rounded too, which moves a block's ends by half a step more.
        assert (np.abs(back - x) <= scale[group] * 1.01).all()
