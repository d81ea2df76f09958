# SPDX-License-Identifier: Apache-2.0
"""When enough nodes for a test will be free, judging by the tests that run now."""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_container import GroupKey, NodeContainer

Counts = Mapping[GroupKey, int]


class _Supply(NodeContainer):
    """So many nodes of each kind, without the nodes themselves."""

    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self._counts = dict(counts)

    def grouped_by_os_and_type(self) -> dict[GroupKey, int]:
        return self._counts

    def add(self, counts: Counts) -> None:
        for key, number in counts.items():
            self._counts[key] = self._counts.get(key, 0) + number


class Promise(NamedTuple):
    """A test can start at ``time``, when the nodes in ``supply`` will be free."""

    time: float
    supply: NodeContainer

    def leaves_room_for(self, specs: ClusterSpec) -> bool:
        """Return whether the nodes are enough for these."""
        return self.supply.can_remove_spec(specs)


class _Run(NamedTuple):
    end: float
    number: int
    counts: Counts
    size: int


class RunningTests:
    """The tests that run, and when they are expected to end.

    Attributes:
        size: how many nodes they hold.
    """

    def __init__(self) -> None:
        self.size = 0
        self._runs: list[_Run] = []  # by their ends
        self._of_test: dict[int, list[_Run]] = {}
        self._number = itertools.count()

    def __len__(self) -> int:
        return len(self._runs)

    def start(self, test: object, end: float, counts: Counts) -> None:
        """Add a test.

        Args:
            test: any object; it may run several times at once.
            end: when it is expected to be over; infinite if that is not known.
            counts: how many nodes of each kind it holds.
        """
        run = _Run(end, next(self._number), counts, sum(counts.values()))
        bisect.insort(self._runs, run, key=_order)
        self._of_test.setdefault(id(test), []).append(run)
        self.size += run.size

    def finish(self, test: object) -> None:
        """Take away the run of a test that began first; a test that does not run is ignored."""
        runs = self._of_test.get(id(test))
        if not runs:
            return
        run = runs.pop(0)
        if not runs:
            del self._of_test[id(test)]
        del self._runs[bisect.bisect_left(self._runs, _order(run), key=_order)]
        self.size -= run.size

    def promise(self, spec: ClusterSpec | None, free: Counts, now: float) -> Promise | None:
        """Say when there are enough nodes for a spec.

        Args:
            spec: what is asked for.
            free: how many nodes of each kind are free now.
            now: on the clock of the ends.

        Returns:
            ``None`` if there are not enough even when everything has ended.
        """
        if spec is None:
            return None
        supply = _Supply(free)
        total, wanted = sum(free.values()), spec.size()
        for end, run in self._expected_ends(now):
            supply.add(run.counts)
            total += run.size
            if total >= wanted and supply.can_remove_spec(spec):
                return Promise(end, supply)
        return None

    def remaining(self, now: float) -> list[tuple[int, float]]:
        """Return for each test how many nodes it holds and for how many more seconds."""
        return [(run.size, end - now) for end, run in self._expected_ends(now)]

    def _expected_ends(self, now: float) -> Iterator[tuple[float, _Run]]:
        """Go through the ends to come; a test that is late is expected to take once more as long as it is late."""
        late = bisect.bisect_left(self._runs, now, key=lambda run: run.end)
        of_late = ((2 * now - run.end, run) for run in reversed(self._runs[:late]))
        of_others = ((run.end, run) for run in itertools.islice(self._runs, late, None))
        return heapq.merge(of_late, of_others, key=lambda pair: pair[0])


def _order(run: _Run) -> tuple[float, int]:
    return run.end, run.number


def compete(one: Counts, other: Counts) -> bool:
    """Return whether two demands can be after the same node."""
    return any(
        one_os == other_os and (one_type == other_type or one_type is None or other_type is None)
        for (one_os, one_type), one_number in one.items()
        for (other_os, other_type), other_number in other.items()
        if one_number and other_number
    )
