# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

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
        for _ in range(number):
            self._free.pop()


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
