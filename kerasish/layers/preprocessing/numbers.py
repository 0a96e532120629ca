"""Layers that bring numbers to a common scale or into bins."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import ops
from kerasish.errors import InvalidArgument, ShapeError, StateError
from kerasish.layers.preprocessing.host import (
    PipelineLayer,
    batches,
    check_mode,
    encode,
    encoded_shape,
    values,
)


class Normalization(PipelineLayer):
    """`(inputs - mean) / sqrt(variance)`, with moments that are given or found by `adapt`.

    Args:
        axis: the axis or axes that have moments of their own; `None` for one of each.
        mean, variance: the moments, where they are known.
        invert: compute `inputs * sqrt(variance) + mean`.

    >>> import kerasish as keras
    >>> layer = keras.layers.Normalization(axis=None)
    >>> layer.adapt([[1.0], [3.0]])
    >>> layer(keras.ops.array([[1.0], [5.0]])).tolist()
    [[-1.0], [3.0]]
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise InvalidArgument(
                f"Normalization takes mean and variance together, got mean={mean} and "
                f"variance={variance}."
            )
        self.axis = () if axis is None else tuple(np.atleast_1d(axis).astype(int).tolist())
        self.invert = invert
        self.supports_masking = True
        self.reset_state()
        self._given: Any = None if mean is None else (
            np.asarray(values(mean), "float32"), np.asarray(values(variance), "float32")
        )
        self._adapted_moments: Any = None
        self._moments: Any = None

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        if any(not -rank <= a < rank for a in self.axis):
            raise InvalidArgument(
                f"Normalization has axis={self.axis}, but inputs of shape {tuple(input_shape)}."
            )
        self._kept = tuple(sorted(a % rank for a in self.axis))
        shape = tuple(input_shape[a] for a in self._kept)
        if None in shape:
            raise ShapeError(
                f"Normalization needs the sizes of axes {self.axis} of its inputs, got "
                f"{tuple(input_shape)}."
            )
        self._broadcast = tuple(input_shape[a] if a in self._kept else 1 for a in range(rank))
        self._moments = None
        if self._given is None:
            self._moments = (
                self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False),
                self.add_weight(name="variance", shape=shape, initializer="ones", trainable=False),
            )
            self.count = self.add_weight(
                name="count", shape=(), initializer="zeros", dtype="int64", trainable=False
            )

    def _moment(self, i: int) -> Any:
        if not self.built:
            return None
        x = self._given[i] if self._moments is None else self._moments[i].value
        x = ops.convert_to_tensor(x, self.compute_dtype)
        if self._moments is None:  # given: of one number, or of the kept axes' shape
            sizes = tuple(self._broadcast[a] for a in self._kept)
            x = ops.broadcast_to(x, sizes) if len(x.shape) <= len(sizes) else x
        return ops.reshape(x, self._broadcast)

    @property
    def mean(self) -> Any:
        """The mean in a shape that broadcasts to the inputs; `None` before building."""
        return self._moment(0)

    @property
    def variance(self) -> Any:
        """The variance in the same shape; `None` before building."""
        return self._moment(1)

    @property
    def adaptable(self) -> bool:
        """Whether `adapt` finds the moments; else they were given."""
        return self._given is None

    @property
    def is_adapted(self) -> bool:
        """Whether mean and variance are known."""
        return self._given is not None or self.built

    def reset_state(self) -> None:
        """Forgets the moments found so far."""
        self._totals = (0, 0.0, 0.0)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Finds mean and variance.

        Args:
            data: an array or an iterable of batches.
            batch_size: not needed; kept for compatibility.
            steps: how many batches are read.
        """
        if self._given is not None:
            raise StateError("Normalization was given its mean and variance: it cannot adapt.")
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Takes a batch into the moments."""
        x = values(data)
        if not self.built:
            batch = None if x.ndim > 1 and not {0, -x.ndim} & {*self.axis} else x.shape[0]
            self.build((batch, *x.shape[1:]))
        x = x.astype("float64")
        axes = tuple(a for a in range(x.ndim) if a not in self._kept)
        n = int(np.prod([x.shape[a] for a in axes]))
        count, mean, squares = self._totals  # merged as by Chan, Golub and LeVeque
        delta = x.mean(axes) - mean
        total = count + n
        self._totals = (
            total, mean + delta * n / total,
            squares + x.var(axes) * n + delta**2 * count * n / total,
        )  # fmt: skip

    def finalize_state(self) -> None:
        """Writes the moments found into the weights."""
        count, mean, squares = self._totals
        if count:
            self._moments[0].assign(np.asarray(mean, "float32"))
            self._moments[1].assign(np.asarray(squares / count, "float32"))
            self.count.assign(count)

    def call(self, inputs: Any) -> Any:
        x = ops.cast(ops.convert_to_tensor(inputs), self.compute_dtype)
        mean, scale = self.mean, ops.maximum(ops.sqrt(self.variance), 1e-7)
        if self.invert:
            return ops.add(ops.multiply(x, scale), mean)
        return ops.divide(ops.subtract(x, mean), scale)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        mean, variance = (None, None) if self._given is None else self._given
        config["mean"] = None if mean is None else mean.tolist()
        config["variance"] = None if variance is None else variance.tolist()
        return config


