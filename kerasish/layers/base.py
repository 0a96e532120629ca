"""`Layer`: state and a computation that builds itself when it first sees a shape."""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasish import backends, dtype_policies, dtypes, initializers, regularizers, tree
from kerasish import constraints as constraints_module
from kerasish.backends.state import local
from kerasish.core import scope, symbolic
from kerasish.core.op import _any_symbolic, describe
from kerasish.core.operation import Operation, overridable
from kerasish.core.symbolic import KerasTensor
from kerasish.core.variable import Variable
from kerasish.errors import (
    InvalidArgument,
    KerasishError,
    NotBuilt,
    ShapeError,
    StateError,
    Unsupported,
)
from kerasish.layers import input_spec as input_spec_module
from kerasish.layers import masking
from kerasish.layers.masking import get_mask, set_mask

if TYPE_CHECKING:
    from typing_extensions import Self

_NOT_STATE = frozenset({
    "_inbound_nodes", "_init_args", "_losses", "_dtype_policy", "input_spec", "_seen_shapes",
    "_native_dtypes", "_build_shapes", "_parent", "_untracked", "_compile_config",
    "_compiled_steps", "_input_names", "_output_names",
})  # fmt: skip


class _Call:
    """What holds for the calls of all layers."""

    losses_used = False
    generation = 0
    """How often a layer has changed so that inputs which it has seen count no more."""


@functools.cache
def _signature(call: Any) -> tuple[tuple[str, ...], bool, dict[str, Any]]:
    """(parameter names after self, takes **kwargs, defaults) of a class's `call`."""
    parameters = list(inspect.signature(call).parameters.values())[1:]
    names = tuple(
        p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    )
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return names, open_ended, {
        p.name: p.default for p in parameters if p.default is not p.empty
    }


@functools.cache
def _positional(call: Any) -> tuple[str, ...]:
    """The parameters of a class's `call` that positional arguments fill."""
    return tuple(
        p.name for p in list(inspect.signature(call).parameters.values())[1:]
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    )


