"""Branches, loops, scans, and derivatives that users give or ask for."""

import collections
import doctest

import numpy as np
import pytest

import kerasish as keras
from kerasish import backends, ops
from kerasish.errors import DTypeError, InvalidArgument, ShapeError
from kerasish.ops import control_flow, core


def host(x):
    return np.asarray(backends.to_host(x))


def gradient(fn, *xs):
    """The gradients of the sum of `fn`'s result."""
    active = backends.active
    arrays = [np.asarray(x, "float32") for x in xs]
    _, grads = active.value_and_grad(lambda *a: (ops.sum(fn(*a)), None), [], arrays)
    return [host(g) for g in grads]


def compiled(fn):
    return backends.active.compile(fn, [])


Pair = collections.namedtuple("Pair", "a b")


@pytest.fixture(params=["eager", "compiled"])
def run(request):
    return (lambda fn: fn) if request.param == "eager" else compiled


# Branches


def test_cond(backend, run):
    f = run(lambda p, x: ops.cond(p > 0, lambda: x * 2.0, lambda: x - 1.0))
    x = ops.array([1.0, 2.0])
    assert host(f(ops.array(1.0), x)).tolist() == [2.0, 4.0]
    assert host(f(ops.array(-1.0), x)).tolist() == [0.0, 1.0]


def test_cond_has_the_gradient_of_the_branch_taken(backend):
    def f(x):
        return ops.cond(ops.sum(x) > 0, lambda: x * x, lambda: -x)

    assert gradient(f, [1.0, 2.0])[0].tolist() == [2.0, 4.0]
    assert gradient(f, [-1.0, -2.0])[0].tolist() == [-1.0, -1.0]


def test_switch(backend, run):
    branches = [lambda x: x, lambda x: x * 10.0, lambda x: -x]
    f = run(lambda i, x: ops.switch(i, branches, x))
    for index, want in ((-5, 3.0), (0, 3.0), (1, 30.0), (2, -3.0), (9, -3.0)):
        assert float(host(f(ops.array(index), ops.array(3.0)))) == want


def test_predicates(backend, run):
    """An integer is a predicate, and a Python bool decides at once, whatever the branches give."""
    f = run(lambda p, x: ops.cond(p, lambda: x * 2.0, lambda: x))
    assert host(f(ops.array(3), ops.array([1.0]))).tolist() == [2.0]
    assert host(f(ops.array(0), ops.array([1.0]))).tolist() == [1.0]
    x = keras.KerasTensor((None, 3))
    assert ops.cond(True, lambda: x * 2, lambda: x[:, :1]).shape == (None, 3)


# Variables assigned inside


@pytest.mark.parametrize("differentiated", [False, True])
def test_only_the_branch_taken_assigns(backend, run, differentiated):
    v, w = keras.Variable(1.0), keras.Variable(5.0)

    def branch(x):
        def yes():
            v.assign_add(ops.stop_gradient(x))
            return x * 2.0

        def no():
            w.assign(ops.stop_gradient(x) * 10.0)
            return x * w

        return ops.cond(x > 0, yes, no)

    def choose(x):
        return ops.switch(
            ops.cast(x, "int32"),
            [lambda: (v.assign(7.0), x)[1], lambda: (v.assign(8.0), x * 3.0)[1],
             lambda: (w.assign(9.0), x)[1]],
        )  # fmt: skip

    def call(fn, x):
        g = run((lambda y: keras.grad(fn, y)) if differentiated else fn)
        return float(host(g(ops.array(x))))

    assert call(branch, 2.0) == (2.0 if differentiated else 4.0)
    assert (float(v), float(w)) == (3.0, 5.0)
    assert call(branch, -2.0) == (-20.0 if differentiated else 40.0)
    assert (float(v), float(w)) == (3.0, -20.0)
    assert call(choose, 1.0) == 3.0
    assert (float(v), float(w)) == (8.0, -20.0)


