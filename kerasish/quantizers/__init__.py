"""Quantization: fewer bits for weights and activations; each module loads when first used."""

from kerasish._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    names={
        "kerasish.quantizers.numeric": (
            "abs_max_quantize abs_max_quantize_grouped_with_zero_point "
            "compute_float8_amax_history compute_float8_scale fake_quant_with_min_max_vars "
            "pack_int4 quantize_and_dequantize unpack_int4"
        ),
        "kerasish.quantizers.quantizer": (
            "AbsMaxQuantizer Quantizer deserialize get serialize"
        ),
        "kerasish.quantizers.configs": (
            "AWQConfig Float8QuantizationConfig GPTQConfig Int4QuantizationConfig "
            "Int8QuantizationConfig QuantizationConfig"
        ),
    },
)
