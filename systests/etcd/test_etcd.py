# SPDX-License-Identifier: Apache-2.0
"""etcd: does it keep its promises when members die, stand still, and cannot reach each other?

In ``--globals``: ``"broken"`` makes the clients bad ones on purpose, ``"unconditional"`` or ``"stale"``, and the tests
have to find that out; ``"seed"`` repeats a sequence of random faults, of which there are ``"faults"``, 4 by default;
``"work_root"`` is where the nodes keep their files, instead of /tmp.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any

from ducktape import faults
from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
from ducktape.utils.util import wait_until
from systests.etcd.etcd_client import NoAnswer
from systests.etcd.etcd_service import EtcdService
from systests.etcd.history import DONE, REFUSED, UNKNOWN, as_lines, problems
from systests.etcd.workload import EtcdClients


class EtcdTest(Test):
    """Three members, and clients that write all the time."""

    def setup(self) -> None:
        self.etcd = EtcdService(self.test_context, num_nodes=3)
        self.clients = EtcdClients(self.test_context, self.etcd)
        self.etcd.start()
        self.clients.start()
        self.clients.wait_for(DONE, 30, timeout_sec=30)

    def check_history(self) -> dict[str, Any]:
        """Stop the clients, and compare what they were told with what is there in the end."""
        self.etcd.wait_until_ready()
        self.clients.wait_for(DONE, 20, timeout_sec=30)
        self.clients.stop()
        history = self.clients.history
        context = self.test_context
        path = os.path.join(context.results_dir(context, context.test_index), "history.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(as_lines(history))
        found = problems(history, self.clients.last_values())
        assert not found, f"{len(found)} answers cannot be true, as {path} shows. " + "\n".join(found[:10])
        return {outcome: self.clients.total(outcome) for outcome in (DONE, REFUSED, UNKNOWN)}

    @cluster(num_nodes=4)
    def test_leader_is_killed(self) -> dict[str, Any]:
        """Another member takes over, and the killed one comes back and gets what it missed."""
        old = self.etcd.wait_for_leader()
        self.etcd.kill_node(old)
        self.etcd.wait_for_leader(*self.etcd.others(old))
        self.clients.wait_for(DONE, 30, timeout_sec=30)
        self.etcd.start_node(old)
        self.etcd.wait_until_caught_up(old)
        return self.check_history()

    @cluster(num_nodes=4)
    @matrix(isolated=["leader", "follower"])
    def test_partition(self, isolated: str) -> dict[str, Any]:
        """A member that is cut off neither writes nor reads while the others go on; healed, it gets what it missed."""
        leader = self.etcd.wait_for_leader()
        lonely = leader if isolated == "leader" else self.etcd.others(leader)[0]
        majority = self.etcd.others(lonely)
        with faults.partition([lonely], majority):
            self.etcd.wait_for_leader(*majority)
            self.clients.wait_for(DONE, 30, timeout_sec=30)
            member = self.etcd.client(lonely, timeout_sec=1)
            self.refuses(lonely, lambda: self.clients.ask(member, self.clients.keys[0]))
            self.refuses(lonely, lambda: member.swap("other", None, "written by few"))
        self.etcd.wait_until_ready()
        self.etcd.wait_until_caught_up(lonely)
        return self.check_history()

    @cluster(num_nodes=4)
    def test_leader_stands_still(self) -> dict[str, Any]:
        """A leader that goes on after a pause does not answer from its memory: others have written meanwhile."""
        old = self.etcd.wait_for_leader()
        with faults.pause(old, process=self.etcd.command(old)):
            self.etcd.wait_for_leader(*self.etcd.others(old))
            self.clients.wait_for(DONE, 30, timeout_sec=30)
        self.etcd.wait_until_caught_up(old)
        return self.check_history()

    @cluster(num_nodes=4)
    def test_random_faults(self) -> dict[str, Any]:
        """Members are cut off and stand still as chance has it, and nobody notices but for the waiting."""
        count = int(self.test_context.globals.get("faults", 4))
        seed = self.test_context.globals.get("seed")
        plan = [self.some_partition, self.some_one_way_partition, self.some_pause]
        with faults.random(plan, seed=seed, interval=1.5, pause=0.5) as storm:
            self.logger.info("the seed of the faults is %d", storm.seed)
            wait_until(
                lambda: [fault.healed is not None for fault in storm.history].count(True) >= count,
                timeout_sec=20 * count,
                err_msg=lambda: f"only {len(storm.history)} of {count} faults have come and gone",
            )
        return {"seed": storm.seed, "faults": len(storm.history), **self.check_history()}

    def some_partition(self, dice: Random) -> Any:
        lonely = dice.choice(self.etcd.nodes)
        return faults.partition([lonely], self.etcd.others(lonely))

    def some_one_way_partition(self, dice: Random) -> Any:
        lonely = dice.choice(self.etcd.nodes)
        return faults.partition(*dice.sample([[lonely], self.etcd.others(lonely)], 2), one_way=True)

    def some_pause(self, dice: Random) -> Any:
        slow = dice.choice(self.etcd.nodes)
        return faults.pause(slow, process=self.etcd.command(slow))

    def refuses(self, node: Any, ask: Callable[[], Any]) -> None:
        try:
            answer = ask()
        except NoAnswer:
            return
        raise AssertionError(f"{node.name} is cut off from the majority and answers all the same: {answer}")
