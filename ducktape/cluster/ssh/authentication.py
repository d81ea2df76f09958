# SPDX-License-Identifier: Apache-2.0
"""SSH authentication: password, private keys, the keys of an agent; imports paramiko."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING

import paramiko

from ducktape.cluster.ssh.agent import AgentError, BoundedAgent
from ducktape.cluster.ssh.identities import load_identities, public_blobs, secret_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_PASSWORD = frozenset({"password", "keyboard-interactive"})
_KEY = frozenset({"publickey"})


class ServerHungUp(paramiko.AuthenticationException):
    """The server closed the connection before any authentication succeeded."""


@dataclasses.dataclass
class _Way:
    """One way to authenticate."""

    name: str  # for messages; never a secret
    methods: frozenset[str]  # skipped if the server accepts none of them
    attempt: Callable[[paramiko.Transport], Sequence[str]]  # returns the methods that are required in addition
    is_named: bool = True  # part of the node's configuration


class Authentication:
    """Tries all ways to authenticate on one or more connections, each only once.

    Identity files come first, because suites write passwords such as "UNUSED" beside them, and servers count and delay
    wrong passwords. Then follows the password, then the keys of the agent, which may exceed the server's limit; those
    that belong to the identity files come first.
    """

    def __init__(
        self,
        user: str,
        identity_files: Sequence[str],
        *,
        password: str | None,
        passphrase: str | None,
        agent_sec: Callable[[], float],
    ) -> None:
        self._user = user
        self._identity_files = identity_files
        self._password = password
        self._passphrase = passphrase
        self._agent_sec = agent_sec
        self._agent_was_asked = False
        self._ways: deque[_Way] | None = None
        self._tried: list[str] = []
        self._unusable: list[OSError | paramiko.SSHException] = []
        self._types: list[str] | None = None
        self._was_judged = False  # not only rejected the method

    @property
    def may_go_on(self) -> bool:
        """Whether a configured way is left to try on another connection."""
        return any(way.is_named for way in self._ways or ())

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Authenticate on a connection; called by the library. Errors say what was tried."""
        if self._ways is None:
            self._ways = self._found_ways()
        welcome: set[str] | None = None
        if len(self._ways) > 1:
            welcome = self._ask_for_methods(transport)
            if welcome is not None and not welcome:
                return []  # the server requires no authentication
        while way := self._next_way(welcome or self._types):
            with contextlib.suppress(paramiko.SSHException):
                further = self._try(way, transport)
                if not further:
                    return []
                welcome = set(further)
            # An agent that fails to sign breaks the connection
            if not transport.is_active() and not self._is_agent_broken:
                raise ServerHungUp(f"{self._story()}: the server closed the connection. {self._advice()}")
        raise self._refused()

    def _found_ways(self) -> deque[_Way]:
        identities, self._unusable = load_identities(self._identity_files, self._passphrase or self._password)
        ways = [_Way(str(each), _KEY, partial(self._show_key, key=each.key)) for each in identities]
        if self._password:
            ways.append(_Way("password", _PASSWORD, self._give_password))
        only_files = [error for error in self._unusable if isinstance(error, OSError)]
        if only_files and not ways:
            # Another key would hide that a configured one is missing
            raise only_files[0]
        return deque(ways or self._ways_of_agent())

    def _show_key(self, transport: paramiko.Transport, *, key: paramiko.PKey) -> Sequence[str]:
        return transport.auth_publickey(self._user, key)

    def _give_password(self, transport: paramiko.Transport) -> Sequence[str]:
        return transport.auth_password(self._user, secret_bytes(self._password or ""))  # type: ignore[arg-type]

    def _ways_of_agent(self) -> Iterable[_Way]:
        self._agent_was_asked = True
        try:
            keys = BoundedAgent(self._agent_sec).get_keys()
        except AgentError as error:
            self._unusable.append(error)
            return
        ours = public_blobs(self._identity_files)
        for key in sorted(keys, key=lambda key: key.asbytes() not in ours):
            name = f"a key of the agent ({key.get_name()})"
            yield _Way(name, _KEY, partial(self._show_key, key=key), is_named=False)

    def _ask_for_methods(self, transport: paramiko.Transport) -> set[str] | None:
        """Return the accepted methods; empty if none is required, ``None`` if unknown."""
        try:
            transport.auth_none(self._user)
        except paramiko.BadAuthenticationType as error:
            self._types = list(error.allowed_types)
            return set(error.allowed_types) or None
        except paramiko.SSHException:
            if not transport.is_active():
                raise
            return None
        return set()

    @property
    def _is_agent_broken(self) -> bool:
        return any(isinstance(error, AgentError) for error in self._unusable)

    def _next_way(self, welcome: Iterable[str] | None) -> _Way | None:
        assert self._ways is not None
        while self._ways or not self._agent_was_asked:
            if not self._ways:
                self._ways.extend(self._ways_of_agent())
                continue
            way = self._ways.popleft()
            if welcome is None or way.methods.intersection(welcome):
                return way
        return None

    def _try(self, way: _Way, transport: paramiko.Transport) -> Sequence[str]:
        self._tried.append(way.name)
        try:
            return way.attempt(transport)
        except AgentError as error:
            self._unusable.append(error)
            if self._ways is not None:
                self._ways.clear()  # keys of the agent, too
            raise
        except paramiko.BadAuthenticationType as error:
            self._types = list(error.allowed_types)
            raise
        except paramiko.AuthenticationException as error:
            self._was_judged = True
            if "timeout" in str(error).lower():
                raise TimeoutError(f"the SSH server does not answer the login of {self._user}: {way.name}") from error
            raise

    def _refused(self) -> Exception:
        if not self._tried and len(self._unusable) == 1 and not self._is_agent_broken:
            return self._unusable[0]
        text = f"{self._story()}. {self._advice()}"
        if self._types is not None and not self._was_judged:
            return paramiko.BadAuthenticationType(text, self._types)
        return paramiko.AuthenticationException(text)

    def _story(self) -> str:
        counts = Counter(self._tried)
        names = ", ".join(name if count == 1 else f"{count} times {name}" for name, count in counts.items())
        tried = f"tried: {names}" if names else "there was nothing to try"
        if self._types is not None:
            tried += f"; the server takes: {', '.join(self._types)}"
        unusable = "".join(f"; {error}" for error in self._unusable)
        return f"Authentication failed for user {self._user}, {tried}{unusable}"

    def _advice(self) -> str:
        if not self._tried and not self._identity_files and not self._password:
            return "Give the node an identityfile or a password, or start an SSH agent"
        return "Compare user, identityfile and password with authorized_keys and AllowUsers on the machine"
