"""`keras.ops.nn`: the operations of neural networks."""

from kerasish.ops import (
    activation,
    attention,
    convolution,
    ctc,
    encoding,
    losses,
    normalization,
    pooling,
)
from kerasish.ops.activation import *
from kerasish.ops.attention import *
from kerasish.ops.complex import polar
from kerasish.ops.convolution import *
from kerasish.ops.ctc import *
from kerasish.ops.encoding import *
from kerasish.ops.losses import *
from kerasish.ops.normalization import *
from kerasish.ops.pooling import *

__all__ = [
    *activation.__all__,
    *attention.__all__,
    *convolution.__all__,
    *ctc.__all__,
    *encoding.__all__,
    *losses.__all__,
    *normalization.__all__,
    *pooling.__all__,
    "polar",
]
