"""Elementwise mathematics, logic, bits, choices and products against NumPy and SciPy."""

import math

import numpy as np
import scipy.special as sp

from kerasish import ops
from kerasish.ops.complex import _complex
from tests.ops.case import bools, case, each, ints, pos, unit, x

inf, nan = math.inf, math.nan
f = np.float32


def npy(name):
    return getattr(np, name)


# One argument
each("sin cos tan sinh cosh tanh exp exp2 expm1 arcsinh arctan cbrt sinc deg2rad rad2deg square "
     "negative absolute fabs i0", x(3, 4), ref=npy)
each("log log2 log10 log1p sqrt reciprocal", pos(3, 4), ref=npy)
each("arcsin arccos arctanh", unit(3, 4), ref=npy)
case("arccosh", x(3, 4, low=1.1, high=3.0), ref=np.arccosh)
case("rsqrt", pos(3, 4), ref=lambda a: 1 / np.sqrt(a))
case("i0", np.array([0.0, 0.001, 3.7, 3.8, 20.0, -5.0], f), ref=sp.i0)
case("sinc", np.array([0.0, 1e-4, -0.5, 3.25], f), ref=np.sinc)
each("exp sqrt cbrt log1p rad2deg", ints(2, 3, low=1), ref=npy)
each("ceil floor trunc sign", x(3, 4), ref=npy, grad=False)
each("ceil floor", ints(3), ref=lambda n: lambda a: a.astype(f))
each("trunc sign absolute negative square", ints(2, 3, low=-4), ref=npy)
case("sign", bools(4), ref=lambda a: a.astype("int32"))
case("negative", bools(4), ref=lambda a: -a.astype("int32"))
case("square", bools(4), ref=lambda a: a.astype("int32"))
case("signbit", np.array([1.0, -1.0, 0.0, -0.0, inf, -inf], f), ref=np.signbit, grad=False)
case("signbit", ints(4, low=-2), ref=np.signbit)
case("round", np.array([0.5, 1.5, -0.5, 2.4, -2.6], f), ref=np.round, grad=False)
case("round", x(3, 4), decimals=1, ref=np.round, grad=False)
case("round", np.array([123.0, 250.0, -151.0], f), decimals=-2, ref=np.round, grad=False)
case("round", np.array([15, 25, -15, 14, 16], "int32"), decimals=-1, ref=np.array([20, 20, -20, 10, 20]))
case("round", ints(4), decimals=2, ref=lambda a, decimals: a)
case("clip", x(3, 4), -0.5, 0.7, ref=np.clip)
case("clip", x(3, 4), unit(4) - 1, unit(3, 1) + 1, ref=np.clip)
case("clip", x(3), None, 0.1, ref=np.clip)
case("clip", np.array([-3, 1, 9], "int32"), 0.5, 4.5, ref=np.array([0, 1, 4], "int32"))
special = np.array([nan, inf, -inf, 1.5], f)
case("nan_to_num", special, ref=np.nan_to_num, grad=False)
case("nan_to_num", special, nan=1.0, posinf=2.0, neginf=-2.0, ref=np.array([1.0, 2.0, -2.0, 1.5]), grad=False)
case("nan_to_num", x(3), ref=np.nan_to_num)
case("nan_to_num", ints(3), ref=np.nan_to_num)
each("isfinite isinf isnan isneginf isposinf", special, ref=npy, grad=False)
each("isfinite isinf isnan", ints(3), ref=npy)

# Two arguments that broadcast
each("add subtract multiply maximum minimum fmax fmin arctan2 hypot logaddexp logaddexp2",
     x(3, 4), x(4), ref=npy)
each("add subtract multiply maximum minimum", ints(3, 1), ints(4), ref=npy)
each("add multiply maximum minimum", bools(9), bools(9), ref=npy)
case("subtract", np.array([True, False]), np.array([True, True]), ref=np.array([0, -1], "int32"))
each("add subtract multiply divide power maximum", x(2, 3, low=0.5), 2.0, ref=npy)
each("add subtract multiply divide power mod", 2.0, pos(2, 3), ref=npy)
case("divide", x(3, 4), pos(3, 1), ref=np.divide)
case("divide", ints(3, low=1), ints(3, low=1), ref=lambda a, b: (a / b).astype(f))
case("divide_no_nan", np.array([1.0, 2.0, 0.0], f), np.array([0.0, 4.0, 0.0], f), ref=np.array([0.0, 0.5, 0.0]),
     grad=False)
