"""torch modules as layers, and layers as torch modules; the parameters are shared, not copied."""

from __future__ import annotations

import base64
import contextlib
import copy
import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from kerasish import backends
from kerasish.backends.state import local
from kerasish.backends.torch.engine import _here, device, dtype_of
from kerasish.errors import InvalidArgument, NotBuilt


def foreign_module(module: Any) -> torch.nn.Module:
    """The module itself, on this backend's device."""
    if not isinstance(module, torch.nn.Module):
        raise InvalidArgument(
            f"TorchModuleWrapper takes a torch.nn.Module, got {type(module).__name__}."
        )
    return module if device().type == "meta" else module.to(device())  # there nothing has a value


def foreign_tensors(module: torch.nn.Module) -> list[tuple[str, torch.Tensor, bool]] | None:
    """(name, tensor, is trainable) of the module's state; `None` before a lazy one has seen data.

    Buffers that a state dict leaves out are constants, not state.
    """
    kept = module.state_dict().keys()
    found = [(name, x, x.requires_grad) for name, x in module.named_parameters()]
    if any(torch.nn.parameter.is_lazy(x) for _, x, _ in found):
        return None
    return found + [(name, x, False) for name, x in module.named_buffers() if name in kept]


def foreign_first_call(module: torch.nn.Module, shapes: list[tuple[Any, ...]]) -> None:
    """Runs a lazy module once on zeros, so that its parameters get their shapes."""
    before = module.training
    with torch.no_grad():
        module.eval()(*[
            torch.zeros([1 if n is None else n for n in shape], device=device())
            for shape in shapes
        ])
    module.train(before)


def foreign_bind(held: torch.Tensor, variable: Any) -> bool:
    """Whether the variable's value is now this very tensor of the module.

    A value that was trained on another backend comes home into it. Inside a gradient, which is
    taken of the value that it began with, a stateless scope or a mixed-precision layer the value
    must stay another tensor.
    """
    value = variable.value
    if value is held:
        # What a module writes into its buffers must not outlive a scope.
        return variable.trainable or local.here.frame is None
    if local.here.frame is not None or _here.depth or variable._home is not backends.active or (
        value is not variable._value
    ):
        return False
    if value.dtype != held.dtype or value.device != held.device:
        return False
    with torch.no_grad():
        held.copy_(value)
    variable._value = held
    return True


def foreign_call(
    module: torch.nn.Module, variables: Mapping[str, tuple[torch.Tensor, Any]], args: Any,
    kwargs: Any, training: bool | None,
) -> Any:  # fmt: skip
    """The module's outputs with its state read from, and written to, the variables."""
    # Buffers are written in place: those that cannot be the module's own are lent as copies.
    lent = {
        name: variable.value if variable.trainable else variable.value.clone()
        for name, (held, variable) in variables.items() if not foreign_bind(held, variable)
    }
    versions = {name: x._version for name, x in lent.items()}
    modes = [(part, part.training) for part in module.modules()]
    if training is not None:
        module.train(bool(training))
    try:
        if not lent:
            return module(*args, **kwargs)
        outputs = torch.func.functional_call(module, lent, args, kwargs)
    finally:
        for part, mode in modes:
            part.training = mode
    for name, x in lent.items():
        if not variables[name][1].trainable and x._version != versions[name]:
            variables[name][1].assign(x.detach())
    return outputs


