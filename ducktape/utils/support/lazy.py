# SPDX-License-Identifier: Apache-2.0
"""Attributes that are read on first use."""

from __future__ import annotations


class Lazy:
    """Placeholder for the value of an attribute."""

    def __init__(self, owner: object, name: str) -> None:
        self._owner = owner
        self._name = name

    def value(self) -> object:
        """Read the attribute; may raise anything."""
        return getattr(self._owner, self._name)

    def __repr__(self) -> str:
        return f"Lazy({type(self._owner).__name__}.{self._name})"


def resolved(value: object) -> object:
    """Return the value of a lazy attribute, and any other value unchanged."""
    return value.value() if isinstance(value, Lazy) else value


class LazyDict(dict[str, object]):
    """A dict that reads lazy values on access by key; copies made with ``dict()`` or ``**`` stay lazy."""

    def __getitem__(self, key: str) -> object:
        return resolved(super().__getitem__(key))

    def get(self, key: str, default: object = None) -> object:
        return resolved(super().get(key, default))
