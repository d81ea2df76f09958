# SPDX-License-Identifier: Apache-2.0
"""An ensemble of ZooKeeper servers from Debian's package, and a load, as services.

The servers listen at the addresses of their nodes, on the usual ports. Nodes that are all this machine work too: their
servers get free ports, but they cannot be cut off from each other.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from ducktape.services.process import ProcessService
from ducktape.services.workload import Workload
from ducktape.utils.util import wait_until
from systests.packages import need_packages

CLIENT = Path(__file__).with_name("zk_client.py")
# Packages are for the interpreter of the system, and there may be others
PYTHON = "/usr/bin/python3"
CLIENT_PACKAGES = {"python3-kazoo": "test -e /usr/lib/python3/dist-packages/kazoo/client.py"}
SERVER_PACKAGES = {"zookeeper": "test -e /usr/share/java/zookeeper.jar && command -v java", **CLIENT_PACKAGES}
# A small heap and a quick start: these servers live for seconds
JAVA = (
    "java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:CompileThresholdScaling=4 -XX:-UsePerfData "
    "-Dorg.slf4j.simpleLogger.showDateTime=true '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS' "
    "-cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar "
    "org.apache.zookeeper.server.quorum.QuorumPeerMain"
)


class ZookeeperService(ProcessService):
    """An ensemble, one server on each node.

    ``"broken"`` in ``--globals`` configures it badly on purpose: ``"weights"`` makes one server a majority by itself,
    ``"volatile"`` keeps the data where a restart does not find it again.

    Args:
        context: of the test.
        num_nodes: how many servers.
    """

    name = "zookeeper"
    ports = {"client": 2181, "quorum": 2888, "election": 3888}

    def __init__(self, context: Any, num_nodes: int = 3) -> None:
        self.work_root = context.globals.get("work_root", "/tmp")
        self.broken = context.globals.get("broken", "")
        super().__init__(context, num_nodes=num_nodes)

    def servers(self, *nodes: Any) -> str:
        """Where clients find the servers of some nodes, of all unless given."""
        return ",".join(f"{self.address(node)}:{self.port(node, 'client')}" for node in nodes or self.nodes)

    # ---- life

    def start(self, **kwargs: Any) -> None:
        """Start all servers at the same time, since none is of use before a majority runs."""
        self.for_nodes(lambda node: need_packages(node, SERVER_PACKAGES))
        super().start(**kwargs)
        self.wait_for_leader(self.nodes)

    def files(self, node: Any) -> dict[str, str]:
        return {
            "zoo.cfg": self.template("zoo.cfg", node),
            "data/myid": f"{self.idx(node)}\n",
            CLIENT.name: CLIENT.read_text(),
        }

    def command(self, node: Any) -> str:
        return f"{JAVA} {self.work_dir(node)}/zoo.cfg"

    def start_node(self, node: Any, **kwargs: Any) -> None:
        if self.broken == "volatile":
            node.account.remove(f"{self.work_dir(node)}/data", allow_fail=True)
        super().start_node(node, **kwargs)

    def dump(self, node: Any) -> None:
        """Let a server write into its log what its threads do; called when the time of a test is over."""
        self.signal_node(node, "QUIT")

    # ---- who leads

    def mode(self, node: Any) -> str:
        """What the server of a node is: ``leader`` or ``follower``; empty if it serves nobody."""
        place = f"{self.address(node)}/{self.port(node, 'client')}"
        ask = f"exec 3<>/dev/tcp/{place} && printf srvr >&3 && timeout 5 cat <&3"
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
        return f"{node.name} is {self.mode(node) or 'nothing'} and said: {self.tail_of_log(node)}"

    # ---- conversation

    def write(self, node: Any, key: str, seconds: float) -> dict[str, Any]:
        """Try to write a key through the server of one node alone, and return whether it was acknowledged."""
        return self.client(node, "write", self.servers(node), key, str(seconds))

    def data(self, node: Any) -> dict[str, str]:
        """All keys and values that the server of a node has."""
        data: dict[str, str] = self.client(node, "read", self.servers(node))["data"]
        return data

    def client(self, node: Any, *arguments: str) -> dict[str, Any]:
        command = shlex.join([PYTHON, f"{self.work_dir(node)}/{CLIENT.name}", *arguments])
        answer: dict[str, Any] = json.loads(node.account.ssh_output(command, combine_stderr=False))
        return answer


class ZookeeperLoad(Workload):
    """Clients that write without a break, one on each node, and remember what was acknowledged.

    Args:
        context: of the test.
        num_nodes: how many clients.
        zookeeper: where they write to.
    """

    def __init__(self, context: Any, num_nodes: int, zookeeper: ZookeeperService) -> None:
        super().__init__(context, num_nodes=num_nodes)
        self.zookeeper = zookeeper
        self.program = f"{zookeeper.work_root}/{zookeeper.instance}-client.py"
        self.acknowledged: list[str] = []
        self.slowest_seconds = 0.0

    def work(self, idx: int, node: Any) -> None:
        need_packages(node, CLIENT_PACKAGES)
        node.account.create_file(self.program, CLIENT.read_text())
        arguments = f"load {self.zookeeper.servers()} client{idx}"
        for event in map(json.loads, self.lines(node, f"{PYTHON} {self.program} {arguments}")):
            if "key" in event:
                self.acknowledged.append(event["key"])
                self.count("writes")
            else:
                self.slowest_seconds = max(self.slowest_seconds, event["slowest_seconds"])

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        node.account.remove(self.program, allow_fail=True)
