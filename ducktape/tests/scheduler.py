# SPDX-License-Identifier: Apache-2.0
"""Which test runs next: the largest that fits the nodes that are free now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.tests.test_context import TestContext

_Demand = frozenset[Any] | None


class TestScheduler:
    """The queue of a run, largest tests first, otherwise in the given order.

    Tests with the same demand wait in one line, so that a decision costs as much as there are different demands,
    however many tests wait.

    Args:
        test_contexts: the tests, in order.
        cluster: says which nodes there are and which are free.
    """

    __test__ = False

    def __init__(self, test_contexts: Iterable[TestContext], cluster: Any) -> None:
        self.cluster = cluster
        self._sort(test_contexts)

    def _sort(self, test_contexts: Iterable[TestContext]) -> None:
        """Put the tests in order; needed again when the cluster shrinks, since some tests ask for all of it."""
        self._cluster_size = len(self.cluster)
        sized = [(context, context.expected_cluster_spec) for context in test_contexts]
        sized.sort(key=lambda pair: -(pair[1].size() if pair[1] is not None else 0))
        # Dicts serve as queues here: they keep order, and anything can be taken out of their middle at once.
        self._lines: dict[_Demand, dict[int, TestContext]] = {}
        self._specs: dict[_Demand, ClusterSpec | None] = {}
        # A repeated test is one object in several places.
        self._places: dict[int, list[tuple[_Demand, int]]] = {}
        for position, (context, spec) in enumerate(sized):
            demand = _demand(spec)
            self._lines.setdefault(demand, {})[position] = context
            self._specs.setdefault(demand, spec)
            self._places.setdefault(id(context), []).append((demand, position))
        self._waiting = len(sized)

    def __len__(self) -> int:
        return self._waiting

    def __iter__(self) -> Iterator[TestContext]:
        """Go through the waiting tests in order."""
        waiting = {position: context for line in self._lines.values() for position, context in line.items()}
        return (waiting[position] for position in sorted(waiting))

    def peek(self) -> TestContext | None:
        """Return the first test in order whose nodes are free now, without taking it; ``None`` if there is none."""
        if not self._waiting:
            return None
        self._notice_lost_nodes()
        free = self.cluster.available().nodes
        heads = [next(iter(line.items())) for demand, line in self._lines.items() if line and self._fits(demand, free)]
        return min(heads, key=lambda head: head[0])[1] if heads else None

    def _notice_lost_nodes(self) -> None:
        if len(self.cluster) != self._cluster_size:
            self._sort(list(self))

    def _fits(self, demand: _Demand, nodes: Any) -> bool:
        return bool(nodes.can_remove_spec(self._specs[demand]))

    def remove(self, test_context: TestContext) -> None:
        """Take a test out of the queue.

        Args:
            test_context: a test that waits.
        """
        places = self._places[id(test_context)]
        demand, position = places.pop(0)
        if not places:
            del self._places[id(test_context)]
        del self._lines[demand][position]
        self._waiting -= 1

    def filter_unschedulable_tests(self) -> list[TestContext]:
        """Take out and return the tests that would not fit even if every node were free."""
        self._notice_lost_nodes()
        nodes = self.cluster.all().nodes
        hopeless = [line for demand, line in self._lines.items() if line and not self._fits(demand, nodes)]
        return self._take({position: context for line in hopeless for position, context in line.items()})

    def drain_remaining_tests(self) -> list[TestContext]:
        """Take out and return all tests that wait, in order."""
        return self._take({position: context for line in self._lines.values() for position, context in line.items()})

    def _take(self, places: dict[int, TestContext]) -> list[TestContext]:
        taken = [places[position] for position in sorted(places)]
        for context in taken:
            self.remove(context)
        return taken


def _demand(spec: ClusterSpec | None) -> _Demand:
    return None if spec is None else frozenset(spec.nodes.grouped_by_os_and_type().items())
