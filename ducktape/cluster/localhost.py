# SPDX-License-Identifier: Apache-2.0
"""A cluster that needs nothing: many pseudo-nodes, all of them this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from ducktape.cluster.cluster import Cluster, UnhealthyNode
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.consts import LINUX
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.node_container import NodeContainer, NodeNotPresentError
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig

_NODES_PER_QUARANTINED = 10


class LocalhostNode(ClusterNode):
    """A pseudo-node, whose account is created when it is asked for.

    Args:
        index: position in the cluster, which makes the name.
        make_account: creates the account of a position.
    """

    def __init__(self, index: int, make_account: Callable[[int], LinuxRemoteAccount]) -> None:
        self._index = index
        self._make_account = make_account
        self.node_type = None

    @cached_property
    def account(self) -> LinuxRemoteAccount:  # type: ignore[override]  # a plain attribute in the base class
        """The account."""
        return self._make_account(self._index)

    @property
    def name(self) -> str:
        """The host name of the account; asking for it makes none, since the driver only talks about its nodes."""
        return f"localhost{self._index}" if "account" not in self.__dict__ else self.account.hostname

    @property
    def operating_system(self) -> str | None:
        """Always Linux."""
        return LINUX


def _make_account(checks: list[Callable[..., object]] | None, index: int) -> LinuxRemoteAccount:
    config = RemoteAccountSSHConfig(host=f"localhost{index}", hostname="localhost", port=22)
    account = LinuxRemoteAccount(config, externally_routable_ip="localhost", ssh_exception_checks=checks)
    account.transport = LocalTransport()
    return account


class LocalhostCluster(Cluster):
    """Lends out pseudo-nodes on this machine; their commands are local processes.

    Args:
        *args: ignored.
        **kwargs: ``num_nodes``: how many, 1000 if not given; ``ssh_exception_checks``: passed to each account;
            everything else is ignored.

    Attributes:
        unhealthy_nodes: all nodes that were quarantined, with the reason.
    """

    def __init__(self, *args: object, **kwargs: Any) -> None:
        super().__init__()
        num_nodes = kwargs.get("num_nodes", 1000)
        make_account = partial(_make_account, kwargs.get("ssh_exception_checks"))
        # Suites change these two. The nodes are light: each makes its account when that is asked for.
        self._available_nodes: NodeContainer[ClusterNode] = NodeContainer(
            LocalhostNode(index, make_account) for index in range(num_nodes)
        )
        self._in_use_nodes: NodeContainer[ClusterNode] = NodeContainer()
        self._max_quarantined = num_nodes // _NODES_PER_QUARANTINED
        self.unhealthy_nodes: list[UnhealthyNode] = []

    def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
        """Take the nodes that have been free for the longest time."""
        nodes, _ = self._available_nodes.remove_spec(cluster_spec)
        self._in_use_nodes.add_nodes(nodes)
        return nodes

    def free_single(self, node: ClusterNode) -> None:
        """Put a node behind the free ones and close its account."""
        try:
            self._in_use_nodes.remove_node(node)
        except (NodeNotPresentError, AttributeError):
            raise NodeNotPresentError(f"{node} is not in use") from None
        self._available_nodes.add_node(node)
        if not isinstance(node, LocalhostNode) or "account" in vars(node):
            node.account.close()

    def put_aside(self, node: ClusterNode, reason: str) -> bool:
        """Quarantine a node that a test has left dirty; at most one in ten, since all are one machine.

        Services on this machine are told apart by the name and position of their node, so the next user of this one
        would meet what is left.

        Raises:
            NodeNotPresentError: it is not in use.
        """
        if len(self.unhealthy_nodes) >= self._max_quarantined:
            return False
        if node not in list(self._in_use_nodes):
            raise NodeNotPresentError(f"{node} is not in use")
        try:
            # Subclasses learn from this that the node is not used any more, and do their own work upon it
            self.free(node)
        finally:
            self._available_nodes.remove_node(node)
            self.unhealthy_nodes.append(UnhealthyNode(node.name, reason, time.time()))
        return True

    def available(self) -> ClusterSpec:
        """Return what is free now."""
        return _spec_of(self._available_nodes)

    def used(self) -> ClusterSpec:
        """Return what is in use now."""
        return _spec_of(self._in_use_nodes)

    def __len__(self) -> int:
        return len(self._available_nodes) + len(self._in_use_nodes)


def _spec_of(nodes: NodeContainer[ClusterNode]) -> ClusterSpec:
    # Asked for at every step of the scheduler: a thousand nodes of one kind are counted, not looked at
    if set(nodes.node_groups) <= {(LINUX, None)}:
        return ClusterSpec.simple_linux(len(nodes))
    return ClusterSpec.from_nodes(nodes)
