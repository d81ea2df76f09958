# SPDX-License-Identifier: Apache-2.0
"""Runs commands by an engine's request to run a program in a container, which tells less than a shell of SSH does.

Engines report the same number for a program that exited with 137 and for one that was killed. So a small script runs
the command. It writes two marks to the error output: the number of its process group at the beginning, and one at the
end if a signal ended the command: shells say so, and nothing else, in the place where the script looks.

Nor do engines tell a program that nobody reads its output any more. So a command is ended when its stream is closed
after it was read, but not if it was never read, as for servers whose output nobody wants.
"""

from __future__ import annotations

import contextlib
import select
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from ducktape.cluster.account.detached import Leftovers, StreamHandle
from ducktape.cluster.container.shell_files import ShellFiles
from ducktape.cluster.transport import BoundedBytes, CommandStream, Stdin, Transport, longest_silence, stdin_chunks
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.text import shorten

if TYPE_CHECKING:
    from ducktape.cluster.account.console import Console

STDOUT, STDERR = 1, 2

_SECONDS_TO_END = 10.0
_HAS_DATA = select.POLLIN | select.POLLHUP | select.POLLERR
_END_OF_GROUP_MARK = b"\0\n"
_SIGNAL_MARK = b"\0ducktape: ended by a signal\0\n"
# 1: the command, 2: where its error output goes. Shells are silent about the signals 2 and 13
_BEGINNING = r"""
cd "${HOME:-/}" 2>/dev/null || cd /
shell=/bin/bash
[ -x "$shell" ] || shell=/bin/sh
"""
_SCRIPT = rf"""{_BEGINNING}
printf '\0ducktape: %s\0\n' "$$" >&2
exec 3>&1 4>&2
{{
    ( exec 1>&3 2>&"$2" 3>&- 4>&- "$shell" -c "$1" )
    echo "status $?"
}} 2>&1 | {{
    exec 3>&-
    said=
    while IFS= read -r line; do
        case $line in
            "status "*) status=${{line#status }} ;;
            *) said=$line ;;
        esac
    done
    if [ -n "$said" ] || [ "$status" = 130 ] || [ "$status" = 141 ]; then
        [ "$status" -gt 128 ] && printf '\0ducktape: ended by a signal\0\n' >&4
    fi
    exit "$status"
}}
"""


class Exec(Protocol):
    """A program that an engine runs in a container, and one connection with all of its streams."""

    def fileno(self) -> int:
        """Return the descriptor of the connection, to wait for it."""

    def receive(self) -> list[tuple[int, bytes]] | None:
        """Return the pieces of output that have arrived, each with its stream; ``None`` at the end; never blocks."""

    def send(self, data: bytes) -> int:
        """Send input, and return how many bytes were taken, maybe 0; ``OSError`` if nobody takes it; never blocks."""

    def end_input(self) -> None:
        """Close the input."""

    def resize(self, columns: int, rows: int) -> None:
        """Set the size of its terminal."""

    def exit_status(self, timeout: float | None) -> int:
        """Return the status of the program, as a shell tells it; the builtin ``TimeoutError`` if it still runs."""

    def close(self) -> None:
        """Close the connection; the program goes on."""


