# SPDX-License-Identifier: Apache-2.0
"""Tests that are kept for people to look inside: with their nodes, processes and faults, until they are released."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from ducktape.tests.keeping.registry import KeptTest
from tests.support.needs import require
from tests.support.program import Program, environment, suite
from tests.support.sshd import running_sshd
from tests.support.terminal import TerminalProgram

PATIENCE_SEC = 30.0
SECONDS = 100_000 + os.getpid()  # nobody else's sleep

SUITE = """
    import os
    import time
    from ducktape import faults
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Sleeper(Service):
        def file(self, node):
            return f"{os.environ['WORK']}-{node.account.hostname}"

        def start_node(self, node):
            seconds = os.environ["SECONDS"]
            node.account.ssh(f"nohup sleep {seconds} </dev/null >/dev/null 2>&1 & echo $! >{self.file(node)}")

        def pids(self, node):
            return [int(node.account.ssh_output(f"cat {self.file(node)}"))]

        def stop_node(self, node):
            node.account.ssh(f"kill $(cat {self.file(node)})")

        def clean_node(self, node):
            node.account.ssh(f"rm -f {self.file(node)}")

    class KeptTest(Test):
        @cluster(num_nodes=2)
        def test_fails(self):
            service = Sleeper(self.test_context, 1)
            service.start()
            # Renewed by the process of this test alone
            faults.pause(service, ttl=2).inject()
            raise ValueError("wrong leader")

        @cluster(num_nodes=1)
        def test_next(self):
            while os.path.exists("hold"):
                time.sleep(0.02)

        @cluster(num_nodes=2)
        def test_pair(self):
            pass
"""


@dataclass
class Place:
    """A folder with a suite, and a cluster of three nodes."""

    folder: Path
    arguments: list[str]
    nodes: list[str]  # of the test that is kept
    runs: list[Program] = field(default_factory=list)

    @property
    def work(self) -> str:
        return f"/tmp/{self.folder.name}-{os.getpid()}"

    def start(self, *arguments: str) -> Program:
        """Start a run."""
        names = [suite(self.folder, SUITE)] if not arguments or arguments[0].startswith("-") else []
        run = Program(
            self.folder, *names, *arguments, *self.arguments, extra={"WORK": self.work, "SECONDS": str(SECONDS)}
        )
        self.runs.append(run)
        return run

    def call(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run the program to its end, without the options of the cluster."""
        return subprocess.run(
            [sys.executable, "-m", "ducktape", *arguments],
            cwd=self.folder / "elsewhere",
            env=environment(self.folder),
            input=given,
            text=True,
            capture_output=True,
            timeout=PATIENCE_SEC,
            check=False,
        )

    @property
    def kept(self) -> list[KeptTest]:
        """The tests in the registry."""
        paths = sorted((self.folder / ".ducktape" / "kept").glob("*.json"))
        return [KeptTest.from_json(json.loads(path.read_text())) for path in paths]

    def state(self) -> str:
        """The state of the sleeping process, as the node shows it: T for a stopped one."""
        looked = self.call("shell", "1", "1", "--", f"cut -d ' ' -f 3 /proc/$(cat {self.work}-{self.nodes[0]})/stat")
        assert looked.returncode == 0, looked.stderr
        return looked.stdout.strip()


@pytest.fixture(params=[pytest.param("sandbox", marks=pytest.mark.needs("sandbox")), pytest.param("ssh")])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "folder"
    (folder / "elsewhere").mkdir(parents=True)
    if request.param == "sandbox":
        file = folder / "sandbox.json"
        file.write_text('{"max_nodes": 3}')
        yield from _place(Place(folder, ["--cluster", "sandbox", "--cluster-file", "sandbox.json"], ["node1", "node2"]))
        return
    require("sshd")
    (tmp_path / "sshd").mkdir(mode=0o700)
    with running_sshd(tmp_path / "sshd") as server:
        login = {name: value for name, value in server.settings.to_json().items() if value is not None}
        nodes = [{"ssh_config": {**login, "host": f"w{number}"}} for number in (1, 2, 3)]
        (folder / "nodes.json").write_text(json.dumps({"nodes": nodes, "lease_dir": str(tmp_path / "leases")}))
        yield from _place(
            Place(folder, ["--cluster", "json", "--cluster-file", "nodes.json", "--check-nodes"], ["w1", "w2"])
        )


def _place(made: Place) -> Iterator[Place]:
    try:
        yield made
    finally:
        for run in made.runs:
            run.kill_everything()
        made.call("release", "--all")


def _wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SEC
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SEC:g} seconds: {what}"
        time.sleep(0.02)


def _processes_of(kept: KeptTest) -> list[psutil.Process]:
    """Return what is to be gone when a test is released."""
    supervisors = {int(node["supervisor"]) for node in kept.nodes if "supervisor" in node}
    [sleeper] = _sleepers()
    return [psutil.Process(kept.pid), sleeper, *(psutil.Process(pid) for pid in supervisors)]


