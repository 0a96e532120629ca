"""Runs every row of the layer table: values, shapes, configs, weights, switching, learning."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, config, tree
from kerasish.core.symbolic import KerasTensor
from tests.conftest import INSTALLED
from tests.layers.cases import ROWS

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
LISTED = ("MultiHeadAttention", "GroupedQueryAttention")


def host(out):
    return tree.map_structure(lambda leaf: np.asarray(backends.to_host(leaf)), out)


def apply(layer, inputs, **kwargs):
    if type(layer).__name__ in LISTED:
        return layer(*inputs, **kwargs)
    return layer(inputs, **kwargs)


def run(row, layer):
    return host(apply(layer, row.inputs, **({"training": True} if row.training else {})))


def make(row):
    keras.utils.clear_session(free_memory=False)  # collecting garbage takes longer than a test
    keras.utils.set_random_seed(1)
    return row.make()


@rows
def test_value(row):
    """Closed forms on NumPy; `test_goes_to_other_backends_and_back` holds the others to it."""
    if row.ref is not None:
        layer = make(row)
        np.testing.assert_allclose(
            run(row, layer), row.ref(layer, row.inputs), rtol=2e-4, atol=2e-5
        )


@rows
def test_symbolic_shape_is_the_real_one(row):
    real = tree.flatten(run(row, make(row)))
    layer = make(row)
    inputs = tree.map_structure(lambda a: KerasTensor((None, *a.shape[1:]), a.dtype.name), row.inputs)
    spec = tree.flatten(apply(layer, inputs))
    assert [(None, *a.shape[1:]) for a in real] == [s.shape for s in spec]
    assert [a.dtype.name for a in real] == [s.dtype for s in spec]
    if type(layer).__name__ not in LISTED:
        shapes = tree.map_structure(lambda a: (None, *a.shape[1:]), row.inputs)
        told = make(row).compute_output_shape(shapes)
        assert told == spec[0].shape or tuple(told) == tuple(s.shape for s in spec)


@rows
def test_symbolic_dtype_of_integers_is_the_real_one(row, backend):
    inputs = tree.map_structure(
        lambda a: a if a.dtype == "int32" else (10 * a).astype("int32"), row.inputs
    )
    symbols = tree.map_structure(lambda a: KerasTensor((None, *a.shape[1:]), "int32"), inputs)
    spec = tree.flatten(apply(make(row), symbols))
    real = tree.flatten(apply(make(row), inputs))
    assert [backends.active.dtype_of(a) for a in real] == [s.dtype for s in spec]


@rows
def test_config_and_weights_round_trip(row):
    layer = make(row)
    out = run(row, layer)
    config = keras.layers.serialize(layer)
    import json

    twin = keras.layers.deserialize(json.loads(json.dumps(config)))
    assert json.dumps(keras.layers.serialize(twin)["config"], sort_keys=True) == json.dumps(
        config["config"], sort_keys=True
    )
    if row.training:
        return
    if not twin.built or len(twin.weights) != len(layer.weights):
        run(row, twin)
    twin.set_weights(layer.get_weights())
    for a, b in zip(tree.flatten(out), tree.flatten(run(row, twin)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@rows
def test_goes_to_other_backends_and_back(row):
    layer = make(row)
    before = run(row, layer)
    if row.training:  # the same masks and statistics need the same seed state: a new layer each
        for name in INSTALLED:
            with config.backend_scope(name):
                np.testing.assert_allclose(run(row, make(row)), before, rtol=2e-4, atol=2e-5)
        return
    for name in [*INSTALLED, "numpy"]:
        with config.backend_scope(name):
            after = run(row, layer)
        for a, b in zip(tree.flatten(before), tree.flatten(after), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


@rows
def test_every_trainable_weight_learns(row, backend):
    layer = make(row)
    apply(layer, row.inputs)
    variables = layer.trainable_variables
    if not variables:
        return

    def loss():
        outputs = tree.flatten(apply(layer, row.inputs, **({"training": True} if row.training else {})))
        # Not all alike: the sum of a softmax or a normalised axis would not move.
        return sum(
            keras.ops.sum(keras.ops.multiply(
                o, np.cos(np.arange(np.prod(o.shape), dtype="float32")).reshape(tuple(o.shape))
            ))
            for o in outputs
        )

    _, grads = keras.value_and_grad(loss, variables)
    for v, g in zip(variables, grads, strict=True):
        assert np.abs(keras.ops.convert_to_numpy(g)).max() > 0 or "key/bias" in v.path, v.path


@rows
def test_half_precision(row, backend):
    """Under a global policy, so that layers and cells inside others have it too."""
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = row.make()
        out = tree.flatten(apply(layer, row.inputs))
        inputs = tree.map_structure(lambda a: KerasTensor((None, *a.shape[1:]), a.dtype.name), row.inputs)
        spec = tree.flatten(apply(row.make(), inputs))
    finally:
        keras.config.set_dtype_policy("float32")
    assert [backends.active.dtype_of(leaf) for leaf in out] == [s.dtype for s in spec]
    assert {s.dtype for s in spec} == {"bfloat16"}
    assert all(v.dtype == "float32" for v in layer.trainable_variables)
    if not row.training and len(layer.get_weights()) == len(layer.weights):
        twin = make(row)
        apply(twin, row.inputs)
        twin.set_weights(layer.get_weights())
        for half, full in zip(out, tree.flatten(run(row, twin)), strict=True):
            half = host(half).astype("float32")
            assert np.abs(half - full).max() <= 0.1 * np.abs(full).max() + 0.02
