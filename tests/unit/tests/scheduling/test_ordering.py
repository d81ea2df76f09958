# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import pytest

from ducktape.tests.scheduling.ordering import Expectation, Expectations, Job, Order, lower_bound, order_of
from ducktape.tests.test_context import TestContext


def _context(name: str, number: int) -> TestContext:
    context = TestContext(module=name)
    context.disambiguator = f"-{number}"
    return context


def test_a_test_without_a_duration_gets_the_mean_of_its_method_or_of_all() -> None:
    tests = [_context("a", 1), _context("a", 2), _context("a", 3), _context("b", 1), _context("c", 1)]
    expected = Expectations(tests, {"a-1": 1.0, "a-2": 3.0, "b-1": 8.0, "gone": 1000.0})
    assert [expected.of(test) for test in tests] == [
        Expectation(1.0, "an earlier run"),
        Expectation(3.0, "an earlier run"),
        Expectation(2.0, "the mean of its method"),
        Expectation(8.0, "an earlier run"),
        Expectation(4.0, "the mean of all tests"),
    ]


@pytest.mark.parametrize(
    "durations", [{}, {"gone": 1.0}, {"a-1": math.nan}, {"a-1": math.inf}, {"a-1": -1.0}], ids=repr
)
def test_nothing_is_expected_where_nothing_is_known(durations: dict[str, float]) -> None:
    expected = Expectations([_context("a", 1)], durations)
    assert (bool(expected), expected.of(_context("a", 1)).seconds) == (False, 0.0)
    assert Expectations([_context("a", 1)], {"a-1": 0.0})


def test_nodes_the_longest_test_or_slots_are_what_binds() -> None:
    jobs = [Job(2, 10.0), Job(1, 4.0)]
    assert lower_bound(jobs, 2) == 12.0
    assert lower_bound(jobs, 20) == 10.0
    assert lower_bound(jobs, 20, slots=1) == 14.0
    assert lower_bound([], 2) == 0.0


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.LONGEST, [Job(1, 10.0), Job(16, 4.9), Job(0, 9.0), Job(3, 4.0), Job(3, 2.0)]),
        (Order.LARGEST, [Job(3, 4.0), Job(3, 2.0), Job(1, 10.0), Job(0, 5.0)]),
    ],
)
def test_jobs_are_sorted_by_nodes_seconds_or_both(order: Order, expected: Sequence[Job]) -> None:
    for jobs in permutations(expected):
        assert sorted(jobs, key=order.key) == expected
        assert tuple(sorted(jobs, key=Order.SHUFFLED.key)) == jobs


@pytest.mark.parametrize(
    ("waiting", "running", "nodes", "slots", "expected"),
    [
        ([Job(2, 10.0)] * 1000, [], 4, math.inf, Order.LARGEST),
        ([*[Job(2, 10.0)] * 1000, Job(1, 2301.0)], [], 4, math.inf, Order.LONGEST),
        # What runs has to end, too; what can never run does not count
        ([Job(1, 10.0)], [Job(1, 39.0)], 2, math.inf, Order.LONGEST),
        ([Job(1, 10.0)], [Job(1, 41.0)], 2, math.inf, Order.LARGEST),
        ([*[Job(2, 10.0)] * 6, Job(5, 9999.0)], [], 4, math.inf, Order.LARGEST),
        # Slots are scarce
        ([Job(3, 1.0)] * 100, [], 100, 2, Order.LONGEST),
        ([Job(0, 1.0)], [], 0, math.inf, Order.LONGEST),
        ([], [], 3, math.inf, Order.LONGEST),
    ],
)
def test_large_jobs_come_first_while_the_end_is_far(
    waiting: list[Job], running: list[Job], nodes: int, slots: float, expected: Order
) -> None:
    assert order_of(waiting, running, nodes, slots) is expected
