"""The version of kerasish."""

__version__ = "0.1.0"


def version() -> str:
    """The version of kerasish.

    >>> import kerasish as keras
    >>> keras.version() == keras.__version__
    True
    """
    return __version__
