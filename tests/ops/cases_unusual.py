"""Unusual arguments: empty arrays, axes of `()`, dtypes that engines have no kernel for."""

import numpy as np

from kerasish import ops
from tests.ops.case import case, x
from tests.ops.cases_attention import attention

EMPTY = np.zeros((0, 3, 4), "float32")
NONE = np.zeros(0, "int32")
U32 = np.array([3, 1, 2, 2], "uint32")
FLAGS = np.array([True, False, False])
HALF = np.array([0, 1, 2], "float16")
inf, nan = float("inf"), float("nan")


def truth(ref):
    """Numbers as an array; a tuple of several results as a list."""
    if isinstance(ref, tuple):
        return [np.asarray(r) for r in ref]
    return ref if callable(ref) else np.asarray(ref)


def typed(name, *args, ref, dtype, **kwargs):
    """A row whose result must be of this dtype (of its 32-bit kin on JAX)."""

    def through(function, *args, **kwargs):
        out = function(*args, **kwargs)
        return [out, ops.dtype(out).replace("64", "32")]

    case(name, *args, ref=lambda *_, **__: [truth(ref), dtype], through=through, grad=False,
         symbolic=False, **kwargs)


def plain(name, *args, **kwargs):
    case(name, *args, grad=False, **{**kwargs, "ref": truth(kwargs["ref"])})


# Nothing to reduce
plain("median", EMPTY, ref=nan)
plain("nanmedian", EMPTY, axis=0, ref=np.full((3, 4), nan))
plain("quantile", EMPTY, [0.2, 0.5], axis=1, ref=np.zeros((2, 0, 4)))
plain("quantile", EMPTY, [0.2, 0.5], axis=0, keepdims=True, ref=np.full((2, 1, 3, 4), nan))
plain("logsumexp", EMPTY, ref=-inf)
plain("logsumexp", EMPTY, axis=1, ref=np.zeros((0, 4)))
plain("softmax", EMPTY, axis=0, ref=EMPTY)
plain("log_softmax", EMPTY, axis=0, ref=EMPTY)
plain("matrix_rank", np.zeros((2, 0, 3), "float32"), ref=[0, 0])
plain("histogram", np.zeros(0, "float32"), 4, ref=(np.zeros(4), [0, 0.25, 0.5, 0.75, 1]),
      symbolic=False, through=lambda f, a, n: list(f(a, n)))
for name in ("sum", "prod", "max", "min"):
    plain(f"segment_{name}", EMPTY, NONE, ref=EMPTY, symbolic=False)
plain("segment_sum", EMPTY, NONE, 2, ref=np.zeros((2, 3, 4)))
plain("scatter", np.zeros((0, 1), "int32"), np.zeros((0, 2), "float32"), (4, 2),
      ref=np.zeros((4, 2)))
plain("multi_hot", NONE, 5, ref=np.zeros(5))
plain("isin", np.array([1, 2]), NONE, ref=[False, False])
plain("unique", NONE, ref=NONE, symbolic=False)

for name in ("fft", "fft2", "ifft2"):
    plain(name, (EMPTY, EMPTY), ref=(EMPTY, EMPTY), through=lambda f, a: list(f(a)))
for name, args in (("rfft", ()), ("stft", (3, 1, 4))):
    plain(name, EMPTY[:, 0], *args, ref=np.zeros((0, 5, 3) if args else (0, 3)),
          through=lambda f, *a: f(*a)[0])
plain("irfft", (EMPTY[:, 0], EMPTY[:, 0]), ref=np.zeros((0, 6)))
BLANK = np.zeros((2, 4, 6, 0), "float32")
for name in ("max_pool", "average_pool"):
    plain(name, BLANK, 2, ref=BLANK[:, :2, :3])
    plain(name, BLANK[0], 2, padding="same", ref=BLANK[0, :, :3])
plain("batch_normalization", BLANK, BLANK[0, 0, 0], BLANK[0, 0, 0], -1, ref=BLANK)
plain("image.resize", BLANK, (2, 3), ref=BLANK[:, :2, :3])
plain("scatter_update", BLANK[0, 0], [[1], [1]], BLANK[0, 0, :2], reduction="add", ref=BLANK[0, 0],
      skip={"tensorflow": "its kernel refuses rows of nothing"})
plain("conv", EMPTY, np.ones((2, 4, 5), "float32"), ref=np.zeros((0, 2, 5)), symbolic=False)
plain("depthwise_conv", np.zeros((0, 5, 6, 2), "float32"), np.ones((3, 3, 2, 2), "float32"), 2,
      ref=np.zeros((0, 2, 2, 4)), symbolic=False)

# No axes: nothing is reduced, nothing squeezed
case("logsumexp", x(2, 3), axis=(), ref=lambda a, axis: a)
case("squeeze", x(2, 1), (), ref=lambda a, _: a)
case("diff", x(3), n=0, ref=lambda a, n: a)
case("average", x(3, 4), axis=(-1,), weights=np.array([1.0, 2.0, 0.5, 3.0], "float32"),
     ref=np.average)
