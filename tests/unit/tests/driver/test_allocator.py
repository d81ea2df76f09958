# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from typing import Any

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.cluster.node_container import InsufficientResourcesError, NodeContainer
from ducktape.mark.consts import CLUSTER_SIZE_KEYWORD
from ducktape.tests.driver.allocator import NodeAllocator, names_of
from ducktape.tests.test_context import TestContext
from ducktape.utils.process.tree import Orphans


class Stubborn(LocalhostCluster):
    """Lends the nodes first that came back last, and takes none back that has a certain name."""

    kept = ""

    def free_single(self, node: ClusterNode) -> None:
        if node.name == self.kept:
            raise ZeroDivisionError(f"{node.name} is not taken back")
        super().free_single(node)
        *others, last = self._available_nodes
        if last is node:
            self._available_nodes = NodeContainer([last, *others])


class Supplied:
    """A supply, and what it said."""

    def __init__(self, num_nodes: int) -> None:
        self.cluster = Stubborn(num_nodes=num_nodes)
        self.lines: list[tuple[int, str]] = []
        self.supply = NodeAllocator(self.cluster, lambda level, line: self.lines.append((level, line)), Orphans())

    def take(self, number: int, avoid: tuple[str, ...] = ()) -> list[Any]:
        context = TestContext(cluster=self.cluster, cluster_use_metadata={CLUSTER_SIZE_KEYWORD: number})
        return self.supply.take(context, avoid)

    @property
    def free(self) -> int:
        return self.cluster.num_available_nodes()


def test_nodes_are_named_as_reports_have_them() -> None:
    assert names_of([*Supplied(2).take(2), "a"]) == ["localhost0", "localhost1", "a"]


def test_nodes_are_taken_and_given_back() -> None:
    it = Supplied(3)
    nodes = it.take(2)
    assert (names_of(nodes), it.free) == (["localhost0", "localhost1"], 1)
    it.supply.give_back(nodes)
    assert (it.free, it.lines) == (3, [])


def test_nodes_that_failed_are_not_taken_where_there_are_others() -> None:
    it = Supplied(2)
    it.supply.give_back(it.take(1))
    assert names_of(it.take(1, avoid=("localhost0",))) == ["localhost1"]
    assert it.free == 1


def test_nodes_that_failed_are_taken_where_there_are_no_others() -> None:
    it = Supplied(1)
    assert names_of(it.take(1, avoid=("localhost0",))) == ["localhost0"]
    assert it.free == 0


def test_as_few_nodes_that_failed_as_two_choices_allow_are_taken() -> None:
    it = Supplied(4)
    nodes = it.take(2, avoid=("localhost0", "localhost3"))
    assert len({"localhost0", "localhost3"} & set(names_of(nodes))) == 1
    assert it.free == 2


def test_nobody_waits_for_better_nodes() -> None:
    it = Supplied(3)
    assert names_of(it.take(2, avoid=("localhost0",))) == ["localhost0", "localhost1"]
    assert it.free == 1


def test_what_is_not_there_is_not_there() -> None:
    it = Supplied(1)
    with pytest.raises(InsufficientResourcesError):
        it.take(2)
    with pytest.raises(InsufficientResourcesError):
        it.take(2, avoid=("localhost0",))
    assert it.free == 1


def test_a_node_that_is_not_taken_back_does_not_keep_the_others() -> None:
    it = Supplied(3)
    nodes = it.take(3)
    it.cluster.kept = "localhost1"
    it.supply.give_back(nodes)
    assert it.free == 2
    [(level, line)] = it.lines
    assert level == logging.ERROR
    assert line.startswith("Error giving nodes back to the cluster: ZeroDivisionError('localhost1 is not taken back')")


def test_a_dirty_node_is_put_aside_and_told_once() -> None:
    it = Supplied(20)
    it.supply.give_back(it.take(2), {"localhost0": "something is left"})
    assert [(node.name, node.reason) for node in it.cluster.unhealthy_nodes] == [("localhost0", "something is left")]
    assert (it.free, len(it.cluster)) == (19, 19)
    it.supply.give_back(it.take(1))
    assert it.lines == [(logging.WARNING, "Node localhost0 is put aside: something is left")]


def test_only_the_dirty_ones_among_several_nodes_are_put_aside() -> None:
    it = Supplied(20)
    it.supply.give_back(it.take(3), {"localhost1": "something is left", "unheard of": "?"})
    assert [node.name for node in it.cluster.unhealthy_nodes] == ["localhost1"]
    assert it.free == 19


def test_a_dirty_node_of_a_cluster_that_has_few_is_used_on_and_told() -> None:
    it = Supplied(2)
    it.supply.give_back(it.take(2), {"localhost0": "something is left"})
    assert it.free == 2
    assert it.lines == [(logging.WARNING, "Node localhost0 could not be cleaned but stays in use: something is left")]


class Foreign:
    """A cluster of somebody else, without a word about health."""

    def __init__(self) -> None:
        self.freed: list[Any] = []

    def alloc(self, spec: ClusterSpec) -> list[Any]:
        return [object() for _ in range(spec.size())]

    def free(self, nodes: Any) -> None:
        self.freed.extend(nodes)


def test_any_cluster_that_lends_nodes_will_do() -> None:
    cluster = Foreign()
    supply = NodeAllocator(cluster, lambda level, line: None, Orphans())  # type: ignore[arg-type]
    context = TestContext(cluster=cluster, cluster_use_metadata={CLUSTER_SIZE_KEYWORD: 2})
    nodes = supply.take(context, ["a"])
    supply.give_back(nodes)
    assert cluster.freed == nodes
    assert supply.has_recovered() is False
