"""Dtype policies: in which dtype a layer keeps its weights and in which it computes."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from kerasish import backends, config, dtypes
from kerasish.core.op import is_symbolic
from kerasish.errors import DTypeError, InvalidArgument

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class DTypePolicy:
    """The dtypes of a layer: a dtype's name for both, or `"mixed_float16"`/`"mixed_bfloat16"`.

    Args:
        name: the name; `None` takes the global policy's.

    >>> import kerasish as keras
    >>> policy = keras.DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')
    """

    quantization_mode: str | None = None
    _by_path = False
    """Whether it holds a policy for each path (`DTypePolicyMap`)."""

    def __init__(self, name: str | None = None):
        name = _global_name() if name is None else name
        if not isinstance(name, str):
            raise DTypeError(f"The name of a dtype policy is a string, got {name!r}.")
        self._name = name
        self._compute_dtype, self._variable_dtype = _dtypes_of(name)

    @property
    def name(self) -> str:
        """The name of the policy."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype that layers compute in."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights."""
        return self._variable_dtype

    def convert_input(self, x: Any, autocast: bool, dtype: Any) -> Any:
        """A layer's input in its compute dtype: arrays become tensors, and floats are cast."""
        dtype = dtypes.standardize(dtype)
        if is_symbolic(x):
            from kerasish import ops

            return ops.cast(x, dtype) if self._casts(x.dtype, autocast, dtype) else x
        if backends.active.owns(x):
            found = backends.active.dtype_of(x)
            return backends.active.cast(x, dtype) if self._casts(found, autocast, dtype) else x
        if hasattr(x, "__array__"):
            x = backends.active.convert(x)
            return self.convert_input(x, autocast, dtype)
        return x

    @staticmethod
    def _casts(found: Any, autocast: bool, dtype: str) -> bool:
        return autocast and found != dtype and dtypes.is_float(found) and dtypes.is_float(dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal policy."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A policy with this config."""
        return cls(**config)

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self.name}">'


class FloatDTypePolicy(DTypePolicy):
    """`DTypePolicy` under its former name, with the same argument.

    >>> import kerasish as keras
    >>> keras.dtype_policies.FloatDTypePolicy("mixed_float16").compute_dtype
    'float16'
    """


class QuantizedDTypePolicy(DTypePolicy):
    """The policy of a quantized layer: a mode such as `"int8"` and the policy it came from.

    Args:
        mode: the quantization mode.
        source_name: the name of the policy that the layer had before; `None`: the global one.

    >>> import kerasish as keras
    >>> policy = keras.dtype_policies.get("int8_from_mixed_bfloat16")
    >>> policy.quantization_mode, policy.compute_dtype, policy.name
    ('int8', 'bfloat16', 'int8_from_mixed_bfloat16')
    """

    _form = "'int8' or 'int4'"

    def __init__(self, mode: str, source_name: str | None = None):
        self._parse(mode)
        self._mode = mode
        self._source_name = _global_name() if source_name is None else source_name
        super().__init__(self._source_name)
        self._name = f"{mode}_from_{self._source_name}"

    def _parse(self, mode: str) -> None:
        if mode not in ("int8", "int4", "float8"):
            self._refuse(mode)
        self.quantization_mode = mode

    def _refuse(self, mode: Any) -> None:
        raise InvalidArgument(
            f"Unknown quantization mode {mode!r} of {type(self).__name__}. Expected {self._form}."
        )

    def _numbers(self, mode: Any, kind: str, count: int) -> list[int]:
        """The integers of a mode such as `gptq/4/128`."""
        head, *rest = str(mode).split("/")
        try:
            numbers = [int(x) for x in rest]
        except ValueError:
            numbers = []
        if head != kind or len(numbers) != count or any(n == 0 or n < -1 for n in numbers):
            self._refuse(mode)
        self.quantization_mode = self.mode = kind
        return numbers

    def get_config(self) -> dict[str, Any]:
        return {"mode": self._mode, "source_name": self._source_name}


class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """The policy of a layer that is trained in float8.

    Args:
        mode: `"float8"`.
        source_name: the name of the policy that the layer had before.
        amax_history_length: how many steps of maxima the scales are taken from.

    >>> import kerasish as keras
    >>> policy = keras.dtype_policies.get("float8_from_mixed_bfloat16")
    >>> policy.compute_dtype, policy.amax_history_length
    ('bfloat16', 1024)
    """

    default_amax_history_length = 1024
    _form = "'float8'"

    def __init__(
        self,
        mode: str = "float8",
        source_name: str | None = None,
        amax_history_length: int = default_amax_history_length,
    ):
        super().__init__(mode, source_name)
        if not isinstance(amax_history_length, int):
            raise DTypeError(f"amax_history_length is an integer, got {amax_history_length!r}.")
        self._amax_history_length = amax_history_length

    def _parse(self, mode: str) -> None:
        if mode != "float8":
            self._refuse(mode)
        self.quantization_mode = mode

    @property
    def amax_history_length(self) -> int:
        return self._amax_history_length

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "amax_history_length": self.amax_history_length}


