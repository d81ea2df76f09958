# SPDX-License-Identifier: Apache-2.0
"""The sandbox of a user without any rights, on kernels that allow user namespaces and on those that do not."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ducktape.cluster.sandbox import cgroups
from ducktape.cluster.sandbox.userns import has_rights
from tests.support.program import CHECKOUT, Program, suite
from tests.support.sandbox import missing_for_sandbox

PATIENCE_SEC = 30.0
SANDBOX = ("--cluster", "sandbox")
USER = 60_000 + os.getpid() % 5000  # nobody else's
_PLACES = ("/srv", "/media")
_REFUSED = 99

SUITE = """
    import os
    import time
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Sleeper(Service):
        logs = {"log": {"path": "/var/log/sleeper", "collect_default": True}}

        def start_node(self, node):
            node.account.ssh("id -un > /var/log/sleeper; nohup sleep 4711 </dev/null >/dev/null 2>&1 &")

        def stop_node(self, node):
            node.account.ssh("sudo -n pkill sleep")

        def clean_node(self, node):
            node.account.ssh("rm -f /var/log/sleeper")

    class OrdinaryTest(Test):
        @cluster(num_nodes=2)
        def test_nodes(self):
            self.service = Sleeper(self.test_context, 2)
            self.service.start()
            self.logger.warning("now it runs")
            while os.path.exists("wait"):
                time.sleep(0.01)

        def teardown(self):
            self.logger.warning("torn down")
    """

# Becomes the user and runs the program, in this very process. Directories that the user may not enter, as root's home,
# do not keep it from what lies in them: that is mounted elsewhere, for this process only.
LAUNCHER = """
    import json, os, sys
    from ducktape.cluster.sandbox import syscalls as kernel

    wanted = json.loads(sys.argv[1])
    if wanted["without_namespaces"]:
        # In a user namespace that is a copy of the world, and allows no further ones
        asked, ask = os.pipe()
        me = os.getpid()
        helper = os.fork()
        if not helper:
            os.close(ask)
            os.read(asked, 1)
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{me}/{name}", "w") as file:
                    file.write("0 0 4294967295")
            os._exit(0)
        try:
            kernel.unshare(kernel.CLONE_NEWUSER)
        except OSError:
            sys.exit(wanted["refused"])
        finally:
            os.close(ask)
            os.waitpid(helper, 0)
        with open("/proc/sys/user/max_user_namespaces", "w") as file:
            file.write("0")
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    held = [(place, os.open(path, os.O_PATH)) for path, place in wanted["mounts"]]
    kernel.mount("places", wanted["place"], "tmpfs", 0, "mode=0755")
    for place, descriptor in held:
        os.makedirs(place)
        kernel.mount(f"/proc/self/fd/{descriptor}", place, flags=kernel.MS_BIND | kernel.MS_REC)
        os.close(descriptor)
    os.setgroups([])
    os.setresgid(*[wanted["user"]] * 3)
    os.setresuid(*[wanted["user"]] * 3)
    os.chdir(wanted["folder"])
    os.execve(wanted["command"][0], wanted["command"], wanted["environment"])
    """


class Places:
    """Where the user finds what it needs."""

    def __init__(self) -> None:
        self.base = next((path for path in _PLACES if os.path.isdir(path) and not os.path.islink(path)), "")
        self.mounts: list[tuple[str, str]] = []

    def of(self, path: str | Path) -> str:
        path = os.path.realpath(path)
        if all(os.stat(each).st_mode & stat.S_IXOTH for each in (path, *map(str, Path(path).parents))):
            return path
        place = f"{self.base}/{len(self.mounts)}"
        self.mounts.append((path, place))
        return place


class OrdinaryProgram(Program):
    """The program, run by the user."""

    def __init__(self, folder: Path, *arguments: str, without_namespaces: bool = False) -> None:
        self.folder = folder
        places = Places()
        prefix = places.of(sys.base_prefix)
        interpreter = os.path.relpath(os.path.realpath(sys.executable), os.path.realpath(sys.base_prefix))
        packages = [places.of(path) for path in sys.path if path.endswith("site-packages")]
        environment = {
            "HOME": places.of(folder),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([places.of(CHECKOUT), *packages]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if prefix != os.path.realpath(sys.base_prefix):
            environment["LD_LIBRARY_PATH"] = f"{prefix}/lib"
        wanted: dict[str, Any] = {
            "user": USER,
            "folder": environment["HOME"],
            "command": [f"{prefix}/{interpreter}", "-u", "-m", "ducktape", *arguments],
            "environment": environment,
            "place": places.base,
            "mounts": places.mounts,
            "without_namespaces": without_namespaces,
            "refused": _REFUSED,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(LAUNCHER), json.dumps(wanted)],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
        )
        self.output = ""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _descendants(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter(["uids", "status"]) if _is_of_user(process.info)]


def _is_of_user(info: dict[str, Any]) -> bool:
    return info["uids"] is not None and info["uids"].real == USER and info["status"] != psutil.STATUS_ZOMBIE


def _missing() -> str:
    if not has_rights():
        return "only root can become an ordinary user"
    if not Places().base:
        return f"none of {', '.join(_PLACES)} is here, to show the user what it needs"
    return missing_for_sandbox()


pytestmark = pytest.mark.skipif(bool(_missing()), reason=_missing() or "an ordinary user can be had")

Start = Callable[..., OrdinaryProgram]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the program as the user, in its directory with a suite; at the end nothing of it may be there."""
    suite(tmp_path, SUITE)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, USER, USER)
    programs: list[OrdinaryProgram] = []

    def start(*arguments: str, without_namespaces: bool = False) -> OrdinaryProgram:
        programs.append(OrdinaryProgram(tmp_path, *arguments, without_namespaces=without_namespaces))
        return programs[-1]

    try:
        yield start
        _expect_nothing(programs[-1])
        # Its mounts and networks are those of its processes, which are gone
        assert [path for path in cgroups.leftovers() if os.stat(path).st_uid == USER] == []
        assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
        assert [each.path for each in os.scandir("/tmp") if each.stat(follow_symlinks=False).st_uid == USER] == []
    finally:
        for program in programs:
            program.kill_everything()


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SEC
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _expect_nothing(program: OrdinaryProgram) -> None:
    _until(lambda: program.survivors() == [], f"processes are left: {program.survivors()}")


