# SPDX-License-Identifier: Apache-2.0
"""The engine that runs containers: requests by its library, and a connection for each program in a container."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ducktape.cluster.container.exec_transport import STDOUT, ExecTransport
from ducktape.errors import InfrastructureError
from ducktape.utils.support.text import one_line

if TYPE_CHECKING:
    from docker import DockerClient

R = TypeVar("R")

SECONDS_TO_ANSWER = 60.0
_SECONDS_BETWEEN_LOOKS = 0.02
_SECONDS_TO_END = 2.0
_LONGEST_HEAD = 64 * 1024
_PIECE = 256 * 1024
_FRAME = struct.Struct(">BxxxL")
_INSTALL = "pip install 'ducktape[docker]'"


class ContainerError(InfrastructureError, ConnectionError):
    """The engine cannot do what a cluster of containers needs; the text has the engine's own words, in one line.

    Attributes:
        status: of the engine's answer, such as 404 for something that does not exist; ``None`` without an answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def _ducktape_cluster_file_mistake(self) -> str:
        # Nothing is wrong with the program, so the user sees the line without a traceback
        return one_line(str(self), 1000)


@dataclass(frozen=True)
class Engine:
    """Where an engine is, and what people call it; can be given to other processes.

    Attributes:
        title: such as ``Docker``.
        address: as in ``DOCKER_HOST``.
    """

    title: str
    address: str

    def client(self) -> DockerClient:
        """Return the library's client, of which each process has its own; raises ``ContainerError`` without one."""
        key = (os.getpid(), self.address)
        with _lock:
            if key not in _clients:
                _clients[key] = self._connected()
            return _clients[key]

    def _connected(self) -> DockerClient:
        try:
            import docker
        except ImportError:
            raise ContainerError(f"{self.title} needs the Python library docker: {_INSTALL}") from None
        return self.asked("connect", lambda: docker.DockerClient(self.address, version="auto", timeout=60))

    def asked(self, what: str, ask: Callable[[], R]) -> R:
        """Return the answer of the engine; its errors, and those of the connection, become ``ContainerError``."""
        import docker.errors
        import requests

        try:
            return ask()
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            status = getattr(error, "status_code", None)
            raise ContainerError(f"{self.title} ({self.address}) could not {what}: {_words(error)}", status) from error

    def upgraded(self, path: str, body: object, what: str, timeout: float) -> tuple[socket.socket, bytes]:
        """Ask for something that takes over the connection from HTTP, and return that, with what has arrived already.

        Raises:
            ContainerError: the engine refuses, or cannot be reached.
            TimeoutError: the builtin one, if it does not answer in time.
        """
        version = self.client().api.api_version
        with contextlib.ExitStack() as undo:
            try:
                connection = self._connection(timeout)
                undo.callback(connection.close)
                rest = _upgrade(connection, f"/v{version}{path}", body)
            except TimeoutError as error:
                raise TimeoutError(f"{self.title} did not {what} within {timeout:g} s") from error
            except OSError as error:
                raise ContainerError(f"{self.title} ({self.address}) could not {what}: {_words(error)}") from error
            undo.pop_all()
        return connection, rest

    def _connection(self, timeout: float) -> socket.socket:
        kind, _, rest = self.address.partition("://")
        if kind == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout)
            connection.connect(f"/{rest.lstrip('/')}")
            return connection
        host, _, port = rest.rstrip("/").rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout)


_lock = threading.Lock()
_clients: dict[tuple[int, str], DockerClient] = {}


def close_clients() -> None:
    """Close the connections of this process; the next use opens them again."""
    with _lock:
        for key in [key for key in _clients if key[0] == os.getpid()]:
            _clients.pop(key).close()


