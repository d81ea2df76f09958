# SPDX-License-Identifier: Apache-2.0
"""What a connection has to know."""

from __future__ import annotations

from typing import Any, Protocol


class SshSettings(Protocol):
    """Where and as whom to log in; :class:`RemoteAccountSSHConfig` is one.

    ``proxyjump`` (``[user@]host[:port]``), ``max_sessions`` (commands at once), ``identityfiles`` (all of them),
    ``stricthostkeychecking`` and ``userknownhostsfile`` may be there, too.
    """

    host: str | None
    hostname: str
    user: str | None
    port: int
    password: str | None
    identityfile: str | None
    connecttimeout: float | None


def identity_files(settings: SshSettings) -> list[str]:
    """Paths of the private keys, in the order in which they are tried."""
    several = getattr(settings, "identityfiles", None) or ()
    first = settings.identityfile
    # Suites assign the one attribute that there was, so it goes before what the configuration said.
    if not first or first in several:
        return list(several) if first else []
    return [first]


def login_of(settings: SshSettings) -> str:
    """As whom and where a login is tried, for messages."""
    jump = getattr(settings, "proxyjump", None)
    # What stands before the @ of a jump host is a name, but may have been taken for more.
    through = f" through {jump.rpartition('@')[2]}" if jump else ""
    return f"as {settings.user or 'the local user'} at {settings.hostname}, port {settings.port}{through}"


class IgnoreMissingHostKeyPolicy:
    """Accepts every host key silently: test machines come and go under the same names."""

    def known_types(self, hostname: str, port: int) -> tuple[str, ...]:
        """No kind of key is preferred."""
        return ()

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        """Accept the key."""
