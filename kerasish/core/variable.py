"""`Variable`: state on whichever backend used it last; it moves when another reads it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish import backends, dtypes
from kerasish.backends.state import holding, local
from kerasish.core import operators, scope
from kerasish.errors import InvalidArgument, ShapeError


class Variable(operators.Operators):
    """A tensor that training changes in place: a weight, a counter, an optimizer's slot.

    Args:
        initializer: the first value (array, list, scalar), or a callable `(shape, dtype)` or the
            name of an initializer.
        shape: the shape, needed with a callable.
        dtype: the dtype; `None` takes the value's, or `floatx` with a callable.
        trainable: whether training changes it.
        autocast: whether a mixed-precision layer reads it in its compute dtype.
        aggregation, synchronization: how replicas combine it; kept for distribution.
        layout: how it is laid out over devices; kept for distribution.
        name: its name; the path prefixes it with the scopes around.

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0], name="v")
    >>> v.assign_add([1.0, 1.0]).tolist(), (v * 2).tolist(), v.path
    ([2.0, 3.0], [4.0, 6.0], 'v')
    """

    _is_variable = True

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = None,
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
        **kwargs: Any,
    ):
        if kwargs:
            raise InvalidArgument(f"Variable has no arguments {sorted(kwargs)}.")
        name = name or scope.auto_name("variable")
        if not isinstance(name, str) or "/" in name:
            raise InvalidArgument(f"A variable's name is a string without '/', got {name!r}.")
        self.name = name
        prefix = scope.current_path()
        self.path = f"{prefix}/{name}" if prefix else name
        self._trainable = bool(trainable)
        self._born_trainable = self._trainable  # its place among the weights, also when frozen
        self._autocast = bool(autocast)
        self.aggregation = aggregation or "none"
        self.synchronization = synchronization
        self.regularizer = None
        self.constraint = None
        self.overwrite_with_gradient = False
        self._layout = layout
        if isinstance(initializer, str):
            from kerasish import initializers

            initializer = initializers.get(initializer)
        self._initializer = initializer if callable(initializer) else None
        value = self._first_value(initializer, shape, dtype)
        self.dtype: str = value.dtype.name
        self._shape = tuple(value.shape)
        self._value: Any = value
        self._home: Any = backends.host()
        if (announce := backends.active.lookup("variable_type")) is not None:
            announce(type(self))

    def _first_value(self, initializer: Any, shape: Any, dtype: Any) -> np.ndarray:
        if callable(initializer):
            if shape is None:
                raise InvalidArgument(
                    f"Variable {self.path!r}: a callable initializer needs `shape`, got None."
                )
            dtype = dtypes.standardize(dtype)
            shape = self._check_shape(shape)
            scope.take_memory(self.path, math.prod(shape) * dtypes.numpy_dtype(dtype).itemsize)
            with backends.concrete(), holding(local.here, "drawing_for", self.path):
                value = backends.to_host(initializer(shape, dtype=dtype))
            value = dtypes.host_array(value)
            if value.shape != shape:
                raise ShapeError(
                    f"The initializer of {self.path!r} returned shape {value.shape} where "
                    f"{shape} was asked for."
                )
        else:
            if hasattr(type(initializer), "_is_variable"):
                initializer = initializer.numpy()
            value = dtypes.host_array(backends.to_host(initializer), None)
            if dtype is None:
                dtype = value.dtype.name
            if shape is not None and tuple(shape) != value.shape:
                raise ShapeError(f"{self.path!r}: shape {tuple(shape)} asked, value {value.shape}.")
        return np.array(value, dtypes.numpy_dtype(dtypes.standardize(dtype)), order="C")

    def _check_shape(self, shape: Any) -> tuple[int, ...]:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if any(d is None or d < 0 for d in shape):
            raise ShapeError(
                f"Variable {self.path!r} needs a shape of known sizes, got {shape}. A dimension "
                "that is unknown in the input (None) cannot size a weight: give it in the Input."
            )
        return tuple(int(d) for d in shape)

    # The value ------------------------------------------------------------------------------

    @property
    def value(self) -> Any:
        """The active engine's tensor; moves here first if another backend used it last."""
        here = local.here
        active = here.active
        held = self._value if self._home is active else active.adopt(self)
        if here.autocast is not None and self._autocast and self.dtype in dtypes.FLOATS:
            return active.cast(held, here.autocast)
        return held

    def assign(self, value: Any) -> Any:
        """Sets the value (converted to the variable's dtype; shapes must be equal)."""
        if hasattr(type(value), "_is_variable"):
            value = value.value
        value = backends.active.convert(value, self.dtype)
        if tuple(value.shape) != self._shape:
            raise ShapeError(
                f"Cannot assign a value of shape {tuple(value.shape)} to variable {self.path!r} "
                f"of shape {self._shape}."
            )
        self._write(value)
        return value

    def _write(self, value: Any) -> None:
        here = local.here
        if here.frame is not None:
            here.frame.write(self, value)
        else:
            active = here.active
            held = self._value if self._home is active else active.adopt(self)
            self._value = active.assign(held, value)

    def _increase(self, value: Any) -> None:
        """`assign_add` for a tensor of the variable's own dtype and shape, or a number."""
        here = local.here
        if here.frame is not None:
            self._write(self.value + value)
        else:
            active = here.active
            held = self._value if self._home is active else active.adopt(self)
            self._value = active.increase(held, value)

    def assign_add(self, value: Any) -> Any:
        """Adds to the value."""
        return self.assign(self + value)

    def assign_sub(self, value: Any) -> Any:
        """Subtracts from the value."""
        return self.assign(self - value)

    def numpy(self) -> np.ndarray:
        """A copy of the value as a NumPy array."""
        return np.array(self._home.to_host(self._value))

    # What it is -----------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, a tuple of ints."""
        return self._shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def trainable(self) -> bool:
        """Whether training changes it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        if (set_trainable := self._home.lookup("set_trainable")) is not None:
            set_trainable(self._value, self._trainable)

    @property
    def handle(self) -> Any:
        """TensorFlow's handle of the value, on that backend."""
        return self.value.handle

    @property
    def constraint(self) -> Any:
        """What is applied to the value after each update, or `None`."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Callable[..., Any] | None) -> None:
        if value is not None and not callable(value):
            raise InvalidArgument(f"A constraint is a callable or None, got {value!r}.")
        self._constraint = value

    @property
    def regularizer(self) -> Any:
        """What the loss has added for the value, or `None`."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Callable[..., Any] | None) -> None:
        if value is not None and not callable(value):
            raise InvalidArgument(f"A regularizer is a callable or None, got {value!r}.")
        self._regularizer = value

    def __repr__(self) -> str:
        # While its value is lent (in a trace, a gradient) there is none to be seen.
        value = f", value={self.numpy()}" if local.here.frame is None else ""
        return f"<Variable path={self.path}, shape={self._shape}, dtype={self.dtype}{value}>"

    # Seen by the engines and NumPy ---------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        # A plain np.multiply(x, self.w) in a user's layer must see the tracked value.
        inputs = tuple(x.value if isinstance(x, Variable) else x for x in inputs)
        known = all(backends.host().owns(x) for x in inputs if hasattr(x, "shape"))
        if method == "__call__" and not kwargs and (not known or operators.is_binary(ufunc)):
            return operators.of_ufunc(ufunc)(*inputs)  # an array on the left of `+`, too
        return getattr(ufunc, method)(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from kerasish.core.op import _values

        return func(*_values(args), **_values(kwargs))

    def __jax_array__(self) -> Any:
        return self.value

    # `tf.GradientTape.gradient` takes what has this, and a `handle`, for a variable.
    _should_act_as_resource_variable = True

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        import sys

        return sys.modules["tensorflow"].convert_to_tensor(self.value, dtype=dtype, name=name)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        from kerasish.core.op import _values

        return func(*_values(args), **_values(kwargs or {}))

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError(f"Variable {self.path!r} is a scalar: it has no len().")
        return self._shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __index__(self) -> int:
        return self.numpy().__index__()

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        twin = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin
        twin.__dict__.update(self.__getstate__())
        twin._home = backends.host()
        return twin

    def __getstate__(self) -> dict[str, Any]:
        kept = {k: v for k, v in self.__dict__.items() if k not in ("_home", "_tf_variable")}
        return {**kept, "_value": self.numpy(), "_initializer": None}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.__dict__.update(kept)
        self._home = backends.host()


operators.install(Variable, ("invert",))
