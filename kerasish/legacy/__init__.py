"""What older programs use; each module loads when it is first used."""

from kerasish._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, modules="saving")
