# SPDX-License-Identifier: Apache-2.0
"""The nodes of one test."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_container import NodeContainer


class FiniteSubcluster(Cluster):
    """Lends out nodes that were allocated elsewhere.

    Connections of a node survive being freed: the next service of the same test uses them again. It can be pickled
    as long as no node is connected.

    Args:
        nodes: the nodes, all free at first.

    Attributes:
        nodes: what was given.
    """

    def __init__(self, nodes: Iterable[ClusterNode]) -> None:
        super().__init__()
        # What can be walked through only once would be gone, and cannot be pickled
        self.nodes: Collection[ClusterNode] = nodes if isinstance(nodes, Collection) else list(nodes)
        self._available_nodes = NodeContainer(self.nodes)
        self._in_use_nodes: NodeContainer[ClusterNode] = NodeContainer()

    def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
        """Move nodes from the free ones to those in use."""
        allocated, _ = self._available_nodes.remove_spec(cluster_spec)
        self._in_use_nodes.add_nodes(allocated)
        return allocated

    def free_single(self, node: ClusterNode) -> None:
        """Move a node back to the free ones, behind them."""
        self._in_use_nodes.remove_node(node)
        self._available_nodes.add_node(node)

    def available(self) -> ClusterSpec:
        """Return what is free now."""
        return ClusterSpec.from_nodes(self._available_nodes)

    def used(self) -> ClusterSpec:
        """Return what is in use now."""
        return ClusterSpec.from_nodes(self._in_use_nodes)
