# SPDX-License-Identifier: Apache-2.0
"""An etcd cluster from Debian's packages, as a service.

Every node needs an address under which the other nodes and the machine of the test reach it. Nodes that share one, such
as those of the localhost cluster, work too, but cannot be cut off from each other.
"""

from __future__ import annotations

from typing import Any

from ducktape.services.process import ProcessService
from ducktape.utils.wait import Condition, http
from systests.etcd.etcd_client import EtcdClient
from systests.packages import need_packages

PACKAGES = {"etcd-server": "command -v etcd"}


class EtcdService(ProcessService):
    """One cluster of etcd, one member on each node.

    Args:
        context: of the test.
        num_nodes: how many members.
    """

    name = "etcd"
    ports = {"client": 2379, "peer": 2380}
    templates = ("etcd.yml",)
    start_timeout_sec = 30
    # A member that is asked to leave waits seconds for others to take over, which are about to leave, too
    stop_signal = "KILL"

    def prepare(self, node: Any) -> None:
        need_packages(node, PACKAGES)

    def command(self, node: Any) -> str:
        return f"etcd --config-file {self.work_dir(node)}/etcd.yml"

    def ready(self, node: Any) -> Condition:
        """A member reads through a leader, so it does not get ready alone."""
        return http(f"{self.url(node)}/health", body='"health": *"true"', attempt="1s")

    # ---- conversation

    def url(self, node: Any, port: str = "client") -> str:
        """Where clients, or the other members, reach a member."""
        return f"http://{self.endpoint(node, port)}"

    def client(self, node: Any, timeout_sec: float = 5) -> EtcdClient:
        """A client that asks one member."""
        return EtcdClient(self.url(node), timeout_sec)

    def wait_until_caught_up(self, node: Any, timeout_sec: float = 20) -> None:
        """Wait until a member knows by itself what a majority knows now."""
        client = self.client(node)
        wanted = client.revision(serializable=False)
        self.wait_until(
            lambda: client.revision(serializable=True) >= wanted, f"revision {wanted} on {node.name}", timeout_sec
        )

    def wait_for_leader(self, *nodes: Any, timeout_sec: float = 20) -> Any:
        """Wait until members, all unless given, agree that one of them is the leader, and return its node."""
        members = nodes or self.nodes
        names = [node.name for node in members]
        return self.wait_until(lambda: self.common_leader(members), f"a leader that {names} agree on", timeout_sec)

    def common_leader(self, nodes: Any) -> Any:
        """The one of some nodes that all of them take for the leader, if there is one."""
        answers = [self.client(node, timeout_sec=1).status() for node in nodes]
        members = {answer["header"]["member_id"]: node for answer, node in zip(answers, nodes, strict=True)}
        named = {answer.get("leader", "0") for answer in answers}
        return members.get(named.pop()) if len(named) == 1 else None
