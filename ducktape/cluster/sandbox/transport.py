# SPDX-License-Identifier: Apache-2.0
"""Runs commands in the nodes of a sandbox: the first process of a node starts them, with pipes from here."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import subprocess
from typing import IO

from ducktape.cluster.account.detached import Leftovers, StreamHandle
from ducktape.cluster.local.transport import PipedCommand, login_shell
from ducktape.cluster.sandbox.client import Supervisor
from ducktape.cluster.sandbox.files import SandboxFiles
from ducktape.cluster.sandbox.ipc import send_request
from ducktape.cluster.transport import CommandStream, Stdin, Transport
from ducktape.utils.support.times import Deadline

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

    def close(self) -> None:
        """Close the pipes of dropped commands, which keep running."""
        self._leftovers.close()


class _RemoteProcess:
    """Waits for a process that the first process of a node has started."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._status: int | None = None

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


def _start(
    socket_path: str, home: str, command: str, *, merge_stderr: bool, timeout: float | None
) -> tuple[_RemoteProcess, list[IO[bytes]]]:
    """Start a process; returns it with this end of its input, its output, and its separate error output."""
    encoded = os.fsencode(command)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    if len(encoded) > _LARGEST_COMMAND:
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
    head = json.dumps([login_shell(), home, {}]).encode()
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
        connection = send_request(socket_path, head + b"\0" + encoded, [*handed, handed[1]][:3], seconds=seconds)
        ours.pop_all()
        return _RemoteProcess(connection), pipes
