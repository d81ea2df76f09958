# SPDX-License-Identifier: Apache-2.0
"""Accounts on machines.

What runs the commands and moves the bytes is the account's transport: SSH, unless another is set.
"""

from __future__ import annotations

import contextlib
import logging
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ducktape.cluster.account.errors import RemoteAccountError, RemoteCommandError
from ducktape.cluster.account.files import FileVerbs
from ducktape.cluster.account.in_flight import in_flight
from ducktape.cluster.account.log_monitor import LogMonitor
from ducktape.cluster.account.output import OutputFile, SSHOutputIter
from ducktape.cluster.account.processes import ProcessVerbs
from ducktape.cluster.account.started import RemoteProcess, start
from ducktape.cluster.ssh.config import RemoteAccountSSHConfig
from ducktape.cluster.ssh.errors import check_ssh, run_ssh_checks
from ducktape.cluster.ssh.transport import KEEPALIVE_SEC, IgnoreMissingHostKeyPolicy, SshTransport
from ducktape.cluster.transport import Stdin, Transport, framework_commands, unwrap
from ducktape.utils.http_utils import HttpMixin
from ducktape.utils.support.addresses import in_url, resolved
from ducktape.utils.support.guard import tolerated
from ducktape.utils.util import wait_until

if TYPE_CHECKING:
    import paramiko

__all__ = [
    "SSH_KEEPALIVE_INTERVAL_SEC",
    "IgnoreMissingHostKeyPolicy",
    "LogMonitor",
    "RemoteAccount",
    "RemoteAccountError",
    "RemoteAccountSSHConfig",
    "RemoteCommandError",
    "RemoteProcess",
    "SSHOutputIter",
    "check_ssh",
]

SSH_KEEPALIVE_INTERVAL_SEC = KEEPALIVE_SEC
T = TypeVar("T")


