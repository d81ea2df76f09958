# SPDX-License-Identifier: Apache-2.0
"""Where and as whom to log in."""

from __future__ import annotations

import io
from typing import Any


class RemoteAccountSSHConfig:
    """The settings of one SSH login.

    Args:
        host: the logical name, by which users know the machine.
        hostname: the address; ``localhost`` when missing.
        user: the login name; ``None`` is the local user's.
        port: a number or its text; 22 when missing.
        password: of the login, and of the key; never shown.
        identityfile: path of a private key; ``~`` means nothing here.
        connecttimeout: seconds, or their text; ``None`` leaves it to the operating system.
        **kwargs: other settings of SSH configurations, ignored.

    Raises:
        ValueError: port or timeout is not a number.
    """

    def __init__(
        self,
        host: str | None = None,
        hostname: str | None = None,
        user: str | None = None,
        port: int | str | None = None,
        password: str | None = None,
        identityfile: str | None = None,
        connecttimeout: float | str | None = None,
        **kwargs: Any,
    ) -> None:
        self.host = host
        self.hostname: str = hostname or "localhost"
        self.user = user
        self.port: int = int(port or 22) or 22
        self.password = password
        self.identityfile = identityfile
        self.connecttimeout: float | None = None if connecttimeout is None else _seconds(connecttimeout)

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
        identities = settings.get("identityfile")
        if isinstance(identities, list):
            settings["identityfile"] = identities[0] if identities else None
        settings.pop("host", None)
        return RemoteAccountSSHConfig(host=hosts[0], **settings)

    def to_json(self) -> dict[str, Any]:
        """The seven settings, the password included."""
        return {
            "host": self.host,
            "hostname": self.hostname,
            "user": self.user,
            "port": self.port,
            "password": self.password,
            "identityfile": self.identityfile,
            "connecttimeout": self.connecttimeout,
        }

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
        return hash(tuple(sorted(self.to_json().items())))


def _seconds(value: float | str) -> float:
    seconds = float(value)
    # Whole numbers stay whole: they are written to cluster files and compared there.
    return int(seconds) if seconds.is_integer() else seconds
