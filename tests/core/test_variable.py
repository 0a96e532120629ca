"""What a variable shows."""

import kerasish as keras


def test_repr_tells_the_value(backend):
    v = keras.Variable([1.0, 2.0], name="v")
    assert repr(v) == "<Variable path=v, shape=(2,), dtype=float32, value=[1. 2.]>"
    seen = []
    keras.value_and_grad(lambda: seen.append(repr(v)) or keras.ops.sum(v), [v])
    assert seen[0].startswith("<Variable path=v, shape=(2,), dtype=float32")
