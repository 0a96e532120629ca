"""Convolutions, pooling and normalization beyond the case table."""

import numpy as np
import pytest

from kerasish import backends, config, ops
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.ops import normalization


def random(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype("float32")


KERNELS = {
    "conv": (ops.conv, [random(2, 5, 6, 3), random(3, 2, 3, 4)], (2, "same")),
    "conv-groups": (ops.conv, [random(2, 6, 4), random(3, 2, 4)], (1, "same")),
    "conv-one-channel": (ops.conv, [random(2, 5, 6, 1), random(3, 3, 1, 4)], (1, "valid")),
    "depthwise": (ops.depthwise_conv, [random(2, 5, 6, 3), random(3, 2, 3, 2)], (1, "same")),
    "transpose": (ops.conv_transpose, [random(2, 4, 3, 3), random(3, 2, 4, 3)], (2, "same")),
    "max_pool": (ops.max_pool, [random(2, 6, 5, 3)], (3, 2, "same")),
    "average_pool": (ops.average_pool, [random(2, 6, 5, 3)], (3, 2, "same")),
    "layer_norm": (ops.layer_normalization, [random(3, 5), random(5), random(5)], (-1, 0.1)),
    "rms_norm": (ops.rms_normalization, [random(3, 5), random(5)], (-1, 0.1)),
    "batch_norm": (
        lambda *a: normalization._batch_norm_train(*a)[0],
        [random(4, 3, 2), random(2), random(2)], ((0, 1), 0.1),
    ),
}  # fmt: skip


def gradient(function, arrays, rest):
    """The gradient of the sum of cubes: nonlinear, so that its own gradient tests every rule."""
    def loss(*tensors):
        y = function(*tensors, *rest)
        return ops.sum(y * y * y), None

    return backends.active.value_and_grad(loss, [], arrays)[1]


def second(function, arrays, rest):
    """The gradient of a weighted sum of the gradient."""
    weights = [np.cos(np.arange(a.size)).reshape(a.shape).astype(a.dtype) for a in arrays]

    def loss(*tensors):
        grads = gradient(function, list(tensors), rest)
        return sum(ops.sum(ops.multiply(g, w)) for g, w in zip(grads, weights, strict=True)), None

    grads = backends.active.value_and_grad(loss, [], arrays)[1]
    return weights, [ops.convert_to_numpy(g) for g in grads]


@pytest.mark.parametrize("name", KERNELS)
def test_second_derivative(name):
    """On the tape, against central differences of the first."""
    function, arrays, rest = KERNELS[name]
    with config.backend_scope("numpy"):
        config.set_floatx("float64")
        arrays = [a.astype("float64") for a in arrays]
        weights, grads = second(function, arrays, rest)
        for k, a in enumerate(arrays):
            direction = np.random.default_rng(k).standard_normal(a.shape)
            ends = []
            for step in (1e-5, -1e-5):
                moved = [b + step * direction if i == k else b for i, b in enumerate(arrays)]
                ends.append(sum(
                    np.sum(g * w)
                    for g, w in zip(gradient(function, moved, rest), weights, strict=True)
                ))  # fmt: skip
            np.testing.assert_allclose(
                np.sum(grads[k] * direction), (ends[0] - ends[1]) / 2e-5, rtol=1e-5, atol=1e-5
            )


@pytest.mark.parametrize("name", KERNELS)
def test_second_derivatives_agree(name, backend):
    _, got = second(*KERNELS[name])
    with config.backend_scope("numpy"):
        _, want = second(*KERNELS[name])
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=2e-3, atol=2e-3 * np.abs(w).max())


def test_first_of_equal_values_takes_the_gradient(backend):
    ones = np.ones((1, 4, 4, 1), "float32")
    (g,) = backends.active.value_and_grad(
        lambda t: (ops.sum(ops.max_pool(t, 2)), None), [], [ones]
    )[1]
    want = np.zeros((4, 4))
    want[::2, ::2] = 1
    np.testing.assert_array_equal(ops.convert_to_numpy(g)[0, :, :, 0], want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types(backend, dtype):
    x, k = ops.cast(random(2, 6, 6, 3), dtype), ops.cast(random(3, 3, 3, 4), dtype)
    for got, want in (
        (ops.conv(x, k), ops.conv(ops.cast(x, "float32"), ops.cast(k, "float32"))),
        (ops.max_pool(x, 2), ops.max_pool(ops.cast(x, "float32"), 2)),
        (ops.average_pool(x, 2), ops.average_pool(ops.cast(x, "float32"), 2)),
        (ops.layer_normalization(x), ops.layer_normalization(ops.cast(x, "float32"))),
    ):
        assert ops.dtype(got) == dtype
        np.testing.assert_allclose(
            ops.convert_to_numpy(ops.cast(got, "float32")), ops.convert_to_numpy(want),
            rtol=0.05, atol=0.1,
        )  # fmt: skip


def test_sizes_unknown_to_a_compiled_function():
    """TensorFlow's graphs do not know sizes that vary from call to call."""
    tf = pytest.importorskip("tensorflow")
    with config.backend_scope("tensorflow"):
        kernel = random(3, 3, 2, 4)

        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 2))], autograph=False)
        def step(x):
            y = ops.conv(x, kernel, 2, "same")
            y = ops.max_pool(y, 2, padding="same")
            y = ops.conv_transpose(y, np.moveaxis(kernel, 2, 3)[..., :4, :].repeat(2, 3)[..., :4],
                                   2, "same")
            return ops.layer_normalization(y)

        for size in (7, 8):
            assert step(random(2, size, size, 2)).shape[:3] == (2, 4, 4)


