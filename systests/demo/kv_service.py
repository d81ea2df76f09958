# SPDX-License-Identifier: Apache-2.0
"""The key-value server and its load as services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ducktape.services.process import ProcessService
from ducktape.services.workload import Workload

SERVER, CLIENT = (Path(__file__).with_name(name) for name in ("kv_server.py", "kv_client.py"))


class KvService(ProcessService):
    """One primary, which is the first node, and backups on the other nodes.

    Args:
        context: of the test.
        num_nodes: how many servers.
        link_delay_ms: how long every entry is under way from the primary to a backup.
    """

    name = "kv"
    ports = {"kv": 7000}
    templates = ("kv_server.ini",)
    ready_line = "listening on"
    start_timeout_sec = 20

    def __init__(self, context: Any, num_nodes: int, link_delay_ms: int = 0) -> None:
        super().__init__(context, num_nodes)
        self.link_delay_ms = link_delay_ms
        self.ack_early = bool(context.globals.get("ack_early", False))
        self.primary = self.nodes[0]

    @property
    def backups(self) -> list[Any]:
        return self.others(self.primary)

    def files(self, node: Any) -> dict[str, Path]:
        return {path.name: path for path in (SERVER, CLIENT)}

    def command(self, node: Any) -> list[str]:
        return ["python3", f"{self.work_dir(node)}/kv_server.py", "kv_server.ini"]

    # ---- what the servers can be asked

    def request(self, node: Any, op: str, **arguments: Any) -> dict[str, Any]:
        """Send one request to the server of a node and return its answer."""
        text = json.dumps({"op": op, **arguments})
        output = self.output_of(node, ["python3", "kv_client.py", "call", self.endpoint(node), text])
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
        wanted = {node.name for node in self.backups}
        self.wait_until(
            lambda: set(self.request(self.primary, "status")["backups"]) == wanted,
            f"{self.primary.name} has the backups {sorted(wanted)}",
            timeout_sec,
        )

    def promote_best_backup(self) -> None:
        """Make the backup with the most entries the primary, and let the others follow it."""
        best = max(self.backups, key=self.entries)
        followers = self.others(best, self.primary)
        self.request(best, "promote")
        self.primary = best
        for node in followers:
            self.request(node, "follow", primary=self.endpoint(best))


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
        super().__init__(context, num_nodes)
        self.kv = kv
        self.arguments = f"{value_bytes} {writes}"
        self.is_endless = not writes
        self.acknowledged: dict[str, str] = {}
        self.sums: list[dict[str, Any]] = []

    def files(self, node: Any) -> dict[str, Path]:
        return {CLIENT.name: CLIENT}

    def work(self, idx: int, node: Any) -> None:
        # The primary comes first, backups refuse writes until they are promoted
        servers = " ".join(map(self.kv.endpoint, [self.kv.primary, *self.kv.backups]))
        command = f"python3 kv_client.py load client{idx} {self.arguments} {servers}"
        for event in map(json.loads, self.lines(node, command)):
            if "key" in event:
                self.acknowledged[event["key"]] = event["value"]
                self.count("writes")
            else:
                self.sums.append(event)
