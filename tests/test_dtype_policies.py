"""Dtype policies: names, configs, the global policy, maps; Keras as a peer."""

import pickle

import numpy as np
import pytest

from kerasish import backends, config, dtype_policies, ops
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import DTypeError, InvalidArgument
from tests.peer import keras_peer


@pytest.fixture(autouse=True)
def _keep_global():
    before = dtype_policies._global
    yield
    dtype_policies._global = before


NAMES = [
    "float32", "float16", "bfloat16", "float64", "int32", "bool", "mixed_float16", "mixed_bfloat16",
    "int8_from_mixed_bfloat16", "int4_from_float32", "int4/64_from_float32", "int4/-1_from_float16",
    "float8_from_mixed_float16", "gptq/4/128_from_float32", "gptq/8/-1_from_mixed_bfloat16",
    "awq/4/128_from_float32",
]  # fmt: skip
FACTS = ("name", "compute_dtype", "variable_dtype", "quantization_mode", "mode", "block_size",
         "weight_bits", "group_size", "amax_history_length")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_mean_what_they_mean_in_keras(name):
    ours, theirs = dtype_policies.get(name), keras_peer().dtype_policies.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    for fact in FACTS:
        assert getattr(ours, fact, None) == getattr(theirs, fact, None), fact
    config = dtype_policies.serialize(ours)
    assert config == keras_peer().dtype_policies.serialize(theirs)
    assert dtype_policies.deserialize(config) == ours
    assert pickle.loads(pickle.dumps(ours)) == ours and hash(ours) == hash(dtype_policies.get(name))


@pytest.mark.parametrize("bad", [
    "mixed", "float7", "", "int8_from_", "int5_from_float32", "gptq_from_float32",
    "gptq/5/128_from_float32", "awq/8/128_from_float32", "int4/0_from_float32", 3, 2.0,
    "float9_from_float32",
])  # fmt: skip
def test_bad_names(bad):
    with pytest.raises(InvalidArgument):
        dtype_policies.get(bad)


def test_other_forms():
    assert dtype_policies.get(np.float16).name == "float16"
    assert dtype_policies.get(np.dtype("float64")).name == "float64"
    policy = dtype_policies.DTypePolicy("bfloat16")
    assert dtype_policies.get(policy) is policy
    assert dtype_policies.get({"class_name": "DTypePolicy", "config": {"name": "float16"}}).name == "float16"
    with pytest.raises(DTypeError):
        dtype_policies.DTypePolicy(3)


def test_the_global_policy(monkeypatch):
    monkeypatch.setattr(dtype_policies, "_global", None)  # as in a new process
    assert config.dtype_policy().name == "float32"
    config.set_floatx("float16")
    assert config.dtype_policy().name == dtype_policies.DTypePolicy().name == "float16"
    config.set_dtype_policy("mixed_bfloat16")
    assert dtype_policies.get(None).name == "mixed_bfloat16"
    assert dtype_policies.QuantizedDTypePolicy("int8").name == "int8_from_mixed_bfloat16"
    config.set_dtype_policy(dtype_policies.get("int8_from_float32"))
    assert config.dtype_policy().quantization_mode == "int8"


def test_mixed_precision_names():
    from kerasish import mixed_precision

    mixed_precision.set_global_policy("mixed_float16")
    assert mixed_precision.global_policy() == mixed_precision.Policy("mixed_float16")
    assert mixed_precision.dtype_policy() is config.dtype_policy()


def test_float8():
    policy = dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32", 8)
    assert policy.amax_history_length == 8 != policy.default_amax_history_length
    assert dtype_policies.deserialize(dtype_policies.serialize(policy)) == policy
    assert policy != dtype_policies.get("float8_from_float32")
    with pytest.raises(InvalidArgument, match="float8"):
        dtype_policies.QuantizedFloat8DTypePolicy("int8")


def test_map():
    policies = dtype_policies.DTypePolicyMap("mixed_float16", {"a/b": dtype_policies.get("bfloat16")})
    policies["c"] = dtype_policies.get("int8_from_float32")
    assert policies["a/b"].name == "bfloat16" and policies["a"].name == "mixed_float16"
    assert list(policies) == ["a/b", "c"] and len(policies) == 2 and "a" not in policies
    assert policies.name == "map_mixed_float16" and policies.compute_dtype == "float16"
    assert policies.variable_dtype == "float32" and policies.quantization_mode is None
    again = dtype_policies.deserialize(dtype_policies.serialize(policies))
    assert dict(again.items()) == dict(policies.items()) and again.default_policy == policies.default_policy
    with pytest.raises(InvalidArgument, match="Delete"):
        policies["c"] = dtype_policies.get("float32")
    with pytest.raises(InvalidArgument, match="holds DTypePolicy"):
        policies["d"] = "float32"
    with pytest.raises(InvalidArgument):
        dtype_policies.DTypePolicyMap(policies)
    with pytest.raises(DTypeError):
        dtype_policies.DTypePolicyMap(policy_map=["a"])
    del policies["c"]
    assert policies["c"].name == "mixed_float16"
    config = dtype_policies.serialize(dtype_policies.DTypePolicyMap())
    assert config["config"] == {"default_policy": None, "policy_map": {}}
    theirs = keras_peer().dtype_policies.deserialize(dtype_policies.serialize(policies))
    assert theirs["a/b"].name == "bfloat16"


def test_convert_input(backend):
    policy = dtype_policies.get("mixed_bfloat16")
    dtype = policy.compute_dtype
    x = policy.convert_input(np.ones(3, "float32"), True, dtype)
    assert backends.active.owns(x) and backends.active.dtype_of(x) == "bfloat16"
    assert backends.active.dtype_of(policy.convert_input(ops.ones(3), False, dtype)) == "float32"
    assert backends.active.dtype_of(policy.convert_input(ops.arange(3), True, dtype)) == "int32"
    assert policy.convert_input(KerasTensor((2,)), True, dtype).dtype == "bfloat16"
    assert policy.convert_input("text", True, dtype) == "text"


def test_the_paths_of_a_map_may_be_patterns():
    policies = dtype_policies.DTypePolicyMap("float32")
    policies["encoder/.*"] = dtype_policies.DTypePolicy("bfloat16")
    policies["encoder/dense"] = dtype_policies.DTypePolicy("float16")
    assert policies["encoder/dense"].name == "float16"
    assert policies["encoder/norm"].name == "bfloat16"
    assert policies["my/encoder/norm"].name == policies["encoder"].name == "float32"
    policies[".*/norm"] = dtype_policies.DTypePolicy("float64")
    with pytest.raises(ValueError, match="more than one pattern"):
        policies["encoder/norm"]
