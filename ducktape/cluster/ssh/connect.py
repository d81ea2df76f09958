# SPDX-License-Identifier: Apache-2.0
"""Opens SSH connections, through a jump host if one is configured; imports paramiko."""

from __future__ import annotations

import contextlib
import getpass
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko

from ducktape.cluster.ssh.authentication import Authentication, ServerHungUp
from ducktape.cluster.ssh.config import identity_files
from ducktape.cluster.ssh.errors import connecting
from ducktape.utils.support.times import Deadline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ducktape.cluster.ssh.config import IgnoreMissingHostKeyPolicy, SshSettings
    from ducktape.cluster.ssh.host_keys import HostKeyPolicy

    Policy = HostKeyPolicy | IgnoreMissingHostKeyPolicy

# Defaults of the SSH library, for the login
_LOGIN_SEC = 30.0
# and for banner and key exchange
_GREETING_SEC = 15.0
_JOIN_SEC = 10.0
# Signature algorithms and their kind of key
_FAMILY = {"rsa-sha2-512": "ssh-rsa", "rsa-sha2-256": "ssh-rsa"}
_SSH_PORT = 22


class PromptTransport(paramiko.Transport):
    """A transport without Nagle's algorithm and with time limits for the login."""

    def __init__(
        self,
        sock: socket.socket | paramiko.Channel,
        *,
        deadline: Deadline,
        handshake_sec: float,
        key_types: Sequence[str],
        **kwargs: Any,
    ) -> None:
        self._login_deadline = deadline
        self._login_sec: float | None = _LOGIN_SEC
        if isinstance(sock, socket.socket):
            # Delayed acknowledgements would add 40 ms to each small exchange
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock, **kwargs)
        # GCM takes half the time of separate encryption and authentication, which the library prefers
        options = self.get_security_options()
        options.ciphers = sorted(options.ciphers, key=lambda cipher: "-gcm@" not in cipher)
        # A server with several keys shows the first requested one
        options.key_types = sorted(options.key_types, key=lambda kind: _FAMILY.get(kind, kind) not in key_types)
        self.handshake_timeout = handshake_sec

    @property  # type: ignore[override]  # None means no limit
    def auth_timeout(self) -> float | None:
        """Time limit of the next step of the login; there is one for each key."""
        return self._login_deadline.left(self._login_sec)

    @auth_timeout.setter
    def auth_timeout(self, seconds: float | None) -> None:
        self._login_sec = seconds

    def start_client(self, event: threading.Event | None = None, timeout: float | None = None) -> None:
        """Do the key exchange; raises the builtin ``TimeoutError`` where the library would ignore silence."""
        super().start_client(event, self._login_deadline.left(timeout))
        if event is None and not self.initial_kex_done:
            raise TimeoutError("the SSH server accepts connections, but does not answer")


class Client(paramiko.SSHClient):
    """A client that also closes the client of its jump host, and waits for its own thread."""

    jump: paramiko.SSHClient | None = None

    def close(self) -> None:
        """Close everything; may be called repeatedly."""
        transport = self.get_transport()
        super().close()
        if isinstance(transport, threading.Thread) and transport is not threading.current_thread():
            # The thread must have ended before the account counts as closed
            transport.join(_JOIN_SEC)
        jump, self.jump = self.jump, None
        if jump is not None:
            jump.close()


def log_in(settings: SshSettings, policy: Policy, deadline: Deadline, *, keepalive_sec: int) -> Client:
    """Connect and authenticate; raises the builtin ``TimeoutError`` at the deadline, and errors of the library."""
    with contextlib.ExitStack() as undo:
        jump = _jump_client(settings, policy, deadline)
        if jump is not None:
            undo.callback(jump.close)
        authentication = _authentication(settings, settings.user, deadline, password=settings.password)
        try:
            client = _authenticated(settings, policy, deadline, authentication, settings.hostname, settings.port, jump)
        except TimeoutError:
            raise
        except (EOFError, OSError, ValueError, paramiko.SSHException) as error:
            if not deadline.is_over:
                raise
            raise TimeoutError(f"no login within {deadline.seconds} seconds: {error}") from error
        undo.pop_all()
    client.jump = jump
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(keepalive_sec)
    return client


def _authentication(
    settings: SshSettings, user: str | None, deadline: Deadline, *, password: str | None
) -> Authentication:
    agent_sec = settings.connecttimeout or _LOGIN_SEC
    return Authentication(
        user or getpass.getuser(),
        identity_files(settings),
        password=password,
        passphrase=settings.password,
        agent_sec=lambda: deadline.left(agent_sec) or 0,
    )


def _authenticated(
    settings: SshSettings,
    policy: Policy,
    deadline: Deadline,
    authentication: Authentication,
    hostname: str,
    port: int,
    jump: Client | None = None,
) -> Client:
    """Log in, with further connections when the server hangs up, since servers limit the attempts on each."""
    limit = settings.connecttimeout
    patience = max(_GREETING_SEC, limit or 0)
    transport_factory = partial(
        PromptTransport,
        deadline=deadline,
        handshake_sec=patience,
        key_types=policy.known_types(hostname, port),
    )
    while True:
        with contextlib.ExitStack() as undo:
            client = Client()
            undo.callback(client.close)
            client.set_missing_host_key_policy(policy)  # type: ignore[arg-type]  # it has the one method
            try:
                client.connect(
                    hostname,
                    port,
                    username="",  # the authentication knows it
                    timeout=deadline.left(limit),
                    banner_timeout=patience,
                    auth_timeout=max(_LOGIN_SEC, limit or 0),
                    sock=None if jump is None else _channel_through(jump, settings, deadline),
                    transport_factory=transport_factory,
                    auth_strategy=authentication,  # type: ignore[arg-type]  # it has the one method
                )
            except ServerHungUp:
                if not authentication.may_go_on:
                    raise
                continue
            undo.pop_all()
            return client


def _jump_client(settings: SshSettings, policy: Policy, deadline: Deadline) -> Client | None:
    jump = getattr(settings, "proxyjump", None)
    if not jump:
        return None
    user, host, port = parse_jump(jump)
    # The password of the node may decrypt the key, but must not be sent to another host
    authentication = _authentication(settings, user or settings.user, deadline, password=None)
    with connecting(f"the jump host {host}, port {port}"):
        return _authenticated(settings, policy, deadline, authentication, host, port)


def _channel_through(jump: Client, settings: SshSettings, deadline: Deadline) -> paramiko.Channel:
    transport = jump.get_transport()
    assert transport is not None
    limit = deadline.left(settings.connecttimeout)
    target = (settings.hostname, settings.port)
    try:
        if limit is None:
            return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0))
        return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=max(limit, 0.001))
    except paramiko.ChannelException as error:
        raise paramiko.SSHException(
            f"the jump host {getattr(settings, 'proxyjump', '')} does not connect to {target[0]}, port {target[1]}: "
            f"{error.text}. Nothing listens there, it does not know the name, or its AllowTcpForwarding forbids it"
        ) from error


def parse_jump(text: str) -> tuple[str | None, str, int]:
    """Return user, host and port of ``[user@]host[:port]``; IPv6 addresses are in brackets."""
    user, _, place = text.strip().rpartition("@")
    host, separator, port = place.rpartition(":")
    if not separator or place.endswith("]"):
        host, port = place, str(_SSH_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal():
        raise ValueError(f"'{text}' is no jump host: write [user@]host[:port]")
    return user or None, host, int(port)