class ContainerTransport(ExecTransport):
    """Runs commands in a container."""

    def __init__(self, engine: Engine, container: str, name: str) -> None:
        super().__init__(name)
        self._engine = engine
        self._container = container

    def start(self, arguments: list[str], timeout: float | None, *, terminal: str | None = None) -> _Exec:
        api = self._engine.client().api
        own = [] if terminal is None else [f"TERM={terminal}"]
        created = self._engine.asked(
            f"run a command in {self.name}",
            lambda: api.exec_create(
                self._container, arguments, stdin=True, stdout=True, stderr=True, tty=bool(own), environment=own
            ),
        )
        limit = SECONDS_TO_ANSWER if timeout is None else max(timeout, 0.001)
        return _Exec(self._engine, created["Id"], self.name, limit, has_terminal=bool(own))

    def close(self) -> None:
        super().close()
        close_clients()


class _Exec:
    """One program in a container, over the connection of the request that started it; see ``Exec``."""

    def __init__(self, engine: Engine, exec_id: str, name: str, timeout: float, *, has_terminal: bool) -> None:
        self._engine = engine
        self._has_terminal = has_terminal
        self._id = exec_id
        self._name = name
        body = {"Detach": False, "Tty": has_terminal}
        what = f"run a command in {name}"
        self._socket, rest = engine.upgraded(f"/exec/{exec_id}/start", body, what, timeout)
        self._socket.setblocking(False)
        self._buffer = bytearray(rest)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> list[tuple[int, bytes]] | None:
        try:
            data = self._socket.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return []
        except ConnectionResetError as error:
            # Also the end of a program that has not read all of its input
            try:
                self.exit_status(_SECONDS_TO_END)
            except TimeoutError:
                raise ContainerError(f"{self._name}: the connection to {self._engine.title} was lost") from error
            return None
        if not data and not self._buffer:
            return None
        self._buffer += data
        if self._has_terminal:
            found, self._buffer = bytes(self._buffer), bytearray()
            return [(STDOUT, found)]
        return list(self._frames(is_end=not data))

    def _frames(self, *, is_end: bool) -> Iterator[tuple[int, bytes]]:
        """Yield the complete frames of the buffer."""
        position = 0
        while len(self._buffer) - position >= _FRAME.size:
            stream, size = _FRAME.unpack_from(self._buffer, position)
            if len(self._buffer) - position - _FRAME.size < size:
                break
            position += _FRAME.size + size
            yield stream, bytes(self._buffer[position - size : position])
        del self._buffer[: len(self._buffer) if is_end else position]

    def send(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    def end_input(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def resize(self, columns: int, rows: int) -> None:
        api = self._engine.client().api
        self._engine.asked("resize a terminal", lambda: api.exec_resize(self._id, height=rows, width=columns))

    def exit_status(self, timeout: float | None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        api = self._engine.client().api
        while True:
            found = self._engine.asked(f"tell how a command in {self._name} ended", lambda: api.exec_inspect(self._id))
            status = found.get("ExitCode")
            if not found.get("Running") and status is not None:
                return int(status)
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{self._name}: the command has not ended")
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def close(self) -> None:
        self._socket.close()


def _upgrade(connection: socket.socket, path: str, body: object) -> bytes:
    """Take over a connection from HTTP with a request; returns what has arrived after the answer."""
    content = json.dumps(body)
    head = [
        f"POST {path} HTTP/1.1",
        "Host: engine",
        "Connection: Upgrade",
        "Upgrade: tcp",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    connection.sendall("\r\n".join([*head, "", content]).encode("ascii"))
    received = b""
    while b"\r\n\r\n" not in received and len(received) < _LONGEST_HEAD:
        piece = connection.recv(_PIECE)
        if not piece:
            break
        received += piece
    answer, _, rest = received.partition(b"\r\n\r\n")
    if answer.split(b" ", 2)[1:2] not in ([b"101"], [b"200"]):
        raise OSError(one_line((rest or answer).decode(errors="replace")) or "it closed the connection")
    return rest


def _words(error: BaseException) -> str:
    """Return what the engine says in an error of its library, or why it cannot be reached."""
    explanation = getattr(error, "explanation", None)
    if explanation is None:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, OSError) and cause.strerror:
                return one_line(cause.strerror)
            cause = cause.__context__
    return one_line(str(explanation or error) or type(error).__name__)
