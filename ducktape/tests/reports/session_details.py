# SPDX-License-Identifier: Apache-2.0
"""What the journal of a session says beyond its results: the command, the versions, and nodes and phases of tests."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from ducktape.tests.recording.journal import JOURNAL_NAME, read_events

_EVENTS = frozenset({"session", "nodes_given", "nodes_returned", "phase"})
_MOST_NODES = 1000


class Allocation(NamedTuple):
    """The nodes of one test from one moment to another, in Unix seconds; ``end`` is ``None`` if nobody saw it."""

    nodes: tuple[str, ...]
    start: float
    end: float | None


class Phase(NamedTuple):
    """The beginning of one phase of one attempt, such as ``setup``, in Unix seconds."""

    attempt: int
    name: str
    since: float


@dataclasses.dataclass
class SessionDetails:
    """What is known of a session, and of its tests by their index; everything is empty if there is no journal.

    Attributes:
        logs_dir: the directory that has those of the tests; empty if nobody is to look there.
        parts: where the logs of the sessions are, as seen from the page, if it is about several.
    """

    logs_dir: str = ""
    argv: list[str] = dataclasses.field(default_factory=list)
    configuration: Mapping[str, object] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    allocations: dict[int, list[Allocation]] = dataclasses.field(default_factory=dict)
    phases: dict[int, list[Phase]] = dataclasses.field(default_factory=dict)
    parts: list[str] = dataclasses.field(default_factory=list)

    @classmethod
    def merged(cls, directories: Sequence[str], offsets: Sequence[int], target: str) -> SessionDetails:
        """Return what the journals of several sessions say, with numbers added to their indices of tests."""
        parts = [cls.read(directory) for directory in directories]
        details = dataclasses.replace(parts[0], logs_dir=target, allocations={}, phases={})
        details.parts = [os.path.relpath(directory, target) for directory in directories]
        names = [{node for index in part.allocations for node in part.nodes_of(index)} for part in parts]
        are_distinct = len(set().union(*names)) == sum(map(len, names))
        for number, (part, offset) in enumerate(zip(parts, offsets, strict=True), start=1):
            details.phases |= {index + offset: phases for index, phases in part.phases.items()}
            for index, given in part.allocations.items():
                # Each driver had a cluster of its own
                details.allocations[index + offset] = (
                    given if are_distinct else [_named(each, number) for each in given]
                )
        return details

    @classmethod
    def read(cls, results_dir: str, logs_dir: str | None = None) -> SessionDetails:
        """Return what the journal in a directory says; lines that make no sense are passed over."""
        details = cls(results_dir if logs_dir is None else logs_dir)
        with contextlib.suppress(OSError):
            for event, _ in read_events(os.path.join(results_dir, JOURNAL_NAME), _EVENTS):
                if event is not None:
                    details._take(cast("Mapping[str, object]", event))
        return details

    def nodes_of(self, test_index: int | None) -> list[str]:
        """Return the names of all nodes that a test had, each once."""
        allocations = () if test_index is None else self.allocations.get(test_index, ())
        return list(dict.fromkeys(node for each in allocations for node in each.nodes))

    def _take(self, event: Mapping[str, object]) -> None:
        index = event.get("test_index")
        match event["event"]:
            case "session":
                self.argv = [str(each) for each in _sequence(event.get("argv"))]
                self.configuration = _mapping(event.get("configuration"))
                self.versions = {str(name): str(value) for name, value in _mapping(event.get("versions")).items()}
            case "nodes_given" if isinstance(index, int):
                nodes = tuple(str(node) for node in _sequence(event.get("nodes"))[:_MOST_NODES])
                self.allocations.setdefault(index, []).append(Allocation(nodes, cast(float, event["time"]), None))
            case "nodes_returned" if isinstance(index, int) and (given := self.allocations.get(index)):
                given[-1] = given[-1]._replace(end=cast(float, event["time"]))
            case "phase" if isinstance(index, int):
                attempt, since = event.get("attempt"), event.get("since")
                if isinstance(attempt, int) and isinstance(since, (int, float)):
                    phase = Phase(attempt, str(event.get("phase")), since)
                    self.phases.setdefault(index, []).append(phase)


def durations(phases: Sequence[Phase], end: float) -> Iterator[tuple[Phase, float]]:
    """Yield each phase with its seconds; the last one ends at a moment that the caller knows."""
    for number, phase in enumerate(phases):
        until = phases[number + 1].since if number + 1 < len(phases) else end
        yield phase, max(0.0, until - phase.since)


def _named(allocation: Allocation, number: int) -> Allocation:
    return allocation._replace(nodes=tuple(f"{number}: {node}" for node in allocation.nodes))


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
