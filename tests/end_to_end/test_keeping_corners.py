# SPDX-License-Identifier: Apache-2.0
"""Kept tests in the middle of runs: released meanwhile, shared by leases, interrupted, dead, and hard to clean up."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ducktape.cluster.sandbox import cgroups
from ducktape.tests.keeping.registry import KeptTest
from tests.support.program import Program, environment, suite

PATIENCE_SEC = 30.0
JSON = ("--cluster", "json", "--cluster-file", "nodes.json")

# Three nodes, which no test here connects to
SUITE = """
    import os, signal, subprocess, time
    from ducktape.mark import timeout
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Hanging(Service):
        def start_node(self, node):
            pass

        def stop_node(self, node):
            while os.path.exists("hang"):
                try:
                    time.sleep(0.1)
                except BaseException:  # it resists even interrupts
                    self.logger.warning("interrupted")

        def clean_node(self, node):
            self.logger.warning("cleaned on %s", node.account.hostname)

    class KeptTest(Test):
        @timeout(teardown="1s")
        @cluster(num_nodes=2)
        def test_fails(self):
            Hanging(self.test_context, 1).start()
            raise ValueError("wrong leader")

        @cluster(num_nodes=1)
        def test_holds(self):
            while os.path.exists("hold"):
                time.sleep(0.02)

        @cluster(num_nodes=2)
        def test_pair(self):
            pass

        @cluster(num_nodes=1)
        def test_slow(self):
            subprocess.Popen(["sleep", os.environ["SECONDS"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.logger.warning("sleeping")
                time.sleep(1000)
            finally:
                self.logger.warning("leaving")
                time.sleep(1000)

        @cluster(num_nodes=0)
        def test_needs_none(self):
            raise ValueError("without nodes")

        @cluster(num_nodes=0)
        def test_needs_none_and_dies(self):
            os.kill(os.getpid(), signal.SIGKILL)

        @cluster(num_nodes=1)
        def test_dies(self):
            subprocess.Popen(["sleep", os.environ["SECONDS"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            os.kill(os.getpid(), signal.SIGKILL)
"""
SECONDS = str(200_000 + os.getpid())  # nobody else's sleep


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a suite and a cluster; nothing is kept afterwards."""
    nodes = [{"ssh_config": {"host": f"w{number}", "hostname": f"10.0.0.{number}"}} for number in (1, 2, 3)]
    (tmp_path / "nodes.json").write_text(json.dumps({"nodes": nodes, "lease_dir": "leases"}))
    suite(tmp_path, SUITE)
    yield tmp_path
    with contextlib.suppress(FileNotFoundError):
        (tmp_path / "hang").unlink()
    _call(tmp_path, "release", "--all")


@contextlib.contextmanager
def _started(
    folder: Path, *arguments: str, cluster: tuple[str, ...] = JSON, home: Path | None = None
) -> Iterator[Program]:
    extra = {"SECONDS": SECONDS, **({} if home is None else {"HOME": str(home)})}
    program = Program(folder, *arguments, *cluster, extra=extra)
    try:
        yield program
    finally:
        program.kill_everything()


def _call(folder: Path, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ducktape", *arguments],
        cwd=folder,
        env=environment(home or folder),
        text=True,
        capture_output=True,
        timeout=PATIENCE_SEC,
        check=False,
    )


def _kept(folder: Path) -> list[KeptTest]:
    paths = sorted((folder / ".ducktape" / "kept").glob("*.json"))
    return [KeptTest.from_json(json.loads(path.read_text())) for path in paths]


def _wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SEC
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SEC:g} seconds: {what}"
        time.sleep(0.02)


def _sleepers() -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline() == ["sleep", SECONDS]:
                found.append(process.pid)
    return found


def _status(process: psutil.Process) -> str:
    """Return the state of a process; that of a zombie if there is none any more."""
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


def test_nodes_that_are_released_meanwhile_go_to_this_run_and_to_others(folder: Path) -> None:
    (folder / "hold").touch()
    tests = [f"suite/test_it.py::KeptTest.{name}" for name in ("test_fails", "test_holds", "test_pair")]
    with _started(folder, *tests, "--keep", "on-failure", "--max-parallel", "3") as run:
        _wait_until(lambda: _kept(folder), "the first test is kept")
        [kept] = _kept(folder)
        with _started(folder, tests[2]) as other:
            other.wait_for("waits for nodes of other runs")
            by = rf"\(kept until \S+ \S+ for people to look inside, session {kept.session_id}, pid {kept.pid}\)"
            assert re.search(rf"w1 {by}; w2 {by}; w3 \(held by pid {run.process.pid}", other.output)
            assert _call(folder, "release", "test_fails").returncode == 0
            run.wait_for("the nodes that were kept are released")
            assert other.wait() == 0, other.output
        (folder / "hold").unlink()
        assert run.wait() == 1, run.output
        assert run.statuses == {"test_fails": "FAIL", "test_holds": "PASS", "test_pair": "PASS"}
        assert "Kept until" not in run.output.rpartition("SESSION REPORT")[2].rpartition("=====")[2]


def test_a_clean_up_that_hangs_is_bounded_and_said(folder: Path) -> None:
    with _started(folder, "suite/test_it.py::KeptTest.test_fails", "--keep", "on-failure") as run:
        assert run.wait() == 1
    (folder / "hang").touch()
    [kept] = _kept(folder)
    doctor = _call(folder, "doctor", "--cluster", "localhost")
    assert "w1, w2 of suite.test_it.KeptTest.test_fails until" in doctor.stdout
    assert f"ducktape release {kept.name}" in doctor.stdout
    early = _call(folder, "release", "1", "--timeout", "0.2")
    assert early.returncode == 1
    assert f"process {kept.pid} has not ended after 0.2 seconds" in early.stderr
    late = _call(folder, "release", "--all")
    assert (late.returncode, _kept(folder)) == (1, [])
    assert late.stdout.endswith(f": not everything could be cleaned up, see {kept.test_dir}/keeping.info\n")
    assert "interrupted" in (Path(kept.test_dir) / "keeping.debug").read_text()
    assert "stop_node" in (Path(kept.test_dir) / "keeping.stacks").read_text()


def test_a_dead_test_is_kept_with_its_processes_and_forgotten_with_its_holder(folder: Path) -> None:
    with _started(folder, "suite/test_it.py::KeptTest.test_dies", "--keep", "on-failure", "--deflake", "2") as run:
        assert run.wait() == 1
        [kept] = _kept(folder)
        assert (len(kept.nodes), kept.status) == (1, "FAIL")
        assert "SIGKILL" in kept.reason
        assert len(_sleepers()) == 1
        assert _call(folder, "release", "1").returncode == 0
        assert _sleepers() == []
    with _started(folder, "suite/test_it.py::KeptTest.test_dies", "--keep", "on-failure") as run:
        assert run.wait() == 1
        [kept] = _kept(folder)
        os.kill(kept.pid, signal.SIGKILL)
        _wait_until(lambda: not kept.is_alive, "the holder is dead")
        assert "its process is dead" in _call(folder, "nodes").stdout
        shell = _call(folder, "shell", "1", "--", "true")
        assert shell.stderr == f"{kept.name} is not kept any more: its process is dead\n"
        doctor = json.loads(_call(folder, "doctor", "--cluster", "localhost", "--json").stdout)
        assert doctor["forgotten"] == [{"name": kept.name, "nodes": ["w1"]}]
        assert _kept(folder) == []
        for pid in _sleepers():
            os.kill(pid, signal.SIGKILL)


def test_nothing_is_kept_after_a_second_interrupt(folder: Path) -> None:
    with _started(folder, "suite/test_it.py::KeptTest.test_slow", "--keep", "on-failure") as run:
        run.wait_for("sleeping")
        run.signal(signal.SIGINT)
        run.wait_for("leaving")
        run.signal(signal.SIGINT)
        run.wait()
        assert _kept(folder) == []
        assert _sleepers() == []
        assert run.survivors() == []


@pytest.mark.needs("sandbox")
def test_without_teardown_the_nodes_of_a_sandbox_are_kept(folder: Path) -> None:
    cluster = ("--cluster", "sandbox")
    with _started(folder, "suite/test_it.py::KeptTest.test_pair", "--no-teardown", cluster=cluster) as run:
        assert run.wait() == 0
    [kept] = _kept(folder)
    assert (kept.status, kept.node_names, kept.until - kept.since) == ("PASS", ["node1", "node2"], 7200)
    # Others take them neither for leftovers nor for free nodes
    doctor = json.loads(_call(folder, "doctor", *cluster, "--json").stdout)
    supervisor = psutil.Process(int(kept.nodes[0]["supervisor"]))
    leftovers = doctor["leftovers"]["removed"] + doctor["leftovers"]["left"]
    assert [line for line in leftovers if str(supervisor.pid) in line] == []
    assert [entry["nodes"] for entry in doctor["kept"]] == [["node1", "node2"]]
    asked = _call(folder, "shell", "pair", "2", "--", "hostname")
    assert (asked.returncode, asked.stdout) == (0, "node2\n")
    unnamed = _call(folder, "shell", "pair", "--", "hostname")
    assert unnamed.stderr == f"{kept.name} has several nodes, name one or its number: node1, node2\n"
    # Whatever ends the process that keeps them is the end of the nodes
    os.kill(kept.pid, signal.SIGKILL)
    _wait_until(lambda: _status(supervisor) == psutil.STATUS_ZOMBIE, "the sandbox has ended")
    assert [path for path in cgroups.leftovers() if str(supervisor.pid) in path] == []


def test_a_home_that_cannot_be_written_is_said_and_nothing_is_kept(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".ducktape").mkdir()
    (home / ".ducktape" / "kept").touch()
    with _started(folder, "suite/test_it.py::KeptTest.test_pair", "--keep", "always", home=home) as run:
        assert run.wait() == 0
        assert re.search(r"WARNING:[^]]*\]: No nodes are kept: \S+/kept cannot be written: ", run.output)
        assert "Kept until" not in run.output


CLUSTERS = """
    import os
    from ducktape.cluster.json import JsonCluster
    from ducktape.cluster.localhost import LocalhostCluster

    class Own(LocalhostCluster):
        pass

    class Refusing(LocalhostCluster):
        def keep(self, nodes):
            raise ValueError("not these")

    class Late(LocalhostCluster):
        def keep(self, nodes):
            def refuse(pid, until):
                raise ValueError("not these")

            keeping = super().keep(nodes)
            keeping.confirm = refuse
            return keeping

    class Few(JsonCluster):
        def keep(self, nodes):
            raise OSError(28, os.strerror(28))
"""


def test_clusters_of_users_keep_nodes_too(folder: Path) -> None:
    suite(folder, CLUSTERS, name="own_clusters")
    tests = [
        f"suite/test_it.py::KeptTest.{name}" for name in ("test_pair", "test_needs_none", "test_needs_none_and_dies")
    ]
    own = ("--cluster", "suite.own_clusters.Own")
    with _started(folder, *tests, "--keep", "always", cluster=own) as run:
        assert run.wait() == 1, run.output
    [kept] = _kept(folder)
    assert kept.node_names == ["localhost0", "localhost1"]
    (folder / "elsewhere").mkdir()
    asked = _call(folder / "elsewhere", "shell", "pair", "1", "--", "echo", "$HOME", "is;", "a word", home=folder)
    assert (asked.returncode, asked.stdout) == (0, "$HOME is; a word\n")
    assert _call(folder, "release", "--all").returncode == 0


@pytest.mark.parametrize("name", ["Refusing", "Late"])
def test_a_cluster_that_cannot_keep_nodes_gets_them_back(folder: Path, name: str) -> None:
    suite(folder, CLUSTERS, name="own_clusters")
    test = "suite/test_it.py::KeptTest.test_pair"
    with _started(folder, test, "--keep", "always", cluster=("--cluster", f"suite.own_clusters.{name}")) as run:
        assert run.wait() == 0, run.output
        assert "test_pair: its nodes cannot be kept: ValueError: not these" in run.output
        assert "Kept until" not in run.output
        _wait_until(lambda: not _kept(folder), "nothing is kept")


def test_a_test_that_cannot_be_kept_is_cleaned_up_and_its_nodes_run_others(folder: Path) -> None:
    suite(folder, CLUSTERS, name="own_clusters")
    (folder / "nodes.json").write_text(
        json.dumps({"nodes": json.loads((folder / "nodes.json").read_text())["nodes"][:2]})
    )
    tests = [f"suite/test_it.py::KeptTest.{name}" for name in ("test_fails", "test_dies", "test_pair")]
    few = ("--cluster", "suite.own_clusters.Few", "--cluster-file", "nodes.json")
    with _started(folder, *tests, "--keep", "on-failure", cluster=few) as run:
        assert run.wait() == 1, run.output
        assert run.statuses == {"test_fails": "FAIL", "test_dies": "FAIL", "test_pair": "PASS"}
        assert re.findall(r"(\w+): its nodes cannot be kept: OSError", run.output) == ["test_fails", "test_dies"]
        assert run.output.count("cleaned on w1") == 2  # before the service started, and at the end
        assert _sleepers() == []


def test_a_node_that_hangs_up_is_one_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        node = {"host": "w1", "hostname": "127.0.0.1", "port": server.getsockname()[1], "user": "nobody"}
        (folder / "nodes.json").write_text(json.dumps({"nodes": [{"ssh_config": node}]}))
        with _started(folder, "suite/test_it.py::KeptTest.test_holds", "--keep", "always") as run:
            assert run.wait() == 0, run.output
        [kept] = _kept(folder)
        asked = _call(folder, "shell", "1", "--", "true")
        assert (asked.returncode, asked.stdout) == (1, "")
        assert len(asked.stderr.splitlines()) == 1
        assert asked.stderr.startswith(f"w1 of {kept.name}: w1: ")
        server.shutdown(socket.SHUT_RDWR)
