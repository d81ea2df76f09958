# SPDX-License-Identifier: Apache-2.0
"""Finds the lines of keys in a JSON text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


class Key(NamedTuple):
    """A key with its path of keys and positions, and its line from 1."""

    path: tuple[str | int, ...]
    line: int


def keys_of(text: str) -> Iterator[Key]:
    """Yield all keys of a valid JSON text in their order, including duplicates."""
    path: list[str | int | None] = []  # for each level the key or the position, None where an object has no key yet
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == "{":
            path.append(None)
        elif word == "[":
            path.append(0)
        elif word in "}]":
            path.pop()
        elif word == "," and path:
            path[-1] = path[-1] + 1 if isinstance(path[-1], int) else None
        elif word.startswith('"') and path and path[-1] is None:
            path[-1] = json.loads(word)
            yield Key(tuple(each for each in path if each is not None), text.count("\n", 0, token.start()) + 1)
