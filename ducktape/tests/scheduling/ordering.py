# SPDX-License-Identifier: Apache-2.0
"""How long tests will take, and which of them should start early because of that: arithmetic of plain numbers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ducktape.tests.test_context import TestContext

# An end is near when what is left takes no longer than this times the longest test.
_NEAR = 4.0
# To try the orders on more tests than that would take long, and they hardly differ.
_MOST_TESTS_TO_TRY = 500
_Method = tuple[str, str, str]


class Expectation(NamedTuple):
    """How long a test will take: ``seconds``, and in words where the number is from."""

    seconds: float
    source: str


class Job(NamedTuple):
    """A test as arithmetic sees it: how many ``nodes`` it holds for how many ``seconds``."""

    nodes: int
    seconds: float


def expectations(contexts: Iterable[TestContext], durations: Mapping[str, float]) -> dict[str, Expectation]:
    """Say of every test how long it will take.

    A test that has no duration yet gets the mean of the others of its method, or else the mean of all that have one.

    Args:
        contexts: the tests; one that is repeated counts once.
        durations: seconds by test id.

    Returns:
        The expectation by test id; empty if there is no duration for any of the tests.
    """
    if not durations:
        return {}
    tests = {context.test_id: _method(context) for context in contexts}
    known: dict[str, float] = {}
    of_method: dict[_Method, list[float]] = {}
    for test_id, method in tests.items():
        seconds = durations.get(test_id)
        if seconds is not None and math.isfinite(seconds) and seconds >= 0:
            known[test_id] = seconds
            of_method.setdefault(method, []).append(seconds)
    if not known:
        return {}
    means = {method: Expectation(_mean(values), "the mean of its method") for method, values in of_method.items()}
    mean = Expectation(_mean(list(known.values())), "the mean of all tests")
    return {
        test_id: Expectation(known[test_id], "an earlier run") if test_id in known else means.get(method, mean)
        for test_id, method in tests.items()
    }


def mean_of(expected: Iterable[Expectation]) -> Expectation:
    """Say how long a test will take of which nothing is known but that it is none of these."""
    return Expectation(_mean([each.seconds for each in expected]), "the mean of all tests")


def _method(context: TestContext) -> _Method:
    return context.module_name, context.cls_name, context.function_name


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


class Order(NamedTuple):
    """A rule that puts jobs into an order.

    Attributes:
        exponent: jobs with the greatest seconds x nodes^exponent come first; infinite: those with the most nodes, and
            among them those with the most seconds.
        reserves: whether the first that does not fit gets nodes reserved, which others use only until then.
    """

    exponent: float
    reserves: bool

    def in_words(self) -> str:
        """Return the rule as a part of a sentence."""
        if math.isinf(self.exponent):
            return "those with the most nodes first"
        exponent = self.exponent
        by = {0.0: "seconds", 1.0: "node-seconds"}.get(exponent, f"seconds x nodes^{exponent:g}")
        return f"those with the most {by} first"

    def key(self, job: Job) -> tuple[float, float]:
        """Return what jobs are sorted by."""
        if math.isinf(self.exponent):
            return -float(job.nodes), -job.seconds
        # A job without nodes counts like one that has one
        return -job.seconds * math.pow(max(job.nodes, 1), self.exponent), 0.0


PACKING = Order(math.inf, reserves=False)
_LONGEST_FIRST = Order(0.0, reserves=True)
_LARGE_AND_NEAR = Order(0.5, reserves=True)
_TO_TRY = (*(Order(exponent, reserves=True) for exponent in (1.0, 1.5, 0.75, 0.5, 0.25, 0.0)), PACKING)


def lower_bound(jobs: Iterable[Job], nodes: int, slots: float = math.inf) -> float:
    """Return the seconds that no order of the jobs can beat.

    Args:
        jobs: what is to be done.
        nodes: how many there are.
        slots: most jobs at the same time.
    """
    work = longest = total = 0.0
    for job in jobs:
        work += job.nodes * job.seconds
        total += job.seconds
        longest = max(longest, job.seconds)
    return max(work / max(nodes, 1), total / slots, longest)


def best_order(waiting: Sequence[Job], running: Sequence[Job], nodes: int, slots: float = math.inf) -> Order:
    """Return the order in which the jobs that wait should start.

    Args:
        waiting: what is to be done.
        running: what is being done, with the seconds that it still takes.
        nodes: how many there are, taken for equal.
        slots: most jobs at the same time.
    """
    runnable = [job for job in waiting if job.nodes <= nodes]
    work = sum(job.nodes * job.seconds for job in [*runnable, *running]) / max(nodes, 1)
    if not nodes or sum(job.seconds for job in runnable) / slots > work:
        return _LONGEST_FIRST  # nodes are plenty, slots are what is scarce, and every job takes one
    if len(runnable) <= _MOST_TESTS_TO_TRY:
        return min(_TO_TRY, key=lambda order: makespan(runnable, running, nodes, slots, order))
    longest = max(job.seconds for job in runnable)
    return PACKING if work > _NEAR * longest else _LARGE_AND_NEAR


def makespan(waiting: Sequence[Job], running: Sequence[Job], nodes: int, slots: float, order: Order) -> float:
    """Return the seconds until all jobs are done, if they start as the scheduler starts them and take what they should.

    Args:
        waiting: what is to be done; nothing needs more nodes than there are.
        running: what is being done, with the seconds that it still takes.
        nodes: how many there are, taken for equal.
        slots: most jobs at the same time, at least 1.
        order: which comes first.
    """
    left = sorted(waiting, key=order.key)
    ends = [(job.seconds, job.nodes) for job in running]
    heapq.heapify(ends)
    now, free = 0.0, nodes - sum(job.nodes for job in running)
    while left:
        left, started = _start(left, ends, free, slots, now, order)
        for job in started:
            heapq.heappush(ends, (now + job.seconds, job.nodes))
            free -= job.nodes
        if not ends:
            return math.inf
        now, returned = heapq.heappop(ends)
        free += returned
        while ends and ends[0][0] <= now:
            free += heapq.heappop(ends)[1]
    return max([now, *(end for end, _ in ends)])


def _start(
    waiting: list[Job], ends: list[tuple[float, int]], free: int, slots: float, now: float, order: Order
) -> tuple[list[Job], list[Job]]:
    """Return who keeps waiting and who starts now."""
    left: list[Job] = []
    started: list[Job] = []
    reserved, spare = math.inf, 0
    for position, job in enumerate(waiting):
        if free <= 0 or len(ends) + len(started) >= slots:
            left += waiting[position:]
            break
        if job.nodes <= free and (not left or now + job.seconds <= reserved or job.nodes <= spare):
            if left and now + job.seconds > reserved:
                spare -= job.nodes
            started.append(job)
            free -= job.nodes
            continue
        if not left and order.reserves:
            to_come = [*ends, *((now + each.seconds, each.nodes) for each in started)]
            reserved, spare = _reservation(job, to_come, free)
        left.append(job)
    return left, started


def _reservation(job: Job, ends: list[tuple[float, int]], free: int) -> tuple[float, int]:
    """Return when there are enough nodes for a job, and how many there are besides."""
    for end, nodes in sorted(ends):
        free += nodes
        if free >= job.nodes:
            return end, free - job.nodes
    return math.inf, 0
