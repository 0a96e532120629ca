"""Gradient rules of NumPy's elementwise functions and reductions."""
