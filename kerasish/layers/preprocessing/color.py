"""Layers that change the colors of images in training, by random amounts, each image its own."""

from __future__ import annotations

from typing import Any

from kerasish import ops, random
from kerasish.errors import InvalidArgument
from kerasish.layers.preprocessing.augmentation import ImageLayer, bounds, per_image
from kerasish.random.seed import draw_seed

_UNIT = (0.0, 1.0)


class _Color(ImageLayer):
    """Knows the range of the values; `_change` may leave it, the result does not."""

    def __init__(
        self, value_range: Any = (0, 255), seed: Any = None, data_format: str | None = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        self.value_range = tuple(value_range)
        if len(self.value_range) != 2 or self.value_range[0] >= self.value_range[1]:
            raise InvalidArgument(
                f"{type(self).__name__}: value_range is (least, greatest), got {value_range!r}."
            )
        self.low, self.high = (float(x) for x in self.value_range)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        return ops.clip(self._change(images, transformation), self.low, self.high)

    def _change(self, x: Any, transformation: Any) -> Any:
        return x

    def _to_unit(self, x: Any) -> Any:
        return (x - self.low) / (self.high - self.low)

    def _from_unit(self, x: Any) -> Any:
        return x * (self.high - self.low) + self.low

    def _gray(self, x: Any) -> Any:
        """The luma in all channels."""
        gray = ops.image.rgb_to_grayscale(x, data_format=self.data_format)
        return ops.broadcast_to(gray, ops.shape(x))


class _Factor(_Color):
    """Draws one number between `self.factor` for each image."""

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return self.draw(data, self.factor, seed)


class RandomBrightness(_Factor):
    """Adds a random number to all values of an image, and clips them to their range.

    Args:
        factor: the bounds of what is added, in parts of the value range, from -1 to 1; a number
            means `(-factor, factor)`.
        value_range: the least and greatest value of a pixel.
        seed: the seed of the numbers.

    >>> import kerasish as keras
    >>> layer = keras.layers.RandomBrightness((0.5, 0.5), value_range=(0, 1))
    >>> layer(keras.ops.full((1, 1, 1), 0.25)).tolist()
    [[[0.75]]]
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: Any = None, **kwargs: Any
    ):
        super().__init__(value_range, seed, **kwargs)
        self.factor = bounds("RandomBrightness", factor, None, (-1.0, 1.0))

    def _change(self, x: Any, factor: Any) -> Any:
        return x + per_image(factor, x) * (self.high - self.low)


class RandomContrast(_Factor):
    """Scales the distance of the values from the mean of their channel.

    Args:
        factor: a number means a scale from `1 - factor` to `1 + factor`; a pair `(a, b)` one from
            `1 - a` to `1 + b`.
        value_range: the least and greatest value of a pixel.
        seed: the seed of the scales.

    >>> import kerasish as keras
    >>> layer = keras.layers.RandomContrast(0.5, seed=1)
    >>> layer(keras.ops.full((2, 2, 1), 3.0))[..., 0].tolist()
    [[3.0, 3.0], [3.0, 3.0]]
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: Any = None, **kwargs: Any
    ):
        super().__init__(value_range, seed, **kwargs)
        lower, upper = factor if isinstance(factor, list | tuple) else (factor, factor)
        if not 0 <= lower <= 1 or upper < 0:
            raise InvalidArgument(
                "RandomContrast: factor is a number from 0 to 1 or a pair of how much less and how "
                f"much more contrast there may be, got {factor!r}."
            )
        self.factor = factor
        self.scale = (1.0 - lower, 1.0 + upper)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return self.draw(data, self.scale, seed)

    def _change(self, x: Any, factor: Any) -> Any:
        mean = ops.mean(x, axis=self.axes[:2], keepdims=True)
        return (x - mean) * per_image(factor, x) + mean


