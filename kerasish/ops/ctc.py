"""Connectionist temporal classification: the loss and its decoders (Graves et al., 2006).

A network gives one distribution over labels and a blank for each step. Every path of labels and
blanks that reads as the target, once repeats are merged and blanks dropped, counts.
"""

from __future__ import annotations

from typing import Any

from kerasish.core.op import describe, op
from kerasish.errors import InvalidArgument, ShapeError
from kerasish.ops.activation import log_softmax
from kerasish.ops.control_flow import scan
from kerasish.ops.core import cast, dtype
from kerasish.ops.core import shape as shape_of
from kerasish.ops.encoding import one_hot
from kerasish.ops.math import logsumexp, top_k
from kerasish.ops.numpy import (
    arange,
    argmax,
    argsort,
    broadcast_to,
    concatenate,
    equal,
    expand_dims,
    full,
    logaddexp,
    logical_and,
    matmul,
    max,
    not_equal,
    ones,
    pad,
    reshape,
    stack,
    sum,
    swapaxes,
    take_along_axis,
    where,
    zeros,
)

__all__ = ["ctc_decode", "ctc_loss"]

_NEVER = -1e30
"""The logarithm of probability 0, finite so that differences of two are."""


@op(convert="target target_length output_length", float="output", real=True)
def ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0
) -> Any:
    """Minus the log-probability that the network's output reads as the target.

    Args:
        target: label indices, `(batch, longest target)`, padded with anything.
        output: logits, `(batch, steps, classes)`.
        target_length: how many labels count, `(batch,)`.
        output_length: how many steps count, `(batch,)`.
        mask_index: the index of the blank.

    Returns: shape `(batch,)`; infinite where the steps are too few for the target.

    >>> import kerasish as keras
    >>> loss = keras.ops.ctc_loss([[1]], keras.ops.zeros((1, 2, 2)), [1], [2])
    >>> round(float(loss[0]), 4)  # 3 of the 4 equally likely paths read as "1"
    0.2877
    """
    if len(target.shape) != 2 or len(output.shape) != 3:
        raise ShapeError(
            "ops.ctc_loss takes target (batch, labels) and output (batch, steps, classes), got "
            f"target={describe(target)} and output={describe(output)}."
        )
    target, target_length, output_length = (
        cast(x, "int32") for x in (target, target_length, output_length)
    )
    return _ctc_loss(target, _float32(output), target_length, output_length, mask_index)


def _float32(x: Any) -> Any:
    """Halves as float32, which sums of many log-probabilities need: these stay so, as in Keras."""
    return cast(x, "float32") if dtype(x) in ("float16", "bfloat16") else x


@op
def _ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int
) -> Any:
    batch, steps, _ = shape_of(output)
    labels = shape_of(target)[1]
    width = 2 * labels + 1
    blank = full((batch, labels + 1), mask_index, "int32")
    # The target with a blank before, between and after its labels.
    spaced = reshape(stack([blank[:, :-1], target], 2), (batch, width - 1))
    spaced = concatenate([spaced, blank[:, :1]], 1)
    emitted = take_along_axis(
        log_softmax(output, -1), broadcast_to(expand_dims(spaced, 1), (batch, steps, width)), 2
    )
    # The blank between two labels may be left out where they differ.
    optional = logical_and(
        not_equal(spaced, mask_index), not_equal(spaced, pad(spaced, [[0, 0], [2, 0]])[:, :-2])
    )
    never = full((batch, 2), _NEVER, dtype(output))

    def step(alpha: Any, inputs: Any) -> Any:
        t, emission = inputs
        padded = concatenate([never, alpha], 1)
        ways = stack([alpha, padded[:, 1:-1], where(optional, padded[:, :-2], _NEVER)], 0)
        after = logsumexp(ways, 0) + emission
        return where(expand_dims(t < output_length, 1), after, alpha), None

    start = concatenate(
        [zeros((batch, 1), dtype(output)), full((batch, width - 1), _NEVER, dtype(output))], 1
    )
    alpha, _ = scan(step, start, (arange(steps), swapaxes(emitted, 0, 1)))
    end = expand_dims(2 * target_length, 1)
    on_blank = take_along_axis(alpha, end, 1)[:, 0]
    on_label = take_along_axis(alpha, where(end > 0, end - 1, 0), 1)[:, 0]
    total = logaddexp(on_blank, where(target_length > 0, on_label, _NEVER))
    return where(total > 0.1 * _NEVER, -total, float("inf"))


