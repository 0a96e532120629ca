"""Layers that give images a size: `Resizing`, `CenterCrop`, `RandomCrop`, and boxes a number."""

from __future__ import annotations

from typing import Any

from kerasish import ops, random, tree
from kerasish.errors import InvalidArgument
from kerasish.layers.preprocessing.augmentation import ImageLayer, images_of
from kerasish.layers.preprocessing.boxes import shifted
from kerasish.layers.preprocessing.host import PipelineLayer


class _Sized(ImageLayer):
    """Makes images of one height and width."""

    at_inference = True
    moves_pixels = True

    def __init__(self, height: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        if height < 1 or width < 1:
            raise InvalidArgument(
                f"{type(self).__name__} needs a height and a width of at least 1, got {height} "
                f"and {width}."
            )
        self.height = height
        self.width = width

    def compute_output_shape(self, input_shape: Any) -> Any:
        if isinstance(input_shape, dict):
            return {**input_shape, "images": self.compute_output_shape(input_shape["images"])}
        shape = list(input_shape)
        shape[self.axes[0]], shape[self.axes[1]] = self.height, self.width
        return tuple(shape)

    def _resize_boxes(
        self, boxes: Any, size: tuple[Any, Any], cut: bool = False, fill: bool = False
    ) -> Any:
        """Boxes of images that are resized, after they were cut or filled up to proportions."""
        sides = []
        for axis, (n, new, other, new_other) in enumerate((
            (size[0], self.height, size[1], self.width), (size[1], self.width, size[0], self.height)
        )):  # fmt: skip
            # What keeps the proportions; half a pixel makes the floor sure.
            wanted = ops.floor((ops.cast(other, "float32") * new + 0.5) / new_other)
            n = ops.cast(n, "float32")
            length = ops.maximum(ops.minimum(n, wanted), 1.0) if cut else (
                ops.maximum(n, wanted) if fill else n
            )
            start = ops.floor((n - length) / 2.0) if cut else -ops.floor((length - n) / 2.0)
            first, last = boxes[..., 1 - axis], boxes[..., 3 - axis]
            sides.append([(side - start) * (new / length) for side in (first, last)])
        (top, bottom), (left, right) = sides
        return ops.stack([left, top, right, bottom], axis=-1)

    def _resize(self, images: Any, interpolation: str = "bilinear") -> Any:
        return ops.image.resize(
            images, (self.height, self.width), interpolation, crop_to_aspect_ratio=True,
            data_format=self.data_format,
        )

    def _fits(self, size: tuple[Any, Any]) -> bool:
        """Whether images are large enough; sizes known only when running are trusted to be."""
        return not any(
            isinstance(n, int) and n < wanted
            for n, wanted in zip(size, (self.height, self.width), strict=True)
        )


class Resizing(_Sized):
    """Resizes images.

    Args:
        height, width: the new size.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"`, `"lanczos5"` or
            `"area"`.
        crop_to_aspect_ratio, pad_to_aspect_ratio: whether to cut or pad the images so that they
            keep their proportions.
        fill_mode, fill_value: how to pad.
        antialias: whether to smooth images that become smaller.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.layers.Resizing(4, 6)(keras.ops.ones((2, 8, 8, 3))).shape
    (2, 4, 6, 3)
    """

    keeps_dtype = True

    def __init__(
        self, height: int, width: int, interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant", fill_value: float = 0.0, antialias: bool = False,
        data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(height, width, data_format=data_format, **kwargs)
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = antialias

    def _to_size(self, x: Any, interpolation: str, antialias: bool) -> Any:
        return ops.image.resize(
            x, (self.height, self.width), interpolation, antialias, self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio, self.fill_mode, self.fill_value, self.data_format,
        )

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        return self._to_size(images, self.interpolation, self.antialias)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self._to_size(segmentation_masks, "nearest", False)

    def move_boxes(self, boxes: Any, transformation: Any, size: tuple[Any, Any]) -> Any:
        return self._resize_boxes(
            boxes, size, self.crop_to_aspect_ratio, self.pad_to_aspect_ratio
        )


class CenterCrop(_Sized):
    """Cuts out the middle of images; smaller images are first made larger.

    Args:
        height, width: the new size.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.arange(16.0), (4, 4, 1))
    >>> keras.layers.CenterCrop(2, 2)(x)[..., 0].tolist()
    [[5.0, 6.0], [9.0, 10.0]]
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any):
        super().__init__(height, width, data_format=data_format, **kwargs)

    def _crop(self, x: Any, interpolation: str) -> Any:
        if not self._fits(self.size(x)):
            return self._resize(x, interpolation)
        height, width = self.size(x)
        return ops.image.crop_images(
            x, (height - self.height) // 2, (width - self.width) // 2,
            target_height=self.height, target_width=self.width, data_format=self.data_format,
        )

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        return self._crop(images, "bilinear")

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self._crop(segmentation_masks, "nearest")

    def move_boxes(self, boxes: Any, transformation: Any, size: tuple[Any, Any]) -> Any:
        if not self._fits(size):
            return self._resize_boxes(boxes, size, cut=True)
        return shifted(boxes, *(
            -ops.floor((ops.cast(n, "float32") - wanted) / 2.0)
            for n, wanted in ((size[1], self.width), (size[0], self.height))
        ))


class RandomCrop(_Sized):
    """Cuts a window out of images in training, at one random place for the whole batch.

    At inference, and where an image is smaller than the window, the images are resized, and what
    then stands out is cut off.

    Args:
        height, width: the size of the window.
        seed: the seed of the places.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.layers.RandomCrop(4, 6, seed=1)(keras.ops.ones((2, 8, 8, 3))).shape
    (2, 4, 6, 3)
    """

    def __init__(
        self, height: int, width: int, seed: Any = None, data_format: str | None = None,
        name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(
            height, width, seed=seed, data_format=data_format, name=name, **kwargs
        )
        self.seed_generator = random.SeedGenerator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        images = images_of(data)
        if not training or not self._fits(self.size(images)):
            return None
        starts = random.uniform((2,), dtype="float32", seed=seed)
        ends = zip(self.size(images), (self.height, self.width), strict=True)
        return [
            ops.cast(ops.floor(starts[i] * ops.cast(n - wanted + 1, "float32")), "int32")
            for i, (n, wanted) in enumerate(ends)
        ]

    def _crop(self, x: Any, starts: Any, interpolation: str) -> Any:
        if starts is None:
            return self._resize(x, interpolation)
        for axis, start, n in zip(self.axes, starts, (self.height, self.width), strict=False):
            x = ops.take(x, ops.add(ops.arange(n, dtype="int32"), start), axis=axis)
        return x

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        return self._crop(images, transformation, "bilinear")

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self._crop(segmentation_masks, transformation, "nearest")

    def move_boxes(self, boxes: Any, transformation: Any, size: tuple[Any, Any]) -> Any:
        if transformation is None:
            return self._resize_boxes(boxes, size, cut=True)
        down, right = (-ops.cast(start, "float32") for start in transformation)
        return shifted(boxes, right, down)


class MaxNumBoundingBoxes(PipelineLayer):
    """Gives every image the same number of bounding boxes: cuts the list off or fills it up.

    Args:
        max_number: how many boxes.
        fill_value: what missing boxes and their labels are.

    >>> import kerasish as keras
    >>> boxes = {"boxes": keras.ops.ones((1, 2, 4)), "labels": keras.ops.ones((1, 2))}
    >>> out = keras.layers.MaxNumBoundingBoxes(3)({"bounding_boxes": boxes})
    >>> out["bounding_boxes"]["labels"].tolist()
    [[1.0, 1.0, -1.0]]
    """

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs: Any):
        for name in ("data_format", "bounding_box_format"):  # it serves boxes of any format
            kwargs.pop(name, None)
        super().__init__(**kwargs)
        self.max_number = max_number
        self.fill_value = fill_value
        self.built = True

    def call(self, data: Any) -> Any:
        if not isinstance(data, dict) or "bounding_boxes" not in data:
            raise InvalidArgument(
                "MaxNumBoundingBoxes takes a dict with 'bounding_boxes', got "
                f"{sorted(data) if isinstance(data, dict) else type(data).__name__}."
            )
        boxes = data["bounding_boxes"]
        # The axis of the boxes is the last but one of "boxes", of shape ([batch,] number, 4).
        axis = len(boxes["boxes"].shape) - 2

        def fit(x: Any) -> Any:
            widths = [(0, 0)] * len(x.shape)
            widths[axis] = (0, self.max_number)
            x = ops.pad(x, widths, constant_values=self.fill_value)
            return x[(*[slice(None)] * axis, slice(self.max_number))]

        return {**data, "bounding_boxes": tree.map_structure(fit, boxes)}
