# SPDX-License-Identifier: Apache-2.0
"""What is made of findings, in words."""

from __future__ import annotations

import socket
from typing import Any

import paramiko
import pytest

from ducktape.cluster.health.hints import explain, note_of, problems_of, remedy_for
from ducktape.cluster.health.probe import Findings
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig

GIB = 1024**3
WELL: dict[str, Any] = {
    "name": "worker1",
    "os": "linux",
    "login_ms": 90.0,
    "round_trip_ms": 0.3,
    "shell_ms": 100.0,
    "shell": "/bin/bash",
    "tar": True,
    "sudo": "yes",
    "clock_skew_sec": -1.0,
    "home": "/home/tester",
    "free_bytes": {"/home/tester": GIB},
}


def _told(**changed: Any) -> list[tuple[str, str]]:
    return [(problem.kind, problem.text) for problem in problems_of(Findings(**{**WELL, **changed}))]


def _account(**settings: Any) -> LinuxRemoteAccount:
    return LinuxRemoteAccount(RemoteAccountSSHConfig(host="worker1", hostname="10.0.0.1", **settings))


def test_nothing_is_wrong_with_a_node_at_the_limits() -> None:
    assert _told() == []


def test_what_was_not_found_out_is_no_problem() -> None:
    assert problems_of(Findings(name="windows1")) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"shell_ms": 212.4}, ("slow login shell", "every command costs 212 ms before it begins, in /bin/bash")),
        ({"tar": False}, ("no tar", "there is no tar")),
        ({"sudo": "no"}, ("sudo: no", "sudo wants a password, or refuses")),
        ({"sudo": "missing"}, ("sudo: missing", "there is no sudo")),
        ({"sudo": "silent"}, ("sudo: silent", "sudo does not answer")),
        ({"clock_skew_sec": 3.04}, ("clock", "the clock is 3.0 s ahead of that of this machine")),
        ({"clock_skew_sec": -90.0}, ("clock", "the clock is 90.0 s behind that of this machine")),
        ({"free_bytes": {"/mnt": GIB - 1}}, ("disk full", "only 1023 MiB are free for /mnt")),
        ({"silent_disks": ["/mnt"]}, ("disk silent", "the disk of /mnt does not answer")),
    ],
)
def test_each_trouble_is_told(changed: dict[str, Any], expected: tuple[str, str]) -> None:
    assert _told(**changed) == [expected]


def test_a_clock_is_given_the_benefit_of_its_doubt() -> None:
    assert _told(clock_skew_sec=1.4, clock_margin_sec=0.5) == []
    assert [kind for kind, _ in _told(clock_skew_sec=1.6, clock_margin_sec=0.5)] == ["clock"]


def test_only_the_reason_counts_for_a_node_that_cannot_be_used() -> None:
    [problem] = problems_of(Findings(**{**WELL, "tar": False, "failure": "gone", "failure_remedy": "find it"}))
    assert (problem.kind, problem.text, problem.remedy, problem.fatal) == ("unusable", "gone", "find it", True)


@pytest.mark.parametrize(
    ("shell", "advice"),
    [
        ("/bin/bash", "`case $- in *i*) ;; *) return ;; esac`"),
        ("/usr/bin/zsh", "~/.zshenv"),
        ("/usr/bin/fish", "`status is-interactive; or exit`"),
        ("/bin/tcsh", "`if (! $?prompt) exit`"),
        ("/opt/strange", "Look at its start-up files."),
        (None, "Look at its start-up files."),
    ],
)
def test_the_remedy_for_a_slow_shell_names_its_files(shell: str | None, advice: str) -> None:
    [problem] = problems_of(Findings(**{**WELL, "shell": shell, "shell_ms": 101.0}))
    assert advice in problem.remedy
    assert "ForceCommand" in problem.remedy
    assert problem.fatal is False


def test_a_windows_node_says_how_little_was_tried() -> None:
    assert note_of(Findings(name="windows1", os="windows")) == "a Windows node: only its login was tried"
    assert note_of(Findings(name="windows1", os="windows", failure="gone")) == ""
    assert note_of(Findings(**WELL)) == ""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the address 10.0.0.1 is not known: Name or service not"),
        (ConnectionRefusedError(111, "refused"), "nothing listens at 10.0.0.1, port 2222"),
        (
            paramiko.ssh_exception.NoValidConnectionsError({("10.0.0.1", 2222): OSError(111, "refused")}),
            "nothing listens at 10.0.0.1, port 2222",
        ),
        (FileNotFoundError(2, "No such file", "/keys/mine"), "the identity file /keys/mine does not exist"),
        (paramiko.AuthenticationException("Authentication failed."), "the login of tester is refused: Authentica"),
        (ValueError("already said well"), "already said well"),
        (ZeroDivisionError("a check of users"), "ZeroDivisionError: a check of users (login)"),
    ],
)
def test_errors_are_told_in_words(error: Exception, expected: str) -> None:
    assert explain(error, _account(user="tester", port=2222), "login").startswith(expected)


def test_the_remedy_is_a_command_to_try() -> None:
    plain = remedy_for(_account(), logged_in=False)
    assert plain == "See what this says: ssh -p 22 10.0.0.1 true"
    full = _account(user="tester", port=2222, identityfile="/keys/my key", proxyjump="door", password="hidden")
    assert remedy_for(full, logged_in=True) == (
        "The login works, so look at the start-up files of its shell. "
        "See what this says: ssh -p 2222 -J door -i '/keys/my key' tester@10.0.0.1 true"
    )


def test_there_is_nothing_to_log_in_to_on_this_machine() -> None:
    account = _account()
    account.transport = LocalTransport()
    assert remedy_for(account, logged_in=False) == "Try a command there yourself."
