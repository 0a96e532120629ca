"""kerasish layers in torch programs."""

from __future__ import annotations

from typing import Any

from kerasish import backends
from kerasish.errors import InvalidArgument
from kerasish.layers.base import Layer


def to_torch_module(layer: Any) -> Any:
    """A built layer or model as a `torch.nn.Module`.

    Its parameters and buffers are the layer's variables: they share memory, so training either
    trains both, with torch's optimizers or with `fit`. `forward` takes what the layer takes and
    runs on torch whichever backend is active; `train()` and `eval()` set `training`.

    Args:
        layer: a layer or model that has its weights.

    >>> import torch  # doctest: +SKIP
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> module = keras.utils.to_torch_module(model)  # doctest: +SKIP
    >>> optimizer = torch.optim.Adam(module.parameters(), 1e-3)  # doctest: +SKIP
    >>> loss = torch.mean(module(torch.ones(2, 3)) ** 2)  # doctest: +SKIP
    >>> loss.backward()  # doctest: +SKIP
    >>> optimizer.step()  # doctest: +SKIP
    >>> model.predict(torch.ones(2, 3)).shape  # with the trained weights  # doctest: +SKIP
    (2, 1)
    """
    if not isinstance(layer, Layer):
        raise InvalidArgument(
            f"to_torch_module takes a layer or model, got {type(layer).__name__}."
        )
    return backends.load("torch").LayerModule(layer)
