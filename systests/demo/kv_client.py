# SPDX-License-Identifier: Apache-2.0
"""A client of the key-value server, for the machines on which the servers run.

``kv_client.py call <port> <request>`` sends one request and prints the answer.

``kv_client.py load <prefix> <value bytes> <writes, 0 for no end> <port> [<port> ...]`` writes one key after the other, and
prints a line for each write that was acknowledged. When a server does not take a write, the next one is asked, until one
does. It ends after that many writes or at SIGTERM, with a line that sums up.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sys
import time
from typing import Any

HOST = "127.0.0.1"
RETRY_SEC = 0.02
TIMEOUT_SEC = 10


class Connection:
    """One connection to one server."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=TIMEOUT_SEC)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rw", encoding="utf-8", newline="\n")

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        self.stream.write(json.dumps(request) + "\n")
        self.stream.flush()
        line = self.stream.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self.socket.close()


class Stopped(Exception):
    """SIGTERM came."""


def stop(number: int, frame: Any) -> None:
    # A second signal must not hit the way out
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def tell(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def acknowledged_writes(prefix: str, value_bytes: int, ports: list[int]) -> Any:
    """Yield key and value of each write as soon as it is acknowledged."""
    servers = itertools.cycle(ports)
    connection: Connection | None = None
    for number in itertools.count(1):
        key = f"{prefix}-{number}"
        value = str(number).rjust(value_bytes, ".")
        while True:
            try:
                if connection is None:
                    connection = Connection(next(servers))
                if connection.call({"op": "put", "key": key, "value": value})["ok"]:
                    break
            except (OSError, ValueError):
                pass  # nobody knows whether this write happened; writing it again does no harm
            if connection is not None:
                connection.close()
                connection = None
            time.sleep(RETRY_SEC)
        yield key, value


def load(prefix: str, value_bytes: int, writes: int, ports: list[int]) -> None:
    signal.signal(signal.SIGTERM, stop)
    tell({"pid": os.getpid()})
    done = 0
    slowest = 0.0
    begin = before = time.monotonic()
    try:
        for key, value in acknowledged_writes(prefix, value_bytes, ports):
            now = time.monotonic()
            slowest, before = max(slowest, now - before), now
            done += 1
            tell({"key": key, "value": value})
            if done == writes:
                break
    except Stopped:
        pass
    tell({"writes": done, "seconds": time.monotonic() - begin, "slowest_seconds": slowest})


def main() -> None:
    verb, *rest = sys.argv[1:]
    if verb == "call":
        port, request = rest
        tell(Connection(int(port)).call(json.loads(request)))
        return
    prefix, value_bytes, writes, *ports = rest
    load(prefix, int(value_bytes), int(writes), [int(port) for port in ports])


if __name__ == "__main__":
    main()
