# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.tests.scheduling.ordering import (
    PACKING,
    Expectation,
    Job,
    Order,
    best_order,
    expectations,
    lower_bound,
    makespan,
    mean_of,
)
from ducktape.tests.test_context import TestContext


def _context(name: str, number: int) -> TestContext:
    context = TestContext(module=name)
    context.disambiguator = f"-{number}"
    return context


def test_a_test_without_a_duration_gets_the_mean_of_its_method_or_of_all() -> None:
    tests = [_context("a", 1), _context("a", 2), _context("a", 3), _context("b", 1), _context("c", 1)]
    assert expectations(tests, {"a-1": 1.0, "a-2": 3.0, "b-1": 8.0, "gone": 1000.0}) == {
        "a-1": Expectation(1.0, "an earlier run"),
        "a-2": Expectation(3.0, "an earlier run"),
        "a-3": Expectation(2.0, "the mean of its method"),
        "b-1": Expectation(8.0, "an earlier run"),
        "c-1": Expectation(4.0, "the mean of all tests"),
    }


def test_nothing_is_expected_where_nothing_is_known() -> None:
    tests = [_context("a", 1)]
    assert expectations(tests, {}) == {}
    assert expectations(tests, {"gone": 1.0}) == {}
    assert expectations(tests, {"a-1": math.nan}) == {}
    assert expectations(tests, {"a-1": math.inf}) == {}
    assert expectations(tests, {"a-1": -1.0}) == {}
    assert mean_of([]).seconds == 0.0


def test_nodes_the_longest_test_or_slots_are_what_binds() -> None:
    jobs = [Job(2, 10.0), Job(1, 4.0)]
    assert lower_bound(jobs, 2) == 12.0
    assert lower_bound(jobs, 20) == 10.0
    assert lower_bound(jobs, 20, slots=1) == 14.0
    assert lower_bound([], 2) == 0.0


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order(1.0, reserves=True), [Job(3, 4.0), Job(1, 10.0), Job(3, 2.0), Job(0, 5.0)]),
        (Order(0.0, reserves=True), [Job(1, 10.0), Job(0, 5.0), Job(3, 4.0), Job(3, 2.0)]),
        (PACKING, [Job(3, 4.0), Job(3, 2.0), Job(1, 10.0), Job(0, 5.0)]),
    ],
)
def test_jobs_are_sorted_by_nodes_seconds_or_both(order: Order, expected: Sequence[Job]) -> None:
    for jobs in permutations(expected):
        assert sorted(jobs, key=order.key) == expected


def test_the_time_of_a_plan_is_that_of_its_last_job() -> None:
    jobs = [Job(2, 10.0), Job(2, 5.0), Job(1, 4.0), Job(1, 6.0)]
    # 2+1 of 3 nodes, the 1s one after the other beside the 10 s, then the second 2
    assert makespan(jobs, [], 3, math.inf, Order(1.0, reserves=True)) == 15.0
    assert makespan(jobs, [], 3, 1, PACKING) == 25.0
    assert makespan([], [Job(1, 7.0)], 3, math.inf, PACKING) == 7.0
    assert makespan([Job(3, 1.0)], [Job(1, 7.0)], 3, math.inf, PACKING) == 8.0
    # Whatever waits for nodes that nobody has is never done
    assert makespan([Job(3, 1.0)], [], 2, math.inf, PACKING) == math.inf


def test_the_best_order_is_not_worse_than_any_of_those_tried() -> None:
    # One long test of one node must start at once; by size it would come last
    jobs = [Job(4, 10.0)] * 4 + [Job(1, 40.0)]
    order = best_order(jobs, [], 5)
    assert makespan(jobs, [], 5, math.inf, order) == 40.0


def test_slots_that_are_scarce_make_the_longest_first() -> None:
    assert best_order([Job(3, 1.0), Job(1, 2.0)], [], 100, slots=2) == Order(0.0, reserves=True)
    assert best_order([Job(0, 1.0)], [], 0) == Order(0.0, reserves=True)
    assert best_order([], [], 3).reserves


def test_many_jobs_are_packed_while_their_end_is_far() -> None:
    many = [Job(2, 10.0)] * 1000
    assert best_order(many, [], 4) == PACKING
    assert best_order([*many, Job(1, 4000.0)], [], 4) == Order(0.5, reserves=True)


@given(
    st.lists(st.builds(Job, st.integers(0, 5), st.floats(0, 1000)), max_size=30),
    st.lists(st.builds(Job, st.integers(0, 1), st.floats(0, 1000)), max_size=5),
    st.integers(1, 4),
)
def test_no_plan_beats_the_bound(jobs: list[Job], running: list[Job], slots: int) -> None:
    order = best_order(jobs, running, 5, slots)
    assert makespan(jobs, running, 5, slots, order) >= lower_bound(jobs, 5) * 0.999999
