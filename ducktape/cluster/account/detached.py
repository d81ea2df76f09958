# SPDX-License-Identifier: Apache-2.0
"""Commands whose output was dropped.

Suites start servers with a capture that they never read. The output of such a command stays open and is discarded, so
that it can write. Output that was partly read and then dropped is closed, or commands such as ``tail -f`` would never
end.
"""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from ducktape.cluster.transport import CommandStream
from ducktape.utils.support.guard import tolerated

T = TypeVar("T")

# Limit for commands that write continuously
_PIECES_AT_ONCE = 64


class Leftovers:
    """The dropped commands of one transport, which serves them whenever it is used."""

    def __init__(self) -> None:
        # Used by several threads without a lock, since closing takes the lock of the transport
        self._dropped: deque[tuple[CommandStream, bool]] = deque()
        self._unread: deque[CommandStream] = deque()

    def drop(self, command: CommandStream, *, was_read: bool) -> None:
        """Keep a command for the next use of the transport.

        Called by the garbage collector in any thread and inside any lock, where closing a channel can block forever.
        """
        self._dropped.append((command, was_read))

    def tidy(self) -> None:
        """Close commands that were partly read, and discard the output of the others."""
        self._sort()
        for _ in range(len(self._unread)):
            command = _take(self._unread)
            if command is None:
                return
            if _has_ended(command):
                command.close()
            else:
                self._unread.append(command)

    def give_up_oldest(self) -> bool:
        """Close the unread command that was dropped first; returns ``False`` without one."""
        self._sort()
        command = _take(self._unread)
        if command is None:
            return False
        command.close()
        return True

    def close(self) -> None:
        while self.give_up_oldest():
            pass

    def _sort(self) -> None:
        while (dropped := _take(self._dropped)) is not None:
            command, was_read = dropped
            if was_read:
                command.close()
                continue
            command.settimeout(0)
            self._unread.append(command)


def _take(items: deque[T]) -> T | None:
    """Return the first item, if any is left by other threads."""
    try:
        return items.popleft()
    except IndexError:
        return None


def _has_ended(command: CommandStream) -> bool:
    """Discard what a command has printed, and return whether its output, or its connection, has ended."""
    with tolerated():  # the connection may be lost, and reading also feeds the user's input to the command
        try:
            return not all(command.read() for _ in range(_PIECES_AT_ONCE))
        except TimeoutError:
            return False
    return True


class StreamHandle:
    """The caller's handle of a running command, a ``CommandStream``; when dropped, it goes to the leftovers."""

    _open = False

    def __init__(self, command: CommandStream, leftovers: Leftovers) -> None:
        self._command = command
        self._leftovers = leftovers
        self._was_read = False
        self._open = True

    def __del__(self) -> None:
        if self._open:
            self._leftovers.drop(self._command, was_read=self._was_read)

    def read(self) -> bytes:
        self._was_read = True
        return self._command.read()

    def gettimeout(self) -> float | None:
        return self._command.gettimeout()

    def settimeout(self, timeout: float | None) -> None:
        self._command.settimeout(timeout)

    def exit_status(self) -> int:
        return self._command.exit_status()

    def stderr(self) -> bytes:
        return self._command.stderr()

    def close(self) -> None:
        self._open = False
        self._command.close()
