# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import io
import logging
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.remoteaccount import (
    SSH_KEEPALIVE_INTERVAL_SEC,
    LogMonitor,
    RemoteAccount,
    RemoteAccountError,
    RemoteAccountSSHConfig,
    RemoteCommandError,
    check_ssh,
)
from ducktape.cluster.ssh.errors import is_ssh_failure
from ducktape.cluster.transport import CommandStream, Stdin, TransportWrapper, is_framework_command

NAME = "ducktape.cluster.remoteaccount"


def _config(**kwargs: Any) -> RemoteAccountSSHConfig:
    return RemoteAccountSSHConfig(**{"host": "worker", "hostname": "10.0.0.1", "user": "me", **kwargs})


def _local(kind: type[LinuxRemoteAccount] = LinuxRemoteAccount, **kwargs: Any) -> LinuxRemoteAccount:
    account = kind(_config(), **kwargs)
    account.transport = LocalTransport()
    return account


def test_the_constructor_is_what_suites_call_by_position() -> None:
    parameters = list(inspect.signature(RemoteAccount.__init__).parameters)[1:]
    assert parameters == ["ssh_config", "externally_routable_ip", "node_type", "logger", "ssh_exception_checks"]
    assert inspect.signature(RemoteAccount.__init__).parameters["ssh_exception_checks"].default is None


def test_identity() -> None:
    account = LinuxRemoteAccount(_config(), "1.2.3.4", "large")
    described = (account.hostname, account.ssh_hostname, account.user, account.externally_routable_ip)
    assert described == ("worker", "10.0.0.1", "me", "1.2.3.4")
    assert (account.node_type, account.os, account.operating_system) == ("large", "linux", "linux")
    assert (str(account), account.available(), account._is_remote_account) == ("me@worker", True, True)
    assert RemoteAccount(_config()).os is None
    assert SSH_KEEPALIVE_INTERVAL_SEC == 30


def test_a_missing_host_falls_back_to_the_address() -> None:
    account = RemoteAccount(RemoteAccountSSHConfig(hostname="10.0.0.1"))
    assert (account.hostname, str(account)) == ("10.0.0.1", "10.0.0.1")


def test_a_logger_in_the_place_it_had_before_there_were_types() -> None:
    logger = logging.getLogger("old")
    account = RemoteAccount(_config(), None, logger)  # type: ignore[arg-type]
    assert (account.node_type, account._logger) == (None, logger)


def test_the_logger_is_the_modules_unless_one_is_set(caplog: pytest.LogCaptureFixture) -> None:
    account = RemoteAccount(_config(host="100%s"))
    assert (account._logger, account.logger.name) == (None, NAME)
    with caplog.at_level(logging.DEBUG, logger=NAME):
        account._log(logging.INFO, "50%% of %d", 7)
        account._log(logging.INFO, "50% of %d")
    assert [record.getMessage() for record in caplog.records] == ["me@100%s: 50% of 7", "me@100%s: 50% of %d"]
    account.logger = own = logging.getLogger("own")
    assert account.logger is own
    account.logger = None
    assert account.logger.name == NAME


def test_accounts_are_equal_when_configured_alike() -> None:
    account, twin = LinuxRemoteAccount(_config()), LinuxRemoteAccount(_config(), ssh_exception_checks=[])
    assert (account == twin, hash(account) == hash(twin)) == (True, True)
    for other in (LinuxRemoteAccount(_config(port=1)), LinuxRemoteAccount(_config(), "ip"), RemoteAccount(_config())):
        assert account != other
    assert (account == None, account == 7) == (False, False)  # noqa: E711
    twin.externally_routable_ip = "later"
    assert hash(account) == hash(twin)
    assert {account: 1}[LinuxRemoteAccount(_config(), ssh_exception_checks=None)] == 1


def test_no_password_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    account = LinuxRemoteAccount(_config(hostname="127.0.0.1", port=1, password="s3cret"))
    with caplog.at_level(logging.DEBUG), pytest.raises(OSError, match="connect") as caught:
        account.ssh("true")
    error = RemoteCommandError(account, "x", 1, b"")
    shown = f"{account!r} {caplog.text} {caught.value!r} {caught.value} {error!r} {error} {error.args}"
    assert "ssh_config: {" in caplog.text
    assert "s3cret" not in shown