def test_loops_assign(backend, run):
    count, total = keras.Variable(0, dtype="int32"), keras.Variable(0.0)

    def body(x):
        count.assign_add(1)
        total.assign_add(x)
        return x * 2.0

    xs = ops.array([1.0, 2.0, 3.0])

    def go_on(x):
        return ops.logical_and(x < 100.0, count < 3)

    for loop, want in (
        (lambda x: ops.fori_loop(0, 3, lambda i, y: body(y), x), 7.0),
        (lambda x: ops.while_loop(go_on, body, x), 7.0),
        (lambda x: ops.scan(lambda c, e: (body(c), body(e)), x, xs)[0], 7.0 + 6.0),
        (lambda x: ops.map(body, xs)[0] * x, 6.0),
    ):
        count.assign(0)
        total.assign(0.0)
        run(loop)(ops.array(1.0))
        assert float(total) == want and int(count) in (3, 6)


def test_random_numbers_inside(backend, run):
    """The state of a generator moves on only in the branch taken."""
    seed = keras.random.SeedGenerator(3)
    f = run(lambda x: ops.cond(x > 0, lambda: keras.random.uniform((), seed=seed), lambda: x))
    draws = [float(host(f(ops.array(x)))) for x in (1.0, -1.0, 1.0)]
    again = keras.random.SeedGenerator(3)
    want = [float(host(keras.random.uniform((), seed=again))) for _ in range(2)]
    np.testing.assert_allclose(draws, [want[0], -1.0, want[1]], rtol=1e-6)


class Branching(keras.layers.Layer):
    """Counts in a branch and in the steps of a scan, and draws random numbers in a branch."""

    def build(self, shape):
        self.w = self.add_weight(shape=shape[1:], initializer="ones", name="w")
        self.taken = self.add_weight(shape=(), initializer="zeros", trainable=False, name="taken")
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")
        self.drop = keras.layers.Dropout(0.3, seed=4)

    def call(self, x, training=False):
        def often():
            self.taken.assign_add(1.0)
            return self.drop(x * self.w, training=training)

        def step(carry, row):
            self.steps.assign_add(1.0)
            return carry * 0.9 + row, None

        y = ops.cond(ops.mean(x) > 0, often, lambda: x * self.w * 2.0)
        return y + 0.01 * ops.scan(step, ops.zeros_like(y[0]), y)[0]


def test_training_a_model_that_branches(backend):
    x = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
    means = x.reshape(3, 8, 3).mean((1, 2))

    def train():
        model = keras.Sequential([keras.Input((3,)), Branching(), keras.layers.Dense(1, "relu")])
        model.layers[1].kernel.assign([[0.5], [1.0], [0.2]])
        model.compile("sgd", "mse")
        losses = model.fit(x, x[:, :1], batch_size=8, epochs=2, shuffle=False, verbose=0).history
        return model.layers[0], losses["loss"]

    layer, losses = train()
    assert float(layer.taken) == 2 * (means > 0).sum() and float(layer.steps) == 48.0
    with keras.config.backend_scope("numpy"):
        np.testing.assert_allclose(losses, train()[1], rtol=1e-4)


# Loops


def test_while_loop_of_named_tuples_and_none(backend, run):
    def named(x):
        return ops.while_loop(lambda a, b: ops.sum(b) < 10, lambda a, b: Pair(a, b * 2), Pair(x, x))

    out = named(ops.array([1.0, 2.0]))
    assert isinstance(out, Pair) and host(out.b).tolist() == [4.0, 8.0]
    assert host(run(lambda x: named(x).b)(ops.array([1.0, 2.0]))).tolist() == [4.0, 8.0]
    f = run(lambda x: ops.while_loop(
        lambda i, y, n: i < 2, lambda i, y, n: (i + 1, {"y": y["y"] * 3.0}, n), (0, {"y": x}, None)
    )[1]["y"])  # fmt: skip
    assert host(f(ops.array([1.0]))).tolist() == [9.0]


