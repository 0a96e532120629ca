"""Sequences of unequal lengths."""

from kerasish.utils.sequence import pad_sequences

__all__ = ["pad_sequences"]
