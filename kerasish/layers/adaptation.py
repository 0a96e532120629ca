"""Layers with kernels that are adapted (LoRA) or quantized after they were made.

LoRA is Hu et al. (2021), https://arxiv.org/abs/2106.09685: the kernel W is frozen and
W + (alpha / rank) A B is used, with A and B trained. How kernels are quantized is the matter of
`kerasish.layers.quantization`.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np

from kerasish import backends, dtype_policies, initializers, ops
from kerasish.core import scope
from kerasish.core.variable import Variable
from kerasish.errors import NotBuilt, StateError, UnsafeFile, Unsupported
from kerasish.layers import quantization
from kerasish.layers.base import Layer
from kerasish.layers.quantization import Kernel
from kerasish.saving import serialization


class LowRank(Layer):
    """A layer with a kernel that can be frozen and changed by a product of low rank."""

    lora_rank: int | None
    lora_alpha: Any
    lora_enabled = False
    _mode: Any = None
    _adapted = False

    def _kernels(self) -> tuple[Kernel, ...]:
        """The kernels, the one that LoRA adapts first."""
        raise StateError(f"{type(self).__name__} names no kernels.")

    # The kernel in force -------------------------------------------------------------------

    @property
    def kernel(self) -> Any:
        """The kernel in force: the weight itself, or read from its bits, with LoRA's update."""
        first = self._kernels()[0]
        kernel = getattr(self, first.attribute) if self._mode is None else (
            self._mode.kernel(self, first)
        )
        return ops.add(kernel, self._lora_update()) if self.lora_enabled else kernel

    # LoRA ----------------------------------------------------------------------------------

    def enable_lora(
        self, rank: int, lora_alpha: Any = None, a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        """Freezes the kernel and trains a low-rank update of it.

        Args:
            rank: the rank of the update.
            lora_alpha: the update is scaled by `lora_alpha / rank`; `None` is `rank`.
            a_initializer, b_initializer: the first values of its two factors.
        """
        if self.lora_enabled:
            raise StateError(f"Layer {self.name!r}: LoRA is enabled already.")
        if not self.built:
            raise NotBuilt(f"Layer {self.name!r} must be built before enable_lora().")
        self.lora_rank = rank
        self.lora_alpha = rank if lora_alpha is None else lora_alpha
        first = self._kernels()[0]
        shape = self._kernel_shape
        a, b = self._lora_names()
        with self._own_scope():
            setattr(self, a, self.add_weight(
                name=a, shape=(*shape[:-1], rank), initializer=initializers.get(a_initializer)
            ))  # fmt: skip
            setattr(self, b, self.add_weight(
                name=b, shape=(rank, shape[-1]), initializer=initializers.get(b_initializer)
            ))  # fmt: skip
        getattr(self, first.attribute).trainable = False
        self.lora_enabled = self._adapted = True
        self._forget_seen()

    _kernel_shape: tuple[int, ...]
    """The kernel's shape as built, before quantization packed it."""

    def _lora_names(self) -> tuple[str, str]:
        name = self._kernels()[0].name
        return f"lora_{name}_a", f"lora_{name}_b"

    def _lora_update(self, indices: Any = None) -> Any:
        """What LoRA adds to the kernel, or to rows of it."""
        a, b = (getattr(self, name).value for name in self._lora_names())
        a = a if indices is None else ops.take(a, indices, axis=0)
        return ops.multiply(ops.matmul(a, b), self.lora_alpha / self.lora_rank)

    @contextlib.contextmanager
    def _own_scope(self) -> Any:
        """The scope of this layer's path, for variables that are made after `build`."""
        with contextlib.ExitStack() as stack:
            for name in self.path.split("/")[:-1]:
                stack.enter_context(scope.name_scope(name))
            stack.enter_context(scope.name_scope(self.name, caller=self))
            yield

    def _saved_variables(self) -> list[Variable]:
        """In the order of Keras' files: the kernel, the bias, what quantization added."""
        if not self._adapted:
            return super()._saved_variables()
        held, names = vars(self), []
        for kernel in self._kernels():
            names += [kernel.attribute, "bias"]
            names += [] if self._mode is None else self._mode.names(kernel)
        own = self._own_variables()
        first = [held[name] for name in dict.fromkeys(names) if held.get(name) is not None]
        skipped = {id(v) for v in first} | {id(held.get(name)) for name in self._lora_names()}
        return [*first, *(v for v in own if id(v) not in skipped)]

    def save_own_variables(self, store: Any) -> None:
        """Writes the variables; LoRA's update becomes part of the kernel, as in Keras' files."""
        super().save_own_variables(store)
        if not self.lora_enabled:
            return
        first = self._kernels()[0]
        merged = backends.to_host(ops.convert_to_tensor(self.kernel))
        arrays = {first.attribute: merged}
        if isinstance(self._mode, quantization.Stored):
            names = (first.attribute, *self._mode.names(first))
            arrays = dict(zip(names, self._mode.store(first, merged).values(), strict=True))
        places = {id(v): str(i) for i, v in enumerate(self._saved_variables())}
        for name, value in arrays.items():
            store[places[id(getattr(self, name))]] = value

    def load_own_variables(self, store: Any) -> None:
        """Reads the variables; LoRA begins anew with an update of zero."""
        super().load_own_variables(store)
        if self.lora_enabled:
            b = getattr(self, self._lora_names()[1])
            b.assign(np.zeros(b.shape, b.dtype))

    def _after_build(self) -> None:
        if self.lora_rank and not self.lora_enabled:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if not self.lora_rank:
            config.pop("lora_rank", None)
            config.pop("lora_alpha", None)
        return config

    get_config._is_default = True


class Adaptable(LowRank):
    """A layer whose products with a kernel go through LoRA and quantization once it has them."""

    quantization_config: Any

    def _adapted_product(self, x: Any, product: Any, kernel: Any = None) -> Any:
        """`product(x, kernel)` of a layer that is adapted; the kernel is the first by default."""
        first = self._kernels()[0]
        kernel = first if kernel is None else kernel
        dtype = ops.dtype(x)
        if self._mode is None:
            y = product(x, ops.cast(getattr(self, kernel.attribute), dtype))
        else:
            y = self._mode.product(self, kernel, x, product)
        if self.lora_enabled and kernel == first:
            a, b = (ops.cast(getattr(self, name), dtype) for name in self._lora_names())
            update = kernel.low_rank(x, a, b, product)
            y = ops.add(y, ops.multiply(update, self.lora_alpha / self.lora_rank))
        return y

    def _adapted_rows(self, indices: Any) -> Any:
        """Rows of the kernel; only they are read and updated."""
        first = self._kernels()[0]
        rows = ops.take(getattr(self, first.attribute).value, indices, axis=0) if (
            self._mode is None
        ) else self._mode.rows(self, first, indices)
        return ops.add(rows, self._lora_update(indices)) if self.lora_enabled else rows

    # Quantization --------------------------------------------------------------------------

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Replaces the kernel by one in fewer bits.

        Args:
            mode: `"int8"`, `"int4"` or `"float8"`.
            type_check: refuse subclasses, which may use the kernel in another way.
            config: a `keras.quantizers.*Config` in place of a mode's default.
        """
        config = quantization.resolve(mode, config)
        if type_check and not type(self).__module__.startswith("kerasish."):
            raise Unsupported(
                f"Layer {self.name!r} is of class {type(self).__name__}, which may use its kernel "
                "in its own way. quantize(..., type_check=False) quantizes it all the same."
            )
        if not self.built:
            raise NotBuilt(
                f"Layer {self.name!r} must be built before quantize(): call it or build(shape)."
            )
        if self._mode is not None:
            raise StateError(f"Layer {self.name!r} is quantized already: {self._policy.name!r}.")
        self._quantize_to(quantization.policy_of(config, self._policy), config)

    def _quantize_to(self, policy: Any, config: Any, statistics: Any = None) -> None:
        mode = quantization.mode_of(policy, config, statistics)
        if not mode.lookup and self._kernels()[0].transposed:
            raise Unsupported(
                f"Layer {self.name!r} ({type(self).__name__}) looks up rows, which "
                f"{policy.quantization_mode!r} does not serve. Use 'int8' or 'int4'."
            )
        with self._own_scope():
            mode.attach(self)
        self._mode, self.quantization_config, self._adapted = mode, config, True
        if isinstance(self._dtype_policy, dtype_policies.DTypePolicyMap):
            if self.path in self._dtype_policy:
                del self._dtype_policy[self.path]
            self._dtype_policy[self.path] = policy
        else:
            self._dtype_policy = policy
        self._forget_seen()

    @property
    def dtype_policy(self) -> Any:
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        Layer.dtype_policy.__set__(self, value)
        if self.built:
            self._follow_policy()

    def _follow_policy(self) -> None:
        if self._policy.quantization_mode is not None and self._mode is None:
            self._quantize_to(self._policy, self.quantization_config)

    def _after_build(self) -> None:
        self._follow_policy()
        super()._after_build()

    # Variables -----------------------------------------------------------------------------

    def _add_extra(self, name: str, value: np.ndarray, **kwargs: Any) -> Variable:
        variable = self.add_weight(
            name=name, shape=value.shape, dtype=value.dtype, initializer="zeros", autocast=False,
            **kwargs,
        )  # fmt: skip
        variable.assign(value)
        return variable

    def _forget(self, variable: Variable) -> None:
        self._variables = [v for v in self._variables if v is not variable]

    def save_notes(self) -> dict[str, str]:
        """How this layer was quantized, which the config of a layer around it may not tell."""
        if self._mode is None:
            return {}
        config = serialization.serialize_keras_object(self.quantization_config)
        return {"quantization": json.dumps({"policy": self._policy.name, "config": config})}

    def load_notes(self, notes: Any) -> None:
        """Quantizes the layer as the one in the file was."""
        note = notes.get("quantization")
        if not isinstance(note, str) or not self.built or self._mode is not None:
            return
        try:
            note = json.loads(note)
            policy = dtype_policies.get(note["policy"])
            config = quantization.config_of(note["config"])
        except (ValueError, TypeError, KeyError) as error:
            raise UnsafeFile(
                f"Layer {self.name!r}: the file's note on its quantization is unreadable: {error}"
            ) from error
        self._quantize_to(policy, config)
