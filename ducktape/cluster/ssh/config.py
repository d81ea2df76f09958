# SPDX-License-Identifier: Apache-2.0
"""Where and as whom to log in."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from typing import Any

from ducktape.cluster.ssh.host_key_mode import OFF, files_named, mode_named
from ducktape.cluster.ssh.settings import identity_files

# One machine on the way: a name, an IPv4 address, or an IPv6 address in brackets.
_JUMP = re.compile(r"(?:(?P<user>[^@,\s]+)@)?(?P<host>\[[^\]\s]+\]|[^@,:\s\[\]]+)(?::(?P<port>\d{1,5}))?")


class RemoteAccountSSHConfig:
    """The settings of one SSH login.

    Args:
        host: the logical name, by which users know the machine.
        hostname: the address; ``localhost`` when missing.
        user: the login name; ``None`` is the local user's.
        port: a number or its text; 22 when missing.
        password: of the login, and of the key; never shown.
        identityfile: path of a private key, or a list of several, tried in this order; ``~`` means nothing here.
        identityfiles: further ones.
        connecttimeout: seconds, or their text; ``None`` leaves it to the operating system.
        maxsessions: number of commands at once on the connection, or its text; ``None`` leaves it to the transport.
        proxyjump: ``[user@]host[:port]`` of a machine on the way; ``None`` or ``none`` connects directly.
        password_env: name of an environment variable that holds the password, instead of the password.
        stricthostkeychecking: ``off``, ``accept-new`` or ``strict``, or what OpenSSH calls them; ``None`` leaves it to
            the options of the run.
        userknownhostsfile: file of known host keys; ``None`` leaves it to the options of the run.
        **kwargs: other settings of SSH configurations, ignored.

    Attributes:
        identityfile: the first of the private keys.
        identityfiles: all of them.
        max_sessions: what ``maxsessions`` says, as a number.

    Raises:
        ValueError: a number is invalid or out of range, the machine on the way is not spelled as above, there is no
            such environment variable, or host keys cannot be checked in that way.
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
        self.port: int = _port(port)
        self.password = password
        identities = _paths(identityfile) + _paths(identityfiles)
        self.identityfile: str | None = identities[0] if identities else None
        self.identityfiles: tuple[str, ...] = tuple(dict.fromkeys(identities))
        self.connecttimeout: float | None = None if connecttimeout is None else _seconds(connecttimeout)
        self.max_sessions: int | None = None if maxsessions is None else _sessions(maxsessions)
        self.proxyjump: str | None = _jump(proxyjump)
        self.password_env = password_env
        self.stricthostkeychecking = None if stricthostkeychecking is None else mode_named(stricthostkeychecking)
        self.userknownhostsfile = userknownhostsfile if files_named(userknownhostsfile) else None
        if password_env is not None:
            self.password = _secret(password, password_env)

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
        # Vagrant writes "no" for every machine. That is how ducktape connects anyway, unless its options say otherwise.
        if mode_named(settings.get("stricthostkeychecking", OFF)) == OFF:
            settings.pop("stricthostkeychecking", None)
        return RemoteAccountSSHConfig(host=hosts[0], **settings)

    def to_json(self) -> dict[str, Any]:
        """The seven settings, the password included, and those of the newer ones that are set.

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

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if self.password_env is not None:
            del state["password"]  # the other process has the variable as well
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
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


def _seconds(value: float | str) -> float:
    seconds = float(value)
    # Whole numbers stay whole: they are written to cluster files and compared there.
    return int(seconds) if seconds.is_integer() else seconds


def _port(value: int | str | None) -> int:
    number = int(value or 22) or 22
    # The operating system would take the remainder, and connect to some other server
    if not 0 < number < 65536:
        raise ValueError(f"port must be a number from 1 to 65535, not {number}")
    return number


def _sessions(value: int | str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(f"maxsessions must be at least 1, not {number}")
    return number


def _jump(value: str | None) -> str | None:
    if value is None or value.lower() == "none":
        return None
    match = _JUMP.fullmatch(value)
    if match is None or not 0 < int(match["port"] or 22) < 65536:
        # What stands before the @ may be a password that does not belong there.
        place = value.rpartition("@")[2]
        raise ValueError(f"proxyjump must be one machine, written [user@]host[:port], not {place!r}")
    return value


def _secret(password: str | None, variable: str) -> str:
    if password:
        raise ValueError("password and password_env exclude each other")
    secret = os.environ.get(variable)
    if secret is None:
        raise ValueError(f"the environment variable {variable}, which password_env names, is not set")
    return secret
