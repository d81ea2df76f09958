# SPDX-License-Identifier: Apache-2.0
"""What only SSH has: connections that are shared, get lost and come back."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko
import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteCommandError
from ducktape.cluster.ssh.transport import SshTransport
from tests.support.sshd import Sshd, running_sshd

pytestmark = pytest.mark.needs("sshd")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture
def failures() -> list[Exception]:
    return []


@pytest.fixture
def account(server: Sshd, failures: list[Exception]) -> Iterator[LinuxRemoteAccount]:
    made = LinuxRemoteAccount(server.settings, ssh_exception_checks=[lambda error, _: failures.append(error)])
    yield made
    made.close()


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_threads_that_come_first_share_one_connection(account: LinuxRemoteAccount) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: account.ssh_output(f"echo {number} $SSH_CONNECTION"), range(8)))
    ports = {result.split()[2] for result in results}
    assert [result.split()[0] for result in results] == [b"%d" % number for number in range(8)]
    assert len(ports) == 1


def test_users_reach_the_library_itself(account: LinuxRemoteAccount) -> None:
    assert account._ssh_client is None
    client, sftp = account.ssh_client, account.sftp_client
    assert isinstance(client, paramiko.SSHClient)
    assert isinstance(sftp, paramiko.SFTPClient)
    assert [account.ssh_client, account._ssh_client] == [client, client]
    assert [account.sftp_client, account._sftp_client] == [sftp, sftp]
    _, stdout, _ = client.exec_command("echo user")
    assert stdout.read() == b"user\n"
    account.close()
    account.close()
    assert (account._ssh_client, account._sftp_client) == (None, None)


def test_no_sftp_session_without_need(account: LinuxRemoteAccount) -> None:
    account.ssh("true")
    assert account._sftp_client is None
    account.exists("/")
    assert account._sftp_client is not None


def test_a_server_that_came_back_is_used(tmp_path: Path) -> None:
    with running_sshd(tmp_path) as server:
        account = LinuxRemoteAccount(server.settings)
        assert account.ssh_output("echo 1") == b"1\n"
        assert account.exists("/")
        server.stop()
        server.start()
        assert account.ssh_output("echo 2") == b"2\n"
        assert account.exists("/")
        account.close()


def test_a_connection_that_died_an_instant_ago_is_replaced(server: Sshd, account: LinuxRemoteAccount) -> None:
    for number in range(5):
        account.ssh("true")
        server.cut_connections()
        assert account.ssh_output(f"echo {number}") == b"%d\n" % number


@pytest.mark.parametrize("allow_fail", [False, True])
def test_a_connection_lost_during_a_command_is_an_ssh_error(
    server: Sshd, account: LinuxRemoteAccount, failures: list[Exception], allow_fail: bool
) -> None:
    lines = account.ssh_capture("echo started; sleep 5", allow_fail=allow_fail)
    assert next(lines) == "started\n"
    server.cut_connections()
    with pytest.raises(paramiko.SSHException, match="lost while this command ran") as caught:
        next(lines)
    assert failures == [caught.value]
    assert list(lines) == []


def test_a_dead_sftp_session_is_replaced(account: LinuxRemoteAccount) -> None:
    assert account.exists("/etc")
    before = account._sftp_client
    before.get_channel().close()
    assert account.exists("/etc")
    assert account._sftp_client is not before


def test_a_server_without_sftp_runs_commands_and_says_what_it_lacks(tmp_path: Path) -> None:
    with running_sshd(tmp_path) as server:
        config = server.directory / "sshd_config"
        config.write_text(config.read_text().replace("Subsystem sftp internal-sftp\n", ""))
        server.stop()
        server.start()
        account = LinuxRemoteAccount(server.settings)
        assert account.ssh("true") == 0
        with pytest.raises(paramiko.SSHException, match=r"sshd-[0-9]+ offers no SFTP session"):
            account.exists("/")
        assert account.ssh("true") == 0
        account.close()


def test_a_refused_login_is_an_error_everywhere(
    server: Sshd, account: LinuxRemoteAccount, failures: list[Exception], tmp_path: Path
) -> None:
    paramiko.RSAKey.generate(2048).write_private_key_file(str(tmp_path / "other_key"))
    account.ssh_config.identityfile = str(tmp_path / "other_key")
    with pytest.raises(paramiko.SSHException):
        account.ssh("true")
    with pytest.raises(paramiko.SSHException):
        account.isdir("/")
    assert len(failures) == 2
    assert account.alive(1) is False


def test_a_missing_key_file_is_said_and_checked(
    account: LinuxRemoteAccount, failures: list[Exception], tmp_path: Path
) -> None:
    account.ssh_config.identityfile = f"{tmp_path}/absent"
    with pytest.raises(FileNotFoundError):
        account.exists("/")
    assert len(failures) == 1


def test_absent_files_run_no_checks(account: LinuxRemoteAccount, failures: list[Exception], tmp_path: Path) -> None:
    assert not account.exists(f"{tmp_path}/absent")
    with pytest.raises(FileNotFoundError):
        account.open(f"{tmp_path}/absent")
    with pytest.raises(RemoteCommandError):
        account.ssh("false")
    assert failures == []


def test_further_commands_wait_for_a_channel(server: Sshd) -> None:
    transport = SshTransport(server.settings, max_channels=2)
    try:
        held = [transport.stream("sleep 5") for _ in range(2)]
        with pytest.raises(TimeoutError, match=r"all 2 channels to sshd-[0-9]+ stayed in use"):
            transport.run("true", timeout=0.2)
        threading.Timer(0.1, held[0].close).start()
        assert transport.run("echo free").stdout == b"free\n"
        # Output that nobody will read gives way, however it was dropped.
        held.append(transport.stream("sleep 5"))
        for stream in held:
            stream.itself = stream  # type: ignore[attr-defined]
        del stream
        held.clear()
        gc.collect()
        assert transport.run("echo free").stdout == b"free\n"
        assert len(transport.connections.channels) == 1
    finally:
        transport.close()


def test_ended_but_unread_output_holds_no_channel(server: Sshd) -> None:
    transport = SshTransport(server.settings, max_channels=2)
    try:
        streams = [transport.stream(f"echo {number}", timeout=20) for number in range(10)]
        assert [stream.read() for stream in streams] == [b"%d\n" % number for number in range(10)]
        assert [stream.exit_status() for stream in streams] == [0] * 10
    finally:
        transport.close()


def test_channels_are_closed_in_every_path(account: LinuxRemoteAccount) -> None:
    transport = account._connection()
    account.ssh("exit 3", allow_fail=True)
    list(account.ssh_capture("seq 5"))
    with pytest.raises(ValueError, match="x"):
        list(account.ssh_capture("echo x; sleep 2", callback=int))
    with pytest.raises(TimeoutError):
        list(account.ssh_capture("sleep 2", timeout_sec=0.1))
    account.ssh_capture("sleep 2").close()
    assert transport.connections.channels == []
    for line in account.ssh_capture("seq 5; sleep 2"):
        if line == "2\n":
            break
    account.ssh_capture("sleep 0.2")
    account.ssh("true")
    assert len(transport.connections.channels) == 1
    _until(lambda: account.ssh("true") == 0 and transport.connections.channels == [])


def test_small_packets_are_sent_at_once(account: LinuxRemoteAccount) -> None:
    import socket

    transport = account.ssh_client.get_transport()
    assert transport is not None
    sock: Any = transport.sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


class Borrowing(LinuxRemoteAccount):
    """An account that brings its own clients, as those for containers do."""

    lender: LinuxRemoteAccount

    @property
    def ssh_client(self) -> Any:
        return self.lender.ssh_client

    @property
    def sftp_client(self) -> Any:
        return self.lender.sftp_client


def test_every_verb_works_over_replaced_clients(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    borrower = Borrowing(type(account.ssh_config)(host="elsewhere", hostname="0.0.0.0", port=1))
    borrower.lender = account
    assert borrower.ssh_output("echo x") == b"x\n"
    assert list(borrower.ssh_capture("seq 2")) == ["1\n", "2\n"]
    borrower.mkdirs(f"{tmp_path}/a")
    borrower.create_file(f"{tmp_path}/a/file", "y")
    assert borrower.isfile(f"{tmp_path}/a/file")
    borrower.copy_from(f"{tmp_path}/a", f"{tmp_path}/b")
    assert (tmp_path / "b" / "file").read_text() == "y"
    borrower.close()
    assert account._ssh_client is not None


class Foreign:
    """A channel that has only what is documented: no buffers to be notified by."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        if name in ("in_buffer", "in_stderr_buffer", "status_event", "_channel"):
            raise AttributeError(name)
        return getattr(self._channel, name)