class Layer(Operation):
    """The base of all layers.

    A layer's weights are made in `build(input_shape)`, with `add_weight`, and `call(inputs)`
    says what it computes. State is whatever attributes hold: variables, layers, metrics and
    seed generators are found in them, in lists and in dicts.

    Args:
        activity_regularizer: a regularizer of the outputs.
        trainable: whether training changes the weights.
        dtype: a dtype or dtype policy; `None` takes the global policy.
        autocast: whether floating inputs are cast to the compute dtype.
        name: the layer's name.

    >>> import kerasish as keras
    >>> class Scale(keras.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, x):
    ...         return x * self.gain
    >>> layer = Scale()
    >>> layer(keras.ops.ones((2, 3))).shape, len(layer.weights)
    ((2, 3), 1)
    """

    supports_jit = True
    """Whether a model with this layer may be compiled by XLA."""

    _changes = 0
    """How often the layer became another: quantized, with LoRA, of another policy."""

    _in_pipelines = False
    """Whether it may be a step of a `tf.data` pipeline, whichever engine is active."""

    _keeps_dtype = False
    """Whether integers come out as integers, as they do of layers that only move values."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _tracked_build(vars(cls)["build"])

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if (become := backends.active.lookup("module_like")) is not None:
            become(Layer)
        self = super().__new__(cls, *args, **kwargs)
        state = self.__dict__
        state["_building"] = False
        state["_variables"] = []
        state["_losses"] = []
        state["_metrics_added"] = []
        state["_trainable"] = True
        state["built"] = False
        state["_called"] = False
        state["_has_unbuilt"] = False
        state["_seen_shapes"] = set()
        state["_native_dtypes"] = {}
        state["_build_shapes"] = None
        state["_path"] = None
        state["input_spec"] = None
        state["supports_masking"] = type(self).compute_mask is not Layer.compute_mask
        state["autocast"] = True
        state["activity_regularizer"] = None
        return self

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        shape = kwargs.pop("input_shape", None)
        if (dim := kwargs.pop("input_dim", None)) is not None:
            shape = (dim,)
        if shape is not None:
            warnings.warn(
                f"{self.name}: an input_shape argument is not needed; begin the model with "
                "keras.Input(shape).",
                stacklevel=2,
            )
            self._input_shape_arg = tuple(shape)
        if kwargs:
            raise InvalidArgument(
                f"{type(self).__name__} has no arguments {sorted(kwargs)}."
            )
        self._trainable = bool(trainable)
        self.autocast = bool(autocast)
        self._dtype_policy = dtype_policies.get(dtype)

    # Dtypes ---------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name in ("_dtype_policy", "name"):
            raise StateError(
                f"{type(self).__name__}.__init__ did not call super().__init__(). Call it first."
            )
        for cls in type(self).__mro__:
            if isinstance(found := vars(cls).get(name), property):
                return found.__get__(self)  # raises what the property itself raised
        if not name.startswith("_") and (become := backends.active.lookup("module_like")):
            if become(Layer):
                return getattr(self, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _forget_seen(self) -> None:
        """Sends the next call the general way, which looks at everything anew."""
        self._seen_shapes.clear()
        self._changes += 1
        _Call.generation += 1

    @property
    def dtype_policy(self) -> Any:
        """The policy that tells the dtypes of weights and of computation."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = dtype_policies.get(value)
        self._forget_seen()
        self._native_dtypes.clear()

    @property
    def _policy(self) -> Any:
        """The policy of this layer, also where a `DTypePolicyMap` holds one for each path."""
        policy: Any = self._dtype_policy
        return policy[self.path] if policy._by_path else policy

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return self.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the weights."""
        return self._policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype in which the layer computes."""
        policy: Any = self._dtype_policy  # as in `_policy`: layers ask for it in every call
        return (policy[self.path] if policy._by_path else policy).compute_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that floating inputs are cast to."""
        return self.compute_dtype

    @property
    def _output_dtype(self) -> str:
        return self.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """How the layer is quantized, such as `"int8"`; `None` where it is not."""
        return self._policy.quantization_mode

    @property
    def path(self) -> str:
        """The names of the layers around this one and its own, joined by `/`."""
        return self._path or self.name

    # State ----------------------------------------------------------------------------------

    def _state(self) -> Iterator[Any]:
        """What the attributes hold of variables and of objects that hold variables."""
        stack: list[Any] = []
        for name, value in list(self.__dict__.items()):
            kind = type(value)
            if kind in _STATELESS or name in _NOT_STATE or not (how := _holding(kind)):
                continue
            if how == "module":
                value = self._take_in_module(name, value)
            stack.append(value)
            while stack:
                x = stack.pop()
                how = _holding(type(x))
                if how == "itself":
                    yield x
                elif how == "items":
                    stack.extend(reversed(list(x)))
                elif how == "values":
                    stack.extend(reversed(list(x.values())))

    def _take_in_module(self, name: str, module: Any) -> Any:
        """A module of the engine that an attribute holds becomes a layer: its weights are found."""
        if backends.active.lookup("foreign_module") is None:
            return ()
        from kerasish.layers.interop import TorchModuleWrapper

        layer = self.__dict__[name] = TorchModuleWrapper(module)
        return layer

    def _tracked(self) -> tuple[list[Variable], list[Layer], list[Any]]:
        """(variables, layers, metrics and seed generators) of this layer itself, each once, in the
        order in which they were made."""
        variables, layers, holders = {}, {}, {}
        for x in self._state():
            kind = variables if isinstance(x, Variable) else (
                layers if isinstance(x, Layer) else holders
            )
            kind[id(x)] = x
        return list(variables.values()), list(layers.values()), list(holders.values())

    def _walk_layers(self) -> Iterator[tuple[Layer, tuple[list[Variable], list[Layer], list[Any]]]]:
        """This layer and all layers in it, each once and with its parts, outer ones first."""
        seen = set()
        stack: list[Layer] = [self]
        while stack:
            layer = stack.pop()
            if id(layer) not in seen:
                seen.add(id(layer))
                parts = layer._tracked()
                yield layer, parts
                stack.extend(reversed(parts[1]))

    def _own_variables(self) -> list[Variable]:
        """Variables of this layer itself, in the order in which they were made."""
        return self._tracked()[0]

    # Layers of other libraries that read and write their own variables use these two names.
    @property
    def _trainable_variables(self) -> list[Variable]:
        return [v for v in self._own_variables() if v._born_trainable]

    @property
    def _non_trainable_variables(self) -> list[Variable]:
        return [v for v in self._own_variables() if not v._born_trainable]

    @property
    def _layers(self) -> list[Layer]:
        return self._tracked()[1]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Layer]:
        found = [layer for layer, _ in self._walk_layers()] if recursive else [self, *self._layers]
        return found if include_self else found[1:]

    def _holders(self) -> list[Any]:
        """Metrics and seed generators of this layer and the layers in it."""
        return _unique([x for _, (_, _, holders) in self._walk_layers() for x in holders])

    @property
    def variables(self) -> list[Variable]:
        """All variables: weights, seed states, counters."""
        weights: list[Variable] = []
        seeds: list[Variable] = []
        for _, (variables, _, holders) in self._walk_layers():
            weights += _trainable_first(variables)
            seeds += [v for x in holders if not _is_metric(x) for v in x.variables]
        return _unique(weights + seeds)

    @property
    def weights(self) -> list[Variable]:
        """The weights of this layer and the layers in it."""
        return _unique([
            v for _, (variables, _, _) in self._walk_layers() for v in _trainable_first(variables)
        ])

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes: all that are trainable, unless it is frozen itself.
        A layer that was thawed inside a frozen one is trained by the models around them."""
        return [v for v in self.variables if v.trainable] if self._trainable else []

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All variables that training does not change."""
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training does not change."""
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def metrics(self) -> list[Any]:
        """The metrics of this layer and the layers in it."""
        return [x for x in self._holders() if _is_metric(x)]

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of `metrics`."""
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; set, it freezes or thaws the layers inside too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        """Freezes or thaws this layer, its weights and the layers in it."""
        for layer in self._flatten_layers():
            layer._trainable = bool(value)
            for v in layer._own_variables():
                if getattr(v, "_made_trainable", v.trainable):
                    v._made_trainable = True
                    v.trainable = bool(value)

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = None,
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Makes a weight of this layer.

        Args:
            shape: its shape, `()` by default.
            initializer: name, function or object; Glorot uniform for floats, zeros for others.
            dtype: its dtype, by default the layer's `variable_dtype`.
            trainable: whether training changes it.
            autocast: whether it is read in the compute dtype.
            regularizer: adds a penalty of it to the loss.
            constraint: a function applied to it after each update.
            aggregation: how replicas combine it.
            overwrite_with_gradient: its gradient is its new value (scales of float8 training).
            name: its name.
        """
        shape = () if shape is None else shape
        dtype = self.variable_dtype if dtype is None else dtypes.standardize(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        with scope.name_scope(self.name, caller=self):
            variable = Variable(
                initializers.get(initializer), shape=shape, dtype=dtype, trainable=trainable,
                autocast=autocast, aggregation=aggregation, name=name,
            )  # fmt: skip
            frozen = not all(getattr(outer, "_trainable", True) for outer in scope.callers())
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints_module.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        if frozen:  # until the layer, or the one that it is made in, is thawed
            variable._made_trainable = variable.trainable
            variable.trainable = False
        self._variables.append(variable)
        return variable

    add_variable = add_weight

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights as NumPy arrays."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Sets the weights from arrays in the order of `get_weights`."""
        own = self.weights
        if len(own) != len(weights):
            raise InvalidArgument(
                f"Layer {self.name!r} has {len(own)} weights, got {len(weights)} arrays."
                + ("" if self.built else " It is not built yet: call it or build(shape) first.")
            )
        self._assign_all(own, weights)

    def _assign_all(self, variables: list[Variable], values: Sequence[Any]) -> None:
        """Assigns arrays to variables; where one does not fit, none is changed."""
        for v, value in zip(variables, values, strict=True):
            if tuple(np.shape(value)) != tuple(v.shape):
                raise ShapeError(
                    f"Layer {self.name!r}: variable {v.path!r} has shape {tuple(v.shape)}, got an "
                    f"array of shape {tuple(np.shape(value))}. Nothing was changed."
                )
        for v, value in zip(variables, values, strict=True):
            v.assign(value)

    def count_params(self) -> int:
        """The number of scalars in the weights."""
        if not self.built and not self.weights:
            raise NotBuilt(f"Layer {self.name!r} has no weights yet: call it or build(shape).")
        return sum(int(np.prod(v.shape)) for v in self.weights)

    # Losses ---------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Adds to the losses of this call; of a tensor that is no scalar, training takes the sum.

        Args:
            loss: a tensor, or a list of them.
        """
        losses = loss if isinstance(loss, list | tuple) else [loss]
        for x in losses:
            if not (hasattr(x, "dtype") or isinstance(x, int | float)):
                raise InvalidArgument(
                    f"{self.name}.add_loss takes a tensor, got {x!r} ({type(x).__name__}). "
                    "Compute the loss in call() and give its value."
                )
        stateless = scope.get_stateless_scope()
        if stateless is not None and stateless.collect_losses:
            for x in losses:
                stateless.add_loss(x)
        _Call.losses_used = True
        self._losses.extend(losses)

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` collected in the last call, and the penalties of the weights."""
        layers = self._flatten_layers()
        found = [x for layer in layers for x in layer._losses]
        for v in self.trainable_variables:
            if v.regularizer is not None:
                found.append(v.regularizer(v.value))
        return found

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    # Building -------------------------------------------------------------------------------

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Makes the weights for an input shape; called once, before the first `call`."""
        if any(not layer.built for layer in self._layers):
            shapes = args or tuple(kwargs.values())
            with scope.name_scope(self.name, caller=self):
                self._trace_call(shapes)
        self.built = True

    def _trace_call(self, shapes: Any) -> None:
        """Runs `call` on shapes, so that the layers in it build themselves."""
        if len(shapes) == 0:
            return
        inputs = _map_shapes(lambda s: KerasTensor(s, self.compute_dtype), list(shapes))
        symbolic.infer(self.call, tuple(inputs), {})

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for."""
        shapes = self._build_shapes
        if shapes is None:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": dict(shapes)}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds for the shapes of `get_build_config`."""
        if not config:
            return
        if "input_shape" in config:
            self._build_for({"inputs_shape": _tuples(config["input_shape"])}, single=True)
        elif "shapes_dict" in config:
            self._build_for({k: _tuples(v) for k, v in config["shapes_dict"].items()})
        else:
            self._build_for({k: _tuples(v) for k, v in config.items()})

    def _build_for(self, shapes: dict[str, Any], single: bool = False) -> None:
        """Calls `build` with the shapes in the form that it takes."""
        self._path = self._path or "/".join(filter(None, (scope.current_path(), self.name)))
        own = type(self).build
        parameters = list(inspect.signature(own).parameters.values())[1:]
        names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD
                 and p.kind is not p.VAR_POSITIONAL]
        with scope.name_scope(self.name, caller=self):
            if own is Layer.build:
                self.built = True
            elif len(names) <= 1 and (single or len(shapes) == 1 or names != []):
                first = next(iter(shapes.values()), None)
                self.build(first) if names or not _is_kwargs(parameters) else self.build(**shapes)
            elif set(shapes) >= {n for n, p in zip(names, parameters, strict=False)
                                 if p.default is p.empty}:
                self.build(**{k: v for k, v in shapes.items() if k in names})
            else:
                values = list(shapes.values())
                self.build(*values[: len(names)])
        self.built = True
        self._build_shapes = shapes

    def _after_build(self) -> None:
        pass

    # Calling --------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The fast way: an inner layer, built, called on one tensor of a kind seen before.
        if len(args) == 1 and (
            not kwargs or (len(kwargs) == 1 and "training" in kwargs and self._takes_training)
        ):
            x = args[0]
            here = local.here
            active = here.active
            if type(x) in active.native and not (masking.in_use and get_mask(x) is not None):
                try:
                    seen = (active.name, x.shape, x.dtype) in self._seen_shapes
                except (TypeError, ValueError):  # shapes with unknown sizes have no hash
                    seen = False
                if seen:
                    training = kwargs.get("training") if kwargs else None
                    if here.depth == 0:
                        return self._call_outermost(here, x, training)
                    if not self._takes_training:
                        return self.call(x)
                    if training is None or training is here.training:
                        training = here.training
                        if training is not None:
                            return self.call(x, training=training)
                        if not self._training_default:  # a true one holds for inner layers too
                            return self.call(x, training=self._training_default)
        return self._call_general(args, kwargs)

    def _call_outermost(self, here: Any, x: Any, training: Any) -> Any:
        if _Call.losses_used:
            self._clear_losses()
        here.depth = 1
        try:
            if self._takes_training:
                if training is None:
                    training = self._training_default
                here.training = training
                return self.call(x, training=training)
            return self.call(x)
        finally:
            here.depth = 0
            here.training = None

    @functools.cached_property
    def _takes_training(self) -> bool:
        return "training" in _signature(type(self).call)[0]

    @functools.cached_property
    def _training_default(self) -> Any:
        return _signature(type(self).call)[2].get("training")

    def _call_general(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        names, open_ended, defaults = _signature(type(self).call)
        args, kwargs = self._convert((args, kwargs))
        positional = _positional(type(self).call)
        if len(args) > len(positional) and not _has_varargs(type(self).call):
            raise TypeError(
                f"Layer {self.name!r} ({type(self).__name__}) takes at most {len(positional)} "
                f"positional arguments {list(positional)}, got {len(args)}."
            )
        arguments = dict(zip(positional, args, strict=False))
        if twice := arguments.keys() & kwargs.keys():
            raise TypeError(f"Layer {self.name!r} got {sorted(twice)} twice.")
        arguments.update(kwargs)
        tensors = {k: v for k, v in arguments.items() if k != "mask" and _holds_tensor(v)}
        if self.input_spec is not None and tensors:
            input_spec_module.check(self.input_spec, next(iter(tensors.values())), self)
        elif self.input_spec is not None:
            raise InvalidArgument(
                f"Layer {self.name!r} ({type(self).__name__}) is called on tensors, got "
                f"{', '.join(map(repr, arguments.values())) or 'no arguments'}."
            )
        if not self.built:
            shapes = {f"{k}_shape": _shapes(v) for k, v in tensors.items()
                      if not k.endswith("_mask")}
            self._build_for(shapes)
        training = self._resolve_training(arguments, defaults)
        given = kwargs  # what a graph keeps: a default is decided anew when it runs
        if "training" in names or ("training" in kwargs and open_ended):
            kwargs = {**kwargs}
            if "training" not in positional[: len(args)]:
                if training is None:
                    kwargs.pop("training", None)
                else:
                    kwargs["training"] = training
        elif "training" in kwargs:
            kwargs = {k: v for k, v in kwargs.items() if k != "training"}
        previous_mask = None
        if masking.in_use:
            kwargs, previous_mask = self._pass_masks(names, args, kwargs, tensors)
        if _holds_tensor(arguments.get("mask")):  # given, it stands for the tensors' own
            previous_mask = arguments["mask"]
        if _any_symbolic((args, kwargs)):
            return self._call_symbolic(args, kwargs, given, tensors, previous_mask)
        return self._call_eager(args, kwargs, tensors, previous_mask, training)

    def _resolve_training(self, arguments: Any, defaults: Any) -> Any:
        training = arguments.get("training")
        if training is None:
            here = local.here
            training = here.training if here.depth else None
        if training is None:
            training = defaults.get("training")
        return training

    def _convert(self, structure: Any) -> Any:
        """Arrays and lists of numbers become tensors, floats in the compute dtype."""
        active = backends.active
        compute = self.compute_dtype if self.autocast else None

        def one(x: Any) -> Any:
            kind = type(x)
            if kind in (str, int, float, bool, type(None)):
                return x
            if isinstance(x, KerasTensor):
                if compute and x.dtype != compute and dtypes.is_float(x.dtype):
                    return _cast_symbolic(x, compute)
                return x
            if kind in active.native or active.owns(x):
                if compute is None:
                    return x
                name = active.dtype_of(x)
                if name != compute and name in dtypes.FLOATS:
                    mask = get_mask(x) if masking.in_use else None
                    x = active.cast(x, compute)
                    if mask is not None:
                        set_mask(x, mask)
                return x
            if hasattr(kind, "_is_variable"):
                return one(x.value)
            owner = None if isinstance(x, np.ndarray | np.generic) else backends.owner(x)
            if owner is not None and owner.dtype_of(x) == "string":
                x = owner.to_host(x)
            if isinstance(x, np.ndarray) and x.dtype.kind in "OUS":
                return x
            if owner is not None or isinstance(x, np.ndarray | np.generic):
                return one(active.convert(x))
            if hasattr(x, "__array__") and hasattr(x, "shape"):
                return one(active.convert(x))
            return x

        return tree.map_structure(one, structure)

    def _pass_masks(
        self, names: tuple[str, ...], args: Any, kwargs: Any, tensors: dict[str, Any]
    ) -> Any:
        """Fills `mask` arguments from the tensors' own masks."""
        kwargs = dict(kwargs)
        positional = _positional(type(self).call)
        previous = None
        for i, (name, value) in enumerate(tensors.items()):
            mask = tree.map_structure(get_mask, value)
            if i == 0:
                previous = mask
            wanted = "mask" if i == 0 else f"{name}_mask"
            if i == 0 and "mask" not in names and f"{name}_mask" in names:
                wanted = f"{name}_mask"
            given = kwargs.get(wanted) is not None or wanted in positional[: len(args)]
            if wanted in names and not given and any(m is not None for m in tree.flatten(mask)):
                kwargs[wanted] = mask
        return kwargs, previous

    def _call_eager(
        self, args: Any, kwargs: Any, tensors: Any, previous_mask: Any, training: Any
    ) -> Any:
        here = local.here
        if here.depth == 0 and _Call.losses_used:
            self._clear_losses()
        compute = self.compute_dtype
        autocast = compute if self.autocast and compute != self.variable_dtype else None
        before, cast = here.training, here.autocast
        here.depth += 1  # nothing is called from here to `try`: no interruption can come between
        here.training, here.autocast = training, autocast
        try:
            if self._called and not self._has_unbuilt:
                outputs = self.call(*args, **kwargs)
            else:
                before_call = self._tracked()
                with scope.name_scope(self.name, caller=self):
                    outputs = self.call(*args, **kwargs)
                self._check_no_new_state(before_call)
                self._called = True
                self._has_unbuilt = any(not x.built for x in self._flatten_layers(False))
        except KerasishError as error:
            self._say_where(error, tensors)
            raise
        finally:
            here.depth -= 1
            here.training = before
            here.autocast = cast
        if self.activity_regularizer is not None:
            for x in tree.flatten(outputs):
                if backends.active.owns(x):  # the mean over the samples
                    penalty = self.activity_regularizer(x)
                    self.add_loss(_op("divide")(penalty, _op("shape")(x)[0]))
        if self._may_mask(previous_mask):
            self._set_output_masks(tensors, outputs, previous_mask)
        if not (masking.in_use and masking.any_masked([*args, *tree.flatten(outputs)])):
            self._remember(args, kwargs, compute)
        return outputs

    def _check_no_new_state(self, before: Any) -> None:
        after = self._tracked()
        if new := [x for old, now in zip(before, after, strict=True) for x in now[len(old):]]:
            raise StateError(
                f"The call() of layer {self.name!r} ({type(self).__name__}) made new state: "
                f"{[x.name for x in new]}. Each call would make it anew, untrained: make variables "
                "and layers in __init__() or in build()."
            )

    def _remember(self, args: Any, kwargs: Any, compute: str) -> None:
        """Notes a kind of input that the fast way may take from now on."""
        active = backends.active
        if (
            len(args) == 1
            and not (kwargs.keys() - {"training"})
            and self.activity_regularizer is None
            and self._called
            and not self._has_unbuilt
            and self.autocast
            and local.here.autocast is None
            and compute == self.variable_dtype
            and type(args[0]) in active.native
        ):
            x = args[0]
            try:
                key = (active.name, x.shape, x.dtype)
                if len(self._seen_shapes) < 256:
                    self._seen_shapes.add(key)
            except (TypeError, ValueError):
                pass

    def _say_where(self, error: Exception, tensors: dict[str, Any]) -> None:
        """Adds to an error of ours which layer it came from, once."""
        if getattr(error, "_located", False) or not error.args:
            return
        error._located = True
        message = str(error.args[0])
        if f"{self.name!r}" in message:
            return
        got = ", ".join(f"{k}={_describe_all(v)}" for k, v in tensors.items())
        told = f", called with {got}" if got else ""
        error.args = (
            f"{message}\nIn layer {self.name!r} ({type(self).__name__}){told}.",
            *error.args[1:],
        )

    def _may_mask(self, previous: Any) -> bool:
        """Whether the outputs may have masks."""
        return masking.in_use or previous is not None or (
            type(self).compute_mask is not Layer.compute_mask
        )

    def _set_output_masks(self, tensors: Any, outputs: Any, previous: Any) -> None:
        has_mask = previous is not None and any(m is not None for m in tree.flatten(previous))
        if not has_mask and type(self).compute_mask is Layer.compute_mask:
            return
        flat = tree.flatten(outputs)
        if all(get_mask(x) is not None for x in flat):
            return
        if not self.supports_masking:
            if has_mask and not self._consumes_mask:
                self._warn_dropped()
            return
        first = next(iter(tensors.values()), None)
        single = tree.is_nested(first)
        masks = self.compute_mask(first, previous if single or has_mask else None)
        if masks is None:
            return
        for x, mask in zip(flat, tree.flatten(masks), strict=False):
            if mask is not None and get_mask(x) is None:
                set_mask(x, mask)

    @property
    def _consumes_mask(self) -> bool:
        names, _, _ = _signature(type(self).call)
        return any(n == "mask" or n.endswith("_mask") for n in names)

    def _warn_dropped(self) -> None:
        if not getattr(self, "_warned_mask", False):
            self._warned_mask = True
            warnings.warn(
                f"Layer {self.name!r} ({type(self).__name__}) got a masked input and drops the "
                "mask: later layers will see padding as data. Set self.supports_masking = True in "
                "it where passing the mask on is right, or define compute_mask.",
                stacklevel=3,
            )

    def _call_symbolic(
        self, args: Any, kwargs: Any, given: Any, tensors: Any, previous_mask: Any
    ) -> Any:
        if not self._called:
            self._flatten_layers()  # modules in attributes become layers before they are called
        outputs = self.compute_output_spec(*args, **kwargs)
        if isinstance(outputs, KerasTensor) and any(
            outputs is x for x in tree.flatten((args, kwargs))
        ):
            outputs = KerasTensor(outputs.shape, outputs.dtype, sparse=outputs.sparse)
        # Masks that tensors brought along are found again when the graph runs.
        symbolic.Node(self, args, given, outputs)
        if self.activity_regularizer is not None:
            _Call.losses_used = True
        if self._may_mask(previous_mask):
            self._set_output_masks_symbolic(tensors, outputs, previous_mask)
        return outputs

    def _set_output_masks_symbolic(self, tensors: Any, outputs: Any, previous: Any) -> None:
        has_mask = previous is not None and any(m is not None for m in tree.flatten(previous))
        if not self.supports_masking:
            if has_mask and not self._consumes_mask:
                self._warn_dropped()
            return
        if not has_mask and type(self).compute_mask is Layer.compute_mask:
            return
        first = next(iter(tensors.values()), None)
        masks = symbolic.infer(
            self.compute_mask,
            (first, previous if tree.is_nested(first) or has_mask else None), {},
        )
        if masks is None:
            return
        for x, mask in zip(tree.flatten(outputs), tree.flatten(masks), strict=False):
            if isinstance(mask, KerasTensor):
                set_mask(x, mask)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs' shapes and dtypes, as `KerasTensor`s, for symbolic inputs."""
        sparse = any(getattr(x, "sparse", False) for x in tree.flatten((args, kwargs)))
        if not sparse and not getattr(type(self).compute_output_shape, "_is_default", False):
            if type(self).build is Layer.build and any(
                not x.built for x in self._flatten_layers(include_self=False)
            ):
                symbolic.infer(self._call_in_context, args, kwargs)  # builds the layers within
            names = _positional(type(self).call)
            arguments = {**dict(zip(names, args, strict=False)), **kwargs}
            shapes = {f"{k}_shape": _shapes(v) for k, v in arguments.items()
                      if _holds_tensor(v) and not k.endswith("mask")}
            wanted = list(inspect.signature(self.compute_output_shape).parameters)
            if set(shapes) == set(wanted):
                shape = self.compute_output_shape(**shapes)
            else:
                shape = self.compute_output_shape(*list(shapes.values())[: max(len(wanted), 1)])
            sparse = getattr(self, "sparse", False)  # an argument of layers that encode categories
            dtype = self._output_dtype
            if self._keeps_dtype:
                dtype = dtypes.result_type(
                    *(x.dtype for x in tree.flatten(arguments) if isinstance(x, KerasTensor))
                )
            return _map_shapes(lambda s: KerasTensor(s, dtype, sparse=sparse), shape)
        return symbolic.infer(self._call_in_context, args, kwargs)

    def _call_in_context(self, *args: Any, **kwargs: Any) -> Any:
        here = local.here
        compute = self.compute_dtype
        autocast = compute if self.autocast and compute != self.variable_dtype else None
        before, cast = here.training, here.autocast
        training = kwargs.get("training", before)
        here.depth += 1
        here.training, here.autocast = training, autocast
        try:
            with scope.name_scope(self.name, caller=self):
                return self.call(*args, **kwargs)
        except KerasishError as error:
            self._say_where(error, {"inputs": args[0]} if args else {})
            raise
        finally:
            here.depth -= 1
            here.training = before
            here.autocast = cast
            for layer in self._flatten_layers():
                layer._losses.clear()

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic outputs for symbolic inputs."""
        return self.compute_output_spec(*args, **kwargs)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output for an input shape (`None` for unknown sizes)."""
        shapes = [*args, *kwargs.values()]
        inputs = _map_shapes(lambda s: KerasTensor(s, self.compute_dtype), shapes)
        if not self.built:
            with symbolic.SymbolicScope():
                self._build_for(
                    {f"{n}_shape": s for n, s in
                     zip(_signature(type(self).call)[0], shapes, strict=False)}
                )
        outputs = self.compute_output_spec(*inputs)
        return tree.map_structure(lambda x: x.shape, outputs)

    compute_output_shape._is_default = True

    @overridable
    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output: the input's, for layers that keep the axes."""
        return previous_mask

    def stateless_call(
        self, trainable_variables: Any, non_trainable_variables: Any, *args: Any,
        return_losses: bool = False, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """`call` as a pure function of the variables' values.

        Returns `(outputs, non_trainable_variables)`, and the losses with `return_losses=True`.
        """
        if not self.built:
            raise NotBuilt(f"Layer {self.name!r} must be built before stateless_call.")
        trainable, other = self.trainable_variables, self.non_trainable_variables
        for what, own, given in (
            ("trainable", trainable, list(trainable_variables)),
            ("non-trainable", other, list(non_trainable_variables)),
        ):
            if len(own) != len(given):
                raise InvalidArgument(
                    f"Layer {self.name!r} has {len(own)} {what} variables, got {len(given)} values."
                )
        mapping = [
            *zip(trainable, trainable_variables, strict=True),
            *zip(other, non_trainable_variables, strict=True),
        ]
        with scope.StatelessScope(mapping) as stateless:
            outputs = self(*args, **kwargs)
            if return_losses:
                losses = list(self.losses)
        values = [stateless.get_current_value(v) for v in other]
        return (outputs, values, losses) if return_losses else (outputs, values)

    # Files and copies ------------------------------------------------------------------------

    def _saved_variables(self) -> list[Variable]:
        """The layer's own variables in the order in which files have them."""
        return _trainable_first(self._own_variables())

    def save_own_variables(self, store: Any) -> None:
        """Writes this layer's own variables into a mapping of arrays."""
        for i, v in enumerate(self._saved_variables()):
            store[str(i)] = v.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Reads this layer's own variables from a mapping of arrays."""
        own = self._saved_variables()
        if len(store.keys()) != len(own):
            hint = "" if self.built else " It is not built: call the model once before loading."
            raise InvalidArgument(
                f"Layer {self.name!r} has {len(own)} variables, the file has {len(store.keys())}."
                f"{hint}"
            )
        self._assign_all(own, [store[str(i)] for i in range(len(own))])

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs; the arguments of `__init__` unless a class says otherwise."""
        config = {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": dtype_policies.serialize(self._dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        own = type(self)
        for cls in own.__mro__:
            if cls is Layer:
                break
            # Our own layers keep each argument in an attribute of its name.
            if cls.__module__.startswith("kerasish.") and "__init__" in vars(cls):
                for name in _own_arguments(cls):
                    if name not in config and hasattr(self, name):
                        config[name] = _argument_config(name, getattr(self, name))
        default = getattr(own.get_config, "_is_default", False)
        if default and not own.__module__.startswith("kerasish."):
            config = self._with_arguments(config)
            accepted = inspect.signature(own.__init__).parameters
            if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
                config = {k: v for k, v in config.items() if k in accepted}
        return config

    get_config._is_default = True

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        dtype = config.get("dtype")
        if isinstance(dtype, dict):
            config["dtype"] = dtype_policies.deserialize(dtype)
        return cls(**config)

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Replaces the kernel by one in fewer bits, in layers that can."""
        raise Unsupported(
            f"Layer {self.name!r} ({type(self).__name__}) has nothing to quantize. Dense, "
            "EinsumDense and Embedding have."
        )

    def __reduce__(self) -> Any:
        return _rebuild, (self.__class__,), self._picklable()

    def _picklable(self) -> dict[str, Any]:
        return {
            **self.__getstate__(), "_losses": [], "_seen_shapes": set(), "_native_dtypes": {},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _tracked_build(build: Any) -> Any:
    """A `build` that notes what it was built for, also when a program calls it itself."""
    parameters = list(inspect.signature(build).parameters)[1:]

    @functools.wraps(build)
    def wrapper(self: Layer, *args: Any, **kwargs: Any) -> Any:
        if self._building:  # super().build() of a subclass
            return build(self, *args, **kwargs)
        self._building = True
        self._path = self._path or "/".join(filter(None, (scope.current_path(), self.name)))
        try:
            with scope.name_scope(self.name, caller=self), backends.concrete():
                result = build(self, *args, **kwargs)
        finally:
            self._building = False
        self.built = True
        self._build_shapes = {**dict(zip(parameters, args, strict=False)), **kwargs}
        self._after_build()
        return result

    return wrapper


def _rebuild(cls: type) -> Any:
    return Layer.__new__(cls)


@functools.cache
def _own_arguments(cls: type) -> tuple[str, ...]:
    parameters = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
    return tuple(
        p.name for p in parameters
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in _BASE_ARGUMENTS
    )


_BASE_ARGUMENTS = ("name", "trainable", "dtype", "autocast", "weights")


def _argument_config(name: str, value: Any) -> Any:
    from kerasish import activations
    from kerasish.saving.serialization import serialize_keras_object

    if name.endswith("activation") and callable(value):
        return activations.serialize(value)
    return serialize_keras_object(value)


def _is_metric(x: Any) -> bool:
    return hasattr(x, "update_state")


_STATELESS = frozenset((bool, int, float, str, type(None), types.FunctionType))
"""Types of most attributes, which hold no state."""


@functools.lru_cache(maxsize=4096)
def _holding(kind: type) -> str:
    """How an attribute of this type holds state: it is some, or its items or values may be."""
    if issubclass(kind, Variable | Layer) or getattr(kind, "_tracks_variables", False):
        return "itself"
    if issubclass(kind, list | tuple | set):
        return "items"
    if issubclass(kind, dict):
        return "values"
    return "module" if backends.is_module(kind) else ""


def _trainable_first(variables: list[Variable]) -> list[Variable]:
    return sorted(variables, key=lambda v: not v._born_trainable)


def _unique(items: list[Any]) -> list[Any]:
    return list({id(x): x for x in items}.values())


def _is_kwargs(parameters: list[Any]) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in parameters)


def _has_varargs(call: Any) -> bool:
    return any(
        p.kind is p.VAR_POSITIONAL for p in inspect.signature(call).parameters.values()
    )


def _is_tensor(x: Any) -> bool:
    return isinstance(x, KerasTensor) or backends.active.owns(x) or (
        hasattr(x, "shape") and hasattr(x, "dtype")
    )


def _holds_tensor(structure: Any) -> bool:
    return any(_is_tensor(x) for x in tree.flatten(structure))


def _shapes(structure: Any) -> Any:
    return tree.map_structure(
        lambda x: symbolic.unknown_shape(x.shape) if _is_tensor(x) else None, structure
    )


def _is_shape(x: Any) -> bool:
    return isinstance(x, list | tuple) and all(
        d is None or isinstance(d, int | np.integer) for d in x
    )


def _map_shapes(function: Any, structure: Any) -> Any:
    """Applies `function` to the shapes in a structure of them."""
    if _is_shape(structure):
        return function(tuple(structure))
    if isinstance(structure, dict):
        return {k: _map_shapes(function, v) for k, v in structure.items()}
    if hasattr(structure, "_fields"):
        return type(structure)(*[_map_shapes(function, v) for v in structure])
    if isinstance(structure, list | tuple):
        return type(structure)([_map_shapes(function, v) for v in structure])
    return structure


def _tuples(shape: Any) -> Any:
    """Shapes from JSON, where tuples have become lists, as tuples again."""
    return _map_shapes(lambda s: s, shape)


def _op(name: str) -> Any:
    from kerasish import ops

    return getattr(ops, name)


def _cast_symbolic(x: KerasTensor, dtype: str) -> Any:
    from kerasish import ops

    y = ops.cast(x, dtype)
    mask = getattr(x, "_keras_mask", None)
    if mask is not None:
        y._keras_mask = mask
    return y


def _describe_all(value: Any) -> str:
    leaves = [describe(x) for x in tree.flatten(value)]
    return leaves[0] if len(leaves) == 1 and not tree.is_nested(value) else f"[{', '.join(leaves)}]"
