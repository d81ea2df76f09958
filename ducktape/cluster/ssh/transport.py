# SPDX-License-Identifier: Apache-2.0
"""Commands and files over SSH: one connection per account with many channels, and further ones when it is full."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from typing import TYPE_CHECKING, Any

from ducktape.cluster.account.detached import Leftovers, StreamHandle
from ducktape.cluster.ssh.channel import SshCommand, has_room, start_command
from ducktape.cluster.ssh.config import IgnoreMissingHostKeyPolicy, SshSettings, login_of
from ducktape.cluster.ssh.errors import connecting
from ducktape.cluster.ssh.sftp import ANSWER_SEC, SftpFiles
from ducktape.cluster.transport import Stdin, Transport, longest_silence
from ducktape.utils.support.text import class_and_text
from ducktape.utils.support.times import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["KEEPALIVE_SEC", "IgnoreMissingHostKeyPolicy", "SshSettings", "SshTransport"]

KEEPALIVE_SEC = 30
MAX_CHANNELS = 8
# The default of the SSH library
CHANNEL_TIMEOUT_SEC = 3600.0
_REFUSED_SEC = 10.0
# Time for short commands to end before another connection is made
_FULL_SEC = 1.0
_NEVER = Deadline(None)
# Answers of a server without free sessions: "connect failed" (OpenSSH), "resource shortage"
_NO_SESSION_LEFT = (2, 4)


def _say_nothing(message: str) -> None:
    """Discard a debug message."""


class SshTransport(Transport):
    """Runs commands and copies files over an SSH connection, which is opened on first use and when it was lost.

    If the server limits the sessions of a connection, further connections are opened: one for files, and one whenever
    long commands use all sessions.
    """

    def __init__(
        self,
        settings: SshSettings,
        *,
        client_source: Callable[[], Any] | None = None,
        sftp_source: Callable[[], Any] | None = None,
        log: Callable[[str], None] = _say_nothing,
        max_channels: int | None = None,
    ) -> None:
        self.settings = settings
        self._max_channels = max_channels
        self._client_source = client_source
        self._sftp_source = sftp_source
        self._say = log
        self._reset()

    def _reset(self) -> None:
        # Never held while waiting for a server
        self._lock = threading.RLock()
        self._slots = threading.Condition(self._lock)
        # Held while a connection or a session is made.
        self._making = threading.RLock()
        self._open_lock = threading.Lock()
        self.current_client: Any = None
        self.current_sftp: Any = None
        # A separate connection for files, once there was no session left for them
        self._files_client: Any = None
        self._opening = 0
        # Strong references: the garbage collector would close a channel on any thread, possibly on the library's own
        # while it holds the channel's lock, which deadlocks the connection
        self._channels: list[Any] = []
        self._retired: list[Any] = []
        self._leftovers = Leftovers()

    def __getstate__(self) -> dict[str, Any]:
        kept = ("settings", "_max_channels", "_client_source", "_sftp_source", "_say")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    @property
    def name(self) -> str:
        """Name of the machine."""
        return self.settings.host or self.settings.hostname

    @property
    def max_channels(self) -> int:
        """Maximum number of parallel commands."""
        return self._max_channels or getattr(self.settings, "max_sessions", None) or MAX_CHANNELS

    @property
    def client(self) -> Any:
        """A live paramiko client; connects if there is none."""
        return self._own_client(_NEVER)

    @property
    def sftp(self) -> Any:
        """A live SFTP client; opened on first use and when it was lost."""
        # A frozen server must not block forever
        deadline = Deadline(ANSWER_SEC)
        with self._alone(deadline):
            self._live_files_client(deadline)
            sftp = self.current_sftp
            if sftp is not None and not _is_dead(sftp):
                return sftp
            _close(sftp)
            self.current_sftp = None
            self.current_sftp = self._open_sftp(deadline)
            return self.current_sftp

    @property
    def files(self) -> SftpFiles:
        """The machine's files over SFTP."""
        return SftpFiles(self._live_sftp, name=self.name)

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> StreamHandle:
        """Start a command on a channel of its own; see :meth:`Transport.stream`.

        Waits for a free channel first. The timeout limits the whole start of the command. Without one, a connection may
        take as long as the settings and the SSH library allow, a free channel an hour, and each answer two minutes.
        """
        self._tidy()
        deadline = Deadline(timeout)
        channel = self._open_channel(deadline)
        try:
            channel.set_combine_stderr(merge_stderr)
            limit = ANSWER_SEC if timeout is None else min(timeout, ANSWER_SEC)
            start_command(channel, command, Deadline(deadline.left(ANSWER_SEC)), name=self.name, limit=limit)
            silence = longest_silence(timeout)
            started = SshCommand(channel, command, stdin=stdin, timeout=silence, release=self._release, name=self.name)
            return StreamHandle(started, self._leftovers)
        except EOFError as error:
            self._release(channel)
            raise self._lost(error) from error
        except BaseException:
            self._release(channel)
            raise

    def close(self) -> None:
        """Close the own connection with everything on it."""
        self._leftovers.close()
        with self._making:
            with self._slots:
                channels, self._channels = self._channels, []
            _close(*channels)
            self._forget(self.current_client)
            self._forget(self._files_client)
            with self._slots:
                retired, self._retired = self._retired, []
                self._slots.notify_all()
            _close(*retired)

    def _lost(self, error: Exception) -> Exception:
        import paramiko

        return paramiko.SSHException(f"the SSH connection to {self.name} was lost: {error}")

    def _live_client(self, deadline: Deadline) -> Any:
        return self._own_client(deadline) if self._client_source is None else self._client_source()

    def _live_files_client(self, deadline: Deadline) -> Any:
        client = self._files_client
        if client is not None and self._answers(client):
            return client
        self._forget(client)
        return self._live_client(deadline)

    def _live_sftp(self) -> Any:
        return self.sftp if self._sftp_source is None else self._sftp_source()

    @contextlib.contextmanager
    def _alone(self, deadline: Deadline) -> Iterator[None]:
        left = deadline.left()
        if not self._making.acquire(timeout=-1 if left is None else left):
            raise TimeoutError(f"{self.name}: another thread is connecting, for more than {deadline.seconds} seconds")
        try:
            yield
        finally:
            self._making.release()

    def _own_client(self, deadline: Deadline) -> Any:
        client = self.current_client
        if client is not None and self._answers(client):
            return client
        with self._alone(deadline):
            # Another thread may have connected meanwhile.
            client = self.current_client
            if client is not None and self._answers(client):
                return client
            made = self._connect(deadline)
            self._forget(client)
            self.current_client = made
            return made

    def _answers(self, client: Any) -> bool:
        transport = client.get_transport()
        if transport is None or not transport.is_active():
            return False
        # Writing to a full socket would block
        if not has_room(transport):
            return True
        try:
            transport.send_ignore()
        except Exception as error:  # whatever the library raises here means: not usable
            self._say(f"exception getting ssh_client (creating new client): {class_and_text(error)}")
            return False
        return True

    def _connect(self, deadline: Deadline) -> Any:
        self._say(f"ssh_config: {self.settings}")
        with connecting(self.name, login_of(self.settings)):
            from ducktape.cluster.ssh.connect import log_in
            from ducktape.cluster.ssh.host_keys import policy_for

            client = log_in(self.settings, policy_for(self.settings), deadline)
            try:
                transport = client.get_transport()
                assert transport is not None
                transport.set_keepalive(KEEPALIVE_SEC)
            except BaseException:
                client.close()
                raise
        # Errors of rejected keys are in reference cycles with the frames of all callers, and keep their variables alive
        gc.collect(1)
        return client

    def _open_sftp(self, deadline: Deadline) -> Any:
        import paramiko

        if self._client_source is not None:
            return self._client_source().open_sftp()

        try:
            return self._patiently(deadline, lambda: self._new_sftp(deadline))
        except (paramiko.SSHException, EOFError) as error:
            if deadline.is_over:
                self._retire(self._home_of_files)
            raise paramiko.SSHException(
                f"{self.name} offers no SFTP session: {_reason(error).removeprefix(f'{self.name}: ')}"
            ) from error
        except BaseException:
            self._retire(self._home_of_files)
            raise

    def _new_sftp(self, deadline: Deadline) -> Any:
        import paramiko

        from ducktape.cluster.ssh.sftp_session import start_session

        client = self._live_files_client(deadline)
        try:
            channel = self._open_session(client, deadline)
        except paramiko.ChannelException as error:
            # Another connection only helps if our own commands use the sessions
            if error.code not in _NO_SESSION_LEFT or not self._has_commands(client):
                raise
            self._say("no session is left for files: they get a connection of their own")
            if client is self._files_client:
                self._retire(client)
            self._files_client = self._connect(deadline)
            channel = self._open_session(self._files_client, deadline)
        return start_session(channel, deadline, name=self.name, user=self.settings.user)

    def _open_channel(self, deadline: Deadline) -> Any:
        self._take_slot(deadline)
        channel = None
        try:
            channel = self._patiently(deadline, lambda: self._new_channel(deadline))
            return channel
        finally:
            with self._slots:
                self._opening -= 1
                if channel is not None:
                    self._channels.append(channel)

    def _patiently(self, deadline: Deadline, opened: Callable[[], Any]) -> Any:
        """Open a channel, and retry while the server has no session left.

        Its sessions last a little longer than our channels, and as long as commands whose channels were closed.
        """
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
            if self.current_client is not full:
                full, full_since = self.current_client, time.monotonic()
            elif time.monotonic() - full_since > _FULL_SEC and self._has_commands(full):
                self._say("commands use all sessions of the connection: further ones get another connection")
                self._retire(full)
                continue
            with self._slots:
                self._slots.wait(pause)
            pause = min(0.5, pause * 2)

    def _patience(self, deadline: Deadline) -> float:
        """Return how long to retry: briefly if no command of ours is running, since others use the sessions then."""
        limit = CHANNEL_TIMEOUT_SEC if deadline.seconds is None else deadline.seconds
        return limit if self._busy() > self._opening else min(limit, _REFUSED_SEC)

    def _new_channel(self, deadline: Deadline) -> Any:
        import paramiko

        client = self._live_client(deadline)
        try:
            return self._open_session(client, deadline)
        except TimeoutError:
            raise
        except paramiko.ChannelException as error:
            if error.code not in _NO_SESSION_LEFT or not self._leave_to_files(client):
                raise
        except (EOFError, OSError, paramiko.SSHException) as error:
            transport = client.get_transport()
            if isinstance(error, paramiko.SSHException) and transport is not None and transport.is_active():
                raise
            self._say(f"the connection died unnoticed (creating new client): {error!r}")
            self._forget(client)
        # No command was sent yet, so it is safe to reconnect
        try:
            return self._open_session(self._live_client(deadline), deadline)
        except EOFError as error:
            raise self._lost(error) from error

    def _open_session(self, client: Any, deadline: Deadline) -> Any:
        """Open a channel; raises the builtin ``TimeoutError`` if the server does not answer in time."""
        import paramiko

        transport = client.get_transport()
        if transport is None:
            raise EOFError("the SSH connection is closed")
        limit = deadline.left()
        # One at a time: the library gives the error of a refusal to the first caller that asks
        if not self._open_lock.acquire(timeout=CHANNEL_TIMEOUT_SEC if limit is None else limit):
            raise TimeoutError(f"{self.name}: no channel within {deadline.seconds} seconds")
        answer = Deadline(deadline.left(ANSWER_SEC))
        try:
            return transport.open_session(timeout=max(answer.left() or 0, 0.001))
        except paramiko.ChannelException:
            raise  # an answer
        except paramiko.SSHException as error:
            if not answer.is_over:
                raise
            self._retire(client)
            seconds = ANSWER_SEC if deadline.seconds is None else deadline.seconds
            raise TimeoutError(f"{self.name}: no channel within {seconds} seconds: {error}") from error
        except (EOFError, OSError):
            raise
        except BaseException:
            self._retire(client)
            raise
        finally:
            self._open_lock.release()

    def _retire(self, client: Any) -> None:
        """Stop using a connection, but keep the commands on it.

        A session that the server grants after our timeout can never be closed, and would count until the connection is
        closed.
        """
        if self._client_source is not None:
            return
        with self._lock:
            sftp, client = self._detached(client)
            if client is not None:
                self._retired.append(client)
        _close(sftp)
        self._end_retired()

    def _forget(self, client: Any) -> None:
        """Close a connection unless another thread has done so."""
        _close(*self._detached(client))

    def _detached(self, client: Any) -> tuple[Any, Any]:
        """Detach a connection and its SFTP session; returns both."""
        with self._lock:
            if client is None or client not in (self.current_client, self._files_client):
                return None, None
            sftp = None
            if client is self._home_of_files:
                sftp, self.current_sftp = self.current_sftp, None
            if client is self.current_client:
                self.current_client = None
            if client is self._files_client:
                self._files_client = None
            return sftp, client

    @property
    def _home_of_files(self) -> Any:
        return self._files_client or self.current_client

    def _leave_to_files(self, client: Any) -> bool:
        """Leave a connection to files and make commands use another one; ``False`` if it has no files."""
        with self._lock:
            if self.current_client is not client:
                return self._client_source is None  # another thread was faster
            if self._files_client is not None or self.current_sftp is None or _is_dead(self.current_sftp):
                return False
            self._files_client, self.current_client = client, None
        self._say("files use a session that commands need: commands get a connection of their own")
        return True

    def _has_commands(self, client: Any) -> bool:
        with self._lock:
            used = [channel.get_transport() for channel in self._channels if not channel.closed]
        return self._client_source is None and client is not None and client.get_transport() in used

    def _end_retired(self) -> None:
        with self._lock:
            used = [channel.get_transport() for channel in self._channels if not channel.closed]
            idle = [client for client in self._retired if client.get_transport() not in used]
            self._retired = [client for client in self._retired if client not in idle]
        _close(*idle)

    def _tidy(self) -> None:
        self._leftovers.tidy()
        if self._retired:
            self._end_retired()

    def _take_slot(self, deadline: Deadline) -> None:
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

    def _busy(self) -> int:
        with self._lock:
            self._channels = [channel for channel in self._channels if not channel.closed]
            return len(self._channels) + self._opening

    def _release(self, channel: Any) -> None:
        # Outside of the lock: sending the message may wait for a key exchange
        _close(channel)
        with self._slots:
            self._channels = [other for other in self._channels if other is not channel]
            self._slots.notify()


def _close(*parts: Any) -> None:
    """Close clients, sessions and channels, except ``None``."""
    import paramiko

    for part in parts:
        # Closing sends a message, which fails if the connection was lost
        with contextlib.suppress(EOFError, OSError, paramiko.SSHException):
            if part is not None:
                part.close()


def _reason(error: Exception) -> str:
    """Return the text of an error, or the meaning of a refused session."""
    if getattr(error, "code", None) in _NO_SESSION_LEFT:
        return (
            f"{getattr(error, 'text', error)}. All sessions of the server are in use: see MaxSessions in sshd_config "
            "there, and maxsessions in the cluster file"
        )
    return str(error) or "the server closed the channel: see 'Subsystem sftp' in sshd_config there"


def _is_dead(sftp: Any) -> bool:
    channel = sftp.get_channel()
    return channel is None or bool(channel.closed)
