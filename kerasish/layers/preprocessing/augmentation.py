"""`ImageLayer`: what the layers that change images have in common."""

from __future__ import annotations

import inspect
from typing import Any

from kerasish import config, ops, random, tree
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers.preprocessing.host import PipelineLayer


class ImageLayer(PipelineLayer):
    """Changes images, and with them the labels and masks that belong to them.

    A layer draws what to do, `get_random_transformation`, once for a call; `transform_images`,
    `transform_labels` and `transform_segmentation_masks` then do it. They always get batches. The
    input is an image, a batch of images, or a dict of `"images"` and any of `"labels"` and
    `"segmentation_masks"`; other entries pass through.
    """

    at_inference = False
    """Whether the layer works at inference too, not only in training."""
    moves_pixels = False
    """Whether bounding boxes would have to follow the pixels."""
    keeps_dtype = False
    """Whether the result has the dtype of the images, instead of the compute dtype."""

    def __init__(self, seed: Any = None, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = seed
        self.data_format = config.standardize_data_format(data_format)
        self.built = True
        self.seed_generator = None if self.at_inference else random.SeedGenerator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Draws what is to be done to a batch."""
        return None

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        return images

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        return labels

    def transform_segmentation_masks(
        self, masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return masks

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
        if self.moves_pixels and "bounding_boxes" in data:
            raise InvalidArgument(
                f"{type(self).__name__} does not move bounding boxes. Leave them out of the dict, "
                "or use a layer that only changes colors."
            )
        single = len(images.shape) == 3
        names = [k for k in ("images", "labels", "segmentation_masks") if k in data]
        batch = {k: ops.convert_to_tensor(data[k]) for k in names}
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
        return data

    def get_config(self) -> dict[str, Any]:
        # Without what a layer fixes for its base class and does not take itself.
        own = next(c for c in type(self).__mro__ if c.__module__.startswith("kerasish."))
        taken = inspect.signature(own.__init__).parameters
        hidden = {"seed", "data_format", "fill_mode"} - taken.keys()
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
        shape = (ops.shape(data["images"])[0],)
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
