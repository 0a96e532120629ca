"""The dtype of every op's result for every dtype of its arguments: one table for all backends.

The rules are Keras'; where Keras' own backends differ among themselves, or from its table of
promotion (uint64 arguments that give uint32), or refuse (attention and edges of integers), the
table holds here too. What a row calls its op with is the op's first row in the case tables, its float
arrays (the integer ones, where it has none) cast to the dtype.
"""

import contextlib

import ml_dtypes
import numpy as np
import pytest

from kerasish import backends, dtypes, errors, ops, tree
from kerasish.core.symbolic import KerasTensor
from tests.ops.case import ROWS
from tests.ops.test_cases import CONTROL_FLOW, public_ops, resolve

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *INTEGERS, "bool")
FEW = {"tensorflow": ("bfloat16", "float32", "int8", "uint16", "int64", "bool")}
FEW["jax"] = FEW["tensorflow"]
"""Where calls are slow; the other dtypes have been compared once, with the same result."""

RULES = {
    "same": lambda d: d,
    "float": lambda d: d if d in FLOATS else "float32",
    "double": lambda d: d if d in FLOATS else "float64" if d == "int64" else "float32",
    "loss": lambda d: "float64" if d == "float64" else "float32",
    "number": lambda d: "int32" if d == "bool" else d,
    "product": lambda d: "int32" if d == "int8" else d,
    "sum": lambda d: {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32",
                      "uint16": "uint32"}.get(d, d),
    "complex": lambda d: "complex128" if d == "float64" else "complex64",
    "bool": lambda d: "bool", "int32": lambda d: "int32", "float32": lambda d: "float32",
    "complex64": lambda d: "complex64",
}  # fmt: skip

TABLE = {
    "same": """
abs adaptive_max_pool add amax amin append array_split broadcast_to concatenate copy
depth_to_space diag diagflat diagonal diff dot dsplit dstack empty_like expand_dims
extract_sequences flip fliplr flipud fmax fmin fold full_like get_item hard_tanh hsplit hstack
image.affine_transform image.crop_images image.elastic_transform image.extract_patches
image.extract_patches_3d image.gaussian_blur image.map_coordinates image.pad_images image.resize
image.rgb_to_grayscale image.scale_and_translate image.ssim inner kron layer_normalization max max_pool maximum meshgrid min
minimum moveaxis multiply nan_to_num nanmax nanmin numpy.rearrange numpy.unique ones_like outer
pad ravel rearrange repeat reshape rms_normalization roll rot90 round scatter scatter_update
segment_max segment_min segment_prod segment_sum slice slice_update sort space_to_depth split squeeze stack stop_gradient swapaxes take
take_along_axis tensordot tile transpose tril triu trunc unfold unique unstack vander vdot vsplit
vstack where zeros_like
""",
    "float": """
adaptive_average_pool arccos arccosh arcsin arcsinh arctan arctan2 arctanh average average_pool
batch_normalization binary_crossentropy categorical_crossentropy cdist ceil celu
correlate cos cosh divide divide_no_nan dot_product_attention elu erf erfc
erfinv exp exp2 expm1 fabs fft fft2 floor gelu glu hard_shrink hard_sigmoid hard_silu
heaviside histogram hypot ifft2 image.sobel_edges irfft istft
ldexp leaky_relu log log10 log1p log2 log_sigmoid log_softmax logaddexp logaddexp2 logsumexp
mean median mod moments nanmean nanmedian nanpercentile nanquantile nanstd nanvar nextafter norm
normalize percentile power psnr quantile reciprocal rfft rsqrt selu
sigmoid silu sin sinc sinh soft_shrink softmax softplus softsign
sparse_categorical_crossentropy sparse_plus sparse_sigmoid sparsemax sqrt squareplus std stft tan
tanh tanh_shrink threshold trapezoid var
""",
    "double": "cbrt corrcoef deg2rad i0 rad2deg",
    "loss": "ctc_loss",
    "number": """
clip cross cumprod cumsum nancumprod nancumsum negative ptp relu relu6
select sign square subtract
""",
    "bool": """
all allclose any equal greater greater_equal in_top_k isclose isfinite isin isinf isnan isneginf
isposinf less less_equal logical_and logical_not logical_or logical_xor not_equal signbit
""",
    "int32": """
argmax argmin argpartition argsort bincount cast count_nonzero digitize matrix_rank nanargmax
nanargmin nonzero searchsorted size
""",
    "product": "einsum matmul",
    "sum": "nanprod nansum prod sum trace",
    "float32": "multi_hot one_hot",
    "complex": "polar", "complex64": "view_as_complex",
    "same int32": "top_k",
    "int32 loss": "ctc_decode",
}
ON_INTEGERS = {
    "same": "bitwise_and bitwise_not bitwise_or bitwise_xor",
    "number": "gcd lcm left_shift right_shift",
}
"""Floats are refused."""
ON_FLOATS = {"same": "image.hsv_to_rgb image.perspective_transform image.rgb_to_hsv"}
"""Images of bytes are refused, and points that are bools."""

