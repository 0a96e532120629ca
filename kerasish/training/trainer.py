"""The trainer: one `train_step`, one loop, for every backend."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kerasish import backends, config, tree
from kerasish.core import scope, symbolic
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument, KerasishError, StateError
from kerasish.layers.base import _Call
from kerasish.training import data as data_module
from kerasish.training.objectives import Measures, Objective, check_labels, len_of


class Trainer:
    """What `Model` adds to `Layer`: `compile`, `fit`, `evaluate`, `predict`."""

    def __init__(self) -> None:
        self.__dict__.update(
            optimizer=None, loss=None, compiled=False, stop_training=False,
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
            jit_compile: `True` compiles with XLA on TensorFlow; JAX always does.
            auto_scale_loss: scale the loss for float16 training.
        """
        from kerasish import losses as losses_module
        from kerasish import metrics as metrics_module
        from kerasish import optimizers

        optimizer = optimizers.get(optimizer)
        if isinstance(loss, str):
            losses_module.get(loss)
        if auto_scale_loss and optimizer is not None and self.compute_dtype == "float16" and not (
            isinstance(optimizer, optimizers.LossScaleOptimizer)
        ):
            optimizer = optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        self.optimizer = optimizer
        self.loss = loss
        self.auto_scale_loss = auto_scale_loss
        self.run_eagerly = bool(run_eagerly)
        self.steps_per_execution = int(steps_per_execution)
        self.jit_compile = jit_compile
        names = getattr(self, "_output_names", None)
        self._objective = Objective(loss, loss_weights, names) if loss is not None else None
        self._measures = (
            Measures(metrics, weighted_metrics, names) if metrics or weighted_metrics else None
        )
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

        if type(self).compile is not Trainer.compile and (
            type(self).get_compile_config is Trainer.get_compile_config
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
        """The loss tracker, the metrics of `compile` and those of the layers."""
        found = []
        if self._loss_tracker is not None:
            found.append(self._loss_tracker)
        if self._measures is not None and self._measures.built:
            found.extend(self._measures.metrics)
        if self._objective is not None:
            found.extend(self._objective.trackers)
        for x in self._holders():
            if hasattr(x, "update_state") and not any(x is y for y in found):
                found.append(x)
        return found

    @property
    def metrics_names(self) -> list[str]:
        return [m.name for m in self.metrics]

    @property
    def metrics_variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def compiled_metrics(self) -> Any:
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
        """The scalar to minimise: the compiled loss plus what the layers add."""
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
        return losses

    def _sources_of_losses(self) -> bool:
        cached = self.__dict__.get("_trainable_cache")
        regularized = cached[1] if cached is not None else _regularized(self.trainable_variables)
        return _Call.losses_used or regularized

    def _cached_trainable(self) -> list[Any]:
        cached = self.__dict__.get("_trainable_cache")
        return self.trainable_variables if cached is None else cached[0]

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Updates the metrics with a batch and returns all results."""
        self._update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        measures = self._measures
        if measures is None:
            return
        if not measures.built:
            measures.build(y, y_pred)
        if self._objective is not None and self._objective.functions is not None:
            targets = self._objective.targets(y, y_pred)
        else:
            targets = tree.flatten(y)
        measures.update(targets, tree.flatten(y_pred), sample_weight)

    def get_metrics_result(self) -> dict[str, Any]:
        """The results of all metrics by name."""
        found: dict[str, Any] = {}
        measured = self._measures.metrics if self._measures and self._measures.built else []
        for metric in self.metrics:
            if any(metric is m for m in measured):
                continue
            value = metric.result()
            if isinstance(value, dict):
                found.update(value)
            else:
                found[metric.name] = value
        if measured:
            found.update(self._measures.results())
        return found

    def train_step(self, data: Any) -> dict[str, Any]:
        """One update from one batch; override it for another way to train."""
        x, y, sample_weight, y_pred = self._train_update(data)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def _train_update(self, data: Any) -> tuple[Any, Any, Any, Any]:
        x, y, sample_weight = data_module.unpack(data)
        optimizer = self.optimizer
        scale = getattr(optimizer, "scale_loss", None)

        def objective() -> Any:
            y_pred = self._call_for_step(x, True)
            loss = self._loss_of(x, y, y_pred, sample_weight, True)
            return (loss if scale is None else scale(loss)), (loss, y_pred)

        variables = self._cached_trainable()
        (_, (loss, y_pred)), grads = backends.active.value_and_grad(objective, variables)
        self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        if variables:
            optimizer.apply(grads, variables)
        return x, y, sample_weight, y_pred

    def _call_for_step(self, x: Any, training: bool) -> Any:
        if self._takes_training:
            return self(x, training=training)
        return self(x)

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        if type(self).compute_loss is Trainer.compute_loss:
            return self.compute_loss(x, y, y_pred, sample_weight, training)
        arguments = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight,
                     "training": training}
        parameters = inspect.signature(self.compute_loss).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return self.compute_loss(**arguments)
        return self.compute_loss(**{k: v for k, v in arguments.items() if k in parameters})

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measures one batch; override it for another way to evaluate."""
        x, y, sample_weight, y_pred = self._test_update(data)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def _test_update(self, data: Any) -> tuple[Any, Any, Any, Any]:
        x, y, sample_weight = data_module.unpack(data)
        y_pred = self._call_for_step(x, False)
        if self._objective is not None or type(self).compute_loss is not Trainer.compute_loss or (
            self._sources_of_losses()
        ):
            loss = self._loss_of(x, y, y_pred, sample_weight, False)
            self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        return x, y, sample_weight, y_pred

    def predict_step(self, data: Any) -> Any:
        """The outputs for one batch; override it for another way to predict."""
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
        name = backends.active.name
        key = (
            name, kind, self.run_eagerly, id(self.optimizer) if kind == "train" else None,
            self.compute_dtype,
            tuple(v.trainable for v in self.weights) if kind == "train" else None,
            len(self.metrics) if kind != "predict" else None,
        )  # fmt: skip
        step = self._compiled_steps.get(key)
        if step is None:
            function = getattr(self, f"_{kind}_function")()
            if not self.run_eagerly:
                function = backends.active.compile(
                    function, lambda: self._state_of_step(kind), donate=kind == "train",
                    jit_compile=self.jit_compile is True,
                )
            step = self._compiled_steps[key] = function
        return step

    def _train_function(self) -> Callable[[Any], Any]:
        if type(self).train_step is not Trainer.train_step:
            return _custom_step(self, self.train_step)
        if type(self).compute_metrics is not Trainer.compute_metrics:
            return lambda data: self.train_step(_tensors(data))

        def step(data: Any) -> None:
            x, y, sample_weight, y_pred = self._train_update(_tensors(data))
            self._update_metrics(y, y_pred, sample_weight)

        return step

    def _test_function(self) -> Callable[[Any], Any]:
        if type(self).test_step is not Trainer.test_step:
            return _custom_step(self, self.test_step)
        if type(self).compute_metrics is not Trainer.compute_metrics:
            return lambda data: self.test_step(_tensors(data))

        def step(data: Any) -> None:
            x, y, sample_weight, y_pred = self._test_update(_tensors(data))
            self._update_metrics(y, y_pred, sample_weight)

        return step

    def _predict_function(self) -> Callable[[Any], Any]:
        def step(data: Any) -> Any:
            return self.predict_step(data_module.plain(_tensors(data)))

        return step

    # Kept for programs that ask for them by Keras' names.
    def make_train_function(self, force: bool = False) -> Any:
        if force:
            self._forget_compiled()
        return self._step("train")

    def make_test_function(self, force: bool = False) -> Any:
        if force:
            self._forget_compiled()
        return self._step("test")

    def make_predict_function(self, force: bool = False) -> Any:
        if force:
            self._forget_compiled()
        return self._step("predict")

    def _prepare(self, batch: Any, kind: str) -> None:
        """Builds model, metrics and optimizer for a first batch, on shapes only."""
        x, y, sample_weight = data_module.unpack(batch)
        self._check_kinds(x)
        with backends.concrete():
            if not self.built or any(not layer.built for layer in self._flatten_layers()):
                self._build_for_batch(x)
            if kind == "predict":
                return
            if self._loss_tracker is None:
                from kerasish import metrics

                self._loss_tracker = metrics.Mean(name="loss")
            needs_shapes = (
                (self._measures is not None and not self._measures.built)
                or (self._objective is not None and self._objective.functions is None)
            )
            if needs_shapes and y is not None:
                specs = tree.map_structure(_spec, (x, y))
                try:
                    y_pred = symbolic.infer(
                        lambda inputs: self._call_for_step(inputs, False), (specs[0],), {}
                    )
                except KerasishError:
                    if type(self).train_step is Trainer.train_step:
                        raise
                else:
                    if self._objective is not None and self._objective.functions is None:
                        self._objective.build(specs[1], y_pred)
                    if self._measures is not None and not self._measures.built:
                        self._measures.build(specs[1], y_pred)
            if kind == "train":
                if self.optimizer is not None and not self.optimizer.built:
                    self.optimizer.build(self.trainable_variables)
                variables = self.trainable_variables
                self._trainable_cache = _Kept((variables, _regularized(variables)))
        # Every value is at home before a step is compiled for it.

    def _build_for_batch(self, x: Any) -> None:
        specs = tree.map_structure(_spec, x)
        try:
            self._call_for_step(specs, False) if self._graph is None and not (
                type(self).__name__ == "Sequential"
            ) else self._build_sequential(specs)
        except KerasishError:
            if type(self).train_step is Trainer.train_step or self.built:
                raise
        except TypeError:
            if type(self).call is not None and type(self).train_step is Trainer.train_step:
                raise

    def _build_sequential(self, specs: Any) -> None:
        if not self.built:
            leaves = tree.flatten(specs)
            if len(leaves) != 1:
                raise InvalidArgument(
                    f"Sequential {self.name!r} has one input, the data has {len(leaves)}."
                )
            self.build((None, *leaves[0].shape[1:]))

    # Loops --------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> Any:
        """Trains for a number of epochs and returns the `History` of losses and metrics.

        Args:
            x, y: inputs and targets: arrays, lists or dicts of them, or in x alone a generator,
                `PyDataset`, torch `DataLoader`, `tf.data.Dataset` of (x, y[, sample_weight]).
            batch_size: samples for each update, 32 by default.
            epochs: passes over the data (the last epoch's number, with `initial_epoch`).
            verbose: 0 silent, 1 progress bar, 2 a line for each epoch, "auto" what fits the output.
            callbacks: `keras.callbacks.Callback`s.
            validation_split: the last part of the samples is kept for validation.
            validation_data: (x, y[, sample_weight]) or a data set to validate with.
            shuffle: a new order of the samples for each epoch, the same on every backend.
            class_weight: label -> weight of its samples.
            sample_weight: the weight of each sample.
            initial_epoch: the epoch to begin with.
            steps_per_epoch: batches for each epoch, for data without an end.
            validation_steps, validation_batch_size, validation_freq: the same for validation.
        """
        self._check_compiled("fit")
        if self.optimizer is None and type(self).train_step is Trainer.train_step:
            raise StateError(f"Model {self.name!r} has no optimizer: compile(optimizer=...).")
        epochs = _limited(epochs, config.max_epochs())
        if validation_split and validation_data is None:
            if data_module.is_stream(x):
                raise InvalidArgument(
                    "validation_split needs arrays; give validation_data with a stream of batches."
                )
            arrays = tuple(data_module.to_arrays(a) for a in (x, y, sample_weight))
            (x, y, sample_weight), validation_data = data_module.split(arrays, validation_split)
        reader = data_module.make(
            x, y, sample_weight, batch_size, steps_per_epoch, shuffle, class_weight
        )
        first = _peek(reader)
        self._check_targets(reader, first)
        self._prepare(first, "train")
        step = self._step("train")
        limit = _limited(steps_per_epoch, config.max_steps_per_epoch())
        steps = reader.steps if limit is None else (
            limit if reader.steps is None or reader.size is None else min(limit, reader.steps)
        )
        callbacks = self._callback_list(callbacks, verbose, epochs, steps)
        self._fit_count += 1
        self.stop_training = False
        validation: Any = None
        logs: dict[str, Any] = {}
        self._initial_epoch = initial_epoch
        callbacks.on_train_begin()
        initial_epoch = self._initial_epoch  # a backup may have come back
        wants_batches = callbacks.wants_batches("train")
        try:
            for epoch in range(initial_epoch, epochs):
                self.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                result = None
                for i, batch in enumerate(reader.batches(self._epoch_key(epoch), limit)):
                    if wants_batches:
                        callbacks.on_train_batch_begin(i)
                        result = step(batch)
                        callbacks.on_train_batch_end(i, self._logs(result))
                    else:
                        result = step(batch)
                        callbacks.progress(i, lambda r=result: self._logs(r))
                    if self.stop_training:
                        break
                else:
                    self._check_steps(reader, i + 1 if _ran(locals()) else 0, limit)
                logs = self._logs(result)
                if validation_data is not None and _validates(epoch, validation_freq):
                    if validation is None:
                        validation = self._validation_reader(
                            validation_data, validation_batch_size or batch_size, validation_steps
                        )
                    found = self.evaluate(
                        validation, steps=validation_steps, verbose=0, return_dict=True,
                        callbacks=callbacks,
                    )
                    logs = {**logs, **{f"val_{k}": v for k, v in found.items()}}
                callbacks.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
        finally:
            if self.optimizer is not None and epochs > 0 and hasattr(
                self.optimizer, "finalize_variable_values"
            ):
                self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.on_train_end(logs)
        return self.history

    def _check_steps(self, reader: Any, done: int, limit: int | None) -> None:
        if done == 0:
            raise InvalidArgument("The data ended before the first batch of this epoch.")
        if limit is not None and done < limit and reader.size is None:
            warnings.warn(
                f"The data ended after {done} of {limit} steps. Make it repeat, or give a "
                "smaller steps_per_epoch.",
                stacklevel=3,
            )

    def _epoch_key(self, epoch: int) -> int:
        return epoch

    def _check_targets(self, reader: Any, first: Any) -> None:
        x, y, _ = data_module.unpack(first)
        if y is None and self.loss is not None and type(self).train_step is Trainer.train_step and (
            type(self).compute_loss is Trainer.compute_loss
        ):
            raise InvalidArgument(
                f"Model {self.name!r} was compiled with a loss but got no targets: give "
                "fit(x, y), or batches (x, y)."
            )
        if isinstance(reader, data_module.ArrayData) and self._objective is not None and (
            y is not None and len(reader.data) > 1
        ):
            targets = reader.data[1]
            outputs = self.outputs if self.built and self.outputs else None
            if outputs and len(outputs) == 1 and isinstance(targets, np.ndarray):
                from kerasish import losses

                loss = self.loss
                loss = losses.get(loss) if isinstance(loss, str) else loss
                if isinstance(loss, str) or callable(loss):
                    name = getattr(loss, "__name__", "")
                    if name == "sparse_categorical_crossentropy":
                        loss = losses.SparseCategoricalCrossentropy()
                check_labels(loss, targets, outputs[0].shape[-1])

    def _validation_reader(self, given: Any, batch_size: Any, steps: Any) -> Any:
        if data_module.is_stream(given) and not isinstance(given, tuple | list):
            return data_module.make(given, steps=steps)
        x, y, sample_weight = data_module.unpack(given)
        return data_module.make(x, y, sample_weight, batch_size, steps)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The loss and metrics on data, as a list (or a dict by name)."""
        kwargs.pop("_use_cached_eval_dataset", None)
        if kwargs:
            raise InvalidArgument(f"evaluate has no arguments {sorted(kwargs)}.")
        self._check_compiled("evaluate")
        reader = data_module.make(x, y, sample_weight, batch_size, steps)
        first = _peek(reader)
        if self._graph is not None or self.built:
            self._check_targets(reader, first)
        self._prepare(first, "test")
        step = self._step("test")
        limit = _limited(steps, config.max_steps_per_epoch())
        total = reader.steps if limit is None else limit
        callbacks = self._callback_list(callbacks, verbose, 1, total, training=False)
        self.reset_metrics()
        callbacks.on_test_begin()
        wants_batches = callbacks.wants_batches("test")
        result = None
        with backends.active.inference():
            for i, batch in enumerate(reader.batches(0, limit)):
                if wants_batches:
                    callbacks.on_test_batch_begin(i)
                result = step(batch)
                if wants_batches:
                    callbacks.on_test_batch_end(i, self._logs(result))
                else:
                    callbacks.test_progress(i, lambda r=result: self._logs(r))
                if self.stop_training and getattr(self, "stop_evaluating", False):
                    break
        logs = self._logs(result)
        callbacks.on_test_end(logs)
        if return_dict:
            return logs
        return self._as_list(logs)

    def _as_list(self, logs: dict[str, Any]) -> Any:
        order = [n for n in ("loss",) if n in logs]
        if self._objective is not None:
            order += [t.name for t in self._objective.trackers if t.name in logs]
        if self._measures is not None:
            order += [n for n in self._measures.result_names if n in logs]
        order += [n for n in logs if n not in order]
        values = [logs[n] for n in order]
        return values[0] if len(values) == 1 else values

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for data, as NumPy arrays."""
        reader = data_module.make(x, None, None, batch_size, steps)
        if not self.built or "predict" not in self.__dict__.get("_prepared", ()):
            self._prepare(_peek(reader), "predict")
            self._prepared = {"predict"} if self.built else set()
        step = self._predict_cached()
        limit = _limited(steps, config.max_steps_per_epoch())
        total = reader.steps if limit is None else limit
        quiet = callbacks is None and verbose in (0, "auto") and (
            verbose == 0 or not _interactive()
        )
        if not quiet:
            callbacks = self._callback_list(callbacks, verbose, 1, total, training=False)
            callbacks.on_predict_begin()
        results = []
        active = backends.active
        with active.inference():
            for i, batch in enumerate(reader.batches(0, limit)):
                if quiet:
                    results.append(step(batch))
                    continue
                callbacks.on_predict_batch_begin(i)
                results.append(step(batch))
                callbacks.on_predict_batch_end(i, {"outputs": results[-1]})
        if not quiet:
            callbacks.on_predict_end()
        if not results:
            raise InvalidArgument("The data is empty: there is nothing to predict.")
        to_host = active.to_host
        if len(results) == 1:
            return tree.map_structure(lambda a: np.asarray(to_host(a)), results[0])
        return tree.map_structure(
            lambda *parts: np.concatenate([to_host(p) for p in parts]), *results
        )

    def _predict_cached(self) -> Callable[[Any], Any]:
        """`_step("predict")` without computing its key where nothing can have changed."""
        name = backends.active.name
        kept = self.__dict__.get("_predict_kept")
        if kept is not None and kept[0] == (name, self.run_eagerly) and (
            kept[1] is self._compiled_steps
        ):
            return kept[2]
        step = self._step("predict")
        self._predict_kept = _Kept(((name, self.run_eagerly), self._compiled_steps, step))
        return step

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None,
        class_weight: dict[int, float] | None = None, return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """One update from one batch; the metrics so far, as a list or dict."""
        self._check_compiled("train_on_batch")
        batch = self._one_batch(x, y, sample_weight, class_weight)
        self._prepare(batch, "train")
        logs = self._logs(self._step("train")(batch))
        return logs if return_dict else self._as_list(logs)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Measures one batch; the metrics so far, as a list or dict."""
        self._check_compiled("test_on_batch")
        batch = self._one_batch(x, y, sample_weight, None)
        self._prepare(batch, "test")
        with backends.active.inference():
            logs = self._logs(self._step("test")(batch))
        return logs if return_dict else self._as_list(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        batch = self._one_batch(x, None, None, None)
        self._prepare(batch, "predict")
        with backends.active.inference():
            out = self._predict_cached()(batch)
        return tree.map_structure(lambda a: np.asarray(backends.to_host(a)), out)

    def _one_batch(self, x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Any:
        reader = data_module.ArrayData(x, y, sample_weight, 2**62, False, class_weight)
        return next(iter(reader.batches()))

    # Logs and callbacks -------------------------------------------------------------------------

    def _logs(self, result: Any) -> dict[str, Any]:
        """Host numbers of what a step returned, or of the metrics."""
        if not isinstance(result, dict):
            result = self.get_metrics_result()
        return {k: _number(v) for k, v in sorted(result.items())}

    def _callback_list(
        self, callbacks: Any, verbose: Any, epochs: int, steps: int | None, training: bool = True
    ) -> Any:
        from kerasish.callbacks.base import CallbackList

        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks, add_history=training, add_progbar=verbose not in (0, None),
            model=self, verbose=verbose, epochs=epochs, steps=steps,
        )  # fmt: skip

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


class _Kept:
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
    parameters = [
        p for p in inspect.signature(step).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(parameters) < 2 or parameters[0].name != "state":
        return lambda data: step(data_module.plain(_tensors(data)))

    def stateful(data: Any) -> Any:
        training = step.__name__ == "train_step"
        groups = [model.trainable_variables, model.non_trainable_variables]
        if training:
            groups.append(model.optimizer.variables)
        groups.append(model.metrics_variables)
        logs, state = step(
            [[v.value for v in group] for group in groups], data_module.plain(_tensors(data))
        )
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
    return KerasTensor((None, *[int(d) for d in x.shape[1:]]), dtype)


def _batch_size(x: Any) -> Any:
    return len_of(tree.flatten(x)[0])


def _peek(reader: Any) -> Any:
    if isinstance(reader, data_module.StreamData):
        return reader._to_batch(reader.peek())
    return next(iter(data_module.ArrayData(
        *[_head(part) for part in (*reader.data, None, None)[:3]], batch_size=1
    ).batches()))


def _head(part: Any) -> Any:
    return tree.map_structure(lambda a: None if a is None else a[:1], part)


def _number(x: Any) -> Any:
    if isinstance(x, float | int):
        return x
    if isinstance(x, dict):
        return {k: _number(v) for k, v in x.items()}
    host = np.asarray(backends.to_host(x))
    return float(host) if host.ndim == 0 else host


def _limited(n: int | None, limit: int | None) -> Any:
    return n if limit is None else limit if n is None else min(n, limit)


def _validates(epoch: int, freq: Any) -> bool:
    if isinstance(freq, list | tuple | set):
        return epoch + 1 in freq
    return (epoch + 1) % freq == 0


def _ran(names: dict[str, Any]) -> bool:
    return "i" in names


def _interactive() -> bool:
    from kerasish.callbacks.progress import is_interactive_logging_enabled

    return is_interactive_logging_enabled()


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
