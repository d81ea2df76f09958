# SPDX-License-Identifier: Apache-2.0
"""Transports run commands on a machine and copy its files.

An account has the verbs that users know; a transport is what they stand on. Implementations are composed, never
inherited from each other: a wrapper delegates to the transport inside it and changes one thing.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol, Union

if TYPE_CHECKING:
    from typing_extensions import Self

    from ducktape.cluster.account.console import Console

Stdin = Union[str, bytes, IO[bytes], IO[str], None]

KEPT_STDERR = 32 * 1024

# Idle limit of commands of the framework; removing trees and compressing logs print nothing
IDLE_SEC = 120.0
IDLE_VARIABLE = "DUCKTAPE_IDLE_TIMEOUT"
_SLOWER = 10

# Factor of the idle limit for commands of the framework; ``None`` outside of them
_framework_command: ContextVar[int | None] = ContextVar("ducktape_framework_command", default=None)


@contextlib.contextmanager
def framework_commands(*, slow: bool = False) -> Iterator[None]:
    """Mark the commands started in this block as the framework's own.

    Wrappers that change what users' commands do (an environment, tracing) leave marked commands alone. Marked commands
    that are silent for too long are given up, see :func:`longest_silence`.

    Args:
        slow: they work long without a word, and are given ten times as long.
    """
    token = _framework_command.set(_SLOWER if slow else 1)
    try:
        yield
    finally:
        _framework_command.reset(token)


def is_framework_command() -> bool:
    """Whether the caller runs inside :func:`framework_commands`."""
    return _framework_command.get() is not None


def longest_silence(timeout: float | None) -> float | None:
    """Return how many seconds a command that is started now may be silent; ``None`` is without limit.

    Args:
        timeout: that was asked for. Without one, commands of users have no limit, and those of the framework an own.

    Raises:
        ValueError: the environment variable with the limit is no number of seconds.
    """
    factor = _framework_command.get()
    if timeout is not None or factor is None:
        return timeout
    given = os.environ.get(IDLE_VARIABLE)
    if not given:
        return IDLE_SEC * factor
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(given)) < math.inf:
            return seconds * factor
    raise ValueError(f"{IDLE_VARIABLE} must be a number of seconds greater than 0, not {given!r}")


@dataclass(frozen=True)
class Completed:
    """The result of a command.

    Attributes:
        command: the command as it was given
        exit_status: its exit status; -1 when a signal ended it
        stdout: its output (empty when it was not kept)
        stderr: its error output, shortened in the middle when long; empty when merged into stdout
    """

    command: str
    exit_status: int
    stdout: bytes
    stderr: bytes


class CommandStream(Protocol):
    """One started command."""

    def read(self) -> bytes:
        """Return the next piece of stdout, ``b""`` at its end.

        Blocks at most the set timeout, then raises the builtin ``TimeoutError``; nothing is lost by that, the next
        call goes on. Error output is drained meanwhile. The end comes when stdout *and* stderr are closed.
        """

    def gettimeout(self) -> float | None:
        """Return the time limit of one call in seconds; ``None`` without limit."""

    def settimeout(self, timeout: float | None) -> None:
        """Set the time limit of one call in seconds; 0 never blocks."""

    def exit_status(self) -> int:
        """Return the status after the end of output, -1 for death by a signal; blocks up to the timeout."""

    def stderr(self) -> bytes:
        """Return the separate error output so far, shortened in the middle if long."""

    def close(self) -> None:
        """Release all descriptors or channels; may be called repeatedly, does not end the command."""


class FileAttributes(Protocol):
    """Attributes of a file with the names of paramiko; ``None`` if unknown."""

    filename: str
    st_mode: int | None
    st_size: int | None


class RemoteFile(Protocol):
    """An open file; its lines are bytes if its mode has a ``b``, else text."""

    def read(self, size: int | None = None) -> bytes:
        """Return at most ``size`` bytes, by default everything up to the end."""

    def write(self, data: str | bytes) -> object:
        """Append bytes, or text as UTF-8."""

    def readline(self) -> Any:
        """Return the next line, empty at the end."""

    def readlines(self) -> list[Any]:
        """Return the remaining lines."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the remaining lines."""

    def seek(self, offset: int, whence: int = 0) -> object:
        """Move to a position."""

    def tell(self) -> int:
        """Return the position."""

    def flush(self) -> None:
        """Send what is buffered."""

    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        """Return the file, which is closed at the end of the block."""

    def __exit__(self, *details: object) -> object:
        """Close the file."""


class Files(Protocol):
    """The file system of a machine. Relative paths start at the home directory; ``~`` is not expanded.

    Missing files raise ``FileNotFoundError``, other errors ``OSError``.
    """

    def lstat(self, path: str) -> FileAttributes:
        """Attributes of the path itself."""

    def stat(self, path: str) -> FileAttributes:
        """Attributes of the target of the path."""

    def listdir_attr(self, path: str) -> Sequence[FileAttributes]:
        """Entries of a directory with the attributes of the entries themselves (links not followed)."""

    def normalize(self, path: str) -> str:
        """The absolute path without links."""

    def open(self, path: str, mode: str = "r") -> Any:
        """Open a file; ``read`` returns bytes in every mode, ``write`` accepts text or bytes."""

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        """Create one directory."""

    def get(self, path: str, local_path: str) -> None:
        """Copy a file's content to a local file."""

    def put(self, local_path: str, path: str) -> None:
        """Copy the content of a local file to a file here."""


