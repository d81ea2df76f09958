# SPDX-License-Identifier: Apache-2.0
"""Runs commands in the nodes of a sandbox: the first process of a node starts them, with pipes from here."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import shlex
import socket
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from ducktape.cluster.account.detached import Leftovers, StreamHandle
from ducktape.cluster.local.transport import PipedCommand, login_shell
from ducktape.cluster.sandbox.client import Supervisor
from ducktape.cluster.sandbox.files import SandboxFiles
from ducktape.cluster.sandbox.ipc import send_request
from ducktape.cluster.transport import CommandStream, Stdin, Transport
from ducktape.utils.support.times import Deadline

if TYPE_CHECKING:
    from ducktape.cluster.account.console import Console

_PIECE = 64 * 1024
# Of Linux, and not in the standard library: whether the other end is locked, and its number
_TIOCSPTLCK = 0x40045431
_TIOCGPTN = 0x80045430
_LARGEST_COMMAND = 128 * 1024 - 1
_SECONDS_TO_ANSWER = 60.0


class SandboxTransport(Transport):
    """Runs commands in a node; they survive this process, as over SSH.

    It has no state between commands, so processes and threads can share it.
    """

    def __init__(self, supervisor: Supervisor, name: str, home: str) -> None:
        self._supervisor = Supervisor(supervisor.pid, supervisor.base)
        self._name = name
        self._home = home
        self._leftovers = Leftovers()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_leftovers": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._leftovers = Leftovers()

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        self._leftovers.tidy()
        started = SandboxCommand(
            self._supervisor.socket_of(self._name),
            self._home,
            command,
            stdin=stdin,
            merge_stderr=merge_stderr,
            timeout=timeout,
            name=self._name,
        )
        return StreamHandle(started, self._leftovers)

    @property
    def files(self) -> SandboxFiles:
        return SandboxFiles(self._supervisor.socket_of(self._name), self._home)

    def attach(self, command: str | None, console: Console) -> int:
        """Connect a program in the node: with the very streams of this process, or by a pseudo terminal of the node.

        A command gets pipes instead of the terminal here: it may outlive this process, and must be silent then.
        """
        path = self._supervisor.socket_of(self._name)
        shell = f"exec {shlex.quote(login_shell())} || exec /bin/sh"
        if command is not None or not console.is_terminal:
            with _OnStreams(path, self._home, command or shell, console) as command_there:
                return console.connect(command_there, passes_input=False)
        with _OnTerminal(self.files) as program:
            program.resize(*console.size)
            program.start(path, self._home, shell, {"TERM": console.kind})
            return console.connect(program)

    def close(self) -> None:
        """Close the pipes of dropped commands, which keep running."""
        self._leftovers.close()


class _RemoteProcess:
    """Waits for a process that the first process of a node has started."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._status: int | None = None

    def fileno(self) -> int:
        return self._connection.fileno()

    def poll(self) -> int | None:
        return self._status if self._status is not None else self._receive(0)

    def wait(self, timeout: float | None) -> int:
        deadline = Deadline(timeout)
        while self._status is None:
            if self._receive(deadline.left()) is None and deadline.is_over:
                raise subprocess.TimeoutExpired("", timeout or 0)
        return self._status

    def _receive(self, seconds: float | None) -> int | None:
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        if not poll.poll(None if seconds is None else seconds * 1000):
            return None
        try:
            answer = self._connection.recv(4096)
        except ConnectionError:
            answer = b""
        # A node without power does not answer
        fields = json.loads(answer) if answer else {"status": -9}
        if "errno" in fields:
            raise OSError(fields["errno"], f"the node cannot start a process: {fields['error']}")
        self._status = fields["status"]
        return self._status

    def close(self) -> None:
        self._connection.close()


class SandboxCommand(PipedCommand):
    """One process in a node and the pipes to it; ``timeout`` limits each call, including the start."""

    def __init__(
        self,
        socket_path: str,
        home: str,
        command: str,
        *,
        stdin: Stdin,
        merge_stderr: bool,
        timeout: float | None,
        name: str,
    ) -> None:
        self._remote_process, pipes = _start(socket_path, home, command, merge_stderr=merge_stderr, timeout=timeout)
        super().__init__(command, self._remote_process, pipes, stdin=stdin, timeout=timeout, name=name)

    def close(self) -> None:
        """Close the pipes; a running process keeps running."""
        super().close()
        self._remote_process.close()


