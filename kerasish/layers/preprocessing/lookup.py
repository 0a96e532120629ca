"""Layers that number the terms of a vocabulary."""

from __future__ import annotations

import inspect
import pathlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from kerasish import backends, ops
from kerasish.backends.state import local
from kerasish.errors import InvalidArgument, StateError, UnsafeFile
from kerasish.layers.preprocessing import hashing
from kerasish.layers.preprocessing.categories import salt_pair
from kerasish.layers.preprocessing.host import (
    MODES,
    HostLayer,
    batches,
    check_mode,
    encode,
    encode_on_host,
    encoded_shape,
    integer_or,
    values,
)
from kerasish.saving import serialization


class _Vocabulary:
    """The terms, without the special tokens, and what was counted to find them.

    An object of its own, so that a search for variables does not walk through the terms.
    """

    def __init__(self) -> None:
        self.given: list[Any] | None = None
        self.given_idf: list[float] | None = None
        self.reset()

    def reset(self) -> None:
        self.counts: Counter[Any] = Counter()
        self.documents: Counter[Any] = Counter()
        self.num_documents = 0
        self.set(None, None)

    def set(self, terms: list[Any] | None, idf: np.ndarray | None) -> None:
        self.terms = terms
        self.idf = idf
        self.index = {term: i for i, term in enumerate(terms or ())}
        self.order = np.argsort(np.asarray(terms)) if terms else np.zeros(0, "int64")


