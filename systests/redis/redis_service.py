# SPDX-License-Identifier: Apache-2.0
"""Redis servers, and the sentinels that watch over them, as services.

The servers listen at the addresses of their nodes. Nodes may also be all this machine.
"""

from __future__ import annotations

from typing import Any

from ducktape.services.process import ProcessService
from systests.packages import need_packages

PACKAGES = {"redis-server": "command -v redis-server"}


class RedisProcess(ProcessService):
    """One process of ``redis-server`` on each node, in whatever role; the base of the two classes below."""

    start_timeout_sec = 20
    arguments = ""

    def prepare(self, node: Any) -> None:
        need_packages(node, PACKAGES)

    def command(self, node: Any) -> str:
        return f"redis-server {self.name}.conf {self.arguments}"

    # ---- conversation

    def cli_command(self, node: Any) -> str:
        return f"redis-cli -h {self.address(node)} -p {self.port(node)}"

    def cli(self, node: Any, command: str) -> str:
        """Run one command of Redis on a node and return what it prints; an error of Redis fails the call."""
        return self.output_of(node, f"{self.cli_command(node)} -e {command}").strip()

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
    templates = ("redis.conf",)
    ready_line = "Ready to accept connections"

    def __init__(self, context: Any, num_nodes: int) -> None:
        super().__init__(context, num_nodes)
        self.primary = self.nodes[0]
        self.broken = bool(context.globals.get("broken", False))

    @property
    def replicas(self) -> list[Any]:
        return self.others(self.primary)

    def wait_for_replicas(self, *replicas: Any, timeout_sec: float = 20) -> None:
        """Wait until replicas, all unless given, are in step with the primary."""
        waited = replicas or self.replicas
        self.wait_until(
            lambda: all(map(self.is_in_step, waited)), f"{[node.name for node in waited]} follow", timeout_sec
        )

    def is_in_step(self, node: Any) -> bool:
        info = self.info(node, "replication")
        # A primary that does not count a replica yet may still refuse writes
        seen = f"ip={self.address(node)},port={self.port(node)},state=online,"
        return (
            any(value.startswith(seen) for value in self.info(self.primary, "replication").values())
            and info["role"] == "slave"
            and f"{info['master_host']}:{info['master_port']}" == self.endpoint(self.primary)
            and info["master_link_status"] == "up"
        )

    def write(self, keys: list[str], replicas: int) -> list[str]:
        """Write keys, each with itself as value, and return those that so many replicas have confirmed."""
        lines = "".join(f"SET {key} {key}\\nWAIT {replicas} 5000\\n" for key in keys)
        command = f"printf '{lines}' | {self.cli_command(self.primary)}"
        answers = self.output_of(self.primary, command, allow_fail=True).splitlines()
        return [
            key
            for key, done, confirmed in zip(keys, answers[::2], answers[1::2], strict=False)
            if done == "OK" and confirmed.isdecimal() and int(confirmed) >= replicas
        ]

    def check_refusal(self, node: Any, error: str) -> bool:
        """Assert that the server of a node refuses a write, with this error of Redis."""
        answer = self.output_of(node, f"{self.cli_command(node)} SET refused value", allow_fail=True).strip()
        assert answer.startswith(error), f"{self.who_am_i(node)} still takes writes: {answer}"
        return True

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
    ports = {"sentinel": 26379}
    templates = ("sentinel.conf",)
    arguments = "--sentinel"
    ready_line = r"\+monitor master"

    def __init__(self, context: Any, num_nodes: int, redis: RedisService) -> None:
        super().__init__(context, num_nodes)
        self.redis = redis
        self.quorum = num_nodes // 2 + 1

    def wait_until_complete(self, timeout_sec: float = 20) -> None:
        """Wait until every sentinel knows all the others and all replicas."""
        known = f"slaves={len(self.redis.replicas)},sentinels={self.num_nodes}"
        self.wait_until(
            lambda: all(self.info(node, "sentinel")["master0"].endswith(known) for node in self.nodes),
            f"each sentinel knows {known}",
            timeout_sec,
        )

    def wait_for_failover(self, timeout_sec: float = 30) -> Any:
        """Wait until the first sentinel takes another server for the primary, and return the node of that."""
        redis, first = self.redis, self.nodes[0]
        switched = rf"\+switch-master main {redis.address(redis.primary)} {redis.port(redis.primary)}"
        self.logged(first, switched).wait(timeout_sec)
        host, port = self.cli(first, "SENTINEL GET-MASTER-ADDR-BY-NAME main").split()
        redis.primary = next(node for node in redis.nodes if redis.endpoint(node) == f"{host}:{port}")
        return redis.primary
