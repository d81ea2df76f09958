# SPDX-License-Identifier: Apache-2.0
"""Settings of SSH logins."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from typing import Any, Protocol

from ducktape.cluster.ssh.host_key_mode import OFF, files_named, mode_named

# One jump host: a name, an IPv4 address, or an IPv6 address in brackets
_JUMP = re.compile(r"(?:(?P<user>[^@,\s]+)@)?(?P<host>\[[^\]\s]+\]|[^@,:\s\[\]]+)(?::(?P<port>\d{1,5}))?")


class SshSettings(Protocol):
    """The settings of a login, as in :class:`RemoteAccountSSHConfig`.

    Optional: ``proxyjump``, ``max_sessions``, ``identityfiles``, ``stricthostkeychecking``, ``userknownhostsfile``.
    """

    host: str | None
    hostname: str
    user: str | None
    port: int
    password: str | None
    identityfile: str | None
    connecttimeout: float | None


def identity_files(settings: SshSettings) -> list[str]:
    """Return the paths of the private keys in the order of their use."""
    several = getattr(settings, "identityfiles", None) or ()
    first = settings.identityfile
    # Suites assign this attribute, so it wins over the list
    if not first or first in several:
        return list(several) if first else []
    return [first]


def name_of(settings: SshSettings) -> str:
    """Return the name of the machine."""
    return settings.host or settings.hostname


def login_of(settings: SshSettings) -> str:
    """Describe the target of a login for messages."""
    jump = getattr(settings, "proxyjump", None)
    # Before the @ of a jump host, users may have written a password
    through = f" through {jump.rpartition('@')[2]}" if jump else ""
    return f"as {settings.user or 'the local user'} at {settings.hostname}, port {settings.port}{through}"


class IgnoreMissingHostKeyPolicy:
    """Accepts every host key silently."""

    def known_types(self, hostname: str, port: int) -> tuple[str, ...]:
        """No kind of key is preferred."""
        return ()

    def missing_host_key(self, client: object, hostname: str, key: object) -> None:
        """Accept the key."""


class RemoteAccountSSHConfig:
    """The settings of one SSH login.

    Args:
        host: the logical name of the machine.
        hostname: the address; ``localhost`` when missing.
        user: the login name; ``None`` is the local user's.
        port: a number or its text; 22 when missing.
        password: password of the login and passphrase of the key; never shown.
        identityfile: path of a private key, or a list of paths, tried in this order; ``~`` is not expanded.
        identityfiles: further ones.
        connecttimeout: seconds, or their text; ``None`` leaves it to the operating system.
        maxsessions: maximum number of parallel commands on a connection, or its text; ``None`` for the default.
        proxyjump: ``[user@]host[:port]`` of a jump host; ``None`` or ``none`` connects directly.
        password_env: name of an environment variable that holds the password, instead of the password.
        stricthostkeychecking: ``off``, ``accept-new`` or ``strict``, or a name of OpenSSH; ``None`` uses the options of
            the run.
        userknownhostsfile: file of known host keys; ``None`` uses the options of the run.
        **kwargs: other settings of SSH configurations, ignored.

    Attributes:
        identityfile: the first of the private keys.
        identityfiles: all of them.
        max_sessions: ``maxsessions`` as a number.

    Raises:
        ValueError: a number is invalid or out of range, the jump host or the mode of host keys is invalid, or the
            environment variable is not set.
    """

    def __init__(
        self,
        host: str | None = None,
        hostname: str | None = None,
        user: str | None = None,
        port: int | str | None = None,
        password: str | None = None,
        identityfile: str | Sequence[str] | None = None,
        connecttimeout: float | str | None = None,
        *,
        identityfiles: Sequence[str] | None = None,
        maxsessions: int | str | None = None,
        proxyjump: str | None = None,
        password_env: str | None = None,
        stricthostkeychecking: str | bool | None = None,
        userknownhostsfile: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.host = host
        self.hostname: str = hostname or "localhost"
        self.user = user
        self.port: int = int(port or 22) or 22
        if not 0 < self.port < 65536:  # the operating system would use the remainder
            raise ValueError(f"port must be a number from 1 to 65535, not {self.port}")
        self.password = password
        identities = _paths(identityfile) + _paths(identityfiles)
        self.identityfile: str | None = identities[0] if identities else None
        self.identityfiles: tuple[str, ...] = tuple(dict.fromkeys(identities))
        self.connecttimeout: float | None = None if connecttimeout is None else float(connecttimeout)
        if self.connecttimeout is not None and self.connecttimeout.is_integer():
            self.connecttimeout = int(self.connecttimeout)  # as in cluster files
        self.max_sessions: int | None = None if maxsessions is None else int(maxsessions)
        if self.max_sessions is not None and self.max_sessions < 1:
            raise ValueError(f"maxsessions must be at least 1, not {self.max_sessions}")
        self.proxyjump: str | None = _jump(proxyjump)
        self.password_env = password_env
        self.stricthostkeychecking = None if stricthostkeychecking is None else mode_named(stricthostkeychecking)
        self.userknownhostsfile = userknownhostsfile if files_named(userknownhostsfile) else None
        if password_env is not None:
            if password:
                raise ValueError("password and password_env exclude each other")
            self.password = os.environ.get(password_env)
            if self.password is None:
                raise ValueError(f"the environment variable {password_env}, which password_env names, is not set")

    @staticmethod
    def from_string(config_str: str) -> RemoteAccountSSHConfig:
        """Read the text of an OpenSSH client configuration with exactly one host.

        Args:
            config_str: the text; settings of the pattern ``*`` apply too.

        Raises:
            AssertionError: there is no single host.
        """
        import paramiko

        config = paramiko.SSHConfig()
        config.parse(io.StringIO(config_str))
        hosts = [name for name in config.get_hostnames() if name != "*"]
        if len(hosts) != 1:
            raise AssertionError(f"Expected hostnames to have single entry: {hosts}")
        settings: dict[str, Any] = dict(config.lookup(hosts[0]))
        settings.pop("host", None)
        # Vagrant writes "no" for every machine, which is the default anyway and must not override the options
        if mode_named(settings.get("stricthostkeychecking", OFF)) == OFF:
            settings.pop("stricthostkeychecking", None)
        return RemoteAccountSSHConfig(host=hosts[0], **settings)

    def to_json(self) -> dict[str, Any]:
        """Return the seven original settings, including the password, and all newer ones that are set.

        A password that came from an environment variable is represented by the name of that variable.
        """
        identities = identity_files(self)
        newer = {
            "identityfiles": identities if len(identities) > 1 else None,
            "maxsessions": self.max_sessions,
            "proxyjump": self.proxyjump,
            "password_env": self.password_env,
            "stricthostkeychecking": self.stricthostkeychecking,
            "userknownhostsfile": self.userknownhostsfile,
        }
        return {
            "host": self.host,
            "hostname": self.hostname,
            "user": self.user,
            "port": self.port,
            "password": self.password if self.password_env is None else None,
            "identityfile": self.identityfile,
            "connecttimeout": self.connecttimeout,
            **{name: value for name, value in newer.items() if value is not None},
        }

    def __getstate__(self) -> dict[str, object]:
        state = dict(self.__dict__)
        if self.password_env is not None:
            del state["password"]  # the other process has the variable as well
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        if "password" not in state and self.password_env is not None:
            self.password = os.environ.get(self.password_env)

    def __repr__(self) -> str:
        shown = self.to_json()
        if shown["password"]:
            shown["password"] = "***"
        return str(shown)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RemoteAccountSSHConfig):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(repr(sorted(self.to_json().items())))


def _paths(given: str | Sequence[str] | None) -> list[str]:
    return [given] if isinstance(given, (str, os.PathLike)) else list(given or ())


def _jump(value: str | None) -> str | None:
    if value is None or value.lower() == "none":
        return None
    match = _JUMP.fullmatch(value)
    if match is None or not 0 < int(match["port"] or 22) < 65536:
        # Users may have written a password before the @
        place = value.rpartition("@")[2]
        raise ValueError(f"proxyjump must be one machine, written [user@]host[:port], not {place!r}")
    return value
