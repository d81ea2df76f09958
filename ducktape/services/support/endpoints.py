# SPDX-License-Identifier: Apache-2.0
"""Where the nodes of a service are reached; users derive from ``ProcessService``."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ducktape.errors import DucktapeError
from ducktape.services.service import Service
from ducktape.utils.support.addresses import in_url

if TYPE_CHECKING:
    from ducktape.cluster.cluster_node import ClusterNode


class Endpoints(Service):
    """A service that listens on the same ports of each node, or on free ones where the nodes are this machine."""

    ports: Mapping[str, int] = {}
    local_ports: dict[str, int]  # set by the subclass

    def address(self, node: ClusterNode) -> str:
        """Return the address at which other nodes reach a node; nodes that are this machine have the loopback one."""
        found = node.account.externally_routable_ip or str(node.account.hostname)
        return "127.0.0.1" if found == "localhost" else found

    def port(self, node: ClusterNode, name: str | None = None) -> int:
        """Return a port of the process: the one in ``ports``, or a free one where the nodes are this machine.

        Args:
            node: one of ``nodes``.
            name: a key of ``ports``, by default the first.

        Raises:
            DucktapeError: ``ports`` has no such port.
        """
        if name is None:
            name = next(iter(self.ports), "")
        if name not in self.ports:
            raise DucktapeError(f"{type(self).__name__} has no port {name!r}: its ports are {dict(self.ports)}")
        if not self.address(node).startswith("127."):
            return self.ports[name]
        return self.local_ports.setdefault(f"{node.name} {name}", _free_port())

    def endpoint(self, node: ClusterNode, name: str | None = None) -> str:
        """Return where a port of the process is reached, as ``address:port``.

        Args:
            node: one of ``nodes``.
            name: a key of ``ports``, by default the first.
        """
        return f"{in_url(self.address(node))}:{self.port(node, name)}"

    def others(self, *nodes: ClusterNode) -> list[ClusterNode]:
        """Return all nodes but some.

        Args:
            *nodes: some of ``nodes``.
        """
        return [node for node in self.nodes if node not in nodes]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
