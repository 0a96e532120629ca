"""Layers made of other libraries' models: torch modules, JAX functions, Flax, SavedModels.

What such a model computes, only its own engine can compute. Its parameters are variables as any
others: they are trained, saved and moved, and the layer works again when its backend is back.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np

from kerasish import backends, dtype_policies, random, tree
from kerasish.core.symbolic import KerasTensor
from kerasish.core.variable import Variable
from kerasish.errors import BackendError, InvalidArgument, ShapeError, UnsafeFile
from kerasish.layers.base import Layer
from kerasish.saving import serialization


class _Foreign(Layer):
    """A layer that only one backend can compute."""

    engine = ""

    def _half(self, name: str) -> Any:
        """The engine's half of the layer: a function of its adapter."""
        adapter = backends.real or backends.active
        found = adapter.lookup(name) if adapter.name == self.engine else None
        if found is not None and adapter is backends.real:
            # A run on shapes: it is to be made again on the engine.
            error = BackendError(f"{type(self).__name__} computes on {self.engine} tensors only.")
            error._needs_engine = True
            raise error
        if found is None:
            raise BackendError(
                f"{type(self).__name__} works on the {self.engine} backend only, the active one is "
                f"{adapter.name}. Mend: keras.config.set_backend({self.engine!r})."
            )
        return found

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name, "trainable": self.trainable,
            "dtype": dtype_policies.serialize(self.dtype_policy),
        }

    def _variable(self, name: str, value: Any, trainable: bool) -> Variable:
        variable = Variable(
            backends.load(self.engine).to_host(value), trainable=trainable and self.trainable,
            name=name.replace("/", "."),
        )
        variable._made_trainable = variable._born_trainable = trainable
        return variable


