"""`keras.ops.nn`: the operations of neural networks."""

from kerasish.ops import (
    activation,
    attention,
    ctc,
    encoding,
    losses,
)  # fmt: skip
from kerasish.ops.activation import *
from kerasish.ops.attention import *
from kerasish.ops.ctc import *
from kerasish.ops.encoding import *
from kerasish.ops.losses import *

__all__ = [
    *activation.__all__,
    *attention.__all__,
    *ctc.__all__,
    *encoding.__all__,
    *losses.__all__,
]
