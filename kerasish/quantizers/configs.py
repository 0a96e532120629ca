"""How a layer or model is to be quantized: one class for each mode."""

from __future__ import annotations

from typing import Any

from kerasish.errors import InvalidArgument, StateError
from kerasish.quantizers import quantizer


class QuantizationConfig:
    """The base of the modes' configs.

    Args:
        weight_quantizer: makes the weights integers; `None` is the mode's own.
        activation_quantizer: makes a layer's inputs integers; `None` leaves them floats.

    >>> import kerasish as keras
    >>> keras.quantizers.Int8QuantizationConfig(activation_quantizer=None).mode
    'int8'
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None):
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """The name of the mode, such as `"int8"`."""
        raise StateError(f"{type(self).__name__} names no mode. Use one of its subclasses.")

    def dtype_policy_string(self) -> str:
        """The mode as dtype policies spell it, with its numbers."""
        return self.mode

    def weight_quantizer_or_default(self, default: Any) -> Any:
        """The weights' quantizer, or `default` where none was given."""
        return default if self.weight_quantizer is None else self.weight_quantizer

    def activation_quantizer_or_default(self, default: Any) -> Any:
        """The activations' quantizer, or `default` where none was given."""
        return default if self.activation_quantizer is None else self.activation_quantizer

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {
            "weight_quantizer": quantizer.serialize(self.weight_quantizer),
            "activation_quantizer": quantizer.serialize(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An object with this config."""
        return cls(**{
            key: quantizer.get(value) if key.endswith("_quantizer") else value
            for key, value in config.items()
        })  # fmt: skip


def _named(config: QuantizationConfig, what: str, given: Any, dtype: str) -> Any:
    """A quantizer from whatever names it, refused where it makes other integers."""
    found = quantizer.get(given)
    made = getattr(found, "output_dtype", dtype)
    if made != dtype:
        raise InvalidArgument(
            f"{type(config).__name__} needs a {what} with output_dtype={dtype!r}, got {made!r}."
        )
    return found


class Int8QuantizationConfig(QuantizationConfig):
    """8-bit weights, and inputs made 8-bit integers when the layer is called.

    Args:
        weight_quantizer: `None` is `AbsMaxQuantizer`.
        activation_quantizer: `"default"` is `AbsMaxQuantizer`; `None` leaves inputs floats.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(4)])
    >>> model.quantize(config=keras.quantizers.Int8QuantizationConfig(activation_quantizer=None))
    >>> model.layers[0].dtype_policy.name
    'int8_from_float32'
    """

    mode: str = "int8"

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default"):
        if activation_quantizer == "default":
            activation_quantizer = quantizer.AbsMaxQuantizer()
        super().__init__(
            _named(self, "weight_quantizer", weight_quantizer, "int8"),
            _named(self, "activation_quantizer", activation_quantizer, "int8"),
        )


class Int4QuantizationConfig(QuantizationConfig):
    """4-bit weights, two in each byte, with a scale and a zero point for each block.

    Args:
        weight_quantizer: `None` is `AbsMaxQuantizer` with range (-8, 7).
        activation_quantizer: `"default"` and `None` leave inputs floats.
        block_size: the number of input features that share a scale; `None` or -1: all of them,
            without a zero point.

    >>> import kerasish as keras
    >>> layer = keras.layers.Dense(4)
    >>> layer.build((None, 64))
    >>> layer.quantize(config=keras.quantizers.Int4QuantizationConfig(block_size=32))
    >>> layer.dtype_policy.name
    'int4/32_from_float32'
    """

    mode: str = "int4"

    def __init__(
        self, weight_quantizer: Any = None, activation_quantizer: Any = "default",
        block_size: int | None = 128,
    ):  # fmt: skip
        if block_size is not None and block_size != -1 and not (
            isinstance(block_size, int) and block_size > 0
        ):
            raise InvalidArgument(
                f"block_size is None, -1 or a positive integer, got {block_size!r}."
            )
        if activation_quantizer == "default":
            activation_quantizer = None
        super().__init__(
            _named(self, "weight_quantizer", weight_quantizer, "int8"),
            _named(self, "activation_quantizer", activation_quantizer, "int8"),
        )
        self.block_size = block_size
        if self.groups and (weight_quantizer or activation_quantizer) is not None:
            raise InvalidArgument(
                f"Blocks of {block_size} have their own rule and take no quantizers. Pass "
                "block_size=-1, or no quantizers."
            )

    @property
    def groups(self) -> int | None:
        """The size of blocks, `None` where there is one."""
        return None if self.block_size in (None, -1) else self.block_size

    def dtype_policy_string(self) -> str:
        return f"int4/{self.groups or -1}"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block_size": self.block_size}


class Float8QuantizationConfig(QuantizationConfig):
    """Products of float8 numbers, forward and backward, with scales kept while training.

    Micikevicius et al. (2022), https://arxiv.org/abs/2209.05433

    >>> import kerasish as keras
    >>> layer = keras.layers.Dense(4)
    >>> layer.build((None, 64))
    >>> layer.quantize(config=keras.quantizers.Float8QuantizationConfig())
    >>> layer.dtype_policy.name
    'float8_from_float32'
    """

    mode: str = "float8"

    def __init__(self) -> None:
        super().__init__()

    def get_config(self) -> dict[str, Any]:
        return {}


class _CalibratedConfig(QuantizationConfig):
    """What GPTQ and AWQ have in common: data to see a model's activations on."""

    _bits: tuple[int, ...] = ()

    def __init__(
        self, dataset: Any, tokenizer: Any, weight_bits: int, num_samples: int,
        sequence_length: int, group_size: int, quantization_layer_structure: dict | None,
    ):  # fmt: skip
        super().__init__()
        if weight_bits not in self._bits:
            raise InvalidArgument(
                f"{type(self).__name__} takes weight_bits in {self._bits}, got {weight_bits!r}."
            )
        self._check_positive(num_samples=num_samples, sequence_length=sequence_length)
        if group_size != -1:
            self._check_positive(group_size=group_size)
        self.dataset = dataset
        self.tokenizer = tokenizer
        self.weight_bits = weight_bits
        self.num_samples = num_samples
        self.sequence_length = sequence_length
        self.group_size = group_size
        self.quantization_layer_structure = quantization_layer_structure

    def _check_positive(self, **numbers: Any) -> None:
        for name, n in numbers.items():
            if not isinstance(n, int) or n <= 0:
                also = ", or -1 for all" if name == "group_size" else ""
                raise InvalidArgument(
                    f"{type(self).__name__}: {name} is a positive integer{also}, got {n!r}."
                )

    def dtype_policy_string(self) -> str:
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    _numbers: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        """The numbers; data, tokenizer and layers belong to the run that used them."""
        return {
            "dataset": None, "tokenizer": None,
            **{name: getattr(self, name) for name in self._numbers},
            "quantization_layer_structure": None,
        }  # fmt: skip


