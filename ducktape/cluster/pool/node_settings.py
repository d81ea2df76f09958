# SPDX-License-Identifier: Apache-2.0
"""Reads the values in a cluster file about nodes that are made on demand: each mistake is one line with its place."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ducktape.cluster.elastic import NodeType
from ducktape.utils.support.similar import or_similar
from ducktape.utils.support.text import shorten

T = TypeVar("T", bound=NodeType)
Readers = Mapping[str, Callable[[object, str], object]]

MOST_NODES = 250
_SIZE = re.compile(r"(\d+)([kmgt]?)b?", re.IGNORECASE)
_LEAST_MEMORY = 8 << 20
_MOST_PROCESSES = 1 << 22  # the kernel takes no more
_MOST_PROCESSORS = 8192


class SettingError(ValueError):
    """A value in a cluster file that cannot be understood."""


def as_object(value: object, place: str, keys: set[str]) -> Mapping[str, object]:
    """Return an object that has no keys but these."""
    if not isinstance(value, Mapping):
        raise SettingError(f"{place} is not an object, which has keys such as {', '.join(sorted(keys)[:4])}")
    unknown = sorted(set(map(str, value)) - keys)
    if unknown:
        if "nodes" in unknown:
            raise SettingError(f"{place} has the key nodes, which is for --cluster json")
        meant = or_similar(unknown[0], keys)
        raise SettingError(f"{place} has the unknown key {unknown[0]}{meant}; there are {', '.join(sorted(keys))}")
    return value


def as_types(value: object, usual: T, readers: Readers, max_nodes: int) -> tuple[T, ...]:
    """Return the types of nodes in a list; without one, the usual type alone.

    Args:
        value: the list, or ``None``.
        usual: what a type has unless it says otherwise.
        readers: return the value of each field that a type may have beside ``name`` and ``count``.
        max_nodes: the greatest number of nodes at a time.
    """
    if value is None:
        return (usual,)
    types: list[T] = []
    for number, entry in enumerate(as_list(value, "types")):
        place = f"types[{number}]"
        each = as_object(entry, place, {*readers, "name", "count"})
        name = each.get("name")
        if name is not None and (not isinstance(name, str) or not name):
            raise SettingError(f"{place}.name is {shown(name)}, not a string")
        count = None if each.get("count") is None else as_whole(each["count"], f"{place}.count", most=MOST_NODES)
        types.append(replace(with_fields(usual, each, readers, f"{place}."), name=name, count=count))
    if not types:
        raise SettingError("types is empty")
    if len({kind.name for kind in types}) < len(types):
        raise SettingError("types has two entries of the same name")
    uncounted = [number for number, kind in enumerate(types) if kind.count is None]
    if len(uncounted) > 1:
        raise SettingError(
            f"types[{uncounted[1]}].count is missing: one kind at most can do without, and gets the rest"
        )
    if len(types) > 1 and sum(kind.count or 1 for kind in types) > max_nodes:
        raise SettingError(f"types has more nodes than max_nodes, which is {max_nodes}")
    return tuple(types)


def with_fields(usual: T, value: Mapping[str, object], readers: Readers, place: str) -> T:
    """Return a type of nodes with the fields that an object has, of those that can be read."""
    given: dict[str, Any] = {
        name: read(value[name], f"{place}{name}") for name, read in readers.items() if name in value
    }
    return replace(usual, **given)


def as_list(value: object, place: str) -> list[object]:
    """Return a list."""
    if not isinstance(value, list):
        raise SettingError(f"{place} is {shown(value)}, not a list")
    return value


def as_flag(value: object, place: str) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise SettingError(f"{place} is {shown(value)}, not a boolean")
    return value


def as_text(value: object, place: str) -> str:
    """Return a string that is not empty."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise SettingError(f"{place} is {shown(value)}, not a string")
    return value


def as_whole(value: object, place: str, *, most: float = math.inf) -> int:
    """Return a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        limit = "" if math.isinf(most) else f" to {most}"
        raise SettingError(f"{place} is {shown(value)}, not a number from 1{limit or ' on'}")
    return value


def as_processors(value: object, place: str) -> float | None:
    """Return a number of processors; ``None`` is without a limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.01 <= value <= _MOST_PROCESSORS:
        raise SettingError(f"{place} is {shown(value)}, not a number of processors from 0.01 to {_MOST_PROCESSORS}")
    return float(value)


def as_size(value: object, place: str) -> int | None:
    """Return a number of bytes, at least 8 MB, which may have a unit; ``None`` is without a limit."""
    if value is None:
        return None
    found = (
        _SIZE.fullmatch(str(value).strip()) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    )
    size = int(found[1]) << 10 * " kmgt".index(found[2].lower() or " ") if found else 0
    if size < _LEAST_MEMORY:
        raise SettingError(f'{place} is {shown(value)}, not a size of at least 8 MB, such as "512m" or "2g"')
    return size


def as_processes(value: object, place: str) -> int | None:
    """Return a number of processes; ``None`` is without a limit."""
    return None if value is None else as_whole(value, place, most=_MOST_PROCESSES)


def as_environment(value: object) -> dict[str, str]:
    """Return variables; those that are ``null`` are taken from this process, if it has them."""
    if not isinstance(value, Mapping):
        raise SettingError(f"environment is {shown(value)}, not an object")
    found = {}
    for name, text in value.items():
        if text is None:
            text = os.environ.get(name)  # the variable of whoever runs the tests
            if text is None:
                continue
        if not isinstance(text, str) or "\0" in text or "=" in name or not name:
            raise SettingError(f"environment.{name} is {shown(text)}, not a string")
        found[name] = text
    return found


def as_mount(value: object, place: str) -> dict[str, str]:
    """Return a directory or file of this machine that nodes see: its source, target and mode."""
    given = as_object(value, place, {"source", "target", "mode"})
    source = _path(given.get("source"), f"{place}.source")
    target = _path(given.get("target", source), f"{place}.target")
    if not os.path.exists(source):
        raise SettingError(f"{place}.source does not exist: {source}")
    mode = given.get("mode", "ro")
    if mode not in ("ro", "rw"):
        raise SettingError(f'{place}.mode is {shown(mode)}, not "ro" or "rw"')
    return {"source": os.path.realpath(source), "target": os.path.normpath(target), "mode": str(mode)}


def _path(value: object, place: str) -> str:
    if not isinstance(value, str) or not os.path.isabs(value) or os.path.normpath(value) == "/":
        raise SettingError(f"{place} is {shown(value)}, not an absolute path")
    return value


def shown(value: object) -> str:
    """Return a value for a message."""
    return shorten(json.dumps(value, default=str), 80)
