"""Sparse tensors of any library as entries on the host: how they go from one engine to another."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from kerasish import backends


def is_scipy(x: Any) -> bool:
    """Whether `x` is a sparse array or matrix of SciPy, which is not imported to find out."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and module.issparse(x)


def host_entries(x: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]] | None:
    """(indices of shape (n, axes), values, shape) of a sparse tensor; `None` for anything else."""
    if is_scipy(x):
        x = canonical(x)
        return np.stack(x.coords, -1), x.data, x.shape
    adapter = backends.owner(x)
    if adapter is None or not adapter.is_sparse(x):
        return None
    indices, values = map(adapter.to_host, adapter.sparse_parts(x))
    # JAX fills up with entries outside of the shape.
    inside = np.all(indices < np.array(x.shape, indices.dtype), axis=1)
    indices, values = indices[inside], values[inside]
    # In ascending order and each once, as some engines want them.
    places, where = np.unique(np.ravel_multi_index(indices.T, x.shape), return_inverse=True)
    sums = np.zeros(len(places), values.dtype)
    np.add.at(sums, where, values)
    return np.stack(np.unravel_index(places, x.shape), -1), sums, tuple(x.shape)


def canonical(x: Any) -> Any:
    """SciPy's array as coordinates in ascending order, each once."""
    if x.ndim == 2:
        x = x.tocsr()
        if not x.has_canonical_format:
            x = x.copy()
            x.sum_duplicates()
        return x.tocoo()
    x = x.tocoo().copy()
    x.sum_duplicates()
    return x
