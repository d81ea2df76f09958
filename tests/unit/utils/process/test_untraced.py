# SPDX-License-Identifier: Apache-2.0
"""Helpers that a debugger does not follow: by a stand-in that replaces what debuggers replace."""

from __future__ import annotations

import _posixsubprocess
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ducktape.cluster.sandbox.userns import problem_with_namespaces
from ducktape.utils.process.untraced import UntracedProcess, fork_untraced, start_untraced
from ducktape.utils.process.watchdog import Watchdog
from tests.support.sandbox import running_sandbox

_REPLACED = ("fork", "posix_spawn", "posix_spawnp", "execv", "execve", "execvp", "execvpe", "spawnv", "spawnve")


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a debugger would have followed."""
    seen: list[str] = []

    def refuse(name: str) -> Any:
        def follow(*args: Any, **kwargs: Any) -> NoReturn:
            seen.append(name)
            raise AssertionError(f"a debugger follows {name}{args}")

        return follow

    for name in _REPLACED:
        monkeypatch.setattr(os, name, refuse(name))
    monkeypatch.setattr(_posixsubprocess, "fork_exec", refuse("fork_exec"))
    monkeypatch.setattr(subprocess, "_fork_exec", refuse("fork_exec"), raising=False)
    return seen


def run(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, bytes, bytes]:
    process = start_untraced(arguments, environment or {})
    with process.stdin, process.stdout, process.stderr:
        process.stdin.close()
        said = process.stdout.read(), process.stderr.read()
    return process.wait(10), *said


def test_a_program_is_started_with_pipes_and_an_environment_of_its_own(followed: list[str]) -> None:
    assert run("/bin/sh", "-c", 'echo "$A"; echo no >&2; exit 3', environment={"A": "b"}) == (3, b"b\n", b"no\n")
    assert run("/usr/bin/env") == (0, b"", b"")
    assert followed == []


def test_a_program_reads_what_it_is_given_and_has_a_session_of_its_own(followed: list[str]) -> None:
    process = start_untraced(["/bin/cat"], {})
    with process.stdin, process.stdout, process.stderr:
        process.stdin.write(b"x" * 100_000 + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"x" * 100_000 + b"\n"
        assert os.getsid(process.pid) == process.pid
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.kill()
    assert process.wait() == -signal.SIGKILL
    process.kill()  # nothing happens
    assert followed == []


def test_a_program_that_is_not_there_is_an_error_without_open_files() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        start_untraced(["/nowhere/to/be/found"], {})
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_process_that_somebody_else_has_collected_counts_as_ended() -> None:
    process = start_untraced(["/bin/true"], {})
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    os.waitpid(process.pid, 0)
    assert UntracedProcess(process.pid, (process.stdin, process.stdout, process.stderr)).wait(1) == 0


def test_pipes_work_without_standard_streams(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = (
        "import os\nfor number in range(3): os.close(number)\n"
        "from ducktape.utils.process.untraced import start_untraced\n"
        "process = start_untraced(['/bin/sh', '-c', 'cat; echo no >&2'], {})\n"
        "process.stdin.write(b'in'); process.stdin.close()\n"
        f"text = process.stdout.read() + b'|' + process.stderr.read()\nopen({str(told)!r}, 'wb').write(text)\n"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
    assert told.read_bytes() == b"in|no\n"


def test_a_forked_helper_is_not_traced(followed: list[str]) -> None:
    def trace(*_: Any) -> Any:
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        pid = fork_untraced()
        if not pid:
            os._exit(0 if sys.gettrace() is None else 1)
    finally:
        sys.settrace(before)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert followed == []


def test_the_guardian_is_not_followed(followed: list[str]) -> None:
    watchdog = Watchdog()
    watchdog.start()
    assert watchdog.pid > 0
    watchdog.stop()
    assert followed == []


@pytest.mark.needs("sandbox")
def test_a_sandbox_works_under_a_debugger(tmp_path: Path, followed: list[str]) -> None:
    from ducktape.cluster.cluster_spec import ClusterSpec

    assert problem_with_namespaces() is None
    with running_sandbox(tmp_path) as cluster:
        [node] = cluster.alloc(ClusterSpec.simple_linux(1))
        assert node.account.ssh("exit 3", allow_fail=True) == 3
        node.account.create_file("/tmp/file", "text")
        assert node.account.ssh_output("cat /tmp/file") == b"text"
        began = time.monotonic()
        cluster.free(node)
    assert time.monotonic() - began < 5
    assert followed == []
