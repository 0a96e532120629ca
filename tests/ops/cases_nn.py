import itertools

import numpy as np
import scipy.special
import scipy.stats

from tests.ops.case import case, ints, x

WIDE = np.array([-1000, -88, -20, -3.5, -0.7, -1e-3, 1e-3, 0.7, 3.5, 20, 88, 1000], "float32")
"""Far ends too: nothing may overflow there, nor small results vanish."""


def f64(function):
    return lambda a, *args, **kwargs: function(np.asarray(a, "float64"), *args, **kwargs)


def softplus(a):
    return np.logaddexp(a, 0)


def elu(a, alpha=1.0):
    return np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0)))


ELEMENTWISE = {
    "relu": lambda a: np.maximum(a, 0),
    "relu6": lambda a: np.clip(a, 0, 6),
    "leaky_relu": lambda a: np.maximum(a, 0.2 * a),
    "elu": elu,
    "selu": lambda a: 1.05070098 * elu(a, 1.67326324),
    "celu": elu,
    "gelu": lambda a: a / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))),
    "sigmoid": scipy.special.expit,
    "log_sigmoid": scipy.special.log_expit,
    "softplus": softplus,
    "silu": lambda a: a * scipy.special.expit(a),
    "hard_sigmoid": lambda a: np.clip(a / 6 + 0.5, 0, 1),
    "hard_silu": lambda a: a * np.clip(a / 6 + 0.5, 0, 1),
    "hard_tanh": lambda a: np.clip(a, -1, 1),
    "hard_shrink": lambda a: a * (np.abs(a) > 0.5),
    "soft_shrink": lambda a: np.sign(a) * np.maximum(np.abs(a) - 0.5, 0),
    "tanh_shrink": lambda a: a - np.tanh(a),
    "softsign": lambda a: a / (1 + np.abs(a)),
    "squareplus": lambda a: (a + np.sqrt(a * a + 4)) / 2,
    "sparse_plus": lambda a: np.select([a <= -1, a < 1], [0 * a, (a + 1) ** 2 / 4], a),
    "sparse_sigmoid": lambda a: np.clip((a + 1) / 2, 0, 1),
}
for _name, _ref in ELEMENTWISE.items():
    case(_name, x(3, 4), ref=f64(_ref))
    case(_name, x(4, 5, low=-9, high=9), ref=f64(_ref), tol=2e-5)
    case(f"nn.{_name}", WIDE, ref=f64(_ref), grad=False, tol=2e-5)
    case(_name, x(5, dtype="float16"), ref=f64(_ref), grad=False, tol=2e-3)
    case(_name, np.float32(0.3), ref=f64(_ref))
    if _name not in ("relu", "relu6"):
        case(_name, ints(6, low=-4), ref=f64(_ref))
case("relu", ints(6, low=-4), ref=ELEMENTWISE["relu"])
case("relu6", ints(6, low=-4, high=9), ref=ELEMENTWISE["relu6"])
case("swish", x(3), ref=ELEMENTWISE["silu"])
case("hard_swish", x(3), ref=ELEMENTWISE["hard_silu"])
case("relu", np.array([np.nan, np.inf, -np.inf], "float32"), grad=False,
     ref=np.array([np.nan, np.inf, 0]))
# Small probabilities keep their relative precision.
case("sigmoid", np.array([-80, -50, -16.5], "float32"), grad=False, tol=1e-40,
     ref=lambda a: np.ones(3), symbolic=False,
     through=lambda f, a: _round(f(a) / scipy.special.expit(a.astype("float64"))
                                 .astype("float32")))
case("softplus", np.array([-80, -50, -16.5], "float32"), grad=False, tol=1e-40,
     ref=lambda a: np.ones(3), symbolic=False, through=lambda f, a: _round(f(a) / np.exp(a)))


def _round(a):
    from kerasish import ops

    return ops.round(a, 4)


case("leaky_relu", x(3, 4), negative_slope=0.01,
     ref=f64(lambda a, negative_slope: np.where(a > 0, a, negative_slope * a)))
case("leaky_relu", x(3, 4), 1.5, ref=f64(lambda a, s: np.where(a > 0, a, s * a)))
case("elu", x(3, 4), 0.3, ref=f64(elu))
case("celu", x(3, 4), 0.3,
     ref=f64(lambda a, s: np.maximum(a, 0) + s * np.expm1(np.minimum(a, 0) / s)))
