"""Attention layers."""

from __future__ import annotations

import math
import string
from typing import Any

from kerasish import config, constraints, initializers, ops, random, regularizers
from kerasish.core.symbolic import KerasTensor
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.layers.base import Layer
from kerasish.layers.core import EinsumDense
from kerasish.layers.masking import get_mask
from kerasish.layers.regularization import Dropout


def _combine(masks: list[Any]) -> Any:
    """The logical and of the masks that are there."""
    found = None
    for mask in masks:
        if mask is not None:
            mask = ops.cast(mask, "bool")
            found = mask if found is None else ops.logical_and(found, mask)
    return found


def _positions(length: Any) -> Any:
    return ops.arange(length, dtype="int32")


def _causal(target: Any, source: Any) -> Any:
    """`(1, target, source)`: true where the source is not in the future."""
    rows = ops.expand_dims(_positions(target), (0, 2))
    columns = ops.expand_dims(_positions(source), (0, 1))
    return ops.greater_equal(rows, columns)


def _window(target: Any, source: Any, size: int) -> Any:
    """`(1, target, source)`: true within `size` positions."""
    rows = ops.expand_dims(_positions(target), (0, 2))
    columns = ops.expand_dims(_positions(source), (0, 1))
    return ops.less(ops.abs(ops.subtract(rows, columns)), size)


def _masked_softmax(scores: Any, mask: Any, axes: tuple[int, ...]) -> Any:
    """Softmax of what the mask shows; a row that sees nothing is all zeros."""
    axis = axes[0] if len(axes) == 1 else axes
    if mask is None:
        return ops.softmax(scores, axis=axis)
    dtype = ops.dtype(scores)
    low = ops.cast(-3e4 if dtype == "float16" else -1e9, dtype)
    weights = ops.softmax(ops.where(mask, scores, low), axis=axis)
    return ops.where(ops.any(mask, axis=axes, keepdims=True), weights, ops.cast(0.0, dtype))


def _reads(name: str) -> Any:
    """A property of what the attribute `name` holds."""
    return property(lambda self: getattr(self, name))


