# SPDX-License-Identifier: Apache-2.0
"""A cluster that makes nodes on demand, with a provider that only counts them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec, NodeSpec
from ducktape.cluster.elastic import ElasticCluster, NodeType
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.node_container import InsufficientResourcesError, NodeNotPresentError
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig


@dataclasses.dataclass(frozen=True)
class Machine(NodeType):
    memory: int = 1


class Machines(ElasticCluster[Machine]):
    def __init__(self, max_nodes: int = 3, types: Sequence[Machine] = (Machine(),)) -> None:
        super().__init__(max_nodes, types)
        self.made: list[tuple[int, int]] = []
        self.destroyed: list[str] = []
        self.problem: Exception | None = None

    def make_nodes(self, wanted: Mapping[int, Machine]) -> Sequence[ClusterNode]:
        if self.problem is not None:
            raise self.problem
        self.made += [(number, kind.memory) for number, kind in wanted.items()]
        return [
            ClusterNode(LinuxRemoteAccount(RemoteAccountSSHConfig(f"node{number}"), node_type=kind.name))
            for number, kind in wanted.items()
        ]

    def destroy_nodes(self, nodes: Sequence[ClusterNode]) -> None:
        self.destroyed += [str(node.account.hostname) for node in nodes]
        if self.problem is not None:
            raise self.problem


def sizes(cluster: Machines) -> tuple[int, int, int]:
    return len(cluster), cluster.available().size(), cluster.used().size()


def test_nodes_are_made_when_they_are_needed_and_numbers_come_back() -> None:
    cluster = Machines()
    assert (sizes(cluster), cluster.made, cluster.destroys_nodes) == ((3, 3, 0), [], True)
    one, two = cluster.alloc(ClusterSpec.simple_linux(2))
    assert (sizes(cluster), cluster.made) == ((3, 1, 2), [(1, 1), (2, 1)])
    cluster.free(one)
    assert (sizes(cluster), cluster.destroyed) == ((3, 2, 1), ["node1"])
    again = cluster.alloc(ClusterSpec.simple_linux(2))
    assert (cluster.made[2:], [node.name for node in again]) == ([(1, 1), (3, 1)], ["node1", "node3"])
    cluster.free([two, *again])
    assert (sizes(cluster), cluster.max_used()) == ((3, 3, 0), 3)


def test_types_have_their_own_numbers_and_settings() -> None:
    cluster = Machines(4, (Machine("large", 1, memory=64), Machine("small", None, memory=2)))
    assert [spec.node_type for spec in cluster.available()] == ["large", "small", "small", "small"]
    [large] = cluster.alloc(ClusterSpec.simple_linux(1, "large"))
    small = cluster.alloc(ClusterSpec.simple_linux(3, "small"))
    assert cluster.made == [(1, 64), (2, 2), (3, 2), (4, 2)]
    assert [spec.node_type for spec in cluster.used()] == ["large", "small", "small", "small"]
    cluster.free(small[1])
    with pytest.raises(InsufficientResourcesError):
        cluster.alloc(ClusterSpec.simple_linux(1, "large"))
    [other] = cluster.alloc(ClusterSpec.simple_linux(1))  # whatever there is
    assert (other.node_type, cluster.made[4:]) == ("small", [(3, 2)])
    cluster.free(large)
    assert [spec.node_type for spec in cluster.available()] == ["large"]


def test_more_than_there_can_be_makes_nothing() -> None:
    cluster = Machines()
    for spec in (ClusterSpec.simple_linux(4), ClusterSpec([NodeSpec("windows")]), ClusterSpec.simple_linux(1, "large")):
        with pytest.raises(InsufficientResourcesError):
            cluster.alloc(spec)
    assert (cluster.made, sizes(cluster)) == ([], (3, 3, 0))


def test_a_provider_that_fails_leaves_the_cluster_as_it_was() -> None:
    cluster = Machines()
    [node] = cluster.alloc(ClusterSpec.simple_linux(1))
    cluster.problem = OSError("quota exceeded")
    with pytest.raises(OSError, match="quota exceeded"):
        cluster.alloc(ClusterSpec.simple_linux(1))
    assert sizes(cluster) == (3, 2, 1)
    # What could not be destroyed is the provider's to find again: its number is free
    with pytest.raises(OSError, match="quota exceeded"):
        cluster.free(node)
    assert sizes(cluster) == (3, 3, 0)


def test_strangers_are_refused_before_any_node_is_destroyed() -> None:
    cluster = Machines()
    ours, theirs = cluster.alloc(ClusterSpec.simple_linux(1)), Machines().alloc(ClusterSpec.simple_linux(1))
    with pytest.raises(NodeNotPresentError):
        cluster.free([*ours, *theirs])
    assert (cluster.destroyed, sizes(cluster)) == ([], (3, 2, 1))
    cluster.free(ours)
    with pytest.raises(NodeNotPresentError):
        cluster.free_single(ours[0])


def test_what_a_provider_must_write_is_said() -> None:
    class Nothing(ElasticCluster[NodeType]):
        pass

    cluster = Nothing(1, [NodeType()])
    with pytest.raises(NotImplementedError, match=r"Nothing does not implement make_nodes\(\)"):
        cluster.alloc(ClusterSpec.simple_linux(1))
