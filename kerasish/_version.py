"""The release of kerasish and the version of Keras whose interface it has."""

RELEASE = "0.1.0"
KERAS = "3.15.0"

# Programs ask `keras.__version__` which Keras they run on: that comes first. The release follows as
# what PEP 440 calls a local version, so that both compare as they should.
__version__ = f"{KERAS}+kerasish.{RELEASE}"


def version() -> str:
    """The version of the Keras interface, and the release of kerasish after the plus.

    >>> import kerasish as keras
    >>> keras.version() == keras.__version__
    True
    >>> keras.version().partition("+")[0] >= "3.15"
    True
    """
    return __version__