class RandomHue(_Factor):
    """Turns the hue of RGB images by a random amount in a random direction.

    Args:
        factor: the bounds of the amount, from 0 (none) to 1 (half a turn); a number means
            `(0, factor)`.
        value_range: the least and greatest value of a pixel.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: the seed of the amounts.

    >>> import kerasish as keras
    >>> layer = keras.layers.RandomHue((1.0, 1.0), value_range=(0, 1))
    >>> layer([[[1.0, 0.0, 0.0]]]).round(3).tolist()
    [[[0.0, 1.0, 1.0]]]
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = bounds("RandomHue", factor, 0.0, _UNIT)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        amount = self.draw(data, self.factor, seed) / 2.0
        return ops.where(self.happens(data, (0.5, 0.5), seed), amount, -amount)

    def _change(self, x: Any, turn: Any) -> Any:
        axis = self.axes[2]
        hsv = ops.image.rgb_to_hsv(self._to_unit(x), data_format=self.data_format)
        hue, saturation, value = ops.split(hsv, 3, axis=axis)
        hue = ops.mod(hue + per_image(turn, x), 1.0)
        hsv = ops.concatenate([hue, saturation, value], axis=axis)
        return self._from_unit(ops.image.hsv_to_rgb(hsv, data_format=self.data_format))


class RandomSaturation(_Factor):
    """Scales the saturation of RGB images.

    Args:
        factor: the bounds of a number from 0 (gray) over 0.5 (no change) to 1 (full saturation):
            the saturation is multiplied by `f / (1 - f)`. A number means `(0, factor)`.
        value_range, data_format, seed: as in `RandomHue`.

    >>> import kerasish as keras
    >>> layer = keras.layers.RandomSaturation((0.0, 0.0), value_range=(0, 1))
    >>> layer([[[0.5, 0.25, 0.0]]]).tolist()
    [[[0.5, 0.5, 0.5]]]
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = bounds("RandomSaturation", factor, 0.0, (-1.0, 1.0))

    def _change(self, x: Any, factor: Any) -> Any:
        axis = self.axes[2]
        hsv = ops.image.rgb_to_hsv(self._to_unit(x), data_format=self.data_format)
        hue, saturation, value = ops.split(hsv, 3, axis=axis)
        gain = factor / ops.maximum(1.0 - factor, 1e-4)
        saturation = ops.clip(saturation * per_image(gain, x), 0.0, 1.0)
        hsv = ops.concatenate([hue, saturation, value], axis=axis)
        return self._from_unit(ops.image.hsv_to_rgb(hsv, data_format=self.data_format))


class RandomGrayscale(ImageLayer):
    """Makes images gray, each with a probability; they keep their three channels.

    Args:
        factor: the probability.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: the seed of the choices.

    >>> import kerasish as keras
    >>> keras.layers.RandomGrayscale(1.0)([[[1.0, 0.0, 0.0]]]).round(3).tolist()
    [[[0.29899999499320984, 0.29899999499320984, 0.29899999499320984]]]
    """

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: Any = None, **kwargs: Any
    ):
        super().__init__(seed, data_format, **kwargs)
        bounds("RandomGrayscale", factor, 0.0, _UNIT)
        self.factor = factor

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return self.happens(data, (self.factor, self.factor), seed)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        gray = ops.image.rgb_to_grayscale(images, data_format=self.data_format)
        return ops.where(per_image(transformation, images), gray, images)


