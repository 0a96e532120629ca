import itertools

import numpy as np
import scipy.special

from tests.ops.case import bools, case, ints, x


def chances(*shape):
    logits = x(*shape, 2).astype("float64")[..., 1]
    return scipy.special.softmax(logits, -1).astype("float32")


def binary(t, p, from_logits=False):
    if from_logits:
        return -(t * scipy.special.log_expit(p) + (1 - t) * scipy.special.log_expit(-p))
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


case("binary_crossentropy", chances(3, 4), np.abs(x(3, 4)) / 2.5, ref=binary)
case("binary_crossentropy", bools(3, 4), chances(3, 4), ref=lambda t, p: binary(t * 1, p))
case("binary_crossentropy", chances(3, 4), x(3, 4, low=-9, high=9), from_logits=True, ref=binary)
case("nn.binary_crossentropy", np.array([1, 0, 1, 0], "int32"),
     np.array([500, 500, -500, -500], "float32"), from_logits=True, ref=np.array([0, 500, 500, 0]),
     grad=False)
case("binary_crossentropy", np.array([1.0, 0.0], "float64"), np.array([0, 0], "float32"),
     ref=np.array([-np.log(1e-7), 0]), grad=False, tol=1e-6)
case("binary_crossentropy", np.array([0.0], "float16"), np.array([1.0], "float16"),
     ref=np.array([np.log(2.0**11)]), grad=False, tol=1e-3)


def categorical(t, p, from_logits=False, axis=-1):
    p = p.astype("float64")
    log = scipy.special.log_softmax(p, axis) if from_logits else np.log(p / p.sum(axis, keepdims=1))
    return -(t * log).sum(axis)


case("categorical_crossentropy", chances(4, 3).T, chances(3, 4), ref=categorical)
case("categorical_crossentropy", chances(4, 3).T, 3 * chances(3, 4), ref=categorical)
case("categorical_crossentropy", chances(4, 3, 2).T, chances(2, 3, 4), axis=1, ref=categorical)
case("categorical_crossentropy", chances(5)[1:], chances(4), ref=categorical)
case("nn.categorical_crossentropy", chances(3, 4), x(3, 4), from_logits=True, ref=categorical)
case("categorical_crossentropy", chances(2, 3, 4), x(2, 3, 4), from_logits=True, axis=1,
     ref=categorical)
case("categorical_crossentropy", x(2, 3, 4)[0], x(3, 4), from_logits=True, ref=categorical)
case("categorical_crossentropy", np.array([[0, 1]]), np.array([[300, -300]], "float32"),
     from_logits=True, ref=np.array([600]), grad=False)
case("categorical_crossentropy", np.eye(2), np.array([[0, 1], [0, 1]], "float32"),
     ref=np.array([-np.log(1e-7), 0]), grad=False, tol=1e-6)


def sparse(t, p, from_logits=False, axis=-1):
    p = np.moveaxis(p, axis, -1)
    t = t.reshape(p.shape[:-1]).astype(int)
    return categorical(np.eye(p.shape[-1])[t], p, from_logits)


for _dtype in ("int32", "int64", "uint8", "float32"):
    case("sparse_categorical_crossentropy", ints(4, dtype=_dtype), x(4, 5), from_logits=True,
         ref=sparse, grad=_dtype != "float32")
case("sparse_categorical_crossentropy", ints(4, 1), x(4, 5), from_logits=True, ref=sparse)
case("sparse_categorical_crossentropy", ints(4, 3), x(4, 3, 5), from_logits=True, ref=sparse)
case("sparse_categorical_crossentropy", ints(2, 3, 2), x(2, 5, 3, 2), from_logits=True, axis=1,
     ref=sparse)
case("sparse_categorical_crossentropy", np.int32(2), x(5), from_logits=True, ref=sparse)
case("nn.sparse_categorical_crossentropy", ints(4), chances(4, 5), ref=sparse)
case("sparse_categorical_crossentropy", ints(2, 3), 2 * chances(2, 5, 3), axis=1, ref=sparse)
case("sparse_categorical_crossentropy", np.array([0, 1]), np.array([[0, 1], [0, 1]], "float32"),
     ref=np.array([-np.log(1e-7), 0]), grad=False, tol=1e-6)
case("sparse_categorical_crossentropy", np.array([0]), np.array([[300, -300]], "float32"),
     from_logits=True, ref=np.array([0]), grad=False)


# CTC by enumeration of every path.
def readings(logits, blank=0):
    """Each label sequence with its probability."""
    p = scipy.special.softmax(logits.astype("float64"), -1)
    found = {}
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        labels = tuple(k for k, _ in itertools.groupby(path) if k != blank)
        found[labels] = found.get(labels, 0) + np.prod([p[t, k] for t, k in enumerate(path)])
    return found


def ctc_loss(target, output, target_length, output_length, mask_index=0):
    return np.array([
        -np.log(readings(o[:m], mask_index).get(tuple(map(int, t[:n])), 0))
        for t, o, n, m in zip(target, output, target_length, output_length, strict=True)
    ])


with np.errstate(divide="ignore"):
    case("ctc_loss", np.array([[1, 2], [1, 1], [2, 0]]), x(3, 5, 3), np.array([2, 2, 1]),
         np.array([5, 4, 3]), ref=ctc_loss)
    case("nn.ctc_loss", np.array([[0, 1], [1, 1]]), x(2, 4, 3), np.array([2, 2]), np.array([4, 3]),
         mask_index=2, ref=ctc_loss)
case("ctc_loss", np.array([[1, 1]]), x(1, 4, 3), np.array([2]), np.array([2]), ref=np.array([np.inf]),
     grad=False)


def greedy(logits, lengths, merge_repeated=True, mask_index=0):
    labels = np.full(logits.shape[:2], -1)
    for b, n in enumerate(lengths):
        path = logits[b, :n].argmax(-1)
        if merge_repeated:
            path = [k for k, _ in itertools.groupby(path)]
        kept = [k for k in path if k != mask_index]
        labels[b, :len(kept)] = kept
    return labels[None], np.array([[-a[:n].max(-1).sum()] for a, n in zip(logits, lengths)])


case("ctc_decode", x(3, 7, 3), np.array([7, 5, 2]), ref=greedy, grad=False)
case("ctc_decode", x(3, 7, 3), np.array([7, 5, 2]), merge_repeated=False, mask_index=2, ref=greedy,
     grad=False)
case("nn.ctc_decode", x(2, 4, 3), np.array([4, 0]), ref=greedy, grad=False)


def best(logits, lengths, strategy, top_paths, beam_width, mask_index=0):
    labels = np.full((top_paths, *logits.shape[:2]), -1)
    scores = np.empty((len(logits), top_paths))
    for b, n in enumerate(lengths):
        ranked = sorted(readings(logits[b, :n], mask_index).items(), key=lambda item: -item[1])
        for k, (reading, chance) in enumerate(ranked[:top_paths]):
            labels[k, b, :len(reading)] = reading
            scores[b, k] = np.log(chance)
    return labels, scores


# As wide as there are sequences, a beam search is exact.
case("ctc_decode", x(2, 5, 3), np.array([5, 3]), strategy="beam_search", beam_width=80, top_paths=3,
     ref=best, grad=False)
case("ctc_decode", 3 * x(2, 5, 3), np.array([5, 4]), strategy="beam_search", beam_width=80,
     top_paths=2, mask_index=2, ref=best, grad=False)
