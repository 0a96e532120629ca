"""TensorFlow: random bits in uint32; sizes may be known only when the graph runs."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasish.backends.hashing import LANE, ROUNDS, WORD, host_keys

seed_engine = tf.random.set_seed
_xor = tf.bitwise.bitwise_xor


def _advance(state: Any) -> tuple[Any, Any]:
    now = tf.identity(state)
    return now, now + tf.constant([0, 1], tf.uint32)


def _word(value: int) -> Any:
    return tf.constant(value & WORD, tf.uint32)


def _fold(x: Any, n: int) -> Any:
    return _xor(x, tf.bitwise.right_shift(x, _word(n)))


def _keys(seed: Any, lane: int) -> list[Any]:
    if not tf.is_tensor(seed) or hasattr(seed, "numpy"):
        words = seed.numpy() if tf.is_tensor(seed) else seed
        return [_word(k) for k in host_keys([w & WORD for w in words.tolist()], lane)]
    a, b = tf.unstack(tf.cast(seed, tf.uint32))
    for r in ROUNDS:
        x = _fold(_xor(b, _word(r ^ lane * LANE)), 16) * _word(0x7FEB352D)
        a, b = b, _xor(a, _fold(_fold(x, 15) * _word(0x846CA68B), 16))
    return [a, b]


def _random_bits(seed: Any, shape: Any, lane: int) -> Any:
    first, second = _keys(seed, lane)
    x = tf.bitcast(tf.range(tf.reduce_prod(tf.cast(tf.stack(shape), tf.int32))), tf.uint32)
    x = _fold(_xor(x, first), 17) * _word(0xED5AD4BB)
    x = _fold(_xor(x, second), 11) * _word(0xAC4C1B51)
    x = _fold(_fold(x, 15) * _word(0x31848BAB), 14)
    return tf.reshape(tf.bitcast(x, tf.int32), shape)
