# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from typing import Any

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.tests.scheduler import TestScheduler
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext
from tests.unit.services.fakes import FakeAccount


class ShrinkingCluster(LocalhostCluster):
    """Loses free nodes when it is told to."""

    def lose(self, number: int) -> None:
        self._available_nodes.remove_nodes(list(self._available_nodes)[-number:])


def typed_cluster(*node_types: str | None) -> FiniteSubcluster:
    return FiniteSubcluster([ClusterNode(FakeAccount(f"h{i}", node_type)) for i, node_type in enumerate(node_types)])


def test_of(name: str, num_nodes: int | None, cluster: Any = None, **options: Any) -> TestContext:
    metadata = {} if num_nodes is None else {"num_nodes": num_nodes}
    if "node_type" in options:
        metadata["node_type"] = options.pop("node_type")
    session = SessionContext(session_id="s", results_dir="/r", **options)
    return TestContext(session_context=session, module=name, cluster=cluster, cluster_use_metadata=metadata)


test_of.__test__ = False  # type: ignore[attr-defined]


def names(tests: Any) -> list[str]:
    return [test.module for test in tests]


def peeked(scheduler: TestScheduler) -> str | None:
    test = scheduler.peek()
    return None if test is None else test.module


def drain_one_by_one(scheduler: TestScheduler) -> list[str]:
    order = []
    while (test := scheduler.peek()) is not None:
        order.append(test.module_name)
        scheduler.remove(test)
    return order


def test_the_largest_tests_come_first_and_the_given_order_decides_otherwise() -> None:
    tests = [test_of("c", 1), test_of("b", 3), test_of("a", 1), test_of("d", 3), test_of("e", 0)]
    scheduler = TestScheduler(tests, LocalhostCluster(num_nodes=3))
    assert names(scheduler) == ["b", "d", "c", "a", "e"]
    assert drain_one_by_one(scheduler) == ["b", "d", "c", "a", "e"]


def test_an_empty_queue_has_nothing_to_offer() -> None:
    scheduler = TestScheduler([], LocalhostCluster(num_nodes=3))
    assert (len(scheduler), scheduler.peek()) == (0, None)
    assert (scheduler.filter_unschedulable_tests(), scheduler.drain_remaining_tests()) == ([], [])


def test_looking_takes_nothing() -> None:
    scheduler = TestScheduler([test_of("a", 1)], LocalhostCluster(num_nodes=3))
    assert (peeked(scheduler), peeked(scheduler), len(scheduler)) == ("a", "a", 1)


def test_smaller_tests_overtake_when_the_larger_ones_do_not_fit() -> None:
    cluster = LocalhostCluster(num_nodes=3)
    scheduler = TestScheduler([test_of("small", 1), test_of("large", 3), test_of("middle", 2)], cluster)
    taken = cluster.alloc(ClusterSpec.simple_linux(1))
    assert peeked(scheduler) == "middle"
    taken += cluster.alloc(ClusterSpec.simple_linux(1))
    assert peeked(scheduler) == "small"
    taken += cluster.alloc(ClusterSpec.simple_linux(1))
    assert peeked(scheduler) is None
    cluster.free(taken)
    assert peeked(scheduler) == "large"


def test_tests_without_nodes_fit_always() -> None:
    cluster = LocalhostCluster(num_nodes=1)
    cluster.alloc(ClusterSpec.simple_linux(1))
    assert peeked(TestScheduler([test_of("none", 0), test_of("one", 1)], cluster)) == "none"


def test_node_types_decide_what_fits() -> None:
    cluster = typed_cluster("large", "small")
    tests = [test_of("large", 2, node_type="large"), test_of("small", 1, node_type="small"), test_of("any", 2)]
    scheduler = TestScheduler(tests, cluster)
    assert names(scheduler.filter_unschedulable_tests()) == ["large"]
    assert drain_one_by_one(scheduler) == ["any", "small"]


