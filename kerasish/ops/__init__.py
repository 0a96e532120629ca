"""The public ops."""

from kerasish.ops.core import *
from kerasish.ops.numpy import *
from kerasish.ops.nn import *
from kerasish.ops.control_flow import *
