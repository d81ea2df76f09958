# SPDX-License-Identifier: Apache-2.0
"""A client of Redis that writes without a break, as a service."""

from __future__ import annotations

from typing import Any

from ducktape.services.workload import Workload
from systests.redis.redis_service import RedisService


class RedisLoad(Workload):
    """Writes without a break, until it is stopped or a write is not confirmed, and remembers what was confirmed.

    Args:
        context: of the test.
        redis: the servers.
        replicas: how many of them have to confirm a write.
    """

    BATCH = 20
    is_endless = False

    def __init__(self, context: Any, redis: RedisService, replicas: int) -> None:
        super().__init__(context, num_nodes=1)
        self.redis = redis
        self.replicas = replicas
        self.confirmed: list[str] = []

    def work(self, idx: int, node: Any) -> None:
        number = 0
        while not self.stopping.is_set():
            keys = [f"load-{number + offset}" for offset in range(self.BATCH)]
            confirmed = self.redis.write(keys, self.replicas)
            self.confirmed += confirmed
            self.count("writes", len(confirmed))
            if len(confirmed) < len(keys):
                return
            number += self.BATCH