case("take", x(3, 4), 2, ref=np.take)
plain("quantile", np.array([1.0, 2.0, 3.0], "float32"), [-1.0, 2.0], ref=[1.0, 3.0])
plain("sparse_sigmoid", np.array([nan, 2.0, -2.0], "float32"), ref=[nan, 1.0, 0.0])
case("moments", x(2, 3), None, ref=lambda a, _: [np.mean(a), np.var(a)],
     through=lambda f, a, axes: list(f(a, axes)))
case("rms_normalization", x(3, 5), x(5), axis=0,
     ref=lambda a, scale, axis: a / np.sqrt(np.mean(a**2, 0) + 1e-7) * scale)
plain("view", np.float32(1.0), "int32", ref=np.float32(1.0).view("int32"))
plain("view", np.float32(1.0), ref=1.0)
plain("view", [1.0, 2.0], ref=[1.0, 2.0])

# Dtypes
for name, value, dtype in (("relu", [1, 0, 0], "int32"), ("relu6", [1, 0, 0], "int32")):
    typed(name, FLAGS, ref=value, dtype=dtype)
typed("relu6", np.array([-1, 9]), ref=[0, 6], dtype="int32")
typed("segment_max", FLAGS, [0, 1, 1], 2, ref=[True, False], dtype="bool")
typed("segment_sum", FLAGS, [0, 0, 1], 2, ref=[True, False], dtype="bool")
typed("segment_prod", FLAGS, [0, 1, 1], 3, ref=[True, False, True], dtype="bool")
typed("segment_sum", np.array([1.0, 2.0, 4.0, 8.0], "float32"), U32, 4, ref=[0, 2, 12, 1],
      dtype="float32")
plain("prod", HALF, dtype="bool", ref=False)
plain("cumsum", FLAGS, dtype="bool", ref=[1, 1, 1])
typed("fold", np.eye(4, 2, dtype=bool)[None], (2, 3), 2, ref=[[[[True, False, True], [False] * 3]]],
      dtype="bool")
BYTES = np.array([[[100], [7], [-3], [50]]], "int8")
typed("conv", BYTES, np.array([[[2]], [[3]]], "int8"), ref=[[[-35], [5], [-112]]], dtype="int8")
typed("conv", BYTES[:, 1:], np.array([[[2]], [[300]]]), ref=[[[-886], [14994]]], dtype="int32")
typed("conv", BYTES > 0, BYTES[0, :2, None] < 50, ref=[[[True], [False], [True]]], dtype="bool")
typed("depthwise_conv", BYTES, np.array([[[2, 1]], [[3, 0]]], "int8"),
      ref=[[[-35, 100], [5, 7], [-112, -3]]], dtype="int8")
typed("separable_conv", BYTES, np.array([[[2]], [[3]]], "int8"), np.array([[[2]]], "int8"),
      ref=[[[-70], [10], [32]]], dtype="int8")
typed("conv_transpose", BYTES[:, 1:3], np.array([[[2]], [[3]]], "int8"), ref=[[[14], [15], [-9]]],
      dtype="int8")
typed("hard_tanh", BYTES, ref=[[[1], [1], [-1], [1]]], dtype="int8")
typed("hard_tanh", np.array([0, 1, 9], "uint8"), ref=[0, 1, 1], dtype="uint8")
typed("layer_normalization", [[3, 7, 1]], np.array([2.0, 2, 2], "float32"), ref=[[0, 2, -2]],
      dtype="int32")
typed("layer_normalization", BYTES[..., 0], np.full(4, 2, "float16"), ref=[[3, -1, -2, 0]],
      dtype="int8")
typed("rms_normalization", [[3, 7, 1]], [2.0, 2.0, 2.0], ref=[[1, 3, 0]], dtype="int32")
typed("image.ssim", np.full((12, 12, 1), 7, "uint8"), np.full((12, 12, 1), 7.0, "float32"), 255,
      ref=np.array(1), dtype="uint8")
plain("view_as_complex", np.array([[1.0, 2.0]]), ref=[1 + 2j])
for dtype in ("uint8", "int32", "float16"):
    steps = np.arange(6).reshape(1, 6, 1).astype(dtype)
    typed("max_pool", steps, 2, ref=[[[1], [3], [5]]], dtype=dtype)
    typed("adaptive_max_pool", steps, 4, ref=[[[1], [2], [4], [5]]], dtype=dtype)
typed("linspace", HALF, HALF + 1, 3, axis=-1, ref=[[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]],
      dtype="float16")
typed("linspace", HALF, BYTES[0, :3, 0], 2, ref=[[0, 1, 2], [100, 7, -3]], dtype="float16")
typed("linspace", HALF, 4, 2, ref=[[0, 1, 2], [4, 4, 4]], dtype="float16")
case("linspace", HALF, HALF + 2, 3, retstep=True, grad=False, symbolic=False,
     ref=lambda *_, **__: ["float16", np.ones(3)],
     through=lambda f, *a, **k: [ops.dtype(f(*a, **k)[1]), f(*a, **k)[1]])