class RemoteAccount(FileVerbs, ProcessVerbs, HttpMixin):
    """A login on a machine: runs commands, moves files, waits for logs and services.

    Nothing is connected before the first operation. Any number of threads may use one account. Two accounts are equal
    when they are configured alike.

    Args:
        ssh_config: where and as whom to log in.
        externally_routable_ip: an address by which others reach the machine; by default the one that the host name
            of the login stands for on the driver, which is looked up when it is first asked for.
        node_type: label of the kind of machine.
        logger: of the test that uses the account; without one, the logger of this module is used.
        ssh_exception_checks: called with the exception and the account on failures of SSH.

    Attributes:
        os: the operating system; subclasses set it.
    """

    # For modules that must not import accounts
    _is_remote_account = True

    os: str | None = None
    fault_log: object = None  # of the test that uses the account

    def __init__(
        self,
        ssh_config: RemoteAccountSSHConfig,
        externally_routable_ip: str | None = None,
        node_type: str | None = None,
        logger: logging.Logger | None = None,
        ssh_exception_checks: list[Callable[..., object]] | None = None,
    ) -> None:
        # Releases without node types had the logger as third argument
        if isinstance(node_type, (logging.Logger, logging.LoggerAdapter)):
            node_type, logger = None, node_type  # type: ignore[unreachable]
        self.ssh_config = ssh_config
        self.externally_routable_ip = externally_routable_ip
        self.node_type = node_type
        self.hostname: str = ssh_config.host or ssh_config.hostname
        self.user: str | None = ssh_config.user
        self.ssh_hostname: str = ssh_config.hostname
        self._logger = logger
        self._custom_ssh_exception_checks: list[Callable[..., object]] = list(ssh_exception_checks or ())
        self._assigned_transport: Transport | None = None
        self._own_transport = self._make_own_transport()

    def _make_own_transport(self) -> SshTransport:
        # Subclasses may provide their own clients
        return SshTransport(
            self.ssh_config,
            client_source=partial(getattr, self, "ssh_client") if self._has_own("ssh_client") else None,
            sftp_source=partial(getattr, self, "sftp_client") if self._has_own("sftp_client") else None,
            log=partial(self._log, logging.DEBUG),
        )

    def _has_own(self, name: str) -> bool:
        """Return whether a subclass, or this instance, overrides a member."""
        return name in self.__dict__ or getattr(type(self), name) is not getattr(RemoteAccount, name)

    def __getstate__(self) -> dict[str, object]:
        # Copies are unconnected
        return {name: value for name, value in self.__dict__.items() if name != "_own_transport"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._own_transport = self._make_own_transport()

    def __str__(self) -> str:
        return f"{self.user}@{self.hostname}" if self.user else self.hostname

    def __repr__(self) -> str:
        hidden = ("_own_transport", "_assigned_transport", "_logger", "_looked_up", "fault_log")
        shown = {name: value for name, value in self.__dict__.items() if name not in hidden}
        return f"{type(self).__name__}({shown})"

    def _configuration(self) -> tuple[object, ...]:
        return self.ssh_config, self.assigned_address, self.node_type, self.os, self._custom_ssh_exception_checks

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, RemoteAccount) or type(self) is not type(other):
            return NotImplemented
        return self._configuration() == other._configuration()

    def __hash__(self) -> int:
        # Without the address, which is assigned later
        return hash((type(self), self.hostname, self.ssh_hostname))

    @property
    def externally_routable_ip(self) -> str | None:
        """The address under which other machines reach this one: as assigned, or resolved from the host name."""
        if self.assigned_address:
            return self.assigned_address
        name, address = getattr(self, "_looked_up", ("", ""))
        if name != self.ssh_hostname or address == name:
            address = resolved(self.ssh_hostname)
            self._looked_up = (self.ssh_hostname, address)
        return address

    @externally_routable_ip.setter
    def externally_routable_ip(self, address: str | None) -> None:
        # In __dict__, for copies and representations
        self.__dict__["externally_routable_ip"] = address

    @property
    def assigned_address(self) -> str | None:
        """The externally routable address as assigned, without resolving one."""
        address: str | None = self.__dict__.get("externally_routable_ip")
        return address

    @property
    def operating_system(self) -> str | None:
        """The operating system, ``"linux"`` or ``"windows"``."""
        return self.os

    @property
    def logger(self) -> logging.Logger:
        """The logger of the test that uses the account, or that of this module."""
        return self._logger if self._logger is not None else logging.getLogger(__name__)

    @logger.setter
    def logger(self, logger: logging.Logger | None) -> None:
        self._logger = logger

    def _log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        prefix = f"{self}: "
        self.logger.log(level, (prefix.replace("%", "%%") if args else prefix) + str(msg), *args, **kwargs)

    @property
    def transport(self) -> Transport:
        """The transport; may be set, for example to a wrapper around the current one."""
        return self._assigned_transport or self._own_transport

    @transport.setter
    def transport(self, transport: Transport) -> None:
        self._assigned_transport = None if transport is self._own_transport else transport

    @property
    def is_local(self) -> bool:
        """Whether commands run on this machine."""
        return self.transport.is_local

    def _connection(self) -> SshTransport:
        inner = unwrap(self.transport)
        if not isinstance(inner, SshTransport):
            raise RemoteAccountError(self, f"has no SSH connection, because it works through a {type(inner).__name__}")
        return inner

    @property
    @check_ssh
    def ssh_client(self) -> paramiko.SSHClient:
        """A live ``paramiko.SSHClient``; connects if there is none.

        Raises:
            RemoteAccountError: the account does not use SSH.
        """
        return self._connection().client

    @property
    @check_ssh
    def sftp_client(self) -> paramiko.SFTPClient:
        """A live ``paramiko.SFTPClient``; connects if there is none. Local accounts offer its common methods, too.

        Raises:
            RemoteAccountError: the account uses neither SSH nor this machine.
        """
        if self.is_local:
            return cast("paramiko.SFTPClient", self.transport.files)
        return self._connection().sftp

    @property
    def _ssh_client(self) -> Any:
        return self._own_transport.connections.current

    @_ssh_client.setter
    def _ssh_client(self, client: Any) -> None:
        self._own_transport.connections.current = client

    @property
    def _sftp_client(self) -> Any:
        return self._own_transport.connections.sftp

    @_sftp_client.setter
    def _sftp_client(self, client: Any) -> None:
        self._own_transport.connections.sftp = client

    def available(self) -> bool:
        """Return whether a test may use the machine; overrides must be quick and must not raise."""
        return True

    def close(self) -> None:
        """Close connections; a later operation connects again."""
        self._own_transport.close()
        if self._assigned_transport is not None:
            self._assigned_transport.close()

    @check_ssh
    def ssh(self, cmd: str, allow_fail: bool = False, timeout_sec: float | None = None, *, stdin: Stdin = None) -> int:
        """Run a command and wait for its end; its output is discarded.

        Args:
            cmd: text for the login shell, passed on unchanged.
            allow_fail: return a status other than 0 instead of raising.
            timeout_sec: longest silence in seconds; ``None`` is without limit.
            stdin: text, bytes or a file, sent and closed; without it the command's input stays open and silent.

        Returns:
            The exit status; -1 when a signal ended the command.

        Raises:
            RemoteCommandError: the status is not 0.
            TimeoutError: (builtin) the command stayed silent for too long.
        """
        self._log(logging.DEBUG, f"Running ssh command: {cmd}")
        with in_flight(self, cmd):
            done = self.transport.run(cmd, stdin=stdin, timeout=timeout_sec, keep_stdout=False)
        self._judge(cmd, done.exit_status, done.stderr, allow_fail=allow_fail)
        return done.exit_status

    @check_ssh
    def ssh_output(
        self,
        cmd: str,
        allow_fail: bool = False,
        combine_stderr: bool = True,
        timeout_sec: float | None = None,
        *,
        stdin: Stdin = None,
    ) -> bytes:
        """Run a command, wait for its end and return its output.

        Args:
            cmd: text for the login shell, passed on unchanged.
            allow_fail: return also when the status is not 0.
            combine_stderr: let the output contain the error output.
            timeout_sec: longest silence in seconds; ``None`` is without limit.
            stdin: text, bytes or a file, sent and closed; without it the command's input stays open and silent.

        Raises:
            RemoteCommandError: the status is not 0.
            TimeoutError: (builtin) the command stayed silent for too long.
        """
        self._log(logging.DEBUG, f"Running ssh command: {cmd}")
        with in_flight(self, cmd):
            done = self.transport.run(cmd, stdin=stdin, merge_stderr=combine_stderr, timeout=timeout_sec)
        self._judge(cmd, done.exit_status, done.stderr, allow_fail=allow_fail)
        self._log(logging.DEBUG, "Returning ssh command output:\n%r", done.stdout)
        return done.stdout

    @overload
    def ssh_capture(
        self,
        cmd: str,
        allow_fail: bool = False,
        callback: None = None,
        combine_stderr: bool = True,
        timeout_sec: float | None = None,
        *,
        stdin: Stdin = None,
    ) -> SSHOutputIter[str]: ...
    @overload
    def ssh_capture(
        self,
        cmd: str,
        allow_fail: bool = False,
        *,
        callback: Callable[[str], T],
        combine_stderr: bool = True,
        timeout_sec: float | None = None,
        stdin: Stdin = None,
    ) -> SSHOutputIter[T]: ...
    @overload
    def ssh_capture(
        self,
        cmd: str,
        allow_fail: bool,
        callback: Callable[[str], T],
        combine_stderr: bool = True,
        timeout_sec: float | None = None,
        *,
        stdin: Stdin = None,
    ) -> SSHOutputIter[T]: ...
    @check_ssh
    def ssh_capture(
        self,
        cmd: str,
        allow_fail: bool = False,
        callback: Callable[[str], object] | None = None,
        combine_stderr: bool = True,
        timeout_sec: float | None = None,
        *,
        stdin: Stdin = None,
    ) -> SSHOutputIter[Any]:
        """Start a command and return an iterator over its lines.

        The command runs whether or not its lines are read. Its status is checked once all lines were read.

        Args:
            cmd: text for the login shell, passed on unchanged.
            allow_fail: end the iteration quietly when the status is not 0.
            callback: applied to each line, newline included; its results are iterated instead.
            combine_stderr: let the lines contain the error output.
            timeout_sec: longest wait for a line in seconds; ``None`` is without limit.
            stdin: text, bytes or a file, sent and closed; without it the command's input stays open and silent.

        Returns:
            Lines of text with their newlines. Taking one may raise ``RemoteCommandError`` at the end, or the builtin
            ``TimeoutError``.
        """
        self._log(logging.DEBUG, f"Running ssh command: {cmd}")
        stream = self.transport.stream(cmd, stdin=stdin, merge_stderr=combine_stderr, timeout=timeout_sec)
        output = OutputFile(
            stream,
            callback=callback,
            finish=partial(self._judge, cmd, allow_fail=allow_fail),
            examine=partial(run_ssh_checks, self),
        )
        return SSHOutputIter(output.lines, output)

    def start(
        self,
        command: str | Sequence[str],
        *,
        log: str,
        directory: str | None = None,
        environment: Mapping[str, object] | None = None,
        user: str | None = None,
        state: str | None = None,
    ) -> RemoteProcess:
        """Start a long-lived process in a session of its own; it outlives the connection.

        Blocks until the process exists, which says nothing about whether its program works.

        Args:
            command: the program and its arguments as a list, or the text of a simple command for the shell, without
                ``;``, ``&&`` and the like.
            log: absolute path of the file to which its output is appended.
            directory: its working directory, which is created if necessary; by default that of the log.
            environment: additional environment variables.
            user: run it as this user, which needs root or ``sudo`` without a password.
            state: directory with the records about the process, by default that of the log with the suffix
                ``.process``.

        Returns:
            The process. ``RemoteProcess(account, state)`` finds it again later, also from another test process.

        Raises:
            RemoteAccountError: the process of that ``state`` is still running.
            RemoteCommandError: it cannot be started.
        """
        return start(
            self,
            command,
            log=log,
            state=state or f"{log}.process",
            directory=directory or posixpath.dirname(log),
            user=user,
            environment=environment or {},
        )

    def _judge(self, cmd: str, status: int, errors: bytes, *, allow_fail: bool) -> None:
        if status == 0:
            return
        if not allow_fail:
            raise RemoteCommandError(self, cmd, status, errors)
        self._log(logging.DEBUG, f"Running ssh command '{cmd}' exited with status {status} and message: {errors!r}")

    @contextlib.contextmanager
    def monitor_log(self, log: str) -> Iterator[LogMonitor]:
        """Return a monitor that ignores the current content of a log, which may be missing or be rotated.

        Args:
            log: expanded by the shell.
        """
        try:
            with framework_commands():
                offset = int(self.ssh_output(f"wc -c {log}").split()[0])
        except (RemoteCommandError, ValueError, IndexError):
            offset = 0
        monitor = LogMonitor(self, log, offset)
        monitor.remember_file()
        yield monitor

    def wait_for_http_service(
        self, port: int | str, headers: Mapping[str, str] | None, timeout: float = 20, path: str = "/"
    ) -> None:
        """Block until a service on the machine answers a GET request.

        Args:
            port: at the externally routable address.
            headers: of the request.
            timeout: seconds.
            path: of the URL.

        Raises:
            TimeoutError: the framework's.
        """
        url = f"http://{in_url(str(self.externally_routable_ip))}:{port}{path}"
        wait_until(
            lambda: self._can_ping_url(url, headers),
            timeout_sec=timeout,
            backoff_sec=0.25,
            err_msg=f"Timed out trying to contact service on {url}. Either the service failed to start, "
            "or there is a problem with the url.",
        )

    def _can_ping_url(self, url: str, headers: Mapping[str, str] | None) -> bool:
        with tolerated(), self.http_request(url, "GET", "", headers, timeout=0.75):
            return True
        return False
