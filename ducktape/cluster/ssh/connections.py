# SPDX-License-Identifier: Apache-2.0
"""The SSH connections of one account: one for everything, and further ones while that has no session left."""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import TYPE_CHECKING

from ducktape.cluster.ssh.channel import has_room
from ducktape.cluster.ssh.config import login_of, name_of
from ducktape.cluster.ssh.errors import connecting
from ducktape.cluster.ssh.sftp import ANSWER_SEC
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.text import class_and_text
from ducktape.utils.support.times import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import paramiko

    from ducktape.cluster.ssh.config import SshSettings

KEEPALIVE_SEC = 30
# The default of the SSH library
CHANNEL_TIMEOUT_SEC = 3600.0


class Connections:
    """Makes, replaces and closes connections; with a ``source``, uses its clients, and never closes them."""

    def __init__(
        self,
        settings: SshSettings,
        *,
        source: Callable[[], paramiko.SSHClient] | None,
        prepare: Callable[[], None] | None,
        log: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._source = source
        self._prepare = prepare
        self._say = log
        # Never held while waiting for a server
        self.lock = threading.RLock()
        # Held while a connection or a session is made
        self._making = threading.RLock()
        self._opening = threading.Lock()
        self.current: paramiko.SSHClient | None = None
        self.sftp: paramiko.SFTPClient | None = None
        # A separate connection for files, once there was no session left for them
        self._for_files: paramiko.SSHClient | None = None
        # Strong references: the garbage collector would close a channel on any thread, possibly on the library's own
        # while it holds the channel's lock, which deadlocks the connection
        self.channels: list[paramiko.Channel] = []
        self.retired: list[paramiko.SSHClient] = []

    @property
    def for_files(self) -> paramiko.SSHClient | None:
        """The connection of the SFTP session."""
        return self._for_files or self.current

    @contextlib.contextmanager
    def alone(self, deadline: Deadline) -> Iterator[None]:
        """Let no other thread connect within a block; raises the builtin ``TimeoutError`` while one does."""
        left = deadline.left()
        if not self._making.acquire(timeout=-1 if left is None else left):
            name = name_of(self._settings)
            raise TimeoutError(f"{name}: another thread is connecting, for more than {deadline.seconds} seconds")
        try:
            yield
        finally:
            self._making.release()

    def live(self, deadline: Deadline) -> paramiko.SSHClient:
        """Return a client that answers, from the source or by a connection."""
        return self.own(deadline) if self._source is None else self._source()

    def own(self, deadline: Deadline) -> paramiko.SSHClient:
        """Return the own client; connects if there is none that answers."""
        client = self.current
        if client is not None and self._answers(client):
            return client
        with self.alone(deadline):
            # Another thread may have connected meanwhile
            client = self.current
            if client is not None and self._answers(client):
                return client
            made = self._connect(deadline)
            self.forget(client)
            self.current = made
            return made

    def live_for_files(self, deadline: Deadline) -> paramiko.SSHClient:
        """Return a client that answers, for an SFTP session."""
        client = self._for_files
        if client is not None and self._answers(client):
            return client
        self.forget(client)
        return self.live(deadline)

    def _answers(self, client: paramiko.SSHClient) -> bool:
        transport = client.get_transport()
        if transport is None or not transport.is_active():
            return False
        # Writing to a full socket would block
        if not has_room(transport):
            return True

        def note(error: BaseException) -> None:
            self._say(f"exception getting ssh_client (creating new client): {class_and_text(error)}")

        with tolerated(note):  # whatever it raises, the client cannot be used; it may be one that a suite has set
            transport.send_ignore()
            return True
        return False

    def _connect(self, deadline: Deadline) -> paramiko.SSHClient:
        if self._prepare is not None:
            self._prepare()
        self._say(f"ssh_config: {self._settings}")
        with connecting(name_of(self._settings), login_of(self._settings)):
            from ducktape.cluster.ssh.connect import log_in
            from ducktape.cluster.ssh.host_keys import policy_for

            client = log_in(self._settings, policy_for(self._settings), deadline, keepalive_sec=KEEPALIVE_SEC)
        # Errors of rejected keys are in reference cycles with the frames of all callers, and keep their variables alive
        gc.collect(1)
        return client

    def separate_files(self, client: paramiko.SSHClient, deadline: Deadline) -> paramiko.SSHClient:
        """Connect for files alone, since there is no session left for them on a client."""
        self._say("no session is left for files: they get a connection of their own")
        if client is self._for_files:
            self.retire(client)
        self._for_files = self._connect(deadline)
        return self._for_files

    def leave_to_files(self, client: paramiko.SSHClient) -> bool:
        """Leave a connection to files and make commands use another one; ``False`` if it has no files."""
        with self.lock:
            if self.current is not client:
                return self._source is None  # another thread was faster
            if self._for_files is not None or self.sftp is None or is_dead(self.sftp):
                return False
            self._for_files, self.current = client, None
        self._say("files use a session that commands need: commands get a connection of their own")
        return True

    def open_session(self, client: paramiko.SSHClient, deadline: Deadline) -> paramiko.Channel:
        """Open a channel; raises the builtin ``TimeoutError`` if the server does not answer in time."""
        import paramiko

        transport = client.get_transport()
        if transport is None:
            raise EOFError("the SSH connection is closed")
        name, limit = name_of(self._settings), deadline.left()
        # One at a time: the library gives the error of a refusal to the first caller that asks
        if not self._opening.acquire(timeout=CHANNEL_TIMEOUT_SEC if limit is None else limit):
            raise TimeoutError(f"{name}: no channel within {deadline.seconds} seconds")
        answer = Deadline(deadline.left(ANSWER_SEC))
        # A session that the server grants after our timeout can never be closed, and counts until the connection is
        is_abandoned = True
        try:
            channel = transport.open_session(timeout=max(answer.left() or 0, 0.001))
            is_abandoned = False
            return channel
        except (EOFError, OSError, paramiko.ChannelException):
            is_abandoned = False
            raise
        except paramiko.SSHException as error:
            is_abandoned = answer.is_over
            if not is_abandoned:
                raise
            seconds = ANSWER_SEC if deadline.seconds is None else deadline.seconds
            raise TimeoutError(f"{name}: no channel within {seconds} seconds: {error}") from error
        finally:
            self._opening.release()
            if is_abandoned:
                self.retire(client)

    def have_commands(self, client: paramiko.SSHClient | None) -> bool:
        """Return whether commands run on an own client."""
        return self._source is None and client is not None and client.get_transport() in self._used()

    def _used(self) -> list[paramiko.Transport]:
        with self.lock:
            return [channel.get_transport() for channel in self.channels if not channel.closed]

    def retire(self, client: paramiko.SSHClient | None) -> None:
        """Stop using a connection, but keep the commands on it."""
        if self._source is not None:
            return
        with self.lock:
            sftp, client = self._detached(client)
            if client is not None:
                self.retired.append(client)
        close_all(sftp)
        self.end_retired()

    def end_retired(self) -> None:
        """Close the retired connections without commands."""
        with self.lock:
            used = self._used()
            idle = [client for client in self.retired if client.get_transport() not in used]
            self.retired = [client for client in self.retired if client not in idle]
        close_all(*idle)

    def forget(self, client: paramiko.SSHClient | None) -> None:
        """Close a connection unless another thread has done so."""
        close_all(*self._detached(client))

    def _detached(
        self, client: paramiko.SSHClient | None
    ) -> tuple[paramiko.SFTPClient | None, paramiko.SSHClient | None]:
        """Detach a connection and its SFTP session; returns both."""
        with self.lock:
            if client is None or client not in (self.current, self._for_files):
                return None, None
            sftp = None
            if client is self.for_files:
                sftp, self.sftp = self.sftp, None
            if client is self.current:
                self.current = None
            if client is self._for_files:
                self._for_files = None
            return sftp, client

    def close(self) -> None:
        """Close the own connections with everything on them."""
        with self._making:
            with self.lock:
                channels, self.channels = self.channels, []
            close_all(*channels)
            self.forget(self.current)
            self.forget(self._for_files)
            with self.lock:
                retired, self.retired = self.retired, []
            close_all(*retired)


def close_all(*parts: paramiko.Channel | paramiko.SFTPClient | paramiko.SSHClient | None) -> None:
    """Close clients, sessions and channels, except ``None``."""
    import paramiko

    for part in parts:
        # Closing sends a message, which fails if the connection was lost
        with contextlib.suppress(EOFError, OSError, paramiko.SSHException):
            if part is not None:
                part.close()


def is_dead(sftp: paramiko.SFTPClient) -> bool:
    channel = sftp.get_channel()
    return channel is None or channel.closed