def _equations(rank: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """The contractions of keys with queries to scores, and of scores with values, for tensors
    `(batch, ..., heads, features)`; subclasses that compute attention themselves use them."""
    query = string.ascii_lowercase[:rank]
    others = iter(string.ascii_lowercase[rank:])
    key = "".join([next(others) if i in axes else letter for i, letter in enumerate(query)])
    batch = "".join([query[i] for i in range(rank - 1) if i not in axes])
    scores = batch + "".join([query[i] for i in axes]) + "".join([key[i] for i in axes])
    return f"{key},{query}->{scores}", f"{scores},{key}->{query}"


class _Projected(Layer):
    """What the multi-head layers share: weights' options and the attention itself."""

    # Subclasses (KerasHub's, for one) read and set what lies behind these names.
    use_bias, dropout, query_dense, key_dense, value_dense, gate_dense, output_dense = map(
        _reads, ["_use_bias", "_dropout", "_query_dense", "_key_dense", "_value_dense",
                 "_gate_dense", "_output_dense"]
    )  # fmt: skip
    (
        _kernel_initializer, _bias_initializer, _kernel_regularizer, _bias_regularizer,
        _kernel_constraint, _bias_constraint, _flash_attention,
    ) = map(_reads, ["kernel_initializer", "bias_initializer", "kernel_regularizer",
                     "bias_regularizer", "kernel_constraint", "bias_constraint",
                     "flash_attention"])  # fmt: skip

    def _set_weights_options(
        self, use_bias: bool, kernel_initializer: Any, bias_initializer: Any,
        kernel_regularizer: Any, bias_regularizer: Any, kernel_constraint: Any,
        bias_constraint: Any, dropout: float, seed: Any, flash_attention: Any,
        sliding_window: int | None, use_gate: bool,
    ) -> None:  # fmt: skip
        self._use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._dropout = dropout
        self.seed = seed
        self.flash_attention = flash_attention
        self.use_gate = use_gate
        if sliding_window is not None and sliding_window < 1:
            raise InvalidArgument(f"sliding_window must be at least 1, got {sliding_window}.")
        self.sliding_window = sliding_window
        self.supports_masking = True

    def _get_common_kwargs_for_sublayer(self) -> dict[str, Any]:
        copy = lambda i: i.__class__.from_config(i.get_config()) if hasattr(i, "get_config") else i
        return {
            "dtype": self.dtype_policy, "kernel_initializer": copy(self.kernel_initializer),
            "bias_initializer": copy(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "kernel_constraint": self.kernel_constraint, "bias_constraint": self.bias_constraint,
            "activity_regularizer": self._activity_regularizer,
        }  # fmt: skip

    def _projection(
        self, name: str, equation: str, output_shape: Any, bias_axes: str | None
    ) -> EinsumDense:
        return EinsumDense(
            equation, output_shape=output_shape, bias_axes=bias_axes if self.use_bias else None,
            activation="sigmoid" if name == "gate" else None, name=name,
            **self._get_common_kwargs_for_sublayer(),
        )

    def _compute_attention_mask(
        self, query: Any, value: Any, query_mask: Any = None, value_mask: Any = None,
        key_mask: Any = None, attention_mask: Any = None, use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        """`(batch, target, source)`: the logical and of every mask."""
        masks = [attention_mask]
        if query_mask is not None:
            masks.append(ops.expand_dims(query_mask, -1))
        if value_mask is not None:
            masks.append(ops.expand_dims(value_mask, -2))
        if key_mask is not None and key_mask is not value_mask:
            masks.append(ops.expand_dims(key_mask, -2))
        target, source = ops.shape(query)[1], ops.shape(value)[1]
        if use_causal_mask:
            masks.append(_causal(target, source))
        if self.sliding_window is not None:
            masks.append(_window(target, source, self.sliding_window))
        return _combine(masks)


class MultiHeadAttention(_Projected):
    """Attention of several heads (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762).

    Args:
        num_heads: the number of heads.
        key_dim: the size of each head's query and key.
        value_dim: the size of each head's value, `key_dim` by default.
        dropout: dropout of the attention scores.
        use_bias: whether the projections have biases.
        output_shape: the size of the output, the query's by default.
        attention_axes: the axes that attention runs over, all between batch and features.
        sliding_window: see only positions within this distance.
        flash_attention: ask for or forbid a memory-frugal kernel.
        use_gate: multiply the heads' outputs by a learned sigmoid gate of the query.
        seed: of the dropout.
        kernel_initializer, bias_initializer, ...: of all projections, as in `Dense`.

    Call with `(query, value, key=None)`; shapes `(batch, target, d)`, `(batch, source, d)`.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 5, 8))
    >>> keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)(x, x).shape
    (2, 5, 8)
    """

    num_heads, key_dim, value_dim, attention_axes = map(
        _reads, ["_num_heads", "_key_dim", "_value_dim", "_attention_axes"]
    )

    def __init__(
        self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0,
        use_bias: bool = True, output_shape: Any = None, attention_axes: Any = None,
        sliding_window: int | None = None, flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, use_gate: bool = False, seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        # Of the projections' outputs; the last of them is the layer's own.
        self._activity_regularizer = regularizers.get(activity_regularizer)
        for name, value in (("num_heads", num_heads), ("key_dim", key_dim)):
            if not isinstance(value, int) or value <= 0:
                raise InvalidArgument(f"MultiHeadAttention needs {name} > 0, got {value!r}.")
        self._num_heads = num_heads
        self._key_dim = key_dim
        self._value_dim = value_dim or key_dim
        self._output_shape = (
            None if output_shape is None
            else (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        )
        if not isinstance(attention_axes, int | list | tuple | None):
            raise InvalidArgument(
                f"attention_axes is an axis or a tuple of axes, got {attention_axes!r}."
            )
        self._attention_axes: Any = (
            (attention_axes,) if isinstance(attention_axes, int)
            else None if attention_axes is None else tuple(attention_axes)
        )
        self._set_weights_options(
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint, dropout, seed, flash_attention, sliding_window,
            use_gate,
        )  # fmt: skip

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        value_shape = query_shape if value_shape is None else value_shape
        key_shape = value_shape if key_shape is None else key_shape
        rank = len(query_shape)
        free = "abcdefgij"[: rank - 1]
        split = lambda name, size, shape: _built(self._projection(
            name, f"{free}x,xno->{free}no", (*(None,) * (rank - 2), self._num_heads, size), "no"
        ), shape)
        self._query_dense = split("query", self._key_dim, query_shape)
        self._key_dense = split("key", self._key_dim, key_shape)
        if self.use_gate:
            self._gate_dense = split("gate", self._value_dim, query_shape)
        self._value_dense = split("value", self._value_dim, value_shape)
        out = self._output_shape or (query_shape[-1],)
        letters = "pqrstuv"[: len(out)]
        self._output_dense = _built(self._projection(
            "attention_output", f"{free}no,no{letters}->{free}{letters}",
            (*(None,) * (rank - 2), *out), letters,
        ), (*query_shape[:-1], self._num_heads, self._value_dim))
        self._build_attention(rank + 1)

    def _build_attention(self, rank: int) -> None:
        """What attention needs for projected queries of that rank, heads included."""
        if self._attention_axes is None:
            self._attention_axes = tuple(range(1, rank - 2))
        self._dot_product_equation, self._combine_equation = _equations(rank, self._attention_axes)
        self._dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy, seed=self.seed)

    def call(
        self, query: Any, value: Any, key: Any = None, query_mask: Any = None,
        value_mask: Any = None, key_mask: Any = None, attention_mask: Any = None,
        return_attention_scores: bool = False, training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        key = value if key is None else key
        # What masked queries see is no matter: the output keeps their mask.
        mask = self._compute_attention_mask(
            query, value, None, value_mask, key_mask, attention_mask, use_causal_mask
        )
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        out, scores = self._compute_attention(q, k, v, mask, training, return_attention_scores)
        if self.use_gate:
            out = ops.multiply(out, self._gate_dense(query))
        out = self._output_dense(out)
        return (out, scores) if return_attention_scores else out

    def _compute_attention(
        self, query: Any, key: Any, value: Any, attention_mask: Any = None, training: Any = None,
        return_attention_scores: bool = False,
    ) -> tuple[Any, Any]:
        """(the heads' outputs, the scores or `None`) of projected queries, keys and values."""
        q, k, v = query, key, value
        mask = None if attention_mask is None else ops.cast(attention_mask, "bool")
        dropping = bool(training) and self.dropout > 0
        plain = len(q.shape) == 4 and self._attention_axes == (1,) and (
            self._key_dim == self._value_dim
        )
        if plain and not return_attention_scores and not dropping and (
            self.flash_attention is not False and config.is_flash_attention_enabled() is not False
        ):
            if mask is not None:
                mask = ops.expand_dims(mask, 1) if len(mask.shape) == 3 else mask
            return ops.dot_product_attention(q, k, v, mask=mask), None
        scaled = ops.multiply(q, 1.0 / math.sqrt(self._key_dim))
        weights = self._masked_softmax(ops.einsum(self._dot_product_equation, k, scaled), mask)
        used = self._dropout_layer(weights, training=training) if dropping else weights
        out = ops.einsum(self._combine_equation, used, v)
        return out, weights

    def _masked_softmax(self, scores: Any, mask: Any = None) -> Any:
        n = len(self._attention_axes)
        while mask is not None and len(mask.shape) < len(scores.shape):
            mask = ops.expand_dims(mask, -2 * n - 1)
        return _masked_softmax(scores, mask, tuple(range(-n, 0)))

    def compute_mask(
        self, query: Any, value: Any = None, query_mask: Any = None, **_: Any
    ) -> Any:
        return value if query_mask is None and not hasattr(value, "shape") else query_mask

    def _set_output_masks(self, tensors: Any, outputs: Any, previous: Any) -> None:
        from kerasish.layers.masking import set_mask

        # A subclass may name the inputs of its call otherwise.
        mask = get_mask(tensors["query"]) if "query" in tensors else None
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        if mask is not None:
            set_mask(first, mask)

    _set_output_masks_symbolic = _set_output_masks

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any = None, key_shape: Any = None
    ) -> Any:
        out = self._output_shape or (query_shape[-1],)
        return (*query_shape[:-1], *out)

    def compute_output_spec(
        self, query: Any, value: Any, key: Any = None, query_mask: Any = None,
        value_mask: Any = None, key_mask: Any = None, attention_mask: Any = None,
        return_attention_scores: bool = False, training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        _check_pair(self, query.shape, value.shape, (key if key is not None else value).shape)
        out = KerasTensor(self.compute_output_shape(query.shape), self.compute_dtype)
        if not return_attention_scores:
            return out
        axes = self._attention_axes or range(1, len(query.shape) - 1)
        batch = [n for i, n in enumerate(query.shape[:-1]) if i not in axes]
        scores = (*batch, self._num_heads, *(query.shape[i] for i in axes),
                  *(value.shape[i] for i in axes))
        return out, KerasTensor(scores, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "output_shape": self._output_shape,
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
        }


def _built(layer: EinsumDense, shape: Any) -> EinsumDense:
    layer.supports_masking = True  # the mask is not lost: attention heeds it
    layer._build_for({"inputs_shape": tuple(shape)}, single=True)
    return layer


def _check_pair(layer: Layer, query: Any, value: Any, key: Any) -> None:
    if key[1] is not None and value[1] is not None and key[1] != value[1]:
        raise ShapeError(
            f"Layer {layer.name!r} ({type(layer).__name__}): key and value must have the same "
            f"number of positions, got shapes {tuple(key)} and {tuple(value)}."
        )


class GroupedQueryAttention(_Projected):
    """Multi-head attention whose query heads share key and value heads in groups.

    Ainslie et al. (2023), https://arxiv.org/abs/2305.13245

    Args:
        head_dim: the size of each head.
        num_query_heads: the number of query heads.
        num_key_value_heads: the number of key and value heads; divides `num_query_heads`.
        (the rest as in `MultiHeadAttention`)

    Call with `(query, value, key=None)`; shapes `(batch, target, d)`, `(batch, source, d)`; the
    output has the shape of the query.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 5, 8))
    >>> layer = keras.layers.GroupQueryAttention(4, num_query_heads=4, num_key_value_heads=2)
    >>> layer(x, x).shape
    (2, 5, 8)
    """

    _keras_name = "GroupQueryAttention"

    def __init__(
        self, head_dim: int, num_query_heads: int, num_key_value_heads: int,
        dropout: float = 0.0, use_bias: bool = True, sliding_window: int | None = None,
        flash_attention: bool | None = None, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, use_gate: bool = False,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._activity_regularizer = self.activity_regularizer
        if num_query_heads % num_key_value_heads:
            raise InvalidArgument(
                f"num_query_heads ({num_query_heads}) must be a multiple of num_key_value_heads "
                f"({num_key_value_heads})."
            )
        self.head_dim = head_dim
        self.num_query_heads = num_query_heads
        self.num_key_value_heads = num_key_value_heads
        self.num_repeats = num_query_heads // num_key_value_heads
        self._set_weights_options(
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint, dropout, seed, flash_attention, sliding_window,
            use_gate,
        )  # fmt: skip

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        split = lambda name, heads, shape: _built(
            self._projection(name, "bqm,muh->bquh", (None, heads, self.head_dim), "uh"), shape
        )
        self._query_dense = split("query", self.num_query_heads, query_shape)
        self._key_dense = split("key", self.num_key_value_heads, key_shape)
        if self.use_gate:
            self._gate_dense = split("gate", self.num_query_heads, query_shape)
        self._value_dense = split("value", self.num_key_value_heads, value_shape)
        self._output_dense = _built(
            self._projection("attention_output", "bquh,uhm->bqm", (None, query_shape[-1]), "m"),
            (*query_shape[:-1], self.num_query_heads, self.head_dim),
        )
        self._dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy, seed=self.seed)

    def call(
        self, query: Any, value: Any, key: Any = None, query_mask: Any = None,
        value_mask: Any = None, key_mask: Any = None, attention_mask: Any = None,
        return_attention_scores: bool = False, training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        key = value if key is None else key
        mask = self._compute_attention_mask(
            query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask
        )
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        dropping = bool(training) and self.dropout > 0
        scores = None
        if not return_attention_scores and not dropping and self.flash_attention is not False:
            out = ops.dot_product_attention(
                q, k, v, mask=None if mask is None else ops.expand_dims(mask, 1)
            )
        else:
            k = ops.repeat(k, self.num_repeats, axis=2)
            v = ops.repeat(v, self.num_repeats, axis=2)
            scores = ops.einsum("bquh,bkuh->buqk", q, k)
            scores = ops.multiply(scores, 1.0 / math.sqrt(self.head_dim))
            mask = None if mask is None else ops.expand_dims(mask, 1)
            scores = _masked_softmax(scores, mask, (-1,))
            used = self._dropout_layer(scores, training=training) if dropping else scores
            out = ops.einsum("buqk,bkuh->bquh", used, v)
        if self.use_gate:
            out = ops.multiply(out, self._gate_dense(query))
        out = self._output_dense(out)
        return (out, scores) if return_attention_scores else out

    _set_output_masks = MultiHeadAttention._set_output_masks
    _set_output_masks_symbolic = MultiHeadAttention._set_output_masks

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any = None, key_shape: Any = None
    ) -> Any:
        return tuple(query_shape)

    def compute_output_spec(
        self, query: Any, value: Any, key: Any = None, query_mask: Any = None,
        value_mask: Any = None, key_mask: Any = None, attention_mask: Any = None,
        return_attention_scores: bool = False, training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        _check_pair(self, query.shape, value.shape, (key if key is not None else value).shape)
        out = KerasTensor(query.shape, self.compute_dtype)
        if not return_attention_scores:
            return out
        shape = (query.shape[0], self.num_query_heads, query.shape[1], value.shape[1])
        return out, KerasTensor(shape, self.compute_dtype)


GroupQueryAttention = GroupedQueryAttention


class Attention(Layer):
    """Dot-product attention without projections.

    Luong et al. (2015), https://arxiv.org/abs/1508.04025

    Called with a list `[query, value]` or `[query, value, key]` of shapes `(batch, target, d)`,
    `(batch, source, e)` and `(batch, source, d)`; gives `(batch, target, e)`.

    Args:
        use_scale: whether a learned factor scales the scores.
        score_mode: "dot", or "concat" for `tanh(query + key)` summed.
        dropout: of the scores.
        seed: of the dropout.

    >>> import kerasish as keras
    >>> q, v = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))
    >>> keras.layers.Attention()([q, v]).shape
    (2, 3, 4)
    """

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0,
        seed: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise InvalidArgument(f"score_mode must be 'dot' or 'concat', got {score_mode!r}.")
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if dropout > 0 else None
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )

    def _check(self, inputs: Any) -> None:
        if not isinstance(inputs, list | tuple) or len(inputs) not in (2, 3) or (
            isinstance(inputs[0], int | None)  # the shape of one tensor
        ):
            raise InvalidArgument(
                f"Layer {self.name!r} ({type(self).__name__}) takes a list [query, value] or "
                "[query, value, key]."
            )

    def _scores(self, query: Any, key: Any) -> Any:
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
            return scores if self.scale is None else ops.multiply(scores, self.scale)
        total = ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3))
        if self.scale is not None:
            total = ops.multiply(total, self.scale)
        return ops.multiply(self.concat_score_weight, ops.sum(ops.tanh(total), axis=-1))

    def call(
        self, inputs: Any, mask: Any = None, training: bool = False,
        return_attention_scores: bool = False, use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        self._check(inputs)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        if mask is not None and (not isinstance(mask, list | tuple) or len(mask) not in (2, 3)):
            raise InvalidArgument(
                f"Layer {self.name!r}: mask is a list [query_mask, value_mask], got {mask!r}."
            )
        query_mask, value_mask = (mask[0], mask[1]) if mask else (None, None)
        scores = self._scores(query, key)
        masks = [None if value_mask is None else ops.expand_dims(value_mask, -2)]
        if use_causal_mask:
            shape = ops.shape(scores)
            masks.append(_causal(shape[-2], shape[-1]))
        seen = _combine(masks)
        if seen is not None:
            low = 65504.0 if ops.dtype(scores) == "float16" else 1e9
            hidden = ops.cast(ops.logical_not(seen), ops.dtype(scores))
            scores = ops.subtract(scores, ops.multiply(hidden, low))
        weights = ops.softmax(scores, axis=-1)
        if training and self.dropout > 0:
            weights = random.dropout(weights, self.dropout, seed=self.seed_generator)
        out = ops.matmul(weights, value)
        if query_mask is not None:
            out = ops.multiply(out, ops.cast(ops.expand_dims(query_mask, -1), ops.dtype(out)))
        return (out, weights) if return_attention_scores else out

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if not mask or mask[0] is None else mask[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(
        self, inputs: Any, mask: Any = None, return_attention_scores: bool = False,
        training: Any = None, use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        self._check(inputs)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        out = KerasTensor((*query.shape[:-1], value.shape[-1]), self.compute_dtype)
        if not return_attention_scores:
            return out
        return out, KerasTensor((*query.shape[:-1], key.shape[1]), self.compute_dtype)


class AdditiveAttention(Attention):
    """Attention by scores `sum(scale * tanh(query + key))`.

    Bahdanau et al. (2014), https://arxiv.org/abs/1409.0473

    Called as `Attention` is, with the same shapes.

    Args:
        use_scale: whether `scale` is learned, one factor for each feature, or 1.
        dropout: of the scores.
        (the rest as in `Attention`)

    >>> import kerasish as keras
    >>> q, v = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))
    >>> y, scores = keras.layers.AdditiveAttention()([q, v], return_attention_scores=True)
    >>> y.shape, scores.shape
    ((2, 3, 4), (2, 3, 5))
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(
                name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform"
            )

    def _scores(self, query: Any, key: Any) -> Any:
        total = ops.tanh(ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3)))
        if self.scale is not None:
            total = ops.multiply(total, self.scale)
        return ops.sum(total, axis=-1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("score_mode", None)
        return config
