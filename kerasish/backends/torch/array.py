"""PyTorch: elementwise mathematics, products, reductions and creation.

torch has few kernels for uint16, uint32 and uint64; what lacks them is computed in int64.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from kerasish.backends.shapes import axes_of, axis_of
from kerasish.backends.torch.engine import device, native_dtype
from kerasish.errors import InvalidArgument, ShapeError

add = torch.add
arccos = torch.acos
arccosh = torch.acosh
arcsin = torch.asin
arcsinh = torch.asinh
arctan = torch.atan
arctan2 = torch.atan2
arctanh = torch.atanh
bitwise_and = torch.bitwise_and
bitwise_not = torch.bitwise_not
bitwise_or = torch.bitwise_or
bitwise_xor = torch.bitwise_xor
ceil = torch.ceil
conjugate = torch.conj
cos = torch.cos
cosh = torch.cosh
divide = torch.div
equal = torch.eq
exp = torch.exp
exp2 = torch.exp2
expm1 = torch.expm1
floor = torch.floor
fmod = torch.fmod
gcd = torch.gcd
greater = torch.gt
greater_equal = torch.ge
i0 = torch.i0
isfinite = torch.isfinite
isinf = torch.isinf
isnan = torch.isnan
lcm = torch.lcm
left_shift = torch.bitwise_left_shift
less = torch.lt
less_equal = torch.le
log = torch.log
log10 = torch.log10
log1p = torch.log1p
log2 = torch.log2
logical_and = torch.logical_and
logical_not = torch.logical_not
logical_or = torch.logical_or
logical_xor = torch.logical_xor
maximum = torch.maximum
minimum = torch.minimum
mod = torch.remainder
multiply = torch.mul
negative = torch.neg
nextafter = torch.nextafter
not_equal = torch.ne
real = torch.real
reciprocal = torch.reciprocal
right_shift = torch.bitwise_right_shift
rsqrt = torch.rsqrt
signbit = torch.signbit
sin = torch.sin
sinh = torch.sinh
sqrt = torch.sqrt
square = torch.square
subtract = torch.sub
tan = torch.tan
tanh = torch.tanh
_rint = torch.round


def absolute(x: Any) -> Any:
    return x if x.dtype is torch.bool else torch.abs(x)


def power(x1: Any, x2: Any) -> Any:
    if not (x1.is_floating_point() or x1.is_complex()) and _any_negative(x2):
        raise InvalidArgument("Integers have no negative powers: make x1 or x2 float.")
    y = torch.pow(x1, x2)
    return torch.where(x2 == 0, 1, y) if x1.is_complex() else y  # 0**0 is NaN in torch then


def _any_negative(x: Any) -> bool:
    try:
        return bool((x < 0).any())
    except RuntimeError:  # not known inside a vmap
        return False


def floor_divide(x1: Any, x2: Any) -> Any:
    return torch.div(x1, x2, rounding_mode="floor")  # has a gradient: zero


def trunc(x: Any) -> Any:
    return torch.trunc(x) if x.is_floating_point() else x


def imag(x: Any) -> Any:
    return torch.imag(x) if x.is_complex() else torch.zeros_like(x)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    return x if x_min is None and x_max is None else torch.clamp(x, x_min, x_max)


def nonzero(x: Any) -> tuple[Any, ...]:
    if not x.ndim:
        raise ShapeError("Only tensors with axes have indices, got a scalar.")
    x = x if x.dtype is torch.bool else x != 0  # has no kernel for every integer
    return tuple(i.int() for i in torch.nonzero(x, as_tuple=True))


def where(condition: Any, x1: Any, x2: Any) -> Any:
    if x1 is None and x2 is None:
        return nonzero(condition)
    return torch.where(condition if condition.dtype is torch.bool else condition != 0, x1, x2)


def _complex(real: Any, imaginary: Any) -> Any:
    if real.dtype not in (torch.float32, torch.float64):
        real, imaginary = real.float(), imaginary.float()
    return torch.complex(real, imaginary)


_UNSIGNED = frozenset((torch.uint16, torch.uint32, torch.uint64))


def _lacks_kernels(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.dtype in _UNSIGNED


def _or_in_int64(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with a way round for the unsigned types that torch has no kernel for."""

    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        try:
            return function(*args)
        except RuntimeError:  # NotImplementedError is one
            dtype = next((x.dtype for x in args if _lacks_kernels(x)), None)
            if dtype is None:
                raise

        def back(out: Any) -> Any:
            return out.to(dtype) if out.dtype is torch.int64 else out

        out = function(*[x.to(torch.int64) if _lacks_kernels(x) else x for x in args])
        return tuple(map(back, out)) if isinstance(out, tuple) else back(out)

    return wrapper


def sign(x: Any) -> Any:
    y = torch.sgn(x)
    return torch.where(torch.isnan(x), x, y) if x.is_floating_point() else y


# Products ------------------------------------------------------------------------------------


def matmul(x1: Any, x2: Any) -> Any:
    if x1.dtype is torch.int8:
        x1, x2 = x1.to(torch.int32), x2.to(torch.int32)
    elif x1.dtype is torch.bool:
        return torch.matmul(x1.to(torch.int32), x2.to(torch.int32)) != 0
    return torch.matmul(x1, x2)


def turned(kernel: Any) -> Any:
    """The transpose of a kernel, in one piece of memory. A weight lies so from now on."""
    if kernel.is_contiguous() and kernel.is_leaf and kernel.requires_grad:
        kernel.data = kernel.data.T.contiguous().T
    return kernel.T.contiguous()