class RandomColorDegeneration(_Factor):
    """Blends RGB images with their gray version.

    Args:
        factor: the bounds of the part of gray, from 0 to 1; a number means `(0, factor)`.
        value_range, data_format, seed: as in `RandomHue`.

    >>> import kerasish as keras
    >>> layer = keras.layers.RandomColorDegeneration(0.5, seed=1)
    >>> layer(keras.ops.ones((2, 2, 3))).shape
    (2, 2, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = bounds("RandomColorDegeneration", factor, 0.0, (-1.0, 1.0))

    def _change(self, x: Any, factor: Any) -> Any:
        return x + per_image(factor, x) * (self._gray(x) - x)


class RandomInvert(_Color):
    """Inverts the values of images, each image with a probability.

    Args:
        factor: the bounds of the probability; a number means `(0, factor)`.
        value_range, seed, data_format: as in `RandomHue`.

    >>> import kerasish as keras
    >>> keras.layers.RandomInvert((1.0, 1.0))(keras.ops.full((1, 1, 1), 55.0)).tolist()
    [[[200.0]]]
    """

    def __init__(
        self, factor: Any = 1.0, value_range: Any = (0, 255), seed: Any = None,
        data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = bounds("RandomInvert", factor, 0.0, _UNIT)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return self.happens(data, self.factor, seed)

    def _change(self, x: Any, chosen: Any) -> Any:
        return ops.where(per_image(chosen, x), self.low + self.high - x, x)


class RandomPosterization(_Color):
    """Keeps only the highest bits of the values, as if of 8 bits.

    Args:
        factor: how many bits, from 1 to 8.
        value_range, data_format, seed: as in `RandomHue`.

    >>> import kerasish as keras
    >>> keras.layers.RandomPosterization(1)([[[100.0], [200.0]]])[0, :, 0].tolist()
    [0.0, 128.0]
    """

    def __init__(
        self, factor: int, value_range: Any = (0, 255), data_format: str | None = None,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        if isinstance(factor, list | tuple) and len(factor) == 2:
            factor = factor[1]  # Keras' configs hold [1, factor]
        if factor not in range(1, 9):
            raise InvalidArgument(
                f"RandomPosterization: factor is the bits to keep, 1 to 8, got {factor!r}."
            )
        self.factor = factor

    def _change(self, x: Any, transformation: Any) -> Any:
        step = 2.0 ** (8 - self.factor)
        unit = x if self.value_range == (0, 255) else self._to_unit(x) * 255.0
        kept = ops.floor(ops.clip(unit, 0.0, 255.0) / step) * step
        return kept if self.value_range == (0, 255) else self._from_unit(kept / 255.0)


class RandomSharpness(_Factor):
    """Blurs or sharpens images.

    Args:
        factor: the bounds of a number from 0 (blurred) over 0.5 (no change) to 1 (sharpened); a
            number means `(0, factor)`.
        value_range, data_format, seed: as in `RandomHue`.

    >>> import kerasish as keras
    >>> keras.layers.RandomSharpness(0.5, seed=1)(keras.ops.ones((2, 2, 3))).shape
    (2, 2, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = bounds("RandomSharpness", factor, 0.0, _UNIT)

    def _change(self, x: Any, factor: Any) -> Any:
        # The kernel (1 1 1, 1 5 1, 1 1 1) / 13: a box, and four times the pixel itself. Around the
        # image there are zeros, as in Keras.
        box = x
        for axis in self.axes[:2]:
            widths = [(int(axis % 4 == a),) * 2 for a in range(4)]
            padded = ops.swapaxes(ops.pad(box, widths), 0, axis)
            box = ops.swapaxes(padded[:-2] + padded[1:-1] + padded[2:], 0, axis)
        blurred = (box + 4.0 * x) / 13.0
        return blurred + per_image(2.0 * factor, x) * (x - blurred)


class Solarization(_Color):
    """Inverts the values that are not below a threshold, in training.

    Args:
        addition_factor: the bounds of what is added to the values first, in parts of the value
            range; a number means `(0, addition_factor)`.
        threshold_factor: the bounds of the threshold, likewise.
        value_range: the least and greatest value of a pixel.
        seed: the seed of the numbers.

    >>> import kerasish as keras
    >>> keras.layers.Solarization()(keras.ops.full((1, 1, 1), 55.0)).tolist()
    [[[200.0]]]
    """

    def __init__(
        self, addition_factor: Any = 0.0, threshold_factor: Any = 0.0,
        value_range: Any = (0, 255), seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, **kwargs)
        self.addition_factor = bounds(
            "Solarization", addition_factor, 0.0, _UNIT, "addition_factor"
        )
        self.threshold_factor = bounds(
            "Solarization", threshold_factor, 0.0, _UNIT, "threshold_factor"
        )

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return {
            "addition": self.draw(data, self.addition_factor, seed),
            "threshold": self.draw(data, self.threshold_factor, seed),
        }

    def _change(self, x: Any, transformation: Any) -> Any:
        added = per_image(transformation["addition"], x) * (self.high - self.low)
        x = ops.clip(x + added, self.low, self.high)
        threshold = self._from_unit(per_image(transformation["threshold"], x))
        return ops.where(x >= threshold, self.low + self.high - x, x)


class AutoContrast(_Color):
    """Stretches each channel of each image to the whole range of values.

    Args:
        value_range: the least and greatest value of a pixel.

    >>> import kerasish as keras
    >>> keras.layers.AutoContrast()([[[10.0], [15.0], [20.0]]])[0, :, 0].tolist()
    [0.0, 127.5, 255.0]
    """

    at_inference = True

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any):
        super().__init__(value_range, **kwargs)

    def _change(self, x: Any, transformation: Any) -> Any:
        least = ops.min(x, axis=self.axes[:2], keepdims=True)
        width = ops.max(x, axis=self.axes[:2], keepdims=True) - least
        flat = width <= 0
        return ops.where(flat, x, self._from_unit((x - least) / ops.where(flat, 1.0, width)))


