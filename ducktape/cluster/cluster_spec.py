# SPDX-License-Identifier: Apache-2.0
"""Several nodes, as required or as offered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ducktape.cluster.consts import LINUX, SUPPORTED_OS_TYPES, WINDOWS
from ducktape.cluster.node_container import GroupKey, NodeContainer
from ducktape.cluster.node_spec import NodeSpec

__all__ = ["LINUX", "SUPPORTED_OS_TYPES", "WINDOWS", "ClusterSpec", "NodeContainer", "NodeSpec"]


class ClusterSpec:
    """A collection of node specs, in which the same one may occur several times. An empty one is false.

    Args:
        nodes: objects with ``operating_system`` and perhaps ``node_type``, such as node specs or another cluster
            spec; ``None`` means none.

    Attributes:
        nodes: a container of what was given.
    """

    nodes: NodeContainer[Any] = None  # type: ignore[assignment]  # subclasses of user code look at the class attribute

    def __init__(self, nodes: Iterable[object] | None = None) -> None:
        self.nodes = NodeContainer(_groups_of(nodes))

    @staticmethod
    def empty() -> ClusterSpec:
        """Return a spec of no nodes."""
        return ClusterSpec()

    @staticmethod
    def simple_linux(num_nodes: int, node_type: str | None = None) -> ClusterSpec:
        """Return a spec of Linux nodes that all have one label, or may have any."""
        return _counted({(LINUX, node_type): num_nodes})

    @staticmethod
    def from_nodes(nodes: Iterable[object]) -> ClusterSpec:
        """Describe nodes.

        Args:
            nodes: objects with ``operating_system`` and perhaps ``node_type``.

        Returns:
            A spec with one node spec for each of them; equal ones may be one object.

        Raises:
            RuntimeError: one of them has an unsupported operating system.
        """
        groups = _groups_of(nodes)
        container = groups if isinstance(groups, NodeContainer) else NodeContainer(groups)
        return _counted(container.grouped_by_os_and_type())

    def size(self) -> int:
        """Return the number of nodes."""
        return self.nodes.size()

    def __len__(self) -> int:
        return self.size()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.nodes)

    def add(self, other: Iterable[object]) -> ClusterSpec:
        """Add the nodes of another spec to this one.

        Args:
            other: stays as it is.

        Returns:
            This spec, changed.
        """
        self.nodes.add_nodes(_groups_of(other) or ())
        return self

    def __add__(self, other: object) -> ClusterSpec:
        if not isinstance(other, ClusterSpec):
            return NotImplemented
        return self.clone().add(other)

    def clone(self) -> ClusterSpec:
        """Return an independent spec with the same node specs."""
        spec = ClusterSpec()
        spec.nodes = self.nodes.clone()
        return spec

    def without_node_types(self) -> ClusterSpec:
        """Return a new spec that asks for as many nodes of each operating system, whatever their labels."""
        totals: dict[GroupKey, int] = {}
        for (operating_system, _), number in self.nodes.grouped_by_os_and_type().items():
            key = (operating_system, None)
            totals[key] = totals.get(key, 0) + number
        return _counted(totals)

    def __str__(self) -> str:
        described = []
        for (operating_system, node_type), number in self.nodes.grouped_by_os_and_type().items():
            if number:
                kind = (
                    {"os": operating_system} if node_type is None else {"os": operating_system, "node_type": node_type}
                )
                described.append((json.dumps(kind, sort_keys=True, default=str), {**kind, "num_nodes": number}))
        described.sort(key=lambda pair: pair[0])
        return json.dumps([kind for _, kind in described], sort_keys=True, default=str)


def _groups_of(nodes: Iterable[object] | None) -> Iterable[object] | None:
    """Look into a spec for its container: whole groups are faster to copy than single nodes."""
    return nodes.nodes if isinstance(nodes, ClusterSpec) else nodes


def _counted(counts: dict[GroupKey, int]) -> ClusterSpec:
    """Build a spec from numbers, with one shared node spec per group."""
    spec = ClusterSpec()
    spec.nodes.node_groups = {key: [NodeSpec(*key)] * number for key, number in counts.items() if number > 0}
    return spec
