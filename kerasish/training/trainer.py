"""The trainer: one loop for every backend."""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasish import backends, config, tree
from kerasish.errors import InvalidArgument, StateError
from kerasish.training import data as data_module
from kerasish.training.steps import Kept, Steps

if TYPE_CHECKING:
    from kerasish.callbacks.base import History


class Trainer(Steps):
    """What `Model` adds to `Layer`: `compile`, `fit`, `evaluate`, `predict`."""

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
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
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

        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", loss="mse")
        >>> x = keras.random.normal((64, 3), seed=1)
        >>> losses = model.fit(x, x[:, :1], epochs=5, verbose=0).history["loss"]
        >>> losses[-1] < losses[0]
        True
        """
        self._check_compiled("fit")
        if self.optimizer is None and type(self).train_step is Trainer.train_step:
            raise StateError(f"Model {self.name!r} has no optimizer: compile(optimizer=...).")
        epochs = _limited(data_module.whole("epochs", epochs, 0), config.max_epochs())
        if steps_per_epoch is not None:
            data_module.whole("steps_per_epoch", steps_per_epoch, 1)
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
        step, metrics = self._ready(first, "train")
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
        together = self.steps_per_execution
        if together == 1 and steps and not callbacks.wants_batches("train"):
            together = _worth_looping(reader, step, first, steps, (epochs - initial_epoch) * steps)
        with contextlib.ExitStack() as at_end:
            at_end.callback(self._finalize, epochs)
            at_end.enter_context(self._keeping(metrics))
            for epoch in range(initial_epoch, epochs):
                self.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                dispatches = _dispatches(reader, step, epoch, limit, together)
                result, done = self._run(dispatches, "train", callbacks)
                if done == 0 and epoch > initial_epoch:
                    warnings.warn(
                        f"The data ended after {epoch - initial_epoch} epochs; training stops. "
                        "Data for several epochs must begin anew: give a PyDataset or a data set, "
                        "or a generator without an end and steps_per_epoch.",
                        stacklevel=2,
                    )
                    break
                if not self.stop_training:
                    self._check_steps(reader, done, limit)
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
                    logs.update((f"val_{k}", v) for k, v in found.items())
                    logs = dict(sorted(logs.items()))
                callbacks.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
        callbacks.on_train_end(logs)
        return self.history

    def _finalize(self, epochs: int) -> None:
        """Gives the weights their averages, where the optimizer keeps such."""
        if self.optimizer is not None and epochs > 0 and hasattr(
            self.optimizer, "finalize_variable_values"
        ):
            self.optimizer.finalize_variable_values(self._cached_trainable())

    def _run(self, dispatches: Any, kind: str, callbacks: Any) -> tuple[Any, int]:
        """What the last step gave and how many there were; callbacks see each dispatch."""
        wanted = callbacks.wants_batches(kind)
        begin = getattr(callbacks, f"on_{kind}_batch_begin")
        end = getattr(callbacks, f"on_{kind}_batch_end")
        stop = "stop_training" if kind == "train" else "stop_evaluating"
        result, done = None, 0
        for n, run in dispatches:
            if wanted:
                begin(done)
            result = run()
            done += n
            if wanted:
                end(done - 1, self._logs(result))
            else:
                callbacks.progress(kind, done - 1, lambda r=result: self._logs(r))
            if getattr(self, stop):
                break
        return result, done

    def _check_steps(self, reader: Any, done: int, limit: int | None) -> None:
        if done == 0:
            raise InvalidArgument("The data ended before the first batch of this epoch.")
        if limit is not None and done < limit:
            warnings.warn(
                f"The data ended after {done} of {limit} steps. Make it repeat, or give a "
                "smaller steps_per_epoch.",
                stacklevel=3,
            )

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
                from kerasish.training.objectives import check_labels

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
        """The loss and metrics on data, as a list (or a dict by name).

        Args:
            x, y, batch_size, sample_weight, verbose, callbacks: as in `fit`.
            steps: how many batches, for data without an end.
            return_dict: give a dict by name.

        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(loss="mse", metrics=["mae"])
        >>> model.evaluate(keras.ops.ones((4, 3)), 2 * keras.ops.ones((4, 1)), verbose=0)
        [4.0, 2.0]
        """
        kwargs.pop("_use_cached_eval_dataset", None)
        if kwargs:
            raise InvalidArgument(f"evaluate has no arguments {sorted(kwargs)}.")
        self._check_compiled("evaluate")
        reader = data_module.make(x, y, sample_weight, batch_size, steps)
        first = _peek(reader)
        if self._graph is not None or self.built:
            self._check_targets(reader, first)
        step, metrics = self._ready(first, "test")
        limit = _limited(steps, config.max_steps_per_epoch())
        total = reader.steps if limit is None else limit
        callbacks = self._callback_list(callbacks, verbose, 1, total, training=False)
        with self._keeping(metrics):
            self.reset_metrics()
            callbacks.on_test_begin()
            self.stop_evaluating = False
            with backends.active.inference():
                dispatches = _dispatches(reader, step, 0, limit, self.steps_per_execution)
                result, _ = self._run(dispatches, "test", callbacks)
            logs = self._logs(result)
            callbacks.on_test_end(logs)
            return logs if return_dict else self._as_list(logs)

    def _as_list(self, logs: dict[str, Any]) -> Any:
        named = [m.name for m in self._each_metric() if m.name in logs]
        order = dict.fromkeys([*named, *sorted(logs)])
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
        """The model's outputs for data, as NumPy arrays.

        Args:
            x, batch_size, verbose, callbacks: as in `fit`.
            steps: how many batches, for data without an end.

        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.predict(keras.ops.ones((4, 3)), verbose=0).shape
        (4, 1)
        """
        quiet = callbacks is None and (verbose == 0 or verbose == "auto" and not _interactive())
        ready = self.built and "predict" in self.__dict__.get("_prepared", ())
        if quiet and ready and steps is None and _is_one_batch(x, batch_size):
            batches: Any = ((data_module.standard(x),),)
        else:
            reader = data_module.make(x, None, None, batch_size, steps)
            if not ready:
                self._ready(_peek(reader), "predict")
                self._prepared = {"predict"} if self.built else set()
            limit = _limited(steps, config.max_steps_per_epoch())
            batches = reader.batches(0, limit)
        step = self._predict_cached()
        told = None
        if not quiet:
            total = reader.steps if limit is None else limit
            told = self._callback_list(callbacks, verbose, 1, total, training=False)
            told.on_predict_begin()
        results = []
        active = backends.active
        self.stop_predicting = False
        with active.inference():
            for i, batch in enumerate(batches):
                if told is None:
                    results.append(step(batch))
                    continue
                told.on_predict_batch_begin(i)
                results.append(step(batch))
                told.on_predict_batch_end(i, {"outputs": results[-1]})
                if self.stop_predicting:
                    break
        if told is not None:
            told.on_predict_end()
        if not results:
            raise InvalidArgument("The data is empty: there is nothing to predict.")
        to_host = active.to_host
        if len(results) == 1:
            (result,) = results
            if type(result) in active.native:
                return np.asarray(to_host(result))
            return tree.map_structure(lambda a: np.asarray(to_host(a)), result)
        return tree.map_structure(
            lambda *parts: np.concatenate([to_host(p) for p in parts]), *results
        )

    def _predict_cached(self) -> Callable[[Any], Any]:
        """`_step("predict")` without computing its key where nothing can have changed."""
        self._forget_changed()
        name = backends.active.name
        kept = self.__dict__.get("_predict_kept")
        if kept is not None and kept[0] == (name, self.run_eagerly) and (
            kept[1] is self._compiled_steps
        ):
            return kept[2]
        step = self._step("predict")
        self._predict_kept = Kept(((name, self.run_eagerly), self._compiled_steps, step))
        return step

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None, return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """One update from one batch; its loss and metrics, as a list or dict.

        Args:
            x, y, sample_weight, class_weight: the batch, as in `fit`.
            return_dict: give a dict by name.
        """
        self._check_compiled("train_on_batch")
        batch = self._one_batch(x, y, sample_weight, class_weight)
        self._check_targets(None, batch)
        step, metrics = self._ready(batch, "train")
        with self._keeping(metrics):
            self.reset_metrics()
            logs = self._logs(step(batch))
            return logs if return_dict else self._as_list(logs)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Measures one batch: its loss and metrics, as a list or dict.

        Args:
            x, y, sample_weight: the batch, as in `fit`.
            return_dict: give a dict by name.
        """
        self._check_compiled("test_on_batch")
        batch = self._one_batch(x, y, sample_weight, None)
        self._check_targets(None, batch)
        step, metrics = self._ready(batch, "test")
        with self._keeping(metrics):
            self.reset_metrics()
            with backends.active.inference():
                logs = self._logs(step(batch))
            return logs if return_dict else self._as_list(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays.

        Args:
            x: the batch.
        """
        batch = self._one_batch(x, None, None, None)
        self._ready(batch, "predict")
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
        return _numbers(result)

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


def _peek(reader: Any) -> Any:
    if isinstance(reader, data_module.StreamData):
        return reader._to_batch(reader.peek())
    return reader._read(slice(0, 1))


def _numbers(logs: dict[str, Any]) -> dict[str, Any]:
    """Host numbers by name, those of dicts in it beside the others."""
    found: dict[str, Any] = {}
    for name, value in sorted(logs.items()):
        found.update(_numbers(value) if isinstance(value, dict) else {name: _number(value)})
    return found


def _number(x: Any) -> Any:
    if isinstance(x, float | int):
        return x
    host = np.asarray(backends.to_host(x))
    return float(host) if host.ndim == 0 else host


def _limited(n: int | None, limit: int | None) -> Any:
    return n if limit is None else limit if n is None else min(n, limit)


def _validates(epoch: int, freq: Any) -> bool:
    if isinstance(freq, list | tuple | set):
        return epoch + 1 in freq
    return (epoch + 1) % freq == 0


def _dispatches(
    reader: Any, step: Any, epoch: int, limit: int | None, together: int
) -> Iterator[tuple[int, Callable[[], Any]]]:
    """(n, run): a call that runs the next n steps, and gives the result of the last."""
    if together > 1 and _loops_natively(reader, step):
        rest = []
        for n, batch in reader.groups(epoch, limit, together):
            if n == 1:
                rest.append(batch)
            else:
                yield n, lambda batch=batch: step.many(batch)
        if rest:
            yield len(rest), lambda: [step(batch) for batch in rest][-1]
        return
    batches = reader.batches(epoch, limit)
    if together == 1:
        for batch in batches:
            yield 1, lambda batch=batch: step(batch)
        return
    while group := list(itertools.islice(batches, together)):
        yield len(group), lambda group=group: [step(batch) for batch in group][-1]


def _loops_natively(reader: Any, step: Any) -> bool:
    return (
        hasattr(step, "many") and isinstance(reader, data_module.ArrayData) and reader.stackable
    )


def _is_one_batch(x: Any, batch_size: int | None) -> bool:
    """Whether x is numbers that need not be cut into batches."""
    return (
        type(x) is np.ndarray and x.dtype.kind in "fiub" and x.ndim > 0
        and 0 < len(x) <= (batch_size or 32)
    )


def _worth_looping(reader: Any, step: Any, first: Any, steps: int, total: int) -> int:
    """How many steps to run in one dispatch where nobody looks at them one by one."""
    if total < 100 or not _loops_natively(reader, step) or not (
        step.loops(first, reader.batch_size)
    ):
        return 1
    full = min(steps, reader.size // reader.batch_size)
    most = min(32, full, LOOPED_BYTES // max(reader.nbytes(), 1))
    if most < 4:
        return 1
    return full // math.ceil(full / most)


LOOPED_BYTES = 2**24
"""The data of steps that are dispatched together."""


def _interactive() -> bool:
    from kerasish.callbacks.progress import is_interactive_logging_enabled

    return is_interactive_logging_enabled()