def foreign_dump(module: torch.nn.Module) -> str:
    """The module as text: a pickle, which only trusted files may be read from."""
    buffer = io.BytesIO()
    torch.save(module, buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def foreign_load(text: str) -> torch.nn.Module:
    data = io.BytesIO(base64.b64decode(text))
    return torch.load(data, weights_only=False, map_location=device())


def module_like(layer_type: type) -> bool:
    """Makes layers torch modules too, as Keras has it; whether they became some just now."""
    if issubclass(layer_type, torch.nn.Module):
        return False
    layer_type.__bases__ = (*layer_type.__bases__, _ModuleFace)
    return True


class _ModuleFace(torch.nn.Module):
    """What layers are as torch modules: a part of networks, moved, listed and saved with them.

    Comes last among a layer's bases: only what layers do not define is taken from torch. What a
    module keeps in attributes is looked up in the layer's variables when it is asked for.
    """

    training = True
    _non_persistent_buffers_set = frozenset()  # type: ignore[assignment]
    _is_full_backward_hook = None
    _forward_hooks = _forward_pre_hooks = _backward_hooks = _backward_pre_hooks = {}  # type: ignore
    _forward_hooks_with_kwargs = _forward_hooks_always_called = {}  # type: ignore[assignment]
    _forward_pre_hooks_with_kwargs = _state_dict_hooks = _state_dict_pre_hooks = {}  # type: ignore
    _load_state_dict_pre_hooks = _load_state_dict_post_hooks = {}  # type: ignore[assignment]

    __setattr__ = object.__setattr__  # type: ignore[assignment]
    __delattr__ = object.__delattr__  # type: ignore[assignment]
    __dir__ = object.__dir__  # type: ignore[assignment]

    def _of_module(self, name: str) -> Any:
        return getattr(LayerModule(self), name) if self.built else {}

    @property
    def _parameters(self) -> dict[str, Any]:  # type: ignore[override]
        held = {
            f"{layer.path}/{name}": x for layer in self._flatten_layers()
            for name, x in vars(layer).items() if isinstance(x, torch.nn.Parameter)
        }
        return {**held, **self._of_module("_parameters")}

    _buffers = property(lambda self: self._of_module("_buffers"))  # type: ignore[assignment]
    _modules = property(lambda self: self._of_module("_modules"))  # type: ignore[assignment]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self(*args, **kwargs)

    def register_parameter(self, name: str, param: Any) -> None:
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        setattr(self, name, tensor)

    def add_module(self, name: str, module: Any) -> None:
        setattr(self, name, module)

    register_module = add_module

    def register_forward_hook(self, hook: Any, **_: Any) -> Any:  # type: ignore[override]
        hooks = vars(self).get("_call_hooks")
        if hooks is None:
            plain, self._call_hooks = self.call, OrderedDict()
            hooks = self._call_hooks

            def call(*args: Any, **kwargs: Any) -> Any:
                outputs = plain(*args, **kwargs)
                for hook in list(hooks.values()):
                    changed = hook(self, args, outputs)
                    outputs = outputs if changed is None else changed
                return outputs

            self.call = call
        handle = torch.utils.hooks.RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle

    def train(self, mode: bool = True) -> Any:
        for layer in self._flatten_layers():  # type: ignore[operator]
            layer.training = mode
            if isinstance(module := vars(layer).get("module"), torch.nn.Module):
                module.train(mode)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        for variable in self.weights:
            value = variable.value
            if value.grad is not None:
                value.grad = None if set_to_none else torch.zeros_like(value)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        if self.built:
            LayerModule(self)._apply(fn, recurse)
        return self


class LayerModule(torch.nn.Module):
    """A built kerasish layer or model as a torch module.

    Its parameters and buffers are the layer's variables: the same memory, trained by whichever of
    the two is trained, and still so after the layer has been to another backend and back.
    """

    def __init__(self, layer: Any):
        super().__init__()
        if not layer.built:
            raise NotBuilt(
                f"Layer {layer.name!r} has no weights yet, so it has no parameters to give to "
                "torch. Call it on data or build(shape) first."
            )
        self.__dict__["layer"] = layer
        self.__dict__["_shared"] = shared = []
        weights = {id(v) for v in layer.weights}
        for variable in layer.variables:
            # The state of random generators is counted where it is; it is no weight.
            if id(variable) not in weights:
                continue
            with backends.using(backends.load("torch")):
                value = variable.value
            path = variable.path.removeprefix(f"{layer.path}/").split("/")
            part = self
            for name in path[:-1]:
                part = part._modules.setdefault(name, torch.nn.Module())
            names = part._parameters if variable._born_trainable else part._buffers
            name = path[-1]
            while name in part._parameters or name in part._buffers:
                name += "_"
            if variable._born_trainable and not isinstance(value, torch.nn.Parameter):
                # The very same tensor: what was computed with it gives it its gradient.
                value.__class__ = torch.nn.Parameter
            variable._value = names[name] = value
            shared.append((variable, names, name))

    @contextlib.contextmanager
    def _at_home(self) -> Iterator[None]:
        """The torch backend for a block, with all values in the parameters."""
        with backends.using(backends.load("torch")):
            for variable, names, name in self._shared:
                foreign_bind(names[name], variable)
            yield

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        with self._at_home():
            return self.layer(*args, training=self.training, **kwargs)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        with self._at_home():
            return super().state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        with self._at_home():
            return super().load_state_dict(*args, **kwargs)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        # .to(...), .double(), .cuda(): the variables follow.
        with self._at_home():
            super()._apply(fn, recurse)
            for variable, names, name in self._shared:
                variable._value = names[name]
                variable.dtype = dtype_of(names[name])
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> LayerModule:
        twin = memo[id(self)] = LayerModule(copy.deepcopy(self.layer, memo))
        return twin.train(self.training)

    def __reduce__(self) -> Any:
        return LayerModule, (self.layer,)
