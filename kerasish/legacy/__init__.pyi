"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.legacy import saving as saving
