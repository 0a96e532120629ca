"""Keys of the counter-based random bits; `kerasish.random.device` tells what they are for."""

from __future__ import annotations

from collections.abc import Sequence

WORD = 0xFFFFFFFF
ROUNDS = (0x9E3779B9, 0x7F4A7C15, 0xF39CC060, 0x5CEDC834)
"""What tells the rounds of the cipher apart (bits of the golden ratio)."""
LANE = 0x85EBCA6B
"""Odd, so that its multiples differ."""


def signed(word: int) -> int:
    """A 32-bit word as the int32 of the same bits."""
    return (word & WORD) - (1 << 32) if word >> 31 & 1 else word & WORD


def host_keys(seed: Sequence[int], lane: int) -> tuple[int, int]:
    """The two key words of a draw, where Python knows the seed's values."""
    a, b = seed
    for r in ROUNDS:
        x = b ^ r ^ lane * LANE & WORD
        x = (x ^ x >> 16) * 0x7FEB352D & WORD
        x = (x ^ x >> 15) * 0x846CA68B & WORD
        a, b = b, a ^ x ^ x >> 16
    return a, b
