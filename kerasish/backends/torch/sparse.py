"""PyTorch: sparse tensors, by coordinates (COO) where they are made here."""

from __future__ import annotations

from typing import Any

import torch

_DENSE = (torch.strided, torch._mkldnn)


def is_sparse(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.layout not in _DENSE


def sparse(indices: Any, values: Any, shape: Any) -> Any:
    return torch.sparse_coo_tensor(indices.T, values, tuple(shape), check_invariants=False)


def sparse_parts(x: Any) -> tuple[Any, Any]:
    x = (x if x.layout is torch.sparse_coo else x.to_sparse()).coalesce()
    return x.indices().T, x.values()


def compact(indices: Any, values: Any) -> tuple[Any, Any]:
    kept = values != 0
    return indices[kept], values[kept]


sparse_sum = sparse


def sparse_unique(x: Any) -> Any:
    return x  # as its parts are


def how_many(count: Any, bound: tuple[Any, ...]) -> int:
    return int(count)


def sparse_add(x1: Any, x2: Any) -> Any:
    return x1.to_sparse() + x2.to_sparse()


def sparse_matmul(x1: Any, x2: Any) -> Any:
    if is_sparse(x2) and not x2.is_floating_point():
        return NotImplemented
    return torch.sparse.mm(x1, x2)
