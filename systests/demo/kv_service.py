# SPDX-License-Identifier: Apache-2.0
"""The key-value server and its load as services."""

from __future__ import annotations

import json
import os
import signal
import uuid
from typing import Any

from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.service import Service
from ducktape.utils.util import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "python3"


def address(node: Any) -> str:
    """Where the other nodes reach a node; on the localhost cluster that is this machine's loopback."""
    found: str = node.account.externally_routable_ip or node.account.hostname
    return found


class KvService(Service):
    """One primary, which is the first node, and backups on the other nodes.

    Args:
        context: of the test.
        num_nodes: how many servers.
        link_delay_ms: how long every entry is under way from the primary to a backup.
    """

    def __init__(self, context: Any, num_nodes: int, link_delay_ms: int = 0) -> None:
        super().__init__(context, num_nodes=num_nodes)
        self.link_delay_ms = link_delay_ms
        self.ack_early = bool(context.globals.get("ack_early", False))
        self.primary = self.nodes[0]
        self.ports: dict[Any, int] = {}
        # Not the service's id: services of tests that run at the same time can have the same one.
        self.work_dir = f"{context.globals.get('work_root', '/tmp')}/kv-{uuid.uuid4().hex}"
        # Nodes may share a machine, so each has a log file of its own name.
        self.logs = {
            f"server_log_{node.name}": {"path": self.log_file(node), "collect_default": True} for node in self.nodes
        }

    # ---- where things are

    def node_dir(self, node: Any) -> str:
        return f"{self.work_dir}-{node.name}"

    def log_file(self, node: Any) -> str:
        return f"{self.node_dir(node)}/kv-{node.name}.log"

    @property
    def backups(self) -> list[Any]:
        return [node for node in self.nodes if node is not self.primary]

    def place(self, node: Any) -> str:
        """Where the server of a node is reached, as ``host:port``."""
        return f"{address(node)}:{self.ports[node]}"

    def pid(self, node: Any) -> int | None:
        """The process of a node, if one was started there."""
        output = node.account.ssh_output(f"cat {self.node_dir(node)}/pid", allow_fail=True, combine_stderr=False)
        return int(output) if output.strip() else None

    # ---- life

    def start_node(self, node: Any, **kwargs: Any) -> None:
        account = node.account
        directory = self.node_dir(node)
        account.mkdirs(directory)
        for program in ("kv_server.py", "kv_client.py"):
            account.copy_to(os.path.join(HERE, program), directory)
        config = self.render(
            "kv_server.ini",
            node=node,
            host=address(node),
            log=self.log_file(node),
            # 0 is "any free port"; a server that is started again gets its old one
            port=self.ports.get(node, 0),
            primary=None if node is self.primary else self.place(self.primary),
        )
        account.create_file(f"{directory}/kv_server.ini", config)
        with account.monitor_log(self.log_file(node)) as monitor:
            account.ssh(
                f"cd {directory} && {{ "
                f"nohup {PYTHON} {directory}/kv_server.py {directory}/kv_server.ini >>output 2>&1 </dev/null & "
                f"echo $! >pid; }}"
            )
            monitor.wait_until(
                "listening on",
                timeout_sec=20,
                backoff_sec=0.05,
                err_msg=lambda: f"{self.who_am_i(node)} does not start: {self.output(node)}",
            )
        self.ports[node] = self.port_from_log(node)

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
            timeout_sec=10,
            backoff_sec=0.02,
            err_msg=lambda: f"{self.who_am_i(node)} (process {pid}) does not end by {sig.name}",
        )
        node.account.remove(f"{self.node_dir(node)}/pid", allow_fail=True)

    def output(self, node: Any) -> str:
        """What the server said on its way to a log file."""
        text: bytes = node.account.ssh_output(f"cat {self.node_dir(node)}/output", allow_fail=True)
        return text.decode(errors="replace")

    def port_from_log(self, node: Any) -> int:
        command = f"sed -n 's/.*listening on [^ ]*:\\([0-9]*\\) as .*/\\1/p' {self.log_file(node)} | tail -n 1"
        return int(node.account.ssh_output(command))

    # ---- what the servers can be asked

    def request(self, node: Any, op: str, **arguments: Any) -> dict[str, Any]:
        """Send one request to the server of a node and return its answer."""
        text = json.dumps({"op": op, **arguments})
        output = node.account.ssh_output(
            f"{PYTHON} {self.node_dir(node)}/kv_client.py call {self.place(node)} '{text}'", combine_stderr=False
        )
        answer: dict[str, Any] = json.loads(output)
        assert answer["ok"], f"{self.who_am_i(node)} refuses {text}: {answer['error']}"
        return answer

    def entries(self, node: Any) -> int:
        return int(self.request(node, "status")["entries"])

    def data(self, node: Any) -> dict[str, str]:
        data: dict[str, str] = self.request(node, "dump")["data"]
        return data

    def wait_for_backups(self, timeout_sec: float = 10) -> None:
        """Wait until every backup is connected to the primary."""
        wanted = sorted(node.name for node in self.backups)
        wait_until(
            lambda: sorted(self.request(self.primary, "status")["backups"]) == wanted,
            timeout_sec=timeout_sec,
            err_msg=lambda: f"of the backups {wanted} not all are connected: {self.request(self.primary, 'status')}",
        )

    def promote_best_backup(self) -> None:
        """Make the backup with the most entries the primary, and let the others follow it."""
        best = max(self.backups, key=self.entries)
        others = [node for node in self.backups if node is not best]
        self.request(best, "promote")
        self.primary = best
        for node in others:
            if self.pid(node) is not None:
                self.request(node, "follow", primary=self.place(best))


