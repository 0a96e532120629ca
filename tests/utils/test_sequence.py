from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasish import utils
from tests.peer import keras_peer


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(-9, 9), max_size=6), min_size=1, max_size=5),
    st.one_of(st.none(), st.integers(1, 7)),
    st.sampled_from(["pre", "post"]), st.sampled_from(["pre", "post"]), st.integers(-1, 1),
)  # fmt: skip
def test_pad_sequences(sequences, maxlen, padding, truncating, value):
    got = utils.pad_sequences(sequences, maxlen, "int32", padding, truncating, value)
    assert got.dtype == "int32"
    length = max(map(len, sequences)) if maxlen is None else maxlen
    for row, s in zip(got.tolist(), sequences, strict=True):
        s = s[-length:] if truncating == "pre" and length else s[:length]
        fill = [value] * (length - len(s))
        assert row == (fill + s if padding == "pre" else s + fill)


@pytest.mark.parametrize("args, kwargs", [
    (([[[1, 2]], [[2, 3], [3, 4]]],), {}),
    (([["a"], ["b", "c"]],), {"dtype": object, "value": "z"}),
    (([[], [1]],), {}),
    (([[1.5, 2]],), {"dtype": "float32", "value": 0.5, "maxlen": 3}),
    (([np.arange(3), np.arange(5)],), {"padding": "post", "maxlen": 4}),
])  # fmt: skip
def test_keras_agrees(args, kwargs):
    got = utils.pad_sequences(*args, **kwargs)
    want = keras_peer().utils.pad_sequences(*args, **kwargs)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def test_edges():
    assert utils.pad_sequences([]).shape == (0, 0)
    assert utils.pad_sequences([[1, 2], [3]], maxlen=0).shape == (2, 0)
    for args, kwargs, message in (
        (([[1]],), {"padding": "x"}, "padding is 'pre' or 'post'"),
        (([[1]],), {"truncating": "x"}, "truncating is 'pre' or 'post'"),
        (([1, 2],), {}, "takes a list of sequences"),
        ((5,), {}, "takes a list of sequences"),
        (([["a"]],), {"value": "z"}, "use dtype=object"),
        (([[1], [[1, 2]]],), {}, "sequence 1 have shape"),
    ):
        with pytest.raises(ValueError, match=message):
            utils.pad_sequences(*args, **kwargs)
