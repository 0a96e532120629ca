"""`FeatureSpace`: the columns of a table, each encoded in its way, as one vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasish import backends, dtypes, layers, ops
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument, StateError
from kerasish.layers.preprocessing.host import PipelineLayer, encode, in_graph_of, iterate, values
from kerasish.saving import serialization

_MODES = ("int", "one_hot", "float")
_WRITTEN_AS = "keras.src.layers.preprocessing.feature_space"  # so that Keras reads our files
_BUFFER = 1024


class Feature:
    """One column: its dtype, the layer that prepares it and the form in which it is given.

    Args:
        dtype: `"float32"`, `"int32"`, `"string"` or another of these kinds.
        preprocessor: a layer; one with `adapt` learns from the data of `FeatureSpace.adapt`.
        output_mode: `"one_hot"`, `"int"` or `"float"`, which leave the layer's result as it is.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str):
        if output_mode not in _MODES:
            raise InvalidArgument(
                f"A feature's output_mode is one of {_MODES}, got {output_mode!r}."
            )
        self.dtype = dtypes.standardize(dtype)
        if isinstance(preprocessor, dict):
            if preprocessor.get("class_name") == "TFDIdentity":  # how Keras writes it
                name = preprocessor["config"].get("name")
                preprocessor = layers.Identity(name=name)
            else:
                preprocessor = serialization.deserialize_keras_object(preprocessor)
        self.preprocessor = preprocessor
        self.output_mode = output_mode

    def get_config(self) -> dict[str, Any]:
        return {
            "dtype": self.dtype,
            "preprocessor": serialization.serialize_keras_object(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        return cls(**config)


class Cross:
    """Columns whose combinations of categories are a feature of their own, by their hash.

    Args:
        feature_names: the columns.
        crossing_dim: how many buckets the combinations fall into.
        output_mode: `"one_hot"` or `"int"`.
    """

    def __init__(self, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot"):
        if output_mode not in ("int", "one_hot"):
            raise InvalidArgument(
                f"A cross has output_mode 'int' or 'one_hot', got {output_mode!r}."
            )
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = output_mode

    @property
    def name(self) -> str:
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        return {
            "feature_names": list(self.feature_names), "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Cross:
        return cls(**config)


class FeatureSpace(PipelineLayer):
    """Encodes the columns of structured data, as a layer, on arrays or in a data pipeline.

    Args:
        features: column name -> how it is encoded: a name (`"float"`, `"float_normalized"`,
            `"float_rescaled"`, `"float_discretized"`, `"integer_categorical"`,
            `"string_categorical"`, `"integer_hashed"`, `"string_hashed"`), or what the method
            of that name, or `FeatureSpace.feature`, returns.
        output_mode: `"concat"` gives one float vector, `"dict"` a dict of the encoded features.
        crosses: tuples of column names, or what `FeatureSpace.cross` returns.
        crossing_dim: the buckets of a cross, where it says nothing else.
        hashing_dim: the buckets of `"integer_hashed"` and `"string_hashed"`.
        num_discretization_bins: the bins of `"float_discretized"`.

    Vectors hold the features in the order of their names, then the crosses likewise.

    >>> import kerasish as keras
    >>> space = keras.utils.FeatureSpace({"size": "float_normalized", "kind": "string_categorical"})
    >>> data = {"size": [1.0, 3.0], "kind": ["cat", "dog"]}
    >>> space.adapt(data)
    >>> space(data).tolist()  # kind: unknown, dog, cat; then size
    [[0.0, 0.0, 1.0, -1.0], [0.0, 1.0, 0.0, 1.0]]
    """

    @classmethod
    def cross(cls, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """A feature made of the combinations of columns; see `Cross` for the arguments."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A column with a layer of your own; see `Feature` for the arguments."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """A number, as it is."""
        return Feature("float32", layers.Identity(name=_named(name, "float")), "float")

    @classmethod
    def float_rescaled(
        cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None
    ) -> Feature:
        """`x * scale + offset`."""
        layer = layers.Rescaling(scale, offset, name=_named(name, "float_rescaled"))
        return Feature("float32", layer, "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """A number less its mean, over its standard deviation."""
        return Feature(
            "float32", layers.Normalization(name=_named(name, "float_normalized")), "float"
        )

    @classmethod
    def float_discretized(
        cls, num_bins: int, bin_boundaries: Any = None, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """The bin that a number falls into; the boundaries are given, or learnt from the data."""
        layer = layers.Discretization(
            bin_boundaries, num_bins, name=_named(name, "float_discretized")
        )
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1,
        output_mode: str = "one_hot", name: str | None = None,
    ) -> Feature:  # fmt: skip
        """The index of an integer among those of the data, most frequent first."""
        layer = layers.IntegerLookup(
            max_tokens, num_oov_indices, name=_named(name, "integer_categorical")
        )
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1,
        output_mode: str = "one_hot", name: str | None = None,
    ) -> Feature:  # fmt: skip
        """The index of a string among those of the data, most frequent first."""
        layer = layers.StringLookup(
            max_tokens, num_oov_indices, name=_named(name, "string_categorical")
        )
        return Feature("string", layer, output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """The bucket of an integer's hash."""
        return Feature(
            "int32", layers.Hashing(num_bins, name=_named(name, "integer_hashed")), output_mode
        )

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """The bucket of a string's hash."""
        return Feature(
            "string", layers.Hashing(num_bins, name=_named(name, "string_hashed")), output_mode
        )

    def __init__(
        self, features: dict[str, Any], output_mode: str = "concat", crosses: Any = None,
        crossing_dim: int = 32, hashing_dim: int = 32, num_discretization_bins: int = 32,
        name: str | None = None,
    ):  # fmt: skip
        super().__init__(name=name)
        if not features:
            raise InvalidArgument("FeatureSpace needs at least one feature: {name: kind}.")
        if output_mode not in ("concat", "dict"):
            raise InvalidArgument(
                f"FeatureSpace: output_mode is 'concat' or 'dict', got {output_mode!r}."
            )
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.output_mode = output_mode
        self.features = {n: self._standardize_feature(n, f) for n, f in features.items()}
        self.crosses = [
            c if isinstance(c, Cross) else Cross(**c) if isinstance(c, dict)
            else Cross(c, crossing_dim) for c in crosses or ()
        ]  # fmt: skip
        for cross in self.crosses:
            if unknown := [n for n in cross.feature_names if n not in self.features]:
                raise InvalidArgument(
                    f"FeatureSpace: a cross of {list(cross.feature_names)} needs {unknown}, which "
                    f"is not among the features {sorted(self.features)}."
                )
            for n in cross.feature_names:
                if self.features[n].output_mode == "float":
                    raise InvalidArgument(
                        f"FeatureSpace: feature {n!r} of a cross is a float. Give it as categories,"
                        " such as 'float_discretized'."
                    )
        self.inputs = {
            n: layers.Input((1,), dtype=f.dtype, name=n) for n, f in self.features.items()
        }
        self.preprocessors = {n: f.preprocessor for n, f in self.features.items()}
        self.crossers = {
            c.name: layers.HashedCrossing(c.crossing_dim, name=c.name) for c in self.crosses
        }
        self._encoded: Any = None

    def _standardize_feature(self, name: str, feature: Any) -> Feature:
        if isinstance(feature, Feature):
            return feature
        if isinstance(feature, dict):
            return Feature.from_config(feature.get("config", feature))
        kinds = {
            "float": {}, "float_normalized": {}, "float_rescaled": {},
            "float_discretized": {"num_bins": self.num_discretization_bins},
            "integer_categorical": {}, "string_categorical": {},
            "integer_hashed": {"num_bins": self.hashing_dim},
            "string_hashed": {"num_bins": self.hashing_dim},
        }  # fmt: skip
        if feature not in kinds:
            raise InvalidArgument(
                f"FeatureSpace: feature {name!r} is {feature!r}. Give one of {sorted(kinds)}, or "
                "what a method of FeatureSpace returns."
            )
        return getattr(self, feature)(name=name, **kinds[feature])

    @property
    def feature_names(self) -> list[str]:
        """The columns, then the crosses, in the order in which vectors hold them."""
        return [*sorted(self.features), *sorted(self.crossers)]

    # Learning from data -------------------------------------------------------------------------

    def adapt(self, dataset: Any) -> None:
        """Learns means, bins and vocabularies, in one pass over the data.

        Args:
            dataset: a dict of columns, a data frame, or a list or data set of dicts, each a
                batch or a single sample; of any library.
        """
        learners = {n: p for n, p in self.preprocessors.items() if getattr(p, "adaptable", False)}
        others = {
            n: [] for n, p in self.preprocessors.items() if hasattr(p, "adapt") and not (
                hasattr(p, "adaptable")
            )
        }  # fmt: skip
        for layer in learners.values():
            layer.reset_state()
        count = 0
        for batch in _batches(dataset):
            count += 1
            if missing := [n for n in (*learners, *others) if n not in batch]:
                raise InvalidArgument(
                    f"FeatureSpace {self.name!r}: the data has the columns {sorted(batch)}, and "
                    f"not {missing}."
                )
            for n, layer in learners.items():
                layer.update_state(self._column(n, batch[n]))
            for n, found in others.items():
                found.append(self._column(n, batch[n]))
        if not count:
            raise InvalidArgument(f"FeatureSpace {self.name!r}: the data is empty.")
        for layer in learners.values():
            layer.finalize_state()
        for n, found in others.items():
            self.preprocessors[n].adapt(np.concatenate(found))
        self._encoded = None

    def _column(self, name: str, x: Any) -> np.ndarray:
        x = values(x)
        return x.reshape(-1, 1) if x.ndim < 2 else x

    def _check_adapted(self) -> None:
        waiting = [n for n, p in self.preprocessors.items() if not getattr(p, "is_adapted", True)]
        if waiting:
            raise StateError(
                f"FeatureSpace {self.name!r} must learn the features {waiting} first: call "
                "adapt(data)."
            )

    # Encoding -----------------------------------------------------------------------------------

    def get_inputs(self) -> dict[str, KerasTensor]:
        """Symbolic inputs of the columns, for a functional model."""
        self._check_adapted()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """What the symbolic inputs become: to train a model on features that are encoded already,
        or, with `get_inputs`, one that encodes them itself."""
        self._check_adapted()
        if self._encoded is None:
            self._encoded = _Untracked(self(self.inputs))
        return self._encoded.value

    def build(self, input_shape: Any = None) -> None:
        for layer in self.preprocessors.values():
            if not layer.built:
                layer._build_for({"input_shape": (None, 1)}, single=True)

    def get_build_config(self) -> dict[str, Any]:
        return {
            n: p.get_build_config() or {"input_shape": [None, 1]}
            for n, p in self.preprocessors.items()
        }

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.build()
        self.built = True

    def __call__(self, data: Any) -> Any:
        self._check_adapted()
        if not isinstance(data, dict):
            raise InvalidArgument(
                f"FeatureSpace {self.name!r} takes a dict of columns, got {type(data).__name__}."
            )
        if missing := [n for n in self.features if n not in data]:
            raise InvalidArgument(
                f"FeatureSpace {self.name!r} has the features {sorted(self.features)}; the data "
                f"lacks {missing}."
            )
        with in_graph_of(data):
            columns = {n: self._standardize_column(n, data[n]) for n in self.features}
            single = all(len(x.shape) == 0 for x in columns.values())
            encoded = super().__call__({n: _as_column(x) for n, x in columns.items()})
            if not single:
                return encoded
            if self.output_mode == "concat":
                return encoded[0]
            return {n: x[0] for n, x in encoded.items()}

    def _standardize_column(self, name: str, x: Any) -> Any:
        if isinstance(x, KerasTensor):
            return x
        wanted = self.features[name].dtype
        if wanted == "string":
            own = hasattr(x, "shape") and not isinstance(x, np.generic) and (
                backends.owner(x) in (None, backends.active)
            )
            return x if own else values(x)
        if backends.owner(x) is None:
            x = np.asarray(x)
        if dtypes.is_float(wanted) or dtypes.is_float(x.dtype):
            return ops.convert_to_tensor(x, wanted)
        return ops.convert_to_tensor(x)

    def call(self, data: dict[str, Any]) -> Any:
        found: dict[str, Any] = {}
        prepared = {name: layer(data[name]) for name, layer in self.preprocessors.items()}
        for name in sorted(prepared):
            x, mode = prepared[name], self.features[name].output_mode
            if mode == "one_hot":
                x = encode(x, "one_hot", self._depth(name), self.compute_dtype)
            elif mode == "float":
                x = ops.cast(x, self.compute_dtype)
            found[name] = x
        for cross in sorted(self.crosses, key=lambda c: c.name):
            x = self.crossers[cross.name]([prepared[n] for n in cross.feature_names])
            if cross.output_mode == "one_hot":
                x = encode(x, "one_hot", cross.crossing_dim, self.compute_dtype)
            found[cross.name] = x
        if self.output_mode == "dict":
            return found
        return ops.concatenate([ops.cast(x, self.compute_dtype) for x in found.values()], axis=-1)

    def _depth(self, name: str) -> int:
        """How many values a feature has that becomes a one-hot vector."""
        layer = self.preprocessors[name]
        if hasattr(layer, "vocabulary_size"):
            return layer.vocabulary_size()
        if getattr(layer, "bin_boundaries", None) is not None:
            return len(layer.bin_boundaries) + 1
        for attribute in ("num_bins", "num_tokens"):
            if hasattr(layer, attribute):
                return getattr(layer, attribute)
        raise InvalidArgument(
            f"FeatureSpace {self.name!r}: feature {name!r} has output_mode='one_hot', but how many "
            f"values {type(layer).__name__} gives is not known. Use output_mode='int'."
        )

    # Files --------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            "features": {n: _written("Feature", f) for n, f in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [_written("Cross", c) for c in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FeatureSpace:
        crosses = [c.get("config", c) for c in config.get("crosses") or ()]
        return cls(**{**config, "crosses": crosses})

    def save(self, filepath: Any) -> None:
        """Writes the features and all that was learnt to a `.keras` file, for `load_model`."""
        from kerasish.saving.saving_api import save_model

        save_model(self, filepath)


class _Untracked:
    """Symbolic tensors that attribute tracking does not look into."""

    def __init__(self, value: Any):
        self.value = value


def _named(name: str | None, kind: str) -> str:
    return f"{name or kind}_preprocessor"


def _written(kind: str, x: Any) -> dict[str, Any]:
    return {
        "module": _WRITTEN_AS, "class_name": kind, "config": x.get_config(),
        "registered_name": kind,
    }  # fmt: skip


def _as_column(x: Any) -> Any:
    """`()` and `(batch,)` as `(batch, 1)`."""
    rank = len(x.shape)
    return x[None, None] if rank == 0 else x[..., None] if rank == 1 else x


def _batches(dataset: Any) -> Iterator[dict[str, Any]]:
    """Dicts of columns; single samples are gathered to batches first."""
    samples: list[dict[str, Any]] = []
    for batch in _dicts(dataset):
        if any(len(np.shape(x) if not hasattr(x, "shape") else x.shape) for x in batch.values()):
            yield batch
            continue
        samples.append(batch)
        if len(samples) == _BUFFER:
            yield _stacked(samples)
            samples = []
    if samples:
        yield _stacked(samples)


def _stacked(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {n: np.stack([values(s[n]) for s in samples]) for n in samples[0]}


def _dicts(dataset: Any) -> Iterator[dict[str, Any]]:
    if isinstance(dataset, dict):
        dataset = [dataset]
    elif hasattr(dataset, "columns") and hasattr(dataset, "to_numpy"):  # a data frame
        dataset = [{n: dataset[n].to_numpy() for n in dataset.columns}]
    for batch in iterate(dataset):
        if isinstance(batch, tuple) and batch and isinstance(batch[0], dict):
            batch = batch[0]  # targets are not needed
        if not isinstance(batch, dict):
            raise InvalidArgument(
                "FeatureSpace.adapt takes data whose batches are dicts of columns, got "
                f"{type(batch).__name__}."
            )
        yield batch
