"""JAX: sparse arrays by coordinates (BCOO)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO, JAXSparse, bcoo_sum_duplicates, bcoo_update_layout

from kerasish.backends.jax.engine import from_host


def is_sparse(x: Any) -> bool:
    return isinstance(x, JAXSparse)


def sparse(indices: Any, values: Any, shape: Any) -> BCOO:
    return BCOO((values, indices.astype("int32")), shape=tuple(shape))


def from_entries(indices: np.ndarray, values: np.ndarray, shape: Any) -> BCOO:
    """Filled up with zeros to the next power of two, lest each batch be compiled anew."""
    more = (1 << max(len(values) - 1, 0).bit_length()) - len(values)
    indices, values = np.pad(indices, ((0, more), (0, 0))), np.pad(values, (0, more))
    return sparse(from_host(indices.astype(np.int32)), from_host(values), shape)


def sparse_parts(x: Any) -> tuple[Any, Any]:
    if not isinstance(x, BCOO):
        x = x.to_bcoo()
    if x.n_batch or x.n_dense:
        x = bcoo_update_layout(x, n_batch=0, n_dense=0)
    return x.indices, x.data


def compact(indices: Any, values: Any) -> tuple[Any, Any]:
    return indices, values  # how many are zero is not known while a function is traced


sparse_sum = sparse


def sparse_unique(x: Any) -> BCOO:
    if not isinstance(x, BCOO) or x.n_batch or x.n_dense:
        indices, values = sparse_parts(x)
        x = sparse(indices, values, x.shape)
    return x if x.unique_indices else bcoo_sum_duplicates(x, nse=x.nse)


def how_many(count: Any, bound: tuple[Any, ...]) -> int:
    first, second, each = bound
    if isinstance(count, jax.core.Tracer):
        return first * min(second, each)
    return 1 << (int(count) - 1).bit_length() if count else 0  # few sizes to compile for


def sparse_add(x1: Any, x2: Any) -> Any:
    parts = [sparse_parts(x1), sparse_parts(x2)]
    indices, values = (jnp.concatenate(pair) for pair in zip(*parts, strict=True))
    return sparse(indices, values, x1.shape)


def sparse_matmul(x: Any, dense: Any) -> Any:
    if is_sparse(dense):
        return NotImplemented
    return x @ dense
