"""Batches from whatever holds data: arrays, data frames, generators, loaders of other libraries."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from kerasish import backends, dtypes, ops, tree
from kerasish.backends.sparse import host_entries, is_scipy
from kerasish.core.op import describe
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.random import shuffle_indices


def plain(batch: Any) -> Any:
    """A batch as steps see it: a lone x stands for itself."""
    if type(batch) is tuple and len(batch) == 1 and not tree.is_nested(batch[0]):
        return batch[0]
    return batch


def pack(x: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
    """(x,), (x, y) or (x, y, sample_weight), without the trailing `None`s."""
    if sample_weight is not None:
        return x, y, sample_weight
    return (x,) if y is None else (x, y)


def unpack(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of a batch, `None` for what it lacks."""
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if len(data) > 3 or not data:
        raise InvalidArgument(
            f"A batch is x, (x, y) or (x, y, sample_weight); got a tuple of {len(data)} elements. "
            "Group several inputs in a list or dict: ([a, b], y)."
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def host(x: Any) -> Any:
    """An array-like that can be indexed by batches: ndarray, or an object with its own slicing."""
    if x is None or isinstance(x, np.ndarray):
        return x
    if hasattr(x, "to_numpy"):  # pandas
        return x.to_numpy()
    if (entries := host_entries(x)) is not None:  # rows of SciPy's can be taken, and nothing else
        x = x if is_scipy(x) else backends.host().sparse(*entries)
        if len(x.shape) != 2:
            raise ShapeError(
                f"Sparse data to cut batches from has two axes, got {describe(x)}. Give batches "
                "(a generator), or reshape the data."
            )
        return x.tocsr()
    if backends.owner(x) is not None:
        return backends.to_host(x)
    if hasattr(x, "__array__") and not hasattr(x, "__getitem__"):
        return np.asarray(x)
    if isinstance(x, list | tuple) or np.isscalar(x):
        return np.asarray(x)
    if hasattr(x, "shape") and hasattr(x, "__getitem__"):  # h5py, memory maps, ...
        return x
    return np.asarray(x)


def _leaf(x: Any) -> bool:
    """A list of numbers is one array; a list of arrays is several inputs."""
    if isinstance(x, list | tuple):
        return not any(
            hasattr(y, "shape") and getattr(y, "ndim", len(y.shape)) > 0 or isinstance(y, dict)
            for y in x
        )
    return not isinstance(x, dict)


def to_arrays(structure: Any) -> Any:
    """The same structure with array leaves."""
    if structure is None:
        return None
    if _leaf(structure):
        return host(structure)
    if hasattr(structure, "to_dict") and hasattr(structure, "columns"):
        return host(structure)
    if isinstance(structure, dict):
        return {k: to_arrays(v) for k, v in structure.items()}
    parts = [to_arrays(v) for v in structure]
    return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)


def standard(x: Any) -> Any:
    """A batch array in the dtypes that training uses: floats as floatx, strings and sparse arrays
    as the engine takes them, the rest unchanged."""
    if is_scipy(x):
        if x.dtype == np.float64:
            x = x.astype(dtypes.numpy_dtype(dtypes.standardize(None)))
        return backends.active.convert(x)
    if x is None or not isinstance(x, np.ndarray):
        return x
    if x.dtype.kind in "OUS":
        return backends.active.strings(x)
    if x.dtype.kind == "f" and x.dtype.itemsize == 8 or x.dtype == np.float16:
        return x.astype(dtypes.numpy_dtype(dtypes.standardize(None)))
    return x


def whole(name: str, value: Any, least: int) -> int:
    """An argument that counts something."""
    try:
        if (count := operator.index(value)) >= least:
            return count
    except TypeError:
        pass
    raise InvalidArgument(f"{name} must be an integer of at least {least}, got {value!r}.")


