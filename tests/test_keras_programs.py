"""What programs that were written for Keras read, catch and call beside the layers themselves."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, errors

L = keras.layers


def host(x):
    return np.asarray(backends.to_host(x))


def trained(**options):
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((3,)), L.Dense(2, name="d"), L.Dropout(0.5)], name="m")
    model.compile("adam", "mse", metrics=["mae"], **options)
    model.fit(np.ones((8, 3)), np.ones((8, 2)), batch_size=4, verbose=0)
    return model


# Attributes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("made, attributes", [
    (keras.losses.BinaryCrossentropy(True, 0.1), {"from_logits": True, "label_smoothing": 0.1}),
    (keras.losses.CategoricalFocalCrossentropy(alpha=0.5), {"alpha": 0.5, "gamma": 2.0}),
    (keras.losses.Tversky(beta=0.25), {"alpha": 0.5, "beta": 0.25, "axis": None}),
    (keras.losses.Huber(delta=2.0), {"delta": 2.0}),
    (keras.metrics.CategoricalCrossentropy(label_smoothing=0.2), {"label_smoothing": 0.2}),
])  # fmt: skip
def test_arguments_of_losses_and_metrics_are_attributes(made, attributes):
    assert {name: getattr(made, name) for name in attributes} == attributes
    assert not hasattr(made, "no_such_argument")


def test_sizes_of_recurrent_layers():
    assert L.LSTM(4).state_size == [4, 4]
    assert L.RNN([L.GRUCell(2), L.LSTMCell(3)]).state_size == [2, [3, 3]]


def test_configs_tell_what_keras_tells():
    assert L.Conv2D(2, 3).get_config()["activity_regularizer"] is None
    assert L.LSTM(2, activity_regularizer="l2").get_config()["activity_regularizer"]
    assert "lora_rank" not in L.Dense(2).get_config()
    assert L.Dense(2, lora_rank=3, lora_alpha=6).get_config()["lora_alpha"] == 6
    bright = L.RandomBrightness(0.1, data_format="channels_first").get_config()
    assert bright["data_format"] == "channels_first" and "bounding_box_format" not in bright
    flip = L.RandomFlip(bounding_box_format="xyxy")
    assert L.RandomFlip.from_config(flip.get_config()).bounding_box_format == "xyxy"


def test_one_number_bounds_the_strength_of_elastic_transforms():
    assert L.RandomElasticTransform(scale=0.5).scale == (0.0, 0.5)


# Errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, expected", [
    (lambda: L.Dense(2)(None), ValueError),
    (lambda: L.Dense(2)("x"), ValueError),
    (lambda: L.Dense(2)([1.0, 2.0]), ValueError),
    (lambda: keras.Input((2,), dtype="nope"), ValueError),
    (lambda: keras.ops.cast([1.0], "nope"), ValueError),
    (lambda: keras.ops.convert_to_tensor(None), TypeError),
    (lambda: float(keras.Input(())), ValueError),
    (lambda: keras.InputSpec(axes=3), TypeError),
    (lambda: keras.InputSpec(axes={"a": 1}), TypeError),
    (lambda: keras.ops.scan(3, 1, None), TypeError),
    (lambda: keras.ops.while_loop(3, 3, [1]), TypeError),
    (lambda: keras.losses.Loss()([1.0], [1.0]), NotImplementedError),
    (lambda: keras.metrics.Metric().update_state(1.0), NotImplementedError),
    (lambda: keras.metrics.Metric().result(), NotImplementedError),
    (lambda: keras.Layer()(np.ones(2)), NotImplementedError),
    (lambda: keras.Regularizer().get_config(), NotImplementedError),
    (lambda: keras.Quantizer().get_config(), NotImplementedError),
    (lambda: keras.Initializer()((2,)), NotImplementedError),
    (lambda: L.deserialize({"class_name": "Nope", "config": {}}), TypeError),
    (lambda: keras.saving.serialize_keras_object(object()), TypeError),
    (lambda: trained().load_weights("missing.weights.h5"), FileNotFoundError),
    (lambda: keras.saving.load_model("missing.h5"), FileNotFoundError),
    (lambda: keras.saving.load_model("missing.keras"), ValueError),
    (lambda: keras.utils.image_dataset_from_directory("missing"), FileNotFoundError),
    (lambda: keras.callbacks.BackupAndRestore("folder", save_freq="x"), ValueError),
])  # fmt: skip
def test_errors_are_caught_as_those_of_keras(call, expected):
    with pytest.raises(expected) as caught:
        call()
    assert isinstance(caught.value, errors.KerasishError)


def test_an_unknown_class_within_a_config_is_told_plainly():
    config = keras.Sequential([keras.Input((2,)), L.Dense(2)]).get_config()
    config["layers"][1]["class_name"] = "Nope"
    with pytest.raises(errors.UnknownObject, match="'Nope'"):
        keras.Sequential.from_config(config)


# Callbacks --------------------------------------------------------------------------------------


class Logged:
    metrics = ()


def test_callbacks_offer_what_subclasses_build_on():
    stop = keras.callbacks.EarlyStopping("val_accuracy", min_delta=0.1)
    stop.set_model(Logged())
    assert stop.monitor_op is np.greater
    assert stop.get_monitor_value({"val_accuracy": 0.5}) == 0.5
    assert stop._is_improvement(0.7, 0.5) and not stop._is_improvement(0.55, 0.5)
    with pytest.warns(UserWarning, match="val_accuracy"):
        assert stop.get_monitor_value({"loss": 1.0}) is None
    lower = keras.callbacks.ReduceLROnPlateau("loss")
    lower.set_model(Logged())
    assert lower.monitor_op is np.less and not lower.in_cooldown()


# State ------------------------------------------------------------------------------------------


def test_the_state_of_a_model_as_a_tree(backend):
    model = trained()
    tree = model.get_state_tree("numpy_array")
    assert set(tree["trainable_variables"]["m"]["d"]) == {"kernel", "bias"}
    assert "m_d_kernel_momentum" in tree["optimizer_variables"]["adam"]
    assert set(tree["metrics_variables"]) == {"loss", "mean_absolute_error"}
    before = host(model.layers[0].kernel).copy()
    model.fit(np.ones((8, 3)), np.zeros((8, 2)), verbose=0)
    assert not np.array_equal(host(model.layers[0].kernel), before)
    np.testing.assert_array_equal(tree["trainable_variables"]["m"]["d"]["kernel"], before)
    model.set_state_tree(tree)
    np.testing.assert_array_equal(host(model.layers[0].kernel), before)
    assert int(host(model.optimizer.iterations)) == 2
    bias = model.get_state_tree()["trainable_variables"]["m"]["d"]["bias"]
    assert keras.ops.is_tensor(bias)
    again = trained()
    again.compile(keras.optimizers.Adam(name="adam_1"), "mse", metrics=["mae"])
    again.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
    again.set_state_tree(tree)
    assert int(host(again.optimizer.iterations)) == 2
    model.set_state_tree({"trainable_variables": {"m": {"d": {"bias": np.full(2, 7.0)}}}})
    np.testing.assert_array_equal(host(model.layers[0].bias), [7.0, 7.0])


def test_state_trees_that_do_not_fit():
    model = trained()
    with pytest.raises(ValueError, match="weights"):
        model.set_state_tree({"weights": {}})
    with pytest.raises(ValueError, match="m/e/kernel"):
        model.set_state_tree({"trainable_variables": {"m": {"e": {"kernel": 1.0}}}})
    with pytest.raises(ValueError, match="list"):
        model.get_state_tree("list")
    before = model.get_weights()
    values = {"kernel": np.ones(before[0].shape), "bias": np.ones(9)}
    with pytest.raises(ValueError, match="bias"):
        model.set_state_tree({"trainable_variables": {"m": {"d": values}}})
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert keras.Sequential([L.Dense(1)]).get_state_tree()["optimizer_variables"] == {}


def test_shapes_of_functions():
    x, n = keras.KerasTensor((None, 3)), keras.KerasTensor((None,), dtype="int32")
    both = keras.Function([x, n], {"y": L.Dense(2)(x), "z": keras.ops.one_hot(n, 4)})
    assert both.compute_output_shape([(5, 3), (5,)]) == {"y": (5, 2), "z": (5, 4)}


# Functions in files -----------------------------------------------------------------------------


@pytest.mark.parametrize("output_shape", [None, (3,), lambda s: s])
def test_lambdas_are_written_as_keras_reads_them(output_shape):
    config = L.Lambda(lambda x, n=2: x * n, output_shape=output_shape).get_config()
    function = config["function"]
    assert function["class_name"] == "__lambda__"
    assert set(function["config"]) == {"code", "defaults", "closure"}
    again = L.Lambda.from_config(config, safe_mode=False)
    assert host(again(np.ones((2, 3), "float32"))).tolist() == [[2.0] * 3] * 2
    with pytest.raises(errors.UnsafeFile):
        L.Lambda.from_config(config, safe_mode=True)


def test_registered_functions_are_written_by_the_name_that_keras_looks_for():
    @keras.saving.register_keras_serializable("programs")
    def doubled(x):
        return x * 2

    config = keras.saving.serialize_keras_object(doubled)
    assert config["config"] == config["registered_name"] == "programs>doubled"
    assert keras.saving.deserialize_keras_object(config) is doubled


# Graphs -----------------------------------------------------------------------------------------


def encoder():
    keras.utils.clear_session()
    x = keras.Input((6, 6, 3), name="x")
    conv = L.Conv2D(2, 3, name="conv")(x)
    y = L.Dense(4, name="top")(L.GlobalAveragePooling2D()(keras.ops.relu(conv)))
    return x, conv, y


def test_a_model_of_the_last_part_of_a_graph_has_its_own_input(backend, tmp_path):
    x, conv, y = encoder()
    whole, first, last = keras.Model(x, y), keras.Model(x, conv), keras.Model(conv, y)
    assert [w.path for w in last.weights] == ["top/kernel", "top/bias"]
    assert isinstance(last.layers[0], L.InputLayer) and last.input_shape == (None, 4, 4, 2)
    data = np.random.default_rng(0).random((2, 6, 6, 3), "float32")
    expected = host(whole(data))
    np.testing.assert_allclose(host(last(first(data))), expected, rtol=1e-5)
    last.save(tmp_path / "last.keras")
    again = keras.saving.load_model(tmp_path / "last.keras")
    np.testing.assert_allclose(host(again(first(data))), expected, rtol=1e-5)
    assert len(keras.models.clone_model(last).weights) == 2
    # What the layers answer is still of their first call.
    assert whole.get_layer("top").output is y and whole.get_layer("conv").output is conv


def test_models_between_inputs_and_parts_of_a_graph():
    x, conv, y = encoder()
    model = keras.Model({"image": x, "features": conv}, {"y": y, "same": conv})
    out = model({"image": np.ones((1, 6, 6, 3)), "features": np.full((1, 4, 4, 2), 3.0)})
    assert (host(out["same"]) == 3.0).all() and out["y"].shape == (1, 4)
    assert "conv" not in [layer.name for layer in model.layers]


def test_the_mask_of_a_part_that_became_an_input():
    tokens = keras.Input((3,))
    embedded = L.Embedding(5, 4, mask_zero=True)(tokens)
    model = keras.Model(embedded, L.LSTM(2)(embedded))
    assert model(np.ones((1, 3, 4), "float32")).shape == (1, 2)


def test_input_and_output_are_those_of_the_first_call():
    x, z = keras.Input((3, 4)), keras.Input((5, 4))
    dense = L.Dense(2)
    first = dense(x)
    dense(z)
    assert dense.input is x and dense.output is first
    attention = L.MultiHeadAttention(2, 2)
    attention(x, z)
    assert attention.input == [x, z]
    with pytest.raises(AttributeError, match="not called"):
        L.Dense(2).output  # noqa: B018


def test_loops_give_tensors(backend):
    for result in (
        keras.ops.while_loop(lambda i: i < 3, lambda i: i + 1, 0),
        keras.ops.fori_loop(0, 3, lambda i, total: total + i, 0),
        keras.ops.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x + 1.0), (0, 0.0))[1],
    ):
        assert keras.ops.is_tensor(result) and float(result) == 3.0


@pytest.mark.parametrize("base, sizes", [(L.Dense, (2,)), (L.Conv2D, (2, 3))])
def test_the_config_of_a_subclass_without_one_has_its_own_arguments(base, sizes):
    class Scaled(base):
        def __init__(self, *args, scale=1.0, **kwargs):
            super().__init__(*args, **kwargs)
            self.scale = scale

    config = Scaled(*sizes, scale=3.0).get_config()
    assert config["scale"] == 3.0 and "lora_rank" not in config


def test_variables_of_named_initializers(backend):
    assert host(keras.Variable("ones", shape=(2,)).value).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="nope"):
        keras.Variable("nope", shape=(2,))


def test_shapes_of_several_inputs_are_a_list():
    x, z = keras.Input((3,)), keras.Input((2,))
    model = keras.Model({"x": x, "z": z}, [x, z])
    assert model.input_shape == [(None, 3), (None, 2)] == model.output_shape
    assert keras.Model([x], x).input_shape == (None, 3)


def test_regularizers_and_constraints_take_arrays(backend):
    x = np.array([[3.0, 0.0], [4.0, 2.0]], "float32")
    for name in ("max_norm", "unit_norm", "min_max_norm"):
        expected = x / [[5.0, 2.0]] if name != "max_norm" else x * [[0.4, 1.0]]
        np.testing.assert_allclose(host(keras.constraints.get(name)(x)), expected, rtol=1e-5)
    penalty = keras.regularizers.OrthogonalRegularizer(1.0)(x)
    np.testing.assert_allclose(float(penalty), 2 / np.sqrt(5), rtol=1e-5)