def test_accounts_travel() -> None:
    account = LinuxRemoteAccount(_config(), "ip", ssh_exception_checks=[print])
    copy = pickle.loads(pickle.dumps(account))
    assert (copy, copy._custom_ssh_exception_checks, copy._ssh_client) == (account, [print], None)
    assert not copy.is_local
    assert pickle.loads(pickle.dumps(_local())).ssh_output("echo a") == b"a\n"


def test_log_lines_of_commands(caplog: pytest.LogCaptureFixture) -> None:
    account = _local()
    with caplog.at_level(logging.DEBUG, logger=NAME):
        account.ssh_output("echo 100%d; echo e >&2; exit 3", allow_fail=True, combine_stderr=False)
    assert [record.getMessage() for record in caplog.records] == [
        "me@worker: Running ssh command: echo 100%d; echo e >&2; exit 3",
        "me@worker: Running ssh command 'echo 100%d; echo e >&2; exit 3' exited with status 3 and message: b'e\\n'",
        "me@worker: Returning ssh command output:\nb'100%d\\n'",
    ]


def test_a_local_account_has_no_ssh_client() -> None:
    account = _local()
    with pytest.raises(RemoteAccountError, match=r"me@worker: has no SSH connection, .* LocalTransport") as caught:
        account.ssh_client
    assert "\n" not in str(caught.value)


class Recording(TransportWrapper):
    def __init__(self) -> None:
        super().__init__(LocalTransport())
        self.commands: list[tuple[str, bool]] = []

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        self.commands.append((command, is_framework_command()))
        return super().stream(command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)


def test_the_transport_can_be_wrapped_and_restored(tmp_path: Path) -> None:
    account = _local()
    before = account.transport
    account.transport = wrapper = Recording()
    account.ssh("true")
    account.mkdirs(f"{tmp_path}/a")
    account.remove(f"{tmp_path}/a")
    account.alive(1)
    account.signal(1, 0)
    account.kill_process("no-such-process-anywhere")
    with account.monitor_log(f"{tmp_path}/log"):
        pass
    assert [mark for _, mark in wrapper.commands] == [False, True, True, True, True, True, True]
    assert [command.split()[0] for command, _ in wrapper.commands] == [
        "true",
        "mkdir",
        "rm",
        "kill",
        "kill",
        "ps",
        "wc",
    ]
    account.transport = before
    assert account.is_local
    over_ssh = RemoteAccount(_config())
    over_ssh.transport = TransportWrapper(own := over_ssh.transport)
    assert over_ssh._connection() is own
    over_ssh.transport = own
    assert over_ssh.transport is own


def test_replaced_commands_are_used_by_every_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    account = RemoteAccount(_config())
    said: list[str] = []

    def ssh(cmd: str, allow_fail: bool = False) -> int:
        said.append(cmd)
        return 0

    def ssh_capture(cmd: str, allow_fail: bool = False, combine_stderr: bool = True) -> Any:
        said.append(cmd)
        return iter(["12\n", "jcmd: not found 13\n", " 14 \n"])

    def ssh_output(cmd: str, allow_fail: bool = False, combine_stderr: bool = True) -> bytes:
        said.append(cmd)
        return b"7 log\n"

    for function in (ssh, ssh_capture, ssh_output):
        monkeypatch.setattr(account, function.__name__, function)
    account.mkdirs("a b", 0o700)
    account.remove("x*")
    account.remove("x*", allow_fail=True)
    assert account.alive(5)
    account.signal(5, "term")
    assert account.java_pids("Kafka") == [12, 14]
    account.kill_process("'a b'", clean_shutdown=False)
    account.kill_java_processes("Kafka")
    with account.monitor_log("log") as monitor:
        monitor.wait_until("it's", timeout_sec=1)
    assert said.pop(-2).endswith(" sh 7 '' '' log")  # which file it is
    assert said == [
        "mkdir -p a b && chmod 700 a b",
        "rm -r x*",
        "rm -rf x*",
        "kill -0 5",
        "kill -15 5",
        "jcmd | awk '/Kafka/ { print $1 }' && sh -c 'command -v jcmd' >/dev/null",
        "ps ax | grep -i 'a b' | grep -v 'grep -[iv]' | awk '{print $1}' && sh -c 'command -v ps' >/dev/null",
        "kill -9 12",
        "kill -9 14",
        "jcmd | awk '/Kafka/ { print $1 }' && sh -c 'command -v jcmd' >/dev/null",
        "kill -15 12",
        "kill -15 14",
        "wc -c log",
        "tail -c +8 log | grep 'it'\\''s'",
    ]


