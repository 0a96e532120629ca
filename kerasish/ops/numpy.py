"""The NumPy-like part of the ops, also public under its own name."""

from kerasish.ops.complex import *
from kerasish.ops.creation import *
from kerasish.ops.elementwise import *
from kerasish.ops.linear import *
from kerasish.ops.logic import *
from kerasish.ops.reductions import *
from kerasish.ops.trigonometry import *

from kerasish.ops.indexing import *  # isort: skip
from kerasish.ops.manipulation import *  # isort: skip
from kerasish.ops.contraction import *  # isort: skip


def __getattr__(name: str) -> object:
    if name == "slogdet":  # its home, linalg, is made of what stands here
        from kerasish.ops.linalg import slogdet

        return slogdet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
