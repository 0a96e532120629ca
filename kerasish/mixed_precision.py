"""`keras.mixed_precision`: dtype policies under the names of Keras 2, and loss scaling."""

from kerasish._lazy import attach
from kerasish.dtype_policies import DTypePolicy, dtype_policy, set_dtype_policy

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy
__getattr__, __dir__, _names = attach(
    __name__, names={"kerasish.optimizers": "LossScaleOptimizer"}
)
__all__ = [
    "DTypePolicy", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
    "set_global_policy", *_names,
]  # fmt: skip
