# SPDX-License-Identifier: Apache-2.0
"""Suites on a cluster file whose nodes are real SSH servers, run as users run them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import CHECKOUT, Program, suite
from tests.support.sshd import Sshd, running_sshd

pytestmark = pytest.mark.needs("sshd")

VERBS = (
    "CommandsTest.test_lines_as_they_come",
    "CommandsTest.test_many_threads_at_once",
    "CommandsTest.test_output",
    "CommandsTest.test_status_and_errors",
    "ConnectionsTest.test_all_nodes_at_once",
    "ConnectionsTest.test_the_library_is_reached_and_closing_starts_anew",
    "FilesTest.test_a_large_file",
    "FilesTest.test_files_and_directories",
    "FilesTest.test_trees_to_nodes_between_them_and_back",
    "ProcessesTest.test_no_java_process_of_an_unlikely_name",
    "ProcessesTest.test_processes_are_found_and_ended",
    "WatchingTest.test_a_log_is_watched_from_here_on",
    "WatchingTest.test_a_server_on_a_node_is_awaited",
    "WatchingTest.test_network_devices",
)


@contextlib.contextmanager
def servers(folder: Path, count: int) -> Iterator[list[Sshd]]:
    """Start so many servers."""
    with contextlib.ExitStack() as stack:
        made = []
        for number in range(count):
            directory = folder / f"sshd-{number}"
            directory.mkdir()
            made.append(stack.enter_context(running_sshd(directory)))
        yield made


def cluster_file(folder: Path, nodes: list[Sshd]) -> str:
    """Write a cluster file for ``worker1`` and so on, and return its path."""
    entries = []
    for number, node in enumerate(nodes, 1):
        settings = {**node.settings.to_json(), "host": f"worker{number}"}
        entries.append({"externally_routable_ip": "127.0.0.1", "ssh_config": settings})
    path = folder / "cluster.json"
    path.write_text(json.dumps({"nodes": entries}))
    return str(path)


@contextlib.contextmanager
def finished(folder: Path, *arguments: str) -> Iterator[Program]:
    """Run the program on a cluster file to its end; nothing of it outlives the block."""
    program = Program(folder, *arguments, "--cluster", "ducktape.cluster.json.JsonCluster")
    try:
        program.wait()
        yield program
    finally:
        program.kill_everything()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One run of the suite of all verbs on five nodes."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "work").mkdir()
    everything = json.dumps({"work_root": str(folder / "work")})
    with servers(folder, 5) as nodes:
        file = cluster_file(folder, nodes)
        path = str(CHECKOUT / "systests" / "cluster")
        with finished(folder, path, "--cluster-file", file, "--globals", everything, "--max-parallel", "3") as program:
            yield program


def test_every_verb_works_on_every_node(run: Program) -> None:
    results = {f"{result['cls_name']}.{result['function_name']}": result for result in run.report["results"]}
    assert {name: result["test_status"] for name, result in results.items()} == dict.fromkeys(VERBS, "PASS"), run.output
    assert run.process.returncode == 0


def test_the_logs_of_all_nodes_are_collected(run: Program) -> None:
    result = run.result("test_all_nodes_at_once")
    directory = run.folder / "results" / "latest" / result["relative_results_dir"]
    logs = {path.name: path.read_text() for path in directory.rglob("workplace-*.log")}
    assert logs == {f"workplace-worker{n}.log": f"the workplace of worker{n}\n" for n in range(1, 6)}


def test_nothing_is_left_on_the_nodes(run: Program) -> None:
    assert run.survivors() + [str(path) for path in (run.folder / "work").iterdir()] == []


FROZEN = """
    import json, os, signal

    from ducktape.mark import parametrize
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test


    class FrozenTest(Test):
        def freeze(self):
            [node] = self.test_context.cluster.alloc(self.test_context.cluster.all())
            account = node.account
            pid = int(account.ssh_output("echo $PPID"))
            self.logger.info("node %s", account.hostname)
            os.kill(pid, signal.SIGSTOP)
            return account

        @cluster(num_nodes=1)
        def test_a_patient(self):
            self.freeze().ssh("true")

        @cluster(num_nodes=1)
        def test_b_with_timeout(self):
            self.freeze().ssh("true", timeout_sec=1)

        @cluster(num_nodes=1)
        def test_c_next(self):
            [node] = self.test_context.cluster.alloc(self.test_context.cluster.all())
            assert node.account.ssh_output("echo next") == b"next\\n"
"""


def test_a_frozen_node_fails_its_test_by_name_and_the_next_one_runs(tmp_path: Path) -> None:
    path = suite(tmp_path, FROZEN)
    with servers(tmp_path, 3) as nodes:
        file = cluster_file(tmp_path, nodes)
        with finished(tmp_path, path, "--cluster-file", file, "--test-runner-timeout", "4000") as program:
            results = {result["function_name"]: result for result in program.report["results"]}
            statuses = {name: result["test_status"] for name, result in results.items()}
            assert statuses == {"test_a_patient": "FAIL", "test_b_with_timeout": "FAIL", "test_c_next": "PASS"}
            assert "worker1" in results["test_a_patient"]["summary"]
            assert "worker2: " in results["test_b_with_timeout"]["summary"]
            assert program.survivors() == []
