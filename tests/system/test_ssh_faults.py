# SPDX-License-Identifier: Apache-2.0
"""Accounts over real SSH servers that die, freeze, are far away, or have much to do."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import psutil
import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.ssh.errors import is_ssh_failure
from tests.support.delay import distant
from tests.support.sshd import Sshd, running_sshd

pytestmark = [
    pytest.mark.needs("sshd"),
    pytest.mark.quiet,
]

Verb = Callable[[LinuxRemoteAccount, Path], Any]

COMMANDS: dict[str, Verb] = {
    "ssh": lambda account, place: account.ssh("true"),
    "ssh_allow_fail": lambda account, place: account.ssh("true", allow_fail=True),
    "ssh_stdin": lambda account, place: account.ssh("cat >/dev/null", stdin="x" * 3_000_000),
    "ssh_output": lambda account, place: account.ssh_output("echo x"),
    "ssh_capture": lambda account, place: list(account.ssh_capture("seq 3")),
    "mkdirs": lambda account, place: account.mkdirs(f"{place}/new/directory"),
    "remove": lambda account, place: account.remove(f"{place}/nothing", allow_fail=True),
    "signal": lambda account, place: account.signal(os.getpid(), 0),
    "kill_process": lambda account, place: account.kill_process("no-such-process-anywhere"),
    "java_pids": lambda account, place: account.java_pids("NoSuchClass"),
    "monitor_log": lambda account, place: _watch(account, f"{place}/file"),
    "get_network_devices": lambda account, place: account.get_network_devices(),
}
FILES: dict[str, Verb] = {
    "exists": lambda account, place: account.exists(f"{place}/file"),
    "isfile": lambda account, place: account.isfile(f"{place}/file"),
    "isdir": lambda account, place: account.isdir(f"{place}/file"),
    "islink": lambda account, place: account.islink(f"{place}/file"),
    "open": lambda account, place: account.open(f"{place}/file").close(),
    "create_file": lambda account, place: account.create_file(f"{place}/created", "x"),
    "mkdir": lambda account, place: account.mkdir(f"{place}/{time.monotonic_ns()}"),
    "copy_from": lambda account, place: account.copy_from(f"{place}/file", f"{place}/copied"),
    "copy_to": lambda account, place: account.copy_to(f"{place}/file", f"{place}/copied"),
    "copy_between": lambda account, place: account.copy_between(
        f"{place}/file", f"{place}/copied", SimpleNamespace(account=account)
    ),
}
TREES: dict[str, Verb] = {
    "copy_from_tree": lambda account, place: account.copy_from(f"{place}/tree", f"{place}/copied_tree"),
    "copy_to_tree": lambda account, place: account.copy_to(f"{place}/tree", f"{place}/copied_tree"),
}
VERBS = {**COMMANDS, **FILES, **TREES}


def _watch(account: LinuxRemoteAccount, log: str) -> None:
    with account.monitor_log(log) as monitor:
        monitor.offset = 0
        monitor.wait_until("x", timeout_sec=20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("x\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("x\n")
    return tmp_path


@pytest.fixture
def failures() -> list[Exception]:
    return []


@pytest.fixture
def account(server: Sshd, failures: list[Exception]) -> Iterator[LinuxRemoteAccount]:
    made = LinuxRemoteAccount(server.settings, ssh_exception_checks=[lambda error, _: failures.append(error)])
    yield made
    made.close()


@pytest.fixture
def frozen(server: Sshd) -> Iterator[Callable[[], None]]:
    """Freezes the server; it goes on after the test."""
    yield server.freeze
    server.thaw()


def _outcome(future: Future[Any]) -> BaseException | None:
    return future.exception(timeout=30)


@pytest.mark.parametrize("verb", VERBS)
def test_a_server_killed_in_the_middle_is_an_ssh_failure_and_the_next_call_works(
    server: Sshd, account: LinuxRemoteAccount, failures: list[Exception], place: Path, verb: str
) -> None:
    VERBS[verb](account, place)
    # A server that stands still keeps the call in its middle until it is killed.
    server.freeze()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(VERBS[verb], account, place)
        time.sleep(0.1)
        server.stop()
        begin = time.monotonic()
        error = _outcome(call)
    try:
        assert time.monotonic() - begin < 5
        assert error is not None
        assert is_ssh_failure(error), repr(error)
        assert failures == [error]
    finally:
        server.start()
    VERBS[verb](account, place)
    assert failures == [error]


def test_a_process_on_a_machine_that_died_counts_as_dead(
    server: Sshd, account: LinuxRemoteAccount, failures: list[Exception]
) -> None:
    assert account.alive(os.getpid())
    server.stop()
    try:
        assert not account.alive(os.getpid())
        assert len(failures) == 1
    finally:
        server.start()
    assert account.alive(os.getpid())


WITH_TIMEOUT: dict[str, Callable[[LinuxRemoteAccount], Any]] = {
    "ssh": lambda account: account.ssh("true", timeout_sec=0.5),
    "ssh_stdin": lambda account: account.ssh("cat >/dev/null", stdin="x" * 20_000_000, timeout_sec=0.5),
    "ssh_output": lambda account: account.ssh_output("echo x", timeout_sec=0.5),
    "ssh_capture": lambda account: list(account.ssh_capture("echo x", timeout_sec=0.5)),
}


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("verb", WITH_TIMEOUT)
def test_a_frozen_server_holds_no_call_longer_than_its_timeout(
    account: LinuxRemoteAccount,
    failures: list[Exception],
    frozen: Callable[[], None],
    server: Sshd,
    verb: str,
    connected: bool,
) -> None:
    if connected:
        account.ssh("true")
    frozen()
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=account.hostname) as caught:
        WITH_TIMEOUT[verb](account)
    assert 0.45 < time.monotonic() - begin < 2.5
    assert failures == [caught.value]
    server.thaw()
    assert account.ssh_output("echo again", timeout_sec=20) == b"again\n"
    assert account._connection().connections.retired == []


@pytest.mark.parametrize("verb", [*FILES, *TREES])
def test_a_frozen_server_is_given_up_by_file_verbs_too(
    account: LinuxRemoteAccount,
    failures: list[Exception],
    frozen: Callable[[], None],
    server: Sshd,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    for module in ("transport", "connections"):
        monkeypatch.setattr(f"ducktape.cluster.ssh.{module}.ANSWER_SEC", 0.5)
    account.exists("/")
    VERBS[verb](account, place)
    frozen()
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=account.hostname) as caught:
        VERBS[verb](account, place)
    assert 0.45 < time.monotonic() - begin < 4
    assert failures == [caught.value]
    server.thaw()
    monkeypatch.undo()
    VERBS[verb](account, place)


@pytest.mark.parametrize("verb", ["ssh", "exists"])
def test_the_connect_timeout_of_the_settings_holds_for_a_frozen_server(
    server: Sshd, frozen: Callable[[], None], place: Path, verb: str
) -> None:
    settings = server.settings
    settings.connecttimeout = 0.5
    account = LinuxRemoteAccount(settings)
    frozen()
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=f"{account.hostname}: the SSH server accepts connections, but does not"):
        VERBS[verb](account, place)
    assert 0.45 < time.monotonic() - begin < 3
    account.close()


def test_a_thread_with_a_timeout_does_not_wait_for_another_one_that_connects(
    account: LinuxRemoteAccount, frozen: Callable[[], None], server: Sshd
) -> None:
    frozen()
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(account.ssh_output, "echo patient")
        time.sleep(0.1)
        begin = time.monotonic()
        with pytest.raises(TimeoutError, match=account.hostname):
            account.ssh("true", timeout_sec=0.5)
        assert time.monotonic() - begin < 2
        server.thaw()
        assert patient.result(timeout=30) == b"patient\n"


def test_sessions_that_were_granted_too_late_use_nothing_up(tmp_path: Path) -> None:
    with running_sshd(tmp_path, "MaxSessions 2") as server:
        account = LinuxRemoteAccount(server.settings)
        account.ssh("true")
        for _ in range(4):
            server.freeze()
            with pytest.raises(TimeoutError):
                account.ssh("true", timeout_sec=0.3)
            server.thaw()
        assert list(account.ssh_capture("seq 2", timeout_sec=10)) == ["1\n", "2\n"]
        deadline = time.monotonic() + 20
        while server.connections > 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        account.close()


def test_commands_go_on_when_another_one_gets_no_channel(
    account: LinuxRemoteAccount, frozen: Callable[[], None], server: Sshd
) -> None:
    lines = account.ssh_capture("echo started; read line; echo never", timeout_sec=20)
    assert next(lines) == "started\n"
    running = account.ssh_capture("sleep 1; echo finished", timeout_sec=20)
    frozen()
    with pytest.raises(TimeoutError):
        account.ssh("true", timeout_sec=0.3)
    server.thaw()
    assert list(running) == ["finished\n"]
    lines.close()
    account.ssh("true")
    assert account._connection().connections.retired == []


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize(
    "verb", ["ssh", "ssh_stdin", "ssh_output", "ssh_capture", "exists", "copy_from", "create_file"]
)
def test_a_call_without_a_timeout_can_be_interrupted(
    account: LinuxRemoteAccount,
    frozen: Callable[[], None],
    server: Sshd,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    connected: bool,
) -> None:
    if connected:
        VERBS[verb](account, place)
    frozen()
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            VERBS[verb](account, place)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, previous)
    assert time.monotonic() - begin < 3
    server.thaw()
    VERBS[verb](account, place)


def test_thousands_of_commands_from_many_threads_leave_nothing(tmp_path: Path) -> None:
    threads, each = 16, 313
    with running_sshd(tmp_path, "MaxSessions 10") as server:
        account = LinuxRemoteAccount(server.settings)
        account.ssh("true")
        account.exists("/")
        account.close()
        gc.collect()
        process = psutil.Process()
        before = ({thread.name for thread in threading.enumerate()}, process.num_fds())

        def work(number: int) -> list[str]:
            wrong = []
            for round_ in range(each):
                text = f"{number}-{round_}"
                out = account.ssh_output(f"echo {text}; echo {text} >&2")
                if sorted(out.split()) != [text.encode()] * 2:
                    wrong.append(f"{text}: {out!r}")
                if round_ % 50 == 0 and not account.exists("/"):
                    wrong.append(f"{text}: exists")
            return wrong

        with ThreadPoolExecutor(threads) as pool:
            assert [wrong for found in pool.map(work, range(threads)) for wrong in found] == []
        # A second one is made where a busy machine does not end short commands in time
        assert server.connections in (1, 2)
        account.close()
        assert ({thread.name for thread in threading.enumerate()}, process.num_fds()) == before


def test_a_distant_server_costs_few_round_trips(server: Sshd) -> None:
    with distant(server.port, 0.04) as port:
        settings = server.settings
        settings.port = port
        account = LinuxRemoteAccount(settings)
        account.ssh("true")
        account.exists("/")
        # Half a round trip on top for the work at both ends; the best of several, because others use this machine too.
        assert _quickest(lambda: account.ssh("true")) < 4 * 0.04
        assert _quickest(lambda: account.ssh("true")) < 2.5 * 0.04 + 0.02
        assert _quickest(lambda: account.exists("/")) < 1.5 * 0.04
        account.close()


def _quickest(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(8):
        begin = time.monotonic()
        call()
        times.append(time.monotonic() - begin)
    return min(times)


def test_a_connection_that_broke_unseen_is_replaced_together_with_its_files(server: Sshd) -> None:
    account = LinuxRemoteAccount(server.settings)
    assert account.exists("/")
    # The server stands still, so its end of the connection tells nothing; only our writing fails.
    server.freeze_connections()
    broken: Any = account._connection().connections.current
    broken.get_transport().sock.shutdown(socket.SHUT_WR)
    try:
        assert account.ssh_output("echo again") == b"again\n"
        assert account.exists("/")
        assert account._connection().connections.current is not broken
    finally:
        server.thaw()
        account.close()


def test_a_jump_host_leads_to_the_node_and_is_left_with_the_account(server: Sshd, tmp_path: Path) -> None:
    with running_sshd(tmp_path) as jump:
        keys = jump.directory / "authorized_keys"
        keys.write_text(keys.read_text() + (server.directory / "user_key.pub").read_text())
        settings = server.settings
        account = LinuxRemoteAccount(
            RemoteAccountSSHConfig(
                host="behind",
                hostname=settings.hostname,
                user=settings.user,
                port=settings.port,
                identityfile=settings.identityfile,
                connecttimeout=20,
                proxyjump=f"{settings.user}@127.0.0.1:{jump.port}",
            )
        )
        assert account.ssh_output("echo $SSH_CONNECTION").split()[3] == b"%d" % server.port
        assert account.ssh("cat >/dev/null", stdin="x" * 5_000_000, timeout_sec=20) == 0
        assert account.exists("/")
        assert jump.connections == 1
        jump.stop()
        with pytest.raises(OSError, match="logging in to behind"):
            account.ssh("true")
        jump.start()
        assert account.ssh_output("echo again") == b"again\n"
        account.close()
        _until(lambda: jump.connections == 0)


def test_a_frozen_jump_host_holds_no_call_longer_than_its_timeout(server: Sshd, tmp_path: Path) -> None:
    with running_sshd(tmp_path) as jump:
        keys = jump.directory / "authorized_keys"
        keys.write_text(keys.read_text() + (server.directory / "user_key.pub").read_text())
        settings = server.settings
        settings.proxyjump = f"{settings.user}@127.0.0.1:{jump.port}"
        for connected in (True, False):
            account = LinuxRemoteAccount(settings)
            if connected:
                account.ssh("true")
            jump.freeze()
            for call in WITH_TIMEOUT.values():
                begin = time.monotonic()
                with pytest.raises(TimeoutError, match=account.hostname):
                    call(account)
                assert time.monotonic() - begin < 2.5
            jump.thaw()
            assert account.ssh("true", timeout_sec=20) == 0
            account.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_files_that_nobody_closes_are_closed_by_the_next_request(account: LinuxRemoteAccount, place: Path) -> None:
    session: Any = account.sftp_client
    for _ in range(3):
        file: Any = account.open(f"{place}/file", "a")
        file.write("more\n")
        file.itself = file
        del file
    gc.disable()
    try:
        assert len(session.dropped) == 0
        gc.collect()
        assert len(session.dropped) == 3
        account.exists("/")
        assert len(session.dropped) == 0
    finally:
        gc.enable()
    assert (place / "file").read_text() == "x\n" + "more\n" * 3


def test_the_setting_for_sessions_is_obeyed(server: Sshd) -> None:
    settings = server.settings
    settings.max_sessions = 1
    account = LinuxRemoteAccount(settings)
    lines = account.ssh_capture("sleep 30")
    with pytest.raises(TimeoutError, match="all 1 channels to sshd-"):
        account.ssh("true", timeout_sec=0.2)
    lines.close()
    assert account.ssh("true", timeout_sec=20) == 0
    account.close()


def test_files_need_not_wait_for_commands_that_hold_all_sessions(tmp_path: Path) -> None:
    with running_sshd(tmp_path, "MaxSessions 2") as server:
        account = LinuxRemoteAccount(server.settings)
        lines = [account.ssh_capture("echo started; sleep 300") for _ in range(2)]
        assert [next(each) for each in lines] == ["started\n"] * 2
        assert account.exists("/")
        assert server.connections == 2
        account.close()


def test_the_library_names_no_secret_in_its_errors(server: Sshd) -> None:
    settings = server.settings
    settings.identityfile = None
    settings.password = "s3cret-Wort"
    account = LinuxRemoteAccount(settings)
    with pytest.raises(paramiko.SSHException) as caught:
        account.ssh("true")
    assert "s3cret" not in f"{caught.value!r} {caught.value} {account!r} {settings!r}"
    assert account.hostname in str(caught.value)
    account.close()
