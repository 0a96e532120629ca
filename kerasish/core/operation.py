"""`Operation`: a named callable that can be part of a functional model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kerasish.core import symbolic
from kerasish.core.op import _any_symbolic
from kerasish.core.scope import auto_name
from kerasish.errors import InvalidArgument, NotDefined

if TYPE_CHECKING:
    from typing_extensions import Self


def snake_case(name: str) -> str:
    """`MaxPooling2D` -> `max_pooling2d`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def overridable(method: Callable[..., Any]) -> Callable[..., Any]:
    """Tells type checkers that subclasses may define the method with parameters of their own."""
    return method


class Operation:
    """A computation with a name and a config: define `call`, and use it on tensors of any kind.

    >>> import kerasish as keras
    >>> class Double(keras.Operation):
    ...     def call(self, x):
    ...         return x * 2
    >>> Double()(keras.KerasTensor((None, 3))).shape
    (None, 3)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        # What __init__ got, so that simple classes need no get_config of their own.
        object.__setattr__(self, "_init_args", (args, kwargs))
        object.__setattr__(self, "_inbound_nodes", [])
        return self

    def __init__(self, name: str | None = None):
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise InvalidArgument(
                f"The name of a {type(self).__name__} is a string without '/', got {name!r}."
            )
        self.name = name or auto_name(snake_case(type(self).__name__))

    def __getstate__(self) -> dict[str, Any]:
        # A copy has not been called; a graph that is copied with it calls it again.
        return {k: v for k, v in self.__dict__.items() if k != "_inbound_nodes"}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _any_symbolic((args, kwargs)):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic outputs, of a new node of the graph, for symbolic inputs."""
        outputs = self.compute_output_spec(*args, **kwargs)
        symbolic.Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic outputs for symbolic inputs: `call`, run on shapes."""
        return symbolic.infer(self.call, args, kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What it computes; a subclass defines it."""
        raise NotDefined(
            f"{type(self).__name__} defines no call() method. Define what it computes."
        )

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal object; here the arguments of `__init__`."""
        return self._with_arguments({"name": self.name})

    def _with_arguments(self, config: dict[str, Any]) -> dict[str, Any]:
        """A config with the arguments that `__init__` got, and the defaults of the others."""
        from kerasish.saving.serialization import serialize_keras_object

        args, kwargs = self._init_args
        signature = inspect.signature(type(self).__init__)
        try:
            given = signature.bind(self, *args, **kwargs).arguments
        except TypeError:
            return config
        own: dict[str, Any] = {}
        for name, parameter in list(signature.parameters.items())[1:]:
            if parameter.kind is parameter.VAR_KEYWORD:
                own.update(given.get(name, {}))
            elif parameter.kind is parameter.VAR_POSITIONAL:
                # Those of a layer of ours, which a subclass hands on, are in the config already.
                if name in given and not self._is_of_a_kind_of_ours():
                    raise NotDefined(
                        f"{type(self).__name__} was made with *{name}, which have no names to "
                        "stand in a config. Define get_config() and from_config()."
                    )
            elif name in given or name not in config:
                own[name] = given.get(name, parameter.default)
        return {**config, **{name: serialize_keras_object(value) for name, value in own.items()}}

    def _is_of_a_kind_of_ours(self) -> bool:
        """Whether a class beyond the bare `Operation` and `Layer` stands above the user's own."""
        bare = ("kerasish.core.operation", "kerasish.layers.base", "kerasish.backends.")
        above = [cls.__module__ for cls in type(self).__mro__]
        return any(m.startswith("kerasish.") and not m.startswith(bare) for m in above)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An object with this config."""
        return cls(**config)

    @property
    def input(self) -> Any:
        """The symbolic input of the first call, or a list of several."""
        tensors = self._first_node("input").input_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def output(self) -> Any:
        """The symbolic output of the first call, or a list of several."""
        tensors = self._first_node("output").output_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    def _first_node(self, what: str) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(
                f"{self.name} was not called on symbolic tensors yet, so its {what} is not "
                "defined. Call it on a keras.Input."
            )
        return self._inbound_nodes[0]


class OpCall(Operation):
    """One use of an op in a functional model; it has a name there, as a layer has."""

    def __init__(self, function: Any, name: str | None = None):
        super().__init__(name=name or auto_name(function.op_name))
        self.function = function

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {"function": self.function, "name": self.name}