class IndexLookup(HostLayer):
    """What `StringLookup` and `IntegerLookup` share: a vocabulary, given or adapted.

    Indices are: the mask token (if one is given, with `output_mode="int"`), then the
    `num_oov_indices` for terms outside the vocabulary, then the terms.
    """

    _kind: Any = str

    def __init__(
        self, max_tokens: int | None = None, num_oov_indices: int = 1, mask_token: Any = None,
        oov_token: Any = None, vocabulary: Any = None, idf_weights: Any = None,
        invert: bool = False, output_mode: str = "int", sparse: bool = False,
        pad_to_max_tokens: bool = False, oov_method: str = "floormod", salt: Any = None,
        encoding: str = "utf-8", name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        # Configs of adapted layers tell the size, so that models are made before terms are read.
        self._size_to_come = kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, **kwargs)
        who = type(self).__name__
        check_mode(who, output_mode, MODES, sparse)
        if max_tokens is not None and max_tokens <= 1:
            raise InvalidArgument(f"{who} needs max_tokens > 1 or None, got {max_tokens}.")
        if pad_to_max_tokens and max_tokens is None:
            raise InvalidArgument(f"{who}: pad_to_max_tokens=True needs max_tokens.")
        if num_oov_indices < 0:
            raise InvalidArgument(f"{who} needs num_oov_indices >= 0, got {num_oov_indices}.")
        if invert and output_mode != "int":
            raise InvalidArgument(f"{who}: invert=True needs output_mode='int', "
                                  f"got {output_mode!r}.")
        if invert and num_oov_indices != 1:
            raise InvalidArgument(f"{who}: invert=True needs num_oov_indices=1, "
                                  f"got {num_oov_indices}.")
        if oov_method not in ("floormod", "farmhash"):
            raise InvalidArgument(
                f"{who}: oov_method is 'floormod' or 'farmhash', got {oov_method!r}."
            )
        if salt is not None and self._kind is int and oov_method != "farmhash":
            raise InvalidArgument(f"{who}: a salt needs oov_method='farmhash'.")
        if idf_weights is not None and output_mode != "tf_idf":
            raise InvalidArgument(f"{who}: idf_weights need output_mode='tf_idf', "
                                  f"got {output_mode!r}.")
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.output_mode = output_mode
        self.sparse = sparse
        self.pad_to_max_tokens = pad_to_max_tokens
        self.oov_method = oov_method
        self.salt = salt_pair(who, salt)
        self.encoding = encoding
        self._vocabulary = _Vocabulary()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
            self._vocabulary.given = [_plain(t) for t in self._read(vocabulary)]
            if idf_weights is not None:
                self._vocabulary.given_idf = np.asarray(idf_weights, "float64").tolist()
        elif idf_weights is not None:
            raise InvalidArgument(f"{who}: idf_weights need a vocabulary.")

    @property
    def vocabulary(self) -> list[Any] | None:
        """The vocabulary that `__init__` got; `get_vocabulary` gives the one in use."""
        return self._vocabulary.given

    @property
    def idf_weights(self) -> list[float] | None:
        """The weights that were given with the vocabulary, or `None`."""
        return self._vocabulary.given_idf

    @property
    def _output_dtype(self) -> str:
        if self.invert:
            return "string" if self._kind is str else "int64"
        if self.output_mode == "tf_idf":
            return self.compute_dtype
        return integer_or(self.compute_dtype, "int64")

    # The vocabulary ---------------------------------------------------------------------------

    @property
    def _specials(self) -> list[Any]:
        masked = self.mask_token is not None and self.output_mode == "int"
        return [self.mask_token] * masked + [self.oov_token] * self.num_oov_indices

    def _read(self, vocabulary: Any) -> list[Any]:
        """A vocabulary from a file (a term a line), an array or a list."""
        if isinstance(vocabulary, str | pathlib.Path):
            if serialization.loading_safely():
                raise UnsafeFile(
                    f"The config of a {type(self).__name__} names another file, {vocabulary!r}, to "
                    "read its vocabulary from; that is refused. If you trust where it comes from, "
                    "pass safe_mode=False."
                )
            text = pathlib.Path(vocabulary).read_text(encoding=self.encoding)
            lines = text.split("\n")
            vocabulary = lines[:-1] if text.endswith("\n") else lines
            return [self._kind(line) for line in vocabulary]
        return values(vocabulary, self.encoding).ravel().tolist() if len(vocabulary) else []

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Sets the vocabulary.

        Args:
            vocabulary: the terms, with or without the special tokens first; a list, an array or
                the path of a text file with a term a line.
            idf_weights: for `"tf_idf"`, a weight for each term.
        """
        who = type(self).__name__
        terms = [self._kind(t) for t in self._read(vocabulary)]
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            raise InvalidArgument(
                f"{who}: output_mode='tf_idf' and idf_weights belong together, got output_mode="
                f"{self.output_mode!r} and idf_weights={'None' if idf_weights is None else '...'}."
            )
        if not terms:
            raise InvalidArgument(f"{who}: the vocabulary is empty.")
        idf = None if idf_weights is None else np.asarray(values(idf_weights), "float32")
        if idf is not None and len(idf) != len(terms):
            raise InvalidArgument(f"{who}: {len(terms)} terms, but {len(idf)} idf_weights.")
        specials = self._specials
        if specials and terms[: len(specials)] == specials:
            terms = terms[len(specials) :]
        elif idf is not None:
            idf = self._with_oov(idf)
        if repeated := [t for t, n in Counter(terms).items() if n > 1]:
            raise InvalidArgument(f"{who}: the vocabulary repeats {repeated[:10]}.")
        if self.mask_token is not None and self.mask_token in terms:
            raise InvalidArgument(
                f"{who}: the mask token {self.mask_token!r} is a term of the vocabulary. Leave it "
                f"out, or begin the vocabulary with {specials}."
            )
        if self.invert and self.oov_token in terms:
            raise InvalidArgument(
                f"{who}: with invert=True, oov_token {self.oov_token!r} is not a term."
            )
        if self.max_tokens is not None and len(terms) + len(specials) > self.max_tokens:
            raise InvalidArgument(
                f"{who}: max_tokens is {self.max_tokens}, got {len(terms)} terms, which with the "
                f"special tokens {specials} is more."
            )
        self._vocabulary.set(terms, idf)

    def _with_oov(self, idf: np.ndarray) -> np.ndarray:
        """The weights of the terms after those of unknown ones, which weigh their mean."""
        mean = idf.mean(dtype="float32") if len(idf) else 0.0
        return np.concatenate([np.full(self.num_oov_indices, mean, "float32"), idf])

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The terms in the order of their indices."""
        terms = list(self._vocabulary.terms or ())
        return self._specials + terms if include_special_tokens else terms

    def vocabulary_size(self) -> int:
        """The number of terms, special tokens included."""
        if self._vocabulary.terms is None and self._size_to_come:
            return self._size_to_come
        return len(self._vocabulary.terms or ()) + len(self._specials)

    @property
    def adaptable(self) -> bool:
        """Whether `adapt` finds the vocabulary; else it was given."""
        return self.vocabulary is None

    @property
    def is_adapted(self) -> bool:
        """Whether there is a vocabulary."""
        return self._vocabulary.terms is not None or bool(self._size_to_come)

    def reset_state(self) -> None:
        """Forgets an adapted vocabulary."""
        if self.vocabulary is None:
            self._vocabulary.reset()
            self._size_to_come = None

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Finds the vocabulary: the most frequent terms first, equals in reverse order.

        Args:
            data: an array, a list or an iterable of batches; for `"tf_idf"`, a row is a document.
            steps: how many batches are read.
        """
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Counts the terms of a batch."""
        if self.vocabulary is not None:
            raise StateError(
                f"{type(self).__name__} was given a vocabulary: make one without to adapt it."
            )
        self._count(self._rows(data))

    def _rows(self, data: Any) -> list[list[Any]]:
        x = values(data, self.encoding)
        return x.reshape(-1, 1 if x.ndim < 2 else x.shape[-1]).tolist()

    def _count(self, rows: Iterable[list[Any]]) -> None:
        state = self._vocabulary
        for row in rows:
            state.counts.update(row)
            state.documents.update(set(row))
            state.num_documents += 1

    def finalize_state(self) -> None:
        """Makes the vocabulary from the counts."""
        state = self._vocabulary
        if self.vocabulary is not None or not state.num_documents:
            return
        counts = {t: n for t, n in state.counts.items()
                  if t != self.oov_token and t != self.mask_token}
        terms = sorted(counts, key=lambda t: (counts[t], t), reverse=True)
        if self.max_tokens is not None:
            terms = terms[: self.max_tokens - len(self._specials)]
        idf = None
        if self.output_mode == "tf_idf":
            frequency = np.array([state.documents[t] for t in terms])
            idf = self._with_oov(
                np.log1p(state.num_documents / (1.0 + frequency)).astype("float32")
            )
        state.set([self._kind(t) for t in terms], idf)

    # Lookup -----------------------------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        if self.invert and self._kind is str and not local.here.tracing:
            return self.compute(values(inputs))  # an array: most engines know no strings
        computable = self._kind is int and not self.invert and self.oov_method == "floormod"
        if computable and self._vocabulary.terms and (
            not isinstance(inputs, list | tuple | np.ndarray | np.generic)
            and backends.active.owns(inputs)
        ):
            return self._encode(self._indices(inputs))
        return super().call(inputs)

    def compute(self, x: np.ndarray) -> np.ndarray:
        if self._vocabulary.terms is None:
            raise StateError(
                f"{type(self).__name__} has no vocabulary yet: give vocabulary=..., or call "
                "adapt(data) first."
            )
        if self.invert:
            return self._invert(x)
        counted = "count" if self.output_mode == "tf_idf" else self.output_mode
        scale = self._weights() if self.output_mode == "tf_idf" else None
        return encode_on_host(self._indices(x), counted, self._depth, None, scale, self.sparse)

    def _indices(self, x: Any) -> Any:
        """The index of each term; -1 drops it from vectors."""
        masked = 0 if self.output_mode == "int" else -1
        start = len(self._specials)
        if self._kind is str:
            if x.dtype.kind != "O" and x.size:
                raise InvalidArgument(
                    f"{type(self).__name__} looks up strings, got {x.dtype}. Use IntegerLookup for "
                    "integers."
                )
            return self._indices_of_strings(x, masked, start)
        library = np if isinstance(x, np.ndarray) else ops
        first = start - self.num_oov_indices
        if self.num_oov_indices > 1 and self.oov_method == "farmhash":
            result = hashing.buckets(x, self.num_oov_indices, self.salt) + first
        elif self.num_oov_indices > 1:
            result = library.mod(x, self.num_oov_indices) + first
        else:
            result = library.full_like(x, first if self.num_oov_indices else -1)
        if self._vocabulary.terms:
            order = self._vocabulary.order
            keys = np.asarray(self._vocabulary.terms, "int64")[order]
            if library is ops:
                keys, order = ops.cast(keys, ops.dtype(x)), ops.cast(order, ops.dtype(x))
            places = library.clip(library.searchsorted(keys, x), 0, len(self._vocabulary.terms) - 1)
            found = library.equal(library.take(keys, places, axis=0), x)
            result = library.where(found, library.take(order, places, axis=0) + start, result)
        if self.mask_token is not None:
            result = library.where(library.equal(x, self.mask_token), masked, result)
        if library is np and not self.num_oov_indices:
            self._refuse_unknown(x, (result < 0) & (x != self.mask_token))
        return result

    def _indices_of_strings(self, x: np.ndarray, masked: int, start: int) -> np.ndarray:
        index, oov = self._vocabulary.index, self.num_oov_indices
        flat = x.ravel()
        found = np.array([index.get(t, -1) for t in flat], "int64")
        unknown = found < 0
        found += start
        if oov and unknown.any():
            found[unknown] = start - oov + (
                hashing.buckets(flat[unknown], oov, self.salt) if oov > 1 else 0
            )
        if self.mask_token is not None:
            is_mask = flat == self.mask_token
            unknown &= ~is_mask
            found[is_mask] = masked
        if not oov:
            self._refuse_unknown(flat, unknown)
        return found.reshape(x.shape)

    def _refuse_unknown(self, x: np.ndarray, unknown: np.ndarray) -> None:
        if unknown.any():
            raise InvalidArgument(
                f"{type(self).__name__} has num_oov_indices=0 and got terms outside its "
                f"vocabulary: {x[unknown].tolist()[:5]}. Add them, or allow num_oov_indices=1."
            )

    def _invert(self, x: np.ndarray) -> np.ndarray:
        terms = np.empty(self.vocabulary_size() + 1, object)
        terms[:] = [*self.get_vocabulary(), self.oov_token]
        x = x.astype("int64")
        found = terms[np.where((x < 0) | (x >= len(terms)), len(terms) - 1, x)]
        return found if self._kind is str else found.astype("int64")

    @property
    def _depth(self) -> int:
        padded = self.pad_to_max_tokens and self.max_tokens
        return padded or self.vocabulary_size()

    def _encode(self, indices: Any) -> Any:
        mode = self.output_mode
        if mode != "tf_idf":
            return encode(indices, mode, self._depth, self._output_dtype, sparse=self.sparse)
        counts = encode(indices, "count", self._depth, self.compute_dtype, sparse=self.sparse)
        return ops.multiply(counts, ops.convert_to_tensor(self._weights(), self.compute_dtype))

    def _weights(self) -> np.ndarray:
        """What each index weighs with `"tf_idf"`."""
        weights = np.zeros(self._depth, "float32")
        weights[: self.vocabulary_size()] = self._vocabulary.idf
        return weights

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self._depth)

    # Files ------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        own = {*inspect.signature(type(self).__init__).parameters, "trainable", "dtype", "name"}
        config = {k: v for k, v in super().get_config().items() if k in own}
        if self.adaptable and self.is_adapted:
            config["vocabulary_size"] = self.vocabulary_size()
        return config

    def save_assets(self, dir_path: Any) -> None:
        """Writes an adapted vocabulary, one term a line, to `vocabulary.txt`."""
        if self.vocabulary is not None or self._vocabulary.terms is None:
            return
        folder = pathlib.Path(dir_path)
        lines = "\n".join(str(t) for t in self.get_vocabulary())
        (folder / "vocabulary.txt").write_text(lines, encoding=self.encoding)
        if self._vocabulary.idf is not None:
            weights = "\n".join(repr(float(w)) for w in self._vocabulary.idf)
            (folder / "idf_weights.txt").write_text(weights)

    def load_assets(self, dir_path: Any) -> None:
        """Reads what `save_assets` wrote."""
        file = pathlib.Path(dir_path) / "vocabulary.txt"
        if self.vocabulary is not None or not file.exists():
            return
        lines = file.read_text(encoding=self.encoding).split("\n")
        terms = [self._kind(t) for t in lines[len(self._specials) :]]
        weights = file.with_name("idf_weights.txt")
        idf = None
        if self.output_mode == "tf_idf":  # files of Keras hold no weights
            text = weights.read_text().split() if weights.exists() else ["1.0"] * len(terms)
            idf = np.array([float(w) for w in text], "float32")
            if len(idf) == len(terms):
                idf = self._with_oov(idf)
        self._vocabulary.set(terms, idf)


