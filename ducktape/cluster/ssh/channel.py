# SPDX-License-Identifier: Apache-2.0
"""One command on an SSH channel."""

from __future__ import annotations

import select
import threading
import time
from typing import TYPE_CHECKING, Any

from ducktape.cluster.transport import BoundedBytes, Stdin, stdin_chunks
from ducktape.utils.support.text import shorten
from ducktape.utils.support.times import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import paramiko

_PIECE = 1024 * 1024
# Neither free room for input nor data on foreign channels are notified, so they are polled
_ASK_AGAIN_SEC = 0.005
_LOOK_AGAIN_SEC = 0.5


class _Answer(threading.Event):
    """The event that the library waits for after a request on a channel, with a deadline.

    The library would wait forever if the server is frozen, or if the channel was closed just before the request.
    """

    def __init__(self, channel: paramiko.Channel, deadline: Deadline, message: str) -> None:
        super().__init__()
        self._channel = channel
        self._deadline = deadline
        self._message = message

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the answer; the library gives no timeout here."""
        while not super().wait(self._deadline.left(_LOOK_AGAIN_SEC)):
            if self._channel.closed:
                raise EOFError("the channel was closed")
            if self._deadline.is_over:
                raise TimeoutError(self._message)
        return True


def bound_answers(channel: paramiko.Channel, deadline: Deadline, message: str) -> None:
    """Make requests on a channel raise the builtin ``TimeoutError`` with a message at the deadline."""
    if hasattr(channel, "event"):
        channel.event = _Answer(channel, deadline, message)


def start_command(channel: paramiko.Channel, command: str, deadline: Deadline, *, name: str, limit: float) -> None:
    """Request the server to run a command; raises the builtin ``TimeoutError``, whose text has the total ``limit``."""
    bound_answers(channel, deadline, f"{name}: not started after {limit:g} seconds: {shorten(command)}")
    # Paths may not be UTF-8
    channel.exec_command(command.encode("utf-8", "surrogateescape"))


class AttachedChannel:
    """A program on an SSH channel, for :class:`ducktape.cluster.account.console.Console`."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        channel.setblocking(False)

    def waitables(self) -> list[int]:
        # Always readable after the end of the output
        return [] if self._channel.eof_received else [self._channel.fileno()]

    def receive(self) -> Iterator[tuple[int, bytes]]:
        channel = self._channel
        while channel.recv_ready():
            yield 1, channel.recv(_PIECE)
        while channel.recv_stderr_ready():
            yield 2, channel.recv_stderr(_PIECE)

    def send(self, data: bytes) -> int:
        channel = self._channel
        if not channel.send_ready() or not has_room(channel.get_transport()):
            return 0
        try:
            return channel.send(data)
        except TimeoutError:
            return 0
        except OSError:  # the program has ended, or closed its input
            return len(data)

    def end_input(self) -> None:
        self._channel.shutdown_write()

    def resize(self, columns: int, rows: int) -> None:
        self._channel.resize_pty(columns, rows)

    def poll(self) -> int | None:
        """Return the exit status once all output has arrived; 255 for death by a signal or of the connection."""
        channel = self._channel
        if not (channel.closed or (channel.eof_received and channel.exit_status_ready())):
            return None
        status = channel.recv_exit_status() if channel.exit_status_ready() else -1
        return 255 if status < 0 else status


def has_room(transport: paramiko.Transport) -> bool:
    """Whether a message can be sent without blocking, which would block all other threads in a lock of the library."""
    sock: Any = getattr(transport, "sock", None)
    if hasattr(sock, "send_ready"):  # through a jump host
        return bool(sock.send_ready()) and has_room(sock.get_transport())
    if not hasattr(sock, "fileno"):
        return True
    try:
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return True  # closed: let the write fail


class _News(threading.Event):
    """Set when anything arrives on either stream; only the reader clears it, as both buffers share it."""

    def clear(self) -> None:
        """Do nothing: called by the buffers."""

    def forget(self) -> None:
        """Clear it: called by the reader before it checks the buffers."""
        super().clear()


