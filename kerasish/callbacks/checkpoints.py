"""Callbacks that keep models: checkpoints, backups to resume from, averaged weights."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from kerasish.callbacks.base import Callback
from kerasish.callbacks.monitoring import _Monitor
from kerasish.errors import InvalidArgument


class _Saves:
    """What saves after epochs, or every so many batches: `_save(epoch, batch, logs)`."""

    _save: Callable[[int, int | None, Any], None]

    def _set_frequency(self, save_freq: Any) -> None:
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise InvalidArgument(f"save_freq is 'epoch' or a number of batches, got {save_freq!r}")
        self.save_freq: Any = save_freq
        self._epoch = self._unsaved = 0
        self._last = -1
        if save_freq == "epoch":
            self._at_rest = (_Saves.on_train_batch_end,)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch, self._last = epoch, -1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            return
        self._unsaved += batch - self._last  # several, with steps_per_execution
        self._last = batch
        if self._unsaved >= self.save_freq:
            self._unsaved = 0
            self._save(self._epoch, batch, logs)


class ModelCheckpoint(_Saves, _Monitor):
    """Saves the model or its weights after epochs (or every so many batches).

    Args:
        filepath: the file; `{epoch}` and logged values may be named in it.
        monitor: the logged value that tells which epoch is best.
        verbose: 1 tells about it.
        save_best_only: only when the value has improved.
        save_weights_only: weights, in a path ending in `.weights.h5`.
        mode: "min", "max" or "auto".
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: the value to beat at first.

    >>> import os, tempfile
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> x = keras.ops.ones((4, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     keep = keras.callbacks.ModelCheckpoint(os.path.join(folder, "{epoch}.keras"))
    ...     history = model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=[keep])
    ...     sorted(os.listdir(folder))
    ['1.keras', '2.keras']
    """

    def __init__(
        self, filepath: Any, monitor: str = "val_loss", verbose: int = 0,
        save_best_only: bool = False, save_weights_only: bool = False, mode: str = "auto",
        save_freq: Any = "epoch", initial_value_threshold: float | None = None,
    ):  # fmt: skip
        super().__init__()
        self._set_monitor(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self._set_frequency(save_freq)
        self.best = initial_value_threshold
        endings = (".weights.h5",) if save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(endings):
            raise InvalidArgument(
                f"ModelCheckpoint(save_weights_only={save_weights_only}) needs a path ending in "
                f"{endings[0]}, got {self.filepath!r}."
            )

    def _save(self, epoch: int, batch: int | None, logs: Any) -> None:
        logs = logs or {}
        told = ""
        if self.save_best_only:
            value = self.get_monitor_value(logs)
            if value is None:
                return
            best = "None" if self.best is None else f"{self.best:.5f}"
            if not self._is_improvement(value, self.best):
                if self.verbose:
                    print(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {best}")
                return
            told = f"{self.monitor} improved from {best} to {value:.5f}, "
            self.best = value
        names = {"epoch": epoch + 1, **logs}
        if batch is not None:
            names["batch"] = batch + 1
        try:
            path = self.filepath.format(**names)
        except KeyError as error:
            raise InvalidArgument(
                f"The path {self.filepath!r} names {error}, which is not logged: {sorted(names)}."
            ) from None
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: {told}saving model to {path}")
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: finished saving model to {path}")


class BackupAndRestore(_Saves, Callback):
    """Lets an interrupted `fit` go on where it was: weights, optimizer, epoch.

    Args:
        backup_dir: the folder of the backup.
        save_freq: "epoch", or a number of batches.
        double_checkpoint: keep the backup before as well.
        delete_checkpoint: delete the backup when training has ended.

    >>> import tempfile
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> x = keras.ops.ones((4, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     backup = keras.callbacks.BackupAndRestore(folder, delete_checkpoint=False)
    ...     first = model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=[backup])
    ...     second = model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[backup])
    >>> first.epoch, second.epoch
    ([0, 1], [2])
    """

    def __init__(
        self, backup_dir: Any, save_freq: Any = "epoch", double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):  # fmt: skip
        super().__init__()
        if not os.fspath(backup_dir):
            raise InvalidArgument("BackupAndRestore needs a folder.")
        self._set_frequency(save_freq)
        self.backup_dir = pathlib.Path(os.fspath(backup_dir))
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint

    @property
    def _weights(self) -> pathlib.Path:
        return self.backup_dir / "latest.weights.h5"

    @property
    def _meta(self) -> pathlib.Path:
        return self.backup_dir / "training_metadata.json"

    def on_train_begin(self, logs: Any = None) -> None:
        if self._weights.exists() and self._meta.exists():
            if not self.model.built:
                raise InvalidArgument("BackupAndRestore needs a built model: call it on data once.")
            self.model.load_weights(self._weights)
            told = json.loads(self._meta.read_text())
            self.model._initial_epoch = int(told["epoch"])

    def _save(self, epoch: int, batch: int | None, logs: Any) -> None:
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self._weights.exists():
            shutil.copy(self._weights, self.backup_dir / "previous.weights.h5")
        self.model.save_weights(self._weights, overwrite=True)
        temporary = self._meta.with_suffix(".tmp")
        temporary.write_text(json.dumps({"epoch": epoch + (batch is None)}))
        os.replace(temporary, self._meta)

    def on_train_end(self, logs: Any = None) -> None:
        if self.delete_checkpoint:
            shutil.rmtree(self.backup_dir, ignore_errors=True)


class SwapEMAWeights(Callback):
    """Evaluates with the optimizer's averaged weights in place of the current ones.

    Args:
        swap_on_epoch: also swap at the end of each epoch, for callbacks that save.

    >>> import kerasish as keras
    >>> dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    >>> model = keras.Sequential([dense])
    >>> model.compile(keras.optimizers.SGD(0.25, use_ema=True, ema_momentum=0.5), loss="mse")
    >>> x = keras.ops.ones((1, 1))
    >>> losses = [model.train_on_batch(x, x) for _ in range(2)]
    >>> swap = keras.callbacks.SwapEMAWeights()
    >>> model.predict(x, verbose=0).item(), model.predict(x, verbose=0, callbacks=[swap]).item()
    (0.75, 0.625)
    """

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._held: list[Any] | None = None
        """The current weights, while the model has the averages."""

    def _swap(self) -> None:
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if not optimizer.use_ema:
            raise InvalidArgument("SwapEMAWeights needs an optimizer with use_ema=True.")
        variables = self.model.trainable_variables
        self._held = [v.numpy().copy() for v in variables]
        for v, average in zip(variables, optimizer._model_variables_moving_average, strict=True):
            v.assign(average.numpy())

    def _swap_back(self) -> None:
        if self._held is not None:
            for v, value in zip(self.model.trainable_variables, self._held, strict=True):
                v.assign(value)
        self._held = None

    def on_test_begin(self, logs: Any = None) -> None:
        if self._held is None and self.model.optimizer is not None:
            self._swap()

    def on_test_end(self, logs: Any = None) -> None:
        self._swap_back()

    on_predict_begin = on_test_begin
    on_predict_end = on_test_end

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch and self._held is None:
            self._swap()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._swap_back()

    def on_train_end(self, logs: Any = None) -> None:
        self._held = None  # the averages are what training ends with