case("divide_no_nan", x(4), pos(4), ref=np.divide)
case("power", pos(3, 4), x(4), ref=np.power)
case("power", x(3, 4), 3, ref=np.power)
case("power", x(3), 0, ref=np.power)
case("power", ints(3, 3), ints(3), ref=np.power)
each("mod fmod floor_divide", x(3, 4, low=-9.0, high=9.0), pos(4), ref=npy, grad=False)
each("mod fmod", x(3, 4, low=-9.0, high=9.0), pos(4), ref=npy, grad_tol=5e-3)
each("mod fmod floor_divide", ints(3, 4, low=-9, high=9), np.array([2, -3, 5, -7], "int32"), ref=npy)
each("maximum minimum fmax fmin", np.array([nan, 1.0, 2.0], f), np.array([1.0, nan, 3.0], f), ref=npy,
     grad=False)
case("hypot", np.array([0.0, 3e30, inf, 3.0], f), np.array([0.0, 4e30, 1.0, -4.0], f),
     ref=np.array([0.0, 5e30, inf, 5.0]), grad=False)
case("heaviside", np.array([-1.0, 0.0, 2.0, nan], f), np.array([0.5, 0.5, 0.5, 0.5], f),
     ref=np.heaviside, grad=False)
case("heaviside", np.array([-1.0, 0.0, 2.0], f), 0.5, ref=np.heaviside, grad=False)
case("logaddexp", np.array([-inf, -inf, inf, 100.0, -20.0], f), np.array([-inf, 0.0, 0.0, -100.0, 0.0], f),
     ref=np.logaddexp, tol=1e-6, grad=False)
case("logaddexp", np.zeros(3, f), 0.0, ref=np.logaddexp)
case("logaddexp2", np.array([-inf, 3.0], f), np.array([1.0, 3.0], f), ref=np.logaddexp2, grad=False)
case("nextafter", np.array([1.0, 0.0, -1.0, 2.0], f), np.array([2.0, -1.0, 0.0, 2.0], f),
     ref=np.nextafter, grad=False, tol=0, skip={"tensorflow": "CPU kernels flush denormals to zero"})
case("nextafter", np.array([1.0, -1.0, 2.0], "float16"), np.array([2.0, 0.0, 2.0], "float16"),
     ref=np.nextafter, grad=False, tol=0)
each("gcd lcm", ints(3, 4, low=-12, high=30), ints(4, low=0, high=12), ref=npy)
case("ldexp", x(4), ints(4, low=-3, high=4), ref=np.ldexp)
case("ldexp", np.array([2.0**-100, 2.0**-140, 1.5], f), np.array([200, 140, -20], "int32"), ref=np.ldexp,
     grad=False, skip={"jax": "flushes denormals to zero", "tensorflow": "flushes denormals to zero"})

# Comparisons, truth and bits
each("equal not_equal less less_equal greater greater_equal", ints(3, 4), ints(4), ref=npy)
each("equal not_equal less less_equal greater greater_equal", x(3, 4), 0.25, ref=npy, grad=False)
each("less greater_equal", bools(5), bools(5), ref=npy)
each("logical_and logical_or logical_xor", bools(3, 4), bools(4), ref=npy)
each("logical_and logical_or logical_xor", ints(3, 4, high=2), x(4), ref=npy, grad=False)
each("logical_not", bools(3), ref=npy)
each("logical_not", ints(3, high=2), ref=npy)
each("bitwise_and bitwise_or bitwise_xor", ints(3, 4, high=99), ints(4, high=99), ref=npy)
each("bitwise_and bitwise_or bitwise_xor", bools(3, 4), bools(4), ref=npy)
case("bitwise_not", ints(4, low=-9), ref=np.invert)
case("bitwise_not", bools(4), ref=np.invert)
case("left_shift", ints(3, 4, high=99), ints(4), ref=np.left_shift)
case("right_shift", ints(3, 4, low=-99, high=99), ints(4), ref=np.right_shift)
case("isclose", np.array([1.0, 1.0, inf, inf, nan], f), np.array([1.000001, 1.1, inf, -inf, nan], f),
     ref=np.isclose, grad=False)
case("isclose", np.array([nan, 1.0], f), np.array([nan, nan], f), equal_nan=True, ref=np.isclose,
     grad=False)
