"""kerasish: a Keras-style deep-learning API on NumPy, PyTorch, JAX and TensorFlow.

    import kerasish as keras

Names load when they are first used; no engine is imported before something is computed.
"""

from kerasish._lazy import attach
from kerasish._version import __version__

__getattr__, __dir__, _names = attach(
    __name__,
    modules=(
        "activations backend callbacks config constraints datasets dtype_policies errors "
        "initializers layers legacy losses metrics mixed_precision models ops optimizers "
        "preprocessing quantizers random regularizers saving tree utils"
    ),
    names={
        "kerasish.models.function": "Function",
        "kerasish.core.symbolic": "KerasTensor",
        "kerasish.core.operation": "Operation",
        "kerasish.core.scope": "StatelessScope SymbolicScope device name_scope",
        "kerasish.core.remat": "RematScope remat",
        "kerasish.core.variable": "Variable",
        "kerasish.core.transforms": "function grad value_and_grad",
        "kerasish.dtype_policies": "DTypePolicy FloatDTypePolicy",
        "kerasish.initializers": "Initializer",
        "kerasish.layers.input_layer": "Input",
        "kerasish.layers.input_spec": "InputSpec",
        "kerasish.layers.base": "Layer",
        "kerasish.losses": "Loss",
        "kerasish.metrics": "Metric",
        "kerasish.models": "Model Sequential",
        "kerasish.optimizers": "Optimizer",
        "kerasish.quantizers": "Quantizer",
        "kerasish.regularizers": "Regularizer",
        "kerasish.backends": "register_backend",
        "kerasish._version": "version",
    },
)
__all__ = ["__version__", *_names]