def _dense(x: Any, kernel: Any, bias: Any) -> Any:
    if bias is None:
        return torch.matmul(x, kernel)
    if x.dim() == 2:
        if kernel.shape[1] <= 16 and kernel.shape[0] >= 256 and x.shape[0] >= 32:
            # Few outputs: BLAS is up to six times as fast where the columns lie in one piece,
            # also for the gradients.
            return torch.nn.functional.linear(x, turned(kernel), bias)
        return torch.addmm(bias, x, kernel)
    return torch.nn.functional.linear(x, kernel.t(), bias)


# Reductions ----------------------------------------------------------------------------------

_SUM = {
    torch.bool: torch.int32, torch.int8: torch.int32, torch.int16: torch.int32,
    torch.uint8: torch.uint32, torch.uint16: torch.uint32,
}  # fmt: skip


def _reducer(function: Callable[..., Any], every: Any = None) -> Callable[..., Any]:
    """`function(x, dim, keepdim)`, where `every` stands for all axes; no axes are possible too."""

    def reduce(x: Any, axis: Any, keepdims: bool) -> Any:
        if axis is None:
            axis = every
        elif not x.dim():
            axes_of(axis, 0)  # torch counts a scalar as a vector here
            return function(x.unsqueeze(-1), -1, False)
        elif type(axis) is not int and len(axis) == 0:
            # torch takes an empty list for all axes.
            return function(x.unsqueeze(-1), -1, False)
        return function(x, axis, keepdims)

    return reduce


def _sum(x: Any, dim: Any, keepdim: bool) -> Any:
    if x.is_floating_point() or x.is_complex():
        y = torch.sum(x, dim, keepdim)
        if y.layout is torch.strided:
            return y
        gone = x.dim() if dim is None else 1 if type(dim) is int else len(dim)
        return y if x.dim() - gone > 1 else y.to_dense()  # as elsewhere of a sparse x
    return torch.sum(x.to(torch.int64), dim, keepdim).to(_SUM.get(x.dtype, x.dtype))


def _product(x: Any, dim: Any, keepdim: bool) -> Any:
    dtype = x.dtype
    if not (x.is_floating_point() or x.is_complex()):
        x, dtype = x.to(torch.int64), _SUM.get(dtype, dtype)
    for d in sorted(axes_of(dim, x.dim()), reverse=True):  # torch.prod takes one axis at a time
        x = torch.prod(x, d, keepdim)
    return x.to(dtype)


def _extreme(reduce: Callable[..., Any], choose: Callable[..., Any]) -> Callable[..., Any]:
    reduce = _reducer(reduce, ())

    def extreme(x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
        if initial is None:
            return reduce(x, axis, keepdims)
        initial = torch.as_tensor(initial, dtype=x.dtype, device=x.device)
        if x.numel() == 0:
            return torch.zeros_like(sum(x, axis, keepdims), dtype=x.dtype) + initial
        return choose(reduce(x, axis, keepdims), initial)

    return extreme


def _where_extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def index(x: Any, axis: Any, keepdims: bool) -> Any:
        axis = None if axis is None else axis_of(axis, x.dim())
        if x.dtype is torch.bool:
            x = x.to(torch.uint8)
        return function(x, axis, keepdims).to(torch.int32)

    return index


def _truth(function: Callable[..., Any]) -> Callable[..., Any]:
    return _reducer(
        lambda x, dim, keepdim: function(x if x.dtype is torch.bool else x != 0, dim, keepdim)
    )


def _variance(function: Callable[..., Any]) -> Callable[..., Any]:
    return _reducer(
        lambda x, dim, keepdim: function(x, dim=dim, correction=0, keepdim=keepdim)
    )


sum = _reducer(_sum)
_prod = _reducer(_product)
mean = _reducer(torch.mean)
var = _variance(torch.var)
std = _variance(torch.std)
max = _extreme(torch.amax, torch.maximum)
min = _extreme(torch.amin, torch.minimum)
argmax = _where_extreme(torch.argmax)
argmin = _where_extreme(torch.argmin)
all = _truth(torch.all)
any = _truth(torch.any)


def _cumsum(x: Any, axis: int) -> Any:
    return torch.cumsum(x, axis, dtype=x.dtype)


def _cumprod(x: Any, axis: int) -> Any:
    return torch.cumprod(x, axis, dtype=x.dtype)


# Creation ------------------------------------------------------------------------------------


def _fill(shape: Any, value: Any, dtype: str) -> Any:
    shape = shape.tolist() if isinstance(shape, torch.Tensor) else shape
    return torch.full(shape, value, dtype=native_dtype(dtype), device=device())


def _arange(start: Any, stop: Any, step: Any, dtype: str) -> Any:
    target = native_dtype(dtype)
    if (stop - start) * step < 0:  # torch refuses what is empty elsewhere
        stop = start
    wide = torch.int64 if target in _UNSIGNED else target
    return torch.arange(start, stop, step, dtype=wide, device=device()).to(target)


for _name in (
    "absolute add subtract negative sign square floor_divide mod fmod power maximum minimum "
    "greater greater_equal less less_equal left_shift right_shift gcd lcm clip where max min "
    "argmax argmin matmul _cumsum _cumprod signbit logical_and logical_not logical_or "
    "logical_xor bitwise_not"
).split():
    globals()[_name] = _or_in_int64(globals()[_name])
