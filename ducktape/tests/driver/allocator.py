# SPDX-License-Identifier: Apache-2.0
"""Allocates and frees nodes; logs shortages."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.node_container import InsufficientResourcesError
from ducktape.cluster.pool.lease import Holder, NodesLeasedElsewhereError
from ducktape.cluster.pool.quarantine import quarantine, unhealthy_nodes
from ducktape.services.support.record import named_nodes
from ducktape.tests.driver.failure_cause import describe_exception
from ducktape.tests.test_context import TestContext
from ducktape.utils.process.tree import Orphans
from ducktape.utils.support.guard import tolerated, value_or


def names_of(nodes: Iterable[object]) -> list[str]:
    """Return the names of nodes, as messages and reports have them."""
    return [str(getattr(node, "name", node)) for node in nodes]


_SECONDS_FOR_RETURN = 300.0


class NodeAllocator:
    """Takes nodes from a cluster and gives them back, without its processes being taken for those of a test."""

    def __init__(self, cluster: Cluster, log: Callable[[int, str], None], orphans: Orphans) -> None:
        self._cluster = cluster
        self._log = log
        self._orphans = orphans
        self._holders_logged: set[Holder] = set()
        self._unknown_holder = False
        self._unhealthy_logged = 0
        self._served: set[str] = set()
        self._dirty: set[str] = set()

    def take(self, test_context: TestContext, avoid: Collection[str] = ()) -> list[ClusterNode]:
        """Return nodes for a test.

        Raises:
            NodesLeasedElsewhereError: other runs have them; logged once for each of these runs.
            InsufficientResourcesError: they are not available now; quarantined nodes are logged.
            Exception: whatever else the cluster raises.
        """
        try:
            nodes = self._allocate(test_context, avoid)
        except NodesLeasedElsewhereError as error:
            self._log_holders(test_context, error)
            raise
        except InsufficientResourcesError:
            self._log_unhealthy()
            raise
        self._log_unhealthy()
        self._unknown_holder = False
        self._served.update(names_of(nodes))
        return nodes

    def _allocate(self, test_context: TestContext, avoid: Collection[str]) -> list[ClusterNode]:
        spec = test_context.expected_cluster_spec
        assert spec is not None  # a test that does not say what it needs is unschedulable

        def allocate() -> list[ClusterNode]:
            return self._cluster.alloc(spec)

        nodes = self._orphans.not_from(allocate)
        if not _among(nodes, avoid):
            return nodes
        # While these are held, the cluster has to give others
        others = value_or(None, lambda: self._orphans.not_from(allocate))
        if others is None:
            return nodes
        worse, better = sorted([nodes, others], key=lambda some: len(_among(some, avoid)), reverse=True)
        self.give_back(worse)
        return better

    def give_back(self, nodes: Iterable[ClusterNode], dirty: Mapping[str, str] | None = None) -> None:
        """Free nodes, each whatever happens to the others; dirty ones (name: reason) are quarantined if possible."""
        left = list(nodes)
        if dirty:
            for name, node in named_nodes(nodes).items():
                reason = dirty.get(name)
                if reason is None:
                    continue
                if value_or(False, quarantine, self._cluster, node, reason):
                    self._dirty.update(names_of([node]))
                    left = [other for other in left if other is not node]  # the quarantine has it
                else:
                    self._log(logging.WARNING, f"Node {name} could not be cleaned but stays in use: {reason}")
            self._log_unhealthy()
        with tolerated() as freeing:
            self._orphans.not_from(lambda: self._cluster.free(left))
        if freeing.error is None:
            return
        self._log(logging.ERROR, f"Error giving nodes back to the cluster: {describe_exception(freeing.error)}")
        for node in left:
            with tolerated():  # those that are free already raise again
                self._cluster.free(node)

    def awaits_return(self) -> bool:
        """Return whether nodes that this run has used are quarantined and may return soon."""
        # An outage of minutes must not fail all tests of a night. A node that never answered is not waited for.
        if not (isinstance(self._cluster, Cluster) and self._cluster.retries_unhealthy):
            return False
        return any(
            node.back_at is None
            and node.name in self._served - self._dirty
            and time.time() - node.put_aside_at < _SECONDS_FOR_RETURN
            for node in unhealthy_nodes(self._cluster)
        )

    def has_recovered(self) -> bool:
        """Probe quarantined nodes, and return whether some can be used again."""
        if not (isinstance(self._cluster, Cluster) and self._cluster.retry_unhealthy()):
            return False
        self._log(logging.INFO, "Nodes that were put aside are healthy again")
        return True

    def _log_holders(self, test_context: TestContext, error: NodesLeasedElsewhereError) -> None:
        """Log which runs this one waits for, once for each of them."""
        holders = set(error.holders.values())
        if Holder() in holders and not self._unknown_holder:
            # Just about to write who it is, or to give the node back
            self._unknown_holder = True
            return
        if holders <= self._holders_logged:
            return
        self._holders_logged |= holders
        self._log(logging.INFO, f"{test_context.test_id} waits for nodes of other runs: {error}")

    def _log_unhealthy(self) -> None:
        nodes = unhealthy_nodes(self._cluster)
        for node in nodes[self._unhealthy_logged :]:
            self._log(logging.WARNING, f"Node {node.name} is put aside: {node.reason}")
        self._unhealthy_logged = len(nodes)


def _among(nodes: Iterable[ClusterNode], names: Collection[str]) -> list[ClusterNode]:
    return [node for node in nodes if names_of([node])[0] in names]
