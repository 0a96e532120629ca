"""`ImageLayer`: what the layers that change images have in common."""

from __future__ import annotations

import contextvars
import inspect
from typing import Any

import numpy as np

from kerasish import config, ops, random, tree
from kerasish.errors import InvalidArgument, ShapeError, StateError
from kerasish.layers.preprocessing.boxes import (
    FORMATS,
    check_format,
    clip_to_image_size,
    convert_format,
)
from kerasish.layers.preprocessing.host import PipelineLayer

_sizes: contextvars.ContextVar[Any] = contextvars.ContextVar("sizes", default=None)
"""Of the images before and after, each height and width, while a thread moves their boxes."""


class ImageLayer(PipelineLayer):
    """Changes images, and with them the labels and masks that belong to them.

    A layer draws what to do, `get_random_transformation`, once for a call; `transform_images`,
    `transform_labels`, `transform_segmentation_masks` and `move_boxes` then do it. They always get
    batches. The input is an image, a batch of images, or a dict of `"images"` and any of
    `"labels"`, `"segmentation_masks"` and `"bounding_boxes"`, a dict of `"boxes"` and `"labels"`
    for each image; other entries pass through. A layer that moves pixels needs to know the
    `bounding_box_format`; boxes keep it, are cut off at the border, and get the label -1 outside.
    """

    at_inference = False
    """Whether the layer works at inference too, not only in training."""
    moves_pixels = False
    """Whether bounding boxes have to follow the pixels: then the layer defines `move_boxes`."""
    keeps_dtype = False
    """Whether the result has the dtype of the images, instead of the compute dtype."""

    def __init__(
        self, seed: Any = None, data_format: str | None = None,
        bounding_box_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        if bounding_box_format is not None:
            check_format(f"{type(self).__name__}: bounding_box_format", bounding_box_format)
        self.bounding_box_format = bounding_box_format
        self.seed = seed
        self.data_format = config.standardize_data_format(data_format)
        self.built = True
        self.seed_generator: Any = None if self.at_inference else random.SeedGenerator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Draws what is to be done to a batch."""
        return None

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        return images

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return segmentation_masks

    def move_boxes(self, boxes: Any, transformation: Any, size: tuple[Any, Any]) -> Any:
        """Where boxes (`"xyxy"`, in pixels of images of that height and width) go."""
        raise InvalidArgument(
            f"{type(self).__name__} cannot move bounding boxes. Leave them out of the dict."
        )

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        """Boxes and labels, in calls of the layer: there the sizes of the images are known."""
        if (sizes := _sizes.get()) is None:
            raise StateError(
                f"{type(self).__name__}.transform_bounding_boxes needs the sizes of the images: "
                "call the layer with a dict of images and boxes."
            )
        boxes, (before, after) = bounding_boxes, sizes
        source: Any = self.bounding_box_format
        x = convert_format(boxes["boxes"], source, "xyxy", *before)
        x = self.move_boxes(x, transformation, before)
        moved = clip_to_image_size({**boxes, "boxes": x}, *after)
        return {**moved, "boxes": convert_format(moved["boxes"], "xyxy", source, *after)}

    def call(self, data: Any, training: bool = True) -> Any:
        if not isinstance(data, dict):
            return self._transform({"images": data}, training)["images"]
        if "images" not in data:
            raise InvalidArgument(
                f"{type(self).__name__} takes images or a dict with 'images', got a dict with "
                f"{sorted(data)}."
            )
        return self._transform(data, training)

    def _transform(self, data: dict[str, Any], training: bool) -> dict[str, Any]:
        images = ops.convert_to_tensor(data["images"])
        if len(images.shape) not in (3, 4):
            raise ShapeError(
                f"{type(self).__name__} takes an image (3 axes) or a batch of images (4 axes), "
                f"got the shape {tuple(images.shape)}."
            )
        if not self.keeps_dtype:
            images = ops.cast(images, self.compute_dtype)
        data = {**data, "images": images}
        if not training and not self.at_inference:
            return data
        boxed = self.moves_pixels and "bounding_boxes" in data
        if boxed and self.bounding_box_format is None:
            raise InvalidArgument(
                f"{type(self).__name__} got bounding boxes, but not their format. Make it with "
                f"bounding_box_format=, one of {FORMATS}."
            )
        single = len(images.shape) == 3
        names = [k for k in ("images", "labels", "segmentation_masks") if k in data]
        batch = {k: ops.convert_to_tensor(data[k]) for k in names}
        if boxed:
            batch["bounding_boxes"] = _dense(data["bounding_boxes"], single)
        if single:
            batch = tree.map_structure(lambda x: ops.expand_dims(x, 0), batch)
        transformation = self.get_random_transformation(batch, training, self.seed_generator)
        for name in names:
            x = batch[name]
            # A mask may come without a channel axis.
            flat = name == "segmentation_masks" and len(x.shape) == 3
            if flat:
                x = ops.expand_dims(x, self.axes[2])
            x = getattr(self, f"transform_{name}")(x, transformation, training)
            if name == "images" and not self.keeps_dtype:
                x = ops.cast(x, self.compute_dtype)  # NumPy widens bfloat16 beside Python floats
            if flat:
                x = ops.squeeze(x, self.axes[2])
            data[name] = ops.squeeze(x, 0) if single else x
        if boxed:
            sizes = [
                tuple(n if isinstance(n, int) else ops.cast(n, "float32") for n in self.size(x))
                for x in (batch["images"], data["images"])
            ]
            known = _sizes.set(sizes)
            try:
                boxes = self.transform_bounding_boxes(
                    batch["bounding_boxes"], transformation, training
                )
            finally:
                _sizes.reset(known)
            data["bounding_boxes"] = tree.map_structure(
                lambda x: ops.squeeze(x, 0) if single else x, boxes
            )
        return data

    def get_config(self) -> dict[str, Any]:
        # Without what a layer fixes for its base class and does not take itself.
        own = next(c for c in type(self).__mro__ if c.__module__.startswith("kerasish."))
        taken = inspect.signature(own.__init__).parameters
        hidden = {"seed", "fill_mode"} - taken.keys()
        if self.bounding_box_format is None:
            hidden.add("bounding_box_format")
        return {k: v for k, v in super().get_config().items() if k not in hidden}

    @property
    def axes(self) -> tuple[int, int, int]:
        """The axes of height, width and channels, counted from the end."""
        return (-3, -2, -1) if self.data_format == "channels_last" else (-2, -1, -3)

    def size(self, images: Any) -> tuple[Any, Any]:
        """Height and width."""
        shape = ops.shape(images)
        return shape[self.axes[0]], shape[self.axes[1]]

    def draw(self, data: Any, bounds: tuple[Any, Any] = (0.0, 1.0), seed: Any = None) -> Any:
        """A number between the bounds for each image."""
        shape = (ops.shape(images_of(data))[0],)
        return random.uniform(
            shape, *bounds, dtype="float32", seed=self.seed_generator if seed is None else seed
        )

    def happens(self, data: Any, factor: Any, seed: Any = None) -> Any:
        """For each image whether it is changed, with a probability between the bounds."""
        return ops.less(self.draw(data, seed=seed), self.draw(data, factor, seed))

    def box(self, images: Any, center: Any, size: Any) -> Any:
        """Where the images lie inside a box of that center `(y, x)` and size, in parts of them.

        The center and size are pairs of tensors of shape `(batch,)`.
        """
        inside = True
        for axis, n, middle, part in zip(self.axes, self.size(images), center, size, strict=False):
            length = ops.cast(n, "float32")
            start = ops.round((middle - part / 2) * length)[:, None]
            stop = ops.round((middle + part / 2) * length)[:, None]
            place = ops.arange(n, dtype="float32")
            within = ops.logical_and(place >= start, place < stop)
            shape = [-1, 1, 1, 1]
            shape[axis] = n
            inside = ops.logical_and(inside, ops.reshape(within, shape))
        return inside


def _dense(boxes: dict[str, Any], single: bool) -> dict[str, Any]:
    """Boxes and labels as tensors; lists of unequal lengths are filled up with -1."""
    if not isinstance(boxes, dict) or not {"boxes", "labels"} <= boxes.keys():
        raise InvalidArgument("Bounding boxes come as a dict with 'boxes' and 'labels'.")
    if not single and isinstance(boxes["boxes"], list | tuple):
        most = max((len(b) for b in boxes["boxes"]), default=0)

        def fill(rows: Any, width: int) -> Any:
            rows = [np.asarray(row, "float32").reshape(-1, width) for row in rows]
            return np.stack([
                np.pad(row, ((0, most - len(row)), (0, 0)), constant_values=-1) for row in rows
            ])

        boxes = {
            **boxes, "boxes": fill(boxes["boxes"], 4), "labels": fill(boxes["labels"], 1)[..., 0]
        }
    return tree.map_structure(ops.convert_to_tensor, boxes)


def images_of(data: Any) -> Any:
    """The images of what `get_random_transformation` got: a dict, or they themselves."""
    return data["images"] if isinstance(data, dict) else ops.convert_to_tensor(data)


def per_image(x: Any, images: Any) -> Any:
    """Numbers of shape `(batch,)` in a shape that broadcasts against the images."""
    x = ops.reshape(x, (-1, *[1] * (len(images.shape) - 1)))
    return x if ops.dtype(x) == "bool" else ops.cast(x, ops.dtype(images))


def bounds(
    who: str, factor: Any, low: float | None = None, within: tuple[float, float] | None = None,
    name: str = "factor",
) -> tuple[float, float]:  # fmt: skip
    """The bounds that a factor means: itself if it is a pair, else from `low` (or `-factor`)."""
    try:
        pair = tuple(factor) if isinstance(factor, list | tuple) else (
            -factor if low is None else low, factor
        )
        first, last = (float(x) for x in pair)
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"{who}: {name} is a number or a pair of numbers, got {factor!r}."
        ) from None
    if first > last or (within and not within[0] <= first <= last <= within[1]):
        limits = f" between {within[0]} and {within[1]}" if within else ""
        raise InvalidArgument(
            f"{who}: {name} means the range {(first, last)}; it needs two numbers{limits}, the "
            "smaller one first."
        )
    return first, last
