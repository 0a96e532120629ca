"""Shape rules of neural-network kernels; for the rest the bodies run on shapes."""

from __future__ import annotations

from typing import Any

from kerasish.backends.shapes import axes_of
from kerasish.backends.symbolic.engine import Spec


def _same(x: Any, *_: Any) -> Any:
    return x


for _name in (
    "relu relu6 leaky_relu elu selu celu gelu sigmoid log_sigmoid softplus silu hard_sigmoid "
    "hard_silu hard_tanh hard_shrink soft_shrink tanh_shrink softsign squareplus "
    "sparse_plus sparse_sigmoid"
).split():
    globals()[_name] = _same


def softmax(x: Any, axis: Any) -> Any:
    if x.shape:  # of a number it is 1, whatever the axis
        axes_of(axis, x.ndim)
    return x


log_softmax = sparsemax = softmax
_layer_norm = _rms_norm = _same


def _one_hot(x: Any, num_classes: int, axis: int, dtype: str) -> Any:
    axis %= x.ndim + 1
    shape = (*x.shape[:axis], num_classes, *x.shape[axis:])
    return Spec(shape, dtype)


def _no_cudnn(kind: str, x: Any) -> None:
    return None


def _attention(query: Any, key: Any, value: Any, *_: Any) -> Any:
    return Spec((*query.shape[:3], value.shape[3]), query.dtype)
