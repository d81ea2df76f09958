# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.consts import LINUX, WINDOWS
from ducktape.tests.scheduling.backfill import Counts, RunningTests, compete

ANY = (LINUX, None)
LARGE = (LINUX, "large")
SMALL = (LINUX, "small")


def _time(running: RunningTests, spec: ClusterSpec, free: Counts, now: float = 0.0) -> float | None:
    reservation = running.reservation(spec, free, now)
    return None if reservation is None else reservation.time


def test_a_test_can_start_when_enough_others_have_ended() -> None:
    running = RunningTests()
    for end, number in ((30.0, 2), (10.0, 1), (20.0, 3)):
        running.start(object(), end, {ANY: number})
    assert running.size == 6
    wanted = [_time(running, ClusterSpec.simple_linux(number), {ANY: 1}) for number in range(2, 9)]
    assert wanted == [10.0, 20.0, 20.0, 20.0, 30.0, 30.0, None]


def test_only_the_right_nodes_count() -> None:
    running = RunningTests()
    running.start(object(), 10.0, {SMALL: 5})
    running.start(object(), 20.0, {LARGE: 1})
    assert _time(running, ClusterSpec.simple_linux(1, "large"), {SMALL: 5}) == 20.0
    assert _time(running, ClusterSpec.simple_linux(2, "large"), {LARGE: 1}) == 20.0
    assert _time(running, ClusterSpec.simple_linux(3, "large"), {LARGE: 1}) is None
    assert _time(running, ClusterSpec.simple_linux(5), {}) == 10.0


def test_a_reservation_says_which_nodes_there_will_be() -> None:
    running = RunningTests()
    running.start(object(), 10.0, {ANY: 3})
    reservation = running.reservation(ClusterSpec.simple_linux(2), {ANY: 1}, 0.0)
    assert reservation is not None
    fits = [reservation.supply.can_remove_spec(ClusterSpec.simple_linux(number)) for number in (4, 5)]
    assert fits == [True, False]


def test_who_is_late_is_expected_to_stay_as_long_again() -> None:
    running = RunningTests()
    for end in (10.0, 70.0, 200.0):
        running.start(object(), end, {ANY: 1})
    assert [_time(running, ClusterSpec.simple_linux(number), {}, 100.0) for number in (1, 2, 3)] == [
        130.0,
        190.0,
        200.0,
    ]
    assert running.remaining(100.0) == [(1, 30.0), (1, 90.0), (1, 100.0)]


def test_a_test_may_run_several_times_at_once() -> None:
    running = RunningTests()
    test, other = object(), object()
    running.start(test, 10.0, {ANY: 1})
    running.start(test, 5.0, {ANY: 2})
    running.finish(other)
    running.finish(test)
    assert running.remaining(0.0) == [(2, 5.0)]
    running.finish(test)
    running.finish(test)
    assert (running.size, running.remaining(0.0)) == (0, [])


def test_ends_that_nobody_knows_come_last() -> None:
    running = RunningTests()
    running.start(object(), math.inf, {ANY: 1})
    running.start(object(), 5.0, {ANY: 1})
    assert [_time(running, ClusterSpec.simple_linux(number), {}) for number in (1, 2)] == [5.0, math.inf]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({ANY: 1}, {ANY: 1}, True),
        ({ANY: 1}, {LARGE: 1}, True),
        ({LARGE: 1}, {LARGE: 2}, True),
        ({LARGE: 1}, {SMALL: 1}, False),
        ({LARGE: 1, SMALL: 1}, {SMALL: 1}, True),
        ({(WINDOWS, None): 1}, {ANY: 1}, False),
        ({ANY: 0}, {ANY: 1}, False),
        ({}, {ANY: 1}, False),
    ],
)
def test_demands_compete_if_one_node_could_serve_both(one: Counts, other: Counts, expected: bool) -> None:
    assert (compete(one, other), compete(other, one)) == (expected, expected)
