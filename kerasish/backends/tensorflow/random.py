"""TensorFlow: random bits in uint32; sizes may be known only when the graph runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasish.backends import bodies
from kerasish.backends.hashing import LANE, ROUNDS, WORD, host_keys
from kerasish.backends.numpy import random as host

seed_engine = tf.random.set_seed
_xor = tf.bitwise.bitwise_xor


def _advance(state: Any) -> tuple[Any, Any]:
    now = tf.identity(state)
    return now, now + tf.constant([0, 1], tf.uint32)


def _word(value: int) -> Any:
    return tf.constant(value & WORD, tf.uint32)


def _fold(x: Any, n: int) -> Any:
    return _xor(x, tf.bitwise.right_shift(x, _word(n)))


def _keys(seed: Any, lane: int) -> Any:
    if not tf.is_tensor(seed):
        return [_word(k) for k in host_keys(seed.tolist(), lane)]
    a, b = tf.unstack(seed)
    for r in ROUNDS:
        x = _fold(_xor(b, _word(r ^ lane * LANE)), 16) * _word(0x7FEB352D)
        a, b = b, _xor(a, _fold(_fold(x, 15) * _word(0x846CA68B), 16))
    return a, b


def _bits(seed: Any, shape: Any, lane: int) -> Any:
    first, second = _keys(seed, lane)
    x = tf.bitcast(tf.range(tf.reduce_prod(tf.cast(tf.stack(shape), tf.int32))), tf.uint32)
    x = _fold(_xor(x, first), 17) * _word(0xED5AD4BB)
    x = _fold(_xor(x, second), 11) * _word(0xAC4C1B51)
    x = _fold(_fold(x, 15) * _word(0x31848BAB), 14)
    return tf.reshape(tf.bitcast(x, tf.int32), shape)


def _seed_words(seed: Any) -> Any:
    return seed.numpy() if tf.is_tensor(seed) else seed


def _by_mode(name: str, in_graph: Callable[..., Any]) -> Callable[..., Any]:
    """Eager calls draw on the host, which is faster than a kernel for each of twenty passes."""
    make = getattr(host, name)

    def function(seed: Any, shape: Any, *rest: Any) -> Any:
        if not tf.executing_eagerly():
            return in_graph(seed, shape, *rest)
        sizes = tuple(int(d) for d in shape)
        return tf.convert_to_tensor(make(_seed_words(seed), sizes, *rest))

    return function


_random_bits = _by_mode("_random_bits", _bits)
_random_uniform = _by_mode("_random_uniform", lambda *args: bodies["_random_uniform"](*args))
_random_normal = _by_mode("_random_normal", lambda *args: bodies["_random_normal"](*args))


def _dropout(inputs: Any, seed: Any, shape: Any, threshold: int, scale: float) -> Any:
    if not tf.executing_eagerly():
        return bodies["_dropout"](inputs, seed, shape, threshold, scale)
    keep = host._keep(_seed_words(seed), tuple(int(d) for d in shape), threshold)
    return inputs * (tf.cast(keep, inputs.dtype) * scale)
