# SPDX-License-Identifier: Apache-2.0
"""Redis servers, and the sentinels that watch over them, as services.

The servers listen at the addresses of their nodes. Nodes may also be all this machine; they then need Python for a free
port.
"""

from __future__ import annotations

import signal
import uuid
from typing import Any

from ducktape.services.service import Service
from ducktape.utils.util import wait_until
from systests.packages import need_packages

PACKAGES = {"redis-server": "command -v redis-server"}
FREE_PORT = """python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'"""


def address(node: Any) -> str:
    """Where other nodes reach a node; its server listens there and nowhere else."""
    found: str = node.account.externally_routable_ip or node.account.hostname
    return "127.0.0.1" if found == "localhost" else found


class RedisProcess(Service):
    """One process of ``redis-server`` on each node, in whatever role; the base of the two classes below."""

    parallel_nodes = True
    NAME = "redis"
    PORT = 6379
    ARGUMENTS = ""
    READY = "Ready to accept connections"

    def __init__(self, context: Any, num_nodes: int) -> None:
        super().__init__(context, num_nodes=num_nodes)
        self.ports: dict[Any, int] = {}
        # Not the service's id: services of tests that run at the same time can have the same one.
        root = context.globals.get("work_root", "/tmp")
        self.work_dir = f"{root}/{self.NAME}-{uuid.uuid4().hex}"
        # Nodes may share a machine, so each has a log file of its own name.
        self.logs = {
            f"{self.NAME}_log_{node.name}": {"path": self.log_file(node), "collect_default": True}
            for node in self.nodes
        }

    def node_dir(self, node: Any) -> str:
        return f"{self.work_dir}-{node.name}"

    def log_file(self, node: Any) -> str:
        return f"{self.node_dir(node)}/{self.NAME}-{node.name}.log"

    def config(self, node: Any) -> str:
        """The text of the configuration file of a node."""
        raise NotImplementedError

    # ---- life

    def start(self, **kwargs: Any) -> None:
        """Start all servers at the same time; each configuration names the primary's port, so ports come first."""
        self.for_nodes(lambda node: need_packages(node, PACKAGES))
        for node in self.nodes:
            self.ports.setdefault(node, self.choose_port(node))
        super().start(**kwargs)

    def start_node(self, node: Any, **kwargs: Any) -> None:
        account = node.account
        directory = self.node_dir(node)
        account.mkdirs(directory)
        config_file = f"{directory}/{self.NAME}.conf"
        account.create_file(config_file, self.config(node))
        with account.monitor_log(self.log_file(node)) as monitor:
            account.ssh(
                f"cd {directory} && "
                f"{{ nohup redis-server {config_file} {self.ARGUMENTS} >>output 2>&1 </dev/null & echo $! >pid; }}"
            )
            monitor.wait_until(
                self.READY,
                timeout_sec=20,
                backoff_sec=0.05,
                err_msg=lambda: f"{self.who_am_i(node)} does not start: {self.output(node)}",
            )

    def choose_port(self, node: Any) -> int:
        if not address(node).startswith("127."):
            return self.PORT
        return int(node.account.ssh_output(FREE_PORT))

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
            backoff_sec=0.02,
            err_msg=lambda: f"{self.who_am_i(node)} (process {pid}) does not end by {sig.name}",
        )
        node.account.remove(f"{self.node_dir(node)}/pid", allow_fail=True)

    def pid(self, node: Any) -> int | None:
        """The process of a node, if one was started there."""
        output = node.account.ssh_output(f"cat {self.node_dir(node)}/pid", allow_fail=True, combine_stderr=False)
        return int(output) if output.strip() else None

    def output(self, node: Any) -> str:
        """What a process said that did not get ready."""
        files = f"{self.node_dir(node)}/output {self.log_file(node)}"
        text: bytes = node.account.ssh_output(f"tail -n 20 {files}", allow_fail=True)
        return text.decode(errors="replace")

    # ---- conversation

    def cli_command(self, node: Any) -> str:
        return f"redis-cli -h {address(node)} -p {self.ports[node]}"

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

    def __init__(self, context: Any, num_nodes: int) -> None:
        super().__init__(context, num_nodes)
        self.primary = self.nodes[0]
        self.broken = bool(context.globals.get("broken", False))

    @property
    def replicas(self) -> list[Any]:
        return [node for node in self.nodes if node is not self.primary]

    def config(self, node: Any) -> str:
        return self.render(
            "redis.conf",
            node=node,
            directory=self.node_dir(node),
            log_file=self.log_file(node),
            address=address,
            port=self.ports[node],
            primary=self.primary,
            primary_port=self.ports[self.primary],
        )

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
        seen = f"ip={address(node)},port={self.ports[node]},state=online,"
        return (
            any(value.startswith(seen) for value in self.info(self.primary, "replication").values())
            and info["role"] == "slave"
            and (info["master_host"], info["master_port"]) == (address(self.primary), str(self.ports[self.primary]))
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

    NAME = "sentinel"
    PORT = 26379
    ARGUMENTS = "--sentinel"
    READY = "+monitor master"

    def __init__(self, context: Any, num_nodes: int, redis: RedisService) -> None:
        super().__init__(context, num_nodes)
        self.redis = redis
        self.quorum = num_nodes // 2 + 1

    def config(self, node: Any) -> str:
        return self.render(
            "sentinel.conf",
            node=node,
            directory=self.node_dir(node),
            log_file=self.log_file(node),
            address=address,
            port=self.ports[node],
            primary=self.redis.primary,
            primary_port=self.redis.ports[self.redis.primary],
        )

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
        self.redis.primary = next(
            node for node in self.redis.nodes if [address(node), str(self.redis.ports[node])] == chosen
        )
        return self.redis.primary
