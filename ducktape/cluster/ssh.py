# SPDX-License-Identifier: Apache-2.0
"""Commands and files over SSH: one connection per account, many channels on it."""

from __future__ import annotations

import gc
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from ducktape.cluster.leftovers import Leftovers, StreamHandle
from ducktape.cluster.sftp import SftpFiles
from ducktape.cluster.ssh_command import SshCommand
from ducktape.cluster.ssh_failures import connecting
from ducktape.cluster.transport import Stdin, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

KEEPALIVE_SEC = 30
MAX_CHANNELS = 8
# As long as the SSH library waits for a channel when nobody says otherwise.
CHANNEL_TIMEOUT_SEC = 3600.0
_JOIN_SEC = 10.0
_REFUSED_SEC = 10.0
# What a server answers that is short of sessions: "connect failed" (OpenSSH), "resource shortage".
_NO_SESSION_LEFT = (2, 4)


class SshSettings(Protocol):
    """Where and as whom to log in; :class:`RemoteAccountSSHConfig` is one."""

    host: str | None
    hostname: str
    user: str | None
    port: int
    password: str | None
    identityfile: str | None
    connecttimeout: float | None


class IgnoreMissingHostKeyPolicy:
    """Accepts every host key silently: test machines come and go under the same names."""

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        """Accept the key."""


def _say_nothing(message: str) -> None:
    """The log of a transport that nobody listens to."""


