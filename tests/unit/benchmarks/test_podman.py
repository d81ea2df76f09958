# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import podman
from benchmarks.environments import ROOT
from benchmarks.podman import Podman, PodmanFailed, beside
from ducktape.utils.util import wait_until

# Speaks as the real one does, and writes down that its input ended.
FAKE = """
import json, pathlib, sys

for line in sys.stdin:
    request = json.loads(line)
    what = request.pop("do")
    if what == "prepare":
        answer = {answer!r}
    elif what == "nodes":
        made, commands = request["count"] / 10, [0.25] * request["commands"]
        answer = {{"made": made, "destroyed": 0.5, "commands": commands, "weight": 9}}
    else:
        print("unused\\nno space is left", file=sys.stderr)
        sys.exit(3)
    print(json.dumps(answer), flush=True)
pathlib.Path({ended!r}).touch()
"""
WORKS = {"version": "podman version 4.3.1", "runtime": "runc"}
PEER_IS_HERE = pytest.mark.skipif(bool(podman.why_not()), reason=f"no Podman to be measured: {podman.why_not()}")


def fake(directory: Path, answer: dict[str, str]) -> list[str]:
    script = directory / "fake.py"
    script.write_text(FAKE.format(answer=answer, ended=str(directory / "ended")))
    return [sys.executable, str(script)]


def put_podman(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str, *, path: str) -> None:
    """Let a script be the only Podman that is found."""
    for name in ("podman", "runc"):
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{path}" if path else str(directory))


def control_groups() -> set[Path]:
    groups = Path("/sys/fs/cgroup")
    return {*groups.glob("ducktape-bench-podman-*"), *groups.glob("*/ducktape-bench-podman-*")}


def test_where_podman_is_missing_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert podman.why_not() == "it is not installed (on Debian: apt-get install podman)"


def test_it_takes_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_podman(tmp_path, monkeypatch, "exit 0", path=os.environ["PATH"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert podman.why_not() == "the namespaces that it is measured in need root"


def test_where_podman_is_missing_this_is_one_line_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with beside() as found:
        assert found is None
    assert capsys.readouterr() == (
        "",
        "bench: the sandbox is not compared with Podman: it is not installed (on Debian: apt-get install podman)\n",
    )


def test_answers_are_handed_on(tmp_path: Path) -> None:
    with contextlib.closing(Podman(fake(tmp_path, WORKS))) as peer:
        assert peer.prepare() == "podman version 4.3.1 with runc"
        assert peer.nodes(10, 2) == {"made": 1.0, "destroyed": 0.5, "commands": [0.25, 0.25], "weight": 9}


def test_the_end_of_its_input_is_the_end_of_the_program(tmp_path: Path) -> None:
    Podman(fake(tmp_path, WORKS)).close()
    assert (tmp_path / "ended").exists()


def test_what_a_dying_program_says_last_is_the_reason(tmp_path: Path) -> None:
    with contextlib.closing(Podman(fake(tmp_path, WORKS))) as peer:
        for _ in range(2):  # it stays dead
            with pytest.raises(PodmanFailed, match=r"^no space is left$"):
                peer.tests(tmp_path / "ducktape", 1)


def test_a_silent_death_is_told_with_its_code() -> None:
    with (
        contextlib.closing(Podman([sys.executable, "-c", "import sys; sys.exit(7)"])) as peer,
        pytest.raises(PodmanFailed, match=r"^what makes its containers ended with 7$"),
    ):
        peer.prepare()


def test_a_podman_that_does_not_work_is_one_line_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(podman, "why_not", lambda: "")
    with beside(fake(tmp_path, {"error": "runc: no control groups"})) as found:
        assert found is None
    assert capsys.readouterr().err == "bench: the sandbox is not compared with Podman: runc: no control groups\n"
    assert (tmp_path / "ended").exists()


@pytest.mark.needs("sandbox")
def test_the_reason_is_the_last_line_of_podman_itself_and_nothing_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_podman(
        tmp_path, monkeypatch, "echo unused >&2; echo Error: no such luck >&2; exit 125", path=os.environ["PATH"]
    )
    known = [place for place in (Path("/var/lib/cni"), Path("/var/lib/containers")) if place.exists()]
    before = control_groups()
    with contextlib.closing(Podman()) as peer, pytest.raises(PodmanFailed, match=r"^podman import: no such luck$"):
        peer.prepare()
    assert [place for place in (Path("/var/lib/cni"), Path("/var/lib/containers")) if place.exists()] == known
    assert control_groups() <= before
    assert not Path("/run/ducktape-bench").exists()


@PEER_IS_HERE
def test_containers_do_what_nodes_do() -> None:
    with ready() as peer:
        answer = peer.nodes(2, 3)
    assert (answer["made"] > 0, answer["destroyed"] > 0, answer["weight"] > 0) == (True, True, True)
    assert [seconds > 0 for seconds in answer["commands"]] == [True] * 3


@PEER_IS_HERE
def test_containers_do_not_survive_the_death_of_who_wanted_them() -> None:
    before = control_groups()
    with ready():
        pass  # it works
    script = (
        "from benchmarks.podman import Podman\n"
        "peer = Podman()\n"
        "print(peer._process.pid, flush=True)\n"
        "peer.prepare()\n"
        "peer.nodes(1000, 0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        holder = int(process.stdout.readline())
        descriptor = os.pidfd_open(holder)
        wait_until(
            lambda: (
                any(Path("/sys/fs/cgroup").glob(f"*/ducktape-bench-podman-{holder}/libpod-*"))
                or any(Path("/sys/fs/cgroup").glob(f"ducktape-bench-podman-{holder}/libpod-*"))
            ),
            timeout_sec=30,
            backoff_sec=0.02,
            err_msg="there is no container",
        )
        process.send_signal(signal.SIGKILL)
    try:
        # What waits for the end of all else ends last, and is nobody's child here.
        assert select.select([descriptor], [], [], 30)[0]
    finally:
        os.close(descriptor)
    assert control_groups() <= before


@contextlib.contextmanager
def ready() -> Iterator[Podman]:
    with contextlib.closing(Podman()) as peer:
        try:
            peer.prepare()
        except PodmanFailed as error:
            pytest.skip(f"Podman does not work here: {error}")
        yield peer
