"""Bounding boxes: their formats, overlaps, and how they move with the pixels."""

from __future__ import annotations

import math
from typing import Any

from kerasish import ops, tree
from kerasish.errors import InvalidArgument, ShapeError

FORMATS = (
    "xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw",
    "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh",
)  # fmt: skip


def check_format(name: str, value: Any) -> str:
    """The format itself where it is one, else an error that lists them."""
    if value not in FORMATS:
        raise InvalidArgument(f"{name} is one of {FORMATS}, got {value!r}.")
    return value


def _columns(x: Any) -> list[Any]:
    return [x[..., i : i + 1] for i in range(4)]


def _sizes(height: Any, width: Any, like: Any) -> tuple[Any, Any]:
    """Height and width as numbers, or, where there is one for each image, as columns."""
    def one(n: Any) -> Any:
        if isinstance(n, int | float):
            return float(n)
        n = ops.cast(n, ops.dtype(like))
        return ops.reshape(n, (-1, *[1] * (len(like.shape) - 1))) if len(n.shape) else n

    return one(height), one(width)


def convert_format(
    boxes: Any, source: str, target: str, height: Any = None, width: Any = None,
    dtype: str = "float32",
) -> Any:  # fmt: skip
    """Boxes in another format.

    Args:
        boxes: numbers of shape `(..., 4)`, or a dict that has them as `"boxes"`.
        source: the format of the boxes: `"xyxy"` (left, top, right, bottom), `"yxyx"`, `"xywh"`
            (left, top, width, height), `"center_xywh"`, `"center_yxhw"`, and, in parts of the
            image's size, `"rel_xyxy"`, `"rel_yxyx"`, `"rel_xywh"`, `"rel_center_xywh"`.
        target: the wanted format.
        height, width: the size of the images, or of each image, where a format is relative.
        dtype: the dtype of the result.

    >>> import kerasish as keras
    >>> boxes = [[10.0, 20.0, 30.0, 60.0]]
    >>> keras.utils.bounding_boxes.convert_format(boxes, "xyxy", "center_xywh").tolist()
    [[20.0, 40.0, 20.0, 40.0]]
    """
    if isinstance(boxes, dict):
        moved = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": moved}
    check_format("source", source)
    check_format("target", target)
    x = ops.cast(ops.convert_to_tensor(boxes), dtype)
    if x.shape[-1] != 4:
        raise ShapeError(f"Boxes have the shape (..., 4), got {tuple(x.shape)}.")
    if source == target:
        return x
    from_part, to_part = source.startswith("rel_"), target.startswith("rel_")
    if from_part != to_part and (height is None or width is None):
        raise InvalidArgument(
            f"From {source!r} to {target!r} the height and width of the images are needed."
        )
    corners = _to_xyxy(x, source.removeprefix("rel_"))
    if from_part != to_part:
        h, w = _sizes(height, width, x)
        scale = (lambda side, n: side / n) if to_part else (lambda side, n: side * n)
        corners = [scale(side, n) for side, n in zip(corners, (w, h, w, h), strict=True)]
    return ops.cast(_from_xyxy(corners, target.removeprefix("rel_")), dtype)


def _to_xyxy(x: Any, source: str) -> list[Any]:
    a, b, c, d = _columns(x)
    match source:
        case "xyxy":
            return [a, b, c, d]
        case "yxyx":
            return [b, a, d, c]
        case "xywh":
            return [a, b, a + c, b + d]
        case "center_xywh":
            return [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0]
        case _:  # center_yxhw
            return [b - d / 2.0, a - c / 2.0, b + d / 2.0, a + c / 2.0]


def _from_xyxy(corners: list[Any], target: str) -> Any:
    left, top, right, bottom = corners
    width, height = right - left, bottom - top
    match target:
        case "xyxy":
            parts = corners
        case "yxyx":
            parts = [top, left, bottom, right]
        case "xywh":
            parts = [left, top, width, height]
        case "center_xywh":
            parts = [left + width / 2.0, top + height / 2.0, width, height]
        case _:
            parts = [top + height / 2.0, left + width / 2.0, height, width]
    return ops.concatenate(parts, axis=-1)


