# SPDX-License-Identifier: Apache-2.0
"""The whole protocol between a test's process and the driver: one JSON object per line, child to driver only.

JSON rather than pickles: a child that sends garbage, or that a test took over, can make the driver reject a line and
nothing else.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypeVar

from ducktape.tests.status import status_named


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What happened to a test, or in one attempt at it; see :class:`~ducktape.tests.result.TestResult`.

    Attributes:
        status: ``pass``, ``flaky``, ``fail`` or ``ignore``.
        start_time: Unix seconds, of the last attempt.
        nodes_used: largest number of nodes that services held at one time.
        services: JSON form of every service of every attempt.
        metrics: summaries of the last attempt's metrics by name.
        node_metrics: largest and mean values in the last attempt, by node and metric.
    """

    status: str
    summary: str
    data: Any
    start_time: float
    stop_time: float
    nodes_used: int
    services: list[dict[str, object]]
    reason: str | None = None
    teardown_errors: list[str] = dataclasses.field(default_factory=list)
    attempts: list[dict[str, object]] = dataclasses.field(default_factory=list)
    runs: dict[str, int] | None = None
    faults: list[dict[str, object]] = dataclasses.field(default_factory=list)
    metrics: dict[str, object] = dataclasses.field(default_factory=dict)
    findings: list[dict[str, object]] = dataclasses.field(default_factory=list)
    node_metrics: dict[str, object] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Attempt(Outcome):
    """What happened in one attempt at a test; its data and its faults stand in the outcome of the test alone."""

    number: int = 1  # over all processes of the test
    nodes: list[str] = dataclasses.field(default_factory=list)  # names
    directory: str = ""  # of its own logs, relative to that of the test

    def to_json(self) -> dict[str, object]:
        """Return what reports show; the services of all attempts stand in the result."""
        shown = {name: getattr(self, name) for name in _SHOWN_OF_ATTEMPT}
        measured = {"metrics": self.metrics, "node_metrics": self.node_metrics}
        return shown | {name: values for name, values in measured.items() if values}


_SHOWN_OF_ATTEMPT = (
    *("number", "status", "reason", "summary", "start_time", "stop_time"),
    *("nodes", "teardown_errors", "directory"),
)


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
class Tolerated:
    """A warning about the suite, with its place; the driver shows it once, however many tests come across it."""

    warning: str


@dataclasses.dataclass(frozen=True)
class Heartbeat:
    """A sign of life: the test wrote to its own log; ``line`` is the beginning of what it wrote."""

    line: str = ""


@dataclasses.dataclass(frozen=True)
class Phase:
    """The test enters a part of its life; each has a time limit of its own."""

    name: str
    attempt: int


@dataclasses.dataclass(frozen=True)
class Paused:
    """A debugger has the terminal: time limits stop, and interrupts are its own."""


@dataclasses.dataclass(frozen=True)
class Resumed:
    """The debugger has left the terminal, and the test goes on."""


@dataclasses.dataclass(frozen=True)
class ServiceNoted:
    """What is to be known of a service, to stop and clean it should the process of its test die."""

    record: dict[str, object]


@dataclasses.dataclass(frozen=True)
class ServiceGone:
    """A service has given its nodes back, and there is nothing left to stop."""

    service_id: str


@dataclasses.dataclass(frozen=True)
class Kept:
    """The test is over, and neither its services nor its faults were ended: people are to look inside its nodes."""


@dataclasses.dataclass(frozen=True)
class Attempted:
    """An attempt is over; others may follow."""

    attempt: Attempt


@dataclasses.dataclass(frozen=True)
class Finished:
    """The last message of a test."""

    outcome: Outcome


@dataclasses.dataclass(frozen=True)
class CleanedUp:
    """The last message of a process that cleaned up after a dead test."""

    missing_logs: list[str] = dataclasses.field(default_factory=list)  # one line each
    problems: list[str] = dataclasses.field(default_factory=list)  # everything else that went wrong, one line each
    dirty: dict[str, str] = dataclasses.field(default_factory=dict)  # nodes that may not be clean, and why
    services: list[dict[str, object]] = dataclasses.field(default_factory=list)
    findings: list[dict[str, object]] = dataclasses.field(default_factory=list)


Plain = Running | Log | Tolerated | Heartbeat | Phase | Paused | Resumed | ServiceNoted | ServiceGone | Kept | CleanedUp
Message = Plain | Attempted | Finished

_KINDS: dict[str, type[Plain]] = {
    kind.__name__.lower(): kind
    for kind in (Running, Log, Tolerated, Heartbeat, Phase, Paused, Resumed, ServiceNoted, ServiceGone, Kept, CleanedUp)
}


def encode(message: Message) -> bytes:
    """Return a message as one line of ASCII text, newline included."""
    # Not asdict(), which would copy every single value of what a test returned
    fields = {name: vars(value) if dataclasses.is_dataclass(value) else value for name, value in vars(message).items()}
    fields["kind"] = type(message).__name__.lower()
    return json.dumps(fields).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """Return the message in a line; raises ``ValueError`` for any other line."""
    try:
        fields = json.loads(line)
        kind = fields.pop("kind")
        if kind == "finished":
            return Finished(_checked(Outcome(**fields.pop("outcome"), **fields)))
        if kind == "attempted":
            return Attempted(_checked(Attempt(**fields.pop("attempt"), **fields)))
        return _checked(_KINDS[kind](**fields))
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a message of a test: {line[:200]!r}") from error


_Checked = TypeVar("_Checked", Plain, Outcome, Attempt)

# By the declared type of a field: its classes, and the class of its items
_TYPES: dict[str, tuple[tuple[type, ...], type]] = {
    "int": ((int,), object),
    "str": ((str,), object),
    "float": ((int, float), object),
    "dict[str, object]": ((dict,), object),
    "dict[str, str]": ((dict,), str),
    "dict[str, int] | None": ((dict, type(None)), object),
    "list[dict[str, object]]": ((list,), dict),
    "list[str]": ((list,), str),
    "str | None": ((str, type(None)), object),
    "Any": ((object,), object),
}


def _checked(value: _Checked) -> _Checked:
    """Return a value whose fields have their declared types, which the driver relies on."""
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        kinds, kind_of_items = _TYPES[str(field.type)]
        items = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
        if not isinstance(content, kinds) or not all(isinstance(item, kind_of_items) for item in items):
            raise TypeError(f"{field.name} is not {field.type}")
    if isinstance(value, Outcome):
        status_named(value.status)
    return value
