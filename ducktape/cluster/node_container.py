# SPDX-License-Identifier: Apache-2.0
"""Pools of nodes, and the arithmetic of taking nodes out of them.

Everything that can be decided by counting is decided by counting: clusters have up to a thousand nodes, and the
questions are asked for every waiting test at every step of the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from ducktape.utils.support.hooks import answer_of

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

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.bad_nodes, *self.args)


class Demand(Protocol):
    """Required nodes: anything with a container of requirements, such as a ``ClusterSpec``."""

    nodes: NodeContainer


class NodeContainer:
    """Nodes of any kind, grouped by operating system and label.

    Args:
        nodes: objects with the attributes ``operating_system`` and ``node_type``; one that is missing counts as
            ``None``.

    Attributes:
        node_groups: ``(operating system, label)`` to the nodes of that group, oldest first. A group that ran empty
            keeps its place.
    """

    def __init__(self, nodes: Iterable[Any] | None = None) -> None:
        self.node_groups: dict[GroupKey, list[Any]] = {}
        if nodes is not None:
            self.add_nodes(nodes)

    @property
    def os_to_nodes(self) -> Mapping[Any, list[Any]]:
        """The nodes of each operating system, whatever their labels: a snapshot under an older name."""
        by_os: dict[Any, list[Any]] = {}
        for (operating_system, _), pool in self.node_groups.items():
            by_os.setdefault(operating_system, []).extend(pool)
        return MappingProxyType(by_os)

    def size(self) -> int:
        """Return the number of nodes in all groups."""
        return sum(map(len, self.node_groups.values()))

    def __len__(self) -> int:
        return self.size()

    def __iter__(self) -> Iterator[Any]:
        return self.elements()

    def elements(self, operating_system: str | None = None, node_type: str | None = None) -> Iterator[Any]:
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

    def add_node(self, node: Any) -> None:
        """Append a node to its group."""
        self.node_groups.setdefault(_group_key(node), []).append(node)

    def add_nodes(self, nodes: Iterable[Any]) -> None:
        """Append nodes to their groups, in order."""
        if not isinstance(nodes, NodeContainer):
            for node in nodes:
                self.add_node(node)
            return
        for key, pool in list(nodes.node_groups.items()):
            if pool:
                self.node_groups.setdefault(key, []).extend(pool)

    def remove_node(self, node: Any) -> None:
        """Remove the first node of its group that is this one or equal to it.

        Raises:
            NodeNotPresentError: there is none.
        """
        self._remove(_group_key(node), node)

    def move_node(self, node: Any, destination: NodeContainer) -> None:
        """Remove a node as ``remove_node`` does and append it to another container.

        Raises:
            NodeNotPresentError: the node is not here; the other container is unchanged.
        """
        key = _group_key(node)
        self._remove(key, node)
        destination.node_groups.setdefault(key, []).append(node)

    def _remove(self, key: GroupKey, node: Any) -> None:
        if not _discard(self.node_groups.get(key, []), node) and not self._discard_relabelled(node):
            raise NodeNotPresentError

    def _discard_relabelled(self, node: Any) -> bool:
        """Find a node whose label was changed by user code after it was added."""
        for pool in self.node_groups.values():
            for position, member in enumerate(pool):
                if member is node:
                    del pool[position]
                    return True
        return False

    def remove_nodes(self, nodes: Iterable[Any]) -> None:
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
        return _shortage(cluster_spec.nodes.grouped_by_os_and_type(), self.grouped_by_os_and_type())

    def remove_spec(self, cluster_spec: Demand | None) -> tuple[list[Any], list[Any]]:
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
        selection = self._select(cluster_spec)
        return selection.good, selection.bad

    def move_spec(self, cluster_spec: Demand | None, destination: NodeContainer) -> tuple[list[Any], list[Any]]:
        """Take nodes for a spec as ``remove_spec`` does and append them to another container.

        Returns and raises what ``remove_spec`` does; the other container gets the healthy nodes only.
        """
        selection = self._select(cluster_spec)
        for key, nodes in selection.healthy.items():
            destination.node_groups.setdefault(key, []).extend(nodes)
        return selection.good, selection.bad

    def _select(self, cluster_spec: Demand | None) -> _Selection:
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
        return selection

    def clone(self) -> NodeContainer:
        """Return an independent container with the same nodes."""
        container = NodeContainer()
        container.node_groups = {key: list(pool) for key, pool in self.node_groups.items()}
        return container


class _Selection:
    """A choice of nodes, which leaves the pools alone until it is complete."""

    def __init__(self, pools: dict[GroupKey, list[Any]]) -> None:
        self.good: list[Any] = []
        self.bad: list[Any] = []
        self.shortage = ""
        self._pools = pools
        self.healthy: dict[GroupKey, list[Any]] = {}
        self._examined: dict[GroupKey, int] = {}

    def serve(self, operating_system: Any, node_type: Any, wanted: int) -> None:
        """Choose nodes for one group of requirements."""
        found = 0
        for key in self._eligible(operating_system, node_type):
            found += self._choose(key, wanted - found)
        if found < wanted:
            name = operating_system if node_type is None else f"{operating_system}/{node_type}"
            self.shortage += f"{name} nodes requested: {wanted}. Healthy nodes available: {found}. "

    def commit(self) -> None:
        """Take the chosen nodes out; if there are too few, only the unhealthy ones."""
        for key, examined in self._examined.items():
            self._pools[key][:examined] = self.healthy.get(key, []) if self.shortage else []

    def _eligible(self, operating_system: Any, node_type: Any) -> list[GroupKey]:
        if node_type is not None:
            return [key for key in self._pools if key == (operating_system, node_type)]
        keys = [key for key in self._pools if key[0] == operating_system]
        # Nodes with a label are kept for those who ask for them as long as possible
        return sorted(keys, key=lambda key: (key[1] is not None, self._examined.get(key, 0) - len(self._pools[key])))

    def _choose(self, key: GroupKey, wanted: int) -> int:
        start = self._examined.get(key, 0)
        pool = self._pools[key]
        healthy = pool[start : start + wanted]
        examined = start + len(healthy)
        if any(map(_is_account_type, set(map(type, healthy)))):
            healthy, examined = self._choose_healthy(pool, start, wanted)
        self._examined[key] = examined
        if healthy:
            self.healthy.setdefault(key, []).extend(healthy)
        self.good.extend(healthy)
        return len(healthy)

    def _choose_healthy(self, pool: list[Any], start: int, wanted: int) -> tuple[list[Any], int]:
        healthy: list[Any] = []
        position = start
        while position < len(pool) and len(healthy) < wanted:
            node = pool[position]
            (healthy if _is_healthy(node) else self.bad).append(node)
            position += 1
        return healthy, position


def _group_key(node: Any) -> GroupKey:
    return getattr(node, "operating_system", None), getattr(node, "node_type", None)


def _is_account_type(kind: type) -> bool:
    """Recognise remote accounts, the only nodes with a health check, by a mark on their class.

    The class itself cannot be named here: it lives above this module. The mark is looked up on the class, because
    stand-ins of user code answer every attribute of an instance with something true.
    """
    return getattr(kind, "_is_remote_account", False) is True


def _is_healthy(node: Any) -> bool:
    return not _is_account_type(type(node)) or bool(answer_of(node.available))


def _discard(pool: list[Any], node: Any) -> bool:
    # Nodes come back in the order in which they were taken or in the opposite one. The former is the first that
    # remove() looks at; the latter would make it walk through the whole pool every time.
    kind: Any = type(node)
    if pool and pool[-1] is node and kind.__eq__ is object.__eq__:
        pool.pop()
        return True
    try:
        pool.remove(node)
    except ValueError:
        return False
    return True


def _shortage(required: dict[GroupKey, int], available: dict[GroupKey, int]) -> str:
    """Compare group counts and return the complaints, one per operating system or label."""
    complaints = []
    for operating_system, wanted in _by_os(required).items():
        present = _by_os(available).get(operating_system, 0)
        if present < wanted:
            complaints.append(_complaint(operating_system, wanted, present))
            continue
        for key, number in required.items():
            if key[0] == operating_system and key[1] is not None and available.get(key, 0) < number:
                complaints.append(_complaint(f"{key[0]}/{key[1]}", number, available.get(key, 0)))
    return "".join(complaints)


def _by_os(counts: dict[GroupKey, int]) -> dict[Any, int]:
    totals: dict[Any, int] = {}
    for (operating_system, _), number in counts.items():
        totals[operating_system] = totals.get(operating_system, 0) + number
    return totals


def _complaint(name: str, wanted: int, present: int) -> str:
    return f"{name} nodes requested: {wanted}. {name} nodes available: {present}. "