def clip_to_image_size(
    bounding_boxes: Any, height: Any = None, width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:  # fmt: skip
    """Boxes cut off at the border of the image; those outside get the label -1.

    Args:
        bounding_boxes: `{"boxes": (..., 4), "labels": (...)}`, or boxes alone.
        height, width: the size of the images, not needed for relative formats.
        bounding_box_format: the format of the boxes, see `convert_format`.

    >>> import kerasish as keras
    >>> boxes = {"boxes": [[-5.0, 2.0, 6.0, 30.0]], "labels": [3]}
    >>> clipped = keras.utils.bounding_boxes.clip_to_image_size(boxes, 10, 10)
    >>> clipped["boxes"].tolist(), clipped["labels"].tolist()
    ([[0.0, 2.0, 6.0, 10.0]], [3])
    """
    check_format("bounding_box_format", bounding_box_format)
    alone = not isinstance(bounding_boxes, dict)
    given = {"boxes": bounding_boxes} if alone else bounding_boxes
    relative = bounding_box_format.startswith("rel_")
    if not relative and (height is None or width is None):
        raise InvalidArgument(
            f"Boxes in the format {bounding_box_format!r} need the height and width of the images."
        )
    if relative:
        height = width = 1.0
    plain = bounding_box_format.removeprefix("rel_")
    x = convert_format(given["boxes"], plain, "xyxy")
    h, w = _sizes(height, width, x)
    left, top, right, bottom = (
        ops.clip(side, 0.0, limit) for side, limit in zip(_columns(x), (w, h, w, h), strict=True)
    )
    boxes = _from_xyxy([left, top, right, bottom], plain)
    if alone:
        return boxes
    result = {**given, "boxes": boxes}
    if "labels" in given:
        labels = ops.convert_to_tensor(given["labels"])
        empty = ops.logical_or(right <= left, bottom <= top)[..., 0]
        result["labels"] = ops.where(empty, ops.cast(-1, ops.dtype(labels)), labels)
    return result


def _areas(corners: list[Any]) -> Any:
    return (corners[2] - corners[0]) * (corners[3] - corners[1])


def _overlap(a: list[Any], b: list[Any]) -> tuple[Any, Any]:
    """Areas of intersections and unions."""
    width = ops.minimum(a[2], b[2]) - ops.maximum(a[0], b[0])
    height = ops.minimum(a[3], b[3]) - ops.maximum(a[1], b[1])
    both = ops.maximum(width, 0.0) * ops.maximum(height, 0.0)
    return both, _areas(a) + _areas(b) - both


def _absolute(boxes: Any, bounding_box_format: str, image_shape: Any) -> Any:
    """Corners in pixels; parts of the image stay parts where its shape is not given."""
    height, width = (None, None) if image_shape is None else image_shape[:2]
    if image_shape is None:
        bounding_box_format = bounding_box_format.removeprefix("rel_")
    return convert_format(boxes, bounding_box_format, "xyxy", height, width)


def compute_iou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, use_masking: bool = False,
    mask_val: float = -1, image_shape: Any = None,
) -> Any:  # fmt: skip
    """The area that two boxes share over the area that they cover, for all pairs.

    Args:
        boxes1: shape `(n, 4)` or `(batch, n, 4)`.
        boxes2: shape `(m, 4)` or `(batch, m, 4)`.
        bounding_box_format: the format of the boxes, see `convert_format`.
        use_masking: give `mask_val` for pairs with a box that is padding: whose numbers are all
            `mask_val`.
        mask_val: see there.
        image_shape: the shape of the images `(height, width, channels)`; only needed where
            relative boxes of images that are not square are compared by area.

    Returns:
        Numbers from 0 to 1 of shape `([batch,] n, m)`.

    >>> import kerasish as keras
    >>> a, b = [[0.0, 0.0, 2.0, 2.0]], [[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]]
    >>> keras.utils.bounding_boxes.compute_iou(a, b, "xyxy").round(3).tolist()
    [[0.3330000042915344, 0.0]]
    """
    check_format("bounding_box_format", bounding_box_format)
    first, second = (ops.cast(ops.convert_to_tensor(b), "float32") for b in (boxes1, boxes2))
    if {len(first.shape), len(second.shape)} - {2, 3}:
        raise ShapeError(
            "compute_iou takes boxes of shape (n, 4) or (batch, n, 4), got "
            f"{tuple(first.shape)} and {tuple(second.shape)}."
        )
    a = [c[..., :, None, 0] for c in _columns(_absolute(first, bounding_box_format, image_shape))]
    b = [c[..., None, :, 0] for c in _columns(_absolute(second, bounding_box_format, image_shape))]
    both, either = _overlap(a, b)
    iou = ops.divide_no_nan(both, either)
    if not use_masking:
        return iou
    masked = ops.logical_or(
        ops.all(first == mask_val, axis=-1)[..., :, None],
        ops.all(second == mask_val, axis=-1)[..., None, :],
    )
    return ops.where(masked, ops.cast(mask_val, "float32"), iou)


