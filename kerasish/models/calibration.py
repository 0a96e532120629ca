"""GPTQ and AWQ for whole models: blocks are run on data one after the other, and rounded to suit.

Each block sees what the rounded blocks before it make of the data.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from kerasish import ops
from kerasish.errors import InvalidArgument
from kerasish.layers import quantization

_BATCH = 8


def quantize(model: Any, config: Any, chosen: list[Any]) -> None:
    """Rounds the chosen layers of a model's blocks.

    Args:
        model: a built model of tokens.
        config: a `GPTQConfig` or `AWQConfig`.
        chosen: the layers that may be quantized.
    """
    before, blocks = _structure(model, config)
    tokens = sequences(config)
    batches = [tokens[i : i + _BATCH] for i in range(0, len(tokens), _BATCH)]
    for layer in before:
        batches = [_first(layer(x)) for x in batches]
    able = {id(x) for x in chosen if not x._kernels()[0].transposed}
    for i, block in enumerate(blocks):
        layers = [x for x in block._flatten_layers() if id(x) in able and x._mode is None]
        observers = [quantization.Observer(x._policy) for x in layers]
        for observer, layer in zip(observers, layers, strict=True):
            observer.attach(layer)
        try:
            for x in batches:
                block(x)
        finally:
            for observer, layer in zip(observers, layers, strict=True):
                observer.detach(layer)
        for observer, layer in zip(observers, layers, strict=True):
            if observer.count:
                policy = quantization.policy_of(config, layer._policy)
                layer._quantize_to(policy, config, observer)
        if i + 1 < len(blocks):
            batches = [_first(block(x)) for x in batches]


def _structure(model: Any, config: Any) -> tuple[list[Any], list[Any]]:
    """(layers before the blocks, blocks); without a structure the model is one block."""
    found = config.quantization_layer_structure
    if found is None:
        found = model.get_quantization_layer_structure(config.mode)
    if found is None:
        return [], [model]
    names = {"pre_block_layers", "sequential_blocks"}
    if not isinstance(found, dict) or not names <= found.keys():
        raise InvalidArgument(
            f"A quantization_layer_structure is a dict of lists {sorted(names)}, got {found!r}."
        )
    return list(found["pre_block_layers"]), list(found["sequential_blocks"])


def _first(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, list | tuple) else outputs


def sequences(config: Any) -> np.ndarray:
    """Tokens of shape (num_samples, sequence_length), from places spread over the data."""
    if config.dataset is None:
        raise InvalidArgument(f"{type(config).__name__} needs a dataset to quantize with.")
    need = config.num_samples * config.sequence_length
    parts, count = [], 0
    for item in config.dataset:
        parts.append(_tokens(item, config.tokenizer))
        count += len(parts[-1])
        if count >= 4 * need:  # enough to choose from
            break
    if not count:
        raise InvalidArgument(f"The dataset of {type(config).__name__} has no tokens.")
    short = itertools.cycle(parts)
    while count < config.sequence_length + 1:
        parts.append(next(short))
        count += len(parts[-1])
    stream = np.concatenate(parts)
    last = len(stream) - config.sequence_length
    starts = np.linspace(0, last, config.num_samples).astype(int)
    return np.stack([stream[s : s + config.sequence_length] for s in starts])


def _tokens(item: Any, tokenizer: Any) -> np.ndarray:
    if isinstance(item, str | bytes):
        if tokenizer is None:
            raise InvalidArgument("A dataset of texts needs a tokenizer.")
        item = getattr(tokenizer, "tokenize", tokenizer)(item)
    return np.asarray(ops.convert_to_numpy(item)).reshape(-1)
