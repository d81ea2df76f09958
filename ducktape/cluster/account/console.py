# SPDX-License-Identifier: Apache-2.0
"""Connects a program on a node with the terminal, or with the streams, of this process."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import Protocol

_PIECE = 64 * 1024
# Neither free room for input nor the end of a program without output is announced
_ASK_AGAIN_MS = 10
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class RemoteProgram(Protocol):
    """A program on a node, on a pseudo terminal there or on pipes."""

    def waitables(self) -> Sequence[int]:
        """Return the descriptors that become readable with output and at the end; none if it has to be polled."""

    def receive(self) -> Iterator[tuple[int, bytes]]:
        """Yield the output that is there, each piece with 1 or 2 for its stream."""

    def send(self, data: bytes) -> int:
        """Send input without blocking; returns how many bytes were taken."""

    def end_input(self) -> None:
        """Close the input of the program."""

    def resize(self, columns: int, rows: int) -> None:
        """Set the size of its terminal."""

    def poll(self) -> int | None:
        """Return the exit status; ``None`` while it runs."""


class Console:
    """The streams of this process that a program on a node is connected with; without input from a terminal.

    Attributes:
        input: descriptor of the program's input.
        output: descriptor for its output.
        errors: descriptor for its error output.
        is_terminal: whether a person sits at a terminal here, which a shell on the node is to have, too.
    """

    def __init__(self, *, wants_terminal: bool) -> None:
        self.input, self.output, self.errors = 0, 1, 2
        self.is_terminal = wants_terminal and os.isatty(0) and os.isatty(1)
        if not self.is_terminal and (not _is_open(0) or os.isatty(0)):
            self.input = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def kind(self) -> str:
        """The kind of the terminal, for programs that draw."""
        return os.environ.get("TERM") or "xterm"

    @property
    def size(self) -> tuple[int, int]:
        """The columns and rows of the terminal."""
        with contextlib.suppress(OSError):
            columns, rows = os.get_terminal_size(self.output)
            if columns and rows:
                return columns, rows
        return 80, 24

    def connect(self, program: RemoteProgram, *, passes_input: bool = True) -> int:
        """Pass everything on in both directions until the program has ended; returns its exit status.

        Raises:
            KeyboardInterrupt: a signal ended this; its argument is the exit code to end with.
        """
        with _woken_by_resizing() as wake, self._raw():
            pending, may_read = b"", passes_input
            while True:
                poll = select.poll()
                sources = program.waitables()
                for descriptor in (wake.fileno(), *sources):
                    poll.register(descriptor, select.POLLIN)
                if may_read and not pending:
                    poll.register(self.input, select.POLLIN)
                wait_ms = _ASK_AGAIN_MS if pending or not sources else None
                ready = {descriptor for descriptor, _ in poll.poll(wait_ms)}
                if wake.fileno() in ready:
                    wake.recv(4096)
                    program.resize(*self.size)
                if self.input in ready:
                    pending = os.read(self.input, _PIECE)
                    if not pending:
                        may_read = False
                        program.end_input()
                if pending:
                    pending = pending[program.send(pending) :]
                status = program.poll()  # before the last output is fetched
                for stream, data in program.receive():
                    write_all(self.output if stream == 1 else self.errors, data)
                if status is not None:
                    return status

    @contextlib.contextmanager
    def _raw(self) -> Iterator[None]:
        """Let a terminal pass every key on; its settings come back, also when a signal ends this process."""
        if not self.is_terminal:
            yield
            return
        settings = termios.tcgetattr(self.input)
        former = {sig: signal.signal(sig, _interrupt) for sig in _ENDING}
        try:
            tty.setraw(self.input, termios.TCSADRAIN)  # what was typed meanwhile counts
            yield
        finally:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self.input, termios.TCSADRAIN, settings)
            for sig, handler in former.items():
                signal.signal(sig, handler)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt(128 + number)


@contextlib.contextmanager
def _woken_by_resizing() -> Iterator[socket.socket]:
    """Yield a socket that becomes readable when the window of the terminal has another size."""
    wake, wake_end = socket.socketpair()
    with wake, wake_end:
        wake_end.setblocking(False)

        def note(*_: object) -> None:
            with contextlib.suppress(BlockingIOError):
                wake_end.send(b"\0")

        former = signal.signal(signal.SIGWINCH, note)
        try:
            yield wake
        finally:
            signal.signal(signal.SIGWINCH, former)


def write_all(descriptor: int, data: bytes) -> None:
    """Write bytes to a descriptor, which may be non-blocking; raises ``BrokenPipeError`` if nobody reads them."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError as error:
            if error.errno != errno.EIO:  # of a terminal that is gone
                raise
            raise BrokenPipeError(error.errno, error.strerror) from error