class SshCommand:
    """A :class:`ducktape.cluster.transport.CommandStream` over a paramiko channel on which a command was started.

    Both streams are drained in the caller's thread; ``release`` closes the channel and frees its slot.
    """

    _channel: paramiko.Channel | None = None

    def __init__(
        self,
        channel: paramiko.Channel,
        command: str,
        *,
        stdin: Stdin,
        timeout: float | None,
        release: Callable[[paramiko.Channel], None],
        name: str,
    ) -> None:
        self._name = name
        self._command = command
        self._timeout = timeout
        self._release = release
        self._errors = BoundedBytes()
        self._piece = b""
        self._input: Iterator[bytes] | None = None if stdin is None else stdin_chunks(stdin)
        self._status: int | None = None
        self._news: _News | None = None
        if hasattr(channel, "in_buffer") and hasattr(channel, "in_stderr_buffer"):
            self._news = _News()
            channel.in_buffer.set_event(self._news)
            channel.in_stderr_buffer.set_event(self._news)
        self._feed(channel)
        self._channel = channel

    def gettimeout(self) -> float | None:
        return self._timeout

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def read(self) -> bytes:
        channel = self._channel
        if channel is None:
            return b""
        deadline = Deadline(self._timeout)
        while True:
            if self._news is not None:
                self._news.forget()
            # Checked before the buffers, so that data before the end is seen
            ended = channel.closed or getattr(channel, "eof_received", False)
            if self._feed(channel):
                deadline = Deadline(self._timeout)  # a process that reads input is not silent
            while channel.recv_stderr_ready():
                self._errors.feed(channel.recv_stderr(_PIECE))
            if channel.recv_ready():
                return channel.recv(_PIECE)
            if ended:
                self._fail_if_lost(channel)
                return b""
            self._wait(deadline, "no output for")

    def exit_status(self) -> int:
        if self._status is not None:
            return self._status
        channel = self._channel
        if channel is None:
            raise ValueError(f"the command's stream is closed: {self._command}")
        deadline = Deadline(self._timeout)
        while not channel.exit_status_ready():
            if self._feed(channel):
                deadline = Deadline(self._timeout)
            remaining = self._remaining(deadline, "not ended after")
            event = getattr(channel, "status_event", None)
            if self._input is not None or event is None:
                time.sleep(_ASK_AGAIN_SEC if remaining is None else min(remaining, _ASK_AGAIN_SEC))
            else:
                event.wait(remaining)
        status = channel.recv_exit_status()
        if status == -1:
            self._fail_if_lost(channel)
        self._status = status
        return status

    def stderr(self) -> bytes:
        return self._errors.value()

    def close(self) -> None:
        """Close the channel and free its slot."""
        channel, self._channel = self._channel, None
        self._input = None
        if channel is not None:
            self._release(channel)

    def _wait(self, deadline: Deadline, what: str) -> None:
        remaining = self._remaining(deadline, what)
        if self._input is not None or self._news is None:
            remaining = _ASK_AGAIN_SEC if remaining is None else min(remaining, _ASK_AGAIN_SEC)
        if self._news is None:
            time.sleep(remaining or 0)
        else:
            self._news.wait(remaining)

    def _remaining(self, deadline: Deadline, what: str) -> float | None:
        if deadline.is_over:
            raise TimeoutError(f"{self._name}: {what} {self._timeout} seconds: {shorten(self._command)}")
        return deadline.left()

    def _feed(self, channel: paramiko.Channel) -> bool:
        """Send as much input as possible without blocking; returns whether any was sent."""
        has_taken = False
        while self._input is not None and channel.send_ready() and has_room(channel.get_transport()):
            if not self._piece:
                self._piece = next(self._input, b"")
            if not self._piece:
                self._input = None
                channel.shutdown_write()
                return True
            try:
                sent = channel.send(self._piece)
            except OSError:
                # The command ended, or closed its input
                sent = 0
            if sent == 0:
                self._input = None
                return True
            self._piece = self._piece[sent:]
            has_taken = True
        return has_taken

    def _fail_if_lost(self, channel: paramiko.Channel) -> None:
        """Raise if the connection was lost; otherwise, a missing status means death by a signal."""
        import paramiko

        if channel.exit_status_ready() and channel.recv_exit_status() != -1:
            return
        transport = channel.get_transport()
        if transport is not None and transport.is_active():
            return
        raise paramiko.SSHException(
            f"{self._name}: the SSH connection was lost while this command ran: {self._command}"
        )
