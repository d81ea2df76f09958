# SPDX-License-Identifier: Apache-2.0
"""An etcd cluster from Debian's packages, as a service.

Every node needs an address under which the other nodes and the machine of the test reach it. Nodes that share one, such
as those of the localhost cluster, work too, but cannot be cut off from each other.
"""

from __future__ import annotations

from typing import Any

from ducktape.services.process import ProcessService
from ducktape.utils.util import wait_until
from ducktape.utils.wait import Condition, all_of, http, wait_for
from systests.etcd.etcd_client import EtcdClient, NoAnswer
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
    start_timeout_sec = 30
    # A member that is asked to leave waits seconds for others to take over, which are about to leave, too
    stop_signal = "KILL"

    def __init__(self, context: Any, num_nodes: int = 3) -> None:
        self.work_root = context.globals.get("work_root", "/tmp")
        self.members: dict[str, str] = {}
        super().__init__(context, num_nodes=num_nodes)

    def url(self, node: Any, port: str = "client") -> str:
        """Where clients, or the other members, reach a member."""
        return f"http://{self.address(node)}:{self.port(node, port)}"

    def others(self, *nodes: Any) -> list[Any]:
        """All nodes but some."""
        return [node for node in self.nodes if node not in nodes]

    # ---- life

    def start(self, **kwargs: Any) -> None:
        """Start all members and wait until they are one cluster."""
        self.for_nodes(lambda node: need_packages(node, PACKAGES))
        super().start(**kwargs)
        self.wait_until_healthy()
        self.members = {self.client(node).status()["header"]["member_id"]: node.name for node in self.nodes}

    def files(self, node: Any) -> dict[str, str]:
        return {"etcd.yml": self.template("etcd.yml", node)}

    def command(self, node: Any) -> str:
        return f"etcd --config-file {self.work_dir(node)}/etcd.yml"

    def start_node(self, node: Any, **kwargs: Any) -> None:
        """Start one member, which does not get ready alone; one that was there before goes on with its data."""
        self.launch(node)

    def ready(self, node: Any) -> Condition:
        """A member reads through a leader."""
        return self.logged(node, "serving client traffic") & http(
            f"{self.url(node)}/health", body='"health": *"true"', attempt="1s"
        )

    # ---- conversation

    def client(self, node: Any, timeout_sec: float = 5) -> EtcdClient:
        """A client that asks one member."""
        return EtcdClient(self.url(node), timeout_sec)

    def wait_until_healthy(self, nodes: list[Any] | None = None, timeout_sec: float = 30) -> None:
        """Wait until members, all unless given, work with a leader."""
        wait_for(all_of(self.ready(node) for node in (self.nodes if nodes is None else nodes)), timeout=timeout_sec)

    def wait_until_caught_up(self, node: Any, timeout_sec: float = 20) -> None:
        """Wait until a member knows by itself what a majority knows now."""
        wanted = self.client(node).revision(serializable=False)
        wait_until(
            lambda: self.client(node).revision(serializable=True) >= wanted,
            timeout_sec=timeout_sec,
            backoff_sec=0.05,
            err_msg=lambda: f"{self.who_am_i(node)} does not catch up. {self.tail_of_log(node)}",
        )

    def wait_for_leader(self, nodes: list[Any] | None = None, timeout_sec: float = 20) -> Any:
        """Wait until members, all unless given, agree that one of them is the leader, and return its node."""
        asked = self.nodes if nodes is None else nodes
        named: list[Any] = []

        def agree() -> bool:
            named[:] = [self.named_leader(node) for node in asked]
            return named[0] in asked and len(set(named)) == 1

        wait_until(
            agree,
            timeout_sec=timeout_sec,
            backoff_sec=0.05,
            err_msg=lambda: f"{[node.name for node in asked]} take for their leader: {[str(node) for node in named]}",
        )
        return named[0]

    def named_leader(self, node: Any) -> Any:
        """The node that a member takes for the leader, nothing if it has none or does not answer."""
        try:
            name = self.members.get(self.client(node, timeout_sec=1).status().get("leader", "0"))
        except NoAnswer:
            return None
        return next((each for each in self.nodes if each.name == name), None)
