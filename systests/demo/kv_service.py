# SPDX-License-Identifier: Apache-2.0
"""The key-value server and its load as services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ducktape.services.process import ProcessService
from ducktape.services.workload import Workload
from ducktape.utils.util import wait_until
from ducktape.utils.wait import Condition

HERE = Path(__file__).parent
PYTHON = "python3"


class KvService(ProcessService):
    """One primary, which is the first node, and backups on the other nodes.

    Args:
        context: of the test.
        num_nodes: how many servers.
        link_delay_ms: how long every entry is under way from the primary to a backup.
    """

    name = "kv"
    ports = {"kv": 7000}
    start_timeout_sec = 20

    def __init__(self, context: Any, num_nodes: int, link_delay_ms: int = 0) -> None:
        self.work_root = context.globals.get("work_root", "/tmp")
        super().__init__(context, num_nodes=num_nodes)
        self.link_delay_ms = link_delay_ms
        self.ack_early = bool(context.globals.get("ack_early", False))
        self.primary = self.nodes[0]

    @property
    def backups(self) -> list[Any]:
        return [node for node in self.nodes if node is not self.primary]

    def place(self, node: Any) -> str:
        """Where the server of a node is reached, as ``host:port``."""
        return f"{self.address(node)}:{self.port(node, 'kv')}"

    # ---- life

    def files(self, node: Any) -> dict[str, str]:
        programs = {name: (HERE / name).read_text() for name in ("kv_server.py", "kv_client.py")}
        return {"kv_server.ini": self.template("kv_server.ini", node), **programs}

    def command(self, node: Any) -> str:
        return f"{PYTHON} {self.work_dir(node)}/kv_server.py kv_server.ini"

    def ready(self, node: Any) -> Condition:
        return self.logged(node, "listening on")

    # ---- what the servers can be asked

    def request(self, node: Any, op: str, **arguments: Any) -> dict[str, Any]:
        """Send one request to the server of a node and return its answer."""
        text = json.dumps({"op": op, **arguments})
        output = node.account.ssh_output(
            f"{PYTHON} {self.work_dir(node)}/kv_client.py call {self.place(node)} '{text}'", combine_stderr=False
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
            if self.is_alive(node):
                self.request(node, "follow", primary=self.place(best))


class KvLoad(Workload):
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
        self.is_endless = not writes
        self.program = f"{kv.work_root}/{kv.instance}-client.py"
        self.acknowledged: dict[str, str] = {}
        self.sums: list[dict[str, Any]] = []

    def work(self, idx: int, node: Any) -> None:
        node.account.create_file(self.program, (HERE / "kv_client.py").read_text())
        # The primary comes first, backups refuse writes until they are promoted
        places = " ".join(self.kv.place(server) for server in [self.kv.primary, *self.kv.backups])
        arguments = f"load client{idx} {self.value_bytes} {self.writes} {places}"
        for event in map(json.loads, self.lines(node, f"{PYTHON} {self.program} {arguments}")):
            if "key" in event:
                self.acknowledged[event["key"]] = event["value"]
                self.count("writes")
            else:
                self.sums.append(event)

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        node.account.remove(self.program, allow_fail=True)
