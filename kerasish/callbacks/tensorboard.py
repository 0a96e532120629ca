"""`TensorBoard`: losses, metrics and weights as event files, by the `tensorboard` package."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

import numpy as np

from kerasish.callbacks.base import Callback
from kerasish.errors import BackendMissing, InvalidArgument


class TensorBoard(Callback):
    """Writes what TensorBoard shows: `tensorboard --logdir logs`.

    Args:
        log_dir: the folder; training is written to `train` in it, evaluation to `validation`.
        histogram_freq: epochs between histograms of the weights; 0 for none.
        write_graph: kept for compatibility: models have no graph of TensorFlow to write.
        write_images: not offered, as are `profile_batch` and `embeddings_freq`; they are told of
            and add nothing.
        write_steps_per_second: also how many steps are made in a second.
        update_freq: "epoch", "batch", or a number of batches between values.

    >>> import kerasish as keras
    >>> keras.callbacks.TensorBoard("logs", update_freq=10).update_freq
    10
    """

    def __init__(
        self, log_dir: Any = "logs", histogram_freq: int = 0, write_graph: bool = True,
        write_images: bool = False, write_steps_per_second: bool = False,
        update_freq: Any = "epoch", profile_batch: Any = 0, embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ):  # fmt: skip
        super().__init__()
        for name, value in (
            ("write_images", write_images), ("profile_batch", profile_batch),
            ("embeddings_freq", embeddings_freq), ("embeddings_metadata", embeddings_metadata),
        ):
            if value:
                warnings.warn(
                    f"TensorBoard writes scalars and histograms; {name}={value!r} is not offered "
                    "and adds nothing. Profiles are made by the engine's own profiler.",
                    stacklevel=2,
                )
        if update_freq not in ("epoch", "batch") and not isinstance(update_freq, int):
            raise InvalidArgument(
                f"update_freq is 'epoch', 'batch' or a number of batches, got {update_freq!r}."
            )
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_steps_per_second = write_steps_per_second
        self.update_freq: Any = 1 if update_freq == "batch" else update_freq
        self._writers: dict[str, Any] = {}
        self._steps = self._batches = 0
        self._training = False
        if self.update_freq != "epoch":
            self.on_train_batch_end = self._after_batch

    def _write(self, part: str, tag: str, value: Any, step: int, histogram: bool = False) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.plugins.histogram.summary_v2 import histogram_pb
            from tensorboard.plugins.scalar.summary_v2 import scalar_pb
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            raise BackendMissing(
                "The TensorBoard callback needs tensorboard: pip install tensorboard."
            ) from None
        if part not in self._writers:
            self._writers[part] = EventFileWriter(os.path.join(self.log_dir, part))
        summary = histogram_pb(tag, value) if histogram else scalar_pb(tag, float(value))
        self._writers[part].add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def _write_all(self, part: str, form: str, logs: Any, step: int) -> None:
        for name, value in (logs or {}).items():
            if np.ndim(value) == 0:
                self._write(part, form.format(name), value, step)

    def _iterations(self) -> int:
        optimizer = getattr(self.model, "optimizer", None)
        return 0 if optimizer is None else int(np.asarray(optimizer.iterations))

    def on_train_begin(self, logs: Any = None) -> None:
        self._training = True
        self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._steps, self._began = self._iterations(), time.perf_counter()

    def _after_batch(self, batch: int, logs: Any = None) -> None:
        self._batches += 1
        if self._batches % self.update_freq == 0:
            self._write_all("train", "batch_{}", logs, self._batches)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = dict(logs or {})
        seen = {k[4:]: v for k, v in logs.items() if k.startswith("val_")}
        own = {k: v for k, v in logs.items() if not k.startswith("val_")}
        if (optimizer := getattr(self.model, "optimizer", None)) is not None:
            own["learning_rate"] = float(np.asarray(optimizer.learning_rate))
        if self.write_steps_per_second:
            seconds = time.perf_counter() - self._began
            own["steps_per_second"] = (self._iterations() - self._steps) / max(seconds, 1e-9)
        self._write_all("train", "epoch_{}", own, epoch)
        self._write_all("validation", "epoch_{}", seen, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for weight in self.model.weights:
                self._write("train", f"{weight.path}/histogram", weight.numpy(), epoch, True)
        self._flush()

    def on_test_end(self, logs: Any = None) -> None:
        self._write_all("validation", "evaluation_{}_vs_iterations", logs, self._iterations())
        if not self._training:
            self._close()

    def on_train_end(self, logs: Any = None) -> None:
        self._training = False
        self._close()

    def _flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