def test_channels_of_another_kind_are_read_too(server: Sshd) -> None:
    lender = SshTransport(server.settings)

    class Transport:
        def open_session(self, **kwargs: Any) -> Foreign:
            transport = lender.client.get_transport()
            assert transport is not None
            return Foreign(transport.open_session(**kwargs))

        def is_active(self) -> bool:
            return True

    class Client:
        def get_transport(self) -> Transport:
            return Transport()

    transport = SshTransport(server.settings, client_source=Client)  # type: ignore[arg-type]  # of another library
    try:
        done = transport.run("cat; echo err >&2; exit 4", stdin="input", timeout=20)
        assert (done.stdout, done.stderr, done.exit_status) == (b"input", b"err\n", 4)
        with pytest.raises(TimeoutError):
            transport.run("sleep 2", timeout=0.2)
    finally:
        lender.close()


def test_a_file_that_shrinks_while_it_is_copied_ends(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    source = tmp_path / "log"
    source.write_bytes(b"x" * 2_000_000)
    session: Any = account.sftp_client
    ask = session._ask_ahead

    def ask_and_shrink(requests: list[Any]) -> Any:
        answers = ask(requests)
        os.truncate(source, 40_000)
        return answers

    session._ask_ahead = ask_and_shrink
    account.transport.files.get(str(source), str(tmp_path / "copy"))
    # What was read before, and nothing of what is gone.
    assert (tmp_path / "copy").read_bytes() == b"x" * (2 * 32 * 1024)


def test_the_first_output_can_be_dropped_at_once(account: LinuxRemoteAccount) -> None:
    # Connecting happens inside this very call and must not keep what the call creates.
    for line in account.ssh_capture("echo a; sleep 2"):
        assert line == "a\n"
        break
    account.ssh("true")
    assert account._connection().connections.channels == []


def test_a_server_with_few_sessions_makes_commands_wait(tmp_path: Path) -> None:
    with running_sshd(tmp_path, "MaxSessions 2") as server:
        transport = SshTransport(server.settings)
        with ThreadPoolExecutor(12) as pool:
            results = list(pool.map(lambda number: transport.run(f"sleep 0.05; echo {number}").stdout, range(24)))
        transport.close()
    assert results == [b"%d\n" % number for number in range(24)]


def test_a_server_that_refuses_every_session_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ducktape.cluster.ssh.transport._REFUSED_SEC", 0.2)
    with running_sshd(tmp_path, "MaxSessions 0") as server:
        transport = SshTransport(server.settings)
        with pytest.raises(paramiko.ChannelException):
            transport.run("true")
        transport.close()


SFTP_PROGRAM = "/usr/lib/openssh/sftp-server"


def _with_subsystem(directory: Path, command: str, start_up_file: str = "") -> Iterator[LinuxRemoteAccount]:
    server = Sshd(directory)
    config = directory / "sshd_config"
    config.write_text(config.read_text().replace("Subsystem sftp internal-sftp", f"Subsystem sftp {command}"))
    (server.home / ".bashrc").write_text(start_up_file)
    server.start()
    account = LinuxRemoteAccount(server.settings)
    yield account
    account.close()
    server.stop()


@pytest.mark.skipif(not Path(SFTP_PROGRAM).exists(), reason=f"there is no {SFTP_PROGRAM}")
@pytest.mark.parametrize("text", ["echo Welcome", "printf abc", "seq 5000", "printf '\\0\\1\\2\\3'"])
def test_files_are_reached_behind_a_shell_that_prints(tmp_path: Path, text: str) -> None:
    for account in _with_subsystem(tmp_path, SFTP_PROGRAM, f"{text}\n"):
        account.create_file(f"{tmp_path}/file", "x" * 100_000)
        with account.open(f"{tmp_path}/file") as file:
            assert file.read() == b"x" * 100_000
        assert account.exists(f"{tmp_path}/file")


@pytest.mark.parametrize(
    ("command", "start_up_file", "said"),
    [
        ("/bin/false", "", "ends without a word"),
        ("/bin/false", "echo no entry", "says 'no entry'"),
        ("/usr/bin/yes", "", "says 'y y y"),
    ],
)
def test_what_is_no_sftp_server_is_quoted_with_remedies(
    tmp_path: Path, command: str, start_up_file: str, said: str
) -> None:
    for account in _with_subsystem(tmp_path, command, start_up_file):
        with pytest.raises(
            paramiko.SSHException, match=r"offers no SFTP session: what should be the SFTP server of"
        ) as caught:
            account.exists("/")
        text = str(caught.value)
        assert all(part in text for part in (account.hostname, str(account.user), said, ".bashrc", "Subsystem sftp"))
        assert account.ssh("true") == 0


def test_an_sftp_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ducktape.cluster.ssh.transport.ANSWER_SEC", 0.5)
    for account in _with_subsystem(tmp_path, "/bin/sleep 60"):
        begin = time.monotonic()
        with pytest.raises(TimeoutError, match=f"{account.hostname}: no SFTP session within 0.5 seconds: see 'Subsys"):
            account.exists("/")
        assert time.monotonic() - begin < 5
        assert account.ssh("true") == 0


def test_one_session_is_enough_for_commands_and_files(tmp_path: Path) -> None:
    with running_sshd(tmp_path, "MaxSessions 1") as server:
        account = LinuxRemoteAccount(server.settings)
        for number in range(3):
            assert account.exists("/")
            assert account.ssh_output(f"echo {number}", timeout_sec=20) == b"%d\n" % number
            account.create_file(f"{tmp_path}/file", str(number))
        (tmp_path / "tree").mkdir()
        account.copy_from(f"{tmp_path}/file", f"{tmp_path}/tree")
        account.copy_from(f"{tmp_path}/tree", f"{tmp_path}/copy")
        assert (tmp_path / "copy" / "file").read_text() == "2"
        account.close()


def test_commands_work_beside_an_open_file_that_holds_the_only_session(tmp_path: Path) -> None:
    with running_sshd(tmp_path, "MaxSessions 1") as server:
        account = LinuxRemoteAccount(server.settings)
        with account.open(str(tmp_path / "sshd_config")) as file:
            first = file.read(4)
            assert account.ssh_output("echo x", timeout_sec=20) == b"x\n"
            assert first + file.read() == (tmp_path / "sshd_config").read_bytes()
        assert account.exists("/")
        assert server.connections == 2
        account.close()
        assert account._connection().connections.for_files is None


def test_commands_work_beside_outputs_that_hold_all_sessions(tmp_path: Path) -> None:
    with running_sshd(tmp_path, "MaxSessions 1") as server:
        account = LinuxRemoteAccount(server.settings)
        watched = [account.ssh_capture(f"echo {number}; sleep 300") for number in range(2)]
        assert [next(lines) for lines in watched] == ["0\n", "1\n"]
        assert account.ssh("true", timeout_sec=20) == 0
        account.close()


def test_threads_mix_commands_and_files_on_one_session(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "log").write_text("x\n")

    def watch(account: LinuxRemoteAccount) -> None:
        with account.monitor_log(f"{tmp_path}/tree/log") as monitor:
            monitor.offset = 0
            monitor.wait_until("x", timeout_sec=60)

    def use(account: LinuxRemoteAccount, number: int) -> None:
        jobs: list[Callable[[], Any]] = [
            lambda: account.ssh("true", timeout_sec=60),
            lambda: account.create_file(f"{tmp_path}/file{number}", str(number)),
            lambda: account.copy_from(f"{tmp_path}/tree", f"{tmp_path}/from{number}"),
            lambda: account.copy_to(f"{tmp_path}/tree", f"{tmp_path}/to{number}"),
            lambda: watch(account),
        ]
        for job in (*jobs[number:], *jobs[:number]):
            job()
        with account.open(f"{tmp_path}/file{number}") as file:
            assert file.read() == str(number).encode()

    with running_sshd(tmp_path, "MaxSessions 1") as server:
        account = LinuxRemoteAccount(server.settings)
        with ThreadPoolExecutor(5) as pool:
            for done in [pool.submit(use, account, number) for number in range(5)]:
                done.result(timeout=60)
        account.close()
    assert {path.read_text() for path in tmp_path.glob("*[0-9]/log")} == {"x\n"}
    assert len(list(tmp_path.glob("*[0-9]/log"))) == 10
