"""What `compile` was given, fitted to the model's outputs: losses and metrics per output."""

from __future__ import annotations

from typing import Any

from kerasish import backends, losses, metrics, ops, tree
from kerasish.errors import InvalidArgument, StateError
from kerasish.training.data import len_of

_ACCURACY = ("accuracy", "acc")
_CROSSENTROPY = ("crossentropy", "ce")


def _is_output(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")


def outputs_of(y: Any) -> list[Any]:
    """The tensors in a structure of targets or predictions."""
    return tree.flatten(y)


def paths(structure: Any, names: list[str] | None = None) -> list[str]:
    """A name for each leaf: the model's output names, dict keys, or positions."""
    leaves = tree.flatten(structure)
    if names is not None and len(names) == len(leaves):
        return list(names)
    if isinstance(structure, dict) and not is_nested(structure):
        return [str(k) for k in sorted(structure)]
    return [f"output_{i}" for i in range(len(leaves))]


def is_nested(structure: Any) -> bool:
    """Whether a structure of outputs holds lists or dicts of outputs."""
    return len(tree.flatten(structure)) != (
        len(structure) if isinstance(structure, dict | list | tuple) else 1
    )


def loss_names(
    structure: Any, names: list[str], functions: list[Any], given: Any, named: bool
) -> list[str]:
    """What each output's loss is called: its path, or where outputs have no names, the loss."""
    if is_nested(structure):
        return [
            "/".join(map(str, [*path[:-1], path[-1] if isinstance(path[-1], str) else name]))
            for (path, _), name in zip(tree.flatten_with_path(structure), names, strict=True)
        ]
    if named:
        return names
    each = given if isinstance(given, list | tuple) else [given] * len(names)
    return unique([
        g if isinstance(g, str) else getattr(f, "name", "") or "loss"
        for g, f in zip(each, functions, strict=True)
    ])


def unique(names: list[str]) -> list[str]:
    """The names, repeated ones with _1, _2 and so on."""
    found: list[str] = []
    for name in names:
        number, one = 0, name
        while one in found:
            number += 1
            one = f"{name}_{number}"
        found.append(one)
    return found


def per_output(given: Any, structure: Any, names: list[str], what: str) -> list[Any]:
    """`given` (one, a list, a dict by output name) as one entry for each output."""
    count = len(names)
    if is_nested(structure) and isinstance(given, dict | list | tuple) and not (
        isinstance(given, dict) and set(given) <= set(names)
    ):
        return _along(given, structure, what)
    if isinstance(given, dict):
        keys = sorted(structure) if isinstance(structure, dict) else []
        known = {**{n: i for i, n in enumerate(names)},
                 **{k: i for i, k in enumerate(keys) if len(keys) == count}}
        unknown = [k for k in given if k not in known]
        if unknown:
            raise InvalidArgument(
                f"{what} names outputs {unknown}; the model's outputs are {names}."
            )
        result: list[Any] = [None] * count
        for key, value in given.items():
            result[known[key]] = value
        return result
    if isinstance(given, list | tuple):
        if len(given) != count:
            raise InvalidArgument(
                f"{what} has {len(given)} entries; the model has {count} outputs {names}."
            )
        return list(given)
    return [given] * count


def _along(given: Any, structure: Any, what: str) -> list[Any]:
    """The parts of `given` that belong to the leaves of a nested structure of outputs."""
    if not isinstance(structure, dict | list | tuple):
        return [given]
    if given is None or not isinstance(given, dict | list | tuple):
        return [given] * len(tree.flatten(structure))
    keys = sorted(structure) if isinstance(structure, dict) else range(len(structure))
    strange = set(given) - set(keys) if isinstance(given, dict) else len(given) != len(keys)
    if strange or isinstance(given, dict) != isinstance(structure, dict):
        raise InvalidArgument(
            f"{what} is not structured like the outputs: {given!r} for "
            f"{tree.map_structure(lambda _: '*', structure)}."
        )
    part = given.get if isinstance(given, dict) else given.__getitem__
    return [leaf for key in keys for leaf in _along(part(key), structure[key], what)]


def match_targets(y: Any, y_pred: Any) -> list[Any]:
    """The targets in the order of the predictions, dicts matched by key."""
    if isinstance(y, dict) and isinstance(y_pred, dict) and not is_nested(y_pred):
        return [y.get(k) for k in sorted(y_pred)]
    return tree.flatten(y)


class Objective:
    """The loss of a model: a weighted sum over outputs, each with a mean that is tracked."""

    def __init__(self, loss: Any, loss_weights: Any, names: list[str] | None):
        self.given, self.weights_given, self.names_given = loss, loss_weights, names
        self.functions: list[Any] = []  # one for each output, once these are known
        self.trackers: list[Any] = []

    def build(self, y: Any, y_pred: Any) -> None:
        names = paths(y_pred, self.names_given)
        given = self.given
        if isinstance(given, str) or callable(given):
            one = losses.get(given)
            self.functions = [_as_loss(one)] * len(names)
        else:
            self.functions = [
                None if f is None else _as_loss(losses.get(f))
                for f in per_output(given, y_pred, names, "loss")
            ]
        weights = per_output(self.weights_given, y_pred, names, "loss_weights") if (
            self.weights_given is not None
        ) else [None] * len(names)
        if any(isinstance(w, str) or callable(w) for w in weights):
            raise InvalidArgument(
                f"loss_weights are numbers, got {self.weights_given!r}. They are the third "
                "argument of compile; metrics go by name: compile(optimizer, loss, metrics=...)."
            )
        self.weights = [1.0 if w is None else w for w in weights]
        self.names = names
        named = self.names_given is not None or isinstance(y_pred, dict)
        names = loss_names(y_pred, names, self.functions, given, named)
        self.loss_names = names
        used = [n for n, f in zip(names, self.functions, strict=True) if f is not None]
        if len(used) > 1:
            if isinstance(given, dict):  # reported in the order in which they were given
                used = sorted(used, key=lambda n: [*given, n].index(n))
            self.tracked = {n: metrics.Mean(name=f"{n}_loss") for n in used}
            self.trackers = list(self.tracked.values())

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        if not self.functions:
            self.build(y, y_pred)
        native = backends.active.native
        if len(self.functions) == 1 and type(y_pred) in native and type(y) in native:
            return self._weighted(self.functions[0](y, y_pred, sample_weight))
        predictions = tree.flatten(y_pred)
        targets = self.targets(y, y_pred)
        if len(targets) == 1 and len(predictions) == 1:
            return self._weighted(self.functions[0](targets[0], predictions[0], sample_weight))
        weights = self._sample_weights(sample_weight, len(predictions), y_pred)
        total = None
        for name, f, t, p, sw, w in zip(
            self.loss_names, self.functions, targets, predictions, weights, self.weights,
            strict=True,
        ):
            if f is None:
                continue
            value = f(t, p, sw)
            if self.trackers:
                self.tracked[name].update_state(ops.stop_gradient(value), len_of(p))
            value = value if w == 1.0 else value * w
            total = value if total is None else total + value
        return total

    def _weighted(self, value: Any) -> Any:
        """The only output's loss times its weight."""
        return value if self.weights[0] == 1.0 else value * self.weights[0]

    def targets(self, y: Any, y_pred: Any) -> list[Any]:
        predictions = tree.flatten(y_pred)
        if isinstance(y, dict) and self.names_given and not isinstance(y_pred, dict):
            return [y.get(n) for n in self.names]
        targets = match_targets(y, y_pred)
        if len(targets) != len(predictions):
            # Outputs without a loss need no targets.
            if len(targets) == sum(f is not None for f in self.functions):
                left = iter(targets)
                return [None if f is None else next(left) for f in self.functions]
            raise InvalidArgument(
                f"The model has {len(predictions)} outputs {self.names}, the targets have "
                f"{len(targets)}."
            )
        return targets

    def _sample_weights(self, sample_weight: Any, count: int, y_pred: Any) -> list[Any]:
        if sample_weight is None:
            return [None] * count
        if isinstance(sample_weight, dict):
            return per_output(sample_weight, y_pred, self.names, "sample_weight")
        leaves = tree.flatten(sample_weight)
        return leaves if len(leaves) == count else [sample_weight] * count


def _as_loss(function: Any) -> Any:
    if isinstance(function, losses.Loss):
        return function
    if not callable(function):
        raise InvalidArgument(f"A loss is a name, a function or a Loss object, got {function!r}.")
    name = getattr(function, "__name__", type(function).__name__)
    return losses.LossFunctionWrapper(function, name=name)


class CompileMetrics(metrics.Metric):
    """The metrics given to `compile` as one, made for the shapes of a model's outputs."""

    def __init__(
        self, given: Any, weighted: Any, names: list[str] | None, objective: Objective | None
    ):
        super().__init__(name="compile_metrics")
        self.given, self.weighted, self.names_given = given, weighted, names
        self.objective = objective
        self.built = False
        self.entries: list[tuple[int, Any, bool]] = []
        """(index of the output, metric, whether it takes sample weights)"""
        self.result_names: list[str] = []

    @property
    def metrics(self) -> list[Any]:
        """The metrics of all outputs."""
        return [metric for _, metric, _ in self.entries]

    @property
    def variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    def build(self, y: Any, y_pred: Any) -> None:
        names = paths(y_pred, self.names_given)
        predictions = tree.flatten(y_pred)
        targets = match_targets(y, y_pred) if y is not None else [None] * len(predictions)
        if isinstance(y, dict) and self.names_given and not isinstance(y_pred, dict):
            targets = [y.get(n) for n in names]
        if len(targets) != len(predictions):
            targets = [targets[0] if targets else None] * len(predictions)
        groups = [
            (weighted, _metric_groups(given, y_pred, names))
            for given, weighted in ((self.given, False), (self.weighted, True)) if given
        ]
        named = self.names_given is not None or isinstance(y_pred, dict)
        for i, output in enumerate(names):
            prefix = f"{output}_" if len(names) > 1 and named else ""
            for weighted, group in groups:
                for identifier in group[i]:
                    if identifier is None:
                        continue
                    metric = _make(identifier, targets[i], predictions[i])
                    self.entries.append((i, metric, weighted))
                    name = prefix + metric.name
                    if weighted and name in self.result_names:
                        name = f"{prefix}weighted_{metric.name}"
                    self.result_names.append(name)
        self.result_names = unique(self.result_names)
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if not self.built:
            self.build(y_true, y_pred)
        predictions = tree.flatten(y_pred)
        if self.objective is not None and self.objective.functions:
            targets = self.objective.targets(y_true, y_pred)
        else:
            targets = tree.flatten(y_true)
        weights = tree.flatten(sample_weight) if sample_weight is not None else []
        for i, metric, weighted in self.entries:
            if targets[i] is None:
                continue
            if weighted and weights:
                sw = weights[i] if len(weights) == len(predictions) else weights[0]
                metric.update_state(targets[i], predictions[i], sample_weight=sw)
            else:
                metric.update_state(targets[i], predictions[i])

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """The results of all metrics by name."""
        if not self.built:
            raise StateError(
                "The metrics given to compile have no results yet: they are made for the first "
                "targets and predictions. Call update_state(y_true, y_pred) first."
            )
        found: dict[str, Any] = {}
        for name, (_, metric, _) in zip(self.result_names, self.entries, strict=True):
            value = metric.result()
            if isinstance(value, dict):
                found.update(value)
            else:
                found[name] = value
        return found


def _metric_groups(given: Any, y_pred: Any, names: list[str]) -> list[list[Any]]:
    as_list = lambda g: list(g) if isinstance(g, list | tuple) else [g]  # noqa: E731
    if isinstance(given, dict):
        if len(names) == len(given) == 1:
            return [as_list(g) for g in given.values()]
        return [as_list(g) for g in per_output(given, y_pred, names, "metrics")]
    given = as_list(given)
    if len(names) == 1:
        flat = [m for g in given for m in as_list(g)]
        return [flat]
    if len(given) == len(names) and (
        any(isinstance(g, list | tuple) or g is None for g in given) or len(given) > 1
    ):
        return [as_list(g) for g in given]
    if any(isinstance(g, list | tuple) for g in given):
        raise InvalidArgument(
            f"metrics has {len(given)} entries; the model has {len(names)} outputs {names}."
        )
    return [list(given) for _ in names]


def _make(identifier: Any, y: Any, y_pred: Any) -> Any:
    """A metric object; "accuracy" becomes the kind that fits the shapes."""
    if isinstance(identifier, metrics.Metric):
        return identifier
    if isinstance(identifier, str) and y is not None:
        shape, target = tuple(y_pred.shape), tuple(y.shape)
        binary = shape[-1:] == (1,) or len(shape) == 1
        sparse = not binary and (len(target) < len(shape) or target[-1:] == (1,))
        kind = "Binary" if binary else "SparseCategorical" if sparse else "Categorical"
        lower = identifier.lower()
        if lower in _ACCURACY:
            return getattr(metrics, f"{kind}Accuracy")(name=identifier)
        if lower in _CROSSENTROPY:
            return getattr(metrics, f"{kind}Crossentropy")(name=identifier)
    metric = metrics.get(identifier)
    if isinstance(metric, metrics.Metric):
        if isinstance(identifier, str):  # it is logged under the name that was asked for
            metric.name = identifier
        return metric
    if not callable(metric):
        raise InvalidArgument(f"A metric is a name, function or Metric, got {identifier!r}.")
    name = identifier if isinstance(identifier, str) else getattr(
        metric, "__name__", type(metric).__name__
    ).strip("<>")
    return metrics.MeanMetricWrapper(metric, name=name)


def check_labels(loss: Any, y: Any, classes: int | None) -> None:
    """Labels of a sparse cross-entropy that are not class indices, told before training."""
    import numpy as np

    if not isinstance(loss, losses.SparseCategoricalCrossentropy) or classes is None:
        return
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iu" or not y.size:
        return
    ignored = getattr(loss, "ignore_class", None)
    labels = y if ignored is None else y[y != ignored]
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise InvalidArgument(
            f"Labels go from {labels.min()} to {labels.max()}, but the model's output has "
            f"{classes} classes, so labels must be 0 to {classes - 1}. Make the last layer "
            f"{int(labels.max()) + 1} wide or renumber the labels."
        )


