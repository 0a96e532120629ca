"""NumPy: sparse arrays are SciPy's, or `Entries` where SciPy has no such thing."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.backends.numpy.math import _segment
from kerasish.backends.numpy.tape import Traced, defvjp, primitive
from kerasish.backends.sparse import canonical, is_scipy
from kerasish.errors import BackendMissing

_SCIPY_DTYPES = frozenset("?bBhHiIlLqQfdFD")


class Entries:
    """What SciPy cannot hold: values on a tape, halves, arrays of more or less than two axes."""

    __slots__ = ("indices", "shape", "values")

    def __init__(self, indices: Any, values: Any, shape: Any):
        self.indices, self.values, self.shape = indices, values, tuple(shape)

    dtype = property(lambda self: self.values.dtype)
    ndim = property(lambda self: len(self.shape))
    nnz = property(lambda self: len(self.indices))

    def astype(self, dtype: Any) -> Entries:
        return Entries(self.indices, self.values.astype(dtype), self.shape)

    def toarray(self) -> np.ndarray:
        """The dense array."""
        dense = np.zeros(self.shape, self.dtype)
        np.add.at(dense, tuple(self.indices.T), self.values)
        return dense

    def __repr__(self) -> str:
        return f"<Entries of a sparse {self.dtype} array of shape {self.shape}: {self.nnz}>"


def is_sparse(x: Any) -> bool:
    return type(x) is Entries or is_scipy(x)


def sparse(indices: Any, values: Any, shape: Any) -> Any:
    if type(values) is Traced or len(shape) != 2 or values.dtype.char not in _SCIPY_DTYPES:
        return Entries(indices, values, shape)
    try:
        from scipy.sparse import coo_array
    except ImportError as error:
        raise BackendMissing(
            "Sparse tensors on the NumPy backend are SciPy's. Mend: pip install scipy."
        ) from error
    return coo_array((values, (indices[:, 0], indices[:, 1])), shape)


def sparse_parts(x: Any) -> tuple[Any, Any]:
    if type(x) is Entries:
        return x.indices, x.values
    x = canonical(x)
    return np.stack(x.coords, -1), x.data


def compact(indices: Any, values: Any) -> tuple[Any, Any]:
    kept = values != 0
    return indices[kept], values[kept]


sparse_sum = sparse


def sparse_unique(x: Any) -> Any:
    if type(x) is not Entries:
        return x  # as its parts are
    places = np.ravel_multi_index(x.indices.T, x.shape)
    _, first, where = np.unique(places, return_index=True, return_inverse=True)
    if len(first) == len(places):
        return x
    return Entries(x.indices[first], _segment(x.values, where, len(first), False, "sum"), x.shape)


def how_many(count: Any, bound: tuple[Any, ...]) -> int:
    return int(count)


def sparse_add(x1: Any, x2: Any) -> Any:
    parts = [sparse_parts(x1), sparse_parts(x2)]
    indices, values = (np.concatenate(pair) for pair in zip(*parts, strict=True))
    return sparse(indices, values, x1.shape)


def sparse_matmul(x: Any, dense: Any) -> Any:
    if Entries in (type(x), type(dense)):
        return NotImplemented
    if is_scipy(dense):
        return (x.tocsr() @ dense.tocsr()).tocoo()
    return _product(x.tocsr(), dense)


@primitive
def _product(x: Any, dense: Any) -> Any:
    return x @ dense


defvjp(_product, None, lambda g, ans, x, dense: _product(x.T, g))
