# SPDX-License-Identifier: Apache-2.0
"""Mistakes that type checkers find: each is alone on its line, with the kind of the error in its comment."""

from __future__ import annotations

from collections.abc import Callable

from ducktape import faults
from ducktape.cluster import LocalCluster  # type: ignore[attr-defined]
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.mark import matrix, parametrize, timeout
from ducktape.mark.resource import cluster
from ducktape.services.process import ProcessService
from ducktape.services.service import Service
from ducktape.services.workload import Workload
from ducktape.tests import Tests  # type: ignore[attr-defined]
from ducktape.tests.test import Test
from ducktape.utils.util import wait_until
from ducktape.utils.wait import port, wait_for

from .services import Archive, Store, Watcher

UNKNOWN = (LocalCluster, Tests)
MARKS = (
    cluster(num_nodes="3"),  # type: ignore[call-overload]
    cluster(num_nodes=3, cluster_spec=ClusterSpec.simple_linux(3)),  # type: ignore[call-overload]
)


class Wrong(Service):
    logs = ["/var/log/wrong"]  # type: ignore[assignment]

    def start_node(self, node: str) -> None:  # type: ignore[override]
        self.context.logger.inform("starting")  # type: ignore[attr-defined]

    def stop_node(self) -> None:  # type: ignore[override]
        self.nodes[0].acount.ssh("true")  # type: ignore[attr-defined]

    def clean_node(self, node: ClusterNode) -> None:
        node.account.sssh("rm -rf /mnt/wrong")  # type: ignore[attr-defined]
        node.account.ssh("rm -rf /mnt/wrong", allow_failure=True)  # type: ignore[call-arg]
        node.account.ssh(["rm", "-rf", "/mnt/wrong"])  # type: ignore[arg-type]
        node.account.copy_to("wrong.conf")  # type: ignore[call-arg]
        node.account.mkdirs("/mnt/wrong", mode="755")  # type: ignore[arg-type]
        node.account.winrm_client.run_cmd("dir")  # type: ignore[attr-defined]

    def read(self, node: ClusterNode) -> str:
        if "ready" in node.account.ssh_output("cat /mnt/state"):  # type: ignore[operator]
            node.account.ssh_output("cat /mnt/state").split("\n")  # type: ignore[arg-type]
        node.account.ssh_capture("cat /mnt/state").splitlines()  # type: ignore[attr-defined]
        for line in node.account.ssh_capture("cat /mnt/state"):
            line.decode()  # type: ignore[attr-defined]
        for number in node.account.ssh_capture("cat /mnt/state", callback=int):
            number.strip()  # type: ignore[attr-defined]
        with node.account.open("/mnt/state") as file:
            file.read().startswith("ready")  # type: ignore[arg-type]
        return node.account.ssh_output("cat /mnt/state")  # type: ignore[return-value]

    def watch(self, node: ClusterNode) -> None:
        with node.account.monitor_log("/mnt/log") as monitor:
            monitor.wait_until("ready", timeout=5)  # type: ignore[call-arg]
        node.account.monitor_log("/mnt/log").wait_until("ready", timeout_sec=5)  # type: ignore[attr-defined]
        wait_until(self.read(node) == "ready", timeout_sec=5)  # type: ignore[arg-type]
        wait_until(lambda: self.read(node), 5, backof_sec=1)  # type: ignore[call-arg]
        wait_for(lambda: True, timeout="5s")  # type: ignore[arg-type]
        port(node, "http")  # type: ignore[arg-type]


class WrongProcess(ProcessService):
    def command(self, node: ClusterNode) -> dict[str, str]:  # type: ignore[override]
        return {"server": self.work_dir(node.name)}  # type: ignore[arg-type]


class WrongWorkload(Workload):
    def work(self, node: ClusterNode) -> None:  # type: ignore[override]
        self.stoping.wait(1)  # type: ignore[attr-defined]
        self.count(node)  # type: ignore[arg-type]


class WrongTest(Test):
    def setup(self) -> None:
        self.store = Store(self.test_context, nodes=3)  # type: ignore[call-arg]
        self.archive = Archive(self)  # type: ignore[arg-type]
        self.watcher = Watcher(num_nodes=1, context=self.context)  # type: ignore[attr-defined]

    @timeout("20m")  # type: ignore[call-arg]
    def test_the_context(self) -> None:
        self.test_context.test_nme.upper()  # type: ignore[attr-defined]
        self.test_context.session_context.result_dir.upper()  # type: ignore[attr-defined]
        self.cluster.alloc(3)  # type: ignore[arg-type]
        self.cluster.alloc(ClusterSpec.simple_linux(1)).account  # type: ignore[attr-defined]
        self.store.nodes.account.ssh("true")  # type: ignore[attr-defined]
        self.store.start_node(0)  # type: ignore[arg-type]
        self.store.get_node("n1").account.close()  # type: ignore[arg-type]
        self.logger.warn_once("no such method")  # type: ignore[attr-defined]

    @matrix(size=3)  # type: ignore[arg-type]
    @parametrize("small", size=1)  # type: ignore[call-arg]
    def test_faults(self, size: int) -> None:
        faults.partition(self.store, self.test_context)  # type: ignore[arg-type]
        faults.slow(self.store, delay="100ms")  # type: ignore[arg-type]
        faults.flood(self.store)  # type: ignore[attr-defined]
        faults.kill(self.store).undo()  # type: ignore[attr-defined]
        faults.restart(self.store.nodes[0])  # type: ignore[arg-type]
        faults.random([self.setup])  # type: ignore[type-var]
        self.test_faults("large")  # type: ignore[arg-type]
        self.render(size)  # type: ignore[arg-type]


def decorated(test: WrongTest) -> Callable[[int], str]:
    return test.test_faults  # type: ignore[return-value]
