# SPDX-License-Identifier: Apache-2.0
"""Clients of etcd that work without a break and write down what they do, as a service."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ducktape.services.workload import Workload
from systests.etcd.etcd_client import EtcdClient, NoAnswer
from systests.etcd.etcd_service import EtcdService
from systests.etcd.history import DONE, REFUSED, UNKNOWN, Operation, Read, Swap


class EtcdClients(Workload):
    """Clients that read and replace the values of a few keys without a break, and the history of all they did.

    They are threads of the test, so that one clock says what was before what. Each request goes to a member by chance.

    ``"broken"`` in ``--globals`` makes them bad clients on purpose: ``"unconditional"`` ones write without the
    condition, ``"stale"`` ones read what the member that they ask happens to know.

    Args:
        context: of the test.
        etcd: the members.
        clients: how many.
        keys: how many; the fewer, the more clients get in each other's way.
    """

    PAUSE_SEC = 0.02
    # Shorter than it takes to choose a leader, so that some requests stay without an answer
    TIMEOUT_SEC = 0.3

    def __init__(self, context: Any, etcd: EtcdService, clients: int = 4, keys: int = 3) -> None:
        super().__init__(context, num_nodes=1)
        self.etcd = etcd
        self.names = [f"client{number}" for number in range(1, clients + 1)]
        self.keys = [f"key{number}" for number in range(1, keys + 1)]
        self.broken = context.globals.get("broken", "")
        self.history: list[Operation] = []

    def work(self, idx: int, node: Any) -> None:
        with ThreadPoolExecutor(len(self.names)) as pool:
            for done in [pool.submit(self.run_client, name) for name in self.names]:
                done.result()

    def run_client(self, name: str) -> None:
        """What one client does, until all are stopped."""
        members = [self.etcd.client(member, self.TIMEOUT_SEC) for member in self.etcd.nodes]
        chance = random.Random(name)
        seen: dict[str, str | None] = dict.fromkeys(self.keys)
        number = 0
        while not self.stopping.wait(self.PAUSE_SEC):
            key = chance.choice(self.keys)
            member = chance.choice(members)
            number += 1
            try:
                if chance.random() < 0.4:
                    seen[key] = self.read(name, member, key)
                else:
                    seen[key] = self.swap(name, member, key, seen[key], f"{name}.{number}")
            except NoAnswer as error:
                self.logger.debug("%s: %s", name, error)
        for member in members:
            member.close()

    def ask(self, member: EtcdClient, key: str) -> str | None:
        return member.get(key, serializable=self.broken == "stale")

    def read(self, name: str, member: EtcdClient, key: str) -> str | None:
        begin = time.monotonic()
        value = self.ask(member, key)
        self.record(Read(name, key, value, begin, time.monotonic()))
        return value

    def swap(self, name: str, member: EtcdClient, key: str, old: str | None, new: str) -> str | None:
        value: str | None = new
        begin = time.monotonic()
        try:
            if self.broken == "unconditional":
                member.put(key, new)
                done = True
            else:
                done, value = member.swap(key, old, new)
        except NoAnswer:
            self.record(Swap(name, key, old, new, UNKNOWN, begin, time.monotonic()))
            raise
        end = time.monotonic()
        self.record(Swap(name, key, old, new, DONE if done else REFUSED, begin, end))
        if not done:
            # The refusal says what was there
            self.record(Read(name, key, value, begin, end))
        return value

    def record(self, operation: Operation) -> None:
        with self.lock:
            self.history.append(operation)
        if isinstance(operation, Swap):
            self.count(operation.outcome)

    def last_values(self) -> dict[str, str | None]:
        """What a majority of the members has in the end."""
        client = self.etcd.client(self.etcd.nodes[0])
        return {key: client.get(key) for key in self.keys}