def _running(start: Start, folder: Path) -> OrdinaryProgram:
    (folder / "wait").touch()
    program = start("suite", *SANDBOX)
    _until(lambda: "now it runs" in program.output or program.process.poll() is not None, "the test does not begin")
    if "cannot be made as an ordinary user" in program.output or "cannot have a sandbox" in program.output:
        pytest.skip(program.output)
    assert "now it runs" in program.output, program.output
    return program


def test_a_killed_run_leaves_nothing_and_is_resumed(start: Start, tmp_path: Path) -> None:
    killed = _running(start, tmp_path)
    assert any("sleep 4711" in line or "'4711'" in line for line in killed.survivors())
    killed.signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    _expect_nothing(killed)
    (tmp_path / "wait").unlink()
    # Nothing on this command line says that the cluster is a sandbox; the session does
    resumed = start("--resume", "latest")
    assert resumed.wait() == 0, resumed.output
    assert resumed.statuses == {"test_nodes": "PASS"}
    results = tmp_path / "results"
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in (results, *results.rglob("*"))} == {(USER, USER)}
    logs = sorted(path.read_text() for path in results.glob("20*/OrdinaryTest/test_nodes/*/*/*/sleeper"))
    assert logs == ["root\n", "root\n"]


def test_kept_nodes_are_looked_into_and_released_without_rights(start: Start, tmp_path: Path) -> None:
    run = start("suite", *SANDBOX, "--keep", "always")
    assert run.wait() == 0, run.output
    looked = start("shell", "1", "node2", "--", "id -un; pgrep -c sleep; cat /var/log/sleeper")
    assert (looked.wait(), looked.output) == (0, "root\n1\nroot\n")
    released = start("release", "--all")
    assert released.wait() == 0
    assert released.output.startswith("Released node1, node2 of suite.test_it.OrdinaryTest.test_nodes (")


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_as_elsewhere(start: Start, tmp_path: Path, sig: signal.Signals) -> None:
    program = _running(start, tmp_path)
    program.signal(sig)
    assert program.wait() == 1
    assert program.output.count("torn down") == 1
    assert program.statuses == {"test_nodes": "FAIL"}
    [result] = program.report["results"]
    expected = {
        signal.SIGINT: "KeyboardInterrupt()\nTraceback",
        signal.SIGTERM: "Test aborted: the run received SIGTERM",
    }
    assert result["summary"].startswith(expected[sig])
    assert program.survivors() == []


def test_without_namespaces_there_is_one_clear_line_and_localhost_works(start: Start, tmp_path: Path) -> None:
    refused = start("suite", *SANDBOX, without_namespaces=True)
    if refused.wait() == _REFUSED:
        pytest.skip("root cannot make a user namespace here, in which there are no others")
    assert refused.output == (
        "the sandbox cannot be made as an ordinary user on this machine: user namespaces are switched off "
        "(user.max_user_namespaces is 0); run it as root with all capabilities, or use --cluster localhost\n"
    )
    assert refused.process.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["suite"]
    doctor = start("doctor", *SANDBOX, without_namespaces=True)
    assert doctor.wait() == 1
    first, *others = doctor.output.splitlines()
    assert first == "rights  user namespaces are switched off (user.max_user_namespaces is 0)"
    assert "sysctl user.max_user_namespaces=10000" in others[0]
    assert others[-1] == "The sandbox cannot be used."
    passing = suite(tmp_path, "from ducktape.tests.test import Test\nclass A(Test):\n  def test_a(self): 0\n", "test_a")
    localhost = start(f"{passing}/test_a.py", "--cluster", "localhost", without_namespaces=True)
    assert localhost.wait() == 0, localhost.output
    assert localhost.statuses == {"test_a": "PASS"}
