# SPDX-License-Identifier: Apache-2.0
"""Does an ensemble elect a leader although the clock of a server is wrong?

The nodes need Debian's package ``faketime``, and each a directory ``/tmp`` of its own.
"""

from __future__ import annotations

import time
from typing import Any

from ducktape.faults import clock_environment, kill, skew_clock
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
from systests.zookeeper.zookeeper_service import ZookeeperLoad, ZookeeperService

SECONDS = 30
# Looking up the time is slow otherwise, and Java does so all the time
CACHE_SEC = 1
CACHED = f"FAKETIME_NO_CACHE=0 FAKETIME_CACHE_DURATION={CACHE_SEC} "


class MisledZookeeper(ZookeeperService):
    """An ensemble whose first server has the clock that faults give it, which makes it slow."""

    @property
    def misled(self) -> Any:
        return self.nodes[0]

    def command(self, node: Any) -> str:
        command = super().command(node)
        return f"env {clock_environment(node)}{CACHED}{command}" if node is self.misled else command


class ZookeeperClockTest(Test):
    """Three servers, and a client that writes all the time."""

    def setup(self) -> None:
        self.zookeeper = MisledZookeeper(self.test_context, num_nodes=3)
        self.load = ZookeeperLoad(self.test_context, num_nodes=1, zookeeper=self.zookeeper)
        self.zookeeper.start()
        self.load.start()
        self.load.wait_for("writes", 50)

    @cluster(num_nodes=4)
    def test_leader_is_killed(self) -> dict[str, str]:
        """Another leader is elected while the clock of a follower is fast."""
        misled = self.zookeeper.misled
        if self.zookeeper.wait_for_leader() is misled:
            self.zookeeper.restart_node(misled)
        old = self.zookeeper.wait_for_leader()
        assert old is not misled
        with skew_clock(misled, SECONDS):
            # The server learns of it when the cache is over, and logs nothing until then
            time.sleep(2 * CACHE_SEC)
            kill(old, process="QuorumPeerMain").inject()
            new = self.zookeeper.wait_for_leader(*self.zookeeper.others(old))
            self.load.wait_for("writes", 50)
        self.zookeeper.start_node(old)
        self.zookeeper.wait_for_leader()
        self.load.stop()
        return {"killed": old.name, "elected": new.name, "misled": misled.name}
