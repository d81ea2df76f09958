# SPDX-License-Identifier: Apache-2.0
"""The tests that wait, in lines of equal demand."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.tests.scheduling.backfill import Counts
from ducktape.tests.test_context import TestContext

_LineKey = tuple[bool, frozenset[Any] | None]


class Place(NamedTuple):
    """Where a test stands, smaller before greater: behind those to begin with or not, its weight, who came first."""

    is_behind: bool
    lightness: tuple[float, float]
    number: int


class Entry(NamedTuple):
    """A test that waits at a ``place``, and is expected to take some ``seconds``."""

    place: Place
    seconds: float
    context: TestContext


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """The tests of one demand, in order.

    Attributes:
        spec: what each of them asks for; ``None`` if they do not say and would have to.
        counts: the same as numbers.
        size: how many nodes that is.
        entries: the tests. Those that are expected to take longer come first.
    """

    spec: ClusterSpec | None
    counts: Counts
    size: int
    entries: list[Entry] = dataclasses.field(default_factory=list)

    def longest_within(self, seconds: float) -> Entry | None:
        """Return the first test that takes no longer than that."""
        position = bisect.bisect_left(self.entries, -seconds, key=lambda entry: -entry.seconds)
        return self.entries[position] if position < len(self.entries) else None


class Waiting(NamedTuple):
    """A test, what it asks for, and how many seconds it is expected to take."""

    context: TestContext
    spec: ClusterSpec | None
    seconds: float


class WaitingTests:
    """The queue; a decision costs as much as there are lines, however many tests wait.

    Args:
        tests: the tests, in order; one object may be there several times.
        lightness: returns what tests are sorted by, given how many nodes one asks for, and for how many seconds.
        is_behind: whether a test comes after those to begin with.
    """

    def __init__(
        self,
        tests: Iterable[Waiting],
        *,
        lightness: Callable[[int, float], tuple[float, float]],
        is_behind: Callable[[TestContext], bool],
    ) -> None:
        self._lightness = lightness
        self._is_behind = is_behind
        self._lines: dict[_LineKey, Line] = {}
        # A repeated test is one object in several places.
        self._places: dict[int, list[tuple[Place, Line]]] = {}
        self._numbers = itertools.count()
        self._size = 0
        for test in tests:
            self._append(test)
        for line in self._lines.values():
            line.entries.sort(key=_place)
        for places in self._places.values():
            places.sort(key=lambda pair: pair[0])

    def __len__(self) -> int:
        return self._size

    def _append(self, test: Waiting) -> Line:
        is_behind = self._is_behind(test.context)
        counts = {} if test.spec is None else test.spec.nodes.grouped_by_os_and_type()
        key = (is_behind, None if test.spec is None else frozenset(counts.items()))
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(test.spec, counts, 0 if test.spec is None else test.spec.size())
        place = Place(is_behind, self._lightness(line.size, test.seconds), next(self._numbers))
        line.entries.append(Entry(place, test.seconds, test.context))
        self._places.setdefault(id(test.context), []).append((place, line))
        self._size += 1
        return line

    def add(self, test: Waiting) -> None:
        """Put a test behind its equals."""
        self._append(test).entries.sort(key=_place)
        self._places[id(test.context)].sort(key=lambda pair: pair[0])

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
        """Return the lines in which somebody waits, in the order of those at their heads."""
        return sorted((line for line in self._lines.values() if line.entries), key=lambda line: line.entries[0].place)

    def in_order(self) -> list[tuple[Entry, Line]]:
        """Return everybody, in order."""
        everybody = [(entry, line) for line in self._lines.values() for entry in line.entries]
        return sorted(everybody, key=lambda pair: pair[0].place)


def _place(entry: Entry) -> Place:
    return entry.place
