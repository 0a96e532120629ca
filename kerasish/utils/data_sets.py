"""Data sets made of arrays and of folders of files, read batch by batch.

They are `PyDataset`s, which need NumPy alone; on the TensorFlow backend `tf.data.Dataset`s.
"""

from __future__ import annotations

import pathlib
import wave
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kerasish import backends, tree
from kerasish.errors import BackendMissing, FileMissing, InvalidArgument, ShapeError
from kerasish.utils.images import _COLORS, _INTERPOLATIONS, img_to_array, load_img
from kerasish.utils.py_dataset import PyDataset

_PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


class Samples(PyDataset):
    """Samples by number, read when they are asked for, one by one or in batches.

    Args:
        order: the numbers of the samples, in their order.
        read: gives the samples of an array of numbers, stacked.
        batch_size: how many make a batch; `None` gives them one by one.
        shuffle: a new order for each epoch.
        seed: of the orders.
    """

    lengths_vary = False
    """Whether axis 1 differs from batch to batch."""

    def __init__(
        self, order: Any, read: Callable[[np.ndarray], Any], batch_size: int | None = None,
        shuffle: bool = False, seed: int | None = None,
    ):  # fmt: skip
        super().__init__()
        self._order = np.array(order, "int64")
        self._read = read
        self.batch_size = batch_size
        self._mixed = shuffle
        self._random = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._order) // (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"There are {len(self)} batches, asked for number {index}.")
        index %= len(self)
        if self.batch_size is None:
            return tree.map_structure(lambda x: x[0], self._read(self._order[index : index + 1]))
        return self._read(self._order[index * self.batch_size : (index + 1) * self.batch_size])

    def __iter__(self) -> Any:
        yield from (self[i] for i in range(len(self)))
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        if self._mixed:
            self._random.shuffle(self._order)

    def batch(self, batch_size: int) -> Samples:
        """The same samples in batches."""
        return Samples(self._order, self._read, batch_size)

    def unbatch(self) -> Samples:
        """The same samples one by one."""
        return Samples(self._order, self._read)

    def map(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Mapped:
        """The results of a function of each element (a tuple is given as several arguments)."""
        return Mapped(self, function)

    def take(self, count: int) -> Mapped:
        """The first elements."""
        return Mapped(self, stop=count)

    def skip(self, count: int) -> Mapped:
        """The elements after the first ones."""
        return Mapped(self, start=count)

    def shuffle(self, buffer_size: int = 0, seed: int | None = None, **kwargs: Any) -> Samples:
        """The elements in a new order for each epoch."""
        return Mapped(self, mixed=True, seed=seed)

    def cache(self, *args: Any, **kwargs: Any) -> Samples:
        """The data set itself, as are `prefetch` and `with_options`: it is read when asked for."""
        return self

    prefetch = with_options = cache

    def cardinality(self) -> int:
        """How many elements there are."""
        return len(self)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """Over the elements, as NumPy arrays."""
        return (tree.map_structure(backends.to_host, x) for x in self)


class Mapped(Samples):
    """Elements `start` to `stop` of another data set, each put through a function."""

    def __init__(
        self, source: Samples, function: Callable[..., Any] | None = None, start: int = 0,
        stop: int | None = None, mixed: bool = False, seed: int | None = None,
    ):  # fmt: skip
        PyDataset.__init__(self)
        self._source, self._function = source, function
        self._chosen = np.arange(len(source))[start : None if stop is None or stop < 0 else stop]
        self.batch_size = source.batch_size
        self._mixed, self._random = mixed, np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> Any:
        element = self._source[int(self._chosen[index])]
        if self._function is None:
            return element
        return self._function(*element) if isinstance(element, tuple) else self._function(element)

    def on_epoch_end(self) -> None:
        self._source.on_epoch_end()
        if self._mixed:
            self._random.shuffle(self._chosen)

    def batch(self, batch_size: int) -> Samples:
        if self.batch_size is not None:
            raise InvalidArgument("The data set is in batches already: unbatch() it first.")

        def read(numbers: np.ndarray) -> Any:
            rows = [tree.map_structure(backends.to_host, self[int(i)]) for i in numbers]
            return tree.map_structure(lambda *xs: np.stack(xs), *rows)

        return Samples(np.arange(len(self)), read, batch_size)

    def unbatch(self) -> Samples:
        if self.batch_size is None:
            return self
        sizes = np.cumsum([len(tree.flatten(x)[0]) for x in self])

        def read(numbers: np.ndarray) -> Any:
            rows = []
            for i in numbers:
                which = int(np.searchsorted(sizes, i, "right"))
                row = int(i) - (int(sizes[which - 1]) if which else 0)
                element = tree.map_structure(backends.to_host, self[which])
                rows.append(tree.map_structure(lambda a, row=row: a[row], element))
            return tree.map_structure(lambda *xs: np.stack(xs), *rows)

        return Samples(np.arange(sizes[-1] if len(sizes) else 0), read)


def _given(samples: Samples, format: str, told: dict[str, Any] | None = None) -> Any:
    """The data set in the form of the format and the active engine."""
    if format not in ("tf", "grain"):
        raise InvalidArgument(f"format is 'tf' or 'grain', got {format!r}.")
    if format == "grain":
        try:
            import grain
        except ImportError:
            raise BackendMissing("format='grain' needs grain: pip install grain.") from None
        result = grain.MapDataset.source(samples)
    else:
        make = backends.active.lookup("data_set")
        result = samples if make is None else make(samples)
    for name, value in (told or {}).items():
        setattr(result, name, value)
    return result


def _at(x: Any, where: np.ndarray) -> Any:
    return tree.map_structure(lambda a: a[where], x)


def split_dataset(
    dataset: Any, left_size: Any = None, right_size: Any = None, shuffle: bool = False,
    seed: int | None = None, preferred_backend: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """A data set in two parts: of batches, if it is one of batches, else of single samples.

    Args:
        dataset: an array, a tuple, list or dict of arrays of one length, or anything that gives
            samples one by one; data sets of `tf.data` and of this module may be batched.
        left_size: how many samples the first part has, or which share of them.
        right_size: the same of the second part; by default the rest.
        shuffle: mix the samples first.
        seed: of the mixing.
        preferred_backend: not needed; kept for compatibility.

    >>> import numpy as np
    >>> import kerasish as keras
    >>> left, right = keras.utils.split_dataset(np.arange(10), left_size=0.7)
    >>> len(left), [int(x) for x in right]
    (7, [7, 8, 9])
    """
    if left_size is None and right_size is None:
        raise InvalidArgument("split_dataset needs left_size or right_size.")
    batch_size = None
    if not tree.is_nested(dataset) and not hasattr(dataset, "shape"):
        if hasattr(dataset, "unbatch") and (batch_size := _batch_size(dataset)):
            dataset = dataset.unbatch()
        samples = (
            iter(dataset) if hasattr(dataset, "__iter__")
            else (dataset[i] for i in range(len(dataset)))
        )
        rows = [tree.map_structure(backends.to_host, s) for s in samples]
        if not rows:
            raise InvalidArgument("split_dataset: the data set is empty.")
        dataset = tree.map_structure(lambda *xs: np.stack([_plain(x) for x in xs]), *rows)
    else:
        plain = isinstance(dataset, list) and not any(hasattr(x, "shape") for x in dataset)
        dataset = np.asarray(dataset) if plain else tree.map_structure(
            lambda x: np.asarray(backends.to_host(x)), dataset
        )
    lengths = {len(x) for x in tree.flatten(dataset)}
    if len(lengths) != 1:
        raise ShapeError(f"split_dataset: arrays of one length are needed, got {sorted(lengths)}.")
    total = lengths.pop()

    def count(size: Any, name: str) -> Any:
        if size is None:
            return None
        wanted = round(size * total) if isinstance(size, float) else size
        if isinstance(size, float) and not 0 < size < 1 or not 0 < wanted < total:
            raise InvalidArgument(
                f"split_dataset: {name} is a share between 0 and 1 or a number of samples, fewer "
                f"than the {total} there are; got {size!r}."
            )
        return wanted

    left, right = count(left_size, "left_size"), count(right_size, "right_size")
    left = total - right if left is None else left
    right = total - left if right is None else right
    if left + right > total:
        raise InvalidArgument(
            f"split_dataset: {left} and {right} samples are more than the {total} there are."
        )
    order = np.arange(total)
    if shuffle:
        np.random.default_rng(seed).shuffle(order)

    def read(where: np.ndarray) -> Any:
        return _at(dataset, where)

    parts = order[:left], order[left : left + right]
    return tuple(_given(Samples(part, read, batch_size), "tf") for part in parts)


def _batch_size(dataset: Any) -> int | None:
    """The size of a data set's batches, `None` where it gives samples one by one."""
    if isinstance(dataset, Samples):
        return dataset.batch_size
    specs = tree.flatten(getattr(dataset, "element_spec", None))
    if not any(spec is not None and spec.shape.rank and spec.shape[0] is None for spec in specs):
        return None
    return next((len(tree.flatten(batch)[0]) for batch in dataset), None)


def _plain(x: Any) -> np.ndarray:
    return np.asarray(x.numpy() if hasattr(x, "numpy") else x)


def timeseries_dataset_from_array(
    data: Any, targets: Any, sequence_length: int, sequence_stride: int = 1,
    sampling_rate: int = 1, batch_size: int | None = 128, shuffle: bool = False,
    seed: int | None = None, start_index: int | None = None, end_index: int | None = None,
    format: str = "tf",
) -> Any:  # fmt: skip
    """Windows of a series, with the target of each.

    Args:
        data: the series; axis 0 is time.
        targets: the target of the window that begins at each time; `None` gives windows alone.
        sequence_length: how many points a window has.
        sequence_stride: how far a window begins from the one before.
        sampling_rate: how far the points of a window are apart.
        batch_size: how many windows make a batch; `None` gives them one by one.
        shuffle: mix the windows.
        seed: of the mixing.
        start_index, end_index: the part of the series that is used.
        format: `"tf"` gives a `PyDataset`, or, on the TensorFlow backend, a `tf.data.Dataset`;
            `"grain"` one of grain.

    >>> import numpy as np
    >>> import kerasish as keras
    >>> x = np.arange(6)
    >>> data = keras.utils.timeseries_dataset_from_array(x[:-3], x[3:], 2, batch_size=3)
    >>> [(w.tolist(), y.tolist()) for w, y in data]
    [([[0, 1], [1, 2]], [3, 4])]
    """
    data = np.asarray(backends.to_host(data))
    for name, n in (("sequence_length", sequence_length), ("sequence_stride", sequence_stride),
                    ("sampling_rate", sampling_rate)):  # fmt: skip
        if n < 1:
            raise InvalidArgument(f"timeseries_dataset_from_array: {name} is at least 1, got {n}.")
    start, end = start_index or 0, len(data) if end_index is None else end_index
    if not 0 <= start < end <= len(data):
        raise InvalidArgument(
            f"timeseries_dataset_from_array: the part from {start} to {end} of {len(data)} points "
            "is none."
        )
    count = end - start - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = np.asarray(backends.to_host(targets))
        count = min(count, len(targets) - start)
    if count < 1:
        raise InvalidArgument(
            f"timeseries_dataset_from_array: {end - start} points hold no window of "
            f"{sequence_length} points that are {sampling_rate} apart."
        )
    steps = np.arange(sequence_length) * sampling_rate

    def read(starts: np.ndarray) -> Any:
        windows = data[starts[:, None] + steps]
        return windows if targets is None else (windows, targets[starts])

    order = start + np.arange(0, count, sequence_stride)
    return _given(Samples(order, read, batch_size, shuffle, seed), format)


# Folders ------------------------------------------------------------------------------------------


def _listed(
    directory: Any, endings: tuple[str, ...], labels: Any, class_names: Any, follow_links: bool
) -> tuple[list[str], np.ndarray | None, list[str] | None]:
    """(paths, class numbers, class names) of the files in a folder."""
    root = pathlib.Path(directory)
    if not root.is_dir():
        raise FileMissing(f"There is no folder {str(root)!r}.")

    def files(folder: pathlib.Path) -> list[str]:
        found: list[str] = []
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or (path.is_symlink() and not follow_links):
                continue
            if path.is_dir():
                found.extend(files(path))
            elif path.name.lower().endswith(endings):
                found.append(str(path))
        return found

    if labels != "inferred":
        paths = files(root)
        if labels is None:
            return paths, None, None
        if len(labels) != len(paths):
            raise InvalidArgument(f"There are {len(labels)} labels, but {len(paths)} files.")
        return paths, np.asarray(labels), None
    folders = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if class_names is not None:
        if set(class_names) != set(folders):
            raise InvalidArgument(
                f"class_names {sorted(class_names)} are not the folders {folders} in {directory}."
            )
        folders = list(class_names)
    paths, numbers = [], []
    for i, name in enumerate(folders):
        found = files(root / name)
        paths += found
        numbers += [i] * len(found)
    return paths, np.array(numbers, "int32"), folders


def _folder(
    directory: Any, endings: tuple[str, ...], read: Callable[[list[str]], Any], labels: Any,
    label_mode: str | None, class_names: Any, batch_size: int | None, shuffle: bool,
    seed: int | None, validation_split: float | None, subset: str | None, follow_links: bool,
    format: str, verbose: bool, plain: bool = False, lengths_vary: bool = False,
) -> Any:  # fmt: skip
    """The data set, or the two of them, of a folder's files."""
    if label_mode not in ("int", "categorical", "binary", None):
        raise InvalidArgument(
            f"label_mode is 'int', 'categorical', 'binary' or None, got {label_mode!r}."
        )
    if class_names is not None and labels != "inferred":
        raise InvalidArgument("class_names need labels='inferred': classes named by folders.")
    if (validation_split is None) != (subset is None):
        raise InvalidArgument("validation_split and subset are given together, or neither.")
    if subset not in (None, "training", "validation", "both"):
        raise InvalidArgument(f"subset is 'training', 'validation' or 'both', got {subset!r}.")
    if validation_split is not None and not 0 < validation_split < 1:
        raise InvalidArgument(f"validation_split is between 0 and 1, got {validation_split}.")
    if subset is not None and shuffle and seed is None:
        raise InvalidArgument(
            "With validation_split and shuffle give a seed, so that no file is in both parts."
        )
    if labels is None:
        label_mode = None
    paths, numbers, names = _listed(directory, endings, labels, class_names, follow_links)
    if not paths:
        raise InvalidArgument(f"There are no files that end in {endings} in {str(directory)!r}.")
    classes = len(names) if names is not None else 0 if numbers is None else len(set(numbers))
    if label_mode == "binary" and classes != 2:
        raise InvalidArgument(f"label_mode='binary' needs 2 classes, got {classes}.")
    if verbose:
        print(f"Found {len(paths)} files" + (f" of {classes} classes." if classes else "."))
    targets: Any = numbers
    if label_mode == "categorical":
        targets = (targets[:, None] == np.arange(classes)).astype("float32")
    elif label_mode == "binary":
        targets = targets[:, None].astype("float32")
    order = np.arange(len(paths))
    if shuffle:
        np.random.RandomState(seed).shuffle(order)
    parts: dict[str | None, np.ndarray] = {None: order}
    if validation_split is not None:
        cut = len(paths) - int(validation_split * len(paths))
        parts = {"training": order[:cut], "validation": order[cut:]}
        if not len(parts["training"]) or not len(parts["validation"]):
            raise InvalidArgument(
                f"validation_split={validation_split} of {len(paths)} files leaves a part empty."
            )

    def batch(where: np.ndarray) -> Any:
        x = read([paths[i] for i in where])
        return x if label_mode is None else (x, targets[where])

    def made(name: str | None) -> Any:
        part = parts[name]
        samples = Samples(part, batch, batch_size, shuffle and name != "validation", seed)
        samples.lengths_vary = lengths_vary
        told = {"class_names": names, "file_paths": [paths[i] for i in part]}
        if plain:
            for key, value in told.items():
                setattr(samples, key, value)
            return samples
        return _given(samples, format, told)

    return (made("training"), made("validation")) if subset == "both" else made(subset)


def image_dataset_from_directory(
    directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
    class_names: Any = None, color_mode: str = "rgb", batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256), shuffle: bool = True, seed: int | None = None,
    validation_split: float | None = None, subset: str | None = None,
    interpolation: str = "bilinear", follow_links: bool = False,
    crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
    data_format: str | None = None, format: str = "tf", verbose: bool = True,
) -> Any:  # fmt: skip
    """The pictures in a folder, with their classes by the folders in it. Needs Pillow.

    Args:
        directory: the folder.
        labels: `"inferred"` from the folders, `None`, or a list in the order of the sorted paths.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (0.0 or 1.0), or `None`.
        class_names: the folders in the order of the classes.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        batch_size: how many make a batch; `None` gives them one by one.
        image_size: `(height, width)` to resize to.
        shuffle: mix the pictures, for each epoch anew.
        seed: of the mixing.
        validation_split: the share of the files for validation.
        subset: `"training"`, `"validation"`, or `"both"` for a pair of data sets.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"area"`, or `"lanczos3"`.
        follow_links: read what links lead to.
        crop_to_aspect_ratio: cut the middle out in the proportions of `image_size`.
        pad_to_aspect_ratio: add black bars for the same end.
        data_format: `"channels_last"` or `"channels_first"`.
        format: as in `timeseries_dataset_from_array`.
        verbose: tell what was found.

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import kerasish as keras
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i, name in enumerate(["cats", "dogs"]):
    ...         pathlib.Path(folder, name).mkdir()
    ...         keras.utils.save_img(f"{folder}/{name}/{i}.png", np.zeros((4, 6, 3)))
    ...     data = keras.utils.image_dataset_from_directory(folder, image_size=(8, 8))
    ...     [(x.shape, sorted(y.tolist())) for x, y in data]
    Found 2 files of 2 classes.
    [((2, 8, 8, 3), [0, 1])]
    """
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise InvalidArgument("crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other.")
    if color_mode not in _COLORS:
        raise InvalidArgument(f"color_mode is one of {list(_COLORS)}, got {color_mode!r}.")
    named = {"area": "box", "lanczos3": "lanczos", "lanczos5": "lanczos"}
    way = named.get(interpolation, interpolation)
    if way not in _INTERPOLATIONS:
        raise InvalidArgument(
            "interpolation is 'nearest', 'bilinear', 'bicubic', 'area' or 'lanczos3', got "
            f"{interpolation!r}."
        )
    if not isinstance(image_size, list | tuple) or len(image_size) != 2:
        raise InvalidArgument(f"image_size is a pair (height, width), got {image_size!r}.")
    height, width = image_size

    def picture(path: str) -> np.ndarray:
        if not pad_to_aspect_ratio:
            img = load_img(path, color_mode, image_size, way, crop_to_aspect_ratio)
            return img_to_array(img, data_format)
        img = load_img(path, color_mode)
        scale = min(height / img.height, width / img.width)
        inner = max(1, round(img.height * scale)), max(1, round(img.width * scale))
        x = img_to_array(load_img(path, color_mode, inner, way), "channels_last")
        full = np.zeros((height, width, x.shape[-1]), x.dtype)
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        full[top : top + inner[0], left : left + inner[1]] = x
        return img_to_array(full, data_format)

    return _folder(
        directory, _PICTURES, lambda paths: np.stack([picture(p) for p in paths]), labels,
        label_mode, class_names, batch_size, shuffle, seed, validation_split, subset,
        follow_links, format, verbose,
    )  # fmt: skip


def text_dataset_from_directory(
    directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
    class_names: Any = None, batch_size: int | None = 32, max_length: int | None = None,
    shuffle: bool = True, seed: int | None = None, validation_split: float | None = None,
    subset: str | None = None, follow_links: bool = False, format: str = "tf",
    verbose: bool = True,
) -> Any:  # fmt: skip
    """The texts (`.txt`, in UTF-8) in a folder, with their classes by the folders in it.

    Args:
        max_length: longer texts are cut off.

    The others are those of `image_dataset_from_directory`.

    >>> import pathlib, tempfile
    >>> import kerasish as keras
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, text in (("bad", "never again"), ("good", "well done")):
    ...         pathlib.Path(folder, name).mkdir()
    ...         _ = pathlib.Path(folder, name, "1.txt").write_text(text)
    ...     data = keras.utils.text_dataset_from_directory(folder, shuffle=False, verbose=False)
    ...     [(x.tolist(), y.tolist()) for x, y in data]
    [(['never again', 'well done'], [0, 1])]
    """
    def read(paths: list[str]) -> np.ndarray:
        texts = np.empty(len(paths), object)
        texts[:] = [pathlib.Path(p).read_text(encoding="utf-8")[:max_length] for p in paths]
        return texts

    return _folder(
        directory, (".txt",), read, labels, label_mode, class_names, batch_size, shuffle, seed,
        validation_split, subset, follow_links, format, verbose,
    )  # fmt: skip


def audio_dataset_from_directory(
    directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
    class_names: Any = None, batch_size: int | None = 32, sampling_rate: int | None = None,
    output_sequence_length: int | None = None, ragged: bool = False, shuffle: bool = True,
    seed: int | None = None, validation_split: float | None = None, subset: str | None = None,
    follow_links: bool = False, verbose: bool = True,
) -> Any:  # fmt: skip
    """The sounds (`.wav`) in a folder, from -1 to 1, of shape `(batch, samples, channels)`.

    Args:
        sampling_rate: resample to so many samples a second, linearly.
        output_sequence_length: cut or fill up to so many samples; by default each batch is filled
            up with zeros to its longest sound.
        ragged: give a list of sounds of their own lengths for a batch.

    The others are those of `image_dataset_from_directory`.

    >>> import tempfile, wave
    >>> import kerasish as keras
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with wave.open(f"{folder}/silence.wav", "wb") as file:
    ...         file.setparams((1, 2, 16000, 0, "NONE", ""))
    ...         file.writeframes(bytes(2 * 100))
    ...     data = keras.utils.audio_dataset_from_directory(folder, labels=None, verbose=False)
    ...     [x.shape for x in data]
    [(1, 100, 1)]
    """
    if ragged and output_sequence_length is not None:
        raise InvalidArgument("ragged=True and output_sequence_length exclude each other.")

    def read(paths: list[str]) -> Any:
        sounds = [_sound(p, sampling_rate) for p in paths]
        if ragged:
            return sounds
        length = output_sequence_length or max(len(x) for x in sounds)
        return np.stack([
            np.pad(x[:length], ((0, max(0, length - len(x))), (0, 0))) for x in sounds
        ])

    return _folder(
        directory, (".wav",), read, labels, label_mode, class_names, batch_size, shuffle, seed,
        validation_split, subset, follow_links, "tf", verbose, ragged,
        output_sequence_length is None,
    )  # fmt: skip


def _sound(path: str, rate: int | None) -> np.ndarray:
    try:
        with wave.open(path) as file:
            channels, width, own_rate, count = file.getparams()[:4]
            raw = np.frombuffer(file.readframes(count), "uint8")
    except (wave.Error, EOFError) as error:
        raise InvalidArgument(f"{path!r} is no WAV file of whole numbers: {error}.") from error
    raw = raw[: len(raw) // width * width].reshape(-1, width)
    if width == 1:
        x = raw[:, 0].astype("float32") / 128.0 - 1.0
    else:  # the bytes become the upper ones of 32 bits
        full = np.zeros((len(raw), 4), "uint8")
        full[:, 4 - width :] = raw
        x = (full.view("<i4")[:, 0] / 2.0**31).astype("float32")
    x = x[: len(x) // channels * channels].reshape(-1, channels)
    if rate is None or rate == own_rate:
        return x
    times = np.arange(round(len(x) * rate / own_rate)) * (own_rate / rate)
    return np.stack([
        np.interp(times, np.arange(len(x)), x[:, i]) for i in range(channels)
    ], axis=-1).astype("float32")  # fmt: skip
