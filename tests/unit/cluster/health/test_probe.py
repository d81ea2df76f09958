# SPDX-License-Identifier: Apache-2.0
"""What a node is asked, in whatever shell, and what is made of its answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.health.probe import (
    News,
    clock_of,
    examine,
    facts_of,
    free_bytes_of,
    introduce,
    printable_line,
    question,
    skew_of,
)
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount

ANSWERS = """\
Welcome to this machine!
ducktape-doctor clock 1700000000.250000000
ducktape-doctor shell /bin/bash
ducktape-doctor tar /usr/bin/tar
ducktape-doctor sudo yes
ducktape-doctor path /home/tester
ducktape-doctor disk Filesystem 1024-blocks Used Available Capacity Mounted on /dev/sda1 100000 40000 60000 40% /
ducktape-doctor path /mnt
ducktape-doctor overdue
ducktape-doctor end
"""


# --- parsing


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1700000000.250000000\n", (1700000000.25, 0.0)),
        ("1700000000.%N", (1700000000.5, 0.5)),
        ("1700000000.N", (1700000000.5, 0.5)),
        ("1700000000", (1700000000.5, 0.5)),
        ("", None),
        ("date: not found", None),
    ],
)
def test_a_clock_without_fractions_is_off_by_half_a_second_at_most(
    answer: str, expected: tuple[float, float] | None
) -> None:
    assert clock_of(answer) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/dev/sda1 100000 40000 60000 40% /", 60000 * 1024),
        ("Filesystem 1024-blocks Used Available Capacity Mounted on overlay 9 9 0 100% /mnt", 0),
        ("//server/two words 10 4 6 40% /mnt/with 7 words", 6 * 1024),
        ("tmpfs - - - - /", None),
        ("", None),
    ],
)
def test_free_space_stands_before_the_percentage(line: str, expected: int | None) -> None:
    assert free_bytes_of(line) == expected


def test_half_a_round_trip_is_no_skew() -> None:
    assert skew_of(1000.0, 1000.02, 40.0) == pytest.approx(0.0)
    assert skew_of(1005.0, 1000.0, None) == 5.0
    assert skew_of(990.0, 1000.5, 1000.0) == -10.0


def test_answers_become_facts_whatever_the_login_shell_prints_before_them() -> None:
    assert facts_of(ANSWERS) == {
        "shell": "/bin/bash",
        "tar": True,
        "sudo": "yes",
        "home": "/home/tester",
        "free_bytes": {"/home/tester": 60000 * 1024},
        "silent_disks": ["/mnt"],
    }


def test_a_missing_program_is_a_fact() -> None:
    facts = facts_of(ANSWERS.replace("tar /usr/bin/tar", "tar").replace("sudo yes", "sudo missing"))
    assert (facts["tar"], facts["sudo"]) == (False, "missing")


@pytest.mark.parametrize("text", ["", "This account is not available.\n", ANSWERS.replace("ducktape-doctor end\n", "")])
def test_incomplete_answers_are_refused_with_what_was_said(text: str) -> None:
    with pytest.raises(ValueError, match="the answers are not understandable: ") as caught:
        facts_of(text)
    assert (printable_line(text) or "nothing was printed") in str(caught.value)


def test_foreign_text_becomes_one_harmless_line() -> None:
    assert printable_line("two\r\nlines\t\x1b[31mred\x07") == "two lines ?[31mred?"
    assert printable_line("x" * 400) == "x" * 297 + "..."


# --- asking


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "fish", "csh", "tcsh", "ksh"])
def test_every_login_shell_understands_the_question(shell: str, tmp_path: Path) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"there is no {shell} here")
    done = subprocess.run(
        [path, "-c", question(patience_sec=5)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SHELL": "/bin/its own"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    facts: dict[str, Any] = facts_of(done.stdout)
    second = "/mnt" if Path("/mnt").is_dir() else "/tmp"
    assert done.stderr == ""
    assert list(facts["free_bytes"]) == [str(tmp_path), second]
    assert (facts["home"], facts["shell"]) == (str(tmp_path), "/bin/its own")
    assert facts["tar"] is (shutil.which("tar", path="/usr/bin:/bin") is not None)


def _in_a_world_of(folder: Path, **programs: str) -> dict[str, Any]:
    """Ask where these are the only programs, besides those that the question cannot do without."""
    for name in ("sh", "date", "timeout", "true", "sleep", "df"):
        real = shutil.which(name)
        assert real is not None
        (folder / name).symlink_to(real)
    for name, text in programs.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    env = {"PATH": str(folder), "HOME": "/"}
    done = subprocess.run(
        ["/bin/sh", "-c", question(patience_sec=1)], env=env, capture_output=True, text=True, check=True
    )
    return facts_of(done.stdout)


@pytest.mark.parametrize(
    ("sudo", "expected"), [("exit 0", "yes"), ("echo no >&2; exit 1", "no"), ("exec sleep 9", "silent")]
)
def test_what_sudo_says_is_told_and_waited_for_only_shortly(tmp_path: Path, sudo: str, expected: str) -> None:
    assert _in_a_world_of(tmp_path, sudo=sudo)["sudo"] == expected


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    facts = _in_a_world_of(tmp_path)
    assert (facts["tar"], facts["sudo"]) == (False, "missing")


def test_a_disk_that_does_not_answer_is_named(tmp_path: Path) -> None:
    facts = _in_a_world_of(tmp_path, df="exec sleep 9")
    assert (facts["free_bytes"], facts["silent_disks"][0]) == ({}, "/")


# --- a whole examination


def _local() -> LinuxRemoteAccount:
    account = LinuxRemoteAccount(RemoteAccountSSHConfig(host="here", user="me"), node_type="large")
    account.transport = LocalTransport()
    return account


def _news_of(account: Any) -> list[News]:
    news: list[News] = []
    examine(account, news.append, timeout=30)
    return news


def test_a_node_introduces_itself_without_being_asked() -> None:
    config = RemoteAccountSSHConfig(host="worker1", hostname="10.0.0.1", user="tester", port=2222, password="hidden")
    far = introduce(LinuxRemoteAccount(config, node_type="large"))
    assert (far.name, far.address, far.port, far.user) == ("worker1", "10.0.0.1", 2222, "tester")
    assert (far.os, far.node_type, far.local, far.usable) == ("linux", "large", False, True)
    near = introduce(_local())
    assert (near.name, near.address, near.port, near.local) == ("here", None, None, True)


def test_this_machine_is_asked_without_a_login() -> None:
    found: dict[str, Any] = {}
    for each in _news_of(_local()):
        found.update(each.get("found", {}))
    assert "login_ms" not in found
    assert found["shell_ms"] >= 0
    assert abs(found["clock_skew_sec"]) < 1
    assert all(free >= 0 for free in found["free_bytes"].values())


def test_each_step_is_announced_before_it_may_hang() -> None:
    steps = [each["doing"] for each in _news_of(_local()) if "doing" in each]
    assert steps == ["a command that does nothing", "looking for tar, sudo and disk space"]


def test_nothing_is_run_on_windows() -> None:
    account = WindowsRemoteAccount(RemoteAccountSSHConfig(host="windows1"))
    account.transport = LocalTransport()
    assert _news_of(account) == []


def test_a_shell_that_runs_no_command_makes_a_node_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = tmp_path / "nologin"
    shell.write_text("#!/bin/sh\necho This account is not available. >&2\nexit 1\n")
    shell.chmod(0o755)
    monkeypatch.setenv("SHELL", str(shell))
    with pytest.raises(ValueError, match="no command can be run: 'true' ended with status 1: This account is not av"):
        _news_of(_local())