def _sleepers() -> list[psutil.Process]:
    return [each for each in psutil.process_iter() if _arguments(each) == ["sleep", str(SECONDS)]]


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_failed_test_is_kept_looked_into_and_released(place: Place) -> None:
    run = place.start("--keep", "on-failure", "--keep-for", "1h")
    assert run.wait() == 1, run.output
    results = {result["test_id"].rpartition(".")[2]: result for result in run.report["results"]}
    # The run went on with the other node, and a test that needs more did not run
    assert {name: result["test_status"] for name, result in results.items()} == {
        "test_fails": "FAIL",
        "test_next": "PASS",
    }
    [kept] = place.kept
    name = f"{run.report['session_context']['session_id']}/{kept.test_index}"
    assert f"the nodes that it needs are kept: ducktape release {name}" in run.output
    for text in (run.output, results["test_fails"]["summary"]):
        assert re.search(rf"Kept until \S+ \S+: {', '.join(place.nodes)} of suite.test_it.KeptTest.test_fails", text)
        assert f"ducktape shell {name} {place.nodes[0]}" in text
        assert f"ducktape release {name}" in text
    remaining = _processes_of(kept)
    listed = json.loads(place.call("nodes", "--json").stdout)
    [entry] = listed["tests"]
    assert (entry["name"], entry["nodes"], entry["status"]) == (name, place.nodes, "FAIL")
    assert entry["reason"] == "ValueError('wrong leader')"
    assert 3590 < entry["until"] - entry["since"] <= 3600
    # A command has its streams and its exit status
    command = "cat; echo problem >&2; exit 7"
    asked = place.call("shell", f"{name}", place.nodes[0], "--", command, given="given\n")
    assert (asked.returncode, asked.stdout, asked.stderr) == (7, "given\n", "problem\n")
    wrong = place.call("shell", name, "w9", "--", "true")
    assert (wrong.returncode, wrong.stderr) == (1, f"{name} has no node w9, only {', '.join(place.nodes)}\n")
    _look_inside(place)
    _end_by_signal(place)
    # The fault stays longer than its time to live
    _wait_until(lambda: time.time() > kept.since + 3, "its time to live is over")
    assert place.state() == "T"

    released = place.call("release", name)
    assert released.stdout == f"Released {', '.join(place.nodes)} of suite.test_it.KeptTest.test_fails ({name})\n"
    assert released.returncode == 0
    assert place.kept == []
    assert place.call("nodes").stdout == "No nodes are kept\n"
    _wait_until(lambda: not any(_lives(process) for process in remaining), "everything has ended")
    assert run.survivors() == []
    assert not os.path.exists(f"{place.work}-{place.nodes[0]}")


def _look_inside(place: Place) -> None:
    """Use the shell as a person does at a terminal."""
    shell = TerminalProgram(place.folder, "shell", "test_fails", "2")
    try:
        shell.type("stty -echo; PS1=; echo at $(tty)")
        shell.wait_for("at /dev/pts/")
        shell.resize(123, 45)
        _wait_until(lambda: _asked(shell, "stty size", "45 123"), "the terminal on the node has the size of this one")
        shell.type("sh -c 'trap \"echo interrupted; exit\" INT; echo waiting; while :; do sleep 0.02; done'")
        shell.wait_for("waiting\r\n")
        shell.press("c")
        shell.wait_for("interrupted")
        shell.type("exit 9")
        assert shell.wait() == 9
        assert shell.is_restored
    finally:
        shell.close()


def _end_by_signal(place: Place) -> None:
    """End a command by Ctrl-C, and a shell from outside: the terminal is as before."""
    command = TerminalProgram(place.folder, "shell", "test_fails", "2", "--", "while echo in''side; do sleep 0.2; done")
    try:
        command.wait_for("inside")
        command.press("c")
        assert command.wait() == 130
    finally:
        command.close()
    shell = TerminalProgram(place.folder, "shell", "test_fails", "2")
    try:
        shell.type("stty -echo; echo in''side")
        shell.wait_for("inside")
        assert not shell.is_restored
        shell.signal(signal.SIGTERM)
        assert shell.wait() == 128 + signal.SIGTERM
        assert shell.is_restored
    finally:
        shell.close()


def _asked(shell: TerminalProgram, command: str, answer: str) -> bool:
    before = shell.output.count("asked")
    shell.type(f"{command}; echo as''ked")
    shell.wait_for("asked", times=before + 1)
    return answer in shell.output


def test_kept_nodes_outlive_a_killed_driver_until_they_are_released(place: Place) -> None:
    (place.folder / "hold").touch()
    run = place.start("--keep", "always", "--keep-for", "1h")
    _wait_until(lambda: place.kept and "test_next" in run.output, "the first test is kept, and the second one runs")
    [kept] = place.kept
    remaining = _processes_of(kept)
    run.signal(signal.SIGKILL)
    run.wait()
    _wait_until(lambda: not [each for each in run.survivors() if each.split()[0] != str(kept.pid)], "the rest is gone")
    assert place.state() == "T"
    assert place.call("release", "--all").returncode == 0
    _wait_until(lambda: not any(_lives(process) for process in remaining), "everything has ended")
    assert (place.kept, run.survivors()) == ([], [])
    assert not os.path.exists(f"{place.work}-{place.nodes[0]}")


def test_the_end_of_its_time_releases_a_test(place: Place) -> None:
    run = place.start("--keep", "on-failure", "--keep-for", "1s", "--exit-first")
    assert run.wait() == 1
    _wait_until(lambda: not place.kept, "nothing is kept")
    [log] = (place.folder / "results" / "latest" / "KeptTest" / "test_fails").glob("*/keeping.info")
    assert log.read_text().count("Its time is over: cleaning up") == 1
    assert log.read_text().count(": Released\n") == 1
    _wait_until(lambda: not _sleepers(), "its process is gone")
    assert run.survivors() == []
    assert not os.path.exists(f"{place.work}-{place.nodes[0]}")
