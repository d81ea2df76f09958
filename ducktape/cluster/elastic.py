# SPDX-License-Identifier: Apache-2.0
"""A base class of clusters whose nodes are made when they are allocated, and destroyed when they are given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.consts import LINUX
from ducktape.cluster.node_container import NodeContainer, NodeNotPresentError
from ducktape.cluster.node_spec import NodeSpec

__all__ = ["ElasticCluster", "NodeType"]


@dataclass(frozen=True)
class NodeType:
    """One type of node that a cluster can make; providers add what else they need to know.

    Attributes:
        name: what ``@cluster(node_type=...)`` asks for; ``None`` for nodes without a type.
        count: how many there can be at a time; ``None`` is as many as the other types leave.
    """

    name: str | None = None
    count: int | None = None


T = TypeVar("T", bound=NodeType)


class ElasticCluster(Cluster, Generic[T]):
    """Makes nodes on allocation and destroys them when they are given back.

    A provider writes ``make_nodes``, ``destroy_nodes``, and ``close`` where there is something to close. Each node has
    a number from 1 to ``max_nodes``, which a later node may have again: names and addresses can be derived from it.

    Args:
        max_nodes: the greatest number of nodes at a time.
        types: the types of nodes, with different names; at most one without a ``count``.
    """

    destroys_nodes = True

    def __init__(self, max_nodes: int, types: Sequence[T]) -> None:
        super().__init__()
        self._max_nodes = max_nodes
        self._types = {each.name: each for each in types}
        self._in_use: dict[int, ClusterNode] = {}

    def make_nodes(self, wanted: Mapping[int, T]) -> Sequence[ClusterNode]:
        """Make all of some nodes, or raise and leave none; blocks until they accept commands.

        Args:
            wanted: the types of the nodes by number, none of which is in use.

        Returns:
            The nodes in the same order; the ``node_type`` of their accounts is the name of their type.
        """
        self._not_written("make_nodes")

    def destroy_nodes(self, nodes: Sequence[ClusterNode]) -> None:
        """Destroy nodes with all that runs on them; their accounts are closed, and they count as free afterwards.

        Args:
            nodes: what ``make_nodes`` has made; some may be gone already.
        """
        self._not_written("destroy_nodes")

    def close(self) -> None:
        """Remove what nodes have in common, such as a network, at the end of a run; nodes that are kept stay."""

    def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
        """Make nodes; raises what ``make_nodes`` raises, and returns none if there are not enough."""
        taken, _ = NodeContainer(self._free_specs()).remove_spec(cluster_spec)
        if not taken:
            return []
        free = (number for number in range(1, self._max_nodes + 1) if number not in self._in_use)
        wanted = {next(free): self._types[spec.node_type] for spec in taken}
        made = list(self.make_nodes(wanted))
        self._in_use |= zip(wanted, made, strict=True)
        return made

    def free(self, nodes: Iterable[ClusterNode] | ClusterNode) -> None:
        """Destroy nodes; raises ``NodeNotPresentError``, and destroys none, if one is not in use."""
        leaving = list(nodes) if isinstance(nodes, Iterable) else [nodes]
        numbers = {id(node): number for number, node in self._in_use.items()}
        for node in leaving:
            if id(node) not in numbers:
                raise NodeNotPresentError(f"{node} is not in use")
        for node in leaving:
            node.account.close()
        try:
            self.destroy_nodes(leaving)
        finally:
            for node in leaving:
                self._in_use.pop(numbers[id(node)], None)

    def free_single(self, node: ClusterNode) -> None:
        self.free(node)

    def available(self) -> ClusterSpec:
        return ClusterSpec(self._free_specs())

    def used(self) -> ClusterSpec:
        return ClusterSpec([NodeSpec(LINUX, node.node_type) for node in self._in_use.values()])

    def _free_specs(self) -> list[NodeSpec]:
        used: dict[str | None, int] = {}
        for node in self._in_use.values():
            used[node.account.node_type] = used.get(node.account.node_type, 0) + 1
        left = self._max_nodes - len(self._in_use)
        specs: list[NodeSpec] = []
        rest = self._max_nodes - sum(each.count or 0 for each in self._types.values())
        for each in self._types.values():
            count = (rest if each.count is None else each.count) - used.get(each.name, 0)
            specs += [NodeSpec(LINUX, each.name)] * max(0, min(count, left - len(specs)))
        return specs

    def __len__(self) -> int:
        return len(self._free_specs()) + len(self._in_use)
