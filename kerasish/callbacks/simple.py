"""Small callbacks: logs to a file, functions as hooks, schedules of the learning rate."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish import backends
from kerasish.callbacks.base import Callback
from kerasish.errors import InvalidArgument


class LambdaCallback(Callback):
    """Functions as hooks.

    Args:
        on_epoch_begin, on_epoch_end: called with `(epoch, logs)`.
        on_train_begin, on_train_end: called with `(logs)`.
        on_train_batch_begin, on_train_batch_end: called with `(batch, logs)`.
        **kwargs: any other hook of `Callback`.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, *logs))
    >>> x = keras.ops.ones((4, 2))
    >>> history = model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=[tell])
    0 loss
    1 loss
    """

    def __init__(
        self, on_epoch_begin: Any = None, on_epoch_end: Any = None, on_train_begin: Any = None,
        on_train_end: Any = None, on_train_batch_begin: Any = None,
        on_train_batch_end: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__()
        hooks = {
            "on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin, "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end, **kwargs,
        }  # fmt: skip
        for name, function in hooks.items():
            if function is not None:
                setattr(self, name, function)


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch, and logs it as `learning_rate`.

    Args:
        schedule: a function `(epoch, learning rate) -> learning rate`, or of the epoch alone.
        verbose: 1 tells each value.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile("sgd", loss="mse")
    >>> halve = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch)
    >>> x = keras.ops.ones((4, 2))
    >>> model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[halve]).history["learning_rate"]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if not hasattr(self.model.optimizer, "learning_rate"):
            raise InvalidArgument('The optimizer has no "learning_rate".')
        rate = _rate(self.model)
        try:
            new = self.schedule(epoch, rate)
        except TypeError:  # a function of the epoch alone
            new = self.schedule(epoch)
        given, new = new, np.asarray(backends.to_host(new))
        if new.ndim or new.dtype.kind != "f":
            raise InvalidArgument(
                f"The schedule of LearningRateScheduler must return a float, got {given!r}."
            )
        self.model.optimizer.learning_rate = float(new)
        if self.verbose:
            print(
                f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to "
                f"{float(new)}."
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = _rate(self.model)


def _rate(model: Any) -> float:
    return float(np.asarray(model.optimizer.learning_rate))


class CSVLogger(Callback):
    """Writes the logs of each epoch as a row of a CSV file.

    Args:
        filename: the file.
        separator: between values.
        append: add to an existing file.

    >>> import pathlib, tempfile
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile(loss="mse")
    >>> x, y = keras.ops.zeros((4, 2)), keras.ops.zeros((4, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = keras.callbacks.CSVLogger(f"{folder}/log.csv")
    ...     history = model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[log])
    ...     pathlib.Path(folder, "log.csv").read_text().splitlines()
    ['epoch,loss,val_loss', '0,0.0,0.0']
    """

    def __init__(self, filename: str, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename = filename
        self.separator = separator
        self.append = append
        self._file: Any = None
        self._writer: Any = None
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        has_header = False
        if self.append:
            try:
                with open(self.filename) as file:
                    has_header = bool(file.readline())
            except FileNotFoundError:
                pass
        self._has_header = has_header
        self._file = open(self.filename, "a" if self.append else "w", newline="")
        self._writer = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        if self._writer is None:
            self.keys = sorted(logs)
            # Epochs without validation leave its columns empty.
            if not any(k.startswith("val_") for k in self.keys):
                self.keys += [f"val_{k}" for k in self.keys]
            self._writer = csv.DictWriter(
                self._file, ["epoch", *self.keys], delimiter=self.separator, restval="NA",
                extrasaction="ignore",
            )
            if not self._has_header:
                self._writer.writeheader()
        row = {k: v if np.ndim(v) == 0 else f'"[{", ".join(map(str, v))}]"'
               for k, v in logs.items()}  # fmt: skip
        self._writer.writerow({"epoch": epoch, **row})
        self._file.flush()

    def on_train_end(self, logs: Any = None) -> None:
        self._file.close()
        self._writer = None


class RemoteMonitor(Callback):
    """Posts the logs of each epoch to a server; warns where it cannot be reached.

    Args:
        root, path: the address.
        field: the form field that carries the JSON.
        headers: HTTP headers.
        send_as_json: send a JSON body in place of a form.

    >>> import kerasish as keras
    >>> monitor = keras.callbacks.RemoteMonitor("http://localhost:9000", send_as_json=True)
    >>> monitor.root + monitor.path
    'http://localhost:9000/publish/epoch/end/'
    """

    def __init__(
        self, root: str = "http://localhost:9000", path: str = "/publish/epoch/end/",
        field: str = "data", headers: Any = None, send_as_json: bool = False,
    ):  # fmt: skip
        super().__init__()
        self.root, self.path, self.field = root, path, field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        import urllib.parse
        import urllib.request
        import warnings

        send = {"epoch": epoch, **{k: float(v) for k, v in (logs or {}).items()}}
        if self.send_as_json:
            body = json.dumps(send).encode()
            headers = {"Content-Type": "application/json", **(self.headers or {})}
        else:
            body = urllib.parse.urlencode({self.field: json.dumps(send)}).encode()
            headers = dict(self.headers or {})
        try:
            urllib.request.urlopen(
                urllib.request.Request(self.root + self.path, body, headers), timeout=10
            ).close()
        except OSError as error:
            warnings.warn(f"RemoteMonitor could not reach {self.root}: {error}", stacklevel=2)