def compute_ciou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None
) -> Any:
    """The complete IoU of boxes with boxes: less where centers are apart or proportions differ.

    Zheng et al. (2020), https://arxiv.org/abs/2005.03572

    Args:
        boxes1, boxes2: shapes `(..., 4)` that broadcast against each other.
        bounding_box_format: the format of the boxes, see `convert_format`.
        image_shape: as in `compute_iou`.

    >>> import kerasish as keras
    >>> box = [[0.0, 0.0, 2.0, 2.0]]
    >>> keras.utils.bounding_boxes.compute_ciou(box, box, "xyxy").round(3).tolist()
    [1.0]
    """
    check_format("bounding_box_format", bounding_box_format)
    a, b = (
        [c[..., 0] for c in _columns(_absolute(x, bounding_box_format, image_shape))]
        for x in (boxes1, boxes2)
    )
    both, either = _overlap(a, b)
    iou = ops.divide_no_nan(both, either)
    apart, across = (
        sum(ops.square(x) for x in parts) for parts in (
            [(a[i] + a[i + 2] - b[i] - b[i + 2]) / 2.0 for i in (0, 1)],
            [ops.maximum(a[i + 2], b[i + 2]) - ops.minimum(a[i], b[i]) for i in (0, 1)],
        )
    )  # fmt: skip
    angles = [ops.arctan2(x[2] - x[0], x[3] - x[1]) for x in (a, b)]
    proportions = (4.0 / math.pi**2) * ops.square(angles[0] - angles[1])
    weight = ops.stop_gradient(ops.divide_no_nan(proportions, proportions - iou + 1.0))
    return iou - ops.divide_no_nan(apart, across) - weight * proportions


def encode_box_to_deltas(
    anchors: Any, boxes: Any, anchor_format: str, box_format: str,
    encoding_format: str = "center_yxhw", variance: Any = None, image_shape: Any = None,
) -> Any:  # fmt: skip
    """How boxes differ from anchors: what a detector learns.

    Centers by their distance over the anchor's size, sizes by the logarithm of their quotient.

    Args:
        anchors: shape `(n, 4)`.
        boxes: shape `(n, 4)` or `(batch, n, 4)`.
        anchor_format, box_format: their formats, see `convert_format`.
        encoding_format: the order of the numbers: `"center_yxhw"` or `"center_xywh"`.
        variance: four numbers that the result is divided by.
        image_shape: the shape of the images, where a format is relative.

    >>> import kerasish as keras
    >>> boxes = keras.utils.bounding_boxes
    >>> anchors = [[0.0, 0.0, 10.0, 10.0]]
    >>> deltas = boxes.encode_box_to_deltas(anchors, [[1.0, 2.0, 11.0, 12.0]], "xyxy", "xyxy")
    >>> deltas.round(3).tolist()
    [[0.20000000298023224, 0.10000000149011612, 0.0, 0.0]]
    """
    _check_encoding(encoding_format, variance)
    height, width = (None, None) if image_shape is None else image_shape[:2]
    a = convert_format(anchors, anchor_format, encoding_format, height, width)
    b = convert_format(boxes, box_format, encoding_format, height, width)
    centers = (b[..., :2] - a[..., :2]) / a[..., 2:]
    deltas = ops.concatenate([centers, ops.log(b[..., 2:] / a[..., 2:])], axis=-1)
    return deltas if variance is None else deltas / ops.convert_to_tensor(variance, "float32")


