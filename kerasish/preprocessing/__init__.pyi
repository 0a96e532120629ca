"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.preprocessing import image as image
from kerasish.preprocessing import sequence as sequence