class Discretization(PipelineLayer):
    """Numbers as the bins between boundaries that they fall into.

    Args:
        bin_boundaries: the boundaries in ascending order; a number on one goes to the bin above.
        num_bins: how many bins `adapt` makes, about equally full, where no boundaries are given.
        epsilon: how exact the quantiles are that `adapt` keeps: `1 / epsilon` points.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"` or `"count"`.
        sparse: give sparse tensors.

    >>> import kerasish as keras
    >>> keras.layers.Discretization([0.0, 1.0])([[-0.5, 1.0, 0.3]]).tolist()
    [[0, 2, 1]]
    """

    def __init__(
        self, bin_boundaries: Any = None, num_bins: int | None = None, epsilon: float = 0.01,
        output_mode: str = "int", sparse: bool = False, dtype: Any = None,
        name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(name=name, dtype=dtype, **kwargs)
        check_mode("Discretization", output_mode, ("int", "one_hot", "multi_hot", "count"), sparse)
        if bin_boundaries is None and num_bins is None or (
            bin_boundaries is not None and num_bins is not None
            and len(bin_boundaries) != num_bins - 1
        ):
            raise InvalidArgument(
                "Discretization takes bin_boundaries or num_bins (one more than boundaries), got "
                f"{bin_boundaries!r} and {num_bins!r}."
            )
        if num_bins is not None and num_bins < 2:
            raise InvalidArgument(f"Discretization needs num_bins > 1, got {num_bins}.")
        if bin_boundaries is not None:
            bin_boundaries = [float(b) for b in bin_boundaries]
            if bin_boundaries != sorted(bin_boundaries):
                raise InvalidArgument(
                    f"Discretization: bin_boundaries ascend, got {bin_boundaries}."
                )
        self.bin_boundaries = bin_boundaries
        self.num_bins: Any = num_bins  # not `None` where it is adaptable
        self.adaptable = bin_boundaries is None
        self.epsilon = epsilon
        self.output_mode = output_mode
        self.sparse = sparse
        self.built = True
        self._sketch = np.zeros((2, 0))

    @property
    def is_adapted(self) -> bool:
        """Whether the boundaries are known."""
        return self.bin_boundaries is not None

    def reset_state(self) -> None:
        """Forgets what `adapt` found."""
        if self.adaptable:
            self._sketch = np.zeros((2, 0))
            self.bin_boundaries = None

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Finds boundaries between bins that are about equally full.

        Args:
            data: an array or an iterable of batches.
            steps: how many batches are read.
        """
        if not self.adaptable:
            raise StateError("Discretization was given its boundaries: it cannot adapt.")
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Takes a batch into the sketch: (points, what each of them weighs), sorted."""
        x = np.sort(values(data).astype("float32"), axis=None)
        new = _thinned(np.stack([x, np.ones_like(x)]), self.epsilon)
        if self._sketch.shape[1]:
            new = np.concatenate([self._sketch, new], axis=1)
            new = _thinned(new[:, np.argsort(new[0], kind="stable")], self.epsilon)
        self._sketch = new

    def finalize_state(self) -> None:
        """Makes the boundaries."""
        if self.adaptable and self._sketch.shape[1]:
            self.bin_boundaries = _thinned(self._sketch, 1 / self.num_bins)[0, :-1].tolist()

    def call(self, inputs: Any) -> Any:
        if self.bin_boundaries is None:
            raise StateError(
                "Discretization has no boundaries yet: give bin_boundaries, or call adapt(data)."
            )
        bins = ops.digitize(ops.convert_to_tensor(inputs), self.bin_boundaries)
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return encode(
            bins, self.output_mode, len(self.bin_boundaries) + 1, dtype, sparse=self.sparse
        )

    def compute_output_spec(self, inputs: Any) -> Any:
        from kerasish.core.symbolic import KerasTensor

        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        depth = self.num_bins or len(self.bin_boundaries or ()) + 1
        return encoded_shape(input_shape, self.output_mode, depth)

    def get_config(self) -> dict[str, Any]:
        # Boundaries that adapt found are kept: a saved layer needs no second look at the data.
        config = super().get_config()
        config.pop("trainable")  # Keras' own layer takes none
        return config


def _thinned(sketch: np.ndarray, epsilon: float) -> np.ndarray:
    """A sketch with points at the multiples of `epsilon` of the whole weight; one of fewer points
    stays exact."""
    if sketch.shape[1] * epsilon < 1:
        return sketch
    below = np.cumsum(sketch[1])
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    points = np.interp(shares, below / below[-1], sketch[0])
    weights = np.diff(np.interp(shares, below / below[-1], below), prepend=0.0)
    return np.stack([points, weights]).astype("float32")
