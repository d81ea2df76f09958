# SPDX-License-Identifier: Apache-2.0
"""An ensemble of ZooKeeper servers from Debian's package, and a load, as services.

The servers listen at the addresses of their nodes, on the usual ports. Nodes that are all this machine work too: their
servers get free ports, but they cannot be cut off from each other.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import uuid
from typing import Any

from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.service import Service
from ducktape.utils.util import wait_until
from systests.packages import need_packages

HERE = os.path.dirname(os.path.abspath(__file__))
# Packages are for the interpreter of the system, and there may be others
PYTHON = "/usr/bin/python3"
CLIENT_PACKAGES = {"python3-kazoo": "test -e /usr/lib/python3/dist-packages/kazoo/client.py"}
SERVER_PACKAGES = {"zookeeper": "test -e /usr/share/java/zookeeper.jar && command -v java", **CLIENT_PACKAGES}
PORTS = {"client": 2181, "quorum": 2888, "election": 3888}
FREE_PORTS = """python3 -c 'import socket
sockets = [socket.create_server(("", 0)) for _ in range(3)]
print(*[each.getsockname()[1] for each in sockets])'"""
# A small heap and a quick start: these servers live for seconds
JAVA = (
    "java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:CompileThresholdScaling=4 -XX:-UsePerfData "
    "-Dorg.slf4j.simpleLogger.showDateTime=true '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS' "
    "-cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar "
    "org.apache.zookeeper.server.quorum.QuorumPeerMain"
)


def address(node: Any) -> str:
    """Where other nodes reach a node; the servers listen there and nowhere else."""
    found: str = node.account.externally_routable_ip or node.account.hostname
    return "127.0.0.1" if found == "localhost" else found


class ZookeeperService(Service):
    """An ensemble, one server on each node.

    ``"broken"`` in ``--globals`` configures it badly on purpose: ``"weights"`` makes one server a majority by itself,
    ``"volatile"`` keeps the data where a restart does not find it again.

    Args:
        context: of the test.
        num_nodes: how many servers.
    """

    parallel_nodes = True

    def __init__(self, context: Any, num_nodes: int = 3) -> None:
        super().__init__(context, num_nodes=num_nodes)
        self.broken = context.globals.get("broken", "")
        self.ports: dict[str, dict[str, int]] = {}
        # Not the service's id: services of tests that run at the same time can have the same one.
        self.work_dir = f"{context.globals.get('work_root', '/tmp')}/zookeeper-{uuid.uuid4().hex}"
        # Nodes may share a machine, so each has a log file of its own name.
        self.logs = {
            f"zookeeper_log_{node.name}": {"path": self.log_file(node), "collect_default": True} for node in self.nodes
        }

    # ---- where things are

    def node_dir(self, node: Any) -> str:
        return f"{self.work_dir}-{node.name}"

    def log_file(self, node: Any) -> str:
        return f"{self.node_dir(node)}/zookeeper-{node.name}.log"

    def servers(self, *nodes: Any) -> str:
        """Where clients find the servers of some nodes, of all unless given."""
        return ",".join(f"{address(node)}:{self.ports[node.name]['client']}" for node in nodes or self.nodes)

    def choose_ports(self, node: Any) -> dict[str, int]:
        if not address(node).startswith("127."):
            return PORTS
        return dict(zip(PORTS, map(int, node.account.ssh_output(FREE_PORTS).split()), strict=True))

    # ---- life

    def start(self, **kwargs: Any) -> None:
        """Start all servers at the same time, since none is of use before a majority runs."""
        self.for_nodes(lambda node: need_packages(node, SERVER_PACKAGES))
        # Servers that are started once more stay where they were
        for node in self.nodes:
            self.ports.setdefault(node.name, self.choose_ports(node))
        super().start(**kwargs)
        self.wait_for_leader(self.nodes)

    def start_node(self, node: Any, **kwargs: Any) -> None:
        account = node.account
        directory = self.node_dir(node)
        data_dir = f"{directory}/data"
        account.mkdirs(data_dir)
        if self.broken == "volatile":
            account.ssh(f"rm -rf {data_dir}/*")
        account.create_file(f"{data_dir}/myid", f"{self.idx(node)}\n")
        config = self.render("zoo.cfg", node=node, data_dir=data_dir, address=address)
        account.create_file(f"{directory}/zoo.cfg", config)
        account.copy_to(os.path.join(HERE, "zk_client.py"), directory)
        account.ssh(
            f"cd {directory} && {{ nohup {JAVA} {directory}/zoo.cfg >>{self.log_file(node)} 2>&1 </dev/null & "
            f"echo $! >pid; }}"
        )

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        self.end(node, signal.SIGTERM)

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        node.account.remove(self.node_dir(node), allow_fail=True)

    def kill_node(self, node: Any) -> None:
        self.end(node, signal.SIGKILL)

    def end(self, node: Any, sig: signal.Signals) -> None:
        pid = self.pid(node)
        if pid is None:
            return
        node.account.signal(pid, sig, allow_fail=True)
        wait_until(
            lambda: not node.account.alive(pid),
            timeout_sec=15,
            backoff_sec=0.05,
            err_msg=lambda: f"{self.who_am_i(node)} (process {pid}) does not end by {sig.name}",
        )
        node.account.remove(f"{self.node_dir(node)}/pid", allow_fail=True)

    def dump(self, node: Any) -> None:
        """Let a server write into its log what its threads do; called when the time of a test is over."""
        pid = self.pid(node)
        if pid is not None:
            node.account.signal(pid, signal.SIGQUIT, allow_fail=True)

    def pid(self, node: Any) -> int | None:
        """The process of a node, if one was started there."""
        output = node.account.ssh_output(f"cat {self.node_dir(node)}/pid", allow_fail=True, combine_stderr=False)
        return int(output) if output.strip() else None

    # ---- who leads

    def mode(self, node: Any) -> str:
        """What the server of a node is: ``leader`` or ``follower``; empty if it serves nobody."""
        port = self.ports[node.name]["client"]
        ask = f"exec 3<>/dev/tcp/{address(node)}/{port} && printf srvr >&3 && timeout 5 cat <&3"
        output: bytes = node.account.ssh_output(f"bash -c '{ask}'", allow_fail=True, combine_stderr=False)
        modes = [line[6:] for line in output.decode().splitlines() if line.startswith("Mode: ")]
        return modes[0] if modes else ""

    def leader(self, nodes: list[Any]) -> Any | None:
        """The node that leads all these nodes, if there is one."""
        modes = self.for_nodes(lambda node: self.mode(node) if node in nodes else None)
        leaders = [node for node, mode in zip(self.nodes, modes, strict=True) if mode == "leader"]
        return leaders[0] if len(leaders) == 1 and modes.count("follower") == len(nodes) - 1 else None

    def wait_for_leader(self, nodes: list[Any], timeout_sec: float = 60) -> Any:
        """Wait until one of some nodes leads all the others of them; return it."""
        found: list[Any] = []

        def there_is_a_leader() -> bool:
            found[:] = [self.leader(nodes)]
            return found[0] is not None

        wait_until(
            there_is_a_leader,
            timeout_sec=timeout_sec,
            backoff_sec=0.2,
            err_msg=lambda: "there is no leader with all followers. " + "; ".join(map(self.describe, nodes)),
        )
        return found[0]

    def describe(self, node: Any) -> str:
        """What a node is and what it said last, for an error message."""
        text = node.account.ssh_output(f"tail -n 3 {self.log_file(node)}", allow_fail=True).decode(errors="replace")
        return f"{node.name} is {self.mode(node) or 'nothing'} and said: {text}"

    # ---- conversation

    def write(self, node: Any, key: str, seconds: float) -> dict[str, Any]:
        """Try to write a key through the server of one node alone, and return whether it was acknowledged."""
        return self.client(node, "write", self.servers(node), key, str(seconds))

    def data(self, node: Any) -> dict[str, str]:
        """All keys and values that the server of a node has."""
        data: dict[str, str] = self.client(node, "read", self.servers(node))["data"]
        return data

    def client(self, node: Any, *arguments: str) -> dict[str, Any]:
        command = shlex.join([PYTHON, f"{self.node_dir(node)}/zk_client.py", *arguments])
        answer: dict[str, Any] = json.loads(node.account.ssh_output(command, combine_stderr=False))
        return answer


