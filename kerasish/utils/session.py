"""Process-wide state set back to the beginning."""

from __future__ import annotations

import gc

from kerasish.core import scope


def clear_session(free_memory: bool = True) -> None:
    """Begins the numbering of layer names and random streams anew; drops what nothing holds.

    Args:
        free_memory: run the garbage collector.

    >>> import kerasish as keras
    >>> keras.utils.clear_session()
    >>> keras.layers.Dense(1).name
    'dense'
    """
    from kerasish.random import host

    scope.reset_uids()
    host.set_global_seed(host.global_seed())
    if free_memory:
        gc.collect()