class KvLoad(BackgroundThreadService):
    """Clients that write without a break, one on each node, and remember what was acknowledged.

    Args:
        context: of the test.
        num_nodes: how many clients.
        kv: where they write to.
        value_bytes: size of a value.
        writes: each client ends after that many; 0 for no end.
    """

    def __init__(self, context: Any, num_nodes: int, kv: KvService, value_bytes: int = 10, writes: int = 0) -> None:
        super().__init__(context, num_nodes=num_nodes)
        self.kv = kv
        self.value_bytes = value_bytes
        self.writes = writes
        self.work_dir = f"{context.globals.get('work_root', '/tmp')}/kv-load-{uuid.uuid4().hex}"
        self.pids: dict[Any, int] = {}
        self.acknowledged: dict[str, str] = {}
        self.sums: list[dict[str, Any]] = []

    def _worker(self, idx: int, node: Any) -> None:
        directory = self.node_dir(node)
        node.account.mkdirs(directory)
        node.account.copy_to(os.path.join(HERE, "kv_client.py"), directory)
        # The primary comes first, backups refuse writes until they are promoted
        places = " ".join(self.kv.place(server) for server in [self.kv.primary, *self.kv.backups])
        arguments = f"client{idx} {self.value_bytes} {self.writes} {places}"
        command = f"exec {PYTHON} {directory}/kv_client.py load {arguments} </dev/null"
        for event in node.account.ssh_capture(command, callback=json.loads, combine_stderr=False):
            self.take(node, event)

    def take(self, node: Any, event: dict[str, Any]) -> None:
        with self.lock:
            if "pid" in event:
                self.pids[node] = event["pid"]
            elif "key" in event:
                self.acknowledged[event["key"]] = event["value"]
            else:
                self.sums.append(event)

    def count(self) -> int:
        with self.lock:
            return len(self.acknowledged)

    def wait_for_writes(self, more: int, timeout_sec: float = 20) -> None:
        """Wait until that many more writes were acknowledged."""
        begin = self.count()
        wait_until(
            lambda: self.errors or self.count() >= begin + more,
            timeout_sec=timeout_sec,
            backoff_sec=0.02,
            err_msg=lambda: f"only {self.count() - begin} of {more} writes were acknowledged",
        )
        assert not self.errors, self.errors

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        worker = self.worker_threads.get(self.idx(node))
        if worker is None:
            return
        wait_until(
            lambda: node in self.pids or not worker.is_alive(), timeout_sec=10, err_msg="the client does not start"
        )
        if worker.is_alive():
            node.account.signal(self.pids[node], signal.SIGTERM, allow_fail=True)
        assert self.wait_node(node, timeout_sec=20), f"{self.who_am_i(node)} does not end"

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        node.account.remove(self.node_dir(node), allow_fail=True)

    def node_dir(self, node: Any) -> str:
        return f"{self.work_dir}-{node.name}"
