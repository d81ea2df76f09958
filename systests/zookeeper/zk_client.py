# SPDX-License-Identifier: Apache-2.0
"""A client of ZooKeeper, for the machines on which the clients run; needs Debian's package ``python3-kazoo``.

``zk_client.py load <servers> <prefix>`` writes one key after the other, each with itself as value, and prints a line
for each write that was acknowledged. A write whose fate is not known is tried again. It ends at SIGTERM.

``zk_client.py write <servers> <key> <seconds>`` tries a single write and prints whether it was acknowledged in time.

``zk_client.py read <servers>`` prints all keys and values, after the server has learnt what the leader knows.

Servers are written ``<address>:<port>``, with commas between them.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import (
    ConnectionClosedError,
    ConnectionLoss,
    NodeExistsError,
    NoNodeError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.retry import KazooRetry

ROOT = "/load"
SESSION_SEC = 3
CONNECT_SEC = 30
PAUSE_SEC = 0.004
# Nobody knows whether a write happened that ended with one of these
UNKNOWN = (ConnectionLoss, ConnectionClosedError, OperationTimeoutError, SessionExpiredError, SessionMovedError)


def tell(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def connected(servers: str, seconds: float) -> KazooClient:
    retry = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.2, backoff=2)
    client = KazooClient(servers, timeout=SESSION_SEC, connection_retry=retry)
    client.start(timeout=seconds)
    return client


class Writer:
    """Writes keys, each until it is acknowledged or the end has come."""

    def __init__(self, client: KazooClient, deadline: float = float("inf")) -> None:
        self.client = client
        self.deadline = deadline
        self.said = "no answer"

    def stop(self, *unused: Any) -> None:
        self.deadline = 0

    def write(self, key: str) -> bool:
        path = f"{ROOT}/{key}"
        answer = self.client.create_async(path, key.encode())
        while time.monotonic() < self.deadline:
            try:
                answer.get(timeout=0.2)
                return True
            except NodeExistsError:
                return True  # keys are unique, so it was an attempt of ours that has no answer
            except KazooTimeoutError:
                continue
            except UNKNOWN as error:
                self.said = type(error).__name__
                time.sleep(0.02)
                answer = self.client.create_async(path, key.encode())
        return False


def load(servers: str, prefix: str) -> None:
    signal.signal(signal.SIGTERM, lambda *unused: os._exit(0))
    client = connected(servers, CONNECT_SEC)
    client.ensure_path(ROOT)
    writer = Writer(client)
    signal.signal(signal.SIGTERM, writer.stop)
    done = 0
    slowest = 0.0
    before = time.monotonic()
    while writer.write(f"{prefix}-{done}"):
        now = time.monotonic()
        slowest, before = max(slowest, now - before), now
        tell({"key": f"{prefix}-{done}"})
        done += 1
        time.sleep(PAUSE_SEC)
    tell({"writes": done, "slowest_seconds": slowest})


def write(servers: str, key: str, seconds: str) -> None:
    deadline = time.monotonic() + float(seconds)
    try:
        writer = Writer(connected(servers, float(seconds)), deadline)
    except KazooTimeoutError:
        tell({"acknowledged": False, "said": "the server accepts no session"})
        return
    done = writer.write(key)
    tell({"acknowledged": done, "said": "" if done else writer.said})


def read(servers: str) -> None:
    client = connected(servers, CONNECT_SEC)
    client.sync(ROOT)
    try:
        keys = client.get_children(ROOT)
    except NoNodeError:
        keys = []
    answers = {key: client.get_async(f"{ROOT}/{key}") for key in keys}
    tell({"data": {key: answer.get()[0].decode() for key, answer in answers.items()}})


def main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.CRITICAL)
    verb, *rest = sys.argv[1:]
    {"load": load, "write": write, "read": read}[verb](*rest)
    # A client of a server that does not answer would take its time to say goodbye
    os._exit(0)


if __name__ == "__main__":
    main()
