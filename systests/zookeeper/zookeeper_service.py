# SPDX-License-Identifier: Apache-2.0
"""An ensemble of ZooKeeper servers from Debian's package, and a load, as services.

The servers listen at the addresses of their nodes, on the usual ports. Nodes that are all this machine work too: their
servers get free ports, but they cannot be cut off from each other.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ducktape.services.process import ProcessService
from ducktape.services.workload import Workload
from ducktape.utils.wait import Condition, condition
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
    templates = ("zoo.cfg",)

    def __init__(self, context: Any, num_nodes: int = 3) -> None:
        self.broken = context.globals.get("broken", "")
        super().__init__(context, num_nodes)

    def files(self, node: Any) -> dict[str, str | Path]:
        return {"data/myid": f"{self.idx(node)}\n", CLIENT.name: CLIENT}

    def prepare(self, node: Any) -> None:
        need_packages(node, SERVER_PACKAGES)
        if self.broken == "volatile":
            node.account.remove(f"{self.work_dir(node)}/data/version-2", allow_fail=True)

    def command(self, node: Any) -> str:
        return f"{JAVA} {self.work_dir(node)}/zoo.cfg"

    def ready(self, node: Any) -> Condition:
        """A server leads or follows, which none does before a majority runs."""
        return condition(lambda: self.mode(node), f"{node.name} leads or follows")

    def dump(self, node: Any) -> None:
        """Let a server write into its log what its threads do; called when the time of a test is over."""
        self.signal_node(node, "QUIT")

    # ---- who leads

    def mode(self, node: Any) -> str:
        """What the server of a node is: ``leader`` or ``follower``; empty if it serves nobody."""
        ask = f"exec 3<>/dev/tcp/{self.address(node)}/{self.port(node)} && printf srvr >&3 && timeout 5 cat <&3"
        modes = re.findall("^Mode: (.*)$", self.output_of(node, ["bash", "-c", ask], allow_fail=True), re.MULTILINE)
        return modes[0] if modes else ""

    def wait_for_leader(self, *nodes: Any, timeout_sec: float = 60) -> Any:
        """Wait until one of some nodes, by default of all, leads all the others of them; return it."""
        members = nodes or self.nodes
        names = [node.name for node in members]
        return self.wait_until(lambda: self.leader(members), f"a leader of {names}", timeout_sec)

    def leader(self, nodes: Any) -> Any:
        """The one of some nodes that leads all the others, if there is one."""
        modes = {node.name: self.mode(node) for node in nodes}
        assert sorted(modes.values()) == ["follower"] * (len(nodes) - 1) + ["leader"], str(modes)
        return next(node for node in nodes if modes[node.name] == "leader")

    # ---- conversation

    def servers(self, *nodes: Any) -> str:
        """Where clients find the servers of some nodes, of all unless given."""
        return ",".join(self.endpoint(node) for node in nodes or self.nodes)

    def write(self, node: Any, key: str, seconds: float) -> dict[str, Any]:
        """Try to write a key through the server of one node alone, and return whether it was acknowledged."""
        return self.client(node, "write", self.servers(node), key, str(seconds))

    def data(self, node: Any) -> dict[str, str]:
        """All keys and values that the server of a node has."""
        data: dict[str, str] = self.client(node, "read", self.servers(node))["data"]
        return data

    def client(self, node: Any, *arguments: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.output_of(node, [PYTHON, CLIENT.name, *arguments]))
        return answer


class ZookeeperLoad(Workload):
    """Clients that write without a break, one on each node, and remember what was acknowledged.

    Args:
        context: of the test.
        num_nodes: how many clients.
        zookeeper: where they write to.
    """

    def __init__(self, context: Any, num_nodes: int, zookeeper: ZookeeperService) -> None:
        super().__init__(context, num_nodes)
        self.zookeeper = zookeeper
        self.acknowledged: list[str] = []
        self.slowest_seconds = 0.0

    def prepare(self, node: Any) -> None:
        need_packages(node, CLIENT_PACKAGES)

    def files(self, node: Any) -> dict[str, Path]:
        return {CLIENT.name: CLIENT}

    def work(self, idx: int, node: Any) -> None:
        program = [PYTHON, CLIENT.name, "load", self.zookeeper.servers(), f"client{idx}"]
        for event in map(json.loads, self.lines(node, program)):
            if "key" in event:
                self.acknowledged.append(event["key"])
                self.count("writes")
            else:
                self.slowest_seconds = max(self.slowest_seconds, event["slowest_seconds"])