class StringLookup(IndexLookup):
    """Strings as indices of a vocabulary, or vectors of them; or, inverted, indices as strings.

    Args:
        max_tokens: the largest vocabulary, special tokens included.
        num_oov_indices: how many indices unknown strings share, by their hash.
        mask_token: a string with index 0, or, in vectors, one that leaves no trace.
        oov_token: what stands for unknown strings in `get_vocabulary` and inverted lookups.
        vocabulary: the terms, or the path of a file with a term a line; else call `adapt`.
        idf_weights: for `"tf_idf"` with a vocabulary, a weight for each term.
        invert: look up indices; gives NumPy arrays of strings.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"`, `"count"` or `"tf_idf"`.
        pad_to_max_tokens: vectors have length `max_tokens`.
        sparse: give sparse tensors.
        encoding: of byte strings and files.
        salt: changes the hashes of unknown strings.

    >>> import kerasish as keras
    >>> layer = keras.layers.StringLookup(vocabulary=["a", "b"])
    >>> layer([["b", "a"], ["z", "b"]]).tolist()
    [[2, 1], [0, 2]]
    """

    def __init__(
        self, max_tokens: int | None = None, num_oov_indices: int = 1, mask_token: Any = None,
        oov_token: str = "[UNK]", vocabulary: Any = None, idf_weights: Any = None,
        invert: bool = False, output_mode: str = "int", pad_to_max_tokens: bool = False,
        sparse: bool = False, encoding: str = "utf-8", name: str | None = None, salt: Any = None,
        **kwargs: Any,
    ):  # fmt: skip
        kwargs.pop("oov_method", None)
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert,
            output_mode, sparse, pad_to_max_tokens, salt=salt, encoding=encoding, name=name,
            **kwargs,
        )  # fmt: skip