case("isclose", ints(3), 2.0, rtol=0.0, atol=1.0, ref=np.isclose)
case("allclose", x(3), x(3), ref=np.allclose, grad=False)
case("allclose", np.ones(3, f), np.full(3, 1 + 1e-6, f), ref=np.allclose, grad=False)

# Choices
case("where", bools(3, 4), x(3, 4), x(4), ref=np.where)
case("where", bools(80, 40), x(80, 40), x(40), ref=np.where)
case("where", bools(80, 40), x(80, 1), 0.0, ref=np.where)
case("where", bools(3, 1), x(3, 4), 1, ref=np.where)
case("where", ints(4, high=2), ints(4), 7, ref=np.where)
case("where", np.array([[True, False], [True, True]]), ref=np.where, symbolic=False)
case("select", [bools(4), bools(4)], [x(4), x(4)], ref=np.select)
case("select", [bools(4), bools(4)], [ints(4), ints(3, 4)], 9,
     ref=lambda c, v, d: np.where(c[0], v[0], np.where(c[1], v[1], d)))

# Complex numbers
z = np.array([1 + 2j, -1 - 1j, 3j, -2 + 0j], "complex64")
each("real imag conjugate angle exp sin absolute isreal isfinite", z, ref=npy)
each("real imag conjugate isreal", x(3), ref=npy, grad=False)
case("angle", np.array([1.0, -2.0], f), ref=np.angle)
case("polar", pos(3), x(3), ref=lambda r, a: r * np.exp(1j * a), grad=False)
case("polar", pos(3), x(3), ref=lambda r, a: r * np.sin(a), through=lambda op, *a: ops.imag(op(*a)))
case("view_as_complex", x(3, 2), ref=lambda a: a[..., 0] + 1j * a[..., 1], grad=False)
case("view_as_real", z, ref=lambda a: np.stack([a.real, a.imag], -1))



def on_pairs(op, *pairs):
    """The op on complex numbers given as pairs of real ones: so its gradient can be compared."""
    out = op(*[_complex(p[..., 0], p[..., 1]) for p in pairs])
    return ops.view_as_real(out) if "complex" in ops.dtype(out) else out


def of_pairs(name):
    def ref(*pairs):
        out = getattr(np, name)(*[p[..., 0] + 1j * p[..., 1] for p in pairs])
        return np.stack([out.real, out.imag], -1) if np.iscomplexobj(out) else out

    return ref


each("conjugate exp sin square absolute angle real imag reciprocal negative", x(3, 2), through=on_pairs,
     ref=of_pairs)
each("multiply divide subtract", pos(3, 2), x(4, 1, 2, low=0.5), through=on_pairs, ref=of_pairs)
each("matmul", x(3, 4, 2), x(4, 5, 2), through=on_pairs, ref=of_pairs)
each("sum mean prod cumsum cumprod", x(3, 2), through=on_pairs, ref=of_pairs)
each("var std", x(3, 2), through=on_pairs, ref=of_pairs)

# Products
case("matmul", x(3, 4), x(4, 5), ref=np.matmul)
case("matmul", x(2, 3, 4), x(4, 5), ref=np.matmul)
case("matmul", x(2, 1, 3, 4), x(6, 4, 5), ref=np.matmul)
case("matmul", x(4), x(4), ref=np.matmul)
case("matmul", x(4), x(4, 5), ref=np.matmul)
case("matmul", x(2, 3, 4), x(4), ref=np.matmul)
case("matmul", x(4), x(2, 4, 5), ref=np.matmul)
case("matmul", ints(3, 4), ints(4, 2), ref=np.matmul)
case("matmul", ints(3, 4, high=100, dtype="int8"), ints(4, 2, high=100, dtype="int8"),
     ref=lambda a, b: np.matmul(a.astype("int32"), b.astype("int32")))
case("numpy._dense", x(3, 4), x(4, 5), x(5), ref=lambda a, k, b: a @ k + b)
case("numpy._dense", x(2, 3, 4), x(4, 5), x(5), ref=lambda a, k, b: a @ k + b)
case("numpy._dense", x(2, 3, 4), x(4, 5), None, ref=lambda a, k, b: a @ k)
case("numpy._dense", x(4), x(4, 5), x(5), ref=lambda a, k, b: a @ k + b)
