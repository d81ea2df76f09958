# SPDX-License-Identifier: Apache-2.0
"""``ducktape doctor --cluster sandbox`` on this very machine, and what it does about the leftovers of dead runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.local.transport import login_shell
from ducktape.cluster.sandbox import cgroups
from ducktape.cluster.sandbox.cleanup import remove_sandbox_leftovers, sandbox_leftovers
from ducktape.cluster.sandbox.userns import has_rights
from tests.support.needs import require
from tests.support.program import Program, environment, write

pytestmark = pytest.mark.needs("sandbox")

PATIENCE_SEC = 30.0
# A run as far as its nodes are concerned; each line that it is told is a command for its node
DRIVER = """
    import sys
    from ducktape.cluster.cluster_spec import ClusterSpec
    from ducktape.cluster.sandbox.cluster import SandboxCluster

    cluster = SandboxCluster()
    [node] = cluster.alloc(ClusterSpec.simple_linux(1))
    print(node.account._supervisor.pid, flush=True)
    for line in sys.stdin:
        print(node.account.ssh_output(line).decode().strip(), flush=True)
    cluster.close()
    """


class Run:
    """A living run with one node."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, write(folder / "driver.py", DRIVER)],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.supervisor = int(self._answer())

    def ask(self, command: str) -> str:
        """Return what a command in the node says."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def die(self) -> None:
        """Be killed, while the process that would clean up after it stands still."""
        os.kill(self.supervisor, signal.SIGSTOP)
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it in peace, or make sure that it is gone."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError), self.process.stdin, self.process.stdout:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.supervisor, signal.SIGCONT)
        self.process.wait(PATIENCE_SEC)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[[], Run]]:
    with contextlib.ExitStack() as stack:

        def start() -> Run:
            run = Run(tmp_path)
            stack.callback(run.end)
            return run

        yield start


def visit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ducktape", "doctor", "--cluster", "sandbox", *arguments],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SEC,
    )


def found(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the program, and return what it tells programs."""
    done = visit(folder, "--json", *arguments)
    assert done.stderr == ""
    content: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if content["usable"] else 1)
    return content


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SEC
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_people_read_what_there_is_and_how_a_node_did(tmp_path: Path) -> None:
    done = visit(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["rights", "those", "of", "root"]
    names = [line[: len("file system")].rstrip() for line in lines if line and not line.startswith(" ")]
    assert names[:6] == ["rights", "file system", "limits", "firewall", "slow links", "node1"]
    controllers = cgroups.parents()
    if {"cpu", "memory", "pids"} <= set(controllers):
        [limits] = [line for line in lines if line.startswith("limits")]
        assert limits.endswith(f": {', '.join(sorted(controllers))}")
    [node] = [line for line in lines if line.startswith("node1")]
    assert "made in " in node and "`true` takes " in node and "gone in " in node
    assert lines[-1] == "The sandbox works."
    # Nothing of its own is left, in the current directory either
    assert [each.name for each in tmp_path.iterdir()] == []


def test_a_node_of_each_kind_is_made_and_a_server_is_looked_at(tmp_path: Path) -> None:
    require("sshd")
    # Whatever root of this machine has the shell do before each command is not to be waited for
    mounts = [{"source": str(write(tmp_path / "empty", "")), "target": "/root/.bashrc"}]
    types = [{"count": 2}, {"name": "big", "count": 1}]
    write(tmp_path / "sandbox.json", json.dumps({"types": types, "mounts": mounts, "sshd": True}))
    content = found(tmp_path, "--cluster-file", "sandbox.json")
    assert [(node["name"], node["node_type"], node["usable"]) for node in content["nodes"]] == [
        ("node1", None, True),
        ("node1", "big", True),
    ]
    for node in content["nodes"]:
        assert node["login_ms"] > 0 and node["true_ms"] > 0 and node["made_ms"] > 0 and node["gone_ms"] > 0
        assert node["port"] == 22


def test_a_mistake_in_the_file_is_told_as_by_a_run(tmp_path: Path) -> None:
    write(tmp_path / "sandbox.json", '{"max_nodes": "many"}')
    done = visit(tmp_path, "--cluster-file", "sandbox.json")
    assert (done.returncode, done.stderr) == (1, "")
    [line] = done.stdout.splitlines()
    assert line.startswith("Failed to load cluster:  <class 'ValueError'> ") and "max_nodes" in line


@pytest.mark.alone
def test_leftovers_of_dead_runs_are_removed_and_living_runs_are_left_alone(
    tmp_path: Path, runs: Callable[[], Run]
) -> None:
    if not has_rights():
        pytest.skip("other users' runs cannot be ended")
    living, frozen, dead = runs(), runs(), runs()
    living.ask("nohup sleep 4711 </dev/null >/dev/null 2>&1 & echo x > /mnt/x; echo well")
    os.kill(frozen.supervisor, signal.SIGSTOP)
    dead.die()
    mine = [line for line in sandbox_leftovers() if str(dead.supervisor) in line]
    assert mine == [f"process {dead.supervisor} holds a sandbox, but its run is dead"]
    done = visit(tmp_path)
    assert done.returncode == 0
    removed = done.stdout.partition("Removed, since their runs are dead:\n")[2].splitlines()
    assert f"   {mine[0]}" in removed
    assert not any(str(run.supervisor) in done.stdout for run in (living, frozen))
    until(lambda: _left_of(dead) == [], f"left: {_left_of(dead)}")
    os.kill(frozen.supervisor, signal.SIGCONT)
    assert frozen.ask("hostname") == "node1"
    assert living.ask("echo $(cat /mnt/x; pgrep -c sleep)") == "x 1"


def _left_of(run: Run) -> list[str]:
    # Whoever inherited its processes may take leave of them late, and until then they count as there
    return [line for line in remove_sandbox_leftovers() if str(run.supervisor) in line]


def test_keys_of_dead_runs_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    died = subprocess.Popen(["true"])
    died.wait()
    for pid in (died.pid, os.getpid()):
        write(tmp_path / f"ducktape-sandbox-{pid}-abc" / "identity", "secret")
    gone, there = (tmp_path / f"ducktape-sandbox-{pid}-abc" for pid in (died.pid, os.getpid()))
    assert f"keys in {gone}" in sandbox_leftovers()
    assert [line for line in remove_sandbox_leftovers() if str(tmp_path) in line] == []
    assert (gone.exists(), (there / "identity").read_text()) == (False, "secret")


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    if not login_shell().endswith("bash"):
        pytest.skip("only bash can be made to wait before every command")
    startup = write(tmp_path / "startup", "echo $$ > /mnt/came; exec sleep 600\n")
    file = {"environment": {"BASH_ENV": "/opt/startup"}, "mounts": [{"source": str(startup), "target": "/opt/startup"}]}
    write(tmp_path / "sandbox.json", json.dumps(file))
    program = Program(tmp_path, "doctor", "--cluster", "sandbox", "--cluster-file", "sandbox.json", "--timeout", "600")
    try:
        until(lambda: _sleepers(program), "no command was started in a node")
        program.signal(signal.SIGINT)
        assert (program.wait(), program.output) == (130, "")
        assert (_sleepers(program), program.survivors()) == ([], [])
    finally:
        program.kill_everything()


def _sleepers(program: Program) -> list[int]:
    """What a node runs whose supervisor is a child of the program."""
    import psutil

    with contextlib.suppress(psutil.Error):
        below = psutil.Process(program.process.pid).children(recursive=True)
        return [process.pid for process in below if process.name() == "sleep"]
    return []