def test_while_loop(backend, run):
    def collatz(n):
        return ops.while_loop(
            lambda n, steps: n > 1,
            lambda n, steps: (ops.where(n % 2 == 0, n // 2, 3 * n + 1), steps + 1),
            (n, ops.array(0)),
        )

    n, steps = run(collatz)(ops.array(6))
    assert (int(host(n)), int(host(steps))) == (1, 8)


def test_while_loop_of_one_variable_and_a_list(backend):
    assert int(host(ops.while_loop(lambda i: i < 7, lambda i: i + 3, ops.array(0)))) == 9
    out = ops.while_loop(lambda i, x: i < 2, lambda i, x: [i + 1, x * 2.0], [ops.array(0),
                                                                             ops.array([1.0])])
    assert isinstance(out, list) and host(out[1]).tolist() == [4.0]


def test_while_loop_stops_after_maximum_iterations(backend, run):
    f = run(lambda x: ops.while_loop(lambda x: x > 0, lambda x: x + 1, x, maximum_iterations=3))
    assert int(host(f(ops.array(5)))) == 8
    assert int(host(ops.while_loop(lambda x: x > 0, lambda x: x + 1, ops.array(5), 0))) == 5


def test_fori_loop(backend, run):
    f = run(lambda x: ops.fori_loop(1, 5, lambda i, t: t * i, x))
    assert int(host(f(ops.array(1)))) == 24
    assert int(host(ops.fori_loop(3, 3, lambda i, t: t * i, ops.array(7)))) == 7


def test_loops_have_gradients(backend):
    def power(x):
        return ops.fori_loop(0, 3, lambda i, t: t * x, x)

    np.testing.assert_allclose(gradient(power, [2.0])[0], [4 * 2.0**3])


# Scans


def test_scan(backend, run):
    def f(xs, start):
        return ops.scan(lambda c, x: (c + x, c * x), start, xs)

    total, products = run(f)(ops.array([1.0, 2.0, 3.0]), ops.array(1.0))
    assert float(host(total)) == 7.0
    assert host(products).tolist() == [1.0, 4.0, 12.0]


def test_scan_in_reverse_and_unrolled(backend):
    xs = np.arange(4, dtype="float32")
    for unroll in (1, 2, True):
        last, sums = ops.scan(
            lambda c, x: (c + x, c + x), np.float32(0), xs, reverse=True, unroll=unroll
        )
        assert float(host(last)) == 6.0
        assert host(sums).tolist() == [6.0, 6.0, 5.0, 3.0]


def test_scan_of_structures(backend):
    xs = {"a": np.arange(3, dtype="float32"), "b": (np.ones((3, 2), "float32"),)}

    def step(carry, x):
        moved = carry["s"] + x["a"] * x["b"][0]
        return {"s": moved}, [moved, x["a"]]

    carry, (states, copies) = ops.scan(step, {"s": np.zeros(2, "float32")}, xs)
    assert host(carry["s"]).tolist() == [3.0, 3.0]
    assert host(states).tolist() == [[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]]
    assert host(copies).tolist() == [0.0, 1.0, 2.0]


def test_scan_without_inputs_or_outputs(backend):
    last, ys = ops.scan(lambda c, _: (c * 2, c), ops.array(1), length=4)
    assert int(host(last)) == 16 and host(ys).tolist() == [1, 2, 4, 8]
    last, ys = ops.scan(lambda c, x: (c + x, None), ops.array(0), ops.array([1, 2]))
    assert int(host(last)) == 3 and ys is None


def test_scan_over_no_steps(backend):
    last, _ = ops.scan(lambda c, x: (c + x, c), 1.0, np.zeros((0,), "float32"))
    assert float(host(last)) == 1.0


def test_scan_has_a_gradient(backend):
    def f(xs, w):
        return ops.scan(lambda c, x: (c * w + x, c), ops.zeros(()), xs)[0]

    xs, w = [1.0, 2.0, 3.0], 0.5  # ((x0 w) + x1) w + x2
    by_xs, by_w = gradient(f, xs, w)
    np.testing.assert_allclose(by_xs, [0.25, 0.5, 1.0])
    np.testing.assert_allclose(by_w, 2 * 1.0 * 0.5 + 2.0)


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 16])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(backend, n, reverse):
    xs = np.random.default_rng(n).uniform(0.5, 1.5, (2, n, 3)).astype("float32")
    turned = xs[:, ::-1] if reverse else xs
    want = np.cumprod(turned, axis=1)
    want = want[:, ::-1] if reverse else want
    table = backends.active.table
    native = table["associative_scan"]
    for implementation in (native, backends.bodies["associative_scan"]):
        table["associative_scan"] = implementation
        try:
            got = ops.associative_scan(lambda a, b: a * b, xs, reverse=reverse, axis=1)
        finally:
            table["associative_scan"] = native
        np.testing.assert_allclose(host(got), want, rtol=1e-5)


