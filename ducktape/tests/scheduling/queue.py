# SPDX-License-Identifier: Apache-2.0
"""The waiting tests, in lines of equal demand."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_container import GroupKey
from ducktape.tests.scheduling.backfill import Counts
from ducktape.tests.test_context import TestContext


class Place(NamedTuple):
    """Where a test stands, smaller before greater; ``weight`` is what the order sorts by."""

    is_behind: bool
    weight: tuple[float, float]
    number: int


class Entry(NamedTuple):
    """A waiting test, what it asks for, and how many seconds it is expected to take."""

    place: Place
    seconds: float
    context: TestContext
    spec: ClusterSpec | None


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """The tests of one demand, in order."""

    spec: ClusterSpec | None  # None if they do not say and would have to
    counts: Counts  # the same as numbers
    size: int  # number of nodes
    entries: list[Entry] = dataclasses.field(default_factory=list)  # longest first

    def longest_within(self, seconds: float) -> Entry | None:
        """Return the first test that takes no longer than that."""
        position = bisect.bisect_left(self.entries, -seconds, key=lambda entry: -entry.seconds)
        return self.entries[position] if position < len(self.entries) else None


class WaitingTests:
    """The queue; a decision costs as much as there are lines. A repeated test is one object at several places."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._lines: dict[tuple[bool, frozenset[tuple[GroupKey, int]] | None], Line] = {}
        self._places: dict[int, list[tuple[Place, Line]]] = {}
        self._size = 0
        for entry in sorted(entries, key=_place):
            counts = {} if entry.spec is None else entry.spec.nodes.grouped_by_os_and_type()
            key = (entry.place.is_behind, None if entry.spec is None else frozenset(counts.items()))
            line = self._lines.get(key)
            if line is None:
                line = self._lines[key] = Line(entry.spec, counts, sum(counts.values()))
            line.entries.append(entry)
            self._places.setdefault(id(entry.context), []).append((entry.place, line))
            self._size += 1

    def __len__(self) -> int:
        return self._size

    def remove(self, context: TestContext) -> tuple[Place, Line]:
        """Take a test out, from its first place if it has several; return where it was."""
        places = self._places[id(context)]
        place, line = places.pop(0)
        if not places:
            del self._places[id(context)]
        del line.entries[bisect.bisect_left(line.entries, place, key=_place)]
        self._size -= 1
        return place, line

    def lines(self) -> list[Line]:
        """Return the lines that are not empty, in the order of their heads."""
        return sorted((line for line in self._lines.values() if line.entries), key=lambda line: line.entries[0].place)

    def in_order(self) -> list[tuple[Entry, Line]]:
        """Return all tests, in order."""
        everybody = [(entry, line) for line in self._lines.values() for entry in line.entries]
        return sorted(everybody, key=lambda pair: pair[0].place)


def _place(entry: Entry) -> Place:
    return entry.place
