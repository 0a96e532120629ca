"""The public ops."""

from kerasish.ops.core import *
from kerasish.ops.numpy import *