class ArrayData:
    """In-memory arrays, read batch by batch and never copied whole."""

    def __init__(
        self, x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None,
        shuffle: Any = False, class_weight: Any = None, steps: int | None = None,
    ):  # fmt: skip
        self.data = pack(*(to_arrays(part) for part in (x, y, sample_weight)))
        leaves = [a for a in tree.flatten(self.data) if a is not None]
        self.size = _common_length(self.data, leaves)
        self.batch_size = 32 if batch_size is None else whole("batch_size", batch_size, 1)
        self.shuffle = shuffle
        self.class_weight = class_weight
        self._check_kinds(leaves)
        self._flat = class_weight is None and all(isinstance(a, np.ndarray) for a in self.data)
        self.steps = math.ceil(self.size / self.batch_size)
        self._pass, self._next = 0, 0
        """The epoch whose order of the samples is read, and the step of it that comes next."""

    def _check_kinds(self, leaves: list[Any]) -> None:
        for a in leaves:
            if isinstance(a, np.ndarray) and a.dtype.kind == "O" and not all(
                isinstance(e, str | bytes) for e in a.ravel()
            ):
                raise InvalidArgument(
                    "The data holds Python objects (dtype object): samples of unequal lengths or "
                    "mixed types. Pad sequences with keras.utils.pad_sequences, and make every "
                    "column numeric."
                )

    def batches(self, epoch: int = 0, limit: int | None = None) -> Iterator[Any]:
        for _, batch in self.groups(epoch, limit, 1):
            yield batch

    def groups(
        self, epoch: int, limit: int | None, together: int
    ) -> Iterator[tuple[int, Any]]:
        """(n, batches): `together` full batches stacked along a new first axis, or 1 as it is."""
        if epoch == 0 or limit is None or self._next >= self.steps:
            self._pass, self._next = epoch, 0
        step, order = self._next, None  # a shorter epoch than the data goes on where one ended
        if self.shuffle == "batch":
            order = _batch_order(self.size, self.batch_size, self._pass)
        elif self.shuffle:
            order = shuffle_indices(self.size, self._pass)
        steps = self._next = self.steps if limit is None else min(step + limit, self.steps)
        full = min(steps, self.size // self.batch_size)
        while step < steps:
            n = together if step + together <= full else 1
            low = step * self.batch_size
            high = min(low + n * self.batch_size, self.size)
            batch = self._read(slice(low, high) if order is None else order[low:high])
            if n > 1:
                batch = tree.map_structure(
                    lambda a, n=n: None if a is None else a.reshape(n, -1, *a.shape[1:]), batch
                )
            yield n, batch
            step += n

    def _read(self, chosen: Any) -> Any:
        if self._flat:
            return tuple([_take(a, chosen) for a in self.data])
        batch = tree.map_structure(lambda a: _take(a, chosen), self.data)
        return _weigh(batch, self.class_weight)

    @property
    def stackable(self) -> bool:
        """Whether several batches can be one array with an axis more."""
        return all(
            a is None or isinstance(a, np.ndarray) and a.dtype.kind not in "OUS"
            for a in tree.flatten(self.data)
        )

    def nbytes(self) -> int:
        """The size of a batch in bytes."""
        return sum(
            a.nbytes // self.size for a in tree.flatten(self.data) if a is not None
        ) * self.batch_size


_CHANGED = "edgOUS"
"""The type characters of NumPy's dtypes that `standard` may change."""


def _take(a: Any, chosen: Any) -> Any:
    if a is None:
        return None
    if type(a) is np.ndarray:
        part = a[chosen] if type(chosen) is slice else a.take(chosen, 0)
        return standard(part) if part.dtype.char in _CHANGED else part
    if is_scipy(a):
        return standard(a[chosen])
    if isinstance(chosen, np.ndarray):
        order = np.argsort(chosen)  # h5py wants increasing indices
        return standard(np.asarray(a[chosen[order]])[np.argsort(order)])
    return standard(np.asarray(a[chosen]))


def _batch_order(size: int, batch_size: int, epoch: int) -> np.ndarray:
    starts = shuffle_indices(size // batch_size, epoch) * batch_size
    whole = (starts[:, None] + np.arange(batch_size)).ravel()
    return np.concatenate([whole, np.arange(len(whole), size)])


def _common_length(data: tuple[Any, ...], leaves: list[Any]) -> int:
    if not leaves:
        raise InvalidArgument("There is no data: x is None.")
    for a in leaves:
        if not len(np.shape(a) if not hasattr(a, "shape") else a.shape):
            raise ShapeError(
                f"Data must have a batch axis first, got a scalar {a!r}. For one sample give "
                "np.array([x])."
            )
    lengths = [int(a.shape[0]) for a in leaves]
    if len(set(lengths)) > 1:
        names = ("x", "y", "sample_weight")
        told = ", ".join(
            f"{name}: {[int(a.shape[0]) for a in tree.flatten(part) if a is not None]}"
            for name, part in zip(names, data, strict=False)
        )
        raise ShapeError(f"All arrays must have the same number of samples, got {told}.")
    if lengths[0] == 0:
        raise InvalidArgument("The data is empty: 0 samples.")
    return lengths[0]


def _weigh(batch: tuple[Any, ...], class_weight: dict[int, float] | None) -> tuple[Any, ...]:
    """Turns class weights into sample weights."""
    if class_weight is None:
        return batch
    x, y, sample_weight = unpack(batch)
    weights = class_weights_of(y, class_weight)
    if sample_weight is not None:
        weights = weights * np.asarray(sample_weight)
    return x, y, weights


def class_weights_of(y: Any, class_weight: dict[int, float]) -> np.ndarray:
    """The weight of each sample's class."""
    if not isinstance(class_weight, dict) or not all(
        isinstance(label, int | float | np.number) for label in class_weight
    ):
        raise InvalidArgument(
            "class_weight is a dict from the number of a class to its weight, like {0: 1.0, "
            f"1: 5.0}}; got {class_weight!r}."
        )
    leaves = tree.flatten(y)
    if len(leaves) != 1:
        raise InvalidArgument(
            f"class_weight needs targets with a single output, got {len(leaves)}. Give "
            "sample_weight for several outputs."
        )
    labels = np.asarray(backends.to_host(leaves[0]))
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(-1)
    labels = np.round(labels).astype("int64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    top = int(max(max(class_weight), labels.max(initial=0)))
    table = np.ones(top + 1, dtypes.numpy_dtype(dtypes.standardize(None)))
    for label, weight in class_weight.items():
        table[int(label)] = weight
    return table[labels]


class StreamData:
    """An iterable of batches: a generator, a loader of torch, tf.data, grain, Hugging Face, ..."""

    def __init__(
        self, source: Any, steps: int | None = None, class_weight: Any = None,
        restart: Callable[[int], Iterable[Any]] | None = None, size: int | None = None,
    ):  # fmt: skip
        self.source = source
        self.class_weight = class_weight
        self.restart = restart
        self._length = size
        self.steps = size if size is not None else steps
        self.size = None
        self.shuffle = False
        self.batch_size = None
        self._running: Any = None
        self._first: list[Any] = []
        self._begun = False

    def rewind(self) -> None:
        """Begins anew, where that can be done: the same batches are measured each time."""
        if self.restart is not None:
            self._running, self._first = None, []

    def peek(self) -> Any:
        """The first batch, which stays to be read."""
        if not self._first:
            self._begin()
            iterator = self._iterator(0)
            try:
                self._first.append(next(iterator))
            except StopIteration:
                raise InvalidArgument("The data is empty: its iterator gave no batch.") from None
        return self._first[0]

    def _iterator(self, epoch: int) -> Iterator[Any]:
        if self._running is None:
            source = self.restart(epoch) if self.restart else self.source
            self._running = iter(source)
        return self._running

    def batches(self, epoch: int = 0, limit: int | None = None) -> Iterator[Any]:
        step, ended = 0, object()
        self._begin()
        goes_on = self._running is not None and self.restart is not None
        while limit is None or step < limit:
            batch = self._first.pop() if self._first else next(self._iterator(epoch), ended)
            if batch is ended:
                self._running = None
                if goes_on and step == 0:  # the epoch before had read to the last batch
                    goes_on = False
                    continue
                break
            step += 1
            yield _weigh(self._to_batch(batch), self.class_weight)
        if limit is not None and limit == self._length:
            self._running = None
        self._begun = False
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def _begin(self) -> None:
        """Tells a `PyDataset` of the epoch, before its first batch is made."""
        if not self._begun and hasattr(self.source, "on_epoch_begin"):
            self.source.on_epoch_begin()
        self._begun = True

    def _to_batch(self, batch: Any) -> Any:
        parts = batch if isinstance(batch, tuple | list) else (batch,)
        if isinstance(batch, list) and len(batch) > 3:
            parts = (batch,)
        alone = isinstance(batch, dict)  # steps see it as it is

        def one(x: Any) -> Any:
            if is_scipy(x):
                return standard(x)
            if x is None or backends.active.owns(x):
                return x
            if host_entries(x) is not None:
                return backends.active.convert(x)
            if hasattr(x, "to_numpy"):
                x = x.to_numpy()
            owner = backends.owner(x)
            if owner is not None:
                x = owner.to_host(x)
            elif hasattr(x, "detach") and hasattr(x, "cpu"):
                x = x.detach().cpu().numpy()
            elif hasattr(x, "numpy") and not isinstance(x, np.ndarray):
                x = x.numpy()
            return standard(np.asarray(x))

        found = tuple(
            tree.map_structure(one, p) if not _plain_list(p) else one(np.asarray(p))
            for p in parts
        )
        return found[0] if alone else found


def _plain_list(x: Any) -> bool:
    return isinstance(x, list) and bool(x) and isinstance(x[0], int | float | bool | str)


def make(
    x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None,
    steps: int | None = None, shuffle: Any = False, class_weight: Any = None,
) -> ArrayData | StreamData:  # fmt: skip
    """The right reader for what `fit`, `evaluate` or `predict` was given."""
    if isinstance(x, ArrayData):
        return x
    if isinstance(x, StreamData):
        x.rewind()
        return x
    if is_stream(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise InvalidArgument(
                    f"`{name}` must not be given when x is a {type(x).__name__}, whose batches "
                    f"hold it: (x, y) or (x, y, sample_weight)."
                )
        if hasattr(x, "batches_for_training"):  # PyDataset
            return x.batches_for_training(shuffle, class_weight)
        again = hasattr(x, "__iter__") and not hasattr(x, "__next__")
        size = None
        if hasattr(x, "cardinality"):
            n = int(x.cardinality())
            size = n if n > 0 else None
        elif again and hasattr(x, "__len__"):
            size = len(x)
        return StreamData(x, steps, class_weight, (lambda _: x) if again else None, size)
    return ArrayData(x, y, sample_weight, batch_size, shuffle, class_weight)


def is_stream(x: Any) -> bool:
    """Whether x gives batches itself, rather than holding all samples."""
    if x is None or isinstance(x, np.ndarray | list | tuple | dict | str):
        return False
    if hasattr(x, "shape") or hasattr(x, "to_numpy") or hasattr(x, "tocsr"):
        return False
    return hasattr(x, "__iter__") or hasattr(x, "__next__") or hasattr(x, "__getitem__")


def len_of(x: Any) -> Any:
    """The batch size of a tensor, as a number where it is known."""
    n = x.shape[0] if len(x.shape) else 1
    return n if n is not None else ops.shape(x)[0]


def split(arrays: Any, fraction: float) -> tuple[Any, Any]:
    """The arrays without, and with only, their last `fraction`."""
    leaves = [a for a in tree.flatten(arrays) if a is not None]
    size = _common_length((arrays,), leaves)
    if not isinstance(fraction, numbers.Real) or not 0 < fraction < 1:
        raise InvalidArgument(
            f"validation_split is the part of the samples to validate with, between 0 and 1, got "
            f"{fraction!r}."
        )
    at = int(math.floor(size * (1.0 - fraction)))
    if at == 0 or at == size:
        raise InvalidArgument(
            f"validation_split={fraction} of {size} samples leaves "
            f"{'none to train on' if at == 0 else 'none to validate with'}. Choose another split."
        )
    first = tree.map_structure(lambda a: None if a is None else a[:at], arrays)
    return first, tree.map_structure(lambda a: None if a is None else a[at:], arrays)
