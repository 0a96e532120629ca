"""Quantized layers: a mode says how a kernel is stored, read back and used.

A layer names its kernels (`Kernel`), and everything else is the mode's: `attach` replaces the
kernel's variable by those that hold its bits, `read` makes floats of them, `product` uses them.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from typing import Any

import numpy as np

from kerasish import backends, dtype_policies, ops
from kerasish.errors import InvalidArgument
from kerasish.quantizers import calibrated, configs, numeric
from kerasish.quantizers.quantizer import AbsMaxQuantizer


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A matrix that a layer multiplies inputs with, or looks rows up in.

    Args:
        name: its variable's name.
        attribute: the layer's attribute that holds the variable.
        transposed: whether inputs are along the last axis instead of the first.
        packed_inputs: the number of inputs, where two of them share a byte; else outputs do.
    """

    name: str
    attribute: str
    transposed: bool = False
    packed_inputs: int | None = None

    @property
    def input_axes(self) -> tuple[int, ...]:
        """The axes of the layer's inputs that the product sums over."""
        return (-1,)

    @property
    def axis(self) -> int:
        """The axis of the matrix that the product sums over."""
        return -1 if self.transposed else -2

    @property
    def packed_axis(self) -> int:
        return self.axis if self.packed_inputs else -3 - self.axis

    @property
    def summed(self) -> Any:
        """The axes that the product sums over, in the shape that the layer was built with."""
        return self.axis

    def matrix(self, x: np.ndarray, ordered: bool) -> np.ndarray:
        """The kernel as (inputs, outputs); an unordered one is only reshaped."""
        return x.T if self.transposed else x

    def restore(self, matrix: Any, ordered: bool) -> Any:
        """The kernel of a matrix that `read` made."""
        return matrix

    def narrow(self, scale: np.ndarray) -> np.ndarray:
        """A scale for each output, from the shape that it has beside the kernel."""
        return np.squeeze(scale, self.axis)

    def widen(self, scale: Any) -> Any:
        """The inverse of `narrow`."""
        return ops.expand_dims(scale, self.axis)

    def low_rank(self, x: Any, a: Any, b: Any, product: Any) -> Any:
        """`product(x, a @ b)`, without the large matrix where it need not be made."""
        first, second = (b, a) if self.transposed else (a, b)
        return product(product(x, first), second)

    def beside(self, scale: Any, rank: int) -> Any:
        """A narrow scale in a shape that goes with outputs of that many axes."""
        return scale


@dataclasses.dataclass(frozen=True)
class EinsumKernel(Kernel):
    """The kernel of an einsum equation, as a matrix from what is summed to all else."""

    equation: str = ""
    shape: tuple[int, ...] = ()

    @functools.cached_property
    def letters(self) -> tuple[str, str, str]:
        """The indices of input, kernel and output; a dot stands for an ellipsis."""
        left, output = self.equation.replace(" ", "").replace("...", ".").split("->")
        inputs, kernel = left.split(",")
        return inputs, kernel, output

    @functools.cached_property
    def summed(self) -> tuple[int, ...]:
        inputs, kernel, output = self.letters
        return tuple(i for i, c in enumerate(kernel) if c not in output)

    @functools.cached_property
    def input_axes(self) -> tuple[int, ...]:
        inputs, kernel, _ = self.letters
        # Axes before an ellipsis are counted from the front, those behind it from the back.
        front = inputs.find(".") if "." in inputs else len(inputs)
        places = [inputs.index(kernel[i]) for i in self.summed]
        return tuple(i if i < front else i - len(inputs) for i in places)

    def _order(self, ordered: bool) -> list[int]:
        axes = list(range(len(self.shape)))
        return [*self.summed, *(i for i in axes if i not in self.summed)] if ordered else axes

    def matrix(self, x: np.ndarray, ordered: bool) -> np.ndarray:
        rows = int(np.prod([self.shape[i] for i in self.summed]))
        return np.transpose(x, self._order(ordered)).reshape(rows, -1)

    def restore(self, matrix: Any, ordered: bool) -> Any:
        order = self._order(ordered)
        x = ops.reshape(matrix, [self.shape[i] for i in order])
        return ops.transpose(x, [order.index(i) for i in range(len(order))]) if ordered else x

    def narrow(self, scale: np.ndarray) -> np.ndarray:
        # A scale divides outputs, so it is kept with an axis for each of theirs.
        _, kernel, output = self.letters
        kept = [c for c in output if c in kernel]
        axes = [kernel.index(c) for c in kept] + list(self.summed)
        scale = np.transpose(scale, axes)
        return scale.reshape([self.shape[kernel.index(c)] if c in kernel else 1 for c in output])

    def widen(self, scale: Any) -> Any:
        _, kernel, output = self.letters
        kept = [c for c in output if c in kernel]
        x = ops.reshape(scale, [self.shape[kernel.index(c)] for c in kept])
        x = ops.transpose(x, tuple(kept.index(c) for c in kernel if c in kept))
        return ops.reshape(
            x, [1 if i in self.summed else n for i, n in enumerate(self.shape)]
        )

    def low_rank(self, x: Any, a: Any, b: Any, product: Any) -> Any:
        return product(x, ops.matmul(a, b))

    def beside(self, scale: Any, rank: int) -> Any:
        output = self.letters[2]
        if "." not in output:
            return scale
        place, shape = output.index("."), list(scale.shape)
        elided = [1] * (rank - len(output) + 1)
        return ops.reshape(scale, [*shape[:place], *elided, *shape[place + 1:]])


