"""`Callback`, the list that runs them, and `History`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kerasish.errors import InvalidArgument

_HOOKS = (
    "on_epoch_begin", "on_epoch_end", "on_train_begin", "on_train_end", "on_test_begin",
    "on_test_end", "on_predict_begin", "on_predict_end", "on_train_batch_begin",
    "on_train_batch_end", "on_test_batch_begin", "on_test_batch_end", "on_predict_batch_begin",
    "on_predict_batch_end", "on_batch_begin", "on_batch_end",
)  # fmt: skip


class Callback:
    """Hooks into training: override the moments of interest.

    `self.model` is the model, `self.params` has `verbose`, `epochs` and `steps`.

    >>> import kerasish as keras
    >>> class Shout(keras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch} done")
    """

    _at_rest: tuple[Any, ...] = ()
    """Those of its hooks that do nothing as it is set: nobody need stop at each batch for them."""

    def __init__(self) -> None:
        self.params: Any = None
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model that is trained."""
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        """Tells `params`; called before anything else."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Tells the model; called before anything else."""
        self._model = model

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a training batch (older name of `on_train_batch_begin`)."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a training batch (older name of `on_train_batch_end`)."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """After an epoch; `logs` has its losses and metrics, validation as `val_...`."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a training batch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a training batch; `logs` has the averages so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of `evaluate`, or of the validation in `fit`."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of `evaluate`."""

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of `predict`; `logs["outputs"]` are its outputs."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Before `fit`."""

    def on_train_end(self, logs: Any = None) -> None:
        """After `fit`."""

    def on_test_begin(self, logs: Any = None) -> None:
        """Before `evaluate`."""

    def on_test_end(self, logs: Any = None) -> None:
        """After `evaluate`."""

    def on_predict_begin(self, logs: Any = None) -> None:
        """Before `predict`."""

    def on_predict_end(self, logs: Any = None) -> None:
        """After `predict`."""


class History(Callback):
    """Keeps the logs of each epoch; `fit` returns one.

    Attributes:
        epoch: the numbers of the epochs.
        history: name of a loss or metric -> its value in each epoch.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> history = model.fit(keras.ops.ones((4, 2)), keras.ops.ones((4, 1)), epochs=2, verbose=0)
    >>> history.epoch, len(history.history["loss"])
    ([0, 1], 2)
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self


class CallbackList:
    """Runs callbacks in order; `History` and the progress bar are added on request.

    Args:
        callbacks: the callbacks.
        add_history, add_progbar: add those that are not among them.
        model: the model that they see.
        **params: what they find in `params`.

    >>> import kerasish as keras
    >>> tell = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: print(epoch))
    >>> keras.callbacks.CallbackList([tell]).on_epoch_begin(3)
    3
    """

    if TYPE_CHECKING:

        def __getattr__(self, hook: str) -> Callable[..., None]: ...

    def __init__(
        self, callbacks: Any = None, add_history: bool = False, add_progbar: bool = False,
        model: Any = None, **params: Any,
    ):  # fmt: skip
        from kerasish.callbacks.progress import ProgbarLogger, resolve_verbose

        given = callbacks if isinstance(callbacks, list | tuple) else (
            [] if callbacks is None else [callbacks]
        )
        self.callbacks: list[Any] = [c for c in _flatten(given)]
        for c in self.callbacks:
            if not hasattr(c, "set_model"):
                raise InvalidArgument(
                    f"Callbacks are keras.callbacks.Callback objects, got {c!r}. Call the class: "
                    "EarlyStopping(), not EarlyStopping."
                )
        if "verbose" in params:
            params["verbose"] = resolve_verbose(params["verbose"])
        self._progress = next((c for c in self.callbacks if isinstance(c, ProgbarLogger)), None)
        if add_progbar and self._progress is None:
            self._progress = ProgbarLogger()
            self.callbacks.append(self._progress)
        history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if add_history and history is None:
            history = History()
            self.callbacks.append(history)
        if model is not None:
            self.set_model(model)
            if history is not None:
                model.history = history
        self.params = params
        self.set_params(params)

    def append(self, callback: Any) -> None:
        """Adds a callback at the end."""
        self.callbacks.append(callback)

    def set_params(self, params: dict[str, Any]) -> None:
        """Tells all of them `params`."""
        self.params = params
        for c in self.callbacks:
            c.set_params(params)

    def set_model(self, model: Any) -> None:
        """Tells all of them the model."""
        for c in self.callbacks:
            c.set_model(model)

    def wants_batches(self, kind: str) -> bool:
        """Whether any callback but the progress bar looks at single batches."""
        names = [f"on_{kind}_batch_begin", f"on_{kind}_batch_end"]
        if kind == "train":
            names += ["on_batch_begin", "on_batch_end"]
        return any(
            c is not self._progress and any(
                getattr(type(c), n, None) not in (getattr(Callback, n), *getattr(c, "_at_rest", ()))
                or n in getattr(c, "__dict__", ())
                for n in names
            )
            for c in self.callbacks
        )

    def progress(self, kind: str, step: int, logs: Callable[[], dict[str, Any]]) -> None:
        """A batch went by that only the progress bar may want to show."""
        bar = self._progress
        if bar is not None and (kind == "train" or bar.testing):
            bar.advance(step, logs)

    def __iter__(self) -> Any:
        return iter(self.callbacks)


def _flatten(items: Any) -> Any:
    for x in items:
        if isinstance(x, list | tuple):
            yield from _flatten(x)
        elif isinstance(x, CallbackList):
            yield from x.callbacks
        else:
            yield x


def _run_all(name: str) -> Callable[..., None]:
    if "epoch" in name or "batch" in name:

        def numbered(self: CallbackList, index: int, logs: Any = None) -> None:
            logs = {} if logs is None else logs
            for c in self.callbacks:
                getattr(c, name)(index, logs)

        return numbered

    def plain(self: CallbackList, logs: Any = None) -> None:
        logs = {} if logs is None else logs
        for c in self.callbacks:
            getattr(c, name)(logs)

    return plain


for _name in _HOOKS:
    setattr(CallbackList, _name, _run_all(_name))
