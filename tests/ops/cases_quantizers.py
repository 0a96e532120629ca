"""Quantization: integers by the largest magnitude, float8, packed half bytes."""

import ml_dtypes
import numpy as np

from tests.ops.case import case, ints, x


def abs_max(a, axis, low=-127, high=127, dtype="int8"):
    scale = high / (np.abs(a).max(axis, keepdims=True) + np.float32(1e-7))
    return np.clip(np.round(a * scale), low, high).astype(dtype), scale.astype("float32")


case(".quantizers.abs_max_quantize", x(3, 4), -1, ref=abs_max, grad=False)
case(".quantizers.abs_max_quantize", x(3, 4, 2), (0, 2), ref=abs_max, grad=False)
case(".quantizers.abs_max_quantize", x(3, 4), 0, (-8, 7), ref=lambda a, i, r: abs_max(a, i, *r),
     grad=False)
case(".quantizers.abs_max_quantize", x(3, 4), 0, to_numpy=True, symbolic=False, grad=False,
     ref=lambda a, i, to_numpy: abs_max(a, i))


def by_blocks(a, size, low=-8, high=7):
    """Each block on its own, in float64."""
    rows = -(-len(a) // size) * size
    padded = np.zeros((rows, a.shape[1]))
    padded[: len(a)] = a
    out, scales, zeros = [], [], []
    for block in np.split(padded, rows // size):
        least, most = np.minimum(block.min(0), 0), np.maximum(block.max(0), 0)
        scale = (most - least + 1e-7) / (high - low)
        zero = np.clip(np.round(-least / scale) + low, low, high)
        out.append(np.clip(np.round(block / scale) + zero, low, high))
        scales.append(scale)
        zeros.append(zero)
    return (
        np.concatenate(out)[: len(a)].astype("int8"), np.stack(scales).astype("float32"),
        np.stack(zeros).astype("int8"),
    )


for size in (2, 3, 7, 10):
    case(".quantizers.abs_max_quantize_grouped_with_zero_point", x(7, 5), size, ref=by_blocks,
         grad=False, symbolic=False)

case(".quantizers.compute_float8_scale", np.float32(3.0), np.float32(7.0), 448.0, 1, grad=False,
     ref=np.float32(6 / 448))
for amax in (0.0, np.inf, np.nan):
    case(".quantizers.compute_float8_scale", np.float32(amax), np.float32(7.0), 448.0, grad=False,
         ref=np.float32(7.0))
case(".quantizers.compute_float8_amax_history", x(3, 4), x(5), grad=False,
     ref=lambda a, h: np.concatenate([[np.abs(a).max()], np.roll(h, -1)[1:]]))
case(".quantizers.compute_float8_amax_history", x(3, 4), x(1), grad=False,
     ref=lambda a, h: np.abs(a).max()[None])


def through_float8(a, scale, dtype, compute):
    kind = getattr(ml_dtypes, dtype)
    most = float(ml_dtypes.finfo(kind).max)
    return np.clip(a / scale, -most, most).astype(kind).astype(compute) * scale


for dtype in ("float8_e4m3fn", "float8_e5m2"):
    for scale in (0.01, 1e-5):
        case(".quantizers.quantize_and_dequantize", x(4, 5), np.float32(scale), dtype, "float32",
             ref=through_float8, grad=False)


def fake(a, least, most, bits=8, narrow_range=False, axis=None):
    if axis is not None:
        shape = [1] * a.ndim
        shape[axis] = -1
        least, most = least.reshape(shape), most.reshape(shape)
    low, high = int(narrow_range), 2**bits - 1
    step = (np.float64(most) - least) / (high - low)
    zero = np.clip(np.ceil(low - 0.5 - least / (np.float64(most) - least) * (high - low)), low, high)
    return (np.clip(np.round(a / step) + zero, low, high) - zero) * step


_fake = ".quantizers.fake_quant_with_min_max_vars"
for arguments in ((), (4,), (8, True)):
    case(_fake, x(4, 5), np.float32(-1.03), np.float32(0.71), *arguments, ref=fake, grad=False)
case(_fake, x(4, 3), -x(3, low=0.5, high=1), x(3, low=0.5, high=1), axis=1, ref=fake, grad=False)
case(_fake, x(4, 3), np.float32(0.5), np.float32(1.5), ref=fake, grad=False)
case(_fake, x(4, 5), np.float32(-1), np.float32(1), ref=fake, grad=False)
case(_fake, x(3), np.float32(0), np.float32(0), ref=np.zeros(3, "float32"), grad=False)


def packed(a, axis=0, dtype="int8"):
    a = np.moveaxis(a.astype(int), axis, 0)
    size = len(a)
    a = np.concatenate([a, np.zeros_like(a[:1])]) if size % 2 else a
    out = np.moveaxis((a[1::2] * 16 + (a[::2] & 15)).astype(dtype), 0, axis)
    return out, out.shape, size


for axis in (0, 1, -1):
    for shape in ((3, 4), (2, 5, 3)):
        numbers = ints(*shape, low=-8, high=8, dtype="int8")
        case(".quantizers.pack_int4", numbers, axis, ref=packed, symbolic=False)
        case(".quantizers.unpack_int4", packed(numbers, axis)[0], shape[axis], axis, ref=numbers)
numbers = ints(5, 3, low=0, high=16, dtype="uint8")
case(".quantizers.pack_int4", numbers, dtype="uint8", ref=packed, symbolic=False)
case(".quantizers.unpack_int4", packed(numbers, 0, "uint8")[0], 5, dtype="uint8", ref=numbers)
