# SPDX-License-Identifier: Apache-2.0
"""Processes of services that die, and workloads, in a run of the program."""

from __future__ import annotations

from pathlib import Path

import psutil

from tests.support.program import finished, suite

SUITE = """
    import os, signal
    from ducktape.mark.resource import cluster
    from ducktape.services.process import ProcessService
    from ducktape.services.workload import Workload
    from ducktape.tests.test import Test

    class Server(ProcessService):
        work_root = os.getcwd()

        def command(self, node):
            return "sh -c 'echo ready; exec sleep 4321'"

        def ready(self, node):
            return self.logged(node, "ready")

    class Load(Workload):
        def work(self, idx, node):
            while not self.stopping.wait(0.001):
                self.count("requests")

    class ServerTest(Test):
        def setup(self):
            self.server = Server(self.test_context, 1)
            self.server.start()

        def kill_server(self):
            node = self.server.nodes[0]
            self.server.signal_node(node, "KILL")
            self.server.process(node).wait(20)

        @cluster(num_nodes=1)
        def test_server_dies(self):
            self.kill_server()

        @cluster(num_nodes=1)
        def test_server_dies_and_test_fails(self):
            self.kill_server()
            raise ValueError("no answer")

        @cluster(num_nodes=1)
        def test_server_is_killed_on_purpose(self):
            self.server.kill_node(self.server.nodes[0])

        @cluster(num_nodes=2)
        def test_load(self):
            load = Load(self.test_context, 1)
            load.start()
            load.wait_for("requests", 3, timeout_sec=20)

        @cluster(num_nodes=1)
        def test_dies_itself(self):
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_dies_unexpectedly_fails_its_test_and_explains_failures(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, SUITE)) as run:
        results = {result["test_id"].rpartition(".")[2]: result for result in run.report["results"]}
    died = "died (killed by SIGKILL)\n    ready"
    dead = results["test_server_dies"]
    assert (dead["test_status"], dead["reason"]) == ("FAIL", "error")
    assert dead["summary"].startswith("Server-0-")
    assert dead["summary"].endswith(died)
    failed = results["test_server_dies_and_test_fails"]
    assert (failed["test_status"], failed["reason"]) == ("FAIL", "error")
    assert failed["summary"].startswith("ValueError('no answer')")
    assert failed["summary"].endswith(died)
    assert results["test_server_is_killed_on_purpose"]["test_status"] == "PASS"
    # Its services are recorded in the order of their registration
    assert results["test_load"]["test_status"] == "PASS"
    assert results["test_load"]["services"][1]["counters"]["requests"] >= 3
    assert results["test_dies_itself"]["reason"] == "crash"
    assert "teardown_errors" not in results["test_dies_itself"]
    assert [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "4321"]] == []
    assert list(tmp_path.glob("server-*")) == []