def decode_deltas_to_boxes(
    anchors: Any, boxes_delta: Any, anchor_format: str, box_format: str,
    encoded_format: str = "center_yxhw", variance: Any = None, image_shape: Any = None,
) -> Any:  # fmt: skip
    """The boxes that `encode_box_to_deltas` made deltas of.

    Args:
        anchors: shape `(n, 4)`, or a dict of such.
        boxes_delta: shape `(n, 4)` or `(batch, n, 4)`, or a dict with the same keys.
        anchor_format: the format of the anchors.
        box_format: the wanted format of the boxes.
        encoded_format: the order of the deltas.
        variance: as when encoding.
        image_shape: the shape of the images, where a format is relative.

    >>> import kerasish as keras
    >>> deltas = [[0.2, 0.1, 0.0, 0.0]]
    >>> anchors = [[0.0, 0.0, 10.0, 10.0]]
    >>> boxes = keras.utils.bounding_boxes.decode_deltas_to_boxes(anchors, deltas, "xyxy", "xyxy")
    >>> boxes.tolist()
    [[1.0, 2.0, 11.0, 12.0]]
    """
    _check_encoding(encoded_format, variance)
    if isinstance(boxes_delta, dict):
        return {
            k: decode_deltas_to_boxes(
                anchors[k], x, anchor_format, box_format, encoded_format, variance, image_shape
            )
            for k, x in boxes_delta.items()
        }
    height, width = (None, None) if image_shape is None else image_shape[:2]
    a = convert_format(anchors, anchor_format, encoded_format, height, width)
    deltas = ops.cast(ops.convert_to_tensor(boxes_delta), "float32")
    if variance is not None:
        deltas = deltas * ops.convert_to_tensor(variance, "float32")
    centers = deltas[..., :2] * a[..., 2:] + a[..., :2]
    boxes = ops.concatenate([centers, ops.exp(deltas[..., 2:]) * a[..., 2:]], axis=-1)
    return convert_format(boxes, encoded_format, box_format, height, width)


def _check_encoding(encoding_format: str, variance: Any) -> None:
    if encoding_format not in ("center_xywh", "center_yxhw"):
        raise InvalidArgument(
            "Deltas are encoded as 'center_xywh' or 'center_yxhw', got "
            f"{encoding_format!r}."
        )
    if variance is not None and len(tree.flatten(variance)) != 4 and (
        getattr(variance, "shape", None) != (4,)
    ):
        raise InvalidArgument(f"variance is four numbers, got {variance!r}.")


def _pixels(who: str, bounding_box_format: str) -> None:
    if check_format("bounding_box_format", bounding_box_format).startswith("rel_"):
        raise InvalidArgument(
            f"{who} counts in pixels: convert boxes from {bounding_box_format!r} to 'xyxy' first."
        )


def crop(
    boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy"
) -> Any:
    """Boxes in a window that is cut out of the image.

    Args:
        boxes: shape `(..., 4)`.
        top, left: where the window begins.
        height, width: its size.
        bounding_box_format: a format in pixels, see `convert_format`.

    >>> import kerasish as keras
    >>> keras.utils.bounding_boxes.crop([[10.0, 20.0, 30.0, 60.0]], 5, 8, 40, 50).tolist()
    [[2.0, 15.0, 22.0, 40.0]]
    """
    _pixels("crop", bounding_box_format)
    x = convert_format(boxes, bounding_box_format, "xyxy")
    x = clip_to_image_size(shifted(x, -left, -top), height, width)
    return convert_format(x, "xyxy", bounding_box_format)


