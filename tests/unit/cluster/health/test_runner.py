# SPDX-License-Identifier: Apache-2.0
"""Many nodes side by side, whatever each of them does to its probe."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ducktape.cluster.health.runner import examine_all
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.transport import CommandStream, Stdin, TransportWrapper
from ducktape.utils.util import wait_until

LONG = 60.0
PASSWORD = "hi'd\"den\\"


class Troubled(TransportWrapper):
    """Local commands, each after something has happened."""

    def __init__(self, trouble: Callable[[], object]) -> None:
        super().__init__(LocalTransport())
        self._trouble = trouble

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        self._trouble()
        return super().stream(command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)


def _account(name: str, trouble: Callable[[], object] = lambda: None) -> LinuxRemoteAccount:
    account = LinuxRemoteAccount(RemoteAccountSSHConfig(host=name, password=PASSWORD))
    account.transport = Troubled(trouble)
    return account


def _raise(error: Exception) -> Callable[[], object]:
    def trouble() -> None:
        raise error

    return trouble


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]


def _failures(*accounts: LinuxRemoteAccount, timeout: float = LONG, at_once: int = 8) -> list[str | None]:
    before = (_children(), threading.active_count(), sorted(os.listdir("/proc/self/fd")))
    found = [each.failure for each in examine_all(accounts, timeout=timeout, method="fork", at_once=at_once)]
    assert (_children(), threading.active_count(), sorted(os.listdir("/proc/self/fd"))) == before
    return found


def test_findings_come_in_the_order_of_the_accounts() -> None:
    accounts = [_account("slow", lambda: time.sleep(0.3)), _account("broken", _raise(OSError("no"))), _account("fine")]
    findings = examine_all(accounts, timeout=LONG, method="fork")
    assert [(each.name, each.usable) for each in findings] == [("slow", True), ("broken", False), ("fine", True)]
    assert findings[0].tar == findings[2].tar is not None
    assert findings[1].failure_remedy == "Try a command there yourself."


def test_a_process_may_be_started_anew_for_each_node() -> None:
    account = LinuxRemoteAccount(RemoteAccountSSHConfig(host="here"))
    account.transport = LocalTransport()
    [found] = examine_all([account], timeout=LONG, method="spawn")
    assert (found.failure, found.tar is not None) == (None, True)


def test_what_hangs_in_the_driver_is_cut_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = time.monotonic()
    frozen = _account("frozen", lambda: os.kill(os.getpid(), signal.SIGSTOP))
    hung = _account("hung", lambda: time.sleep(LONG))
    reason = "no answer within 1.0 s (a command that does nothing)"
    assert _failures(frozen, hung, timeout=1) == [reason, reason]
    assert time.monotonic() - begin < LONG / 2


def test_a_shell_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = tmp_path / "shell"
    shell.write_text(f"#!/bin/sh\nsleep 600 &\necho $! $$ >{tmp_path}/pids\nsleep 600\n")
    shell.chmod(0o755)
    monkeypatch.setenv("SHELL", str(shell))
    [failure] = _failures(_account("slow"), timeout=1)
    assert failure is not None and failure.startswith("no answer within 1.")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    wait_until(lambda: not any(map(_runs, pids)), 5, backoff_sec=0.05)  # a killed process is not gone at once


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_process_that_dies_costs_its_node_only() -> None:
    dying = _account("dying", lambda: os._exit(7))
    assert _failures(dying, _account("fine")) == [
        "the probe ended with exit code 7 (a command that does nothing)",
        None,
    ]


@pytest.mark.parametrize("spelling", [PASSWORD, repr(PASSWORD)[1:-1], json.dumps(PASSWORD)[1:-1]])
def test_no_password_is_told(spelling: str) -> None:
    assert _failures(_account("chatty", _raise(RuntimeError(f"login with {spelling}\nfailed")))) == [
        "RuntimeError: login with *** failed (a command that does nothing)"
    ]


def test_only_so_many_nodes_are_asked_at_once(tmp_path: Path) -> None:
    def trouble() -> None:
        mark = tmp_path / str(os.getpid())
        mark.touch()
        time.sleep(0.05)
        (tmp_path / f"seen-{len([each for each in os.listdir(tmp_path) if each.isdecimal()])}").touch()
        mark.unlink()

    assert _failures(*[_account(str(number), trouble) for number in range(5)], at_once=2) == [None] * 5
    assert {each.name for each in tmp_path.iterdir()} <= {"seen-1", "seen-2"}


def test_what_a_check_prints_does_not_mix_with_the_answer(capfd: pytest.CaptureFixture[str]) -> None:
    assert _failures(_account("chatty", lambda: os.write(1, b"a word\n"))) == [None]
    assert "a word" not in capfd.readouterr().out


def test_an_interrupt_leaves_nothing_behind() -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    before = _children()
    with pytest.raises(KeyboardInterrupt):
        examine_all([_account("hung", lambda: time.sleep(LONG))], timeout=LONG, method="fork")
    timer.join()
    assert _children() == before