def test_unknown_spatial_sizes_stay_unknown():
    y = ops.conv(KerasTensor((None, None, 32, 3)), np.zeros((3, 3, 3, 8), "float32"), 2, "same")
    assert ops.max_pool(y, 2).shape == (None, None, 8, 8)
    assert ops.average_pool(y, 3, 1, "same").shape == (None, None, 16, 8)


ERRORS = {
    "channels": (lambda: ops.conv(random(1, 5, 5, 3), random(3, 3, 4, 8)), "kernel for 3 channels"),
    "filters": (lambda: ops.conv(random(1, 5, 4), random(3, 2, 5)), "number of groups divides"),
    "rank": (lambda: ops.conv(random(5, 5), random(3, 3, 4, 8)), "float32\\[5, 5\\]"),
    "kernel rank": (lambda: ops.conv(random(1, 5, 5, 3), random(3, 3, 3)), "kernel is float32"),
    "room": (lambda: ops.conv(random(1, 2, 2, 3), random(3, 3, 3, 4)), "padding='same'"),
    "pool room": (lambda: ops.max_pool(random(1, 2, 2, 3), 3), "max_pool: a window"),
    "depthwise": (lambda: ops.depthwise_conv(random(1, 5, 3), random(2, 4, 1)), "is for 4"),
    "pointwise": (
        lambda: ops.separable_conv(random(1, 5, 3), random(2, 3, 1), random(1, 4, 2)),
        "pointwise_kernel is",
    ),
    "transpose": (lambda: ops.conv_transpose(random(1, 5, 3), random(2, 3, 4)), "filters, 3"),
    "gamma": (lambda: ops.layer_normalization(random(2, 3), random(4)), "gamma is float32\\[4\\]"),
    "mean": (
        lambda: ops.batch_normalization(random(2, 3), random(4), random(4), -1), "mean is float32"
    ),
    "fold": (lambda: ops.fold(random(1, 4, 3), (4, 4), 2), "fold: x is"),
    "blocks": (lambda: ops.space_to_depth(random(1, 3, 4, 1), 2), "does not divide"),
    "depth": (lambda: ops.depth_to_space(random(1, 3, 4, 2), 2), "that 4 divides"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_shape_errors(name, backend):
    call, message = ERRORS[name]
    with pytest.raises(ShapeError, match=message):
        call()


@pytest.mark.parametrize("call", [
    lambda x: ops.conv(x, random(2, 3, 4), padding="full"),
    lambda x: ops.conv(x, random(2, 3, 4), strides=0),
    lambda x: ops.conv(x, random(2, 3, 4), strides=(1, 2)),
    lambda x: ops.conv(x, random(2, 3, 4), data_format="NHWC"),
    lambda x: ops.max_pool(x, "2"),
    lambda x: ops.conv_transpose(x, random(2, 4, 3), 2, output_padding=2),
    lambda x: ops.normalize(x, order=0),
    lambda x: ops.layer_normalization(x, foo=1),
])  # fmt: skip
def test_argument_errors(call):
    with pytest.raises(InvalidArgument):
        call(random(1, 5, 3))


def test_blocks_of_any_size_give_the_same(monkeypatch):
    """The NumPy kernels cut their work into pieces that fit the cache."""
    from kerasish.backends.numpy import convolution
    from kerasish.backends.numpy import normalization as norm

    calls = [
        lambda: ops.conv(random(3, 9, 8, 4), random(3, 2, 4, 5), 2, "same"),
        lambda: ops.depthwise_conv(random(3, 9, 8, 4), random(3, 2, 4, 2), 1, "same"),
        lambda: ops.conv_transpose(random(3, 5, 4, 4), random(3, 2, 5, 4), 2, "same"),
        lambda: ops.max_pool(random(5, 9, 8, 4), 3, 2, "same"),
        lambda: ops.layer_normalization(random(30, 7), random(7)),
        lambda: normalization._batch_norm_train(random(30, 7), random(7), None, (0,), 0.1)[0],
    ]
    with config.backend_scope("numpy"):
        whole = [call() for call in calls]
        for block in (1, 700, 5000):
            monkeypatch.setattr(convolution, "BLOCK", block)
            monkeypatch.setattr(norm, "BLOCK", block)
            for call, want in zip(calls, whole, strict=True):
                np.testing.assert_allclose(call(), want, rtol=1e-4, atol=1e-5)
