"""Image ops against other libraries, in graphs of unknown sizes, and their errors."""

import numpy as np
import pytest

from kerasish import backends, config, ops
from kerasish.core.symbolic import KerasTensor

images = np.random.default_rng(0).uniform(size=(2, 9, 7, 3)).astype("float32")


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_resize_is_that_of_jax(method, antialias, backend):
    jax = pytest.importorskip("jax")
    for size in ((4, 5), (13, 20)):
        want = jax.image.resize(images, (2, *size, 3), method, antialias=antialias)
        got = ops.image.resize(images, size, method, antialias=antialias)
        np.testing.assert_allclose(backends.to_host(got), want, atol=2e-5)


@pytest.mark.parametrize("method", ["bilinear", "area", "bicubic", "lanczos3"])
def test_resize_is_that_of_tensorflow(method):
    tf = pytest.importorskip("tensorflow")
    with config.backend_scope("numpy"):
        for size in ((4, 5), (13, 20)):
            want = tf.image.resize(images, size, method).numpy()
            # TensorFlow reads the weights of its cubic kernel from a table of 1024 places.
            tolerance = 2e-3 if method == "bicubic" else 2e-5
            np.testing.assert_allclose(
                ops.image.resize(images, size, method), want, atol=tolerance
            )


def test_filters_and_similarity_are_those_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    with config.backend_scope("numpy"):
        inner = (slice(None), slice(1, -1), slice(1, -1))  # its borders are reflected
        np.testing.assert_allclose(
            ops.image.sobel_edges(images)[inner], tf.image.sobel_edges(tf.constant(images)).numpy()[inner],
            atol=1e-5,
        )  # fmt: skip
        other = images * 0.8 + 0.05
        np.testing.assert_allclose(
            ops.image.ssim(images, other, filter_size=5),
            tf.image.ssim(images, other, 1.0, filter_size=5).numpy(), atol=1e-5,
        )  # fmt: skip


UNKNOWN = {
    "resize": lambda x: ops.image.resize(x, (4, 5), "bicubic"),
    "resize nearest": lambda x: ops.image.resize(x, (4, 5), "nearest"),
    "resize crop": lambda x: ops.image.resize(x, (4, 4), crop_to_aspect_ratio=True),
    "resize pad": lambda x: ops.image.resize(x, (4, 4), pad_to_aspect_ratio=True, fill_value=2.0),
    "affine": lambda x: ops.image.affine_transform(x, [1.1, 0.1, 0.3, 0, 0.9, 0.2, 0, 0]),
    "crop": lambda x: ops.image.crop_images(x, 1, 2, target_height=3, target_width=4),
    "pad": lambda x: ops.image.pad_images(x, 1, 2, target_height=12, target_width=14),
    "patches": lambda x: ops.image.extract_patches(x, 3, strides=2, padding="same"),
    "tiles": lambda x: ops.image.extract_patches(x, (3, 2)),
    "blur": ops.image.gaussian_blur,
    "sobel": ops.image.sobel_edges,
    "gray": ops.image.rgb_to_grayscale,
    "elastic": lambda x: ops.image.elastic_transform(x, alpha=0.0, seed=1),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_sizes_may_be_unknown_in_a_graph(name):
    """In a `tf.data` pipeline images have sizes that only the run knows."""
    tf = pytest.importorskip("tensorflow")
    function = UNKNOWN[name]
    with config.backend_scope("numpy"):
        want = function(images)
    with config.backend_scope("tensorflow"):
        graph = tf.function(
            function, input_signature=[tf.TensorSpec((None, None, None, 3))], autograph=False
        )
        np.testing.assert_allclose(graph(images), want, atol=2e-5)


@pytest.mark.parametrize("name", [n for n in UNKNOWN if n not in ("affine", "elastic")])
def test_sizes_may_be_unknown_in_a_functional_model(name):
    with config.backend_scope("numpy"):
        want = UNKNOWN[name](images).shape
        got = UNKNOWN[name](KerasTensor((None, None, None, 3))).shape
    assert len(got) == len(want) and all(g in (w, None) for g, w in zip(got, want, strict=True))
    assert got[0] is None


def test_elastic_transform_moves_each_image_its_own_way(backend):
    twice = np.concatenate([images[:1], images[:1]])
    out = backends.to_host(ops.image.elastic_transform(twice, seed=3))
    assert np.abs(out[0] - out[1]).max() > 1e-3
    again = backends.to_host(ops.image.elastic_transform(twice, seed=3))
    np.testing.assert_array_equal(out, again)
    assert out.min() >= images[0].min() - 1e-6 and out.max() <= images[0].max() + 1e-6


@pytest.mark.parametrize("call, hint", [
    (lambda i: i.resize(images, (4, 4), "cubic"), "interpolation must be one of"),
    (lambda i: i.resize(images[0, 0], (4, 4)), "3 axes"),
    (lambda i: i.resize(images, (4, 4), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
     "exclude"),
    (lambda i: i.crop_images(images, 1, 1), "exactly two"),
    (lambda i: i.crop_images(images, 1, 1, target_height=30, target_width=2), "9 pixels"),
    (lambda i: i.map_coordinates(images, np.zeros((2, 5)), 1), "4 coordinates"),
    (lambda i: i.map_coordinates(images, np.zeros((4, 5)), 2), "order"),
    (lambda i: i.affine_transform(images, np.zeros(6)), r"\(8,\)"),
    (lambda i: i.extract_patches(images, 10), "shorter than a patch"),
    (lambda i: i.ssim(images, images), "filter_size"),
    (lambda i: i.rgb_to_grayscale(images, "channels_first"), "data_format"),
])
def test_errors_say_what_to_mend(call, hint):
    with pytest.raises(ValueError, match=hint):
        call(ops.image)


def test_hue_needs_floats():
    with pytest.raises(TypeError, match="Divide by 255"):
        ops.image.rgb_to_hsv((images * 255).astype("uint8"))
