# SPDX-License-Identifier: Apache-2.0
"""Pools of nodes, and the arithmetic of taking nodes out of them.

Everything that can be decided by counting is decided by counting: clusters have up to a thousand nodes, and the
questions are asked for every waiting test at every step of the scheduler.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol

from ducktape.utils.support.hooks import answer_of

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    N = TypeVar("N", default=Any)
else:
    from typing import TypeVar

    N = TypeVar("N")

# Operating system and label
GroupKey = tuple[Any, Any]


class NodeNotPresentError(Exception):
    """The node to be removed or freed is not there."""


class InsufficientResourcesError(Exception):
    """There are not enough nodes of the right kind."""


class InsufficientHealthyNodesError(InsufficientResourcesError):
    """There would be enough nodes if all of them were healthy.

    Args:
        bad_nodes: those found unhealthy, in the order in which they were met.
        *args: the message.
    """

    def __init__(self, bad_nodes: list[Any], *args: object) -> None:
        super().__init__(*args)
        self.bad_nodes = bad_nodes

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.bad_nodes, *self.args)


class Demand(Protocol):
    """Required nodes: anything with a container of requirements, such as a ``ClusterSpec``."""

    nodes: NodeContainer


class NodeContainer(Generic[N]):
    """Nodes of any kind, grouped by operating system and label.

    Args:
        nodes: objects with the attributes ``operating_system`` and ``node_type``; one that is missing counts as
            ``None``.

    Attributes:
        node_groups: ``(operating system, label)`` to the nodes of that group, oldest first. A group that ran empty
            keeps its place.
    """

    def __init__(self, nodes: Iterable[N] | None = None) -> None:
        self.node_groups: dict[GroupKey, list[N]] = {}
        if nodes is not None:
            self.add_nodes(nodes)

    @property
    def os_to_nodes(self) -> Mapping[Any, list[N]]:
        """The nodes of each operating system, whatever their labels: a snapshot under an older name."""
        by_os: dict[object, list[N]] = {}
        for (operating_system, _), pool in self.node_groups.items():
            by_os.setdefault(operating_system, []).extend(pool)
        return MappingProxyType(by_os)

    def size(self) -> int:
        """Return the number of nodes in all groups."""
        return sum(map(len, self.node_groups.values()))

    def __len__(self) -> int:
        return self.size()

    def __iter__(self) -> Iterator[N]:
        return self.elements()

    def elements(self, operating_system: str | None = None, node_type: str | None = None) -> Iterator[N]:
        """Yield the nodes group by group, oldest group first.

        Args:
            operating_system: only nodes of this one; ``None`` means all.
            node_type: only nodes with this label; ``None`` means all, labelled or not.
        """
        for (group_os, group_type), pool in self.node_groups.items():
            if operating_system is not None and operating_system != group_os:
                continue
            if node_type is not None and node_type != group_type:
                continue
            yield from pool

    def grouped_by_os_and_type(self) -> dict[GroupKey, int]:
        """Return the number of nodes of each group."""
        return {key: len(pool) for key, pool in self.node_groups.items()}

    def add_node(self, node: N) -> None:
        """Append a node to its group."""
        self.node_groups.setdefault(_group_key(node), []).append(node)

    def add_nodes(self, nodes: Iterable[N]) -> None:
        """Append nodes to their groups, in order."""
        if not isinstance(nodes, NodeContainer):
            for node in nodes:
                self.add_node(node)
            return
        for key, pool in list(nodes.node_groups.items()):
            if pool:
                self.node_groups.setdefault(key, []).extend(pool)

    def remove_node(self, node: N) -> None:
        """Remove the first node of its group that is this one or equal to it.

        Raises:
            NodeNotPresentError: there is none.
        """
        pool = self.node_groups.get(_group_key(node), [])
        # Nodes come back in the order in which they were taken or in the opposite one. The former is the first that
        # remove() looks at; the latter would make it walk through the whole pool every time.
        if pool and pool[-1] is node and type(node).__eq__ is object.__eq__:
            pool.pop()
            return
        with contextlib.suppress(ValueError):
            pool.remove(node)
            return
        # User code may have changed its label after it was added
        for pool in self.node_groups.values():
            for position, member in enumerate(pool):
                if member is node:
                    del pool[position]
                    return
        raise NodeNotPresentError

    def remove_nodes(self, nodes: Iterable[N]) -> None:
        """Remove nodes one by one; at the first absent one it stops, with the earlier ones removed.

        Raises:
            NodeNotPresentError: one was absent.
        """
        for node in list(nodes):
            self.remove_node(node)

    def can_remove_spec(self, cluster_spec: Demand | None) -> bool:
        """Return whether there are enough nodes for a spec, healthy or not."""
        return not self.attempt_remove_spec(cluster_spec)

    def attempt_remove_spec(self, cluster_spec: Demand | None) -> str:
        """Return why a spec cannot be met, without changing anything.

        Args:
            cluster_spec: the required nodes; ``None`` can never be met.

        Returns:
            The reason, or an empty text when there are enough nodes.
        """
        if cluster_spec is None:
            return "Invalid or missing cluster spec"
        required, available = cluster_spec.nodes.grouped_by_os_and_type(), self.grouped_by_os_and_type()
        present_by_os = _by_os(available)
        complaints = []
        for operating_system, wanted in _by_os(required).items():
            present = present_by_os.get(operating_system, 0)
            if present < wanted:
                complaints.append(_complaint(operating_system, wanted, present))
                continue
            for key, number in required.items():
                if key[0] == operating_system and key[1] is not None and available.get(key, 0) < number:
                    complaints.append(_complaint(f"{key[0]}/{key[1]}", number, available.get(key, 0)))
        return "".join(complaints)

    def remove_spec(self, cluster_spec: Demand | None) -> tuple[list[N], list[N]]:
        """Take nodes for a spec out of the container.

        Labelled requirements are served first, then those that take any label: these get nodes without a label, then
        nodes of the label that is most plentiful. Each group is served from its oldest node on. Remote accounts are
        asked once whether they are available, which may block; unhealthy ones leave the container.

        Args:
            cluster_spec: the required nodes.

        Returns:
            The nodes taken (labelled requirements before the others, each sorted by operating system and label), and
            the unhealthy ones met on the way.

        Raises:
            InsufficientResourcesError: there are not enough; nothing has changed.
            InsufficientHealthyNodesError: not enough of them are healthy; only the unhealthy ones are gone, the
                others are where they were.
        """
        reason = self.attempt_remove_spec(cluster_spec)
        if cluster_spec is None or reason:
            raise InsufficientResourcesError(reason)
        selection = _Selection(self.node_groups)
        required = cluster_spec.nodes.grouped_by_os_and_type().items()
        labelled_first = sorted(required, key=lambda item: (item[0][1] is None, str(item[0][0]), str(item[0][1])))
        for (operating_system, node_type), wanted in labelled_first:
            selection.serve(operating_system, node_type, wanted)
        selection.commit()
        if selection.shortage:
            raise InsufficientHealthyNodesError(selection.bad, selection.shortage)
        return selection.good, selection.bad

    def clone(self) -> NodeContainer[N]:
        """Return an independent container with the same nodes."""
        container: NodeContainer[N] = NodeContainer()
        container.node_groups = {key: list(pool) for key, pool in self.node_groups.items()}
        return container


class _Selection(Generic[N]):
    """A choice of nodes, which leaves the pools alone until it is complete."""

    def __init__(self, pools: dict[GroupKey, list[N]]) -> None:
        self.good: list[N] = []
        self.bad: list[N] = []
        self.shortage = ""
        self._pools = pools
        self._healthy: dict[GroupKey, list[N]] = {}
        self._examined: dict[GroupKey, int] = {}

    def serve(self, operating_system: object, node_type: object, wanted: int) -> None:
        """Choose nodes for one group of requirements."""
        if node_type is None:
            keys = [key for key in self._pools if key[0] == operating_system]
            # Nodes with a label are kept for those who ask for them as long as possible
            keys.sort(key=lambda key: (key[1] is not None, self._examined.get(key, 0) - len(self._pools[key])))
        else:
            keys = [key for key in self._pools if key == (operating_system, node_type)]
        found = 0
        for key in keys:
            found += self._choose(key, wanted - found)
        if found < wanted:
            name = operating_system if node_type is None else f"{operating_system}/{node_type}"
            self.shortage += f"{name} nodes requested: {wanted}. Healthy nodes available: {found}. "

    def commit(self) -> None:
        """Take the chosen nodes out; if there are too few, only the unhealthy ones."""
        for key, examined in self._examined.items():
            self._pools[key][:examined] = self._healthy.get(key, []) if self.shortage else []

    def _choose(self, key: GroupKey, wanted: int) -> int:
        start = self._examined.get(key, 0)
        pool = self._pools[key]
        healthy = pool[start : start + wanted]
        examined = start + len(healthy)
        if any(map(_is_account_type, set(map(type, healthy)))):
            healthy, examined = [], start
            while examined < len(pool) and len(healthy) < wanted:
                node: Any = pool[examined]
                is_healthy = not _is_account_type(type(node)) or answer_of(node.available)
                (healthy if is_healthy else self.bad).append(node)
                examined += 1
        self._examined[key] = examined
        if healthy:
            self._healthy.setdefault(key, []).extend(healthy)
        self.good.extend(healthy)
        return len(healthy)


def _group_key(node: object) -> GroupKey:
    return getattr(node, "operating_system", None), getattr(node, "node_type", None)


def _is_account_type(kind: type) -> bool:
    """Recognise remote accounts, the only nodes with a health check, by a mark on their class.

    The class itself cannot be named here: it lives above this module. The mark is looked up on the class, because
    stand-ins of user code answer every attribute of an instance with something true.
    """
    return getattr(kind, "_is_remote_account", False) is True


def _by_os(counts: dict[GroupKey, int]) -> dict[object, int]:
    totals: dict[object, int] = {}
    for (operating_system, _), number in counts.items():
        totals[operating_system] = totals.get(operating_system, 0) + number
    return totals


def _complaint(name: object, wanted: int, present: int) -> str:
    return f"{name} nodes requested: {wanted}. {name} nodes available: {present}. "
