"""Muon: momentum made orthogonal, for matrices; AdamW for everything else."""

from __future__ import annotations

import re
from typing import Any

from kerasish import ops
from kerasish.optimizers.base import Optimizer, grown


class Muon(Optimizer):
    """Steps of matrices along the nearest orthogonal matrix to their momentum.

    Vectors, embeddings, tensors of more axes and what `exclude_layers` names get AdamW's steps;
    the output layer of a model should be named there too.

    Args:
        learning_rate: a number, a schedule, or a function of no arguments.
        adam_beta_1, adam_beta_2, adam_weight_decay, epsilon: AdamW's arguments.
        weight_decay: the decay of what Muon itself steps.
        exclude_layers: regular expressions; variables whose path holds a match get AdamW's steps.
        exclude_embeddings: whether embeddings get AdamW's steps.
        muon_a, muon_b, muon_c: the polynomial of the Newton-Schulz iteration.
        adam_lr_ratio: AdamW's learning rate, as a multiple of `learning_rate`.
        momentum: how much of the last step's momentum is kept.
        ns_steps: how many Newton-Schulz iterations.
        nesterov: whether the momentum is Nesterov's.
        rms_rate: scale steps to this root mean square, about that of AdamW, so that the same
            learning rate and weight decay fit both; `None` for unscaled steps.
        kwargs: the other arguments that all optimizers share; see `Optimizer`.

    References: Jordan et al., https://kellerjordan.github.io/posts/muon; Liu et al.,
    https://arxiv.org/abs/2502.16982

    >>> import kerasish as keras
    >>> weight = keras.Variable([[0.0, 0.0], [0.0, 0.0]], name="kernel")
    >>> optimizer = keras.optimizers.Muon(0.1, weight_decay=None)
    >>> optimizer.apply([keras.ops.eye(2) * 5.0], [weight])
    >>> [round(float(x), 3) for x in weight.numpy().diagonal()]
    [-0.031, -0.031]
    """

    options = (
        "adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "exclude_layers",
        "exclude_embeddings", "muon_a", "muon_b", "muon_c", "adam_lr_ratio", "momentum",
        "ns_steps", "nesterov", "rms_rate",
    )  # fmt: skip
    slots = (("momentum", "velocity"),)
    slot_attributes = {"momentum": "momentums", "velocity": "adam_velocities"}
    momentums: list[Any]
    adam_velocities: list[Any]
    elementwise = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: list[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
            ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps,
            name, **kwargs,
        )  # fmt: skip
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def rule_of(self, variable: Any) -> str:
        path = variable.path
        excluded = self.exclude_embeddings and "embedding" in path.lower()
        if len(variable.shape) != 2 or excluded or any(
            re.search(pattern, path) for pattern in self.exclude_layers
        ):
            return "adam_rule"
        return "rule"

    def first_slot(self, name: str, variable: Any) -> float | None:
        return None if name == "velocity" and self.rule_of(variable) == "rule" else 0.0

    def _decay_of(self, variable: Any) -> float | None:
        if self.rule_of(variable) == "rule":
            return super()._decay_of(variable)
        return self.adam_weight_decay or None

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        correction = grown(self.adam_beta_2, step) ** 0.5 / grown(self.adam_beta_1, step)
        return learning_rate, learning_rate * self.adam_lr_ratio * correction

    def rule(self, param: Any, grad: Any, slots: Any, hyper: Any) -> Any:
        (m,) = slots
        m = self.momentum * m + grad
        step = self._orthogonal(grad + self.momentum * m if self.nesterov else m)
        size = 1.0 if self.rms_rate is None else self.rms_rate * max(param.shape) ** 0.5
        return param - step * (hyper[0] * size), (m,)

    def _orthogonal(self, x: Any) -> Any:
        """All singular values of a matrix brought close to 1 by an odd polynomial."""
        tall = x.shape[0] > x.shape[1]
        x = ops.transpose(x) if tall else x
        x = x / (ops.norm(x) + 1e-7)
        for _ in range(self.ns_steps):
            square = ops.matmul(x, ops.transpose(x))
            polynomial = self.muon_b * square + self.muon_c * ops.matmul(square, square)
            x = self.muon_a * x + ops.matmul(polynomial, x)
        return ops.transpose(x) if tall else x

    def adam_rule(self, param: Any, grad: Any, slots: Any, hyper: Any) -> Any:
        m, v = slots
        m = m + (grad - m) * (1 - self.adam_beta_1)
        v = v + (grad * grad - v) * (1 - self.adam_beta_2)
        return param - m * hyper[1] / (ops.sqrt(v) + self.epsilon), (m, v)
