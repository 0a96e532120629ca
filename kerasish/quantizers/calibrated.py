"""Rounding of a matrix that suits the inputs it is multiplied with: GPTQ and AWQ.

Both take a matrix of shape (inputs, outputs) and what is known of the inputs, and return
`(integers, scales, zero points, groups)`: integers shaped like the matrix, scales and zero points
of shape (groups, outputs), and the group of each input. All in NumPy on the host, in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish.errors import InvalidArgument
from kerasish.quantizers.configs import AWQConfig, GPTQConfig

_BLOCK = 128
"""Columns whose errors are carried on together: GPTQ's lazy batch."""


def _steps(
    part: np.ndarray, bits: int, symmetric: bool = False, per_channel: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """(scale, zero point) for each column of a group of rows."""
    axis = 0 if per_channel else None
    least = np.broadcast_to(np.minimum(part.min(axis), 0), part.shape[1:])
    most = np.broadcast_to(np.maximum(part.max(axis), 0), part.shape[1:])
    if symmetric:
        most = np.maximum(-least, most)
        least = -most
    empty = least == most
    least, most = np.where(empty, -1.0, least), np.where(empty, 1.0, most)
    scale = (most - least) / (2**bits - 1)
    middle = np.full_like(scale, 2 ** (bits - 1))
    return scale, middle if symmetric else np.round(-least / scale)


def _rounded(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, bits: int) -> np.ndarray:
    return np.clip(np.round(x / scale) + zero, 0, 2**bits - 1)


def _result(integers: Any, scales: Any, zeros: Any, groups: Any) -> Any:
    return (
        integers.astype("uint8"), np.stack(scales).astype("float32"),
        np.stack(zeros).astype("uint8"), groups,
    )  # fmt: skip


def gptq(matrix: np.ndarray, gram: np.ndarray, config: GPTQConfig) -> Any:
    """Rounds input by input, each time moving the inputs still to come so that the error shrinks.

    Frantar et al. (2022), https://arxiv.org/abs/2210.17323, algorithm 1.

    Args:
        matrix: weights of shape (inputs, outputs).
        gram: the mean of x x^T over the inputs x.
        config: how.
    """
    weights, hessian = matrix.astype("float64"), 2.0 * gram
    count = len(weights)
    size = count if config.group_size == -1 else config.group_size
    diagonal = np.arange(count)
    unused = hessian[diagonal, diagonal] == 0
    hessian[unused, unused] = 1.0
    weights[unused] = 0.0
    order = np.argsort(-hessian[diagonal, diagonal], kind="stable") if (
        config.activation_order
    ) else diagonal
    weights, hessian = weights[order], hessian[np.ix_(order, order)]
    hessian[diagonal, diagonal] += config.hessian_damping * hessian[diagonal, diagonal].mean()
    # Rows of the upper factor of the inverse are what eliminating inputs in turn leaves of it.
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T

    integers = np.empty_like(weights)
    scales: list[np.ndarray] = []
    zeros: list[np.ndarray] = []
    for start in range(0, count, _BLOCK):
        end = min(start + _BLOCK, count)
        errors = np.empty((end - start, weights.shape[1]))
        for i in range(start, end):
            if i % size == 0:
                scale, zero = _steps(
                    weights[i : i + size], config.weight_bits, config.symmetric,
                    config.per_channel,
                )  # fmt: skip
                scales.append(scale)
                zeros.append(zero)
            integers[i] = _rounded(weights[i], scale, zero, config.weight_bits)
            error = (weights[i] - (integers[i] - zero) * scale) / upper[i, i]
            weights[i:end] -= np.outer(upper[i, i:end], error)
            errors[i - start] = error
        weights[end:] -= upper[start:end, end:].T @ errors

    back = np.argsort(order)
    return _result(integers[back], scales, zeros, (diagonal // size)[back])


def awq(
    matrix: np.ndarray, gram: np.ndarray, magnitude: np.ndarray, config: AWQConfig
) -> Any:
    """Scales inputs up by a power of their activations' magnitude, the best of a grid, and rounds.

    Lin et al. (2023), https://arxiv.org/abs/2306.00978. Beside the usual results it returns the
    scale of each input, by which the weights were multiplied.

    Args:
        matrix: weights of shape (inputs, outputs).
        gram: the mean of x x^T over the inputs x.
        magnitude: the mean of |x|.
        config: how.
    """
    weights = matrix.astype("float64")
    count, bits = len(weights), config.weight_bits
    size = count if config.group_size == -1 else config.group_size
    groups = np.arange(count) // size
    magnitude = np.maximum(magnitude, 1e-4 * max(magnitude.max(), 1e-4))
    best, least = None, np.inf
    for power in np.arange(config.num_grid_points) / config.num_grid_points:
        input_scales = magnitude**power
        input_scales = input_scales / np.sqrt(input_scales.max() * input_scales.min())
        scaled = weights * input_scales[:, None]
        parts = [_steps(scaled[groups == g], bits) for g in range(groups[-1] + 1)]
        scales, zeros = map(np.stack, zip(*parts, strict=True))
        integers = _rounded(scaled, scales[groups], zeros[groups], bits)
        error = (integers - zeros[groups]) * scales[groups] / input_scales[:, None] - weights
        loss = float(np.sum(error * (gram @ error)))
        if loss < least:
            least, best = loss, (integers, scales, zeros, input_scales)
    if best is None:
        raise InvalidArgument(
            "AWQ found no scales: the weights, or the inputs that the calibration data give the "
            "layer, are not finite."
        )
    integers, scales, zeros, input_scales = best
    return (
        *_result(integers, list(scales), list(zeros), groups), input_scales.astype("float32")
    )  # fmt: skip