class GPTQConfig(_CalibratedConfig):
    """Weights rounded one column after the other, each error made up for by the rest.

    Frantar et al. (2022), https://arxiv.org/abs/2210.17323.

    Args:
        dataset: texts, or arrays of tokens, to run the model on.
        tokenizer: a function from text to tokens, or an object with `tokenize`.
        weight_bits: 2, 3, 4 or 8.
        num_samples: how many sequences are taken from the data.
        per_channel: whether each output has a scale of its own.
        sequence_length: the length of a sequence.
        hessian_damping: the part of the mean diagonal that is added to it.
        group_size: how many inputs share a scale; -1: all.
        symmetric: whether the zero point is fixed in the middle.
        activation_order: begin with the columns that matter most.
        quantization_layer_structure: `{"pre_block_layers": [...], "sequential_blocks": [...]}`;
            `None` asks the model's `get_quantization_layer_structure("gptq")`.

    >>> import numpy as np
    >>> import kerasish as keras
    >>> first = keras.layers.Embedding(20, 8)
    >>> block = keras.Sequential([keras.Input((5, 8)), keras.layers.Dense(8)])
    >>> model = keras.Sequential([keras.Input((5,)), first, block])
    >>> config = keras.quantizers.GPTQConfig(
    ...     np.arange(60).reshape(4, 15) % 20, None, num_samples=8, sequence_length=5, group_size=4,
    ...     quantization_layer_structure={"pre_block_layers": [first],
    ...                                   "sequential_blocks": [block]})
    >>> model.quantize("gptq", config=config)
    >>> block.layers[0].dtype_policy.name
    'gptq/4/4_from_float32'
    """

    mode: str = "gptq"
    _bits = (2, 3, 4, 8)
    _numbers = ("weight_bits", "num_samples", "per_channel", "sequence_length",
                "hessian_damping", "group_size", "symmetric", "activation_order")  # fmt: skip

    def __init__(
        self, dataset: Any, tokenizer: Any, *, weight_bits: int = 4, num_samples: int = 128,
        per_channel: bool = True, sequence_length: int = 512, hessian_damping: float = 0.01,
        group_size: int = 128, symmetric: bool = False, activation_order: bool = False,
        quantization_layer_structure: dict | None = None,
    ):  # fmt: skip
        super().__init__(dataset, tokenizer, weight_bits, num_samples, sequence_length,
                         group_size, quantization_layer_structure)  # fmt: skip
        if not 0 <= hessian_damping <= 1:
            raise InvalidArgument(f"hessian_damping is between 0 and 1, got {hessian_damping!r}.")
        self.per_channel = per_channel
        self.hessian_damping = hessian_damping
        self.symmetric = symmetric
        self.activation_order = activation_order


class AWQConfig(_CalibratedConfig):
    """4-bit weights, where inputs that activations make important are scaled up first.

    Lin et al. (2023), https://arxiv.org/abs/2306.00978.

    Args:
        dataset: texts, or arrays of tokens, to run the model on.
        tokenizer: a function from text to tokens, or an object with `tokenize`.
        weight_bits: 4.
        num_samples: how many sequences are taken from the data.
        sequence_length: the length of a sequence.
        group_size: how many inputs share a scale; -1: all.
        num_grid_points: how many exponents are tried for the scaling.
        quantization_layer_structure: as in `GPTQConfig`.

    >>> import kerasish as keras
    >>> config = keras.quantizers.AWQConfig(["some text"], tokenizer=str.encode, group_size=64)
    >>> config.mode, config.dtype_policy_string()
    ('awq', 'awq/4/64')
    """

    mode: str = "awq"
    _bits = (4,)
    _numbers = ("weight_bits", "num_samples", "sequence_length", "group_size", "num_grid_points")

    def __init__(
        self, dataset: Any, tokenizer: Any, *, weight_bits: int = 4, num_samples: int = 128,
        sequence_length: int = 512, group_size: int = 128, num_grid_points: int = 20,
        quantization_layer_structure: dict | None = None,
    ):  # fmt: skip
        super().__init__(dataset, tokenizer, weight_bits, num_samples, sequence_length,
                         group_size, quantization_layer_structure)  # fmt: skip
        self._check_positive(num_grid_points=num_grid_points)
        self.num_grid_points = num_grid_points
