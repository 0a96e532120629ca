"""Layers that turn numbers and strings of any kind into categories."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import backends, config, ops, tree
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers.preprocessing import hashing
from kerasish.layers.preprocessing.host import (
    HostLayer,
    PipelineLayer,
    check_mode,
    encode,
    encode_on_host,
    encoded_shape,
)


class CategoryEncoding(PipelineLayer):
    """Category numbers as one-hot, multi-hot or count vectors.

    Args:
        num_tokens: how many categories there are, numbered from 0.
        output_mode: `"one_hot"` gives a vector for each number, `"multi_hot"` and `"count"` one
            for the last axis: which numbers occur, or how often.
        sparse: give sparse tensors.

    Called with `count_weights`, an array like the inputs, occurrences count that much. The zeros of
    a sparse tensor are nothing, not category 0.

    >>> import kerasish as keras
    >>> keras.layers.CategoryEncoding(4, output_mode="count")([[0, 1], [2, 2]]).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot",
        sparse: bool = False, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        check_mode("CategoryEncoding", output_mode, ("one_hot", "multi_hot", "count"))
        if num_tokens is None or num_tokens <= 0:
            raise InvalidArgument(f"CategoryEncoding needs num_tokens > 0, got {num_tokens!r}.")
        self.num_tokens = num_tokens
        self.output_mode = output_mode
        self.sparse = sparse
        self.built = True

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        if count_weights is not None and self.output_mode != "count":
            raise InvalidArgument(
                f"CategoryEncoding: count_weights needs output_mode='count', "
                f"got {self.output_mode!r}."
            )
        if isinstance(inputs, list | tuple):
            inputs = np.asarray(inputs)
        if isinstance(inputs, np.ndarray):
            x = inputs.astype("int64")
            if x.size and (x.min() < 0 or x.max() >= self.num_tokens):
                raise InvalidArgument(
                    f"CategoryEncoding takes numbers from 0 to {self.num_tokens - 1}, got some "
                    f"from {x.min()} to {x.max()}. Give a larger num_tokens."
                )
        else:
            x = ops.cast(inputs, "int32")
            if backends.active.is_sparse(x):
                x = ops.convert_to_tensor(x, sparse=False)
                x = ops.where(x == 0, -1, x)
        if isinstance(count_weights, list | tuple):
            count_weights = np.asarray(count_weights)
        return encode(
            x, self.output_mode, self.num_tokens, self.compute_dtype, count_weights, self.sparse
        )

    def compute_output_shape(self, input_shape: Any, count_weights_shape: Any = None) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)


class Hashing(HostLayer):
    """Strings or integers as the numbers of the buckets that their hashes fall into.

    Weinberger et al. (2009), https://arxiv.org/abs/0902.2206

    FarmHash64 is used, or SipHash with a salt: buckets are those of Keras, in every process.

    Args:
        num_bins: how many buckets there are; bucket 0 is kept for `mask_value` if that is given.
        mask_value: what goes to bucket 0.
        salt: an integer or a pair of them; another salt gives other buckets.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"` or `"count"`.
        sparse: give sparse tensors.

    >>> import kerasish as keras
    >>> keras.layers.Hashing(10)(["A", "B", "C"]).tolist()
    [4, 8, 7]
    """

    def __init__(
        self, num_bins: int, mask_value: Any = None, salt: Any = None, output_mode: str = "int",
        sparse: bool = False, **kwargs: Any,
    ):  # fmt: skip
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else config.floatx()
        super().__init__(**kwargs)
        check_mode("Hashing", output_mode, ("int", "one_hot", "multi_hot", "count"), sparse)
        if num_bins is None or num_bins <= 0:
            raise InvalidArgument(f"Hashing needs num_bins > 0, got {num_bins!r}.")
        self.num_bins = num_bins
        self.mask_value = mask_value
        self.salt = salt_pair("Hashing", salt)
        self.output_mode = output_mode
        self.sparse = sparse

    def compute(self, x: np.ndarray) -> np.ndarray:
        _check_hashable("Hashing", x)
        if self.mask_value is None:
            bins = hashing.buckets(x, self.num_bins, self.salt)
        elif self.num_bins == 1:
            bins = np.zeros(x.shape, "int64")
        else:
            bins = hashing.buckets(x, self.num_bins - 1, self.salt) + 1
            bins[x == self.mask_value] = 0
        return encode_on_host(bins, self.output_mode, self.num_bins, sparse=self.sparse)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_bins)


class HashedCrossing(HostLayer):
    """Combinations of features (strings or integers) as the buckets of their hashes.

    Args:
        num_bins: how many buckets there are.
        output_mode: `"int"` or `"one_hot"`.
        sparse: give sparse tensors.

    Inputs: a list of arrays of shape `()`, `(batch,)` or `(batch, 1)`. Buckets are Keras' own.

    >>> import kerasish as keras
    >>> keras.layers.HashedCrossing(5)((["A", "B", "A"], [101, 101, 102])).tolist()
    [1, 4, 3]
    """

    def __init__(
        self, num_bins: int, output_mode: str = "int", sparse: bool = False,
        name: str | None = None, dtype: Any = None, **kwargs: Any,
    ):  # fmt: skip
        if dtype is None:
            dtype = "int64" if output_mode == "int" else config.floatx()
        super().__init__(name=name, dtype=dtype, **kwargs)
        check_mode("HashedCrossing", output_mode, ("int", "one_hot"), sparse)
        if num_bins is None or num_bins <= 0:
            raise InvalidArgument(f"HashedCrossing needs num_bins > 0, got {num_bins!r}.")
        self.num_bins = num_bins
        self.output_mode = output_mode
        self.sparse = sparse

    def _parts(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            raise InvalidArgument("HashedCrossing crosses a list of two features or more.")
        return list(inputs)

    def compute(self, *columns: np.ndarray) -> np.ndarray:
        shape = columns[0].shape
        if len({x.shape for x in columns}) > 1 or len(shape) > 2 or (
            len(shape) == 2 and shape[1] != 1
        ):
            raise ShapeError(
                "HashedCrossing takes features of one shape, (), (batch,) or (batch, 1), got "
                f"{[x.shape for x in columns]}."
            )
        for x in columns:
            _check_hashable("HashedCrossing", x)
        bins = hashing.crossed(columns, self.num_bins)
        return encode_on_host(bins, self.output_mode, self.num_bins, sparse=self.sparse)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(tuple(input_shape[0]), self.output_mode, self.num_bins)


def _check_hashable(name: str, x: np.ndarray) -> None:
    if x.dtype.kind not in "OiubU":
        raise InvalidArgument(
            f"{name} takes strings or integers, got {x.dtype}. Use Discretization for floats."
        )


def salt_pair(name: str, salt: Any) -> list[int] | None:
    """A salt as the two integers of a SipHash key."""
    if salt is None:
        return None
    pair = tree.flatten(salt) if isinstance(salt, list | tuple) else [salt, salt]
    if len(pair) != 2 or not all(isinstance(k, int | np.integer) for k in pair):
        raise InvalidArgument(f"{name}: salt is an integer or a pair of them, got {salt!r}.")
    return [int(k) for k in pair]
