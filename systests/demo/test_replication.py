# SPDX-License-Identifier: Apache-2.0
"""Does the key-value server keep what it has acknowledged?

``--globals '{"ack_early": true}'`` configures the servers to acknowledge a write before the backups have it; the tests
of failover must find that out. ``"work_root"`` in the globals is where the nodes keep their files, instead of /tmp.
"""

from __future__ import annotations

from typing import Any

from ducktape.mark import ignore, matrix, parametrize
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
from systests.demo.kv_service import KvLoad, KvService


class ReplicationTest(Test):
    """A primary, its backups, and clients that write."""

    def start(self, backups: int, clients: int, link_delay_ms: int = 0, **load: Any) -> None:
        self.kv = KvService(self.test_context, num_nodes=1 + backups, link_delay_ms=link_delay_ms)
        self.load = KvLoad(self.test_context, num_nodes=clients, kv=self.kv, **load)
        self.kv.start()
        self.kv.wait_for_backups()

    def check_that_nothing_acknowledged_is_lost(self) -> None:
        stored = self.kv.data(self.kv.primary)
        lost = [key for key, value in self.load.acknowledged.items() if stored.get(key) != value]
        assert not lost, f"{len(lost)} of {len(self.load.acknowledged)} acknowledged writes are lost, {lost[0]} first"

    @cluster(num_nodes=5)
    @matrix(backups=[1, 2])
    def test_failover(self, backups: int) -> dict[str, int]:
        """The primary is killed while clients write, and a backup takes over."""
        # What the primary acknowledges too early is lost with it if it is still under way
        self.start(backups, clients=2, link_delay_ms=20)
        self.load.start()
        self.load.wait_for("writes", 20, timeout_sec=20)
        self.kv.kill_node(self.kv.primary)
        self.kv.promote_best_backup()
        self.load.wait_for("writes", 20, timeout_sec=20)
        self.load.stop()
        self.check_that_nothing_acknowledged_is_lost()
        return {"acknowledged_writes": self.load.total("writes")}

    @cluster(num_nodes=3)
    @parametrize(sig="SIGTERM")
    @parametrize(sig="SIGKILL")
    def test_backup_comes_back(self, sig: str) -> None:
        """A backup goes down while clients write; these do not stop, and the backup catches up when it is back."""
        self.start(backups=1, clients=1)
        backup = self.kv.backups[0]
        self.load.start()
        self.load.wait_for("writes", 50, timeout_sec=20)
        with self.kv.expect_death(backup):
            self.kv.signal_node(backup, sig)
        self.kv.wait_exit(backup, timeout_sec=10)
        self.load.wait_for("writes", 50, timeout_sec=20)
        self.kv.start_node(backup)
        self.kv.wait_for_backups()
        self.load.wait_for("writes", 50, timeout_sec=20)
        self.load.stop()
        self.kv.wait_until(
            lambda: self.kv.entries(backup) == self.kv.entries(self.kv.primary),
            "the backup has caught up",
            timeout_sec=10,
        )
        self.check_that_nothing_acknowledged_is_lost()
        assert self.kv.data(backup) == self.kv.data(self.kv.primary)

    @cluster(num_nodes=4)
    @matrix(value_bytes=[10, 10000])
    def test_throughput(self, value_bytes: int) -> dict[str, float]:
        """How fast two clients write."""
        self.start(backups=1, clients=2, value_bytes=value_bytes, writes=300)
        self.load.start()
        self.load.wait(timeout_sec=60)
        self.check_that_nothing_acknowledged_is_lost()
        return {
            "writes": self.load.total("writes"),
            "writes_per_sec": round(sum(each["writes"] / each["seconds"] for each in self.load.sums), 1),
            "slowest_write_sec": round(max(each["slowest_seconds"] for each in self.load.sums), 4),
        }

    @cluster(num_nodes=3)
    @ignore
    def test_automatic_failover(self) -> None:
        """Backups choose a new primary among themselves; the server cannot do that yet."""
        self.start(backups=2, clients=0)
        self.kv.kill_node(self.kv.primary)
        self.kv.wait_until(
            lambda: any(self.kv.request(node, "status")["role"] == "primary" for node in self.kv.backups),
            "a backup has taken over",
            timeout_sec=10,
        )
