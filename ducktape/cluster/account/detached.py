# SPDX-License-Identifier: Apache-2.0
"""Commands whose output nobody holds any longer.

Suites start servers by a capture that they never read. Such a command must be able to write its first lines, so its
output stays open and is thrown away as it comes. Output that was read in part and then dropped is closed: a command
that watches something for ever would otherwise never end.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ducktape.cluster.transport import CommandStream

T = TypeVar("T")

# A command that writes without pause must not hold up the next one.
_PIECES_AT_ONCE = 64


class Leftovers:
    """Takes care of dropped commands whenever its transport is used; belongs to one transport."""

    def __init__(self) -> None:
        # Threads come and go here without a lock: closing takes the transport's own.
        self._dropped: deque[tuple[CommandStream, bool]] = deque()
        self._unread: deque[CommandStream] = deque()

    def drop(self, command: CommandStream, *, was_read: bool) -> None:
        """Remember a command for the next use of the transport.

        The garbage collector calls this on any thread and inside any lock, where closing a channel can block for
        ever: nothing else is done here.
        """
        self._dropped.append((command, was_read))

    def tidy(self) -> None:
        """Close what was read, and throw away what came from the others meanwhile."""
        self._sort()
        for _ in range(len(self._unread)):
            command = _take(self._unread)
            if command is not None and not _has_ended(command):
                self._unread.append(command)

    def give_up_oldest(self) -> bool:
        """Close the unread command that was dropped first; ``False`` if there is none."""
        self._sort()
        command = _take(self._unread)
        if command is None:
            return False
        command.close()
        return True

    def close(self) -> None:
        """Close all of them."""
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
    """The first item; another thread may have taken the last one meanwhile."""
    try:
        return items.popleft()
    except IndexError:
        return None


def _has_ended(command: CommandStream) -> bool:
    with contextlib.suppress(TimeoutError):
        for _ in range(_PIECES_AT_ONCE):
            if not _read_or_end(command):
                command.close()
                return True
    return False


def _read_or_end(command: CommandStream) -> bytes:
    try:
        return command.read()
    except TimeoutError:
        raise
    except Exception:  # a lost connection ends it, too, and nobody waits for this output
        return b""


class StreamHandle:
    """What the caller holds of a running command; dropping it hands the command over.

    Args:
        command: the running command.
        leftovers: of the transport.
    """

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
        """The next piece of stdout; see :meth:`CommandStream.read`."""
        self._was_read = True
        return self._command.read()

    def gettimeout(self) -> float | None:
        """Seconds that one call may block."""
        return self._command.gettimeout()

    def settimeout(self, timeout: float | None) -> None:
        """Set the seconds that one call may block."""
        self._command.settimeout(timeout)

    def exit_status(self) -> int:
        """The status of the command; see :meth:`CommandStream.exit_status`."""
        return self._command.exit_status()

    def stderr(self) -> bytes:
        """What came on stderr, shortened in the middle when long."""
        return self._command.stderr()

    def close(self) -> None:
        """Release the command's output."""
        self._open = False
        self._command.close()
