# SPDX-License-Identifier: Apache-2.0
"""Runs commands as local processes."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Protocol

from ducktape.cluster.account.detached import Leftovers, StreamHandle
from ducktape.cluster.local.files import LocalFiles
from ducktape.cluster.transport import BoundedBytes, CommandStream, Stdin, Transport, longest_silence, stdin_chunks
from ducktape.utils.support.text import shorten

if TYPE_CHECKING:
    from ducktape.cluster.account.console import Console

_PIECE = 1024 * 1024
_HAS_DATA = select.POLLIN | select.POLLHUP | select.POLLERR


def login_shell() -> str:
    """Return the user's shell: ``$SHELL``, that of the password database, or ``/bin/sh``."""
    candidates = [os.environ.get("SHELL", "")]
    with contextlib.suppress(KeyError):
        candidates.append(pwd.getpwuid(os.getuid()).pw_shell)
    return next((shell for shell in candidates if shell and os.access(shell, os.X_OK)), "/bin/sh")


def home_directory() -> str:
    """Return the working directory of commands: the home directory, or ``/`` without one (as sshd does)."""
    home = os.path.expanduser("~")
    return home if os.path.isdir(home) else "/"


class Process(Protocol):
    """A started process, for a stream."""

    def poll(self) -> int | None:
        """Return the exit status, ``None`` while it runs; negative if a signal ended it."""
        ...

    def wait(self, timeout: float | None) -> int:
        """Wait for its end and return the exit status; raises ``subprocess.TimeoutExpired``."""
        ...


