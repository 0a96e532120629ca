"""`Optimizer`: everything about training variables except the rule of one algorithm."""

from __future__ import annotations

import inspect
import math
import operator
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from kerasish import backends, dtypes, ops
from kerasish.backends import leafwise
from kerasish.backends.leafwise import Group
from kerasish.core import scope
from kerasish.core.op import tensor
from kerasish.core.operation import overridable, snake_case
from kerasish.core.variable import Variable
from kerasish.errors import InvalidArgument, NotBuilt, NotDefined, ShapeError
from kerasish.optimizers.plan import Plan, nothing, pick, when
from kerasish.optimizers.schedules import LearningRateSchedule
from kerasish.saving import serialization

if TYPE_CHECKING:
    from typing_extensions import Self


class Common(TypedDict, total=False):
    """The arguments that every optimizer takes after its own; see `Optimizer`."""

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


class FixedRate(InvalidArgument, TypeError):
    """The learning rate follows a schedule and was set to a number."""


def check(ok: bool, who: Any, name: str, value: Any, expected: str) -> None:
    """Raises an error about an argument that is not as expected."""
    if not ok:
        raise InvalidArgument(f"{type(who).__name__}: {name} must be {expected}, got {value!r}.")


class Optimizer:
    """Updates variables from their gradients; the base class of all optimizers.

    An algorithm is a pure rule over one leaf, with named slots for its state. Everything else
    (learning-rate schedules, clipping, weight decay, averages, accumulation, files) is here:

    >>> import kerasish as keras
    >>> class Momentum(keras.optimizers.Optimizer):
    ...     slots = ("momentum",)
    ...     def rule(self, param, grad, slots, rate):
    ...         (m,) = slots
    ...         m = 0.9 * m - rate * grad
    ...         return param + m, (m,)
    >>> weight = keras.Variable([1.0, 2.0])
    >>> optimizer = Momentum(learning_rate=0.5)
    >>> optimizer.apply([keras.ops.ones(2)], [weight])
    >>> weight.numpy().tolist()
    [0.5, 1.5]

    An optimizer in Keras' form, with `build(variables)` and
    `update_step(gradient, variable, learning_rate)`, works as well.

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a function of no arguments.
        weight_decay: the fraction of each weight, times the learning rate, that a step takes away.
        clipnorm: the largest norm of a gradient; one that is longer is shortened to it.
        clipvalue: the largest absolute value in a gradient.
        global_clipnorm: the largest norm of all gradients together.
        use_ema: keep exponential moving averages of the weights.
        ema_momentum: `average = ema_momentum * average + (1 - ema_momentum) * weight`.
        ema_overwrite_frequency: set the weights to their averages every so many steps. With
            `None`, `finalize_variable_values` does at the end of training (`fit` calls it).
        loss_scale_factor: a factor for the loss, divided out of the gradients again, against
            underflow in half precision.
        gradient_accumulation_steps: update only every so many steps, by the mean of the gradients.
        name: its name, the first part of the paths of its variables.
    """

    slots: tuple[str | tuple[str, ...], ...] = ()
    """Names of the slots. Those in an inner tuple are interleaved variable by variable, in files
    too; a name of its own is a run over all variables."""
    slot_attributes: dict[str, str] = {}
    """Where an `update_step` in Keras' form finds the list of a slot's variables."""
    options: tuple[str, ...] = ()
    """The constructor arguments of a subclass: attributes of the same names, for `get_config`."""
    elementwise = True
    """Whether the rule treats every element alike, so that it may run on pieces of leaves."""
    kernel: str | None = None
    """The native kernel that does what the `rule` defined in the same class does."""

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        who = type(self).__name__
        if kwargs.pop("decay", None) is not None:
            warnings.warn(
                f"{who}: `decay` is ignored. Use a schedule, such as keras.optimizers.schedules."
                "InverseTimeDecay(learning_rate, 1, decay).",
                stacklevel=3,
            )
        if kwargs:
            known = [p for p in inspect.signature(type(self)).parameters if p != "kwargs"]
            raise InvalidArgument(f"{who} has no arguments {sorted(kwargs)}. It takes {known}.")
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        given = {key: value for key, value in clips.items() if value is not None}
        if len(given) > 1:
            raise InvalidArgument(f"{who} takes only one of {[*clips]}, got {given}.")
        for key, value in given.items():
            check(value > 0, self, key, value, "positive")
        check(not use_ema or 0 <= ema_momentum <= 1, self, "ema_momentum", ema_momentum,
              "in [0, 1]")  # fmt: skip
        for key, value, least in (
            ("ema_overwrite_frequency", ema_overwrite_frequency, 1),
            ("gradient_accumulation_steps", gradient_accumulation_steps, 2),
        ):
            ok = value is None or (value == int(value) and value >= least)
            check(ok, self, key, value, f"None or an integer of at least {least}")

        self._variables: list[Variable] = []
        self._trainable_variables: list[Any] = []
        self._slots: dict[str, list[Variable | None]] = {}
        self._undecayed: tuple[list[Any], list[str]] = ([], [])
        self._warned = False
        self.built = False
        self.name = name or scope.auto_name(snake_case(who))
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency if use_ema else None
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._iterations = self.add_variable((), dtype="int32", name="iteration")
        if isinstance(learning_rate, dict):
            learning_rate = serialization.deserialize_keras_object(learning_rate)
        if not callable(learning_rate):
            number = isinstance(learning_rate, int | float) or hasattr(learning_rate, "dtype")
            check(number, self, "learning_rate", learning_rate,
                  "a number, a LearningRateSchedule or a function of no arguments")  # fmt: skip
            first = float(learning_rate)
            learning_rate = self.add_variable((), _filled(first), "float32", name="learning_rate")
        self._learning_rate = learning_rate

    _schedules = 0
    """How often a schedule was set: a compiled step has the values of the old one in it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Shows the common arguments in the signature of a class that takes `*common`."""
        super().__init_subclass__(**kwargs)
        init: Any = vars(cls).get("__init__")
        own = inspect.signature(init).parameters if init else {}
        if "common" in own:
            base = inspect.signature(Optimizer.__init__).parameters
            mine = [p for p in own.values() if p.name not in ("common", "kwargs")]
            rest = [base[name] for name in Common.__annotations__ if name not in own]
            init.__signature__ = inspect.Signature([*mine, *rest, own["kwargs"]])

    # Variables --------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        """Tracks variables, and forgets what was prepared with the former settings."""
        self.__dict__.update(_plans={}, _last=None)
        object.__setattr__(self, name, value)
        if isinstance(value, Variable):
            self._track_variable(value)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": {}, "_last": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._number_variables()

    def _number_variables(self) -> None:
        self._trainable_variables_indices = {
            id(v): i for i, v in enumerate(self._trainable_variables)
        }

    def _track_variable(self, variable: Any) -> None:
        if not any(variable is v for v in (*self._variables, *self._trainable_variables)):
            self._variables.append(variable)

    @property
    def variables(self) -> list[Any]:
        """The iteration count, the learning rate and the slots, in the order of files."""
        return list(self._variables)

    def add_variable(
        self, shape: Any, initializer: Any = "zeros", dtype: Any = None,
        aggregation: str = "none", layout: Any = None, name: str | None = None,
    ) -> Variable:  # fmt: skip
        """A new variable of this optimizer; `initializer` as for `Layer.add_weight`."""
        if initializer == "zeros":
            initializer = _filled(0)
        elif not callable(initializer):
            from kerasish import initializers

            initializer = initializers.get(initializer)
        with scope.name_scope(self.name):
            variable = Variable(
                initializer, shape=shape, dtype=dtype, trainable=False, autocast=False,
                aggregation=aggregation, layout=layout, name=name,
            )  # fmt: skip
        self._track_variable(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """A new variable with the shape and dtype of another, named after its path."""
        return self.add_variable(
            reference_variable.shape, initializer, reference_variable.dtype,
            name=f"{reference_variable.path.replace('/', '_')}_{name or 'slot'}",
        )  # fmt: skip

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Any], name: str | Sequence[str],
        initializer: Any = "zeros",
    ) -> Any:  # fmt: skip
        """A list of new variables like the given ones; for several names a list for each."""
        names = [name] if isinstance(name, str) else list(name)
        firsts = initializer if isinstance(initializer, list | tuple) else (
            [initializer] * len(names)
        )
        lists: list[list[Variable]] = [[] for _ in names]
        for variable in trainable_variables:
            for made, slot, first in zip(lists, names, firsts, strict=True):
                made.append(self.add_variable_from_reference(variable, slot, first))
        return lists[0] if isinstance(name, str) else tuple(lists)

    def first_slot(self, name: str, variable: Any) -> np.ndarray | float | None:
        """What a slot holds at first: an array, a number that fills it, or `None` for no slot."""
        return 0.0

    def build(self, variables: Sequence[Any]) -> None:
        """Makes the slots for the variables that will be trained.

        Args:
            variables: a list of `Variable`s.
        """
        if self.built:
            return
        variables = list(variables)
        self._trainable_variables = variables
        self._number_variables()
        if self.use_ema:
            self._model_variables_moving_average = [
                self._make_slot("average", v, v.numpy()) for v in variables
            ]
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = [
                self._make_slot("gradient_accumulator", v, 0.0) for v in variables
            ]
        for run in self.slots:
            names = (run,) if isinstance(run, str) else run
            self._slots.update((name, []) for name in names)
            for variable in variables:
                for name in names:
                    first = self.first_slot(name, variable)
                    made = None if first is None else self._make_slot(name, variable, first)
                    self._slots[name].append(made)
        for name, attribute in self.slot_attributes.items():
            setattr(self, attribute, self._slots.get(name, []))
        self.built = True

    def _make_slot(self, name: str, variable: Any, first: Any) -> Variable:
        shape = first.shape if isinstance(first, np.ndarray) else variable.shape
        label = f"{variable.path.replace('/', '_')}_{name}"
        dtype = leafwise.state_dtype(variable.dtype)
        return self.add_variable(shape, _filled(first), dtype, name=label)

    def _get_variable_index(self, variable: Any) -> int:
        index = self._trainable_variables_indices.get(id(variable)) if self.built else None
        if index is None:
            raise InvalidArgument(
                f"{self.name} was not built for the variable "
                f"{getattr(variable, 'path', variable)!r}. Make a new optimizer (compile the model "
                "again), or call build() with all variables that it will ever train."
            )
        return index

    # The learning rate ------------------------------------------------------------------------

    @property
    def iterations(self) -> Any:
        """How many updates were made: a Variable, or a value where gradients are accumulated."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a Variable that may be assigned, or a schedule's present value."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return rate(self._iterations.value)
        return rate if isinstance(rate, Variable) else rate()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        held = self._learning_rate
        if callable(value):
            self._variables = [v for v in self._variables if v is not held]
            self._learning_rate = value
            self._schedules += 1
        elif isinstance(held, Variable):
            held.assign(value)
        else:
            raise FixedRate(
                f"The learning rate of {self.name} follows {held!r}, so it cannot be set to "
                f"{value!r}. Make the optimizer with a number as learning_rate to set it later."
            )

    def _get_current_learning_rate(self) -> Any:
        return self.learning_rate

    def _rate(self, count: Any) -> Any:
        """The learning rate as rules take it: a Python number on engines that run eagerly."""
        rate = self._learning_rate
        if type(rate) is Variable:
            return backends.active.number(rate)
        eager = type(count) is int
        if isinstance(rate, LearningRateSchedule):
            return rate.at(count) if eager else rate(count)
        return float(backends.to_host(rate())) if eager else rate()

    # The rule ---------------------------------------------------------------------------------

    def rule(self, param: Any, grad: Any, slots: Any, hyper: Any) -> tuple[Any, Any]:
        """One leaf's update: `(new_param, new_slots)`; pure, and written in `keras.ops`.

        `hyper` is what `hyper(learning_rate, step)` returned, in the leaf's dtype.
        """
        raise NotDefined(
            f"{type(self).__name__} defines no update. Give it rule(param, grad, slots, hyper), or "
            "update_step(gradient, variable, learning_rate)."
        )

    def rule_of(self, variable: Any) -> str:
        """The name of the method that is the rule for this variable."""
        return "rule"

    def hyper(self, learning_rate: Any, step: Any) -> Any:
        """The scalars of a step that all leaves share; `step` is a float, 1 at first."""
        return learning_rate

    def advance(self, step: Any) -> None:
        """Writes state that all leaves share, after they were updated."""

    @overridable
    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable. An optimizer in Keras' form overrides this."""
        hyper = self.hyper(tensor(learning_rate), self._step(self._iterations.value))
        leafwise.apply_rule(self._group([variable], self.rule_of(variable)), [gradient], hyper)

    # A step -----------------------------------------------------------------------------------

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> None:
        """Updates variables.

        Args:
            grads: the gradients, each of its variable's shape; `None` leaves a variable alone.
            trainable_variables: the variables, in the same order. By default those that the
                optimizer was built with.

        >>> import kerasish as keras
        >>> weight = keras.Variable([1.0, 2.0])
        >>> keras.optimizers.SGD(0.5).apply([keras.ops.ones(2)], [weight])
        >>> weight.numpy().tolist()
        [0.5, 1.5]
        """
        grads = list(grads)
        if not grads:
            return
        variables = self._trainable_variables if trainable_variables is None else (
            list(trainable_variables)
        )
        if variables and not hasattr(type(variables[0]), "_is_variable"):
            variables = [self._own(v) for v in variables]
        if not self.built and trainable_variables is not None:
            self.build(variables)
        if len(grads) != len(variables):
            raise InvalidArgument(
                f"{self.name} got {len(grads)} gradients for {len(variables)} variables. Pass one "
                "for each, in the same order, with None where a variable has no gradient."
            )
        active = backends.active
        if not active.native.issuperset(map(type, grads)):
            variables, grads = self._usable(variables, grads)
        plan = self._plan(variables, grads)
        count = active.number(self._iterations)
        if self.loss_scale_factor is not None:
            grads = active.scaled(grads, 1.0 / self.loss_scale_factor)
        if self.gradient_accumulation_steps:
            self._accumulate(plan, grads, count)
        else:
            self._update(plan, grads, count)
        if self.use_ema:
            self._average(plan, count)
        for variable in plan.variables:
            if variable._constraint is not None:
                variable.assign(variable._constraint(variable.value))
        active.set_number(self._iterations, count + 1)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> Any:
        """`apply` for pairs of gradient and variable; returns the iteration count."""
        pairs = list(grads_and_vars)
        self.apply([grad for grad, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[Any], list[Any]]:  # fmt: skip
        """`apply` as a pure function of values.

        Args:
            optimizer_variables: values for `variables`.
            grads: the gradients.
            trainable_variables: values for the variables that the optimizer was built with.

        Returns:
            The new values of the trainable variables, and of the optimizer's own.
        """
        if not self.built:
            raise NotBuilt(
                f"{self.name} has no variables yet: call build(trainable_variables) before "
                "stateless_apply."
            )
        own = self.variables
        bindings: list[tuple[Any, Any]] = []
        for what, variables, values in (
            ("trainable_variables", self._trainable_variables, trainable_variables),
            ("optimizer_variables", own, optimizer_variables),
        ):
            if len(variables) != len(values):
                raise InvalidArgument(
                    f"{self.name}.stateless_apply needs {len(variables)} values as {what}, one "
                    f"for each variable, and got {len(values)}."
                )
            bindings += zip(variables, values, strict=True)
        with scope.StatelessScope(bindings) as inside:
            self.apply(grads)
        current = [inside.get_current_value(variable) for variable, _ in bindings]
        return current[: -len(own)], current[-len(own) :]

    def _own(self, variable: Any) -> Any:
        """A variable of ours in place of one of the engine's, which it shares."""
        if hasattr(type(variable), "_is_variable"):
            return variable
        known = self.__dict__.setdefault("_shared", {})
        if id(variable) not in known:
            share = backends.active.lookup("share_variable")
            own = share and share(variable, Variable)
            if own is None:
                raise InvalidArgument(
                    f"{self.name} updates keras.Variable objects, got {type(variable).__name__}. "
                    "Make it with keras.Variable(value)."
                )
            known[id(variable)] = own
        return known[id(variable)]

    def _usable(self, variables: list[Any], grads: list[Any]) -> tuple[list[Any], list[Any]]:
        """Drops what has no gradient, with one warning, and makes the gradients tensors."""
        pairs = [(v, g) for v, g in zip(variables, grads, strict=True) if g is not None]
        if not pairs:
            raise InvalidArgument(
                f"{self.name} got no gradient for any variable: the loss depends on none of them."
            )
        if len(pairs) < len(grads) and not self._warned:
            self._warned = True
            missing = [v.path for v, g in zip(variables, grads, strict=True) if g is None]
            warnings.warn(
                f"{self.name} got no gradient for {missing}, which stay as they are. Does the "
                "loss depend on them?",
                stacklevel=3,
            )
        cast = backends.active.cast
        return [v for v, _ in pairs], [cast(tensor(g), v.dtype) for v, g in pairs]

    def _plan(self, variables: list[Any], grads: list[Any]) -> Plan:
        last = self._last
        if last is not None and len(last.given) == len(variables) and all(
            map(operator.is_, last.given, variables)
        ):
            return last
        key = tuple(map(id, variables))
        plan = self._plans.get(key)
        if plan is None:
            for variable, grad in zip(variables, grads, strict=True):
                self._get_variable_index(variable)
                if tuple(grad.shape) != tuple(variable.shape):
                    raise ShapeError(
                        f"{self.name}: the gradient of {variable.path!r} has shape "
                        f"{tuple(grad.shape)}, the variable {tuple(variable.shape)}."
                    )
            stepwise = type(self).update_step is not Optimizer.update_step
            plan = self._plans[key] = Plan(self, variables, stepwise)
        self.__dict__["_last"] = plan
        return plan

    def _group(self, variables: list[Any], rule: str) -> Group:
        slots = [
            tuple(held[i] for held in self._slots.values() if held[i] is not None)
            for i in map(self._get_variable_index, variables)
        ]
        # The kernel is what its own class's rule does; a subclass with another rule has none.
        owner = next(cls for cls in type(self).__mro__ if rule in vars(cls))
        return Group(
            getattr(self, rule), variables, slots, self.elementwise, vars(owner).get("kernel"), self
        )

    def _decay_of(self, variable: Any) -> float | None:
        """The weight decay of a variable, `None` where it has none."""
        excluded, patterns = self._undecayed
        if any(variable is v for v in excluded) or any(
            re.search(p, variable.path) for p in patterns
        ):
            return None
        return self.weight_decay or None

    def _averages_of(self, variables: list[Any]) -> list[Any]:
        held = self._model_variables_moving_average if self.use_ema else ()
        return [held[self._get_variable_index(v)] for v in variables] if held else []

    def _accumulators_of(self, variables: list[Any]) -> list[Any]:
        held = self._accumulated_gradients if self.gradient_accumulation_steps else ()
        return [held[self._get_variable_index(v)] for v in variables] if held else []

    def _step(self, count: Any) -> Any:
        """The number of the update, from 1, as a float."""
        step = count // (self.gradient_accumulation_steps or 1) + 1
        return float(step) if type(step) is int else backends.active.cast(step, "float32")

    def _update(self, plan: Plan, grads: Any, count: Any) -> None:
        if plan.overwritten:
            for i in plan.overwritten:
                plan.given[i].assign(grads[i])
            grads = pick(grads, plan.kept)
            if not grads:
                return
        if self.clipnorm or self.clipvalue or self.global_clipnorm:
            grads = self._clip_gradients(grads)
        rate = self._rate(count)
        if plan.stepwise:
            return self._update_steps(plan, grads, rate)
        step = self._step(count)
        hyper = self.hyper(rate, step)
        apply_rule = backends.active.apply_rule
        for group, which, decay in plan.groups:
            apply_rule(group, pick(grads, which), hyper, rate * decay if decay else None)
        self.advance(step)

    def _update_steps(self, plan: Plan, grads: list[Any], rate: Any) -> None:
        """The update by an `update_step` in Keras' form."""
        for group, _, decay in plan.shrunk:
            backends.active.apply_rule(group, [v.value for v in group.params], None, rate * decay)
        rate = backends.active.convert(rate, "float32")
        for grad, variable in zip(grads, plan.variables, strict=True):
            self.update_step(grad, variable, rate)

    def _accumulate(self, plan: Plan, grads: Any, count: Any) -> None:
        """Adds to the accumulators, or updates by the mean where enough has come together."""
        apply_rule, n = backends.active.apply_rule, self.gradient_accumulation_steps

        def add() -> None:
            for group, which in plan.accumulators:
                apply_rule(group, pick(grads, which), None)

        def update() -> None:
            totals = self._accumulators_of(plan.given)
            mean = []
            for variable, total, grad in zip(plan.given, totals, grads, strict=True):
                grad = backends.active.cast(grad, total.dtype)
                mean.append(
                    ops.maximum(total.value, grad) if variable.overwrite_with_gradient
                    else (total.value + grad) / n
                )  # fmt: skip
            self._update(plan, mean, count)
            for total in totals:
                total._write(ops.zeros_like(total.value))

        when((count + 1) % n == 0, update, add, [*self.variables, *plan.given])

    def _average(self, plan: Plan, count: Any) -> None:
        """Moves the averages; the first step sets them to the weights."""
        active = backends.active
        count = count // (self.gradient_accumulation_steps or 1)
        begun = count != 0
        momentum = self.ema_momentum * (
            begun if type(begun) is bool else active.cast(begun, "float32")
        )
        for group, which in plan.averages:
            active.apply_rule(group, [v.value for v in pick(plan.variables, which)], momentum)
        if self.ema_overwrite_frequency:
            when(
                (count + 1) % self.ema_overwrite_frequency == 0,
                lambda: self.finalize_variable_values(plan.variables), nothing, plan.variables,
            )  # fmt: skip

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        active = backends.active
        if self.clipvalue:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        norms = active.norms(grads)
        if limit := self.clipnorm:
            return active.scaled(grads, [limit / larger(norm, limit) for norm in norms])
        most: Any = self.global_clipnorm
        wide = dtypes.result_type(*{active.dtype_of(g) for g in grads})
        norm = sum(norm * norm for norm in leafwise.in_dtype(norms, wide)) ** 0.5
        return active.scaled(grads, most / larger(norm, most))

    # Around training --------------------------------------------------------------------------

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`, where there is one."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def exclude_from_weight_decay(
        self, var_list: Iterable[Any] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leaves variables out of weight decay.

        Args:
            var_list: the variables.
            var_names: regular expressions; a variable whose path holds a match is left out.
        """
        self._undecayed = (list(var_list or ()), list(var_names or ()))

    def finalize_variable_values(self, var_list: Iterable[Any]) -> None:
        """Sets variables to their moving averages, where `use_ema` keeps them."""
        if self.use_ema:
            variables = list(var_list)
            for variable, average in zip(variables, self._averages_of(variables), strict=True):
                variable.assign(average)

    def assign(self, variable: Any, value: Any) -> None:
        """Sets a variable; for custom optimizers."""
        variable.assign(value)

    def assign_add(self, variable: Any, value: Any) -> None:
        """Adds to a variable; for custom optimizers."""
        variable.assign(ops.add(variable, value))

    def assign_sub(self, variable: Any, value: Any) -> None:
        """Subtracts from a variable; for custom optimizers."""
        variable.assign(ops.subtract(variable, value))

    # Files and configs ------------------------------------------------------------------------

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets `variables` to arrays of the same shapes."""
        if not self.built:
            raise NotBuilt(
                f"{self.name} has no variables yet: call build(trainable_variables) before "
                "set_weights."
            )
        variables = self.variables
        if len(weights) != len(variables):
            raise InvalidArgument(
                f"{self.name} has {len(variables)} variables, got {len(weights)} arrays."
            )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Writes the variables into a mapping under "0", "1", ..."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` wrote; warns and reads nothing if counts differ."""
        variables = self.variables
        if len(store.keys()) != len(variables):
            warnings.warn(
                f"The state of {self.name} was not loaded: the file holds {len(store.keys())} "
                f"variables, the optimizer has {len(variables)}. Was it built for the same model?",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(i)]))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an optimizer like this one."""
        rate = self._learning_rate
        config = {key: getattr(self, key) for key in (*Common.__annotations__, *self.options)}
        config["learning_rate"] = (
            float(rate.numpy()) if isinstance(rate, Variable)
            else serialization.serialize_keras_object(rate)
        )  # fmt: skip
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """An optimizer from what `get_config` returned."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = serialization.deserialize_keras_object(
                config["learning_rate"], custom_objects=custom_objects
            )
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _filled(value: Any) -> Any:
    """An initializer that fills with a number, or takes an array as it is."""
    return lambda shape, dtype: np.full(shape, value, dtypes.numpy_dtype(dtype))


def larger(a: Any, b: float) -> Any:
    """The larger of a scalar of a step, a Python float or a tensor, and a number."""
    return max(a, b) if type(a) is float else ops.maximum(a, b)


def grown(beta: float, step: Any) -> Any:
    """`1 - beta ** step` without the cancellation at the first steps."""
    if beta <= 0:
        return 1.0
    exponent = step * math.log(beta)
    return -math.expm1(exponent) if type(step) is float else -ops.expm1(exponent)
