# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
import time

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.node_container import InsufficientResourcesError, NodeNotPresentError


class Machine:
    """Takes the place of an account."""

    def __init__(self, hostname: str, node_type: str | None = None) -> None:
        self.hostname = hostname
        self.node_type = node_type
        self.operating_system = "linux"
        self.closed = False

    def close(self) -> None:
        self.closed = True


def machines(number: int, node_type: str | None = None) -> list[ClusterNode]:
    return [ClusterNode(Machine(f"h{index}", node_type)) for index in range(number)]


def names(nodes: list[ClusterNode]) -> list[str]:
    return [node.name for node in nodes]


def test_all_nodes_are_free_at_first() -> None:
    nodes = machines(3)
    cluster = FiniteSubcluster(nodes)
    assert cluster.nodes is nodes
    assert (len(cluster), cluster.num_available_nodes(), len(cluster.used()), cluster.max_used()) == (3, 3, 0, 0)
    assert list(cluster._available_nodes) == nodes
    assert cluster._available_nodes.os_to_nodes["linux"] == nodes


def test_nodes_can_come_from_an_iterator() -> None:
    nodes = machines(2)
    cluster = FiniteSubcluster(iter(nodes))
    assert (list(cluster.nodes), len(cluster)) == (nodes, 2)


def test_without_nodes_it_is_falsy() -> None:
    assert not FiniteSubcluster([])


def test_freed_nodes_are_used_last() -> None:
    cluster = FiniteSubcluster(machines(3))
    first = cluster.alloc(ClusterSpec.simple_linux(2))
    cluster.free_single(first[0])
    second = cluster.alloc(ClusterSpec.simple_linux(2))
    assert (names(first), names(second)) == (["h0", "h1"], ["h2", "h0"])


def test_the_size_is_constant_and_the_peak_stays() -> None:
    cluster = FiniteSubcluster(machines(3))
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    assert (len(cluster), cluster.num_available_nodes(), len(cluster.used()), len(cluster.all())) == (3, 1, 2, 3)
    cluster.free(nodes)
    assert (len(cluster), cluster.num_available_nodes(), len(cluster.used()), cluster.max_used()) == (3, 3, 0, 2)


def test_nodes_keep_their_label_while_they_are_in_use() -> None:
    cluster = FiniteSubcluster([*machines(1, "large"), *machines(1)])
    cluster.alloc(ClusterSpec.simple_linux(1, "large"))
    assert str(cluster.used()) == '[{"node_type": "large", "num_nodes": 1, "os": "linux"}]'
    assert str(cluster.available()) == '[{"num_nodes": 1, "os": "linux"}]'


def test_attributes_of_users_survive_and_connections_stay_open() -> None:
    cluster = FiniteSubcluster(machines(1))
    node = cluster.alloc(ClusterSpec.simple_linux(1))[0]
    node.version = "1.0"
    cluster.free(node)
    again = cluster.alloc(ClusterSpec.simple_linux(1))[0]
    assert again is node
    assert (again.version, again.account.closed) == ("1.0", False)  # type: ignore[attr-defined]


def test_asking_for_too_much_changes_nothing() -> None:
    cluster = FiniteSubcluster(machines(1))
    with pytest.raises(InsufficientResourcesError, match=r"^linux nodes requested: 2\. linux nodes available: 1\. $"):
        cluster.alloc(ClusterSpec.simple_linux(2))
    assert (cluster.num_available_nodes(), cluster.max_used()) == (1, 0)


def test_nodes_that_are_not_in_use_cannot_be_freed() -> None:
    cluster = FiniteSubcluster(machines(1))
    (node,) = cluster.alloc(ClusterSpec.simple_linux(1))
    cluster.free(node)
    for absent in (node, *machines(1)):
        with pytest.raises(NodeNotPresentError):
            cluster.free(absent)
    assert cluster.num_available_nodes() == 1


def test_it_can_be_pickled_before_and_after_use_and_keeps_identities() -> None:
    cluster = pickle.loads(pickle.dumps(FiniteSubcluster(machines(2))))
    (node,) = cluster.alloc(ClusterSpec.simple_linux(1))
    assert node is cluster.nodes[0]
    copied = pickle.loads(pickle.dumps(cluster))
    assert names(list(copied._in_use_nodes)) == ["h0"]
    copied.free(copied.nodes[0])
    assert (names(list(copied._available_nodes)), len(cluster.used())) == (["h1", "h0"], 1)


def test_a_free_that_a_subclass_replaces_is_used_for_every_node() -> None:
    freed: list[ClusterNode] = []

    class Recording(FiniteSubcluster):
        def free_single(self, node: ClusterNode) -> None:
            freed.append(node)
            super().free_single(node)

    cluster = Recording(machines(2))
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    cluster.free(nodes)
    assert freed == nodes


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.alone
def test_a_thousand_nodes_are_allocated_and_freed_quickly(step: int) -> None:
    cluster = FiniteSubcluster(machines(1000))
    durations = []
    for _ in range(10):
        start = time.perf_counter()
        cluster.free(cluster.alloc(ClusterSpec.simple_linux(1000))[::step])
        durations.append(time.perf_counter() - start)
    # Takes less than a millisecond; generous for a busy machine, and out of reach for a walk per node and attempt
    assert min(durations) < 0.02
