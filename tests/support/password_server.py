# SPDX-License-Identifier: Apache-2.0
"""A small SSH server that takes passwords, which OpenSSH does for users of the machine only."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import paramiko

from ducktape.cluster.ssh.config import RemoteAccountSSHConfig


@dataclass
class PasswordServer(paramiko.ServerInterface):
    """Judges logins, and offers nothing beyond them.

    Args:
        password: the only one that is right.
        methods: of authentication that it offers.
        most_attempts: as ``MaxAuthTries`` of OpenSSH.
        host_keys: shown as the client prefers.
        greeting_after: seconds.

    Attributes:
        attempts: what was tried, over all connections.
    """

    password: str = "right"
    methods: str = "publickey,password"
    most_attempts: int = 6
    host_keys: Sequence[paramiko.PKey] = ()
    greeting_after: float = 0.0
    attempts: list[str] = field(default_factory=list)
    port: int = 0

    def settings(self, **changed: object) -> RemoteAccountSSHConfig:
        """How to log in."""
        given = {"host": f"node-{self.port}", "hostname": "127.0.0.1", "user": "tester", "port": self.port, **changed}
        return RemoteAccountSSHConfig(**given)  # type: ignore[arg-type]

    def get_allowed_auths(self, username: str) -> str:
        return self.methods

    def check_auth_none(self, username: str) -> int:
        return paramiko.AUTH_FAILED  # type: ignore[attr-defined,no-any-return]

    def check_auth_password(self, username: str, password: str) -> int:
        return self._judged("password", password == self.password)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._judged("publickey", False)

    def _judged(self, method: str, right: bool) -> int:
        self.attempts.append(method)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED  # type: ignore[attr-defined,no-any-return]


class _Connection(paramiko.Transport):
    """Hangs up after too many attempts, as OpenSSH does; the library's server bears any number."""

    def __init__(self, sock: socket.socket, server: PasswordServer) -> None:
        super().__init__(sock)
        self._server = server
        self._before = len(server.attempts)

    def _send_message(self, data: paramiko.Message) -> None:
        if len(self._server.attempts) - self._before >= self._server.most_attempts and not self.is_authenticated():
            self.close()
            return
        super()._send_message(data)  # type: ignore[misc]


@contextlib.contextmanager
def password_server(**given: object) -> Iterator[PasswordServer]:
    """A started server on a loopback port."""
    server = PasswordServer(**given)  # type: ignore[arg-type]
    server.host_keys = server.host_keys or [paramiko.ECDSAKey.generate()]
    listening = socket.create_server(("127.0.0.1", 0))
    server.port = listening.getsockname()[1]
    connections: list[_Connection] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                threading.Event().wait(server.greeting_after)
                connection = _Connection(sock, server)
                for key in server.host_keys:
                    connection.add_server_key(key)
                connections.append(connection)
                with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                    connection.start_server(event=threading.Event(), server=server)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        # Wakes the thread that accepts, as closing alone would not.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)
        for connection in connections:
            connection.close()
