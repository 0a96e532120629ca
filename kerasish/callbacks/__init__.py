"""Callbacks."""

from kerasish.callbacks.base import Callback, CallbackList, History
from kerasish.callbacks.progress import ProgbarLogger

__all__ = ["Callback", "CallbackList", "History", "ProgbarLogger"]