def test_associative_scan_of_pairs_that_do_not_commute(backend):
    """x -> a x + b, one after the other: a linear recurrence."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 9)).astype("float32")

    def then(first, second):
        return first[0] * second[0], first[1] * second[0] + second[1]

    _, got = ops.associative_scan(then, (a, b))
    state, want = 0.0, []
    for i in range(9):
        state = a[i] * state + b[i]
        want.append(state)
    np.testing.assert_allclose(host(got), want, rtol=1e-4, atol=1e-6)


def test_map_and_vectorized_map(backend, run):
    xs = ops.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    for name in ("map", "vectorized_map"):
        f = run(lambda a, name=name: getattr(ops, name)(lambda x: ops.sum(x * x), a))
        assert host(f(xs)).tolist() == [5.0, 25.0, 61.0]
        for ys in (xs, host(xs)):
            pair = getattr(ops, name)(lambda ab: {"s": ab[0] + ab[1]}, (xs, ys))
            np.testing.assert_allclose(host(pair["s"]), 2 * host(xs))


def test_vectorize(backend):
    inner = ops.vectorize(lambda a, b: ops.sum(a * b), signature="(n),(n)->()")
    a, b = np.ones((4, 1, 3), "float32"), np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_allclose(host(inner(a, b)), np.einsum("abn,bn->ab", a.repeat(2, 1), b))
    assert host(inner(b[0], b[1])).tolist() == 14.0
    both = ops.vectorize(lambda a: (a + 1.0, a * 2.0))
    more, twice = both(b)
    np.testing.assert_allclose(host(more), b + 1)
    np.testing.assert_allclose(host(twice), b * 2)
    shifted = ops.vectorize(lambda a, by: a + by["n"], excluded={1})
    np.testing.assert_allclose(host(shifted(b, {"n": 3.0})), b + 3)
    with pytest.raises(ShapeError):
        inner(np.ones(2, "float32"), np.ones(3, "float32"))
    with pytest.raises(InvalidArgument):
        ops.vectorize(lambda a: a, signature="(n->n")


# Errors


def test_wrong_arguments():
    for call in (
        lambda: ops.cond(True, 1, lambda: 2), lambda: ops.switch(0, []),
        lambda: ops.switch(0, [1]), lambda: ops.while_loop(None, lambda x: x, 0),
        lambda: ops.fori_loop(0, 1, None, 0), lambda: ops.scan(None, 0, [1]),
        lambda: ops.scan(lambda c, x: (c, x), 0), lambda: ops.map(None, [1]),
        lambda: ops.scan(lambda c, x: (c, x), 0, [1], unroll="all"), lambda: ops.jvp(None, [1], [1]),
        lambda: ops.jvp(lambda x: x, [1.0], [1.0, 2.0]), lambda: ops.custom_gradient(3),
        lambda: ops.associative_scan(None, [1]),
    ):  # fmt: skip
        with pytest.raises((InvalidArgument, DTypeError)):
            call()
    with pytest.raises(ShapeError):
        ops.scan(lambda c, x: (c, x), 0, (np.zeros(2), np.zeros(3)))
    with pytest.raises(ShapeError):
        ops.scan(lambda c, x: (c, x), 0, np.zeros(2), length=3)


# Symbolic tensors


def test_named_tuples_of_symbolic_tensors():
    x = keras.KerasTensor((3, 2))
    out = ops.vectorized_map(lambda p: Pair(p.a * p.b, p.a[:1]), Pair(x, x))
    assert (out.a.shape, out.b.shape) == ((3, 2), (3, 1))
    assert ops.associative_scan(lambda p, q: Pair(p.a * q.a, p.b), Pair(x, x)).a.shape == (3, 2)
    assert ops.while_loop(lambda a, b: True, lambda a, b: (a, b), Pair(x, x)).b.shape == (3, 2)


def test_shapes_of_symbolic_loops():
    x = keras.KerasTensor((None, 4))
    p = keras.KerasTensor((), "bool")
    carry, ys = ops.scan(lambda c, row: (c + row, ops.sum(row)), keras.KerasTensor((4,)), x)
    assert carry.shape == (4,) and ys.shape == (None,)
    assert ops.map(lambda row: ops.concatenate([row, row]), x).shape == (None, 8)
    assert ops.vectorized_map(lambda row: row[:2], x).shape == (None, 2)
    assert ops.associative_scan(lambda a, b: a + b, keras.KerasTensor((6, 4))).shape == (6, 4)
    i, y = ops.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (ops.array(0), x))
    assert y.shape == (None, 4)
    assert ops.cond(p, lambda: np.ones((2, 3)), lambda: np.zeros((2, 3))).shape == (2, 3)
    assert ops.fori_loop(0, 3, lambda i, y: y * 2, x).shape == (None, 4)


# Custom gradients


def test_custom_gradient(backend, run):
    @ops.custom_gradient
    def log1pexp(x):
        e = ops.exp(x)
        return ops.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))

    assert np.isclose(float(host(run(log1pexp)(ops.array(0.0)))), np.log(2.0))
    assert gradient(log1pexp, [100.0])[0].tolist() == [1.0]  # plain calculus gives nan


def test_custom_gradient_of_two_arguments_by_keyword(backend):
    @ops.custom_gradient
    def product(x, y):
        def grad(*args, upstream=None):
            return upstream * y * 10.0, upstream * x

        return x * y, grad

    by_x, by_y = gradient(lambda x, y: ops.sum(product(x, y)), [1.0, 2.0], [3.0, 4.0])
    assert by_x.tolist() == [30.0, 40.0] and by_y.tolist() == [1.0, 2.0]


def second(fn, x, along):
    """The derivative of the gradient of fn's squared sum, along a direction."""
    def slope(x):
        return ops.sum(keras.grad(lambda y: ops.sum(ops.square(fn(y))), x) * along)

    return host(keras.grad(slope, x))