case("gelu", x(3, 4), approximate=False, ref=f64(lambda a, approximate: a * scipy.stats.norm.cdf(a)))
case("hard_shrink", x(3, 4), 1.0, ref=lambda a, t: a * (np.abs(a) > t))
case("soft_shrink", x(3, 4), 1.0, ref=lambda a, t: np.sign(a) * np.maximum(np.abs(a) - t, 0))
case("squareplus", x(3, 4), b=1.0, ref=f64(lambda a, b: (a + np.sqrt(a * a + b)) / 2))
case("threshold", x(3, 4), 0.5, -7.0, ref=lambda a, t, v: np.where(a > t, a, np.float32(v)))
case("threshold", ints(6), 2, 9, ref=lambda a, t, v: np.where(a > t, a, v))


def glu(a, axis=-1):
    a, b = np.split(a, 2, axis)
    return a * scipy.special.expit(b)


case("glu", x(3, 4), ref=glu)
case("glu", x(2, 6, 3), axis=1, ref=glu)

for _axis in (-1, 0, 1, (0, 2), (-1, -2), None):
    case("softmax", x(2, 3, 4), axis=_axis, ref=scipy.special.softmax)
    case("log_softmax", x(2, 3, 4), axis=_axis, ref=scipy.special.log_softmax)
case("softmax", np.array([[1e4, 0, -1e4]], "float32"), ref=np.array([[1, 0, 0]]), grad=False)
case("log_softmax", np.array([[1e4, 0, -1e4]], "float32"), grad=False,
     ref=np.array([[0, -1e4, -2e4]]))
case("softmax", ints(2, 3), ref=lambda a: scipy.special.softmax(a, -1))


def sparsemax(a, axis=-1):
    """By enumeration of the supports, of which the one that fits is the projection's."""
    def project(z):
        best = None
        for size in range(1, len(z) + 1):
            for support in itertools.combinations(range(len(z)), size):
                p = np.zeros(len(z))
                p[list(support)] = z[list(support)] - (z[list(support)].sum() - 1) / size
                if (p >= 0).all() and (best is None or ((p - z)**2).sum() < ((best - z)**2).sum()):
                    best = p
        return best

    return np.apply_along_axis(project, axis, a.astype("float64"))


case("sparsemax", x(4, 5), ref=sparsemax)
case("sparsemax", x(3, 2, 2), axis=0, ref=sparsemax)


# Encodings.
def one_hot(a, num_classes, axis=-1, dtype="float32"):
    hot = np.zeros((*a.shape, num_classes), dtype)
    for where in np.ndindex(a.shape):
        if 0 <= a[where] < num_classes:
            hot[(*where, int(a[where]))] = 1
    return np.moveaxis(hot, -1, axis)


case("one_hot", ints(3), 5, ref=one_hot)
case("one_hot", ints(2, 3), 5, axis=0, ref=one_hot)
case("one_hot", ints(2, 3), 5, axis=1, dtype="int32", ref=one_hot)
case("one_hot", ints(2, 3), 5, dtype="bool", ref=one_hot)
case("one_hot", np.array([[-1, 0], [4, 7]]), 5, ref=one_hot)
case("one_hot", np.array([200, 3], "uint8"), 300, ref=one_hot)
case("one_hot", np.array([2.0, 0.0], "float32"), 3, ref=one_hot, grad=False)
case("one_hot", np.int32(1), 3, ref=np.array([0, 1, 0]))


def multi_hot(a, num_classes):
    return one_hot(a, num_classes).max(axis=1 if a.ndim > 1 else 0)


case("multi_hot", ints(2, 3), 5, ref=multi_hot)
case("multi_hot", ints(3), 5, ref=multi_hot)
case("multi_hot", ints(2, 3, 2), 5, ref=multi_hot)
case("multi_hot", ints(2, 3), num_tokens=6,
     ref=lambda a, num_tokens: multi_hot(a, num_tokens))
case("psnr", x(2, 3), x(2, 2, 3)[1], 2.0,
     ref=lambda a, b, top: 10 * np.log10(top**2 / np.mean((a - b) ** 2)))
