# SPDX-License-Identifier: Apache-2.0
"""What the results of a session add up to, kept up to date result by result."""

from __future__ import annotations

from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus


class Totals:
    """Counts, and smallest, largest and mean of what can be measured."""

    def __init__(self) -> None:
        self._counts = {str(status): 0 for status in (PASS, FLAKY, FAIL, IGNORE)}
        self._run_times = _Statistics()
        self._nodes_used = _Statistics()
        self._nodes_allocated = _Statistics()
        self._node_seconds = 0.0

    def add(self, status: TestStatus, run_time: float, nodes_used: int, nodes_allocated: int) -> None:
        """Add what a result says; a test that never started has a run time below zero, and took no time."""
        self._counts[str(status)] = self._counts.get(str(status), 0) + 1
        self._run_times.add(max(run_time, 0))
        self._nodes_used.add(nodes_used)
        self._nodes_allocated.add(nodes_allocated)
        self._node_seconds += nodes_used * max(run_time, 0)

    def count(self, status: TestStatus) -> int:
        """Return how many results have a status."""
        return self._counts[str(status)]

    def to_json(self, cluster_size: int, session_time: float) -> dict[str, object]:
        """Return the part of ``report.json`` that says how time and nodes were used."""
        capacity = cluster_size * max(session_time, 0)
        return {
            "run_time_statistics": self._run_times.to_json(),
            "cluster_nodes_used": self._nodes_used.to_json(),
            "cluster_nodes_allocated": self._nodes_allocated.to_json(),
            "cluster_num_nodes": cluster_size,
            "cluster_utilization": self._node_seconds / capacity if capacity else 0,
            "parallelism": self._run_times.total / session_time if capacity else 0,
        }


class _Statistics:
    """Smallest, largest and mean of numbers that come one by one."""

    def __init__(self) -> None:
        self.total: float = 0
        self._count = 0
        self._min: float | None = None
        self._max: float | None = None

    def add(self, number: float) -> None:
        self.total += number
        self._count += 1
        self._min = number if self._min is None else min(self._min, number)
        self._max = number if self._max is None else max(self._max, number)

    def to_json(self) -> dict[str, float | None]:
        mean = self.total / self._count if self._count else None
        return {"max": self._max, "mean": mean, "min": self._min}
