"""What turns a layer with one kernel into a low-rank-adapted one (LoRA).

Hu et al. (2021), https://arxiv.org/abs/2106.09685: the kernel W is frozen and
W + (alpha / rank) A B is used, with A and B trained.
"""

from __future__ import annotations

from typing import Any

from kerasish import initializers, ops
from kerasish.errors import StateError


class Adaptable:
    """Adds `kernel`, `enable_lora` and the adapted product to a layer that keeps `_kernel`."""

    lora_rank: int | None
    lora_alpha: Any
    lora_enabled = False
    _adapted = False

    @property
    def kernel(self) -> Any:
        """The kernel in force: the weight itself, or with its low-rank update."""
        if self.lora_enabled:
            scale = self.lora_alpha / self.lora_rank
            update = ops.matmul(self.lora_kernel_a, self.lora_kernel_b)
            return ops.add(self._kernel, ops.multiply(update, scale))
        return self._kernel

    def enable_lora(
        self, rank: int, lora_alpha: Any = None, a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        """Freezes the kernel and trains a low-rank update of it."""
        if self.lora_enabled:
            raise StateError(f"Layer {self.name!r}: LoRA is enabled already.")
        if not self.built:
            raise StateError(f"Layer {self.name!r} must be built before enable_lora().")
        shape = tuple(self._kernel.shape)
        self.lora_rank = rank
        self.lora_alpha = rank if lora_alpha is None else lora_alpha
        self.lora_kernel_a = self.add_weight(
            name="lora_kernel_a", shape=(*shape[:-1], rank),
            initializer=initializers.get(a_initializer),
        )
        self.lora_kernel_b = self.add_weight(
            name="lora_kernel_b", shape=(rank, shape[-1]),
            initializer=initializers.get(b_initializer),
        )
        self._kernel.trainable = False
        self.lora_enabled = self._adapted = True
        self._seen_shapes.clear()

    def _after_build(self) -> None:
        if self.lora_rank and not self.lora_enabled:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def _adapted_product(self, x: Any, product: Any) -> Any:
        return product(x, ops.cast(self.kernel, self.compute_dtype))

    def _adapted_lookup(self, indices: Any) -> Any:
        x = ops.take(self._kernel.value, indices, axis=0)
        update = ops.matmul(ops.take(self.lora_kernel_a.value, indices, axis=0), self.lora_kernel_b)
        return ops.add(x, ops.multiply(update, self.lora_alpha / self.lora_rank))
