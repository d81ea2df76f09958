# SPDX-License-Identifier: Apache-2.0
"""Services with types, as users write them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec, NodeSpec
from ducktape.cluster.remoteaccount import LogMonitor, RemoteCommandError
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount
from ducktape.errors import TimeoutError
from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.process import ProcessService
from ducktape.services.service import Service
from ducktape.services.workload import Workload
from ducktape.tests.test_context import TestContext
from ducktape.utils.util import wait_until
from ducktape.utils.wait import Condition, http, port

CONFIG = "greeting={{ greeting }}\nhost={{ node.account.hostname }}\n"


class Store(ProcessService):
    """Serves its working directory by HTTP."""

    ports = {"http": 8080}
    stop_timeout_sec = 5

    def __init__(self, context: TestContext, num_nodes: int = 1, greeting: str = "hello") -> None:
        super().__init__(context, num_nodes)
        self.greeting = greeting

    def files(self, node: ClusterNode) -> Mapping[str, str]:
        return {"store.conf": self.render_template(CONFIG, node=node)}

    def command(self, node: ClusterNode) -> Sequence[str]:
        return ["python3", "-u", "-m", "http.server", str(self.port(node, "http"))]

    def ready(self, node: ClusterNode) -> Condition:
        number = self.port(node, "http")
        return port(node, number) & http(node, number, "/store.conf", body=self.greeting) & self.logged(node, "GET")

    def get(self, node: ClusterNode, path: str) -> str:
        url = f"{self.address(node)}:{self.port(node, 'http')}/{path}"
        with node.account.http_request(url, "GET", timeout=5) as response:
            return response.read().decode()


class Archive(Service):
    """Keeps files on each node; its hooks have no keywords."""

    logs = {"archive": {"path": "/tmp/typed-archive/log", "collect_default": False}}

    def __init__(self, context: TestContext, spec: ClusterSpec | None = None) -> None:
        super().__init__(context, cluster_spec=spec or ClusterSpec([NodeSpec("linux")]))
        self.pids: dict[str, int] = {}
        for node in self.nodes:
            node.generation = 1

    def start_node(self, node: ClusterNode) -> None:
        if isinstance(node.account, WindowsRemoteAccount):
            raise RuntimeError(f"{self.who_am_i(node)} cannot use {node.account.winrm_client}")
        node.account.mkdirs("/tmp/typed-archive", mode=0o755)
        node.account.create_file("/tmp/typed-archive/log", f"{self.generation_of(node)}\n")
        with node.account.monitor_log("/tmp/typed-archive/log") as monitor:
            node.account.ssh("sh -c 'echo started with $$ >>/tmp/typed-archive/log; exec true'")
            self.wait_until_started(monitor)
        lines = node.account.ssh_capture("cat /tmp/typed-archive/log", callback=lambda line: line.split())
        self.pids[node.name] = next(int(words[-1]) for words in lines if "started" in words)

    def wait_until_started(self, monitor: LogMonitor) -> None:
        monitor.wait_until("started", timeout_sec=5, backoff_sec=0.1, err_msg=lambda: f"no {monitor.log}")

    def stop_node(self, node: ClusterNode, clean_shutdown: bool = True) -> None:
        if node.account.alive(self.pids.get(node.name, 0)) and not clean_shutdown:
            node.account.signal(self.pids[node.name], "KILL", allow_fail=True)

    def clean_node(self, node: ClusterNode) -> None:
        node.account.remove("/tmp/typed-archive", allow_fail=True)

    def wait_node(self, node: ClusterNode, timeout_sec: float | None = None) -> bool:
        return not node.account.alive(self.pids[node.name])

    def generation_of(self, node: ClusterNode) -> int:
        generation = node.generation
        assert isinstance(generation, int)
        return generation

    def sizes(self) -> list[int]:
        return self.for_nodes(lambda node: int(node.account.ssh_output("wc -c </tmp/typed-archive/log").decode()))


class Reads(Workload):
    """Reads from a store until it is stopped."""

    def __init__(self, context: TestContext, store: Store) -> None:
        super().__init__(context, num_nodes=1)
        self.store = store

    def work(self, idx: int, node: ClusterNode) -> None:
        while not self.stopping.wait(0.01):
            self.store.get(self.store.nodes[idx - 1], "store.conf")
            self.count("reads")


class Watcher(BackgroundThreadService):
    """Watches the clock of each node for a while."""

    def __init__(self, context: TestContext, num_nodes: int, rounds: int = 2) -> None:
        super().__init__(context, num_nodes=num_nodes)
        self.rounds = rounds
        self.seen: dict[int, list[str]] = {}

    def _worker(self, idx: int, node: ClusterNode) -> None:
        self.seen[idx] = []
        for _ in range(self.rounds):
            try:
                output: bytes = node.account.ssh_output("date +%s", combine_stderr=False, timeout_sec=5)
            except RemoteCommandError as error:
                self.logger.warning("%s has no clock: %s", node.name, error.exit_status)
                continue
            self.seen[idx].append(output.decode().strip())
            time.sleep(0.01)

    def stop_node(self, node: ClusterNode, **kwargs: object) -> None:
        self.wait_node(node, timeout_sec=5)

    def clean_node(self, node: ClusterNode, **kwargs: object) -> None:
        self.seen.pop(self.idx(node), None)


def wait_for_all(watcher: Watcher) -> None:
    """Wait without the methods of the service."""
    try:
        wait_until(lambda: len(watcher.seen) == watcher.num_nodes, timeout_sec=10, err_msg="nothing seen")
    except TimeoutError as error:
        raise AssertionError(f"{watcher.service_id}: {error}") from error