def test_what_can_never_fit_is_taken_out_in_order() -> None:
    cluster = LocalhostCluster(num_nodes=3)
    tests = [test_of("a", 1), test_of("b", 4), test_of("c", 9), test_of("d", 4)]
    scheduler = TestScheduler(tests, cluster)
    assert names(scheduler.filter_unschedulable_tests()) == ["c", "b", "d"]
    assert names(scheduler) == ["a"]
    assert len(scheduler) == 1
    assert scheduler.filter_unschedulable_tests() == []


def test_nodes_in_use_do_not_make_a_test_unschedulable() -> None:
    cluster = LocalhostCluster(num_nodes=3)
    cluster.alloc(ClusterSpec.simple_linux(3))
    scheduler = TestScheduler([test_of("a", 3)], cluster)
    assert scheduler.filter_unschedulable_tests() == []
    assert scheduler.peek() is None


def test_greedy_tests_are_unschedulable_where_they_are_refused() -> None:
    cluster = LocalhostCluster(num_nodes=3)
    tests = [test_of("greedy", None, cluster, fail_greedy_tests=True), test_of("a", 1)]
    scheduler = TestScheduler(tests, cluster)
    assert names(scheduler.filter_unschedulable_tests()) == ["greedy"]


def test_a_repeated_test_waits_as_often_as_it_is_repeated() -> None:
    once, again = test_of("a", 1), test_of("b", 1)
    scheduler = TestScheduler([once, again, once, again], LocalhostCluster(num_nodes=3))
    assert names(scheduler) == ["a", "b", "a", "b"]
    assert drain_one_by_one(scheduler) == ["a", "b", "a", "b"]
    assert len(scheduler) == 0


def test_a_test_can_be_taken_out_of_the_middle() -> None:
    tests = [test_of("a", 1), test_of("b", 1), test_of("c", 1)]
    scheduler = TestScheduler(tests, LocalhostCluster(num_nodes=3))
    scheduler.remove(tests[1])
    assert names(scheduler) == ["a", "c"]
    assert len(scheduler) == 2


def test_draining_takes_everything_in_order() -> None:
    scheduler = TestScheduler([test_of("a", 1), test_of("b", 9), test_of("c", 2)], LocalhostCluster(num_nodes=3))
    assert names(scheduler.drain_remaining_tests()) == ["b", "c", "a"]
    assert (len(scheduler), scheduler.peek()) == (0, None)


def test_a_shrunken_cluster_is_noticed() -> None:
    cluster = ShrinkingCluster(num_nodes=3)
    scheduler = TestScheduler([test_of("a", 3), test_of("b", 2)], cluster)
    assert scheduler.filter_unschedulable_tests() == []
    cluster.lose(1)
    assert peeked(scheduler) == "b"
    assert names(scheduler.filter_unschedulable_tests()) == ["a"]


def test_who_wants_the_whole_cluster_wants_what_is_left_of_it() -> None:
    cluster = ShrinkingCluster(num_nodes=3)
    scheduler = TestScheduler([test_of("greedy", None, cluster), test_of("a", 2)], cluster)
    assert peeked(scheduler) == "greedy"
    cluster.lose(1)
    assert peeked(scheduler) == "greedy"
    assert scheduler.filter_unschedulable_tests() == []


def test_a_shrunken_cluster_does_not_make_those_hopeless_who_want_all_of_it() -> None:
    # The runner asks for the hopeless tests right after an allocation failed, before it looks for the next one
    cluster = ShrinkingCluster(num_nodes=3)
    scheduler = TestScheduler([test_of("greedy", None, cluster), test_of("a", 2)], cluster)
    cluster.lose(1)
    assert scheduler.filter_unschedulable_tests() == []
    assert peeked(scheduler) == "greedy"


@pytest.mark.parametrize("number", [2000])
def test_many_equal_tests_keep_their_order(number: int) -> None:
    tests = [test_of(str(index), index % 2) for index in range(number)]
    scheduler = TestScheduler(tests, LocalhostCluster(num_nodes=1))
    expected = [str(index) for index in range(1, number, 2)] + [str(index) for index in range(0, number, 2)]
    assert drain_one_by_one(scheduler) == expected


# tests that run


