# SPDX-License-Identifier: Apache-2.0
"""What a connection has to know."""

from __future__ import annotations

from typing import Any, Protocol


class SshSettings(Protocol):
    """Where and as whom to log in; :class:`RemoteAccountSSHConfig` is one.

    ``proxyjump`` (``[user@]host[:port]``) and ``max_sessions`` (commands at once) may be there, too.
    """

    host: str | None
    hostname: str
    user: str | None
    port: int
    password: str | None
    identityfile: str | None
    connecttimeout: float | None


class IgnoreMissingHostKeyPolicy:
    """Accepts every host key silently: test machines come and go under the same names."""

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        """Accept the key."""
