# SPDX-License-Identifier: Apache-2.0
"""A client of the key-value server. Servers are given as ``host:port``.

``kv_client.py call <server> <request>`` sends one request and prints the answer.

``kv_client.py load <prefix> <value bytes> <writes, 0 for no end> <server> [<server> ...]`` writes one key after the
other and prints a line for each write that was acknowledged. When a server does not take a write, the next one is
asked, until one does. It ends after that many writes or at SIGTERM, with a line that sums up.
"""

from __future__ import annotations

import itertools
import json
import signal
import socket
import sys
import time
from typing import Any

RETRY_SEC = 0.02
TIMEOUT_SEC = 5


class Connection:
    """One connection to one server."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_SEC)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        line = self.lines.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self.socket.close()


def tell(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


class Writer:
    """Writes to whichever server takes it."""

    def __init__(self, servers: list[str]) -> None:
        self.servers = itertools.cycle(servers)
        self.connection: Connection | None = None
        self.stopping = False

    def stop(self, *unused: Any) -> None:
        self.stopping = True

    def write(self, key: str, value: str) -> bool:
        """Try until a server acknowledges; false if that did not come to pass before the end."""
        while not self.stopping:
            try:
                if self.connection is None:
                    self.connection = Connection(next(self.servers))
                if self.connection.call({"op": "put", "key": key, "value": value})["ok"]:
                    return True
            except (OSError, ValueError):
                pass  # nobody knows whether this write happened; writing it again does no harm
            if self.connection is not None:
                self.connection.close()
                self.connection = None
            time.sleep(RETRY_SEC)
        return False


def load(prefix: str, value_bytes: int, writes: int, servers: list[str]) -> None:
    writer = Writer(servers)
    signal.signal(signal.SIGTERM, writer.stop)
    done = 0
    slowest = 0.0
    begin = before = time.monotonic()
    while not writes or done < writes:
        key, value = f"{prefix}-{done + 1}", str(done + 1).rjust(value_bytes, ".")
        if not writer.write(key, value):
            break
        now = time.monotonic()
        slowest, before = max(slowest, now - before), now
        done += 1
        tell({"key": key, "value": value})
    tell({"writes": done, "seconds": time.monotonic() - begin, "slowest_seconds": slowest})


def main() -> None:
    verb, *rest = sys.argv[1:]
    if verb == "call":
        server, request = rest
        tell(Connection(server).call(json.loads(request)))
        return
    prefix, value_bytes, writes, *servers = rest
    load(prefix, int(value_bytes), int(writes), servers)


if __name__ == "__main__":
    main()