class TorchModuleWrapper(_Foreign):
    """A `torch.nn.Module` as a layer; parameters and buffers are shared with it.

    Args:
        module: the module. Lazy modules get their shapes from the first input.
        name: the layer's name.
        output_shape: the shape of the output, where running the module on shapes cannot tell it.

    `training` puts the module in training or evaluation mode for the call; without it the module
    stays in the mode it is in. Works on the torch backend; on another a `BackendError` is raised.

    The other way, `keras.utils.to_torch_module(model)` makes any layer or model a
    `torch.nn.Module`.

    >>> import torch  # doctest: +SKIP
    >>> import kerasish as keras
    >>> layer = keras.layers.TorchModuleWrapper(torch.nn.Linear(4, 2))  # doctest: +SKIP
    >>> layer(keras.ops.ones((3, 4))).shape  # doctest: +SKIP
    torch.Size([3, 2])
    """

    engine = "torch"

    def __init__(
        self, module: Any, name: str | None = None, output_shape: Any = None, **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        self.module = self._half("foreign_module")(module)
        self.output_shape = output_shape
        self._state_of_module: dict[str, Variable] = {}
        self._take_in()

    def __getattr__(self, name: str) -> Any:
        module = self.__dict__.get("module")
        if hasattr(module, name):  # what layers that hold a module read of it
            return getattr(module, name)
        return super().__getattr__(name)

    def __getitem__(self, key: Any) -> Any:
        return self.module[key]

    def __len__(self) -> int:
        return len(self.module)

    def __bool__(self) -> bool:
        return True

    def _take_in_module(self, name: str, module: Any) -> Any:
        return ()  # this layer itself holds its state

    def _take_in(self) -> None:
        found = self._half("foreign_tensors")(self.module)
        self._tensors = _Held({name: x for name, x, _ in found or ()})
        if found is not None and not self._state_of_module:
            self._state_of_module = {
                name: self._variable(name, x, trainable) for name, x, trainable in found
            }
            for name, x, _ in found:
                variable = self._state_of_module[name]
                variable._value, variable._home = x, backends.load(self.engine)
            self.built = True

    def parameters(self, recurse: bool = True) -> Any:
        """The module's own parameters, for torch's optimizers."""
        return self.module.parameters(recurse)

    def build(self, *shapes: Any) -> None:
        with backends.concrete():
            if not self._state_of_module:
                self._half("foreign_first_call")(self.module, list(shapes))
                self._take_in()

    def call(self, inputs: Any, *args: Any, training: Any = None, **kwargs: Any) -> Any:
        call = self._half("foreign_call")
        tensors = self._tensors.value
        pairs = {name: (tensors[name], v) for name, v in self._state_of_module.items()}
        return call(self.module, pairs, (inputs, *args), kwargs, training)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if self.output_shape is not None:
            return KerasTensor(self.output_shape, self.compute_dtype)
        return super().compute_output_spec(*args, **kwargs)

    def save_own_variables(self, store: Any) -> None:
        for name, variable in self._state_of_module.items():
            store[name] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        missing = self._state_of_module.keys() ^ set(store.keys())
        if missing:
            raise InvalidArgument(
                f"Layer {self.name!r}: the file and the module do not have the same state: "
                f"{sorted(missing)} is in only one of them."
            )
        for name, variable in self._state_of_module.items():
            variable.assign(np.asarray(store[name]))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "module": backends.load(self.engine).lookup("foreign_dump")(self.module),
            "output_shape": self.output_shape,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        if isinstance(config.get("module"), str):
            if serialization.in_safe_mode():
                raise UnsafeFile(
                    "The config of a TorchModuleWrapper holds a pickled torch module; reading it "
                    "would run code from the file, so it is refused. If you trust where it comes "
                    "from pass safe_mode=False; better, make the module in __init__ of a "
                    "registered subclass and leave it out of get_config()."
                )
            half = backends.active.lookup("foreign_load")
            if half is None:
                raise BackendError(
                    "A TorchModuleWrapper is loaded on the torch backend, the active one is "
                    f"{backends.active.name}. Mend: keras.config.set_backend('torch')."
                )
            config["module"] = half(config["module"])
        if config.get("output_shape") is not None:
            config["output_shape"] = tuple(config["output_shape"])
        return super().from_config(config)

    def _picklable(self) -> dict[str, Any]:
        # Which tensors are the module's is found again; their values are the variables'.
        return {**super()._picklable(), "_tensors": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        adapter = backends.load(self.engine)
        found = adapter.lookup("foreign_tensors")(self.module)
        self._tensors = _Held({name: x for name, x, _ in found or ()})


class _Held:
    """Tensors of an engine that a layer knows but that are not its state."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value


_ARGUMENTS = ("params", "state", "rng", "inputs", "training")


class JaxLayer(_Foreign):
    """A JAX function as a layer.

    Args:
        call_fn: takes, by these names, `inputs`, and as far as it needs them `params`, `state`
            (not trained), `rng` (a PRNG key) and `training`; returns the outputs, or with a
            `state` the pair of outputs and new state.
        init_fn: takes `rng`, `inputs` (zeros of the right shapes) and perhaps `training`; returns
            the first `params`, or with a `state` the pair of both.
        params, state: trees of arrays to begin with, instead of `init_fn`.
        seed: of the keys.
        native_serialization_platforms: kept for compatibility.

    Works on the JAX backend; on another one a `BackendError` is raised.

    >>> import kerasish as keras
    >>> def product(params, inputs):
    ...     return inputs @ params["kernel"]
    >>> params = {"kernel": keras.ops.ones((4, 2))}
    >>> layer = keras.layers.JaxLayer(product, params=params)  # doctest: +SKIP
    >>> layer(keras.ops.ones((3, 4))).shape  # doctest: +SKIP
    (3, 2)
    """

    engine = "jax"

    def __init__(
        self, call_fn: Any, init_fn: Any = None, params: Any = None, state: Any = None,
        seed: Any = None, native_serialization_platforms: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self._half("foreign_leaves")
        self.call_fn = call_fn
        self.init_fn = init_fn
        self.seed = seed
        self.native_serialization_platforms = native_serialization_platforms
        self._wants = _names_of(call_fn, "call_fn", _ARGUMENTS, ("inputs",))
        if init_fn is not None:
            self._init_wants = _names_of(
                init_fn, "init_fn", ("rng", "inputs", "training"), ("rng", "inputs")
            )
        elif {"params", "state"} & set(self._wants) and params is None and state is None:
            raise InvalidArgument(
                f"{type(self).__name__}: call_fn takes params or a state, so init_fn, params or "
                "state must be given."
            )
        self.seed_generator = random.SeedGenerator(seed)
        self._params: list[Variable] = []
        self._params_tree: Any = None
        self._model_state: list[Variable] = []
        self._state_tree: Any = None
        self._given = params is not None or state is not None
        if self._given or init_fn is None:
            self._take_in(params, state)
            self.built = True

    def _take_in(self, params: Any, state: Any) -> None:
        leaves, self._params_tree = self._half("foreign_leaves")(params)
        self._params = [self._variable(name, x, True) for name, x in leaves]
        leaves, self._state_tree = self._half("foreign_leaves")(state)
        self._model_state = [self._variable(name, x, False) for name, x in leaves]

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.built:
            self._input_dtypes = _Held(tree.map_structure(self._dtype_of, inputs))
        return super().__call__(inputs, *args, **kwargs)

    def _dtype_of(self, x: Any) -> str:
        kind = getattr(x, "dtype", None)
        name = str(getattr(kind, "name", kind)) if kind is not None else self.compute_dtype
        return self.compute_dtype if "float" in name else name

    def build(self, input_shape: Any) -> None:
        if self._given or self.init_fn is None:
            return
        with backends.concrete():
            sample = self._half("foreign_sample")(input_shape, self.compute_dtype)
            dtypes = self.__dict__.pop("_input_dtypes", None)
            if dtypes is not None:
                sample = tree.map_structure(backends.active.cast, sample, dtypes.value)
            arguments = {"rng": self._key(), "inputs": sample, "training": True}
            made = self.init_fn(**{k: arguments[k] for k in self._init_wants})
            self._take_in(*(made if "state" in self._wants else (made, None)))

    def _key(self) -> Any:
        return self._half("foreign_key")(self.seed_generator.next())

    def call(self, inputs: Any, training: bool = False) -> Any:
        put_back = self._half("foreign_tree")
        arguments: dict[str, Any] = {"inputs": inputs, "training": bool(training)}
        if "params" in self._wants:
            arguments["params"] = put_back(self._params_tree, [v.value for v in self._params])
        if "state" in self._wants:
            arguments["state"] = put_back(self._state_tree, [v.value for v in self._model_state])
        if "rng" in self._wants:
            arguments["rng"] = self._key()
        outputs = self.call_fn(**{k: arguments[k] for k in self._wants})
        if "state" in self._wants:
            outputs, state = outputs
            leaves, structure = self._half("foreign_leaves")(state)
            if structure != self._state_tree:
                raise ShapeError(
                    f"Layer {self.name!r}: call_fn returned a state of another structure than it "
                    f"got: {structure} instead of {self._state_tree}."
                )
            for variable, (_, value) in zip(self._model_state, leaves, strict=True):
                variable.assign(value)
        return outputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "call_fn": serialization.serialize_keras_object(self.call_fn),
            "init_fn": serialization.serialize_keras_object(self.init_fn),
            "seed": self.seed,
            "native_serialization_platforms": self.native_serialization_platforms,
            **self._given_config(),
        }

    def _given_config(self) -> dict[str, Any]:
        """The structure of given arrays; their values are weights."""
        if not self._given:
            return {}
        put_back = backends.load(self.engine).lookup("foreign_tree")
        return {
            name: put_back(structure, [{"shape": list(v.shape), "dtype": v.dtype} for v in held])
            for name, structure, held in (
                ("params", self._params_tree, self._params),
                ("state", self._state_tree, self._model_state),
            )
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        for name in ("call_fn", "init_fn"):
            if name in config:
                config[name] = serialization.deserialize_keras_object(
                    config[name], safe_mode=serialization.in_safe_mode()
                )
        for name in ("params", "state"):
            config[name] = _zeros(config.get(name))
        return super().from_config(config)

    def _picklable(self) -> dict[str, Any]:
        # Structures of JAX have no pickle; a tree of numbers that has it stands for each.
        kept = super()._picklable()
        if self._params_tree is None:
            return kept
        put_back = backends.load(self.engine).lookup("foreign_tree")
        return {
            **kept,
            "_params_tree": _Held(put_back(self._params_tree, [*range(len(self._params))])),
            "_state_tree": _Held(put_back(self._state_tree, [*range(len(self._model_state))])),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        leaves = backends.load(self.engine).lookup("foreign_leaves")
        for name in ("_params_tree", "_state_tree"):
            if isinstance(held := getattr(self, name), _Held):
                setattr(self, name, leaves(held.value)[1])


def _names_of(
    function: Any, what: str, allowed: tuple[str, ...], required: tuple[str, ...]
) -> tuple[str, ...]:
    """The names of a function's arguments, checked."""
    if not callable(function):
        raise InvalidArgument(f"{what} is a function, got {function!r}.")
    parameters = inspect.signature(function).parameters.values()
    names = tuple(
        p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and (p.name in allowed or p.default is p.empty)
    )
    if unknown := [n for n in names if n not in allowed]:
        raise InvalidArgument(
            f"{what} takes the arguments {unknown}, which the layer does not have; it has "
            f"{list(allowed)}, by these names."
        )
    if missing := [n for n in required if n not in names]:
        raise InvalidArgument(f"{what} must take the argument {missing[0]!r}; it takes {names}.")
    return names


def _zeros(structure: Any) -> Any:
    if isinstance(structure, dict):
        if structure.keys() == {"shape", "dtype"}:
            return np.zeros(structure["shape"], structure["dtype"])
        return {k: _zeros(v) for k, v in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(_zeros(v) for v in structure)
    return structure


class FlaxLayer(JaxLayer):
    """A Flax module (`flax.linen`) as a layer; other objects with its `init` and `apply` too.

    Args:
        module: the module. Its method takes `inputs` and perhaps `training`.
        method: another method than `__call__`, or a function `(module, inputs, ...)`.
        variables: what `module.init` returned, to begin with; `params` are trained, the other
            collections are state.

    Works on the JAX backend. Random numbers in the module (`make_rng`) come from the layer's seed.

    >>> import flax.linen as nn  # doctest: +SKIP
    >>> import kerasish as keras
    >>> layer = keras.layers.FlaxLayer(nn.Dense(2))  # doctest: +SKIP
    >>> layer(keras.ops.ones((3, 4))).shape  # doctest: +SKIP
    (3, 2)
    """

    def __init__(
        self, module: Any, method: Any = None, variables: Any = None, **kwargs: Any
    ):
        self._functions = _Held(self._half("FlaxFunctions")(module, method))
        functions = self._functions.value
        params = state = None
        if variables is not None:
            params, state = functions.split(variables)
        super().__init__(
            functions.call, functions.init, params=params, state=state, **kwargs
        )
        self.module = module
        self.method = method

    def get_config(self) -> dict[str, Any]:
        config = {
            **_Foreign.get_config(self),
            "module": _module_config(self.module),
            "method": serialization.serialize_keras_object(self.method),
            "seed": self.seed,
        }
        if given := self._given_config():
            config["variables"] = {"params": given["params"], **given["state"]}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        config["module"] = _module_from_config(config["module"])
        config["method"] = serialization.deserialize_keras_object(
            config.get("method"), safe_mode=serialization.in_safe_mode()
        )
        config["variables"] = _zeros(config.get("variables"))
        return Layer.from_config.__func__(cls, config)


def _module_config(module: Any) -> dict[str, Any]:
    """The config of a module: by its `get_config`, or as the fields of its data class."""
    if hasattr(module, "get_config"):
        return serialization.serialize_keras_object(module)
    if not dataclasses.is_dataclass(module):
        raise InvalidArgument(
            f"A {type(module).__name__} has no get_config() and is no data class, so the layer "
            "around it cannot be saved. Define get_config() and from_config() in it."
        )
    fields = {
        f.name: getattr(module, f.name) for f in dataclasses.fields(module)
        if f.init and f.name not in ("parent", "name")
    }
    cls = type(module)
    return {
        "module": cls.__module__, "class_name": cls.__name__,
        "config": {k: serialization.serialize_keras_object(v) for k, v in fields.items()},
        "registered_name": serialization.registration.get_registered_name(cls),
    }


def _module_from_config(config: Any) -> Any:
    if not isinstance(config, dict):
        return config
    found = serialization.retrieve(
        config.get("module"), config["class_name"], config.get("registered_name")
    )
    if hasattr(found, "from_config"):
        return serialization.deserialize_keras_object(
            config, safe_mode=serialization.in_safe_mode()
        )
    return found(**serialization.deserialize_keras_object(config["config"]))


class TFSMLayer(_Foreign):
    """An endpoint of a TensorFlow SavedModel as a layer.

    Args:
        filepath: the SavedModel's folder.
        call_endpoint: the function to call: an attribute of the model such as `"serve"`, or the
            name of a signature such as `"serving_default"`.
        call_training_endpoint: the function to call in training; by default the same.
        trainable: whether its variables are trained.
        name, dtype: of the layer.

    Works on the TensorFlow backend, where the SavedModel's own variables are the layer's.

    >>> import kerasish as keras
    >>> layer = keras.layers.TFSMLayer("exported")  # doctest: +SKIP
    >>> layer(keras.ops.ones((3, 4))).shape  # doctest: +SKIP
    TensorShape([3, 2])
    """

    engine = "tensorflow"

    def __init__(
        self, filepath: Any, call_endpoint: str = "serve",
        call_training_endpoint: str | None = None, trainable: bool = True,
        name: str | None = None, dtype: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self.filepath = str(filepath)
        self.call_endpoint = call_endpoint
        self.call_training_endpoint = call_training_endpoint
        self._model_variables: list[Variable] = []
        self._open()
        self.built = True

    def _open(self) -> None:
        model = self._half("foreign_saved_model")(self.filepath)
        call = model.endpoint(self.call_endpoint)
        training = self.call_training_endpoint
        self._endpoints = _Held((call, model.endpoint(training) if training else call, model))
        with backends.concrete():
            held = model.variables()
            if not self._model_variables:
                self._model_variables = [
                    self._variable(v.name.partition(":")[0], v, v.trainable) for v in held
                ]
            for variable, x in zip(self._model_variables, held, strict=True):
                self._half("foreign_bind")(x, variable)

    def call(self, inputs: Any, training: bool = False, **kwargs: Any) -> Any:
        self._half("foreign_bind")
        for variable in self._model_variables:
            variable.value  # noqa: B018 - trained elsewhere, it comes home into the model's own
        return self._endpoints.value[bool(training)](inputs, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filepath": self.filepath,
            "call_endpoint": self.call_endpoint,
            "call_training_endpoint": self.call_training_endpoint,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        if serialization.in_safe_mode():
            raise UnsafeFile(
                "A TFSMLayer loads a SavedModel, which can run any TensorFlow operation, from the "
                "path in its config; that is refused. If you trust both, pass safe_mode=False."
            )
        return super().from_config(config)

    def _picklable(self) -> dict[str, Any]:
        return {**super()._picklable(), "_endpoints": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        with backends.using(backends.load(self.engine)):
            self._open()
