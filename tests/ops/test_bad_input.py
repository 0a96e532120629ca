"""What a wrong argument is answered with: one error that names the op, the argument and the mend.

Each row: the op, its arguments, and words that the message must have. The errors are ValueErrors
or TypeErrors, as Keras programs catch them.
"""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops

A = np.ones((2, 3), "float32")
IMAGE = np.ones((1, 4, 4, 2), "float32")
SQUARE = np.eye(3, dtype="float32")


def bad(name, *args, words, **kwargs):
    return pytest.param(name, args, kwargs, words.split("|"), id=f"{name}-{words.split('|')[-1]}")


ROWS = [
    # Axes out of range, named twice, of a wrong kind
    bad("sum", A, axis=2, words="ops.sum|2"),
    bad("mean", A, axis=(0, 5), words="ops.mean|5"),
    bad("max", A, axis=-3, words="ops.max|-3"),
    bad("argmax", A, axis=4, words="ops.argmax|4"),
    bad("cumsum", A, axis=2, words="cumsum|2"),
    bad("sort", A, axis=2, words="sort|2"),
    bad("softmax", A, axis=3, words="softmax|3"),
    bad("concatenate", [A, A], axis=2, words="concatenate|2"),
    bad("stack", [A, A], axis=4, words="stack|4"),
    bad("expand_dims", A, 5, words="expand_dims|5"),
    bad("squeeze", A, axis=1, words="squeeze|1"),
    bad("transpose", A, (0, 0), words="transpose"),
    bad("transpose", A, (0, 1, 2), words="transpose|2"),
    bad("moveaxis", A, 3, 0, words="moveaxis|3"),
    bad("swapaxes", A, 0, 4, words="swapaxes|4"),
    bad("flip", A, axis=3, words="flip|3"),
    bad("roll", A, 1, axis=3, words="roll|3"),
    bad("take", A, [0], axis=3, words="take|3"),
    bad("repeat", A, 2, axis=4, words="repeat|4"),
    bad("diagonal", A, axis1=0, axis2=0, words="diagonal"),
    # Shapes that do not fit
    bad("add", A, np.ones((4,), "float32"), words="ops.add|x1=float32[2, 3]|x2=float32[4]"),
    bad("multiply", A, np.ones((2, 2), "float32"), words="ops.multiply"),
    bad("less", A, np.ones((4,), "float32"), words="ops.less"),
    bad("where", A > 0, A, np.ones((4,), "float32"), words="ops.where"),
    bad("maximum", A, np.ones((4,), "float32"), words="ops.maximum"),
    bad("matmul", A, A, words="ops.matmul|2, 3"),
    bad("matmul", A, 2.0, words="ops.matmul"),
    bad("dot", A, A, words="dot"),
    bad("einsum", "ij,jk->ik", A, A, words="einsum"),
    bad("einsum", "ij,jk->iz", A, A.T, words="einsum|'ij,jk->iz'"),
    bad("einsum", "ij->ij", A, A, words="einsum|1 operands"),
    bad("reshape", A, (4, 2), words="reshape"),
    bad("reshape", A, (-1, 4), words="reshape"),
    bad("reshape", A, (-1, -1), words="reshape|-1"),
    bad("broadcast_to", A, (4, 3), words="broadcast_to"),
    bad("concatenate", [A, np.ones((2, 4), "float32")], axis=0, words="concatenate"),
    bad("concatenate", [], words="concatenate"),
    bad("stack", [A, A.T], words="stack"),
    bad("split", A, 2, axis=1, words="split|2"),
    bad("cross", A, np.ones((2, 4), "float32"), words="cross|2 or 3"),
    bad("vstack", [A, np.ones((2, 4), "float32")], words="vstack"),
    bad("linalg.inv", A, words="inv|2, 3"),
    bad("linalg.det", A, words="det|2, 3"),
    bad("linalg.cholesky", A, words="cholesky|2, 3"),
    bad("linalg.solve", SQUARE, np.ones((4, 1), "float32"), words="solve|4"),
    bad("linalg.eigh", A, words="eigh|2, 3"),
    bad("conv", IMAGE, np.ones((3, 3, 5, 2), "float32"), words="conv|5"),
    bad("conv", IMAGE, np.ones((3, 3, 2), "float32"), words="conv"),
    bad("batch_normalization", A, np.ones(4, "float32"), np.ones(4, "float32"), -1,
        words="batch_normalization"),
    bad("segment_sum", A, np.array([0, 1, 2]), 3, words="segment_sum"),
    bad("scatter", np.array([[0, 0, 0]]), np.ones(1, "float32"), (2, 2), words="scatter|3"),
    bad("slice", A, (0, 0, 0), (1, 1, 1), words="slice"),
    bad("slice_update", A, (0, 0), np.ones((3, 3), "float32"), words="slice_update"),
    bad("take_along_axis", A, np.zeros((2, 2, 2), "int32"), axis=0, words="take_along_axis"),
    bad("categorical_crossentropy", A, np.ones((2, 4), "float32"), words="categorical_crossentropy"),
    # Ranks
    bad("tril", np.ones(3, "float32").sum(), words="tril"),
    bad("correlate", A, A, words="correlate|vectors"),
    bad("bincount", np.zeros((1, 1, 1), "int32"), words="bincount|vector"),
    bad("image.resize", A, (2, 2), words="resize|2, 3"),
    bad("max_pool", A, 2, words="max_pool|2, 3"),
    bad("ctc_loss", A, A, A, A, words="ctc_loss"),
    bad("dot_product_attention", A, A, A, words="dot_product_attention"),
    # Names of modes
    bad("pad", A, 1, mode="nope", words="pad|mode|'nope'"),
    bad("correlate", A[0], A[0], mode="nope", words="correlate|mode|'nope'"),
    bad("conv", IMAGE, np.ones((3, 3, 2, 2), "float32"), padding="nope", words="conv|padding|'nope'"),
    bad("max_pool", IMAGE, 2, padding="nope", words="max_pool|padding|'nope'"),
    bad("average_pool", IMAGE, 2, data_format="nope", words="average_pool|data_format|'nope'"),
    bad("image.resize", IMAGE, (2, 2), interpolation="nope", words="resize|interpolation|'nope'"),
    bad("image.affine_transform", IMAGE, np.zeros((1, 8), "float32"), fill_mode="nope",
        words="affine_transform|fill_mode|'nope'"),
    bad("quantile", A, 0.5, method="nope", words="quantile|method|'nope'"),
    bad("scatter_update", A, np.array([[0, 0]]), np.ones(1, "float32"), reduction="nope",
        words="scatter_update|reduction|'nope'"),
    bad("searchsorted", A[0], A[0], side="nope", words="searchsorted|side|'nope'"),
    bad("linalg.norm", A, ord="nope", words="norm|ord|'nope'"),
    bad("linalg.qr", A, mode="nope", words="qr|mode|'nope'"),
    bad("stft", A, 2, 1, 4, window="nope", words="stft|window|'nope'"),
    # Kinds of numbers
    bad("bitwise_and", A, A, words="bitwise_and|float32"),
    bad("left_shift", A, A, words="left_shift|float32"),
    bad("gcd", A, A, words="gcd|float32"),
    bad("ldexp", A, A, words="ops.ldexp|float32"),
    bad("cast", A, "float31", words="float31"),
    bad("ones", (2,), dtype="nope", words="nope"),
    bad("exp", ["a"], words="exp|'a'"),
    bad("add", A, "a", words="add|'a'"),
    bad("convert_to_tensor", [[1.0], [1.0, 2.0]], words="Cannot make a tensor|pad_sequences"),
    # Missing and unknown arguments
    bad("add", A, words="ops.add|'x2'"),
    bad("exp", A, foo=1, words="ops.exp|'foo'"),
    bad("exp", A, x=A, words="ops.exp|'x' twice"),
    bad("exp", A, A, words="ops.exp|1 arguments"),
    bad("multi_hot", [0], words="multi_hot|num_classes"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "words"), ROWS)
def test_bad_input(name, args, kwargs, words, backend):
    function = ops
    for part in name.split("."):
        function = getattr(function, part)
    with pytest.raises((ValueError, TypeError)) as error:
        function(*args, **kwargs)
    assert isinstance(error.value, keras.errors.KerasishError | TypeError)
    for word in words:
        assert word in str(error.value), str(error.value)
