"""What a layer asks of its inputs, and the check of it."""

from __future__ import annotations

from typing import Any

from kerasish import dtypes, tree
from kerasish.core.op import describe
from kerasish.errors import DTypeError, InvalidArgument, ShapeError


class InputSpec:
    """Rank, shape, dtype and sizes of single axes that a layer's input must have.

    Args:
        dtype: the dtype's name; not checked.
        shape: the whole shape, with `None` for sizes that vary.
        ndim, max_ndim, min_ndim: the number of axes, its upper and lower bound.
        axes: axis -> size.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or superfluous.
        name: the key of the input, where inputs are a dict.
        optional: whether the input may be `None`.

    >>> import kerasish as keras
    >>> keras.layers.InputSpec(ndim=4, axes={-1: 3})
    InputSpec(ndim=4, axes={-1: 3})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = dtypes.standardize(dtype) if dtype is not None else None
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        if axes is not None and not (
            isinstance(axes, dict) and all(isinstance(k, int | str) for k in axes)
            and all(str(k).lstrip("-").isdigit() for k in axes)
        ):
            raise DTypeError(f"InputSpec: axes is a dict from axis to size, got {axes!r}.")
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        limit = self.ndim if self.ndim is not None else max_ndim
        if self.axes and limit is not None and max(self.axes) >= limit:
            raise InvalidArgument(f"InputSpec axes {self.axes} do not fit a rank of {limit}.")

    def __repr__(self) -> str:
        fields = {k: v for k, v in self.get_config().items() if v not in (None, {}, False)}
        return f"InputSpec({', '.join(f'{k}={v!r}' for k, v in fields.items())})"

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {
            "dtype": self.dtype, "shape": self.shape,
            "ndim": None if self.shape is not None else self.ndim, "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim, "axes": self.axes, "optional": self.optional,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """A spec with this config."""
        return cls(**config)


def check(specs: Any, inputs: Any, layer: Any) -> None:
    """Raises one error that names the layer where an input does not meet its spec."""
    specs = tree.flatten(specs)
    if isinstance(inputs, dict) and all(s.name for s in specs):
        inputs = [inputs.get(s.name) for s in specs]
    leaves = tree.flatten(inputs)
    who = f"Layer {layer.name!r} ({type(layer).__name__})"
    if len(leaves) != len(specs):
        raise InvalidArgument(
            f"{who} expects {len(specs)} inputs, got {len(leaves)}: "
            f"{', '.join(describe(x) for x in leaves)}."
        )
    for spec, x in zip(specs, leaves, strict=True):
        if spec is None or (x is None and spec.optional):
            continue
        if x is None or not hasattr(x, "shape"):
            raise InvalidArgument(f"{who} expects a tensor, got {x!r}.")
        shape = tuple(x.shape)
        got = f"{who} got an input of shape {shape}"
        rank = len(shape)
        if spec.ndim is not None and rank != spec.ndim:
            squeezed = spec.allow_last_axis_squeeze and spec.shape is not None and (
                (rank == spec.ndim + 1 and shape[-1] == 1)
                or (rank == spec.ndim - 1 and spec.shape[-1] == 1)
            )
            if not squeezed:
                raise ShapeError(
                    f"{got}, which has {rank} dimensions; it expects {spec.ndim}. The first is "
                    f"the batch{_mend_rank(rank, spec.ndim)}."
                )
            continue
        if spec.max_ndim is not None and rank > spec.max_ndim:
            raise ShapeError(f"{got}; it expects at most {spec.max_ndim} dimensions.")
        if spec.min_ndim is not None and rank < spec.min_ndim:
            raise ShapeError(
                f"{got}; it expects at least {spec.min_ndim} dimensions, the batch first"
                f"{_mend_rank(rank, spec.min_ndim)}."
            )
        for axis, size in spec.axes.items():
            if size is not None and -rank <= axis < rank and shape[axis] not in (size, None):
                raise ShapeError(
                    f"{got}; it expects axis {axis} to have size {size}, not {shape[axis]}. "
                    "Its weights were made for that size: check the layer before it, or build a "
                    "new layer."
                )
        if spec.shape is not None:
            for want, have in zip(spec.shape, shape, strict=True):
                if want is not None and have is not None and want != have:
                    raise ShapeError(f"{got}; it expects shape {spec.shape}.")
        if spec.dtype is not None and dtypes.standardize(x.dtype) != spec.dtype:
            raise InvalidArgument(f"{got} and dtype {x.dtype}; it expects dtype {spec.dtype}.")


def _mend_rank(got: int, wanted: int) -> str:
    if got == wanted - 1:
        return ": add a batch or channel axis, such as x[None] or x[..., None]"
    return ": flatten or reshape before it" if got > wanted else ""
