"""Callbacks that watch a value: stop early, lower the learning rate, stop on NaN."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from kerasish.callbacks.base import Callback
from kerasish.errors import InvalidArgument, StateError


class _Monitor(Callback):
    """Compares a logged value with the best so far."""

    def _set_monitor(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__}: mode is 'auto', 'min' or 'max', got {mode!r}. Going on "
                "with 'auto'.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)

    def _direction(self) -> str:
        """"min" or "max"; "auto" asks the metric, then the name."""
        if self.mode != "auto":
            return self.mode
        name = self.monitor.removeprefix("val_")
        for metric in getattr(self.model, "_each_metric", list)():
            if metric.name == name and getattr(metric, "_direction", None) in ("up", "down"):
                return "max" if metric._direction == "up" else "min"
        last = name.rpartition("_")[2]
        rising = ("acc", "accuracy", "auc", "precision", "recall", "fscore", "f1", "iou", "score")
        return "max" if name.startswith("fmeasure") or last in rising or "acc" in name else "min"

    @property
    def monitor_op(self) -> Any:
        """`np.less` or `np.greater`: whether its first argument is the better one."""
        return np.less if self._direction() == "min" else np.greater

    def _is_improvement(self, value: float, best: float | None) -> bool:
        if best is None:
            return True
        better = self.monitor_op
        return bool(better(value, best + (-1 if better is np.less else 1) * self.min_delta))

    def get_monitor_value(self, logs: Any) -> float | None:
        """The watched value of some logs; warns and returns `None` where it is not in them."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{type(self).__name__} watches {self.monitor!r}, which is not logged. Logged: "
                f"{sorted(logs or {})}. (Values with val_ need validation data.)",
                stacklevel=3,
            )
        return value


class EarlyStopping(_Monitor):
    """Stops training when a value has stopped improving.

    Args:
        monitor: the logged value.
        min_delta: the smallest change that counts as an improvement.
        patience: epochs without improvement before training stops.
        verbose: 1 tells when it stops.
        mode: "min", "max", or "auto" by the metric.
        baseline: a value that must be beaten.
        restore_best_weights: go back to the weights of the best epoch.
        start_from_epoch: epochs to wait before watching.

    >>> import kerasish as keras
    >>> keras.callbacks.EarlyStopping(monitor="loss", patience=3).patience
    3
    """

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0, patience: int = 0, verbose: int = 0,
        mode: str = "auto", baseline: float | None = None, restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):  # fmt: skip
        super().__init__()
        self._set_monitor(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if self._is_improvement(value, self.best):
            self.best = value
            self._keep(epoch)
            if self.baseline is None or self._is_improvement(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(_Monitor):
    """Multiplies the learning rate by a factor when a value has stopped improving.

    Args:
        monitor: the logged value.
        factor: of the learning rate, below 1.
        patience: epochs without improvement before it is lowered.
        verbose: 1 tells about it.
        mode: "min", "max" or "auto".
        min_delta: the smallest change that counts as an improvement.
        cooldown: epochs to wait after lowering it.
        min_lr: never go below.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
    >>> model.compile(keras.optimizers.SGD(1.0), loss="mse")
    >>> reduce = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    >>> x, y = keras.ops.zeros((4, 2)), keras.ops.ones((4, 1))  # nothing to learn here
    >>> model.fit(x, y, epochs=3, verbose=0, callbacks=[reduce]).history["learning_rate"]
    [1.0, 1.0, 0.5]
    """

    def __init__(
        self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0,
        mode: str = "auto", min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0,
        **kwargs: Any,
    ):  # fmt: skip
        super().__init__()
        if factor >= 1.0:
            raise InvalidArgument(f"ReduceLROnPlateau needs factor < 1, got {factor}.")
        self._set_monitor(monitor, mode, min_delta)
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.wait = self.cooldown_counter = 0
        self.best: float | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.cooldown_counter = 0
        self.best = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(np.asarray(self.model.optimizer.learning_rate))
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                old = float(np.asarray(self.model.optimizer.learning_rate))
                if old > np.float32(self.min_lr):
                    new = max(old * self.factor, self.min_lr)
                    self.model.optimizer.learning_rate = new
                    if self.verbose:
                        print(
                            f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to "
                            f"{new}."
                        )
                    self.cooldown_counter = self.cooldown
                    self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether epochs are let pass after the rate was lowered."""
        return self.cooldown_counter > 0


class TerminateOnNaN(Callback):
    """Stops training when the loss is NaN or infinite.

    Args:
        raise_error: raise a `StateError` in place of stopping quietly.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> stop = keras.callbacks.TerminateOnNaN()
    >>> x, y = keras.ops.ones((4, 2)), keras.ops.full((4, 1), float("nan"))
    >>> model.fit(x, y, epochs=9, verbose=0, callbacks=[stop]).epoch
    Batch 0: Invalid loss, terminating training
    [0]
    """

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            if self.raise_error:
                raise StateError(f"Batch {batch}: the loss is {loss}.")
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True
