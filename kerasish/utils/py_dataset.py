"""`PyDataset`: batches by index, made by threads or processes ahead of their use."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator
from typing import Any

from kerasish.errors import InvalidArgument


class PyDataset:
    """A data set that gives batches by number: define `__getitem__` and `__len__`.

    Args:
        workers: threads that make batches ahead of time; 1 makes them in the training loop.
        use_multiprocessing: use processes in place of threads (the data set must be picklable).
        max_queue_size: batches that wait at most.

    >>> import numpy as np
    >>> import kerasish as keras
    >>> class Squares(keras.utils.PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.full((2, 1), float(index))
    ...         return x, x ** 2
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> len(model.fit(Squares(), epochs=2, verbose=0).epoch)
    2
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ):
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise TypeError(f"{type(self).__name__} must define __getitem__(index): one batch.")

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} must define __len__: the number of batches.")

    @property
    def num_batches(self) -> int | None:
        """The number of batches; `None` for a data set without an end."""
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""

    def batches_for_training(self, shuffle: Any, class_weight: Any) -> Any:
        """What the trainer reads: batches in order, or shuffled as arrays are."""
        from kerasish.training.data import StreamData

        count = self.num_batches
        if count == 0:
            raise InvalidArgument(f"{type(self).__name__} is empty: it has 0 batches.")

        def epoch(number: int) -> Iterator[Any]:
            from kerasish.random import shuffle_indices

            order: Any = _naturals() if count is None else range(count)
            if count is not None and shuffle:
                order = shuffle_indices(count, number).tolist()
            return self._made_ahead(order) if self.workers > 1 else (self[i] for i in order)

        return StreamData(self, count, class_weight, epoch, count)

    def _made_ahead(self, order: Any) -> Iterator[Any]:
        """Batches in order, made by workers; an abandoned epoch stops them."""
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

        pool_class = ProcessPoolExecutor if self.use_multiprocessing else ThreadPoolExecutor
        waiting: queue.Queue[Any] = queue.Queue(maxsize=max(self.max_queue_size, 1))
        stop = threading.Event()
        pool = pool_class(self.workers)

        def put(item: Any) -> bool:
            while not stop.is_set():
                try:
                    waiting.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def feed() -> None:
            for i in order:
                if stop.is_set() or not put(pool.submit(self.__getitem__, i)):
                    return
            put(None)

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        try:
            while (future := waiting.get()) is not None:
                yield future.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _naturals() -> Iterator[int]:
    return itertools.count()

