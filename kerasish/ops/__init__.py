"""The public ops."""

from kerasish.ops.control_flow import *
from kerasish.ops.core import *
from kerasish.ops.linalg import *
from kerasish.ops.math import *
from kerasish.ops.nn import *
from kerasish.ops.numpy import *

from kerasish.ops import image, linalg, math, nn, numpy, sparse  # isort: skip
