"""Bounding boxes: their functions against closed forms and Keras, their moves against pixels."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import kerasish as keras
from tests.peer import keras_peer

B = keras.utils.bounding_boxes
L = keras.layers
FORMATS = (
    "xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw",
    "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh",
)  # fmt: skip
RNG = np.random.default_rng(0)


def host(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def random_boxes(*shape, size=(100, 200)):
    corners = np.sort(RNG.uniform(0, 1, (*shape, 2, 2)), axis=-2) * np.array(size[::-1])
    return corners.reshape(*shape, 4).astype("float32")


# Functions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", FORMATS)
def test_formats_there_and_back(target, backend):
    boxes = random_boxes(2, 5)
    there = B.convert_format(boxes, "xyxy", target, height=100, width=200)
    back = B.convert_format({"boxes": there, "x": 1}, target, "xyxy", 100, 200)
    np.testing.assert_allclose(host(back["boxes"]), boxes, rtol=1e-4, atol=1e-4)
    left, top, right, bottom = np.moveaxis(boxes, -1, 0)
    if target == "rel_center_xywh":
        known = [(left + right) / 400, (top + bottom) / 200, (right - left) / 200, (bottom - top) / 100]
        np.testing.assert_allclose(host(there), np.stack(known, -1), rtol=1e-4, atol=1e-5)


def test_sizes_may_differ_by_image(backend):
    boxes = np.ones((2, 3, 4), "float32")
    sizes = keras.ops.array([10.0, 20.0])
    found = host(B.convert_format(boxes, "xyxy", "rel_xyxy", height=sizes, width=2 * sizes))
    assert found[:, 0].tolist() == [
        pytest.approx([0.05, 0.1, 0.05, 0.1]), pytest.approx([0.025, 0.05, 0.025, 0.05])
    ]  # fmt: skip


def test_overlaps(backend):
    a, b = random_boxes(3, 6), random_boxes(3, 4)

    def iou(p, q):
        w = min(p[2], q[2]) - max(p[0], q[0])
        h = min(p[3], q[3]) - max(p[1], q[1])
        both = max(w, 0) * max(h, 0)
        return both / ((p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - both)

    known = [[[iou(p, q) for q in bb] for p in aa] for aa, bb in zip(a, b)]
    np.testing.assert_allclose(host(B.compute_iou(a, b, "xyxy")), known, atol=1e-5)
    np.testing.assert_allclose(host(B.compute_iou(a[0], b[0], "xyxy")), known[0], atol=1e-5)
    b[:, 1] = -1
    masked = host(B.compute_iou(a, b, "xyxy", use_masking=True))
    assert (masked[:, :, 1] == -1).all() and (masked[:, :, 0] >= 0).all()
    same = host(B.compute_ciou(a, a, "xyxy"))
    np.testing.assert_allclose(same, 1, atol=1e-5)


def test_deltas_there_and_back(backend):
    anchors, boxes = random_boxes(5), random_boxes(2, 5)
    for form in ("center_xywh", "center_yxhw"):
        deltas = B.encode_box_to_deltas(anchors, boxes, "xyxy", "xyxy", form, [0.1, 0.1, 0.2, 0.2])
        back = B.decode_deltas_to_boxes(
            anchors, deltas, "xyxy", "xywh", form, [0.1, 0.1, 0.2, 0.2]
        )
        np.testing.assert_allclose(
            host(B.convert_format(back, "xywh", "xyxy")), boxes, rtol=1e-3, atol=1e-2
        )


def test_clipped_cropped_padded(backend):
    boxes = {"boxes": [[[-5.0, 2.0, 6.0, 30.0], [20.0, 0.0, 30.0, 5.0]]], "labels": [[3, 4]]}
    clipped = B.clip_to_image_size(boxes, 10, 12)
    assert host(clipped["boxes"]).tolist() == [[[0, 2, 6, 10], [12, 0, 12, 5]]]
    assert host(clipped["labels"]).tolist() == [[3, -1]]
    x = random_boxes(7)
    np.testing.assert_allclose(
        host(B.crop(B.pad(x, 3, 4), 3, 4, 100, 200)), x, atol=1e-4
    )


@pytest.mark.parametrize("call", [
    lambda b: b.compute_iou(A1, A2, "xyxy"),
    lambda b: b.compute_iou(A1, A2, "center_xywh", use_masking=True),
    lambda b: b.compute_iou(A1 / 200, A2 / 200, "rel_yxyx", image_shape=(100, 200, 3)),
    lambda b: b.compute_ciou(A1, A1[::-1].copy(), "xyxy"),
    lambda b: b.encode_box_to_deltas(A1[0], A1, "xyxy", "xywh"),
    lambda b: b.encode_box_to_deltas(A1[0], A1, "xyxy", "xyxy", variance=[0.1, 0.1, 0.2, 0.2]),
    lambda b: b.decode_deltas_to_boxes(A1[0], A1 / 500, "xyxy", "xywh"),
    lambda b: b.crop(A1, 10, 20, 50, 60),
    lambda b: b.pad(A1, 10, 20),
    lambda b: b.clip_to_image_size({"boxes": A1, "labels": np.ones((2, 4))}, 50, 60)["boxes"],
    lambda b: b.affine_transform(A1, *T([30.0, 0.1, 0.2, 1.5, 0, 0]), 100, 200),
    lambda b: b.affine_transform(A1, *T([0, 0.1, 0.2, 0.7, 20.0, 0]), 100, 200),
    lambda b: b.affine_transform(A1, *T([40.0, 0, 0.2, 1.0, 0, 9.0]), 100, 200, 0.2, 0.4),
])  # fmt: skip
def test_same_as_keras(call):
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(
            host(call(B)), np.asarray(call(keras_peer().utils.bounding_boxes)), rtol=2e-4, atol=2e-3
        )


A1, A2 = random_boxes(2, 4), random_boxes(2, 3)


def T(numbers):
    return [np.array([n, n], "float32") for n in numbers]


# Layers ---------------------------------------------------------------------------------------------


def painted(boxes, height, width):
    """Images that are 1 in a box, each with a channel for each box."""
    images = np.zeros((len(boxes), height, width, len(boxes[0])), "float32")
    for image, rows in zip(images, boxes):
        for i, (left, top, right, bottom) in enumerate(rows):
            image[top:bottom, left:right, i] = 1
    return images


def boxes_of(image):
    found = []
    for channel in np.moveaxis(image, -1, 0):
        ys, xs = np.nonzero(channel > 0.5)
        if len(ys) == 0:
            found.append(None)
        else:
            found.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    return found


BOXES = np.array([[[10, 12, 22, 20], [20, 8, 28, 30]], [[12, 14, 30, 24], [16, 16, 20, 28]]])
MOVES = {
    "flip": (lambda **k: L.RandomFlip(seed=3, **k), 0.01),
    "rotation": (lambda **k: L.RandomRotation((0.25, 0.25), **k), 0.6),
    "rotation-any": (lambda **k: L.RandomRotation(0.1, fill_mode="constant", seed=2, **k), 1.6),
    "translation": (lambda **k: L.RandomTranslation((0.125, 0.125), (-0.1, -0.1), fill_mode="constant", **k), 0.6),
    "zoom-out": (lambda **k: L.RandomZoom((0.5, 0.5), fill_mode="constant", **k), 1.1),
    "zoom-in": (lambda **k: L.RandomZoom((-0.2, -0.2), (-0.1, -0.1), fill_mode="constant", **k), 1.1),
    "shear": (lambda **k: L.RandomShear((0.2, 0.2), (0.0, 0.0), fill_mode="constant", seed=1, **k), 1.6),
    "perspective": (lambda **k: L.RandomPerspective((1.0, 1.0), 0.4, seed=4, **k), 1.6),
    "resizing": (lambda **k: L.Resizing(80, 20, **k), 1.1),
    "resizing-cut": (lambda **k: L.Resizing(60, 60, crop_to_aspect_ratio=True, **k), 1.1),
    "resizing-fill": (lambda **k: L.Resizing(60, 90, pad_to_aspect_ratio=True, **k), 1.1),
    "center-crop": (lambda **k: L.CenterCrop(30, 25, **k), 0.01),
    "center-crop-small": (lambda **k: L.CenterCrop(60, 60, **k), 1.6),
    "crop": (lambda **k: L.RandomCrop(30, 33, seed=2, **k), 0.01),
    "augment": (lambda **k: L.RandAugment((0, 1), num_ops=0, seed=1, **k), 0.01),
    "mix": (lambda **k: L.AugMix((0, 1), chain_depth=0, seed=1, **k), 0.01),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_boxes_stay_around_what_is_in_them(name, backend):
    make, close = MOVES[name]
    images = painted(BOXES, 40, 40)
    out = make(bounding_box_format="xyxy")(
        {"images": images, "bounding_boxes": {"boxes": BOXES.astype("float32"), "labels": np.ones((2, 2))}},
        training=True,
    )
    found, labels = host(out["bounding_boxes"]["boxes"]), host(out["bounding_boxes"]["labels"])
    for i, image in enumerate(host(out["images"])):
        for j, box in enumerate(boxes_of(image)):
            if box is None:
                assert labels[i, j] == -1 or (found[i, j, 2:] - found[i, j, :2]).min() < 1.5
            else:
                assert labels[i, j] == 1
                np.testing.assert_allclose(found[i, j], box, atol=close)


@pytest.mark.parametrize("form", ["yxyx", "rel_xyxy", "center_xywh", "rel_center_xywh"])
def test_boxes_keep_their_format(form, backend):
    boxes = BOXES.astype("float32")
    data = {"images": painted(BOXES, 40, 40)}

    def run(layer, boxes):
        both = {"boxes": boxes, "labels": np.ones((2, 2), "float32")}
        return host(layer({**data, "bounding_boxes": both}, training=True)["bounding_boxes"]["boxes"])

    for name in ("flip", "rotation-any", "resizing", "crop"):
        make, _ = MOVES[name]
        plain = run(make(bounding_box_format="xyxy"), boxes)
        given = host(B.convert_format(boxes, "xyxy", form, 40, 40))
        size = {"resizing": (80, 20), "crop": (30, 33)}.get(name, (40, 40))
        found = B.convert_format(run(make(bounding_box_format=form), given), form, "xyxy", *size)
        np.testing.assert_allclose(host(found), plain, atol=1e-3)


def test_one_image_lists_and_outside_boxes(backend):
    layer = L.CenterCrop(20, 20, bounding_box_format="xyxy")
    one = layer({
        "images": painted(BOXES, 40, 40)[0],
        "bounding_boxes": {"boxes": np.array([[0.0, 0, 5, 5], [12, 12, 18, 40]]), "labels": np.array([7, 8])},
    })["bounding_boxes"]  # fmt: skip
    assert host(one["boxes"]).tolist() == [[0, 0, 0, 0], [2, 2, 8, 20]]
    assert host(one["labels"]).tolist() == [-1, 8]
    unequal = layer({
        "images": painted(BOXES, 40, 40),
        "bounding_boxes": {"boxes": [[[12.0, 12, 18, 18]], [[12.0, 12, 18, 18], [15, 15, 20, 20]]], "labels": [[1], [2, 3]]},
    })["bounding_boxes"]  # fmt: skip
    assert host(unequal["labels"]).tolist() == [[1, -1], [2, 3]]


def test_mixup_has_the_boxes_of_both(backend):
    boxes = {"boxes": BOXES.astype("float32"), "labels": np.array([[1, 2], [3, 4]])}
    out = L.MixUp(seed=1, bounding_box_format="xyxy")({"images": painted(BOXES, 40, 40), "bounding_boxes": boxes})
    labels = host(out["bounding_boxes"]["labels"])
    assert labels[:, :2].tolist() == [[1, 2], [3, 4]] and labels.shape == (2, 4)
    assert host(out["bounding_boxes"]["boxes"]).shape == (2, 4, 4)


def test_randaugment_moves_boxes_and_masks_with_the_images(backend):
    images = painted(BOXES, 40, 40)[..., :1]
    data = {
        "images": np.repeat(images, 3, -1), "segmentation_masks": images,
        "bounding_boxes": {"boxes": BOXES[:, :1].astype("float32"), "labels": np.ones((2, 1))},
    }  # fmt: skip
    layer = L.RandAugment((0, 1), num_ops=3, factor=0.5, seed=11, bounding_box_format="xyxy")
    moved = False
    for _ in range(6):
        out = layer(data)
        found = host(out["bounding_boxes"]["boxes"])
        for i, mask in enumerate(host(out["segmentation_masks"])):
            np.testing.assert_allclose(found[i, 0], boxes_of(mask)[0], atol=2.6)
        moved |= np.abs(found - BOXES[:, :1]).max() > 1
    assert moved
    layer, changed = L.AugMix((0, 1), factor=1.0, seed=1), False
    for _ in range(6):
        mixed = host(layer({"images": data["images"], "segmentation_masks": images})["segmentation_masks"])
        assert mixed.min() >= 0 and mixed.max() <= 1 + 1e-5
        changed |= np.abs(mixed - images).max() > 0.1
    assert changed


def test_in_a_compiled_function(backend):
    layer = L.RandomRotation(0.1, seed=2, bounding_box_format="rel_xyxy")

    def run(images, boxes, labels):
        data = {"images": images, "bounding_boxes": {"boxes": boxes, "labels": labels}}
        return layer(data, training=True)["bounding_boxes"]["boxes"]

    arrays = [keras.ops.array(a) for a in (painted(BOXES, 40, 40), BOXES.astype("float32") / 40, np.ones((2, 2), "float32"))]
    found = host(keras.function(run)(*arrays))
    layer = L.RandomRotation(0.1, seed=2, bounding_box_format="rel_xyxy")
    np.testing.assert_allclose(found, host(run(*arrays)), atol=1e-5)


@pytest.mark.parametrize("call, match", [
    (lambda: B.convert_format(np.ones((1, 4)), "xyxy", "abcd"), "target"),
    (lambda: B.convert_format(np.ones((1, 3)), "xyxy", "xywh"), "shape"),
    (lambda: B.convert_format(np.ones((1, 4)), "xyxy", "rel_xyxy"), "height"),
    (lambda: B.clip_to_image_size(np.ones((1, 4))), "height"),
    (lambda: B.crop(np.ones((1, 4)), 0, 0, 1, 1, "rel_xyxy"), "pixels"),
    (lambda: B.compute_iou(np.ones(4), np.ones((1, 4)), "xyxy"), "shape"),
    (lambda: B.encode_box_to_deltas(np.ones((1, 4)), np.ones((1, 4)), "xyxy", "xyxy", "xyxy"), "center"),
    (lambda: L.RandomFlip(bounding_box_format="xy"), "bounding_box_format"),
    (lambda: L.RandomElasticTransform(bounding_box_format="xyxy")(BOXED), "cannot move"),
    (lambda: L.CutMix(bounding_box_format="xyxy")(BOXED), "cannot move"),
    (lambda: L.RandomFlip()(BOXED), "bounding_box_format="),
])  # fmt: skip
def test_mistakes_are_told(call, match):
    with pytest.raises(ValueError, match=match):
        call()


BOXED = {
    "images": np.ones((2, 4, 4, 3), "float32"),
    "bounding_boxes": {"boxes": np.ones((2, 1, 4), "float32"), "labels": np.ones((2, 1))},
}


def test_the_format_is_in_the_config():
    layer = L.RandomZoom(0.1, bounding_box_format="xywh")
    assert L.RandomZoom.from_config(layer.get_config()).bounding_box_format == "xywh"


def test_threads_move_boxes_of_images_of_their_own_sizes():
    waiting = threading.Barrier(2, timeout=30)

    class Together(L.CenterCrop):
        def transform_bounding_boxes(self, *args, **kwargs):
            waiting.wait()  # both threads are within the layer at once
            return super().transform_bounding_boxes(*args, **kwargs)

    layer = Together(4, 4, bounding_box_format="xyxy")

    def boxes(size):
        middle = [[[size / 2 - 1, size / 2 - 1, size / 2 + 1, size / 2 + 1.0]]]
        found = layer({
            "images": np.zeros((1, size, size, 3), "float32"),
            "bounding_boxes": {"boxes": np.array(middle, "float32"), "labels": np.ones((1, 1))},
        })
        return np.asarray(found["bounding_boxes"]["boxes"]).tolist()

    with keras.config.backend_scope("numpy"), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(boxes, [8, 40])) == [[[[1.0, 1.0, 3.0, 3.0]]]] * 2