class IntegerLookup(IndexLookup):
    """Integers as indices of a vocabulary, or vectors of them; or, inverted, the other way.

    Args:
        vocabulary_dtype: `"int64"` or `"int32"`.
        oov_method: unknown integers go to index `x % num_oov_indices` (`"floormod"`), or by
            their hash (`"farmhash"`), which a `salt` changes.

    The others are those of `StringLookup`. It works inside models too.

    >>> import kerasish as keras
    >>> keras.layers.IntegerLookup(vocabulary=[12, 36])([[36, 12, 7]]).tolist()
    [[2, 1, 0]]
    """

    _kind = int
    input_dtype: str = "int64"

    def __init__(
        self, max_tokens: int | None = None, num_oov_indices: int = 1, mask_token: Any = None,
        oov_token: int = -1, vocabulary: Any = None, vocabulary_dtype: str = "int64",
        idf_weights: Any = None, invert: bool = False, output_mode: str = "int",
        sparse: bool = False, pad_to_max_tokens: bool = False, oov_method: str = "floormod",
        salt: Any = None, name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        if vocabulary_dtype not in ("int64", "int32"):
            raise InvalidArgument(
                f"IntegerLookup: vocabulary_dtype is 'int64' or 'int32', got {vocabulary_dtype!r}."
            )
        self.vocabulary_dtype = vocabulary_dtype
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert,
            output_mode, sparse, pad_to_max_tokens, oov_method, salt, name=name, **kwargs,
        )  # fmt: skip


def _plain(term: Any) -> Any:
    return term.item() if isinstance(term, np.generic) else term