class Int4DTypePolicy(QuantizedDTypePolicy):
    """The policy of 4-bit weights with one scale for each block.

    Args:
        mode: `"int4/<block_size>"`, the number of inputs that share a scale; -1: all.
        source_name: the name of the policy that the layer had before.

    >>> import kerasish as keras
    >>> keras.dtype_policies.Int4DTypePolicy("int4/128", "float32").block_size
    128
    """

    _form = "'int4/<block_size>', with -1 for one block"

    def _parse(self, mode: str) -> None:
        (self.block_size,) = self._numbers(mode, "int4", 1)


class GPTQDTypePolicy(QuantizedDTypePolicy):
    """The policy of weights quantized by GPTQ (Frantar et al., 2022; see `GPTQConfig`).

    Args:
        mode: `"gptq/<weight_bits>/<group_size>"`; a group size of -1: one group.
        source_name: the name of the policy that the layer had before.

    >>> import kerasish as keras
    >>> policy = keras.dtype_policies.GPTQDTypePolicy("gptq/4/128", "float32")
    >>> policy.weight_bits, policy.group_size
    (4, 128)
    """

    _form = "'gptq/<weight_bits>/<group_size>' with 2, 3, 4 or 8 bits, and -1 for one group"
    _kind, _bits = "gptq", (2, 3, 4, 8)

    def _parse(self, mode: str) -> None:
        self.weight_bits, self.group_size = self._numbers(mode, self._kind, 2)
        if self.weight_bits not in self._bits:
            self._refuse(mode)


class AWQDTypePolicy(GPTQDTypePolicy):
    """The policy of weights quantized by AWQ (Lin et al., 2023; see `AWQConfig`).

    Args:
        mode: `"awq/4/<group_size>"`; a group size of -1: one group.
        source_name: the name of the policy that the layer had before.

    >>> import kerasish as keras
    >>> keras.dtype_policies.AWQDTypePolicy("awq/4/64", "float32").group_size
    64
    """

    _form = "'awq/4/<group_size>', with -1 for one group"
    _kind, _bits = "awq", (4,)


class DTypePolicyMap(DTypePolicy, MutableMapping):
    """Policies of layers by path, or by a regular expression for whole paths.

    Args:
        default_policy: the policy of all other layers; `None`: the global policy.
        policy_map: policies by path or pattern.

    >>> import kerasish as keras
    >>> policies = keras.dtype_policies.DTypePolicyMap("float32")
    >>> policies["encoder/dense"] = keras.DTypePolicy("bfloat16")
    >>> policies["encoder/dense"].name, policies["decoder/dense"].name
    ('bfloat16', 'float32')
    """

    _by_path = True

    def __init__(
        self,
        default_policy: Any = None,
        policy_map: dict[str, Any] | None = None,
    ):
        if isinstance(default_policy, DTypePolicyMap):
            raise InvalidArgument("The default of a DTypePolicyMap cannot be a DTypePolicyMap.")
        if not isinstance(policy_map, dict | None):
            raise DTypeError(f"policy_map is a dict of policies by path, got {policy_map!r}.")
        self._default_argument = default_policy
        self._default = get(default_policy)
        self._policies: dict[str, DTypePolicy] = {}
        self.update(policy_map or {})

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of all other layers."""
        return self._default

    @property
    def name(self) -> str:
        return f"map_{self._default.name}"

    @property
    def compute_dtype(self) -> str:
        return self._default.compute_dtype

    @property
    def variable_dtype(self) -> str:
        return self._default.variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        return self._default.quantization_mode

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policies:
            return self._policies[key]
        found = [pattern for pattern in self._policies if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise InvalidArgument(
                f"The path {key!r} matches more than one pattern of the DTypePolicyMap: {found}."
            )
        return self._policies[found[0]] if found else self._default

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policies:
            raise InvalidArgument(
                f"{key!r} has the policy {self._policies[key]} in this map. Delete it first."
            )
        if not isinstance(policy, DTypePolicy) or isinstance(policy, DTypePolicyMap):
            raise InvalidArgument(f"A DTypePolicyMap holds DTypePolicy objects, got {policy!r}.")
        self._policies[key] = policy

    def __delitem__(self, key: str) -> None:
        del self._policies[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._policies

    def __len__(self) -> int:
        return len(self._policies)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def get_config(self) -> dict[str, Any]:
        default = self._default_argument
        return {
            "default_policy": None if default is None else serialize(self._default),
            "policy_map": {key: serialize(p) for key, p in self._policies.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicyMap:
        """A map with this config."""
        default = config["default_policy"]
        return cls(
            None if default is None else deserialize(default),
            {key: deserialize(p) for key, p in (config["policy_map"] or {}).items()},
        )

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<DTypePolicyMap default={self._default.name}, {self._policies}>"


_global: DTypePolicy | None = None


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none: `floatx` until `set_dtype_policy` was called.

    >>> import kerasish as keras
    >>> keras.config.dtype_policy().name
    'float32'
    """
    return _plain(config.floatx()) if _global is None else _global


