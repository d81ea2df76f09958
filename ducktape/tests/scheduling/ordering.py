# SPDX-License-Identifier: Apache-2.0
"""How long tests will take, and which of them start first because of that: arithmetic of plain numbers."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ducktape.tests.test_context import TestContext

# The end of a session is near when the rest takes no longer than this many times its longest test
_NEAR = 2.5


class Expectation(NamedTuple):
    """How long a test will take: ``seconds``, and in words where the number is from."""

    seconds: float
    source: str


class Expectations:
    """How long tests will take: as long as last time, or as the mean of their method, or else the mean of all."""

    def __init__(self, contexts: Iterable[TestContext], durations: Mapping[str, float]) -> None:
        methods = {context.test_id: _method(context) for context in contexts} if durations else {}
        known = {test_id: durations[test_id] for test_id in methods if 0 <= durations.get(test_id, -1) < math.inf}
        of_method: dict[tuple[str, str, str], list[float]] = {}
        for test_id, seconds in known.items():
            of_method.setdefault(methods[test_id], []).append(seconds)
        self._known = {test_id: Expectation(seconds, "an earlier run") for test_id, seconds in known.items()}
        self._of_method = {
            method: Expectation(_mean(values), "the mean of its method") for method, values in of_method.items()
        }
        self._mean = Expectation(_mean(list(known.values())), "the mean of all tests")

    def __bool__(self) -> bool:
        """Return whether the duration of any test is known."""
        return bool(self._known)

    def of(self, context: TestContext) -> Expectation:
        """Return what is expected of a test."""
        known = self._known.get(context.test_id)
        return known or self._of_method.get(_method(context), self._mean)


def _method(context: TestContext) -> tuple[str, str, str]:
    return context.module_name, context.cls_name, context.function_name


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


class Job(NamedTuple):
    """A test as arithmetic sees it: how many ``nodes`` it holds for how many ``seconds``."""

    nodes: int
    seconds: float


class Order(enum.Enum):
    """A rule that puts jobs into an order, in words."""

    LARGEST = "the largest first"
    LONGEST = "those with the most seconds x nodes^0.25 first"
    SHUFFLED = "in random order"

    def key(self, job: Job) -> tuple[float, float]:
        """Return what jobs are sorted by."""
        if self is Order.SHUFFLED:
            return 0.0, 0.0
        if self is Order.LARGEST:
            return -job.nodes, -job.seconds
        # A job without nodes counts like one that has one
        return -job.seconds * max(job.nodes, 1) ** 0.25, 0.0


def order_of(waiting: Sequence[Job], running: Sequence[Job], nodes: int, slots: float = math.inf) -> Order:
    """Return the order in which waiting jobs should start.

    Large jobs pack best while there are small ones to fill the gaps. Near the end, and where slots are scarcer than
    nodes, long jobs must not start last.
    """
    runnable = [job for job in waiting if job.nodes <= nodes]
    work = sum(job.nodes * job.seconds for job in [*runnable, *running]) / max(nodes, 1)
    near = _NEAR * max((job.seconds for job in runnable), default=0.0)
    return Order.LARGEST if work > max(near, sum(job.seconds for job in runnable) / slots) else Order.LONGEST


def lower_bound(jobs: Iterable[Job], nodes: int, slots: float = math.inf) -> float:
    """Return the seconds that no order of the jobs can beat."""
    work = longest = total = 0.0
    for job in jobs:
        work += job.nodes * job.seconds
        total += job.seconds
        longest = max(longest, job.seconds)
    return max(work / max(nodes, 1), total / slots, longest)
