# SPDX-License-Identifier: Apache-2.0
"""Redis servers, and the sentinels that watch over them, as services.

The servers listen at the addresses of their nodes. Nodes may also be all this machine.
"""

from __future__ import annotations

from typing import Any

from ducktape.services.process import ProcessService
from ducktape.utils.util import wait_until
from ducktape.utils.wait import Condition
from systests.packages import need_packages

PACKAGES = {"redis-server": "command -v redis-server"}


class RedisProcess(ProcessService):
    """One process of ``redis-server`` on each node, in whatever role; the base of the two classes below."""

    stop_timeout_sec = 15
    start_timeout_sec = 20
    arguments = ""
    ready_line = "Ready to accept connections"

    def __init__(self, context: Any, num_nodes: int) -> None:
        self.work_root = context.globals.get("work_root", "/tmp")
        super().__init__(context, num_nodes=num_nodes)

    def start(self, **kwargs: Any) -> None:
        self.for_nodes(lambda node: need_packages(node, PACKAGES))
        super().start(**kwargs)

    def command(self, node: Any) -> str:
        return f"redis-server redis.conf {self.arguments}"

    def files(self, node: Any) -> dict[str, str]:
        return {"redis.conf": self.template(f"{self.name}.conf", node)}

    def ready(self, node: Any) -> Condition:
        return self.logged(node, self.ready_line)

    # ---- conversation

    def cli_command(self, node: Any) -> str:
        return f"redis-cli -h {self.address(node)} -p {self.port(node, 'redis')}"

    def cli(self, node: Any, command: str) -> str:
        """Run one command of Redis on a node and return what it prints; an error of Redis fails the call."""
        output: bytes = node.account.ssh_output(f"{self.cli_command(node)} -e {command}")
        return output.decode().strip()

    def info(self, node: Any, section: str) -> dict[str, str]:
        """One section of ``INFO`` as a dictionary."""
        lines = self.cli(node, f"INFO {section}").splitlines()
        return dict(line.strip().split(":", 1) for line in lines if ":" in line)


class RedisService(RedisProcess):
    """One primary, which is the first node, and replicas on the other nodes.

    A primary takes writes only while a replica follows it; not so with ``"broken": true`` in ``--globals``.

    Args:
        context: of the test.
        num_nodes: how many servers.
    """

    name = "redis"
    ports = {"redis": 6379}

    def __init__(self, context: Any, num_nodes: int) -> None:
        super().__init__(context, num_nodes)
        self.primary = self.nodes[0]
        self.broken = bool(context.globals.get("broken", False))

    @property
    def replicas(self) -> list[Any]:
        return [node for node in self.nodes if node is not self.primary]

    def wait_for_replicas(self, replicas: list[Any] | None = None, timeout_sec: float = 20) -> None:
        """Wait until replicas, all unless given, are in step with the primary."""
        for node in self.replicas if replicas is None else replicas:
            self.wait_for_replica(node, timeout_sec)

    def wait_for_replica(self, node: Any, timeout_sec: float) -> None:
        wait_until(
            lambda: self.is_in_step(node),
            timeout_sec=timeout_sec,
            retry_on_exc=True,  # a replica that loads the primary's data answers with an error
            err_msg=lambda: f"{self.who_am_i(node)} does not follow: {self.info(node, 'replication')}",
        )

    def is_in_step(self, node: Any) -> bool:
        info = self.info(node, "replication")
        # A primary that does not count a replica yet may still refuse writes
        seen = f"ip={self.address(node)},port={self.port(node, 'redis')},state=online,"
        primary = [self.address(self.primary), str(self.port(self.primary, "redis"))]
        return (
            any(value.startswith(seen) for value in self.info(self.primary, "replication").values())
            and info["role"] == "slave"
            and [info["master_host"], info["master_port"]] == primary
            and info["master_link_status"] == "up"
        )

    def write(self, keys: list[str], replicas: int) -> list[str]:
        """Write keys, each with itself as value, and return those that so many replicas have confirmed."""
        lines = "".join(f"SET {key} {key}\\nWAIT {replicas} 5000\\n" for key in keys)
        command = f"printf '{lines}' | {self.cli_command(self.primary)}"
        answers = self.primary.account.ssh_output(command, allow_fail=True).decode().splitlines()
        return [
            key
            for key, done, confirmed in zip(keys, answers[::2], answers[1::2], strict=False)
            if done == "OK" and confirmed.isdecimal() and int(confirmed) >= replicas
        ]

    def refusal(self, node: Any) -> str:
        """What the server of a node says when it does not take a write, empty if it does."""
        answer: bytes = node.account.ssh_output(f"{self.cli_command(node)} SET refused value", allow_fail=True)
        text = answer.decode().strip()
        return "" if text == "OK" else text

    def wait_for_refusal(self, node: Any, timeout_sec: float = 5) -> None:
        """Wait until a primary that has lost its replicas takes no more writes."""
        wait_until(
            lambda: self.refusal(node).startswith("NOREPLICAS"),
            timeout_sec=timeout_sec,
            err_msg=lambda: f"{self.who_am_i(node)} is cut off and still takes writes: {self.refusal(node) or 'OK'}",
        )

    def missing(self, node: Any, keys: list[str]) -> list[str]:
        """Those of the written keys that a node does not have."""
        values = []
        for first in range(0, len(keys), 500):
            values += self.cli(node, f"MGET {' '.join(keys[first : first + 500])}").split("\n")
        return [key for key, value in zip(keys, values, strict=True) if key != value]


class RedisSentinelService(RedisProcess):
    """Sentinels, one on each node, that replace a primary which is gone.

    Args:
        context: of the test.
        num_nodes: how many sentinels.
        redis: the servers they watch.
    """

    name = "sentinel"
    ports = {"redis": 26379}
    arguments = "--sentinel"
    ready_line = r"\+monitor master"

    def __init__(self, context: Any, num_nodes: int, redis: RedisService) -> None:
        super().__init__(context, num_nodes)
        self.redis = redis
        self.quorum = num_nodes // 2 + 1

    def wait_until_complete(self, timeout_sec: float = 20) -> None:
        """Wait until every sentinel knows all the others and all replicas."""
        for node in self.nodes:
            self.wait_for_node(node, timeout_sec)

    def wait_for_node(self, node: Any, timeout_sec: float) -> None:
        wait_until(
            lambda: self.knows_everybody(node),
            timeout_sec=timeout_sec,
            err_msg=lambda: f"{self.who_am_i(node)} knows only {self.info(node, 'sentinel')}",
        )

    def knows_everybody(self, node: Any) -> bool:
        known = f"slaves={len(self.redis.replicas)},sentinels={self.num_nodes}"
        return self.info(node, "sentinel")["master0"].endswith(known)

    def wait_for_failover(self, monitor: Any, timeout_sec: float = 30) -> Any:
        """Wait until the sentinel whose log is monitored names another primary; return that node."""
        monitor.wait_until("+switch-master", timeout_sec=timeout_sec, err_msg="the sentinels choose no other primary")
        chosen = self.cli(self.nodes[0], "SENTINEL GET-MASTER-ADDR-BY-NAME main").split()
        redis = self.redis
        redis.primary = next(
            node for node in redis.nodes if [redis.address(node), str(redis.port(node, "redis"))] == chosen
        )
        return self.redis.primary