class RandomGaussianBlur(_Color):
    """Blurs images by a Gaussian, each image with a probability.

    Args:
        factor: the bounds of the probability; a number means `(0, factor)`.
        kernel_size: the size of the kernel, an odd number or two of them.
        sigma: the standard deviation, or bounds of it, drawn once for a batch.
        value_range, data_format, seed: as in `RandomHue`.

    >>> import kerasish as keras
    >>> keras.layers.RandomGaussianBlur(seed=1)(keras.ops.ones((4, 4, 3))).shape
    (4, 4, 3)
    """

    def __init__(
        self, factor: Any = 1.0, kernel_size: Any = 3, sigma: Any = 1.0,
        value_range: Any = (0, 255), data_format: str | None = None, seed: Any = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = bounds("RandomGaussianBlur", factor, 0.0, _UNIT)
        pair = kernel_size if isinstance(kernel_size, list | tuple) else (kernel_size,) * 2
        if len(pair) != 2 or any(k < 1 or k % 2 == 0 for k in pair):
            raise InvalidArgument(
                f"RandomGaussianBlur: kernel_size is one or two odd numbers, got {kernel_size!r}."
            )
        self.kernel_size = tuple(pair)
        self.sigma = bounds("RandomGaussianBlur", sigma, sigma, name="sigma")

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return {
            "chosen": self.happens(data, self.factor, seed),
            "sigma": random.uniform((), *self.sigma, dtype="float32", seed=seed),
        }

    def _change(self, x: Any, transformation: Any) -> Any:
        sigma = ops.stack([transformation["sigma"]] * 2)
        blurred = ops.image.gaussian_blur(x, self.kernel_size, sigma, self.data_format)
        return ops.where(per_image(transformation["chosen"], x), blurred, x)


class RandomErasing(_Color):
    """Puts a random rectangle over images (Zhong et al., 2017), each with a probability.

    Args:
        factor: the bounds of the probability; a number means `(0, factor)`.
        scale: the bounds of the part of the area, a number meaning `(0, scale)`.
        fill_value: what the rectangle is filled with; `None` means noise, normal about the middle
            of the value range.
        value_range, seed, data_format: as in `RandomHue`.

    >>> import kerasish as keras
    >>> layer = keras.layers.RandomErasing((1.0, 1.0), scale=(1.0, 1.0), fill_value=7.0)
    >>> float(keras.ops.max(layer(keras.ops.ones((4, 4, 1)))))
    7.0
    """

    def __init__(
        self, factor: Any = 1.0, scale: Any = (0.02, 0.33), fill_value: Any = None,
        value_range: Any = (0, 255), seed: Any = None, data_format: str | None = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = bounds("RandomErasing", factor, 0.0, _UNIT)
        self.scale = bounds("RandomErasing", scale, 0.0, _UNIT, "scale")
        self.fill_value = fill_value

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        side = ops.sqrt(self.draw(data, self.scale, seed))
        return {
            "chosen": self.happens(data, self.factor, seed),
            "size": (side, side),
            "center": tuple(
                side / 2.0 + (1.0 - side) * self.draw(data, seed=seed) for _ in range(2)
            ),
            "noise": draw_seed(self.seed_generator if seed is None else seed),
        }

    def _change(self, x: Any, transformation: Any) -> Any:
        fill = self.fill_value
        if fill is None:
            noise = random.normal(
                ops.shape(x), 0.5, 0.25, dtype=ops.dtype(x), seed=transformation["noise"]
            )
            fill = self._from_unit(noise)
        inside = self.box(x, transformation["center"], transformation["size"])
        inside = ops.logical_and(inside, per_image(transformation["chosen"], x))
        return ops.where(inside, ops.cast(fill, ops.dtype(x)), x)


class RandomColorJitter(_Color):
    """Changes brightness, contrast, saturation and hue, one after the other.

    Args:
        value_range: the least and greatest value of a pixel.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: the `factor` of
            `RandomBrightness`, `RandomContrast`, `RandomSaturation` and `RandomHue`; `None` leaves
            one out.
        seed: the seed of all.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> layer = keras.layers.RandomColorJitter(brightness_factor=0.2, hue_factor=0.1, seed=1)
    >>> layer(keras.ops.ones((2, 2, 3))).shape
    (2, 2, 3)
    """

    def __init__(
        self, value_range: Any = (0, 255), brightness_factor: Any = None,
        contrast_factor: Any = None, saturation_factor: Any = None, hue_factor: Any = None,
        seed: Any = None, data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, seed, data_format, **kwargs)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        self.steps = [
            cls(
                factor, value_range=value_range, data_format=self.data_format,
                dtype=self.dtype_policy,
            )
            for cls, factor in (
                (RandomBrightness, brightness_factor), (RandomContrast, contrast_factor),
                (RandomSaturation, saturation_factor), (RandomHue, hue_factor),
            )
            if factor is not None
        ]  # fmt: skip

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        # All draw from the one stream of this layer.
        return [step.get_random_transformation(data, training, seed) for step in self.steps]

    def _change(self, x: Any, transformation: Any) -> Any:
        for step, drawn in zip(self.steps, transformation, strict=True):
            x = step.transform_images(x, drawn)
        return x
