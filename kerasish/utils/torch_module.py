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

    Example:

        module = keras.utils.to_torch_module(model)
        optimizer = torch.optim.Adam(module.parameters(), 1e-3)
        loss = torch.nn.functional.mse_loss(module(x), y)
        loss.backward()
        optimizer.step()
        model.predict(x)  # the trained weights
        torch.save(module.state_dict(), "weights.pt")
    """
    if not isinstance(layer, Layer):
        raise InvalidArgument(
            f"to_torch_module takes a layer or model, got {type(layer).__name__}."
        )
    return backends.load("torch").LayerModule(layer)