class Transport(ABC):
    """Runs commands on one machine and reaches its files."""

    is_local: bool = False

    @abstractmethod
    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        """Start a command in the login user's shell and return at once.

        Args:
            command: text for the shell, passed on unchanged
            stdin: sent and closed; ``None`` leaves the command's input open and silent
            merge_stderr: let error output appear in stdout, as it arrives
            timeout: seconds that starting and each later call may block; ``None`` is without limit
        """

    @property
    @abstractmethod
    def files(self) -> Files:
        """The machine's file system."""

    @abstractmethod
    def close(self) -> None:
        """Release all resources; a later use connects again."""

    def run(
        self,
        command: str,
        *,
        stdin: Stdin = None,
        merge_stderr: bool = False,
        timeout: float | None = None,
        keep_stdout: bool = True,
    ) -> Completed:
        """Run a command to its end.

        Args:
            timeout: longest silence in seconds, not the total time
            keep_stdout: ``False`` throws the output away as it arrives

        Raises:
            TimeoutError: (builtin) when nothing arrives for that long
        """
        stream = self.stream(command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)
        try:
            pieces = []
            errors = b""
            while True:
                try:
                    piece = stream.read()
                except TimeoutError:
                    # Output on stderr counts, too
                    if stream.stderr() == errors:
                        raise
                    errors = stream.stderr()
                    continue
                if not piece:
                    break
                if keep_stdout:
                    pieces.append(piece)
            status = stream.exit_status()
            return Completed(command, status, b"".join(pieces), stream.stderr())
        finally:
            stream.close()

    def attach(self, command: str | None, console: Console) -> int:
        """Connect a command, or a shell, with the terminal or the streams of this process; blocks until it has ended.

        Without an implementation of its own, a transport runs commands, which get their whole input and whose error
        output comes at their end, and has no interactive shell.

        Args:
            command: text for the shell; ``None`` for an interactive shell.
            console: descriptors ``input``, ``output`` and ``errors``; ``is_terminal`` if the shell is to have one, too.

        Returns:
            The exit status.

        Raises:
            NotImplementedError: there is no interactive shell.
        """
        if command is None:
            raise NotImplementedError(f"{type(self).__name__} has no interactive shell: give a command")
        from ducktape.cluster.account.console import write_all  # needed here alone

        with os.fdopen(os.dup(console.input), "rb", buffering=0) as given:
            stream = self.stream(command, stdin=given)
            try:
                while piece := stream.read():
                    write_all(console.output, piece)
                status = stream.exit_status()
                write_all(console.errors, stream.stderr())
                return status
            finally:
                stream.close()


class TransportWrapper(Transport):
    """Base class of wrappers: delegates everything to the wrapped transport.

    Args:
        inner: the wrapped transport, afterwards the attribute of that name
    """

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    @property
    def is_local(self) -> bool:  # type: ignore[override]  # as the wrapped transport
        """Whether the wrapped transport is local."""
        return self.inner.is_local

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        """Start the command on the wrapped transport."""
        return self.inner.stream(command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)

    def attach(self, command: str | None, console: Console) -> int:
        """Connect the command with this process on the wrapped transport."""
        return self.inner.attach(command, console)

    @property
    def files(self) -> Files:
        """The files of the wrapped transport."""
        return self.inner.files

    def close(self) -> None:
        """Close the wrapped transport."""
        self.inner.close()


def unwrap(transport: Transport) -> Transport:
    """Return the innermost transport of wrappers."""
    while isinstance(transport, TransportWrapper):
        transport = transport.inner
    return transport


class BoundedBytes:
    """Keeps the first and the last bytes of a stream, and counts the bytes between them."""

    def __init__(self, *, head: int = KEPT_STDERR, tail: int = KEPT_STDERR) -> None:
        self._head_room = head
        self._tail_room = tail
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Add the next bytes."""
        room = self._head_room - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        excess = len(self._tail) - self._tail_room
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def value(self) -> bytes:
        """Return everything, or both ends with the number of missing bytes between them."""
        gap = b"\n[... %d bytes left out ...]\n" % self._dropped if self._dropped else b""
        return bytes(self._head) + gap + bytes(self._tail)


class LineSplitter:
    """Splits UTF-8 output into lines, including their newlines; keeps an unfinished line."""

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[str]:
        """Return the lines that a piece completes; consumes the piece at once."""
        complete, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._unfinished.append(data)
            return iter(())
        block = b"".join([*self._unfinished, complete, newline])
        self._unfinished = [rest] if rest else []
        try:
            text = block.decode()
        except UnicodeDecodeError:
            # Yield the valid lines before the invalid one
            return (f"{line.decode()}\n" for line in block[:-1].split(b"\n"))
        # Splits at newlines only, twice as fast as str.split
        return iter(io.StringIO(text, newline="\n"))

    def rest(self) -> str:
        """Return the last line if it lacks its newline, else ``""``."""
        block = b"".join(self._unfinished)
        self._unfinished = []
        return block.decode()


def stdin_chunks(stdin: str | bytes | IO[bytes] | IO[str], *, size: int = 256 * 1024) -> Iterator[bytes]:
    """Yield the bytes of a ``stdin`` argument in pieces."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    if isinstance(stdin, (bytes, bytearray, memoryview)):
        for start in range(0, len(stdin), size):
            yield bytes(stdin[start : start + size])
        return
    while piece := stdin.read(size):
        yield piece.encode() if isinstance(piece, str) else piece