KERNEL = np.ones((2, 2, 3, 3))
SQUARE = np.eye(3) + 1
CALLS = {
    "angle": ("float", lambda x: ops.angle(x(SQUARE))),
    "array": ("same", lambda x: ops.array(x(SQUARE))),
    "cholesky": ("float", lambda x: ops.cholesky(x(np.eye(3)))),
    "cholesky_inverse": ("float", lambda x: ops.cholesky_inverse(x(np.eye(3)))),
    "conj": ("same", lambda x: ops.conj(x(SQUARE))),
    "conv": ("same", lambda x: ops.conv(x(np.ones((1, 3, 3, 3))), x(KERNEL))),
    "conv_transpose": ("same", lambda x: ops.conv_transpose(x(np.ones((1, 3, 3, 3))), x(KERNEL))),
    "convert_to_tensor": ("same", lambda x: ops.convert_to_tensor(x(SQUARE))),
    "depthwise_conv": ("same", lambda x: ops.depthwise_conv(x(np.ones((1, 3, 3, 3))), x(KERNEL))),
    "det": ("float", lambda x: ops.det(x(np.eye(3)))),
    "eig": ("complex", lambda x: ops.eig(x(np.eye(3)))),
    "eigh": ("float", lambda x: ops.eigh(x(np.eye(3)))),
    "floor_divide": ("number", lambda x: ops.floor_divide(x(SQUARE), x(SQUARE))),
    "fmod": ("number", lambda x: ops.fmod(x(SQUARE), x(SQUARE))),
    "imag": ("same", lambda x: ops.imag(x(SQUARE))),
    "inv": ("float", lambda x: ops.inv(x(np.eye(3)))),
    "isreal": ("bool", lambda x: ops.isreal(x(SQUARE))),
    "logdet": ("float", lambda x: ops.logdet(x(np.eye(3)))),
    "lstsq": ("float", lambda x: ops.lstsq(x(np.eye(3)), x(np.ones(3)))),
    "lu_factor": ("float int32", lambda x: ops.lu_factor(x(np.eye(3)))),
    "pinv": ("float", lambda x: ops.pinv(x(np.eye(3)))),
    "qr": ("float", lambda x: ops.qr(x(np.eye(3)))),
    "real": ("same", lambda x: ops.real(x(SQUARE))),
    "saturate_cast": ("int32", lambda x: ops.saturate_cast(x(SQUARE), "int32")),
    "separable_conv": ("same", lambda x: ops.separable_conv(
        x(np.ones((1, 3, 3, 3))), x(np.ones((2, 2, 3, 1))), x(np.ones((1, 1, 3, 2))))),
    "slogdet": ("float", lambda x: ops.slogdet(x(np.eye(3)))),
    "solve": ("float", lambda x: ops.solve(x(np.eye(3)), x(np.ones(3)))),
    "solve_triangular": ("float", lambda x: ops.solve_triangular(x(np.eye(3)), x(np.ones(3)))),
    "svd": ("float", lambda x: ops.svd(x(np.eye(3)))),
    "view_as_real": ("float32", lambda x: ops.view_as_real(ops.cast(x(SQUARE), "complex64"))),
}  # fmt: skip
"""Ops whose first row is special (matrices that have an inverse, complex numbers, divisors)."""
MADE = {name: (lambda d, f=getattr(ops, name), args=args: f(*args, dtype=d)) for name, args in {
    "arange": (3,), "empty": ((2,),), "eye": (2,), "full": ((2,), 1), "identity": (2,),
    "linspace": (0, 1, 3), "logspace": (0, 1, 3), "geomspace": (1, 2, 3), "ones": ((2,),),
    "tri": (2,), "zeros": ((2,),), "cast": ([1.0],), "view": (np.zeros(8, "int8"),),
    "array": ([1],), "convert_to_tensor": ([1],), "saturate_cast": ([1.0],),
    "zeros_like": ([1.0],), "ones_like": ([1.0],), "full_like": ([1.0], 1), "prod": ([1.0],),
}.items()}  # fmt: skip
"""Ops that are told the dtype."""
NONE = """
bartlett blackman convert_to_numpy dtype hamming hanning is_tensor kaiser jvp ndim shape
unravel_index vectorize view
"""
"""Ops whose result depends on no argument's dtype or is no tensor."""


