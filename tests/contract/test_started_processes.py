# SPDX-License-Identifier: Apache-2.0
"""Long-lived processes that an account starts, over every transport."""

from __future__ import annotations

import os
import pwd
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ducktape.cluster.account.started import Standing, State
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteAccountError, RemoteCommandError, RemoteProcess

# Says that it is ready once it handles the signal
STUBBORN = """sh -c 'trap "echo told to end" TERM; echo ready; while :; do sleep 0.05; done'"""


@pytest.fixture
def place(account: LinuxRemoteAccount, tmp_path: Path) -> Iterator[Path]:
    """A directory; what was started for it is gone afterwards."""
    yield tmp_path
    for state in tmp_path.glob("*.process"):
        RemoteProcess(account, str(state)).stop(signal.SIGKILL)


def wait_for_text(path: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in (path.read_text() if path.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_runs_where_and_with_what_it_was_told(account: LinuxRemoteAccount, place: Path) -> None:
    log = place / "log"
    (place / "there").mkdir()
    process = account.start(
        ["sh", "-c", 'echo "$1 $VALUE $PWD"; echo trouble >&2; exec sleep 600', "sh", "it's $HOME"],
        log=str(log),
        directory=str(place / "there"),
        environment={"VALUE": "a 'b' \"c\" $d"},
    )
    wait_for_text(log, "trouble\n")
    assert log.read_text() == f"it's $HOME a 'b' \"c\" $d {place}/there\ntrouble\n"
    assert process.is_alive()
    assert process.pids() == [process.pid()]
    assert process.stop() == Standing(State.ENDED, status=128 + signal.SIGTERM)
    assert not process.is_alive()
    assert process.pids() == []


def test_the_text_of_a_command_is_for_the_shell(account: LinuxRemoteAccount, place: Path) -> None:
    process = account.start("A='x y' sh -c 'echo $A; exit 3' >other", log=str(place / "log"))
    assert process.wait(20) == Standing(State.ENDED, status=3)
    assert (place / "other").read_text() == "x y\n"


def test_its_log_is_continued(account: LinuxRemoteAccount, place: Path) -> None:
    for text in ("first", "second"):
        assert account.start(["echo", text], log=str(place / "log")).wait(20).status == 0
    assert (place / "log").read_text() == "first\nsecond\n"


def test_a_process_that_ignores_the_signal_is_killed(account: LinuxRemoteAccount, place: Path) -> None:
    process = account.start(STUBBORN, log=str(place / "log"))
    wait_for_text(place / "log", "ready")
    assert process.stop(signal.SIGTERM, timeout_sec=0.3) == Standing(State.ENDED, status=128 + signal.SIGKILL)
    assert "told to end" in (place / "log").read_text()


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGQUIT])
def test_signals_that_shells_ignore_in_the_background_end_it(
    account: LinuxRemoteAccount, place: Path, sig: signal.Signals
) -> None:
    process = account.start(["sleep", "600"], log=str(place / "log"))
    assert process.stop(sig, timeout_sec=5) == Standing(State.ENDED, status=128 + sig)


def test_what_it_has_started_ends_with_it(account: LinuxRemoteAccount, place: Path) -> None:
    # The child ignores the signal that ends its parent
    command = ["sh", "-c", "(trap '' TERM; exec sleep 600) & echo $! >child; exec sleep 600"]
    process = account.start(command, log=str(place / "log"))
    wait_for_text(place / "child", "\n")
    child = int((place / "child").read_text())
    assert process.pids() == [process.pid(), child]
    assert process.stop().status == 128 + signal.SIGTERM
    account.ssh(f"for i in $(seq 500); do kill -0 {child} 2>/dev/null || exit 0; sleep 0.01; done; exit 1")


def test_the_end_is_seen_after_it_was_killed_by_others(account: LinuxRemoteAccount, place: Path) -> None:
    process = account.start(["sleep", "611"], log=str(place / "log"))
    # Ends all that has the text in its command line, so nothing else may have it
    account.kill_process("sleep 611", clean_shutdown=False)
    standing = process.wait(20)
    assert standing == Standing(State.ENDED, status=128 + signal.SIGKILL)
    assert str(standing) == "killed by SIGKILL"


def test_a_program_that_is_missing_is_said_in_the_log(account: LinuxRemoteAccount, place: Path) -> None:
    process = account.start(["no-such-program"], log=str(place / "log"))
    assert process.wait(20) == Standing(State.ENDED, status=127)
    assert "no-such-program" in (place / "log").read_text()


def test_a_second_one_is_refused_while_the_first_runs(account: LinuxRemoteAccount, place: Path) -> None:
    process = account.start(["sleep", "600"], log=str(place / "log"))
    pid = process.pid()
    with pytest.raises(RemoteAccountError, match="is still running"):
        account.start(["sleep", "600"], log=str(place / "log"))
    assert process.pid() == pid


def test_another_object_finds_it_again(account: LinuxRemoteAccount, place: Path) -> None:
    pid = account.start(["sleep", "600"], log=str(place / "log")).pid()
    account.close()
    assert RemoteProcess(account, str(place / "log.process")).pid() == pid


def test_another_process_with_its_id_is_not_mistaken_for_it(account: LinuxRemoteAccount, place: Path) -> None:
    process = account.start(["sleep", "600"], log=str(place / "log"))
    pid_file = place / "log.process" / "pid"
    pid, _, boot = pid_file.read_text().split()
    pid_file.write_text(f"{pid} 1 {boot}\n")
    assert process.standing().state is State.LOST
    process.signal(signal.SIGKILL)
    assert process.stop().state is State.LOST
    account.ssh(f"kill -0 {pid} && kill -9 -{pid}")


def test_nothing_is_known_before_the_first_start(account: LinuxRemoteAccount, place: Path) -> None:
    process = RemoteProcess(account, str(place / "never.process"))
    assert process.standing() == Standing(State.NEVER_STARTED)
    process.signal(signal.SIGTERM)
    assert process.stop().state is State.NEVER_STARTED


def test_waiting_ends_at_its_timeout(account: LinuxRemoteAccount, place: Path) -> None:
    process = account.start(["sleep", "600"], log=str(place / "log"))
    assert process.wait(0.1) == Standing(State.RUNNING, pid=process.pid())


@pytest.mark.needs("root")
def test_another_user_may_run_it(account: LinuxRemoteAccount, place: Path) -> None:
    # Which may not enter the directories of this test
    command = ["sh", "-c", "id -un; exec sleep 600"]
    process = account.start(command, log=str(place / "log"), directory="/", user="nobody")
    wait_for_text(place / "log", "\n")
    assert (place / "log").read_text() == "nobody\n"
    assert process.stop().status == 128 + signal.SIGTERM


def test_the_own_user_may_be_named(account: LinuxRemoteAccount, place: Path) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    process = account.start(["sh", "-c", "exit 5"], log=str(place / "log"), user=user)
    assert process.wait(20).status == 5


def test_a_user_who_does_not_exist_is_an_error_that_names_the_program(account: LinuxRemoteAccount, place: Path) -> None:
    with pytest.raises(RemoteCommandError, match=r"Command 'sleep 600'.*no-such-user"):
        account.start(["sleep", "600"], log=str(place / "log"), user="no-such-user")
