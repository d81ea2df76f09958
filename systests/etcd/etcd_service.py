# SPDX-License-Identifier: Apache-2.0
"""An etcd cluster from Debian's packages, as a service.

Every node needs an address under which the other nodes and the machine of the test reach it. Nodes that share one, such
as those of the localhost cluster, work too, but cannot be cut off from each other.
"""

from __future__ import annotations

import signal
import uuid
from typing import Any

from ducktape.services.service import Service
from ducktape.utils.util import wait_until
from ducktape.utils.wait import Condition, all_of, http, log, wait_for
from systests.etcd.etcd_client import EtcdClient, NoAnswer
from systests.packages import need_packages

PACKAGES = {"etcd-server": "command -v etcd"}
CLIENT_PORT = 2379
PEER_PORT = 2380
FREE_PORTS = """python3 -c 'import socket
sockets = [socket.create_server(("", 0)) for _ in range(2)]
print(*[each.getsockname()[1] for each in sockets])'"""


def address(node: Any) -> str:
    """Where a node is reached; its member listens there and nowhere else."""
    found: str = node.account.externally_routable_ip or node.account.hostname
    return "127.0.0.1" if found == "localhost" else found


class EtcdService(Service):
    """One cluster of etcd, one member on each node.

    Args:
        context: of the test.
        num_nodes: how many members.
    """

    parallel_nodes = True

    def __init__(self, context: Any, num_nodes: int = 3) -> None:
        super().__init__(context, num_nodes=num_nodes)
        # Not the service's id: services of tests that run at the same time can have the same one.
        self.token = f"etcd-{uuid.uuid4().hex}"
        self.work_dir = f"{context.globals.get('work_root', '/tmp')}/{self.token}"
        self.ports: dict[str, list[int]] = {}
        self.members: dict[str, str] = {}
        # Nodes may share a machine, so each has a log file of its own name.
        self.logs = {
            f"etcd_log_{node.name}": {"path": self.log_file(node), "collect_default": True} for node in self.nodes
        }

    # ---- where things are

    def node_dir(self, node: Any) -> str:
        return f"{self.work_dir}-{node.name}"

    def log_file(self, node: Any) -> str:
        return f"{self.node_dir(node)}/etcd-{node.name}.log"

    def url(self, node: Any) -> str:
        """Where clients reach a member."""
        return f"http://{address(node)}:{self.ports[node.name][0]}"

    def others(self, *nodes: Any) -> list[Any]:
        """All nodes but some."""
        return [node for node in self.nodes if node not in nodes]

    # ---- life

    def start(self, **kwargs: Any) -> None:
        """Start all members and wait until they are one cluster."""
        self.for_nodes(lambda node: need_packages(node, PACKAGES))
        if not self.ports:
            self.choose_ports()
        super().start(**kwargs)
        self.wait_until_healthy()
        self.members = {self.client(node).status()["header"]["member_id"]: node.name for node in self.nodes}

    def choose_ports(self) -> None:
        """Every member has to know those of all the others before it starts."""
        if len({address(node) for node in self.nodes}) == self.num_nodes:
            self.ports = {node.name: [CLIENT_PORT, PEER_PORT] for node in self.nodes}
            return
        for node in self.nodes:
            self.ports[node.name] = [int(port) for port in node.account.ssh_output(FREE_PORTS).split()]

    def start_node(self, node: Any, **kwargs: Any) -> None:
        """Start one member, which does not get ready alone; one that was there before goes on with its data."""
        account = node.account
        directory = self.node_dir(node)
        account.mkdirs(directory)
        config = self.render(
            "etcd.yml",
            node=node,
            directory=directory,
            client_url=self.url(node),
            peer_urls={each.name: f"http://{address(each)}:{self.ports[each.name][1]}" for each in self.nodes},
        )
        account.create_file(f"{directory}/etcd.yml", config)
        command = f"nohup etcd --config-file {directory}/etcd.yml >>{self.log_file(node)} 2>&1 </dev/null"
        account.ssh(f"cd {directory} && {{ {command} & echo $! >pid; }}")

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        # A member that is asked to leave waits seconds for others to take over, which are about to leave, too
        self.kill_node(node)

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        node.account.remove(self.node_dir(node), allow_fail=True)

    def kill_node(self, node: Any) -> None:
        """End a member as a crash would."""
        pid = self.pid(node)
        if pid is None:
            return
        node.account.signal(pid, signal.SIGKILL, allow_fail=True)
        wait_until(
            lambda: not node.account.alive(pid),
            timeout_sec=15,
            backoff_sec=0.02,
            err_msg=lambda: f"{self.who_am_i(node)} (process {pid}) cannot be killed",
        )
        node.account.remove(f"{self.node_dir(node)}/pid", allow_fail=True)

    def pid(self, node: Any) -> int | None:
        """The process of a node, if one was started there."""
        output = node.account.ssh_output(f"cat {self.node_dir(node)}/pid", allow_fail=True, combine_stderr=False)
        return int(output) if output.strip() else None

    def pids(self, node: Any) -> list[int]:
        """All processes of a node, for faults that are done to a service."""
        pid = self.pid(node)
        return [] if pid is None else [pid]

    def process(self, node: Any) -> str:
        """What the command line of a member's process begins with, for faults that are done to single nodes."""
        return f"^etcd --config-file {self.node_dir(node)}/"

    def last_words(self, node: Any) -> str:
        """The end of a member's log."""
        text: bytes = node.account.ssh_output(f"tail -n 5 {self.log_file(node)}", allow_fail=True)
        return f"{node.name}: {text.decode(errors='replace')}"

    # ---- conversation

    def client(self, node: Any, timeout_sec: float = 5) -> EtcdClient:
        """A client that asks one member."""
        return EtcdClient(self.url(node), timeout_sec)

    def wait_until_healthy(self, nodes: list[Any] | None = None, timeout_sec: float = 30) -> None:
        """Wait until members, all unless given, work with a leader."""
        wait_for(
            all_of(self.is_healthy(node) for node in (self.nodes if nodes is None else nodes)),
            timeout=timeout_sec,
        )

    def is_healthy(self, node: Any) -> Condition:
        """A member reads through a leader; its log is looked at for the message if it does not."""
        return log(node, self.log_file(node), "serving client traffic") & http(
            f"{self.url(node)}/health", body='"health": *"true"', attempt="1s"
        )

    def wait_until_caught_up(self, node: Any, timeout_sec: float = 20) -> None:
        """Wait until a member knows by itself what a majority knows now."""
        wanted = self.client(node).revision(serializable=False)
        wait_until(
            lambda: self.client(node).revision(serializable=True) >= wanted,
            timeout_sec=timeout_sec,
            backoff_sec=0.05,
            err_msg=lambda: f"{self.who_am_i(node)} does not catch up. {self.last_words(node)}",
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