def numpy_dtype(d):
    return ml_dtypes.bfloat16 if d == "bfloat16" else d


def call_of(path):
    """A function of (how to make an array of the dtype from one) that calls the op."""
    function = resolve(path)
    names = {path, getattr(function, "op_name", None), path.rpartition(".")[2]}
    row = next(row for row in ROWS if row.name in names and row.through is None)

    def kind(a, kinds):
        return isinstance(a, np.ndarray) and a.dtype.kind in kinds

    kinds = "f" if any(kind(a, "f") for a in tree.flatten((row.args, row.kwargs))) else "iub"

    def call(x):
        args, kwargs = tree.map_structure(
            lambda a: x(a) if kind(a, kinds) else a, (row.args, row.kwargs)
        )
        return function(*args, **kwargs)

    return call


def table():
    """(path, rule, call, the dtypes that it takes) of every op."""
    for which, takes in ((TABLE, DTYPES), (ON_INTEGERS, (*INTEGERS, "bool")), (ON_FLOATS, FLOATS)):
        for rule, names in which.items():
            for path in names.split():
                yield path, rule, call_of(path), takes
    for path, (rule, call) in CALLS.items():
        yield path, rule, call, DTYPES


def expected(rule, dtype, count):
    rules = [RULES[name] for name in rule.split()]
    return [rules[i if len(rules) > 1 else 0](dtype) for i in range(count)]


def difference(path, rule, dtype, out):
    got = [dtypes.standardize(x.dtype) for x in tree.flatten(out)]
    want = expected(rule, dtype, len(got))
    if backends.active.name == "jax":  # which has no 64 bits
        shrink = {"float64": "float32", "int64": "int32", "uint64": "uint32",
                  "complex128": "complex64"}  # fmt: skip
        want = [shrink.get(d, d) for d in want]
    return f"{path}({dtype}) gives {got}, expected {want}" if got != want else None


def run(call, dtype):
    """The result of the call; on JAX only its kind, which needs no compilation."""
    def tensor(a):
        return ops.convert_to_tensor(a.astype(numpy_dtype(dtype)))

    if backends.active.name == "jax":
        with contextlib.suppress(Exception):  # of those that need values
            return backends.active.eval_shape(lambda: call(tensor), [])
    return call(tensor)


def test_dtypes(backend):
    wrong = []
    for path, rule, call, takes in table():
        for dtype in [d for d in takes if d in FEW.get(backend, DTYPES)]:
            try:
                wrong.append(difference(path, rule, dtype, run(call, dtype)))
            except Exception as error:
                wrong.append(f"{path}({dtype}) raises {type(error).__name__}: {error!s:.100}")
    assert not (wrong := list(filter(None, wrong))), "\n".join(wrong)


def test_symbolic_dtypes():
    wrong = []
    for path, rule, call, takes in table():
        for dtype in takes:
            out = call(lambda a, dtype=dtype: KerasTensor(a.shape, dtype))
            wrong.append(difference(path, rule, dtype, out))
    assert not (wrong := list(filter(None, wrong))), "\n".join(wrong)


@pytest.mark.parametrize("name", MADE)
def test_the_dtype_asked_for(name, backend):
    for dtype in DTYPES[:-1] if name == "arange" else DTYPES:
        assert difference(name, "same", dtype, MADE[name](dtype)) is None


def test_refused_dtypes(backend):
    rows = [(path, dtype) for path in " ".join(ON_INTEGERS.values()).split() for dtype in FLOATS]
    for path, dtype in [*rows, ("image.hsv_to_rgb", "uint8"), ("image.rgb_to_hsv", "uint8")]:
        with pytest.raises(errors.DTypeError, match=path.rpartition(".")[2]):
            call_of(path)(lambda a, d=dtype: ops.convert_to_tensor(a.astype(numpy_dtype(d))))


def test_every_op_has_its_dtypes():
    known = {*NONE.split(), *CONTROL_FLOW, *MADE, *(path for path, *_ in table())}
    known |= {path.rpartition(".")[2] for path in known}
    known |= {getattr(resolve(path), "op_name", None) for path in known if hasattr(ops, path)}
    missing = [path for path, function in public_ops()
               if not {path.rpartition(".")[2], getattr(function, "op_name", None)} & known]
    assert not missing