@op(float="inputs", convert="sequence_lengths", real=True)
def ctc_decode(
    inputs: Any, sequence_lengths: Any, strategy: str = "greedy", beam_width: int = 100,
    top_paths: int = 1, merge_repeated: bool = True, mask_index: int = 0,
) -> tuple[Any, Any]:  # fmt: skip
    """The label sequences that a network's output most likely stands for.

    Args:
        inputs: logits, `(batch, steps, classes)`.
        sequence_lengths: how many steps count, `(batch,)`.
        strategy: `"greedy"` reads the likeliest path; `"beam_search"` sums over the paths of the
            `beam_width` likeliest label sequences so far (Graves et al., 2013).
        beam_width: how many sequences are followed.
        top_paths: how many sequences `"beam_search"` gives.
        merge_repeated: for `"greedy"`, whether repeats on the path count once.
        mask_index: the index of the blank.

    Returns: int32 labels `(top_paths, batch, steps)`, padded with -1, and scores: the
        log-probabilities `(batch, top_paths)` of a beam search, or minus the sum of the largest
        logits, `(batch, 1)`.

    >>> import kerasish as keras
    >>> logits = 9 * keras.ops.one_hot([[1, 1, 0, 2]], 3)
    >>> keras.ops.ctc_decode(logits, [4])[0].tolist()
    [[[1, 2, -1, -1]]]
    """
    if len(inputs.shape) != 3:
        raise ShapeError(
            f"ops.ctc_decode takes logits (batch, steps, classes), got {describe(inputs)}."
        )
    inputs, lengths = _float32(inputs), cast(sequence_lengths, "int32")
    if strategy == "greedy":
        return _greedy(inputs, lengths, merge_repeated, mask_index)
    if strategy == "beam_search":
        if top_paths > beam_width:
            raise InvalidArgument(
                f"ops.ctc_decode cannot give top_paths={top_paths} of beam_width={beam_width}."
            )
        return _beam_search(inputs, lengths, beam_width, top_paths, mask_index)
    raise InvalidArgument(
        f"ops.ctc_decode: strategy is 'greedy' or 'beam_search', got {strategy!r}."
    )


def _greedy(inputs: Any, lengths: Any, merge_repeated: bool, blank: int) -> tuple[Any, Any]:
    batch, steps, _ = shape_of(inputs)
    time = broadcast_to(arange(steps), (batch, steps))
    counts = time < expand_dims(lengths, 1)
    score = -sum(where(counts, max(inputs, -1), 0), 1, keepdims=True)
    path = where(counts, cast(argmax(inputs, -1), "int32"), blank)
    kept = not_equal(path, blank)
    if merge_repeated:
        before = concatenate([full((batch, 1), -1, "int32"), path[:, :-1]], 1)
        kept = logical_and(kept, not_equal(path, before))
    # Kept labels move to the front, in their order.
    order = argsort(where(kept, time, time + steps), 1)
    labels = take_along_axis(where(kept, path, -1), order, 1)
    return expand_dims(labels, 0), score