class Mode(abc.ABC):
    """One way to quantize: what variables a layer has and how it multiplies.

    Args:
        policy: the layer's dtype policy, which holds the mode's numbers.
        config: its `QuantizationConfig`, or `None`.
        statistics: what an `Observer` saw of the layer's inputs, for modes that use it.
    """

    config_class: type[configs.QuantizationConfig]
    lookup = True
    """Whether rows can be looked up in a kernel of this mode."""

    def __init__(self, policy: Any, config: Any = None, statistics: Any = None):
        self.policy = policy
        self.config = config
        self.statistics = statistics

    @abc.abstractmethod
    def attach(self, layer: Any) -> None:
        """Gives a built layer the variables of this mode."""

    @abc.abstractmethod
    def names(self, kernel: Kernel) -> tuple[str, ...]:
        """The attributes that hold what belongs to a kernel, beside the kernel itself."""

    @abc.abstractmethod
    def kernel(self, layer: Any, kernel: Kernel) -> Any:
        """The kernel as floats."""

    @abc.abstractmethod
    def product(self, layer: Any, kernel: Kernel, x: Any, product: Any) -> Any:
        """`product(x, kernel)` as this mode computes it."""


class Stored(Mode):
    """A mode that keeps kernels as integers, and reads floats from them where they are used."""

    SUFFIXES: tuple[str, ...] = ("", "_scale")
    """The variables of a kernel: what their names add to its own."""

    @abc.abstractmethod
    def store(self, kernel: Kernel, value: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays that stand for a kernel's values, by suffix."""

    @abc.abstractmethod
    def read(self, kernel: Kernel, values: dict[str, Any]) -> Any:
        """Floats from the tensors of those variables, in the order of the stored axes."""

    def attach(self, layer: Any) -> None:
        kernels = layer._kernels()
        held = [getattr(layer, kernel.attribute) for kernel in kernels]
        made = [
            self.store(kernel, v.numpy().astype("float32"))
            for kernel, v in zip(kernels, held, strict=True)
        ]  # fmt: skip
        for kernel, variable, arrays in zip(kernels, held, made, strict=True):
            layer._forget(variable)
            self.put(layer, kernel, arrays)

    def put(self, layer: Any, kernel: Kernel, arrays: dict[str, np.ndarray]) -> None:
        """Makes the variables of a kernel."""
        for suffix, value in arrays.items():
            name = _name(kernel, suffix)
            if suffix not in _SHARED or not hasattr(layer, name):
                variable = layer._add_extra(name, value, trainable=False)
                setattr(layer, name if suffix else kernel.attribute, variable)

    def names(self, kernel: Kernel) -> tuple[str, ...]:
        return tuple(_name(kernel, suffix) for suffix in self.SUFFIXES[1:])

    def values(self, layer: Any, kernel: Kernel) -> dict[str, Any]:
        attributes = (kernel.attribute, *self.names(kernel))
        return {
            suffix: getattr(layer, name).value
            for suffix, name in zip(self.SUFFIXES, attributes, strict=True)
        }  # fmt: skip

    def kernel(self, layer: Any, kernel: Kernel) -> Any:
        return self.read(kernel, self.values(layer, kernel))

    def rows(self, layer: Any, kernel: Kernel, indices: Any) -> Any:
        """Rows of a transposed kernel; only they are read."""
        return self.read(kernel, {
            suffix: x if suffix in _SHARED else ops.take(x, indices, axis=0)
            for suffix, x in self.values(layer, kernel).items()
        })  # fmt: skip

    def product(self, layer: Any, kernel: Kernel, x: Any, product: Any) -> Any:
        return self.stored_product(layer, kernel, self.inputs(kernel, x), product)

    def stored_product(self, layer: Any, kernel: Kernel, x: Any, product: Any) -> Any:
        return product(x, ops.cast(self.kernel(layer, kernel), ops.dtype(x)))

    def inputs(self, kernel: Kernel, x: Any) -> Any:
        """The inputs, rounded where activations are quantized; gradients pass unchanged."""
        quantizer = self.activation_quantizer
        if quantizer is None:
            return x
        integers, scale = _quantized(quantizer, ops.stop_gradient(x), kernel.input_axes)
        rounded = ops.divide(ops.cast(integers, ops.dtype(x)), scale)
        return ops.add(x, ops.stop_gradient(ops.subtract(rounded, x)))

    @property
    def activation_quantizer(self) -> Any:
        return None if self.config is None else self.config.activation_quantizer


_SHARED = ("g_idx", "awq_scales")
"""What belongs to a layer's inputs, whichever its kernels."""


def _name(kernel: Kernel, suffix: str) -> str:
    return suffix if suffix in _SHARED else kernel.name + suffix


def _quantized(quantizer: Any, x: Any, axis: Any, **kwargs: Any) -> Any:
    """`(integers, scale)`; quantizers of other people choose their axes themselves."""
    if isinstance(quantizer, AbsMaxQuantizer):
        return quantizer(x, axis=axis, **kwargs)
    return quantizer(x)


def _integers(config: Any, value: np.ndarray, axis: Any, default: Any) -> Any:
    """A kernel's integers, and a scale for each output."""
    quantizer = default if config is None else config.weight_quantizer_or_default(default)
    integers, scale = map(backends.to_host, _quantized(quantizer, value, axis, to_numpy=True))
    expected = np.empty(value.shape, "bool").any(axis, keepdims=True).shape
    if np.shape(scale) != expected:
        raise InvalidArgument(
            f"The weight quantizer {type(quantizer).__name__} made scales of shape "
            f"{np.shape(scale)} for weights of shape {value.shape}. Expected one for each output, "
            f"of shape {expected}."
        )
    return integers, scale


class Int8(Stored):
    """A byte for each weight and a scale for each output."""

    config_class = configs.Int8QuantizationConfig

    def store(self, kernel: Kernel, value: np.ndarray) -> dict[str, np.ndarray]:
        integers, scale = _integers(self.config, value, kernel.summed, AbsMaxQuantizer())
        return {"": integers, "_scale": kernel.narrow(scale)}

    def read(self, kernel: Kernel, values: dict[str, Any]) -> Any:
        scale = values["_scale"]
        return ops.divide(ops.cast(values[""], ops.dtype(scale)), kernel.widen(scale))

    def stored_product(self, layer: Any, kernel: Kernel, x: Any, product: Any) -> Any:
        dtype = ops.dtype(x)
        if dtype == "float16":  # whose range sums of integers leave
            return super().stored_product(layer, kernel, x, product)
        # The outputs are fewer than the weights, as a rule: they are divided instead.
        values = self.values(layer, kernel)
        y = product(x, ops.cast(values[""], dtype))
        return ops.divide(y, ops.cast(kernel.beside(values["_scale"], len(y.shape)), dtype))

    @property
    def activation_quantizer(self) -> Any:
        return _DEFAULT if self.config is None else self.config.activation_quantizer


_DEFAULT = AbsMaxQuantizer()


class Grouped(Stored):
    """Small integers with a scale and a zero point for each group of inputs of each output."""

    SUFFIXES = ("", "_scale", "_zero", "g_idx")
    bits, dtype = 4, "int8"
    value_range: tuple[int, int] = (-8, 7)
    ordered = False
    """Whether the stored matrix has all inputs along one axis, whatever the equation: Keras'
    files have int4 kernels in the order of the kernel's own axes."""

    @property
    @abc.abstractmethod
    def group_size(self) -> int:
        """How many inputs share a scale; -1: all."""

    def layout(self, kernel: Kernel) -> tuple[bool, int]:
        """(whether inputs are along the last axis, the packed axis) of the stored matrix."""
        return kernel.transposed, kernel.packed_axis

    def store(self, kernel: Kernel, value: np.ndarray) -> dict[str, np.ndarray]:
        matrix = kernel.matrix(value, self.ordered)
        rows = matrix.shape[0]
        size = rows if self.group_size == -1 else self.group_size
        integers, scale, zero = map(
            backends.to_host, numeric.abs_max_quantize_grouped_with_zero_point(
                matrix, size, self.value_range, self.dtype, to_numpy=True
            )
        )  # fmt: skip
        return self.arrays(kernel, integers, scale, zero, np.arange(rows) // size)

    def arrays(
        self, kernel: Kernel, integers: Any, scale: Any, zero: Any, groups: Any
    ) -> dict[str, np.ndarray]:
        """What is stored of (inputs, outputs) integers and (groups, outputs) scales and zeros."""
        transposed, packed_axis = self.layout(kernel)
        turn = np.transpose if transposed else np.asarray
        return {
            "": self.pack(turn(integers), packed_axis), "_scale": turn(scale),
            "_zero": turn(zero), "g_idx": np.asarray(groups, "float32"),
        }  # fmt: skip

    def pack(self, integers: np.ndarray, axis: int) -> np.ndarray:
        if self.bits != 4:
            return integers
        return backends.to_host(numeric.pack_int4(integers, axis, self.dtype)[0])

    def unpack(self, kernel: Kernel, packed: Any, scale: Any) -> Any:
        if self.bits != 4:
            return packed
        transposed, axis = self.layout(kernel)
        inputs_packed = (axis == -1) == transposed
        size: Any = kernel.packed_inputs if inputs_packed else scale.shape[axis]
        return numeric.unpack_int4(packed, size, axis, self.dtype)

    def read(self, kernel: Kernel, values: dict[str, Any]) -> Any:
        transposed, _ = self.layout(kernel)
        axis = -1 if transposed else -2
        scale, groups = values["_scale"], ops.cast(values["g_idx"], "int32")
        one = scale.shape[axis] == 1
        of_group = lambda t: t if one else ops.take(t, groups, axis=axis)
        # Differences fit in as few bits, and small integers take less time to move than floats.
        small = "int16" if self.bits == 8 else "int8"
        x, zero = (
            ops.cast(t, small)
            for t in (self.unpack(kernel, values[""], scale), values["_zero"])
        )  # fmt: skip
        x = ops.cast(ops.subtract(x, of_group(zero)), ops.dtype(scale))
        x = ops.multiply(x, of_group(scale))
        return x if transposed == kernel.transposed else ops.transpose(x)

    def kernel(self, layer: Any, kernel: Kernel) -> Any:
        return kernel.restore(super().kernel(layer, kernel), self.ordered)


class Int4(Grouped):
    """Two weights in a byte, in blocks of inputs."""

    config_class = configs.Int4QuantizationConfig

    @property
    def group_size(self) -> int:
        return self.policy.block_size


class Int4PerOutput(Int4):
    """Two weights in a byte, and one scale for each output."""

    SUFFIXES = ("", "_scale")

    def store(self, kernel: Kernel, value: np.ndarray) -> dict[str, np.ndarray]:
        quantizer = AbsMaxQuantizer(value_range=self.value_range)
        integers, scale = _integers(self.config, kernel.matrix(value, self.ordered), 0, quantizer)
        integers = integers.T if kernel.transposed else integers
        return {"": self.pack(integers, kernel.packed_axis), "_scale": scale.reshape(-1)}

    def read(self, kernel: Kernel, values: dict[str, Any]) -> Any:
        scale = ops.expand_dims(values["_scale"], kernel.axis)
        x = self.unpack(kernel, values[""], scale)
        return ops.divide(ops.cast(x, ops.dtype(scale)), scale)


class GPTQ(Grouped):
    """Bytes or half bytes, one row for each output, in groups of inputs."""

    config_class = configs.GPTQConfig
    dtype = "uint8"
    ordered = True
    lookup = False

    def __init__(self, policy: Any, config: Any = None, statistics: Any = None):
        super().__init__(policy, config, statistics)
        self.bits = policy.weight_bits
        self.value_range = (0, 2**self.bits - 1)

    @property
    def group_size(self) -> int:
        return self.policy.group_size

    def layout(self, kernel: Kernel) -> tuple[bool, int]:
        return True, -2

    def store(self, kernel: Kernel, value: np.ndarray) -> dict[str, np.ndarray]:
        seen, self.statistics = self.statistics, None
        if seen is None:
            return super().store(kernel, value)
        matrix = kernel.matrix(value, self.ordered)
        return self.arrays(kernel, *self.round(matrix, seen))

    def round(self, matrix: np.ndarray, seen: Observer) -> Any:
        """(integers, scales, zero points, groups) that suit the inputs that were seen."""
        return calibrated.gptq(matrix, seen.gram, self.config)


class AWQ(GPTQ):
    """The same in 4 bits, of a kernel whose inputs were scaled."""

    config_class = configs.AWQConfig
    SUFFIXES = ("", "_scale", "_zero", "awq_scales", "g_idx")

    def round(self, matrix: np.ndarray, seen: Observer) -> Any:
        return calibrated.awq(matrix, seen.gram, seen.magnitude, self.config)

    def arrays(
        self, kernel: Kernel, integers: Any, scale: Any, zero: Any, groups: Any,
        input_scales: Any = None,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        if input_scales is None:
            input_scales = np.ones(len(groups), "float32")
        arrays = super().arrays(kernel, integers, scale, zero, groups)
        return {**arrays, "awq_scales": input_scales}

    def read(self, kernel: Kernel, values: dict[str, Any]) -> Any:
        scales = ops.expand_dims(values["awq_scales"], -3 - kernel.axis)
        return ops.divide(super().read(kernel, values), scales)


class Observer(Mode):
    """Changes nothing, and keeps the mean square and magnitude of the inputs that it sees."""

    def __init__(self, policy: Any = None):
        super().__init__(policy)
        self.count = 0
        self._gram: Any = 0.0
        self._magnitude: Any = 0.0

    @property
    def gram(self) -> np.ndarray:
        """The mean of x x^T over all inputs x."""
        return self._gram / max(self.count, 1)

    @property
    def magnitude(self) -> np.ndarray:
        """The mean of |x|."""
        return self._magnitude / max(self.count, 1)

    def attach(self, layer: Any) -> None:
        layer._mode, layer._adapted = self, True

    def detach(self, layer: Any) -> None:
        layer._mode, layer._adapted = None, layer.lora_enabled

    def names(self, kernel: Kernel) -> tuple[str, ...]:
        return ()

    def kernel(self, layer: Any, kernel: Kernel) -> Any:
        return getattr(layer, kernel.attribute)

    def product(self, layer: Any, kernel: Kernel, x: Any, product: Any) -> Any:
        axes = kernel.input_axes
        last = tuple(range(-len(axes), 0))
        rows = np.moveaxis(backends.to_host(x).astype("float64"), axes, last)
        rows = rows.reshape(-1, int(np.prod(rows.shape[last[0]:])))
        self.count += len(rows)
        self._gram = self._gram + rows.T @ rows
        self._magnitude = self._magnitude + np.abs(rows).sum(0)
        return product(x, ops.cast(self.kernel(layer, kernel), ops.dtype(x)))


class Float8(Mode):
    """Products of float8 numbers, scaled by what was seen in the steps before.

    Micikevicius et al. (2022), https://arxiv.org/abs/2209.05433.
    """

    config_class = configs.Float8QuantizationConfig
    lookup = False

    def attach(self, layer: Any) -> None:
        length = self.policy.amax_history_length
        (kernel,) = layer._kernels()
        for name in self.names(kernel):
            value = np.ones(()) if name.endswith("scale") else np.zeros(length)
            setattr(layer, name, layer._add_extra(
                name, value.astype("float32"), overwrite_with_gradient=True
            ))  # fmt: skip

    def names(self, kernel: Kernel) -> tuple[str, ...]:
        return tuple(f"{what}_{kind}" for what in ("inputs", "kernel", "outputs_grad")
                     for kind in ("scale", "amax_history"))

    def kernel(self, layer: Any, kernel: Kernel) -> Any:
        return getattr(layer, kernel.attribute)

    def product(self, layer: Any, kernel: Kernel, x: Any, product: Any) -> Any:
        weights = ops.cast(self.kernel(layer, kernel), ops.dtype(x))
        y = product(
            _to_float8(x, layer.inputs_scale, layer.inputs_amax_history),
            _to_float8(weights, layer.kernel_scale, layer.kernel_amax_history),
        )  # fmt: skip
        return _gradient_to_float8(y, layer.outputs_grad_scale, layer.outputs_grad_amax_history)


def _next_scale(x: Any, scale: Any, history: Any, dtype: str) -> tuple[Any, Any]:
    """What the scale and the history become after a step that saw `x`."""
    scale = numeric.compute_float8_scale(ops.max(history), scale, numeric.largest(dtype))
    return scale, numeric.compute_float8_amax_history(x, history)


@ops.custom_gradient
def _to_float8(x: Any, scale: Any, history: Any) -> Any:
    """`x` rounded to float8; the "gradients" of scale and history are their next values."""

    def grad(upstream: Any) -> Any:
        return upstream, *_next_scale(x, scale, history, "float8_e4m3fn")

    return numeric.quantize_and_dequantize(x, scale, "float8_e4m3fn", ops.dtype(x)), grad


@ops.custom_gradient
def _gradient_to_float8(y: Any, scale: Any, history: Any) -> Any:
    """`y` itself, with its gradient rounded to float8."""

    def grad(upstream: Any) -> Any:
        rounded = numeric.quantize_and_dequantize(
            upstream, scale, "float8_e5m2", ops.dtype(upstream)
        )
        return rounded, *_next_scale(upstream, scale, history, "float8_e5m2")

    return y, grad


MODES: dict[str, type[Mode]] = {
    "int8": Int8, "float8": Float8, "int4": Int4, "gptq": GPTQ, "awq": AWQ,
}  # fmt: skip


def mode_of(policy: Any, config: Any, statistics: Any = None) -> Any:
    """The `Mode` of a quantized policy, `None` of another."""
    name = policy.quantization_mode
    if name is None:
        return None
    if name == "int4" and getattr(policy, "block_size", -1) == -1:
        return Int4PerOutput(policy, config)
    return MODES[name](policy, config, statistics)


def resolve(mode: Any, config: Any) -> configs.QuantizationConfig:
    """The config that the arguments of `quantize` ask for."""
    if config is not None and not isinstance(config, configs.QuantizationConfig):
        raise InvalidArgument(
            f"The config of quantize() is one of keras.quantizers.*Config, got {config!r}."
        )
    if mode is None:
        if config is None:
            raise InvalidArgument("quantize() needs a mode or a config.")
        return config
    if mode not in MODES:
        raise InvalidArgument(f"Unknown quantization mode {mode!r}. Expected one of {list(MODES)}.")
    if config is not None:
        if config.mode != mode:
            raise InvalidArgument(f"quantize() got mode={mode!r} and a config of {config.mode!r}.")
        return config
    if mode in ("gptq", "awq"):
        name = MODES[mode].config_class.__name__
        raise InvalidArgument(
            f"{mode} needs data: pass config=keras.quantizers.{name}(dataset, tokenizer)."
        )
    return MODES[mode].config_class()


def config_of(config: Any) -> Any:
    """A layer's `quantization_config`, also from the dict that a file has."""
    if isinstance(config, dict):
        from kerasish.saving import serialization

        return serialization.deserialize_keras_object(config)
    return config


def policy_of(config: configs.QuantizationConfig, before: Any) -> Any:
    """The dtype policy of a layer that had the policy `before`."""
    return dtype_policies.get(f"{config.dtype_policy_string()}_from_{before.name}")
