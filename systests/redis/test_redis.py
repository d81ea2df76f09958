# SPDX-License-Identifier: Apache-2.0
"""Redis with replicas and sentinels: does it keep what the replicas have confirmed?

``--globals '{"broken": true}'`` lets a primary take writes that nobody else will ever have; the test of a partition
must find that out. ``"work_root"`` in the globals is where the nodes keep their files, instead of /tmp.
"""

from __future__ import annotations

import time

from ducktape.faults import partition
from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
from systests.redis.redis_service import RedisSentinelService, RedisService
from systests.redis.workload import RedisLoad


class RedisTest(Test):
    """Servers, sentinels and a load on one cluster."""

    def start_servers(self, replicas: int) -> None:
        self.redis = RedisService(self.test_context, num_nodes=1 + replicas)
        self.redis.start()
        self.redis.wait_for_replicas()

    def start_sentinels(self) -> None:
        self.sentinels = RedisSentinelService(self.test_context, num_nodes=3, redis=self.redis)
        self.sentinels.start()
        self.sentinels.wait_until_complete()

    def fail_over_under_load(self) -> float:
        """Kill the primary while a load writes; return how many seconds it took until another one was chosen."""
        self.load = RedisLoad(self.test_context, self.redis, replicas=len(self.redis.replicas))
        self.load.start()
        self.load.wait_for("writes", 200, timeout_sec=20)
        self.redis.kill_node(self.redis.primary)
        killed = time.monotonic()
        self.load.wait(timeout_sec=30)
        self.sentinels.wait_for_failover()
        return time.monotonic() - killed

    @cluster(num_nodes=3)
    @matrix(replicas=[1, 2])
    def test_replication(self, replicas: int) -> None:
        """What is written to the primary is on every replica, and nowhere else can be written."""
        self.start_servers(replicas)
        keys = [f"key-{number}" for number in range(100)]
        assert self.redis.write(keys, replicas) == keys
        for node in self.redis.replicas:
            assert self.redis.missing(node, keys) == []
            self.redis.check_refusal(node, "READONLY")

    @cluster(num_nodes=3)
    def test_killed_replica_comes_back(self) -> None:
        """A replica that was killed gets what it missed when it is started again."""
        self.start_servers(replicas=2)
        lost, other = self.redis.replicas
        self.redis.kill_node(lost)
        keys = [f"key-{number}" for number in range(100)]
        assert self.redis.write(keys, replicas=1) == keys
        self.redis.start_node(lost)
        self.redis.wait_for_replicas(lost)
        assert self.redis.missing(lost, keys) == []
        assert self.redis.missing(other, keys) == []

    @cluster(num_nodes=7)
    def test_failover(self) -> dict[str, float]:
        """The primary is killed while clients write; a replica takes over and has all that was confirmed."""
        self.start_servers(replicas=2)
        self.start_sentinels()
        old = self.redis.primary
        seconds = self.fail_over_under_load()
        assert self.redis.primary is not old
        assert self.redis.info(self.redis.primary, "replication")["role"] == "master"
        missing = self.redis.missing(self.redis.primary, self.load.confirmed)
        assert not missing, f"{len(missing)} of {len(self.load.confirmed)} confirmed writes are lost: {missing[:10]}"
        return {"confirmed_writes": len(self.load.confirmed), "failover_seconds": round(seconds, 2)}

    @cluster(num_nodes=7)
    def test_killed_primary_comes_back_as_replica(self) -> None:
        """A primary that was killed follows the one that replaced it, and learns what was written meanwhile."""
        self.start_servers(replicas=2)
        self.start_sentinels()
        old = self.redis.primary
        self.fail_over_under_load()
        later = [f"later-{number}" for number in range(100)]
        self.redis.wait_for_replicas(*self.redis.others(old, self.redis.primary))
        assert self.redis.write(later, replicas=1) == later
        self.redis.start_node(old)
        self.redis.wait_for_replicas()
        for node in self.redis.nodes:
            assert self.redis.missing(node, self.load.confirmed + later) == []

    @cluster(num_nodes=6)
    def test_partition(self) -> dict[str, float]:
        """A primary that is cut off refuses writes; another one takes over, and the old one follows it when healed."""
        self.start_servers(replicas=2)
        self.start_sentinels()
        old, replicas = self.redis.primary, self.redis.replicas
        before = [f"before-{number}" for number in range(100)]
        assert self.redis.write(before, replicas=2) == before
        with partition([old], [*replicas, *self.sentinels.nodes]):
            cut = time.monotonic()
            self.sentinels.wait_for_failover()
            seconds = time.monotonic() - cut
            self.redis.wait_until(
                lambda: self.redis.check_refusal(old, "NOREPLICAS"), f"{old.name} refuses writes", timeout_sec=5
            )
            self.redis.wait_for_replicas(*self.redis.others(old, self.redis.primary))
            later = [f"later-{number}" for number in range(100)]
            assert self.redis.write(later, replicas=1) == later
        self.redis.wait_for_replicas(timeout_sec=40)
        for node in self.redis.nodes:
            assert self.redis.missing(node, before + later) == []
        return {"failover_seconds": round(seconds, 2)}
