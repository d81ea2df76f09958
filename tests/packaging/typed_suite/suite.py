# SPDX-License-Identifier: Apache-2.0
"""Tests with types, as users write them."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from typing import Any

from ducktape import faults
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.errors import Skip
from ducktape.mark import defaults, env, expected_failure, ignore, matrix, parametrize, tag, timeout
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext
from ducktape.utils.wait import all_of, condition, port, wait_for

from .services import Archive, Reads, Store, Watcher, wait_for_all


@tag("typed")
class StoreTest(Test):
    """A store, read while it is disturbed."""

    def __init__(self, test_context: TestContext) -> None:
        super().__init__(test_context)
        self.log: logging.Logger = self.logger
        self.store = Store(test_context, num_nodes=1, greeting=str(test_context.globals.get("greeting", "hi")))

    def setup(self) -> None:
        self.store.start()
        wait_for(all_of(port(node, self.store.port(node, "http")) for node in self.store.nodes), timeout="10s")

    def teardown(self) -> None:
        self.log.info("%s of %s is over", self.test_context.test_id, self.test_context.session_context.session_id)

    @cluster(num_nodes=2)
    @parametrize(path="store.conf", size=3)
    @parametrize(path="store.conf", size=1)
    def test_reads(self, path: str, size: int) -> dict[str, object]:
        reads = Reads(self.test_context, self.store)
        reads.start()
        reads.wait_for("reads", more=size, timeout_sec=30)
        reads.stop()
        assert self.store.get(self.store.get_node(1), path).startswith("greeting=hi")
        return {"reads": reads.total("reads") >= size, "addresses": list(self.addresses())}

    @timeout(test="60s")
    @cluster(num_nodes=1)
    @matrix(signal=["KILL", 15], again=[True])
    def test_a_crash(self, signal: str | int, again: bool) -> None:
        node = self.store.nodes[0]
        with self.store.expect_death(node):
            faults.kill(self.store, signal).inject()
            wait_for(condition(lambda: not self.store.is_alive(node), "it has died"), timeout=10)
        if again:
            self.store.start_node(node)
            assert self.store.is_alive(node)

    @cluster(num_nodes=1)
    @defaults(seconds=[0.1])
    def test_a_pause(self, seconds: float) -> None:
        plan = {lambda: faults.pause(self.store): 1.0}
        with faults.random(plan, seed=1, interval=seconds) as chaos:
            chaos.wait_effective(timeout_sec=30)
        fault: faults.Fault = chaos.history[0]
        assert fault.injected is not None and chaos.seed == 1

    @cluster(num_nodes=2, node_type=None)
    @ignore
    def test_a_cut(self) -> None:
        other = self.cluster.alloc(ClusterSpec.simple_linux(1))
        with faults.partition(self.store, other), faults.slow(self.store, delay=0.1):
            self.disturb(random.Random(1).choice(other))

    def disturb(self, node: ClusterNode) -> None:
        with faults.fill_disk([node], "/mnt", free="1M"), faults.drop(node, to=self.store, port=80):
            faults.restart(self.store, node).inject()

    def addresses(self) -> Iterator[str]:
        for node in self.store.nodes:
            yield f"{node.account.user or ''}@{node.account.externally_routable_ip or node.account.hostname}"


class FilesTest(Test):
    """Files, and services without a process."""

    def setUp(self) -> None:
        if not self.cluster.available().size():
            raise Skip("no nodes")

    @env(HOME_OF_NOBODY=None)
    @cluster(cluster_spec=ClusterSpec.simple_linux(1))
    def test_files(self) -> None:
        archive = Archive(self.test_context)
        archive.run()
        assert archive.service_id

    @cluster(num_nodes=1)
    def test_copies(self) -> None:
        archive = Archive(self.test_context)
        archive.start()
        assert all(size > 2 for size in archive.sizes())
        account = archive.nodes[0].account
        account.copy_from("/tmp/typed-archive/log", self.test_context.local_scratch_dir)
        account.copy_to(f"{self.test_context.local_scratch_dir}/log", "/tmp/typed-archive/copy")
        account.copy_between("/tmp/typed-archive/copy", "/tmp/typed-archive/second", archive.nodes[0])
        with account.open("/tmp/typed-archive/second", "a") as file:
            file.write("end\n")
        last: str = list(account.ssh_capture("cat /tmp/typed-archive/second"))[-1]
        assert last.rstrip("\n") == "end"
        assert account.ssh("test -d /tmp/typed-archive", allow_fail=True) == 0
        assert sorted(account.sftp_client.listdir("/tmp/typed-archive")) == ["copy", "log", "second"]
        program = account.start(["sleep", "60"], log="/tmp/typed-archive/program.log", environment={"LEVEL": 1})
        program.stop()
        self.note({"pid": program.standing().pid})

    @cluster(num_nodes=2)
    @expected_failure("the assertion at its end is wrong")
    def test_threads(self) -> None:
        watcher = Watcher(self.test_context, num_nodes=2, rounds=1)
        watcher.start()
        wait_for_all(watcher)
        watcher.wait(timeout_sec=30)
        assert watcher.seen == {}

    def note(self, values: dict[str, Any]) -> None:
        self.logger.info("%s", self.render_template("noted: {{ values }}", values=values))
