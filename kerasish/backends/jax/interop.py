"""JAX functions and Flax modules as layers."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp

from kerasish.backends.jax.engine import native_dtype


def foreign_leaves(structure: Any) -> tuple[list[tuple[str, Any]], Any]:
    """([(path, array)], how to put arrays back) of a tree of any registered kind."""
    leaves, spec = jax.tree_util.tree_flatten_with_path(structure)
    named = [
        (".".join(str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in path)
         or "value", x) for path, x in leaves
    ]
    return named, spec


foreign_tree = jax.tree_util.tree_unflatten


def foreign_sample(shapes: Any, dtype: str) -> Any:
    """Zeros of the shapes, with 1 for sizes that are not known."""
    return jax.tree_util.tree_map(
        lambda shape: jnp.zeros([1 if n is None else n for n in shape], native_dtype(dtype)),
        shapes, is_leaf=lambda s: isinstance(s, tuple) and all(
            n is None or isinstance(n, int) for n in s
        ),
    )


def foreign_key(state: Any) -> Any:
    """A PRNG key from the state of a seed generator."""
    return jnp.asarray(state, "uint32")


class FlaxFunctions:
    """A Flax module, or any with its `init` and `apply`, as functions of a `JaxLayer`.

    Collections of variables other than `params` are state.
    """

    def __init__(self, module: Any, method: Any):
        self.module, self.method = module, method
        target = module.__call__ if method is None else (
            getattr(type(module), method) if isinstance(method, str) else method
        )
        parameters = inspect.signature(target).parameters.values()
        self.takes_training = any(p.name == "training" for p in parameters)
        self.options = {} if method is None else {"method": method}

    def _arguments(self, training: bool) -> dict[str, Any]:
        return {**self.options, **({"training": bool(training)} if self.takes_training else {})}

    def init(self, rng: Any, inputs: Any) -> tuple[Any, Any]:
        return self.split(self.module.init(rng, inputs, **self._arguments(True)))

    def split(self, variables: Any) -> tuple[Any, Any]:
        variables = dict(variables)
        return variables.pop("params", {}), variables

    def call(self, params: Any, state: Any, rng: Any, inputs: Any, training: bool) -> Any:
        outputs, changed = self.module.apply(
            {"params": params, **state}, inputs, rngs=rng, mutable=list(state),
            **self._arguments(training),
        )
        return outputs, {**state, **{k: v for k, v in changed.items() if k in state}}
