"""Layers that move the pixels of images in training, by random amounts, each image its own."""

from __future__ import annotations

import math
from typing import Any

from kerasish import ops, random
from kerasish.errors import InvalidArgument
from kerasish.layers.preprocessing.augmentation import ImageLayer, bounds, images_of, per_image
from kerasish.layers.preprocessing.boxes import around
from kerasish.ops.resampling import projection
from kerasish.random.seed import draw_seed


class _Geometry(ImageLayer):
    """Moves images by bilinear and masks by nearest interpolation.

    A layer defines `get_random_transformation` and `_move`.
    """

    moves_pixels = True

    def __init__(
        self, interpolation: str = "bilinear", fill_mode: str = "reflect",
        fill_value: float = 0.0, seed: Any = None, data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        for name, value, known in (
            ("interpolation", interpolation, ("nearest", "bilinear")),
            ("fill_mode", fill_mode, ("constant", "nearest", "wrap", "reflect")),
        ):
            if value not in known:
                raise InvalidArgument(
                    f"{type(self).__name__}: {name} must be one of {known}, got {value!r}."
                )
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = fill_value

    def _move(self, x: Any, transformation: Any, interpolation: str) -> Any:
        return ops.image.affine_transform(
            x, transformation, interpolation, self.fill_mode, self.fill_value, self.data_format
        )

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        return self._move(images, transformation, self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self._move(segmentation_masks, transformation, "nearest")

    def move_boxes(self, boxes: Any, transformation: Any, size: tuple[Any, Any]) -> Any:
        # The transformation tells where the pixels of the result come from: it is inverted. Boxes
        # end at the edges of pixels, half a pixel from their centers.
        # (TensorFlow's optimizer loses new axes in a slice of a stack, so these are reshaped.)
        a, b, x, c, d, y, e, f = (
            ops.reshape(transformation[:, i], (-1, 1, 1)) for i in range(8)
        )

        def place(u: Any, v: Any) -> tuple[Any, Any]:
            u, v = u - 0.5, v - 0.5
            scale = (c * f - d * e) * u + (b * e - a * f) * v + (a * d - b * c)
            right = (d - y * f) * u + (x * f - b) * v + (b * y - x * d)
            down = (y * e - c) * u + (a - x * e) * v + (x * c - a * y)
            return right / scale + 0.5, down / scale + 0.5

        return around(boxes, place)

    def _about_center(self, images: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        """Transforms under which a pixel (dx, dy) from the center comes from (a b; c d) of it."""
        x, y = ((ops.cast(n, "float32") - 1.0) / 2.0 for n in reversed(self.size(images)))
        zero = ops.zeros_like(a)
        return ops.stack(
            [a, b, x - a * x - b * y, c, d, y - c * x - d * y, zero, zero], axis=-1
        )


class RandomFlip(ImageLayer):
    """Mirrors images, each with probability 1/2 in each direction.

    Args:
        mode: `"horizontal"` (left and right change), `"vertical"` or
            `"horizontal_and_vertical"`.
        seed: the seed of the choices.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.layers.RandomFlip(seed=1)(keras.ops.ones((2, 4, 4, 3))).shape
    (2, 4, 4, 3)
    """

    moves_pixels = True

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: Any = None,
        data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        known = ("horizontal", "vertical", "horizontal_and_vertical")
        if mode not in known:
            raise InvalidArgument(f"RandomFlip: mode must be one of {known}, got {mode!r}.")
        self.mode = mode

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return {
            axis: self.happens(data, (0.5, 0.5), seed)
            for axis, name in zip(self.axes, ("vertical", "horizontal"), strict=False)
            if name in self.mode
        }

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        for axis, chosen in transformation.items():
            images = ops.where(per_image(chosen, images), ops.flip(images, axis), images)
        return images

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training)

    def move_boxes(self, boxes: Any, transformation: Any, size: tuple[Any, Any]) -> Any:
        left, top, right, bottom = (boxes[..., i] for i in range(4))
        for axis, chosen in transformation.items():
            chosen = ops.expand_dims(chosen, -1)
            if axis == self.axes[0]:
                top, bottom = (
                    ops.where(chosen, size[0] - bottom, top),
                    ops.where(chosen, size[0] - top, bottom),
                )
            else:
                left, right = (
                    ops.where(chosen, size[1] - right, left),
                    ops.where(chosen, size[1] - left, right),
                )
        return ops.stack([left, top, right, bottom], axis=-1)


class RandomRotation(_Geometry):
    """Turns images about their center.

    Args:
        factor: the bounds of the angle in parts of a full turn, counter-clockwise; a number means
            `(-factor, factor)`.
        fill_mode: what lies outside: `"reflect"`, `"constant"`, `"wrap"` or `"nearest"`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: the seed of the angles.
        fill_value: for `fill_mode="constant"`.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 2.0, 3.0, 4.0], (2, 2, 1))
    >>> keras.layers.RandomRotation((0.25, 0.25))(x).round(3)[..., 0].tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """

    def __init__(
        self, factor: Any, fill_mode: str = "reflect", interpolation: str = "bilinear",
        seed: Any = None, fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(interpolation, fill_mode, fill_value, seed, data_format, **kwargs)
        self.factor = bounds("RandomRotation", factor)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        angle = self.draw(data, self.factor, seed) * (2 * math.pi)
        cos, sin = ops.cos(angle), ops.sin(angle)
        return self._about_center(images_of(data), cos, -sin, sin, cos)


class RandomZoom(_Geometry):
    """Zooms images about their center.

    Args:
        height_factor: the bounds of the zoom: 0.2 shows 20 % more of the image (zooms out), -0.2
            that much less; a number means `(-height_factor, height_factor)`.
        width_factor: the same along the width; `None` keeps the proportions.
        fill_mode, interpolation, seed, fill_value, data_format: as in `RandomRotation`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 2.0, 3.0], (1, 3, 1))
    >>> keras.layers.RandomZoom((0.0, 0.0), (-0.5, -0.5))(x)[..., 0].tolist()
    [[1.5, 2.0, 2.5]]
    """

    def __init__(
        self, height_factor: Any, width_factor: Any = None, fill_mode: str = "reflect",
        interpolation: str = "bilinear", seed: Any = None, fill_value: float = 0.0,
        data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(interpolation, fill_mode, fill_value, seed, data_format, **kwargs)
        within = (-1.0, math.inf)
        self.height_factor = bounds("RandomZoom", height_factor, None, within, "height_factor")
        self.width_factor = width_factor if width_factor is None else bounds(
            "RandomZoom", width_factor, None, within, "width_factor"
        )

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        height = self.draw(data, self.height_factor, seed) + 1.0
        width = height
        if self.width_factor is not None:
            width = self.draw(data, self.width_factor, seed) + 1.0
        zero = ops.zeros_like(height)
        return self._about_center(images_of(data), width, zero, zero, height)


class RandomTranslation(_Geometry):
    """Shifts images.

    Args:
        height_factor: the bounds of the shift down, in parts of the height; a number means
            `(-height_factor, height_factor)`.
        width_factor: the bounds of the shift to the right, in parts of the width.
        fill_mode, interpolation, seed, fill_value, data_format: as in `RandomRotation`.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape([1.0, 2.0, 3.0, 4.0], (1, 4, 1))
    >>> layer = keras.layers.RandomTranslation(0.0, (0.25, 0.25), fill_mode="constant")
    >>> layer(x)[..., 0].tolist()
    [[0.0, 1.0, 2.0, 3.0]]
    """

    def __init__(
        self, height_factor: Any, width_factor: Any, fill_mode: str = "reflect",
        interpolation: str = "bilinear", seed: Any = None, fill_value: float = 0.0,
        data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(interpolation, fill_mode, fill_value, seed, data_format, **kwargs)
        within = (-1.0, 1.0)
        self.height_factor = bounds(
            "RandomTranslation", height_factor, None, within, "height_factor"
        )
        self.width_factor = bounds("RandomTranslation", width_factor, None, within, "width_factor")

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        height, width = (ops.cast(n, "float32") for n in self.size(images_of(data)))
        down = self.draw(data, self.height_factor, seed) * height
        right = self.draw(data, self.width_factor, seed) * width
        zero, one = ops.zeros_like(down), ops.ones_like(down)
        return ops.stack([one, zero, -right, zero, one, -down, zero, zero], axis=-1)


class RandomShear(_Geometry):
    """Shears images about their center, in a random direction.

    Args:
        x_factor: the bounds of the slope along the width, from 0 to 1; a number means
            `(0, x_factor)`.
        y_factor: the bounds of the slope along the height.
        interpolation, fill_mode, fill_value, data_format, seed: as in `RandomRotation`.

    >>> import kerasish as keras
    >>> keras.layers.RandomShear(0.2, seed=1)(keras.ops.ones((4, 4, 1))).shape
    (4, 4, 1)
    """

    def __init__(
        self, x_factor: Any = 0.0, y_factor: Any = 0.0, interpolation: str = "bilinear",
        fill_mode: str = "reflect", fill_value: float = 0.0, data_format: str | None = None,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(interpolation, fill_mode, fill_value, seed, data_format, **kwargs)
        self.x_factor = bounds("RandomShear", x_factor, 0.0, (-1.0, 1.0), "x_factor")
        self.y_factor = bounds("RandomShear", y_factor, 0.0, (-1.0, 1.0), "y_factor")

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        def slope(factor: Any) -> Any:
            amount = self.draw(data, factor, seed)
            return ops.where(self.happens(data, (0.5, 0.5), seed), amount, -amount)

        x, y = slope(self.x_factor), slope(self.y_factor)
        one = ops.ones_like(x)
        return self._about_center(images_of(data), one, x, y, one)


class RandomPerspective(_Geometry):
    """Moves the corners of images inwards by random amounts, as if seen at an angle.

    Args:
        factor: the bounds of the probability; a number means `(0, factor)`.
        scale: how far a corner moves at most: 1 is a quarter of the image's size.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: what lies outside.
        seed: the seed of the amounts.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.layers.RandomPerspective(seed=1)(keras.ops.ones((4, 4, 1))).shape
    (4, 4, 1)
    """

    def __init__(
        self, factor: Any = 1.0, scale: float = 1.0, interpolation: str = "bilinear",
        fill_value: float = 0.0, seed: Any = None, data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(interpolation, "constant", fill_value, seed, data_format, **kwargs)
        self.factor = bounds("RandomPerspective", factor, 0.0, (0.0, 1.0))
        self.scale = scale

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        images = images_of(data)
        # Less than half the distance to the center, so the corners stay those of a convex shape.
        inwards = random.uniform(
            (ops.shape(images)[0], 4, 2), 0.0, self.scale / 4, dtype="float32", seed=seed
        )
        corners = ops.convert_to_tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        size = ops.stack([ops.cast(n, "float32") - 1.0 for n in reversed(self.size(images))])
        start = ops.broadcast_to(corners * size, ops.shape(inwards))
        end = (corners + inwards * (1.0 - 2.0 * corners)) * size
        moved = projection(start, end)
        still = ops.convert_to_tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
        return ops.where(self.happens(data, self.factor, seed)[:, None], moved, still)


class RandomElasticTransform(_Geometry):
    """Bends images by a smooth random field.

    Simard et al. (2003), Best practices for convolutional neural networks.

    Args:
        factor: the bounds of the probability; a number means `(0, factor)`.
        scale: the bounds of the field's strength; a number means `(0, scale)`.
        interpolation, fill_mode, fill_value: as in `RandomRotation`.
        value_range: the least and greatest value of a pixel.
        seed: the seed of the fields.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.layers.RandomElasticTransform(seed=1)(keras.ops.ones((4, 4, 1))).shape
    (4, 4, 1)
    """

    def __init__(
        self, factor: Any = 1.0, scale: Any = 1.0, interpolation: str = "bilinear",
        fill_mode: str = "reflect", fill_value: float = 0.0, value_range: Any = (0, 255),
        seed: Any = None, data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(interpolation, fill_mode, fill_value, seed, data_format, **kwargs)
        self.factor = bounds("RandomElasticTransform", factor, 0.0, (0.0, 1.0))
        self.scale = bounds("RandomElasticTransform", scale, 0.0, name="scale")
        self.value_range = value_range

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        seed = self.seed_generator if seed is None else seed
        return {
            "chosen": self.happens(data, self.factor, seed),
            "alpha": random.uniform((), *self.scale, dtype="float32", seed=seed) * 20.0,
            "field": draw_seed(seed),
        }

    move_boxes = ImageLayer.move_boxes  # a bent box is none

    def _move(self, x: Any, transformation: Any, interpolation: str) -> Any:
        alpha = ops.cast(transformation["alpha"], self.compute_dtype)
        moved = ops.image.elastic_transform(
            x, alpha, 5.0, interpolation, self.fill_mode, self.fill_value, transformation["field"],
            self.data_format,
        )
        return ops.where(per_image(transformation["chosen"], x), moved, x)