typed("logspace", HALF, HALF, 2, base=2, ref=[[1, 2, 4]] * 2, dtype="float16")
typed("geomspace", HALF + 1, HALF + 1, 2, ref=[[1, 2, 3]] * 2, dtype="float16")
typed("threshold", np.array([1, 2]), 1.5, -0.5, ref=[-0.5, 2], dtype="float32")
typed("take", U32, U32 - 1, ref=[2, 3, 1, 1], dtype="uint32")
typed("sort", U32, ref=[1, 2, 2, 3], dtype="uint32")
typed("scatter", U32[:, None], U32, (5,), ref=[0, 1, 4, 3, 0], dtype="uint32")
plain("argsort", U32, ref=[1, 2, 3, 0])
plain("nonzero", U32 - 1, ref=([0, 2, 3],), symbolic=False, through=lambda f, a: list(f(a)))
plain("searchsorted", np.sort(U32), U32, ref=[3, 0, 1, 1])
plain("unique", U32, ref=[1, 2, 3], symbolic=False)
plain("bincount", U32, ref=[0, 1, 2, 1], symbolic=False)
plain("bincount", FLAGS, ref=[2, 1], symbolic=False)
plain("isin", U32, U32[:2], ref=[True, True, False, False])
plain("top_k", U32, 2, ref=([3, 2], [0, 2]), through=lambda f, a, k: list(f(a, k)))
plain("slice", x(5), U32[1:2], (2,), ref=lambda a, start, size: a[1:3])
plain("clip", np.array([0, 1, 200], "uint8"), -3, 300, ref=[0, 1, 200])
plain("arange", 0.0, 1.0, 0.25, dtype="int32", ref=[0, 0, 0, 0])
for name, ref in (("hard_shrink", [nan, 0.0, 2.0]), ("soft_shrink", [nan, 0.0, 1.5])):
    plain(name, np.array([nan, 0.5, 2.0], "float32"), ref=ref)
plain("matmul", np.zeros((2, 3, 0), "float32"), np.zeros((0, 4), "float32"), ref=np.zeros((2, 3, 4)))

# Numbers and NaN
plain("softmax", 3.0, ref=np.float32(1))
plain("log_softmax", 3.0, ref=np.float32(0))
plain("sign", np.array([nan, -2, 0], "float32"), ref=np.array([nan, -1, 0], "float32"))
plain("arange", 0, 3, 0.5, dtype="uint32", ref=[0, 0, 1, 1, 2, 2])
plain("power", np.array([0, 2], "complex64"), np.array([0, 1], "complex64"), ref=[1, 2])
plain("lstsq", np.ones((2, 2), "float32"), np.array([2.0, 2.0], "float32"), rcond=-1, ref=[1, 1])
plain("isclose", np.array([1.0, 1.0, inf, nan], "float32"), np.array([1.0, 2.0, inf, nan], "float32"),
      rtol=-1.0, ref=[True, False, True, False])

# Empty images, signals and rolls of nothing; windows larger than what they move over
for name in ("max_pool", "average_pool"):
    plain(name, np.zeros((2, 4, 6, 0), "float32"), 2, ref=np.zeros((2, 2, 3, 0)))
    plain(name, np.zeros((2, 7, 0), "float32"), 3, 2, "same", ref=np.zeros((2, 4, 0)))
case("average_pool", x(1, 1, 2, 3, 2), 3, 2, "same",
     ref=lambda a, *_: np.stack([a[:, :, :, :2].mean((2, 3)), a[:, :, :, 1:].mean((2, 3))], 2)[:, :, None])
plain("image.resize", np.zeros((2, 5, 4, 0), "float32"), (3, 3), ref=np.zeros((2, 3, 3, 0)))
plain("rfft", np.zeros((0, 8), "float32"), ref=(np.zeros((0, 5)),) * 2,
      through=lambda f, a: list(f(a)))
case("roll", x(2, 3), (), axis=(), ref=lambda a, shift, axis: a)
plain("view", np.ones((2, 3), "int32")[..., None], "int8", ref=[[[1, 0, 0, 0]] * 3] * 2)
for causal in (True, False):
    case("dot_product_attention", x(2, 3, 4, 5), x(2, 3, 4, 5), x(2, 3, 4, 5), scale=-0.4,
         is_causal=causal, ref=attention)

# What only some engines take by themselves
plain("arange", 3, dtype="bool", ref=[False, True, True])
plain("tensordot", np.eye(2, dtype="float32"), np.ones((2, 2), "float32"), np.int64(1), ref=np.ones((2, 2)))
plain("transpose", np.ones(3, "float32"), 0, ref=np.ones(3))
plain("logsumexp", 3.0, axis=0, ref=3.0)
plain("take", np.zeros((0, 3), "float32"), np.zeros((2, 0), "int32"), axis=0, ref=np.zeros((2, 0, 3)))
plain("take_along_axis", [[1.0, 2.0], [3.0, 4.0]], np.array([[3], [0]]), ref=[4, 1])
plain("segment_sum", np.zeros((2, 3, 0), "float32"), np.zeros((2, 3), "int32"), 4, ref=np.zeros((4, 0)))
plain("broadcast_to", 2.0, 3, ref=[2, 2, 2])
