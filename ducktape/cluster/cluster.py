# SPDX-License-Identifier: Apache-2.0
"""What every provider of nodes can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.utils.support.hooks import called

if TYPE_CHECKING:
    from ducktape.cluster.remoteaccount import RemoteAccount

__all__ = ["Cluster", "ClusterNode", "ClusterSpec", "Keeping", "UnhealthyNode"]


@dataclass
class UnhealthyNode:
    """A node that was put into quarantine, as reports show it.

    Attributes:
        name: of the node.
        reason: what was wrong, in one line.
        put_aside_at: when, in seconds since the epoch.
        back_at: when it was found healthy again; ``None`` while it is in quarantine.
    """

    name: str
    reason: str
    put_aside_at: float
    back_at: float | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.reason}{'' if self.back_at is None else '; healthy again later'})"

    def to_json(self) -> dict[str, object]:
        """Return all fields."""
        return dict(vars(self))


@dataclass
class Keeping:
    """How nodes stay when their run ends: held by another process, the holder, until people have looked inside.

    Attributes:
        where: for each node in order, plain values without secrets by which ``kept_account`` finds it, with its
            ``name`` among them.
        descriptors: files that the holder inherits, such as those of locks; closed in the run once it has them.
        confirm: called with the process id of the holder and the time, in Unix seconds, at which it ends by itself.
    """

    where: list[dict[str, object]]
    descriptors: list[int] = field(default_factory=list)
    confirm: Callable[[int, float], object] = lambda pid, until: None


class Cluster:
    """Owns nodes and lends them out.

    A provider derives from this class, calls this constructor and writes ``do_alloc``, ``free_single``,
    ``available`` and ``used``. None of this is safe for use from several threads at once. A cluster of no nodes is
    false.

    Attributes:
        max_used_nodes: the greatest number of nodes that were in use at the same time.
        retries_unhealthy: whether nodes that are in quarantine may come back by ``retry_unhealthy``.
        destroys_nodes: whether nodes end when they are given back, with all that runs on them.
    """

    retries_unhealthy = False
    destroys_nodes = False

    def __init__(self) -> None:
        self.max_used_nodes = 0

    def __len__(self) -> int:
        return self.available().size() + self.used().size()

    def alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
        """Take nodes into use.

        Args:
            cluster_spec: the required nodes.

        Returns:
            The nodes, to be given back with ``free``.

        Raises:
            InsufficientResourcesError: there are not enough free ones.
        """
        allocated = called(self.do_alloc, cluster_spec)
        self.max_used_nodes = max(self.max_used_nodes, len(self.used()))
        return allocated

    def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
        """Take nodes into use, for ``alloc``, which keeps count; written by each provider."""
        self._not_written("do_alloc")

    def free(self, nodes: Iterable[ClusterNode] | ClusterNode) -> None:
        """Give nodes back in order.

        Args:
            nodes: several nodes or one. If one cannot be given back, those after it stay in use.

        Raises:
            NodeNotPresentError: one is not in use.
        """
        if not isinstance(nodes, Iterable):
            called(self.free_single, nodes)
            return
        # A copy, because the caller may have passed the very collection that loses the nodes
        for node in list(nodes):
            called(self.free_single, node)

    def free_single(self, node: ClusterNode) -> None:
        """Give one node back; written by each provider."""
        self._not_written("free_single")

    def put_aside(self, node: ClusterNode, reason: str) -> bool:
        """Give a node back for good, so that this run does not use it again; providers may write this.

        Args:
            node: one that is in use.
            reason: what is wrong with it, in one line.

        Returns:
            Whether that was done; ``False`` says that nothing has happened and the node is still in use.
        """
        return False

    def retry_unhealthy(self) -> bool:
        """Try nodes in quarantine again without waiting for them; return whether one of them is free again now."""
        return False

    def name_session(self, session_id: str) -> bool:
        """Tell other runs which session uses the nodes; return whether others can know of them at all."""
        return False

    def keep(self, nodes: Sequence[ClusterNode]) -> Keeping:
        """Prepare to keep nodes that are in use for people to look inside, also after the end of this run.

        The nodes stay in use, and are given back if their holder ends before the run does. Providers whose nodes do
        not outlive the run by themselves, or could be given to other runs, write this.

        Args:
            nodes: of one test.

        Returns:
            How they are kept and found again.
        """
        return Keeping([{"name": str(node.account.hostname)} for node in nodes])

    @classmethod
    def kept_account(cls, where: Mapping[str, Any], make: Callable[[], Cluster]) -> RemoteAccount:
        """Return the account of a kept node, in another program than the run that keeps it.

        Args:
            where: what ``keep`` returned for the node.
            make: makes the cluster anew, with the options of that run.

        Raises:
            LookupError: there is no such node any more.
        """
        return make().account_named(str(where["name"]))

    def account_named(self, name: str) -> RemoteAccount:
        """Return the account of a node that may be in use elsewhere, without taking it into use.

        Args:
            name: host name of the account.

        Raises:
            LookupError: there is no such node.
        """
        nodes = self.alloc(self.available())
        self.free(nodes)
        for node in nodes:
            if str(node.account.hostname) == name:
                return node.account
        raise LookupError(f"the cluster has no node {name}")

    def available(self) -> ClusterSpec:
        """Return what is free now; written by each provider, and asked for often."""
        self._not_written("available")

    def used(self) -> ClusterSpec:
        """Return what is in use now; written by each provider, and asked for often."""
        self._not_written("used")

    def all(self) -> ClusterSpec:
        """Return what is free or in use."""
        return self.available() + self.used()

    def num_available_nodes(self) -> int:
        """Return the number of free nodes."""
        return self.available().size()

    def max_used(self) -> int:
        """Return the greatest number of nodes that were in use at the same time."""
        return self.max_used_nodes

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Cluster):
            return NotImplemented
        return vars(self) == vars(other)

    def __hash__(self) -> int:
        # Equality looks at attributes that change with every allocation, so nothing of them may go in here
        return hash(Cluster)

    def _not_written(self, method: str) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} does not implement {method}(), which every cluster must")