def test_a_signal_without_such_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'NOPE' is not the name of a signal"):
        RemoteAccount(_config()).signal(1, "NOPE")


class Tree(LinuxRemoteAccount):
    """A machine whose files are a dict, reached by commands that only it understands."""

    files = {"/r/a": b"A", "/r/d/b": b"B" * 10}
    written: dict[str, io.BytesIO]

    def isfile(self, path: str) -> bool:
        return path in self.files

    def isdir(self, path: str) -> bool:
        return any(name.startswith(f"{path.rstrip('/')}/") for name in self.files)

    def open(self, path: str, mode: str = "r") -> Any:
        if "r" in mode:
            return io.BytesIO(self.files[path])

        class Kept(io.BytesIO):
            def close(kept) -> None:  # noqa: N805
                self.written[path] = io.BytesIO(kept.getvalue())

        return Kept()

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        self.written[path] = io.BytesIO()

    def ssh_output(self, cmd: str, *args: Any, **kwargs: Any) -> bytes:
        directory = cmd.split()[1]
        below = {name[len(directory) :].split("/")[0] for name in self.files if name.startswith(directory)}
        return b"".join(f"{directory}{name}\0".encode() for name in sorted(below))


def test_copying_stands_on_replaced_file_verbs(tmp_path: Path) -> None:
    account = Tree(_config())
    account.written = {}
    account.copy_from("/r", str(tmp_path / "r"))
    assert (tmp_path / "r" / "a").read_bytes() == b"A"
    assert (tmp_path / "r" / "d" / "b").read_bytes() == b"B" * 10
    account.copy_to(str(tmp_path / "r"), "/new")
    assert {path: file.getvalue() for path, file in account.written.items()} == {
        "/new": b"",
        "/new/a": b"A",
        "/new/d": b"",
        "/new/d/b": b"B" * 10,
    }


def test_deprecated_names_warn_and_work(tmp_path: Path) -> None:
    account = _local()
    (tmp_path / "a").write_text("x")
    with pytest.warns(DeprecationWarning, match="use copy_from"):
        account.scp_from(f"{tmp_path}/a", f"{tmp_path}/b", recursive=True)
    with pytest.warns(DeprecationWarning, match="use copy_to"):
        account.scp_to(f"{tmp_path}/b", f"{tmp_path}/c")
    assert (tmp_path / "c").read_text() == "x"


def test_base_names_move_to_another_directory() -> None:
    account = RemoteAccount(_config())
    assert account._re_anchor_basename("/a/b/", "/c") == "/c/b"
    assert account._re_anchor_basename("b", "/c/") == "/c/b"


