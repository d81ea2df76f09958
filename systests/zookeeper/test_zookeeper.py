# SPDX-License-Identifier: Apache-2.0
"""Does a ZooKeeper ensemble keep what it has acknowledged, and nothing that it should have refused?

``--globals '{"broken": "weights"}'`` and ``'{"broken": "volatile"}'`` configure the servers badly; some test must find
that out. ``"work_root"`` in the globals is where the nodes keep their files, instead of /tmp.
"""

from __future__ import annotations

from ducktape.faults import partition
from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
from systests.zookeeper.zookeeper_service import ZookeeperLoad, ZookeeperService


class ZookeeperTest(Test):
    """Three servers, and a client that writes all the time."""

    def setup(self) -> None:
        self.zookeeper = ZookeeperService(self.test_context, num_nodes=3)
        self.load = ZookeeperLoad(self.test_context, num_nodes=1, zookeeper=self.zookeeper)
        self.zookeeper.start()
        self.load.start()
        self.load.wait_for("writes", 50)

    def check_that_nothing_acknowledged_is_lost(self) -> None:
        acknowledged = list(self.load.acknowledged)
        for node, data in zip(self.zookeeper.nodes, self.zookeeper.for_nodes(self.zookeeper.data), strict=True):
            lost = [key for key in acknowledged if data.get(key) != key]
            assert not lost, f"{node.name} lost {len(lost)} of {len(acknowledged)} acknowledged writes: {lost[:5]}"

    def finish(self) -> dict[str, float]:
        """Stop the load, compare all servers with what it was told, and return what it measured."""
        self.load.stop()
        self.check_that_nothing_acknowledged_is_lost()
        return {
            "acknowledged_writes": len(self.load.acknowledged),
            "longest_wait_seconds": round(self.load.slowest_seconds, 2),
        }

    @cluster(num_nodes=4)
    def test_leader_is_killed(self) -> dict[str, float]:
        """Another leader is elected and writes go on; the killed one comes back as a follower and catches up."""
        old = self.zookeeper.wait_for_leader()
        self.zookeeper.kill_node(old)
        self.zookeeper.wait_for_leader(*self.zookeeper.others(old))
        self.load.wait_for("writes", 50)
        self.zookeeper.start_node(old)
        assert self.zookeeper.wait_for_leader() is not old
        self.load.wait_for("writes", 50)
        return self.finish()

    @cluster(num_nodes=4)
    @matrix(isolated=["leader", "follower"])
    def test_partition(self, isolated: str) -> dict[str, float]:
        """A server that is cut off refuses writes while the majority goes on; healed, it catches up."""
        leader = self.zookeeper.wait_for_leader()
        lonely = leader if isolated == "leader" else self.zookeeper.others(leader)[0]
        majority = self.zookeeper.others(lonely)
        with partition([lonely], majority):
            answer = self.zookeeper.write(lonely, "refused", seconds=3)
            assert not answer["acknowledged"], f"{lonely.name} takes writes although it is cut off from the majority"
            self.zookeeper.wait_for_leader(*majority)
            self.load.wait_for("writes", 50)
        self.zookeeper.wait_for_leader()
        self.load.wait_for("writes", 50)
        return self.finish()

    @cluster(num_nodes=4)
    def test_all_are_killed(self) -> dict[str, float]:
        """The power fails everywhere, and comes back."""
        self.zookeeper.for_nodes(self.zookeeper.kill_node)
        self.zookeeper.for_nodes(self.zookeeper.start_node)
        self.zookeeper.wait_for_leader()
        self.check_that_nothing_acknowledged_is_lost()
        self.load.wait_for("writes", 50)
        return self.finish()
