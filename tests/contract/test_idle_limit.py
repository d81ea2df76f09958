# SPDX-License-Identifier: Apache-2.0
"""Commands of the framework on machines where commands hang while the SSH server lives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.transport import IDLE_SEC, IDLE_VARIABLE, framework_commands, longest_silence
from tests.support.needs import require
from tests.support.sshd import running_sshd

VERBS: dict[str, Callable[[LinuxRemoteAccount, Path], Any]] = {
    "copy_from": lambda account, place: account.copy_from(f"{place}/home", f"{place}/copied"),
    "copy_all_from": lambda account, place: account.copy_all_from([f"{place}/home"], str(place)),
    "copy_to": lambda account, place: account.copy_to(f"{place}/home", f"{place}/copied"),
    "copy_between": lambda account, place: account.copy_between(
        f"{place}/home", f"{place}/copied", SimpleNamespace(account=account)
    ),
    "mkdirs": lambda account, place: account.mkdirs(f"{place}/new"),
    "remove": lambda account, place: account.remove(f"{place}/new"),
    "signal": lambda account, place: account.signal(1, 0),
    "kill_process": lambda account, place: account.kill_process("no such process"),
    "java_pids": lambda account, place: account.java_pids("Nothing"),
    "addresses": lambda account, place: account.fetch_externally_routable_ip(),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sshd")


@pytest.fixture(scope="module")
def hanging(place: Path) -> Iterator[LinuxRemoteAccount]:
    """A machine whose login shell stands still."""
    require("sshd")
    with running_sshd(place) as server:
        (server.home / ".bashrc").write_text("exec sleep 60\n")
        account = LinuxRemoteAccount(server.settings)
        yield account
        account.close()


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_waits_for_ever_for_a_hanging_command(
    hanging: LinuxRemoteAccount, place: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(hanging, "get_external_accessible_network_devices", lambda: ["eth0"])
    monkeypatch.setenv(IDLE_VARIABLE, "0.03" if verb == "remove" else "0.3")
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=f"{hanging.hostname}: no output for 0.3 seconds: .") as caught:
        VERBS[verb](hanging, place)
    assert time.monotonic() - begin < 5
    assert len(str(caught.value)) < 500


class OwnWriter(LinuxRemoteAccount):
    """Has a way of its own to write files, so that its directories are listed by commands."""

    def open(self, path: str, mode: str = "r") -> Any:
        return super().open(path, mode)

    def ssh_output(self, cmd: str, *args: Any, **kwargs: Any) -> bytes:
        return super().ssh_output(cmd, *args, **kwargs)


def test_accounts_with_verbs_of_their_own_have_the_limit(
    hanging: LinuxRemoteAccount, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, "0.3")
    account = OwnWriter(hanging.ssh_config)
    with pytest.raises(TimeoutError, match=r"no output for 0.3 seconds: find "):
        account.copy_from(f"{place}/home", f"{place}/copied")
    account.close()


def test_commands_of_users_have_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, "0.1")
    assert LocalTransport().run("sleep 0.4; echo x").stdout == b"x\n"


def test_the_limit_is_one_of_silence_not_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, "0.4")
    with framework_commands():
        done = LocalTransport().run("for i in 1 2 3 4; do sleep 0.2; echo $i; done")
    assert done.stdout.split() == [b"1", b"2", b"3", b"4"]


def test_a_command_that_takes_its_input_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, "0.8")
    command = "for i in 1 2 3; do head -c 300000 >/dev/null; sleep 0.4; done"
    with framework_commands():
        done = LocalTransport().run(command, stdin=b"x" * 900_000)
    assert done.exit_status == 0


def test_a_local_command_that_hangs_is_named_with_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, "0.2")
    with framework_commands(), pytest.raises(TimeoutError, match=r"^localhost: no output for 0.2 seconds: sleep 5$"):
        LocalTransport().run("sleep 5")


def test_the_limit_has_a_default_and_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(IDLE_VARIABLE, raising=False)
    assert longest_silence(None) is None
    assert longest_silence(3) == 3
    with framework_commands():
        assert (longest_silence(None), longest_silence(3)) == (IDLE_SEC, 3)
        with framework_commands(slow=True):
            assert longest_silence(None) == 10 * IDLE_SEC
        for wrong in ("soon", "0", "-1", "inf", "nan"):
            monkeypatch.setenv(IDLE_VARIABLE, wrong)
            with pytest.raises(ValueError, match=IDLE_VARIABLE):
                longest_silence(None)