def test_a_monitor_may_be_built_directly(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("0123 found")
    LogMonitor(_local(), f"{tmp_path}/l*g", 3).wait_until("^3 found", timeout_sec=5)


class Checked(RemoteAccount):
    @check_ssh
    def fail(self, error: Exception) -> None:
        """Fail."""
        raise error

    @check_ssh
    def outer(self, error: Exception) -> None:
        self.fail(error)


@pytest.mark.parametrize(
    ("error", "runs"),
    [
        (ConnectionResetError(), 1),
        (TimeoutError(), 1),
        (OSError(113, "No route to host"), 1),
        (FileNotFoundError(2, "absent"), 0),
        (OSError("Failure"), 0),
        (RemoteCommandError("a", "b", 1, b""), 0),
        (ValueError(), 0),
    ],
)
def test_checks_run_once_and_only_for_failures_of_ssh(error: Exception, runs: int) -> None:
    calls: list[tuple[Exception, RemoteAccount]] = []
    account = Checked(_config(), ssh_exception_checks=[lambda error, account: calls.append((error, account))])
    with pytest.raises(type(error)):
        account.outer(error)
    assert calls == [(error, account)] * runs
    assert is_ssh_failure(error) is (runs == 1)


def test_what_a_check_raises_replaces_the_error() -> None:
    calls: list[str] = []

    def first(error: Exception, account: RemoteAccount) -> None:
        calls.append("first")

    def second(error: Exception, account: RemoteAccount) -> None:
        calls.append("second")
        raise ConnectionAbortedError("the real reason")

    account = Checked(_config(), ssh_exception_checks=[first, second, first])
    with pytest.raises(ConnectionAbortedError, match="the real reason"):
        account.outer(ConnectionResetError())
    assert calls == ["first", "second"]
    assert (account.fail.__name__, account.fail.__doc__) == ("fail", "Fail.")


def test_a_check_may_end_the_test_that_waits_for_the_end_of_a_process() -> None:
    def check(error: Exception, account: Any) -> None:
        sys.exit("the machine is gone for good")

    account = LinuxRemoteAccount(_config(hostname="127.0.0.1", port=1), ssh_exception_checks=[check])
    with pytest.raises(SystemExit, match="for good"):
        account.alive(1)


def test_a_check_may_use_the_account() -> None:
    calls: list[Exception] = []

    def check(error: Exception, account: Any) -> None:
        calls.append(error)
        account.fail(ConnectionRefusedError())

    account = Checked(_config(), ssh_exception_checks=[check])
    with pytest.raises(ConnectionRefusedError):
        account.fail(ConnectionResetError())
    assert len(calls) == 1


def test_an_unreachable_host_is_no_absent_file(tmp_path: Path) -> None:
    calls: list[Exception] = []
    config = _config(hostname="127.0.0.1", port=1)
    account = LinuxRemoteAccount(config, ssh_exception_checks=[lambda error, _: calls.append(error)])
    for verb in (account.exists, account.isfile, account.isdir, account.islink):
        with pytest.raises(OSError, match="connect"):
            verb("/etc")
    with pytest.raises(OSError, match="connect"):
        account.copy_from("/etc/hosts", str(tmp_path))
    with pytest.raises(OSError, match="connect"), account.monitor_log("/x"):
        pass
    assert len(calls) == 6
    assert account.alive(1) is False


def test_a_client_that_fails_in_any_way_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def get_transport(self) -> Any:
            return self

        def is_active(self) -> bool:
            return True

        def send_ignore(self) -> None:
            raise AttributeError("it is gone")

        def close(self) -> None:
            pass

    account = LinuxRemoteAccount(_config(hostname="127.0.0.1", port=1))
    broken: Any = Broken()
    account._ssh_client = broken
    with caplog.at_level(logging.DEBUG, NAME), pytest.raises(OSError, match="connect"):
        account.ssh_client
    assert "exception getting ssh_client (creating new client): AttributeError: it is gone" in caplog.text


def test_a_missing_key_file_is_no_absent_file(tmp_path: Path) -> None:
    account = LinuxRemoteAccount(_config(hostname="127.0.0.1", port=1, identityfile=f"{tmp_path}/absent"))
    with pytest.raises(OSError):
        account.exists("/etc")


def test_importing_accounts_loads_no_heavy_library() -> None:
    program = (
        "import sys, ducktape.cluster.localhost, ducktape.cluster.json, ducktape.cluster.vagrant\n"
        "print([name for name in ('paramiko', 'boto3', 'winrm', 'cryptography', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_nothing_warns(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        account = _local()
        account.ssh("true")
        account.create_file(f"{tmp_path}/x", "y")
        account.copy_from(f"{tmp_path}/x", f"{tmp_path}/z")
        account.close()
