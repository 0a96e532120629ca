"""Layers that combine several tensors into one."""

from __future__ import annotations

import functools
from typing import Any

from kerasish import ops
from kerasish.errors import DTypeError, InvalidArgument, ShapeError
from kerasish.layers.base import Layer


class Merge(Layer):
    """The base: brings the inputs to a common rank and folds them pairwise with `_merge`."""

    _keeps_dtype = True

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def _merge(self, a: Any, b: Any) -> Any:
        raise TypeError(f"{type(self).__name__} must define _merge(a, b).")

    def build(self, input_shape: Any) -> None:
        shapes = _list_of_shapes(self, input_shape)
        self.compute_output_shape(shapes)

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, list | tuple):
            raise InvalidArgument(
                f"Layer {self.name!r} merges a list of tensors, got {type(inputs).__name__}."
            )
        ranks = [len(x.shape) for x in inputs]
        top = max(ranks)
        # A lower rank gets its axes right after the batch axis.
        inputs = [
            x if rank == top else ops.expand_dims(x, list(range(1, 1 + top - rank)))
            for x, rank in zip(inputs, ranks, strict=True)
        ]
        return self._finish(functools.reduce(self._merge, inputs), len(inputs))

    def _finish(self, x: Any, count: int) -> Any:
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = _list_of_shapes(self, input_shape)
        top = max(len(s) for s in shapes)
        padded = [
            s if len(s) == top else (s[0], *([1] * (top - len(s))), *s[1:]) for s in shapes
        ]
        out = []
        for axis, sizes in enumerate(zip(*padded, strict=True)):
            known = {d for d in sizes if d is not None and d != 1}
            if len(known) > 1:
                raise ShapeError(
                    f"Layer {self.name!r} ({type(self).__name__}) cannot merge shapes "
                    f"{', '.join(map(str, shapes))}: axis {axis} has sizes {sorted(known)}."
                )
            out.append(None if None in sizes and not known else
                       (known.pop() if known else 1))
        return tuple(out)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = [m for m in (mask or ()) if m is not None]
        if not masks or len(masks) < len(mask):
            return None
        return functools.reduce(ops.logical_or, masks)


class Add(Merge):
    """The elementwise sum of a list of tensors, whose sizes are equal or 1 along each axis.

    A tensor of lower rank gets axes of size 1 after the batch; so with all of these layers.

    >>> import kerasish as keras
    >>> keras.layers.Add()([keras.ops.ones((1, 2)), keras.ops.ones((1, 2))]).tolist()
    [[2.0, 2.0]]
    """

    def _merge(self, a: Any, b: Any) -> Any:
        return ops.add(a, b)


class Subtract(Merge):
    """The first tensor minus the second: a list of exactly two, of shapes as in `Add`.

    >>> import kerasish as keras
    >>> keras.layers.Subtract()([keras.ops.array([[3, 5]]), keras.ops.array([[1, 1]])]).tolist()
    [[2, 4]]
    """

    def build(self, input_shape: Any) -> None:
        if len(_list_of_shapes(self, input_shape)) != 2:
            raise InvalidArgument(f"Layer {self.name!r} (Subtract) takes exactly two inputs.")
        super().build(input_shape)

    def _merge(self, a: Any, b: Any) -> Any:
        return ops.subtract(a, b)


class Multiply(Merge):
    """The elementwise product of a list of tensors, of shapes as in `Add`.

    >>> import kerasish as keras
    >>> keras.layers.Multiply()([keras.ops.array([[3, 5]]), keras.ops.array([[2]])]).tolist()
    [[6, 10]]
    """

    def _merge(self, a: Any, b: Any) -> Any:
        return ops.multiply(a, b)


class Average(Merge):
    """The elementwise mean of a list of tensors, of shapes as in `Add`.

    >>> import kerasish as keras
    >>> keras.layers.Average()([keras.ops.array([[3.0]]), keras.ops.array([[4.0]])]).tolist()
    [[3.5]]
    """

    _keeps_dtype = False

    def _merge(self, a: Any, b: Any) -> Any:
        return ops.add(a, b)

    def _finish(self, x: Any, count: int) -> Any:
        return ops.divide(x, count)


