"""Image layers: closed forms, what training switches, seeds, shapes, dicts and configs."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends
from kerasish.errors import InvalidArgument, StateError

L = keras.layers
IMAGES = np.random.default_rng(5).uniform(0, 255, (3, 6, 8, 3)).astype("float32")

RANDOM = {
    "RandomFlip": lambda **k: L.RandomFlip(**k),
    "RandomRotation": lambda **k: L.RandomRotation(0.2, **k),
    "RandomZoom": lambda **k: L.RandomZoom(0.3, 0.2, **k),
    "RandomTranslation": lambda **k: L.RandomTranslation(0.3, 0.2, **k),
    "RandomShear": lambda **k: L.RandomShear(0.3, 0.2, **k),
    "RandomPerspective": lambda **k: L.RandomPerspective((1.0, 1.0), **k),
    "RandomElasticTransform": lambda **k: L.RandomElasticTransform((1.0, 1.0), **k),
    "RandomBrightness": lambda **k: L.RandomBrightness(0.3, **k),
    "RandomContrast": lambda **k: L.RandomContrast(0.3, **k),
    "RandomHue": lambda **k: L.RandomHue(0.5, **k),
    "RandomSaturation": lambda **k: L.RandomSaturation((0.2, 0.4), **k),
    "RandomGrayscale": lambda **k: L.RandomGrayscale(0.9, **k),
    "RandomInvert": lambda **k: L.RandomInvert((0.9, 0.9), **k),
    "RandomPosterization": lambda **k: L.RandomPosterization(3, **k),
    "RandomSharpness": lambda **k: L.RandomSharpness(0.4, **k),
    "RandomColorDegeneration": lambda **k: L.RandomColorDegeneration(0.5, **k),
    "RandomColorJitter": lambda **k: L.RandomColorJitter((0, 255), 0.1, 0.2, (0.3, 0.6), 0.2, **k),
    "Solarization": lambda **k: L.Solarization(0.1, 0.5, **k),
    "RandomGaussianBlur": lambda **k: L.RandomGaussianBlur((1.0, 1.0), **k),
    "RandomErasing": lambda **k: L.RandomErasing((1.0, 1.0), (0.2, 0.5), **k),
    "MixUp": lambda **k: L.MixUp(0.8, **k),
    "CutMix": lambda **k: L.CutMix((0.3, 0.6), **k),
    "RandAugment": lambda **k: L.RandAugment(**k),
    "AugMix": lambda **k: L.AugMix(num_chains=2, chain_depth=2, **k),
}
FIXED = {
    "AutoContrast": lambda **k: L.AutoContrast(**k),
    "Equalization": lambda **k: L.Equalization(**k),
    "CLAHE": lambda **k: L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3), **k),
}
SIZED = {
    "Resizing": lambda **k: L.Resizing(4, 5, **k),
    "CenterCrop": lambda **k: L.CenterCrop(4, 5, **k),
    "RandomCrop": lambda **k: L.RandomCrop(4, 5, **k),
}
every = pytest.mark.parametrize("make", [
    pytest.param(make, id=name) for name, make in {**RANDOM, **FIXED, **SIZED}.items()
])  # fmt: skip
randomly = pytest.mark.parametrize("make", [
    pytest.param(make, id=name) for name, make in RANDOM.items()
])  # fmt: skip


def host(x):
    return np.asarray(backends.to_host(x))


@randomly
def test_seeded_the_same_everywhere_and_off_at_inference(make, backend):
    layer = make(seed=3)
    out = host(layer(IMAGES))
    assert out.shape == IMAGES.shape and np.isfinite(out).all()
    # Not within a batch of three alone: a flip or a blend may leave one image as it is.
    assert any(np.abs(x - IMAGES).max() > 1 for x in (out, host(layer(IMAGES))))
    np.testing.assert_array_equal(host(layer(IMAGES, training=False)), IMAGES)
    with keras.config.backend_scope("numpy"):
        expected = host(make(seed=3)(IMAGES))
    # A nearest or floor decision may fall either way in a few pixels.
    assert np.mean(np.abs(out - expected) > 0.05) < 0.02


@every
def test_shapes_and_config(make):
    layer = make()
    symbolic = layer(keras.KerasTensor((None, 6, 8, 3)))
    out = host(layer(IMAGES))
    assert symbolic.shape == (None, *out.shape[1:]) and str(out.dtype) == symbolic.dtype
    assert tuple(layer.compute_output_shape((None, 6, 8, 3))) == symbolic.shape
    assert host(layer(IMAGES[0])).shape == out.shape[1:]
    config = json.loads(json.dumps(layer.get_config()))
    twin = type(layer).from_config(config)
    assert json.loads(json.dumps(twin.get_config())) == config


@pytest.mark.parametrize("name", [n for n in {**RANDOM, **SIZED}
                                  if n not in ("RandomBrightness", "RandomContrast", "Solarization")])
def test_channels_first_is_channels_last_transposed(name):
    make = {**RANDOM, **SIZED}[name]
    seed = {} if name in ("Resizing", "CenterCrop") else {"seed": 4}
    if name == "RandomErasing":  # the noise is drawn in the order of the axes
        seed["fill_value"] = 9.0
    last = host(make(**seed)(IMAGES))
    first = host(make(data_format="channels_first", **seed)(IMAGES.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), last, atol=1e-2)


@pytest.mark.parametrize("name", ["RandomFlip", "RandomInvert", "RandAugment", "CutMix", "MixUp"])
def test_traced_by_a_compiled_function(name, backend):
    layer = RANDOM[name](seed=3)
    model = keras.Sequential([keras.Input((6, 8, 3)), layer, L.Flatten(), L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(IMAGES / 255, np.zeros((3, 1)), epochs=1, batch_size=2, verbose=0)
    assert model.predict(IMAGES, verbose=0).shape == (3, 1)


def test_sizes(backend):
    np.testing.assert_array_equal(host(L.CenterCrop(2, 4)(IMAGES)), IMAGES[:, 2:4, 2:6])
    np.testing.assert_allclose(
        host(L.Resizing(3, 4)(IMAGES)), IMAGES.reshape(3, 3, 2, 4, 2, 3).mean((2, 4)), rtol=1e-5
    )
    assert host(L.Resizing(3, 4)(IMAGES.astype("uint8"))).dtype == np.uint8
    crop = host(L.RandomCrop(3, 5, seed=2)(IMAGES))
    assert any(
        np.array_equal(crop, IMAGES[:, i : i + 3, j : j + 5]) for i in range(4) for j in range(4)
    )
    np.testing.assert_array_equal(
        host(L.RandomCrop(6, 6)(IMAGES, training=False)), IMAGES[:, :, 1:7]
    )


def test_moves(backend):
    np.testing.assert_array_equal(
        *(host(x) for x in (L.RandomTranslation((-0.5, -0.5), (0.25, 0.25), "constant")(IMAGES),
                            np.pad(IMAGES[:, 3:, :-2], ((0, 0), (0, 3), (2, 0), (0, 0)))))
    )
    square = IMAGES[:, :, :6]
    np.testing.assert_allclose(
        host(L.RandomRotation((0.25, 0.25))(square)), np.rot90(square, axes=(1, 2)), atol=0.05
    )
    np.testing.assert_allclose(
        host(L.RandomZoom((1.0, 1.0), interpolation="nearest")(IMAGES[:, :5, :5]))[:, 1:4, 1:4],
        IMAGES[:, 0:5:2, 0:5:2], atol=1e-3,
    )
    seen = set()
    for seed in range(6):
        out = host(L.RandomFlip("horizontal", seed=seed)(IMAGES))
        for a, b in zip(out, IMAGES, strict=True):
            assert np.array_equal(a, b) or np.array_equal(a, b[:, ::-1])
            seen.add(np.array_equal(a, b))
    assert seen == {True, False}


def test_colors(backend):
    x = IMAGES
    gray = (x * np.float32([0.2989, 0.587, 0.114])).sum(-1, keepdims=True)
    mean = x.mean((1, 2), keepdims=True)
    cases = [
        (L.RandomBrightness((0.2, 0.2)), np.clip(x + 51, 0, 255)),
        (L.RandomContrast((0.0, 0.0)), x),
        (L.RandomGrayscale(1.0), np.broadcast_to(gray, x.shape)),
        (L.RandomColorDegeneration((0.25, 0.25)), 0.75 * x + 0.25 * gray),
        (L.RandomInvert((1.0, 1.0)), 255 - x),
        (L.RandomPosterization(2), np.floor(x / 64) * 64),
        (L.RandomSharpness((0.5, 0.5)), x),
        (L.RandomSaturation((0.5, 0.5)), x),
        (L.RandomHue((0.0, 0.0)), x),
        (L.Solarization(0.0, (0.5, 0.5)), np.where(x >= 127.5, 255 - x, x)),
        (L.AutoContrast(), (x - x.min((1, 2), keepdims=True)) / np.ptp(x, (1, 2), keepdims=True) * 255),
    ]  # fmt: skip
    for layer, expected in cases:
        np.testing.assert_allclose(host(layer(x)), expected, atol=2e-2, err_msg=layer.name)
    out = host(L.RandomContrast(0.5, seed=1, value_range=(-999, 999))(x))
    scale = (out - mean).std((1, 2)) / x.std((1, 2))
    assert (scale > 0.49).all() and (scale < 1.51).all()
    np.testing.assert_allclose(out.mean((1, 2)), mean[:, 0, 0], rtol=1e-4)


def test_equalization_is_the_distribution_function(backend):
    x = np.random.default_rng(1).integers(0, 256, (2, 9, 7, 2)).astype("float32")
    out = host(L.Equalization()(x))
    for image in range(2):
        for channel in range(2):
            v = x[image, ..., channel]
            below = (v[..., None, None] >= v).sum((-1, -2))
            first = (v == v.min()).sum()
            expected = np.round((below - first) / (v.size - first) * 255)
            np.testing.assert_allclose(out[image, ..., channel], expected, atol=1e-3)
    # One tile and no limit: the distribution function itself.
    whole = L.ContrastLimitedAdaptiveHistogramEqualization(clip_limit=0, tile_grid_size=(1, 1))
    v = x[0, ..., 0]
    np.testing.assert_allclose(
        host(whole(x))[0, ..., 0], (v[..., None, None] >= v).mean((-1, -2)) * 255, rtol=1e-4
    )


def test_masks_and_labels_follow(backend):
    masks = (IMAGES[..., :1] > 127).astype("int32")
    labels = np.eye(3, dtype="float32")
    data = {"images": IMAGES, "labels": labels, "segmentation_masks": masks}
    out = L.RandomFlip(seed=3)({**data, "images": np.repeat(masks, 3, -1).astype("float32")})
    np.testing.assert_array_equal(host(out["images"])[..., :1], host(out["segmentation_masks"]))
    np.testing.assert_array_equal(host(out["labels"]), labels)
    flat = L.RandomFlip(seed=3)({**data, "segmentation_masks": masks[..., 0]})
    np.testing.assert_array_equal(
        host(flat["segmentation_masks"]), host(out["segmentation_masks"])[..., 0]
    )
    # Images that are their labels everywhere stay so in the mean.
    told = np.broadcast_to(labels[:, None, None], (3, 6, 8, 3)).astype("float32")
    for layer in (L.MixUp(0.8, seed=2), L.CutMix(seed=2)):
        out = layer({"images": told, "labels": labels})
        assert not np.array_equal(host(out["labels"]), labels)
        np.testing.assert_allclose(
            host(out["images"]).mean((1, 2)), host(out["labels"]), atol=1e-5
        )


def test_bounding_boxes_get_a_number(backend):
    boxes = {"boxes": np.ones((2, 3, 4), "float32"), "labels": np.ones((2, 3), "float32")}
    more = L.MaxNumBoundingBoxes(5)({"bounding_boxes": boxes})["bounding_boxes"]
    assert host(more["labels"]).tolist() == [[1, 1, 1, -1, -1]] * 2
    fewer = L.MaxNumBoundingBoxes(2)({"bounding_boxes": boxes})["bounding_boxes"]
    assert host(fewer["boxes"]).shape == (2, 2, 4)


@pytest.mark.parametrize("make", [
    lambda: L.RandomFlip("sideways"),
    lambda: L.RandomBrightness(2.0),
    lambda: L.RandomRotation((0.3, 0.1)),
    lambda: L.RandomPosterization(9),
    lambda: L.Resizing(0, 3),
    lambda: L.RandomHue("much"),
    lambda: L.RandomFlip()({"images": IMAGES, "bounding_boxes": IMAGES}),
    lambda: L.RandomFlip()({"labels": IMAGES}),
])  # fmt: skip
def test_mistakes_are_told(make):
    with pytest.raises(InvalidArgument):
        make()


@every
def test_half_precision_and_lists(make):
    out = make(dtype="mixed_bfloat16")(IMAGES)
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    assert host(make()(IMAGES[0].tolist())).ndim == 3


def test_sharpness_is_a_convolution_with_zeros_around(backend):
    image = np.random.default_rng(8).uniform(50, 200, (1, 5, 6, 3)).astype("float32")
    kernel = np.ones((3, 3)) + np.diag([0, 4, 0])
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    blurred = sum(
        kernel[i, j] / 13 * padded[:, i : i + 5, j : j + 6] for i in range(3) for j in range(3)
    )
    known = np.clip(blurred + 0.6 * (image - blurred), 0, 255)
    np.testing.assert_allclose(host(L.RandomSharpness((0.3, 0.3))(image)), known, rtol=1e-5)
    first = np.transpose(image, (0, 3, 1, 2))
    layer = L.RandomSharpness((0.3, 0.3), data_format="channels_first")
    np.testing.assert_allclose(host(layer(first)), np.transpose(known, (0, 3, 1, 2)), rtol=1e-5)


def test_one_transformation_serves_several_batches(backend):
    images = np.random.default_rng(8).uniform(0, 255, (3, 6, 6, 3)).astype("float32")
    for layer in (L.RandomRotation(0.2, seed=1), L.RandomZoom(0.3, seed=1), L.RandomErasing((1.0, 1.0), seed=1),
                  L.RandomTranslation(0.3, 0.3, seed=1), L.RandomHue(0.5, seed=1)):  # fmt: skip
        drawn = layer.get_random_transformation(images)
        once = host(layer.transform_images(keras.ops.array(images), drawn))
        twice = host(layer.transform_images(keras.ops.array(images), drawn))
        np.testing.assert_array_equal(once, twice)
        assert np.abs(once - images).max() > 1


@randomly
def test_transformations_are_drawn_from_any_seed(make):
    layer = make()
    mine = keras.random.SeedGenerator(3)
    for seed in (None, 3, mine):
        drawn = layer.get_random_transformation({"images": IMAGES}, seed=seed)
        masks = keras.ops.array(IMAGES[..., :1])
        moved = layer.transform_segmentation_masks(segmentation_masks=masks, transformation=drawn)
        assert moved.shape == masks.shape
    again = [layer.get_random_transformation({"images": IMAGES}, seed=3) for _ in range(2)]
    keras.tree.assert_same_structure(*again)
    for a, b in zip(*map(keras.tree.flatten, again)):
        np.testing.assert_array_equal(host(a), host(b))


def test_subclasses_change_labels_and_boxes(backend):
    class Flip(L.RandomFlip):
        def transform_labels(self, labels, transformation, training=True):
            return labels + 1

        def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
            moved = super().transform_bounding_boxes(bounding_boxes, transformation, training)
            return {**moved, "labels": moved["labels"] + 10}

    plain = L.RandomFlip("horizontal", seed=3, bounding_box_format="xyxy")
    layer = Flip("horizontal", seed=3, bounding_box_format="xyxy")
    data = {
        "images": np.random.default_rng(9).uniform(0, 255, (2, 4, 6, 3)).astype("float32"),
        "labels": np.array([1.0, 2.0], "float32"),
        "bounding_boxes": {
            "boxes": np.array([[[1.0, 0.0, 3.0, 2.0]]] * 2, "float32"),
            "labels": np.array([[1.0], [2.0]], "float32"),
        },
    }
    known, found = plain(data), layer(data)
    assert host(found["labels"]).tolist() == [2.0, 3.0]
    assert host(found["bounding_boxes"]["labels"]).tolist() == [[11.0], [12.0]]
    np.testing.assert_array_equal(host(found["images"]), host(known["images"]))
    np.testing.assert_array_equal(
        host(found["bounding_boxes"]["boxes"]), host(known["bounding_boxes"]["boxes"])
    )
    with pytest.raises(StateError, match="call the layer"):
        layer.transform_bounding_boxes(data["bounding_boxes"], None)
