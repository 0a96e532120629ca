"""Reductions, running sums and order statistics against NumPy."""

import math

import numpy as np

from tests.ops.case import bools, case, each, ints, pos, x

nan = math.nan
f = np.float32


def npy(name):
    return getattr(np, name)


for axis in (None, 0, -1, (0, 2), [1]):
    plain = tuple(axis) if isinstance(axis, list) else axis
    for keepdims in (False, True):
        options = {"axis": axis, "keepdims": keepdims}
        ref = lambda n, a=plain: lambda v, axis, keepdims: getattr(np, n)(v, axis=a, keepdims=keepdims)
        each("sum mean max min var std prod ptp amax amin", x(2, 3, 4), ref=ref, **options)
        each("all any", ints(2, 3, 4, high=2), ref=ref, **options)
        each("median nanmedian", x(2, 3, 4), ref=ref, **options)
each("sum mean max min var prod all any", x(3, 2), axis=(), ref=npy, grad=False)
each("sum prod", ints(3, 4), axis=0, ref=lambda n: lambda v, axis: getattr(np, n)(v, axis, dtype="int32"))
each("sum prod", ints(3, 4, dtype="int8"), ref=lambda n: lambda v: getattr(np, n)(v, dtype="int32"))
each("sum prod", ints(3, 4, dtype="uint8"), ref=lambda n: lambda v: getattr(np, n)(v, dtype="uint32"))
case("sum", bools(3, 4), axis=1, ref=lambda v, axis: np.sum(v, axis, dtype="int32"))
case("prod", ints(3), dtype="float32", ref=lambda v, dtype: np.prod(v).astype(f))
case("prod", np.array([[1.0, 0.0, 3.0], [0.0, 0.0, 2.0], [1.0, 2.0, 3.0]], f), axis=1, ref=np.prod)
case("prod", np.array([[1.0, 0.0, 3.0], [4.0, 5.0, 2.0]], f), ref=np.prod)
each("mean var std", ints(3, 4), axis=1, ref=lambda n: lambda v, axis: getattr(np, n)(v, axis).astype(f))
each("max min", ints(3, 4), axis=0, ref=npy)
each("max min", bools(3, 4), axis=0, ref=npy)
each("max min", x(3, 4), axis=1, initial=0.5, ref=npy)
each("max min", np.zeros((0, 2), f), axis=0, initial=3.0, ref=npy, grad=False)
case("max", np.array([1.0, nan, 2.0], f), ref=np.max, grad=False)
each("argmax argmin", x(3, 4, 2), ref=npy, grad=False)
each("argmax argmin", x(3, 4, 2), axis=1, keepdims=True, ref=npy, grad=False)
each("argmax argmin", ints(3, 9), axis=-1, ref=npy)
each("argmax argmin", bools(3, 4), axis=0, ref=npy)
case("argmax", x(3, 4), keepdims=True, ref=np.argmax, grad=False)
case("count_nonzero", ints(3, 4, high=2), ref=np.count_nonzero)
case("count_nonzero", x(3, 4), axis=(0, 1), ref=np.count_nonzero, grad=False)
case("average", x(3, 4), axis=1, ref=np.average)
case("average", x(3, 4), axis=1, weights=np.array([1.0, 2.0, 0.5, 3.0], f), ref=np.average)
case("average", x(3, 4), axis=0, weights=np.array([1.0, 2.0, 0.5], f), ref=np.average)
case("average", x(3, 4), None, pos(3, 4), ref=lambda v, a, w: np.average(v, weights=w))
case("average", ints(3), weights=[1, 2, 1], ref=lambda v, weights: np.average(v, weights=weights))
each("cumsum cumprod", x(3, 4), axis=1, ref=npy)
each("cumsum cumprod", x(2, 3, 4), axis=-2, ref=npy)
each("cumsum cumprod", x(3, 4), ref=npy)
each("cumsum cumprod", ints(3, 4, dtype="int8", high=2), axis=0,
     ref=lambda n: lambda v, axis: getattr(np, n)(v, axis, dtype="int8"))
each("cumsum cumprod", bools(4), ref=lambda n: lambda v: getattr(np, n)(v, dtype="int32"))
each("cumsum cumprod", ints(4), dtype="float32", ref=npy)
case("cumprod", np.array([[2.0, 0.0, 3.0, 0.0, 4.0], [1.0, 2.0, 3.0, 4.0, 0.0]], f), axis=1, ref=np.cumprod)

# With NaN
holes = x(3, 4)
holes[0, 1] = holes[2, 0] = holes[2, 3] = nan
for axis in (None, 0, 1):
    each("nansum nanprod nanmean nanvar nanstd nanmax nanmin nanargmax nanargmin nanmedian", holes,
         axis=axis, ref=npy, grad=False)
    each("nancumsum nancumprod", holes, axis=axis, ref=npy, grad=False)
each("nansum nanprod nanmean nanvar nanmax nanmin nancumsum", x(3, 4), axis=1, ref=npy)
case("nanargmax", x(3, 4), axis=1, ref=np.nanargmax, grad=False)
each("nansum nanmax nancumsum", ints(3, 4), axis=1, ref=npy)
lost = np.array([[nan, nan], [1.0, nan]], f)
case("nanmax", lost, axis=1, ref=np.array([nan, 1.0]), grad=False)
case("nanmin", lost, axis=1, ref=np.array([nan, 1.0]), grad=False)
case("nanmean", lost, axis=1, ref=np.array([nan, 1.0]), grad=False)
for name in ("nansum", "nanmean", "nanvar", "nanstd"):
    case(name, np.array([1j, 1, nan], "complex64"), ref=getattr(np, name), grad=False)
case("nanvar", lost, axis=1, ref=np.array([nan, 0.0]), grad=False)
case("nanmedian", lost, axis=1, ref=np.array([nan, 1.0]), grad=False)
case("nanargmax", lost, axis=1, ref=np.array([-1, 0]), grad=False)
case("nanargmin", lost, axis=1, ref=np.array([-1, 0]), grad=False)
case("median", lost, axis=1, ref=np.array([nan, nan]), grad=False)

# Quantiles
for method in ("linear", "lower", "higher", "midpoint", "nearest"):
    case("quantile", x(3, 7), np.array([0.1, 0.5, 0.93], f), axis=1, method=method, keepdims=True,
         ref=np.quantile, grad=False)
    case("nanquantile", holes, 0.3, axis=1, method=method, ref=np.nanquantile, grad=False)
case("quantile", x(3, 5, 2), 0.35, axis=(0, 2), ref=np.quantile)
case("quantile", x(3, 5), [[0.0, 0.25], [0.75, 1.0]], ref=np.quantile)
case("quantile", ints(9), 0.5, ref=np.quantile)
case("quantile", np.array([1.0, math.inf, math.inf], f), 0.5, ref=math.inf, grad=False)
case("percentile", x(3, 5), 30, axis=0, ref=np.percentile)
case("nanpercentile", holes, [20.0, 80.0], axis=0, keepdims=True, ref=np.nanpercentile, grad=False)
