"""Dense, EinsumDense, Embedding and the small layers around them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish import activations, constraints, initializers, ops, regularizers
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import DTypeError, InvalidArgument
from kerasish.layers.adaptation import Adaptable
from kerasish.layers.base import Layer
from kerasish.layers.input_spec import InputSpec
from kerasish.layers.quantization import EinsumKernel, Kernel, config_of
from kerasish.ops.linear import _dense
from kerasish.saving import serialization


class Dense(Adaptable):
    """`activation(inputs @ kernel + bias)`: `(batch, ..., d)` -> `(batch, ..., units)`.

    Args:
        units: the size of the output's last axis.
        activation: a function or its name.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.
        lora_rank, lora_alpha: train a low-rank update of a frozen kernel (Hu et al., 2021,
            https://arxiv.org/abs/2106.09685).
        quantization_config: how `quantize` quantises.

    >>> import kerasish as keras
    >>> keras.layers.Dense(3, activation="relu")(keras.ops.ones((2, 4))).shape
    (2, 3)
    """

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, lora_rank: int | None = None, lora_alpha: Any = None,
        quantization_config: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not isinstance(units, int | np.integer) or units <= 0:
            raise InvalidArgument(f"Dense needs units > 0, got {units!r}.")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_rank if lora_alpha is None else lora_alpha
        self.quantization_config = config_of(quantization_config)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        self._kernel_shape = (size, self.units)
        self._kernel = self.add_weight(
            name="kernel", shape=self._kernel_shape, initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias: Any = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2, axes={-1: size})

    def _kernels(self) -> tuple[Kernel, ...]:
        return (Kernel("kernel", "_kernel"),)

    def call(self, inputs: Any, training: Any = None) -> Any:
        if self._adapted:
            x = self._adapted_product(inputs, ops.matmul)
            x = x if self.bias is None else ops.add(x, self.bias)
        else:
            bias = self.bias
            x = _dense(inputs, self._kernel.value, None if bias is None else bias.value)
        return x if self.activation is activations.linear else self.activation(x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)


class EinsumDense(Adaptable):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: an einsum equation of input and kernel, such as `"abc,cd->abd"`.
        output_shape: the output's shape without the batch axis (`None` for unknown sizes).
        activation: a function or its name.
        bias_axes: the output axes (letters) that the bias has.
        kernel_initializer, bias_initializer, ...: as in `Dense`.

    >>> import kerasish as keras
    >>> layer = keras.layers.EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
    >>> layer(keras.ops.ones((2, 5, 8))).shape
    (2, 5, 64)
    """

    def __init__(
        self, equation: str, output_shape: Any, activation: Any = None, bias_axes: Any = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None,
        lora_rank: int | None = None, lora_alpha: Any = None,
        gptq_unpacked_column_size: Any = None, quantization_config: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.equation = equation
        self.partial_output_shape = (
            (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        )
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_rank if lora_alpha is None else lora_alpha
        self.gptq_unpacked_column_size = gptq_unpacked_column_size
        self.quantization_config = config_of(quantization_config)

    def build(self, input_shape: Any) -> None:
        self._kernel_shape, bias_shape, self.full_output_shape = _einsum_shapes(
            self.equation, self.bias_axes, tuple(input_shape), self.partial_output_shape
        )
        self._kernel = self.add_weight(
            name="kernel", shape=self._kernel_shape, initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias: Any = None
        if bias_shape is not None:
            self.bias = self.add_weight(
                name="bias", shape=bias_shape, initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def _kernels(self) -> tuple[Kernel, ...]:
        return (EinsumKernel(
            "kernel", "_kernel", equation=self.equation, shape=self._kernel_shape
        ),)  # fmt: skip

    def call(self, inputs: Any, training: Any = None) -> Any:
        product = lambda x, kernel: ops.einsum(self.equation, x, kernel)
        x = self._adapted_product(inputs, product) if self._adapted else product(
            inputs, self._kernel.value
        )
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return self.activation(x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return _einsum_shapes(
            self.equation, self.bias_axes, tuple(input_shape), self.partial_output_shape
        )[2]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_shape": self.partial_output_shape}


def _einsum_shapes(equation: str, bias_axes: Any, inputs: Any, outputs: Any) -> Any:
    """(kernel shape, bias shape, output shape) that an equation asks for."""
    term = r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?"
    match = re.fullmatch(rf"{term},([a-zA-Z]+)->{term}", equation.replace(" ", ""))
    if match is None:
        raise InvalidArgument(
            f"EinsumDense got equation {equation!r}; it takes 'input,kernel->output', such as "
            "'abc,cd->abd', '...x,xy->...y' or 'ab...,bc->ac...'."
        )
    left, x, right, kernel, _, y, _ = match.groups()
    extra = len(inputs) - len(x)
    if extra < 0 or (extra and not (left or right)):
        raise InvalidArgument(
            f"EinsumDense: input shape {inputs} does not fit {x!r} of equation {equation!r}."
        )
    if left:
        shape_of = dict(zip(x, inputs[extra:], strict=True))
        elided = inputs[:extra]
    else:
        shape_of = dict(zip(x, inputs[: len(x)], strict=True))
        elided = inputs[len(x):]
    outputs = tuple(outputs)
    if left:
        partial = outputs[-len(y):]
    else:
        partial = ((inputs[0], *outputs) if len(outputs) < len(y) or not right else
                   (inputs[0], *outputs))[: len(y)]
    if len(partial) < len(y):
        partial = (*([None] * (len(y) - len(partial))), *partial)
    out_of = {}
    for letter, size in zip(y, partial, strict=True):
        known = shape_of.get(letter)
        if letter in shape_of and size is not None and known is not None and size != known:
            raise InvalidArgument(
                f"EinsumDense {equation!r}: axis {letter!r} is {known} in the input and {size} in "
                "output_shape."
            )
        out_of[letter] = known if letter in shape_of else size
    sizes = {**out_of, **{k: v for k, v in shape_of.items() if v is not None}}
    for letter in kernel:
        if sizes.get(letter) is None:
            raise InvalidArgument(
                f"EinsumDense {equation!r}: the size of kernel axis {letter!r} is unknown. Give it "
                "in output_shape or in the Input."
            )
    kernel_shape = tuple(sizes[c] for c in kernel)
    core = tuple(out_of[c] for c in y)
    full = (*elided, *core) if left else (*core, *elided)
    bias_shape = None
    if bias_axes:
        if missing := [c for c in bias_axes if c not in y]:
            raise InvalidArgument(f"bias_axes {missing} are not in the output {y!r}.")
        first = min(y.index(c) for c in bias_axes)
        bias_shape = tuple(out_of[c] if c in bias_axes else 1 for c in y[first:])
        if not left:
            bias_shape += (1,) * len(elided)
    return kernel_shape, bias_shape, full


class Embedding(Adaptable):
    """Turns non-negative integers into vectors.

    Args:
        input_dim: the number of integers (largest + 1).
        output_dim: the size of the vectors.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether 0 is padding that later layers skip.
        weights: an initial table of shape `(input_dim, output_dim)`.
        lora_rank, lora_alpha, quantization_config: as in `Dense`.

    Input shape `(batch, ...)`, output shape `(batch, ..., output_dim)`.

    >>> import kerasish as keras
    >>> keras.layers.Embedding(10, 4)(keras.ops.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    input_dtype: str = "int32"

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None, embeddings_constraint: Any = None,
        mask_zero: bool = False, weights: Any = None, lora_rank: int | None = None,
        lora_alpha: Any = None, quantization_config: Any = None, **kwargs: Any,
    ):  # fmt: skip
        input_length = kwargs.pop("input_length", None)
        del input_length  # of older programs; the input's shape tells it
        super().__init__(**kwargs)
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        if self.input_dim <= 0 or self.output_dim <= 0:
            raise InvalidArgument(
                f"Embedding needs sizes > 0, got input_dim={input_dim}, output_dim={output_dim}."
            )
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False
        self.lora_rank = lora_rank
        self.lora_alpha = lora_rank if lora_alpha is None else lora_alpha
        self.quantization_config = config_of(quantization_config)
        if weights is not None:
            weights = weights if isinstance(weights, list) else [weights]
            mode, policy = self.quantization_mode, self.dtype_policy
            if mode is not None and len(weights) == 1:  # a table of floats, to be quantized
                self.dtype_policy = policy.name.partition("_from_")[2]
            self.build()
            self.set_weights(weights)
            if self.dtype_policy is not policy:
                self.quantize(mode)
                self.dtype_policy = policy

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        self._kernel_shape = (self.input_dim, self.output_dim)
        self._embeddings = self.add_weight(
            name="embeddings", shape=self._kernel_shape,
            initializer=self.embeddings_initializer, regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )  # fmt: skip

    def _kernels(self) -> tuple[Kernel, ...]:
        return (Kernel("embeddings", "_embeddings", True, self.output_dim),)

    @property
    def embeddings(self) -> Any:
        """The table, of shape `(input_dim, output_dim)`."""
        return self.kernel

    def call(self, inputs: Any) -> Any:
        if not _is_integer(inputs):
            inputs = ops.cast(inputs, "int32")
        if self._adapted:
            x = self._adapted_rows(inputs)
        else:
            x = ops.take(self._embeddings.value, inputs, axis=0)
        return ops.cast(x, self.compute_dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)


class ReversibleEmbedding(Embedding):
    """An embedding that also maps vectors back to scores over the integers.

    Press and Wolf (2016), https://arxiv.org/abs/1608.05859

    Args:
        tie_weights: whether the way back uses the same table.
        reverse_dtype: the dtype of the way back.
        logit_soft_cap: scores become `cap * tanh(scores / cap)`.
        (the rest as in `Embedding`)

    Call with `reverse=True` for the way back: `(batch, ..., output_dim)` ->
    `(batch, ..., input_dim)`.

    >>> import kerasish as keras
    >>> layer = keras.layers.ReversibleEmbedding(10, 4)
    >>> vectors = layer(keras.ops.array([[1, 2, 3]]))
    >>> vectors.shape, layer(vectors, reverse=True).shape
    ((1, 3, 4), (1, 3, 10))
    """

    def __init__(
        self, input_dim: int, output_dim: int, tie_weights: bool = True,
        embeddings_initializer: Any = "uniform", embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None, mask_zero: bool = False, reverse_dtype: Any = None,
        logit_soft_cap: float | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(
            input_dim, output_dim, embeddings_initializer, embeddings_regularizer,
            embeddings_constraint, mask_zero, **kwargs,
        )
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                name="reverse_embeddings", shape=(self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
            )

    def _kernels(self) -> tuple[Kernel, ...]:
        if self.tie_weights:
            return super()._kernels()
        back = Kernel("reverse_embeddings", "reverse_embeddings", packed_inputs=self.output_dim)
        return (*super()._kernels(), back)

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if not reverse:
            return super().call(inputs)
        dtype = self.reverse_dtype or self.compute_dtype
        inputs = ops.cast(inputs, dtype)
        kernel = self._kernels()[-1]
        product = (lambda x, k: ops.matmul(x, ops.transpose(k))) if kernel.transposed else (
            ops.matmul
        )
        logits = self._adapted_product(inputs, product, kernel)
        cap = self.logit_soft_cap
        return logits if cap is None else ops.tanh(logits / cap) * cap

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        if reverse:
            return (*input_shape[:-1], self.input_dim)
        return super().compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any, reverse: bool = False) -> Any:
        shape = self.compute_output_shape(inputs.shape, reverse)
        dtype = (self.reverse_dtype or self.compute_dtype) if reverse else self.compute_dtype
        return KerasTensor(shape, dtype)


class Activation(Layer):
    """Applies an activation function.

    Args:
        activation: a function of one tensor, or the name of one in `keras.activations`.

    >>> import kerasish as keras
    >>> keras.layers.Activation("relu")(keras.ops.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.activation = activations.get(activation)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)


class Identity(Layer):
    """Returns its input, with its mask.

    >>> import kerasish as keras
    >>> keras.layers.Identity()(keras.ops.array([1, 2])).tolist()
    [1, 2]
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        return inputs


class Lambda(Layer):
    """Wraps a function as a layer.

    Named functions registered with `@keras.saving.register_keras_serializable` are saved by name;
    lambdas are refused by loaders unless `safe_mode=False`.

    Args:
        function: `f(inputs)`, optionally with `mask` and `training`.
        output_shape: the output's shape without the batch axis, or a function of the input's.
        mask: a mask, or a function `(inputs, mask)`.
        arguments: further keyword arguments of `function`.

    >>> import kerasish as keras
    >>> keras.layers.Lambda(lambda x: x ** 2)(keras.ops.array([3.0])).tolist()
    [9.0]
    """

    def __init__(
        self, function: Callable[..., Any], output_shape: Any = None, mask: Any = None,
        arguments: dict[str, Any] | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        if not callable(function):
            raise DTypeError(f"Lambda wraps a function, got {function!r}.")
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        import inspect

        try:
            names = inspect.signature(function).parameters
        except (TypeError, ValueError):
            names = {}
        self._wants_mask, self._wants_training = "mask" in names, "training" in names

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        kwargs = dict(self.arguments)
        if self._wants_mask:
            kwargs["mask"] = mask
        if self._wants_training:
            kwargs["training"] = training
        return self.function(inputs, **kwargs)

    def compute_output_spec(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        if self._output_shape is None:
            return Layer.compute_output_spec(self, inputs)
        from kerasish import tree
        from kerasish.layers.base import _map_shapes

        if callable(self._output_shape):
            shape = self._output_shape(tree.map_structure(lambda x: x.shape, inputs))
        else:
            batch = tree.flatten(inputs)[0].shape[0]
            shape = _map_shapes(lambda s: (batch, *s), self._output_shape)
        return _map_shapes(lambda s: KerasTensor(s, self.compute_dtype), shape)

    @property
    def _consumes_mask(self) -> bool:
        return self._wants_mask

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        given = {
            "function": self.function, "mask": self.mask, "output_shape": self._output_shape
        }
        for key, value in given.items():
            config.pop(key, None)
            if value is not None:
                config[key] = _function_config(value) if callable(value) else value
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: Any = None
    ) -> Any:
        config = dict(config)
        for key in ("function", "output_shape", "mask"):
            value = config.get(key)
            if isinstance(value, dict) and "class_name" in value:
                config[key] = serialization.deserialize_keras_object(
                    value, custom_objects=custom_objects,
                    safe_mode=serialization.in_safe_mode() if safe_mode is None else safe_mode,
                )
        return cls(**config)


def _function_config(function: Any) -> Any:
    config = serialization.serialize_keras_object(function)
    if isinstance(config, dict) and config["class_name"] == "__lambda__":
        # The form that Keras' Lambda layer reads.
        config["config"] = config["config"]["value"]
    return config


class Masking(Layer):
    """Marks the time steps whose features all equal a value as padding, which later layers skip.

    Args:
        mask_value: the value.

    The output has the input's shape `(batch, steps, d)`, with zeros at masked steps.

    >>> import kerasish as keras
    >>> x = keras.ops.array([[[1.0, 2.0], [0.0, 0.0]]])
    >>> keras.layers.Masking().compute_mask(x).tolist()
    [[True, False]]
    """

    _keeps_dtype = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True
        self.built = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        keep = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return ops.multiply(inputs, ops.cast(keep, ops.dtype(inputs)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class Wrapper(Layer):
    """The base of layers around another layer, kept in `layer`, which it builds and saves.

    Args:
        layer: a `keras.layers.Layer`.

    >>> import kerasish as keras
    >>> class Twice(keras.layers.Wrapper):
    ...     def call(self, inputs):
    ...         return self.layer(self.layer(inputs))
    >>> Twice(keras.layers.Dense(3))(keras.ops.ones((2, 3))).shape
    (2, 3)
    """

    def __init__(self, layer: Layer, **kwargs: Any):
        if not isinstance(layer, Layer):
            raise InvalidArgument(
                f"{type(self).__name__} wraps a keras.layers.Layer, got {layer!r}."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer._build_for({"inputs_shape": input_shape}, single=True)
        self.built = True

    @property
    def _output_dtype(self) -> str:
        return self.layer._output_dtype

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        if isinstance(config.get("layer"), dict):
            config["layer"] = serialization.deserialize_keras_object(
                config["layer"], custom_objects=custom_objects
            )
        return super().from_config(config)


def _is_integer(x: Any) -> bool:
    name = ops.dtype(x)
    return "int" in name
