"""Arguments of every kind give the same: scalars, lists, arrays, variables, other engines' tensors;
and halves keep their dtype."""

import ml_dtypes
import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, ops
from kerasish.errors import BackendError

X = np.array([[0.5, 1.5], [2.5, 3.5]], "float32")
ENGINES = [name for name in ("torch", "jax", "tensorflow") if backends.installed(name)]


def foreign(engine, dtype="float32"):
    """A tensor made with the engine's own functions, as a user has it."""
    if engine == "torch":
        import torch

        return torch.tensor(X, requires_grad=True).to(getattr(torch, dtype))
    if engine == "jax":
        import jax.numpy as jnp

        return jnp.asarray(X, dtype)
    import tensorflow as tf

    return tf.cast(tf.Variable(X), dtype)


def host(x):
    return np.asarray(backends.to_host(x))


KINDS = {
    "list": lambda: X.tolist(), "tuple": lambda: tuple(map(tuple, X.tolist())),
    "array": lambda: X, "fortran": lambda: np.asfortranarray(X), "view": lambda: X[::-1][::-1],
    "variable": lambda: keras.Variable(X), "tensor": lambda: ops.convert_to_tensor(X),
    "list of arrays": lambda: list(X), "list of tensors": lambda: list(ops.convert_to_tensor(X)),
    "list of variables": lambda: [keras.Variable(r) for r in X],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_argument(kind, backend):
    x = KINDS[kind]()
    for function, want in (
        (lambda x: ops.add(x, 1), X + 1), (lambda x: ops.matmul(x, x), X @ X),
        (lambda x: ops.sum(x, axis=-1), X.sum(-1)), (lambda x: ops.where(X > 1, x, 0), X * (X > 1)),
        (lambda x: ops.concatenate([x, x], 1), np.hstack([X, X])), (ops.softmax, None),
    ):  # fmt: skip
        got = function(x)
        assert ops.is_tensor(got) and ops.dtype(got) == "float32"
        np.testing.assert_allclose(host(got), host(function(X)) if want is None else want, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("engine", ENGINES)
def test_tensors_of_other_engines(engine, dtype, backend):
    x = foreign(engine, dtype)
    one = np.ones((2, 2), "float32")
    for function, want in (
        (ops.convert_to_tensor, X), (lambda x: ops.add(x, 1), X + 1),
        (lambda x: ops.multiply(keras.Variable(one, dtype=dtype), x), X),
        (lambda x: ops.stack([x, x]), np.stack([X, X])), (lambda x: ops.sum([x, x], 0), 2 * X),
        (lambda x: keras.Variable(x).value, X),
        (lambda x: keras.Variable(np.zeros((2, 2)), dtype=dtype).assign(x), X),
        (keras.layers.Activation("relu", dtype=dtype), X),
    ):  # fmt: skip
        got = function(x)
        assert ops.is_tensor(got) and ops.dtype(got) == dtype
        np.testing.assert_array_equal(host(got).astype("float32"), want)
    assert ops.convert_to_numpy(x).astype("float32").tolist() == X.tolist()


HALVES = """
abs arcsinh arctan celu cos cosh cumsum elu erf exp exp2 expm1 gelu hard_sigmoid log log10 log1p log2
log_sigmoid log_softmax logsumexp mean mish norm reciprocal relu rsqrt selu sigmoid silu sin sinh
softmax softplus softsign sqrt square squareplus std sum tan tanh tanh_shrink var
"""


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", [n for n in HALVES.split() if hasattr(ops, n)])
def test_halves_stay_halves(name, dtype, backend):
    """Values and gradients, close to those of float32."""
    function = getattr(ops, name)
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16

    def run(x):
        return backends.active.value_and_grad(lambda t: (ops.sum(function(t)), function(t)), [], [x])

    (_, got), (slope,) = run(X.astype(kind))
    (_, want), (want_slope,) = run(X)
    assert ops.dtype(got) == dtype and ops.dtype(slope) == dtype
    for a, b in ((got, want), (slope, want_slope)):
        np.testing.assert_allclose(
            host(a).astype("float32"), host(b), rtol=0.05, atol=0.05 if dtype == "bfloat16" else 0.01
        )


def test_a_size_that_is_unknown_may_fit():
    unknown = keras.KerasTensor((3, None))
    assert ops.view_as_complex(unknown).shape == (3,)
    assert ops.cross(unknown, np.ones((2,))).shape == (3, 3)


def test_constants_of_outside_in_compiled_functions(backend):
    powers, labels = ops.array([1, 2, 2]), ops.array([0, 2, 2])
    compiled = keras.function(lambda x: (x**powers, ops.bincount(labels) + x))
    squares, counts = compiled(ops.array([1, 2, 3]))
    assert backends.to_host(squares).tolist() == [1, 4, 9]
    assert backends.to_host(counts).tolist() == [2, 2, 5]


@pytest.mark.skipif(not backends.installed("jax"), reason="JAX is not installed")
@pytest.mark.parametrize("name", ["nonzero", "unique"])
def test_what_a_compiled_jax_function_cannot_know_is_told(name):
    with keras.config.backend_scope("jax"):
        compiled = keras.function(getattr(ops, name))
        with pytest.raises(BackendError, match=rf"ops\.{name}\(x=.*compiled JAX function.*outside"):
            compiled(ops.array([1, 0, 2]))


def test_shapes_and_places_may_be_tensors(backend):
    shape = ops.array([2, 3])
    made = [
        ops.zeros(shape), ops.ones(shape), ops.full(shape, 2.0), ops.reshape(ops.ones(6), shape),
        ops.broadcast_to(ops.ones(3), shape), keras.random.normal(shape, seed=1),
        ops.slice(ops.ones((4, 5)), ops.array([1, 2], dtype="uint32"), [2, -1]),
    ]  # fmt: skip
    assert [tuple(x.shape) for x in made] == [(2, 3)] * len(made)


@pytest.mark.skipif(not backends.installed("tensorflow"), reason="TensorFlow is not installed")
def test_tensorflow_says_that_it_factors_square_matrices_alone():
    with keras.config.backend_scope("tensorflow"), pytest.raises(BackendError, match="backend_sc"):
        ops.lu_factor(ops.ones((2, 3)))
