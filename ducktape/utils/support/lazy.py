# SPDX-License-Identifier: Apache-2.0
"""Attributes that are read when somebody wants their value."""

from __future__ import annotations

from typing import Any


class Lazy:
    """Stands for the value of an attribute that has not been read yet.

    Args:
        owner: the object.
        name: the attribute.
    """

    def __init__(self, owner: object, name: str) -> None:
        self._owner = owner
        self._name = name

    def value(self) -> Any:
        """Read the attribute, with whatever its code does and raises."""
        return getattr(self._owner, self._name)

    def __repr__(self) -> str:
        return f"Lazy({type(self._owner).__name__}.{self._name})"


def resolved(value: Any) -> Any:
    """Return the value that a deferred one stands for, and every other value as it is."""
    return value.value() if isinstance(value, Lazy) else value


class LazyDict(dict[str, Any]):
    """A dict whose deferred values are read when they are asked for by name.

    Copies made with ``dict()`` or ``**`` hold the deferred values themselves.
    """

    def __getitem__(self, key: str) -> Any:
        return resolved(super().__getitem__(key))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        return resolved(super().get(key, default))