class Clock:
    """Starts and ends what the scheduler chooses, and keeps the nodes."""

    def __init__(self, scheduler: TestScheduler, cluster: Any) -> None:
        self.scheduler = scheduler
        self.cluster = cluster
        self.now = 0.0
        self.running: dict[str, tuple[TestContext, list[Any]]] = {}

    def start(self, test: TestContext) -> None:
        nodes = self.cluster.alloc(test.expected_cluster_spec)
        self.scheduler.started(test, self.now, nodes)
        self.running[test.module_name] = (test, nodes)

    def start_next(self) -> str | None:
        test = self.scheduler.peek(self.now)
        if test is None:
            return None
        self.scheduler.remove(test)
        self.start(test)
        return test.module_name

    def start_all(self) -> list[str]:
        started = []
        while (name := self.start_next()) is not None:
            started.append(name)
        return started

    def end(self, name: str) -> None:
        test, nodes = self.running.pop(name)
        self.cluster.free(nodes)
        self.scheduler.finished(test, self.now)


def scheduled(
    cluster: Any, running: list[TestContext], waiting: list[TestContext], durations: dict[str, float] | None = None
) -> Clock:
    scheduler = TestScheduler([*running, *waiting], cluster, durations=durations)
    clock = Clock(scheduler, cluster)
    for test in running:
        scheduler.remove(test)
        clock.start(test)
    return clock


def test_a_large_test_is_not_starved_by_small_ones() -> None:
    small = [test_of(f"small{index}", 1) for index in range(40)]
    clock = scheduled(LocalhostCluster(num_nodes=3), [test_of("begun", 1)], [test_of("large", 3), *small])
    order = clock.start_all()
    running = ["begun", *order]
    while clock.scheduler:
        clock.end(running.pop(0))
        started = clock.start_all()
        running += started
        order += started
    # Three times what fills the three nodes; of the smaller ones, the given order decides
    assert order.index("large") == 9
    assert [name for name in order if name != "large"] == [f"small{index}" for index in range(40)]


def test_patience_is_lost_with_tests_that_take_what_is_waited_for_and_no_others() -> None:
    cluster = typed_cluster("a", "a", "b")
    others = [test_of("b", 1, node_type="b"), test_of("none", 0)]
    ones = [test_of(f"a{index}", 1, node_type="a") for index in range(12)]
    waiting = [test_of("large", 2, node_type="a"), *ones, *others]
    clock = scheduled(cluster, [test_of("begun", 1, node_type="a")], waiting)
    for index in range(9):
        assert clock.start_next() == f"a{index}"
        clock.end(f"a{index}")
    assert clock.scheduler.peek() is others[0]
    assert clock.scheduler.why(others[0]) == "large waits for 2 nodes, of which this one needs none"
    assert clock.start_all() == ["b", "none"]
    assert clock.start_next() is None
    clock.end("begun")
    assert clock.start_next() == "large"


def test_nobody_waits_where_nothing_runs() -> None:
    # Nodes may be in use elsewhere, and that has no end that could be waited for
    cluster = LocalhostCluster(num_nodes=3)
    cluster.alloc(ClusterSpec.simple_linux(1))
    clock = scheduled(cluster, [], [test_of("large", 3), *(test_of(f"s{index}", 1) for index in range(20))])
    for index in range(20):
        assert clock.start_next() == f"s{index}"
        clock.end(f"s{index}")


# durations


def test_what_takes_long_comes_first() -> None:
    tests = [test_of("a", 2), test_of("b", 1), test_of("c", 1)]
    durations = {"a": 10.0, "b": 100.0, "c": 5.0}
    scheduler = TestScheduler(tests, LocalhostCluster(num_nodes=9), durations=durations)
    assert names(scheduler) == ["b", "a", "c"]
    assert list(scheduler.explain()) == [
        "3 tests for 9 nodes, those with the most seconds x nodes^0.25 first; at least 100 s",
        "1. b: 1 nodes x 100.0 s = 100 node-seconds (an earlier run)",
        "2. a: 2 nodes x 10.0 s = 20 node-seconds (an earlier run)",
        "3. c: 1 nodes x 5.0 s = 5 node-seconds (an earlier run)",
    ]


