# SPDX-License-Identifier: Apache-2.0
"""When the running tests will have freed enough nodes for a waiting one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_container import GroupKey, NodeContainer
from ducktape.tests.scheduling.ordering import Job

Counts = Mapping[GroupKey, int]


class _Supply(NodeContainer):
    """Numbers of nodes of each kind, without the nodes themselves."""

    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self._counts = dict(counts)

    def grouped_by_os_and_type(self) -> dict[GroupKey, int]:
        return self._counts

    def add(self, counts: Counts) -> None:
        for key, number in counts.items():
            self._counts[key] = self._counts.get(key, 0) + number


class Reservation(NamedTuple):
    """A test can start at ``time``, when the nodes in ``supply`` will be free."""

    time: float
    supply: NodeContainer


class _Run(NamedTuple):
    test: object
    end: float
    counts: Counts
    size: int


class RunningTests:
    """The tests that run, when they are expected to end, and the number of nodes that they hold (``size``)."""

    def __init__(self) -> None:
        self.size = 0
        self._runs: list[_Run] = []

    def start(self, test: object, end: float, counts: Counts) -> None:
        """Add a test."""
        run = _Run(test, end, counts, sum(counts.values()))
        self._runs.append(run)
        self.size += run.size

    def finish(self, test: object) -> None:
        """Remove the first run of a test; one that does not run is ignored."""
        index = next((index for index, run in enumerate(self._runs) if run.test is test), None)
        if index is not None:
            self.size -= self._runs.pop(index).size

    def reservation(self, spec: ClusterSpec, free: Counts, now: float) -> Reservation | None:
        """Return when there will be enough nodes for a spec; ``None`` if there never will be."""
        supply = _Supply(free)
        total, wanted = sum(free.values()), spec.size()
        for end, run in self._expected_ends(now):
            supply.add(run.counts)
            total += run.size
            if total >= wanted and supply.can_remove_spec(spec):
                return Reservation(end, supply)
        return None

    def remaining(self, now: float) -> list[Job]:
        """Return the nodes and the remaining seconds of each test."""
        return [Job(run.size, end - now) for end, run in self._expected_ends(now)]

    def _expected_ends(self, now: float) -> list[tuple[float, _Run]]:
        """Return the ends to come; a test that is late is expected to take once more as long as it is late."""
        ends = [(run.end if run.end >= now else 2 * now - run.end, run) for run in self._runs]
        return sorted(ends, key=lambda pair: pair[0])


def compete(one: Counts, other: Counts) -> bool:
    """Return whether one node could serve both of two demands."""
    return any(
        one_os == other_os and (one_type == other_type or one_type is None or other_type is None)
        for (one_os, one_type), one_number in one.items()
        for (other_os, other_type), other_number in other.items()
        if one_number and other_number
    )