class Maximum(Merge):
    """The elementwise maximum of a list of tensors, of shapes as in `Add`.

    >>> import kerasish as keras
    >>> keras.layers.Maximum()([keras.ops.array([[3, 5]]), keras.ops.array([[4, 1]])]).tolist()
    [[4, 5]]
    """

    def _merge(self, a: Any, b: Any) -> Any:
        return ops.maximum(a, b)


class Minimum(Merge):
    """The elementwise minimum of a list of tensors, of shapes as in `Add`.

    >>> import kerasish as keras
    >>> keras.layers.Minimum()([keras.ops.array([[3, 5]]), keras.ops.array([[4, 1]])]).tolist()
    [[3, 1]]
    """

    def _merge(self, a: Any, b: Any) -> Any:
        return ops.minimum(a, b)


class Concatenate(Merge):
    """A list of tensors joined along an axis; the sizes of the other axes must be equal.

    Args:
        axis: the axis, counted with the batch.

    >>> import kerasish as keras
    >>> keras.layers.Concatenate()([keras.ops.ones((2, 3)), keras.ops.ones((2, 1))]).shape
    (2, 4)
    """

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        return ops.concatenate(list(inputs), axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = _list_of_shapes(self, input_shape)
        rank = len(shapes[0])
        axis = self.axis % rank if rank else 0
        if any(len(s) != rank for s in shapes):
            raise ShapeError(
                f"Layer {self.name!r} (Concatenate) needs inputs of one rank, got shapes {shapes}."
            )
        out: list[Any] = []
        for i, sizes in enumerate(zip(*shapes, strict=True)):
            known = {d for d in sizes if d is not None}
            if i == axis:
                out.append(None if None in sizes else sum(sizes))
            elif len(known) > 1:
                raise ShapeError(
                    f"Layer {self.name!r} (Concatenate, axis={self.axis}) needs equal sizes on the "
                    f"other axes, got shapes {shapes}: axis {i} has {sorted(known)}."
                )
            else:
                out.append(known.pop() if known else None)
        return tuple(out)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None or all(m is None for m in mask):
            return None
        rank = len(inputs[0].shape)
        axis = self.axis % rank
        masks = []
        for x, m in zip(inputs, mask, strict=True):
            m = ops.ones(ops.shape(x)[:2], "bool") if m is None else m
            while len(m.shape) < rank:
                m = ops.expand_dims(m, -1)
            masks.append(ops.broadcast_to(m, ops.shape(x)))
        joined = ops.concatenate(masks, axis=axis)
        return ops.any(joined, axis=-1)


class Dot(Layer):
    """The product of two tensors, summed over an axis of each, for every sample.

    The output has the batch, the other axes of the first and those of the second; at least two.

    Args:
        axes: the axis, or the axis of each, to sum over; not 0, the batch.
        normalize: whether the tensors are scaled to length 1 first (cosine similarity).

    >>> import kerasish as keras
    >>> x, y = keras.ops.array([[3.0, 4.0]]), keras.ops.array([[4.0, 3.0]])
    >>> keras.layers.Dot(axes=1)([x, y]).tolist()
    [[24.0]]
    >>> round(keras.layers.Dot(axes=1, normalize=True)([x, y]).item(), 2)
    0.96
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(axes, int | list | tuple):
            raise DTypeError(f"Dot takes an axis, or a list of two, got axes={axes!r}.")
        if not isinstance(axes, int) and len(axes) != 2:
            raise InvalidArgument(f"Dot takes one axis or two, got axes={axes!r}.")
        self.axes = axes
        self.normalize = normalize
        self._keeps_dtype = not normalize
        self.supports_masking = True

    def _axes(self, shapes: Any) -> tuple[int, int]:
        axes = [self.axes, self.axes] if isinstance(self.axes, int) else list(self.axes)
        a, b = (axis % len(s) for axis, s in zip(axes, shapes, strict=True))
        return a, b

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Any:
        x, y = inputs
        a, b = self._axes((x.shape, y.shape))
        if self.normalize:
            x, y = ops.normalize(x, axis=a), ops.normalize(y, axis=b)
        letters = iter("abcdefghijklmnopqrstuvwxyz")
        batch, summed = next(letters), next(letters)
        left = [batch if i == 0 else summed if i == a else next(letters)
                for i in range(len(x.shape))]
        right = [batch if i == 0 else summed if i == b else next(letters)
                 for i in range(len(y.shape))]
        if a == 0 or b == 0:
            raise InvalidArgument(f"Layer {self.name!r} (Dot) cannot sum over the batch axis.")
        out = [c for c in left if c != summed] + [c for c in right if c not in (summed, batch)]
        z = ops.einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", x, y)
        return ops.expand_dims(z, -1) if len(out) == 1 else z

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = _list_of_shapes(self, input_shape)
        if len(shapes) != 2:
            raise InvalidArgument(f"Layer {self.name!r} (Dot) takes two inputs.")
        x, y = map(tuple, shapes)
        a, b = self._axes((x, y))
        if x[a] is not None and y[b] is not None and x[a] != y[b]:
            raise ShapeError(
                f"Layer {self.name!r} (Dot, axes={self.axes}) sums over sizes {x[a]} and {y[b]} "
                f"of shapes {x} and {y}; they must be equal."
            )
        out = (*x[:a], *x[a + 1:], *y[1:b], *y[b + 1:])
        return out if len(out) > 1 else (*out, 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


def _list_of_shapes(layer: Layer, shapes: Any) -> list[tuple[int | None, ...]]:
    if not isinstance(shapes, list | tuple) or not shapes or not isinstance(
        shapes[0], list | tuple
    ):
        raise InvalidArgument(
            f"Layer {layer.name!r} ({type(layer).__name__}) merges a list of tensors; got a single "
            f"one of shape {shapes}."
        )
    return [tuple(s) for s in shapes]


def add(inputs: Any, **kwargs: Any) -> Any:
    """`Add(**kwargs)` of the list `inputs`.

    >>> import kerasish as keras
    >>> keras.layers.add([keras.ops.array([[1, 2]]), keras.ops.array([[3, 4]])]).tolist()
    [[4, 6]]
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """`Subtract(**kwargs)` of the list `inputs`.

    >>> import kerasish as keras
    >>> keras.layers.subtract([keras.ops.array([[1, 2]]), keras.ops.array([[3, 5]])]).tolist()
    [[-2, -3]]
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """`Multiply(**kwargs)` of the list `inputs`.

    >>> import kerasish as keras
    >>> keras.layers.multiply([keras.ops.array([[1, 2]]), keras.ops.array([[3, 4]])]).tolist()
    [[3, 8]]
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """`Average(**kwargs)` of the list `inputs`.

    >>> import kerasish as keras
    >>> keras.layers.average([keras.ops.array([[1.0]]), keras.ops.array([[4.0]])]).tolist()
    [[2.5]]
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """`Maximum(**kwargs)` of the list `inputs`.

    >>> import kerasish as keras
    >>> keras.layers.maximum([keras.ops.array([[1, 5]]), keras.ops.array([[3, 4]])]).tolist()
    [[3, 5]]
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """`Minimum(**kwargs)` of the list `inputs`.

    >>> import kerasish as keras
    >>> keras.layers.minimum([keras.ops.array([[1, 5]]), keras.ops.array([[3, 4]])]).tolist()
    [[1, 4]]
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)` of the list `inputs`.

    >>> import kerasish as keras
    >>> keras.layers.concatenate([keras.ops.array([[1, 2]]), keras.ops.array([[3]])]).tolist()
    [[1, 2, 3]]
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot(axes, **kwargs)` of the two `inputs`.

    >>> import kerasish as keras
    >>> keras.layers.dot([keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))], axes=2).shape
    (2, 3, 5)
    """
    return Dot(axes=axes, **kwargs)(inputs)
