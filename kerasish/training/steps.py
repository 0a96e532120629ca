"""Steps of training, testing and prediction: one of each for every backend."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kerasish import backends, config, ops, tree
from kerasish.core import scope, symbolic
from kerasish.core.operation import overridable
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument, KerasishError, StateError
from kerasish.layers import masking
from kerasish.layers.base import _Call
from kerasish.layers.masking import get_mask, set_mask
from kerasish.training import data as data_module


def _compiled(kind: str) -> property:
    """The compiled step of a kind, as Keras names it."""

    def get(model: Any) -> Callable[[Any], Any] | None:
        found = [
            step for key, step in model._compiled_steps.items()
            if key[:2] == (backends.active.name, kind)
        ]
        return found[-1] if found else None

    def forget(model: Any, value: None) -> None:
        if value is not None:
            raise InvalidArgument(
                f"{kind}_function can only be set to None, which compiles the step anew. For a "
                f"step of your own define {kind}_step(self, data)."
            )
        model._forget_compiled()

    return property(get, forget, doc=f"The compiled {kind}_step; `None` before the first.")


class Steps:
    """What a step of training is, and the compiled steps."""

    def __init__(self) -> None:
        self.__dict__.update(
            optimizer=None, loss=None, compiled=False, stop_training=False,
            stop_evaluating=False, stop_predicting=False,
            run_eagerly=False, steps_per_execution=1, jit_compile="auto",
            auto_scale_loss=True, _compile_config=None, _compiled_steps={}, _objective=None,
            _measures=None, _weighted_given=None, _loss_tracker=None, _fit_count=0, history=None,
        )  # fmt: skip

    # What to optimise ---------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets what `fit` minimises and measures.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss (name, function, object), or one for each output in a list or dict.
            loss_weights: a factor for each output's loss.
            metrics: what to measure, without sample weights.
            weighted_metrics: what to measure with sample weights.
            run_eagerly: never compile steps: prints and breakpoints work in them.
            steps_per_execution: batches for each dispatch to a compiling engine.
            jit_compile: `True` compiles with XLA on TensorFlow, and `False` not even on JAX, where
                all is slow then; "auto" does what is usual: XLA on JAX, graphs on TensorFlow.
            auto_scale_loss: scale the loss for float16 training.

        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
        >>> model.compiled, type(model.optimizer).__name__
        (True, 'Adam')
        """
        from kerasish import losses as losses_module
        from kerasish import metrics as metrics_module
        from kerasish import optimizers
        from kerasish.training.objectives import CompileMetrics, Objective

        optimizer = optimizers.get(optimizer)
        steps_per_execution = int(steps_per_execution)
        if isinstance(loss, str):
            losses_module.get(loss)
        if run_eagerly and jit_compile is True:
            warnings.warn(
                "Steps that run eagerly are not compiled: jit_compile=True has no effect beside "
                "run_eagerly=True.",
                stacklevel=2,
            )
            jit_compile = False
        if auto_scale_loss and optimizer is not None and self.compute_dtype == "float16" and not (
            isinstance(optimizer, optimizers.LossScaleOptimizer)
        ):
            optimizer = optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        names = getattr(self, "_output_names", None)
        objective = Objective(loss, loss_weights, names) if loss is not None else None
        measures = (
            CompileMetrics(metrics, weighted_metrics, names, objective)
            if metrics or weighted_metrics else None
        )
        # Nothing is refused from here on: a call that fails leaves the model as it was.
        self.optimizer: Any = optimizer
        self.loss = loss
        self._objective, self._measures = objective, measures
        self.auto_scale_loss = auto_scale_loss
        self.run_eagerly = bool(run_eagerly)
        self.steps_per_execution = steps_per_execution
        self.jit_compile = jit_compile
        self._loss_tracker = metrics_module.Mean(name="loss")
        self._forget_compiled()
        self.stop_training = False
        self.compiled = True
        self._compile_config = {
            "optimizer": optimizer, "loss": loss, "loss_weights": loss_weights,
            "metrics": metrics, "weighted_metrics": weighted_metrics, "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution, "jit_compile": jit_compile,
        }  # fmt: skip

    def _forget_compiled(self) -> None:
        self._compiled_steps = {}

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile`, serialised; `None` where it was not called."""
        if not self.compiled or self._compile_config is None:
            return None
        from kerasish.saving.serialization import serialize_keras_object

        return {k: serialize_keras_object(v) for k, v in self._compile_config.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the arguments of `get_compile_config`."""
        from kerasish.saving.serialization import deserialize_keras_object

        if type(self).compile is not Steps.compile and (
            type(self).get_compile_config is Steps.get_compile_config
        ):
            warnings.warn(
                f"{type(self).__name__} overrides compile() but not compile_from_config(); call "
                "compile() after loading.",
                stacklevel=2,
            )
            return
        self.compile(**deserialize_keras_object(config))
        if self.optimizer is not None and self.built and self.trainable_variables:
            self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[Any]:
        """The loss tracker, the metrics of `compile` as one, and those of outputs and layers."""
        kept = self.__dict__.get("_metrics_kept")
        if kept is not None:
            return list(kept[0])
        found = self._metrics_of_compile()
        known = {id(x) for x in found}
        for layer, (_, _, holders) in self._walk_layers():
            if layer is not self and isinstance(layer, Steps):
                known.update(map(id, layer._metrics_of_compile()))  # those of its own training
            for x in holders:
                if hasattr(x, "update_state") and id(x) not in known:
                    known.add(id(x))
                    found.append(x)
        return found

    def _metrics_of_compile(self) -> list[Any]:
        """The loss tracker, the metrics of `compile` as one, and the losses of outputs."""
        made = [self._loss_tracker, self._measures]
        if self._objective is not None:
            made += self._objective.trackers
        return [x for x in made if x is not None]

    def _each_metric(self) -> list[Any]:
        """`metrics`, with each of those given to `compile`."""
        return [
            x for metric in self.metrics
            for x in (metric.metrics if metric is self._measures else [metric])
        ]

    @property
    def metrics_names(self) -> list[str]:
        """The names of the model's metrics, the loss first."""
        return [m.name for m in self.metrics]

    @property
    def metrics_variables(self) -> list[Any]:
        """The variables of the model's metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def compiled_metrics(self) -> Any:
        """What measures the metrics given to `compile`; `None` before."""
        return self._measures

    def reset_metrics(self) -> None:
        """Sets all metrics back."""
        for metric in self.metrics:
            metric.reset_state()

    def _check_compiled(self, what: str) -> None:
        if not self.compiled:
            raise StateError(
                f"Model {self.name!r} must be compiled before {what}(): call "
                "model.compile(optimizer, loss) first."
            )

    # One step -----------------------------------------------------------------------------------

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        """The scalar to minimise: the compiled loss plus what the layers add.

        Args:
            x, y, sample_weight: the batch.
            y_pred: the model's outputs for `x`.
            training: whether this is an update.
        """
        losses = []
        if self._objective is not None:
            loss = self._objective(y, y_pred, sample_weight)
            if loss is not None:
                losses.append(loss)
        losses.extend(self._extra_losses())
        if not losses:
            raise InvalidArgument(
                f"Model {self.name!r} has no loss: give compile(loss=...), call add_loss in a "
                "layer, or define compute_loss."
            )
        total = losses[0]
        for loss in losses[1:]:
            total = total + loss
        return total

    def _extra_losses(self) -> list[Any]:
        """`self.losses`, without walking the layers where none has any."""
        found = self._sources_of_losses()
        if not found:
            return []
        losses = self.losses
        self._clear_losses()  # they belong to this step, and to its trace
        return [ops.sum(x) if getattr(x, "shape", ()) else x for x in losses]

    def _sources_of_losses(self) -> bool:
        cached = self.__dict__.get("_trainable_cache")
        if cached is None:
            return _Call.losses_used or _regularized(self.trainable_variables)
        return _Call.losses_used or cached.items[1]

    def _cached_trainable(self) -> list[Any]:
        cached = self.__dict__.get("_trainable_cache")
        return self.trainable_variables if cached is None else cached.items[0]

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Updates the metrics with a batch and returns all results, a dict by name.

        Args:
            x, y, sample_weight: the batch.
            y_pred: the model's outputs for `x`.
        """
        self._update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        if self._measures is not None:
            self._measures.update_state(y, y_pred, sample_weight)

    def get_metrics_result(self) -> dict[str, Any]:
        """The results of all metrics by name."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            if metric is self._measures and not metric.built:
                continue
            value = metric.result()
            if isinstance(value, dict):
                found.update(value)
            else:
                found[metric.name] = value
        return found

    @overridable
    def train_step(self, data: Any) -> dict[str, Any]:
        """One update from one batch; override it for another way to train.

        Args:
            data: the batch, `(x, y[, sample_weight])`.

        Returns:
            What is logged, a dict by name.
        """
        x, y, sample_weight, y_pred = self._train_update(data)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def _train_update(self, data: Any) -> tuple[Any, Any, Any, Any]:
        x, y, sample_weight = data_module.unpack(data)
        optimizer = self.optimizer
        scale = getattr(optimizer, "scale_loss", None)

        def objective() -> Any:
            y_pred = self._call_for_step(x, True)
            loss = self._loss_of(x, y, y_pred, sample_weight, True)
            masks = {
                str(i): mask for i, y_i in enumerate(tree.flatten(y_pred))
                if (mask := get_mask(y_i)) is not None
            } if masking.in_use else None
            return (loss if scale is None else scale(loss)), (loss, y_pred, masks)

        variables = self._cached_trainable()
        (_, (loss, y_pred, masks)), grads = backends.active.value_and_grad(objective, variables)
        if masks:
            outputs = tree.flatten(y_pred)
            for i, mask in masks.items():
                set_mask(outputs[int(i)], mask)
        self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        if variables:
            optimizer.apply(grads, variables)
        return x, y, sample_weight, y_pred

    def _call_for_step(self: Any, x: Any, training: bool) -> Any:
        if self._takes_training:
            return self(x, training=training)
        return self(x)

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        if type(self).compute_loss is Steps.compute_loss:
            return self.compute_loss(x, y, y_pred, sample_weight, training)
        arguments = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight,
                     "training": training}
        parameters = inspect.signature(self.compute_loss).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return self.compute_loss(**arguments)
        return self.compute_loss(**{k: v for k, v in arguments.items() if k in parameters})

    @overridable
    def test_step(self, data: Any) -> dict[str, Any]:
        """Measures one batch; override it for another way to evaluate.

        Args:
            data: the batch, `(x, y[, sample_weight])`.

        Returns:
            What is logged, a dict by name.
        """
        x, y, sample_weight, y_pred = self._test_update(data)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def _test_update(self, data: Any) -> tuple[Any, Any, Any, Any]:
        x, y, sample_weight = data_module.unpack(data)
        y_pred = self._call_for_step(x, False)
        if self._objective is not None or type(self).compute_loss is not Steps.compute_loss or (
            self._sources_of_losses()
        ):
            loss = self._loss_of(x, y, y_pred, sample_weight, False)
            self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        return x, y, sample_weight, y_pred

    @overridable
    def predict_step(self, data: Any) -> Any:
        """The outputs for one batch; override it for another way to predict.

        Args:
            data: the batch, `(x,)` or with targets, which are not used.
        """
        x, _, _ = data_module.unpack(data)
        return self._call_for_step(x, False)

    # Compiled steps -----------------------------------------------------------------------------

    def _state_of_step(self, kind: str) -> list[Any]:
        """Every variable that a step of this kind reads or writes."""
        found = list(self.variables)
        if kind != "predict":
            found += self.metrics_variables
        if kind == "train" and self.optimizer is not None:
            for holder in _optimizers_of(self):
                found += holder.variables
        found += _global_seed_variables()
        return list({id(v): v for v in found}.values())

    def _step(self, kind: str) -> Callable[[Any], Any]:
        """The compiled step, made once for each backend and way of training."""
        self._forget_changed()
        name = backends.active.name
        key = (
            name, kind, self.run_eagerly, self.jit_compile, self.compute_dtype,
            id(self.optimizer) if kind == "train" else None,
            tuple(v.trainable for v in self.weights) if kind == "train" else None,
            len(self._each_metric()) if kind != "predict" else None,
            getattr(self.optimizer, "_schedules", None),
        )  # fmt: skip
        step = self._compiled_steps.get(key)
        if step is None:
            function = getattr(self, f"_{kind}_function")()
            if not self.run_eagerly:
                supported = all(layer.supports_jit for layer in self._flatten_layers())
                wanted = None if self.jit_compile == "auto" else self.jit_compile
                function = backends.active.compile(
                    function, lambda: self._state_of_step(kind), donate=kind == "train",
                    jit_compile=wanted if supported else False,
                )
            step = self._compiled_steps[key] = function
        return step

    def _forget_changed(self) -> None:
        """Forgets steps that were compiled before a layer of the model became another."""
        if self.__dict__.get("_generation") == _Call.generation:
            return
        changes = sum(layer._changes for layer in self._flatten_layers())
        if changes != self.__dict__.get("_changes_seen", changes):
            self._forget_compiled()
        self.__dict__.update(_generation=_Call.generation, _changes_seen=changes)

    def _train_function(self) -> Callable[[Any], Any]:
        return self._updating("train_step", self._train_update)

    def _test_function(self) -> Callable[[Any], Any]:
        return self._updating("test_step", self._test_update)

    def _updating(self, name: str, update: Callable[..., Any]) -> Callable[[Any], Any]:
        """A step that leaves its results in the metrics, unless the user's own returns logs."""
        own = getattr(self, name)
        if getattr(type(self), name) is not getattr(Steps, name):
            return _custom_step(self, own)
        if type(self).compute_metrics is not Steps.compute_metrics:
            return lambda data: own(_tensors(data))

        def step(data: Any) -> None:
            _, y, sample_weight, y_pred = update(_tensors(data))
            self._update_metrics(y, y_pred, sample_weight)

        return step

    def _predict_function(self) -> Callable[[Any], Any]:
        return _custom_step(self, self.predict_step)

    # Kept for programs that ask for them by Keras' names.
    def make_train_function(self, force: bool = False) -> Any:
        """The function that makes one update from a batch; with `force` a new one."""
        if force:
            self._forget_compiled()
        return self._step("train")

    def make_test_function(self, force: bool = False) -> Any:
        """The function that measures a batch; with `force` a new one."""
        if force:
            self._forget_compiled()
        return self._step("test")

    def make_predict_function(self, force: bool = False) -> Any:
        """The function that gives the outputs for a batch; with `force` a new one."""
        if force:
            self._forget_compiled()
        return self._step("predict")

    train_function = _compiled("train")
    test_function = _compiled("test")
    predict_function = _compiled("predict")

    def _ready(self, batch: Any, kind: str) -> tuple[Callable[[Any], Any], list[Any]]:
        """The compiled step and the metrics, of a model built for a first batch."""
        walk = self._build_all(batch, kind)
        self._walk_kept = Kept(tuple(walk))
        try:
            if kind == "train":
                variables = self.trainable_variables
                if self.optimizer is not None and not self.optimizer.built:
                    with backends.concrete():
                        self.optimizer.build(variables)
                self._trainable_cache = Kept((variables, _regularized(variables)))
            return self._step(kind), self.metrics if kind != "predict" else []
        finally:
            self._walk_kept = None

    def _walk_layers(self) -> Iterator[Any]:
        kept = self.__dict__.get("_walk_kept")  # while `_ready` asks for this and that of it
        return super()._walk_layers() if kept is None else iter(kept.items)

    def _build_all(self, batch: Any, kind: str) -> list[Any]:
        """Builds layers and metrics on shapes only; gives what `_walk_layers` finds then."""
        x, y, _ = data_module.unpack(batch)
        self._check_kinds(x)
        walk = list(self._walk_layers())
        with backends.concrete():
            if unbuilt := not self.built or any(not layer.built for layer, _ in walk):
                self._build_for_batch(x)
            if kind != "predict" and self._loss_tracker is None:
                from kerasish import metrics

                self._loss_tracker = metrics.Mean(name="loss")
            needs_shapes = kind != "predict" and y is not None and (
                (self._measures is not None and not self._measures.built)
                or (self._objective is not None and not self._objective.functions)
            )
            if needs_shapes:
                specs = tree.map_structure(_spec, (x, y))
                try:
                    y_pred = symbolic.infer(
                        lambda inputs: self._call_for_step(inputs, False), (specs[0],), {}
                    )
                except KerasishError:
                    if type(self).train_step is Steps.train_step:
                        raise
                else:
                    if self._objective is not None and not self._objective.functions:
                        self._objective.build(specs[1], y_pred)
                    if self._measures is not None and not self._measures.built:
                        self._measures.build(specs[1], y_pred)
        return list(self._walk_layers()) if unbuilt or needs_shapes else walk

    @contextlib.contextmanager
    def _keeping(self, metrics: list[Any]) -> Iterator[None]:
        """While it lasts these are `metrics`, without a search in all layers."""
        before = self.__dict__.get("_metrics_kept")
        self._metrics_kept = Kept((metrics,))
        try:
            yield
        finally:
            self._metrics_kept = before

    def _build_for_batch(self, x: Any) -> None:
        specs = tree.map_structure(_spec, x)
        try:
            self._call_for_step(specs, False) if self._graph is None and not (
                type(self).__name__ == "Sequential"
            ) else self._build_sequential(specs)
        except KerasishError:
            if type(self).train_step is Steps.train_step or self.built:
                raise
        except TypeError:
            if type(self).call is not None and type(self).train_step is Steps.train_step:
                raise

    def _build_sequential(self, specs: Any) -> None:
        if not self.built:
            leaves = tree.flatten(specs)
            if len(leaves) != 1:
                raise InvalidArgument(
                    f"Sequential {self.name!r} has one input, the data has {len(leaves)}."
                )
            self.build((None, *leaves[0].shape[1:]))

    # Functional use, as in Keras' stateless API --------------------------------------------------

    def stateless_compute_loss(
        self, trainable_variables: Any, non_trainable_variables: Any, metrics_variables: Any,
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        """`compute_loss` as a pure function of the variables' values."""
        other, measured = self.non_trainable_variables, self.metrics_variables
        mapping = [
            *zip(self.trainable_variables, trainable_variables, strict=True),
            *zip(other, non_trainable_variables, strict=True),
            *zip(measured, metrics_variables, strict=True),
        ]
        with scope.StatelessScope(mapping) as stateless:
            loss = self.compute_loss(x, y, y_pred, sample_weight, training)
        return loss, (
            trainable_variables,
            [stateless.get_current_value(v) for v in other],
            [stateless.get_current_value(v) for v in measured],
        )


def _regularized(variables: list[Any]) -> bool:
    return any(v.regularizer is not None for v in variables)


class Kept:
    """A cache that attribute tracking does not look into."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[Any, ...]):
        self.items = items

    def __getitem__(self, i: int) -> Any:
        return self.items[i]


def _tensors(data: Any) -> Any:
    """Host arrays of a batch as tensors of the active engine."""
    active = backends.active
    native, convert = active.native, active.convert
    if type(data) is tuple:
        return tuple([
            a if a is None or type(a) in native and type(a) is not np.ndarray
            else convert(a) if type(a) is np.ndarray and a.dtype.kind not in "OUS"
            else _nested(a, convert)
            for a in data
        ])
    return _nested(data, convert)


def _nested(structure: Any, convert: Any) -> Any:
    def one(a: Any) -> Any:
        if a is None or isinstance(a, np.ndarray) and a.dtype.kind in "OUS":
            return a
        return convert(a) if hasattr(a, "shape") else a

    return tree.map_structure(one, structure)


def _custom_step(model: Any, step: Callable[..., Any]) -> Callable[[Any], Any]:
    """A user's step; JAX-style steps `(state, data) -> (logs, state)` are given their state."""
    given = list(inspect.signature(step).parameters.values())
    named = [p.name for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    # One that hands on its *args is of the kind of its engine.
    passes = not named and any(p.kind is p.VAR_POSITIONAL for p in given)
    takes_state = backends.active.lookup("STEPS_TAKE_STATE") if passes else (
        named[:1] == ["state"] and len(named) > 1
    )
    if not takes_state:
        return lambda data: step(data_module.plain(_tensors(data)))

    def stateful(data: Any) -> Any:
        kind = step.__name__
        groups = [model.trainable_variables, model.non_trainable_variables]
        if kind == "train_step":
            groups.append(model.optimizer.variables)
        if kind != "predict_step":
            groups.append(model.metrics_variables)
        logs, state = step(
            [[v.value for v in group] for group in groups], data_module.plain(_tensors(data))
        )
        if kind == "predict_step" and not (state and isinstance(state[0], list | tuple)):
            groups = groups[1:]  # it gives back what it may have changed alone
            state = [state]
        for group, values in zip(groups, state, strict=True):
            for v, value in zip(group, values, strict=True):
                v.assign(value)
        return logs

    return stateful


def _spec(x: Any) -> Any:
    """A batch's array as a symbolic tensor with an unknown batch size."""
    if x is None or not hasattr(x, "shape"):
        return x
    from kerasish import dtypes

    dtype = dtypes.standardize(x.dtype)
    if dtype == "float64":
        dtype = config.floatx()
    sparse = backends.active.is_sparse(x)
    return KerasTensor((None, *[int(d) for d in x.shape[1:]]), dtype, sparse=sparse)


def _batch_size(x: Any) -> Any:
    return data_module.len_of(x if type(x) in backends.active.native else tree.flatten(x)[0])


def _optimizers_of(model: Any) -> Iterator[Any]:
    """The compiled optimizer and those in a model's attributes (GANs have two)."""
    from kerasish.optimizers import Optimizer

    seen = set()
    for value in model.__dict__.values():
        candidates = value if isinstance(value, list | tuple) else (
            list(value.values()) if isinstance(value, dict) else [value]
        )
        for x in candidates:
            if isinstance(x, Optimizer) and id(x) not in seen:
                seen.add(id(x))
                yield x


def _global_seed_variables() -> list[Any]:
    from kerasish.random.seed import global_seed_generator

    return list(global_seed_generator().variables)
