# SPDX-License-Identifier: Apache-2.0
"""Commands and files over SSH: one connection per account with many channels, and further ones when it is full."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from ducktape.cluster.account.detached import Leftovers, StreamHandle
from ducktape.cluster.ssh.channel import AttachedChannel, SshCommand, bound_answers, start_command
from ducktape.cluster.ssh.config import IgnoreMissingHostKeyPolicy, SshSettings, name_of
from ducktape.cluster.ssh.connections import CHANNEL_TIMEOUT_SEC, KEEPALIVE_SEC, Connections, close_all, is_dead
from ducktape.cluster.ssh.sftp import ANSWER_SEC, SftpFiles
from ducktape.cluster.transport import Stdin, Transport, longest_silence
from ducktape.utils.support.times import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from ducktape.cluster.account.console import Console

__all__ = ["KEEPALIVE_SEC", "IgnoreMissingHostKeyPolicy", "SshSettings", "SshTransport"]

R = TypeVar("R")

MAX_CHANNELS = 8
_REFUSED_SEC = 10.0
# Time for short commands to end before another connection is made
_FULL_SEC = 1.0
_NEVER = Deadline(None)
# Answers of a server without free sessions: "connect failed" (OpenSSH), "resource shortage"
_NO_SESSION_LEFT = (2, 4)
_KEPT = ("settings", "_max_channels", "_client_source", "_sftp_source", "_prepare", "_say")


def _say_nothing(message: str) -> None:
    """Discard a debug message."""


class SshTransport(Transport):
    """Runs commands and copies files over an SSH connection, which is opened on first use and when it was lost.

    If the server limits the sessions of a connection, further connections are opened: one for files, and one whenever
    long commands use all sessions. Clients from the sources are used instead of own ones; ``prepare`` is called before
    each login.
    """

    def __init__(
        self,
        settings: SshSettings,
        *,
        client_source: Callable[[], paramiko.SSHClient] | None = None,
        sftp_source: Callable[[], paramiko.SFTPClient] | None = None,
        prepare: Callable[[], None] | None = None,
        log: Callable[[str], None] = _say_nothing,
        max_channels: int | None = None,
    ) -> None:
        self.settings = settings
        self._max_channels = max_channels
        self._client_source = client_source
        self._sftp_source = sftp_source
        self._prepare = prepare
        self._say = log
        self._reset()

    def _reset(self) -> None:
        self.connections = Connections(self.settings, source=self._client_source, prepare=self._prepare, log=self._say)
        self._slots = threading.Condition(self.connections.lock)
        self._opening = 0
        self._leftovers = Leftovers()

    def __getstate__(self) -> dict[str, object]:
        return {name: self.__dict__[name] for name in _KEPT}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._reset()

    @property
    def name(self) -> str:
        return name_of(self.settings)

    @property
    def max_channels(self) -> int:
        """Maximum number of parallel commands."""
        return self._max_channels or getattr(self.settings, "max_sessions", None) or MAX_CHANNELS

    @property
    def client(self) -> paramiko.SSHClient:
        """A live paramiko client; connects if there is none."""
        return self.connections.own(_NEVER)

    @property
    def sftp(self) -> paramiko.SFTPClient:
        """A live SFTP client; opened on first use and when it was lost."""
        # A frozen server must not block forever
        deadline = Deadline(ANSWER_SEC)
        connections = self.connections
        with connections.alone(deadline):
            connections.live_for_files(deadline)
            sftp = connections.sftp
            if sftp is not None and not is_dead(sftp):
                return sftp
            close_all(sftp)
            connections.sftp = None
            connections.sftp = sftp = self._open_sftp(deadline)
            return sftp

    @property
    def files(self) -> SftpFiles:
        return SftpFiles(self._sftp_source or (lambda: self.sftp), name=self.name)

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> StreamHandle:
        """Start a command on a channel of its own; see :meth:`Transport.stream`.

        Waits for a free channel first. The timeout limits the whole start of the command. Without one, a connection may
        take as long as the settings and the SSH library allow, a free channel an hour, and each answer two minutes.
        """
        self._leftovers.tidy()
        if self.connections.retired:
            self.connections.end_retired()
        deadline = Deadline(timeout)
        with contextlib.ExitStack() as undo:
            channel = self._open_channel(deadline)
            undo.callback(self._release, channel)
            try:
                channel.set_combine_stderr(merge_stderr)
                limit = ANSWER_SEC if timeout is None else min(timeout, ANSWER_SEC)
                start_command(channel, command, Deadline(deadline.left(ANSWER_SEC)), name=self.name, limit=limit)
                silence = longest_silence(timeout)
                started = SshCommand(
                    channel, command, stdin=stdin, timeout=silence, release=self._release, name=self.name
                )
            except EOFError as error:
                raise self._lost(error) from error
            undo.pop_all()
        return StreamHandle(started, self._leftovers)

    def attach(self, command: str | None, console: Console) -> int:
        """Connect a program with this process, by a channel of its own, with a pseudo terminal if one is here, too."""
        deadline = Deadline(ANSWER_SEC)
        channel = self._open_channel(deadline)
        try:
            if command is not None:
                start_command(channel, command, deadline, name=self.name, limit=ANSWER_SEC)
            else:
                bound_answers(channel, deadline, f"{self.name}: no shell after {ANSWER_SEC:g} seconds")
                if console.is_terminal:
                    channel.get_pty(console.kind, *console.size)
                channel.invoke_shell()
            return console.connect(AttachedChannel(channel))
        finally:
            self._release(channel)

    def close(self) -> None:
        """Close the own connection with everything on it."""
        self._leftovers.close()
        self.connections.close()
        with self._slots:
            self._slots.notify_all()

    def _lost(self, error: Exception) -> Exception:
        import paramiko

        return paramiko.SSHException(f"the SSH connection to {self.name} was lost: {error}")

    def _open_sftp(self, deadline: Deadline) -> paramiko.SFTPClient:
        import paramiko

        if self._client_source is not None:
            return self._client_source().open_sftp()
        with contextlib.ExitStack() as undo:
            undo.callback(lambda: self.connections.retire(self.connections.for_files))
            try:
                sftp = self._patiently(deadline, lambda: self._new_sftp(deadline))
            except (paramiko.SSHException, EOFError) as error:
                if not deadline.is_over:
                    undo.pop_all()
                raise paramiko.SSHException(
                    f"{self.name} offers no SFTP session: {_reason(error).removeprefix(f'{self.name}: ')}"
                ) from error
            undo.pop_all()
        return sftp

    def _new_sftp(self, deadline: Deadline) -> paramiko.SFTPClient:
        import paramiko

        from ducktape.cluster.ssh.sftp_session import start_session

        client = self.connections.live_for_files(deadline)
        try:
            channel = self.connections.open_session(client, deadline)
        except paramiko.ChannelException as error:
            # Another connection only helps if our own commands use the sessions
            if error.code not in _NO_SESSION_LEFT or not self.connections.have_commands(client):
                raise
            client = self.connections.separate_files(client, deadline)
            channel = self.connections.open_session(client, deadline)
        return start_session(channel, deadline, name=self.name, user=self.settings.user)

    def _open_channel(self, deadline: Deadline) -> paramiko.Channel:
        limit = Deadline(deadline.left(CHANNEL_TIMEOUT_SEC))
        with self._slots:
            while self._busy() >= self.max_channels:
                if self._leftovers.give_up_oldest():
                    continue
                if limit.is_over:
                    raise TimeoutError(f"all {self.max_channels} channels to {self.name} stayed in use")
                # Ends of commands and dropped outputs do not notify this condition
                self._slots.wait(0.02)
            self._opening += 1
        channel = None
        try:
            channel = self._patiently(deadline, lambda: self._new_channel(deadline))
            return channel
        finally:
            with self._slots:
                self._opening -= 1
                if channel is not None:
                    self.connections.channels.append(channel)

    def _patiently(self, deadline: Deadline, opened: Callable[[], R]) -> R:
        """Open a channel, and retry while the server has no session left."""
        # Its sessions last a little longer than our channels, and as long as commands whose channels were closed
        import paramiko

        begin = full_since = time.monotonic()
        full = None
        pause = 0.01
        while True:
            try:
                return opened()
            except paramiko.ChannelException as error:
                if error.code not in _NO_SESSION_LEFT:
                    raise
                reason = _reason(error)
                if deadline.is_over:
                    raise TimeoutError(
                        f"{self.name}: no channel within {deadline.seconds} seconds: {reason}"
                    ) from error
                if time.monotonic() - begin > self._patience(deadline):
                    raise paramiko.ChannelException(error.code, f"{self.name}: {reason}") from error
            self._leftovers.tidy()
            current = self.connections.current
            if current is not full:
                full, full_since = current, time.monotonic()
            elif time.monotonic() - full_since > _FULL_SEC and self.connections.have_commands(full):
                self._say("commands use all sessions of the connection: further ones get another connection")
                self.connections.retire(full)
                continue
            with self._slots:
                self._slots.wait(pause)
            pause = min(0.5, pause * 2)

    def _patience(self, deadline: Deadline) -> float:
        """Return how long to retry: briefly if no command of ours is running, since others use the sessions then."""
        limit = CHANNEL_TIMEOUT_SEC if deadline.seconds is None else deadline.seconds
        return limit if self._busy() > self._opening else min(limit, _REFUSED_SEC)

    def _new_channel(self, deadline: Deadline) -> paramiko.Channel:
        import paramiko

        client = self.connections.live(deadline)
        try:
            return self.connections.open_session(client, deadline)
        except TimeoutError:
            raise
        except paramiko.ChannelException as error:
            if error.code not in _NO_SESSION_LEFT or not self.connections.leave_to_files(client):
                raise
        except (EOFError, OSError, paramiko.SSHException) as error:
            transport = client.get_transport()
            if isinstance(error, paramiko.SSHException) and transport is not None and transport.is_active():
                raise
            self._say(f"the connection died unnoticed (creating new client): {error!r}")
            self.connections.forget(client)
        # No command was sent yet, so it is safe to reconnect
        try:
            return self.connections.open_session(self.connections.live(deadline), deadline)
        except EOFError as error:
            raise self._lost(error) from error

    def _busy(self) -> int:
        with self._slots:
            self.connections.channels = [channel for channel in self.connections.channels if not channel.closed]
            return len(self.connections.channels) + self._opening

    def _release(self, channel: paramiko.Channel) -> None:
        # Outside of the lock: sending the message may wait for a key exchange
        close_all(channel)
        with self._slots:
            self.connections.channels = [other for other in self.connections.channels if other is not channel]
            self._slots.notify()


def _reason(error: Exception) -> str:
    """Return the text of an error, or the meaning of a refused session."""
    if getattr(error, "code", None) in _NO_SESSION_LEFT:
        return (
            f"{getattr(error, 'text', error)}. All sessions of the server are in use: see MaxSessions in sshd_config "
            "there, and maxsessions in the cluster file"
        )
    return str(error) or "the server closed the channel: see 'Subsystem sftp' in sshd_config there"
