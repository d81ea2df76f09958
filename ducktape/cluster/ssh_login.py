# SPDX-License-Identifier: Apache-2.0
"""Opening an SSH connection, through a jump host if one is configured.

Imports paramiko: to be imported where a connection is made.
"""

from __future__ import annotations

import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko

from ducktape.utils.deadline import Deadline

if TYPE_CHECKING:
    from ducktape.cluster.ssh_settings import SshSettings

# As long as the SSH library waits for the answer to a login when nobody says otherwise.
_LOGIN_SEC = 30.0
_JOIN_SEC = 10.0
_SSH_PORT = 22


class PromptTransport(paramiko.Transport):
    """Sends small packets at once, and gives a login up in time.

    Args:
        sock: a connected socket, or a channel through another connection.
        deadline: of the login.
        **kwargs: of the library.
    """

    def __init__(self, sock: Any, *, deadline: Deadline, **kwargs: Any) -> None:
        self._login_deadline = deadline
        self._login_sec: float | None = _LOGIN_SEC
        if isinstance(sock, socket.socket):
            # Waiting for the acknowledgement of the packet before costs some 40 ms in each small exchange.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock, **kwargs)
        # One pass for secrecy and integrity costs half as much as the two passes that the library prefers.
        options = self.get_security_options()
        options.ciphers = sorted(options.ciphers, key=lambda cipher: "-gcm@" not in cipher)

    @property  # type: ignore[override]  # None means without limit to the library
    def auth_timeout(self) -> float | None:
        """Seconds that the next step of the login may take: there may be many, one for each key."""
        return self._login_deadline.left(self._login_sec)

    @auth_timeout.setter
    def auth_timeout(self, seconds: float | None) -> None:
        self._login_sec = seconds

    def start_client(self, event: threading.Event | None = None, timeout: float | None = None) -> None:
        """Agree on keys with the server.

        Raises:
            TimeoutError: (builtin) the server did not answer in time, of which the library would say nothing.
        """
        super().start_client(event, self._login_deadline.left(timeout))
        if event is None and not self.initial_kex_done:
            raise TimeoutError("the SSH server accepts connections, but does not answer")


class Client(paramiko.SSHClient):
    """A client that closes the connection to its jump host with its own, and waits for the end of its thread.

    Attributes:
        jump: the client of the jump host.
    """

    jump: paramiko.SSHClient | None = None

    def close(self) -> None:
        """Close everything. May be called repeatedly."""
        transport = self.get_transport()
        super().close()
        if isinstance(transport, threading.Thread) and transport is not threading.current_thread():
            # Its thread is gone before the account counts as closed; the time is a bound, not an expectation.
            transport.join(_JOIN_SEC)
        jump, self.jump = self.jump, None
        if jump is not None:
            jump.close()


def log_in(settings: SshSettings, policy: Any, deadline: Deadline) -> Client:
    """Connect and authenticate.

    Args:
        settings: where and as whom.
        policy: what to do about the host's key.
        deadline: of the whole.

    Raises:
        TimeoutError: (builtin) it took longer than the deadline, or than the settings allow.
        Exception: whatever the library raises for bad addresses, keys, passwords.
    """
    jump = _jump_client(settings, policy, deadline)
    client = Client()
    client.jump = jump
    try:
        through = None if jump is None else _channel_through(jump, settings, deadline)
        _connect(client, settings, policy, deadline, sock=through, password=settings.password)
    except BaseException as error:
        client.close()
        if deadline.is_over and isinstance(error, Exception) and not isinstance(error, TimeoutError):
            raise TimeoutError(f"no login within {deadline.seconds} seconds: {error}") from error
        raise
    return client


def _connect(client: Client, settings: SshSettings, policy: Any, deadline: Deadline, **changed: Any) -> None:
    client.set_missing_host_key_policy(policy)
    arguments: dict[str, Any] = {
        "hostname": settings.hostname,
        "port": settings.port,
        "username": settings.user,
        "key_filename": settings.identityfile,
        "look_for_keys": False,
        "timeout": deadline.left(settings.connecttimeout),
        "transport_factory": partial(PromptTransport, deadline=deadline),
    }
    client.connect(**{**arguments, **changed})


def _jump_client(settings: SshSettings, policy: Any, deadline: Deadline) -> Client | None:
    jump = getattr(settings, "proxyjump", None)
    if not jump:
        return None
    user, host, port = parse_jump(jump)
    client = Client()
    try:
        # The password belongs to the node: it may unlock the key here, but is not told to another host.
        _connect(
            client,
            settings,
            policy,
            deadline,
            hostname=host,
            port=port,
            username=user or settings.user,
            passphrase=settings.password,
        )
    except BaseException:
        client.close()
        raise
    return client


def _channel_through(jump: Client, settings: SshSettings, deadline: Deadline) -> Any:
    transport = jump.get_transport()
    assert transport is not None
    limit = deadline.left(settings.connecttimeout)
    target = (settings.hostname, settings.port)
    if limit is None:
        return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0))
    return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=max(limit, 0.001))


def parse_jump(text: str) -> tuple[str | None, str, int]:
    """User, host and port of ``[user@]host[:port]``; a numeric address with colons is put in brackets.

    Raises:
        ValueError: there is no host, or the port is no number.
    """
    user, _, place = text.strip().rpartition("@")
    host, separator, port = place.rpartition(":")
    if not separator or place.endswith("]"):
        host, port = place, str(_SSH_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal():
        raise ValueError(f"'{text}' is no jump host: write [user@]host[:port]")
    return user or None, host, int(port)
