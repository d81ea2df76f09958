# SPDX-License-Identifier: Apache-2.0
"""The whole protocol between a test's process and the driver: one JSON object per line, child to driver only.

JSON rather than pickles: a child that talks nonsense, or that a test took over, can make the driver reject a line and
nothing else.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypeVar

from ducktape.tests.status import status_named


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a test.

    Attributes:
        status: ``pass``, ``flaky``, ``fail`` or ``ignore``.
        summary: text for people.
        data: what the test returned, JSON-ready.
        start_time: Unix seconds, of the last attempt.
        stop_time: Unix seconds.
        nodes_used: largest number of nodes that services held at one time.
        services: JSON form of every service of every attempt.
        reason: why it failed, ``None`` unless it did.
    """

    status: str
    summary: str
    data: Any
    start_time: float
    stop_time: float
    nodes_used: int
    services: list[dict[str, Any]]
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Running:
    """The process is up and has loaded its test."""

    pid: int


@dataclasses.dataclass(frozen=True)
class Log:
    """A line of the framework for the log of the session."""

    level: int
    message: str


@dataclasses.dataclass(frozen=True)
class Heard:
    """A sign of life: the test wrote to its own log."""


@dataclasses.dataclass(frozen=True)
class Finished:
    """The last message of a test."""

    outcome: Outcome


Message = Running | Log | Heard | Finished

_KINDS: dict[str, type[Running] | type[Log] | type[Heard]] = {"running": Running, "log": Log, "heard": Heard}


def encode(message: Message) -> bytes:
    """Return a message as one line of ASCII text, newline included."""
    fields = {"kind": type(message).__name__.lower(), **dataclasses.asdict(message)}
    return json.dumps(fields).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """Return the message in a line.

    Args:
        line: what :func:`encode` made, with or without the newline.

    Raises:
        ValueError: the line is something else.
    """
    try:
        fields = json.loads(line)
        kind = fields.pop("kind")
        if kind == "finished":
            return Finished(_checked(Outcome(**fields.pop("outcome"), **fields)))
        return _checked(_KINDS[kind](**fields))
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a message of a test: {line[:200]!r}") from error


_Checked = TypeVar("_Checked", Running, Log, Heard, Outcome, Running | Log | Heard)

_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "str": str,
    "float": (int, float),
    "list[dict[str, Any]]": list,
    "str | None": (str, type(None)),
    "Any": object,
}


def _checked(value: _Checked) -> _Checked:
    """Return a value whose fields are what they are declared to be; the driver reckons with them."""
    for field in dataclasses.fields(value):
        if not isinstance(getattr(value, field.name), _TYPES[str(field.type)]):
            raise TypeError(f"{field.name} is not {field.type}")
    if isinstance(value, Outcome):
        status_named(value.status)
    return value
