"""One family of exceptions, each also the built-in class that Keras programs already catch."""


class KerasishError(Exception):
    """Base of every error that kerasish raises on purpose."""

    _op = _inside = ""
    """The op that failed, where one did, and what is told of the one that called it."""


class InvalidArgument(KerasishError, ValueError):
    """A value that the called function does not take."""


class ShapeError(KerasishError, ValueError):
    """Shapes that do not fit each other or the layer that got them."""


class DTypeError(KerasishError, TypeError):
    """A data type that the called function does not take."""


class UnknownDType(DTypeError, ValueError):
    """A name that no data type has."""


class FileMissing(InvalidArgument, FileNotFoundError):
    """A file or folder that is not there."""


class NotDefined(KerasishError, NotImplementedError, TypeError):
    """A method that a subclass must define and does not."""


class UnknownObject(InvalidArgument, TypeError):
    """A config names what is not known, or an object has no config."""


class NoValue(DTypeError, ValueError, NotImplementedError):
    """Values asked of a symbolic tensor."""


class KindError(InvalidArgument, DTypeError):
    """A value of another kind than the argument takes: a dict for an array, 1.5 for an axis."""


class StateError(KerasishError, RuntimeError, ValueError):
    """A call that comes too early, too late or in the wrong scope."""


class NotBuilt(KerasishError, ValueError, AttributeError):
    """Weights or outputs asked of a layer that has not seen its input shape yet."""


class Unsupported(KerasishError, NotImplementedError, ValueError):
    """Something that this kind of object does not do, whatever the arguments."""


class BackendError(KerasishError, RuntimeError):
    """The active backend cannot do what was asked; the message names the way out."""


class BackendMissing(BackendError, ImportError):
    """The library behind a backend is not installed."""


class GradientError(KerasishError, TypeError):
    """An operation without a gradient rule stood between a loss and a variable."""


class UnsafeFile(KerasishError, ValueError):
    """A file asks for something that loading must never do."""