def test_the_largest_come_first_where_durations_do_not_help() -> None:
    tests = [test_of("a", 2), test_of("b", 1), test_of("c", 3)]
    durations = {"a": 10.0, "b": 100.0, "c": 5.0}
    cluster = LocalhostCluster(num_nodes=9)
    assert names(TestScheduler(tests, cluster, durations={"gone": 7.0})) == ["c", "a", "b"]
    assert names(TestScheduler(tests, cluster, durations={"a": float("nan"), "b": -1.0})) == ["c", "a", "b"]
    one_at_a_time = TestScheduler(tests, cluster, durations=durations, slots=1)
    assert list(one_at_a_time.explain()) == [
        "3 tests for 9 nodes, the largest first",
        "1. c: 3 nodes",
        "2. a: 2 nodes",
        "3. b: 1 nodes",
    ]


def test_the_longest_come_first_where_slots_are_scarce() -> None:
    tests = [test_of("a", 3), test_of("b", 1), test_of("c", 2)]
    durations = {"a": 10.0, "b": 20.0, "c": 5.0}
    scheduler = TestScheduler(tests, LocalhostCluster(num_nodes=100), durations=durations, slots=2)
    assert names(scheduler) == ["b", "a", "c"]
    assert (
        next(scheduler.explain())
        == "3 tests for 100 nodes, those with the most seconds x nodes^0.25 first; at least 20 s"
    )


def test_others_overtake_when_they_end_before_the_nodes_are_free() -> None:
    waiting = [test_of("large", 3), test_of("long", 1), test_of("short", 1)]
    durations = {"begun": 100.0, "large": 1000.0, "long": 101.0, "short": 100.0}
    clock = scheduled(LocalhostCluster(num_nodes=3), [test_of("begun", 2)], waiting, durations)
    short = clock.scheduler.peek(0.0)
    assert short is waiting[2]
    assert clock.scheduler.why(short) == "large waits for 3 nodes for 100 s, and this one ends before that"
    assert clock.start_all() == ["short"]
    clock.now = 100.0
    clock.end("begun")
    assert clock.start_next() is None  # what is left of the nodes is kept
    clock.end("short")
    assert clock.start_all() == ["large"]
    clock.end("large")
    assert clock.start_all() == ["long"]


def test_others_overtake_when_they_leave_enough_nodes() -> None:
    waiting = [test_of("large", 3), test_of("one", 1), test_of("two", 1)]
    durations = {"begun": 100.0, "large": 1000.0, "one": 900.0, "two": 800.0}
    clock = scheduled(LocalhostCluster(num_nodes=4), [test_of("begun", 2)], waiting, durations)
    assert clock.scheduler.peek(0.0) is waiting[1]
    assert clock.scheduler.why(waiting[1]) == "large waits for 3 nodes, which this one leaves free"
    assert clock.start_all() == ["one"]
    assert clock.scheduler.why(waiting[1]) == "its nodes are free"


def test_a_test_that_is_late_is_expected_to_stay_as_long_again() -> None:
    waiting = [test_of("large", 3), test_of("long", 1), test_of("short", 1)]
    durations = {"begun": 100.0, "large": 1000.0, "long": 51.0, "short": 50.0}
    for number, expected in ((2, []), (3, ["short"])):
        clock = scheduled(LocalhostCluster(num_nodes=3), [test_of("begun", 2)], waiting[:number], durations)
        clock.now = 150.0
        assert clock.start_all() == expected


def test_a_broken_promise_is_not_broken_for_ever() -> None:
    ones = [test_of(f"s{index:02d}", 1) for index in range(60)]
    durations = {"begun": 1.0, "large": 5000.0, **{test.test_id: 1.0 for test in ones}}
    clock = scheduled(LocalhostCluster(num_nodes=3), [test_of("begun", 1)], [test_of("large", 3), *ones], durations)
    overtakers = 0
    clock.now = 5.0
    while (name := clock.start_next()) is not None:
        overtakers += 1
        clock.now += 0.5
        clock.end(name)
    # Eight until the end that is expected of a test that is four seconds late, then three times the whole cluster
    assert overtakers == 8 + 9
    clock.end("begun")
    assert clock.start_next() == "large"


