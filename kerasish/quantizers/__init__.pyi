"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.quantizers.configs import AWQConfig as AWQConfig
from kerasish.quantizers.configs import Float8QuantizationConfig as Float8QuantizationConfig
from kerasish.quantizers.configs import GPTQConfig as GPTQConfig
from kerasish.quantizers.configs import Int4QuantizationConfig as Int4QuantizationConfig
from kerasish.quantizers.configs import Int8QuantizationConfig as Int8QuantizationConfig
from kerasish.quantizers.configs import QuantizationConfig as QuantizationConfig
from kerasish.quantizers.numeric import abs_max_quantize as abs_max_quantize
from kerasish.quantizers.numeric import abs_max_quantize_grouped_with_zero_point as abs_max_quantize_grouped_with_zero_point
from kerasish.quantizers.numeric import compute_float8_amax_history as compute_float8_amax_history
from kerasish.quantizers.numeric import compute_float8_scale as compute_float8_scale
from kerasish.quantizers.numeric import fake_quant_with_min_max_vars as fake_quant_with_min_max_vars
from kerasish.quantizers.numeric import pack_int4 as pack_int4
from kerasish.quantizers.numeric import quantize_and_dequantize as quantize_and_dequantize
from kerasish.quantizers.numeric import unpack_int4 as unpack_int4
from kerasish.quantizers.quantizer import AbsMaxQuantizer as AbsMaxQuantizer
from kerasish.quantizers.quantizer import Quantizer as Quantizer
from kerasish.quantizers.quantizer import deserialize as deserialize
from kerasish.quantizers.quantizer import get as get
from kerasish.quantizers.quantizer import serialize as serialize