class PipedCommand:
    """A process and this end of its pipes (input, output, error output); a ``CommandStream``."""

    _process: Process | None = None

    def __init__(
        self,
        command: str,
        process: Process,
        pipes: list[IO[bytes]],
        *,
        stdin: Stdin,
        timeout: float | None,
        name: str = "localhost",
    ) -> None:
        self._name = name
        self._command = command
        self._process = process
        self._pipes = pipes
        self._timeout = longest_silence(timeout)
        self._errors = BoundedBytes()
        self._input: Iterator[bytes] | None = None if stdin is None else stdin_chunks(stdin)
        self._piece = b""
        self._in = pipes[0].fileno()
        self._out = pipes[1].fileno()
        self._poll = select.poll()
        self._reading = set()
        for pipe in pipes[1:]:
            os.set_blocking(pipe.fileno(), False)
            self._poll.register(pipe, select.POLLIN)
            self._reading.add(pipe.fileno())
        if self._input is not None:
            os.set_blocking(self._in, False)
            self._poll.register(self._in, select.POLLOUT)
            # Fill the pipe now, for streams that nobody reads
            self._feed()

    def gettimeout(self) -> float | None:
        return self._timeout

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def read(self) -> bytes:
        deadline = self._deadline()
        while self._reading:
            events = self._poll.poll(_milliseconds(deadline))
            found = b""
            for descriptor, event in events:
                if descriptor == self._in:
                    self._feed()
                elif event & _HAS_DATA:
                    piece = self._take(descriptor)
                    if descriptor == self._out:
                        found = piece
                    else:
                        self._errors.feed(piece)
            if found:
                return found
            if not events:
                raise TimeoutError(f"{self._name}: no output for {self._timeout} seconds: {shorten(self._command)}")
            if any(descriptor == self._in for descriptor, _ in events):
                deadline = self._deadline()  # a process that reads input is not silent
            # Data on stderr must not extend the timeout for stdout
            if self._reading and deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{self._name}: no output for {self._timeout} seconds: {shorten(self._command)}")
        return b""

    def exit_status(self) -> int:
        process = self._process
        if process is None:
            raise ValueError(f"the command's stream is closed: {self._command}")
        deadline = self._deadline()
        # A command may close its output and still read
        while self._input is not None:
            if not self._poll.poll(_milliseconds(deadline)):
                raise TimeoutError(
                    f"{self._name}: input not taken for {self._timeout} seconds: {shorten(self._command)}"
                )
            self._feed()
        status = process.poll()
        if status is None:
            try:
                status = process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                text = f"{self._name}: not ended after {self._timeout} seconds: {shorten(self._command)}"
                raise TimeoutError(text) from None
        return -1 if status < 0 else status

    def stderr(self) -> bytes:
        return self._errors.value()

    def close(self) -> None:
        """Close the pipes; a running process keeps running."""
        if self._process is None:
            return
        self._process = None
        self._reading.clear()
        self._input = None
        for pipe in self._pipes:
            # The descriptor is released even if closing fails
            with contextlib.suppress(OSError):
                pipe.close()

    def _deadline(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout

    def _take(self, descriptor: int) -> bytes:
        try:
            piece = os.read(descriptor, _PIECE)
        except BlockingIOError:
            return b""
        if not piece:
            self._poll.unregister(descriptor)
            self._reading.discard(descriptor)
        return piece

    def _feed(self) -> None:
        """Write input until the pipe is full or the input ends."""
        while self._input is not None:
            if not self._piece:
                self._piece = next(self._input, b"")
            if not self._piece:
                self._end_input()
                return
            try:
                written = os.write(self._in, self._piece)
            except BlockingIOError:
                return
            except BrokenPipeError:
                # The command ended, or closed its input
                self._end_input()
                return
            self._piece = self._piece[written:]

    def _end_input(self) -> None:
        self._input = None
        self._poll.unregister(self._in)
        self._pipes[0].close()


class LocalCommand(PipedCommand):
    """One local process and its pipes; if it still runs when its stream is closed, it is added to ``survivors``."""

    def __init__(
        self,
        command: str,
        *,
        stdin: Stdin,
        merge_stderr: bool,
        timeout: float | None,
        survivors: deque[subprocess.Popen[bytes]],
    ) -> None:
        shell = login_shell()
        self._survivors = survivors
        self._child = child = subprocess.Popen(
            [os.path.basename(shell), "-c", command],
            executable=shell,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge_stderr else subprocess.PIPE,
            cwd=home_directory(),
            bufsize=0,
            start_new_session=True,
        )
        pipes = [pipe for pipe in (child.stdin, child.stdout, child.stderr) if pipe is not None]
        super().__init__(command, child, pipes, stdin=stdin, timeout=timeout)

    def close(self) -> None:
        """Close the pipes; a running process keeps running, and is reaped by a later command."""
        if self._process is None:
            return
        super().close()
        if self._child.poll() is None:
            self._survivors.append(self._child)


class LocalTransport(Transport):
    """Runs commands as processes of this machine, like a login over SSH.

    Each command has a session of its own, so a Ctrl-C at the terminal does not reach it.
    """

    is_local = True

    def __init__(self) -> None:
        self._unreaped: deque[subprocess.Popen[bytes]] = deque()
        self._leftovers = Leftovers()

    def __reduce__(self) -> tuple[type[LocalTransport], tuple[()]]:
        # Copies know nothing of the commands of this one
        return type(self), ()

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        self._leftovers.tidy()
        self._reap()
        started = LocalCommand(
            command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout, survivors=self._unreaped
        )
        return StreamHandle(started, self._leftovers)

    def attach(self, command: str | None, console: Console) -> int:
        """Run a command or a shell on the very streams of this process, in the foreground of its terminal."""
        shell = login_shell()
        arguments = [] if command is None else ["-c", command]
        former = signal.signal(signal.SIGINT, lambda *_: None)  # it is for the program
        try:
            status = subprocess.run(
                [os.path.basename(shell), *arguments],
                executable=shell,
                stdin=console.input,
                stdout=console.output,
                stderr=console.errors,
                cwd=home_directory(),
            ).returncode
        finally:
            signal.signal(signal.SIGINT, former)
        return status if status >= 0 else 128 - status

    @property
    def files(self) -> LocalFiles:
        return LocalFiles(home_directory())

    def close(self) -> None:
        """Close the streams of dropped commands and reap ended processes; running ones keep running."""
        self._leftovers.close()
        self._reap()

    def _reap(self) -> None:
        # Processes that outlive their stream become zombies, and have to be reaped
        for _ in range(len(self._unreaped)):
            try:
                process = self._unreaped.popleft()
            except IndexError:
                return
            if process.poll() is None:
                self._unreaped.append(process)


def _milliseconds(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
