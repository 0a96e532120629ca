"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.datasets import digits as digits