def set_dtype_policy(policy: Any) -> None:
    """Sets the policy of layers that are given none.

    Args:
        policy: a `DTypePolicy`, or a name such as `"mixed_bfloat16"` or `"int8_from_float32"`.

    >>> import kerasish as keras
    >>> keras.config.set_dtype_policy("mixed_bfloat16")
    >>> keras.layers.Dense(2).compute_dtype
    'bfloat16'
    >>> keras.config.set_dtype_policy("float32")
    """
    if policy is None:
        raise InvalidArgument("set_dtype_policy takes a DTypePolicy or a name, got None.")
    global _global
    _global = get(policy)


def _global_name() -> str:
    return dtype_policy().name


_cache: dict[str, DTypePolicy] = {}


def _plain(name: str) -> DTypePolicy:
    if name not in _cache:
        _cache[name] = DTypePolicy(name)
    return _cache[name]


def _dtypes_of(name: str) -> tuple[str, str]:
    """(compute dtype, variable dtype) of a policy's name."""
    if name in _MIXED:
        return _MIXED[name], "float32"
    try:
        dtype = dtypes.standardize(name)
    except DTypeError:
        raise InvalidArgument(
            f"Unknown dtype policy {name!r}. Expected a dtype such as 'float32' or 'bfloat16', "
            f"one of {sorted(_MIXED)}, or '<mode>_from_<policy>' with a mode such as 'int8', "
            "'float8', 'int4/128', 'gptq/4/128' or 'awq/4/128'."
        ) from None
    return dtype, dtype


def _quantized(name: str) -> DTypePolicy:
    mode, _, source = name.partition("_from_")
    kind = mode.partition("/")[0]
    cls = {"float8": QuantizedFloat8DTypePolicy, "gptq": GPTQDTypePolicy,
           "awq": AWQDTypePolicy}.get(kind, QuantizedDTypePolicy)  # fmt: skip
    if mode.startswith("int4/"):
        cls = Int4DTypePolicy
    return cls(mode, source)


def get(identifier: Any) -> DTypePolicy:
    """A policy from a name, a dtype in any form, a config, a policy, or `None` (the global one).

    Args:
        identifier: any of these.

    >>> import kerasish as keras
    >>> keras.dtype_policies.get("mixed_float16")
    <DTypePolicy "mixed_float16">
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return _quantized(identifier) if "_from_" in identifier else _plain(identifier)
    if isinstance(identifier, int | float):
        raise InvalidArgument(
            f"A dtype is a name, a dtype object or a DTypePolicy, got {identifier!r}."
        )
    return _plain(dtypes.standardize(identifier))


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """The config of a policy, which `deserialize` makes an equal one from.

    Args:
        dtype_policy: the policy.

    >>> import kerasish as keras
    >>> keras.dtype_policies.serialize(keras.DTypePolicy("bfloat16"))["config"]
    {'name': 'bfloat16'}
    """
    from kerasish.saving import serialization

    config = serialization.serialize_keras_object(dtype_policy)
    if type(dtype_policy) is DTypePolicy:  # as Keras' files have it
        config["module"] = "keras"
    return config


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> DTypePolicy:
    """The policy that a config describes.

    Args:
        config: what `serialize` returned.
        custom_objects: classes by the names that stand in the config.

    >>> import kerasish as keras
    >>> config = keras.dtype_policies.serialize(keras.DTypePolicy("bfloat16"))
    >>> keras.dtype_policies.deserialize(config)
    <DTypePolicy "bfloat16">
    """
    from kerasish.saving import serialization

    return serialization.deserialize_keras_object(config, custom_objects=custom_objects)