def test_custom_gradient_twice(backend):
    """The rule holds wherever a derivative is taken, and what it computes from is differentiated:
    with f = 2 x^2 and f' = 22 x by the rule, (f^2)' = 44 x f and (f^2)'' = 44 f + 44 x 22 x."""
    @ops.custom_gradient
    def product(x, y):
        return x * y, lambda upstream: (upstream * y * 10.0, upstream * x)

    x = ops.array([1.0, 2.0])
    f = ops.array([2.0, 8.0])
    want = host(44 * f + 44 * 22 * x * x)
    np.testing.assert_allclose(second(lambda x: product(x, x * 2.0), x, ops.ones(2)), want, rtol=1e-5)
    inside = lambda x: ops.vectorized_map(lambda e: product(e, e * 2.0), x)  # noqa: E731
    np.testing.assert_allclose(gradient(inside, host(x))[0], 22 * host(x), rtol=1e-5)
    scanned = lambda x: ops.scan(lambda c, e: (c, product(e, e * 2.0)), 0.0, x)[1]  # noqa: E731
    np.testing.assert_allclose(second(scanned, x, ops.ones(2)), want, rtol=1e-5)


def test_custom_gradient_of_structures_and_keywords(backend, run):
    @ops.custom_gradient
    def of_dict(s):
        return {"p": s["a"] * s["b"], "q": s["a"]}, lambda p, q: ({"a": 2 * p, "b": 3 * q},)

    @ops.custom_gradient
    def of_pair(pair):
        return Pair(pair.a * 2.0, pair.b), lambda a, b: Pair(a * 7.0, b * 11.0)

    @ops.custom_gradient
    def scaled(x, scale=2.0, name=None):
        return x * scale, lambda upstream: upstream * scale * 7.0

    @ops.custom_gradient
    def times(x, y=None, scale=1.0):
        return x * y * scale, lambda upstream: (upstream * 5.0, upstream * 6.0)

    @ops.custom_gradient
    def packed(x):
        return x, lambda *upstream: upstream[0] * 3.0

    def grad(fn):
        return host(run(lambda x: keras.grad(lambda y: ops.sum(fn(y)), x))(ops.array([1.0, 2.0])))

    assert grad(lambda x: of_dict({"a": x, "b": x})["p"]).tolist() == [2.0, 2.0]
    assert grad(lambda x: of_dict({"a": x, "b": x})["q"]).tolist() == [3.0, 3.0]
    assert grad(lambda x: sum(of_pair(Pair(x, x)))).tolist() == [18.0, 18.0]
    assert grad(lambda x: scaled(x, scale=3.0, name="n")).tolist() == [21.0, 21.0]
    assert grad(lambda x: scaled(x, 3.0, "n")).tolist() == [21.0, 21.0]
    assert grad(lambda x: times(x, y=x, scale=2.0)).tolist() == [11.0, 11.0]
    assert grad(lambda x: times(y=x, x=np.ones(2, "float32"))).tolist() == [6.0, 6.0]
    assert grad(packed).tolist() == [3.0, 3.0]
    value = of_pair(Pair(ops.array([1.0]), ops.array([2.0])))
    assert isinstance(value, Pair) and host(value.a).tolist() == [2.0]


