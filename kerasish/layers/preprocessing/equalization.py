"""Layers that spread the values of images evenly, by their histograms."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.errors import InvalidArgument
from kerasish.layers.preprocessing.color import _Color


def _histograms(values: Any, bins: int) -> tuple[Any, Any]:
    """Counts of shape `(groups, bins)` for integers of shape `(groups, n)`, and flat places."""
    groups = ops.shape(values)[0]
    places = ops.reshape(values + bins * ops.arange(groups, dtype="int32")[:, None], (-1,))
    ones = ops.ones_like(places, dtype="float32")
    counts = ops.segment_sum(ones, places, num_segments=groups * bins)
    return ops.reshape(counts, (-1, bins)), places


class _Histogram(_Color):
    at_inference = True
    bins = 256

    def _to_bins(self, x: Any) -> Any:
        """The bins of the pixels, with channels before height and width."""
        unit = ops.clip(self._to_unit(ops.cast(x, "float32")), 0.0, 1.0)
        # The little more keeps what rounding has taken from whole values.
        bins = ops.floor(unit * (self.bins - 1) + 1e-3)
        return ops.moveaxis(ops.cast(bins, "int32"), self.axes[2], 1)

    def _from_bins(self, values: Any, dtype: str) -> Any:
        x = self._from_unit(values / (self.bins - 1.0))
        return ops.cast(ops.moveaxis(x, 1, self.axes[2]), dtype)


class Equalization(_Histogram):
    """Gives each channel of each image a histogram as even as can be.

    Args:
        value_range: the least and greatest value of a pixel.
        bins: how many values are told apart.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> keras.layers.Equalization()([[[1.0], [2.0], [3.0], [4.0]]])[0, :, 0].tolist()
    [0.0, 85.0, 170.0, 255.0]
    """

    def __init__(
        self, value_range: Any = (0, 255), bins: int = 256, data_format: str | None = None,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, None, data_format, **kwargs)
        if bins < 2:
            raise InvalidArgument(f"Equalization needs at least 2 bins, got {bins}.")
        self.bins = bins

    def _change(self, x: Any, transformation: Any) -> Any:
        values = self._to_bins(x)
        height, width = ops.shape(values)[2:]
        flat = ops.reshape(values, (-1, height * width))
        counts, places = _histograms(flat, self.bins)
        below = ops.cumsum(counts, axis=1)
        # The least value that occurs goes to 0, the greatest to the last bin.
        first = ops.min(ops.where(counts > 0, below, ops.max(below)), axis=1, keepdims=True)
        rest = below[:, -1:] - first
        # Whole values, as of 8-bit images, however many bins there are.
        shades = ops.round((below - first) / ops.maximum(rest, 1.0) * 255.0) / 255.0
        table = shades * (self.bins - 1.0)
        even = ops.where(rest > 0, table, ops.arange(self.bins, dtype="float32"))
        out = ops.take(ops.reshape(even, (-1,)), places)
        return self._from_bins(ops.reshape(out, ops.shape(values)), ops.dtype(x))


class ContrastLimitedAdaptiveHistogramEqualization(_Histogram):
    """Equalizes images by the histograms of tiles, blended between the tiles (Zuiderveld, 1994).

    Args:
        value_range: the least and greatest value of a pixel.
        clip_limit: how much more than the mean a count may be; what is above is spread evenly,
            so that flat regions do not become noise.
        tile_grid_size: the number of tiles, `(rows, columns)`.
        data_format: `"channels_last"` or `"channels_first"`.

    >>> import kerasish as keras
    >>> layer = keras.layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))
    >>> layer(keras.ops.ones((8, 8, 3))).shape
    (8, 8, 3)
    """

    def __init__(
        self, value_range: Any = (0, 255), clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8), data_format: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(value_range, None, data_format, **kwargs)
        self.clip_limit = clip_limit
        self.tile_grid_size = tuple(tile_grid_size)

    def _change(self, x: Any, transformation: Any) -> Any:
        values, bins = self._to_bins(x), self.bins
        grid = self.tile_grid_size
        batch, channels, *size = ops.shape(values)
        tile = [-(-n // tiles) for n, tiles in zip(size, grid, strict=True)]
        padded = values
        for axis in (0, 1):  # the last tiles are filled up with repeated edges
            place = ops.arange(tile[axis] * grid[axis], dtype="int32")
            last = ops.cast(size[axis] - 1, "int32")
            padded = ops.take(padded, ops.minimum(place, last), axis=axis + 2)
        tiles = ops.reshape(padded, (-1, grid[0], tile[0], grid[1], tile[1]))
        tiles = ops.transpose(tiles, (0, 1, 3, 2, 4))
        pixels = tile[0] * tile[1]
        counts, _ = _histograms(ops.reshape(tiles, (-1, pixels)), bins)
        total = ops.cast(pixels, "float32")
        if self.clip_limit > 0:
            limit = ops.maximum(self.clip_limit * total / bins, 1.0)
            kept = ops.minimum(counts, limit)
            counts = kept + ops.sum(counts - kept, axis=1, keepdims=True) / bins
        table = ops.reshape(ops.cumsum(counts, axis=1) * ((bins - 1) / total), (-1,))

        near, weight = [], []
        for axis in (0, 1):
            shape = (-1, 1) if axis == 0 else (-1,)
            where = (ops.arange(size[axis], dtype="float32") + 0.5) / tile[axis] - 0.5
            start = ops.floor(where)
            pair = (start, start + 1.0)
            last = grid[axis] - 1
            near.append([
                ops.reshape(ops.cast(ops.clip(i, 0, last), "int32"), shape) for i in pair
            ])
            far = ops.reshape(where - start, shape)
            weight.append((1.0 - far, far))
        image = ops.reshape(ops.arange(batch * channels, dtype="int32"), (batch, channels, 1, 1))
        out: Any = 0.0
        for i in (0, 1):
            for j in (0, 1):
                which = (image * grid[0] + near[0][i]) * grid[1] + near[1][j]
                mapped = ops.take(table, which * bins + values)
                out = out + weight[0][i] * weight[1][j] * mapped
        return self._from_bins(out, ops.dtype(x))
