"""Preprocessing layers: they work in models, in data pipelines and on plain arrays."""
