# SPDX-License-Identifier: Apache-2.0
"""Snapshots of plain attributes, as Python literals that another process can evaluate."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from ducktape.utils.support.masking import is_secret_name, is_secret_text

_DEEPEST = 20
_BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}")}


def values_of(literals: Mapping[str, str]) -> dict[str, Any]:
    """Evaluate the literals of :class:`PlainAttributes`; raises ``ValueError`` or ``SyntaxError`` for other texts."""
    return {name: ast.literal_eval(literal) for name, literal in literals.items()}


class _NotPlainError(Exception):
    """A value is not plain, is secret, or is too large."""


class PlainAttributes:
    """Converts attributes to Python literals, of at most ``room`` characters in total.

    Literals support tuples, sets, bytes, and any keys of dicts, unlike JSON.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._pieces: list[str] = []

    def of(self, owner: object, omitted: frozenset[str]) -> dict[str, str]:
        """Return the plain attributes of an instance, except the omitted names."""
        found = {}
        for name, value in list(getattr(owner, "__dict__", {}).items()):
            # Secrets must not reach the driver
            if name in omitted or is_secret_name(name):
                continue
            room, self._pieces = self._room, []
            try:
                self._spell(value, 0)
            except (_NotPlainError, ValueError, RuntimeError):
                # Also: an int of thousands of digits, or a dict that another thread changes
                self._room = room
                continue
            found[name] = "".join(self._pieces)
        return found

    def _write(self, piece: str) -> None:
        self._room -= len(piece)
        if self._room < 0:
            raise _NotPlainError
        self._pieces.append(piece)

    def _spell(self, value: object, depth: int) -> None:
        # Exact types: additions of subclasses would be lost
        kind = type(value)
        if (
            value is None
            or kind in (bool, int)
            or (isinstance(value, float) and kind is float and math.isfinite(value))
        ):
            self._write(repr(value))
        elif isinstance(value, (str, bytes)) and kind in (str, bytes):
            # A long one must not be copied
            if len(value) > self._room or (isinstance(value, str) and is_secret_text(value)):
                raise _NotPlainError
            self._write(repr(value))
        elif depth >= _DEEPEST:
            raise _NotPlainError
        elif isinstance(value, dict):
            self._write("{")
            for key, item in value.items():
                if not (isinstance(key, str) and is_secret_name(key)):
                    self._spell(key, depth + 1)
                    self._write(": ")
                    self._spell(item, depth + 1)
                    self._write(", ")
            self._write("}")
        elif isinstance(value, (list, tuple, set)) and kind in _BRACKETS:
            opening, closing = _BRACKETS[kind] if value or kind is not set else ("set(", ")")
            self._write(opening)
            for item in value:
                self._spell(item, depth + 1)
                self._write(", ")
            self._write(closing)
        else:
            raise _NotPlainError
