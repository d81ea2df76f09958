# SPDX-License-Identifier: Apache-2.0
"""``--node-metrics`` on each kind of cluster, also if the process of a test is killed: nothing is left on nodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.program import LOCALHOST, Program, suite
from tests.support.sshd import running_sshd

SUITE = """
    import json
    import os
    import signal

    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test
    from ducktape.utils.util import wait_until


    class WatchedTest(Test):
        def wait_for_rates(self):
            path = os.path.join(self.test_context.attempt_dir, "node-metrics.jsonl")
            names = {node.name for node in self.test_context.cluster.nodes}

            def known():
                if not os.path.exists(path):
                    return False
                with open(path) as file:
                    samples = [json.loads(line) for line in file.read().split("\\n")[:-1]]
                return {sample["node"] for sample in samples if "cpu_cores" in sample} == names

            wait_until(known, timeout_sec=60, backoff_sec=0.05)

        @cluster(num_nodes=2)
        def test_a_killed(self):
            self.wait_for_rates()
            os.kill(os.getpid(), signal.SIGKILL)

        @cluster(num_nodes=2)
        def test_b_after(self):
            self.wait_for_rates()
            node = self.test_context.cluster.nodes[0]
            return node.account.ssh_output("cat /proc/[0-9]*/cmdline", allow_fail=True).decode().count("/proc/meminfo")
"""


def run(folder: Path, *cluster: str) -> Program:
    program = Program(folder, suite(folder, SUITE), *cluster, "--node-metrics")
    assert program.wait() == 1, program.output
    assert program.statuses == {"test_a_killed": "FAIL", "test_b_after": "PASS"}
    assert "did not terminate" not in (directory_of(program, "test_b_after") / "test_log.debug").read_text()
    return program


def directory_of(program: Program, name: str) -> Path:
    return program.folder / "results" / "latest" / str(program.result(name)["relative_results_dir"])


def samples_of(program: Program, name: str) -> list[dict[str, Any]]:
    lines = (directory_of(program, name) / "node-metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def check(program: Program, expected: Sequence[Sequence[str]], *, rates: Sequence[str] = ()) -> None:
    """Check the nodes of both tests, and the last sample of each."""
    for name, nodes in zip(("test_a_killed", "test_b_after"), expected, strict=True):
        samples = samples_of(program, name)
        assert {sample["node"] for sample in samples} == set(nodes)
        for node in nodes:
            times = [sample["time"] for sample in samples if sample["node"] == node]
            assert times == sorted(times)
        last = samples[-1]
        assert last["memory_used_bytes"] > 0
        assert last["disk_used_bytes"] >= 0
        assert all(last[rate] >= 0 for rate in ("cpu_cores", *rates))
        summary = program.result(name).get("node_metrics")
        if name == "test_a_killed":
            assert summary is None
            continue
        assert summary is not None
        assert set(summary) == set(nodes)
        for node, metrics in summary.items():
            values = [sample["memory_used_bytes"] for sample in samples if sample["node"] == node]
            assert metrics["memory_used_bytes"]["max"] == max(values)
            assert metrics["memory_used_bytes"]["mean"] == pytest.approx(sum(values) / len(values), abs=0.001)


def test_the_nodes_of_this_machine_are_watched(tmp_path: Path) -> None:
    program = run(tmp_path, *LOCALHOST)
    check(program, [["localhost0", "localhost1"], ["localhost2", "localhost3"]])
    assert program.survivors() == []


@pytest.mark.needs("sshd")
def test_nodes_reached_by_ssh_are_watched(tmp_path: Path) -> None:
    directory = tmp_path / "sshd"
    directory.mkdir(mode=0o700)
    with running_sshd(directory) as server:
        login = {name: value for name, value in server.settings.to_json().items() if value is not None}
        nodes = [{"ssh_config": {**login, "host": host}} for host in ("w1", "w2")]
        (tmp_path / "cluster.json").write_text(json.dumps({"nodes": nodes}))
        program = run(tmp_path, "--cluster", "json", "--cluster-file", "cluster.json")
        check(program, [["w1", "w2"]] * 2)
        assert server._process is not None
        children = psutil.Process(server._process.pid).children(recursive=True)
        _, left = psutil.wait_procs(children, timeout=20)
        assert left == []


@pytest.mark.needs("sandbox")
def test_the_nodes_of_the_sandbox_tell_what_they_use_themselves(tmp_path: Path) -> None:
    (tmp_path / "sandbox.json").write_text('{"max_nodes": 2}')
    program = run(tmp_path, "--cluster", "sandbox", "--cluster-file", "sandbox.json")
    rates = ["network_received_bytes_per_sec", "network_sent_bytes_per_sec"]
    check(program, [["node1", "node2"]] * 2, rates=rates)
    # The command that watches the second test, and the process that waits for the end of its input
    assert program.result("test_b_after")["data"] == 2
    assert all(sample["memory_used_bytes"] < 1 << 30 for sample in samples_of(program, "test_b_after"))
