from __future__ import annotations

import pytest

from kerasish import utils


@pytest.mark.parametrize("args, packed", [
    ((1,), 1), (([1],), ([1],)), (((1, 2),), ((1, 2),)), (({"a": 1},), {"a": 1}),
    ((1, 2), (1, 2)), ((1, 2, 3), (1, 2, 3)), ((1, None, 3), 1),
])  # fmt: skip
def test_pack(args, packed):
    assert utils.pack_x_y_sample_weight(*args) == packed


@pytest.mark.parametrize("data, parts", [
    (5, (5, None, None)), ({"a": 1}, ({"a": 1}, None, None)), ((1,), (1, None, None)),
    ((1, 2), (1, 2, None)), ([1, 2], (1, 2, None)), ((1, 2, 3), (1, 2, 3)),
])  # fmt: skip
def test_unpack(data, parts):
    assert utils.unpack_x_y_sample_weight(data) == parts


@pytest.mark.parametrize("data", [(), (1, 2, 3, 4)])
def test_unpack_errors(data):
    with pytest.raises(ValueError, match="A batch is x"):
        utils.unpack_x_y_sample_weight(data)


def test_there_and_back():
    for parts in (([1], None, None), (1, 2, None), (1, 2, 3)):
        assert utils.unpack_x_y_sample_weight(utils.pack_x_y_sample_weight(*parts)) == parts