class ZookeeperLoad(BackgroundThreadService):
    """Clients that write without a break, one on each node, and remember what was acknowledged.

    Args:
        context: of the test.
        num_nodes: how many clients.
        zookeeper: where they write to.
    """

    def __init__(self, context: Any, num_nodes: int, zookeeper: ZookeeperService) -> None:
        super().__init__(context, num_nodes=num_nodes)
        self.zookeeper = zookeeper
        self.work_dir = f"{context.globals.get('work_root', '/tmp')}/zookeeper-load-{uuid.uuid4().hex}"
        self.pids: dict[str, int] = {}
        self.acknowledged: list[str] = []
        self.slowest_seconds = 0.0

    def node_dir(self, node: Any) -> str:
        return f"{self.work_dir}-{node.name}"

    def _worker(self, idx: int, node: Any) -> None:
        need_packages(node, CLIENT_PACKAGES)
        directory = self.node_dir(node)
        node.account.mkdirs(directory)
        node.account.copy_to(os.path.join(HERE, "zk_client.py"), directory)
        command = f"exec {PYTHON} {directory}/zk_client.py load {self.zookeeper.servers()} client{idx} </dev/null"
        for event in node.account.ssh_capture(command, callback=json.loads, combine_stderr=False):
            self.take(node, event)

    def take(self, node: Any, event: dict[str, Any]) -> None:
        with self.lock:
            if "pid" in event:
                self.pids[node.name] = event["pid"]
            elif "key" in event:
                self.acknowledged.append(event["key"])
            else:
                self.slowest_seconds = max(self.slowest_seconds, event["slowest_seconds"])

    def wait_for_writes(self, more: int, timeout_sec: float = 60) -> None:
        """Wait until that many more writes were acknowledged."""
        begin = len(self.acknowledged)
        wait_until(
            lambda: self.errors or len(self.acknowledged) >= begin + more,
            timeout_sec=timeout_sec,
            backoff_sec=0.05,
            err_msg=lambda: f"only {len(self.acknowledged) - begin} of {more} writes were acknowledged",
        )
        assert not self.errors, self.errors

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        worker = self.worker_threads.get(self.idx(node))
        if worker is None:
            return
        wait_until(
            lambda: node.name in self.pids or not worker.is_alive(),
            timeout_sec=60,
            err_msg="the client does not start",
        )
        if worker.is_alive():
            node.account.signal(self.pids[node.name], signal.SIGTERM, allow_fail=True)
        assert self.wait_node(node, timeout_sec=20), f"{self.who_am_i(node)} does not end"

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        node.account.remove(self.node_dir(node), allow_fail=True)
