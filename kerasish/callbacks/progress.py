"""Progress bars that are right in a terminal, in a notebook and in a log file."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasish.callbacks.base import Callback

_interactive: bool | None = None


def enable_interactive_logging() -> None:
    """Shows progress with bars on standard output (the default).

    >>> import kerasish as keras
    >>> keras.utils.enable_interactive_logging()
    >>> keras.utils.is_interactive_logging_enabled()
    True
    """
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """Shows one line for each epoch in place of bars.

    >>> import kerasish as keras
    >>> keras.utils.disable_interactive_logging()
    >>> keras.utils.is_interactive_logging_enabled()
    False
    >>> keras.utils.enable_interactive_logging()
    """
    global _interactive
    _interactive = False


def is_interactive_logging_enabled() -> bool:
    """Whether `verbose="auto"` shows bars.

    >>> import kerasish as keras
    >>> keras.utils.is_interactive_logging_enabled()
    True
    """
    return True if _interactive is None else _interactive


def resolve_verbose(verbose: Any) -> int:
    """0, 1 or 2; "auto" is a bar, or a line for each epoch where bars are disabled."""
    if verbose == "auto":
        return 1 if is_interactive_logging_enabled() else 2
    return int(verbose)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "ZMQ" in type(shell).__name__


def _dynamic() -> bool:
    """Whether the output can rewrite its line: a terminal or a notebook cell, not a file."""
    return _in_notebook() or bool(getattr(sys.stdout, "isatty", lambda: False)())


class Progbar:
    """A line that shows how far something is, with averages.

    Args:
        target: the number of steps, `None` where it is unknown.
        width: characters of the bar.
        verbose: 0 silent, 1 bar, 2 one line at the end.
        interval: seconds between redraws.
        stateful_metrics: kept for compatibility; values are shown as they are.
        stateless_metrics: names whose values are averaged over the steps.
        unit_name: what a step is called.

    In a file or pipe nothing is rewritten: one line is printed at the end.

    >>> import kerasish as keras
    >>> bar = keras.utils.Progbar(target=3, verbose=2)
    >>> for step in range(1, 4):
    ...     bar.update(step, [("loss", 1 / 2**step)])
    3/3 - 0s - ...s/step - loss: 0.1250
    """

    def __init__(
        self, target: int | None, width: int = 20, verbose: int = 1, interval: float = 0.05,
        stateful_metrics: Any = None, stateless_metrics: Any = None, unit_name: str = "step",
    ):  # fmt: skip
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.stateful_metrics = set(stateful_metrics or ())
        self.stateless_metrics = set(stateless_metrics or ())
        self.unit_name = unit_name
        self._sums: dict[str, list[float]] = {}
        self._start = time.perf_counter()
        self._shown = 0.0
        self._seen = 0
        self._length = 0
        self._dynamic = _dynamic()

    def due(self, now: float | None = None) -> bool:
        """Whether a redraw would show now."""
        if self.verbose != 1 or not self._dynamic:
            return False
        return (now or time.perf_counter()) - self._shown >= self.interval

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """Shows `current` steps done; `values` are pairs (name, value)."""
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            if name not in self.stateless_metrics:
                self._sums[name] = [float(value), 1.0]
            else:
                total = self._sums.setdefault(name, [0.0, 0.0])
                steps = max(current - self._seen, 1)
                total[0] += float(value) * steps
                total[1] += steps
        self._seen = current
        now = time.perf_counter()
        if self.verbose == 0 or (not finalize and not self.due(now)):
            return
        self._shown = now
        line = self._line(current, now - self._start, finalize)
        if self.verbose == 1 and self._dynamic:
            pad = " " * max(self._length - len(line), 0)
            sys.stdout.write("\r" + line + pad + ("\n" if finalize else ""))
            self._length = len(line)
        elif finalize:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def add(self, n: int, values: Any = None) -> None:
        """Advances by `n` steps."""
        self.update(self._seen + n, values)

    def _line(self, current: int, seconds: float, done: bool) -> str:
        parts = []
        if self.target is not None:
            digits = len(str(self.target))
            bar = ""
            if self.verbose == 1:
                full = int(self.width * min(current / max(self.target, 1), 1.0))
                bar = " " + "━" * full + ("─" * (self.width - full))
            parts.append(f"{current:>{digits}}/{self.target}{bar}")
        else:
            parts.append(f"{current}/Unknown")
        per_step = seconds / max(current, 1)
        if done or self.target is None:
            between = " - " if self.verbose == 2 else " "
            parts.append(f"{_span(seconds)}{between}{_precise(per_step)}/{self.unit_name}")
        else:
            left = per_step * (self.target - current)
            parts.append(f"{_clock(left)} {_precise(per_step)}/{self.unit_name}")
        for name, (total, count) in self._sums.items():
            value = total / max(count, 1e-12)
            form = ".4f" if abs(value) > 1e-3 or value == 0 else ".4e"
            parts.append(f"{name}: {value:{form}}")
        return parts[0] + (" - " if self.verbose == 2 else " ") + " - ".join(parts[1:])


def _span(seconds: float) -> str:
    return f"{round(seconds)}s"


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{seconds:02d}"
    return f"{minutes}:{seconds:02d}" if minutes else f"{seconds}s"


def _precise(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


class ProgbarLogger(Callback):
    """Shows losses and metrics while a model trains; `fit` adds one where `verbose` asks for it.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> x = keras.ops.zeros((4, 2))
    >>> history = model.fit(x, x[:, :1], verbose=2, callbacks=[keras.callbacks.ProgbarLogger()])
    1/1 - ...s - ...s/step - loss: 0.0000
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar: Progbar | None = None
        self.testing = False
        self._training = False
        self._steps = 0

    def _begin(self, unit: str = "step") -> None:
        params = self.params or {}
        self.bar = Progbar(params.get("steps"), verbose=params.get("verbose", 1), unit_name=unit)
        self._steps = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._training = True

    def on_train_end(self, logs: Any = None) -> None:
        self._training = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.params and self.params["verbose"] and self.params.get("epochs", 1) > 1:
            print(f"Epoch {epoch + 1}/{self.params['epochs']}")
        self._begin()

    def advance(self, step: int, logs: Callable[[], dict[str, Any]]) -> None:
        """Counts a step; reads `logs` (which waits for the device) only when it redraws."""
        self._steps = step + 1
        if self.bar is not None and self.bar.due():
            self._show(logs(), False)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.advance(batch, lambda: logs or {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._show(logs or {}, True)

    def on_test_begin(self, logs: Any = None) -> None:
        if not self._training:
            self.testing = True
            self._begin()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.testing:
            self.advance(batch, lambda: logs or {})

    def on_test_end(self, logs: Any = None) -> None:
        if self.testing:
            self._show(logs or {}, True)
            self.testing = False

    def on_predict_begin(self, logs: Any = None) -> None:
        self._begin()

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.advance(batch, dict)

    def on_predict_end(self, logs: Any = None) -> None:
        self._show({}, True)

    def _show(self, logs: dict[str, Any], done: bool) -> None:
        if self.bar is None:
            return
        if done and self.bar.target is None:
            self.bar.target = self._steps
        values = [(k, v) for k, v in logs.items() if np.ndim(v) == 0 and not isinstance(v, dict)]
        self.bar.update(self._steps, values, finalize=done)