@pytest.mark.parametrize("run", [lambda fn: fn, keras.function], ids=["eager", "compiled"])
def test_custom_gradient_that_reads_a_variable(backend, run):
    v = keras.Variable(3.0)

    @ops.custom_gradient
    def times(x):
        return x * v, lambda upstream: upstream * v * 10.0

    f = run(lambda x: keras.grad(times, x))
    assert float(host(f(ops.array(2.0)))) == 30.0
    v.assign(4.0)
    assert float(host(f(ops.array(2.0)))) == 40.0
    of_v = run(lambda x: keras.grad(lambda: times(x) + v, v))
    assert float(host(of_v(ops.array(2.0)))) == 1.0  # none through the function
    both = run(lambda x: keras.grad(lambda: times(x * v) * v, v))  # x v^3, by the rule: v d = 10 v
    assert float(host(both(ops.array(2.0)))) == 2.0 * 10.0 * 16.0 + 2.0 * 16.0


def test_custom_gradient_is_a_symbolic_op():
    @ops.custom_gradient
    def double(x):
        return x * 2.0, lambda upstream: upstream

    x = keras.KerasTensor((None, 3))
    assert double(x).shape == (None, 3)


def test_stop_gradient(backend):
    def f(x):
        return x * ops.stop_gradient(x)

    assert gradient(f, [3.0])[0].tolist() == [3.0]