def pad(
    boxes: Any, top: Any, left: Any, height: Any = None, width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:  # fmt: skip
    """Boxes in an image to which pixels are added at the top and left.

    Args:
        boxes: shape `(..., 4)`.
        top, left: how many rows and columns are added.
        height, width: not needed; kept for compatibility.
        bounding_box_format: a format in pixels, see `convert_format`.

    >>> import kerasish as keras
    >>> keras.utils.bounding_boxes.pad([[10.0, 20.0, 30.0, 60.0]], 5, 8).tolist()
    [[18.0, 25.0, 38.0, 65.0]]
    """
    _pixels("pad", bounding_box_format)
    x = convert_format(boxes, bounding_box_format, "xyxy")
    return convert_format(shifted(x, left, top), "xyxy", bounding_box_format)


def shifted(x: Any, right: Any, down: Any) -> Any:
    """Boxes (`"xyxy"`) moved by so much."""
    a, b, c, d = _columns(x)
    return ops.concatenate([a + right, b + down, c + right, d + down], axis=-1)


def affine_transform(
    boxes: Any, angle: Any, translate_x: Any, translate_y: Any, scale: Any, shear_x: Any,
    shear_y: Any, height: Any, width: Any, center_x: Any = None, center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:  # fmt: skip
    """The boxes around what is in boxes after images were shifted, scaled, turned and sheared.

    Args:
        boxes: shape `(batch, n, 4)`.
        angle: the angle, counter-clockwise, in degrees, for each image.
        translate_x, translate_y: the shift in parts of width and height, before all else.
        scale: the factor of the size.
        shear_x, shear_y: the angles of the slopes along the width and along the height, in
            degrees; along the height comes first.
        height, width: the size of the images.
        center_x, center_y: what stays in place, in parts of the size; the middle by default.
        bounding_box_format: a format in pixels, see `convert_format`.

    >>> import kerasish as keras
    >>> move = keras.utils.bounding_boxes.affine_transform
    >>> move([[[10.0, 20.0, 30.0, 60.0]]], [90.0], [0.0], [0.0], [1.0], [0.0], [0.0], 100, 100)[0][
    ...     0].round().tolist()
    [20.0, 69.0, 60.0, 89.0]
    """
    _pixels("affine_transform", bounding_box_format)
    x = convert_format(boxes, bounding_box_format, "xyxy")

    def number(n: Any) -> Any:
        n = ops.cast(ops.convert_to_tensor(n), "float32")
        return ops.reshape(n, (-1, *[1] * (len(x.shape) - 1))) if len(n.shape) else n

    w, h = number(width) - 1.0, number(height) - 1.0
    middle_x = w * number(0.5 if center_x is None else center_x)
    middle_y = h * number(0.5 if center_y is None else center_y)
    turn, slope_x, slope_y = (
        number(n) * (math.pi / 180.0) for n in (angle, shear_x, shear_y)
    )
    cos, sin, scale = ops.cos(turn), ops.sin(turn), number(scale)
    by_x, by_y = ops.tan(slope_x), ops.tan(slope_y)
    # Turned: (cos x + sin y, -sin x + cos y), as y counts down; then sheared along y, then x.
    c, d = by_y * cos - sin, by_y * sin + cos
    a, b = cos + by_x * c, sin + by_x * d
    move_x, move_y = number(translate_x) * w - middle_x, number(translate_y) * h - middle_y

    def place(x: Any, y: Any) -> tuple[Any, Any]:
        x, y = x + move_x, y + move_y
        return scale * (a * x + b * y) + middle_x, scale * (c * x + d * y) + middle_y

    return convert_format(around(x, place), "xyxy", bounding_box_format)


def around(boxes: Any, place: Any) -> Any:
    """The boxes (`"xyxy"`) around the corners of boxes, each moved by `place(x, y) -> (x, y)`."""
    left, top, right, bottom = _columns(boxes)
    corners = [place(x, y) for x in (left, right) for y in (top, bottom)]
    xs, ys = (ops.concatenate([c[i] for c in corners], axis=-1) for i in (0, 1))
    return ops.stack(
        [ops.min(xs, -1), ops.min(ys, -1), ops.max(xs, -1), ops.max(ys, -1)], axis=-1
    )
