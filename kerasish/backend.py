"""`keras.backend`: the small public part of what Keras 3 keeps under this name."""

from kerasish.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from kerasish.core.scope import StatelessScope, get_uid
from kerasish.core.symbolic import KerasTensor, is_keras_tensor
from kerasish.core.variable import Variable
from kerasish.dtypes import is_float as is_float_dtype
from kerasish.dtypes import is_int as is_int_dtype
from kerasish.dtypes import result_type
from kerasish.dtypes import standardize as standardize_dtype
from kerasish.utils.session import clear_session

__all__ = [
    "KerasTensor", "StatelessScope", "Variable", "backend", "clear_session", "epsilon", "floatx",
    "get_uid", "image_data_format", "is_float_dtype", "is_int_dtype", "is_keras_tensor",
    "result_type", "set_epsilon", "set_floatx", "set_image_data_format", "standardize_dtype",
]  # fmt: skip