def _beam_search(
    inputs: Any, lengths: Any, width: int, top_paths: int, blank: int
) -> tuple[Any, Any]:
    batch, steps, classes = shape_of(inputs)
    kind = dtype(inputs)
    log_chances = log_softmax(inputs, -1)
    class_is_blank = equal(arange(classes), blank)
    # Sequences in the beam are known by two hashes of 32 bits, and by their parents' hashes.
    factors = [1000003, 69069]

    def pick(x: Any, index: Any) -> Any:
        for _ in range(len(x.shape) - 2):
            index = expand_dims(index, -1)
        return take_along_axis(x, broadcast_to(index, (batch, width, *shape_of(x)[2:])), 1)

    def step(beam: Any, inputs: Any) -> Any:
        t, chance = inputs
        paths, size, last, on_blank, on_label, name, parent = beam
        total = logaddexp(on_blank, on_label)
        own = take_along_axis(chance, where(last < 0, 0, last), 1)
        stay_blank = total + chance[:, blank:blank + 1]
        stay_label = where(last < 0, _NEVER, on_label + own)
        # A repeat of the last label is a new one only after a blank.
        repeats = equal(expand_dims(last, 2), arange(classes))
        grown = where(repeats, expand_dims(on_blank, 2), expand_dims(total, 2))
        grown = where(class_is_blank, _NEVER, grown + expand_dims(chance, 1))
        # Where a parent grows into a sequence that is in the beam already, the two become one.
        child = equal(expand_dims(name, 2), expand_dims(parent, 1))
        child = logical_and(child[..., 0], child[..., 1])  # (batch, parent, child)
        label = broadcast_to(expand_dims(where(last < 0, 0, last), 1), (batch, width, width))
        joining = where(child, take_along_axis(grown, label, 2), _NEVER)
        stay_label = logaddexp(stay_label, max(joining, 1))
        joined = matmul(cast(child, kind), one_hot(last, classes, dtype=kind)) > 0
        grown = where(joined, _NEVER, grown)

        scores = concatenate(
            [logaddexp(stay_blank, stay_label), reshape(grown, (batch, width * classes))], 1
        )
        score, chosen = top_k(scores, width)
        chosen = cast(chosen, "int32")
        stays = chosen < width
        source = where(stays, chosen, (chosen - width) // classes)
        new = where(stays, -1, (chosen - width) % classes)
        alive = score > 0.1 * _NEVER
        at_end = equal(arange(steps), expand_dims(pick(size, source), 2))
        grows = logical_and(at_end, expand_dims(new >= 0, 2))
        old_name = pick(name, source)
        new_name = stack([old_name[..., i] * factors[i] + new + 1 for i in (0, 1)], 2)
        moves = expand_dims(stays, 2)
        parent = where(moves, pick(parent, source), old_name)
        after = (
            where(grows, expand_dims(new, 2), pick(paths, source)),
            pick(size, source) + cast(new >= 0, "int32"),
            where(stays, pick(last, source), new),
            where(stays, pick(stay_blank, source), _NEVER),
            where(stays, pick(stay_label, source), score),
            where(moves, old_name, new_name),
            where(expand_dims(alive, 2), parent, 0),  # nothing is named 0: the dead have no parent
        )
        going = t < lengths
        return tuple(
            where(reshape(going, (batch, *[1] * (len(a.shape) - 1))), a, b)
            for a, b in zip(after, beam, strict=True)
        ), None

    first = broadcast_to(equal(arange(width), 0), (batch, width))
    beam = (
        full((batch, width, steps), -1, "int32"),
        zeros((batch, width), "int32"),
        full((batch, width), -1, "int32"),
        where(first, zeros((batch, width), kind), _NEVER),
        full((batch, width), _NEVER, kind),
        ones((batch, width, 2), "int32"),
        zeros((batch, width, 2), "int32"),
    )
    beam, _ = scan(step, beam, (arange(steps), swapaxes(log_chances, 0, 1)))
    scores, order = top_k(logaddexp(beam[3], beam[4]), top_paths)
    order = broadcast_to(expand_dims(order, 2), (batch, top_paths, steps))
    return swapaxes(take_along_axis(beam[0], order, 1), 0, 1), scores