def test_only_nodes_of_the_right_kind_are_waited_for() -> None:
    cluster = typed_cluster("a", "a", "b", "b")
    waiting = [test_of("large", 2, node_type="a"), test_of("b", 1, node_type="b"), test_of("a", 1, node_type="a")]
    durations = {"begun": 100.0, "large": 1000.0, "b": 900.0, "a": 800.0}
    clock = scheduled(cluster, [test_of("begun", 1, node_type="a")], waiting, durations)
    assert clock.start_all() == ["b"]


def test_nodes_that_are_lost_end_the_wait_for_them() -> None:
    cluster = ShrinkingCluster(num_nodes=4)
    waiting = [test_of("large", 4), test_of("one", 1)]
    durations = {"begun": 100.0, "large": 1000.0, "one": 900.0}
    clock = scheduled(cluster, [test_of("begun", 2)], waiting, durations)
    assert clock.start_next() is None
    cluster.lose(1)
    assert clock.start_next() == "one"


def test_the_plan_is_made_anew_on_the_way() -> None:
    # At first there is so much to do that packing comes first, and near the end what takes long
    tests = [test_of(f"t{index:03d}", 1 + index % 3) for index in range(600)]
    durations = {test.test_id: 10.0 + index % 7 for index, test in enumerate(tests)} | {"t000": 300.0}
    cluster = LocalhostCluster(num_nodes=6)
    clock = scheduled(cluster, [], tests, durations)
    assert "the largest first" in next(clock.scheduler.explain())
    order: list[str] = []
    orders: list[bool] = []
    ends: dict[str, float] = {}
    while clock.scheduler or ends:
        started = clock.start_all()
        order += started
        orders += ["the largest first" in next(clock.scheduler.explain())]
        ends.update({name: clock.now + durations[name] for name in started})
        first = min(ends, key=lambda name: ends[name])
        clock.now = ends.pop(first)
        clock.end(first)
    assert sorted(order) == names(tests)
    assert orders == sorted(orders, reverse=True)
    assert 0 < orders.count(False) < len(orders) / 2
    assert 200 <= order.index("t000") < 590


# the order that is asked for


def test_some_tests_can_come_before_all_others() -> None:
    tests = [test_of("a", 3), test_of("b", 1), test_of("c", 2), test_of("d", 1)]
    scheduler = TestScheduler(tests, LocalhostCluster(num_nodes=3), first=["d", "c", "gone"])
    assert names(scheduler) == ["c", "d", "a", "b"]
    assert list(scheduler.explain())[1:3] == [
        "1. c: 2 nodes; among those to begin with",
        "2. d: 1 nodes; among those to begin with",
    ]
    assert drain_one_by_one(scheduler) == ["c", "d", "a", "b"]


def test_a_random_order_depends_on_the_seed_alone() -> None:
    tests = [test_of(str(index), index % 4) for index in range(20)]
    expected = list(tests)
    random.Random(7).shuffle(expected)
    durations = {"3": 100.0}
    scheduler = TestScheduler(tests, LocalhostCluster(num_nodes=3), shuffled=random.Random(7), durations=durations)
    assert list(scheduler) == expected
    assert next(scheduler.explain()) == "20 tests for 3 nodes, in random order"
    assert drain_one_by_one(scheduler) == names(expected)


def test_the_reason_of_a_start_is_told() -> None:
    tests = [test_of("a", 2), test_of("b", 3), test_of("c", 1)]
    clock = scheduled(LocalhostCluster(num_nodes=3), [], tests)
    first = clock.scheduler.peek()
    assert first is tests[1]
    assert clock.scheduler.why(first) == "the largest that fits 3 free nodes"
    clock = scheduled(LocalhostCluster(num_nodes=3), [test_of("d", 1)], tests)
    assert clock.scheduler.peek() is tests[0]
    assert clock.scheduler.why(tests[0]) == "the largest that fits, while b waits for 3 nodes"


def test_the_end_of_a_test_that_never_began_is_no_news() -> None:
    test = test_of("a", 1)
    scheduler = TestScheduler([test], LocalhostCluster(num_nodes=3))
    scheduler.finished(test, 1.0)
    assert scheduler.peek() is test