class ExecTransport(Transport):
    """Runs commands in one container; an engine writes ``start``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._leftovers = Leftovers()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_leftovers": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._leftovers = Leftovers()

    @abstractmethod
    def start(self, arguments: list[str], timeout: float | None, *, terminal: str | None = None) -> Exec:
        """Run a program, with its input open; blocks at most for the seconds of the timeout.

        With the kind of a ``terminal`` it has one of its own, and one stream for all output.
        """

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        self._leftovers.tidy()
        timeout = longest_silence(timeout)
        arguments = ["/bin/sh", "-c", _SCRIPT, "sh", command, "3" if merge_stderr else "4"]
        program = self.start(arguments, timeout)
        started = _ExecCommand(program, command, self.name, stdin=stdin, timeout=timeout, end_group=self._end_group)
        return StreamHandle(started, self._leftovers)

    def attach(self, command: str | None, console: Console) -> int:
        """Connect a command, or a shell, with the streams of this process; the shell has a terminal if there is one."""
        end = 'exec "$shell"' if command is None else 'exec "$shell" -c "$1"'
        terminal = console.kind if console.is_terminal and command is None else None
        arguments = ["/bin/sh", "-c", _BEGINNING + end, "sh", command or ""]
        with contextlib.closing(_Attached(self.start(arguments, None, terminal=terminal))) as program:
            if terminal is not None:
                program.resize(*console.size)
            return console.connect(program)

    @property
    def files(self) -> ShellFiles:
        return ShellFiles(self, self.name)

    def close(self) -> None:
        self._leftovers.close()

    def _end_group(self, number: int) -> None:
        with tolerated():  # the container may be gone
            program = self.start(["/bin/sh", "-c", f"kill -TERM -{number} 2>/dev/null"], _SECONDS_TO_END)
            with contextlib.closing(program):
                program.exit_status(_SECONDS_TO_END)  # an engine may give up what nobody waits for


class _Attached:
    """A program that is connected with the streams of this process; a ``RemoteProgram``."""

    def __init__(self, program: Exec) -> None:
        self._program = program
        self._has_ended = False
        self.send = program.send
        self.end_input = program.end_input
        self.resize = program.resize
        self.close = program.close

    def waitables(self) -> list[int]:
        return [] if self._has_ended else [self._program.fileno()]

    def receive(self) -> Iterator[tuple[int, bytes]]:
        while not self._has_ended:
            pieces = self._program.receive()
            self._has_ended = pieces is None
            if not pieces:
                return
            yield from pieces

    def poll(self) -> int | None:
        return self._program.exit_status(None) if self._has_ended else None


class _ExecCommand:
    """One command; a ``CommandStream``."""

    def __init__(
        self,
        program: Exec,
        command: str,
        name: str,
        *,
        stdin: Stdin,
        timeout: float | None,
        end_group: Callable[[int], object],
    ) -> None:
        self._program: Exec | None = program
        self._command = command
        self._name = name
        self._timeout = timeout
        self._end_group = end_group
        self._group = 0  # unknown
        self._head: bytes | None = b""  # of the error output, before the number of the group is known
        self._was_read = False
        self._errors = BoundedBytes()
        self._pieces: list[bytes] = []
        self._input: Iterator[bytes] | None = None if stdin is None else stdin_chunks(stdin)
        self._piece = b""
        self._has_ended = False

    def gettimeout(self) -> float | None:
        return self._timeout

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def read(self) -> bytes:
        self._was_read = True
        deadline = self._deadline()
        while not self._pieces:
            if self._program is None or self._has_ended:
                return b""
            if self._exchange(self._program, deadline):
                deadline = self._deadline()  # a program that reads input is not silent
            elif not self._pieces and not self._has_ended and deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{self._name}: no output for {self._timeout} seconds: {shorten(self._command)}")
        found, self._pieces = b"".join(self._pieces), []
        return found

    def exit_status(self) -> int:
        program = self._program
        if program is None:
            raise ValueError(f"the command's stream is closed: {self._command}")
        deadline = self._deadline()
        status = program.exit_status(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return -1 if _SIGNAL_MARK in self._errors.value() else status

    def stderr(self) -> bytes:
        return self._errors.value().replace(_SIGNAL_MARK, b"")

    def close(self) -> None:
        program, self._program = self._program, None
        self._input = None
        self._pieces.clear()
        if program is None:
            return
        if self._was_read:
            self._wait_for_group(program)
        program.close()
        if self._was_read and not self._has_ended and self._group:
            self._end_group(self._group)

    def _wait_for_group(self, program: Exec) -> None:
        """Wait for the number of the process group, which may come after output: these are two streams."""
        deadline = time.monotonic() + _SECONDS_TO_END
        with tolerated():  # the connection may be lost
            while not self._group and not self._has_ended and time.monotonic() < deadline:
                self._exchange(program, deadline)
                self._pieces.clear()

    def _exchange(self, program: Exec, deadline: float | None) -> bool:
        """Wait until output has arrived or input is taken, up to a deadline; return whether input was taken."""
        poll = select.poll()
        poll.register(program.fileno(), select.POLLIN if self._input is None else select.POLLIN | select.POLLOUT)
        milliseconds = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        took_input = False
        for _, event in poll.poll(milliseconds):
            if event & _HAS_DATA:
                self._take(program)
            if event & select.POLLOUT and self._input is not None:
                took_input = self._feed(program)
        return took_input

    def _take(self, program: Exec) -> None:
        pieces = program.receive()
        if pieces is None:
            self._has_ended = True
            self._input = None
            return
        for stream, piece in pieces:
            if stream == STDERR:
                self._errors.feed(self._without_head(piece))
            elif piece:
                self._pieces.append(piece)

    def _without_head(self, piece: bytes) -> bytes:
        """Take the number of the process group from the beginning of the error output, and return the rest."""
        if self._head is None:
            return piece
        self._head += piece
        beginning, mark, rest = self._head.partition(_END_OF_GROUP_MARK)
        if not mark:
            return b""
        self._head = None
        self._group = int(beginning.rpartition(b" ")[2])
        return rest

    def _feed(self, program: Exec) -> bool:
        """Send a piece of the input, or end it; return whether any was taken."""
        assert self._input is not None
        self._piece = self._piece or next(self._input, b"")
        taken = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if self._piece:
                taken = program.send(self._piece)
                self._piece = self._piece[taken:]
                return taken > 0
            program.end_input()
        self._input = None
        return False

    def _deadline(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout
