"""Creation of tensors against NumPy."""

import numpy as np

from tests.ops.case import case, ints, pos, x

f = np.float32


def cast(function, dtype="float32"):
    return lambda *args, **kwargs: function(*args, **{k: v for k, v in kwargs.items() if k != "dtype"}
                                            ).astype(dtype)


case("array", [[1, 2], [3, 4]], ref=np.array([[1, 2], [3, 4]], "int32"))
case("array", [1.5], dtype="int32", ref=np.array([1], "int32"))
case("zeros", np.array([2, 3]), ref=np.zeros((2, 3)), symbolic=False)
for name in ("zeros", "ones"):
    case(name, (2, 3), ref=cast(getattr(np, name)))
    case(name, 4, "bool", ref=getattr(np, name)(4, bool))
    case(f"{name}_like", ints(2, 3), ref=getattr(np, f"{name}_like"))
    case(f"{name}_like", x(2, 3), dtype="int32", ref=getattr(np, f"{name}_like"), grad=False)
case("empty", (2, 3), ref=lambda s: np.zeros(s, f))
case("empty_like", ints(2), ref=np.zeros_like)
case("full", (2, 3), 2.5, ref=cast(np.full))
case("full", 2, 7, dtype="int8", ref=np.full)
case("full", (2, 3), x(3), ref=np.full)
case("full_like", ints(2, 3), 2.9, ref=np.full_like)
case("full_like", x(2, 3), 1, ref=np.full_like, grad=False)
case("arange", 5, ref=lambda n: np.arange(n, dtype="int32"))
case("arange", 1, 8, 3, ref=lambda *a: np.arange(*a, dtype="int32"))
case("arange", 5, 0, -2, ref=lambda *a: np.arange(*a, dtype="int32"))
case("arange", 0.0, 1.0, 0.25, ref=cast(np.arange))
case("arange", 3, dtype="bfloat16", ref=np.array([0.0, 1.0, 2.0]))
case("arange", 3, dtype="uint8", ref=np.arange(3, dtype="uint8"))
case("arange", 3, dtype="uint32", ref=np.arange(3, dtype="uint32"))
case("linspace", 0, 1, 5, ref=cast(np.linspace))
case("linspace", -1.0, 2.0, 7, endpoint=False, ref=cast(np.linspace))
case("linspace", 0, 10, 4, dtype="int32", ref=cast(np.linspace, "int32"))
case("linspace", 0.0, 1.0, 5, retstep=True, ref=lambda *a, retstep: (np.linspace(*a), np.array(0.25)))
case("linspace", x(3), x(2, 1), 5, ref=np.linspace)
case("linspace", x(2), 3.0, 4, endpoint=False, axis=1, ref=np.linspace)
case("linspace", x(2), x(2), 3, retstep=True,
     ref=lambda a, b, n, retstep: np.linspace(a, b, n, retstep=True))
case("linspace", x(2), x(2), 1, ref=np.linspace)
case("logspace", 0, 2, 5, ref=cast(np.logspace))
case("logspace", x(3), x(3), 4, base=2, axis=-1, ref=np.logspace)
case("geomspace", 1, 1000, 4, ref=cast(np.geomspace))
case("geomspace", pos(3), pos(3), 4, axis=1, ref=np.geomspace)
case("geomspace", -pos(2), -pos(2), 3, endpoint=False, ref=np.geomspace)
case("eye", 3, ref=cast(np.eye))
case("eye", 3, 5, k=-1, dtype="int32", ref=np.eye)
case("identity", 3, ref=cast(np.identity))
case("tri", 3, 5, k=1, ref=np.tri)
case("tri", 3, dtype="bool", ref=np.tri)
case("meshgrid", x(2), x(3), x(4), ref=lambda *a: list(np.meshgrid(*a)))
case("meshgrid", ints(2), x(3), indexing="ij", ref=lambda *a, indexing: list(np.meshgrid(*a, indexing="ij")))
case("meshgrid", ints(2), ref=lambda a: [a])
for name in ("bartlett", "blackman", "hamming", "hanning"):
    case(name, 7, ref=getattr(np, name))
    case(name, 1, ref=getattr(np, name))
case("kaiser", 7, 8.6, ref=np.kaiser)
