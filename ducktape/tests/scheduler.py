# SPDX-License-Identifier: Apache-2.0
"""Which test runs next: the largest that fits, or what gets all of them done soonest if past sessions tell how."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.node_container import NodeContainer
from ducktape.tests.scheduling.backfill import Reservation, RunningTests, compete
from ducktape.tests.scheduling.ordering import Expectations, Job, Order, lower_bound, order_of
from ducktape.tests.scheduling.queue import Entry, Line, Place, WaitingTests
from ducktape.tests.test_context import TestContext

# Nodes given to tests that overtake another, as a multiple of the cluster, before that one gets the next nodes
_PATIENCE = 3


class _Choice(NamedTuple):
    """The test to start now, and why it starts before those in front of it."""

    entry: Entry
    reason: str


@dataclasses.dataclass
class _Awaited:
    """The first test in order that does not fit now."""

    entry: Entry
    line: Line
    reservation: Reservation
    patient_until: float  # until then it costs the test nothing that others start before it
    overtaken: int = 0  # number of nodes given to tests behind it after that


class TestScheduler:
    """The queue of a run.

    The largest tests come first; with durations and near the end, the longest. The first test that does not fit has
    nodes reserved for the time at which enough of them are expected to be free. Others overtake it if they will have
    ended by then or leave it enough nodes; without durations, whatever fits may overtake it a limited number of times.

    Args:
        test_contexts: the tests, in order.
        cluster: says which nodes there are and which are free.
        durations: seconds by test id; without effect if none of these tests is among them.
        first: ids of tests that come before all others.
        shuffled: source of randomness for a random order; sizes and durations do not count then.
        slots: maximum number of parallel tests.
    """

    __test__ = False

    def __init__(
        self,
        test_contexts: Iterable[TestContext],
        cluster: Cluster,
        *,
        durations: Mapping[str, float] | None = None,
        first: Collection[str] = (),
        shuffled: random.Random | None = None,
        slots: float = math.inf,
    ) -> None:
        self.cluster = cluster
        tests = list(test_contexts)
        if shuffled is not None:
            shuffled.shuffle(tests)
        self._is_shuffled, self._slots = shuffled is not None, max(slots, 1)
        # One at a time takes the same time in any order
        durations_count = shuffled is None and self._slots > 1
        self._expected = Expectations(tests, (durations or {}) if durations_count else {})
        self._first = frozenset(first)
        self._running = RunningTests()
        self._awaited: _Awaited | None = None
        self._now = 0.0
        self._sort(tests)

    def _seconds(self, test: TestContext) -> float:
        return self._expected.of(test).seconds if self._expected else math.inf

    def _sort(self, tests: Iterable[TestContext]) -> None:
        """Put the tests in order."""
        demands = [(test, test.expected_cluster_spec, self._seconds(test)) for test in tests]
        jobs = [Job(0 if spec is None else spec.size(), seconds) for _, spec, seconds in demands]
        self._cluster_size = len(self.cluster)
        self._order, self._sort_again_below = Order.SHUFFLED if self._is_shuffled else Order.LARGEST, 0
        if self._expected:
            runnable = [job for job, (_, spec, _) in zip(jobs, demands, strict=True) if spec is not None]
            self._order = order_of(runnable, self._running.remaining(self._now), self._cluster_size, self._slots)
            self._sort_again_below = len(jobs) * 3 // 4
        self._waiting = WaitingTests(
            Entry(Place(test.test_id not in self._first, self._order.key(job), number), seconds, test, spec)
            for number, (job, (test, spec, seconds)) in enumerate(zip(jobs, demands, strict=True))
        )
        self._formerly, self._awaited = self._awaited, None
        self._choice: _Choice | None = None

    def _keep_in_order(self) -> None:
        """Sort again when many tests have started, or the cluster has changed: some tests ask for all of it."""
        if len(self.cluster) != self._cluster_size or len(self._waiting) < self._sort_again_below:
            self._sort(self)

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[TestContext]:
        """Iterate over the waiting tests in order."""
        return (entry.context for entry, _ in self._waiting.in_order())

    # --- the decision

    def peek(self, now: float | None = None) -> TestContext | None:
        """Return the test to start now, without taking it; ``None`` if there is none.

        Args:
            now: seconds on the clock of :meth:`started` and :meth:`finished`, by default what it last showed.
        """
        self._now = self._now if now is None else now
        self._choice = None
        if self._waiting:
            self._keep_in_order()
            self._choice = self._choose(self.cluster.available().nodes)
        return None if self._choice is None else self._choice.entry.context

    def _choose(self, free: NodeContainer) -> _Choice | None:
        number_free = free.size()
        awaited: _Awaited | None = None
        best: _Choice | None = None
        for line in self._waiting.lines():
            if best is not None and best.entry.place < line.entries[0].place:
                break
            if line.size > number_free or not free.can_remove_spec(line.spec):
                awaited = awaited or self._await(line, free)
                continue
            if awaited is None:
                return _Choice(line.entries[0], f"{self._rule()} that fits {number_free} free nodes")
            found = self._overtaking(line, awaited)
            if found is not None and (best is None or found.entry.place < best.entry.place):
                best = found
        return best

    def _await(self, line: Line, free: NodeContainer) -> _Awaited | None:
        """Reserve nodes for the head of a line, unless waiting would not give it what it needs."""
        if line.spec is None or free.size() + self._running.size < line.size:
            return None
        reservation = self._running.reservation(line.spec, free.grouped_by_os_and_type(), self._now)
        if reservation is None:
            return None
        entry = line.entries[0]
        awaited = self._awaited or self._formerly
        if awaited is None or awaited.entry.context is not entry.context:
            awaited = _Awaited(entry, line, reservation, reservation.time if self._expected else -math.inf)
        self._awaited = dataclasses.replace(awaited, entry=entry, line=line, reservation=reservation)
        return self._awaited

    def _overtaking(self, line: Line, awaited: _Awaited) -> _Choice | None:
        """Return the first test of a line that may start before the one that is waited for."""
        head = line.entries[0]
        behind = f"{awaited.entry.context.test_id} waits for {awaited.line.size} nodes"
        if awaited.overtaken >= _PATIENCE * self._cluster_size:
            needs_others = not compete(line.counts, awaited.line.counts)
            return _Choice(head, f"{behind}, of which this one needs none") if needs_others else None
        if not self._expected or awaited.line.spec is None or line.spec is None:
            return _Choice(head, f"{self._rule()} that fits, while {behind}")
        if awaited.reservation.supply.can_remove_spec(awaited.line.spec + line.spec):
            return _Choice(head, f"{behind}, which this one leaves free")
        wait = awaited.reservation.time - self._now
        entry = line.longest_within(wait)
        return None if entry is None else _Choice(entry, f"{behind} for {wait:.0f} s, and this one ends before that")

    def _rule(self) -> str:
        return "the first in the queue" if self._expected or self._is_shuffled else "the largest"

    # --- what happened

    def started(self, test_context: TestContext, now: float, nodes: Iterable[ClusterNode] = ()) -> None:
        """Note that a test runs, on the given nodes or else on what it asked for; ``now`` is monotonic."""
        self._now = now
        counts = NodeContainer(nodes).grouped_by_os_and_type()
        spec = None if counts else test_context.expected_cluster_spec
        counts = counts if spec is None else spec.nodes.grouped_by_os_and_type()
        self._running.start(test_context, now + self._seconds(test_context), counts)

    def finished(self, test_context: TestContext, now: float) -> None:
        """Note that a test has given its nodes back; one that does not run is ignored."""
        self._now = now
        self._running.finish(test_context)

    def remove(self, test_context: TestContext) -> None:
        """Take a waiting test out of the queue."""
        place, line = self._waiting.remove(test_context)
        awaited = self._awaited
        if awaited is None or place <= awaited.entry.place or self._now < awaited.patient_until:
            return
        if compete(line.counts, awaited.line.counts):
            awaited.overtaken += line.size

    def filter_unschedulable_tests(self) -> list[TestContext]:
        """Take out and return the tests that would not fit even if every node were free."""
        self._keep_in_order()
        nodes = self.cluster.all().nodes
        hopeless = {id(line) for line in self._waiting.lines() if not nodes.can_remove_spec(line.spec)}
        return self._take(entry for entry, line in self._waiting.in_order() if id(line) in hopeless) if hopeless else []

    def drain_remaining_tests(self) -> list[TestContext]:
        """Take out and return all waiting tests, in order."""
        return self._take(entry for entry, _ in self._waiting.in_order())

    def _take(self, entries: Iterable[Entry]) -> list[TestContext]:
        taken = [entry.context for entry in entries]
        for context in taken:
            self.remove(context)
        return taken

    # --- in words

    def why(self, test_context: TestContext) -> str:
        """Return why a test, which :meth:`peek` has just returned, starts now."""
        if self._choice is None or self._choice.entry.context is not test_context:
            return "its nodes are free"
        return self._choice.reason

    def explain(self) -> Iterator[str]:
        """Yield the order of the waiting tests and its reason: a line about all of them, then one about each."""
        queue = self._waiting.in_order()
        bound = ""
        if self._expected:
            jobs = (Job(line.size, entry.seconds) for entry, line in queue)
            bound = f"; at least {lower_bound(jobs, self._cluster_size, self._slots):.0f} s"
        yield f"{len(queue)} tests for {self._cluster_size} nodes, {self._order.value}{bound}"
        for number, (entry, line) in enumerate(queue, 1):
            demand = "unknown nodes" if line.spec is None else f"{line.size} nodes"
            if self._expected:
                expected = self._expected.of(entry.context)
                node_seconds = line.size * expected.seconds
                demand += f" x {expected.seconds:.1f} s = {node_seconds:.0f} node-seconds ({expected.source})"
            begins = "" if entry.place.is_behind else "; among those to begin with"
            yield f"{number}. {entry.context.test_id}: {demand}{begins}"
