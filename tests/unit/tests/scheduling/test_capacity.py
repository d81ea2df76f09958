# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest

from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.tests.scheduling.capacity import slots
from tests.unit.tests.test_scheduler import test_of, typed_cluster

PROCESSORS = 3


@pytest.fixture(autouse=True)
def _processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(PROCESSORS)), raising=False)


def test_there_are_as_many_slots_as_tests_that_fit_together() -> None:
    cluster = typed_cluster(*[None] * 10)
    tests = [test_of("a", 6), test_of("b", 3), test_of("c", 1), test_of("d", 5)]
    assert slots(cluster, tests) == 3
    assert slots(cluster, [test_of("a", 1)] * 99) == 10
    assert slots(cluster, [test_of("a", 1)] * 4) == 4


def test_nodes_of_another_kind_carry_nothing() -> None:
    cluster = typed_cluster("large", "large", "small", "small")
    small = [test_of(f"s{index}", 1, node_type="small") for index in range(5)]
    large = [test_of(f"l{index}", 1, node_type="large") for index in range(5)]
    assert slots(cluster, small) == 2
    assert slots(cluster, [*small, *large]) == 4


def test_nodes_in_use_count_as_well() -> None:
    cluster = typed_cluster(None, None)
    cluster.alloc(cluster.available())
    assert slots(cluster, [test_of("a", 1)] * 5) == 2


def test_tests_without_nodes_and_pseudo_nodes_are_bounded_by_the_processors() -> None:
    assert slots(typed_cluster(None, None), [test_of("a", 0)] * 9 + [test_of("b", 1)] * 9) == 2 + PROCESSORS
    assert slots(LocalhostCluster(num_nodes=1000), [test_of("a", 1)] * 99) == PROCESSORS
    assert slots(LocalhostCluster(num_nodes=2), [test_of("a", 1)] * 99) == 2


def test_there_is_always_one_slot() -> None:
    cluster = typed_cluster(None)
    assert slots(cluster, []) == 1
    assert slots(cluster, [test_of("a", 7)]) == 1
    assert slots(FiniteSubcluster([]), [test_of("a", 1)]) == 1
    assert slots(cluster, [test_of("greedy", None, cluster, fail_greedy_tests=True)]) == 1