class _OnStreams(contextlib.ExitStack):
    """A program with the streams of this process, but for terminals, which are replaced by pipes."""

    def __init__(self, socket_path: str, home: str, command: str, console: Console) -> None:
        super().__init__()
        self._readers: dict[int, int] = {}  # descriptors, and their streams
        with contextlib.ExitStack() as theirs:
            streams = [console.input]
            for number, descriptor in ((1, console.output), (2, console.errors)):
                if os.isatty(descriptor):
                    reader, descriptor = os.pipe()
                    self.callback(os.close, reader)
                    theirs.callback(os.close, descriptor)
                    os.set_blocking(reader, False)
                    self._readers[reader] = number
                streams.append(descriptor)
            self._process = _launch(socket_path, home, command, streams, seconds=_SECONDS_TO_ANSWER)
            self.callback(self._process.close)

    def waitables(self) -> list[int]:
        return [*self._readers, self._process.fileno()]

    def receive(self) -> Iterator[tuple[int, bytes]]:
        for reader, stream in list(self._readers.items()):
            with contextlib.suppress(BlockingIOError):
                while data := os.read(reader, _PIECE):
                    yield stream, data
                del self._readers[reader]  # it has ended

    def send(self, data: bytes) -> int:
        raise AssertionError("it has its input itself")

    def end_input(self) -> None:
        """Do nothing: the program reads the input itself."""

    def resize(self, columns: int, rows: int) -> None:
        """Do nothing: there is no terminal."""

    def poll(self) -> int | None:
        return _exit_code(self._process.poll())


def _exit_code(status: int | None) -> int | None:
    """Return the exit code of a shell for a status, which is negative for death by a signal."""
    return status if status is None or status >= 0 else 128 - status


class _OnTerminal(contextlib.ExitStack):
    """A program on a pseudo terminal of the node, so that programs there find their terminal by its name."""

    def __init__(self, files: SandboxFiles) -> None:
        super().__init__()
        self._process: _RemoteProcess | None = None
        self._is_hung_up = False
        self._master = files.open_descriptor("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
        self.callback(os.close, self._master)
        fcntl.ioctl(self._master, _TIOCSPTLCK, struct.pack("i", 0))
        [number] = struct.unpack("I", fcntl.ioctl(self._master, _TIOCGPTN, bytes(4)))
        self._slave = files.open_descriptor(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)

    def start(self, socket_path: str, home: str, command: str, variables: Mapping[str, str]) -> None:
        """Start the program."""
        try:
            streams = [self._slave] * 3
            self._process = _launch(
                socket_path, home, command, streams, seconds=_SECONDS_TO_ANSWER, own=variables, has_terminal=True
            )
        finally:
            os.close(self._slave)
        self.callback(self._process.close)
        os.set_blocking(self._master, False)

    def waitables(self) -> list[int]:
        assert self._process is not None  # it was started
        own = [] if self._is_hung_up else [self._master]
        return [*own, self._process.fileno()]

    def receive(self) -> Iterator[tuple[int, bytes]]:
        try:
            while data := os.read(self._master, _PIECE):
                yield 1, data
        except BlockingIOError:
            return
        except OSError:  # no process has the terminal any more
            self._is_hung_up = True

    def send(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def end_input(self) -> None:
        self.send(b"\x04")

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def poll(self) -> int | None:
        return None if self._process is None else _exit_code(self._process.poll())


def _launch(
    socket_path: str,
    home: str,
    command: str,
    streams: Sequence[int],
    *,
    seconds: float,
    own: Mapping[str, str] | None = None,
    has_terminal: bool = False,
) -> _RemoteProcess:
    """Let the first process of a node start a command on streams, with some variables of its own."""
    encoded = os.fsencode(command)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    if len(encoded) > _LARGEST_COMMAND:
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
    head = json.dumps([login_shell(), home, dict(own or {}), has_terminal]).encode()
    return _RemoteProcess(send_request(socket_path, head + b"\0" + encoded, streams, seconds=seconds))


def _start(
    socket_path: str, home: str, command: str, *, merge_stderr: bool, timeout: float | None
) -> tuple[_RemoteProcess, list[IO[bytes]]]:
    """Start a process; returns it with this end of its input, its output, and its separate error output."""
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        pipes: list[IO[bytes]] = []
        handed: list[int] = []
        for number in range(2 if merge_stderr else 3):
            reader, writer = os.pipe()
            here, there = (writer, reader) if number == 0 else (reader, writer)
            theirs.callback(os.close, there)
            pipes.append(ours.enter_context(os.fdopen(here, "rb" if number else "wb", buffering=0)))
            handed.append(there)
        seconds = _SECONDS_TO_ANSWER if timeout is None else max(timeout, 0.001)
        process = _launch(socket_path, home, command, [*handed, handed[1]][:3], seconds=seconds)
        ours.pop_all()
        return process, pipes
