"""`Config`: settings as attributes."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from kerasish.errors import StateError


class Config(MutableMapping):
    """Settings that are read and written as attributes or keys, and can be frozen.

    Args:
        **kwargs: the settings.

    >>> import kerasish as keras
    >>> config = keras.utils.Config(rate=0.1, units=[8, 4])
    >>> config.units.append(2)
    >>> config["rate"], config.units
    (0.1, [8, 4, 2])
    """

    def __init__(self, **kwargs: Any):
        object.__setattr__(self, "_values", dict(kwargs))
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether changes are errors."""
        return self._frozen

    def freeze(self) -> None:
        """From now on a change is an error."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Changes are allowed again."""
        object.__setattr__(self, "_frozen", False)

    def _check(self) -> None:
        if self._frozen:
            raise StateError("This Config is frozen: call unfreeze() before changing it.")

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._check()
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        self._check()
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._values:
            raise AttributeError(f"Config has no setting {name!r}. It has {sorted(self._values)}.")
        return self._values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._values:
            raise AttributeError(f"Config has no setting {name!r}.")
        del self[name]

    def __reduce__(self) -> Any:
        return _restored, (self._values, self._frozen)

    def as_dict(self) -> dict[str, Any]:
        """The settings as a new dict."""
        return dict(self._values)

    def to_json(self) -> str:
        """The settings as JSON."""
        return json.dumps(self._values)

    def __repr__(self) -> str:
        return f"<Config {self._values}>"


def _restored(values: dict[str, Any], frozen: bool) -> Config:
    config = Config(**values)
    if frozen:
        config.freeze()
    return config