class SshTransport(Transport):
    """Runs commands and moves files over one SSH connection, opened at first use and whenever it is found dead.

    Args:
        settings: where to log in
        client_source: gives a live client of somebody else instead of an own connection
        sftp_source: gives a live SFTP client of somebody else
        log: takes debug messages
        max_channels: commands at once; further ones wait for a free channel
    """

    def __init__(
        self,
        settings: SshSettings,
        *,
        client_source: Callable[[], Any] | None = None,
        sftp_source: Callable[[], Any] | None = None,
        log: Callable[[str], None] = _say_nothing,
        max_channels: int = MAX_CHANNELS,
    ) -> None:
        self.settings = settings
        self.max_channels = max_channels
        self._client_source = client_source
        self._sftp_source = sftp_source
        self._say = log
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._slots = threading.Condition(self._lock)
        self._open_lock = threading.Lock()
        self.current_client: Any = None
        self.current_sftp: Any = None
        self._opening = 0
        # Held strongly on purpose: a channel that the garbage collector finds is closed on whatever thread that runs,
        # possibly the library's own while it holds the channel's lock, which freezes the whole connection.
        self._channels: list[Any] = []
        self._leftovers = Leftovers()

    def __getstate__(self) -> dict[str, Any]:
        kept = ("settings", "max_channels", "_client_source", "_sftp_source", "_say")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    @property
    def client(self) -> Any:
        """A live paramiko client of the own connection; connects when there is none."""
        with self._lock:
            client = self.current_client
            if client is not None and self._answers(client):
                return client
            return self._connect()

    @property
    def sftp(self) -> Any:
        """A live SFTP client of the own connection; opened once, and anew when found dead."""
        with self._lock:
            client = self._live_client()
            sftp = self.current_sftp
            if sftp is not None and not _is_dead(sftp):
                return sftp
            if sftp is not None:
                sftp.close()
            self.current_sftp = None
            self.current_sftp = self._open_sftp(client)
            return self.current_sftp

    @property
    def files(self) -> SftpFiles:
        """The machine's files over SFTP."""
        return SftpFiles(self._live_sftp)

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> StreamHandle:
        """Start a command on a channel of its own; see :meth:`Transport.stream`.

        Waits for a free channel first, at most the timeout (an hour when there is none).
        """
        self._leftovers.tidy()
        channel = self._open_channel(timeout)
        try:
            channel.set_combine_stderr(merge_stderr)
            channel.exec_command(command)
            started = SshCommand(channel, command, stdin=stdin, timeout=timeout, release=self._release)
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
        with self._lock:
            for channel in self._channels:
                channel.close()
            self._channels = []
            self._drop_client()
            self._slots.notify_all()

    def _lost(self, error: Exception) -> Exception:
        import paramiko

        return paramiko.SSHException(f"the SSH connection to {self.settings.hostname} was lost: {error}")

    def _live_client(self) -> Any:
        return self.client if self._client_source is None else self._client_source()

    def _live_sftp(self) -> Any:
        return self.sftp if self._sftp_source is None else self._sftp_source()

    def _answers(self, client: Any) -> bool:
        transport = client.get_transport()
        if transport is None or not transport.is_active():
            return False
        try:
            transport.send_ignore()
        except Exception as error:  # whatever the library raises here means: not usable
            self._say(f"exception getting ssh_client (creating new client): {error}")
            return False
        return True

    def _connect(self) -> Any:
        import paramiko

        self._say(f"ssh_config: {self.settings}")
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(IgnoreMissingHostKeyPolicy())  # type: ignore[arg-type]  # duck-typed
        settings = self.settings
        try:
            with connecting():
                client.connect(
                    hostname=settings.hostname,
                    port=settings.port,
                    username=settings.user,
                    password=settings.password,
                    key_filename=settings.identityfile,
                    look_for_keys=False,
                    timeout=settings.connecttimeout,
                    transport_factory=_prompt_transport,
                )
                transport = client.get_transport()
                assert transport is not None
                transport.set_keepalive(KEEPALIVE_SEC)
        except BaseException:
            client.close()
            raise
        self._drop_client()
        self.current_client = client
        # The library leaves errors of keys that did not fit in a cycle with its frames, and so with the frames and
        # variables of all its callers: what they drop, such as an output, would stay alive for an arbitrary time.
        gc.collect(1)
        return client

    def _drop_client(self) -> None:
        sftp, self.current_sftp = self.current_sftp, None
        client, self.current_client = self.current_client, None
        if sftp is not None:
            sftp.close()
        if client is None:
            return
        transport = client.get_transport()
        client.close()
        if isinstance(transport, threading.Thread) and transport is not threading.current_thread():
            # Its thread is gone before the account counts as closed; the time is a bound, not an expectation.
            transport.join(_JOIN_SEC)

    def _open_sftp(self, client: Any) -> Any:
        import paramiko

        if self._client_source is not None:
            return client.open_sftp()
        from ducktape.cluster.sftp_session import open_session

        try:
            return open_session(client.get_transport())
        except (paramiko.SSHException, EOFError) as error:
            raise paramiko.SSHException(f"{self.settings.hostname} offers no SFTP session: {error}") from error

    def _open_channel(self, timeout: float | None) -> Any:
        client = self._live_client()
        begin = time.monotonic()
        self._take_slot(begin + (CHANNEL_TIMEOUT_SEC if timeout is None else timeout))
        channel = None
        try:
            channel = self._patiently(client, timeout, begin)
            return channel
        finally:
            with self._slots:
                self._opening -= 1
                if channel is not None:
                    self._channels.append(channel)

    def _patiently(self, client: Any, timeout: float | None, begin: float) -> Any:
        """A new channel, also when the server has no session left for the moment.

        Its sessions last a little longer than our channels, and as long as commands whose channels were closed.
        """
        import paramiko

        pause = 0.01
        while True:
            try:
                return self._new_channel(client, timeout)
            except paramiko.ChannelException as error:
                patience = self._patience(timeout)
                if error.code not in _NO_SESSION_LEFT or time.monotonic() - begin > patience:
                    raise
            self._leftovers.give_up_oldest()
            with self._slots:
                self._slots.wait(pause)
            pause = min(0.5, pause * 2)

    def _patience(self, timeout: float | None) -> float:
        """Seconds to bear refusals. With no command of ours under way, it is not us who use the sessions up."""
        limit = CHANNEL_TIMEOUT_SEC if timeout is None else timeout
        return limit if self._busy() > self._opening else min(limit, _REFUSED_SEC)

    def _new_channel(self, client: Any, timeout: float | None) -> Any:
        import paramiko

        try:
            return self._open_session(client, timeout)
        except TimeoutError:
            raise
        except (EOFError, OSError) as error:
            self._say(f"the connection died unnoticed (creating new client): {error!r}")
        except paramiko.SSHException:
            transport = client.get_transport()
            if transport is not None and transport.is_active():
                raise
        # No command was sent yet, so another connection changes nothing.
        self._forget(client)
        try:
            return self._open_session(self._live_client(), timeout)
        except EOFError as error:
            raise self._lost(error) from error

    def _open_session(self, client: Any, timeout: float | None) -> Any:
        """A new channel; the builtin ``TimeoutError`` if the server does not answer in time."""
        import paramiko

        transport = client.get_transport()
        if transport is None:
            raise EOFError("the SSH connection is closed")
        begin = time.monotonic()
        # One at a time: when the server refuses one, the library gives the error to whoever asks first.
        if not self._open_lock.acquire(timeout=CHANNEL_TIMEOUT_SEC if timeout is None else timeout):
            raise TimeoutError(f"no channel to {self.settings.hostname} within {timeout} seconds")
        try:
            if timeout is None:
                return transport.open_session()
            return transport.open_session(timeout=max(timeout, 0.001))
        except paramiko.SSHException as error:
            if timeout is None or time.monotonic() - begin < timeout:
                raise
            raise TimeoutError(f"no channel within {timeout} seconds: {error}") from error
        finally:
            self._open_lock.release()

    def _forget(self, client: Any) -> None:
        """Drop a broken connection, unless another thread replaced it already."""
        with self._lock:
            if self.current_client is client:
                self._drop_client()

    def _take_slot(self, deadline: float) -> None:
        with self._slots:
            while self._busy() >= self.max_channels:
                if self._leftovers.give_up_oldest():
                    continue
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"all {self.max_channels} channels to {self.settings.hostname} stayed in use")
                # Ends of commands and dropped outputs arrive without a notice to this condition.
                self._slots.wait(0.02)
            self._opening += 1

    def _busy(self) -> int:
        with self._lock:
            self._channels = [channel for channel in self._channels if not channel.closed]
            return len(self._channels) + self._opening

    def _release(self, channel: Any) -> None:
        with self._slots:
            channel.close()
            self._channels = [other for other in self._channels if other is not channel]
            self._slots.notify()


def _is_dead(sftp: Any) -> bool:
    channel = sftp.get_channel()
    return channel is None or bool(channel.closed)


def _prompt_transport(sock: Any, **kwargs: Any) -> paramiko.Transport:
    """A transport on a socket that sends small packets at once: waiting for acknowledgements costs 40 ms a command."""
    import paramiko

    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return paramiko.Transport(sock, **kwargs)
