"""`Input` and the layer behind it."""

from __future__ import annotations

from typing import Any

from kerasish import config, dtypes
from kerasish.core import symbolic
from kerasish.core.scope import auto_name
from kerasish.core.symbolic import KerasTensor, standardize_shape
from kerasish.errors import InvalidArgument
from kerasish.layers.base import Layer


class InputLayer(Layer):
    """The entry point of a model: a symbolic tensor of a shape.

    Args:
        shape: the shape without the batch axis.
        batch_size: the batch size, `None` where it varies.
        dtype: the dtype, `floatx` by default.
        sparse, ragged: whether the real tensors will be.
        batch_shape: the shape with the batch axis, in place of `shape` and `batch_size`.
        input_tensor: an existing symbolic tensor to enter with.
        optional: whether the input may be `None`.
        name: the layer's name, and the tensor's.

    >>> import kerasish as keras
    >>> keras.Sequential([keras.layers.InputLayer((3,)), keras.layers.Dense(2)]).output_shape
    (None, 2)
    """

    _in_pipelines = True

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name or auto_name("input_layer"))
        if "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        if kwargs:
            raise InvalidArgument(f"InputLayer has no arguments {sorted(kwargs)}.")
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise InvalidArgument(f"input_tensor is a KerasTensor, got {input_tensor!r}.")
            batch_shape = input_tensor.shape
            dtype = dtype or input_tensor.dtype
        elif shape is not None and batch_shape is not None:
            raise InvalidArgument("Give either shape or batch_shape, not both.")
        elif batch_shape is None:
            if shape is None:
                raise InvalidArgument("An Input needs a shape: keras.Input(shape=(28, 28)).")
            batch_shape = (batch_size, *standardize_shape(shape))
        self._batch_shape = standardize_shape(batch_shape)
        self._dtype = dtypes.standardize(dtype) if dtype is not None else config.floatx()
        self.sparse = bool(sparse)
        self.ragged = bool(ragged)
        self.optional = bool(optional)
        self.built = True
        output = input_tensor if input_tensor is not None else KerasTensor(
            self._batch_shape, self._dtype, sparse=self.sparse, ragged=self.ragged, name=name
        )
        if output.node is None:
            symbolic.Node(self, (), {}, output)
        self._tensor = [output]

    def call(self) -> None:
        return None

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        symbolic.Node(self, (), {}, self._tensor[0])

    @property
    def output(self) -> KerasTensor:
        return self._tensor[0]

    input = output

    @property
    def dtype(self) -> str:
        return self._dtype

    input_dtype = dtype

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        return self._batch_shape

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": self._batch_shape, "dtype": self._dtype, "sparse": self.sparse,
            "ragged": self.ragged, "name": self.name, "optional": self.optional,
        }  # fmt: skip


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor to begin a functional model with.

    Args:
        tensor: an existing symbolic tensor to enter with.
        (the rest as in `InputLayer`)

    >>> import kerasish as keras
    >>> x = keras.Input(shape=(32,))
    >>> y = keras.layers.Dense(16)(x)
    >>> keras.Model(x, y).output_shape
    (None, 16)
    """
    return InputLayer(
        shape=shape, batch_size=batch_size, dtype=dtype, sparse=sparse, ragged=ragged,
        batch_shape=batch_shape, name=name, input_tensor=tensor, optional=optional,
    ).output  # fmt: skip