@pytest.mark.parametrize("body", [False, True], ids=["native", "body"])
def test_jvp(backend, body):
    table = backends.active.table
    native = table["_jvp"]

    def f(x, y):
        return ops.sin(x) * y, x + ops.sum(y)

    x, y = np.array([0.3, 1.1], "float32"), np.array([2.0, -1.0], "float32")
    dx, dy = np.array([1.0, 0.5], "float32"), np.array([0.0, 2.0], "float32")
    if body:
        table["_jvp"] = backends.bodies["_jvp"]
    try:
        values, slopes = ops.jvp(f, (x, y), (dx, dy))
        value, slope, aux = ops.jvp(lambda a: (a * a, "aux"), [3.0], [1.0], has_aux=True)
    finally:
        table["_jvp"] = native
    np.testing.assert_allclose(host(values[0]), np.sin(x) * y, rtol=1e-6)
    np.testing.assert_allclose(host(slopes[0]), np.cos(x) * dx * y + np.sin(x) * dy, rtol=1e-5)
    np.testing.assert_allclose(host(slopes[1]), dx + dy.sum(), rtol=1e-6)
    assert (float(host(value)), float(host(slope)), aux) == (9.0, 6.0, "aux")


# Conversion


def test_convert_to_tensor(backend):
    assert ops.dtype(ops.convert_to_tensor(1.5)) == "float32"
    assert ops.dtype(ops.convert_to_tensor([1, 2])) == "int32"
    assert ops.dtype(ops.convert_to_tensor([1, 2], "float16")) == "float16"
    x = ops.ones((2,))
    assert ops.convert_to_tensor(x) is x
    mixed = ops.convert_to_tensor([x, ops.zeros((2,))])
    assert host(mixed).tolist() == [[1.0, 1.0], [0.0, 0.0]]
    v = keras.Variable([1.0, 2.0])
    assert host(ops.convert_to_tensor(v)).tolist() == [1.0, 2.0]
    before = ops.convert_to_numpy(v)
    v.assign([5.0, 5.0])
    assert before.tolist() == [1.0, 2.0]


def test_python_floats_keep_their_digits(backend):
    if backend == "jax":
        pytest.skip("JAX computes in 32 bits")
    assert float(host(ops.convert_to_tensor(0.1, "float64"))) == 0.1
    assert float(host(ops.cast(0.1, "float64"))) == 0.1


def test_convert_symbolic():
    x = keras.KerasTensor((None, 2))
    assert ops.convert_to_tensor(x) is x
    assert ops.convert_to_tensor(x, "int32").dtype == "int32"
    assert ops.convert_to_tensor([x, x]).shape == (2, None, 2)
    assert not ops.is_tensor(x) and ops.shape(x) == (None, 2)
    with pytest.raises(TypeError):
        ops.convert_to_numpy(x)


def test_sparse_and_ragged(backend):
    dense = np.array([[0.0, 1.0], [2.0, 0.0]], "float32")
    there = ops.convert_to_tensor(dense, sparse=True)
    assert ops.convert_to_tensor(there) is there
    back = ops.convert_to_tensor(there, sparse=False)
    assert host(back).tolist() == dense.tolist()
    if backend != "tensorflow":
        with pytest.raises(keras.errors.BackendError, match="ragged"):
            ops.convert_to_tensor(dense, ragged=True)
    else:
        ragged = ops.convert_to_tensor(dense, ragged=True)
        assert host(ops.convert_to_tensor(ragged, ragged=False)).tolist() == dense.tolist()


@pytest.mark.parametrize("module", [core, control_flow])
def test_examples(module):
    with keras.config.backend_scope("numpy"):
        assert doctest.testmod(module).failed == 0


def test_functions_used_again_see_variables_as_they_are_then(backend):
    v = keras.Variable(2.0)
    double, triple = lambda: v * 2.0, lambda: v * 3.0
    advance = lambda carry, x: (carry + v * x, carry)  # noqa: E731
    seen = []
    for value in (2.0, 5.0):
        v.assign(value)
        seen += [
            ops.cond(ops.array(True), double, triple),
            ops.switch(ops.array(1), [double, triple]),
            ops.scan(advance, ops.zeros(()), ops.ones((3,)))[0],
            ops.fori_loop(0, 3, lambda i, total: total + v, ops.zeros(())),
        ]
    assert [float(x) for x in seen] == [4, 6, 6, 6, 10, 15, 15, 15]
