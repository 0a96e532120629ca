"""TextVectorization: texts as numbers."""

from __future__ import annotations

import pathlib
import re
import string
from typing import Any

import numpy as np

from kerasish import ops
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers.preprocessing.host import encoded_shape, values
from kerasish.layers.preprocessing.lookup import IndexLookup
from kerasish.saving import serialization

_STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")


class TextVectorization(IndexLookup):
    """Texts as sequences of word numbers, padded with 0, or as vectors of words.

    Args:
        max_tokens: the largest vocabulary, special tokens included.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"`, `None`, or
            a function of an array of strings.
        split: `"whitespace"`, `"character"`, `None`, or a function from an array of strings to
            a list of lists.
        ngrams: also count runs of up to so many words, or of the lengths in a tuple.
        output_mode: `"int"`, `"multi_hot"`, `"count"` or `"tf_idf"`.
        output_sequence_length: sequences are cut or padded to it.
        pad_to_max_tokens: vectors have length `max_tokens`.
        vocabulary, idf_weights: as in `StringLookup`; else call `adapt`.
        sparse: give sparse tensors.
        ragged: give lists of unequal length, not padded.
        encoding: of byte strings and files.

    >>> import kerasish as keras
    >>> layer = keras.layers.TextVectorization()
    >>> layer.adapt(["The cat", "the dog!"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'the', 'dog', 'cat']
    >>> layer(["A dog", "the cat, the dog"]).tolist()
    [[1, 3, 0, 0], [2, 4, 2, 3]]
    """

    def __init__(
        self, max_tokens: int | None = None, standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace", ngrams: Any = None, output_mode: str = "int",
        output_sequence_length: int | None = None, pad_to_max_tokens: bool = False,
        vocabulary: Any = None, idf_weights: Any = None, sparse: bool = False,
        ragged: bool = False, encoding: str = "utf-8", name: str | None = None, **kwargs: Any,
    ):  # fmt: skip
        if not (standardize is None or callable(standardize) or standardize in _STANDARDIZE):
            raise InvalidArgument(
                f"TextVectorization: standardize is one of {_STANDARDIZE}, None or a function, "
                f"got {standardize!r}."
            )
        if not (split is None or callable(split) or split in ("whitespace", "character")):
            raise InvalidArgument(
                "TextVectorization: split is 'whitespace', 'character', None or a function, got "
                f"{split!r}."
            )
        if output_mode == "one_hot":
            raise InvalidArgument("TextVectorization has no output_mode 'one_hot': 'multi_hot'?")
        if output_mode != "int" and (output_sequence_length is not None or ragged):
            raise InvalidArgument(
                "TextVectorization: output_sequence_length and ragged need output_mode='int'."
            )
        self.standardize: Any = standardize
        self.split: Any = split
        if not isinstance(ngrams, int | list | tuple | None):
            raise InvalidArgument(f"ngrams is an int or a tuple of ints, got {ngrams!r}.")
        self.ngrams = ngrams
        if not (output_sequence_length is None or isinstance(output_sequence_length, int)
                and output_sequence_length > 0):  # fmt: skip
            raise InvalidArgument(
                "TextVectorization: output_sequence_length is a positive int or None, got "
                f"{output_sequence_length!r}."
            )
        self.output_sequence_length = output_sequence_length
        self.ragged = ragged
        super().__init__(
            max_tokens, 1, "", "[UNK]", vocabulary, idf_weights,
            False, output_mode, sparse, pad_to_max_tokens and output_mode != "int",
            encoding=encoding, name=name, **kwargs,
        )  # fmt: skip

    def _tokens(self, x: np.ndarray) -> list[list[str]]:
        if self.split is not None and x.ndim > 1:
            if x.shape[-1] != 1:
                raise ShapeError(
                    "TextVectorization splits texts of shape (batch,) or (batch, 1), got "
                    f"{x.shape}. Use split=None for words that are split already."
                )
            x = x[..., 0]
        if callable(self.standardize):
            x = values(self.standardize(x), self.encoding)
        elif self.standardize is not None:
            x = np.array([self._clean(t) for t in x.ravel()] or [""], object)[: x.size].reshape(
                x.shape
            )
        if self.split is None:
            rows = x.reshape(-1, x.shape[-1] if x.ndim > 1 else 1).tolist()
        elif isinstance(self.split, str):
            rows = [t.split() if self.split == "whitespace" else list(t) for t in x.ravel()]
        else:
            rows = [values(row, self.encoding).tolist() for row in self.split(x.ravel())]
        if self.ngrams is None:
            return rows
        sizes = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [
            [" ".join(row[i : i + n]) for n in sizes for i in range(len(row) - n + 1)]
            for row in rows
        ]

    def _clean(self, text: str) -> str:
        if "lower" in self.standardize:
            text = text.lower()
        return _PUNCTUATION.sub("", text) if "punctuation" in self.standardize else text

    def _rows(self, data: Any) -> list[list[str]]:
        return self._tokens(values(data, self.encoding))

    def _indices(self, x: Any) -> Any:
        rows = self._tokens(x)
        length = max((len(row) for row in rows), default=0)
        padded = np.full((len(rows), length), "", object)
        for i, row in enumerate(rows):
            padded[i, : len(row)] = row
        masked = 0 if self.output_mode == "int" else -1
        found = self._indices_of_strings(padded, masked, len(self._specials))
        lengths = np.array([len(row) for row in rows])
        if self.output_mode != "int":
            found[np.arange(length) >= lengths[:, None]] = -1
        if self.output_mode == "int" and (wanted := self.output_sequence_length) is not None:
            found = np.pad(found[:, :wanted], ((0, 0), (0, max(0, wanted - length))))
        if x.ndim == 0:
            return found[0]
        if self.split is None and self.ngrams is None and x.ndim == 1:
            return found if self.output_mode != "int" else found[:, 0]
        return found

    def call(self, inputs: Any) -> Any:
        if not self.ragged:
            return super().call(inputs)
        indices = self.compute(values(inputs, self.encoding))
        rows = indices.reshape(-1, indices.shape[-1]) if indices.ndim else [indices]
        return [ops.convert_to_tensor(np.trim_zeros(r, "b"), "int64") for r in rows]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        functions = {
            name: serialization.deserialize_keras_object(config[name])
            for name in ("standardize", "split") if isinstance(config.get(name), dict)
        }
        return super().from_config({**config, **functions})

    def save_assets(self, dir_path: Any) -> None:
        super().save_assets(dir_path)
        if self.adaptable and self._vocabulary.terms is not None:
            inner = pathlib.Path(dir_path) / "_lookup_layer"  # where Keras looks for it, too
            inner.mkdir()
            super().save_assets(inner)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch = tuple(input_shape)[:1]
        if self.output_mode == "int":
            return (*batch, self.output_sequence_length)
        return encoded_shape((*batch, None), self.output_mode, self._depth)
