# SPDX-License-Identifier: Apache-2.0
"""What existing suites do with remote accounts: on local accounts, and over a real SSH server where SSH is meant."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.remoteaccount import (
    LogMonitor,
    RemoteAccountSSHConfig,
    RemoteCommandError,
)
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount
from ducktape.errors import TimeoutError as DucktapeTimeoutError
from ducktape.utils.util import wait_until
from tests.compatibility.running import LOCALHOST, ids, report, run, write

# the SSH library behind the account


def test_the_ssh_client_is_that_of_the_library(ssh_account: Any) -> None:
    import paramiko

    assert isinstance(ssh_account.ssh_client, paramiko.SSHClient)


def test_a_session_opened_on_the_transport(ssh_account: Any) -> None:
    session = ssh_account.ssh_client.get_transport().open_session()

    session.exec_command("echo from the session")

    assert (session.makefile().read(), session.recv_exit_status()) == (b"from the session\n", 0)
    session.close()


def test_a_port_forwarded_back_to_the_driver(ssh_account: Any) -> None:
    transport = ssh_account.ssh_client.get_transport()
    port = transport.request_port_forward("127.0.0.1", 0)
    visitor = socket.create_connection(("127.0.0.1", port), timeout=20)

    channel = transport.accept(20)
    visitor.sendall(b"hello")

    assert channel.recv(5) == b"hello"
    for end in (channel, visitor):
        end.close()
    transport.cancel_port_forward("127.0.0.1", port)


def test_a_command_with_a_terminal_and_a_timeout_on_the_client(ssh_account: Any) -> None:
    _, stdout, _ = ssh_account.ssh_client.exec_command("test -t 1 && echo terminal", timeout=20, get_pty=True)

    assert stdout.read().strip() == b"terminal"


def test_a_command_on_the_client_without_keywords(ssh_account: Any) -> None:
    _, stdout, stderr = ssh_account.ssh_client.exec_command("echo out; echo err >&2")

    assert (stdout.read(), stderr.read()) == (b"out\n", b"err\n")


def test_the_sftp_client_lists_and_looks(ssh_account: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("four")

    found = ssh_account.sftp_client.listdir(str(tmp_path)), ssh_account.sftp_client.stat(str(tmp_path / "a")).st_size

    assert found == (["a"], 4)


def test_the_sftp_client_of_a_local_account_lists_and_looks(account: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("four")

    found = account.sftp_client.listdir(str(tmp_path)), account.sftp_client.stat(str(tmp_path / "a")).st_size

    assert found == (["a"], 4)


def test_the_names_of_an_account(ssh_account: Any) -> None:
    assert (ssh_account.hostname, ssh_account.ssh_hostname) == ("worker1", "127.0.0.1")


def test_the_names_of_a_local_account(account: Any) -> None:
    assert (account.hostname, account.ssh_hostname) == ("localhost0", "localhost")


# commands: on a local account and over SSH


@pytest.fixture(params=["account", "ssh_account"])
def either(request: pytest.FixtureRequest) -> Any:
    """One account after the other: both kinds behave alike."""
    return request.getfixturevalue(request.param)


def test_a_server_started_by_a_capture_that_nobody_reads_runs_at_once(either: Any, tmp_path: Path) -> None:
    started = tmp_path / "started"

    before = time.monotonic()
    either.ssh_capture(f"echo $$ > {tmp_path}/pid && touch {started} && exec sleep 600")
    took = time.monotonic() - before
    wait_until(started.exists, timeout_sec=20, err_msg="the command never ran")

    assert took < 20
    either.signal(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_the_failure_of_a_capture_that_nobody_reads_goes_unnoticed(either: Any, tmp_path: Path) -> None:
    either.ssh_capture(f"touch {tmp_path}/ran; exit 3")

    wait_until((tmp_path / "ran").exists, timeout_sec=20, err_msg="the command never ran")
    assert either.ssh("true") == 0


def test_a_detached_server_does_not_keep_the_call_waiting(either: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"

    before = time.monotonic()
    either.ssh(f"nohup sh -c 'echo up; exec sleep 300' 1>> {log} 2>> {log} & echo $! > {tmp_path}/pid")

    assert time.monotonic() - before < 60
    wait_until(lambda: log.exists() and log.read_text() == "up\n", timeout_sec=20, err_msg="no server")
    either.signal(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_loop_over_the_lines_of_a_capture(either: Any) -> None:
    lines = []
    for line in either.ssh_capture("echo one; echo two; printf three"):
        lines.append(line)

    assert lines == ["one\n", "two\n", "three"]


def test_a_list_of_a_capture(either: Any) -> None:
    assert list(either.ssh_capture("seq 3")) == ["1\n", "2\n", "3\n"]


def test_asking_whether_there_is_a_next_line(either: Any) -> None:
    capture = either.ssh_capture("echo one")

    assert (capture.has_next(), capture.next(), capture.has_next()) == (True, "one\n", False)


@pytest.mark.parametrize(("callback", "expected"), [(int, [1, 2]), (str, ["1\n", "2\n"])])
def test_a_callback_for_each_line(either: Any, callback: Callable[[str], Any], expected: list[Any]) -> None:
    assert list(either.ssh_capture("seq 2", callback=callback)) == expected


def test_standard_error_is_among_the_lines_unless_told_otherwise(either: Any) -> None:
    command = "echo err >&2"

    assert (list(either.ssh_capture(command)), list(either.ssh_capture(command, combine_stderr=False))) == (
        ["err\n"],
        [],
    )


def test_a_capture_that_is_silent_for_too_long(either: Any) -> None:
    capture = either.ssh_capture("echo one; sleep 30", timeout_sec=0.5)

    assert capture.next() == "one\n"
    with pytest.raises(TimeoutError):
        capture.next()


def test_a_capture_allowed_to_fail(either: Any) -> None:
    assert list(either.ssh_capture("echo one; exit 3", allow_fail=True)) == ["one\n"]


def test_the_failure_of_a_capture_comes_at_its_end(either: Any) -> None:
    capture = either.ssh_capture("echo one; exit 3")

    assert capture.next() == "one\n"
    with pytest.raises(RemoteCommandError) as caught:
        capture.next()
    assert caught.value.exit_status == 3


def test_output_is_bytes(either: Any) -> None:
    output = either.ssh_output("echo ' a b '")

    assert (output.decode(), output.strip(), output.split()) == (" a b \n", b"a b", [b"a", b"b"])


def test_the_status_of_a_command_that_may_fail(either: Any) -> None:
    assert 0 == either.ssh("true", allow_fail=True)  # noqa: SIM300 (as it is written in the wild)
    assert either.ssh("exit 4", allow_fail=True) == 4


def test_the_error_of_a_command_carries_what_it_said_as_bytes(either: Any) -> None:
    with pytest.raises(RemoteCommandError) as caught:
        either.ssh("echo problem >&2; exit 5")

    assert (caught.value.msg.decode(), caught.value.exit_status) == ("problem\n", 5)


def test_an_error_is_caught_as_a_runtime_error(either: Any) -> None:
    with pytest.raises(RuntimeError, match="returned non-zero exit status 1"):
        either.ssh("false")


# attributes that are assigned


def test_a_logger_is_assigned(account: Any) -> None:
    theirs = logging.getLogger("theirs")

    account.logger = theirs

    assert account.logger is theirs
    account.logger = None


def test_an_externally_routable_ip_is_assigned(account: Any) -> None:
    account.externally_routable_ip = "10.1.2.3"

    assert account.externally_routable_ip == "10.1.2.3"


# errors that suites raise themselves


@pytest.mark.parametrize("who", ["anything", None])
def test_an_error_raised_with_anything_for_an_account(who: Any) -> None:
    error = RemoteCommandError(who, "the command", 7, b"said")

    assert (error.msg, error.exit_status, error.cmd) == (b"said", 7, "the command")


def test_an_error_raised_with_an_account(account: Any) -> None:
    error = RemoteCommandError(account, "the command", 7, "said")

    assert str(error) == (
        f"{account}: Command 'the command' returned non-zero exit status 7. Remote error message: said"
    )


# watching logs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "server.log"
    path.write_text("started long ago\n")
    return path


def test_a_log_is_watched_from_where_it_ended(either: Any, log: Path) -> None:
    with either.monitor_log(str(log)) as monitor:
        with pytest.raises(DucktapeTimeoutError, match="no start"):
            monitor.wait_until("started", timeout_sec=0.5, err_msg="no start", backoff_sec=0.1)
        log.write_text(log.read_text() + "started again\n")
        monitor.wait_until("started", timeout_sec=20, err_msg="no start", backoff_sec=0.1)


def test_the_offset_is_assigned_before_waiting(either: Any, log: Path) -> None:
    with either.monitor_log(str(log)) as monitor:
        monitor.offset = 0
        monitor.wait_until("long ago", timeout_sec=20, err_msg="not there")

        assert monitor.offset == 0


def test_a_monitor_is_built_directly(either: Any, log: Path) -> None:
    monitor = LogMonitor(either, str(log), 8)

    monitor.wait_until("long ago", timeout_sec=20)
    with pytest.raises(DucktapeTimeoutError):
        monitor.wait_until("started", timeout_sec=0.3)


def test_a_log_that_does_not_exist_yet(either: Any, tmp_path: Path) -> None:
    path = tmp_path / "later.log"

    with either.monitor_log(str(path)) as monitor:
        threading.Timer(0.2, path.write_text, ("started\n",)).start()
        monitor.wait_until("started", timeout_sec=20, err_msg="not there")

        assert monitor.offset == 0


# building accounts by hand


def test_a_configuration_is_built_directly() -> None:
    config = RemoteAccountSSHConfig(host="h", hostname="10.0.0.1", user="u", password="p")

    assert (config.host, config.hostname, config.user, config.password, config.port) == ("h", "10.0.0.1", "u", "p", 22)


def test_a_windows_account_is_built_directly() -> None:
    config = RemoteAccountSSHConfig(host="windows1", hostname="10.0.0.1")

    account = WindowsRemoteAccount(ssh_config=config, externally_routable_ip="10.0.0.2")

    assert (account.os, account.externally_routable_ip, account.fetch_externally_routable_ip()) == (
        "windows",
        "10.0.0.2",
        "10.0.0.1",
    )


def test_the_limit_before_new_keys_that_some_suites_raise_is_left_alone(ssh_account: Any) -> None:
    import paramiko.packet

    before = paramiko.packet.Packetizer.REKEY_BYTES
    paramiko.packet.Packetizer.REKEY_BYTES = 2**32
    try:
        ssh_account.close()
        ssh_account.ssh("true")
        assert paramiko.packet.Packetizer.REKEY_BYTES == 2**32
    finally:
        paramiko.packet.Packetizer.REKEY_BYTES = before


# waiting


def test_waiting_with_everything_by_position() -> None:
    with pytest.raises(DucktapeTimeoutError, match="by position"):
        wait_until(lambda: False, 0.2, 0.05, "by position")


def test_waiting_with_everything_by_keyword() -> None:
    wait_until(condition=lambda: True, timeout_sec=1, backoff_sec=0.05, err_msg="never", retry_on_exc=False)


def test_a_message_that_is_called() -> None:
    calls: list[str] = []

    def message() -> str:
        calls.append("called")
        return f"made at the end, {len(calls)}"

    with pytest.raises(DucktapeTimeoutError, match="made at the end, 1"):
        wait_until(lambda: False, timeout_sec=0.1, backoff_sec=0.02, err_msg=message)


def test_a_message_that_is_called_is_not_called_after_success() -> None:
    def message() -> str:
        raise AssertionError("called without need")

    wait_until(lambda: True, timeout_sec=1, err_msg=message)


def test_exceptions_that_are_tried_again() -> None:
    left = [ValueError("first"), KeyError("second")]

    def condition() -> bool:
        if left:
            raise left.pop(0)
        return True

    wait_until(condition, timeout_sec=20, backoff_sec=0.01, retry_on_exc=True)

    assert left == []


def test_the_last_exception_is_the_cause() -> None:
    def condition() -> bool:
        raise ValueError("always")

    with pytest.raises(DucktapeTimeoutError) as caught:
        wait_until(condition, timeout_sec=0.1, backoff_sec=0.02, err_msg="gave up", retry_on_exc=True)
    assert (str(caught.value), repr(caught.value.__cause__)) == ("gave up", "ValueError('always')")


# a whole run


def test_a_whole_run_over_ssh(ssh_nodes: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "cluster.json", json.dumps({"_comment": "made for this test", **ssh_nodes}))
    write(
        tmp_path / "test_over_ssh.py",
        """
        import os

        from ducktape.mark.resource import cluster
        from ducktape.services.service import Service
        from ducktape.tests.test import Test


        class Writer(Service):
            logs = {"log": {"path": os.environ["BASE"] + "/written.log", "collect_default": True}}

            def start_node(self, node):
                node.account.ssh("echo $SSH_CONNECTION | wc -w > " + self.logs["log"]["path"])

            def clean_node(self, node):
                node.account.remove(self.logs["log"]["path"], allow_fail=True)


        class OverSSHTest(Test):
            @cluster(num_nodes=1)
            def test_over_ssh(self):
                Writer(self.test_context, 1).run = None
                for service in self.test_context.services:
                    service.start()
        """,
    )

    run(
        tmp_path,
        *("test_over_ssh.py", "--cluster", "ducktape.cluster.json.JsonCluster", "--cluster-file", "cluster.json"),
        extra={"BASE": str(tmp_path)},
    )

    assert ids(report(tmp_path)) == {"test_over_ssh.OverSSHTest.test_over_ssh": "PASS"}
    (log,) = (tmp_path / "results" / "latest").glob("OverSSHTest/test_over_ssh/1/Writer-*/worker1/written.log")
    assert (log.read_text().strip(), os.path.exists(tmp_path / "written.log")) == ("4", False)


def test_a_whole_run_without_ssh(tmp_path: Path) -> None:
    write(
        tmp_path / "test_local.py",
        """
        from ducktape.mark.resource import cluster
        from ducktape.tests.test import Test


        class LocalTest(Test):
            @cluster(num_nodes=2)
            def test_local(self):
                nodes = self.test_context.cluster.nodes
                return [node.account.ssh_output("echo $0 | wc -l").decode() for node in nodes]
        """,
    )

    run(tmp_path, "test_local.py", *LOCALHOST)

    assert [(r["test_status"], r["data"]) for r in report(tmp_path)["results"]] == [("PASS", ["1\n", "1\n"])]
