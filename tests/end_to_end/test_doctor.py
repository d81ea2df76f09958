# SPDX-License-Identifier: Apache-2.0
"""``ducktape doctor`` over real SSH servers, each with a trouble of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ducktape.cluster.health.hints import SLOW_SHELL_MS
from tests.support.delay import distant
from tests.support.program import Program, environment, write
from tests.support.sshd import Sshd, running_sshd

pytestmark = [
    pytest.mark.needs("sshd"),
    pytest.mark.quiet,
]

PASSWORD = "N0tT0BeSeen"
TIMEOUT_SEC = 4.0
# Starting the program, and a machine that others use, take their time as well
PATIENCE_SEC = 60.0


class Servers:
    """SSH servers of one test, and the cluster file that names them."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._flag = folder / "shells wait while this is here"
        self._nodes: list[dict[str, Any]] = []

    def start(self, name: str, *options: str, startup: str = "") -> Sshd:
        """Start a server; its login shell, which is bash, runs some lines before every command."""
        directory = self.folder / name
        directory.mkdir(mode=0o700)
        server = self._stack.enter_context(running_sshd(directory, *options))
        (server.home / ".bashrc").write_text(startup)
        self.add(server, name)
        return server

    @property
    def waiting(self) -> str:
        """Start-up lines that wait until the test is over: commands outlive their connections."""
        self._flag.touch()
        self._stack.callback(self._flag.unlink, missing_ok=True)
        return f'while test -e "{self._flag}"; do sleep 0.1; done\n'

    def add(self, server: Sshd, name: str, **changed: Any) -> None:
        """Name a server in the cluster file."""
        self._nodes.append({"ssh_config": {**server.settings.to_json(), "host": name, **changed}})

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command line of a visit; writes the cluster file."""
        write(self.folder / "cluster.json", json.dumps({"nodes": self._nodes}))
        cluster = ("--cluster", "ducktape.cluster.json.JsonCluster", "--cluster-file", "cluster.json")
        return ("doctor", *cluster, "--timeout", str(TIMEOUT_SEC))

    def visit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program to its end."""
        return subprocess.run(
            [sys.executable, "-m", "ducktape", *self.arguments, *arguments],
            cwd=self.folder,
            env=environment(self.folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SEC,
        )

    def findings(self, code: int, *arguments: str) -> dict[str, dict[str, Any]]:
        """Run the program, whose exit code is known, and return what it tells of each node."""
        done = self.visit("--json", *arguments)
        assert (done.returncode, done.stderr) == (code, "")
        return {node["name"]: node for node in json.loads(done.stdout)["nodes"]}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with contextlib.ExitStack() as stack:
        yield Servers(tmp_path, stack)


def _kinds(node: dict[str, Any]) -> list[str]:
    """The troubles, without what depends on the machine that runs these tests."""
    return [problem["kind"] for problem in node["problems"] if not problem["kind"].startswith(("sudo", "disk"))]


def _until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SEC
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_nodes_that_are_well(servers: Servers) -> None:
    one, two = servers.start("worker1"), servers.start("worker2")
    found = servers.findings(0)
    for name, server in (("worker1", one), ("worker2", two)):
        node = found[name]
        assert (node["usable"], node["address"], node["port"], _kinds(node)) == (True, "127.0.0.1", server.port, [])
        assert node["login_ms"] > node["round_trip_ms"] > 0
        assert (node["tar"], node["home"]) == (shutil.which("tar") is not None, str(server.home))
        assert abs(node["clock_skew_sec"]) < 0.5
        assert node["free_bytes"][str(server.home)] == pytest.approx(shutil.disk_usage(server.home).free, rel=0.2)
        _until(lambda server=server: server.connections == 0)


def test_a_slow_login_shell_is_told_from_a_slow_network(servers: Servers) -> None:
    servers.start("slow", startup="echo Welcome; sleep 0.2\n")
    far = servers.start("far")
    with distant(far.port, 0.15) as port:
        servers.add(far, "farther", port=port)
        found = servers.findings(0)
    assert _kinds(found["slow"]) == ["slow login shell"]
    assert found["slow"]["shell_ms"] > 200
    assert "~/.bashrc" in found["slow"]["problems"][0]["remedy"]
    assert [_kinds(found[name]) for name in ("far", "farther")] == [[], []]
    assert found["farther"]["round_trip_ms"] >= 150
    assert found["farther"]["shell_ms"] <= SLOW_SHELL_MS


def test_half_of_a_long_way_is_taken_off_the_skew(servers: Servers) -> None:
    server = servers.start("near")
    with distant(server.port, 0.4) as port:
        servers.add(server, "farther", port=port)
        found = servers.findings(0, "--timeout", "40")
    # Without the correction it would be 0.2 seconds behind
    assert abs(found["farther"]["clock_skew_sec"]) < 0.15


def test_a_wrong_clock_is_told(servers: Servers, tmp_path: Path) -> None:
    fake = write(tmp_path / "programs" / "date", "#!/bin/sh\nexec /bin/date -d '1 hour ago' \"$@\"\n")
    fake.chmod(0o755)
    servers.start("late", startup=f"PATH={fake.parent}:$PATH\n")
    late = servers.findings(0)["late"]
    assert late["clock_skew_sec"] == pytest.approx(-3600, abs=1)
    assert _kinds(late) == ["clock"]


@pytest.fixture
def stranger() -> Iterator[int]:
    """A port where something else than SSH is spoken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            # Closing the listener ends this
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"220 mail.example.com\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_each_node_that_cannot_be_used_is_named_with_the_reason(servers: Servers, stranger: int) -> None:
    well = servers.start("well")
    frozen = servers.start("frozen")
    servers.start("hanging", startup=servers.waiting)
    servers.start("forbidding", "ForceCommand echo go away >&2; exit 3")
    servers.add(well, "refused", identityfile=None, password=PASSWORD)
    servers.add(well, "keyless", identityfile="no/such/key")
    servers.add(well, "absent", port=1)
    servers.add(well, "stranger", port=stranger)
    frozen.freeze()
    begin = time.monotonic()
    try:
        found = servers.findings(1)
    finally:
        frozen.thaw()
    assert time.monotonic() - begin < 3 * TIMEOUT_SEC
    failures = {name: node["failure"] for name, node in found.items()}
    assert failures.pop("well") is None
    for name, step in (("frozen", "login"), ("hanging", "a command that does nothing")):
        assert failures[name].startswith(f"no answer within {TIMEOUT_SEC:g}."), name
        assert failures.pop(name).endswith(f" s ({step})"), name
    assert failures.pop("refused").startswith(f"the login of {well.settings.user} is refused: ")
    assert "banner" in failures.pop("stranger")
    assert failures == {
        "forbidding": "no command can be run: 'true' ended with status 3: go away",
        "keyless": "the identity file no/such/key does not exist",
        "absent": "nothing listens at 127.0.0.1, port 1",
    }
    assert "start-up files of its shell" in found["hanging"]["problems"][0]["remedy"]
    _until(lambda: well.connections == 0)


def test_people_read_a_table_and_never_a_password(servers: Servers) -> None:
    well = servers.start("worker1")
    servers.add(well, "refused", identityfile=None, password=PASSWORD)
    servers.add(well, "windows1")
    done = servers.visit()
    assert (done.returncode, done.stderr) == (1, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows[:4]] == ["node", "worker1", "refused", "windows1"]
    assert (rows[2][1], rows[3][1]) == ("FAILED", "ok")
    assert "windows1 is a Windows node: only its login was tried." in done.stdout
    assert f"   -> See what this says: ssh -p {well.port} {well.settings.user}@127.0.0.1 true" in done.stdout
    assert PASSWORD not in done.stdout + servers.visit("--json").stdout


def test_an_interrupt_ends_it_at_once_and_leaves_nothing(servers: Servers) -> None:
    frozen, well = servers.start("frozen"), servers.start("well", startup=servers.waiting)
    frozen.freeze()
    program = Program(servers.folder, *servers.arguments, "--timeout", "600")
    try:
        _until(lambda: well.connections == 1)
        # A terminal sends it to all of them
        for process in psutil.Process(program.process.pid).children():
            process.send_signal(signal.SIGINT)
        program.signal(signal.SIGINT)
        assert program.wait() == 130
        assert program.output == ""
        assert program.survivors() == []
        _until(lambda: well.connections == 0)
    finally:
        frozen.thaw()
        program.kill_everything()


def test_death_of_the_program_ends_what_it_started(servers: Servers) -> None:
    well = servers.start("well", startup=servers.waiting)
    program = Program(servers.folder, *servers.arguments, "--timeout", "600")
    try:
        _until(lambda: well.connections == 1)
        program.signal(signal.SIGKILL)
        program.wait()
        _until(lambda: program.survivors() == [])
    finally:
        program.kill_everything()


def test_a_directory_of_that_name_is_still_a_path_of_tests(tmp_path: Path) -> None:
    write(tmp_path / "doctor" / "__init__.py", "")
    write(
        tmp_path / "doctor" / "test_it.py",
        """
        from ducktape.tests.test import Test

        class ATest(Test):
            def test_one(self):
                pass
        """,
    )
    program = Program(tmp_path, "./doctor", "--collect-only")
    try:
        assert program.wait() == 0
        assert "Collected 1 tests:\n    <module=doctor.test_it, cls=ATest, " in program.output
    finally:
        program.kill_everything()
