"""Hash functions that give the same number for the same bytes in every process and machine.

FarmHash64 (Fingerprint64) where there is no salt, SipHash-2-4 with one: the functions that
TensorFlow's `to_hash_bucket_fast` and `to_hash_bucket_strong` use, so buckets agree with Keras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _rotate(x: int, right: int) -> int:
    return ((x >> right) | (x << (64 - right))) & _MASK


def _mix(x: int) -> int:
    return x ^ (x >> 47)


def _pair(u: int, v: int, mul: int) -> int:
    a = _mix((u ^ v) * mul & _MASK)
    return _mix((v ^ a) * mul & _MASK) * mul & _MASK


def farmhash64(s: bytes) -> int:
    """The 64-bit FarmHash fingerprint of a string of any length.

    >>> from kerasish.layers.preprocessing.hashing import farmhash64
    >>> farmhash64(b"") == 0x9AE16A3B2F90404F
    True
    """
    n = len(s)

    def word(i: int, size: int = 8) -> int:
        i = i if i >= 0 else n + i
        return int.from_bytes(s[i : i + size], "little")

    mul = _K2 + 2 * n
    if n > 64:
        return _farmhash_long(s, word)
    if n > 16:
        a = word(0) * (_K1 if n <= 32 else _K2) & _MASK
        b, c, d = word(8), word(-8) * mul & _MASK, word(-16) * _K2 & _MASK
        y = (_rotate((a + b) & _MASK, 43) + _rotate(c, 30) + d) & _MASK
        z = _pair(y, (a + _rotate((b + _K2) & _MASK, 18) + c) & _MASK, mul)
        if n <= 32:
            return z
        e, f = word(16) * mul & _MASK, word(24)
        g, h = (y + word(-32)) * mul & _MASK, (z + word(-24)) * mul & _MASK
        return _pair(
            (_rotate((e + f) & _MASK, 43) + _rotate(g, 30) + h) & _MASK,
            (e + _rotate((f + a) & _MASK, 18) + g) & _MASK, mul,
        )  # fmt: skip
    if n >= 8:
        a, b = (word(0) + _K2) & _MASK, word(-8)
        c = (_rotate(b, 37) * mul + a) & _MASK
        return _pair(c, (_rotate(a, 25) + b) * mul & _MASK, mul)
    if n >= 4:
        return _pair(n + (word(0, 4) << 3), word(-4, 4), mul)
    if n > 0:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[-1] << 2)
        return _mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _farmhash_long(s: bytes, word: Any) -> int:
    def weak(i: int, a: int, b: int) -> tuple[int, int]:
        w, x, y, z = (word(i + 8 * j) for j in range(4))
        a = (a + w) & _MASK
        b = _rotate((b + a + z) & _MASK, 21)
        c = (a + x + y) & _MASK
        return (c + z) & _MASK, (b + _rotate(c, 44) + a) & _MASK

    def turn(i: int, mul: int, last: bool) -> None:
        nonlocal x, y, z, v, w
        times = 9 if last else 1
        x = _rotate((x + y + v[0] + word(i + 8)) & _MASK, 37) * mul & _MASK
        y = _rotate((y + v[1] + word(i + 48)) & _MASK, 42) * mul & _MASK
        x ^= w[1] * times & _MASK
        y = (y + v[0] * times + word(i + 40)) & _MASK
        z = _rotate((z + w[0]) & _MASK, 33) * mul & _MASK
        v = weak(i, v[1] * mul & _MASK, (x + w[0]) & _MASK)
        w = weak(i + 32, (z + w[1]) & _MASK, (y + word(i + 16)) & _MASK)
        z, x = x, z

    seed, n = 81, len(s)
    y = (seed * _K1 + 113) & _MASK
    z = _mix((y * _K2 + 113) & _MASK) * _K2 & _MASK
    x = (seed * _K2 + word(0)) & _MASK
    v = w = (0, 0)
    for i in range(0, (n - 1) // 64 * 64, 64):
        turn(i, _K1, last=False)
    mul = _K1 + ((z & 0xFF) << 1)
    w = ((w[0] + ((n - 1) & 63)) & _MASK, w[1])
    v = ((v[0] + w[0]) & _MASK, v[1])
    w = ((w[0] + v[0]) & _MASK, w[1])
    turn(n - 64, mul, last=True)
    return _pair(
        (_pair(v[0], w[0], mul) + _mix(y) * _K0 + z) & _MASK,
        (_pair(v[1], w[1], mul) + x) & _MASK, mul,
    )  # fmt: skip


def siphash64(s: bytes, key: Sequence[int]) -> int:
    """SipHash-2-4 of a string, with a key of two 64-bit integers."""
    k0, k1 = (int(k) & _MASK for k in key)
    a, b = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    c, d = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573

    def rounds(count: int) -> None:
        nonlocal a, b, c, d
        for _ in range(count):
            a = (a + b) & _MASK
            c = (c + d) & _MASK
            b, d = _rotate(b, 51) ^ a, _rotate(d, 48) ^ c
            a = (_rotate(a, 32) + d) & _MASK
            c = (c + b) & _MASK
            d, b = _rotate(d, 43) ^ a, _rotate(b, 47) ^ c
            c = _rotate(c, 32)

    padded = s + b"\0" * (7 - len(s) % 8) + bytes([len(s) & 0xFF])
    for i in range(0, len(padded), 8):
        m = int.from_bytes(padded[i : i + 8], "little")
        d ^= m
        rounds(2)
        a ^= m
    c ^= 0xFF
    rounds(4)
    return a ^ b ^ c ^ d


def fingerprints(x: np.ndarray, salt: Sequence[int] | None = None) -> np.ndarray:
    """The hash of each entry (strings as UTF-8, integers as their decimal digits), uint64."""
    entries, places = np.unique(x.astype(str), return_inverse=True)
    one = farmhash64 if salt is None else lambda s: siphash64(s, salt)
    hashes = np.array([one(str(e).encode()) for e in entries], "uint64")
    return hashes[places].reshape(x.shape)


def buckets(x: np.ndarray, count: int, salt: Sequence[int] | None = None) -> np.ndarray:
    """The bucket, from 0 to `count - 1`, that each entry falls into, int64."""
    return (fingerprints(x, salt) % np.uint64(count)).astype("int64")


def crossed(columns: Sequence[np.ndarray], count: int) -> np.ndarray:
    """The bucket of each combination of entries; integers count as their own fingerprint."""
    mul = np.uint64(0xC6A4A7935BD1E995)
    shift = np.uint64(47)
    total = np.full(columns[0].shape, 0xDECAFCAFFE, "uint64")
    for x in columns:
        own = x.astype("int64").view("uint64") if x.dtype.kind in "iub" else fingerprints(x)
        own = own * mul
        total = ((total ^ mul) ^ ((own ^ (own >> shift)) * mul)) * mul
        total = (total ^ (total >> shift)) * mul
        total = total ^ (total >> shift)
    return (total % np.uint64(count)).astype("int64")
