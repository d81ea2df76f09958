# SPDX-License-Identifier: Apache-2.0
"""A client of Redis that writes without a break, as a service."""

from __future__ import annotations

import threading
from typing import Any

from ducktape.services.background_thread import BackgroundThreadService
from ducktape.utils.util import wait_until
from systests.redis.redis_service import RedisService


class RedisLoad(BackgroundThreadService):
    """Writes without a break, until it is stopped or a write is not confirmed, and remembers what was confirmed.

    Args:
        context: of the test.
        redis: the servers.
        replicas: how many of them have to confirm a write.
    """

    BATCH = 20

    def __init__(self, context: Any, redis: RedisService, replicas: int) -> None:
        super().__init__(context, num_nodes=1)
        self.redis = redis
        self.replicas = replicas
        self.stopping = threading.Event()
        self.confirmed: list[str] = []

    def _worker(self, idx: int, node: Any) -> None:
        number = 0
        while not self.stopping.is_set():
            keys = [f"load-{number + offset}" for offset in range(self.BATCH)]
            confirmed = self.redis.write(keys, self.replicas)
            with self.lock:
                self.confirmed += confirmed
            if len(confirmed) < len(keys):
                return
            number += self.BATCH

    def wait_for_writes(self, count: int, timeout_sec: float = 20) -> None:
        """Wait until so many writes were confirmed in all."""
        wait_until(
            lambda: len(self.confirmed) >= count,
            timeout_sec=timeout_sec,
            err_msg=lambda: f"only {len(self.confirmed)} of {count} writes were confirmed. {self.errors}",
        )

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        if self.idx(node) not in self.worker_threads:
            return
        self.stopping.set()
        assert self.wait_node(node, timeout_sec=30), f"{self.who_am_i(node)} does not end"

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        pass  # leaves no file
