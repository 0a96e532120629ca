"""Layers that mix images with each other, or with changed versions of themselves, in training."""

from __future__ import annotations

from typing import Any

from kerasish import ops, random
from kerasish.errors import InvalidArgument
from kerasish.layers.preprocessing.augmentation import ImageLayer, bounds, images_of, per_image
from kerasish.layers.preprocessing.color import (
    AutoContrast,
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    RandomSharpness,
    Solarization,
    _Color,
)
from kerasish.layers.preprocessing.equalization import Equalization
from kerasish.layers.preprocessing.geometry import RandomRotation, RandomShear, RandomTranslation


def _partners(data: Any, seed: Any) -> Any:
    """For each image the number of another one (or, by chance, of itself)."""
    return random.shuffle(ops.arange(ops.shape(images_of(data))[0], dtype="int32"), seed=seed)


def _blend(x: Any, partners: Any, part: Any) -> Any:
    part = per_image(part, x)
    return part * x + (1.0 - part) * ops.take(x, partners, axis=0)


class MixUp(ImageLayer):
    """Blends each image, its labels and masks with those of another image of the batch.

    Zhang et al. (2018), https://arxiv.org/abs/1710.09412

    Args:
        alpha: the parts are drawn from a Beta(alpha, alpha) distribution.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: the seed of the parts and partners.

    >>> import kerasish as keras
    >>> data = {"images": keras.ops.ones((4, 2, 2, 3)), "labels": keras.ops.eye(4)}
    >>> keras.layers.MixUp(seed=1)(data)["labels"].shape
    (4, 4)
    """

    moves_pixels = True

    def __init__(
        self, alpha: float = 0.2, data_format: str | None = None, seed: Any = None, **kwargs: Any
    ):
        super().__init__(seed, data_format, **kwargs)
        if alpha <= 0:
            raise InvalidArgument(f"MixUp needs a positive alpha, got {alpha!r}.")
        self.alpha = alpha

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        shape = (ops.shape(images_of(data))[0],)
        part = random.beta(shape, self.alpha, self.alpha, dtype="float32", seed=seed)
        return {"part": part, "partners": _partners(data, seed)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        x = ops.cast(images, self.compute_dtype)
        return _blend(x, transformation["partners"], transformation["part"])

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        return self.transform_images(labels, transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        """Those of both images."""
        return {
            k: ops.concatenate([x, ops.take(x, transformation["partners"], axis=0)], axis=1)
            for k, x in bounding_boxes.items()
        }


class CutMix(ImageLayer):
    """Puts a box of another image of the batch into each image; labels are blended by area.

    Yun et al. (2019), https://arxiv.org/abs/1905.04899

    Args:
        factor: the bounds of the part of the box; a number means `(0, factor)`.
        seed: the seed of the boxes and partners.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> data = {"images": keras.ops.ones((4, 2, 2, 3)), "labels": keras.ops.eye(4)}
    >>> keras.layers.CutMix(seed=1)(data)["labels"].shape
    (4, 4)
    """

    moves_pixels = True

    def __init__(
        self, factor: Any = 1.0, seed: Any = None, data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(seed, data_format, **kwargs)
        self.factor = bounds("CutMix", factor, 0.0, (0.0, 1.0))

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        side = ops.sqrt(self.draw(data, self.factor, seed))
        center = tuple(self.draw(data, seed=seed) for _ in range(2))
        box = self.box(images_of(data), center, (side, side))
        # The part of the box that lies inside the image counts.
        part = 1.0 - ops.mean(ops.cast(box, "float32"), axis=(1, 2, 3))
        return {"box": box, "part": part, "partners": _partners(data, seed)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        other = ops.take(images, transformation["partners"], axis=0)
        return ops.where(transformation["box"], other, images)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training)

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        x = ops.cast(labels, self.compute_dtype)
        return _blend(x, transformation["partners"], transformation["part"])


class _Chain(_Color):
    """Applies randomly chosen changes of strength `self.factor`, the same ones to a whole batch."""

    moves_pixels = True

    def _choices(self, all_ops: bool) -> list[ImageLayer]:
        f = self.factor
        common = {"data_format": self.data_format, "dtype": self.dtype_policy}
        scale = {"value_range": self.value_range, **common}
        move = {"interpolation": self.interpolation, "fill_mode": "constant", **common}
        found: list[ImageLayer] = [
            AutoContrast(**scale),
            Equalization(**scale),
            Solarization(threshold_factor=(1.0 - f, 1.0 - f), **scale),
            RandomPosterization(8 - round(4 * f), **scale),
            RandomShear(0.3 * f, 0.3 * f, **move),
            RandomTranslation(0.3 * f, 0.3 * f, **move),
            RandomRotation(f / 12, **move),
        ]
        if all_ops:
            found += [
                RandomBrightness(0.5 * f, **scale),
                RandomContrast(0.9 * f, **scale),
                RandomColorDegeneration(f, **scale),
                RandomSharpness((0.5 - 0.45 * f, 0.5 + 0.45 * f), **scale),
            ]
        return found

    def _draw_step(self, data: Any, training: bool, seed: Any) -> Any:
        """The number of a layer, and what each layer would do.

        All draw, also those not chosen, so that no branch changes the state of the seeds.
        """
        return (
            random.randint((), 0, len(self.choices), seed=seed),
            [layer.get_random_transformation(data, training, seed) for layer in self.choices],
        )

    def _step(self, method: str, x: Any, step: Any) -> Any:
        which, drawn = step
        return ops.switch(
            which,
            [
                lambda x, layer=layer, t=t: getattr(layer, method)(x, t)
                for layer, t in zip(self.choices, drawn, strict=True)
            ],
            x,
        )


class RandAugment(_Chain):
    """Applies a few randomly chosen changes of color and geometry, the same ones to a batch.

    Cubuk et al. (2020), https://arxiv.org/abs/1909.13719

    Args:
        value_range: the least and greatest value of a pixel.
        num_ops: how many changes.
        factor: their strength, from 0 to 1.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: the seed of the choices.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.layers.RandAugment(seed=1)(keras.ops.ones((4, 4, 3))).shape
    (4, 4, 3)
    """

    def __init__(
        self, value_range: Any = (0, 255), num_ops: int = 2, factor: float = 0.5,
        interpolation: str = "bilinear", seed: Any = None, data_format: str | None = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        factor = bounds("RandAugment", factor, 0.0, (0.0, 1.0))[1]
        self.num_ops = num_ops
        self.factor = factor
        self.interpolation = interpolation
        self.choices = self._choices(all_ops=True)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return [self._draw_step(data, training, seed) for _ in range(self.num_ops)]

    def _change(self, x: Any, transformation: Any) -> Any:
        for step in transformation:
            x = self._step("transform_images", x, step)
        return x

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        x = segmentation_masks
        for step in transformation:
            x = self._step("transform_segmentation_masks", x, step)
        return x

    def move_boxes(self, boxes: Any, transformation: Any, size: tuple[Any, Any]) -> Any:
        for which, drawn in transformation:
            boxes = ops.switch(
                which,
                [
                    lambda x, layer=layer, t=t: (
                        layer.move_boxes(x, t, size) if layer.moves_pixels else x
                    )
                    for layer, t in zip(self.choices, drawn, strict=True)
                ],
                boxes,
            )
        return boxes


class AugMix(_Chain):
    """Blends images with several chains of random changes of them.

    Masks are blended in the same way, so give classes as one-hot vectors; boxes stay.

    Hendrycks et al. (2020), https://arxiv.org/abs/1912.02781

    Args:
        value_range: the least and greatest value of a pixel.
        num_chains: how many chains.
        chain_depth: how many changes a chain has at most.
        factor: the strength of the changes, from 0 to 1.
        alpha: the parameter of the Dirichlet and Beta distributions of the parts.
        all_ops: whether to change brightness, contrast, color and sharpness too.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: the seed of the choices.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.layers.AugMix(num_chains=2, seed=1)(keras.ops.ones((4, 4, 3))).shape
    (4, 4, 3)
    """

    moves_pixels = False

    def __init__(
        self, value_range: Any = (0, 255), num_chains: int = 3, chain_depth: int = 3,
        factor: float = 0.3, alpha: float = 1.0, all_ops: bool = True,
        interpolation: str = "bilinear", seed: Any = None, data_format: str | None = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        factor = bounds("AugMix", factor, 0.0, (0.0, 1.0))[1]
        self.num_chains = num_chains
        self.chain_depth = chain_depth
        self.factor = factor
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.choices = self._choices(all_ops)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        shape = (self.num_chains, ops.shape(images_of(data))[0])
        raw = random.gamma(shape, self.alpha, dtype="float32", seed=seed) + 1e-7
        return {
            # Gamma variates over their sum are Dirichlet variates.
            "weights": raw / ops.sum(raw, axis=0, keepdims=True),
            "part": random.beta(shape[1:], self.alpha, self.alpha, dtype="float32", seed=seed),
            "depths": random.randint((self.num_chains,), 0, self.chain_depth + 1, seed=seed),
            "chains": [
                [self._draw_step(data, training, seed) for _ in range(self.chain_depth)]
                for _ in range(self.num_chains)
            ],
        }

    def _change(
        self, x: Any, transformation: Any, method: str = "transform_images"
    ) -> Any:
        mixed: Any = 0.0
        for i, chain in enumerate(transformation["chains"]):
            changed = x
            for depth, step in enumerate(chain):
                then = self._step(method, changed, step)
                changed = ops.where(transformation["depths"][i] > depth, then, changed)
            mixed = mixed + per_image(transformation["weights"][i], x) * changed
        part = per_image(transformation["part"], x)
        return part * x + (1.0 - part) * mixed

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        x = ops.cast(segmentation_masks, self.compute_dtype)
        return self._change(x, transformation, "transform_segmentation_masks")
