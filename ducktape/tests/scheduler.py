# SPDX-License-Identifier: Apache-2.0
"""Which test runs next: the largest that fits, or what gets all of them done soonest if earlier runs tell how."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_container import NodeContainer
from ducktape.tests.scheduling.backfill import Promise, RunningTests, compete
from ducktape.tests.scheduling.ordering import PACKING, Job, best_order, expectations, lower_bound, mean_of
from ducktape.tests.scheduling.queue import Entry, Line, Waiting, WaitingTests
from ducktape.tests.test_context import TestContext

# How often others may fill the whole cluster before a test that they pass over gets the next nodes
_PATIENCE = 3


class _Choice(NamedTuple):
    """The test to start now, and in words why it and not one before it."""

    entry: Entry
    reason: str


@dataclasses.dataclass
class _Awaited:
    """The first test in order that does not fit now.

    Attributes:
        entry: the test.
        line: whose head it is.
        spec: the nodes that it needs.
        promise: when it can start; ``None`` where durations are not known.
        patient_until: until then it costs the test nothing that others start before it.
        overtaken: how many nodes were given to tests behind it after that.
    """

    entry: Entry
    line: Line
    spec: ClusterSpec
    promise: Promise | None
    patient_until: float
    overtaken: int = 0


class TestScheduler:
    """The queue of a run.

    Without durations the largest tests come first, otherwise the given order counts, and whatever fits may overtake
    what does not. With durations the tests with the most node-seconds come first. The first one that does not fit
    gets the nodes that it needs at the time at which they are expected to be free, and others overtake it only if they
    leave it those.

    Args:
        test_contexts: the tests, in order.
        cluster: says which nodes there are and which are free.
        durations: seconds by test id; without effect if none of these tests is among them.
        first: ids of tests that come before all others.
        shuffled: where chance comes from, if the order is to be random; sizes and durations do not count then.
        slots: most tests at the same time.
    """

    __test__ = False

    def __init__(
        self,
        test_contexts: Iterable[TestContext],
        cluster: Any,
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
        self._expected = expectations(tests, durations or {}) if not self._is_shuffled and self._slots > 1 else {}
        self._typical = mean_of(self._expected.values())
        self._first = frozenset(first)
        self._running = RunningTests()
        self._awaited: _Awaited | None = None
        self._now = 0.0
        self._sort([self._described(test) for test in tests])

    def _described(self, test: TestContext) -> Waiting:
        return Waiting(test, test.expected_cluster_spec, self._seconds(test))

    def _seconds(self, test: TestContext) -> float:
        return self._expected.get(test.test_id, self._typical).seconds if self._expected else math.inf

    def _sort(self, tests: Sequence[Waiting]) -> None:
        """Put the tests in order."""
        self._cluster_size = len(self.cluster)
        self._order, self._plan_again_below = PACKING, 0
        if self._expected:
            jobs = [Job(test.spec.size(), test.seconds) for test in tests if test.spec is not None]
            running = [Job(size, seconds) for size, seconds in self._running.remaining(self._now)]
            self._order = best_order(jobs, running, self._cluster_size, self._slots)
            self._plan_again_below = len(tests) * 3 // 4
        self._waiting = WaitingTests(
            tests, lightness=self._lightness, is_behind=lambda test: not (self._first and test.test_id in self._first)
        )
        self._formerly, self._awaited = self._awaited, None
        self._choice: _Choice | None = None

    def _lightness(self, size: int, seconds: float) -> tuple[float, float]:
        return (0.0, 0.0) if self._is_shuffled else self._order.key(Job(size, seconds))

    def _keep_in_order(self) -> None:
        """Make a new plan when many tests have started, or the cluster has changed: some tests ask for all of it."""
        if len(self.cluster) != self._cluster_size:
            self._sort([self._described(test) for test in self])
        elif len(self._waiting) < self._plan_again_below:
            self._sort([Waiting(each.context, line.spec, each.seconds) for each, line in self._waiting.in_order()])

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[TestContext]:
        """Go through the waiting tests in order."""
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
        """Remember that the head of a line is waited for, unless waiting would not give it what it needs."""
        if line.spec is None or free.size() + self._running.size < line.size:
            return None
        entry = line.entries[0]
        formerly = self._awaited or self._formerly
        known = formerly if formerly is not None and formerly.entry.context is entry.context else None
        promise = None
        if self._order.reserves or (known is not None and self._has_lost_patience(known)):
            promise = self._running.promise(line.spec, free.grouped_by_os_and_type(), self._now)
            if promise is None:
                return None
        if known is None:
            known = _Awaited(entry, line, line.spec, promise, -math.inf if promise is None else promise.time)
        self._awaited = dataclasses.replace(known, entry=entry, line=line, spec=line.spec, promise=promise)
        return self._awaited

    def _has_lost_patience(self, awaited: _Awaited) -> bool:
        return awaited.overtaken >= _PATIENCE * self._cluster_size

    def _overtaking(self, line: Line, awaited: _Awaited) -> _Choice | None:
        """Return the first test of a line that may start before the one that is waited for."""
        head = line.entries[0]
        behind = f"{awaited.entry.context.test_id} waits for {awaited.line.size} nodes"
        if self._has_lost_patience(awaited):
            needs_others = not compete(line.counts, awaited.line.counts)
            return _Choice(head, f"{behind}, of which this one needs none") if needs_others else None
        if awaited.promise is None or line.spec is None:
            return _Choice(head, f"{self._rule()} that fits, while {behind}")
        if awaited.promise.leaves_room_for(awaited.spec + line.spec):
            return _Choice(head, f"{behind}, which this one leaves free")
        wait = awaited.promise.time - self._now
        entry = line.longest_within(wait)
        return None if entry is None else _Choice(entry, f"{behind} for {wait:.0f} s, and this one ends before that")

    def _rule(self) -> str:
        return "the first in the queue" if self._expected or self._is_shuffled else "the largest"

    # --- what happened

    def started(self, test_context: TestContext, now: float, nodes: Iterable[Any] = ()) -> None:
        """Take note that a test runs.

        Args:
            test_context: the test.
            now: seconds on a clock that never goes back.
            nodes: what it was given; by default what it asked for.
        """
        self._now = now
        counts = NodeContainer(nodes).grouped_by_os_and_type()
        spec = None if counts else test_context.expected_cluster_spec
        counts = counts if spec is None else spec.nodes.grouped_by_os_and_type()
        self._running.start(test_context, now + self._seconds(test_context), counts)

    def finished(self, test_context: TestContext, now: float) -> None:
        """Take note that a test has given its nodes back.

        Args:
            test_context: the test; one that does not run is ignored.
            now: seconds on the clock of :meth:`started`.
        """
        self._now = now
        self._running.finish(test_context)

    def add(self, test_context: TestContext) -> None:
        """Put a test into the queue, behind its equals.

        Args:
            test_context: a new one, or one that was taken out.
        """
        self._waiting.add(self._described(test_context))

    def remove(self, test_context: TestContext) -> None:
        """Take a test out of the queue.

        Args:
            test_context: a test that waits.
        """
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
        """Take out and return all tests that wait, in order."""
        return self._take(entry for entry, _ in self._waiting.in_order())

    def _take(self, entries: Iterable[Entry]) -> list[TestContext]:
        taken = [entry.context for entry in entries]
        for context in taken:
            self.remove(context)
        return taken

    # --- in words

    def why(self, test_context: TestContext) -> str:
        """Say why a test starts now.

        Args:
            test_context: what :meth:`peek` last returned.
        """
        if self._choice is None or self._choice.entry.context is not test_context:
            return "its nodes are free"
        return self._choice.reason

    def explain(self) -> Iterator[str]:
        """Say in which order the tests wait, and why: a line about all of them, then one about each."""
        queue = self._waiting.in_order()
        yield f"{len(queue)} tests for {self._cluster_size} nodes, {self._order_in_words(queue)}"
        for number, (entry, line) in enumerate(queue, 1):
            yield f"{number}. {entry.context.test_id}: {self._demand_in_words(entry, line)}"

    def _order_in_words(self, queue: list[tuple[Entry, Line]]) -> str:
        if self._is_shuffled:
            return "in random order"
        if not self._expected:
            return "the largest first"
        bound = lower_bound((Job(line.size, entry.seconds) for entry, line in queue), self._cluster_size, self._slots)
        return f"{self._order.in_words()}; at least {bound:.0f} s"

    def _demand_in_words(self, entry: Entry, line: Line) -> str:
        nodes = "unknown nodes" if line.spec is None else f"{line.size} nodes"
        begins = "" if entry.place.is_behind else "; among those to begin with"
        if not self._expected:
            return nodes + begins
        expected = self._expected.get(entry.context.test_id, self._typical)
        node_seconds = line.size * expected.seconds
        return f"{nodes} x {expected.seconds:.1f} s = {node_seconds:.0f} node-seconds ({expected.source}){begins}"
